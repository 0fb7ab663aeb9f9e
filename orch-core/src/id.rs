//! Identities of runs.

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

/// The identity of a flow run: 48 bits of time in milliseconds, then 80 random ones, so that ids
/// sort by the time at which their run was made.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct FlowRunId(u128);

impl FlowRunId {
    /// The id of no flow run.
    pub(crate) const NONE: Self = Self(0);

    pub(crate) fn new() -> Self {
        let millis = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| since.as_millis());
        // Each `RandomState` has keys of its own, seeded by the operating system.
        let random = || u128::from(RandomState::new().hash_one(millis));
        let low = random() | (random() << 64);
        Self((millis << 80) | (low & ((1 << 80) - 1)))
    }

    /// The last characters, enough to tell the runs of a day apart.
    pub(crate) fn short(self) -> String {
        let text = self.to_string();
        text[text.len() - 6..].to_owned()
    }

    pub(crate) fn bits(self) -> u128 {
        self.0
    }

    pub(crate) fn seed(self) -> u64 {
        self.0 as u64
    }
}

const DIGITS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

impl fmt::Display for FlowRunId {
    /// 26 digits of base 32, without letters that look like others.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::with_capacity(26);
        for digit in (0..26).rev() {
            text.push(char::from(DIGITS[(self.0 >> (5 * digit)) as usize & 31]));
        }
        f.pad(&text)
    }
}

impl fmt::Debug for FlowRunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FlowRunId({self})")
    }
}

impl From<FlowRunId> for String {
    fn from(id: FlowRunId) -> Self {
        id.to_string()
    }
}

/// A text that is no flow run id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not the id of a flow run: expected 26 letters and digits")]
pub struct InvalidFlowRunId(String);

impl TryFrom<String> for FlowRunId {
    type Error = InvalidFlowRunId;

    fn try_from(text: String) -> Result<Self, InvalidFlowRunId> {
        text.parse()
    }
}

impl std::str::FromStr for FlowRunId {
    type Err = InvalidFlowRunId;

    fn from_str(text: &str) -> Result<Self, InvalidFlowRunId> {
        let invalid = || InvalidFlowRunId(text.to_owned());
        if text.len() != 26 {
            return Err(invalid());
        }
        let mut id: u128 = 0;
        for byte in text.bytes() {
            let digit = DIGITS
                .iter()
                .position(|digit| *digit == byte.to_ascii_lowercase());
            id = id
                .checked_mul(32)
                .and_then(|id| id.checked_add(digit? as u128))
                .ok_or_else(invalid)?;
        }
        Ok(Self(id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_reads_back_from_its_text() {
        let id = FlowRunId::new();
        assert_eq!(id.to_string().parse(), Ok(id));
        assert!("short".parse::<FlowRunId>().is_err());
        assert!(
            "z".repeat(26).parse::<FlowRunId>().is_err(),
            "more than 128 bits"
        );
    }

    #[test]
    fn ids_differ() {
        assert_ne!(FlowRunId::new(), FlowRunId::new());
    }
}

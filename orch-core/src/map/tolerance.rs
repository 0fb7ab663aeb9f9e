//! How many items may fail.

use std::fmt;

/// How many failed items a map puts up with. Both thresholds may be set; the map fails when either
/// is passed. None is tolerated by default.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Tolerance {
    count: Option<u64>,
    share: Option<f64>,
}

impl Tolerance {
    /// At most this many failed items.
    pub const fn count(failed: u64) -> Self {
        Self {
            count: Some(failed),
            share: None,
        }
    }

    /// At most this share of all items, in `0..=1`. Checked at the end; and before, as soon as it
    /// is certain to be passed.
    ///
    /// # Panics
    /// If `share` is not within `0..=1`.
    pub fn share(share: f64) -> Self {
        assert!(
            (0.0..=1.0).contains(&share),
            "a share of items is a number from 0 to 1"
        );
        Self {
            count: None,
            share: Some(share),
        }
    }

    /// Both.
    pub const fn and_count(mut self, failed: u64) -> Self {
        self.count = Some(failed);
        self
    }

    /// Whether `failed` is too many, with `total` items if that is known.
    pub(super) fn is_passed(&self, failed: u64, total: Option<u64>) -> bool {
        let by_count = match (self.count, self.share) {
            (Some(count), _) => failed > count,
            (None, None) => failed > 0,
            (None, Some(_)) => false,
        };
        let by_share = match (self.share, total) {
            (Some(share), Some(total)) => failed as f64 > share * total as f64,
            _ => false,
        };
        by_count || by_share
    }
}

impl fmt::Display for Tolerance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.count, self.share) {
            (None, None) => f.write_str("none is tolerated"),
            (Some(count), None) => write!(f, "{count} are tolerated"),
            (None, Some(share)) => write!(f, "{}% are tolerated", share * 100.0),
            (Some(count), Some(share)) => {
                write!(f, "{count} and at most {}% are tolerated", share * 100.0)
            }
        }
    }
}

//! What the bytes of a file have to be.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::error::MlError;

/// The hash that the bytes of a file have to have, as 64 hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Checksum {
    /// As `b3sum` prints it.
    Blake3(String),
    /// As `sha256sum` prints it.
    Sha256(String),
}

/// Hashes of bytes while they come.
pub(super) struct Hashing {
    expected: Option<Checksum>,
    blake3: blake3::Hasher,
    sha256: Option<Sha256>,
}

impl Hashing {
    pub(super) fn new(expected: Option<&Checksum>) -> Result<Self, MlError> {
        if let Some(Checksum::Blake3(digits) | Checksum::Sha256(digits)) = expected
            && (digits.len() != 64 || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()))
        {
            return Err(MlError::InvalidOption {
                name: "checksum",
                value: format!("`{digits}`"),
                expected: "64 hexadecimal digits",
            });
        }
        Ok(Self {
            expected: expected.cloned(),
            blake3: blake3::Hasher::new(),
            sha256: matches!(expected, Some(Checksum::Sha256(_))).then(Sha256::new),
        })
    }

    pub(super) fn update(&mut self, bytes: &[u8]) {
        self.blake3.update(bytes);
        if let Some(sha256) = &mut self.sha256 {
            sha256.update(bytes);
        }
    }

    /// The BLAKE3 hash, if the bytes are those expected.
    pub(super) fn finish(self, url: &str) -> Result<String, MlError> {
        let blake3 = self.blake3.finalize().to_hex().to_string();
        let (expected, found) = match (self.expected, self.sha256) {
            (Some(Checksum::Sha256(expected)), Some(sha256)) => {
                let bytes = sha256.finalize();
                let digits = bytes.iter().map(|byte| format!("{byte:02x}"));
                (expected, digits.collect())
            }
            (Some(Checksum::Blake3(expected)), _) => (expected, blake3.clone()),
            _ => return Ok(blake3),
        };
        if expected.eq_ignore_ascii_case(&found) {
            return Ok(blake3);
        }
        Err(MlError::ChecksumMismatch {
            url: url.to_owned(),
            expected,
            found,
        })
    }
}

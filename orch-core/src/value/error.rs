//! What can go wrong with values.

use std::path::PathBuf;

use super::Digest;

/// Errors from putting a value into its canonical form.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// The type's own `Serialize` failed.
    #[error("it does not serialize: {message}")]
    Serialize {
        /// What it said.
        message: String,
    },
    /// The value is nested too deep.
    #[error("it is nested more than {limit} levels deep")]
    TooDeep {
        /// How deep a value may be.
        limit: u32,
    },
    /// What was written does not read back.
    #[error("it serializes, and what that gives cannot be deserialized")]
    NotReadable {
        /// Why not.
        #[source]
        source: DecodeError,
    },
    /// A file that is part of the value cannot be read.
    #[error("the file `{}` cannot be read", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// It takes longer than the caller wants to wait.
    #[error("its digest takes too long to be taken at once")]
    TakesLong,
    /// The encoding cannot be written.
    #[error("its encoding cannot be written")]
    Write(#[from] std::io::Error),
}

/// Errors from reading a value back. Each of them makes what was stored a miss.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// The bytes are not those that were stored.
    #[error("the stored bytes are damaged: they should have digest {expected:?}")]
    Digest {
        /// The digest they had.
        expected: Digest,
    },
    /// The value was stored in another format than its type has now.
    #[error("it was stored in another format ({found}) than its type has now ({expected})")]
    Format {
        /// The format it was stored in.
        found: u8,
        /// The format of the type.
        expected: u8,
    },
    /// The layout of the type has changed since the value was stored.
    #[error("the layout of its type has changed")]
    Shape,
    /// What was read is not what was written: the layout of the type has changed, or the type does not
    /// read what it writes.
    #[error("it is not read as what was written")]
    NotAsWritten,
    /// The bytes are no encoding of anything.
    #[error("the encoding is malformed at byte {at}")]
    Malformed {
        /// Where.
        at: usize,
    },
    /// The type's own `Deserialize` failed.
    #[error("it does not deserialize: {message}")]
    Deserialize {
        /// What it said.
        message: String,
    },
    /// The bytes cannot be read.
    #[error("the stored bytes cannot be read")]
    Read(#[source] std::io::Error),
    /// The type's own stored form cannot be read.
    #[error("its own form cannot be read")]
    Form(#[source] crate::BoxError),
    /// A file that is part of the value is not what it was.
    #[error("the file `{}` is gone, or holds something else now", path.display())]
    File {
        /// The file.
        path: PathBuf,
    },
}

impl serde::ser::Error for EncodeError {
    fn custom<T: std::fmt::Display>(message: T) -> Self {
        Self::Serialize {
            message: message.to_string(),
        }
    }
}

impl serde::de::Error for DecodeError {
    fn custom<T: std::fmt::Display>(message: T) -> Self {
        Self::Deserialize {
            message: message.to_string(),
        }
    }
}

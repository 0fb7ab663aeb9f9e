//! A file parameter that stands for the file's content.

use std::fmt;
use std::ops::Deref;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// A file as the input of a task: the parameter type for data that a task reads.
///
/// A task that takes a `DataFile` says that its result depends on what is in the file, not on the
/// file's name; a cached task is keyed by the content. It derefs to [`Path`] and is made from
/// anything path-like, also at the call: `load("data.csv")`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DataFile {
    path: PathBuf,
}

impl DataFile {
    /// Names a file. Nothing is read.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// Returns where the file is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Deref for DataFile {
    type Target = Path;

    fn deref(&self) -> &Path {
        &self.path
    }
}

impl AsRef<Path> for DataFile {
    fn as_ref(&self) -> &Path {
        &self.path
    }
}

impl fmt::Display for DataFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.path.display().fmt(f)
    }
}

macro_rules! from {
    ($($source:ty),+) => {$(
        impl From<$source> for DataFile {
            fn from(path: $source) -> Self {
                Self { path: PathBuf::from(path) }
            }
        }
    )+};
}

from!(PathBuf, &Path, String, &str, &String);

impl From<&PathBuf> for DataFile {
    fn from(path: &PathBuf) -> Self {
        Self { path: path.clone() }
    }
}

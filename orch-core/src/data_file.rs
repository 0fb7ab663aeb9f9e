//! A file parameter that stands for the file's content.

use std::fmt;
use std::ops::Deref;
use std::path::{Path, PathBuf};

use serde::de::Visitor;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::value::DATA_FILE;

/// A file as the input of a task: the parameter type for data that a task reads.
///
/// A task that takes a `DataFile` says that its result depends on what is in the file, not on the
/// file's name; a cached task is keyed by the content. It derefs to [`Path`] and is made from
/// anything path-like, also at the call: `load("data.csv")`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
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

/// As a path; the canonical encoding of values knows it by its name, and looks into the file.
impl Serialize for DataFile {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_newtype_struct(DATA_FILE, &self.path)
    }
}

impl<'de> Deserialize<'de> for DataFile {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct PathVisitor;

        impl<'de> Visitor<'de> for PathVisitor {
            type Value = DataFile;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the path of a file")
            }

            fn visit_str<E: serde::de::Error>(self, path: &str) -> Result<DataFile, E> {
                Ok(DataFile::from(path))
            }

            fn visit_newtype_struct<D: Deserializer<'de>>(
                self,
                deserializer: D,
            ) -> Result<DataFile, D::Error> {
                PathBuf::deserialize(deserializer).map(DataFile::from)
            }
        }

        deserializer.deserialize_newtype_struct(DATA_FILE, PathVisitor)
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

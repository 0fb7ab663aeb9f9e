//! Why something was not logged.

use std::path::PathBuf;

use crate::BoxError;

/// Why a param, a metric, a tag or an artifact was not logged.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrackError {
    /// A name that cannot be a file of the same name, so that no export could hold it.
    #[error("{what} `{name}` {problem}")]
    InvalidName {
        /// `param`, `metric`, `tag` or `artifact`.
        what: &'static str,
        /// The name.
        name: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// A param was logged before with another value.
    #[error("param `{name}` of `{run}` was logged as {before} and cannot be changed to {after}")]
    ParamChanged {
        /// The param.
        name: String,
        /// The task run, or the flow run.
        run: String,
        /// Its value.
        before: String,
        /// The value that it was to have.
        after: String,
    },
    /// A value that is longer than others can hold.
    #[error("{what} `{name}` has {bytes} bytes, at most {max} are kept")]
    TooLong {
        /// `param` or `tag`.
        what: &'static str,
        /// Its name.
        name: String,
        /// Its length.
        bytes: usize,
        /// The most.
        max: usize,
    },
    /// A value that has no form in JSON.
    #[error("param `{name}` cannot be written as JSON")]
    NotJson {
        /// The param.
        name: String,
        /// Why not.
        #[source]
        source: serde_json::Error,
    },
    /// Params that are not the fields of a struct or the entries of a map.
    #[error("params are fields of a struct or entries of a map, not {found}")]
    NotFields {
        /// What was given.
        found: &'static str,
    },
    /// A file that was to be an artifact cannot be read.
    #[error("artifact `{name}`: file `{}` cannot be read", path.display())]
    File {
        /// The artifact.
        name: String,
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// An artifact cannot be stored.
    #[error("artifact `{name}` cannot be stored")]
    NotStored {
        /// The artifact.
        name: String,
        /// Why not.
        #[source]
        source: BoxError,
    },
}

impl TrackError {
    /// What the user can do about it; printed after the error as `help: ...`.
    pub fn help(&self) -> Option<&'static str> {
        Some(match self {
            Self::InvalidName { .. } => {
                "use letters, digits, spaces and `_ - . : /`, as in a relative path"
            }
            Self::ParamChanged { .. } => {
                "log what changes as a metric or a tag, or give the params two names"
            }
            Self::TooLong { .. } => "log it as an artifact",
            Self::NotFields { .. } => "use `log_param` for a single value",
            Self::NotJson { .. } => "maps need keys that are texts",
            Self::File { .. } | Self::NotStored { .. } => return None,
        })
    }
}

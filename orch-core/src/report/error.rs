//! What can go wrong with a report's files.

use std::io;
use std::path::PathBuf;

/// Errors from reading or writing a report.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReportError {
    /// A file or directory could not be written.
    #[error("report file `{}` could not be written", path.display())]
    Write {
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The text is not a report in JSON.
    #[error("the text is not a report in JSON")]
    Parse {
        /// What is wrong with it, and in which line.
        source: serde_json::Error,
    },
    /// The report was written by a later release than this one.
    #[error("the report has format {found}, this build reads up to {supported}")]
    FormatTooNew {
        /// The format of the report.
        found: u32,
        /// The newest format that this build reads.
        supported: u32,
    },
}

impl ReportError {
    /// What the user can do about it; printed after the error as `help: ...`.
    pub fn help(&self) -> &'static str {
        match self {
            Self::Write { .. } => "choose a directory that exists or can be created and written to",
            Self::Parse { .. } => "read a `run.json` that `RunReport::write_to` wrote",
            Self::FormatTooNew { .. } => "upgrade orch-core to read this report",
        }
    }
}

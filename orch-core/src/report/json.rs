//! Reports in JSON.

use serde::{Deserialize, Serialize};

use super::{ReportError, RunReport};

/// The format this build writes, and the newest that it reads.
///
/// It goes up when an older reader would misread a newer report or refuse it for another reason,
/// such as a state it does not know. New optional fields leave it as it is.
const FORMAT: u32 = 1;

#[derive(Serialize)]
struct Versioned<'a> {
    format: u32,
    #[serde(flatten)]
    report: &'a RunReport,
}

#[derive(Deserialize)]
struct Header {
    format: u32,
}

impl RunReport {
    /// Writes the report as indented JSON, with the number of its format first.
    ///
    /// Durations are seconds. They come back to the nanosecond up to about twenty days,
    /// and to a few nanoseconds beyond.
    pub fn to_json(&self) -> String {
        let versioned = Versioned {
            format: FORMAT,
            report: self,
        };
        serde_json::to_string_pretty(&versioned)
            .expect("a report holds strings, numbers and lists, which JSON has")
    }

    /// Reads a report that [`RunReport::to_json`] wrote.
    ///
    /// # Errors
    /// [`ReportError::FormatTooNew`] for a report of a later release, [`ReportError::Parse`] for a
    /// text that is not a report.
    pub fn from_json(text: &str) -> Result<RunReport, ReportError> {
        let parse_error = |source| ReportError::Parse { source };
        let header: Header = serde_json::from_str(text).map_err(parse_error)?;
        if header.format > FORMAT {
            return Err(ReportError::FormatTooNew {
                found: header.format,
                supported: FORMAT,
            });
        }
        serde_json::from_str(text).map_err(parse_error)
    }
}

#[cfg(test)]
mod tests;

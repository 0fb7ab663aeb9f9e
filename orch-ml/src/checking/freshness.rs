//! How old data is.

use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::CheckResult;
use crate::error::MlError;
use crate::preprocessing::seconds_of_column;
use crate::table::Table;

/// Seconds from the beginning of 1970 on, below 0 before it.
fn seconds_since_1970(moment: SystemTime) -> f64 {
    match moment.duration_since(UNIX_EPOCH) {
        Ok(after) => after.as_secs_f64(),
        Err(before) => -before.duration().as_secs_f64(),
    }
}

/// What is wrong if something of this age should be at most so old.
fn problem_of(age: f64, max_age: Duration, what: &str) -> Option<String> {
    let is_old = age > max_age.as_secs_f64();
    is_old.then(|| format!("{what} is {} old", in_words(age)))
}

/// A span of time with one decimal, in the largest unit of which there is one.
pub(super) fn in_words(seconds: f64) -> String {
    for (unit, length) in [("d", 86_400.0), ("h", 3_600.0), ("min", 60.0)] {
        if seconds >= length {
            return format!("{:.1} {unit}", seconds / length);
        }
    }
    format!("{seconds:.1} s")
}

/// Whether the newest moment of a column is at most so old.
pub(super) fn column_problem(
    table: &Table,
    column: &str,
    max_age: Duration,
    now: SystemTime,
) -> Result<Option<String>, MlError> {
    let moments = seconds_of_column(table, column)?;
    Ok(match moments.into_iter().flatten().reduce(f64::max) {
        None => Some("there is no value".to_owned()),
        Some(newest) => problem_of(seconds_since_1970(now) - newest, max_age, "the newest"),
    })
}

/// Checks that a file was modified at most so long before a moment.
///
/// The moment is an argument, so that tests and resumed flow runs get the same answer: in a flow
/// it is [`FlowContext::now`](orch_core::FlowContext::now). A file from after that moment passes.
///
/// # Errors
/// [`MlError::ReadFile`].
///
/// # Examples
/// ```
/// use std::time::{Duration, SystemTime};
/// use orch_ml::file_is_fresh;
///
/// let file = std::env::current_exe().unwrap();
/// let (now, year) = (SystemTime::now(), Duration::from_secs(365 * 24 * 3600));
/// assert!(file_is_fresh(&file, year, now)?.has_passed());
/// assert!(!file_is_fresh(&file, year, now + 2 * year)?.has_passed());
/// # Ok::<(), orch_ml::MlError>(())
/// ```
pub fn file_is_fresh(
    file: &Path,
    max_age: Duration,
    now: SystemTime,
) -> Result<CheckResult, MlError> {
    let modified = std::fs::metadata(file).and_then(|metadata| metadata.modified());
    let modified = modified.map_err(|source| MlError::read_file(file, source))?;
    let age = seconds_since_1970(now) - seconds_since_1970(modified);
    let what = format!("`{}`", file.display());
    Ok(problem_of(age, max_age, &what).map_or_else(CheckResult::passed, CheckResult::failed))
}

//! Checks of values, and what waits for them.

use std::time::{Duration, SystemTime};

use orch_core::{DataFile, task};

use crate::checking::judge;
use crate::{CheckVerdict, MlError, Severity, Table};

/// Hands a value on once checks of it are done, so that what uses it waits for them and does not run
/// if a blocking one did not pass.
///
/// A handle needs the type named: `passed::<Table>(&table, verdicts)`.
#[task(keep = "memory")]
pub fn passed<T>(value: &T, verdicts: Vec<CheckVerdict>) -> T
where
    T: Clone,
{
    drop(verdicts);
    value.clone()
}

/// Parts a table by what checks of it found: the rows that pass, and those in quarantine:
/// [`quarantine_rows`](crate::quarantine_rows).
#[task(cache)]
pub fn quarantine(table: &Table, verdicts: Vec<CheckVerdict>) -> Result<(Table, Table), MlError> {
    crate::quarantine_rows(table, &verdicts)
}

/// Checks that a file was modified at most so long before a moment, which is
/// [`FlowContext::now`](orch_core::FlowContext::now): [`file_is_fresh`](crate::file_is_fresh).
///
/// # Errors
/// That of the plain function; [`MlError::CheckFailed`] if the file is older and the check blocking.
#[task]
pub fn check_file_age(
    file: DataFile,
    max_age: Duration,
    now: SystemTime,
    is_blocking: bool,
) -> Result<CheckVerdict, MlError> {
    let found = crate::file_is_fresh(file.path(), max_age, now);
    judge("check_file_age", Severity::Error, is_blocking, found)
}

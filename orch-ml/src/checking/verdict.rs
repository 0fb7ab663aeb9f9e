//! What a check of one's own found, and what that means.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::MlError;
use crate::table::Table;

/// Rows that a verdict names in its words.
const EXAMPLES: usize = 5;

/// How bad it is if a check does not pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Severity {
    /// Somebody should look at it: a warning is logged.
    Warn,
    /// It is wrong: an error is logged.
    Error,
}

/// What a function with [`#[check]`](macro@crate::check) found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckResult {
    problem: Option<String>,
    failed_rows: Vec<usize>,
}

impl CheckResult {
    /// Nothing is wrong.
    pub fn passed() -> Self {
        Self::default()
    }

    /// Something is wrong, in words that read on after a colon.
    pub fn failed(problem: impl Into<String>) -> Self {
        Self {
            problem: Some(problem.into()),
            ..Self::default()
        }
    }

    /// These rows do not pass; without any, nothing is wrong.
    pub fn failed_rows(rows: impl IntoIterator<Item = usize>) -> Self {
        Self {
            failed_rows: rows.into_iter().collect(),
            ..Self::default()
        }
    }

    /// Whether nothing is wrong.
    pub fn has_passed(&self) -> bool {
        self.problem.is_none() && self.failed_rows.is_empty()
    }
}

impl From<bool> for CheckResult {
    fn from(has_passed: bool) -> Self {
        match has_passed {
            true => Self::passed(),
            false => Self::failed("it does not hold"),
        }
    }
}

/// What a function with [`#[check]`](macro@crate::check) may return: [`CheckResult`], `bool`, or a
/// `Result` of one of them with [`MlError`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not what a check returns",
    note = "return `CheckResult`, `bool`, or `Result` of one of them with `MlError`"
)]
pub trait CheckReturn {
    /// What was found.
    ///
    /// # Errors
    /// Why it could not be found out.
    fn into_result(self) -> Result<CheckResult, MlError>;
}

impl CheckReturn for CheckResult {
    fn into_result(self) -> Result<CheckResult, MlError> {
        Ok(self)
    }
}

impl CheckReturn for bool {
    fn into_result(self) -> Result<CheckResult, MlError> {
        Ok(self.into())
    }
}

impl<F: CheckReturn> CheckReturn for Result<F, MlError> {
    fn into_result(self) -> Result<CheckResult, MlError> {
        self.and_then(CheckReturn::into_result)
    }
}

/// What a check came to, as the result of its task run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckVerdict {
    /// The name of the check.
    pub check: String,
    /// How bad it is if it does not pass.
    pub severity: Severity,
    /// Whether nothing is wrong.
    pub has_passed: bool,
    /// What is wrong, in words.
    pub problem: Option<String>,
    /// The rows that do not pass.
    pub failed_rows: Vec<usize>,
}

impl fmt::Display for CheckVerdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mark = match (self.has_passed, self.severity) {
            (true, _) => "✓",
            (false, Severity::Warn) => "!",
            (false, Severity::Error) => "✗",
        };
        write!(f, "{mark} {}", self.check)?;
        if let Some(problem) = &self.problem {
            write!(f, ": {problem}")?;
        }
        if !self.failed_rows.is_empty() {
            let n_failed = self.failed_rows.len();
            let do_not = match n_failed {
                1 => "row does not",
                _ => "rows do not",
            };
            write!(f, ": {n_failed} {do_not} pass, such as row ")?;
            for (place, row_idx) in self.failed_rows.iter().take(EXAMPLES).enumerate() {
                let gap = if place == 0 { "" } else { ", " };
                write!(f, "{gap}{row_idx}")?;
            }
        }
        Ok(())
    }
}

/// Parts a table by what checks of it found: the rows that pass all of them, and those that do not. A check
/// that named no rows parts nothing.
///
/// # Errors
/// [`MlError::InvalidOption`] for a row that the table does not have.
///
/// # Examples
/// ```
/// use orch_ml::{CheckVerdict, Severity, Table, quarantine_rows};
///
/// let table = Table::new([("price", vec![1.0, -2.0, 3.0].into())])?;
/// let verdict = CheckVerdict {
///     check: "no_negative_prices".to_owned(),
///     severity: Severity::Error,
///     has_passed: false,
///     problem: None,
///     failed_rows: vec![1],
/// };
/// let (rest, quarantined) = quarantine_rows(&table, &[verdict])?;
/// assert_eq!((rest.n_rows(), quarantined.n_rows()), (2, 1));
/// # Ok::<(), orch_ml::MlError>(())
/// ```
pub fn quarantine_rows(
    table: &Table,
    verdicts: &[CheckVerdict],
) -> Result<(Table, Table), MlError> {
    let mut passes = vec![true; table.n_rows()];
    for row_idx in verdicts.iter().flat_map(|verdict| &verdict.failed_rows) {
        let passes = passes.get_mut(*row_idx);
        *passes.ok_or_else(|| MlError::InvalidOption {
            name: "verdicts",
            value: format!("row {row_idx}"),
            expected: "rows of this table",
        })? = false;
    }
    let rest = table.filter(&passes)?;
    passes.iter_mut().for_each(|passes| *passes = !*passes);
    Ok((rest, table.filter(&passes)?))
}

/// What the result of a check means: a log record if it did not pass, and an error if it is blocking.
///
/// # Errors
/// [`MlError::CheckFailed`] of a blocking check; that of the check itself.
pub fn judge(
    check: &str,
    severity: Severity,
    is_blocking: bool,
    found: impl CheckReturn,
) -> Result<CheckVerdict, MlError> {
    let found = found.into_result()?;
    let verdict = CheckVerdict {
        check: check.to_owned(),
        severity,
        has_passed: found.has_passed(),
        problem: found.problem,
        failed_rows: found.failed_rows,
    };
    if !verdict.has_passed {
        if is_blocking {
            return Err(MlError::CheckFailed {
                verdict: Box::new(verdict),
            });
        }
        match severity {
            Severity::Warn => tracing::warn!(check, "{verdict}"),
            Severity::Error => tracing::error!(check, "{verdict}"),
        }
    }
    Ok(verdict)
}

//! Checks of the quality of a table, before anything is learned from it.

mod freshness;
mod report;
mod rule;
mod verdict;

use serde::{Deserialize, Serialize};

pub use self::freshness::file_is_fresh;
pub use self::report::{CheckOutcome, CheckReport};
pub use self::rule::Rule;
pub use self::verdict::{CheckResult, CheckReturn, CheckVerdict, Severity, judge, quarantine_rows};
use crate::error::MlError;
use crate::table::Table;

/// What becomes of a table that does not pass a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum OnFailure {
    /// It is used; the report says so, and a warning is logged.
    Warn,
    /// It is not used.
    Block,
    /// It is used without the rows that do not pass, which are kept apart. For rules about rows only.
    Quarantine,
}

/// A rule, and what becomes of a table that breaks it.
///
/// ```
/// use orch_ml::{Check, CsvOptions, Rule, check_table, parse_csv};
///
/// let table = parse_csv(b"id,age\n1,34\n2,-1\n3,\n", &CsvOptions::default())?;
/// let checked = check_table(&table, &[
///     Check::block(Rule::unique(["id"])),
///     Check::warn(Rule::present("age")),
///     Check::quarantine(Rule::between("age", 0.0, 120.0)),
/// ])?;
/// assert_eq!((checked.table.n_rows(), checked.quarantined.n_rows()), (2, 1));
/// assert_eq!(checked.report.failed().count(), 2);
/// # Ok::<(), orch_ml::MlError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Check {
    rule: Rule,
    on_failure: OnFailure,
}

impl Check {
    /// A table that breaks the rule is used all the same.
    pub fn warn(rule: Rule) -> Self {
        let on_failure = OnFailure::Warn;
        Self { rule, on_failure }
    }

    /// A table that breaks the rule is not used.
    pub fn block(rule: Rule) -> Self {
        let on_failure = OnFailure::Block;
        Self { rule, on_failure }
    }

    /// Rows that break the rule are kept apart.
    pub fn quarantine(rule: Rule) -> Self {
        let on_failure = OnFailure::Quarantine;
        Self { rule, on_failure }
    }

    /// The rule.
    pub fn rule(&self) -> &Rule {
        &self.rule
    }

    /// What becomes of a table that breaks it.
    pub fn on_failure(&self) -> OnFailure {
        self.on_failure
    }
}

/// A table that may be used, and what the checks found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Checked {
    /// The rows that may be used.
    pub table: Table,
    /// The rows that were kept apart.
    pub quarantined: Table,
    /// What each check found.
    pub report: CheckReport,
}

/// Checks a table. All checks are made, also where one fails; each looks at all rows.
///
/// # Errors
/// [`MlError::ChecksFailed`], with the whole report, if a blocking check fails;
/// [`MlError::UnknownColumn`] and [`MlError::NotNumeric`] for a rule that does not fit the table;
/// [`MlError::InvalidOption`] for a quarantine by a rule that is not about rows, and for a range that is
/// none.
pub fn check_table(table: &Table, checks: &[Check]) -> Result<Checked, MlError> {
    let mut outcomes = Vec::with_capacity(checks.len());
    let mut is_kept = vec![true; table.n_rows()];
    for Check { rule, on_failure } in checks {
        if *on_failure == OnFailure::Quarantine && !rule.is_about_rows() {
            return Err(MlError::InvalidOption {
                name: "checks",
                value: format!("a quarantine by `{rule}`"),
                expected: "a rule about rows",
            });
        }
        let found = rule.look_at(table)?;
        if *on_failure == OnFailure::Quarantine {
            for row_idx in &found.rows {
                is_kept[*row_idx] = false;
            }
        }
        let outcome = CheckOutcome::new(table, rule, *on_failure, found);
        if outcome.has_failed() && *on_failure != OnFailure::Block {
            tracing::warn!(table = %table.name(), "{outcome}");
        }
        outcomes.push(outcome);
    }
    let report = CheckReport::new(table, outcomes);
    if report.is_blocked() {
        return Err(MlError::ChecksFailed {
            table: table.name(),
            report: Box::new(report),
        });
    }
    let apart: Vec<bool> = is_kept.iter().map(|kept| !kept).collect();
    Ok(Checked {
        table: table.filter(&is_kept)?,
        quarantined: table.filter(&apart)?,
        report,
    })
}

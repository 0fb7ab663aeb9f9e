//! What checks found.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::rule::Found;
use super::{OnFailure, Rule};
use crate::table::Table;

/// Rows that are named in an outcome.
const EXAMPLES: usize = 5;

/// What one check found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CheckOutcome {
    /// The rule, in words.
    pub rule: String,
    /// What becomes of a table that breaks it.
    pub on_failure: OnFailure,
    /// Number of rows looked at.
    pub n_rows: usize,
    /// Number of rows that break it, for a rule about rows.
    pub n_failed: usize,
    /// The first of them, numbered as in messages, with their values where these say something.
    pub examples: Vec<(usize, Option<String>)>,
    /// What is wrong with the table, for a rule about it as a whole.
    pub problem: Option<String>,
}

impl CheckOutcome {
    pub(super) fn new(table: &Table, rule: &Rule, on_failure: OnFailure, found: Found) -> Self {
        let column = rule.column().and_then(|column| table.column(column).ok());
        let examples = found.rows.iter().take(EXAMPLES).map(|row_idx| {
            let value = column.map(|column| column.value(*row_idx).to_string());
            (table.row_in_messages(*row_idx), value)
        });
        Self {
            rule: rule.to_string(),
            on_failure,
            n_rows: table.n_rows(),
            n_failed: found.rows.len(),
            examples: examples.collect(),
            problem: found.problem,
        }
    }

    /// Whether the table breaks the rule.
    pub fn has_failed(&self) -> bool {
        self.n_failed > 0 || self.problem.is_some()
    }
}

impl fmt::Display for CheckOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mark = match (self.has_failed(), self.on_failure) {
            (false, _) => "✓",
            (true, OnFailure::Warn) => "!",
            (true, OnFailure::Block) => "✗",
            (true, OnFailure::Quarantine) => "↷",
        };
        write!(f, "{mark} {}", self.rule)?;
        if let Some(problem) = &self.problem {
            write!(f, ": {problem}")?;
        }
        if self.n_failed > 0 {
            let are = if self.n_failed == 1 { "is" } else { "are" };
            write!(
                f,
                ": {} of {} rows {are} not, such as",
                self.n_failed, self.n_rows
            )?;
            for (place, (row, value)) in self.examples.iter().enumerate() {
                let gap = if place == 0 { "" } else { "," };
                write!(f, "{gap} row {row}")?;
                if let Some(value) = value {
                    write!(f, " (`{value}`)")?;
                }
            }
        }
        Ok(())
    }
}

/// What all checks of a table found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CheckReport {
    outcomes: Vec<CheckOutcome>,
    n_rows: usize,
}

impl CheckReport {
    pub(super) fn new(table: &Table, outcomes: Vec<CheckOutcome>) -> Self {
        let n_rows = table.n_rows();
        Self { outcomes, n_rows }
    }

    /// What each check found, in the order of the checks.
    pub fn outcomes(&self) -> &[CheckOutcome] {
        &self.outcomes
    }

    /// The checks that failed.
    pub fn failed(&self) -> impl Iterator<Item = &CheckOutcome> {
        self.outcomes.iter().filter(|outcome| outcome.has_failed())
    }

    /// Whether a blocking check failed.
    pub fn is_blocked(&self) -> bool {
        self.failed()
            .any(|outcome| outcome.on_failure == OnFailure::Block)
    }

    /// Number of rows that were checked.
    pub fn n_rows(&self) -> usize {
        self.n_rows
    }
}

/// A line for each check.
impl fmt::Display for CheckReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, outcome) in self.outcomes.iter().enumerate() {
            if place > 0 {
                writeln!(f)?;
            }
            outcome.fmt(f)?;
        }
        Ok(())
    }
}

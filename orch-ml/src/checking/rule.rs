//! What a table has to be like.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use super::freshness::{column_problem, in_words};
use crate::dataset::ClassLabel;
use crate::error::MlError;
use crate::features::label_of;
use crate::table::{Column, Table, Timestamp, Value};

/// What a table has to be like.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Rule {
    /// Every row has a value in a column.
    Present {
        /// The column.
        column: String,
    },
    /// The numbers of a column are in a range, both ends included. Missing values pass.
    Between {
        /// The column.
        column: String,
        /// The least.
        low: f64,
        /// The greatest.
        high: f64,
    },
    /// The values of a column are among those listed. Missing values pass.
    OneOf {
        /// The column.
        column: String,
        /// The values.
        values: Vec<ClassLabel>,
    },
    /// No two rows have the same values in some columns; of such rows all but the first break the
    /// rule. Missing values are the same.
    Unique {
        /// The columns.
        columns: Vec<String>,
    },
    /// At most a share of a column is missing, from 0 to 1.
    MostlyPresent {
        /// The column.
        column: String,
        /// The share that may be missing.
        max_missing: f64,
    },
    /// There are these columns, of these types, and no others; their order does not matter.
    Schema {
        /// Names and types: `float`, `integer`, `boolean`, `text` or `timestamp`. Integers pass as floats.
        columns: Vec<(String, String)>,
    },
    /// The number of rows is in a range, both ends included.
    RowCount {
        /// The least.
        min: usize,
        /// The greatest.
        max: usize,
    },
    /// The number of rows differs from what it was before by at most a share of that.
    RowCountNear {
        /// What it was before.
        before: usize,
        /// The share.
        tolerance: f64,
    },
    /// The moments of a column are in a period, both ends included. Missing values pass.
    InPeriod {
        /// The column of timestamps.
        column: String,
        /// The earliest.
        first: Timestamp,
        /// The latest.
        last: Timestamp,
    },
    /// The number of rows differs from the mean of what it was in runs before by at most a share of
    /// that. Without any runs before, every number passes.
    RowCountLike {
        /// What it was before, run by run.
        before: Vec<usize>,
        /// The share.
        tolerance: f64,
    },
    /// The newest moment of a column is at most so old. Moments are timestamps, texts of ISO 8601 as
    /// `2024-02-29` or `2024-02-29T18:30:00+01:00`, in UTC unless they say otherwise, or numbers of
    /// seconds from the beginning of 1970 on. Moments that are still to come pass.
    Fresh {
        /// The column.
        column: String,
        /// How old it may be.
        max_age: Duration,
        /// The moment at which it is looked at: in a flow
        /// [`FlowContext::now`](orch_core::FlowContext::now), which tests control and which stays the
        /// same when the flow run is resumed.
        now: SystemTime,
    },
}

/// What breaks a rule.
pub(super) struct Found {
    /// The rows, for a rule about rows.
    pub(super) rows: Vec<usize>,
    /// What is wrong, for one about the table.
    pub(super) problem: Option<String>,
}

impl Rule {
    /// Every row has a value in a column.
    pub fn present(column: impl Into<String>) -> Self {
        let column = column.into();
        Self::Present { column }
    }

    /// The numbers of a column are in a range.
    pub fn between(column: impl Into<String>, low: f64, high: f64) -> Self {
        let column = column.into();
        Self::Between { column, low, high }
    }

    /// The moments of a column are in a period.
    pub fn in_period(column: impl Into<String>, first: Timestamp, last: Timestamp) -> Self {
        let column = column.into();
        Self::InPeriod {
            column,
            first,
            last,
        }
    }

    /// The values of a column are among those listed.
    pub fn one_of<L: Into<ClassLabel>>(
        column: impl Into<String>,
        values: impl IntoIterator<Item = L>,
    ) -> Self {
        Self::OneOf {
            column: column.into(),
            values: values.into_iter().map(Into::into).collect(),
        }
    }

    /// No two rows have the same values in some columns.
    pub fn unique<S: Into<String>>(columns: impl IntoIterator<Item = S>) -> Self {
        Self::Unique {
            columns: columns.into_iter().map(Into::into).collect(),
        }
    }

    /// The number of rows is like the mean of what it was in runs before, up to a share of that.
    ///
    /// Reports know what it was: [`CheckReport::n_rows`](crate::CheckReport::n_rows).
    pub fn row_count_like(before: impl IntoIterator<Item = usize>, tolerance: f64) -> Self {
        Self::RowCountLike {
            before: before.into_iter().collect(),
            tolerance,
        }
    }

    /// The newest moment of a column is at most so old.
    pub fn fresh(column: impl Into<String>, max_age: Duration, now: SystemTime) -> Self {
        Self::Fresh {
            column: column.into(),
            max_age,
            now,
        }
    }

    /// The columns of a table, with their types.
    pub fn schema_of(table: &Table) -> Self {
        let columns = table.columns();
        Self::Schema {
            columns: columns
                .map(|(name, column)| (name.to_owned(), column.type_name().to_owned()))
                .collect(),
        }
    }

    /// Whether it is rows that break it, or the table as a whole.
    pub fn is_about_rows(&self) -> bool {
        matches!(
            self,
            Self::Present { .. }
                | Self::Between { .. }
                | Self::InPeriod { .. }
                | Self::OneOf { .. }
                | Self::Unique { .. }
        )
    }

    /// Whether a value belongs to what breaks the rule, so that messages show it.
    pub(super) fn column(&self) -> Option<&str> {
        match self {
            Self::Between { column, .. }
            | Self::InPeriod { column, .. }
            | Self::OneOf { column, .. } => Some(column),
            Self::Unique { columns } if columns.len() == 1 => Some(&columns[0]),
            _ => None,
        }
    }

    pub(super) fn look_at(&self, table: &Table) -> Result<Found, MlError> {
        let rows = |is_wrong: &dyn Fn(usize) -> bool| Found {
            rows: (0..table.n_rows())
                .filter(|row_idx| is_wrong(*row_idx))
                .collect(),
            problem: None,
        };
        let whole = |problem: Option<String>| Found {
            rows: Vec::new(),
            problem,
        };
        Ok(match self {
            Self::Present { column } => {
                let column = table.column(column)?;
                rows(&|row_idx| matches!(column.value(row_idx), Value::Missing))
            }
            Self::Between { column, low, high } => {
                check_range("low", *low, *high)?;
                let numbers = table.to_numbers(column)?;
                rows(&|row_idx| numbers[row_idx] < *low || numbers[row_idx] > *high)
            }
            Self::InPeriod {
                column,
                first,
                last,
            } => {
                if first > last {
                    return Err(MlError::InvalidOption {
                        name: "first",
                        value: first.to_string(),
                        expected: "a moment that is not after `last`",
                    });
                }
                let cells = timestamps(table, column)?;
                rows(&|row_idx| match cells.value(row_idx) {
                    Value::Timestamp(moment) => moment < *first || moment > *last,
                    _ => false,
                })
            }
            Self::OneOf { column, values } => {
                let cells = table.column(column)?;
                let allowed: BTreeSet<&ClassLabel> = values.iter().collect();
                rows(&|row_idx| match label_of(table, column, cells, row_idx) {
                    Ok(label) => !allowed.contains(&label),
                    // A float that is no label is none of those listed.
                    Err(_) => !matches!(cells.value(row_idx), Value::Missing),
                })
            }
            Self::Unique { columns } => {
                let columns: Vec<&Column> = columns
                    .iter()
                    .map(|column| table.column(column))
                    .collect::<Result<_, _>>()?;
                let mut first: HashMap<Vec<String>, usize> = HashMap::new();
                let mut again = Vec::new();
                for row_idx in 0..table.n_rows() {
                    let values = columns.iter().map(|column| key(column.value(row_idx)));
                    if *first.entry(values.collect()).or_insert(row_idx) != row_idx {
                        again.push(row_idx);
                    }
                }
                Found {
                    rows: again,
                    problem: None,
                }
            }
            Self::MostlyPresent {
                column,
                max_missing,
            } => {
                check_range("max_missing", *max_missing, 1.0)?;
                let n_missing = table.column(column)?.n_missing();
                let share = n_missing as f64 / table.n_rows().max(1) as f64;
                let percent = 100.0 * share;
                let problem = format!(
                    "{n_missing} of {} are missing, {percent:.1} %",
                    table.n_rows()
                );
                whole((share > *max_missing).then_some(problem))
            }
            Self::Schema { columns } => whole(schema_problem(table, columns)),
            Self::RowCount { min, max } => {
                let n_rows = table.n_rows();
                let is_in = (*min..=*max).contains(&n_rows);
                whole((!is_in).then(|| format!("there are {n_rows}")))
            }
            Self::RowCountNear { before, tolerance } => {
                check_range("tolerance", *tolerance, f64::INFINITY)?;
                let n_rows = table.n_rows();
                let change = n_rows.abs_diff(*before) as f64;
                let is_near = change <= tolerance * *before as f64;
                whole((!is_near).then(|| format!("there are {n_rows}")))
            }
            Self::RowCountLike { before, tolerance } => {
                check_range("tolerance", *tolerance, f64::INFINITY)?;
                let n_rows = table.n_rows();
                let change = mean(before).map_or(0.0, |mean| (n_rows as f64 - mean).abs() / mean);
                // No rows at all before are a mean of 0, and the same again no change.
                let is_like = change.is_nan() || change <= *tolerance;
                whole((!is_like).then(|| format!("there are {n_rows}")))
            }
            Self::Fresh {
                column,
                max_age,
                now,
            } => whole(column_problem(table, column, *max_age, *now)?),
        })
    }
}

/// The column of that name, which must be of timestamps.
fn timestamps<'t>(table: &'t Table, name: &str) -> Result<&'t Column, MlError> {
    let column = table.column(name)?;
    if matches!(column, Column::Timestamp(..)) {
        return Ok(column);
    }
    Err(MlError::WrongColumnType {
        column: name.to_owned(),
        table: table.name(),
        found: column.type_name(),
        expected: "timestamps (`Table::parse_timestamps` makes them of texts)",
    })
}

fn mean(counts: &[usize]) -> Option<f64> {
    let total: f64 = counts.iter().map(|count| *count as f64).sum();
    (!counts.is_empty()).then(|| total / counts.len() as f64)
}

/// Refuses a range that is none; from 0 on for shares.
fn check_range(name: &'static str, low: f64, high: f64) -> Result<(), MlError> {
    let is_share = name != "low";
    // Written so that NaN fails too.
    if low <= high && (!is_share || low >= 0.0) {
        return Ok(());
    }
    Err(MlError::InvalidOption {
        name,
        value: low.to_string(),
        expected: if is_share {
            "a share from 0 on"
        } else {
            "a number that is not above `high`"
        },
    })
}

/// A value as a text that is another's only if the values are equal, within one column.
fn key(value: Value<'_>) -> String {
    match value {
        Value::Missing => String::new(),
        // No value is the empty text, and 0 and -0 are equal.
        Value::Float(number) => format!("={}", number + 0.0),
        value => format!("={value}"),
    }
}

fn schema_problem(table: &Table, columns: &[(String, String)]) -> Option<String> {
    let mut problems = Vec::new();
    for (name, expected) in columns {
        match table.column(name) {
            Err(_) => problems.push(format!("`{name}` is not there")),
            Ok(column) => {
                let found = column.type_name();
                if found != expected && !(found == "integer" && expected == "float") {
                    problems.push(format!("`{name}` is of type {found}, expected {expected}"));
                }
            }
        }
    }
    for name in table.column_names() {
        if columns.iter().all(|(known, _)| known != name) {
            problems.push(format!("`{name}` is not expected"));
        }
    }
    (!problems.is_empty()).then(|| problems.join("; "))
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Present { column } => write!(f, "`{column}` is there"),
            Self::Between { column, low, high } => {
                write!(f, "`{column}` is between {low} and {high}")
            }
            Self::InPeriod {
                column,
                first,
                last,
            } => write!(f, "`{column}` is from {first} to {last}"),
            Self::OneOf { column, values } => {
                write!(f, "`{column}` is one of ")?;
                for (place, value) in values.iter().enumerate() {
                    let gap = if place == 0 { "" } else { ", " };
                    write!(f, "{gap}`{value}`")?;
                }
                Ok(())
            }
            Self::Unique { columns } => write!(f, "`{}` is unique", columns.join("`, `")),
            Self::MostlyPresent {
                column,
                max_missing,
            } => {
                let percent = 100.0 * max_missing;
                write!(f, "at most {percent} % of `{column}` are missing")
            }
            Self::Schema { columns } => write!(f, "the {} columns are as expected", columns.len()),
            Self::RowCount {
                min,
                max: usize::MAX,
            } => write!(f, "there are {min} rows or more"),
            Self::RowCount { min, max } => write!(f, "there are {min} to {max} rows"),
            Self::RowCountNear { before, tolerance } => {
                let percent = 100.0 * tolerance;
                write!(
                    f,
                    "there are {before} rows as before, give or take {percent} %"
                )
            }
            Self::RowCountLike { before, tolerance } => match mean(before) {
                None => f.write_str("there are as many rows as before, of which nothing is known"),
                Some(mean) => {
                    let (percent, n_runs) = (100.0 * tolerance, before.len());
                    write!(
                        f,
                        "there are {mean:.1} rows as in the mean of {n_runs} runs before, give or take \
                         {percent} %"
                    )
                }
            },
            Self::Fresh {
                column, max_age, ..
            } => {
                let max_age = in_words(max_age.as_secs_f64());
                write!(f, "the newest of `{column}` is at most {max_age} old")
            }
        }
    }
}

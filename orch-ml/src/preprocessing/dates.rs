//! Parts of dates and times.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::replace_in_parallel;
use crate::calendar::{END_SECOND, FIRST_SECOND, MICROSECONDS, Moment, Written};
use crate::error::MlError;
use crate::table::{Column, Table, Value};

/// A part of a date or time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum DatePart {
    /// The year, in `<column>_year`.
    Year,
    /// The month, from 1 on, in `<column>_month`.
    Month,
    /// The day of the month, from 1 on, in `<column>_day`.
    Day,
    /// The day of the week, from Monday as 0 on, in `<column>_weekday`.
    Weekday,
    /// The hour, from 0 to 23, in `<column>_hour`; 0 for a date without time.
    Hour,
}

impl DatePart {
    /// All parts, in order.
    pub const ALL: [Self; 5] = [
        Self::Year,
        Self::Month,
        Self::Day,
        Self::Weekday,
        Self::Hour,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Year => "year",
            Self::Month => "month",
            Self::Day => "day",
            Self::Weekday => "weekday",
            Self::Hour => "hour",
        }
    }

    fn of(self, moment: Moment) -> i64 {
        match self {
            Self::Year => moment.year,
            Self::Month => moment.month,
            Self::Day => moment.day,
            Self::Weekday => moment.weekday(),
            Self::Hour => moment.hour,
        }
    }
}

/// Replaces columns of dates by columns of their parts; see [`DateParts::fit`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DateParts {
    columns: Vec<String>,
    parts: Vec<DatePart>,
}

impl DateParts {
    /// Remembers which parts of which columns to take. From the rows nothing is learned, but they
    /// are checked as those of [`apply`](Self::apply) are.
    ///
    /// Columns are timestamps, text or numbers. Text is a date of ISO 8601 as `2024-02-29`, after which may come
    /// `T` or a space, a time as `18:30` or `18:30:59.5`, and `Z` or an offset as `+05:30`. Parts
    /// are those that the text names: an offset is not added. Timestamps are in UTC. Numbers are
    /// seconds from the beginning of 1970 on, in UTC.
    ///
    /// # Errors
    /// [`MlError::InvalidDate`] with row and column; [`MlError::InvalidOption`] if no part is given,
    /// or one twice; [`MlError::UnknownColumn`], [`MlError::DuplicateColumn`],
    /// [`MlError::NoFeatures`], [`MlError::NoRows`]; [`MlError::WrongColumnType`] for booleans.
    ///
    /// # Source
    /// pandas 3.1, `Series.dt`: its names, and Monday as 0.
    ///
    /// # Examples
    /// ```
    /// use orch_ml::{DatePart, DateParts, Table};
    ///
    /// let table = Table::new([("sold", vec!["2024-02-29T18:30:00Z"].into())])?;
    /// let dates = DateParts::fit(&table, &["sold"], &[DatePart::Month, DatePart::Weekday])?;
    /// let parts = dates.apply(&table)?;
    /// assert_eq!(parts.column_names(), ["sold_month", "sold_weekday"]);
    /// assert_eq!(parts.to_vector("sold_weekday")?[0], 3.0); // a Thursday
    /// # Ok::<(), orch_ml::MlError>(())
    /// ```
    pub fn fit<S: AsRef<str>>(
        table: &Table,
        columns: &[S],
        parts: &[DatePart],
    ) -> Result<Self, MlError> {
        table.check_for_fit(columns)?;
        let is_repeated = (1..parts.len()).any(|at| parts[..at].contains(&parts[at]));
        if parts.is_empty() || is_repeated {
            return Err(MlError::InvalidOption {
                name: "parts",
                value: format!("{parts:?}"),
                expected: "at least one part, and each once",
            });
        }
        for name in columns {
            moments(table, name.as_ref())?;
        }
        Ok(Self {
            columns: columns
                .iter()
                .map(|name| name.as_ref().to_owned())
                .collect(),
            parts: parts.to_vec(),
        })
    }

    /// Replaces each column by a column of integers for each part; what is missing stays missing.
    ///
    /// # Errors
    /// [`MlError::UnknownColumn`]; [`MlError::InvalidDate`] with row and column;
    /// [`MlError::WrongColumnType`] for booleans; [`MlError::DuplicateColumn`] if a column of the
    /// name of a part's is there already.
    pub fn apply(&self, table: &Table) -> Result<Table, MlError> {
        replace_in_parallel(table, &self.columns, |name| {
            let moments = moments(table, name)?;
            let outputs = self.parts.iter().map(|part| {
                let values = moments
                    .iter()
                    .map(|moment| moment.map(|moment| part.of(moment)));
                let values: Vec<Option<i64>> = values.collect();
                (format!("{name}_{}", part.name()), Column::from(values))
            });
            Ok((name.as_str(), outputs.collect()))
        })
    }

    /// The parts that are taken.
    pub fn parts(&self) -> &[DatePart] {
        &self.parts
    }

    /// The names of the columns.
    pub fn column_names(&self) -> Vec<&str> {
        self.columns.iter().map(String::as_str).collect()
    }

    /// The names of the columns that result: `<column>_<part>`.
    pub fn feature_names_out(&self) -> Vec<String> {
        let names = self.columns.iter().flat_map(|name| {
            let parts = self.parts.iter();
            parts.map(move |part| format!("{name}_{}", part.name()))
        });
        names.collect()
    }
}

/// The moment of each row, `None` where there is no value.
fn moments(table: &Table, name: &str) -> Result<Vec<Option<Moment>>, MlError> {
    let in_range = |seconds: i64| {
        (FIRST_SECOND..END_SECOND)
            .contains(&seconds)
            .then(|| Moment::from_seconds(seconds))
    };
    // Floats beyond the range of integers become its ends.
    let of_number = |seconds: f64| in_range(seconds.floor() as i64);
    read_column(table, name, Moment::parse, in_range, of_number)
}

/// The seconds from the beginning of 1970 on of each row, `None` where there is no value: those of
/// texts with their offset from UTC, of numbers themselves.
///
/// # Errors
/// As [`DateParts::apply`].
pub(crate) fn seconds_of_column(table: &Table, name: &str) -> Result<Vec<Option<f64>>, MlError> {
    let in_range = |seconds: f64| {
        (FIRST_SECOND as f64..END_SECOND as f64)
            .contains(&seconds)
            .then_some(seconds)
    };
    let of_text = |text: &str| {
        let at = Written::parse(text)?.to_microseconds()?;
        Some(at as f64 / MICROSECONDS as f64)
    };
    read_column(
        table,
        name,
        of_text,
        |seconds| in_range(seconds as f64),
        in_range,
    )
}

fn read_column<T>(
    table: &Table,
    name: &str,
    of_text: impl Fn(&str) -> Option<T>,
    of_integer: impl Fn(i64) -> Option<T>,
    of_float: impl Fn(f64) -> Option<T>,
) -> Result<Vec<Option<T>>, MlError> {
    let column = table.column(name)?;
    if matches!(column, Column::Boolean(..)) && column.n_missing() < column.len() {
        return Err(MlError::WrongColumnType {
            column: name.to_owned(),
            table: table.name(),
            found: column.type_name(),
            expected: "timestamps, dates as text, or seconds as numbers",
        });
    }
    let moment = |row_idx: usize| {
        let value = column.value(row_idx);
        let moment = match value {
            Value::Text(text) => of_text(text),
            Value::Integer(seconds) => of_integer(seconds),
            Value::Float(seconds) => of_float(seconds),
            Value::Timestamp(timestamp) => {
                of_float(timestamp.as_microseconds() as f64 / MICROSECONDS as f64)
            }
            Value::Boolean(_) | Value::Missing => return Ok(None),
        };
        moment.map(Some).ok_or_else(|| MlError::InvalidDate {
            column: name.to_owned(),
            table: table.name(),
            row_idx: table.row_in_messages(row_idx),
            value: value.to_string(),
        })
    };
    (0..column.len()).map(moment).collect()
}

impl fmt::Display for DateParts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts: Vec<&str> = self.parts.iter().map(|part| part.name()).collect();
        write!(
            f,
            "take {} of dates\n  {}",
            parts.join(", "),
            self.columns.join(", ")
        )
    }
}

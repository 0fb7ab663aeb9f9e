//! One column of a table: values of one type, each present or missing.

mod making;
mod text;
mod timestamp;

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

pub(crate) use self::text::MISSING_CODE;
pub use self::text::TextColumn;
pub use self::timestamp::Timestamp;
use crate::error::MlError;

/// The values of one column; a clone shares them.
///
/// A missing float is NaN, as in pandas; the other types keep a [`Validity`] beside the values.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Column {
    /// 64-bit floats; NaN is a missing value.
    Float(Arc<Vec<f64>>),
    /// 64-bit integers.
    Integer(Arc<Vec<i64>>, Validity),
    /// Booleans.
    Boolean(Arc<Vec<bool>>, Validity),
    /// Strings, each distinct one stored once.
    Text(Arc<TextColumn>),
    /// Moments, in microseconds since the beginning of 1970 in UTC; see [`Timestamp`].
    Timestamp(Arc<Vec<i64>>, Validity),
}

/// Which rows of a column have a value.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Validity(Option<Arc<Vec<bool>>>);

impl Validity {
    /// From one flag per row, true where there is a value.
    pub fn new(flags: Vec<bool>) -> Self {
        if flags.iter().all(|valid| *valid) {
            Self(None)
        } else {
            Self(Some(Arc::new(flags)))
        }
    }

    /// Whether the row has a value.
    #[inline]
    pub fn is_valid(&self, row_idx: usize) -> bool {
        self.0.as_ref().is_none_or(|flags| flags[row_idx])
    }

    /// One flag per row, or `None` if every row has a value.
    pub fn flags(&self) -> Option<&[bool]> {
        self.0.as_ref().map(|flags| flags.as_slice())
    }
}

/// One cell of a table.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Value<'a> {
    /// There is no value.
    Missing,
    /// A float that is not NaN.
    Float(f64),
    /// An integer.
    Integer(i64),
    /// A boolean.
    Boolean(bool),
    /// A string.
    Text(&'a str),
    /// A moment.
    Timestamp(Timestamp),
}

impl fmt::Display for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Missing => Ok(()),
            Value::Float(value) => write!(f, "{value}"),
            Value::Integer(value) => write!(f, "{value}"),
            Value::Boolean(value) => write!(f, "{value}"),
            Value::Text(value) => f.write_str(value),
            Value::Timestamp(value) => write!(f, "{value}"),
        }
    }
}

impl Column {
    /// Number of rows.
    pub fn len(&self) -> usize {
        match self {
            Column::Float(values) => values.len(),
            Column::Integer(values, _) | Column::Timestamp(values, _) => values.len(),
            Column::Boolean(values, _) => values.len(),
            Column::Text(text) => text.codes.len(),
        }
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The type's name: `float`, `integer`, `boolean`, `text` or `timestamp`.
    pub fn type_name(&self) -> &'static str {
        match self {
            Column::Float(_) => "float",
            Column::Integer(..) => "integer",
            Column::Boolean(..) => "boolean",
            Column::Text(_) => "text",
            Column::Timestamp(..) => "timestamp",
        }
    }

    /// The cell of a row.
    ///
    /// # Panics
    /// If `row_idx` is not less than [`len`](Self::len).
    pub fn value(&self, row_idx: usize) -> Value<'_> {
        match self {
            Column::Float(values) if values[row_idx].is_nan() => Value::Missing,
            Column::Float(values) => Value::Float(values[row_idx]),
            Column::Integer(values, validity) if validity.is_valid(row_idx) => {
                Value::Integer(values[row_idx])
            }
            Column::Boolean(values, validity) if validity.is_valid(row_idx) => {
                Value::Boolean(values[row_idx])
            }
            Column::Timestamp(values, validity) if validity.is_valid(row_idx) => {
                Value::Timestamp(Timestamp::from_microseconds(values[row_idx]))
            }
            Column::Integer(..) | Column::Boolean(..) | Column::Timestamp(..) => Value::Missing,
            Column::Text(text) => text.get(row_idx).map_or(Value::Missing, Value::Text),
        }
    }

    /// Number of rows without a value; NaN counts as missing.
    pub fn n_missing(&self) -> usize {
        let absent = |flags: &[bool]| flags.iter().filter(|valid| !**valid).count();
        match self {
            Column::Float(values) => values.iter().filter(|value| value.is_nan()).count(),
            Column::Integer(_, validity)
            | Column::Boolean(_, validity)
            | Column::Timestamp(_, validity) => validity.flags().map_or(0, absent),
            Column::Text(text) => text
                .codes
                .iter()
                .filter(|code| **code == MISSING_CODE)
                .count(),
        }
    }

    /// Clears the flags of rows `first_row..first_row + present.len()` that have no value.
    pub(crate) fn mark_missing(&self, first_row: usize, present: &mut [bool]) {
        let rows = first_row..first_row + present.len();
        match self {
            Column::Float(values) => {
                for (flag, value) in present.iter_mut().zip(&values[rows]) {
                    *flag &= !value.is_nan();
                }
            }
            Column::Integer(_, validity)
            | Column::Boolean(_, validity)
            | Column::Timestamp(_, validity) => {
                if let Some(flags) = validity.flags() {
                    for (flag, valid) in present.iter_mut().zip(&flags[rows]) {
                        *flag &= valid;
                    }
                }
            }
            Column::Text(text) => {
                for (flag, code) in present.iter_mut().zip(&text.codes[rows]) {
                    *flag &= *code != MISSING_CODE;
                }
            }
        }
    }

    /// The rows of the given ranges, which are in order and add up to `n_rows`.
    pub(crate) fn take_ranges(&self, ranges: &[std::ops::Range<usize>], n_rows: usize) -> Self {
        fn pick<T: Copy>(values: &[T], ranges: &[std::ops::Range<usize>], n_rows: usize) -> Vec<T> {
            let mut picked = Vec::with_capacity(n_rows);
            for range in ranges {
                picked.extend_from_slice(&values[range.clone()]);
            }
            picked
        }
        self.map(
            |values| pick(values, ranges, n_rows),
            |values| pick(values, ranges, n_rows),
            |values| pick(values, ranges, n_rows),
            |values| pick(values, ranges, n_rows),
        )
    }

    /// The rows of the given indices, in their order.
    pub(crate) fn take_rows(&self, rows: &[usize]) -> Self {
        fn pick<T: Copy>(values: &[T], rows: &[usize]) -> Vec<T> {
            rows.iter().map(|row_idx| values[*row_idx]).collect()
        }
        self.map(
            |v| pick(v, rows),
            |v| pick(v, rows),
            |v| pick(v, rows),
            |v| pick(v, rows),
        )
    }

    /// The rows of the given indices, in their order; missing where there is none.
    pub(crate) fn take_rows_where(&self, rows: &[Option<usize>]) -> Self {
        fn pick<T: Copy>(values: &[T], rows: &[Option<usize>], absent: T) -> Vec<T> {
            let value = |row: &Option<usize>| row.map_or(absent, |row_idx| values[row_idx]);
            rows.iter().map(value).collect()
        }
        let valid = |validity: &Validity| {
            let is_valid = |row_idx: usize| validity.is_valid(row_idx);
            Validity::new(rows.iter().map(|row| row.is_some_and(is_valid)).collect())
        };
        match self {
            Column::Float(values) => pick(values, rows, f64::NAN).into(),
            Column::Integer(values, validity) => {
                Column::Integer(Arc::new(pick(values, rows, 0)), valid(validity))
            }
            Column::Boolean(values, validity) => {
                Column::Boolean(Arc::new(pick(values, rows, false)), valid(validity))
            }
            Column::Timestamp(values, validity) => {
                Column::Timestamp(Arc::new(pick(values, rows, 0)), valid(validity))
            }
            Column::Text(text) => Column::Text(Arc::new(TextColumn {
                codes: pick(&text.codes, rows, MISSING_CODE),
                categories: text.categories.clone(),
            })),
        }
    }

    fn map(
        &self,
        floats: impl Fn(&[f64]) -> Vec<f64>,
        integers: impl Fn(&[i64]) -> Vec<i64>,
        booleans: impl Fn(&[bool]) -> Vec<bool>,
        codes: impl Fn(&[u32]) -> Vec<u32>,
    ) -> Self {
        let valid = |validity: &Validity| match validity.flags() {
            Some(flags) => Validity::new(booleans(flags)),
            None => Validity(None),
        };
        match self {
            Column::Float(values) => Column::Float(Arc::new(floats(values))),
            Column::Integer(values, validity) => {
                Column::Integer(Arc::new(integers(values)), valid(validity))
            }
            Column::Boolean(values, validity) => {
                Column::Boolean(Arc::new(booleans(values)), valid(validity))
            }
            Column::Timestamp(values, validity) => {
                Column::Timestamp(Arc::new(integers(values)), valid(validity))
            }
            Column::Text(text) => Column::Text(Arc::new(TextColumn {
                codes: codes(&text.codes),
                categories: text.categories.clone(),
            })),
        }
    }

    pub(crate) fn check_lengths(&self) -> Result<(), MlError> {
        if let Column::Integer(_, validity)
        | Column::Boolean(_, validity)
        | Column::Timestamp(_, validity) = self
            && let Some(flags) = validity.flags()
            && flags.len() != self.len()
        {
            let (expected, found) = (self.len(), flags.len());
            return Err(MlError::LengthMismatch {
                what: "the validity of a column",
                expected,
                found,
            });
        }
        Ok(())
    }
}

/// Same type and same values; two missing values are the same.
impl PartialEq for Column {
    fn eq(&self, other: &Self) -> bool {
        self.type_name() == other.type_name()
            && self.len() == other.len()
            && (0..self.len()).all(|row_idx| self.value(row_idx) == other.value(row_idx))
    }
}

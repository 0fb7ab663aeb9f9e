//! Rows in another order.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

use super::{Column, Table, Value};
use crate::error::MlError;

/// Which end of a column comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Order {
    /// The least value first.
    Ascending,
    /// The greatest value first.
    Descending,
}

impl Table {
    /// The rows in the order of some columns: by the first, where that is equal by the next, and
    /// where all are as they were. Missing values come last, whichever the order; texts go by their
    /// bytes, and false is before true.
    ///
    /// # Errors
    /// [`MlError::UnknownColumn`].
    ///
    /// # Source
    /// pandas 3.1, `DataFrame.sort_values(.., kind="stable")`
    pub fn sort_by<S: AsRef<str>>(&self, columns: &[(S, Order)]) -> Result<Self, MlError> {
        let columns: Vec<(&Column, Order)> = columns
            .iter()
            .map(|(name, order)| Ok((self.column(name.as_ref())?, *order)))
            .collect::<Result<_, MlError>>()?;
        let mut rows: Vec<usize> = (0..self.n_rows).collect();
        rows.sort_by(|a, b| {
            let by_column = columns.iter().map(|(column, order)| {
                let (a, b) = (column.value(*a), column.value(*b));
                match order {
                    Order::Ascending => compare(a, b),
                    Order::Descending if is_missing(a) || is_missing(b) => compare(a, b),
                    Order::Descending => compare(b, a),
                }
            });
            by_column.fold(Ordering::Equal, Ordering::then)
        });
        self.take_rows(&rows)
    }
}

fn is_missing(value: Value<'_>) -> bool {
    matches!(value, Value::Missing)
}

/// Compares two values of one column; a missing one is the greatest.
pub(super) fn compare(a: Value<'_>, b: Value<'_>) -> Ordering {
    match (a, b) {
        (Value::Float(a), Value::Float(b)) => a.partial_cmp(&b).expect("NaN is a missing value"),
        (Value::Integer(a), Value::Integer(b)) => a.cmp(&b),
        (Value::Boolean(a), Value::Boolean(b)) => a.cmp(&b),
        (Value::Text(a), Value::Text(b)) => a.cmp(b),
        (Value::Timestamp(a), Value::Timestamp(b)) => a.cmp(&b),
        (a, b) => is_missing(a).cmp(&is_missing(b)),
    }
}

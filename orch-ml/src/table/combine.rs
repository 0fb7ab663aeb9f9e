//! Several tables as one: rows below each other, or beside each other by a key.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::{Column, Table, Timestamp, Value};
use crate::error::MlError;

/// Which rows a join keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Join {
    /// Those of which the other table has the key.
    Inner,
    /// All of the left table; what the right one does not have is missing.
    Left,
}

impl Table {
    /// The rows of several tables below each other.
    ///
    /// Columns are matched by name and are in the order of the first table. Where one table has
    /// integers and another floats, the result has floats.
    ///
    /// # Errors
    /// [`MlError::NoTables`]; [`MlError::UnknownColumn`] for a column that another table does not
    /// have; [`MlError::TypeMismatch`] for one of another type there.
    ///
    /// # Source
    /// pandas 3.1, `pd.concat(.., join="inner", ignore_index=True)` for tables of the same columns
    pub fn concat(tables: &[&Table]) -> Result<Self, MlError> {
        let Some((first, rest)) = tables.split_first() else {
            return Err(MlError::NoTables);
        };
        for table in rest {
            for name in table.column_names() {
                first.column(name)?;
            }
        }
        let columns = first.columns().map(|(name, column)| {
            let mut parts = vec![column];
            for table in rest {
                parts.push(table.column(name)?);
            }
            Ok((name, stacked(name, &parts)?))
        });
        Table::new(columns.collect::<Result<Vec<_>, MlError>>()?)
    }

    /// The columns of two tables beside each other, by a key that both have: for each row of this
    /// table the rows of the other with the same key, in their order. The key occurs once.
    ///
    /// A missing key has no match, other than in pandas.
    ///
    /// # Errors
    /// [`MlError::UnknownColumn`]; [`MlError::TypeMismatch`] if the key is of another type there;
    /// [`MlError::ContinuousKey`] for a key of floats; [`MlError::DuplicateColumn`] for another
    /// column that both have: rename it.
    ///
    /// # Source
    /// pandas 3.1, `DataFrame.merge(.., how="inner")` and `how="left"`
    pub fn join(&self, right: &Table, key: &str, how: Join) -> Result<Self, MlError> {
        let (ours, theirs) = (self.column(key)?, right.column(key)?);
        if ours.type_name() != theirs.type_name() {
            return Err(mismatch(key, ours, theirs));
        }
        if matches!(ours, Column::Float(_)) {
            return Err(MlError::ContinuousKey {
                column: key.to_owned(),
            });
        }
        let mut rows_of: HashMap<Key<'_>, Vec<usize>> = HashMap::new();
        for row_idx in 0..right.n_rows() {
            if let Some(key) = key_of(theirs.value(row_idx)) {
                rows_of.entry(key).or_default().push(row_idx);
            }
        }
        let (mut left_rows, mut right_rows) = (Vec::new(), Vec::new());
        for row_idx in 0..self.n_rows {
            let matches = key_of(ours.value(row_idx)).and_then(|key| rows_of.get(&key));
            match matches {
                Some(matches) => {
                    left_rows.extend(std::iter::repeat_n(row_idx, matches.len()));
                    right_rows.extend(matches.iter().copied().map(Some));
                }
                None if how == Join::Left => {
                    left_rows.push(row_idx);
                    right_rows.push(None);
                }
                None => {}
            }
        }
        let left = self.take_rows(&left_rows)?;
        let others = right.columns().filter(|(name, _)| *name != key);
        let others = others.map(|(name, column)| (name, column.take_rows_where(&right_rows)));
        let columns = left.columns().map(|(name, column)| (name, column.clone()));
        Table::new(columns.chain(others))
    }
}

#[derive(PartialEq, Eq, Hash)]
enum Key<'a> {
    Integer(i64),
    Boolean(bool),
    Text(&'a str),
    Timestamp(Timestamp),
}

fn key_of(value: Value<'_>) -> Option<Key<'_>> {
    match value {
        Value::Integer(value) => Some(Key::Integer(value)),
        Value::Boolean(value) => Some(Key::Boolean(value)),
        Value::Text(value) => Some(Key::Text(value)),
        Value::Timestamp(value) => Some(Key::Timestamp(value)),
        Value::Missing | Value::Float(_) => None,
    }
}

fn mismatch(name: &str, expected: &Column, found: &Column) -> MlError {
    MlError::TypeMismatch {
        column: name.to_owned(),
        expected: expected.type_name(),
        found: found.type_name(),
    }
}

/// Columns of one name below each other.
fn stacked(name: &str, parts: &[&Column]) -> Result<Column, MlError> {
    let is_number = |column: &&Column| matches!(column, Column::Float(_) | Column::Integer(..));
    let is_whole = |column: &&Column| matches!(column, Column::Integer(..));
    let first = parts[0];
    let cells = || {
        let cells = |column: &&Column| (0..column.len()).collect::<Vec<_>>();
        parts.iter().flat_map(move |column| {
            cells(column)
                .into_iter()
                .map(|row_idx| column.value(row_idx))
        })
    };
    if parts.iter().all(is_number) && !parts.iter().all(is_whole) {
        let numbers = cells().map(|cell| match cell {
            Value::Float(value) => value,
            Value::Integer(value) => value as f64,
            _ => f64::NAN,
        });
        return Ok(numbers.collect::<Vec<f64>>().into());
    }
    let same_type = |column: &&&Column| column.type_name() != first.type_name();
    if let Some(other) = parts.iter().find(same_type) {
        return Err(mismatch(name, first, other));
    }
    Ok(match first {
        Column::Float(_) => unreachable!("floats are numbers, and not all are whole"),
        Column::Integer(..) => cells()
            .map(|cell| match cell {
                Value::Integer(value) => Some(value),
                _ => None,
            })
            .collect::<Vec<Option<i64>>>()
            .into(),
        Column::Boolean(..) => cells()
            .map(|cell| match cell {
                Value::Boolean(value) => Some(value),
                _ => None,
            })
            .collect::<Vec<Option<bool>>>()
            .into(),
        Column::Text(_) => cells()
            .map(|cell| match cell {
                Value::Text(value) => Some(value),
                _ => None,
            })
            .collect::<Vec<Option<&str>>>()
            .into(),
        Column::Timestamp(..) => cells()
            .map(|cell| match cell {
                Value::Timestamp(value) => Some(value),
                _ => None,
            })
            .collect::<Vec<Option<Timestamp>>>()
            .into(),
    })
}

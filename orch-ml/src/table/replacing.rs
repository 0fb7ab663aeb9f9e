//! Columns in the place of others, and the numbers to make them of.

use std::borrow::Cow;
use std::collections::HashMap;

use super::{Column, Table, Validity};
use crate::error::MlError;

impl Table {
    /// The table with the columns of each name replaced by those beside it, which stand where it
    /// stood; it may be none. Rows keep their numbers in messages.
    ///
    /// # Errors
    /// [`MlError::UnknownColumn`], [`MlError::DuplicateColumn`] and [`MlError::UnevenColumns`].
    pub(crate) fn replace_each<S: AsRef<str>>(
        &self,
        replacements: impl IntoIterator<Item = (S, Vec<(String, Column)>)>,
    ) -> Result<Self, MlError> {
        let mut by_position = HashMap::new();
        for (name, columns) in replacements {
            by_position.insert(self.position(name.as_ref())?, columns);
        }
        let mut columns = Vec::new();
        for (position, (name, column)) in self.columns().enumerate() {
            match by_position.remove(&position) {
                Some(replacement) => columns.extend(replacement),
                None => columns.push((name.to_owned(), column.clone())),
            }
        }
        self.with_columns(columns)
    }

    /// The table with all columns of the given names replaced by others, which stand where the first
    /// of them stood.
    ///
    /// # Errors
    /// As [`replace_each`](Self::replace_each).
    pub(crate) fn replace_together<S: AsRef<str>>(
        &self,
        names: &[S],
        columns: Vec<(String, Column)>,
    ) -> Result<Self, MlError> {
        let mut positions = Vec::with_capacity(names.len());
        for name in names {
            positions.push(self.position(name.as_ref())?);
        }
        let Some(first) = positions.iter().min() else {
            return Ok(self.clone());
        };
        let first = self.names[*first].clone();
        let nothing = names.iter().map(|name| (name.as_ref(), Vec::new()));
        self.replace_each(nothing.chain([(first.as_str(), columns)]))
    }

    /// The table with other columns, for the same rows.
    ///
    /// # Errors
    /// [`MlError::DuplicateColumn`] and [`MlError::UnevenColumns`].
    pub(crate) fn with_columns(&self, columns: Vec<(String, Column)>) -> Result<Self, MlError> {
        let mut table = Table::new(columns).map_err(|error| match error {
            MlError::DuplicateColumn { column, .. } => MlError::DuplicateColumn {
                column,
                table: self.name(),
            },
            other => other,
        })?;
        table.n_rows = self.n_rows;
        table.file.clone_from(&self.file);
        table.origin = self.origin.clone();
        Ok(table)
    }

    /// The numbers of a column, NaN where there is no value. Integers become the nearest float,
    /// booleans 0 and 1; text and timestamps are refused, but for a column without any value.
    ///
    /// # Errors
    /// [`MlError::UnknownColumn`], [`MlError::NotNumeric`], [`MlError::WrongColumnType`] and
    /// [`MlError::NotFinite`].
    pub(crate) fn numbers(&self, name: &str) -> Result<Cow<'_, [f64]>, MlError> {
        let column = self.column(name)?;
        match column {
            Column::Float(values) => match values.iter().position(|value| value.is_infinite()) {
                Some(row_idx) => Err(MlError::NotFinite {
                    column: name.to_owned(),
                    row_idx: self.row_in_messages(row_idx),
                    value: values[row_idx],
                }),
                None => Ok(Cow::Borrowed(values)),
            },
            Column::Integer(values, validity) => {
                Ok(Cow::Owned(with_gaps(values, validity, |value| {
                    value as f64
                })))
            }
            Column::Boolean(values, validity) => {
                let number = |value| f64::from(u8::from(value));
                Ok(Cow::Owned(with_gaps(values, validity, number)))
            }
            Column::Text(_) | Column::Timestamp(..) if column.n_missing() == column.len() => {
                Ok(Cow::Owned(vec![f64::NAN; column.len()]))
            }
            Column::Text(_) | Column::Timestamp(..) => {
                self.check_numbers(name, column)?;
                unreachable!("a column of text or timestamps with a value is refused")
            }
        }
    }

    /// The numbers of a column, every one present.
    ///
    /// # Errors
    /// As [`numbers`](Self::numbers); [`MlError::MissingValue`].
    pub(crate) fn numbers_without_gaps(&self, name: &str) -> Result<Cow<'_, [f64]>, MlError> {
        let numbers = self.numbers(name)?;
        match numbers.iter().position(|number| number.is_nan()) {
            Some(row_idx) => Err(MlError::MissingValue {
                column: name.to_owned(),
                table: self.name(),
                row_idx: self.row_in_messages(row_idx),
            }),
            None => Ok(numbers),
        }
    }

    /// Refuses a table without rows, and a list of columns that is empty, or has a name that is
    /// unknown or occurs twice.
    pub(crate) fn check_for_fit<S: AsRef<str>>(&self, columns: &[S]) -> Result<(), MlError> {
        if columns.is_empty() {
            return Err(MlError::NoFeatures);
        }
        self.select(columns)?;
        if self.n_rows() == 0 {
            return Err(MlError::NoRows { table: self.name() });
        }
        Ok(())
    }
}

fn with_gaps<T: Copy>(values: &[T], validity: &Validity, number: impl Fn(T) -> f64) -> Vec<f64> {
    let mut numbers: Vec<f64> = values.iter().map(|value| number(*value)).collect();
    if let Some(flags) = validity.flags() {
        for (number, valid) in numbers.iter_mut().zip(flags) {
            if !valid {
                *number = f64::NAN;
            }
        }
    }
    numbers
}

//! Numeric columns as arrays.

use ndarray::{Array1, Array2};
use rayon::prelude::*;

use super::{Column, Table, Value};
use crate::error::MlError;

/// Rows filled in one go: their cells stay in the nearest cache while column after column is
/// spread over them.
const ROWS_PER_BLOCK: usize = 1024;

impl Table {
    /// A column as numbers, booleans as 0 and 1, NaN where it is missing.
    pub(crate) fn to_numbers(&self, name: &str) -> Result<Vec<f64>, MlError> {
        let column = self.column(name)?;
        self.refuse_timestamps(name, column)?;
        let number = |row_idx| match column.value(row_idx) {
            Value::Float(value) => Ok(value),
            Value::Integer(value) => Ok(value as f64),
            Value::Boolean(value) => Ok(f64::from(u8::from(value))),
            Value::Missing | Value::Timestamp(_) => Ok(f64::NAN),
            Value::Text(value) => Err(MlError::NotNumeric {
                column: name.to_owned(),
                table: self.name(),
                row_idx: self.row_in_messages(row_idx),
                value: value.to_owned(),
            }),
        };
        (0..self.n_rows).map(number).collect()
    }

    /// The given columns as a matrix in row-major order.
    ///
    /// Integers become the nearest float (exact up to 2^53), booleans 0 and 1.
    ///
    /// # Shapes
    /// `[n_rows, names.len()]`
    ///
    /// # Errors
    /// [`MlError::UnknownColumn`]; [`MlError::NotNumeric`], [`MlError::MissingValue`] and
    /// [`MlError::NotFinite`] with the first column and row concerned; [`MlError::WrongColumnType`]
    /// for timestamps.
    pub fn to_matrix<S: AsRef<str>>(&self, names: &[S]) -> Result<Array2<f64>, MlError> {
        let columns: Vec<&Column> = names
            .iter()
            .map(|name| self.column(name.as_ref()))
            .collect::<Result<_, _>>()?;
        for (name, column) in names.iter().zip(&columns) {
            self.check_numbers(name.as_ref(), column)?;
        }
        let width = columns.len();
        let mut cells = vec![0.0; self.n_rows() * width];
        if width > 0 {
            let blocks = cells.par_chunks_mut(ROWS_PER_BLOCK * width).enumerate();
            blocks.for_each(|(block, cells)| {
                let first_row = block * ROWS_PER_BLOCK;
                for (position, column) in columns.iter().enumerate() {
                    let cells = cells[position..].iter_mut().step_by(width);
                    spread(column, first_row, cells);
                }
            });
        }
        Ok(Array2::from_shape_vec((self.n_rows(), width), cells)
            .expect("as many cells as rows times columns were made"))
    }

    /// One column as an array.
    ///
    /// # Shapes
    /// `[n_rows]`
    ///
    /// # Errors
    /// As [`to_matrix`](Self::to_matrix).
    pub fn to_vector(&self, name: &str) -> Result<Array1<f64>, MlError> {
        let column = self.column(name)?;
        self.check_numbers(name, column)?;
        let mut cells = vec![0.0; self.n_rows()];
        spread(column, 0, cells.iter_mut());
        Ok(Array1::from_vec(cells))
    }

    /// Refuses timestamps where numbers are needed: what a model learned of a moment itself would
    /// hold for none to come.
    pub(super) fn refuse_timestamps(&self, name: &str, column: &Column) -> Result<(), MlError> {
        if !matches!(column, Column::Timestamp(..)) {
            return Ok(());
        }
        Err(MlError::WrongColumnType {
            column: name.to_owned(),
            table: self.name(),
            found: column.type_name(),
            expected: "numbers (`DateParts` makes numbers of timestamps)",
        })
    }

    pub(super) fn check_numbers(&self, name: &str, column: &Column) -> Result<(), MlError> {
        self.refuse_timestamps(name, column)?;
        let wrong = match column {
            Column::Float(values) => values
                .par_chunks(ROWS_PER_BLOCK)
                .enumerate()
                .filter_map(|(block, values)| {
                    let row = values.iter().position(|value| !value.is_finite())?;
                    Some(block * ROWS_PER_BLOCK + row)
                })
                .min(),
            Column::Integer(_, validity) | Column::Boolean(_, validity) => validity
                .flags()
                .and_then(|flags| flags.iter().position(|valid| !*valid)),
            Column::Timestamp(..) => unreachable!("timestamps were refused before"),
            // One word makes a whole column text: that word is the one to look at.
            Column::Text(text) => {
                let is_word = |text: &str| text.trim().parse::<f64>().is_err();
                let word = text.iter().position(|text| text.is_some_and(is_word));
                word.or_else(|| text.iter().position(|text| text.is_some()))
                    .or(Some(0))
            }
        };
        let Some(row_idx) = wrong.filter(|_| !column.is_empty()) else {
            return Ok(());
        };
        let column_name = name.to_owned();
        let value = column.value(row_idx);
        let row_idx = self.row_in_messages(row_idx);
        Err(match value {
            Value::Missing => MlError::MissingValue {
                column: column_name,
                table: self.name(),
                row_idx,
            },
            Value::Float(value) => MlError::NotFinite {
                column: column_name,
                row_idx,
                value,
            },
            value => {
                let value = value.to_string();
                MlError::NotNumeric {
                    column: column_name,
                    table: self.name(),
                    row_idx,
                    value,
                }
            }
        })
    }
}

/// Writes the rows from `first_row` on into `cells`, as many as there are.
fn spread<'a>(column: &Column, first_row: usize, cells: impl Iterator<Item = &'a mut f64>) {
    match column {
        Column::Float(values) => {
            for (cell, value) in cells.zip(&values[first_row..]) {
                *cell = *value;
            }
        }
        Column::Integer(values, _) => {
            for (cell, value) in cells.zip(&values[first_row..]) {
                *cell = *value as f64;
            }
        }
        Column::Boolean(values, _) => {
            for (cell, value) in cells.zip(&values[first_row..]) {
                *cell = f64::from(u8::from(*value));
            }
        }
        Column::Text(_) | Column::Timestamp(..) => unreachable!("it was refused before"),
    }
}

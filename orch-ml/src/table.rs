//! Tables: named columns of equal length.

mod column;
mod combine;
mod describe;
mod display;
mod grouping;
mod numbers;
mod origin;
mod replacing;
mod sort;
mod storing;
mod timestamps;

use std::collections::HashSet;
use std::ops::Range;
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

pub(crate) use self::column::MISSING_CODE;
pub use self::column::{Column, TextColumn, Timestamp, Validity, Value};
pub use self::combine::Join;
pub use self::grouping::Aggregate;
use self::origin::Origin;
pub use self::sort::Order;
use crate::error::{MlError, TableName};

/// Rows that one thread looks at in one go: the flags of that many stay in its nearest cache.
const ROWS_PER_BLOCK: usize = 16 * 1024;

/// Named columns of equal length, each of one type.
///
/// A clone, [`select`](Self::select), [`drop`](Self::drop) and [`rename`](Self::rename) share the
/// values and copy none. Tables are equal if names, types and values are; two missing values are
/// equal. The file that a table was read from, and the rows of it that were kept, are only
/// remembered for messages: they are neither compared nor serialized.
///
/// # Examples
/// ```
/// use orch_ml::Table;
///
/// let table = Table::new([
///     ("age", vec![Some(59i64), None, Some(72)].into()),
///     ("name", vec!["Ada", "Ben", "Cy"].into()),
/// ])?;
/// assert_eq!(table.n_rows(), 3);
/// assert_eq!(table.drop_missing().n_rows(), 2);
/// # Ok::<(), orch_ml::MlError>(())
/// ```
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(try_from = "RawTable")]
pub struct Table {
    names: Vec<String>,
    columns: Vec<Column>,
    n_rows: usize,
    #[serde(skip)]
    file: Option<PathBuf>,
    #[serde(skip)]
    origin: Origin,
}

#[derive(Deserialize)]
struct RawTable {
    names: Vec<String>,
    columns: Vec<Column>,
    n_rows: usize,
}

impl TryFrom<RawTable> for Table {
    type Error = MlError;

    fn try_from(raw: RawTable) -> Result<Self, MlError> {
        let (expected, found) = (raw.names.len(), raw.columns.len());
        if found != expected {
            return Err(MlError::LengthMismatch {
                what: "the list of columns",
                expected,
                found,
            });
        }
        let mut table = Table::new(raw.names.into_iter().zip(raw.columns))?;
        if table.columns.is_empty() {
            table.n_rows = raw.n_rows;
        } else if table.n_rows != raw.n_rows {
            let (expected, found) = (raw.n_rows, table.n_rows);
            return Err(MlError::LengthMismatch {
                what: "the first column",
                expected,
                found,
            });
        }
        Ok(table)
    }
}

impl Table {
    /// Makes a table of named columns.
    ///
    /// # Errors
    /// [`MlError::DuplicateColumn`] and [`MlError::UnevenColumns`].
    pub fn new<N: Into<String>>(
        columns: impl IntoIterator<Item = (N, Column)>,
    ) -> Result<Self, MlError> {
        let mut table = Table::default();
        let mut seen = HashSet::new();
        for (name, column) in columns {
            let name = name.into();
            column.check_lengths()?;
            if table.columns.is_empty() {
                table.n_rows = column.len();
            } else if table.n_rows != column.len() {
                let (expected, found) = (table.n_rows, column.len());
                return Err(MlError::UnevenColumns {
                    column: name,
                    expected,
                    found,
                });
            }
            if !seen.insert(name.clone()) {
                return Err(MlError::DuplicateColumn {
                    column: name,
                    table: TableName(None),
                });
            }
            table.names.push(name);
            table.columns.push(column);
        }
        Ok(table)
    }

    /// The same table, called by this file's name in messages.
    pub(crate) fn read_from(mut self, file: Option<&Path>) -> Self {
        self.file = file.map(Path::to_path_buf);
        self
    }

    /// How messages call this table.
    pub fn name(&self) -> TableName {
        TableName(self.file.clone())
    }

    /// The number that messages give this row: the one it had in the file, or in the table that was
    /// made first, before others were dropped.
    pub(crate) fn row_in_messages(&self, row_idx: usize) -> usize {
        self.origin.row(row_idx)
    }

    /// Number of rows.
    pub fn n_rows(&self) -> usize {
        self.n_rows
    }

    /// Number of columns.
    pub fn n_columns(&self) -> usize {
        self.columns.len()
    }

    /// The names of the columns, in order.
    pub fn column_names(&self) -> &[String] {
        &self.names
    }

    /// The columns with their names, in order.
    pub fn columns(&self) -> impl Iterator<Item = (&str, &Column)> {
        self.names.iter().map(String::as_str).zip(&self.columns)
    }

    /// The column of that name.
    ///
    /// # Errors
    /// [`MlError::UnknownColumn`], which lists the columns there are.
    pub fn column(&self, name: &str) -> Result<&Column, MlError> {
        Ok(&self.columns[self.position(name)?])
    }

    fn position(&self, name: &str) -> Result<usize, MlError> {
        self.names
            .iter()
            .position(|other| other == name)
            .ok_or_else(|| MlError::UnknownColumn {
                column: name.to_owned(),
                table: self.name(),
                columns: self.names.clone(),
            })
    }

    /// The given columns, in the given order.
    ///
    /// # Errors
    /// [`MlError::UnknownColumn`], and [`MlError::DuplicateColumn`] if one is named twice.
    pub fn select<S: AsRef<str>>(&self, names: &[S]) -> Result<Self, MlError> {
        let mut seen = HashSet::new();
        let mut positions = Vec::with_capacity(names.len());
        for name in names {
            positions.push(self.position(name.as_ref())?);
            if !seen.insert(name.as_ref()) {
                let column = name.as_ref().to_owned();
                return Err(MlError::DuplicateColumn {
                    column,
                    table: self.name(),
                });
            }
        }
        Ok(self.at(&positions))
    }

    /// The table without the given columns.
    ///
    /// # Errors
    /// [`MlError::UnknownColumn`].
    pub fn drop<S: AsRef<str>>(&self, names: &[S]) -> Result<Self, MlError> {
        let mut kept = vec![true; self.columns.len()];
        for name in names {
            kept[self.position(name.as_ref())?] = false;
        }
        let positions: Vec<usize> = (0..kept.len()).filter(|position| kept[*position]).collect();
        Ok(self.at(&positions))
    }

    fn at(&self, positions: &[usize]) -> Self {
        Self {
            names: positions
                .iter()
                .map(|position| self.names[*position].clone())
                .collect(),
            columns: positions
                .iter()
                .map(|position| self.columns[*position].clone())
                .collect(),
            n_rows: self.n_rows,
            file: self.file.clone(),
            origin: self.origin.clone(),
        }
    }

    /// The table with a column renamed.
    ///
    /// # Errors
    /// [`MlError::UnknownColumn`], and [`MlError::DuplicateColumn`] if another column has the new
    /// name.
    pub fn rename(&self, from: &str, to: impl Into<String>) -> Result<Self, MlError> {
        let position = self.position(from)?;
        let to = to.into();
        if self
            .names
            .iter()
            .enumerate()
            .any(|(other, name)| other != position && *name == to)
        {
            return Err(MlError::DuplicateColumn {
                column: to,
                table: self.name(),
            });
        }
        let mut table = self.clone();
        table.names[position] = to;
        Ok(table)
    }

    /// The first `n_rows` rows, or all if there are fewer.
    pub fn head(&self, n_rows: usize) -> Self {
        let n_rows = n_rows.min(self.n_rows);
        self.take_ranges(std::iter::once(0..n_rows).collect(), n_rows)
    }

    /// The rows whose flag is true.
    ///
    /// # Errors
    /// [`MlError::LengthMismatch`] unless there is one flag per row.
    pub fn filter(&self, mask: &[bool]) -> Result<Self, MlError> {
        let (expected, found) = (self.n_rows, mask.len());
        if found != expected {
            return Err(MlError::LengthMismatch {
                what: "the mask",
                expected,
                found,
            });
        }
        Ok(self.keep(mask))
    }

    /// The rows of the given indices, in the given order; an index may be repeated.
    ///
    /// # Errors
    /// [`MlError::InvalidOption`] for an index that is not a row.
    pub fn take_rows(&self, rows: &[usize]) -> Result<Self, MlError> {
        if let Some(row_idx) = rows.iter().find(|row_idx| **row_idx >= self.n_rows) {
            return Err(MlError::InvalidOption {
                name: "rows",
                value: row_idx.to_string(),
                expected: "indices below the number of rows",
            });
        }
        Ok(Self {
            names: self.names.clone(),
            columns: self
                .columns
                .par_iter()
                .map(|column| column.take_rows(rows))
                .collect(),
            n_rows: rows.len(),
            file: self.file.clone(),
            origin: self.origin.then_rows(rows),
        })
    }

    /// The rows that have a value in every column, as `dropna` of pandas: NaN is missing too.
    ///
    /// This may leave no rows; [`drop_missing`](crate::drop_missing) treats that as an error.
    pub fn drop_missing(&self) -> Self {
        self.drop_missing_at(&(0..self.columns.len()).collect::<Vec<_>>())
    }

    /// The rows that have a value in each of the given columns.
    ///
    /// # Errors
    /// [`MlError::UnknownColumn`].
    pub fn drop_missing_in<S: AsRef<str>>(&self, names: &[S]) -> Result<Self, MlError> {
        let positions: Result<Vec<usize>, MlError> = names
            .iter()
            .map(|name| self.position(name.as_ref()))
            .collect();
        Ok(self.drop_missing_at(&positions?))
    }

    fn drop_missing_at(&self, positions: &[usize]) -> Self {
        let mut present = vec![true; self.n_rows];
        present
            .par_chunks_mut(ROWS_PER_BLOCK)
            .enumerate()
            .for_each(|(block, present)| {
                for position in positions {
                    self.columns[*position].mark_missing(block * ROWS_PER_BLOCK, present);
                }
            });
        self.keep(&present)
    }

    fn keep(&self, mask: &[bool]) -> Self {
        let mut ranges: Vec<Range<usize>> = Vec::new();
        let mut n_rows = 0;
        let mut row_idx = 0;
        while let Some(start) = mask[row_idx..].iter().position(|kept| *kept) {
            let start = row_idx + start;
            let end = mask[start..]
                .iter()
                .position(|kept| !*kept)
                .map_or(mask.len(), |len| start + len);
            n_rows += end - start;
            ranges.push(start..end);
            row_idx = end;
        }
        if n_rows == self.n_rows {
            self.clone()
        } else {
            self.take_ranges(ranges, n_rows)
        }
    }

    fn take_ranges(&self, ranges: Vec<Range<usize>>, n_rows: usize) -> Self {
        Self {
            names: self.names.clone(),
            columns: self
                .columns
                .par_iter()
                .map(|column| column.take_ranges(&ranges, n_rows))
                .collect(),
            n_rows,
            file: self.file.clone(),
            origin: self.origin.then_ranges(ranges),
        }
    }
}

impl PartialEq for Table {
    fn eq(&self, other: &Self) -> bool {
        self.n_rows == other.n_rows && self.names == other.names && self.columns == other.columns
    }
}

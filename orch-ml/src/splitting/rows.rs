//! What can be split: tables and datasets.

use std::io::{self, Write};

use orch_core::{Digest, StoredForm};

use super::SplitBy;
use crate::dataset::{ClassLabel, ClassificationDataset, Dataset};
use crate::error::MlError;
use crate::features::label_of;
use crate::table::{Column, Table, Value};

/// Data of rows that can be chosen: [`Table`], [`Dataset`], [`ClassificationDataset`].
pub trait Rows: StoredForm + Sized {
    /// Number of rows.
    fn n_rows(&self) -> usize;

    /// The rows of the given indices, in the given order; an index may be repeated.
    ///
    /// # Errors
    /// [`MlError::InvalidOption`] for an index that is not a row.
    fn take_rows(&self, rows: &[usize]) -> Result<Self, MlError>;

    /// What a split goes by, for each row.
    ///
    /// # Errors
    /// [`MlError::SplitNotPossible`] if this data has no such thing.
    fn values_of(&self, by: &SplitBy) -> Result<Vec<SplitKey>, MlError>;

    /// The digest of all of it.
    fn digest(&self) -> Digest {
        digest_of(self)
    }
}

/// The digest of rows by their stored form.
pub(crate) fn digest_of<T: StoredForm>(rows: &T) -> Digest {
    let mut hasher = Hashing(blake3::Hasher::new_derive_key("orch-ml rows, version 1"));
    hasher.0.update(T::FORM.as_bytes());
    rows.write(&mut hasher).expect("hashing does not fail");
    Digest::from_bytes(*hasher.0.finalize().as_bytes())
}

/// What a split goes by: a class, a group, a moment.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum SplitKey {
    /// A class or group.
    Label(ClassLabel),
    /// A number that stands for a moment: the bits of a float in the order of their values.
    Moment(i64),
}

impl std::fmt::Display for SplitKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Label(label) => label.fmt(f),
            Self::Moment(moment) => moment.fmt(f),
        }
    }
}

struct Hashing(blake3::Hasher);

impl Write for Hashing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Rows for Table {
    fn n_rows(&self) -> usize {
        Table::n_rows(self)
    }

    fn take_rows(&self, rows: &[usize]) -> Result<Self, MlError> {
        Table::take_rows(self, rows)
    }

    fn values_of(&self, by: &SplitBy) -> Result<Vec<SplitKey>, MlError> {
        match by {
            SplitBy::Shares(column) | SplitBy::Groups(column) => {
                let values = self.column(column)?;
                let label = |row_idx| Ok(SplitKey::Label(label_of(self, column, values, row_idx)?));
                (0..Table::n_rows(self)).map(label).collect()
            }
            SplitBy::Time(column) => {
                let values = self.column(column)?;
                let moment = |row_idx| moment_of(self, column, values, row_idx);
                (0..Table::n_rows(self)).map(moment).collect()
            }
            SplitBy::Random | SplitBy::Class => Err(MlError::SplitNotPossible {
                split: by.to_string(),
                help: "name the column with `Split::stratified_by`",
            }),
        }
    }
}

fn moment_of(
    table: &Table,
    name: &str,
    column: &Column,
    row_idx: usize,
) -> Result<SplitKey, MlError> {
    Ok(match column.value(row_idx) {
        Value::Missing => {
            return Err(MlError::MissingValue {
                column: name.to_owned(),
                table: table.name(),
                row_idx: table.row_in_messages(row_idx),
            });
        }
        Value::Integer(moment) => SplitKey::Moment(moment),
        Value::Float(moment) => SplitKey::Moment(in_order(moment)),
        Value::Timestamp(moment) => SplitKey::Moment(moment.as_microseconds()),
        value => SplitKey::Label(match value {
            Value::Text(text) => text.into(),
            _ => label_of(table, name, column, row_idx)?,
        }),
    })
}

/// The bits of a float, in the order of `total_cmp`.
fn in_order(value: f64) -> i64 {
    let bits = value.to_bits() as i64;
    bits ^ ((bits >> 63) as u64 >> 1) as i64
}

impl Rows for Dataset {
    fn n_rows(&self) -> usize {
        Dataset::n_rows(self)
    }

    fn take_rows(&self, rows: &[usize]) -> Result<Self, MlError> {
        Dataset::take_rows(self, rows)
    }

    fn values_of(&self, by: &SplitBy) -> Result<Vec<SplitKey>, MlError> {
        Err(no_column(by))
    }
}

impl Rows for ClassificationDataset {
    fn n_rows(&self) -> usize {
        ClassificationDataset::n_rows(self)
    }

    fn take_rows(&self, rows: &[usize]) -> Result<Self, MlError> {
        ClassificationDataset::take_rows(self, rows)
    }

    fn values_of(&self, by: &SplitBy) -> Result<Vec<SplitKey>, MlError> {
        match by {
            SplitBy::Class => Ok(self.labels().cloned().map(SplitKey::Label).collect()),
            _ => Err(no_column(by)),
        }
    }
}

fn no_column(by: &SplitBy) -> MlError {
    MlError::SplitNotPossible {
        split: by.to_string(),
        help: "split the table, before its columns are selected",
    }
}

//! The columns that a table must have.

use std::collections::HashSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::FittedStep;
use crate::error::MlError;
use crate::table::{Column, Table};

/// The kind of a column's values; integers and floats are one, since a gap or a whole number more
/// makes the one type of the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum ColumnKind {
    /// Floats or integers.
    Number,
    /// Booleans.
    Boolean,
    /// Strings.
    Text,
    /// Nothing: no row of the table fitted to has a value. Any column will do.
    Empty,
    /// Timestamps.
    Timestamp,
}

impl ColumnKind {
    fn of(column: &Column) -> Self {
        match column {
            _ if column.n_missing() == column.len() => Self::Empty,
            Column::Float(_) | Column::Integer(..) => Self::Number,
            Column::Boolean(..) => Self::Boolean,
            Column::Text(_) => Self::Text,
            Column::Timestamp(..) => Self::Timestamp,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Number => "numbers",
            Self::Boolean => "booleans",
            Self::Text => "text",
            Self::Empty => "no values",
            Self::Timestamp => "timestamps",
        }
    }
}

impl fmt::Display for ColumnKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A column that a table must have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SchemaColumn {
    /// Its name.
    pub name: String,
    /// The kind of its values. A column without any value is of every kind.
    pub kind: ColumnKind,
}

impl SchemaColumn {
    /// Whether the values are of this kind.
    pub(crate) fn fits(&self, column: &Column) -> bool {
        let found = ColumnKind::of(column);
        found == self.kind || found == ColumnKind::Empty || self.kind == ColumnKind::Empty
    }

    pub(super) fn check(&self, table: &Table) -> Result<(), MlError> {
        let column = table.column(&self.name)?;
        if self.fits(column) {
            return Ok(());
        }
        Err(MlError::ColumnTypeChanged {
            column: self.name.clone(),
            table: table.name(),
            found: column.type_name(),
            expected: self.kind.name(),
        })
    }
}

/// The columns of the table fitted to that steps need, in its order, without those that are made by
/// the steps before.
pub(super) fn needed_columns(
    train: &Table,
    steps: &[FittedStep],
) -> Result<Vec<SchemaColumn>, MlError> {
    let mut made: HashSet<String> = HashSet::new();
    let mut needed: HashSet<&str> = HashSet::new();
    for step in steps {
        // What is dropped may as well not be there.
        if !matches!(step, FittedStep::Drop(_)) {
            let names = step.column_names().into_iter();
            needed.extend(names.filter(|name| !made.contains(*name)));
        }
        made.extend(step.feature_names_out());
    }
    let columns = train.columns().filter(|(name, _)| needed.contains(name));
    Ok(columns
        .map(|(name, column)| SchemaColumn {
            name: name.to_owned(),
            kind: ColumnKind::of(column),
        })
        .collect())
}

//! Columns that are kept as they are, or not at all.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::MlError;
use crate::table::Table;

/// Columns that are features as they are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PassedColumns {
    columns: Vec<String>,
}

impl PassedColumns {
    pub(in crate::preprocessing) fn fit(
        table: &Table,
        columns: &[String],
    ) -> Result<Self, MlError> {
        table.check_for_fit(columns)?;
        let columns = columns.to_vec();
        Ok(Self { columns })
    }

    /// Returns the table as it is.
    ///
    /// # Errors
    /// [`MlError::UnknownColumn`] if it lacks one of the columns.
    pub fn apply(&self, table: &Table) -> Result<Table, MlError> {
        for name in &self.columns {
            table.column(name)?;
        }
        Ok(table.clone())
    }

    /// The names of the columns.
    pub fn column_names(&self) -> Vec<&str> {
        self.columns.iter().map(String::as_str).collect()
    }

    /// The names of the columns: the same.
    pub fn feature_names_out(&self) -> Vec<String> {
        self.columns.clone()
    }
}

impl fmt::Display for PassedColumns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "pass\n  {}", self.columns.join(", "))
    }
}

/// Columns that are dropped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DroppedColumns {
    columns: Vec<String>,
}

impl DroppedColumns {
    pub(in crate::preprocessing) fn fit(
        table: &Table,
        columns: &[String],
    ) -> Result<Self, MlError> {
        table.check_for_fit(columns)?;
        let columns = columns.to_vec();
        Ok(Self { columns })
    }

    /// Drops those of the columns that the table has.
    ///
    /// # Errors
    /// None; as a step it has the signature of the others.
    pub fn apply(&self, table: &Table) -> Result<Table, MlError> {
        let names = table.column_names().iter();
        let present: Vec<&String> = names.filter(|name| self.columns.contains(name)).collect();
        table.drop(&present)
    }

    /// The names of the columns.
    pub fn column_names(&self) -> Vec<&str> {
        self.columns.iter().map(String::as_str).collect()
    }

    /// The names of the columns that take their place: none.
    pub fn feature_names_out(&self) -> Vec<String> {
        Vec::new()
    }
}

impl fmt::Display for DroppedColumns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "drop\n  {}", self.columns.join(", "))
    }
}

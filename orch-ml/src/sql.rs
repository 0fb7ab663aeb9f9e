//! What loaders of SQL databases share.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::table::{Column, Table, Timestamp};

/// A value that a query has a place for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum SqlValue {
    /// `NULL`.
    Null,
    /// An integer.
    Integer(i64),
    /// A float.
    Float(f64),
    /// A boolean; in SQLite 0 or 1.
    Boolean(bool),
    /// A string.
    Text(String),
    /// A moment; in SQLite a text as `2024-02-29 18:30:00`.
    Timestamp(Timestamp),
}

impl From<i64> for SqlValue {
    fn from(value: i64) -> Self {
        Self::Integer(value)
    }
}

impl From<f64> for SqlValue {
    fn from(value: f64) -> Self {
        Self::Float(value)
    }
}

impl From<bool> for SqlValue {
    fn from(value: bool) -> Self {
        Self::Boolean(value)
    }
}

impl From<&str> for SqlValue {
    fn from(value: &str) -> Self {
        Self::Text(value.to_owned())
    }
}

impl From<Timestamp> for SqlValue {
    fn from(value: Timestamp) -> Self {
        Self::Timestamp(value)
    }
}

impl fmt::Display for SqlValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("NULL"),
            Self::Integer(value) => write!(f, "{value}"),
            Self::Float(value) => write!(f, "{value}"),
            Self::Boolean(value) => write!(f, "{value}"),
            Self::Text(value) => f.write_str(value),
            Self::Timestamp(value) => write!(f, "{value}"),
        }
    }
}

/// The statement that makes a table for this one, `declared` being the types of its columns.
pub(crate) fn create_table(
    name: &str,
    table: &Table,
    declared: fn(&Column) -> &'static str,
) -> String {
    let columns = table.columns();
    let columns = columns.map(|(name, column)| format!("{} {}", quoted(name), declared(column)));
    let columns: Vec<String> = columns.collect();
    format!("CREATE TABLE {} ({})", quoted(name), columns.join(", "))
}

/// A name as SQL has it.
pub(crate) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

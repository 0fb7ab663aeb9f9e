//! One value for the gaps of a column.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::error::MlError;
use crate::table::{Column, Table, TextColumn, Timestamp, Validity};

/// A value that takes the place of missing ones.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum FillValue {
    /// A float; the column becomes floats, or is of floats.
    Float(f64),
    /// An integer.
    Integer(i64),
    /// A boolean.
    Boolean(bool),
    /// A string.
    Text(String),
    /// A moment.
    Timestamp(Timestamp),
}

impl From<f64> for FillValue {
    fn from(value: f64) -> Self {
        Self::Float(value)
    }
}

impl From<i64> for FillValue {
    fn from(value: i64) -> Self {
        Self::Integer(value)
    }
}

impl From<bool> for FillValue {
    fn from(value: bool) -> Self {
        Self::Boolean(value)
    }
}

impl From<&str> for FillValue {
    fn from(value: &str) -> Self {
        Self::Text(value.to_owned())
    }
}

impl From<Timestamp> for FillValue {
    fn from(value: Timestamp) -> Self {
        Self::Timestamp(value)
    }
}

impl fmt::Display for FillValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Float(value) => write!(f, "{value}"),
            Self::Integer(value) => write!(f, "{value}"),
            Self::Boolean(value) => write!(f, "{value}"),
            Self::Text(value) => write!(f, "`{value}`"),
            Self::Timestamp(value) => write!(f, "{value}"),
        }
    }
}

impl FillValue {
    /// The same value, if the column of that name can hold it. A whole float for a column of
    /// integers is an integer, so that the column stays one of integers.
    pub(super) fn fit_to(&self, table: &Table, name: &str) -> Result<Self, MlError> {
        let value = match self {
            Self::Float(value) if !value.is_finite() => {
                return Err(MlError::InvalidOption {
                    name: "strategy",
                    value: format!("Constant({value})"),
                    expected: "a value that is neither missing nor infinite",
                });
            }
            // Floats from 2^53 on have no neighbours that differ by one.
            Self::Float(value)
                if matches!(table.column(name)?, Column::Integer(..))
                    && value.trunc() == *value
                    && value.abs() < 9e15 =>
            {
                Self::Integer(*value as i64)
            }
            value => value.clone(),
        };
        value.put_into(table, name)?;
        Ok(value)
    }

    /// The column of that name with this value where it has none.
    pub(super) fn put_into(&self, table: &Table, name: &str) -> Result<Column, MlError> {
        let column = table.column(name)?;
        let is_empty = column.n_missing() == column.len();
        let full = column.len();
        Ok(match (self, column) {
            (Self::Float(fill), Column::Float(values)) => filled_floats(values, *fill),
            (Self::Float(fill), Column::Integer(..) | Column::Boolean(..)) => {
                filled_floats(&table.numbers(name)?, *fill)
            }
            (Self::Integer(fill), Column::Float(values)) => filled_floats(values, *fill as f64),
            (Self::Integer(fill), Column::Integer(values, validity)) => {
                Column::Integer(filled(values, validity, *fill), Validity::default())
            }
            (Self::Boolean(fill), Column::Boolean(values, validity)) => {
                Column::Boolean(filled(values, validity, *fill), Validity::default())
            }
            (Self::Text(fill), Column::Text(text)) => {
                let texts: TextColumn =
                    text.iter().map(|text| Some(text.unwrap_or(fill))).collect();
                Column::Text(Arc::new(texts))
            }
            (Self::Timestamp(fill), Column::Timestamp(values, validity)) => Column::Timestamp(
                filled(values, validity, fill.as_microseconds()),
                Validity::default(),
            ),
            // A column without any value has the type that reading gave it for want of a better.
            (Self::Float(fill), _) if is_empty => vec![*fill; full].into(),
            (Self::Integer(fill), _) if is_empty => vec![*fill; full].into(),
            (Self::Boolean(fill), _) if is_empty => vec![*fill; full].into(),
            (Self::Text(fill), _) if is_empty => vec![fill.as_str(); full].into(),
            (Self::Timestamp(fill), _) if is_empty => vec![*fill; full].into(),
            _ => {
                return Err(MlError::WrongColumnType {
                    column: name.to_owned(),
                    table: table.name(),
                    found: column.type_name(),
                    expected: match self {
                        Self::Float(_) | Self::Integer(_) => "numbers, as the value to impute",
                        Self::Boolean(_) => "booleans, as the value to impute",
                        Self::Text(_) => "text, as the value to impute",
                        Self::Timestamp(_) => "timestamps, as the value to impute",
                    },
                });
            }
        })
    }
}

fn filled_floats(values: &[f64], fill: f64) -> Column {
    let filled = values
        .iter()
        .map(|value| if value.is_nan() { fill } else { *value });
    filled.collect::<Vec<f64>>().into()
}

fn filled<T: Copy>(values: &Arc<Vec<T>>, validity: &Validity, fill: T) -> Arc<Vec<T>> {
    let Some(flags) = validity.flags() else {
        return Arc::clone(values);
    };
    let cells = values.iter().zip(flags);
    Arc::new(
        cells
            .map(|(value, valid)| if *valid { *value } else { fill })
            .collect(),
    )
}

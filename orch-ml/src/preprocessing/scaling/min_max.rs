//! From a smallest to a largest value.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::super::statistics::present;
use super::super::{check_statistic, fit_in_parallel, map_numbers, no_values};
use super::scale_or_one;
use crate::error::MlError;
use crate::table::Table;

/// Brings columns into a range that the rows fitted to fill; other rows may lie outside of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MinMaxScaler {
    range: (f64, f64),
    columns: Vec<MinMaxColumn>,
}

/// What was learned of one column.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MinMaxColumn {
    /// Its name.
    pub name: String,
    /// The smallest value.
    pub min: f64,
    /// The largest value.
    pub max: f64,
}

impl MinMaxScaler {
    /// Finds the smallest and the largest value of the given columns, which are to lie in `range`;
    /// missing values are left aside. A constant column comes to lie at the beginning of the range.
    ///
    /// # Errors
    /// [`MlError::InvalidOption`] unless the range is finite and ascends;
    /// [`MlError::UnknownColumn`], [`MlError::DuplicateColumn`], [`MlError::NoFeatures`],
    /// [`MlError::NoRows`]; [`MlError::NotNumeric`] and [`MlError::NotFinite`] with row and column;
    /// [`MlError::NoValues`] and [`MlError::StatisticOverflow`] with the column.
    ///
    /// # Source
    /// scikit-learn 1.9, `MinMaxScaler`.
    pub fn fit<S: AsRef<str> + Sync>(
        table: &Table,
        columns: &[S],
        range: (f64, f64),
    ) -> Result<Self, MlError> {
        // Written so that NaN fails too.
        if !(range.0 < range.1 && (range.1 - range.0).is_finite()) {
            return Err(MlError::InvalidOption {
                name: "range",
                value: format!("{} to {}", range.0, range.1),
                expected: "two finite numbers, the smaller one first",
            });
        }
        table.check_for_fit(columns)?;
        let columns = fit_in_parallel(columns, |name| {
            let values = present(&table.numbers(name)?);
            if values.is_empty() {
                return Err(no_values(table, name, "minimum"));
            }
            let min = values.iter().copied().fold(f64::INFINITY, f64::min);
            let max = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            check_statistic(name, "range", &[max - min])?;
            let name = name.to_owned();
            Ok(MinMaxColumn { name, min, max })
        })?;
        Ok(Self { range, columns })
    }

    /// Brings the columns into the range. They become floats; what is missing stays missing.
    ///
    /// # Errors
    /// [`MlError::UnknownColumn`]; [`MlError::NotNumeric`] and [`MlError::NotFinite`] with row and
    /// column.
    pub fn apply(&self, table: &Table) -> Result<Table, MlError> {
        map_numbers(table, &self.columns, |column| {
            let (scale, offset) = self.line(column);
            (column.name.as_str(), move |value| value * scale + offset)
        })
    }

    /// Brings scaled columns back to what they were, but for rounding.
    ///
    /// # Errors
    /// As [`apply`](Self::apply).
    pub fn inverse(&self, table: &Table) -> Result<Table, MlError> {
        map_numbers(table, &self.columns, |column| {
            let (scale, offset) = self.line(column);
            (column.name.as_str(), move |value| (value - offset) / scale)
        })
    }

    /// What a column is multiplied with, and what is added then.
    pub(crate) fn line(&self, column: &MinMaxColumn) -> (f64, f64) {
        let (from, to) = self.range;
        let scale = (to - from) / scale_or_one(column.max - column.min);
        (scale, from - column.min * scale)
    }

    /// The range that the rows fitted to fill.
    pub fn range(&self) -> (f64, f64) {
        self.range
    }

    /// The columns with what was learned of them.
    pub fn columns(&self) -> &[MinMaxColumn] {
        &self.columns
    }

    /// The names of the columns.
    pub fn column_names(&self) -> Vec<&str> {
        self.columns
            .iter()
            .map(|column| column.name.as_str())
            .collect()
    }

    /// The names of the columns that result: the same.
    pub fn feature_names_out(&self) -> Vec<String> {
        self.columns
            .iter()
            .map(|column| column.name.clone())
            .collect()
    }
}

impl fmt::Display for MinMaxScaler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "scale to {} to {}", self.range.0, self.range.1)?;
        for MinMaxColumn { name, min, max } in &self.columns {
            write!(f, "\n  {name}: from {min} to {max}")?;
        }
        Ok(())
    }
}

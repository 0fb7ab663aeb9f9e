//! Median 0 and the middle half of the values one unit wide.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::super::statistics::{median, quantile, sorted};
use super::super::{check_statistic, fit_in_parallel, map_numbers, no_values};
use super::scale_or_one;
use crate::error::MlError;
use crate::table::Table;

/// Brings columns to median 0 and an interquartile range of 1, on which values far out have no
/// influence.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RobustScaler {
    columns: Vec<RobustColumn>,
}

/// What was learned of one column.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RobustColumn {
    /// Its name.
    pub name: String,
    /// The median.
    pub median: f64,
    /// The lower of the two quantiles.
    pub lower: f64,
    /// The upper of the two quantiles.
    pub upper: f64,
    /// What is divided by: the distance of the quantiles, 1 if there is none.
    pub scale: f64,
}

impl RobustScaler {
    /// Finds the median and two quantiles of the given columns, by default the quartiles; missing
    /// values are left aside.
    ///
    /// # Units
    /// `quantile_range` is two shares of the values, in `0..=1`: `(0.25, 0.75)` for the quartiles.
    ///
    /// # Errors
    /// [`MlError::InvalidOption`] for quantiles out of order or range; [`MlError::UnknownColumn`],
    /// [`MlError::DuplicateColumn`], [`MlError::NoFeatures`], [`MlError::NoRows`];
    /// [`MlError::NotNumeric`] and [`MlError::NotFinite`] with row and column;
    /// [`MlError::NoValues`] and [`MlError::StatisticOverflow`] with the column.
    ///
    /// # Source
    /// scikit-learn 1.9, `RobustScaler`; its quantiles are those of numpy by default.
    pub fn fit<S: AsRef<str> + Sync>(
        table: &Table,
        columns: &[S],
        quantile_range: (f64, f64),
    ) -> Result<Self, MlError> {
        // Written so that NaN fails too.
        if !(0.0 <= quantile_range.0
            && quantile_range.0 <= quantile_range.1
            && quantile_range.1 <= 1.0)
        {
            return Err(MlError::InvalidOption {
                name: "quantile_range",
                value: format!("{} to {}", quantile_range.0, quantile_range.1),
                expected: "two shares from 0 to 1, the smaller one first",
            });
        }
        table.check_for_fit(columns)?;
        let columns = fit_in_parallel(columns, |name| {
            let values = sorted(&table.numbers(name)?);
            if values.is_empty() {
                return Err(no_values(table, name, "median"));
            }
            let lower = quantile(&values, quantile_range.0);
            let upper = quantile(&values, quantile_range.1);
            check_statistic(name, "interquartile range", &[lower, upper, upper - lower])?;
            Ok(RobustColumn {
                name: name.to_owned(),
                median: median(&values),
                lower,
                upper,
                scale: scale_or_one(upper - lower),
            })
        })?;
        Ok(Self { columns })
    }

    /// Takes the median off and divides by the scale. The columns become floats; what is missing
    /// stays missing.
    ///
    /// # Errors
    /// [`MlError::UnknownColumn`]; [`MlError::NotNumeric`] and [`MlError::NotFinite`] with row and
    /// column.
    pub fn apply(&self, table: &Table) -> Result<Table, MlError> {
        map_numbers(table, &self.columns, |column| {
            let RobustColumn { median, scale, .. } = *column;
            (column.name.as_str(), move |value| (value - median) / scale)
        })
    }

    /// Brings scaled columns back to what they were, but for rounding.
    ///
    /// # Errors
    /// As [`apply`](Self::apply).
    pub fn inverse(&self, table: &Table) -> Result<Table, MlError> {
        map_numbers(table, &self.columns, |column| {
            let RobustColumn { median, scale, .. } = *column;
            (column.name.as_str(), move |value| value * scale + median)
        })
    }

    /// The columns with what was learned of them.
    pub fn columns(&self) -> &[RobustColumn] {
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

impl fmt::Display for RobustScaler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("scale to median 0 and quantiles 1 apart")?;
        for RobustColumn {
            name,
            median,
            scale,
            ..
        } in &self.columns
        {
            write!(f, "\n  {name}: less {median}, divided by {scale}")?;
        }
        Ok(())
    }
}

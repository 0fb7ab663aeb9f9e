//! Mean 0 and standard deviation 1.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::super::statistics::{mean, present};
use super::super::{check_statistic, fit_in_parallel, map_numbers, no_values};
use crate::error::MlError;
use crate::table::Table;

/// Brings columns to mean 0 and standard deviation 1, as they were in the rows fitted to.
///
/// # Examples
/// ```
/// use orch_ml::{StandardScaler, Table};
///
/// let table = Table::new([("size", vec![1.0, 2.0, 3.0, 6.0].into())])?;
/// let scaler = StandardScaler::fit(&table, &["size"])?;
/// assert_eq!(scaler.columns()[0].mean, 3.0);
/// assert_eq!(scaler.columns()[0].variance, 3.5); // divided by 4, not 3
/// let scaled = scaler.apply(&table)?;
/// assert_eq!(scaled.to_vector("size")?[2], 0.0);
/// # Ok::<(), orch_ml::MlError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StandardScaler {
    columns: Vec<StandardColumn>,
}

/// What was learned of one column.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StandardColumn {
    /// Its name.
    pub name: String,
    /// The mean.
    pub mean: f64,
    /// The mean of the squared distances from the mean (the population's variance).
    pub variance: f64,
    /// What is divided by: the root of the variance, 1 for a constant column.
    pub scale: f64,
    /// How many values there were.
    pub n_values: usize,
}

impl StandardScaler {
    /// Finds mean and variance of the given columns; missing values are left aside.
    ///
    /// # Errors
    /// [`MlError::UnknownColumn`], [`MlError::DuplicateColumn`], [`MlError::NoFeatures`],
    /// [`MlError::NoRows`]; [`MlError::NotNumeric`] and [`MlError::NotFinite`] with row and column;
    /// [`MlError::NoValues`] and [`MlError::StatisticOverflow`] with the column.
    ///
    /// # Source
    /// scikit-learn 1.9, `StandardScaler`: two passes with the correction of Chan, Golub and LeVeque
    /// (1983), also its rule by which a column counts as constant.
    pub fn fit<S: AsRef<str> + Sync>(table: &Table, columns: &[S]) -> Result<Self, MlError> {
        table.check_for_fit(columns)?;
        let columns = fit_in_parallel(columns, |name| {
            let values = present(&table.numbers(name)?);
            if values.is_empty() {
                return Err(no_values(table, name, "mean"));
            }
            let n_values = values.len() as f64;
            let mean = mean(&values);
            check_statistic(name, "mean", &[mean])?;
            let distances = values.iter().map(|value| value - mean);
            let squares: f64 = distances.clone().map(|distance| distance * distance).sum();
            let correction: f64 = distances.sum();
            let variance = (squares - correction * correction / n_values) / n_values;
            check_statistic(name, "variance", &[variance])?;
            let rounding = (n_values * mean * f64::EPSILON).powi(2);
            let is_constant = variance <= n_values * f64::EPSILON * variance + rounding;
            Ok(StandardColumn {
                name: name.to_owned(),
                mean,
                variance,
                scale: if is_constant { 1.0 } else { variance.sqrt() },
                n_values: values.len(),
            })
        })?;
        Ok(Self { columns })
    }

    /// Takes the mean off and divides by the scale. The columns become floats; what is missing
    /// stays missing.
    ///
    /// # Errors
    /// [`MlError::UnknownColumn`]; [`MlError::NotNumeric`] and [`MlError::NotFinite`] with row and
    /// column.
    pub fn apply(&self, table: &Table) -> Result<Table, MlError> {
        map_numbers(table, &self.columns, |column| {
            let StandardColumn { mean, scale, .. } = *column;
            (column.name.as_str(), move |value| (value - mean) / scale)
        })
    }

    /// Brings scaled columns back to what they were, but for rounding.
    ///
    /// # Errors
    /// As [`apply`](Self::apply).
    pub fn inverse(&self, table: &Table) -> Result<Table, MlError> {
        map_numbers(table, &self.columns, |column| {
            let StandardColumn { mean, scale, .. } = *column;
            (column.name.as_str(), move |value| value * scale + mean)
        })
    }

    /// The columns with what was learned of them.
    pub fn columns(&self) -> &[StandardColumn] {
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

impl fmt::Display for StandardScaler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("scale to mean 0 and standard deviation 1")?;
        for StandardColumn {
            name, mean, scale, ..
        } in &self.columns
        {
            write!(f, "\n  {name}: less {mean}, divided by {scale}")?;
        }
        Ok(())
    }
}

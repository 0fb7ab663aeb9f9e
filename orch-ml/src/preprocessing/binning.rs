//! Numbers put into bins.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::statistics::{averaged_quantile, sorted};
use super::{check_statistic, fit_in_parallel, replace_in_parallel};
use crate::error::MlError;
use crate::table::{Column, Table};

/// A bin that is not wider than this is merged with the one before it.
const SMALLEST_WIDTH: f64 = 1e-8;

/// The largest number of bins: more than a table can have rows for.
const MAX_BINS: usize = 1 << 20;

/// How the edges between bins are found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum BinStrategy {
    /// So that each bin has about as many of the rows fitted to.
    #[default]
    Quantile,
    /// So that the bins are equally wide.
    Uniform,
}

/// Turns numbers into the number of their bin, from 0 on, fitted by [`KBinsDiscretizer::fit`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct KBinsDiscretizer {
    columns: Vec<BinnedColumn>,
}

/// What was learned of one column.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BinnedColumn {
    /// Its name.
    pub name: String,
    /// The edges of its bins in ascending order, one more than there are bins. A value on an edge
    /// between two is in the upper one; what lies outside is in the first bin or the last.
    pub edges: Vec<f64>,
}

impl BinnedColumn {
    /// The number of bins; fewer than asked for if values repeat, and 1 if they are all equal.
    pub fn n_bins(&self) -> usize {
        self.inner_edges().len() + 1
    }

    fn inner_edges(&self) -> &[f64] {
        let last = self.edges.len().saturating_sub(1);
        self.edges.get(1..last).unwrap_or_default()
    }
}

impl KBinsDiscretizer {
    /// Finds the edges of `n_bins` bins for each of the given columns.
    ///
    /// Where many rows have one value, quantiles coincide: the empty bins between them are left
    /// out.
    ///
    /// # Errors
    /// [`MlError::InvalidOption`] for fewer than 2 bins; [`MlError::UnknownColumn`],
    /// [`MlError::DuplicateColumn`], [`MlError::NoFeatures`], [`MlError::NoRows`];
    /// [`MlError::NotNumeric`], [`MlError::MissingValue`] and [`MlError::NotFinite`] with row and
    /// column; [`MlError::StatisticOverflow`] with the column.
    ///
    /// # Source
    /// scikit-learn 1.9, `KBinsDiscretizer(encode="ordinal")` with its default
    /// `quantile_method="averaged_inverted_cdf"`, but of all rows also beyond 200,000. The only bin
    /// of a constant column has its value as both edges, not the infinities.
    ///
    /// # Examples
    /// ```
    /// use orch_ml::{BinStrategy, KBinsDiscretizer, Table};
    ///
    /// let table = Table::new([("age", vec![20.0, 30.0, 40.0, 90.0].into())])?;
    /// let bins = KBinsDiscretizer::fit(&table, &["age"], 2, BinStrategy::Quantile)?;
    /// assert_eq!(bins.columns()[0].edges, [20.0, 35.0, 90.0]);
    /// assert_eq!(bins.apply(&table)?.to_vector("age")?.to_vec(), [0.0, 0.0, 1.0, 1.0]);
    /// # Ok::<(), orch_ml::MlError>(())
    /// ```
    pub fn fit<S: AsRef<str> + Sync>(
        table: &Table,
        columns: &[S],
        n_bins: usize,
        strategy: BinStrategy,
    ) -> Result<Self, MlError> {
        if !(2..=MAX_BINS).contains(&n_bins) {
            return Err(MlError::InvalidOption {
                name: "n_bins",
                value: n_bins.to_string(),
                expected: "a number of bins from 2 to 1048576",
            });
        }
        table.check_for_fit(columns)?;
        let columns = fit_in_parallel(columns, |name| {
            let values = sorted(&table.numbers_without_gaps(name)?);
            let (min, max) = (values[0], values[values.len() - 1]);
            check_statistic(name, "range", &[max - min])?;
            let edges = match strategy {
                _ if min == max => vec![min, max],
                BinStrategy::Quantile => quantile_edges(&values, n_bins),
                BinStrategy::Uniform => {
                    let width = (max - min) / n_bins as f64;
                    let lower = (0..n_bins).map(|bin| bin as f64 * width + min);
                    lower.chain([max]).collect()
                }
            };
            let name = name.to_owned();
            Ok(BinnedColumn { name, edges })
        })?;
        Ok(Self { columns })
    }

    /// Replaces numbers by the number of their bin. The columns become integers.
    ///
    /// # Errors
    /// [`MlError::UnknownColumn`]; [`MlError::NotNumeric`], [`MlError::MissingValue`] and
    /// [`MlError::NotFinite`] with row and column.
    pub fn apply(&self, table: &Table) -> Result<Table, MlError> {
        replace_in_parallel(table, &self.columns, |column| {
            let numbers = table.numbers_without_gaps(&column.name)?;
            let edges = column.inner_edges();
            let bin = |number: &f64| edges.partition_point(|edge| edge <= number) as i64;
            let bins: Vec<i64> = numbers.iter().map(bin).collect();
            let replacement = (column.name.clone(), Column::from(bins));
            Ok((column.name.as_str(), vec![replacement]))
        })
    }

    /// The columns with what was learned of them.
    pub fn columns(&self) -> &[BinnedColumn] {
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

/// The quantiles that are farther apart than the smallest width.
fn quantile_edges(values: &[f64], n_bins: usize) -> Vec<f64> {
    // The very operations of numpy, on percents: whether a share falls on a value depends on the
    // last bit.
    let step = 100.0 / n_bins as f64;
    let percents = (0..n_bins).map(|bin| bin as f64 * step).chain([100.0]);
    let quantiles: Vec<f64> = percents
        .map(|percent| averaged_quantile(values, percent / 100.0))
        .collect();
    let is_apart = |pair: &&[f64]| pair[1] - pair[0] > SMALLEST_WIDTH;
    let others = quantiles.windows(2).filter(is_apart).map(|pair| pair[1]);
    std::iter::once(quantiles[0]).chain(others).collect()
}

impl fmt::Display for KBinsDiscretizer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("put into bins")?;
        for column in &self.columns {
            let edges: Vec<String> = column.edges.iter().map(f64::to_string).collect();
            write!(f, "\n  {}: {}", column.name, edges.join(", "))?;
        }
        Ok(())
    }
}

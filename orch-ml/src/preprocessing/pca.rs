//! Principal components.

use std::fmt;

use ndarray::{Array2, ArrayView1, ArrayView2, Axis, Slice};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::check_statistic;
use super::eigen::symmetric_eigen;
use crate::error::MlError;
use crate::table::{Column, Table};

/// Rows that are worked on in one go. A constant, so that the result does not depend on the
/// number of threads.
const ROWS_PER_BLOCK: usize = 4 * 1024;

/// How many components to keep.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Components {
    /// All: as many as there are columns, or rows if these are fewer.
    #[default]
    All,
    /// This many, at least 1.
    Count(usize),
    /// As many as it takes to explain more than this share of the variance, above 0 and below 1.
    Variance(f64),
}

/// How to find components.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PcaOptions {
    /// How many to keep. Default: all.
    pub components: Components,
    /// Whether to divide each by its standard deviation. Default: false.
    pub whiten: bool,
    /// What their columns are called, followed by a number from 0 on. Default: `pca`.
    pub prefix: String,
}

impl Default for PcaOptions {
    fn default() -> Self {
        Self {
            components: Components::All,
            whiten: false,
            prefix: "pca".to_owned(),
        }
    }
}

/// Replaces columns by the directions in which they vary most, fitted by [`Pca::fit`].
///
/// # Shapes
/// components `[n_components, n_features]`, mean `[n_features]`, explained variance and its ratio
/// `[n_components]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "RawPca")]
pub struct Pca {
    columns: Vec<String>,
    mean: Vec<f64>,
    components: Array2<f64>,
    explained_variance: Vec<f64>,
    explained_variance_ratio: Vec<f64>,
    whiten: bool,
    prefix: String,
}

#[derive(Deserialize)]
struct RawPca {
    columns: Vec<String>,
    mean: Vec<f64>,
    components: Array2<f64>,
    explained_variance: Vec<f64>,
    explained_variance_ratio: Vec<f64>,
    whiten: bool,
    prefix: String,
}

impl TryFrom<RawPca> for Pca {
    type Error = MlError;

    fn try_from(raw: RawPca) -> Result<Self, MlError> {
        let (n_components, n_features) = raw.components.dim();
        for (what, expected, found) in [
            ("the list of columns", n_features, raw.columns.len()),
            ("the list of means", n_features, raw.mean.len()),
            (
                "the list of variances",
                n_components,
                raw.explained_variance.len(),
            ),
            (
                "the list of ratios",
                n_components,
                raw.explained_variance_ratio.len(),
            ),
        ] {
            if found != expected {
                return Err(MlError::LengthMismatch {
                    what,
                    expected,
                    found,
                });
            }
        }
        Ok(Self {
            columns: raw.columns,
            mean: raw.mean,
            components: raw.components,
            explained_variance: raw.explained_variance,
            explained_variance_ratio: raw.explained_variance_ratio,
            whiten: raw.whiten,
            prefix: raw.prefix,
        })
    }
}

impl Pca {
    /// Finds the principal components of the given columns. Scale these first if they have
    /// different units.
    ///
    /// The element of each component that is largest in absolute value is positive.
    ///
    /// # Errors
    /// [`MlError::InvalidOption`] for a number of components that there cannot be;
    /// [`MlError::UnknownColumn`], [`MlError::DuplicateColumn`], [`MlError::NoFeatures`],
    /// [`MlError::NoRows`]; [`MlError::NotEnoughRows`] for one row; [`MlError::NotNumeric`],
    /// [`MlError::MissingValue`] and [`MlError::NotFinite`] with row and column;
    /// [`MlError::StatisticOverflow`] with the column.
    ///
    /// # Source
    /// scikit-learn 1.9, `PCA`, with the signs of its `svd_flip(u_based_decision=False)`; from the
    /// eigenvectors of the covariance of centred columns, which scikit-learn takes as well where
    /// rows are ten times as many as columns. Components that explain less than about 1e-15 of the
    /// variance are rounding errors in both.
    pub fn fit<S: AsRef<str>>(
        table: &Table,
        columns: &[S],
        options: &PcaOptions,
    ) -> Result<Self, MlError> {
        table.check_for_fit(columns)?;
        let (n_rows, n_features) = (table.n_rows(), columns.len());
        if n_rows < 2 {
            return Err(MlError::NotEnoughRows {
                table: table.name(),
                n_rows,
                what: "a principal component analysis",
                expected: 2,
            });
        }
        let most = n_rows.min(n_features);
        check_components(options.components, most)?;
        let mut matrix = table.to_matrix(columns)?;
        let mean = matrix.mean_axis(Axis(0)).expect("there are rows").to_vec();
        for (name, mean) in columns.iter().zip(&mean) {
            check_statistic(name.as_ref(), "mean", &[*mean])?;
        }
        for mut row in matrix.rows_mut() {
            for (value, mean) in row.iter_mut().zip(&mean) {
                *value -= mean;
            }
        }
        let covariance = scatter(&matrix) / (n_rows - 1) as f64;
        for (name, row) in columns.iter().zip(covariance.rows()) {
            check_statistic(name.as_ref(), "covariance", &row.to_vec())?;
        }
        let (variances, mut vectors) = symmetric_eigen(covariance);
        let variances: Vec<f64> = variances.into_iter().map(|value| value.max(0.0)).collect();
        let total: f64 = variances.iter().sum();
        // Where nothing varies nothing is explained, rather than 0 / 0.
        let share = |variance: &f64| if total > 0.0 { variance / total } else { 0.0 };
        let ratios: Vec<f64> = variances.iter().map(share).collect();
        let n_components = match options.components {
            Components::All => most,
            Components::Count(count) => count,
            Components::Variance(share) => {
                let cumulated = ratios.iter().scan(0.0, |sum, ratio| {
                    *sum += ratio;
                    Some(*sum)
                });
                (cumulated.take_while(|sum| *sum <= share).count() + 1).min(most)
            }
        };
        for mut component in vectors.rows_mut() {
            let largest = component.iter().fold(0.0, |largest: f64, value| {
                if value.abs() > largest.abs() {
                    *value
                } else {
                    largest
                }
            });
            if largest < 0.0 {
                component.map_inplace(|value| *value = -*value);
            }
        }
        let kept = Slice::from(..n_components);
        Ok(Self {
            columns: columns
                .iter()
                .map(|name| name.as_ref().to_owned())
                .collect(),
            mean,
            components: vectors.slice_axis(Axis(0), kept).to_owned(),
            explained_variance: variances[..n_components].to_vec(),
            explained_variance_ratio: ratios[..n_components].to_vec(),
            whiten: options.whiten,
            prefix: options.prefix.clone(),
        })
    }

    /// Replaces the columns by their components, which stand where the first of them stood.
    ///
    /// # Errors
    /// [`MlError::UnknownColumn`]; [`MlError::NotNumeric`], [`MlError::MissingValue`] and
    /// [`MlError::NotFinite`] with row and column; [`MlError::DuplicateColumn`] if a column of the
    /// name of a component is there already.
    pub fn apply(&self, table: &Table) -> Result<Table, MlError> {
        let matrix = table.to_matrix(&self.columns)?;
        let mean = ArrayView1::from(&self.mean);
        let project = |block: ArrayView2<'_, f64>| (&block - &mean).dot(&self.components.t());
        let blocks: Vec<Array2<f64>> = blocks(&matrix).into_par_iter().map(project).collect();
        let outputs = (0..self.n_components()).into_par_iter().map(|position| {
            // A component without variance would be divided by 0.
            let scale = match self.whiten {
                true => self.explained_variance[position].sqrt().max(f64::EPSILON),
                false => 1.0,
            };
            let values = blocks.iter().flat_map(|block| block.column(position));
            values
                .map(|value| value / scale)
                .collect::<Vec<f64>>()
                .into()
        });
        let outputs: Vec<Column> = outputs.collect();
        let names = self.feature_names_out().into_iter();
        table.replace_together(&self.columns, names.zip(outputs).collect())
    }

    /// The names of the columns that are replaced.
    pub fn column_names(&self) -> Vec<&str> {
        self.columns.iter().map(String::as_str).collect()
    }

    /// The names of the components: the prefix and a number from 0 on.
    pub fn feature_names_out(&self) -> Vec<String> {
        let numbers = 0..self.n_components();
        numbers
            .map(|number| format!("{}{number}", self.prefix))
            .collect()
    }

    /// The number of components.
    pub fn n_components(&self) -> usize {
        self.explained_variance.len()
    }

    /// The directions, one per row, in descending order of their variance.
    pub fn components(&self) -> &Array2<f64> {
        &self.components
    }

    /// The mean of each column.
    pub fn mean(&self) -> &[f64] {
        &self.mean
    }

    /// The variance of the rows fitted to in each direction, divided by their number less 1.
    pub fn explained_variance(&self) -> &[f64] {
        &self.explained_variance
    }

    /// The share of each direction in the variance; 0 if there is none.
    pub fn explained_variance_ratio(&self) -> &[f64] {
        &self.explained_variance_ratio
    }

    /// Whether components are divided by their standard deviation.
    pub fn whiten(&self) -> bool {
        self.whiten
    }
}

fn check_components(components: Components, most: usize) -> Result<(), MlError> {
    let (is_possible, expected) = match components {
        Components::All => (true, ""),
        Components::Count(count) => (
            (1..=most).contains(&count),
            "at least 1 component, and at most as many as there are columns, or rows",
        ),
        Components::Variance(share) => (
            share > 0.0 && share < 1.0,
            "a share of the variance between 0 and 1, neither included",
        ),
    };
    if is_possible {
        return Ok(());
    }
    Err(MlError::InvalidOption {
        name: "components",
        value: format!("{components:?}"),
        expected,
    })
}

/// The rows, as many at a time as are worked on in one go.
fn blocks(matrix: &Array2<f64>) -> Vec<ArrayView2<'_, f64>> {
    matrix.axis_chunks_iter(Axis(0), ROWS_PER_BLOCK).collect()
}

/// The sum over rows of the products of each pair of their values.
fn scatter(matrix: &Array2<f64>) -> Array2<f64> {
    let products = blocks(matrix)
        .into_par_iter()
        .map(|block| block.t().dot(&block));
    let products: Vec<Array2<f64>> = products.collect();
    let zero = Array2::zeros((matrix.ncols(), matrix.ncols()));
    let sum = products.into_iter().fold(zero, |sum, block| sum + block);
    // Each half was rounded in its own way.
    (&sum + &sum.t()) / 2.0
}

impl fmt::Display for Pca {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let explained: f64 = self.explained_variance_ratio.iter().sum();
        write!(
            f,
            "principal components: {}, with {explained:.4} of the variance{}\n  {}",
            self.n_components(),
            if self.whiten { ", whitened" } else { "" },
            self.columns.join(", ")
        )
    }
}

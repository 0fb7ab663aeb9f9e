//! How predictions change with one feature, all else being as it is.

use ndarray::{Array1, Array2, Axis};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::{Classifier, Regressor};
use crate::dataset::{ClassLabel, Records};
use crate::error::{MlError, TableName};
use crate::metric::RowWeights;

/// The values of a feature at which predictions are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct GridOptions {
    /// Number of values, evenly spread; at least 2, 100 by default. A feature that has fewer
    /// distinct values is looked at for each of them.
    pub n_points: usize,
    /// Quantile at which the grid begins, from 0 up to `high`; 0.05 by default.
    pub low: f64,
    /// Quantile at which it ends, up to 1; 0.95 by default.
    pub high: f64,
}

impl Default for GridOptions {
    fn default() -> Self {
        Self {
            n_points: 100,
            low: 0.05,
            high: 0.95,
        }
    }
}

/// Mean predictions of numbers, by the value of one feature.
///
/// # Shapes
/// values `[n_points]`, predictions `[n_points]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PartialDependence {
    /// The feature.
    pub feature: String,
    /// Values of the feature, rising.
    pub values: Vec<f64>,
    /// Mean prediction over the rows, if each had that value.
    pub predictions: Vec<f64>,
}

/// Mean probabilities of classes, by the value of one feature.
///
/// # Shapes
/// values `[n_points]`, classes `[n_classes]`, probabilities `[n_points, n_classes]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClassPartialDependence {
    /// The feature.
    pub feature: String,
    /// Values of the feature, rising.
    pub values: Vec<f64>,
    /// The classes that the model knows.
    pub classes: Vec<ClassLabel>,
    /// Mean probability of each class over the rows, if each had that value.
    pub probabilities: Array2<f64>,
}

/// Predicts for all rows with one feature set to value after value, and takes the mean for each.
///
/// Where the feature goes together with others, some of the rows made this way are unlike any real
/// one, and the mean is of what the model makes of them.
///
/// # Shapes
/// records `[n_rows, n_features]`, weights `[n_rows]`
///
/// # Errors
/// [`MlError::UnknownColumn`], [`MlError::NoRows`] and [`MlError::NotFinite`];
/// [`MlError::InvalidOption`] for options or weights out of range, or quantiles of the feature that
/// are equal; those of [`Regressor::predict`].
///
/// # Source
/// `sklearn.inspection.partial_dependence` with `kind="average"` and `method="brute"`
pub fn partial_dependence<M: Regressor + Sync + ?Sized>(
    model: &M,
    records: &Records,
    feature: &str,
    options: &GridOptions,
    weights: Option<&[f64]>,
) -> Result<PartialDependence, MlError> {
    let predict = |records: &Records| Ok(model.predict(records)?.insert_axis(Axis(1)));
    let (values, means) = over_grid(records, feature, options, weights, predict)?;
    Ok(PartialDependence {
        feature: feature.to_owned(),
        values,
        predictions: means.into_iter().map(|means| means[0]).collect(),
    })
}

/// As [`partial_dependence`], of the probabilities of a classifier.
///
/// # Errors
/// As [`partial_dependence`]; those of [`Classifier::predict_probabilities`].
///
/// # Source
/// `sklearn.inspection.partial_dependence` with `response_method="predict_proba"`, which leaves out
/// the first of two classes
pub fn class_partial_dependence<M: Classifier + Sync + ?Sized>(
    model: &M,
    records: &Records,
    feature: &str,
    options: &GridOptions,
    weights: Option<&[f64]>,
) -> Result<ClassPartialDependence, MlError> {
    let predict = |records: &Records| model.predict_probabilities(records);
    let (values, means) = over_grid(records, feature, options, weights, predict)?;
    let n_classes = model.classes().len();
    let mut probabilities = Array2::zeros((values.len(), n_classes));
    for (mut row, means) in probabilities.rows_mut().into_iter().zip(&means) {
        if means.len() != n_classes {
            return Err(MlError::LengthMismatch {
                what: "a row of probabilities",
                expected: n_classes,
                found: means.len(),
            });
        }
        row.assign(means);
    }
    Ok(ClassPartialDependence {
        feature: feature.to_owned(),
        values,
        classes: model.classes().to_vec(),
        probabilities,
    })
}

/// The grid and the mean of each column of predictions at its points.
fn over_grid(
    records: &Records,
    feature: &str,
    options: &GridOptions,
    weights: Option<&[f64]>,
    predict: impl Fn(&Records) -> Result<Array2<f64>, MlError> + Sync,
) -> Result<(Vec<f64>, Vec<Array1<f64>>), MlError> {
    let names = records.feature_names();
    let Some(column) = names.iter().position(|name| name == feature) else {
        return Err(MlError::UnknownColumn {
            column: feature.to_owned(),
            table: TableName::default(),
            columns: names.to_vec(),
        });
    };
    if records.n_rows() == 0 {
        let table = TableName::default();
        return Err(MlError::NoRows { table });
    }
    records.check_finite()?;
    let weights = RowWeights::new(weights, records.n_rows())?;
    let values = grid(records.values().column(column).to_vec(), options)?;
    let means: Vec<Result<Array1<f64>, MlError>> = values
        .par_iter()
        .map(|value| {
            let set = records.with_column(column, &vec![*value; records.n_rows()]);
            let predictions = predict(&set)?;
            let columns = predictions.columns().into_iter();
            Ok(columns
                .map(|column| weights.mean(|row_idx| column[row_idx]))
                .collect())
        })
        .collect();
    let means = means.into_iter().collect::<Result<_, _>>()?;
    Ok((values, means))
}

fn grid(mut column: Vec<f64>, options: &GridOptions) -> Result<Vec<f64>, MlError> {
    let GridOptions {
        n_points,
        low,
        high,
    } = *options;
    let refused = |name, value, expected| {
        Err(MlError::InvalidOption {
            name,
            value,
            expected,
        })
    };
    if n_points < 2 {
        return refused("n_points", n_points.to_string(), "at least 2");
    }
    if !(0.0 <= low && low < high && high <= 1.0) {
        let value = format!("{low} to {high}");
        return refused(
            "low and high",
            value,
            "two quantiles from 0 to 1, the lower one first",
        );
    }
    column.sort_by(f64::total_cmp);
    let (first, last) = (
        middle_quantile(&column, low),
        middle_quantile(&column, high),
    );
    column.dedup();
    if column.len() < n_points {
        return Ok(column);
    }
    if first >= last {
        let value = format!("{low} to {high}, which are both {first}");
        return refused(
            "low and high",
            value,
            "quantiles at which the feature differs",
        );
    }
    let step = (last - first) / (n_points - 1) as f64;
    let inner = (0..n_points - 1).map(|point| first + point as f64 * step);
    Ok(inner.chain([last]).collect())
}

/// The quantile whose expected share is about the median: `scipy.stats.mstats.mquantiles`.
fn middle_quantile(sorted: &[f64], fraction: f64) -> f64 {
    if sorted.len() < 2 {
        return sorted[0];
    }
    let at = sorted.len() as f64 * fraction + 0.4 + 0.2 * fraction;
    let below = at.clamp(1.0, (sorted.len() - 1) as f64).floor();
    let share = (at - below).clamp(0.0, 1.0);
    let below = below as usize;
    (1.0 - share) * sorted[below - 1] + share * sorted[below]
}

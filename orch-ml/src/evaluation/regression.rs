//! Evaluation of predicted numbers.

use ndarray::ArrayView1;
use serde::{Deserialize, Serialize};

use super::Regressor;
use crate::dataset::Dataset;
use crate::error::MlError;
use crate::metric;
use crate::splitting::{MeasureWith, check_unseen};

/// How good predicted numbers are; see [`r2_score`](crate::r2_score) for one row or equal targets.
///
/// `Display` prints one metric a line.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct RegressionMetrics {
    /// Share of the variance explained, at most 1; NaN for one row.
    pub r2: f64,
    /// [`adjusted_r2`](crate::adjusted_r2): the share after the features are paid for; none if
    /// their number is not known, or not below that of the rows by at least 2.
    pub adjusted_r2: Option<f64>,
    /// Share of the variance explained if a constant error were corrected, at most 1.
    pub explained_variance: f64,
    /// Mean absolute error, in the unit of the target.
    pub mae: f64,
    /// Median absolute error, in the unit of the target.
    pub median_absolute_error: f64,
    /// Mean squared error, in the unit of the target, squared.
    pub mse: f64,
    /// Root of the mean squared error, in the unit of the target.
    pub rmse: f64,
    /// Mean absolute error as a fraction of the target; very large if targets are 0.
    pub mape: f64,
    /// Number of rows evaluated.
    pub n_rows: usize,
}

impl RegressionMetrics {
    /// All metrics of predictions, each row counting by its weight if weights are given.
    ///
    /// # Shapes
    /// targets `[n_rows]`, predictions `[n_rows]`, weights `[n_rows]`
    ///
    /// # Errors
    /// [`MlError::LengthMismatch`], [`MlError::NoRows`] and [`MlError::NotFinite`];
    /// [`MlError::InvalidOption`] for a weight below 0 or only zeros.
    pub fn from_predictions(
        targets: ArrayView1<'_, f64>,
        predictions: ArrayView1<'_, f64>,
        weights: Option<&[f64]>,
    ) -> Result<Self, MlError> {
        let (mae, mse, r2) = match weights {
            None => (
                metric::mean_absolute_error(targets, predictions)?,
                metric::mean_squared_error(targets, predictions)?,
                metric::r2_score(targets, predictions)?,
            ),
            Some(weights) => (
                metric::weighted_mean_absolute_error(targets, predictions, weights)?,
                metric::weighted_mean_squared_error(targets, predictions, weights)?,
                metric::weighted_r2_score(targets, predictions, weights)?,
            ),
        };
        Ok(Self {
            r2,
            adjusted_r2: None,
            explained_variance: metric::explained_variance(targets, predictions, weights)?,
            mae,
            median_absolute_error: metric::median_absolute_error(targets, predictions, weights)?,
            mse,
            rmse: mse.sqrt(),
            mape: metric::mean_absolute_percentage_error(targets, predictions, weights)?,
            n_rows: targets.len(),
        })
    }
}

/// Evaluates a model on rows that it was not fitted to.
///
/// # Errors
/// Those of [`Regressor::predict`]; [`MlError::NoRows`]; [`MlError::NotFinite`] for a target or a
/// prediction; [`MlError::TestSeenInTraining`] if the rows may be among those that the model was fitted
/// to.
pub fn evaluate_regression<M: Regressor + ?Sized>(
    model: &M,
    test: &impl MeasureWith<Dataset>,
) -> Result<RegressionMetrics, MlError> {
    check_unseen(model.trained_on(), test.origin())?;
    let test = test.data();
    let predictions = model.predict(test.records())?;
    let (targets, predictions) = (test.targets().view(), predictions.view());
    let metrics = RegressionMetrics::from_predictions(targets, predictions, None)?;
    let adjusted = metric::adjusted_r2(targets, predictions, test.n_features(), None)?;
    Ok(RegressionMetrics {
        adjusted_r2: (!adjusted.is_nan()).then_some(adjusted),
        ..metrics
    })
}

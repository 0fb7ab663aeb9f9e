//! Metrics of predicted classes and of their probabilities, row by row.

use ndarray::Array2;

use super::checks::{RowWeights, check_codes, check_pair, check_probability};
use crate::error::MlError;

/// The share of predicted classes that are right.
///
/// # Errors
/// [`MlError::LengthMismatch`] and, for no rows, [`MlError::NoRows`].
///
/// # Source
/// `sklearn.metrics.accuracy_score`
pub fn accuracy(targets: &[u32], predictions: &[u32]) -> Result<f64, MlError> {
    accuracy_of(targets, predictions, None)
}

/// As [`accuracy`], each row counting by its weight.
///
/// # Errors
/// As [`accuracy`]; [`MlError::NotFinite`], and [`MlError::InvalidOption`] for a weight below 0 or
/// only zeros.
///
/// # Source
/// `sklearn.metrics.accuracy_score` with `sample_weight`
pub fn weighted_accuracy(
    targets: &[u32],
    predictions: &[u32],
    weights: &[f64],
) -> Result<f64, MlError> {
    accuracy_of(targets, predictions, Some(weights))
}

fn accuracy_of(
    targets: &[u32],
    predictions: &[u32],
    weights: Option<&[f64]>,
) -> Result<f64, MlError> {
    check_pair(targets.len(), predictions.len())?;
    let weights = RowWeights::new(weights, targets.len())?;
    let is_right = |row_idx: usize| targets[row_idx] == predictions[row_idx];
    Ok(weights.mean(|row_idx| f64::from(u8::from(is_right(row_idx)))))
}

/// The mean of `-ln(p)`, `p` being the probability that was given to the right class.
///
/// Probabilities are kept at least 2.2e-16 away from 0 and 1, so that one confident mistake costs
/// 36, not infinity. Rows are taken as they are: they should add up to 1.
///
/// # Shapes
/// targets `[n_rows]`, probabilities `[n_rows, n_classes]`
///
/// # Errors
/// As [`accuracy`]; [`MlError::CodeOutOfRange`] for a target without a column;
/// [`MlError::NotAProbability`].
///
/// # Source
/// `sklearn.metrics.log_loss`
pub fn log_loss(targets: &[u32], probabilities: &Array2<f64>) -> Result<f64, MlError> {
    log_loss_of(targets, probabilities, None)
}

/// As [`log_loss`], each row counting by its weight.
///
/// # Errors
/// As [`log_loss`] and [`weighted_accuracy`].
///
/// # Source
/// `sklearn.metrics.log_loss` with `sample_weight`
pub fn weighted_log_loss(
    targets: &[u32],
    probabilities: &Array2<f64>,
    weights: &[f64],
) -> Result<f64, MlError> {
    log_loss_of(targets, probabilities, Some(weights))
}

fn log_loss_of(
    targets: &[u32],
    probabilities: &Array2<f64>,
    weights: Option<&[f64]>,
) -> Result<f64, MlError> {
    check_probabilities(targets, probabilities)?;
    let weights = RowWeights::new(weights, targets.len())?;
    Ok(weights.mean(|row_idx| {
        let probability = probabilities[[row_idx, targets[row_idx] as usize]];
        -probability.clamp(f64::EPSILON, 1.0 - f64::EPSILON).ln()
    }))
}

/// The mean squared distance between the probabilities and the truth, 1 for the right class and 0
/// for the others.
///
/// With one or two classes it is halved, so that it is the squared error of the second class's
/// probability: between 0 and 1. With more it is between 0 and 2.
///
/// # Shapes
/// targets `[n_rows]`, probabilities `[n_rows, n_classes]`
///
/// # Errors
/// As [`log_loss`] and [`weighted_accuracy`].
///
/// # Source
/// `sklearn.metrics.brier_score_loss` with its default `scale_by_half="auto"`
pub fn brier_score(
    targets: &[u32],
    probabilities: &Array2<f64>,
    weights: Option<&[f64]>,
) -> Result<f64, MlError> {
    check_probabilities(targets, probabilities)?;
    let weights = RowWeights::new(weights, targets.len())?;
    let total = weights.mean(|row_idx| {
        let squared = |(class, probability): (usize, &f64)| {
            let truth = f64::from(u8::from(targets[row_idx] as usize == class));
            (truth - probability) * (truth - probability)
        };
        let row = probabilities.row(row_idx);
        row.iter().enumerate().map(squared).sum()
    });
    let scale = if probabilities.ncols() < 3 { 0.5 } else { 1.0 };
    Ok(scale * total)
}

fn check_probabilities(targets: &[u32], probabilities: &Array2<f64>) -> Result<(), MlError> {
    check_pair(targets.len(), probabilities.nrows())?;
    check_codes(targets, probabilities.ncols())?;
    for ((row_idx, _), probability) in probabilities.indexed_iter() {
        check_probability(row_idx, *probability)?;
    }
    Ok(())
}

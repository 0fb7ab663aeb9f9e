//! Numbers that say how far predictions are from the truth.
//!
//! Definitions and edge cases are those of `sklearn.metrics` 1.9.

use ndarray::{Array2, ArrayView1};

use crate::error::MlError;

fn check_pair(targets: usize, predictions: usize) -> Result<(), MlError> {
    if targets != predictions {
        let (expected, found) = (targets, predictions);
        return Err(MlError::LengthMismatch {
            what: "the predictions",
            expected,
            found,
        });
    }
    if targets == 0 {
        return Err(MlError::NoRows {
            table: Default::default(),
        });
    }
    Ok(())
}

fn mean_over(
    targets: ArrayView1<'_, f64>,
    predictions: ArrayView1<'_, f64>,
    error: impl Fn(f64) -> f64,
) -> Result<f64, MlError> {
    check_pair(targets.len(), predictions.len())?;
    let total: f64 = targets
        .iter()
        .zip(predictions)
        .map(|(target, guess)| error(target - guess))
        .sum();
    Ok(total / targets.len() as f64)
}

/// The mean of the absolute errors, in the unit of the target.
///
/// # Errors
/// [`MlError::LengthMismatch`] and, for no rows, [`MlError::NoRows`].
///
/// # Source
/// `sklearn.metrics.mean_absolute_error`
pub fn mean_absolute_error(
    targets: ArrayView1<'_, f64>,
    predictions: ArrayView1<'_, f64>,
) -> Result<f64, MlError> {
    mean_over(targets, predictions, f64::abs)
}

/// The mean of the squared errors, in the unit of the target, squared.
///
/// # Errors
/// As [`mean_absolute_error`].
///
/// # Source
/// `sklearn.metrics.mean_squared_error`
pub fn mean_squared_error(
    targets: ArrayView1<'_, f64>,
    predictions: ArrayView1<'_, f64>,
) -> Result<f64, MlError> {
    mean_over(targets, predictions, |error| error * error)
}

/// The root of the mean squared error, in the unit of the target.
///
/// # Errors
/// As [`mean_absolute_error`].
///
/// # Source
/// `sklearn.metrics.root_mean_squared_error`
pub fn root_mean_squared_error(
    targets: ArrayView1<'_, f64>,
    predictions: ArrayView1<'_, f64>,
) -> Result<f64, MlError> {
    Ok(mean_squared_error(targets, predictions)?.sqrt())
}

/// The share of the targets' variance that the predictions explain: 1 is best, 0 is as good as
/// their mean, less is worse.
///
/// For one row it is not defined: NaN. For equal targets it is 1 if every prediction is exactly
/// right, else 0.
///
/// # Errors
/// As [`mean_absolute_error`].
///
/// # Source
/// `sklearn.metrics.r2_score` with its default `force_finite=True`
pub fn r2_score(
    targets: ArrayView1<'_, f64>,
    predictions: ArrayView1<'_, f64>,
) -> Result<f64, MlError> {
    let squared_error = mean_squared_error(targets, predictions)?;
    if targets.len() < 2 {
        return Ok(f64::NAN);
    }
    // Relative to the first target, so that the mean of equal targets is exactly that target.
    let first = targets[0];
    let n_rows = targets.len() as f64;
    let mean = targets.iter().map(|target| target - first).sum::<f64>() / n_rows;
    let deviation = |target: &f64| (target - first - mean) * (target - first - mean);
    let variance = targets.iter().map(deviation).sum::<f64>() / n_rows;
    Ok(match (squared_error == 0.0, variance == 0.0) {
        (true, _) => 1.0,
        (false, true) => 0.0,
        (false, false) => 1.0 - squared_error / variance,
    })
}

/// The share of predicted classes that are right.
///
/// # Errors
/// As [`mean_absolute_error`].
///
/// # Source
/// `sklearn.metrics.accuracy_score`
pub fn accuracy(targets: &[u32], predictions: &[u32]) -> Result<f64, MlError> {
    check_pair(targets.len(), predictions.len())?;
    let n_right = targets
        .iter()
        .zip(predictions)
        .filter(|(target, guess)| target == guess)
        .count();
    Ok(n_right as f64 / targets.len() as f64)
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
/// As [`mean_absolute_error`]; [`MlError::CodeOutOfRange`] for a target without a column.
///
/// # Source
/// `sklearn.metrics.log_loss`
pub fn log_loss(targets: &[u32], probabilities: &Array2<f64>) -> Result<f64, MlError> {
    check_pair(targets.len(), probabilities.nrows())?;
    let mut total = 0.0;
    for (row_idx, code) in targets.iter().enumerate() {
        let limit = probabilities.ncols();
        let Some(probability) = probabilities.get([row_idx, *code as usize]) else {
            return Err(MlError::CodeOutOfRange {
                what: "class code",
                row_idx,
                code: *code,
                limit,
            });
        };
        total -= probability.clamp(f64::EPSILON, 1.0 - f64::EPSILON).ln();
    }
    Ok(total / targets.len() as f64)
}

//! Metrics of predicted numbers.

use ndarray::ArrayView1;

use super::checks::{RowWeights, check_finite, check_pair};
use crate::error::MlError;

/// Targets beside predictions, checked.
struct Pairs<'t, 'p, 'w> {
    targets: ArrayView1<'t, f64>,
    predictions: ArrayView1<'p, f64>,
    weights: RowWeights<'w>,
}

impl<'t, 'p, 'w> Pairs<'t, 'p, 'w> {
    fn new(
        targets: ArrayView1<'t, f64>,
        predictions: ArrayView1<'p, f64>,
        weights: Option<&'w [f64]>,
    ) -> Result<Self, MlError> {
        check_pair(targets.len(), predictions.len())?;
        check_finite("targets", targets)?;
        check_finite("predictions", predictions)?;
        let weights = RowWeights::new(weights, targets.len())?;
        Ok(Self {
            targets,
            predictions,
            weights,
        })
    }

    fn error(&self, row_idx: usize) -> f64 {
        self.targets[row_idx] - self.predictions[row_idx]
    }

    fn mean_of_error(&self, loss: impl Fn(f64) -> f64) -> f64 {
        self.weights.mean(|row_idx| loss(self.error(row_idx)))
    }

    /// The mean squared distance of the targets from their mean. Relative to the first target, so
    /// that the mean of equal targets is exactly that target.
    fn variance_of_targets(&self) -> f64 {
        let first = self.targets[0];
        let mean = self.weights.mean(|row_idx| self.targets[row_idx] - first);
        self.weights.mean(|row_idx| {
            let deviation = self.targets[row_idx] - first - mean;
            deviation * deviation
        })
    }
}

/// `1 - part / whole`, made finite as scikit-learn's `force_finite` does.
fn explained(part: f64, whole: f64) -> f64 {
    match (part == 0.0, whole == 0.0) {
        (true, _) => 1.0,
        (false, true) => 0.0,
        (false, false) => 1.0 - part / whole,
    }
}

/// The mean of the absolute errors, in the unit of the target.
///
/// # Errors
/// [`MlError::LengthMismatch`]; for no rows, [`MlError::NoRows`]; [`MlError::NotFinite`].
///
/// # Source
/// `sklearn.metrics.mean_absolute_error`
pub fn mean_absolute_error(
    targets: ArrayView1<'_, f64>,
    predictions: ArrayView1<'_, f64>,
) -> Result<f64, MlError> {
    Ok(Pairs::new(targets, predictions, None)?.mean_of_error(f64::abs))
}

/// As [`mean_absolute_error`], each row counting by its weight.
///
/// # Errors
/// As [`mean_absolute_error`]; [`MlError::InvalidOption`] for a weight below 0 or only zeros.
///
/// # Source
/// `sklearn.metrics.mean_absolute_error` with `sample_weight`
pub fn weighted_mean_absolute_error(
    targets: ArrayView1<'_, f64>,
    predictions: ArrayView1<'_, f64>,
    weights: &[f64],
) -> Result<f64, MlError> {
    Ok(Pairs::new(targets, predictions, Some(weights))?.mean_of_error(f64::abs))
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
    Ok(Pairs::new(targets, predictions, None)?.mean_of_error(|error| error * error))
}

/// As [`mean_squared_error`], each row counting by its weight.
///
/// # Errors
/// As [`weighted_mean_absolute_error`].
///
/// # Source
/// `sklearn.metrics.mean_squared_error` with `sample_weight`
pub fn weighted_mean_squared_error(
    targets: ArrayView1<'_, f64>,
    predictions: ArrayView1<'_, f64>,
    weights: &[f64],
) -> Result<f64, MlError> {
    Ok(Pairs::new(targets, predictions, Some(weights))?.mean_of_error(|error| error * error))
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

/// As [`root_mean_squared_error`], each row counting by its weight.
///
/// # Errors
/// As [`weighted_mean_absolute_error`].
///
/// # Source
/// `sklearn.metrics.root_mean_squared_error` with `sample_weight`
pub fn weighted_root_mean_squared_error(
    targets: ArrayView1<'_, f64>,
    predictions: ArrayView1<'_, f64>,
    weights: &[f64],
) -> Result<f64, MlError> {
    Ok(weighted_mean_squared_error(targets, predictions, weights)?.sqrt())
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
    r2_of(&Pairs::new(targets, predictions, None)?)
}

/// As [`r2_score`], each row counting by its weight.
///
/// # Errors
/// As [`weighted_mean_absolute_error`].
///
/// # Source
/// `sklearn.metrics.r2_score` with `sample_weight`
pub fn weighted_r2_score(
    targets: ArrayView1<'_, f64>,
    predictions: ArrayView1<'_, f64>,
    weights: &[f64],
) -> Result<f64, MlError> {
    r2_of(&Pairs::new(targets, predictions, Some(weights))?)
}

fn r2_of(pairs: &Pairs<'_, '_, '_>) -> Result<f64, MlError> {
    if pairs.targets.len() < 2 {
        return Ok(f64::NAN);
    }
    let squared_error = pairs.mean_of_error(|error| error * error);
    Ok(explained(squared_error, pairs.variance_of_targets()))
}

/// R² that is paid for with features: `1 - (1 - r2) * (n_rows - 1) / (n_rows - n_features - 1)`.
///
/// The number of rows is what counts in it, also with weights. With `n_features + 1` rows or fewer
/// it is not defined: NaN.
///
/// # Errors
/// As [`weighted_mean_absolute_error`].
///
/// # Source
/// Theil (1961); `rsquared_adj` of statsmodels for a model with an intercept
pub fn adjusted_r2(
    targets: ArrayView1<'_, f64>,
    predictions: ArrayView1<'_, f64>,
    n_features: usize,
    weights: Option<&[f64]>,
) -> Result<f64, MlError> {
    let pairs = Pairs::new(targets, predictions, weights)?;
    let n_rows = targets.len();
    if n_rows <= n_features + 1 {
        return Ok(f64::NAN);
    }
    let price = (n_rows - 1) as f64 / (n_rows - n_features - 1) as f64;
    Ok(1.0 - (1.0 - r2_of(&pairs)?) * price)
}

/// The share of the targets' variance that is left out of the errors' variance; unlike
/// [`r2_score`], predictions that are all wrong by the same amount cost nothing.
///
/// For equal targets, one row among them, it is 1 if all errors are equal, else 0.
///
/// # Errors
/// As [`weighted_mean_absolute_error`].
///
/// # Source
/// `sklearn.metrics.explained_variance_score` with its default `force_finite=True`
pub fn explained_variance(
    targets: ArrayView1<'_, f64>,
    predictions: ArrayView1<'_, f64>,
    weights: Option<&[f64]>,
) -> Result<f64, MlError> {
    let pairs = Pairs::new(targets, predictions, weights)?;
    let first = pairs.error(0);
    let mean = pairs.mean_of_error(|error| error - first);
    let variance = pairs.mean_of_error(|error| {
        let deviation = error - first - mean;
        deviation * deviation
    });
    Ok(explained(variance, pairs.variance_of_targets()))
}

/// The mean of the absolute errors as fractions of the targets.
///
/// A target of 0 counts as 2.2e-16, so that any error there makes the mean very large: use another
/// metric for targets around 0.
///
/// # Units
/// A fraction, not percent: 0.1 is 10 %.
///
/// # Errors
/// As [`weighted_mean_absolute_error`].
///
/// # Source
/// `sklearn.metrics.mean_absolute_percentage_error`
pub fn mean_absolute_percentage_error(
    targets: ArrayView1<'_, f64>,
    predictions: ArrayView1<'_, f64>,
    weights: Option<&[f64]>,
) -> Result<f64, MlError> {
    let pairs = Pairs::new(targets, predictions, weights)?;
    Ok(pairs.weights.mean(|row_idx| {
        pairs.error(row_idx).abs() / pairs.targets[row_idx].abs().max(f64::EPSILON)
    }))
}

/// The middle one of the absolute errors, in the unit of the target: half of the weight has smaller
/// errors. Of an even number of rows it is the mean of the middle two.
///
/// # Errors
/// As [`weighted_mean_absolute_error`].
///
/// # Source
/// `sklearn.metrics.median_absolute_error`; with weights its averaged inverted distribution
pub fn median_absolute_error(
    targets: ArrayView1<'_, f64>,
    predictions: ArrayView1<'_, f64>,
    weights: Option<&[f64]>,
) -> Result<f64, MlError> {
    let pairs = Pairs::new(targets, predictions, weights)?;
    // Rows without weight are not there: the middle lies between rows that count.
    let mut errors: Vec<(f64, f64)> = (0..targets.len())
        .map(|row_idx| (pairs.error(row_idx).abs(), pairs.weights.of(row_idx)))
        .filter(|(_, weight)| *weight > 0.0)
        .collect();
    errors.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut reached = 0.0;
    let sums: Vec<f64> = errors
        .iter()
        .map(|(_, weight)| {
            reached += weight;
            reached
        })
        .collect();
    let half = 0.5 * reached;
    let middle = sums.partition_point(|sum| *sum < half);
    let next = (middle + 1).min(errors.len() - 1);
    Ok(if sums[middle] - half > f64::EPSILON {
        errors[middle].0
    } else {
        (errors[middle].0 + errors[next].0) / 2.0
    })
}

/// The mean loss of predicted quantiles: an error below the target costs `alpha` times its size,
/// one above it `1 - alpha` times; the predictions that cost least are the `alpha` quantile.
///
/// # Units
/// The unit of the target; `alpha` is a fraction in `0..=1`, and 0.5 gives half of the
/// [`mean_absolute_error`].
///
/// # Errors
/// As [`weighted_mean_absolute_error`]; [`MlError::InvalidOption`] for `alpha` out of range.
///
/// # Source
/// `sklearn.metrics.mean_pinball_loss`
pub fn mean_pinball_loss(
    targets: ArrayView1<'_, f64>,
    predictions: ArrayView1<'_, f64>,
    alpha: f64,
    weights: Option<&[f64]>,
) -> Result<f64, MlError> {
    if !(0.0..=1.0).contains(&alpha) {
        return Err(MlError::InvalidOption {
            name: "alpha",
            value: alpha.to_string(),
            expected: "a value between 0 and 1",
        });
    }
    let pairs = Pairs::new(targets, predictions, weights)?;
    Ok(pairs.mean_of_error(|error| {
        if error >= 0.0 {
            alpha * error
        } else {
            (alpha - 1.0) * error
        }
    }))
}

//! How well scores put positive rows before negative ones.

use ndarray::Array2;

use super::checks::{RowWeights, check_codes, check_finite, check_pair};
use super::confusion::Average;
use super::curves::{precision_recall_curve, roc_curve};
use crate::error::MlError;

/// The area below the ROC curve: 1 if every positive row has a higher score than every negative
/// one, 0.5 for scores that say nothing.
///
/// NaN if all rows are positive or all are negative: there is nothing to put in order.
///
/// # Shapes
/// is_positive `[n_rows]`, scores `[n_rows]`
///
/// # Errors
/// As [`roc_curve`].
///
/// # Source
/// `sklearn.metrics.roc_auc_score`
pub fn roc_auc(
    is_positive: &[bool],
    scores: &[f64],
    weights: Option<&[f64]>,
) -> Result<f64, MlError> {
    Ok(roc_curve(is_positive, scores, weights)?.area())
}

/// The precision at each threshold, weighted by the recall that it adds: the area below the
/// precision-recall curve without promising anything between its points.
///
/// 0 if no row is positive.
///
/// # Shapes
/// is_positive `[n_rows]`, scores `[n_rows]`
///
/// # Errors
/// As [`roc_curve`].
///
/// # Source
/// `sklearn.metrics.average_precision_score`
pub fn average_precision(
    is_positive: &[bool],
    scores: &[f64],
    weights: Option<&[f64]>,
) -> Result<f64, MlError> {
    Ok(precision_recall_curve(is_positive, scores, weights)?.average_precision())
}

/// [`roc_auc`] of each class against all others, averaged.
///
/// The plain mean is NaN if a class has no rows or all of them; the weighted one leaves out classes
/// that have none.
///
/// # Shapes
/// targets `[n_rows]`, scores `[n_rows, n_classes]`
///
/// # Errors
/// As [`roc_curve`]; [`MlError::CodeOutOfRange`] for a target without a column;
/// [`MlError::InvalidOption`] for [`Average::Micro`].
///
/// # Source
/// `sklearn.metrics.roc_auc_score` with `multi_class="ovr"`
pub fn roc_auc_one_vs_rest(
    targets: &[u32],
    scores: &Array2<f64>,
    average: Average,
    weights: Option<&[f64]>,
) -> Result<f64, MlError> {
    one_vs_rest(targets, scores, average, weights, roc_auc)
}

/// [`average_precision`] of each class against all others, averaged.
///
/// # Shapes
/// targets `[n_rows]`, scores `[n_rows, n_classes]`
///
/// # Errors
/// As [`roc_auc_one_vs_rest`].
///
/// # Source
/// `sklearn.metrics.average_precision_score` of targets with one column per class
pub fn average_precision_one_vs_rest(
    targets: &[u32],
    scores: &Array2<f64>,
    average: Average,
    weights: Option<&[f64]>,
) -> Result<f64, MlError> {
    one_vs_rest(targets, scores, average, weights, average_precision)
}

type BinaryMetric = fn(&[bool], &[f64], Option<&[f64]>) -> Result<f64, MlError>;

fn one_vs_rest(
    targets: &[u32],
    scores: &Array2<f64>,
    average: Average,
    weights: Option<&[f64]>,
    metric: BinaryMetric,
) -> Result<f64, MlError> {
    check_pair(targets.len(), scores.nrows())?;
    check_codes(targets, scores.ncols())?;
    let row_weights = RowWeights::new(weights, targets.len())?;
    let (mut total, mut whole) = (0.0, 0.0);
    for (class, column) in scores.columns().into_iter().enumerate() {
        let is_positive: Vec<bool> = targets.iter().map(|code| *code as usize == class).collect();
        let weight = match average {
            Average::Macro => 1.0,
            Average::Weighted => {
                let rows = (0..targets.len()).filter(|row_idx| is_positive[*row_idx]);
                rows.map(|row_idx| row_weights.of(row_idx)).sum()
            }
            Average::Micro => {
                return Err(MlError::InvalidOption {
                    name: "average",
                    value: "Micro".to_owned(),
                    expected: "`Macro` or `Weighted`",
                });
            }
        };
        whole += weight;
        // A class that counts for nothing may have no defined value.
        if weight > 0.0 {
            total += weight * metric(&is_positive, &column.to_vec(), weights)?;
        } else {
            check_finite("scores", column)?;
        }
    }
    Ok(total / whole)
}

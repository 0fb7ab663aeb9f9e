//! What a threshold on a score trades: curves over all thresholds.

use serde::{Deserialize, Serialize};

use super::checks::{RowWeights, check_finite, check_pair, ratio};
use crate::error::MlError;

/// Weights of the rows at or above each threshold, which are the distinct scores from high to low.
struct Steps {
    right: Vec<f64>,
    wrong: Vec<f64>,
    thresholds: Vec<f64>,
}

impl Steps {
    fn new(is_positive: &[bool], scores: &[f64], weights: Option<&[f64]>) -> Result<Self, MlError> {
        check_pair(is_positive.len(), scores.len())?;
        check_finite("scores", scores)?;
        let weights = RowWeights::new(weights, scores.len())?;
        let mut order: Vec<usize> = (0..scores.len())
            .filter(|row_idx| weights.of(*row_idx) > 0.0)
            .collect();
        order.sort_by(|a, b| scores[*b].total_cmp(&scores[*a]));
        let mut steps = Self {
            right: Vec::new(),
            wrong: Vec::new(),
            thresholds: Vec::new(),
        };
        let (mut right, mut wrong) = (0.0, 0.0);
        for (position, row_idx) in order.iter().enumerate() {
            match is_positive[*row_idx] {
                true => right += weights.of(*row_idx),
                false => wrong += weights.of(*row_idx),
            }
            // Rows with equal scores are on the same side of every threshold.
            let next = order.get(position + 1);
            if next.is_none_or(|next| scores[*next] != scores[*row_idx]) {
                steps.right.push(right);
                steps.wrong.push(wrong);
                steps.thresholds.push(scores[*row_idx]);
            }
        }
        Ok(steps)
    }

    fn n_right(&self) -> f64 {
        self.right[self.right.len() - 1]
    }

    fn n_wrong(&self) -> f64 {
        self.wrong[self.wrong.len() - 1]
    }
}

/// The share of positive rows found against the share of negative rows taken for positive, from
/// high thresholds to low.
///
/// # Shapes
/// all three `[n_points]`, `n_points` being one more than there are distinct scores
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RocCurve {
    /// Share of the negative rows at or above the threshold; NaN if there are none.
    pub false_positive_rates: Vec<f64>,
    /// Share of the positive rows at or above the threshold; NaN if there are none.
    pub true_positive_rates: Vec<f64>,
    /// The scores from which on a row counts as positive. The first is infinite: no row does.
    pub thresholds: Vec<f64>,
}

impl RocCurve {
    /// The area below the curve: the chance that a positive row has a higher score than a negative
    /// one, ties counting half. NaN if all rows are of one kind.
    pub fn area(&self) -> f64 {
        trapezoids(&self.false_positive_rates, &self.true_positive_rates)
    }
}

/// Makes the receiver operating characteristic of scores, with a point for each distinct score.
///
/// Scores may be probabilities or any numbers that are higher for rows that are more likely
/// positive. Rows with weight 0 are left out.
///
/// # Shapes
/// is_positive `[n_rows]`, scores `[n_rows]`
///
/// # Errors
/// [`MlError::LengthMismatch`], [`MlError::NoRows`] and [`MlError::NotFinite`];
/// [`MlError::InvalidOption`] for a weight below 0 or only zeros.
///
/// # Source
/// `sklearn.metrics.roc_curve` with `drop_intermediate=False`
pub fn roc_curve(
    is_positive: &[bool],
    scores: &[f64],
    weights: Option<&[f64]>,
) -> Result<RocCurve, MlError> {
    let steps = Steps::new(is_positive, scores, weights)?;
    let rates = |sums: &[f64], whole: f64| {
        let from_nothing = std::iter::once(&0.0).chain(sums);
        from_nothing.map(|sum| sum / whole).collect()
    };
    Ok(RocCurve {
        false_positive_rates: rates(&steps.wrong, steps.n_wrong()),
        true_positive_rates: rates(&steps.right, steps.n_right()),
        thresholds: [f64::INFINITY]
            .into_iter()
            .chain(steps.thresholds)
            .collect(),
    })
}

/// Precision against recall, from low thresholds to high.
///
/// # Shapes
/// thresholds `[n_points]`, the distinct scores; precisions and recalls `[n_points + 1]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PrecisionRecallCurve {
    /// Share of the rows at or above the threshold that are positive; ends in 1.
    pub precisions: Vec<f64>,
    /// Share of the positive rows at or above the threshold; ends in 0.
    pub recalls: Vec<f64>,
    /// The scores from which on a row counts as positive.
    pub thresholds: Vec<f64>,
}

impl PrecisionRecallCurve {
    /// The area below straight lines between the points. They promise more than any threshold
    /// gives; [`average_precision`](crate::average_precision) does not.
    pub fn area(&self) -> f64 {
        -trapezoids(&self.recalls, &self.precisions)
    }

    /// The precision at each threshold, weighted by the recall that it adds:
    /// [`average_precision`](crate::average_precision) of the scores.
    pub fn average_precision(&self) -> f64 {
        let added = |point: usize| self.recalls[point] - self.recalls[point + 1];
        let points = 0..self.thresholds.len();
        points
            .map(|point| added(point) * self.precisions[point])
            .sum()
    }
}

/// Makes the precision-recall curve of scores, with a point for each distinct score.
///
/// Without positive rows every recall but the last is 1 and every precision but the last is 0.
///
/// # Shapes
/// is_positive `[n_rows]`, scores `[n_rows]`
///
/// # Errors
/// As [`roc_curve`].
///
/// # Source
/// `sklearn.metrics.precision_recall_curve` with `drop_intermediate=False`
pub fn precision_recall_curve(
    is_positive: &[bool],
    scores: &[f64],
    weights: Option<&[f64]>,
) -> Result<PrecisionRecallCurve, MlError> {
    let steps = Steps::new(is_positive, scores, weights)?;
    let n_right = steps.n_right();
    let precision = |(right, wrong): (&f64, &f64)| ratio(*right, right + wrong);
    let recall = |right: &f64| if n_right == 0.0 { 1.0 } else { right / n_right };
    let precisions = steps.right.iter().zip(&steps.wrong).rev().map(precision);
    Ok(PrecisionRecallCurve {
        precisions: precisions.chain([1.0]).collect(),
        recalls: steps.right.iter().rev().map(recall).chain([0.0]).collect(),
        thresholds: steps.thresholds.into_iter().rev().collect(),
    })
}

fn trapezoids(across: &[f64], up: &[f64]) -> f64 {
    let widths = across.windows(2).map(|pair| pair[1] - pair[0]);
    let heights = up.windows(2).map(|pair| (pair[0] + pair[1]) / 2.0);
    widths
        .zip(heights)
        .map(|(width, height)| width * height)
        .sum()
}

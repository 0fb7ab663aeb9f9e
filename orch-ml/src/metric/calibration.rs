//! Whether a probability of 0.7 comes true 7 times in 10.

use serde::{Deserialize, Serialize};

use super::checks::{check_pair, check_probability, quantile};
use crate::error::MlError;

/// How probabilities are put into bins.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum CalibrationStrategy {
    /// Bins of equal width between 0 and 1.
    #[default]
    Uniform,
    /// Bins with about as many rows each.
    Quantile,
}

/// One bin of a calibration curve.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct CalibrationBin {
    /// Mean of the probabilities in the bin.
    pub mean_probability: f64,
    /// Share of its rows that are positive; the same as the mean for a calibrated model.
    pub positive_share: f64,
    /// Number of its rows.
    pub n_rows: usize,
}

/// Compares the probabilities of a class with how often rows are of it, bin by bin.
///
/// Bins without rows are left out. A probability on the edge of two bins is in the lower one.
///
/// # Shapes
/// is_positive `[n_rows]`, probabilities `[n_rows]`, returns up to `n_bins` bins, from low
/// probabilities to high
///
/// # Errors
/// [`MlError::LengthMismatch`], [`MlError::NoRows`] and [`MlError::NotAProbability`];
/// [`MlError::InvalidOption`] for no bins.
///
/// # Source
/// `sklearn.calibration.calibration_curve`
pub fn calibration_curve(
    is_positive: &[bool],
    probabilities: &[f64],
    n_bins: usize,
    strategy: CalibrationStrategy,
) -> Result<Vec<CalibrationBin>, MlError> {
    check_pair(is_positive.len(), probabilities.len())?;
    for (row_idx, probability) in probabilities.iter().enumerate() {
        check_probability(row_idx, *probability)?;
    }
    if n_bins == 0 {
        return Err(MlError::InvalidOption {
            name: "n_bins",
            value: "0".to_owned(),
            expected: "at least 1",
        });
    }
    let edges = inner_edges(probabilities, n_bins, strategy);
    let mut bins = vec![(0.0, 0usize, 0usize); n_bins];
    for (probability, is_positive) in probabilities.iter().zip(is_positive) {
        let bin = edges.partition_point(|edge| edge < probability);
        bins[bin].0 += probability;
        bins[bin].1 += usize::from(*is_positive);
        bins[bin].2 += 1;
    }
    Ok(bins
        .into_iter()
        .filter(|(_, _, n_rows)| *n_rows > 0)
        .map(|(total, n_positive, n_rows)| CalibrationBin {
            mean_probability: total / n_rows as f64,
            positive_share: n_positive as f64 / n_rows as f64,
            n_rows,
        })
        .collect())
}

fn inner_edges(probabilities: &[f64], n_bins: usize, strategy: CalibrationStrategy) -> Vec<f64> {
    // In numpy's order of operations, so that a probability on an edge falls where it does there.
    let step = 1.0 / n_bins as f64;
    let evenly = (1..n_bins).map(|edge| edge as f64 * step);
    match strategy {
        CalibrationStrategy::Uniform => evenly.collect(),
        CalibrationStrategy::Quantile => {
            let mut sorted = probabilities.to_vec();
            sorted.sort_by(f64::total_cmp);
            evenly
                .map(|fraction| quantile(&sorted, fraction * 100.0 / 100.0))
                .collect()
        }
    }
}

/// The mean distance between probability and share of positive rows over the bins of
/// [`calibration_curve`], each counting by its rows: 0 is perfectly calibrated.
///
/// It depends on the bins: give them with the number.
///
/// # Errors
/// As [`calibration_curve`].
///
/// # Source
/// Naeini, Cooper and Hauskrecht (2015), of the positive class
pub fn expected_calibration_error(
    is_positive: &[bool],
    probabilities: &[f64],
    n_bins: usize,
    strategy: CalibrationStrategy,
) -> Result<f64, MlError> {
    let bins = calibration_curve(is_positive, probabilities, n_bins, strategy)?;
    let distance = |bin: &CalibrationBin| {
        bin.n_rows as f64 * (bin.positive_share - bin.mean_probability).abs()
    };
    Ok(bins.iter().map(distance).sum::<f64>() / probabilities.len() as f64)
}

//! Predictions row by row, on all threads.

use rayon::prelude::*;

use crate::dataset::{Arranged, Records};
use crate::error::MlError;

/// Rows predicted in one go.
const ROWS_PER_BLOCK: usize = 8 * 1024;

/// What `predict` writes for each row, whose values come in the order of `feature_names`.
///
/// # Shapes
/// returns `[n_rows, n_outputs]`, row after row; neither `feature_names` nor `n_outputs` may be 0
///
/// # Errors
/// [`MlError::FeatureMissing`] and [`MlError::NotFinite`].
pub(crate) fn predict_rows<T: Copy + Default + Send>(
    records: &Records,
    feature_names: &[String],
    n_outputs: usize,
    predict: impl Fn(&[f64], &mut [T]) + Sync,
) -> Result<Vec<T>, MlError> {
    let arranged = records.arranged(feature_names)?;
    arranged.check_finite(feature_names)?;
    Ok(predict_cells(
        &arranged,
        feature_names.len(),
        n_outputs,
        predict,
    ))
}

/// As [`predict_rows`], for what takes NaN as a missing value.
pub(crate) fn predict_rows_with_gaps<T: Copy + Default + Send>(
    records: &Records,
    feature_names: &[String],
    n_outputs: usize,
    predict: impl Fn(&[f64], &mut [T]) + Sync,
) -> Result<Vec<T>, MlError> {
    let arranged = records.arranged(feature_names)?;
    arranged.check_not_infinite(feature_names)?;
    Ok(predict_cells(
        &arranged,
        feature_names.len(),
        n_outputs,
        predict,
    ))
}

fn predict_cells<T: Copy + Default + Send>(
    arranged: &Arranged<'_>,
    width: usize,
    n_outputs: usize,
    predict: impl Fn(&[f64], &mut [T]) + Sync,
) -> Vec<T> {
    let cells = arranged.cells();
    let n_rows = cells.len() / width;
    let mut outputs = vec![T::default(); n_rows * n_outputs];
    let predict_block = |block: usize, outputs: &mut [T]| {
        let rows = cells[block * ROWS_PER_BLOCK * width..].chunks_exact(width);
        for (row, outputs) in rows.zip(outputs.chunks_exact_mut(n_outputs)) {
            predict(row, outputs);
        }
    };
    if n_rows <= ROWS_PER_BLOCK {
        predict_block(0, &mut outputs);
    } else {
        let blocks = outputs.par_chunks_mut(ROWS_PER_BLOCK * n_outputs);
        blocks
            .enumerate()
            .for_each(|(block, outputs)| predict_block(block, outputs));
    }
    outputs
}

/// Turns log-likelihoods, up to a number that all have in common, into probabilities.
pub(crate) fn soft_max(scores: &mut [f64]) {
    let greatest = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    scores
        .iter_mut()
        .for_each(|score| *score = (*score - greatest).exp());
    let total: f64 = scores.iter().sum();
    scores.iter_mut().for_each(|score| *score /= total);
}

/// The probability of one of two outcomes by the logarithm of its odds.
pub(crate) fn sigmoid(score: f64) -> f64 {
    if score >= 0.0 {
        1.0 / (1.0 + (-score).exp())
    } else {
        let odds = score.exp();
        odds / (1.0 + odds)
    }
}

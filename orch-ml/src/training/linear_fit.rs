//! What linear models have in common.

use ndarray::Array1;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::least_squares::dot;
use crate::dataset::{Dataset, Records};
use crate::error::MlError;
use crate::splitting::Origin;

/// Rows predicted in one go.
const ROWS_PER_BLOCK: usize = 8 * 1024;

/// A line through many dimensions, and what it was fitted to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "RawLinearFit")]
pub(super) struct LinearFit {
    pub(super) feature_names: Vec<String>,
    pub(super) target_name: String,
    pub(super) coefficients: Vec<f64>,
    pub(super) intercept: f64,
    pub(super) n_rows: usize,
    pub(super) trained_on: Option<Origin>,
}

#[derive(Deserialize)]
struct RawLinearFit {
    feature_names: Vec<String>,
    target_name: String,
    coefficients: Vec<f64>,
    intercept: f64,
    n_rows: usize,
    trained_on: Option<Origin>,
}

impl TryFrom<RawLinearFit> for LinearFit {
    type Error = MlError;

    fn try_from(raw: RawLinearFit) -> Result<Self, MlError> {
        check_coefficients(&raw.feature_names, &raw.coefficients)?;
        let RawLinearFit {
            feature_names,
            target_name,
            coefficients,
            intercept,
            n_rows,
            trained_on,
        } = raw;
        Ok(Self {
            feature_names,
            target_name,
            coefficients,
            intercept,
            n_rows,
            trained_on,
        })
    }
}

impl LinearFit {
    /// The line of these coefficients that goes through the means: of each feature, and of the
    /// target behind them.
    pub(super) fn through_means(
        dataset: &Dataset,
        coefficients: Vec<f64>,
        means: &[f64],
        trained_on: Option<Origin>,
    ) -> Result<Self, MlError> {
        let n_features = dataset.n_features();
        let intercept = means[n_features] - dot(&coefficients, &means[..n_features]);
        Self::new(dataset, coefficients, intercept, trained_on)
    }

    pub(super) fn new(
        dataset: &Dataset,
        coefficients: Vec<f64>,
        intercept: f64,
        trained_on: Option<Origin>,
    ) -> Result<Self, MlError> {
        if !intercept.is_finite() || coefficients.iter().any(|slope| !slope.is_finite()) {
            return Err(MlError::FitOverflow);
        }
        Ok(Self {
            feature_names: dataset.feature_names().to_vec(),
            target_name: dataset.target_name().to_owned(),
            coefficients,
            intercept,
            n_rows: dataset.n_rows(),
            trained_on,
        })
    }

    pub(super) fn predict(&self, records: &Records) -> Result<Array1<f64>, MlError> {
        let intercepts = [self.intercept];
        let scores = linear_scores(
            records,
            &self.feature_names,
            &self.coefficients,
            &intercepts,
        )?;
        Ok(Array1::from_vec(scores))
    }
}

/// What a model that was read must hold: a feature at least, and a coefficient for each.
pub(super) fn check_coefficients(
    feature_names: &[String],
    coefficients: &[f64],
) -> Result<(), MlError> {
    if feature_names.is_empty() {
        return Err(MlError::NoFeatures);
    }
    let (expected, found) = (feature_names.len(), coefficients.len());
    if found != expected {
        return Err(MlError::LengthMismatch {
            what: "the list of coefficients",
            expected,
            found,
        });
    }
    Ok(())
}

/// For each row one number per intercept: the intercept and the sum of coefficient * feature.
///
/// # Shapes
/// coefficients `[n_outputs, n_features]`, returns `[n_rows, n_outputs]`, both row after row
pub(super) fn linear_scores(
    records: &Records,
    feature_names: &[String],
    coefficients: &[f64],
    intercepts: &[f64],
) -> Result<Vec<f64>, MlError> {
    let arranged = records.arranged(feature_names)?;
    arranged.check_finite(feature_names)?;
    let (cells, width, n_outputs) = (arranged.cells(), feature_names.len(), intercepts.len());
    let mut scores = vec![0.0; records.n_rows() * n_outputs];
    let score_block = |block: usize, scores: &mut [f64]| {
        let first = block * ROWS_PER_BLOCK * width;
        let rows = cells[first..].chunks_exact(width);
        for (scores, row) in scores.chunks_exact_mut(n_outputs).zip(rows) {
            let outputs = coefficients.chunks_exact(width).zip(intercepts);
            for (score, (slopes, intercept)) in scores.iter_mut().zip(outputs) {
                let terms = row.iter().zip(slopes);
                *score = intercept + terms.map(|(value, slope)| value * slope).sum::<f64>();
            }
        }
    };
    if records.n_rows() <= ROWS_PER_BLOCK {
        score_block(0, &mut scores);
    } else {
        let blocks = scores.par_chunks_mut(ROWS_PER_BLOCK * n_outputs);
        blocks
            .enumerate()
            .for_each(|(block, scores)| score_block(block, scores));
    }
    Ok(scores)
}

//! What linear models have in common.

use ndarray::Array1;
use serde::{Deserialize, Serialize};

use super::least_squares::dot;
use crate::dataset::{ClassLabel, Dataset, Records};
use crate::error::MlError;
use crate::prediction::predict_rows;
use crate::splitting::Origin;

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
        check_coefficients(&raw.feature_names, &raw.coefficients, 1)?;
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

/// What a model that was read must hold: a feature at least, and for each a coefficient per line.
pub(super) fn check_coefficients(
    feature_names: &[String],
    coefficients: &[f64],
    n_lines: usize,
) -> Result<(), MlError> {
    if feature_names.is_empty() {
        return Err(MlError::NoFeatures);
    }
    let (expected, found) = (feature_names.len() * n_lines, coefficients.len());
    if found != expected {
        return Err(MlError::LengthMismatch {
            what: "the list of coefficients",
            expected,
            found,
        });
    }
    Ok(())
}

/// Lines that tell classes apart: one for each, but one for two.
pub(super) fn n_lines(n_classes: usize) -> usize {
    if n_classes == 2 { 1 } else { n_classes }
}

/// What a classifier of lines that was read must hold.
pub(super) fn check_lines(
    classes: &[ClassLabel],
    feature_names: &[String],
    coefficients: &[f64],
    intercepts: &[f64],
) -> Result<(), MlError> {
    let mismatch = |what, expected, found| {
        Err(MlError::LengthMismatch {
            what,
            expected,
            found,
        })
    };
    if classes.len() < 2 {
        return mismatch("the list of classes", 2, classes.len());
    }
    let n_lines = n_lines(classes.len());
    if intercepts.len() != n_lines {
        return mismatch("the list of intercepts", n_lines, intercepts.len());
    }
    check_coefficients(feature_names, coefficients, n_lines)
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
    let width = feature_names.len();
    predict_rows(records, feature_names, intercepts.len(), |row, scores| {
        let outputs = coefficients.chunks_exact(width).zip(intercepts);
        for (score, (slopes, intercept)) in scores.iter_mut().zip(outputs) {
            let terms = row.iter().zip(slopes);
            *score = intercept + terms.map(|(value, slope)| value * slope).sum::<f64>();
        }
    })
}

//! How candidates are compared.

use std::fmt;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::dataset::{ClassificationDataset, Dataset};
use crate::error::MlError;
use crate::evaluation::{
    ClassificationMetrics, Classifier, RegressionMetrics, Regressor, evaluate_classification,
    evaluate_regression,
};
use crate::splitting::{CrossValidation, Rows, Train, Valid};

/// A number by which models are compared.
pub trait Scoring: fmt::Display + Copy {
    /// Whether more is better.
    fn greater_is_better(self) -> bool;

    /// Whether one score is better than another. A score that is not defined is the worst.
    fn is_better(self, score: f64, than: f64) -> bool {
        if score.is_nan() || than.is_nan() {
            return !score.is_nan();
        }
        if self.greater_is_better() {
            score > than
        } else {
            score < than
        }
    }
}

/// A number by which classifiers are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum ClassificationScoring {
    /// The share of rows that are right.
    Accuracy,
    /// The mean of the F1 scores of the classes.
    MacroF1,
    /// The mean of `-ln(p)` of the right class; less is better.
    LogLoss,
}

impl Scoring for ClassificationScoring {
    fn greater_is_better(self) -> bool {
        !matches!(self, Self::LogLoss)
    }
}

impl fmt::Display for ClassificationScoring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Accuracy => "accuracy",
            Self::MacroF1 => "macro_f1",
            Self::LogLoss => "log_loss",
        })
    }
}

/// A number by which regressors are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum RegressionScoring {
    /// The share of the variance explained.
    R2,
    /// The mean absolute error; less is better.
    Mae,
    /// The root of the mean squared error; less is better.
    Rmse,
}

impl Scoring for RegressionScoring {
    fn greater_is_better(self) -> bool {
        matches!(self, Self::R2)
    }
}

impl fmt::Display for RegressionScoring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::R2 => "r2",
            Self::Mae => "mae",
            Self::Rmse => "rmse",
        })
    }
}

/// Fits a classifier to each fold of a cross-validation; returns the scores on what was held out.
///
/// # Shapes
/// returns: `[n_folds]`
///
/// # Errors
/// Those of the split, the fit and the evaluation.
///
/// # Source
/// `sklearn.model_selection.cross_val_score`
pub fn cross_validate_classifier<M: Classifier>(
    train: &Train<ClassificationDataset>,
    validation: &CrossValidation,
    scoring: ClassificationScoring,
    fit: impl Fn(&Train<ClassificationDataset>) -> Result<M, MlError> + Sync,
) -> Result<Vec<f64>, MlError> {
    over_folds(train, validation, |train, valid| {
        classification_score(&fit(train)?, valid, scoring)
    })
}

pub(super) fn classification_score<M: Classifier>(
    model: &M,
    valid: &Valid<ClassificationDataset>,
    scoring: ClassificationScoring,
) -> Result<f64, MlError> {
    let metrics = evaluate_classification(model, valid)?;
    Ok(score_of_classifier(&metrics, scoring))
}

/// The metric that a scoring is.
pub(super) fn score_of_classifier(
    metrics: &ClassificationMetrics,
    scoring: ClassificationScoring,
) -> f64 {
    match scoring {
        ClassificationScoring::Accuracy => metrics.accuracy,
        ClassificationScoring::MacroF1 => metrics.macro_f1,
        ClassificationScoring::LogLoss => metrics.log_loss,
    }
}

/// Fits a regressor to each fold of a cross-validation; returns the scores on what was held out.
///
/// # Shapes
/// returns: `[n_folds]`
///
/// # Errors
/// Those of the split, the fit and the evaluation.
///
/// # Source
/// `sklearn.model_selection.cross_val_score`
pub fn cross_validate_regressor<M: Regressor>(
    train: &Train<Dataset>,
    validation: &CrossValidation,
    scoring: RegressionScoring,
    fit: impl Fn(&Train<Dataset>) -> Result<M, MlError> + Sync,
) -> Result<Vec<f64>, MlError> {
    over_folds(train, validation, |train, valid| {
        regression_score(&fit(train)?, valid, scoring)
    })
}

pub(super) fn regression_score<M: Regressor>(
    model: &M,
    valid: &Valid<Dataset>,
    scoring: RegressionScoring,
) -> Result<f64, MlError> {
    let metrics = evaluate_regression(model, valid)?;
    Ok(score_of_regressor(&metrics, scoring))
}

/// The metric that a scoring is.
pub(super) fn score_of_regressor(metrics: &RegressionMetrics, scoring: RegressionScoring) -> f64 {
    match scoring {
        RegressionScoring::R2 => metrics.r2,
        RegressionScoring::Mae => metrics.mae,
        RegressionScoring::Rmse => metrics.rmse,
    }
}

fn over_folds<D: Rows + Sync>(
    train: &Train<D>,
    validation: &CrossValidation,
    score: impl Fn(&Train<D>, &Valid<D>) -> Result<f64, MlError> + Sync,
) -> Result<Vec<f64>, MlError> {
    let folds = validation.folds(&**train)?;
    folds
        .par_iter()
        .enumerate()
        .map(|(index, fold)| {
            let (train, valid) = validation.fold(train, index, fold)?;
            score(&train, &valid)
        })
        .collect()
}

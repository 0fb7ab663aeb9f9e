//! How candidates are compared.

use std::fmt;

use ndarray::ArrayView1;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::dataset::{ClassificationDataset, Dataset};
use crate::error::MlError;
use crate::evaluation::{
    ClassOutcomes, ClassificationMetrics, Classifier, RegressionMetrics, Regressor,
    evaluate_classification, evaluate_regression,
};
use crate::metric::{self, Average};
use crate::splitting::{CrossValidation, Rows, Train, Valid};

/// A number by which models are compared.
pub trait Scoring: fmt::Display + Copy {
    /// Whether more is better.
    fn greater_is_better(self) -> bool;

    /// A score of which more is better: the score itself, or its negative.
    fn rising(self, score: f64) -> f64 {
        if self.greater_is_better() {
            score
        } else {
            -score
        }
    }

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

impl ClassificationScoring {
    /// The score of outcomes, without the other metrics.
    ///
    /// # Errors
    /// [`MlError::NoRows`] and [`MlError::NotAProbability`].
    pub fn score(self, outcomes: &ClassOutcomes) -> Result<f64, MlError> {
        match self {
            Self::Accuracy => metric::accuracy(outcomes.targets(), outcomes.predictions()),
            Self::MacroF1 => Ok(outcomes.confusion_matrix(None)?.f1(Average::Macro)),
            Self::LogLoss => metric::log_loss(outcomes.targets(), outcomes.probabilities()),
        }
    }

    /// The number among metrics.
    pub(super) fn of(self, metrics: &ClassificationMetrics) -> f64 {
        match self {
            Self::Accuracy => metrics.accuracy,
            Self::MacroF1 => metrics.macro_f1,
            Self::LogLoss => metrics.log_loss,
        }
    }
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

impl RegressionScoring {
    /// The score of predictions, without the other metrics.
    ///
    /// # Errors
    /// [`MlError::LengthMismatch`], [`MlError::NoRows`] and [`MlError::NotFinite`].
    pub fn score(
        self,
        targets: ArrayView1<'_, f64>,
        predictions: ArrayView1<'_, f64>,
    ) -> Result<f64, MlError> {
        match self {
            Self::R2 => metric::r2_score(targets, predictions),
            Self::Mae => metric::mean_absolute_error(targets, predictions),
            Self::Rmse => metric::root_mean_squared_error(targets, predictions),
        }
    }

    /// The number among metrics.
    pub(super) fn of(self, metrics: &RegressionMetrics) -> f64 {
        match self {
            Self::R2 => metrics.r2,
            Self::Mae => metrics.mae,
            Self::Rmse => metrics.rmse,
        }
    }
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
    Ok(scoring.of(&metrics))
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
    Ok(scoring.of(&metrics))
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

//! Plots as results of tasks.

use ndarray::Array1;
use orch_core::task;
use serde::Serialize;

use crate::{
    CalibrationStrategy, ClassOutcomes, ClassPredictions, ClassificationDataset, Dataset, MlError,
    PermutationImportance, Plot, Regressor, Test,
};

/// Plots what predicted numbers miss: [`plot_residuals`](crate::plot_residuals).
#[task(cache)]
pub fn draw_residuals(test: &Test<Dataset>, predictions: &Array1<f64>) -> Result<Plot, MlError> {
    crate::plot_residuals(test.targets().view(), predictions.view())
}

/// Plots what any model that predicts numbers misses on rows held out:
/// [`plot_residuals`](crate::plot_residuals).
///
/// A handle needs the model named, as for [`evaluate_regressor`](super::evaluate_regressor).
#[task(cache)]
pub fn draw_residuals_of<M>(model: &M, test: &Test<Dataset>) -> Result<Plot, MlError>
where
    M: Regressor + Serialize,
{
    let predictions = model.predict(test.records())?;
    crate::plot_residuals(test.targets().view(), predictions.view())
}

/// Plots which classes are taken for which: [`plot_confusion_matrix`](crate::plot_confusion_matrix).
#[task(cache)]
pub fn draw_confusion_matrix(
    test: &Test<ClassificationDataset>,
    predictions: &ClassPredictions,
) -> Result<Plot, MlError> {
    let outcomes = ClassOutcomes::new(predictions, test)?;
    crate::plot_confusion_matrix(&outcomes.confusion_matrix(None)?)
}

/// Plots the ROC curve of each class: [`plot_class_roc`](crate::plot_class_roc).
#[task(cache)]
pub fn draw_roc(
    test: &Test<ClassificationDataset>,
    predictions: &ClassPredictions,
) -> Result<Plot, MlError> {
    crate::plot_class_roc(&ClassOutcomes::new(predictions, test)?)
}

/// Plots the precision-recall curve of each class:
/// [`plot_class_precision_recall`](crate::plot_class_precision_recall).
#[task(cache)]
pub fn draw_precision_recall(
    test: &Test<ClassificationDataset>,
    predictions: &ClassPredictions,
) -> Result<Plot, MlError> {
    crate::plot_class_precision_recall(&ClassOutcomes::new(predictions, test)?)
}

/// Plots whether the probabilities of each class come true:
/// [`plot_class_calibration`](crate::plot_class_calibration).
#[task(cache)]
pub fn draw_calibration(
    test: &Test<ClassificationDataset>,
    predictions: &ClassPredictions,
    n_bins: usize,
    strategy: CalibrationStrategy,
) -> Result<Plot, MlError> {
    let outcomes = ClassOutcomes::new(predictions, test)?;
    crate::plot_class_calibration(&outcomes, n_bins, strategy)
}

/// Plots what a score loses when features are shuffled:
/// [`plot_permutation_importance`](crate::plot_permutation_importance).
#[task(cache)]
pub fn draw_importance(importance: &PermutationImportance) -> Result<Plot, MlError> {
    crate::plot_permutation_importance(importance)
}

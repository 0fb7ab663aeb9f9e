//! Tasks that put a fitted model together with what belongs to it, and use it.

use std::path::Path;

use ndarray::Array2;
use orch_core::{DataFile, task};
use serde::Serialize;

use crate::{
    Algorithm, ClassificationDataset, ClassificationMetrics, Dataset, FittedPreprocessor, MlError,
    Model, Predictions, RegressionMetrics, Table, Train,
};

/// Puts a model that predicts numbers together with the options that it was fitted with (`()` if there
/// are none), the digest of the rows that it was fitted to, and its metrics: [`Model`].
///
/// A handle needs the types named: `pack_regressor::<RidgeModel, RidgeOptions>(..)`.
#[task(cache)]
pub fn pack_regressor<M, O>(
    model: &M,
    options: &O,
    train: &Train<Dataset>,
    metrics: &RegressionMetrics,
) -> Result<Model, MlError>
where
    M: Clone + Into<Algorithm> + Serialize,
    O: Serialize,
{
    Ok(Model::new(model.clone())
        .with_hyperparameters(options)?
        .with_training_data(train)
        .with_metrics(metrics.named()))
}

/// As [`pack_regressor`], for a model that predicts classes.
///
/// A handle needs the types named: `pack_classifier::<ForestClassifier, ForestOptions>(..)`.
#[task(cache)]
pub fn pack_classifier<M, O>(
    model: &M,
    options: &O,
    train: &Train<ClassificationDataset>,
    metrics: &ClassificationMetrics,
) -> Result<Model, MlError>
where
    M: Clone + Into<Algorithm> + Serialize,
    O: Serialize,
{
    Ok(Model::new(model.clone())
        .with_hyperparameters(options)?
        .with_training_data(train)
        .with_metrics(metrics.named()))
}

/// Adds the preprocessing that made the features of a model, which then takes raw tables:
/// [`Model::with_preprocessor`].
#[task(cache)]
pub fn add_preprocessor(
    model: &Model,
    preprocessor: &FittedPreprocessor,
) -> Result<Model, MlError> {
    model.clone().with_preprocessor(preprocessor.clone())
}

/// Predicts for each row of a raw table: [`Model::predict`].
#[task(cache)]
pub fn predict_table(model: &Model, table: &Table) -> Result<Predictions, MlError> {
    model.predict(table)
}

/// Predicts the probability of each class for each row of a raw table:
/// [`Model::predict_probabilities`].
#[task(cache)]
pub fn predict_probabilities(model: &Model, table: &Table) -> Result<Array2<f64>, MlError> {
    model.predict_probabilities(table)
}

/// Writes a model as an ONNX file and returns the file: [`export_onnx`](crate::export_onnx()).
///
/// The file is looked at before a cached result counts, as by [`save_model`](crate::tasks::save_model).
#[task(cache)]
pub fn export_onnx(model: &Model, #[key(path)] path: &Path) -> Result<DataFile, MlError> {
    crate::export_onnx(model, path)?;
    Ok(DataFile::from(path))
}

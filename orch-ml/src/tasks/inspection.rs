//! What models make of groups of rows and of features.

use ndarray::Array1;
use orch_core::task;

use crate::{
    ClassOutcomes, ClassPartialDependence, ClassPredictions, ClassificationDataset, Dataset,
    ForestClassifier, ForestRegressor, GridOptions, LinearModel, MlError, PartialDependence,
    PermutationImportance, PermutationOptions, Records, Table, Test,
};

/// Evaluates predicted numbers for each value of a column of the table that the test rows were taken
/// from, row by row: [`regression_by_slice`](crate::regression_by_slice).
#[task(cache)]
pub fn evaluate_slices(
    table: &Test<Table>,
    column: &str,
    test: &Test<Dataset>,
    predictions: &Array1<f64>,
) -> Result<Table, MlError> {
    crate::regression_by_slice(table, column, test.targets().view(), predictions.view())
}

/// As [`evaluate_slices`], of predicted classes:
/// [`classification_by_slice`](crate::classification_by_slice).
#[task(cache)]
pub fn evaluate_class_slices(
    table: &Test<Table>,
    column: &str,
    test: &Test<ClassificationDataset>,
    predictions: &ClassPredictions,
) -> Result<Table, MlError> {
    crate::classification_by_slice(table, column, &ClassOutcomes::new(predictions, test)?)
}

/// Shuffles features and measures what R² loses:
/// [`regression_importance`](crate::regression_importance).
#[task(cache)]
pub fn importance_linear(
    model: &LinearModel,
    test: &Test<Dataset>,
    options: PermutationOptions,
) -> Result<PermutationImportance, MlError> {
    crate::regression_importance(model, test, &options, crate::r2_score)
}

/// As [`importance_linear`], of a random forest that predicts numbers.
#[task(cache)]
pub fn importance_forest_regressor(
    model: &ForestRegressor,
    test: &Test<Dataset>,
    options: PermutationOptions,
) -> Result<PermutationImportance, MlError> {
    crate::regression_importance(model, test, &options, crate::r2_score)
}

/// Shuffles features and measures what the accuracy loses:
/// [`classification_importance`](crate::classification_importance).
#[task(cache)]
pub fn importance_forest_classifier(
    model: &ForestClassifier,
    test: &Test<ClassificationDataset>,
    options: PermutationOptions,
) -> Result<PermutationImportance, MlError> {
    crate::classification_importance(model, test, &options, |outcomes| {
        crate::accuracy(outcomes.targets(), outcomes.predictions())
    })
}

/// Mean predictions by the value of a feature: [`partial_dependence`](crate::partial_dependence).
#[task(cache)]
pub fn dependence_linear(
    model: &LinearModel,
    records: &Records,
    feature: &str,
    options: GridOptions,
) -> Result<PartialDependence, MlError> {
    crate::partial_dependence(model, records, feature, &options, None)
}

/// As [`dependence_linear`], of a random forest that predicts numbers.
#[task(cache)]
pub fn dependence_forest_regressor(
    model: &ForestRegressor,
    records: &Records,
    feature: &str,
    options: GridOptions,
) -> Result<PartialDependence, MlError> {
    crate::partial_dependence(model, records, feature, &options, None)
}

/// Mean probabilities by the value of a feature:
/// [`class_partial_dependence`](crate::class_partial_dependence).
#[task(cache)]
pub fn dependence_forest_classifier(
    model: &ForestClassifier,
    records: &Records,
    feature: &str,
    options: GridOptions,
) -> Result<ClassPartialDependence, MlError> {
    crate::class_partial_dependence(model, records, feature, &options, None)
}

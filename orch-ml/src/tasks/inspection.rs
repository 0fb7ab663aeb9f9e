//! What models make of groups of rows and of features.

use ndarray::Array1;
use orch_core::task;
use serde::Serialize;

use crate::{
    ClassOutcomes, ClassPartialDependence, ClassPredictions, ClassificationDataset,
    ClassificationScoring, Classifier, Dataset, ForestClassifier, ForestRegressor, GridOptions,
    LinearModel, MeasureWith, MlError, PartialDependence, PermutationImportance,
    PermutationOptions, Records, RegressionScoring, Regressor, Scoring, Table, Test, Train,
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

/// Shuffles features and measures what any model that predicts numbers loses by it; of a score of
/// which less is better, the negative is measured: [`regression_importance`](crate::regression_importance).
///
/// A handle needs the model named: `importance_of_regressor::<RidgeModel>(&model, &test, ..)`.
#[task(cache)]
pub fn importance_of_regressor<M>(
    model: &M,
    test: &Test<Dataset>,
    scoring: RegressionScoring,
    options: PermutationOptions,
) -> Result<PermutationImportance, MlError>
where
    M: Regressor + Sync + Serialize,
{
    of_regressor(model, test, scoring, &options)
}

/// As [`importance_of_regressor`], with the rows that the model was trained on: what it goes by there,
/// which may be what it learned by heart.
#[task(cache)]
pub fn importance_of_regressor_in_training<M>(
    model: &M,
    train: &Train<Dataset>,
    scoring: RegressionScoring,
    options: PermutationOptions,
) -> Result<PermutationImportance, MlError>
where
    M: Regressor + Sync + Serialize,
{
    of_regressor(model, &**train, scoring, &options)
}

fn of_regressor<M: Regressor + Sync>(
    model: &M,
    test: &impl MeasureWith<Dataset>,
    scoring: RegressionScoring,
    options: &PermutationOptions,
) -> Result<PermutationImportance, MlError> {
    crate::regression_importance(model, test, options, |targets, predictions| {
        Ok(scoring.rising(scoring.score(targets, predictions)?))
    })
}

/// As [`importance_of_regressor`], of any model that predicts classes:
/// [`classification_importance`](crate::classification_importance).
#[task(cache)]
pub fn importance_of_classifier<M>(
    model: &M,
    test: &Test<ClassificationDataset>,
    scoring: ClassificationScoring,
    options: PermutationOptions,
) -> Result<PermutationImportance, MlError>
where
    M: Classifier + Sync + Serialize,
{
    of_classifier(model, test, scoring, &options)
}

/// As [`importance_of_classifier`], with the rows that the model was trained on.
#[task(cache)]
pub fn importance_of_classifier_in_training<M>(
    model: &M,
    train: &Train<ClassificationDataset>,
    scoring: ClassificationScoring,
    options: PermutationOptions,
) -> Result<PermutationImportance, MlError>
where
    M: Classifier + Sync + Serialize,
{
    of_classifier(model, &**train, scoring, &options)
}

fn of_classifier<M: Classifier + Sync>(
    model: &M,
    test: &impl MeasureWith<ClassificationDataset>,
    scoring: ClassificationScoring,
    options: &PermutationOptions,
) -> Result<PermutationImportance, MlError> {
    crate::classification_importance(model, test, options, |outcomes| {
        Ok(scoring.rising(scoring.score(outcomes)?))
    })
}

/// Mean predictions of any model that predicts numbers, by the value of a feature:
/// [`partial_dependence`](crate::partial_dependence).
#[task(cache)]
pub fn dependence_of_regressor<M>(
    model: &M,
    records: &Records,
    feature: &str,
    options: GridOptions,
) -> Result<PartialDependence, MlError>
where
    M: Regressor + Sync + Serialize,
{
    crate::partial_dependence(model, records, feature, &options, None)
}

/// Mean probabilities of any model that predicts classes, by the value of a feature:
/// [`class_partial_dependence`](crate::class_partial_dependence).
#[task(cache)]
pub fn dependence_of_classifier<M>(
    model: &M,
    records: &Records,
    feature: &str,
    options: GridOptions,
) -> Result<ClassPartialDependence, MlError>
where
    M: Classifier + Sync + Serialize,
{
    crate::class_partial_dependence(model, records, feature, &options, None)
}

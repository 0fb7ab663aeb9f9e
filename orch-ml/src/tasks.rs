//! The functions of this crate as tasks, for flows that need nothing in between.
//!
//! Each task is the plain function of the same work under a word that reads well in a flow; `with()`
//! sets what a flow needs: a name, retries, a limit. None is `async`: they run on the compute pool.
//!
//! All of them are cached: on an engine with a store, a second run of a flow reads the file, to see
//! whether it is what it was, and computes what a change concerns. Tables and datasets that come
//! from a store have forgotten the file they were read from; messages name their rows by the
//! position in the table.
//!
//! | Work | Numbers | Classes |
//! |---|---|---|
//! | read, clean | [`load_csv`], [`load_json_lines`], [`load_json_lines_with`], [`parse_timestamps`], [`drop_incomplete`], [`drop_incomplete_in`] | the same |
//! | check | [`check`], [`check_file_age`], [`passed`] | the same |
//! | | [`drop_duplicates`], [`drop_duplicates_in`], [`impute`] | the same |
//! | prepare | [`prepare`], [`fit_preprocessor`], [`apply_preprocessor`] | [`prepare_classes`], [`fit_preprocessor`], [`apply_preprocessor`] |
//! | select | [`select_features`], [`separate_target`] | [`select_labelled`], [`separate_label`] |
//! | split | [`split`], [`split_table`], [`train_on_all`] | [`split_classes`], [`split_table`], [`train_on_all_classes`] |
//! | train | [`train_linear`], [`train_forest_regressor`] | [`train_forest_classifier`] |
//! | tune | [`search_forest_regressor`], [`train_best_forest_regressor`] | [`search_forest_classifier`], [`train_best_forest_classifier`] |
//! | judge a search | [`nested_search_forest_regressor`] | [`nested_search_forest_classifier`] |
//! | evaluate | [`evaluate_linear`], [`evaluate_forest_regressor`] | [`evaluate_forest_classifier`] |
//! | evaluate by group | [`evaluate_slices`] | [`evaluate_class_slices`] |
//! | importance of features | [`importance_linear`], [`importance_forest_regressor`] | [`importance_forest_classifier`] |
//! | dependence on a feature | [`dependence_linear`], [`dependence_forest_regressor`] | [`dependence_forest_classifier`] |
//! | importance of features of any | [`importance_of_regressor`] | [`importance_of_classifier`] |
//! | dependence on a feature of any | [`dependence_of_regressor`] | [`dependence_of_classifier`] |
//! | predict | [`predict_linear`], [`predict_forest_regressor`] | [`predict_forest_classifier`] |
//! | train others | [`train_ridge`], [`train_lasso`], [`train_elastic_net`], [`train_tree_regressor`] | [`train_logistic`], [`train_linear_svm`], [`train_naive_bayes`], [`train_discrete_bayes`], [`train_tree_classifier`] |
//! | train with weights | [`select_weights`], [`train_weighted_tree_regressor`], [`train_weighted_forest_regressor`] | [`select_weights`], [`train_weighted_logistic`] and others |
//! | train with the feature `boosting` | `train_boosted_regressor` | `train_boosted_classifier` |
//! | cluster | [`select_records`], [`cluster_kmeans`], [`cluster_dbscan`], [`predict_cluster`] | the same |
//! | evaluate any | [`evaluate_regressor`] | [`evaluate_classifier`] |
//! | predict with any | [`predict_numbers`] | [`predict_classes`] |
//! | plot | [`draw_residuals`], [`draw_residuals_of`], [`draw_importance`] | [`draw_confusion_matrix`], [`draw_roc`], [`draw_precision_recall`], [`draw_calibration`], [`draw_importance`] |
//! | keep | [`save_model`], [`load_model`] | the same |
//!
//! What trains, evaluates or tries a model logs its options as params and what it measured as metrics: see
//! [`log_metrics`] and [`log_trial`](crate::log_trial) for the names.
//!
//! With `retries`, an error that trying again cannot mend, such as a missing file or a row that is
//! wrong, ends the task run at its first attempt: see [`MlError`].
//!
//! # Examples
//! ```
//! use orch_core::prelude::*;
//! use orch_ml::tasks::{drop_incomplete, evaluate_linear, load_csv, select_features, split, train_linear};
//! use orch_ml::{CsvOptions, RegressionMetrics, Split};
//!
//! #[flow]
//! async fn mass_of_penguins(file: DataFile) -> Result<RegressionMetrics, TaskError> {
//!     let table = load_csv(file, CsvOptions::default());
//!     let complete = drop_incomplete(&table);
//!     let features = vec!["bill_length_mm".to_owned(), "flipper_length_mm".to_owned()];
//!     let dataset = select_features(&complete, features, "body_mass_g");
//!     let (train, test) = split(&dataset, Split::random(0.2).seed(42)).unzip();
//!     let model = train_linear(&train);
//!     Ok(*evaluate_linear(&model, &test).await?)
//! }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # tokio::runtime::Builder::new_current_thread().enable_time().build()?.block_on(async {
//! let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/data/penguins.csv");
//! let metrics = mass_of_penguins(file).await?;
//! assert_eq!(metrics.n_rows, 67);
//! # Ok(())
//! # })
//! # }
//! ```

#[cfg(feature = "boosting")]
mod boosting;
mod checks;
mod inspection;
mod models;
mod nested;
mod packing;
mod plots;
mod search;
mod sources;
mod weighted;

pub use self::search::{
    ForestClassifierSearch, ForestRegressorSearch, rank_forest_classifiers, rank_forest_regressors,
    search_forest_classifier, search_forest_regressor, train_best_forest_classifier,
    train_best_forest_regressor, try_forest_classifier, try_forest_regressor,
};

use std::convert::Infallible;
use std::path::Path;

use ndarray::Array1;
use orch_core::{DataFile, Storable, Track as _, task};
use serde::Serialize;

#[cfg(feature = "boosting")]
pub use self::boosting::{train_boosted_classifier, train_boosted_regressor};
pub use self::checks::{check_file_age, passed, quarantine};
pub use self::inspection::{
    dependence_forest_classifier, dependence_forest_regressor, dependence_linear,
    dependence_of_classifier, dependence_of_regressor, evaluate_class_slices, evaluate_slices,
    importance_forest_classifier, importance_forest_regressor, importance_linear,
    importance_of_classifier, importance_of_classifier_in_training, importance_of_regressor,
    importance_of_regressor_in_training,
};
pub use self::models::{
    cluster_dbscan, cluster_kmeans, evaluate_classifier, evaluate_regressor, predict_classes,
    predict_cluster, predict_numbers, select_records, train_discrete_bayes, train_elastic_net,
    train_lasso, train_linear_svm, train_logistic, train_naive_bayes, train_ridge,
    train_tree_classifier, train_tree_regressor,
};
pub use self::nested::{
    NestedForestClassifierSearch, NestedForestRegressorSearch, gather_forest_classifiers,
    gather_forest_regressors, judge_forest_classifier, judge_forest_regressor,
    nested_search_forest_classifier, nested_search_forest_regressor, take_fold,
    take_fold_of_classes,
};
pub use self::packing::{
    add_preprocessor, export_onnx, pack_classifier, pack_regressor, predict_probabilities,
    predict_table,
};
pub use self::plots::{
    draw_calibration, draw_confusion_matrix, draw_importance, draw_precision_recall,
    draw_residuals, draw_residuals_of, draw_roc,
};
#[cfg(feature = "arrow")]
pub use self::sources::load_arrow;
#[cfg(feature = "http")]
pub use self::sources::load_csv_url;
#[cfg(feature = "parquet")]
pub use self::sources::load_parquet;
#[cfg(feature = "postgres")]
pub use self::sources::query_postgres;
#[cfg(feature = "sqlite")]
pub use self::sources::query_sqlite;
#[cfg(feature = "object-store")]
pub use self::sources::{fetch_object, put_object};
pub use self::sources::{load_json_lines_with, parse_timestamps};
pub use self::weighted::{
    select_weights, train_weighted_discrete_bayes, train_weighted_forest_classifier,
    train_weighted_forest_regressor, train_weighted_linear_svm, train_weighted_logistic,
    train_weighted_naive_bayes, train_weighted_tree_classifier, train_weighted_tree_regressor,
};
use crate::tracking::{log_metrics, note};
use crate::{
    Check, Checked, ClassPredictions, ClassificationDataset, ClassificationMetrics, CsvOptions,
    Dataset, FittedPreprocessor, ForestClassifier, ForestOptions, ForestRegressor, ImputeOptions,
    Keep, LinearModel, MlError, Model, Preprocessor, Records, RegressionMetrics, Split, Table,
    Test, Train,
};

/// Reads a CSV file: [`read_csv`](crate::read_csv).
#[task(cache)]
pub fn load_csv(file: DataFile, options: CsvOptions) -> Result<Table, MlError> {
    crate::read_csv(file.path(), &options)
}

/// Reads a file of one JSON object a line: [`read_json_lines`](crate::read_json_lines).
#[task(cache)]
pub fn load_json_lines(file: DataFile) -> Result<Table, MlError> {
    crate::read_json_lines(file.path())
}

/// Checks a table; what the checks found is part of the result: [`check_table`](crate::check_table).
#[task(cache)]
pub fn check(table: &Table, checks: &[Check]) -> Result<Checked, MlError> {
    crate::check_table(table, checks)
}

/// Keeps the rows that have a value in every column: [`drop_missing`](crate::drop_missing).
#[task(cache)]
pub fn drop_incomplete(table: &Table) -> Result<Table, MlError> {
    crate::drop_missing(table)
}

/// Keeps the rows that have a value in each of the given columns:
/// [`drop_missing_in`](crate::drop_missing_in).
#[task(cache)]
pub fn drop_incomplete_in(table: &Table, columns: &[String]) -> Result<Table, MlError> {
    crate::drop_missing_in(table, columns)
}

/// Keeps one of the rows that are equal in every column:
/// [`drop_duplicates`](crate::drop_duplicates()).
#[task(cache)]
pub fn drop_duplicates(table: &Table, keep: Keep) -> Table {
    crate::drop_duplicates(table, keep)
}

/// Keeps one of the rows that are equal in each of the given columns:
/// [`drop_duplicates_in`](crate::drop_duplicates_in()).
#[task(cache)]
pub fn drop_duplicates_in(table: &Table, columns: &[String], keep: Keep) -> Result<Table, MlError> {
    crate::drop_duplicates_in(table, columns, keep)
}

/// Puts values in the place of missing ones: [`impute`](crate::impute()).
///
/// What is imputed is learned of the rows themselves; see [`fit_preprocessor`] for rows to train on
/// and others.
#[task(cache)]
pub fn impute(table: &Table, columns: &[String], options: ImputeOptions) -> Result<Table, MlError> {
    crate::impute(table, columns, options)
}

/// Fits steps of preprocessing to the rows to train on: [`Preprocessor::fit`].
#[task(cache)]
pub fn fit_preprocessor(
    train: &Train<Table>,
    preprocessor: Preprocessor,
) -> Result<FittedPreprocessor, MlError> {
    preprocessor.fit(train)
}

/// Fits steps of preprocessing to the rows to train on, does them to both sides of a split, and takes
/// the features that they make and a numeric target out of them.
#[task(cache)]
pub fn prepare(
    train: &Train<Table>,
    test: &Test<Table>,
    preprocessor: Preprocessor,
    target: &str,
) -> Result<(FittedPreprocessor, Train<Dataset>, Test<Dataset>), MlError> {
    let fitted = preprocessor.fit(train)?;
    let features = fitted.feature_names_out().to_vec();
    let select = |table: &Table| crate::to_dataset(table, &features, target);
    let train = fitted.apply_to_train(train)?.try_map(select)?;
    let test = fitted.apply_to_test(test)?.try_map(select)?;
    Ok((fitted, train, test))
}

/// As [`prepare`], with a column of labels.
#[task(cache)]
pub fn prepare_classes(
    train: &Train<Table>,
    test: &Test<Table>,
    preprocessor: Preprocessor,
    target: &str,
) -> Result<
    (
        FittedPreprocessor,
        Train<ClassificationDataset>,
        Test<ClassificationDataset>,
    ),
    MlError,
> {
    let fitted = preprocessor.fit(train)?;
    let features = fitted.feature_names_out().to_vec();
    let select = |table: &Table| crate::to_classification_dataset(table, &features, target);
    let train = fitted.apply_to_train(train)?.try_map(select)?;
    let test = fitted.apply_to_test(test)?.try_map(select)?;
    Ok((fitted, train, test))
}

/// Does fitted steps of preprocessing to rows: [`FittedPreprocessor::apply`].
#[task(cache)]
pub fn apply_preprocessor(
    preprocessor: &FittedPreprocessor,
    table: &Table,
) -> Result<Table, MlError> {
    preprocessor.apply(table)
}

/// Takes features and a numeric target out of a table: [`to_dataset`](crate::to_dataset).
#[task(cache)]
pub fn select_features(
    table: &Table,
    features: &[String],
    target: &str,
) -> Result<Dataset, MlError> {
    crate::to_dataset(table, features, target)
}

/// As [`select_features`], every column but the target being a feature.
#[task(cache)]
pub fn separate_target(table: &Table, target: &str) -> Result<Dataset, MlError> {
    crate::to_dataset(table, &all_but(table, target), target)
}

/// Takes features and a column of labels out of a table:
/// [`to_classification_dataset`](crate::to_classification_dataset).
#[task(cache)]
pub fn select_labelled(
    table: &Table,
    features: &[String],
    target: &str,
) -> Result<ClassificationDataset, MlError> {
    crate::to_classification_dataset(table, features, target)
}

/// As [`select_labelled`], every column but the target being a feature.
#[task(cache)]
pub fn separate_label(table: &Table, target: &str) -> Result<ClassificationDataset, MlError> {
    crate::to_classification_dataset(table, &all_but(table, target), target)
}

fn all_but(table: &Table, target: &str) -> Vec<String> {
    let names = table.column_names().iter();
    names.filter(|name| *name != target).cloned().collect()
}

/// Splits into rows to train on and rows to test on:
/// [`train_test_split`](crate::train_test_split).
#[task(cache)]
pub fn split(dataset: &Dataset, split: Split) -> Result<(Train<Dataset>, Test<Dataset>), MlError> {
    crate::train_test_split(dataset, &split)
}

/// Splits into rows to train on and rows to test on:
/// [`train_test_split`](crate::train_test_split).
#[task(cache)]
pub fn split_classes(
    dataset: &ClassificationDataset,
    split: Split,
) -> Result<(Train<ClassificationDataset>, Test<ClassificationDataset>), MlError> {
    crate::train_test_split(dataset, &split)
}

/// Splits a table, by one of its columns if need be:
/// [`train_test_split`](crate::train_test_split).
#[task(cache)]
pub fn split_table(table: &Table, split: Split) -> Result<(Train<Table>, Test<Table>), MlError> {
    crate::train_test_split(table, &split)
}

/// Marks all rows of a table as rows to train on, for what is measured with other data.
#[task(cache)]
pub fn train_on_all_rows(table: Table) -> Train<Table> {
    Train::all(table)
}

/// Marks all rows as rows to train on, for a model that is measured with other data.
#[task(cache)]
pub fn train_on_all(dataset: Dataset) -> Train<Dataset> {
    Train::all(dataset)
}

/// The same for classes.
#[task(cache)]
pub fn train_on_all_classes(dataset: ClassificationDataset) -> Train<ClassificationDataset> {
    Train::all(dataset)
}

/// Fits a linear regression: [`fit_linear`](crate::fit_linear).
#[task(cache)]
pub fn train_linear(train: &Train<Dataset>) -> Result<LinearModel, MlError> {
    crate::fit_linear(train)
}

/// Fits a random forest that predicts numbers:
/// [`fit_forest_regressor`](crate::fit_forest_regressor).
#[task(cache)]
pub fn train_forest_regressor(
    train: &Train<Dataset>,
    options: ForestOptions,
) -> Result<ForestRegressor, MlError> {
    note(|log| log.log_params(&options));
    crate::fit_forest_regressor(train, &options)
}

/// Fits a random forest that predicts classes:
/// [`fit_forest_classifier`](crate::fit_forest_classifier).
#[task(cache)]
pub fn train_forest_classifier(
    train: &Train<ClassificationDataset>,
    options: ForestOptions,
) -> Result<ForestClassifier, MlError> {
    note(|log| log.log_params(&options));
    crate::fit_forest_classifier(train, &options)
}

/// Evaluates a linear regression: [`evaluate_regression`](crate::evaluate_regression).
#[task(cache)]
pub fn evaluate_linear(
    model: &LinearModel,
    test: &Test<Dataset>,
) -> Result<RegressionMetrics, MlError> {
    let metrics = crate::evaluate_regression(model, test)?;
    note(|log| log_metrics(log, &metrics));
    Ok(metrics)
}

/// Evaluates a random forest that predicts numbers:
/// [`evaluate_regression`](crate::evaluate_regression).
#[task(cache)]
pub fn evaluate_forest_regressor(
    model: &ForestRegressor,
    test: &Test<Dataset>,
) -> Result<RegressionMetrics, MlError> {
    let metrics = crate::evaluate_regression(model, test)?;
    note(|log| log_metrics(log, &metrics));
    Ok(metrics)
}

/// Evaluates a random forest that predicts classes:
/// [`evaluate_classification`](crate::evaluate_classification).
#[task(cache)]
pub fn evaluate_forest_classifier(
    model: &ForestClassifier,
    test: &Test<ClassificationDataset>,
) -> Result<ClassificationMetrics, MlError> {
    let metrics = crate::evaluate_classification(model, test)?;
    note(|log| log_metrics(log, &metrics));
    Ok(metrics)
}

/// Predicts a number for each row: [`LinearModel::predict`].
#[task(cache)]
pub fn predict_linear(model: &LinearModel, records: &Records) -> Result<Array1<f64>, MlError> {
    model.predict(records)
}

/// Predicts a number for each row: [`ForestRegressor::predict`].
#[task(cache)]
pub fn predict_forest_regressor(
    model: &ForestRegressor,
    records: &Records,
) -> Result<Array1<f64>, MlError> {
    model.predict(records)
}

/// Predicts a class for each row: [`ForestClassifier::predict`].
#[task(cache)]
pub fn predict_forest_classifier(
    model: &ForestClassifier,
    records: &Records,
) -> Result<ClassPredictions, MlError> {
    model.predict(records)
}

/// Writes a model to a file and returns the file, for [`load_model`] or whoever needs it next:
/// [`save_model`](crate::save_model()).
///
/// `M` is a model of this crate or [`Model`]. A handle needs it named:
/// `save_model::<LinearModel>(&model, "mass.model")`. The file is looked at before a cached result
/// counts: one that is gone or another is written again.
#[task(cache)]
pub fn save_model<M>(model: &M, #[key(path)] path: &Path) -> Result<DataFile, MlError>
where
    M: Clone + Into<Model> + Serialize,
{
    crate::save_model(&model.clone().into(), path)?;
    Ok(DataFile::from(path))
}

/// Reads a model that was saved: [`load_model`](crate::load_model()).
///
/// `M` says which model it has to be: `load_model::<LinearModel>(&file)`; [`Model`] takes any.
///
/// # Errors
/// Those of the plain function; [`MlError::WrongModelKind`] if the file holds another model.
#[task(cache)]
pub fn load_model<M>(file: DataFile) -> Result<M, MlError>
where
    M: TryFrom<Model> + Storable,
    MlError: From<M::Error>,
{
    Ok(M::try_from(crate::load_model(file.path())?)?)
}

impl From<Infallible> for MlError {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

//! Tasks for models beyond linear regression and forests, and for any model.

use ndarray::Array1;
use orch_core::{Track as _, task};
use serde::Serialize;

use crate::tracking::{log_metrics, note};
use crate::{
    ClassPredictions, ClassificationDataset, ClassificationMetrics, Classifier, Dataset,
    DbscanClusters, DbscanOptions, DiscreteBayesModel, DiscreteBayesOptions, ElasticNetModel,
    ElasticNetOptions, KMeansModel, KMeansOptions, LassoOptions, LinearSvm, LinearSvmOptions,
    LogisticModel, LogisticOptions, MlError, NaiveBayesModel, NaiveBayesOptions, Records,
    RegressionMetrics, Regressor, RidgeModel, RidgeOptions, Table, Test, Train, TreeClassifier,
    TreeOptions, TreeRegressor,
};

/// Fits a ridge regression: [`fit_ridge`](crate::fit_ridge).
#[task(cache)]
pub fn train_ridge(train: &Train<Dataset>, options: RidgeOptions) -> Result<RidgeModel, MlError> {
    note(|log| log.log_params(&options));
    crate::fit_ridge(train, &options)
}

/// Fits a lasso: [`fit_lasso`](crate::fit_lasso).
#[task(cache)]
pub fn train_lasso(
    train: &Train<Dataset>,
    options: LassoOptions,
) -> Result<ElasticNetModel, MlError> {
    note(|log| log.log_params(&options));
    crate::fit_lasso(train, &options)
}

/// Fits an elastic net: [`fit_elastic_net`](crate::fit_elastic_net).
#[task(cache)]
pub fn train_elastic_net(
    train: &Train<Dataset>,
    options: ElasticNetOptions,
) -> Result<ElasticNetModel, MlError> {
    note(|log| log.log_params(&options));
    crate::fit_elastic_net(train, &options)
}

/// Fits a logistic regression: [`fit_logistic`](crate::fit_logistic).
#[task(cache)]
pub fn train_logistic(
    train: &Train<ClassificationDataset>,
    options: LogisticOptions,
) -> Result<LogisticModel, MlError> {
    note(|log| log.log_params(&options));
    crate::fit_logistic(train, &options)
}

/// Fits a linear support vector machine: [`fit_linear_svm`](crate::fit_linear_svm).
#[task(cache)]
pub fn train_linear_svm(
    train: &Train<ClassificationDataset>,
    options: LinearSvmOptions,
) -> Result<LinearSvm, MlError> {
    note(|log| log.log_params(&options));
    crate::fit_linear_svm(train, &options)
}

/// Fits a Gaussian naive Bayes model: [`fit_naive_bayes`](crate::fit_naive_bayes).
#[task(cache)]
pub fn train_naive_bayes(
    train: &Train<ClassificationDataset>,
    options: NaiveBayesOptions,
) -> Result<NaiveBayesModel, MlError> {
    note(|log| log.log_params(&options));
    crate::fit_naive_bayes(train, &options)
}

/// Fits a naive Bayes model of counts: [`fit_discrete_bayes`](crate::fit_discrete_bayes).
#[task(cache)]
pub fn train_discrete_bayes(
    train: &Train<ClassificationDataset>,
    options: DiscreteBayesOptions,
) -> Result<DiscreteBayesModel, MlError> {
    crate::fit_discrete_bayes(train, &options)
}

/// Fits a decision tree that predicts numbers: [`fit_tree_regressor`](crate::fit_tree_regressor).
#[task(cache)]
pub fn train_tree_regressor(
    train: &Train<Dataset>,
    options: TreeOptions,
) -> Result<TreeRegressor, MlError> {
    note(|log| log.log_params(&options));
    crate::fit_tree_regressor(train, &options)
}

/// Fits a decision tree that predicts classes:
/// [`fit_tree_classifier`](crate::fit_tree_classifier).
#[task(cache)]
pub fn train_tree_classifier(
    train: &Train<ClassificationDataset>,
    options: TreeOptions,
) -> Result<TreeClassifier, MlError> {
    note(|log| log.log_params(&options));
    crate::fit_tree_classifier(train, &options)
}

/// Takes features out of a table, without a target: [`to_records`](crate::to_records).
#[task(cache)]
pub fn select_records(table: &Table, features: &[String]) -> Result<Records, MlError> {
    crate::to_records(table, features)
}

/// Finds clusters by k-means: [`fit_kmeans`](crate::fit_kmeans).
#[task(cache)]
pub fn cluster_kmeans(records: &Records, options: KMeansOptions) -> Result<KMeansModel, MlError> {
    note(|log| log.log_params(&options));
    crate::fit_kmeans(records, &options)
}

/// Finds clusters by density: [`fit_dbscan`](crate::fit_dbscan).
#[task(cache)]
pub fn cluster_dbscan(
    records: &Records,
    options: DbscanOptions,
) -> Result<DbscanClusters, MlError> {
    note(|log| log.log_params(&options));
    crate::fit_dbscan(records, &options)
}

/// Gives each row the cluster of the nearest centroid: [`KMeansModel::predict`].
#[task(cache)]
pub fn predict_cluster(model: &KMeansModel, records: &Records) -> Result<Vec<u32>, MlError> {
    model.predict(records)
}

/// Evaluates any model that predicts numbers: [`evaluate_regression`](crate::evaluate_regression).
///
/// A handle needs the model named: `evaluate_regressor::<RidgeModel>(&model, &test)`.
#[task(cache)]
pub fn evaluate_regressor<M>(model: &M, test: &Test<Dataset>) -> Result<RegressionMetrics, MlError>
where
    M: Regressor + Serialize,
{
    let metrics = crate::evaluate_regression(model, test)?;
    note(|log| log_metrics(log, &metrics));
    Ok(metrics)
}

/// Evaluates any model that predicts classes:
/// [`evaluate_classification`](crate::evaluate_classification).
///
/// A handle needs the model named: `evaluate_classifier::<LogisticModel>(&model, &test)`.
#[task(cache)]
pub fn evaluate_classifier<M>(
    model: &M,
    test: &Test<ClassificationDataset>,
) -> Result<ClassificationMetrics, MlError>
where
    M: Classifier + Serialize,
{
    let metrics = crate::evaluate_classification(model, test)?;
    note(|log| log_metrics(log, &metrics));
    Ok(metrics)
}

/// Predicts a number for each row by any model that does: [`Regressor::predict`].
///
/// A handle needs the model named, as for [`evaluate_regressor`].
#[task(cache)]
pub fn predict_numbers<M>(model: &M, records: &Records) -> Result<Array1<f64>, MlError>
where
    M: Regressor + Serialize,
{
    model.predict(records)
}

/// Predicts a class for each row by any model that does: [`Classifier::predict`].
///
/// A handle needs the model named, as for [`evaluate_classifier`].
#[task(cache)]
pub fn predict_classes<M>(model: &M, records: &Records) -> Result<ClassPredictions, MlError>
where
    M: Classifier + Serialize,
{
    model.predict(records)
}

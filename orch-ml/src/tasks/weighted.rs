//! Tasks that fit to rows of which some count more than others; those of the same model without
//! weights are in [`models`](super::models).

use ndarray::Array1;
use orch_core::task;

use crate::{
    ClassificationDataset, Dataset, DiscreteBayesModel, DiscreteBayesOptions, ForestClassifier,
    ForestOptions, ForestRegressor, LinearSvm, LinearSvmOptions, LogisticModel, LogisticOptions,
    MlError, NaiveBayesModel, NaiveBayesOptions, Table, Train, TreeClassifier, TreeOptions,
    TreeRegressor, Weighted,
};

/// Takes the numbers of a column, such as weights of rows: [`Table::to_vector`].
#[task(cache)]
pub fn select_weights(train: &Train<Table>, column: &str) -> Result<Array1<f64>, MlError> {
    train.to_vector(column)
}

macro_rules! weighted_tasks {
    ($($(#[$doc:meta])* $name:ident($data:ty, $options:ty) -> $model:ty, $fit:ident;)*) => {$(
        $(#[$doc])*
        #[task(cache)]
        pub fn $name(
            train: &Train<$data>,
            weights: &Array1<f64>,
            options: $options,
        ) -> Result<$model, MlError> {
            let weights = weights.to_vec();
            crate::$fit(&Weighted::new(train, &weights)?, &options)
        }
    )*};
}

weighted_tasks! {
    /// Fits a logistic regression to weighted rows: [`fit_logistic`](crate::fit_logistic).
    train_weighted_logistic(ClassificationDataset, LogisticOptions) -> LogisticModel, fit_logistic;
    /// Fits a linear support vector machine to weighted rows: [`fit_linear_svm`](crate::fit_linear_svm).
    train_weighted_linear_svm(ClassificationDataset, LinearSvmOptions) -> LinearSvm, fit_linear_svm;
    /// Fits a Gaussian naive Bayes model to weighted rows: [`fit_naive_bayes`](crate::fit_naive_bayes).
    train_weighted_naive_bayes(ClassificationDataset, NaiveBayesOptions) -> NaiveBayesModel, fit_naive_bayes;
    /// Fits a naive Bayes model of counts to weighted rows:
    /// [`fit_discrete_bayes`](crate::fit_discrete_bayes).
    train_weighted_discrete_bayes(ClassificationDataset, DiscreteBayesOptions) -> DiscreteBayesModel, fit_discrete_bayes;
    /// Fits a decision tree that predicts classes to weighted rows:
    /// [`fit_tree_classifier`](crate::fit_tree_classifier).
    train_weighted_tree_classifier(ClassificationDataset, TreeOptions) -> TreeClassifier, fit_tree_classifier;
    /// Fits a decision tree that predicts numbers to weighted rows:
    /// [`fit_tree_regressor`](crate::fit_tree_regressor).
    train_weighted_tree_regressor(Dataset, TreeOptions) -> TreeRegressor, fit_tree_regressor;
    /// Fits a random forest that predicts classes to weighted rows:
    /// [`fit_forest_classifier`](crate::fit_forest_classifier).
    train_weighted_forest_classifier(ClassificationDataset, ForestOptions) -> ForestClassifier, fit_forest_classifier;
    /// Fits a random forest that predicts numbers to weighted rows:
    /// [`fit_forest_regressor`](crate::fit_forest_regressor).
    train_weighted_forest_regressor(Dataset, ForestOptions) -> ForestRegressor, fit_forest_regressor;
}

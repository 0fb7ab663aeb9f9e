//! Tables, splits, models and metrics for machine-learning pipelines.
//!
//! From a CSV file to the error of a model on rows it has not seen:
//!
//! ```
//! use orch_ml::{
//!     CsvOptions, Split, drop_missing, evaluate_regression, fit_linear, parse_csv, to_dataset,
//!     train_test_split,
//! };
//!
//! let text = b"size,rooms,price\n50,2,160\n60,2,180\n80,3,240\n,3,210\n100,4,300\n70,2,200\n";
//! let table = drop_missing(&parse_csv(text, &CsvOptions::default())?)?;
//! let dataset = to_dataset(&table, &["size".to_owned(), "rooms".to_owned()], "price")?;
//! let (train, test) = train_test_split(&dataset, &Split::random(0.2).seed(42))?;
//! let model = fit_linear(&train)?;
//! let metrics = evaluate_regression(&model, &test)?;
//! assert!(metrics.mae < 1e-9); // these prices are 2 for the size and 20 for each room
//! # Ok::<(), orch_ml::MlError>(())
//! ```
//!
//! # Where tables come from
//!
//! | From | Function | Feature |
//! |---|---|---|
//! | CSV | [`read_csv`], [`parse_csv`] | |
//! | JSON lines | [`read_json_lines`], [`read_json_lines_with`] | |
//! | numpy | [`read_npy`], a matrix | |
//! | Arrow | `read_arrow`, `write_arrow`, `table_from_record_batches`, `table_to_record_batch` | `arrow` |
//! | Parquet | `read_parquet`, `write_parquet` | `parquet` |
//! | HTTP | `download`, `read_csv_url` | `http`, `https` |
//! | object stores | `download_object`, `upload_object` | `object-store` |
//! | SQLite | `read_sqlite`, `write_sqlite` | `sqlite` |
//! | PostgreSQL | `read_postgres`, `write_postgres` | `postgres` |
//!
//! Each says file or query, line or row, column and value in its errors. Dates are text unless asked
//! for: see [`TimestampColumns`] and [`Table::parse_timestamps`].
//!
//! [`tasks`] has the same functions as `orch_core` tasks, for flows. What they measure is on the record of
//! the run; [`log_metrics`] and [`NamedMetrics`] put it there from tasks of one's own. [`plot`] draws what
//! they come to.
//!
//! Functions borrow what is large and own what is small; every result can be cloned, sent to
//! another thread and serialized. Work on many rows uses the current rayon pool, and no result
//! depends on how many threads that has. Rows are numbered from 0 in messages, lines of a file
//! from 1.

#![forbid(unsafe_code)]

mod boosting;
mod calendar;
mod checking;
mod cleaning;
mod clustering;
#[cfg(feature = "arrow")]
mod columnar;
mod dataset;
#[cfg(any(feature = "http", feature = "object-store"))]
mod downloading;
mod error;
mod evaluation;
mod features;
mod forest;
mod frame;
#[cfg(feature = "http")]
mod http;
mod json_lines;
mod linfa_tree;
mod loading;
mod metric;
mod mlflow;
mod model;
mod npy;
#[cfg(feature = "object-store")]
mod objects;
mod onnx;
mod options;
mod persistence;
pub mod plot;
#[cfg(feature = "postgres")]
mod postgres;
mod prediction;
mod preprocessing;
mod sections;
mod splitting;
#[cfg(any(feature = "postgres", feature = "sqlite"))]
mod sql;
#[cfg(feature = "sqlite")]
mod sqlite;
mod table;
pub mod tasks;
mod tracking;
mod training;
mod tuning;
mod weights;

#[cfg(feature = "arrow")]
pub use {arrow_array, arrow_schema};

#[cfg(feature = "object-store")]
pub use object_store;

pub use ndarray;

#[doc = include_str!("../docs/check.md")]
pub use orch_macros::check;

pub use crate::boosting::{BoostedClassifier, BoostedRegressor, BoostingOptions};
#[cfg(feature = "boosting")]
pub use crate::boosting::{fit_boosted_classifier, fit_boosted_regressor};
pub use crate::checking::{
    Check, CheckOutcome, CheckReport, CheckResult, CheckReturn, CheckVerdict, Checked, OnFailure,
    Rule, Severity, check_table, file_is_fresh, quarantine_rows,
};
pub use crate::cleaning::{
    ClipBounds, ClippedColumn, Clipper, FillValue, ImputeOptions, ImputeStrategy, ImputedColumn,
    Imputer, Keep, clip, drop_duplicates, drop_duplicates_in, drop_missing, drop_missing_in,
    impute, missing_counts,
};
pub use crate::clustering::{
    DbscanClusters, DbscanOptions, KMeansInit, KMeansModel, KMeansOptions, fit_dbscan, fit_kmeans,
};
#[cfg(feature = "parquet")]
pub use crate::columnar::{ParquetOptions, read_parquet, write_parquet};
#[cfg(feature = "arrow")]
pub use crate::columnar::{
    read_arrow, table_from_record_batches, table_to_record_batch, write_arrow,
};
pub use crate::dataset::{ClassLabel, ClassificationDataset, Dataset, Records};
#[cfg(any(feature = "http", feature = "object-store"))]
pub use crate::downloading::{Checksum, DownloadOptions, Downloaded};
pub use crate::error::{MlError, TableName};
pub use crate::evaluation::{
    BootstrapDifference, BootstrapInterval, BootstrapOptions, ClassMetrics, ClassOutcomes,
    ClassPartialDependence, ClassPredictions, ClassificationMetrics, Classifier, FeatureImportance,
    GridOptions, McNemar, McNemarMethod, PairedT, PartialDependence, PermutationImportance,
    PermutationOptions, RegressionMetrics, Regressor, SignedRank, bootstrap_interval,
    class_partial_dependence, classification_by_slice, classification_importance,
    evaluate_classification, evaluate_regression, mcnemar_test, metrics_by_slice, paired_bootstrap,
    paired_t_test, partial_dependence, permutation_importance, regression_by_slice,
    regression_importance, wilcoxon_test,
};
pub use crate::features::{to_classification_dataset, to_dataset, to_records};
pub use crate::forest::{
    ForestClassifier, ForestOptions, ForestRegressor, MaxFeatures, TreeClassifier, TreeOptions,
    TreeRegressor, fit_forest_classifier, fit_forest_regressor, fit_tree_classifier,
    fit_tree_regressor,
};
#[cfg(feature = "http")]
pub use crate::http::{download, read_csv_url};
pub use crate::json_lines::{
    JsonLinesOptions, parse_json_lines, parse_json_lines_with, read_json_lines,
    read_json_lines_with,
};
pub use crate::linfa_tree::LinfaTree;
#[cfg(feature = "linfa-trees")]
pub use crate::linfa_tree::fit_linfa_tree;
pub use crate::loading::{CsvOptions, TimestampColumns, parse_csv, read_csv};
pub use crate::metric::{
    Average, CalibrationBin, CalibrationStrategy, ConfusionMatrix, KappaWeights,
    PrecisionRecallCurve, RocCurve, accuracy, adjusted_r2, adjusted_rand_index, average_precision,
    average_precision_one_vs_rest, brier_score, calibration_curve, expected_calibration_error,
    explained_variance, inertia, log_loss, mean_absolute_error, mean_absolute_percentage_error,
    mean_pinball_loss, mean_squared_error, median_absolute_error, precision_recall_curve, r2_score,
    roc_auc, roc_auc_one_vs_rest, roc_curve, root_mean_squared_error, silhouette_samples,
    silhouette_score, weighted_accuracy, weighted_log_loss, weighted_mean_absolute_error,
    weighted_mean_squared_error, weighted_r2_score, weighted_root_mean_squared_error,
};
#[cfg(feature = "mlflow")]
pub use crate::mlflow::{MlflowError, MlflowOptions, MlflowUpload, MlflowUploadReport};
pub use crate::mlflow::{MlflowExport, export_mlflow};
pub use crate::model::{Algorithm, InputProblem, Model, Predictions, TrainingData, TrainingRows};
pub use crate::npy::{read_npy, write_npy};
#[cfg(feature = "object-store")]
pub use crate::objects::{ObjectStorage, download_object, upload_object};
pub use crate::onnx::{export_onnx, to_onnx};
pub use crate::persistence::{load_model, save_model};
pub use crate::plot::{
    Plot, plot_calibration, plot_class_calibration, plot_class_precision_recall, plot_class_roc,
    plot_confusion_matrix, plot_importances, plot_learning_curve, plot_option,
    plot_permutation_importance, plot_precision_recall, plot_residuals, plot_roc, plot_trials,
};
#[cfg(feature = "postgres")]
pub use crate::postgres::{PostgresDatabase, read_postgres, write_postgres};
pub use crate::preprocessing::{
    BinStrategy, BinnedColumn, ColumnKind, Components, DatePart, DateParts, DropCategory,
    DroppedColumns, FittedPreprocessor, FittedStep, HandleMissing, HandleUnknown, KBinsDiscretizer,
    MinMaxColumn, MinMaxScaler, OneHotColumn, OneHotEncoder, OneHotOptions, OrdinalColumn,
    OrdinalEncoder, OrdinalOptions, PassedColumns, Pca, PcaOptions, PolynomialFeatures,
    PolynomialOptions, Preprocessor, RobustColumn, RobustScaler, Scaling, SchemaColumn,
    StandardColumn, StandardScaler,
};
pub use crate::sections::{
    classification_section, plot_section, regression_section, search_section, table_section,
};
pub use crate::splitting::{
    CrossValidation, FitTo, Fold, MeasureWith, Origin, RollingOptions, Rows, Split, SplitBy,
    SplitKey, Test, Train, Valid, check_unseen, group_k_fold, grouped_rows, k_fold, leave_one_out,
    rolling_folds, stratified_k_fold, stratified_rows, time_ordered_rows, train_test_rows,
    train_test_split, train_valid_split,
};
#[cfg(any(feature = "postgres", feature = "sqlite"))]
pub use crate::sql::SqlValue;
#[cfg(feature = "sqlite")]
pub use crate::sqlite::{read_sqlite, write_sqlite};
pub use crate::table::{
    Aggregate, Column, Join, Order, Table, TextColumn, Timestamp, Validity, Value,
};
pub use crate::tracking::{NamedMetrics, log_metrics, log_search, log_trial};
pub use crate::training::{
    DiscreteBayesModel, DiscreteBayesOptions, ElasticNetModel, ElasticNetOptions,
    FeatureDistribution, LassoOptions, LinearModel, LinearSvm, LinearSvmOptions, LogisticModel,
    LogisticOptions, NaiveBayesModel, NaiveBayesOptions, RidgeModel, RidgeOptions, SvmLoss,
    fit_discrete_bayes, fit_elastic_net, fit_lasso, fit_linear, fit_linear_svm, fit_logistic,
    fit_naive_bayes, fit_ridge,
};
pub use crate::tuning::{
    ClassificationScoring, Halving, LearningCurve, LearningSizes, LearningStep, NestedReport,
    OuterFold, Patience, RegressionScoring, Round, Scoring, SearchReport, Space, Trial,
    classification_learning_curve, cross_validate_classifier, cross_validate_regressor,
    judge_classifier, judge_regressor, nested_cross_validate_classifier,
    nested_cross_validate_regressor, regression_learning_curve, search_classifier,
    search_regressor,
};
pub use crate::weights::{ClassWeights, FitWeighted, Weighted};

/// What `#[check]` expands to. Not for direct use: it changes with the macro.
#[doc(hidden)]
pub mod __private {
    pub use crate::checking::judge;
    pub use orch_core::{self, task};

    /// Calls the body of a check.
    pub fn run<T>(body: impl FnOnce() -> T) -> T {
        body()
    }
}

//! Numbers that say how far predictions are from the truth.
//!
//! Definitions and edge cases are those of `sklearn.metrics` 1.9: where a share has nothing to be a
//! share of, it is 0, and what is not defined at all is NaN. Each function says which of the two.
//! Weights, where a function takes them, say how much each row counts: at least 0, and more than 0
//! in one row; without them every row counts as 1.

mod calibration;
mod checks;
mod clustering;
mod confusion;
mod curves;
mod probabilities;
mod ranking;
mod regression;

pub use self::calibration::{
    CalibrationBin, CalibrationStrategy, calibration_curve, expected_calibration_error,
};
pub(crate) use self::checks::{
    RowWeights, check_codes, check_finite, check_length, check_pair, quantile,
};
pub use self::clustering::{adjusted_rand_index, inertia, silhouette_samples, silhouette_score};
pub use self::confusion::{Average, ConfusionMatrix, KappaWeights};
pub use self::curves::{PrecisionRecallCurve, RocCurve, precision_recall_curve, roc_curve};
pub use self::probabilities::{
    accuracy, brier_score, log_loss, weighted_accuracy, weighted_log_loss,
};
pub use self::ranking::{
    average_precision, average_precision_one_vs_rest, roc_auc, roc_auc_one_vs_rest,
};
pub use self::regression::{
    adjusted_r2, explained_variance, mean_absolute_error, mean_absolute_percentage_error,
    mean_pinball_loss, mean_squared_error, median_absolute_error, r2_score,
    root_mean_squared_error, weighted_mean_absolute_error, weighted_mean_squared_error,
    weighted_r2_score, weighted_root_mean_squared_error,
};

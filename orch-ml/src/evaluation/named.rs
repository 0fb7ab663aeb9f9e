//! Metrics as names and numbers, for models and records of runs.

use super::{ClassificationMetrics, RegressionMetrics};

impl RegressionMetrics {
    /// The metrics by the names of their fields, without those that are not defined.
    pub fn named(&self) -> Vec<(String, f64)> {
        named([
            ("r2", Some(self.r2)),
            ("adjusted_r2", self.adjusted_r2),
            ("explained_variance", Some(self.explained_variance)),
            ("mae", Some(self.mae)),
            ("median_absolute_error", Some(self.median_absolute_error)),
            ("mse", Some(self.mse)),
            ("rmse", Some(self.rmse)),
            ("mape", Some(self.mape)),
        ])
    }
}

impl ClassificationMetrics {
    /// The metrics of all classes together by the names of their fields, without those that are not
    /// defined.
    pub fn named(&self) -> Vec<(String, f64)> {
        named([
            ("accuracy", Some(self.accuracy)),
            ("balanced_accuracy", Some(self.balanced_accuracy)),
            ("macro_precision", Some(self.macro_precision)),
            ("macro_recall", Some(self.macro_recall)),
            ("macro_f1", Some(self.macro_f1)),
            ("weighted_precision", Some(self.weighted_precision)),
            ("weighted_recall", Some(self.weighted_recall)),
            ("weighted_f1", Some(self.weighted_f1)),
            ("matthews_correlation", Some(self.matthews_correlation)),
            ("cohen_kappa", self.cohen_kappa),
            ("log_loss", Some(self.log_loss)),
            ("brier_score", Some(self.brier_score)),
            ("roc_auc", self.roc_auc),
            ("average_precision", self.average_precision),
        ])
    }
}

fn named<const N: usize>(metrics: [(&str, Option<f64>); N]) -> Vec<(String, f64)> {
    let defined = |(name, value): (&str, Option<f64>)| {
        let value = value.filter(|value| !value.is_nan())?;
        Some((name.to_owned(), value))
    };
    metrics.into_iter().filter_map(defined).collect()
}

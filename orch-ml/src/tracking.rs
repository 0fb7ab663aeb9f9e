//! Evaluations and searches on the record of a run: [`Track`] knows names and numbers, these know what
//! they are called.

use orch_core::{RunLog, Track, TrackError};
use serde::Serialize;

use crate::evaluation::{ClassificationMetrics, RegressionMetrics};
use crate::tuning::{Scoring, SearchReport, Trial};

/// Metrics with the names under which they are logged.
///
/// ```
/// use orch_core::prelude::*;
/// use orch_ml::{NamedMetrics, RegressionMetrics};
///
/// #[task]
/// fn note(ctx: &TaskContext, metrics: &RegressionMetrics) -> Result<(), orch_core::TrackError> {
///     ctx.log_metrics(0, metrics.named_metrics())
/// }
/// ```
pub trait NamedMetrics {
    /// Returns each metric that is defined, with its name.
    fn named_metrics(&self) -> Vec<(String, f64)>;
}

impl NamedMetrics for RegressionMetrics {
    fn named_metrics(&self) -> Vec<(String, f64)> {
        named([
            ("r2", Some(self.r2)),
            ("adjusted_r2", self.adjusted_r2),
            ("explained_variance", Some(self.explained_variance)),
            ("mae", Some(self.mae)),
            ("median_absolute_error", Some(self.median_absolute_error)),
            ("mse", Some(self.mse)),
            ("rmse", Some(self.rmse)),
            ("mape", Some(self.mape)),
            ("n_rows", Some(self.n_rows as f64)),
        ])
    }
}

/// Those of single classes are called `recall/Adelie`; characters of a label that names of metrics do
/// not have become `_`.
impl NamedMetrics for ClassificationMetrics {
    fn named_metrics(&self) -> Vec<(String, f64)> {
        let mut metrics = named([
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
            ("n_rows", Some(self.n_rows as f64)),
        ]);
        for class in &self.classes {
            let label = in_a_name(&class.label.to_string());
            let of_class = [
                ("precision", class.precision),
                ("recall", class.recall),
                ("f1", class.f1),
            ];
            metrics.extend(of_class.map(|(name, value)| (format!("{name}/{label}"), value)));
        }
        metrics
    }
}

fn named<const N: usize>(metrics: [(&str, Option<f64>); N]) -> Vec<(String, f64)> {
    let metrics = metrics.into_iter();
    metrics
        .filter_map(|(name, value)| Some((name.to_owned(), value?)))
        .collect()
}

/// The longest part of a label that a name takes.
const MAX_LABEL: usize = 60;

/// A label as a part of a name.
fn in_a_name(label: &str) -> String {
    let fits = |c: char| c.is_alphanumeric() || "_-.".contains(c);
    let label: String = label
        .chars()
        .take(MAX_LABEL)
        .map(|c| if fits(c) { c } else { '_' })
        .collect();
    match label.as_str() {
        "" | "." | ".." => "_".to_owned(),
        _ => label,
    }
}

/// Logs the metrics of an evaluation, at step 0.
///
/// A cached task that hands its context to a function is keyed by its seed; with
/// `ctx.log_metrics(0, report.named_metrics())` or [`RunLog::current`] it is not.
///
/// # Errors
/// [`TrackError`]: none for the reports of this crate.
pub fn log_metrics(to: &impl Track, report: &impl NamedMetrics) -> Result<(), TrackError> {
    to.log_metrics(0, report.named_metrics())
}

/// Logs a trial of a search: its options as params, and its scores, such as `log_loss`, with the
/// fold as the step, their mean (`log_loss_mean`) and their deviation (`log_loss_std`).
///
/// # Errors
/// [`TrackError`] for options that are no struct, or that are too long.
pub fn log_trial<O: Serialize>(
    to: &impl Track,
    trial: &Trial<O>,
    scoring: impl Scoring,
) -> Result<(), TrackError> {
    to.log_params(&trial.options)?;
    for (fold, score) in trial.scores.iter().enumerate() {
        to.log_metric(&scoring.to_string(), fold, *score)?;
    }
    let summary = [
        (format!("{scoring}_mean"), trial.mean()),
        (format!("{scoring}_std"), trial.std()),
    ];
    to.log_metrics(0, summary)
}

/// Logs what a search came to: the options of the best trial as params, its mean score
/// (`best_log_loss`), and how many trials there were (`n_trials`).
///
/// # Errors
/// Those of [`log_trial`].
pub fn log_search<O: Serialize, S: Scoring>(
    to: &impl Track,
    search: &SearchReport<O, S>,
) -> Result<(), TrackError> {
    let best = search.best();
    to.log_params(&best.options)?;
    let summary = [
        (format!("best_{}", search.scoring()), best.mean()),
        ("n_trials".to_owned(), search.trials().len() as f64),
    ];
    to.log_metrics(0, summary)
}

/// Notes something of a ready task on its record. What cannot be noted is no reason to fail.
pub(crate) fn note(log: impl FnOnce(&RunLog) -> Result<(), TrackError>) {
    if let Err(error) = log(&RunLog::current()) {
        tracing::warn!("not on the record: {error}");
    }
}

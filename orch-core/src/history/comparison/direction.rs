//! Which values of a metric are better, as far as its name tells.

use serde::{Deserialize, Serialize};

/// Which values of a metric are better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// Greater ones: accuracy.
    Greater,
    /// Lower ones: loss.
    Lower,
}

/// Words in names of metrics that measure how bad something is.
const LOWER: [&str; 24] = [
    "brier",
    "cost",
    "davies",
    "deviance",
    "error",
    "errors",
    "hinge",
    "inertia",
    "latency",
    "logloss",
    "loss",
    "losses",
    "mae",
    "mape",
    "mse",
    "msle",
    "perplexity",
    "pinball",
    "rmse",
    "rmsle",
    "seconds",
    "smape",
    "time",
    "wer",
];

/// Words in names of metrics that measure how good something is.
const GREATER: [&str; 24] = [
    "accuracy",
    "acc",
    "ap",
    "auc",
    "auprc",
    "auroc",
    "bleu",
    "correlation",
    "explained",
    "f1",
    "fbeta",
    "gini",
    "iou",
    "kappa",
    "likelihood",
    "map",
    "mcc",
    "ndcg",
    "precision",
    "r2",
    "rand",
    "recall",
    "roc",
    "silhouette",
];

impl Direction {
    /// Tells it by the words of a name: `val/log_loss`, `roc_auc`. One that begins with `neg`, as
    /// scikit-learn calls what it turns round, is turned round. `None` if no word tells, or if they
    /// disagree: `recall_loss`.
    pub(super) fn of(name: &str) -> Option<Self> {
        let name = name.to_ascii_lowercase();
        let words = || name.split(|c: char| !c.is_alphanumeric());
        let is_lower = words().any(|word| LOWER.contains(&word));
        // A score is something good, unless it is a Brier score.
        let is_score = words().any(|word| word == "score") && !is_lower;
        let is_greater = is_score || words().any(|word| GREATER.contains(&word));
        let is_negated = words().any(|word| word == "neg");
        match (is_lower, is_greater) {
            (true, false) if is_negated => Some(Self::Greater),
            (false, true) if is_negated => Some(Self::Lower),
            (true, false) => Some(Self::Lower),
            (false, true) => Some(Self::Greater),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_what_is_better() {
        for (name, expected) in [
            ("loss", Some(Direction::Lower)),
            ("val/log_loss", Some(Direction::Lower)),
            ("mean_squared_error", Some(Direction::Lower)),
            ("RMSE", Some(Direction::Lower)),
            ("roc_auc", Some(Direction::Greater)),
            ("adjusted_r2", Some(Direction::Greater)),
            ("macro F1", Some(Direction::Greater)),
            ("neg_log_loss", Some(Direction::Greater)),
            ("brier_score", Some(Direction::Lower)),
            ("score", Some(Direction::Greater)),
            ("recall_loss", None),
            ("n_rows", None),
            ("closs", None),
        ] {
            assert_eq!(Direction::of(name), expected, "{name}");
        }
    }
}

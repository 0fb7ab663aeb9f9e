//! How metrics print: aligned, a metric or a class a line.

use std::fmt;

use super::{ClassificationMetrics, RegressionMetrics};

/// Width of a column of numbers.
const WIDTH: usize = 10;

/// Writes a name and a number in two columns, with a line end.
fn line(f: &mut fmt::Formatter<'_>, name: &str, value: Option<f64>) -> fmt::Result {
    match value {
        Some(value) => writeln!(f, "{name:<24}{:>WIDTH$}", number_text(value)),
        None => writeln!(f, "{name:<24}{:>WIDTH$}", "-"),
    }
}

/// Four decimals, unless the number is too large or too small for them.
pub(crate) fn number_text(value: f64) -> String {
    let size = value.abs();
    if size != 0.0 && size.is_finite() && !(1e-4..1e5).contains(&size) {
        format!("{value:.3e}")
    } else {
        format!("{value:.4}")
    }
}

impl fmt::Display for RegressionMetrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        line(f, "r2", Some(self.r2))?;
        line(f, "adjusted r2", self.adjusted_r2)?;
        line(f, "explained variance", Some(self.explained_variance))?;
        line(f, "mean absolute error", Some(self.mae))?;
        line(f, "median absolute error", Some(self.median_absolute_error))?;
        line(f, "mean squared error", Some(self.mse))?;
        line(f, "root mean squared error", Some(self.rmse))?;
        line(f, "mean absolute % error", Some(100.0 * self.mape))?;
        write!(f, "{:<24}{:>WIDTH$}", "rows", self.n_rows)
    }
}

impl fmt::Display for ClassificationMetrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const AVERAGE: &str = "weighted average";
        let labels: Vec<String> = self
            .classes
            .iter()
            .map(|class| class.label.to_string())
            .collect();
        let longest = labels.iter().map(|label| label.chars().count()).max();
        let width = longest.unwrap_or(0).max(AVERAGE.len());
        let row = |f: &mut fmt::Formatter<'_>, name: &str, shares: [f64; 3], n_rows: usize| {
            write!(f, "{name:<width$}")?;
            for share in shares {
                write!(f, "{share:>WIDTH$.4}")?;
            }
            writeln!(f, "{n_rows:>WIDTH$}")
        };

        write!(f, "{:<width$}", "")?;
        for title in ["precision", "recall", "f1"] {
            write!(f, "{title:>WIDTH$}")?;
        }
        writeln!(f, "{:>WIDTH$}", "rows")?;
        for (class, label) in self.classes.iter().zip(&labels) {
            row(
                f,
                label,
                [class.precision, class.recall, class.f1],
                class.n_rows,
            )?;
        }
        writeln!(f)?;
        let plain = [self.macro_precision, self.macro_recall, self.macro_f1];
        row(f, "macro average", plain, self.n_rows)?;
        let weighted = [
            self.weighted_precision,
            self.weighted_recall,
            self.weighted_f1,
        ];
        row(f, AVERAGE, weighted, self.n_rows)?;
        writeln!(f)?;
        line(f, "accuracy", Some(self.accuracy))?;
        line(f, "balanced accuracy", Some(self.balanced_accuracy))?;
        line(f, "Matthews correlation", Some(self.matthews_correlation))?;
        line(f, "Cohen's kappa", self.cohen_kappa)?;
        line(f, "ROC AUC", self.roc_auc)?;
        line(f, "average precision", self.average_precision)?;
        line(f, "log loss", Some(self.log_loss))?;
        line(f, "Brier score", Some(self.brier_score))?;
        write!(f, "\n{}", self.confusion_matrix)
    }
}

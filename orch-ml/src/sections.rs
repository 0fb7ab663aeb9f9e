//! What results become in the page of a flow run: sections with their numbers and plots.

use orch_core::report::Section;
use serde::Serialize;

use crate::evaluation::{ClassificationMetrics, RegressionMetrics, number_text};
use crate::plot::{Plot, option_text, plot_confusion_matrix, plot_trials};
use crate::table::{Table, Value};
use crate::tuning::{Scoring, SearchReport};

/// The trials that a page shows of a search.
const MAX_TRIALS: usize = 20;

/// Makes a section of metrics of predicted numbers, for
/// [`RunReport::to_html`](orch_core::RunReport::to_html).
pub fn regression_section(title: impl Into<String>, metrics: &RegressionMetrics) -> Section {
    let facts = [
        ("R2", Some(metrics.r2)),
        ("adjusted R2", metrics.adjusted_r2),
        ("explained variance", Some(metrics.explained_variance)),
        ("mean absolute error", Some(metrics.mae)),
        ("median absolute error", Some(metrics.median_absolute_error)),
        ("root mean squared error", Some(metrics.rmse)),
        ("mean absolute % error", Some(100.0 * metrics.mape)),
    ];
    let rows = ("rows", metrics.n_rows.to_string());
    Section::new(title).facts(shown(facts).chain([rows]))
}

/// Makes a section of metrics of predicted classes: for all rows, for each class, and the confusion
/// matrix.
pub fn classification_section(
    title: impl Into<String>,
    metrics: &ClassificationMetrics,
) -> Section {
    let facts = [
        ("accuracy", Some(metrics.accuracy)),
        ("balanced accuracy", Some(metrics.balanced_accuracy)),
        ("macro F1", Some(metrics.macro_f1)),
        ("ROC AUC", metrics.roc_auc),
        ("average precision", metrics.average_precision),
        ("log loss", Some(metrics.log_loss)),
        ("Brier score", Some(metrics.brier_score)),
        ("Matthews correlation", Some(metrics.matthews_correlation)),
        ("Cohen's kappa", metrics.cohen_kappa),
    ];
    let rows = ("rows", metrics.n_rows.to_string());
    let classes = metrics.classes.iter().map(|class| {
        let shares = [class.precision, class.recall, class.f1].map(number_text);
        let [precision, recall, f1] = shares;
        let n_rows = class.n_rows.to_string();
        [class.label.to_string(), precision, recall, f1, n_rows]
    });
    let section = Section::new(title)
        .facts(shown(facts).chain([rows]))
        .table(["class", "precision", "recall", "F1", "rows"], classes);
    match plot_confusion_matrix(&metrics.confusion_matrix) {
        Ok(plot) => section.figure(plot.to_svg()),
        // Metrics that were read from somewhere may lack classes.
        Err(_) => section,
    }
}

/// Makes a section of a table, such as metrics by slice. Missing values are shown as `-`.
pub fn table_section(title: impl Into<String>, table: &Table) -> Section {
    add_table(Section::new(title), table)
}

/// Makes a section of a search: its best options, the best trials, and the scores of all.
pub fn search_section<O: Serialize, S: Scoring>(
    title: impl Into<String>,
    search: &SearchReport<O, S>,
) -> Section {
    let best = search.best();
    let options = serde_json::to_value(&best.options).unwrap_or_default();
    let scores = [
        ("trials".to_owned(), search.trials().len().to_string()),
        (
            format!("best {}", search.scoring()),
            format!("{} ± {}", number_text(best.mean()), number_text(best.std())),
        ),
    ];
    let options = options
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, value)| (name.clone(), option_text(value)));
    let mut section = Section::new(title).facts(scores.into_iter().chain(options));
    if let Ok(plot) = plot_trials(search) {
        section = section.figure(plot.to_svg());
    }
    let n_more = search.trials().len().saturating_sub(MAX_TRIALS);
    section = add_table(section, &search.to_table().head(MAX_TRIALS));
    match n_more {
        0 => section,
        n => section.text(format!("And {n} more trials, which are worse.")),
    }
}

/// Makes a section of plots, which stand side by side where there is room.
pub fn plot_section<'a>(
    title: impl Into<String>,
    plots: impl IntoIterator<Item = &'a Plot>,
) -> Section {
    let plots = plots.into_iter();
    plots.fold(Section::new(title), |section, plot| {
        section.figure(plot.to_svg())
    })
}

/// Names with those numbers that are defined.
fn shown<const N: usize>(
    facts: [(&'static str, Option<f64>); N],
) -> impl Iterator<Item = (&'static str, String)> {
    let defined = facts
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)));
    defined.map(|(name, value)| (name, number_text(value)))
}

fn add_table(section: Section, table: &Table) -> Section {
    let names = table.column_names().iter().cloned();
    let rows = (0..table.n_rows()).map(|row_idx| {
        let cells = table
            .columns()
            .map(move |(_, column)| match column.value(row_idx) {
                Value::Missing => "-".to_owned(),
                Value::Float(value) => number_text(value),
                value => value.to_string(),
            });
        cells.collect::<Vec<String>>()
    });
    section.table(names, rows)
}

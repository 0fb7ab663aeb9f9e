//! Which classes are taken for which.

use ndarray::Array2;

use super::{Cells, Chart, Plot};
use crate::error::MlError;
use crate::metric::ConfusionMatrix;
use crate::options::check_count;

/// More classes than this do not fit the width of a phone.
const MAX_CLASSES: usize = 12;

/// Plots how often each class was predicted for the rows of each class, with its share of these rows.
///
/// Classes that do not occur are left out. Of more than 12 the 11 with most rows are shown, the others
/// as one.
///
/// # Errors
/// [`MlError::InvalidOption`] if no class occurs.
pub fn plot_confusion_matrix(matrix: &ConfusionMatrix) -> Result<Plot, MlError> {
    let mut shown: Vec<usize> = matrix.classes_that_occur().collect();
    check_count("number of classes that occur", shown.len())?;
    let mut others = Vec::new();
    if shown.len() > MAX_CLASSES {
        let mut by_rows = shown.clone();
        by_rows.sort_by(|a, b| matrix.n_true(*b).total_cmp(&matrix.n_true(*a)));
        others = by_rows.split_off(MAX_CLASSES - 1);
        shown.retain(|class| !others.contains(class));
    }
    let mut names: Vec<String> = shown
        .iter()
        .map(|class| matrix.classes()[*class].to_string())
        .collect();
    let mut groups: Vec<Vec<usize>> = shown.iter().map(|class| vec![*class]).collect();
    let mut notes = Vec::new();
    if !others.is_empty() {
        let n_others = others.len();
        names.push(format!("others ({n_others})"));
        notes.push(format!(
            "{n_others} classes with fewer rows are shown as one."
        ));
        groups.push(others);
    }
    let counts = Array2::from_shape_fn((groups.len(), groups.len()), |(row, column)| {
        let targets = groups[row].iter();
        let of = |target: &usize| {
            let guesses = groups[column].iter();
            guesses
                .map(|guess| matrix.counts()[[*target, *guess]])
                .sum::<f64>()
        };
        targets.map(of).sum()
    });
    notes.push(format!(
        "Right: {:.1} % of the rows.",
        100.0 * matrix.accuracy()
    ));
    let chart = Cells {
        rows: "true".to_owned(),
        columns: "predicted".to_owned(),
        names,
        counts,
    };
    Ok(Plot {
        title: "Confusion matrix".to_owned(),
        chart: Chart::Cells(chart),
        notes,
    })
}

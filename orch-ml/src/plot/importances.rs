//! What a model uses.

use super::{Axis, Bar, Bars, Chart, Plot};
use crate::error::MlError;
use crate::evaluation::PermutationImportance;
use crate::metric::{check_finite, check_length};
use crate::options::check_count;

/// The most features that are shown.
const MAX_BARS: usize = 20;

/// Plots what a score loses when each feature is shuffled, the most important first, with one standard
/// deviation to either side.
///
/// Of more than 20 features the 20 most important ones are shown.
///
/// # Errors
/// [`MlError::InvalidOption`] for no features; [`MlError::NotFinite`].
pub fn plot_permutation_importance(importance: &PermutationImportance) -> Result<Plot, MlError> {
    let bars = importance.features.iter().map(|of| Bar {
        name: of.feature.clone(),
        value: of.mean,
        interval: Some((of.mean - of.sd, of.mean + of.sd)),
    });
    let mut plot = bar_plot(bars.collect(), "loss of score when shuffled")?;
    let n_repeats = importance.features[0].losses.len();
    plot.notes.push(format!(
        "Shuffled {n_repeats} times each; the lines are one standard deviation to either side."
    ));
    plot.title = "Permutation importance".to_owned();
    Ok(plot)
}

/// Plots numbers of features, such as the importances of a forest, the largest first.
///
/// Of more than 20 features the 20 with the largest numbers are shown.
///
/// # Shapes
/// features `[n_features]`, importances `[n_features]`
///
/// # Errors
/// [`MlError::LengthMismatch`]; [`MlError::InvalidOption`] for no features; [`MlError::NotFinite`].
pub fn plot_importances(features: &[String], importances: &[f64]) -> Result<Plot, MlError> {
    check_length("the list of importances", features.len(), importances.len())?;
    let bars = features.iter().zip(importances).map(|(name, value)| Bar {
        name: name.clone(),
        value: *value,
        interval: None,
    });
    bar_plot(bars.collect(), "importance")
}

fn bar_plot(mut bars: Vec<Bar>, label: &str) -> Result<Plot, MlError> {
    check_count("number of features", bars.len())?;
    check_finite("importances", bars.iter().map(|bar| &bar.value))?;
    let ends = bars.iter().filter_map(|bar| bar.interval);
    let ends: Vec<f64> = ends.flat_map(|(low, high)| [low, high]).collect();
    check_finite("ends of intervals", &ends)?;
    // Features of one importance stay in the order of the columns.
    bars.sort_by(|a, b| b.value.total_cmp(&a.value));
    let n_more = bars.len().saturating_sub(MAX_BARS);
    bars.truncate(MAX_BARS);
    let intervals = bars.iter().filter_map(|bar| bar.interval);
    let ends = intervals.flat_map(|(low, high)| [low, high]);
    let values = bars.iter().map(|bar| bar.value).chain(ends).chain([0.0]);
    let x = Axis::around(label, values);
    let notes = match n_more {
        0 => Vec::new(),
        1 => vec!["And 1 less important feature.".to_owned()],
        n => vec![format!("And {n} less important features.")],
    };
    Ok(Plot {
        title: "Importance of features".to_owned(),
        chart: Chart::Bars(Bars { x, bars }),
        notes,
    })
}

//! What more rows would bring.

use super::{Axis, Chart, Curves, Mark, Plot, Point, Series};
use crate::error::MlError;
use crate::metric::check_finite;
use crate::options::check_count;
use crate::tuning::{LearningCurve, Scoring};

/// Plots scores on the rows trained on and on rows held out against the number of rows to train on: the
/// means over the folds, and one standard deviation to either side.
///
/// Lines far apart that come closer say that more rows would help; lines that have met say that they
/// would not.
///
/// # Errors
/// [`MlError::InvalidOption`] for a curve without sizes; [`MlError::NotFinite`] for a score that is
/// not defined.
pub fn plot_learning_curve<S: Scoring>(curve: &LearningCurve<S>) -> Result<Plot, MlError> {
    check_count("number of sizes", curve.steps.len())?;
    let sides = [
        ("on the rows trained on", curve.train()),
        ("on rows held out", curve.valid()),
    ];
    let mut series = Vec::new();
    for (name, scores) in sides {
        check_finite(
            "scores",
            scores.iter().flat_map(|(_, mean, std)| [mean, std]),
        )?;
        let points = scores.iter().map(|(n_rows, mean, std)| Point {
            interval: Some((mean - std, mean + std)),
            ..Point::new(*n_rows as f64, *mean)
        });
        series.push(Series {
            name: name.to_owned(),
            mark: Mark::LineAndDots,
            points: points.collect(),
        });
    }
    let points = series.iter().flat_map(|series| &series.points);
    let ends = points.filter_map(|point| point.interval);
    let ends = ends.flat_map(|(low, high)| [low, high]);
    let n_rows = curve.steps.iter().map(|step| step.n_rows as f64);
    let direction = if curve.scoring.greater_is_better() {
        "more"
    } else {
        "less"
    };
    let n_folds = curve.steps[0].train_scores.len();
    let chart = Curves {
        x: Axis::around("rows to train on", n_rows.chain([0.0])),
        y: Axis::around(format!("{} ({direction} is better)", curve.scoring), ends),
        is_square: false,
        series,
    };
    Ok(Plot {
        title: "Learning curve".to_owned(),
        chart: Chart::Curves(chart),
        notes: vec![format!(
            "Means of {n_folds} folds; the bands are one standard deviation to either side."
        )],
    })
}

//! What a threshold on a score trades.

use super::{Axis, Chart, Curves, Mark, Plot, Series};
use crate::error::MlError;
use crate::metric::{PrecisionRecallCurve, RocCurve, check_finite, check_length};
use crate::options::check_count;

/// Curves with more points than this are thinned.
const MAX_POINTS: usize = 1_000;
/// Points nearer to the one before than this share of an axis cannot be told from it.
const NEAR: f64 = 1e-3;

/// Plots the share of positive rows found against the share of negative rows taken for positive, for
/// one curve or several, with the area below each.
///
/// Of more than 1,000 points those are kept that are a thousandth of an axis away from the one before.
///
/// # Errors
/// [`MlError::InvalidOption`] for no curves, and for one of rows that are all of one kind, which has
/// no rates; [`MlError::LengthMismatch`] if the rates of a curve are not as many.
pub fn plot_roc(curves: &[(&str, &RocCurve)]) -> Result<Plot, MlError> {
    check_count("number of curves", curves.len())?;
    let mut series = vec![Series::new(
        "chance (AUC 0.5)",
        Mark::Reference,
        [(0.0, 0.0), (1.0, 1.0)],
    )];
    for (name, curve) in curves {
        let (across, up) = (&curve.false_positive_rates, &curve.true_positive_rates);
        check_count("number of points of a curve", across.len())?;
        check_length("the list of true positive rates", across.len(), up.len())?;
        if across.iter().chain(up).any(|rate| rate.is_nan()) {
            return Err(MlError::InvalidOption {
                name: "curve",
                value: format!("`{name}`, of rows of one kind"),
                expected: "one of positive and negative rows",
            });
        }
        let name = format!("{name} (AUC {:.3})", curve.area());
        series.push(Series::new(name, Mark::Line, thinned(across, up)));
    }
    let chart = Curves {
        x: Axis::new("false positive rate", 0.0, 1.0),
        y: Axis::new("true positive rate", 0.0, 1.0),
        is_square: true,
        series,
    };
    Ok(Plot {
        title: "ROC curve".to_owned(),
        chart: Chart::Curves(chart),
        notes: Vec::new(),
    })
}

/// Plots precision against recall, for one curve or several, with the average precision of each.
///
/// The line keeps its height up to the next recall: between two thresholds nothing is promised. Where
/// all curves are of the same share of positive rows, a line has the precision of chance. Points are
/// thinned as those of [`plot_roc`].
///
/// # Errors
/// [`MlError::InvalidOption`] for no curves; [`MlError::LengthMismatch`] if a curve has not as many
/// precisions as recalls; [`MlError::NotFinite`].
pub fn plot_precision_recall(curves: &[(&str, &PrecisionRecallCurve)]) -> Result<Plot, MlError> {
    check_count("number of curves", curves.len())?;
    let mut series = Vec::new();
    for (name, curve) in curves {
        let (across, up) = (&curve.recalls, &curve.precisions);
        check_count("number of points of a curve", curve.thresholds.len())?;
        let n_points = curve.thresholds.len() + 1;
        check_length("the list of recalls", n_points, across.len())?;
        check_length("the list of precisions", n_points, up.len())?;
        check_finite("recalls", across)?;
        check_finite("precisions", up)?;
        let name = format!("{name} (AP {:.3})", curve.average_precision());
        series.push(Series::new(name, Mark::Steps, thinned(across, up)));
    }
    // At the lowest threshold every row counts as positive.
    let share = curves[0].1.precisions[0];
    if curves.iter().all(|(_, curve)| curve.precisions[0] == share) {
        let name = format!("chance ({share:.3})");
        let line = [(0.0, share), (1.0, share)];
        series.insert(0, Series::new(name, Mark::Reference, line));
    }
    let chart = Curves {
        x: Axis::new("recall", 0.0, 1.0),
        y: Axis::new("precision", 0.0, 1.0),
        is_square: true,
        series,
    };
    Ok(Plot {
        title: "Precision and recall".to_owned(),
        chart: Chart::Curves(chart),
        notes: Vec::new(),
    })
}

/// The points of a curve, without those that cannot be told from the one before.
fn thinned(across: &[f64], up: &[f64]) -> Vec<(f64, f64)> {
    let points: Vec<(f64, f64)> = across.iter().copied().zip(up.iter().copied()).collect();
    if points.len() <= MAX_POINTS {
        return points;
    }
    let last = points.len() - 1;
    let mut kept: Vec<(f64, f64)> = Vec::new();
    for (i, (x, y)) in points.into_iter().enumerate() {
        let is_far = kept
            .last()
            .is_none_or(|(from_x, from_y)| (x - from_x).abs().max((y - from_y).abs()) >= NEAR);
        if is_far || i == last {
            kept.push((x, y));
        }
    }
    kept
}

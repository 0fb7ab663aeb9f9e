//! Whether a probability of 0.7 comes true 7 times in 10.

use super::{Axis, Chart, Curves, Mark, Plot, Point, Series};
use crate::error::MlError;
use crate::metric::{CalibrationBin, check_finite};
use crate::options::check_count;

/// Plots how often rows are positive against the probability that they were given, for the bins of one
/// model or class or of several. Bins with more rows have larger dots.
///
/// # Errors
/// [`MlError::InvalidOption`] for no curves or no bins; [`MlError::NotFinite`].
pub fn plot_calibration(curves: &[(&str, &[CalibrationBin])]) -> Result<Plot, MlError> {
    check_count("number of curves", curves.len())?;
    let mut series = vec![Series::new(
        "perfectly calibrated",
        Mark::Reference,
        [(0.0, 0.0), (1.0, 1.0)],
    )];
    for (name, bins) in curves {
        check_count("number of bins", bins.len())?;
        check_finite(
            "probabilities",
            bins.iter().map(|bin| &bin.mean_probability),
        )?;
        check_finite("shares", bins.iter().map(|bin| &bin.positive_share))?;
        let points = bins.iter().map(|bin| Point {
            n_rows: Some(bin.n_rows),
            ..Point::new(bin.mean_probability, bin.positive_share)
        });
        series.push(Series {
            name: (*name).to_owned(),
            mark: Mark::LineAndDots,
            points: points.collect(),
        });
    }
    let n_rows = curves
        .iter()
        .flat_map(|(_, bins)| bins.iter().map(|bin| bin.n_rows));
    let (fewest, most) = n_rows.fold((usize::MAX, 0), |(fewest, most), n_rows| {
        (fewest.min(n_rows), most.max(n_rows))
    });
    let chart = Curves {
        x: Axis::new("mean predicted probability", 0.0, 1.0),
        y: Axis::new("share of positive rows", 0.0, 1.0),
        is_square: true,
        series,
    };
    Ok(Plot {
        title: "Calibration".to_owned(),
        chart: Chart::Curves(chart),
        notes: vec![format!(
            "A larger dot stands for more rows: from {fewest} to {most}."
        )],
    })
}

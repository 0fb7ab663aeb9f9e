//! What predictions miss.

use ndarray::ArrayView1;

use super::svg::value;
use super::{Axis, Chart, Curves, Mark, Plot, Series};
use crate::error::MlError;
use crate::metric::{check_finite, check_pair};

/// Plots with more dots than this say no more.
const MAX_DOTS: usize = 2_000;
/// Of these dots, so many are kept for the rows that are farthest off.
const N_FARTHEST: usize = 200;

/// Plots what is left of each target once the prediction is taken away, against the prediction.
///
/// Dots that grow apart to one side, or that bend, show what the model does not know. Of more than
/// 2,000 rows the 200 with the largest residuals are shown, and of the others every so many.
///
/// # Shapes
/// targets `[n_rows]`, predictions `[n_rows]`
///
/// # Errors
/// [`MlError::LengthMismatch`], [`MlError::NoRows`] and [`MlError::NotFinite`].
pub fn plot_residuals(
    targets: ArrayView1<'_, f64>,
    predictions: ArrayView1<'_, f64>,
) -> Result<Plot, MlError> {
    check_pair(targets.len(), predictions.len())?;
    check_finite("targets", targets)?;
    check_finite("predictions", predictions)?;
    let pairs = targets.iter().zip(predictions);
    let points: Vec<(f64, f64)> = pairs
        .map(|(target, guess)| (*guess, target - guess))
        .collect();
    check_finite("residuals", points.iter().map(|(_, residual)| residual))?;

    let n_rows = points.len();
    let n = n_rows as f64;
    let mean = points.iter().map(|(_, residual)| residual).sum::<f64>() / n;
    let squares = points.iter().map(|(_, residual)| (residual - mean).powi(2));
    let deviation = (squares.sum::<f64>() / n).sqrt();
    let mut notes = vec![format!(
        "{n_rows} rows. Residuals: mean {}, standard deviation {}.",
        value(mean),
        value(deviation)
    )];
    let x = Axis::around("predicted", points.iter().map(|(guess, _)| *guess));
    let y = Axis::around(
        "residual (true minus predicted)",
        points.iter().map(|(_, residual)| *residual).chain([0.0]),
    );
    let shown = some_of(points);
    if shown.len() < n_rows {
        notes.push(format!(
            "{} rows are shown: the {N_FARTHEST} that are farthest off, and some of the others.",
            shown.len()
        ));
    }
    let line = [(x.low, 0.0), (x.high, 0.0)];
    let series = vec![
        Series::new("no error", Mark::Reference, line),
        Series::new("a row", Mark::Dots, shown),
    ];
    let chart = Curves {
        x,
        y,
        is_square: false,
        series,
    };
    Ok(Plot {
        title: "Residuals".to_owned(),
        chart: Chart::Curves(chart),
        notes,
    })
}

/// As many points as there may be dots, in the order of the rows.
fn some_of(points: Vec<(f64, f64)>) -> Vec<(f64, f64)> {
    if points.len() <= MAX_DOTS {
        return points;
    }
    let mut by_size: Vec<usize> = (0..points.len()).collect();
    by_size.sort_by(|a, b| points[*b].1.abs().total_cmp(&points[*a].1.abs()));
    let (farthest, rest) = by_size.split_at(N_FARTHEST);
    let mut rest = rest.to_vec();
    rest.sort_unstable();
    let every = rest.len().div_ceil(MAX_DOTS - N_FARTHEST);
    let mut kept: Vec<usize> = rest.into_iter().step_by(every).collect();
    kept.extend(farthest);
    kept.sort_unstable();
    kept.into_iter().map(|row_idx| points[row_idx]).collect()
}

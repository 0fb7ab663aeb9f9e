//! What a search came to.

use std::cmp::Ordering;

use serde::Serialize;
use serde_json::Value;

use super::{Axis, Chart, Curves, Mark, Plot, Point, Series};
use crate::error::MlError;
use crate::options::check_count;
use crate::tuning::{Scoring, SearchReport, Trial};

/// More values than this are no names of an axis.
const MAX_NAMES: usize = 12;
/// An option whose values are at least so many times apart goes by orders of magnitude.
const LOG_FROM: f64 = 100.0;

/// Plots the score of each trial in the order in which they were tried, and the best score so far.
///
/// # Errors
/// [`MlError::InvalidOption`] if no trial has a score that is defined.
pub fn plot_trials<O, S: Scoring>(search: &SearchReport<O, S>) -> Result<Plot, MlError> {
    let scoring = search.scoring();
    let tried: Vec<&Trial<O>> = search.in_order_tried().collect();
    let numbered = tried
        .iter()
        .enumerate()
        .map(|(i, trial)| (i as f64 + 1.0, trial.mean()));
    let points: Vec<(f64, f64)> = numbered.filter(|(_, mean)| mean.is_finite()).collect();
    let mut best: Vec<(f64, f64)> = Vec::with_capacity(points.len());
    for (x, mean) in &points {
        let so_far = best.last().map_or(f64::NAN, |(_, best)| *best);
        let score = if scoring.is_better(*mean, so_far) {
            *mean
        } else {
            so_far
        };
        best.push((*x, score));
    }
    let x = Axis::around("trial", [0.0, tried.len() as f64]);
    let series = vec![
        Series::new("a trial", Mark::Dots, points),
        Series::new("best so far", Mark::Steps, best),
    ];
    score_plot("Scores of the trials", x, scoring, series, tried.len())
}

/// Plots the scores of the trials against the value of one option, with the best trial marked.
///
/// Numbers go along an axis, by orders of magnitude where they are 100 times apart; other values, up to
/// 12 of them, are names. The other options differ from trial to trial as well: a search that draws
/// them shows how much that matters.
///
/// # Errors
/// [`MlError::UnknownOption`], which lists the options there are; [`MlError::InvalidOption`] for more
/// than 12 values that are not numbers, and if no trial has a score that is defined.
pub fn plot_option<O: Serialize, S: Scoring>(
    search: &SearchReport<O, S>,
    option: &str,
) -> Result<Plot, MlError> {
    let scoring = search.scoring();
    let mut found = Vec::with_capacity(search.trials().len());
    for trial in search.trials() {
        let options = serde_json::to_value(&trial.options).unwrap_or(Value::Null);
        match options.get(option) {
            Some(value) => found.push((value.clone(), trial.mean())),
            None => {
                let names = options
                    .as_object()
                    .into_iter()
                    .flat_map(|options| options.keys());
                return Err(MlError::UnknownOption {
                    option: option.to_owned(),
                    options: names.cloned().collect(),
                });
            }
        }
    }
    let (x, places) = along(option, found.iter().map(|(value, _)| value))?;
    let scores = found.iter().map(|(_, mean)| *mean);
    let points: Vec<(f64, f64)> = places
        .into_iter()
        .zip(scores)
        .filter(|(_, mean)| mean.is_finite())
        .collect();
    // Trials are in order, so the first is the best.
    let best = points.first().copied();
    let series = vec![
        Series::new("a trial", Mark::Dots, points),
        Series::new("the best trial", Mark::Dots, best),
    ];
    let title = format!("Scores by {option}");
    score_plot(&title, x, scoring, series, search.trials().len())
}

/// An axis for the values of an option, and their places on it.
fn along<'a>(
    option: &str,
    values: impl Iterator<Item = &'a Value> + Clone,
) -> Result<(Axis, Vec<f64>), MlError> {
    let numbers: Option<Vec<f64>> = values.clone().map(Value::as_f64).collect();
    if let Some(numbers) = numbers {
        let least = numbers.iter().copied().fold(f64::INFINITY, f64::min);
        let most = numbers.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let of = numbers.iter().copied();
        let axis = match least > 0.0 && most / least >= LOG_FROM {
            true => Axis::around_log(option, of),
            false => Axis::around(option, of),
        };
        return Ok((axis, numbers));
    }
    let mut distinct: Vec<&Value> = values.clone().collect();
    distinct.sort_by(|a, b| in_order(a, b));
    distinct.dedup();
    if distinct.len() > MAX_NAMES {
        return Err(MlError::InvalidOption {
            name: "option",
            value: format!("`{option}`, which has {} values", distinct.len()),
            expected: "one of numbers, or of 12 values at most",
        });
    }
    let place = |value: &Value| {
        let place = distinct.iter().position(|of| *of == value);
        place.expect("each value is among the distinct ones") as f64
    };
    let places = values.map(place).collect();
    let names = distinct.iter().map(|value| option_text(value)).collect();
    Ok((Axis::named(option, names), places))
}

/// Numbers first, what is absent last.
fn in_order(a: &Value, b: &Value) -> Ordering {
    let kind = |value: &Value| match value {
        Value::Number(_) => 0,
        Value::Null => 2,
        _ => 1,
    };
    let by_value = match (a.as_f64(), b.as_f64()) {
        (Some(a), Some(b)) => a.total_cmp(&b),
        _ => option_text(a).cmp(&option_text(b)),
    };
    kind(a).cmp(&kind(b)).then(by_value)
}

/// The value of an option for people: `none`, `sqrt`, `Fraction 0.2`.
pub(crate) fn option_text(value: &Value) -> String {
    match value {
        Value::Null => "none".to_owned(),
        Value::String(text) => text.clone(),
        Value::Object(of) if of.len() == 1 => {
            let parts = of
                .iter()
                .map(|(name, value)| format!("{name} {}", option_text(value)));
            parts.collect()
        }
        value => value.to_string(),
    }
}

fn score_plot(
    title: &str,
    x: Axis,
    scoring: impl Scoring,
    series: Vec<Series>,
    n_trials: usize,
) -> Result<Plot, MlError> {
    let points: Vec<&Point> = series.iter().flat_map(|series| &series.points).collect();
    check_count("number of trials with a score", points.len())?;
    let n_without = n_trials - series[0].points.len();
    let direction = if scoring.greater_is_better() {
        "more"
    } else {
        "less"
    };
    let label = format!("{scoring} ({direction} is better)");
    let y = Axis::around(label, points.iter().map(|point| point.y));
    let notes = match n_without {
        0 => Vec::new(),
        1 => vec!["1 trial has no score.".to_owned()],
        n => vec![format!("{n} trials have no score.")],
    };
    Ok(Plot {
        title: title.to_owned(),
        chart: Chart::Curves(Curves {
            x,
            y,
            is_square: false,
            series,
        }),
        notes,
    })
}

//! What was logged, on the page of a flow run.

use std::fmt::Write as _;

use super::page::Page;
use crate::report::logged::{number_text, shown};
use crate::report::{LoggedReport, MetricReport, RunReport, escape, human};

/// The most rows of a list.
const MAX_ROWS: usize = 100;
/// The most curves.
const MAX_CURVES: usize = 24;
/// What a curve takes, in pixels.
const WIDTH: f64 = 320.0;
const HEIGHT: f64 = 90.0;
const MARGIN: f64 = 4.0;

/// Writes what the flow run and its task runs logged.
pub(super) fn write(page: &mut Page, report: &RunReport) {
    metrics(page, report);
    let all = || report.logged.iter();
    let of = |logged: &LoggedReport, name: &str, value: String| {
        vec![name.to_owned(), logged.name.clone(), value]
    };
    let params = all().flat_map(|logged| {
        let params = logged.params.iter();
        params.map(move |(name, value)| of(logged, name, shown(value)))
    });
    list(page, "Params", ["param", "of", "value"], params);
    let tags = all().flat_map(|logged| {
        let tags = logged.tags.iter();
        tags.map(move |(name, value)| of(logged, name, value.clone()))
    });
    list(page, "Tags", ["tag", "of", "value"], tags);
    let artifacts = all().flat_map(|logged| {
        logged.artifacts.iter().map(|(name, artifact)| {
            let digest: String = artifact.digest.chars().take(12).collect();
            let (media_type, bytes) = (artifact.media_type.clone(), human::count(artifact.bytes));
            vec![name.clone(), logged.name.clone(), media_type, bytes, digest]
        })
    });
    let head = ["artifact", "of", "media type", "bytes", "digest"];
    list(page, "Artifacts", head, artifacts);
}

fn metrics(page: &mut Page, report: &RunReport) {
    let all = report.logged.iter();
    let all = all.flat_map(|logged| logged.metrics.iter().map(move |metric| (logged, metric)));
    let rows = all.clone().map(|(logged, (name, metric))| {
        let (last, range) = (number_text(metric.last), [metric.min, metric.max]);
        let [min, max] = match metric.is_single() {
            true => [String::new(), String::new()],
            false => range.map(number_text),
        };
        let n_points = human::count(metric.n_points);
        vec![name.clone(), logged.name.clone(), last, min, max, n_points]
    });
    let head = ["metric", "of", "last", "min", "max", "points"];
    list(page, "Metrics", head, rows);
    let mut curves = all.filter(|(_, (_, metric))| !metric.is_single());
    let drawn: String = curves
        .by_ref()
        .take(MAX_CURVES)
        .filter_map(|(logged, (name, metric))| curve(&format!("{name}, {}", logged.name), metric))
        .collect();
    if !drawn.is_empty() {
        page.raw(format_args!("<div class=\"figures\">{drawn}</div>"));
    }
    let n_more = curves.count();
    if n_more > 0 {
        let more = human::counted(n_more as u64, "more curve");
        page.paragraph("dim", &format!("And {more}."));
    }
}

fn list<const N: usize>(
    page: &mut Page,
    title: &str,
    head: [&str; N],
    rows: impl Iterator<Item = Vec<String>>,
) {
    let mut rows = rows.peekable();
    if rows.peek().is_none() {
        return;
    }
    page.heading(title);
    let shown: Vec<Vec<String>> = rows.by_ref().take(MAX_ROWS).collect();
    let head = head.map(str::to_owned);
    page.cards(&head, (Some(0), None), &shown, rows.count());
}

/// Draws a metric over its steps; nothing if fewer than two of its values are numbers.
fn curve(title: &str, metric: &MetricReport) -> Option<String> {
    let points = metric.points.iter().filter(|point| point.value.is_finite());
    let mut points: Vec<(f64, f64)> = points
        .map(|point| (point.step as f64, point.value))
        .collect();
    points.sort_by(|one, other| one.0.total_cmp(&other.0));
    let (first, last) = (points.first()?.0, points.last()?.0);
    if points.len() < 2 {
        return None;
    }
    let least = points
        .iter()
        .map(|point| point.1)
        .fold(f64::INFINITY, f64::min);
    let most = points
        .iter()
        .map(|point| point.1)
        .fold(f64::NEG_INFINITY, f64::max);
    let share = |value: f64, least: f64, most: f64| match most - least {
        range if range > 0.0 => (value - least) / range,
        _ => 0.5,
    };
    let mut line = String::new();
    for (step, value) in points {
        let x = MARGIN + (WIDTH - 2.0 * MARGIN) * share(step, first, last);
        let y = HEIGHT - MARGIN - (HEIGHT - 2.0 * MARGIN) * share(value, least, most);
        // Writing to a `String` cannot fail.
        let _ = write!(line, "{x:.1},{y:.1} ");
    }
    let (title, range) = (escape::xml(title), [least, most].map(number_text));
    let steps = [first, last].map(|step| human::count(step.max(0.0) as u64));
    let [least, most] = range;
    let [first, last] = steps;
    Some(format!(
        "<figure><figcaption>{title}<br/><span class=\"dim\">{least} to {most}, steps {first} to \
         {last}</span></figcaption><svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" width=\"{WIDTH}\" \
         height=\"{HEIGHT}\" role=\"img\" aria-label=\"{title}\"><polyline points=\"{}\" \
         fill=\"none\" stroke=\"currentColor\" stroke-width=\"1.5\"/></svg></figure>",
        line.trim_end()
    ))
}

//! The time of a flow run as a picture.

use std::fmt::Write;

use super::counts::item_counts;
use super::critical_path::{Marked, critical_path};
use super::svg::{self, Legend, MARGIN, NOTE_HEIGHT};
use super::theme::{self, CHAR_WIDTH, number};
use super::timing::{Times, Timing, nanos};
use super::view::details;
use super::{RunReport, TaskRunReport, escape, human};
use crate::state::State;

const HEADING: f64 = 56.0;
const AXIS: f64 = 24.0;
const MAX_INDENT: u32 = 6;
const BAR: f64 = 14.0;
/// A bar that took no visible time is this wide.
const MIN_BAR: f64 = 2.0;
/// From one explanation of a line or bar to the next.
const SAMPLE: f64 = 164.0;
const SAMPLE_HEIGHT: f64 = 26.0;

/// How a timeline is laid out.
#[derive(Debug, Clone, Copy)]
pub(super) struct Layout {
    /// Flow runs with more task runs than this show the longest ones. At most a quarter of the lanes
    /// is kept for failures that were short.
    max_lanes: usize,
    /// The class that the styles of one in a page are told apart by, and the name of its hatching.
    class: &'static str,
    hatch: &'static str,
    width: f64,
    lane: f64,
    /// Where the plot begins, and its width. What is behind it is room for the text after a bar.
    left: f64,
    plot: f64,
    /// The room for a name.
    names: f64,
    /// From the top of a lane to its bar.
    bar: f64,
    max_ticks: u64,
}

impl Layout {
    /// A file of its own: names beside the bars.
    const FILE: Layout = Layout {
        max_lanes: 200,
        class: "orch-timeline",
        hatch: "orch-hatch",
        width: MARGIN + 250.0 + 800.0 + 130.0,
        lane: 24.0,
        left: MARGIN + 250.0,
        plot: 800.0,
        names: 250.0 - 34.0,
        bar: 5.0,
        max_ticks: 8,
    };
    /// The same in a page, which has to stay small.
    pub(super) const PAGE: Layout = Layout {
        max_lanes: 80,
        ..Layout::FILE
    };
    /// For a phone: names above the bars.
    pub(super) const NARROW: Layout = Layout {
        class: "orch-narrow",
        hatch: "orch-hatch-narrow",
        width: 376.0,
        lane: 42.0,
        left: MARGIN,
        plot: 260.0,
        names: 376.0 - MARGIN - 34.0,
        bar: 22.0,
        max_ticks: 4,
        ..Layout::PAGE
    };
}

impl RunReport {
    /// Draws the time of the flow run as SVG: a lane for each task run, with a thin line while it
    /// waited for inputs, hatching while it was queued, and a bar for each attempt with the retry
    /// waits between them. The critical path is underlined.
    ///
    /// Of more than 200 task runs it shows the longest ones, failures first, and says how many it
    /// leaves out.
    ///
    /// The text is a file of its own, needs no network and no script, follows the viewer's choice
    /// of light or dark, and is the same for equal reports.
    pub fn timeline_svg(&self) -> String {
        self.timeline(&Layout::FILE)
    }

    pub(super) fn timeline(&self, layout: &Layout) -> String {
        let timing = Timing::new(self);
        let path = critical_path(self, &timing);
        let marked = Marked::new(&path, &timing);
        let lanes = lanes(self, &timing, layout.max_lanes);
        let left_out = self.task_runs.len() - lanes.len();
        let mut notes = vec![format!("critical path: {}", path.split())];
        if left_out > 0 {
            let more = human::counted(left_out as u64, "more task run");
            notes.push(format!(
                "the longest task runs and failures; {more} not shown"
            ));
        }
        let n_unrecorded: u64 = self.unrecorded.iter().map(|counts| counts.total()).sum();
        if n_unrecorded > 0 {
            let more = human::counted(n_unrecorded, "more task run");
            notes.push(format!("{more} beyond the recording limit"));
        }

        let mut states: Vec<State> = State::ALL.to_vec();
        states.retain(|state| {
            lanes
                .iter()
                .any(|(lane, _)| self.task_runs[*lane].state == *state)
        });
        let notes = svg::wrapped(&notes, layout.width);
        let legend = Legend::new(states, layout.width);
        let samples_per_line =
            (((layout.width - MARGIN) / SAMPLE) as usize).clamp(1, SAMPLES.len());
        let plot_top = HEADING + AXIS;
        let plot_bottom = plot_top + layout.lane * lanes.len().max(1) as f64;
        let notes_top = plot_bottom + MARGIN;
        let samples_top = notes_top + NOTE_HEIGHT * notes.len() as f64 + 10.0;
        let sample_lines = SAMPLES.len().div_ceil(samples_per_line);
        let legend_top = samples_top + SAMPLE_HEIGHT * sample_lines as f64;

        let height = legend_top + legend.height;
        let mut svg = svg::open(self, "timeline", layout.class, layout.width, height);
        let of_layout = |text: &str| {
            let text = text.replace("#orch-hatch", &format!("#{}", layout.hatch));
            text.replace(".orch-timeline ", &format!(".{} ", layout.class))
        };
        svg.push_str(&theme::style_sheet(
            &of_layout(STYLE),
            &of_layout(DARK_STYLE),
        ));
        svg.push_str(&DEFINITIONS.replace("orch-hatch", layout.hatch));
        svg::ground_and_heading(&mut svg, self, layout.width);
        let scale = Scale::new(timing.end, layout);
        draw_axis(
            &mut svg,
            &scale,
            plot_top,
            plot_bottom,
            self.state.is_final(),
        );
        for (place, (lane, depth)) in lanes.iter().enumerate() {
            let lane = Lane {
                run: &self.task_runs[*lane],
                times: timing.times[*lane],
                depth: (*depth).min(MAX_INDENT),
                is_critical: marked.runs[*lane],
                slack: human::duration(path.slack[*lane]),
                top: plot_top + layout.lane * place as f64,
                layout,
            };
            lane.draw(&mut svg, &scale);
        }
        if !self.state.is_final() {
            draw_now(&mut svg, &scale, plot_top, plot_bottom);
        }
        svg::notes(&mut svg, &notes, notes_top);
        draw_samples(&mut svg, samples_top, samples_per_line);
        legend.draw(&mut svg, legend_top);
        svg.push_str("</svg>\n");
        svg
    }
}

/// The positions that get a lane, and how deep each lies in others.
fn lanes(report: &RunReport, timing: &Timing, max_lanes: usize) -> Vec<(usize, u32)> {
    let mut lanes: Vec<usize> = (0..report.task_runs.len()).collect();
    if lanes.len() > max_lanes {
        // What a task run waited for is another one's time.
        let length = |p: usize| timing.times[p].ended - timing.times[p].ready;
        lanes.sort_by_key(|p| (std::cmp::Reverse(length(*p)), *p));
        let (longest, shorter) = lanes.split_at(max_lanes);
        let is_failure = |p: &&usize| report.task_runs[**p].state.is_failure();
        let failures: Vec<usize> = shorter
            .iter()
            .filter(is_failure)
            .take(max_lanes / 4)
            .copied()
            .collect();
        let mut kept = longest[..max_lanes - failures.len()].to_vec();
        kept.extend(failures);
        lanes = kept;
    }
    let mut has_lane = vec![false; report.task_runs.len()];
    for position in &lanes {
        has_lane[*position] = true;
    }
    let tree = timing
        .graph
        .as_tree()
        .into_iter()
        .map(|(run, depth)| (run as usize, depth));
    tree.filter(|(position, _)| has_lane[*position]).collect()
}

/// From nanoseconds to places in the plot.
struct Scale {
    end: u64,
    left: f64,
    plot: f64,
    max_ticks: u64,
}

impl Scale {
    fn new(end: u64, layout: &Layout) -> Scale {
        Scale {
            end: end.max(1),
            left: layout.left,
            plot: layout.plot,
            max_ticks: layout.max_ticks,
        }
    }

    fn x(&self, time: u64) -> f64 {
        self.left + self.plot * (time.min(self.end) as f64 / self.end as f64)
    }

    /// The distance between the marks of the axis.
    fn step(&self) -> u64 {
        const SECOND: u64 = 1_000_000_000;
        const LONG: [u64; 16] = [
            1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 21_600, 43_200,
        ];
        const DAY: u64 = 86_400 * SECOND;
        let fits = |step: &u64| self.end / step < self.max_ticks;
        let decimal = |unit: u64, up_to: u64| {
            let tens = std::iter::successors(Some(unit), move |ten: &u64| {
                ten.checked_mul(10).filter(|ten| *ten < up_to)
            });
            tens.flat_map(|ten| [ten, ten.saturating_mul(2), ten.saturating_mul(5)])
        };
        decimal(1, SECOND)
            .chain(LONG.map(|seconds| seconds * SECOND))
            .chain(decimal(DAY, u64::MAX))
            .find(fits)
            .unwrap_or(self.end)
    }
}

fn draw_axis(svg: &mut String, scale: &Scale, top: f64, bottom: f64, is_final: bool) {
    let step = scale.step();
    let (top_text, top, bottom) = (number(top - 8.0), number(top), number(bottom));
    for i in 0..=scale.end / step {
        let x = number(scale.x(i * step));
        let label = human::tick(i * step, step);
        // The word `now` stands here.
        let is_free = is_final || scale.x(scale.end) - scale.x(i * step) > 40.0;
        let label = if is_free { label } else { String::new() };
        // Writing to a string cannot fail, here and below.
        let _ = writeln!(
            svg,
            r#"<path class="grid" d="M{x} {top}V{bottom}"/><text class="dim" x="{x}" y="{top_text}" text-anchor="middle">{label}</text>"#,
        );
    }
}

fn draw_now(svg: &mut String, scale: &Scale, top: f64, bottom: f64) {
    let (x, text_x) = (number(scale.x(scale.end)), number(scale.x(scale.end) + 5.0));
    let (top, bottom, text_y) = (number(top), number(bottom), number(top - 8.0));
    let _ = writeln!(
        svg,
        r#"<g class="now"><path d="M{x} {top}V{bottom}"/><text x="{text_x}" y="{text_y}">now</text></g>"#,
    );
}

/// One task run and where it is drawn.
struct Lane<'a> {
    run: &'a TaskRunReport,
    times: Times,
    depth: u32,
    is_critical: bool,
    slack: String,
    top: f64,
    layout: &'a Layout,
}

impl Lane<'_> {
    fn draw(&self, svg: &mut String, scale: &Scale) {
        let Lane {
            run, times, layout, ..
        } = self;
        let text_y = number(self.top + 16.0);
        let after_y = number(self.top + layout.bar + 11.0);
        let indent = 12.0 * f64::from(self.depth);
        let room = ((layout.names - indent) / CHAR_WIDTH) as usize;
        let critical = if self.is_critical { " critical" } else { "" };
        let _ = write!(
            svg,
            r#"<g class="lane {class}{critical}">{title}<rect class="hit" x="{left}" y="{top}" width="{width}" height="{height}"/>{mark}<text class="name" x="{name_x}" y="{text_y}">{name}</text>"#,
            class = theme::class(run.state),
            title = self.title(),
            left = number(MARGIN / 2.0),
            width = number(layout.width - MARGIN),
            height = number(layout.lane),
            top = number(self.top),
            mark = theme::mark(run.state, MARGIN + indent, self.top + 16.0),
            name_x = number(MARGIN + indent + 18.0),
            name = escape::xml(&human::short(&run.name, room)),
        );
        let bar_y = self.top + layout.bar;
        let middle = number(bar_y + BAR / 2.0);
        let line = |svg: &mut String, class: &str, from: u64, to: u64| {
            if from < to {
                let (from, to) = (number(scale.x(from)), number(scale.x(to)));
                let _ = write!(svg, r#"<path class="{class}" d="M{from} {middle}H{to}"/>"#);
            }
        };
        let bar = |svg: &mut String, class: &str, from: u64, to: u64, title: &str| {
            let x = scale.x(from);
            let (x, y, width) = (
                number(x),
                number(bar_y),
                number((scale.x(to) - x).max(MIN_BAR)),
            );
            let title = match title {
                "" => String::new(),
                title => format!("<title>{}</title>", escape::xml(title)),
            };
            let _ = write!(
                svg,
                r#"<rect class="{class}" x="{x}" y="{y}" width="{width}" height="{BAR}" rx="2">{title}</rect>"#,
            );
        };
        line(svg, "inputs", times.submitted, times.ready);
        if times.ready < times.started {
            bar(svg, "queued", times.ready, times.started, "");
        }
        let mut started = times.started;
        for (i, failed) in run.failed_attempts.iter().enumerate() {
            let clamp = |time: u64| time.clamp(times.started, times.ended);
            let (from, to) = (clamp(nanos(failed.started)), clamp(nanos(failed.ended)));
            let title = format!(
                "attempt {} failed after {}: {}",
                failed.attempt,
                human::duration(failed.ended.saturating_sub(failed.started)),
                failed.error.message
            );
            bar(svg, "attempt", from, to.max(from), &title);
            let next = match run.failed_attempts.get(i + 1) {
                Some(next) => Some(next.started),
                None => run.last_started,
            };
            started = next.map_or(to, |next| clamp(nanos(next))).max(to);
            line(svg, "retry", to, started);
        }
        let has_run = run.started.is_some() || run.ended.is_none() && run.state.has_started();
        let is_waiting_for_retry = run.state == State::AwaitingRetry;
        if is_waiting_for_retry {
            line(svg, "retry", started, times.ended);
        } else if has_run || run.state.is_success() {
            bar(svg, "box", started, times.ended, "");
        }
        let end = scale.x(times.ended);
        if self.is_critical && times.ready < times.ended {
            let y = number(bar_y + BAR + 2.5);
            let from = number(scale.x(times.ready));
            let to = number(end.max(scale.x(times.ready) + MIN_BAR));
            let _ = write!(svg, r#"<path class="sample" d="M{from} {y}H{to}"/>"#);
        }
        let _ = writeln!(
            svg,
            r#"<text class="dim" x="{x}" y="{after_y}">{after}</text></g>"#,
            x = number(end + 7.0),
            after = escape::xml(&human::short(&self.after(), 16)),
        );
    }

    /// What stands behind the bar: the time, or the word where there is none.
    fn after(&self) -> String {
        let run = self.run;
        if run.started.is_none() || run.ended.is_none() {
            return run.state.word().to_owned();
        }
        let time = human::duration(run.run_time());
        match run.attempts {
            0 | 1 => time,
            n => format!("{time} ×{n}"),
        }
    }

    fn title(&self) -> String {
        let mut lines = vec![self.run.name.clone()];
        lines.extend(details(self.run));
        lines.extend(item_counts(self.run).map(|counts| counts.words()));
        let on_path = "on the critical path".to_owned();
        lines.push(if self.is_critical {
            on_path
        } else {
            format!("slack {}", self.slack)
        });
        let lines: Vec<String> = lines.iter().map(|line| escape::xml(line)).collect();
        format!("<title>{}</title>", lines.join("\n"))
    }
}

/// What the lines and bars mean.
const SAMPLES: [(&str, &str); 4] = [
    (r#"<path class="inputs" d="M0 4H22"/>"#, "waits for inputs"),
    (
        r#"<rect class="queued" y="-3" width="22" height="14" rx="2"/>"#,
        "queued",
    ),
    (
        r#"<rect class="attempt" y="-3" width="22" height="14" rx="2"/>"#,
        "failed attempt",
    ),
    (r#"<path class="retry" d="M0 4H22"/>"#, "waits for retry"),
];

/// Explains the lines and bars.
fn draw_samples(svg: &mut String, top: f64, per_line: usize) {
    for (i, (sample, words)) in SAMPLES.iter().enumerate() {
        let x = number(MARGIN + SAMPLE * (i % per_line) as f64);
        let y = number(top + SAMPLE_HEIGHT * (i / per_line) as f64);
        let _ = writeln!(
            svg,
            r#"<g class="s-failed" transform="translate({x} {y})">{sample}<text class="dim" x="28" y="8">{words}</text></g>"#,
        );
    }
}

const STYLE: &str = "\
.orch-timeline .heading{font-size:14px;font-weight:600}
.orch-timeline .mark,.orch-timeline .critical .name{font-weight:600}
.orch-timeline .hit{fill:transparent}.orch-timeline .lane:hover .hit{fill:#59636e;fill-opacity:.1}
.orch-timeline .grid{stroke:#d1d9e0;stroke-width:1}
.orch-timeline .inputs{fill:none;stroke:#8c959f;stroke-width:1}
.orch-timeline .queued{fill:url(#orch-hatch);stroke:#8c959f;stroke-width:.8}
.orch-timeline .attempt{fill:#cf222e;fill-opacity:.75;stroke:#cf222e}
.orch-timeline .retry{fill:none;stroke:#9a6700;stroke-width:2;stroke-dasharray:2 3}
.orch-timeline .sample{fill:none;stroke:#1f2328;stroke-width:2.4}
.orch-timeline .hatch{stroke:#8c959f;stroke-width:1.4}
.orch-timeline .now path{stroke:#0969da;stroke-width:1.4;stroke-dasharray:5 3}.orch-timeline .now text{fill:#0969da}
";

const DARK_STYLE: &str = "\
.orch-timeline .grid{stroke:#30363d}.orch-timeline .inputs{stroke:#6e7681}.orch-timeline .queued{stroke:#6e7681}
.orch-timeline .attempt{fill:#ff7b72;stroke:#ff7b72}.orch-timeline .retry{stroke:#e3b341}
.orch-timeline .sample{stroke:#e6edf3}.orch-timeline .hatch{stroke:#6e7681}
.orch-timeline .now path{stroke:#58a6ff}.orch-timeline .now text{fill:#58a6ff}
";

const DEFINITIONS: &str = r#"<defs>
<pattern id="orch-hatch" width="5" height="5" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><path class="hatch" d="M0 0V5"/></pattern>
</defs>
"#;

#[cfg(test)]
mod tests;

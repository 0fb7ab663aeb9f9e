//! What the pictures have in common: their frame, heading and legend.

use std::fmt::Write;

use super::theme::{self, CHAR_WIDTH, number};
use super::{RunReport, escape, human};
use crate::state::State;

pub(super) const MARGIN: f64 = 20.0;
pub(super) const NOTE_HEIGHT: f64 = 18.0;
pub(super) const LEGEND_HEIGHT: f64 = 26.0;
const LEGEND_ENTRY: f64 = 142.0;

/// The states and lines of a picture, explained.
pub(super) struct Legend {
    states: Vec<State>,
    per_line: usize,
    pub(super) height: f64,
}

impl Legend {
    pub(super) fn new(states: Vec<State>, width: f64) -> Legend {
        let per_line = (((width - 2.0 * MARGIN) / LEGEND_ENTRY) as usize).max(1);
        // One more entry for the critical path.
        let height = (states.len() + 1).div_ceil(per_line) as f64 * LEGEND_HEIGHT;
        Legend {
            states,
            per_line,
            height,
        }
    }

    pub(super) fn draw(&self, svg: &mut String, top: f64) {
        let place = |i: usize| {
            let x = MARGIN + (i % self.per_line) as f64 * LEGEND_ENTRY;
            (
                number(x),
                number(top + (i / self.per_line) as f64 * LEGEND_HEIGHT),
            )
        };
        for (i, state) in self.states.iter().enumerate() {
            let ((x, y), class, mark) = (
                place(i),
                theme::class(*state),
                theme::mark(*state, 5.5, 8.0),
            );
            let _ = writeln!(
                svg,
                r#"<g class="{class}" transform="translate({x} {y})"><rect class="box" y="-5" width="18" height="18" rx="4"/>{mark}<text class="dim" x="24" y="8">{state}</text></g>"#,
            );
        }
        let (x, y) = place(self.states.len());
        let _ = writeln!(
            svg,
            r#"<g transform="translate({x} {y})"><path class="sample" d="M0 4H18"/><text class="dim" x="24" y="8">critical path</text></g>"#,
        );
    }
}

/// Opens an SVG with a title for screen readers, and a class for its own styles.
pub(super) fn open(report: &RunReport, what: &str, class: &str, width: f64, height: f64) -> String {
    let (width, height) = (number(width.ceil()), number(height.ceil()));
    let label = escape::xml(&format!(
        "{what} of flow run {} of {}",
        report.name, report.flow
    ));
    format!(
        r#"<svg xmlns="http://www.w3.org/2000/svg" class="orch {class}" width="{width}" height="{height}" viewBox="0 0 {width} {height}" role="img" aria-label="{label}">
"#
    )
}

/// The ground, and two lines on the flow run.
pub(super) fn ground_and_heading(svg: &mut String, report: &RunReport, width: f64) {
    let room = ((width - 2.0 * MARGIN) / CHAR_WIDTH) as usize;
    let heading = format!("{} / {}", report.flow, report.name);
    let state = format!("{} {}", report.state.mark(), report.state);
    let mut facts = vec![
        human::duration(report.duration),
        human::counted(report.task_runs.len() as u64, "task run"),
    ];
    facts.extend(report.error.as_ref().map(|error| {
        if error.causes.is_empty() {
            error.message.clone()
        } else {
            format!("{}: {}", error.message, error.root())
        }
    }));
    let facts_room = room.saturating_sub(human::width(&state) + 3);
    let _ = writeln!(
        svg,
        r#"<rect class="ground" width="100%" height="100%"/><text class="heading" x="{x}" y="22">{heading}<title>{whole}</title></text><g class="{class}"><text x="{x}" y="40"><tspan class="mark">{state}</tspan><tspan class="dim" dx="8">· {facts}</tspan></text></g>"#,
        x = number(MARGIN),
        // Its letters are larger.
        heading = escape::xml(&human::short(&heading, room * 5 / 6)),
        whole = escape::xml(&heading),
        class = theme::class(report.state),
        facts = escape::xml(&human::short(&facts.join(" · "), facts_room)),
    );
}

/// Breaks sentences into lines that fit a picture of this width.
pub(super) fn wrapped(notes: &[String], width: f64) -> Vec<String> {
    let room = ((width - 2.0 * MARGIN) / CHAR_WIDTH) as usize;
    let mut lines: Vec<String> = Vec::new();
    for note in notes {
        let mut words = note.split(' ').map(|word| human::short(word, room));
        let mut line = words.next().unwrap_or_default();
        for word in words {
            if human::width(&line) + 1 + human::width(&word) > room {
                lines.push(std::mem::take(&mut line));
            } else {
                line.push(' ');
            }
            line.push_str(&word);
        }
        lines.push(line);
    }
    lines
}

/// Writes sentences below a picture, and returns where they end.
pub(super) fn notes(svg: &mut String, notes: &[String], top: f64) -> f64 {
    let mut y = top;
    for note in notes {
        let (x, text_y) = (number(MARGIN), number(y + 8.0));
        let note = escape::xml(note);
        // Writing to a string cannot fail, here and above.
        let _ = writeln!(
            svg,
            r#"<text class="dim" x="{x}" y="{text_y}">{note}</text>"#
        );
        y += NOTE_HEIGHT;
    }
    y
}

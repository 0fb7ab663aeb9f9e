//! The colours of states, and the styles that the pictures share.

use std::fmt::Write;

use crate::state::State;

/// Stroke and fill of a state, on light and on dark ground.
pub(super) struct Colours {
    pub(super) stroke: &'static str,
    pub(super) fill: &'static str,
    pub(super) dark_stroke: &'static str,
    pub(super) dark_fill: &'static str,
    pub(super) is_dashed: bool,
}

/// The colours of a state. A colour is never shown without the state's mark and word.
pub(super) fn colours(state: State) -> Colours {
    let (stroke, fill, dark_stroke, dark_fill) = match state {
        State::Scheduled | State::Pending => ("#6e7781", "#f3f4f6", "#8b949e", "#21262d"),
        State::AwaitingRetry => ("#9a6700", "#fdf3d8", "#e3b341", "#332600"),
        State::AwaitingLimit => ("#8250df", "#f3eefd", "#b392f0", "#2a1f45"),
        State::Running => ("#0969da", "#e7f2fd", "#58a6ff", "#10243e"),
        State::Paused => ("#7d6a00", "#fffbd1", "#f2e05c", "#2f2b00"),
        State::Completed => ("#1a7f37", "#e6f6ea", "#3fb950", "#0f2a17"),
        State::Cached => ("#0f766e", "#dcf3f0", "#2dd4bf", "#0b2b29"),
        State::Reused => ("#0f766e", "#ffffff", "#2dd4bf", "#0d1117"),
        State::Failed | State::TimedOut => ("#cf222e", "#fdebec", "#ff7b72", "#3a1417"),
        State::Crashed => ("#bc4c00", "#fdeee3", "#ffa657", "#3a2010"),
        State::Cancelling | State::Cancelled => ("#424a53", "#e3e6e9", "#b1bac4", "#2d333b"),
        State::Skipped => ("#6e7781", "#ffffff", "#8b949e", "#0d1117"),
        State::RolledBack => ("#a21caf", "#fae8ff", "#e879f9", "#33123a"),
    };
    let is_dashed = state == State::Skipped;
    Colours {
        stroke,
        fill,
        dark_stroke,
        dark_fill,
        is_dashed,
    }
}

/// The class of a state in pictures: `s-timed-out`.
pub(super) fn class(state: State) -> String {
    format!("s-{}", state.word().replace(' ', "-"))
}

/// The common style sheet of the pictures, which all carry the class `orch`.
///
/// Colours are written out instead of being variables, which many viewers of SVG do not know.
pub(super) fn style_sheet(extra: &str, extra_dark: &str) -> String {
    let mut css = String::from(
        ".orch{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace;\
         font-size:12px;font-variant-emoji:text}\n\
         .orch .ground{fill:#ffffff}.orch text{fill:#1f2328}.orch .dim{fill:#59636e}\n",
    );
    let mut dark = String::from(
        ".orch .ground{fill:#0d1117}.orch text{fill:#e6edf3}.orch .dim{fill:#9198a1}\n",
    );
    for state in State::ALL {
        let Colours {
            stroke,
            fill,
            dark_stroke,
            dark_fill,
            is_dashed,
        } = colours(state);
        let class = class(state);
        let dashes = if is_dashed {
            ";stroke-dasharray:4 3"
        } else {
            ""
        };
        // Writing to a string cannot fail.
        let _ = writeln!(
            css,
            ".orch .{class} .box{{stroke:{stroke};fill:{fill}{dashes}}}\
             .orch .{class}>.solid{{fill:{stroke}}}.orch .{class} .mark{{fill:{stroke}}}"
        );
        let _ = writeln!(
            dark,
            ".orch .{class} .box{{stroke:{dark_stroke};fill:{dark_fill}}}\
             .orch .{class}>.solid{{fill:{dark_stroke}}}.orch .{class} .mark{{fill:{dark_stroke}}}"
        );
    }
    format!(
        "<style>\n{css}{extra}@media (prefers-color-scheme:dark){{\n{dark}{extra_dark}}}\n</style>\n"
    )
}

/// The mark of a state, with its lower left corner at `(x, y)`.
///
/// Two of them are missing in many fonts and are drawn.
pub(super) fn mark(state: State, x: f64, y: f64) -> String {
    let (left, bottom) = (number(x), number(y));
    match state {
        State::Paused => format!(
            r#"<path class="mark" transform="translate({left} {bottom})" d="M1 0V-9H3V0zM5 0V-9H7V0z"/>"#
        ),
        State::TimedOut => format!(
            r#"<path class="mark" transform="translate({left} {bottom})" fill-rule="evenodd" d="M4 -8.4A4.2 4.2 0 1 1 3.9 -8.4zM4 -7.1A2.9 2.9 0 1 0 4.1 -7.1zM3.4 -6.6H4.6V-4.2H3.4zM2.6 -10.4H5.4V-9.2H2.6z"/>"#
        ),
        _ => format!(
            r#"<text class="mark" x="{left}" y="{bottom}">{}</text>"#,
            state.mark()
        ),
    }
}

/// The width of one column of the pictures' font.
pub(super) const CHAR_WIDTH: f64 = 7.3;

/// A coordinate with one digit after the point at most.
pub(super) fn number(value: f64) -> String {
    let text = format!("{value:.1}");
    match text.strip_suffix(".0") {
        Some("-0") => "0".to_owned(),
        Some(whole) => whole.to_owned(),
        None => text,
    }
}

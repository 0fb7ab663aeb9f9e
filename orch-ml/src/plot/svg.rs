//! Text of SVG.

use std::fmt::Write;

/// The width of every plot, in its own units: what a phone shows at about the same size.
pub(super) const WIDTH: f64 = 376.0;
/// From the left edge to what is plotted.
pub(super) const LEFT: f64 = 60.0;
/// The width of what is plotted.
pub(super) const PLOT_WIDTH: f64 = 300.0;
/// The width of a character, estimated.
pub(super) const CHAR_WIDTH: f64 = 7.3;
/// From one line of text to the next.
pub(super) const LINE: f64 = 17.0;
/// Space around everything.
pub(super) const MARGIN: f64 = 8.0;
/// A character of the title is wider.
const TITLE_CHAR_WIDTH: f64 = 8.5;
/// As a file of its own a plot is shown so much larger.
const ZOOM: f64 = 1.5;

/// An SVG in the making, filled from top to bottom.
pub(super) struct Svg {
    title: String,
    body: String,
    /// Where the next thing may be.
    pub(super) y: f64,
}

/// What a text is aligned to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

impl Svg {
    pub(super) fn new(title: &str) -> Self {
        let mut svg = Self {
            title: title.to_owned(),
            body: String::new(),
            y: 4.0,
        };
        let room = ((WIDTH - 2.0 * MARGIN) / TITLE_CHAR_WIDTH) as usize;
        for line in wrapped(title, room) {
            svg.y += LINE;
            svg.text("title", (MARGIN, svg.y), Anchor::Start, &line);
        }
        svg.y += 7.0;
        svg
    }

    /// A line of text whose base line is at `y`.
    pub(super) fn text(&mut self, class: &str, (x, y): (f64, f64), anchor: Anchor, text: &str) {
        let anchor = match anchor {
            Anchor::Start => "",
            Anchor::Middle => r#" text-anchor="middle""#,
            Anchor::End => r#" text-anchor="end""#,
        };
        let (x, y, text) = (number(x), number(y), escaped(text));
        self.raw(format_args!(
            r#"<text class="{class}" x="{x}" y="{y}"{anchor}>{text}</text>"#
        ));
    }

    pub(super) fn path(&mut self, class: &str, path: &str) {
        self.raw(format_args!(r#"<path class="{class}" d="{path}"/>"#));
    }

    /// A path with a text that is shown when it is pointed at.
    pub(super) fn path_about(&mut self, class: &str, path: &str, about: &str) {
        let about = escaped(about);
        self.raw(format_args!(
            r#"<path class="{class}" d="{path}"><title>{about}</title></path>"#
        ));
    }

    /// The same, filled to a degree between 0 and 1.
    pub(super) fn shaded(&mut self, class: &str, path: &str, opacity: f64, about: &str) {
        let about = escaped(about);
        self.raw(format_args!(
            r#"<path class="{class}" fill-opacity="{opacity:.3}" d="{path}"><title>{about}</title></path>"#
        ));
    }

    pub(super) fn open_group(&mut self, class: &str) {
        self.raw(format_args!(r#"<g class="{class}">"#));
    }

    pub(super) fn close_group(&mut self) {
        self.raw(format_args!("</g>"));
    }

    fn raw(&mut self, line: std::fmt::Arguments<'_>) {
        // Writing to a string cannot fail.
        let _ = writeln!(self.body, "{line}");
    }

    /// A sentence below everything, on as many lines as it needs.
    pub(super) fn note(&mut self, note: &str) {
        let room = ((WIDTH - 2.0 * MARGIN) / CHAR_WIDTH) as usize;
        for line in wrapped(note, room) {
            self.y += LINE;
            self.text("dim", (MARGIN, self.y), Anchor::Start, &line);
        }
    }

    pub(super) fn finish(self) -> String {
        let height = (self.y + 2.0 * MARGIN).ceil();
        let (title, body) = (escaped(&self.title), &self.body);
        let (wide, high) = (number(WIDTH * ZOOM), number(height * ZOOM));
        let (width, height) = (number(WIDTH), number(height));
        format!(
            r#"<svg xmlns="http://www.w3.org/2000/svg" class="orch-plot" width="{wide}" height="{high}" viewBox="0 0 {width} {height}" role="img" aria-label="{title}">
<style>
{STYLE}@media (prefers-color-scheme:dark){{
{DARK_STYLE}}}
</style>
<rect class="ground" width="100%" height="100%"/>
{body}</svg>
"#
        )
    }
}

/// A coordinate, with one digit after the point at most.
pub(super) fn number(value: f64) -> String {
    let text = format!("{value:.1}");
    match text.strip_suffix(".0") {
        Some("-0") => "0".to_owned(),
        Some(whole) => whole.to_owned(),
        None => text,
    }
}

/// A number in four significant digits, as in a table.
pub(super) fn value(value: f64) -> String {
    let size = value.abs();
    if value == value.trunc() && size < 1e7 {
        return format!("{value}");
    }
    if !(1e-4..1e7).contains(&size) {
        return format!("{value:.3e}");
    }
    let digits = (3.0 - size.log10().floor()).clamp(0.0, 7.0) as usize;
    format!("{value:.digits$}")
}

/// Text for SVG. What XML cannot hold, or what would change the direction of the text, is replaced.
pub(super) fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            '\n' | '\r' | '\t' => escaped.push(' '),
            c if c.is_control() || is_unfit(c) => escaped.push('\u{fffd}'),
            c => escaped.push(c),
        }
    }
    escaped
}

fn is_unfit(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
        || matches!(c, '\u{fdd0}'..='\u{fdef}' | '\u{feff}')
        || c as u32 & 0xfffe == 0xfffe
}

/// The columns that a text takes, estimated: two for wide characters.
pub(super) fn columns(text: &str) -> usize {
    text.chars().map(column_width).sum()
}

fn column_width(c: char) -> usize {
    match c as u32 {
        0x300..=0x36f | 0x200b..=0x200d | 0xfe00..=0xfe0f => 0,
        0x1100..=0x115f | 0x2e80..=0xd7a3 | 0xf900..=0xfaff | 0xfe30..=0xff60 => 2,
        0x1f000..=0x3fffd => 2,
        _ => 1,
    }
}

/// Cuts a text to so many columns, leaving out its middle.
pub(super) fn short(text: &str, max: usize) -> String {
    if columns(text) <= max {
        return text.to_owned();
    }
    let room = max.saturating_sub(1);
    let tail_room = room / 3;
    let mut used = 0;
    let head = text.chars().take_while(|c| {
        used += column_width(*c);
        used <= room - tail_room
    });
    let mut text_of_ends: String = head.collect();
    text_of_ends.push('…');
    let mut used = 0;
    let tail: Vec<char> = text
        .chars()
        .rev()
        .take_while(|c| {
            used += column_width(*c);
            used <= tail_room
        })
        .collect();
    text_of_ends.extend(tail.iter().rev());
    text_of_ends
}

/// Breaks a text into lines of so many columns at most, between words; longer words are cut.
pub(super) fn wrapped(text: &str, max: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        let word = short(word, max);
        match lines.last_mut() {
            Some(line) if columns(line) + 1 + columns(&word) <= max => {
                line.push(' ');
                line.push_str(&word);
            }
            _ => lines.push(word),
        }
    }
    lines
}

/// How many colours there are for series.
pub(super) const N_COLOURS: usize = 6;

/// Colours are written out instead of being variables, which many viewers of SVG do not know.
const STYLE: &str = "\
.orch-plot{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace;font-size:12px}
.orch-plot .ground{fill:#ffffff}.orch-plot text{fill:#1f2328}.orch-plot .dim{fill:#59636e}
.orch-plot .title{font-size:14px;font-weight:600}.orch-plot .strong{font-weight:600}
.orch-plot .grid{fill:none;stroke:#d1d9e0}.orch-plot .frame{fill:none;stroke:#6e7781}
.orch-plot .reference{fill:none;stroke:#59636e;stroke-width:1.4;stroke-dasharray:2 4}
.orch-plot .line{fill:none;stroke-width:2.2;stroke-linejoin:round}
.orch-plot .band{fill-opacity:.16}.orch-plot .whisker{fill:none;stroke-width:1.4}
.orch-plot .dots{fill:none;stroke-width:4.4;stroke-linecap:round;stroke-opacity:.45}
.orch-plot .dot{fill-opacity:.75;stroke:none}
.orch-plot .d1 .line{stroke-dasharray:8 4}.orch-plot .d2 .line{stroke-dasharray:2 3}
.orch-plot .d3 .line{stroke-dasharray:9 3 2 3}
.orch-plot .c0 .line,.orch-plot .c0 .whisker,.orch-plot .c0 .dots{stroke:#0969da}.orch-plot .c0 .dot,.orch-plot .c0 .band{fill:#0969da}
.orch-plot .c1 .line,.orch-plot .c1 .whisker,.orch-plot .c1 .dots{stroke:#bc4c00}.orch-plot .c1 .dot,.orch-plot .c1 .band{fill:#bc4c00}
.orch-plot .c2 .line,.orch-plot .c2 .whisker,.orch-plot .c2 .dots{stroke:#1a7f37}.orch-plot .c2 .dot,.orch-plot .c2 .band{fill:#1a7f37}
.orch-plot .c3 .line,.orch-plot .c3 .whisker,.orch-plot .c3 .dots{stroke:#8250df}.orch-plot .c3 .dot,.orch-plot .c3 .band{fill:#8250df}
.orch-plot .c4 .line,.orch-plot .c4 .whisker,.orch-plot .c4 .dots{stroke:#7d6a00}.orch-plot .c4 .dot,.orch-plot .c4 .band{fill:#7d6a00}
.orch-plot .c5 .line,.orch-plot .c5 .whisker,.orch-plot .c5 .dots{stroke:#bf3989}.orch-plot .c5 .dot,.orch-plot .c5 .band{fill:#bf3989}
.orch-plot .bar{fill:#0969da;fill-opacity:.55}.orch-plot .error-bar{fill:none;stroke:#1f2328;stroke-width:1.4}
.orch-plot .cell{fill:#0969da}.orch-plot .right{fill:none;stroke:#1f2328;stroke-width:1.6}
";

const DARK_STYLE: &str = "\
.orch-plot .ground{fill:#0d1117}.orch-plot text{fill:#e6edf3}.orch-plot .dim{fill:#9198a1}
.orch-plot .grid{stroke:#30363d}.orch-plot .frame{stroke:#8b949e}.orch-plot .reference{stroke:#9198a1}
.orch-plot .c0 .line,.orch-plot .c0 .whisker,.orch-plot .c0 .dots{stroke:#58a6ff}.orch-plot .c0 .dot,.orch-plot .c0 .band{fill:#58a6ff}
.orch-plot .c1 .line,.orch-plot .c1 .whisker,.orch-plot .c1 .dots{stroke:#ffa657}.orch-plot .c1 .dot,.orch-plot .c1 .band{fill:#ffa657}
.orch-plot .c2 .line,.orch-plot .c2 .whisker,.orch-plot .c2 .dots{stroke:#3fb950}.orch-plot .c2 .dot,.orch-plot .c2 .band{fill:#3fb950}
.orch-plot .c3 .line,.orch-plot .c3 .whisker,.orch-plot .c3 .dots{stroke:#b392f0}.orch-plot .c3 .dot,.orch-plot .c3 .band{fill:#b392f0}
.orch-plot .c4 .line,.orch-plot .c4 .whisker,.orch-plot .c4 .dots{stroke:#f2e05c}.orch-plot .c4 .dot,.orch-plot .c4 .band{fill:#f2e05c}
.orch-plot .c5 .line,.orch-plot .c5 .whisker,.orch-plot .c5 .dots{stroke:#f778ba}.orch-plot .c5 .dot,.orch-plot .c5 .band{fill:#f778ba}
.orch-plot .bar{fill:#58a6ff}.orch-plot .error-bar{stroke:#e6edf3}
.orch-plot .cell{fill:#58a6ff}.orch-plot .right{stroke:#e6edf3}
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_has_no_markup_and_nothing_that_xml_cannot_hold() {
        assert_eq!(
            escaped("</text><script>&'\"\n\u{0}\u{202e}\u{ffff}é"),
            "&lt;/text&gt;&lt;script&gt;&amp;&#39;&quot; \u{fffd}\u{fffd}\u{fffd}é"
        );
    }

    #[test]
    fn long_names_keep_their_two_ends() {
        assert_eq!(short("flipper_length_mm", 20), "flipper_length_mm");
        assert_eq!(short("flipper_length_mm", 10), "flippe…_mm");
        assert_eq!(short("日本語日本語日本語", 9), "日本語…語");
    }

    #[test]
    fn lines_break_between_words_and_long_words_are_cut() {
        assert_eq!(wrapped("one two three", 7), ["one two", "three"]);
        assert_eq!(wrapped("a extraordinarily b", 8), ["a", "extra…ly", "b"]);
        assert!(wrapped("", 8).is_empty());
    }

    #[test]
    fn coordinates_have_one_digit_and_no_negative_zero() {
        let texts = [0.04, -0.04, 12.0, 12.25, -3.1].map(number);
        assert_eq!(texts, ["0", "0", "12", "12.2", "-3.1"]);
    }
}

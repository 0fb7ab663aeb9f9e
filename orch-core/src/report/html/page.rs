//! Text of HTML.

use std::fmt::Write;

use super::section::{Part, Section};
use crate::report::{ErrorReport, escape, human, theme};
use crate::state::State;

/// A page in the making.
pub(super) struct Page {
    pub(super) body: String,
    /// Headings with their names in links.
    contents: Vec<(String, String)>,
}

impl Page {
    pub(super) fn new() -> Self {
        Self {
            body: String::new(),
            contents: Vec::new(),
        }
    }

    /// Writes markup, in which user text has been escaped.
    pub(super) fn raw(&mut self, markup: std::fmt::Arguments<'_>) {
        // Writing to a string cannot fail.
        let _ = self.body.write_fmt(markup);
        self.body.push('\n');
    }

    /// Begins a section that links lead to.
    pub(super) fn heading(&mut self, title: &str) {
        let id = format!("section-{}", self.contents.len() + 1);
        let text = escape::xml(title);
        self.raw(format_args!("<h2 id=\"{id}\">{text}</h2>"));
        self.contents.push((id, text));
    }

    pub(super) fn paragraph(&mut self, class: &str, text: &str) {
        let text = lines(text);
        self.raw(format_args!("<p class=\"{class}\">{text}</p>"));
    }

    pub(super) fn facts<'a>(&mut self, facts: impl IntoIterator<Item = (&'a str, &'a str)>) {
        self.raw(format_args!("<dl>"));
        for (name, value) in facts {
            let (name, value) = (escape::xml(name), long(value));
            self.raw(format_args!("<dt>{name}</dt><dd>{value}</dd>"));
        }
        self.raw(format_args!("</dl>"));
    }

    /// A table whose cells are given as text; numbers go to the right.
    pub(super) fn table(&mut self, head: &[String], rows: &[Vec<String>], n_more: usize) {
        let attributes: Vec<String> = (0..head.len())
            .map(|column| match is_number(rows, column) {
                true => " class=\"n\"".to_owned(),
                false => String::new(),
            })
            .collect();
        self.grid("", head, &attributes, rows, n_more);
    }

    /// A table each row of which is a card on a phone, with the cell of the column `first` above the
    /// others and that of the column `wide` below them.
    pub(super) fn cards(
        &mut self,
        head: &[String],
        (first, wide): (Option<usize>, Option<usize>),
        rows: &[Vec<String>],
        n_more: usize,
    ) {
        let attributes = head.iter().enumerate().map(|(column, name)| {
            if first == Some(column) {
                " class=\"name\"".to_owned()
            } else if wide == Some(column) {
                " class=\"wide\"".to_owned()
            } else if is_number(rows, column) {
                format!(" class=\"n\" data-is=\"{}\"", escape::xml(name))
            } else {
                String::new()
            }
        });
        let attributes: Vec<String> = attributes.collect();
        self.grid(" class=\"cards\"", head, &attributes, rows, n_more);
    }

    /// A table, `attributes` being those of the cells of each column.
    fn grid(
        &mut self,
        class: &str,
        head: &[String],
        attributes: &[String],
        rows: &[Vec<String>],
        n_more: usize,
    ) {
        let title = self.contents.last().map_or("", |(_, title)| title);
        let region = format!("role=\"region\" aria-label=\"{title}\"");
        self.raw(format_args!(
            "<div class=\"scroll\" tabindex=\"0\" {region}><table{class}><thead><tr>"
        ));
        for (name, attributes) in head.iter().zip(attributes) {
            let name = escape::xml(name);
            let is_number = attributes.starts_with(" class=\"n\"");
            let class = if is_number { " class=\"n\"" } else { "" };
            self.raw(format_args!("<th scope=\"col\"{class}>{name}</th>"));
        }
        self.raw(format_args!("</tr></thead><tbody>"));
        for row in rows {
            let cells = row.iter().zip(attributes);
            let cells: String = cells
                .map(|(cell, attributes)| format!("<td{attributes}>{}</td>", escape::xml(cell)))
                .collect();
            self.raw(format_args!("<tr>{cells}</tr>"));
        }
        self.raw(format_args!("</tbody></table></div>"));
        if n_more > 0 {
            let more = human::counted(n_more as u64, "more row");
            self.paragraph("dim", &format!("And {more}."));
        }
    }

    /// A section of a program. Pictures that follow each other stand side by side where there is room.
    pub(super) fn section(&mut self, section: &Section) {
        self.heading(&section.title);
        self.raw(format_args!("<div class=\"parts\">"));
        let mut parts = section.parts.iter().peekable();
        while let Some(part) = parts.next() {
            match part {
                Part::Text(text) => self.paragraph("", text),
                Part::Facts(facts) => {
                    self.facts(
                        facts
                            .iter()
                            .map(|(name, value)| (name.as_str(), value.as_str())),
                    );
                }
                Part::Table { head, rows, n_more } => self.table(head, rows, *n_more),
                Part::Figure(svg) => {
                    self.raw(format_args!("<div class=\"figures\">"));
                    self.figure(svg);
                    while let Some(Part::Figure(svg)) =
                        parts.next_if(|part| matches!(part, Part::Figure(_)))
                    {
                        self.figure(svg);
                    }
                    self.raw(format_args!("</div>"));
                }
            }
        }
        self.raw(format_args!("</div>"));
    }

    fn figure(&mut self, svg: &str) {
        let svg = svg.trim();
        if svg.starts_with("<svg") && svg.ends_with("</svg>") {
            self.raw(format_args!("<figure>{svg}</figure>"));
        } else {
            let text = escape::xml(svg);
            self.raw(format_args!("<figure><pre>{text}</pre></figure>"));
        }
    }

    /// The whole page.
    pub(super) fn finish(self, title: &str, header: &str) -> String {
        let links = self.contents.iter();
        let links: String = links
            .map(|(id, title)| format!("<a href=\"#{id}\">{title}</a>\n"))
            .collect();
        let (title, body, states) = (escape::xml(title), self.body, state_styles());
        format!(
            "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n\
             <meta http-equiv=\"Content-Security-Policy\" content=\"{POLICY}\"/>\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n\
             <meta name=\"color-scheme\" content=\"light dark\"/>\n\
             <title>{title}</title>\n<style>\n{STYLE}{states}</style>\n</head>\n<body>\n\
             <header>\n{header}<nav aria-label=\"Sections\">\n{links}</nav>\n</header>\n\
             <main>\n{body}</main>\n</body>\n</html>\n"
        )
    }
}

/// The characters of a value that are shown at once, and on demand.
const MAX_SHOWN: usize = 160;
const MAX_TEXT: usize = 4_000;

/// Nothing runs, nothing is loaded, nothing is sent; styles are in the page.
const POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";

const STYLE: &str = include_str!("style.css");

/// The colours of states, which are never shown without mark and word.
fn state_styles() -> String {
    let mut light = String::new();
    let mut dark = String::from("@media (prefers-color-scheme:dark){\n");
    for state in State::ALL {
        let (colours, class) = (theme::colours(state), theme::class(state));
        let (stroke, fill) = (colours.stroke, colours.fill);
        // Writing to a string cannot fail.
        let _ = writeln!(
            light,
            ".state.{class}{{color:{stroke}}}.chip.{class}{{background:{fill}}}"
        );
        let (stroke, fill) = (colours.dark_stroke, colours.dark_fill);
        let _ = writeln!(
            dark,
            ".state.{class}{{color:{stroke}}}.chip.{class}{{background:{fill}}}"
        );
    }
    dark.push_str("}\n");
    light + &dark
}

/// A state as mark and word; the sign behind the mark asks for its plain form, not a picture.
pub(super) fn state(state: State, words: &str, is_chip: bool) -> String {
    let (class, chip) = (theme::class(state), if is_chip { " chip" } else { "" });
    let words = escape::xml(words);
    let mark = match state {
        // Missing in many fonts.
        State::Paused | State::TimedOut => {
            let drawn = theme::mark(state, 0.0, 0.0);
            format!("<svg viewBox=\"0 -10.5 8.4 10.7\" aria-hidden=\"true\">{drawn}</svg>")
        }
        state => format!("{}\u{fe0e}", state.mark()),
    };
    format!("<span class=\"state{chip} {class}\">{mark} {words}</span>")
}

/// User text of which the first part is shown if it is long, the rest on demand, and no more than fits
/// a page.
fn long(text: &str) -> String {
    let n_chars = text.chars().count();
    if n_chars <= MAX_SHOWN {
        return escape::xml(text);
    }
    let part = |n: usize| escape::xml(&text.chars().take(n).collect::<String>());
    let (first, all) = (part(MAX_SHOWN / 2), part(MAX_TEXT));
    let more = match n_chars.saturating_sub(MAX_TEXT) {
        0 => String::new(),
        n => format!(" … and {}", human::counted(n as u64, "more character")),
    };
    format!("<details><summary>{first}…</summary>{all}{more}</details>")
}

/// User text that keeps its line ends.
pub(super) fn lines(text: &str) -> String {
    let lines: Vec<String> = text.lines().map(escape::xml).collect();
    lines.join("\n")
}

/// An error with its causes.
pub(super) fn error(error: &ErrorReport) -> String {
    let causes = error.causes.iter();
    let causes: String = causes
        .map(|cause| format!("<p>caused by: {}</p>", lines(cause)))
        .collect();
    let backtrace = error.backtrace.iter();
    let backtrace: String = backtrace
        .map(|text| {
            let text = escape::xml(text);
            format!("<details><summary>where it panicked</summary><pre>{text}</pre></details>")
        })
        .collect();
    let message = lines(&error.message);
    format!("<div class=\"error\"><p>{message}</p>{causes}{backtrace}</div>")
}

/// Whether all cells of a column are numbers or absent.
fn is_number(rows: &[Vec<String>], column: usize) -> bool {
    let mut cells = rows.iter().filter_map(|row| row.get(column)).peekable();
    cells.peek().is_some() && cells.all(|cell| is_numeric(cell))
}

/// Whether a cell is a number, perhaps with a unit or as a duration, or absent.
fn is_numeric(cell: &str) -> bool {
    const UNITS: [&str; 5] = ["%", "ns", "µs", "ms", "s"];
    let is_number = |word: &str| word.replace(',', "").parse::<f64>().is_ok();
    let is_part = |word: &&str| {
        let of_two = word.strip_suffix(['d', 'h', 'm', 's', '%']);
        is_number(word) || UNITS.contains(word) || of_two.is_some_and(is_number)
    };
    let words: Vec<&str> = cell.split(' ').collect();
    matches!(cell, "" | "-")
        || words.len() <= 2 && words.iter().all(is_part) && !UNITS.contains(&words[0])
}

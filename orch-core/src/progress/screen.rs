//! Where the display goes: a terminal with lines that change, or a stream of plain lines.

use std::fmt;
use std::io::{self, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::line::Line;
use crate::report::human;

/// The time between two drawings on a terminal: enough to look live, rare enough to cost nothing.
const FRAME: Duration = Duration::from_millis(50);

/// Where the display goes.
pub(super) enum Screen {
    Plain(Mutex<Box<dyn Write + Send>>),
    Live(Live),
}

/// A terminal.
pub(super) struct Live {
    multi: MultiProgress,
    /// One bar per line, from above.
    rows: Mutex<Vec<ProgressBar>>,
    has_colour: bool,
}

impl Screen {
    pub(super) fn plain(writer: Box<dyn Write + Send>) -> Self {
        Self::Plain(Mutex::new(writer))
    }

    /// Standard error, live if it is a terminal that can move its cursor.
    pub(super) fn of_stderr() -> Self {
        // Drawn when all lines of a frame are set, and hardly ever in between.
        let target = ProgressDrawTarget::stderr_with_hz(1);
        let is_dumb = std::env::var_os("TERM").map_or(cfg!(unix), |term| term == "dumb");
        if target.is_hidden() || is_dumb {
            return Self::plain(Box::new(io::stderr()));
        }
        let has_colour = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        Self::Live(Live {
            multi: MultiProgress::with_draw_target(target),
            rows: Mutex::default(),
            has_colour,
        })
    }

    pub(super) fn is_live(&self) -> bool {
        matches!(self, Self::Live(_))
    }

    /// The shortest time between two drawings.
    pub(super) fn frame(&self) -> Duration {
        if self.is_live() {
            FRAME
        } else {
            Duration::ZERO
        }
    }

    /// Prints lines that stay.
    pub(super) fn print(&self, lines: &[Line]) {
        match self {
            _ if lines.is_empty() => {}
            Self::Plain(writer) => {
                let mut text = String::new();
                for line in lines {
                    text.push_str(&line.plain());
                    text.push('\n');
                }
                write_all(writer, &text);
            }
            Self::Live(live) => live.print(lines),
        }
    }

    /// Prints lines that stay, above those that change.
    pub(super) fn draw(&self, lines: &[Line], changing: &[Line]) {
        if let Self::Live(live) = self {
            live.set_rows(changing);
            if !lines.is_empty() {
                live.print(lines);
            } else if let Some(row) = lock(&live.rows).first() {
                row.force_draw();
            } else {
                let _ = live.multi.clear();
            }
        }
    }

    /// Prints the last lines and takes away those that change.
    pub(super) fn close(&self, lines: &[Line]) {
        if let Self::Live(live) = self {
            live.set_rows(&[]);
        }
        self.print(lines);
        if let Self::Live(live) = self {
            let _ = live.multi.clear();
        }
    }

    pub(super) fn println(&self, text: &str) {
        match self {
            Self::Plain(writer) => write_all(writer, &format!("{text}\n")),
            // What cannot be printed is lost, as with the display itself.
            Self::Live(live) => drop(live.multi.println(text)),
        }
    }

    pub(super) fn suspend<R>(&self, print: impl FnOnce() -> R) -> R {
        match self {
            Self::Plain(writer) => {
                let _writer = lock(writer);
                print()
            }
            Self::Live(live) => live.multi.suspend(print),
        }
    }
}

impl Live {
    fn print(&self, lines: &[Line]) {
        let lines: Vec<String> = lines
            .iter()
            .map(|line| exact(&line.columns(self.has_colour)))
            .collect();
        let _ = self.multi.println(lines.join("\n"));
    }

    /// Has one row per line. They show up with the next drawing.
    fn set_rows(&self, lines: &[Line]) {
        let mut rows = lock(&self.rows);
        while rows.len() > lines.len()
            && let Some(row) = rows.pop()
        {
            self.multi.remove(&row);
        }
        for (n, line) in lines.iter().enumerate() {
            if n == rows.len() {
                let row = ProgressBar::no_length().with_style(
                    // Cut at the terminal's width.
                    ProgressStyle::with_template("{wide_msg}")
                        .expect("the template is well formed"),
                );
                rows.push(self.multi.add(row));
            }
            rows[n].set_message(exact(&line.columns(self.has_colour)));
        }
    }
}

/// Makes a text have as many characters as columns, because columns are counted like that here: a
/// line that is measured wrongly breaks all lines around it. Characters without a column go, those
/// with two get one without any before them.
fn exact(text: &str) -> String {
    const NO_COLUMN: char = '\u{200b}';
    let mut exact = String::with_capacity(text.len());
    for c in text.chars() {
        let columns = if c == '\u{1b}' {
            1
        } else {
            human::width(c.encode_utf8(&mut [0; 4]))
        };
        match columns {
            0 => {}
            1 => exact.push(c),
            _ => exact.extend([NO_COLUMN, c]),
        }
    }
    exact
}

fn write_all(writer: &Mutex<Box<dyn Write + Send>>, text: &str) {
    let mut writer = lock(writer);
    // Nobody is there to be told, and flow runs go on without a display.
    let _ = writer
        .write_all(text.as_bytes())
        .and_then(|()| writer.flush());
}

fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl fmt::Debug for Screen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_live() { "Live" } else { "Plain" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_has_as_many_characters_as_columns() {
        assert_eq!(exact("fit [31m"), "fit [31m");
        for text in [
            "日本語.csv",
            "e\u{301}te\u{301}",
            "⚡ cached",
            "\u{1b}[32m✓\u{1b}[0m",
        ] {
            let columns = human::width(text);
            assert_eq!(exact(text).chars().count(), columns, "{text}");
        }
        // Cut anywhere, it is never wider than it has characters.
        let text = exact("a日本");
        for n in 0..=text.chars().count() {
            let head: String = text.chars().take(n).collect();
            assert!(human::width(&head) <= n, "{head}");
        }
    }
}

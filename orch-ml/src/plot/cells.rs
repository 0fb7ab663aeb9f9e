//! Numbers by row and column.

use ndarray::Array2;
use serde::{Deserialize, Serialize};

use super::svg::{Anchor, CHAR_WIDTH, LINE, MARGIN, Svg, WIDTH, columns, number, short};

/// From the left edge to the cells: room for the names of the rows.
const LEFT: f64 = 100.0;
const CELLS_WIDTH: f64 = WIDTH - LEFT - MARGIN;
/// Cells are as high as wide up to this.
const MAX_HEIGHT: f64 = 60.0;
/// Cells at least so large have a second line.
const TWO_LINES: (f64, f64) = (44.0, 38.0);
/// The darkest a cell gets, at a share of 1: text has to stay readable on it.
const DARKEST: f64 = 0.55;

/// Numbers by row and column, shaded by their share of the row.
///
/// # Shapes
/// counts `[n_names, n_names]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Cells {
    /// What the rows are.
    pub rows: String,
    /// What the columns are.
    pub columns: String,
    /// The names of the rows and, in the same order, the columns.
    pub names: Vec<String>,
    /// The numbers. Those in the diagonal, where row and column agree, have a frame.
    pub counts: Array2<f64>,
}

impl Cells {
    /// The share of a cell in its row; 0 in a row of zeros.
    pub fn share(&self, row: usize, column: usize) -> f64 {
        let whole = self.counts.row(row).sum();
        if whole == 0.0 {
            return 0.0;
        }
        self.counts[[row, column]] / whole
    }

    pub(super) fn draw(&self, svg: &mut Svg) {
        // A matrix that was read from somewhere may be of any shape.
        let n = self
            .names
            .len()
            .min(self.counts.nrows())
            .min(self.counts.ncols());
        let width = CELLS_WIDTH / n.max(1) as f64;
        let height = width.min(MAX_HEIGHT);
        let room = ((width - 4.0) / CHAR_WIDTH) as usize;
        let is_numbered = self.names.iter().any(|name| columns(name) > room);

        svg.y += LINE - 4.0;
        let middle = LEFT + CELLS_WIDTH / 2.0;
        svg.text("dim", (middle, svg.y), Anchor::Middle, &self.columns);
        svg.y += LINE;
        svg.text("dim", (MARGIN, svg.y), Anchor::Start, &self.rows);
        for (i, name) in self.names.iter().take(n).enumerate() {
            let head = if is_numbered {
                (i + 1).to_string()
            } else {
                name.clone()
            };
            let x = LEFT + width * (i as f64 + 0.5);
            svg.text("head", (x, svg.y), Anchor::Middle, &head);
        }
        let top = svg.y + 8.0;
        for row in 0..n {
            let y = top + height * row as f64;
            let name = &self.names[row];
            let name = if is_numbered {
                format!("{} {name}", row + 1)
            } else {
                name.clone()
            };
            let name = short(&name, ((LEFT - MARGIN - 6.0) / CHAR_WIDTH) as usize);
            svg.text(
                "head",
                (LEFT - 6.0, y + height / 2.0 + 4.0),
                Anchor::End,
                &name,
            );
            for column in 0..n {
                self.draw_cell(
                    svg,
                    (row, column),
                    (LEFT + width * column as f64, y),
                    (width, height),
                );
            }
        }
        svg.y = top + height * n as f64 + 4.0;
    }

    fn draw_cell(
        &self,
        svg: &mut Svg,
        (row, column): (usize, usize),
        (x, y): (f64, f64),
        (width, height): (f64, f64),
    ) {
        let (count, share) = (self.counts[[row, column]], self.share(row, column));
        if !count.is_finite() {
            return;
        }
        let path = |inset: f64| {
            format!(
                "M{} {}h{}v{}h-{}z",
                number(x + inset),
                number(y + inset),
                number(width - 2.0 * inset),
                number(height - 2.0 * inset),
                number(width - 2.0 * inset)
            )
        };
        let about = format!(
            "{} {}, {} {}: {} ({:.1} %)",
            self.rows,
            self.names[row],
            self.columns,
            self.names[column],
            count_text(count),
            100.0 * share
        );
        svg.shaded("cell", &path(1.0), DARKEST * share.clamp(0.0, 1.0), &about);
        if row == column {
            svg.path("right", &path(1.5));
        }
        let (middle, centre) = (x + width / 2.0, y + height / 2.0);
        let room = ((width - 2.0) / CHAR_WIDTH) as usize;
        let is_zero = count == 0.0;
        let count = short(&count_text(count), room);
        if is_zero {
            svg.text("dim", (middle, centre + 4.0), Anchor::Middle, &count);
        } else if width >= TWO_LINES.0 && height >= TWO_LINES.1 {
            svg.text("strong", (middle, centre - 2.0), Anchor::Middle, &count);
            let share = format!("{:.0} %", 100.0 * share);
            svg.text("share", (middle, centre + 14.0), Anchor::Middle, &share);
        } else {
            svg.text("strong", (middle, centre + 4.0), Anchor::Middle, &count);
        }
    }
}

/// A number of rows, or their weight.
fn count_text(count: f64) -> String {
    if count == count.trunc() {
        format!("{count}")
    } else {
        format!("{count:.1}")
    }
}

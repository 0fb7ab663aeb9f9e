//! How a table prints: its first and last rows, cut to the width of a terminal.

use std::fmt;

use super::{Table, Timestamp, Value};

/// The width that a terminal has unless someone widened it.
const WIDTH: usize = 80;
/// Rows shown at either end of a long table.
const ROWS_AT_END: usize = 5;
/// A longer cell is cut, so that one long text does not push the other columns out.
const CELL_WIDTH: usize = 24;

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows: Vec<Option<usize>> = if self.n_rows() <= 2 * ROWS_AT_END {
            (0..self.n_rows()).map(Some).collect()
        } else {
            let last = self.n_rows() - ROWS_AT_END..self.n_rows();
            (0..ROWS_AT_END)
                .map(Some)
                .chain([None])
                .chain(last.map(Some))
                .collect()
        };
        let columns: Vec<Vec<String>> =
            self.columns()
                .map(|(name, column)| {
                    let shown = rows.iter().flatten();
                    let decimals = Timestamp::decimals_of(shown.filter_map(|row_idx| {
                        match column.value(*row_idx) {
                            Value::Timestamp(value) => Some(value),
                            _ => None,
                        }
                    }));
                    let cells = rows.iter().map(|row| match row {
                        Some(row_idx) => cell_text(column.value(*row_idx), decimals),
                        None => "…".to_owned(),
                    });
                    [cut(name), column.type_name().to_owned()]
                        .into_iter()
                        .chain(cells)
                        .collect()
                })
                .collect();
        let widths: Vec<usize> = columns
            .iter()
            .map(|cells| {
                cells
                    .iter()
                    .map(|cell| cell.chars().count())
                    .max()
                    .unwrap_or(0)
            })
            .collect();

        let shown = columns_that_fit(&widths);
        let mut lines = vec![String::new(); rows.len() + 2];
        for column in shown {
            for (number, line) in lines.iter_mut().enumerate() {
                let (cell, width) = match column {
                    Some(column) => (columns[column][number].as_str(), widths[column]),
                    None => ("…", 1),
                };
                let gap = if line.is_empty() { "" } else { "  " };
                line.push_str(&format!("{gap}{cell:>width$}"));
            }
        }
        for line in lines {
            writeln!(f, "{}", line.trim_end())?;
        }
        write!(f, "[{} rows x {} columns]", self.n_rows(), self.n_columns())
    }
}

/// The columns to show, from both ends towards the middle; `None` stands for those left out.
fn columns_that_fit(widths: &[usize]) -> Vec<Option<usize>> {
    let total: usize = widths.iter().map(|width| width + 2).sum();
    if total <= WIDTH + 2 {
        return (0..widths.len()).map(Some).collect();
    }
    let (mut first, mut last, mut used) = (0, widths.len(), 3);
    loop {
        let from_front = first <= widths.len() - last;
        let next = if from_front { first } else { last - 1 };
        used += widths[next] + 2;
        if used > WIDTH + 2 && first > 0 {
            break;
        }
        if from_front {
            first += 1;
        } else {
            last -= 1;
        }
        if first >= last {
            break;
        }
    }
    (0..first)
        .map(Some)
        .chain([None])
        .chain((last..widths.len()).map(Some))
        .collect()
}

/// A cell; `decimals` are those of the seconds of timestamps.
fn cell_text(value: Value<'_>, decimals: Option<usize>) -> String {
    match value {
        Value::Missing => "-".to_owned(),
        // As long as it may be, it says when.
        Value::Timestamp(value) => value.to_text(decimals),
        Value::Float(value) if value == value.trunc() && value.abs() < 1e7 => format!("{value:.1}"),
        Value::Float(value) if value.abs() >= 1e7 || value.abs() < 1e-3 => format!("{value:.4e}"),
        Value::Float(value) => {
            let text = format!("{value:.5}");
            text.trim_end_matches('0').to_owned()
        }
        other => cut(&other.to_string()),
    }
}

fn cut(text: &str) -> String {
    // A line end inside a cell would break the grid.
    let text = text.replace(['\n', '\r', '\t'], " ");
    if text.chars().count() <= CELL_WIDTH {
        return text;
    }
    text.chars().take(CELL_WIDTH - 1).chain(['…']).collect()
}

//! Which rows of the file the rows of a table are.

use std::ops::Range;
use std::sync::Arc;

/// How the rows of a table came to be selected from those of the first one, step by step.
///
/// Making and sharing it costs nearly nothing; only a message about a row follows it back.
#[derive(Debug, Clone, Default)]
pub(super) struct Origin(Vec<Arc<Selection>>);

#[derive(Debug)]
enum Selection {
    Ranges(Vec<Range<usize>>),
    Rows(Vec<usize>),
}

impl Origin {
    pub(super) fn then_ranges(&self, ranges: Vec<Range<usize>>) -> Self {
        self.then(Selection::Ranges(ranges))
    }

    pub(super) fn then_rows(&self, rows: &[usize]) -> Self {
        self.then(Selection::Rows(rows.to_vec()))
    }

    fn then(&self, selection: Selection) -> Self {
        let mut steps = self.0.clone();
        steps.push(Arc::new(selection));
        Self(steps)
    }

    /// Returns which row of the first table this row is.
    pub(super) fn row(&self, row_idx: usize) -> usize {
        self.0
            .iter()
            .rev()
            .fold(row_idx, |row_idx, selection| match &**selection {
                Selection::Ranges(ranges) => {
                    let mut before = 0;
                    for range in ranges {
                        if row_idx < before + range.len() {
                            return range.start + row_idx - before;
                        }
                        before += range.len();
                    }
                    unreachable!("a row of the table was selected by one of the ranges")
                }
                Selection::Rows(rows) => rows[row_idx],
            })
    }
}

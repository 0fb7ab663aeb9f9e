//! Guesses the types of columns, has their cells parsed by segment, and puts the segments together.

use std::sync::Arc;

use rayon::prelude::*;

use super::Layout;
use super::cells::Kind;
use super::parsing::{self, Dictionary, Fault, Sink, SinkResult};
use super::segments::Segment;
use crate::error::MlError;
use crate::table::{Column, TextColumn, Validity};

/// Rows looked at, at the start and at the end of a file, to guess the types of its columns. A
/// wrong guess costs a second pass over that column, never a wrong type.
const ROWS_TO_GUESS_FROM: usize = 64;

/// Columns of fewer rows are put together in less time than it takes to wake a thread for them.
const ROWS_WORTH_A_THREAD: usize = 16 * 1024;

/// The values of one column while its rows are parsed: one slice of them for each segment.
enum Draft {
    Skipped,
    Undecided,
    Float(Vec<f64>),
    Integer(Vec<i64>, Vec<bool>),
    Boolean(Vec<bool>, Vec<bool>),
    Text(Vec<u32>),
    Timestamp {
        values: Vec<i64>,
        valid: Vec<bool>,
        is_asked_for: bool,
    },
}

/// Parses with guessed types; columns whose guess proved wrong are parsed once more with the type
/// that the first pass found.
pub(super) fn read_columns(
    layout: &Layout<'_>,
    wanted: &[usize],
) -> Result<Vec<Option<Column>>, MlError> {
    let mut kinds: Vec<Option<Kind>> = vec![None; layout.names.len()];
    for (position, kind) in guess_kinds(layout).into_iter().enumerate() {
        kinds[position] = wanted.contains(&position).then_some(kind);
    }
    for position in &layout.timestamps {
        kinds[*position] = Some(Kind::Timestamp);
    }
    let mut columns: Vec<Option<Column>> = vec![None; layout.names.len()];
    loop {
        let (parsed, n_rows) = parse_pass(layout, &kinds)?;
        let mut is_done = true;
        for (position, parsed) in parsed.into_iter().enumerate() {
            kinds[position] = None;
            match parsed {
                Parsed::Skipped => {}
                Parsed::Column(column) => columns[position] = Some(column),
                // No row has a value: there is nothing to parse again.
                Parsed::OfKind(Kind::Missing) => {
                    columns[position] = Some(vec![f64::NAN; n_rows].into());
                }
                Parsed::OfKind(kind) => {
                    kinds[position] = Some(kind);
                    is_done = false;
                }
            }
        }
        if is_done {
            return Ok(columns);
        }
    }
}

fn guess_kinds(layout: &Layout<'_>) -> Vec<Kind> {
    let mut kinds = vec![Kind::Missing; layout.names.len()];
    let last = layout.segments.len().saturating_sub(1);
    for position in [0, last] {
        let Some(segment) = layout.segments.get(position) else {
            continue;
        };
        let mut sinks: Vec<Sink<'_>> = kinds
            .iter()
            .map(|_| Sink::Undecided(Kind::Missing))
            .collect();
        // A fault is left to the first pass, which reports the first one of the file.
        let _ = parsing::parse_segment(segment, layout, &mut sinks, ROWS_TO_GUESS_FROM);
        for (kind, sink) in kinds.iter_mut().zip(sinks) {
            if let SinkResult::Undecided(found) = sink.finish() {
                *kind = kind.or(found);
            }
        }
    }
    kinds
}

enum Parsed {
    Skipped,
    Column(Column),
    OfKind(Kind),
}

/// One pass over all rows for the columns that have a kind.
fn parse_pass(
    layout: &Layout<'_>,
    kinds: &[Option<Kind>],
) -> Result<(Vec<Parsed>, usize), MlError> {
    let room: usize = layout.segments.iter().map(|segment| segment.max_rows).sum();
    let mut drafts: Vec<Draft> = kinds
        .iter()
        .enumerate()
        .map(|(position, kind)| match kind {
            None => Draft::Skipped,
            Some(Kind::Missing) => Draft::Undecided,
            Some(Kind::Float) => Draft::Float(vec![0.0; room]),
            Some(Kind::Integer) => Draft::Integer(vec![0; room], vec![false; room]),
            Some(Kind::Boolean) => Draft::Boolean(vec![false; room], vec![false; room]),
            Some(Kind::Text) => Draft::Text(vec![0; room]),
            Some(Kind::Timestamp) => Draft::Timestamp {
                values: vec![0; room],
                valid: vec![false; room],
                is_asked_for: layout.timestamps.contains(&position),
            },
        })
        .collect();

    let sinks = sinks_of_segments(&mut drafts, &layout.segments);
    let results: Vec<Result<(usize, Vec<SinkResult>), Fault>> = layout
        .segments
        .par_iter()
        .zip(sinks)
        .map(|(segment, mut sinks)| {
            let n_rows = parsing::parse_segment(segment, layout, &mut sinks, usize::MAX)?;
            Ok((n_rows, sinks.into_iter().map(Sink::finish).collect()))
        })
        .collect();

    let mut rows_of_segments = Vec::with_capacity(results.len());
    let mut results_of_columns: Vec<Vec<SinkResult>> = kinds.iter().map(|_| Vec::new()).collect();
    for result in results {
        // The first fault in the order of the file, whichever thread came upon one first.
        let (n_rows, results) = result.map_err(|fault| error_of(fault, layout))?;
        rows_of_segments.push(n_rows);
        for (column, result) in results_of_columns.iter_mut().zip(results) {
            column.push(result);
        }
    }
    let n_rows = rows_of_segments.iter().sum();
    let spans = Spans {
        segments: &layout.segments,
        rows: &rows_of_segments,
    };
    let columns_at_once = match room {
        ..ROWS_WORTH_A_THREAD => kinds.len().max(1),
        _ => 1,
    };
    let parsed = drafts
        .into_par_iter()
        .zip(results_of_columns)
        .zip(kinds)
        .with_min_len(columns_at_once)
        .map(|((draft, results), kind)| finish_column(draft, results, *kind, &spans))
        .collect();
    Ok((parsed, n_rows))
}

fn sinks_of_segments<'o>(drafts: &'o mut [Draft], segments: &[Segment<'_>]) -> Vec<Vec<Sink<'o>>> {
    fn split<'o, T>(rest: &mut &'o mut [T], len: usize) -> &'o mut [T] {
        let (head, tail) = std::mem::take(rest).split_at_mut(len);
        *rest = tail;
        head
    }
    let mut sinks: Vec<Vec<Sink<'o>>> = segments.iter().map(|_| Vec::new()).collect();
    for draft in drafts {
        match draft {
            Draft::Skipped => sinks.iter_mut().for_each(|sinks| sinks.push(Sink::Skip)),
            Draft::Undecided => {
                sinks
                    .iter_mut()
                    .for_each(|sinks| sinks.push(Sink::Undecided(Kind::Missing)));
            }
            Draft::Float(values) => {
                let mut values = values.as_mut_slice();
                for (sinks, segment) in sinks.iter_mut().zip(segments) {
                    sinks.push(Sink::Float(split(&mut values, segment.max_rows)));
                }
            }
            Draft::Integer(values, valid) => {
                let (mut values, mut valid) = (values.as_mut_slice(), valid.as_mut_slice());
                for (sinks, segment) in sinks.iter_mut().zip(segments) {
                    let rows = segment.max_rows;
                    sinks.push(Sink::Integer(
                        split(&mut values, rows),
                        split(&mut valid, rows),
                    ));
                }
            }
            Draft::Boolean(values, valid) => {
                let (mut values, mut valid) = (values.as_mut_slice(), valid.as_mut_slice());
                for (sinks, segment) in sinks.iter_mut().zip(segments) {
                    let rows = segment.max_rows;
                    sinks.push(Sink::Boolean(
                        split(&mut values, rows),
                        split(&mut valid, rows),
                    ));
                }
            }
            Draft::Text(codes) => {
                let mut codes = codes.as_mut_slice();
                for (sinks, segment) in sinks.iter_mut().zip(segments) {
                    let codes = split(&mut codes, segment.max_rows);
                    sinks.push(Sink::Text(codes, Dictionary::default()));
                }
            }
            Draft::Timestamp {
                values,
                valid,
                is_asked_for,
            } => {
                let (mut values, mut valid) = (values.as_mut_slice(), valid.as_mut_slice());
                for (sinks, segment) in sinks.iter_mut().zip(segments) {
                    sinks.push(Sink::Timestamp {
                        values: split(&mut values, segment.max_rows),
                        valid: split(&mut valid, segment.max_rows),
                        is_asked_for: *is_asked_for,
                    });
                }
            }
        }
    }
    sinks
}

/// How many of the rows that a segment had room for it filled.
struct Spans<'a> {
    segments: &'a [Segment<'a>],
    rows: &'a [usize],
}

impl Spans<'_> {
    /// Closes the gaps that blank lines and line ends within quotes left between segments.
    fn compact<T: Copy>(&self, values: &mut Vec<T>) {
        let (mut from, mut to) = (0, 0);
        for (segment, rows) in self.segments.iter().zip(self.rows) {
            if from != to {
                values.copy_within(from..from + rows, to);
            }
            from += segment.max_rows;
            to += rows;
        }
        values.truncate(to);
    }
}

fn finish_column(
    draft: Draft,
    results: Vec<SinkResult>,
    kind: Option<Kind>,
    spans: &Spans<'_>,
) -> Parsed {
    let Some(kind) = kind else {
        return Parsed::Skipped;
    };
    let found = results
        .iter()
        .fold(None, |found: Option<Kind>, result| match result {
            SinkResult::Undecided(other) => Some(found.unwrap_or(kind).or(*other)),
            _ => found,
        });
    if let Some(found) = found {
        return Parsed::OfKind(found);
    }
    match draft {
        Draft::Skipped => Parsed::Skipped,
        // There was no segment at all.
        Draft::Undecided => Parsed::OfKind(Kind::Missing),
        Draft::Float(mut values) => {
            spans.compact(&mut values);
            Parsed::Column(values.into())
        }
        Draft::Integer(mut values, mut valid) => {
            spans.compact(&mut values);
            spans.compact(&mut valid);
            Parsed::Column(Column::Integer(Arc::new(values), Validity::new(valid)))
        }
        Draft::Boolean(mut values, mut valid) => {
            spans.compact(&mut values);
            spans.compact(&mut valid);
            Parsed::Column(Column::Boolean(Arc::new(values), Validity::new(valid)))
        }
        Draft::Timestamp {
            mut values,
            mut valid,
            ..
        } => {
            spans.compact(&mut values);
            spans.compact(&mut valid);
            Parsed::Column(Column::Timestamp(Arc::new(values), Validity::new(valid)))
        }
        Draft::Text(mut codes) => {
            let mut merged = Dictionary::default();
            let mut first_row = 0;
            for ((result, segment), n_rows) in
                results.into_iter().zip(spans.segments).zip(spans.rows)
            {
                if let SinkResult::Text(dictionary) = result {
                    merged.absorb(dictionary, &mut codes[first_row..first_row + n_rows]);
                }
                first_row += segment.max_rows;
            }
            spans.compact(&mut codes);
            let text = TextColumn::from_parts(codes, merged.into_categories());
            Parsed::Column(Column::Text(Arc::new(text)))
        }
    }
}

fn error_of(fault: Fault, layout: &Layout<'_>) -> MlError {
    let table = layout.name.clone();
    match fault {
        Fault::Ragged { line, found } => MlError::RaggedRow {
            table,
            line,
            expected: layout.names.len(),
            found,
        },
        Fault::NotUtf8 {
            line,
            column,
            value,
        } => MlError::InvalidUtf8 {
            table,
            line,
            column: layout.names[column].clone(),
            value,
        },
        Fault::NotATimestamp {
            line,
            column,
            value,
        } => MlError::InvalidTimestamp {
            table,
            line,
            column: layout.names[column].clone(),
            value,
        },
    }
}

//! Parses one segment, cell by cell, straight into the columns.

use std::collections::HashMap;
use std::sync::Arc;

use super::Layout;
use super::cells::{self, CellRules, Kind};
use super::segments::{Segment, skip_blank_lines};
use crate::table::MISSING_CODE;

/// What is wrong with a segment.
pub(super) enum Fault {
    Ragged {
        line: usize,
        found: usize,
    },
    NotUtf8 {
        line: usize,
        column: usize,
        value: String,
    },
    NotATimestamp {
        line: usize,
        column: usize,
        value: String,
    },
}

/// Where the cells of one column go.
pub(super) enum Sink<'o> {
    Skip,
    Float(&'o mut [f64]),
    Integer(&'o mut [i64], &'o mut [bool]),
    Boolean(&'o mut [bool], &'o mut [bool]),
    Text(&'o mut [u32], Dictionary),
    Timestamp {
        values: &'o mut [i64],
        valid: &'o mut [bool],
        /// Whether another cell is a fault, and not a reason to think again.
        is_asked_for: bool,
    },
    /// The column turned out to be of another type: only that type is worked out.
    Undecided(Kind),
}

/// What a sink knows when its segment is done; the values are where they belong already.
pub(super) enum SinkResult {
    Done,
    Text(Dictionary),
    Undecided(Kind),
}

/// What is wrong with a cell.
enum CellFault {
    NotUtf8,
    NotATimestamp,
}

impl CellFault {
    #[cold]
    fn at(self, line: usize, column: usize, cell: &[u8]) -> Fault {
        let value = String::from_utf8_lossy(cell).into_owned();
        match self {
            Self::NotUtf8 => Fault::NotUtf8 {
                line,
                column,
                value,
            },
            Self::NotATimestamp => Fault::NotATimestamp {
                line,
                column,
                value,
            },
        }
    }
}

impl Sink<'_> {
    pub(super) fn finish(self) -> SinkResult {
        match self {
            Sink::Text(_, dictionary) => SinkResult::Text(dictionary),
            Sink::Undecided(kind) => SinkResult::Undecided(kind),
            _ => SinkResult::Done,
        }
    }

    #[inline]
    fn push(&mut self, row: usize, cell: &[u8], rules: &CellRules) -> Result<(), CellFault> {
        let missing = &rules.missing;
        let is_missing = || missing.contains(cell);
        let is_word = || missing.has_numbers && is_missing();
        match self {
            Sink::Skip => {}
            Sink::Undecided(kind) => *kind = kind.or(cells::kind_of(cell, rules)),
            Sink::Text(codes, dictionary) => {
                codes[row] = if is_missing() {
                    MISSING_CODE
                } else {
                    dictionary.code_of(cell)?
                };
            }
            Sink::Float(values) => match cells::parse_float(cell) {
                Some(value) if !is_word() => values[row] = value,
                _ if is_missing() => values[row] = f64::NAN,
                _ => self.reconsider(Kind::Float, cell, rules),
            },
            Sink::Integer(values, valid) => match cells::parse_integer(cell) {
                Some(value) if !is_word() => (values[row], valid[row]) = (value, true),
                _ if is_missing() => {}
                _ => self.reconsider(Kind::Integer, cell, rules),
            },
            Sink::Boolean(values, valid) => match cells::parse_boolean(cell) {
                _ if is_missing() => {}
                Some(value) => (values[row], valid[row]) = (value, true),
                None => self.reconsider(Kind::Boolean, cell, rules),
            },
            Sink::Timestamp {
                values,
                valid,
                is_asked_for,
            } => match cells::parse_timestamp(cell) {
                _ if is_missing() => {}
                Some(value) => (values[row], valid[row]) = (value, true),
                None if *is_asked_for => return Err(CellFault::NotATimestamp),
                None => self.reconsider(Kind::Timestamp, cell, rules),
            },
        }
        Ok(())
    }

    #[cold]
    fn reconsider(&mut self, guessed: Kind, cell: &[u8], rules: &CellRules) {
        *self = Sink::Undecided(guessed.or(cells::kind_of(cell, rules)));
    }
}

/// The distinct strings of one column, each with a code in order of first appearance.
#[derive(Default)]
pub(super) struct Dictionary {
    codes: HashMap<Arc<str>, u32>,
    texts: Vec<Arc<str>>,
    /// Sorted and grouped files repeat the row above.
    last: usize,
}

impl Dictionary {
    fn code_of(&mut self, cell: &[u8]) -> Result<u32, CellFault> {
        if self
            .texts
            .get(self.last)
            .is_some_and(|text| text.as_bytes() == cell)
        {
            return Ok(self.last as u32);
        }
        let text = std::str::from_utf8(cell).map_err(|_| CellFault::NotUtf8)?;
        let code = match self.codes.get(text) {
            Some(code) => *code,
            None => self.insert(text.into()),
        };
        self.last = code as usize;
        Ok(code)
    }

    fn insert(&mut self, text: Arc<str>) -> u32 {
        let code = self.texts.len() as u32;
        self.texts.push(text.clone());
        self.codes.insert(text, code);
        code
    }

    /// Takes over the strings of a later segment, and rewrites that segment's codes.
    pub(super) fn absorb(&mut self, other: Self, codes: &mut [u32]) {
        if self.texts.is_empty() {
            *self = other;
            return;
        }
        let mut renumbered = Vec::with_capacity(other.texts.len());
        for text in other.texts {
            let known = self.codes.get(&text).copied();
            renumbered.push(known.unwrap_or_else(|| self.insert(text)));
        }
        for code in codes.iter_mut().filter(|code| **code != MISSING_CODE) {
            *code = renumbered[*code as usize];
        }
    }

    pub(super) fn into_categories(self) -> Vec<String> {
        self.texts.iter().map(|text| text.to_string()).collect()
    }
}

/// Parses up to `max_rows` rows of a segment and returns how many there were.
pub(super) fn parse_segment(
    segment: &Segment<'_>,
    layout: &Layout<'_>,
    sinks: &mut [Sink<'_>],
    max_rows: usize,
) -> Result<usize, Fault> {
    if segment.needs_csv_core {
        parse_quoted(segment, layout, sinks, max_rows)
    } else {
        parse_plain(segment, layout, sinks, max_rows)
    }
}

/// For segments without quotes, where a delimiter is always one.
fn parse_plain(
    segment: &Segment<'_>,
    layout: &Layout<'_>,
    sinks: &mut [Sink<'_>],
    max_rows: usize,
) -> Result<usize, Fault> {
    let (bytes, delimiter, rules) = (segment.bytes, layout.delimiter, &layout.rules);
    let last = sinks.len() - 1;
    let mut line = segment.first_line;
    let (mut at, mut row) = (0, 0);
    while at < bytes.len() && row < max_rows {
        if matches!(bytes[at], b'\n' | b'\r' | b' ' | b'\t') {
            let start = skip_blank_lines(bytes, at, delimiter);
            line += super::bytes::count_newlines(&bytes[at..start]);
            at = start;
            if at == bytes.len() {
                break;
            }
        }
        for (column, sink) in sinks.iter_mut().enumerate() {
            // A float tells itself where it ends: no search for the delimiter is needed.
            if let Sink::Float(values) = sink
                && !rules.missing.has_numbers
                && let Ok((value, n_read)) = fast_float2::parse_partial::<f64, _>(&bytes[at..])
                && !value.is_nan()
            {
                let end = at + n_read;
                let len = match bytes.get(end) {
                    Some(byte) if column < last => usize::from(*byte == delimiter),
                    Some(b'\n') => 1,
                    Some(b'\r') if bytes.get(end + 1) == Some(&b'\n') => 2,
                    None if column == last => 1,
                    _ => 0,
                };
                if len > 0 {
                    values[row] = value;
                    at = end + len;
                    continue;
                }
            }
            let end = memchr::memchr2(delimiter, b'\n', &bytes[at..]).map(|len| at + len);
            let is_line_end = end.is_none_or(|end| bytes[end] != delimiter);
            let end = end.unwrap_or(bytes.len());
            if is_line_end != (column == last) {
                let rest = memchr::memchr(b'\n', &bytes[end..]).map_or(bytes.len(), |n| end + n);
                let more = memchr::memchr_iter(delimiter, &bytes[end..rest]).count();
                return Err(Fault::Ragged {
                    line,
                    found: column + 1 + more,
                });
            }
            let mut cell = &bytes[at..end];
            if is_line_end && let Some(shorter) = cell.strip_suffix(b"\r") {
                cell = shorter;
            }
            sink.push(row, cell, rules)
                .map_err(|fault| fault.at(line, column, cell))?;
            at = end + 1;
        }
        line += 1;
        row += 1;
    }
    Ok(row)
}

/// For segments with quotes, or with lines that end in a carriage return alone.
fn parse_quoted(
    segment: &Segment<'_>,
    layout: &Layout<'_>,
    sinks: &mut [Sink<'_>],
    max_rows: usize,
) -> Result<usize, Fault> {
    let (bytes, delimiter) = (segment.bytes, layout.delimiter);
    let mut reader = csv_core::ReaderBuilder::new().delimiter(delimiter).build();
    let mut text = vec![0; 4096];
    let mut ends = vec![0; sinks.len() + 1];
    let mut line = segment.first_line;
    let (mut at, mut row) = (0, 0);
    while row < max_rows {
        let start = skip_blank_lines(bytes, at, delimiter);
        line += count_lines(bytes, at, start);
        at = start;
        if at == bytes.len() {
            break;
        }
        let (mut n_text, mut n_ends) = (0, 0);
        loop {
            let (result, n_read, n_written, n_ended) =
                reader.read_record(&bytes[at..], &mut text[n_text..], &mut ends[n_ends..]);
            at += n_read;
            n_text += n_written;
            n_ends += n_ended;
            match result {
                csv_core::ReadRecordResult::OutputFull => text.resize(2 * text.len(), 0),
                csv_core::ReadRecordResult::OutputEndsFull => ends.resize(2 * ends.len(), 0),
                // The next call has no input, which tells the reader that this is the end.
                csv_core::ReadRecordResult::InputEmpty => {}
                csv_core::ReadRecordResult::Record | csv_core::ReadRecordResult::End => break,
            }
        }
        if n_ends != sinks.len() {
            return Err(Fault::Ragged {
                line,
                found: n_ends,
            });
        }
        let mut from = 0;
        for (column, sink) in sinks.iter_mut().enumerate() {
            let cell = &text[from..ends[column]];
            sink.push(row, cell, &layout.rules)
                .map_err(|fault| fault.at(line, column, cell))?;
            from = ends[column];
        }
        line += count_lines(bytes, start, at);
        row += 1;
    }
    Ok(row)
}

/// Line ends in `bytes[from..to]`, of which `\r\n` is one even if the range ends inside it.
fn count_lines(bytes: &[u8], from: usize, to: usize) -> usize {
    let part = &bytes[from..to];
    let returns = memchr::memchr_iter(b'\r', part)
        .filter(|at| bytes.get(from + at + 1) != Some(&b'\n'))
        .count();
    super::bytes::count_newlines(part) + returns
}

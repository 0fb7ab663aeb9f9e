//! Cuts a file into segments that hold whole records, so that threads can parse them apart.

use super::bytes::Scanned;

/// A segment is worth a thread's while from about this size on.
const MIN_SEGMENT: usize = 256 * 1024;
/// More segments than threads, so that a thread that is held up leaves little undone.
const SEGMENTS_PER_THREAD: usize = 8;

/// A run of whole records.
pub(super) struct Segment<'a> {
    pub(super) bytes: &'a [u8],
    /// Line of the file on which the segment begins, from 1.
    pub(super) first_line: usize,
    /// The segment has at most this many rows.
    pub(super) max_rows: usize,
    /// Whether cells may be quoted or lines end in a carriage return alone.
    pub(super) needs_csv_core: bool,
}

/// The record that names the columns, or shows how many there are.
pub(super) struct FirstRecord {
    pub(super) cells: Vec<Vec<u8>>,
    /// Line on which it begins, from 1.
    pub(super) line: usize,
    /// Where the next record begins.
    pub(super) end: usize,
}

/// The first record, or `None` if there is none.
pub(super) fn first_record(scanned: &Scanned<'_>, delimiter: u8) -> Option<FirstRecord> {
    let bytes = scanned.bytes();
    let start = skip_blank_lines(bytes, scanned.start(), delimiter);
    if start == bytes.len() {
        return None;
    }
    let line = scanned.line_at(start);
    let mut reader = csv_core::ReaderBuilder::new().delimiter(delimiter).build();
    let (mut cells, mut cell, mut at) = (Vec::new(), Vec::new(), start);
    let mut buffer = [0; 1024];
    loop {
        let (result, n_read, n_written) = reader.read_field(&bytes[at..], &mut buffer);
        at += n_read;
        cell.extend_from_slice(&buffer[..n_written]);
        match result {
            // The next call has no input, which tells the reader that this is the end.
            csv_core::ReadFieldResult::InputEmpty | csv_core::ReadFieldResult::OutputFull => {}
            csv_core::ReadFieldResult::Field { record_end } => {
                cells.push(std::mem::take(&mut cell));
                if record_end {
                    // The reader stops between the two bytes of a `\r\n`.
                    if bytes[..at].ends_with(b"\r") && bytes[at..].starts_with(b"\n") {
                        at += 1;
                    }
                    return Some(FirstRecord {
                        cells,
                        line,
                        end: at,
                    });
                }
            }
            csv_core::ReadFieldResult::End => {
                return Some(FirstRecord {
                    cells,
                    line,
                    end: at,
                });
            }
        }
    }
}

/// Skips lines that are empty or hold only spaces and tabs.
#[inline]
pub(super) fn skip_blank_lines(bytes: &[u8], mut at: usize, delimiter: u8) -> usize {
    loop {
        let mut end = at;
        while let Some(b' ' | b'\t') = bytes.get(end).filter(|byte| **byte != delimiter) {
            end += 1;
        }
        match bytes.get(end) {
            Some(b'\n' | b'\r') => at = end + 1,
            Some(_) => return at,
            None => return end,
        }
    }
}

/// Cuts what follows `start` at line ends outside of quotes; the line of a quote that is never
/// closed is the error.
pub(super) fn cut<'a>(
    scanned: &'a Scanned<'_>,
    start: usize,
    delimiter: u8,
) -> Result<Vec<Segment<'a>>, usize> {
    let bytes = scanned.bytes();
    let count = ((bytes.len() - start) / MIN_SEGMENT)
        .clamp(1, rayon::current_num_threads() * SEGMENTS_PER_THREAD);
    let step = (bytes.len() - start).div_ceil(count).max(1);
    let mut cuts = vec![start];
    if scanned.has_quotes {
        cut_around_quotes(scanned, start, step, delimiter, &mut cuts)?;
    } else {
        let mut target = start + step;
        while target < bytes.len() {
            let Some(newline) = memchr::memchr(b'\n', &bytes[target..]) else {
                break;
            };
            cuts.push(target + newline + 1);
            target = (target + step).max(target + newline + 1);
        }
    }
    if cuts.last() != Some(&bytes.len()) {
        cuts.push(bytes.len());
    }
    let segments = cuts.windows(2).map(|ends| {
        let (from, to) = (ends[0], ends[1]);
        let part = &bytes[from..to];
        let lines_before = scanned.newlines_before(from);
        let mut max_rows = scanned.newlines_before(to) - lines_before;
        if !part.ends_with(b"\n") {
            max_rows += 1;
        }
        let has_quotes = scanned.has_quotes && memchr::memchr(b'"', part).is_some();
        if scanned.has_lone_returns {
            max_rows += memchr::memchr_iter(b'\r', part).count();
        }
        Segment {
            bytes: part,
            first_line: scanned.line_at(from),
            max_rows,
            needs_csv_core: has_quotes || scanned.has_lone_returns,
        }
    });
    Ok(segments.collect())
}

/// Walks from quoted cell to quoted cell, and cuts between them.
///
/// Counting quotes would not do: one in the middle of a bare cell (`5" pipe`) opens nothing.
fn cut_around_quotes(
    scanned: &Scanned<'_>,
    start: usize,
    step: usize,
    delimiter: u8,
    cuts: &mut Vec<usize>,
) -> Result<(), usize> {
    let bytes = scanned.bytes();
    let mut target = start + step;
    let mut at = start;
    // End of the last quoted cell: nothing before it may be cut any more.
    let mut open_from = start;
    loop {
        let opening = loop {
            match memchr::memchr(b'"', &bytes[at..]) {
                None => break bytes.len(),
                Some(quote) => {
                    let quote = at + quote;
                    let opens = quote == start
                        || matches!(bytes[quote - 1], b'\n' | b'\r')
                        || bytes[quote - 1] == delimiter;
                    if opens {
                        break quote;
                    }
                    at = quote + 1;
                }
            }
        };
        while target < opening {
            let from = target.max(open_from);
            let Some(newline) = memchr::memchr(b'\n', &bytes[from..opening]) else {
                break;
            };
            cuts.push(from + newline + 1);
            target = (target + step).max(from + newline + 1);
        }
        if opening == bytes.len() {
            return Ok(());
        }
        let mut closing = opening + 1;
        at = loop {
            let Some(quote) = memchr::memchr(b'"', &bytes[closing..]) else {
                return Err(scanned.line_at(opening));
            };
            let behind = closing + quote + 1;
            if bytes.get(behind) != Some(&b'"') {
                break behind;
            }
            closing = behind + 1;
        };
        open_from = at;
    }
}

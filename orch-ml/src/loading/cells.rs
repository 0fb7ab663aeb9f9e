//! What a single cell means.

use crate::table::Timestamp;

/// The type of a cell, or the narrowest type that holds all cells seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Missing,
    Integer,
    Float,
    Boolean,
    Text,
    Timestamp,
}

impl Kind {
    pub(super) fn or(self, other: Self) -> Self {
        match (self, other) {
            (Kind::Missing, kind) | (kind, Kind::Missing) => kind,
            (Kind::Integer, Kind::Float) | (Kind::Float, Kind::Integer) => Kind::Float,
            (one, two) if one == two => one,
            _ => Kind::Text,
        }
    }
}

/// The cells that mean "no value".
pub(super) struct MissingWords {
    /// By first byte, since almost every cell begins with a byte that no word begins with.
    by_first: Vec<Vec<Vec<u8>>>,
    /// A word such as `-999` must be looked up before the cell is parsed as a number.
    pub(super) has_numbers: bool,
}

/// What cells may mean.
pub(super) struct CellRules {
    pub(super) missing: MissingWords,
    /// Whether a column of dates and times is one of timestamps, unasked.
    pub(super) infers_timestamps: bool,
}

impl MissingWords {
    pub(super) fn new(words: &[String]) -> Self {
        let mut by_first = vec![Vec::new(); 256];
        for word in words {
            if let Some(first) = word.as_bytes().first() {
                by_first[usize::from(*first)].push(word.as_bytes().to_vec());
            }
        }
        let has_numbers = words
            .iter()
            .any(|word| parse_float(word.as_bytes()).is_some());
        Self {
            by_first,
            has_numbers,
        }
    }

    #[inline]
    pub(super) fn contains(&self, cell: &[u8]) -> bool {
        match cell.first() {
            None => true,
            Some(first) => self.by_first[usize::from(*first)]
                .iter()
                .any(|word| word == cell),
        }
    }
}

pub(super) fn kind_of(cell: &[u8], rules: &CellRules) -> Kind {
    if rules.missing.contains(cell) {
        Kind::Missing
    } else if parse_integer(cell).is_some() {
        Kind::Integer
    } else if parse_float(cell).is_some() {
        Kind::Float
    } else if parse_boolean(cell).is_some() {
        Kind::Boolean
    } else if rules.infers_timestamps && parse_timestamp(cell).is_some() {
        Kind::Timestamp
    } else {
        Kind::Text
    }
}

/// Decimal digits with an optional sign, within 64 bits; spaces around them do not matter.
#[inline]
pub(super) fn parse_integer(cell: &[u8]) -> Option<i64> {
    let (is_negative, digits) = match cell.trim_ascii() {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] => (false, digits),
        digits => (false, digits),
    };
    if digits.is_empty() {
        return None;
    }
    let mut value = 0i64;
    for digit in digits {
        let digit = digit.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        // Counting down reaches the least integer too.
        value = value.checked_mul(10)?.checked_sub(i64::from(digit))?;
    }
    if is_negative {
        Some(value)
    } else {
        value.checked_neg()
    }
}

/// A decimal number, or `inf` or `infinity` in any case; the many spellings of NaN are words, not
/// numbers.
#[inline]
pub(super) fn parse_float(cell: &[u8]) -> Option<f64> {
    let cell = cell.trim_ascii();
    let value: f64 = fast_float2::parse(cell).ok()?;
    (!value.is_nan()).then_some(value)
}

#[inline]
pub(super) fn parse_boolean(cell: &[u8]) -> Option<bool> {
    match cell {
        b"true" | b"True" | b"TRUE" => Some(true),
        b"false" | b"False" | b"FALSE" => Some(false),
        _ => None,
    }
}

/// Microseconds since the beginning of 1970; spaces around a date do not matter.
pub(super) fn parse_timestamp(cell: &[u8]) -> Option<i64> {
    let text = std::str::from_utf8(cell.trim_ascii()).ok()?;
    Timestamp::parse(text).map(Timestamp::as_microseconds)
}

//! Moments.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::calendar::{MICROSECONDS, SECONDS_PER_DAY, Written, civil_from_days};

/// A moment in UTC, in microseconds since the beginning of 1970, as `datetime64[us]` of pandas.
///
/// It prints as pandas prints it: `2024-02-29 18:30:00`, with six decimals if it is no whole second.
///
/// # Examples
/// ```
/// use orch_ml::Timestamp;
///
/// let sold = Timestamp::parse("2024-02-29T20:00:00+01:30").unwrap();
/// assert_eq!(sold.to_string(), "2024-02-29 18:30:00");
/// assert_eq!(sold.as_microseconds(), 1_709_231_400_000_000);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Timestamp(i64);

impl Timestamp {
    /// From microseconds since the beginning of 1970 in UTC.
    pub const fn from_microseconds(microseconds: i64) -> Self {
        Self(microseconds)
    }

    /// Microseconds since the beginning of 1970 in UTC.
    pub const fn as_microseconds(self) -> i64 {
        self.0
    }

    /// The moment that a text of ISO 8601 names, `None` if it names none: a date as `2024-02-29`,
    /// after which may come `T` or a space, a time as `18:30` or `18:30:59.5`, and `Z` or an offset
    /// as `+05:30`, `+0530` or `+05`. Years have four digits. A time without an offset is in UTC, a
    /// date without a time begins its day, and decimals after the sixth are cut off. Leap seconds
    /// are refused.
    ///
    /// # Source
    /// pandas 3.1, `to_datetime(.., format="ISO8601", utc=True)`, which also takes dates without
    /// hyphens, months and years
    pub fn parse(text: &str) -> Option<Self> {
        Written::parse(text)?.to_microseconds().map(Self)
    }

    /// The same, with as many decimals of a second as asked for; without the time for `None`.
    pub(crate) fn to_text(self, decimals: Option<usize>) -> String {
        let seconds = self.0.div_euclid(MICROSECONDS);
        let (year, month, day) = civil_from_days(seconds.div_euclid(SECONDS_PER_DAY));
        let date = format!("{year:04}-{month:02}-{day:02}");
        let Some(decimals) = decimals else {
            return date;
        };
        let second = seconds.rem_euclid(SECONDS_PER_DAY);
        let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
        let time = format!("{date} {hour:02}:{minute:02}:{second:02}");
        if decimals == 0 {
            return time;
        }
        let micros = format!("{:06}", self.0.rem_euclid(MICROSECONDS));
        format!("{time}.{}", &micros[..decimals.min(6)])
    }

    /// The decimals of a second that all of these need, as pandas prints a column: 0, 3 or 6, or
    /// `None` if each is the beginning of a day.
    pub(crate) fn decimals_of(all: impl Iterator<Item = Self>) -> Option<usize> {
        let needed = all.map(|timestamp| match timestamp.0 {
            moment if moment % (SECONDS_PER_DAY * MICROSECONDS) == 0 => None,
            moment if moment % MICROSECONDS == 0 => Some(0),
            moment if moment % 1000 == 0 => Some(3),
            _ => Some(6),
        });
        needed.max().flatten()
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let decimals = if self.0 % MICROSECONDS == 0 { 0 } else { 6 };
        f.write_str(&self.to_text(Some(decimals)))
    }
}

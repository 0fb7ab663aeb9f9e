//! Days as year, month and day, and dates and times as text.

/// Seconds of a day; leap seconds are not counted.
pub(crate) const SECONDS_PER_DAY: i64 = 86_400;

/// Seconds from 1970 on to the years 0 and 10000, between which texts have four digits for a year.
pub(crate) const FIRST_SECOND: i64 = -719_528 * SECONDS_PER_DAY;
pub(crate) const END_SECOND: i64 = 2_932_897 * SECONDS_PER_DAY;

/// Microseconds of a second.
pub(crate) const MICROSECONDS: i64 = 1_000_000;

/// A moment to the hour, as a calendar and a clock on the wall have it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Moment {
    pub(crate) year: i64,
    /// From 1 on.
    pub(crate) month: i64,
    /// From 1 on.
    pub(crate) day: i64,
    pub(crate) hour: i64,
}

impl Moment {
    /// The moment of a second since the beginning of 1970 in UTC.
    pub(crate) fn from_seconds(seconds: i64) -> Self {
        let (year, month, day) = civil_from_days(seconds.div_euclid(SECONDS_PER_DAY));
        let hour = seconds.rem_euclid(SECONDS_PER_DAY) / 3600;
        Self {
            year,
            month,
            day,
            hour,
        }
    }

    /// The moment that a text of ISO 8601 names, an offset from UTC being left aside; see
    /// [`Written::parse`].
    pub(crate) fn parse(text: &str) -> Option<Self> {
        Some(Written::parse(text)?.moment)
    }

    /// The day of the week, from Monday as 0 on.
    pub(crate) fn weekday(self) -> i64 {
        // The first of January 1970 was a Thursday.
        (days_from_civil(self.year, self.month, self.day) + 3).rem_euclid(7)
    }
}

/// A date and time as a text has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Written {
    pub(crate) moment: Moment,
    minute: i64,
    second: i64,
    microsecond: i64,
    /// Seconds that the clock is ahead of UTC; 0 where the text does not say.
    offset: i64,
}

impl Written {
    /// Reads a text of ISO 8601: a date as `2024-02-29`, after which may come `T` or a space, hours
    /// and minutes, seconds with any number of decimals, of which six are kept, and `Z` or an offset
    /// as `+05:30`, `+0530` or `+05`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut rest = Rest(text.as_bytes());
        let year = rest.digits(4)?;
        rest.byte(b"-")?;
        let month = rest.digits(2)?;
        rest.byte(b"-")?;
        let day = rest.digits(2)?;
        if !(1..=12).contains(&month) || !(1..=days_of_month(year, month)).contains(&day) {
            return None;
        }
        let (mut hour, mut minute, mut second, mut microsecond, mut offset) = (0, 0, 0, 0, 0);
        if rest.byte(b"T t").is_some() {
            hour = rest.digits(2)?;
            rest.byte(b":")?;
            minute = rest.digits(2)?;
            if rest.byte(b":").is_some() {
                second = rest.digits(2)?;
                if rest.byte(b".,").is_some() {
                    microsecond = rest.decimals()?;
                }
            }
            // A leap second is the 61st of its minute.
            if hour > 23 || minute > 59 || second > 60 {
                return None;
            }
            offset = rest.offset()?;
        }
        rest.0.is_empty().then_some(Self {
            moment: Moment {
                year,
                month,
                day,
                hour,
            },
            minute,
            second,
            microsecond,
            offset,
        })
    }

    /// Microseconds from the beginning of 1970 in UTC on; `None` for a leap second, which is not
    /// counted.
    pub(crate) fn to_microseconds(self) -> Option<i64> {
        if self.second > 59 {
            return None;
        }
        let Moment {
            year,
            month,
            day,
            hour,
        } = self.moment;
        let minutes = (days_from_civil(year, month, day) * 24 + hour) * 60 + self.minute;
        let seconds = minutes * 60 + self.second - self.offset;
        Some(seconds * MICROSECONDS + self.microsecond)
    }
}

/// What of a text is still to be read.
struct Rest<'a>(&'a [u8]);

impl Rest<'_> {
    /// Reads one of these bytes, or nothing.
    fn byte(&mut self, allowed: &[u8]) -> Option<()> {
        let (first, rest) = self.0.split_first()?;
        if !allowed.contains(first) {
            return None;
        }
        self.0 = rest;
        Some(())
    }

    /// Reads a number of so many digits, or nothing.
    fn digits(&mut self, count: usize) -> Option<i64> {
        let (digits, rest) = self.0.split_at_checked(count)?;
        if !digits.iter().all(u8::is_ascii_digit) {
            return None;
        }
        self.0 = rest;
        let digits = digits.iter().map(|digit| i64::from(digit - b'0'));
        Some(digits.fold(0, |number, digit| 10 * number + digit))
    }

    /// Reads the decimals of a second, at least one, as microseconds; those after the sixth are cut
    /// off.
    fn decimals(&mut self) -> Option<i64> {
        let mut value = self.digits(1)?;
        for _ in 1..6 {
            value = 10 * value + self.digits(1).unwrap_or(0);
        }
        while self.digits(1).is_some() {}
        Some(value)
    }

    /// Reads an offset from UTC, if there is one, in seconds.
    fn offset(&mut self) -> Option<i64> {
        let sign = match self.0.first() {
            Some(b'Z' | b'z') => 0,
            Some(b'+') => 1,
            Some(b'-') => -1,
            _ => return Some(0),
        };
        self.0 = &self.0[1..];
        if sign == 0 {
            return Some(0);
        }
        let hours = self.digits(2)?;
        let has_minutes = self.byte(b":").is_some() || !self.0.is_empty();
        let minutes = if has_minutes { self.digits(2)? } else { 0 };
        (hours < 24 && minutes < 60).then_some(sign * (hours * 60 + minutes) * 60)
    }
}

fn days_of_month(year: i64, month: i64) -> i64 {
    let is_leap_year = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        2 if is_leap_year => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// A moment in UTC to the second, as `2024-02-29 18:30:00 UTC`.
pub(crate) fn utc_text(seconds: u64) -> String {
    let Some(seconds) = i64::try_from(seconds).ok().filter(|at| *at < END_SECOND) else {
        return "after the year 9999".to_owned();
    };
    let Moment {
        year,
        month,
        day,
        hour,
    } = Moment::from_seconds(seconds);
    let (minute, second) = (seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02} UTC")
}

/// Days from the first of January 1970 to a date of the Gregorian calendar.
///
/// # Source
/// Howard Hinnant, *chrono-Compatible Low-Level Date Algorithms* (2013), `days_from_civil`. Years
/// begin with March there, so that the leap day is the last, and repeat after 400 (an era).
pub(crate) fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let month_from_march = (month + 9) % 12;
    let day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// Year, month and day of a day counted from the first of January 1970.
///
/// # Source
/// `civil_from_days` of the same.
pub(crate) fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 {
        month_from_march + 3
    } else {
        month_from_march - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_day_of_an_era_is_the_day_after_the_one_before() {
        let (mut year, mut month, mut day) = (1970, 1, 1);
        for days in 0..146_097 {
            assert_eq!(civil_from_days(days), (year, month, day));
            assert_eq!(days_from_civil(year, month, day), days);
            day += 1;
            if day > days_of_month(year, month) {
                (month, day) = (month + 1, 1);
            }
            if month > 12 {
                (year, month) = (year + 1, 1);
            }
        }
        assert_eq!((year, month, day), (2370, 1, 1));
    }

    #[test]
    fn the_first_and_the_last_second_are_those_of_four_digit_years() {
        let first = Moment::from_seconds(FIRST_SECOND);
        assert_eq!((first.year, first.month, first.day), (0, 1, 1));
        assert_eq!(Moment::from_seconds(FIRST_SECOND - 1).year, -1);
        let end = Moment::from_seconds(END_SECOND);
        assert_eq!((end.year, end.month, end.day, end.hour), (10_000, 1, 1, 0));
        assert_eq!(Moment::from_seconds(END_SECOND - 1).year, 9999);
    }

    #[test]
    fn a_moment_is_written_to_the_second() {
        // Python 3.11: datetime.fromtimestamp(1709231405, timezone.utc)
        assert_eq!(utc_text(1_709_231_405), "2024-02-29 18:30:05 UTC");
        assert_eq!(utc_text(0), "1970-01-01 00:00:00 UTC");
        assert_eq!(utc_text(END_SECOND as u64 - 1), "9999-12-31 23:59:59 UTC");
        assert_eq!(utc_text(u64::MAX), "after the year 9999");
    }

    #[test]
    fn what_is_no_date_is_refused() {
        for text in [
            "",
            "2024",
            "2024-02",
            "24-02-29",
            "2023-02-29",
            "1900-02-29",
            "2024-13-01",
            "2024-00-10",
            "2024-04-31",
            "2024-01-00",
            "2024/01/02",
            "01.02.2024",
            "2024-01-02T",
            "2024-01-02T24:00",
            "2024-01-02T12",
            "2024-01-02T12:60",
            "2024-01-02T12:00:61",
            "2024-01-02T12:00:00.",
            "2024-01-02T12:00:00+24:00",
            "2024-01-02T12:00:00+1",
            "2024-01-02T12:00:00+05:",
            "2024-01-02 12:00 ",
            " 2024-01-02",
            "2024-01-02Z",
            "２０２４-01-02",
        ] {
            assert_eq!(Moment::parse(text), None, "{text}");
        }
    }
}

//! When a server wants to be asked again.

use std::time::{Duration, SystemTime};

use crate::calendar::{SECONDS_PER_DAY, days_from_civil};

const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// The time from now on that `Retry-After` names, as a number of seconds or a date; none for a date
/// that has passed. A date counts from the `date` of the answer, so that it does not matter whether
/// the clocks of both machines agree; without one from the clock of this machine.
///
/// # Source
/// RFC 9110, sections 10.2.3 and 5.6.7
pub(super) fn parse(retry_after: &str, date: Option<&str>) -> Option<Duration> {
    let text = retry_after.trim();
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        // A number too large to be one is a very long time.
        return Some(Duration::from_secs(text.parse().unwrap_or(u32::MAX.into())));
    }
    let until = seconds_of(text)?;
    let now = date.and_then(seconds_of).or_else(|| {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        i64::try_from(now.ok()?.as_secs()).ok()
    })?;
    Some(Duration::from_secs(u64::try_from(until - now).unwrap_or(0)))
}

/// Seconds since the beginning of 1970 of a date in one of the three forms that HTTP knows:
/// `Sun, 06 Nov 1994 08:49:37 GMT`, `Sunday, 06-Nov-94 08:49:37 GMT`, `Sun Nov  6 08:49:37 1994`.
fn seconds_of(date: &str) -> Option<i64> {
    let words: Vec<&str> = date
        .split([' ', ',', '-'])
        .filter(|word| !word.is_empty())
        .collect();
    let (day, month, year, time) = match words[..] {
        [_, day, month, year, time, "GMT"] => (day, month, year, time),
        [_, month, day, time, year] => (day, month, year, time),
        _ => return None,
    };
    let number = |text: &str| {
        let is_number = text.len() <= 4 && text.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then(|| text.parse::<i64>().ok()).flatten()
    };
    let month = MONTHS.iter().position(|name| *name == month)? as i64 + 1;
    let day = number(day).filter(|day| (1..=31).contains(day))?;
    let year = match (number(year)?, year.len()) {
        (year, 4) => year,
        (year @ 70.., 2) => 1900 + year,
        (year, 2) => 2000 + year,
        _ => return None,
    };
    let mut parts = time.split(':').map(number);
    let (hour, minute, second) = (parts.next()??, parts.next()??, parts.next()??);
    if parts.next().is_some() || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let days = days_from_civil(year, month, day);
    Some(days * SECONDS_PER_DAY + hour * 3600 + minute * 60 + second)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_three_forms_of_a_date_are_one_moment() {
        // The example of RFC 9110, section 5.6.7; the number is that of `date -d .. +%s`.
        for date in [
            "Sun, 06 Nov 1994 08:49:37 GMT",
            "Sunday, 06-Nov-94 08:49:37 GMT",
            "Sun Nov  6 08:49:37 1994",
        ] {
            assert_eq!(seconds_of(date), Some(784_111_777), "{date}");
        }
    }

    #[test]
    fn what_is_no_date_and_no_number_says_nothing() {
        for text in [
            "",
            "soon",
            "-5",
            "1.5",
            "Sun, 06 Foo 1994 08:49:37 GMT",
            "06 Nov 1994",
        ] {
            assert_eq!(parse(text, None), None, "{text}");
        }
    }

    #[test]
    fn a_date_counts_from_that_of_the_answer() {
        let now = Some("Sun, 06 Nov 1994 08:49:37 GMT");
        let later = parse("Sun, 06 Nov 1994 08:51:07 GMT", now);
        assert_eq!(later, Some(Duration::from_secs(90)));
        let earlier = parse("Sun, 06 Nov 1994 08:00:00 GMT", now);
        assert_eq!(earlier, Some(Duration::ZERO));
        assert_eq!(parse(" 120 ", now), Some(Duration::from_secs(120)));
        // Decades after this date.
        assert_eq!(
            parse("Sun, 06 Nov 1994 08:51:07 GMT", None),
            Some(Duration::ZERO)
        );
    }
}

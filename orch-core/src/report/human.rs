//! Durations, counts and names as people read them.

use std::time::Duration;

const NANOS_PER_SECOND: u64 = 1_000_000_000;

/// Writes a duration with three digits (`1.24 ms`), or from a minute on with two units (`2m 14s`).
pub(crate) fn duration(duration: Duration) -> String {
    let nanos = duration.as_nanos();
    let seconds = duration.as_secs();
    if nanos < 1_000 {
        format!("{nanos} ns")
    } else if let Some((unit, per_unit)) = [("µs", 1e3), ("ms", 1e6), ("s", 1e9)]
        .into_iter()
        // A value that would round up to the next unit is written in the next unit. Seconds go up
        // to the minute.
        .find(|(unit, per_unit)| {
            let limit = if *unit == "s" { 59.95 } else { 999.5 };
            nanos as f64 / per_unit < limit
        })
    {
        format!("{} {unit}", three_digits(nanos as f64 / per_unit))
    } else {
        let seconds = seconds.saturating_add(u64::from(duration.subsec_millis() >= 500));
        let (minutes, s) = (seconds / 60, seconds % 60);
        let (hours, m) = (minutes / 60, minutes % 60);
        let (days, h) = (hours / 24, hours % 24);
        match (days, hours) {
            (0, 0) => format!("{m}m {s:02}s"),
            (0, _) => format!("{h}h {m:02}m"),
            _ => format!("{}d {h:02}h", count(days)),
        }
    }
}

fn three_digits(value: f64) -> String {
    if value < 9.995 {
        format!("{value:.2}")
    } else if value < 99.95 {
        format!("{value:.1}")
    } else {
        format!("{value:.0}")
    }
}

/// Writes a moment, given in milliseconds since the Unix epoch: `2026-11-27 05:54:12 UTC`.
pub(crate) fn moment(unix_ms: u64) -> String {
    let seconds = unix_ms / 1_000;
    let (hour, minute, second) = (seconds / 3_600 % 24, seconds / 60 % 60, seconds % 60);
    // Days are counted from March 1st of the year 0, so that a leap day is the last of its year.
    let days = seconds / 86_400 + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let leaps = day_of_era / 1_460 + day_of_era / 146_096 - day_of_era / 36_524;
    let year_of_era = (day_of_era - leaps) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let months_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * months_from_march + 2) / 5 + 1;
    let month = (months_from_march + 2) % 12 + 1;
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    format!("{year}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02} UTC")
}

/// Writes the mark of a time axis: `step` is the distance between two marks, in nanoseconds.
pub(crate) fn tick(at: u64, step: u64) -> String {
    if at == 0 {
        return "0".to_owned();
    }
    for (unit, per_unit) in [
        ("ns", 1),
        ("µs", 1_000),
        ("ms", 1_000_000),
        ("s", NANOS_PER_SECOND),
    ] {
        let fits = at < per_unit.saturating_mul(if unit == "s" { 120 } else { 1_000 });
        if fits && step < 60 * NANOS_PER_SECOND {
            let whole = at / per_unit;
            let rest = at % per_unit;
            if rest == 0 {
                return format!("{whole} {unit}");
            }
            let digits = per_unit.ilog10() as usize;
            let fraction = format!("{rest:0digits$}");
            return format!("{whole}.{} {unit}", fraction.trim_end_matches('0'));
        }
    }
    let seconds = at / NANOS_PER_SECOND;
    let (d, h, m, s) = (
        seconds / 86_400,
        seconds / 3_600 % 24,
        seconds / 60 % 60,
        seconds % 60,
    );
    let parts = [(d, "d"), (h, "h"), (m, "m"), (s, "s")];
    let parts: Vec<String> = parts
        .into_iter()
        .filter(|(value, _)| *value > 0)
        .map(|(value, unit)| format!("{value}{unit}"))
        .collect();
    parts.join(" ")
}

/// Writes a number with a comma between thousands: `1,234,567`.
pub(crate) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Writes a number of things: `1 task run`, `1,234 task runs`.
pub(crate) fn counted(number: u64, thing: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {thing}{plural}", count(number))
}

/// Makes user text fit for one line of any output: control characters, line ends and characters
/// that reorder text become visible escapes such as `\n` or `\u{202e}`.
pub(crate) fn clean(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    for c in text.chars() {
        let hostile = c.is_control()
            || matches!(c, '\u{2028}' | '\u{2029}' | '\u{200e}' | '\u{200f}' | '\u{61c}')
            || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
            // No characters, and forbidden in XML.
            || matches!(c, '\u{fdd0}'..='\u{fdef}' | '\u{fff9}'..='\u{fffb}')
            || c as u32 & 0xfffe == 0xfffe;
        match c {
            '\n' | '\r' | '\t' => clean.extend(c.escape_default()),
            c if hostile => clean.extend(c.escape_unicode()),
            c => clean.push(c),
        }
    }
    clean
}

/// The columns that `text` takes in a terminal, estimated: two for East Asian wide characters and
/// pictographs, none for combining ones.
pub(crate) fn width(text: &str) -> usize {
    text.chars().map(char_width).sum()
}

fn char_width(c: char) -> usize {
    match c as u32 {
        0x300..=0x36f | 0x483..=0x489 | 0x591..=0x5bd | 0x610..=0x61a | 0x64b..=0x65f => 0,
        0x200b..=0x200d | 0x20d0..=0x20ff | 0xfe00..=0xfe0f | 0xe0100..=0xe01ef => 0,
        0x26a1 | 0x1100..=0x115f | 0x2e80..=0x303e | 0x3041..=0xa4cf | 0xac00..=0xd7a3 => 2,
        0xf900..=0xfaff | 0xfe30..=0xfe6f | 0xff00..=0xff60 | 0xffe0..=0xffe6 => 2,
        0x1f000..=0x1faff | 0x20000..=0x3fffd => 2,
        _ => 1,
    }
}

/// Cleans a name and cuts it to `max` columns, leaving out its middle: what tells long names apart
/// is often at their end (`fit[fold=3]`).
pub(crate) fn short(name: &str, max: usize) -> String {
    let name = clean(name);
    if width(&name) <= max {
        return name;
    }
    let room = max.saturating_sub(1);
    let tail_room = room / 3;
    let mut used = 0;
    let mut head = String::new();
    for c in name.chars() {
        used += char_width(c);
        if used > room - tail_room {
            break;
        }
        head.push(c);
    }
    let mut used = 0;
    let mut tail_start = name.len();
    for (at, c) in name.char_indices().rev() {
        used += char_width(c);
        if used > tail_room {
            break;
        }
        // A combining character alone is no place to start.
        if char_width(c) > 0 {
            tail_start = at;
        }
    }
    format!("{head}…{}", &name[tail_start..])
}

/// Fills `text` with spaces up to `columns`.
pub(crate) fn pad(text: &str, columns: usize) -> String {
    format!("{text}{}", " ".repeat(columns.saturating_sub(width(text))))
}

/// Fills `text` with spaces on its left up to `columns`.
pub(crate) fn pad_left(text: &str, columns: usize) -> String {
    format!("{}{text}", " ".repeat(columns.saturating_sub(width(text))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_three_digits_or_two_units() {
        let cases = [
            (0, "0 ns"),
            (999, "999 ns"),
            (1_240_000, "1.24 ms"),
            (12_400, "12.4 µs"),
            (999_499, "999 µs"),
            (999_500, "1.00 ms"),
            (9_996_000, "10.0 ms"),
            (340_000_000, "340 ms"),
            (2_000_000_000, "2.00 s"),
            (59_949_000_000, "59.9 s"),
            (59_960_000_000, "1m 00s"),
            (134_400_000_000, "2m 14s"),
            (3_599_700_000_000, "1h 00m"),
            (11_100_000_000_000, "3h 05m"),
            (187_200_000_000_000, "2d 04h"),
        ];
        for (nanos, expected) in cases {
            assert_eq!(
                duration(Duration::from_nanos(nanos)),
                expected,
                "{nanos} ns"
            );
        }
        assert_eq!(duration(Duration::MAX), "213,503,982,334,601d 07h");
    }

    #[test]
    fn ticks_are_written_in_the_unit_of_their_axis() {
        assert_eq!(tick(0, 1), "0");
        assert_eq!(tick(200, 100), "200 ns");
        assert_eq!(tick(1_500_000, 500_000), "1.5 ms");
        assert_eq!(tick(2_000_000_000, 500_000_000), "2 s");
        assert_eq!(tick(90_000_000_000, 30_000_000_000), "90 s");
        assert_eq!(tick(150_000_000_000, 30_000_000_000), "2m 30s");
        assert_eq!(tick(5_400_000_000_000, 1_800_000_000_000), "1h 30m");
        assert_eq!(tick(172_800_000_000_000, 86_400_000_000_000), "2d");
    }

    #[test]
    fn moments_are_dates_in_utc() {
        // GNU date says so.
        let cases = [
            (0, "1970-01-01 00:00:00 UTC"),
            (951_782_400_000, "2000-02-29 00:00:00 UTC"),
            (1_709_251_199_999, "2024-02-29 23:59:59 UTC"),
            (1_790_000_000_000, "2026-09-21 14:13:20 UTC"),
            (4_107_542_400_000, "2100-03-01 00:00:00 UTC"),
        ];
        for (unix_ms, expected) in cases {
            assert_eq!(moment(unix_ms), expected);
        }
    }

    #[test]
    fn counts_have_commas() {
        assert_eq!(count(0), "0");
        assert_eq!(count(999), "999");
        assert_eq!(count(1_000), "1,000");
        assert_eq!(count(u64::MAX), "18,446,744,073,709,551,615");
        assert_eq!(counted(1, "task run"), "1 task run");
        assert_eq!(counted(2_000, "task run"), "2,000 task runs");
    }

    #[test]
    fn long_names_keep_their_two_ends() {
        assert_eq!(short("fit[fold=3]", 11), "fit[fold=3]");
        assert_eq!(
            short("train_gradient_boosting[fold=3]", 16),
            "train_grad…ld=3]"
        );
        assert_eq!(short("日本語日本語日本語", 9), "日本語…語");
        assert_eq!(width(&short(&"e\u{301}".repeat(40), 12)), 12);
        assert_eq!(short("abc", 0), "…");
    }

    #[test]
    fn hostile_characters_become_visible() {
        assert_eq!(clean("a\nb\t\u{1b}[31m"), "a\\nb\\t\\u{1b}[31m");
        assert_eq!(clean("x\u{202e}y\u{ffff}"), "x\\u{202e}y\\u{ffff}");
        assert_eq!(clean("größe — 日本"), "größe — 日本");
    }
}

//! Durations (`"2h30m"`) and backoffs (`"1s..30s x 3 ~ 20%"`) as they are written in options.

const UNITS: [(&str, u64); 8] = [
    ("ns", 1),
    ("us", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
    ("d", 86_400_000_000_000),
    ("w", 604_800_000_000_000),
];

/// What was wrong with a text, and what to write.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Problem {
    pub(crate) message: String,
    pub(crate) help: String,
}

impl Problem {
    fn new(message: impl Into<String>, help: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            help: help.into(),
        }
    }
}

/// Reads a duration; returns nanoseconds.
pub(crate) fn parse(text: &str) -> Result<u64, Problem> {
    const EXAMPLES: &str = "write a number and a unit, as in `500ms`, `1.5s`, `2h30m`; the units are `ns`, `us`, `ms`, \
         `s`, `m`, `h`, `d`, `w`";
    let text = text.trim();
    let mut rest = text;
    if rest.is_empty() {
        return Err(Problem::new("a duration is empty", EXAMPLES));
    }
    let mut total: u64 = 0;
    while !rest.is_empty() {
        let number = take(&mut rest, |c| c.is_ascii_digit() || c == '.' || c == '_');
        rest = rest.trim_start();
        let unit = take(&mut rest, char::is_alphabetic);
        rest = rest.trim_start();
        if number.is_empty() {
            return Err(Problem::new(
                format!("`{text}` is not a duration"),
                EXAMPLES,
            ));
        }
        if unit.is_empty() {
            return Err(Problem::new(
                format!("the duration `{text}` has no unit"),
                EXAMPLES,
            ));
        }
        let Some((_, nanos)) = UNITS.iter().find(|(name, _)| *name == unit) else {
            return Err(Problem::new(
                format!("`{unit}` is not a unit of time"),
                EXAMPLES,
            ));
        };
        let part = scaled(number, *nanos)
            .ok_or_else(|| Problem::new(format!("`{number}` is not a number"), EXAMPLES))?;
        total = u64::try_from(part)
            .ok()
            .and_then(|part| total.checked_add(part))
            .ok_or_else(|| {
                Problem::new(
                    format!("the duration `{text}` is too long"),
                    "the longest duration is 30500 weeks",
                )
            })?;
    }
    Ok(total)
}

/// Splits off what `wanted` accepts.
fn take<'a>(rest: &mut &'a str, wanted: impl Fn(char) -> bool) -> &'a str {
    let end = rest.find(|c| !wanted(c)).unwrap_or(rest.len());
    let (taken, left) = rest.split_at(end);
    *rest = left;
    taken
}

/// A decimal number times `unit`, in whole nanoseconds.
fn scaled(number: &str, unit: u64) -> Option<u128> {
    let number = number.replace('_', "");
    let (whole, fraction) = number.split_once('.').unwrap_or((&number, "0"));
    if whole.is_empty() || fraction.is_empty() || fraction.len() > 18 {
        return None;
    }
    // More digits than a `u64` has are not a number of nanoseconds.
    let whole: u64 = whole.parse().ok()?;
    let divisor = 10_u128.pow(u32::try_from(fraction.len()).ok()?);
    let fraction: u64 = fraction.parse().ok()?;
    Some(u128::from(whole) * u128::from(unit) + u128::from(fraction) * u128::from(unit) / divisor)
}

/// The waits between attempts, in nanoseconds.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Backoff {
    pub(crate) delays: Delays,
    /// A share of the delay, in `0..=1`.
    pub(crate) jitter: Option<f64>,
}

/// How the waits follow each other.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Delays {
    Fixed(u64),
    List(Vec<u64>),
    Exponential { base: u64, cap: u64, factor: f64 },
}

/// Reads a backoff.
pub(crate) fn parse_backoff(text: &str) -> Result<Backoff, Problem> {
    let (delays, jitter) = match text.split_once('~') {
        Some((delays, jitter)) => (delays, Some(parse_jitter(jitter)?)),
        None => (text, None),
    };
    let delays = match delays.split_once("..") {
        Some((base, rest)) => parse_exponential(base, rest)?,
        None if delays.contains(',') => {
            Delays::List(delays.split(',').map(parse).collect::<Result<_, _>>()?)
        }
        None => Delays::Fixed(parse(delays)?),
    };
    Ok(Backoff { delays, jitter })
}

fn parse_jitter(text: &str) -> Result<f64, Problem> {
    let percent = text
        .trim()
        .strip_suffix('%')
        .and_then(|text| text.trim().parse::<f64>().ok());
    match percent {
        Some(percent) if percent > 0.0 && percent <= 100.0 => Ok(percent / 100.0),
        _ => Err(Problem::new(
            format!("`{}` is not a share of the wait", text.trim()),
            "write a percentage above 0 and up to 100 after the `~`, as in `1s..30s ~ 20%`",
        )),
    }
}

fn parse_exponential(base: &str, rest: &str) -> Result<Delays, Problem> {
    let (cap, factor) = match rest.split_once('x') {
        Some((cap, factor)) => (cap, Some(factor)),
        None => (rest, None),
    };
    if cap.trim().is_empty() {
        return Err(Problem::new(
            "a growing backoff has no upper bound",
            format!(
                "write the longest wait after the dots, as in `{}..30s`",
                base.trim()
            ),
        ));
    }
    let (base, cap) = (parse(base)?, parse(cap)?);
    if base == 0 {
        return Err(Problem::new(
            "a growing backoff starts at zero, so it never grows",
            "start with the first wait, as in `1s..30s`",
        ));
    }
    if cap < base {
        return Err(Problem::new(
            "the longest wait of the backoff is shorter than its first one",
            "write the first wait, then the longest one, as in `1s..30s`",
        ));
    }
    let factor = match factor {
        None => 2.0,
        Some(text) => match text.trim().parse::<f64>() {
            Ok(factor) if factor > 1.0 && factor.is_finite() => factor,
            _ => {
                return Err(Problem::new(
                    format!("`{}` is not the factor of a growing backoff", text.trim()),
                    "write a number above 1 after the `x`, as in `1s..5m x 3`",
                ));
            }
        },
    };
    Ok(Delays::Exponential { base, cap, factor })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn check_problem(problem: Problem, expected: &str) {
        assert!(problem.message.contains(expected), "{problem:?}");
        assert!(!problem.help.is_empty());
    }

    #[test]
    fn every_unit_is_read() {
        let nanos = ["1ns", "1us", "1ms", "1s", "1m", "1h", "1d", "1w"].map(parse);
        let expected = [
            1,
            1_000,
            1_000_000,
            SECOND,
            60 * SECOND,
            3_600 * SECOND,
            86_400 * SECOND,
            604_800 * SECOND,
        ];
        assert_eq!(nanos, expected.map(Ok));
    }

    #[test]
    fn parts_add_up_and_fractions_are_exact() {
        assert_eq!(parse("2h30m"), Ok(9_000 * SECOND));
        assert_eq!(parse(" 2h 30m "), Ok(9_000 * SECOND));
        assert_eq!(parse("1.5s"), Ok(1_500_000_000));
        assert_eq!(parse("0.1s"), Ok(100_000_000));
        assert_eq!(parse("1_000ms"), Ok(SECOND));
        assert_eq!(parse("0s"), Ok(0));
    }

    #[test]
    fn what_is_not_a_duration_is_refused() {
        for (text, expected) in [
            ("", "a duration is empty"),
            ("soon", "`soon` is not a duration"),
            ("-1s", "`-1s` is not a duration"),
            ("5", "the duration `5` has no unit"),
            ("5 minutes", "`minutes` is not a unit of time"),
            ("1.2.3s", "`1.2.3` is not a number"),
            (".s", "`.` is not a number"),
            ("99999999w", "the duration `99999999w` is too long"),
            ("30000w 30000w", "is too long"),
        ] {
            check_problem(parse(text).unwrap_err(), expected);
        }
    }

    #[test]
    fn each_shape_of_backoff_is_read() {
        let plain = |delays| {
            Ok(Backoff {
                delays,
                jitter: None,
            })
        };
        assert_eq!(parse_backoff("1s"), plain(Delays::Fixed(SECOND)));
        assert_eq!(
            parse_backoff("1s, 5s,30s"),
            plain(Delays::List(vec![SECOND, 5 * SECOND, 30 * SECOND]))
        );
        let (base, cap) = (SECOND, 30 * SECOND);
        assert_eq!(
            parse_backoff("1s..30s"),
            plain(Delays::Exponential {
                base,
                cap,
                factor: 2.0
            })
        );
        assert_eq!(
            parse_backoff("1s..30s x 1.5"),
            plain(Delays::Exponential {
                base,
                cap,
                factor: 1.5
            })
        );
        assert_eq!(
            parse_backoff("1s..30s x 3 ~ 20%"),
            Ok(Backoff {
                delays: Delays::Exponential {
                    base,
                    cap,
                    factor: 3.0
                },
                jitter: Some(0.2)
            })
        );
        assert_eq!(
            parse_backoff("1s ~ 50%"),
            Ok(Backoff {
                delays: Delays::Fixed(SECOND),
                jitter: Some(0.5)
            })
        );
    }

    #[test]
    fn what_is_not_a_backoff_is_refused() {
        for (text, expected) in [
            ("1s..", "has no upper bound"),
            ("1s.. x 3", "has no upper bound"),
            ("0s..1s", "starts at zero"),
            ("30s..1s", "shorter than its first one"),
            ("1s..30s x fast", "`fast` is not the factor"),
            ("1s..30s x 1", "`1` is not the factor"),
            ("1s ~ 20", "`20` is not a share"),
            ("1s ~ 0%", "`0%` is not a share"),
            ("1s ~ 120%", "`120%` is not a share"),
            ("1s, 5", "`5` has no unit"),
            ("", "a duration is empty"),
        ] {
            check_problem(parse_backoff(text).unwrap_err(), expected);
        }
    }
}

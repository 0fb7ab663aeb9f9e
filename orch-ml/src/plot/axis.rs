//! Axes: from values to places, and the marks in between.

use serde::{Deserialize, Serialize};

use super::svg::{CHAR_WIDTH, columns};

/// The most marks of an axis.
const MAX_TICKS: i64 = 6;

/// One axis of a plot.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Axis {
    /// What it measures, with its unit.
    pub label: String,
    /// The value at its beginning.
    pub low: f64,
    /// The value at its end.
    pub high: f64,
    /// What lies in between.
    pub scale: Scale,
}

/// What lies between the ends of an [`Axis`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Scale {
    /// Equal distances are equal differences.
    #[default]
    Linear,
    /// Equal distances are equal factors. For values above 0.
    Log,
    /// A name at each whole number from 0 on.
    Names(Vec<String>),
}

/// A mark of an axis.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Tick {
    pub(super) value: f64,
    pub(super) text: String,
}

impl Axis {
    /// An axis from `low` to `high`.
    pub fn new(label: impl Into<String>, low: f64, high: f64) -> Self {
        Self {
            label: label.into(),
            low,
            high,
            scale: Scale::Linear,
        }
    }

    /// An axis that has all finite values, and ends at round numbers.
    pub fn around(label: impl Into<String>, values: impl IntoIterator<Item = f64>) -> Self {
        let (low, high) = range(values);
        let step = Step::for_range(high - low);
        let axis = |low, high| Self::new(label, low, high);
        axis(step.value(step.below(low)), step.value(step.above(high)))
    }

    /// An axis by orders of magnitude that has all finite values above 0, and ends at powers of 10.
    pub fn around_log(label: impl Into<String>, values: impl IntoIterator<Item = f64>) -> Self {
        let positive = values.into_iter().filter(|value| *value > 0.0);
        let (low, high) = range(positive.map(f64::log10));
        Self {
            label: label.into(),
            // Up to rounding of logarithms, a power of 10 is its own end.
            low: power_of_10((low + 1e-9).floor()),
            high: power_of_10((high - 1e-9).ceil()),
            scale: Scale::Log,
        }
    }

    /// An axis with a name at each whole number from 0 on.
    pub fn named(label: impl Into<String>, names: Vec<String>) -> Self {
        Self {
            label: label.into(),
            low: -0.5,
            high: names.len() as f64 - 0.5,
            scale: Scale::Names(names),
        }
    }

    /// Where a value is, from 0 at the beginning to 1 at the end; outside of the axis, the nearer
    /// end. `None` for what has no place: NaN, and on a logarithmic axis what is not above 0.
    pub fn place(&self, value: f64) -> Option<f64> {
        let of = |value: f64| match self.scale {
            Scale::Log => value.log10(),
            _ => value,
        };
        let (low, high, value) = (of(self.low), of(self.high), of(value));
        let place = (value - low) / (high - low);
        // An axis without length has everything in its middle.
        let place = if high == low { 0.5 } else { place };
        (value.is_finite() && place.is_finite()).then(|| place.clamp(0.0, 1.0))
    }

    /// The marks, in order.
    pub(super) fn ticks(&self) -> Vec<Tick> {
        if !(self.low.is_finite() && self.high.is_finite() && self.low < self.high) {
            return Vec::new();
        }
        match &self.scale {
            Scale::Linear => {
                let step = Step::for_range(self.high - self.low);
                let ticks = step.above(self.low)..=step.below(self.high);
                ticks
                    .map(|i| Tick {
                        value: step.value(i),
                        text: step.text(i),
                    })
                    .collect()
            }
            Scale::Log => self.decades(),
            Scale::Names(names) => {
                let tick = |(i, name): (usize, &String)| Tick {
                    value: i as f64,
                    text: name.clone(),
                };
                names.iter().enumerate().map(tick).collect()
            }
        }
    }

    fn decades(&self) -> Vec<Tick> {
        let (low, high) = (self.low.log10(), self.high.log10());
        if !low.is_finite() {
            return Vec::new();
        }
        let (low, high) = ((low - 1e-9).ceil() as i64, (high + 1e-9).floor() as i64);
        let every = (high - low) as usize / MAX_TICKS as usize + 1;
        (low..=high)
            .step_by(every)
            .map(|exponent| Tick {
                value: power_of_10(exponent as f64),
                text: match exponent {
                    0..=4 => format!("{}", 10_i64.pow(exponent as u32)),
                    -3..=-1 => format!("{}", power_of_10(exponent as f64)),
                    _ => format!("1e{exponent}"),
                },
            })
            .collect()
    }

    /// Whether the texts of all marks fit side by side along `length`.
    pub(super) fn texts_fit(&self, length: f64) -> bool {
        let ticks = self.ticks();
        let each = length / ticks.len().max(1) as f64;
        ticks
            .iter()
            .all(|tick| columns(&tick.text) as f64 * CHAR_WIDTH + 4.0 <= each)
    }
}

fn power_of_10(exponent: f64) -> f64 {
    // Parsed, since `powf` need not give the nearest number.
    format!("1e{exponent}").parse().unwrap_or(f64::NAN)
}

/// The least and the greatest of the finite values, apart if they are equal.
fn range(values: impl IntoIterator<Item = f64>) -> (f64, f64) {
    let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
    for value in values.into_iter().filter(|value| value.is_finite()) {
        low = low.min(value);
        high = high.max(value);
    }
    if low > high {
        return (0.0, 1.0);
    }
    // Differences that numbers of this size can hardly have are none.
    let least = low.abs().max(high.abs()) * 1e-9;
    if high - low > least {
        return (low, high);
    }
    let around = if low == 0.0 { 0.5 } else { low.abs() / 2.0 };
    (low - around, high + around)
}

/// The distance between two marks: 1, 2 or 5 times a power of 10.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Step {
    digit: i64,
    exponent: i32,
}

impl Step {
    /// The smallest step that divides a range into fewer parts than there may be marks.
    pub(super) fn for_range(range: f64) -> Self {
        let least = (range / (MAX_TICKS - 1) as f64).max(f64::MIN_POSITIVE);
        let exponent = least.log10().floor() as i32;
        let steps = [(1, 0), (2, 0), (5, 0), (1, 1), (2, 1)];
        steps
            .map(|(digit, more)| Self {
                digit,
                exponent: exponent + more,
            })
            .into_iter()
            // A whole number of steps stays one whatever rounding did.
            .find(|step| step.value(1) >= least * (1.0 - 1e-9))
            .unwrap_or(Self { digit: 1, exponent })
    }

    /// The `i`-th multiple, as the nearest number to its decimals.
    pub(super) fn value(self, i: i64) -> f64 {
        let digits = (self.digit as f64) * i as f64;
        if self.exponent < 0 {
            digits / power_of_10(-f64::from(self.exponent))
        } else {
            digits * power_of_10(f64::from(self.exponent))
        }
    }

    /// The last multiple that is not above a value.
    fn below(self, value: f64) -> i64 {
        (value / self.value(1) + 1e-9).floor() as i64
    }

    /// The first multiple that is not below a value.
    fn above(self, value: f64) -> i64 {
        (value / self.value(1) - 1e-9).ceil() as i64
    }

    /// The `i`-th multiple in as many digits as all multiples need.
    fn text(self, i: i64) -> String {
        let value = self.value(i);
        if i == 0 {
            return "0".to_owned();
        }
        // Six columns are what there is room for.
        match self.exponent {
            ..=-5 | 5.. => format!("{value:e}"),
            exponent @ ..=-1 => format!("{value:.*}", exponent.unsigned_abs() as usize),
            _ if value.abs() >= 1e6 => format!("{value:e}"),
            _ => format!("{value}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(axis: &Axis) -> Vec<String> {
        axis.ticks().into_iter().map(|tick| tick.text).collect()
    }

    #[test]
    fn ticks_are_one_two_or_five_times_a_power_of_ten() {
        assert_eq!(
            texts(&Axis::new("", 0.0, 1.0)),
            ["0", "0.2", "0.4", "0.6", "0.8", "1.0"]
        );
        assert_eq!(
            texts(&Axis::new("", 2_700.0, 6_300.0)),
            ["3000", "4000", "5000", "6000"]
        );
        assert_eq!(
            texts(&Axis::new("", -1.2, 1.2)),
            ["-1.0", "-0.5", "0", "0.5", "1.0"]
        );
        assert_eq!(
            texts(&Axis::new("", 0.91, 0.94)),
            ["0.91", "0.92", "0.93", "0.94"]
        );
        assert_eq!(
            texts(&Axis::new("", 0.0, 2e7)),
            ["0", "5e6", "1e7", "1.5e7", "2e7"]
        );
        assert_eq!(
            texts(&Axis::new("", 0.0, 2e-6)),
            ["0", "5e-7", "1e-6", "1.5e-6", "2e-6"]
        );
    }

    #[test]
    fn values_of_ticks_are_the_nearest_to_their_decimals() {
        let values: Vec<f64> = Axis::new("", 0.0, 0.5)
            .ticks()
            .iter()
            .map(|t| t.value)
            .collect();
        assert_eq!(values, [0.0, 0.1, 0.2, 0.3, 0.4, 0.5]);
    }

    #[test]
    fn an_axis_around_values_ends_at_round_numbers() {
        let ends = |values: &[f64]| {
            let axis = Axis::around("", values.iter().copied());
            (axis.low, axis.high)
        };
        assert_eq!(ends(&[2_733.0, 6_290.0]), (2_000.0, 7_000.0));
        assert_eq!(ends(&[0.0, 1.0]), (0.0, 1.0));
        assert_eq!(ends(&[-0.3, 0.21]), (-0.4, 0.4));
        assert_eq!(ends(&[f64::NAN, 3.0, f64::INFINITY, 4.0]), (3.0, 4.0));
    }

    #[test]
    fn an_axis_around_one_value_or_none_has_a_length() {
        for values in [
            &[][..],
            &[0.0],
            &[7.0, 7.0],
            &[-1e300],
            &[1e-300],
            &[f64::NAN],
        ] {
            let axis = Axis::around("", values.iter().copied());
            assert!(axis.low < axis.high, "{axis:?}");
            let ticks = axis.ticks();
            assert!((2..=6).contains(&ticks.len()), "{axis:?}: {ticks:?}");
        }
    }

    #[test]
    fn places_go_from_zero_to_one() {
        let axis = Axis::new("", 10.0, 30.0);
        assert_eq!(axis.place(10.0), Some(0.0));
        assert_eq!(axis.place(15.0), Some(0.25));
        assert_eq!(axis.place(99.0), Some(1.0));
        assert_eq!(axis.place(f64::NAN), None);
        let axis = Axis::around_log("", [0.02, 40.0]);
        assert_eq!((axis.low, axis.high), (0.01, 100.0));
        assert_eq!(axis.place(1.0), Some(0.5));
        assert_eq!(axis.place(0.0), None);
        assert_eq!(texts(&axis), ["0.01", "0.1", "1", "10", "100"]);
    }

    #[test]
    fn many_decades_have_few_marks() {
        let axis = Axis::around_log("", [1e-9, 1e9]);
        assert_eq!(texts(&axis), ["1e-9", "1e-5", "0.1", "1000", "1e7"]);
    }

    #[test]
    fn names_stand_at_whole_numbers() {
        let axis = Axis::named("", vec!["a".to_owned(), "b".to_owned()]);
        assert_eq!(axis.place(0.0), Some(0.25));
        assert_eq!(axis.place(1.0), Some(0.75));
        assert_eq!(texts(&axis), ["a", "b"]);
    }
}

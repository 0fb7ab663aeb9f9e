//! Preprocessing that only scales numbers.

use super::NotExportable;
use crate::preprocessing::{FittedPreprocessor, FittedStep};

/// What the scaling steps do to one number, computed as they compute it.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Line {
    /// Takes the first off and divides by the second.
    LessThenDivided(f64, f64),
    /// Multiplies by the first and adds the second.
    TimesThenPlus(f64, f64),
}

/// What happens to each feature before the model gets it: lines that rise, in a row.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Scaling(Vec<Vec<Line>>);

impl Scaling {
    /// The scaling of each of the features.
    ///
    /// # Errors
    /// The first step that is something else, by its number.
    pub(super) fn of(
        preprocessor: Option<&FittedPreprocessor>,
        features: &[String],
    ) -> Result<Self, NotExportable> {
        let mut lines = vec![Vec::new(); features.len()];
        let mut add = |name: &str, line: Line| {
            if let Some(feature) = features.iter().position(|feature| feature == name) {
                lines[feature].push(line);
            }
        };
        let steps = preprocessor.map_or(&[][..], FittedPreprocessor::steps);
        for (number, step) in steps.iter().enumerate() {
            match step {
                FittedStep::StandardScale(scaler) => scaler.columns().iter().for_each(|column| {
                    add(
                        &column.name,
                        Line::LessThenDivided(column.mean, column.scale),
                    );
                }),
                FittedStep::RobustScale(scaler) => scaler.columns().iter().for_each(|column| {
                    add(
                        &column.name,
                        Line::LessThenDivided(column.median, column.scale),
                    );
                }),
                FittedStep::MinMaxScale(scaler) => scaler.columns().iter().for_each(|column| {
                    let (factor, offset) = scaler.line(column);
                    add(&column.name, Line::TimesThenPlus(factor, offset));
                }),
                FittedStep::Pass(_) | FittedStep::Drop(_) => {}
                other => {
                    let text = other.to_string();
                    let name = text.lines().next().unwrap_or_default();
                    let number = number + 1;
                    return Err(NotExportable(format!(
                        "step {number} of its preprocessing, `{name}`, is no scaling of numbers"
                    )));
                }
            }
        }
        Ok(Self(lines))
    }

    pub(super) fn is_none(&self) -> bool {
        self.0.iter().all(Vec::is_empty)
    }

    /// For each feature what to take off it, and what to multiply it with then.
    pub(super) fn offsets_and_factors(&self) -> impl Iterator<Item = (f64, f64)> {
        self.0.iter().map(|lines| {
            lines
                .iter()
                .fold((0.0, 1.0), |(offset, factor), line| match line {
                    Line::LessThenDivided(less, by) => (offset + less / factor, factor / by),
                    Line::TimesThenPlus(times, plus) => {
                        (offset - plus / (factor * times), factor * times)
                    }
                })
        })
    }

    fn scaled(&self, feature: usize, value: f64) -> f64 {
        self.0[feature]
            .iter()
            .fold(value, |value, line| match line {
                Line::LessThenDivided(less, by) => (value - less) / by,
                Line::TimesThenPlus(times, plus) => value * times + plus,
            })
    }

    /// The largest `f32` that comes to lie at or below the threshold when it is scaled: the rows that
    /// it lets pass are those that the threshold lets pass, whatever `f32` they have.
    pub(super) fn threshold(&self, feature: usize, threshold: f64) -> f32 {
        let passes = |at: i64| self.scaled(feature, f64::from(nth_float(at))) <= threshold;
        let (mut low, mut high) = (nth_of(f32::MIN), nth_of(f32::MAX));
        if !passes(low) {
            return f32::NEG_INFINITY;
        }
        // `low` passes, what is above `high` does not: scaling keeps the order of numbers.
        while low < high {
            let middle = low + (high - low + 1) / 2;
            if passes(middle) {
                low = middle;
            } else {
                high = middle - 1;
            }
        }
        nth_float(low)
    }
}

/// The place of a float among all, counted from 0; both zeros have one.
fn nth_of(value: f32) -> i64 {
    let bits = i64::from(value.to_bits() & 0x7fff_ffff);
    if value.is_sign_negative() {
        -bits
    } else {
        bits
    }
}

fn nth_float(at: i64) -> f32 {
    let size = f32::from_bits(at.unsigned_abs() as u32);
    if at < 0 { -size } else { size }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn threshold(lines: &[Line], threshold: f64) -> f32 {
        Scaling(vec![lines.to_vec()]).threshold(0, threshold)
    }

    #[test]
    fn thresholds_are_rounded_down_also_below_0_and_beyond_f32() {
        assert_eq!(threshold(&[], 0.5), 0.5);
        // 0.1f32 is above 0.1, -0.1f32 below -0.1.
        assert_eq!(threshold(&[], 0.1), 0.1f32.next_down());
        assert_eq!(threshold(&[], -0.1), -0.1f32);
        assert_eq!(threshold(&[], 0.0), 0.0);
        assert_eq!(threshold(&[], 1e-50), 0.0);
        assert_eq!(threshold(&[], -1e-50), 0.0f32.next_down());
        assert_eq!(threshold(&[], 1e300), f32::MAX);
        assert_eq!(threshold(&[], -1e300), f32::NEG_INFINITY);
    }

    #[test]
    fn scaled_thresholds_part_the_same_floats() {
        let scaling = [
            Line::LessThenDivided(3.7, 0.31),
            Line::TimesThenPlus(2.5, -1.0),
        ];
        let scaled = |value: f32| ((f64::from(value) - 3.7) / 0.31) * 2.5 - 1.0;
        for tenths in -50..50 {
            let limit = f64::from(tenths) / 10.0;
            let found = threshold(&scaling, limit);
            assert!(
                scaled(found) <= limit && scaled(found.next_up()) > limit,
                "{limit}"
            );
        }
        let (offset, factor) = Scaling(vec![scaling.to_vec()])
            .offsets_and_factors()
            .next()
            .unwrap();
        assert!(((5.0 - offset) * factor - scaled(5.0)).abs() < 1e-12);
    }
}

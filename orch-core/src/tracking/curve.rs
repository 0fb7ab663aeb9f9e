//! The points of a metric, as many as there is room for.

use crate::report::{MetricPoint, MetricReport};

/// The points of a metric. Where there are too many, every second one is left out, over and over, so
/// that those that stay are at even distances.
#[derive(Debug, Clone)]
pub(crate) struct Curve {
    points: Vec<MetricPoint>,
    /// Every how many points one is kept.
    stride: u64,
    n: u64,
    newest: MetricPoint,
    /// The one of the greatest step.
    last: MetricPoint,
    min: f64,
    max: f64,
}

impl Curve {
    pub(crate) fn new(point: MetricPoint) -> Self {
        Self {
            points: vec![point],
            stride: 1,
            n: 1,
            newest: point,
            last: point,
            min: point.value,
            max: point.value,
        }
    }

    /// Adds a point; returns whether it takes room.
    pub(crate) fn push(&mut self, point: MetricPoint) -> bool {
        let is_kept = self.n.is_multiple_of(self.stride);
        if is_kept {
            self.points.push(point);
        }
        self.n += 1;
        self.newest = point;
        if point.step >= self.last.step {
            self.last = point;
        }
        // NaN gives way to a number.
        self.min = self.min.min(point.value);
        self.max = self.max.max(point.value);
        is_kept
    }

    /// How many points are kept.
    pub(crate) fn len(&self) -> usize {
        self.points.len()
    }

    /// Leaves out every second point; returns how many that were.
    pub(crate) fn thin(&mut self) -> usize {
        let before = self.points.len();
        let mut index = 0;
        self.points.retain(|_| {
            index += 1;
            index % 2 == 1
        });
        self.stride *= 2;
        before - self.points.len()
    }

    pub(crate) fn report(&self) -> MetricReport {
        let mut points = self.points.clone();
        if !(self.n - 1).is_multiple_of(self.stride) {
            points.push(self.newest);
        }
        MetricReport {
            last: self.last.value,
            min: self.min,
            max: self.max,
            n_points: self.n,
            points,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn curve(values: impl IntoIterator<Item = (i64, f64)>) -> Curve {
        let mut points = values
            .into_iter()
            .map(|(step, value)| MetricPoint::new(step, 0, value));
        let mut curve = Curve::new(points.next().unwrap());
        points.for_each(|point| {
            curve.push(point);
        });
        curve
    }

    #[test]
    fn the_last_value_is_that_of_the_greatest_step_and_of_those_the_newest() {
        let report = curve([(5, 0.5), (7, 0.2), (7, 0.3), (6, 0.1)]).report();
        assert_eq!((report.last, report.min, report.max), (0.3, 0.1, 0.5));
        assert_eq!(report.n_points, 4);
    }

    #[test]
    fn values_that_are_no_numbers_are_neither_least_nor_greatest() {
        let report = curve([(0, f64::NAN), (1, 2.0), (2, f64::INFINITY), (3, f64::NAN)]).report();
        assert_eq!((report.min, report.max), (2.0, f64::INFINITY));
        assert!(report.last.is_nan());
        assert!(curve([(0, f64::NAN)]).report().min.is_nan());
    }

    #[test]
    fn what_stays_of_many_points_is_at_even_distances_and_ends_with_the_newest() {
        let mut curve = curve((0..10).map(|step| (step, step as f64)));
        assert_eq!(curve.thin(), 5);
        (10..13).for_each(|step| {
            curve.push(MetricPoint::new(step, 0, step as f64));
        });
        let steps = |curve: &Curve| -> Vec<i64> {
            curve
                .report()
                .points
                .iter()
                .map(|point| point.step)
                .collect()
        };
        assert_eq!(steps(&curve), [0, 2, 4, 6, 8, 10, 12]);
        assert_eq!(curve.thin(), 3);
        assert!(!curve.push(MetricPoint::new(13, 0, 13.0)));
        assert_eq!(steps(&curve), [0, 4, 8, 12, 13]);
        assert_eq!(curve.report().n_points, 14);
    }
}

//! Coordinate descent on the weights of the rows.

use orch_core::Rng;

use super::{LinearSvmOptions, SvmLoss};
use crate::training::least_squares::dot;

/// A line between one class and the others.
pub(super) struct Line {
    pub(super) coefficients: Vec<f64>,
    pub(super) intercept: f64,
    pub(super) n_iter: usize,
    pub(super) is_converged: bool,
}

/// Rows and which side of the line they belong to.
pub(super) struct Sides<'a> {
    pub(super) cells: &'a [f64],
    pub(super) width: usize,
    /// 1 or -1 for each row.
    pub(super) signs: Vec<f64>,
    /// How much each row counts, if not all count the same.
    pub(super) counts: Option<&'a [f64]>,
}

impl Sides<'_> {
    /// Goes through the rows in random order and gives each the weight that is best for the weights of
    /// the others. Rows that will probably keep a weight at its bound are left out until the rest is
    /// done.
    pub(super) fn solve(&self, options: &LinearSvmOptions, mut rng: Rng) -> Line {
        /// Slopes up to this are rounding.
        const FLAT: f64 = 1e-12;
        let n_rows = self.signs.len();
        let count = |row_idx: usize| self.counts.map_or(1.0, |counts| counts[row_idx]);
        // The greatest weight of a row, and what its own weight adds to its slope.
        let bounds = |row_idx: usize| match options.loss {
            SvmLoss::Hinge => (options.c * count(row_idx), 0.0),
            SvmLoss::SquaredHinge => (f64::INFINITY, 0.5 / (options.c * count(row_idx))),
        };
        let row = |row_idx: usize| &self.cells[row_idx * self.width..][..self.width];
        // The intercept is the coefficient of a feature that is 1 everywhere.
        let curvature = |row_idx| dot(row(row_idx), row(row_idx)) + 1.0 + bounds(row_idx).1;
        let curvatures: Vec<f64> = (0..n_rows).map(curvature).collect();

        let mut line = Line {
            coefficients: vec![0.0; self.width],
            intercept: 0.0,
            n_iter: 0,
            is_converged: false,
        };
        let mut weights = vec![0.0; n_rows];
        // Rows that do not count have weight 0.
        let mut order: Vec<usize> = (0..n_rows)
            .filter(|row_idx| count(*row_idx) > 0.0)
            .collect();
        let n_counting = order.len();
        let mut n_active = n_counting;
        let mut last_slopes = (f64::NEG_INFINITY, f64::INFINITY);
        while line.n_iter < options.max_iter && !line.is_converged {
            line.n_iter += 1;
            rng.shuffle(&mut order[..n_active]);
            let mut slopes = (f64::INFINITY, f64::NEG_INFINITY);
            let mut position = 0;
            while position < n_active {
                let row_idx = order[position];
                let (sign, weight) = (self.signs[row_idx], weights[row_idx]);
                let (greatest_weight, diagonal) = bounds(row_idx);
                let score = line.intercept + dot(row(row_idx), &line.coefficients);
                let slope = sign * score - 1.0 + diagonal * weight;
                let is_stuck = (weight == 0.0 && slope > last_slopes.1)
                    || (weight == greatest_weight && slope < last_slopes.0);
                if is_stuck {
                    n_active -= 1;
                    order.swap(position, n_active);
                    continue;
                }
                // At a bound only the way back counts.
                let slope_inside = if weight == 0.0 {
                    slope.min(0.0)
                } else if weight == greatest_weight {
                    slope.max(0.0)
                } else {
                    slope
                };
                slopes = (slopes.0.min(slope_inside), slopes.1.max(slope_inside));
                if slope_inside.abs() > FLAT {
                    let best = (weight - slope / curvatures[row_idx]).clamp(0.0, greatest_weight);
                    weights[row_idx] = best;
                    let change = (best - weight) * sign;
                    line.intercept += change;
                    for (slope, value) in line.coefficients.iter_mut().zip(row(row_idx)) {
                        *slope += change * value;
                    }
                }
                position += 1;
            }
            let is_flat = slopes.1 - slopes.0 <= options.tol;
            if is_flat && n_active == n_counting {
                line.is_converged = true;
            } else if is_flat {
                // Those that were left out are looked at again.
                n_active = n_counting;
                last_slopes = (f64::NEG_INFINITY, f64::INFINITY);
            } else {
                let least = if slopes.0 < 0.0 {
                    slopes.0
                } else {
                    f64::NEG_INFINITY
                };
                let greatest = if slopes.1 > 0.0 {
                    slopes.1
                } else {
                    f64::INFINITY
                };
                last_slopes = (least, greatest);
            }
        }
        line
    }
}

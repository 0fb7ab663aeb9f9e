//! The penalised log loss, and Newton's method for its minimum.
//!
//! Parameters are those of standardized features: for each line its coefficients, then its
//! intercept. They make the loss about equally curved in all directions, whatever the units.

use rayon::prelude::*;

use crate::dataset::Records;
use crate::error::MlError;
use crate::prediction::{sigmoid, soft_max};
use crate::training::least_squares::dot;

/// Rows summed up on their own. A constant, so that the result does not depend on the number of
/// threads.
const ROWS_PER_BLOCK: usize = 4 * 1024;

/// The weighted mean of the log losses of all rows, with its share of the penalty.
pub(super) struct Problem<'a> {
    /// Standardized features, row after row.
    rows: Vec<f64>,
    targets: &'a [u32],
    /// How much each row counts, and all together.
    weights: Vec<f64>,
    total_weight: f64,
    n_lines: usize,
    means: Vec<f64>,
    deviations: Vec<f64>,
    /// What the square of each standardized coefficient is multiplied with, twice.
    penalties: Vec<f64>,
}

pub(super) struct Solution {
    pub(super) parameters: Vec<f64>,
    pub(super) n_iter: usize,
    pub(super) is_converged: bool,
}

impl<'a> Problem<'a> {
    pub(super) fn new(
        records: &Records,
        targets: &'a [u32],
        weights: Option<Vec<f64>>,
        n_lines: usize,
        c: f64,
    ) -> Result<Self, MlError> {
        let (width, n_rows) = (records.n_features(), targets.len() as f64);
        let mut rows = records.cells().to_vec();
        let (mut means, mut deviations) = (Vec::new(), Vec::new());
        for (feature, first) in records.cells()[..width].iter().enumerate() {
            let column = || records.cells()[feature..].iter().step_by(width);
            // Differences from the first row: the mean of a constant is then exactly its value.
            let mean = first + column().map(|value| value - first).sum::<f64>() / n_rows;
            let squares: f64 = column().map(|value| (value - mean) * (value - mean)).sum();
            let deviation = (squares / n_rows).sqrt();
            if !deviation.is_finite() {
                return Err(MlError::FitOverflow);
            }
            means.push(mean);
            deviations.push(if deviation > 0.0 { deviation } else { 1.0 });
        }
        for row in rows.chunks_exact_mut(width) {
            for ((value, mean), deviation) in row.iter_mut().zip(&means).zip(&deviations) {
                *value = (*value - mean) / deviation;
            }
        }
        let weights = weights.unwrap_or_else(|| vec![1.0; targets.len()]);
        let total_weight: f64 = weights.iter().sum();
        if !total_weight.is_finite() {
            return Err(MlError::FitOverflow);
        }
        let penalty = |deviation: &f64| 1.0 / (c * total_weight) / deviation / deviation;
        Ok(Self {
            rows,
            targets,
            weights,
            total_weight,
            n_lines,
            penalties: deviations.iter().map(penalty).collect(),
            means,
            deviations,
        })
    }

    /// The coefficients of the features as they were given, line after line, and the intercepts.
    pub(super) fn lines(&self, parameters: &[f64]) -> (Vec<f64>, Vec<f64>) {
        let stride = self.penalties.len() + 1;
        let mut parameters = parameters.to_vec();
        if self.n_lines > 1 {
            // The same number added to all lines changes no probability. Without it the
            // coefficients are smaller, and the intercepts are those of scikit-learn.
            for at in 0..stride {
                let of_lines = parameters[at..].iter().step_by(stride);
                let mean = of_lines.sum::<f64>() / self.n_lines as f64;
                let of_lines = parameters[at..].iter_mut().step_by(stride);
                of_lines.for_each(|value| *value -= mean);
            }
        }
        let (mut coefficients, mut intercepts) = (Vec::new(), Vec::new());
        for line in parameters.chunks_exact(stride) {
            let slopes = line.iter().zip(&self.deviations);
            let slopes: Vec<f64> = slopes.map(|(slope, deviation)| slope / deviation).collect();
            intercepts.push(line[stride - 1] - dot(&slopes, &self.means));
            coefficients.extend(slopes);
        }
        (coefficients, intercepts)
    }

    /// Goes downhill from 0 by Newton steps, shortened where they would go uphill.
    pub(super) fn solve(&self, max_iter: usize, tol: f64) -> Solution {
        const MAX_HALVINGS: usize = 40;
        let n_parameters = self.n_lines * (self.penalties.len() + 1);
        let mut parameters = vec![0.0; n_parameters];
        let mut probabilities = vec![0.0; self.targets.len() * self.n_lines];
        let (mut loss, mut gradient) = self.loss_and_gradient(&parameters, &mut probabilities);
        let first_steepness = norm(&gradient);
        for n_iter in 0..max_iter {
            // Rough steps do far from the minimum; exact ones near it double the digits.
            let accuracy = (norm(&gradient) / first_steepness).sqrt().min(0.25);
            let step = self.newton_step(&gradient, &mut probabilities, accuracy);
            let slope = dot(&gradient, &step);
            let is_converged = greatest(&gradient) <= tol && -slope / 2.0 <= tol;
            let mut length = 1.0;
            let next = (0..MAX_HALVINGS).find_map(|_| {
                let next: Vec<f64> = parameters
                    .iter()
                    .zip(&step)
                    .map(|(value, step)| value + length * step)
                    .collect();
                let (next_loss, gradient) = self.loss_and_gradient(&next, &mut probabilities);
                // Near the minimum the loss falls by less than its rounding.
                let limit = loss + 1e-4 * length * slope + 4.0 * f64::EPSILON * loss.abs();
                length /= 2.0;
                (next_loss <= limit).then_some((next, next_loss, gradient))
            });
            if let Some(next) = next {
                (parameters, loss, gradient) = next;
            } else if !is_converged {
                // Rounding lets nothing get better.
                return Solution {
                    parameters,
                    n_iter: n_iter + 1,
                    is_converged: false,
                };
            }
            if is_converged {
                return Solution {
                    parameters,
                    n_iter: n_iter + 1,
                    is_converged: true,
                };
            }
        }
        Solution {
            parameters,
            n_iter: max_iter,
            is_converged: greatest(&gradient) <= tol,
        }
    }

    /// The loss at some parameters, with its gradient; leaves each row's probabilities of the
    /// lines.
    fn loss_and_gradient(&self, parameters: &[f64], probabilities: &mut [f64]) -> (f64, Vec<f64>) {
        let width = self.penalties.len();
        let stride = width + 1;
        let n_parameters = parameters.len();
        let mut sums = self.sum_rows(
            probabilities,
            n_parameters + 1,
            |row, (target, weight), scores, sums| {
                for (score, line) in scores.iter_mut().zip(parameters.chunks_exact(stride)) {
                    *score = line[width] + dot(row, &line[..width]);
                }
                sums[n_parameters] += weight * loss_of_row(scores, target);
                for (at, (probability, sums)) in
                    scores.iter().zip(sums.chunks_exact_mut(stride)).enumerate()
                {
                    let residual = probability - f64::from(u8::from(self.is_of_line(target, at)));
                    add_scaled(sums, weight * residual, row);
                }
            },
        );
        let mut loss = sums.pop().expect("the last sum is the loss");
        for (sums, line) in sums
            .chunks_exact_mut(stride)
            .zip(parameters.chunks_exact(stride))
        {
            for ((sum, slope), penalty) in sums.iter_mut().zip(line).zip(&self.penalties) {
                *sum += penalty * slope;
                loss += 0.5 * penalty * slope * slope;
            }
        }
        (loss, sums)
    }

    /// Whether a row of that class pulls the line up: for two classes it is that of the second.
    fn is_of_line(&self, target: u32, line: usize) -> bool {
        let class = if self.n_lines == 1 { 1 } else { line };
        target as usize == class
    }

    /// Solves for the step to the minimum of the quadratic that fits the loss, down to this share
    /// of the gradient, by conjugate gradients.
    fn newton_step(&self, gradient: &[f64], probabilities: &mut [f64], accuracy: f64) -> Vec<f64> {
        let scales = self.curvatures(probabilities);
        let scaled = |residuals: &[f64]| -> Vec<f64> {
            residuals
                .iter()
                .zip(&scales)
                .map(|(value, scale)| value / scale)
                .collect()
        };
        let mut step = vec![0.0; gradient.len()];
        let mut residuals: Vec<f64> = gradient.iter().map(|value| -value).collect();
        let mut preconditioned = scaled(&residuals);
        let mut direction = preconditioned.clone();
        let mut size = dot(&residuals, &preconditioned);
        let limit = accuracy * accuracy * size;
        // Rounding can take more steps than there are parameters, but not many more.
        for _ in 0..4 * gradient.len() + 20 {
            if size <= limit {
                break;
            }
            let curved = self.curvature_along(&direction, probabilities);
            let curvature = dot(&direction, &curved);
            if curvature <= 0.0 {
                break;
            }
            let length = size / curvature;
            for at in 0..step.len() {
                step[at] += length * direction[at];
                residuals[at] -= length * curved[at];
            }
            preconditioned = scaled(&residuals);
            let next_size = dot(&residuals, &preconditioned);
            let kept = next_size / size;
            for (direction, value) in direction.iter_mut().zip(&preconditioned) {
                *direction = value + kept * *direction;
            }
            size = next_size;
        }
        step
    }

    /// The second derivative of each parameter alone.
    fn curvatures(&self, probabilities: &mut [f64]) -> Vec<f64> {
        let stride = self.penalties.len() + 1;
        let n_parameters = self.n_lines * stride;
        let mut sums = self.sum_rows(
            probabilities,
            n_parameters,
            |row, (_, weight), probabilities, sums| {
                for (probability, sums) in probabilities.iter().zip(sums.chunks_exact_mut(stride)) {
                    let weight = weight * probability * (1.0 - probability);
                    for (sum, value) in sums.iter_mut().zip(row) {
                        *sum += weight * value * value;
                    }
                    sums[stride - 1] += weight;
                }
            },
        );
        for sums in sums.chunks_exact_mut(stride) {
            for (sum, penalty) in sums.iter_mut().zip(&self.penalties) {
                *sum += penalty;
            }
            // All probabilities may be 0 or 1 by rounding.
            sums[stride - 1] = sums[stride - 1].max(f64::MIN_POSITIVE);
        }
        sums
    }

    /// The second derivatives times a direction.
    fn curvature_along(&self, direction: &[f64], probabilities: &mut [f64]) -> Vec<f64> {
        let width = self.penalties.len();
        let stride = width + 1;
        let mut sums = self.sum_rows(
            probabilities,
            direction.len(),
            |row, (_, weight), probabilities, sums| {
                let along = |line: &[f64]| line[width] + dot(row, &line[..width]);
                let lines = || direction.chunks_exact(stride).map(along);
                // One line has the other class at 0 beside it.
                let mean: f64 = probabilities
                    .iter()
                    .zip(lines())
                    .map(|(p, along)| p * along)
                    .sum();
                for ((probability, along), sums) in probabilities
                    .iter()
                    .zip(lines())
                    .zip(sums.chunks_exact_mut(stride))
                {
                    add_scaled(sums, weight * probability * (along - mean), row);
                }
            },
        );
        for (sums, line) in sums
            .chunks_exact_mut(stride)
            .zip(direction.chunks_exact(stride))
        {
            for ((sum, slope), penalty) in sums.iter_mut().zip(line).zip(&self.penalties) {
                *sum += penalty * slope;
            }
        }
        sums
    }

    /// Means over all rows of what `add` adds for one: it gets the row, its class and weight, its
    /// probabilities, which it may replace, and the sums.
    fn sum_rows(
        &self,
        probabilities: &mut [f64],
        n_sums: usize,
        add: impl Fn(&[f64], (u32, f64), &mut [f64], &mut [f64]) + Sync,
    ) -> Vec<f64> {
        let width = self.penalties.len();
        let blocks: Vec<Vec<f64>> = self
            .rows
            .par_chunks(ROWS_PER_BLOCK * width)
            .zip(self.targets.par_chunks(ROWS_PER_BLOCK))
            .zip(self.weights.par_chunks(ROWS_PER_BLOCK))
            .zip(probabilities.par_chunks_mut(ROWS_PER_BLOCK * self.n_lines))
            .map(|(((rows, targets), weights), probabilities)| {
                let mut sums = vec![0.0; n_sums];
                for ((row, (target, weight)), probabilities) in rows
                    .chunks_exact(width)
                    .zip(targets.iter().zip(weights))
                    .zip(probabilities.chunks_exact_mut(self.n_lines))
                {
                    add(row, (*target, *weight), probabilities, &mut sums);
                }
                sums
            })
            .collect();
        let total = |at: usize| blocks.iter().map(|sums| sums[at]).sum::<f64>() / self.total_weight;
        (0..n_sums).map(total).collect()
    }
}

/// The log loss of a row; turns its scores into probabilities.
fn loss_of_row(scores: &mut [f64], target: u32) -> f64 {
    if let [score] = scores {
        let against = if target == 1 { -*score } else { *score };
        *score = sigmoid(*score);
        return against.max(0.0) + (-against.abs()).exp().ln_1p();
    }
    let greatest = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let total: f64 = scores.iter().map(|score| (score - greatest).exp()).sum();
    let loss = greatest - scores[target as usize] + total.ln();
    soft_max(scores);
    loss
}

/// Adds a row to the sums of a line, and the factor to that of its intercept.
fn add_scaled(sums: &mut [f64], factor: f64, row: &[f64]) {
    for (sum, value) in sums.iter_mut().zip(row) {
        *sum += factor * value;
    }
    sums[row.len()] += factor;
}

fn norm(values: &[f64]) -> f64 {
    dot(values, values).sqrt()
}

fn greatest(values: &[f64]) -> f64 {
    values.iter().fold(0.0, |a, b| a.max(b.abs()))
}

//! Least squares over many rows and few features.
//!
//! The centred rows, with the centred target as last column, are turned into a triangle `R` by
//! Householder reflections, a block of rows at a time. `R` has the same least-squares solutions and
//! the same singular values as all the rows.

use linfa::traits::Fit;
use ndarray::{Array1, Array2};
use rayon::prelude::*;

use crate::error::MlError;

/// Rows that are reduced to one triangle on their own. A constant, so that the result does not
/// depend on the number of threads.
const ROWS_PER_STRIPE: usize = 32 * 1024;
/// Rows reflected at once: with ten features they fit the nearest cache.
const ROWS_PER_BLOCK: usize = 256;

pub(super) struct Solution {
    pub(super) coefficients: Vec<f64>,
    pub(super) intercept: f64,
    pub(super) rank: usize,
}

/// Solves for the coefficients that make the sum of squared residuals, plus `penalty` times the sum
/// of squared coefficients, as small as can be.
pub(super) fn solve(
    cells: &[f64],
    targets: &Array1<f64>,
    n_features: usize,
    penalty: f64,
) -> Result<Solution, MlError> {
    let Reduced {
        means,
        mut triangle,
    } = reduce(cells, targets, n_features)?;
    if penalty > 0.0 {
        triangle.absorb_penalty(penalty);
    }
    let (matrix, right_side) = triangle.system();
    let limit = f64::EPSILON * targets.len().max(n_features).max(64) as f64;
    let (coefficients, rank) = solve_triangle(matrix, right_side, limit)?;
    let offset: f64 = coefficients
        .iter()
        .zip(&means)
        .map(|(slope, mean)| slope * mean)
        .sum();
    let intercept = means[n_features] - offset;
    if !intercept.is_finite() || coefficients.iter().any(|slope| !slope.is_finite()) {
        return Err(MlError::FitOverflow);
    }
    Ok(Solution {
        coefficients,
        intercept,
        rank,
    })
}

/// All rows as one triangle.
pub(super) struct Reduced {
    /// The mean of each feature, and of the target behind them.
    pub(super) means: Vec<f64>,
    pub(super) triangle: Triangle,
}

/// Reduces the centred rows, with the centred target as last column, to a triangle.
pub(super) fn reduce(
    cells: &[f64],
    targets: &Array1<f64>,
    n_features: usize,
) -> Result<Reduced, MlError> {
    let targets = targets.as_standard_layout();
    let targets = targets.as_slice().expect("a standard layout is contiguous");
    let rows = Rows {
        cells,
        targets,
        n_features,
    };
    let means = rows.means();
    let mut stripes = (0..targets.len().div_ceil(ROWS_PER_STRIPE))
        .into_par_iter()
        .map(|stripe| rows.triangle_of_stripe(stripe, &means))
        .collect::<Vec<_>>()
        .into_iter();
    let mut triangle = stripes.next().expect("there is at least one row");
    for mut other in stripes {
        let size = n_features + 1;
        triangle.absorb(&mut other.columns, size, size);
    }
    if !triangle.columns.iter().all(|value| value.is_finite()) {
        return Err(MlError::FitOverflow);
    }
    Ok(Reduced { means, triangle })
}

/// Solves the triangular system, by singular values if some of them may be as good as zero.
fn solve_triangle(
    matrix: Array2<f64>,
    right_side: Array1<f64>,
    limit: f64,
) -> Result<(Vec<f64>, usize), MlError> {
    if !has_full_rank(&matrix, limit) {
        return Ok(solve_smallest(&matrix, &right_side, limit));
    }
    let n_features = matrix.ncols();
    let problem = linfa::DatasetBase::new(matrix, right_side);
    let model = linfa_linear::LinearRegression::new()
        .with_intercept(false)
        .fit(&problem)
        .map_err(|error| MlError::FitFailed {
            source: error.to_string().into(),
        })?;
    Ok((model.params().to_vec(), n_features))
}

/// Whether the smallest singular value of a triangle is certainly above `limit` times the largest:
/// it is at least one over the norm of the inverse, which costs far less than singular values do.
fn has_full_rank(matrix: &Array2<f64>, limit: f64) -> bool {
    let size = matrix.ncols();
    let norm = matrix.iter().map(|value| value * value).sum::<f64>().sqrt();
    let mut inverse_squares = 0.0;
    let mut column = vec![0.0; size];
    for unit in 0..size {
        for row in (0..=unit).rev() {
            let known: f64 = (row + 1..=unit).map(|k| matrix[[row, k]] * column[k]).sum();
            let right_side = if row == unit { 1.0 } else { 0.0 };
            column[row] = (right_side - known) / matrix[[row, row]];
        }
        inverse_squares += column[..=unit]
            .iter()
            .map(|value| value * value)
            .sum::<f64>();
    }
    // A zero on the diagonal makes this infinite or NaN, and the answer no.
    norm * inverse_squares.sqrt() * limit < 1.0
}

/// The smallest of all solutions that fit best, and the rank.
///
/// Pairs of columns are rotated until all are orthogonal (one-sided Jacobi); their lengths are then
/// the singular values. The bidiagonal method of linfa-linalg 0.2.1 is faster, but was seen to lose
/// all but three digits on matrices of short rank.
fn solve_smallest(matrix: &Array2<f64>, right_side: &Array1<f64>, limit: f64) -> (Vec<f64>, usize) {
    const MAX_SWEEPS: usize = 60;
    let size = matrix.ncols();
    let largest = matrix.iter().fold(0.0, |a: f64, b| a.max(b.abs()));
    if largest == 0.0 {
        return (vec![0.0; size], 0);
    }
    // Scaled, so that squares of very small or large values stay numbers.
    let column = |column: usize| {
        matrix
            .column(column)
            .iter()
            .map(|value| value / largest)
            .collect()
    };
    let mut columns: Vec<Vec<f64>> = (0..size).map(column).collect();
    let unit = |unit: usize| {
        (0..size)
            .map(|row| f64::from(u8::from(row == unit)))
            .collect()
    };
    let mut rotations: Vec<Vec<f64>> = (0..size).map(unit).collect();
    for _ in 0..MAX_SWEEPS {
        let mut is_done = true;
        for first in 0..size {
            for second in first + 1..size {
                let (a, b) = (&columns[first], &columns[second]);
                let (aa, bb, ab) = (dot(a, a), dot(b, b), dot(a, b));
                if ab.abs() <= f64::EPSILON * (aa * bb).sqrt() {
                    continue;
                }
                is_done = false;
                let zeta = (bb - aa) / (2.0 * ab);
                let tangent = zeta.signum() / (zeta.abs() + zeta.hypot(1.0));
                let cosine = 1.0 / tangent.hypot(1.0);
                rotate(&mut columns, first, second, cosine, cosine * tangent);
                rotate(&mut rotations, first, second, cosine, cosine * tangent);
            }
        }
        if is_done {
            break;
        }
    }
    let singular_values: Vec<f64> = columns
        .iter()
        .map(|column| dot(column, column).sqrt())
        .collect();
    let greatest = singular_values.iter().fold(0.0, |a: f64, b| a.max(*b));
    let right_side = right_side.to_vec();
    let mut solution = vec![0.0; size];
    let mut rank = 0;
    for ((column, rotation), value) in columns.iter().zip(&rotations).zip(&singular_values) {
        if *value > limit * greatest {
            rank += 1;
            let length = dot(column, &right_side) / value / value;
            for (slope, direction) in solution.iter_mut().zip(rotation) {
                *slope += length * direction;
            }
        }
    }
    solution.iter_mut().for_each(|slope| *slope /= largest);
    (solution, rank)
}

fn rotate(columns: &mut [Vec<f64>], first: usize, second: usize, cosine: f64, sine: f64) {
    let (head, tail) = columns.split_at_mut(second);
    for (a, b) in head[first].iter_mut().zip(&mut tail[0]) {
        (*a, *b) = (cosine * *a - sine * *b, sine * *a + cosine * *b);
    }
}

struct Rows<'a> {
    cells: &'a [f64],
    targets: &'a [f64],
    n_features: usize,
}

impl Rows<'_> {
    /// The mean of each feature, and of the target behind them.
    ///
    /// Sums are of differences from the first row: a constant column then has exactly its value as
    /// mean and is exactly zero once centred, and large offsets cost no digits.
    fn means(&self) -> Vec<f64> {
        let width = self.n_features;
        let first = &self.cells[..width];
        let stripes: Vec<Vec<f64>> = self
            .cells
            .par_chunks(ROWS_PER_STRIPE * width)
            .zip(self.targets.par_chunks(ROWS_PER_STRIPE))
            .map(|(cells, targets)| {
                let mut sums = vec![0.0; width + 1];
                for (row, target) in cells.chunks_exact(width).zip(targets) {
                    for ((sum, value), first) in sums.iter_mut().zip(row).zip(first) {
                        *sum += value - first;
                    }
                    sums[width] += target - self.targets[0];
                }
                sums
            })
            .collect();
        let n_rows = self.targets.len() as f64;
        (0..=width)
            .map(|column| {
                let first = if column < width {
                    first[column]
                } else {
                    self.targets[0]
                };
                first + stripes.iter().map(|sums| sums[column]).sum::<f64>() / n_rows
            })
            .collect()
    }

    fn triangle_of_stripe(&self, stripe: usize, means: &[f64]) -> Triangle {
        let (width, size) = (self.n_features, self.n_features + 1);
        let first = stripe * ROWS_PER_STRIPE;
        let last = self.targets.len().min(first + ROWS_PER_STRIPE);
        let mut triangle = Triangle {
            columns: vec![0.0; size * size],
            size,
        };
        let block_rows = ROWS_PER_BLOCK.max(size);
        let mut block = vec![0.0; block_rows * size];
        for from in (first..last).step_by(block_rows) {
            let n_rows = block_rows.min(last - from);
            let cells = &self.cells[from * width..(from + n_rows) * width];
            for (row, cells) in cells.chunks_exact(width).enumerate() {
                for (column, value) in cells.iter().enumerate() {
                    block[column * block_rows + row] = value - means[column];
                }
            }
            for (row, target) in self.targets[from..from + n_rows].iter().enumerate() {
                block[width * block_rows + row] = target - means[width];
            }
            triangle.absorb(&mut block, block_rows, n_rows);
        }
        triangle
    }
}

/// An upper triangle, column after column; below the diagonal is zero.
pub(super) struct Triangle {
    columns: Vec<f64>,
    size: usize,
}

impl Triangle {
    /// A column down to its diagonal; the last one is the target.
    pub(super) fn column(&self, column: usize) -> &[f64] {
        &self.columns[column * self.size..][..=column]
    }

    /// Adds one row per feature that has the root of the penalty in its place, and target 0.
    fn absorb_penalty(&mut self, penalty: f64) {
        let (size, n_features) = (self.size, self.size - 1);
        let mut rows = vec![0.0; size * n_features];
        for feature in 0..n_features {
            rows[feature * n_features + feature] = penalty.sqrt();
        }
        self.absorb(&mut rows, n_features, n_features);
    }

    /// Reflects `n_rows` rows, given as columns `stride` apart, into the triangle. They are
    /// overwritten.
    fn absorb(&mut self, block: &mut [f64], stride: usize, n_rows: usize) {
        let size = self.size;
        for pivot in 0..size {
            let (head, tail) = block.split_at_mut((pivot + 1) * stride);
            let column = &mut head[pivot * stride..][..n_rows];
            let below = dot(column, column);
            if below == 0.0 {
                continue;
            }
            let diagonal = self.columns[pivot * size + pivot];
            let length = (diagonal * diagonal + below).sqrt();
            let reflected = if diagonal > 0.0 { -length } else { length };
            let scale = 1.0 / (diagonal - reflected);
            let factor = (reflected - diagonal) / reflected;
            column.iter_mut().for_each(|value| *value *= scale);
            self.columns[pivot * size + pivot] = reflected;
            for (offset, other) in tail.chunks_mut(stride).enumerate() {
                let top = &mut self.columns[(pivot + 1 + offset) * size + pivot];
                let other = &mut other[..n_rows];
                let amount = factor * (*top + dot(column, other));
                *top -= amount;
                for (value, direction) in other.iter_mut().zip(&*column) {
                    *value -= amount * direction;
                }
            }
        }
    }

    /// The triangle of the features, and the part of the target that they can explain.
    fn system(&self) -> (Array2<f64>, Array1<f64>) {
        let n_features = self.size - 1;
        let matrix = Array2::from_shape_fn((n_features, n_features), |(row, column)| {
            if row <= column {
                self.columns[column * self.size + row]
            } else {
                0.0
            }
        });
        let last_column = &self.columns[n_features * self.size..];
        (matrix, last_column[..n_features].to_vec().into())
    }
}

/// The sum of products in eight lanes, which the compiler can put into vector registers.
pub(super) fn dot(a: &[f64], b: &[f64]) -> f64 {
    const LANES: usize = 8;
    let mut sums = [0.0; LANES];
    let (a_lanes, b_lanes) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    let rest: f64 = a_lanes
        .remainder()
        .iter()
        .zip(b_lanes.remainder())
        .map(|(x, y)| x * y)
        .sum();
    for (x, y) in a_lanes.zip(b_lanes) {
        for lane in 0..LANES {
            sums[lane] += x[lane] * y[lane];
        }
    }
    sums.iter().sum::<f64>() + rest
}

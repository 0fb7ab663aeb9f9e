//! Rows to start from.

use orch_core::Rng;
use rayon::prelude::*;

use crate::clustering::squared_distance;

/// Rows whose distances are taken in one go.
const ROWS_PER_BLOCK: usize = 4 * 1024;

/// Draws rows far from each other as centroids: each by its squared distance from the nearest one so
/// far, and of a few drawn so the one that leaves the least distances.
pub(super) fn plus_plus(cells: &[f64], width: usize, n_clusters: usize, rng: &mut Rng) -> Vec<f64> {
    let n_rows = cells.len() / width;
    let n_trials = 2 + (n_clusters as f64).ln() as usize;
    let row = |row_idx: usize| &cells[row_idx * width..][..width];

    let mut centroids = row(rng.below(n_rows as u64) as usize).to_vec();
    let (mut distances, mut total) = distances_with(cells, &centroids, None);
    while centroids.len() < n_clusters * width {
        let trials = (0..n_trials).map(|_| {
            let drawn = draw(&distances, total, rng);
            let (distances, total) = distances_with(cells, row(drawn), Some(&distances));
            (drawn, distances, total)
        });
        let best = trials.reduce(|best, trial| if trial.2 < best.2 { trial } else { best });
        let (drawn, next, next_total) = best.expect("there are at least two trials");
        centroids.extend_from_slice(row(drawn));
        (distances, total) = (next, next_total);
    }
    centroids
}

/// The squared distance of each row from the centroid, or the one before if it was less, and their
/// sum.
fn distances_with(cells: &[f64], centroid: &[f64], before: Option<&[f64]>) -> (Vec<f64>, f64) {
    let width = centroid.len();
    let mut distances = match before {
        Some(before) => before.to_vec(),
        None => vec![f64::INFINITY; cells.len() / width],
    };
    let sums: Vec<f64> = cells
        .par_chunks(ROWS_PER_BLOCK * width)
        .zip(distances.par_chunks_mut(ROWS_PER_BLOCK))
        .map(|(cells, distances)| {
            let mut sum = 0.0;
            for (row, distance) in cells.chunks_exact(width).zip(distances) {
                *distance = distance.min(squared_distance(row, centroid));
                sum += *distance;
            }
            sum
        })
        .collect();
    let total = sums.iter().sum();
    (distances, total)
}

/// Draws a row by its share of the distances; any row if all are 0.
fn draw(distances: &[f64], total: f64, rng: &mut Rng) -> usize {
    if total == 0.0 {
        return rng.below(distances.len() as u64) as usize;
    }
    let mut left = rng.next_f64() * total;
    for (row_idx, distance) in distances.iter().enumerate() {
        left -= distance;
        if left < 0.0 {
            return row_idx;
        }
    }
    // Rounding can leave a little at the end.
    let last = distances.iter().rposition(|distance| *distance > 0.0);
    last.expect("distances add up to more than 0")
}

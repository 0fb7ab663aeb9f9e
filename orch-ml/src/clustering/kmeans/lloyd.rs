//! One run from its start to its end.

use rayon::prelude::*;

use crate::clustering::squared_distance;

/// Rows assigned and summed up on their own. A constant, so that the result does not depend on the
/// number of threads.
const ROWS_PER_BLOCK: usize = 4 * 1024;

/// The nearest centroid, the first if several are, and the square of its distance.
pub(super) fn nearest(row: &[f64], centroids: &[f64]) -> (usize, f64) {
    let mut best = (0, f64::INFINITY);
    for (cluster, centroid) in centroids.chunks_exact(row.len()).enumerate() {
        let distance = squared_distance(row, centroid);
        if distance < best.1 {
            best = (cluster, distance);
        }
    }
    best
}

/// A run: rows, and the centroids and labels as they are so far.
pub(super) struct Run<'a> {
    cells: &'a [f64],
    width: usize,
    pub(super) centroids: Vec<f64>,
    pub(super) labels: Vec<u32>,
    /// The square of each row's distance from its centroid.
    distances: Vec<f64>,
    pub(super) inertia: f64,
    pub(super) n_iter: usize,
    pub(super) is_converged: bool,
}

impl<'a> Run<'a> {
    pub(super) fn new(cells: &'a [f64], width: usize, centroids: Vec<f64>) -> Self {
        let n_rows = cells.len() / width;
        Self {
            cells,
            width,
            centroids,
            // No cluster has this number, so that the first round changes every label.
            labels: vec![u32::MAX; n_rows],
            distances: vec![0.0; n_rows],
            inertia: f64::INFINITY,
            n_iter: 0,
            is_converged: false,
        }
    }

    /// Goes on until no label changes, centroids move by at most this (the sum of squares), or so
    /// many rounds are done.
    pub(super) fn finish(mut self, max_iter: usize, max_move: f64) -> Self {
        for _ in 0..max_iter {
            let has_changed = self.assign();
            self.n_iter += 1;
            if !has_changed {
                // The centroids are the means of these very rows.
                self.is_converged = true;
                return self;
            }
            if self.move_centroids() <= max_move {
                self.is_converged = true;
                break;
            }
        }
        self.assign();
        self
    }

    /// Gives each row the nearest centroid. Returns whether any label changed.
    fn assign(&mut self) -> bool {
        let blocks: Vec<(bool, f64)> = self
            .cells
            .par_chunks(ROWS_PER_BLOCK * self.width)
            .zip(self.labels.par_chunks_mut(ROWS_PER_BLOCK))
            .zip(self.distances.par_chunks_mut(ROWS_PER_BLOCK))
            .map(|((cells, labels), distances)| {
                let (mut has_changed, mut inertia) = (false, 0.0);
                for ((row, label), distance) in
                    cells.chunks_exact(self.width).zip(labels).zip(distances)
                {
                    let (cluster, squared) = nearest(row, &self.centroids);
                    has_changed |= *label != cluster as u32;
                    *label = cluster as u32;
                    *distance = squared;
                    inertia += squared;
                }
                (has_changed, inertia)
            })
            .collect();
        self.inertia = blocks.iter().map(|(_, inertia)| inertia).sum();
        blocks.iter().any(|(has_changed, _)| *has_changed)
    }

    /// Moves each centroid to the mean of its rows. Returns the sum of the squared moves.
    fn move_centroids(&mut self) -> f64 {
        let width = self.width;
        let n_clusters = self.centroids.len() / width;
        let blocks: Vec<(Vec<f64>, Vec<usize>)> = self
            .cells
            .par_chunks(ROWS_PER_BLOCK * width)
            .zip(self.labels.par_chunks(ROWS_PER_BLOCK))
            .map(|(cells, labels)| {
                let mut sums = vec![0.0; n_clusters * width];
                let mut sizes = vec![0; n_clusters];
                for (row, label) in cells.chunks_exact(width).zip(labels) {
                    let cluster = *label as usize;
                    sizes[cluster] += 1;
                    for (sum, value) in sums[cluster * width..].iter_mut().zip(row) {
                        *sum += value;
                    }
                }
                (sums, sizes)
            })
            .collect();
        let (mut sums, mut sizes) = (vec![0.0; n_clusters * width], vec![0; n_clusters]);
        for (block_sums, block_sizes) in blocks {
            sums.iter_mut()
                .zip(block_sums)
                .for_each(|(sum, part)| *sum += part);
            sizes
                .iter_mut()
                .zip(block_sizes)
                .for_each(|(size, part)| *size += part);
        }
        self.fill_empty(&mut sums, &mut sizes);

        let mut moved = 0.0;
        for (cluster, size) in sizes.into_iter().enumerate() {
            if size == 0 {
                continue;
            }
            let centroid = &mut self.centroids[cluster * width..][..width];
            for (value, sum) in centroid.iter_mut().zip(&sums[cluster * width..]) {
                let mean = sum / size as f64;
                moved += (mean - *value) * (mean - *value);
                *value = mean;
            }
        }
        moved
    }

    /// Gives each cluster without rows the row farthest from its own centroid, the next farthest
    /// for the next; the label follows in the next round.
    fn fill_empty(&self, sums: &mut [f64], sizes: &mut [usize]) {
        let empty: Vec<usize> = (0..sizes.len())
            .filter(|cluster| sizes[*cluster] == 0)
            .collect();
        if empty.is_empty() {
            return;
        }
        let mut rows: Vec<usize> = (0..self.labels.len()).collect();
        rows.sort_by(|a, b| self.distances[*b].total_cmp(&self.distances[*a]));
        let mut rows = rows.into_iter();
        for cluster in empty {
            // A row on its centroid stays there, and one that is alone in its cluster.
            let may_leave = |row_idx: &usize| {
                self.distances[*row_idx] > 0.0 && sizes[self.labels[*row_idx] as usize] > 1
            };
            let Some(row_idx) = rows.find(may_leave) else {
                return;
            };
            let from = self.labels[row_idx] as usize;
            let row = &self.cells[row_idx * self.width..][..self.width];
            for (at, value) in row.iter().enumerate() {
                sums[from * self.width + at] -= value;
                sums[cluster * self.width + at] = *value;
            }
            sizes[from] -= 1;
            sizes[cluster] = 1;
        }
    }
}

//! Clusters by density.

use std::ops::{ControlFlow, Range};

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::dataset::{Records, check_not_empty};
use crate::error::MlError;
use crate::options::{check_count, check_positive};

/// Distances taken in one go: few enough that often all of them are too large long before the last
/// feature.
const DISTANCES_AT_ONCE: usize = 32;

/// Features between looks at whether any of the distances is still small enough.
const FEATURES_AT_ONCE: usize = 4;

/// Rows whose neighbours are listed before their clusters are joined, which bounds the memory.
const ROWS_PER_BATCH: usize = 4 * 1024;

/// How to find clusters by density; defaults as `DBSCAN` of scikit-learn.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct DbscanOptions {
    /// Rows up to this Euclidean distance are neighbours, above 0. Default: 0.5.
    pub eps: f64,
    /// Neighbours of a row, itself included, that make it the core of a cluster, at least 1.
    /// Default: 5.
    pub min_samples: usize,
}

impl Default for DbscanOptions {
    fn default() -> Self {
        Self {
            eps: 0.5,
            min_samples: 5,
        }
    }
}

/// Clusters found by density. They say nothing about rows that were not there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DbscanClusters {
    labels: Vec<Option<u32>>,
    core_rows: Vec<usize>,
    n_clusters: usize,
}

impl DbscanClusters {
    /// The cluster of each row, or `None` for noise.
    pub fn labels(&self) -> &[Option<u32>] {
        &self.labels
    }

    /// The rows that have neighbours enough to be cores, ascending.
    pub fn core_rows(&self) -> &[usize] {
        &self.core_rows
    }

    /// Number of clusters.
    pub fn n_clusters(&self) -> usize {
        self.n_clusters
    }

    /// Number of rows that are in no cluster.
    pub fn n_noise(&self) -> usize {
        self.labels.iter().filter(|label| label.is_none()).count()
    }
}

/// Finds clusters by density: rows with enough neighbours are cores, cores that are neighbours are
/// in one cluster, and so are their other neighbours. The rest is noise.
///
/// Scale the features first: distances know no units. Clusters are numbered by their first core row;
/// a row between two clusters is in the first of them. Time grows with the square of the rows that
/// are within `eps` in the feature of widest range; memory does not.
///
/// # Shapes
/// records `[n_rows, n_features]`, at least one of each
///
/// # Errors
/// [`MlError::InvalidOption`]; [`MlError::NoRows`], [`MlError::NoFeatures`]; [`MlError::NotFinite`]
/// with row and column.
///
/// # Source
/// Ester and others, 1996; labels as `DBSCAN` of scikit-learn 1.9.
///
/// # Examples
/// ```
/// use orch_ml::{DbscanOptions, Records, fit_dbscan, ndarray::array};
///
/// let records = Records::new(array![[1.0], [1.2], [5.0], [9.0], [9.1]], ["size"])?;
/// let clusters = fit_dbscan(&records, &DbscanOptions { eps: 0.5, min_samples: 2 })?;
/// assert_eq!(clusters.labels(), [Some(0), Some(0), None, Some(1), Some(1)]);
/// # Ok::<(), orch_ml::MlError>(())
/// ```
pub fn fit_dbscan(records: &Records, options: &DbscanOptions) -> Result<DbscanClusters, MlError> {
    check_positive("eps", options.eps)?;
    check_count("min_samples", options.min_samples)?;
    check_not_empty(records)?;
    records.check_finite()?;

    let rows = SortedRows::new(records, options.eps);
    let n_rows = records.n_rows();
    let is_core: Vec<bool> = (0..n_rows)
        .into_par_iter()
        .map(|row_idx| rows.has_neighbours(row_idx, options.min_samples))
        .collect();
    let core_rows: Vec<usize> = (0..n_rows).filter(|row_idx| is_core[*row_idx]).collect();

    let mut joined = Joined((0..n_rows).collect());
    for batch in core_rows.chunks(ROWS_PER_BATCH) {
        let cores_before =
            |row_idx: &usize| rows.neighbours_before(*row_idx, |other| is_core[other]);
        let lists: Vec<Vec<usize>> = batch.par_iter().map(cores_before).collect();
        for (row_idx, others) in batch.iter().zip(lists) {
            others
                .into_iter()
                .for_each(|other| joined.join(*row_idx, other));
        }
    }
    let mut labels = vec![None; n_rows];
    let mut n_clusters = 0;
    for row_idx in &core_rows {
        // The first of all rows joined is its own representative, and comes first.
        let first = joined.first(*row_idx);
        if first == *row_idx {
            labels[first] = Some(n_clusters);
            n_clusters += 1;
        } else {
            labels[*row_idx] = labels[first];
        }
    }
    let of_others: Vec<Option<u32>> = (0..n_rows)
        .into_par_iter()
        .map(|row_idx| {
            if is_core[row_idx] {
                return labels[row_idx];
            }
            let cores = rows.neighbours(row_idx, |other| is_core[other]);
            cores.into_iter().filter_map(|core| labels[core]).min()
        })
        .collect();
    Ok(DbscanClusters {
        labels: of_others,
        core_rows,
        n_clusters: n_clusters as usize,
    })
}

/// Rows in the order of the feature of widest range: neighbours are close to each other in it.
struct SortedRows<'a> {
    records: &'a Records,
    eps: f64,
    /// The rows in that order.
    order: Vec<usize>,
    /// The place of each row in that order.
    places: Vec<usize>,
    /// Their values, feature after feature: distances to many rows are then taken side by side.
    /// Behind the last row there are infinite ones, enough for a full set of distances.
    columns: Vec<Vec<f64>>,
    widest: usize,
}

impl<'a> SortedRows<'a> {
    fn new(records: &'a Records, eps: f64) -> Self {
        let width = records.n_features();
        let range = |feature: usize| {
            let values = || records.cells()[feature..].iter().step_by(width);
            let greatest = values().copied().fold(f64::NEG_INFINITY, f64::max);
            greatest - values().copied().fold(f64::INFINITY, f64::min)
        };
        let widest = (0..width)
            .max_by(|a, b| range(*a).total_cmp(&range(*b)))
            .expect("there is at least one feature");
        let cell = |row_idx: usize, feature: usize| records.cells()[row_idx * width + feature];
        let mut order: Vec<usize> = (0..records.n_rows()).collect();
        order.sort_by(|a, b| cell(*a, widest).total_cmp(&cell(*b, widest)));
        let mut places = vec![0; order.len()];
        for (place, row_idx) in order.iter().enumerate() {
            places[*row_idx] = place;
        }
        let column = |feature| {
            let behind = std::iter::repeat_n(f64::INFINITY, DISTANCES_AT_ONCE);
            let values = order.iter().map(|row_idx| cell(*row_idx, feature));
            values.chain(behind).collect()
        };
        Self {
            columns: (0..width).map(column).collect(),
            records,
            eps,
            order,
            places,
            widest,
        }
    }

    /// Whether there are at least so many rows within `eps`, the row itself included.
    fn has_neighbours(&self, row_idx: usize, n_needed: usize) -> bool {
        let (place, near) = (self.places[row_idx], self.places_near(row_idx));
        let mut n_found = 0;
        let mut count = |_| {
            n_found += 1;
            match n_found >= n_needed {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            }
        };
        // From the row itself on, as its neighbours are the more likely the closer they are.
        self.visit(row_idx, place..near.end, &mut count).is_break()
            || self
                .visit(row_idx, near.start..place, &mut count)
                .is_break()
    }

    /// The rows within `eps` of a row for which `is_wanted`, the row itself included.
    fn neighbours(&self, row_idx: usize, is_wanted: impl Fn(usize) -> bool) -> Vec<usize> {
        self.wanted(row_idx, self.places_near(row_idx), is_wanted)
    }

    /// Those of them that come before it in the order, so that of two rows one has the other.
    fn neighbours_before(&self, row_idx: usize, is_wanted: impl Fn(usize) -> bool) -> Vec<usize> {
        let before = self.places_near(row_idx).start..self.places[row_idx];
        self.wanted(row_idx, before, is_wanted)
    }

    fn wanted(
        &self,
        row_idx: usize,
        places: Range<usize>,
        is_wanted: impl Fn(usize) -> bool,
    ) -> Vec<usize> {
        let mut neighbours = Vec::new();
        let all = self.visit(row_idx, places, &mut |other| {
            if is_wanted(other) {
                neighbours.push(other);
            }
            ControlFlow::Continue(())
        });
        debug_assert!(all.is_continue(), "every row was visited");
        neighbours
    }

    /// The places of the rows that are near enough by the feature of widest range.
    fn places_near(&self, row_idx: usize) -> Range<usize> {
        let key = self.row(row_idx)[self.widest];
        let keys = &self.columns[self.widest][..self.order.len()];
        // Differences, as they are rounded like those that make up the distances.
        let from = keys.partition_point(|other| key - *other > self.eps);
        let to = keys.partition_point(|other| *other - key <= self.eps);
        from..to
    }

    fn row(&self, row_idx: usize) -> &[f64] {
        let width = self.columns.len();
        &self.records.cells()[row_idx * width..][..width]
    }

    /// Visits the rows within `eps` of a row at some places, until told to stop.
    fn visit(
        &self,
        row_idx: usize,
        places: Range<usize>,
        visit: &mut impl FnMut(usize) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let row = self.row(row_idx);
        let limit = self.eps * self.eps;
        for first in places.clone().step_by(DISTANCES_AT_ONCE) {
            let at_once = first..places.end.min(first + DISTANCES_AT_ONCE);
            let mut distances = [0.0; DISTANCES_AT_ONCE];
            let features = row.chunks(FEATURES_AT_ONCE);
            for (values, columns) in features.zip(self.columns.chunks(FEATURES_AT_ONCE)) {
                for (value, column) in values.iter().zip(columns) {
                    // Of known length, so that it becomes vector instructions.
                    let others: &[f64; DISTANCES_AT_ONCE] = column[first..]
                        .first_chunk()
                        .expect("columns go on behind the last row");
                    for (distance, other) in distances.iter_mut().zip(others) {
                        *distance += (value - other) * (value - other);
                    }
                }
                if distances.iter().all(|distance| *distance > limit) {
                    break;
                }
            }
            for (other, distance) in self.order[at_once].iter().zip(distances) {
                if distance <= limit {
                    visit(*other)?;
                }
            }
        }
        ControlFlow::Continue(())
    }
}

/// Rows joined into clusters: each leads to an earlier row of its cluster, the first to itself.
struct Joined(Vec<usize>);

impl Joined {
    fn first(&mut self, mut row_idx: usize) -> usize {
        while self.0[row_idx] != row_idx {
            // Halves the way for the next one.
            self.0[row_idx] = self.0[self.0[row_idx]];
            row_idx = self.0[row_idx];
        }
        row_idx
    }

    fn join(&mut self, a: usize, b: usize) {
        let (a, b) = (self.first(a), self.first(b));
        self.0[a.max(b)] = a.min(b);
    }
}

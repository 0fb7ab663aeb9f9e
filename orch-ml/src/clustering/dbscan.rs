//! Clusters by density.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::squared_distance;
use crate::dataset::{Records, check_not_empty};
use crate::error::MlError;
use crate::options::{check_count, check_positive};

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
        .map(|row_idx| {
            rows.neighbours(row_idx)
                .nth(options.min_samples - 1)
                .is_some()
        })
        .collect();
    let core_rows: Vec<usize> = (0..n_rows).filter(|row_idx| is_core[*row_idx]).collect();

    let mut joined = Joined((0..n_rows).collect());
    for batch in core_rows.chunks(ROWS_PER_BATCH) {
        let cores_before = |row_idx: &usize| -> Vec<usize> {
            let is_earlier_core = |other: &usize| *other < *row_idx && is_core[*other];
            rows.neighbours(*row_idx).filter(is_earlier_core).collect()
        };
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
            let cores = rows.neighbours(row_idx).filter(|other| is_core[*other]);
            cores.filter_map(|other| labels[other]).min()
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
    /// The values of that feature, ascending, and the rows they are of.
    keys: Vec<f64>,
    order: Vec<usize>,
    feature: usize,
}

impl<'a> SortedRows<'a> {
    fn new(records: &'a Records, eps: f64) -> Self {
        let width = records.n_features();
        let range = |feature: usize| {
            let values = || records.cells()[feature..].iter().step_by(width);
            let greatest = values().copied().fold(f64::NEG_INFINITY, f64::max);
            greatest - values().copied().fold(f64::INFINITY, f64::min)
        };
        let feature = (0..width)
            .max_by(|a, b| range(*a).total_cmp(&range(*b)))
            .expect("there is at least one feature");
        let key = |row_idx: usize| records.cells()[row_idx * width + feature];
        let mut order: Vec<usize> = (0..records.n_rows()).collect();
        order.sort_by(|a, b| key(*a).total_cmp(&key(*b)));
        Self {
            keys: order.iter().map(|row_idx| key(*row_idx)).collect(),
            records,
            eps,
            order,
            feature,
        }
    }

    fn row(&self, row_idx: usize) -> &[f64] {
        let width = self.records.n_features();
        &self.records.cells()[row_idx * width..][..width]
    }

    /// The rows within `eps`, the row itself included.
    fn neighbours(&self, row_idx: usize) -> impl Iterator<Item = usize> {
        let row = self.row(row_idx);
        let key = row[self.feature];
        // Differences, as they are rounded like those that make up the distances.
        let from = self.keys.partition_point(|other| key - *other > self.eps);
        let to = self.keys.partition_point(|other| *other - key <= self.eps);
        let limit = self.eps * self.eps;
        self.order[from..to]
            .iter()
            .copied()
            .filter(move |other| squared_distance(row, self.row(*other)) <= limit)
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

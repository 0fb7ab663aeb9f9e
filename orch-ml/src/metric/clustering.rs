//! How well clusters hold together, and how much two clusterings agree.

use std::collections::HashMap;

use ndarray::{ArrayView1, ArrayView2};
use rayon::prelude::*;

use super::checks::{RowWeights, check_codes, check_length, check_pair};
use crate::error::MlError;

fn check_values(values: ArrayView2<'_, f64>) -> Result<(), MlError> {
    match values.indexed_iter().find(|(_, value)| !value.is_finite()) {
        None => Ok(()),
        Some(((row_idx, column), value)) => Err(MlError::NotFinite {
            column: column.to_string(),
            row_idx,
            value: *value,
        }),
    }
}

fn squared_distance(a: ArrayView1<'_, f64>, b: ArrayView1<'_, f64>) -> f64 {
    let squared = |(a, b): (&f64, &f64)| (a - b) * (a - b);
    a.iter().zip(b.iter()).map(squared).sum()
}

/// The sum of the squared distances of the rows from the centers of their clusters.
///
/// # Shapes
/// values `[n_rows, n_features]`, clusters `[n_rows]`, centers `[n_clusters, n_features]`
///
/// # Errors
/// [`MlError::LengthMismatch`], [`MlError::NoRows`] and [`MlError::NotFinite`], which names columns
/// by their position; [`MlError::CodeOutOfRange`] for a cluster without a center;
/// [`MlError::InvalidOption`] for a weight below 0 or only zeros.
///
/// # Source
/// `inertia_` of `sklearn.cluster.KMeans`
pub fn inertia(
    values: ArrayView2<'_, f64>,
    clusters: &[u32],
    centers: ArrayView2<'_, f64>,
    weights: Option<&[f64]>,
) -> Result<f64, MlError> {
    check_length("the list of clusters", values.nrows(), clusters.len())?;
    check_pair(clusters.len(), values.nrows())?;
    check_length("each center", values.ncols(), centers.ncols())?;
    check_codes(clusters, centers.nrows())?;
    check_values(values)?;
    check_values(centers)?;
    let weights = RowWeights::new(weights, clusters.len())?;
    let distance = |(row_idx, cluster): (usize, &u32)| {
        let center = centers.row(*cluster as usize);
        weights.of(row_idx) * squared_distance(values.row(row_idx), center)
    };
    Ok(clusters.iter().enumerate().map(distance).sum())
}

/// For each row how much nearer it is to its own cluster than to the next one, between -1 and 1.
///
/// With `a` the mean distance to the other rows of its cluster and `b` the smallest mean distance
/// to the rows of another, it is `(b - a) / max(a, b)`; 0 for a row alone in its cluster, and where
/// `a` and `b` are 0. Distances are Euclidean. The time grows with the square of the rows.
///
/// # Shapes
/// values `[n_rows, n_features]`, clusters `[n_rows]`, returns `[n_rows]`
///
/// # Errors
/// [`MlError::LengthMismatch`], [`MlError::NoRows`] and [`MlError::NotFinite`], which names columns
/// by their position; [`MlError::InvalidOption`] unless there are at least 2 clusters and fewer
/// than rows.
///
/// # Source
/// `sklearn.metrics.silhouette_samples` with `metric="euclidean"`; Rousseeuw (1987)
pub fn silhouette_samples(
    values: ArrayView2<'_, f64>,
    clusters: &[u32],
) -> Result<Vec<f64>, MlError> {
    check_length("the list of clusters", values.nrows(), clusters.len())?;
    check_pair(clusters.len(), values.nrows())?;
    check_values(values)?;
    let (clusters, sizes) = numbered(clusters);
    if sizes.len() < 2 || sizes.len() >= clusters.len() {
        return Err(MlError::InvalidOption {
            name: "clusters",
            value: format!("{} for {} rows", sizes.len(), clusters.len()),
            expected: "at least 2 clusters and fewer than rows",
        });
    }
    let of_row = |row_idx: usize| {
        let mut distances = vec![0.0; sizes.len()];
        for (other, cluster) in clusters.iter().enumerate() {
            let squared = squared_distance(values.row(row_idx), values.row(other));
            distances[*cluster] += squared.sqrt();
        }
        let own = clusters[row_idx];
        if sizes[own] == 1 {
            return 0.0;
        }
        let inside = distances[own] / (sizes[own] - 1) as f64;
        let outside = (0..sizes.len())
            .filter(|cluster| *cluster != own)
            .map(|cluster| distances[cluster] / sizes[cluster] as f64)
            .fold(f64::INFINITY, f64::min);
        match inside.max(outside) {
            0.0 => 0.0,
            larger => (outside - inside) / larger,
        }
    };
    Ok((0..clusters.len()).into_par_iter().map(of_row).collect())
}

/// The mean of [`silhouette_samples`].
///
/// # Errors
/// As [`silhouette_samples`].
///
/// # Source
/// `sklearn.metrics.silhouette_score` with `metric="euclidean"`
pub fn silhouette_score(values: ArrayView2<'_, f64>, clusters: &[u32]) -> Result<f64, MlError> {
    let samples = silhouette_samples(values, clusters)?;
    Ok(samples.iter().sum::<f64>() / samples.len() as f64)
}

/// Agreement of two clusterings of the same rows, whatever the clusters are called: 1 is full, 0 is
/// what chance gives, and it may be less.
///
/// # Shapes
/// both `[n_rows]`
///
/// # Errors
/// [`MlError::LengthMismatch`] and [`MlError::NoRows`].
///
/// # Source
/// `sklearn.metrics.adjusted_rand_score`; Hubert and Arabie (1985)
pub fn adjusted_rand_index(targets: &[u32], clusters: &[u32]) -> Result<f64, MlError> {
    check_pair(targets.len(), clusters.len())?;
    let (targets, n_targets) = numbered(targets);
    let (clusters, n_clusters) = numbered(clusters);
    let mut together: HashMap<(usize, usize), usize> = HashMap::new();
    for pair in targets.iter().zip(&clusters) {
        *together.entry((*pair.0, *pair.1)).or_default() += 1;
    }
    // Whole numbers, which are exact in any order: the map has none.
    let squares = |counts: &mut dyn Iterator<Item = &usize>| -> i128 {
        counts
            .map(|count| (*count as i128) * (*count as i128))
            .sum()
    };
    let n_rows = targets.len() as i128;
    let both = squares(&mut together.values());
    let (in_targets, in_clusters) = (
        squares(&mut n_targets.iter()),
        squares(&mut n_clusters.iter()),
    );
    // Ordered pairs of rows that are together in both, in one only, in none.
    let (agreed, only_clusters, only_targets) =
        (both - n_rows, in_clusters - both, in_targets - both);
    let apart = n_rows * n_rows - in_targets - in_clusters + both;
    if only_clusters == 0 && only_targets == 0 {
        return Ok(1.0);
    }
    let float = |count: i128| count as f64;
    let above = float(agreed) * float(apart) - float(only_clusters) * float(only_targets);
    let below = float(agreed + only_targets) * float(only_targets + apart)
        + float(agreed + only_clusters) * float(only_clusters + apart);
    Ok(2.0 * above / below)
}

/// Numbers clusters from 0 in order of appearance, and counts the rows of each.
fn numbered(clusters: &[u32]) -> (Vec<usize>, Vec<usize>) {
    let mut known: HashMap<u32, usize> = HashMap::new();
    let mut sizes = Vec::new();
    let codes = clusters
        .iter()
        .map(|cluster| {
            let code = *known.entry(*cluster).or_insert(sizes.len());
            if code == sizes.len() {
                sizes.push(0);
            }
            sizes[code] += 1;
            code
        })
        .collect();
    (codes, sizes)
}

//! Groups of rows that are alike, found without targets.

mod dbscan;
mod kmeans;

pub use self::dbscan::{DbscanClusters, DbscanOptions, fit_dbscan};
pub use self::kmeans::{KMeansInit, KMeansModel, KMeansOptions, fit_kmeans};

/// The square of the distance between two rows.
fn squared_distance(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum()
}

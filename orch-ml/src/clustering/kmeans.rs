//! k-means.

mod lloyd;
mod starts;

use ndarray::Array2;
use orch_core::Rng;
use serde::{Deserialize, Serialize};

use self::lloyd::{Run, nearest};
use crate::dataset::{Records, check_not_empty};
use crate::error::MlError;
use crate::options::{check_count, check_not_negative, check_option};
use crate::prediction::predict_rows;
use crate::splitting::{FitTo, Origin};

/// The stream of random numbers of starts.
const STREAM: u64 = 0x6b6d_6561;

/// Where k-means starts from.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub enum KMeansInit {
    /// Rows drawn far from each other.
    #[default]
    PlusPlus,
    /// These centroids, `[n_clusters, n_features]`; there is one run then.
    Centroids(Array2<f64>),
}

/// How to find clusters by k-means; defaults as `KMeans` of scikit-learn.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct KMeansOptions {
    /// Number of clusters, from 1 to the number of rows. Default: 8.
    pub n_clusters: usize,
    /// Where to start from. Default: rows drawn far from each other.
    pub init: KMeansInit,
    /// Runs from starts drawn anew, of which the one of least inertia counts. Default: 1.
    pub n_init: usize,
    /// Rounds of a run at most. Default: 300.
    pub max_iter: usize,
    /// A run ends when the centroids' squared moves add up to this share of the features' mean
    /// variance or less, or no row changes its cluster. At least 0. Default: 1e-4.
    pub tol: f64,
    /// Seed of the starts. Default: 0.
    pub seed: u64,
}

impl Default for KMeansOptions {
    fn default() -> Self {
        Self {
            n_clusters: 8,
            init: KMeansInit::PlusPlus,
            n_init: 1,
            max_iter: 300,
            tol: 1e-4,
            seed: 0,
        }
    }
}

/// Clusters found by k-means.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "RawKMeansModel")]
pub struct KMeansModel {
    feature_names: Vec<String>,
    centroids: Array2<f64>,
    labels: Vec<u32>,
    inertia: f64,
    n_iter: usize,
    is_converged: bool,
    trained_on: Option<Origin>,
}

#[derive(Deserialize)]
struct RawKMeansModel {
    feature_names: Vec<String>,
    centroids: Array2<f64>,
    labels: Vec<u32>,
    inertia: f64,
    n_iter: usize,
    is_converged: bool,
    trained_on: Option<Origin>,
}

impl TryFrom<RawKMeansModel> for KMeansModel {
    type Error = MlError;

    fn try_from(raw: RawKMeansModel) -> Result<Self, MlError> {
        let RawKMeansModel {
            feature_names,
            centroids,
            labels,
            inertia,
            n_iter,
            is_converged,
            trained_on,
        } = raw;
        if feature_names.is_empty() {
            return Err(MlError::NoFeatures);
        }
        check_width(&centroids, feature_names.len())?;
        check_count("n_clusters", centroids.nrows())?;
        let limit = centroids.nrows();
        if let Some(row_idx) = labels.iter().position(|label| *label as usize >= limit) {
            return Err(MlError::CodeOutOfRange {
                what: "cluster",
                row_idx,
                code: labels[row_idx],
                limit,
            });
        }
        Ok(Self {
            feature_names,
            centroids: centroids.as_standard_layout().to_owned(),
            labels,
            inertia,
            n_iter,
            is_converged,
            trained_on,
        })
    }
}

fn check_width(centroids: &Array2<f64>, expected: usize) -> Result<(), MlError> {
    let found = centroids.ncols();
    if found == expected {
        return Ok(());
    }
    Err(MlError::LengthMismatch {
        what: "a centroid",
        expected,
        found,
    })
}

impl KMeansModel {
    /// The names of the features, in the order of the centroids' columns.
    pub fn feature_names(&self) -> &[String] {
        &self.feature_names
    }

    /// The mean of each cluster's rows, `[n_clusters, n_features]`.
    pub fn centroids(&self) -> &Array2<f64> {
        &self.centroids
    }

    /// The cluster of each row that the model was fitted to.
    pub fn labels(&self) -> &[u32] {
        &self.labels
    }

    /// The sum of squared distances of those rows from their centroids.
    pub fn inertia(&self) -> f64 {
        self.inertia
    }

    /// The number of those rows in each cluster.
    pub fn cluster_sizes(&self) -> Vec<usize> {
        let mut sizes = vec![0; self.centroids.nrows()];
        for label in &self.labels {
            sizes[*label as usize] += 1;
        }
        sizes
    }

    /// Rounds that the best run took.
    pub fn n_iter(&self) -> usize {
        self.n_iter
    }

    /// Whether the best run ended within its tolerance, rather than after `max_iter` rounds.
    pub fn is_converged(&self) -> bool {
        self.is_converged
    }

    /// Where the rows are from that the model was fitted to, if it was the train side of a split.
    pub fn trained_on(&self) -> Option<&Origin> {
        self.trained_on.as_ref()
    }

    /// The cluster of the nearest centroid, the first if several are; features are matched by name.
    ///
    /// # Shapes
    /// records `[n_rows, ..]`, returns `[n_rows]`
    ///
    /// # Errors
    /// [`MlError::FeatureMissing`] and [`MlError::NotFinite`].
    pub fn predict(&self, records: &Records) -> Result<Vec<u32>, MlError> {
        let centroids = self.centroids.as_slice();
        let centroids = centroids.expect("centroids are in row-major order");
        predict_rows(records, &self.feature_names, 1, |row, cluster| {
            cluster[0] = nearest(row, centroids).0 as u32;
        })
    }
}

/// Finds clusters by k-means: centroids for which the squared distances of rows from the nearest one
/// add up to little.
///
/// Scale the features first: distances know no units. The same records, options and seed give the
/// same clusters on any number of threads. A cluster that loses all its rows gets the row farthest
/// from its own centroid; only with fewer distinct rows than clusters some stay empty, which warns
/// through `tracing`.
///
/// # Shapes
/// records `[n_rows, n_features]`, at least one of each
///
/// # Errors
/// [`MlError::InvalidOption`], [`MlError::LengthMismatch`] for centroids of another width;
/// [`MlError::NoRows`], [`MlError::NoFeatures`]; [`MlError::NotFinite`] with row and column;
/// [`MlError::FitOverflow`].
///
/// # Source
/// Lloyd, 1982, from starts by greedy k-means++ (Arthur and Vassilvitskii, 2007), with the rules of
/// `KMeans` of scikit-learn 1.9. Not by linfa-clustering 0.8.1: of several runs it reports the
/// cluster sizes of the last instead of the best.
///
/// # Examples
/// ```
/// use orch_ml::{KMeansOptions, Records, fit_kmeans, ndarray::array};
///
/// let records = Records::new(array![[1.0], [1.2], [9.0], [9.4]], ["size"])?;
/// let options = KMeansOptions { n_clusters: 2, ..KMeansOptions::default() };
/// let model = fit_kmeans(&records, &options)?;
/// assert_eq!(model.labels()[0], model.labels()[1]);
/// assert!((model.inertia() - 0.1).abs() < 1e-12);
/// # Ok::<(), orch_ml::MlError>(())
/// ```
pub fn fit_kmeans(
    train: &impl FitTo<Records>,
    options: &KMeansOptions,
) -> Result<KMeansModel, MlError> {
    let k = options.n_clusters;
    check_count("n_clusters", k)?;
    check_count("n_init", options.n_init)?;
    check_count("max_iter", options.max_iter)?;
    check_not_negative("tol", options.tol)?;
    let records = train.data();
    check_not_empty(records)?;
    records.check_finite()?;
    let is_possible = k <= records.n_rows();
    check_option(is_possible, "n_clusters", k, "at most the number of rows")?;

    let (cells, width) = (records.cells(), records.n_features());
    let spread = mean_variance(records);
    if !spread.is_finite() {
        return Err(MlError::FitOverflow);
    }
    let run = |centroids| {
        Run::new(cells, width, centroids).finish(options.max_iter, options.tol * spread)
    };
    let best = match &options.init {
        KMeansInit::Centroids(centroids) => {
            check_width(centroids, width)?;
            let is_right = centroids.nrows() == k;
            check_option(
                is_right,
                "n_clusters",
                k,
                "the number of centroids to start from",
            )?;
            let is_finite = centroids.iter().all(|value| value.is_finite());
            check_option(is_finite, "init", "not finite", "finite centroids")?;
            run(centroids.iter().copied().collect())
        }
        KMeansInit::PlusPlus => {
            let mut rng = Rng::new(options.seed, STREAM);
            let runs =
                (0..options.n_init).map(|_| run(starts::plus_plus(cells, width, k, &mut rng)));
            // Of equally good runs the first.
            runs.reduce(|best, run| {
                if run.inertia < best.inertia {
                    run
                } else {
                    best
                }
            })
            .expect("there is at least one run")
        }
    };
    if !best.inertia.is_finite() {
        return Err(MlError::FitOverflow);
    }
    let model = KMeansModel {
        feature_names: records.feature_names().to_vec(),
        centroids: Array2::from_shape_vec((k, width), best.centroids)
            .expect("each centroid has a cell per feature"),
        labels: best.labels,
        inertia: best.inertia,
        n_iter: best.n_iter,
        is_converged: best.is_converged,
        trained_on: train.origin().cloned(),
    };
    let n_empty = model
        .cluster_sizes()
        .iter()
        .filter(|size| **size == 0)
        .count();
    if n_empty > 0 {
        tracing::warn!(
            n_empty,
            "clusters have no rows: there are fewer distinct rows than clusters"
        );
    }
    if !model.is_converged {
        tracing::warn!(
            model.n_iter,
            "k-means has not converged: raise `max_iter` or `tol`"
        );
    }
    Ok(model)
}

/// The mean of the features' variances.
fn mean_variance(records: &Records) -> f64 {
    let values = records.values();
    let variances = values.columns().into_iter().map(|column| {
        let mean = column.sum() / column.len() as f64;
        let squares: f64 = column
            .iter()
            .map(|value| (value - mean) * (value - mean))
            .sum();
        squares / column.len() as f64
    });
    variances.sum::<f64>() / values.ncols() as f64
}

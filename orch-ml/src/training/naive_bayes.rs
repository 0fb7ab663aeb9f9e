//! Gaussian naive Bayes.

use std::f64::consts::TAU;

use ndarray::Array2;
use serde::{Deserialize, Serialize};

use crate::dataset::{ClassLabel, ClassificationDataset, Records};
use crate::error::MlError;
use crate::evaluation::{ClassPredictions, Classifier};
use crate::options::check_positive;
use crate::prediction::{predict_rows, soft_max};
use crate::splitting::Origin;
use crate::weights::{ClassWeights, FitWeighted};

/// How to fit a Gaussian naive Bayes model; defaults as `GaussianNB` of scikit-learn.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct NaiveBayesOptions {
    /// The share of the largest variance of a feature that is added to all variances, so that none
    /// is 0. Above 0. Default: 1e-9.
    pub var_smoothing: f64,
}

impl Default for NaiveBayesOptions {
    fn default() -> Self {
        Self {
            var_smoothing: 1e-9,
        }
    }
}

/// A fitted Gaussian naive Bayes model: in each class, each feature has a normal distribution of its
/// own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "RawNaiveBayesModel")]
pub struct NaiveBayesModel {
    feature_names: Vec<String>,
    target_name: String,
    classes: Vec<ClassLabel>,
    priors: Vec<f64>,
    means: Array2<f64>,
    variances: Array2<f64>,
    n_rows: usize,
    trained_on: Option<Origin>,
}

#[derive(Deserialize)]
struct RawNaiveBayesModel {
    feature_names: Vec<String>,
    target_name: String,
    classes: Vec<ClassLabel>,
    priors: Vec<f64>,
    means: Array2<f64>,
    variances: Array2<f64>,
    n_rows: usize,
    trained_on: Option<Origin>,
}

impl TryFrom<RawNaiveBayesModel> for NaiveBayesModel {
    type Error = MlError;

    fn try_from(raw: RawNaiveBayesModel) -> Result<Self, MlError> {
        let RawNaiveBayesModel {
            feature_names,
            target_name,
            classes,
            priors,
            means,
            variances,
            n_rows,
            trained_on,
        } = raw;
        if feature_names.is_empty() {
            return Err(MlError::NoFeatures);
        }
        let check = |what, expected, found| {
            if expected == found {
                return Ok(());
            }
            Err(MlError::LengthMismatch {
                what,
                expected,
                found,
            })
        };
        check("the list of priors", classes.len().max(1), priors.len())?;
        check("a row of means", feature_names.len(), means.ncols())?;
        check("the list of means", classes.len(), means.nrows())?;
        check("a row of variances", feature_names.len(), variances.ncols())?;
        check("the list of variances", classes.len(), variances.nrows())?;
        Ok(Self {
            feature_names,
            target_name,
            classes,
            priors,
            means,
            variances,
            n_rows,
            trained_on,
        })
    }
}

impl NaiveBayesModel {
    /// The names of the features, in the order of the columns of the means.
    pub fn feature_names(&self) -> &[String] {
        &self.feature_names
    }

    /// The name of the label column.
    pub fn target_name(&self) -> &str {
        &self.target_name
    }

    /// The classes that had rows, sorted.
    pub fn classes(&self) -> &[ClassLabel] {
        &self.classes
    }

    /// The share of the rows that each class had, by their weights.
    pub fn priors(&self) -> &[f64] {
        &self.priors
    }

    /// The mean of each feature in each class, `[n_classes, n_features]`.
    pub fn means(&self) -> &Array2<f64> {
        &self.means
    }

    /// The variance of each feature in each class, smoothed, `[n_classes, n_features]`.
    pub fn variances(&self) -> &Array2<f64> {
        &self.variances
    }

    /// Number of rows that the model was fitted to.
    pub fn n_rows(&self) -> usize {
        self.n_rows
    }

    /// Where the rows are from that the model was fitted to, if it was the train side of a split.
    pub fn trained_on(&self) -> Option<&Origin> {
        self.trained_on.as_ref()
    }

    /// Predicts the probability of each class; features are matched by name.
    ///
    /// # Shapes
    /// records `[n_rows, ..]`, returns `[n_rows, n_classes]`
    ///
    /// # Errors
    /// [`MlError::FeatureMissing`] and [`MlError::NotFinite`].
    pub fn predict_probabilities(&self, records: &Records) -> Result<Array2<f64>, MlError> {
        // What does not depend on the row.
        let of_classes: Vec<f64> = self
            .priors
            .iter()
            .zip(self.variances.rows())
            .map(|(prior, variances)| {
                let spread: f64 = variances.iter().map(|variance| (TAU * variance).ln()).sum();
                prior.ln() - 0.5 * spread
            })
            .collect();
        let n_classes = self.classes.len();
        let probabilities =
            predict_rows(records, &self.feature_names, n_classes, |row, scores| {
                for (class, score) in scores.iter_mut().enumerate() {
                    let normals = self.means.row(class);
                    let normals = normals.iter().zip(self.variances.row(class));
                    let distance: f64 = row
                        .iter()
                        .zip(normals)
                        .map(|(value, (mean, variance))| (value - mean) * (value - mean) / variance)
                        .sum();
                    *score = of_classes[class] - 0.5 * distance;
                }
                soft_max(scores);
            })?;
        Ok(
            Array2::from_shape_vec((records.n_rows(), n_classes), probabilities)
                .expect("one probability was made per row and class"),
        )
    }

    /// Predicts the most probable class of each row, with the probabilities.
    ///
    /// # Errors
    /// As [`predict_probabilities`](Self::predict_probabilities).
    pub fn predict(&self, records: &Records) -> Result<ClassPredictions, MlError> {
        Classifier::predict(self, records)
    }
}

impl Classifier for NaiveBayesModel {
    fn classes(&self) -> &[ClassLabel] {
        &self.classes
    }

    fn predict_probabilities(&self, records: &Records) -> Result<Array2<f64>, MlError> {
        NaiveBayesModel::predict_probabilities(self, records)
    }

    fn trained_on(&self) -> Option<&Origin> {
        self.trained_on.as_ref()
    }
}

/// Fits a Gaussian naive Bayes model.
///
/// Shares, means and variances are weighted if the rows are; not so the largest variance that
/// `var_smoothing` is a share of, as in scikit-learn. Classes without rows are left out. Where every feature is constant, `var_smoothing` itself takes
/// the place of the variances, so that predictions are the priors.
///
/// # Shapes
/// records `[n_rows, n_features]`, at least one of each
///
/// # Errors
/// [`MlError::InvalidOption`]; [`MlError::NoRows`], [`MlError::NoFeatures`]; [`MlError::NotFinite`]
/// with row and column; [`MlError::FitOverflow`].
///
/// # Source
/// As `GaussianNB` of scikit-learn 1.9. It is little more than means and variances, for which a
/// crate would cost more than it saves.
pub fn fit_naive_bayes(
    train: &impl FitWeighted<ClassificationDataset>,
    options: &NaiveBayesOptions,
) -> Result<NaiveBayesModel, MlError> {
    let smoothing = options.var_smoothing;
    check_positive("var_smoothing", smoothing)?;
    let dataset = train.data();
    dataset.check_for_fit()?;
    let (classes, targets) = dataset.present_classes();
    let records = dataset.records();
    let weights = ClassWeights::Equal.of_rows(dataset, train.weights())?;
    let weights = weights.unwrap_or_else(|| vec![1.0; targets.len()]);
    let mut sizes = vec![0.0; classes.len()];
    for (class, weight) in targets.iter().zip(&weights) {
        sizes[*class as usize] += weight;
    }
    let of_classes: Vec<usize> = targets.iter().map(|class| *class as usize).collect();
    let (means, mut variances) = moments(records, &of_classes, &weights, &sizes);
    let (all, ones) = (vec![0; targets.len()], vec![1.0; targets.len()]);
    let (_, overall) = moments(records, &all, &ones, &[targets.len() as f64]);
    let largest = overall.iter().fold(0.0, |a: f64, b| a.max(*b));
    let addend = smoothing * if largest > 0.0 { largest } else { 1.0 };
    variances.mapv_inplace(|variance| variance + addend);
    let is_sound = |value: &f64| value.is_finite() && *value > 0.0;
    if !variances.iter().all(is_sound) || means.iter().any(|mean| !mean.is_finite()) {
        return Err(MlError::FitOverflow);
    }
    let total: f64 = sizes.iter().sum();
    let share = |size: &f64| size / total;
    Ok(NaiveBayesModel {
        feature_names: dataset.feature_names().to_vec(),
        target_name: dataset.target_name().to_owned(),
        priors: sizes.iter().map(share).collect(),
        classes,
        means,
        variances,
        n_rows: dataset.n_rows(),
        trained_on: train.origin().cloned(),
    })
}

/// The weighted mean and variance of each feature in each group; the sizes are sums of weights.
fn moments(
    records: &Records,
    groups: &[usize],
    weights: &[f64],
    sizes: &[f64],
) -> (Array2<f64>, Array2<f64>) {
    let rows = || {
        let rows = records.values().rows().into_iter();
        rows.zip(groups.iter().zip(weights))
    };
    let shape = (sizes.len(), records.n_features());
    let mut means = Array2::zeros(shape);
    for (row, (group, weight)) in rows() {
        means.row_mut(*group).scaled_add(*weight, &row);
    }
    let by_size = |mut sums: Array2<f64>| {
        for (mut sums, size) in sums.rows_mut().into_iter().zip(sizes) {
            sums /= *size;
        }
        sums
    };
    means = by_size(means);
    let mut squares = Array2::zeros(shape);
    for (row, (group, weight)) in rows() {
        let differences = &row - &means.row(*group);
        let mut sums = squares.row_mut(*group);
        sums.scaled_add(*weight, &(&differences * &differences));
    }
    (means, by_size(squares))
}

//! What a model loses when a feature is shuffled.

use std::fmt;

use ndarray::ArrayView1;
use orch_core::Rng;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::{ClassOutcomes, Classifier, Regressor};
use crate::dataset::{ClassificationDataset, Dataset, Records};
use crate::error::{MlError, TableName};
use crate::splitting::{MeasureWith, check_unseen};

/// The streams of random numbers of shuffles, apart from those of splits and forests: this number
/// in the upper half, that of the shuffle in the lower.
const STREAM: u64 = 0x7065_726d;

/// How features are shuffled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PermutationOptions {
    /// Number of times that each feature is shuffled, at least 1; 5 by default.
    pub n_repeats: usize,
    /// Where the random numbers start; 0 by default.
    pub seed: u64,
}

impl Default for PermutationOptions {
    fn default() -> Self {
        Self {
            n_repeats: 5,
            seed: 0,
        }
    }
}

/// What a score loses when one feature is shuffled.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FeatureImportance {
    /// The feature.
    pub feature: String,
    /// Mean loss of score.
    pub mean: f64,
    /// Standard deviation of the losses, over all shuffles there were (divided by their number).
    pub sd: f64,
    /// Loss of score of each shuffle.
    pub losses: Vec<f64>,
}

/// What a score loses when each feature is shuffled.
///
/// `Display` prints a feature a line, the most important first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PermutationImportance {
    /// The score of the rows as they are.
    pub score: f64,
    /// The features, in the order of the records' columns.
    pub features: Vec<FeatureImportance>,
}

impl fmt::Display for PermutationImportance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.features.iter().map(|of| of.feature.chars().count());
        let width = names.max().unwrap_or(0).max("all as they are".len());
        let mut sorted: Vec<&FeatureImportance> = self.features.iter().collect();
        sorted.sort_by(|a, b| b.mean.total_cmp(&a.mean));
        writeln!(f, "{:<width$}{:>10}{:>10}", "", "loss", "sd")?;
        for of in sorted {
            writeln!(f, "{:<width$}{:>10.4}{:>10.4}", of.feature, of.mean, of.sd)?;
        }
        write!(f, "{:<width$}{:>10.4}", "all as they are", self.score)
    }
}

/// Shuffles one feature after the other and looks how much worse the score gets.
///
/// It says what this model uses, not what matters in the world, and shares out the importance of
/// features that stand in for each other. Take rows that the model was not trained on. The same
/// seed gives the same shuffles, whatever the number of threads.
///
/// `score` predicts for records and rates it, the higher the better; of an error give its negative.
/// [`regression_importance`] and [`classification_importance`] do that for a model and a metric.
///
/// # Shapes
/// records `[n_rows, n_features]`, `score` gets records of the same shape; returns `[n_features]`
///
/// # Errors
/// [`MlError::NoRows`] and [`MlError::NoFeatures`]; [`MlError::InvalidOption`] for no repeats; the
/// error of `score`.
///
/// # Source
/// Breiman (2001); `sklearn.inspection.permutation_importance`, each shuffle starting from the rows
/// as they are
pub fn permutation_importance(
    records: &Records,
    options: &PermutationOptions,
    score: impl Fn(&Records) -> Result<f64, MlError> + Sync,
) -> Result<PermutationImportance, MlError> {
    let (n_features, n_repeats) = (records.n_features(), options.n_repeats);
    if n_features == 0 {
        return Err(MlError::NoFeatures);
    }
    if records.n_rows() == 0 {
        let table = TableName::default();
        return Err(MlError::NoRows { table });
    }
    if n_repeats == 0 {
        return Err(MlError::InvalidOption {
            name: "n_repeats",
            value: "0".to_owned(),
            expected: "at least 1",
        });
    }
    let as_they_are = score(records)?;
    let losses: Vec<Result<f64, MlError>> = (0..n_features * n_repeats)
        .into_par_iter()
        .map(|shuffle| {
            let mut rng = Rng::new(options.seed, STREAM << 32 | shuffle as u64);
            let mut column = records.values().column(shuffle / n_repeats).to_vec();
            rng.shuffle(&mut column);
            let shuffled = records.with_column(shuffle / n_repeats, &column);
            Ok(as_they_are - score(&shuffled)?)
        })
        .collect();
    // Gathered one after the other, so that the first error is the same each time.
    let losses = losses.into_iter().collect::<Result<Vec<f64>, MlError>>()?;
    let names = records.feature_names().iter();
    let features = names
        .zip(losses.chunks(n_repeats))
        .map(|(feature, losses)| {
            let mean = losses.iter().sum::<f64>() / n_repeats as f64;
            let squared = losses.iter().map(|loss| (loss - mean) * (loss - mean));
            FeatureImportance {
                feature: feature.clone(),
                mean,
                sd: (squared.sum::<f64>() / n_repeats as f64).sqrt(),
                losses: losses.to_vec(),
            }
        });
    Ok(PermutationImportance {
        score: as_they_are,
        features: features.collect(),
    })
}

/// [`permutation_importance`] of a model of numbers, by a metric of targets and predictions that is
/// higher for better ones, such as [`r2_score`](crate::r2_score).
///
/// Rows that the model was trained on make features important that it only learned by heart: they are
/// refused. For those all the same pass the data without its mark, `&*train`.
///
/// # Errors
/// As [`permutation_importance`]; [`MlError::TestSeenInTraining`] as
/// [`evaluate_regression`](crate::evaluate_regression); those of [`Regressor::predict`] and of `score`.
///
/// # Examples
/// ```
/// use orch_ml::ndarray::array;
/// use orch_ml::{Dataset, PermutationOptions, fit_linear, r2_score, regression_importance};
///
/// let records = array![[0.0, 1.0], [1.0, 0.0], [2.0, 1.0], [3.0, 0.0]];
/// let dataset = Dataset::new(records, array![0.0, 2.0, 4.0, 6.0], ["used", "unused"], "y")?;
/// let model = fit_linear(&dataset)?;
/// let importance =
///     regression_importance(&model, &dataset, &PermutationOptions::default(), r2_score)?;
/// assert!(importance.features[0].mean > 0.1);
/// assert!(importance.features[1].mean.abs() < 1e-9);
/// # Ok::<(), orch_ml::MlError>(())
/// ```
pub fn regression_importance<M: Regressor + Sync + ?Sized>(
    model: &M,
    test: &impl MeasureWith<Dataset>,
    options: &PermutationOptions,
    score: impl Fn(ArrayView1<'_, f64>, ArrayView1<'_, f64>) -> Result<f64, MlError> + Sync,
) -> Result<PermutationImportance, MlError> {
    check_unseen(model.trained_on(), test.origin())?;
    let dataset = test.data();
    permutation_importance(dataset.records(), options, |records| {
        score(dataset.targets().view(), model.predict(records)?.view())
    })
}

/// [`permutation_importance`] of a classifier, by a score of its outcomes that is higher for better
/// ones, such as their accuracy. Rows that the model was trained on are refused, as by
/// [`regression_importance`].
///
/// # Errors
/// As [`regression_importance`]; those of [`Classifier::predict_probabilities`] and of `score`.
pub fn classification_importance<M: Classifier + Sync + ?Sized>(
    model: &M,
    test: &impl MeasureWith<ClassificationDataset>,
    options: &PermutationOptions,
    score: impl Fn(&ClassOutcomes) -> Result<f64, MlError> + Sync,
) -> Result<PermutationImportance, MlError> {
    check_unseen(model.trained_on(), test.origin())?;
    let dataset = test.data();
    permutation_importance(dataset.records(), options, |records| {
        score(&ClassOutcomes::new(&model.predict(records)?, dataset)?)
    })
}

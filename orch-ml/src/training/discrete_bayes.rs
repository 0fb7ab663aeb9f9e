//! Naive Bayes for counts and for what is there or not.

use ndarray::Array2;
use serde::{Deserialize, Serialize};

use crate::dataset::{ClassLabel, ClassificationDataset, Records};
use crate::error::MlError;
use crate::evaluation::{ClassPredictions, Classifier};
use crate::options::{check_not_negative, check_option};
use crate::prediction::{predict_rows, soft_max};
use crate::splitting::Origin;
use crate::weights::{ClassWeights, FitWeighted};

/// What is assumed of the features in each class.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum FeatureDistribution {
    /// They are counts, such as of words in a text: numbers of at least 0, of which the shares matter.
    Multinomial,
    /// They are there or not, each for itself.
    Bernoulli {
        /// Numbers above it count as there.
        threshold: f64,
    },
}

/// How to fit a naive Bayes model to counts; defaults as `MultinomialNB` of scikit-learn, and with
/// [`bernoulli`](Self::bernoulli) as `BernoulliNB`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct DiscreteBayesOptions {
    /// What is assumed of the features. Default: multinomial.
    pub distribution: FeatureDistribution,
    /// What is added to each count, so that none is 0. At least 0, and so much that no probability
    /// is 0. Default: 1.
    pub alpha: f64,
    /// Whether classes are as probable beforehand as they are frequent, rather than all equally.
    /// Default: true.
    pub fit_priors: bool,
}

impl Default for DiscreteBayesOptions {
    fn default() -> Self {
        Self {
            distribution: FeatureDistribution::Multinomial,
            alpha: 1.0,
            fit_priors: true,
        }
    }
}

impl DiscreteBayesOptions {
    /// For features that are there, above 0, or not.
    pub fn bernoulli() -> Self {
        Self {
            distribution: FeatureDistribution::Bernoulli { threshold: 0.0 },
            ..Self::default()
        }
    }

    fn check(&self) -> Result<(), MlError> {
        check_not_negative("alpha", self.alpha)?;
        if let FeatureDistribution::Bernoulli { threshold } = self.distribution {
            check_option(
                threshold.is_finite(),
                "threshold",
                threshold,
                "a finite number",
            )?;
        }
        Ok(())
    }
}

/// A fitted naive Bayes model of counts, or of what is there or not.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "RawDiscreteBayesModel")]
pub struct DiscreteBayesModel {
    feature_names: Vec<String>,
    target_name: String,
    classes: Vec<ClassLabel>,
    distribution: FeatureDistribution,
    priors: Vec<f64>,
    probabilities: Array2<f64>,
    n_rows: usize,
    trained_on: Option<Origin>,
}

#[derive(Deserialize)]
struct RawDiscreteBayesModel {
    feature_names: Vec<String>,
    target_name: String,
    classes: Vec<ClassLabel>,
    distribution: FeatureDistribution,
    priors: Vec<f64>,
    probabilities: Array2<f64>,
    n_rows: usize,
    trained_on: Option<Origin>,
}

impl TryFrom<RawDiscreteBayesModel> for DiscreteBayesModel {
    type Error = MlError;

    fn try_from(raw: RawDiscreteBayesModel) -> Result<Self, MlError> {
        let RawDiscreteBayesModel {
            feature_names,
            target_name,
            classes,
            distribution,
            priors,
            probabilities,
            n_rows,
            trained_on,
        } = raw;
        if feature_names.is_empty() {
            return Err(MlError::NoFeatures);
        }
        let n_classes = classes.len().max(1);
        for (what, expected, found) in [
            ("the list of priors", n_classes, priors.len()),
            (
                "the list of probabilities",
                n_classes,
                probabilities.nrows(),
            ),
            (
                "a row of probabilities",
                feature_names.len(),
                probabilities.ncols(),
            ),
        ] {
            if expected != found {
                return Err(MlError::LengthMismatch {
                    what,
                    expected,
                    found,
                });
            }
        }
        Ok(Self {
            feature_names,
            target_name,
            classes,
            distribution,
            priors,
            probabilities,
            n_rows,
            trained_on,
        })
    }
}

impl DiscreteBayesModel {
    /// The names of the features, in the order of the columns of the probabilities.
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

    /// What is assumed of the features.
    pub fn distribution(&self) -> FeatureDistribution {
        self.distribution
    }

    /// How probable each class is beforehand.
    pub fn priors(&self) -> &[f64] {
        &self.priors
    }

    /// For counts the share of each feature in the counts of a class, for others the probability that
    /// it is there; smoothed, `[n_classes, n_features]`.
    pub fn probabilities(&self) -> &Array2<f64> {
        &self.probabilities
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
        let n_classes = self.classes.len();
        let logarithms = self.probabilities.mapv(f64::ln);
        // Of a feature that is not there.
        let absent = self.probabilities.mapv(|p| (1.0 - p).ln());
        let of_row = |class: usize, row: &[f64]| -> f64 {
            let features = row.iter().zip(logarithms.row(class));
            match self.distribution {
                FeatureDistribution::Multinomial => {
                    features.map(|(count, logarithm)| count * logarithm).sum()
                }
                FeatureDistribution::Bernoulli { threshold } => features
                    .zip(absent.row(class))
                    .map(|((value, there), absent)| if *value > threshold { there } else { absent })
                    .sum(),
            }
        };
        let names = &self.feature_names;
        let shares = predict_rows(records, names, n_classes, |row, scores| {
            for (class, score) in scores.iter_mut().enumerate() {
                *score = self.priors[class].ln() + of_row(class, row);
            }
            soft_max(scores);
        })?;
        Ok(
            Array2::from_shape_vec((records.n_rows(), n_classes), shares)
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

impl Classifier for DiscreteBayesModel {
    fn classes(&self) -> &[ClassLabel] {
        &self.classes
    }

    fn predict_probabilities(&self, records: &Records) -> Result<Array2<f64>, MlError> {
        DiscreteBayesModel::predict_probabilities(self, records)
    }

    fn trained_on(&self) -> Option<&Origin> {
        self.trained_on.as_ref()
    }
}

/// Fits a naive Bayes model to counts, or to what is there or not.
///
/// Classes without rows are left out.
///
/// # Shapes
/// records `[n_rows, n_features]`, at least one of each
///
/// # Errors
/// [`MlError::InvalidOption`], also for an `alpha` that leaves a probability of 0 or 1, and for a count
/// below 0, with row and column; [`MlError::NoRows`], [`MlError::NoFeatures`]; [`MlError::NotFinite`]
/// with row and column; [`MlError::FitOverflow`].
///
/// # Source
/// As `MultinomialNB` and `BernoulliNB` of scikit-learn 1.9, weights included; McCallum and Nigam,
/// A Comparison of Event Models for Naive Bayes Text Classification, 1998.
///
/// # Examples
/// ```
/// use orch_ml::{ClassificationDataset, DiscreteBayesOptions, Records, fit_discrete_bayes, ndarray::array};
///
/// let words = Records::new(array![[3.0, 0.0], [2.0, 1.0], [0.0, 4.0]], ["goal", "vote"])?;
/// let dataset = ClassificationDataset::new(words, ["sports", "sports", "politics"], "section")?;
/// let model = fit_discrete_bayes(&dataset, &DiscreteBayesOptions::default())?;
/// assert_eq!(model.probabilities().row(1).to_vec(), [0.75, 0.25]); // (5 + 1) / 8 and (1 + 1) / 8
/// # Ok::<(), orch_ml::MlError>(())
/// ```
pub fn fit_discrete_bayes(
    train: &impl FitWeighted<ClassificationDataset>,
    options: &DiscreteBayesOptions,
) -> Result<DiscreteBayesModel, MlError> {
    options.check()?;
    let dataset = train.data();
    dataset.check_for_fit()?;
    let (records, n_features) = (dataset.records(), dataset.n_features());
    if options.distribution == FeatureDistribution::Multinomial
        && let Some(at) = records.cells().iter().position(|count| *count < 0.0)
    {
        let (row_idx, column) = (at / n_features, &dataset.feature_names()[at % n_features]);
        return Err(MlError::InvalidOption {
            name: "records",
            value: format!(
                "{} in column `{column}` at row {row_idx}",
                records.cells()[at]
            ),
            expected: "counts of at least 0",
        });
    }
    let (classes, targets) = dataset.present_classes();
    let weights = ClassWeights::Equal.of_rows(dataset, train.weights())?;
    let weights = weights.unwrap_or_else(|| vec![1.0; targets.len()]);

    let mut sizes = vec![0.0; classes.len()];
    let mut counts: Array2<f64> = Array2::zeros((classes.len(), n_features));
    let rows = records.values().rows().into_iter();
    for (row, (class, weight)) in rows.zip(targets.iter().zip(&weights)) {
        sizes[*class as usize] += weight;
        let mut counts = counts.row_mut(*class as usize);
        match options.distribution {
            FeatureDistribution::Multinomial => counts.scaled_add(*weight, &row),
            FeatureDistribution::Bernoulli { threshold } => {
                for (count, value) in counts.iter_mut().zip(row) {
                    *count += if *value > threshold { *weight } else { 0.0 };
                }
            }
        }
    }
    let mut probabilities = counts + options.alpha;
    for (mut row, size) in probabilities.rows_mut().into_iter().zip(&sizes) {
        let total = match options.distribution {
            FeatureDistribution::Multinomial => row.sum(),
            FeatureDistribution::Bernoulli { .. } => size + 2.0 * options.alpha,
        };
        row /= total;
    }
    let total: f64 = sizes.iter().sum();
    if !total.is_finite() || probabilities.iter().any(|p| p.is_infinite()) {
        return Err(MlError::FitOverflow);
    }
    let is_sound = |p: &f64| match options.distribution {
        FeatureDistribution::Multinomial => *p > 0.0,
        FeatureDistribution::Bernoulli { .. } => *p > 0.0 && *p < 1.0,
    };
    let expected = "so much that no feature has probability 0 or 1 in a class";
    check_option(
        probabilities.iter().all(is_sound),
        "alpha",
        options.alpha,
        expected,
    )?;
    let prior = |size: &f64| match options.fit_priors {
        true => size / total,
        false => 1.0 / classes.len() as f64,
    };
    Ok(DiscreteBayesModel {
        feature_names: dataset.feature_names().to_vec(),
        target_name: dataset.target_name().to_owned(),
        priors: sizes.iter().map(prior).collect(),
        classes,
        distribution: options.distribution,
        probabilities,
        n_rows: dataset.n_rows(),
        trained_on: train.origin().cloned(),
    })
}

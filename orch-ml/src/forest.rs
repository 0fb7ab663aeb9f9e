//! Random forests and decision trees.

mod bins;
mod criterion;
mod decision_tree;
mod ensemble;
mod growing;
mod options;
mod text;
mod tree;
mod weighted;

use ndarray::{Array1, Array2};
use serde::{Deserialize, Serialize};

use self::criterion::{Gini, Variance};
pub use self::decision_tree::{
    TreeClassifier, TreeOptions, TreeRegressor, fit_tree_classifier, fit_tree_regressor,
};
pub(crate) use self::ensemble::Forest;
use self::ensemble::UnsoundForest;
pub use self::options::{ForestOptions, MaxFeatures};
pub(crate) use self::tree::Place;
use self::weighted::{WeightedGini, WeightedVariance, check_sums, counting_rows};
use crate::dataset::{ClassLabel, ClassificationDataset, Dataset, Records};
use crate::error::MlError;
use crate::evaluation::{ClassPredictions, Classifier, Regressor};
use crate::metric;
use crate::splitting::Origin;
use crate::weights::FitWeighted;

/// A random forest that predicts classes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "RawForestClassifier")]
pub struct ForestClassifier {
    forest: Forest,
    classes: Vec<ClassLabel>,
    out_of_bag_accuracy: Option<f64>,
    trained_on: Option<Origin>,
}

#[derive(Deserialize)]
struct RawForestClassifier {
    forest: Forest,
    classes: Vec<ClassLabel>,
    out_of_bag_accuracy: Option<f64>,
    trained_on: Option<Origin>,
}

impl TryFrom<RawForestClassifier> for ForestClassifier {
    type Error = UnsoundForest;

    fn try_from(raw: RawForestClassifier) -> Result<Self, UnsoundForest> {
        let RawForestClassifier {
            forest,
            classes,
            out_of_bag_accuracy,
            trained_on,
        } = raw;
        if forest.width != classes.len() {
            return Err(UnsoundForest);
        }
        Ok(Self {
            forest,
            classes,
            out_of_bag_accuracy,
            trained_on,
        })
    }
}

impl ForestClassifier {
    pub(crate) fn forest(&self) -> &Forest {
        &self.forest
    }

    /// The names of the features, in the order of the importances.
    pub fn feature_names(&self) -> &[String] {
        &self.forest.feature_names
    }

    /// The name of the label column.
    pub fn target_name(&self) -> &str {
        &self.forest.target_name
    }

    /// The classes, sorted.
    pub fn classes(&self) -> &[ClassLabel] {
        &self.classes
    }

    /// The share of the reduction of Gini impurity that each feature brought; they add up to 1,
    /// or are all 0 if nothing was split.
    pub fn importances(&self) -> &[f64] {
        &self.forest.importances
    }

    /// The accuracy on rows by the trees that did not see them, if it was asked for and any row
    /// was left out of a bag.
    pub fn out_of_bag_accuracy(&self) -> Option<f64> {
        self.out_of_bag_accuracy
    }

    /// Where the rows are from that the forest was fitted to, if it was the train side of a split.
    pub fn trained_on(&self) -> Option<&Origin> {
        self.trained_on.as_ref()
    }

    /// Number of trees.
    pub fn n_trees(&self) -> usize {
        self.forest.trees.len()
    }

    /// Number of nodes of all trees, leaves included.
    pub fn n_nodes(&self) -> usize {
        self.forest.n_nodes()
    }

    /// Predicts the probability of each class: the mean of the shares in the leaves.
    ///
    /// # Shapes
    /// records `[n_rows, ..]`, returns `[n_rows, n_classes]`
    ///
    /// # Errors
    /// [`MlError::FeatureMissing`] and [`MlError::NotFinite`].
    pub fn predict_probabilities(&self, records: &Records) -> Result<Array2<f64>, MlError> {
        let means = self.forest.predict(records)?;
        Ok(
            Array2::from_shape_vec((records.n_rows(), self.classes.len()), means)
                .expect("one mean was made per row and class"),
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

impl Classifier for ForestClassifier {
    fn classes(&self) -> &[ClassLabel] {
        &self.classes
    }

    fn predict_probabilities(&self, records: &Records) -> Result<Array2<f64>, MlError> {
        ForestClassifier::predict_probabilities(self, records)
    }

    fn trained_on(&self) -> Option<&Origin> {
        self.trained_on.as_ref()
    }
}

/// A random forest that predicts numbers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "RawForestRegressor")]
pub struct ForestRegressor {
    forest: Forest,
    out_of_bag_r2: Option<f64>,
    trained_on: Option<Origin>,
}

#[derive(Deserialize)]
struct RawForestRegressor {
    forest: Forest,
    out_of_bag_r2: Option<f64>,
    trained_on: Option<Origin>,
}

impl TryFrom<RawForestRegressor> for ForestRegressor {
    type Error = UnsoundForest;

    fn try_from(raw: RawForestRegressor) -> Result<Self, UnsoundForest> {
        let RawForestRegressor {
            forest,
            out_of_bag_r2,
            trained_on,
        } = raw;
        if forest.width != 1 {
            Err(UnsoundForest)
        } else {
            Ok(Self {
                forest,
                out_of_bag_r2,
                trained_on,
            })
        }
    }
}

impl ForestRegressor {
    pub(crate) fn forest(&self) -> &Forest {
        &self.forest
    }

    /// The names of the features, in the order of the importances.
    pub fn feature_names(&self) -> &[String] {
        &self.forest.feature_names
    }

    /// The name of the target.
    pub fn target_name(&self) -> &str {
        &self.forest.target_name
    }

    /// The share of the reduction of variance that each feature brought; they add up to 1, or are
    /// all 0 if nothing was split.
    pub fn importances(&self) -> &[f64] {
        &self.forest.importances
    }

    /// The R² on rows by the trees that did not see them, if it was asked for and two rows or more
    /// were left out of a bag.
    pub fn out_of_bag_r2(&self) -> Option<f64> {
        self.out_of_bag_r2
    }

    /// Where the rows are from that the forest was fitted to, if it was the train side of a split.
    pub fn trained_on(&self) -> Option<&Origin> {
        self.trained_on.as_ref()
    }

    /// Number of trees.
    pub fn n_trees(&self) -> usize {
        self.forest.trees.len()
    }

    /// Number of nodes of all trees, leaves included.
    pub fn n_nodes(&self) -> usize {
        self.forest.n_nodes()
    }

    /// Predicts the mean of the trees' leaves.
    ///
    /// # Shapes
    /// records `[n_rows, ..]`, returns `[n_rows]`
    ///
    /// # Errors
    /// [`MlError::FeatureMissing`] and [`MlError::NotFinite`].
    pub fn predict(&self, records: &Records) -> Result<Array1<f64>, MlError> {
        Ok(Array1::from_vec(self.forest.predict(records)?))
    }
}

impl Regressor for ForestRegressor {
    fn predict(&self, records: &Records) -> Result<Array1<f64>, MlError> {
        ForestRegressor::predict(self, records)
    }

    fn trained_on(&self) -> Option<&Origin> {
        self.trained_on.as_ref()
    }
}

/// Fits a random forest that predicts classes.
///
/// Splits are chosen by Gini impurity among up to 255 bins per feature, most of about equally many
/// rows, some of equal width; a feature of up to 255 distinct values loses nothing by that. The same dataset, options and seed
/// give the same forest on any number of threads.
///
/// # Shapes
/// records `[n_rows, n_features]`, at least one of each
///
/// # Errors
/// [`MlError::NoRows`], [`MlError::NoFeatures`], [`MlError::NotFinite`] with row and column,
/// [`MlError::InvalidOption`] and [`MlError::OutOfBagWithoutBootstrap`].
///
/// # Source
/// Breiman, Random Forests, 2001; options, defaults, stopping rules, probabilities and importances
/// as `RandomForestClassifier` of scikit-learn 1.9, weights included: rows of weight 0 are left out,
/// the bootstrap draws others as often as without weights. `ClassWeights::Balanced` takes weights of
/// rows into account, other than there. Missing values are refused, other than there.
pub fn fit_forest_classifier(
    train: &impl FitWeighted<ClassificationDataset>,
    options: &ForestOptions,
) -> Result<ForestClassifier, MlError> {
    let dataset = train.data();
    dataset.check_for_fit()?;
    let limits = options.limits(dataset.records(), MaxFeatures::Sqrt)?;
    let n_classes = dataset.classes().len();
    let (records, targets, name) = (dataset.records(), dataset.targets(), dataset.target_name());
    let weights = options.class_weights.of_rows(dataset, train.weights())?;
    let (forest, out_of_bag, targets) = match weights {
        None => {
            let criterion = Gini { n_classes };
            let grown = Forest::grow(records, name, targets, criterion, limits, options);
            (grown.0, grown.1, targets.to_vec())
        }
        Some(weights) => {
            check_sums(&weights)?;
            let (records, targets) = counting_rows(records, targets, &weights);
            let criterion = WeightedGini { n_classes };
            let grown = Forest::grow(&records, name, &targets, criterion, limits, options);
            let targets = targets.iter().map(|(target, _)| *target);
            (grown.0, grown.1, targets.collect())
        }
    };
    let out_of_bag_accuracy = out_of_bag.and_then(|out_of_bag| {
        let (mut n_rows, mut n_right) = (0, 0);
        for (row, shares) in out_of_bag.rows(forest.width) {
            let right = shares[targets[row] as usize];
            // Of equally probable classes the first is the prediction.
            let is_right = shares.iter().enumerate().all(|(class, share)| {
                if class < targets[row] as usize {
                    *share < right
                } else {
                    *share <= right
                }
            });
            n_rows += 1;
            n_right += usize::from(is_right);
        }
        (n_rows > 0).then(|| n_right as f64 / n_rows as f64)
    });
    Ok(ForestClassifier {
        forest,
        classes: dataset.classes().to_vec(),
        out_of_bag_accuracy,
        trained_on: train.origin().cloned(),
    })
}

/// Fits a random forest that predicts numbers.
///
/// As [`fit_forest_classifier`], with the variance in place of the Gini impurity, and all features
/// looked at for each split unless told otherwise.
///
/// # Errors
/// As [`fit_forest_classifier`]; [`MlError::NotFinite`] also for a target.
///
/// # Source
/// As [`fit_forest_classifier`], and `RandomForestRegressor`.
pub fn fit_forest_regressor(
    train: &impl FitWeighted<Dataset>,
    options: &ForestOptions,
) -> Result<ForestRegressor, MlError> {
    options.class_weights.check_equal()?;
    let dataset = train.data();
    dataset.check_for_fit()?;
    let limits = options.limits(dataset.records(), MaxFeatures::All)?;
    let (records, name) = (dataset.records(), dataset.target_name());
    let (forest, out_of_bag, all_targets) = match train.weights() {
        None => {
            let (criterion, centred) = Variance::around_mean(dataset.targets());
            let grown = Forest::grow(records, name, &centred, criterion, limits, options);
            (grown.0, grown.1, dataset.targets().to_vec())
        }
        Some(weights) => {
            check_sums(weights)?;
            let targets = dataset.targets().to_vec();
            let (records, mut pairs) = counting_rows(records, &targets, weights);
            let targets = pairs.iter().map(|(target, _)| *target).collect();
            let criterion = WeightedVariance::around_mean(&mut pairs);
            let grown = Forest::grow(&records, name, &pairs, criterion, limits, options);
            (grown.0, grown.1, targets)
        }
    };
    let out_of_bag_r2 = out_of_bag.and_then(|out_of_bag| {
        let (rows, predictions): (Vec<usize>, Vec<Vec<f64>>) = out_of_bag.rows(1).unzip();
        let predictions: Array1<f64> = predictions.concat().into();
        let targets: Array1<f64> = rows.iter().map(|row| all_targets[*row]).collect();
        metric::r2_score(targets.view(), predictions.view())
            .ok()
            .filter(|r2| !r2.is_nan())
    });
    Ok(ForestRegressor {
        forest,
        out_of_bag_r2,
        trained_on: train.origin().cloned(),
    })
}

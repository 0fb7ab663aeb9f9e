//! Single decision trees: forests of one, which see each row once and look at all features.

use ndarray::{Array1, Array2};
use serde::{Deserialize, Serialize};

use super::criterion::{Criterion, Gini, Variance};
use super::ensemble::{Forest, UnsoundForest};
use super::options::{ForestOptions, MaxFeatures};
use super::weighted::{WeightedGini, WeightedVariance, check_sums, counting_rows};
use crate::dataset::{ClassLabel, ClassificationDataset, Dataset, Records};
use crate::error::MlError;
use crate::evaluation::{ClassPredictions, Classifier, Regressor, first_greatest};
use crate::splitting::Origin;
use crate::weights::{ClassWeights, FitWeighted};

/// How to grow a decision tree; defaults as `DecisionTreeClassifier` and `DecisionTreeRegressor` of
/// scikit-learn.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct TreeOptions {
    /// Splits from the root to a leaf at most. Default: no limit.
    pub max_depth: Option<usize>,
    /// Rows that a node needs to be split, at least 2. Default: 2.
    pub min_samples_split: usize,
    /// Rows that each side of a split must keep, at least 1. Default: 1.
    pub min_samples_leaf: usize,
    /// Features that each split chooses from. Default: all.
    pub max_features: Option<MaxFeatures>,
    /// Decides between equally good splits, and which features a split chooses from. Default: 0.
    pub seed: u64,
    /// How much the rows of each class count; for classes only. Default: the same.
    pub class_weights: ClassWeights,
}

impl Default for TreeOptions {
    fn default() -> Self {
        Self {
            max_depth: None,
            min_samples_split: 2,
            min_samples_leaf: 1,
            max_features: None,
            seed: 0,
            class_weights: ClassWeights::Equal,
        }
    }
}

impl TreeOptions {
    /// Refuses what is out of range whatever the data.
    pub(crate) fn check(&self) -> Result<(), MlError> {
        self.of_forest().check()
    }

    /// The options of a forest of one tree.
    fn of_forest(&self) -> ForestOptions {
        ForestOptions {
            n_trees: 1,
            max_depth: self.max_depth,
            min_samples_split: self.min_samples_split,
            min_samples_leaf: self.min_samples_leaf,
            max_features: self.max_features,
            bootstrap: false,
            out_of_bag_score: false,
            seed: self.seed,
            class_weights: self.class_weights.clone(),
        }
    }
}

/// A decision tree that predicts classes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "RawTreeClassifier")]
pub struct TreeClassifier {
    forest: Forest,
    classes: Vec<ClassLabel>,
    trained_on: Option<Origin>,
}

#[derive(Deserialize)]
struct RawTreeClassifier {
    forest: Forest,
    classes: Vec<ClassLabel>,
    trained_on: Option<Origin>,
}

impl TryFrom<RawTreeClassifier> for TreeClassifier {
    type Error = UnsoundForest;

    fn try_from(raw: RawTreeClassifier) -> Result<Self, UnsoundForest> {
        let RawTreeClassifier {
            forest,
            classes,
            trained_on,
        } = raw;
        if forest.width != classes.len() || forest.trees.len() != 1 {
            return Err(UnsoundForest);
        }
        Ok(Self {
            forest,
            classes,
            trained_on,
        })
    }
}

/// A decision tree that predicts numbers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "RawTreeRegressor")]
pub struct TreeRegressor {
    forest: Forest,
    trained_on: Option<Origin>,
}

#[derive(Deserialize)]
struct RawTreeRegressor {
    forest: Forest,
    trained_on: Option<Origin>,
}

impl TryFrom<RawTreeRegressor> for TreeRegressor {
    type Error = UnsoundForest;

    fn try_from(raw: RawTreeRegressor) -> Result<Self, UnsoundForest> {
        let RawTreeRegressor { forest, trained_on } = raw;
        if forest.width != 1 || forest.trees.len() != 1 {
            return Err(UnsoundForest);
        }
        Ok(Self { forest, trained_on })
    }
}

macro_rules! tree_facts {
    ($name:ident, $impurity:literal) => {
        impl $name {
            pub(crate) fn forest(&self) -> &Forest {
                &self.forest
            }

            /// The names of the features, in the order of the importances.
            pub fn feature_names(&self) -> &[String] {
                &self.forest.feature_names
            }

            /// The name of the column to predict.
            pub fn target_name(&self) -> &str {
                &self.forest.target_name
            }

            #[doc = $impurity]
            pub fn importances(&self) -> &[f64] {
                &self.forest.importances
            }

            /// Number of leaves.
            pub fn n_leaves(&self) -> usize {
                self.forest.trees[0].n_leaves()
            }

            /// Number of nodes, leaves included.
            pub fn n_nodes(&self) -> usize {
                self.forest.n_nodes()
            }

            /// Splits from the root to the lowest leaf.
            pub fn depth(&self) -> usize {
                self.forest.trees[0].depth()
            }

            /// Where the rows are from that the tree was fitted to, if it was the train side of a
            /// split.
            pub fn trained_on(&self) -> Option<&Origin> {
                self.trained_on.as_ref()
            }
        }
    };
}

tree_facts!(
    TreeClassifier,
    "The share of the reduction of Gini impurity that each feature brought; they add up to 1, or are
    all 0 if nothing was split."
);
tree_facts!(
    TreeRegressor,
    "The share of the reduction of variance that each feature brought; they add up to 1, or are all
    0 if nothing was split."
);

impl TreeClassifier {
    /// The classes, sorted.
    pub fn classes(&self) -> &[ClassLabel] {
        &self.classes
    }

    /// Predicts the probability of each class: its share of the rows in the leaf.
    ///
    /// # Shapes
    /// records `[n_rows, ..]`, returns `[n_rows, n_classes]`
    ///
    /// # Errors
    /// [`MlError::FeatureMissing`] and [`MlError::NotFinite`].
    pub fn predict_probabilities(&self, records: &Records) -> Result<Array2<f64>, MlError> {
        let shares = self.forest.predict(records)?;
        Ok(
            Array2::from_shape_vec((records.n_rows(), self.classes.len()), shares)
                .expect("one share was made per row and class"),
        )
    }

    /// Predicts the most probable class of each row, with the probabilities.
    ///
    /// # Errors
    /// As [`predict_probabilities`](Self::predict_probabilities).
    pub fn predict(&self, records: &Records) -> Result<ClassPredictions, MlError> {
        Classifier::predict(self, records)
    }

    /// The tree as text: a line per branch, with thresholds of so many decimals, and the class of
    /// each leaf. As `export_text` of scikit-learn, without its limit of depth.
    pub fn to_text(&self, decimals: usize) -> String {
        let class_of = |shares: &[f64]| format!("class: {}", self.classes[first_greatest(shares)]);
        self.forest.to_text(decimals, class_of)
    }
}

impl Classifier for TreeClassifier {
    fn classes(&self) -> &[ClassLabel] {
        &self.classes
    }

    fn predict_probabilities(&self, records: &Records) -> Result<Array2<f64>, MlError> {
        TreeClassifier::predict_probabilities(self, records)
    }

    fn trained_on(&self) -> Option<&Origin> {
        self.trained_on.as_ref()
    }
}

impl TreeRegressor {
    /// Predicts the mean target of the rows in the leaf.
    ///
    /// # Shapes
    /// records `[n_rows, ..]`, returns `[n_rows]`
    ///
    /// # Errors
    /// [`MlError::FeatureMissing`] and [`MlError::NotFinite`].
    pub fn predict(&self, records: &Records) -> Result<Array1<f64>, MlError> {
        Ok(Array1::from_vec(self.forest.predict(records)?))
    }

    /// The tree as text: a line per branch, with thresholds of so many decimals, and the mean of
    /// each leaf. As `export_text` of scikit-learn, without its limit of depth.
    pub fn to_text(&self, decimals: usize) -> String {
        let mean_of = |values: &[f64]| format!("value: [{:.decimals$}]", values[0]);
        self.forest.to_text(decimals, mean_of)
    }
}

impl Regressor for TreeRegressor {
    fn predict(&self, records: &Records) -> Result<Array1<f64>, MlError> {
        TreeRegressor::predict(self, records)
    }

    fn trained_on(&self) -> Option<&Origin> {
        self.trained_on.as_ref()
    }
}

/// Fits a decision tree that predicts classes.
///
/// Splits are chosen by Gini impurity among up to 255 bins per feature; a feature of up to 255
/// distinct values loses nothing by that. How close the values of a feature are to each other does
/// not matter. The same dataset, options and seed give the same tree.
///
/// # Shapes
/// records `[n_rows, n_features]`, at least one of each
///
/// # Errors
/// [`MlError::InvalidOption`]; [`MlError::NoRows`], [`MlError::NoFeatures`]; [`MlError::NotFinite`]
/// with row and column.
///
/// # Source
/// Breiman and others, Classification and Regression Trees, 1984; options, defaults and stopping
/// rules as `DecisionTreeClassifier` of scikit-learn 1.9, weights included: they decide purity and
/// shares, not the least numbers of rows. Missing values are refused, other than there.
///
/// # Examples
/// ```
/// use orch_ml::{ClassificationDataset, Records, TreeOptions, fit_tree_classifier, ndarray::array};
///
/// let records = Records::new(array![[30.0], [40.0], [120.0]], ["size"])?;
/// let dataset = ClassificationDataset::new(records, ["flat", "flat", "house"], "kind")?;
/// let tree = fit_tree_classifier(&dataset, &TreeOptions::default())?;
/// assert_eq!(tree.to_text(1), "\
/// |--- size <= 80.0
/// |   |--- class: flat
/// |--- size >  80.0
/// |   |--- class: house
/// ");
/// # Ok::<(), orch_ml::MlError>(())
/// ```
pub fn fit_tree_classifier(
    train: &impl FitWeighted<ClassificationDataset>,
    options: &TreeOptions,
) -> Result<TreeClassifier, MlError> {
    options.check()?;
    let dataset = train.data();
    dataset.check_for_fit()?;
    let (records, targets, name) = (dataset.records(), dataset.targets(), dataset.target_name());
    let n_classes = dataset.classes().len();
    let forest = match options.class_weights.of_rows(dataset, train.weights())? {
        None => grow(records, name, targets, Gini { n_classes }, options)?,
        Some(weights) => {
            check_sums(&weights)?;
            let (records, targets) = counting_rows(records, targets, &weights);
            let criterion = WeightedGini { n_classes };
            grow(&records, name, &targets, criterion, options)?
        }
    };
    Ok(TreeClassifier {
        forest,
        classes: dataset.classes().to_vec(),
        trained_on: train.origin().cloned(),
    })
}

/// Fits a decision tree that predicts numbers.
///
/// As [`fit_tree_classifier`], with the variance in place of the Gini impurity.
///
/// # Errors
/// As [`fit_tree_classifier`]; [`MlError::NotFinite`] also for a target.
///
/// # Source
/// As [`fit_tree_classifier`], and `DecisionTreeRegressor`.
pub fn fit_tree_regressor(
    train: &impl FitWeighted<Dataset>,
    options: &TreeOptions,
) -> Result<TreeRegressor, MlError> {
    options.check()?;
    options.class_weights.check_equal()?;
    let dataset = train.data();
    dataset.check_for_fit()?;
    let (records, name) = (dataset.records(), dataset.target_name());
    let forest = match train.weights() {
        None => {
            let (criterion, centred) = Variance::around_mean(dataset.targets());
            grow(records, name, &centred, criterion, options)?
        }
        Some(weights) => {
            check_sums(weights)?;
            let targets = dataset.targets().to_vec();
            let (records, mut targets) = counting_rows(records, &targets, weights);
            let criterion = WeightedVariance::around_mean(&mut targets);
            grow(&records, name, &targets, criterion, options)?
        }
    };
    Ok(TreeRegressor {
        forest,
        trained_on: train.origin().cloned(),
    })
}

fn grow<C: Criterion>(
    records: &Records,
    target_name: &str,
    targets: &[C::Target],
    criterion: C,
    options: &TreeOptions,
) -> Result<Forest, MlError> {
    let options = options.of_forest();
    let limits = options.limits(records, MaxFeatures::All)?;
    let (forest, _) = Forest::grow(records, target_name, targets, criterion, limits, &options);
    Ok(forest)
}

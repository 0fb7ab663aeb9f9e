//! What was fitted, of whichever kind.

use serde::{Deserialize, Serialize};

use super::Model;
use crate::boosting::{BoostedClassifier, BoostedRegressor};
use crate::clustering::KMeansModel;
use crate::dataset::ClassLabel;
use crate::error::MlError;
use crate::evaluation::{Classifier, Regressor};
use crate::forest::{ForestClassifier, ForestRegressor, TreeClassifier, TreeRegressor};
use crate::linfa_tree::LinfaTree;
use crate::splitting::Origin;
use crate::training::{
    DiscreteBayesModel, ElasticNetModel, LinearModel, LinearSvm, LogisticModel, NaiveBayesModel,
    RidgeModel,
};

/// What was fitted: any of the models of this crate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
// The order is part of the file format: new kinds go to the end.
pub enum Algorithm {
    /// A linear regression.
    Linear(LinearModel),
    /// A random forest that predicts classes.
    ForestClassifier(ForestClassifier),
    /// A random forest that predicts numbers.
    ForestRegressor(ForestRegressor),
    /// A ridge regression.
    Ridge(RidgeModel),
    /// An elastic net or lasso.
    ElasticNet(ElasticNetModel),
    /// A logistic regression.
    Logistic(LogisticModel),
    /// A Gaussian naive Bayes model.
    NaiveBayes(NaiveBayesModel),
    /// A decision tree that predicts classes.
    TreeClassifier(TreeClassifier),
    /// A decision tree that predicts numbers.
    TreeRegressor(TreeRegressor),
    /// A decision tree of linfa-trees.
    LinfaTree(LinfaTree),
    /// Clusters found by k-means.
    KMeans(KMeansModel),
    /// A linear support vector machine.
    LinearSvm(LinearSvm),
    /// Boosted trees that predict classes.
    BoostedClassifier(BoostedClassifier),
    /// Boosted trees that predict numbers.
    BoostedRegressor(BoostedRegressor),
    /// A naive Bayes model of counts, or of what is there or not.
    DiscreteBayes(DiscreteBayesModel),
}

/// What can be asked of a fitted model.
pub(super) enum Ability<'a> {
    Numbers(&'a dyn Regressor),
    Classes(&'a dyn Classifier),
    Clusters(&'a KMeansModel),
}

/// Does the same with the model of any kind.
macro_rules! with_fitted {
    ($self:expr, $model:ident => $result:expr) => {
        match $self {
            Algorithm::Linear($model) => $result,
            Algorithm::ForestClassifier($model) => $result,
            Algorithm::ForestRegressor($model) => $result,
            Algorithm::Ridge($model) => $result,
            Algorithm::ElasticNet($model) => $result,
            Algorithm::Logistic($model) => $result,
            Algorithm::NaiveBayes($model) => $result,
            Algorithm::TreeClassifier($model) => $result,
            Algorithm::TreeRegressor($model) => $result,
            Algorithm::LinfaTree($model) => $result,
            Algorithm::KMeans($model) => $result,
            Algorithm::LinearSvm($model) => $result,
            Algorithm::BoostedClassifier($model) => $result,
            Algorithm::BoostedRegressor($model) => $result,
            Algorithm::DiscreteBayes($model) => $result,
        }
    };
}

impl Algorithm {
    /// The kind of model, in words.
    pub fn kind(&self) -> &'static str {
        match self {
            Algorithm::Linear(_) => "linear model",
            Algorithm::ForestClassifier(_) => "forest classifier",
            Algorithm::ForestRegressor(_) => "forest regressor",
            Algorithm::Ridge(_) => "ridge model",
            Algorithm::ElasticNet(_) => "elastic net",
            Algorithm::Logistic(_) => "logistic model",
            Algorithm::NaiveBayes(_) => "naive Bayes model",
            Algorithm::TreeClassifier(_) => "tree classifier",
            Algorithm::TreeRegressor(_) => "tree regressor",
            Algorithm::LinfaTree(_) => "linfa tree",
            Algorithm::KMeans(_) => "k-means model",
            Algorithm::LinearSvm(_) => "linear support vector machine",
            Algorithm::BoostedClassifier(_) => "boosted classifier",
            Algorithm::BoostedRegressor(_) => "boosted regressor",
            Algorithm::DiscreteBayes(_) => "discrete naive Bayes model",
        }
    }

    /// The names of the features that it was fitted to, in order.
    pub fn feature_names(&self) -> &[String] {
        with_fitted!(self, model => model.feature_names())
    }

    /// Where the rows are from that it was fitted to, if they were the train side of a split.
    pub fn trained_on(&self) -> Option<&Origin> {
        with_fitted!(self, model => model.trained_on())
    }

    /// The name of what is predicted; none of clusters.
    pub fn target_name(&self) -> Option<&str> {
        Some(match self {
            Algorithm::Linear(model) => model.target_name(),
            Algorithm::ForestClassifier(model) => model.target_name(),
            Algorithm::ForestRegressor(model) => model.target_name(),
            Algorithm::Ridge(model) => model.target_name(),
            Algorithm::ElasticNet(model) => model.target_name(),
            Algorithm::Logistic(model) => model.target_name(),
            Algorithm::NaiveBayes(model) => model.target_name(),
            Algorithm::TreeClassifier(model) => model.target_name(),
            Algorithm::TreeRegressor(model) => model.target_name(),
            Algorithm::LinfaTree(model) => model.target_name(),
            Algorithm::LinearSvm(model) => model.target_name(),
            Algorithm::BoostedClassifier(model) => model.target_name(),
            Algorithm::BoostedRegressor(model) => model.target_name(),
            Algorithm::DiscreteBayes(model) => model.target_name(),
            Algorithm::KMeans(_) => return None,
        })
    }

    /// The classes that are told apart, sorted, if classes are predicted.
    pub fn classes(&self) -> Option<&[ClassLabel]> {
        match self.ability() {
            Ability::Classes(model) => Some(model.classes()),
            Ability::Numbers(_) | Ability::Clusters(_) => None,
        }
    }

    pub(super) fn ability(&self) -> Ability<'_> {
        match self {
            Algorithm::Linear(model) => Ability::Numbers(model),
            Algorithm::ForestRegressor(model) => Ability::Numbers(model),
            Algorithm::Ridge(model) => Ability::Numbers(model),
            Algorithm::ElasticNet(model) => Ability::Numbers(model),
            Algorithm::TreeRegressor(model) => Ability::Numbers(model),
            Algorithm::ForestClassifier(model) => Ability::Classes(model),
            Algorithm::Logistic(model) => Ability::Classes(model),
            Algorithm::NaiveBayes(model) => Ability::Classes(model),
            Algorithm::TreeClassifier(model) => Ability::Classes(model),
            Algorithm::LinfaTree(model) => Ability::Classes(model),
            Algorithm::LinearSvm(model) => Ability::Classes(model),
            Algorithm::BoostedClassifier(model) => Ability::Classes(model),
            Algorithm::BoostedRegressor(model) => Ability::Numbers(model),
            Algorithm::DiscreteBayes(model) => Ability::Classes(model),
            Algorithm::KMeans(model) => Ability::Clusters(model),
        }
    }

    /// What it consists of, in a few words.
    pub(super) fn size(&self) -> String {
        match self {
            Algorithm::Linear(model) => coefficients(model.coefficients().len()),
            Algorithm::Ridge(model) => coefficients(model.coefficients().len()),
            Algorithm::ElasticNet(model) => {
                let used = model.coefficients().iter().filter(|slope| **slope != 0.0);
                let all = coefficients(model.coefficients().len());
                format!("{all}, {} of them not 0", used.count())
            }
            Algorithm::Logistic(model) => coefficients(model.coefficients().len()),
            Algorithm::LinearSvm(model) => coefficients(model.coefficients().len()),
            Algorithm::NaiveBayes(model) => count(model.means().len(), "mean"),
            Algorithm::DiscreteBayes(model) => count(model.probabilities().len(), "probability"),
            Algorithm::BoostedClassifier(model) => trees(model.n_trees(), model.n_nodes()),
            Algorithm::BoostedRegressor(model) => trees(model.n_trees(), model.n_nodes()),
            Algorithm::ForestClassifier(model) => trees(model.n_trees(), model.n_nodes()),
            Algorithm::ForestRegressor(model) => trees(model.n_trees(), model.n_nodes()),
            Algorithm::TreeClassifier(model) => leaves(model.n_leaves(), model.depth()),
            Algorithm::TreeRegressor(model) => leaves(model.n_leaves(), model.depth()),
            Algorithm::LinfaTree(model) => count(model.n_leaves(), "leaf"),
            Algorithm::KMeans(model) => count(model.centroids().nrows(), "cluster"),
        }
    }
}

fn coefficients(n: usize) -> String {
    count(n, "coefficient")
}

fn trees(n_trees: usize, n_nodes: usize) -> String {
    format!("{}, {}", count(n_trees, "tree"), count(n_nodes, "node"))
}

fn leaves(n_leaves: usize, depth: usize) -> String {
    format!("{}, depth {depth}", count(n_leaves, "leaf"))
}

/// A number with its noun.
pub(super) fn count(n: usize, noun: &str) -> String {
    match (n, noun) {
        (1, _) => format!("1 {noun}"),
        (_, "leaf") => format!("{n} leaves"),
        (_, "probability") => format!("{n} probabilities"),
        _ => format!("{n} {noun}s"),
    }
}

macro_rules! conversions {
    ($($variant:ident, $type:ty, $kind:literal;)*) => {$(
        impl From<$type> for Algorithm {
            fn from(model: $type) -> Self {
                Algorithm::$variant(model)
            }
        }

        impl From<$type> for Model {
            fn from(model: $type) -> Self {
                Model::new(model)
            }
        }

        impl TryFrom<Algorithm> for $type {
            type Error = MlError;

            fn try_from(algorithm: Algorithm) -> Result<Self, MlError> {
                match algorithm {
                    Algorithm::$variant(model) => Ok(model),
                    other => Err(MlError::WrongModelKind { expected: $kind, found: other.kind() }),
                }
            }
        }

        /// What was fitted, without what goes with it.
        impl TryFrom<Model> for $type {
            type Error = MlError;

            fn try_from(model: Model) -> Result<Self, MlError> {
                model.into_algorithm().try_into()
            }
        }
    )*};
}

conversions! {
    Linear, LinearModel, "linear model";
    ForestClassifier, ForestClassifier, "forest classifier";
    ForestRegressor, ForestRegressor, "forest regressor";
    Ridge, RidgeModel, "ridge model";
    ElasticNet, ElasticNetModel, "elastic net";
    Logistic, LogisticModel, "logistic model";
    NaiveBayes, NaiveBayesModel, "naive Bayes model";
    TreeClassifier, TreeClassifier, "tree classifier";
    TreeRegressor, TreeRegressor, "tree regressor";
    LinfaTree, LinfaTree, "linfa tree";
    KMeans, KMeansModel, "k-means model";
    LinearSvm, LinearSvm, "linear support vector machine";
    BoostedClassifier, BoostedClassifier, "boosted classifier";
    BoostedRegressor, BoostedRegressor, "boosted regressor";
    DiscreteBayes, DiscreteBayesModel, "discrete naive Bayes model";
}

//! Gradient boosting. Models keep nodes of our own: a file that holds one is read also by a build
//! without the feature `boosting`, which only fitting needs.

mod ensemble;
#[cfg(feature = "boosting")]
mod fitting;
mod options;
#[cfg(feature = "boosting")]
mod rounds;

use ndarray::{Array1, Array2};
use serde::{Deserialize, Serialize};

use self::ensemble::{Ensemble, UnsoundEnsemble};
#[cfg(feature = "boosting")]
pub use self::fitting::{fit_boosted_classifier, fit_boosted_regressor};
pub use self::options::BoostingOptions;
use crate::dataset::{ClassLabel, Records};
use crate::error::MlError;
use crate::evaluation::{ClassPredictions, Classifier, Regressor};
use crate::prediction::{sigmoid, soft_max};
use crate::splitting::Origin;

/// Boosted trees that predict classes; made by `fit_boosted_classifier` with the feature `boosting`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "RawBoostedClassifier")]
pub struct BoostedClassifier {
    ensemble: Ensemble,
    classes: Vec<ClassLabel>,
    trained_on: Option<Origin>,
}

#[derive(Deserialize)]
struct RawBoostedClassifier {
    ensemble: Ensemble,
    classes: Vec<ClassLabel>,
    trained_on: Option<Origin>,
}

impl TryFrom<RawBoostedClassifier> for BoostedClassifier {
    type Error = UnsoundEnsemble;

    fn try_from(raw: RawBoostedClassifier) -> Result<Self, UnsoundEnsemble> {
        let RawBoostedClassifier {
            ensemble,
            classes,
            trained_on,
        } = raw;
        if classes.len() < 2 || ensemble.width() != width_for(classes.len()) {
            return Err(UnsoundEnsemble);
        }
        Ok(Self {
            ensemble,
            classes,
            trained_on,
        })
    }
}

/// Scores that are learned for so many classes: of two, the second has one, against the first.
fn width_for(n_classes: usize) -> usize {
    if n_classes == 2 { 1 } else { n_classes }
}

/// Boosted trees that predict numbers; made by `fit_boosted_regressor` with the feature `boosting`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "RawBoostedRegressor")]
pub struct BoostedRegressor {
    ensemble: Ensemble,
    trained_on: Option<Origin>,
}

#[derive(Deserialize)]
struct RawBoostedRegressor {
    ensemble: Ensemble,
    trained_on: Option<Origin>,
}

impl TryFrom<RawBoostedRegressor> for BoostedRegressor {
    type Error = UnsoundEnsemble;

    fn try_from(raw: RawBoostedRegressor) -> Result<Self, UnsoundEnsemble> {
        let RawBoostedRegressor {
            ensemble,
            trained_on,
        } = raw;
        if ensemble.width() != 1 {
            return Err(UnsoundEnsemble);
        }
        Ok(Self {
            ensemble,
            trained_on,
        })
    }
}

macro_rules! boosted_facts {
    ($name:ident) => {
        impl $name {
            /// The names of the features, in the order of the importances.
            pub fn feature_names(&self) -> &[String] {
                &self.ensemble.feature_names
            }

            /// The name of the column to predict.
            pub fn target_name(&self) -> &str {
                &self.ensemble.target_name
            }

            /// The share of the reduction of the loss that the splits by each feature brought; they
            /// add up to 1, or are all 0 if nothing was split.
            pub fn importances(&self) -> &[f64] {
                &self.ensemble.importances
            }

            /// Number of trees: one for each round, or one for each round and class if there are
            /// three classes or more.
            pub fn n_trees(&self) -> usize {
                self.ensemble.n_trees()
            }

            /// Number of nodes of all trees, leaves included.
            pub fn n_nodes(&self) -> usize {
                self.ensemble.n_nodes()
            }

            /// Where the rows are from that the model was fitted to, if it was the train side of a
            /// split.
            pub fn trained_on(&self) -> Option<&Origin> {
                self.trained_on.as_ref()
            }
        }
    };
}

boosted_facts!(BoostedClassifier);
boosted_facts!(BoostedRegressor);

impl BoostedClassifier {
    /// The classes, sorted.
    pub fn classes(&self) -> &[ClassLabel] {
        &self.classes
    }

    /// Predicts the probability of each class. A feature may be NaN, which is a missing value.
    ///
    /// # Shapes
    /// records `[n_rows, ..]`, returns `[n_rows, n_classes]`
    ///
    /// # Errors
    /// [`MlError::FeatureMissing`], and [`MlError::NotFinite`] for infinity.
    pub fn predict_probabilities(&self, records: &Records) -> Result<Array2<f64>, MlError> {
        let n_classes = self.classes.len();
        let cells = self.ensemble.predict(records, n_classes, |scores, row| {
            row[..scores.len()].copy_from_slice(scores);
            if let [score] = *scores {
                row[1] = sigmoid(score);
                row[0] = 1.0 - row[1];
            } else {
                soft_max(row);
            }
        })?;
        Ok(Array2::from_shape_vec((records.n_rows(), n_classes), cells)
            .expect("one probability was made per row and class"))
    }

    /// Predicts the most probable class of each row, with the probabilities.
    ///
    /// # Errors
    /// As [`predict_probabilities`](Self::predict_probabilities).
    pub fn predict(&self, records: &Records) -> Result<ClassPredictions, MlError> {
        Classifier::predict(self, records)
    }
}

impl Classifier for BoostedClassifier {
    fn classes(&self) -> &[ClassLabel] {
        &self.classes
    }

    fn predict_probabilities(&self, records: &Records) -> Result<Array2<f64>, MlError> {
        BoostedClassifier::predict_probabilities(self, records)
    }

    fn trained_on(&self) -> Option<&Origin> {
        self.trained_on.as_ref()
    }
}

impl BoostedRegressor {
    /// Predicts one number per row. A feature may be NaN, which is a missing value.
    ///
    /// # Shapes
    /// records `[n_rows, ..]`, returns `[n_rows]`
    ///
    /// # Errors
    /// [`MlError::FeatureMissing`], and [`MlError::NotFinite`] for infinity.
    pub fn predict(&self, records: &Records) -> Result<Array1<f64>, MlError> {
        let numbers = self
            .ensemble
            .predict(records, 1, |scores, row| row.copy_from_slice(scores))?;
        Ok(Array1::from_vec(numbers))
    }
}

impl Regressor for BoostedRegressor {
    fn predict(&self, records: &Records) -> Result<Array1<f64>, MlError> {
        BoostedRegressor::predict(self, records)
    }

    fn trained_on(&self) -> Option<&Origin> {
        self.trained_on.as_ref()
    }
}

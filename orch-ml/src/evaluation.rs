//! Models against rows they have not seen.

mod bootstrap;
mod classification;
mod comparison;
mod distributions;
mod importance;
mod named;
mod outcomes;
mod partial_dependence;
mod predictions;
mod regression;
mod report;
mod slices;

use ndarray::{Array1, Array2};

pub use self::bootstrap::{
    BootstrapDifference, BootstrapInterval, BootstrapOptions, bootstrap_interval, paired_bootstrap,
};
pub use self::classification::{ClassMetrics, ClassificationMetrics, evaluate_classification};
pub use self::comparison::{
    McNemar, McNemarMethod, PairedT, SignedRank, mcnemar_test, paired_t_test, wilcoxon_test,
};
pub use self::importance::{
    FeatureImportance, PermutationImportance, PermutationOptions, classification_importance,
    permutation_importance, regression_importance,
};
pub use self::outcomes::ClassOutcomes;
pub use self::partial_dependence::{
    ClassPartialDependence, GridOptions, PartialDependence, class_partial_dependence,
    partial_dependence,
};
pub use self::predictions::ClassPredictions;
pub(crate) use self::predictions::first_greatest;
pub use self::regression::{RegressionMetrics, evaluate_regression};
pub(crate) use self::report::number_text;
pub use self::slices::{classification_by_slice, metrics_by_slice, regression_by_slice};
use crate::dataset::{ClassLabel, Records};
use crate::error::MlError;
use crate::splitting::Origin;

/// A model that predicts a number for each row.
pub trait Regressor {
    /// Predicts one number per row.
    ///
    /// # Shapes
    /// records `[n_rows, ..]`, returns `[n_rows]`
    ///
    /// # Errors
    /// [`MlError::FeatureMissing`] if the records lack a feature of the model, whose order does
    /// not matter, and [`MlError::NotFinite`].
    fn predict(&self, records: &Records) -> Result<Array1<f64>, MlError>;

    /// Where the rows are from that the model was fitted to, if it knows.
    fn trained_on(&self) -> Option<&Origin> {
        None
    }
}

/// A model that predicts a class for each row.
pub trait Classifier {
    /// The classes that the model knows, in the order of the columns of
    /// [`predict_probabilities`](Self::predict_probabilities).
    fn classes(&self) -> &[ClassLabel];

    /// Where the rows are from that the model was fitted to, if it knows.
    fn trained_on(&self) -> Option<&Origin> {
        None
    }

    /// Predicts the probability of each class.
    ///
    /// # Shapes
    /// records `[n_rows, ..]`, returns `[n_rows, n_classes]`
    ///
    /// # Errors
    /// As [`Regressor::predict`].
    fn predict_probabilities(&self, records: &Records) -> Result<Array2<f64>, MlError>;

    /// Predicts the most probable class of each row, the first of them if several are.
    ///
    /// # Errors
    /// As [`Regressor::predict`].
    fn predict(&self, records: &Records) -> Result<ClassPredictions, MlError> {
        Ok(ClassPredictions::from_probabilities(
            self.predict_probabilities(records)?,
            self.classes().to_vec(),
        ))
    }
}

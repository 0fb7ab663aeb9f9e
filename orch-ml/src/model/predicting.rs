//! From raw tables to predictions.

use ndarray::Array2;

use super::algorithm::Ability;
use super::{Algorithm, Model, Predictions, inputs};
use crate::dataset::Records;
use crate::error::MlError;
use crate::features::to_records;
use crate::table::Table;

impl Model {
    /// Predicts for each row of a raw table.
    ///
    /// Columns are found by name, wherever they stand; others are ignored. They then go through the
    /// preprocessing, if there is one.
    ///
    /// # Errors
    /// [`MlError::InputMismatch`] with all columns that the table lacks or has with another type than
    /// the rows fitted to; those of the preprocessing; [`MlError::MissingValue`] and
    /// [`MlError::NotFinite`] with row and column.
    pub fn predict(&self, table: &Table) -> Result<Predictions, MlError> {
        let records = self.to_records(table)?;
        Ok(match self.algorithm.ability() {
            Ability::Numbers(model) => Predictions::Numbers(model.predict(&records)?),
            Ability::Classes(model) => Predictions::Classes(model.predict(&records)?),
            Ability::Clusters(model) => Predictions::Clusters(model.predict(&records)?),
        })
    }

    /// Predicts the probability of each class for each row of a raw table.
    ///
    /// # Shapes
    /// `[n_rows, n_classes]`, in the order of [`classes`](Self::classes)
    ///
    /// # Errors
    /// [`MlError::NoProbabilities`] if the model has none; as [`predict`](Self::predict).
    pub fn predict_probabilities(&self, table: &Table) -> Result<Array2<f64>, MlError> {
        match (&self.algorithm, self.algorithm.ability()) {
            // It tells sides, and the classifier's 0 and 1 for them are no probabilities.
            (Algorithm::LinearSvm(_), _) | (_, Ability::Numbers(_) | Ability::Clusters(_)) => {
                Err(MlError::NoProbabilities { kind: self.kind() })
            }
            (_, Ability::Classes(model)) => model.predict_probabilities(&self.to_records(table)?),
        }
    }

    /// The features of a raw table, as the model learned from them: for what takes records, as
    /// [`evaluate_regression`](crate::evaluate_regression) and importances do.
    ///
    /// # Shapes
    /// `[n_rows, feature_names.len()]`
    ///
    /// # Errors
    /// As [`predict`](Self::predict).
    pub fn to_records(&self, table: &Table) -> Result<Records, MlError> {
        let booleans_are_numbers = self.preprocessor.is_none();
        let mut ready = inputs::select(table, &self.inputs(), booleans_are_numbers)?;
        if let Some(preprocessor) = &self.preprocessor {
            ready = preprocessor.apply(&ready)?;
        }
        to_records(&ready, self.feature_names())
    }
}

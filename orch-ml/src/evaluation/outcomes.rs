//! Predicted classes beside the true ones.

use ndarray::{Array2, Axis};
use serde::{Deserialize, Serialize};

use super::{ClassPredictions, ClassificationMetrics};
use crate::dataset::{ClassLabel, ClassificationDataset};
use crate::error::MlError;
use crate::metric::{ConfusionMatrix, check_codes, check_length, check_pair};

/// Predictions and truth of the same rows, in one numbering of the classes.
///
/// A model and the rows it is tested on may know different classes. Here they are matched by label:
/// the classes of either are there, sorted, and one that the model does not know has probability 0.
/// What the metrics of this crate take, this has.
///
/// # Shapes
/// targets `[n_rows]`, predictions `[n_rows]`, probabilities `[n_rows, n_classes]`, classes
/// `[n_classes]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "RawClassOutcomes")]
pub struct ClassOutcomes {
    targets: Vec<u32>,
    predictions: Vec<u32>,
    probabilities: Array2<f64>,
    classes: Vec<ClassLabel>,
}

#[derive(Deserialize)]
struct RawClassOutcomes {
    targets: Vec<u32>,
    predictions: Vec<u32>,
    probabilities: Array2<f64>,
    classes: Vec<ClassLabel>,
}

impl TryFrom<RawClassOutcomes> for ClassOutcomes {
    type Error = MlError;

    fn try_from(raw: RawClassOutcomes) -> Result<Self, MlError> {
        let (n_rows, n_classes) = (raw.targets.len(), raw.classes.len());
        check_length("the predictions", n_rows, raw.predictions.len())?;
        check_length(
            "the list of probabilities",
            n_rows,
            raw.probabilities.nrows(),
        )?;
        check_length(
            "a row of probabilities",
            n_classes,
            raw.probabilities.ncols(),
        )?;
        check_codes(&raw.targets, n_classes)?;
        check_codes(&raw.predictions, n_classes)?;
        Ok(Self {
            targets: raw.targets,
            predictions: raw.predictions,
            probabilities: raw.probabilities,
            classes: raw.classes,
        })
    }
}

impl ClassOutcomes {
    /// Puts predictions beside the labels of the rows they were made for.
    ///
    /// # Errors
    /// [`MlError::LengthMismatch`] unless there is one prediction per row, and a probability for
    /// each class in it; [`MlError::NoRows`].
    pub fn new(
        predictions: &ClassPredictions,
        test: &ClassificationDataset,
    ) -> Result<Self, MlError> {
        check_pair(test.n_rows(), predictions.codes().len())?;
        let n_classes = predictions.classes().len();
        check_length(
            "a row of probabilities",
            n_classes,
            predictions.probabilities().ncols(),
        )?;
        let mut classes = [predictions.classes(), test.classes()].concat();
        classes.sort();
        classes.dedup();
        let new_codes = |labels: &[ClassLabel]| -> Vec<u32> {
            let position = |label| classes.binary_search(label);
            labels
                .iter()
                .map(|label| position(label).expect("each label is among the classes") as u32)
                .collect()
        };
        let (of_model, of_test) = (new_codes(predictions.classes()), new_codes(test.classes()));
        let mut probabilities = Array2::zeros((test.n_rows(), classes.len()));
        for (column, code) in predictions
            .probabilities()
            .columns()
            .into_iter()
            .zip(&of_model)
        {
            probabilities.column_mut(*code as usize).assign(&column);
        }
        let renamed =
            |codes: &[u32], names: &[u32]| codes.iter().map(|code| names[*code as usize]).collect();
        Ok(Self {
            targets: renamed(test.targets(), &of_test),
            predictions: renamed(predictions.codes(), &of_model),
            probabilities,
            classes,
        })
    }

    /// For each row the position of its true class in [`classes`](Self::classes).
    pub fn targets(&self) -> &[u32] {
        &self.targets
    }

    /// For each row the position of its predicted class in [`classes`](Self::classes).
    pub fn predictions(&self) -> &[u32] {
        &self.predictions
    }

    /// The probabilities of the classes, row by row.
    pub fn probabilities(&self) -> &Array2<f64> {
        &self.probabilities
    }

    /// The classes that the model or the test rows know, sorted.
    pub fn classes(&self) -> &[ClassLabel] {
        &self.classes
    }

    /// Number of rows.
    pub fn n_rows(&self) -> usize {
        self.targets.len()
    }

    /// For each row whether the predicted class is right, as
    /// [`mcnemar_test`](crate::mcnemar_test) takes it.
    pub fn is_right(&self) -> Vec<bool> {
        let pairs = self.targets.iter().zip(&self.predictions);
        pairs.map(|(target, guess)| target == guess).collect()
    }

    /// For each row whether it is of the class at that position, and the probability that was given
    /// to it, as [`roc_curve`](crate::roc_curve) takes them.
    ///
    /// # Errors
    /// [`MlError::InvalidOption`] if there is no class at that position.
    pub fn of_class(&self, class: usize) -> Result<(Vec<bool>, Vec<f64>), MlError> {
        if class >= self.classes.len() {
            return Err(MlError::InvalidOption {
                name: "class",
                value: class.to_string(),
                expected: "a position in the list of classes",
            });
        }
        let targets = self.targets.iter();
        let is_of_class = targets.map(|code| *code as usize == class).collect();
        Ok((is_of_class, self.probabilities.column(class).to_vec()))
    }

    /// The rows of the given indices, in the given order; an index may be repeated.
    ///
    /// # Errors
    /// [`MlError::InvalidOption`] for an index that is not a row.
    pub fn take_rows(&self, rows: &[usize]) -> Result<Self, MlError> {
        if let Some(row_idx) = rows.iter().find(|row_idx| **row_idx >= self.n_rows()) {
            return Err(MlError::InvalidOption {
                name: "rows",
                value: row_idx.to_string(),
                expected: "indices below the number of rows",
            });
        }
        let taken = |codes: &[u32]| rows.iter().map(|row_idx| codes[*row_idx]).collect();
        Ok(Self {
            targets: taken(&self.targets),
            predictions: taken(&self.predictions),
            probabilities: self.probabilities.select(Axis(0), rows),
            classes: self.classes.clone(),
        })
    }

    /// How often each class was predicted for the rows of each class.
    ///
    /// # Errors
    /// As [`ConfusionMatrix::new`].
    pub fn confusion_matrix(&self, weights: Option<&[f64]>) -> Result<ConfusionMatrix, MlError> {
        ConfusionMatrix::new(&self.targets, &self.predictions, &self.classes, weights)
    }

    /// All metrics of the predictions, each row counting by its weight if weights are given.
    ///
    /// # Errors
    /// [`MlError::NoRows`], [`MlError::NotAProbability`], [`MlError::NotFinite`],
    /// [`MlError::LengthMismatch`], and [`MlError::InvalidOption`] for a weight below 0 or only
    /// zeros.
    pub fn metrics(&self, weights: Option<&[f64]>) -> Result<ClassificationMetrics, MlError> {
        ClassificationMetrics::new(self, weights)
    }
}

//! What a classifier says of each row.

use ndarray::Array2;
use serde::{Deserialize, Serialize};

use crate::dataset::ClassLabel;

/// Predicted classes with their probabilities.
///
/// # Shapes
/// codes `[n_rows]`, probabilities `[n_rows, n_classes]`, classes `[n_classes]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClassPredictions {
    codes: Vec<u32>,
    probabilities: Array2<f64>,
    classes: Vec<ClassLabel>,
}

impl ClassPredictions {
    pub(super) fn from_probabilities(probabilities: Array2<f64>, classes: Vec<ClassLabel>) -> Self {
        let codes = probabilities
            .rows()
            .into_iter()
            .map(|row| first_greatest(row) as u32)
            .collect();
        Self {
            codes,
            probabilities,
            classes,
        }
    }

    /// For each row the position of the predicted class in [`classes`](Self::classes).
    pub fn codes(&self) -> &[u32] {
        &self.codes
    }

    /// The probabilities of the classes, row by row.
    pub fn probabilities(&self) -> &Array2<f64> {
        &self.probabilities
    }

    /// The classes that the model knows.
    pub fn classes(&self) -> &[ClassLabel] {
        &self.classes
    }

    /// The predicted label of each row.
    pub fn labels(&self) -> impl Iterator<Item = &ClassLabel> {
        self.codes.iter().map(|code| &self.classes[*code as usize])
    }
}

/// The position of the greatest number, the first if several are.
pub(crate) fn first_greatest<'a>(values: impl IntoIterator<Item = &'a f64>) -> usize {
    let mut best = (0, f64::NEG_INFINITY);
    for (at, value) in values.into_iter().enumerate() {
        if *value > best.1 {
            best = (at, *value);
        }
    }
    best.0
}

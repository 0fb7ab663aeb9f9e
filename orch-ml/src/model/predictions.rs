//! What a model of any kind predicts.

use ndarray::Array1;
use serde::{Deserialize, Serialize};

use crate::dataset::ClassLabel;
use crate::error::MlError;
use crate::evaluation::ClassPredictions;
use crate::table::Column;

/// What a model predicts for each row of a table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Predictions {
    /// A number for each row, `[n_rows]`.
    Numbers(Array1<f64>),
    /// A class for each row.
    Classes(ClassPredictions),
    /// The number of a cluster for each row, from 0 on.
    Clusters(Vec<u32>),
}

impl Predictions {
    /// Number of rows.
    pub fn n_rows(&self) -> usize {
        match self {
            Self::Numbers(numbers) => numbers.len(),
            Self::Classes(classes) => classes.codes().len(),
            Self::Clusters(clusters) => clusters.len(),
        }
    }

    /// The numbers, `[n_rows]`.
    ///
    /// # Errors
    /// [`MlError::OtherPredictions`] if the model predicts classes or clusters.
    pub fn numbers(&self) -> Result<&Array1<f64>, MlError> {
        match self {
            Self::Numbers(numbers) => Ok(numbers),
            _ => Err(self.other("numbers")),
        }
    }

    /// The classes.
    ///
    /// # Errors
    /// [`MlError::OtherPredictions`] if the model predicts numbers or clusters.
    pub fn classes(&self) -> Result<&ClassPredictions, MlError> {
        match self {
            Self::Classes(classes) => Ok(classes),
            _ => Err(self.other("classes")),
        }
    }

    /// The numbers of the clusters, `[n_rows]`.
    ///
    /// # Errors
    /// [`MlError::OtherPredictions`] if the model predicts numbers or classes.
    pub fn clusters(&self) -> Result<&[u32], MlError> {
        match self {
            Self::Clusters(clusters) => Ok(clusters),
            _ => Err(self.other("clusters")),
        }
    }

    fn other(&self, expected: &'static str) -> MlError {
        let found = match self {
            Self::Numbers(_) => "numbers",
            Self::Classes(_) => "classes",
            Self::Clusters(_) => "clusters",
        };
        MlError::OtherPredictions { expected, found }
    }

    /// The predictions as a column: numbers, the labels of classes, or the numbers of clusters.
    pub fn to_column(&self) -> Column {
        match self {
            Self::Numbers(numbers) => numbers.to_vec().into(),
            Self::Clusters(clusters) => {
                let clusters = clusters.iter().map(|cluster| i64::from(*cluster));
                clusters.collect::<Vec<_>>().into()
            }
            Self::Classes(predictions) => labels(predictions),
        }
    }
}

/// Labels as a column of their type; of several types, as text.
fn labels(predictions: &ClassPredictions) -> Column {
    let all = || predictions.labels();
    let flag = |label: &ClassLabel| match label {
        ClassLabel::Boolean(flag) => Some(*flag),
        _ => None,
    };
    let number = |label: &ClassLabel| match label {
        ClassLabel::Integer(number) => Some(*number),
        _ => None,
    };
    let classes = predictions.classes();
    if classes.iter().all(|class| flag(class).is_some()) {
        all().filter_map(flag).collect::<Vec<bool>>().into()
    } else if classes.iter().all(|class| number(class).is_some()) {
        all().filter_map(number).collect::<Vec<i64>>().into()
    } else {
        all().map(ClassLabel::to_string).collect::<Vec<_>>().into()
    }
}

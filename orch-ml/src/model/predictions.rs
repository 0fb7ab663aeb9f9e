//! What a model of any kind predicts.

use std::fmt;

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

    /// How many rows there are of each class or cluster, by its name, in their order; none for numbers.
    fn counts(&self) -> Vec<(String, usize)> {
        let (names, codes): (Vec<String>, &[u32]) = match self {
            Self::Numbers(_) => return Vec::new(),
            Self::Classes(classes) => {
                let names = classes.classes().iter().map(ToString::to_string);
                (names.collect(), classes.codes())
            }
            Self::Clusters(clusters) => {
                let n_clusters = clusters.iter().max().map_or(0, |last| last + 1);
                let names = (0..n_clusters).map(|cluster| format!("cluster {cluster}"));
                (names.collect(), clusters)
            }
        };
        let mut counts: Vec<(String, usize)> = names.into_iter().map(|name| (name, 0)).collect();
        for code in codes {
            counts[*code as usize].1 += 1;
        }
        counts
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

/// How many rows there are of each class or cluster, or between what the numbers are.
impl fmt::Display for Predictions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let n_rows = self.n_rows();
        write!(f, "{n_rows} {}", if n_rows == 1 { "row" } else { "rows" })?;
        if let Self::Numbers(numbers) = self
            && let Some(mean) = numbers.mean()
        {
            let least = numbers.iter().copied().fold(f64::INFINITY, f64::min);
            let most = numbers.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            write!(f, ": {least:.4} to {most:.4}, mean {mean:.4}")?;
        }
        for (position, (name, count)) in self.counts().iter().enumerate() {
            let before = if position == 0 { ": " } else { ", " };
            write!(f, "{before}{count} {name}")?;
        }
        Ok(())
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

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn predictions_are_shown_by_their_counts_or_their_range() {
        let numbers = Predictions::Numbers(array![1.0, 2.5, -2.0]);
        assert_eq!(
            numbers.to_string(),
            "3 rows: -2.0000 to 2.5000, mean 0.5000"
        );
        let clusters = Predictions::Clusters(vec![2, 0, 2]);
        let expected = "3 rows: 1 cluster 0, 0 cluster 1, 2 cluster 2";
        assert_eq!(clusters.to_string(), expected);
        assert_eq!(
            Predictions::Clusters(vec![0]).to_string(),
            "1 row: 1 cluster 0"
        );
        let none = Predictions::Numbers(Array1::zeros(0));
        assert_eq!(none.to_string(), "0 rows");
    }
}

//! Decision trees of linfa-trees, kept as nodes of our own: a model file that holds one is read
//! also by a build without the feature.

#[cfg(feature = "linfa-trees")]
mod fitting;

use ndarray::Array2;
use serde::{Deserialize, Serialize};

#[cfg(feature = "linfa-trees")]
pub use self::fitting::fit_linfa_tree;
use crate::dataset::{ClassLabel, Records};
use crate::error::MlError;
use crate::evaluation::{ClassPredictions, Classifier};
use crate::prediction::predict_rows;
use crate::splitting::Origin;

/// A decision tree that linfa-trees grew; made by `fit_linfa_tree` with the feature `linfa-trees`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "RawLinfaTree")]
pub struct LinfaTree {
    feature_names: Vec<String>,
    target_name: String,
    classes: Vec<ClassLabel>,
    /// Children come after their parents; the first is the root.
    nodes: Vec<Node>,
    trained_on: Option<Origin>,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
enum Node {
    Leaf {
        class: u32,
    },
    /// Rows below the threshold go left.
    Split {
        feature: u32,
        threshold: f64,
        left: u32,
        right: u32,
    },
}

#[derive(Deserialize)]
struct RawLinfaTree {
    feature_names: Vec<String>,
    target_name: String,
    classes: Vec<ClassLabel>,
    nodes: Vec<Node>,
    trained_on: Option<Origin>,
}

/// The parts of a tree that was read do not fit each other.
#[derive(Debug, thiserror::Error)]
#[error("the parts of the tree do not fit each other")]
struct UnsoundTree;

impl TryFrom<RawLinfaTree> for LinfaTree {
    type Error = UnsoundTree;

    fn try_from(raw: RawLinfaTree) -> Result<Self, UnsoundTree> {
        let RawLinfaTree {
            feature_names,
            target_name,
            classes,
            nodes,
            trained_on,
        } = raw;
        // Every walk ends, and inside the tables.
        let is_sound = |(at, node): (usize, &Node)| match *node {
            Node::Leaf { class } => (class as usize) < classes.len(),
            Node::Split {
                feature,
                left,
                right,
                ..
            } => {
                let is_below = |child: u32| (at + 1..nodes.len()).contains(&(child as usize));
                (feature as usize) < feature_names.len() && is_below(left) && is_below(right)
            }
        };
        if feature_names.is_empty() || nodes.is_empty() || !nodes.iter().enumerate().all(is_sound) {
            return Err(UnsoundTree);
        }
        Ok(Self {
            feature_names,
            target_name,
            classes,
            nodes,
            trained_on,
        })
    }
}

impl LinfaTree {
    /// The names of the features that the tree was fitted to.
    pub fn feature_names(&self) -> &[String] {
        &self.feature_names
    }

    /// The name of the label column.
    pub fn target_name(&self) -> &str {
        &self.target_name
    }

    /// The classes, sorted.
    pub fn classes(&self) -> &[ClassLabel] {
        &self.classes
    }

    /// Number of leaves.
    pub fn n_leaves(&self) -> usize {
        let is_leaf = |node: &&Node| matches!(node, Node::Leaf { .. });
        self.nodes.iter().filter(is_leaf).count()
    }

    /// Where the rows are from that the tree was fitted to, if it was the train side of a split.
    pub fn trained_on(&self) -> Option<&Origin> {
        self.trained_on.as_ref()
    }

    /// Predicts 1 for the class of each row's leaf and 0 for the others: linfa-trees keeps no
    /// shares.
    ///
    /// # Shapes
    /// records `[n_rows, ..]`, returns `[n_rows, n_classes]`
    ///
    /// # Errors
    /// [`MlError::FeatureMissing`] and [`MlError::NotFinite`].
    pub fn predict_probabilities(&self, records: &Records) -> Result<Array2<f64>, MlError> {
        let n_classes = self.classes.len();
        let shares = predict_rows(records, &self.feature_names, n_classes, |row, shares| {
            shares[self.class_of(row)] = 1.0;
        })?;
        Ok(
            Array2::from_shape_vec((records.n_rows(), n_classes), shares)
                .expect("one number was made per row and class"),
        )
    }

    fn class_of(&self, row: &[f64]) -> usize {
        let mut at = 0;
        loop {
            match self.nodes[at] {
                Node::Leaf { class } => return class as usize,
                Node::Split {
                    feature,
                    threshold,
                    left,
                    right,
                } => {
                    let goes_left = row[feature as usize] < threshold;
                    at = if goes_left { left } else { right } as usize;
                }
            }
        }
    }

    /// Predicts the class of each row.
    ///
    /// # Errors
    /// As [`predict_probabilities`](Self::predict_probabilities).
    pub fn predict(&self, records: &Records) -> Result<ClassPredictions, MlError> {
        Classifier::predict(self, records)
    }
}

impl Classifier for LinfaTree {
    fn classes(&self) -> &[ClassLabel] {
        &self.classes
    }

    fn predict_probabilities(&self, records: &Records) -> Result<Array2<f64>, MlError> {
        LinfaTree::predict_probabilities(self, records)
    }

    fn trained_on(&self) -> Option<&Origin> {
        self.trained_on.as_ref()
    }
}

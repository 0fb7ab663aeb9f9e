//! Trees whose leaves add up.

use serde::{Deserialize, Serialize};

use crate::dataset::Records;
use crate::error::MlError;
use crate::prediction::predict_rows_with_gaps;

/// A node of a tree.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) enum Node {
    Leaf {
        value: f64,
    },
    /// Rows below the threshold go left, others right; where the value is missing, `missing_left`
    /// says. Children come after their parents.
    Split {
        feature: u32,
        threshold: f64,
        missing_left: bool,
        left: u32,
        right: u32,
    },
}

/// The value of the leaf that a row ends in.
pub(super) fn leaf_value(tree: &[Node], row: &[f64]) -> f64 {
    let mut at = 0;
    loop {
        match tree[at] {
            Node::Leaf { value } => return value,
            Node::Split {
                feature,
                threshold,
                missing_left,
                left,
                right,
            } => {
                let value = row[feature as usize];
                let goes_left = value < threshold || (missing_left && value.is_nan());
                at = if goes_left { left } else { right } as usize;
            }
        }
    }
}

/// Trees and what they start from. With several scores the trees of a round follow each other in
/// their order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "RawEnsemble")]
pub(super) struct Ensemble {
    pub(super) feature_names: Vec<String>,
    pub(super) target_name: String,
    /// Each score of a row that no tree has looked at.
    pub(super) baselines: Vec<f64>,
    /// The nodes of each tree; the first is its root.
    pub(super) trees: Vec<Vec<Node>>,
    pub(super) importances: Vec<f64>,
}

#[derive(Deserialize)]
struct RawEnsemble {
    feature_names: Vec<String>,
    target_name: String,
    baselines: Vec<f64>,
    trees: Vec<Vec<Node>>,
    importances: Vec<f64>,
}

/// The parts of a model that was read do not fit each other.
#[derive(Debug, thiserror::Error)]
#[error("the parts of the boosted trees do not fit each other")]
pub(crate) struct UnsoundEnsemble;

impl TryFrom<RawEnsemble> for Ensemble {
    type Error = UnsoundEnsemble;

    fn try_from(raw: RawEnsemble) -> Result<Self, UnsoundEnsemble> {
        let RawEnsemble {
            feature_names,
            target_name,
            baselines,
            trees,
            importances,
        } = raw;
        // Every walk ends, and inside the tables.
        let is_sound = |tree: &Vec<Node>| {
            let is_inside = |(at, node): (usize, &Node)| match *node {
                Node::Leaf { value } => value.is_finite(),
                Node::Split {
                    feature,
                    left,
                    right,
                    ..
                } => {
                    let is_below = |child: u32| (at + 1..tree.len()).contains(&(child as usize));
                    (feature as usize) < feature_names.len() && is_below(left) && is_below(right)
                }
            };
            !tree.is_empty() && tree.iter().enumerate().all(is_inside)
        };
        if feature_names.is_empty()
            || baselines.is_empty()
            || trees.len() % baselines.len() != 0
            || importances.len() != feature_names.len()
            || !trees.iter().all(is_sound)
        {
            return Err(UnsoundEnsemble);
        }
        Ok(Self {
            feature_names,
            target_name,
            baselines,
            trees,
            importances,
        })
    }
}

impl Ensemble {
    /// Number of scores of a row.
    pub(super) fn width(&self) -> usize {
        self.baselines.len()
    }

    pub(super) fn n_trees(&self) -> usize {
        self.trees.len()
    }

    pub(super) fn n_nodes(&self) -> usize {
        self.trees.iter().map(Vec::len).sum()
    }

    /// What `finish` makes of the scores of each row, `[n_rows, n_outputs]`.
    pub(super) fn predict(
        &self,
        records: &Records,
        n_outputs: usize,
        finish: impl Fn(&[f64], &mut [f64]) + Sync,
    ) -> Result<Vec<f64>, MlError> {
        let width = self.width();
        predict_rows_with_gaps(records, &self.feature_names, n_outputs, |row, outputs| {
            let mut scores = self.baselines.clone();
            for (at, tree) in self.trees.iter().enumerate() {
                scores[at % width] += leaf_value(tree, row);
            }
            finish(&scores, outputs);
        })
    }
}

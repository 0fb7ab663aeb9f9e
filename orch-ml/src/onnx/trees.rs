//! Trees and forests, node after node.
//!
//! Thresholds are made for features as they are before scaling: the decisions of `f32` features are
//! then those of the model, which a scaler in `f32` before the trees would not promise.

use super::graph::{Attribute, Operator};
use super::scaling::Scaling;
use super::{FEATURES, LABELS, NotExportable, PREDICTIONS, PROBABILITIES, class_labels, narrowed};
use crate::dataset::ClassLabel;
use crate::forest::{Forest, Place};

/// More nodes would make a file that is too large for protocol buffers, which end at 2 GiB: a node
/// takes up to 40 bytes and a leaf's weights up to 12 more each.
const MAX_NODES: usize = 20_000_000;

/// The columns of the table of nodes.
#[derive(Default)]
struct Nodes {
    tree_ids: Vec<i64>,
    node_ids: Vec<i64>,
    features: Vec<i64>,
    modes: Vec<String>,
    thresholds: Vec<f32>,
    left: Vec<i64>,
    right: Vec<i64>,
}

/// The columns of the table of what is in leaves.
#[derive(Default)]
struct Leaves {
    tree_ids: Vec<i64>,
    node_ids: Vec<i64>,
    /// The number of the class, or 0 for what is predicted.
    ids: Vec<i64>,
    weights: Vec<f64>,
}

fn tables(forest: &Forest, scaling: &Scaling) -> Result<(Nodes, Leaves), NotExportable> {
    if forest.n_nodes().saturating_mul(forest.width().max(1)) > MAX_NODES {
        let n_nodes = forest.n_nodes();
        return Err(NotExportable(format!(
            "its {n_nodes} nodes make a file that is too large for the format"
        )));
    }
    // A few thresholds per feature are shared by all nodes.
    let thresholds: Vec<Vec<f32>> = (0..forest.n_features())
        .map(|feature| {
            let thresholds = forest.thresholds(feature).iter();
            thresholds
                .map(|threshold| scaling.threshold(feature, *threshold))
                .collect()
        })
        .collect();
    let (mut nodes, mut leaves) = (Nodes::default(), Leaves::default());
    for tree in 0..forest.n_trees() {
        for (node, place) in forest.places(tree).enumerate() {
            let (tree, node) = (tree as i64, node as i64);
            nodes.tree_ids.push(tree);
            nodes.node_ids.push(node);
            let (feature, threshold, left, right, mode) = match place {
                Place::Split { feature, bin, left } => {
                    let left = left as i64;
                    (
                        feature as i64,
                        thresholds[feature][bin],
                        left,
                        left + 1,
                        "BRANCH_LEQ",
                    )
                }
                Place::Leaf(values) => {
                    // Of two classes the operator takes the share of the second, under the number of
                    // the first, and makes the other of it.
                    let values = if let [_, second] = values {
                        &[*second][..]
                    } else {
                        values
                    };
                    for (id, value) in values.iter().enumerate() {
                        if *value != 0.0 || values.len() == 1 {
                            leaves.tree_ids.push(tree);
                            leaves.node_ids.push(node);
                            leaves.ids.push(id as i64);
                            leaves.weights.push(*value);
                        }
                    }
                    (0, 0.0, 0, 0, "LEAF")
                }
            };
            nodes.features.push(feature);
            nodes.thresholds.push(threshold);
            nodes.left.push(left);
            nodes.right.push(right);
            nodes.modes.push(mode.to_owned());
        }
    }
    Ok((nodes, leaves))
}

impl Nodes {
    fn into_attributes(self) -> Vec<(&'static str, Attribute)> {
        vec![
            ("nodes_treeids", Attribute::Ints(self.tree_ids)),
            ("nodes_nodeids", Attribute::Ints(self.node_ids)),
            ("nodes_featureids", Attribute::Ints(self.features)),
            ("nodes_modes", Attribute::Texts(self.modes)),
            ("nodes_values", Attribute::Floats(self.thresholds)),
            ("nodes_truenodeids", Attribute::Ints(self.left)),
            ("nodes_falsenodeids", Attribute::Ints(self.right)),
            ("post_transform", Attribute::Text("NONE")),
        ]
    }
}

pub(super) fn regressor(
    scaling: &Scaling,
    forest: &Forest,
) -> Result<Vec<Operator>, NotExportable> {
    let (nodes, leaves) = tables(forest, scaling)?;
    let weights = narrowed("prediction", &leaves.weights)?;
    let mut attributes = nodes.into_attributes();
    attributes.extend([
        ("n_targets", Attribute::Int(1)),
        ("aggregate_function", Attribute::Text("AVERAGE")),
        ("target_treeids", Attribute::Ints(leaves.tree_ids)),
        ("target_nodeids", Attribute::Ints(leaves.node_ids)),
        ("target_ids", Attribute::Ints(leaves.ids)),
        ("target_weights", Attribute::Floats(weights)),
    ]);
    Ok(vec![Operator {
        name: "TreeEnsembleRegressor",
        input: FEATURES,
        outputs: vec![PREDICTIONS],
        attributes,
    }])
}

pub(super) fn classifier(
    scaling: &Scaling,
    classes: &[ClassLabel],
    forest: &Forest,
) -> Result<Vec<Operator>, NotExportable> {
    if classes.len() < 2 {
        return Err(NotExportable("it knows only one class".to_owned()));
    }
    let (nodes, leaves) = tables(forest, scaling)?;
    // The operator adds the trees up.
    let n_trees = forest.n_trees() as f64;
    let shares: Vec<f64> = leaves.weights.iter().map(|share| share / n_trees).collect();
    let weights = narrowed("probability", &shares)?;
    let mut attributes = nodes.into_attributes();
    attributes.extend([
        class_labels(classes, "classlabels_int64s"),
        ("class_treeids", Attribute::Ints(leaves.tree_ids)),
        ("class_nodeids", Attribute::Ints(leaves.node_ids)),
        ("class_ids", Attribute::Ints(leaves.ids)),
        ("class_weights", Attribute::Floats(weights)),
    ]);
    Ok(vec![Operator {
        name: "TreeEnsembleClassifier",
        input: FEATURES,
        outputs: vec![LABELS, PROBABILITIES],
        attributes,
    }])
}

//! Fits a tree with linfa-trees.

use linfa::traits::Fit;
use linfa_trees::{DecisionTree, TreeNode};
use ndarray::Array1;

use super::{LinfaTree, Node};
use crate::dataset::ClassificationDataset;
use crate::error::MlError;
use crate::forest::TreeOptions;
use crate::options::check_option;
use crate::splitting::FitTo;

/// Fits a decision tree with linfa-trees 0.8.1, for those who want that very algorithm.
///
/// [`fit_tree_classifier`](crate::fit_tree_classifier) is the better choice. What linfa-trees does
/// otherwise, as it is:
///
/// - Values closer to each other than 1e-5 count as equal, whatever their unit: features on a small
///   scale are not split. Multiply them first.
/// - It counts in hash maps of random order, which decides ties and how sums are rounded: **two fits to
///   the same rows can differ**, in splits and classes. For this reason there is no cached task of it.
/// - Fitting sends a row that is equal to the threshold left, predicting sends it right.
/// - The threshold lies halfway to the next value of the feature among all rows, not among those of the
///   node.
/// - A branch whose leaves all predict one class is cut, and splits that gain less than 1e-5 are not
///   made.
/// - Every node goes through all rows for each feature: on many rows it is many times slower.
///
/// Of the options `seed` has no effect, and `max_features` must be `None`.
///
/// # Shapes
/// records `[n_rows, n_features]`, at least one of each
///
/// # Errors
/// As [`fit_tree_classifier`](crate::fit_tree_classifier); [`MlError::FitFailed`] with what
/// linfa-trees says.
pub fn fit_linfa_tree(
    train: &impl FitTo<ClassificationDataset>,
    options: &TreeOptions,
) -> Result<LinfaTree, MlError> {
    options.check()?;
    let has_none = options.max_features.is_none();
    let given = format!("{:?}", options.max_features);
    check_option(has_none, "max_features", given, "`None` for linfa-trees")?;
    let dataset = train.data();
    dataset.check_for_fit()?;

    let targets: Array1<usize> = dataset
        .targets()
        .iter()
        .map(|code| *code as usize)
        .collect();
    let problem = linfa::Dataset::new(dataset.records().values().clone(), targets);
    let tree = DecisionTree::params()
        .max_depth(options.max_depth)
        .min_weight_split(options.min_samples_split as f32)
        .min_weight_leaf(options.min_samples_leaf as f32)
        .fit(&problem)
        .map_err(|error| MlError::FitFailed {
            source: error.to_string().into(),
        })?;
    Ok(LinfaTree {
        trained_on: train.origin().cloned(),
        ..converted(dataset, &tree)
    })
}

fn converted(dataset: &ClassificationDataset, tree: &DecisionTree<f64, usize>) -> LinfaTree {
    LinfaTree {
        feature_names: dataset.feature_names().to_vec(),
        target_name: dataset.target_name().to_owned(),
        classes: dataset.classes().to_vec(),
        nodes: nodes_of(tree.root_node()),
        trained_on: None,
    }
}

/// The nodes of a tree in an order in which children come after their parents.
fn nodes_of(root: &TreeNode<f64, usize>) -> Vec<Node> {
    let mut nodes = Vec::new();
    let mut pending = std::collections::VecDeque::from([root]);
    while let Some(node) = pending.pop_front() {
        let children = node.children();
        let node = match (node.prediction(), &*children) {
            (None, [Some(left), Some(right)]) => {
                pending.extend([&**left, &**right]);
                let first = (nodes.len() + pending.len() - 1) as u32;
                let (feature, threshold, _) = node.split();
                Node::Split {
                    feature: feature as u32,
                    threshold,
                    left: first,
                    right: first + 1,
                }
            }
            (prediction, _) => Node::Leaf {
                class: prediction.expect("a node without children is a leaf") as u32,
            },
        };
        nodes.push(node);
    }
    nodes
}

#[cfg(test)]
mod tests {
    use linfa::traits::Predict;
    use ndarray::Array2;
    use orch_core::Rng;

    use super::*;
    use crate::dataset::Records;

    /// The very tree is compared, as a second fit may differ.
    #[test]
    fn a_converted_tree_predicts_what_it_predicted_before() {
        let mut rng = Rng::new(1, 0);
        let values = Array2::from_shape_simple_fn((300, 3), || rng.next_f64());
        let labels: Vec<i64> = (0..300).map(|_| rng.below(3) as i64).collect();
        let records = Records::new(values, ["a", "b", "c"]).unwrap();
        let dataset = ClassificationDataset::new(records, labels, "y").unwrap();
        let targets: Array1<usize> = dataset
            .targets()
            .iter()
            .map(|code| *code as usize)
            .collect();
        let problem = linfa::Dataset::new(dataset.records().values().clone(), targets);
        let theirs = DecisionTree::params().fit(&problem).unwrap();
        let ours = converted(&dataset, &theirs);
        assert_eq!(ours.n_leaves(), theirs.num_leaves());
        assert!(ours.n_leaves() > 50);
        // Thresholds among them, which fitting and predicting send to different sides.
        let unseen = Array2::from_shape_simple_fn((500, 3), || rng.next_f64());
        let thresholds = theirs.iter_nodes().map(|node| node.split().1);
        let at_thresholds: Vec<f64> = thresholds.flat_map(|at| [at; 3]).collect();
        let shape = (at_thresholds.len() / 3, 3);
        for values in [
            unseen,
            Array2::from_shape_vec(shape, at_thresholds).unwrap(),
        ] {
            let expected = theirs.predict(&values).mapv(|code| code as u32).to_vec();
            let records = Records::new(values, ["a", "b", "c"]).unwrap();
            assert_eq!(ours.predict(&records).unwrap().codes(), expected);
        }
    }
}

//! Trees of linfa-trees: `cargo test -p orch-ml --features linfa-trees`.
#![cfg(feature = "linfa-trees")]

mod support;

use orch_ml::ndarray::{Array2, array};
use orch_ml::{
    ClassificationDataset, LinfaTree, MaxFeatures, Records, Split, TreeOptions,
    evaluate_classification, fit_linfa_tree, train_test_split,
};
use support::{breast_cancer, iris, reread, wine};

#[test]
fn rows_that_were_fitted_are_told_apart() {
    for dataset in [iris(), wine(), breast_cancer()] {
        let tree = fit_linfa_tree(&dataset, &TreeOptions::default()).unwrap();
        let accuracy = evaluate_classification(&tree, &dataset).unwrap().accuracy;
        assert!(accuracy > 0.97, "{accuracy}");
    }
}

#[test]
fn the_tree_knows_its_rows_and_survives_a_file() {
    let (train, test) = train_test_split(&wine(), &Split::stratified(0.3).seed(0)).unwrap();
    let options = TreeOptions {
        max_depth: Some(4),
        ..TreeOptions::default()
    };
    let tree = fit_linfa_tree(&train, &options).unwrap();
    assert_eq!(tree.trained_on(), Some(train.origin()));
    assert!(evaluate_classification(&tree, &test).unwrap().accuracy > 0.8);
    assert_eq!(LinfaTree::try_from(reread(tree.clone())).unwrap(), tree);

    let mut json = serde_json::to_value(&tree).unwrap();
    json["nodes"].as_array_mut().unwrap().pop();
    assert_eq!(
        serde_json::from_value::<LinfaTree>(json)
            .unwrap_err()
            .to_string(),
        "the parts of the tree do not fit each other"
    );
}

#[test]
fn options_that_linfa_does_not_have_are_refused() {
    let options = TreeOptions {
        max_features: Some(MaxFeatures::Sqrt),
        ..TreeOptions::default()
    };
    assert_eq!(
        fit_linfa_tree(&iris(), &options).unwrap_err().to_string(),
        "`max_features` is Some(Sqrt), expected `None` for linfa-trees"
    );
}

/// So that the warning in the documentation stays true.
#[test]
fn steps_of_a_millionth_are_not_split_by_linfa() {
    let values = Array2::from_shape_fn((100, 1), |(row, _)| row as f64 * 1e-6);
    let records = Records::new(values, ["x"]).unwrap();
    let labels = (0..100).map(|row| i64::from(row >= 50));
    let dataset = ClassificationDataset::new(records, labels, "y").unwrap();
    let tree = fit_linfa_tree(&dataset, &TreeOptions::default()).unwrap();
    assert_eq!(tree.n_leaves(), 1);
}

#[test]
fn nan_is_refused_before_linfa_sorts_it() {
    let records = Records::new(array![[1.0], [f64::NAN]], ["x"]).unwrap();
    let dataset = ClassificationDataset::new(records, ["a", "b"], "y").unwrap();
    assert_eq!(
        fit_linfa_tree(&dataset, &TreeOptions::default())
            .unwrap_err()
            .to_string(),
        "column `x` is NaN at row 1, expected a finite number"
    );
}

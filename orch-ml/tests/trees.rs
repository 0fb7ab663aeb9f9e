//! Decision trees against scikit-learn (`tests/reference/trees.py`).

mod support;

use orch_ml::ndarray::{Array1, Array2, array};
use orch_ml::{
    ClassificationDataset, Dataset, MaxFeatures, Records, Split, TreeClassifier, TreeOptions,
    TreeRegressor, evaluate_classification, fit_tree_classifier, fit_tree_regressor, to_dataset,
    train_test_split,
};
use serde_json::Value;
use support::{
    breast_cancer, check_all_close, check_close, flat, iris, numbers, reference, reread, table,
    wine,
};

/// Diabetes by the features whose bins are exact.
fn diabetes(reference: &Value) -> Dataset {
    let table = table("../examples/data/diabetes.csv");
    let names: Vec<String> = serde_json::from_value(reference["features"].clone()).unwrap();
    to_dataset(&table, &names, "target").unwrap()
}

fn options(case: &Value) -> TreeOptions {
    serde_json::from_value(case["options"].clone()).unwrap()
}

fn count(case: &Value, name: &str) -> usize {
    case[name].as_u64().unwrap() as usize
}

#[test]
fn regression_trees_are_those_of_scikit_learn() {
    let reference = reference("trees");
    let dataset = diabetes(&reference);
    for case in reference["regressor"].as_array().unwrap() {
        let tree = fit_tree_regressor(&dataset, &options(case)).unwrap();
        assert_eq!(tree.depth(), count(case, "depth"));
        assert_eq!(tree.n_leaves(), count(case, "n_leaves"));
        assert_eq!(tree.n_nodes(), 2 * tree.n_leaves() - 1);
        check_all_close(tree.importances(), &numbers(&case["importances"]), 1e-9);
        let predictions = tree.predict(dataset.records()).unwrap();
        let expected = numbers(&case["predictions"]);
        check_all_close(predictions.as_slice().unwrap(), &expected, 1e-12);
    }
}

#[test]
fn classification_trees_are_those_of_scikit_learn() {
    let reference = reference("trees");
    let (dataset, case) = (wine(), &reference["wine"]);
    let tree = fit_tree_classifier(&dataset, &options(case)).unwrap();
    assert_eq!(tree.depth(), count(case, "depth"));
    assert_eq!(tree.n_leaves(), count(case, "n_leaves"));
    check_all_close(tree.importances(), &numbers(&case["importances"]), 1e-9);
    let probabilities = tree.predict_probabilities(dataset.records()).unwrap();
    let expected = flat(&case["probabilities"]);
    check_all_close(probabilities.as_slice().unwrap(), &expected, 1e-12);

    for (name, dataset) in [("iris", iris()), ("breast_cancer", breast_cancer())] {
        let tree = fit_tree_classifier(&dataset, &TreeOptions::default()).unwrap();
        let accuracy = evaluate_classification(&tree, &dataset).unwrap().accuracy;
        check_close(
            accuracy,
            reference["accuracy"][name].as_f64().unwrap(),
            1e-12,
        );
    }
}

fn small() -> Records {
    Records::new(array![[1.0], [2.0], [3.0], [4.0], [5.0], [6.5]], ["x"]).unwrap()
}

#[test]
fn a_tree_is_written_as_scikit_learn_writes_it() {
    let reference = reference("trees");
    let labels = ["a", "a", "b", "b", "a", "c"];
    let dataset = ClassificationDataset::new(small(), labels, "y").unwrap();
    let tree = fit_tree_classifier(&dataset, &TreeOptions::default()).unwrap();
    assert_eq!(
        tree.to_text(2),
        reference["small"]["text"].as_str().unwrap()
    );
    assert_eq!(tree.depth(), count(&reference["small"], "depth"));

    let targets = array![1.0, 2.0, 2.5, 4.0, 8.0, -1.25];
    let dataset = Dataset::from_records(small(), targets, "y").unwrap();
    let options = TreeOptions {
        max_depth: Some(2),
        ..TreeOptions::default()
    };
    let tree = fit_tree_regressor(&dataset, &options).unwrap();
    assert_eq!(
        tree.to_text(2),
        reference["small_numbers"]["text"].as_str().unwrap()
    );

    let tree = fit_tree_regressor(&diabetes(&reference), &options).unwrap();
    assert_eq!(
        tree.to_text(3),
        reference["regressor"][0]["text"].as_str().unwrap()
    );
}

#[test]
fn a_tree_that_nothing_can_split_is_one_leaf() {
    let records = Records::new(Array2::ones((3, 1)), ["x"]).unwrap();
    let dataset = ClassificationDataset::new(records, ["a", "b", "b"], "y").unwrap();
    let tree = fit_tree_classifier(&dataset, &TreeOptions::default()).unwrap();
    assert_eq!((tree.depth(), tree.n_leaves()), (0, 1));
    assert_eq!(tree.importances(), [0.0]);
    assert_eq!(tree.to_text(2), "|--- class: b\n");
}

#[test]
fn options_out_of_range_are_refused_before_the_data_is_looked_at() {
    let empty = Dataset::new(Array2::zeros((0, 1)), Array1::zeros(0), ["a"], "y").unwrap();
    let message = |change: fn(&mut TreeOptions)| {
        let mut options = TreeOptions::default();
        change(&mut options);
        fit_tree_regressor(&empty, &options)
            .unwrap_err()
            .to_string()
    };
    assert_eq!(
        message(|options| options.max_depth = Some(0)),
        "`max_depth` is 0, expected at least 1"
    );
    assert_eq!(
        message(|options| options.min_samples_split = 1),
        "`min_samples_split` is 1, expected at least 2"
    );
    assert_eq!(
        message(|options| options.min_samples_leaf = 0),
        "`min_samples_leaf` is 0, expected at least 1"
    );
    assert_eq!(message(|_| ()), "the table has no rows");
    let options = TreeOptions {
        max_features: Some(MaxFeatures::Fraction(2.0)),
        ..TreeOptions::default()
    };
    assert_eq!(
        fit_tree_classifier(&iris(), &options)
            .unwrap_err()
            .to_string(),
        "`max_features` is 2, expected a fraction above 0 and up to 1"
    );
}

#[test]
fn trees_know_their_rows_and_survive_a_file() {
    let (train, test) = train_test_split(&iris(), &Split::stratified(0.3).seed(0)).unwrap();
    let tree = fit_tree_classifier(&train, &TreeOptions::default()).unwrap();
    assert_eq!(tree.trained_on(), Some(train.origin()));
    assert!(evaluate_classification(&tree, &test).unwrap().accuracy > 0.85);
    assert_eq!(
        TreeClassifier::try_from(reread(tree.clone())).unwrap(),
        tree
    );
    let numbers = fit_tree_regressor(&support::diabetes(), &TreeOptions::default()).unwrap();
    assert_eq!(
        TreeRegressor::try_from(reread(numbers.clone())).unwrap(),
        numbers
    );

    let mut json = serde_json::to_value(&tree).unwrap();
    json["classes"].as_array_mut().unwrap().pop();
    assert_eq!(
        serde_json::from_value::<TreeClassifier>(json)
            .unwrap_err()
            .to_string(),
        "the parts of the forest do not fit each other"
    );
}

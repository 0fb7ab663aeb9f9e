//! Rows and classes that count more than others, against scikit-learn: reference/weights.py.

mod support;

use orch_ml::ndarray::{Array1, Array2, ArrayView2, Axis, array};
use orch_ml::{
    ClassWeights, ClassificationDataset, Dataset, DiscreteBayesModel, DiscreteBayesOptions,
    FeatureDistribution, ForestOptions, LinearSvmOptions, LogisticOptions, MaxFeatures, MlError,
    NaiveBayesOptions, Records, Split, SvmLoss, TreeOptions, Weighted, evaluate_classification,
    fit_discrete_bayes, fit_forest_classifier, fit_forest_regressor, fit_linear_svm, fit_logistic,
    fit_naive_bayes, fit_tree_classifier, fit_tree_regressor, train_test_split,
};
use serde_json::Value;
use support::{
    breast_cancer, check_all_close, diabetes, flat, iris, numbers, reference, reread, standardized,
    wine, with_records,
};

/// As in the reference: of all sizes, some of them 0.
fn weights_of(n_rows: usize) -> Vec<f64> {
    let weight = |row: usize| match row % 13 {
        5 => 0.0,
        _ => 0.25 + (row * 37 % 101) as f64 / 50.0,
    };
    (0..n_rows).map(weight).collect()
}

fn scaled(dataset: &ClassificationDataset) -> ClassificationDataset {
    with_records(dataset, standardized(dataset.records()))
}

fn balanced() -> ClassWeights {
    ClassWeights::Balanced
}

fn check_lines(
    expected: &Value,
    coefficients: ArrayView2<'_, f64>,
    intercepts: &[f64],
    tolerance: f64,
) {
    let coefficients: Vec<f64> = coefficients.iter().copied().collect();
    check_all_close(&coefficients, &flat(&expected["coefficients"]), tolerance);
    check_all_close(intercepts, &numbers(&expected["intercepts"]), tolerance);
}

/// Both stop when a gradient is small: near the minimum 1e-7 is what that leaves.
fn check_logistic(
    name: &str,
    dataset: &ClassificationDataset,
    is_weighted: bool,
    class_weights: ClassWeights,
) {
    let options = LogisticOptions {
        tol: 1e-12,
        class_weights,
        ..LogisticOptions::default()
    };
    let dataset = scaled(dataset);
    let weights = weights_of(dataset.n_rows());
    let model = match is_weighted {
        true => fit_logistic(&Weighted::new(&dataset, &weights).unwrap(), &options),
        false => fit_logistic(&dataset, &options),
    }
    .unwrap();
    let expected = &reference("weights")[name];
    check_lines(expected, model.coefficients(), model.intercepts(), 1e-7);
}

#[test]
fn logistic_regression_weighs_rows_and_classes() {
    check_logistic(
        "logistic",
        &breast_cancer_by_code(),
        true,
        ClassWeights::Equal,
    );
    check_logistic(
        "logistic_balanced",
        &breast_cancer_by_code(),
        true,
        balanced(),
    );
    check_logistic("logistic_three", &iris(), true, ClassWeights::Equal);
    let by_name = ClassWeights::by_class([("setosa", 3.0), ("virginica", 0.5)]);
    check_logistic("logistic_by_class", &iris(), false, by_name);
}

/// scikit-learn's code 1 is benign.
fn breast_cancer_by_code() -> ClassificationDataset {
    let dataset = breast_cancer();
    let names = dataset.classes().iter().map(ToString::to_string);
    let names: Vec<String> = names.collect();
    assert_eq!(names.len(), 2);
    let codes = dataset.labels().map(|label| {
        let label = label.to_string();
        i64::from(label == "benign" || label == "1")
    });
    let codes: Vec<i64> = codes.collect();
    ClassificationDataset::new(dataset.records().clone(), codes, "kind").unwrap()
}

#[test]
fn support_vector_machines_weigh_rows_and_classes() {
    let check = |name: &str,
                 dataset: &ClassificationDataset,
                 is_weighted: bool,
                 loss: SvmLoss,
                 class_weights: ClassWeights| {
        let options = LinearSvmOptions {
            loss,
            tol: 1e-10,
            max_iter: 1_000_000,
            class_weights,
            ..LinearSvmOptions::default()
        };
        let dataset = scaled(dataset);
        let weights = weights_of(dataset.n_rows());
        let model = match is_weighted {
            true => fit_linear_svm(&Weighted::new(&dataset, &weights).unwrap(), &options),
            false => fit_linear_svm(&dataset, &options),
        }
        .unwrap();
        assert!(model.is_converged());
        let expected = &reference("weights")[name];
        check_lines(expected, model.coefficients(), model.intercepts(), 1e-6);
    };
    let squared = SvmLoss::SquaredHinge;
    check("svm", &iris(), true, squared, ClassWeights::Equal);
    check("svm_balanced", &wine(), false, squared, balanced());
    let malignant = ClassWeights::by_class([(0, 4.0)]);
    check(
        "svm_hinge",
        &breast_cancer_by_code(),
        true,
        SvmLoss::Hinge,
        malignant,
    );
}

#[test]
fn naive_bayes_weighs_rows() {
    let (dataset, weights) = (wine(), weights_of(178));
    let weighted = Weighted::new(&dataset, &weights).unwrap();
    let model = fit_naive_bayes(&weighted, &NaiveBayesOptions::default()).unwrap();
    let expected = &reference("weights")["gaussian"];
    let cells = |values: &Array2<f64>| values.iter().copied().collect::<Vec<_>>();
    check_all_close(model.priors(), &numbers(&expected["priors"]), 1e-12);
    check_all_close(&cells(model.means()), &flat(&expected["means"]), 1e-12);
    check_all_close(
        &cells(model.variances()),
        &flat(&expected["variances"]),
        1e-12,
    );
    let found = model.predict_probabilities(dataset.records()).unwrap();
    check_all_close(&cells(&found), &flat(&expected["predictions"]), 1e-9);
}

#[test]
fn discrete_naive_bayes_is_that_of_scikit_learn() {
    let (dataset, weights) = (wine(), weights_of(178));
    let weighted = Weighted::new(&dataset, &weights).unwrap();
    let check = |name: &str, options: &DiscreteBayesOptions| {
        let model = fit_discrete_bayes(&weighted, options).unwrap();
        let expected = &reference("weights")[name];
        check_all_close(model.priors(), &numbers(&expected["priors"]), 1e-12);
        let cells: Vec<f64> = model.probabilities().iter().copied().collect();
        check_all_close(&cells, &flat(&expected["probabilities"]), 1e-12);
        let found = model.predict_probabilities(dataset.records()).unwrap();
        let found = found.into_raw_vec_and_offset().0;
        check_all_close(&found, &flat(&expected["predictions"]), 1e-9);
        let again = DiscreteBayesModel::try_from(reread(model.clone())).unwrap();
        assert_eq!(again, model);
    };
    check("multinomial", &DiscreteBayesOptions::default());
    let half = DiscreteBayesOptions {
        alpha: 0.5,
        fit_priors: false,
        ..DiscreteBayesOptions::default()
    };
    check("multinomial_half", &half);
    let above_two = DiscreteBayesOptions {
        distribution: FeatureDistribution::Bernoulli { threshold: 2.0 },
        ..DiscreteBayesOptions::default()
    };
    check("bernoulli", &above_two);
}

#[test]
fn what_discrete_naive_bayes_cannot_count_is_refused() {
    let fit = |cell: f64, options: DiscreteBayesOptions| {
        let records = Records::new(array![[1.0, 0.0], [2.0, cell]], ["a", "b"]).unwrap();
        let dataset = ClassificationDataset::new(records, ["x", "y"], "kind").unwrap();
        fit_discrete_bayes(&dataset, &options)
            .unwrap_err()
            .to_string()
    };
    let default = DiscreteBayesOptions::default;
    assert_eq!(
        fit(-1.0, default()),
        "`records` is -1 in column `b` at row 1, expected counts of at least 0"
    );
    assert_eq!(
        fit(f64::NAN, default()),
        "column `b` is NaN at row 1, expected a finite number"
    );
    assert_eq!(
        fit(
            1.0,
            DiscreteBayesOptions {
                alpha: -1.0,
                ..default()
            }
        ),
        "`alpha` is -1, expected a finite number of at least 0"
    );
    assert_eq!(
        fit(
            1.0,
            DiscreteBayesOptions {
                alpha: 0.0,
                ..default()
            }
        ),
        "`alpha` is 0, expected so much that no feature has probability 0 or 1 in a class"
    );
}

fn check_tree(expected: &Value, n_leaves: usize, importances: &[f64], values: &[f64], key: &str) {
    assert_eq!(n_leaves, expected["n_leaves"].as_u64().unwrap() as usize);
    check_all_close(importances, &numbers(&expected["importances"]), 1e-9);
    check_all_close(values, &flat(&expected[key]), 1e-9);
}

#[test]
fn trees_weigh_rows_and_classes() {
    let three_levels = TreeOptions {
        max_depth: Some(3),
        ..TreeOptions::default()
    };
    let (dataset, weights) = (wine(), weights_of(178));
    let weighted = Weighted::new(&dataset, &weights).unwrap();
    let tree = fit_tree_classifier(&weighted, &three_levels).unwrap();
    let probabilities = tree.predict_probabilities(dataset.records()).unwrap();
    let probabilities = probabilities.into_raw_vec_and_offset().0;
    let expected = &reference("weights")["tree"];
    check_tree(
        expected,
        tree.n_leaves(),
        tree.importances(),
        &probabilities,
        "probabilities",
    );

    // A forest of one that sees each row once and all features is that tree.
    let one = ForestOptions {
        n_trees: 1,
        max_depth: Some(3),
        max_features: Some(MaxFeatures::All),
        bootstrap: false,
        ..ForestOptions::default()
    };
    let forest = fit_forest_classifier(&weighted, &one).unwrap();
    let found = forest.predict_probabilities(dataset.records()).unwrap();
    check_all_close(&found.into_raw_vec_and_offset().0, &probabilities, 1e-12);

    let few = dataset.take_rows(&(0..150).collect::<Vec<_>>()).unwrap();
    let options = TreeOptions {
        class_weights: balanced(),
        ..three_levels
    };
    let tree = fit_tree_classifier(&few, &options).unwrap();
    let found = tree.predict_probabilities(few.records()).unwrap();
    let found = found.into_raw_vec_and_offset().0;
    let expected = &reference("weights")["tree_balanced"];
    check_tree(
        expected,
        tree.n_leaves(),
        tree.importances(),
        &found,
        "probabilities",
    );
}

#[test]
fn trees_of_numbers_weigh_rows() {
    let expected = &reference("weights")["tree_regressor"];
    let names: Vec<String> = serde_json::from_value(expected["features"].clone()).unwrap();
    let table = support::table("../examples/data/diabetes.csv");
    let dataset = orch_ml::to_dataset(&table, &names, "target").unwrap();
    let weights = weights_of(442);
    let weighted = Weighted::new(&dataset, &weights).unwrap();
    let options = TreeOptions {
        max_depth: Some(4),
        min_samples_leaf: 5,
        ..TreeOptions::default()
    };
    let tree = fit_tree_regressor(&weighted, &options).unwrap();
    let found = tree.predict(dataset.records()).unwrap().to_vec();
    check_tree(
        expected,
        tree.n_leaves(),
        tree.importances(),
        &found,
        "predictions",
    );

    let one = ForestOptions {
        n_trees: 1,
        max_depth: Some(4),
        min_samples_leaf: 5,
        bootstrap: false,
        ..ForestOptions::default()
    };
    let forest = fit_forest_regressor(&weighted, &one).unwrap();
    let of_forest = forest.predict(dataset.records()).unwrap().to_vec();
    check_all_close(&of_forest, &found, 1e-12);
}

#[test]
fn equal_weights_change_nothing() {
    let options = ForestOptions {
        n_trees: 20,
        out_of_bag_score: true,
        ..ForestOptions::default()
    };
    let (flowers, patients) = (iris(), diabetes());
    // A power of two, so that sums are rounded the same.
    let weights = vec![4.0; 442];
    let plain = fit_forest_classifier(&flowers, &options).unwrap();
    let weighted = Weighted::new(&flowers, &weights[..150]).unwrap();
    let weighted = fit_forest_classifier(&weighted, &options).unwrap();
    assert_eq!(weighted.out_of_bag_accuracy(), plain.out_of_bag_accuracy());
    let of = |model: &orch_ml::ForestClassifier| {
        let found = model.predict_probabilities(flowers.records()).unwrap();
        found.into_raw_vec_and_offset().0
    };
    check_all_close(&of(&weighted), &of(&plain), 1e-12);

    let plain = fit_forest_regressor(&patients, &options).unwrap();
    let weighted = Weighted::new(&patients, &weights).unwrap();
    let weighted = fit_forest_regressor(&weighted, &options).unwrap();
    let of = |model: &orch_ml::ForestRegressor| model.predict(patients.records()).unwrap().to_vec();
    check_all_close(&of(&weighted), &of(&plain), 1e-9);
}

#[test]
fn a_forest_finds_more_of_a_class_that_counts_more() {
    // Without weights such a forest of stumps gives up the rare class: 20 flowers among 70.
    let rows: Vec<usize> = (50..100).chain(100..120).collect();
    let dataset = iris().take_rows(&rows).unwrap();
    let sepals = dataset.records().values().select(Axis(1), &[0, 1]);
    let sepals = Records::new(sepals, ["length", "width"]).unwrap();
    let dataset = with_records(&dataset, sepals);
    let recall = |class_weights: ClassWeights| {
        let options = ForestOptions {
            max_depth: Some(1),
            class_weights,
            ..ForestOptions::default()
        };
        let model = fit_forest_classifier(&dataset, &options).unwrap();
        let metrics = evaluate_classification(&model, &dataset).unwrap();
        metrics.classes.last().unwrap().recall
    };
    let (plain, balanced) = (recall(ClassWeights::Equal), recall(balanced()));
    assert!(balanced > plain, "{balanced} {plain}");
}

#[test]
fn weighted_rows_know_where_they_are_from() {
    let (train, _) = train_test_split(&iris(), &Split::stratified(0.2).seed(0)).unwrap();
    let weights = weights_of(train.n_rows());
    let weighted = Weighted::new(&train, &weights).unwrap();
    let model = fit_logistic(&weighted, &LogisticOptions::default()).unwrap();
    assert_eq!(model.trained_on(), Some(train.origin()));
}

#[test]
fn weights_that_make_no_sense_are_refused() {
    let dataset = iris();
    let message = |weights: &[f64]| Weighted::new(&dataset, weights).unwrap_err().to_string();
    assert_eq!(
        message(&[1.0]),
        "the list of weights has length 1, expected 150"
    );
    let with = |at: usize, weight: f64| {
        let mut weights = vec![1.0; 150];
        weights[at] = weight;
        weights
    };
    assert_eq!(
        message(&with(3, f64::NAN)),
        "column `weights` is NaN at row 3, expected a finite number"
    );
    assert_eq!(
        message(&with(4, -1.0)),
        "`weights` is -1 at row 4, expected numbers of at least 0"
    );

    let mut weights = vec![1.0; 150];
    weights[..50].fill(0.0);
    let weighted = Weighted::new(&dataset, &weights).unwrap();
    let error = fit_logistic(&weighted, &LogisticOptions::default()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "`weights` is 0 in every row of class `setosa`, expected a number above 0 in at least one \
         row of each class"
    );
    let huge = vec![1e200; 150];
    let weighted = Weighted::new(&dataset, &huge).unwrap();
    let error = fit_tree_classifier(&weighted, &TreeOptions::default());
    assert!(matches!(error, Err(MlError::FitOverflow)));
}

#[test]
fn weights_of_classes_are_checked() {
    let fit = |class_weights: ClassWeights| {
        let options = LogisticOptions {
            class_weights,
            ..LogisticOptions::default()
        };
        fit_logistic(&iris(), &options).unwrap_err().to_string()
    };
    assert_eq!(
        fit(ClassWeights::by_class([("rose", 1.0)])),
        "`class_weights` is for class `rose`, expected weights of classes of the dataset"
    );
    assert_eq!(
        fit(ClassWeights::by_class([("setosa", 0.0)])),
        "`class_weights` is 0, expected a finite number above 0"
    );
    let options = TreeOptions {
        class_weights: balanced(),
        ..TreeOptions::default()
    };
    let nothing = Dataset::new(array![[1.0]], Array1::zeros(1), ["x"], "y").unwrap();
    assert_eq!(
        fit_tree_regressor(&nothing, &options)
            .unwrap_err()
            .to_string(),
        "`class_weights` is Balanced, expected `Equal`: numbers have no classes"
    );
}

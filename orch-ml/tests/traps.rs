//! Data on which linfa 0.8.1 is known to go wrong without a word, or to be misread.

mod support;

use orch_ml::ndarray::{Array1, Array2, array};
use orch_ml::{
    ClassificationDataset, Dataset, DbscanOptions, ElasticNetOptions, ForestOptions, KMeansOptions,
    LassoOptions, LinearSvmOptions, LogisticOptions, MlError, NaiveBayesOptions, Records,
    RidgeOptions, TreeOptions, evaluate_classification, evaluate_regression, fit_dbscan,
    fit_elastic_net, fit_forest_classifier, fit_forest_regressor, fit_kmeans, fit_lasso,
    fit_linear, fit_linear_svm, fit_logistic, fit_naive_bayes, fit_ridge, fit_tree_classifier,
    fit_tree_regressor,
};
use support::{check_all_close, check_close, diabetes, iris, with_records};

/// Iris with one value replaced.
fn spoilt(value: f64) -> ClassificationDataset {
    let iris = iris();
    let mut values = iris.records().values().clone();
    values[[70, 2]] = value;
    let records = Records::new(values, iris.feature_names().to_vec()).unwrap();
    with_records(&iris, records)
}

fn check_named<T>(result: Result<T, MlError>, value: &str) {
    let expected = format!("column `petal_length` is {value} at row 70, expected a finite number");
    assert_eq!(result.err().unwrap().to_string(), expected);
}

/// linfa fits a line with intercept NaN, a tree of 29 leaves, and says of k-means that its inertia
/// did not improve.
#[test]
fn nan_and_infinity_are_refused_with_row_and_column_by_every_model() {
    for (value, name) in [
        (f64::NAN, "NaN"),
        (f64::INFINITY, "inf"),
        (f64::NEG_INFINITY, "-inf"),
    ] {
        let classes = spoilt(value);
        let records = classes.records();
        let targets = Array1::from_shape_fn(150, |row| row as f64);
        let numbers = Dataset::from_records(records.clone(), targets, "y").unwrap();

        check_named(fit_linear(&numbers), name);
        check_named(fit_ridge(&numbers, &RidgeOptions::default()), name);
        check_named(fit_lasso(&numbers, &LassoOptions::default()), name);
        check_named(
            fit_elastic_net(&numbers, &ElasticNetOptions::default()),
            name,
        );
        check_named(fit_tree_regressor(&numbers, &TreeOptions::default()), name);
        check_named(
            fit_forest_regressor(&numbers, &ForestOptions::default()),
            name,
        );
        check_named(fit_logistic(&classes, &LogisticOptions::default()), name);
        check_named(
            fit_naive_bayes(&classes, &NaiveBayesOptions::default()),
            name,
        );
        check_named(fit_tree_classifier(&classes, &TreeOptions::default()), name);
        check_named(
            fit_forest_classifier(&classes, &ForestOptions::default()),
            name,
        );
        check_named(fit_kmeans(records, &KMeansOptions::default()), name);
        check_named(fit_dbscan(records, &DbscanOptions::default()), name);
    }
}

#[test]
fn nan_is_refused_with_row_and_column_by_every_prediction() {
    let good = iris();
    let targets = Array1::from_shape_fn(150, |row| row as f64);
    let numbers = Dataset::from_records(good.records().clone(), targets, "y").unwrap();
    let spoilt = spoilt(f64::NAN);
    let records = spoilt.records();

    check_named(fit_linear(&numbers).unwrap().predict(records), "NaN");
    let ridge = fit_ridge(&numbers, &RidgeOptions::default()).unwrap();
    check_named(ridge.predict(records), "NaN");
    let lasso = fit_lasso(&numbers, &LassoOptions::default()).unwrap();
    check_named(lasso.predict(records), "NaN");
    let tree = fit_tree_regressor(&numbers, &TreeOptions::default()).unwrap();
    check_named(tree.predict(records), "NaN");
    let logistic = fit_logistic(&good, &LogisticOptions::default()).unwrap();
    check_named(logistic.predict(records), "NaN");
    let svm = fit_linear_svm(&good, &LinearSvmOptions::default()).unwrap();
    check_named(svm.predict(records), "NaN");
    let bayes = fit_naive_bayes(&good, &NaiveBayesOptions::default()).unwrap();
    check_named(bayes.predict(records), "NaN");
    let tree = fit_tree_classifier(&good, &TreeOptions::default()).unwrap();
    check_named(tree.predict(records), "NaN");
    let clusters = fit_kmeans(good.records(), &KMeansOptions::default()).unwrap();
    check_named(clusters.predict(records), "NaN");
}

/// linfa gives them coefficients of ±5e15.
#[test]
fn two_equal_columns_share_their_weight() {
    // sklearn 1.9.1: LinearRegression().fit(X[:, [2, 2]], y) on load_diabetes()
    let bmi = diabetes().records().values().column(2).to_owned();
    let records = Array2::from_shape_fn((442, 2), |(row, _)| bmi[row]);
    let targets = diabetes().targets().clone();
    let dataset = Dataset::new(records, targets, ["bmi", "same"], "target").unwrap();
    let model = fit_linear(&dataset).unwrap();
    check_all_close(
        model.coefficients(),
        &[474.7176301920191, 474.7176301920193],
        1e-9,
    );
    assert_eq!(model.rank(), 1);
    let ridge = fit_ridge(&dataset, &RidgeOptions { alpha: 1e-9 }).unwrap();
    check_all_close(ridge.coefficients(), model.coefficients(), 1e-6);
}

/// linfa-trees makes one leaf of it: neighbours closer than 1e-5 count as equal there.
#[test]
fn a_feature_of_steps_of_a_millionth_is_split_where_the_classes_part() {
    let values = Array2::from_shape_fn((100, 1), |(row, _)| row as f64 * 1e-6);
    let records = Records::new(values, ["x"]).unwrap();
    let labels = (0..100).map(|row| i64::from(row >= 50));
    let dataset = ClassificationDataset::new(records, labels, "y").unwrap();
    let tree = fit_tree_classifier(&dataset, &TreeOptions::default()).unwrap();
    assert_eq!(tree.n_leaves(), 2);
    assert_eq!(
        evaluate_classification(&tree, &dataset).unwrap().accuracy,
        1.0
    );
}

/// linfa_datasets has 441 rows and R² 0.51893: the first row is taken for a header.
#[test]
fn diabetes_has_all_its_rows() {
    // sklearn 1.9.1: LinearRegression().fit(X, y).score(X, y) on load_diabetes()
    let dataset = diabetes();
    assert_eq!((dataset.n_rows(), dataset.n_features()), (442, 10));
    let metrics = evaluate_regression(&fit_linear(&dataset).unwrap(), &dataset).unwrap();
    check_close(metrics.r2, 0.5177484222203499, 1e-12);
}

/// linfa-clustering reports the sizes of the last run instead.
#[test]
fn cluster_sizes_are_those_of_the_best_run() {
    let iris = iris();
    // Several seeds, so that the best run is not always the last.
    for seed in 0..20 {
        let options = KMeansOptions {
            n_clusters: 5,
            n_init: 4,
            seed,
            ..KMeansOptions::default()
        };
        let model = fit_kmeans(iris.records(), &options).unwrap();
        let (mut sizes, mut inertia) = (vec![0; 5], 0.0);
        for (row, label) in iris
            .records()
            .values()
            .rows()
            .into_iter()
            .zip(model.labels())
        {
            sizes[*label as usize] += 1;
            let difference = &row - &model.centroids().row(*label as usize);
            inertia += difference.dot(&difference);
        }
        assert_eq!(model.cluster_sizes(), sizes);
        check_close(model.inertia(), inertia, 1e-12);
    }
}

/// One target, or one row, is all that some data has.
#[test]
fn one_row_is_enough_where_the_mathematics_allows_it() {
    let dataset = Dataset::new(array![[1.0, 2.0]], array![3.0], ["a", "b"], "y").unwrap();
    let ridge = fit_ridge(&dataset, &RidgeOptions::default()).unwrap();
    assert_eq!(
        (ridge.coefficients(), ridge.intercept()),
        (&[0.0; 2][..], 3.0)
    );
    let lasso = fit_lasso(&dataset, &LassoOptions::default()).unwrap();
    assert_eq!(
        (lasso.coefficients(), lasso.intercept()),
        (&[0.0; 2][..], 3.0)
    );
    assert!(lasso.is_converged());
    let tree = fit_tree_regressor(&dataset, &TreeOptions::default()).unwrap();
    assert_eq!(tree.predict(dataset.records()).unwrap(), array![3.0]);
}

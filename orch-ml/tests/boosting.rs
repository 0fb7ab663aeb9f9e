//! Boosted trees: `cargo test -p orch-ml --features boosting`.
#![cfg(feature = "boosting")]

mod support;

use orch_core::prelude::*;
use orch_core::testing::TestEngine;
use orch_ml::ndarray::{Array1, Array2, array};
use orch_ml::tasks::{
    evaluate_classifier, evaluate_regressor, load_csv, separate_label, separate_target, split,
    split_classes, train_boosted_classifier, train_boosted_regressor,
};
use orch_ml::{
    BoostedClassifier, BoostedRegressor, BoostingOptions, ClassificationDataset, CsvOptions,
    Dataset, MlError, Records, Split, Value, Weighted, evaluate_classification,
    evaluate_regression, fit_boosted_classifier, fit_boosted_regressor, r2_score, train_test_split,
};
use support::{breast_cancer, diabetes, iris, numbers, reference, reread, table, wine};

/// For each seed the rows of each fold, as the reference drew them.
fn folds(name: &str) -> Vec<Vec<Vec<usize>>> {
    let reference = reference("boosting");
    let seeds = reference[name]["folds"].as_array().unwrap();
    seeds
        .iter()
        .map(|folds| {
            let fold_of = numbers(folds);
            let rows_of = |fold: usize| {
                let is_inside = |row: &usize| fold_of[*row] == fold as f64;
                (0..fold_of.len()).filter(is_inside).collect()
            };
            (0..5).map(rows_of).collect()
        })
        .collect()
}

fn others(n_rows: usize, held_out: &[usize]) -> Vec<usize> {
    (0..n_rows).filter(|row| !held_out.contains(row)).collect()
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// The share of rows that are right by models that did not see them, over five folds of five seeds.
fn accuracy(name: &str, dataset: &ClassificationDataset) -> f64 {
    let scores = folds(name).into_iter().map(|folds| {
        let mut n_right = 0.0;
        for rows in folds {
            let train = dataset.take_rows(&others(dataset.n_rows(), &rows)).unwrap();
            let model = fit_boosted_classifier(&train, &BoostingOptions::default()).unwrap();
            let test = dataset.take_rows(&rows).unwrap();
            let metrics = evaluate_classification(&model, &test).unwrap();
            n_right += metrics.accuracy * rows.len() as f64;
        }
        n_right / dataset.n_rows() as f64
    });
    mean(&scores.collect::<Vec<_>>())
}

fn check_accuracy(name: &str, dataset: &ClassificationDataset) {
    let expected = mean(&numbers(&reference("boosting")[name]["scores"]));
    let found = accuracy(name, dataset);
    assert!(
        found >= expected - 0.01,
        "{name}: {found} is more than a point below {expected}"
    );
}

#[test]
fn classes_are_told_apart_as_well_as_by_scikit_learn() {
    check_accuracy("iris", &iris());
    check_accuracy("wine", &wine());
    check_accuracy("breast_cancer", &breast_cancer());
}

/// With the two penguins that have no measurement at all, and without the sex.
fn penguins_with_gaps() -> ClassificationDataset {
    let table = table("../examples/data/penguins.csv");
    let names = &table.column_names()[2..6];
    let number = |row: usize, name: &str| match table.column(name).unwrap().value(row) {
        Value::Float(number) => number,
        Value::Integer(number) => number as f64,
        _ => f64::NAN,
    };
    let shape = (table.n_rows(), names.len());
    let values = Array2::from_shape_fn(shape, |(row, column)| number(row, &names[column]));
    let records = Records::new(values, names.to_vec()).unwrap();
    let species = table.column("species").unwrap();
    let labels: Vec<String> = (0..table.n_rows())
        .map(|row| species.value(row).to_string())
        .collect();
    let labels = labels.iter().map(String::as_str);
    ClassificationDataset::new(records, labels, "species").unwrap()
}

#[test]
fn missing_measurements_are_learned_from_as_by_scikit_learn() {
    let dataset = penguins_with_gaps();
    let n_missing = dataset
        .records()
        .values()
        .iter()
        .filter(|value| value.is_nan())
        .count();
    assert_eq!(n_missing, 8);
    check_accuracy("penguins_with_gaps", &dataset);
}

#[test]
fn diabetes_is_predicted_as_well_as_by_scikit_learn() {
    let dataset = diabetes();
    let scores = folds("diabetes").into_iter().map(|folds| {
        let mut predictions = Array1::zeros(dataset.n_rows());
        for rows in folds {
            let train = dataset.take_rows(&others(dataset.n_rows(), &rows)).unwrap();
            let model = fit_boosted_regressor(&train, &BoostingOptions::default()).unwrap();
            let test = dataset.take_rows(&rows).unwrap();
            let found = model.predict(test.records()).unwrap();
            for (row, number) in rows.iter().zip(found) {
                predictions[*row] = number;
            }
        }
        r2_score(dataset.targets().view(), predictions.view()).unwrap()
    });
    let found = mean(&scores.collect::<Vec<_>>());
    let expected = mean(&numbers(&reference("boosting")["diabetes"]["scores"]));
    assert!(found >= expected - 0.01, "{found} {expected}");
}

#[test]
fn a_few_splits_are_those_worked_out_by_hand() {
    // Mean 5; one round, learning rate 1, two rows or more in a leaf. The split of x at 2.5 leaves sums
    // of squares 2 + 2, any other more. Means -3 + 5 and 3 + 5; the threshold is halfway.
    let records = array![[1.0], [2.0], [3.0], [4.0]];
    let dataset = Dataset::new(records, array![1.0, 3.0, 7.0, 9.0], ["x"], "y").unwrap();
    let options = BoostingOptions {
        n_rounds: 1,
        learning_rate: 1.0,
        min_leaf_weight: Some(2.0),
        ..BoostingOptions::default()
    };
    let model = fit_boosted_regressor(&dataset, &options).unwrap();
    let records = Records::new(array![[2.49], [2.51]], ["x"]).unwrap();
    support::check_all_close(
        &model.predict(&records).unwrap().to_vec(),
        &[2.0, 8.0],
        1e-6,
    );
    assert_eq!((model.n_trees(), model.n_nodes()), (1, 3));
    assert_eq!(model.importances(), [1.0]);

    // Half of the penalty: -12 / (2 + 2) and 12 / (2 + 2) in place of -6 / 2 and 6 / 2.
    let options = BoostingOptions { l2: 2.0, ..options };
    let model = fit_boosted_regressor(&dataset, &options).unwrap();
    let found = model.predict(&records).unwrap().to_vec();
    support::check_all_close(&found, &[3.5, 6.5], 1e-6);

    // Two classes, each with half of the rows: scores start at 0, probabilities at 0.5. A leaf of two
    // rows of the second has -(2 * -0.5) / (2 * 0.25) = 2, so that p = 1 / (1 + exp(-2)).
    let dataset = ClassificationDataset::new(
        Records::new(array![[1.0], [2.0], [3.0], [4.0]], ["x"]).unwrap(),
        ["a", "a", "b", "b"],
        "y",
    );
    let options = BoostingOptions {
        min_leaf_weight: Some(0.5),
        l2: 0.0,
        ..options
    };
    let model = fit_boosted_classifier(&dataset.unwrap(), &options).unwrap();
    let found = model.predict_probabilities(&records).unwrap();
    let p = 1.0 / (1.0 + f64::exp(-2.0));
    support::check_all_close(
        &found.into_raw_vec_and_offset().0,
        &[p, 1.0 - p, 1.0 - p, p],
        1e-6,
    );
}

#[test]
fn missing_values_go_where_they_belong() {
    let nan = f64::NAN;
    let options = BoostingOptions {
        n_rounds: 1,
        learning_rate: 1.0,
        min_leaf_weight: Some(2.0),
        ..BoostingOptions::default()
    };
    let fitted = |x: [f64; 6], y: [f64; 6], at: [f64; 4]| {
        let x = Array2::from_shape_vec((6, 1), x.to_vec()).unwrap();
        let dataset = Dataset::new(x, Array1::from_vec(y.to_vec()), ["x"], "y").unwrap();
        let model = fit_boosted_regressor(&dataset, &options).unwrap();
        let at = Array2::from_shape_vec((4, 1), at.to_vec()).unwrap();
        model
            .predict(&Records::new(at, ["x"]).unwrap())
            .unwrap()
            .to_vec()
    };
    let at = [-9.0, 2.0, 99.0, nan];
    // Rows without a value are like the low ones, then like the high ones, then like none.
    let low = fitted(
        [1.0, 2.0, 5.0, 6.0, nan, nan],
        [0.0, 0.0, 9.0, 9.0, 0.0, 0.0],
        at,
    );
    support::check_all_close(&low, &[0.0, 0.0, 9.0, 0.0], 1e-6);
    let high = fitted(
        [1.0, 2.0, 5.0, 6.0, nan, nan],
        [0.0, 0.0, 9.0, 9.0, 9.0, 9.0],
        at,
    );
    support::check_all_close(&high, &[0.0, 0.0, 9.0, 9.0], 1e-6);
    let apart = fitted(
        [1.0, 2.0, 5.0, 6.0, nan, nan],
        [1.0, 1.0, 1.0, 1.0, 4.0, 4.0],
        at,
    );
    support::check_all_close(&apart, &[1.0, 1.0, 1.0, 4.0], 1e-6);
}

fn on_threads<T: Send>(n_threads: usize, work: impl FnOnce() -> T + Send) -> T {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(n_threads);
    pool.build().unwrap().install(work)
}

#[test]
fn the_model_does_not_depend_on_the_number_of_threads() {
    // Enough rows that work is shared out.
    let mut rng = orch_core::Rng::new(3, 0);
    let values = Array2::from_shape_simple_fn((20_000, 6), || rng.next_f64());
    let targets: Array1<f64> = values
        .rows()
        .into_iter()
        .map(|row| row[0] * row[1] + row[5])
        .collect();
    let names = ["a", "b", "c", "d", "e", "f"];
    let dataset = Dataset::new(values, targets, names, "y").unwrap();
    for (row_fraction, feature_fraction) in [(1.0, 1.0), (0.5, 0.5)] {
        let options = BoostingOptions {
            n_rounds: 3,
            row_fraction,
            feature_fraction,
            ..BoostingOptions::default()
        };
        let fit = || fit_boosted_regressor(&dataset, &options).unwrap();
        let model = on_threads(1, fit);
        assert_eq!(model, on_threads(4, fit));
        assert_eq!(model, on_threads(7, fit));
        let other = BoostingOptions {
            seed: 1,
            ..options.clone()
        };
        let other = fit_boosted_regressor(&dataset, &other).unwrap();
        assert_eq!(
            model == other,
            row_fraction == 1.0,
            "the seed decides what is drawn"
        );
    }
}

#[test]
fn large_and_small_targets_are_predicted_as_well() {
    let dataset = diabetes();
    let options = BoostingOptions::default();
    let predict = |dataset: &Dataset| {
        let model = fit_boosted_regressor(dataset, &options).unwrap();
        model.predict(dataset.records()).unwrap()
    };
    let found = predict(&dataset);
    for unit in [1e-60, 1e60] {
        let targets = dataset.targets().mapv(|target| unit * (target + 1e4));
        let other = Dataset::from_records(dataset.records().clone(), targets, "y").unwrap();
        let found_there = predict(&other).mapv(|number| number / unit - 1e4);
        support::check_all_close(&found_there.to_vec(), &found.to_vec(), 1e-3);
    }
}

#[test]
fn models_know_their_rows_and_survive_a_file() {
    let (train, test) = train_test_split(&wine(), &Split::stratified(0.3).seed(0)).unwrap();
    let model = fit_boosted_classifier(&train, &BoostingOptions::default()).unwrap();
    assert_eq!(model.trained_on(), Some(train.origin()));
    assert_eq!(model.n_trees(), 300);
    assert!((model.importances().iter().sum::<f64>() - 1.0).abs() < 1e-9);
    let metrics = evaluate_classification(&model, &test).unwrap();
    assert!(metrics.accuracy > 0.9, "{}", metrics.accuracy);
    assert_eq!(
        BoostedClassifier::try_from(reread(model.clone())).unwrap(),
        model
    );
    let mut json = serde_json::to_value(&model).unwrap();
    json["ensemble"]["trees"][0].as_array_mut().unwrap().pop();
    let error = serde_json::from_value::<BoostedClassifier>(json).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the parts of the boosted trees do not fit each other"
    );

    let (train, test) = train_test_split(&diabetes(), &Split::random(0.3).seed(0)).unwrap();
    let model = fit_boosted_regressor(&train, &BoostingOptions::default()).unwrap();
    assert!(evaluate_regression(&model, &test).unwrap().r2 > 0.3);
    assert!(matches!(
        evaluate_regression(&model, &train.clone().into_inner()),
        Ok(metrics) if metrics.r2 > 0.8
    ));
    assert_eq!(
        BoostedRegressor::try_from(reread(model.clone())).unwrap(),
        model
    );
}

#[test]
fn options_out_of_range_are_refused_before_the_data_is_looked_at() {
    let nothing = Dataset::new(Array2::zeros((0, 0)), Array1::zeros(0), [""; 0], "y").unwrap();
    let check = |options: BoostingOptions, message: &str| {
        let error = fit_boosted_regressor(&nothing, &options).unwrap_err();
        assert_eq!(error.to_string(), message);
    };
    let default = BoostingOptions::default;
    check(
        BoostingOptions {
            n_rounds: 0,
            ..default()
        },
        "`n_rounds` is 0, expected at least 1",
    );
    check(
        BoostingOptions {
            learning_rate: f64::NAN,
            ..default()
        },
        "`learning_rate` is NaN, expected a finite number above 0",
    );
    check(
        BoostingOptions {
            max_leaves: Some(1),
            ..default()
        },
        "`max_leaves` is 1, expected at least 2",
    );
    check(
        BoostingOptions {
            max_depth: Some(0),
            ..default()
        },
        "`max_depth` is 0, expected at least 1",
    );
    check(
        BoostingOptions {
            min_leaf_weight: Some(0.0),
            ..default()
        },
        "`min_leaf_weight` is 0, expected a finite number of at least 0.001",
    );
    check(
        BoostingOptions {
            l2: -1.0,
            ..default()
        },
        "`l2` is -1, expected a finite number of at least 0",
    );
    check(
        BoostingOptions {
            max_bins: 256,
            ..default()
        },
        "`max_bins` is 256, expected 2 to 255",
    );
    check(
        BoostingOptions {
            row_fraction: 0.0,
            ..default()
        },
        "`row_fraction` is 0, expected a fraction above 0 and up to 1",
    );
    check(
        BoostingOptions {
            feature_fraction: 1.5,
            ..default()
        },
        "`feature_fraction` is 1.5, expected a fraction above 0 and up to 1",
    );
    assert!(matches!(
        fit_boosted_regressor(&nothing, &default()),
        Err(MlError::NoFeatures)
    ));
}

#[test]
fn values_that_cannot_be_learned_from_are_refused() {
    let options = BoostingOptions::default();
    let fit = |value: f64, target: f64| {
        let records = array![[1.0, 2.0], [3.0, value]];
        let dataset = Dataset::new(records, array![1.0, target], ["a", "b"], "y").unwrap();
        fit_boosted_regressor(&dataset, &options)
    };
    let message = |error: Result<BoostedRegressor, MlError>| error.unwrap_err().to_string();
    assert_eq!(
        message(fit(f64::INFINITY, 1.0)),
        "column `b` is inf at row 1, expected a finite number"
    );
    assert_eq!(
        message(fit(1.0, f64::NAN)),
        "column `y` is NaN at row 1, expected a finite number"
    );
    assert!(matches!(fit(1.0, f64::MAX), Err(MlError::FitOverflow)));
    let records = Records::new(array![[1.0], [2.0]], ["x"]).unwrap();
    let one = ClassificationDataset::new(records.clone(), ["a", "a"], "y").unwrap();
    assert!(matches!(
        fit_boosted_classifier(&one, &options),
        Err(MlError::OneClass { .. })
    ));
    // Rows that are all the same, or one alone: the mean.
    let one = Dataset::from_records(records.clone(), array![3.0, 3.0], "y").unwrap();
    let model = fit_boosted_regressor(&one, &options).unwrap();
    assert_eq!(model.predict(&records).unwrap().to_vec(), [3.0, 3.0]);
    assert_eq!(model.importances(), [0.0]);
    let infinite = Records::new(array![[f64::NEG_INFINITY]], ["x"]).unwrap();
    assert!(matches!(
        model.predict(&infinite),
        Err(MlError::NotFinite { .. })
    ));
}

#[flow]
async fn boosted(flowers: DataFile, patients: DataFile) -> Result<(f64, f64), TaskError> {
    let flowers = separate_label(load_csv(flowers, CsvOptions::default()), "species");
    let (train, test) = split_classes(&flowers, Split::stratified(0.3).seed(1)).unzip();
    let model = train_boosted_classifier(&train, BoostingOptions::default());
    let of_flowers = evaluate_classifier::<BoostedClassifier>(&model, &test);
    let patients = separate_target(load_csv(patients, CsvOptions::default()), "target");
    let (train, test) = split(&patients, Split::random(0.3).seed(1)).unzip();
    let model = train_boosted_regressor(&train, BoostingOptions::default());
    let of_patients = evaluate_regressor::<BoostedRegressor>(&model, &test);
    Ok((of_flowers.await?.accuracy, of_patients.await?.r2))
}

#[orch_core::test]
async fn tasks_come_to_what_the_plain_functions_do() {
    let data = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/data");
    let run = TestEngine::new()
        .run(boosted(
            format!("{data}/iris.csv"),
            format!("{data}/diabetes.csv"),
        ))
        .await;
    let (accuracy, r2) = run.result.unwrap();
    let options = BoostingOptions::default();
    let (train, test) = train_test_split(&iris(), &Split::stratified(0.3).seed(1)).unwrap();
    let model = fit_boosted_classifier(&train, &options).unwrap();
    assert_eq!(
        accuracy,
        evaluate_classification(&model, &test).unwrap().accuracy
    );
    let (train, test) = train_test_split(&diabetes(), &Split::random(0.3).seed(1)).unwrap();
    let model = fit_boosted_regressor(&train, &options).unwrap();
    assert_eq!(r2, evaluate_regression(&model, &test).unwrap().r2);
}

#[test]
fn a_row_of_weight_two_is_as_good_as_two_rows() {
    let dataset = iris();
    let weights: Vec<f64> = (0..150).map(|row| (row % 3) as f64).collect();
    let rows = (0..150).flat_map(|row| std::iter::repeat_n(row, row % 3));
    let repeated = dataset.take_rows(&rows.collect::<Vec<_>>()).unwrap();
    let options = BoostingOptions {
        n_rounds: 10,
        ..BoostingOptions::default()
    };
    let weighted = Weighted::new(&dataset, &weights).unwrap();
    let weighted = fit_boosted_classifier(&weighted, &options).unwrap();
    let expected = fit_boosted_classifier(&repeated, &options).unwrap();
    let probabilities = |model: &BoostedClassifier| {
        let found = model.predict_probabilities(repeated.records()).unwrap();
        found.into_raw_vec_and_offset().0
    };
    // Rows that are left out still make bins, but none of them is needed to tell the rest apart.
    support::check_all_close(&probabilities(&weighted), &probabilities(&expected), 1e-4);

    let patients = diabetes();
    let weights: Vec<f64> = (0..442).map(|row| 1.0 + (row % 2) as f64).collect();
    let rows = (0..442).flat_map(|row| std::iter::repeat_n(row, 1 + row % 2));
    let repeated = patients.take_rows(&rows.collect::<Vec<_>>()).unwrap();
    let weighted = Weighted::new(&patients, &weights).unwrap();
    let options = BoostingOptions {
        n_rounds: 3,
        ..options
    };
    let weighted = fit_boosted_regressor(&weighted, &options).unwrap();
    let expected = fit_boosted_regressor(&repeated, &options).unwrap();
    let r2 = |model: &BoostedRegressor| evaluate_regression(model, &patients).unwrap().r2;
    assert!((r2(&weighted) - r2(&expected)).abs() < 0.01);
}

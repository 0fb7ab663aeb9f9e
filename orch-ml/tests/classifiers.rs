//! Logistic regression and naive Bayes against scikit-learn (`tests/reference/classifiers.py`).

mod support;

use orch_ml::ndarray::{Array2, array};
use orch_ml::{
    ClassLabel, ClassificationDataset, Classifier, LogisticModel, LogisticOptions, MlError,
    NaiveBayesModel, NaiveBayesOptions, Records, Split, evaluate_classification, fit_logistic,
    fit_naive_bayes, train_test_split,
};
use serde_json::Value;
use support::{
    breast_cancer, check_all_close, check_close, flat, iris, numbers, penguins, reference, reread,
    standardized, wine, with_records,
};

fn data_sets() -> Vec<(&'static str, ClassificationDataset)> {
    vec![
        ("iris", iris()),
        ("wine", wine()),
        ("penguins", penguins()),
        ("breast_cancer", breast_cancer()),
    ]
}

fn cases<'a>(reference: &'a Value, name: &str, model: &str) -> impl Iterator<Item = &'a Value> {
    reference[name][model].as_array().unwrap().iter()
}

fn check_predictions<M: Classifier>(
    model: &M,
    dataset: &ClassificationDataset,
    case: &Value,
    tolerance: f64,
) {
    let metrics = evaluate_classification(model, dataset).unwrap();
    check_close(metrics.accuracy, case["accuracy"].as_f64().unwrap(), 1e-12);
    let some: Vec<usize> = (0..dataset.n_rows()).step_by(17).collect();
    let some = dataset.take_rows(&some).unwrap();
    let probabilities = model.predict_probabilities(some.records()).unwrap();
    check_all_close(
        probabilities.as_slice().unwrap(),
        &flat(&case["probabilities"]),
        tolerance,
    );
}

/// Both are ends of an iteration: scikit-learn's was run with a `tol` of 1e-10.
const ITERATED: f64 = 1e-6;

#[test]
fn logistic_regression_gives_the_coefficients_of_scikit_learn() {
    let reference = reference("classifiers");
    for (name, raw) in data_sets() {
        let scaled = with_records(&raw, standardized(raw.records()));
        for (kind, dataset) in [("logistic", &raw), ("logistic_standardized", &scaled)] {
            for case in cases(&reference, name, kind) {
                let options = LogisticOptions {
                    c: case["C"].as_f64().unwrap(),
                    tol: 1e-10,
                    ..LogisticOptions::default()
                };
                let model = fit_logistic(dataset, &options).unwrap();
                assert!(model.is_converged(), "{name} {kind}");
                let coefficients = model.coefficients();
                let expected = flat(&case["coefficients"]);
                check_all_close(coefficients.as_slice().unwrap(), &expected, ITERATED);
                check_all_close(model.intercepts(), &numbers(&case["intercepts"]), ITERATED);
                check_predictions(&model, dataset, case, ITERATED);
            }
        }
    }
}

#[test]
fn the_default_tolerance_gives_probabilities_to_three_digits() {
    let reference = reference("classifiers");
    for (name, dataset) in data_sets() {
        let case = &reference[name]["logistic"][0];
        let model = fit_logistic(&dataset, &LogisticOptions::default()).unwrap();
        assert!(model.is_converged() && model.n_iter() < 30, "{name}");
        check_predictions(&model, &dataset, case, 1e-3);
    }
}

#[test]
fn naive_bayes_gives_the_probabilities_of_scikit_learn() {
    let reference = reference("classifiers");
    for (name, dataset) in data_sets() {
        for case in cases(&reference, name, "naive_bayes") {
            let options = NaiveBayesOptions {
                var_smoothing: case["var_smoothing"].as_f64().unwrap(),
            };
            let model = fit_naive_bayes(&dataset, &options).unwrap();
            let means = model.means().as_slice().unwrap();
            check_all_close(means, &flat(&case["means"]), 1e-12);
            let variances = model.variances().as_slice().unwrap();
            check_all_close(variances, &flat(&case["variances"]), 1e-12);
            check_all_close(model.priors(), &numbers(&case["priors"]), 1e-12);
            check_predictions(&model, &dataset, case, 1e-9);
        }
    }
}

fn labelled<const N: usize>(records: Array2<f64>, labels: [&str; N]) -> ClassificationDataset {
    let names = ["a", "b", "c"][..records.ncols()].to_vec();
    ClassificationDataset::new(Records::new(records, names).unwrap(), labels, "kind").unwrap()
}

#[test]
fn separable_classes_do_not_let_coefficients_grow_without_end() {
    let records = array![[1e-6], [2e-6], [3e-6], [4e-6]];
    let dataset = labelled(records, ["x", "x", "y", "y"]);
    for c in [1.0, 1e6, 1e12] {
        let options = LogisticOptions {
            c,
            ..LogisticOptions::default()
        };
        let model = fit_logistic(&dataset, &options).unwrap();
        assert!(model.is_converged(), "{c}");
        assert!(model.coefficients()[[0, 0]].is_finite());
    }
    // The gradient is 0 where c * sum of residuals * feature is the coefficient.
    let options = LogisticOptions {
        c: 1e12,
        tol: 1e-12,
        ..LogisticOptions::default()
    };
    let model = fit_logistic(&dataset, &options).unwrap();
    let probabilities = model.predict_probabilities(dataset.records()).unwrap();
    let pull: f64 = (0..4)
        .map(|row| {
            let residual = f64::from(u8::from(row >= 2)) - probabilities[[row, 1]];
            1e12 * residual * dataset.records().values()[[row, 0]]
        })
        .sum();
    check_close(pull, model.coefficients()[[0, 0]], 1e-6);
}

#[test]
fn constant_features_get_no_weight_and_change_nothing() {
    let dataset = iris();
    let values = dataset.records().values();
    let wider = Array2::from_shape_fn((150, 5), |(row, column)| match column {
        4 => 0.1,
        _ => values[[row, column]],
    });
    let names = ["sl", "sw", "pl", "pw", "constant"];
    let wider = with_records(&dataset, Records::new(wider, names).unwrap());
    let plain = fit_logistic(&dataset, &LogisticOptions::default()).unwrap();
    let model = fit_logistic(&wider, &LogisticOptions::default()).unwrap();
    assert!(
        model
            .coefficients()
            .column(4)
            .iter()
            .all(|slope| *slope == 0.0)
    );
    check_all_close(model.intercepts(), plain.intercepts(), 1e-9);

    let only = labelled(array![[2.0], [2.0], [2.0]], ["x", "y", "y"]);
    let model = fit_naive_bayes(&only, &NaiveBayesOptions::default()).unwrap();
    let probabilities = model.predict_probabilities(only.records()).unwrap();
    check_all_close(
        &probabilities.row(0).to_vec(),
        &[1.0 / 3.0, 2.0 / 3.0],
        1e-12,
    );
    let model = fit_logistic(&only, &LogisticOptions::default()).unwrap();
    let probabilities = model.predict_probabilities(only.records()).unwrap();
    check_all_close(
        &probabilities.row(0).to_vec(),
        &[1.0 / 3.0, 2.0 / 3.0],
        1e-6,
    );
}

#[test]
fn one_class_is_refused_by_what_tells_classes_apart() {
    let dataset = labelled(array![[1.0], [2.0]], ["x", "x"]);
    let error = fit_logistic(&dataset, &LogisticOptions::default()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "all 2 rows are of class `x` of column `kind`, expected at least 2 classes"
    );
    assert!(fit_naive_bayes(&dataset, &NaiveBayesOptions::default()).is_ok());
}

#[test]
fn a_class_without_rows_is_left_out() {
    let dataset = iris();
    let first_two = dataset.take_rows(&(0..100).collect::<Vec<_>>()).unwrap();
    assert_eq!(first_two.classes().len(), 3);
    let expected: [ClassLabel; 2] = ["setosa".into(), "versicolor".into()];
    let logistic = fit_logistic(&first_two, &LogisticOptions::default()).unwrap();
    assert_eq!(logistic.classes(), expected);
    assert_eq!(logistic.intercepts().len(), 1);
    let bayes = fit_naive_bayes(&first_two, &NaiveBayesOptions::default()).unwrap();
    assert_eq!(bayes.classes(), expected);
    let metrics = evaluate_classification(&bayes, &dataset).unwrap();
    check_close(metrics.accuracy, 100.0 / 150.0, 1e-12);
}

#[test]
fn options_and_values_out_of_range_are_refused() {
    let dataset = labelled(array![[1.0, 2.0], [2.0, f64::INFINITY]], ["x", "y"]);
    let logistic = |change: fn(&mut LogisticOptions)| {
        let mut options = LogisticOptions::default();
        change(&mut options);
        fit_logistic(&dataset, &options).unwrap_err().to_string()
    };
    assert_eq!(
        logistic(|options| options.c = 0.0),
        "`c` is 0, expected a finite number above 0"
    );
    assert_eq!(
        logistic(|options| options.max_iter = 0),
        "`max_iter` is 0, expected at least 1"
    );
    assert_eq!(
        logistic(|options| options.tol = f64::NAN),
        "`tol` is NaN, expected a finite number of at least 0"
    );
    let infinite = "column `b` is inf at row 1, expected a finite number";
    assert_eq!(logistic(|_| ()), infinite);
    let bayes = |var_smoothing| {
        let options = NaiveBayesOptions { var_smoothing };
        fit_naive_bayes(&dataset, &options).unwrap_err().to_string()
    };
    assert_eq!(
        bayes(0.0),
        "`var_smoothing` is 0, expected a finite number above 0"
    );
    assert_eq!(bayes(1e-9), infinite);
    let huge = labelled(array![[1e200], [-1e200]], ["x", "y"]);
    assert!(matches!(
        fit_logistic(&huge, &LogisticOptions::default()),
        Err(MlError::FitOverflow)
    ));
    assert!(matches!(
        fit_naive_bayes(&huge, &NaiveBayesOptions::default()),
        Err(MlError::FitOverflow)
    ));
}

#[test]
fn models_know_their_rows_and_survive_a_file() {
    let (train, test) = train_test_split(&wine(), &Split::stratified(0.3).seed(2)).unwrap();
    let logistic = fit_logistic(&train, &LogisticOptions::default()).unwrap();
    let bayes = fit_naive_bayes(&train, &NaiveBayesOptions::default()).unwrap();
    assert!(evaluate_classification(&logistic, &test).unwrap().accuracy > 0.9);
    assert!(evaluate_classification(&bayes, &test).unwrap().accuracy > 0.9);
    assert_eq!(logistic.trained_on(), Some(train.origin()));
    let read = LogisticModel::try_from(reread(logistic.clone())).unwrap();
    assert_eq!(read, logistic);
    let read = NaiveBayesModel::try_from(reread(bayes.clone())).unwrap();
    assert_eq!(read, bayes);

    let mut json = serde_json::to_value(&logistic).unwrap();
    json["intercepts"].as_array_mut().unwrap().pop();
    assert_eq!(
        serde_json::from_value::<LogisticModel>(json)
            .unwrap_err()
            .to_string(),
        "the list of intercepts has length 2, expected 3"
    );
    let mut json = serde_json::to_value(&bayes).unwrap();
    json["priors"].as_array_mut().unwrap().pop();
    assert_eq!(
        serde_json::from_value::<NaiveBayesModel>(json)
            .unwrap_err()
            .to_string(),
        "the list of priors has length 2, expected 3"
    );
}

#[test]
fn the_result_does_not_depend_on_the_number_of_threads() {
    let records = Array2::from_shape_fn((20_000, 3), |(row, column)| {
        ((row * 7919 + column * 104_729) % 10_007) as f64 / 1e4
    });
    let labels = (0..20_000).map(|row| ((row * 31) % 997 % 3) as i64);
    let records = Records::new(records, ["a", "b", "c"]).unwrap();
    let dataset = ClassificationDataset::new(records, labels, "kind").unwrap();
    let fit = || fit_logistic(&dataset, &LogisticOptions::default()).unwrap();
    let one = rayon::ThreadPoolBuilder::new()
        .num_threads(1)
        .build()
        .unwrap();
    assert_eq!(one.install(fit), fit());
}

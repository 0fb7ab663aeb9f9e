//! Learning curves against scikit-learn: `reference/learning.py` says how each number was made.

mod support;

use std::collections::BTreeSet;
use std::sync::Mutex;

use orch_ml::ndarray::Array2;
use orch_ml::{
    ClassificationScoring, CrossValidation, Dataset, LearningCurve, LearningSizes, LearningStep,
    LogisticOptions, MlError, NaiveBayesOptions, RegressionScoring, Train,
    classification_learning_curve, fit_linear, fit_logistic, fit_naive_bayes,
    regression_learning_curve, to_dataset,
};
use serde_json::Value;
use support::{breast_cancer, check_all_close, flat, reference, table};

/// The sizes of scikit-learn, which takes the first rows of each fold unless it is told to shuffle.
fn first_rows() -> LearningSizes {
    LearningSizes {
        seed: None,
        ..LearningSizes::default()
    }
}

fn check_curve<S>(found: &LearningCurve<S>, expected: &Value, sign: f64) {
    let n_rows: Vec<f64> = found.steps.iter().map(|step| step.n_rows as f64).collect();
    assert_eq!(n_rows, flat(&expected["n_rows"]));
    let scores = |of: fn(&LearningStep) -> &Vec<f64>| -> Vec<f64> {
        let scores = found.steps.iter().flat_map(of);
        scores.map(|score| sign * score).collect()
    };
    check_all_close(
        &scores(|step| &step.train_scores),
        &flat(&expected["train"]),
        1e-9,
    );
    check_all_close(
        &scores(|step| &step.valid_scores),
        &flat(&expected["valid"]),
        1e-9,
    );
}

fn three_features() -> Train<Dataset> {
    let table = table("../examples/data/diabetes.csv");
    let features = ["bmi", "bp", "s5"].map(str::to_owned);
    Train::all(to_dataset(&table, &features, "target").unwrap())
}

#[test]
fn scores_of_a_regression_are_those_of_scikit_learn() {
    let train = three_features();
    // That one has errors with a minus, so that more is better.
    for (scoring, name, n_splits, sign) in [
        (RegressionScoring::R2, "r2", 5, 1.0),
        (RegressionScoring::Mae, "mae", 4, -1.0),
    ] {
        let folds = CrossValidation::KFold {
            n_splits,
            seed: None,
        };
        let fit = |train: &Train<Dataset>| fit_linear(train);
        let curve = regression_learning_curve(&train, &first_rows(), &folds, scoring, fit).unwrap();
        check_curve(&curve, &reference("learning")[name], sign);
    }
}

#[test]
fn scores_of_a_classifier_are_those_of_scikit_learn() {
    let train = Train::all(breast_cancer());
    let folds = CrossValidation::Stratified {
        n_splits: 5,
        seed: None,
    };
    let fit = |train: &Train<_>| fit_naive_bayes(train, &NaiveBayesOptions::default());
    let scoring = ClassificationScoring::Accuracy;
    let curve = classification_learning_curve(&train, &first_rows(), &folds, scoring, fit).unwrap();
    check_curve(&curve, &reference("learning")["accuracy"], 1.0);
}

#[test]
fn means_and_deviations_are_over_the_folds() {
    let curve = LearningCurve {
        steps: vec![LearningStep {
            n_rows: 10,
            train_scores: vec![1.0, 1.0],
            valid_scores: vec![0.5, 0.9],
        }],
        scoring: RegressionScoring::R2,
    };
    assert_eq!(curve.train(), [(10, 1.0, 0.0)]);
    let (n_rows, mean, std) = curve.valid()[0];
    assert_eq!((n_rows, mean), (10, 0.7));
    assert!((std - 0.2).abs() < 1e-12);
}

/// Rows whose targets are their numbers.
fn numbered(n_rows: usize) -> Train<Dataset> {
    let records = Array2::from_shape_fn((n_rows, 1), |(row_idx, _)| (row_idx * row_idx) as f64);
    let targets: Vec<f64> = (0..n_rows).map(|row_idx| row_idx as f64).collect();
    Train::all(Dataset::new(records, targets.into(), ["x"], "y").unwrap())
}

/// The rows of each fit, the smallest first.
fn fitted_rows(sizes: &LearningSizes) -> Vec<BTreeSet<usize>> {
    let fitted = Mutex::new(Vec::new());
    let folds = CrossValidation::KFold {
        n_splits: 2,
        seed: None,
    };
    let fit = |train: &Train<Dataset>| {
        let rows = train.targets().iter().map(|target| *target as usize);
        fitted.lock().unwrap().push(rows.collect());
        fit_linear(train)
    };
    let scoring = RegressionScoring::Mae;
    regression_learning_curve(&numbered(40), sizes, &folds, scoring, fit).unwrap();
    let mut fitted: Vec<BTreeSet<usize>> = fitted.into_inner().unwrap();
    fitted.sort_by_key(|rows| (rows.len(), rows.iter().next().copied()));
    fitted
}

#[test]
fn a_larger_part_has_the_rows_of_the_smaller_one_and_none_that_is_held_out() {
    let fitted = fitted_rows(&LearningSizes::default());
    let lengths: Vec<usize> = fitted.iter().map(BTreeSet::len).collect();
    assert_eq!(lengths, [2, 2, 6, 6, 11, 11, 15, 15, 20, 20]);
    // Neighbouring rows are one fold's test and all that the other trains on.
    let halves: [BTreeSet<usize>; 2] = [(0..20).collect(), (20..40).collect()];
    for half in &halves {
        let parts: Vec<_> = fitted.iter().filter(|rows| rows.is_subset(half)).collect();
        assert_eq!(parts.len(), 5);
        assert!(parts.windows(2).all(|pair| pair[0].is_subset(pair[1])));
        assert_eq!(parts[4], half);
        // Shuffled, the first rows are not the first ones.
        assert_ne!(
            *parts[1],
            half.iter().take(6).copied().collect::<BTreeSet<_>>()
        );
    }
}

#[test]
fn the_same_seed_gives_the_same_rows_and_another_one_others() {
    let of = |seed| {
        fitted_rows(&LearningSizes {
            seed: Some(seed),
            ..LearningSizes::default()
        })
    };
    assert_eq!(of(3), of(3));
    assert_ne!(of(3), of(4));
}

#[test]
fn shares_that_come_to_the_same_rows_are_one_step() {
    let sizes = LearningSizes {
        fractions: vec![1.0, 0.5, 0.52],
        seed: None,
    };
    let lengths: Vec<usize> = fitted_rows(&sizes).iter().map(BTreeSet::len).collect();
    assert_eq!(lengths, [10, 10, 20, 20]);
}

#[test]
fn shares_that_are_none_are_refused() {
    let message = |fractions: &[f64]| {
        let sizes = LearningSizes {
            fractions: fractions.to_vec(),
            seed: None,
        };
        let folds = CrossValidation::LeaveOneOut;
        let scoring = RegressionScoring::Mae;
        let fit = |train: &Train<Dataset>| fit_linear(train);
        let curve = regression_learning_curve(&numbered(10), &sizes, &folds, scoring, fit);
        curve.unwrap_err().to_string()
    };
    assert_eq!(
        message(&[]),
        "`number of fractions` is 0, expected at least 1"
    );
    let expected = "expected shares above 0 and at most 1";
    assert_eq!(
        message(&[0.5, 0.0]),
        format!("`fractions` is 0, {expected}")
    );
    assert_eq!(message(&[1.1]), format!("`fractions` is 1.1, {expected}"));
    assert_eq!(
        message(&[f64::NAN]),
        format!("`fractions` is NaN, {expected}")
    );
    assert_eq!(
        message(&[0.1]),
        "`fractions` is 0.1, expected shares of at least one row"
    );
}

#[test]
fn the_error_of_a_fit_is_that_of_the_curve() {
    let train = Train::all(support::iris());
    let folds = CrossValidation::KFold {
        n_splits: 3,
        seed: None,
    };
    // The irises are sorted: the first rows of each fold are of one class.
    let fit = |train: &Train<_>| fit_logistic(train, &LogisticOptions::default());
    let scoring = ClassificationScoring::Accuracy;
    let curve = classification_learning_curve(&train, &first_rows(), &folds, scoring, fit);
    assert!(matches!(curve, Err(MlError::OneClass { .. })), "{curve:?}");
}

//! Nested cross-validation: against scikit-learn (reference/nested.py), and that no search gets a row
//! that its result is judged by.

mod support;

use std::cell::RefCell;

use orch_core::prelude::*;
use orch_core::testing::TestEngine;
use orch_ml::ndarray::Array2;
use orch_ml::tasks::{
    NestedForestClassifierSearch, load_csv, nested_search_forest_classifier, separate_label,
    train_on_all_classes,
};
use orch_ml::{
    ClassificationScoring, CrossValidation, CsvOptions, Dataset, ForestOptions, NestedReport,
    RegressionScoring, RidgeOptions, Scoring, SearchReport, Space, Train, TreeOptions, Value,
    fit_forest_classifier, fit_ridge, fit_tree_classifier, nested_cross_validate_classifier,
    nested_cross_validate_regressor, search_classifier, search_regressor,
};
use serde::Serialize;
use support::{check_all_close, diabetes, iris, numbers, reference};

fn k_fold(n_splits: usize) -> CrossValidation {
    CrossValidation::KFold {
        n_splits,
        seed: None,
    }
}

fn stratified(n_splits: usize) -> CrossValidation {
    CrossValidation::Stratified {
        n_splits,
        seed: None,
    }
}

fn check_report<O: Serialize, S: Scoring>(
    name: &str,
    report: &NestedReport<O, S>,
    option: impl Fn(&O) -> f64,
) {
    let expected = &reference("nested")[name];
    let chosen: Vec<f64> = report
        .folds()
        .iter()
        .map(|fold| option(&fold.chosen.options))
        .collect();
    assert_eq!(chosen, numbers(&expected["chosen"]));
    let inner: Vec<f64> = report
        .folds()
        .iter()
        .map(|fold| fold.chosen.mean())
        .collect();
    check_all_close(&inner, &numbers(&expected["inner"]), 1e-9);
    check_all_close(&report.scores(), &numbers(&expected["scores"]), 1e-9);
}

#[test]
fn chosen_options_and_outer_scores_are_those_of_scikit_learn() {
    let alphas = Space::new().values("alpha", [0.001, 0.01, 0.03, 0.1, 0.3, 1.0]);
    let alphas = alphas.grid(&RidgeOptions::default()).unwrap();
    let scoring = RegressionScoring::R2;
    let search = |train: &Train<Dataset>| {
        search_regressor(train, alphas.clone(), &k_fold(3), scoring, fit_ridge)
    };
    let train = Train::all(diabetes());
    let report =
        nested_cross_validate_regressor(&train, &k_fold(5), scoring, search, fit_ridge).unwrap();
    check_report("ridge", &report, |options| options.alpha);
    // `numpy.mean` and `numpy.std` of the scores of the reference.
    check_all_close(
        &[report.mean(), report.std()],
        &[0.48022626586772094, 0.05058351104398753],
        1e-9,
    );

    let depths = Space::new().values("max_depth", [1, 2]);
    let depths = depths.grid(&TreeOptions::default()).unwrap();
    let scoring = ClassificationScoring::Accuracy;
    let report = nested_cross_validate_classifier(
        &Train::all(iris()),
        &stratified(4),
        scoring,
        |train| {
            search_classifier(
                train,
                depths.clone(),
                &stratified(3),
                scoring,
                fit_tree_classifier,
            )
        },
        fit_tree_classifier,
    )
    .unwrap();
    check_report("tree", &report, |options| options.max_depth.unwrap() as f64);
}

#[test]
fn a_report_is_a_table_of_what_was_chosen() {
    let alphas = Space::new().values("alpha", [0.001, 0.01, 0.03]);
    let alphas = alphas.grid(&RidgeOptions::default()).unwrap();
    let scoring = RegressionScoring::R2;
    let search = |train: &Train<Dataset>| {
        search_regressor(train, alphas.clone(), &k_fold(3), scoring, fit_ridge)
    };
    let train = Train::all(diabetes());
    let report =
        nested_cross_validate_regressor(&train, &k_fold(5), scoring, search, fit_ridge).unwrap();
    let table = report.to_table();
    assert_eq!(
        table.column_names(),
        [
            "fold",
            "alpha",
            "inner_r2_mean",
            "r2",
            "n_train",
            "n_held_out"
        ]
    );
    assert_eq!(table.n_rows(), 5);
    assert_eq!(
        table.column("n_held_out").unwrap().value(0),
        Value::Integer(89)
    );
    assert_eq!(
        table.column("n_train").unwrap().value(0),
        Value::Integer(353)
    );
    let score = table.column("r2").unwrap().value(3);
    assert_eq!(score, Value::Float(report.scores()[3]));
    assert!(report.to_string().contains("r2: "), "{report}");
    let bytes = serde_json::to_vec(&report).unwrap();
    let again: NestedReport<RidgeOptions, RegressionScoring> =
        serde_json::from_slice(&bytes).unwrap();
    assert_eq!(again, report);
}

/// Rows that can be told by their only feature.
fn numbered(n_rows: usize) -> Train<Dataset> {
    let values = Array2::from_shape_fn((n_rows, 1), |(row, _)| row as f64);
    let targets = (0..n_rows).map(|row| (row * 7 % 11) as f64).collect();
    Train::all(Dataset::new(values, targets, ["row"], "y").unwrap())
}

#[test]
fn no_search_gets_a_row_of_its_outer_fold() {
    let train = numbered(60);
    // The same folds outside and inside, with and without a seed: by what they are split must not
    // confuse where rows are from.
    for outer in [
        k_fold(4),
        CrossValidation::KFold {
            n_splits: 4,
            seed: Some(3),
        },
    ] {
        let searched = RefCell::new(Vec::new());
        let fitted = RefCell::new(Vec::new());
        let scoring = RegressionScoring::Rmse;
        let report = nested_cross_validate_regressor(
            &train,
            &outer,
            scoring,
            |train| {
                let seen = std::sync::Mutex::new(Vec::new());
                let report = search_regressor(
                    train,
                    vec![RidgeOptions::default(), RidgeOptions { alpha: 9.0 }],
                    &outer,
                    scoring,
                    |train: &Train<Dataset>, options: &RidgeOptions| {
                        seen.lock().unwrap().push(train.clone());
                        fit_ridge(train, options)
                    },
                )?;
                searched
                    .borrow_mut()
                    .push((train.clone(), seen.into_inner().unwrap()));
                Ok(report)
            },
            |train, options| {
                fitted.borrow_mut().push(train.clone());
                fit_ridge(train, options)
            },
        )
        .unwrap();
        assert_eq!(report.folds().len(), 4);
        let folds = outer.folds(&*train).unwrap();
        let (searched, fitted) = (searched.into_inner(), fitted.into_inner());
        for (index, fold) in folds.iter().enumerate() {
            let (_, held_out) = outer.fold(&train, index, fold).unwrap();
            let (given, inner) = &searched[index];
            assert_eq!(inner.len(), 8, "two candidates on four inner folds");
            for used in inner.iter().chain([given, &fitted[index]]) {
                assert!(!used.origin().overlaps(held_out.origin()));
                let rows = used.records().values();
                assert!(
                    rows.iter()
                        .all(|row| !held_out.records().values().iter().any(|of| of == row))
                );
            }
            // What was searched and fitted is all the rest.
            assert_eq!(given.n_rows() + held_out.n_rows(), 60);
            assert_eq!(fitted[index], *given);
        }
    }
}

#[test]
fn a_search_with_rows_of_the_outer_fold_is_refused() {
    let train = numbered(40);
    let scoring = RegressionScoring::R2;
    let cheat = |_: &Train<Dataset>, options: &RidgeOptions| fit_ridge(&train, options);
    let error = nested_cross_validate_regressor(
        &train,
        &k_fold(4),
        scoring,
        |train| {
            search_regressor(
                train,
                vec![RidgeOptions::default()],
                &k_fold(3),
                scoring,
                fit_ridge,
            )
        },
        cheat,
    );
    let message = error.unwrap_err().to_string();
    assert_eq!(message, orch_ml::MlError::TestSeenInTraining.to_string());
    let none: Result<SearchReport<RidgeOptions, _>, _> =
        search_regressor(&train, vec![], &k_fold(3), scoring, fit_ridge);
    assert!(matches!(none, Err(orch_ml::MlError::NoTrials)));
}

fn forests() -> Vec<ForestOptions> {
    let space = Space::new().values("max_depth", [1, 3]);
    let base = ForestOptions {
        n_trees: 5,
        ..ForestOptions::default()
    };
    space.grid(&base).unwrap()
}

#[flow]
async fn nested(file: DataFile) -> anyhow::Result<NestedForestClassifierSearch> {
    let flowers = separate_label(load_csv(file, CsvOptions::default()), "species");
    let train = train_on_all_classes(&flowers);
    let scoring = ClassificationScoring::Accuracy;
    let folds = stratified(3);
    let nested = nested_search_forest_classifier(&train, forests(), folds, stratified(2), scoring);
    Ok(nested?.await?.into_inner())
}

#[orch_core::test]
async fn as_tasks_it_comes_to_what_the_plain_function_does() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/data/iris.csv");
    let run = TestEngine::new().run(nested(file)).await;
    run.assert_completed();
    run.assert_edge("take_fold_of_classes", "judge_forest_classifier");
    run.assert_edge("judge_forest_classifier", "gather_forest_classifiers");
    let scoring = ClassificationScoring::Accuracy;
    let expected = nested_cross_validate_classifier(
        &Train::all(iris()),
        &stratified(3),
        scoring,
        |train| {
            search_classifier(
                train,
                forests(),
                &stratified(2),
                scoring,
                fit_forest_classifier,
            )
        },
        fit_forest_classifier,
    );
    assert_eq!(run.result.unwrap(), expected.unwrap());

    let unknown = CrossValidation::LeaveOneOut.n_splits();
    assert_eq!((unknown, stratified(3).n_splits()), (None, Some(3)));
}

//! Importances and dependences of any model as tasks, and that rows seen in training are refused.

mod support;

use orch_core::prelude::*;
use orch_core::testing::TestEngine;
use orch_ml::ndarray::ArrayView1;
use orch_ml::tasks::{
    dependence_of_classifier, dependence_of_regressor, importance_of_classifier,
    importance_of_classifier_in_training, importance_of_regressor,
    importance_of_regressor_in_training, load_csv, separate_label, separate_target, split,
    split_classes, train_logistic, train_ridge,
};
use orch_ml::{
    ClassOutcomes, ClassPartialDependence, ClassificationScoring, CsvOptions, GridOptions,
    LogisticModel, LogisticOptions, MlError, PartialDependence, PermutationImportance,
    PermutationOptions, RegressionScoring, RidgeModel, RidgeOptions, Split, Valid,
    class_partial_dependence, classification_importance, evaluate_classification,
    evaluate_regression, fit_logistic, fit_ridge, log_loss, partial_dependence, r2_score,
    regression_importance, root_mean_squared_error, train_test_split, train_valid_split,
};
use support::{diabetes, iris};

const DATA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/data");

fn half() -> Split {
    Split::random(0.5).seed(4)
}

fn grid() -> GridOptions {
    GridOptions {
        n_points: 4,
        ..GridOptions::default()
    }
}

#[flow]
async fn of_numbers(
    file: DataFile,
) -> Result<(Vec<PermutationImportance>, PartialDependence), TaskError> {
    let dataset = separate_target(load_csv(file, CsvOptions::default()), "target");
    let (train, test) = split(&dataset, half()).unzip();
    let model = train_ridge(&train, RidgeOptions::default());
    let shuffles = PermutationOptions::default();
    let rmse = RegressionScoring::Rmse;
    let unseen = importance_of_regressor::<RidgeModel>(&model, &test, rmse, shuffles);
    let r2 = RegressionScoring::R2;
    let seen = importance_of_regressor_in_training::<RidgeModel>(&model, &train, r2, shuffles);
    let records = test.await?.records().clone();
    let dependence = dependence_of_regressor::<RidgeModel>(&model, records, "bmi", grid());
    let importances = vec![unseen.await?.into_inner(), seen.await?.into_inner()];
    Ok((importances, dependence.await?.into_inner()))
}

#[orch_core::test]
async fn tasks_for_any_model_of_numbers_are_the_plain_functions() {
    let run = TestEngine::new()
        .run(of_numbers(format!("{DATA}/diabetes.csv")))
        .await;
    run.assert_completed();
    run.assert_edge("train_ridge", "importance_of_regressor");
    let (importances, dependence) = run.result.unwrap();

    let (train, test) = train_test_split(&diabetes(), &half()).unwrap();
    let model = fit_ridge(&train, &RidgeOptions::default()).unwrap();
    let shuffles = PermutationOptions::default();
    // Of an error the negative, of which more is better.
    let rising = |targets: ArrayView1<'_, f64>, predictions: ArrayView1<'_, f64>| {
        Ok(-root_mean_squared_error(targets, predictions)?)
    };
    let expected = [
        regression_importance(&model, &test, &shuffles, rising).unwrap(),
        regression_importance(&model, &*train, &shuffles, r2_score).unwrap(),
    ];
    assert_eq!(importances, expected);
    let rmse = evaluate_regression(&model, &test).unwrap().rmse;
    assert!((importances[0].score + rmse).abs() < 1e-12);
    let bmi = |of: &PermutationImportance| {
        of.features
            .iter()
            .find(|of| of.feature == "bmi")
            .unwrap()
            .mean
    };
    assert!(
        bmi(&importances[0]) > 0.0,
        "losing it makes the score worse"
    );
    let expected = partial_dependence(&model, test.records(), "bmi", &grid(), None).unwrap();
    assert_eq!(dependence, expected);
}

#[flow]
async fn of_classes(
    file: DataFile,
) -> Result<(Vec<PermutationImportance>, ClassPartialDependence), TaskError> {
    let dataset = separate_label(load_csv(file, CsvOptions::default()), "species");
    let (train, test) = split_classes(&dataset, half()).unzip();
    let model = train_logistic(&train, LogisticOptions::default());
    let shuffles = PermutationOptions::default();
    let loss = ClassificationScoring::LogLoss;
    let unseen = importance_of_classifier::<LogisticModel>(&model, &test, loss, shuffles);
    let f1 = ClassificationScoring::MacroF1;
    let seen = importance_of_classifier_in_training::<LogisticModel>(&model, &train, f1, shuffles);
    let records = test.await?.records().clone();
    let dependence =
        dependence_of_classifier::<LogisticModel>(&model, records, "petal_width", grid());
    let importances = vec![unseen.await?.into_inner(), seen.await?.into_inner()];
    Ok((importances, dependence.await?.into_inner()))
}

#[orch_core::test]
async fn so_are_those_for_any_classifier() {
    let run = TestEngine::new()
        .run(of_classes(format!("{DATA}/iris.csv")))
        .await;
    run.assert_completed();
    let (importances, dependence) = run.result.unwrap();

    let (train, test) = train_test_split(&iris(), &half()).unwrap();
    let model = fit_logistic(&train, &LogisticOptions::default()).unwrap();
    let shuffles = PermutationOptions::default();
    let gain =
        |outcomes: &ClassOutcomes| Ok(-log_loss(outcomes.targets(), outcomes.probabilities())?);
    let f1 = |outcomes: &ClassOutcomes| Ok(outcomes.metrics(None)?.macro_f1);
    let expected = [
        classification_importance(&model, &test, &shuffles, gain).unwrap(),
        classification_importance(&model, &*train, &shuffles, f1).unwrap(),
    ];
    assert_eq!(importances, expected);
    let metrics = evaluate_classification(&model, &test).unwrap();
    assert!((importances[0].score + metrics.log_loss).abs() < 1e-12);
    let expected =
        class_partial_dependence(&model, test.records(), "petal_width", &grid(), None).unwrap();
    assert_eq!(dependence, expected);
}

#[test]
fn importances_refuse_rows_that_the_model_was_trained_on() {
    let (all, _) = train_test_split(&diabetes(), &half()).unwrap();
    let (train, valid) = train_valid_split(&all, &Split::random(0.3)).unwrap();
    let shuffles = PermutationOptions::default();
    let model = fit_ridge(&train, &RidgeOptions::default()).unwrap();
    assert!(regression_importance(&model, &valid, &shuffles, r2_score).is_ok());
    // A model that was fitted to all of them, the valid ones included.
    let greedy = fit_ridge(&all, &RidgeOptions::default()).unwrap();
    let refused = regression_importance(&greedy, &valid, &shuffles, r2_score);
    assert!(matches!(refused, Err(MlError::TestSeenInTraining)));
    // Who asks for it gets it.
    assert!(regression_importance(&greedy, &*valid, &shuffles, r2_score).is_ok());

    let (train, test) = train_test_split(&iris(), &half()).unwrap();
    let model = fit_logistic(&train, &LogisticOptions::default()).unwrap();
    let seen = Valid::all(iris());
    let accuracy = |outcomes: &ClassOutcomes| ClassificationScoring::Accuracy.score(outcomes);
    assert!(classification_importance(&model, &test, &shuffles, accuracy).is_ok());
    let refused = classification_importance(&model, &seen, &shuffles, accuracy);
    assert!(matches!(refused, Err(MlError::TestSeenInTraining)));
}

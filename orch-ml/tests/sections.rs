//! What results become in the page of a flow run, and plots that tasks make.

mod support;

use orch_core::RunReport;
use orch_core::prelude::*;
use orch_core::report::Section;
use orch_core::testing::TestEngine;
use orch_ml::ndarray::array;
use orch_ml::plot::{Chart, Series};
use orch_ml::tasks::{
    draw_calibration, draw_confusion_matrix, draw_importance, draw_precision_recall,
    draw_residuals, draw_roc, importance_forest_classifier, load_csv, predict_classes,
    predict_linear, separate_label, split_classes, train_forest_classifier,
};
use orch_ml::{
    CalibrationStrategy, ClassOutcomes, ClassPredictions, ClassificationDataset,
    ClassificationScoring, CsvOptions, Dataset, ForestClassifier, ForestOptions, MlError,
    PermutationOptions, Plot, RegressionMetrics, SearchReport, Split, Table, Test, Trial,
    calibration_curve, classification_section, fit_forest_classifier, fit_linear,
    plot_class_calibration, plot_class_precision_recall, plot_class_roc, plot_residuals,
    plot_section, regression_section, roc_curve, search_section, table_section, train_test_split,
};
use roxmltree::{Document, ParsingOptions};
use serde::{Deserialize, Serialize};

#[flow]
async fn nothing() -> Result<(), TaskError> {
    Ok(())
}

async fn report() -> RunReport {
    TestEngine::new().run(nothing()).await.report
}

/// What the page of a flow run says with these sections: all its text, a line for each part.
async fn page(sections: &[Section]) -> (String, String) {
    let html = report().await.to_html(sections);
    let options = ParsingOptions {
        allow_dtd: true,
        ..ParsingOptions::default()
    };
    let document = Document::parse_with_options(&html, options).expect("the page is well-formed");
    let texts = document.descendants().filter(|node| node.is_text());
    let texts: Vec<&str> = texts.filter_map(|node| node.text()).collect();
    (texts.join("\n"), html.clone())
}

#[track_caller]
fn check_in_order(text: &str, parts: &[&str]) {
    let mut rest = text;
    for part in parts {
        let at = rest.find(&format!("\n{part}\n"));
        let at = at.unwrap_or_else(|| panic!("{part} is not there, or not in this order:\n{text}"));
        rest = &rest[at + part.len() + 1..];
    }
}

#[orch_core::test]
async fn metrics_of_numbers_are_facts_and_those_not_defined_are_left_out() {
    let (targets, guesses) = (array![1.0, 2.0, 3.0, 6.0], array![1.0, 2.0, 3.0, 5.0]);
    let metrics =
        RegressionMetrics::from_predictions(targets.view(), guesses.view(), None).unwrap();
    let (text, _) = page(&[regression_section("Rows held out", &metrics)]).await;
    // One error of 1: the sum of squares is 14 around the mean.
    check_in_order(
        &text,
        &[
            "Rows held out",
            "R2",
            "0.9286",
            "mean absolute error",
            "0.2500",
            "rows",
            "4",
        ],
    );
    assert!(
        !text.contains("adjusted R2"),
        "the number of features is not known"
    );
}

/// Six rows of three classes: a of 3 rows 2 right, b of 2 both, c of 1 none.
fn outcomes() -> ClassOutcomes {
    let text = r#"{"targets":[0,0,0,1,1,2],"predictions":[0,0,1,1,1,0],
        "probabilities":{"v":1,"dim":[6,3],"data":[0.8,0.1,0.1,0.6,0.3,0.1,0.2,0.7,0.1,
        0.1,0.8,0.1,0.2,0.6,0.2,0.5,0.2,0.3]},"classes":[{"Text":"a"},{"Text":"b"},{"Text":"c"}]}"#;
    serde_json::from_str(text).unwrap()
}

#[orch_core::test]
async fn metrics_of_classes_have_a_row_for_each_class_and_the_confusion_matrix() {
    let metrics = outcomes().metrics(None).unwrap();
    let (text, html) = page(&[classification_section("Test rows", &metrics)]).await;
    check_in_order(
        &text,
        &[
            "Test rows",
            "accuracy",
            "0.6667",
            "rows",
            "6",
            "a",
            "0.6667",
            "0.6667",
            "b",
            "0.6667",
            "1.0000",
        ],
    );
    check_in_order(&text, &["Confusion matrix", "Right: 66.7 % of the rows."]);
    assert_eq!(html.matches("<figure>").count(), 1);
}

#[orch_core::test]
async fn tables_show_what_is_missing_as_a_dash() {
    let table = Table::new([
        ("slice", vec![Some("<Dream>"), None].into()),
        ("mae", vec![Some(281.53), None].into()),
    ]);
    let (text, html) = page(&[table_section("By island", &table.unwrap())]).await;
    check_in_order(
        &text,
        &["By island", "slice", "mae", "<Dream>", "281.5300", "-", "-"],
    );
    assert!(html.contains("&lt;Dream&gt;"));
}

#[derive(Clone, Serialize, Deserialize)]
struct Options {
    trees: usize,
    criterion: String,
}

#[orch_core::test]
async fn a_search_shows_the_best_options_and_the_first_twenty_trials() {
    let trials = (0..30).map(|i| Trial {
        options: Options {
            trees: i,
            criterion: "gini".to_owned(),
        },
        scores: vec![0.5 + i as f64 / 100.0, 0.6 + i as f64 / 100.0],
    });
    let scoring = ClassificationScoring::Accuracy;
    let search = SearchReport::new(trials.collect(), scoring).unwrap();
    let (text, html) = page(&[search_section("Trials", &search)]).await;
    check_in_order(
        &text,
        &[
            "Trials",
            "trials",
            "30",
            "best accuracy",
            "0.8400 ± 0.0500",
            "criterion",
            "gini",
            "trees",
            "29",
        ],
    );
    check_in_order(
        &text,
        &[
            "rank",
            "trees",
            "accuracy_mean",
            "accuracy_std",
            "1",
            "29",
            "20",
            "10",
        ],
    );
    assert!(text.contains("And 10 more trials, which are worse."));
    assert!(text.contains("Scores of the trials") && html.contains("<figure>"));
}

#[orch_core::test]
async fn plots_follow_each_other_in_one_section() {
    let plots = [
        plot_class_roc(&outcomes()).unwrap(),
        plot_class_roc(&outcomes()).unwrap().titled("2"),
    ];
    let (text, html) = page(&[plot_section("Pictures", &plots)]).await;
    check_in_order(&text, &["Pictures", "ROC curve", "2"]);
    assert_eq!(html.matches("<figure>").count(), 2);
    assert_eq!(html.matches("class=\"figures\"").count(), 1);
}

fn series(plot: &Plot) -> &[Series] {
    match &plot.chart {
        Chart::Curves(curves) => &curves.series,
        other => panic!("not curves: {other:?}"),
    }
}

#[test]
fn each_class_has_a_curve_against_all_others() {
    let outcomes = outcomes();
    let plot = plot_class_roc(&outcomes).unwrap();
    let names: Vec<&str> = series(&plot)
        .iter()
        .map(|series| series.name.as_str())
        .collect();
    // scikit-learn 1.9.1 (`roc_auc_score`) says so.
    assert_eq!(
        names[1..],
        ["a (AUC 0.833)", "b (AUC 0.875)", "c (AUC 1.000)"]
    );
    let (is_b, scores) = outcomes.of_class(1).unwrap();
    let curve = roc_curve(&is_b, &scores, None).unwrap();
    let across: Vec<f64> = series(&plot)[2]
        .points
        .iter()
        .map(|point| point.x)
        .collect();
    assert_eq!(across, curve.false_positive_rates);
    assert_eq!(
        series(&plot_class_precision_recall(&outcomes).unwrap()).len(),
        3
    );
    let plot = plot_class_calibration(&outcomes, 2, CalibrationStrategy::Uniform).unwrap();
    let bins = calibration_curve(&is_b, &scores, 2, CalibrationStrategy::Uniform).unwrap();
    let shares: Vec<f64> = series(&plot)[2]
        .points
        .iter()
        .map(|point| point.y)
        .collect();
    assert_eq!(
        shares,
        bins.iter()
            .map(|bin| bin.positive_share)
            .collect::<Vec<_>>()
    );
}

#[test]
fn a_class_without_rows_has_no_curve_and_one_class_alone_is_refused() {
    let without_c = outcomes().take_rows(&[0, 1, 3]).unwrap();
    assert_eq!(
        series(&plot_class_roc(&without_c).unwrap()).len(),
        3,
        "chance, a and b"
    );
    let only_a = outcomes().take_rows(&[0, 1]).unwrap();
    let error = plot_class_roc(&only_a).unwrap_err();
    assert_eq!(
        error.to_string(),
        "`number of curves` is 0, expected at least 1"
    );
    assert!(plot_class_calibration(&outcomes(), 0, CalibrationStrategy::Uniform).is_err());
}

/// Takes the records out of rows to test with, so that tasks predict for them.
#[task]
fn records_of(test: &Test<ClassificationDataset>) -> orch_ml::Records {
    test.records().clone()
}

#[flow]
async fn drawn(file: DataFile) -> Result<(ClassPredictions, Vec<Plot>), TaskError> {
    let dataset = separate_label(load_csv(file, CsvOptions::default()), "class");
    let (train, test) = split_classes(&dataset, Split::stratified(0.3).seed(1)).unzip();
    let options = ForestOptions {
        n_trees: 5,
        ..ForestOptions::default()
    };
    let forest = train_forest_classifier(&train, options);
    let predictions = predict_classes::<ForestClassifier>(&forest, records_of(&test));
    let importance = importance_forest_classifier(&forest, &test, PermutationOptions::default());
    let plots = [
        draw_roc(&test, &predictions),
        draw_precision_recall(&test, &predictions),
        draw_calibration(&test, &predictions, 4, CalibrationStrategy::Quantile),
        draw_confusion_matrix(&test, &predictions),
        draw_importance(&importance),
    ];
    let mut drawn = Vec::new();
    for plot in plots {
        drawn.push(plot.await?.into_inner());
    }
    Ok((predictions.await?.into_inner(), drawn))
}

#[orch_core::test]
async fn tasks_draw_what_the_plain_functions_do() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/breast_cancer.csv");
    let run = TestEngine::new().run(drawn(file)).await;
    run.assert_completed();
    let (predictions, plots) = run.result.unwrap();
    let split = Split::stratified(0.3).seed(1);
    let (train, test) = train_test_split(&support::breast_cancer(), &split).unwrap();
    let options = ForestOptions {
        n_trees: 5,
        ..ForestOptions::default()
    };
    let forest = fit_forest_classifier(&train, &options).unwrap();
    let outcomes = ClassOutcomes::new(&predictions, &test).unwrap();
    let shuffles = PermutationOptions::default();
    let importance = orch_ml::classification_importance(&forest, &test, &shuffles, |outcomes| {
        orch_ml::accuracy(outcomes.targets(), outcomes.predictions())
    });
    let strategy = CalibrationStrategy::Quantile;
    let expected = [
        plot_class_roc(&outcomes),
        plot_class_precision_recall(&outcomes),
        plot_class_calibration(&outcomes, 4, strategy),
        orch_ml::plot_confusion_matrix(&outcomes.confusion_matrix(None).unwrap()),
        orch_ml::plot_permutation_importance(&importance.unwrap()),
    ];
    assert_eq!(plots, expected.map(Result::unwrap));
    assert_eq!(series(&plots[0]).len(), 2, "of two classes the second");
}

/// Takes the records out of rows to test with.
#[task]
fn numbers_of(test: &Test<Dataset>) -> orch_ml::Records {
    test.records().clone()
}

#[flow]
async fn missed(file: DataFile) -> Result<Plot, TaskError> {
    let dataset = orch_ml::tasks::separate_target(load_csv(file, CsvOptions::default()), "target");
    let (train, test) = orch_ml::tasks::split(&dataset, Split::random(0.3).seed(1)).unzip();
    let model = orch_ml::tasks::train_linear(&train);
    let predictions = predict_linear(&model, numbers_of(&test));
    Ok(draw_residuals(&test, &predictions).await?.into_inner())
}

#[orch_core::test]
async fn residuals_of_a_task_are_those_of_the_plain_function() -> Result<(), MlError> {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/data/diabetes.csv");
    let run = TestEngine::new().run(missed(file)).await;
    run.assert_completed();
    let (train, test) = train_test_split(&support::diabetes(), &Split::random(0.3).seed(1))?;
    let guesses = fit_linear(&train)?.predict(test.records())?;
    let expected = plot_residuals(test.targets().view(), guesses.view())?;
    assert_eq!(run.result.unwrap(), expected);
    Ok(())
}

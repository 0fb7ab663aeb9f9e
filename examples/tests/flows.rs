//! The flows of the examples, with stubs in the place of what is slow or far away.
//!
//! The programs are compiled in as modules, as they are: nothing in them is there for the tests.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use orch_core::InjectedFault;
use orch_core::State;
use orch_core::testing::{TestEngine, TestRun};
use orch_ml::{
    Column, CsvOptions, ForestOptions, MlError, Plot, RegressionMetrics, Split, Table,
    fit_forest_classifier, read_csv, to_classification_dataset, train_test_split,
};

#[expect(dead_code, reason = "a test calls the flow, not the program around it")]
#[path = "../daily_forest.rs"]
pub mod forest_program;
#[expect(dead_code, reason = "a test calls the flow, not the program around it")]
#[path = "../ml_workflow.rs"]
pub mod workflow_program;

use self::forest_program::daily_forest;
use self::workflow_program::{load, ml_workflow};

const PENGUINS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/data/penguins.csv");
const DIABETES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/data/diabetes.csv");
const IRIS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/data/iris.csv");

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn split(test_fraction: f64, seed: u64) -> Split {
    Split::random(test_fraction).seed(seed)
}

/// Eleven rows of `y = 2 x + 1`, one of them without its `x`.
fn line() -> Table {
    let x: Vec<Option<f64>> = (0..11).map(|n| (n != 3).then_some(f64::from(n))).collect();
    let y: Vec<f64> = (0..11).map(|n| f64::from(2 * n + 1)).collect();
    Table::new([("x", Column::from(x)), ("y", Column::from(y))]).unwrap()
}

async fn run_on_line(engine: TestEngine) -> TestRun<(RegressionMetrics, Plot)> {
    engine
        .run(ml_workflow(
            "ignored.csv",
            names(&["x"]),
            "y",
            split(0.2, 42),
        ))
        .await
}

fn check_metrics(found: &RegressionMetrics, r2: f64, mae: f64, rmse: f64, n_rows: usize) {
    assert_eq!(found.n_rows, n_rows);
    for (name, found, expected) in [
        ("r2", found.r2, r2),
        ("mae", found.mae, mae),
        ("rmse", found.rmse, rmse),
    ] {
        let error = ((found - expected) / expected).abs();
        assert!(
            error < 1e-9,
            "{name} is {found}, scikit-learn says {expected}"
        );
    }
}

/// Expected: scikit-learn 1.9.1 (`LinearRegression`, `r2_score`, `mean_absolute_error`,
/// `root_mean_squared_error`) on `read_csv(..).dropna()` of pandas 3.1.1, with the rows of
/// `train_test_rows(333, 0.2, 42)`.
#[orch_core::test]
async fn penguins_agree_with_scikit_learn() {
    let features = names(&["bill_length_mm", "bill_depth_mm", "flipper_length_mm"]);
    let run = TestEngine::new()
        .run(ml_workflow(
            PENGUINS,
            features,
            "body_mass_g",
            split(0.2, 42),
        ))
        .await;
    run.assert_completed();
    let (metrics, _) = run.result.unwrap();
    check_metrics(
        &metrics,
        0.8068802835222778,
        293.3402521305361,
        358.93259616044463,
        67,
    );
}

/// Expected: as above, with the rows of `train_test_rows(442, 0.25, 7)`.
#[orch_core::test]
async fn diabetes_agrees_with_scikit_learn() {
    let features = names(&["bmi", "bp", "s5"]);
    let run = TestEngine::new()
        .run(ml_workflow(DIABETES, features, "target", split(0.25, 7)))
        .await;
    run.assert_completed();
    let (metrics, _) = run.result.unwrap();
    check_metrics(
        &metrics,
        0.42602912364275514,
        44.236809037695295,
        54.12545920956471,
        111,
    );
}

#[orch_core::test]
async fn each_task_runs_once_on_what_the_one_before_it_made() {
    let run = run_on_line(TestEngine::new().stub(load::stub(|_| Ok(line())))).await;
    run.assert_completed();
    for task in ["load", "preprocess", "train_linear", "evaluate_linear"] {
        run.assert_ran(task, 1);
    }
    run.assert_edge("load", "preprocess");
    run.assert_edge("preprocess", "train_linear");
    run.assert_edge("train_linear", "evaluate_linear");
    run.assert_edge("preprocess", "evaluate_linear");
    run.assert_no_leaks();
    let (metrics, _) = run.result.unwrap();
    assert_eq!(metrics.n_rows, 2); // of the ten rows that are complete
    assert!(metrics.rmse < 1e-9);
}

#[orch_core::test]
async fn a_flaky_loader_is_tried_again() {
    let engine = TestEngine::new()
        .stub(load::stub(|_| Ok(line())))
        .fail("load", 2);
    let run = run_on_line(engine).await;
    run.assert_completed();
    run.assert_attempts("load", 3);
    run.assert_attempts("preprocess", 1);
}

#[orch_core::test]
async fn a_loader_that_stays_broken_fails_the_flow_after_three_attempts() {
    let engine = TestEngine::new()
        .stub(load::stub(|_| Ok(line())))
        .fail("load", 3);
    let run = run_on_line(engine).await;
    run.assert_failed_with::<InjectedFault>();
    run.assert_attempts("load", 3);
    for task in ["preprocess", "train_linear", "evaluate_linear"] {
        run.assert_state(task, State::Skipped);
    }
}

#[orch_core::test]
async fn a_share_that_does_not_answer_is_asked_again() {
    let asked = AtomicUsize::new(0);
    let engine = TestEngine::new().stub(load::stub(move |file| {
        if asked.fetch_add(1, Ordering::Relaxed) == 0 {
            let source = std::io::ErrorKind::TimedOut.into();
            return Err(MlError::ReadFile {
                path: file.path().to_owned(),
                source,
            });
        }
        Ok(line())
    }));
    let run = run_on_line(engine).await;
    run.assert_completed();
    run.assert_attempts("load", 2);
}

#[orch_core::test]
async fn a_missing_file_is_not_waited_for() {
    let run = run_on_line(TestEngine::new()).await; // there is no `ignored.csv`
    run.assert_failed_with::<MlError>();
    run.assert_attempts("load", 1);
    run.assert_ran("preprocess", 0);
}

#[orch_core::test]
async fn bad_data_stops_the_flow_where_it_is_found() {
    let table = || Table::new([("x", vec!["a", "b"].into()), ("y", vec![1.0, 2.0].into())]);
    let run = run_on_line(TestEngine::new().stub(load::stub(move |_| table()))).await;
    run.assert_failed_with::<MlError>();
    run.assert_state("load", State::Completed);
    run.assert_state("preprocess", State::Failed);
    run.assert_attempts("preprocess", 1);
    run.assert_state("train_linear", State::Skipped);
    run.assert_state("evaluate_linear", State::Skipped);
}

fn forest() -> ForestOptions {
    ForestOptions {
        n_trees: 20,
        seed: 42,
        ..ForestOptions::default()
    }
}

#[orch_core::test]
async fn the_saved_forest_predicts_what_the_trained_one_does() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("iris.model");
    let run = TestEngine::new()
        .run(daily_forest(
            IRIS,
            "species",
            Split::stratified(0.2).seed(42),
            forest(),
            file.as_path(),
        ))
        .await;
    run.assert_completed();
    run.assert_edge("train_forest_classifier", "pack_classifier");
    run.assert_edge("evaluate_forest_classifier", "pack_classifier");
    run.assert_edge("pack_classifier", "save_model");
    run.assert_edge("save_model", "load_model");
    run.assert_edge("load_model", "predict_table");
    run.assert_edge("drop_incomplete", "predict_table");
    run.assert_no_leaks();
    let (model, predictions) = run.result.unwrap();
    assert!(model.metric("accuracy").unwrap() > 0.9, "{model}");
    assert_eq!(model.training_data().unwrap().n_rows, 120);
    assert_eq!(model.to_options::<ForestOptions>().unwrap(), forest());

    // By hand, without tasks and files.
    let table = read_csv(Path::new(IRIS), &CsvOptions::default()).unwrap();
    let features = &table.column_names()[..4];
    let dataset = to_classification_dataset(&table, features, "species").unwrap();
    let (train, _) = train_test_split(&dataset, &Split::stratified(0.2).seed(42)).unwrap();
    let trained = fit_forest_classifier(&train, &forest()).unwrap();
    let expected = trained.predict(dataset.records()).unwrap();
    assert_eq!(predictions.classes().unwrap(), &expected);
}

#[orch_core::test]
async fn a_full_disk_fails_the_save_and_not_the_evaluation() {
    let engine = TestEngine::new().fail("save_model", 1);
    let run = engine
        .run(daily_forest(
            IRIS,
            "species",
            split(0.2, 42),
            forest(),
            "never-written.model",
        ))
        .await;
    run.assert_failed_with::<InjectedFault>();
    run.assert_state("save_model", State::Failed);
    run.assert_state("load_model", State::Skipped);
    run.assert_state("predict_table", State::Skipped);
    run.assert_state("train_forest_classifier", State::Completed);
}

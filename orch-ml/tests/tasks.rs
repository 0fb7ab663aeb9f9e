//! The tasks of this crate in flows, against the plain functions.

use std::io::ErrorKind;
use std::path::PathBuf;

use orch_core::prelude::*;
use orch_core::testing::TestEngine;
use orch_core::{ClassifyRetry, Retry, State};
use orch_ml::tasks::{
    drop_incomplete, drop_incomplete_in, evaluate_forest_classifier, evaluate_forest_regressor,
    evaluate_linear, load_csv, load_model, predict_forest_classifier, predict_forest_regressor,
    predict_linear, save_model, select_features, select_labelled, separate_label, separate_target,
    split, split_classes, train_forest_classifier, train_forest_regressor, train_linear,
    train_on_all, train_on_all_classes,
};
use orch_ml::{
    ClassificationMetrics, CsvOptions, ForestClassifier, ForestOptions, ForestRegressor,
    LinearModel, MlError, Model, RegressionMetrics, Split, Train,
};

const PENGUINS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/data/penguins.csv");
const IRIS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/data/iris.csv");

fn features() -> Vec<String> {
    ["bill_length_mm", "bill_depth_mm", "flipper_length_mm"]
        .map(str::to_owned)
        .to_vec()
}

fn forest() -> ForestOptions {
    ForestOptions {
        n_trees: 10,
        seed: 7,
        ..ForestOptions::default()
    }
}

#[flow]
async fn numbers(file: DataFile) -> Result<(RegressionMetrics, RegressionMetrics), TaskError> {
    let table = load_csv(file, CsvOptions::default());
    let complete = drop_incomplete(&table);
    let dataset = select_features(&complete, features(), "body_mass_g");
    let (train, test) = split(&dataset, Split::random(0.2).seed(42)).unzip();
    let line = train_linear(&train);
    let trees = train_forest_regressor(&train, forest());
    let of_line = evaluate_linear(&line, &test);
    let of_trees = evaluate_forest_regressor(&trees, &test);
    Ok((*of_line.await?, *of_trees.await?))
}

#[orch_core::test]
async fn tasks_give_what_the_plain_functions_give() {
    let run = TestEngine::new().run(numbers(PENGUINS)).await;
    run.assert_completed();
    run.assert_edge("load_csv", "drop_incomplete");
    run.assert_edge("drop_incomplete", "select_features");
    run.assert_edge("select_features", "split");
    run.assert_edge("split", "train_linear");
    run.assert_edge("train_linear", "evaluate_linear");
    run.assert_edge("split", "evaluate_forest_regressor");
    run.assert_ran("split", 1);

    let table = orch_ml::read_csv(PENGUINS.as_ref(), &CsvOptions::default()).unwrap();
    let complete = orch_ml::drop_missing(&table).unwrap();
    let dataset = orch_ml::to_dataset(&complete, &features(), "body_mass_g").unwrap();
    let (train, test) = orch_ml::train_test_split(&dataset, &Split::random(0.2).seed(42)).unwrap();
    let line = orch_ml::fit_linear(&train).unwrap();
    let trees = orch_ml::fit_forest_regressor(&train, &forest()).unwrap();
    let expected = (
        orch_ml::evaluate_regression(&line, &test).unwrap(),
        orch_ml::evaluate_regression(&trees, &test).unwrap(),
    );
    assert_eq!(run.result.unwrap(), expected);
}

#[flow]
async fn classes(file: DataFile) -> Result<Vec<ClassificationMetrics>, TaskError> {
    let table = load_csv(file, CsvOptions::default());
    let all = separate_label(&table, "species");
    let two = vec!["petal_length".to_owned(), "petal_width".to_owned()];
    let some = select_labelled(&table, two, "species");
    let mut metrics = Vec::new();
    for dataset in [all, some] {
        let (train, test) = split_classes(&dataset, Split::random(0.2).seed(42)).unzip();
        let model = train_forest_classifier(&train, forest());
        metrics.push(
            evaluate_forest_classifier(&model, &test)
                .await?
                .into_inner(),
        );
    }
    Ok(metrics)
}

#[orch_core::test]
async fn every_column_but_the_label_is_a_feature() {
    let run = TestEngine::new().run(classes(IRIS)).await;
    run.assert_completed();
    run.assert_edge("separate_label", "split_classes");
    run.assert_edge("select_labelled", "split_classes");
    for metrics in run.result.unwrap() {
        assert_eq!(metrics.n_rows, 30);
        assert!(metrics.accuracy > 0.85);
    }
}

/// Saves each kind of model, loads it, and says whether the loaded one predicts the same.
#[flow]
async fn kept(dir: PathBuf) -> anyhow::Result<Vec<bool>> {
    let columns = [features(), vec!["body_mass_g".to_owned()]].concat();
    let table = load_csv(
        PENGUINS,
        CsvOptions {
            columns: Some(columns),
            ..CsvOptions::default()
        },
    );
    let complete = drop_incomplete_in(&table, features());
    let dataset = separate_target(&complete, "body_mass_g");
    let records = dataset.clone().await?.records().clone();

    let line = train_linear(train_on_all(&dataset));
    let saved = save_model::<LinearModel>(&line, dir.join("line.model"));
    let loaded = load_model::<LinearModel>(&saved);
    let lines =
        *predict_linear(&line, &records).await? == *predict_linear(&loaded, &records).await?;

    let trees = train_forest_regressor(train_on_all(&dataset), forest());
    let saved = save_model::<ForestRegressor>(&trees, dir.join("trees.model"));
    let loaded = load_model::<ForestRegressor>(&saved);
    let trees = *predict_forest_regressor(&trees, &records).await?
        == *predict_forest_regressor(&loaded, &records).await?;

    let flowers = separate_label(load_csv(IRIS, CsvOptions::default()), "species");
    let records = flowers.clone().await?.records().clone();
    let classes = train_forest_classifier(train_on_all_classes(&flowers), forest());
    let saved = save_model::<ForestClassifier>(&classes, dir.join("classes.model"));
    let loaded = load_model::<ForestClassifier>(&saved);
    let classes = *predict_forest_classifier(&classes, &records).await?
        == *predict_forest_classifier(&loaded, &records).await?;

    let any = load_model::<Model>(&saved).await?;
    let again = save_model::<Model>(&any, dir.join("again.model")).await?;
    let same = std::fs::read(saved.await?.path())? == std::fs::read(again.path())?;
    Ok(vec![lines, trees, classes, same])
}

#[orch_core::test]
async fn a_loaded_model_predicts_what_the_saved_one_did() {
    let dir = tempfile::tempdir().unwrap();
    let run = TestEngine::new().run(kept(dir.path().to_owned())).await;
    run.assert_completed();
    run.assert_edge("train_linear", "save_model");
    run.assert_edge("save_model", "load_model");
    run.assert_edge("load_model", "predict_linear");
    assert_eq!(run.result.unwrap(), [true; 4]);
}

#[flow]
async fn wrong_kind(path: PathBuf) -> Result<(), TaskError> {
    let line = orch_ml::Dataset::new(
        orch_ml::ndarray::array![[1.0], [2.0]],
        orch_ml::ndarray::array![3.0, 5.0],
        ["x"],
        "y",
    );
    let model = train_linear(Train::all(line.expect("the dataset is consistent")));
    let saved = save_model::<LinearModel>(&model, path);
    load_model::<ForestClassifier>(&saved).await?;
    Ok(())
}

#[orch_core::test]
async fn a_model_of_another_kind_is_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let run = TestEngine::new()
        .run(wrong_kind(dir.path().join("line.model")))
        .await;
    run.assert_state("save_model", State::Completed);
    run.assert_failed_with::<MlError>();
    let error = run.result.unwrap_err();
    let error = error.downcast_ref::<MlError>().unwrap();
    assert_eq!(
        error.to_string(),
        "the model is a linear model, expected a forest classifier"
    );
}

#[flow]
async fn patient(file: DataFile) -> Result<usize, TaskError> {
    let table = load_csv::with()
        .retries(3)
        .submit(file, CsvOptions::default());
    Ok(table.await?.n_rows())
}

#[orch_core::test]
async fn only_what_may_pass_is_tried_again() {
    let run = TestEngine::new()
        .fail("load_csv", 3)
        .run(patient(IRIS))
        .await;
    run.assert_attempts("load_csv", 4);
    assert_eq!(run.result.unwrap(), 150);

    let run = TestEngine::new().run(patient("there-is-no.csv")).await;
    run.assert_attempts("load_csv", 1);
    run.assert_failed_with::<MlError>();
}

#[test]
fn an_error_says_whether_it_may_pass() {
    let read = |kind: ErrorKind| MlError::ReadFile {
        path: "x".into(),
        source: kind.into(),
    };
    let write = |kind: ErrorKind| MlError::WriteFile {
        path: "x".into(),
        source: kind.into(),
    };
    for lasting in [
        read(ErrorKind::NotFound),
        read(ErrorKind::PermissionDenied),
        write(ErrorKind::IsADirectory),
        write(ErrorKind::ReadOnlyFilesystem),
        MlError::NotAFile { path: "x".into() },
        MlError::NoFeatures,
        MlError::FitOverflow,
    ] {
        assert_eq!(lasting.classify(1), Retry::Never, "{lasting}");
    }
    for passing in [
        read(ErrorKind::TimedOut),
        read(ErrorKind::Interrupted),
        write(ErrorKind::StorageFull),
        write(ErrorKind::ResourceBusy),
        read(ErrorKind::Other),
    ] {
        assert_eq!(passing.classify(1), Retry::Default, "{passing}");
    }
}

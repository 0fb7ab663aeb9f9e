//! Models with what belongs to them in a flow, kept in a store.

use std::path::PathBuf;
use std::sync::Arc;

use orch_core::State;
use orch_core::prelude::*;
use orch_core::store::{MemoryBlobs, MemoryStore};
use orch_ml::tasks::{
    add_preprocessor, evaluate_classifier, evaluate_linear, export_onnx, load_csv, load_model,
    pack_classifier, pack_regressor, predict_probabilities, predict_table, prepare,
    prepare_classes, save_model, split_table, train_linear, train_logistic,
};
use orch_ml::{
    CsvOptions, ImputeStrategy, LinearModel, LogisticModel, LogisticOptions, Model, Predictions,
    Preprocessor, Scaling, Split, Table,
};

use super::SIZES;

const PENGUINS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/data/penguins.csv");

type Kept = (Model, Predictions, Vec<f64>, Model);

/// The rows of the test side, as a table that nobody has marked.
#[task(cache)]
fn unmarked(test: &orch_ml::Test<Table>) -> Table {
    (**test).clone()
}

#[flow]
async fn packed(dir: PathBuf) -> anyhow::Result<Kept> {
    let table = load_csv(PENGUINS, CsvOptions::default());
    let split = Split::stratified_by("species", 0.25).seed(3);
    let (train, test) = split_table(&table, split).unzip();
    let rows = unmarked(&test);
    let sizes = &SIZES[..3];
    let steps = Preprocessor::new()
        .impute(sizes.iter().copied(), ImputeStrategy::Median)
        .scale(sizes.iter().copied(), Scaling::Standard);
    let (fitted, train, test) = prepare_classes(&train, &test, steps, "species").unzip();
    let options = LogisticOptions::default();
    let lines = train_logistic(&train, options.clone());
    let metrics = evaluate_classifier::<LogisticModel>(&lines, &test);
    let model =
        pack_classifier::<LogisticModel, LogisticOptions>(&lines, options, &train, &metrics);
    let model = add_preprocessor(&model, &fitted);
    let saved = save_model::<Model>(&model, dir.join("species.model"));
    let loaded = load_model::<Model>(&saved);
    let predictions = predict_table(&loaded, &rows);
    let probabilities = predict_probabilities(&loaded, &rows);
    let sums = probabilities
        .await?
        .rows()
        .into_iter()
        .map(|row| row.sum())
        .collect();

    let complete = orch_ml::tasks::drop_incomplete(&table);
    let (train, test) = split_table(&complete, Split::stratified_by("species", 0.25)).unzip();
    let steps = Preprocessor::new().scale(sizes.iter().copied(), Scaling::Standard);
    let (fitted, train, test) = prepare(&train, &test, steps, "body_mass_g").unzip();
    let line = train_linear(&train);
    let metrics = evaluate_linear(&line, &test);
    let line = pack_regressor::<LinearModel, ()>(&line, (), &train, &metrics);
    let line = add_preprocessor(&line, &fitted);
    let file = export_onnx(&line, dir.join("mass.onnx")).await?;
    assert_eq!(
        std::fs::read(file.path())?,
        orch_ml::to_onnx(&*line.clone().await?)?
    );
    let line = line.await?.into_inner();
    Ok((
        loaded.await?.into_inner(),
        predictions.await?.into_inner(),
        sums,
        line,
    ))
}

#[orch_core::test]
async fn a_flow_packs_saves_and_asks_a_model_and_does_none_of_it_twice() {
    let dir = tempfile::tempdir().unwrap();
    let (store, blobs) = (Arc::new(MemoryStore::new()), Arc::new(MemoryBlobs::new()));
    let mut results: Vec<Kept> = Vec::new();
    for expected in [State::Completed, State::Cached] {
        // A new engine has nothing in memory.
        let engine = Engine::builder().build_on(Arc::clone(&store) as _, Arc::clone(&blobs) as _);
        let run = packed(dir.path().to_owned()).start(&engine).unwrap();
        let id = run.id();
        results.push(run.await.unwrap());
        let recorded = engine.recorded_run(id).unwrap().unwrap();
        for task_run in &recorded.task_runs {
            assert_eq!(task_run.state, expected, "{task_run:?}");
        }
    }
    assert_eq!(results[0], results[1]);

    let (model, predictions, sums, line) = &results[0];
    assert_eq!(predictions.n_rows(), 86);
    assert!(sums.len() == 86 && sums.iter().all(|sum| (sum - 1.0).abs() < 1e-12));
    assert_eq!(model.training_data().unwrap().n_rows, 258);
    assert_eq!(
        model.to_options::<LogisticOptions>().unwrap(),
        LogisticOptions::default()
    );
    assert!(model.metric("accuracy").unwrap() > 0.9);
    assert_eq!(line.target_name(), Some("body_mass_g"));
    assert!(line.metric("r2").unwrap() > 0.7);
    assert_eq!(line.hyperparameters().count(), 0);
}

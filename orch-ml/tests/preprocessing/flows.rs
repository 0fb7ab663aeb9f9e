//! The tasks of cleaning and preprocessing in a flow, against the plain functions.

use std::sync::Arc;

use orch_core::State;
use orch_core::prelude::*;
use orch_core::store::{MemoryBlobs, MemoryStore};
use orch_core::testing::TestEngine;
use orch_ml::tasks::{
    apply_preprocessor, drop_duplicates, drop_duplicates_in, fit_preprocessor, impute, load_csv,
    select_features, train_on_all_rows,
};
use orch_ml::{
    CsvOptions, DropCategory, ImputeOptions, ImputeStrategy, Keep, MlError, OneHotOptions,
    Preprocessor, Scaling, Split, Table, train_test_split, train_valid_split,
};

use crate::reference::data;

const PENGUINS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/data/penguins.csv");

fn sex() -> Vec<String> {
    vec!["sex".to_owned()]
}

fn most_frequent() -> ImputeOptions {
    ImputeStrategy::MostFrequent.into()
}

fn preprocessor() -> Preprocessor {
    let drop = DropCategory::IfBinary;
    Preprocessor::new()
        .impute(["flipper_length_mm", "body_mass_g"], ImputeStrategy::Median)
        .scale(["flipper_length_mm"], Scaling::Standard)
        .one_hot(
            ["sex"],
            OneHotOptions {
                drop,
                ..OneHotOptions::default()
            },
        )
}

#[flow]
async fn prepared(file: DataFile) -> Result<(Table, Table, usize), TaskError> {
    let table = drop_duplicates(load_csv(file, CsvOptions::default()), Keep::First);
    let filled = impute(&table, sex(), most_frequent());
    let fitted = fit_preprocessor(train_on_all_rows(&filled), preprocessor());
    let ready = apply_preprocessor(&fitted, &filled);
    let features = vec!["flipper_length_mm".to_owned(), "sex_male".to_owned()];
    let dataset = select_features(&ready, features, "body_mass_g");
    let sexes = drop_duplicates_in(&filled, sex(), Keep::Last);
    let n_rows = dataset.await?.n_rows();
    Ok((ready.await?.into_inner(), sexes.await?.into_inner(), n_rows))
}

#[orch_core::test]
async fn tasks_make_what_the_plain_functions_make() {
    let run = TestEngine::new().run(prepared(PENGUINS)).await;
    run.assert_completed();
    run.assert_edge("train_on_all_rows", "fit_preprocessor");
    run.assert_edge("fit_preprocessor", "apply_preprocessor");
    run.assert_edge("impute", "apply_preprocessor");

    let filled = orch_ml::impute(&data("penguins"), &sex(), most_frequent()).unwrap();
    let (_, ready) = preprocessor().fit_apply(&filled).unwrap();
    let sexes = orch_ml::drop_duplicates_in(&filled, &sex(), Keep::Last).unwrap();
    assert_eq!(sexes.n_rows(), 2);
    assert_eq!(run.result.unwrap(), (ready, sexes, 344));
}

#[orch_core::test]
async fn a_second_run_takes_every_result_from_the_store() {
    let (store, blobs) = (Arc::new(MemoryStore::new()), Arc::new(MemoryBlobs::new()));
    let mut results = Vec::new();
    for expected in [State::Completed, State::Cached] {
        // A new engine has nothing in memory.
        let engine = Engine::builder().build_on(Arc::clone(&store) as _, Arc::clone(&blobs) as _);
        let run = prepared(PENGUINS).start(&engine).unwrap();
        let id = run.id();
        results.push(run.await.unwrap());
        let recorded = engine.recorded_run(id).unwrap().unwrap();
        assert_eq!(recorded.task_runs.len(), 8);
        for task_run in &recorded.task_runs {
            assert_eq!(task_run.state, expected, "{task_run:?}");
        }
    }
    assert_eq!(results[0], results[1]);
}

#[test]
fn rows_to_test_with_are_prepared_only_by_what_was_learned_of_others() {
    let table = orch_ml::impute(&data("penguins"), &sex(), most_frequent()).unwrap();
    let split = Split::random(0.25);
    let (train, test) = train_test_split(&table, &split).unwrap();
    let fitted = preprocessor().fit(&train).unwrap();
    assert_eq!(fitted.trained_on(), Some(train.origin()));
    let ready = fitted.apply_to_test(&test).unwrap();
    assert_eq!(
        (ready.n_rows(), ready.origin()),
        (test.n_rows(), test.origin())
    );
    assert_eq!(
        fitted.apply_to_train(&train).unwrap().origin(),
        train.origin()
    );

    let (_, other) = train_test_split(&table, &split.seed(1)).unwrap();
    let error = fitted.apply_to_test(&other).unwrap_err();
    assert!(matches!(error, MlError::TestSeenInTraining));
    let (inner, valid) = train_valid_split(&train, &Split::random(0.5)).unwrap();
    assert!(fitted.apply_to_valid(&valid).is_err());
    preprocessor()
        .fit(&inner)
        .unwrap()
        .apply_to_valid(&valid)
        .unwrap();
}

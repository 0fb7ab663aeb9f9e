//! How does a batch job keep its model? A random forest is trained, measured, packed with what is to be
//! known of it, saved to a file, loaded again and asked, by the tasks that come with `orch_ml`.
//!
//! ```text
//! load_csv -> drop_incomplete -> separate_label -> split_classes
//!     -> train_forest_classifier -> evaluate_forest_classifier -> pack_classifier
//!     -> save_model -> load_model -> predict_table
//! ```
//!
//! With `--store` the next day's run computes what has changed since: nothing, for the same file.
//!
//! `cargo run --release --example daily_forest -- --help` lists what it takes.

use std::process::ExitCode;

use clap::Parser as _;
use orch_core::prelude::*;
use orch_examples::{ForestArguments, exit_code, run_flow};
use orch_ml::tasks::{
    drop_incomplete, evaluate_forest_classifier, load_csv, load_model, pack_classifier,
    predict_table, save_model, separate_label, split_classes, train_forest_classifier,
};
use orch_ml::{CsvOptions, ForestClassifier, ForestOptions, Model, Predictions, Split};

/// Returns the model as it was saved, and what it predicts for every complete row of the file.
#[flow(name = "daily-forest")]
pub async fn daily_forest(
    data: DataFile,
    target: String,
    test_fraction: f64,
    forest: ForestOptions,
    model_file: DataFile,
) -> anyhow::Result<(Model, Predictions)> {
    let split = Split::stratified(test_fraction).seed(forest.seed);
    let table = load_csv(data, CsvOptions::default());
    let complete = drop_incomplete(&table);
    let dataset = separate_label(&complete, target);
    let (train, test) = split_classes(&dataset, split).unzip();
    let trees = train_forest_classifier(&train, forest.clone());
    let metrics = evaluate_forest_classifier(&trees, &test);
    let model =
        pack_classifier::<ForestClassifier, ForestOptions>(&trees, forest, &train, &metrics);

    let saved = save_model::<Model>(&model, model_file.path());
    let loaded = load_model::<Model>(&saved);
    let predictions = predict_table(&loaded, &complete).await?;
    Ok((loaded.await?.into_inner(), predictions.into_inner()))
}

#[tokio::main]
async fn main() -> ExitCode {
    let args = ForestArguments::parse();
    let (file, model) = (args.data(), args.model());
    let (n_trees, seed) = (args.trees, args.seed);
    let forest = ForestOptions {
        n_trees,
        seed,
        ..ForestOptions::default()
    };
    let flow = daily_forest(&file, args.target, args.test_fraction, forest, &model);
    let show = |(forest, predictions): &(Model, Predictions)| {
        println!("{forest}\n\nsaved to {}", model.display());
        println!("{}\n", counts(predictions)?);
        Ok(Vec::new())
    };
    exit_code(run_flow(flow, &file, (args.store, args.report), show).await)
}

/// How many rows each class got.
fn counts(predictions: &Predictions) -> anyhow::Result<String> {
    let predictions = predictions.classes()?;
    let count = |class| predictions.labels().filter(|label| *label == class).count();
    let counts = predictions.classes().iter();
    let counts = counts.map(|class| format!("{} {class}", count(class)));
    let counts: Vec<String> = counts.collect();
    Ok(format!(
        "predicted by the saved model: {}",
        counts.join(", ")
    ))
}

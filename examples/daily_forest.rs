//! How does a batch job keep its model? A random forest is trained, measured, packed with what is to be
//! known of it, saved to a file, loaded again and asked. With `--store` the next day's run computes what
//! has changed since: nothing, for the same file. `-- --help` lists what it takes.

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
    split: Split,
    forest: ForestOptions,
    model_file: DataFile,
) -> anyhow::Result<(Model, Predictions)> {
    let complete = drop_incomplete(load_csv(data, CsvOptions::default()));
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
    let (file, model, split, forest) = (args.data(), args.model(), args.split(), args.forest());
    let flow = daily_forest(&file, args.target, split, forest, &model);
    let show = |(forest, predictions): &(Model, Predictions)| {
        println!("{forest}\n\nsaved to {}", model.display());
        println!("predicted by the saved model: {predictions}\n");
        Ok(Vec::new())
    };
    exit_code(run_flow(flow, &file, (args.store, args.report), show).await)
}

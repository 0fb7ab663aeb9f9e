//! How does a batch job keep its model? A random forest is trained, measured, saved to a file,
//! loaded again and asked, mostly by the tasks that come with `orch_ml`.
//!
//! ```text
//! load_csv -> drop_incomplete -> separate_label -> split_classes
//!     -> train_forest_classifier -> evaluate_forest_classifier
//!     -> save_model -> load_model -> predict
//! ```
//!
//! With `--store` the next day's run computes what has changed since: nothing, for the same file.
//!
//! `cargo run --release --example daily_forest -- --help` lists what it takes.

use std::process::ExitCode;

use anyhow::Context as _;
use clap::Parser as _;
use orch_core::Progress;
use orch_core::prelude::*;
use orch_examples::{ForestArguments, collect_logs, engine, exit_code, show_run};
use orch_ml::tasks::{
    drop_incomplete, evaluate_forest_classifier, load_csv, load_model, save_model, separate_label,
    split_classes, train_forest_classifier,
};
use orch_ml::{
    ClassificationDataset, ClassificationMetrics, CsvOptions, ForestClassifier, ForestOptions,
    MlError, Split, Test,
};

/// How many rows each class gets from the model, by name.
pub type Predicted = Vec<(String, usize)>;

/// Predicts the class of each row.
#[task(cache)]
pub fn predict(
    model: &ForestClassifier,
    rows: &Test<ClassificationDataset>,
) -> Result<Predicted, MlError> {
    let predictions = model.predict(rows.records())?;
    let count = |class| predictions.labels().filter(|label| *label == class).count();
    Ok(predictions
        .classes()
        .iter()
        .map(|class| (class.to_string(), count(class)))
        .collect())
}

/// Returns how good the forest is, and what its saved copy predicts for the rows tested on.
#[flow(name = "daily-forest")]
pub async fn daily_forest(
    data: DataFile,
    target: String,
    test_fraction: f64,
    forest: ForestOptions,
    model_file: DataFile,
) -> anyhow::Result<(ClassificationMetrics, Predicted)> {
    let seed = forest.seed;
    let table = load_csv(data, CsvOptions::default());
    let complete = drop_incomplete(&table);
    let dataset = separate_label(&complete, target);
    let (train, test) =
        split_classes(&dataset, Split::stratified(test_fraction).seed(seed)).unzip();
    let model = train_forest_classifier(&train, forest);
    let metrics = evaluate_forest_classifier(&model, &test);

    let saved = save_model::<ForestClassifier>(&model, model_file.path());
    let loaded = load_model::<ForestClassifier>(&saved);
    let predicted = predict(&loaded, &test).await?;
    Ok((metrics.await?.into_inner(), predicted.into_inner()))
}

#[tokio::main]
async fn main() -> ExitCode {
    exit_code(run(ForestArguments::parse()).await)
}

async fn run(args: ForestArguments) -> anyhow::Result<()> {
    collect_logs();
    let forest = ForestOptions {
        n_trees: args.trees,
        seed: args.seed,
        ..ForestOptions::default()
    };
    let (file, model) = (args.data(), args.model());
    let flow = daily_forest(&file, args.target, args.test_fraction, forest, &model);

    let engine = engine(args.store.as_deref())?;
    let progress = Progress::show(&engine);
    let (result, report) = flow.start(&engine)?.finish().await;
    progress.finish();
    if let Ok((metrics, predicted)) = &result {
        print_result(metrics, predicted);
        println!("model {}\n", model.display());
    }
    let shown = show_run(&report, args.report.as_deref());
    result.with_context(|| format!("cannot learn from `{}`", file.display()))?;
    Ok(shown?)
}

fn print_result(metrics: &ClassificationMetrics, predicted: &Predicted) {
    println!("held-out rows: {}", metrics.n_rows);
    println!("accuracy {:.4}", metrics.accuracy);
    println!("macro F1 {:.4}", metrics.macro_f1);
    println!("log loss {:.4}", metrics.log_loss);
    let counts = predicted
        .iter()
        .map(|(class, n_rows)| format!("{n_rows} {class}"));
    println!(
        "predicted by the saved model: {}",
        counts.collect::<Vec<_>>().join(", ")
    );
}

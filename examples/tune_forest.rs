//! How are good options found without trying the same ones twice? Two hundred forests are tried by
//! cross-validation, each in a task run of its own; the best is fitted to all training rows and
//! measured, beside one with the default options, on rows that no trial has seen.
//!
//! ```text
//! load_csv -> separate_label -> split_classes -> trials (200 x try_forest_classifier)
//!     -> rank_forest_classifiers -> train_best_forest_classifier -> evaluate_forest_classifier
//! ```
//!
//! With `--store DIR` it can be killed: started again, it goes on with the trials that are left, and
//! with `--trials 400` it tries only the 200 new ones.
//!
//! `--report DIR` shows the trials and the ROC curve of the best forest.
//!
//! `cargo run --release --example tune_forest -- --help` lists what it takes.

use std::process::ExitCode;

use clap::Parser as _;
use orch_core::prelude::*;
use orch_core::report::Section;
use orch_examples::{TuningArguments, exit_code, run_flow};
use orch_ml::tasks::{
    ForestClassifierSearch, draw_roc, evaluate_forest_classifier, load_csv,
    search_forest_classifier, separate_label, split_classes, train_best_forest_classifier,
    train_forest_classifier,
};
use orch_ml::{
    ClassPredictions, ClassificationDataset, ClassificationMetrics, ClassificationScoring,
    CrossValidation, CsvOptions, ForestClassifier, ForestOptions, MaxFeatures, MlError, Plot,
    Space, Split, Test, classification_section, plot_option, plot_section, search_section,
};

/// All trials, how good the best forest and one with default options are, and the ROC curve of the best.
type Tuned = (ForestClassifierSearch, [ClassificationMetrics; 2], Plot);

/// What a forest says of the rows to test with.
#[task(cache)]
pub fn predict(
    model: &ForestClassifier,
    test: &Test<ClassificationDataset>,
) -> Result<ClassPredictions, MlError> {
    model.predict(test.records())
}

/// Looks for good options, and measures what they are worth.
#[flow(name = "tune-forest")]
pub async fn tune_forest(
    data: DataFile,
    target: String,
    candidates: Vec<ForestOptions>,
    n_folds: usize,
    seed: u64,
) -> Result<Tuned, TaskError> {
    let dataset = separate_label(load_csv(data, CsvOptions::default()), target);
    let (train, test) = split_classes(&dataset, Split::stratified(0.2).seed(seed)).unzip();

    let folds = CrossValidation::Stratified {
        n_splits: n_folds,
        seed: Some(seed),
    };
    let scoring = ClassificationScoring::LogLoss;
    let search = search_forest_classifier(&train, candidates, folds, scoring);

    let tuned = train_best_forest_classifier(&train, &search);
    let default = train_forest_classifier(
        &train,
        ForestOptions {
            seed,
            ..Default::default()
        },
    );
    let roc = draw_roc(&test, predict(&tuned, &test));
    let tuned = evaluate_forest_classifier(&tuned, &test);
    let default = evaluate_forest_classifier(&default, &test);
    let metrics = [tuned.await?.into_inner(), default.await?.into_inner()];
    Ok((search.await?.into_inner(), metrics, roc.await?.into_inner()))
}

/// Draws options to try.
pub fn candidates(n: usize, seed: u64) -> Result<Vec<ForestOptions>, MlError> {
    let shares = [0.1, 0.2, 0.4].map(|share| Some(MaxFeatures::Fraction(share)));
    Space::new()
        .integers("n_trees", 20, 120)
        .values("max_depth", [Some(3), Some(5), Some(8), None])
        .integers("min_samples_leaf", 1, 8)
        .values("max_features", shares)
        .random(
            &ForestOptions {
                seed,
                ..Default::default()
            },
            n,
            seed,
        )
}

#[tokio::main]
async fn main() -> ExitCode {
    exit_code(run(TuningArguments::parse()).await)
}

async fn run(args: TuningArguments) -> anyhow::Result<()> {
    let (file, seed) = (args.data(), args.seed);
    let candidates = candidates(args.trials, seed)?;
    let flow = tune_forest(&file, args.target, candidates, args.folds, seed);
    run_flow(flow, &file, (args.store, args.report), show).await
}

/// Prints how good the options are, and puts it on a page.
fn show((search, [tuned, default], roc): &Tuned) -> anyhow::Result<Vec<Section>> {
    println!("{}\n", search.to_table().head(10));
    let (n_trials, best) = (search.trials().len(), &search.best().options);
    println!("best of {n_trials} trials: {best:?}\n");
    println!("on {} rows that no trial has seen:", tuned.n_rows);
    for (name, metrics) in [("tuned", tuned), ("default", default)] {
        let (accuracy, log_loss) = (metrics.accuracy, metrics.log_loss);
        println!("  {name:<8} accuracy {accuracy:.4}  log loss {log_loss:.4}");
    }
    println!();
    let by_option = ["max_depth", "min_samples_leaf"].map(|option| plot_option(search, option));
    Ok(vec![
        search_section("Trials", search),
        plot_section("Scores by option", by_option.iter().flatten()),
        classification_section("Best forest on test rows", tuned).figure(roc.to_svg()),
    ])
}

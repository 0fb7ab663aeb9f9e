//! Which options are worth it? One flow is run with several of them, each run on the record of one
//! store; then the runs are put side by side: what they were made with, how they went, how long they
//! took.
//!
//! ```text
//! load_csv -> separate_label -> split_classes -> grow -> evaluate_forest_classifier
//! ```
//!
//! `grow` fits forests of more and more trees and logs a point of a curve for each; evaluating logs its
//! metrics by itself. What two runs have in common, such as reading the file, is computed once.
//!
//! `cargo run --release --example compare_runs -- --help` lists what it takes.

use std::process::ExitCode;

use anyhow::Context as _;
use clap::Parser as _;
use orch_core::prelude::*;
use orch_core::{FlowRunId, RunReport};
use orch_examples::{ComparisonArguments, collect_logs, exit_code};
use orch_ml::tasks::{evaluate_forest_classifier, load_csv, separate_label, split_classes};
use orch_ml::{
    ClassificationDataset, CsvOptions, ForestClassifier, ForestOptions, Split, Train,
    fit_forest_classifier,
};

/// Fits forests of more and more trees, and logs how good each is on the rows that its trees have not
/// seen. Returns the last one.
#[task(cache)]
pub fn grow(
    train: &Train<ClassificationDataset>,
    options: ForestOptions,
    ctx: &TaskContext,
) -> anyhow::Result<ForestClassifier> {
    ctx.log_params(&options)?;
    let fit = |n_trees: usize| -> anyhow::Result<ForestClassifier> {
        let options = ForestOptions {
            n_trees,
            ..options.clone()
        };
        let forest = fit_forest_classifier(train, &options)?;
        if let Some(accuracy) = forest.out_of_bag_accuracy() {
            ctx.log_metric("out_of_bag_accuracy", n_trees, accuracy)?;
        }
        Ok(forest)
    };
    for share in [8, 4, 2] {
        fit((options.n_trees / share).max(1))?;
    }
    fit(options.n_trees)
}

/// Grows a forest that is no deeper, and whose leaves are no smaller, and measures it.
#[flow(name = "compare-forests")]
pub async fn compare_forests(
    data: DataFile,
    target: String,
    max_depth: Option<usize>,
    min_samples_leaf: usize,
    seed: u64,
) -> Result<f64, TaskError> {
    let dataset = separate_label(load_csv(data, CsvOptions::default()), target);
    let (train, test) = split_classes(&dataset, Split::stratified(0.3).seed(seed)).unzip();
    let options = ForestOptions {
        max_depth,
        min_samples_leaf,
        out_of_bag_score: true,
        seed,
        ..ForestOptions::default()
    };
    let forest = grow(&train, options);
    Ok(evaluate_forest_classifier(&forest, &test).await?.log_loss)
}

#[tokio::main]
async fn main() -> ExitCode {
    exit_code(run(ComparisonArguments::parse()).await)
}

async fn run(args: ComparisonArguments) -> anyhow::Result<()> {
    collect_logs();
    let folder = args.store()?;
    let engine = Engine::open(folder.path())?;
    let (file, target, seed) = (args.data(), &args.target, args.seed);
    let mut runs: Vec<FlowRunId> = Vec::new();
    let mut best: Option<(f64, RunReport)> = None;
    for max_depth in [Some(2), Some(4), None] {
        for leaf in [1, 8] {
            let depth = max_depth.map_or_else(|| "any".to_owned(), |depth| depth.to_string());
            let flow = compare_forests(&file, target.clone(), max_depth, leaf, seed)
                .name(format!("depth {depth}, leaf {leaf}"));
            let run = flow.start(&engine)?;
            runs.push(run.id());
            let (loss, report) = run.finish().await;
            let loss = loss?;
            if best.as_ref().is_none_or(|(least, _)| loss < *least) {
                best = Some((loss, report));
            }
        }
    }
    let comparison = engine.compare_runs(&runs)?;
    println!("{}", comparison.keeping_metrics(&args.metrics));
    if let Some((_, report)) = &best {
        print_curve(report);
    }
    if let Some(path) = &args.csv {
        std::fs::write(path, comparison.to_csv())
            .with_context(|| format!("cannot write `{}`", path.display()))?;
        println!("written: {}", path.display());
    }
    Ok(())
}

/// Prints how the best forest became what it is.
fn print_curve(report: &RunReport) {
    let mut logged = report.logged.iter();
    let curve = logged.find_map(|logged| logged.metrics.get("out_of_bag_accuracy"));
    println!(
        "least log loss: {}; its accuracy out of bag, by trees:",
        report.name
    );
    for point in curve.into_iter().flat_map(|curve| &curve.points) {
        println!("  {:>4}  {:.4}", point.step, point.value);
    }
}

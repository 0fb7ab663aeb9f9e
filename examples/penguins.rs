//! Which penguin is it? Words, gaps and scales are prepared by what the training rows say, and a
//! logistic regression is compared with a random forest on rows that neither has seen.
//!
//! ```text
//! load_csv -> check -> split_table -> prepare_classes -> train_logistic          -> evaluate_classifier
//!                                                     -> train_forest_classifier -> evaluate_classifier
//! ```
//!
//! `cargo run --release --example penguins -- --help` lists what it takes.

use std::process::ExitCode;

use clap::Parser as _;
use orch_core::Progress;
use orch_core::prelude::*;
use orch_examples::{PenguinArguments, collect_logs, engine, exit_code, show_run};
use orch_ml::tasks::{
    check, evaluate_classifier, load_csv, prepare_classes, split_table, train_forest_classifier,
    train_logistic,
};
use orch_ml::{
    Check, CheckReport, Checked, ClassificationMetrics, CsvOptions, FittedPreprocessor,
    ForestClassifier, ForestOptions, ImputeStrategy, LogisticModel, LogisticOptions, OneHotOptions,
    Preprocessor, Rule, Scaling, Split, Table,
};

const SIZES: [&str; 4] = [
    "bill_length_mm",
    "bill_depth_mm",
    "flipper_length_mm",
    "body_mass_g",
];

/// What is known of the rows, what was learned of them, and how good both models are.
type Comparison = (CheckReport, FittedPreprocessor, [ClassificationMetrics; 2]);

/// The rows that may be used.
#[task(cache)]
pub fn usable(checked: &Checked) -> Table {
    checked.table.clone()
}

/// Tells species apart by sizes, island and sex.
#[flow]
pub async fn penguins(data: DataFile, seed: u64) -> Result<Comparison, TaskError> {
    let table = load_csv(data, CsvOptions::default());
    let checks = vec![
        Check::block(Rule::one_of("species", ["Adelie", "Chinstrap", "Gentoo"])),
        Check::block(Rule::between("body_mass_g", 2_000.0, 7_000.0)),
        Check::warn(Rule::present("sex")),
    ];
    let checked = check(&table, checks);
    let split = Split::stratified_by("species", 0.25).seed(seed);
    let (train, test) = split_table(usable(&checked), split).unzip();

    let words = ["island", "sex"];
    let preprocessor = Preprocessor::new()
        .impute(SIZES, ImputeStrategy::Median)
        .impute(["sex"], ImputeStrategy::MostFrequent)
        .scale(SIZES, Scaling::Standard)
        .one_hot(words, OneHotOptions::default());
    let (fitted, train, test) = prepare_classes(&train, &test, preprocessor, "species").unzip();

    let lines = train_logistic(&train, LogisticOptions::default());
    let trees = train_forest_classifier(
        &train,
        ForestOptions {
            seed,
            ..Default::default()
        },
    );
    let lines = evaluate_classifier::<LogisticModel>(&lines, &test);
    let trees = evaluate_classifier::<ForestClassifier>(&trees, &test);
    let metrics = [lines.await?.into_inner(), trees.await?.into_inner()];
    Ok((
        checked.await?.report.clone(),
        fitted.await?.into_inner(),
        metrics,
    ))
}

#[tokio::main]
async fn main() -> ExitCode {
    exit_code(run(PenguinArguments::parse()).await)
}

async fn run(args: PenguinArguments) -> anyhow::Result<()> {
    collect_logs();
    let engine = engine(args.store.as_deref())?;
    let progress = Progress::show(&engine);
    let flow = penguins(args.data(), args.seed);
    let (result, report) = flow.start(&engine)?.finish().await;
    progress.finish();
    if let Ok((checks, fitted, metrics)) = &result {
        println!("{checks}\n\n{fitted}\n");
        for (name, metrics) in ["logistic regression", "random forest"].iter().zip(metrics) {
            println!("{name}, {} rows that it has not seen:", metrics.n_rows);
            println!(
                "  accuracy {:.4}, log loss {:.4}",
                metrics.accuracy, metrics.log_loss
            );
            for class in &metrics.classes {
                let (precision, recall) = (class.precision, class.recall);
                println!(
                    "  {:<10} precision {precision:.3}  recall {recall:.3}",
                    class.label
                );
            }
        }
        println!();
    }
    let shown = show_run(&report, args.report.as_deref());
    result?;
    Ok(shown?)
}

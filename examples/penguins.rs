//! Which penguin is it? Words, gaps and scales are prepared by what the training rows say, and a
//! logistic regression is compared with a random forest on rows that neither has seen.
//!
//! ```text
//! load_csv -> check -> split_table -> prepare_classes -> train_logistic          -> evaluate_classifier
//!                                                     -> train_forest_classifier -> evaluate_classifier
//! ```
//!
//! What the forest says of the test rows is looked into: by island, by feature, and whether its
//! probabilities come true. `--report DIR` shows it.
//!
//! `cargo run --release --example penguins -- --help` lists what it takes.

use std::process::ExitCode;

use clap::Parser as _;
use orch_core::prelude::*;
use orch_core::report::Section;
use orch_examples::{PenguinArguments, exit_code, run_flow};
use orch_ml::tasks::{
    check, draw_calibration, draw_importance, evaluate_class_slices, evaluate_classifier,
    importance_forest_classifier, load_csv, prepare_classes, split_table, train_forest_classifier,
    train_logistic,
};
use orch_ml::{
    CalibrationStrategy, Check, CheckReport, Checked, ClassPredictions, ClassificationDataset,
    ClassificationMetrics, CsvOptions, FittedPreprocessor, ForestClassifier, ForestOptions,
    ImputeStrategy, LogisticModel, LogisticOptions, MlError, OneHotOptions, PermutationOptions,
    Plot, Preprocessor, Rule, Scaling, Split, Table, Test, classification_section, plot_section,
    table_section,
};

const SIZES: [&str; 4] = [
    "bill_length_mm",
    "bill_depth_mm",
    "flipper_length_mm",
    "body_mass_g",
];

/// What is known of the rows, what was learned of them, how good both models are, and for the forest
/// the same by island and what it looks like.
type Comparison = (
    CheckReport,
    FittedPreprocessor,
    [ClassificationMetrics; 2],
    Table,
    [Plot; 2],
);
const MODELS: [&str; 2] = ["logistic regression", "random forest"];

/// The rows that may be used.
#[task(cache)]
pub fn usable(checked: &Checked) -> Table {
    checked.table.clone()
}

/// What the forest says of the rows to test with.
#[task(cache)]
pub fn predict(
    model: &ForestClassifier,
    test: &Test<ClassificationDataset>,
) -> Result<ClassPredictions, MlError> {
    model.predict(test.records())
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
    let (train, test_table) = split_table(usable(&checked), split).unzip();

    let words = ["island", "sex"];
    let preprocessor = Preprocessor::new()
        .impute(SIZES, ImputeStrategy::Median)
        .impute(["sex"], ImputeStrategy::MostFrequent)
        .scale(SIZES, Scaling::Standard)
        .one_hot(words, OneHotOptions::default());
    let (fitted, train, test) =
        prepare_classes(&train, &test_table, preprocessor, "species").unzip();

    let lines = train_logistic(&train, LogisticOptions::default());
    let trees = train_forest_classifier(
        &train,
        ForestOptions {
            seed,
            ..Default::default()
        },
    );
    let predicted = predict(&trees, &test);
    let slices = evaluate_class_slices(&test_table, "island", &test, &predicted);
    let calibration = draw_calibration(&test, &predicted, 5, CalibrationStrategy::Uniform);
    let shuffles = PermutationOptions { n_repeats: 5, seed };
    let importance = draw_importance(importance_forest_classifier(&trees, &test, shuffles));
    let lines = evaluate_classifier::<LogisticModel>(&lines, &test);
    let trees = evaluate_classifier::<ForestClassifier>(&trees, &test);
    let metrics = [lines.await?.into_inner(), trees.await?.into_inner()];
    Ok((
        checked.await?.report.clone(),
        fitted.await?.into_inner(),
        metrics,
        slices.await?.into_inner(),
        [
            importance.await?.into_inner(),
            calibration.await?.into_inner(),
        ],
    ))
}

#[tokio::main]
async fn main() -> ExitCode {
    let args = PenguinArguments::parse();
    let file = args.data();
    let flow = penguins(&file, args.seed);
    exit_code(run_flow(flow, &file, (args.store, args.report), show).await)
}

/// Prints how good the models are, and puts it on a page.
fn show((checks, fitted, metrics, slices, plots): &Comparison) -> anyhow::Result<Vec<Section>> {
    println!("{checks}\n\n{fitted}\n");
    let mut sections = Vec::new();
    for (name, metrics) in MODELS.iter().zip(metrics) {
        let title = format!("Test rows: {name}");
        sections.push(classification_section(title, metrics));
        let (accuracy, log_loss) = (metrics.accuracy, metrics.log_loss);
        println!("{name}, {} rows that it has not seen:", metrics.n_rows);
        println!("  accuracy {accuracy:.4}, log loss {log_loss:.4}");
        for class in &metrics.classes {
            let (label, precision, recall) = (&class.label, class.precision, class.recall);
            println!("  {label:<10} precision {precision:.3}  recall {recall:.3}");
        }
    }
    println!();
    sections.push(table_section("Random forest by island", slices));
    sections.push(plot_section("Random forest in pictures", plots));
    Ok(sections)
}

//! What orchestration adds to a workflow: the tasks of a linear regression beside the plain functions
//! that they are. And such functions on large data beside pandas, polars and scikit-learn.
//!
//! `cargo bench --bench ml`. The Python side makes an environment of its own the first time; without
//! Python, and in a smoke run, only ours is measured.

mod beside_python;
mod cases;
mod data;

use std::path::Path;
use std::time::Instant;

use clap::Parser as _;
use orch_benches::{Args, Results, runtime, timed};
use orch_core::prelude::*;
use orch_ml::tasks::{
    drop_incomplete, evaluate_linear, load_csv, select_features, split, train_linear,
};
use orch_ml::{
    CsvOptions, MlError, RegressionMetrics, Split, drop_missing, evaluate_regression, fit_linear,
    read_csv, to_dataset, train_test_split,
};

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/data/penguins.csv");
const FEATURES: [&str; 3] = ["bill_length_mm", "bill_depth_mm", "flipper_length_mm"];
const TARGET: &str = "body_mass_g";

#[flow]
async fn workflow(file: DataFile) -> Result<RegressionMetrics, TaskError> {
    let complete = drop_incomplete(load_csv(file, CsvOptions::default()));
    let features = FEATURES.map(str::to_owned).to_vec();
    let dataset = select_features(&complete, features, TARGET);
    let (train, test) = split(&dataset, Split::random(0.2).seed(42)).unzip();
    Ok(evaluate_linear(train_linear(&train), &test)
        .await?
        .into_inner())
}

fn by_hand() -> Result<RegressionMetrics, MlError> {
    let complete = drop_missing(&read_csv(Path::new(FILE), &CsvOptions::default())?)?;
    let dataset = to_dataset(&complete, &FEATURES.map(str::to_owned), TARGET)?;
    let (train, test) = train_test_split(&dataset, &Split::random(0.2).seed(42))?;
    evaluate_regression(&fit_linear(&train)?, &test)
}

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    match args.memory.as_deref() {
        Some(beside_python::WORKFLOW) => {
            let metrics = runtime().block_on(async { workflow(FILE).await })?;
            println!("{}", metrics.rmse);
            return Ok(());
        }
        Some(case) => return beside_python::run_alone(case),
        None => {}
    }
    let mut results = Results::new("ml", args);
    let runtime = runtime();
    let expected = by_hand()?;
    // An engine remembers what it has computed: each round has its own, as each process would.
    results.compare(
        "workflow, in memory",
        1,
        "<= +1 ms",
        || {
            timed(&runtime, async move {
                let engine = Engine::new();
                let metrics = workflow(FILE).on(&engine).await;
                assert_eq!(metrics.expect("the flow completes"), expected);
            })
        },
        || {
            let start = Instant::now();
            let metrics = by_hand().expect("the functions work");
            let took = start.elapsed();
            assert_eq!(metrics, expected);
            took
        },
    );
    beside_python::measure(&mut results)?;
    results.finish()
}

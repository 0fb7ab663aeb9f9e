//! How well does a straight line predict? A CSV file with gaps becomes a linear regression and its
//! error on held-out rows. With `--store` a second run computes what has changed.

use std::process::ExitCode;

use clap::Parser as _;
use orch_core::prelude::*;
use orch_examples::{WorkflowArguments, exit_code, run_flow};
use orch_ml::tasks::{draw_residuals_of, evaluate_linear, train_linear};
use orch_ml::{CsvOptions, Dataset, LinearModel, MlError, Plot, RegressionMetrics};
use orch_ml::{Split, Table, Test, Train, regression_section};

/// Reads the table. Only what may pass is tried again: a missing file stays missing.
#[task(cache, retries = 2, backoff = "1s..10s")]
pub fn load(file: DataFile) -> Result<Table, MlError> {
    orch_ml::read_csv(&file, &CsvOptions::default())
}

/// Drops incomplete rows, selects the columns, and splits into rows to train on and to test on.
#[task(cache)]
pub fn preprocess(
    table: &Table,
    features: &[String],
    target: &str,
    split: Split,
) -> Result<(Train<Dataset>, Test<Dataset>), MlError> {
    let complete = orch_ml::drop_missing(table)?;
    let dataset = orch_ml::to_dataset(&complete, features, target)?;
    orch_ml::train_test_split(&dataset, &split)
}

/// Returns how good the model is on the rows held out, and where it is wrong.
#[flow(name = "ml-workflow")]
pub async fn ml_workflow(
    file: DataFile,
    features: Vec<String>,
    target: String,
    split: Split,
) -> anyhow::Result<(RegressionMetrics, Plot)> {
    let (train, test) = preprocess(load(file), features, target, split).unzip();
    let model = train_linear(&train);
    let metrics = evaluate_linear(&model, &test);
    let residuals = draw_residuals_of::<LinearModel>(&model, &test).await?;
    Ok((metrics.await?.into_inner(), residuals.into_inner()))
}

#[tokio::main]
async fn main() -> ExitCode {
    let args = WorkflowArguments::parse();
    let (file, split) = (args.data(), args.split());
    let flow = ml_workflow(&file, args.features, args.target, split);
    let show = |(m, residuals): &(RegressionMetrics, Plot)| {
        println!("R2   {}\nMAE  {}\nRMSE {}", m.r2, m.mae, m.rmse);
        println!("held-out rows: {}\n", m.n_rows);
        let section = regression_section("Rows held out", m);
        Ok(vec![section.figure(residuals.to_svg())])
    };
    exit_code(run_flow(flow, &file, (args.store, args.report), show).await)
}

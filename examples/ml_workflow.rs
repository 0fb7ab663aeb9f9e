//! How well does a straight line predict? A CSV file with gaps becomes a linear regression and its
//! error on held-out rows: load -> preprocess -> train_model -> evaluate. With `--store` a second run
//! computes what has changed; with `--report` there is a page to look at. `-- --help` says the rest.

use std::process::ExitCode;

use clap::Parser as _;
use orch_core::prelude::*;
use orch_examples::{WorkflowArguments, exit_code, run_flow};
use orch_ml::{
    CsvOptions, Dataset, LinearModel, MlError, Plot, RegressionMetrics, Split, Table, Test, Train,
    regression_section,
};

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
    test_fraction: f64,
    seed: u64,
) -> Result<(Train<Dataset>, Test<Dataset>), MlError> {
    let complete = orch_ml::drop_missing(table)?;
    let dataset = orch_ml::to_dataset(&complete, features, target)?;
    orch_ml::train_test_split(&dataset, &Split::random(test_fraction).seed(seed))
}

/// Fits a linear regression.
#[task(cache)]
pub fn train_model(train: &Train<Dataset>) -> Result<LinearModel, MlError> {
    orch_ml::fit_linear(train)
}

/// Compares what the model says of rows that it has not seen with what they are.
#[task(cache)]
pub fn evaluate(
    model: &LinearModel,
    test: &Test<Dataset>,
) -> Result<(RegressionMetrics, Plot), MlError> {
    let predictions = model.predict(test.records())?;
    let residuals = orch_ml::plot_residuals(test.targets().view(), predictions.view())?;
    Ok((orch_ml::evaluate_regression(model, test)?, residuals))
}

/// Returns how good the model is on the rows held out, and where it is wrong.
#[flow(name = "ml-workflow")]
pub async fn ml_workflow(
    file: DataFile,
    features: Vec<String>,
    target: String,
    test_fraction: f64,
    seed: u64,
) -> anyhow::Result<(RegressionMetrics, Plot)> {
    let table = load(file); // a handle on a task run that is on its way
    let (train, test) = preprocess(&table, features, target, test_fraction, seed).unzip();
    let model = train_model(&train);
    Ok(evaluate(&model, &test).await?.into_inner())
}

#[tokio::main]
async fn main() -> ExitCode {
    let args = WorkflowArguments::parse();
    let (file, share) = (args.data(), args.test_fraction);
    let flow = ml_workflow(&file, args.features, args.target, share, args.seed);
    let show = |(m, residuals): &(RegressionMetrics, Plot)| {
        println!("R2   {}\nMAE  {}\nRMSE {}", m.r2, m.mae, m.rmse);
        println!("held-out rows: {}\n", m.n_rows);
        Ok(vec![
            regression_section("Rows held out", m).figure(residuals.to_svg()),
        ])
    };
    exit_code(run_flow(flow, &file, (args.store, args.report), show).await)
}

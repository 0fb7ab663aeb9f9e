//! Flow runs in MLflow: exported, and read back by MLflow itself.

#[path = "mlflow/python.rs"]
mod python;

use std::path::Path;
use std::process::Command;

use orch_core::prelude::*;
use orch_core::{FlowError, FlowRunId};
use orch_ml::{MlError, export_mlflow};
use serde_json::{Value, json};

use python::{python, read_runs, run};

#[task(name = "fit[depth={depth}]")]
async fn fit(ctx: &TaskContext, depth: u32) -> anyhow::Result<u32> {
    ctx.log_param("depth", depth)?;
    for (step, value) in [(0, 0.5), (1, f64::NAN), (2, f64::INFINITY), (-3, 0.1)] {
        ctx.log_metric("loss", step, value)?;
    }
    // One that is also a folder of the other.
    ctx.log_metrics(7, [("val", 1.0), ("val/loss", 1e-300)])?;
    ctx.log_artifact("notes/note.md", format!("depth {depth}: größer").as_bytes())?;
    Ok(depth)
}

#[task]
async fn fold(ctx: &TaskContext, n: u32) -> anyhow::Result<u32> {
    ctx.log_param("n", n)?;
    ctx.log_metric("score", 0, f64::from(n))?;
    Ok(n)
}

#[flow(name = "learn: a \"test\"", tags = ["nightly"])]
async fn learn(ctx: &FlowContext, rate: f64, fails: bool) -> anyhow::Result<()> {
    ctx.set_tag("team", "red\nline")?;
    ctx.log_param("solver", format!("newton {rate}"))?;
    map(vec![1_u32, 2], fold).collect().await?;
    fit(4).await?;
    fit(4).await?;
    anyhow::ensure!(!fails, "it diverged");
    Ok(())
}

async fn learned(engine: &Engine, name: &str, fails: bool) -> FlowRunId {
    let run = learn(0.1, fails).name(name).start(engine).unwrap();
    let id = run.id();
    let result: Result<(), FlowError> = run.finish().await.0;
    assert_eq!(result.is_err(), fails);
    id
}

/// The run of a name; there is one.
fn named<'a>(runs: &'a [Value], name: &str) -> &'a Value {
    let found: Vec<&Value> = runs.iter().filter(|run| run["name"] == name).collect();
    assert_eq!(found.len(), 1, "{name}: {runs:#?}");
    found[0]
}

/// The metrics of a run without their times.
fn points(run: &Value, metric: &str) -> Value {
    let points = run["metrics"][metric].as_array().expect("it is there");
    let mut points: Vec<Value> = points
        .iter()
        .map(|point| json!([point[0], point[1]]))
        .collect();
    points.sort_by_key(|point| point[0].as_i64());
    points.into()
}

fn check_first(runs: &[Value]) {
    let first = named(runs, "first");
    assert_eq!(first["experiment"], "learn: a \"test\"");
    assert_eq!(first["status"], "FINISHED");
    assert!(first["end_time"].as_i64() >= first["start_time"].as_i64());
    assert_eq!(
        first["params"],
        json!({
            "rate": "0.1",
            "fails": "false",
            "solver": "newton 0.1",
            "fit_depth_4_/depth": "4",
            "fit_depth_4_-2/depth": "4",
        })
    );
    assert_eq!(first["tags"]["team"], "red\nline");
    assert_eq!(first["tags"]["orch.state"], "completed");
    let loss = "fit_depth_4_/loss";
    let expected = json!([[-3, 0.1], [0, 0.5], [1, "nan"], [2, "inf"]]);
    assert_eq!(points(first, loss), expected);
    assert_eq!(first["latest"][loss], "inf", "of the greatest step");
    assert_eq!(points(first, "fit_depth_4_-2/val_"), json!([[7, 1.0]]));
    assert_eq!(
        points(first, "fit_depth_4_-2/val/loss"),
        json!([[7, 1e-300]])
    );
    assert_eq!(
        first["artifacts"],
        json!({
            "fit_depth_4_/notes/note.md": "depth 4: größer",
            "fit_depth_4_-2/notes/note.md": "depth 4: größer",
        })
    );
    // Items of a map are runs of their own.
    let mut folds: Vec<&Value> = runs
        .iter()
        .filter(|run| run["tags"]["mlflow.parentRunId"] == first["id"])
        .collect();
    folds.sort_by_key(|run| run["params"]["n"].as_str());
    let found: Vec<Value> = folds
        .iter()
        .map(|run| json!([run["name"], run["params"]["n"], run["latest"]["score"]]))
        .collect();
    assert_eq!(
        found,
        [json!(["fold", "1", 1.0]), json!(["fold", "2", 2.0])]
    );
}

#[tokio::test]
async fn exported_runs_are_read_by_mlflow_and_migrated_to_its_database() {
    let Some(python) = python() else {
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let engine = Engine::open(dir.path().join("store")).unwrap();
    let ids = [
        learned(&engine, "first", false).await,
        learned(&engine, "second", true).await,
    ];
    // A space, as folders of people have.
    let folder = dir.path().join("my runs/mlruns");
    // The second time in place of the first.
    for _ in 0..2 {
        let export = export_mlflow(&engine, &ids, &folder).unwrap();
        assert_eq!((export.runs.len(), export.missing_artifacts), (6, 0));
    }
    let address = format!("file://{}", folder.display()).replace(' ', "%20");
    let runs = read_runs(python, &address);
    assert_eq!(runs.len(), 6, "{runs:#?}");
    check_first(&runs);
    let second = named(&runs, "second");
    assert_eq!(second["status"], "FAILED");
    let error = "flow run `second` failed: it diverged";
    assert_eq!(second["tags"]["orch.error"], error);

    let database = format!("sqlite:///{}", dir.path().join("mlflow.db").display());
    let mut migrate = Command::new(python);
    migrate
        .args([
            "-m",
            "mlflow",
            "migrate-filestore",
            "--no-progress",
            "--source",
        ])
        .arg(Path::new(&folder).parent().unwrap())
        .args(["--target", &database])
        .env("MLFLOW_ALLOW_FILE_STORE", "true");
    run(&mut migrate).expect("MLflow migrates them");
    let migrated = read_runs(python, &database);
    assert_eq!(migrated.len(), 6, "{migrated:#?}");
    assert_eq!(
        named(&migrated, "first")["params"],
        named(&runs, "first")["params"]
    );
    assert_eq!(
        points(named(&migrated, "first"), "fit_depth_4_-2/val/loss"),
        json!([[7, 1e-300]])
    );
}

#[tokio::test]
async fn what_is_not_there_is_not_exported() {
    let dir = tempfile::tempdir().unwrap();
    let engine = Engine::open(dir.path().join("store")).unwrap();
    let unknown: FlowRunId = "0000000000000000000000000f".parse().unwrap();
    let error = export_mlflow(&engine, &[unknown], dir.path().join("mlruns")).unwrap_err();
    assert!(matches!(error, MlError::UnknownFlowRun { .. }));
    assert_eq!(error.help(), "name one that the engine's store has");

    let file = dir.path().join("file");
    std::fs::write(&file, "").unwrap();
    let error = export_mlflow(&engine, &[], file.join("mlruns")).unwrap_err();
    assert!(matches!(error, MlError::WriteFile { .. }), "{error}");
}

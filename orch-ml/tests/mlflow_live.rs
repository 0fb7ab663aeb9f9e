//! Flow runs live to a tracking server of MLflow, started on loopback by the test.

#[path = "mlflow/python.rs"]
mod python;

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use orch_core::prelude::*;
use orch_ml::{MlflowError, MlflowOptions, MlflowUpload, MlflowUploadReport};
use serde_json::{Value, json};

use python::{python, read_runs};

#[task(name = "fit {n}")]
fn fit(ctx: &TaskContext, n: u32) -> anyhow::Result<()> {
    for step in 0..n {
        ctx.log_metric("loss", step, 1.0 / f64::from(step + 1))?;
    }
    ctx.log_metrics(n, [("odd", f64::NAN), ("large", f64::NEG_INFINITY)])?;
    for i in 0..n / 10 {
        ctx.log_param(&format!("p{i}"), i)?;
        ctx.set_tag(&format!("t{i}"), "x".repeat(1_000))?;
    }
    Ok(())
}

#[task]
async fn fold(ctx: &TaskContext, n: u32) -> anyhow::Result<u32> {
    ctx.log_param("n", n)?;
    Ok(n)
}

#[flow(name = "learn live")]
async fn learn(ctx: &FlowContext, n: u32) -> anyhow::Result<()> {
    ctx.log_param("solver", "newton")?;
    ctx.log_artifact("a folder/note.md", "größer".as_bytes())?;
    map(vec![1_u32, 2], fold).collect().await?;
    fit(n).await?;
    Ok(())
}

/// What the flow above logs.
const fn n_logged(n: u64) -> u64 {
    2 + 2 + n + 2 + 2 * (n / 10)
}

/// A server that is gone with the test.
struct Server {
    child: Child,
    address: String,
}

impl Server {
    fn start(python: &Path, folder: &Path) -> Self {
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let mut command = Command::new(python);
        command
            .args([
                "-m",
                "mlflow",
                "server",
                "--host",
                "127.0.0.1",
                "--workers",
                "1",
            ])
            .args(["--port", &port.to_string()])
            .arg("--backend-store-uri")
            .arg(format!("sqlite:///{}", folder.join("mlflow.db").display()))
            .arg("--artifacts-destination")
            .arg(folder.join("artifacts"))
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let server = Self {
            child: command.spawn().unwrap(),
            address: format!("http://127.0.0.1:{port}"),
        };
        let until = Instant::now() + Duration::from_secs(240);
        while !is_healthy(port) {
            assert!(Instant::now() < until, "the server does not come up");
            // Another process says nothing of when it is ready.
            std::thread::sleep(Duration::from_millis(200));
        }
        server
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // The server has processes of its own.
        let group = format!("-{}", self.child.id());
        drop(Command::new("kill").args(["-9", "--", &group]).status());
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn is_healthy(port: u16) -> bool {
    let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)) else {
        return false;
    };
    let request = b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n";
    let mut answer = String::new();
    stream.write_all(request).is_ok()
        && stream.read_to_string(&mut answer).is_ok()
        && answer.starts_with("HTTP/1.1 200")
}

async fn learned(upload: &MlflowUpload, n: u32) {
    let engine = Engine::builder().log_sink(upload.sink()).build();
    let (result, report) = learn(n)
        .name("first")
        .start(&engine)
        .unwrap()
        .finish()
        .await;
    result.unwrap();
    assert_eq!(report.logged.len(), 4);
}

#[tokio::test]
async fn what_flow_runs_log_arrives_at_a_server() {
    let Some(python) = python() else {
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(python, dir.path());
    let upload = MlflowUpload::start(&server.address, MlflowOptions::default()).unwrap();
    // More of everything than a batch may hold.
    learned(&upload, 2_500).await;
    let report = upload.finish(Duration::from_secs(120));
    assert_eq!((report.last_error.as_deref(), report.failed), (None, 0));
    assert_eq!((report.runs, report.dropped, report.waiting), (3, 0, 0));
    assert_eq!(report.sent, n_logged(2_500));

    let runs = read_runs(python, &server.address);
    assert_eq!(runs.len(), 3);
    let first = runs.iter().find(|run| run["name"] == "first").unwrap();
    assert_eq!(first["experiment"], "learn live");
    assert_eq!(first["status"], "FINISHED");
    assert!(first["end_time"].as_i64() >= first["start_time"].as_i64());
    assert_eq!(first["params"]["solver"], "newton");
    assert_eq!(first["params"]["fit_2500/p249"], "249");
    assert_eq!(
        first["tags"]["fit_2500/t0"].as_str().map(str::len),
        Some(1_000)
    );
    let points = first["metrics"]["fit_2500/loss"].as_array().unwrap();
    assert_eq!(points.len(), 2_500);
    assert!(
        points
            .iter()
            .any(|point| point[0] == 1_999 && point[1] == 1.0 / 2_000.0)
    );
    assert_eq!(first["latest"]["fit_2500/odd"], "nan");
    assert_eq!(first["artifacts"], json!({ "a folder/note.md": "größer" }));
    let folds: Vec<&Value> = runs
        .iter()
        .filter(|run| run["tags"]["mlflow.parentRunId"] == first["id"])
        .collect();
    assert_eq!(folds.len(), 2);
    assert!(
        folds
            .iter()
            .all(|run| run["name"] == "fold" && run["status"] == "FINISHED")
    );
}

fn check_accounts(report: &MlflowUploadReport, n: u64) {
    let all = report.sent + report.dropped + report.failed + report.waiting;
    // What is being sent is neither waiting nor anything else yet.
    assert!(all <= n_logged(n), "{report:?}");
    assert_eq!(report.sent, 0);
}

#[tokio::test]
async fn a_server_that_is_not_there_fails_no_flow_run() {
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", nobody.local_addr().unwrap());
    drop(nobody);
    let upload = MlflowUpload::start(&address, MlflowOptions::default()).unwrap();
    learned(&upload, 100).await;
    let report = upload.finish(Duration::from_secs(30));
    assert_eq!(report.failed, n_logged(100), "{report:?}");
    assert_eq!((report.runs, report.sent, report.waiting), (0, 0, 0));
    assert!(report.last_error.is_some());
}

#[tokio::test]
async fn a_server_that_does_not_answer_holds_up_no_flow_run_and_what_has_no_room_is_counted() {
    // Connections are taken by the system and never answered.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", silent.local_addr().unwrap());
    let options = MlflowOptions {
        max_waiting: 50,
        timeout: Duration::from_secs(600),
        ..MlflowOptions::default()
    };
    let upload = MlflowUpload::start(&address, options).unwrap();
    learned(&upload, 1_000).await;
    let report = upload.report();
    check_accounts(&report, 1_000);
    assert!(report.waiting <= 50, "{report:?}");
    assert!(report.dropped >= n_logged(1_000) - 100, "{report:?}");
    // Nobody waits longer than asked for.
    let report = upload.finish(Duration::from_millis(10));
    check_accounts(&report, 1_000);
}

#[test]
fn an_address_that_cannot_be_sent_to_is_refused() {
    for address in [
        "",
        "127.0.0.1:5000",
        "https://mlflow.example",
        "http://",
        "http://a b",
    ] {
        let error = MlflowUpload::start(address, MlflowOptions::default()).unwrap_err();
        assert!(
            matches!(error, MlflowError::InvalidAddress { .. }),
            "{address}"
        );
    }
}

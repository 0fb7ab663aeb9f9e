//! A Python that has MLflow: that of the variable `ORCH_MLFLOW_PYTHON`, or one in a virtual environment
//! of the tests' own, in the target directory.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The version that the tests were written for.
const VERSION: &str = "3.17.2";

/// Names a Python that has MLflow, for machines that have one.
const PYTHON: &str = "ORCH_MLFLOW_PYTHON";

/// Returns the Python; `None`, with the reason on standard error, where there is none to be had.
pub(crate) fn python() -> Option<&'static Path> {
    static FOUND: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    match FOUND.get_or_init(find) {
        Ok(python) => Some(python),
        Err(reason) => {
            eprintln!("skipped: {reason}");
            None
        }
    }
}

fn find() -> Result<PathBuf, String> {
    if let Some(python) = std::env::var_os(PYTHON) {
        return Ok(python.into());
    }
    let target = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let folder = target.join(format!("mlflow-{VERSION}"));
    let python = folder.join("bin/python");
    if has_mlflow(&python) {
        return Ok(python);
    }
    run(Command::new("python3").args(["-m", "venv"]).arg(&folder))?;
    let package = format!("mlflow=={VERSION}");
    run(Command::new(&python).args(["-m", "pip", "install", "--quiet", &package]))?;
    Ok(python)
}

fn has_mlflow(python: &Path) -> bool {
    let code = format!("import mlflow; assert mlflow.__version__ == '{VERSION}'");
    let output = Command::new(python).args(["-c", &code]).output();
    output.is_ok_and(|output| output.status.success())
}

/// Runs a command and returns what it printed.
pub(crate) fn run(command: &mut Command) -> Result<String, String> {
    let output = command
        .output()
        .map_err(|error| format!("{command:?}: {error}"))?;
    if !output.status.success() {
        let text = String::from_utf8_lossy(&output.stderr);
        let last: Vec<&str> = text.lines().rev().take(5).collect();
        return Err(format!("{command:?}: {}", last.join(" / ")));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// What MLflow itself says of the runs at an address.
pub(crate) fn read_runs(python: &Path, address: &str) -> Vec<serde_json::Value> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/mlflow/read_runs.py");
    let mut command = Command::new(python);
    command
        .arg(script)
        .arg(address)
        .env("MLFLOW_ALLOW_FILE_STORE", "true");
    let json = run(&mut command).expect("MLflow reads them");
    let last = json.lines().last().expect("it prints them");
    serde_json::from_str(last).expect("as JSON")
}

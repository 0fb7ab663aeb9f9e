//! onnxruntime and pyarrow in a Python environment of these tests' own.

#![allow(dead_code, reason = "each test uses its part")]

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use serde_json::Value;

use crate::support::here;

/// What files are run with. These versions need Python 3.11 or later.
const PACKAGES: [&str; 4] = [
    "numpy==2.4.6",
    "onnx==1.23.2",
    "onnxruntime==1.32.0",
    "pyarrow==26.0.1",
];

/// The Python of an environment with the packages, which is made the first time and kept in the
/// target directory; or why there is none.
pub(crate) fn python() -> &'static Result<PathBuf, String> {
    // Where it is not to be had, one test waits for that, not each.
    static PYTHON: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    PYTHON.get_or_init(make_environment)
}

fn make_environment() -> Result<PathBuf, String> {
    let home = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let failed = |error: std::io::Error| error.to_string();
    fs::create_dir_all(home).map_err(failed)?;
    // Tests of one run, and of several, make one environment.
    let lock = fs::File::create(home.join("onnx-python.lock")).map_err(failed)?;
    lock.lock().map_err(failed)?;

    let environment = home.join("onnx-python");
    let python = match cfg!(windows) {
        true => environment.join("Scripts/python.exe"),
        false => environment.join("bin/python"),
    };
    let (complete, packages) = (environment.join("packages"), PACKAGES.join("\n"));
    if fs::read_to_string(&complete).is_ok_and(|installed| installed == packages) {
        return Ok(python);
    }
    if environment.exists() {
        fs::remove_dir_all(&environment).map_err(failed)?;
    }
    let system = std::env::var("PYTHON").unwrap_or_else(|_| "python3".to_owned());
    run(Command::new(&system).args(["-m", "venv"]).arg(&environment))?;
    let install = "-m pip install --quiet --disable-pip-version-check --retries 1";
    let install = install.split(' ');
    run(Command::new(&python).args(install).args(PACKAGES))?;
    fs::write(complete, packages).map_err(failed)?;
    Ok(python)
}

fn run(command: &mut Command) -> Result<(), String> {
    let program = command.get_program().display().to_string();
    let output = command
        .output()
        .map_err(|error| format!("`{program}`: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let last = said.trim().lines().last().unwrap_or_default().to_owned();
    Err(format!("`{program}` ended with {}: {last}", output.status))
}

/// What onnxruntime makes of the cases; nothing, with a printed reason, if it is not to be had.
pub(crate) fn run_onnx(cases: &Value) -> Option<Value> {
    let python = match python() {
        Ok(python) => python,
        Err(reason) => {
            eprintln!("skipped: no onnxruntime to compare with: {reason}");
            return None;
        }
    };
    let mut child = Command::new(python)
        .arg(here("tests/onnx/run.py"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    input.write_all(cases.to_string().as_bytes()).unwrap();
    drop(input);
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "onnxruntime refused a file");
    Some(serde_json::from_slice(&output.stdout).unwrap())
}

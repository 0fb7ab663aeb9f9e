//! Flow runs as the files of MLflow: `mlruns/<experiment>/<run>/{meta.yaml,params,metrics,tags,artifacts}`.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use orch_core::{Digest, Engine, FlowRunId};

use super::naming;
use super::run::MlflowRun;
use crate::error::MlError;

/// What an export wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct MlflowExport {
    /// The folder, to be given to MLflow as `file:` and this path.
    pub folder: PathBuf,
    /// The ids of the runs in MLflow: those of the flow runs in their order, each followed by those of
    /// items of its maps.
    pub runs: Vec<String>,
    /// Artifacts that the store has no more.
    pub missing_artifacts: usize,
}

/// Writes recorded flow runs into a folder as MLflow writes runs, in place of what it wrote of them
/// before. Other runs in the folder stay as they are.
///
/// MLflow 3 reads such folders where `MLFLOW_ALLOW_FILE_STORE=true` is set, and
/// `mlflow migrate-filestore` brings them into a database. Metrics of more than 100,000 points in a
/// flow run are thinned, as in reports.
///
/// # Errors
/// [`MlError::UnknownFlowRun`], [`MlError::ReadStore`], [`MlError::WriteFile`].
///
/// # Source
/// The layout is that of MLflow 3.17.2, `mlflow/store/tracking/file_store.py`.
pub fn export_mlflow(
    engine: &Engine,
    runs: &[FlowRunId],
    folder: impl AsRef<Path>,
) -> Result<MlflowExport, MlError> {
    let folder = folder.as_ref();
    make_folder(folder)?;
    let folder = folder
        .canonicalize()
        .map_err(|source| write_error(folder, source))?;
    let mut export = MlflowExport {
        folder: folder.clone(),
        runs: Vec::new(),
        missing_artifacts: 0,
    };
    for run in runs {
        let recorded = engine.recorded_run(*run);
        let recorded = recorded.map_err(|source| MlError::ReadStore { source })?;
        let recorded = recorded.ok_or_else(|| MlError::UnknownFlowRun {
            run: run.to_string(),
        })?;
        let experiment = experiment(&folder, &recorded.row.flow, recorded.row.started_at.0)?;
        for run in MlflowRun::all_of(&recorded) {
            export.missing_artifacts += write_run(engine, &experiment, &run)?;
            export.runs.push(run.id);
        }
    }
    Ok(export)
}

/// The folder of an experiment, which is made if it is missing.
struct Experiment {
    id: String,
    folder: PathBuf,
}

fn experiment(folder: &Path, flow: &str, started_at: i64) -> Result<Experiment, MlError> {
    let id = naming::experiment_id(flow);
    let folder = folder.join(&id);
    let meta = folder.join("meta.yaml");
    if !meta.exists() {
        make_folder(&folder)?;
        let at = started_at.div_euclid(1_000_000);
        let text = yaml(&[
            ("artifact_location", &quoted(&uri(&folder))),
            ("creation_time", &at.to_string()),
            ("experiment_id", &quoted(&id)),
            ("last_update_time", &at.to_string()),
            ("lifecycle_stage", "active"),
            ("name", &quoted(flow)),
        ]);
        write(&meta, text.as_bytes())?;
    }
    Ok(Experiment { id, folder })
}

/// Writes a run and returns how many of its artifacts there were none of.
fn write_run(engine: &Engine, experiment: &Experiment, run: &MlflowRun) -> Result<usize, MlError> {
    let folder = experiment.folder.join(&run.id);
    if folder.exists() {
        fs::remove_dir_all(&folder).map_err(|source| write_error(&folder, source))?;
    }
    for part in ["params", "metrics", "tags", "artifacts"] {
        make_folder(&folder.join(part))?;
    }
    let ended = run
        .ended_at_ms
        .map_or_else(|| "null".to_owned(), |at| at.to_string());
    let meta = yaml(&[
        ("artifact_uri", &quoted(&uri(&folder.join("artifacts")))),
        ("end_time", &ended),
        ("entry_point_name", "''"),
        ("experiment_id", &quoted(&experiment.id)),
        ("lifecycle_stage", "active"),
        ("run_id", &quoted(&run.id)),
        ("run_name", &quoted(&run.name)),
        ("source_name", "''"),
        ("source_type", "4"),
        ("source_version", "''"),
        ("start_time", &run.started_at_ms.to_string()),
        ("status", &run.status.to_string()),
        ("tags", "[]"),
        ("user_id", "orch"),
    ]);
    for (name, value) in files(&run.params) {
        write_below(&folder.join("params"), &name, value.as_bytes())?;
    }
    for (name, value) in files(&run.tags) {
        write_below(&folder.join("tags"), &name, value.as_bytes())?;
    }
    for (name, points) in files(&run.metrics) {
        let mut lines = String::new();
        for point in points {
            let value = number(point.value);
            // Writing to a `String` cannot fail.
            let _ = writeln!(lines, "{} {value} {}", point.at_unix_ms, point.step);
        }
        write_below(&folder.join("metrics"), &name, lines.as_bytes())?;
    }
    let mut missing = 0;
    for (name, digest) in files(&run.artifacts) {
        let digest: Option<Digest> = digest.parse().ok();
        let bytes = match digest {
            Some(digest) => engine
                .read_artifact(&digest)
                .map_err(|source| MlError::ReadStore { source })?,
            None => None,
        };
        match bytes {
            Some(bytes) => write_below(&folder.join("artifacts"), &name, &bytes)?,
            None => missing += 1,
        }
    }
    // The last: without it MLflow sees no run.
    write(&folder.join("meta.yaml"), meta.as_bytes())?;
    Ok(missing)
}

/// Names as those of files: one that is also a folder of another, as `val` beside `val/loss`, has
/// `_` after it, as often as it takes.
fn files<V>(named: &std::collections::BTreeMap<String, V>) -> Vec<(String, &V)> {
    let folders: BTreeSet<&str> = named
        .keys()
        .flat_map(|name| name.match_indices('/').map(|(at, _)| &name[..at]))
        .collect();
    named
        .iter()
        .map(|(name, value)| {
            let mut name = name.clone();
            if folders.contains(name.as_str()) {
                while folders.contains(name.as_str()) || named.contains_key(&name) {
                    name.push('_');
                }
            }
            (name, value)
        })
        .collect()
}

/// A number as Python writes it.
fn number(value: f64) -> String {
    if value.is_nan() {
        "nan".to_owned()
    } else if value.is_infinite() {
        if value > 0.0 { "inf" } else { "-inf" }.to_owned()
    } else {
        format!("{value:?}")
    }
}

fn yaml(entries: &[(&str, &str)]) -> String {
    let lines = entries.iter();
    lines
        .map(|(name, value)| format!("{name}: {value}\n"))
        .collect()
}

/// A text in double quotes: YAML has those of JSON.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// The address of a folder; MLflow takes `%` and two digits for what addresses do not have.
fn uri(path: &Path) -> String {
    let mut uri = "file://".to_owned();
    for byte in path.to_string_lossy().bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'-' | b'_' | b'.' | b'~' => {
                uri.push(char::from(byte));
            }
            byte => uri.push_str(&format!("%{byte:02X}")),
        }
    }
    uri
}

fn write_below(folder: &Path, name: &str, bytes: &[u8]) -> Result<(), MlError> {
    let path = folder.join(name);
    if let Some(parent) = path.parent() {
        make_folder(parent)?;
    }
    write(&path, bytes)
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), MlError> {
    fs::write(path, bytes).map_err(|source| write_error(path, source))
}

fn make_folder(path: &Path) -> Result<(), MlError> {
    fs::create_dir_all(path).map_err(|source| write_error(path, source))
}

fn write_error(path: &Path, source: std::io::Error) -> MlError {
    MlError::WriteFile {
        path: path.to_path_buf(),
        source,
    }
}

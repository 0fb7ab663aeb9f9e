//! What the examples print.

use std::backtrace::BacktraceStatus;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use orch_core::report::{LogReport, ReportError, Section};
use orch_core::store::StoreError;
use orch_core::{Engine, FlowCall, FlowError, LogLayer, Progress, RunReport, State, TaskError};
use orch_ml::MlError;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

/// Lets reports have what is logged, by any crate, while a task runs.
pub fn collect_logs() {
    tracing_subscriber::registry().with(LogLayer::new()).init();
}

/// Runs a flow with a display of its progress, and shows what became of it: first what `show` prints
/// of its result, then the run. `store` is a folder to keep results in, `dir` one to write a page about
/// the run to, with the sections that `show` returns.
///
/// # Errors
/// Those of the folders, and that of the flow, saying from which file it was to learn.
pub async fn run_flow<T: Send + Sync + 'static>(
    flow: FlowCall<T>,
    file: &Path,
    (store, dir): (Option<PathBuf>, Option<PathBuf>),
    show: impl FnOnce(&T) -> anyhow::Result<Vec<Section>>,
) -> anyhow::Result<()> {
    collect_logs();
    let engine = engine(store.as_deref())?;
    let progress = Progress::show(&engine);
    let (result, report) = flow.start(&engine)?.finish().await;
    progress.finish();
    let sections = result.as_ref().map_or_else(|_| Ok(Vec::new()), show)?;
    let shown = show_run(&report, dir.as_deref(), &sections);
    result.with_context(|| format!("cannot learn from `{}`", file.display()))?;
    Ok(shown?)
}

/// Makes an engine: on a folder, if there is one for results to be kept in, else in memory.
///
/// # Errors
/// [`StoreError`] if the folder cannot be used.
pub fn engine(store: Option<&Path>) -> Result<Engine, StoreError> {
    store.map_or_else(|| Ok(Engine::new()), Engine::open)
}

/// Prints what became of a flow run: the time of each task run, the critical path, what was logged
/// as a warning. Writes a page about it with these sections, its pictures and all that is known of it
/// into a directory, if one is given.
///
/// A failed one also has an error, which is left to [`exit_code`].
fn show_run(
    report: &RunReport,
    dir: Option<&Path>,
    sections: &[Section],
) -> Result<(), ReportError> {
    print!("{}", report.task_table());
    if report.state == State::Completed {
        print!("\n{}", report.summary());
    }
    let warnings = |logs: &[LogReport], place: &str| {
        for log in logs
            .iter()
            .filter(|log| log.level == "WARN" || log.level == "ERROR")
        {
            eprintln!("warning: {place}: {}", log.message);
        }
    };
    warnings(&report.logs, &format!("flow run `{}`", report.name));
    for run in &report.task_runs {
        warnings(&run.logs, &format!("task run `{}`", run.name));
    }
    if let Some(dir) = dir {
        let files = report.write_with(dir, sections)?;
        println!("\nwritten:");
        for file in files {
            println!("  {}", file.display());
        }
    }
    Ok(())
}

/// Prints an error with its causes and what can be done about it, and returns the code to exit
/// with: 1 after an error.
pub fn exit_code(result: anyhow::Result<()>) -> ExitCode {
    let Err(error) = result else {
        return ExitCode::SUCCESS;
    };
    eprint!("{}", error_text(error.as_ref()));
    // Captured only if the environment asks for it.
    if error.backtrace().status() == BacktraceStatus::Captured {
        eprintln!("\n{}", error.backtrace());
    }
    ExitCode::FAILURE
}

fn error_text(error: &(dyn Error + 'static)) -> String {
    let mut text = String::new();
    let mut helps: Vec<&str> = Vec::new();
    let mut next = Some(error);
    while let Some(mut error) = next {
        // A flow run failed, and task runs were skipped, because of one that says it all.
        if let Some(flow_error) = error.downcast_ref::<FlowError>()
            && let Some(task_error) = flow_error.downcast_ref::<TaskError>()
        {
            error = task_error.root();
        }
        let prefix = if text.is_empty() {
            "error"
        } else {
            "  caused by"
        };
        text.push_str(&format!("{prefix}: {error}\n"));
        helps.extend(help(error));
        next = error.source();
    }
    // The nearest to the cause is the most to the point.
    if let Some(help) = helps.last() {
        text.push_str(&format!("help: {help}\n"));
    }
    text
}

fn help(error: &(dyn Error + 'static)) -> Option<&'static str> {
    if let Some(error) = error.downcast_ref::<MlError>() {
        return Some(error.help());
    }
    if let Some(error) = error.downcast_ref::<ReportError>() {
        return Some(error.help());
    }
    if let Some(error) = error.downcast_ref::<StoreError>() {
        return error.help();
    }
    if let Some(error) = error.downcast_ref::<TaskError>() {
        return error.help();
    }
    error.downcast_ref::<FlowError>().and_then(FlowError::help)
}

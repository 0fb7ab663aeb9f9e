//! Where panics came from, for programs that keep that. The hook is the process's: hence a file of its own.

use orch_core::keep_panic_backtraces;
mod support;

use orch_core::prelude::*;
use orch_core::report::RunReport;
use support::Folder;

#[task]
async fn on_the_runtime() -> u32 {
    panic!("out of cheese")
}

#[task]
fn on_a_thread() -> u32 {
    panic!("out of bread")
}

#[task(inline)]
fn inline() -> u32 {
    panic!("out of wine")
}

#[task(retries = 1)]
fn at_first(context: &TaskContext) -> u32 {
    assert!(context.attempt() > 1, "not yet");
    7
}

#[flow]
async fn meal(course: String) -> Result<u32, TaskError> {
    Ok(match &*course {
        "cheese" => *on_the_runtime().await?,
        "bread" => *on_a_thread().await?,
        "wine" => *inline().await?,
        "again" => *at_first().await?,
        _ => panic!("no such course"),
    })
}

async fn eat(course: &str, engine: &Engine) -> RunReport {
    keep_panic_backtraces();
    meal(course).start(engine).unwrap().finish().await.1
}

fn check_is_from_here(backtrace: Option<&String>) {
    let text = backtrace.expect("it is kept");
    assert!(text.starts_with("at "), "{text}");
    let place = text.lines().next().unwrap();
    assert!(place.contains("tests/panics.rs:"), "{place}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_place_and_the_backtrace_of_a_panic_are_with_its_error() {
    for course in ["cheese", "bread", "wine"] {
        let report = eat(course, &Engine::new()).await;
        let error = report.task_runs[0].error.as_ref().unwrap();
        check_is_from_here(error.backtrace.as_ref());
        let copy = RunReport::from_json(&report.to_json()).unwrap();
        assert_eq!(copy.task_runs[0].error.as_ref(), Some(error));
    }
    let report = eat("soup", &Engine::new()).await;
    check_is_from_here(report.error.unwrap().backtrace.as_ref());
}

#[tokio::test]
async fn failed_attempts_and_the_store_keep_them_too() {
    let folder = Folder::new("panics");
    let engine = folder.open();
    let report = eat("again", &engine).await;
    let attempt = &report.task_runs[0].failed_attempts[0];
    check_is_from_here(attempt.error.backtrace.as_ref());
    let failed = eat("bread", &engine).await;
    for report in [&report, &failed] {
        let id = report.flow_run.parse().unwrap();
        let recorded = engine.recorded_run(id).unwrap().unwrap().report();
        let run = &recorded.task_runs[0];
        let attempts = run.failed_attempts.iter().map(|attempt| &attempt.error);
        let error = run.error.iter().chain(attempts).next().unwrap();
        check_is_from_here(error.backtrace.as_ref());
    }
}

#[test]
fn panics_outside_of_tasks_are_left_alone() {
    keep_panic_backtraces();
    let caught = std::panic::catch_unwind(|| panic!("by itself"));
    assert!(caught.is_err());
    let runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = { runtime }.enable_all().build().unwrap();
    let report = runtime.block_on(eat("cheese", &Engine::new()));
    let error = report.task_runs[0].error.as_ref().unwrap();
    check_is_from_here(error.backtrace.as_ref());
    assert!(error.message.contains("out of cheese"), "{error:?}");
}

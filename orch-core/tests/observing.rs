//! What those who look at an engine from outside learn: events, what is logged, where the time goes.
#![cfg(feature = "logs")]

use std::sync::{Arc, Barrier, Mutex, Once};
use std::time::Duration;

use orch_core::prelude::*;
use orch_core::report::RunReport;
use orch_core::testing::TestEngine;
use orch_core::{EventKind, LogLayer, Received, State};
use tracing::Instrument as _;
use tracing_subscriber::layer::{Context, SubscriberExt as _};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Layer, Registry};

// Events.

#[task]
async fn double(n: u64) -> u64 {
    n * 2
}

#[flow]
async fn doubles(up_to: u64) -> Result<u64, TaskError> {
    let mut sum = 0;
    for n in 0..up_to {
        sum += *double(n).await?;
    }
    Ok(sum)
}

/// What a task run tells of itself: that it was submitted, started and ended.
const EVENTS_OF_A_TASK_RUN: u64 = 3;

#[tokio::test]
async fn a_subscriber_that_falls_behind_is_told_how_many_events_it_missed_and_holds_up_nobody() {
    let engine = Engine::builder().event_capacity(16).build();
    let mut slow = engine.subscribe();
    assert_eq!(doubles(100).on(&engine).await.unwrap(), 9_900);
    let Some(Received::Missed(missed)) = slow.next().await else {
        panic!("the oldest events are gone")
    };
    let mut left = Vec::new();
    while let Some(Received::Event(event)) = slow.try_next() {
        left.push(event.kind);
    }
    // And that the flow run started and ended.
    assert_eq!(missed + left.len() as u64, 100 * EVENTS_OF_A_TASK_RUN + 2);
    assert_eq!(left.len(), 16);
    let completed = State::Completed;
    assert!(
        matches!(left.last(), Some(EventKind::FlowRunEnded { state, .. }) if *state == completed),
        "the latest are kept: {left:?}"
    );
}

#[tokio::test]
async fn a_subscriber_of_a_flow_run_gets_the_events_of_that_one_only() {
    let engine = Engine::new();
    let (one, other) = (
        doubles(3).start(&engine).unwrap(),
        doubles(5).start(&engine).unwrap(),
    );
    let id = one.id();
    let mut events = one.events();
    assert_eq!(other.await.unwrap(), 20);
    assert_eq!(one.await.unwrap(), 6);
    let mut n_events = 0;
    while let Some(Received::Event(event)) = events.try_next() {
        assert_eq!(event.flow_run, id);
        n_events += 1;
    }
    assert_eq!(n_events, 3 * EVENTS_OF_A_TASK_RUN + 2);
}

// Logs.

/// The spans around each event that asks for it, the outermost first.
static SPANS: Mutex<Vec<(String, Vec<String>)>> = Mutex::new(Vec::new());

/// Another layer than ours, as a host has one.
struct NoteSpans;

impl<S: tracing::Subscriber + for<'a> LookupSpan<'a>> Layer<S> for NoteSpans {
    fn on_event(&self, event: &tracing::Event<'_>, cx: Context<'_, S>) {
        struct Message(String);
        impl tracing::field::Visit for Message {
            fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn std::fmt::Debug) {
                if field.name() == "message" {
                    self.0 = format!("{value:?}");
                }
            }
        }
        let mut message = Message(String::new());
        event.record(&mut message);
        let scope = cx.event_scope(event).into_iter();
        let names = scope.flat_map(|scope| scope.from_root().map(|span| span.name().to_owned()));
        SPANS.lock().unwrap().push((message.0, names.collect()));
    }
}

fn spans_around(message: &str) -> Vec<String> {
    let spans = SPANS.lock().unwrap();
    let (_, names) = spans.iter().find(|(found, _)| found == message).unwrap();
    names.clone()
}

/// Blocking bodies run on threads that see the subscriber of the process alone.
fn collect_logs() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        Registry::default()
            .with(LogLayer::new())
            .with(NoteSpans)
            .init();
    });
}

#[task]
async fn logs_on_the_runtime() {
    tracing::info!(rows = 3, "on the runtime");
    tokio::task::yield_now().await;
    tracing::warn!(target: "another_crate", "after a wait");
    let instrumented = async { tracing::info!("in a spawned future") };
    tokio::spawn(instrumented.in_current_span()).await.unwrap();
    orch_core::spawn(async { tracing::info!("in a future of the flow run") })
        .await
        .unwrap();
    tokio::spawn(async { tracing::info!("somewhere else") })
        .await
        .unwrap();
}

#[task]
fn logs_on_a_thread() {
    tracing::info!("on a thread");
}

#[task(retries = 1)]
fn logs_in_each_attempt(context: &TaskContext) -> Result<(), String> {
    tracing::info!("attempt {}", context.attempt());
    match context.attempt() {
        1 => Err("once more".into()),
        _ => Ok(()),
    }
}

#[task(inline)]
fn logs_inline() {
    tracing::info!("inline");
}

#[flow]
async fn logs_itself() -> Result<(), TaskError> {
    tracing::info!("in the body");
    logs_on_the_runtime().await?;
    logs_on_a_thread().await?;
    logs_in_each_attempt().await?;
    logs_inline().await?;
    let instrumented = async { tracing::info!("in a future of the body") };
    tokio::spawn(instrumented.in_current_span()).await.unwrap();
    Ok(())
}

#[flow]
async fn logs_in_a_subflow() -> anyhow::Result<()> {
    Ok(logs_itself().await?)
}

fn messages<'a>(report: &'a RunReport, task: &str) -> Vec<&'a str> {
    let logs = match report.task_runs.iter().find(|run| run.task == task) {
        Some(run) => &run.logs,
        None => &report.logs,
    };
    logs.iter().map(|log| log.message.as_str()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_any_crate_logs_is_with_the_task_run_that_logged_it() {
    collect_logs();
    let engine = Engine::new();
    let (result, report) = logs_itself().start(&engine).unwrap().finish().await;
    result.unwrap();
    assert_eq!(
        messages(&report, "logs_on_the_runtime"),
        [
            "on the runtime rows=3",
            "after a wait",
            "in a spawned future",
            "in a future of the flow run",
        ]
    );
    assert_eq!(messages(&report, "logs_on_a_thread"), ["on a thread"]);
    assert_eq!(
        messages(&report, "logs_in_each_attempt"),
        ["attempt 1", "attempt 2"]
    );
    let attempts_of = |task: &str| -> Vec<Option<u32>> {
        let mut runs = report.task_runs.iter();
        let run = runs.find(|run| run.task == task).unwrap();
        run.logs.iter().map(|log| log.attempt).collect()
    };
    assert_eq!(attempts_of("logs_in_each_attempt"), [Some(1), Some(2)]);
    // The third is of a future that was spawned by itself.
    assert_eq!(
        attempts_of("logs_on_the_runtime"),
        [Some(1), Some(1), None, Some(1)]
    );
    assert_eq!(messages(&report, "logs_inline"), ["inline"]);
    assert_eq!(
        messages(&report, "the flow itself"),
        ["in the body", "in a future of the body"]
    );
    let log = &report.task_runs[0].logs[1];
    assert_eq!((&*log.level, &*log.target), ("WARN", "another_crate"));
    assert!(log.at <= report.duration);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_layer_of_the_host_sees_the_spans_of_the_flow_run_and_of_the_task_run() {
    collect_logs();
    let request = tracing::info_span!("request");
    let run = async { logs_in_a_subflow().await.unwrap() };
    run.instrument(request).await;
    // Another test may have noted what it logged before: only this one is inside of a request.
    let within_request = |message: &str| {
        let spans = SPANS.lock().unwrap();
        let found = spans.iter().find(|(found, names)| {
            found == message && names.first().is_some_and(|name| name == "request")
        });
        found.map(|(_, names)| names[1..].to_vec())
    };
    let around_the_body = ["flow_run", "task_run", "flow_run"];
    let around_a_task_run = ["flow_run", "task_run", "flow_run", "task_run"];
    for message in ["in the body", "in a future of the body"] {
        assert_eq!(
            within_request(message).unwrap(),
            around_the_body,
            "{message}"
        );
    }
    for message in [
        "on the runtime",
        "after a wait",
        "in a spawned future",
        "on a thread",
        "attempt 1",
        "attempt 2",
        "inline",
    ] {
        let found = within_request(message).unwrap();
        assert_eq!(found, around_a_task_run, "{message}");
    }
    assert!(spans_around("somewhere else").is_empty());
}

#[task(inline)]
fn logs_a_number(n: u32) {
    tracing::info!("number {n}");
}

#[flow]
async fn logs_numbers(up_to: u32) -> Result<(), TaskError> {
    for n in 0..up_to {
        logs_a_number(n).await?;
    }
    Ok(())
}

#[tokio::test]
async fn the_latest_logs_are_kept_and_the_others_are_counted() {
    collect_logs();
    let engine = Engine::builder().log_limit(3).build();
    let run = logs_numbers(10).start(&engine).unwrap();
    let (result, report) = run.finish().await;
    result.unwrap();
    assert_eq!(report.logs_dropped, 7);
    let kept = report.task_runs.iter().flat_map(|run| &run.logs);
    let kept: Vec<&str> = kept.map(|log| log.message.as_str()).collect();
    assert_eq!(kept, ["number 7", "number 8", "number 9"]);
}

#[flow]
async fn logs_beside_another(n: u32, both: Arc<Barrier>) -> Result<(), TaskError> {
    both.wait();
    let instrumented = async move { tracing::info!("from {n}") };
    tokio::spawn(instrumented.in_current_span()).await.unwrap();
    both.wait();
    Ok(())
}

#[test]
fn two_subscribers_do_not_take_the_logs_of_each_others_flow_runs() {
    let both = Arc::new(Barrier::new(2));
    // Each counts its spans for itself, so that the two flow runs have spans of the same id.
    let log_from = |n: u32, both: Arc<Barrier>| {
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        let subscriber = Registry::default().with(LogLayer::new());
        tracing::subscriber::with_default(subscriber, || {
            runtime.unwrap().block_on(async {
                let engine = Engine::new();
                let run = logs_beside_another(n, both).start(&engine).unwrap();
                let (result, report) = run.finish().await;
                result.unwrap();
                report
            })
        })
    };
    std::thread::scope(|scope| {
        let runs = [1, 2].map(|n| {
            let both = Arc::clone(&both);
            scope.spawn(move || (n, log_from(n, both)))
        });
        for run in runs {
            let (n, report) = run.join().unwrap();
            assert_eq!(messages(&report, "the flow itself"), [format!("from {n}")]);
        }
    });
}

// Where the time goes.

#[task]
async fn lasts(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}

/// The first, two beside each other after it, and the last.
#[flow]
async fn branches(times: [u64; 4]) -> Result<(), TaskError> {
    let first = lasts::with().name("first").submit(times[0]);
    let left = lasts::with().name("left").after(&first).submit(times[1]);
    let right = lasts::with().name("right").after(&first).submit(times[2]);
    let last = lasts::with().name("last").after(&left).after(&right);
    last.submit(times[3]).await?;
    Ok(())
}

async fn report_of(times: [u64; 4]) -> RunReport {
    TestEngine::new().run(branches(times)).await.report
}

#[orch_core::test]
async fn what_a_faster_task_run_is_said_to_save_is_what_it_saves() {
    let report = report_of([2, 8, 5, 1]).await;
    let seconds = Duration::from_secs;
    assert_eq!(report.duration, seconds(11));
    let path = report.critical_path();
    let names: Vec<&str> = path
        .steps
        .iter()
        .filter_map(|step| Some(&*report.task_runs[step.index? as usize].name))
        .collect();
    assert_eq!(names, ["first", "left", "last"]);
    assert_eq!(path.slack, [0, 0, 3, 0].map(seconds));
    for (index, factor, times) in [
        (0, 2.0, [1, 8, 5, 1]),
        // Another branch takes over.
        (1, 4.0, [2, 2, 5, 1]),
        (1, f64::INFINITY, [2, 0, 5, 1]),
        (2, 5.0, [2, 8, 1, 1]),
        (3, 0.25, [2, 8, 5, 4]),
    ] {
        let predicted = report.what_if(index, factor).unwrap();
        assert_eq!(predicted, report_of(times).await.duration, "{times:?}");
    }
}

//! Circuit breakers: when they open, whom they let through, and what closes them.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use orch_core::prelude::*;
use orch_core::store::{MemoryBlobs, MemoryStore};
use orch_core::testing::{TestEngine, TestRun};
use orch_core::{
    Breaker, BreakerState, ClassifyRetry, Engine, EventKind, Received, RecordedError, Retry, State,
    TaskErrorKind,
};
use tokio::time::Instant;

use self::Step::{Call, CallBlocking, Cancel, Down, Start, StartAgain, Up, Wait};

fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// What the tasks call.
#[derive(Debug)]
struct Service {
    is_up: AtomicBool,
    /// When it was called, in seconds from its start.
    calls: Mutex<Vec<u64>>,
    started: Instant,
}

impl Service {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            is_up: AtomicBool::new(false),
            calls: Mutex::default(),
            started: Instant::now(),
        })
    }

    fn answer(&self) -> Result<u32, Unavailable> {
        let now = self.started.elapsed().as_secs();
        self.calls.lock().unwrap().push(now);
        match self.is_up.load(Ordering::SeqCst) {
            true => Ok(1),
            false => Err(Unavailable),
        }
    }

    fn calls(&self) -> Vec<u64> {
        self.calls.lock().unwrap().clone()
    }
}

#[derive(Debug, thiserror::Error)]
#[error("the service is down")]
struct Unavailable;

#[task(breaker = "service")]
async fn call(service: Arc<Service>) -> Result<u32, Unavailable> {
    service.answer()
}

/// The same on a thread.
#[task(breaker = "service")]
fn call_blocking(service: Arc<Service>) -> Result<u32, Unavailable> {
    service.answer()
}

/// Takes so many seconds.
#[task(breaker = "service")]
async fn call_slowly(service: Arc<Service>, time: u64) -> Result<u32, Unavailable> {
    let answer = service.answer();
    tokio::time::sleep(seconds(time)).await;
    answer
}

/// The same, and tried again.
#[task(breaker = "service", retries = 2, backoff = "1s")]
async fn call_again(service: Arc<Service>, time: u64) -> Result<u32, Unavailable> {
    let answer = service.answer();
    tokio::time::sleep(seconds(time)).await;
    answer
}

/// What a flow does, one after the other.
#[derive(Debug, Clone, Copy)]
enum Step {
    Up,
    Down,
    Wait(u64),
    Call,
    CallBlocking,
    /// For so long, and the flow goes on meanwhile.
    Start(u64),
    /// The same with retries.
    StartAgain(u64),
    /// Takes back what was started last.
    Cancel,
}

fn outcome(result: Result<Tracked<u32>, TaskError>) -> String {
    let error = match result {
        Ok(_) => return "ok".to_owned(),
        Err(error) => error,
    };
    match error.kind() {
        TaskErrorKind::Failed(_) => "failed".to_owned(),
        TaskErrorKind::BreakerOpen { left, .. } if left.is_zero() => "probing".to_owned(),
        TaskErrorKind::BreakerOpen { left, .. } => format!("open {}", left.as_secs()),
        TaskErrorKind::Cancelled { .. } => "cancelled".to_owned(),
        _ => error.to_string(),
    }
}

/// Does the steps and returns what the calls came to: first those that were awaited at once, then
/// those that were started.
#[flow(failure = "continue_on_failure")]
async fn steps(service: Arc<Service>, steps: Vec<Step>) -> Result<Vec<String>, TaskError> {
    let (mut outcomes, mut started) = (Vec::new(), Vec::new());
    for step in steps {
        let service = Arc::clone(&service);
        match step {
            Up => service.is_up.store(true, Ordering::SeqCst),
            Down => service.is_up.store(false, Ordering::SeqCst),
            Wait(time) => tokio::time::sleep(seconds(time)).await,
            Call => outcomes.push(outcome(call(service).await)),
            CallBlocking => outcomes.push(outcome(call_blocking(service).await)),
            Start(time) => started.push(call_slowly(service, time)),
            StartAgain(time) => started.push(call_again(service, time)),
            Cancel => started.last().expect("something was started").cancel(),
        }
        // What was started gets as far as it can.
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    for run in started {
        outcomes.push(outcome(run.await));
    }
    Ok(outcomes)
}

/// Opens after so many failures, for thirty seconds.
fn engine(failures: u32) -> Engine {
    let breaker = Breaker::new(failures, seconds(30));
    TestEngine::new().breaker("service", breaker).build()
}

/// Does the steps, and checks what the calls come to and when the service is called.
async fn check(failures: u32, all: &[Step], outcomes: &[&str], calls: &[u64]) -> Engine {
    let (engine, service) = (engine(failures), Service::new());
    let flow = steps(Arc::clone(&service), all.to_vec());
    assert_eq!(flow.on(&engine).await.unwrap(), outcomes);
    assert_eq!(service.calls(), calls);
    engine
}

fn state(engine: &Engine) -> BreakerState {
    let [status] = &engine.breakers()[..] else {
        panic!("one breaker")
    };
    assert_eq!(status.name, "service");
    status.state
}

fn failures(engine: &Engine) -> u32 {
    engine.breakers()[0].failures
}

#[orch_core::test]
async fn a_breaker_opens_after_failures_in_a_row_and_nothing_is_executed_while_it_is_open() {
    let all = [Call, Call, Call, Call, Wait(10), Call];
    let outcomes = ["failed", "failed", "failed", "open 29", "open 19"];
    let engine = check(3, &all, &outcomes, &[0, 0, 0]).await;
    assert!(matches!(state(&engine), BreakerState::Open { .. }));
    assert_eq!(failures(&engine), 3);
}

#[orch_core::test]
async fn a_success_between_them_begins_the_count_anew() {
    let all = [Call, Call, Up, Call, Down, Call, Call, Up, Call];
    let outcomes = ["failed", "failed", "ok", "failed", "failed", "ok"];
    let engine = check(3, &all, &outcomes, &[0; 6]).await;
    assert_eq!(state(&engine), BreakerState::Closed);
    assert_eq!(failures(&engine), 0);
}

#[orch_core::test]
async fn a_probe_that_succeeds_closes_it() {
    let all = [Call, Up, Wait(30), Call, Down, Call, Call];
    let engine = check(
        2,
        &all,
        &["failed", "ok", "failed", "failed"],
        &[0, 30, 30, 30],
    );
    assert!(matches!(state(&engine.await), BreakerState::Open { .. }));
    let all = [Call, Call, Up, Wait(30), Call, Call];
    let engine = check(2, &all, &["failed", "failed", "ok", "ok"], &[0, 0, 30, 30]).await;
    assert_eq!(state(&engine), BreakerState::Closed);
}

#[orch_core::test]
async fn a_probe_that_fails_opens_it_again_for_as_long() {
    let all = [
        Call,
        Call,
        Wait(30),
        Call,
        Call,
        Wait(29),
        Call,
        Wait(2),
        Up,
        Call,
    ];
    let outcomes = ["failed", "failed", "failed", "open 29", "open 0", "ok"];
    check(2, &all, &outcomes, &[0, 0, 30, 61]).await;
}

#[orch_core::test]
async fn a_breaker_whose_time_is_over_is_half_open() {
    let engine = check(1, &[Call, Wait(30)], &["failed"], &[0]).await;
    assert_eq!(state(&engine), BreakerState::HalfOpen);
}

#[orch_core::test]
async fn one_probe_is_let_through_and_others_without_retries_fail_meanwhile() {
    let all = [
        Call,
        Up,
        Wait(30),
        Start(5),
        Call,
        Wait(4),
        Call,
        Wait(1),
        Call,
    ];
    let outcomes = ["failed", "probing", "probing", "ok", "ok"];
    check(1, &all, &outcomes, &[0, 30, 35]).await;
}

#[orch_core::test]
async fn others_with_retries_wait_for_what_the_probe_comes_to() {
    // It succeeds: all of them go on, side by side.
    let all = [
        Call,
        Up,
        Wait(30),
        Start(5),
        StartAgain(1),
        StartAgain(1),
        Wait(2),
        StartAgain(1),
    ];
    check(
        1,
        &all,
        &["failed", "ok", "ok", "ok", "ok"],
        &[0, 30, 35, 35, 35],
    )
    .await;
    // It fails: they wait for the next time, in which one of them is the probe.
    let all = [
        Call,
        Wait(30),
        Start(5),
        StartAgain(1),
        StartAgain(1),
        Wait(10),
        Up,
    ];
    check(1, &all, &["failed", "failed", "ok", "ok"], &[0, 30, 65, 66]).await;
}

#[orch_core::test]
async fn a_task_run_with_retries_waits_for_the_breaker_whatever_its_backoff_says() {
    let all = [Call, Wait(10), StartAgain(0), Up];
    check(1, &all, &["failed", "ok"], &[0, 30]).await;
}

#[flow]
async fn calls_again(service: Arc<Service>) -> Result<u32, TaskError> {
    Ok(*call_again(service, 0).await?)
}

async fn run_again(failures: u32, service: &Arc<Service>) -> TestRun<u32> {
    let flow = calls_again(Arc::clone(service));
    let breaker = Breaker::new(failures, seconds(30));
    TestEngine::new()
        .breaker("service", breaker)
        .run(flow)
        .await
}

#[orch_core::test]
async fn a_task_run_that_opens_the_breaker_spends_no_retry_on_waiting_for_it() {
    let service = Service::new();
    let run = run_again(1, &service).await;
    run.assert_attempts("call_again", 3);
    run.assert_failed_with::<Unavailable>();
    assert_eq!(service.calls(), [0, 30, 60]);
    // Below the count of failures its own backoff holds.
    let service = Service::new();
    let run = run_again(2, &service).await;
    run.assert_attempts("call_again", 3);
    assert_eq!(service.calls(), [0, 1, 31]);
}

#[orch_core::test]
async fn a_refused_attempt_uses_up_a_retry_and_is_not_counted_as_executed() {
    let (engine, service) = (engine(1), Service::new());
    let all = vec![Call];
    steps(Arc::clone(&service), all).on(&engine).await.unwrap();
    let refused = calls_again(Arc::clone(&service)).start(&engine).unwrap();
    let (result, report) = refused.finish().await;
    result.unwrap_err();
    let task_run = &report.task_runs[0];
    assert_eq!(task_run.attempts, 2);
    assert_eq!(service.calls(), [0, 30, 60]);
    let messages: Vec<&str> = task_run
        .failed_attempts
        .iter()
        .map(|attempt| attempt.error.message.as_str())
        .collect();
    let refused = "its breaker `service` is open for another 30.0 s";
    assert_eq!(messages, [refused, "the service is down"]);
}

#[task(breaker = "service", retries = 5, deadline = "20s")]
async fn call_in_time(service: Arc<Service>) -> Result<u32, Unavailable> {
    service.answer()
}

#[flow]
async fn calls_in_time(service: Arc<Service>) -> Result<u32, TaskError> {
    Ok(*call_in_time(service).await?)
}

#[orch_core::test]
async fn a_breaker_that_is_open_past_the_deadline_is_not_waited_for() {
    let service = Service::new();
    let run = TestEngine::new()
        .breaker("service", Breaker::new(1, seconds(30)))
        .run(calls_in_time(Arc::clone(&service)))
        .await;
    assert_eq!(service.calls(), [0]);
    assert_eq!(run.report.duration, Duration::ZERO);
    run.assert_failed_with::<Unavailable>();
}

#[task]
async fn guess() -> u32 {
    42
}

#[flow]
async fn calls_or_guesses(service: Arc<Service>) -> Result<u32, TaskError> {
    Ok(*call(service).or_else(|_error| guess()).await?)
}

#[orch_core::test]
async fn without_retries_a_task_run_fails_at_once_and_or_else_takes_over() {
    let (engine, service) = (engine(1), Service::new());
    for _ in 0..3 {
        let run = calls_or_guesses(Arc::clone(&service)).start(&engine);
        let (result, report) = run.unwrap().finish().await;
        assert_eq!(result.unwrap(), 42);
        assert_eq!(report.duration, Duration::ZERO);
    }
    assert_eq!(service.calls(), [0]);
}

#[flow]
async fn calls(service: Arc<Service>) -> Result<u32, TaskError> {
    Ok(*call(service).await?)
}

#[orch_core::test]
async fn the_error_names_the_breaker_and_says_what_to_do() {
    let (engine, service) = (engine(1), Service::new());
    calls(Arc::clone(&service)).on(&engine).await.unwrap_err();
    let run = calls(Arc::clone(&service)).name("second").start(&engine);
    let (result, report) = run.unwrap().finish().await;
    let error = result.unwrap_err();
    let error = error.downcast_ref::<TaskError>().unwrap();
    assert_eq!(
        error.to_string(),
        "task run `call` of flow run `second` failed: its breaker `service` is open for another 30.0 s"
    );
    assert!(error.help().unwrap().contains("with `retries`"));
    assert_eq!((error.attempts(), error.is_crashed()), (0, false));
    assert_eq!(report.task_runs[0].state, State::Failed);
}

#[orch_core::test]
async fn a_breaker_that_the_engine_does_not_have_is_named_beside_those_it_has() {
    for (names, expected) in [
        (
            &["payments", "mail"][..],
            "(its breakers: `mail`, `payments`)",
        ),
        (&[], "(it has none)"),
    ] {
        let mut engine = TestEngine::new();
        for name in names {
            engine = engine.breaker(*name, Breaker::new(1, seconds(1)));
        }
        let run = engine.run(calls_again(Service::new())).await;
        run.assert_ran("call_again", 0);
        let error = run.result.unwrap_err();
        let error = error.downcast_ref::<TaskError>().unwrap();
        let text = format!("cannot run: the engine has no breaker `service` {expected}");
        assert!(error.to_string().ends_with(&text), "{error}");
        assert!(error.help().unwrap().contains("Engine::builder().breaker"));
    }
}

#[orch_core::test]
async fn tasks_and_flow_runs_of_an_engine_share_a_breaker_and_other_engines_do_not() {
    let service = Service::new();
    let (one, other) = (engine(2), engine(2));
    let script = |all: &[Step]| steps(Arc::clone(&service), all.to_vec());
    let outcomes = script(&[Call]).on(&one).await.unwrap();
    assert_eq!(outcomes, ["failed"]);
    let outcomes = script(&[CallBlocking, Call, CallBlocking]).on(&one).await;
    assert_eq!(outcomes.unwrap(), ["failed", "open 29", "open 29"]);
    let outcomes = script(&[Call]).on(&other).await.unwrap();
    assert_eq!(outcomes, ["failed"]);
}

#[orch_core::test]
async fn a_probe_that_is_cancelled_counts_for_nothing_and_the_next_one_is_the_probe() {
    let all = [Call, Up, Wait(30), Start(60), Call, Cancel, Call, Call];
    let outcomes = ["failed", "probing", "ok", "ok", "cancelled"];
    check(1, &all, &outcomes, &[0, 30, 30, 30]).await;
    // One that waited for the probe takes its place.
    let all = [Call, Up, Wait(30), StartAgain(0), Wait(1), Down, Call];
    check(1, &all, &["failed", "failed", "ok"], &[0, 30, 31]).await;
    let all = [Call, Wait(30), Start(60), StartAgain(9), Wait(1)];
    let (engine, service) = (engine(1), Service::new());
    let flow = steps(Arc::clone(&service), all.to_vec())
        .start(&engine)
        .unwrap();
    tokio::time::sleep(seconds(33)).await;
    assert_eq!(state(&engine), BreakerState::HalfOpen);
    flow.cancel();
    flow.await.unwrap_err();
    assert_eq!(state(&engine), BreakerState::HalfOpen);
    assert_eq!(service.calls(), [0, 30]);
}

#[orch_core::test]
async fn cancelled_attempts_do_not_count() {
    let all = [
        Start(60),
        Cancel,
        Start(60),
        Cancel,
        Start(60),
        Cancel,
        Up,
        Call,
    ];
    let outcomes = ["ok", "cancelled", "cancelled", "cancelled"];
    let engine = check(2, &all, &outcomes, &[0; 4]).await;
    assert_eq!(state(&engine), BreakerState::Closed);
}

#[task(
    breaker = "service",
    limit = "closed",
    queue_timeout = "5s",
    retries = 3
)]
async fn call_in_line(service: Arc<Service>) -> Result<u32, Unavailable> {
    service.answer()
}

#[flow]
async fn calls_in_line(service: Arc<Service>) -> Result<u32, TaskError> {
    Ok(*call_in_line(service).await?)
}

#[orch_core::test]
async fn attempts_that_never_started_do_not_count() {
    let engine = TestEngine::new()
        .breaker("service", Breaker::new(1, seconds(30)))
        .limit("closed", 0)
        .build();
    let run = calls_in_line(Service::new()).start(&engine).unwrap();
    let (result, report) = run.finish().await;
    assert!(
        result
            .unwrap_err()
            .downcast_ref::<TaskError>()
            .unwrap()
            .is_timed_out()
    );
    assert_eq!(report.duration, seconds(20));
    assert_eq!(state(&engine), BreakerState::Closed);
    assert_eq!(failures(&engine), 0);
}

#[derive(Debug, thiserror::Error)]
#[error("no such page")]
struct NotFound;

impl ClassifyRetry for NotFound {
    fn classify(&self, _attempt: u32) -> Retry {
        Retry::Never
    }
}

#[task(breaker = "service", retries = 2)]
async fn finds_nothing() -> Result<u32, NotFound> {
    Err(NotFound)
}

#[task(breaker = "service")]
fn panics() -> u32 {
    panic!("out of cheese")
}

#[task(breaker = "service", timeout = "5s")]
async fn hangs() -> u32 {
    std::future::pending().await
}

#[flow]
async fn fails_in_some_way(how: u32) -> Result<u32, TaskError> {
    Ok(match how {
        0 => *finds_nothing().await?,
        1 => *panics().await?,
        _ => *hangs().await?,
    })
}

#[orch_core::test]
async fn errors_that_are_never_tried_again_panics_and_timeouts_count() {
    for how in 0..3 {
        let engine = engine(2);
        for expected in [1, 2] {
            fails_in_some_way(how).on(&engine).await.unwrap_err();
            assert_eq!(failures(&engine), expected);
        }
        assert!(matches!(state(&engine), BreakerState::Open { .. }));
    }
}

#[orch_core::test]
async fn a_refusal_is_recorded_as_what_it_was() {
    let store = Arc::new(MemoryStore::new());
    let engine = Engine::builder()
        .breaker("service", Breaker::new(1, seconds(30)))
        .build_on(store, Arc::new(MemoryBlobs::new()));
    fails_in_some_way(0).on(&engine).await.unwrap_err();
    let mut errors = Vec::new();
    for how in [0, 1] {
        let run = fails_in_some_way(how).start(&engine).unwrap();
        let id = run.id();
        run.await.unwrap_err();
        let recorded = engine.recorded_run(id).unwrap().unwrap();
        errors.extend(
            recorded
                .attempts
                .into_iter()
                .filter_map(|attempt| attempt.error),
        );
        errors.extend(recorded.task_runs.into_iter().filter_map(|run| run.error));
    }
    let kinds: Vec<&str> = errors.iter().map(|error| error.kind.as_str()).collect();
    assert_eq!(kinds, ["breaker_open", "failed", "breaker_open"]);
    assert_eq!(errors[0].retry.as_deref(), Some("after 30s"));
    let json = serde_json::to_string(&errors[2]).unwrap();
    let read: RecordedError = serde_json::from_str(&json).unwrap();
    assert_eq!(read, errors[2]);
    assert!(read.message.contains("its breaker `service` is open"));
}

#[orch_core::test]
async fn what_began_before_the_breaker_opened_says_nothing_of_what_is_now() {
    // A late success does not close it.
    let all = [Up, Start(10), Down, Call, Wait(11), Call];
    check(1, &all, &["failed", "open 18", "ok"], &[0, 0]).await;
    // A late failure does not open it again while it is half-open, nor once it is closed.
    let all = [
        Start(40),
        Start(50),
        Call,
        Wait(45),
        Up,
        Call,
        Wait(10),
        Call,
    ];
    check(
        1,
        &all,
        &["failed", "ok", "ok", "failed", "failed"],
        &[0, 0, 0, 45, 55],
    )
    .await;
}

#[task(breaker = "service")]
async fn calls_inside(service: Arc<Service>) -> Result<u32, TaskError> {
    Ok(*call(Arc::clone(&service)).await? + *call_again(service, 1).await?)
}

#[flow]
async fn nests(service: Arc<Service>) -> Result<u32, TaskError> {
    Ok(*calls_inside(service).await?)
}

#[orch_core::test]
async fn what_a_probe_calls_goes_with_it() {
    let (engine, service) = (engine(1), Service::new());
    let all = vec![Call, Up, Wait(30)];
    steps(Arc::clone(&service), all).on(&engine).await.unwrap();
    let nested = nests(Arc::clone(&service));
    let nested = tokio::time::timeout(seconds(100), nested.on(&engine)).await;
    assert_eq!(nested.expect("it ends").unwrap(), 2);
    assert_eq!(state(&engine), BreakerState::Closed);
}

#[task(breaker = "service", limit = "line", retries = 1)]
async fn call_by_line(service: Arc<Service>) -> Result<u32, Unavailable> {
    tokio::time::sleep(seconds(5)).await;
    service.answer()
}

#[flow]
async fn calls_by_line(service: Arc<Service>, n: u32) -> Result<u32, TaskError> {
    let runs: Vec<TaskRun<u32>> = (0..n).map(|_| call_by_line(Arc::clone(&service))).collect();
    let mut sum = 0;
    for run in runs {
        sum += *run.await?;
    }
    Ok(sum)
}

#[orch_core::test]
async fn who_waits_for_the_probe_holds_no_limits() {
    let engine = TestEngine::new()
        .breaker("service", Breaker::new(1, seconds(30)))
        .limit("line", 0)
        .build();
    let service = Service::new();
    let all = vec![Call, Up, Wait(30)];
    steps(Arc::clone(&service), all).on(&engine).await.unwrap();
    // All find the breaker half-open and stand in line; then two get a slot, and one is the probe.
    let run = calls_by_line(Arc::clone(&service), 3)
        .start(&engine)
        .unwrap();
    tokio::time::sleep(seconds(1)).await;
    engine.set_limit("line", 2);
    tokio::time::sleep(seconds(1)).await;
    assert_eq!(engine.limits()[0].taken, 1);
    assert_eq!(run.await.unwrap(), 3);
    assert_eq!(engine.limits()[0].taken, 0);
    // The probe first, then two at a time.
    assert_eq!(service.calls(), [0, 36, 41, 41]);
}

#[orch_core::test]
async fn opening_and_closing_are_told_in_events() {
    let (engine, service) = (engine(2), Service::new());
    let mut events = engine.subscribe();
    let all = vec![Call, Call, Wait(30), Call, Up, Wait(30), Call, Call];
    steps(service, all).on(&engine).await.unwrap();
    let mut switched = Vec::new();
    while let Some(Received::Event(event)) = events.try_next() {
        match event.kind {
            EventKind::BreakerOpened {
                breaker,
                failures,
                open_for,
            } => switched.push(format!(
                "{breaker} opened after {failures} for {open_for:?}"
            )),
            EventKind::BreakerClosed { breaker } => switched.push(format!("{breaker} closed")),
            _ => {}
        }
    }
    let expected = [
        "service opened after 2 for 30s",
        "service opened after 3 for 30s",
        "service closed",
    ];
    assert_eq!(switched, expected);
}

#[test]
#[should_panic(expected = "at least one failure")]
fn a_breaker_that_opens_after_nothing_is_refused() {
    let _ = Breaker::new(0, seconds(1));
}

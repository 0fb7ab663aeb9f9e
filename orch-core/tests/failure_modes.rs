//! Each thing that can go wrong, in each failure mode: every flow run ends, in the right state, with
//! its error, and nothing of it is left.

use std::time::Duration;

use orch_core::prelude::*;
use orch_core::testing::TestEngine;
use orch_core::{Clock, EventKind, FailureMode, FlowErrorKind, Received, State, TaskErrorKind};

use FailureMode::{ContinueOnFailure, FailFast, StopOnFailure};

const MODES: [FailureMode; 3] = [FailFast, StopOnFailure, ContinueOnFailure];

fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// How one task run ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum How {
    Panics,
    PanicsOnAThread,
    NeverEnds,
    FailsAtFirst,
    FailsForGood,
}

const EVERY_WAY: [How; 5] = [
    How::Panics,
    How::PanicsOnAThread,
    How::NeverEnds,
    How::FailsAtFirst,
    How::FailsForGood,
];

/// One second before it ends, in whatever way.
#[task(retries = 1, backoff = "1s", timeout = "1s", limit = "slots")]
async fn ends(context: &TaskContext, how: How) -> Result<(), String> {
    match how {
        How::NeverEnds => std::future::pending().await,
        _ => tokio::time::sleep(Duration::from_millis(500)).await,
    }
    match how {
        How::Panics => panic!("planned"),
        How::FailsAtFirst if context.attempt() == 2 => Ok(()),
        _ => Err(format!("planned: {how:?}")),
    }
}

#[task(retries = 1, limit = "slots")]
fn panics_on_a_thread() -> Result<(), String> {
    panic!("planned")
}

#[task(limit = "slots")]
async fn takes(time: u64) -> u64 {
    tokio::time::sleep(seconds(time)).await;
    time
}

#[task]
async fn uses(value: &u64) -> u64 {
    *value
}

fn call(how: How) -> TaskRun<()> {
    match how {
        How::PanicsOnAThread => panics_on_a_thread(),
        how => ends(how),
    }
}

/// Ends in its way within 3 seconds, beside a task run of 60 and one that waits for that.
#[flow]
async fn one_among_others(how: How) -> Result<(), TaskError> {
    let slow = takes(60);
    drop(uses(&slow));
    drop(call(how));
    Ok(())
}

fn engine(mode: FailureMode) -> Engine {
    TestEngine::new()
        .failure_mode(mode)
        .limit("slots", 10)
        .grace(seconds(5))
        .build()
}

/// The engine has nothing any more of what ran on it.
#[track_caller]
fn check_is_clean(engine: &Engine) {
    assert!(engine.flow_runs().is_empty());
    let limits = engine.limits();
    assert!(limits.iter().all(|one| one.taken == 0 && one.waiting == 0));
    assert_eq!(engine.abandoned_threads(), 0);
}

/// Runs a flow that ends by itself.
async fn run(engine: &Engine, flow: FlowCall<()>) -> (Result<(), FlowError>, Vec<State>, Duration) {
    let run = flow.start(engine).unwrap();
    let (result, report) = tokio::time::timeout(seconds(3_600), run.finish())
        .await
        .expect("it does not hang");
    check_is_clean(engine);
    let states: Vec<State> = report.task_runs.iter().map(|run| run.state).collect();
    assert!(states.iter().all(|state| state.is_final()), "{states:?}");
    let is_failed = matches!(report.state, State::Failed);
    assert_eq!(result.is_err(), is_failed);
    (result, states, report.duration)
}

#[orch_core::test]
async fn whatever_becomes_of_one_task_run_the_others_do_as_the_mode_says() {
    for (mode, how) in MODES
        .into_iter()
        .flat_map(|mode| EVERY_WAY.map(|how| (mode, how)))
    {
        let (result, states, took) = run(&engine(mode), one_among_others(how)).await;
        let [slow, waiting, one] = states[..] else {
            panic!("{states:?}")
        };
        let expected = match how {
            How::Panics | How::PanicsOnAThread => State::Crashed,
            How::NeverEnds => State::TimedOut,
            How::FailsAtFirst => State::Completed,
            How::FailsForGood => State::Failed,
        };
        assert_eq!(one, expected, "{mode:?} {how:?}");
        let others = match (mode, how) {
            (_, How::FailsAtFirst) | (ContinueOnFailure, _) => [State::Completed, State::Completed],
            (StopOnFailure, _) => [State::Completed, State::Cancelled],
            (FailFast, _) => [State::Cancelled, State::Skipped],
        };
        assert_eq!([slow, waiting], others, "{mode:?} {how:?}");
        assert_eq!(took < seconds(10), others[0] == State::Cancelled);
        // And what went wrong is not lost.
        let Err(error) = result else {
            assert_eq!(how, How::FailsAtFirst);
            continue;
        };
        let error = error.downcast_ref::<TaskError>().unwrap();
        assert_eq!(error.attempts(), 2, "{error}");
        assert!(
            match error.kind() {
                TaskErrorKind::Panicked { message, .. } => message == "planned",
                TaskErrorKind::TimedOut { clock, .. } => *clock == Clock::Attempt,
                TaskErrorKind::Failed(error) => error.to_string() == "planned: FailsForGood",
                _ => false,
            },
            "{error}"
        );
    }
}

#[flow]
async fn returns_early(is_failure: bool) -> Result<(), String> {
    drop(uses(takes(5)));
    tokio::time::sleep(seconds(1)).await;
    if is_failure {
        Err("enough".into())
    } else {
        Ok(())
    }
}

#[orch_core::test]
async fn a_body_that_returns_early_leaves_its_task_runs_to_the_mode_or_to_their_end() {
    for mode in MODES {
        let (_, states, took) = run(&engine(mode), returns_early(false)).await;
        assert_eq!(states, [State::Completed; 2], "{mode:?}");
        assert_eq!(took, seconds(5));
        let (_, states, took) = run(&engine(mode), returns_early(true)).await;
        let (expected, after) = match mode {
            FailFast => ([State::Cancelled, State::Skipped], 1),
            StopOnFailure => ([State::Completed, State::Cancelled], 5),
            ContinueOnFailure => ([State::Completed; 2], 5),
        };
        assert_eq!(states, expected, "{mode:?}");
        assert_eq!(took, seconds(after), "{mode:?}");
    }
}

/// Something that fails and is caught, something that runs on, and something that waits for it.
#[flow]
async fn is_under_way() -> Result<(), TaskError> {
    let slow = takes(60);
    drop(uses(&slow));
    assert!(ends(How::FailsForGood).await.is_err());
    slow.await?;
    Ok(())
}

#[orch_core::test]
async fn a_flow_call_that_is_dropped_on_its_way_is_cancelled_with_all_that_it_has() {
    for mode in MODES {
        let engine = engine(mode);
        let mut events = engine.subscribe();
        let call = is_under_way().on(&engine).into_future();
        assert!(tokio::time::timeout(seconds(10), call).await.is_err());
        engine.drain(seconds(60)).await;
        check_is_clean(&engine);
        let (mut ended, mut last) = (Vec::new(), None);
        while let Some(Received::Event(event)) = events.try_next() {
            match event.kind {
                EventKind::TaskRunEnded { state, .. } => ended.push(state),
                EventKind::FlowRunEnded { state, .. } => last = Some(state),
                _ => {}
            }
        }
        ended.sort_by_key(|state| format!("{state:?}"));
        let expected = [State::Cancelled, State::Failed, State::Skipped];
        assert_eq!(ended, expected, "{mode:?}");
        assert_eq!(last, Some(State::Cancelled), "{mode:?}");
    }
}

#[orch_core::test]
async fn a_flow_run_outlives_its_handle_and_the_handle_of_its_engine() {
    for mode in MODES {
        let engine = engine(mode);
        let mut events = engine.subscribe();
        drop(is_under_way().start(&engine).unwrap());
        drop(engine);
        let mut last = None;
        // The events end when the engine is gone.
        while let Some(Received::Event(event)) = events.next().await {
            if let EventKind::FlowRunEnded { state, .. } = event.kind {
                last = Some(state);
            }
        }
        assert_eq!(last, Some(State::Completed), "{mode:?}");
    }
}

#[test]
fn a_runtime_that_shuts_down_crashes_what_has_not_ended() {
    for mode in MODES {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_time()
            .build()
            .unwrap();
        let engine = engine(mode);
        // A run is a future: in an array it is handed out and not awaited.
        let [run] = runtime.block_on(async {
            let mut events = engine.subscribe();
            let run = is_under_way().start(&engine).unwrap();
            let mut started = 0;
            while started < 2 {
                let event = events.next().await;
                let Some(Received::Event(event)) = event else {
                    panic!("{event:?}")
                };
                started += u32::from(matches!(event.kind, EventKind::TaskRunStarted { .. }));
            }
            [run]
        });
        runtime.shutdown_timeout(seconds(10));
        assert_eq!(run.state(), State::Crashed);
        let error = run.error().unwrap();
        assert!(matches!(error.kind(), FlowErrorKind::RuntimeShutDown));
        let states: Vec<State> = run.report().task_runs.iter().map(|run| run.state).collect();
        let expected = [State::Crashed, State::Skipped, State::Crashed];
        assert_eq!(states, expected, "{mode:?}");
        check_is_clean(&engine);
    }
}

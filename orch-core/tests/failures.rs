//! What becomes of a flow run when something in it fails, is cancelled, or goes away.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use orch_core::prelude::*;
use orch_core::testing::{TestEngine, TestRun};
use orch_core::{CancelReason, FailureMode, FlowErrorKind, Received, State, TaskErrorKind, group};

const MODES: [FailureMode; 3] = [
    FailureMode::FailFast,
    FailureMode::StopOnFailure,
    FailureMode::ContinueOnFailure,
];

#[derive(Debug, Clone, PartialEq, Eq)]
struct Broken(&'static str);

impl std::fmt::Display for Broken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} is broken", self.0)
    }
}

impl std::error::Error for Broken {}

/// Waits, then fails.
#[task]
async fn fails(after: u64) -> Result<u64, Broken> {
    tokio::time::sleep(Duration::from_secs(after)).await;
    Err(Broken("the task"))
}

/// Waits, then completes.
#[task]
async fn works(after: u64) -> u64 {
    tokio::time::sleep(Duration::from_secs(after)).await;
    after
}

#[task]
async fn uses(upstream: &u64) -> u64 {
    *upstream
}

#[task]
async fn panics() -> u64 {
    panic!("out of cheese")
}

#[task]
async fn never_ends() -> u64 {
    std::future::pending().await
}

async fn run<T: Send + Sync + 'static>(mode: FailureMode, flow: FlowCall<T>) -> TestRun<T> {
    TestEngine::new()
        .failure_mode(mode)
        .grace(Duration::from_secs(10))
        .run(flow)
        .await
}

/// Fails at 1 s and looks at it, while another task run takes 5 s.
#[flow]
async fn fails_beside_another() -> Result<u64, TaskError> {
    let slow = works(5);
    let never_started = uses(&slow);
    fails(1).await?;
    Ok(*never_started.await?)
}

#[orch_core::test]
async fn fail_fast_cancels_what_runs_and_starts_no_more() {
    let run = run(FailureMode::FailFast, fails_beside_another()).await;
    run.assert_failed_with::<Broken>();
    run.assert_state("works", State::Cancelled);
    run.assert_state("uses", State::Skipped);
    run.assert_ran("uses", 0);
    assert!(
        run.report.duration < Duration::from_secs(2),
        "{:?}",
        run.report.duration
    );
    run.assert_no_leaks();
}

#[orch_core::test]
async fn stop_on_failure_lets_the_running_ones_finish() {
    let run = run(FailureMode::StopOnFailure, fails_beside_another()).await;
    run.assert_failed_with::<Broken>();
    run.assert_state("works", State::Completed);
    run.assert_state("uses", State::Cancelled);
    run.assert_ran("uses", 0);
    run.assert_no_leaks();
}

#[orch_core::test]
async fn continue_on_failure_runs_all_that_does_not_depend_on_it() {
    let run = run(FailureMode::ContinueOnFailure, fails_beside_another()).await;
    run.assert_failed_with::<Broken>();
    run.assert_state("works", State::Completed);
    run.assert_state("uses", State::Completed);
    run.assert_no_leaks();
}

#[flow]
async fn chain_of_a_failure() -> Result<u64, TaskError> {
    let failed = fails(1);
    let skipped = uses(&failed);
    let last = uses(&skipped);
    Ok(*last.await?)
}

#[orch_core::test]
async fn what_depends_on_a_failure_is_skipped_at_once_in_every_mode() {
    for mode in MODES {
        let run = run(mode, chain_of_a_failure()).await;
        run.assert_failed_with::<Broken>();
        run.assert_state("fails", State::Failed);
        run.assert_state("uses", State::Skipped);
        run.assert_ran("uses", 0);
        let error = run.result.unwrap_err();
        let text = format!("{:#}", anyhow::Error::new(error));
        assert!(
            text.contains("`uses`") && text.contains("because `fails` did not complete"),
            "{text}"
        );
    }
}

#[flow]
async fn catches(fallback: u64) -> Result<u64, TaskError> {
    let risky = fails(1);
    let other = works(5);
    match risky.await {
        Ok(value) => Ok(*value),
        Err(_) => Ok(*other.await? + fallback),
    }
}

#[orch_core::test]
async fn a_caught_failure_leaves_the_flow_alone_in_every_mode() {
    for mode in MODES {
        let run = run(mode, catches(2)).await;
        assert_eq!(run.result.as_ref().ok(), Some(&7), "{mode:?}");
        run.assert_state("works", State::Completed);
    }
}

/// The failure comes first; the handle is looked at much later.
#[flow]
async fn catches_late() -> Result<u64, TaskError> {
    let risky = fails(1);
    let other = works(5).await?;
    assert!(risky.await.is_err());
    Ok(*other)
}

#[orch_core::test]
async fn a_failure_whose_handle_is_alive_can_still_be_caught() {
    for mode in MODES {
        let run = run(mode, catches_late()).await;
        assert_eq!(run.result.as_ref().ok(), Some(&5), "{mode:?}");
    }
}

/// The handle of the failed task run is gone, but the one of its skipped downstream is not.
#[flow]
async fn catches_through_a_skipped_one() -> Result<u64, TaskError> {
    let last = uses(uses(fails(1)));
    let other = works(5).await?;
    assert!(last.await.is_err());
    Ok(*other)
}

#[orch_core::test]
async fn observing_a_skipped_run_observes_the_failure_above_it() {
    for mode in MODES {
        let run = run(mode, catches_through_a_skipped_one()).await;
        assert_eq!(run.result.as_ref().ok(), Some(&5), "{mode:?}");
    }
}

#[task]
async fn uses_two(a: &u64, b: &u64) -> u64 {
    a + b
}

/// Two failures above one skipped run; the second fails after the first was looked at.
#[flow]
async fn two_failures_above() -> Result<u64, TaskError> {
    let sum = uses_two(fails(1), fails(3));
    assert!(sum.await.is_err());
    Ok(*works(5).await?)
}

#[orch_core::test]
async fn observing_a_skipped_run_observes_later_failures_too() {
    for mode in MODES {
        let run = run(mode, two_failures_above()).await;
        assert_eq!(run.result.as_ref().ok(), Some(&5), "{mode:?}");
        run.assert_state("fails", State::Failed);
    }
}

/// The second failure is above the skipped run through one that only waits for it, and that was
/// itself skipped after the program had looked.
#[flow]
async fn failure_above_what_waits() -> Result<u64, TaskError> {
    let failure = fails(3);
    let sum = {
        let waits = works::with().after(&failure).submit(1u64);
        uses_two(fails(1), waits)
    };
    assert!(sum.await.is_err());
    Ok(*works(5).await?)
}

#[orch_core::test]
async fn observing_a_skipped_run_observes_what_its_inputs_wait_for() {
    for mode in [FailureMode::StopOnFailure, FailureMode::ContinueOnFailure] {
        let run = run(mode, failure_above_what_waits()).await;
        run.assert_state("uses_two", State::Skipped);
        assert_eq!(run.result.as_ref().ok(), Some(&5), "{mode:?}");
    }
}

/// What the program looked at was skipped for another failure; what only waits for this one was
/// cancelled afterwards, so that nothing was skipped for it.
#[flow]
async fn failure_behind_a_cancelled_run() -> Result<u64, TaskError> {
    let failure = fails(3);
    let waits = works::with().after(&failure).submit(1u64);
    let user = uses_two(fails(1), waits.clone());
    drop(failure);
    assert!(user.await.is_err());
    waits.cancel();
    Ok(5)
}

#[orch_core::test]
async fn a_failure_behind_a_cancelled_run_is_not_taken_for_observed() {
    let flow = failure_behind_a_cancelled_run();
    let run = run(FailureMode::ContinueOnFailure, flow).await;
    run.assert_failed_with::<Broken>();
    run.assert_state("works", State::Cancelled);
}

#[flow]
async fn swallows_a_failure() -> Result<u64, TaskError> {
    drop(fails(1));
    Ok(*works(5).await?)
}

#[orch_core::test]
async fn a_failure_that_nobody_observed_fails_the_flow_and_is_named() {
    for mode in MODES {
        let run = run(mode, swallows_a_failure()).await;
        let error = run.result.as_ref().unwrap_err();
        assert!(
            matches!(error.kind(), FlowErrorKind::Unobserved { failures } if failures.len() == 1)
        );
        assert!(error.to_string().contains("`fails`"), "{error}");
        run.assert_failed_with::<Broken>();
        let expected = match mode {
            FailureMode::FailFast => State::Cancelled,
            _ => State::Completed,
        };
        run.assert_state("works", expected);
    }
}

/// Awaits what is cancelled because of a failure that nobody looked at.
#[flow]
async fn fails_by_consequence() -> anyhow::Result<u64> {
    drop(fails(1));
    Ok(*works(5).await?)
}

#[orch_core::test]
async fn the_error_names_the_cause_and_not_its_consequence() {
    let run = run(FailureMode::FailFast, fails_by_consequence()).await;
    let error = run.result.as_ref().unwrap_err();
    assert!(
        matches!(error.kind(), FlowErrorKind::Unobserved { .. }),
        "{error}"
    );
    run.assert_failed_with::<Broken>();
}

#[flow]
async fn fails_as_anyhow() -> anyhow::Result<u64> {
    Ok(*fails(1).await?)
}

#[orch_core::test]
async fn errors_stay_catchable_by_type_through_anyhow() {
    let run = run(FailureMode::FailFast, fails_as_anyhow()).await;
    run.assert_failed_with::<TaskError>();
    run.assert_failed_with::<Broken>();
}

#[flow]
async fn allows_a_failure() -> Result<u64, TaskError> {
    drop(fails::with().allow_failure().submit(1));
    Ok(*works(5).await?)
}

#[orch_core::test]
async fn an_allowed_failure_leaves_the_flow_alone() {
    for mode in MODES {
        let run = run(mode, allows_a_failure()).await;
        assert_eq!(run.result.as_ref().ok(), Some(&5), "{mode:?}");
        run.assert_state("fails", State::Failed);
    }
}

#[task]
async fn describes(outcome: Outcome<u64>) -> String {
    match &*outcome {
        Ok(value) => format!("got {}", **value),
        Err(error) => format!("no value: {}", error.downcast_ref::<Broken>().unwrap()),
    }
}

#[flow]
async fn hands_a_failure_on() -> Result<String, TaskError> {
    let description = describes(fails(1));
    drop(works(5));
    Ok(description.await?.into_inner())
}

#[orch_core::test]
async fn an_outcome_parameter_sees_the_error_and_observes_it() {
    for mode in MODES {
        let run = run(mode, hands_a_failure_on()).await;
        let result = run.result.as_ref().map(String::as_str);
        assert_eq!(
            result.ok(),
            Some("no value: the task is broken"),
            "{mode:?}"
        );
        run.assert_state("works", State::Completed);
    }
}

#[flow]
async fn panics_inside() -> Result<u64, TaskError> {
    Ok(*uses(panics()).await?)
}

#[orch_core::test]
async fn a_panic_is_caught_and_is_a_crash() {
    for mode in MODES {
        let run = run(mode, panics_inside()).await;
        run.assert_state("panics", State::Crashed);
        run.assert_state("uses", State::Skipped);
        let error = run.result.unwrap_err();
        assert!(format!("{:#}", anyhow::Error::new(error)).contains("out of cheese"));
    }
}

#[task]
fn panics_blocking() -> u64 {
    panic!("blocking cheese")
}

#[task(inline)]
fn panics_inline() -> u64 {
    panic!("inline cheese")
}

#[flow]
async fn panics_everywhere() -> Result<(), TaskError> {
    assert!(panics().await.unwrap_err().is_crashed());
    assert!(panics_blocking().await.unwrap_err().is_crashed());
    assert!(panics_inline().await.unwrap_err().is_crashed());
    // The engine goes on.
    assert_eq!(*works(1).await?, 1);
    Ok(())
}

#[orch_core::test]
async fn a_panic_never_takes_the_engine_down() {
    run(FailureMode::FailFast, panics_everywhere())
        .await
        .assert_completed();
}

#[flow]
async fn body_panics() -> Result<u64, TaskError> {
    let slow = works(5);
    if slow.name() == "works" {
        panic!("the body has no cheese");
    }
    Ok(*slow.await?)
}

#[orch_core::test]
async fn a_panic_of_the_flow_body_is_a_crash_of_the_flow_run() {
    for mode in MODES {
        let run = run(mode, body_panics()).await;
        assert_eq!(run.report.state, State::Crashed);
        assert!(
            run.result
                .unwrap_err()
                .to_string()
                .contains("the body has no cheese")
        );
        assert!(run.report.task_runs.iter().all(|run| run.state.is_final()));
    }
}

#[flow]
async fn returns_early() -> Result<u64, TaskError> {
    drop(works(5));
    drop(uses(works(7)));
    Ok(1)
}

#[orch_core::test]
async fn a_flow_ends_only_when_all_its_task_runs_have_ended() {
    let run = run(FailureMode::FailFast, returns_early()).await;
    run.assert_completed();
    run.assert_state("works", State::Completed);
    run.assert_ran("uses", 1);
    assert!(run.report.duration >= Duration::from_secs(7));
}

#[flow]
async fn waits_for_ever() -> Result<u64, TaskError> {
    let pending = never_ends();
    drop(uses(&pending));
    Ok(*pending.await?)
}

#[orch_core::test]
async fn cancelling_a_flow_run_takes_its_tree_along() {
    let engine = TestEngine::new().build();
    let run = waits_for_ever().start(&engine).unwrap();
    tokio::task::yield_now().await;
    run.cancel();
    let (result, report) = run.finish().await;
    let error = result.unwrap_err();
    assert!(matches!(
        error.kind(),
        FlowErrorKind::Cancelled {
            reason: CancelReason::FlowRun
        }
    ));
    assert_eq!(report.state, State::Cancelled);
    let states: Vec<State> = report.task_runs.iter().map(|run| run.state).collect();
    assert_eq!(states, [State::Cancelled, State::Skipped]);
}

#[orch_core::test]
async fn a_dropped_flow_call_is_cancelled() {
    let engine = TestEngine::new().build();
    let mut events = engine.subscribe();
    let timeout = Duration::from_secs(3);
    assert!(
        tokio::time::timeout(timeout, waits_for_ever().on(&engine))
            .await
            .is_err()
    );
    engine.drain(Duration::from_secs(60)).await;
    let mut last = None;
    while let Some(Received::Event(event)) = events.try_next() {
        last = Some(event.kind);
    }
    assert!(matches!(
        last,
        Some(orch_core::EventKind::FlowRunEnded {
            state: State::Cancelled,
            ..
        })
    ));
}

#[orch_core::test]
async fn a_dropped_flow_run_goes_on() {
    let engine = TestEngine::new().build();
    let id = returns_early().start(&engine).unwrap().id();
    assert_eq!(engine.flow_runs()[0].0, id);
    let report = engine.drain(Duration::from_secs(60)).await;
    assert_eq!((report.finished, report.cancelled.len()), (1, 0));
}

#[orch_core::test]
async fn a_dropped_engine_lets_its_flow_runs_finish() {
    let engine = TestEngine::new().build();
    let run = returns_early().start(&engine).unwrap();
    drop(engine);
    assert_eq!(run.await.unwrap(), 1);
}

#[flow]
async fn cancels_one() -> Result<u64, TaskError> {
    let pending = never_ends();
    let downstream = uses(&pending);
    tokio::time::sleep(Duration::from_secs(1)).await;
    pending.cancel();
    assert!(pending.await.unwrap_err().is_cancelled());
    assert!(downstream.await.unwrap_err().is_skipped());
    Ok(*works(1).await?)
}

#[orch_core::test]
async fn cancelling_one_task_run_leaves_the_others_alone() {
    for mode in MODES {
        let run = run(mode, cancels_one()).await;
        run.assert_completed();
        run.assert_state("never_ends", State::Cancelled);
        run.assert_state("uses", State::Skipped);
    }
}

/// Takes three seconds to clean up once it is asked to stop.
#[task]
async fn stops_in_time(context: &TaskContext) -> u64 {
    context.cancelled().await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    9
}

/// Does not stop although it is asked to.
#[task]
async fn ignores_the_request(context: &TaskContext) -> u64 {
    context.cancelled().await;
    std::future::pending().await
}

#[flow]
async fn needs_grace() -> Result<u64, TaskError> {
    let (a, b) = (stops_in_time(), ignores_the_request());
    a.await?;
    Ok(*b.await?)
}

#[orch_core::test]
async fn a_cancelled_task_run_has_its_grace_time_and_no_more() {
    let engine = TestEngine::new().grace(Duration::from_secs(10)).build();
    let run = needs_grace().start(&engine).unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    run.cancel();
    let (result, report) = run.finish().await;
    assert!(result.is_err());
    let by_name = |name: &str| {
        report
            .task_runs
            .iter()
            .find(|run| run.name == name)
            .unwrap()
    };
    assert_eq!(by_name("stops_in_time").state, State::Completed);
    assert_eq!(by_name("stops_in_time").ended, Some(Duration::from_secs(4)));
    assert_eq!(by_name("ignores_the_request").state, State::Cancelled);
    assert!(
        report.duration <= Duration::from_secs(12),
        "{:?}",
        report.duration
    );
}

/// Fails at 1 s, and has something that runs on for ever if it may.
#[flow]
async fn fails_and_goes_on(body_gives_up: bool) -> Result<u64, TaskError> {
    let going_on = ignores_the_request();
    let failing = fails(1);
    if body_gives_up {
        failing.await?;
    } else {
        // Nothing can look at the failure from here on.
        drop(failing);
    }
    Ok(*going_on.await?)
}

/// The same within its time.
#[flow(timeout = "3s")]
async fn fails_and_takes_too_long() -> Result<u64, TaskError> {
    drop(fails(1));
    Ok(*ignores_the_request().await?)
}

/// The same where only the newest run goes on.
#[flow(max_running = (1, "cancel_old"))]
async fn fails_and_is_pushed_out() -> Result<u64, TaskError> {
    drop(fails(1));
    Ok(*ignores_the_request().await?)
}

#[orch_core::test]
async fn a_flow_run_that_is_cancelled_after_a_failure_is_cancelled() {
    for (mode, body_gives_up) in MODES
        .into_iter()
        .flat_map(|mode| [(mode, false), (mode, true)])
    {
        let engine = TestEngine::new()
            .failure_mode(mode)
            .grace(Duration::from_secs(10))
            .build();
        let run = fails_and_goes_on(body_gives_up).start(&engine).unwrap();
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert_eq!(run.state(), State::Running, "{mode:?}");
        run.cancel();
        let (result, report) = run.finish().await;
        assert!(
            matches!(
                result.unwrap_err().kind(),
                FlowErrorKind::Cancelled {
                    reason: CancelReason::FlowRun
                }
            ),
            "{mode:?}, {body_gives_up}"
        );
        assert_eq!(report.state, State::Cancelled);
        let states: Vec<State> = report.task_runs.iter().map(|run| run.state).collect();
        assert_eq!(states, [State::Cancelled, State::Failed]);
    }
}

#[orch_core::test]
async fn a_flow_run_ends_as_it_was_stopped_also_after_a_failure() {
    for mode in MODES {
        let new_engine = || TestEngine::new().failure_mode(mode);
        let run = new_engine().run(fails_and_takes_too_long()).await;
        assert_eq!(run.report.state, State::TimedOut, "{mode:?}");

        let engine = new_engine().build();
        let run = fails_and_goes_on(false).start(&engine).unwrap();
        engine.drain(Duration::from_secs(2)).await;
        assert!(matches!(
            run.await.unwrap_err().kind(),
            FlowErrorKind::Cancelled {
                reason: CancelReason::Shutdown
            }
        ));
    }
    for (mode, is_pushed_out) in MODES.into_iter().zip([false, true, true]) {
        let engine = TestEngine::new().failure_mode(mode).build();
        let first = fails_and_is_pushed_out().start(&engine).unwrap();
        tokio::time::sleep(Duration::from_secs(2)).await;
        let second = fails_and_is_pushed_out().start(&engine).unwrap();
        let error = first.await.unwrap_err();
        assert_eq!(
            matches!(
                error.kind(),
                FlowErrorKind::Cancelled {
                    reason: CancelReason::TooManyRunning
                }
            ),
            // One that is stopping already makes room by itself.
            is_pushed_out,
            "{mode:?}: {error}"
        );
        second.cancel();
    }
}

#[flow]
async fn fails_and_cleans_up() -> Result<u64, TaskError> {
    orch_core::finally("slow cleanup", || async {
        works(5).await?;
        Ok(())
    });
    Ok(*fails(1).await?)
}

#[orch_core::test]
async fn a_flow_run_whose_end_is_decided_stays_so_when_it_is_cancelled() {
    for mode in MODES {
        let engine = TestEngine::new().failure_mode(mode).build();
        let run = fails_and_cleans_up().start(&engine).unwrap();
        tokio::time::sleep(Duration::from_secs(2)).await;
        run.cancel();
        let (result, report) = run.finish().await;
        assert!(result.unwrap_err().downcast_ref::<Broken>().is_some());
        assert_eq!(report.state, State::Failed);
        assert_eq!(report.duration, Duration::from_secs(6));
    }
}

/// The order of the cleanups, digit by digit.
type Cleaned = Arc<AtomicUsize>;

#[task]
async fn cleans(cleaned: Resource<Cleaned>, order: usize) {
    tokio::time::sleep(Duration::from_secs(1)).await;
    cleaned.store(
        cleaned.load(Ordering::SeqCst) * 10 + order,
        Ordering::SeqCst,
    );
}

#[flow]
async fn cleans_up(fail: bool) -> Result<u64, TaskError> {
    for order in [1usize, 2] {
        orch_core::finally(format!("clean {order}"), move || async move {
            cleans(order).await?;
            Ok(())
        });
    }
    orch_core::finally("broken cleanup", || async { Err("cannot clean".into()) });
    if fail {
        drop(never_ends());
        fails(1).await?;
    }
    Ok(*works(1).await?)
}

#[orch_core::test]
async fn cleanups_run_last_first_after_everything_and_never_decide() {
    for (fail, state) in [(false, State::Completed), (true, State::Failed)] {
        let cleaned = Cleaned::default();
        let run = TestEngine::new()
            .resource(Arc::clone(&cleaned))
            .run(cleans_up(fail))
            .await;
        assert_eq!(run.report.state, state);
        assert_eq!(cleaned.load(Ordering::SeqCst), 21);
        run.assert_state("clean 1", State::Completed);
        run.assert_state("broken cleanup", State::Failed);
        run.assert_no_leaks();
    }
}

#[orch_core::test]
async fn cleanups_run_after_a_cancellation() {
    let cleaned = Cleaned::default();
    let engine = TestEngine::new().resource(Arc::clone(&cleaned)).build();
    let run = cleans_up(true).start(&engine).unwrap();
    tokio::task::yield_now().await;
    run.cancel();
    run.wait().await;
    assert_eq!(run.state(), State::Cancelled);
    assert_eq!(cleaned.load(Ordering::SeqCst), 21);
}

#[flow(timeout = "3s")]
async fn takes_too_long() -> Result<u64, TaskError> {
    Ok(*works(60).await?)
}

#[orch_core::test]
async fn a_flow_that_takes_too_long_times_out() {
    let run = run(FailureMode::FailFast, takes_too_long()).await;
    assert_eq!(run.report.state, State::TimedOut);
    run.assert_state("works", State::Cancelled);
    assert!(
        run.result
            .unwrap_err()
            .to_string()
            .contains("its `timeout` of 3s ran out")
    );
}

#[flow]
async fn stuck_body() -> Result<u64, TaskError> {
    drop(fails(1));
    std::future::pending().await
}

#[orch_core::test]
async fn a_body_that_never_returns_is_dropped_after_the_grace_time() {
    let run = run(FailureMode::FailFast, stuck_body()).await;
    run.assert_failed_with::<Broken>();
    assert!(
        run.report.duration <= Duration::from_secs(12),
        "{:?}",
        run.report.duration
    );
}

#[flow]
async fn inner(fail: bool) -> Result<u64, TaskError> {
    if fail {
        fails(1).await?;
    }
    Ok(*works(2).await?)
}

#[flow]
async fn outer(fail: bool) -> anyhow::Result<u64> {
    let first = inner(false).await?;
    let second = uses(inner(fail)).await?;
    Ok(first + *second)
}

#[orch_core::test]
async fn a_subflow_is_a_node_of_its_caller() {
    let run = run(FailureMode::FailFast, outer(false)).await;
    assert_eq!(run.result.as_ref().ok(), Some(&4));
    run.assert_ran("inner", 2);
    run.assert_edge("inner", "uses");
}

#[orch_core::test]
async fn a_failed_subflow_fails_its_caller_with_its_error() {
    let run = run(FailureMode::FailFast, outer(true)).await;
    run.assert_failed_with::<Broken>();
    run.assert_state("uses", State::Skipped);
}

#[flow]
async fn outer_of_a_stuck_one() -> anyhow::Result<u64> {
    Ok(waits_for_ever().await?)
}

#[orch_core::test]
async fn cancelling_a_flow_run_cancels_its_subflows() {
    let engine = TestEngine::new().build();
    let run = outer_of_a_stuck_one().start(&engine).unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(engine.flow_runs().len(), 2);
    run.cancel();
    let (result, report) = run.finish().await;
    assert!(result.is_err());
    assert_eq!(report.task_runs[0].state, State::Cancelled);
    engine.drain(Duration::from_secs(1)).await;
    assert!(engine.flow_runs().is_empty());
}

#[task]
async fn parent() -> Result<u64, TaskError> {
    let child = works(5);
    drop(never_ends());
    child.await?;
    Err(fails(0).await.unwrap_err())
}

#[flow]
async fn nested() -> Result<u64, TaskError> {
    Ok(*parent().await?)
}

#[orch_core::test]
async fn a_failed_task_run_takes_what_it_submitted_along() {
    let run = run(FailureMode::ContinueOnFailure, nested()).await;
    run.assert_failed_with::<Broken>();
    run.assert_state("never_ends", State::Cancelled);
    let parent = run.task_runs("parent")[0].index;
    assert!(
        run.task_runs("works")
            .iter()
            .all(|run| run.parent == Some(parent))
    );
}

#[orch_core::test]
async fn a_drained_engine_takes_no_more_and_cancels_after_the_timeout() {
    let engine = TestEngine::new().build();
    let short = returns_early().start(&engine).unwrap();
    let long = waits_for_ever()
        .name("the long one")
        .start(&engine)
        .unwrap();
    tokio::task::yield_now().await;
    let draining = engine.clone();
    let drained = tokio::spawn(async move { draining.drain(Duration::from_secs(30)).await });
    tokio::task::yield_now().await;
    let refused = returns_early().start(&engine).unwrap_err();
    assert!(matches!(refused.kind(), FlowErrorKind::Closed), "{refused}");
    let report = drained.await.unwrap();
    assert_eq!(
        (report.finished, report.cancelled),
        (1, vec!["the long one".to_owned()])
    );
    assert_eq!(short.await.unwrap(), 1);
    assert!(long.await.is_err());
}

#[flow(max_running = 1)]
async fn one_at_a_time(n: u64) -> Result<u64, TaskError> {
    Ok(*works(n).await?)
}

#[flow(max_running = (1, "skip"))]
async fn skips_when_full(n: u64) -> Result<u64, TaskError> {
    Ok(*works(n).await?)
}

#[flow(max_running = (1, "cancel_old"))]
async fn newest_wins(n: u64) -> Result<u64, TaskError> {
    Ok(*works(n).await?)
}

#[flow(max_running = (1, "cancel_new"))]
async fn oldest_wins(n: u64) -> Result<u64, TaskError> {
    Ok(*works(n).await?)
}

#[orch_core::test]
async fn a_flow_runs_as_often_at_once_as_it_may() {
    let engine = TestEngine::new().build();
    let start = tokio::time::Instant::now();
    let (a, b) = (
        one_at_a_time(5).start(&engine).unwrap(),
        one_at_a_time(5).start(&engine).unwrap(),
    );
    assert_eq!((a.await.unwrap(), b.await.unwrap()), (5, 5));
    assert_eq!(start.elapsed(), Duration::from_secs(10));

    let first = skips_when_full(5).start(&engine).unwrap();
    let error = skips_when_full(5).start(&engine).unwrap_err();
    assert!(matches!(
        error.kind(),
        FlowErrorKind::TooManyRunning { max_running: 1 }
    ));
    assert_eq!(first.await.unwrap(), 5);

    let first = newest_wins(5).start(&engine).unwrap();
    let second = newest_wins(5).start(&engine).unwrap();
    assert!(matches!(
        first.await.unwrap_err().kind(),
        FlowErrorKind::Cancelled { .. }
    ));
    assert_eq!(second.await.unwrap(), 5);

    let first = oldest_wins(5).start(&engine).unwrap();
    let error = oldest_wins(5).start(&engine).unwrap_err();
    assert!(matches!(error.kind(), FlowErrorKind::Cancelled { .. }));
    assert_eq!(first.await.unwrap(), 5);
}

#[test]
fn a_flow_without_a_runtime_says_so() {
    let engine = Engine::new();
    let error = returns_early().start(&engine).unwrap_err();
    assert!(matches!(error.kind(), FlowErrorKind::NoRuntime));
    assert!(error.help().unwrap().contains("tokio::main"));
}

#[test]
fn a_task_without_a_runtime_says_so() {
    let handle = works(1);
    assert_eq!(handle.state(), State::Failed);
    let error = futures_executor_block_on(handle).unwrap_err();
    assert!(matches!(error.kind(), TaskErrorKind::NoRuntime), "{error}");
}

/// Polls a future that is ready at once, without any runtime.
fn futures_executor_block_on<F: Future>(future: F) -> F::Output {
    let mut future = std::pin::pin!(future);
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match future.as_mut().poll(&mut context) {
        std::task::Poll::Ready(output) => output,
        std::task::Poll::Pending => panic!("the future is not ready"),
    }
}

#[test]
fn a_runtime_that_shuts_down_crashes_what_has_not_ended() {
    for workers in [1, 2] {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(workers)
            .enable_time()
            .build()
            .unwrap();
        let engine = Engine::new();
        let runs = runtime.block_on(async {
            let mut events = engine.subscribe();
            let run = waits_for_ever().start(&engine).unwrap();
            // Wait until the task run has started.
            while !matches!(
                events.next().await,
                Some(Received::Event(orch_core::Event {
                    kind: orch_core::EventKind::TaskRunStarted { .. },
                    ..
                }))
            ) {}
            vec![run]
        });
        runtime.shutdown_timeout(Duration::from_secs(10));
        let run = runs.into_iter().next().unwrap();
        assert_eq!(run.state(), State::Crashed);
        let report = run.report();
        assert!(
            report.task_runs.iter().all(|run| run.state.is_final()),
            "{report:?}"
        );
        let error = futures_executor_block_on(run).unwrap_err();
        assert!(
            matches!(error.kind(), FlowErrorKind::RuntimeShutDown),
            "{error}"
        );
    }
}

#[flow]
async fn looks_at_what_never_ends() -> Result<String, TaskError> {
    Ok(describes(never_ends()).await?.into_inner())
}

#[test]
fn a_runtime_that_shuts_down_ends_those_who_would_look_at_the_crash_too() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_time()
        .build()
        .unwrap();
    let engine = Engine::new();
    let mut events = engine.subscribe();
    let run = {
        let _entered = runtime.enter();
        looks_at_what_never_ends().start(&engine).unwrap()
    };
    // Wait until the task run has started.
    runtime.block_on(async {
        while !matches!(
            events.next().await,
            Some(Received::Event(orch_core::Event {
                kind: orch_core::EventKind::TaskRunStarted { .. },
                ..
            }))
        ) {}
    });
    drop(runtime);
    let report = run.report();
    let states: Vec<State> = report.task_runs.iter().map(|run| run.state).collect();
    assert_eq!(states, [State::Crashed, State::Crashed]);
}

#[test]
fn a_flow_started_on_a_runtime_that_was_shut_down_ends_at_once() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .build()
        .unwrap();
    let handle = runtime.handle().clone();
    runtime.shutdown_timeout(Duration::from_secs(10));
    let _entered = handle.enter();
    let engine = Engine::new();
    // It may be refused or taken on: in either case it has ended, and says why.
    let error = match returns_early().start(&engine) {
        Ok(run) => futures_executor_block_on(run).unwrap_err(),
        Err(error) => error,
    };
    assert!(
        matches!(error.kind(), FlowErrorKind::RuntimeShutDown),
        "{error}"
    );
    assert!(engine.flow_runs().is_empty());
}

#[flow]
async fn long_chain(n: u64) -> Result<u64, TaskError> {
    let first = never_ends();
    let mut last = uses(&first);
    for _ in 0..n {
        last = uses(last);
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    first.cancel();
    assert!(last.await.is_err());
    Ok(n)
}

#[orch_core::test]
async fn a_skipped_chain_of_a_million_does_not_overflow_the_stack() {
    let run = run(FailureMode::FailFast, long_chain(1_000_000)).await;
    run.assert_completed();
}

#[flow]
async fn long_chain_dropped(n: u64) -> Result<u64, TaskError> {
    let mut last = never_ends();
    for _ in 0..n {
        last = uses(last);
    }
    Ok(*last.await?)
}

#[orch_core::test]
async fn a_cancelled_chain_of_a_million_does_not_overflow_the_stack() {
    let engine = TestEngine::new().build();
    let run = long_chain_dropped(1_000_000).start(&engine).unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    run.cancel();
    let (result, report) = run.finish().await;
    assert!(result.is_err());
    assert!(report.task_runs.iter().all(|run| run.state.is_final()));
}

#[task]
async fn holds(value: Arc<String>) -> Arc<String> {
    value
}

#[flow]
async fn passes_on(value: Arc<String>) -> Result<usize, TaskError> {
    let weak = Arc::downgrade(&value);
    let last = uses_string(holds(value));
    let length = *last.await?;
    assert_eq!(
        weak.strong_count(),
        0,
        "the value is dropped once its last consumer has run"
    );
    Ok(length)
}

#[task]
async fn uses_string(value: &Arc<String>) -> usize {
    value.len()
}

#[orch_core::test]
async fn a_value_lives_until_its_last_consumer_has_run() {
    let run = run(
        FailureMode::FailFast,
        passes_on(Arc::new("four".to_owned())),
    )
    .await;
    assert_eq!(run.result.ok(), Some(4));
}

#[flow]
async fn groups() -> anyhow::Result<u64> {
    let one = group("first", || async {
        Ok(*works(1).await? + *works(2).await?)
    });
    Ok(*one.await?)
}

#[orch_core::test]
async fn what_a_group_calls_belongs_to_it() {
    let run = run(FailureMode::FailFast, groups()).await;
    assert_eq!(run.result.as_ref().ok(), Some(&3));
    let group = run.task_runs("first")[0].index;
    assert!(
        run.task_runs("works")
            .iter()
            .all(|run| run.parent == Some(group))
    );
}

//! Attempts: how many, when, and what each of a task run's clocks and hooks does.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use orch_core::prelude::*;
use orch_core::report::TaskRunReport;
use orch_core::testing::{TestEngine, TestRun};
use orch_core::{
    Backoff, ClassifyRetry, Clock, EventKind, FlowErrorKind, HookEvent, HookOn, InjectedFault,
    Received, Retry, State, TaskErrorKind,
};

const SECOND: Duration = Duration::from_secs(1);

fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Broken {
    ForAWhile,
    ForGood,
    Until(Duration),
}

impl std::fmt::Display for Broken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "broken {self:?}")
    }
}

impl std::error::Error for Broken {}

/// The only task run of a report.
fn only<T>(run: &TestRun<T>) -> &TaskRunReport {
    assert_eq!(run.report.task_runs.len(), 1);
    &run.report.task_runs[0]
}

/// When each attempt started.
fn starts(run: &TaskRunReport) -> Vec<Duration> {
    let mut starts: Vec<Duration> = run.failed_attempts.iter().map(|one| one.started).collect();
    starts.extend(run.last_started.or(run.started));
    starts
}

/// Fails in its first attempts.
#[task(retries = 3)]
async fn flaky(context: &TaskContext, failures: u32) -> Result<u32, String> {
    if context.attempt() <= failures {
        Err("not yet".into())
    } else {
        Ok(context.attempt())
    }
}

#[flow]
async fn tries(failures: u32) -> Result<u32, TaskError> {
    Ok(*flaky(failures).await?)
}

#[orch_core::test]
async fn a_task_with_n_retries_has_n_and_one_attempts() {
    for (failures, attempts, state) in [
        (0, 1, State::Completed),
        (1, 2, State::Completed),
        (3, 4, State::Completed),
        (4, 4, State::Failed),
    ] {
        let run = TestEngine::new().run(tries(failures)).await;
        run.assert_attempts("flaky", attempts);
        run.assert_state("flaky", state);
        let failed: Vec<u32> = only(&run)
            .failed_attempts
            .iter()
            .map(|one| one.attempt)
            .collect();
        assert_eq!(failed, (1..attempts).collect::<Vec<_>>());
        match run.result {
            Ok(attempt) => assert_eq!(attempt, attempts),
            Err(error) => {
                let text = format!("{:#}", anyhow::Error::new(error));
                assert!(
                    text.contains("failed on attempt 4 of 4") && text.contains("not yet"),
                    "{text}"
                );
            }
        }
    }
}

#[task(retries = 4, backoff = "3s")]
async fn waits_the_same() -> Result<(), String> {
    Err("no".into())
}

#[task(retries = 4, backoff = "1s, 5s, 30s")]
async fn waits_as_listed() -> Result<(), String> {
    Err("no".into())
}

#[task(retries = 4, backoff = "1s..5s")]
async fn waits_longer() -> Result<(), String> {
    Err("no".into())
}

#[task(retries = 4, backoff = "1s..5m x 3")]
async fn waits_three_times_longer() -> Result<(), String> {
    Err("no".into())
}

#[task(retries = 4, backoff = "10s ~ 20%")]
async fn waits_about_the_same() -> Result<(), String> {
    Err("no".into())
}

#[flow]
async fn waits(how: u32) -> Result<(), TaskError> {
    match how {
        0 => waits_the_same().await?,
        1 => waits_as_listed().await?,
        2 => waits_longer().await?,
        3 => waits_three_times_longer().await?,
        _ => waits_about_the_same().await?,
    };
    Ok(())
}

#[orch_core::test]
async fn the_waits_between_attempts_are_as_the_backoff_says() {
    for (how, expected) in [
        [0, 3, 6, 9, 12],
        [0, 1, 6, 36, 66],
        [0, 1, 3, 7, 12],
        [0, 1, 4, 13, 40],
    ]
    .iter()
    .enumerate()
    {
        let run = TestEngine::new().run(waits(how as u32)).await;
        assert_eq!(starts(only(&run)), expected.map(seconds));
        assert_eq!(run.report.duration, seconds(expected[4]));
    }
}

#[orch_core::test]
async fn jitter_is_within_its_share_and_the_same_for_the_same_seed() {
    let mut all = Vec::new();
    for seed in [1, 1, 2] {
        let run = TestEngine::new().seed(seed).run(waits(4)).await;
        let starts = starts(only(&run));
        for pair in starts.windows(2) {
            let wait = pair[1] - pair[0];
            assert!(wait >= seconds(10) && wait <= seconds(12), "{wait:?}");
        }
        all.push(starts);
    }
    assert_eq!(all[0], all[1]);
    assert_ne!(all[0], all[2]);
    let waits: Vec<Duration> = all[0].windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(waits.windows(2).any(|pair| pair[0] != pair[1]), "{waits:?}");
}

fn is_transient(error: &Broken) -> bool {
    *error == Broken::ForAWhile
}

#[task(retries = 3, retry_if = is_transient)]
async fn picky(error: Broken) -> Result<(), Broken> {
    Err(error)
}

#[flow]
async fn breaks_with(error: Broken) -> Result<(), TaskError> {
    picky(error).await?;
    Ok(())
}

#[orch_core::test]
async fn retry_if_decides_whether_an_error_is_tried_again() {
    let run = TestEngine::new().run(breaks_with(Broken::ForAWhile)).await;
    run.assert_attempts("picky", 4);
    let run = TestEngine::new().run(breaks_with(Broken::ForGood)).await;
    run.assert_attempts("picky", 1);
    run.assert_failed_with::<Broken>();
}

#[derive(Debug)]
struct Classified(Broken);

impl std::fmt::Display for Classified {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for Classified {}

impl ClassifyRetry for Classified {
    fn classify(&self, attempt: u32) -> Retry {
        match &self.0 {
            Broken::ForGood => Retry::Never,
            Broken::Until(after) => Retry::After(*after * attempt),
            Broken::ForAWhile => Retry::Default,
        }
    }
}

#[task(retries = 2, backoff = "1s")]
async fn classifies(error: Broken) -> Result<(), Classified> {
    Err(Classified(error))
}

#[task(retries = 2, backoff = "1s")]
fn classifies_blocking(error: Broken) -> Result<(), Classified> {
    Err(Classified(error))
}

#[flow]
async fn classified(error: Broken, is_blocking: bool) -> Result<(), TaskError> {
    match is_blocking {
        true => classifies_blocking(error).await?,
        false => classifies(error).await?,
    };
    Ok(())
}

#[orch_core::test]
async fn an_error_says_for_itself_whether_and_when_to_try_again() {
    for is_blocking in [false, true] {
        for (error, expected) in [
            (Broken::ForGood, &[0][..]),
            (Broken::ForAWhile, &[0, 1, 2]),
            // The attempt's number is told: seven seconds after the first, fourteen after the next.
            (Broken::Until(seconds(7)), &[0, 7, 21]),
        ] {
            let run = TestEngine::new().run(classified(error, is_blocking)).await;
            let expected: Vec<Duration> = expected.iter().copied().map(seconds).collect();
            assert_eq!(starts(only(&run)), expected);
            run.assert_failed_with::<Classified>();
        }
    }
}

#[task(retries = 2, timeout = "5s")]
async fn slow_at_first(context: &TaskContext) -> u32 {
    if context.attempt() < 3 {
        std::future::pending::<()>().await;
    }
    tokio::time::sleep(seconds(4)).await;
    context.attempt()
}

#[flow]
async fn is_slow() -> Result<u32, TaskError> {
    Ok(*slow_at_first().await?)
}

#[orch_core::test]
async fn each_attempt_has_its_own_timeout() {
    let run = TestEngine::new().run(is_slow()).await;
    assert_eq!(run.result.as_ref().ok(), Some(&3));
    assert_eq!(starts(only(&run)), [0, 5, 10].map(seconds));
    assert_eq!(run.report.duration, seconds(14));
    let message = &only(&run).failed_attempts[0].error.message;
    assert_eq!(message, "its `timeout` of 5s ran out");
}

/// Asserts which clock ended the only task run, and how the error words it.
#[track_caller]
fn check_clock<T: std::fmt::Debug>(run: &TestRun<T>, clock: Clock, at: Duration, attempts: u32) {
    assert_eq!(only(run).state, State::TimedOut);
    assert_eq!(only(run).ended, Some(at));
    assert_eq!(only(run).attempts, attempts);
    let error = run.result.as_ref().unwrap_err();
    let error = error.downcast_ref::<TaskError>().unwrap();
    let TaskErrorKind::TimedOut { clock: named, .. } = error.kind() else {
        panic!("{error}")
    };
    assert_eq!(*named, clock);
    assert!(
        error
            .to_string()
            .contains(&format!("its `{}` of", clock.option())),
        "{error}"
    );
}

#[task]
async fn never_ends() -> u32 {
    std::future::pending().await
}

#[flow]
async fn with_timeout() -> Result<u32, TaskError> {
    Ok(*never_ends::with()
        .timeout(seconds(2))
        .retries(1)
        .submit()
        .await?)
}

#[flow]
async fn with_deadline() -> Result<u32, TaskError> {
    let call = never_ends::with()
        .timeout(seconds(2))
        .retries(10)
        .deadline(seconds(7));
    Ok(*call.submit().await?)
}

#[flow]
async fn with_queue_timeout() -> Result<u32, TaskError> {
    Ok(*never_ends::with()
        .limit("closed", 1)
        .queue_timeout(seconds(3))
        .submit()
        .await?)
}

#[orch_core::test]
async fn the_error_names_the_clock_that_ran_out() {
    let run = TestEngine::new().run(with_timeout()).await;
    check_clock(&run, Clock::Attempt, seconds(4), 2);
    let run = TestEngine::new().run(with_deadline()).await;
    check_clock(&run, Clock::Deadline, seconds(7), 4);
    let run = TestEngine::new()
        .limit("closed", 0)
        .run(with_queue_timeout())
        .await;
    check_clock(&run, Clock::Queue, seconds(3), 0);
}

#[flow]
async fn with_queue_timeout_and_retries() -> Result<u32, TaskError> {
    let call = never_ends::with()
        .limit("closed", 1)
        .queue_timeout(seconds(3))
        .retries(2);
    Ok(*call.submit().await?)
}

#[orch_core::test]
async fn a_wait_in_the_queue_counts_as_an_attempt_and_does_not_repeat_for_ever() {
    let engine = TestEngine::new().limit("closed", 0);
    let run = tokio::time::timeout(seconds(1000), engine.run(with_queue_timeout_and_retries()));
    let run = run.await.expect("it ends");
    check_clock(&run, Clock::Queue, seconds(9), 0);
    assert_eq!(only(&run).failed_attempts.len(), 2);
}

#[flow]
async fn waits_past_its_deadline() -> Result<(), TaskError> {
    let call = waits_the_same::with().backoff(Backoff::fixed(10_000_000_000));
    call.deadline(seconds(25)).submit().await?;
    Ok(())
}

#[orch_core::test]
async fn an_attempt_that_would_start_after_the_deadline_is_not_waited_for() {
    let run = TestEngine::new().run(waits_past_its_deadline()).await;
    // Its own error says more than the clock would.
    run.assert_state("waits_the_same", State::Failed);
    assert_eq!(starts(only(&run)), [0, 10, 20].map(seconds));
    assert_eq!(run.report.duration, seconds(20));
}

#[task]
async fn takes(time: u64) -> u64 {
    tokio::time::sleep(seconds(time)).await;
    time
}

#[task(deadline = "5s")]
async fn uses_in_time(input: &u64) -> u64 {
    tokio::time::sleep(seconds(4)).await;
    *input
}

#[flow]
async fn waits_for_its_input() -> Result<u64, TaskError> {
    Ok(*uses_in_time(takes(60)).await?)
}

#[orch_core::test]
async fn a_deadline_counts_from_when_the_inputs_are_there() {
    let run = TestEngine::new().run(waits_for_its_input()).await;
    run.assert_completed();
    assert_eq!(run.report.duration, seconds(64));
}

/// Says every two seconds that it is alive, this many times, and then nothing more.
#[task(heartbeat = "3s")]
async fn beats(context: &TaskContext, times: u32) -> u32 {
    for _ in 0..times {
        tokio::time::sleep(seconds(2)).await;
        context.heartbeat();
    }
    std::future::pending().await
}

#[flow]
async fn falls_silent(times: u32) -> Result<u32, TaskError> {
    Ok(*beats(times).await?)
}

#[orch_core::test]
async fn a_body_that_is_silent_for_too_long_times_out() {
    for (times, at) in [(0, 3), (1, 5), (10, 23)] {
        let run = TestEngine::new().run(falls_silent(times)).await;
        check_clock(&run, Clock::Heartbeat, seconds(at), 1);
    }
}

#[task(retries = 2, backoff = "1s")]
async fn panics_at_first(context: &TaskContext, panics: u32) -> u32 {
    assert!(context.attempt() > panics, "out of cheese");
    context.attempt()
}

#[task(retries = 2, backoff = "1s")]
fn panics_at_first_blocking(context: &TaskContext, panics: u32) -> u32 {
    assert!(context.attempt() > panics, "out of cheese");
    context.attempt()
}

#[flow]
async fn panicking(panics: u32, is_blocking: bool) -> Result<u32, TaskError> {
    Ok(match is_blocking {
        true => *panics_at_first_blocking(panics).await?,
        false => *panics_at_first(panics).await?,
    })
}

#[orch_core::test]
async fn a_panic_is_tried_again_and_the_last_one_is_a_crash() {
    for is_blocking in [false, true] {
        let run = TestEngine::new().run(panicking(2, is_blocking)).await;
        assert_eq!(run.result.as_ref().ok(), Some(&3));
        let run = TestEngine::new().run(panicking(3, is_blocking)).await;
        assert_eq!((only(&run).state, only(&run).attempts), (State::Crashed, 3));
        let error = run.result.unwrap_err();
        let error = error.downcast_ref::<TaskError>().unwrap();
        assert!(error.is_crashed());
        assert!(
            error
                .to_string()
                .contains("crashed on attempt 3 of 3: it panicked with"),
            "{error}"
        );
    }
}

/// Counts its clones.
#[derive(Debug)]
struct Counted(Arc<AtomicUsize>);

impl Clone for Counted {
    fn clone(&self) -> Self {
        self.0.fetch_add(1, Ordering::SeqCst);
        Self(Arc::clone(&self.0))
    }
}

#[task(retries = 3)]
async fn consumes(context: &TaskContext, value: Counted, failures: u32) -> Result<(), String> {
    drop(value);
    if context.attempt() <= failures {
        Err("again".into())
    } else {
        Ok(())
    }
}

#[flow]
async fn consumes_by_value(value: Arc<AtomicUsize>, failures: u32) -> Result<(), TaskError> {
    consumes(Counted(value), failures).await?;
    Ok(())
}

#[orch_core::test]
async fn each_attempt_gets_its_own_copy_of_an_argument_by_value() {
    for (failures, clones) in [(0, 1), (2, 3), (3, 3)] {
        let counter = Arc::new(AtomicUsize::new(0));
        let run = TestEngine::new()
            .run(consumes_by_value(Arc::clone(&counter), failures))
            .await;
        run.assert_completed();
        run.assert_attempts("consumes", failures + 1);
        // The last attempt that there can be takes the argument itself.
        assert_eq!(counter.load(Ordering::SeqCst), clones);
        assert_eq!(Arc::strong_count(&counter), 1);
    }
}

#[task]
async fn makes(value: u32) -> u32 {
    value
}

#[task(retries = 2)]
async fn uses_all(
    context: &TaskContext,
    owned: u32,
    borrowed: &u32,
    many: Vec<u32>,
    tracked: &[Tracked<u32>],
) -> Result<u32, String> {
    if context.attempt() < 3 {
        return Err("again".into());
    }
    Ok(owned + borrowed + many.iter().sum::<u32>() + tracked.iter().map(|one| **one).sum::<u32>())
}

#[flow]
async fn retries_with_handles() -> Result<u32, TaskError> {
    let sum = uses_all(
        makes(1u32),
        makes(2u32),
        vec![makes(3u32), makes(4u32)],
        vec![makes(5u32), makes(6u32)],
    );
    Ok(*sum.await?)
}

#[orch_core::test]
async fn handles_of_every_kind_last_for_all_attempts() {
    let run = TestEngine::new().run(retries_with_handles()).await;
    assert_eq!(run.result.as_ref().ok(), Some(&21));
    run.assert_attempts("uses_all", 3);
    run.assert_attempts("makes", 6);
}

#[flow]
async fn overrides() -> Result<(), TaskError> {
    let call = waits_the_same::with()
        .retries(1)
        .backoff(Backoff::fixed(7_000_000_000));
    call.name("two tries").tag("mine").submit().await?;
    Ok(())
}

#[orch_core::test]
async fn options_of_a_call_take_the_place_of_the_tasks_own() {
    let run = TestEngine::new().run(overrides()).await;
    assert_eq!(starts(only(&run)), [0, 7].map(seconds));
    assert_eq!(only(&run).name, "two tries");
    assert_eq!(only(&run).task, "waits_the_same");
    assert_eq!(only(&run).tags, ["mine"]);
    assert!(run.result.unwrap_err().to_string().contains("failed"));
}

#[flow]
async fn no_retries() -> Result<u32, TaskError> {
    Ok(*flaky::with().retries(0).submit(1u32).await?)
}

#[orch_core::test]
async fn a_call_can_do_without_the_tasks_retries() {
    let run = TestEngine::new().run(no_retries()).await;
    run.assert_attempts("flaky", 1);
}

#[orch_core::test]
async fn an_injected_fault_counts_as_an_attempt_and_the_body_does_not_run() {
    let run = TestEngine::new().fail("flaky", 3).run(tries(0)).await;
    assert_eq!(run.result.as_ref().ok(), Some(&4));
    run.assert_attempts("flaky", 4);
    let run = TestEngine::new().fail("flaky", 4).run(tries(0)).await;
    run.assert_failed_with::<InjectedFault>();
}

/// What hooks were called with, by flow run.
static HOOKS: Mutex<Vec<(String, String)>> = Mutex::new(Vec::new());

fn note_hook(event: &HookEvent<'_>) {
    let mut line = format!(
        "{} {:?}: {} attempt {}",
        event.task_run.unwrap(),
        event.on,
        event.state,
        event.attempt
    );
    if let Some(error) = event.error {
        line += &format!(", {}", error.kind_name());
    }
    if let Some(wait) = event.retry_in {
        line += &format!(", again in {wait:?}");
    }
    HOOKS
        .lock()
        .unwrap()
        .push((event.flow_run.to_owned(), line));
}

trait KindName {
    fn kind_name(&self) -> &'static str;
}

impl KindName for TaskError {
    fn kind_name(&self) -> &'static str {
        match self.kind() {
            TaskErrorKind::Failed(_) => "failed",
            TaskErrorKind::Panicked { .. } => "panicked",
            TaskErrorKind::Cancelled { .. } => "cancelled",
            TaskErrorKind::Skipped { .. } => "skipped",
            TaskErrorKind::TimedOut { .. } => "timed out",
            _ => "something else",
        }
    }
}

fn panics_in_hook(event: &HookEvent<'_>) {
    note_hook(event);
    panic!("a broken hook");
}

#[task(
    retries = 1,
    backoff = "2s",
    on_start = note_hook,
    on_retry = note_hook,
    on_success = note_hook,
    on_failure = note_hook,
    on_crash = note_hook,
    on_cancel = note_hook,
    on_skip = note_hook,
    on_end = note_hook
)]
async fn hooked(context: &TaskContext, input: &str) -> Result<u32, String> {
    match input {
        "flaky" if context.attempt() == 1 => Err("again".into()),
        "fails" => Err("no".into()),
        "panics" => panic!("out of cheese"),
        "hangs" => {
            context.cancelled().await;
            std::future::pending().await
        }
        _ => Ok(1),
    }
}

#[task]
async fn input(text: String) -> Result<String, String> {
    if text == "skipped" {
        Err("no input".into())
    } else {
        Ok(text)
    }
}

#[flow]
async fn calls_hooks(text: String) -> Result<(), TaskError> {
    let run = hooked(input(&text));
    if text == "hangs" {
        tokio::time::sleep(SECOND).await;
        run.cancel();
    }
    run.await?;
    Ok(())
}

async fn hooks_of(text: &str) -> Vec<String> {
    let name = format!("hooks of {text}");
    let engine = TestEngine::new().grace(SECOND).build();
    drop(calls_hooks(text).name(&name).on(&engine).await);
    let hooks = HOOKS.lock().unwrap();
    hooks
        .iter()
        .filter(|(flow_run, _)| *flow_run == name)
        .map(|(_, line)| line.clone())
        .collect()
}

#[orch_core::test]
async fn hooks_are_told_what_happened() {
    assert_eq!(
        hooks_of("fine").await,
        [
            "hooked Start: running attempt 1",
            "hooked Success: completed attempt 1",
            "hooked End: completed attempt 1",
        ]
    );
    assert_eq!(
        hooks_of("flaky").await,
        [
            "hooked Start: running attempt 1",
            "hooked Retry: awaiting retry attempt 1, again in 2s",
            "hooked Start: running attempt 2",
            "hooked Success: completed attempt 2",
            "hooked End: completed attempt 2",
        ]
    );
    assert_eq!(
        hooks_of("fails").await,
        [
            "hooked Start: running attempt 1",
            "hooked Retry: awaiting retry attempt 1, again in 2s",
            "hooked Start: running attempt 2",
            "hooked Failure: failed attempt 2, failed",
            "hooked End: failed attempt 2, failed",
        ]
    );
    assert_eq!(
        hooks_of("panics").await[3..],
        [
            "hooked Crash: crashed attempt 2, panicked",
            "hooked End: crashed attempt 2, panicked",
        ]
    );
    assert_eq!(
        hooks_of("hangs").await,
        [
            "hooked Start: running attempt 1",
            "hooked Cancel: cancelled attempt 1, cancelled",
            "hooked End: cancelled attempt 1, cancelled",
        ]
    );
    assert_eq!(
        hooks_of("skipped").await,
        [
            "hooked Skip: skipped attempt 0, skipped",
            "hooked End: skipped attempt 0, skipped",
        ]
    );
}

#[task(
    retries = 1,
    on_start = panics_in_hook,
    on_retry = panics_in_hook,
    on_success = panics_in_hook,
    on_end = panics_in_hook
)]
async fn badly_hooked(context: &TaskContext) -> Result<u32, String> {
    if context.attempt() == 1 {
        Err("again".into())
    } else {
        Ok(7)
    }
}

#[task(inline, on_start = panics_in_hook, on_end = panics_in_hook)]
fn badly_hooked_inline(input: u32) -> u32 {
    input
}

#[task(on_start = panics_in_hook, on_end = panics_in_hook)]
fn badly_hooked_blocking(input: u32) -> u32 {
    input
}

#[flow]
async fn has_bad_hooks() -> Result<u32, TaskError> {
    Ok(*badly_hooked_blocking(badly_hooked_inline(badly_hooked())).await?)
}

#[orch_core::test]
async fn a_hook_that_panics_changes_nothing() {
    let engine = TestEngine::new().build();
    let result = has_bad_hooks().name("bad hooks").on(&engine).await;
    assert_eq!(result.unwrap(), 7);
    let hooks = HOOKS.lock().unwrap();
    assert_eq!(
        hooks
            .iter()
            .filter(|(flow_run, _)| flow_run == "bad hooks")
            .count(),
        9
    );
}

fn note_flow_hook(event: &HookEvent<'_>) {
    let line = format!("{:?} {} {:?}", event.on, event.state, event.task_run);
    HOOKS
        .lock()
        .unwrap()
        .push((event.flow_run.to_owned(), line));
}

#[flow(on_start = note_flow_hook, on_success = note_flow_hook, on_failure = note_flow_hook, on_end = note_flow_hook)]
async fn hooked_flow(fails: bool) -> Result<(), String> {
    if fails { Err("no".into()) } else { Ok(()) }
}

#[orch_core::test]
async fn hooks_of_a_flow_are_told_what_happened() {
    for (fails, word) in [(false, "Success completed"), (true, "Failure failed")] {
        let name = format!("flow hooks {fails}");
        let engine = TestEngine::new().build();
        drop(hooked_flow(fails).name(&name).on(&engine).await);
        let hooks = HOOKS.lock().unwrap();
        let lines: Vec<&str> = hooks
            .iter()
            .filter(|(run, _)| *run == name)
            .map(|(_, line)| line.as_str())
            .collect();
        let state = word.split(' ').next_back().unwrap();
        let end = format!("End {state} None");
        assert_eq!(lines, ["Start running None", &format!("{word} None"), &end]);
    }
}

#[flow(on_crash = note_flow_hook, on_failure = note_flow_hook, on_cancel = note_flow_hook, on_end = note_flow_hook)]
async fn hooked_end(panics: bool) -> Result<(), String> {
    if panics {
        panic!("out of cheese");
    }
    std::future::pending().await
}

#[orch_core::test]
async fn hooks_of_a_flow_are_told_of_crashes_and_cancellations() {
    for (panics, expected) in [
        (true, ["Crash crashed None", "End crashed None"]),
        (false, ["Cancel cancelled None", "End cancelled None"]),
    ] {
        let name = format!("flow end, panics: {panics}");
        let engine = TestEngine::new().grace(SECOND).build();
        let run = hooked_end(panics).name(&name).start(&engine).unwrap();
        if !panics {
            tokio::time::sleep(SECOND).await;
            run.cancel();
        }
        assert!(run.await.is_err());
        let hooks = HOOKS.lock().unwrap();
        let lines: Vec<&str> = hooks
            .iter()
            .filter(|(run, _)| *run == name)
            .map(|(_, line)| line.as_str())
            .collect();
        assert_eq!(lines, expected);
    }
}

#[test]
fn every_moment_of_a_task_run_has_its_hook() {
    use HookOn::*;
    // A new moment has to be tested above.
    for on in [Start, Retry, Success, Failure, Crash, Cancel, Skip, End] {
        match on {
            Start | Retry | Success | Failure | Crash | Cancel | Skip | End => {}
        }
    }
}

#[task(name = "load {part} of {table:?} at {rate:.2} {{now}}")]
async fn load(part: u32, table: &str, rate: f64) -> u32 {
    assert!(table.len() > 1 && rate > 0.0);
    part
}

#[task(name = "sum {input}", retries = 1)]
async fn named_by_handle(input: &u32) -> Result<u32, String> {
    Err(format!("{input} is odd"))
}

#[flow]
async fn named() -> Result<u32, TaskError> {
    let first = load(3, "a \"b\"", 0.125);
    load::with().name("by hand").submit(4, "cc", 1.0).await?;
    Ok(*named_by_handle(first).await?)
}

#[orch_core::test]
async fn a_name_template_shows_the_inputs() {
    let run = TestEngine::new().run(named()).await;
    let names: Vec<&str> = run
        .report
        .task_runs
        .iter()
        .map(|run| run.name.as_str())
        .collect();
    assert_eq!(
        names,
        [
            "load 3 of \"a \\\"b\\\"\" at 0.12 {now}",
            "by hand",
            "sum 3"
        ]
    );
    let error = run.result.unwrap_err();
    assert!(format!("{:#}", anyhow::Error::new(error)).contains("task run `sum 3`"));
}

/// Retries for a day, a minute apart.
#[task(retries = 1440, backoff = "1m")]
async fn tries_all_day() -> Result<(), String> {
    Err("not today".into())
}

#[flow]
async fn all_day() -> Result<(), TaskError> {
    tries_all_day().await?;
    Ok(())
}

#[orch_core::test]
async fn a_day_of_retries_takes_no_time() {
    let start = std::time::Instant::now();
    let run = TestEngine::new().run(all_day()).await;
    run.assert_attempts("tries_all_day", 1441);
    assert_eq!(run.report.duration, seconds(24 * 3600));
    assert!(start.elapsed() < seconds(20), "{:?}", start.elapsed());
}

#[flow]
async fn cancelled_between_attempts() -> Result<(), TaskError> {
    let run = waits_the_same();
    tokio::time::sleep(SECOND).await;
    assert_eq!(run.state(), State::AwaitingRetry);
    run.cancel();
    assert!(run.await.unwrap_err().is_cancelled());
    Ok(())
}

#[orch_core::test]
async fn a_cancelled_task_run_is_not_tried_again() {
    let run = TestEngine::new().run(cancelled_between_attempts()).await;
    run.assert_completed();
    run.assert_attempts("waits_the_same", 1);
    assert_eq!(run.report.duration, SECOND);
}

#[orch_core::test]
async fn events_tell_of_each_attempt() {
    let engine = TestEngine::new().build();
    let mut events = engine.subscribe();
    tries(2).on(&engine).await.unwrap();
    let mut lines = Vec::new();
    while let Some(Received::Event(event)) = events.try_next() {
        match event.kind {
            EventKind::TaskRunStarted { attempt, .. } => lines.push(format!("started {attempt}")),
            EventKind::AttemptFailed { attempt, error, .. } => {
                lines.push(format!("failed {attempt}: {error}"));
            }
            EventKind::TaskRunEnded { state, .. } => lines.push(state.to_string()),
            _ => {}
        }
    }
    assert_eq!(
        lines,
        [
            "started 1",
            "failed 1: not yet",
            "started 2",
            "failed 2: not yet",
            "started 3",
            "completed"
        ]
    );
}

// Blocking bodies: the clock is moved by hand, because a busy thread holds a paused one.

static IS_SPINNING: AtomicBool = AtomicBool::new(false);

/// Stops when it is asked to.
#[task(timeout = "5s")]
fn spins(context: &TaskContext) -> u32 {
    IS_SPINNING.store(true, Ordering::SeqCst);
    while !context.is_cancelled() {
        std::thread::yield_now();
    }
    IS_SPINNING.store(false, Ordering::SeqCst);
    7
}

#[flow]
async fn spins_too_long() -> Result<u32, TaskError> {
    Ok(*spins().await?)
}

async fn until(condition: impl Fn() -> bool) {
    while !condition() {
        tokio::task::yield_now().await;
    }
}

#[orch_core::test]
async fn a_blocking_body_whose_time_is_up_is_asked_to_stop_and_waited_for() {
    let engine = TestEngine::new().grace(seconds(10)).build();
    let run = spins_too_long().start(&engine).unwrap();
    until(|| IS_SPINNING.load(Ordering::SeqCst)).await;
    tokio::time::advance(seconds(6)).await;
    let (result, report) = run.finish().await;
    assert!(
        !IS_SPINNING.load(Ordering::SeqCst),
        "the body has ended before the task run"
    );
    assert_eq!(report.task_runs[0].state, State::TimedOut);
    let error = result.unwrap_err();
    assert!(matches!(error.kind(), FlowErrorKind::Failed(_)));
    assert!(format!("{:#}", anyhow::Error::new(error)).contains("its `timeout` of 5s ran out"));
}

static BEATS: AtomicBool = AtomicBool::new(false);

#[task(heartbeat = "5s")]
fn spins_silently(context: &TaskContext) -> u32 {
    BEATS.store(true, Ordering::SeqCst);
    while !context.is_cancelled() {
        std::thread::yield_now();
    }
    BEATS.store(false, Ordering::SeqCst);
    7
}

#[flow]
async fn is_silent() -> Result<u32, TaskError> {
    Ok(*spins_silently().await?)
}

#[orch_core::test]
async fn a_silent_blocking_body_is_asked_to_stop_and_waited_for() {
    let engine = TestEngine::new().grace(seconds(10)).build();
    let run = is_silent().start(&engine).unwrap();
    until(|| BEATS.load(Ordering::SeqCst)).await;
    tokio::time::advance(seconds(6)).await;
    let (result, report) = run.finish().await;
    assert!(
        !BEATS.load(Ordering::SeqCst),
        "the body has ended before the task run"
    );
    assert_eq!(report.task_runs[0].state, State::TimedOut);
    let text = format!("{:#}", anyhow::Error::new(result.unwrap_err()));
    assert!(text.contains("its `heartbeat` of 5s ran out"), "{text}");
}

type Gate = Arc<Mutex<mpsc::Receiver<()>>>;

/// Cannot be stopped. The clock is a real one, for a pool of its own has no other: long enough for
/// the body to start.
#[task(timeout = "250ms", on_timeout = "abandon")]
fn waits_for_gate(gate: Gate) -> u32 {
    // An error says that the gate is gone: as good as open.
    let opened = gate.lock().unwrap().recv();
    u32::from(opened.is_ok())
}

#[task]
fn quick(value: u32) -> u32 {
    value
}

#[flow]
async fn abandons(gate: Gate) -> Result<u32, TaskError> {
    // Starts the pool's only thread.
    quick(4).await?;
    assert!(waits_for_gate(gate).await.unwrap_err().is_timed_out());
    // The pool has one thread, and that is held by the abandoned body.
    Ok(*quick(5).await?)
}

#[test]
fn an_abandoned_body_is_counted_and_holds_up_neither_the_flow_nor_the_pool() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_time()
        .build()
        .unwrap();
    let engine = Engine::builder().compute_threads(1).build();
    let (open, gate) = mpsc::channel();
    let run = abandons(Arc::new(Mutex::new(gate))).on(&engine);
    assert_eq!(runtime.block_on(async { run.await }).unwrap(), 5);
    assert_eq!(engine.abandoned_threads(), 1);
    open.send(()).unwrap();
    while engine.abandoned_threads() != 0 {
        std::thread::yield_now();
    }
    // The pool has its size again, and works.
    let run = async { quick(6).await.map(|value| *value) };
    assert_eq!(runtime.block_on(run).unwrap(), 6);
}

/// Has to wait for the pool's only thread.
#[task(retries = 1, queue_timeout = "150ms")]
fn waits_for_a_thread(value: u32) -> u32 {
    value
}

/// Has less time than it waits for the thread.
#[task(timeout = "250ms", on_timeout = "abandon")]
fn is_quick_once_it_runs(value: u32) -> u32 {
    value
}

#[flow]
async fn queues_for_a_thread(gate: Gate, open: mpsc::Sender<()>) -> Result<u32, TaskError> {
    let holding = waits_for_gate_without_a_clock(gate);
    until(|| holding.state() == State::Running).await;
    let in_time = is_quick_once_it_runs(7);
    let late = waits_for_a_thread(8).await.unwrap_err();
    assert!(
        matches!(
            late.kind(),
            TaskErrorKind::TimedOut {
                clock: Clock::Queue,
                ..
            }
        ),
        "{late}"
    );
    assert_eq!(in_time.state(), State::Pending);
    open.send(()).expect("the gate is there");
    holding.await?;
    Ok(*in_time.await?)
}

#[test]
fn an_attempt_that_waits_for_a_thread_is_in_the_queue_and_has_not_started() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_time()
        .build()
        .unwrap();
    let engine = Engine::builder().compute_threads(1).build();
    let (open, gate) = mpsc::channel();
    let (result, report) = runtime.block_on(async {
        let run = queues_for_a_thread(Arc::new(Mutex::new(gate)), open);
        run.start(&engine).unwrap().finish().await
    });
    assert_eq!(result.unwrap(), 7);
    let [_, in_time, late] = &report.task_runs[..] else {
        panic!("{:?}", report.task_runs)
    };
    assert!(
        in_time.started > Some(Duration::from_millis(300)),
        "{in_time:?}"
    );
    assert_eq!((late.state, late.attempts), (State::TimedOut, 0));
}

#[flow(failure = "stop_on_failure")]
async fn fails_while_one_waits_for_a_thread(gate: Gate) -> Result<(), TaskError> {
    let holding = waits_for_gate_without_a_clock(gate);
    until(|| holding.state() == State::Running).await;
    let waiting = waits_for_a_thread::with().queue_timeout(seconds(600));
    drop(waiting.submit(1));
    waits_the_same::with().retries(0).submit().await?;
    Ok(())
}

#[test]
fn what_waits_for_a_thread_is_not_started_after_a_failure() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_time()
        .build()
        .unwrap();
    let engine = Engine::builder().compute_threads(1).build();
    let (open, gate) = mpsc::channel();
    let (result, report) = runtime.block_on(async {
        let mut events = engine.subscribe();
        let run = fails_while_one_waits_for_a_thread(Arc::new(Mutex::new(gate)));
        let run = run.start(&engine).unwrap();
        loop {
            let event = tokio::time::timeout(seconds(60), events.next()).await;
            let Some(Received::Event(event)) = event.expect("it is stopped while the gate is shut")
            else {
                panic!("the engine is there and the subscriber is quick")
            };
            if matches!(event.kind, EventKind::TaskRunEnded { state, .. } if state == State::Cancelled)
            {
                break;
            }
        }
        open.send(()).unwrap();
        run.finish().await
    });
    assert!(result.is_err());
    let states: Vec<State> = report.task_runs.iter().map(|run| run.state).collect();
    assert_eq!(states, [State::Completed, State::Cancelled, State::Failed]);
}

#[task]
fn waits_for_gate_without_a_clock(gate: Gate) -> u32 {
    let opened = gate.lock().unwrap().recv();
    u32::from(opened.is_ok())
}

#[flow]
async fn is_stuck_on_a_thread(gate: Gate) -> Result<u32, TaskError> {
    Ok(*waits_for_gate_without_a_clock(gate).await?)
}

#[test]
fn a_cancelled_body_that_does_not_stop_is_counted_as_abandoned_too() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_time()
        .build()
        .unwrap();
    let engine = Engine::builder()
        .compute_threads(1)
        .grace(Duration::from_millis(1))
        .build();
    let (open, gate) = mpsc::channel();
    runtime.block_on(async {
        let mut events = engine.subscribe();
        let run = is_stuck_on_a_thread(Arc::new(Mutex::new(gate)))
            .start(&engine)
            .unwrap();
        while let Some(Received::Event(event)) = events.next().await {
            if matches!(event.kind, EventKind::TaskRunStarted { .. }) {
                break;
            }
        }
        run.cancel();
        let (result, report) = run.finish().await;
        assert!(matches!(
            result.unwrap_err().kind(),
            FlowErrorKind::Cancelled { .. }
        ));
        assert_eq!(report.task_runs[0].state, State::Cancelled);
    });
    assert_eq!(engine.abandoned_threads(), 1);
    open.send(()).unwrap();
    while engine.abandoned_threads() != 0 {
        std::thread::yield_now();
    }
}

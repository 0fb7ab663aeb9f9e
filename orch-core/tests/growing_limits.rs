//! Limits that grow with the attempt: what a further attempt takes, and what keeps it in bounds.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use orch_core::prelude::*;
use orch_core::testing::{TestEngine, TestRun};
use orch_core::{Engine, RetryLimits, State, TaskErrorKind};

fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// What is taken of a limit, by what the bodies say.
#[derive(Debug, Default)]
struct Gauge {
    now: AtomicU32,
    most: AtomicU32,
    seen: Mutex<Vec<Option<u32>>>,
}

impl Gauge {
    fn seen(&self) -> Vec<Option<u32>> {
        self.seen.lock().unwrap().clone()
    }

    fn most(&self) -> u32 {
        self.most.load(Ordering::SeqCst)
    }
}

#[derive(Debug, thiserror::Error)]
#[error("out of memory")]
struct OutOfMemory;

fn twice_the_ram(retry: &mut RetryLimits<'_>) {
    if retry.failed_with::<OutOfMemory>().is_some() {
        retry.multiply("ram", 2);
    }
}

/// Takes a second, and this much memory.
#[task(retries = 3, limit = ("ram", 2), limit_on_retry = twice_the_ram)]
async fn sort(context: &TaskContext, gauge: Arc<Gauge>, needed: u32) -> Result<u32, anyhow::Error> {
    let slots = context.limit("ram");
    gauge.seen.lock().unwrap().push(slots);
    let slots = slots.unwrap();
    let now = gauge.now.fetch_add(slots, Ordering::SeqCst) + slots;
    gauge.most.fetch_max(now, Ordering::SeqCst);
    tokio::time::sleep(seconds(1)).await;
    gauge.now.fetch_sub(slots, Ordering::SeqCst);
    match slots {
        slots if slots >= needed => Ok(slots),
        _ => Err(anyhow::Error::new(OutOfMemory).context("the rows do not fit")),
    }
}

#[flow]
async fn sorts(gauge: Arc<Gauge>, needed: Vec<u32>) -> Result<u32, TaskError> {
    let runs = needed.into_iter().map(|n| sort(Arc::clone(&gauge), n));
    let runs: Vec<TaskRun<u32>> = runs.collect();
    let mut sum = 0;
    for run in runs {
        sum += *run.await?;
    }
    Ok(sum)
}

async fn run(ram: u32, needed: &[u32]) -> (Arc<Gauge>, TestRun<u32>) {
    let gauge = Arc::default();
    let flow = sorts(Arc::clone(&gauge), needed.to_vec());
    let run = TestEngine::new().limit("ram", ram).run(flow).await;
    (gauge, run)
}

#[orch_core::test]
async fn an_attempt_after_a_failure_takes_what_the_function_says_and_the_body_sees_it() {
    let (gauge, run) = run(16, &[7]).await;
    assert_eq!(run.result.as_ref().ok(), Some(&8));
    assert_eq!(gauge.seen(), [Some(2), Some(4), Some(8)]);
}

#[orch_core::test]
async fn an_attempt_never_asks_for_more_slots_than_there_are() {
    let (gauge, run) = run(5, &[100]).await;
    run.assert_state("sort", State::Failed);
    run.assert_attempts("sort", 4);
    assert_eq!(gauge.seen(), [Some(2), Some(4), Some(5), Some(5)]);
}

#[orch_core::test]
async fn a_grown_attempt_waits_for_the_slots_and_the_limit_is_never_exceeded() {
    let (gauge, run) = run(8, &[8, 2, 4, 8, 2, 8]).await;
    assert_eq!(run.result.as_ref().ok(), Some(&(8 + 2 + 4 + 8 + 2 + 8)));
    assert_eq!(gauge.most(), 8);
    assert_eq!(gauge.now.load(Ordering::SeqCst), 0);
}

#[orch_core::test]
async fn all_slots_are_given_back_after_a_grown_attempt() {
    let gauge = Arc::default();
    let engine = TestEngine::new().limit("ram", 6).build();
    sorts(Arc::clone(&gauge), vec![6, 3])
        .on(&engine)
        .await
        .unwrap();
    let [status] = &engine.limits()[..] else {
        panic!("one limit")
    };
    assert_eq!((status.taken, status.waiting), (0, 0));
}

#[orch_core::test]
async fn the_first_attempt_still_has_to_fit() {
    let (_, run) = run(1, &[1]).await;
    let error = run.result.unwrap_err();
    let error = error.downcast_ref::<TaskError>().unwrap();
    let TaskErrorKind::Invalid { message } = error.kind() else {
        panic!("{error}")
    };
    assert_eq!(message, "it takes 2 slots of the limit `ram`, which has 1");
}

/// Runs one that needs more than it gets, while its limit is changed: to how many slots, half a
/// second after when.
async fn with_limit_changed(to: &[(u64, u32)]) -> (Arc<Gauge>, Result<u32, FlowError>) {
    let gauge = Arc::default();
    let engine: Engine = TestEngine::new().limit("ram", 16).build();
    let run = sorts(Arc::clone(&gauge), vec![16]).start(&engine).unwrap();
    let started = tokio::time::Instant::now();
    for (at, slots) in to {
        let at = seconds(*at) + Duration::from_millis(500);
        tokio::time::sleep_until(started + at).await;
        engine.set_limit("ram", *slots);
    }
    (gauge, run.await)
}

#[orch_core::test]
async fn an_attempt_that_waits_takes_fewer_slots_when_the_limit_is_lowered() {
    // Paused before the second attempt, then opened for less than that asks for.
    let (gauge, result) = with_limit_changed(&[(0, 0), (3, 3)]).await;
    assert!(result.is_err());
    assert_eq!(gauge.seen(), [Some(2), Some(3), Some(3), Some(3)]);
}

#[orch_core::test]
async fn an_attempt_takes_more_slots_once_the_limit_is_raised() {
    let (gauge, result) = with_limit_changed(&[(0, 3), (1, 16)]).await;
    assert!(result.is_err());
    assert_eq!(gauge.seen(), [Some(2), Some(3), Some(6), Some(12)]);
}

fn only_after_a_crash(retry: &mut RetryLimits<'_>) {
    assert!(retry.attempt() > 1);
    if matches!(retry.failed(), TaskErrorKind::Panicked { .. }) {
        let slots = retry.slots("ram").unwrap();
        retry.set("ram", slots + retry.attempt());
        retry.set("gpu", 0);
    }
    assert_eq!(retry.slots("disk"), None);
    // Not taken by the task run: without effect.
    retry.set("disk", 5);
}

#[task(
    retries = 3,
    limit = ["gpu", ("ram", 1), ("ram", 2)],
    limit_on_retry = only_after_a_crash,
    queue_timeout = "1h"
)]
fn fit(context: &TaskContext, seen: Arc<Mutex<Vec<[Option<u32>; 3]>>>) -> Result<(), String> {
    let limits = ["ram", "gpu", "disk"].map(|name| context.limit(name));
    seen.lock().unwrap().push(limits);
    assert!(context.attempt() != 1, "out of memory");
    Err("no".into())
}

#[flow]
async fn fits(seen: Arc<Mutex<Vec<[Option<u32>; 3]>>>) -> Result<(), TaskError> {
    fit(seen).await?;
    Ok(())
}

#[orch_core::test]
async fn the_function_is_told_the_attempt_how_the_last_failed_and_what_that_took() {
    let seen = Arc::default();
    let run = TestEngine::new()
        .limit("ram", 100)
        .limit("gpu", 1)
        .limit("disk", 1)
        .run(fits(Arc::clone(&seen)))
        .await;
    run.assert_attempts("fit", 4);
    let expected = [3, 5, 5, 5].map(|ram| [Some(ram), Some(1), None]);
    assert_eq!(seen.lock().unwrap()[..], expected);
}

#[flow]
async fn sorts_with(gauge: Arc<Gauge>, ram: u32, needed: u32) -> Result<u32, TaskError> {
    Ok(*sort::with().limit("ram", ram).submit(gauge, needed).await?)
}

#[orch_core::test]
async fn limits_of_a_call_grow_like_the_tasks_own() {
    let gauge: Arc<Gauge> = Arc::default();
    let flow = sorts_with(Arc::clone(&gauge), 3, 6);
    let run = TestEngine::new().limit("ram", 16).run(flow).await;
    run.assert_completed();
    assert_eq!(gauge.seen(), [Some(3), Some(6)]);
}

fn always_more(retry: &mut RetryLimits<'_>) {
    retry.multiply("db/north", 2);
}

#[task(
    retries = 2,
    limit = "db/{region}",
    limit_on_retry = always_more,
    queue_timeout = "1m"
)]
async fn load(context: &TaskContext, region: &str) -> Result<u32, String> {
    let slots = context.limit(&format!("db/{region}")).unwrap();
    if slots == 1 {
        Err("no".into())
    } else {
        Ok(slots)
    }
}

#[flow]
async fn loads() -> Result<u32, TaskError> {
    Ok(*load(String::from("north")).await?)
}

#[orch_core::test]
async fn nothing_grows_after_an_attempt_that_never_started() {
    let engine = TestEngine::new().limit("db/north", 0).build();
    let run = loads().start(&engine).unwrap();
    tokio::time::sleep(seconds(90)).await;
    engine.set_limit("db/north", 8);
    let (result, report) = run.finish().await;
    assert_eq!(result.unwrap(), 2);
    assert_eq!(report.task_runs[0].attempts, 2);
    assert_eq!(report.task_runs[0].failed_attempts.len(), 2);
}

#[test]
fn a_context_outside_of_any_task_run_has_no_limits() {
    assert_eq!(TaskContext::detached().limit("ram"), None);
}

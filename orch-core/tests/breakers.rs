//! Limits that are left alone after failures, that grow with attempts, and retries by class of error.

use std::sync::Mutex;
use std::time::Duration;

use orch_core::prelude::*;
use orch_core::testing::TestEngine;
use orch_core::{Breaker, ClassifyRetry, Limit, Retry, RetryBudget, TaskErrorKind};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

const REST: Duration = Duration::from_secs(30);

fn engine(failures: u32) -> Engine {
    let breaker = Breaker::new(failures, REST);
    Engine::builder().breaker("payments", breaker).build()
}

/// Pays, as long as the number is even.
#[task(limit = "payments")]
async fn pay(number: u64) -> Result<u64, String> {
    tokio::time::sleep(Duration::from_secs(1)).await;
    match number % 2 {
        0 => Ok(number),
        _ => Err("declined".to_owned()),
    }
}

async fn is_open(engine: &Engine, number: u64) -> bool {
    match pay_once(number).on(engine).await {
        Ok(_) => false,
        Err(error) => {
            let error = anyhow::Error::from(error);
            let error = error
                .chain()
                .find_map(|error| error.downcast_ref::<TaskError>());
            matches!(error.unwrap().kind(), TaskErrorKind::BreakerOpen { .. })
        }
    }
}

#[flow]
async fn pay_once(number: u64) -> Result<u64, TaskError> {
    Ok(*pay(number).await?)
}

#[orch_core::test]
async fn so_many_failures_in_a_row_open_a_breaker_and_one_success_closes_it() {
    let engine = engine(2);
    // A success in between starts the count again.
    for number in [1, 0, 1] {
        assert!(!is_open(&engine, number).await);
    }
    assert_eq!(engine.breakers()[0].failures, 1);
    assert!(!is_open(&engine, 3).await);
    let status = &engine.breakers()[0];
    assert_eq!((status.failures, status.open_for), (2, Some(REST)));

    let before = Instant::now();
    assert!(is_open(&engine, 0).await);
    assert_eq!(before.elapsed(), Duration::ZERO, "nothing was executed");
    tokio::time::advance(REST - Duration::from_millis(1)).await;
    assert!(is_open(&engine, 0).await);
    tokio::time::advance(Duration::from_millis(1)).await;
    assert!(!is_open(&engine, 0).await);
    let status = &engine.breakers()[0];
    assert_eq!((status.failures, status.open_for), (0, None));
}

#[orch_core::test]
async fn a_failure_after_the_rest_opens_it_again_at_once() {
    let engine = engine(3);
    for _ in 0..3 {
        assert!(!is_open(&engine, 1).await);
    }
    tokio::time::advance(REST).await;
    assert!(!is_open(&engine, 1).await);
    assert!(is_open(&engine, 0).await);
    assert_eq!(engine.breakers()[0].open_for, Some(REST));
}

#[orch_core::test]
async fn one_attempt_at_a_time_is_let_through_after_the_rest() {
    let engine = engine(1);
    assert!(!is_open(&engine, 1).await);
    tokio::time::advance(REST).await;
    let first = pay_once(0).start(&engine).unwrap();
    // The first one runs for a second.
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(is_open(&engine, 0).await);
    assert_eq!(first.await.unwrap(), 0);
    assert!(!is_open(&engine, 0).await);
}

#[orch_core::test]
async fn an_attempt_that_is_cancelled_decides_nothing() {
    let engine = engine(1);
    assert!(!is_open(&engine, 1).await);
    tokio::time::advance(REST).await;
    let run = pay_once(0).start(&engine).unwrap();
    tokio::time::sleep(Duration::from_millis(500)).await;
    run.cancel();
    run.wait().await;
    // The next one may try.
    assert!(!is_open(&engine, 0).await);
}

/// Pays with one attempt more.
#[task(limit = "payments", retries = 1, backoff = "1s")]
async fn pay_patiently(number: u64) -> Result<u64, String> {
    pay::call(number).await
}

#[flow]
async fn pays_after_others_failed(number: u64) -> Result<u64, TaskError> {
    Ok(*pay_patiently(number).await?)
}

#[orch_core::test]
async fn a_task_with_retries_waits_until_it_may_try() {
    let engine = engine(1);
    assert!(!is_open(&engine, 1).await);
    let before = Instant::now();
    let run = pays_after_others_failed(0).start(&engine).unwrap();
    let (result, report) = run.finish().await;
    assert_eq!(result.unwrap(), 0);
    assert_eq!(before.elapsed(), REST + Duration::from_secs(1));
    assert_eq!(report.task_runs[0].attempts, 1, "one was executed");
}

#[flow]
async fn pays_later() -> Result<u64, TaskError> {
    let paid = pay(1).or_else(|_| note(7u64)).await?;
    Ok(*paid + *pay(0).or_else(|_| note(8u64)).await?)
}

#[task]
async fn note(number: u64) -> u64 {
    number
}

#[orch_core::test]
async fn a_fallback_takes_over_while_a_breaker_is_open() {
    assert_eq!(pays_later().on(&engine(1)).await.unwrap(), 15);
    assert_eq!(pays_later().on(&engine(2)).await.unwrap(), 7);
}

#[orch_core::test]
async fn the_error_says_which_limit_and_what_to_do() {
    let engine = engine(1);
    assert!(!is_open(&engine, 1).await);
    let error = pay_once(0).on(&engine).await.unwrap_err();
    let text = format!("{:#}", anyhow::Error::from(error));
    assert!(
        text.contains(
            "was not started: the breaker of the limit `payments` is open for another 30s"
        ),
        "{text}"
    );
}

static SLOTS: Mutex<Vec<Option<u32>>> = Mutex::new(Vec::new());

#[task(limit = ("ram", 3), retries = 3)]
async fn hungry(ctx: &TaskContext, needed: u32) -> Result<u32, String> {
    let slots = ctx.slots("ram");
    SLOTS.lock().unwrap().push(slots);
    assert_eq!(ctx.slots("gpu"), None);
    match slots {
        Some(slots) if slots >= needed => Ok(slots),
        _ => Err("out of memory".to_owned()),
    }
}

#[flow]
async fn feeds(needed: u32) -> Result<u32, TaskError> {
    Ok(*hungry(needed).await?)
}

#[orch_core::test]
async fn a_growing_limit_gives_each_attempt_more_and_at_most_all() {
    let engine = Engine::builder()
        .limit("ram", Limit::slots(16).grow_on_retry(2))
        .build();
    assert_eq!(feeds(12u32).on(&engine).await.unwrap(), 12);
    assert_eq!(*SLOTS.lock().unwrap(), [Some(3), Some(6), Some(12)]);
    SLOTS.lock().unwrap().clear();
    feeds(17u32).on(&engine).await.unwrap_err();
    let expected = [Some(3), Some(6), Some(12), Some(16)];
    assert_eq!(*SLOTS.lock().unwrap(), expected);
    assert_eq!(engine.limits()[0].taken, 0);
}

#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("{0:?} failed")]
struct Unreliable(What);

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
enum What {
    Network,
    Disk,
    Something,
}

impl ClassifyRetry for Unreliable {
    fn classify(&self, _attempt: u32) -> Retry {
        Retry::Default
    }

    fn budget(&self) -> Option<RetryBudget> {
        let (class, retries) = match self.0 {
            What::Network => ("network", 3),
            What::Disk => ("disk", 1),
            What::Something => return None,
        };
        Some(RetryBudget { class, retries })
    }
}

/// Fails as it is told, one attempt after the other.
#[task(retries = 6)]
async fn unreliable(ctx: &TaskContext, failures: &[What]) -> Result<u32, Unreliable> {
    match failures.get(ctx.attempt() as usize - 1) {
        Some(what) => Err(Unreliable(*what)),
        None => Ok(ctx.attempt()),
    }
}

#[flow]
async fn relies(failures: Vec<What>) -> Result<u32, TaskError> {
    Ok(*unreliable(failures).await?)
}

#[orch_core::test]
async fn each_class_of_errors_counts_its_own_retries() {
    use What::{Disk, Network, Something};
    let attempts = |failures: &[What]| {
        let run = TestEngine::new().run(relies(failures.to_vec()));
        async move { run.await.report.task_runs[0].attempts }
    };
    // As often as the class may, and no more.
    assert_eq!(attempts(&[Network; 3]).await, 4);
    assert_eq!(attempts(&[Network; 9]).await, 4);
    assert_eq!(attempts(&[Disk; 9]).await, 2);
    // One class does not use up what another one has.
    assert_eq!(attempts(&[Network, Disk, Network, Network]).await, 5);
    assert_eq!(attempts(&[Network, Disk, Network, Disk]).await, 4);
    // Without a class, and over all classes, the task's own retries count.
    assert_eq!(attempts(&[Something; 9]).await, 7);
    let mixed = [
        Network, Something, Disk, Something, Network, Network, Something,
    ];
    assert_eq!(attempts(&mixed).await, 7);
}

//! Budgets of retries: what each class of errors is worth, below the retries of the task.

use std::time::Duration;

use futures_util::FutureExt as _;
use orch_core::prelude::*;
use orch_core::testing::{TestEngine, TestRun};
use orch_core::{ClassifyRetry, Retry, RetryBudget, State};

use self::CallError::{NotFound, Refused, Reset, Throttled, Unreachable};

/// The errors of a task that calls a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
enum CallError {
    /// Worth three retries.
    #[error("too many requests")]
    Throttled,
    /// Worth one retry.
    #[error("the server does not answer")]
    Unreachable,
    /// Worth none.
    #[error("no such page")]
    NotFound,
    /// As often as the task says.
    #[error("the connection was reset")]
    Reset,
    /// Worth a hundred, and never tried again.
    #[error("the server says no")]
    Refused,
}

impl ClassifyRetry for CallError {
    fn classify(&self, _attempt: u32) -> Retry {
        match self {
            Throttled => Retry::After(Duration::from_secs(10)),
            Refused => Retry::Never,
            _ => Retry::Default,
        }
    }

    fn budget(&self) -> Option<RetryBudget> {
        let (class, retries) = match self {
            Throttled => ("throttled", 3),
            Unreachable => ("unreachable", 1),
            NotFound => ("not found", 0),
            Refused => ("refused", 100),
            Reset => return None,
        };
        Some(RetryBudget { class, retries })
    }
}

/// Fails with one error after the other, then completes.
#[task(retries = 6, backoff = "1s")]
async fn call(context: &TaskContext, errors: Vec<CallError>) -> Result<u32, CallError> {
    match errors.get(context.attempt() as usize - 1) {
        Some(error) => Err(*error),
        None => Ok(context.attempt()),
    }
}

/// The same on a thread.
#[task(retries = 6, backoff = "1s")]
fn call_blocking(context: &TaskContext, errors: Vec<CallError>) -> Result<u32, CallError> {
    call::call(context, errors)
        .now_or_never()
        .expect("it awaits nothing")
}

#[flow]
async fn calls(errors: Vec<CallError>) -> Result<u32, TaskError> {
    Ok(*call(errors).await?)
}

#[flow]
async fn calls_blocking(errors: Vec<CallError>) -> Result<u32, TaskError> {
    Ok(*call_blocking(errors).await?)
}

#[flow]
async fn calls_twice(errors: Vec<CallError>) -> Result<u32, TaskError> {
    let (first, second) = (call(errors.clone()), call(errors));
    Ok(*first.await? + *second.await?)
}

async fn run(errors: &[CallError]) -> TestRun<u32> {
    TestEngine::new().run(calls(errors.to_vec())).await
}

#[orch_core::test]
async fn errors_of_a_class_are_tried_again_as_often_as_its_budget_says() {
    for (error, attempts) in [(NotFound, 1), (Unreachable, 2), (Throttled, 4), (Reset, 7)] {
        let run = run(&[error; 10]).await;
        run.assert_attempts("call", attempts);
        run.assert_state("call", State::Failed);
        run.assert_failed_with::<CallError>();
    }
}

#[orch_core::test]
async fn a_budget_that_lasts_does_not_keep_a_task_run_from_completing() {
    let run = run(&[Throttled, Throttled, Throttled]).await;
    assert_eq!(run.result.as_ref().ok(), Some(&4));
}

#[orch_core::test]
async fn classes_that_take_turns_are_counted_each_for_itself() {
    let run_of_two = run(&[Unreachable, Throttled, Throttled, Throttled]).await;
    assert_eq!(run_of_two.result.as_ref().ok(), Some(&5));
    // The second of a class that is worth one retry, however late it comes.
    let errors = [Throttled, Unreachable, Throttled, Unreachable, Throttled];
    let run = run(&errors).await;
    run.assert_attempts("call", 4);
    let error = run.result.unwrap_err();
    assert_eq!(error.downcast_ref::<CallError>(), Some(&Unreachable));
}

#[orch_core::test]
async fn errors_without_a_class_take_from_no_budget() {
    let run = run(&[Unreachable, Reset, Reset, Reset]).await;
    assert_eq!(run.result.as_ref().ok(), Some(&5));
}

#[orch_core::test]
async fn the_retries_of_the_task_are_the_most_over_all_classes() {
    // Three for being throttled, one for being unreachable, two for resets: that is all six.
    let errors = [
        Throttled,
        Unreachable,
        Throttled,
        Reset,
        Throttled,
        Reset,
        Reset,
    ];
    let run = run(&errors).await;
    run.assert_attempts("call", 7);
    run.assert_state("call", State::Failed);
}

#[flow]
async fn calls_with_one_retry() -> Result<u32, TaskError> {
    let call = call::with().retries(1);
    Ok(*call.submit(vec![Throttled; 3]).await?)
}

#[orch_core::test]
async fn a_budget_does_not_raise_the_retries_of_a_call() {
    let run = TestEngine::new().run(calls_with_one_retry()).await;
    run.assert_attempts("call", 2);
}

#[orch_core::test]
async fn a_budget_does_not_bring_back_what_is_never_tried_again() {
    let run = run(&[Refused; 2]).await;
    run.assert_attempts("call", 1);
}

#[orch_core::test]
async fn a_budget_leaves_the_waits_as_they_are() {
    let run = run(&[Throttled, Unreachable, Throttled]).await;
    run.assert_completed();
    assert_eq!(run.report.duration, Duration::from_secs(10 + 1 + 10));
}

#[orch_core::test]
async fn each_task_run_has_budgets_of_its_own() {
    let flow = calls_twice(vec![Unreachable]);
    let run = TestEngine::new().run(flow).await;
    assert_eq!(run.result.as_ref().ok(), Some(&4));
}

#[orch_core::test]
async fn a_blocking_task_has_budgets_too() {
    let flow = calls_blocking(vec![Throttled, Unreachable, Unreachable]);
    let run = TestEngine::new().run(flow).await;
    run.assert_attempts("call_blocking", 3);
}

fn is_no_reset(error: &CallError) -> bool {
    *error != Reset
}

#[task(retries = 6, retry_if = is_no_reset)]
async fn picky(context: &TaskContext, errors: Vec<CallError>) -> Result<u32, CallError> {
    call::call(context, errors).await
}

#[flow]
async fn calls_picky(errors: Vec<CallError>) -> Result<u32, TaskError> {
    Ok(*picky(errors).await?)
}

#[orch_core::test]
async fn retry_if_and_a_budget_both_have_to_agree() {
    for (errors, attempts) in [
        (vec![Unreachable, Reset], 2),
        (vec![Unreachable, Unreachable], 2),
        (vec![Unreachable], 2),
    ] {
        let run = TestEngine::new().run(calls_picky(errors)).await;
        run.assert_attempts("picky", attempts);
    }
}

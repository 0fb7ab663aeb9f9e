//! Running flows in unit tests: stubs, failures, virtual time, assertions.

use std::future::Future;
use std::time::Duration;

use crate::breaker::Breaker;
use crate::engine::{Engine, EngineBuilder};
use crate::error::FlowError;
use crate::faults::Stub;
use crate::flow_call::FlowCall;
use crate::limit::Limit;
use crate::policy::failure_mode::FailureMode;
use crate::report::{RunReport, TaskRunReport};
use crate::state::State;

/// Runs the body of an `#[orch_core::test]`: on one thread, with a clock that stands still while
/// there is work and jumps to the next timer when there is none.
#[doc(hidden)]
pub fn run_test<F: Future>(test: F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime without drivers for input and output can always be made");
    let output = runtime.block_on(test);
    // A blocking body that was left behind must not keep the test from ending.
    runtime.shutdown_background();
    output
}

/// An engine for one test: in memory, made in microseconds, with stubs and failures.
///
/// ```
/// use orch_core::prelude::*;
/// use orch_core::testing::TestEngine;
///
/// #[task(retries = 2, backoff = "1h")]
/// async fn download(url: String) -> Result<u64, String> {
///     Err(format!("{url} is not reachable from a test"))
/// }
///
/// #[flow]
/// async fn mirror() -> anyhow::Result<u64> {
///     Ok(*download("https://example.org").await?)
/// }
///
/// # mod orch_core_test { pub use orch_core::testing::block_on; }
/// # orch_core_test::block_on(async {
/// let engine = TestEngine::new().stub(download::stub(|_url| Ok(42))).fail("download", 2);
/// let run = engine.run(mirror()).await;
/// assert_eq!(run.result.as_ref().ok(), Some(&42));
/// run.assert_completed();
/// run.assert_attempts("download", 3);
/// # });
/// ```
#[must_use = "a test engine does nothing until a flow runs on it"]
pub struct TestEngine {
    builder: EngineBuilder,
}

impl Default for TestEngine {
    fn default() -> Self {
        Self::new()
    }
}

impl TestEngine {
    /// Makes an engine with seed 0.
    pub fn new() -> Self {
        Self {
            builder: Engine::builder().seed(0),
        }
    }

    /// Puts a stub in the place of its task.
    pub fn stub(mut self, stub: Stub) -> Self {
        self.builder.faults.add_stub(stub);
        self
    }

    /// Makes the first `attempts` attempts of a task, or of the task run of that name, fail before
    /// its body runs. They fail with [`InjectedFault`](crate::InjectedFault).
    pub fn fail(mut self, name: impl Into<String>, attempts: u32) -> Self {
        self.builder.faults.fail(name.into(), attempts);
        self
    }

    /// Gives a value to the tasks that have a parameter `Resource<T>`.
    pub fn resource<T: Send + Sync + 'static>(mut self, value: T) -> Self {
        self.builder = self.builder.resource(value);
        self
    }

    /// Defines a limit.
    pub fn limit(mut self, name: impl Into<String>, limit: impl Into<Limit>) -> Self {
        self.builder = self.builder.limit(name, limit);
        self
    }

    /// Defines a circuit breaker.
    pub fn breaker(mut self, name: impl Into<String>, breaker: Breaker) -> Self {
        self.builder = self.builder.breaker(name, breaker);
        self
    }

    /// Sets the failure mode.
    pub fn failure_mode(mut self, mode: FailureMode) -> Self {
        self.builder = self.builder.failure_mode(mode);
        self
    }

    /// Sets how long cancelled task runs may take.
    pub fn grace(mut self, grace: Duration) -> Self {
        self.builder = self.builder.grace(grace);
        self
    }

    /// Sets the seed.
    pub fn seed(mut self, seed: u64) -> Self {
        self.builder = self.builder.seed(seed);
        self
    }

    /// Returns the engine itself.
    pub fn build(self) -> Engine {
        self.builder.build()
    }

    /// Runs a flow to its end.
    pub async fn run<T: Send + Sync + 'static>(self, flow: FlowCall<T>) -> TestRun<T> {
        let engine = self.build();
        match flow.start(&engine) {
            Ok(run) => {
                let (result, report) = run.finish().await;
                TestRun { result, report }
            }
            Err(error) => panic!("the flow run was not taken on: {error}"),
        }
    }
}

impl std::fmt::Debug for TestEngine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TestEngine").finish_non_exhaustive()
    }
}

/// Runs a future as `#[orch_core::test]` would, for places where the attribute cannot be used.
pub fn block_on<F: Future>(future: F) -> F::Output {
    run_test(future)
}

/// A flow run that has ended, with assertions that show the run when they fail.
#[derive(Debug)]
#[non_exhaustive]
pub struct TestRun<T> {
    /// What the flow run came to.
    pub result: Result<T, FlowError>,
    /// All that is known of it.
    pub report: RunReport,
}

impl<T> TestRun<T> {
    /// Returns the runs of a task, or the task run of that name.
    pub fn task_runs(&self, name: &str) -> Vec<&TaskRunReport> {
        self.report
            .task_runs
            .iter()
            .filter(|task_run| task_run.task == name || task_run.name == name)
            .collect()
    }

    /// Asserts that the flow run completed.
    #[track_caller]
    pub fn assert_completed(&self) {
        if let Err(error) = &self.result {
            self.fail(&format!("the flow run did not complete: {}", chain(error)));
        }
    }

    /// Asserts that the flow run failed with an error of type `E` somewhere in its chain.
    #[track_caller]
    pub fn assert_failed_with<E: std::error::Error + 'static>(&self) {
        match &self.result {
            Ok(_) => self.fail("the flow run completed"),
            Err(error) if error.downcast_ref::<E>().is_none() => self.fail(&format!(
                "the flow run failed without a `{}`: {}",
                std::any::type_name::<E>(),
                chain(error)
            )),
            Err(_) => {}
        }
    }

    /// Asserts how many runs of a task were executed (started at least one attempt).
    #[track_caller]
    pub fn assert_ran(&self, name: &str, times: usize) {
        let ran = self
            .task_runs(name)
            .iter()
            .filter(|run| run.attempts > 0)
            .count();
        if ran != times {
            self.fail(&format!("`{name}` ran {ran} times, expected {times}"));
        }
    }

    /// Asserts how many attempts the runs of a task started in all.
    #[track_caller]
    pub fn assert_attempts(&self, name: &str, attempts: u32) {
        let started: u32 = self.task_runs(name).iter().map(|run| run.attempts).sum();
        if started != attempts {
            self.fail(&format!(
                "`{name}` started {started} attempts, expected {attempts}"
            ));
        }
    }

    /// Asserts the state that every run of a task ended in.
    #[track_caller]
    pub fn assert_state(&self, name: &str, state: State) {
        let runs = self.task_runs(name);
        if runs.is_empty() || runs.iter().any(|run| run.state != state) {
            self.fail(&format!("`{name}` is not {state}"));
        }
    }

    /// Asserts that a run of `to` used a run of `from`.
    #[track_caller]
    pub fn assert_edge(&self, from: &str, to: &str) {
        let is_named = |index: u32, name: &str| {
            self.task_runs(name)
                .iter()
                .any(|task_run| task_run.index == index)
        };
        let exists = self
            .report
            .edges
            .iter()
            .any(|edge| is_named(edge.from, from) && is_named(edge.to, to));
        if !exists {
            self.fail(&format!("there is no edge from `{from}` to `{to}`"));
        }
    }

    /// Asserts that every run of `first` ended before any run of `then` started.
    #[track_caller]
    pub fn assert_order(&self, first: &str, then: &str) {
        let ended = self
            .task_runs(first)
            .iter()
            .filter_map(|run| run.ended)
            .max();
        let started = self
            .task_runs(then)
            .iter()
            .filter_map(|run| run.started)
            .min();
        match (ended, started) {
            (Some(ended), Some(started)) if ended <= started => {}
            _ => self.fail(&format!("`{first}` did not end before `{then}` started")),
        }
    }

    /// Asserts that no task run was left without a final state.
    #[track_caller]
    pub fn assert_no_leaks(&self) {
        if self
            .report
            .task_runs
            .iter()
            .any(|task_run| !task_run.state.is_final())
        {
            self.fail("a task run has not ended");
        }
    }

    #[track_caller]
    fn fail(&self, message: &str) -> ! {
        panic!("{message}\n\n{}", self.tree());
    }

    /// The run as a small tree with states.
    fn tree(&self) -> String {
        use std::fmt::Write as _;

        let mut text = format!(
            "{} {} {}\n",
            self.report.state.mark(),
            self.report.flow,
            self.report.state
        );
        let mut pending: Vec<(Option<u32>, usize)> = vec![(None, 1)];
        let mut shown = 0;
        while let Some((parent, depth)) = pending.pop() {
            if let Some(index) = parent
                && let Some(run) = self.report.task_runs.iter().find(|run| run.index == index)
            {
                shown += 1;
                if shown > 100 {
                    text.push_str("  ...\n");
                    break;
                }
                let indent = "  ".repeat(depth - 1);
                let _ = write!(
                    text,
                    "{indent}{} {} {}",
                    run.state.mark(),
                    run.name,
                    run.state
                );
                if run.attempts > 1 {
                    let _ = write!(text, ", {} attempts", run.attempts);
                }
                if let Some(error) = &run.error {
                    let _ = write!(text, ": {}", error.message);
                }
                text.push('\n');
            }
            let children = self
                .report
                .task_runs
                .iter()
                .filter(|run| run.parent == parent);
            for child in children.rev() {
                pending.push((Some(child.index), depth + 1));
            }
        }
        text
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    text
}

//! The life of a flow run: its arguments, its body, the task runs that outlive the body, the
//! cleanups, the final state.

use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Poll;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use tokio::time::Sleep;

use crate::body::{Made, MadeBody};
use crate::compute;
use crate::context;
use crate::definition::{Definition, HookOn};
use crate::engine::Deliver;
use crate::error::{
    BoxError, CancelReason, Failure, FlowError, FlowErrorKind, RecordedError, TaskErrorKind,
    panic_message,
};
use crate::event::EventKind;
use crate::panics;
use crate::policy::failure_mode::FailureMode;
use crate::recorder;
use crate::report::{LogReport, NodeKind, ParameterReport, RunReport, manifest_of};
use crate::scope::Scope;
use crate::state::{State, StateChange};
use crate::stop::Stop;
use crate::store::StoreError;
use crate::value::Codec;

use super::{Flow, NodeSpec, lock};

/// A cleanup of a flow run.
pub(crate) struct Finally {
    pub(crate) name: String,
    pub(crate) make: Box<dyn FnOnce() -> BoxFuture<'static, Result<(), BoxError>> + Send>,
}

static FINALLY: Definition = Definition::new("finally", "", "", 0, "");

/// What a flow body comes to.
pub(crate) type FlowBody<T> = BoxFuture<'static, Result<T, FlowErrorKind>>;

/// Takes a flow run through its whole life. The guard delivers the result before anybody who waits
/// for the flow run is woken.
pub(crate) async fn run<T: Send + 'static>(
    flow: Arc<Flow>,
    body: FlowBody<T>,
    codec: Option<Codec<T>>,
    mut guard: CrashGuard<T>,
) {
    let span = flow.span();
    flow.change(StateChange::Start)
        .expect("a flow run starts once");
    flow.emit(EventKind::FlowRunStarted {
        flow: flow.definition.name,
        name: flow.name.clone(),
        caller: flow.caller,
    });
    flow.tell_of_start();
    flow.call_hooks(HookOn::Start);

    let mut timeout = flow
        .definition
        .timeout
        .map(|after| Box::pin(tokio::time::sleep(after)));
    let result = run_body(&flow, body, &span, &mut timeout).await;
    if let Err(error) = &result {
        // What the body gave up on needs no more of its task runs, unless the mode says so.
        match (flow.failure_mode, error) {
            (_, FlowErrorKind::Cancelled { .. } | FlowErrorKind::TimedOut { .. }) => {}
            (FailureMode::ContinueOnFailure, _) => {}
            _ => flow.react_to_failure(),
        }
    }
    wait_until_idle(&flow, &mut timeout).await;
    let result = final_result(&flow, result);
    let result = result.map_err(|kind| FlowError::new(flow.name.clone(), kind));
    match &result {
        Err(error) if must_undo(&flow, error).await => {
            flow.roll_back(&span).await;
            wait_until_idle(&flow, &mut None).await;
        }
        _ => flow.forget_rollbacks(),
    }
    run_cleanups(&flow, &span).await;
    let result = record_end(&flow, result, codec).await;
    guard.end(result);
}

/// Whether there is something to undo, and it is ours: what another engine goes on with is not. What
/// a shutdown interrupts is gone on with at the next start, and what a lost result does, at once.
async fn must_undo(flow: &Flow, error: &FlowError) -> bool {
    flow.has_rollbacks()
        && match flow.recorder() {
            Some(_) if error.is_interruption() => false,
            Some(recorder) if recorder.resumes_after(error) => false,
            Some(recorder) => recorder.begin_roll_back(error).await,
            None => true,
        }
}

/// Writes to the store what the flow run came to, before anybody else learns of it.
async fn record_end<T: Send + 'static>(
    flow: &Arc<Flow>,
    result: Result<T, FlowError>,
    codec: Option<Codec<T>>,
) -> Result<T, FlowError> {
    let Some(recorder) = flow.recorder() else {
        return result;
    };
    let (result, stored) = match (result, codec) {
        (Ok(value), Some(codec)) => {
            let store = Arc::clone(&recorder.store);
            let job = move || {
                let stored = store.put(codec, &value);
                (value, stored)
            };
            match compute::call_under_way(&flow.engine, flow.runtime(), job).await {
                Ok((value, stored)) => (Ok(value), Some(stored)),
                Err(compute::Gone) => {
                    let kind = FlowErrorKind::RuntimeShutDown;
                    (Err(FlowError::new(flow.name.clone(), kind)), None)
                }
            }
        }
        (result, _) => (result, None),
    };
    let stored = match stored.transpose() {
        Ok(stored) => stored,
        Err(error) => {
            tracing::warn!(
                target: "orch",
                flow_run = flow.name,
                "the result of the flow run cannot be stored: {error}"
            );
            None
        }
    };
    let error = result.as_ref().err();
    let state = error.map_or(State::Completed, recorder::state_after);
    let committed = recorder
        .end_flow_run(
            flow.timestamp(),
            state,
            error.map(RecordedError::of_flow),
            stored,
        )
        .await;
    match committed {
        Ok(()) => result,
        Err(error) => {
            let kind = match error {
                StoreError::OwnershipLost { .. } => FlowErrorKind::Cancelled {
                    reason: CancelReason::OwnershipLost,
                },
                error => FlowErrorKind::Store {
                    message: error.to_string(),
                },
            };
            result.and(Err(FlowError::new(flow.name.clone(), kind)))
        }
    }
}

/// Polls the flow body until it returns, or until the flow run is stopped or takes too long.
pub(super) async fn run_body<T>(
    flow: &Arc<Flow>,
    body: FlowBody<T>,
    span: &tracing::Span,
    timeout: &mut Option<Pin<Box<Sleep>>>,
) -> Result<T, FlowErrorKind> {
    let mut body = AssertUnwindSafe(body).catch_unwind();
    let polled = std::future::poll_fn(|cx| {
        let _span = span.enter();
        let _context = context::enter_flow(flow);
        body.poll_unpin(cx)
    });
    tokio::pin!(polled);
    let mut has_timed_out = false;
    let mut grace = None;
    loop {
        tokio::select! {
            biased;
            returned = &mut polled => {
                return match returned {
                    Ok(result) => result,
                    Err(panic) => {
                        Err(FlowErrorKind::Panicked {
                            message: panic_message(&*panic),
                            backtrace: panics::origin(),
                        })
                    }
                };
            }
            () = sleep(timeout) => {
                *timeout = None;
                has_timed_out = true;
                flow.stop(Stop::Running, CancelReason::FlowTimeout);
            }
            () = flow.stopped.notified() => {}
            () = sleep(&mut grace) => flow.stop_further(Stop::Abort),
        }
        match flow.stopped() {
            Stop::None | Stop::Starting => {}
            // The body learns of it through the task runs it awaits, and may still decide.
            Stop::Running => {
                if grace.is_none() {
                    grace = Some(Box::pin(tokio::time::sleep(flow.grace)));
                }
            }
            Stop::Abort => {
                return Err(if has_timed_out {
                    FlowErrorKind::TimedOut {
                        after: flow.definition.timeout.unwrap_or_default(),
                    }
                } else {
                    let reason = flow.stop_reason().unwrap_or(CancelReason::FlowRun);
                    FlowErrorKind::Cancelled { reason }
                });
            }
        }
    }
}

async fn sleep(timer: &mut Option<Pin<Box<Sleep>>>) {
    match timer {
        Some(timer) => timer.await,
        None => std::future::pending().await,
    }
}

/// Waits until every task run has ended; gives those that were asked to stop their grace time.
pub(super) async fn wait_until_idle(flow: &Arc<Flow>, timeout: &mut Option<Pin<Box<Sleep>>>) {
    flow.body_ended.store(true, Ordering::SeqCst);
    let mut grace = None;
    while !flow.is_idle() {
        if flow.stopped() == Stop::Running && grace.is_none() {
            grace = Some(Box::pin(tokio::time::sleep(flow.grace)));
        }
        tokio::select! {
            biased;
            () = flow.idle.notified() => {}
            () = flow.stopped.notified() => {}
            () = sleep(timeout) => {
                *timeout = None;
                flow.stop(Stop::Running, CancelReason::FlowTimeout);
            }
            () = sleep(&mut grace) => {
                grace = Some(Box::pin(tokio::time::sleep(flow.grace)));
                flow.stop_further(Stop::Abort);
                // What started to wait since the last time is reached now.
                flow.wake_stopped();
            }
        }
    }
}

/// What the flow run comes to: what its body returned, unless it was stopped or a failure was
/// never looked at.
fn final_result<T>(flow: &Flow, result: Result<T, FlowErrorKind>) -> Result<T, FlowErrorKind> {
    if let Some(error) = flow.recorder().and_then(|recorder| recorder.failed_with()) {
        let error = error.clone();
        return Err(FlowErrorKind::Undone { error });
    }
    match flow.stop_reason() {
        Some(CancelReason::FlowTimeout) => {
            let after = flow.definition.timeout.unwrap_or_default();
            return Err(FlowErrorKind::TimedOut { after });
        }
        Some(reason) if reason != CancelReason::Failure => {
            return Err(FlowErrorKind::Cancelled { reason });
        }
        _ => {}
    }
    let unobserved = flow.unobserved();
    match result {
        // The body's own error says more than a cancellation that followed from a failure.
        Err(FlowErrorKind::Failed(error)) if unobserved.is_empty() || !is_consequence(&*error) => {
            Err(FlowErrorKind::Failed(error))
        }
        result if unobserved.is_empty() => result,
        Err(panic @ FlowErrorKind::Panicked { .. }) => Err(panic),
        _ => Err(FlowErrorKind::Unobserved {
            failures: unobserved,
        }),
    }
}

/// Whether an error of the body only says that a task run was cancelled because another failed.
fn is_consequence(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(error) = error.downcast_ref::<crate::error::TaskError>() {
            return matches!(
                error.root().kind(),
                TaskErrorKind::Cancelled {
                    reason: CancelReason::Failure
                }
            );
        }
        next = error.source();
    }
    false
}

/// Runs what `finally` registered, the last first, one after the other.
async fn run_cleanups(flow: &Arc<Flow>, span: &tracing::Span) {
    loop {
        let Some(cleanup) = lock(&flow.finally).pop() else {
            return;
        };
        let mut spec = NodeSpec::new(&FINALLY, NodeKind::Finally);
        spec.scope = Some(Arc::new(Scope::of_cleanups(flow.seed)));
        spec.detail = Some(crate::detail::Detail::named(cleanup.name));
        let make = cleanup.make;
        let inputs = Made {
            visit: Box::new(|_| {}),
            make: Box::new(move || {
                async move {
                    make()
                        .await
                        .map_err(|error| Failure::new(TaskErrorKind::Failed(error)))
                }
                .boxed()
            }),
        };
        let node = {
            let _span = span.enter();
            Arc::clone(flow).submit::<MadeBody<()>>(spec, inputs, None)
        };
        wait_until_idle(flow, &mut None).await;
        if let Some(error) = node.header.error() {
            tracing::error!(
                target: "orch",
                flow_run = flow.name,
                "a cleanup did not complete: {error}; the flow run's state stays as it is"
            );
        }
    }
}

/// Ends the flow run once, whatever happens: dropped before, it ends it as crashed.
pub(crate) struct CrashGuard<T> {
    flow: Arc<Flow>,
    deliver: Option<Deliver<T>>,
}

impl<T> CrashGuard<T> {
    /// Guards a flow run from the moment on in which it was taken on: a runtime that is shut down
    /// already drops it without polling anything.
    pub(crate) fn new(flow: Arc<Flow>, deliver: Deliver<T>) -> Self {
        Self {
            flow,
            deliver: Some(deliver),
        }
    }

    pub(crate) fn end(&mut self, result: Result<T, FlowError>) {
        if let Some(deliver) = self.deliver.take() {
            end(&self.flow, result, deliver);
        }
    }

    /// Ends a flow run that got no further than to its start.
    pub(crate) fn end_unstarted(&mut self, kind: FlowErrorKind) {
        let error = FlowError::new(self.flow.name.clone(), kind);
        if let Some(recorder) = self.flow.recorder() {
            recorder.abandon(self.flow.timestamp(), &error);
        }
        self.end(Err(error));
    }
}

impl<T> Drop for CrashGuard<T> {
    fn drop(&mut self) {
        if let Some(deliver) = self.deliver.take() {
            self.flow.stop(Stop::Abort, CancelReason::Shutdown);
            let kind = FlowErrorKind::RuntimeShutDown;
            let error = FlowError::new(self.flow.name.clone(), kind);
            if let Some(recorder) = self.flow.recorder() {
                recorder.abandon(self.flow.timestamp(), &error);
            }
            end(&self.flow, Err(error), deliver);
        }
    }
}

fn end<T>(flow: &Arc<Flow>, result: Result<T, FlowError>, deliver: Deliver<T>) {
    let (change, on) = match &result {
        Ok(_) => (StateChange::Complete, HookOn::Success),
        Err(error) => {
            let _ = flow.error.set(error.clone());
            let on = match error.change() {
                StateChange::Crash => HookOn::Crash,
                StateChange::Cancel => HookOn::Cancel,
                _ => HookOn::Failure,
            };
            (error.change(), on)
        }
    };
    let _ = flow.ended_after.set(Duration::from_nanos(flow.now()));
    flow.close_span();
    let state = flow.change(change).unwrap_or_else(|illegal| {
        tracing::error!(target: "orch", flow_run = flow.name, "{illegal}");
        flow.state()
    });
    lock(&flow.failures).clear();
    flow.call_hooks(on);
    if let Some(outbox) = flow.unrecorded_to() {
        outbox.flow_run_ended(flow, state);
    }
    flow.tell_of_end(state);
    flow.emit(EventKind::FlowRunEnded {
        flow: flow.definition.name,
        name: flow.name.clone(),
        state,
        error: flow.error.get().cloned(),
    });
    flow.engine.flow_ended(flow);
    deliver(flow, result);
    for waker in flow.ended.complete() {
        waker.wake();
    }
}

/// Ends a flow run that never started.
pub(crate) fn refuse<T>(flow: &Arc<Flow>, kind: FlowErrorKind, deliver: Deliver<T>) {
    let error = FlowError::new(flow.name.clone(), kind);
    // It may be recorded as running: its key was claimed before there was a place for it.
    if let Some(recorder) = flow.recorder() {
        recorder.abandon(flow.timestamp(), &error);
    }
    end(flow, Err(error), deliver);
}

/// Ends a flow run that had ended before: nothing is run, and nobody is told.
pub(crate) fn settle<T>(flow: &Arc<Flow>, result: T, deliver: Deliver<T>) {
    let started = flow.change(StateChange::Start);
    let completed = started.and_then(|_| flow.change(StateChange::Complete));
    debug_assert!(completed.is_ok(), "nobody else has the flow run yet");
    let _ = flow.ended_after.set(Duration::ZERO);
    deliver(flow, Ok(result));
    drop(flow.ended.complete());
}

/// Polls a future until the flow run is told to stop.
pub(crate) async fn until_stopped<F: Future>(flow: &Flow, future: F) -> Option<F::Output> {
    tokio::pin!(future);
    loop {
        if flow.stopped() >= Stop::Running {
            return None;
        }
        let stopped = flow.stopped.notified();
        tokio::pin!(stopped);
        stopped.as_mut().enable();
        if flow.stopped() >= Stop::Running {
            return None;
        }
        let ready = std::future::poll_fn(|cx| {
            if let Poll::Ready(output) = future.as_mut().poll(cx) {
                return Poll::Ready(Some(output));
            }
            stopped.as_mut().poll(cx).map(|()| None)
        })
        .await;
        if ready.is_some() {
            return ready;
        }
    }
}

impl Flow {
    /// Adds a cleanup.
    pub(crate) fn add_finally(&self, finally: Finally) {
        lock(&self.finally).push(finally);
    }

    /// Notes that the failures so far were looked at: the whole flow is tried again.
    pub(crate) fn forgive_failures(&self) {
        let failures = std::mem::take(&mut *lock(&self.failures));
        for node in failures {
            node.header().observe();
        }
    }

    /// Says where the counts of a map's items are kept.
    pub(crate) fn add_items(&self, index: u32, items: Arc<crate::scope::ItemCounts>) {
        self.records.add_items(index, items);
    }

    /// The report of one that had ended before, from its record.
    fn recorded_report(&self) -> Option<RunReport> {
        let engine = crate::engine::Engine(Arc::clone(&self.engine));
        match engine.recorded_run(self.id) {
            Ok(recorded) => Some(recorded?.report()),
            Err(error) => {
                tracing::warn!(target: "orch", flow_run = self.name, "its record: {error}");
                None
            }
        }
    }

    /// Puts together what is known of the flow run at this moment.
    pub(crate) fn report(&self) -> RunReport {
        if self.is_settled
            && let Some(report) = self.recorded_report()
        {
            return report;
        }
        let parked: std::collections::HashMap<u32, State> = lock(&self.parked)
            .iter()
            .map(|(index, parked)| (*index, parked.node.header().state()))
            .collect();
        let (mut task_runs, edges, unrecorded) = self
            .records
            .report(&|index| parked.get(&index).copied(), &|_| false);
        let mut by_index: std::collections::HashMap<u32, Vec<LogReport>> = Default::default();
        let mut own = Vec::new();
        let (logs, logs_dropped) = self.logs.snapshot();
        for (task_run, log) in logs {
            match task_run {
                Some(index) => by_index.entry(index).or_default().push(log),
                None => own.push(log),
            }
        }
        for task_run in &mut task_runs {
            task_run.logs = by_index.remove(&task_run.index).unwrap_or_default();
        }
        let (logged, logged_dropped) = self.logged(&task_runs);
        let row = self.recorder().map(|recorder| recorder.row());
        RunReport {
            flow_run: self.id.to_string(),
            flow: self.definition.name.to_owned(),
            name: self.name.clone(),
            tags: self.tags.clone(),
            state: self.state(),
            error: self.error.get().map(FlowError::to_report),
            started_at_unix_ms: (self.started_at.0 / 1_000_000) as u64,
            duration: self
                .ended_after
                .get()
                .copied()
                .unwrap_or_else(|| Duration::from_nanos(self.now())),
            seed: self.seed,
            parameters: row
                .as_ref()
                .map(ParameterReport::all_of)
                .unwrap_or_default(),
            manifest: row.as_ref().map(manifest_of).unwrap_or_default(),
            task_runs,
            edges,
            unrecorded,
            logs: own,
            logs_dropped,
            logged,
            logged_dropped,
        }
    }
}

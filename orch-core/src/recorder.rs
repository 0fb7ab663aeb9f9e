//! What a flow run leaves in a store, and what it finds there of its earlier executions.

mod earlier;
mod notices;
mod store;

pub(crate) use self::earlier::Earlier;
pub(crate) use self::store::{Claim, EngineStore, INLINE_BYTES, Kept, NotStored, get};

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use self::earlier::EarlierTaskRuns;
use crate::error::{CancelReason, Failure, FlowError, RecordedError, TaskErrorKind};
use crate::flow::{Flow, Rehearsal};
use crate::id::FlowRunId;
use crate::identity::{Identity, Source};
use crate::node::Header;
use crate::report::NodeKind;
use crate::secret::scrub;
use crate::state::{State, StateChange};
use crate::store::{
    AttemptRow, CallId, Change, Durability, Fence, FlowRunRow, Hold, KeyRow, Logged, MetricRow,
    Place, Position, RecordedTaskRuns, ResultOrigin, RunOrigin, StepRow, StoreError, StoredValue,
    TaskRunRow, Timestamp,
};

/// How often a process may be gone while a task run runs before the task run is blamed for it.
pub(crate) const MAX_CRASHES: u32 = 3;

/// The failure of a task run whose store failed.
pub(crate) fn failure(error: &StoreError) -> Failure {
    Failure::last(TaskErrorKind::Store {
        message: error.to_string(),
    })
}

/// Records one flow run, and hands back what was recorded of it before.
pub(crate) struct Recorder {
    pub(crate) store: Arc<EngineStore>,
    fence: Fence,
    /// What earlier executions recorded and this one has not called yet.
    earlier: Mutex<EarlierTaskRuns>,
    /// The moment from which the flow run's clock counts.
    started_at: Timestamp,
    executions: AtomicU64,
    /// The flow runs that calls of this one's earlier executions started, the last of each.
    subflows: Mutex<HashMap<CallId, FlowRunRow>>,
    /// The calls in which another call was under way when the process was gone.
    waiting: HashSet<CallId>,
    /// Whether the flow run had come to an end before.
    had_ended: bool,
    /// Why the flow run had failed, if its process was gone while it was undone.
    failed_with: Option<RecordedError>,
    /// The flow run as it was recorded last.
    row: Mutex<FlowRunRow>,
    /// Set if nothing is executed or written, to see what would be.
    rehearsal: Option<Rehearsal>,
    /// Whether a result was lost that had been used, so that nothing fits together any more.
    has_lost_result: AtomicBool,
    is_second_chance: bool,
    /// The execution that went on with the flow run after that.
    next: OnceLock<Arc<Flow>>,
    /// Whether the end of the flow run is recorded: what is logged later is nobody's.
    is_over: Mutex<bool>,
}

/// What earlier executions of a flow run recorded.
#[derive(Default)]
pub(crate) struct Past {
    pub(crate) task_runs: RecordedTaskRuns,
    pub(crate) steps: Vec<StepRow>,
    pub(crate) subflows: Vec<FlowRunRow>,
    /// The task runs of the flow run that this one was made from.
    pub(crate) of_origin: RecordedTaskRuns,
}

impl Recorder {
    pub(crate) fn new(
        store: Arc<EngineStore>,
        fence: Fence,
        row: FlowRunRow,
        past: Past,
        started_at: Timestamp,
    ) -> Self {
        let Past {
            task_runs,
            subflows,
            of_origin,
            ..
        } = past;
        // What is packed is over.
        let waiting = task_runs.rows.iter().filter(|row| was_under_way(row));
        let waiting = waiting.map(|row| row.scope).collect();
        let earlier = EarlierTaskRuns::new(task_runs, row.origin.as_ref(), of_origin);
        let last = earlier.last_execution();
        // The newest first: where there are several of one call, that one stays.
        let subflows = subflows.into_iter().rev();
        Self {
            store,
            fence,
            executions: AtomicU64::new(last + 1),
            waiting,
            subflows: Mutex::new(
                subflows
                    .filter_map(|row| row.caller.map(|(_, call)| (call, row)))
                    .collect(),
            ),
            earlier: Mutex::new(earlier),
            started_at,
            had_ended: row.state.is_final(),
            failed_with: row.error.clone().filter(|_| row.is_rolling_back),
            row: Mutex::new(row),
            rehearsal: None,
            has_lost_result: AtomicBool::new(false),
            is_second_chance: false,
            next: OnceLock::new(),
            is_over: Mutex::new(false),
        }
    }

    /// Makes it the last of the executions that follow each other by themselves.
    pub(crate) fn on_its_second_chance(self) -> Self {
        Self {
            is_second_chance: true,
            ..self
        }
    }

    /// Notes that a result was lost which something else had been made of.
    pub(crate) fn lose_result(&self) {
        self.has_lost_result.store(true, Ordering::Release);
    }

    /// Whether the flow run that ended with this error is gone on with at once: what it has of a
    /// lost result is dropped, and the rest may well complete.
    pub(crate) fn resumes_after(&self, error: &FlowError) -> bool {
        self.has_lost_result.load(Ordering::Acquire)
            && !self.is_second_chance
            && !self.is_rolling_back()
            && error.change() == StateChange::Fail
            && lock(&self.row).parameters.is_some()
    }

    /// Names the execution that goes on with the flow run.
    pub(crate) fn go_on_as(&self, next: Arc<Flow>) {
        let is_first = self.next.set(next).is_ok();
        debug_assert!(is_first, "an execution ends once");
    }

    /// Returns the execution that went on with the flow run.
    pub(crate) fn next(&self) -> Option<&Arc<Flow>> {
        self.next.get()
    }

    /// Makes it execute and write nothing, and note what would be.
    pub(crate) fn rehearsing(self) -> Self {
        Self {
            // What it failed with before is what it would go on with.
            failed_with: None,
            rehearsal: Some(Rehearsal::default()),
            ..self
        }
    }

    pub(crate) fn rehearsal(&self) -> Option<&Rehearsal> {
        self.rehearsal.as_ref()
    }

    /// Records how the flow run ended and waits until that is on disk.
    ///
    /// # Errors
    /// The store failed and the engine is to fail with it.
    pub(crate) async fn end_flow_run(
        &self,
        ended_at: Timestamp,
        state: State,
        error: Option<RecordedError>,
        result: Option<Kept>,
    ) -> Result<(), StoreError> {
        let orphans = self.orphans();
        // What a run that did not complete has not called, the next execution may.
        if state == State::Completed && !orphans.is_empty() {
            self.push(Change::Orphaned {
                run: self.fence.run,
                calls: orphans,
            });
        }
        let position = self.push_end(ended_at, state, error, result);
        let journal = &self.store.journal;
        journal.sync(self.fence, position).await
    }

    /// The same for a flow run that goes down with its runtime: nobody can wait for the disk.
    pub(crate) fn abandon(&self, ended_at: Timestamp, error: &FlowError) {
        let error_row = RecordedError::of_flow(error);
        self.push_end(ended_at, state_after(error), Some(error_row), None);
    }

    fn push_end(
        &self,
        ended_at: Timestamp,
        state: State,
        error: Option<RecordedError>,
        result: Option<Kept>,
    ) -> Position {
        let (result, hold) = match result {
            Some(Kept { value, hold }) => (Some(value), hold),
            None => (None, None),
        };
        let row = {
            let mut row = lock(&self.row);
            row.state = state;
            row.ended_at = Some(ended_at);
            row.error = error;
            row.result = result;
            row.is_rolling_back = false;
            row.clone()
        };
        *lock(&self.is_over) = true;
        let notices = self.notices_of_flow_run(&row);
        let position = self.push_with(Change::FlowRun(Box::new(row)), notices, hold);
        self.store.collect_if_due();
        position
    }

    /// Records that the flow run has failed and is to be undone, and waits until that is on disk:
    /// from now on nothing of it is executed any more, whatever becomes of this process. Returns
    /// whether it is still ours to undo.
    pub(crate) async fn begin_roll_back(&self, error: &FlowError) -> bool {
        let row = {
            let mut row = lock(&self.row);
            row.state = State::Running;
            row.error = Some(RecordedError::of_flow(error));
            row.is_rolling_back = true;
            row.clone()
        };
        let position = self.push(Change::FlowRun(Box::new(row)));
        match self.store.journal.sync(self.fence, position).await {
            Ok(()) => true,
            Err(StoreError::OwnershipLost { .. }) => false,
            Err(error) => {
                tracing::error!(target: "orch", "{error}; the flow run is undone all the same");
                true
            }
        }
    }

    /// Returns why the flow run had failed, if its process was gone while it was undone.
    pub(crate) fn failed_with(&self) -> Option<&RecordedError> {
        self.failed_with.as_ref()
    }

    /// Whether all that is left to do for the flow run is to undo it.
    pub(crate) fn is_rolling_back(&self) -> bool {
        self.failed_with.is_some()
    }

    /// Whether a task run may be executed: not any more in a flow run that is only to be undone.
    ///
    /// # Errors
    /// It is cancelled.
    pub(crate) fn may_execute(&self, header: &Header) -> Result<(), Failure> {
        if self.is_rolling_back() && header.kind == NodeKind::Task && !header.is_cleanup() {
            let reason = CancelReason::Failure;
            return Err(Failure::last(TaskErrorKind::Cancelled { reason }));
        }
        Ok(())
    }

    /// Whether a result of a task run can be recorded without waiting, and nothing earlier of it has
    /// to be looked at.
    pub(crate) fn records_at_once(&self, header: &Header) -> bool {
        let is_new = || {
            let earlier = lock(&self.earlier);
            header.call().is_none_or(|call| !earlier.has(call))
        };
        self.rehearsal.is_none()
            && !self.is_rolling_back()
            && self.store.durability == Durability::Relaxed
            && is_new()
            && self.store.journal.has_room()
    }

    /// Returns the flow run as it was recorded last.
    pub(crate) fn row(&self) -> FlowRunRow {
        lock(&self.row).clone()
    }

    /// Whether a task was named as one that runs again although there is a record.
    pub(crate) fn must_run_again(&self, task: &str) -> bool {
        match &lock(&self.row).origin {
            Some(RunOrigin::Rerun { from, .. }) => from.iter().any(|name| name == task),
            _ => false,
        }
    }

    pub(crate) fn fence(&self) -> Fence {
        self.fence
    }

    /// Whether another engine has taken the flow run over: it is no longer ours to do anything for.
    pub(crate) fn is_lost(&self) -> bool {
        self.store.journal.has_lost(self.fence)
    }

    /// Numbers the executions of this flow run's task runs.
    pub(crate) fn next_execution(&self) -> u64 {
        self.executions.fetch_add(1, Ordering::Relaxed)
    }

    /// Returns what an earlier execution recorded of a call. Only its first caller gets it.
    pub(crate) fn earlier(&self, call: CallId) -> Option<Earlier> {
        lock(&self.earlier).take(call)
    }

    /// Whether an earlier execution recorded a result of a call that this one has not asked for: one
    /// that is stopped before it gets there leaves the result to the next.
    pub(crate) fn has_result(&self, identity: &Identity) -> bool {
        let earlier = lock(&self.earlier);
        identity.call.is_some_and(|call| earlier.has_result(call))
    }

    /// Returns the flow run that an earlier execution of a call started. Only its first caller gets
    /// it.
    pub(crate) fn subflow(&self, call: CallId) -> Option<FlowRunRow> {
        lock(&self.subflows).remove(&call)
    }

    /// Whether the flow run had come to an end before it was gone on with.
    pub(crate) fn had_ended(&self) -> bool {
        self.had_ended
    }

    /// Whether a recorded task run may be why its process is gone: it was under way, and not only
    /// waiting for what it had called.
    pub(crate) fn has_crashed(&self, row: &TaskRunRow) -> bool {
        was_under_way(row) && !self.waiting.contains(&row.call)
    }

    /// Returns the calls of earlier executions that were not made again.
    pub(crate) fn orphans(&self) -> Vec<CallId> {
        lock(&self.earlier).results()
    }

    /// A moment of the flow run's clock, in nanoseconds.
    pub(crate) fn timestamp(&self, at: u64) -> Timestamp {
        Timestamp(self.started_at.0.saturating_add_unsigned(at))
    }

    /// Hands a change to the journal.
    pub(crate) fn push(&self, change: Change) -> Position {
        self.push_holding(change, None)
    }

    /// The same for a change that points to a blob.
    pub(crate) fn push_holding(&self, change: Change, hold: Option<Hold>) -> Position {
        self.push_with(change, Vec::new(), hold)
    }

    /// The same with the notices of the change, which are committed with it.
    fn push_with(&self, change: Change, notices: Vec<Change>, hold: Option<Hold>) -> Position {
        if self.rehearsal.is_some() {
            return Position::default();
        }
        let journal = &self.store.journal;
        journal.push_with(Some(self.fence), change, notices, hold)
    }

    /// Records a point of a metric.
    pub(crate) fn push_metric(&self, row: MetricRow) {
        let is_over = lock(&self.is_over);
        if !*is_over && self.rehearsal.is_none() {
            self.store.journal.push_metric(self.fence, row);
        }
    }

    /// Records what was logged.
    pub(crate) fn push_logged(&self, logged: Logged, hold: Option<Hold>) {
        let is_over = lock(&self.is_over);
        if !*is_over {
            let run = self.fence.run;
            self.push_holding(Change::Logged { run, logged }, hold);
        }
    }

    /// Waits until everything that was recorded so far is on disk.
    pub(crate) async fn sync(&self) -> Result<(), Failure> {
        let position = self.store.journal.last();
        let committed = self.store.journal.sync(self.fence, position).await;
        committed.map_err(|error| failure(&error))
    }

    /// Records where a task run stands.
    pub(crate) fn push_task_run(
        &self,
        header: &Header,
        identity: &Identity,
        state: State,
        ended: Option<u64>,
        hold: Option<Hold>,
    ) -> Option<Position> {
        // A flow run that is only to be undone stays recorded as it was.
        if self.is_rolling_back() && !header.is_cleanup() {
            return None;
        }
        let row = self.task_run(header, identity, state, ended)?;
        Some(self.push_task_run_row(row, header.is_item(), hold))
    }

    /// Records that a task run was undone: nothing else of it changes.
    pub(crate) fn push_undone(&self, header: &Header, identity: &Identity, completed_at: i64) {
        let row = match identity.record.get() {
            Some(record) => Some((**record).clone()),
            None => self.task_run(header, identity, State::RolledBack, None),
        };
        if let Some(row) = row {
            let row = TaskRunRow {
                state: State::RolledBack,
                ended_at: Some(Timestamp(completed_at)),
                ..row
            };
            self.push_task_run_row(row, false, None);
        }
    }

    fn push_task_run_row(&self, row: TaskRunRow, is_item: bool, hold: Option<Hold>) -> Position {
        let notices = self.notices_of_task_run(&row);
        let change = Change::TaskRun {
            run: self.fence.run,
            row: Box::new(row),
            is_item,
        };
        self.push_with(change, notices, hold)
    }

    /// A task run as it stands.
    pub(crate) fn task_run(
        &self,
        header: &Header,
        identity: &Identity,
        state: State,
        ended: Option<u64>,
    ) -> Option<TaskRunRow> {
        let call = identity.call?;
        Some(TaskRunRow {
            call,
            scope: header
                .scope
                .as_ref()
                .map_or(CallId::ROOT, |scope| scope.calls.scope()),
            index: header.index,
            task: Arc::clone(identity.task.get()?),
            kind: header.kind,
            name: (header.name() != header.definition.name)
                .then(|| scrub(header.name().to_owned())),
            state,
            attempts: header.attempts(),
            crashes: identity.crashes.load(Ordering::Relaxed),
            ready_at: Some(self.timestamp(header.ready_at())),
            started_at: header.started_at().map(|at| self.timestamp(at)),
            ended_at: ended.map(|at| self.timestamp(at)),
            error: header.error().map(RecordedError::of_task),
            result: identity.stored.get().cloned(),
            origin: match identity.source.get() {
                Some(Source::Cache(origin) | Source::Record(origin)) => *origin,
                None => ResultOrigin::Executed,
            },
            key: identity.key.get().map(|key| match identity.source.get() {
                // The entry that it came from has the parts.
                Some(Source::Cache(_)) => KeyRow {
                    digest: key.digest,
                    parts: Vec::new(),
                },
                _ => key.clone(),
            }),
            upstream: identity.upstream.clone(),
            is_complete: identity.is_complete && !identity.is_tainted(),
            inputs: identity.inputs.get().copied().unwrap_or_default(),
            execution: identity.execution(),
            is_orphaned: false,
        })
    }

    /// Records a task run that was handed back from another flow run.
    pub(crate) fn push_reused(&self, header: &Header, of: FlowRunId, row: TaskRunRow) {
        let is_blob = |value: &StoredValue| value.place == Place::Blob;
        let hold = match row.result.as_ref().filter(|value| is_blob(value)) {
            None => None,
            Some(_) => self.store.hold_blobs(),
        };
        let row = TaskRunRow {
            index: header.index,
            state: State::Reused,
            origin: ResultOrigin::Cached {
                run: of,
                call: row.call,
            },
            attempts: 0,
            crashes: 0,
            ..row
        };
        self.push_task_run_row(row, header.is_item(), hold);
    }

    /// Records an attempt that failed.
    pub(crate) fn push_attempt(
        &self,
        header: &Header,
        call: CallId,
        attempt: u32,
        started: u64,
        ended: u64,
        error: RecordedError,
    ) {
        let row = AttemptRow {
            call,
            attempt,
            started_at: self.timestamp(started),
            ended_at: self.timestamp(ended),
            error: Some(error),
        };
        let notices = self.notices_of_attempt(header, &row);
        let change = Change::Attempt {
            run: self.fence.run,
            row: Box::new(row),
        };
        self.push_with(change, notices, None);
    }
}

/// The state in which a flow run is recorded that did not complete.
///
/// What a shutdown interrupts has not come to an end of its own: like one whose process is gone, it
/// is gone on with when it is started again.
pub(crate) fn state_after(error: &FlowError) -> State {
    match error.is_interruption() {
        true => State::Crashed,
        // One that was refused did not start.
        false => State::Running
            .after(error.change())
            .or(State::Pending.after(error.change()))
            .unwrap_or(State::Failed),
    }
}

fn was_under_way(row: &TaskRunRow) -> bool {
    !row.state.is_final() && row.started_at.is_some()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Plain tables, and no code of the user's runs under these locks.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

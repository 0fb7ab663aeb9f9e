//! A flow run in which nothing is executed and nothing is written, to see what would be: the body
//! runs, recorded and cached results are handed back, and every other task run stops where its body
//! would start.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::error::CancelReason;
use crate::id::FlowRunId;
use crate::identity::Source;
use crate::node::Header;
use crate::report::{NodeKind, RunReport};
use crate::state::{State, StateChange};
use crate::stop::Stop;
use crate::store::{CallId, FlowRunRow, RecordedTaskRuns, TaskRunRow};

use super::supervise::{FlowBody, run_body, wait_until_idle};
use super::{Flow, lock};

/// How often to look whether anything moves, and how often nothing may before that is believed.
const LOOK: (Duration, u32) = (Duration::from_millis(5), 20);

/// What a rehearsal has seen so far.
#[derive(Default)]
pub(crate) struct Rehearsal {
    /// The task runs that got as far as they get, as they would be recorded.
    rows: Mutex<HashMap<CallId, TaskRunRow>>,
    /// What the subflows came to that were rehearsed along.
    subflows: Mutex<Vec<RehearsedSubflow>>,
    /// The maps that have taken all of their items.
    whole_maps: Mutex<HashSet<CallId>>,
    /// How many are looked at or loaded at the moment.
    busy: AtomicUsize,
    /// Counts everything that happens.
    moves: AtomicUsize,
}

/// What a rehearsal came to.
pub(crate) struct Rehearsed {
    /// The flow run that it was a rehearsal of.
    pub(crate) row: FlowRunRow,
    /// The task runs whose inputs were there: handed back, cached, pending where they would be
    /// executed, running where something in them would be. In no order.
    pub(crate) task_runs: Vec<TaskRunRow>,
    /// The subflows among them that were rehearsed, too.
    pub(crate) subflows: Vec<RehearsedSubflow>,
    /// The maps that have taken all of their items.
    pub(crate) whole_maps: HashSet<CallId>,
    /// All that was submitted.
    pub(crate) report: RunReport,
    /// Whether the flow body came to its end.
    pub(crate) has_ended: bool,
}

/// A subflow that was rehearsed along with the flow that calls it.
pub(crate) struct RehearsedSubflow {
    pub(crate) call: CallId,
    pub(crate) rehearsed: Rehearsed,
    /// The recorded flow run that it would go on with.
    pub(crate) of: Option<(FlowRunId, RecordedTaskRuns)>,
}

/// How many items of a map are looked at that would be executed.
pub(crate) const REHEARSED_ITEMS: usize = 4_096;

impl Rehearsal {
    /// Notes what became of a task run that is not executed.
    pub(crate) fn has_ended(&self, header: &Header) {
        let is_executed = matches!(header.kind, NodeKind::Task | NodeKind::Subflow);
        let state = match header.identity_mut().source.get() {
            Some(Source::Cache(_)) => State::Cached,
            None if !is_executed => State::Completed,
            _ => State::Reused,
        };
        self.note(header, state);
    }

    /// Ends the way of a task run whose body would start now.
    pub(crate) async fn stop_at<T>(&self, header: &Header) -> T {
        self.note(header, State::Pending);
        std::future::pending().await
    }

    /// Notes a map or a group, which goes on until what is called in it stops.
    pub(crate) fn goes_on(&self, header: &Header) {
        self.note(header, State::Running);
    }

    /// Notes what a subflow came to.
    pub(crate) fn add_subflow(&self, subflow: RehearsedSubflow) {
        lock(&self.subflows).push(subflow);
        self.moves.fetch_add(1, Ordering::SeqCst);
    }

    /// Notes that a map has no more items.
    pub(crate) fn has_all_items(&self, header: &Header) {
        lock(&self.whole_maps).extend(header.call());
    }

    fn note(&self, header: &Header, state: State) {
        let recorder = header.flow.recorder();
        let row = recorder
            .and_then(|recorder| recorder.task_run(header, header.identity_mut(), state, None));
        lock(&self.rows).extend(row.map(|row| (row.call, row)));
        self.moves.fetch_add(1, Ordering::SeqCst);
    }

    /// Waits until nothing has moved for a while.
    async fn until_quiet(&self) {
        let (interval, enough) = LOOK;
        let mut last = None;
        let mut unmoved = 0;
        while unmoved < enough {
            tokio::time::sleep(interval).await;
            let now = self.moves.load(Ordering::SeqCst);
            let is_busy = self.busy.load(Ordering::SeqCst) > 0;
            unmoved = if is_busy || last != Some(now) {
                0
            } else {
                unmoved + 1
            };
            last = Some(now);
        }
    }
}

/// Counts a task run as one that is looked at or loaded.
pub(crate) struct Busy<'a>(&'a Rehearsal);

impl<'a> Busy<'a> {
    pub(crate) fn of(rehearsal: &'a Rehearsal) -> Self {
        rehearsal.busy.fetch_add(1, Ordering::SeqCst);
        Self(rehearsal)
    }
}

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        self.0.busy.fetch_sub(1, Ordering::SeqCst);
        self.0.moves.fetch_add(1, Ordering::SeqCst);
    }
}

/// Polls a flow body as far as it gets, and ends what it submitted.
///
/// A body that is at something of its own, rather than waiting for a task run, is given up on after
/// a moment: what it would call then is not known. One that comes to its end without anything being
/// executed has a result.
pub(crate) async fn rehearse<T>(flow: Arc<Flow>, body: FlowBody<T>) -> (Rehearsed, Option<T>) {
    let recorder = flow.recorder().expect("a rehearsal is of a recorded run");
    let rehearsal = recorder.rehearsal().expect("made for a rehearsal");
    let _ = flow.change(StateChange::Start);
    let span = tracing::Span::none();
    let returned = {
        let mut no_timeout = None;
        let running = run_body(&flow, body, &span, &mut no_timeout);
        tokio::pin!(running);
        tokio::select! {
            biased;
            returned = &mut running => {
                rehearsal.until_quiet().await;
                Some(returned)
            }
            () = rehearsal.until_quiet() => None,
        }
    };
    let report = flow.report();
    flow.stop(Stop::Abort, CancelReason::FlowRun);
    wait_until_idle(&flow, &mut None).await;
    flow.forget_rollbacks();
    lock(&flow.finally).clear();
    lock(&flow.failures).clear();
    let _ = flow.change(StateChange::Cancel);
    for waker in flow.ended.complete() {
        waker.wake();
    }
    let rehearsed = Rehearsed {
        row: recorder.row(),
        task_runs: lock(&rehearsal.rows).drain().map(|(_, row)| row).collect(),
        subflows: std::mem::take(&mut *lock(&rehearsal.subflows)),
        whole_maps: std::mem::take(&mut *lock(&rehearsal.whole_maps)),
        report,
        has_ended: returned.is_some(),
    };
    (rehearsed, returned.and_then(Result::ok))
}

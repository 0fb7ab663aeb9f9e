//! What moves nodes: drivers execute ready ones, and the end of each makes others ready.
//!
//! A driver is a Tokio task that takes ready nodes of one flow run, polls their bodies, ends them
//! and goes on with a successor that became ready by that. A flow run has at most as many as the
//! runtime has workers. When a body pends, its driver gives up its place to another and stays with
//! that body.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};

use crate::body::{Slot, Started};
use crate::compute;
use crate::context;
use crate::definition::{HookOn, Kind};
use crate::error::{CancelReason, Failure, TaskError, TaskErrorKind};
use crate::event::EventKind;
use crate::flow::{Flow, call_hook, stop_of};
use crate::hook::HookEvent;
use crate::identity::Identity;
use crate::logs;
use crate::node::{AnyNode, Header, Waiter};
use crate::report::{EdgeKind, NodeKind};
use crate::state::{State, StateChange};
use crate::stop::Stop;

/// How often a driver with nothing to do lets others run before it ends: a flow body that submits
/// one task run after the other would otherwise make it start anew for each.
const IDLE_YIELDS: u8 = 8;

/// How long a driver with nothing to do waits before it looks again: about a microsecond.
const SPINS: u32 = 32;

/// After this many nodes a driver tells Tokio that it has used a unit of its budget.
const NODES_PER_BUDGET_UNIT: u8 = 64;

/// How a node ended.
pub(crate) enum Ending {
    /// With a result, which the node keeps already.
    Completed,
    /// Without one.
    Error(TaskError),
}

/// Executes ready nodes of one flow run, one after the other.
pub(crate) struct Driver {
    flow: Arc<Flow>,
    slot: Slot,
    /// The node whose body is in the slot.
    current: Option<Current>,
    next: Option<Arc<dyn AnyNode>>,
    has_place: bool,
    has_ended: bool,
    idle_yields: u8,
    nodes: u8,
    /// When the last node ended, if that was just now: the next one starts at the same time, and
    /// the clock is read once.
    now: Option<u64>,
}

struct Current {
    node: Arc<dyn AnyNode>,
    span: tracing::Span,
    is_parked: bool,
    is_cancelling: bool,
}

impl Driver {
    /// Makes a driver that holds one of its flow run's places.
    pub(crate) fn new(flow: Arc<Flow>) -> Self {
        Self {
            flow,
            slot: Slot::default(),
            current: None,
            next: None,
            has_place: true,
            has_ended: false,
            idle_yields: 0,
            nodes: 0,
            now: None,
        }
    }

    /// Starts a node. Its body is in the slot afterwards, or it has ended, or ends by itself.
    fn begin(&mut self, node: Arc<dyn AnyNode>) {
        let header = node.header();
        if stop_of(header) != Stop::None {
            self.next = end_stopped_as_successor(node, &self.flow);
            return;
        }
        let span = logs::task_span(&self.flow, header);
        let now = self.now.take().unwrap_or_else(|| self.flow.now());
        // Another driver may have made it ready since this one read the clock.
        let now = now.max(header.ready_at());
        let slot = &mut self.slot;
        let starting = Arc::clone(&node);
        let (node, started) = context::within_node(node, || {
            let _span = span.enter();
            catch_unwind(AssertUnwindSafe(|| starting.start(slot, now)))
        });
        match started {
            Ok(Started::InSlot) => {
                self.current = Some(Current {
                    node,
                    span,
                    is_parked: false,
                    is_cancelling: false,
                });
            }
            Ok(Started::Done(result)) => self.end(node, result),
            Ok(Started::Elsewhere(job)) => {
                let turn = node.header().turn();
                drop(node);
                let _span = span.enter();
                compute::run(&self.flow.engine, self.flow.runtime(), job, turn);
            }
            Err(panic) => self.end(node, Err(Failure::panicked(&*panic))),
        }
    }

    fn end(&mut self, node: Arc<dyn AnyNode>, result: Result<(), Failure>) {
        let now = self.flow.now();
        self.now = Some(now);
        self.next = end(node, &self.flow, result, now);
    }

    /// Polls the body in the slot. Returns `Pending` when the driver stays with it.
    fn poll_current(&mut self, mut current: Current, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            let header = current.node.header();
            let stop = stop_of(header);
            if stop != Stop::None && self.must_drop(&mut current, stop) {
                self.drop_body(current);
                return Poll::Ready(());
            }
            let (slot, span) = (&mut self.slot, &current.span);
            let (node, polled) = context::within_node(current.node, || {
                let _span = span.enter();
                catch_unwind(AssertUnwindSafe(|| slot.poll(cx)))
            });
            current.node = node;
            let result = match polled {
                Ok(Poll::Ready(result)) => result,
                Ok(Poll::Pending) => {
                    // Parked before the last look at `stop_of`, so that whoever stops the node
                    // after that look finds it here.
                    let header = current.node.header();
                    self.flow
                        .park(Arc::clone(&current.node), Some(cx.waker().clone()));
                    current.is_parked = true;
                    if stop_of(header) > stop {
                        continue;
                    }
                    self.now = None;
                    if self.has_place {
                        self.has_place = false;
                        self.flow.leave_place();
                        if self.flow.has_ready() {
                            self.flow.ensure_driver();
                        }
                    }
                    self.current = Some(current);
                    return Poll::Pending;
                }
                Err(panic) => {
                    self.slot.clear();
                    Err(Failure::panicked(&*panic))
                }
            };
            if current.is_parked {
                self.flow.unpark(current.node.header().index);
            }
            self.end(current.node, result);
            return Poll::Ready(());
        }
    }

    /// Whether a node that was told to stop is dropped now, and does not get its grace time.
    fn must_drop(&self, current: &mut Current, stop: Stop) -> bool {
        let header = current.node.header();
        match stop {
            Stop::None => false,
            // What runs may finish; what waits to run (again) may not.
            Stop::Starting => header.refuse_start(),
            Stop::Running => {
                let can_stop_itself = header.definition.kind == Kind::Blocking
                    || header.kind != NodeKind::Task
                    || header.definition.takes_context();
                if !can_stop_itself || !current.is_cancelling && header.refuse_start() {
                    return true;
                }
                if !current.is_cancelling {
                    current.is_cancelling = true;
                    if header.change(StateChange::BeginCancel).is_ok() {
                        self.flow.emit(EventKind::cancelling(header));
                    }
                    header.detail_mut().cancel_token();
                    stop_children(header, Stop::Running);
                }
                false
            }
            Stop::Abort => true,
        }
    }

    fn drop_body(&mut self, current: Current) {
        let dropping = AssertUnwindSafe(|| {
            let _span = current.span.enter();
            context::within(&current.node, || self.slot.clear());
        });
        if let Err(panic) = catch_unwind(dropping) {
            tracing::error!(
                target: "orch",
                task_run = current.node.header().name(),
                "dropping the cancelled body panicked with `{}`",
                crate::error::panic_message(&*panic)
            );
        }
        if current.is_parked {
            self.flow.unpark(current.node.header().index);
        }
        self.next = end_stopped_as_successor(current.node, &self.flow);
    }

    /// Waits a moment for a flow body that submits on another worker to get ahead: to take each
    /// node from under its hands makes both slower.
    fn spin_for_work(&mut self) -> bool {
        for _ in 0..SPINS {
            std::hint::spin_loop();
        }
        self.next = self.flow.pop();
        self.next.is_some()
    }

    /// Yields to other tasks of the runtime when this one has had its share.
    fn poll_budget(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.nodes += 1;
        if self.nodes == NODES_PER_BUDGET_UNIT {
            self.nodes = 0;
            std::task::ready!(pin!(tokio::task::consume_budget()).poll(cx));
        }
        if !tokio::task::coop::has_budget_remaining() {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(())
    }
}

impl Future for Driver {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        let _context = context::enter_flow(&this.flow);
        loop {
            if let Some(current) = this.current.take() {
                std::task::ready!(this.poll_current(current, cx));
            }
            if !this.has_place && !this.reclaim_place() {
                this.has_ended = true;
                return Poll::Ready(());
            }
            let Some(node) = this.next.take().or_else(|| this.flow.pop()) else {
                this.now = None;
                if this.spin_for_work() {
                    continue;
                }
                if this.idle_yields < IDLE_YIELDS {
                    this.idle_yields += 1;
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                this.has_place = false;
                this.flow.leave_place();
                if this.flow.has_ready() && this.reclaim_place() {
                    continue;
                }
                this.has_ended = true;
                return Poll::Ready(());
            };
            this.idle_yields = 0;
            if this.poll_budget(cx).is_pending() {
                this.next = Some(node);
                this.now = None;
                return Poll::Pending;
            }
            this.begin(node);
        }
    }
}

impl Driver {
    /// Takes a place again after the body that this driver stayed with has ended, or hands the
    /// successor to those that have one.
    fn reclaim_place(&mut self) -> bool {
        self.has_place = self.flow.take_place();
        if !self.has_place
            && let Some(next) = self.next.take()
        {
            self.flow.push(next);
        }
        self.has_place
    }
}

impl Drop for Driver {
    /// A driver that is dropped before it ended goes down with its runtime: nothing of its flow
    /// run will be executed any more.
    fn drop(&mut self) {
        if self.has_ended {
            return;
        }
        let crash = |node: Arc<dyn AnyNode>| {
            let failure = Failure::last(TaskErrorKind::RuntimeShutDown);
            // What wanted to look at it became ready: it is ended with the rest of the queue.
            if let Some(next) = end(node, &self.flow, Err(failure), self.flow.now()) {
                self.flow.push_quietly(next);
            }
        };
        if let Some(current) = self.current.take() {
            self.slot.clear();
            self.flow.unpark(current.node.header().index);
            crash(current.node);
        }
        if let Some(next) = self.next.take() {
            crash(next);
        }
        if self.has_place {
            self.flow.leave_place();
        }
        while let Some(node) = self.flow.pop() {
            let without_runtime = self.flow.runtime().is_none();
            let kind = if without_runtime {
                TaskErrorKind::NoRuntime
            } else {
                TaskErrorKind::RuntimeShutDown
            };
            let next = end(node, &self.flow, Err(Failure::last(kind)), self.flow.now());
            // Whatever became ready by it goes the same way.
            if let Some(next) = next {
                self.flow.push_quietly(next);
            }
        }
    }
}

/// How deep inline bodies may call each other before the next one is queued: each takes a few
/// hundred bytes of the stack.
const INLINE_DEPTH: u8 = 16;

thread_local! {
    static INLINE: std::cell::Cell<u8> = const { std::cell::Cell::new(0) };
}

/// Runs a ready inline node within the call that submitted it: no queue, no other thread, and its
/// inputs are still in the cache. Gives the node back when the call does not come from its flow
/// run, or when it may not run here.
pub(crate) fn run_inline(
    node: Arc<dyn AnyNode>,
    flow: &Arc<Flow>,
    now: u64,
) -> Result<(), Arc<dyn AnyNode>> {
    let is_inside =
        context::with_current(|place| place.is_some_and(|place| Arc::ptr_eq(&place.flow, flow)));
    let depth = INLINE.get();
    if !is_inside || depth >= INLINE_DEPTH || stop_of(node.header()) != Stop::None {
        return Err(node);
    }
    INLINE.set(depth + 1);
    let span = logs::task_span(flow, node.header());
    let starting = Arc::clone(&node);
    let (node, started) = context::within_call(node, || {
        let _span = span.enter();
        let mut slot = Slot::default();
        catch_unwind(AssertUnwindSafe(|| starting.start(&mut slot, now)))
    });
    INLINE.set(depth);
    let result = match started {
        Ok(Started::Done(result)) => result,
        Ok(_) => unreachable!("an inline body is done when it has started"),
        Err(panic) => Err(Failure::panicked(&*panic)),
    };
    if let Some(next) = end(node, flow, result, flow.now()) {
        flow.push(next);
    }
    Ok(())
}

/// Ends a node that has its result without having been executed.
pub(crate) fn end_completed(node: Arc<dyn AnyNode>, flow: &Arc<Flow>) {
    if let Some(next) = end(node, flow, Ok(()), flow.now()) {
        flow.push(next);
    }
}

/// Ends a node with what its body came to. Returns a node that became ready by it, to go on with.
fn end(
    node: Arc<dyn AnyNode>,
    flow: &Arc<Flow>,
    result: Result<(), Failure>,
    now: u64,
) -> Option<Arc<dyn AnyNode>> {
    let ending = match result {
        Ok(()) => Ending::Completed,
        Err(failure) => {
            let header = node.header();
            let kind = match failure.kind {
                // The engine's own word for "ended meanwhile": the reason is with the flow run.
                TaskErrorKind::Cancelled { .. } => TaskErrorKind::Cancelled {
                    reason: flow.reason_for(header),
                },
                kind => kind,
            };
            Ending::Error(header.make_error(kind))
        }
    };
    end_with(node, flow, ending, now)
}

/// The same for a node that no driver holds.
pub(crate) fn end_elsewhere<N: AnyNode + 'static>(node: Arc<N>, result: Result<(), Failure>) {
    let flow = Arc::clone(&node.header().flow);
    flow.unpark(node.header().index);
    let now = flow.now();
    if let Some(next) = end(node, &flow, result, now) {
        Arc::clone(&next.header().flow).push(next);
    }
}

/// Ends a node that no driver holds, and queues what became ready by it.
pub(crate) fn end_and_queue(node: Arc<dyn AnyNode>, ending: Ending) {
    let flow = Arc::clone(&node.header().flow);
    flow.unpark(node.header().index);
    let now = flow.now();
    if let Some(next) = end_with(node, &flow, ending, now) {
        Arc::clone(&next.header().flow).push(next);
    }
}

/// Ends a node that was told to stop.
pub(crate) fn end_stopped(node: Arc<dyn AnyNode>) {
    let header = node.header();
    let reason = header.flow.reason_for(header);
    let error = header.make_error(TaskErrorKind::Cancelled { reason });
    end_and_queue(node, Ending::Error(error));
}

fn end_stopped_as_successor(node: Arc<dyn AnyNode>, flow: &Arc<Flow>) -> Option<Arc<dyn AnyNode>> {
    let stopped = Failure::last(TaskErrorKind::Cancelled {
        reason: CancelReason::TaskRun,
    });
    end(node, flow, Err(stopped), flow.now())
}

/// Asks a node and its tree to stop.
pub(crate) fn cancel_node(node: &Arc<dyn AnyNode>) {
    let header = node.header();
    if header.state().is_final() || header.is_asked_to_cancel() {
        return;
    }
    header.ask_to_cancel();
    stop_children(header, Stop::Running);
    if header.state() == State::Pending && !header.countdown.is_zero() {
        end_stopped(Arc::clone(node));
        return;
    }
    let flow = &header.flow;
    flow.wake_stopped();
    if let Some(runtime) = flow.runtime() {
        let node = Arc::clone(node);
        let grace = flow.grace();
        drop(runtime.spawn(async move {
            tokio::select! {
                () = tokio::time::sleep(grace) => {
                    let header = node.header();
                    header.ask_to_abort();
                    stop_children(header, Stop::Abort);
                    header.flow.wake_stopped();
                }
                () = until_ended(&node) => {}
            }
        }));
    }
}

/// Waits until a node has ended, in whatever way.
pub(crate) async fn until_ended(node: &Arc<dyn AnyNode>) {
    let mut ticket = None;
    std::future::poll_fn(|cx| {
        if node.header().poll_end(&mut ticket, cx) {
            Poll::Pending
        } else {
            Poll::Ready(())
        }
    })
    .await;
}

/// Asks what a node submitted itself to stop.
pub(crate) fn stop_children(header: &Header, stop: Stop) {
    if let Some(children) = header.detail().and_then(|detail| detail.children.get()) {
        children.stop(stop);
    }
}

/// Ends a node and everything that this ends in turn: skipped nodes downstream, over as many
/// steps as it takes, in a loop.
fn end_with(
    node: Arc<dyn AnyNode>,
    flow: &Arc<Flow>,
    ending: Ending,
    now: u64,
) -> Option<Arc<dyn AnyNode>> {
    let mut successor = None;
    let mut skipped = Vec::new();
    end_one(node, flow, ending, now, &mut successor, &mut skipped);
    while let Some((node, upstream)) = skipped.pop() {
        let header = node.header();
        let flow = Arc::clone(&header.flow);
        let error = header.make_error(TaskErrorKind::Skipped { upstream });
        let now = flow.now();
        end_one(
            node,
            &flow,
            Ending::Error(error),
            now,
            &mut successor,
            &mut skipped,
        );
    }
    successor
}

/// The one place where a node ends: state, record, event and hooks first, then those who wait.
fn end_one(
    node: Arc<dyn AnyNode>,
    flow: &Arc<Flow>,
    ending: Ending,
    now: u64,
    successor: &mut Option<Arc<dyn AnyNode>>,
    skipped: &mut Vec<(Arc<dyn AnyNode>, TaskError)>,
) {
    let header = node.header();
    if let (Ending::Error(_), Some(identity)) = (&ending, header.identity()) {
        // What the body left for the store is of no use any more, and holds back the collection.
        drop(identity.take_stored_ahead());
    }
    let change = match &ending {
        // The change itself is the claim.
        Ending::Completed => header
            .identity()
            .map_or(StateChange::Complete, Identity::completion),
        Ending::Error(error) => {
            if !header.claim_end() {
                return;
            }
            let _ = header.detail_mut().error.set(error.clone());
            error.kind().change()
        }
    };
    let is_skip = change == StateChange::Skip;
    let ancestors = if is_skip {
        unfinished_upstream(&*node)
    } else {
        Vec::new()
    };
    let state = match header.change(change) {
        Ok(state) => state,
        // Somebody else ended it first.
        Err(illegal) if illegal.from.is_final() => return,
        Err(illegal) => {
            // A bug of this crate; the run still has to end.
            tracing::error!(target: "orch", task_run = header.name(), "{illegal}");
            header.force_final()
        }
    };
    // A skipped node looks after what it was skipped for, before its inputs stop doing so.
    if is_skip {
        header.adopt_ancestors(ancestors);
    } else {
        header.release_order();
    }
    if !state.is_success() {
        node.clear_inputs();
        stop_children(header, Stop::Running);
        if header
            .detail()
            .is_some_and(|detail| detail.children.get().is_some())
        {
            flow.wake_stopped();
        }
    }
    if flow.engine.events.is_live() && (!header.is_item() || state.is_failure()) {
        flow.emit(EventKind::ended(header, state, now));
    }
    if !header.definition.hooks.is_empty() && header.flow.rehearsal().is_none() {
        call_end_hooks(header, state);
    }
    let root = match &ending {
        Ending::Completed => None,
        Ending::Error(error) => Some(error.root().clone()),
    };
    if state.is_failure() && !header.is_item() {
        flow.add_failure(Arc::clone(&node));
    }
    if let (Some(recorder), Some(identity)) = (flow.recorder(), header.identity())
        && !identity.is_recorded()
        && (state.is_success() || !recorder.has_result(identity))
    {
        recorder.push_task_run(header, identity, state, Some(now), None);
    }
    if let Some(outbox) = flow.unrecorded_to() {
        outbox.task_run_ended(header, state);
    }
    flow.count_end(header, state, now);
    let failed = state.is_failure().then(|| Arc::clone(&node));
    let waiters = header.completion.complete();
    header.set_let_go();
    // Let go before anybody who waits goes on, so that the last handle can move the result out.
    // Who comes from now on does not wait: hence nothing between these two.
    drop(node);
    for waiter in waiters {
        match waiter {
            Waiter::Waker(waker) => waker.wake(),
            Waiter::Inbox { inbox, key } => inbox.deliver(key),
            Waiter::Node {
                node: downstream,
                edge,
            } => match &root {
                Some(root) if edge != EdgeKind::Catch => skipped.push((downstream, root.clone())),
                _ if downstream.header().countdown.count_down() => {
                    make_ready(downstream, flow, now, successor);
                }
                _ => {}
            },
        }
    }
    if let Some(failed) = failed {
        failed.header().check_out_of_reach();
    }
}

/// Hands on a node whose last input is there: to the caller if it can go on with it, else to the
/// queue of its flow run.
fn make_ready(
    node: Arc<dyn AnyNode>,
    flow: &Arc<Flow>,
    now: u64,
    successor: &mut Option<Arc<dyn AnyNode>>,
) {
    let header = node.header();
    if Arc::ptr_eq(&header.flow, flow) {
        header.set_ready(now);
        if successor.is_none() && !flow.has_priorities() {
            *successor = Some(node);
            return;
        }
        flow.push(node);
    } else {
        let other = Arc::clone(&header.flow);
        other.unpark(header.index);
        header.set_ready(other.now());
        other.push(node);
    }
}

/// The upstream nodes of a node that have not completed.
fn unfinished_upstream(node: &dyn AnyNode) -> Vec<Arc<dyn AnyNode>> {
    let mut upstreams = Vec::new();
    node.visit_inputs(&mut |upstream| {
        if !upstream.header.state().is_success() {
            upstreams.push((upstream.node)());
        }
    });
    upstreams
}

fn call_end_hooks(header: &Header, state: State) {
    let on = HookOn::of_end(state).unwrap_or(HookOn::Failure);
    for (when, hook) in header.definition.hooks {
        if *when == on || *when == HookOn::End {
            call_hook(
                *hook,
                &HookEvent {
                    on: *when,
                    flow_run: header.flow.name(),
                    task_run: Some(header.name()),
                    state,
                    attempt: header.attempts(),
                    error: header.error(),
                    retry_in: None,
                },
            );
        }
    }
}

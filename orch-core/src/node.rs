//! A task run inside the engine: one allocation that holds its place in the graph, its inputs
//! until it runs, and its result afterwards.
//!
//! Types end here. A [`Node`] knows the types of its inputs and its result; everything that moves
//! nodes about sees [`AnyNode`], and everything that reads a result sees [`Output`].

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::task::{Context, Waker};
use std::time::Duration;

use futures_util::future::BoxFuture;

pub(crate) use self::observation::Ancestors;
use crate::body::{Body, Slot, Started};
use crate::completion::{Completion, Countdown, Ticket};
use crate::definition::Definition;
use crate::detail::Detail;
use crate::durable;
use crate::error::{Failure, TaskError, TaskErrorKind};
use crate::flow::Flow;
use crate::identity::Origin;
use crate::inbox::Inbox;
use crate::input::Arguments;
use crate::ready::{Rank, Turn};
use crate::report::{EdgeKind, NodeKind};
use crate::scope::Scope;
use crate::state::{IllegalStateChange, State, StateChange};

mod observation;

/// What every node has, whatever its types.
pub(crate) struct Header {
    pub(crate) flow: Arc<Flow>,
    pub(crate) definition: &'static Definition,
    /// What the node was submitted under: a task run, a map, a group; `None` for the flow body.
    pub(crate) scope: Option<Arc<Scope>>,
    /// Position in the order of submission within the flow run.
    pub(crate) index: u32,
    /// The length of the longest chain of task runs above it.
    pub(crate) depth: u32,
    state: AtomicU8,
    flags: AtomicU8,
    has_been_let_go: AtomicBool,
    pub(crate) kind: NodeKind,
    attempts: AtomicU32,
    /// Handles in the program, and consumers that will look at a failure.
    interest: AtomicU32,
    pub(crate) countdown: Countdown,
    pub(crate) completion: Completion<Waiter>,
    ready_at: AtomicU64,
    started_at: AtomicU64,
    /// What most nodes never need.
    detail: OnceLock<Box<Detail>>,
}

/// Somebody who waits for a node to end.
pub(crate) enum Waiter {
    /// A node that uses its result, its order or its outcome.
    Node {
        node: Arc<dyn AnyNode>,
        edge: EdgeKind,
    },
    /// A future that awaits a handle.
    Waker(Waker),
    /// A map that collects its items.
    Inbox { inbox: Arc<Inbox>, key: u64 },
}

const OBSERVED: u8 = 1;
const ALLOW_FAILURE: u8 = 2;
const ENDING: u8 = 4;
const CANCEL: u8 = 8;
const ABORT: u8 = 16;
const JOB_LEFT: u8 = 32;
const JOB_DONE: u8 = 64;

impl Header {
    pub(crate) fn new(
        flow: Arc<Flow>,
        definition: &'static Definition,
        kind: NodeKind,
        scope: Option<Arc<Scope>>,
        index: u32,
        depth: u32,
        countdown: Countdown,
    ) -> Self {
        Self {
            flow,
            definition,
            scope,
            index,
            depth,
            state: AtomicU8::new(State::Pending as u8),
            flags: AtomicU8::new(if definition.allow_failure {
                ALLOW_FAILURE
            } else {
                0
            }),
            has_been_let_go: AtomicBool::new(false),
            kind,
            attempts: AtomicU32::new(0),
            // The handle that the call returns.
            interest: AtomicU32::new(1),
            countdown,
            completion: Completion::new(),
            ready_at: AtomicU64::new(0),
            started_at: AtomicU64::new(0),
            detail: OnceLock::new(),
        }
    }

    /// Returns the state. `Acquire`: whoever sees a final state also sees the result.
    pub(crate) fn state(&self) -> State {
        State::from_u8(self.state.load(Ordering::Acquire))
    }

    /// Makes a change of state: the only place where a task run's state is written.
    pub(crate) fn change(&self, change: StateChange) -> Result<State, IllegalStateChange> {
        let mut from = self.state.load(Ordering::Relaxed);
        loop {
            let to = State::from_u8(from).after(change)?;
            match self.state.compare_exchange_weak(
                from,
                to as u8,
                Ordering::AcqRel,
                Ordering::Relaxed,
            ) {
                Ok(_) => return Ok(to),
                Err(now) => from = now,
            }
        }
    }

    /// Keeps an attempt from starting from now on. Returns whether none runs: one on another thread may
    /// start at any moment.
    pub(crate) fn refuse_start(&self) -> bool {
        let mut from = self.state.load(Ordering::Relaxed);
        loop {
            let state = State::from_u8(from);
            if state == State::Running {
                return false;
            }
            // Nothing starts from a state that does not change to this one.
            let Ok(to) = state.after(StateChange::BeginCancel) else {
                return true;
            };
            match self.state.compare_exchange_weak(
                from,
                to as u8,
                Ordering::AcqRel,
                Ordering::Relaxed,
            ) {
                Ok(_) => return true,
                Err(now) => from = now,
            }
        }
    }

    /// Ends the node in spite of an illegal change, which only a bug of this crate can ask for.
    pub(crate) fn force_final(&self) -> State {
        self.state.store(State::Crashed as u8, Ordering::Release);
        State::Crashed
    }

    /// Claims the right to end the node without a result. Exactly one caller gets it; a completion
    /// may still come first.
    pub(crate) fn claim_end(&self) -> bool {
        self.flags.fetch_or(ENDING, Ordering::AcqRel) & ENDING == 0
    }

    pub(crate) fn is_observed(&self) -> bool {
        self.flags.load(Ordering::Acquire) & (OBSERVED | ALLOW_FAILURE) != 0
    }

    pub(crate) fn set_allow_failure(&self) {
        self.flags.fetch_or(ALLOW_FAILURE, Ordering::AcqRel);
    }

    pub(crate) fn ask_to_cancel(&self) {
        self.flags.fetch_or(CANCEL, Ordering::AcqRel);
    }

    pub(crate) fn ask_to_abort(&self) {
        self.flags.fetch_or(CANCEL | ABORT, Ordering::AcqRel);
    }

    pub(crate) fn is_asked_to_cancel(&self) -> bool {
        self.flags.load(Ordering::Acquire) & CANCEL != 0
    }

    pub(crate) fn is_asked_to_abort(&self) -> bool {
        self.flags.load(Ordering::Acquire) & ABORT != 0
    }

    /// Notes that nobody waits any longer for the job on the compute pool. Returns whether it was
    /// still running, for the first call.
    pub(crate) fn leave_job(&self) -> bool {
        self.flags.fetch_or(JOB_LEFT, Ordering::AcqRel) & (JOB_LEFT | JOB_DONE) == 0
    }

    /// Notes that the job on the compute pool is done. Returns whether somebody waited for it.
    pub(crate) fn end_job(&self) -> bool {
        self.flags.fetch_or(JOB_DONE, Ordering::AcqRel) & JOB_LEFT == 0
    }

    pub(crate) fn attempts(&self) -> u32 {
        self.attempts.load(Ordering::Relaxed)
    }

    /// Notes that an attempt starts; returns its number, from 1.
    pub(crate) fn start_attempt(&self, now: u64) -> u32 {
        // Attempts start one after the other, whoever starts them.
        let attempt = self.attempts.load(Ordering::Relaxed) + 1;
        self.attempts.store(attempt, Ordering::Relaxed);
        if attempt == 1 {
            self.started_at.store(now, Ordering::Relaxed);
        } else {
            self.detail_mut().last_started.store(now, Ordering::Relaxed);
        }
        attempt
    }

    pub(crate) fn max_attempts(&self) -> u32 {
        let retries = self
            .detail()
            .and_then(|detail| detail.options.retries)
            .unwrap_or(self.definition.retries);
        retries.saturating_add(1)
    }

    pub(crate) fn set_ready(&self, now: u64) {
        self.ready_at.store(now, Ordering::Relaxed);
    }

    pub(crate) fn ready_at(&self) -> u64 {
        self.ready_at.load(Ordering::Relaxed)
    }

    pub(crate) fn started_at(&self) -> Option<u64> {
        (self.attempts() > 0).then(|| self.started_at.load(Ordering::Relaxed))
    }

    /// When the last attempt started, if it was not the first.
    pub(crate) fn last_started(&self) -> Option<Duration> {
        let detail = self.detail().filter(|_| self.attempts() > 1)?;
        Some(Duration::from_nanos(
            detail.last_started.load(Ordering::Relaxed),
        ))
    }

    /// Returns what most nodes never need, if this one did.
    pub(crate) fn detail(&self) -> Option<&Detail> {
        self.detail.get().map(|detail| &**detail)
    }

    /// The same, made if it was not there.
    pub(crate) fn detail_mut(&self) -> &Detail {
        self.detail.get_or_init(Box::default)
    }

    /// Sets it before anybody else can see the node.
    pub(crate) fn set_detail(&mut self, detail: Box<Detail>) {
        self.detail = OnceLock::from(detail);
    }

    /// Whether a clock runs while an attempt of it does.
    pub(crate) fn is_timed(&self) -> bool {
        let definition = self.definition;
        definition.timeout.is_some()
            || definition.deadline.is_some()
            || definition.heartbeat.is_some()
            || self.detail().is_some_and(|detail| {
                detail.options.timeout.is_some() || detail.options.deadline.is_some()
            })
    }

    /// Returns the name of the task run.
    pub(crate) fn name(&self) -> &str {
        self.detail()
            .and_then(|detail| detail.name.get())
            .map_or(self.definition.name, |name| name)
    }

    /// Returns why the node ended without a result.
    pub(crate) fn error(&self) -> Option<&TaskError> {
        // A completion may win against an ending that has left its error already.
        if self.state().is_success() {
            return None;
        }
        self.detail().and_then(|detail| detail.error.get())
    }

    /// Words an ending of this node.
    pub(crate) fn make_error(&self, kind: TaskErrorKind) -> TaskError {
        TaskError::new(
            self.name().to_owned(),
            self.flow.name().to_owned(),
            self.attempts(),
            self.max_attempts(),
            kind,
        )
    }

    pub(crate) fn priority(&self) -> i32 {
        self.detail()
            .and_then(|detail| detail.options.priority)
            .unwrap_or(self.definition.priority)
    }

    /// How early it starts among those that could.
    pub(crate) fn rank(&self) -> Rank {
        Rank {
            priority: self.priority(),
            depth: self.depth,
        }
    }

    /// The same where flow runs meet.
    pub(crate) fn turn(&self) -> Turn {
        Turn {
            flow: self.flow.id,
            rank: self.rank(),
        }
    }

    /// Whether it belongs to a cleanup or to an undoing.
    pub(crate) fn is_cleanup(&self) -> bool {
        self.scope.as_ref().is_some_and(|scope| scope.is_exempt())
    }

    /// Whether it belongs to a map, which counts its items and does not list them.
    pub(crate) fn is_item(&self) -> bool {
        self.scope
            .as_ref()
            .is_some_and(|scope| scope.items.is_some())
    }

    /// Whether the thread that ended the node has told so, and lets go of it: then the last handle
    /// can move the result out. The state changes a little before that.
    pub(crate) fn has_been_let_go(&self) -> bool {
        self.has_been_let_go.load(Ordering::Acquire)
    }

    /// Says so; whoever does lets go of the node right afterwards.
    pub(crate) fn set_let_go(&self) {
        self.has_been_let_go.store(true, Ordering::Release);
    }

    /// Registers a future to be woken at the end. Returns whether there is something to wait for.
    pub(crate) fn poll_end(&self, ticket: &mut Option<Ticket>, cx: &Context<'_>) -> bool {
        // Not the state: whoever ends the node lets go of it only after that.
        match *ticket {
            Some(ticket) => self.completion.update(ticket, |waiter| {
                if let Waiter::Waker(waker) = waiter {
                    waker.clone_from(cx.waker());
                }
            }),
            None => {
                let waiter = Waiter::Waker(cx.waker().clone());
                *ticket = self.completion.subscribe(waiter).ok();
                ticket.is_some()
            }
        }
    }

    pub(crate) fn withdraw(&self, ticket: Ticket) {
        drop(self.completion.withdraw(ticket));
    }
}

/// Shared access to a node without its types.
pub(crate) type NodeRef = Arc<dyn AnyNode>;

/// Copies the inputs of a node for one more attempt.
pub(crate) type CopyInputs<A> = fn(&A) -> A;

/// A node without its types.
pub(crate) trait AnyNode: Send + Sync {
    /// What every node has.
    fn header(&self) -> &Header;

    /// Starts the body: puts its future into the slot, or runs it at once, or hands it on.
    #[doc(hidden)]
    fn start(self: Arc<Self>, slot: &mut Slot, now: u64) -> Started;

    /// Visits the upstream nodes of inputs that have not been taken yet.
    #[doc(hidden)]
    fn visit_inputs(&self, visit: &mut dyn FnMut(Upstream<'_>));

    /// Drops the inputs of a node that will not run. Returns whether they were there: if not, its
    /// body has them, or it has ended.
    #[doc(hidden)]
    fn clear_inputs(&self) -> bool;

    /// Brings the result into memory, if it is only in the store.
    #[doc(hidden)]
    fn load(self: Arc<Self>) -> BoxFuture<'static, Result<(), Failure>>;
}

/// An upstream node, as an argument shows it.
pub struct Upstream<'a> {
    pub(crate) header: &'a Header,
    pub(crate) edge: EdgeKind,
    pub(crate) node: &'a dyn Fn() -> Arc<dyn AnyNode>,
    /// Whether the argument is a result, or a part of one, whose digest is known.
    pub(crate) has_digest: bool,
}

/// Where a result of type `T` comes from: a node, a part of one, or a plain value.
pub(crate) trait Output<T>: Send + Sync {
    /// Returns the result, once and if there is one.
    fn value(&self) -> Option<&T>;

    /// Moves the result out, if it can be moved.
    fn take(&mut self) -> Option<T>;

    /// Returns the header of the node behind it, if there is a node.
    fn header(&self) -> Option<&Header>;

    /// Returns the node behind it.
    fn node(self: Arc<Self>) -> Option<Arc<dyn AnyNode>>;

    /// Where the result comes from, for keys.
    fn origin(&self) -> Origin<'_>;
}

/// A task run with its types.
pub(crate) struct Node<B: Body> {
    pub(crate) header: Header,
    inputs: Mutex<Option<B::Args>>,
    /// Copies the inputs for one more attempt.
    pub(crate) again: Option<CopyInputs<B::Args>>,
    result: OnceLock<Kept<B::Output>>,
}

/// A result, in the node itself or shared with the cache.
enum Kept<T> {
    Own(T),
    Shared(Arc<T>),
}

impl<T> Kept<T> {
    fn get(&self) -> &T {
        match self {
            Self::Own(result) => result,
            Self::Shared(result) => result,
        }
    }
}

impl<B: Body> Node<B> {
    pub(crate) fn new(header: Header, inputs: B::Args, again: Option<CopyInputs<B::Args>>) -> Self {
        Self {
            header,
            inputs: Mutex::new(Some(inputs)),
            again,
            result: OnceLock::new(),
        }
    }

    /// Takes the inputs for the body. `None` when the node was cleared meanwhile.
    pub(crate) fn take_inputs(&self) -> Option<B::Args> {
        self.lock_inputs().take()
    }

    /// Keeps the result, for whoever sees the completed state.
    pub(crate) fn keep(&self, result: B::Output) {
        // A second result can only come from an attempt that was abandoned: it is dropped.
        drop(self.result.set(Kept::Own(result)));
    }

    /// Keeps a result that others hold as well.
    pub(crate) fn keep_shared(&self, result: Arc<B::Output>) {
        drop(self.result.set(Kept::Shared(result)));
    }

    /// Whether the result is in memory.
    pub(crate) fn has_result(&self) -> bool {
        self.result.get().is_some()
    }

    /// Leaves the inputs to a node that may have to run after all.
    pub(crate) fn put_inputs_back(&self, args: B::Args) {
        *self.lock_inputs() = Some(args);
    }

    pub(crate) fn lock_inputs(&self) -> std::sync::MutexGuard<'_, Option<B::Args>> {
        // Arguments are only moved under this lock, or visited, and neither panics.
        self.inputs
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl<B: Body> AnyNode for Node<B> {
    fn header(&self) -> &Header {
        &self.header
    }

    fn start(self: Arc<Self>, slot: &mut Slot, now: u64) -> Started {
        B::start(self, slot, now)
    }

    fn visit_inputs(&self, visit: &mut dyn FnMut(Upstream<'_>)) {
        if let Some(inputs) = &*self.lock_inputs() {
            inputs.visit(visit);
        }
    }

    fn clear_inputs(&self) -> bool {
        // The guard is gone before the inputs are dropped: that may run code of the user's types.
        let inputs = self.lock_inputs().take();
        let were_there = inputs.is_some();
        drop(inputs);
        were_there
    }

    fn load(self: Arc<Self>) -> BoxFuture<'static, Result<(), Failure>> {
        Box::pin(async move {
            if self.header.is_unloaded() {
                durable::load(Arc::clone(&self)).await?;
                self.header.identity_mut().set_unloaded(false);
            }
            Ok(())
        })
    }
}

impl<B: Body> Output<B::Output> for Node<B> {
    fn value(&self) -> Option<&B::Output> {
        // What was undone can still be looked at by whoever holds it.
        let state = self.header.state();
        if state.is_success() || state == State::RolledBack {
            self.result.get().map(Kept::get)
        } else {
            None
        }
    }

    fn take(&mut self) -> Option<B::Output> {
        if !self.header.state().is_success() {
            return None;
        }
        match self.result.take()? {
            Kept::Own(result) => Some(result),
            Kept::Shared(result) => match Arc::try_unwrap(result) {
                Ok(result) => Some(result),
                // Whoever needs it for good clones it.
                Err(shared) => {
                    drop(self.result.set(Kept::Shared(shared)));
                    None
                }
            },
        }
    }

    fn header(&self) -> Option<&Header> {
        Some(&self.header)
    }

    fn node(self: Arc<Self>) -> Option<Arc<dyn AnyNode>> {
        Some(self)
    }

    fn origin(&self) -> Origin<'_> {
        Origin::whole(&self.header)
    }
}

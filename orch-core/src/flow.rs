//! A flow run inside the engine: what is ready, who works on it, what has ended.

mod dispatch;
mod logged;
mod record;
mod rehearse;
mod rollback;
mod stopping;
mod supervise;

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::task::Waker;
use std::time::Duration;

use tokio::runtime::Handle as Runtime;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::body::Body;
use crate::completion::{Completion, Countdown};
use crate::context;
use crate::definition::{Definition, FlowDefinition, HookOn};
use crate::detail::Detail;
use crate::driver::{self, Ending};
use crate::engine::EngineInner;
use crate::error::{CancelReason, FlowError, TaskError, TaskErrorKind};
use crate::event::EventKind;
use crate::hook::HookEvent;
use crate::id::FlowRunId;
use crate::identity::{Calls, Identity};
use crate::input::Arguments;
use crate::key::CallHasher;
use crate::logs::{self, LogBuffer};
use crate::node::{AnyNode, CopyInputs, Header, Node, Waiter};
use crate::outbox::Outbox;
use crate::padded::Padded;
use crate::policy::failure_mode::FailureMode;
use crate::ready::ReadyQueue;
use crate::recorder::Recorder;
use crate::report::{EdgeKind, NodeKind};
use crate::scope::{Scope, Seeds};
use crate::state::{IllegalStateChange, State, StateChange};
use crate::steps::Steps;
use crate::stop::Stop;
use crate::store::{CallId, Timestamp};
use crate::tracking::LiveLog;

use self::record::{Records, Submission};
pub(crate) use self::rehearse::{
    Busy, REHEARSED_ITEMS, Rehearsal, Rehearsed, RehearsedSubflow, rehearse,
};
use self::rollback::Rollback;
pub(crate) use self::supervise::{
    CrashGuard, Finally, FlowBody, refuse, run, settle, until_stopped,
};

/// A flow run inside the engine.
pub(crate) struct Flow {
    pub(crate) id: FlowRunId,
    name: String,
    pub(crate) definition: &'static FlowDefinition,
    pub(crate) engine: Arc<EngineInner>,
    runtime: Option<Runtime>,
    started: Instant,
    started_at: Timestamp,
    pub(crate) seed: u64,
    pub(crate) seeds: Seeds,
    failure_mode: FailureMode,
    grace: Duration,
    /// The task run of the flow that called this one, for a subflow.
    pub(crate) caller: Option<(FlowRunId, u32)>,
    /// The same task run: what the flow body waits for, it waits for.
    caller_node: Option<Weak<dyn AnyNode>>,
    pub(crate) tags: Vec<String>,
    /// Tasks to execute whatever the cache has.
    pub(crate) refresh: Vec<String>,

    queue: Padded<Mutex<ReadyQueue<Arc<dyn AnyNode>>>>,
    has_priorities: AtomicBool,
    drivers: Padded<AtomicUsize>,
    max_drivers: usize,

    records: Records,
    /// Whether the flow body has returned and all that remains are task runs.
    body_ended: AtomicBool,
    idle: Notify,

    state: AtomicU8,
    error: OnceLock<FlowError>,
    ended_after: OnceLock<Duration>,
    /// Those who wait for the flow run to end.
    pub(crate) ended: Completion<Waker>,

    stop: AtomicU8,
    /// Why it was told to stop, if it was not a failure alone.
    stop_reason: OnceLock<CancelReason>,
    stopped: Notify,
    failures: Mutex<Vec<Arc<dyn AnyNode>>>,
    parked: Mutex<HashMap<u32, Parked, BuildHasherDefault<IndexHasher>>>,
    finally: Mutex<Vec<Finally>>,
    pub(crate) logs: LogBuffer,
    /// From the start to the end, where a subscriber wants it.
    span: Mutex<Option<tracing::Span>>,
    /// Whether it had ended before, and all there is of it is its record.
    is_settled: bool,
    /// What is written of it to a store, if the engine has one.
    recorder: Option<Arc<Recorder>>,
    /// Names the calls of the flow body.
    calls: Calls,
    /// What bodies remember over attempts and resumptions.
    pub(crate) steps: Steps,
    /// What bodies logged.
    pub(crate) live_log: LiveLog,
    /// How often the flow body asked for a choice that is to stay the same.
    choices: AtomicU64,
    /// How to undo what completed, the first first.
    rollbacks: Mutex<Vec<Rollback>>,
}

/// A node that is not in the queue and whose body nobody polls at the moment.
struct Parked {
    node: Arc<dyn AnyNode>,
    /// Wakes the driver that stays with its body. `None` for a body on another thread, and for a
    /// node that waits for another flow run.
    waker: Option<Waker>,
}

/// Spreads the indices of nodes, which nobody chooses to collide, over a table. A body that pends
/// passes through here twice.
#[derive(Default)]
struct IndexHasher(u64);

impl Hasher for IndexHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u32(u32::from(*byte));
        }
    }

    fn write_u32(&mut self, index: u32) {
        // The golden ratio's digits: the table takes its bits from the top and from the bottom.
        let mixed = (self.0 ^ u64::from(index)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        self.0 = mixed ^ (mixed >> 32);
    }
}

/// What a flow run starts with.
pub(crate) struct FlowSpec {
    pub(crate) definition: &'static FlowDefinition,
    pub(crate) name: Option<String>,
    pub(crate) seed: Option<u64>,
    pub(crate) tags: Vec<String>,
    pub(crate) failure_mode: Option<FailureMode>,
    pub(crate) caller: Option<(FlowRunId, u32)>,
    pub(crate) recording: Option<Recording>,
    /// Tasks to execute whatever the cache has.
    pub(crate) refresh: Vec<String>,
}

/// What a recorded flow run starts with.
pub(crate) struct Recording {
    pub(crate) id: FlowRunId,
    /// Makes the recorder, once the moment of the start is known; `None` for a run that had ended.
    pub(crate) recorder: Option<MakeRecorder>,
}

/// Makes a recorder, at the moment of the start.
pub(crate) type MakeRecorder = Box<dyn FnOnce(Timestamp) -> (Recorder, Steps) + Send>;

/// What a node is submitted with.
pub(crate) struct NodeSpec {
    pub(crate) definition: &'static Definition,
    pub(crate) kind: NodeKind,
    pub(crate) scope: Option<Arc<Scope>>,
    pub(crate) detail: Option<Box<Detail>>,
    pub(crate) after: Vec<Arc<dyn AnyNode>>,
    pub(crate) allow_failure: bool,
}

impl NodeSpec {
    pub(crate) fn new(definition: &'static Definition, kind: NodeKind) -> Self {
        Self {
            definition,
            kind,
            scope: None,
            detail: None,
            after: Vec::new(),
            allow_failure: false,
        }
    }
}

/// How far a node was told to stop, by itself, by what it belongs to, or by its flow run.
pub(crate) fn stop_of(header: &Header) -> Stop {
    let flow = header.flow.stopped();
    let mut stop = match &header.scope {
        Some(scope) => scope.stopped(flow),
        None => flow,
    };
    if header.is_asked_to_cancel() {
        stop = stop.max(Stop::Running);
    }
    if header.is_asked_to_abort() {
        stop = Stop::Abort;
    }
    stop
}

/// The calls that a call depends on.
fn upstream_calls(inputs: &impl Arguments, after: &[Arc<dyn AnyNode>]) -> Vec<(CallId, EdgeKind)> {
    let mut calls = Vec::new();
    let mut add = |upstream: &Header, edge| {
        if let Some(call) = upstream.call() {
            calls.push((call, edge));
        }
    };
    inputs.visit(&mut |upstream| add(upstream.header, upstream.edge));
    for upstream in after {
        add(upstream.header(), EdgeKind::Order);
    }
    calls
}

impl Flow {
    pub(crate) fn new(
        engine: Arc<EngineInner>,
        runtime: Option<Runtime>,
        spec: FlowSpec,
    ) -> Arc<Self> {
        let is_recorded = spec.recording.is_some();
        let (id, recorder) = match spec.recording {
            Some(recording) => (recording.id, recording.recorder),
            None => (FlowRunId::new(), None),
        };
        let is_settled = is_recorded && recorder.is_none();
        let definition = spec.definition;
        let name = spec
            .name
            .unwrap_or_else(|| format!("{}-{}", definition.name, id.short()));
        let seed = spec
            .seed
            .or(engine.config.seed)
            .unwrap_or_else(|| id.seed());
        let max_drivers = engine.config.workers.unwrap_or_else(|| {
            runtime
                .as_ref()
                .map_or(1, |runtime| runtime.metrics().num_workers())
        });
        let failure_mode = spec
            .failure_mode
            .or(definition.failure_mode)
            .unwrap_or(engine.config.failure_mode);
        let grace = definition.grace.unwrap_or(engine.config.grace);
        let records = Records::new(engine.config.record_limit);
        let mut tags: Vec<String> = definition
            .tags
            .iter()
            .map(|tag| (*tag).to_owned())
            .collect();
        tags.extend(spec.tags);
        let started_at = engine.clock.timestamp();
        let (recorder, steps) = match recorder {
            Some(recorder) => {
                let (recorder, steps) = recorder(started_at);
                (Some(Arc::new(recorder)), steps)
            }
            None => (None, Steps::default()),
        };
        Arc::new(Self {
            id,
            name,
            definition,
            runtime,
            started: Instant::now(),
            started_at,
            seed,
            seeds: Seeds::new(seed),
            failure_mode,
            grace,
            caller: spec.caller,
            caller_node: spec.caller.and_then(|_| context::current_node()),
            tags,
            refresh: spec.refresh,
            queue: Padded::default(),
            has_priorities: AtomicBool::new(false),
            drivers: Padded::default(),
            max_drivers: max_drivers.max(1),
            records,
            body_ended: AtomicBool::new(false),
            idle: Notify::new(),
            state: AtomicU8::new(State::Pending as u8),
            error: OnceLock::new(),
            ended_after: OnceLock::new(),
            ended: Completion::new(),
            stop: AtomicU8::new(Stop::None as u8),
            stop_reason: OnceLock::new(),
            stopped: Notify::new(),
            failures: Mutex::default(),
            parked: Mutex::default(),
            finally: Mutex::default(),
            logs: LogBuffer::new(engine.config.log_limit),
            span: Mutex::default(),
            is_settled,
            recorder,
            calls: Calls::default(),
            steps,
            live_log: LiveLog::default(),
            choices: AtomicU64::new(0),
            rollbacks: Mutex::default(),
            engine,
        })
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The task run that called it, for a subflow.
    pub(crate) fn caller_node(&self) -> Option<Arc<dyn AnyNode>> {
        self.caller_node.as_ref()?.upgrade()
    }

    pub(crate) fn runtime(&self) -> Option<&Runtime> {
        self.runtime.as_ref()
    }

    pub(crate) fn grace(&self) -> Duration {
        self.grace
    }

    /// Nanoseconds since the flow run's start.
    pub(crate) fn now(&self) -> u64 {
        // 584 years fit.
        self.started.elapsed().as_nanos() as u64
    }

    /// The present moment, by the clock that tests control.
    pub(crate) fn timestamp(&self) -> Timestamp {
        self.timestamp_of(self.now())
    }

    /// A moment of the flow run's clock.
    pub(crate) fn timestamp_of(&self, now: u64) -> Timestamp {
        Timestamp(self.started_at.0.saturating_add_unsigned(now))
    }

    /// Makes a branch of the flow body, or of what is current in it.
    pub(crate) fn branch(&self, parent: Option<&Arc<Scope>>, name: &str) -> Arc<Scope> {
        let calls = parent.map_or(&self.calls, |parent| &parent.calls);
        Arc::new(Scope::of_branch(parent, self.seed, calls, name))
    }

    /// Numbers the choices of the flow body that a resumption repeats.
    pub(crate) fn next_choice(&self) -> u64 {
        self.choices.fetch_add(1, Ordering::Relaxed)
    }

    /// What is written of it to a store.
    pub(crate) fn recorder(&self) -> Option<&Arc<Recorder>> {
        self.recorder.as_ref()
    }

    /// Returns the execution that went on with this one by itself after it had ended, or this one.
    pub(crate) fn latest(self: &Arc<Self>) -> &Arc<Self> {
        let mut latest = self;
        while let Some(next) = latest
            .recorder
            .as_ref()
            .and_then(|recorder| recorder.next())
        {
            latest = next;
        }
        latest
    }

    /// Who is told of its changes of state, on an engine that records none.
    pub(crate) fn unrecorded_to(&self) -> Option<&Outbox> {
        let outbox = self.engine.outbox.as_ref();
        outbox.filter(|_| self.engine.store.is_none())
    }

    /// Set if nothing of it is executed, to see what would be.
    pub(crate) fn rehearsal(&self) -> Option<&Rehearsal> {
        self.recorder.as_ref()?.rehearsal()
    }

    /// Whether another engine has taken the flow run over.
    pub(crate) fn is_lost(&self) -> bool {
        let recorder = self.recorder.as_ref();
        recorder.is_some_and(|recorder| recorder.is_lost())
    }

    /// Opens its span, inside of what is current here.
    pub(crate) fn open_span(self: &Arc<Self>) {
        let span = logs::flow_span(self);
        *lock(&self.span) = Some(span);
    }

    /// Returns its span; what is current here, if it has none.
    pub(crate) fn span(&self) -> tracing::Span {
        let span = lock(&self.span).clone();
        span.unwrap_or_else(tracing::Span::current)
    }

    /// Lets go of its span: for those who listen, it ends when the last one does.
    fn close_span(&self) {
        let span = lock(&self.span).take();
        if span.is_some_and(|span| !span.is_disabled()) {
            logs::forget_flow(self);
        }
    }

    pub(crate) fn state(&self) -> State {
        State::from_u8(self.state.load(Ordering::Acquire))
    }

    /// Makes a change of state: the only place where a flow run's state is written.
    fn change(&self, change: StateChange) -> Result<State, IllegalStateChange> {
        let mut from = self.state.load(Ordering::Relaxed);
        loop {
            let to = State::from_u8(from).after(change)?;
            match self
                .state
                .compare_exchange(from, to as u8, Ordering::AcqRel, Ordering::Relaxed)
            {
                Ok(_) => return Ok(to),
                Err(now) => from = now,
            }
        }
    }

    pub(crate) fn error(&self) -> Option<&FlowError> {
        self.error.get()
    }

    pub(crate) fn stopped(&self) -> Stop {
        Stop::from_u8(self.stop.load(Ordering::Acquire))
    }

    /// Returns why it was told to stop: for the first reason that is more than a failure.
    pub(crate) fn stop_reason(&self) -> Option<CancelReason> {
        let failure = || (self.stopped() != Stop::None).then_some(CancelReason::Failure);
        self.stop_reason.get().copied().or_else(failure)
    }

    /// Submits a node: records it, makes its edges, and queues it if nothing is missing.
    pub(crate) fn submit<B: Body>(
        self: Arc<Self>,
        mut spec: NodeSpec,
        inputs: B::Args,
        again: Option<CopyInputs<B::Args>>,
    ) -> Arc<Node<B>> {
        let now = self.now();
        let after = std::mem::take(&mut spec.after);
        if let Some(recorder) = &self.recorder {
            let known = spec
                .detail
                .as_mut()
                .and_then(|detail| detail.identity.take());
            let mut identity = known.unwrap_or_else(|| self.identify::<B>(&spec, &inputs));
            identity.task = OnceLock::from(recorder.store.task_row::<B>(spec.definition));
            identity.upstream = upstream_calls(&inputs, &after);
            spec.detail.get_or_insert_default().identity = OnceLock::from(identity);
        }
        let Submission {
            index,
            n_upstream,
            depth,
            are_completed,
        } = self.records.submit(&self, &spec, &inputs, &after, now);
        let countdown = match are_completed {
            true => Countdown::over(),
            false => Countdown::new(n_upstream),
        };
        let mut header = Header::new(
            self,
            spec.definition,
            spec.kind,
            spec.scope,
            index,
            depth,
            countdown,
        );
        if let Some(detail) = spec.detail {
            header.set_detail(detail);
        }
        if spec.allow_failure {
            header.set_allow_failure();
        }
        let node = Arc::new(Node::new(header, inputs, again));
        let flow = &node.header.flow;
        if spec.definition.takes_context() {
            // Now and not when it is asked for, so that it depends on the order of the calls alone.
            context::seed_of(&node.header);
        }
        if flow.engine.events.is_live() && !node.header.is_item() {
            flow.emit(EventKind::submitted(&node.header));
        }
        if are_completed {
            flow.start_or_push(&node, now);
            return node;
        }

        let header = &node.header;
        if !after.is_empty() {
            header.adopt_order(&after);
        }
        let mut failed: Option<TaskError> = None;
        let mut ended = 0;
        let mut waits_outside = false;
        let mut connect = |upstream: &Header, edge: EdgeKind| {
            if !upstream.state().is_final() || !upstream.has_been_let_go() {
                let waiter = Waiter::Node {
                    node: Arc::clone(&node) as Arc<dyn AnyNode>,
                    edge,
                };
                if upstream.completion.subscribe(waiter).is_ok() {
                    waits_outside |= !Arc::ptr_eq(&upstream.flow, flow);
                    return;
                }
            }
            ended += 1;
            if edge != EdgeKind::Catch && !upstream.state().is_success() {
                failed.get_or_insert_with(|| {
                    upstream
                        .error()
                        .expect("a node keeps its error before it ends")
                        .root()
                        .clone()
                });
            }
        };
        AnyNode::visit_inputs(&*node, &mut |upstream| {
            connect(upstream.header, upstream.edge)
        });
        for upstream in &after {
            connect(upstream.header(), EdgeKind::Order);
        }
        if waits_outside {
            flow.park(Arc::clone(&node) as Arc<dyn AnyNode>, None);
        }
        if let Some(upstream) = failed {
            let error = header.make_error(TaskErrorKind::Skipped { upstream });
            driver::end_and_queue(Arc::clone(&node) as Arc<dyn AnyNode>, Ending::Error(error));
        } else if header.countdown.count_down_by(ended + 1) {
            flow.start_or_push(&node, now);
        }
        node
    }

    /// Names a call by what it was submitted under, its task and its arguments.
    pub(crate) fn identify<B: Body>(&self, spec: &NodeSpec, inputs: &B::Args) -> Identity {
        let calls = spec
            .scope
            .as_ref()
            .map_or(&self.calls, |scope| &scope.calls);
        let mut call = match &self.recorder {
            Some(recorder) => {
                let task = recorder.store.task_row::<B>(spec.definition);
                CallHasher::new(self.id, calls.scope(), &task.id)
            }
            None => CallHasher::new(self.id, calls.scope(), &B::task_id(spec.definition)),
        };
        let name = spec.detail.as_ref().and_then(|detail| detail.name.get());
        if let (false, Some(name)) = (spec.kind == NodeKind::Task, name) {
            call.text(name);
        }
        B::call(inputs, &mut call);
        calls.identify(call)
    }

    /// Notes that a node ended; the last one wakes the supervisor.
    pub(crate) fn count_end(&self, header: &Header, state: State, now: u64) {
        let ended = self.records.end(header, state, now);
        if self.body_ended.load(Ordering::SeqCst) && ended == self.records.submitted() {
            self.idle.notify_one();
        }
    }

    /// Whether every node has ended.
    fn is_idle(&self) -> bool {
        self.records.ended() == self.records.submitted()
    }

    pub(crate) fn emit(&self, kind: EventKind) {
        self.engine
            .events
            .emit(self.id, Duration::from_nanos(self.now()), kind);
    }

    /// Calls the flow's hooks for what happened to the flow run.
    fn call_hooks(&self, on: HookOn) {
        for (when, hook) in self.definition.hooks {
            if *when == on || (*when == HookOn::End && self.state().is_final()) {
                call_hook(
                    *hook,
                    &HookEvent {
                        on: *when,
                        flow_run: &self.name,
                        task_run: None,
                        state: self.state(),
                        attempt: 1,
                        error: None,
                        retry_in: None,
                    },
                );
            }
        }
    }
}

/// Calls a hook; whatever it does, the run goes on.
pub(crate) fn call_hook(hook: fn(&HookEvent<'_>), event: &HookEvent<'_>) {
    let call = std::panic::AssertUnwindSafe(|| hook(event));
    if let Err(panic) = std::panic::catch_unwind(call) {
        tracing::error!(
            flow_run = event.flow_run,
            task_run = event.task_run,
            "a hook panicked with `{}`",
            crate::error::panic_message(&*panic)
        );
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // No code of the user's runs under these locks, and each holds a plain collection.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

//! Calls of flows, and the runs they start.

use std::collections::HashMap;
use std::fmt;
use std::future::IntoFuture;
use std::pin::Pin;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use tokio::runtime::Handle as Runtime;

use crate::body::{Body, Slot, Started, ended_meanwhile, mark_started};
use crate::call::place_of;
use crate::completion::Ticket;
use crate::context::{self, TaskContext};
use crate::definition::{Definition, FlowDefinition};
use crate::engine::{Engine, EngineInner, Opened, Opening};
use crate::error::{
    BoxError, CancelReason, Failure, FlowError, FlowErrorKind, TaskError, TaskErrorKind,
};
use crate::event::Events;
use crate::flow::{self, Flow, FlowBody, FlowSpec, NodeSpec, Rehearsed};
use crate::id::FlowRunId;
use crate::input::{Arguments, ByRef, ByValue, Input, Owned, Passing, Shared, TrackedInput};
use crate::key::CallHasher;
use crate::node::{AnyNode, CopyInputs, Header, Node, Upstream};
use crate::parameters::{ArgumentError, ArgumentSource, ParameterSchema, Parameters};
use crate::policy::failure_mode::FailureMode;
use crate::report::{EdgeKind, NodeKind, RunReport};
use crate::state::State;
use crate::stop::Stop;
use crate::store::{CallId, FlowRunRow, ParameterRow, RunOrigin, StepRow, TaskRunRow};
use crate::task_run::{TaskRun, Tracked};
use crate::value::Codec;

/// A flow, as its macro makes it.
#[doc(hidden)]
pub trait FlowFunction: Sized + 'static {
    /// The tuple of its arguments.
    type Args: Arguments;
    /// What it returns, errors aside.
    type Output: Send + Sync + 'static;

    /// What is known of it at compile time.
    fn definition() -> &'static FlowDefinition;

    /// Executes the body.
    fn run(args: Self::Args) -> impl Future<Output = Result<Self::Output, BoxError>> + Send;

    /// Collects the arguments of a call.
    fn parameters(args: &Self::Args, to: &mut Parameters);

    /// Makes the arguments of a call that no code makes.
    fn arguments(from: &mut ArgumentSource<'_>) -> Result<Self::Args, ArgumentError>;

    /// Describes the parameters.
    fn schema(schema: &mut ParameterSchema);

    /// How its results are stored, if they can be.
    fn codec() -> Option<Codec<Self::Output>>;

    /// Shows a result, if it can be shown.
    fn json(result: &Self::Output) -> Option<serde_json::Value>;
}

/// A call of a flow that has not started yet.
///
/// Awaiting it starts it and gives its result: inside another flow as a subflow of that, on the
/// same engine; elsewhere as a flow run of its own, on the engine given by [`on`](Self::on) or on a
/// new one in memory. It can also be started to run by itself ([`start`](Self::start)), or be
/// passed to a task as an input.
///
/// # Cancellation
/// Dropping the awaited call cancels the flow run. Dropping a started [`FlowRun`] does not.
#[must_use = "a flow call does nothing until it is awaited or started"]
pub struct FlowCall<T> {
    call: Box<dyn AnyFlowCall<T>>,
    options: FlowOptions,
}

#[derive(Default, Clone)]
struct FlowOptions {
    engine: Option<Engine>,
    name: Option<String>,
    seed: Option<u64>,
    tags: Vec<String>,
    failure_mode: Option<FailureMode>,
    key: Option<String>,
    /// Whether to wait while another process has the key.
    waits: bool,
    refresh: Vec<String>,
    resume: Option<FlowRunId>,
    origin: Option<(RunOrigin, Vec<TaskRunRow>)>,
    /// What another run of the same call remembered.
    steps: Vec<StepRow>,
    /// The call that starts it as a subflow.
    called_by: Option<(FlowRunId, CallId)>,
    /// Only undo what there is of it.
    roll_back: bool,
}

impl FlowOptions {
    /// Takes apart what concerns the store and what concerns the run itself.
    fn split(self, definition: &'static FlowDefinition) -> (Opening, FlowSpec) {
        let (origin, earlier) = self.origin.unzip();
        let opening = Opening {
            key: self.key,
            parameters: None,
            resume: self.resume,
            origin,
            earlier: earlier.unwrap_or_default(),
            steps: self.steps,
            caller: self.called_by,
            roll_back: self.roll_back,
        };
        let spec = FlowSpec {
            definition,
            name: self.name,
            seed: self.seed,
            tags: self.tags,
            failure_mode: self.failure_mode,
            caller: None,
            recording: None,
            refresh: self.refresh,
        };
        (opening, spec)
    }
}

/// A flow call without the flow's own types.
trait AnyFlowCall<T>: Send {
    fn definition(&self) -> &'static FlowDefinition;
    fn start(
        self: Box<Self>,
        engine: &Arc<EngineInner>,
        options: FlowOptions,
        caller: Option<(FlowRunId, u32)>,
    ) -> Start<T>;
    fn submit(self: Box<Self>, options: FlowOptions) -> TaskRun<T>;
    fn rehearse(
        self: Box<Self>,
        engine: &Arc<EngineInner>,
        options: FlowOptions,
    ) -> Result<BoxFuture<'static, Rehearsed>, FlowErrorKind>;
}

/// What became of a call that was started.
enum Start<T> {
    /// A flow run, which may have been refused.
    Run(FlowRun<T>),
    /// The call once more, for when the process is done that has its key.
    Elsewhere(Box<dyn AnyFlowCall<T>>, Box<FlowOptions>),
}

/// How often to look whether another process is done with a flow run: at first, and at last.
const FOREIGN_RUN: (Duration, Duration) = (Duration::from_millis(20), Duration::from_millis(250));

/// Starts a call, as soon as no other process has its key if it is one that waits for that.
async fn start_in_turn<T>(
    mut call: Box<dyn AnyFlowCall<T>>,
    engine: &Arc<EngineInner>,
    mut options: FlowOptions,
    caller: Option<(FlowRunId, u32)>,
) -> FlowRun<T> {
    let (mut pause, longest) = FOREIGN_RUN;
    loop {
        match call.start(engine, options, caller) {
            Start::Run(run) => return run,
            Start::Elsewhere(again, with) => (call, options) = (again, *with),
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(longest);
    }
}

struct TypedCall<F: FlowFunction> {
    args: F::Args,
    again: Option<CopyInputs<F::Args>>,
}

/// Makes a call of a flow.
#[doc(hidden)]
pub fn flow_call<F: FlowFunction>(args: F::Args) -> FlowCall<F::Output> {
    let call = Box::new(TypedCall::<F> { args, again: None });
    FlowCall {
        call,
        options: FlowOptions::default(),
    }
}

/// Makes a call of a flow with retries.
#[doc(hidden)]
pub fn flow_call_retryable<F: FlowFunction>(args: F::Args) -> FlowCall<F::Output>
where
    F::Args: Clone,
{
    let call = Box::new(TypedCall::<F> {
        args,
        again: Some(F::Args::clone),
    });
    FlowCall {
        call,
        options: FlowOptions::default(),
    }
}

impl<T: Send + Sync + 'static> FlowCall<T> {
    /// Sets the engine on which the call runs when it is awaited.
    pub fn on(mut self, engine: &Engine) -> Self {
        self.options.engine = Some(engine.clone());
        self
    }

    /// Names the flow run. Default: the flow's name and the last digits of the run's id.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.options.name = Some(name.into());
        self
    }

    /// Sets the seed of the flow run.
    pub fn seed(mut self, seed: u64) -> Self {
        self.options.seed = Some(seed);
        self
    }

    /// Adds a tag.
    pub fn tag(mut self, tag: impl Into<String>) -> Self {
        self.options.tags.push(tag.into());
        self
    }

    /// Sets what happens once a task run has failed, in place of the flow's and the engine's own
    /// mode.
    pub fn failure_mode(mut self, mode: FailureMode) -> Self {
        self.options.failure_mode = Some(mode);
        self
    }

    /// Gives the flow run a key, unique among the runs of this flow: started again with the same key
    /// and the same parameters, a run that completed gives its recorded result, one that failed or
    /// whose process is gone is gone on with, and one that runs is joined.
    ///
    /// It needs an engine with a store, and parameters that can be stored.
    pub fn key(mut self, key: impl Into<String>) -> Self {
        self.options.key = Some(key.into());
        self
    }

    /// Waits while another process runs the flow run of this key, in place of
    /// [`FlowErrorKind::AlreadyRunning`]: then it gives the result that one recorded, or goes on with
    /// what is left of it. It counts where the call is awaited; [`start`](Self::start) does not wait.
    ///
    /// # Cancellation
    /// Dropping the future while it waits leaves the other process's flow run alone.
    pub fn wait(mut self) -> Self {
        self.options.waits = true;
        self
    }

    /// Executes tasks of this name although the cache has results for them, and replaces those. `*`
    /// stands for any letters.
    pub fn refresh(mut self, tasks: impl Into<String>) -> Self {
        self.options.refresh.push(tasks.into());
        self
    }

    /// Goes on with a recorded run.
    pub(crate) fn resume(mut self, run: FlowRunId) -> Self {
        self.options.resume = Some(run);
        self
    }

    /// Hands back what is the same as in the run that this one is made from.
    pub(crate) fn origin(mut self, origin: RunOrigin, earlier: Vec<TaskRunRow>) -> Self {
        self.options.origin = Some((origin, earlier));
        self
    }

    /// Gives steps and choices what they came to in another run of the same call.
    pub(crate) fn remember(mut self, steps: Vec<StepRow>) -> Self {
        self.options.steps = steps;
        self
    }

    /// Returns the name of the flow.
    pub fn flow(&self) -> &'static str {
        self.call.definition().name
    }

    /// Starts the flow run on an engine; it goes on by itself from there.
    ///
    /// # Errors
    /// [`FlowErrorKind::NoRuntime`] outside of a Tokio runtime, [`FlowErrorKind::Closed`] on an
    /// engine that is draining, [`FlowErrorKind::TooManyRunning`] or
    /// [`FlowErrorKind::Cancelled`] when the flow's `max_running` says so.
    pub fn start(self, engine: &Engine) -> Result<FlowRun<T>, FlowError> {
        let run = self.start_at_once(engine);
        match run.refusal() {
            Some(error) => Err(error),
            None => Ok(run),
        }
    }

    async fn start_in_turn(self, engine: Engine) -> FlowRun<T> {
        start_in_turn(self.call, &engine.0, self.options, None).await
    }

    fn start_at_once(mut self, engine: &Engine) -> FlowRun<T> {
        self.options.waits = false;
        match self.call.start(&engine.0, self.options, None) {
            Start::Run(run) => run,
            Start::Elsewhere(..) => unreachable!("only a call that waits is given back"),
        }
    }

    /// Finds out what the flow run would execute, and executes nothing.
    pub(crate) fn rehearse(
        self,
        engine: &Arc<EngineInner>,
    ) -> Result<BoxFuture<'static, Rehearsed>, FlowErrorKind> {
        self.call.rehearse(engine, self.options)
    }

    /// Submits the call as a subflow of the current flow run, without waiting for it.
    ///
    /// Outside of a flow run it becomes a run of its own, like a task that is called there.
    pub fn submit(self) -> TaskRun<T> {
        self.call.submit(self.options)
    }
}

impl<T> fmt::Debug for FlowCall<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FlowCall")
            .field("flow", &self.call.definition().name)
            .finish()
    }
}

impl<T: Send + Sync + 'static> IntoFuture for FlowCall<T> {
    type Output = Result<T, FlowError>;
    type IntoFuture = FlowFuture<T>;

    fn into_future(self) -> FlowFuture<T> {
        FlowFuture(FlowFutureInner::Call(Some(Box::new(self))))
    }
}

/// An awaited [`FlowCall`].
#[must_use = "futures do nothing unless they are awaited"]
pub struct FlowFuture<T>(FlowFutureInner<T>);

enum FlowFutureInner<T> {
    Call(Option<Box<FlowCall<T>>>),
    Waiting(BoxFuture<'static, FlowRun<T>>),
    Run(FlowRun<T>),
    Subflow(Option<TaskRun<T>>),
    Ended(Option<Tracked<T>>),
}

impl<T: Send + Sync + 'static> Future for FlowFuture<T> {
    type Output = Result<T, FlowError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        loop {
            match &mut self.0 {
                FlowFutureInner::Call(call) => {
                    let call = call
                        .take()
                        .expect("a future is not polled after it panicked");
                    let is_inside = context::with_current(|place| place.is_some());
                    self.0 = match &call.options.engine {
                        None if is_inside => FlowFutureInner::Subflow(Some(call.submit())),
                        engine => {
                            let engine = engine.clone().unwrap_or_default();
                            if call.options.waits {
                                FlowFutureInner::Waiting(call.start_in_turn(engine).boxed())
                            } else {
                                FlowFutureInner::Run(call.start_at_once(&engine))
                            }
                        }
                    };
                }
                FlowFutureInner::Waiting(waiting) => {
                    self.0 = FlowFutureInner::Run(std::task::ready!(waiting.poll_unpin(cx)));
                }
                FlowFutureInner::Run(run) => return Pin::new(run).poll(cx),
                FlowFutureInner::Subflow(run) => {
                    let waiting = run
                        .as_mut()
                        .expect("a future is not polled after it is ready");
                    let result = std::task::ready!(Pin::new(waiting).poll(cx));
                    // The handle goes first: the result is moved out of the last one.
                    *run = None;
                    match result {
                        Ok(tracked) => self.0 = FlowFutureInner::Ended(Some(tracked)),
                        Err(error) => return Poll::Ready(Err(flow_error(error))),
                    }
                }
                FlowFutureInner::Ended(tracked) => {
                    let last = tracked.take();
                    let last = last.expect("a future is not polled after it is ready");
                    return match last.try_into_inner() {
                        Ok(value) => Poll::Ready(Ok(value)),
                        // The thread that ended the subflow has not let go of it yet.
                        Err(last) => {
                            *tracked = Some(last);
                            cx.waker().wake_by_ref();
                            Poll::Pending
                        }
                    };
                }
            }
        }
    }
}

impl<T> Drop for FlowFuture<T> {
    fn drop(&mut self) {
        match &self.0 {
            FlowFutureInner::Run(run) => run.cancel(),
            FlowFutureInner::Subflow(Some(run)) => run.cancel(),
            _ => {}
        }
    }
}

/// Returns the error of a subflow's run, or words the one of its task run.
fn flow_error(error: TaskError) -> FlowError {
    if let TaskErrorKind::Failed(source) = error.kind()
        && let Some(error) = source.downcast_ref::<FlowError>()
    {
        return error.clone();
    }
    let kind = match error.kind() {
        TaskErrorKind::Cancelled { reason } => FlowErrorKind::Cancelled { reason: *reason },
        TaskErrorKind::RuntimeShutDown => FlowErrorKind::RuntimeShutDown,
        TaskErrorKind::NoRuntime => FlowErrorKind::NoRuntime,
        TaskErrorKind::Skipped { upstream } => FlowErrorKind::Upstream(upstream.clone()),
        _ => FlowErrorKind::Upstream(error.clone()),
    };
    FlowError::new(error.task_run().to_owned(), kind)
}

type ResultCell<T> = Arc<Mutex<Option<Result<T, FlowError>>>>;

/// A flow run that was started: a future of its result that does not have to be awaited.
///
/// # Cancellation
/// Dropping it leaves the flow run going; [`cancel`](Self::cancel) stops it.
pub struct FlowRun<T> {
    flow: Arc<Flow>,
    /// Whether the engine did not take it on. One that it did may have ended before `start` returns.
    is_refused: bool,
    result: ResultCell<T>,
    ticket: Option<Ticket>,
    /// Set for one that joined a run under way: how to read its result from the store.
    attached: Option<Option<Codec<T>>>,
}

impl<T> FlowRun<T> {
    /// Returns the id.
    pub fn id(&self) -> FlowRunId {
        self.flow.id
    }

    /// Returns the name.
    pub fn name(&self) -> &str {
        self.flow.name()
    }

    /// Returns where the flow run stands now.
    pub fn state(&self) -> State {
        self.flow.state()
    }

    /// Whether the flow run has ended.
    pub fn is_finished(&self) -> bool {
        self.state().is_final()
    }

    /// Returns why it did not complete, once it has ended.
    pub fn error(&self) -> Option<FlowError> {
        self.flow.error().cloned()
    }

    /// Asks the flow run and its whole tree to stop. What has not started never will; what runs
    /// gets the grace time; then cleanups run. Does not wait for it.
    ///
    /// It ends as cancelled, also when a failure had stopped it before. Once its body has returned
    /// and all its task runs have ended, what it ends as is decided.
    pub fn cancel(&self) {
        self.flow.cancel();
    }

    pub(crate) fn inner(&self) -> Arc<Flow> {
        Arc::clone(&self.flow)
    }

    /// Subscribes to the events of this flow run, from now on.
    pub fn events(&self) -> Events {
        self.flow.engine.events.subscribe(Some(self.flow.id))
    }

    /// Puts together what is known of the flow run: final once it has ended, a snapshot before.
    pub fn report(&self) -> RunReport {
        self.flow.report()
    }

    /// Waits until the flow run has ended, without taking its result.
    pub async fn wait(&self) {
        let mut ticket = None;
        std::future::poll_fn(|cx| poll_ended(&self.flow, &mut ticket, cx)).await;
    }

    /// Waits until the flow run has ended; returns its result and its report.
    pub async fn finish(self) -> (Result<T, FlowError>, RunReport)
    where
        T: Send + 'static,
    {
        let flow = Arc::clone(&self.flow);
        let result = self.await;
        (result, flow.report())
    }

    fn refusal(&self) -> Option<FlowError> {
        self.flow.error().filter(|_| self.is_refused).cloned()
    }
}

impl<T> fmt::Debug for FlowRun<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FlowRun")
            .field("name", &self.name())
            .field("id", &self.id())
            .field("state", &self.state())
            .finish()
    }
}

fn poll_ended(flow: &Flow, ticket: &mut Option<Ticket>, cx: &Context<'_>) -> Poll<()> {
    let is_waiting = match *ticket {
        Some(ticket) => flow
            .ended
            .update(ticket, |waker| waker.clone_from(cx.waker())),
        None => match flow.ended.subscribe(cx.waker().clone()) {
            Ok(taken) => {
                *ticket = Some(taken);
                true
            }
            Err(_) => false,
        },
    };
    if is_waiting {
        Poll::Pending
    } else {
        Poll::Ready(())
    }
}

impl<T> Future for FlowRun<T> {
    type Output = Result<T, FlowError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        std::task::ready!(poll_ended(&this.flow, &mut this.ticket, cx));
        if let Some(codec) = this.attached {
            return Poll::Ready(this.flow.recorded_result(codec));
        }
        let mut result = this.result.lock().unwrap_or_else(PoisonError::into_inner);
        Poll::Ready(
            result
                .take()
                .expect("a flow run is not awaited again after it gave its result"),
        )
    }
}

impl Flow {
    /// Asks the flow run and its whole tree to stop.
    pub(crate) fn cancel(&self) {
        self.cancel_for(CancelReason::FlowRun);
    }

    fn cancel_for(&self, reason: CancelReason) {
        if !self.state().is_final() {
            self.stop(Stop::Running, reason);
        }
    }

    /// Reads what the flow run came to for one who joined it: the first one has it already.
    fn recorded_result<T>(&self, codec: Option<Codec<T>>) -> Result<T, FlowError> {
        if let Some(error) = self.error() {
            return Err(error.clone());
        }
        let row = self.recorder().map(|recorder| recorder.row());
        row.ok_or(FlowErrorKind::NoStore)
            .and_then(|row| self.engine.recorded_result(codec, &row))
            .map_err(|kind| FlowError::new(self.name().to_owned(), kind))
    }
}

impl<F: FlowFunction> TypedCall<F> {
    /// The arguments as they are stored, or what about them cannot be.
    fn parameters(&self) -> Result<Vec<ParameterRow>, FlowErrorKind> {
        let mut parameters = Parameters::to_store();
        F::parameters(&self.args, &mut parameters);
        parameters.finish()
    }

    fn body(self, flow: &Arc<Flow>) -> FlowBody<F::Output> {
        let flow = Arc::clone(flow);
        let mut upstreams = Vec::new();
        self.args
            .visit(&mut |upstream| upstreams.push(((upstream.node)(), upstream.edge)));
        async move {
            wait_for(upstreams).await?;
            let mut rest = Some(self.args);
            let is_only_undone = flow
                .recorder()
                .is_some_and(|recorder| recorder.is_rolling_back());
            let mut left = if self.again.is_some() && !is_only_undone {
                F::definition().retries
            } else {
                0
            };
            loop {
                let args = match (&rest, self.again) {
                    (Some(rest), Some(again)) if left > 0 => again(rest),
                    _ => rest.take().expect("the arguments last for all attempts"),
                };
                match F::run(args).await {
                    Ok(result) => return Ok(result),
                    Err(error) if left == 0 || flow.stopped() != Stop::None => {
                        return Err(FlowErrorKind::Failed(error));
                    }
                    Err(error) => {
                        left -= 1;
                        tracing::warn!(
                            target: "orch",
                            flow_run = flow.name(),
                            "the flow failed and is tried again: {error}"
                        );
                        flow.forgive_failures();
                    }
                }
            }
        }
        .boxed()
    }
}

/// Waits for the task runs that are arguments of a flow.
async fn wait_for(upstreams: Vec<(Arc<dyn AnyNode>, EdgeKind)>) -> Result<(), FlowErrorKind> {
    for (node, edge) in upstreams {
        crate::driver::until_ended(&node).await;
        let header = node.header();
        if edge != EdgeKind::Catch
            && let Some(error) = header.error()
        {
            header.observe();
            return Err(FlowErrorKind::Upstream(error.clone()));
        }
        Arc::clone(&node)
            .load()
            .await
            .map_err(|failure| FlowErrorKind::Upstream(header.make_error(failure.kind)))?;
    }
    Ok(())
}

impl<F: FlowFunction> AnyFlowCall<F::Output> for TypedCall<F> {
    fn definition(&self) -> &'static FlowDefinition {
        F::definition()
    }

    fn start(
        self: Box<Self>,
        engine: &Arc<EngineInner>,
        options: FlowOptions,
        caller: Option<(FlowRunId, u32)>,
    ) -> Start<F::Output> {
        let again = options.waits.then(|| Box::new(options.clone()));
        let result: ResultCell<F::Output> = Arc::default();
        let cell = Arc::clone(&result);
        let deliver = Box::new(move |result| {
            *cell.lock().unwrap_or_else(PoisonError::into_inner) = Some(result);
        });
        let (mut opening, mut spec) = options.split(F::definition());
        spec.caller = caller;
        if engine.store.is_some() {
            opening.parameters = Some(self.parameters());
        }
        let opened = engine.open_run(&mut spec, opening);
        if let (Err(FlowErrorKind::AlreadyRunning { .. }), Some(again)) = (&opened, again) {
            return Start::Elsewhere(self, again);
        }
        let mut attached = None;
        let (flow, is_refused) = match opened {
            Ok(Opened::Run) => engine.start(spec, |flow| self.body(flow), F::codec(), deliver),
            Ok(Opened::Attached(flow)) => {
                attached = Some(F::codec());
                (flow, false)
            }
            Ok(Opened::Completed(row)) => match engine.recorded_result(F::codec(), &row) {
                Ok(value) => (engine.settle(spec, &row, value, deliver), false),
                Err(kind) => (engine.refuse(spec, kind, deliver), true),
            },
            Err(kind) => (engine.refuse(spec, kind, deliver), true),
        };
        Start::Run(FlowRun {
            flow,
            is_refused,
            result,
            ticket: None,
            attached,
        })
    }

    fn rehearse(
        self: Box<Self>,
        engine: &Arc<EngineInner>,
        options: FlowOptions,
    ) -> Result<BoxFuture<'static, Rehearsed>, FlowErrorKind> {
        let (mut opening, mut spec) = options.split(F::definition());
        opening.parameters = Some(self.parameters());
        engine.open_rehearsal(&mut spec, opening)?;
        let runtime = Runtime::try_current().map_err(|_| FlowErrorKind::NoRuntime)?;
        let flow = Flow::new(Arc::clone(engine), Some(runtime), spec);
        let body = self.body(&flow);
        Ok(flow::rehearse(flow, body).boxed())
    }

    fn submit(self: Box<Self>, options: FlowOptions) -> TaskRun<F::Output> {
        let (flow, scope) = place_of(&self.args);
        let mut spec = NodeSpec::new(node_definition(F::definition()), NodeKind::Subflow);
        spec.scope = scope;
        if let Some(name) = &options.name {
            spec.detail = Some(crate::detail::Detail::named(name.clone()));
        }
        let inputs = SubflowArgs {
            call: *self,
            options,
        };
        TaskRun::first(flow.submit::<SubflowBody<F>>(spec, inputs, None))
    }
}

/// Returns the definition under which a flow's subflow runs are recorded.
fn node_definition(flow: &'static FlowDefinition) -> &'static Definition {
    static DEFINITIONS: LazyLock<Mutex<HashMap<usize, &'static Definition>>> =
        LazyLock::new(Mutex::default);
    let mut definitions = DEFINITIONS.lock().unwrap_or_else(PoisonError::into_inner);
    let key = std::ptr::from_ref(flow) as usize;
    // One small allocation per flow of the program, for good.
    definitions.entry(key).or_insert_with(|| {
        Box::leak(Box::new(Definition {
            fingerprint: flow.fingerprint,
            tags: flow.tags,
            doc: flow.doc,
            ..Definition::new(flow.name, flow.module, flow.file, flow.line, flow.package)
        }))
    })
}

/// The inputs of a subflow's node.
pub(crate) struct SubflowArgs<F: FlowFunction> {
    call: TypedCall<F>,
    options: FlowOptions,
}

impl<F: FlowFunction> Arguments for SubflowArgs<F> {
    fn visit(&self, visit: &mut dyn FnMut(Upstream<'_>)) {
        self.call.args.visit(visit);
    }
}

/// The body of a subflow's node: a flow run on the same engine.
pub(crate) struct SubflowBody<F>(std::marker::PhantomData<fn() -> F>);

impl<F: FlowFunction> Body for SubflowBody<F> {
    type Args = SubflowArgs<F>;
    type Output = F::Output;

    fn task() -> Option<std::any::TypeId> {
        None
    }

    fn call(args: &Self::Args, call: &mut CallHasher) {
        F::parameters(&args.call.args, &mut Parameters::of_call(call));
    }

    fn start_plain(node: Arc<Node<Self>>, slot: &mut Slot, now: u64) -> Started {
        let Some(args) = node.take_inputs() else {
            return Started::Done(Err(ended_meanwhile()));
        };
        if let Err(failure) = mark_started(&node, now) {
            return Started::Done(Err(failure));
        }
        slot.set(async move {
            let result = Self::attempt(&node, args).await;
            result.map(|result| node.keep(result))
        });
        Started::InSlot
    }

    async fn attempt(node: &Arc<Node<Self>>, args: Self::Args) -> Result<F::Output, Failure> {
        let header = &node.header;
        let SubflowArgs { call, mut options } = args;
        let engine = options
            .engine
            .take()
            .map_or_else(|| Arc::clone(&header.flow.engine), |engine| engine.0);
        if options.seed.is_none() {
            options.seed = Some(context::seed_of(header));
        }
        options.called_by = header.call().map(|call| (header.flow.id, call));
        let recorder = header.flow.recorder();
        let is_rolling_back = recorder.is_some_and(|recorder| recorder.is_rolling_back());
        if options.key.is_none() && Arc::ptr_eq(&engine, &header.flow.engine) {
            let earlier = earlier_run(header);
            if let Some(row) = &earlier
                && row.state == State::Completed
                && let Ok(result) = engine.recorded_result(F::codec(), row)
            {
                return Ok(result);
            }
            // One that has ended, has undone what it did.
            options.resume = earlier
                .filter(|row| row.state != State::Completed)
                .filter(|row| !(is_rolling_back && row.state.is_final()))
                .map(|row| row.id);
        }
        if is_rolling_back && !header.is_cleanup() {
            if options.resume.is_none() {
                let reason = CancelReason::Failure;
                return Err(Failure::last(TaskErrorKind::Cancelled { reason }));
            }
            options.roll_back = true;
        }
        if let Some(rehearsal) = header.flow.rehearsal() {
            return rehearsal.stop_at(header).await;
        }
        let token = TaskContext::current().cancel_token();
        let caller = Some((header.flow.id, header.index));
        let run = tokio::select! {
            biased;
            run = start_in_turn(Box::new(call), &engine, options, caller) => run,
            () = token.cancelled() => {
                let reason = header.flow.stop_reason().unwrap_or(CancelReason::Parent);
                return Err(Failure::last(TaskErrorKind::Cancelled { reason }));
            }
        };
        let mut run = CancelOnDrop {
            run,
            caller: &header.flow,
        };
        let result = tokio::select! {
            biased;
            result = &mut run.run => result,
            () = token.cancelled() => {
                run.cancel();
                (&mut run.run).await
            }
        };
        result.map_err(|error| {
            Failure::last(match error.kind() {
                FlowErrorKind::Cancelled { reason } => TaskErrorKind::Cancelled { reason: *reason },
                _ => TaskErrorKind::Failed(Box::new(error)),
            })
        })
    }
}

/// Returns the run of a subflow that an earlier execution of the same call with the same arguments
/// left. One that completed counts only if the flow's code is what it was.
fn earlier_run(header: &Header) -> Option<FlowRunRow> {
    let identity = header.identity()?;
    let is_same_code = *identity.is_same_code.get()?;
    let row = header.flow.recorder()?.subflow(identity.call?)?;
    (is_same_code || row.state != State::Completed).then_some(row)
}

/// A subflow whose caller is dropped is cancelled.
struct CancelOnDrop<'a, T> {
    run: FlowRun<T>,
    caller: &'a Flow,
}

impl<T> CancelOnDrop<'_, T> {
    /// Stops the subflow; one that goes down with its engine is told so.
    fn cancel(&self) {
        match self.caller.stop_reason() {
            Some(reason @ CancelReason::Shutdown) => self.run.flow.cancel_for(reason),
            _ => self.run.cancel(),
        }
    }
}

impl<T> Drop for CancelOnDrop<'_, T> {
    fn drop(&mut self) {
        self.cancel();
    }
}

impl<T: Send + Sync + 'static> Input<T, ByRef> for FlowCall<T> {
    fn into_argument(self) -> Shared<T> {
        Input::<T, ByRef>::into_argument(self.submit())
    }
}

impl<T: Clone + Send + Sync + 'static> Input<T, ByValue> for FlowCall<T> {
    fn into_argument(self) -> Owned<T> {
        Input::<T, ByValue>::into_argument(self.submit())
    }
}

#[diagnostic::do_not_recommend]
impl<T: Send + Sync + 'static, How: Passing> TrackedInput<Tracked<T>, How> for FlowCall<T> {
    fn into_argument(self) -> How::Argument<Tracked<T>> {
        TrackedInput::<Tracked<T>, How>::into_argument(self.submit())
    }
}

//! Calls of flows, and the runs they start.

mod lost_result;
mod run;
mod subflow;

pub use self::run::FlowRun;
pub(crate) use self::subflow::{SubflowArgs, SubflowBody};

use std::fmt;
use std::future::IntoFuture;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use tokio::runtime::Handle as Runtime;

use crate::call::place_of;
use crate::context;
use crate::definition::FlowDefinition;
use crate::engine::{Engine, EngineInner, Opened, Opening};
use crate::error::{BoxError, FlowError, FlowErrorKind, TaskError, TaskErrorKind};
use crate::flow::{self, Flow, FlowBody, FlowSpec, NodeSpec, Rehearsed};
use crate::id::FlowRunId;
use crate::input::{Arguments, ByRef, ByValue, Input, Owned, Passing, Shared, TrackedInput};
use crate::node::{AnyNode, CopyInputs};
use crate::parameters::{ArgumentError, ArgumentSource, ParameterSchema, Parameters};
use crate::policy::failure_mode::FailureMode;
use crate::report::{EdgeKind, NodeKind};
use crate::stop::Stop;
use crate::store::{CallId, ParameterRow, RecordedTaskRuns, RunOrigin, StepRow};
use crate::task_run::{TaskRun, Tracked};
use crate::value::Codec;

use self::run::ResultCell;
use self::subflow::node_definition;

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
    origin: Option<(RunOrigin, RecordedTaskRuns)>,
    /// What another run of the same call remembered.
    steps: Vec<StepRow>,
    /// The call that starts it as a subflow.
    called_by: Option<(FlowRunId, CallId)>,
    /// Only undo what there is of it.
    roll_back: bool,
    /// Whether it goes on with a run that lost a result: it does not do so twice.
    is_second_chance: bool,
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
            is_second_chance: self.is_second_chance,
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
    ) -> Result<Rehearsing<T>, FlowErrorKind>;
}

/// A rehearsal under way: what it comes to, and what the flow returned if nothing has to be executed
/// for that.
type Rehearsing<T> = BoxFuture<'static, (Rehearsed, Option<T>)>;

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
    pub(crate) fn origin(mut self, origin: RunOrigin, earlier: RecordedTaskRuns) -> Self {
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
        let rehearsing = self.call.rehearse(engine, self.options)?;
        Ok(rehearsing.map(|(rehearsed, _)| rehearsed).boxed())
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

    /// Starts the call; what it comes to is put into the cell.
    fn start_into(
        self: Box<Self>,
        result: ResultCell<F::Output>,
        engine: &Arc<EngineInner>,
        options: FlowOptions,
        caller: Option<(FlowRunId, u32)>,
    ) -> Start<F::Output> {
        let again = options.waits.then(|| Box::new(options.clone()));
        let deliver = self.deliver_to(Arc::clone(&result), &options, caller);
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
        self.start_into(Arc::default(), engine, options, caller)
    }

    fn rehearse(
        self: Box<Self>,
        engine: &Arc<EngineInner>,
        options: FlowOptions,
    ) -> Result<Rehearsing<F::Output>, FlowErrorKind> {
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

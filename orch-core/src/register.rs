//! The tasks and flows of a program, by name.

use std::any::type_name;
use std::fmt;
use std::sync::Arc;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use serde_json::{Map, Value};

use crate::body::{Task, id_of};
use crate::code::fingerprint_of;
use crate::definition::{Definition, FlowDefinition};
use crate::engine::{Engine, EngineInner};
use crate::error::{FlowError, FlowErrorKind};
use crate::flow::{Flow, Rehearsed};
use crate::flow_call::{FlowCall, FlowFunction, flow_call};
use crate::id::FlowRunId;
use crate::parameters::{ArgumentError, ArgumentSource, ParameterSchema};
use crate::report::RunReport;
use crate::state::State;
use crate::store::{RecordedTaskRuns, RunOrigin, StepRow};
use crate::value::Digest;

/// A task of the program.
#[derive(Debug, Clone, Copy)]
pub struct RegisteredTask {
    definition: fn() -> &'static Definition,
    type_name: fn() -> &'static str,
    fingerprint: fn() -> Digest,
}

/// A flow of the program.
#[derive(Debug, Clone, Copy)]
pub struct RegisteredFlow {
    definition: fn() -> &'static FlowDefinition,
    schema: fn(&mut ParameterSchema),
    call: fn(ArgumentSource<'_>) -> Result<Box<dyn AnyCall>, ArgumentError>,
}

inventory::collect!(RegisteredTask);
inventory::collect!(RegisteredFlow);

impl RegisteredTask {
    /// Names a task.
    #[doc(hidden)]
    pub const fn new<T: Task>() -> Self {
        Self {
            definition: T::definition,
            type_name: type_name::<T>,
            fingerprint: fingerprint_of::<T>,
        }
    }

    /// Returns what is known of it.
    pub fn definition(&self) -> &'static Definition {
        (self.definition)()
    }

    /// Returns its id: the `id` option, or the package and the path of the function, which tells
    /// functions of one name apart.
    pub fn id(&self) -> String {
        id_of(self.definition(), (self.type_name)())
    }

    /// Returns the hash of its code and of what that names with `uses`.
    pub fn fingerprint(&self) -> Digest {
        (self.fingerprint)()
    }
}

impl RegisteredFlow {
    /// Names a flow.
    #[doc(hidden)]
    pub const fn new<F: FlowFunction>() -> Self {
        Self {
            definition: F::definition,
            schema: F::schema,
            call: |mut source| {
                let call = flow_call::<F>(F::arguments(&mut source)?);
                Ok(Box::new(TypedNamedCall::<F>(call)))
            },
        }
    }

    /// Returns what is known of it.
    pub fn definition(&self) -> &'static FlowDefinition {
        (self.definition)()
    }

    /// Returns the JSON Schema of its parameters, as an object.
    ///
    /// ```
    /// use orch_core::prelude::*;
    ///
    /// #[flow]
    /// async fn train(rows: u32, name: Option<String>) -> anyhow::Result<()> {
    ///     Ok(())
    /// }
    ///
    /// let flow = orch_core::flows().find(|flow| flow.definition().name == "train").unwrap();
    /// let schema = flow.schema();
    /// assert_eq!(schema["properties"]["rows"]["type"], "integer");
    /// assert_eq!(schema["required"], serde_json::json!(["rows"]));
    /// ```
    pub fn schema(&self) -> Value {
        let mut schema = ParameterSchema::default();
        (self.schema)(&mut schema);
        schema.finish()
    }

    /// Makes a call with arguments from outside: a JSON object by the names of the parameters.
    /// Nothing is converted: a text is no number.
    ///
    /// # Errors
    /// [`ArgumentError`] names the parameter and its type.
    pub fn call(&self, arguments: Map<String, Value>) -> Result<NamedCall, ArgumentError> {
        self.check_names(&arguments)?;
        self.call_with(ArgumentSource::Json(arguments))
    }

    /// Looks whether there is a parameter for each argument.
    pub(crate) fn check_names(&self, arguments: &Map<String, Value>) -> Result<(), ArgumentError> {
        let parameters = self.definition().parameters;
        let unknown = arguments.keys().find(|name| {
            let mut inputs = parameters.iter().filter(|parameter| parameter.is_input());
            !inputs.any(|parameter| parameter.name == **name)
        });
        if let Some(unknown) = unknown {
            let known: Vec<String> = parameters
                .iter()
                .filter(|parameter| parameter.is_input())
                .map(|parameter| format!("`{}`", parameter.name))
                .collect();
            return Err(ArgumentError::Unknown {
                parameter: unknown.clone(),
                known: known.join(", "),
            });
        }
        Ok(())
    }

    pub(crate) fn call_with(&self, source: ArgumentSource<'_>) -> Result<NamedCall, ArgumentError> {
        (self.call)(source).map(NamedCall)
    }
}

/// Returns the tasks of the program that are not generic. A crate that is only listed in the
/// manifest registers nothing: `use x as _;` does.
pub fn tasks() -> impl Iterator<Item = &'static RegisteredTask> {
    inventory::iter::<RegisteredTask>.into_iter()
}

/// Returns the flows of the program that are not generic.
pub fn flows() -> impl Iterator<Item = &'static RegisteredFlow> {
    inventory::iter::<RegisteredFlow>.into_iter()
}

/// A call of a flow whose type is not known here.
trait AnyCall: Send {
    fn with(self: Box<Self>, option: CallOption) -> Box<dyn AnyCall>;
    fn start(self: Box<Self>, engine: &Engine) -> Result<NamedRun, FlowError>;
    fn rehearse(
        self: Box<Self>,
        engine: &Arc<EngineInner>,
    ) -> Result<BoxFuture<'static, Rehearsed>, FlowErrorKind>;
}

enum CallOption {
    Key(String),
    Name(String),
    Refresh(String),
    Seed(u64),
    Resume(FlowRunId),
    Origin(RunOrigin, RecordedTaskRuns),
    Remember(Vec<StepRow>),
}

struct TypedNamedCall<F: FlowFunction>(FlowCall<F::Output>);

impl<F: FlowFunction> AnyCall for TypedNamedCall<F> {
    fn with(self: Box<Self>, option: CallOption) -> Box<dyn AnyCall> {
        let call = self.0;
        Box::new(Self(match option {
            CallOption::Key(key) => call.key(key),
            CallOption::Name(name) => call.name(name),
            CallOption::Refresh(tasks) => call.refresh(tasks),
            CallOption::Seed(seed) => call.seed(seed),
            CallOption::Resume(run) => call.resume(run),
            CallOption::Origin(origin, earlier) => call.origin(origin, earlier),
            CallOption::Remember(steps) => call.remember(steps),
        }))
    }

    fn rehearse(
        self: Box<Self>,
        engine: &Arc<EngineInner>,
    ) -> Result<BoxFuture<'static, Rehearsed>, FlowErrorKind> {
        self.0.rehearse(engine)
    }

    fn start(self: Box<Self>, engine: &Engine) -> Result<NamedRun, FlowError> {
        let run = self.0.start(engine)?;
        let flow = run.inner();
        let result = async move {
            let value = run.await?;
            Ok(F::json(&value))
        };
        Ok(NamedRun {
            flow,
            result: result.boxed(),
        })
    }
}

/// A call of a flow that was found by its name.
#[must_use = "a flow call does nothing until it is started"]
pub struct NamedCall(Box<dyn AnyCall>);

impl NamedCall {
    /// Gives the flow run a key. See [`FlowCall::key`].
    pub fn key(self, key: impl Into<String>) -> Self {
        Self(self.0.with(CallOption::Key(key.into())))
    }

    /// Names the flow run.
    pub fn name(self, name: impl Into<String>) -> Self {
        Self(self.0.with(CallOption::Name(name.into())))
    }

    /// Executes tasks of this name whatever the cache has. See [`FlowCall::refresh`].
    pub fn refresh(self, tasks: impl Into<String>) -> Self {
        Self(self.0.with(CallOption::Refresh(tasks.into())))
    }

    /// Sets the seed of the flow run.
    pub fn seed(self, seed: u64) -> Self {
        Self(self.0.with(CallOption::Seed(seed)))
    }

    pub(crate) fn resume(self, run: FlowRunId) -> Self {
        Self(self.0.with(CallOption::Resume(run)))
    }

    pub(crate) fn origin(self, origin: RunOrigin, earlier: RecordedTaskRuns) -> Self {
        Self(self.0.with(CallOption::Origin(origin, earlier)))
    }

    pub(crate) fn remember(self, steps: Vec<StepRow>) -> Self {
        Self(self.0.with(CallOption::Remember(steps)))
    }

    /// Finds out what the flow run would execute, and executes nothing.
    pub(crate) fn rehearse(
        self,
        engine: &Arc<EngineInner>,
    ) -> Result<BoxFuture<'static, Rehearsed>, FlowErrorKind> {
        self.0.rehearse(engine)
    }

    /// Starts the flow run on an engine.
    ///
    /// # Errors
    /// Those of [`FlowCall::start`].
    pub fn start(self, engine: &Engine) -> Result<NamedRun, FlowError> {
        self.0.start(engine)
    }
}

impl fmt::Debug for NamedCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NamedCall").finish_non_exhaustive()
    }
}

/// A run of a flow whose type is not known here: a future of its result as JSON, `None` if its type
/// does not implement `serde::Serialize`.
///
/// # Cancellation
/// Dropping it leaves the flow run going; [`cancel`](Self::cancel) stops it.
#[must_use = "dropping it leaves the flow run going, and nobody learns how it ended"]
pub struct NamedRun {
    flow: Arc<Flow>,
    result: BoxFuture<'static, Result<Option<Value>, FlowError>>,
}

impl NamedRun {
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
        self.flow.latest().state()
    }

    /// Asks the flow run and its whole tree to stop.
    pub fn cancel(&self) {
        self.flow.latest().cancel();
    }

    /// Puts together what is known of the flow run.
    pub fn report(&self) -> RunReport {
        self.flow.latest().report()
    }

    /// Waits until the flow run has ended; returns its result and its report.
    pub async fn finish(self) -> (Result<Option<Value>, FlowError>, RunReport) {
        let result = self.result.await;
        (result, self.flow.latest().report())
    }
}

impl IntoFuture for NamedRun {
    type Output = Result<Option<Value>, FlowError>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        self.result
    }
}

impl fmt::Debug for NamedRun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NamedRun")
            .field("name", &self.name())
            .field("id", &self.id())
            .field("state", &self.state())
            .finish()
    }
}

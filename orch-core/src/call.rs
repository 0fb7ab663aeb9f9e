//! A call of a task: options, place, submission.

use std::any::Any;
use std::borrow::Cow;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use crate::body::{AsyncBody, AsyncTask, BlockingBody, Body, InlineBody, SyncTask, Task};
use crate::context;
use crate::definition::{FlowDefinition, LimitUse};
use crate::detail::Detail;
use crate::engine::Engine;
use crate::error::{BoxError, Failure, TaskErrorKind};
use crate::expansion::{Cacheable, Recordable};
use crate::flow::{Flow, NodeSpec};
use crate::handle::Handle;
use crate::input::Arguments;
use crate::node::AnyNode;
use crate::policy::retry::{Backoff, Classified, ClassifyRetry, Retry};
use crate::report::NodeKind;
use crate::scope::Scope;
use crate::task_run::TaskRun;
use crate::value::{Codec, StoredForm};

/// The options of one call. The setters are generated next to the task.
#[doc(hidden)]
pub struct CallOptions<A> {
    again: Option<fn(&A) -> A>,
    rare: Option<Box<Rare>>,
}

#[derive(Default)]
struct Rare {
    detail: Detail,
    allow_failure: bool,
    after: Vec<Arc<dyn AnyNode>>,
}

impl<A> CallOptions<A> {
    /// The task's own options, for a task without retries.
    pub fn new() -> Self {
        Self {
            again: None,
            rare: None,
        }
    }

    /// The task's own options, for a task with retries: its arguments can be copied.
    pub fn retryable() -> Self
    where
        A: Clone,
    {
        Self {
            again: Some(A::clone),
            rare: None,
        }
    }

    fn rare(&mut self) -> &mut Rare {
        self.rare.get_or_insert_default()
    }

    pub fn name(&mut self, name: String) {
        self.rare().detail.name = std::sync::OnceLock::from(name);
    }

    pub fn tag(&mut self, tag: Cow<'static, str>) {
        self.rare().detail.options.tags.push(tag);
    }

    pub fn backoff(&mut self, backoff: Backoff) {
        self.rare().detail.options.backoff = Some(backoff);
    }

    pub fn timeout(&mut self, timeout: Duration) {
        self.rare().detail.options.timeout = Some(timeout);
    }

    pub fn queue_timeout(&mut self, timeout: Duration) {
        self.rare().detail.options.queue_timeout = Some(timeout);
    }

    pub fn deadline(&mut self, deadline: Duration) {
        self.rare().detail.options.deadline = Some(deadline);
    }

    pub fn limit(&mut self, name: String, weight: u32) {
        let limits = &mut self.rare().detail.options.limits;
        limits
            .get_or_insert_default()
            .push(LimitUse::named(name, weight));
    }

    pub fn priority(&mut self, priority: i32) {
        self.rare().detail.options.priority = Some(priority);
    }

    pub fn allow_failure(&mut self) {
        self.rare().allow_failure = true;
    }

    pub fn after<T>(&mut self, upstream: &TaskRun<T>) {
        if let Some(node) = upstream.handle().node() {
            self.rare().after.push(node);
        }
    }
}

impl<A> Default for CallOptions<A> {
    fn default() -> Self {
        Self::new()
    }
}

/// Carries arguments of which it is known, where it matters, that they can be copied.
#[doc(hidden)]
pub struct Bound<'a, A>(PhantomData<&'a A>);

/// Copies arguments.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "this task cannot be retried: an argument that it takes by value is not `Clone`",
    note = "take the parameter by reference, or implement `Clone` for its type"
)]
pub trait Cloned<A> {
    fn cloned() -> fn(&A) -> A;
}

impl<A: Clone> Cloned<A> for Bound<'_, A> {
    fn cloned() -> fn(&A) -> A {
        A::clone
    }
}

/// Sets the retries of one call.
#[doc(hidden)]
pub fn set_retries<A>(options: &mut CallOptions<A>, retries: u32)
where
    for<'a> Bound<'a, A>: Cloned<A>,
{
    options.again = Some(<Bound<'_, A> as Cloned<A>>::cloned());
    options.rare().detail.options.retries = Some(retries);
}

static BARE: FlowDefinition = FlowDefinition::new("task", "", "", 0, "");

/// Returns where a call belongs: to the current flow run, else to that of an argument, else to a
/// new one on an engine of its own.
pub(crate) fn place_of(args: &impl Arguments) -> (Arc<Flow>, Option<Arc<Scope>>) {
    let place =
        context::with_current(|place| place.map(|place| (Arc::clone(&place.flow), place.scope())));
    place.unwrap_or_else(|| {
        let mut flow = None;
        args.visit(&mut |upstream| {
            flow.get_or_insert_with(|| Arc::clone(&upstream.header.flow));
        });
        (
            flow.unwrap_or_else(|| Engine::new().0.start_bare(&BARE)),
            None,
        )
    })
}

fn submit<T: Task, B: Body<Args = T::Args, Output = T::Output>>(
    options: CallOptions<T::Args>,
    args: T::Args,
) -> TaskRun<T::Output> {
    let (flow, scope) = place_of(&args);
    let completed = scope.as_ref().and_then(|scope| scope.completed.clone());
    let mut spec = NodeSpec::new(T::definition(), NodeKind::Task);
    spec.scope = scope;
    let mut allow_failure = false;
    if let Some(rare) = options.rare {
        allow_failure = rare.allow_failure;
        spec.after = rare.after;
        spec.detail = Some(Box::new(rare.detail));
    }
    spec.allow_failure = allow_failure;
    let Some(completed) = completed else {
        return TaskRun::first(flow.submit::<B>(spec, args, options.again));
    };
    let identity = flow.identify::<B>(&spec, &args);
    let call = identity.call.filter(|_| identity.is_complete);
    if let Some(node) = call.and_then(|call| completed.get::<B>(call)) {
        return TaskRun::from_handle(Handle::new(node));
    }
    spec.detail.get_or_insert_default().identity = std::sync::OnceLock::from(identity);
    let node = flow.submit::<B>(spec, args, options.again);
    if let Some(call) = call {
        completed.insert(call, &node);
    }
    TaskRun::first(node)
}

/// Submits a run of an async task.
#[doc(hidden)]
pub fn submit_async<T: AsyncTask>(
    options: CallOptions<T::Args>,
    args: T::Args,
) -> TaskRun<T::Output> {
    submit::<T, AsyncBody<T>>(options, args)
}

/// Submits a run of a plain task.
#[doc(hidden)]
pub fn submit_blocking<T: SyncTask>(
    options: CallOptions<T::Args>,
    args: T::Args,
) -> TaskRun<T::Output> {
    submit::<T, BlockingBody<T>>(options, args)
}

/// Submits a run of an `inline` task.
#[doc(hidden)]
pub fn submit_inline<T: SyncTask>(
    options: CallOptions<T::Args>,
    args: T::Args,
) -> TaskRun<T::Output> {
    submit::<T, InlineBody<T>>(options, args)
}

/// A return type whose name ends in `Result`.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "the return type `{Self}` ends in `Result` and is none",
    label = "expected a `Result<T, E>`",
    note = "if `{Self}` is a plain value, say so: `impl orch_core::PlainResult for {Self} {{}}`"
)]
pub trait TaskResult {
    /// What a task run of it holds.
    type Value;
    /// The error, before it is erased.
    type Error;

    /// Takes it apart.
    fn into_parts(self) -> Result<Self::Value, Self::Error>;

    /// Erases the error.
    fn erase(error: Self::Error) -> BoxError;
}

impl<T, E: Into<BoxError> + Send + 'static> TaskResult for Result<T, E> {
    type Value = T;
    type Error = E;

    fn into_parts(self) -> Result<T, E> {
        self
    }

    fn erase(error: E) -> BoxError {
        let mut error = Some(error);
        // The plain conversion of `anyhow::Error` hides the error inside from `downcast_ref`.
        let any: &mut dyn Any = &mut error;
        if let Some(error) = any
            .downcast_mut::<Option<anyhow::Error>>()
            .and_then(Option::take)
        {
            return error.reallocate_into_boxed_dyn_error_without_backtrace();
        }
        error.expect("taken only as another type").into()
    }
}

/// Marks a type whose name ends in `Result` as a plain value, so that a task can return it.
///
/// ```
/// use orch_core::prelude::*;
///
/// struct FitResult { loss: f64 }
/// impl orch_core::PlainResult for FitResult {}
///
/// #[task(inline)]
/// fn fit() -> FitResult {
///     FitResult { loss: 0.5 }
/// }
/// ```
pub trait PlainResult {}

impl<T: PlainResult> TaskResult for T {
    type Value = T;
    type Error = std::convert::Infallible;

    fn into_parts(self) -> Result<T, Self::Error> {
        Ok(self)
    }

    fn erase(error: Self::Error) -> BoxError {
        match error {}
    }
}

type Classify<E> = Option<fn(&E, u32) -> Classified>;

/// Turns what a task returned into a result, or into a failure that knows whether to retry.
#[doc(hidden)]
pub fn settle<R: TaskResult>(
    returned: R,
    classify: Classify<R::Error>,
    retry_if: Option<fn(&R::Error) -> bool>,
) -> Result<R::Value, Failure> {
    returned.into_parts().map_err(|error| {
        let attempt = context::with_current(|place| {
            place.and_then(|place| Some(place.node.as_ref()?.header().attempts()))
        });
        let classified = classify.map(|classify| classify(&error, attempt.unwrap_or(1)));
        let (mut retry, budget) = classified.map_or((Retry::Default, None), |classified| {
            (classified.retry, classified.budget)
        });
        if retry_if.is_some_and(|retry_if| !retry_if(&error)) {
            retry = Retry::Never;
        }
        Failure {
            kind: TaskErrorKind::Failed(R::erase(error)),
            retry,
            budget: budget.map(Box::new),
        }
    })
}

/// Turns what a flow returned into a result or an erased error.
#[doc(hidden)]
pub fn settle_flow<R: TaskResult>(returned: R) -> Result<R::Value, BoxError> {
    returned.into_parts().map_err(R::erase)
}

/// Finds out whether an error type classifies itself.
#[doc(hidden)]
pub struct ErrorProbe<E>(PhantomData<E>);

impl<E: ClassifyRetry> ErrorProbe<E> {
    pub const CLASSIFY: Classify<E> = Some(Classified::of::<E>);
}

/// The answer for error types that do not.
#[doc(hidden)]
pub trait NoClassify<E> {
    const CLASSIFY: Classify<E> = None;
}

impl<E> NoClassify<E> for ErrorProbe<E> {}

/// Finds out whether a type is a `Result` behind an alias.
#[doc(hidden)]
pub struct ResultProbe<T>(PhantomData<T>);

impl<T, E> ResultProbe<Result<T, E>> {
    pub const IS_RESULT: bool = true;
}

/// The answer for types that are not.
#[doc(hidden)]
pub trait NotResult {
    const IS_RESULT: bool = false;
}

impl<T> NotResult for ResultProbe<T> {}

/// What can be written to a store and read back.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the result of a cached task",
    label = "this result cannot be stored",
    note = "derive `serde::Serialize` and `serde::Deserialize` for it, or take `cache` off the task"
)]
pub trait Storable: serde::Serialize + serde::de::DeserializeOwned {}

impl<T: serde::Serialize + serde::de::DeserializeOwned> Storable for T {}

/// Finds out whether a result can be stored.
#[doc(hidden)]
pub struct StorableProbe<T>(PhantomData<T>);

impl<T: Storable + 'static> StorableProbe<T> {
    pub const STORABLE: bool = true;
    pub const CODEC: Option<Codec<T>> = Some(Codec::serde());
}

/// The answer for results that cannot.
#[doc(hidden)]
pub trait NotStorable<T> {
    const STORABLE: bool = false;
    const CODEC: Option<Codec<T>> = None;
}

impl<T> NotStorable<T> for StorableProbe<T> {}

/// Finds out whether a type has a stored form of its own.
#[doc(hidden)]
pub struct OwnFormProbe<T>(PhantomData<T>);

impl<T: StoredForm + 'static> OwnFormProbe<T> {
    pub const CODEC: Option<Codec<T>> = Some(Codec::own());

    /// Nothing is missing.
    pub fn assert_cacheable() {}

    /// Nothing is missing.
    pub fn assert_recordable() {}
}

/// The answer for types that have none.
#[doc(hidden)]
pub trait NoOwnForm<T> {
    const CODEC: Option<Codec<T>> = None;

    /// Does not compile for a result that cannot be stored.
    fn assert_cacheable()
    where
        T: Cacheable,
    {
    }

    /// The same for a task with an effect.
    fn assert_recordable()
    where
        T: Recordable,
    {
    }
}

impl<T> NoOwnForm<T> for OwnFormProbe<T> {}

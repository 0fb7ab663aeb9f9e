//! Groups of task runs: tried again together, repeated until they converge, replaced on failure.

use std::ops::ControlFlow;
use std::sync::Arc;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;

use crate::body::{Made, MadeBody};
use crate::call::place_of;
use crate::context;
use crate::definition::Definition;
use crate::detail::Detail;
use crate::error::{BoxError, Failure, TaskError, TaskErrorKind};
use crate::flow::NodeSpec;
use crate::identity::Part;
use crate::report::{EdgeKind, NodeKind};
use crate::task_run::{TaskRun, Tracked};

static GROUP: Definition = Definition::new("group", "", "", 0, "");
static OR_ELSE: Definition = Definition::new("or_else", "", "", 0, "");

/// Runs `body` as a node of its own: the tasks it calls belong to the group, in the graph and for
/// cancellation.
///
/// ```
/// use orch_core::prelude::*;
///
/// #[task(inline)]
/// fn load(part: u32) -> u32 { part }
///
/// #[flow]
/// async fn collect() -> anyhow::Result<u32> {
///     let loaded = orch_core::group("load", || async {
///         let (a, b) = (load(1u32), load(2u32));
///         Ok(*a.await? + *b.await?)
///     });
///     Ok(*loaded.await?)
/// }
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// assert_eq!(collect().await.unwrap(), 3);
/// # });
/// ```
pub fn group<T, F, Fut>(name: impl Into<String>, body: F) -> TaskRun<T>
where
    T: Send + Sync + 'static,
    F: FnOnce() -> Fut + Send + 'static,
    Fut: Future<Output = Result<T, BoxError>> + Send + 'static,
{
    submit_group(name.into(), move || {
        body().map(|result| result.map_err(failed)).boxed()
    })
}

/// How often [`retry_scope`] tries again, and what of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Passes {
    retries: u32,
    is_failed_only: bool,
}

impl Passes {
    /// Up to `retries` passes after the first; each runs everything again.
    pub const fn all(retries: u32) -> Self {
        Self {
            retries,
            is_failed_only: false,
        }
    }

    /// Up to `retries` passes after the first; a call that completed in an earlier pass gives that
    /// result, if it is made again with the same arguments by the body itself.
    ///
    /// Plain arguments are compared by their digest: a call with one that does not implement
    /// `serde::Serialize` runs again.
    pub const fn failed_only(retries: u32) -> Self {
        Self {
            retries,
            is_failed_only: true,
        }
    }
}

impl From<u32> for Passes {
    fn from(retries: u32) -> Self {
        Self::all(retries)
    }
}

/// Runs `body` as a group, and again when it returns an error: all of it, or with
/// [`Passes::failed_only`] what did not complete.
///
/// Task runs of a failed pass are stopped, and their failures count as looked at. The retries of
/// the scope and those of the tasks in it are separate counts: a task with `retries = 2` in a scope
/// with 1 retry runs up to 6 times, and the report shows them pass by pass.
///
/// ```
/// use orch_core::prelude::*;
/// use orch_core::{Passes, retry_scope};
///
/// #[task(inline)]
/// fn download(part: u32) -> u32 { part }
/// #[task(inline)]
/// fn verify(a: u32, b: u32) -> Result<u32, String> { Ok(a + b) }
///
/// #[flow]
/// async fn fetch() -> anyhow::Result<u32> {
///     let sum = retry_scope("fetch", Passes::failed_only(2), |_pass| async {
///         Ok(*verify(download(1u32), download(2u32)).await?)
///     });
///     Ok(*sum.await?)
/// }
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// assert_eq!(fetch().await.unwrap(), 3);
/// # });
/// ```
pub fn retry_scope<T, F, Fut>(
    name: impl Into<String>,
    passes: impl Into<Passes>,
    mut body: F,
) -> TaskRun<T>
where
    T: Send + Sync + 'static,
    F: FnMut(u32) -> Fut + Send + 'static,
    Fut: Future<Output = Result<T, BoxError>> + Send + 'static,
{
    let name = name.into();
    let passes = passes.into();
    submit_group(name.clone(), move || {
        async move {
            let completed = passes.is_failed_only.then(Arc::default);
            let mut pass = 1;
            loop {
                let this_pass = body(pass);
                let completed = completed.clone();
                let one = submit_group(format!("{name} pass {pass}"), move || {
                    // Before the first poll of the body: its calls find it there.
                    if let Some(completed) = completed {
                        context::keep_completed(completed);
                    }
                    this_pass.map(|result| result.map_err(failed)).boxed()
                });
                match one.await {
                    Ok(result) => return Ok(result.into_last().await),
                    Err(error) if pass > passes.retries => return Err(inner_failure(error)),
                    Err(error) => {
                        tracing::warn!(target: "orch", "`{name}` failed in pass {pass}: {error}");
                        pass += 1;
                    }
                }
            }
        }
        .boxed()
    })
}

/// Runs `body` until it breaks with a result, at most `max` times; each iteration is a group of its
/// own in the graph. Fails when the last one still wants to continue.
///
/// ```
/// use std::ops::ControlFlow;
/// use orch_core::prelude::*;
///
/// #[task(inline)]
/// fn halve(x: f64) -> f64 { x / 2.0 }
///
/// #[flow]
/// async fn shrink() -> anyhow::Result<u32> {
///     let steps = orch_core::loop_until("halve", 100, |i| async move {
///         let x = *halve(1.0 / f64::from(i)).await?;
///         Ok(if x < 0.01 { ControlFlow::Break(i) } else { ControlFlow::Continue(()) })
///     });
///     Ok(*steps.await?)
/// }
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// assert_eq!(shrink().await.unwrap(), 51);
/// # });
/// ```
pub fn loop_until<T, F, Fut>(name: impl Into<String>, max: u32, mut body: F) -> TaskRun<T>
where
    T: Send + Sync + 'static,
    F: FnMut(u32) -> Fut + Send + 'static,
    Fut: Future<Output = Result<ControlFlow<T>, BoxError>> + Send + 'static,
{
    let name = name.into();
    submit_group(name.clone(), move || {
        async move {
            for iteration in 1..=max {
                let this_iteration = body(iteration);
                let one = group(format!("{name} #{iteration}"), || this_iteration);
                let flow = one.await.map_err(inner_failure)?;
                match flow.into_last().await {
                    ControlFlow::Break(result) => return Ok(result),
                    ControlFlow::Continue(()) => {}
                }
            }
            let message = format!("`{name}` did not come to an end within {max} iterations");
            Err(Failure::last(TaskErrorKind::Invalid { message }))
        }
        .boxed()
    })
}

fn submit_group<T: Send + Sync + 'static>(
    name: String,
    make: impl FnOnce() -> BoxFuture<'static, Result<T, Failure>> + Send + 'static,
) -> TaskRun<T> {
    let inputs = Made {
        visit: Box::new(|_| {}),
        make: Box::new(make),
    };
    let (flow, scope) = place_of(&inputs);
    let mut spec = NodeSpec::new(&GROUP, NodeKind::Group);
    spec.scope = scope;
    spec.detail = Some(Detail::named(name));
    TaskRun::first(flow.submit::<MadeBody<T>>(spec, inputs, None))
}

fn failed(error: BoxError) -> Failure {
    Failure::last(TaskErrorKind::Failed(error))
}

/// The failure of a group is that of what failed in it.
fn inner_failure(error: TaskError) -> Failure {
    failed(Box::new(error))
}

impl<T: Send + Sync + 'static> TaskRun<T> {
    /// Calls `fallback` if this task run does not complete, and goes on with its result. The
    /// failure is observed; the graph shows a catch edge.
    ///
    /// ```
    /// use orch_core::prelude::*;
    ///
    /// #[task(inline)]
    /// fn remote() -> Result<u32, String> { Err("no network".into()) }
    /// #[task(inline)]
    /// fn local() -> u32 { 7 }
    ///
    /// #[flow]
    /// async fn read() -> anyhow::Result<u32> {
    ///     let value = remote().or_else(|_error| local());
    ///     Ok(*value.await?)
    /// }
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// assert_eq!(read().await.unwrap(), 7);
    /// # });
    /// ```
    pub fn or_else<F>(self, fallback: F) -> TaskRun<T>
    where
        F: FnOnce(TaskError) -> TaskRun<T> + Send + 'static,
    {
        let handle = self.into_handle();
        let upstream = handle.clone();
        let inputs: Made<Tracked<T>> = Made {
            visit: Box::new(move |visit| upstream.visit(EdgeKind::Catch, visit)),
            make: Box::new(move || {
                async move {
                    let error = handle.header().and_then(|header| {
                        let error = header.error().cloned();
                        if error.is_some() {
                            header.observe();
                        }
                        error
                    });
                    match error {
                        None => Ok(Tracked::from_output(Arc::clone(handle.output()))),
                        Some(error) => fallback(error).await.map_err(inner_failure),
                    }
                }
                .boxed()
            }),
        };
        let (flow, scope) = place_of(&inputs);
        let mut spec = NodeSpec::new(&OR_ELSE, NodeKind::Group);
        spec.scope = scope;
        let chosen = TaskRun::first(flow.submit::<MadeBody<Tracked<T>>>(spec, inputs, None));
        chosen.project(|chosen| chosen, Part::Whole)
    }
}

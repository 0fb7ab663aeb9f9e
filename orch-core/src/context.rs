//! Where code runs: which flow run and which task run it belongs to.
//!
//! The place is kept per thread and set around every poll of a body, so `join!`, `select!` and
//! `FuturesUnordered` keep it and a bare `tokio::spawn` does not; [`spawn`] does.

use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::FutureExt as _;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::awaits::find_cycle;
use crate::definition::LimitUse;
use crate::error::{BoxError, TaskError, TaskErrorKind};
use crate::flow::{Finally, Flow, stop_of};
use crate::id::FlowRunId;
use crate::node::{AnyNode, Header, NodeRef};
use crate::scope::{Completed, Scope};
use crate::stop::Stop;

thread_local! {
    static PLACE: RefCell<Option<Place>> = const { RefCell::new(None) };
}

/// What the running code belongs to.
#[derive(Clone)]
pub(crate) struct Place {
    pub(crate) flow: Arc<Flow>,
    /// The task run whose body this is; `None` in the flow body.
    pub(crate) node: Option<Arc<dyn AnyNode>>,
    /// What task runs submitted here belong to, if that is not simply the node.
    pub(crate) scope: Option<Arc<Scope>>,
}

/// Puts back what was there before, also on a panic.
pub(crate) struct Entered {
    before: Option<Place>,
}

impl Drop for Entered {
    fn drop(&mut self) {
        let before = self.before.take();
        let inside = PLACE.with_borrow_mut(|place| std::mem::replace(place, before));
        drop(inside);
    }
}

fn enter(place: Place) -> Entered {
    Entered {
        before: PLACE.with_borrow_mut(|current| current.replace(place)),
    }
}

/// Code of the flow body, until the guard is dropped.
pub(crate) fn enter_flow(flow: &Arc<Flow>) -> Entered {
    enter(Place {
        flow: Arc::clone(flow),
        node: None,
        scope: None,
    })
}

/// Runs code of a task's body.
pub(crate) fn within<R>(node: &Arc<dyn AnyNode>, run: impl FnOnce() -> R) -> R {
    let flow = &node.header().flow;
    // A driver has entered its flow run already: then only the node changes hands.
    let before = PLACE.with_borrow_mut(|place| match place {
        Some(place) if Arc::ptr_eq(&place.flow, flow) => {
            Ok((place.node.replace(Arc::clone(node)), place.scope.take()))
        }
        _ => Err(()),
    });
    match before {
        Ok(before) => {
            let _restore = RestoreNode {
                before: Some(before),
            };
            run()
        }
        Err(()) => {
            let place = Place {
                flow: Arc::clone(flow),
                node: Some(Arc::clone(node)),
                scope: None,
            };
            let _entered = enter(place);
            run()
        }
    }
}

/// The same for a driver, which has entered the flow run: the node is moved in and out again.
/// `run` must not unwind.
pub(crate) fn within_node<R>(
    node: Arc<dyn AnyNode>,
    run: impl FnOnce() -> R,
) -> (Arc<dyn AnyNode>, R) {
    const ENTERED: &str = "a driver has entered its flow run";
    PLACE.with_borrow_mut(|place| place.as_mut().expect(ENTERED).node = Some(node));
    let result = run();
    let node = PLACE.with_borrow_mut(|place| place.as_mut().expect(ENTERED).node.take());
    (
        node.expect("whoever changes the place puts it back"),
        result,
    )
}

/// The same for a body that runs within the call that submitted it: the place was taken already, and
/// is put back. `run` must not unwind.
pub(crate) fn within_call<R>(
    node: Arc<dyn AnyNode>,
    run: impl FnOnce() -> R,
) -> (Arc<dyn AnyNode>, R) {
    let before = PLACE.with_borrow_mut(|place| {
        place
            .as_mut()
            .map(|place| (place.node.replace(node), place.scope.take()))
    });
    let result = run();
    let node = PLACE.with_borrow_mut(|place| {
        let (place, before) = place.as_mut().zip(before)?;
        place.scope = before.1;
        std::mem::replace(&mut place.node, before.0)
    });
    (
        node.expect("the call comes from within its flow run"),
        result,
    )
}

struct RestoreNode {
    before: Option<(Option<NodeRef>, Option<Arc<Scope>>)>,
}

impl Drop for RestoreNode {
    fn drop(&mut self) {
        let (node, scope) = self.before.take().expect("restored once");
        let inside = PLACE.with_borrow_mut(|place| {
            place.as_mut().map(|place| {
                (
                    std::mem::replace(&mut place.node, node),
                    std::mem::replace(&mut place.scope, scope),
                )
            })
        });
        drop(inside);
    }
}

/// Runs code whose task runs belong to `scope`.
pub(crate) fn within_scope<R>(scope: &Arc<Scope>, run: impl FnOnce() -> R) -> R {
    let Some(mut place) = current() else {
        return run();
    };
    place.scope = Some(Arc::clone(scope));
    let _entered = enter(place);
    run()
}

/// Returns what the running code belongs to.
pub(crate) fn current() -> Option<Place> {
    PLACE.with_borrow(Clone::clone)
}

/// Runs `read` on what the running code belongs to, without copying it.
pub(crate) fn with_current<R>(read: impl FnOnce(Option<&Place>) -> R) -> R {
    PLACE.with_borrow(|place| read(place.as_ref()))
}

/// Returns the task run whose body this is.
pub(crate) fn current_node() -> Option<Weak<dyn AnyNode>> {
    with_current(|place| place.and_then(|place| place.node.as_ref().map(Arc::downgrade)))
}

impl Place {
    /// Returns the task run that waits while what runs here does: in the body of a subflow, the one
    /// that called it.
    fn waiting(&self) -> Option<Arc<dyn AnyNode>> {
        self.node.clone().or_else(|| self.flow.caller_node())
    }

    /// Returns what a task run submitted here belongs to.
    pub(crate) fn scope(&self) -> Option<Arc<Scope>> {
        if let Some(scope) = &self.scope {
            return Some(Arc::clone(scope));
        }
        let header = self.node.as_ref()?.header();
        Some(children_of(header))
    }
}

/// Returns the scope of what a node submits itself.
pub(crate) fn children_of(header: &Header) -> Arc<Scope> {
    let children = header.detail_mut().children.get_or_init(|| {
        let seed = seed_of(header);
        let scope = Scope::new(header.scope.clone(), header.index, header.call(), seed);
        Arc::new(scope)
    });
    Arc::clone(children)
}

/// Lets the calls of the running group take results of earlier passes over the same calls.
pub(crate) fn keep_completed(completed: Arc<Completed>) {
    let node = with_current(|place| place.and_then(|place| place.node.clone()));
    let Some(node) = node else {
        return;
    };
    let header = node.header();
    // All passes name their calls alike: by the scope around them, not by the pass.
    let call = header.scope.as_ref().map(|around| around.calls.scope());
    let scope = Scope::new(header.scope.clone(), header.index, call, seed_of(header))
        .with_completed(completed);
    let is_first = header.detail_mut().children.set(Arc::new(scope)).is_ok();
    debug_assert!(is_first, "a group has called nothing before its body runs");
}

/// Returns the seed of a task run: from where it stands, not from when it was submitted.
pub(crate) fn seed_of(header: &Header) -> u64 {
    *header
        .detail_mut()
        .seed
        .get_or_init(|| match &header.scope {
            Some(scope) => scope.seeds.next(header.definition),
            None => header.flow.seeds.next(header.definition),
        })
}

/// Notes that the running body awaits another task run, which has not ended.
///
/// # Errors
/// The wait would never end: the awaited task run itself waits for the running one.
pub(crate) fn note_await(
    awaited: &Header,
    node: &dyn Fn() -> Option<Arc<dyn AnyNode>>,
    is_awaited: &mut bool,
) -> Result<(), TaskError> {
    let Some(waiting) = with_current(|place| place.and_then(Place::waiting)) else {
        return Ok(());
    };
    let header = waiting.header();
    let detail = header.detail_mut();
    detail.awaits_task_run.store(true, Ordering::Relaxed);
    if *is_awaited {
        return Ok(());
    }
    let Some(awaited_node) = node() else {
        return Ok(());
    };
    detail.awaits().insert(&awaited_node);
    if let Some(cycle) = find_cycle(&waiting, &awaited_node) {
        end_await_of(header, awaited);
        return Err(header.make_error(TaskErrorKind::Deadlock { cycle }));
    }
    *is_awaited = true;
    Ok(())
}

/// Notes that the running body awaits another task run no longer.
pub(crate) fn end_await(awaited: &Header) {
    let waiting = with_current(|place| place.and_then(Place::waiting));
    if let Some(waiting) = waiting {
        end_await_of(waiting.header(), awaited);
    }
}

fn end_await_of(waiting: &Header, awaited: &Header) {
    if let Some(detail) = waiting.detail() {
        let node = detail.awaits().remove(awaited);
        drop(node);
    }
}

/// A future that keeps the place it was made in.
struct InPlace<F> {
    place: Option<Place>,
    future: F,
}

impl<F: Future + Unpin> Future for InPlace<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = &mut *self;
        let _entered = this.place.clone().map(enter);
        Pin::new(&mut this.future).poll(cx)
    }
}

/// Spawns a Tokio task that belongs to the current flow run: tasks called in it are task runs of
/// this flow run. The flow run does not wait for the spawned task itself; await its handle.
///
/// # Panics
/// Outside of a Tokio runtime, like `tokio::spawn`.
pub fn spawn<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    tokio::spawn(InPlace {
        place: current(),
        future: Box::pin(future),
    })
}

/// Registers a cleanup of the current flow run: it runs once all task runs have ended, whether the
/// flow run completed, failed, crashed or was cancelled. Several run one after the other, the last
/// registered first. A cleanup never decides the state of its flow run; its error is logged.
///
/// Task calls in the cleanup run too, although the flow run was stopped. Outside of a flow run this
/// does nothing and returns `false`.
///
/// ```
/// use orch_core::prelude::*;
///
/// #[task]
/// async fn stop_cluster(name: String) {}
///
/// #[flow]
/// async fn train() -> anyhow::Result<()> {
///     orch_core::finally("stop cluster", || async {
///         stop_cluster("gpu").await?;
///         Ok(())
///     });
///     Ok(())
/// }
/// ```
pub fn finally<F, Fut>(name: impl Into<String>, cleanup: F) -> bool
where
    F: FnOnce() -> Fut + Send + 'static,
    Fut: Future<Output = Result<(), BoxError>> + Send + 'static,
{
    let name = name.into();
    with_current(|place| match place {
        Some(place) => {
            let make = Box::new(move || cleanup().boxed());
            place.flow.add_finally(Finally { name, make });
            true
        }
        None => false,
    })
}

/// What a task run knows of itself; a parameter `&TaskContext` of a task.
#[derive(Clone)]
pub struct TaskContext {
    node: Option<Arc<dyn AnyNode>>,
    attempt: u32,
    token: CancellationToken,
    limits: Option<Arc<[LimitUse]>>,
}

impl TaskContext {
    /// Returns the context of the running task, or a detached one outside of any.
    pub(crate) fn current() -> Self {
        let node = with_current(|place| place.and_then(|place| place.node.clone()));
        match node {
            Some(node) => {
                let header = node.header();
                let token = header.detail_mut().token();
                // Whoever stops the task run from now on finds the token.
                if stop_of(header) >= Stop::Running {
                    token.cancel();
                }
                let attempt = header.attempts();
                let limits = header.detail_mut().limits();
                Self {
                    node: Some(node),
                    attempt,
                    token,
                    limits,
                }
            }
            None => Self::detached(),
        }
    }

    /// A context of no task run, for calling a task's own function in a test: attempt 1, never
    /// cancelled, without limits.
    pub fn detached() -> Self {
        Self {
            node: None,
            attempt: 1,
            token: CancellationToken::new(),
            limits: None,
        }
    }

    pub(crate) fn node(&self) -> Option<&Arc<dyn AnyNode>> {
        self.node.as_ref()
    }

    /// Returns the number of this attempt, from 1.
    pub fn attempt(&self) -> u32 {
        self.attempt
    }

    /// Returns how many slots of a limit this attempt takes; `None` if it does not take it. With
    /// `limit_on_retry` a later attempt may take more than the first.
    pub fn limit(&self, name: &str) -> Option<u32> {
        let one = self.limits.as_ref()?.iter().find(|one| one.name == name)?;
        Some(one.weight)
    }

    /// Returns the name of the task run.
    pub fn name(&self) -> &str {
        self.node.as_ref().map_or("", |node| node.header().name())
    }

    /// Returns the id of the flow run.
    pub fn flow_run(&self) -> Option<FlowRunId> {
        self.node.as_ref().map(|node| node.header().flow.id)
    }

    /// Returns the task run's position in the order of submission.
    pub fn index(&self) -> Option<u32> {
        self.node.as_ref().map(|node| node.header().index)
    }

    /// Returns a seed for this task run: derived from the flow run's seed and from where the call
    /// stands, so that neither other task runs nor their order change it. All attempts have the
    /// same.
    pub fn seed(&self) -> u64 {
        self.node.as_ref().map_or(0, |node| seed_of(node.header()))
    }

    /// Whether this attempt was asked to stop.
    pub fn is_cancelled(&self) -> bool {
        self.token.is_cancelled()
    }

    /// Waits until this attempt is asked to stop.
    pub async fn cancelled(&self) {
        self.token.cancelled().await;
    }

    /// Returns a token to hand to code that should stop with this attempt.
    pub fn cancel_token(&self) -> CancelToken {
        CancelToken(self.token.clone())
    }

    /// Says that the task is alive, for its `heartbeat` clock.
    pub fn heartbeat(&self) {
        if let Some(node) = &self.node {
            let header = node.header();
            header
                .detail_mut()
                .last_heartbeat
                .store(header.flow.now(), Ordering::Relaxed);
        }
    }
}

/// Tells code that it should stop. Cheap to clone.
#[derive(Debug, Clone)]
pub struct CancelToken(CancellationToken);

impl CancelToken {
    /// Whether it should stop.
    pub fn is_cancelled(&self) -> bool {
        self.0.is_cancelled()
    }

    /// Waits until it should stop.
    pub async fn cancelled(&self) {
        self.0.cancelled().await;
    }
}

impl std::fmt::Debug for TaskContext {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TaskContext")
            .field("name", &self.name())
            .field("attempt", &self.attempt)
            .finish_non_exhaustive()
    }
}

/// What a flow run knows of itself; a parameter `&FlowContext` of a flow.
#[derive(Clone)]
pub struct FlowContext {
    flow: Option<Arc<Flow>>,
}

impl FlowContext {
    /// Returns the context of the current flow run, or a detached one outside of any.
    pub(crate) fn current() -> Self {
        Self {
            flow: with_current(|place| place.map(|place| Arc::clone(&place.flow))),
        }
    }

    /// A context of no flow run, for calling a flow's own function in a test.
    pub fn detached() -> Self {
        Self { flow: None }
    }

    pub(crate) fn flow(&self) -> Option<&Arc<Flow>> {
        self.flow.as_ref()
    }

    /// Returns the id of the flow run.
    pub fn id(&self) -> Option<FlowRunId> {
        self.flow.as_ref().map(|flow| flow.id)
    }

    /// Returns the name of the flow run.
    pub fn name(&self) -> &str {
        self.flow.as_ref().map_or("", |flow| flow.name())
    }

    /// Returns the seed of the flow run.
    pub fn seed(&self) -> u64 {
        self.flow.as_ref().map_or(0, |flow| flow.seed)
    }

    /// Returns how long the flow run has taken so far.
    pub fn elapsed(&self) -> Duration {
        self.flow
            .as_ref()
            .map_or(Duration::ZERO, |flow| Duration::from_nanos(flow.now()))
    }

    /// Runs a part of the flow body whose calls are named apart from those of other parts.
    ///
    /// Where parts of a flow body run side by side and make equal calls, a resumed flow run tells the
    /// calls apart by their order, which need not be the same again. In a branch, each counts for
    /// itself: recorded results and random numbers come back to the part they were made in. Branches
    /// of one name are told apart by the order in which they are first polled.
    ///
    /// ```
    /// use orch_core::prelude::*;
    ///
    /// #[task]
    /// async fn draw(ctx: &TaskContext) -> u64 {
    ///     ctx.rng().next_u64()
    /// }
    ///
    /// #[flow]
    /// async fn both(ctx: &FlowContext) -> Result<bool, TaskError> {
    ///     let (left, right) = tokio::try_join!(
    ///         ctx.branch("left", async { draw().await }),
    ///         ctx.branch("right", async { draw().await }),
    ///     )?;
    ///     Ok(*left == *right)
    /// }
    ///
    /// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
    /// assert!(!both().await.unwrap());
    /// # });
    /// ```
    pub async fn branch<F: Future>(&self, name: impl AsRef<str>, body: F) -> F::Output {
        let mut body = std::pin::pin!(body);
        let scope = self.flow.as_ref().map(|flow| {
            let parent = with_current(|place| place.and_then(Place::scope));
            flow.branch(parent.as_ref(), name.as_ref())
        });
        std::future::poll_fn(|cx| match &scope {
            Some(scope) => within_scope(scope, || body.as_mut().poll(cx)),
            None => body.as_mut().poll(cx),
        })
        .await
    }

    /// Whether the flow run was asked to stop.
    pub fn is_cancelled(&self) -> bool {
        self.flow
            .as_ref()
            .is_some_and(|flow| flow.stopped() >= Stop::Running)
    }
}

impl std::fmt::Debug for FlowContext {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FlowContext")
            .field("name", &self.name())
            .finish_non_exhaustive()
    }
}

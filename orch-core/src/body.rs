//! What a node executes: the function of a task, or something of the engine's own.

use std::any::{TypeId, type_name};
use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_util::future::BoxFuture;
use tokio::sync::oneshot;
use tokio::time::Instant;
use tokio_util::sync::ReusableBoxFuture;

use crate::attempt;
use crate::code::{Code, fingerprint_of};
use crate::compute;
use crate::context;
use crate::definition::{Definition, LimitUse};
use crate::driver;
use crate::durable;
use crate::error::{CancelReason, Failure, TaskError, TaskErrorKind};
use crate::input::Arguments;
use crate::key::{CallHasher, Keys};
use crate::node::{AnyNode, Node, Upstream};
use crate::stop::Stop;
use crate::task_run::TaskRun;
use crate::value::{Codec, Digest};

/// A task, as its macro makes it.
#[doc(hidden)]
pub trait Task: Code + Sized + 'static {
    /// The tuple of its arguments.
    type Args: Arguments;
    /// What it returns, errors aside.
    type Output: Send + Sync + 'static;

    /// What is known of it at compile time.
    fn definition() -> &'static Definition;

    /// The name of a run, if the task has a template for it.
    fn label(_args: &Self::Args) -> Option<String> {
        None
    }

    /// The limits of a run; the templates among them filled in.
    fn limits(_args: &Self::Args) -> Vec<LimitUse> {
        Self::definition().limits.to_vec()
    }

    /// Hands the arguments over to whoever puts a key together.
    fn keys(args: &Self::Args, keys: &mut Keys<'_>);

    /// How its results are stored, if they can be.
    fn codec() -> Option<Codec<Self::Output>>;

    /// Whether its runs can be undone.
    const HAS_ROLLBACK: bool = false;

    /// Calls the task that undoes a run.
    fn rollback(_args: Self::Args, _output: TaskRun<Self::Output>) -> Option<Undoing> {
        None
    }
}

/// A call of a task that undoes another one's run.
#[doc(hidden)]
pub struct Undoing(pub(crate) BoxFuture<'static, Result<(), TaskError>>);

impl Undoing {
    /// Waits for it, whatever it returns.
    pub fn new<T: Send + Sync + 'static>(undoing: TaskRun<T>) -> Self {
        Self(Box::pin(async move { undoing.await.map(drop) }))
    }
}

/// The id of a task: its `id` option, or its package and the path of its function, which tells
/// functions of one name apart.
pub(crate) fn id_of(definition: &Definition, type_name: &str) -> String {
    match definition.id {
        Some(id) => id.to_owned(),
        None => format!("{}/{type_name}", definition.package),
    }
}

/// A task made of an `async fn`.
#[doc(hidden)]
pub trait AsyncTask: Task {
    /// Executes one attempt.
    fn run(args: Self::Args) -> impl Future<Output = Result<Self::Output, Failure>> + Send;
}

/// A task made of a plain `fn`.
#[doc(hidden)]
pub trait SyncTask: Task {
    /// Executes one attempt.
    fn run(args: Self::Args) -> Result<Self::Output, Failure>;
}

/// What a node executes.
pub(crate) trait Body: Sized + Send + Sync + 'static {
    /// Its inputs.
    type Args: Arguments;
    /// Its result.
    type Output: Send + Sync + 'static;

    /// Whether the body is so small that a call may run it on the spot.
    const IS_INLINE: bool = false;

    /// The type by which stubs find the task; `None` for what cannot be stubbed.
    fn task() -> Option<TypeId>;

    /// The name of a run, if there is a template.
    fn label(_args: &Self::Args) -> Option<String> {
        None
    }

    /// The limits of a run.
    fn limits(_args: &Self::Args) -> Vec<LimitUse> {
        Vec::new()
    }

    /// The task's id.
    fn task_id(definition: &Definition) -> String {
        format!("orch/{}", definition.name)
    }

    /// Hands the arguments over to whoever puts a key together.
    fn keys(_args: &Self::Args, _keys: &mut Keys<'_>) {}

    /// Names the call by its arguments.
    fn call(args: &Self::Args, call: &mut CallHasher) {
        args.visit(&mut |upstream| call.upstream(upstream.header));
    }

    /// The fingerprint of its code and of what that uses.
    fn code(definition: &Definition) -> Digest {
        Digest::from_bytes(*definition.fingerprint)
    }

    /// How results are stored, if they can be.
    fn codec() -> Option<Codec<Self::Output>> {
        None
    }

    /// Whether runs can be undone.
    const HAS_ROLLBACK: bool = false;

    /// Calls the task that undoes a run.
    fn rollback(_args: Self::Args, _output: TaskRun<Self::Output>) -> Option<Undoing> {
        None
    }

    /// Starts a node: by itself when it needs nothing but its inputs, else through the cache and
    /// the policy loop.
    fn start(node: Arc<Node<Self>>, slot: &mut Slot, now: u64) -> Started {
        if durable::concerns(&node) {
            if durable::hit_at_once(&node) {
                return Started::Done(Ok(()));
            }
            slot.set(durable::run(node));
            return Started::InSlot;
        }
        if attempt::needs_policy(&node) {
            slot.set(async move {
                let Some(args) = node.take_inputs() else {
                    return Err(ended_meanwhile());
                };
                let result = attempt::run_with_policy(&node, args).await?;
                node.keep(result);
                Ok(())
            });
            return Started::InSlot;
        }
        Self::start_plain(node, slot, now)
    }

    /// Starts a node that needs nothing but its inputs.
    fn start_plain(node: Arc<Node<Self>>, slot: &mut Slot, now: u64) -> Started;

    /// Executes one attempt, for the policy loop.
    fn attempt(
        node: &Arc<Node<Self>>,
        args: Self::Args,
    ) -> impl Future<Output = Result<Self::Output, Failure>> + Send;

    /// Whether an attempt that could start waits for a thread before its body begins.
    const WAITS_FOR_THREAD: bool = false;

    /// The same for a body that may wait for a thread: it notes there that it begins.
    fn attempt_when_begun(
        node: &Arc<Node<Self>>,
        args: Self::Args,
        begin: Begin<Self>,
    ) -> impl Future<Output = Result<Self::Output, Failure>> + Send {
        async move {
            begin.note()?;
            Self::attempt(node, args).await
        }
    }
}

/// What is still to be noted of an attempt when its body begins.
pub(crate) struct Begin<B: Body> {
    node: Option<Arc<Node<B>>>,
    told: Option<oneshot::Sender<Instant>>,
}

impl<B: Body> Begin<B> {
    /// Of an attempt that counts as started already.
    pub(crate) fn noted() -> Self {
        Self {
            node: None,
            told: None,
        }
    }

    /// Of an attempt that starts when its body begins.
    pub(crate) fn of(node: &Arc<Node<B>>) -> Self {
        Self {
            node: Some(Arc::clone(node)),
            told: None,
        }
    }

    /// The same for the policy loop of one with clocks, which is told when that is.
    pub(crate) fn told(node: &Arc<Node<B>>) -> (Self, oneshot::Receiver<Instant>) {
        let (told, begun) = oneshot::channel();
        let begin = Self {
            told: Some(told),
            ..Self::of(node)
        };
        (begin, begun)
    }

    /// Notes that the body begins.
    pub(crate) fn note(self) -> Result<(), Failure> {
        if let Some(node) = self.node {
            let begun_at = attempt::begin(&node.header)?;
            if let Some(told) = self.told {
                // Nobody may wait for it any more.
                let _ = told.send(begun_at);
            }
        }
        Ok(())
    }
}

/// How a node started.
pub(crate) enum Started {
    /// Its future is in the slot.
    InSlot,
    /// It ran already.
    Done(Result<(), Failure>),
    /// This job is to run on the compute pool, and ends the node by itself. Whoever gets it lets go
    /// of the node first: what uses the result may be the last to hold it.
    Elsewhere(Box<dyn FnOnce() + Send>),
}

/// Room for the future of one body, used again for the next one of the same size.
#[derive(Default)]
pub(crate) struct Slot {
    future: Option<ReusableBoxFuture<'static, Result<(), Failure>>>,
}

impl Slot {
    pub(crate) fn set(
        &mut self,
        future: impl Future<Output = Result<(), Failure>> + Send + 'static,
    ) {
        match &mut self.future {
            Some(slot) => slot.set(future),
            None => self.future = Some(ReusableBoxFuture::new(future)),
        }
    }

    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        self.future
            .as_mut()
            .expect("a body is polled after it was started")
            .poll(cx)
    }

    /// Drops the future, finished or not.
    pub(crate) fn clear(&mut self) {
        self.future = None;
    }
}

/// Notes that the first and only attempt of a plain node starts.
pub(crate) fn mark_started<B: Body>(node: &Node<B>, now: u64) -> Result<(), Failure> {
    attempt::start_attempt(&node.header, now).map(drop)
}

/// How it is when a node finds its inputs gone: it was ended by somebody else meanwhile.
pub(crate) fn ended_meanwhile() -> Failure {
    Failure::last(TaskErrorKind::Cancelled {
        reason: CancelReason::TaskRun,
    })
}

/// What a body takes over from its task as it is.
macro_rules! as_its_task {
    () => {
        type Args = T::Args;
        type Output = T::Output;

        fn task() -> Option<TypeId> {
            Some(TypeId::of::<T>())
        }

        fn label(args: &T::Args) -> Option<String> {
            T::label(args)
        }

        fn limits(args: &T::Args) -> Vec<LimitUse> {
            T::limits(args)
        }

        fn task_id(definition: &Definition) -> String {
            id_of(definition, type_name::<T>())
        }

        fn keys(args: &T::Args, keys: &mut Keys<'_>) {
            T::keys(args, keys);
        }

        fn call(args: &T::Args, call: &mut CallHasher) {
            T::keys(args, &mut call.keys());
        }

        fn code(_definition: &Definition) -> Digest {
            fingerprint_of::<T>()
        }

        fn codec() -> Option<Codec<T::Output>> {
            T::codec()
        }

        const HAS_ROLLBACK: bool = T::HAS_ROLLBACK;

        fn rollback(args: T::Args, output: TaskRun<T::Output>) -> Option<Undoing> {
            T::rollback(args, output)
        }
    };
}

/// The body of an async task.
pub(crate) struct AsyncBody<T>(PhantomData<fn() -> T>);

impl<T: AsyncTask> Body for AsyncBody<T> {
    as_its_task!();

    fn start_plain(node: Arc<Node<Self>>, slot: &mut Slot, now: u64) -> Started {
        let Some(args) = node.take_inputs() else {
            return Started::Done(Err(ended_meanwhile()));
        };
        if let Err(failure) = mark_started(&node, now) {
            return Started::Done(Err(failure));
        }
        slot.set(async move {
            let result = T::run(args).await;
            result.map(|result| node.keep(result))
        });
        Started::InSlot
    }

    async fn attempt(_node: &Arc<Node<Self>>, args: T::Args) -> Result<T::Output, Failure> {
        T::run(args).await
    }
}

/// The body of an `inline` task.
pub(crate) struct InlineBody<T>(PhantomData<fn() -> T>);

impl<T: SyncTask> Body for InlineBody<T> {
    as_its_task!();

    const IS_INLINE: bool = true;

    fn start_plain(node: Arc<Node<Self>>, _slot: &mut Slot, now: u64) -> Started {
        let Some(args) = node.take_inputs() else {
            return Started::Done(Err(ended_meanwhile()));
        };
        if let Err(failure) = mark_started(&node, now) {
            return Started::Done(Err(failure));
        }
        Started::Done(T::run(args).map(|result| node.keep(result)))
    }

    async fn attempt(_node: &Arc<Node<Self>>, args: T::Args) -> Result<T::Output, Failure> {
        T::run(args)
    }
}

/// The body of a plain `fn`: on the compute pool.
pub(crate) struct BlockingBody<T>(PhantomData<fn() -> T>);

impl<T: SyncTask> Body for BlockingBody<T> {
    as_its_task!();

    fn start_plain(node: Arc<Node<Self>>, _slot: &mut Slot, _now: u64) -> Started {
        let flow = Arc::clone(&node.header.flow);
        flow.park(Arc::clone(&node) as Arc<dyn AnyNode>, None);
        // A flow run that was stopped just now did not see this node yet.
        if crate::flow::stop_of(&node.header) != Stop::None {
            flow.unpark(node.header.index);
            return Started::Done(Err(ended_meanwhile()));
        }
        let job = move || {
            let ended = match node.take_inputs() {
                None => Err(ended_meanwhile()),
                Some(args) => mark_started(&node, node.header.flow.now()).and_then(|()| {
                    let run = AssertUnwindSafe(|| T::run(args));
                    let any = Arc::clone(&node) as Arc<dyn AnyNode>;
                    let result = context::within(&any, || catch_unwind(run));
                    match result {
                        Ok(result) => result.map(|result| node.keep(result)),
                        Err(panic) => Err(Failure::panicked(&*panic)),
                    }
                }),
            };
            if !node.header.end_job() {
                compute::note_left_behind();
            }
            driver::end_elsewhere(node, ended);
        };
        Started::Elsewhere(Box::new(job))
    }

    async fn attempt(node: &Arc<Node<Self>>, args: T::Args) -> Result<T::Output, Failure> {
        Self::attempt_when_begun(node, args, Begin::noted()).await
    }

    const WAITS_FOR_THREAD: bool = true;

    async fn attempt_when_begun(
        node: &Arc<Node<Self>>,
        args: T::Args,
        begin: Begin<Self>,
    ) -> Result<T::Output, Failure> {
        let flow = &node.header.flow;
        let theirs = Arc::clone(node);
        let job = move || {
            begin.note()?;
            let any = Arc::clone(&theirs) as Arc<dyn AnyNode>;
            let run = AssertUnwindSafe(|| {
                let result = T::run(args)?;
                durable::store_ahead(&theirs, &result);
                Ok(result)
            });
            match context::within(&any, || catch_unwind(run)) {
                Ok(result) => result,
                Err(panic) => Err(Failure::panicked(&*panic)),
            }
        };
        let turn = node.header.turn();
        match compute::call(&flow.engine, flow.runtime(), job, turn).await {
            Ok(result) => result,
            Err(compute::Gone) => Err(Failure::last(TaskErrorKind::RuntimeShutDown)),
        }
    }
}

/// Upstream nodes of which only the order or the outcome counts.
pub(crate) type Visit = Box<dyn Fn(&mut dyn FnMut(Upstream<'_>)) + Send>;

/// The inputs of a body of the engine's own: how to visit them, and the future to make of them.
pub(crate) struct Made<O> {
    pub(crate) visit: Visit,
    pub(crate) make: Box<dyn FnOnce() -> BoxFuture<'static, Result<O, Failure>> + Send>,
}

impl<O: 'static> Arguments for Made<O> {
    fn visit(&self, visit: &mut dyn FnMut(Upstream<'_>)) {
        (self.visit)(visit);
    }
}

/// A body of the engine's own: a map, a subflow, a fallback.
pub(crate) struct MadeBody<O>(PhantomData<fn() -> O>);

impl<O: Send + Sync + 'static> Body for MadeBody<O> {
    type Args = Made<O>;
    type Output = O;

    fn task() -> Option<TypeId> {
        None
    }

    fn start_plain(node: Arc<Node<Self>>, slot: &mut Slot, now: u64) -> Started {
        let Some(args) = node.take_inputs() else {
            return Started::Done(Err(ended_meanwhile()));
        };
        if let Err(failure) = mark_started(&node, now) {
            return Started::Done(Err(failure));
        }
        slot.set(async move {
            let result = (args.make)().await;
            result.map(|result| node.keep(result))
        });
        Started::InSlot
    }

    async fn attempt(_node: &Arc<Node<Self>>, args: Made<O>) -> Result<O, Failure> {
        (args.make)().await
    }
}

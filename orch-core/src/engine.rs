//! The engine: what flow runs share, and who takes them on.

mod builder;
mod config;
mod hooks;
mod keeping;
mod maintaining;
mod opening;
mod planning;
mod resuming;
#[cfg(feature = "config")]
mod settings;

pub use self::builder::EngineBuilder;
pub(crate) use self::config::Config;
pub(crate) use self::maintaining::Upkeep;
pub(crate) use self::opening::{Opened, Opening};
#[cfg(feature = "cli")]
pub(crate) use self::resuming::find;
#[cfg(feature = "config")]
pub use self::settings::{Setting, SettingError, SettingSource, SettingSources};

use std::collections::{HashMap, HashSet};
use std::fmt;
#[cfg(feature = "sqlite")]
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::FutureExt as _;
use tokio::runtime::Handle;
use tokio::sync::{Notify, OwnedSemaphorePermit};
use tokio::time::Instant;

use crate::breaker::{BreakerStatus, Breakers};
use crate::cache::Cache;
use crate::compute::Pool;
use crate::definition::{FlowDefinition, WhenFull};
use crate::error::{CancelReason, FlowError, FlowErrorKind};
use crate::event::{EventSource, Events};
use crate::faults::Faults;
use crate::flow::{self, CrashGuard, Flow, FlowBody, FlowSpec};
use crate::id::FlowRunId;
use crate::limit::{Limit, LimitStatus, Limits};
use crate::memory::Memory;
use crate::node::Header;
use crate::outbox::Outbox;
use crate::pattern;
use crate::recorder::EngineStore;
use crate::resource::Resources;
use crate::stop::Stop;
#[cfg(feature = "sqlite")]
use crate::store::StoreError;
use crate::store::{BlobStore, Timestamp};
use crate::tracking::{LogSink, MemoryArtifacts};
use crate::value::{Codec, Digest};

/// Executes flow runs: a handle that is cheap to clone and that a host service owns.
///
/// An engine has no threads of its own; it uses the Tokio runtime in which a flow is started, and
/// a pool of compute threads that all engines of a process share by default. Several engines do
/// not see each other. An engine that is dropped lets its flow runs finish: they keep it alive.
///
/// ```
/// use orch_core::prelude::*;
///
/// #[task]
/// async fn greet(name: String) -> String {
///     format!("hello {name}")
/// }
///
/// #[flow]
/// async fn welcome(name: String) -> Result<String, TaskError> {
///     Ok(greet(name).await?.into_inner())
/// }
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let engine = Engine::new();
/// assert_eq!(welcome("Ada").on(&engine).await.unwrap(), "hello Ada");
/// # });
/// ```
#[derive(Clone)]
pub struct Engine(pub(crate) Arc<EngineInner>);

/// What the clones of an engine share.
pub(crate) struct EngineInner {
    pub(crate) config: Config,
    pub(crate) limits: Limits,
    pub(crate) breakers: Breakers,
    pub(crate) resources: Resources,
    pub(crate) events: EventSource,
    pub(crate) pool: Pool,
    pub(crate) faults: Faults,
    pub(crate) cache: Arc<Cache>,
    pub(crate) memory: Arc<Memory>,
    /// The artifacts of flow runs, on an engine without a store.
    pub(crate) artifacts: MemoryArtifacts,
    /// Who is told of what flow runs log.
    pub(crate) log_sink: Option<Arc<dyn LogSink>>,
    pub(crate) store: Option<Arc<EngineStore>>,
    /// Who is told of changes of state at least once.
    pub(crate) outbox: Option<Outbox>,
    pub(crate) clock: Clock,
    /// The program, or why it is not known, where each build is to have a cache of its own.
    pub(crate) build: Option<Result<Digest, String>>,
    is_closed: AtomicBool,
    running: Mutex<Running>,
    changed: Notify,
}

/// The system's clock, moved on by as much as a test has moved the runtime's.
#[derive(Clone, Copy)]
pub(crate) struct Clock {
    started: std::time::Instant,
    started_for_tests: Instant,
}

impl Clock {
    fn start() -> Self {
        Self {
            started: std::time::Instant::now(),
            started_for_tests: Instant::now(),
        }
    }

    /// Returns the present moment.
    pub(crate) fn timestamp(&self) -> Timestamp {
        let ahead = self
            .started_for_tests
            .elapsed()
            .saturating_sub(self.started.elapsed());
        let Timestamp(now) = Timestamp::now();
        Timestamp(now.saturating_add_unsigned(ahead.as_nanos() as u64))
    }
}

#[derive(Default)]
struct Running {
    flows: HashMap<FlowRunId, Arc<Flow>>,
    /// Per flow with `max_running`: the runs under way, oldest first, and the places.
    limited: HashMap<usize, Places>,
}

struct Places {
    under_way: Vec<FlowRunId>,
    places: Arc<tokio::sync::Semaphore>,
}

impl Engine {
    /// Makes an engine that keeps everything in memory, with default settings.
    pub fn new() -> Self {
        Self::builder().build()
    }

    /// Makes an engine on a folder, with default settings. See [`EngineBuilder::open`].
    ///
    /// # Errors
    /// [`StoreError`] if the folder cannot be used.
    #[cfg(feature = "sqlite")]
    pub fn open(folder: impl AsRef<Path>) -> Result<Self, StoreError> {
        Self::builder().open(folder)
    }

    /// Starts to set up an engine.
    pub fn builder() -> EngineBuilder {
        EngineBuilder {
            config: Config::default(),
            limits: Limits::default(),
            breakers: Breakers::default(),
            resources: Resources::default(),
            faults: Faults::default(),
            durable_hooks: Vec::new(),
            log_sink: None,
        }
    }

    /// Subscribes to the events of all flow runs of this engine, from now on.
    pub fn subscribe(&self) -> Events {
        self.0.events.subscribe(None)
    }

    /// Sets a limit, or changes it while flows run; those that wait for it go as far as there is
    /// room now. `0` pauses it.
    pub fn set_limit(&self, name: impl Into<String>, limit: impl Into<Limit>) {
        self.0.limits.set(name.into(), limit.into());
    }

    /// Returns how each limit stands, by name.
    pub fn limits(&self) -> Vec<LimitStatus> {
        self.0.limits.status()
    }

    /// Returns how each circuit breaker stands, by name.
    pub fn breakers(&self) -> Vec<BreakerStatus> {
        self.0.breakers.status()
    }

    /// Returns the ids and names of the flow runs that are under way.
    pub fn flow_runs(&self) -> Vec<(FlowRunId, String)> {
        let mut runs: Vec<(FlowRunId, String)> = self
            .0
            .lock()
            .flows
            .values()
            .map(|flow| (flow.id, flow.name().to_owned()))
            .collect();
        runs.sort();
        runs
    }

    /// Returns how many blocking attempts were left behind on their threads and still run there,
    /// on the compute pool that this engine uses.
    pub fn abandoned_threads(&self) -> usize {
        self.0.pool.abandoned()
    }

    /// Stops gracefully: takes no more flow runs, waits for those under way, and cancels what has
    /// not ended after `timeout`. Returns when all have ended.
    ///
    /// A flow run that is recorded in a store is only interrupted by this: nothing of it is undone,
    /// it is recorded as crashed, and when it is started again with the same key, or resumed, it
    /// goes on with what completed.
    ///
    /// Notices for durable hooks that are due are delivered, as long as `timeout` has not passed; the
    /// others stay in the store.
    ///
    /// # Cancellation
    /// Dropping the future leaves the engine closed, and the flow runs going.
    pub async fn drain(&self, timeout: Duration) -> DrainReport {
        self.0.is_closed.store(true, Ordering::SeqCst);
        let at_start = self.0.lock().flows.len();
        let deadline = Instant::now() + timeout;
        let finished = tokio::time::timeout_at(deadline, self.0.until_empty())
            .await
            .is_ok();
        let cancelled = if finished {
            Vec::new()
        } else {
            self.0.stop_all()
        };
        self.0.until_empty().await;
        if let Some(outbox) = &self.0.outbox {
            // What is left at the deadline is delivered by who opens the store next.
            let _ = tokio::time::timeout_at(deadline, outbox.deliver_due()).await;
        }
        DrainReport {
            finished: at_start.saturating_sub(cancelled.len()),
            cancelled,
        }
    }

    /// Stops at once: takes no more flow runs and cancels those under way, with their grace time.
    pub async fn shutdown(&self) -> DrainReport {
        self.drain(Duration::ZERO).await
    }
}

/// What [`Engine::drain`] found and did.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct DrainReport {
    /// How many of the flow runs under way ended in time.
    pub finished: usize,
    /// The names of those that were cancelled.
    pub cancelled: Vec<String>,
}

impl Default for Engine {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine")
            .field("config", &self.0.config)
            .finish_non_exhaustive()
    }
}

/// Where the result of a flow run is left for whoever awaits it.
pub(crate) type Deliver<T> = Box<dyn FnOnce(&Arc<Flow>, Result<T, FlowError>) + Send>;

impl EngineInner {
    /// Makes an engine on the same store for a flow run that executes nothing: nobody sees it, and
    /// it takes no place of another.
    fn apart(&self) -> Arc<Self> {
        Arc::new(Self {
            events: EventSource::new(1),
            config: self.config.clone(),
            limits: Limits::default(),
            breakers: Breakers::default(),
            resources: self.resources.clone(),
            pool: self.pool.clone(),
            faults: Faults::default(),
            cache: Arc::clone(&self.cache),
            memory: Arc::clone(&self.memory),
            artifacts: MemoryArtifacts::default(),
            log_sink: None,
            store: self.store.clone(),
            outbox: None,
            clock: Clock::start(),
            build: self.build.clone(),
            is_closed: AtomicBool::new(false),
            running: Mutex::default(),
            changed: Notify::new(),
        })
    }

    fn lock(&self) -> MutexGuard<'_, Running> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where large results are, on an engine with a store.
    pub(crate) fn blobs(&self) -> Option<&Arc<dyn BlobStore>> {
        self.store.as_ref().map(|store| &store.blobs)
    }

    /// Whether a task run is to be executed although the cache has a result for it.
    pub(crate) fn is_refreshed(&self, header: &Header) -> bool {
        let names = [header.definition.name, header.name()];
        self.config
            .refresh
            .iter()
            .chain(&header.flow.refresh)
            .any(|pattern| names.iter().any(|name| pattern::matches(pattern, name)))
    }

    /// Makes a flow run that cannot start; it has ended when this returns.
    pub(crate) fn refuse<T>(
        self: &Arc<Self>,
        spec: FlowSpec,
        kind: FlowErrorKind,
        deliver: Deliver<T>,
    ) -> Arc<Flow> {
        let flow = Flow::new(Arc::clone(self), Handle::try_current().ok(), spec);
        flow::refuse(&flow, kind, deliver);
        flow
    }

    /// Makes a flow run and starts its life on the current runtime. A flow run that cannot start
    /// has ended when this returns, and the answer says that it was refused.
    pub(crate) fn start<T: Send + 'static>(
        self: &Arc<Self>,
        spec: FlowSpec,
        body: impl FnOnce(&Arc<Flow>) -> FlowBody<T>,
        codec: Option<Codec<T>>,
        deliver: Deliver<T>,
    ) -> (Arc<Flow>, bool) {
        if let Some(outbox) = &self.outbox {
            outbox.start();
        }
        let runtime = Handle::try_current().ok();
        let definition = spec.definition;
        let flow = Flow::new(Arc::clone(self), runtime.clone(), spec);
        let Some(runtime) = runtime else {
            flow::refuse(&flow, FlowErrorKind::NoRuntime, deliver);
            return (flow, true);
        };
        // Under the lock, so that a drain either sees the flow run or refuses it.
        let admitted = {
            let mut running = self.lock();
            // A subflow belongs to a flow run that was taken on before.
            if self.is_closed.load(Ordering::SeqCst) && flow.caller.is_none() {
                Err(FlowErrorKind::Closed)
            } else {
                running.admit(&flow, definition)
            }
        };
        let is_refused = admitted.is_err();
        match admitted {
            Err(kind) => flow::refuse(&flow, kind, deliver),
            Ok(admission) => {
                flow.open_span();
                let body = body(&flow);
                let running = Arc::clone(&flow);
                let mut guard = CrashGuard::new(Arc::clone(&flow), deliver);
                drop(runtime.spawn(async move {
                    match admission.wait(&running).await {
                        Some(permit) => {
                            flow::run(running, body, codec, guard).await;
                            drop(permit);
                        }
                        None => {
                            let reason = running.stop_reason().unwrap_or(CancelReason::FlowRun);
                            guard.end_unstarted(FlowErrorKind::Cancelled { reason });
                        }
                    }
                }));
            }
        }
        (flow, is_refused)
    }

    /// Makes a flow run without a body, for a task that is called outside of any flow.
    pub(crate) fn start_bare(self: &Arc<Self>, definition: &'static FlowDefinition) -> Arc<Flow> {
        let spec = FlowSpec {
            definition,
            name: None,
            seed: None,
            tags: Vec::new(),
            failure_mode: None,
            caller: None,
            recording: None,
            refresh: Vec::new(),
        };
        Flow::new(Arc::clone(self), Handle::try_current().ok(), spec)
    }

    pub(crate) fn flow_ended(&self, flow: &Flow) {
        let ended = {
            let mut running = self.lock();
            let key = std::ptr::from_ref(flow.definition) as usize;
            if let Some(places) = running.limited.get_mut(&key) {
                places.under_way.retain(|id| *id != flow.id);
            }
            // One that was lost may have been taken back meanwhile.
            let is_known = running.flows.get(&flow.id);
            let is_known = is_known.is_some_and(|known| std::ptr::eq(&**known, flow));
            is_known.then(|| running.flows.remove(&flow.id))
        };
        drop(ended);
        self.changed.notify_waiters();
    }

    /// Stops a flow run that another engine has taken over.
    fn lose(&self, run: FlowRunId) {
        let flow = self.lock().flows.get(&run).cloned();
        if let Some(flow) = flow.filter(|flow| flow.is_lost()) {
            flow.stop(Stop::Running, CancelReason::OwnershipLost);
        }
    }

    async fn until_empty(&self) {
        loop {
            let changed = self.changed.notified();
            if self.lock().flows.is_empty() {
                return;
            }
            changed.await;
        }
    }

    /// Cancels every flow run; returns their names.
    fn stop_all(&self) -> Vec<String> {
        let flows: Vec<Arc<Flow>> = self.lock().flows.values().cloned().collect();
        let mut names: Vec<String> = flows
            .iter()
            .filter(|flow| !flow.state().is_final())
            .map(|flow| {
                flow.stop(Stop::Running, CancelReason::Shutdown);
                flow.name().to_owned()
            })
            .collect();
        names.sort();
        names
    }
}

impl Running {
    /// Takes a flow run on, or says why not.
    fn admit(
        &mut self,
        flow: &Arc<Flow>,
        definition: &'static FlowDefinition,
    ) -> Result<Admission, FlowErrorKind> {
        let mut admission = Admission { places: None };
        if let Some((max_running, when_full)) = definition.max_running {
            let key = std::ptr::from_ref(definition) as usize;
            let places = self.limited.entry(key).or_insert_with(|| Places {
                under_way: Vec::new(),
                places: Arc::new(tokio::sync::Semaphore::new(max_running as usize)),
            });
            if places.under_way.len() >= max_running as usize {
                match when_full {
                    WhenFull::Queue => {
                        if places.wait_for_each_other(&self.flows, flow, max_running) {
                            return Err(FlowErrorKind::Deadlock { max_running });
                        }
                    }
                    WhenFull::Skip => return Err(FlowErrorKind::TooManyRunning { max_running }),
                    WhenFull::CancelNew => {
                        return Err(FlowErrorKind::Cancelled {
                            reason: CancelReason::TooManyRunning,
                        });
                    }
                    WhenFull::CancelOld => {
                        let flows = &self.flows;
                        let oldest = places
                            .under_way
                            .iter()
                            .filter_map(|id| flows.get(id))
                            .find(|flow| flow.stopped() < Stop::Running);
                        if let Some(oldest) = oldest {
                            oldest.stop(Stop::Running, CancelReason::TooManyRunning);
                        }
                    }
                }
            }
            places.under_way.push(flow.id);
            admission.places = Some(Arc::clone(&places.places));
        }
        self.flows.insert(flow.id, Arc::clone(flow));
        Ok(admission)
    }
}

impl Places {
    /// Whether nobody who has a place could end any more if a flow run waited for one: each waits for
    /// a flow run that it called itself, over whatever is between, and that waits for a place.
    fn wait_for_each_other(
        &self,
        flows: &HashMap<FlowRunId, Arc<Flow>>,
        newcomer: &Arc<Flow>,
        max_running: u32,
    ) -> bool {
        if newcomer.caller.is_none() {
            return false;
        }
        // Places are given in the order of the queue.
        let (holders, waiting) = self.under_way.split_at(max_running as usize);
        let waiting = waiting.iter().filter_map(|id| flows.get(id));
        let mut stuck: HashSet<FlowRunId> = HashSet::new();
        for waiting in waiting.chain([newcomer]) {
            let mut caller = waiting.caller;
            while let Some((id, _)) = caller {
                stuck.insert(id);
                caller = flows.get(&id).and_then(|flow| flow.caller);
            }
        }
        holders.iter().all(|holder| stuck.contains(holder))
    }
}

/// A flow run that was taken on, and may have to wait for its place.
struct Admission {
    places: Option<Arc<tokio::sync::Semaphore>>,
}

impl Admission {
    /// Waits for a place. `None` when the flow run was stopped before it got one.
    async fn wait(self, flow: &Arc<Flow>) -> Option<Option<OwnedSemaphorePermit>> {
        let Some(places) = self.places else {
            return Some(None);
        };
        let permit = flow::until_stopped(flow, places.acquire_owned().boxed()).await?;
        Some(Some(permit.expect("the places of a flow are never closed")))
    }
}

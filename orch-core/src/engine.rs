//! The engine: what flow runs share, and who takes them on.

mod keeping;
mod maintaining;
mod opening;
mod planning;
mod resuming;
#[cfg(feature = "config")]
mod settings;

pub(crate) use self::maintaining::Upkeep;
pub(crate) use self::opening::{Opened, Opening};
#[cfg(feature = "cli")]
pub(crate) use self::resuming::find;
#[cfg(feature = "config")]
pub use self::settings::{Setting, SettingError, SettingSource, SettingSources};

#[cfg(feature = "config")]
use std::collections::BTreeMap;
use std::collections::HashMap;
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

use crate::cache::Cache;
use crate::code::digest_of_program;
use crate::compute::Pool;
use crate::definition::{FlowDefinition, WhenFull};
use crate::error::{CancelReason, FlowError, FlowErrorKind};
use crate::event::{EventSource, Events};
use crate::faults::Faults;
use crate::flow::{self, CrashGuard, Flow, FlowBody, FlowSpec};
use crate::id::FlowRunId;
use crate::limit::{Limit, LimitStatus, Limits};
use crate::node::Header;
use crate::pattern;
use crate::policy::failure_mode::FailureMode;
use crate::recorder::EngineStore;
use crate::resource::Resources;
use crate::stop::Stop;
#[cfg(feature = "sqlite")]
use crate::store::StoreError;
use crate::store::{
    BlobStore, CacheBudget, Durability, OnStoreFailure, Retention, RunStore, Timestamp,
};
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

/// The settings of an engine.
#[derive(Debug, Clone)]
pub(crate) struct Config {
    pub(crate) failure_mode: FailureMode,
    pub(crate) grace: Duration,
    pub(crate) seed: Option<u64>,
    pub(crate) workers: Option<usize>,
    pub(crate) record_limit: u32,
    pub(crate) log_limit: usize,
    event_capacity: usize,
    compute_threads: Option<usize>,
    memory_cache: usize,
    cache_per_build: bool,
    refresh: Vec<String>,
    durability: Durability,
    on_store_failure: OnStoreFailure,
    retention: Retention,
    cache_budget: CacheBudget,
    /// Who says what a setting is, where somebody does.
    #[cfg(feature = "config")]
    sources: BTreeMap<String, SettingSource>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            failure_mode: FailureMode::FailFast,
            grace: Duration::from_secs(5),
            seed: None,
            workers: None,
            record_limit: 100_000,
            log_limit: 10_000,
            event_capacity: 4_096,
            compute_threads: None,
            memory_cache: 256 * 1024 * 1024,
            cache_per_build: false,
            refresh: Vec::new(),
            durability: Durability::Relaxed,
            on_store_failure: OnStoreFailure::Fail,
            retention: Retention::default(),
            cache_budget: CacheBudget::default(),
            #[cfg(feature = "config")]
            sources: BTreeMap::new(),
        }
    }
}

#[cfg(not(feature = "config"))]
impl Config {
    /// Nobody asks.
    fn set_by_program(&mut self, _key: impl Into<String>) {}
}

/// What the clones of an engine share.
pub(crate) struct EngineInner {
    pub(crate) config: Config,
    pub(crate) limits: Limits,
    pub(crate) resources: Resources,
    pub(crate) events: EventSource,
    pub(crate) pool: Pool,
    pub(crate) faults: Faults,
    pub(crate) cache: Arc<Cache>,
    pub(crate) store: Option<Arc<EngineStore>>,
    pub(crate) clock: Clock,
    /// The program, or why it is not known, where each build is to have a cache of its own.
    pub(crate) build: Option<Result<Digest, String>>,
    is_closed: AtomicBool,
    running: Mutex<Running>,
    changed: Notify,
}

/// The system's clock, moved on by as much as a test has moved the runtime's.
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
            resources: Resources::default(),
            faults: Faults::default(),
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

/// Sets up an [`Engine`].
#[must_use = "a builder makes nothing until `build` is called"]
pub struct EngineBuilder {
    config: Config,
    limits: Limits,
    resources: Resources,
    pub(crate) faults: Faults,
}

impl EngineBuilder {
    /// What flow runs do once a task run has failed. Default: [`FailureMode::FailFast`].
    pub fn failure_mode(mut self, mode: FailureMode) -> Self {
        self.config.failure_mode = mode;
        self.config.set_by_program("failure_mode");
        self
    }

    /// How long cancelled task runs may take to stop by themselves. Default: 5 seconds.
    pub fn grace(mut self, grace: Duration) -> Self {
        self.config.grace = grace;
        self.config.set_by_program("grace");
        self
    }

    /// The seed of every flow run that gets none of its own. Default: a new one for each.
    pub fn seed(mut self, seed: u64) -> Self {
        self.config.seed = Some(seed);
        self.config.set_by_program("seed");
        self
    }

    /// Defines a concurrency or rate limit. A name that is not defined does not limit.
    pub fn limit(mut self, name: impl Into<String>, limit: impl Into<Limit>) -> Self {
        let name = name.into();
        self.config.set_by_program(format!("limits.{name}"));
        self.limits.set(name, limit.into());
        self
    }

    /// Gives a value to the tasks that have a parameter `Resource<T>`. One value per type; the
    /// last one counts.
    pub fn resource<T: Send + Sync + 'static>(mut self, value: T) -> Self {
        self.resources.insert(Arc::new(value));
        self
    }

    /// How many task runs of one flow run are polled at the same time. Default: the number of the
    /// runtime's workers.
    pub fn workers(mut self, workers: usize) -> Self {
        self.config.workers = Some(workers);
        self.config.set_by_program("workers");
        self
    }

    /// Gives the engine compute threads of its own. Default: a pool that all engines of the
    /// process share, as large as the machine has cores.
    pub fn compute_threads(mut self, threads: usize) -> Self {
        self.config.compute_threads = Some(threads);
        self.config.set_by_program("compute_threads");
        self
    }

    /// How many task runs of one flow run are recorded one by one; further ones are counted by
    /// task. Default: 100,000, at about 60 bytes each.
    pub fn record_limit(mut self, task_runs: u32) -> Self {
        self.config.record_limit = task_runs;
        self.config.set_by_program("record_limit");
        self
    }

    /// How many log records of one flow run are kept. Default: 10,000.
    pub fn log_limit(mut self, records: usize) -> Self {
        self.config.log_limit = records;
        self.config.set_by_program("log_limit");
        self
    }

    /// How many events a subscriber may be behind before it loses some. Default: 4,096.
    pub fn event_capacity(mut self, events: usize) -> Self {
        self.config.event_capacity = events;
        self.config.set_by_program("event_capacity");
        self
    }

    /// How many bytes of cached results are kept in memory, by their stored length. Default:
    /// 256 MiB.
    pub fn memory_cache(mut self, bytes: usize) -> Self {
        self.config.memory_cache = bytes;
        self.config.set_by_program("memory_cache");
        self
    }

    /// Uses cached results of this very build of the program only: whatever code was changed
    /// anywhere, all cached tasks run again. For those to whom it is too much to name the functions
    /// that a task calls with `uses`. Default: `false`.
    pub fn cache_per_build(mut self, is_so: bool) -> Self {
        self.config.cache_per_build = is_so;
        self.config.set_by_program("cache.per_build");
        self
    }

    /// Executes tasks of this name although the cache has results for them, and replaces those. `*`
    /// stands for any letters.
    pub fn refresh(mut self, tasks: impl Into<String>) -> Self {
        self.config.refresh.push(tasks.into());
        self.config.set_by_program("refresh");
        self
    }

    /// How soon a result survives, on an engine with a store. Default: [`Durability::Relaxed`].
    pub fn durability(mut self, durability: Durability) -> Self {
        self.config.durability = durability;
        self.config.set_by_program("durability");
        self
    }

    /// What becomes of flow runs when the store fails. Default: [`OnStoreFailure::Fail`].
    pub fn on_store_failure(mut self, then: OnStoreFailure) -> Self {
        self.config.on_store_failure = then;
        self.config.set_by_program("on_store_failure");
        self
    }

    /// Which flow runs the store keeps. What is not kept is removed now and then after a flow run
    /// has ended, while there is nothing to record. Default: [`Retention::default`].
    pub fn retention(mut self, retention: Retention) -> Self {
        self.config.retention = retention;
        self.config.set_by_program("retention.max_runs");
        self.config.set_by_program("retention.max_age");
        self.config.set_by_program("retention.max_bytes");
        self
    }

    /// How much the cache in the store may hold. Default: [`CacheBudget::default`].
    pub fn cache_budget(mut self, budget: CacheBudget) -> Self {
        self.config.cache_budget = budget;
        self.config.set_by_program("cache.max_age");
        self.config.set_by_program("cache.max_bytes");
        self
    }

    /// Makes the engine on a folder, which is created if it is missing: history, recorded results
    /// and the cache are kept there, and what was interrupted can be gone on with.
    ///
    /// # Errors
    /// [`StoreError`] if the folder cannot be used: it is read-only, on a network filesystem, or
    /// was written by a later release.
    #[cfg(feature = "sqlite")]
    pub fn open(self, folder: impl AsRef<Path>) -> Result<Engine, StoreError> {
        let (runs, blobs) = crate::store::open_folder(folder.as_ref())?;
        Ok(self.build_on(runs, blobs))
    }

    /// Makes the engine on a store. Starts nothing.
    pub fn build_on(self, runs: Arc<dyn RunStore>, blobs: Arc<dyn BlobStore>) -> Engine {
        let store = EngineStore::new(
            runs,
            blobs,
            self.config.durability,
            self.config.on_store_failure,
        )
        .keeping(Upkeep::new(
            self.config.retention.clone(),
            self.config.cache_budget.clone(),
        ));
        self.make(Some(Arc::new(store)))
    }

    /// Makes the engine. Starts nothing.
    pub fn build(self) -> Engine {
        self.make(None)
    }

    fn make(self, store: Option<Arc<EngineStore>>) -> Engine {
        let pool = self
            .config
            .compute_threads
            .map_or_else(Pool::shared, Pool::new);
        let cache = Arc::new(Cache::new(self.config.memory_cache));
        let build = self.config.cache_per_build.then(digest_of_program);
        let engine = Arc::new(EngineInner {
            build,
            events: EventSource::new(self.config.event_capacity),
            config: self.config,
            limits: self.limits,
            resources: self.resources,
            pool,
            faults: self.faults,
            cache,
            store,
            clock: Clock::start(),
            is_closed: AtomicBool::new(false),
            running: Mutex::default(),
            changed: Notify::new(),
        });
        if let Some(store) = &engine.store {
            let engine = Arc::downgrade(&engine);
            store.journal.on_lost(move |run| {
                if let Some(engine) = engine.upgrade() {
                    engine.lose(run);
                }
            });
        }
        Engine(engine)
    }
}

impl fmt::Debug for EngineBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EngineBuilder")
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}

/// Where the result of a flow run is left for whoever awaits it.
pub(crate) type Deliver<T> = Box<dyn FnOnce(Result<T, FlowError>) + Send>;

impl EngineInner {
    /// Makes an engine on the same store for a flow run that executes nothing: nobody sees it, and
    /// it takes no place of another.
    fn apart(&self) -> Arc<Self> {
        Arc::new(Self {
            events: EventSource::new(1),
            config: self.config.clone(),
            limits: Limits::default(),
            resources: self.resources.clone(),
            pool: self.pool.clone(),
            faults: Faults::default(),
            cache: Arc::clone(&self.cache),
            store: self.store.clone(),
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
                    WhenFull::Queue => {}
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

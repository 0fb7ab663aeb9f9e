//! Setting up an engine.

use std::fmt;
#[cfg(feature = "sqlite")]
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::Notify;

use crate::breaker::{Breaker, Breakers};
use crate::cache::Cache;
use crate::code::digest_of_program;
use crate::compute::Pool;
use crate::event::EventSource;
use crate::faults::Faults;
use crate::hook::DurableHook;
use crate::limit::{Limit, Limits};
use crate::memory::Memory;
use crate::outbox::Hooks;
use crate::policy::failure_mode::FailureMode;
use crate::recorder::EngineStore;
use crate::resource::Resources;
#[cfg(feature = "sqlite")]
use crate::store::StoreError;
use crate::store::{BlobStore, CacheBudget, Durability, OnStoreFailure, Retention, RunStore};
use crate::tracking::{LogSink, MemoryArtifacts};

use super::config::Config;
use super::{Clock, Engine, EngineInner, Upkeep, hooks};

/// Sets up an [`Engine`].
#[must_use = "a builder makes nothing until `build` is called"]
pub struct EngineBuilder {
    pub(super) config: Config,
    pub(super) limits: Limits,
    pub(super) breakers: Breakers,
    pub(super) resources: Resources,
    pub(crate) faults: Faults,
    pub(crate) durable_hooks: Vec<DurableHook>,
    pub(super) log_sink: Option<Arc<dyn LogSink>>,
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

    /// Defines a circuit breaker for the tasks that name it, `#[task(breaker = "..")]`. A task that
    /// names one which is not defined fails. Each engine has its own, closed at first.
    pub fn breaker(mut self, name: impl Into<String>, breaker: Breaker) -> Self {
        self.breakers.set(name.into(), breaker);
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

    /// Tells of what flow runs log, as they do: to hand it on to another system. The last one counts.
    pub fn log_sink(mut self, sink: Arc<dyn LogSink>) -> Self {
        self.log_sink = Some(sink);
        self
    }

    /// How many bytes of large results flow runs keep in memory until all that uses them has run, by
    /// their stored length. A result beyond that is only in the store and is read when it is
    /// needed. Counted are results of more than 16 KiB that are stored anyhow; on an engine without a
    /// store it has no effect. Default: no limit.
    pub fn memory_budget(mut self, bytes: u64) -> Self {
        self.config.memory_budget = Some(bytes);
        self.config.set_by_program("memory_budget");
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

    /// Makes the engine on a store. Starts nothing but the delivery of notices to durable hooks.
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
        let hooks = Hooks::of(self.durable_hooks.clone());
        let store = Arc::new(store.telling(hooks.clone()));
        self.make(Some(store), hooks)
    }

    /// Makes the engine. Starts nothing but the delivery of notices to durable hooks.
    pub fn build(self) -> Engine {
        let hooks = Hooks::of(self.durable_hooks.clone());
        self.make(None, hooks)
    }

    fn make(self, store: Option<Arc<EngineStore>>, hooks: Option<Arc<Hooks>>) -> Engine {
        let pool = self
            .config
            .compute_threads
            .map_or_else(Pool::shared, Pool::new);
        let cache = Arc::new(Cache::new(self.config.memory_cache));
        let memory = Memory::new(self.config.memory_budget);
        let build = self.config.cache_per_build.then(digest_of_program);
        let clock = Clock::start();
        let engine = Arc::new(EngineInner {
            build,
            outbox: hooks::outbox(hooks, store.as_ref(), clock),
            events: EventSource::new(self.config.event_capacity),
            config: self.config,
            limits: self.limits,
            breakers: self.breakers,
            resources: self.resources,
            pool,
            faults: self.faults,
            cache,
            memory,
            artifacts: MemoryArtifacts::default(),
            log_sink: self.log_sink,
            store,
            clock,
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
        if let Some(outbox) = &engine.outbox {
            outbox.start();
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

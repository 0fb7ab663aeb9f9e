//! Keeping an engine's store small and looking whether it is whole.

use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::recorder::EngineStore;
use crate::store::{
    self, CacheBudget, CheckReport, Collection, GcReport, MIN_AGE, Plan, Retention, RunStore, Step,
    StoreError, Timestamp,
};

use super::Engine;

/// How long after the start the first collection comes: short programs do not pay for one.
const FIRST: Duration = Duration::from_secs(60);

/// How long there is between two collections of one engine.
const BETWEEN: Duration = Duration::from_secs(60 * 60);

impl Engine {
    /// Removes what the store does not keep: flow runs by the engine's [`Retention`], cached
    /// results by its [`CacheBudget`], values that nothing points to any more. With `dry_run` only
    /// says what would be removed.
    ///
    /// This happens by itself as well, at most once an hour, after a flow run has ended. Values
    /// younger than an hour are left alone. On an engine without a store there is nothing to do.
    /// Blocks the thread while it works; flow runs go on meanwhile.
    ///
    /// # Errors
    /// [`StoreError`] if the store cannot be read or written.
    pub fn collect_garbage(&self, dry_run: bool) -> Result<GcReport, StoreError> {
        self.collect_older_than(MIN_AGE, dry_run)
    }

    /// The same with another age from which on values are removed: for tests, which have no hour.
    #[doc(hidden)]
    pub fn collect_older_than(
        &self,
        min_age: Duration,
        dry_run: bool,
    ) -> Result<GcReport, StoreError> {
        let Some(store) = &self.0.store else {
            return Ok(GcReport::default());
        };
        store.settled();
        let plan = store.upkeep.plan(min_age);
        store::collect(&*store.runs, &*store.blobs, plan, dry_run)
    }

    /// Reads all that is in the store and says what is lost or damaged. Changes nothing.
    ///
    /// Nothing of it is needed for results to be right: a value that is not what it was counts as a
    /// miss when it is read. On an engine without a store there is nothing to check. Blocks the
    /// thread while it works.
    ///
    /// # Errors
    /// [`StoreError`] if the store cannot be read at all.
    pub fn check_store(&self) -> Result<CheckReport, StoreError> {
        let Some(store) = &self.0.store else {
            return Ok(CheckReport::default());
        };
        store.settled();
        store::check(&*store.runs, &*store.blobs)
    }

    /// Makes the store's rows take as little space as they can. Flow runs wait with what they
    /// record as long as it takes, and meanwhile it takes as much free space as the rows do.
    ///
    /// # Errors
    /// [`StoreError`] if the store cannot be written.
    pub fn compact_store(&self) -> Result<(), StoreError> {
        let Some(store) = &self.0.store else {
            return Ok(());
        };
        store.settled();
        store
            .runs
            .maintenance()
            .map_or(Ok(()), |runs| runs.compact())
    }
}

/// What an engine keeps in its store, and when it looks next for what it does not.
pub(crate) struct Upkeep {
    retention: Retention,
    budget: CacheBudget,
    /// `None` while a collection is under way.
    due: Mutex<Option<Instant>>,
    /// The thread that plans the one under way, or planned the last one.
    planning: Mutex<Option<JoinHandle<()>>>,
}

impl Default for Upkeep {
    fn default() -> Self {
        Self::new(Retention::default(), CacheBudget::default())
    }
}

impl Upkeep {
    pub(crate) fn new(retention: Retention, budget: CacheBudget) -> Self {
        Self {
            retention,
            budget,
            due: Mutex::new(Some(Instant::now() + FIRST)),
            planning: Mutex::default(),
        }
    }

    fn plan(&self, min_age: Duration) -> Plan<'_> {
        Plan {
            retention: &self.retention,
            budget: &self.budget,
            min_age,
            now: Timestamp::now(),
        }
    }

    /// Whether it is time to collect. Whoever is told so collects.
    fn take_due(&self, now: Instant) -> bool {
        let mut due = self.due.lock().unwrap_or_else(PoisonError::into_inner);
        due.take_if(|due| *due <= now).is_some()
    }

    fn note(&self, planning: JoinHandle<()>) {
        let mut last = self.planning.lock().unwrap_or_else(PoisonError::into_inner);
        *last = Some(planning);
    }

    fn set_due(&self, at: Instant) {
        *self.due.lock().unwrap_or_else(PoisonError::into_inner) = Some(at);
    }
}

impl Drop for Upkeep {
    /// Whoever opens the folder next finds nobody there.
    fn drop(&mut self) {
        let planning = self.planning.get_mut();
        let planning = planning.unwrap_or_else(PoisonError::into_inner).take();
        if let Some(planning) = planning.filter(|it| it.thread().id() != thread::current().id()) {
            drop(planning.join());
        }
    }
}

impl EngineStore {
    /// Waits until what was recorded so far is in the rows.
    fn settled(&self) {
        self.journal.call(|_| async {});
    }

    /// Starts a collection, if it is time for one: planned beside everything else, and done on the
    /// journal's thread.
    pub(crate) fn collect_if_due(self: &Arc<Self>) {
        if !self.upkeep.take_due(Instant::now()) {
            return;
        }
        if self.runs.is_immediate() {
            return self.collect_in_background(None);
        }
        let (store, runs) = (Arc::downgrade(self), Arc::clone(&self.runs));
        let (retention, budget) = (self.upkeep.retention.clone(), self.upkeep.budget.clone());
        let plan = move || {
            let plan = Plan {
                retention: &retention,
                budget: &budget,
                min_age: MIN_AGE,
                now: Timestamp::now(),
            };
            let collection = Collection::new(&*runs, plan);
            // The engine may be gone, and what it had with it.
            drop(runs);
            let Some(store) = store.upgrade() else { return };
            match collection {
                Ok(collection) => store.collect_in_background(Some(collection)),
                Err(error) => store.put_off(&error),
            }
        };
        let planning = thread::Builder::new().name("orch-upkeep".to_owned());
        match planning.spawn(plan) {
            Ok(planning) => self.upkeep.note(planning),
            Err(error) => self.put_off(&error),
        }
    }

    /// Leaves a collection to the next time.
    fn put_off(&self, error: &dyn std::fmt::Display) {
        tracing::warn!(target: "orch", "{error}; nothing is collected for now");
        self.upkeep.set_due(Instant::now() + BETWEEN);
    }

    /// Does a step of a collection once the journal has nothing more urgent to do, and so on until
    /// all is done or the engine is gone.
    fn collect_in_background(self: &Arc<Self>, collection: Option<Collection>) {
        let store = Arc::downgrade(self);
        self.journal
            .later(move |runs| go_on(&store, runs, collection));
    }
}

fn go_on(store: &Weak<EngineStore>, runs: &dyn RunStore, collection: Option<Collection>) {
    let Some(store) = store.upgrade() else {
        return;
    };
    let begin = || Collection::new(runs, store.upkeep.plan(MIN_AGE));
    let stepped = collection
        .map_or_else(begin, Ok)
        .and_then(|mut collection| {
            loop {
                let step = collection.step(runs, &*store.blobs)?;
                if step == Step::Busy {
                    // Who holds values may wait for this thread.
                    collection.pass_over();
                }
                // In memory nobody is kept waiting.
                if step == Step::Done || !runs.is_immediate() {
                    return Ok((step, collection));
                }
            }
        });
    match stepped {
        Ok((Step::Done, collection)) => {
            tracing::debug!(target: "orch", "collected: {:?}", collection.report);
        }
        Ok((_, collection)) => return store.collect_in_background(Some(collection)),
        Err(error) => return store.put_off(&error),
    }
    store.upkeep.set_due(Instant::now() + BETWEEN);
}

#[cfg(all(test, feature = "sqlite"))]
mod tests {
    use super::*;
    use crate::store::{
        BlobStore, Durability, FolderBlobs, FolderStore, MemoryBlobs, MemoryStore, OnStoreFailure,
    };

    /// A store with a value that nothing points to, which is to be collected from the start on.
    fn due(runs: Arc<dyn RunStore>, blobs: Arc<dyn BlobStore>) -> Arc<EngineStore> {
        let writer = blobs.writer().unwrap();
        let digest = crate::value::digest_of_text("orphan");
        writer.finish(digest, Durability::Relaxed).unwrap();
        let store = EngineStore::new(runs, blobs, Durability::Relaxed, OnStoreFailure::Fail);
        store.upkeep.set_due(Instant::now());
        Arc::new(store)
    }

    fn is_under_way(store: &EngineStore) -> bool {
        store.upkeep.due.lock().unwrap().is_none()
    }

    #[test]
    fn a_collection_is_planned_aside_and_done_bit_by_bit_on_the_journals_thread() {
        let path = std::env::temp_dir().join(format!("orch-collecting-{}", std::process::id()));
        drop(std::fs::remove_dir_all(&path));
        let blobs = Arc::new(FolderBlobs::open(&path).unwrap());
        let store = due(
            Arc::new(FolderStore::open(&path).unwrap()),
            Arc::clone(&blobs) as _,
        );
        let orphan = crate::value::digest_of_text("orphan");
        let name = orphan.to_string();
        let file = std::fs::File::options()
            .append(true)
            .open(path.join("blobs").join(&name[..2]).join(&name))
            .unwrap();
        file.set_modified(std::time::SystemTime::now() - 2 * MIN_AGE)
            .unwrap();
        store.collect_if_due();
        // Between two steps the journal does what it is asked to.
        while is_under_way(&store) {
            store.settled();
        }
        assert!(!blobs.contains(&orphan).unwrap());

        // One that is under way ends with its engine.
        store.upkeep.set_due(Instant::now());
        store.collect_if_due();
        drop(store);
        drop(std::fs::remove_dir_all(&path));
    }

    #[test]
    fn in_memory_a_collection_is_done_at_once() {
        let blobs = Arc::new(MemoryBlobs::new());
        let store = due(Arc::new(MemoryStore::new()), Arc::clone(&blobs) as _);
        store.collect_if_due();
        assert!(!is_under_way(&store));
        let orphan = crate::value::digest_of_text("orphan");
        assert!(!blobs.contains(&orphan).unwrap());
    }

    #[test]
    fn one_collection_is_under_way_at_a_time_and_none_before_it_is_due() {
        let upkeep = Upkeep::default();
        let start = Instant::now();
        assert!(!upkeep.take_due(start));
        assert!(upkeep.take_due(start + 2 * FIRST));
        assert!(!upkeep.take_due(start + 2 * FIRST), "it is under way");
        upkeep.set_due(start + BETWEEN);
        assert!(!upkeep.take_due(start + 2 * FIRST));
        assert!(upkeep.take_due(start + BETWEEN));
    }
}

//! What stands between an engine and its store: a queue that one thread drains in groups.
//!
//! Whoever records something never waits for the disk; whoever depends on it waits for a position.

#[cfg(all(test, feature = "sqlite"))]
mod failures;
mod writer;

use std::collections::HashMap;
use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::JoinHandle;

use futures_util::FutureExt as _;
use tokio::sync::oneshot;

use super::{
    Change, Durability, Epoch, Fence, KeyClaim, Logged, MetricRow, OnStoreFailure, RunStore,
    StoreError,
};
use crate::id::FlowRunId;
use crate::value::Digest;

/// How many bytes may be queued before task runs have to wait with their start.
const MAX_QUEUED: usize = 64 * 1024 * 1024;

/// How many points of metrics one change holds.
const MAX_POINTS: usize = 4_096;

/// What a change takes in the queue beside what it holds.
const CHANGE_BYTES: usize = 512;

/// A place in the order of changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) struct Position(u64);

/// The queue of changes, and the thread that commits them.
pub(crate) struct Journal {
    shared: Arc<Shared>,
    writer: Mutex<Option<JoinHandle<()>>>,
}

type Job = Box<dyn FnOnce(&dyn RunStore) + Send>;

/// Is told the name of a hook.
type TellOfNotice = Box<dyn Fn(&str) + Send + Sync>;

/// Released once the change that it came with is committed.
pub(crate) type Hold = Box<dyn Send>;

struct Shared {
    store: Arc<dyn RunStore>,
    durability: Durability,
    then: OnStoreFailure,
    state: Mutex<State>,
    work: Condvar,
    /// Who wants to know of runs that are lost.
    on_lost: OnceLock<Box<dyn Fn(FlowRunId) + Send + Sync>>,
    /// Who wants to know for which hooks there are new notices.
    on_notice: OnceLock<TellOfNotice>,
}

#[derive(Default)]
struct State {
    queue: Vec<Entry>,
    jobs: Vec<Job>,
    bytes: usize,
    /// The position of the last change that was pushed.
    pushed: u64,
    /// Up to where changes are committed.
    committed: u64,
    /// Up to where they are on disk.
    synced: u64,
    /// Up to where somebody wants them on disk at once.
    wanted: u64,
    waiters: Vec<Waiter>,
    /// Those who wait for room.
    waiting_for_room: Vec<Waker>,
    /// Runs that another engine has taken over: up to which epoch they were this one's.
    lost: HashMap<FlowRunId, Epoch>,
    /// Why nothing is written any more.
    degraded: Option<String>,
    /// Whether nobody does jobs any more.
    has_no_writer: bool,
    is_closed: bool,
    /// Whether the writer sleeps until something is pushed.
    is_asleep: bool,
}

impl State {
    fn has_room(&self) -> bool {
        self.bytes <= MAX_QUEUED || self.degraded.is_some()
    }
}

struct Entry {
    position: u64,
    fence: Option<Fence>,
    change: Change,
    #[expect(dead_code, reason = "dropped with the entry, once it is written")]
    hold: Option<Hold>,
}

struct Waiter {
    position: u64,
    needs_sync: bool,
    fence: Fence,
    done: oneshot::Sender<Result<(), StoreError>>,
}

impl Journal {
    pub(crate) fn new(
        store: Arc<dyn RunStore>,
        durability: Durability,
        then: OnStoreFailure,
    ) -> Self {
        let shared = Arc::new(Shared {
            store,
            durability,
            then,
            state: Mutex::default(),
            work: Condvar::new(),
            on_lost: OnceLock::new(),
            on_notice: OnceLock::new(),
        });
        let writer = (!shared.store.is_immediate()).then(|| {
            let theirs = Arc::clone(&shared);
            std::thread::Builder::new()
                .name("orch-journal".to_owned())
                .spawn(move || {
                    let _gone = WriterGone(&theirs);
                    theirs.write();
                })
        });
        let writer = match writer.transpose() {
            Ok(writer) => writer,
            Err(error) => {
                let mut state = shared.lock();
                state.degraded = Some(format!("its writer cannot start: {error}"));
                state.has_no_writer = true;
                None
            }
        };
        Self {
            shared,
            writer: Mutex::new(writer),
        }
    }

    /// Hands a change over; does not wait.
    pub(crate) fn push(
        &self,
        fence: Option<Fence>,
        change: Change,
        hold: Option<Hold>,
    ) -> Position {
        self.push_with(fence, change, Vec::new(), hold)
    }

    /// The same with others that are committed with the change, or not at all.
    pub(crate) fn push_with(
        &self,
        fence: Option<Fence>,
        change: Change,
        others: Vec<Change>,
        hold: Option<Hold>,
    ) -> Position {
        let shared = &self.shared;
        let mut state = shared.lock();
        state.pushed += 1 + others.len() as u64;
        let position = state.pushed;
        if state.degraded.is_some() {
            return Position(position);
        }
        // Under one lock: who commits takes all that is queued.
        let holds = std::iter::once(hold).chain(std::iter::repeat_with(|| None));
        for (change, hold) in std::iter::once(change).chain(others).zip(holds) {
            state.bytes += CHANGE_BYTES + bytes_of(&change);
            state.queue.push(Entry {
                position,
                fence,
                change,
                hold,
            });
        }
        if shared.store.is_immediate() {
            drop(state);
            shared.commit_group();
        } else if state.is_asleep || state.bytes > MAX_QUEUED / 2 {
            state.is_asleep = false;
            drop(state);
            shared.work.notify_one();
        }
        Position(position)
    }

    /// Hands a point of a metric over; does not wait. Points that follow each other are one change: a
    /// loop that logs thousands of them makes no thousands of entries.
    pub(crate) fn push_metric(&self, fence: Fence, row: MetricRow) {
        let mut guard = self.shared.lock();
        let state = &mut *guard;
        if state.degraded.is_some() {
            return;
        }
        if !self.shared.store.is_immediate()
            && let Some(entry) = state.queue.last_mut()
            && entry.fence == Some(fence)
            && let Change::Logged {
                logged: Logged::Metrics(rows),
                ..
            } = &mut entry.change
            && rows.len() < MAX_POINTS
        {
            rows.push(row);
            state.pushed += 1;
            entry.position = state.pushed;
            state.bytes += size_of::<MetricRow>();
            return;
        }
        drop(guard);
        let change = Change::Logged {
            run: fence.run,
            logged: Logged::Metrics(vec![row]),
        };
        self.push(Some(fence), change, None);
    }

    /// The position of the last change.
    pub(crate) fn last(&self) -> Position {
        Position(self.shared.lock().pushed)
    }

    /// Waits until everything up to a position is committed: on disk too, where each result is to
    /// be before it is used.
    ///
    /// # Errors
    /// [`StoreError::Degraded`] once the store has failed and flow runs are to fail with it;
    /// [`StoreError::OwnershipLost`] if the run was taken over.
    pub(crate) async fn flushed(&self, fence: Fence, position: Position) -> Result<(), StoreError> {
        let needs_sync = self.shared.durability == Durability::Strict;
        self.wait(fence, position, needs_sync).await
    }

    /// Waits until everything up to a position is on disk.
    ///
    /// # Errors
    /// Those of [`flushed`](Self::flushed).
    pub(crate) async fn sync(&self, fence: Fence, position: Position) -> Result<(), StoreError> {
        self.wait(fence, position, true).await
    }

    async fn wait(
        &self,
        fence: Fence,
        Position(position): Position,
        needs_sync: bool,
    ) -> Result<(), StoreError> {
        let done = {
            let mut state = self.shared.lock();
            if let Some(answer) = self.shared.answer(&state, position, needs_sync, fence) {
                return answer;
            }
            if needs_sync {
                state.wanted = state.wanted.max(position);
            }
            let (sender, receiver) = oneshot::channel();
            state.waiters.push(Waiter {
                position,
                needs_sync,
                fence,
                done: sender,
            });
            receiver
        };
        self.shared.work.notify_one();
        done.await.unwrap_or_else(|_| {
            Err(StoreError::Degraded {
                reason: "its writer is gone".to_owned(),
            })
        })
    }

    /// Whether there is room for more changes.
    pub(crate) fn has_room(&self) -> bool {
        self.shared.lock().has_room()
    }

    /// Waits until there is room for more changes.
    pub(crate) async fn until_room(&self) {
        std::future::poll_fn(|cx| {
            let mut state = self.shared.lock();
            if state.has_room() {
                return Poll::Ready(());
            }
            state.waiting_for_room.push(cx.waker().clone());
            Poll::Pending
        })
        .await;
    }

    /// Takes note that the store has failed elsewhere.
    ///
    /// # Errors
    /// What happened, if flow runs are to fail with their store.
    pub(crate) fn degrade(&self, error: &StoreError) -> Result<(), String> {
        let given_up = {
            let mut state = self.shared.lock();
            let given_up = self.shared.note_failure(&mut state, error);
            self.shared.answer_waiters(&mut state);
            given_up
        };
        drop(given_up);
        if self.shared.fails_with_store() {
            Err(StoreError::Degraded {
                reason: error.to_string(),
            }
            .to_string())
        } else {
            Ok(())
        }
    }

    /// Whether another engine has taken a run over.
    pub(crate) fn has_lost(&self, fence: Fence) -> bool {
        self.shared.lock().has_lost(fence)
    }

    /// Says whom to tell of runs that another engine has taken over. On the writer's thread, which
    /// must not wait for anything of its own store.
    pub(crate) fn on_lost(&self, tell: impl Fn(FlowRunId) + Send + Sync + 'static) {
        let _ = self.shared.on_lost.set(Box::new(tell));
    }

    /// Says whom to tell of new notices, by the name of their hook, once they are committed.
    pub(crate) fn on_notice(&self, tell: impl Fn(&str) + Send + Sync + 'static) {
        let _ = self.shared.on_notice.set(Box::new(tell));
    }

    /// Does something with the store after all changes so far, on the writer's thread, and waits
    /// for it without giving up the own thread.
    pub(crate) fn call<R, F, Fut>(&self, work: F) -> R
    where
        R: Send + 'static,
        F: FnOnce(Arc<dyn RunStore>) -> Fut + Send + 'static,
        Fut: Future<Output = R>,
    {
        let store = Arc::clone(&self.shared.store);
        if store.is_immediate() || self.shared.lock().has_no_writer {
            return block_on(work(store));
        }
        let (sender, receiver) = std::sync::mpsc::sync_channel(1);
        self.enqueue(Box::new(move |_| {
            drop(sender.send(block_on(work(store))));
        }));
        receiver
            .recv()
            .expect("the writer does every job before it ends")
    }

    /// Reads what is there after all changes so far, on the own thread where the store allows that:
    /// a long look keeps no change waiting.
    pub(crate) fn query<R, F, Fut>(&self, look: F) -> R
    where
        R: Send + 'static,
        F: FnOnce(Arc<dyn RunStore>) -> Fut + Clone + Send + 'static,
        Fut: Future<Output = R>,
    {
        self.call(|_| async {});
        let at_once = look.clone()(Arc::clone(&self.shared.store));
        match at_once.now_or_never() {
            Some(found) => found,
            None => self.call(look),
        }
    }

    /// Claims the right to execute for a cache key. See [`RunStore::claim_key`].
    pub(crate) async fn claim_key(&self, key: Digest) -> Result<KeyClaim, StoreError> {
        self.ask(move |store| block_on(store.claim_key(key))).await
    }

    /// Does something with the store on the writer's thread, after all changes so far, and waits for
    /// what it comes to.
    pub(crate) async fn ask<R: Send + 'static>(
        &self,
        work: impl FnOnce(&dyn RunStore) -> Result<R, StoreError> + Send + 'static,
    ) -> Result<R, StoreError> {
        if self.shared.store.is_immediate() {
            return work(&*self.shared.store);
        }
        let (sender, receiver) = oneshot::channel();
        self.enqueue(Box::new(move |store| drop(sender.send(work(store)))));
        receiver.await.unwrap_or_else(|_| {
            Err(StoreError::Degraded {
                reason: "its writer is gone".to_owned(),
            })
        })
    }

    /// Gives such a claim up, after what was recorded under it is committed.
    pub(crate) fn release_key(&self, key: Digest, epoch: Epoch) {
        let release = move |store: &dyn RunStore| {
            if let Err(error) = block_on(store.release_key(key, epoch)) {
                tracing::warn!(target: "orch", "a claim of a cache key is not given up: {error}");
            }
        };
        if self.shared.store.is_immediate() {
            release(&*self.shared.store);
        } else {
            self.enqueue(Box::new(release));
        }
    }

    /// Does something with the store on the writer's thread, after all changes so far.
    pub(crate) fn later(&self, job: impl FnOnce(&dyn RunStore) + Send + 'static) {
        if self.shared.store.is_immediate() {
            job(&*self.shared.store);
        } else {
            self.enqueue(Box::new(job));
        }
    }

    /// Leaves a job to the writer; drops it if there is none.
    fn enqueue(&self, job: Job) {
        let mut state = self.shared.lock();
        if !state.has_no_writer {
            state.jobs.push(job);
            drop(state);
            self.shared.work.notify_one();
        }
    }
}

/// Tells those who wait that nobody writes any more, should the store's code have panicked.
struct WriterGone<'a>(&'a Shared);

impl Drop for WriterGone<'_> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.has_no_writer = true;
        let jobs = std::mem::take(&mut state.jobs);
        let given_up = std::thread::panicking().then(|| {
            let reason = "its writer panicked".to_owned();
            let error = StoreError::Degraded { reason };
            let given_up = self.0.note_failure(&mut state, &error);
            self.0.answer_waiters(&mut state);
            given_up
        });
        drop(state);
        // Those who wait for a job learn from it that it is dropped.
        drop((jobs, given_up));
    }
}

impl Drop for Journal {
    /// Writes what is queued.
    fn drop(&mut self) {
        self.shared.lock().is_closed = true;
        self.shared.work.notify_one();
        let writer = self
            .writer
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(writer) = writer
            // The last one to hold an engine may be a job of its own store.
            && writer.thread().id() != std::thread::current().id()
        {
            drop(writer.join());
        }
    }
}

impl State {
    fn has_lost(&self, fence: Fence) -> bool {
        let lost = self.lost.get(&fence.run);
        lost.is_some_and(|epoch| fence.epoch <= *epoch)
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Plain data, and no code of the user's runs under it.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn fails_with_store(&self) -> bool {
        self.then == OnStoreFailure::Fail || self.durability == Durability::Strict
    }

    /// Returns what is not written any more: holds among it are given up outside of the lock.
    fn note_failure(&self, state: &mut State, error: &StoreError) -> Vec<Entry> {
        if state.degraded.is_some() {
            return Vec::new();
        }
        tracing::error!(
            target: "orch",
            "{error}; {}",
            if self.fails_with_store() {
                "flow runs fail until the engine is opened again"
            } else {
                "flow runs go on in memory, and nothing of them is recorded"
            }
        );
        let mut reason = error.to_string();
        let mut cause = std::error::Error::source(error);
        while let Some(error) = cause {
            reason += &format!(": {error}");
            cause = error.source();
        }
        state.degraded = Some(reason);
        state.bytes = 0;
        // What was asked for will not come: the writer would try for ever.
        state.wanted = 0;
        for waker in state.waiting_for_room.drain(..) {
            waker.wake();
        }
        std::mem::take(&mut state.queue)
    }

    /// What somebody who waits can be told already.
    fn answer(
        &self,
        state: &State,
        position: u64,
        needs_sync: bool,
        fence: Fence,
    ) -> Option<Result<(), StoreError>> {
        if state.has_lost(fence) {
            return Some(Err(StoreError::OwnershipLost {
                run: fence.run,
                epoch: fence.epoch,
            }));
        }
        let reached = if needs_sync {
            state.synced
        } else {
            state.committed
        };
        if reached >= position {
            return Some(Ok(()));
        }
        let reason = state.degraded.clone()?;
        Some(if self.fails_with_store() {
            Err(StoreError::Degraded { reason })
        } else {
            Ok(())
        })
    }

    fn answer_waiters(&self, state: &mut State) {
        let waiters = std::mem::take(&mut state.waiters);
        for waiter in waiters {
            match self.answer(state, waiter.position, waiter.needs_sync, waiter.fence) {
                // Whoever waits no longer does not mind.
                Some(answer) => drop(waiter.done.send(answer)),
                None => state.waiters.push(waiter),
            }
        }
    }
}

/// How much a change holds, about.
fn bytes_of(change: &Change) -> usize {
    let value = match change {
        Change::TaskRun { row, .. } => row.result.as_ref(),
        Change::FlowRun(row) => row.result.as_ref(),
        Change::Step { row, .. } => Some(&row.value),
        Change::Cache(row) => Some(&row.value),
        Change::Logged { logged, .. } => return logged.bytes(),
        Change::Notice(row) => return row.notice.error.as_ref().map_or(0, String::len),
        _ => None,
    };
    value.map_or(0, |value| match &value.place {
        super::Place::Inline(bytes) => bytes.len(),
        super::Place::Blob => 0,
    })
}

/// Runs a future to its end on this thread.
pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    struct Unpark(std::thread::Thread);

    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }

    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut cx = Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut cx) {
            Poll::Ready(output) => return output,
            Poll::Pending => std::thread::park(),
        }
    }
}

#[cfg(test)]
mod tests;

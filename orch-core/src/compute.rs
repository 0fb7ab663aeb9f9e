//! The compute pool: threads for blocking bodies, as many as the machine has cores.
//!
//! It is shared by the engines of a process unless one asks for threads of its own. A thread whose
//! job was abandoned is replaced, so that the pool keeps its size; the abandoned one ends with its
//! job, and holds up neither its runtime nor the process.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, LazyLock, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::sync::oneshot;

use crate::engine::EngineInner;

type Job = Box<dyn FnOnce() + Send>;

/// How long a thread waits for work before it ends. Long enough for the pauses inside a flow run.
const IDLE: Duration = Duration::from_secs(10);

static SHARED: LazyLock<Pool> = LazyLock::new(|| {
    Pool::new(std::thread::available_parallelism().map_or(1, std::num::NonZero::get))
});

/// A pool of threads.
#[derive(Clone)]
pub(crate) struct Pool(Arc<Shared>);

struct Shared {
    size: usize,
    state: Mutex<State>,
    work: Condvar,
    abandoned: AtomicUsize,
}

#[derive(Default)]
struct State {
    jobs: VecDeque<Job>,
    /// Threads that count towards the size.
    threads: usize,
    idle: usize,
}

impl Pool {
    pub(crate) fn new(size: usize) -> Self {
        Self(Arc::new(Shared {
            size: size.max(1),
            state: Mutex::default(),
            work: Condvar::new(),
            abandoned: AtomicUsize::new(0),
        }))
    }

    /// The pool of the process.
    pub(crate) fn shared() -> Self {
        SHARED.clone()
    }

    /// Abandoned jobs that still run.
    pub(crate) fn abandoned(&self) -> usize {
        self.0.abandoned.load(Ordering::Relaxed)
    }

    fn submit(&self, job: Job) {
        let mut state = self.0.lock();
        state.jobs.push_back(job);
        self.start_thread_if_needed(&mut state);
    }

    fn start_thread_if_needed(&self, state: &mut State) {
        if state.idle >= state.jobs.len() {
            self.0.work.notify_one();
        } else if state.threads < self.0.size {
            let pool = Arc::clone(&self.0);
            let thread = std::thread::Builder::new().name("orch-compute".to_owned());
            match thread.spawn(move || pool.work()) {
                Ok(_) => state.threads += 1,
                // With at least one thread the job waits; with none nobody would ever run it.
                Err(error) if state.threads > 0 => {
                    tracing::warn!(target: "orch", "cannot start a compute thread: {error}");
                }
                Err(error) => {
                    tracing::error!(target: "orch", "cannot start any compute thread: {error}");
                    // Dropping the jobs tells those who wait for them.
                    state.jobs.clear();
                }
            }
        }
    }

    /// A running job's result is no longer wanted: another thread may take its place.
    fn abandon(&self) {
        self.0.abandoned.fetch_add(1, Ordering::Relaxed);
        let mut state = self.0.lock();
        state.threads -= 1;
        if !state.jobs.is_empty() {
            self.start_thread_if_needed(&mut state);
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Jobs run outside of this lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn work(&self) {
        loop {
            let job = {
                let mut state = self.lock();
                loop {
                    if let Some(job) = state.jobs.pop_front() {
                        break job;
                    }
                    state.idle += 1;
                    let (guard, waited) = self
                        .work
                        .wait_timeout(state, IDLE)
                        .unwrap_or_else(PoisonError::into_inner);
                    state = guard;
                    state.idle -= 1;
                    if waited.timed_out() && state.jobs.is_empty() {
                        state.threads -= 1;
                        return;
                    }
                }
            };
            WAS_ABANDONED.set(false);
            job();
            if WAS_ABANDONED.get() {
                self.abandoned.fetch_sub(1, Ordering::Relaxed);
                return;
            }
        }
    }
}

thread_local! {
    /// Whether the job that just ended on this thread was abandoned meanwhile.
    static WAS_ABANDONED: std::cell::Cell<bool> = const { std::cell::Cell::new(false) };
}

/// Whether blocking bodies go through the runtime's own blocking threads. On a runtime with one
/// thread they do in tests: only those hold a paused clock still while they run.
fn uses_runtime(runtime: &Handle) -> bool {
    cfg!(feature = "testing") && runtime.runtime_flavor() == RuntimeFlavor::CurrentThread
}

/// Runs a job on the engine's pool.
pub(crate) fn run(engine: &EngineInner, runtime: Option<&Handle>, job: Job) {
    match runtime {
        Some(runtime) if uses_runtime(runtime) => drop(runtime.spawn_blocking(job)),
        Some(runtime) => {
            let runtime = runtime.clone();
            engine.pool.submit(Box::new(move || {
                // As on the runtime's own blocking threads: `Handle::current()` works.
                let _entered = runtime.enter();
                job();
            }));
        }
        None => engine.pool.submit(job),
    }
}

/// A job of [`run`] is no longer waited for: its thread is replaced and counted.
pub(crate) fn leave_behind(engine: &EngineInner, runtime: Option<&Handle>) {
    tracing::warn!(target: "orch", "a blocking task was left behind on its thread");
    if !runtime.is_some_and(uses_runtime) {
        engine.pool.abandon();
    }
}

/// Says on the thread of such a job that it is done.
pub(crate) fn note_left_behind() {
    WAS_ABANDONED.set(true);
}

/// The pool dropped the job without running it.
#[derive(Debug)]
pub(crate) struct Gone;

const WAITING: u8 = 0;
const RUNNING: u8 = 1;
const DONE: u8 = 2;
const ABANDONED: u8 = 3;

/// Runs a job on the engine's pool and waits for its result. When the wait is dropped, a job that
/// has not started never will, and one that runs is abandoned.
pub(crate) fn call<R: Send + 'static>(
    engine: &EngineInner,
    runtime: Option<&Handle>,
    job: impl FnOnce() -> R + Send + 'static,
) -> Call<R> {
    let (sender, receiver) = oneshot::channel();
    let phase = Arc::new(AtomicU8::new(WAITING));
    let theirs = Arc::clone(&phase);
    let job = Box::new(move || {
        let start = theirs.compare_exchange(WAITING, RUNNING, Ordering::AcqRel, Ordering::Acquire);
        if start.is_err() {
            return;
        }
        let result = job();
        if theirs.swap(DONE, Ordering::AcqRel) == ABANDONED {
            WAS_ABANDONED.set(true);
        }
        // Nobody may wait for it any more.
        drop(sender.send(result));
    });
    let pool = match runtime {
        Some(runtime) if uses_runtime(runtime) => None,
        _ => Some(engine.pool.clone()),
    };
    run(engine, runtime, job);
    Call {
        receiver,
        phase,
        pool,
    }
}

/// The wait for a job.
pub(crate) struct Call<R> {
    receiver: oneshot::Receiver<R>,
    phase: Arc<AtomicU8>,
    pool: Option<Pool>,
}

impl<R> Future for Call<R> {
    type Output = Result<R, Gone>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.receiver).poll(cx).map_err(|_| Gone)
    }
}

impl<R> Drop for Call<R> {
    fn drop(&mut self) {
        let waiting =
            self.phase
                .compare_exchange(WAITING, ABANDONED, Ordering::AcqRel, Ordering::Acquire);
        if waiting == Err(RUNNING)
            && self
                .phase
                .compare_exchange(RUNNING, ABANDONED, Ordering::AcqRel, Ordering::Acquire)
                .is_ok()
        {
            tracing::warn!(target: "orch", "a blocking task was left behind on its thread");
            if let Some(pool) = &self.pool {
                pool.abandon();
            }
        }
    }
}

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
use crate::ready::{SharedQueue, Turn};

type Job = Box<dyn FnOnce() + Send>;

/// What a job is to the task run that it belongs to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// It begins, or is about to, when it is its turn.
    Beginning(Turn),
    /// It has what it needs to go on, or to be kept: such jobs come before those that begin. Behind a
    /// thousand bodies that wait, a finished result would wait to be stored, and be lost with the
    /// process.
    UnderWay,
}

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
    under_way: VecDeque<Job>,
    beginning: SharedQueue<Job>,
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

    fn submit(&self, job: Job, stage: Stage) {
        let mut state = self.0.lock();
        match stage {
            Stage::Beginning(turn) => state.beginning.push(job, turn),
            Stage::UnderWay => state.under_way.push_back(job),
        }
        self.start_thread_if_needed(&mut state);
    }

    fn start_thread_if_needed(&self, state: &mut State) {
        if state.idle >= state.n_jobs() {
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
                    state.under_way.clear();
                    state.beginning.clear();
                }
            }
        }
    }

    /// A running job's result is no longer wanted: another thread may take its place.
    fn abandon(&self) {
        self.0.abandoned.fetch_add(1, Ordering::Relaxed);
        let mut state = self.0.lock();
        state.threads -= 1;
        if state.n_jobs() > 0 {
            self.start_thread_if_needed(&mut state);
        }
    }
}

impl State {
    fn n_jobs(&self) -> usize {
        self.under_way.len() + self.beginning.len()
    }

    fn next(&mut self) -> Option<Job> {
        self.under_way.pop_front().or_else(|| self.beginning.pop())
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
                    if let Some(job) = state.next() {
                        break job;
                    }
                    state.idle += 1;
                    let (guard, waited) = self
                        .work
                        .wait_timeout(state, IDLE)
                        .unwrap_or_else(PoisonError::into_inner);
                    state = guard;
                    state.idle -= 1;
                    if waited.timed_out() && state.n_jobs() == 0 {
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
pub(crate) fn run(engine: &EngineInner, runtime: Option<&Handle>, job: Job, turn: Turn) {
    submit(engine, runtime, job, Stage::Beginning(turn));
}

fn submit(engine: &EngineInner, runtime: Option<&Handle>, job: Job, stage: Stage) {
    let span = tracing::Span::current();
    let job: Job = match span.is_disabled() {
        true => job,
        // What the job logs belongs to the task run, also to whoever listens for themselves.
        false => Box::new(move || span.in_scope(job)),
    };
    match runtime {
        Some(runtime) if uses_runtime(runtime) => drop(runtime.spawn_blocking(job)),
        Some(runtime) => {
            let runtime = runtime.clone();
            let job = Box::new(move || {
                // As on the runtime's own blocking threads: `Handle::current()` works.
                let _entered = runtime.enter();
                job();
            });
            engine.pool.submit(job, stage);
        }
        None => engine.pool.submit(job, stage),
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

/// Runs a job on the engine's pool when it is its turn, and waits for its result.
/// When the wait is dropped, a job that has not started never will, and one that runs is abandoned.
pub(crate) fn call<R: Send + 'static>(
    engine: &EngineInner,
    runtime: Option<&Handle>,
    job: impl FnOnce() -> R + Send + 'static,
    turn: Turn,
) -> Call<R> {
    call_at(Stage::Beginning(turn), engine, runtime, job)
}

/// The same for a job of a task run that is under way: it comes before what only begins.
pub(crate) fn call_under_way<R: Send + 'static>(
    engine: &EngineInner,
    runtime: Option<&Handle>,
    job: impl FnOnce() -> R + Send + 'static,
) -> Call<R> {
    call_at(Stage::UnderWay, engine, runtime, job)
}

fn call_at<R: Send + 'static>(
    stage: Stage,
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
    submit(engine, runtime, job, stage);
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

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;
    use crate::id::FlowRunId;
    use crate::ready::Rank;

    fn turn(flow: FlowRunId, priority: i32, depth: u32) -> Turn {
        let rank = Rank { priority, depth };
        Turn { flow, rank }
    }

    /// The names of jobs in the order in which the one thread of a pool takes them.
    fn order_of(jobs: &[(&'static str, Stage)]) -> Vec<&'static str> {
        let pool = Pool::new(1);
        let (go, gate) = mpsc::channel::<()>();
        let (told, order) = mpsc::channel();
        let first = Stage::Beginning(turn(FlowRunId::new(), 0, 0));
        pool.submit(Box::new(move || gate.recv().unwrap()), first);
        for (name, stage) in jobs {
            let (name, told) = (*name, told.clone());
            pool.submit(Box::new(move || told.send(name).unwrap()), *stage);
        }
        go.send(()).unwrap();
        order.iter().take(jobs.len()).collect()
    }

    #[test]
    fn what_is_under_way_comes_before_what_begins_and_priorities_order_that() {
        let flow = FlowRunId::new();
        let beginning = |priority| Stage::Beginning(turn(flow, priority, 0));
        let order = order_of(&[
            ("first body", beginning(0)),
            ("second body", beginning(0)),
            ("unimportant body", beginning(-1)),
            ("urgent body", beginning(1)),
            ("first result", Stage::UnderWay),
            ("second result", Stage::UnderWay),
        ]);
        let expected = [
            "first result",
            "second result",
            "urgent body",
            "first body",
            "second body",
            "unimportant body",
        ];
        assert_eq!(order, expected);
    }

    #[test]
    fn of_one_priority_what_is_further_down_the_graph_begins_first() {
        let flow = FlowRunId::new();
        let beginning = |priority, depth| Stage::Beginning(turn(flow, priority, depth));
        let order = order_of(&[
            ("load", beginning(0, 0)),
            ("load another", beginning(0, 0)),
            ("train", beginning(0, 1)),
            ("unimportant, at the end", beginning(-1, 9)),
            ("evaluate", beginning(0, 2)),
            ("urgent, at the start", beginning(1, 0)),
        ]);
        let expected = [
            "urgent, at the start",
            "evaluate",
            "train",
            "load",
            "load another",
            "unimportant, at the end",
        ];
        assert_eq!(order, expected);
    }

    #[test]
    fn flow_runs_take_turns_however_deep_their_graphs() {
        let (deep, new) = (FlowRunId::new(), FlowRunId::new());
        let order = order_of(&[
            ("deep 1", Stage::Beginning(turn(deep, 0, 5))),
            ("new 1", Stage::Beginning(turn(new, 0, 0))),
            ("deep 2", Stage::Beginning(turn(deep, 0, 7))),
            ("new 2", Stage::Beginning(turn(new, 0, 1))),
            ("deep 3", Stage::Beginning(turn(deep, 0, 6))),
        ]);
        assert_eq!(order, ["deep 2", "new 2", "deep 3", "new 1", "deep 1"]);
    }
}

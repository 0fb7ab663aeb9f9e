//! A display of what an engine's flow runs are doing, for people who watch.

mod board;
mod line;
mod screen;

use std::fmt;
use std::io;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, JoinHandle, Thread};
use std::time::{Duration, Instant};

use self::board::Board;
use self::screen::Screen;
use crate::engine::{Engine, EngineInner};
use crate::event::{Events, Received};

/// Events that are taken before any of them is shown. Taking one is much cheaper than showing it,
/// so the engine's buffer is emptied in large steps.
const BATCH: usize = 2_048;

/// The pause after some events were taken. Without it each event would wake the display's thread,
/// which costs whoever emits it; the engine's buffer holds many times what is emitted meanwhile.
const REST: Duration = Duration::from_millis(5);

/// The time between two redraws while task runs are under way: times that pass look steady.
const TICK: Duration = Duration::from_millis(100);

/// How long an engine that emits without end may keep [`Progress::finish`] waiting.
const FINISH_LIMIT: Duration = Duration::from_secs(5);

/// Shows what the flow runs of an engine do, on standard error.
///
/// On a terminal, a few lines at its end are kept up to date: one with the counts of each flow
/// run, one for each task run that runs, waits for a limit or is to be retried, up to 20 in all.
/// What has ended is printed above them. Elsewhere, and with `TERM=dumb`, there is one plain line
/// per start, retry and end, of fields that are two spaces apart:
///
/// ```text
/// ● running  flow train-4f8kq2
/// ● running  load
/// ✓ completed  load  1.24 ms
/// ↻ awaiting retry  fit  attempt 1: no convergence  next in 2.00 s
/// ✗ failed  fit  4.31 s  2 attempts  no convergence
/// ⊘ skipped  evaluate  because `fit` did not complete
/// ✗ failed  flow train-4f8kq2  4.33 s  1 completed, 1 failed, 1 skipped  `fit`: no convergence
/// ```
///
/// A task run of a subflow has the subflow's name before its own (`prepare/load`), and while
/// several flow runs are under way, names begin with that of the flow run. Items of a map are
/// counted; only the first that fail have lines. States are marks and words, and on a terminal
/// colours too, unless `NO_COLOR` is set.
///
/// The engine does not wait for the display. When it falls too far behind, it says how many events
/// it has missed (`! 12 events missed`); a task run whose end was among them is shown until its
/// flow run ends.
///
/// ```
/// use orch_core::Progress;
/// use orch_core::prelude::*;
///
/// #[task]
/// async fn double(x: u64) -> u64 {
///     x * 2
/// }
///
/// #[flow]
/// async fn quadruple(x: u64) -> anyhow::Result<u64> {
///     Ok(*double(double(x)).await?)
/// }
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let engine = Engine::new();
/// let progress = Progress::show(&engine);
/// assert_eq!(quadruple(3).on(&engine).await.unwrap(), 12);
/// progress.finish();
/// # });
/// ```
///
/// Dropping it is the same as [`finish`](Self::finish). It has a thread of its own and needs no
/// runtime; the thread ends with it, or with the engine, which it does not keep alive.
#[must_use = "the display ends when this is dropped"]
pub struct Progress {
    screen: Arc<Screen>,
    is_finishing: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Progress {
    /// Shows the flow runs of `engine` from now on: live on a terminal, else as plain lines.
    pub fn show(engine: &Engine) -> Self {
        Self::builder(engine).show()
    }

    /// Starts to set up a display.
    pub fn builder(engine: &Engine) -> ProgressBuilder<'_> {
        ProgressBuilder {
            engine,
            is_plain: false,
            writer: None,
        }
    }

    /// Prints a text on its own line above the display, where the display goes to.
    pub fn println(&self, text: impl AsRef<str>) {
        self.screen.println(text.as_ref());
    }

    /// Takes the display away while `print` runs, so that what it prints is not mixed up with it.
    ///
    /// The display stands still meanwhile. Calling [`println`](Self::println) or `suspend` within
    /// `print` would wait for itself.
    pub fn suspend<R>(&self, print: impl FnOnce() -> R) -> R {
        self.screen.suspend(print)
    }

    /// Waits until everything that the engine had told is shown, then ends the display and leaves
    /// the terminal clean.
    ///
    /// It blocks the thread, for as long as the printing takes.
    pub fn finish(self) {
        drop(self);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(thread) = self.thread.take() {
            self.is_finishing.store(true, Ordering::Release);
            thread.thread().unpark();
            // A writer that panicked has said so. There is nothing else to clean up.
            let _ = thread.join();
        }
    }
}

impl fmt::Debug for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Progress")
            .field("screen", &self.screen)
            .finish_non_exhaustive()
    }
}

/// Sets up a [`Progress`].
#[must_use = "a builder shows nothing until `show` is called"]
pub struct ProgressBuilder<'a> {
    engine: &'a Engine,
    is_plain: bool,
    writer: Option<Box<dyn io::Write + Send>>,
}

impl ProgressBuilder<'_> {
    /// Writes plain lines, also on a terminal.
    pub fn plain(mut self) -> Self {
        self.is_plain = true;
        self
    }

    /// Writes plain lines to `writer` in place of standard error. What it fails to write is lost.
    pub fn to(mut self, writer: impl io::Write + Send + 'static) -> Self {
        self.writer = Some(Box::new(writer));
        self
    }

    /// Subscribes to the engine's events and starts to show them.
    pub fn show(self) -> Progress {
        let screen = Arc::new(match self.writer {
            Some(writer) => Screen::plain(writer),
            None if self.is_plain => Screen::plain(Box::new(io::stderr())),
            None => Screen::of_stderr(),
        });
        let is_finishing = Arc::new(AtomicBool::new(false));
        let feed = Feed {
            events: self.engine.subscribe(),
            engine: Arc::downgrade(&self.engine.0),
            board: Board::new(!screen.is_live()),
            screen: Arc::clone(&screen),
            is_finishing: Arc::clone(&is_finishing),
        };
        let thread = thread::Builder::new().name("orch-progress".to_owned());
        let thread = thread.spawn(move || feed.run()).inspect_err(|error| {
            tracing::warn!(target: "orch", "progress is not shown, there is no thread for it: {error}");
        });
        Progress {
            screen,
            is_finishing,
            thread: thread.ok(),
        }
    }
}

impl fmt::Debug for ProgressBuilder<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProgressBuilder")
            .field("is_plain", &self.is_plain)
            .finish_non_exhaustive()
    }
}

/// What the display's thread does: from events to the screen.
struct Feed {
    events: Events,
    engine: Weak<EngineInner>,
    board: Board,
    screen: Arc<Screen>,
    is_finishing: Arc<AtomicBool>,
}

impl Feed {
    fn run(mut self) {
        let waker = Waker::from(Arc::new(Unpark(thread::current())));
        let mut batch = Vec::new();
        let mut finishing_since = None;
        let mut shown_at: Option<Instant> = None;
        let mut has_news = false;
        loop {
            // Asked before the events are taken: what was emitted earlier is among them.
            let is_finishing = self.is_finishing.load(Ordering::Acquire);
            while batch.len() < BATCH
                && let Some(received) = self.events.try_next()
            {
                batch.push(received);
            }
            let now = Instant::now();
            let (is_full, is_empty) = (batch.len() >= BATCH, batch.is_empty());
            has_news |= !is_empty;
            for received in batch.drain(..) {
                self.board.receive(received, now);
            }
            if is_finishing {
                let since = *finishing_since.get_or_insert(now);
                if !is_full || now - since > FINISH_LIMIT {
                    break;
                }
            }

            let age = shown_at.map_or(Duration::MAX, |at| now - at);
            let is_ticking = self.screen.is_live() && self.board.is_busy();
            if (has_news && age >= self.screen.frame()) || (is_ticking && age >= TICK) {
                self.show(now);
                shown_at = Some(now);
                has_news = false;
            }
            if is_full || is_finishing {
                continue;
            }
            if !is_empty || has_news {
                thread::park_timeout(REST);
                continue;
            }
            match wait(&mut self.events, &waker, is_ticking.then_some(TICK)) {
                Poll::Ready(Some(received)) => batch.push(received),
                // The engine is gone.
                Poll::Ready(None) => break,
                Poll::Pending => {}
            }
        }
        self.screen.close(&self.board.take_lines());
    }

    fn show(&mut self, now: Instant) {
        if self.board.has_missed_some()
            && let Some(engine) = self.engine.upgrade()
        {
            self.board.keep_only(&Engine(engine).flow_runs());
        }
        let lines = self.board.take_lines();
        if self.screen.is_live() {
            self.screen.draw(&lines, &self.board.view(now));
        } else {
            self.screen.print(&lines);
        }
    }
}

/// Waits for the next event, for at most `timeout` and until somebody unparks the thread.
fn wait(events: &mut Events, waker: &Waker, timeout: Option<Duration>) -> Poll<Option<Received>> {
    let mut context = Context::from_waker(waker);
    let mut next = pin!(events.next());
    let polled = next.as_mut().poll(&mut context);
    if polled.is_ready() {
        return polled;
    }
    match timeout {
        Some(timeout) => thread::park_timeout(timeout),
        None => thread::park(),
    }
    next.poll(&mut context)
}

/// Wakes a parked thread.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

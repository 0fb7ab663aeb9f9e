//! Why a task run did not complete.

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::panics;
use crate::policy::retry::{Retry, RetryBudget};
use crate::policy::timeout::Clock;
use crate::report::{ErrorReport, human};
use crate::state::StateChange;

use super::{BoxError, panic_message};

/// Why a task run did not complete. Cheap to clone.
///
/// The error that the task itself returned is the [`source`](Error::source), and
/// [`downcast_ref`](Self::downcast_ref) finds it by type. [`kind`](Self::kind) tells the other
/// endings apart.
#[derive(Clone)]
pub struct TaskError(Arc<Inner>);

struct Inner {
    task_run: String,
    flow_run: String,
    attempts: u32,
    max_attempts: u32,
    kind: TaskErrorKind,
}

/// The ways in which a task run can end without a result.
#[derive(Debug)]
#[non_exhaustive]
pub enum TaskErrorKind {
    /// The task returned an error and no attempts were left.
    Failed(BoxError),
    /// One of its clocks ran out and no attempts were left.
    TimedOut {
        /// The clock that ran out.
        clock: Clock,
        /// What it was set to.
        after: Duration,
    },
    /// The task panicked.
    Panicked {
        /// The panic's message.
        message: String,
        /// Where it came from, if [that is kept](crate::keep_panic_backtraces).
        backtrace: Option<Arc<str>>,
    },
    /// It was executing, or about to, when the runtime that executed it shut down.
    RuntimeShutDown,
    /// Somebody asked it to stop, or its flow run ended first.
    Cancelled {
        /// Who asked.
        reason: CancelReason,
    },
    /// It never started, because this upstream task run did not complete.
    Skipped {
        /// The error of the upstream task run.
        upstream: TaskError,
    },
    /// It waits, over other task runs, for itself.
    Deadlock {
        /// The names of the task runs that wait for each other, in order.
        cycle: Vec<String>,
    },
    /// There was no runtime to execute it on.
    NoRuntime,
    /// Too many items of a map failed.
    MapFailed {
        /// Items that failed.
        failed: u64,
        /// Items that ended.
        ended: u64,
        /// What was tolerated.
        tolerance: String,
        /// The first failed item's error.
        first: TaskError,
    },
    /// A value that the task needs is not in the engine.
    MissingResource {
        /// The type of the value.
        type_name: &'static str,
    },
    /// Its circuit breaker lets no attempt through, and no attempts were left.
    BreakerOpen {
        /// The breaker's name.
        breaker: String,
        /// How long until it lets one through; zero while another task run's attempt tries.
        left: Duration,
    },
    /// The circuit breaker that the task names is not in the engine.
    MissingBreaker {
        /// The breaker's name.
        breaker: String,
        /// Those that the engine has.
        known: Vec<String>,
    },
    /// The arguments do not fit together, or an option given at the call is wrong.
    Invalid {
        /// What is wrong.
        message: String,
    },
    /// Its process was gone while it ran, so often that it is taken to be the reason.
    LostProcess {
        /// How often.
        times: u32,
    },
    /// The store failed, and the engine was set up to fail with it.
    Store {
        /// What happened.
        message: String,
    },
    /// A stored result was lost after it had been used, and running the task again gave another
    /// one.
    CacheLost {
        /// The task run whose result it was.
        task_run: String,
    },
}

/// Why a task run was cancelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CancelReason {
    /// It was cancelled by its handle.
    TaskRun,
    /// Its flow run was cancelled.
    FlowRun,
    /// Another task run of its flow run failed.
    Failure,
    /// The flow run was timed out.
    FlowTimeout,
    /// The task run or group that it belongs to was cancelled or failed.
    Parent,
    /// The engine was shut down.
    Shutdown,
    /// As many runs of its flow as may be were under way.
    TooManyRunning,
    /// Another engine has taken the flow run over, because it took this one for gone.
    OwnershipLost,
}

impl fmt::Display for CancelReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            CancelReason::TaskRun => "it was asked to stop",
            CancelReason::FlowRun => "its flow run was cancelled",
            CancelReason::Failure => "another task run failed",
            CancelReason::FlowTimeout => "its flow run took too long",
            CancelReason::Parent => "what it belongs to was stopped",
            CancelReason::Shutdown => "the engine was shut down",
            CancelReason::TooManyRunning => "too many runs of its flow were under way",
            CancelReason::OwnershipLost => "another engine has taken its flow run over",
        })
    }
}

impl TaskError {
    pub(crate) fn new(
        task_run: String,
        flow_run: String,
        attempts: u32,
        max_attempts: u32,
        kind: TaskErrorKind,
    ) -> Self {
        Self(Arc::new(Inner {
            task_run,
            flow_run,
            attempts,
            max_attempts,
            kind,
        }))
    }

    /// Returns how the task run ended.
    pub fn kind(&self) -> &TaskErrorKind {
        &self.0.kind
    }

    /// Returns the name of the task run.
    pub fn task_run(&self) -> &str {
        &self.0.task_run
    }

    /// Returns the name of the flow run it belongs to.
    pub fn flow_run(&self) -> &str {
        &self.0.flow_run
    }

    /// Returns how many attempts were started.
    pub fn attempts(&self) -> u32 {
        self.0.attempts
    }

    /// Returns the error that started it all: for a skipped task run the one of the task run that
    /// failed upstream, otherwise this one.
    pub fn root(&self) -> &TaskError {
        let mut error = self;
        loop {
            error = match error.kind() {
                TaskErrorKind::Skipped { upstream } => upstream,
                TaskErrorKind::MapFailed { first, .. } => first,
                _ => return error,
            };
        }
    }

    /// Looks for an error of type `E`: what the task returned, or a cause of it, also when this
    /// task run was only skipped because of it.
    pub fn downcast_ref<E: Error + 'static>(&self) -> Option<&E> {
        let mut next = self.source();
        while let Some(error) = next {
            if let Some(found) = error.downcast_ref::<E>() {
                return Some(found);
            }
            next = error.source();
        }
        None
    }

    /// Whether the task run was cancelled.
    pub fn is_cancelled(&self) -> bool {
        matches!(self.kind(), TaskErrorKind::Cancelled { .. })
    }

    /// Whether the task run was skipped because of a task run upstream.
    pub fn is_skipped(&self) -> bool {
        matches!(self.kind(), TaskErrorKind::Skipped { .. })
    }

    /// Whether a clock ran out.
    pub fn is_timed_out(&self) -> bool {
        matches!(self.kind(), TaskErrorKind::TimedOut { .. })
    }

    /// Whether it never returned: a panic, or a runtime that shut down.
    pub fn is_crashed(&self) -> bool {
        matches!(
            self.kind(),
            TaskErrorKind::Panicked { .. }
                | TaskErrorKind::RuntimeShutDown
                | TaskErrorKind::LostProcess { .. }
        )
    }

    /// What the user can do about it, where there is something general to say; printed after the
    /// error as `help: ...`.
    pub fn help(&self) -> Option<&'static str> {
        Some(match self.kind() {
            TaskErrorKind::NoRuntime => {
                "call the flow inside a Tokio runtime, for instance under `#[tokio::main]`"
            }
            TaskErrorKind::Deadlock { .. } => {
                "do not await a task run from a task run that it depends on"
            }
            TaskErrorKind::MissingResource { .. } => {
                "give the value to the engine: `Engine::builder().resource(value)`"
            }
            TaskErrorKind::BreakerOpen { .. } => {
                "see to what the task calls; with `retries` a task run waits until its breaker \
                 lets an attempt through"
            }
            TaskErrorKind::MissingBreaker { .. } => {
                "define it: `Engine::builder().breaker(name, Breaker::new(failures, open_for))`"
            }
            TaskErrorKind::LostProcess { .. } => {
                "look at what it does to its process (memory, signals, unsafe code), then start \
                 the flow run again"
            }
            TaskErrorKind::Store { .. } => {
                "see to the store, or let flow runs go on without it: \
                 `Engine::builder().on_store_failure(OnStoreFailure::GoOn)`"
            }
            TaskErrorKind::CacheLost { .. } => "resume the flow run: what depends on it runs again",
            _ => return None,
        })
    }

    /// Returns the error as a report shows it.
    pub fn to_report(&self) -> ErrorReport {
        let backtrace = match self.kind() {
            TaskErrorKind::Panicked { backtrace, .. } => backtrace.as_deref(),
            _ => None,
        };
        ErrorReport {
            backtrace: backtrace.map(str::to_owned),
            ..ErrorReport::of(self)
        }
    }
}

impl fmt::Display for TaskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner {
            task_run,
            flow_run,
            attempts,
            max_attempts,
            kind,
        } = &*self.0;
        write!(f, "task run `{task_run}`")?;
        if !flow_run.is_empty() {
            write!(f, " of flow run `{flow_run}`")?;
        }
        let on_attempt = |f: &mut fmt::Formatter<'_>| match (*attempts, *max_attempts) {
            (_, 0 | 1) => Ok(()),
            (attempts, max) if attempts < max => {
                write!(f, " on attempt {attempts} and was not tried again")
            }
            (attempts, max) => write!(f, " on attempt {attempts} of {max}"),
        };
        match kind {
            TaskErrorKind::Failed(_) => {
                f.write_str(" failed")?;
                on_attempt(f)
            }
            TaskErrorKind::TimedOut { clock, after } => {
                f.write_str(" timed out")?;
                on_attempt(f)?;
                write!(f, ": its `{clock}` of {after:?} ran out")
            }
            TaskErrorKind::Panicked { message, .. } => {
                f.write_str(" crashed")?;
                on_attempt(f)?;
                write!(f, ": it panicked with `{message}`")
            }
            TaskErrorKind::RuntimeShutDown => {
                f.write_str(" crashed: its runtime was shut down before it ended")
            }
            TaskErrorKind::Cancelled { reason } => write!(f, " was cancelled: {reason}"),
            TaskErrorKind::Skipped { upstream } => {
                write!(
                    f,
                    " was skipped, because `{}` did not complete",
                    upstream.task_run()
                )
            }
            TaskErrorKind::Deadlock { cycle } => {
                f.write_str(" waits for itself: ")?;
                for name in cycle {
                    write!(f, "`{name}` waits for ")?;
                }
                write!(f, "`{}`", cycle.first().map_or("", String::as_str))
            }
            TaskErrorKind::NoRuntime => {
                f.write_str(" cannot start: there is no Tokio runtime here")
            }
            TaskErrorKind::MapFailed {
                failed,
                ended,
                tolerance,
                ..
            } => {
                write!(f, " failed: {failed} of {ended} items failed, {tolerance}")
            }
            TaskErrorKind::MissingResource { type_name } => {
                write!(
                    f,
                    " failed: the engine has no resource of type `{type_name}`"
                )
            }
            TaskErrorKind::BreakerOpen { breaker, left } => {
                write!(f, " failed: {}", breaker_stands(breaker, *left))
            }
            TaskErrorKind::MissingBreaker { breaker, known } => {
                write!(f, " cannot run: the engine has no breaker `{breaker}` (")?;
                match known.is_empty() {
                    true => f.write_str("it has none)"),
                    false => write!(f, "its breakers: `{}`)", known.join("`, `")),
                }
            }
            TaskErrorKind::Invalid { message } => write!(f, " cannot run: {message}"),
            TaskErrorKind::LostProcess { times } => {
                write!(
                    f,
                    " crashed: its process was gone {times} times while it ran"
                )
            }
            TaskErrorKind::Store { message } => write!(f, " failed: {message}"),
            TaskErrorKind::CacheLost { task_run } => write!(
                f,
                " failed: the stored result of `{task_run}` was lost after it had been used, and \
                 the task now gives another one"
            ),
        }
    }
}

impl fmt::Debug for TaskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskError")
            .field("task_run", &self.0.task_run)
            .field("flow_run", &self.0.flow_run)
            .field("attempts", &self.0.attempts)
            .field("kind", &self.0.kind)
            .finish()
    }
}

impl Error for TaskError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self.kind() {
            TaskErrorKind::Failed(error) => Some(&**error),
            TaskErrorKind::Skipped { upstream } => Some(upstream),
            TaskErrorKind::MapFailed { first, .. } => Some(first),
            _ => None,
        }
    }
}

/// Why a breaker let no attempt through.
pub(crate) fn breaker_stands(breaker: &str, left: Duration) -> String {
    match left {
        Duration::ZERO => format!("its breaker `{breaker}` lets one attempt at a time through"),
        left => format!(
            "its breaker `{breaker}` is open for another {}",
            human::duration(left)
        ),
    }
}

/// How an attempt ended without a result, before it is known whether another one follows.
#[derive(Debug)]
pub struct Failure {
    pub(crate) kind: TaskErrorKind,
    pub(crate) retry: Retry,
    /// Boxed: hardly any error has one, and every result of a body makes room for it.
    pub(crate) budget: Option<Box<RetryBudget>>,
}

impl Failure {
    pub(crate) fn new(kind: TaskErrorKind) -> Self {
        Self {
            kind,
            retry: Retry::Default,
            budget: None,
        }
    }

    pub(crate) fn last(kind: TaskErrorKind) -> Self {
        Self {
            kind,
            retry: Retry::Never,
            budget: None,
        }
    }

    /// A panic, as an attempt's end.
    pub(crate) fn panicked(payload: &(dyn std::any::Any + Send)) -> Self {
        Self::new(TaskErrorKind::Panicked {
            message: panic_message(payload),
            backtrace: panics::origin(),
        })
    }
}

impl TaskErrorKind {
    /// The change of state that this ending makes.
    pub(crate) fn change(&self) -> StateChange {
        match self {
            TaskErrorKind::TimedOut { .. } => StateChange::TimeOut,
            TaskErrorKind::Panicked { .. }
            | TaskErrorKind::RuntimeShutDown
            | TaskErrorKind::LostProcess { .. } => StateChange::Crash,
            TaskErrorKind::Cancelled { .. } => StateChange::Cancel,
            TaskErrorKind::Skipped { .. } => StateChange::Skip,
            _ => StateChange::Fail,
        }
    }
}

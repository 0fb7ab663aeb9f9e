//! Why a task run or a flow run did not complete.

mod recorded;

pub use self::recorded::RecordedError;

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::id::FlowRunId;
use crate::policy::retry::Retry;
use crate::policy::timeout::Clock;
use crate::report::ErrorReport;
use crate::secret::scrub;
use crate::state::StateChange;
use crate::store::OwnerId;

/// Any error a task or flow may return, erased.
pub type BoxError = Box<dyn Error + Send + Sync + 'static>;

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
        ErrorReport::of(self)
    }
}

impl ErrorReport {
    /// Describes how an attempt of a node failed.
    pub(crate) fn of_failure(header: &crate::node::Header, failure: &Failure) -> Self {
        match &failure.kind {
            TaskErrorKind::Failed(error) => Self::of(&**error),
            TaskErrorKind::Panicked { message } => Self {
                message: scrub(format!("it panicked with `{message}`")),
                causes: Vec::new(),
            },
            TaskErrorKind::TimedOut { clock, after } => Self {
                message: format!("its `{clock}` of {after:?} ran out"),
                causes: Vec::new(),
            },
            _ => Self {
                message: format!("`{}` was stopped", header.name()),
                causes: Vec::new(),
            },
        }
    }

    /// Describes an error and its causes.
    pub(crate) fn of(error: &dyn Error) -> Self {
        let mut causes: Vec<String> = Vec::new();
        let mut next = error.source();
        while let Some(cause) = next {
            let text = scrub(cause.to_string());
            // Transparent wrappers say the same twice.
            if causes.last() != Some(&text) {
                causes.push(text);
            }
            next = cause.source();
        }
        Self {
            message: scrub(error.to_string()),
            causes,
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
            TaskErrorKind::Panicked { message } => {
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

/// Why a flow run did not complete. Cheap to clone.
#[derive(Clone)]
pub struct FlowError(Arc<FlowInner>);

struct FlowInner {
    flow_run: String,
    kind: FlowErrorKind,
}

/// The ways in which a flow run can end without a result.
#[derive(Debug)]
#[non_exhaustive]
pub enum FlowErrorKind {
    /// The flow body returned this error.
    Failed(BoxError),
    /// Task runs failed and nothing in the program looked at their failure.
    Unobserved {
        /// Their errors, in the order in which they failed.
        failures: Vec<TaskError>,
    },
    /// The flow body panicked.
    Panicked {
        /// The panic's message.
        message: String,
    },
    /// The runtime shut down before the flow run ended.
    RuntimeShutDown,
    /// Somebody asked it to stop.
    Cancelled {
        /// Who asked.
        reason: CancelReason,
    },
    /// It took longer than its `timeout`.
    TimedOut {
        /// What it was set to.
        after: Duration,
    },
    /// An upstream task run that is an argument of it did not complete.
    Upstream(TaskError),
    /// There is no Tokio runtime here.
    NoRuntime,
    /// The engine takes no more flow runs, because it is draining or was shut down.
    Closed,
    /// The store failed, and the engine was set up to fail with it.
    Store {
        /// What happened.
        message: String,
    },
    /// A flow run with this key was started with other parameters.
    KeyReused {
        /// The key.
        key: String,
        /// The names of the parameters that differ.
        parameters: Vec<String>,
    },
    /// Another process runs the flow run with this key.
    AlreadyRunning {
        /// The flow run.
        run: FlowRunId,
        /// The engine that owns it.
        owner: OwnerId,
    },
    /// A flow run with a key or a folder needs something to be storable that is not.
    NotStorable {
        /// What: `parameter`, and its name and type.
        what: String,
    },
    /// It was given a key, and a file among its arguments cannot be read.
    FileUnreadable {
        /// The parameter.
        parameter: String,
        /// The file.
        path: std::path::PathBuf,
        /// Why not.
        problem: String,
    },
    /// It was given a key, and the engine has no store to look it up in.
    NoStore,
    /// The flow run with this key was cancelled; only resuming it by its id goes on with it.
    WasCancelled {
        /// The flow run.
        run: FlowRunId,
    },
    /// A recorded flow run cannot be called again.
    NotCallable {
        /// The flow's name.
        flow: String,
        /// Why not.
        problem: String,
    },
    /// There is no record of a flow run with this id.
    Unknown {
        /// The id.
        run: FlowRunId,
    },
    /// Its process was gone while what it had done was undone, and the rest is undone now. It ends as
    /// it would have then.
    Undone {
        /// Why it had failed.
        error: RecordedError,
    },
    /// As many runs of this flow as may be are under way.
    TooManyRunning {
        /// How many may be.
        max_running: u32,
    },
}

impl FlowError {
    pub(crate) fn new(flow_run: String, kind: FlowErrorKind) -> Self {
        Self(Arc::new(FlowInner { flow_run, kind }))
    }

    /// Returns how the flow run ended.
    pub fn kind(&self) -> &FlowErrorKind {
        &self.0.kind
    }

    /// Returns the name of the flow run.
    pub fn flow_run(&self) -> &str {
        &self.0.flow_run
    }

    /// Looks for an error of type `E`: what the flow body returned, what a task of it returned, or
    /// a cause of either.
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

    /// What the user can do about it, where there is something general to say; printed after the
    /// error as `help: ...`.
    pub fn help(&self) -> Option<&'static str> {
        Some(match self.kind() {
            FlowErrorKind::NoRuntime => {
                "call the flow inside a Tokio runtime, for instance under `#[tokio::main]`"
            }
            FlowErrorKind::Unobserved { .. } => {
                "await the task run and handle its error, or mark it `allow_failure`"
            }
            FlowErrorKind::KeyReused { .. } => {
                "use another key for other parameters, or fork the flow run"
            }
            FlowErrorKind::AlreadyRunning { .. } => {
                "await the call with `.wait()`, or stop the process that runs it"
            }
            FlowErrorKind::NoStore => "open an engine on a folder: `Engine::open(\".orch\")`",
            FlowErrorKind::WasCancelled { .. } => "resume it by its id: `engine.resume(id)`",
            FlowErrorKind::FileUnreadable { .. } => {
                "a flow run with a key is known by what its files hold: they have to be there"
            }
            FlowErrorKind::NotStorable { .. } => {
                "derive `serde::Serialize` and `serde::Deserialize` for its type"
            }
            FlowErrorKind::Closed => "start flows before `drain` or `shutdown`, or on a new engine",
            _ => return None,
        })
    }

    /// Whether a shutdown of the engine ended the flow run before it came to anything of its own.
    pub(crate) fn is_interruption(&self) -> bool {
        let reason = CancelReason::Shutdown;
        matches!(self.kind(), FlowErrorKind::Cancelled { reason: found } if *found == reason)
    }

    /// The change of the flow run's state that this error makes.
    pub(crate) fn change(&self) -> StateChange {
        match self.kind() {
            FlowErrorKind::Panicked { .. } | FlowErrorKind::RuntimeShutDown => StateChange::Crash,
            FlowErrorKind::Cancelled { .. } => StateChange::Cancel,
            FlowErrorKind::TimedOut { .. } => StateChange::TimeOut,
            FlowErrorKind::TooManyRunning { .. } => StateChange::Skip,
            FlowErrorKind::Undone { error } => error.change(),
            _ => StateChange::Fail,
        }
    }
}

impl fmt::Display for FlowError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "flow run `{}`", self.0.flow_run)?;
        match self.kind() {
            FlowErrorKind::Failed(_) => f.write_str(" failed"),
            FlowErrorKind::Unobserved { failures } => {
                f.write_str(" failed, because nothing looked at the failure of ")?;
                for (n, failure) in failures.iter().take(5).enumerate() {
                    let comma = if n == 0 { "" } else { ", " };
                    write!(f, "{comma}`{}`", failure.task_run())?;
                }
                if failures.len() > 5 {
                    write!(f, " and {} more", failures.len() - 5)?;
                }
                Ok(())
            }
            FlowErrorKind::Panicked { message } => {
                write!(f, " crashed: its body panicked with `{message}`")
            }
            FlowErrorKind::RuntimeShutDown => {
                f.write_str(" crashed: its runtime was shut down before it ended")
            }
            FlowErrorKind::Cancelled { reason } => write!(f, " was cancelled: {reason}"),
            FlowErrorKind::TimedOut { after } => {
                write!(f, " timed out: its `timeout` of {after:?} ran out")
            }
            FlowErrorKind::Upstream(error) => {
                write!(
                    f,
                    " did not start, because `{}` did not complete",
                    error.task_run()
                )
            }
            FlowErrorKind::NoRuntime => {
                f.write_str(" cannot start: there is no Tokio runtime here")
            }
            FlowErrorKind::Closed => {
                f.write_str(" cannot start: the engine takes no more flow runs")
            }
            FlowErrorKind::Store { message } => write!(f, " failed: {message}"),
            FlowErrorKind::KeyReused { key, parameters } => {
                write!(
                    f,
                    " cannot start: the key `{key}` was used with another value of "
                )?;
                for (n, parameter) in parameters.iter().enumerate() {
                    let comma = if n == 0 { "" } else { ", " };
                    write!(f, "{comma}`{parameter}`")?;
                }
                Ok(())
            }
            FlowErrorKind::AlreadyRunning { run, owner } => {
                write!(
                    f,
                    " cannot start: engine {owner} runs it at the moment, as {run}"
                )
            }
            FlowErrorKind::NotStorable { what } => {
                write!(f, " cannot start: {what} cannot be stored")
            }
            FlowErrorKind::FileUnreadable {
                parameter,
                path,
                problem,
            } => write!(
                f,
                " cannot start: the file `{}` of parameter `{parameter}` cannot be read: {problem}",
                path.display()
            ),
            FlowErrorKind::NoStore => {
                f.write_str(" cannot start: it has a key, and its engine has no store")
            }
            FlowErrorKind::WasCancelled { run } => {
                write!(
                    f,
                    " does not start: the run with its key, {run}, was cancelled"
                )
            }
            FlowErrorKind::NotCallable { flow, problem } => {
                write!(f, " of `{flow}` cannot be called again: {problem}")
            }
            FlowErrorKind::Unknown { run } => {
                write!(f, " cannot be resumed: there is no record of {run}")
            }
            FlowErrorKind::Undone { error } => {
                write!(
                    f,
                    " had failed before its process was gone: {}",
                    error.message
                )
            }
            FlowErrorKind::TooManyRunning { max_running } => {
                write!(
                    f,
                    " did not start: {max_running} runs of this flow are under way already"
                )
            }
        }
    }
}

impl fmt::Debug for FlowError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FlowError")
            .field("flow_run", &self.0.flow_run)
            .field("kind", &self.0.kind)
            .finish()
    }
}

impl Error for FlowError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self.kind() {
            FlowErrorKind::Failed(error) => Some(&**error),
            FlowErrorKind::Unobserved { failures } => failures
                .first()
                .map(|failure| failure as &(dyn Error + 'static)),
            FlowErrorKind::Upstream(error) => Some(error),
            _ => None,
        }
    }
}

/// How an attempt ended without a result, before it is known whether another one follows.
#[derive(Debug)]
pub struct Failure {
    pub(crate) kind: TaskErrorKind,
    pub(crate) retry: Retry,
}

impl Failure {
    pub(crate) fn new(kind: TaskErrorKind) -> Self {
        Self {
            kind,
            retry: Retry::Default,
        }
    }

    pub(crate) fn last(kind: TaskErrorKind) -> Self {
        Self {
            kind,
            retry: Retry::Never,
        }
    }

    /// A panic, as an attempt's end.
    pub(crate) fn panicked(payload: &(dyn std::any::Any + Send)) -> Self {
        Self::new(TaskErrorKind::Panicked {
            message: panic_message(payload),
        })
    }
}

/// The text of a panic.
pub(crate) fn panic_message(payload: &(dyn std::any::Any + Send)) -> String {
    if let Some(text) = payload.downcast_ref::<&'static str>() {
        (*text).to_owned()
    } else if let Some(text) = payload.downcast_ref::<String>() {
        text.clone()
    } else {
        "a value that is no text".to_owned()
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

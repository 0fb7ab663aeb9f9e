//! Why a flow run did not complete.

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::id::FlowRunId;
use crate::report::ErrorReport;
use crate::state::StateChange;
use crate::store::OwnerId;

use super::task::{CancelReason, TaskError};
use super::{BoxError, RecordedError};

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
        /// Where it came from, if [that is kept](crate::keep_panic_backtraces).
        backtrace: Option<Arc<str>>,
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
    /// It would wait for its place for ever: those who have one wait for flow runs that they called
    /// themselves, and those wait for a place as well.
    Deadlock {
        /// How many runs of the flow may be under way.
        max_running: u32,
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
            FlowErrorKind::Deadlock { .. } => {
                "raise `max_running`, or do not call the flow from its own runs"
            }
            FlowErrorKind::Closed => "start flows before `drain` or `shutdown`, or on a new engine",
            _ => return None,
        })
    }

    /// Returns the error as a report shows it.
    pub fn to_report(&self) -> ErrorReport {
        let backtrace = match self.kind() {
            FlowErrorKind::Panicked { backtrace, .. } => backtrace.as_deref(),
            _ => None,
        };
        ErrorReport {
            backtrace: backtrace.map(str::to_owned),
            ..ErrorReport::of(self)
        }
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
            FlowErrorKind::Panicked { message, .. } => {
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
            FlowErrorKind::Deadlock { max_running } => {
                let places = if *max_running == 1 {
                    "the 1 place"
                } else {
                    "the places"
                };
                write!(
                    f,
                    " cannot start: {places} of its flow will not become free, because who has one \
                     waits for runs of the same flow"
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

//! Why a task run or a flow run did not complete.

mod flow;
mod recorded;
mod task;

pub use self::flow::{FlowError, FlowErrorKind};
pub use self::recorded::RecordedError;
pub(crate) use self::task::breaker_stands;
pub use self::task::{CancelReason, Failure, TaskError, TaskErrorKind};

use std::error::Error;

use crate::report::ErrorReport;
use crate::secret::scrub;

/// Any error a task or flow may return, erased.
pub type BoxError = Box<dyn Error + Send + Sync + 'static>;

impl ErrorReport {
    /// Describes how an attempt of a node failed.
    pub(crate) fn of_failure(header: &crate::node::Header, failure: &Failure) -> Self {
        match &failure.kind {
            TaskErrorKind::Failed(error) => Self::of(&**error),
            TaskErrorKind::Panicked { message, backtrace } => Self {
                backtrace: backtrace.as_deref().map(str::to_owned),
                ..Self::words(scrub(format!("it panicked with `{message}`")))
            },
            TaskErrorKind::TimedOut { clock, after } => {
                Self::words(format!("its `{clock}` of {after:?} ran out"))
            }
            TaskErrorKind::BreakerOpen { breaker, left } => {
                Self::words(breaker_stands(breaker, *left))
            }
            _ => Self::words(format!("`{}` was stopped", header.name())),
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
            causes,
            ..Self::words(scrub(error.to_string()))
        }
    }

    fn words(message: String) -> Self {
        Self {
            message,
            causes: Vec::new(),
            backtrace: None,
        }
    }

    /// The error and its causes in one line.
    pub(crate) fn text(&self) -> String {
        in_a_line(&self.message, &self.causes)
    }
}

/// An error and its causes in one line.
fn in_a_line(message: &str, causes: &[String]) -> String {
    let causes = causes.iter().map(String::as_str);
    let all: Vec<&str> = std::iter::once(message).chain(causes).collect();
    all.join(": ")
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

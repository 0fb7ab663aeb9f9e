//! An error as a store keeps it: it reads back as what it was, without its type.

use serde::{Deserialize, Serialize};

use super::{Failure, FlowError, FlowErrorKind, TaskError, TaskErrorKind, in_a_line};
use crate::policy::retry::Retry;
use crate::report::ErrorReport;
use crate::state::StateChange;

/// An error of a flow run or a task run, as it is kept and shown.
///
/// It keeps the words, the chain of causes and what is known of how the run ended; the error's own
/// type is not kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordedError {
    /// How the run ended: `failed`, `panicked`, `timed_out`, `cancelled`, `skipped`, ...
    pub kind: String,
    /// What happened.
    pub message: String,
    /// The causes, the nearest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub causes: Vec<String>,
    /// Whether the error's type allowed another attempt: `never`, `default`, or `after <duration>`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry: Option<String>,
    /// Where a panic came from, if [that is kept](crate::keep_panic_backtraces).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backtrace: Option<String>,
}

impl RecordedError {
    /// One of these words.
    #[cfg(test)]
    pub(crate) fn for_tests(kind: &str, message: &str, causes: &[&str]) -> Self {
        Self {
            kind: kind.to_owned(),
            message: message.to_owned(),
            causes: causes.iter().map(|cause| (*cause).to_owned()).collect(),
            retry: Some("never".to_owned()),
            backtrace: None,
        }
    }

    /// Describes how a task run ended.
    pub(crate) fn of_task(error: &TaskError) -> Self {
        Self::new(kind_of(error.kind()), error.to_report())
    }

    /// The change of a flow run's state that this ending makes.
    pub(super) fn change(&self) -> StateChange {
        match &*self.kind {
            "panicked" | "runtime_shut_down" => StateChange::Crash,
            "cancelled" => StateChange::Cancel,
            "timed_out" => StateChange::TimeOut,
            _ => StateChange::Fail,
        }
    }

    /// Describes how a flow run ended.
    pub(crate) fn of_flow(error: &FlowError) -> Self {
        let kind = match error.kind() {
            FlowErrorKind::Undone { error } => return error.clone(),
            FlowErrorKind::Failed(_) => "failed",
            FlowErrorKind::Unobserved { .. } => "unobserved_failure",
            FlowErrorKind::Panicked { .. } => "panicked",
            FlowErrorKind::RuntimeShutDown => "runtime_shut_down",
            FlowErrorKind::Cancelled { .. } => "cancelled",
            FlowErrorKind::TimedOut { .. } => "timed_out",
            FlowErrorKind::Upstream(_) => "upstream",
            _ => "refused",
        };
        Self::new(kind, error.to_report())
    }

    /// Describes how an attempt failed that another one follows.
    pub(crate) fn of_failure(report: &ErrorReport, failure: &Failure) -> Self {
        let retry = match failure.retry {
            Retry::Never => "never".to_owned(),
            Retry::Default => "default".to_owned(),
            Retry::After(delay) => format!("after {delay:?}"),
        };
        Self {
            retry: Some(retry),
            ..Self::new(kind_of(&failure.kind), report.clone())
        }
    }

    /// The error and its causes in one line.
    pub(crate) fn text(&self) -> String {
        in_a_line(&self.message, &self.causes)
    }

    fn new(kind: &str, report: ErrorReport) -> Self {
        Self {
            kind: kind.to_owned(),
            message: report.message,
            causes: report.causes,
            retry: None,
            backtrace: report.backtrace,
        }
    }
}

fn kind_of(kind: &TaskErrorKind) -> &'static str {
    match kind {
        TaskErrorKind::Failed(_) => "failed",
        TaskErrorKind::TimedOut { .. } => "timed_out",
        TaskErrorKind::Panicked { .. } => "panicked",
        TaskErrorKind::RuntimeShutDown => "runtime_shut_down",
        TaskErrorKind::Cancelled { .. } => "cancelled",
        TaskErrorKind::Skipped { .. } => "skipped",
        TaskErrorKind::Deadlock { .. } => "deadlock",
        TaskErrorKind::NoRuntime => "no_runtime",
        TaskErrorKind::MapFailed { .. } => "map_failed",
        TaskErrorKind::MissingResource { .. } => "missing_resource",
        TaskErrorKind::BreakerOpen { .. } => "breaker_open",
        TaskErrorKind::MissingBreaker { .. } => "missing_breaker",
        TaskErrorKind::Invalid { .. } => "invalid",
        TaskErrorKind::LostProcess { .. } => "lost_process",
        TaskErrorKind::Store { .. } => "store",
        TaskErrorKind::CacheLost { .. } => "cache_lost",
    }
}

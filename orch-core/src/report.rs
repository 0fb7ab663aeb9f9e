//! The report of a flow run: its graph, its timeline and its critical path.
//!
//! A report is plain data. Everything here and below works on it alone, so a report that was read
//! back from JSON renders like the one it was written from.
//!
//! | Module | Gives |
//! |---|---|
//! | `critical_path` | what decided when the flow run ended, slack, predictions |
//! | `graph`, `timing` | the recorded graph as arrays, and the one that can be timed again |
//! | `view` | the part of the graph that is drawn: groups folded, large graphs aggregated |
//! | `layout`, `graph_svg`, `dot`, `mermaid` | pictures of the graph |
//! | `timeline_svg` | a picture of the time |
//! | `table` | text for a terminal |
//! | `logged` | params, metrics, tags and artifacts |
//! | `html` | a page for people |
//! | `json`, `write` | files |
//! | `human`, `counts`, `escape` | words and numbers, task runs by state, user text made safe |
//! | `svg`, `theme` | what pictures have in common: legend and heading, colours of states |

mod counts;
mod critical_path;
mod dot;
mod error;
mod escape;
mod graph;
mod graph_svg;
mod html;
pub(crate) mod human;
mod json;
mod layout;
pub(crate) mod logged;
mod mermaid;
mod svg;
pub(crate) mod table;
mod theme;
mod timeline_svg;
mod timing;
mod view;
mod write;

#[cfg(test)]
pub(crate) mod testing;

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::state::State;
use crate::store::{FlowRunRow, ResultOrigin};

pub use self::critical_path::{CriticalPath, CriticalStep};
pub use self::error::ReportError;
pub use self::html::Section;
pub use self::logged::{ArtifactReport, LoggedReport, MetricPoint, MetricReport};

/// All that is known of one flow run, at the moment the report was made.
///
/// Times are offsets from the start of the flow run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RunReport {
    /// The id of the flow run.
    pub flow_run: String,
    /// The name of the flow.
    pub flow: String,
    /// The name of this flow run.
    pub name: String,
    /// The tags of the flow and of this run.
    #[serde(default)]
    pub tags: Vec<String>,
    /// Where the flow run stands.
    pub state: State,
    /// Why it did not complete.
    pub error: Option<ErrorReport>,
    /// When it started, in milliseconds since the Unix epoch.
    pub started_at_unix_ms: u64,
    /// How long it took, or has taken so far.
    #[serde(with = "seconds")]
    pub duration: Duration,
    /// The seed of the run's randomness (retry jitter, `TaskContext::rng`).
    pub seed: u64,
    /// The arguments of the flow call, where the flow run is recorded and they can be shown.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parameters: Vec<ParameterReport>,
    /// What it ran with, where it is recorded: versions, features, threads.
    #[serde(default, skip_serializing_if = "serde_json::Map::is_empty")]
    pub manifest: serde_json::Map<String, serde_json::Value>,
    /// Each recorded task run, in the order of submission.
    pub task_runs: Vec<TaskRunReport>,
    /// Each recorded edge.
    pub edges: Vec<EdgeReport>,
    /// Task runs beyond the recording limit, which are only counted, by task.
    pub unrecorded: Vec<TaskCounts>,
    /// What was logged while the flow body itself ran.
    pub logs: Vec<LogReport>,
    /// Log records that did not fit the bounded buffers.
    pub logs_dropped: u64,
    /// Params, metrics, tags and artifacts, for each task run that logged any: what the flow body
    /// logged first, then in the order of submission.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub logged: Vec<LoggedReport>,
    /// Params, metrics, tags and artifacts that did not fit the bounded memory of an engine.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub logged_dropped: u64,
}

/// One argument of the flow call of a [`RunReport`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ParameterReport {
    /// The parameter's name.
    pub name: String,
    /// The argument for people.
    pub value: serde_json::Value,
}

/// One task run of a [`RunReport`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct TaskRunReport {
    /// Position in the order of submission; what edges refer to.
    pub index: u32,
    /// The name of this task run: the task's, or what its name template gave.
    pub name: String,
    /// The name of the task.
    pub task: String,
    /// What kind of node it is.
    pub kind: NodeKind,
    /// The task run, map or subflow during which it was submitted.
    pub parent: Option<u32>,
    /// Where it stands.
    pub state: State,
    /// Attempts started.
    pub attempts: u32,
    /// Attempts that failed before the last one ended.
    pub failed_attempts: Vec<AttemptReport>,
    /// When it was submitted.
    #[serde(with = "seconds")]
    pub submitted: Duration,
    /// When its last input was there.
    #[serde(with = "optional_seconds")]
    pub ready: Option<Duration>,
    /// When its first attempt started.
    #[serde(with = "optional_seconds")]
    pub started: Option<Duration>,
    /// When its last attempt started, if that was not the first one.
    #[serde(with = "optional_seconds", default)]
    pub last_started: Option<Duration>,
    /// When it ended.
    #[serde(with = "optional_seconds")]
    pub ended: Option<Duration>,
    /// Why it did not complete.
    pub error: Option<ErrorReport>,
    /// Whether a failure of it was seen by the program.
    pub failure_observed: bool,
    /// The tags of the task and of this call.
    pub tags: Vec<String>,
    /// The function's fingerprint, in hexadecimal.
    pub fingerprint: String,
    /// Where the task is defined: `file:line`.
    pub source: String,
    /// For a map: its items by state.
    pub items: Option<TaskCounts>,
    /// Which execution the result is of, for one that is cached or was handed back from another
    /// flow run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result_from: Option<ResultSource>,
    /// Whether an earlier execution of the flow run made it and the last one did not call it.
    #[serde(default, skip_serializing_if = "is_false")]
    pub is_orphaned: bool,
    /// The call id, where the flow run is recorded: the same whenever the flow runs again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call: Option<String>,
    /// What was logged during it.
    pub logs: Vec<LogReport>,
}

/// What kind of node a [`TaskRunReport`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum NodeKind {
    /// A run of a task.
    Task,
    /// A map over items, which are counted and not listed.
    Map,
    /// A flow called from the flow.
    Subflow,
    /// A cleanup that `finally` registered.
    Finally,
    /// A retry scope or another group of task runs.
    Group,
}

impl NodeKind {
    #[cfg(feature = "sqlite")]
    const ALL: [Self; 5] = [
        Self::Task,
        Self::Map,
        Self::Subflow,
        Self::Finally,
        Self::Group,
    ];

    /// The word for this kind.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Task => "task",
            Self::Map => "map",
            Self::Subflow => "subflow",
            Self::Finally => "finally",
            Self::Group => "group",
        }
    }

    /// The kind of a word.
    #[cfg(feature = "sqlite")]
    pub(crate) fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.word() == word)
    }
}

/// The execution that a result is of.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ResultSource {
    /// The flow run's id.
    pub flow_run: String,
    /// The call within it.
    pub call: String,
}

/// One attempt that failed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct AttemptReport {
    /// Its number, from 1.
    pub attempt: u32,
    /// When it started.
    #[serde(with = "seconds")]
    pub started: Duration,
    /// When it ended.
    #[serde(with = "seconds")]
    pub ended: Duration,
    /// How it failed.
    pub error: ErrorReport,
}

/// An error as a report shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ErrorReport {
    /// What happened, in one line.
    pub message: String,
    /// The causes, outermost first.
    pub causes: Vec<String>,
    /// Where a panic came from, if [that is kept](crate::keep_panic_backtraces).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backtrace: Option<String>,
}

/// An edge of the graph: `to` used `from`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub struct EdgeReport {
    /// The index of the upstream task run.
    pub from: u32,
    /// The index of the downstream task run.
    pub to: u32,
    /// What the edge carries.
    pub kind: EdgeKind,
}

/// What an edge carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
// The order is part of the format of stores: new kinds go to the end.
pub enum EdgeKind {
    /// The result is an argument.
    Data,
    /// Only the order: `after`.
    Order,
    /// The outcome, failure included: an `Outcome` parameter or `or_else`.
    Catch,
}

/// How many task runs of one task ended in which state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct TaskCounts {
    /// The name of the task.
    pub task: String,
    /// Task runs that completed (cached and reused ones included).
    pub completed: u64,
    /// Those of them that were not executed, since the result was there: cached and reused ones.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub found: u64,
    /// Task runs that failed, timed out or crashed.
    pub failed: u64,
    /// Task runs that were cancelled or skipped.
    pub cancelled: u64,
}

/// One log record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct LogReport {
    /// When.
    #[serde(with = "seconds")]
    pub at: Duration,
    /// `ERROR`, `WARN`, `INFO`, `DEBUG` or `TRACE`.
    pub level: String,
    /// The module or crate that logged.
    pub target: String,
    /// The message and the fields.
    pub message: String,
    /// The attempt of the task run that logged it. `None` for the flow body, and for a future that was
    /// spawned elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt: Option<u32>,
}

impl TaskRunReport {
    /// Returns how long it waited between its last input and its first attempt.
    pub fn queue_time(&self) -> Duration {
        let end = self.started.or(self.ended);
        match (self.ready, end) {
            (Some(ready), Some(end)) => end.saturating_sub(ready),
            _ => Duration::ZERO,
        }
    }

    /// Returns how long it ran, waits between attempts included.
    pub fn run_time(&self) -> Duration {
        match (self.started, self.ended) {
            (Some(started), Some(ended)) => ended.saturating_sub(started),
            _ => Duration::ZERO,
        }
    }

    /// Returns the time from its submission to its end.
    pub fn total_time(&self) -> Duration {
        self.ended
            .map_or(Duration::ZERO, |ended| ended.saturating_sub(self.submitted))
    }
}

impl ParameterReport {
    pub(crate) fn all_of(row: &FlowRunRow) -> Vec<Self> {
        let parameters = row.parameters.iter().flatten();
        parameters
            .map(|parameter| Self {
                name: parameter.name.clone(),
                value: parameter.shown.clone(),
            })
            .collect()
    }
}

/// A manifest, which is an object.
pub(crate) fn manifest_of(row: &FlowRunRow) -> serde_json::Map<String, serde_json::Value> {
    row.manifest.as_object().cloned().unwrap_or_default()
}

impl ResultSource {
    pub(crate) fn of(origin: ResultOrigin) -> Option<Self> {
        match origin {
            ResultOrigin::Executed => None,
            ResultOrigin::Cached { run, call } => Some(Self {
                flow_run: run.to_string(),
                call: call.to_string(),
            }),
        }
    }
}

impl ErrorReport {
    /// Returns what it all comes down to: the innermost cause.
    pub fn root(&self) -> &str {
        self.causes.last().unwrap_or(&self.message)
    }
}

impl TaskCounts {
    /// Returns the number of task runs counted.
    pub fn total(&self) -> u64 {
        self.completed + self.failed + self.cancelled
    }
}

/// Leaves out what is seldom counted.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it")]
fn is_zero(value: &u64) -> bool {
    *value == 0
}

/// Leaves out what is seldom the case.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it")]
fn is_false(value: &bool) -> bool {
    !value
}

/// Durations as seconds with all their digits, readable in JSON.
mod seconds {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(
        duration: &Duration,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(duration.as_secs_f64())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Duration, D::Error> {
        let seconds = f64::deserialize(deserializer)?;
        Duration::try_from_secs_f64(seconds).map_err(serde::de::Error::custom)
    }
}

/// The same for times that may not have come yet.
mod optional_seconds {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(
        duration: &Option<Duration>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match duration {
            Some(duration) => serializer.serialize_some(&duration.as_secs_f64()),
            None => serializer.serialize_none(),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Duration>, D::Error> {
        match Option::<f64>::deserialize(deserializer)? {
            Some(seconds) => Duration::try_from_secs_f64(seconds)
                .map(Some)
                .map_err(serde::de::Error::custom),
            None => Ok(None),
        }
    }
}

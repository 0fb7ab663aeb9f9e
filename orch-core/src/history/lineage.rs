//! Where a value came from, and what was made of it.

mod open_lineage;
mod render;
mod runs;
mod walk;

use std::fmt;

use serde::{Serialize, Serializer};

use self::walk::Walk;
use super::explain::UnknownTask;
use crate::engine::Engine;
use crate::id::FlowRunId;
use crate::recorder::EngineStore;
use crate::report::NodeKind;
use crate::state::State;
use crate::store::{CallId, FoundTaskRun, StoreError, TaskRunFilter, Timestamp};
use crate::value::Digest;

/// Where values came from, and what was made of them, as far as it is recorded.
/// [`Display`](fmt::Display) writes both as trees.
///
/// Most often there is one value; there are several where a name means several task runs, or where
/// several executions came to the same.
///
/// What is recorded are the results of task runs and which of them was an argument of which. A plain
/// value that a flow body took out of a result and passed on is an argument like any other, with
/// nothing above it. The arguments themselves are recorded for cached tasks only.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Lineage {
    /// The values.
    pub values: Vec<LineageValue>,
    /// The executions that the values were made by, then what these were made from, and so on. A
    /// result that a task run took from the cache is that of the execution that left it there.
    pub up: LineageGraph,
    /// The same executions, then the task runs of any recorded flow run that used the values or took
    /// them from the cache, and so on.
    pub down: LineageGraph,
    /// The flow runs of all of them, the oldest first.
    pub flow_runs: Vec<LineageFlowRun>,
}

/// A value, and who made it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct LineageValue {
    /// Its digest; `None` for a result that could not be stored, for a task run that has none, and
    /// for maps, groups and subflows, which are what ran within them.
    pub digest: Option<Digest>,
    /// How many bytes it takes.
    pub len: Option<u64>,
    /// The flow run in which it was found.
    pub flow_run: FlowRunId,
    /// The call that it is the result of there.
    #[serde(serialize_with = "text")]
    pub call: CallId,
    /// The execution that made it: its place among the nodes of `up`, and of `down`.
    pub made_by: usize,
}

/// Task runs, and how values went from one to another.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct LineageGraph {
    /// The task runs, the nearest first.
    pub nodes: Vec<LineageNode>,
    /// What of them went where.
    pub edges: Vec<LineageEdge>,
    /// Whether there is more than was looked at: lineage stops after some hundred thousand task
    /// runs.
    pub is_cut: bool,
}

/// A task run in a lineage.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct LineageNode {
    /// Its flow run.
    pub flow_run: FlowRunId,
    /// Its call.
    #[serde(serialize_with = "text")]
    pub call: CallId,
    /// Its name.
    pub name: String,
    /// The name of its task.
    pub task: String,
    /// The task's id.
    pub task_id: String,
    /// What kind of node it is.
    pub kind: NodeKind,
    /// Where it stands.
    pub state: State,
    /// Whether it is recorded, and was looked at (see [`LineageGraph::is_cut`]). Of one that is not,
    /// somebody who took its result from the cache is; what is told here is of them.
    pub is_recorded: bool,
    /// The digest of its result, if that is stored.
    pub digest: Option<Digest>,
    /// How many bytes the result takes.
    pub len: Option<u64>,
    /// The hash of the task's code.
    pub fingerprint: Digest,
    /// The task's `version` option.
    pub version: Option<String>,
    /// File and line of the task.
    pub source: String,
    /// When it ended.
    #[serde(serialize_with = "optional_text")]
    pub ended_at: Option<Timestamp>,
    /// Its arguments, if its task is cached.
    pub arguments: Vec<LineageArgument>,
    /// The files that its result names, as they were.
    pub files: Vec<LineageFile>,
}

/// An argument of a cached task.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct LineageArgument {
    /// The parameter's name.
    pub name: String,
    /// What of it counts for the cache key: the value's digest, for most.
    pub digest: Digest,
    /// The value for people, where it is short.
    pub shown: Option<String>,
    /// The parameter of the flow run that has the same value.
    pub same_as: Option<String>,
}

impl LineageArgument {
    /// Whether what is shown is which task run it is the result of, and no value.
    fn is_result(&self) -> bool {
        let shown = self.shown.as_deref().unwrap_or_default();
        // A text is shown in quotes.
        shown.starts_with("the result of `") || shown.starts_with("the results of ")
    }
}

/// A flow run in a lineage.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct LineageFlowRun {
    /// Its id.
    pub id: FlowRunId,
    /// Its name.
    pub name: String,
    /// The flow's name.
    pub flow: String,
    /// The hash of the flow's code.
    pub fingerprint: Digest,
    /// When it was started.
    #[serde(serialize_with = "text")]
    pub started_at: Timestamp,
    /// Its arguments; none if they could not be stored.
    pub parameters: Vec<LineageParameter>,
}

/// An argument of a flow.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct LineageParameter {
    /// The parameter's name.
    pub name: String,
    /// The digest of the value.
    pub digest: Digest,
    /// The value for people.
    pub shown: serde_json::Value,
    /// The files in it, as they were when the flow run was started.
    pub files: Vec<LineageFile>,
}

/// A file that a value names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct LineageFile {
    /// Its path.
    pub path: String,
    /// The BLAKE3 hash of what it held.
    pub content: Digest,
}

/// How something of one task run went into another: `from` was there first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[non_exhaustive]
pub struct LineageEdge {
    /// The place of the one among the nodes.
    pub from: usize,
    /// The place of the other.
    pub to: usize,
    /// How.
    pub kind: LineageEdgeKind,
}

/// How something of one task run went into another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum LineageEdgeKind {
    /// Its result was an argument.
    Data,
    /// Its outcome was, a failure included.
    Catch,
    /// It ran within the other, a map, a group or a subflow, whose result was made from it: nothing
    /// else in there used its result.
    Within,
    /// It was an input of the map, group or subflow that the other ran within.
    Given,
    /// Its result was taken over: from the cache, or from a flow run that the other's was made of.
    Taken,
}

/// Why there is no lineage.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LineageError {
    /// There is no record of the flow run.
    #[error("there is no flow run {run}")]
    UnknownRun {
        /// Its id.
        run: FlowRunId,
    },
    /// The flow run has no such task run.
    #[error("flow run `{run}` has no task run `{task}` (it has: {})", known.join(", "))]
    UnknownTask {
        /// The flow run's name.
        run: String,
        /// What was looked for.
        task: String,
        /// The tasks it has runs of.
        known: Vec<String>,
    },
    /// No recorded task run has such a result.
    #[error("no recorded task run has a result with the digest `{text}`")]
    UnknownValue {
        /// What was looked for.
        text: String,
    },
    /// Several values could be meant.
    #[error("`{text}` could be any of {} values: {}", candidates.len(), listed(candidates))]
    AmbiguousValue {
        /// What was looked for.
        text: String,
        /// Their digests.
        candidates: Vec<Digest>,
    },
    /// The store cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// How many candidates a message lists.
const LISTED: usize = 3;

fn listed(candidates: &[Digest]) -> String {
    let shown = candidates.iter().take(LISTED);
    let mut shown: Vec<String> = shown.map(|digest| format!("`{digest}`")).collect();
    if candidates.len() > LISTED {
        shown.push("...".to_owned());
    }
    shown.join(", ")
}

impl LineageError {
    /// What the user can do about it; printed after the error as `help: ...`.
    pub fn help(&self) -> Option<&'static str> {
        Some(match self {
            Self::UnknownRun { .. } => "`runs` lists the flow runs of the store",
            Self::UnknownTask { .. } => {
                "write the name of a task or a task run, or the beginning of a call id"
            }
            Self::UnknownValue { .. } => {
                "results of task runs are looked for, as long as their flow runs are kept; \
                 `lineage RUN TASK` shows their digests"
            }
            Self::AmbiguousValue { .. } => "write more of the digest",
            Self::Store(error) => return error.help(),
        })
    }
}

impl From<UnknownTask> for LineageError {
    fn from(unknown: UnknownTask) -> Self {
        let UnknownTask { run, task, known } = unknown;
        Self::UnknownTask { run, task, known }
    }
}

impl Engine {
    /// Returns where the result of a task run came from, and what was made of it. `task` is the name
    /// of a task or of a task run, or the beginning of a call id, as for
    /// [`explain`](Engine::explain); it may mean several task runs.
    ///
    /// Looking for what was made of it in other flow runs takes a pass over all recorded task runs.
    ///
    /// # Errors
    /// [`LineageError`] if there is no such flow run or task run.
    pub fn lineage(&self, run: FlowRunId, task: &str) -> Result<Lineage, LineageError> {
        let (Some(store), Some(recorded)) = (&self.0.store, self.recorded_run(run)?) else {
            return Err(LineageError::UnknownRun { run });
        };
        let calls: Vec<(FlowRunId, CallId)> = recorded
            .find(task)?
            .into_iter()
            .map(|row| (run, row.call))
            .collect();
        Ok(Walk::over(store).lineage(&calls)?)
    }

    /// Returns where a value came from, and what was made of it: all recorded task runs count that
    /// have a result with this digest.
    ///
    /// It takes some passes over all recorded task runs.
    ///
    /// # Errors
    /// [`LineageError::UnknownValue`] if no recorded task run has such a result.
    pub fn lineage_of(&self, digest: Digest) -> Result<Lineage, LineageError> {
        let found = match &self.0.store {
            Some(store) => with_result(store, digest..=digest)?,
            None => Vec::new(),
        };
        let (Some(store), false) = (&self.0.store, found.is_empty()) else {
            let text = digest.to_string();
            return Err(LineageError::UnknownValue { text });
        };
        let calls: Vec<(FlowRunId, CallId)> =
            found.iter().map(|found| (found.run, found.call)).collect();
        Ok(Walk::over(store).lineage(&calls)?)
    }

    /// Finds the digest of a recorded result by what a person writes: its beginning.
    ///
    /// # Errors
    /// [`LineageError`] if no result is meant, or several could be.
    pub fn find_value(&self, text: &str) -> Result<Digest, LineageError> {
        let unknown = || LineageError::UnknownValue {
            text: text.to_owned(),
        };
        let range = Digest::beginning_with(text).ok_or_else(unknown)?;
        let store = self.0.store.as_ref().ok_or_else(unknown)?;
        let found = with_result(store, range)?.into_iter();
        let mut candidates: Vec<Digest> = found.filter_map(|found| found.result).collect();
        candidates.sort_unstable();
        candidates.dedup();
        match candidates[..] {
            [] => Err(unknown()),
            [digest] => Ok(digest),
            _ => Err(LineageError::AmbiguousValue {
                text: text.to_owned(),
                candidates,
            }),
        }
    }
}

fn with_result(
    store: &EngineStore,
    results: std::ops::RangeInclusive<Digest>,
) -> Result<Vec<FoundTaskRun>, StoreError> {
    store.find_task_runs(TaskRunFilter {
        results: Some(results),
        ..TaskRunFilter::default()
    })
}

fn text<T: fmt::Display, S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}

fn optional_text<T: fmt::Display, S: Serializer>(
    value: &Option<T>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match value {
        Some(value) => serializer.collect_str(value),
        None => serializer.serialize_none(),
    }
}

//! Recorded flow runs: what they were, why their task runs ran, how two of them differ, how several
//! compare, and where values came from.
//!
//! All of it reads rows of a [store](crate::store) and starts nothing.

mod comparison;
mod diff;
mod explain;
mod lineage;
mod logged;
mod plan;
mod report;

pub use self::comparison::{
    CompareError, ComparedMetric, ComparedParam, ComparedRun, ComparedValue, Direction,
    RunComparison,
};
pub use self::diff::{CodeDiff, MetricDiff, RunDiff, TaskRunDiff, TaskRunSide, ValueDiff};
pub use self::explain::{
    Cause, Execution, ExplainError, Explanation, KeyChange, KeyChangeKind, NotHandedBack, Why,
};
pub use self::lineage::{
    Lineage, LineageArgument, LineageEdge, LineageEdgeKind, LineageError, LineageFile,
    LineageFlowRun, LineageGraph, LineageNode, LineageParameter, LineageValue,
};
pub(crate) use self::logged::LoggedReader;
pub use self::plan::{Fate, PlannedItems, PlannedTaskRun, RunPlan};

use crate::engine::Engine;
use crate::id::FlowRunId;
use crate::report::{LoggedReport, RunReport};
use crate::state::State;
use crate::store::{AttemptRow, CallId, FlowRunFilter, FlowRunRow, StoreError, TaskRunRow};

/// A recorded flow run with its task runs.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct RecordedRun {
    /// The flow run.
    pub row: FlowRunRow,
    /// Its task runs, in the order of their last submission.
    pub task_runs: Vec<TaskRunRow>,
    /// Their attempts that failed.
    pub attempts: Vec<AttemptRow>,
    /// What the flow body logged, under [`CallId::ROOT`], and what task runs did, by their calls: that
    /// of their last attempt, or of the execution that a cached result is of.
    pub logged: Vec<(CallId, LoggedReport)>,
}

impl RecordedRun {
    /// Puts the rows together as a report, which renders like that of a run that was just made.
    ///
    /// Logs and tags of task runs are not recorded. Where a run was resumed, times count from its
    /// first start. Items of a map are
    /// counted, as in any report.
    pub fn report(&self) -> RunReport {
        report::of(self)
    }
}

/// Why a flow run was not found by what a person wrote.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FindRunError {
    /// Nothing has this id, name or key, or begins like it.
    #[error("there is no flow run `{text}`")]
    Unknown {
        /// What was looked for.
        text: String,
    },
    /// Several flow runs could be meant.
    #[error("`{text}` could be any of {}: {}", candidates.len(), listed(candidates))]
    Ambiguous {
        /// What was looked for.
        text: String,
        /// Their ids and names, the newest first.
        candidates: Vec<(FlowRunId, String)>,
    },
    /// The store cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// How many candidates a message lists.
const LISTED: usize = 5;

fn listed(candidates: &[(FlowRunId, String)]) -> String {
    let shown = candidates.iter().take(LISTED);
    let mut shown: Vec<String> = shown.map(|(id, name)| format!("`{name}` ({id})")).collect();
    if candidates.len() > LISTED {
        shown.push("...".to_owned());
    }
    shown.join(", ")
}

impl FindRunError {
    /// What the user can do about it; printed after the error as `help: ...`.
    pub fn help(&self) -> Option<&'static str> {
        Some(match self {
            Self::Unknown { .. } => "`runs` lists the flow runs of the store",
            Self::Ambiguous { .. } => "write the whole id",
            Self::Store(_) => return None,
        })
    }
}

impl Engine {
    /// Returns recorded flow runs, the newest first; none on an engine without a store. One whose
    /// process is gone has crashed, though nobody was left to record it.
    ///
    /// # Errors
    /// [`StoreError`] if the store cannot be read.
    pub fn recorded_runs(&self, filter: FlowRunFilter) -> Result<Vec<FlowRunRow>, StoreError> {
        let Some(store) = &self.0.store else {
            return Ok(Vec::new());
        };
        let (states, limit) = (filter.states.clone(), filter.limit);
        let mut wanted = filter;
        if states.contains(&State::Crashed) && !states.contains(&State::Running) {
            wanted.states.push(State::Running);
        }
        let may_change = !states.is_empty() && wanted.states.contains(&State::Running);
        if may_change {
            wanted.limit = 0;
        }
        let mut rows = store.flow_runs(wanted)?;
        rows.iter_mut().for_each(|row| store.note_crash(row));
        if may_change {
            rows.retain(|row| states.contains(&row.state));
            rows.truncate(if limit == 0 { usize::MAX } else { limit });
        }
        Ok(rows)
    }

    /// Returns a recorded flow run with its task runs, as far as it is recorded at this moment.
    ///
    /// # Errors
    /// [`StoreError`] if the store cannot be read.
    pub fn recorded_run(&self, run: FlowRunId) -> Result<Option<RecordedRun>, StoreError> {
        let Some(store) = &self.0.store else {
            return Ok(None);
        };
        let Some(mut row) = store.flow_run(run)? else {
            return Ok(None);
        };
        store.note_crash(&mut row);
        let task_runs = store.task_runs(run)?;
        Ok(Some(RecordedRun {
            row,
            attempts: store.attempts(run)?,
            logged: LoggedReader::new(store).of_run(run, &task_runs)?,
            task_runs,
        }))
    }

    /// Finds a flow run by what a person writes: its id, its name, its key, or the beginning of its
    /// id or name. Whole names and keys go before beginnings.
    ///
    /// # Errors
    /// [`FindRunError`] if none or several could be meant.
    pub fn find_run(&self, text: &str) -> Result<FlowRunRow, FindRunError> {
        if text.is_empty() {
            let text = text.to_owned();
            return Err(FindRunError::Unknown { text });
        }
        if let (Ok(id), Some(store)) = (text.parse(), &self.0.store)
            && let Some(mut row) = store.flow_run(id)?
        {
            store.note_crash(&mut row);
            return Ok(row);
        }
        let beginning = self.recorded_runs(FlowRunFilter {
            prefix: Some(text.to_owned()),
            ..FlowRunFilter::default()
        })?;
        let (named, beginning): (Vec<FlowRunRow>, Vec<FlowRunRow>) =
            beginning.into_iter().partition(|row| row.name == text);
        let keyed = self.recorded_runs(FlowRunFilter {
            key: Some(text.to_owned()),
            ..FlowRunFilter::default()
        })?;
        let found = [named, keyed, beginning]
            .into_iter()
            .find(|rows| !rows.is_empty());
        let text = text.to_owned();
        let Some(mut found) = found else {
            return Err(FindRunError::Unknown { text });
        };
        if found.len() > 1 {
            let candidates = found.into_iter().map(|row| (row.id, row.name)).collect();
            return Err(FindRunError::Ambiguous { text, candidates });
        }
        Ok(found.remove(0))
    }
}

//! What a flow run would execute, and why.

use std::collections::{BTreeMap, HashSet};
use std::fmt;

use super::RecordedRun;
use super::explain::{Cause, Explainer};
use crate::flow::Rehearsed;
use crate::id::FlowRunId;
use crate::recorder::EngineStore;
use crate::report::{NodeKind, TaskRunReport, human};
use crate::state::State;
use crate::store::{CallId, StoreError, TaskRunRow};

/// What going on with a recorded flow run, or making a new one of it, would execute, and why.
///
/// [`Display`](fmt::Display) writes a line per task run and a summary.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct RunPlan {
    /// The name of the flow.
    pub flow: String,
    /// The recorded flow run.
    pub of: FlowRunId,
    /// The task runs that are submitted before the flow has to wait, in that order. The items of a
    /// map count as one with the map, and what runs inside of a subflow with the subflow.
    pub task_runs: Vec<PlannedTaskRun>,
    /// Whether the flow came to its end: nothing it waits for has to be executed.
    pub reaches_end: bool,
    /// Tasks that the recorded flow run ran and this one has not called by then, with the number of
    /// their runs.
    pub not_reached: BTreeMap<String, usize>,
}

/// A task run that would be part of a flow run.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct PlannedTaskRun {
    /// Its name.
    pub name: String,
    /// The name of its task.
    pub task: String,
    /// What kind of node it is.
    pub kind: NodeKind,
    /// What would become of it.
    pub fate: Fate,
}

/// What would become of a task run.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Fate {
    /// Its recorded result is handed back.
    HandedBack,
    /// The cache has its result.
    Cached,
    /// It is executed, or something in it, because of this.
    Runs(Cause),
    /// It waits for task runs of these names that are executed: it is executed if the cache or the
    /// record has nothing for what they come to.
    Waits(Vec<String>),
}

impl RunPlan {
    /// How many task runs are certain to be executed.
    pub fn executed(&self) -> usize {
        let fates = self.task_runs.iter().map(|run| &run.fate);
        fates.filter(|fate| matches!(fate, Fate::Runs(_))).count()
    }
}

impl RunPlan {
    /// Makes a plan of what a rehearsal has shown.
    pub(crate) fn of(
        store: &EngineStore,
        of: FlowRunId,
        rehearsed: Rehearsed,
        earlier: Vec<TaskRunRow>,
    ) -> Result<Self, StoreError> {
        let Rehearsed {
            row,
            task_runs,
            report,
            has_ended,
        } = rehearsed;
        let run = RecordedRun {
            row,
            task_runs,
            attempts: Vec::new(),
        };
        let explainer = Explainer {
            store,
            run: &run,
            origin: Some((of, earlier)),
        };
        let planner = Planner {
            explainer: &explainer,
            submitted: &report.task_runs,
        };
        let mut planned = Vec::new();
        for submitted in &report.task_runs {
            let upstream = report
                .edges
                .iter()
                .filter(|edge| edge.to == submitted.index);
            let upstream: Vec<u32> = upstream.map(|edge| edge.from).collect();
            planned.push(PlannedTaskRun {
                name: submitted.name.clone(),
                task: submitted.task.clone(),
                kind: submitted.kind,
                fate: planner.fate(submitted, &upstream)?,
            });
        }
        let not_reached = planner.not_reached();
        Ok(Self {
            flow: run.row.flow.clone(),
            of,
            task_runs: planned,
            reaches_end: has_ended,
            not_reached,
        })
    }
}

struct Planner<'a> {
    explainer: &'a Explainer<'a>,
    submitted: &'a [TaskRunReport],
}

impl Planner<'_> {
    fn fate(&self, submitted: &TaskRunReport, upstream: &[u32]) -> Result<Fate, StoreError> {
        let rows = &self.explainer.run.task_runs;
        let row = rows
            .iter()
            .find(|row| row.index == submitted.index && row.task.name == submitted.task);
        let Some(row) = row else {
            return Ok(Fate::Waits(self.unfinished(upstream)));
        };
        Ok(match row.state {
            State::Cached => Fate::Cached,
            State::Pending => Fate::Runs(self.explainer.cause(row)?),
            State::Running => {
                let is_in_it = |inner: &&TaskRunRow| inner.scope == row.call;
                let mut inner: Vec<&TaskRunRow> = rows.iter().filter(is_in_it).collect();
                inner.sort_by_key(|row| row.index);
                match inner.iter().find(|inner| inner.state == State::Pending) {
                    Some(inner) => Fate::Runs(self.explainer.cause(inner)?),
                    None => Fate::Waits(self.unfinished(upstream)),
                }
            }
            _ => Fate::HandedBack,
        })
    }

    fn unfinished(&self, upstream: &[u32]) -> Vec<String> {
        let runs = self.submitted.iter();
        let unfinished = runs.filter(|run| upstream.contains(&run.index) && !run.state.is_final());
        unfinished.map(|run| run.name.clone()).collect()
    }

    /// Counts what the recorded flow run called and this one has not.
    fn not_reached(&self) -> BTreeMap<String, usize> {
        let reached: HashSet<&str> = self
            .submitted
            .iter()
            .map(|run| run.task.as_str())
            .chain(
                self.explainer
                    .run
                    .task_runs
                    .iter()
                    .map(|row| row.task.name.as_str()),
            )
            .collect();
        let mut not_reached = BTreeMap::new();
        let (_, earlier) = self.explainer.origin.as_ref().expect("made with one");
        for row in earlier {
            let is_of_body = row.scope == CallId::ROOT && row.kind != NodeKind::Finally;
            if is_of_body && !row.is_orphaned && !reached.contains(row.task.name.as_str()) {
                *not_reached.entry(row.task.name.clone()).or_default() += 1;
            }
        }
        not_reached
    }
}

impl fmt::Display for RunPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [mut handed_back, mut cached, mut runs, mut waits] = [0_u64; 4];
        for run in &self.task_runs {
            let name = human::clean(&run.name);
            match &run.fate {
                Fate::HandedBack => {
                    handed_back += 1;
                    writeln!(f, "{} `{name}` is handed back", State::Reused.mark())?;
                }
                Fate::Cached => {
                    cached += 1;
                    writeln!(f, "{} `{name}` is cached", State::Cached.mark())?;
                }
                Fate::Runs(cause) => {
                    runs += 1;
                    writeln!(f, "{} `{name}` runs: {cause}", State::Running.mark())?;
                }
                Fate::Waits(upstream) => {
                    waits += 1;
                    write!(f, "{} `{name}` waits", State::Pending.mark())?;
                    for (n, upstream) in upstream.iter().enumerate() {
                        let word = if n == 0 { " for" } else { "," };
                        write!(f, "{word} `{}`", human::clean(upstream))?;
                    }
                    writeln!(f)?;
                }
            }
        }
        for (task, count) in &self.not_reached {
            let times = human::counted(*count as u64, "run");
            let mark = State::Pending.mark();
            let task = human::clean(task);
            writeln!(f, "{mark} `{task}` may come later: it had {times}")?;
        }
        let counts = [
            (handed_back, "handed back"),
            (cached, "cached"),
            (runs, "to run"),
            (waits, "waiting for that"),
        ];
        let counts: Vec<String> = counts
            .iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, what)| format!("{count} {what}"))
            .collect();
        match counts.is_empty() {
            true => f.write_str("no task runs")?,
            false => f.write_str(&counts.join(", "))?,
        }
        if !self.reaches_end {
            f.write_str("; what the flow calls after that is not known before")?;
        }
        writeln!(f)
    }
}

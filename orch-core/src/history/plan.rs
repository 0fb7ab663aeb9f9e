//! What a flow run would execute, and why.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;

use super::RecordedRun;
use super::explain::{Cause, Explainer};
use crate::flow::Rehearsed;
use crate::id::FlowRunId;
use crate::recorder::EngineStore;
use crate::report::{NodeKind, TaskRunReport, human};
use crate::state::State;
use crate::store::{CallId, RecordedTaskRuns, StoreError, TaskRunRow};

/// What going on with a recorded flow run, or making a new one of it, would execute, and why.
///
/// [`Display`](fmt::Display) writes a line per task run and a summary.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct RunPlan {
    /// The name of the flow.
    pub flow: String,
    /// The recorded flow run; a subflow may have none.
    pub of: Option<FlowRunId>,
    /// The task runs that are submitted before the flow has to wait, in that order. What is called
    /// in a map is counted with the map, what is called in a subflow is planned with the subflow.
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
    /// What would become of its items, for a map that has to be gone through.
    pub items: Option<PlannedItems>,
    /// What would be executed in it, for a subflow that has to be gone through.
    pub subflow: Option<RunPlan>,
}

/// What would become of the items of a map.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct PlannedItems {
    /// How many have their result on record or in the cache.
    pub found: u64,
    /// How many task runs would be executed for the others. What an item calls after those is not
    /// known before.
    pub executed: u64,
    /// Whether these are all items: a map looks no further than some thousand that would be executed.
    pub is_all: bool,
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
    /// How many task runs are certain to be executed, those in maps and subflows included.
    pub fn executed(&self) -> usize {
        let executed = self.task_runs.iter().map(PlannedTaskRun::executed);
        executed.sum()
    }
}

impl PlannedTaskRun {
    fn executed(&self) -> usize {
        match (&self.fate, &self.items, &self.subflow) {
            (_, Some(items), _) => items.executed as usize,
            (_, _, Some(plan)) => plan.executed(),
            (Fate::Runs(_), None, None) => 1,
            _ => 0,
        }
    }
}

impl RunPlan {
    /// Makes a plan of what a rehearsal has shown, of a flow run that is made of a recorded one or
    /// that goes on with it.
    pub(crate) fn of(
        store: &EngineStore,
        of: Option<(FlowRunId, RecordedTaskRuns)>,
        rehearsed: Rehearsed,
    ) -> Result<Self, StoreError> {
        let Rehearsed {
            row,
            task_runs,
            subflows,
            whole_maps,
            report,
            has_ended,
        } = rehearsed;
        let mut plans = HashMap::new();
        for subflow in subflows {
            let plan = Self::of(store, subflow.of, subflow.rehearsed)?;
            plans.insert(subflow.call, plan);
        }
        let run = RecordedRun {
            row,
            task_runs,
            attempts: Vec::new(),
            logged: Vec::new(),
        };
        let explainer = Explainer {
            store,
            run: &run,
            origin: of.map(|(of, earlier)| (of, earlier.into_rows())),
        };
        let planner = Planner {
            explainer: &explainer,
            submitted: &report.task_runs,
            whole_maps: &whole_maps,
        };
        let mut planned = Vec::new();
        for submitted in &report.task_runs {
            let upstream = report
                .edges
                .iter()
                .filter(|edge| edge.to == submitted.index);
            let upstream: Vec<u32> = upstream.map(|edge| edge.from).collect();
            let row = planner.row(submitted);
            let subflow = row.and_then(|row| plans.remove(&row.call));
            planned.push(PlannedTaskRun {
                name: submitted.name.clone(),
                task: submitted.task.clone(),
                kind: submitted.kind,
                fate: planner.fate(row, &upstream, subflow.as_ref())?,
                items: row.and_then(|row| planner.items(submitted, row)),
                subflow,
            });
        }
        let not_reached = planner.not_reached();
        Ok(Self {
            flow: run.row.flow.clone(),
            of: explainer.origin.as_ref().map(|(of, _)| *of),
            task_runs: planned,
            reaches_end: has_ended,
            not_reached,
        })
    }
}

struct Planner<'a> {
    explainer: &'a Explainer<'a>,
    submitted: &'a [TaskRunReport],
    whole_maps: &'a HashSet<CallId>,
}

impl<'a> Planner<'a> {
    /// What a task run would be recorded as, if its inputs were there.
    fn row(&self, submitted: &TaskRunReport) -> Option<&'a TaskRunRow> {
        let mut rows = self.explainer.run.task_runs.iter();
        rows.find(|row| row.index == submitted.index && row.task.name == submitted.task)
    }

    fn fate(
        &self,
        row: Option<&TaskRunRow>,
        upstream: &[u32],
        subflow: Option<&RunPlan>,
    ) -> Result<Fate, StoreError> {
        let Some(row) = row else {
            return Ok(Fate::Waits(self.unfinished(upstream)));
        };
        Ok(match row.state {
            State::Cached => Fate::Cached,
            State::Pending => Fate::Runs(self.explainer.cause(row)?),
            State::Running => {
                let called = subflow.and_then(RunPlan::first_cause).cloned();
                let cause = match (called, self.called_in(row).next()) {
                    (Some(cause), _) => Some(cause),
                    (None, Some(inner)) => Some(self.explainer.cause(inner)?),
                    (None, None) => None,
                };
                match cause {
                    Some(cause) => Fate::Runs(cause),
                    None => Fate::Waits(self.unfinished(upstream)),
                }
            }
            _ => Fate::HandedBack,
        })
    }

    /// What would be executed in a map or a group, in order.
    fn called_in(&self, row: &TaskRunRow) -> impl Iterator<Item = &'a TaskRunRow> {
        let rows = self.explainer.run.task_runs.iter();
        let mut inner: Vec<&TaskRunRow> = rows
            .filter(|inner| inner.scope == row.call && inner.state == State::Pending)
            .collect();
        inner.sort_by_key(|row| row.index);
        inner.into_iter()
    }

    fn items(&self, submitted: &TaskRunReport, row: &TaskRunRow) -> Option<PlannedItems> {
        let items = submitted.items.as_ref()?;
        (row.state == State::Running).then(|| PlannedItems {
            found: items.completed,
            executed: self.called_in(row).count() as u64,
            is_all: self.whole_maps.contains(&row.call),
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
        let earlier = self.explainer.origin.as_ref();
        for row in earlier.map_or(&[][..], |(_, rows)| rows) {
            let is_of_body = row.scope == CallId::ROOT && row.kind != NodeKind::Finally;
            if is_of_body && !row.is_orphaned && !reached.contains(row.task.name.as_str()) {
                *not_reached.entry(row.task.name.clone()).or_default() += 1;
            }
        }
        not_reached
    }
}

impl RunPlan {
    fn first_cause(&self) -> Option<&Cause> {
        self.task_runs.iter().find_map(|run| match &run.fate {
            Fate::Runs(cause) => Some(cause),
            _ => None,
        })
    }

    /// Writes a line for each task run, and adds up what becomes of them: handed back, cached,
    /// executed, waiting.
    fn write_task_runs(
        &self,
        f: &mut fmt::Formatter<'_>,
        depth: usize,
        counts: &mut [u64; 4],
    ) -> fmt::Result {
        let indent = 2 * depth;
        for run in &self.task_runs {
            let name = human::clean(&run.name);
            write!(f, "{:indent$}", "")?;
            let of_kind = match &run.fate {
                Fate::HandedBack => {
                    write!(f, "{} `{name}` is handed back", State::Reused.mark())?;
                    0
                }
                Fate::Cached => {
                    write!(f, "{} `{name}` is cached", State::Cached.mark())?;
                    1
                }
                Fate::Runs(cause) => {
                    write!(f, "{} `{name}` runs: {cause}", State::Running.mark())?;
                    2
                }
                Fate::Waits(upstream) => {
                    write!(f, "{} `{name}` waits", State::Pending.mark())?;
                    for (n, upstream) in upstream.iter().enumerate() {
                        let word = if n == 0 { " for" } else { "," };
                        write!(f, "{word} `{}`", human::clean(upstream))?;
                    }
                    3
                }
            };
            counts[of_kind] += 1;
            if let Some(items) = &run.items {
                write!(f, " ({items})")?;
            }
            writeln!(f)?;
            if let Some(subflow) = &run.subflow {
                // What is in it is counted in its place.
                counts[of_kind] -= 1;
                subflow.write_task_runs(f, depth + 1, counts)?;
            }
        }
        for (task, count) in &self.not_reached {
            let times = human::counted(*count as u64, "run");
            let mark = State::Pending.mark();
            let task = human::clean(task);
            writeln!(
                f,
                "{:indent$}{mark} `{task}` may come later: it had {times}",
                ""
            )?;
        }
        Ok(())
    }
}

impl fmt::Display for PlannedItems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let executed = human::counted(self.executed, "task run");
        write!(f, "{executed} to execute")?;
        if self.found > 0 {
            write!(f, ", {} found", human::counted(self.found, "item"))?;
        }
        match self.is_all {
            true => Ok(()),
            false => f.write_str(", more items to look at"),
        }
    }
}

impl fmt::Display for RunPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut counts = [0; 4];
        self.write_task_runs(f, 0, &mut counts)?;
        let [handed_back, cached, runs, waits] = counts;
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

//! What was logged in recorded flow runs: for each task run, what the execution and the attempt logged
//! that its result is of.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use crate::id::FlowRunId;
use crate::recorder::EngineStore;
use crate::report::{ArtifactReport, LoggedReport, MetricPoint, TaskRunReport};
use crate::state::State;
use crate::store::{CallId, LoggedBy, LoggedRows, ResultOrigin, StoreError, TaskRunRow};
use crate::tracking::{Curve, Logs, MAX_POINTS};

/// How many flow runs a result may have been handed on through.
const MAX_HOPS: usize = 64;

/// Reads what was logged, that of each flow run once.
pub(crate) struct LoggedReader<'a> {
    store: &'a EngineStore,
    runs: HashMap<FlowRunId, Run>,
}

/// What was logged in a flow run.
#[derive(Default)]
struct Run {
    logs: BTreeMap<LoggedBy, Log>,
    /// Read when they are needed.
    task_runs: Option<HashMap<CallId, TaskRun>>,
}

/// What one attempt logged.
#[derive(Default)]
struct Log {
    heading: LoggedReport,
    metrics: BTreeMap<Arc<str>, Curve>,
}

/// What is to be known of a task run.
#[derive(Clone, Copy)]
struct TaskRun {
    execution: u64,
    attempts: u32,
    state: State,
    origin: ResultOrigin,
}

impl TaskRun {
    fn of(row: &TaskRunRow) -> Self {
        Self {
            execution: row.execution,
            attempts: row.attempts,
            state: row.state,
            origin: row.origin,
        }
    }
}

impl<'a> LoggedReader<'a> {
    pub(crate) fn new(store: &'a EngineStore) -> Self {
        Self {
            store,
            runs: HashMap::new(),
        }
    }

    /// What the body of a flow run logged and what its task runs did, by their calls.
    pub(super) fn of_run(
        &mut self,
        run: FlowRunId,
        task_runs: &[TaskRunRow],
    ) -> Result<Vec<(CallId, LoggedReport)>, StoreError> {
        let known = self.run(run)?;
        let bodies = known.logs.range(
            ..=LoggedBy {
                call: CallId::ROOT,
                execution: u64::MAX,
                attempt: u32::MAX,
            },
        );
        let body = bodies.last().map(|(_, log)| log.report());
        let mut logs: Vec<(CallId, LoggedReport)> = Vec::new();
        logs.extend(body.map(|log| (CallId::ROOT, log)));
        for row in task_runs {
            let log = match row.origin {
                ResultOrigin::Executed => self.run(run)?.of(row.call, TaskRun::of(row)),
                ResultOrigin::Cached { run, call } => {
                    self.of_result(run, call, row.state == State::Cached)?
                }
            };
            logs.extend(log.map(|log| (row.call, log)));
        }
        Ok(logs)
    }

    /// What the execution logged that a result is of. `is_executor` says that this call is known to
    /// have executed, and did not take the result from yet another one.
    fn of_result(
        &mut self,
        run: FlowRunId,
        call: CallId,
        is_executor: bool,
    ) -> Result<Option<LoggedReport>, StoreError> {
        let (mut run, mut call) = (run, call);
        for _ in 0..MAX_HOPS {
            // A result that was made anew in the background is no call's.
            if call == CallId::ROOT {
                return Ok(None);
            }
            if is_executor && self.run(run)?.logs.is_empty() {
                return Ok(None);
            }
            let Some(task_run) = self.task_run(run, call)? else {
                return Ok(None);
            };
            match task_run.origin {
                ResultOrigin::Executed => return Ok(self.run(run)?.of(call, task_run)),
                ResultOrigin::Cached {
                    run: from,
                    call: of,
                } => (run, call) = (from, of),
            }
        }
        Ok(None)
    }

    /// Adds to what a flow run under way knows what only the store does: what was logged by
    /// executions whose results it found.
    pub(crate) fn complete(
        &mut self,
        run: FlowRunId,
        live: &[Logs],
        task_runs: &[TaskRunReport],
    ) -> Result<Vec<LoggedReport>, StoreError> {
        let mut logs = Vec::with_capacity(live.len());
        for Logs { log, found } in live {
            match found {
                None => logs.push(log.clone()),
                Some((run, call)) => {
                    let found = self.of_result(*run, *call, false)?;
                    logs.extend(found.map(|found| found.with_heading(log)));
                }
            }
        }
        let listed: Vec<u32> = logs
            .iter()
            .filter(|log| !log.is_item)
            .filter_map(|log| log.task_run)
            .collect();
        for task_run in task_runs {
            if !task_run.state.is_found() || listed.contains(&task_run.index) {
                continue;
            }
            let from = match &task_run.result_from {
                Some(source) => source.flow_run.parse().ok(),
                None => Some(run),
            };
            let call = match &task_run.result_from {
                Some(source) => source.call.parse().ok(),
                None => task_run.call.as_ref().and_then(|call| call.parse().ok()),
            };
            let (Some(from), Some(call)) = (from, call) else {
                continue;
            };
            let log = self.of_result(from, call, task_run.state == State::Cached)?;
            let heading = LoggedReport {
                task_run: Some(task_run.index),
                name: task_run.name.clone(),
                task: task_run.task.clone(),
                ..LoggedReport::default()
            };
            logs.extend(log.map(|log| log.with_heading(&heading)));
        }
        // Items of a map share its index and keep their order.
        logs.sort_by_key(|log| log.task_run);
        Ok(logs)
    }

    fn run(&mut self, id: FlowRunId) -> Result<&mut Run, StoreError> {
        if !self.runs.contains_key(&id) {
            let logs = logs_of(self.store.logged(id)?);
            let run = Run {
                logs,
                task_runs: None,
            };
            self.runs.insert(id, run);
        }
        Ok(self.runs.get_mut(&id).expect("just inserted"))
    }

    fn task_run(&mut self, run: FlowRunId, call: CallId) -> Result<Option<TaskRun>, StoreError> {
        if self.run(run)?.task_runs.is_none() {
            // One after the other: there may be a million items of maps.
            let mut known = HashMap::new();
            self.store.recorded_task_runs(run)?.each(|row| {
                known.insert(row.call, TaskRun::of(&row));
            });
            self.run(run)?.task_runs = Some(known);
        }
        let known = self.run(run)?.task_runs.as_ref();
        Ok(known.and_then(|rows| rows.get(&call).copied()))
    }
}

impl Run {
    /// What the last attempt logged of the execution that a task run's row is of.
    fn of(&self, call: CallId, task_run: TaskRun) -> Option<LoggedReport> {
        let attempt = |attempt| LoggedBy {
            call,
            execution: task_run.execution,
            attempt,
        };
        let log = match task_run.state.is_final() {
            true => self.logs.get(&attempt(task_run.attempts)),
            // The row does not count the attempts of one that is under way.
            false => {
                let attempts = self.logs.range(attempt(0)..=attempt(u32::MAX));
                attempts.last().map(|(_, log)| log)
            }
        };
        log.map(Log::report)
    }
}

impl Log {
    fn report(&self) -> LoggedReport {
        let mut report = self.heading.clone();
        let metrics = self.metrics.iter();
        report.metrics = metrics
            .map(|(name, curve)| (name.to_string(), curve.report()))
            .collect();
        report
    }
}

impl LoggedReport {
    /// The same as logged by another task run.
    pub(super) fn with_heading(self, heading: &Self) -> Self {
        Self {
            task_run: heading.task_run,
            name: heading.name.clone(),
            task: heading.task.clone(),
            is_item: heading.is_item,
            ..self
        }
    }
}

fn logs_of(rows: LoggedRows) -> BTreeMap<LoggedBy, Log> {
    let mut logs: BTreeMap<LoggedBy, Log> = BTreeMap::new();
    for row in rows.params {
        let log = logs.entry(row.by).or_default();
        log.heading.params.insert(row.name, row.value);
    }
    for row in rows.tags {
        let log = logs.entry(row.by).or_default();
        let value = crate::report::logged::shown(&row.value);
        log.heading.tags.insert(row.name, value);
    }
    for row in rows.artifacts {
        let log = logs.entry(row.by).or_default();
        let stored = &row.value.stored;
        let artifact = ArtifactReport::new(stored.len, row.media_type, stored.digest.to_string());
        log.heading.artifacts.insert(row.name, artifact);
    }
    let mut points = 0;
    for row in rows.metrics {
        let metrics = &mut logs.entry(row.by).or_default().metrics;
        let point = MetricPoint::new(row.step, row.at.0.div_euclid(1_000_000), row.value);
        let takes_room = match metrics.get_mut(&row.name) {
            Some(curve) => curve.push(point),
            None => metrics.insert(row.name, Curve::new(point)).is_none(),
        };
        points += usize::from(takes_room);
        if points > MAX_POINTS {
            let curves = logs.values_mut().flat_map(|log| log.metrics.values_mut());
            if let Some(longest) = curves.max_by_key(|curve| curve.len()) {
                points -= longest.thin();
            }
        }
    }
    logs
}

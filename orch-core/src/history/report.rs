//! The report of a recorded flow run, from its rows.

use std::collections::HashMap;
use std::time::Duration;

use super::RecordedRun;
use crate::error::RecordedError;
use crate::report::{
    AttemptReport, EdgeReport, ErrorReport, LoggedReport, NodeKind, ParameterReport, ResultSource,
    RunReport, TaskCounts, TaskRunReport, manifest_of,
};
use crate::store::{AttemptRow, CallId, TaskRunRow, Timestamp};

pub(super) fn of(run: &RecordedRun) -> RunReport {
    let row = &run.row;
    let start = row.started_at;
    let tree = Tree::of(&run.task_runs);
    let mut attempts: HashMap<CallId, Vec<&AttemptRow>> = HashMap::new();
    for attempt in &run.attempts {
        attempts.entry(attempt.call).or_default().push(attempt);
    }
    let mut edges = Vec::new();
    let mut task_runs = Vec::with_capacity(tree.listed.len());
    for (index, row) in (0u32..).zip(&tree.listed) {
        for (upstream, kind) in &row.upstream {
            if let Some(from) = tree.nearest(*upstream)
                && from != index
            {
                let (to, kind) = (index, *kind);
                edges.push(EdgeReport { from, to, kind });
            }
        }
        let failed = attempts.get(&row.call).into_iter().flatten();
        let failed_attempts: Vec<AttemptReport> = failed
            .filter_map(|attempt| attempt_report(attempt, start))
            .collect();
        let after = |at: Timestamp| since(start, at);
        let (started, ended) = (row.started_at.map(after), row.ended_at.map(after));
        let ready = row.ready_at.map(after).filter(|ready| {
            // One that never became ready has the moment at which the clock began.
            *ready > Duration::ZERO || started.is_some()
        });
        task_runs.push(TaskRunReport {
            index,
            name: row.shown_name().to_owned(),
            task: row.task.name.clone(),
            kind: row.kind,
            parent: tree.parent(row),
            state: row.state,
            attempts: row.attempts,
            failed_attempts,
            // The moment of the submission is not recorded.
            submitted: ready.or(started).or(ended).unwrap_or_default(),
            ready,
            started,
            last_started: None,
            ended,
            error: row.error.as_ref().map(error_report),
            failure_observed: false,
            tags: Vec::new(),
            fingerprint: row.task.fingerprint.to_string(),
            source: row.task.source.clone(),
            items: tree.items.get(&row.call).cloned(),
            result_from: ResultSource::of(row.origin),
            is_orphaned: row.is_orphaned,
            call: Some(row.call.to_string()),
            logs: Vec::new(),
        });
    }
    let last_end = task_runs.iter().filter_map(|run| run.ended).max();
    let duration = match row.ended_at {
        Some(ended) => since(start, ended),
        // One whose process is gone took until the last thing that is known of it.
        None if row.state.is_final() => last_end.unwrap_or_default(),
        None => since(start, Timestamp::now()),
    };
    RunReport {
        flow_run: row.id.to_string(),
        flow: row.flow.clone(),
        name: row.name.clone(),
        tags: row.tags.clone(),
        state: row.state,
        error: row.error.as_ref().map(error_report),
        started_at_unix_ms: u64::try_from(start.0 / 1_000_000).unwrap_or(0),
        duration,
        seed: row.seed,
        parameters: ParameterReport::all_of(row),
        manifest: manifest_of(row),
        task_runs,
        edges,
        unrecorded: Vec::new(),
        logs: Vec::new(),
        logs_dropped: 0,
        logged: logged(run, &tree),
        logged_dropped: 0,
    }
}

/// What was logged, the flow body's first, then as the task runs are listed.
fn logged(run: &RecordedRun, tree: &Tree<'_>) -> Vec<LoggedReport> {
    let mut logged: Vec<LoggedReport> = run
        .logged
        .iter()
        .map(|(call, log)| {
            let heading = match tree.rows.get(call) {
                None => LoggedReport {
                    name: run.row.name.clone(),
                    task: run.row.flow.clone(),
                    ..LoggedReport::default()
                },
                Some(row) => LoggedReport {
                    task_run: tree.nearest(*call),
                    name: row.shown_name().to_owned(),
                    task: row.task.name.clone(),
                    is_item: tree.is_item(row),
                    ..LoggedReport::default()
                },
            };
            log.clone().with_heading(&heading)
        })
        .collect();
    logged.sort_by_key(|log| log.task_run);
    logged
}

/// Which rows are listed, and what belongs to what.
struct Tree<'a> {
    rows: HashMap<CallId, &'a TaskRunRow>,
    listed: Vec<&'a TaskRunRow>,
    index: HashMap<CallId, u32>,
    /// The items of each map by state.
    items: HashMap<CallId, TaskCounts>,
}

impl<'a> Tree<'a> {
    fn of(rows: &'a [TaskRunRow]) -> Self {
        let mut tree = Self {
            rows: rows.iter().map(|row| (row.call, row)).collect(),
            listed: Vec::new(),
            index: HashMap::new(),
            items: HashMap::new(),
        };
        for row in rows {
            if tree.is_item(row) {
                tree.count_item(row);
            } else {
                tree.index.insert(row.call, tree.listed.len() as u32);
                tree.listed.push(row);
            }
        }
        tree
    }

    fn is_item(&self, row: &TaskRunRow) -> bool {
        let scope = self.rows.get(&row.scope);
        scope.is_some_and(|scope| scope.kind == NodeKind::Map)
    }

    fn count_item(&mut self, row: &TaskRunRow) {
        let map = &self.rows[&row.scope];
        let counts = self.items.entry(map.call).or_insert_with(|| TaskCounts {
            task: map.task.name.clone(),
            completed: 0,
            found: 0,
            failed: 0,
            cancelled: 0,
        });
        counts.found += u64::from(row.state.is_found());
        match row.state {
            state if state.is_success() => counts.completed += 1,
            state if state.is_failure() => counts.failed += 1,
            state if state.is_final() => counts.cancelled += 1,
            _ => {}
        }
    }

    /// The index of a call, or of the map that counts it.
    fn nearest(&self, call: CallId) -> Option<u32> {
        self.index.get(&call).copied().or_else(|| {
            let row = self.rows.get(&call)?;
            self.index.get(&row.scope).copied()
        })
    }

    fn parent(&self, row: &TaskRunRow) -> Option<u32> {
        self.nearest(row.scope)
    }
}

fn since(start: Timestamp, at: Timestamp) -> Duration {
    // What was handed back may be older than the flow run itself.
    Duration::from_nanos(u64::try_from(at.0.saturating_sub(start.0)).unwrap_or(0))
}

fn attempt_report(attempt: &AttemptRow, start: Timestamp) -> Option<AttemptReport> {
    let error = attempt.error.as_ref()?;
    Some(AttemptReport {
        attempt: attempt.attempt,
        started: since(start, attempt.started_at),
        ended: since(start, attempt.ended_at),
        error: error_report(error),
    })
}

fn error_report(error: &RecordedError) -> ErrorReport {
    ErrorReport {
        message: error.message.clone(),
        causes: error.causes.clone(),
        backtrace: error.backtrace.clone(),
    }
}

impl TaskRunRow {
    /// Its name, for people.
    pub(crate) fn shown_name(&self) -> &str {
        self.name.as_deref().unwrap_or(&self.task.name)
    }
}

//! Recorded flow runs, read once each, and what in them goes where.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::{LineageEdgeKind as Kind, LineageFile, LineageParameter};
use crate::id::FlowRunId;
use crate::recorder::EngineStore;
use crate::report::{EdgeKind, NodeKind};
use crate::secret::scrub;
use crate::state::State;
use crate::store::{
    CallId, FlowRunFilter, FlowRunRow, Place, ResultOrigin, StoreError, StoredValue, TaskRow,
    TaskRunRow,
};
use crate::value::files_in;

/// How many task runs are held at the most: then no further flow run is read.
const MAX_ROWS: usize = 300_000;

/// A call, in any flow run.
pub(super) type CallIn = (FlowRunId, CallId);

/// The flow runs that were read.
pub(super) struct Runs<'a> {
    store: &'a EngineStore,
    runs: HashMap<FlowRunId, Option<Arc<Run>>>,
    n_rows: usize,
    /// Whether a flow run was not read because there were too many.
    pub(super) is_cut: bool,
}

/// A flow run, and who uses what in it.
pub(super) struct Run {
    pub(super) row: FlowRunRow,
    pub(super) parameters: Vec<LineageParameter>,
    pub(super) task_runs: Vec<TaskRunRow>,
    /// The files that each result names.
    pub(super) files: Vec<Vec<LineageFile>>,
    by_call: HashMap<CallId, usize>,
    /// Who used each one's result.
    users: Vec<Vec<(usize, Kind)>>,
    /// What was submitted under which call and was called by the last execution of the flow.
    contents: HashMap<CallId, Vec<usize>>,
    /// The flow runs that subflows were.
    subflows: HashMap<CallId, FlowRunId>,
}

/// A task run in a flow run that was read.
#[derive(Clone)]
pub(super) struct Found {
    pub(super) run: Arc<Run>,
    pub(super) at: usize,
}

impl Found {
    pub(super) fn row(&self) -> &TaskRunRow {
        &self.run.task_runs[self.at]
    }

    pub(super) fn call(&self) -> CallIn {
        (self.run.row.id, self.row().call)
    }

    fn with(&self, at: usize) -> Self {
        let run = Arc::clone(&self.run);
        Self { run, at }
    }
}

/// The files that a stored value names, where its bytes are at hand.
pub(super) fn files_of(value: &StoredValue) -> Vec<LineageFile> {
    let Place::Inline(bytes) = &value.place else {
        return Vec::new();
    };
    let files = files_in(&value.stored, bytes).into_iter();
    files
        .map(|file| LineageFile {
            path: scrub(file.path),
            content: file.content,
        })
        .collect()
}

impl Run {
    fn of(row: FlowRunRow, mut task_runs: Vec<TaskRunRow>, subflows: &[FlowRunRow]) -> Self {
        let by_call: HashMap<CallId, usize> = task_runs
            .iter()
            .enumerate()
            .map(|(at, row)| (row.call, at))
            .collect();
        let mut users = vec![Vec::new(); task_runs.len()];
        let mut contents: HashMap<CallId, Vec<usize>> = HashMap::new();
        let mut files = Vec::with_capacity(task_runs.len());
        for (at, row) in task_runs.iter().enumerate() {
            files.push(row.result.as_ref().map(files_of).unwrap_or_default());
            if row.is_orphaned {
                continue;
            }
            if row.kind != NodeKind::Finally {
                contents.entry(row.scope).or_default().push(at);
            }
            for (call, kind) in &row.upstream {
                if let (Some(upstream), Some(kind)) = (by_call.get(call), kind_of(*kind)) {
                    users[*upstream].push((at, kind));
                }
            }
        }
        for value in task_runs.iter_mut().filter_map(|row| row.result.as_mut()) {
            // There are many of them, and no more is asked of their bytes.
            value.place = Place::Blob;
        }
        // The newest come first; a call that was made again counts as it went the last time.
        let subflows = subflows.iter().rev();
        let subflows = subflows.filter_map(|run| Some((run.caller?.1, run.id)));
        let parameters = row.parameters.iter().flatten();
        let parameters = parameters.map(|parameter| LineageParameter {
            name: parameter.name.clone(),
            digest: parameter.value.stored.digest,
            shown: parameter.shown.clone(),
            files: files_of(&parameter.value),
        });
        Self {
            subflows: subflows.collect(),
            parameters: parameters.collect(),
            row,
            task_runs,
            files,
            by_call,
            users,
            contents,
        }
    }

    /// Whether what a task run was submitted under has its result from it, as far as can be told:
    /// nothing else in there used it.
    fn is_last(&self, at: usize) -> bool {
        let row = &self.task_runs[at];
        let is_used = self.users[at].iter().any(|(user, _)| {
            let user = &self.task_runs[*user];
            user.scope == row.scope && user.state.is_success()
        });
        let counts = row.kind != NodeKind::Finally && !row.is_orphaned;
        counts && row.state.is_success() && !is_used
    }
}

impl Run {
    /// The flow run that a subflow was.
    pub(super) fn subflow(&self, call: CallId) -> Option<FlowRunId> {
        self.subflows.get(&call).copied()
    }

    /// Whether a task run ran for an item of a map.
    pub(super) fn is_in_map(&self, at: usize) -> bool {
        let scope = |at: usize| self.by_call.get(&self.task_runs[at].scope).copied();
        // No scope is deeper than there are task runs.
        let scopes = std::iter::successors(scope(at), |at| scope(*at));
        let mut scopes = scopes.take(self.task_runs.len());
        scopes.any(|at| self.task_runs[at].kind == NodeKind::Map)
    }

    /// The task of what was submitted first under a call.
    pub(super) fn task_within(&self, call: CallId) -> Option<&Arc<TaskRow>> {
        let first = *self.contents.get(&call)?.first()?;
        Some(&self.task_runs[first].task)
    }
}

fn kind_of(kind: EdgeKind) -> Option<Kind> {
    match kind {
        EdgeKind::Data => Some(Kind::Data),
        EdgeKind::Catch => Some(Kind::Catch),
        EdgeKind::Order => None,
    }
}

impl<'a> Runs<'a> {
    pub(super) fn of(store: &'a EngineStore) -> Self {
        Self {
            store,
            runs: HashMap::new(),
            n_rows: 0,
            is_cut: false,
        }
    }

    pub(super) fn store(&self) -> &'a EngineStore {
        self.store
    }

    /// Returns a flow run, if it is recorded.
    pub(super) fn run(&mut self, id: FlowRunId) -> Result<Option<Arc<Run>>, StoreError> {
        if let Some(known) = self.runs.get(&id) {
            return Ok(known.clone());
        }
        if self.n_rows >= MAX_ROWS {
            self.is_cut = true;
            return Ok(None);
        }
        let run = match self.store.flow_run(id)? {
            None => None,
            Some(row) => {
                let task_runs = self.store.task_runs(id)?;
                self.n_rows += task_runs.len();
                let has_subflows = task_runs.iter().any(|row| row.kind == NodeKind::Subflow);
                let subflows = match has_subflows {
                    true => self.store.flow_runs(FlowRunFilter {
                        caller: Some(id),
                        ..FlowRunFilter::default()
                    })?,
                    false => Vec::new(),
                };
                Some(Arc::new(Run::of(row, task_runs, &subflows)))
            }
        };
        self.runs.insert(id, run.clone());
        Ok(run)
    }

    /// Returns a task run, if it is recorded.
    pub(super) fn find(&mut self, (run, call): CallIn) -> Result<Option<Found>, StoreError> {
        let run = self.run(run)?;
        Ok(run.and_then(|run| {
            let at = *run.by_call.get(&call)?;
            Some(Found { run, at })
        }))
    }

    /// Returns the execution that a task run's result is of, and the record that is nearest to it:
    /// its own, if there is one.
    pub(super) fn execution(&mut self, of: Found) -> Result<(CallIn, Found, bool), StoreError> {
        let mut nearest = of;
        let mut seen = HashSet::new();
        loop {
            let here = nearest.call();
            let from = match nearest.row().origin {
                ResultOrigin::Cached { run, call } if seen.insert(here) => (run, call),
                _ => return Ok((here, nearest, true)),
            };
            match self.find(from)? {
                Some(next) => nearest = next,
                None => return Ok((from, nearest, false)),
            }
        }
    }

    /// The task run that this one was submitted under.
    fn container(&mut self, of: &Found) -> Result<Option<Found>, StoreError> {
        if let Some(at) = of.run.by_call.get(&of.row().scope) {
            return Ok(Some(of.with(*at)));
        }
        match of.run.row.caller {
            Some(caller) if of.row().scope == CallId::ROOT => self.find(caller),
            _ => Ok(None),
        }
    }

    /// What was submitted under this task run.
    fn contents(&mut self, of: &Found) -> Result<Vec<Found>, StoreError> {
        let call = of.row().call;
        let mut within: Vec<Found> = Vec::new();
        if let Some(contents) = of.run.contents.get(&call) {
            within.extend(contents.iter().map(|at| of.with(*at)));
        }
        if let Some(subflow) = of.run.subflows.get(&call)
            && let Some(run) = self.run(*subflow)?
            && let Some(contents) = run.contents.get(&CallId::ROOT)
        {
            within.extend(contents.iter().map(|at| Found {
                run: Arc::clone(&run),
                at: *at,
            }));
        }
        Ok(within)
    }
}

impl Runs<'_> {
    /// What went into a task run, in the flow run that it belongs to.
    pub(super) fn before(&mut self, of: &Found) -> Result<Vec<(Found, Kind)>, StoreError> {
        let mut before = Vec::new();
        self.upstream(of, &mut |found, kind| before.push((found, kind)))?;
        for within in self.contents(of)? {
            if within.run.is_last(within.at) {
                before.push((within, Kind::Within));
            }
        }
        let (mut inner, mut passed) = (of.clone(), HashSet::from([of.call()]));
        while let Some(container) = self.container(&inner)?
            // Damaged rows may go round in circles.
            && passed.insert(container.call())
        {
            self.upstream(&container, &mut |found, _| {
                before.push((found, Kind::Given))
            })?;
            inner = container;
        }
        // What was an argument itself need not be told of as one of what it ran within.
        let mut seen = HashSet::new();
        before.retain(|(found, _)| seen.insert(found.call()));
        Ok(before)
    }

    fn upstream(
        &mut self,
        of: &Found,
        each: &mut dyn FnMut(Found, Kind),
    ) -> Result<(), StoreError> {
        for (call, kind) in &of.row().upstream {
            let Some(kind) = kind_of(*kind) else {
                continue;
            };
            if let Some(at) = of.run.by_call.get(call) {
                each(of.with(*at), kind);
                continue;
            }
            // A subflow may use handles of the flow that called it.
            let mut caller = of.run.row.caller;
            while let Some((run, _)) = caller {
                if let Some(found) = self.find((run, *call))? {
                    each(found, kind);
                    break;
                }
                caller = self.run(run)?.and_then(|run| run.row.caller);
            }
        }
        Ok(())
    }

    /// What a task run went into, in the flow run that it belongs to and the subflows there.
    pub(super) fn after(&mut self, of: &Found) -> Result<Vec<(Found, Kind)>, StoreError> {
        let users = of.run.users[of.at].iter();
        let mut after: Vec<(Found, Kind)> =
            users.map(|(user, kind)| (of.with(*user), *kind)).collect();
        let mut seen: HashSet<CallIn> = after.iter().map(|(user, _)| user.call()).collect();
        let mut next = 0;
        while let Some((container, _)) = after.get(next).cloned() {
            for within in self.contents(&container)? {
                if seen.insert(within.call()) {
                    after.push((within, Kind::Given));
                }
            }
            next += 1;
        }
        if of.run.is_last(of.at)
            && let Some(container) = self.container(of)?
        {
            after.push((container, Kind::Within));
        }
        // One that never started has used nothing.
        after.retain(|(found, _)| found.row().state != State::Skipped);
        Ok(after)
    }
}

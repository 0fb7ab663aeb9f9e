//! Going on with recorded flow runs, and making new ones of them.

use serde_json::{Map, Value};

use crate::error::{FlowError, FlowErrorKind};
use crate::id::FlowRunId;
use crate::parameters::{ArgumentError, ArgumentSource};
use crate::recorder::EngineStore;
use crate::register::{NamedCall, NamedRun, RegisteredFlow, flows};
use crate::state::State;
use crate::store::{FlowRunFilter, FlowRunRow, Place, RecordedTaskRuns, RunOrigin, StoreError};

use super::Engine;

impl Engine {
    /// Goes on with a recorded flow run, whatever state it is in: what completed is handed back,
    /// the rest runs. The flow has to be one of this program's.
    ///
    /// # Errors
    /// [`FlowErrorKind::Unknown`] if there is no record of it, [`FlowErrorKind::NoStore`] on an
    /// engine without a store, [`FlowErrorKind::AlreadyRunning`] if another process runs it,
    /// [`FlowErrorKind::NotCallable`] if the flow or its arguments are not there any more.
    pub fn resume(&self, run: FlowRunId) -> Result<NamedRun, FlowError> {
        let (_, row) = self.recorded(run)?;
        call_of(&row)?.resume(run).start(self)
    }

    /// Goes on with every flow run whose process is gone. Those whose flow is none of this
    /// program's are left alone.
    ///
    /// # Errors
    /// Those of [`resume`](Self::resume), apart from runs that turn out to be alive.
    pub fn resume_crashed(&self) -> Result<Vec<NamedRun>, FlowError> {
        let store = self.store(FlowRunId::NONE)?;
        let under_way = FlowRunFilter {
            states: vec![State::Pending, State::Running, State::Crashed],
            ..FlowRunFilter::default()
        };
        let rows = store
            .flow_runs(under_way)
            .map_err(|error| refused(FlowRunId::NONE, store_failure(&error)))?;
        let mut resumed = Vec::new();
        for row in rows {
            let is_ours = self.flow_runs().iter().any(|(id, _)| *id == row.id);
            if is_ours || row.caller.is_some() || find(&row).is_none() {
                continue;
            }
            match call_of(&row)?.resume(row.id).start(self) {
                Ok(run) => resumed.push(run),
                Err(error) if matches!(error.kind(), FlowErrorKind::AlreadyRunning { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(resumed)
    }

    /// Runs a recorded flow run once more, as a new one: what completed is handed back, apart from
    /// the runs of the tasks `from`, and of what comes to another result by that.
    ///
    /// # Errors
    /// Those of [`resume`](Self::resume).
    pub fn rerun(&self, run: FlowRunId, from: &[&str]) -> Result<NamedRun, FlowError> {
        let (call, _) = self.call_to_rerun(run, from)?;
        call.start(self)
    }

    /// Makes a new flow run of a recorded one, with some arguments changed or with other code: what
    /// is not touched by the change is handed back, the rest runs.
    ///
    /// # Errors
    /// Those of [`resume`](Self::resume), and [`FlowErrorKind::NotCallable`] for an argument that
    /// does not fit.
    pub fn fork(&self, run: FlowRunId, changed: Map<String, Value>) -> Result<NamedRun, FlowError> {
        let (call, _) = self.call_to_fork(run, changed)?;
        call.start(self)
    }

    /// Runs a recorded flow run of this engine's store anew on another engine: with its parameters
    /// and its seed, and with what its steps and the clock of its body came to then. Nothing is
    /// handed back; a pure flow comes to the same results, digest by digest.
    ///
    /// # Errors
    /// Those of [`resume`](Self::resume).
    pub fn replay(&self, run: FlowRunId, on: &Engine) -> Result<NamedRun, FlowError> {
        let (store, row) = self.recorded(run)?;
        let steps = store
            .steps(run)
            .map_err(|error| refused(run, store_failure(&error)))?;
        let call = call_of(&row)?.seed(row.seed).name(row.name);
        call.remember(steps).start(on)
    }

    /// Makes the call that [`rerun`](Self::rerun) starts; returns what it may hand back, too.
    pub(super) fn call_to_rerun(
        &self,
        run: FlowRunId,
        from: &[&str],
    ) -> Result<(NamedCall, RecordedTaskRuns), FlowError> {
        let (store, row) = self.recorded(run)?;
        let earlier = task_runs(store, run)?;
        let origin = RunOrigin::Rerun {
            of: run,
            from: from.iter().map(|name| (*name).to_owned()).collect(),
        };
        // The cache has their results as well.
        let call = from
            .iter()
            .fold(call_of(&row)?, |call, task| call.refresh(*task));
        Ok((call.origin(origin, earlier.clone()), earlier))
    }

    /// The same for [`fork`](Self::fork).
    pub(super) fn call_to_fork(
        &self,
        run: FlowRunId,
        changed: Map<String, Value>,
    ) -> Result<(NamedCall, RecordedTaskRuns), FlowError> {
        let (store, row) = self.recorded(run)?;
        let earlier = task_runs(store, run)?;
        let flow = find(&row).ok_or_else(|| refused(run, unknown_flow(&row)))?;
        let call = flow
            .call_changed(&row, changed)
            .map_err(|error| refused(run, not_callable(&row, error.to_string())))?;
        Ok((
            call.origin(RunOrigin::Fork { of: run }, earlier.clone()),
            earlier,
        ))
    }

    /// The same for [`resume`](Self::resume).
    pub(super) fn call_to_resume(
        &self,
        run: FlowRunId,
    ) -> Result<(NamedCall, RecordedTaskRuns), FlowError> {
        let (store, row) = self.recorded(run)?;
        Ok((call_of(&row)?.resume(run), task_runs(store, run)?))
    }

    pub(super) fn store(&self, run: FlowRunId) -> Result<&EngineStore, FlowError> {
        let store = self.0.store.as_deref();
        store.ok_or_else(|| refused(run, FlowErrorKind::NoStore))
    }

    /// Returns the record of a flow run.
    fn recorded(&self, run: FlowRunId) -> Result<(&EngineStore, FlowRunRow), FlowError> {
        let store = self.store(run)?;
        let row = store
            .flow_run(run)
            .map_err(|error| refused(run, store_failure(&error)))?
            .ok_or_else(|| refused(run, FlowErrorKind::Unknown { run }))?;
        Ok((store, row))
    }
}

impl RegisteredFlow {
    /// Makes a call with the arguments of a recorded one, apart from some.
    pub(crate) fn call_changed(
        &self,
        row: &FlowRunRow,
        changed: Map<String, Value>,
    ) -> Result<NamedCall, ArgumentError> {
        self.check_names(&changed)?;
        let stored = row.parameters.as_deref().unwrap_or_default();
        self.call_with(ArgumentSource::Changed(changed, stored))
    }
}

/// Finds the flow of a recorded run among those of this program.
pub(crate) fn find(row: &FlowRunRow) -> Option<&'static RegisteredFlow> {
    flows().find(|flow| flow.definition().name == row.flow)
}

fn call_of(row: &FlowRunRow) -> Result<NamedCall, FlowError> {
    let flow = find(row).ok_or_else(|| refused(row.id, unknown_flow(row)))?;
    let Some(parameters) = &row.parameters else {
        let problem = "its arguments could not be stored".to_owned();
        return Err(refused(row.id, not_callable(row, problem)));
    };
    debug_assert!(
        parameters
            .iter()
            .all(|parameter| matches!(parameter.value.place, Place::Inline(_))),
        "arguments are kept with the run"
    );
    flow.call_with(ArgumentSource::Stored(parameters))
        .map_err(|error| refused(row.id, not_callable(row, error.to_string())))
}

fn task_runs(store: &EngineStore, run: FlowRunId) -> Result<RecordedTaskRuns, FlowError> {
    store
        .recorded_task_runs(run)
        .map_err(|error| refused(run, store_failure(&error)))
}

pub(super) fn refused(run: FlowRunId, kind: FlowErrorKind) -> FlowError {
    FlowError::new(run.to_string(), kind)
}

fn unknown_flow(row: &FlowRunRow) -> FlowErrorKind {
    let mut known: Vec<&str> = flows().map(|flow| flow.definition().name).collect();
    known.sort_unstable();
    not_callable(
        row,
        format!(
            "this program has no such flow (it has: {})",
            known.join(", ")
        ),
    )
}

fn not_callable(row: &FlowRunRow, problem: String) -> FlowErrorKind {
    FlowErrorKind::NotCallable {
        flow: row.flow.clone(),
        problem,
    }
}

pub(super) fn store_failure(error: &StoreError) -> FlowErrorKind {
    FlowErrorKind::Store {
        message: error.to_string(),
    }
}

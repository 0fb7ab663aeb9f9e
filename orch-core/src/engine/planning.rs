//! What would run, before it runs.

use serde_json::{Map, Value};

use crate::error::FlowError;
use crate::history::RunPlan;
use crate::id::FlowRunId;
use crate::register::NamedCall;
use crate::store::RecordedTaskRuns;

use super::Engine;
use super::resuming::{refused, store_failure};

impl Engine {
    /// Finds out what [`resume`](Self::resume) would execute, and why, and executes nothing of it.
    ///
    /// The flow's body runs, with what it does outside of tasks, until it waits for something that
    /// would be executed. No task's body, step or hook runs, and nothing is recorded.
    ///
    /// # Errors
    /// Those of [`resume`](Self::resume).
    pub async fn plan_resume(&self, run: FlowRunId) -> Result<RunPlan, FlowError> {
        let (call, earlier) = self.call_to_resume(run)?;
        self.plan(run, call, earlier).await
    }

    /// Finds out what [`rerun`](Self::rerun) would execute. See [`plan_resume`](Self::plan_resume).
    ///
    /// # Errors
    /// Those of [`rerun`](Self::rerun).
    pub async fn plan_rerun(&self, run: FlowRunId, from: &[&str]) -> Result<RunPlan, FlowError> {
        let (call, earlier) = self.call_to_rerun(run, from)?;
        self.plan(run, call, earlier).await
    }

    /// Finds out what [`fork`](Self::fork) would execute. See [`plan_resume`](Self::plan_resume).
    ///
    /// # Errors
    /// Those of [`fork`](Self::fork).
    pub async fn plan_fork(
        &self,
        run: FlowRunId,
        changed: Map<String, Value>,
    ) -> Result<RunPlan, FlowError> {
        let (call, earlier) = self.call_to_fork(run, changed)?;
        self.plan(run, call, earlier).await
    }

    /// Finds out what a call would execute that is made of a recorded flow run.
    pub(crate) async fn plan(
        &self,
        run: FlowRunId,
        call: NamedCall,
        earlier: RecordedTaskRuns,
    ) -> Result<RunPlan, FlowError> {
        let apart = self.0.apart();
        let rehearsing = call.rehearse(&apart).map_err(|kind| refused(run, kind))?;
        let rehearsed = rehearsing.await;
        RunPlan::of(self.store(run)?, Some((run, earlier)), rehearsed)
            .map_err(|error| refused(run, store_failure(&error)))
    }
}

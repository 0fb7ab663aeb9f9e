//! What was logged in a flow run, for its report.

use super::Flow;
use crate::history::LoggedReader;
use crate::report::{LoggedReport, TaskRunReport};

impl Flow {
    /// What was logged, with what only the store knows of it, and how much did not fit the memory.
    pub(super) fn logged(&self, task_runs: &[TaskRunReport]) -> (Vec<LoggedReport>, u64) {
        let (live, dropped) = self.live_log.report();
        let known = || live.iter().map(|live| live.log.clone()).collect();
        let Some(recorder) = self.recorder() else {
            return (known(), dropped);
        };
        let mut reader = LoggedReader::new(&recorder.store);
        let logged = reader.complete(self.id, &live, task_runs);
        let logged = logged.unwrap_or_else(|error| {
            tracing::warn!(target: "orch", flow_run = self.name, "what was logged: {error}");
            known()
        });
        (logged, dropped)
    }
}

//! The notices for durable hooks that are committed with a change of state.

use crate::definition::HookOn;
use crate::error::RecordedError;
use crate::hook::{Notice, NoticeTaskRun};
use crate::node::Header;
use crate::report::NodeKind;
use crate::secret::scrub;
use crate::state::State;
use crate::store::{AttemptRow, Change, FlowRunRow, TaskRunRow};

use super::{Recorder, lock};

impl Recorder {
    /// The notices of a flow run that has ended as its row says.
    pub(super) fn notices_of_flow_run(&self, row: &FlowRunRow) -> Vec<Change> {
        let (Some(hooks), Some(on)) = (&self.store.hooks, HookOn::of_end(row.state)) else {
            return Vec::new();
        };
        hooks.notices(on, &row.flow, None, || Notice {
            state: row.state,
            attempt: 1,
            error: row.error.as_ref().map(RecordedError::text),
            changed_at: row.ended_at.unwrap_or(row.started_at),
            ..Notice::of_flow_run(on, row.id, &row.flow, &row.name)
        })
    }

    /// The notices of a task run that has ended as its row says; none of one that has not.
    pub(super) fn notices_of_task_run(&self, row: &TaskRunRow) -> Vec<Change> {
        let (Some(hooks), Some(on)) = (&self.store.hooks, HookOn::of_end(row.state)) else {
            return Vec::new();
        };
        if row.kind != NodeKind::Task {
            return Vec::new();
        }
        let flow_run = lock(&self.row);
        hooks.notices(on, &flow_run.flow, Some(&row.task.name), || Notice {
            task_run: Some(NoticeTaskRun {
                index: row.index,
                call: Some(row.call.to_string()),
                task: row.task.name.clone(),
                name: row.name.clone().unwrap_or_else(|| row.task.name.clone()),
            }),
            state: row.state,
            attempt: row.attempts,
            error: row.error.as_ref().map(RecordedError::text),
            changed_at: row.ended_at.unwrap_or(self.started_at),
            ..Notice::of_flow_run(on, flow_run.id, &flow_run.flow, &flow_run.name)
        })
    }

    /// The notices of an attempt that failed and that another one follows.
    pub(super) fn notices_of_attempt(&self, header: &Header, row: &AttemptRow) -> Vec<Change> {
        let Some(hooks) = &self.store.hooks else {
            return Vec::new();
        };
        if header.kind != NodeKind::Task {
            return Vec::new();
        }
        let flow_run = lock(&self.row);
        let task = header.definition.name;
        hooks.notices(HookOn::Retry, &flow_run.flow, Some(task), || Notice {
            task_run: Some(NoticeTaskRun {
                index: header.index,
                call: Some(row.call.to_string()),
                task: task.to_owned(),
                name: scrub(header.name().to_owned()),
            }),
            state: State::AwaitingRetry,
            attempt: row.attempt,
            error: row.error.as_ref().map(RecordedError::text),
            changed_at: row.ended_at,
            ..Notice::of_flow_run(HookOn::Retry, flow_run.id, &flow_run.flow, &flow_run.name)
        })
    }
}

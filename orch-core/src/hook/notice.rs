//! What a durable hook is told.

use std::hash::{BuildHasher as _, RandomState};

use serde::{Deserialize, Serialize};

use crate::definition::HookOn;
use crate::id::FlowRunId;
use crate::state::State;
use crate::store::Timestamp;

/// What a [`DurableHook`](super::DurableHook) is told: one change of a run's state.
///
/// It may come more than once, with the same `id` each time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Notice {
    /// Names the notice: the same at each attempt to deliver it, also after a restart, and no other's.
    /// Whoever is told of it can know by this that it is one that was there before.
    pub id: String,
    /// The name of the hook.
    pub hook: String,
    /// What happened; never [`HookOn::End`].
    pub on: HookOn,
    /// The flow run's id.
    pub flow_run_id: FlowRunId,
    /// The flow's name.
    pub flow: String,
    /// The name of the flow run.
    pub flow_run: String,
    /// The task run whose state changed, or `None` if it was the flow run's.
    pub task_run: Option<NoticeTaskRun>,
    /// The state after the change, as it is recorded.
    pub state: State,
    /// The attempt, from 1; 0 for a task run that never started. 1 for a flow run.
    pub attempt: u32,
    /// The error and its causes, where there is one.
    pub error: Option<String>,
    /// When the state changed.
    pub changed_at: Timestamp,
    /// Which attempt to deliver it this is, from 1.
    pub delivery: u32,
}

/// The task run that a notice is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct NoticeTaskRun {
    /// Its place in the order of submission.
    pub index: u32,
    /// Names its call within the flow run, the same when the flow run is gone on with; only where
    /// the flow run is recorded.
    pub call: Option<String>,
    /// The task's name.
    pub task: String,
    /// Its own name.
    pub name: String,
}

impl Notice {
    /// What is the same for all hooks and all that can happen in a flow run.
    pub(crate) fn of_flow_run(on: HookOn, id: FlowRunId, flow: &str, flow_run: &str) -> Self {
        Self {
            id: String::new(),
            hook: String::new(),
            on,
            flow_run_id: id,
            flow: flow.to_owned(),
            flow_run: flow_run.to_owned(),
            task_run: None,
            state: State::Running,
            attempt: 1,
            error: None,
            changed_at: Timestamp::default(),
            delivery: 1,
        }
    }

    /// Addresses it to a hook.
    pub(crate) fn to(self, hook: &str) -> Self {
        // Each `RandomState` has keys of its own, seeded by the operating system.
        let random = || RandomState::new().hash_one(hook);
        Self {
            id: format!("{:016x}{:016x}", random(), random()),
            hook: hook.to_owned(),
            ..self
        }
    }
}

//! Where something is logged: a task run or a flow body, and how its rows say so.

use std::sync::Arc;

use super::{RunLog, TrackError};
use crate::context::{FlowContext, TaskContext};
use crate::flow::Flow;
use crate::node::Header;
use crate::recorder::Recorder;
use crate::store::{CallId, LoggedBy};

/// What something is logged for.
pub struct Target<'a> {
    pub(crate) flow: &'a Arc<Flow>,
    /// The task run; `None` for the flow body.
    pub(crate) header: Option<&'a Header>,
    pub(crate) attempt: u32,
}

impl<'a> Target<'a> {
    pub(super) fn of_task_run(header: &'a Header, attempt: u32) -> Self {
        Self {
            flow: &header.flow,
            header: Some(header),
            attempt,
        }
    }

    pub(super) fn of_flow(flow: &'a Arc<Flow>) -> Self {
        Self {
            flow,
            header: None,
            attempt: 1,
        }
    }

    pub(super) fn name(&self) -> &str {
        self.header.map_or_else(|| self.flow.name(), Header::name)
    }

    /// Where rows go, and what they say of whose they are; `None` on an engine without a store, and
    /// for a task run that has no call.
    pub(super) fn recorded(&self) -> Option<(&'a Recorder, LoggedBy)> {
        let recorder = self.flow.recorder()?;
        let by = match self.header {
            None => LoggedBy {
                call: CallId::ROOT,
                execution: recorder.fence().epoch,
                attempt: 1,
            },
            Some(header) => LoggedBy {
                call: header.call()?,
                execution: header.identity()?.execution(),
                attempt: self.attempt,
            },
        };
        Some((recorder, by))
    }
}

type Log<'a> = &'a mut dyn FnMut(&Target<'_>) -> Result<(), TrackError>;

/// What knows where to log. Nothing is checked or logged where there is no run.
#[expect(unnameable_types, reason = "users call what `Track` makes of it")]
pub trait Targeted {
    #[doc(hidden)]
    fn with_target(&self, log: Log<'_>) -> Result<(), TrackError>;
}

impl Targeted for TaskContext {
    fn with_target(&self, log: Log<'_>) -> Result<(), TrackError> {
        match self.node() {
            Some(node) => log(&Target::of_task_run(node.header(), self.attempt())),
            None => Ok(()),
        }
    }
}

impl Targeted for FlowContext {
    fn with_target(&self, log: Log<'_>) -> Result<(), TrackError> {
        match self.flow() {
            Some(flow) => log(&Target::of_flow(flow)),
            None => Ok(()),
        }
    }
}

impl Targeted for RunLog {
    fn with_target(&self, log: Log<'_>) -> Result<(), TrackError> {
        match (&self.node, &self.flow) {
            (Some(node), _) => log(&Target::of_task_run(node.header(), self.attempt)),
            (None, Some(flow)) => log(&Target::of_flow(flow)),
            (None, None) => Ok(()),
        }
    }
}

//! Functions that are called when a run changes state.

mod durable;
mod notice;

pub use self::durable::{DurableHook, DurableHookError};
pub use self::notice::{Notice, NoticeTaskRun};

use std::time::Duration;

use crate::definition::HookOn;
use crate::error::TaskError;
use crate::state::State;

/// A function that is called when a run changes state.
pub type Hook = fn(&HookEvent<'_>);

/// What a hook is told.
///
/// Hooks run in the process, on the thread that made the change, before anybody who waits for the
/// run learns of it; so they are short, and hand longer work on. A hook that panics is logged and
/// changes nothing. What is to be told for certain, also after a crash, is for a [`DurableHook`].
#[derive(Debug)]
#[non_exhaustive]
pub struct HookEvent<'a> {
    /// What happened.
    pub on: HookOn,
    /// The name of the flow run.
    pub flow_run: &'a str,
    /// The name of the task run, or `None` for a hook of a flow.
    pub task_run: Option<&'a str>,
    /// The state after the change.
    pub state: State,
    /// The attempt, from 1; 0 before the first.
    pub attempt: u32,
    /// The error, where there is one.
    pub error: Option<&'a TaskError>,
    /// The wait before the next attempt, for a retry.
    pub retry_in: Option<Duration>,
}

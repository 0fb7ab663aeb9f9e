//! The clocks of a task run.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The clock that ran out when a task run timed out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Clock {
    /// `timeout`: how long one attempt may run. Starts anew with each attempt.
    Attempt,
    /// `queue_timeout`: how long an attempt may wait to start once the inputs are there. Starts
    /// anew with each attempt.
    Queue,
    /// `deadline`: the whole task run from the moment its inputs are there, with all attempts and
    /// the waits between them.
    Deadline,
    /// `heartbeat`: the longest silence between two calls of `TaskContext::heartbeat`.
    Heartbeat,
}

impl Clock {
    /// The option of `#[task]` that sets this clock.
    pub const fn option(self) -> &'static str {
        match self {
            Clock::Attempt => "timeout",
            Clock::Queue => "queue_timeout",
            Clock::Deadline => "deadline",
            Clock::Heartbeat => "heartbeat",
        }
    }
}

impl fmt::Display for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.option())
    }
}

/// What to do with an attempt whose clock has run out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum OnTimeout {
    /// Drops the future of an async attempt. A blocking attempt is asked to stop through its
    /// context, and abandoned when it has not after the grace time.
    #[default]
    Abort,
    /// Leaves a blocking attempt behind at once: its thread runs on, its result is thrown away.
    /// Abandoned threads are counted, see `Engine::abandoned_threads`.
    Abandon,
}

//! What a flow run does with its other task runs once one has failed.

use serde::{Deserialize, Serialize};

/// What a flow run does with its other task runs once one has failed for good.
///
/// In every mode, what depends on the failure is skipped at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureMode {
    /// Cancels what runs and starts no more, as soon as the failure can no longer be caught: the
    /// flow body has returned an error, or nothing is left in the program that could look at the
    /// failed task run.
    #[default]
    FailFast,
    /// Lets the running ones finish and starts no more, from the same moment on.
    StopOnFailure,
    /// Runs all that does not depend on the failure.
    ContinueOnFailure,
}

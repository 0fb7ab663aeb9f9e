//! What a command failed with, and the code to exit with for it.

use std::error::Error;
use std::fmt;
use std::path::Path;

use serde_json::{Value, json};

use crate::engine::SettingError;
use crate::error::{FlowError, TaskError};
use crate::history::{ExplainError, FindRunError, LineageError};
use crate::parameters::ArgumentError;
use crate::report::{ReportError, human};
use crate::store::StoreError;

/// A failed command.
#[derive(Debug)]
pub(super) struct Failure {
    is_usage: bool,
    message: String,
    causes: Vec<String>,
    help: Option<String>,
}

impl Failure {
    /// A run or the store failed, or something is not there.
    pub(super) fn new(message: impl Into<String>) -> Self {
        Self {
            is_usage: false,
            message: message.into(),
            causes: Vec::new(),
            help: None,
        }
    }

    /// The command or an argument was wrong.
    pub(super) fn usage(message: impl Into<String>) -> Self {
        Self {
            is_usage: true,
            ..Self::new(message)
        }
    }

    pub(super) fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    pub(super) fn no_store(path: &Path) -> Self {
        Self::new(format!("there is no store in `{}`", path.display()))
            .with_help("`--store DIR` names the folder; `run` makes it")
    }

    fn of(error: &dyn Error) -> Self {
        let mut failure = Self::new(error.to_string());
        let mut next = error.source();
        while let Some(cause) = next {
            failure.causes.push(cause.to_string());
            next = cause.source();
        }
        failure
    }

    pub(super) fn code(&self) -> u8 {
        if self.is_usage { 2 } else { 1 }
    }

    pub(super) fn to_json(&self) -> Value {
        json!({
            "error": {
                "message": self.message,
                "causes": self.causes,
                "help": self.help,
            }
        })
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "error: {}", human::clean(&self.message))?;
        for cause in &self.causes {
            writeln!(f, "  caused by: {}", human::clean(cause))?;
        }
        match &self.help {
            Some(help) => writeln!(f, "help: {help}"),
            None => Ok(()),
        }
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        let failure = Self::of(&error);
        match error.help() {
            Some(help) => failure.with_help(help),
            None => failure,
        }
    }
}

impl From<SettingError> for Failure {
    fn from(error: SettingError) -> Self {
        Self {
            is_usage: true,
            ..Self::of(&error)
        }
    }
}

impl From<ReportError> for Failure {
    fn from(error: ReportError) -> Self {
        Self::of(&error).with_help(error.help())
    }
}

impl From<FindRunError> for Failure {
    fn from(error: FindRunError) -> Self {
        let failure = Self::of(&error);
        match error.help() {
            Some(help) => failure.with_help(help),
            None => failure,
        }
    }
}

impl From<ExplainError> for Failure {
    fn from(error: ExplainError) -> Self {
        Self::of(&error)
    }
}

impl From<LineageError> for Failure {
    fn from(error: LineageError) -> Self {
        let failure = Self::of(&error);
        match error.help() {
            Some(help) => failure.with_help(help),
            None => failure,
        }
    }
}

impl From<ArgumentError> for Failure {
    fn from(error: ArgumentError) -> Self {
        Self {
            is_usage: true,
            ..Self::of(&error).with_help("`flows` lists the parameters of each flow")
        }
    }
}

impl From<FlowError> for Failure {
    fn from(error: FlowError) -> Self {
        let of_task = error.downcast_ref::<TaskError>().and_then(TaskError::help);
        let failure = Self::of(&error);
        match of_task.or_else(|| error.help()) {
            Some(help) => failure.with_help(help),
            None => failure,
        }
    }
}

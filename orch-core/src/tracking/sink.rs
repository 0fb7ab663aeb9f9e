//! Who is told of what is logged, as it is logged.

use std::path::Path;

use serde_json::Value;

use super::ArtifactContent;
use super::target::Target;
use crate::flow::Flow;
use crate::id::FlowRunId;
use crate::node::Header;
use crate::state::State;
use crate::store::Timestamp;

/// Is told of flow runs and of all that they log, point by point: to hand it on to other systems.
///
/// It is called where something is logged, by whoever logs it, and has to return at once: what takes
/// time belongs to a thread of its own, behind a queue with a bound. What is logged again since a
/// result was cached or handed back is not told.
pub trait LogSink: Send + Sync + 'static {
    /// Is told what happened.
    fn take(&self, event: &LogEvent<'_>);
}

/// What a [`LogSink`] is told.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct LogEvent<'a> {
    /// The flow run.
    pub flow_run: FlowRunId,
    /// The task run that logs; `None` for the flow run itself.
    pub task_run: Option<LoggingTaskRun<'a>>,
    /// When.
    pub at: Timestamp,
    /// What.
    pub kind: LogEventKind<'a>,
}

/// A task run that logs.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct LoggingTaskRun<'a> {
    /// Its position in the order of submission.
    pub index: u32,
    /// Its name.
    pub name: &'a str,
    /// The name of its task.
    pub task: &'a str,
    /// Its attempt, from 1.
    pub attempt: u32,
    /// Whether it is an item of a map.
    pub is_item: bool,
}

/// What happened.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum LogEventKind<'a> {
    /// The flow run started.
    Started {
        /// The flow's name.
        flow: &'a str,
        /// The flow run's name.
        name: &'a str,
        /// Its tags.
        tags: &'a [String],
        /// Its arguments for people, by name, where they are recorded.
        parameters: &'a [(String, Value)],
    },
    /// A param was logged that was not there, or of another attempt.
    Param {
        /// Its name.
        name: &'a str,
        /// Its value.
        value: &'a Value,
    },
    /// A point of a metric was logged.
    Metric {
        /// Its name.
        name: &'a str,
        /// The step.
        step: i64,
        /// The value.
        value: f64,
    },
    /// A tag was set.
    Tag {
        /// Its name.
        name: &'a str,
        /// Its value.
        value: &'a str,
    },
    /// An artifact was logged.
    Artifact {
        /// Its name.
        name: &'a str,
        /// Its bytes, if they were given.
        bytes: Option<&'a [u8]>,
        /// The file that holds them now, if that was given.
        file: Option<&'a Path>,
    },
    /// The flow run ended.
    Ended {
        /// The state it ended in.
        state: State,
    },
}

impl<'a> LoggingTaskRun<'a> {
    fn of(header: &'a Header, attempt: u32) -> Self {
        Self {
            index: header.index,
            name: header.name(),
            task: header.definition.name,
            attempt,
            is_item: header.is_item(),
        }
    }
}

impl<'a> LogEventKind<'a> {
    pub(super) fn artifact(name: &'a str, content: &'a ArtifactContent<'_>) -> Self {
        let (bytes, file) = match content {
            ArtifactContent::Bytes(bytes) => (Some(&**bytes), None),
            ArtifactContent::File(path) => (None, Some(&**path)),
        };
        Self::Artifact { name, bytes, file }
    }
}

impl Target<'_> {
    /// Tells the sink of the engine, if it has one.
    pub(super) fn tell<'a>(&self, kind: impl FnOnce() -> LogEventKind<'a>) {
        if let Some(sink) = self.flow.log_sink() {
            sink.take(&LogEvent {
                flow_run: self.flow.id,
                task_run: self
                    .header
                    .map(|header| LoggingTaskRun::of(header, self.attempt)),
                at: self.flow.timestamp(),
                kind: kind(),
            });
        }
    }
}

impl Flow {
    /// Who is told of what is logged: nobody where nothing happens.
    fn log_sink(&self) -> Option<&dyn LogSink> {
        let sink = self.engine.log_sink.as_deref();
        sink.filter(|_| self.rehearsal().is_none())
    }

    /// Tells the sink of the engine that the flow run has started.
    pub(crate) fn tell_of_start(&self) {
        let Some(sink) = self.log_sink() else {
            return;
        };
        let row = self.recorder().map(|recorder| recorder.row());
        let parameters = row.and_then(|row| row.parameters).unwrap_or_default();
        let parameters: Vec<(String, Value)> = parameters
            .into_iter()
            .map(|parameter| (parameter.name, parameter.shown))
            .collect();
        self.tell_of_itself(
            sink,
            LogEventKind::Started {
                flow: self.definition.name,
                name: self.name(),
                tags: &self.tags,
                parameters: &parameters,
            },
        );
    }

    /// Tells the sink of the engine that the flow run has ended.
    pub(crate) fn tell_of_end(&self, state: State) {
        if let Some(sink) = self.log_sink() {
            self.tell_of_itself(sink, LogEventKind::Ended { state });
        }
    }

    fn tell_of_itself(&self, sink: &dyn LogSink, kind: LogEventKind<'_>) {
        sink.take(&LogEvent {
            flow_run: self.id,
            task_run: None,
            at: self.timestamp(),
            kind,
        });
    }
}

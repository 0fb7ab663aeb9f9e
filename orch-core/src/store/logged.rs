//! What code logs on the record of a flow run: rows of params, tags, metrics and artifacts.

use std::sync::Arc;

use super::{CallId, StoredValue, Timestamp};

/// Rows that are logged together.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Logged {
    /// A param; replaces one of the same name.
    Param(Box<LoggedValueRow>),
    /// A tag; replaces one of the same name.
    Tag(Box<LoggedValueRow>),
    /// Points of metrics, in the order in which they were logged.
    Metrics(Vec<MetricRow>),
    /// An artifact; replaces one of the same name.
    Artifact(Box<ArtifactRow>),
}

/// What logged something: one attempt of one execution of a task run, or of a flow body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LoggedBy {
    /// The call of the task run, or [`CallId::ROOT`] for the flow body.
    pub call: CallId,
    /// Which execution: that of the task run's row, or the flow run's epoch for its body. Calls of a
    /// later execution of the flow run, or of a further pass of a retry scope, have another one.
    pub execution: u64,
    /// The attempt, from 1.
    pub attempt: u32,
}

/// A param or a tag.
#[derive(Debug, Clone, PartialEq)]
pub struct LoggedValueRow {
    /// What logged it.
    pub by: LoggedBy,
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: serde_json::Value,
    /// When it was logged.
    pub at: Timestamp,
}

/// A point of a metric.
#[derive(Debug, Clone, PartialEq)]
pub struct MetricRow {
    /// What logged it.
    pub by: LoggedBy,
    /// The metric's name.
    pub name: Arc<str>,
    /// The step that the value is of.
    pub step: i64,
    /// The value; NaN and infinite ones are values like others.
    pub value: f64,
    /// When it was logged.
    pub at: Timestamp,
}

/// An artifact. Its bytes are a blob.
#[derive(Debug, Clone, PartialEq)]
pub struct ArtifactRow {
    /// What logged it.
    pub by: LoggedBy,
    /// Its name: a path with `/`.
    pub name: String,
    /// Its media type.
    pub media_type: String,
    /// Its digest and its length.
    pub value: StoredValue,
    /// When it was logged.
    pub at: Timestamp,
}

/// All that was logged in a flow run, of all attempts.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct LoggedRows {
    /// Params.
    pub params: Vec<LoggedValueRow>,
    /// Tags.
    pub tags: Vec<LoggedValueRow>,
    /// Points of metrics, in the order in which they were logged.
    pub metrics: Vec<MetricRow>,
    /// Artifacts.
    pub artifacts: Vec<ArtifactRow>,
}

impl LoggedRows {
    /// Whether nothing was logged.
    pub fn is_empty(&self) -> bool {
        self.params.is_empty()
            && self.tags.is_empty()
            && self.metrics.is_empty()
            && self.artifacts.is_empty()
    }
}

impl Logged {
    /// How much the rows hold, about, beside a change's own size.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Param(row) | Self::Tag(row) => row.value.as_str().map_or(0, str::len),
            Self::Metrics(rows) => rows.len() * size_of::<MetricRow>(),
            Self::Artifact(_) => 0,
        }
    }
}

//! What code logged, in memory.

use std::collections::BTreeMap;

use crate::store::{ArtifactRow, Logged, LoggedBy, LoggedRows, LoggedValueRow, MetricRow};

type Named<T> = BTreeMap<(LoggedBy, String), T>;

/// What was logged in a flow run.
#[derive(Default)]
pub(super) struct LoggedTables {
    params: Named<LoggedValueRow>,
    tags: Named<LoggedValueRow>,
    metrics: Vec<MetricRow>,
    artifacts: Named<ArtifactRow>,
}

impl LoggedTables {
    pub(super) fn put(&mut self, logged: &Logged) {
        match logged {
            Logged::Param(row) => {
                self.params
                    .insert((row.by, row.name.clone()), (**row).clone());
            }
            Logged::Tag(row) => {
                self.tags
                    .insert((row.by, row.name.clone()), (**row).clone());
            }
            Logged::Metrics(rows) => self.metrics.extend_from_slice(rows),
            Logged::Artifact(row) => {
                self.artifacts
                    .insert((row.by, row.name.clone()), (**row).clone());
            }
        }
    }

    pub(super) fn rows(&self) -> LoggedRows {
        LoggedRows {
            params: self.params.values().cloned().collect(),
            tags: self.tags.values().cloned().collect(),
            metrics: self.metrics.clone(),
            artifacts: self.artifacts.values().cloned().collect(),
        }
    }

    pub(super) fn artifacts(&self) -> impl Iterator<Item = &ArtifactRow> {
        self.artifacts.values()
    }
}

//! A flow run as runs of MLflow: one for itself, and one for each item of a map that logged.

use std::collections::{BTreeMap, HashMap};

use orch_core::history::RecordedRun;
use orch_core::report::{LoggedReport, MetricPoint};

use super::naming::{self, Parts};

/// A run as MLflow has it.
pub(super) struct MlflowRun {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) status: u8,
    pub(super) started_at_ms: i64,
    pub(super) ended_at_ms: Option<i64>,
    pub(super) params: BTreeMap<String, String>,
    pub(super) metrics: BTreeMap<String, Vec<MetricPoint>>,
    pub(super) tags: BTreeMap<String, String>,
    /// The digests of artifacts.
    pub(super) artifacts: BTreeMap<String, String>,
}

impl MlflowRun {
    /// The runs of a flow run, its own first.
    pub(super) fn all_of(recorded: &RecordedRun) -> Vec<Self> {
        let row = &recorded.row;
        let report = recorded.report();
        let ms = |nanos: i64| nanos.div_euclid(1_000_000);
        let mut own = Self {
            id: naming::run_id(&report.flow_run, None),
            name: row.name.clone(),
            status: naming::status(row.state).1,
            started_at_ms: ms(row.started_at.0),
            ended_at_ms: row.ended_at.map(|ended| ms(ended.0)),
            params: BTreeMap::new(),
            metrics: BTreeMap::new(),
            tags: BTreeMap::new(),
            artifacts: BTreeMap::new(),
        };
        for argument in row.parameters.iter().flatten() {
            let value = naming::shown(&argument.shown);
            own.params.insert(argument.name.clone(), value);
        }
        own.tag("mlflow.runName", &row.name);
        own.tag("orch.flow_run", &report.flow_run);
        own.tag("orch.state", &row.state.to_string());
        if !row.tags.is_empty() {
            own.tag("orch.tags", &row.tags.join(", "));
        }
        if let Some(error) = &report.error {
            let causes = error.causes.iter().map(String::as_str);
            let all: Vec<&str> = std::iter::once(&*error.message).chain(causes).collect();
            own.tag("orch.error", &all.join(": "));
        }
        let mut parts = Parts::new();
        let mut items: HashMap<&str, usize> = HashMap::new();
        let mut children = Vec::new();
        for (at, log) in report.logged.iter().enumerate() {
            if log.is_item {
                let n = items.entry(&log.name).or_default();
                children.push(own.child(&report.flow_run, log, *n));
                *n += 1;
            } else {
                let part = log.task_run.map(|_| parts.of(at, &log.name));
                own.add(log, part);
            }
        }
        std::iter::once(own).chain(children).collect()
    }

    /// The run of an item of a map.
    fn child(&self, flow_run: &str, log: &LoggedReport, n: usize) -> Self {
        let points = log.metrics.values().flat_map(|metric| &metric.points);
        let last = points.map(|point| point.at_unix_ms).max();
        let mut child = Self {
            id: naming::run_id(flow_run, Some((&log.name, n))),
            name: log.name.clone(),
            // Items are counted by state and not listed: one that logged ran.
            status: self.status,
            started_at_ms: self.started_at_ms,
            ended_at_ms: last.or(self.ended_at_ms),
            params: BTreeMap::new(),
            metrics: BTreeMap::new(),
            tags: BTreeMap::new(),
            artifacts: BTreeMap::new(),
        };
        child.tag("mlflow.runName", &log.name);
        child.tag("mlflow.parentRunId", &self.id);
        child.tag("orch.flow_run", flow_run);
        child.add(log, None);
        child
    }

    fn tag(&mut self, name: &str, value: &str) {
        self.tags.insert(name.to_owned(), value.to_owned());
    }

    fn add(&mut self, log: &LoggedReport, part: Option<&str>) {
        let named = |name: &str| match part {
            Some(part) => naming::within(part, name),
            None => name.to_owned(),
        };
        for (name, value) in &log.params {
            self.params.insert(named(name), naming::shown(value));
        }
        for (name, metric) in &log.metrics {
            self.metrics.insert(named(name), metric.points.clone());
        }
        for (name, value) in &log.tags {
            self.tags.insert(named(name), value.clone());
        }
        for (name, artifact) in &log.artifacts {
            self.artifacts.insert(named(name), artifact.digest.clone());
        }
    }
}

//! What the thread of an upload does: it makes runs and batches of what waits, and sends them.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use orch_core::FlowRunId;
use serde_json::{Value, json};

use super::client::{CallError, Client};
use super::{Content, Entry, Queue, What};
use crate::mlflow::naming::{self, Parts};

/// The most that a batch holds, by the limits of MLflow.
const MAX_BATCH: usize = 1_000;

/// The most params, and the most tags, that a batch holds.
const MAX_PAIRS: usize = 100;

/// The most bytes of params and tags that a batch holds: the server takes a megabyte.
const MAX_BYTES: usize = 400_000;

/// How long nothing is sent to a server that was not reached: what comes meanwhile has failed.
const PAUSE: Duration = Duration::from_secs(1);

/// A flow run, or an item of a map in it.
type Key = (FlowRunId, Option<u32>);

pub(super) struct Uploader {
    client: Client,
    experiments: HashMap<String, String>,
    runs: HashMap<Key, Run>,
    parts: HashMap<FlowRunId, Parts<u32>>,
    /// Until when the server counts as gone.
    paused_until: Option<Instant>,
}

/// A run on the server, and what is to be sent of it.
struct Run {
    id: String,
    artifact_uri: String,
    experiment: String,
    params: HashMap<String, String>,
    batch: Batch,
}

#[derive(Default)]
struct Batch {
    metrics: Vec<Value>,
    params: Vec<(String, String)>,
    tags: Vec<(String, String)>,
    bytes: usize,
}

impl Batch {
    fn len(&self) -> usize {
        self.metrics.len() + self.params.len() + self.tags.len()
    }

    fn is_full(&self) -> bool {
        self.len() >= MAX_BATCH
            || self.params.len() >= MAX_PAIRS
            || self.tags.len() >= MAX_PAIRS
            || self.bytes >= MAX_BYTES
    }
}

impl Uploader {
    pub(super) fn new(client: Client) -> Self {
        Self {
            client,
            experiments: HashMap::new(),
            runs: HashMap::new(),
            parts: HashMap::new(),
            paused_until: None,
        }
    }

    /// Sends what comes until nothing will.
    pub(super) fn run(mut self, queue: &Queue) {
        while let Some(entries) = queue.next(10 * MAX_BATCH) {
            for entry in entries {
                self.take(queue, entry);
            }
            let keys: Vec<Key> = self.runs.keys().copied().collect();
            for key in keys {
                self.flush(queue, key);
            }
        }
        queue.end();
    }

    fn take(&mut self, queue: &Queue, entry: Entry) {
        let Entry {
            flow_run,
            task_run,
            at_ms,
            what,
        } = entry;
        match &what {
            What::Started {
                flow,
                name,
                tags,
                params,
            } => {
                self.start(queue, flow_run, flow, name, tags, params, at_ms);
                return;
            }
            What::Ended(state) => {
                self.end(queue, flow_run, naming::status(*state).0, at_ms);
                return;
            }
            _ => {}
        }
        let (key, part) = match &task_run {
            None => ((flow_run, None), None),
            Some((index, name, true)) => {
                let key = (flow_run, Some(*index));
                if !self.runs.contains_key(&key) {
                    self.start_item(queue, key, name, at_ms);
                }
                (key, None)
            }
            Some((index, name, false)) => {
                let parts = self.parts.entry(flow_run).or_default();
                ((flow_run, None), Some(parts.of(*index, name).to_owned()))
            }
        };
        let named = |name: String| match &part {
            Some(part) => naming::within(part, &name),
            None => name,
        };
        let Some(run) = self.runs.get_mut(&key) else {
            queue.note(|report| report.failed += 1);
            return;
        };
        let batch = &mut run.batch;
        match what {
            What::Metric(name, step, value) => batch.metrics.push(json!({
                "key": named(name),
                "value": number(value),
                "timestamp": at_ms,
                "step": step,
            })),
            What::Param(name, value) => {
                let name = named(name);
                match run.params.get(&name) {
                    Some(known) if *known == value => queue.note(|report| report.sent += 1),
                    Some(_) => {
                        let error = format!("param `{name}` has another value in a later attempt");
                        queue.note(|report| {
                            report.failed += 1;
                            report.last_error = Some(error);
                        });
                    }
                    None => {
                        batch.bytes += name.len() + value.len();
                        run.params.insert(name.clone(), value.clone());
                        batch.params.push((name, value));
                    }
                }
            }
            What::Tag(name, value) => {
                batch.bytes += name.len() + value.len();
                batch.tags.push((named(name), value));
            }
            What::Artifact(name, content) => {
                let name = named(name);
                self.put_artifact(queue, key, &name, content);
                return;
            }
            What::Started { .. } | What::Ended(_) => {}
        }
        if run.batch.is_full() {
            self.flush(queue, key);
        }
    }

    #[expect(clippy::too_many_arguments, reason = "all that there is at a start")]
    fn start(
        &mut self,
        queue: &Queue,
        flow_run: FlowRunId,
        flow: &str,
        name: &str,
        tags: &[String],
        params: &[(String, String)],
        at_ms: i64,
    ) {
        let experiment = match self.experiments.get(flow) {
            Some(known) => Some(known.clone()),
            None => self.call(queue, 0, |client| client.experiment(flow)),
        };
        let Some(experiment) = experiment else {
            return;
        };
        self.experiments.insert(flow.to_owned(), experiment.clone());
        let mut own = vec![("orch.flow_run".to_owned(), flow_run.to_string())];
        if !tags.is_empty() {
            own.push(("orch.tags".to_owned(), tags.join(", ")));
        }
        if let Some(run) = self.create(queue, experiment, name, &own, at_ms) {
            let key = (flow_run, None);
            self.runs.insert(key, run);
            for (name, value) in params {
                let param = Entry {
                    flow_run,
                    task_run: None,
                    at_ms,
                    what: What::Param(name.clone(), value.clone()),
                };
                self.take(queue, param);
            }
        }
    }

    fn start_item(&mut self, queue: &Queue, key: Key, name: &str, at_ms: i64) {
        let Some(parent) = self.runs.get(&(key.0, None)) else {
            return;
        };
        let tags = [
            ("mlflow.parentRunId".to_owned(), parent.id.clone()),
            ("orch.flow_run".to_owned(), key.0.to_string()),
        ];
        let experiment = parent.experiment.clone();
        if let Some(run) = self.create(queue, experiment, name, &tags, at_ms) {
            self.runs.insert(key, run);
        }
    }

    fn create(
        &mut self,
        queue: &Queue,
        experiment: String,
        name: &str,
        tags: &[(String, String)],
        at_ms: i64,
    ) -> Option<Run> {
        let created = self.call(queue, 0, |client| {
            client.create_run(&experiment, name, at_ms, tags)
        });
        let (id, artifact_uri) = created?;
        queue.note(|report| report.runs += 1);
        Some(Run {
            id,
            artifact_uri,
            experiment,
            params: HashMap::new(),
            batch: Batch::default(),
        })
    }

    fn put_artifact(&mut self, queue: &Queue, key: Key, name: &str, content: Content) {
        let read = match content {
            Content::Bytes(bytes) => Ok(bytes),
            Content::File(path) => std::fs::read(path),
        };
        let uri = self.runs.get(&key).map(|run| run.artifact_uri.clone());
        match (read, uri) {
            (Ok(bytes), Some(uri)) => {
                let put = |client: &Client| client.put_artifact(&uri, name, &bytes);
                if self.call(queue, 1, put).is_some() {
                    queue.note(|report| report.sent += 1);
                }
            }
            (Err(error), _) => queue.note(|report| {
                report.failed += 1;
                report.last_error = Some(format!("artifact `{name}`: {error}"));
            }),
            (Ok(_), None) => queue.note(|report| report.failed += 1),
        }
    }

    fn flush(&mut self, queue: &Queue, key: Key) {
        let Some(run) = self.runs.get_mut(&key) else {
            return;
        };
        let (id, mut batch) = (run.id.clone(), std::mem::take(&mut run.batch));
        while batch.len() > 0 {
            let rest = batch
                .metrics
                .split_off(batch.metrics.len().min(MAX_BATCH - 2 * MAX_PAIRS));
            let Batch {
                metrics,
                params,
                tags,
                ..
            } = std::mem::replace(
                &mut batch,
                Batch {
                    metrics: rest,
                    ..Batch::default()
                },
            );
            let n = (metrics.len() + params.len() + tags.len()) as u64;
            let log = |client: &Client| client.log_batch(&id, &metrics, &params, &tags);
            if self.call(queue, n, log).is_some() {
                queue.note(|report| report.sent += n);
            }
        }
    }

    /// Sends what is left of a flow run and says how it ended.
    fn end(&mut self, queue: &Queue, flow_run: FlowRunId, status: &str, at_ms: i64) {
        let keys = self.runs.keys().filter(|(run, _)| *run == flow_run);
        let keys: Vec<Key> = keys.copied().collect();
        for key in keys {
            self.flush(queue, key);
            if let Some(run) = self.runs.remove(&key) {
                self.call(queue, 0, |client| client.end_run(&run.id, status, at_ms));
            }
        }
        self.parts.remove(&flow_run);
    }

    /// Makes a call; without an answer so many things have failed.
    fn call<T>(
        &mut self,
        queue: &Queue,
        n: u64,
        call: impl FnOnce(&Client) -> Result<T, CallError>,
    ) -> Option<T> {
        if self
            .paused_until
            .is_some_and(|until| Instant::now() < until)
        {
            queue.note(|report| report.failed += n);
            return None;
        }
        self.paused_until = None;
        match call(&self.client) {
            Ok(answer) => Some(answer),
            Err(error) => {
                if let CallError::NotReached(_) = error {
                    self.paused_until = Some(Instant::now() + PAUSE);
                }
                queue.note(|report| {
                    report.failed += n;
                    report.last_error = Some(error.text().to_owned());
                });
                None
            }
        }
    }
}

/// A number as MLflow takes it in JSON.
fn number(value: f64) -> Value {
    if value.is_nan() {
        "NaN".into()
    } else if value == f64::INFINITY {
        "Infinity".into()
    } else if value == f64::NEG_INFINITY {
        "-Infinity".into()
    } else {
        value.into()
    }
}

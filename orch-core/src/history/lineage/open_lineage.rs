//! Recorded flow runs as events of OpenLineage, for catalogs of data and jobs.
//!
//! Core specification 2-0-2; facets in the versions that [`schema`] names.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::runs::{CallIn, Found, Run, Runs, files_of};
use super::walk::arguments;
use super::{
    LineageArgument, LineageEdgeKind as Kind, LineageError, LineageFile, LineageParameter,
};
use crate::engine::Engine;
use crate::error::RecordedError;
use crate::id::FlowRunId;
use crate::recorder::EngineStore;
use crate::report::NodeKind;
use crate::state::{State, StateKind};
use crate::store::{CallId, FlowRunRow, StoreError, TaskRow, Timestamp};
use crate::value::{Digest, Stored};

/// The namespace of jobs, and of values that are results.
const NAMESPACE: &str = "orch";
/// The namespace of files, as the specification's naming has it.
const FILES: &str = "file";
/// A package URL: it names what wrote the events, and needs no site.
const PRODUCER: &str = concat!("pkg:cargo/orch-core@", env!("CARGO_PKG_VERSION"));

impl Engine {
    /// Returns a recorded flow run as events of [OpenLineage](https://openlineage.io), in the order
    /// of their times: for the flow run, its subflows and each task run that started, one `START` and
    /// one of `COMPLETE`, `FAIL` and `ABORT`; no last one for what has not ended. A catalog takes
    /// each as a line of JSON, or as a POST request.
    ///
    /// | OpenLineage | here |
    /// |---|---|
    /// | job | a flow, `<flow>`, or a task in a flow, `<flow>.<task>`, in the namespace `orch` |
    /// | run | a flow run or a task run; the UUIDs of task runs are made of flow run and call, so that a second export says the same |
    /// | parent | the flow run of a task run, the calling flow run of a subflow |
    /// | dataset | a result, `<flow>.<task run>`, `#2` and so on being added to a name that comes again; a flow's result, `<flow>`; a file in an argument or a result, by its path, in the namespace `file` |
    /// | dataset version | the digest of the value, the BLAKE3 hash of the file |
    ///
    /// A map is one run, its items are not told of one by one; groups are not told of at all, only
    /// what ran within them. The arguments of tasks that are not cached are not recorded: of these,
    /// results are told of, and no files.
    ///
    /// # Errors
    /// [`LineageError`] if there is no such flow run.
    pub fn open_lineage(&self, run: FlowRunId) -> Result<Vec<Value>, LineageError> {
        let unknown = || LineageError::UnknownRun { run };
        let store = self.0.store.as_ref().ok_or_else(unknown)?;
        store.flow_run(run)?.ok_or_else(unknown)?;
        Ok(Export::of(store).export(run)?)
    }
}

/// What a facet is by.
fn schema(name: &str, version: &str) -> String {
    format!("https://openlineage.io/spec/facets/{version}/{name}.json#/$defs/{name}")
}

/// What a part of the core is by; also facets that are not part of the specification.
fn core(name: &str) -> String {
    format!("https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/{name}")
}

fn facet(schema: String, fields: Value) -> Value {
    with(
        json!({ "_producer": PRODUCER, "_schemaURL": schema }),
        fields,
    )
}

/// Adds fields to an object.
fn with(mut object: Value, fields: Value) -> Value {
    if let (Value::Object(object), Value::Object(fields)) = (&mut object, fields) {
        object.extend(fields);
    }
    object
}

/// A UUID of the given version: all other bits are the given ones.
fn uuid(bits: u128, version: u128) -> String {
    let bits = bits & !(0xf << 76) & !(0x3 << 62) | (version << 76) | (0x2 << 62);
    let digits = format!("{bits:032x}");
    let groups = [0..8, 8..12, 12..16, 16..20, 20..32];
    groups.map(|group| &digits[group]).join("-")
}

/// The id of a flow run begins with its time, as that of a UUID of version 7.
fn uuid_of_run(run: FlowRunId) -> String {
    uuid(run.bits(), 7)
}

fn uuid_of_call((run, call): CallIn) -> String {
    let mut hasher = blake3::Hasher::new_derive_key("orch OpenLineage run id, version 1");
    hasher.update(&run.bits().to_be_bytes());
    hasher.update(&call.0);
    let mut half = [0; 16];
    half.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
    uuid(u128::from_be_bytes(half), 8)
}

/// A job in the namespace of jobs.
fn job(name: &str) -> Value {
    json!({ "namespace": NAMESPACE, "name": name })
}

struct Export<'a> {
    runs: Runs<'a>,
    names: HashMap<FlowRunId, HashMap<CallId, Names>>,
    events: Vec<(Timestamp, Value)>,
}

/// What a task run that is told of is called within its flow.
#[derive(Clone)]
struct Names {
    /// Its task; that of the items for a map.
    task: Arc<TaskRow>,
    dataset: String,
}

/// Files and results that a run has read or written: each once.
#[derive(Default)]
struct Datasets {
    seen: HashSet<(&'static str, String)>,
    datasets: Vec<Value>,
}

impl Datasets {
    fn add(&mut self, namespace: &'static str, name: &str, facets: Map<String, Value>) -> bool {
        if !self.seen.insert((namespace, name.to_owned())) {
            return false;
        }
        let dataset = json!({ "namespace": namespace, "name": name, "facets": facets });
        self.datasets.push(dataset);
        true
    }

    fn file(&mut self, path: &str, content: Option<&Digest>) {
        let source = json!({ "name": FILES, "uri": "file:///" });
        let source = facet(schema("DatasourceDatasetFacet", "1-0-1"), source);
        let mut facets = version_of(content);
        facets.insert("dataSource".to_owned(), source);
        self.add(FILES, path, facets);
    }

    fn files(&mut self, files: &[LineageFile]) {
        for file in files {
            self.file(&file.path, Some(&file.content));
        }
    }

    fn result(&mut self, name: &str, result: Option<&Stored>) -> bool {
        self.add(
            NAMESPACE,
            name,
            version_of(result.map(|result| &result.digest)),
        )
    }

    /// A result that was written just now.
    fn written(&mut self, name: &str, result: Option<&Stored>) {
        if let (true, Some(result)) = (self.result(name, result), result) {
            let name = "OutputStatisticsOutputDatasetFacet";
            let size = facet(schema(name, "1-0-2"), json!({ "size": result.len }));
            let last = self.datasets.last_mut().expect("just added");
            last["outputFacets"] = json!({ "outputStatistics": size });
        }
    }
}

fn version_of(digest: Option<&Digest>) -> Map<String, Value> {
    let mut facets = Map::new();
    if let Some(digest) = digest {
        let version = json!({ "datasetVersion": digest.to_string() });
        let version = facet(schema("DatasetVersionDatasetFacet", "1-0-1"), version);
        facets.insert("version".to_owned(), version);
    }
    facets
}

/// A run, as its events have it.
struct Told {
    run: String,
    job: String,
    run_facets: Map<String, Value>,
    job_facets: Map<String, Value>,
    inputs: Datasets,
    outputs: Datasets,
    /// The facet with what this project knows of a run, and what it knows once that has ended.
    about: (&'static str, Value, Value),
    state: State,
    error: Option<RecordedError>,
    started_at: Timestamp,
    ended_at: Option<Timestamp>,
}

impl<'a> Export<'a> {
    fn of(store: &'a EngineStore) -> Self {
        Self {
            runs: Runs::of(store),
            names: HashMap::new(),
            events: Vec::new(),
        }
    }

    fn export(mut self, run: FlowRunId) -> Result<Vec<Value>, StoreError> {
        let mut runs = vec![run];
        let mut next = 0;
        while let Some(id) = runs.get(next).copied() {
            next += 1;
            let Some(run) = self.runs.run(id)? else {
                continue;
            };
            let told = self.flow_run(&run)?;
            self.tell(told);
            for at in 0..run.task_runs.len() {
                let found = Found {
                    run: run.clone(),
                    at,
                };
                match found.row().kind {
                    NodeKind::Subflow => runs.extend(run.subflow(found.row().call)),
                    _ => {
                        if let Some(told) = self.task_run(&found)? {
                            self.tell(told);
                        }
                    }
                }
            }
        }
        // A run's start was told of before its end: they stay in that order where they are at once.
        self.events.sort_by_key(|(at, _)| *at);
        Ok(self.events.into_iter().map(|(_, event)| event).collect())
    }

    /// Adds the events of a run.
    fn tell(&mut self, mut told: Told) {
        let last = match told.state.kind() {
            StateKind::Completed => Some("COMPLETE"),
            StateKind::Failed | StateKind::Crashed => Some("FAIL"),
            StateKind::Cancelled => Some("ABORT"),
            _ => None,
        };
        let event = |kind: &str, at: Timestamp, told: &Told, outputs: &[Value]| {
            json!({
                "eventType": kind,
                "eventTime": at.to_string(),
                "producer": PRODUCER,
                "schemaURL": core("RunEvent"),
                "run": { "runId": told.run, "facets": told.run_facets },
                "job": { "namespace": NAMESPACE, "name": told.job, "facets": told.job_facets },
                "inputs": told.inputs.datasets,
                "outputs": outputs,
            })
        };
        let (name, about, outcome) = std::mem::take(&mut told.about);
        let about = facet(core("RunFacet"), about);
        told.run_facets.insert(name.to_owned(), about.clone());
        let start = event("START", told.started_at, &told, &[]);
        self.events.push((told.started_at, start));
        if let (Some(kind), Some(at)) = (last, told.ended_at) {
            told.run_facets
                .insert(name.to_owned(), with(about, outcome));
            if let (true, Some(error)) = (kind == "FAIL", &told.error) {
                let error = error_facet(error);
                told.run_facets.insert("errorMessage".to_owned(), error);
            }
            let outputs: &[Value] = match kind {
                "COMPLETE" => &told.outputs.datasets,
                _ => &[],
            };
            let at = at.max(told.started_at);
            self.events.push((at, event(kind, at, &told, outputs)));
        }
    }
}

fn error_facet(error: &RecordedError) -> Value {
    let mut fields = json!({ "message": error.message, "programmingLanguage": "Rust" });
    if !error.causes.is_empty() {
        let causes = error
            .causes
            .iter()
            .map(|cause| format!("caused by: {cause}"));
        let causes: Vec<String> = causes.collect();
        fields["stackTrace"] = Value::from(causes.join("\n"));
    }
    facet(schema("ErrorMessageRunFacet", "1-0-1"), fields)
}

impl Export<'_> {
    fn flow_run(&mut self, run: &Run) -> Result<Told, StoreError> {
        let row = &run.row;
        let (mut inputs, mut outputs) = (Datasets::default(), Datasets::default());
        for parameter in &run.parameters {
            inputs.files(&parameter.files);
        }
        let mut run_facets = engine_facets(run);
        if let Some(caller) = row.caller
            && let Some(caller) = self.runs.find(caller)?
        {
            self.add_sources(&caller, &mut inputs)?;
            run_facets.insert("parent".to_owned(), self.parent(&caller.run)?);
        }
        if let Some(result) = &row.result {
            outputs.written(&row.flow, Some(&result.stored));
            outputs.files(&files_of(result));
        }
        let parameters = run.parameters.iter();
        let parameters = parameters.map(|it| (it.name.as_str(), it.shown.to_string()));
        add_parameters(&mut run_facets, parameters.collect());
        let about = json!({
            "id": row.id.to_string(),
            "name": row.name,
            "key": row.key,
            "seed": row.seed,
            "tags": row.tags,
        });
        let outcome = json!({ "state": row.state, "resumptions": row.resumptions });
        let code = json!({ "fingerprint": row.fingerprint.to_string() });
        Ok(Told {
            run: uuid_of_run(row.id),
            job: row.flow.clone(),
            run_facets,
            job_facets: job_facets("FLOW", code),
            inputs,
            outputs,
            about: ("orch_flowRun", about, outcome),
            state: row.state,
            error: row.error.clone(),
            started_at: row.started_at,
            ended_at: row.ended_at,
        })
    }

    /// The flow run that something ran in, and the one that all of it comes from.
    fn parent(&mut self, run: &Run) -> Result<Value, StoreError> {
        let named = |row: &FlowRunRow| json!({ "run": { "runId": uuid_of_run(row.id) }, "job": job(&row.flow) });
        let mut root = run.row.clone();
        while let Some((caller, _)) = root.caller
            && let Some(caller) = self.runs.run(caller)?
        {
            root = caller.row.clone();
        }
        let mut fields = named(&run.row);
        fields["root"] = named(&root);
        Ok(facet(schema("ParentRunFacet", "1-1-0"), fields))
    }
}

fn engine_facets(run: &Run) -> Map<String, Value> {
    let adapter = env!("CARGO_PKG_VERSION");
    let version = run.row.manifest["orch"].as_str().unwrap_or(adapter);
    let engine =
        json!({ "name": "orch", "version": version, "openlineageAdapterVersion": adapter });
    let engine = facet(schema("ProcessingEngineRunFacet", "1-1-1"), engine);
    Map::from_iter([("processing_engine".to_owned(), engine)])
}

fn add_parameters(facets: &mut Map<String, Value>, parameters: Vec<(&str, String)>) {
    if !parameters.is_empty() {
        let parameters: Vec<Value> = parameters
            .into_iter()
            .map(|(name, value)| json!({ "key": name, "value": value }))
            .collect();
        let fields = json!({ "parameters": parameters });
        let parameters = facet(schema("ExecutionParametersRunFacet", "1-0-0"), fields);
        facets.insert("executionParameters".to_owned(), parameters);
    }
}

fn job_facets(kind: &str, code: Value) -> Map<String, Value> {
    let fields = json!({ "processingType": "BATCH", "integration": "ORCH", "jobType": kind });
    let kind = facet(schema("JobTypeJobFacet", "2-0-4"), fields);
    let code = facet(core("JobFacet"), code);
    Map::from_iter([("jobType".to_owned(), kind), ("orch_code".to_owned(), code)])
}

impl Export<'_> {
    /// `None` for what is not told of: groups, items of maps, and what never started.
    fn task_run(&mut self, found: &Found) -> Result<Option<Told>, StoreError> {
        let (run, row) = (&found.run, found.row());
        let Some(names) = self.names_of(found) else {
            return Ok(None);
        };
        let started_at = match (row.state, row.started_at.or(row.ended_at)) {
            (State::Skipped, _) | (_, None) => return Ok(None),
            // What was handed back may be older than the flow run itself.
            (_, Some(at)) => at.max(run.row.started_at),
        };
        let (mut inputs, mut outputs) = (Datasets::default(), Datasets::default());
        // The arguments are with the execution that the result is of.
        let (by, record, _) = self.runs.execution(found.clone())?;
        let key = record.row().key.as_ref();
        let arguments = key.map_or_else(Vec::new, |key| arguments(key, &record.run.parameters));
        for argument in &arguments {
            inputs.argument(argument, &record.run.parameters);
        }
        self.add_sources(found, &mut inputs)?;
        let result = row.result.as_ref().map(|value| &value.stored);
        match by == found.call() {
            true => outputs.written(&names.dataset, result),
            false => drop(outputs.result(&names.dataset, result)),
        }
        outputs.files(&run.files[found.at]);

        let mut run_facets = engine_facets(run);
        run_facets.insert("parent".to_owned(), self.parent(run)?);
        let parameters = arguments.iter().filter(|argument| !argument.is_result());
        let parameters = parameters.filter_map(|it| Some((it.name.as_str(), it.shown.clone()?)));
        add_parameters(&mut run_facets, parameters.collect());
        let from = (by != found.call()).then(|| {
            json!({
                "flowRun": by.0.to_string(),
                "call": by.1.to_string(),
                "runId": uuid_of_call(by),
            })
        });
        let about = json!({ "call": row.call.to_string(), "name": row.shown_name() });
        let outcome = json!({
            "state": row.state,
            "attempts": row.attempts,
            "resultFrom": from,
        });
        let code = json!({
            "task": names.task.id,
            "fingerprint": names.task.fingerprint.to_string(),
            "version": names.task.version,
            "source": names.task.source,
        });
        Ok(Some(Told {
            run: uuid_of_call(found.call()),
            job: format!("{}.{}", run.row.flow, names.task.name),
            run_facets,
            job_facets: job_facets("TASK", code),
            inputs,
            outputs,
            about: ("orch_taskRun", about, outcome),
            state: row.state,
            error: row.error.clone(),
            started_at,
            ended_at: row.ended_at,
        }))
    }

    /// Adds the results that a task run was made from, looking into groups.
    fn add_sources(&mut self, of: &Found, to: &mut Datasets) -> Result<(), StoreError> {
        let mut open = vec![of.clone()];
        let mut seen = HashSet::new();
        let mut next = 0;
        while let Some(found) = open.get(next).cloned() {
            next += 1;
            let is_whole = matches!(found.row().kind, NodeKind::Map | NodeKind::Subflow);
            for (source, kind) in self.runs.before(&found)? {
                // What runs within a map or a subflow is its own.
                let counts = match kind {
                    Kind::Data | Kind::Catch => true,
                    Kind::Within => !is_whole,
                    Kind::Given | Kind::Taken => false,
                };
                if !counts || !seen.insert(source.call()) {
                    continue;
                }
                match source.row().kind {
                    NodeKind::Group => open.push(source),
                    _ if source.row().state.is_success() => self.add_source(&source, to)?,
                    _ => {}
                }
            }
        }
        Ok(())
    }

    fn add_source(&mut self, source: &Found, to: &mut Datasets) -> Result<(), StoreError> {
        let row = source.row();
        if row.kind == NodeKind::Subflow {
            // One that was handed back ran for another flow run.
            let (_, source, _) = self.runs.execution(source.clone())?;
            let run = source.run.subflow(source.row().call);
            if let Some(run) = run.map(|run| self.runs.run(run)).transpose()?.flatten() {
                let result = run.row.result.as_ref().map(|value| &value.stored);
                to.result(&run.row.flow, result);
            }
            return Ok(());
        }
        let result = row.result.as_ref().map(|value| &value.stored);
        if let Some(names) = self.names_of(source) {
            to.result(&names.dataset, result);
        }
        Ok(())
    }
}

impl Export<'_> {
    /// What a task run is called; `None` for what is not told of.
    fn names_of(&mut self, of: &Found) -> Option<Names> {
        let names = self.names.entry(of.run.row.id);
        let names = names.or_insert_with(|| names_in(&of.run));
        names.get(&of.row().call).cloned()
    }
}

fn names_in(run: &Run) -> HashMap<CallId, Names> {
    let mut names = HashMap::new();
    let mut counts: HashMap<String, u32> = HashMap::new();
    for (at, row) in run.task_runs.iter().enumerate() {
        let (task, name) = match row.kind {
            NodeKind::Task if !run.is_in_map(at) => (&row.task, row.shown_name()),
            NodeKind::Map if !run.is_in_map(at) => match run.task_within(row.call) {
                Some(task) => (task, task.name.as_str()),
                None => (&row.task, row.shown_name()),
            },
            _ => continue,
        };
        if row.is_orphaned {
            continue;
        }
        let count = counts.entry(name.to_owned()).or_default();
        *count += 1;
        let dataset = match count {
            1 => format!("{}.{name}", run.row.flow),
            count => format!("{}.{name}#{count}", run.row.flow),
        };
        let task = Arc::clone(task);
        names.insert(row.call, Names { task, dataset });
    }
    names
}

impl Datasets {
    /// Adds the file that an argument is, if it is one.
    fn argument(&mut self, argument: &LineageArgument, parameters: &[LineageParameter]) {
        let same = parameters.iter();
        let mut same = same.filter(|it| Some(&it.name) == argument.same_as.as_ref());
        if let Some(parameter) = same.next() {
            return self.files(&parameter.files);
        }
        // The path is known from what people see; a text is in quotes there.
        let shown = argument.shown.as_deref().unwrap_or_default();
        let file = shown
            .strip_suffix(')')
            .and_then(|it| it.rsplit_once(" (content "));
        let is_content =
            |text: &str| text.len() == 12 && text.bytes().all(|it| it.is_ascii_hexdigit());
        if let Some((path, content)) = file
            && is_content(content)
            && !path.starts_with(['"', '[', '(', '{'])
            && !path.contains('…')
        {
            self.file(path, None);
        }
    }
}

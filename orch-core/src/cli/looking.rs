//! Commands that tell what is there: flows, flow runs, and how they came to be.

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use super::arguments::{Lineage, Pinning, Runs};
use super::error::Failure;
use super::{Output, json};
use crate::engine::{Engine, EngineBuilder};
use crate::history::{RecordedRun, RunComparison};
use crate::id::FlowRunId;
use crate::register::{RegisteredFlow, flows as registered};
use crate::report::{RunReport, TaskRunReport, human, table::Table};
use crate::state::State;
use crate::store::{FlowRunFilter, FlowRunRow, RunOrigin, Timestamp};

/// How many results from elsewhere, and arguments, are told of one by one.
const MAX_LINES: usize = 40;
const MAX_TEXT: usize = 60;

pub(super) fn flows(is_json: bool) -> String {
    let mut flows: Vec<&RegisteredFlow> = registered().collect();
    flows.sort_by_key(|flow| flow.definition().name);
    if is_json {
        let flows: Vec<Value> = flows.into_iter().map(json::flow).collect();
        return json::text(&Value::from(flows));
    }
    let mut text = String::new();
    for flow in flows {
        let definition = flow.definition();
        text.push_str(definition.name);
        text.push('\n');
        for line in definition.doc.lines() {
            text.push_str(&format!("    {}\n", line.trim()));
        }
        let schema = flow.schema();
        let is_required = |name: &str| {
            let required = schema["required"].as_array();
            required.is_some_and(|required| required.iter().any(|known| known == name))
        };
        let parameters = definition.parameters.iter();
        for parameter in parameters.filter(|parameter| parameter.is_input()) {
            let optional = if is_required(parameter.name) {
                ""
            } else {
                "  (may be left out)"
            };
            let (name, ty) = (parameter.name, parameter.ty);
            text.push_str(&format!("    --param {name}=<{ty}>{optional}\n"));
        }
    }
    text
}

pub(super) fn config(builder: &EngineBuilder, is_json: bool) -> Result<Output, Failure> {
    let settings = builder.settings();
    if is_json {
        let settings: Vec<Value> = settings
            .iter()
            .map(|setting| {
                json!({
                    "key": setting.key,
                    "value": setting.value,
                    "source": setting.source.to_string(),
                    "variable": setting.variable,
                })
            })
            .collect();
        return Ok(json::text(&Value::from(settings)).into());
    }
    let mut table = Table::new(&["setting", "value", "from", "variable"], 4);
    for setting in settings {
        let source = setting.source.to_string();
        let cells = [setting.key, setting.value, source, setting.variable];
        table.row(cells.map(|cell| human::short(&cell, MAX_TEXT)));
    }
    Ok(table.text().into())
}

pub(super) fn runs(engine: &Engine, runs: &Runs, is_json: bool) -> Result<String, Failure> {
    if let Some(action) = &runs.action {
        let (run, is_pinned) = match action {
            Pinning::Pin { run } => (run, true),
            Pinning::Unpin { run } => (run, false),
        };
        let mut row = engine.find_run(run)?;
        engine.pin_run(row.id, is_pinned)?;
        row.is_pinned = is_pinned;
        if is_json {
            return Ok(json::text(&json::flow_run(&row)));
        }
        let done = if is_pinned { "pinned" } else { "unpinned" };
        return Ok(format!("{done} flow run `{}`\n", human::clean(&row.name)));
    }
    let rows = engine.recorded_runs(FlowRunFilter {
        flow: runs.flow.clone(),
        states: runs.state.clone(),
        limit: runs.limit,
        ..FlowRunFilter::default()
    })?;
    if is_json {
        let rows: Vec<Value> = rows.iter().map(json::flow_run).collect();
        return Ok(json::text(&Value::from(rows)));
    }
    let mut table = Table::new(
        &["state", "flow run", "flow", "key", "started", "id", "took"],
        6,
    );
    for row in &rows {
        let key = row.key.as_deref().unwrap_or("-");
        table.row([
            marked(row.state),
            human::short(&row.name, MAX_TEXT),
            human::short(&row.flow, MAX_TEXT),
            human::short(key, MAX_TEXT),
            row.started_at.to_string(),
            row.id.to_string(),
            row.ended_at.map_or_else(
                || "-".to_owned(),
                |ended| human::duration(between(row.started_at, ended)),
            ),
        ]);
    }
    Ok(table.text())
}

fn marked(state: State) -> String {
    format!("{} {state}", state.mark())
}

pub(super) fn between(from: Timestamp, to: Timestamp) -> Duration {
    Duration::from_nanos(u64::try_from(to.0.saturating_sub(from.0)).unwrap_or(0))
}

/// Finds a flow run and reads all of it.
pub(super) fn recorded(engine: &Engine, run: &str) -> Result<RecordedRun, Failure> {
    let row = engine.find_run(run)?;
    let recorded = engine.recorded_run(row.id)?;
    recorded.ok_or_else(|| Failure::new(format!("flow run `{}` has just been removed", row.name)))
}

pub(super) fn show(
    engine: &Engine,
    run: &str,
    into: Option<&Path>,
    is_json: bool,
) -> Result<String, Failure> {
    let recorded = recorded(engine, run)?;
    let report = recorded.report();
    let written = match into {
        Some(folder) => report.write_to(folder)?,
        None => Vec::new(),
    };
    if is_json {
        let report: Value = serde_json::from_str(&report.to_json()).unwrap_or_default();
        let shown = json!({ "flow_run": json::flow_run(&recorded.row), "report": report });
        return Ok(json::text(&shown));
    }
    let mut text = heading(&recorded.row);
    text.push('\n');
    text.push_str(&report.task_table());
    text.push('\n');
    let logged = report.logged_tables();
    if !logged.is_empty() {
        text.push_str(&logged);
        text.push('\n');
    }
    text.push_str(&report.summary());
    text.push_str(&from_elsewhere(engine, &report)?);
    for path in written {
        text.push_str(&format!("written: {}\n", path.display()));
    }
    Ok(text)
}

fn heading(row: &FlowRunRow) -> String {
    let mut text = format!("id       {}\n", row.id);
    let mut line = |name: &str, value: String| text.push_str(&format!("{name:<8} {value}\n"));
    if let Some(key) = &row.key {
        line("key", human::clean(key));
    }
    line("started", row.started_at.to_string());
    if let Some(ended) = row.ended_at {
        line("ended", ended.to_string());
    }
    line("seed", row.seed.to_string());
    if row.resumptions > 0 {
        let times = human::counted(u64::from(row.resumptions), "time");
        line("resumed", times);
    }
    match &row.origin {
        Some(RunOrigin::Fork { of }) => line("fork of", of.to_string()),
        Some(RunOrigin::Rerun { of, from }) => {
            line(
                "rerun of",
                format!("{of}, from {}", human::clean(&from.join(", "))),
            );
        }
        None => {}
    }
    match &row.parameters {
        Some(parameters) => {
            for parameter in parameters {
                let shown = human::short(&parameter.shown.to_string(), MAX_TEXT);
                line("param", format!("{}={shown}", parameter.name));
            }
        }
        None => line("params", "could not be stored".to_owned()),
    }
    text
}

/// Where results came from that no body of this flow run returned.
fn from_elsewhere(engine: &Engine, report: &RunReport) -> Result<String, Failure> {
    let from = |run: &TaskRunReport| run.result_from.is_some();
    let runs: Vec<&TaskRunReport> = report.task_runs.iter().filter(|run| from(run)).collect();
    let mut text = String::new();
    for run in runs.iter().take(MAX_LINES) {
        let Some(source) = &run.result_from else {
            continue;
        };
        let known = match source.flow_run.parse::<FlowRunId>() {
            Ok(id) => engine.recorded_run(id)?.map(|run| run.row.name),
            Err(_) => None,
        };
        let place = match known {
            Some(name) => format!("`{}`", human::clean(&name)),
            None => source.flow_run.clone(),
        };
        let name = human::clean(&run.name);
        text.push_str(&format!(
            "  `{name}` is {} from flow run {place}\n",
            run.state
        ));
    }
    if runs.len() > MAX_LINES {
        let more = human::counted((runs.len() - MAX_LINES) as u64, "more result");
        text.push_str(&format!("  and {more} from elsewhere\n"));
    }
    Ok(text)
}

pub(super) fn explain(
    engine: &Engine,
    run: &str,
    task: &str,
    is_json: bool,
) -> Result<String, Failure> {
    let explanations = engine.explain(engine.find_run(run)?.id, task)?;
    if is_json {
        let explanations: Vec<Value> = explanations.iter().map(json::explanation).collect();
        return Ok(json::text(&Value::from(explanations)));
    }
    let texts = explanations
        .iter()
        .map(|explanation| format!("{explanation}\n"));
    Ok(texts.collect())
}

pub(super) fn lineage(
    engine: &Engine,
    arguments: &Lineage,
    is_json: bool,
) -> Result<String, Failure> {
    let Lineage {
        run,
        task,
        value,
        open_lineage,
    } = arguments;
    let lineage = match (value, run, task) {
        (Some(value), ..) => engine.lineage_of(engine.find_value(value)?)?,
        (None, Some(run), _) if *open_lineage => {
            let events = engine.open_lineage(engine.find_run(run)?.id)?;
            let lines = events.iter().map(|event| format!("{event}\n"));
            return Ok(lines.collect());
        }
        (None, Some(run), Some(task)) => engine.lineage(engine.find_run(run)?.id, task)?,
        // What the arguments are declared as.
        (None, ..) => return Err(Failure::usage("name a flow run and a task, or a value")),
    };
    Ok(if is_json {
        json::text(&json::lineage(&lineage))
    } else {
        lineage.to_string()
    })
}

pub(super) fn compare(
    engine: &Engine,
    runs: &[String],
    is_csv: bool,
    is_json: bool,
) -> Result<String, Failure> {
    let runs: Vec<RecordedRun> = runs
        .iter()
        .map(|run| recorded(engine, run))
        .collect::<Result<_, _>>()?;
    let comparison = RunComparison::of(&runs.iter().collect::<Vec<_>>());
    Ok(match (is_csv, is_json) {
        (true, _) => comparison.to_csv(),
        (false, true) => format!("{}\n", comparison.to_json()),
        (false, false) => comparison.to_string(),
    })
}

pub(super) fn diff(
    engine: &Engine,
    before: &str,
    after: &str,
    is_json: bool,
) -> Result<String, Failure> {
    let diff = recorded(engine, before)?.diff(&recorded(engine, after)?);
    Ok(if is_json {
        json::text(&json::diff(&diff))
    } else {
        diff.to_string()
    })
}

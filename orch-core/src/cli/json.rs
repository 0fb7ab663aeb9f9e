//! What `--json` prints. The names of the fields are stable.

use serde_json::{Value, json};

use crate::definition::{FlowDefinition, ParameterPassing};
use crate::error::RecordedError;
use crate::history::{
    Cause, Execution, Explanation, Fate, KeyChangeKind, Lineage, MetricDiff, NotHandedBack,
    RunDiff, RunPlan, TaskRunSide, ValueDiff, Why,
};
use crate::register::RegisteredFlow;
use crate::report::logged::number;
use crate::state::State;
use crate::store::{CacheRow, FlowRunRow, RunOrigin, Timestamp};

/// Writes a document.
pub(super) fn text(value: &Value) -> String {
    format!("{value:#}\n")
}

fn at(at: Option<Timestamp>) -> Value {
    at.map_or(Value::Null, |at| Value::from(at.to_string()))
}

/// A state as reports have it.
pub(super) fn state(state: State) -> Value {
    serde_json::to_value(state).unwrap_or_default()
}

pub(super) fn flow(flow: &RegisteredFlow) -> Value {
    let FlowDefinition {
        name,
        doc,
        module,
        file,
        line,
        parameters,
        returns,
        version,
        tags,
        ..
    } = flow.definition();
    let parameters = parameters.iter().filter(|parameter| parameter.is_input());
    let parameters: Vec<Value> = parameters
        .map(|parameter| {
            let is_borrowed = parameter.passing == ParameterPassing::ByRef;
            json!({ "name": parameter.name, "type": parameter.ty, "is_borrowed": is_borrowed })
        })
        .collect();
    json!({
        "name": name,
        "doc": doc,
        "module": module,
        "source": format!("{file}:{line}"),
        "parameters": parameters,
        "schema": flow.schema(),
        "returns": returns,
        "version": version,
        "tags": tags,
    })
}

fn error(error: Option<&RecordedError>) -> Value {
    error.map_or(
        Value::Null,
        |error| json!({ "kind": error.kind, "message": error.message, "causes": error.causes }),
    )
}

pub(super) fn flow_run(row: &FlowRunRow) -> Value {
    let origin = match &row.origin {
        None => Value::Null,
        Some(RunOrigin::Fork { of }) => json!({ "kind": "fork", "flow_run": of.to_string() }),
        Some(RunOrigin::Rerun { of, from }) => {
            json!({ "kind": "rerun", "flow_run": of.to_string(), "from": from })
        }
    };
    let parameters = row.parameters.as_ref().map(|parameters| {
        let shown = parameters.iter();
        let shown = shown.map(|parameter| (parameter.name.clone(), parameter.shown.clone()));
        Value::Object(shown.collect())
    });
    json!({
        "id": row.id.to_string(),
        "flow": row.flow,
        "name": row.name,
        "key": row.key,
        "state": state(row.state),
        "started_at": at(Some(row.started_at)),
        "ended_at": at(row.ended_at),
        "seed": row.seed,
        "parameters": parameters,
        "error": error(row.error.as_ref()),
        "tags": row.tags,
        "origin": origin,
        "resumptions": row.resumptions,
        "is_pinned": row.is_pinned,
        "manifest": row.manifest,
    })
}

fn execution(from: &Execution) -> Value {
    json!({
        "flow_run": from.flow_run.to_string(),
        "name": from.name,
        "call": from.call.to_string(),
        "at": at(from.at),
    })
}

fn not_handed_back(because: &NotHandedBack) -> Value {
    let word = match because {
        NotHandedBack::Named => "named",
        NotHandedBack::NoSuchCall => "no_such_call",
        NotHandedBack::NotCompleted(_) => "not_completed",
        NotHandedBack::Code => "code",
        NotHandedBack::Version => "version",
        NotHandedBack::Inputs(_) => "inputs",
        NotHandedBack::NotStored => "not_stored",
        NotHandedBack::NotComplete => "not_complete",
    };
    Value::from(word)
}

fn cause(cause: &Cause) -> Value {
    match cause {
        Cause::NotHandedBack { from, because } => json!({
            "kind": "not_handed_back",
            "flow_run": from.to_string(),
            "because": not_handed_back(because),
            "upstream": match because {
                NotHandedBack::Inputs(upstream) => upstream.as_slice(),
                _ => &[],
            },
        }),
        Cause::NotCached => json!({ "kind": "not_cached" }),
        Cause::NoKey => json!({ "kind": "no_key" }),
        Cause::NoEarlier => json!({ "kind": "no_earlier" }),
        Cause::SameKey { since } => json!({ "kind": "same_key", "since": execution(since) }),
        Cause::Changed { since, changes } => {
            let changes: Vec<Value> = changes
                .iter()
                .map(|change| {
                    let kind = match change.kind {
                        KeyChangeKind::Code => "code",
                        KeyChangeKind::Version => "version",
                        KeyChangeKind::Value => "value",
                        KeyChangeKind::Order => "order",
                        KeyChangeKind::Added => "added",
                        KeyChangeKind::Removed => "removed",
                    };
                    json!({
                        "part": change.part,
                        "kind": kind,
                        "before": change.before,
                        "now": change.now,
                    })
                })
                .collect();
            json!({ "kind": "changed", "since": execution(since), "changes": changes })
        }
    }
}

pub(super) fn plan(plan: &RunPlan) -> Value {
    let task_runs: Vec<Value> = plan
        .task_runs
        .iter()
        .map(|run| {
            let (fate, because, waits_for) = match &run.fate {
                Fate::HandedBack => ("handed_back", None, &[][..]),
                Fate::Cached => ("cached", None, &[][..]),
                Fate::Runs(by) => ("runs", Some(cause(by)), &[][..]),
                Fate::Waits(upstream) => ("waits", None, upstream.as_slice()),
            };
            json!({
                "name": run.name,
                "task": run.task,
                "kind": run.kind,
                "fate": fate,
                "cause": because,
                "waits_for": waits_for,
                "items": run.items.map(|items| json!({
                    "found": items.found,
                    "executed": items.executed,
                    "is_all": items.is_all,
                })),
                "subflow": run.subflow.as_ref().map(self::plan),
            })
        })
        .collect();
    json!({
        "flow": plan.flow,
        "of": plan.of.map(|of| of.to_string()),
        "task_runs": task_runs,
        "reaches_end": plan.reaches_end,
        "not_reached": plan.not_reached,
    })
}

pub(super) fn explanation(explanation: &Explanation) -> Value {
    let why = match &explanation.why {
        Why::UnderWay => json!({ "kind": "under_way" }),
        Why::Executed(by) => json!({ "kind": "executed", "cause": cause(by) }),
        Why::Cached(from) => json!({ "kind": "cached", "from": execution(from) }),
        Why::Reused(from) => json!({ "kind": "reused", "from": execution(from) }),
        Why::Failed {
            cause: by,
            error: failure,
            attempts,
        } => json!({
            "kind": "failed",
            "cause": cause(by),
            "error": error(failure.as_ref()),
            "attempts": attempts,
        }),
        Why::Cancelled { error: reason } => {
            json!({ "kind": "cancelled", "error": error(reason.as_ref()) })
        }
        Why::Skipped { upstream } => {
            let upstream: Vec<Value> = upstream
                .iter()
                .map(|(name, of)| json!({ "name": name, "state": state(*of) }))
                .collect();
            json!({ "kind": "skipped", "upstream": upstream })
        }
    };
    json!({
        "flow_run": explanation.flow_run.to_string(),
        "call": explanation.call.to_string(),
        "name": explanation.name,
        "task": explanation.task,
        "state": state(explanation.state),
        "why": why,
    })
}

pub(super) fn lineage(lineage: &Lineage) -> Value {
    serde_json::to_value(lineage).unwrap_or_default()
}

fn values(values: &[ValueDiff]) -> Vec<Value> {
    let values = values.iter();
    values
        .map(|value| json!({ "name": value.name, "before": value.before, "after": value.after }))
        .collect()
}

fn side(side: Option<&TaskRunSide>) -> Value {
    side.map_or(Value::Null, |side| {
        json!({
            "call": side.call.to_string(),
            "state": state(side.state),
            "seconds": side.duration.map(|duration| duration.as_secs_f64()),
            "digest": side.digest.map(|digest| digest.to_string()),
        })
    })
}

/// Numbers that JSON has no form for are texts, as in reports.
fn number(value: Option<f64>) -> Value {
    match value {
        None => Value::Null,
        Some(value) => number::text(value).map_or_else(|| Value::from(value), Value::from),
    }
}

fn metric(metric: &MetricDiff) -> Value {
    json!({
        "name": metric.name,
        "before": number(metric.before),
        "after": number(metric.after),
        "better": metric.better,
    })
}

pub(super) fn diff(diff: &RunDiff) -> Value {
    let code: Vec<Value> = diff
        .code
        .iter()
        .map(|function| {
            let version = function.version.as_ref();
            let version =
                version.map(|(before, after)| json!({ "before": before, "after": after }));
            json!({ "name": function.name, "code": function.code, "version": version })
        })
        .collect();
    let task_runs: Vec<Value> = diff
        .task_runs
        .iter()
        .map(|run| {
            json!({
                "name": run.name,
                "before": side(run.before.as_ref()),
                "after": side(run.after.as_ref()),
                "has_same_result": run.has_same_result(),
                "is_different": run.is_different(),
            })
        })
        .collect();
    let metrics: Vec<Value> = diff.metrics.iter().map(metric).collect();
    let of =
        |(id, name): &(crate::FlowRunId, String)| json!({ "id": id.to_string(), "name": name });
    json!({
        "before": of(&diff.before),
        "after": of(&diff.after),
        "parameters": values(&diff.parameters),
        "params": values(&diff.params),
        "metrics": metrics,
        "code": code,
        "task_runs": task_runs,
        "manifest": values(&diff.manifest),
    })
}

pub(super) fn cached(row: &CacheRow) -> Value {
    let parts: Vec<Value> = row
        .key
        .parts
        .iter()
        .map(|part| json!({ "name": part.name, "digest": part.digest.to_string(), "shown": part.shown }))
        .collect();
    json!({
        "key": row.key.digest.to_string(),
        "parts": parts,
        "task": row.task,
        "task_id": row.task_id,
        "digest": row.value.stored.digest.to_string(),
        "bytes": row.value.stored.len,
        "made_by": { "flow_run": row.made_by.0.to_string(), "call": row.made_by.1.to_string() },
        "made_at": at(Some(row.made_at)),
        "used_at": at(Some(row.used_at)),
        "seconds": std::time::Duration::from_nanos(row.took).as_secs_f64(),
        "is_pinned": row.is_pinned,
    })
}

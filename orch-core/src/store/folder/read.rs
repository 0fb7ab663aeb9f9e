//! Reading rows.

use std::collections::HashMap;
use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension as _, Params, Row, params};

use super::super::{
    AttemptRow, CacheRow, CallId, FlowRunFilter, FlowRunRow, FoundTaskRun, KeyRow, OwnerId,
    ParameterRow, Place, RecordedTaskRuns, ResultOrigin, StepRow, StoredValue, TaskRow,
    TaskRunFilter, TaskRunRow,
};
use super::values::{Bytes, VALUE, json, read_value};
use super::write::{Argument, first_task_run};
use super::{ReadError, packs};
use crate::id::FlowRunId;
use crate::report::{EdgeKind, NodeKind};
use crate::value::Digest;

type Result<T> = std::result::Result<T, ReadError>;

fn damaged(table: &'static str, problem: impl Into<String>) -> ReadError {
    ReadError::Damaged {
        table,
        problem: problem.into(),
    }
}

/// Reads all rows of a query.
pub(super) fn all<T, P: Params>(
    connection: &Connection,
    sql: &str,
    params: P,
    mut read: impl FnMut(&Row<'_>) -> Result<T>,
) -> Result<Vec<T>> {
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(params)?;
    let mut read_rows = Vec::new();
    while let Some(row) = rows.next()? {
        read_rows.push(read(row)?);
    }
    Ok(read_rows)
}

const FLOW_RUN: &str =
    "n, epoch, owner, id, flow, name, key, state, started_at, ended_at, seed, tags,
    error, parameters, manifest, fingerprint, caller, caller_call, origin, resumptions,
    is_rolling_back, is_pinned";

/// The place of the first column of the value.
const FLOW_RUN_VALUE: usize = 22;

fn read_flow_run(row: &Row<'_>) -> Result<(i64, i64, FlowRunRow)> {
    const TABLE: &str = "flow_runs";
    let text = |at: usize| -> Result<Option<String>> { Ok(row.get(at)?) };
    let epoch: i64 = row.get(1)?;
    let owner: Option<OwnerId> = row.get(2)?;
    let caller: Option<FlowRunId> = row.get(16)?;
    let caller_call: Option<CallId> = row.get(17)?;
    let parameters = match text(13)? {
        None => None,
        Some(text) => {
            let arguments: Vec<Argument> = json(TABLE, &text)?;
            let rows = arguments.into_iter().map(parameter);
            Some(rows.collect::<Result<Vec<ParameterRow>>>()?)
        }
    };
    let flow_run = FlowRunRow {
        id: row.get(3)?,
        flow: row.get(4)?,
        name: row.get(5)?,
        key: row.get(6)?,
        state: row.get(7)?,
        started_at: row.get(8)?,
        ended_at: row.get(9)?,
        seed: row.get::<_, i64>(10)? as u64,
        tags: json(TABLE, &row.get::<_, String>(11)?)?,
        error: text(12)?.map(|text| json(TABLE, &text)).transpose()?,
        parameters,
        manifest: json(TABLE, &row.get::<_, String>(14)?)?,
        fingerprint: row.get(15)?,
        caller: caller.zip(caller_call),
        origin: text(18)?.map(|text| json(TABLE, &text)).transpose()?,
        resumptions: row.get(19)?,
        is_rolling_back: row.get(20)?,
        is_pinned: row.get(21)?,
        owner: owner.map(|owner| (owner, epoch as u64)),
        result: read_value(row, FLOW_RUN_VALUE)?,
    };
    Ok((row.get(0)?, epoch, flow_run))
}

fn parameter(argument: Argument) -> Result<ParameterRow> {
    let digits = argument.bytes.as_bytes();
    let mut bytes = Vec::with_capacity(digits.len() / 2);
    for pair in digits.chunks(2) {
        let byte = std::str::from_utf8(pair)
            .ok()
            .filter(|pair| pair.len() == 2)
            .and_then(|pair| u8::from_str_radix(pair, 16).ok())
            .ok_or_else(|| damaged("flow_runs", "an argument's bytes are no digits"))?;
        bytes.push(byte);
    }
    Ok(ParameterRow {
        name: argument.name,
        shown: argument.shown,
        value: StoredValue {
            stored: argument.stored,
            place: Place::Inline(bytes.into()),
        },
    })
}

/// Returns the run that a condition names, with its number and its epoch.
pub(super) fn owned_run<P: Params>(
    connection: &Connection,
    condition: &str,
    params: P,
) -> Result<Option<(i64, i64, FlowRunRow)>> {
    let sql = format!("SELECT {FLOW_RUN}, {VALUE} FROM flow_runs WHERE {condition}");
    Ok(all(connection, &sql, params, read_flow_run)?
        .into_iter()
        .next())
}

pub(super) fn flow_run(connection: &Connection, id: FlowRunId) -> Result<Option<FlowRunRow>> {
    Ok(owned_run(connection, "id = ?1", [id])?.map(|(_, _, row)| row))
}

pub(super) fn flow_runs(
    connection: &Connection,
    filter: &FlowRunFilter,
) -> Result<Vec<FlowRunRow>> {
    let states: Vec<&str> = filter.states.iter().map(|state| state.word()).collect();
    let states = serde_json::to_string(&states).expect("a list of words");
    let sql = format!(
        "SELECT {FLOW_RUN}, {VALUE} FROM flow_runs
        WHERE (?1 IS NULL OR flow = ?1) AND (?2 IS NULL OR key = ?2)
            AND (?3 = '[]' OR state IN (SELECT value FROM json_each(?3)))
            AND (?4 IS NULL OR substr(id, 1, length(?4)) = ?4
                OR substr(name, 1, length(?4)) = ?4)
            AND (?6 IS NULL OR caller = ?6)
        ORDER BY started_at DESC, id DESC LIMIT ?5"
    );
    let limit = match filter.limit {
        0 => -1,
        limit => i64::try_from(limit).unwrap_or(i64::MAX),
    };
    let params = params![
        filter.flow,
        filter.key,
        states,
        filter.prefix,
        limit,
        filter.caller
    ];
    let rows = all(connection, &sql, params, read_flow_run)?;
    Ok(rows.into_iter().map(|(_, _, row)| row).collect())
}

fn number_of(connection: &Connection, run: FlowRunId) -> Result<Option<(i64, i64)>> {
    let sql = "SELECT n, seq FROM flow_runs WHERE id = ?1";
    let found = connection
        .prepare_cached(sql)?
        .query_row([run], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    Ok(found)
}

/// Reads the task runs of a flow run that changed after `seq`, and the number of the last change.
pub(super) fn changes_since(
    connection: &Connection,
    run: FlowRunId,
    seq: u64,
) -> Result<(RecordedTaskRuns, u64)> {
    const TABLE: &str = "task_runs";
    // One view of the database for both queries.
    let connection = connection.unchecked_transaction()?;
    let Some((n, last)) = number_of(&connection, run)? else {
        return Ok((RecordedTaskRuns::default(), 0));
    };
    let sql = format!(
        "SELECT call, scope, position, task, kind, name, state, attempts, crashes, ready_at,
            started_at, ended_at, error, from_run, from_call, key, key_parts, upstream, inputs,
            execution, is_complete, is_orphaned, {VALUE}
        FROM task_runs WHERE id >= ?1 AND id < ?2 AND seq > ?3 ORDER BY position, seq"
    );
    let mut tasks: HashMap<i64, Arc<TaskRow>> = HashMap::new();
    let params = params![first_task_run(n), first_task_run(n + 1), seq as i64];
    let rows = all(&connection, &sql, params, |row| {
        let task: i64 = row.get(3)?;
        let task = match tasks.get(&task) {
            Some(known) => Arc::clone(known),
            None => {
                let read = Arc::new(read_task(&connection, task)?);
                tasks.insert(task, Arc::clone(&read));
                read
            }
        };
        let kind: String = row.get(4)?;
        let error: Option<String> = row.get(12)?;
        let (from_run, from_call): (Option<FlowRunId>, Option<CallId>) =
            (row.get(13)?, row.get(14)?);
        let (key, parts): (Option<Digest>, Option<String>) = (row.get(15)?, row.get(16)?);
        let Bytes(inputs) = row.get(18)?;
        Ok(TaskRunRow {
            call: row.get(0)?,
            scope: row.get(1)?,
            index: row.get(2)?,
            task,
            kind: NodeKind::from_word(&kind)
                .ok_or_else(|| damaged(TABLE, format!("`{kind}` is no kind")))?,
            name: row.get(5)?,
            state: row.get(6)?,
            attempts: row.get(7)?,
            crashes: row.get(8)?,
            ready_at: row.get(9)?,
            started_at: row.get(10)?,
            ended_at: row.get(11)?,
            error: error.map(|text| json(TABLE, &text)).transpose()?,
            result: read_value(row, 22)?,
            origin: origin(from_run.zip(from_call)),
            key: match key.zip(parts) {
                Some((digest, parts)) => Some(KeyRow {
                    digest,
                    parts: json(TABLE, &parts)?,
                }),
                None => None,
            },
            upstream: upstream(row.get_ref(17)?.as_blob().map_err(rusqlite::Error::from)?)?,
            is_complete: row.get(20)?,
            inputs,
            execution: row.get::<_, i64>(19)? as u64,
            is_orphaned: row.get(21)?,
        })
    })?;
    let packed = packs::read(&connection, n, seq as i64)?;
    Ok((RecordedTaskRuns { packed, rows }, last as u64))
}

pub(super) fn find_task_runs(
    connection: &Connection,
    filter: &TaskRunFilter,
) -> Result<Vec<FoundTaskRun>> {
    let from: Vec<String> = filter.from.iter().map(FlowRunId::to_string).collect();
    let from = serde_json::to_string(&from).expect("a list of texts");
    let (first, last) = match &filter.results {
        Some(results) => (Some(results.start()), Some(results.end())),
        None => (None, None),
    };
    // No index has what is asked for: one pass over the task runs, in this order whatever the
    // planner thinks. Those of a flow run that is being removed have none.
    let sql = "SELECT f.id, r.call, r.digest, r.from_run, r.from_call, f.n
        FROM task_runs r CROSS JOIN flow_runs f ON f.n = r.id >> 32
        WHERE (?1 IS NULL OR r.digest BETWEEN ?1 AND ?2)
            AND (?3 = '[]' OR r.from_run IN (SELECT value FROM json_each(?3)))
        ORDER BY r.id";
    // One view of the database for all queries.
    let connection = connection.unchecked_transaction()?;
    let mut found = all(&connection, sql, params![first, last, from], |row| {
        let (from_run, from_call): (Option<FlowRunId>, Option<CallId>) = (row.get(3)?, row.get(4)?);
        let found = FoundTaskRun {
            run: row.get(0)?,
            call: row.get(1)?,
            result: row.get(2)?,
            origin: origin(from_run.zip(from_call)),
        };
        Ok((row.get(5)?, found))
    })?;
    packs::find(&connection, filter, &mut found)?;
    found.sort_by_key(|(n, _): &(i64, FoundTaskRun)| *n);
    Ok(found.into_iter().map(|(_, found)| found).collect())
}

fn origin(from: Option<(FlowRunId, CallId)>) -> ResultOrigin {
    match from {
        Some((run, call)) => ResultOrigin::Cached { run, call },
        None => ResultOrigin::Executed,
    }
}

fn upstream(bytes: &[u8]) -> Result<Vec<(CallId, EdgeKind)>> {
    let calls = bytes.chunks(17).map(|entry| {
        let (call, kind) = entry.split_first_chunk::<16>()?;
        let kind = match kind {
            [0] => EdgeKind::Data,
            [1] => EdgeKind::Order,
            [2] => EdgeKind::Catch,
            _ => return None,
        };
        Some((CallId(*call), kind))
    });
    calls
        .collect::<Option<_>>()
        .ok_or_else(|| damaged("task_runs", "column `upstream` is no list of calls"))
}

pub(super) fn read_task(connection: &Connection, id: i64) -> Result<TaskRow> {
    let sql = "SELECT task, name, fingerprint, version, source FROM tasks WHERE id = ?1";
    let task = connection
        .prepare_cached(sql)?
        .query_row([id], |row| {
            let version: String = row.get(3)?;
            Ok(TaskRow {
                id: row.get(0)?,
                name: row.get(1)?,
                fingerprint: row.get(2)?,
                version: Some(version).filter(|version| !version.is_empty()),
                source: row.get(4)?,
            })
        })
        .optional()?;
    task.ok_or_else(|| damaged("tasks", format!("there is no task {id}")))
}

pub(super) fn attempts(connection: &Connection, run: FlowRunId) -> Result<Vec<AttemptRow>> {
    let sql = "SELECT call, attempt, started_at, ended_at, error FROM attempts
        WHERE run = (SELECT n FROM flow_runs WHERE id = ?1) ORDER BY call, attempt";
    all(connection, sql, [run], |row| {
        let error: Option<String> = row.get(4)?;
        Ok(AttemptRow {
            call: row.get(0)?,
            attempt: row.get(1)?,
            started_at: row.get(2)?,
            ended_at: row.get(3)?,
            error: error.map(|text| json("attempts", &text)).transpose()?,
        })
    })
}

pub(super) fn steps(connection: &Connection, run: FlowRunId) -> Result<Vec<StepRow>> {
    let sql = format!(
        "SELECT call, name, made_at, {VALUE} FROM steps
        WHERE run = (SELECT n FROM flow_runs WHERE id = ?1) ORDER BY call, name"
    );
    all(connection, &sql, [run], |row| {
        Ok(StepRow {
            call: row.get(0)?,
            name: row.get(1)?,
            made_at: row.get(2)?,
            value: read_value(row, 3)?.ok_or_else(|| damaged("steps", "a step has no value"))?,
        })
    })
}

const CACHE: &str = "key, task_id, task, key_parts, made_run, made_call, made_at, took, used_at,
    is_pinned";

fn read_cache(row: &Row<'_>) -> Result<CacheRow> {
    Ok(CacheRow {
        key: KeyRow {
            digest: row.get(0)?,
            parts: json("cache", &row.get::<_, String>(3)?)?,
        },
        task_id: row.get(1)?,
        task: row.get(2)?,
        made_by: (row.get(4)?, row.get(5)?),
        made_at: row.get(6)?,
        took: row.get::<_, i64>(7)? as u64,
        used_at: row.get(8)?,
        is_pinned: row.get(9)?,
        value: read_value(row, 10)?.ok_or_else(|| damaged("cache", "an entry has no value"))?,
    })
}

pub(super) fn cached(connection: &Connection, key: &Digest) -> Result<Option<CacheRow>> {
    // A hit asks for the value, and who has the key has its parts.
    const COLUMNS: &str = "key, task_id, task, '[]', made_run, made_call, made_at, took, used_at,
        is_pinned";
    let sql = format!("SELECT {COLUMNS}, {VALUE} FROM cache WHERE key = ?1");
    Ok(all(connection, &sql, [key], read_cache)?.into_iter().next())
}

pub(super) fn cached_by_task(
    connection: &Connection,
    task_id: &str,
    limit: usize,
) -> Result<Vec<CacheRow>> {
    let sql = format!(
        "SELECT {CACHE}, {VALUE} FROM cache WHERE task_id = ?1 ORDER BY made_at DESC LIMIT ?2"
    );
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    all(connection, &sql, params![task_id, limit], read_cache)
}

pub(super) fn cache_entries(connection: &Connection) -> Result<Vec<CacheRow>> {
    let sql = format!("SELECT {CACHE}, {VALUE} FROM cache ORDER BY used_at DESC");
    all(connection, &sql, [], read_cache)
}

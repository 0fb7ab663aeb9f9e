//! What code logged: params, tags, points of metrics, artifacts.

use std::sync::Arc;

use rusqlite::types::Value as Column;
use rusqlite::{Connection, Row, params};

use super::super::{ArtifactRow, Logged, LoggedBy, LoggedRows, LoggedValueRow, MetricRow};
use super::ReadError;
use super::read::all;
use super::values::{VALUE, json, parts_of, read_value, to_json};
use super::write::first_task_run;
use crate::id::FlowRunId;

/// Made whenever a folder is opened: stores of its format that were made before have none.
pub(super) const TABLES: &str = "
CREATE TABLE IF NOT EXISTS params (
    run INTEGER NOT NULL,
    call BLOB NOT NULL,
    execution INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    name TEXT NOT NULL,
    value TEXT NOT NULL,
    logged_at INTEGER NOT NULL,
    PRIMARY KEY (run, call, execution, attempt, name)
);
CREATE TABLE IF NOT EXISTS tags (
    run INTEGER NOT NULL,
    call BLOB NOT NULL,
    execution INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    name TEXT NOT NULL,
    value TEXT NOT NULL,
    logged_at INTEGER NOT NULL,
    PRIMARY KEY (run, call, execution, attempt, name)
);
CREATE TABLE IF NOT EXISTS metrics (
    id INTEGER PRIMARY KEY,
    run INTEGER GENERATED ALWAYS AS (id >> 32) VIRTUAL,
    call BLOB NOT NULL,
    execution INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    name TEXT NOT NULL,
    step INTEGER NOT NULL,
    value REAL,
    logged_at INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS artifacts (
    run INTEGER NOT NULL,
    call BLOB NOT NULL,
    execution INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    name TEXT NOT NULL,
    media_type TEXT NOT NULL,
    logged_at INTEGER NOT NULL,
    digest BLOB, format INTEGER, shape BLOB, len INTEGER, parts BLOB, value BLOB,
    PRIMARY KEY (run, call, execution, attempt, name)
);
CREATE INDEX IF NOT EXISTS artifacts_by_blob ON artifacts (digest)
    WHERE value IS NULL AND digest IS NOT NULL;
";

/// Writes what was logged in the flow run with this number.
pub(super) fn put(connection: &Connection, n: i64, logged: &Logged) -> Result<(), ReadError> {
    match logged {
        Logged::Param(row) => put_value(connection, "params", n, row),
        Logged::Tag(row) => put_value(connection, "tags", n, row),
        Logged::Metrics(rows) => put_metrics(connection, n, rows),
        Logged::Artifact(row) => put_artifact(connection, n, row),
    }
}

fn put_value(
    connection: &Connection,
    table: &str,
    n: i64,
    row: &LoggedValueRow,
) -> Result<(), ReadError> {
    let sql = format!(
        "INSERT OR REPLACE INTO {table} (run, call, execution, attempt, name, value, logged_at)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)"
    );
    connection.prepare_cached(&sql)?.execute(params![
        n,
        row.by.call,
        row.by.execution as i64,
        row.by.attempt,
        row.name,
        to_json(&row.value),
        row.at,
    ])?;
    Ok(())
}

/// Rows of a flow run lie together, in the order in which they were logged.
fn put_metrics(connection: &Connection, n: i64, rows: &[MetricRow]) -> Result<(), ReadError> {
    let sql = "SELECT max(id) FROM metrics WHERE id >= ?1 AND id < ?2";
    let last: Option<i64> = connection
        .prepare_cached(sql)?
        .query_row([first_task_run(n), first_task_run(n + 1)], |row| row.get(0))?;
    let first = last.map_or(first_task_run(n), |last| last + 1);
    let sql = "INSERT INTO metrics (id, call, execution, attempt, name, step, value, logged_at)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
    let mut insert = connection.prepare_cached(sql)?;
    for (id, row) in (first..).zip(rows) {
        insert.execute(params![
            id,
            row.by.call,
            row.by.execution as i64,
            row.by.attempt,
            &*row.name,
            row.step,
            // SQLite has no NaN and writes NULL for it.
            row.value,
            row.at,
        ])?;
    }
    Ok(())
}

fn put_artifact(connection: &Connection, n: i64, row: &ArtifactRow) -> Result<(), ReadError> {
    let sql = "INSERT OR REPLACE INTO artifacts (run, call, execution, attempt, name, media_type,
            logged_at, digest, format, shape, len, parts, value)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, NULL)";
    let stored = &row.value.stored;
    connection.prepare_cached(sql)?.execute(params![
        n,
        row.by.call,
        row.by.execution as i64,
        row.by.attempt,
        row.name,
        row.media_type,
        row.at,
        stored.digest,
        stored.format,
        stored.shape,
        stored.len as i64,
        parts_of(stored),
    ])?;
    Ok(())
}

/// Reads all that was logged in a flow run.
pub(super) fn logged(connection: &Connection, run: FlowRunId) -> Result<LoggedRows, ReadError> {
    // One view of the database for all queries.
    let connection = connection.unchecked_transaction()?;
    let sql = "SELECT n FROM flow_runs WHERE id = ?1";
    let Some(n) = all(&connection, sql, [run], |row| Ok(row.get::<_, i64>(0)?))?.pop() else {
        return Ok(LoggedRows::default());
    };
    let artifacts = format!(
        "SELECT call, execution, attempt, name, media_type, logged_at, {VALUE} FROM artifacts
        WHERE run = ?1 ORDER BY call, execution, attempt, name"
    );
    Ok(LoggedRows {
        params: values(&connection, "params", n)?,
        tags: values(&connection, "tags", n)?,
        metrics: metrics(&connection, n)?,
        artifacts: all(&connection, &artifacts, [n], |row| {
            Ok(ArtifactRow {
                by: by(row)?,
                name: row.get(3)?,
                media_type: row.get(4)?,
                at: row.get(5)?,
                value: read_value(row, 6)?.ok_or_else(|| ReadError::Damaged {
                    table: "artifacts",
                    problem: "an artifact has no digest".to_owned(),
                })?,
            })
        })?,
    })
}

fn by(row: &Row<'_>) -> Result<LoggedBy, ReadError> {
    Ok(LoggedBy {
        call: row.get(0)?,
        execution: row.get::<_, i64>(1)? as u64,
        attempt: row.get(2)?,
    })
}

fn values(
    connection: &Connection,
    table: &'static str,
    n: i64,
) -> Result<Vec<LoggedValueRow>, ReadError> {
    let sql = format!(
        "SELECT call, execution, attempt, name, value, logged_at FROM {table}
        WHERE run = ?1 ORDER BY call, execution, attempt, name"
    );
    all(connection, &sql, [n], |row| {
        Ok(LoggedValueRow {
            by: by(row)?,
            name: row.get(3)?,
            value: json(table, &row.get::<_, String>(4)?)?,
            at: row.get(5)?,
        })
    })
}

fn metrics(connection: &Connection, n: i64) -> Result<Vec<MetricRow>, ReadError> {
    let sql = "SELECT call, execution, attempt, name, step, value, logged_at FROM metrics
        WHERE id >= ?1 AND id < ?2 ORDER BY id";
    let ids = [first_task_run(n), first_task_run(n + 1)];
    let mut name: Arc<str> = Arc::from("");
    all(connection, sql, ids, |row| {
        let read = row
            .get_ref(3)?
            .as_str()
            .map_err(|error| ReadError::Damaged {
                table: "metrics",
                problem: error.to_string(),
            })?;
        // Points of one metric follow each other, most of the time.
        if *read != *name {
            name = Arc::from(read);
        }
        Ok(MetricRow {
            by: by(row)?,
            name: Arc::clone(&name),
            step: row.get(4)?,
            value: match row.get(5)? {
                Column::Null => f64::NAN,
                Column::Real(value) => value,
                Column::Integer(value) => value as f64,
                other => {
                    return Err(ReadError::Damaged {
                        table: "metrics",
                        problem: format!("{other:?} is no number"),
                    });
                }
            },
            at: row.get(6)?,
        })
    })
}

/// Statements that delete at most `?2` rows of the deleted flow run with the number `?1` each.
pub(super) const SWEEPS: [&str; 4] = [
    "DELETE FROM metrics WHERE id IN
        (SELECT id FROM metrics WHERE id >= ?1 << 32 AND id < (?1 + 1) << 32 LIMIT ?2)",
    "DELETE FROM params WHERE rowid IN (SELECT rowid FROM params WHERE run = ?1 LIMIT ?2)",
    "DELETE FROM tags WHERE rowid IN (SELECT rowid FROM tags WHERE run = ?1 LIMIT ?2)",
    "DELETE FROM artifacts WHERE rowid IN (SELECT rowid FROM artifacts WHERE run = ?1 LIMIT ?2)",
];

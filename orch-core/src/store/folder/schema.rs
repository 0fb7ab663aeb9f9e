//! The tables, and the version of their layout.

use std::fs::OpenOptions;
use std::path::Path;

use rusqlite::Connection;

use super::super::StoreError;
use super::{logged, outbox, packs};

/// The version of the layout. Raised by every change that an older release cannot read.
pub(super) const FORMAT: u32 = 2;

/// Makes the database ready: journal mode, tables, version.
pub(super) fn prepare(path: &Path, connection: &Connection) -> Result<(), StoreError> {
    let failed = |action| {
        move |source: rusqlite::Error| StoreError::Database {
            path: path.to_owned(),
            action,
            source: source.into(),
        }
    };
    let version = || -> Result<u32, StoreError> {
        connection
            .query_row("PRAGMA user_version", [], |row| row.get(0))
            .map_err(failed("reading its version"))
    };
    let found = version()?;
    if found > FORMAT {
        return Err(StoreError::FormatTooNew {
            path: path.to_owned(),
            found,
            supported: FORMAT,
        });
    }
    if found == FORMAT {
        return Ok(());
    }
    // Several engines may open a new folder at the same time. Of those that choose the journal at
    // once SQLite refuses all but one, however long they would wait.
    let lock = path.join("gc.lock");
    let io = |source| StoreError::Io {
        path: lock.clone(),
        action: "locked",
        source,
    };
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&lock)
        .map_err(io)?;
    file.lock().map_err(io)?;
    let found = version()?;
    if found == FORMAT {
        return Ok(());
    }
    if found == 0 {
        // Before the first table: afterwards it would take a copy of the whole database.
        connection
            .execute_batch("PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = WAL;")
            .map_err(failed("choosing its journal"))?;
    }
    let tables = [TABLES, outbox::TABLE, packs::TABLE, logged::TABLES].concat();
    connection
        .execute_batch(&format!(
            "BEGIN IMMEDIATE; {tables} PRAGMA user_version = {FORMAT}; COMMIT;"
        ))
        .map_err(failed("making its tables"))
}

/// All but those that a module of their own writes. What is there already is left as it is: format 2
/// added tables.
const TABLES: &str = "
CREATE TABLE IF NOT EXISTS tasks (
    id INTEGER PRIMARY KEY,
    task TEXT NOT NULL,
    name TEXT NOT NULL,
    fingerprint BLOB NOT NULL,
    version TEXT NOT NULL,
    source TEXT NOT NULL,
    UNIQUE (task, fingerprint, version, name, source)
);

CREATE TABLE IF NOT EXISTS flow_runs (
    n INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    flow TEXT NOT NULL,
    name TEXT NOT NULL,
    key TEXT,
    state TEXT NOT NULL,
    started_at INTEGER NOT NULL,
    ended_at INTEGER,
    seed INTEGER NOT NULL,
    tags TEXT NOT NULL,
    error TEXT,
    parameters TEXT,
    manifest TEXT NOT NULL,
    fingerprint BLOB NOT NULL,
    caller TEXT,
    caller_call BLOB,
    origin TEXT,
    resumptions INTEGER NOT NULL,
    is_rolling_back INTEGER NOT NULL,
    is_pinned INTEGER NOT NULL,
    owner TEXT,
    epoch INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    digest BLOB, format INTEGER, shape BLOB, len INTEGER, parts BLOB, value BLOB
);
CREATE UNIQUE INDEX IF NOT EXISTS flow_runs_by_key ON flow_runs (flow, key) WHERE key IS NOT NULL;
CREATE INDEX IF NOT EXISTS flow_runs_by_state ON flow_runs (state);

CREATE TABLE IF NOT EXISTS task_runs (
    id INTEGER PRIMARY KEY,
    run INTEGER GENERATED ALWAYS AS (id >> 32) VIRTUAL,
    call BLOB NOT NULL,
    seq INTEGER NOT NULL,
    scope BLOB NOT NULL,
    position INTEGER NOT NULL,
    task INTEGER NOT NULL,
    kind TEXT NOT NULL,
    name TEXT,
    state TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    crashes INTEGER NOT NULL,
    ready_at INTEGER,
    started_at INTEGER,
    ended_at INTEGER,
    error TEXT,
    from_run TEXT,
    from_call BLOB,
    key BLOB,
    key_parts TEXT,
    upstream BLOB NOT NULL,
    inputs BLOB NOT NULL,
    execution INTEGER NOT NULL,
    is_complete INTEGER NOT NULL,
    is_orphaned INTEGER NOT NULL,
    digest BLOB, format INTEGER, shape BLOB, len INTEGER, parts BLOB, value BLOB
);

CREATE TABLE IF NOT EXISTS attempts (
    run INTEGER NOT NULL,
    call BLOB NOT NULL,
    attempt INTEGER NOT NULL,
    started_at INTEGER NOT NULL,
    ended_at INTEGER NOT NULL,
    error TEXT,
    PRIMARY KEY (run, call, attempt)
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS steps (
    run INTEGER NOT NULL,
    call BLOB NOT NULL,
    name TEXT NOT NULL,
    made_at INTEGER NOT NULL,
    digest BLOB, format INTEGER, shape BLOB, len INTEGER, parts BLOB, value BLOB,
    PRIMARY KEY (run, call, name)
);

CREATE TABLE IF NOT EXISTS cache (
    key BLOB PRIMARY KEY,
    task_id TEXT NOT NULL,
    task TEXT NOT NULL,
    key_parts TEXT NOT NULL,
    made_run TEXT NOT NULL,
    made_call BLOB NOT NULL,
    made_at INTEGER NOT NULL,
    took INTEGER NOT NULL,
    used_at INTEGER NOT NULL,
    is_pinned INTEGER NOT NULL,
    digest BLOB, format INTEGER, shape BLOB, len INTEGER, parts BLOB, value BLOB
);
CREATE INDEX IF NOT EXISTS cache_by_task ON cache (task_id, made_at);

CREATE TABLE IF NOT EXISTS inflight (
    key BLOB PRIMARY KEY,
    owner TEXT,
    epoch INTEGER NOT NULL
);

CREATE TABLE IF NOT EXISTS deleted_runs (n INTEGER PRIMARY KEY);

CREATE INDEX IF NOT EXISTS flow_runs_by_blob ON flow_runs (digest)
    WHERE value IS NULL AND digest IS NOT NULL;
CREATE INDEX IF NOT EXISTS task_runs_by_blob ON task_runs (digest)
    WHERE value IS NULL AND digest IS NOT NULL;
CREATE INDEX IF NOT EXISTS steps_by_blob ON steps (digest)
    WHERE value IS NULL AND digest IS NOT NULL;
CREATE INDEX IF NOT EXISTS cache_by_blob ON cache (digest)
    WHERE value IS NULL AND digest IS NOT NULL;
";

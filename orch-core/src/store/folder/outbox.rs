//! Notices for durable hooks that were not delivered yet.

use rusqlite::{Connection, params};

use super::super::{NoticeFilter, NoticeRow};
use super::ReadError;
use super::read::all;
use super::values::{json, to_json};

pub(super) const TABLE: &str = "
CREATE TABLE IF NOT EXISTS outbox (
    n INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    hook TEXT NOT NULL,
    notice TEXT NOT NULL,
    failures INTEGER NOT NULL,
    last_error TEXT,
    due_at INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS outbox_by_hook ON outbox (hook, n);
";

pub(super) fn put(connection: &Connection, row: &NoticeRow) -> Result<(), ReadError> {
    let sql = "INSERT INTO outbox (id, hook, notice, failures, last_error, due_at)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6)
        ON CONFLICT (id) DO UPDATE SET failures = ?4, last_error = ?5, due_at = ?6";
    connection.prepare_cached(sql)?.execute(params![
        row.notice.id,
        row.notice.hook,
        to_json(&row.notice),
        row.failures,
        row.last_error,
        row.due_at,
    ])?;
    Ok(())
}

pub(super) fn remove(connection: &Connection, id: &str) -> Result<(), ReadError> {
    let sql = "DELETE FROM outbox WHERE id = ?1";
    connection.prepare_cached(sql)?.execute([id])?;
    Ok(())
}

pub(super) fn undelivered(
    connection: &Connection,
    filter: &NoticeFilter,
) -> Result<Vec<NoticeRow>, ReadError> {
    let condition = match &filter.hook {
        Some(_) => "hook = ?1",
        None => "?1 IS NULL",
    };
    let sql = format!(
        "SELECT notice, failures, last_error, due_at FROM outbox WHERE {condition} ORDER BY n LIMIT ?2"
    );
    let limit = i64::try_from(filter.limit()).unwrap_or(i64::MAX);
    all(connection, &sql, params![filter.hook, limit], |row| {
        Ok(NoticeRow {
            notice: json("outbox", &row.get::<_, String>(0)?)?,
            failures: row.get(1)?,
            last_error: row.get(2)?,
            due_at: row.get(3)?,
        })
    })
}

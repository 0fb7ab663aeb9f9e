//! Removing rows, giving their space back, and looking through all of them.

use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension as _, Params, Row, params};

use super::super::maintenance::ROWS_AT_ONCE;
use super::super::{
    CacheUsage, Durability, MaintainRuns, OwnerId, RunUsage, StoreError, StoredValue, ValueOf,
};
use super::values::read_value;
use super::write::first_task_run;
use super::{FolderStore, ReadError, Writer, claims, logged, packs};
use crate::id::FlowRunId;
use crate::value::Digest;

/// How many pages go back to the filesystem within one transaction.
const PAGES_AT_ONCE: usize = 1_000;

/// How many problems of the database are listed.
const PROBLEMS: usize = 100;

impl MaintainRuns for FolderStore {
    fn run_usage(&self, with_bytes: bool) -> Result<Vec<RunUsage>, StoreError> {
        let rows = self.read("looking at flow runs", |connection| {
            let bytes = match with_bytes {
                true => bytes_by_run(connection)?,
                false => HashMap::new(),
            };
            let sql = "SELECT n, id, flow, state, started_at, ended_at, is_pinned, owner, caller
                FROM flow_runs";
            collect_rows(connection, sql, [], |row| {
                let n: i64 = row.get(0)?;
                Ok(RunUsage {
                    id: row.get(1)?,
                    flow: row.get(2)?,
                    state: row.get(3)?,
                    started_at: row.get(4)?,
                    ended_at: row.get(5)?,
                    is_pinned: row.get(6)?,
                    owner: row.get(7)?,
                    caller: row.get(8)?,
                    bytes: bytes.get(&n).copied().unwrap_or(0),
                })
            })
        });
        let mut rows = rows?;
        let mut alive: HashMap<OwnerId, bool> = HashMap::new();
        for row in &mut rows {
            row.owner = row.owner.filter(|owner| {
                let is_alive = || self.owner.is_alive(*owner);
                *alive.entry(*owner).or_insert_with(is_alive)
            });
        }
        Ok(rows)
    }

    fn cache_usage(&self) -> Result<Vec<CacheUsage>, StoreError> {
        self.read("looking at the cache", |connection| {
            let sql = "SELECT key, made_at, used_at, is_pinned, len FROM cache";
            collect_rows(connection, sql, [], |row| {
                Ok(CacheUsage {
                    key: row.get(0)?,
                    made_at: row.get(1)?,
                    used_at: row.get(2)?,
                    is_pinned: row.get(3)?,
                    bytes: row.get::<_, Option<i64>>(4)?.unwrap_or(0) as u64,
                })
            })
        })
    }

    fn delete_runs(&self, runs: &[FlowRunId]) -> Result<usize, StoreError> {
        self.remove("deleting flow runs", |writer| {
            let mut deleted = 0;
            for run in runs {
                let sql = "SELECT n, is_pinned, owner FROM flow_runs WHERE id = ?1";
                let found: Option<(i64, bool, Option<OwnerId>)> = writer
                    .connection
                    .prepare_cached(sql)?
                    .query_row([run], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
                    .optional()?;
                let Some((n, is_pinned, owner)) = found else {
                    continue;
                };
                if is_pinned || owner.is_some_and(|owner| self.owner.is_alive(owner)) {
                    continue;
                }
                // The rows of its task runs may be many: they are swept.
                execute(writer, "INSERT INTO deleted_runs (n) VALUES (?1)", [n])?;
                execute(writer, "DELETE FROM flow_runs WHERE n = ?1", [n])?;
                deleted += 1;
            }
            Ok(deleted)
        })
    }

    fn delete_cached(&self, entries: &[CacheUsage]) -> Result<usize, StoreError> {
        self.remove("deleting cache entries", |writer| {
            let sql = "DELETE FROM cache WHERE key = ?1 AND is_pinned = 0 AND used_at <= ?2";
            let mut deleted = 0;
            for entry in entries {
                deleted += execute(writer, sql, params![entry.key, entry.used_at])?;
            }
            Ok(deleted)
        })
    }

    fn sweep(&self) -> Result<bool, StoreError> {
        let deleted = self.remove("deleting rows of flow runs", sweep_rows)?;
        if deleted > 0 {
            return Ok(true);
        }
        let action = "giving space back";
        let freed = {
            let writer = self.writer();
            give_back(&writer.connection).map_err(|error| error.of_store(&self.path, action))?
        };
        if freed > 0 {
            return Ok(true);
        }
        self.remove("looking for owners that are gone", |writer| {
            let sql = "SELECT DISTINCT owner FROM inflight WHERE owner IS NOT NULL";
            let owners: Vec<OwnerId> =
                collect_rows(&writer.connection, sql, [], |row| Ok(row.get(0)?))?;
            for owner in owners {
                if !self.owner.is_alive(owner) {
                    execute(writer, "DELETE FROM inflight WHERE owner = ?1", [owner])?;
                }
            }
            Ok(())
        })?;
        self.forget_dead_owners();
        Ok(false)
    }

    fn is_referenced(&self, digest: &Digest) -> Result<bool, StoreError> {
        self.read("looking for what points to a value", |connection| {
            let sql = "SELECT EXISTS (SELECT 1 FROM task_runs
                    WHERE digest = ?1 AND value IS NULL AND digest IS NOT NULL)
                OR EXISTS (SELECT 1 FROM cache
                    WHERE digest = ?1 AND value IS NULL AND digest IS NOT NULL)
                OR EXISTS (SELECT 1 FROM flow_runs
                    WHERE digest = ?1 AND value IS NULL AND digest IS NOT NULL)
                OR EXISTS (SELECT 1 FROM steps
                    WHERE digest = ?1 AND value IS NULL AND digest IS NOT NULL)
                OR EXISTS (SELECT 1 FROM artifacts
                    WHERE digest = ?1 AND value IS NULL AND digest IS NOT NULL)";
            let mut statement = connection.prepare_cached(sql)?;
            Ok(statement.query_row([digest], |row| row.get(0))?)
        })
    }

    fn each_value(
        &self,
        only_blobs: bool,
        visit: &mut dyn FnMut(ValueOf, Result<StoredValue, StoreError>),
    ) -> Result<(), StoreError> {
        self.read("reading all values", |connection| {
            // One view of the database for all queries.
            let connection = connection.unchecked_transaction()?;
            let mut table = |from: &str, of: &dyn Fn(&Row<'_>) -> Result<ValueOf, ReadError>| {
                let only = if only_blobs {
                    "AND t.value IS NULL"
                } else {
                    ""
                };
                let sql = format!(
                    "SELECT t.digest, t.format, t.shape, t.len, t.parts, t.value, {from}
                    WHERE t.digest IS NOT NULL {only}"
                );
                let mut statement = connection.prepare(&sql)?;
                let mut rows = statement.query([])?;
                while let Some(row) = rows.next()? {
                    let of = of(row)?;
                    match read_value(row, 0) {
                        Ok(Some(value)) => visit(of, Ok(value)),
                        Ok(None) => {}
                        Err(error) => {
                            visit(of, Err(error.of_store(&self.path, "reading a value")));
                        }
                    }
                }
                Ok::<_, ReadError>(())
            };
            // What deleted runs have left is none of theirs any more.
            table("t.id FROM flow_runs t", &|row| {
                Ok(ValueOf::FlowRun(row.get(6)?))
            })?;
            table(
                "r.id, t.call FROM task_runs t JOIN flow_runs r ON r.n = t.id >> 32",
                &|row| Ok(ValueOf::TaskRun(row.get(6)?, row.get(7)?)),
            )?;
            table(
                "r.id, t.call, t.name FROM steps t JOIN flow_runs r ON r.n = t.run",
                &|row| Ok(ValueOf::Step(row.get(6)?, row.get(7)?, row.get(8)?)),
            )?;
            table(
                "r.id, t.call, t.name FROM artifacts t JOIN flow_runs r ON r.n = t.run",
                &|row| Ok(ValueOf::Artifact(row.get(6)?, row.get(7)?, row.get(8)?)),
            )?;
            table("t.key FROM cache t", &|row| {
                Ok(ValueOf::Cached(row.get(6)?))
            })?;
            if only_blobs {
                return Ok(());
            }
            packs::each_value(&connection, &mut |of, value| visit(of, Ok(value)))
        })
    }

    fn problems(&self) -> Result<Vec<String>, StoreError> {
        self.read("checking the database", |connection| {
            let sql = format!("PRAGMA quick_check({PROBLEMS})");
            let found: Result<Vec<String>, ReadError> =
                collect_rows(connection, &sql, [], |row| Ok(row.get(0)?));
            match found {
                Ok(mut problems) => {
                    problems.retain(|problem| problem != "ok");
                    if problems.is_empty() {
                        problems = packs::problems(connection)?;
                    }
                    Ok(problems)
                }
                // Damaged in a way that not even the check survives.
                Err(ReadError::Database(error)) => Ok(vec![error.to_string()]),
                Err(error) => Err(error),
            }
        })
    }

    fn compact(&self) -> Result<(), StoreError> {
        let writer = self.writer();
        let failed = |error: ReadError| error.of_store(&self.path, "being compacted");
        let checkpoint = || {
            let mut statement = writer
                .connection
                .prepare("PRAGMA wal_checkpoint(TRUNCATE)")?;
            statement.query([])?.next()?;
            Ok(())
        };
        checkpoint().map_err(failed)?;
        writer
            .connection
            .execute_batch("VACUUM; PRAGMA optimize;")
            .map_err(|error| failed(error.into()))?;
        // The new database is in the log so far.
        checkpoint().map_err(failed)
    }
}

impl FolderStore {
    /// Removes something within a transaction that is not waited for: what a power cut undoes is
    /// removed the next time.
    fn remove<T>(
        &self,
        action: &'static str,
        work: impl FnOnce(&Writer) -> Result<T, ReadError>,
    ) -> Result<T, StoreError> {
        let mut writer = self.writer();
        writer
            .set_durability(Durability::Relaxed)
            .map_err(|error| error.of_store(&self.path, action))?;
        claims::exclusively(&mut writer, &self.path, action, work)
    }

    /// Removes the files of owners that are gone. Those that own something would be found out when
    /// somebody asks for it; the others nobody asks for.
    fn forget_dead_owners(&self) {
        let files = std::fs::read_dir(self.path.join("owners"));
        for file in files.into_iter().flatten().flatten() {
            let name = file.file_name();
            let id = name
                .to_str()
                .and_then(|name| u128::from_str_radix(name, 16).ok());
            if let Some(id) = id {
                self.owner.is_alive(OwnerId(id));
            }
        }
    }
}

fn execute<P: Params>(writer: &Writer, sql: &str, params: P) -> Result<usize, ReadError> {
    Ok(writer.connection.prepare_cached(sql)?.execute(params)?)
}

fn collect_rows<T, P: Params>(
    connection: &Connection,
    sql: &str,
    params: P,
    mut read: impl FnMut(&Row<'_>) -> Result<T, ReadError>,
) -> Result<Vec<T>, ReadError> {
    let mut statement = connection.prepare(sql)?;
    let mut rows = statement.query(params)?;
    let mut all = Vec::new();
    while let Some(row) = rows.next()? {
        all.push(read(row)?);
    }
    Ok(all)
}

/// The bytes of the values of each flow run, by its number.
fn bytes_by_run(connection: &Connection) -> Result<HashMap<i64, u64>, ReadError> {
    let sql = "SELECT run, sum(len) FROM (
            SELECT run, len FROM task_runs WHERE len IS NOT NULL
            UNION ALL SELECT id >> 32 AS run, len FROM packed_task_runs
            UNION ALL SELECT run, len FROM steps WHERE len IS NOT NULL
            UNION ALL SELECT run, len FROM artifacts WHERE len IS NOT NULL
            UNION ALL SELECT n, len FROM flow_runs WHERE len IS NOT NULL)
        GROUP BY run";
    let rows = collect_rows(connection, sql, [], |row| {
        Ok((row.get(0)?, row.get::<_, i64>(1)? as u64))
    })?;
    Ok(rows.into_iter().collect())
}

/// Deletes some rows of deleted runs, and returns how many.
fn sweep_rows(writer: &Writer) -> Result<usize, ReadError> {
    let mut deleted = 0;
    while deleted < ROWS_AT_ONCE {
        let next = "SELECT n FROM deleted_runs LIMIT 1";
        let next: Option<i64> = writer
            .connection
            .prepare_cached(next)?
            .query_row([], |row| row.get(0))
            .optional()?;
        let Some(n) = next else {
            break;
        };
        let mut of_run = 0;
        for sql in [
            "DELETE FROM packed_task_runs WHERE id IN
                (SELECT id FROM packed_task_runs WHERE id >= ?1 AND id < ?2 LIMIT ?3)",
            "DELETE FROM task_runs WHERE id IN
                (SELECT id FROM task_runs WHERE id >= ?1 AND id < ?2 LIMIT ?3)",
        ] {
            let room = ROWS_AT_ONCE.saturating_sub(deleted + of_run) as i64;
            let ids = params![first_task_run(n), first_task_run(n + 1), room];
            of_run += execute(writer, sql, ids)?;
        }
        for sql in [
            "DELETE FROM steps WHERE rowid IN
                (SELECT rowid FROM steps WHERE run = ?1 LIMIT ?2)",
            "DELETE FROM attempts WHERE run = ?1 AND (call, attempt) IN
                (SELECT call, attempt FROM attempts WHERE run = ?1 LIMIT ?2)",
        ]
        .into_iter()
        .chain(logged::SWEEPS)
        {
            let room = ROWS_AT_ONCE.saturating_sub(deleted + of_run) as i64;
            of_run += execute(writer, sql, params![n, room])?;
        }
        deleted += of_run;
        if deleted < ROWS_AT_ONCE {
            // All of its rows fitted.
            execute(writer, "DELETE FROM deleted_runs WHERE n = ?1", [n])?;
            deleted += 1;
        }
    }
    Ok(deleted)
}

/// Gives free pages back to the filesystem, and returns how many.
fn give_back(connection: &Connection) -> Result<usize, ReadError> {
    let sql = format!("PRAGMA incremental_vacuum({PAGES_AT_ONCE})");
    let mut statement = connection.prepare(&sql)?;
    // There is a row for each page.
    let mut rows = statement.query([])?;
    let mut freed = 0;
    while rows.next()?.is_some() {
        freed += 1;
    }
    drop(rows);
    if freed == 0 {
        // The file shrinks when the log is written to it.
        let mut statement = connection.prepare("PRAGMA wal_checkpoint(PASSIVE)")?;
        statement.query([])?.next()?;
    }
    Ok(freed)
}

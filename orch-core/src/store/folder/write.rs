//! Writing rows: in groups, each within one transaction, each run's changes behind its fence.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension as _, params};

use super::super::{
    AttemptRow, CacheRow, CallId, Change, Durability, Epoch, Fence, FlowRunRow, OwnerId,
    ParameterRow, ResultOrigin, StepRow, StoreError, StoredValue, TaskRow, TaskRunRow,
};
use super::packs::{Gathered, Items, item_of};
use super::values::{inline_of, parts_of, to_json};
use super::{ReadError, Writer, logged, outbox};
use crate::id::FlowRunId;
use crate::report::EdgeKind;
use crate::value::Digest;

/// The numbers of tasks that this process has written.
#[derive(Default)]
pub(super) struct TaskIds(HashMap<TaskRow, i64>);

/// The rows of task runs that this process has written, by the numbers of their flow runs. Their ids are given one after the other, so that rows that are written together lie together:
/// by their calls, which are hashes, each would be on a page of its own.
#[derive(Default)]
pub(super) struct TaskRunRows(HashMap<i64, RowsOfRun>);

/// Those of one flow run, as long as no other engine writes to it.
pub(super) struct RowsOfRun {
    epoch: Epoch,
    ids: HashMap<CallId, i64>,
    next_id: i64,
    /// Those among them that are to be packed.
    pub(super) gathered: Gathered,
}

/// The ids of the task runs of a flow run: from this one on, up to the next flow run's.
pub(super) const fn first_task_run(n: i64) -> i64 {
    n << 32
}

/// A run that a batch writes to.
pub(super) struct Run {
    pub(super) id: FlowRunId,
    pub(super) n: i64,
    pub(super) seq: i64,
    pub(super) epoch: Epoch,
}

impl Writer {
    /// Commits a batch, whole or not at all.
    pub(super) fn commit(
        &mut self,
        path: &Path,
        batch: &[Change],
        fences: &[Fence],
        durability: Durability,
    ) -> Result<(), StoreError> {
        let failed = |error: ReadError| error.of_store(path, "writing changes");
        self.set_durability(durability).map_err(failed)?;
        if batch.is_empty() && durability == Durability::Relaxed {
            return Ok(());
        }
        self.disk.operation().map_err(|source| StoreError::Io {
            path: path.join(super::DATABASE),
            action: "written",
            source,
        })?;
        self.begin().map_err(failed)?;
        match self.write(batch, fences, durability) {
            Ok(Ok(())) => {
                let committed = self
                    .disk
                    .operation()
                    .map_err(|source| StoreError::Io {
                        path: path.join(super::DATABASE),
                        action: "committed",
                        source,
                    })
                    .and_then(|()| self.end("COMMIT").map_err(failed));
                if committed.is_err() {
                    self.roll_back();
                }
                committed
            }
            Ok(Err(lost)) => {
                self.roll_back();
                Err(StoreError::OwnershipLost {
                    run: lost.run,
                    epoch: lost.epoch,
                })
            }
            Err(error) => {
                self.roll_back();
                Err(failed(error))
            }
        }
    }

    pub(super) fn begin(&self) -> Result<(), ReadError> {
        self.end("BEGIN IMMEDIATE")
    }

    /// Ends a transaction.
    pub(super) fn end(&self, how: &str) -> Result<(), ReadError> {
        self.connection.prepare_cached(how)?.execute([])?;
        Ok(())
    }

    pub(super) fn roll_back(&mut self) {
        // Numbers given within it are gone with it.
        self.tasks.0.clear();
        self.task_runs.0.clear();
        // After some errors SQLite has rolled back by itself.
        drop(self.end("ROLLBACK"));
    }

    pub(super) fn set_durability(&mut self, durability: Durability) -> Result<(), ReadError> {
        if self.durability != Some(durability) {
            let mode = match durability {
                Durability::Relaxed => "NORMAL",
                Durability::Strict => "FULL",
            };
            self.connection.pragma_update(None, "synchronous", mode)?;
            self.durability = Some(durability);
        }
        Ok(())
    }

    fn write(
        &mut self,
        batch: &[Change],
        fences: &[Fence],
        durability: Durability,
    ) -> Result<Result<(), Fence>, ReadError> {
        let mut runs = Vec::with_capacity(fences.len());
        for fence in fences {
            match self.fenced(fence)? {
                Some(run) => runs.push(run),
                None => return Ok(Err(*fence)),
            }
        }
        if durability == Durability::Strict && batch.is_empty() {
            touch(&self.connection)?;
        }
        let mut items = Items::new();
        for change in batch {
            match item_of(change, &runs) {
                Some((n, row)) => items.entry(n).or_default().push(row),
                None => self.apply(change, &mut runs)?,
            }
        }
        self.put_items(items, &mut runs)?;
        for mut run in runs {
            if has_ended(batch, run.id) {
                self.pack_gathered(&mut run)?;
                self.task_runs.0.remove(&run.n);
            }
            let sql = "UPDATE flow_runs SET seq = ?2 WHERE n = ?1";
            self.connection
                .prepare_cached(sql)?
                .execute(params![run.n, run.seq])?;
        }
        Ok(Ok(()))
    }

    /// The run, if this engine still owns it.
    fn fenced(&self, fence: &Fence) -> Result<Option<Run>, ReadError> {
        let sql = "SELECT n, seq FROM flow_runs WHERE id = ?1 AND owner = ?2 AND epoch = ?3";
        let epoch = fence.epoch as i64;
        let run = self
            .connection
            .prepare_cached(sql)?
            .query_row(params![fence.run, fence.owner, epoch], |row| {
                Ok(Run {
                    id: fence.run,
                    n: row.get(0)?,
                    seq: row.get(1)?,
                    epoch: fence.epoch,
                })
            })
            .optional()?;
        Ok(run)
    }

    fn apply(&mut self, change: &Change, runs: &mut [Run]) -> Result<(), ReadError> {
        match change {
            Change::Nothing => {}
            Change::FlowRun(row) => {
                if let Some(run) = run_of(runs, row.id) {
                    run.seq += 1;
                    update_flow_run(&self.connection, run.n, row)?;
                }
            }
            Change::TaskRun { run, row, .. } => {
                if let Some(run) = run_of(runs, *run) {
                    self.put_row(run, row)?;
                }
            }
            Change::Attempt { run, row } => {
                if let Some(run) = run_of(runs, *run) {
                    put_attempt(&self.connection, run.n, row)?;
                }
            }
            Change::Orphaned { run, calls } => {
                if let Some(run) = run_of(runs, *run) {
                    self.mark_orphans(run, calls)?;
                }
            }
            Change::Step { run, row } => {
                if let Some(run) = run_of(runs, *run) {
                    put_step(&self.connection, run.n, row)?;
                }
            }
            Change::Logged { run, logged } => {
                if let Some(run) = run_of(runs, *run) {
                    logged::put(&self.connection, run.n, logged)?;
                }
            }
            Change::Cache(row) => put_cache(&self.connection, row)?,
            Change::CacheUsed { key, at } => {
                let sql = "UPDATE cache SET used_at = ?2 WHERE key = ?1";
                self.connection
                    .prepare_cached(sql)?
                    .execute(params![key, at])?;
            }
            Change::Notice(row) => outbox::put(&self.connection, row)?,
            Change::NoticeDelivered { id } => outbox::remove(&self.connection, id)?,
            Change::CacheDropped { key } => {
                let sql = "DELETE FROM cache WHERE key = ?1 AND is_pinned = 0";
                self.connection.prepare_cached(sql)?.execute([key])?;
            }
        }
        Ok(())
    }

    /// Writes a row for a task run.
    pub(super) fn put_row(&mut self, run: &mut Run, row: &TaskRunRow) -> Result<(), ReadError> {
        run.seq += 1;
        let task = self.task(&row.task)?;
        let rows = self.rows_of(run.n, run.epoch)?;
        rows.gathered.forget(&row.call);
        let id = *rows.ids.entry(row.call).or_insert(rows.next_id);
        rows.next_id = rows.next_id.max(id + 1);
        put_task_run(&self.connection, id, run.seq, task, row)
    }

    fn mark_orphans(&mut self, run: &mut Run, calls: &[CallId]) -> Result<(), ReadError> {
        run.seq += 1;
        let mut packed = HashSet::new();
        for call in calls {
            let rows = self.rows_of(run.n, run.epoch)?;
            rows.gathered.forget(call);
            let Some(id) = rows.ids.get(call).copied() else {
                packed.insert(*call);
                continue;
            };
            let sql = "UPDATE task_runs SET is_orphaned = 1, seq = ?2 WHERE id = ?1";
            self.connection
                .prepare_cached(sql)?
                .execute(params![id, run.seq])?;
        }
        match packed.is_empty() {
            true => Ok(()),
            false => self.unpack_orphans(run, &packed),
        }
    }

    /// Drops the row of a task run, if it has one.
    pub(super) fn drop_row(&mut self, run: &Run, call: CallId) -> Result<(), ReadError> {
        let rows = self.rows_of(run.n, run.epoch)?;
        rows.gathered.forget(&call);
        if let Some(id) = rows.ids.remove(&call) {
            let sql = "DELETE FROM task_runs WHERE id = ?1";
            self.connection.prepare_cached(sql)?.execute([id])?;
        }
        Ok(())
    }

    /// The rows of a flow run's task runs.
    pub(super) fn rows_of(&mut self, n: i64, epoch: Epoch) -> Result<&mut RowsOfRun, ReadError> {
        let known = self.task_runs.0.get(&n);
        if known.is_none_or(|known| known.epoch != epoch) {
            let mut known = RowsOfRun {
                epoch,
                ids: HashMap::new(),
                next_id: first_task_run(n),
                gathered: Gathered::default(),
            };
            let sql = "SELECT id, call FROM task_runs WHERE id >= ?1 AND id < ?2 ORDER BY id";
            let mut statement = self.connection.prepare_cached(sql)?;
            let mut rows = statement.query([first_task_run(n), first_task_run(n + 1)])?;
            while let Some(row) = rows.next()? {
                let id: i64 = row.get(0)?;
                known.ids.insert(row.get(1)?, id);
                known.next_id = id + 1;
            }
            drop(rows);
            drop(statement);
            self.task_runs.0.insert(n, known);
        }
        Ok(self.task_runs.0.get_mut(&n).expect("just looked up"))
    }

    /// The number of a task; it gets one the first time.
    pub(super) fn task(&mut self, task: &Arc<TaskRow>) -> Result<i64, ReadError> {
        if let Some(id) = self.tasks.0.get(task) {
            return Ok(*id);
        }
        let version = task.version.as_deref().unwrap_or("");
        let values = params![task.id, task.name, task.fingerprint, version, task.source];
        let insert = "INSERT OR IGNORE INTO tasks (task, name, fingerprint, version, source)
            VALUES (?1, ?2, ?3, ?4, ?5)";
        self.connection.prepare_cached(insert)?.execute(values)?;
        let find = "SELECT id FROM tasks WHERE task = ?1 AND name = ?2 AND fingerprint = ?3
            AND version = ?4 AND source = ?5";
        let id = self
            .connection
            .prepare_cached(find)?
            .query_row(values, |row| row.get(0))?;
        self.tasks.0.insert((**task).clone(), id);
        Ok(id)
    }
}

fn run_of(runs: &mut [Run], id: FlowRunId) -> Option<&mut Run> {
    runs.iter_mut().find(|run| run.id == id)
}

/// Whether a batch ends a flow run.
fn has_ended(batch: &[Change], run: FlowRunId) -> bool {
    let ends = |change: &Change| matches!(change, Change::FlowRun(row) if row.id == run && row.state.is_final());
    batch.iter().any(ends)
}

/// Gives a commit something to write: SQLite brings what was committed before to the disk only with
/// a further commit that is not empty.
fn touch(connection: &Connection) -> Result<(), ReadError> {
    let sql = "INSERT OR REPLACE INTO inflight (key, owner, epoch) VALUES (x'00', NULL, 0)";
    connection.prepare_cached(sql)?.execute([])?;
    Ok(())
}

/// Inserts a new flow run.
pub(super) fn insert_flow_run(
    connection: &Connection,
    row: &FlowRunRow,
    owner: OwnerId,
) -> Result<(), ReadError> {
    let sql = "INSERT INTO flow_runs (id, flow, name, key, state, started_at, seed, tags,
            parameters, manifest, fingerprint, caller, caller_call, origin, resumptions,
            is_rolling_back, is_pinned, owner, epoch, seq)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, 0, 0, ?15, ?16, 1, 0)";
    let (caller, caller_call) = row.caller.unzip();
    connection.prepare_cached(sql)?.execute(params![
        row.id,
        row.flow,
        row.name,
        row.key,
        row.state,
        row.started_at,
        row.seed as i64,
        to_json(&row.tags),
        row.parameters.as_deref().map(arguments),
        to_json(&row.manifest),
        row.fingerprint,
        caller,
        caller_call,
        row.origin.as_ref().map(to_json),
        row.is_pinned,
        owner,
    ])?;
    Ok(())
}

/// An argument of a flow, as JSON.
#[derive(serde::Serialize, serde::Deserialize)]
pub(super) struct Argument {
    pub(super) name: String,
    pub(super) shown: serde_json::Value,
    pub(super) stored: crate::value::Stored,
    /// In hexadecimal digits.
    pub(super) bytes: String,
}

fn arguments(rows: &[ParameterRow]) -> String {
    let arguments: Vec<Argument> = rows
        .iter()
        .map(|row| Argument {
            name: row.name.clone(),
            shown: row.shown.clone(),
            stored: row.value.stored.clone(),
            bytes: inline_of(&row.value)
                .unwrap_or_default()
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect(),
        })
        .collect();
    to_json(&arguments)
}

/// The columns of a value, for a statement that has no other parameters after them.
macro_rules! value_columns {
    ($value:expr) => {{
        let value: Option<&StoredValue> = $value;
        (
            value.map(|value| value.stored.digest),
            value.map(|value| value.stored.format),
            value.map(|value| value.stored.shape),
            value.map(|value| value.stored.len as i64),
            value.map(|value| parts_of(&value.stored)),
            value.and_then(inline_of),
        )
    }};
}

fn update_flow_run(connection: &Connection, n: i64, row: &FlowRunRow) -> Result<(), ReadError> {
    let (digest, format, shape, len, parts, value) = value_columns!(row.result.as_ref());
    let sql = "UPDATE flow_runs SET name = ?2, state = ?3, ended_at = ?4, error = ?5,
            is_rolling_back = ?6, digest = ?7, format = ?8, shape = ?9, len = ?10, parts = ?11,
            value = ?12, owner = CASE WHEN ?13 THEN NULL ELSE owner END
        WHERE n = ?1";
    connection.prepare_cached(sql)?.execute(params![
        n,
        row.name,
        row.state,
        row.ended_at,
        row.error.as_ref().map(to_json),
        row.is_rolling_back,
        digest,
        format,
        shape,
        len,
        parts,
        value,
        row.state.is_final(),
    ])?;
    Ok(())
}

fn put_task_run(
    connection: &Connection,
    id: i64,
    seq: i64,
    task: i64,
    row: &TaskRunRow,
) -> Result<(), ReadError> {
    let (digest, format, shape, len, parts, value) = value_columns!(row.result.as_ref());
    let (from_run, from_call) = match row.origin {
        ResultOrigin::Executed => (None, None),
        ResultOrigin::Cached { run, call } => (Some(run), Some(call)),
    };
    let sql = "INSERT OR REPLACE INTO task_runs (id, call, seq, scope, position, task, kind, name,
            state, attempts, crashes, ready_at, started_at, ended_at, error, from_run, from_call,
            key, key_parts, upstream, inputs, execution, is_complete, is_orphaned,
            digest, format, shape, len, parts, value)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18,
            ?19, ?20, ?21, ?22, ?23, ?24, ?25, ?26, ?27, ?28, ?29, ?30)";
    connection.prepare_cached(sql)?.execute(params![
        id,
        row.call,
        seq,
        row.scope,
        row.index,
        task,
        row.kind.word(),
        row.name,
        row.state,
        row.attempts,
        row.crashes,
        row.ready_at,
        row.started_at,
        row.ended_at,
        row.error.as_ref().map(to_json),
        from_run,
        from_call,
        row.key.as_ref().map(|key| key.digest),
        row.key.as_ref().map(|key| to_json(&key.parts)),
        upstream(&row.upstream),
        row.inputs,
        row.execution as i64,
        row.is_complete,
        row.is_orphaned,
        digest,
        format,
        shape,
        len,
        parts,
        value,
    ])?;
    Ok(())
}

/// Each call that a call depends on: its name, then the kind of the edge.
fn upstream(calls: &[(CallId, EdgeKind)]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(17 * calls.len());
    for (call, kind) in calls {
        bytes.extend_from_slice(&call.0);
        bytes.push(match kind {
            EdgeKind::Data => 0,
            EdgeKind::Order => 1,
            EdgeKind::Catch => 2,
        });
    }
    bytes
}

fn put_attempt(connection: &Connection, n: i64, row: &AttemptRow) -> Result<(), ReadError> {
    let sql = "INSERT OR REPLACE INTO attempts (run, call, attempt, started_at, ended_at, error)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    connection.prepare_cached(sql)?.execute(params![
        n,
        row.call,
        row.attempt,
        row.started_at,
        row.ended_at,
        row.error.as_ref().map(to_json),
    ])?;
    Ok(())
}

fn put_step(connection: &Connection, n: i64, row: &StepRow) -> Result<(), ReadError> {
    let (digest, format, shape, len, parts, value) = value_columns!(Some(&row.value));
    let sql = "INSERT OR REPLACE INTO steps (run, call, name, made_at, digest, format, shape, len,
            parts, value)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";
    connection.prepare_cached(sql)?.execute(params![
        n,
        row.call,
        row.name,
        row.made_at,
        digest,
        format,
        shape,
        len,
        parts,
        value,
    ])?;
    Ok(())
}

fn put_cache(connection: &Connection, row: &CacheRow) -> Result<(), ReadError> {
    let (digest, format, shape, len, parts, value) = value_columns!(Some(&row.value));
    // A pin is on the key: it stays when the result is made anew.
    let sql = "INSERT INTO cache (key, task_id, task, key_parts, made_run, made_call, made_at,
            took, used_at, is_pinned, digest, format, shape, len, parts, value)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)
        ON CONFLICT (key) DO UPDATE SET task_id = ?2, task = ?3, key_parts = ?4, made_run = ?5,
            made_call = ?6, made_at = ?7, took = ?8, used_at = ?9, digest = ?11, format = ?12,
            shape = ?13, len = ?14, parts = ?15, value = ?16";
    connection.prepare_cached(sql)?.execute(params![
        row.key.digest,
        row.task_id,
        row.task,
        to_json(&row.key.parts),
        row.made_by.0,
        row.made_by.1,
        row.made_at,
        row.took as i64,
        row.used_at,
        row.is_pinned,
        digest,
        format,
        shape,
        len,
        parts,
        value,
    ])?;
    Ok(())
}

pub(super) fn pin_run(
    connection: &Connection,
    run: FlowRunId,
    is_pinned: bool,
) -> Result<(), ReadError> {
    let sql = "UPDATE flow_runs SET is_pinned = ?2 WHERE id = ?1";
    connection.execute(sql, params![run, is_pinned])?;
    Ok(())
}

pub(super) fn pin_key(
    connection: &Connection,
    key: &Digest,
    is_pinned: bool,
) -> Result<bool, ReadError> {
    let sql = "UPDATE cache SET is_pinned = ?2 WHERE key = ?1";
    Ok(connection.execute(sql, params![key, is_pinned])? > 0)
}

/// Takes a flow run over.
pub(super) fn take_over(
    connection: &Connection,
    n: i64,
    owner: OwnerId,
    epoch: i64,
    state: crate::state::State,
) -> Result<(), ReadError> {
    let sql = "UPDATE flow_runs SET owner = ?2, epoch = ?3, state = ?4,
        resumptions = resumptions + 1 WHERE n = ?1";
    connection
        .prepare_cached(sql)?
        .execute(params![n, owner, epoch, state])?;
    Ok(())
}

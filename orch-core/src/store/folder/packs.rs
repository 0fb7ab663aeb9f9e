//! Items of maps: written many in one row, read back as the task runs that they are.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use rusqlite::{Connection, params};

use super::super::{
    CallId, Change, FoundTaskRun, PackedTaskRuns, StoredValue, TaskRow, TaskRunFilter,
    TaskRunPacker, TaskRunRow, ValueOf,
};
use super::read::{all, read_task};
use super::write::{Run, first_task_run};
use super::{ReadError, Writer};
use crate::id::FlowRunId;

/// Fewer become rows of their own.
const MIN_ITEMS: usize = 8;

/// So many with rows of their own are packed.
const GATHERED_ITEMS: usize = 1_024;

/// The same by what they take in memory until then.
const GATHERED_BYTES: usize = 1 << 20;

pub(super) const TABLE: &str = "
CREATE TABLE IF NOT EXISTS packed_task_runs (
    id INTEGER PRIMARY KEY,
    seq INTEGER NOT NULL,
    items INTEGER NOT NULL,
    len INTEGER NOT NULL,
    pack BLOB NOT NULL
);
";

/// Items of a flow run that were written to rows of their own, because they came one by one.
#[derive(Default)]
pub(super) struct Gathered {
    rows: HashMap<CallId, TaskRunRow>,
    bytes: usize,
}

impl Gathered {
    fn add(&mut self, row: &TaskRunRow) {
        self.bytes += bytes_of(row);
        self.rows.insert(row.call, row.clone());
    }

    /// Its row is another one now, or none.
    pub(super) fn forget(&mut self, call: &CallId) {
        if let Some(row) = self.rows.remove(call) {
            self.bytes -= bytes_of(&row);
        }
    }

    fn is_full(&self) -> bool {
        self.rows.len() >= GATHERED_ITEMS || self.bytes >= GATHERED_BYTES
    }
}

fn bytes_of(row: &TaskRunRow) -> usize {
    let result = row.result.as_ref();
    size_of::<TaskRunRow>() + result.map_or(0, |value| value.stored.len as usize)
}

/// Returns the item that a change is of, with the number of its flow run, if it may be packed.
pub(super) fn item_of<'a>(change: &'a Change, runs: &[Run]) -> Option<(i64, &'a TaskRunRow)> {
    let Change::TaskRun { run, row, is_item } = change else {
        return None;
    };
    let run = runs.iter().find(|known| known.id == *run)?;
    (*is_item && TaskRunPacker::takes(row)).then_some((run.n, &**row))
}

/// The items among the changes of a batch, by the numbers of their flow runs.
pub(super) type Items<'a> = BTreeMap<i64, Vec<&'a TaskRunRow>>;

impl Writer {
    /// Writes the items of a batch: in a pack if there are enough, else in rows, which are packed once
    /// there are enough of them.
    pub(super) fn put_items(
        &mut self,
        items: Items<'_>,
        runs: &mut [Run],
    ) -> Result<(), ReadError> {
        for (n, rows) in items {
            let run = runs.iter_mut().find(|run| run.n == n);
            let run = run.expect("it was found among them");
            if rows.len() < MIN_ITEMS {
                for row in rows {
                    self.put_row(run, row)?;
                    let gathered = &mut self.rows_of(run.n, run.epoch)?.gathered;
                    gathered.add(row);
                    if gathered.is_full() {
                        self.pack_gathered(run)?;
                    }
                }
                continue;
            }
            self.pack(run, &rows)?;
        }
        Ok(())
    }

    /// Packs the items that have rows of their own, if there are enough.
    pub(super) fn pack_gathered(&mut self, run: &mut Run) -> Result<(), ReadError> {
        let gathered = std::mem::take(&mut self.rows_of(run.n, run.epoch)?.gathered);
        if gathered.rows.len() < MIN_ITEMS {
            return Ok(());
        }
        let mut rows: Vec<&TaskRunRow> = gathered.rows.values().collect();
        rows.sort_by_key(|row| row.index);
        self.pack(run, &rows)
    }

    /// Packs items; they have no rows of their own then, which would go before the pack.
    fn pack(&mut self, run: &mut Run, rows: &[&TaskRunRow]) -> Result<(), ReadError> {
        let mut packer = TaskRunPacker::default();
        for row in rows {
            let task = self.task(&row.task)?;
            if !packer.add(row, task) {
                self.put_pack(run, std::mem::take(&mut packer))?;
                let is_first = packer.add(row, task);
                debug_assert!(is_first, "an empty pack takes any item");
            }
            self.drop_row(run, row.call)?;
        }
        self.put_pack(run, packer)
    }

    fn put_pack(&self, run: &mut Run, packer: TaskRunPacker) -> Result<(), ReadError> {
        run.seq += 1;
        let sql = "INSERT INTO packed_task_runs (id, seq, items, len, pack) VALUES (
            (SELECT coalesce(max(id) + 1, ?1) FROM packed_task_runs WHERE id >= ?1 AND id < ?2),
            ?3, ?4, ?5, ?6)";
        self.connection.prepare_cached(sql)?.execute(params![
            first_task_run(run.n),
            first_task_run(run.n + 1),
            run.seq,
            packer.len(),
            packer.result_bytes() as i64,
            packer.finish(),
        ])?;
        Ok(())
    }

    /// Gives rows of their own to those of these calls that are packed, marked as orphaned.
    pub(super) fn unpack_orphans(
        &mut self,
        run: &mut Run,
        calls: &HashSet<CallId>,
    ) -> Result<(), ReadError> {
        let packs = read(&self.connection, run.n, 0)?;
        let mut left = calls.clone();
        for pack in packs.iter().rev() {
            for mut row in pack.rows().filter(|row| left.remove(&row.call)) {
                row.is_orphaned = true;
                self.put_row(run, &row)?;
            }
        }
        Ok(())
    }
}

/// Reads the packs of a flow run that were written after `seq`. Of one that is damaged nothing is
/// known: its task runs run again.
pub(super) fn read(
    connection: &Connection,
    n: i64,
    seq: i64,
) -> Result<Vec<PackedTaskRuns>, ReadError> {
    let mut tasks: HashMap<i64, Arc<TaskRow>> = HashMap::new();
    let sql = "SELECT id, pack FROM packed_task_runs
        WHERE id >= ?1 AND id < ?2 AND seq > ?3 ORDER BY id";
    let params = params![first_task_run(n), first_task_run(n + 1), seq];
    let packs = all(connection, sql, params, |row| {
        let pack = PackedTaskRuns::read(row.get(1)?, |task| match tasks.get(&task) {
            Some(known) => Ok(Arc::clone(known)),
            None => {
                let read = Arc::new(read_task(connection, task)?);
                tasks.insert(task, Arc::clone(&read));
                Ok::<_, ReadError>(read)
            }
        })?;
        if pack.is_none() {
            let id: i64 = row.get(0)?;
            tracing::warn!(target: "orch", "{}; they run again", damage(id));
        }
        Ok(pack)
    })?;
    Ok(packs.into_iter().flatten().collect())
}

/// Returns the flow runs that have packs.
fn runs_with_packs(connection: &Connection) -> Result<Vec<(i64, FlowRunId)>, ReadError> {
    let sql = "SELECT f.n, f.id FROM flow_runs f WHERE EXISTS (SELECT 1 FROM packed_task_runs p
        WHERE p.id >= f.n << 32 AND p.id < (f.n + 1) << 32)";
    all(connection, sql, [], |row| Ok((row.get(0)?, row.get(1)?)))
}

/// Visits all values in packs.
pub(super) fn each_value(
    connection: &Connection,
    visit: &mut dyn FnMut(ValueOf, StoredValue),
) -> Result<(), ReadError> {
    for (n, run) in runs_with_packs(connection)? {
        let packs = read(connection, n, 0)?;
        for row in packs.iter().flat_map(PackedTaskRuns::rows) {
            if let Some(value) = row.result {
                visit(ValueOf::TaskRun(run, row.call), value);
            }
        }
    }
    Ok(())
}

/// Adds the packed task runs among those that are looked for.
pub(super) fn find(
    connection: &Connection,
    filter: &TaskRunFilter,
    found: &mut Vec<(i64, FoundTaskRun)>,
) -> Result<(), ReadError> {
    for (n, run) in runs_with_packs(connection)? {
        let packed = read(connection, n, 0)?;
        if !packed
            .iter()
            .any(|pack| pack.rows().any(|row| filter.matches(&row)))
        {
            continue;
        }
        let with_rows = "SELECT call FROM task_runs WHERE id >= ?1 AND id < ?2";
        let ids = [first_task_run(n), first_task_run(n + 1)];
        let mut seen: HashSet<CallId> = all(connection, with_rows, ids, |row| Ok(row.get(0)?))?
            .into_iter()
            .collect();
        for pack in packed.iter().rev() {
            let rows = pack.rows().filter(|row| seen.insert(row.call));
            let rows = rows.filter(|row| filter.matches(row));
            found.extend(rows.map(|row| (n, FoundTaskRun::of(run, &row))));
        }
    }
    Ok(())
}

/// Lists the packs that are damaged.
pub(super) fn problems(connection: &Connection) -> Result<Vec<String>, ReadError> {
    let sql = "SELECT id, pack FROM packed_task_runs";
    let read = |row: &rusqlite::Row<'_>| {
        let (id, pack): (i64, Vec<u8>) = (row.get(0)?, row.get(1)?);
        let is_damaged = !PackedTaskRuns::is_whole(&pack);
        Ok(is_damaged.then(|| damage(id)))
    };
    Ok(all(connection, sql, [], read)?
        .into_iter()
        .flatten()
        .collect())
}

fn damage(id: i64) -> String {
    format!(
        "a pack of task runs is damaged (row {id} of packed_task_runs, of flow run {})",
        id >> 32
    )
}

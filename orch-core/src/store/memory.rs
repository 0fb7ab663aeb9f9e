//! A store in memory: for tests, and for engines that share history without a folder.

use std::collections::{BTreeMap, HashMap};
use std::io::Write;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;

mod logged;
mod maintenance;
mod outbox;

use self::logged::LoggedTables;
use self::outbox::Outbox;
use super::{
    AttemptRow, BlobStore, BlobWriter, CacheRow, CallId, Change, ClaimRun, Durability, Epoch,
    Fence, FlowRunFilter, FlowRunRow, KeyClaim, LoggedRows, MaintainBlobs, MaintainRuns,
    NoticeFilter, NoticeRow, OwnerId, RunClaim, RunStore, StepRow, StoreError, TaskRunRow,
};
use crate::id::FlowRunId;
use crate::state::State;
use crate::value::Digest;

/// Rows in memory. A clone of it is another engine on the same rows: it owns other runs.
pub struct MemoryStore {
    owner: OwnerId,
    shared: Arc<Mutex<Tables>>,
}

#[derive(Default)]
struct Tables {
    flow_runs: BTreeMap<FlowRunId, FlowRun>,
    cache: HashMap<Digest, CacheRow>,
    claims: HashMap<Digest, (OwnerId, Epoch)>,
    outbox: Outbox,
    /// The owners that are there.
    alive: Vec<OwnerId>,
    owners: u128,
}

struct FlowRun {
    row: FlowRunRow,
    epoch: Epoch,
    seq: u64,
    /// The last change and the row of each task run.
    task_runs: BTreeMap<CallId, (u64, TaskRunRow)>,
    attempts: BTreeMap<(CallId, u32), AttemptRow>,
    steps: BTreeMap<(CallId, String), StepRow>,
    logged: LoggedTables,
}

impl MemoryStore {
    /// Makes an empty one.
    pub fn new() -> Self {
        Self::on(Arc::default())
    }

    fn on(shared: Arc<Mutex<Tables>>) -> Self {
        let owner = {
            let mut tables = lock(&shared);
            tables.owners += 1;
            let owner = OwnerId(tables.owners);
            tables.alive.push(owner);
            owner
        };
        Self { owner, shared }
    }

    fn lock(&self) -> MutexGuard<'_, Tables> {
        lock(&self.shared)
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

impl Clone for MemoryStore {
    fn clone(&self) -> Self {
        Self::on(Arc::clone(&self.shared))
    }
}

impl Drop for MemoryStore {
    fn drop(&mut self) {
        let owner = self.owner;
        self.lock().alive.retain(|alive| *alive != owner);
    }
}

impl std::fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MemoryStore")
            .field("owner", &self.owner)
            .finish_non_exhaustive()
    }
}

fn lock(tables: &Mutex<Tables>) -> MutexGuard<'_, Tables> {
    tables.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Tables {
    /// The run, if the fence is right.
    fn fenced(&mut self, fence: &Fence) -> Result<&mut FlowRun, StoreError> {
        let lost = StoreError::OwnershipLost {
            run: fence.run,
            epoch: fence.epoch,
        };
        let run = self.flow_runs.get_mut(&fence.run).ok_or(lost)?;
        if run.row.owner != Some((fence.owner, fence.epoch)) {
            return Err(StoreError::OwnershipLost {
                run: fence.run,
                epoch: fence.epoch,
            });
        }
        Ok(run)
    }

    fn apply(&mut self, change: &Change) {
        match change {
            Change::Nothing => {}
            Change::FlowRun(row) => {
                if let Some(run) = self.flow_runs.get_mut(&row.id) {
                    run.seq += 1;
                    let (owner, is_pinned) = (run.row.owner, run.row.is_pinned);
                    run.row = (**row).clone();
                    run.row.is_pinned = is_pinned;
                    run.row.owner = owner.filter(|_| !row.state.is_final());
                }
            }
            Change::TaskRun { run, row, .. } => {
                if let Some(run) = self.flow_runs.get_mut(run) {
                    run.seq += 1;
                    run.task_runs.insert(row.call, (run.seq, (**row).clone()));
                }
            }
            Change::Attempt { run, row } => {
                if let Some(run) = self.flow_runs.get_mut(run) {
                    run.attempts
                        .insert((row.call, row.attempt), (**row).clone());
                }
            }
            Change::Orphaned { run, calls } => {
                if let Some(run) = self.flow_runs.get_mut(run) {
                    run.seq += 1;
                    for call in calls {
                        if let Some((seq, row)) = run.task_runs.get_mut(call) {
                            *seq = run.seq;
                            row.is_orphaned = true;
                        }
                    }
                }
            }
            Change::Step { run, row } => {
                if let Some(run) = self.flow_runs.get_mut(run) {
                    run.steps
                        .insert((row.call, row.name.clone()), (**row).clone());
                }
            }
            Change::Logged { run, logged } => {
                if let Some(run) = self.flow_runs.get_mut(run) {
                    run.logged.put(logged);
                }
            }
            Change::Cache(row) => {
                let before = self.cache.insert(row.key.digest, (**row).clone());
                // A pin is on the key: it stays when the result is made anew.
                if before.is_some_and(|before| before.is_pinned)
                    && let Some(row) = self.cache.get_mut(&row.key.digest)
                {
                    row.is_pinned = true;
                }
            }
            Change::CacheUsed { key, at } => {
                if let Some(row) = self.cache.get_mut(key) {
                    row.used_at = *at;
                }
            }
            Change::Notice(row) => self.outbox.put(row),
            Change::NoticeDelivered { id } => self.outbox.remove(id),
            Change::CacheDropped { key } => {
                if self.cache.get(key).is_some_and(|row| !row.is_pinned) {
                    self.cache.remove(key);
                }
            }
        }
    }

    fn claim(&mut self, owner: OwnerId, claim: ClaimRun) -> RunClaim {
        let found = match (&claim.resume, &claim.row.key) {
            (Some(id), _) => match self.flow_runs.contains_key(id) {
                true => Some(*id),
                false => return RunClaim::Unknown(*id),
            },
            (None, Some(key)) => self
                .flow_runs
                .values()
                .find(|run| run.row.flow == claim.row.flow && run.row.key.as_ref() == Some(key))
                .map(|run| run.row.id),
            (None, None) => None,
        };
        let Some(id) = found else {
            let fence = Fence {
                run: claim.row.id,
                owner,
                epoch: 1,
            };
            let mut row = claim.row;
            row.owner = Some((owner, 1));
            let run = FlowRun {
                row,
                epoch: 1,
                seq: 0,
                task_runs: BTreeMap::new(),
                attempts: BTreeMap::new(),
                steps: BTreeMap::new(),
                logged: LoggedTables::default(),
            };
            self.flow_runs.insert(fence.run, run);
            return RunClaim::Started(fence);
        };
        let is_alive = |alive: &[OwnerId], owner| alive.contains(&owner);
        let run = self.flow_runs.get_mut(&id).expect("just found");
        if claim.resume.is_none() {
            let parameters = differing(&run.row, &claim.row);
            if !parameters.is_empty() {
                return RunClaim::KeyReused {
                    row: Box::new(run.row.clone()),
                    parameters,
                };
            }
        }
        match run.row.owner {
            Some((by, _)) if by == owner => return RunClaim::RunningHere(id),
            Some((by, _)) if is_alive(&self.alive, by) => {
                return RunClaim::RunningElsewhere { run: id, owner: by };
            }
            _ => {}
        }
        match run.row.state {
            State::Completed => return RunClaim::Completed(Box::new(run.row.clone())),
            State::Cancelled if !claim.revive_cancelled => {
                return RunClaim::Cancelled(Box::new(run.row.clone()));
            }
            _ => {}
        }
        let found = Box::new(run.row.clone());
        run.epoch += 1;
        run.row.owner = Some((owner, run.epoch));
        run.row.state = State::Running;
        run.row.resumptions += 1;
        RunClaim::TakenOver {
            fence: Fence {
                run: id,
                owner,
                epoch: run.epoch,
            },
            row: found,
        }
    }
}

/// The names of the parameters that two calls of one flow differ in.
pub(super) fn differing(known: &FlowRunRow, asked: &FlowRunRow) -> Vec<String> {
    let (Some(known), Some(asked)) = (&known.parameters, &asked.parameters) else {
        return Vec::new();
    };
    let mut names: Vec<String> = asked
        .iter()
        .filter(|asked| {
            known
                .iter()
                .find(|known| known.name == asked.name)
                .map(|known| known.value.stored.digest)
                != Some(asked.value.stored.digest)
        })
        .map(|parameter| parameter.name.clone())
        .collect();
    let gone = known
        .iter()
        .filter(|known| !asked.iter().any(|asked| asked.name == known.name));
    names.extend(gone.map(|parameter| parameter.name.clone()));
    names
}

impl FlowRunFilter {
    pub(super) fn matches(&self, row: &FlowRunRow) -> bool {
        let begins =
            |prefix: &str| row.id.to_string().starts_with(prefix) || row.name.starts_with(prefix);
        self.flow.as_ref().is_none_or(|flow| *flow == row.flow)
            && (self.key.is_none() || self.key == row.key)
            && (self.states.is_empty() || self.states.contains(&row.state))
            && self
                .caller
                .is_none_or(|caller| row.caller.is_some_and(|(by, _)| by == caller))
            && self.prefix.as_deref().is_none_or(begins)
    }
}

fn ready<'a, T: Send + 'a>(value: T) -> BoxFuture<'a, Result<T, StoreError>> {
    std::future::ready(Ok(value)).boxed()
}

impl RunStore for MemoryStore {
    fn is_immediate(&self) -> bool {
        true
    }

    fn commit<'a>(
        &'a self,
        batch: &'a [Change],
        fences: &'a [Fence],
        _durability: Durability,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        let mut tables = self.lock();
        for fence in fences {
            if let Err(lost) = tables.fenced(fence) {
                return std::future::ready(Err(lost)).boxed();
            }
        }
        batch.iter().for_each(|change| tables.apply(change));
        ready(())
    }

    fn claim_run<'a>(&'a self, claim: ClaimRun) -> BoxFuture<'a, Result<RunClaim, StoreError>> {
        ready(self.lock().claim(self.owner, claim))
    }

    fn claim_key<'a>(&'a self, key: Digest) -> BoxFuture<'a, Result<KeyClaim, StoreError>> {
        let mut tables = self.lock();
        let before = tables.claims.get(&key).copied();
        let epoch = match before {
            Some((owner, _)) if owner != self.owner && tables.alive.contains(&owner) => {
                return ready(KeyClaim::HeldBy(owner));
            }
            Some((_, epoch)) => epoch + 1,
            None => 1,
        };
        tables.claims.insert(key, (self.owner, epoch));
        ready(KeyClaim::Claimed(epoch))
    }

    fn release_key<'a>(
        &'a self,
        key: Digest,
        epoch: Epoch,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        let mut tables = self.lock();
        if tables.claims.get(&key) == Some(&(self.owner, epoch)) {
            tables.claims.remove(&key);
        }
        ready(())
    }

    fn cached<'a>(&'a self, key: Digest) -> BoxFuture<'a, Result<Option<CacheRow>, StoreError>> {
        let mut row = self.lock().cache.get(&key).cloned();
        if let Some(row) = &mut row {
            row.key.parts.clear();
        }
        ready(row)
    }

    fn cached_by_task<'a>(
        &'a self,
        task_id: &'a str,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<CacheRow>, StoreError>> {
        let mut rows: Vec<CacheRow> = self
            .lock()
            .cache
            .values()
            .filter(|row| row.task_id == task_id)
            .cloned()
            .collect();
        rows.sort_by_key(|row| std::cmp::Reverse(row.made_at));
        rows.truncate(limit);
        ready(rows)
    }

    fn cache_entries<'a>(&'a self) -> BoxFuture<'a, Result<Vec<CacheRow>, StoreError>> {
        let mut rows: Vec<CacheRow> = self.lock().cache.values().cloned().collect();
        rows.sort_by_key(|row| std::cmp::Reverse(row.used_at));
        ready(rows)
    }

    fn flow_run<'a>(
        &'a self,
        id: FlowRunId,
    ) -> BoxFuture<'a, Result<Option<FlowRunRow>, StoreError>> {
        ready(self.lock().flow_runs.get(&id).map(|run| run.row.clone()))
    }

    fn flow_runs<'a>(
        &'a self,
        filter: FlowRunFilter,
    ) -> BoxFuture<'a, Result<Vec<FlowRunRow>, StoreError>> {
        let tables = self.lock();
        let runs = tables.flow_runs.values().map(|run| &run.row);
        let mut rows: Vec<FlowRunRow> = runs.filter(|row| filter.matches(row)).cloned().collect();
        rows.sort_by_key(|row| std::cmp::Reverse((row.started_at, row.id)));
        if filter.limit > 0 {
            rows.truncate(filter.limit);
        }
        ready(rows)
    }

    fn task_runs<'a>(
        &'a self,
        run: FlowRunId,
    ) -> BoxFuture<'a, Result<Vec<TaskRunRow>, StoreError>> {
        self.changes_since(run, 0)
            .map(|rows| rows.map(|(rows, _)| rows))
            .boxed()
    }

    fn changes_since<'a>(
        &'a self,
        run: FlowRunId,
        seq: u64,
    ) -> BoxFuture<'a, Result<(Vec<TaskRunRow>, u64), StoreError>> {
        let tables = self.lock();
        let Some(run) = tables.flow_runs.get(&run) else {
            return ready((Vec::new(), 0));
        };
        let mut rows: Vec<TaskRunRow> = run
            .task_runs
            .values()
            .filter(|(changed, _)| *changed > seq)
            .map(|(_, row)| row.clone())
            .collect();
        rows.sort_by_key(|row| row.index);
        ready((rows, run.seq))
    }

    fn attempts<'a>(
        &'a self,
        run: FlowRunId,
    ) -> BoxFuture<'a, Result<Vec<AttemptRow>, StoreError>> {
        let tables = self.lock();
        let run = tables.flow_runs.get(&run);
        ready(run.map_or_else(Vec::new, |run| run.attempts.values().cloned().collect()))
    }

    fn steps<'a>(&'a self, run: FlowRunId) -> BoxFuture<'a, Result<Vec<StepRow>, StoreError>> {
        let tables = self.lock();
        let run = tables.flow_runs.get(&run);
        ready(run.map_or_else(Vec::new, |run| run.steps.values().cloned().collect()))
    }

    fn logged<'a>(&'a self, run: FlowRunId) -> BoxFuture<'a, Result<LoggedRows, StoreError>> {
        let tables = self.lock();
        let run = tables.flow_runs.get(&run);
        ready(run.map_or_else(LoggedRows::default, |run| run.logged.rows()))
    }

    fn undelivered<'a>(
        &'a self,
        filter: NoticeFilter,
    ) -> BoxFuture<'a, Result<Vec<NoticeRow>, StoreError>> {
        ready(self.lock().outbox.list(&filter))
    }

    fn pin<'a>(&'a self, run: FlowRunId, is_pinned: bool) -> BoxFuture<'a, Result<(), StoreError>> {
        if let Some(run) = self.lock().flow_runs.get_mut(&run) {
            run.row.is_pinned = is_pinned;
        }
        ready(())
    }

    fn pin_key<'a>(
        &'a self,
        key: Digest,
        is_pinned: bool,
    ) -> BoxFuture<'a, Result<bool, StoreError>> {
        let mut tables = self.lock();
        let row = tables.cache.get_mut(&key);
        let is_there = row.is_some();
        if let Some(row) = row {
            row.is_pinned = is_pinned;
        }
        ready(is_there)
    }

    fn maintenance(&self) -> Option<&dyn MaintainRuns> {
        Some(self)
    }
}

/// Large values in memory. Clones share them.
#[derive(Clone, Default)]
pub struct MemoryBlobs(Arc<Mutex<Values>>);

#[derive(Default)]
struct Values {
    by_digest: HashMap<Digest, Arc<[u8]>>,
    holds: usize,
}

impl MemoryBlobs {
    /// Makes an empty one.
    pub fn new() -> Self {
        Self::default()
    }

    fn lock(&self) -> MutexGuard<'_, Values> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for MemoryBlobs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MemoryBlobs")
            .field("values", &self.lock().by_digest.len())
            .finish()
    }
}

struct MemoryWriter {
    blobs: MemoryBlobs,
    bytes: Vec<u8>,
}

impl Write for MemoryWriter {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl BlobWriter for MemoryWriter {
    fn finish(self: Box<Self>, digest: Digest, _durability: Durability) -> Result<(), StoreError> {
        self.blobs
            .lock()
            .by_digest
            .insert(digest, self.bytes.into());
        Ok(())
    }
}

impl BlobStore for MemoryBlobs {
    fn writer(&self) -> Result<Box<dyn BlobWriter>, StoreError> {
        Ok(Box::new(MemoryWriter {
            blobs: self.clone(),
            bytes: Vec::new(),
        }))
    }

    fn read(&self, digest: &Digest) -> Result<Option<Vec<u8>>, StoreError> {
        let values = self.lock();
        Ok(values.by_digest.get(digest).map(|bytes| bytes.to_vec()))
    }

    fn contains(&self, digest: &Digest) -> Result<bool, StoreError> {
        Ok(self.lock().by_digest.contains_key(digest))
    }

    fn remove(&self, digest: &Digest) -> Result<(), StoreError> {
        self.lock().by_digest.remove(digest);
        Ok(())
    }

    fn hold(&self) -> Result<(), StoreError> {
        self.lock().holds += 1;
        Ok(())
    }

    fn release(&self) {
        let mut values = self.lock();
        values.holds = values.holds.saturating_sub(1);
    }

    fn maintenance(&self) -> Option<&dyn MaintainBlobs> {
        Some(self)
    }
}

//! Removing rows and values from memory.

use std::time::Duration;

use super::{MemoryBlobs, MemoryStore, Tables};
use crate::id::FlowRunId;
use crate::store::{
    BlobUsage, CacheUsage, MaintainBlobs, MaintainRuns, OwnerId, Place, RunUsage, StoreError,
    StoredValue, ValueOf,
};
use crate::value::Digest;

impl Tables {
    fn alive(&self, owner: Option<OwnerId>) -> Option<OwnerId> {
        owner.filter(|owner| self.alive.contains(owner))
    }

    fn each_value(&self, mut visit: impl FnMut(ValueOf, &StoredValue)) {
        for run in self.flow_runs.values() {
            let id = run.row.id;
            if let Some(value) = &run.row.result {
                visit(ValueOf::FlowRun(id), value);
            }
            for (_, row) in run.task_runs.values() {
                if let Some(value) = &row.result {
                    visit(ValueOf::TaskRun(id, row.call), value);
                }
            }
            for row in run.logged.artifacts() {
                let of = ValueOf::Artifact(id, row.by.call, row.name.clone());
                visit(of, &row.value);
            }
            for row in run.steps.values() {
                visit(ValueOf::Step(id, row.call, row.name.clone()), &row.value);
            }
        }
        for row in self.cache.values() {
            visit(ValueOf::Cached(row.key.digest), &row.value);
        }
    }
}

impl MaintainRuns for MemoryStore {
    fn run_usage(&self, _with_bytes: bool) -> Result<Vec<RunUsage>, StoreError> {
        let tables = self.lock();
        let usage = |run: &super::FlowRun| RunUsage {
            id: run.row.id,
            flow: run.row.flow.clone(),
            state: run.row.state,
            started_at: run.row.started_at,
            ended_at: run.row.ended_at,
            is_pinned: run.row.is_pinned,
            owner: tables.alive(run.row.owner.map(|(owner, _)| owner)),
            caller: run.row.caller.map(|(caller, _)| caller),
            bytes: {
                let results = run.task_runs.values().map(|(_, row)| row.result.as_ref());
                let steps = run.steps.values().map(|row| Some(&row.value));
                let own = std::iter::once(run.row.result.as_ref());
                let artifacts = run.logged.artifacts().map(|row| Some(&row.value));
                let values = results.chain(steps).chain(artifacts).chain(own).flatten();
                values.map(|value| value.stored.len).sum()
            },
        };
        Ok(tables.flow_runs.values().map(usage).collect())
    }

    fn cache_usage(&self) -> Result<Vec<CacheUsage>, StoreError> {
        let tables = self.lock();
        let usage = tables.cache.values().map(|row| CacheUsage {
            key: row.key.digest,
            made_at: row.made_at,
            used_at: row.used_at,
            is_pinned: row.is_pinned,
            bytes: row.value.stored.len,
        });
        Ok(usage.collect())
    }

    fn delete_runs(&self, runs: &[FlowRunId]) -> Result<usize, StoreError> {
        let mut tables = self.lock();
        let before = tables.flow_runs.len();
        for id in runs {
            let is_kept = tables.flow_runs.get(id).is_none_or(|run| {
                let owner = run.row.owner.map(|(owner, _)| owner);
                run.row.is_pinned || tables.alive(owner).is_some()
            });
            if !is_kept {
                tables.flow_runs.remove(id);
            }
        }
        Ok(before - tables.flow_runs.len())
    }

    fn delete_cached(&self, entries: &[CacheUsage]) -> Result<usize, StoreError> {
        let mut tables = self.lock();
        let before = tables.cache.len();
        for entry in entries {
            let row = tables.cache.get(&entry.key);
            if row.is_some_and(|row| !row.is_pinned && row.used_at <= entry.used_at) {
                tables.cache.remove(&entry.key);
            }
        }
        Ok(before - tables.cache.len())
    }

    fn sweep(&self) -> Result<bool, StoreError> {
        let mut tables = self.lock();
        let Tables { claims, alive, .. } = &mut *tables;
        claims.retain(|_, (owner, _)| alive.contains(owner));
        Ok(false)
    }

    fn is_referenced(&self, digest: &Digest) -> Result<bool, StoreError> {
        let mut is_referenced = false;
        self.lock().each_value(|_, value| {
            is_referenced |= value.place == Place::Blob && value.stored.digest == *digest;
        });
        Ok(is_referenced)
    }

    fn each_value(
        &self,
        only_blobs: bool,
        visit: &mut dyn FnMut(ValueOf, Result<StoredValue, StoreError>),
    ) -> Result<(), StoreError> {
        self.lock().each_value(|of, value| {
            if !only_blobs || value.place == Place::Blob {
                visit(of, Ok(value.clone()));
            }
        });
        Ok(())
    }

    fn problems(&self) -> Result<Vec<String>, StoreError> {
        Ok(Vec::new())
    }

    fn compact(&self) -> Result<(), StoreError> {
        Ok(())
    }
}

impl MaintainBlobs for MemoryBlobs {
    fn parts(&self) -> usize {
        1
    }

    fn list(&self, _part: usize) -> Result<Vec<BlobUsage>, StoreError> {
        let values = self.lock();
        let usage = values.by_digest.iter().map(|(digest, bytes)| BlobUsage {
            digest: *digest,
            bytes: bytes.len() as u64,
            // No moment is kept with a value.
            age: Duration::MAX,
        });
        Ok(usage.collect())
    }

    fn remove_unreferenced(
        &self,
        values: &[BlobUsage],
        _min_age: Duration,
        is_referenced: &mut dyn FnMut(&Digest) -> Result<bool, StoreError>,
    ) -> Result<Option<Vec<BlobUsage>>, StoreError> {
        let mut there = self.lock();
        if there.holds > 0 {
            return Ok(None);
        }
        let mut removed = Vec::new();
        for value in values {
            let is_kept = is_referenced(&value.digest)?;
            if !is_kept && there.by_digest.remove(&value.digest).is_some() {
                removed.push(value.clone());
            }
        }
        Ok(Some(removed))
    }

    fn remove_unfinished(&self, _min_age: Duration, _dry_run: bool) -> Result<usize, StoreError> {
        Ok(0)
    }
}

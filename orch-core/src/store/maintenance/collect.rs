//! Removing what is not kept, in steps that are short enough to be done between two commits.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use super::{BlobUsage, CacheBudget, CacheUsage, ROWS_AT_ONCE, Retention, ValueOf};
use crate::id::FlowRunId;
use crate::store::{BlobStore, Place, RunStore, StoreError, Timestamp};
use crate::value::Digest;

/// How old a value has to be before it is collected: it may be on its way to a row of a writer that
/// took no lock.
pub(crate) const MIN_AGE: Duration = Duration::from_secs(60 * 60);

/// How many values are removed under one lock: who wants to write one waits no longer than for that.
const BLOBS_AT_ONCE: usize = 256;

/// How long a collection that somebody asked for waits for writers of values, in all.
const PATIENCE: Duration = Duration::from_secs(5);

/// What a collection removed, or would remove.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct GcReport {
    /// Whether it only looked.
    pub is_dry_run: bool,
    /// How many flow runs are not kept.
    pub flow_runs: usize,
    /// How many cached results are not kept.
    pub cache_entries: usize,
    /// How many values nothing points to any more.
    pub blobs: usize,
    /// Their bytes.
    pub blob_bytes: u64,
    /// How many half-written values of processes that are gone there were.
    pub unfinished: usize,
    /// Whether values were left because somebody was writing all the time. The next collection sees
    /// to them.
    pub is_partial: bool,
}

/// Collects at once, on this thread; with `dry_run` only looks what there would be to do.
pub(crate) fn collect(
    runs: &dyn RunStore,
    blobs: &dyn BlobStore,
    plan: Plan<'_>,
    dry_run: bool,
) -> Result<GcReport, StoreError> {
    let min_age = plan.min_age;
    let mut collection = Collection::new(runs, plan)?;
    if dry_run {
        return collection.look(runs, blobs, min_age);
    }
    let patient_until = Instant::now() + PATIENCE;
    loop {
        match collection.step(runs, blobs)? {
            Step::More => {}
            Step::Busy if Instant::now() < patient_until => {
                std::thread::sleep(Duration::from_millis(1));
            }
            Step::Busy => collection.pass_over(),
            Step::Done => return Ok(collection.report),
        }
    }
}

/// What is kept.
#[derive(Clone, Copy)]
pub(crate) struct Plan<'a> {
    pub(crate) retention: &'a Retention,
    pub(crate) budget: &'a CacheBudget,
    pub(crate) min_age: Duration,
    pub(crate) now: Timestamp,
}

/// How a step went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// There is more to do.
    More,
    /// Somebody writes values: nothing was done.
    Busy,
    /// Nothing is left.
    Done,
}

/// A collection that is under way.
pub(crate) struct Collection {
    min_age: Duration,
    /// Those that are still to be deleted, in reverse.
    expired: Vec<FlowRunId>,
    evicted: Vec<CacheUsage>,
    is_swept: bool,
    /// The part of the blobs that comes next, and what is left of the one before.
    next_part: usize,
    unreferenced: Vec<BlobUsage>,
    is_done: bool,
    pub(crate) report: GcReport,
}

impl Collection {
    /// Decides which rows are to go.
    pub(crate) fn new(runs: &dyn RunStore, plan: Plan<'_>) -> Result<Self, StoreError> {
        let (mut expired, mut evicted) = match runs.maintenance() {
            None => (Vec::new(), Vec::new()),
            Some(runs) => {
                let usage = runs.run_usage(plan.retention.needs_bytes())?;
                let expired = plan.retention.expired(usage, plan.now);
                (expired, plan.budget.evicted(runs.cache_usage()?, plan.now))
            }
        };
        expired.reverse();
        evicted.reverse();
        Ok(Self {
            min_age: plan.min_age,
            expired,
            evicted,
            is_swept: false,
            next_part: 0,
            unreferenced: Vec::new(),
            is_done: false,
            report: GcReport::default(),
        })
    }

    /// Does a bit of it.
    pub(crate) fn step(
        &mut self,
        runs: &dyn RunStore,
        blobs: &dyn BlobStore,
    ) -> Result<Step, StoreError> {
        let Some(runs) = runs.maintenance() else {
            return Ok(Step::Done);
        };
        if let Some(expired) = take(&mut self.expired, ROWS_AT_ONCE) {
            self.report.flow_runs += runs.delete_runs(&expired)?;
            return Ok(Step::More);
        }
        if let Some(evicted) = take(&mut self.evicted, ROWS_AT_ONCE) {
            self.report.cache_entries += runs.delete_cached(&evicted)?;
            return Ok(Step::More);
        }
        if !self.is_swept {
            self.is_swept = !runs.sweep()?;
            return Ok(Step::More);
        }
        let Some(blobs) = blobs.maintenance() else {
            return Ok(Step::Done);
        };
        if let Some(some) = take(&mut self.unreferenced, BLOBS_AT_ONCE) {
            // Looked at before without the lock; under it, again.
            let removed = blobs.remove_unreferenced(&some, self.min_age, &mut |digest| {
                runs.is_referenced(digest)
            })?;
            let Some(removed) = removed else {
                self.unreferenced.extend(some);
                return Ok(Step::Busy);
            };
            self.report.blobs += removed.len();
            self.report.blob_bytes += removed.iter().map(|blob| blob.bytes).sum::<u64>();
            return Ok(Step::More);
        }
        if self.next_part < blobs.parts() {
            let part = blobs.list(self.next_part)?;
            self.next_part += 1;
            for blob in part {
                if blob.age >= self.min_age && !runs.is_referenced(&blob.digest)? {
                    self.unreferenced.push(blob);
                }
            }
            return Ok(Step::More);
        }
        if !self.is_done {
            self.report.unfinished = blobs.remove_unfinished(self.min_age, false)?;
            self.is_done = true;
        }
        Ok(Step::Done)
    }

    /// Leaves values where they are that somebody may be about to point to.
    pub(crate) fn pass_over(&mut self) {
        self.unreferenced.clear();
        self.report.is_partial = true;
    }

    /// Counts what would be removed.
    fn look(
        mut self,
        runs: &dyn RunStore,
        blobs: &dyn BlobStore,
        min_age: Duration,
    ) -> Result<GcReport, StoreError> {
        self.report.is_dry_run = true;
        self.report.flow_runs = self.expired.len();
        self.report.cache_entries = self.evicted.len();
        let (Some(runs), Some(blobs)) = (runs.maintenance(), blobs.maintenance()) else {
            return Ok(self.report);
        };
        let expired: HashSet<FlowRunId> = self.expired.iter().copied().collect();
        let evicted: HashSet<Digest> = self.evicted.iter().map(|entry| entry.key).collect();
        let mut kept: HashSet<Digest> = HashSet::new();
        let mut failed = None;
        runs.each_value(true, &mut |of, value| {
            let is_kept = match of {
                ValueOf::FlowRun(run)
                | ValueOf::TaskRun(run, _)
                | ValueOf::Step(run, ..)
                | ValueOf::Artifact(run, ..) => !expired.contains(&run),
                ValueOf::Cached(key) => !evicted.contains(&key),
            };
            match value {
                Ok(value) if is_kept && value.place == Place::Blob => {
                    kept.insert(value.stored.digest);
                }
                Ok(_) => {}
                Err(error) => failed = Some(error),
            }
        })?;
        if let Some(error) = failed {
            return Err(error);
        }
        for part in 0..blobs.parts() {
            for blob in blobs.list(part)? {
                if blob.age >= min_age && !kept.contains(&blob.digest) {
                    self.report.blobs += 1;
                    self.report.blob_bytes += blob.bytes;
                }
            }
        }
        self.report.unfinished = blobs.remove_unfinished(min_age, true)?;
        Ok(self.report)
    }
}

/// Takes some from the end, if there are any.
fn take<T>(from: &mut Vec<T>, at_most: usize) -> Option<Vec<T>> {
    let rest = from.len().saturating_sub(at_most);
    let mut taken = from.split_off(rest);
    taken.reverse();
    (!taken.is_empty()).then_some(taken)
}

//! Which flow runs and which cached results are kept.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use super::{CacheUsage, RunUsage};
use crate::id::FlowRunId;
use crate::store::Timestamp;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Which flow runs a store keeps. By default at most 1,000 of each flow, for at most 90 days.
///
/// Runs that failed or crashed are kept twice as long, and until there are twice as many newer
/// ones. Runs under way and pinned ones are always kept, subflows as long as the run that called
/// them. With a run its key is forgotten: a flow that is started with that key runs anew. The cache
/// has a budget of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retention {
    max_runs: Option<usize>,
    max_age: Option<Duration>,
    max_bytes: Option<u64>,
}

impl Default for Retention {
    fn default() -> Self {
        Self {
            max_runs: Some(1_000),
            max_age: Some(90 * DAY),
            max_bytes: None,
        }
    }
}

impl Retention {
    /// Keeps everything.
    pub const fn forever() -> Self {
        Self {
            max_runs: None,
            max_age: None,
            max_bytes: None,
        }
    }

    /// Keeps at most this many runs of each flow, the newest.
    pub const fn max_runs(mut self, runs: usize) -> Self {
        self.max_runs = Some(runs);
        self
    }

    /// Keeps runs for this long after they ended.
    pub const fn max_age(mut self, age: Duration) -> Self {
        self.max_age = Some(age);
        self
    }

    /// Keeps results of at most this many bytes in all, those of the newest runs. What two runs
    /// share counts for both.
    pub const fn max_bytes(mut self, bytes: u64) -> Self {
        self.max_bytes = Some(bytes);
        self
    }

    /// How many runs, for how long, of how many bytes.
    #[cfg(feature = "config")]
    pub(crate) const fn limits(&self) -> (Option<usize>, Option<Duration>, Option<u64>) {
        (self.max_runs, self.max_age, self.max_bytes)
    }

    /// Whether the bytes of runs have to be counted.
    pub(crate) const fn needs_bytes(&self) -> bool {
        self.max_bytes.is_some()
    }

    /// Returns the runs that are not kept, the oldest first.
    pub(crate) fn expired(&self, mut runs: Vec<RunUsage>, now: Timestamp) -> Vec<FlowRunId> {
        let known: HashSet<FlowRunId> = runs.iter().map(|run| run.id).collect();
        // The newest first.
        runs.sort_by_key(|run| std::cmp::Reverse((run.last(), run.id)));
        let mut newer: HashMap<&str, usize> = HashMap::new();
        let mut expired: HashSet<FlowRunId> = HashSet::new();
        let is_called = |run: &RunUsage| run.caller.is_some_and(|by| known.contains(&by));
        for run in runs.iter().filter(|run| !is_called(run)) {
            let newer = newer.entry(&run.flow).or_default();
            let factor = if run.state.is_failure() || run.is_abandoned() {
                2
            } else {
                1
            };
            let is_too_many = |max: usize| *newer >= max.saturating_mul(factor);
            let is_too_old = |max: Duration| run.age(now) > max.saturating_mul(factor as u32);
            let is_expired =
                self.max_runs.is_some_and(is_too_many) || self.max_age.is_some_and(is_too_old);
            *newer += 1;
            if is_expired && !run.is_kept() {
                expired.insert(run.id);
            }
        }
        if let Some(max) = self.max_bytes {
            let with_called = bytes_with_called(&runs);
            let left = with_called.iter().filter(|(id, _)| !expired.contains(id));
            let mut bytes: u64 = left.map(|(_, bytes)| bytes).sum();
            // As old as half of their age are those that are kept twice as long.
            let mut oldest: Vec<&RunUsage> = runs
                .iter()
                .filter(|run| !is_called(run) && !run.is_kept() && !expired.contains(&run.id))
                .collect();
            oldest.sort_by_key(|run| {
                let is_failure = run.state.is_failure() || run.is_abandoned();
                run.age(now) / if is_failure { 2 } else { 1 }
            });
            while bytes > max
                && let Some(run) = oldest.pop()
            {
                bytes -= with_called.get(&run.id).copied().unwrap_or(0);
                expired.insert(run.id);
            }
        }
        // Subflows go with their caller, and their own subflows with them.
        loop {
            let before = expired.len();
            for run in &runs {
                if is_called(run)
                    && run.caller.is_some_and(|by| expired.contains(&by))
                    && !run.is_kept()
                {
                    expired.insert(run.id);
                }
            }
            if expired.len() == before {
                break;
            }
        }
        let oldest_first = runs.iter().rev().map(|run| run.id);
        oldest_first.filter(|id| expired.contains(id)).collect()
    }
}

impl RunUsage {
    fn last(&self) -> Timestamp {
        self.ended_at.unwrap_or(self.started_at)
    }

    fn age(&self, now: Timestamp) -> Duration {
        age(self.last(), now)
    }

    /// Whether nothing may remove it.
    fn is_kept(&self) -> bool {
        self.is_pinned || self.owner.is_some()
    }

    /// Whether its engine is gone without having ended it: it has crashed, though no row says so.
    fn is_abandoned(&self) -> bool {
        !self.state.is_final() && self.owner.is_none()
    }
}

/// The bytes of each run that none of the others called, with those of all that it led to.
fn bytes_with_called(runs: &[RunUsage]) -> HashMap<FlowRunId, u64> {
    let by_id: HashMap<FlowRunId, &RunUsage> = runs.iter().map(|run| (run.id, run)).collect();
    let mut bytes = HashMap::new();
    for run in runs {
        let mut root = run;
        // Damaged rows may say that runs called each other.
        for _ in 0..runs.len() {
            match root.caller.and_then(|caller| by_id.get(&caller)) {
                Some(caller) => root = caller,
                None => break,
            }
        }
        *bytes.entry(root.id).or_default() += run.bytes;
    }
    bytes
}

fn age(since: Timestamp, now: Timestamp) -> Duration {
    let nanos = now.0.saturating_sub(since.0);
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(0))
}

/// How much the cache of a store may hold. By default 10 GiB, however old.
///
/// What was not used for longest goes first. Pinned entries are always kept, and count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CacheBudget {
    max_bytes: Option<u64>,
    max_age: Option<Duration>,
}

impl Default for CacheBudget {
    fn default() -> Self {
        Self {
            max_bytes: Some(10 * 1024 * 1024 * 1024),
            max_age: None,
        }
    }
}

impl CacheBudget {
    /// Keeps everything.
    pub const fn unlimited() -> Self {
        Self {
            max_bytes: None,
            max_age: None,
        }
    }

    /// How many bytes, for how long.
    #[cfg(feature = "config")]
    pub(crate) const fn limits(&self) -> (Option<u64>, Option<Duration>) {
        (self.max_bytes, self.max_age)
    }

    /// Keeps results of at most this many bytes. What two entries share counts for both.
    pub const fn max_bytes(mut self, bytes: u64) -> Self {
        self.max_bytes = Some(bytes);
        self
    }

    /// Keeps results for this long after they were used last.
    pub const fn max_age(mut self, age: Duration) -> Self {
        self.max_age = Some(age);
        self
    }

    /// Returns the entries that are not kept, the least recently used first.
    pub(crate) fn evicted(&self, mut entries: Vec<CacheUsage>, now: Timestamp) -> Vec<CacheUsage> {
        entries.sort_by_key(|entry| (entry.used_at, entry.key));
        let mut bytes: u64 = entries.iter().map(|entry| entry.bytes).sum();
        entries.retain(|entry| {
            let is_too_old = self
                .max_age
                .is_some_and(|max| age(entry.used_at, now) > max);
            let is_too_much = self.max_bytes.is_some_and(|max| bytes > max);
            let is_evicted = !entry.is_pinned && (is_too_old || is_too_much);
            if is_evicted {
                bytes -= entry.bytes;
            }
            is_evicted
        });
        entries
    }
}

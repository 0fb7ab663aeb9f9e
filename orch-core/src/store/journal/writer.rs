//! The thread that writes what is queued, in groups.

use std::collections::HashMap;
use std::sync::{MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::super::{CallId, Change, Durability, Fence, StoreError};
use super::{Entry, MAX_QUEUED, Shared, State, block_on};
use crate::id::FlowRunId;

/// How far back a power cut may throw a relaxed store.
const SYNC_INTERVAL: Duration = Duration::from_millis(50);

/// How long changes are gathered that nobody waits for: a commit costs as much as many rows.
const GATHER: Duration = Duration::from_millis(2);

impl Shared {
    /// The writer's life.
    pub(super) fn write(&self) {
        let mut last_sync = Instant::now();
        loop {
            let (must_sync, is_closed) = {
                let state = self.await_work(&last_sync);
                let must_sync = state.wanted > state.synced
                    || last_sync.elapsed() >= SYNC_INTERVAL
                    || state.is_closed;
                (must_sync, state.is_closed)
            };
            self.commit(must_sync);
            if must_sync {
                last_sync = Instant::now();
            }
            let jobs = std::mem::take(&mut self.lock().jobs);
            for job in jobs {
                job(&*self.store);
            }
            let state = self.lock();
            if is_closed && state.queue.is_empty() && state.jobs.is_empty() {
                return;
            }
        }
    }

    /// Sleeps until there is something to write, and gathers what comes shortly after.
    fn await_work(&self, last_sync: &Instant) -> MutexGuard<'_, State> {
        let mut state = self.lock();
        let mut gather_until: Option<Instant> = None;
        loop {
            let is_behind = state.synced < state.committed;
            let until_sync = SYNC_INTERVAL.saturating_sub(last_sync.elapsed());
            let is_urgent = !state.jobs.is_empty()
                || state.is_closed
                || state.wanted > state.synced
                || state.bytes > MAX_QUEUED / 2
                || (is_behind && until_sync.is_zero());
            if is_urgent {
                return state;
            }
            let wait = if state.queue.is_empty() {
                is_behind.then_some(until_sync)
            } else {
                let until = *gather_until.get_or_insert_with(|| Instant::now() + GATHER);
                let left = until.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    return state;
                }
                Some(left)
            };
            state.is_asleep = state.queue.is_empty();
            state = match wait {
                Some(wait) => {
                    let waited = self.work.wait_timeout(state, wait);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
                None => self
                    .work
                    .wait(state)
                    .unwrap_or_else(PoisonError::into_inner),
            };
            state.is_asleep = false;
        }
    }

    /// The same for a store that never waits: within the call that has something to write.
    pub(super) fn commit_group(&self) {
        self.commit(true);
    }

    /// Commits what is queued.
    fn commit(&self, must_sync: bool) {
        let (mut group, up_to) = {
            let mut state = self.lock();
            let mut group = std::mem::take(&mut state.queue);
            state.bytes = 0;
            for waker in state.waiting_for_room.drain(..) {
                waker.wake();
            }
            let up_to = group.last().map(|entry| entry.position);
            group.retain(|entry| entry.fence.is_none_or(|fence| !state.has_lost(fence)));
            (group, up_to)
        };
        let must_sync = must_sync || self.durability == Durability::Strict;
        let durability = if must_sync {
            Durability::Strict
        } else {
            Durability::Relaxed
        };
        let mut newly_lost = Vec::new();
        let committed = loop {
            let (changes, fences) = fold(&mut group);
            match block_on(self.store.commit(&changes, &fences, durability)) {
                Err(StoreError::OwnershipLost { run, epoch }) => {
                    tracing::error!(
                        target: "orch",
                        "flow run {run} was taken over by another engine; it is not recorded here \
                         any more (epoch {epoch})"
                    );
                    newly_lost.push((run, epoch));
                    restore(&mut group, changes);
                    group.retain(|entry| {
                        entry
                            .fence
                            .is_none_or(|fence| fence.run != run || fence.epoch > epoch)
                    });
                }
                result => {
                    if let (Ok(()), Some(tell)) = (&result, self.on_notice.get()) {
                        tell_of_notices(&changes, tell);
                    }
                    break result;
                }
            }
        };
        let mut state = self.lock();
        state.lost.extend(newly_lost.iter().copied());
        match committed {
            Ok(()) => {
                if let Some(up_to) = up_to {
                    state.committed = state.committed.max(up_to);
                }
                if must_sync {
                    state.synced = state.committed;
                }
            }
            Err(error) => group.extend(self.note_failure(&mut state, &error)),
        }
        self.answer_waiters(&mut state);
        drop(state);
        // Holds are given up here, with the entries.
        drop(group);
        if let Some(tell) = self.on_lost.get() {
            newly_lost.into_iter().for_each(|(run, _)| tell(run));
        }
    }
}

/// Takes the changes out of their entries, and one fence for each run among them. Of several rows
/// of one task run the last is written: it holds all that the earlier ones do but the state, and
/// failed attempts have rows of their own.
fn fold(group: &mut [Entry]) -> (Vec<Change>, Vec<Fence>) {
    let mut last: HashMap<(FlowRunId, CallId), usize> = HashMap::new();
    for i in 0..group.len() {
        if let Change::TaskRun { run, row, .. } = &group[i].change
            && let Some(before) = last.insert((*run, row.call), i)
        {
            group[before].change = Change::Nothing;
        }
    }
    let mut fences: Vec<Fence> = Vec::new();
    let mut changes = Vec::with_capacity(group.len());
    for entry in group.iter_mut() {
        if let Some(fence) = entry.fence
            && !fences.contains(&fence)
        {
            fences.push(fence);
        }
        changes.push(std::mem::replace(&mut entry.change, Change::Nothing));
    }
    (changes, fences)
}

/// Tells for which hooks there are new notices, once for each.
fn tell_of_notices(changes: &[Change], tell: &dyn Fn(&str)) {
    let mut told: Vec<&str> = Vec::new();
    for change in changes {
        if let Change::Notice(row) = change
            && !told.contains(&&*row.notice.hook)
        {
            told.push(&row.notice.hook);
            tell(&row.notice.hook);
        }
    }
}

/// Puts the changes back, to be committed without those of one run.
fn restore(group: &mut [Entry], changes: Vec<Change>) {
    for (entry, change) in group.iter_mut().zip(changes) {
        entry.change = change;
    }
}

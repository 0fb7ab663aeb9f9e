//! Results of cached tasks in memory, and one execution per key at a time.

use std::any::Any;
use std::collections::{HashMap, VecDeque, hash_map};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::store::{CallId, ResultOrigin, StoredValue, Timestamp};
use crate::tracking::{FoundLog, OwnLog};
use crate::value::Digest;

/// The cache of an engine: recent results in memory, and who executes for which key.
pub(crate) struct Cache {
    memory: Mutex<Memory>,
    flights: Mutex<HashMap<Digest, Arc<Notify>>>,
}

/// A result that was found.
#[derive(Clone)]
pub(crate) struct Hit {
    /// The result itself, an `Arc<T>`, if it is in memory.
    pub(crate) value: Option<Arc<dyn Any + Send + Sync>>,
    /// Its digest, and where its bytes are.
    pub(crate) stored: StoredValue,
    pub(crate) origin: ResultOrigin,
    pub(crate) made_at: Timestamp,
    /// What the execution logged.
    pub(crate) logged: FoundLog,
}

/// Results by their keys, up to a number of bytes.
struct Memory {
    limit: usize,
    bytes: usize,
    entries: HashMap<Digest, Entry>,
    /// The keys in the order in which they are looked at for eviction. An entry that was used since
    /// the last look gets another round.
    clock: VecDeque<Digest>,
}

struct Entry {
    hit: Hit,
    weight: usize,
    was_used: bool,
}

/// What an entry takes beside its value: its key, its place in two tables.
const ENTRY_BYTES: usize = 256;

impl Cache {
    /// Makes a cache that keeps results of up to `limit` bytes in memory, by their stored length.
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            memory: Mutex::new(Memory {
                limit,
                bytes: 0,
                entries: HashMap::new(),
                clock: VecDeque::new(),
            }),
            flights: Mutex::default(),
        }
    }

    /// Looks a result up in memory.
    pub(crate) fn get(&self, key: &Digest) -> Option<Hit> {
        let mut memory = lock(&self.memory);
        let entry = memory.entries.get_mut(key)?;
        entry.was_used = true;
        Some(entry.hit.clone())
    }

    /// Keeps a result in memory, if it is not too large for that.
    pub(crate) fn put(&self, key: Digest, hit: Hit) {
        let weight = hit.stored.stored.len as usize + ENTRY_BYTES;
        let mut evicted = Vec::new();
        let mut memory = lock(&self.memory);
        if weight > memory.limit {
            return;
        }
        let entry = Entry {
            hit,
            weight,
            was_used: false,
        };
        match memory.entries.insert(key, entry) {
            Some(before) => {
                memory.bytes -= before.weight;
                evicted.push(before);
            }
            None => memory.clock.push_back(key),
        }
        memory.bytes += weight;
        while memory.bytes > memory.limit {
            let Some(next) = memory.clock.pop_front() else {
                break;
            };
            match memory.entries.get_mut(&next) {
                Some(entry) if entry.was_used => {
                    entry.was_used = false;
                    memory.clock.push_back(next);
                }
                Some(_) => {
                    let entry = memory.entries.remove(&next);
                    memory.bytes -= entry.as_ref().map_or(0, |entry| entry.weight);
                    evicted.extend(entry);
                }
                None => {}
            }
        }
        drop(memory);
        // Values are dropped outside of the lock: that may run code of the user's types.
        drop(evicted);
    }

    /// Forgets a result.
    pub(crate) fn remove(&self, key: &Digest) {
        let entry = {
            let mut memory = lock(&self.memory);
            let entry = memory.entries.remove(key);
            memory.bytes -= entry.as_ref().map_or(0, |entry| entry.weight);
            if entry.is_some() {
                memory.clock.retain(|other| other != key);
            }
            entry
        };
        drop(entry);
    }

    /// Becomes the one who executes for a key, unless somebody is already.
    pub(crate) fn try_lead(self: &Arc<Self>, key: Digest) -> Option<Flight> {
        match lock(&self.flights).entry(key) {
            hash_map::Entry::Occupied(_) => None,
            hash_map::Entry::Vacant(flight) => {
                flight.insert(Arc::default());
                Some(Flight {
                    cache: Arc::clone(self),
                    key,
                })
            }
        }
    }

    /// Becomes the one who executes for a key, or waits until whoever does has ended.
    pub(crate) async fn lead(self: &Arc<Self>, key: Digest) -> Lead {
        let notify = {
            let mut flights = lock(&self.flights);
            match flights.get(&key) {
                Some(flight) => Arc::clone(flight),
                None => {
                    flights.insert(key, Arc::default());
                    return Lead::Leader(Flight {
                        cache: Arc::clone(self),
                        key,
                    });
                }
            }
        };
        let mut notified = std::pin::pin!(notify.notified());
        notified.as_mut().enable();
        // It may have ended between the look at the table and the wait.
        let is_under_way = lock(&self.flights)
            .get(&key)
            .is_some_and(|flight| Arc::ptr_eq(flight, &notify));
        if is_under_way {
            notified.await;
        }
        Lead::Ended
    }
}

/// Whether to execute.
pub(crate) enum Lead {
    /// Yes: until the flight is dropped nobody else does.
    Leader(Flight),
    /// Somebody did, and has ended; whether there is a result now is to be seen.
    Ended,
}

/// The right to execute for a key.
pub(crate) struct Flight {
    cache: Arc<Cache>,
    key: Digest,
}

impl Drop for Flight {
    fn drop(&mut self) {
        let flight = lock(&self.cache.flights).remove(&self.key);
        if let Some(flight) = flight {
            flight.notify_waiters();
        }
    }
}

impl Hit {
    /// What a run that executed hands to the cache.
    pub(crate) fn of(
        value: Arc<dyn Any + Send + Sync>,
        stored: StoredValue,
        made_by: (crate::FlowRunId, CallId),
        made_at: Timestamp,
        logged: Option<Arc<OwnLog>>,
    ) -> Self {
        Self {
            value: Some(value),
            stored,
            origin: ResultOrigin::Cached {
                run: made_by.0,
                call: made_by.1,
            },
            made_at,
            logged: FoundLog::Known(logged),
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // No code of the user's runs under these locks, and each holds plain collections.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

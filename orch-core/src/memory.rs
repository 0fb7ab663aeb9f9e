//! How much memory the results of task runs take that are in the store as well.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// What stored results take in memory, and may.
#[derive(Debug)]
pub(crate) struct Memory {
    used: AtomicU64,
    budget: u64,
}

/// The part of one result, given back when its node is gone.
#[derive(Debug)]
pub(crate) struct Share {
    memory: Arc<Memory>,
    bytes: u64,
}

impl Memory {
    pub(crate) fn new(budget: Option<u64>) -> Arc<Self> {
        Arc::new(Self {
            used: AtomicU64::new(0),
            budget: budget.unwrap_or(u64::MAX),
        })
    }

    /// Takes the part of a new result; `None` if there is no room for it.
    pub(crate) fn claim(self: &Arc<Self>, bytes: u64) -> Option<Share> {
        let add = |used: u64| {
            let after = used.saturating_add(bytes);
            (after <= self.budget).then_some(after)
        };
        self.used
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, add)
            .ok()?;
        Some(Share {
            memory: Arc::clone(self),
            bytes,
        })
    }

    /// Takes the part of a result that is needed now, whether there is room or not.
    pub(crate) fn take(self: &Arc<Self>, bytes: u64) -> Share {
        self.used.fetch_add(bytes, Ordering::Relaxed);
        Share {
            memory: Arc::clone(self),
            bytes,
        }
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.memory.used.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

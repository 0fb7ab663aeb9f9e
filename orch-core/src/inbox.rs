//! Where a map learns which of its items have ended.

use std::sync::{Mutex, PoisonError};
use std::task::Waker;

/// Collects the keys of ended items and wakes the one who waits for them.
#[derive(Default)]
pub(crate) struct Inbox {
    inner: Mutex<InboxInner>,
}

#[derive(Default)]
struct InboxInner {
    ended: Vec<u64>,
    waker: Option<Waker>,
}

impl Inbox {
    /// Notes an ended item.
    pub(crate) fn deliver(&self, key: u64) {
        let waker = {
            let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
            inner.ended.push(key);
            inner.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Moves the keys that have come into `keys`, or registers to be woken when there are none.
    pub(crate) fn receive(&self, keys: &mut Vec<u64>, waker: &Waker) {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        if inner.ended.is_empty() {
            inner.waker = Some(waker.clone());
        } else {
            keys.append(&mut inner.ended);
        }
    }
}

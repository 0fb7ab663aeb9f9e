//! Who waits for a node, and what a node waits for: the protocol that decides when a task run
//! starts.
//!
//! Two small pieces. A [`Completion`] holds the waiters of something that ends once; a
//! [`Countdown`] counts the inputs that are still missing. A downstream node subscribes to each
//! unfinished upstream node and is started by whoever brings its countdown to zero: the last
//! upstream node, or the submission itself when all of them had ended before. Nothing here knows
//! of the runtime, so the whole protocol is checked by `loom` (`tests/protocol.rs`).

use super::sync::{AtomicU32, Mutex, MutexGuard, Ordering};

/// The waiters of something that ends exactly once.
pub(crate) struct Completion<W> {
    waiters: Mutex<Waiters<W>>,
}

enum Waiters<W> {
    /// Not ended, nobody waits.
    Empty,
    /// Not ended, one waits: the common case, kept without an allocation.
    One(Option<W>),
    /// Not ended, several wait; withdrawn ones leave a hole, so that tickets stay valid.
    Many(Vec<Option<W>>),
    /// Ended.
    Done,
}

/// A waiter's place, to change or withdraw it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ticket(u32);

impl<W> Completion<W> {
    pub(crate) fn new() -> Self {
        Self {
            waiters: Mutex::new(Waiters::Empty),
        }
    }

    /// Adds a waiter, or gives it back when the end has come.
    pub(crate) fn subscribe(&self, waiter: W) -> Result<Ticket, W> {
        let mut waiters = self.lock();
        match &mut *waiters {
            Waiters::Done => Err(waiter),
            Waiters::Empty => {
                *waiters = Waiters::One(Some(waiter));
                Ok(Ticket(0))
            }
            Waiters::One(first) => {
                let first = first.take();
                *waiters = Waiters::Many(vec![first, Some(waiter)]);
                Ok(Ticket(1))
            }
            Waiters::Many(many) => {
                many.push(Some(waiter));
                Ok(Ticket(many.len() as u32 - 1))
            }
        }
    }

    /// Lets `change` work on a waiter that is still there. Returns whether it was.
    pub(crate) fn update(&self, ticket: Ticket, change: impl FnOnce(&mut W)) -> bool {
        let mut waiters = self.lock();
        let slot = match &mut *waiters {
            Waiters::One(one) => Some(one),
            Waiters::Many(many) => many.get_mut(ticket.0 as usize),
            Waiters::Empty | Waiters::Done => None,
        };
        match slot.and_then(Option::as_mut) {
            Some(waiter) => {
                change(waiter);
                true
            }
            None => false,
        }
    }

    /// Takes a waiter back, unless the end came first.
    pub(crate) fn withdraw(&self, ticket: Ticket) -> Option<W> {
        let mut waiters = self.lock();
        match &mut *waiters {
            Waiters::One(one) => one.take(),
            Waiters::Many(many) => {
                let waiter = many.get_mut(ticket.0 as usize).and_then(Option::take);
                // Nobody has a ticket for a hole, so those at the end can go. Otherwise a loop that
                // waits for a while and withdraws, again and again, would make the list grow.
                while let Some(None) = many.last() {
                    many.pop();
                }
                waiter
            }
            Waiters::Empty | Waiters::Done => None,
        }
    }

    /// Ends it: whoever comes later is turned away, and the waiters are for the caller to tell.
    /// Only the first call gets any.
    pub(crate) fn complete(&self) -> Ended<W> {
        let waiters = std::mem::replace(&mut *self.lock(), Waiters::Done);
        match waiters {
            Waiters::Empty | Waiters::Done => Ended::None,
            Waiters::One(one) => Ended::One(one),
            Waiters::Many(many) => Ended::Many(many.into_iter()),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Waiters<W>> {
        // A waiter's code never runs under this lock, except `update`'s, which does not panic.
        self.waiters
            .lock()
            .expect("no code that can panic runs under the lock of the waiters")
    }
}

/// The waiters of something that has just ended.
pub(crate) enum Ended<W> {
    None,
    One(Option<W>),
    Many(std::vec::IntoIter<Option<W>>),
}

impl<W> Iterator for Ended<W> {
    type Item = W;

    fn next(&mut self) -> Option<W> {
        match self {
            Ended::None => None,
            Ended::One(one) => one.take(),
            Ended::Many(many) => many.by_ref().flatten().next(),
        }
    }
}

/// Counts the inputs that a node still waits for, and its own submission as one more, so that
/// inputs that end meanwhile do not start the node.
pub(crate) struct Countdown {
    missing: AtomicU32,
}

impl Countdown {
    /// Starts with all inputs, and the submission.
    pub(crate) fn new(inputs: u32) -> Self {
        Self {
            missing: AtomicU32::new(inputs + 1),
        }
    }

    /// Nothing is waited for: all inputs are there at submission.
    pub(crate) fn over() -> Self {
        Self {
            missing: AtomicU32::new(0),
        }
    }

    /// One thing less to wait for. Returns whether it was the last: then the caller, and nobody
    /// else, starts the node.
    #[must_use]
    pub(crate) fn count_down(&self) -> bool {
        self.count_down_by(1)
    }

    /// The same for several: the submission, and the inputs that had ended when it came to them.
    #[must_use]
    pub(crate) fn count_down_by(&self, n: u32) -> bool {
        // Release: what this upstream wrote. Acquire for the last one: it sees what all wrote.
        self.missing.fetch_sub(n, Ordering::AcqRel) == n
    }

    /// Whether the node may start.
    pub(crate) fn is_zero(&self) -> bool {
        self.missing.load(Ordering::Acquire) == 0
    }
}

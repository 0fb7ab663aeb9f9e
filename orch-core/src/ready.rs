//! What could start now: the task runs of a flow run, and the bodies that wait for a compute thread.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap, VecDeque};

use crate::id::FlowRunId;

/// What goes first: the higher priority; of the same, what is further down the graph, so that what was
/// begun is finished, and its inputs let go, before more is begun.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Rank {
    pub(crate) priority: i32,
    /// The length of the longest chain of task runs above it.
    pub(crate) depth: u32,
}

/// A queue in which higher ranks go first, within one rank in the order in which they came.
pub(crate) struct ReadyQueue<T> {
    /// The first level of the graph, of no special priority: nearly all, where there are many.
    normal: VecDeque<T>,
    others: BTreeMap<Reverse<Rank>, VecDeque<T>>,
}

impl<T> ReadyQueue<T> {
    pub(crate) fn push(&mut self, one: T, rank: Rank) {
        if rank == Rank::default() {
            self.normal.push_back(one);
        } else {
            self.others.entry(Reverse(rank)).or_default().push_back(one);
        }
    }

    pub(crate) fn pop(&mut self) -> Option<T> {
        if self.others.is_empty() {
            return self.normal.pop_front();
        }
        let first = self.others.first_entry();
        let goes_first = first
            .as_ref()
            .is_some_and(|entry| entry.key().0 > Rank::default());
        if !goes_first && let Some(one) = self.normal.pop_front() {
            return Some(one);
        }
        let mut entry = first?;
        let one = entry.get_mut().pop_front();
        if entry.get().is_empty() {
            entry.remove();
        }
        one
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.normal.is_empty() && self.others.is_empty()
    }
}

impl<T> Default for ReadyQueue<T> {
    fn default() -> Self {
        Self {
            normal: VecDeque::new(),
            others: BTreeMap::new(),
        }
    }
}

/// A place in a [`SharedQueue`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Turn {
    pub(crate) flow: FlowRunId,
    pub(crate) rank: Rank,
}

/// A queue that flow runs share. By priority, and in the order in which they asked, it is a flow run's
/// turn; it then starts what goes first of its own. So a flow run with much to finish does not keep
/// another one from beginning.
pub(crate) struct SharedQueue<T> {
    turns: ReadyQueue<FlowRunId>,
    ready: HashMap<FlowRunId, ReadyQueue<T>>,
    len: usize,
}

impl<T> SharedQueue<T> {
    pub(crate) fn push(&mut self, one: T, turn: Turn) {
        let Turn { flow, rank } = turn;
        let among_flows = Rank { depth: 0, ..rank };
        self.turns.push(flow, among_flows);
        self.ready.entry(flow).or_default().push(one, rank);
        self.len += 1;
    }

    pub(crate) fn pop(&mut self) -> Option<T> {
        let flow = self.turns.pop()?;
        let ready = self.ready.get_mut(&flow)?;
        let one = ready.pop();
        if ready.is_empty() {
            self.ready.remove(&flow);
        }
        self.len -= usize::from(one.is_some());
        one
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }
}

impl<T> Default for SharedQueue<T> {
    fn default() -> Self {
        Self {
            turns: ReadyQueue::default(),
            ready: HashMap::new(),
            len: 0,
        }
    }
}

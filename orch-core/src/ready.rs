//! What could start now: the task runs of a flow run, and the bodies that wait for a compute thread.

use std::cmp::Reverse;
use std::collections::{BTreeMap, VecDeque};

/// A queue in which higher priorities go first, within one priority in the order in which they came.
pub(crate) struct ReadyQueue<T> {
    /// Priority 0, which nearly all have.
    normal: VecDeque<T>,
    others: BTreeMap<Reverse<i32>, VecDeque<T>>,
}

impl<T> ReadyQueue<T> {
    pub(crate) fn push(&mut self, one: T, priority: i32) {
        match priority {
            0 => self.normal.push_back(one),
            priority => self
                .others
                .entry(Reverse(priority))
                .or_default()
                .push_back(one),
        }
    }

    pub(crate) fn pop(&mut self) -> Option<T> {
        if self.others.is_empty() {
            return self.normal.pop_front();
        }
        let first = self.others.first_entry();
        let is_urgent = first.as_ref().is_some_and(|entry| entry.key().0 > 0);
        if !is_urgent && let Some(one) = self.normal.pop_front() {
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

    pub(crate) fn len(&self) -> usize {
        self.normal.len() + self.others.values().map(VecDeque::len).sum::<usize>()
    }

    pub(crate) fn clear(&mut self) {
        self.normal.clear();
        self.others.clear();
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

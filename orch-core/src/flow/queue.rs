//! The task runs of a flow run that could start now.

use std::cmp::Reverse;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use crate::node::AnyNode;

/// Ready nodes: higher priority first, within one priority in the order in which they came.
#[derive(Default)]
pub(super) struct ReadyQueue {
    /// Priority 0, which nearly all have.
    normal: VecDeque<Arc<dyn AnyNode>>,
    others: BTreeMap<Reverse<i32>, VecDeque<Arc<dyn AnyNode>>>,
}

impl ReadyQueue {
    pub(super) fn push(&mut self, node: Arc<dyn AnyNode>) {
        match node.header().priority() {
            0 => self.normal.push_back(node),
            priority => self
                .others
                .entry(Reverse(priority))
                .or_default()
                .push_back(node),
        }
    }

    pub(super) fn pop(&mut self) -> Option<Arc<dyn AnyNode>> {
        if self.others.is_empty() {
            return self.normal.pop_front();
        }
        let first = self.others.first_entry();
        let is_urgent = first.as_ref().is_some_and(|entry| entry.key().0 > 0);
        if !is_urgent && let Some(node) = self.normal.pop_front() {
            return Some(node);
        }
        let mut entry = first?;
        let node = entry.get_mut().pop_front();
        if entry.get().is_empty() {
            entry.remove();
        }
        node
    }

    pub(super) fn is_empty(&self) -> bool {
        self.normal.is_empty() && self.others.is_empty()
    }
}

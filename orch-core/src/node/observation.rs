//! Who can still look at how a node ended, and whether anybody did: a failure that nobody observed
//! fails its flow run.

use std::sync::Arc;
use std::sync::atomic::{Ordering, fence};

use super::{AnyNode, Header, OBSERVED};

/// What a node only waits for; once it was skipped also what it was skipped for.
#[derive(Default)]
pub(crate) struct Ancestors {
    nodes: Vec<Arc<dyn AnyNode>>,
    /// Whether the node was skipped, so that all are known.
    is_settled: bool,
}

impl Ancestors {
    fn settle(&mut self, inputs: Vec<Arc<dyn AnyNode>>) {
        self.nodes.extend(inputs);
        self.is_settled = true;
    }

    fn settled(&self) -> Vec<Arc<dyn AnyNode>> {
        if self.is_settled {
            self.nodes.clone()
        } else {
            Vec::new()
        }
    }

    fn take_if_settled(&mut self) -> Vec<Arc<dyn AnyNode>> {
        if self.is_settled {
            std::mem::take(&mut self.nodes)
        } else {
            Vec::new()
        }
    }
}

impl Header {
    pub(crate) fn has_interest(&self) -> bool {
        self.interest.load(Ordering::Acquire) != 0
    }

    pub(crate) fn add_interest(&self) {
        // Who completed has nothing to be looked at, then or later; see `release_interest`.
        if !self.state().is_success() {
            self.interest.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Gives up one interest. When it was the last, a failure of this node, or of what it was
    /// skipped for, can no longer be looked at.
    pub(crate) fn release_interest(&self) {
        // Once a node has completed nobody counts any more. That is for good, so it does not matter
        // whether this interest was counted before.
        if self.state().is_success() || self.interest.fetch_sub(1, Ordering::AcqRel) != 1 {
            return;
        }
        self.interest_lost();
    }

    #[cold]
    fn interest_lost(&self) {
        let mut worklist = self.abandon();
        // A loop and not a recursion: a chain of skipped nodes may be a million long.
        while let Some(ancestor) = worklist.pop() {
            let header = ancestor.header();
            if !header.state().is_success() && header.interest.fetch_sub(1, Ordering::AcqRel) == 1 {
                worklist.append(&mut header.abandon());
            }
        }
    }

    /// Acts on the loss of the last interest; returns in what this node gives up its own. A node
    /// that has not ended waits for those still, and does so at its end.
    fn abandon(&self) -> Vec<Arc<dyn AnyNode>> {
        // Between the loss and the look, as in `mark_observed`. Most nodes have no detail: nothing
        // hangs on them.
        fence(Ordering::SeqCst);
        let Some(detail) = self.detail() else {
            return Vec::new();
        };
        let ancestors = detail.ancestors().take_if_settled();
        self.check_out_of_reach();
        ancestors
    }

    /// Tells the flow run when this node failed and nothing is left that could look at it.
    pub(crate) fn check_out_of_reach(&self) {
        if self.state().is_failure() && !self.is_observed() && !self.has_interest() {
            self.flow.failure_out_of_reach(self);
        }
    }

    /// Notes that the program looked at how this node ended; for a skipped one that goes for each
    /// failure among its ancestors, also later ones.
    pub(crate) fn observe(&self) {
        let mut worklist = self.mark_observed();
        while let Some(ancestor) = worklist.pop() {
            worklist.append(&mut ancestor.header().mark_observed());
        }
    }

    /// Marks this node as observed; returns what is to be marked with it: what it was skipped for.
    /// A node that is skipped later passes the mark on then.
    fn mark_observed(&self) -> Vec<Arc<dyn AnyNode>> {
        if self.flags.fetch_or(OBSERVED, Ordering::AcqRel) & OBSERVED != 0
            || self.state().is_success()
        {
            return Vec::new();
        }
        // Between the mark and the look: whoever skips the node says what for, and then looks for
        // the mark. One of the two sees the other.
        fence(Ordering::SeqCst);
        self.detail()
            .map_or_else(Vec::new, |detail| detail.ancestors().settled())
    }

    /// What this node only waits for, and once it was skipped also what for.
    pub(crate) fn ancestors(&self) -> Vec<Arc<dyn AnyNode>> {
        self.detail()
            .map_or_else(Vec::new, |detail| detail.ancestors().nodes.clone())
    }

    /// Keeps an interest in what this node only waits for, as an argument does in what it uses.
    pub(crate) fn adopt_order(&self, after: &[Arc<dyn AnyNode>]) {
        for upstream in after {
            upstream.header().add_interest();
        }
        self.detail_mut().ancestors().nodes.extend_from_slice(after);
    }

    /// Gives that up at the end of a node that was not skipped.
    pub(crate) fn release_order(&self) {
        let Some(detail) = self.detail() else {
            return;
        };
        let ancestors = std::mem::take(&mut detail.ancestors().nodes);
        for upstream in ancestors {
            upstream.header().release_interest();
        }
    }

    /// Keeps an interest in what this skipped node was skipped for, as long as there is one in
    /// the node itself.
    pub(crate) fn adopt_ancestors(&self, inputs: Vec<Arc<dyn AnyNode>>) {
        for input in &inputs {
            input.header().add_interest();
        }
        let ancestors = {
            let mut ancestors = self.detail_mut().ancestors();
            ancestors.settle(inputs);
            ancestors.settled()
        };
        fence(Ordering::SeqCst);
        if self.flags.load(Ordering::Acquire) & OBSERVED != 0 {
            for ancestor in &ancestors {
                ancestor.header().observe();
            }
        }
        if !self.has_interest() {
            self.interest_lost();
        }
    }
}

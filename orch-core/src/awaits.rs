//! What a body awaits at the moment, and the search for waits that would never end.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::id::FlowRunId;
use crate::node::{AnyNode, Header, NodeRef};

/// Names a node, also after it is gone.
type Key = (FlowRunId, u32);

fn key_of(header: &Header) -> Key {
    (header.flow.id, header.index)
}

/// What a body awaits at the moment.
#[derive(Default)]
pub(crate) struct Awaits {
    /// Each with how many of its handles are awaited.
    nodes: HashMap<Key, (NodeRef, u32)>,
    /// What was looked at and leads nowhere: a body that awaits thousands of task runs, which have
    /// much above them in common, looks at that once. It stays true, because inputs do not change, and
    /// because whoever comes to await something looks for themselves whether that leads back.
    seen: HashSet<Key>,
    /// How often what was looked at was forgotten.
    forgotten: u64,
}

impl Awaits {
    pub(crate) fn insert(&mut self, node: &NodeRef) {
        let key = key_of(node.header());
        let (_, handles) = self
            .nodes
            .entry(key)
            .or_insert_with(|| (Arc::clone(node), 0));
        *handles += 1;
    }

    /// Takes one handle on a node out; gives the node back if that was the last.
    pub(crate) fn remove(&mut self, header: &Header) -> Option<NodeRef> {
        let key = key_of(header);
        let (_, handles) = self.nodes.get_mut(&key)?;
        *handles -= 1;
        let is_last = *handles == 0;
        let node = if is_last {
            self.nodes.remove(&key).map(|(node, _)| node)
        } else {
            None
        };
        // Who came to await something since then may have found no way back because of this.
        if self.nodes.is_empty() || !header.state().is_final() {
            self.seen = HashSet::new();
            self.forgotten += 1;
        }
        node
    }

    fn nodes(&self) -> impl Iterator<Item = NodeRef> {
        self.nodes.values().map(|(node, _)| Arc::clone(node))
    }
}

/// Looks for a way from `awaited` over unfinished inputs and awaits back to `waiting`. Returns the
/// names on it.
pub(crate) fn find_cycle(waiting: &NodeRef, awaited: &NodeRef) -> Option<Vec<String>> {
    let target: *const Header = waiting.header();
    if std::ptr::eq(awaited.header(), target) {
        return Some(vec![waiting.header().name().to_owned()]);
    }
    let awaits = || waiting.header().detail_mut().awaits();
    // Taken out, so that no lock is held while those of others are.
    let (mut seen, forgotten) = {
        let mut awaits = awaits();
        (std::mem::take(&mut awaits.seen), awaits.forgotten)
    };
    let cycle = search(waiting, awaited, target, &mut seen);
    let mut awaits = awaits();
    if awaits.forgotten == forgotten {
        awaits.seen = seen;
    }
    cycle
}

fn search(
    waiting: &NodeRef,
    awaited: &NodeRef,
    target: *const Header,
    seen: &mut HashSet<Key>,
) -> Option<Vec<String>> {
    if !seen.insert(key_of(awaited.header())) {
        return None;
    }
    // Depth first, keeping the way: each entry is a node and what remains to be tried from it.
    let mut way: Vec<(NodeRef, Vec<NodeRef>)> = vec![(Arc::clone(awaited), waits_of(&**awaited))];
    while let Some((_, rest)) = way.last_mut() {
        let Some(next) = rest.pop() else {
            way.pop();
            continue;
        };
        if std::ptr::eq(next.header(), target) {
            let names = std::iter::once(waiting.header().name())
                .chain(way.iter().map(|(node, _)| node.header().name()))
                .map(str::to_owned)
                .collect();
            return Some(names);
        }
        if !next.header().state().is_final() && seen.insert(key_of(next.header())) {
            let waits = waits_of(&*next);
            way.push((next, waits));
        }
    }
    None
}

/// Returns what a node waits for at the moment.
fn waits_of(node: &dyn AnyNode) -> Vec<NodeRef> {
    let mut waits = Vec::new();
    node.visit_inputs(&mut |upstream| {
        if !upstream.header.state().is_final() {
            waits.push((upstream.node)());
        }
    });
    if let Some(detail) = node.header().detail() {
        waits.extend(detail.awaits().nodes());
    }
    let order = node.header().ancestors();
    waits.extend(
        order
            .into_iter()
            .filter(|node| !node.header().state().is_final()),
    );
    waits
}

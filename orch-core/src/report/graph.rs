//! The recorded graph as arrays, by position in [`RunReport::task_runs`].

use std::collections::HashMap;

use super::{EdgeKind, RunReport};

/// Parents and edges of a report, checked.
///
/// A report that was read from a file may hold anything. An edge from a task run to itself or to
/// one that is not recorded is left out, and so is a parent that was submitted after its child.
pub(super) struct Graph {
    /// The parent of each task run.
    pub(super) parents: Vec<Option<u32>>,
    /// From, to, and what the edge carries.
    pub(super) edges: Vec<(u32, u32, EdgeKind)>,
    /// All positions in the order of submission, so each parent comes before its children.
    pub(super) submitted: Vec<u32>,
    positions: Positions,
}

impl Graph {
    pub(super) fn new(report: &RunReport) -> Graph {
        let runs = &report.task_runs;
        let positions = Positions::new(report);
        let mut submitted: Vec<u32> = (0..runs.len() as u32).collect();
        if !runs.is_sorted_by_key(|run| run.index) {
            submitted.sort_by_key(|position| runs[*position as usize].index);
        }
        let parents = runs
            .iter()
            .map(|run| positions.get(run.parent.filter(|parent| *parent < run.index)?))
            .collect();
        let edges = report
            .edges
            .iter()
            .filter(|edge| edge.from != edge.to)
            .filter_map(|edge| {
                Some((
                    positions.get(edge.from)?,
                    positions.get(edge.to)?,
                    edge.kind,
                ))
            })
            .collect();
        Graph {
            parents,
            edges,
            submitted,
            positions,
        }
    }

    /// All positions, each followed by those inside it; among each other in the order of
    /// submission. With each comes how many others it lies in.
    pub(super) fn as_tree(&self) -> Vec<(u32, u32)> {
        let outside = self.parents.len() as u32;
        let parent = |run: u32| self.parents[run as usize].unwrap_or(outside);
        let last_first = self.submitted.iter().rev().map(|run| (parent(*run), *run));
        let inside = Lists::new(self.parents.len() + 1, last_first);
        let with_depth = |run: u32, depth: u32| {
            inside
                .of(run as usize)
                .iter()
                .map(move |child| (*child, depth))
        };
        let mut tree = Vec::with_capacity(self.parents.len());
        let mut next: Vec<(u32, u32)> = with_depth(outside, 0).collect();
        while let Some((run, depth)) = next.pop() {
            tree.push((run, depth));
            next.extend(with_depth(run, depth + 1));
        }
        tree
    }

    /// The position of the task run with this index.
    pub(super) fn position(&self, index: u32) -> Option<u32> {
        self.positions.get(index)
    }
}

/// Where each index is. Most often it is its own position.
enum Positions {
    Same(u32),
    Other(HashMap<u32, u32>),
}

impl Positions {
    fn new(report: &RunReport) -> Positions {
        let runs = &report.task_runs;
        if runs
            .iter()
            .enumerate()
            .all(|(position, run)| run.index as usize == position)
        {
            return Positions::Same(runs.len() as u32);
        }
        let mut positions = HashMap::with_capacity(runs.len());
        for (position, run) in runs.iter().enumerate() {
            positions.entry(run.index).or_insert(position as u32);
        }
        Positions::Other(positions)
    }

    fn get(&self, index: u32) -> Option<u32> {
        match self {
            Positions::Same(len) => (index < *len).then_some(index),
            Positions::Other(positions) => positions.get(&index).copied(),
        }
    }
}

/// Lists of numbers, one list per node, in two arrays.
pub(super) struct Lists {
    starts: Vec<u32>,
    items: Vec<u32>,
}

impl Lists {
    /// Collects the second of each pair under the first, in the order of the pairs.
    pub(super) fn new(n_lists: usize, pairs: impl Iterator<Item = (u32, u32)> + Clone) -> Lists {
        let mut starts = vec![0_u32; n_lists + 1];
        for (list, _) in pairs.clone() {
            starts[list as usize + 1] += 1;
        }
        for list in 0..n_lists {
            starts[list + 1] += starts[list];
        }
        let mut next = starts.clone();
        let mut items = vec![0; starts[n_lists] as usize];
        for (list, item) in pairs {
            items[next[list as usize] as usize] = item;
            next[list as usize] += 1;
        }
        Lists { starts, items }
    }

    pub(super) fn of(&self, list: usize) -> &[u32] {
        &self.items[self.starts[list] as usize..self.starts[list + 1] as usize]
    }
}

/// An order of nodes in which edges go forward.
pub(super) struct Order {
    pub(super) nodes: Vec<u32>,
    /// The place of each node in `nodes`.
    pub(super) ranks: Vec<u32>,
    /// Whether some edge goes backward, because it is part of a cycle.
    pub(super) is_cyclic: bool,
}

impl Order {
    /// Sorts nodes topologically, in time linear in nodes and edges.
    ///
    /// No engine makes a cycle, but a file can hold one. Its nodes come last, in their own order;
    /// callers ignore edges that go backward.
    pub(super) fn new(downstream: &Lists, n_nodes: usize) -> Order {
        let mut n_upstream = vec![0_u32; n_nodes];
        for node in &downstream.items {
            n_upstream[*node as usize] += 1;
        }
        let mut nodes: Vec<u32> = (0..n_nodes as u32)
            .filter(|node| n_upstream[*node as usize] == 0)
            .collect();
        let mut done = 0;
        while let Some(node) = nodes.get(done).copied() {
            done += 1;
            for to in downstream.of(node as usize) {
                n_upstream[*to as usize] -= 1;
                if n_upstream[*to as usize] == 0 {
                    nodes.push(*to);
                }
            }
        }
        let is_cyclic = nodes.len() < n_nodes;
        if is_cyclic {
            nodes.extend((0..n_nodes as u32).filter(|node| n_upstream[*node as usize] > 0));
        }
        let mut ranks = vec![0; n_nodes];
        for (rank, node) in nodes.iter().enumerate() {
            ranks[*node as usize] = rank as u32;
        }
        Order {
            nodes,
            ranks,
            is_cyclic,
        }
    }

    /// Whether an edge goes forward in this order.
    pub(super) fn is_forward(&self, from: u32, to: u32) -> bool {
        self.ranks[from as usize] < self.ranks[to as usize]
    }
}

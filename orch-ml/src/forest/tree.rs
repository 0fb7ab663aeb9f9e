//! A grown tree: eight bytes per node, and the values of its leaves in a table of their own.

use serde::{Deserialize, Serialize};

use super::bins::Bins;

/// A feature's number is kept in 24 bits.
pub(super) const MAX_FEATURES: usize = 1 << 24;

/// Rows that walk down a tree side by side: while one waits for its node to come from memory, the
/// others go on.
const ROWS_AT_ONCE: usize = 8;

/// An inner node has its children next to each other. A leaf is its own left child, and no bin is
/// above its bound of 255: whoever stands on it stays.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Node {
    /// The feature, shifted left by eight bits, and the last bin that goes left.
    split: u32,
    left: u32,
}

/// What is at a node of a tree.
pub(crate) enum Place<'a> {
    Leaf(&'a [f64]),
    /// Rows up to this bin of the feature go left, the others to the node behind it.
    Split {
        feature: usize,
        bin: usize,
        left: usize,
    },
}

/// A decision tree over bins.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(super) struct Tree {
    nodes: Vec<Node>,
    /// For each node that is a leaf, its row in the table of values; 0 for the others.
    leaves: Vec<u32>,
    values: Vec<f64>,
}

impl Tree {
    /// A tree of one node, which the caller turns into a leaf or splits.
    pub(super) fn with_root() -> Self {
        let mut tree = Self::default();
        tree.push();
        tree
    }

    fn push(&mut self) {
        self.nodes.push(Node {
            split: 255,
            left: self.nodes.len() as u32,
        });
        self.leaves.push(0);
    }

    /// Splits a node and returns its left child; the right one is next to it.
    pub(super) fn split(&mut self, node: usize, feature: usize, bin: u8) -> usize {
        let left = self.nodes.len();
        self.nodes[node] = Node {
            split: (feature as u32) << 8 | u32::from(bin),
            left: left as u32,
        };
        self.push();
        self.push();
        left
    }

    /// Adds a row to the table of values and returns its number.
    pub(super) fn add_values(&mut self, values: &[f64]) -> u32 {
        self.values.extend_from_slice(values);
        (self.values.len() / values.len() - 1) as u32
    }

    /// Makes a node a leaf with that row of the table.
    pub(super) fn set_leaf(&mut self, node: usize, values: u32) {
        self.leaves[node] = values;
    }

    pub(super) fn shrink(&mut self) {
        self.nodes.shrink_to_fit();
        self.leaves.shrink_to_fit();
        self.values.shrink_to_fit();
    }

    pub(super) fn n_nodes(&self) -> usize {
        self.nodes.len()
    }

    pub(super) fn n_leaves(&self) -> usize {
        let is_leaf = |(at, node): &(usize, &Node)| node.left as usize == *at;
        self.nodes.iter().enumerate().filter(is_leaf).count()
    }

    /// Splits from the root to the lowest leaf.
    pub(super) fn depth(&self) -> usize {
        let mut depths = vec![0; self.nodes.len()];
        for (at, node) in self.nodes.iter().enumerate() {
            let left = node.left as usize;
            if left != at {
                depths[left] = depths[at] + 1;
                depths[left + 1] = depths[at] + 1;
            }
        }
        depths.into_iter().max().unwrap_or(0)
    }

    /// What is at a node; leaves have `width` values.
    pub(super) fn place(&self, node: usize, width: usize) -> Place<'_> {
        let Node { split, left } = self.nodes[node];
        if left as usize == node {
            return Place::Leaf(&self.values[self.leaves[node] as usize * width..][..width]);
        }
        Place::Split {
            feature: (split >> 8) as usize,
            bin: (split & 255) as usize,
            left: left as usize,
        }
    }

    /// Adds the values of each row's leaf to that row of `sums`. `bins` has `n_features` per row,
    /// `sums` has `width`.
    pub(super) fn add_to(&self, bins: &[u8], n_features: usize, sums: &mut [f64], width: usize) {
        let groups = bins.chunks(ROWS_AT_ONCE * n_features);
        for (bins, sums) in groups.zip(sums.chunks_mut(ROWS_AT_ONCE * width)) {
            let n_rows = bins.len() / n_features;
            let nodes = if n_rows == ROWS_AT_ONCE {
                self.walk(std::array::from_fn(|row| {
                    &bins[row * n_features..][..n_features]
                }))
            } else {
                // Places that no row takes follow the last one.
                self.walk(std::array::from_fn(|row| {
                    &bins[row.min(n_rows - 1) * n_features..][..n_features]
                }))
            };
            for (node, sums) in nodes.iter().zip(sums.chunks_exact_mut(width)) {
                let leaf = self.leaves[*node] as usize;
                for (sum, value) in sums.iter_mut().zip(&self.values[leaf * width..]) {
                    *sum += value;
                }
            }
        }
    }

    #[inline]
    fn walk(&self, rows: [&[u8]; ROWS_AT_ONCE]) -> [usize; ROWS_AT_ONCE] {
        let mut at = [0; ROWS_AT_ONCE];
        loop {
            let mut moved = 0;
            for (at, bins) in at.iter_mut().zip(rows) {
                let node = self.nodes[*at];
                let goes_right = u32::from(bins[(node.split >> 8) as usize]) > (node.split & 255);
                let next = node.left as usize + usize::from(goes_right);
                moved |= next ^ *at;
                *at = next;
            }
            if moved == 0 {
                return at;
            }
        }
    }

    /// Whether every walk ends, and inside the tables: children come after their parents, and
    /// features, bins and leaves exist.
    pub(super) fn is_sound(&self, bins: &Bins, width: usize) -> bool {
        let n_leaf_rows = self.values.len() / width;
        let node_is_sound = |(at, node): (usize, &Node)| {
            let (feature, bin) = ((node.split >> 8) as usize, (node.split & 255) as usize);
            let left = node.left as usize;
            if left == at {
                return node.split == 255 && (self.leaves[at] as usize) < n_leaf_rows;
            }
            left > at
                && left + 1 < self.nodes.len()
                && feature < bins.n_features()
                && bin < bins.thresholds(feature).len()
        };
        !self.nodes.is_empty()
            && self.leaves.len() == self.nodes.len()
            && self.values.len().is_multiple_of(width)
            && self.nodes.iter().enumerate().all(node_is_sound)
    }
}

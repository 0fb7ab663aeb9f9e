//! A tree as text.

use super::ensemble::Forest;
use super::tree::Place;

impl Forest {
    /// The first tree, a line per branch and leaf; `describe` gets the values of a leaf.
    pub(super) fn to_text(&self, decimals: usize, describe: impl Fn(&[f64]) -> String) -> String {
        let tree = &self.trees[0];
        let mut text = String::new();
        // What comes next is at the end: the left branch, all below it, the right branch.
        let mut pending = vec![(0, 0, String::new())];
        while let Some((node, depth, branch)) = pending.pop() {
            let indent = |depth: usize| "|   ".repeat(depth) + "|---";
            if depth > 0 {
                text += &format!("{} {branch}\n", indent(depth - 1));
            }
            match tree.place(node, self.width) {
                Place::Leaf(values) => {
                    text += &format!("{} {}\n", indent(depth), describe(values));
                }
                Place::Split { feature, bin, left } => {
                    let name = &self.feature_names[feature];
                    let threshold = self.bins.thresholds(feature)[bin];
                    let right = format!("{name} >  {threshold:.decimals$}");
                    pending.push((left + 1, depth + 1, right));
                    let below = format!("{name} <= {threshold:.decimals$}");
                    pending.push((left, depth + 1, below));
                }
            }
        }
        text
    }
}

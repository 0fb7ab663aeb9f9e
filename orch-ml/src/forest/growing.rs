//! Grows one tree from its bag of rows.

use super::bins::{Bins, MAX_BINS};
use super::criterion::{BestSplit, Criterion, Sample, SeenBins};
use super::tree::Tree;
use orch_core::Rng;

/// The limits of a tree, checked and in numbers.
pub(super) struct Limits {
    pub(super) max_depth: usize,
    pub(super) min_samples_split: usize,
    pub(super) min_samples_leaf: usize,
    pub(super) max_features: usize,
    pub(super) bootstrap: bool,
}

/// What all trees of a forest are grown from.
pub(super) struct Soil<'a, C: Criterion> {
    pub(super) criterion: C,
    pub(super) limits: Limits,
    pub(super) bins: &'a Bins,
    /// The bins of all rows, feature after feature.
    pub(super) columns: &'a [u8],
    pub(super) targets: &'a [C::Target],
}

/// A tree, and how much each feature reduced the impurity in it.
pub(super) struct Grown {
    pub(super) tree: Tree,
    pub(super) importances: Vec<f64>,
}

/// How often the bootstrap draws each row; each once without bootstrap.
pub(super) fn draw_bag(rng: &mut Rng, n_rows: usize, bootstrap: bool) -> Vec<u32> {
    if !bootstrap {
        return vec![1; n_rows];
    }
    let mut weights = vec![0; n_rows];
    for _ in 0..n_rows {
        weights[rng.below(n_rows as u64) as usize] += 1;
    }
    weights
}

/// Memory that trees grown one after another share.
pub(super) struct Scratch<C: Criterion> {
    /// A histogram; empty between uses.
    cells: Vec<C::Cell>,
    right: Vec<Sample<C::Target>>,
    features: Vec<usize>,
}

struct Pending<T> {
    node: usize,
    from: usize,
    to: usize,
    depth: usize,
    totals: T,
}

impl<C: Criterion> Soil<'_, C> {
    pub(super) fn scratch(&self) -> Scratch<C> {
        Scratch {
            cells: vec![C::Cell::default(); MAX_BINS * self.criterion.cells_per_bin()],
            right: Vec::with_capacity(self.targets.len()),
            features: (0..self.bins.n_features()).collect(),
        }
    }

    pub(super) fn grow(&self, mut rng: Rng, scratch: &mut Scratch<C>) -> Grown {
        let bag = draw_bag(&mut rng, self.targets.len(), self.limits.bootstrap);
        let mut samples: Vec<Sample<C::Target>> = bag
            .iter()
            .zip(self.targets)
            .enumerate()
            .filter(|(_, (weight, _))| **weight > 0)
            .map(|(row, (weight, target))| Sample {
                row: row as u32,
                weight: *weight,
                target: *target,
            })
            .collect();
        // The last tree left its own order here; a tree must not depend on which thread grew what.
        for (position, feature) in scratch.features.iter_mut().enumerate() {
            *feature = position;
        }

        let mut tree = Tree::with_root();
        self.criterion.prepare(&mut tree);
        let mut importances = vec![0.0; self.bins.n_features()];
        let totals = self.criterion.totals(&samples);
        let mut pending = vec![Pending {
            node: 0,
            from: 0,
            to: samples.len(),
            depth: 0,
            totals,
        }];
        while let Some(Pending {
            node,
            from,
            to,
            depth,
            totals,
        }) = pending.pop()
        {
            let samples = &mut samples[from..to];
            let may_split = depth < self.limits.max_depth
                && samples.len() >= self.limits.min_samples_split
                && samples.len() >= 2 * self.limits.min_samples_leaf
                && !self.criterion.is_pure(&totals);
            let best = if may_split {
                self.best_split(samples, &totals, &mut rng, scratch)
            } else {
                None
            };
            let Some(best) = best else {
                let values = self.criterion.leaf(&totals, &mut tree);
                tree.set_leaf(node, values);
                continue;
            };
            importances[best.feature] += (best.score - self.criterion.score(&totals)).max(0.0);
            let bin = self.bins.middle(best.feature, best.gap.0, best.gap.1);
            let n_left = self.part(samples, best.feature, bin, &mut scratch.right);
            let left = tree.split(node, best.feature, bin);
            let (left_samples, right_samples) = samples.split_at(n_left);
            let depth = depth + 1;
            let totals = self.criterion.totals(right_samples);
            pending.push(Pending {
                node: left + 1,
                from: from + n_left,
                to,
                depth,
                totals,
            });
            let totals = self.criterion.totals(left_samples);
            pending.push(Pending {
                node: left,
                from,
                to: from + n_left,
                depth,
                totals,
            });
        }
        tree.shrink();
        Grown { tree, importances }
    }

    fn column(&self, feature: usize) -> &[u8] {
        let n_rows = self.targets.len();
        &self.columns[feature * n_rows..(feature + 1) * n_rows]
    }

    /// Looks at features in random order until `max_features` that vary in this node have been
    /// seen, and beyond if none of them can be split, as scikit-learn does.
    fn best_split(
        &self,
        samples: &[Sample<C::Target>],
        totals: &C::Totals,
        rng: &mut Rng,
        scratch: &mut Scratch<C>,
    ) -> Option<BestSplit> {
        let mut best = None;
        let mut n_varying = 0;
        let n_features = scratch.features.len();
        for position in 0..n_features {
            if n_varying >= self.limits.max_features && best.is_some() {
                break;
            }
            let chosen = position + rng.below((n_features - position) as u64) as usize;
            scratch.features.swap(position, chosen);
            let feature = scratch.features[position];
            let varies = self.try_feature(samples, totals, feature, &mut scratch.cells, &mut best);
            n_varying += usize::from(varies);
        }
        best
    }

    fn try_feature(
        &self,
        samples: &[Sample<C::Target>],
        totals: &C::Totals,
        feature: usize,
        cells: &mut [C::Cell],
        best: &mut Option<BestSplit>,
    ) -> bool {
        let column = self.column(feature);
        let per_bin = self.criterion.cells_per_bin();
        let n_cells = (self.bins.thresholds(feature).len() + 1) * per_bin;
        let cells = &mut cells[..n_cells];
        let mut seen: SeenBins = [0; 4];
        // Noting each sample's bin costs more than looking through the histogram once the node is
        // large, and much less while it is small.
        let is_large = samples.len() > n_cells;
        if is_large {
            for sample in samples {
                let bin = usize::from(column[sample.row as usize]);
                self.criterion.add(cells, bin * per_bin, sample);
            }
            for (bin, bin_cells) in cells.chunks_exact(per_bin).enumerate() {
                seen[bin / 64] |= u64::from(self.criterion.is_filled(bin_cells)) << (bin % 64);
            }
        } else {
            for sample in samples {
                let bin = usize::from(column[sample.row as usize]);
                self.criterion.add(cells, bin * per_bin, sample);
                seen[bin / 64] |= 1 << (bin % 64);
            }
        }
        let min_rows = self.limits.min_samples_leaf;
        let varies = self
            .criterion
            .scan(cells, &seen, totals, feature, min_rows, best);
        if is_large {
            cells.fill(C::Cell::default());
        } else {
            for sample in samples {
                let bin = usize::from(column[sample.row as usize]) * per_bin;
                cells[bin..bin + per_bin].fill(C::Cell::default());
            }
        }
        varies
    }

    /// Moves the samples that go left to the front; both sides keep their order, so that rows are
    /// read front to back in every node. Returns the number that go left.
    fn part(
        &self,
        samples: &mut [Sample<C::Target>],
        feature: usize,
        bin: u8,
        right: &mut Vec<Sample<C::Target>>,
    ) -> usize {
        let column = self.column(feature);
        right.clear();
        let mut n_left = 0;
        for position in 0..samples.len() {
            let sample = samples[position];
            if column[sample.row as usize] <= bin {
                samples[n_left] = sample;
                n_left += 1;
            } else {
                right.push(sample);
            }
        }
        samples[n_left..].copy_from_slice(right);
        n_left
    }
}

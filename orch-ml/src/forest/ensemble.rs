//! What both kinds of forest are made of: trees, and the bins that they split at.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::bins::Bins;
use super::criterion::Criterion;
use super::growing::{Limits, Soil, draw_bag};
use super::options::ForestOptions;
use super::tree::{Place, Tree};
use crate::dataset::Records;
use crate::error::MlError;
use orch_core::Rng;

/// Rows that walk through all trees before the next ones do: enough that a tree that was brought
/// into the cache is used well, few enough that their bins and sums stay there too.
const ROWS_PER_BLOCK: usize = 1024;

/// What both kinds of forest are made of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "RawForest")]
pub(crate) struct Forest {
    pub(super) feature_names: Vec<String>,
    pub(super) target_name: String,
    pub(super) bins: Bins,
    pub(super) trees: Vec<Tree>,
    /// Values per leaf.
    pub(super) width: usize,
    pub(super) importances: Vec<f64>,
}

#[derive(Deserialize)]
struct RawForest {
    feature_names: Vec<String>,
    target_name: String,
    bins: Bins,
    trees: Vec<Tree>,
    width: usize,
    importances: Vec<f64>,
}

impl TryFrom<RawForest> for Forest {
    type Error = UnsoundForest;

    fn try_from(raw: RawForest) -> Result<Self, UnsoundForest> {
        let RawForest {
            feature_names,
            target_name,
            bins,
            trees,
            width,
            importances,
        } = raw;
        let n_features = feature_names.len();
        let is_sound = n_features > 0
            && width > 0
            && !trees.is_empty()
            && bins.n_features() == n_features
            && importances.len() == n_features
            && bins.is_sound()
            && trees.iter().all(|tree| tree.is_sound(&bins, width));
        if !is_sound {
            return Err(UnsoundForest);
        }
        Ok(Self {
            feature_names,
            target_name,
            bins,
            trees,
            width,
            importances,
        })
    }
}

/// The parts of a forest that was read do not fit each other.
#[derive(Debug, thiserror::Error)]
#[error("the parts of the forest do not fit each other")]
pub(super) struct UnsoundForest;

impl Forest {
    /// Grows the trees, and the sums of the trees that did not see a row if asked for: for each
    /// row its `width` sums, and the number of trees behind them.
    pub(super) fn grow<C: Criterion>(
        records: &Records,
        target_name: &str,
        targets: &[C::Target],
        criterion: C,
        limits: Limits,
        options: &ForestOptions,
    ) -> (Self, Option<OutOfBag>) {
        let bins = Bins::of(records);
        let columns = bins.columns(records);
        let soil = Soil {
            criterion,
            limits,
            bins: &bins,
            columns: &columns,
            targets,
        };
        let grown: Vec<_> = (0..options.n_trees)
            .into_par_iter()
            .map_init(
                || soil.scratch(),
                |scratch, tree| soil.grow(Rng::new(options.seed, tree as u64), scratch),
            )
            .collect();
        let width = soil.criterion.width();

        let n_features = records.n_features();
        let mut importances = vec![0.0; n_features];
        for tree in &grown {
            add_shares(&mut importances, &tree.importances);
        }
        let total: f64 = importances.iter().sum();
        if total > 0.0 {
            importances
                .iter_mut()
                .for_each(|importance| *importance /= total);
        }

        let trees = grown.into_iter().map(|grown| grown.tree).collect();
        let forest = Self {
            feature_names: records.feature_names().to_vec(),
            target_name: target_name.to_owned(),
            bins,
            trees,
            width,
            importances,
        };
        let out_of_bag = options
            .out_of_bag_score
            .then(|| forest.out_of_bag(records, options.seed));
        (forest, out_of_bag)
    }

    fn out_of_bag(&self, records: &Records, seed: u64) -> OutOfBag {
        let (n_rows, n_features) = (records.n_rows(), self.bins.n_features());
        // The bags are drawn again rather than kept, which would cost four bytes per row and tree.
        let bags: Vec<Vec<bool>> = (0..self.trees.len())
            .into_par_iter()
            .map(|tree| {
                let bag = draw_bag(&mut Rng::new(seed, tree as u64), n_rows, true);
                bag.iter().map(|weight| *weight == 0).collect()
            })
            .collect();
        let mut sums = vec![0.0; n_rows * self.width];
        let mut n_trees = vec![0; n_rows];
        sums.par_chunks_mut(ROWS_PER_BLOCK * self.width)
            .zip(n_trees.par_chunks_mut(ROWS_PER_BLOCK))
            .zip(records.cells().par_chunks(ROWS_PER_BLOCK * n_features))
            .enumerate()
            .for_each(|(block, ((sums, n_trees), cells))| {
                let mut bins = vec![0; cells.len()];
                self.bins.rows(cells, &mut bins);
                let mut values = vec![0.0; self.width * n_trees.len()];
                for (tree, bag) in self.trees.iter().zip(&bags) {
                    values.fill(0.0);
                    tree.add_to(&bins, n_features, &mut values, self.width);
                    let is_out = &bag[block * ROWS_PER_BLOCK..];
                    for (row, n_trees) in n_trees
                        .iter_mut()
                        .enumerate()
                        .filter(|(row, _)| is_out[*row])
                    {
                        *n_trees += 1;
                        let cells = row * self.width..(row + 1) * self.width;
                        for (sum, value) in sums[cells.clone()].iter_mut().zip(&values[cells]) {
                            *sum += value;
                        }
                    }
                }
            });
        OutOfBag { sums, n_trees }
    }

    /// The mean of the trees' values, `width` per row.
    pub(super) fn predict(&self, records: &Records) -> Result<Vec<f64>, MlError> {
        let arranged = records.arranged(&self.feature_names)?;
        arranged.check_finite(&self.feature_names)?;
        let n_features = self.feature_names.len();
        let n_trees = self.trees.len() as f64;
        let predict_block = |means: &mut [f64], cells: &[f64]| {
            let mut bins = vec![0; cells.len()];
            self.bins.rows(cells, &mut bins);
            for tree in &self.trees {
                tree.add_to(&bins, n_features, means, self.width);
            }
            means.iter_mut().for_each(|sum| *sum /= n_trees);
        };
        let mut means = vec![0.0; records.n_rows() * self.width];
        // A few rows, as in serving, are done before another thread has woken up.
        if records.n_rows() <= 32 {
            predict_block(&mut means, arranged.cells());
        } else {
            let block = records.n_rows().div_ceil(2 * rayon::current_num_threads());
            let block = block.next_multiple_of(8).min(ROWS_PER_BLOCK);
            means
                .par_chunks_mut(block * self.width)
                .zip(arranged.cells().par_chunks(block * n_features))
                .for_each(|(means, cells)| predict_block(means, cells));
        }
        Ok(means)
    }

    pub(crate) fn n_trees(&self) -> usize {
        self.trees.len()
    }

    pub(crate) fn n_nodes(&self) -> usize {
        self.trees.iter().map(Tree::n_nodes).sum()
    }

    pub(crate) fn n_features(&self) -> usize {
        self.bins.n_features()
    }

    /// Values per leaf.
    pub(crate) fn width(&self) -> usize {
        self.width
    }

    /// The values that splits of a feature are at: a row up to one goes left.
    pub(crate) fn thresholds(&self, feature: usize) -> &[f64] {
        self.bins.thresholds(feature)
    }

    /// The nodes of a tree by their numbers, the root first.
    pub(crate) fn places(&self, tree: usize) -> impl Iterator<Item = Place<'_>> {
        let tree = &self.trees[tree];
        (0..tree.n_nodes()).map(|node| tree.place(node, self.width))
    }
}

fn add_shares(sums: &mut [f64], parts: &[f64]) {
    let total: f64 = parts.iter().sum();
    if total > 0.0 {
        for (sum, part) in sums.iter_mut().zip(parts) {
            *sum += part / total;
        }
    }
}

/// Sums over the trees that did not see a row.
pub(super) struct OutOfBag {
    sums: Vec<f64>,
    n_trees: Vec<u32>,
}

impl OutOfBag {
    /// The rows that at least one tree did not see, each with its mean values.
    pub(super) fn rows(&self, width: usize) -> impl Iterator<Item = (usize, Vec<f64>)> {
        let scored = self
            .n_trees
            .iter()
            .enumerate()
            .filter(|(_, n_trees)| **n_trees > 0);
        scored.map(move |(row, n_trees)| {
            let sums = &self.sums[row * width..(row + 1) * width];
            (
                row,
                sums.iter().map(|sum| sum / f64::from(*n_trees)).collect(),
            )
        })
    }
}

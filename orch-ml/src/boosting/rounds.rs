//! Rounds of trees that forust-ml grows, each to the slope of the loss that those before left.

use forust_ml::Matrix;
use forust_ml::binning::{BinnedData, bin_matrix};
use forust_ml::constraints::ConstraintMap;
use forust_ml::gradientbooster::GrowPolicy;
use forust_ml::sampler::SampleMethod;
use forust_ml::splitter::MissingImputerSplitter;
use forust_ml::tree::Tree;
use orch_core::Rng;

use super::BoostingOptions;
use super::ensemble::{Node, leaf_value};
use crate::dataset::Records;
use crate::error::MlError;

/// Cells from which on threads help.
const PARALLEL_CELLS: usize = 1 << 16;

/// Without any penalty, a side of a split to which only missing values go would divide by 0 before
/// they are added.
const LEAST_L2: f32 = 1e-10;

/// First and second derivatives of a loss by one score, row by row.
pub(super) struct Slopes {
    pub(super) first: Vec<f32>,
    pub(super) second: Vec<f32>,
}

impl Slopes {
    pub(super) fn none(n_rows: usize) -> Self {
        Self {
            first: vec![0.0; n_rows],
            second: vec![0.0; n_rows],
        }
    }
}

/// Grows trees to rows.
pub(super) struct Grower<'a> {
    records: &'a Records,
    binned: BinnedData<f64>,
    /// For each feature and cut the greatest value below it, or minus infinity.
    below_cuts: Vec<Vec<f64>>,
    splitter: MissingImputerSplitter,
    options: &'a BoostingOptions,
    is_parallel: bool,
    rng: Rng,
    gains: Vec<f64>,
}

impl<'a> Grower<'a> {
    /// Puts the values of each feature into bins.
    ///
    /// # Errors
    /// [`MlError::FitFailed`] with what forust-ml says.
    pub(super) fn new(
        records: &'a Records,
        options: &'a BoostingOptions,
        min_leaf_weight: f64,
    ) -> Result<Self, MlError> {
        let columns: Vec<f64> = records.values().t().iter().copied().collect();
        let matrix = Matrix::new(&columns, records.n_rows(), records.n_features());
        let is_parallel = columns.len() >= PARALLEL_CELLS;
        let n_bins = options.max_bins as u16;
        let ones = vec![1.0; records.n_rows()];
        let binned =
            bin_matrix(&matrix, &ones, n_bins, f64::NAN, is_parallel).map_err(|error| {
                MlError::FitFailed {
                    source: error.to_string().into(),
                }
            })?;
        let below_cuts = (0..records.n_features())
            .map(|feature| {
                let mut greatest = vec![f64::NEG_INFINITY; binned.cuts.get_col(feature).len()];
                let bins = &binned.binned_data[feature * matrix.rows..][..matrix.rows];
                for (bin, value) in bins.iter().zip(matrix.get_col(feature)) {
                    // Bin 0 has the missing ones, bin `i` what is below cut `i` and not below the
                    // cut before it.
                    if *bin > 0
                        && let Some(greatest) = greatest.get_mut(usize::from(*bin))
                    {
                        *greatest = greatest.max(*value);
                    }
                }
                for at in 1..greatest.len() {
                    greatest[at] = greatest[at].max(greatest[at - 1]);
                }
                greatest
            })
            .collect();
        let splitter = MissingImputerSplitter {
            l1: 0.0,
            l2: (options.l2 as f32).max(LEAST_L2),
            max_delta_step: 0.0,
            gamma: 0.0,
            min_leaf_weight: min_leaf_weight as f32,
            learning_rate: options.learning_rate as f32,
            allow_missing_splits: true,
            constraints_map: ConstraintMap::new(),
        };
        Ok(Self {
            records,
            binned,
            below_cuts,
            splitter,
            options,
            is_parallel,
            rng: Rng::new(options.seed, 0),
            gains: vec![0.0; records.n_features()],
        })
    }

    /// Grows one tree and adds the leaves, multiplied by `unit`, to the scores of all rows.
    ///
    /// # Errors
    /// [`MlError::FitOverflow`] if a leaf is not a finite number.
    pub(super) fn grow(
        &mut self,
        slopes: &Slopes,
        unit: f64,
        scores: &mut [f64],
    ) -> Result<Vec<Node>, MlError> {
        let (n_rows, n_features) = (self.records.n_rows(), self.records.n_features());
        let rows = draw(&mut self.rng, n_rows, self.options.row_fraction);
        let features = draw(&mut self.rng, n_features, self.options.feature_fraction);
        let sampling = match rows.len() == n_rows {
            true => SampleMethod::None,
            false => SampleMethod::Random,
        };
        let mut tree = Tree::new();
        let leaves = tree.fit(
            &Matrix::new(&self.binned.binned_data, n_rows, n_features),
            rows,
            &features,
            &self.binned.cuts,
            &slopes.first,
            &slopes.second,
            &self.splitter,
            self.options.max_leaves.unwrap_or(usize::MAX),
            self.options.max_depth.unwrap_or(usize::MAX),
            self.is_parallel,
            &sampling,
            &GrowPolicy::DepthWise,
        );
        let nodes = self.converted(&tree, unit)?;
        match leaves.filter(|_| matches!(sampling, SampleMethod::None)) {
            Some(leaves) => {
                for (leaf, (start, stop)) in tree.nodes.iter().zip(&leaves.ranges) {
                    if let Node::Leaf { value } = nodes[leaf.num] {
                        for row_idx in &leaves.index[*start..*stop] {
                            scores[*row_idx] += value;
                        }
                    }
                }
            }
            None => {
                let rows = self.records.cells().chunks_exact(n_features);
                for (score, row) in scores.iter_mut().zip(rows) {
                    *score += leaf_value(&nodes, row);
                }
            }
        }
        Ok(nodes)
    }

    fn converted(&mut self, tree: &Tree, unit: f64) -> Result<Vec<Node>, MlError> {
        let mut nodes = Vec::with_capacity(tree.nodes.len());
        for node in &tree.nodes {
            if node.is_leaf {
                let value = f64::from(node.weight_value) * unit;
                if !value.is_finite() {
                    return Err(MlError::FitOverflow);
                }
                nodes.push(Node::Leaf { value });
                continue;
            }
            let feature = node.split_feature;
            self.gains[feature] += f64::from(node.split_gain);
            nodes.push(Node::Split {
                feature: feature as u32,
                threshold: self.threshold(feature, node.split_value),
                missing_left: node.missing_node == node.left_child,
                left: node.left_child as u32,
                right: node.right_child as u32,
            });
        }
        Ok(nodes)
    }

    /// Halfway between a cut, which is a value of the feature, and the next value below it: rows that
    /// were not seen are nearer to one of them.
    fn threshold(&self, feature: usize, cut: f64) -> f64 {
        let cuts = self.binned.cuts.get_col(feature);
        let at = cuts.partition_point(|other| *other < cut);
        let below = self.below_cuts[feature][at];
        if below == f64::NEG_INFINITY {
            // Nothing but missing values goes left.
            return f64::NEG_INFINITY;
        }
        if cut == f64::MAX {
            // Nothing but missing values goes right.
            return f64::INFINITY;
        }
        let middle = below / 2.0 + cut / 2.0;
        if middle > below { middle } else { cut }
    }

    /// The share of the gains that splits by each feature brought.
    pub(super) fn importances(&self) -> Vec<f64> {
        let total: f64 = self.gains.iter().sum();
        let share = |gain: &f64| if total > 0.0 { gain / total } else { 0.0 };
        self.gains.iter().map(share).collect()
    }
}

/// A share of what there is, at least one, in ascending order.
fn draw(rng: &mut Rng, n: usize, fraction: f64) -> Vec<usize> {
    let mut all: Vec<usize> = (0..n).collect();
    let n_drawn = ((n as f64 * fraction) as usize).max(1);
    if n_drawn == n {
        return all;
    }
    for at in 0..n_drawn {
        let other = at + rng.below((n - at) as u64) as usize;
        all.swap(at, other);
    }
    all.truncate(n_drawn);
    all.sort_unstable();
    all
}

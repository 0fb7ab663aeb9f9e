//! What makes a split good: purer classes, or numbers that vary less.

use ndarray::Array1;

use super::tree::Tree;

/// A row in a tree's bag.
#[derive(Clone, Copy)]
pub(super) struct Sample<T> {
    pub(super) row: u32,
    /// How often the bootstrap drew it.
    pub(super) weight: u32,
    pub(super) target: T,
}

/// Rows in the upper half, their weights in the lower: one addition counts both.
type Counts = u64;

fn counts(weight: u32) -> Counts {
    1 << 32 | u64::from(weight)
}

fn n_rows(counts: Counts) -> usize {
    (counts >> 32) as usize
}

fn weight(counts: Counts) -> u64 {
    counts & 0xffff_ffff
}

/// Bins of a feature that have rows, one bit each.
pub(super) type SeenBins = [u64; 4];

/// The best split of a node so far.
#[derive(Clone, Copy)]
pub(super) struct BestSplit {
    /// Sum over both sides of (sum of targets)^2 / weight; classes add up one such term each. The
    /// larger, the purer.
    pub(super) score: f64,
    pub(super) feature: usize,
    /// The last bin with rows on the left, and the first on the right.
    pub(super) gap: (u8, u8),
}

/// How targets are summed up, per bin and per node.
pub(super) trait Criterion: Sync {
    type Target: Copy + Send + Sync;
    /// One entry of a histogram; its default is "no rows".
    type Cell: Copy + Default + Send;
    /// The sums of a node.
    type Totals: Clone + Send;

    /// Entries per bin.
    fn cells_per_bin(&self) -> usize;

    /// Values per leaf.
    fn width(&self) -> usize;

    /// Adds a sample to the entries of a histogram, of which `bin` is the first of its bin.
    fn add(&self, cells: &mut [Self::Cell], bin: usize, sample: &Sample<Self::Target>);

    /// Whether the entries of a bin hold any row.
    fn is_filled(&self, bin_cells: &[Self::Cell]) -> bool;

    fn totals(&self, samples: &[Sample<Self::Target>]) -> Self::Totals;

    /// The score of the node as it is, comparable with [`BestSplit::score`].
    fn score(&self, totals: &Self::Totals) -> f64;

    /// Whether all targets are equal.
    fn is_pure(&self, totals: &Self::Totals) -> bool;

    /// Looks at every place between two filled bins of a histogram. Returns whether there is one.
    fn scan(
        &self,
        cells: &[Self::Cell],
        seen: &SeenBins,
        totals: &Self::Totals,
        feature: usize,
        min_rows: usize,
        best: &mut Option<BestSplit>,
    ) -> bool;

    /// Puts values that many leaves share into a new tree.
    fn prepare(&self, tree: &mut Tree);

    /// The row of the tree's table of values for a leaf.
    fn leaf(&self, totals: &Self::Totals, tree: &mut Tree) -> u32;
}

pub(super) fn bins_of(seen: &SeenBins) -> impl Iterator<Item = usize> {
    seen.iter().enumerate().flat_map(|(word, bits)| {
        let mut bits = *bits;
        std::iter::from_fn(move || {
            (bits != 0).then(|| {
                let bin = word * 64 + bits.trailing_zeros() as usize;
                bits &= bits - 1;
                bin
            })
        })
    })
}

pub(super) fn n_bins(seen: &SeenBins) -> u32 {
    seen.iter().map(|bits| bits.count_ones()).sum()
}

/// Keeps the first of equally good splits, so that the order of features decides ties.
#[inline]
pub(super) fn offer(best: &mut Option<BestSplit>, score: f64, feature: usize, gap: (usize, usize)) {
    if best.is_none_or(|best| score > best.score) {
        *best = Some(BestSplit {
            score,
            feature,
            gap: (gap.0 as u8, gap.1 as u8),
        });
    }
}

/// Gini impurity.
pub(super) struct Gini {
    pub(super) n_classes: usize,
}

#[derive(Clone)]
pub(super) struct ClassTotals {
    counts: Counts,
    of_classes: Vec<u64>,
}

impl Criterion for Gini {
    type Target = u32;
    type Cell = Counts;
    type Totals = ClassTotals;

    fn cells_per_bin(&self) -> usize {
        self.n_classes
    }

    fn width(&self) -> usize {
        self.n_classes
    }

    #[inline]
    fn add(&self, cells: &mut [Counts], bin: usize, sample: &Sample<u32>) {
        cells[bin + sample.target as usize] += counts(sample.weight);
    }

    fn is_filled(&self, bin_cells: &[Counts]) -> bool {
        bin_cells.iter().any(|cell| *cell != 0)
    }

    fn totals(&self, samples: &[Sample<u32>]) -> ClassTotals {
        let mut of_classes = vec![0; self.n_classes];
        let mut all = 0;
        for sample in samples {
            of_classes[sample.target as usize] += u64::from(sample.weight);
            all += counts(sample.weight);
        }
        ClassTotals {
            counts: all,
            of_classes,
        }
    }

    fn score(&self, totals: &ClassTotals) -> f64 {
        let squares: u64 = totals.of_classes.iter().map(|weight| weight * weight).sum();
        squares as f64 / weight(totals.counts) as f64
    }

    fn is_pure(&self, totals: &ClassTotals) -> bool {
        totals
            .of_classes
            .iter()
            .filter(|weight| **weight > 0)
            .count()
            <= 1
    }

    fn scan(
        &self,
        cells: &[Counts],
        seen: &SeenBins,
        totals: &ClassTotals,
        feature: usize,
        min_rows: usize,
        best: &mut Option<BestSplit>,
    ) -> bool {
        const FEW_CLASSES: usize = 16;
        let mut few = [0; FEW_CLASSES];
        let mut many = Vec::new();
        let left_of_classes = if self.n_classes <= FEW_CLASSES {
            &mut few[..self.n_classes]
        } else {
            many.resize(self.n_classes, 0);
            many.as_mut_slice()
        };
        let (n_total, weight_total) = (n_rows(totals.counts), weight(totals.counts));
        let mut left_squares = 0;
        let mut right_squares: u64 = totals.of_classes.iter().map(|weight| weight * weight).sum();
        let (mut left, mut last_bin) = (0, None);
        for bin in bins_of(seen) {
            if let Some(last_bin) = last_bin {
                let n_left = n_rows(left);
                if n_left >= min_rows && n_total - n_left >= min_rows {
                    let left_weight = weight(left);
                    let score = left_squares as f64 / left_weight as f64
                        + right_squares as f64 / (weight_total - left_weight) as f64;
                    offer(best, score, feature, (last_bin, bin));
                }
            }
            let bin_cells = &cells[bin * self.n_classes..][..self.n_classes];
            let classes = bin_cells
                .iter()
                .zip(left_of_classes.iter_mut())
                .zip(&totals.of_classes);
            for ((cell, left_of_class), total) in classes {
                let moved = weight(*cell);
                // Squares of sums that gain or lose `moved`.
                left_squares += moved * (2 * *left_of_class + moved);
                right_squares -= moved * (2 * (total - *left_of_class) - moved);
                *left_of_class += moved;
                left += cell;
            }
            last_bin = Some(bin);
        }
        n_bins(seen) > 1
    }

    fn prepare(&self, tree: &mut Tree) {
        // A tree grown to the end has pure leaves almost only: they share these rows.
        for class in 0..self.n_classes {
            let mut values = vec![0.0; self.n_classes];
            values[class] = 1.0;
            tree.add_values(&values);
        }
    }

    fn leaf(&self, totals: &ClassTotals, tree: &mut Tree) -> u32 {
        if self.is_pure(totals) {
            let class = totals.of_classes.iter().position(|weight| *weight > 0);
            return class.expect("a leaf has rows") as u32;
        }
        let all = weight(totals.counts) as f64;
        let shares: Vec<f64> = totals
            .of_classes
            .iter()
            .map(|weight| *weight as f64 / all)
            .collect();
        tree.add_values(&shares)
    }
}

/// Variance, of targets that were centred: sums of squares of small numbers lose fewer digits.
pub(super) struct Variance {
    mean: f64,
}

impl Variance {
    /// The criterion for these targets, and the targets without their mean.
    pub(super) fn around_mean(targets: &Array1<f64>) -> (Self, Vec<f64>) {
        let mean = targets.mean().expect("there is at least one row");
        (
            Self { mean },
            targets.iter().map(|target| target - mean).collect(),
        )
    }
}

#[derive(Clone, Copy, Default)]
pub(super) struct NumberCell {
    counts: Counts,
    sum: f64,
}

#[derive(Clone)]
pub(super) struct NumberTotals {
    cell: NumberCell,
    least: f64,
    greatest: f64,
}

impl Criterion for Variance {
    type Target = f64;
    type Cell = NumberCell;
    type Totals = NumberTotals;

    fn cells_per_bin(&self) -> usize {
        1
    }

    fn width(&self) -> usize {
        1
    }

    #[inline]
    fn add(&self, cells: &mut [NumberCell], bin: usize, sample: &Sample<f64>) {
        let cell = &mut cells[bin];
        cell.counts += counts(sample.weight);
        cell.sum += f64::from(sample.weight) * sample.target;
    }

    fn is_filled(&self, bin_cells: &[NumberCell]) -> bool {
        bin_cells[0].counts != 0
    }

    fn totals(&self, samples: &[Sample<f64>]) -> NumberTotals {
        let mut cell = NumberCell::default();
        let (mut least, mut greatest) = (f64::INFINITY, f64::NEG_INFINITY);
        for sample in samples {
            cell.counts += counts(sample.weight);
            cell.sum += f64::from(sample.weight) * sample.target;
            least = least.min(sample.target);
            greatest = greatest.max(sample.target);
        }
        NumberTotals {
            cell,
            least,
            greatest,
        }
    }

    fn score(&self, totals: &NumberTotals) -> f64 {
        totals.cell.sum * totals.cell.sum / weight(totals.cell.counts) as f64
    }

    fn is_pure(&self, totals: &NumberTotals) -> bool {
        totals.least == totals.greatest
    }

    fn scan(
        &self,
        cells: &[NumberCell],
        seen: &SeenBins,
        totals: &NumberTotals,
        feature: usize,
        min_rows: usize,
        best: &mut Option<BestSplit>,
    ) -> bool {
        let (n_total, weight_total) = (n_rows(totals.cell.counts), weight(totals.cell.counts));
        let mut left = NumberCell::default();
        let mut last_bin = None;
        for bin in bins_of(seen) {
            if let Some(last_bin) = last_bin {
                let n_left = n_rows(left.counts);
                if n_left >= min_rows && n_total - n_left >= min_rows {
                    let left_weight = weight(left.counts);
                    let right_sum = totals.cell.sum - left.sum;
                    let score = left.sum * left.sum / left_weight as f64
                        + right_sum * right_sum / (weight_total - left_weight) as f64;
                    offer(best, score, feature, (last_bin, bin));
                }
            }
            left.counts += cells[bin].counts;
            left.sum += cells[bin].sum;
            last_bin = Some(bin);
        }
        n_bins(seen) > 1
    }

    fn prepare(&self, _tree: &mut Tree) {}

    fn leaf(&self, totals: &NumberTotals, tree: &mut Tree) -> u32 {
        let mean = if self.is_pure(totals) {
            totals.least
        } else {
            totals.cell.sum / weight(totals.cell.counts) as f64
        };
        tree.add_values(&[self.mean + mean])
    }
}

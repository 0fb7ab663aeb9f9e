//! What makes a split good where rows count differently: as in [`criterion`](super::criterion), with
//! sums of weights beside the numbers of rows.

use std::borrow::Cow;

use super::criterion::{BestSplit, Criterion, Sample, SeenBins, bins_of, n_bins, offer};
use super::tree::Tree;
use crate::dataset::Records;
use crate::error::MlError;

/// The rows that count, and their targets with their weights.
pub(super) fn counting_rows<'a, T: Copy>(
    records: &'a Records,
    targets: &[T],
    weights: &[f64],
) -> (Cow<'a, Records>, Vec<(T, f64)>) {
    let pairs = || targets.iter().copied().zip(weights.iter().copied());
    if weights.iter().all(|weight| *weight > 0.0) {
        return (Cow::Borrowed(records), pairs().collect());
    }
    let rows: Vec<usize> = (0..weights.len())
        .filter(|row_idx| weights[*row_idx] > 0.0)
        .collect();
    let counting = pairs().filter(|(_, weight)| *weight > 0.0);
    (Cow::Owned(records.take_rows(&rows)), counting.collect())
}

/// Refuses weights whose sums, or squares of sums, overflow.
pub(super) fn check_sums(weights: &[f64]) -> Result<(), MlError> {
    let total: f64 = weights.iter().sum();
    if (total * total * weights.len() as f64).is_finite() {
        Ok(())
    } else {
        Err(MlError::FitOverflow)
    }
}

/// The weight of a sample: that of its row as often as the bootstrap drew it.
fn weight_of<T>(sample: &Sample<(T, f64)>) -> f64 {
    f64::from(sample.weight) * sample.target.1
}

/// Gini impurity, by the weights of rows.
pub(super) struct WeightedGini {
    pub(super) n_classes: usize,
}

/// Rows of a class, and the sum of their weights.
#[derive(Clone, Copy, Default)]
pub(super) struct WeightCell {
    n_rows: usize,
    weight: f64,
}

#[derive(Clone)]
pub(super) struct WeightTotals {
    n_rows: usize,
    of_classes: Vec<f64>,
}

impl WeightTotals {
    fn weight(&self) -> f64 {
        self.of_classes.iter().sum()
    }
}

fn squares(of_classes: &[f64]) -> f64 {
    of_classes.iter().map(|weight| weight * weight).sum()
}

impl Criterion for WeightedGini {
    type Target = (u32, f64);
    type Cell = WeightCell;
    type Totals = WeightTotals;

    fn cells_per_bin(&self) -> usize {
        self.n_classes
    }

    fn width(&self) -> usize {
        self.n_classes
    }

    #[inline]
    fn add(&self, cells: &mut [WeightCell], bin: usize, sample: &Sample<(u32, f64)>) {
        let cell = &mut cells[bin + sample.target.0 as usize];
        cell.n_rows += 1;
        cell.weight += weight_of(sample);
    }

    fn is_filled(&self, bin_cells: &[WeightCell]) -> bool {
        bin_cells.iter().any(|cell| cell.n_rows != 0)
    }

    fn totals(&self, samples: &[Sample<(u32, f64)>]) -> WeightTotals {
        let mut of_classes = vec![0.0; self.n_classes];
        for sample in samples {
            of_classes[sample.target.0 as usize] += weight_of(sample);
        }
        WeightTotals {
            n_rows: samples.len(),
            of_classes,
        }
    }

    fn score(&self, totals: &WeightTotals) -> f64 {
        squares(&totals.of_classes) / totals.weight()
    }

    fn is_pure(&self, totals: &WeightTotals) -> bool {
        let of_classes = totals.of_classes.iter();
        of_classes.filter(|weight| **weight > 0.0).count() <= 1
    }

    fn scan(
        &self,
        cells: &[WeightCell],
        seen: &SeenBins,
        totals: &WeightTotals,
        feature: usize,
        min_rows: usize,
        best: &mut Option<BestSplit>,
    ) -> bool {
        let weight_total = totals.weight();
        let mut left = vec![0.0; self.n_classes];
        let (mut n_left, mut last_bin) = (0, None);
        for bin in bins_of(seen) {
            if let Some(last_bin) = last_bin
                && n_left >= min_rows
                && totals.n_rows - n_left >= min_rows
            {
                let left_weight: f64 = left.iter().sum();
                let right = left.iter().zip(&totals.of_classes);
                let right: f64 = right.map(|(left, all)| (all - left).powi(2)).sum();
                let score = squares(&left) / left_weight + right / (weight_total - left_weight);
                offer(best, score, feature, (last_bin, bin));
            }
            let bin_cells = &cells[bin * self.n_classes..][..self.n_classes];
            for (left, cell) in left.iter_mut().zip(bin_cells) {
                *left += cell.weight;
                n_left += cell.n_rows;
            }
            last_bin = Some(bin);
        }
        n_bins(seen) > 1
    }

    fn prepare(&self, tree: &mut Tree) {
        // As for rows that all count the same: pure leaves share these.
        for class in 0..self.n_classes {
            let mut values = vec![0.0; self.n_classes];
            values[class] = 1.0;
            tree.add_values(&values);
        }
    }

    fn leaf(&self, totals: &WeightTotals, tree: &mut Tree) -> u32 {
        if self.is_pure(totals) {
            let class = totals.of_classes.iter().position(|weight| *weight > 0.0);
            return class.expect("a leaf has rows that count") as u32;
        }
        let all = totals.weight();
        let shares = totals.of_classes.iter().map(|weight| weight / all);
        tree.add_values(&shares.collect::<Vec<_>>())
    }
}

/// Variance of targets that were centred, by the weights of rows.
pub(super) struct WeightedVariance {
    mean: f64,
}

impl WeightedVariance {
    /// The criterion for these targets, which it centres.
    pub(super) fn around_mean(targets: &mut [(f64, f64)]) -> Self {
        let total: f64 = targets.iter().map(|(_, weight)| weight).sum();
        let sum: f64 = targets.iter().map(|(target, weight)| target * weight).sum();
        let mean = sum / total;
        targets.iter_mut().for_each(|(target, _)| *target -= mean);
        Self { mean }
    }
}

#[derive(Clone, Copy, Default)]
pub(super) struct SumCell {
    n_rows: usize,
    weight: f64,
    sum: f64,
}

#[derive(Clone)]
pub(super) struct SumTotals {
    cell: SumCell,
    least: f64,
    greatest: f64,
}

impl Criterion for WeightedVariance {
    type Target = (f64, f64);
    type Cell = SumCell;
    type Totals = SumTotals;

    fn cells_per_bin(&self) -> usize {
        1
    }

    fn width(&self) -> usize {
        1
    }

    #[inline]
    fn add(&self, cells: &mut [SumCell], bin: usize, sample: &Sample<(f64, f64)>) {
        let weight = weight_of(sample);
        let cell = &mut cells[bin];
        cell.n_rows += 1;
        cell.weight += weight;
        cell.sum += weight * sample.target.0;
    }

    fn is_filled(&self, bin_cells: &[SumCell]) -> bool {
        bin_cells[0].n_rows != 0
    }

    fn totals(&self, samples: &[Sample<(f64, f64)>]) -> SumTotals {
        let mut cells = [SumCell::default()];
        let (mut least, mut greatest) = (f64::INFINITY, f64::NEG_INFINITY);
        for sample in samples {
            self.add(&mut cells, 0, sample);
            least = least.min(sample.target.0);
            greatest = greatest.max(sample.target.0);
        }
        SumTotals {
            cell: cells[0],
            least,
            greatest,
        }
    }

    fn score(&self, totals: &SumTotals) -> f64 {
        totals.cell.sum * totals.cell.sum / totals.cell.weight
    }

    fn is_pure(&self, totals: &SumTotals) -> bool {
        totals.least == totals.greatest
    }

    fn scan(
        &self,
        cells: &[SumCell],
        seen: &SeenBins,
        totals: &SumTotals,
        feature: usize,
        min_rows: usize,
        best: &mut Option<BestSplit>,
    ) -> bool {
        let all = &totals.cell;
        let mut left = SumCell::default();
        let mut last_bin = None;
        for bin in bins_of(seen) {
            if let Some(last_bin) = last_bin
                && left.n_rows >= min_rows
                && all.n_rows - left.n_rows >= min_rows
            {
                let right_sum = all.sum - left.sum;
                let score = left.sum * left.sum / left.weight
                    + right_sum * right_sum / (all.weight - left.weight);
                offer(best, score, feature, (last_bin, bin));
            }
            left.n_rows += cells[bin].n_rows;
            left.weight += cells[bin].weight;
            left.sum += cells[bin].sum;
            last_bin = Some(bin);
        }
        n_bins(seen) > 1
    }

    fn prepare(&self, _tree: &mut Tree) {}

    fn leaf(&self, totals: &SumTotals, tree: &mut Tree) -> u32 {
        let mean = if self.is_pure(totals) {
            totals.least
        } else {
            totals.cell.sum / totals.cell.weight
        };
        tree.add_values(&[self.mean + mean])
    }
}

//! Feature values as bins: one byte where there were eight, and few places to split at.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::dataset::Records;

/// Bins per feature, so that a bin fits a byte and 255 is left as a bound above all of them.
pub(super) const MAX_BINS: usize = 255;

/// Of the bins of a feature with many values, up to this many have equal widths.
const EVEN_CUTS: usize = 128;

/// For each feature the ascending values at which one bin ends and the next begins.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Bins {
    thresholds: Vec<Vec<f64>>,
}

impl Bins {
    /// Bins of about equally many rows, with finer ones where rows are few and far between. A
    /// feature of up to 255 distinct values gets one bin for each, which loses nothing.
    pub(super) fn of(records: &Records) -> Self {
        let width = records.n_features();
        let thresholds = (0..width)
            .into_par_iter()
            .map(|feature| {
                let values = records.cells()[feature..].iter().step_by(width);
                let mut values: Vec<f64> = values.copied().collect();
                values.sort_unstable_by(f64::total_cmp);
                thresholds_of(&values)
            })
            .collect();
        Self { thresholds }
    }

    pub(super) fn n_features(&self) -> usize {
        self.thresholds.len()
    }

    /// The values that part the bins of a feature.
    pub(super) fn thresholds(&self, feature: usize) -> &[f64] {
        &self.thresholds[feature]
    }

    #[inline]
    fn bin(&self, feature: usize, value: f64) -> u8 {
        self.thresholds[feature].partition_point(|threshold| *threshold < value) as u8
    }

    /// The bins of all rows, feature after feature.
    pub(super) fn columns(&self, records: &Records) -> Vec<u8> {
        let width = records.n_features();
        let mut columns = vec![0; width * records.n_rows()];
        columns
            .par_chunks_mut(records.n_rows())
            .enumerate()
            .for_each(|(feature, column)| {
                let values = records.cells()[feature..].iter().step_by(width);
                for (bin, value) in column.iter_mut().zip(values) {
                    *bin = self.bin(feature, *value);
                }
            });
        columns
    }

    /// The bins of some rows, row after row, as the values are.
    pub(super) fn rows(&self, cells: &[f64], bins: &mut [u8]) {
        let width = self.n_features();
        for (bins, row) in bins.chunks_exact_mut(width).zip(cells.chunks_exact(width)) {
            for (feature, (bin, value)) in bins.iter_mut().zip(row).enumerate() {
                *bin = self.bin(feature, *value);
            }
        }
    }

    /// Of the bins that can end the left side when it reaches up to `left` and the right side
    /// begins at `right`, the one whose threshold is nearest to the middle of the gap.
    pub(super) fn middle(&self, feature: usize, left: u8, right: u8) -> u8 {
        let gap = &self.thresholds[feature][usize::from(left)..usize::from(right)];
        let middle = gap[0] / 2.0 + gap[gap.len() - 1] / 2.0;
        let above = gap.partition_point(|threshold| *threshold < middle);
        let nearest = match (above.checked_sub(1).map(|below| gap[below]), gap.get(above)) {
            (Some(below), Some(next)) if middle - below < next - middle => above - 1,
            (Some(_), None) => above - 1,
            _ => above,
        };
        left + nearest as u8
    }

    /// Whether each feature has an order and few enough bins, as this module makes them.
    pub(super) fn is_sound(&self) -> bool {
        self.thresholds.iter().all(|thresholds| {
            thresholds.len() < MAX_BINS
                && thresholds.is_sorted()
                && !thresholds.iter().any(|t| t.is_nan())
        })
    }
}

fn thresholds_of(sorted: &[f64]) -> Vec<f64> {
    let mut distinct: Vec<(f64, usize)> = Vec::new();
    for value in sorted {
        match distinct.last_mut() {
            Some((last, count)) if last == value => *count += 1,
            _ => distinct.push((*value, 1)),
        }
    }
    if distinct.len() <= MAX_BINS {
        return distinct
            .windows(2)
            .map(|pair| between(pair[0].0, pair[1].0))
            .collect();
    }
    // Some of the bins have equal widths: those of equal counts are wide at both ends, which is
    // where a target often changes most.
    let (least, greatest) = (sorted[0], sorted[sorted.len() - 1]);
    let step = greatest / EVEN_CUTS as f64 - least / EVEN_CUTS as f64;
    let mut thresholds: Vec<f64> = (1..EVEN_CUTS)
        .map(|cut| {
            let above = distinct.partition_point(|(value, _)| *value <= least + step * cut as f64);
            let above = above.clamp(1, distinct.len() - 1);
            between(distinct[above - 1].0, distinct[above].0)
        })
        .collect();
    thresholds.dedup();

    // Of the others each takes its share of the rows that are left, so that one frequent value
    // does not starve the bins behind it.
    let (mut rows_left, mut rows_in_bin) = (sorted.len(), 0);
    let mut bins_left = MAX_BINS - thresholds.len();
    for pair in distinct.windows(2) {
        rows_in_bin += pair[0].1;
        if bins_left > 1 && rows_in_bin * bins_left >= rows_left {
            thresholds.push(between(pair[0].0, pair[1].0));
            rows_left -= rows_in_bin;
            rows_in_bin = 0;
            bins_left -= 1;
        }
    }
    thresholds.sort_unstable_by(f64::total_cmp);
    thresholds.dedup();
    thresholds
}

/// A value that is at least `low` and less than `high`: their middle, if rounding allows.
fn between(low: f64, high: f64) -> f64 {
    let middle = low / 2.0 + high / 2.0;
    if low <= middle && middle < high {
        middle
    } else {
        low
    }
}

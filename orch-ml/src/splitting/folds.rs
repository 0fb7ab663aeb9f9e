//! Folds for cross-validation.

use std::ops::Range;

use orch_core::Rng;
use serde::{Deserialize, Serialize};

use super::stratified::check_classes;
use super::{STREAM, numbered};
use crate::error::MlError;

/// The rows of one fold, as indices in the order of the rows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fold {
    /// Rows to train on.
    pub train: Vec<usize>,
    /// Rows to test with.
    pub test: Vec<usize>,
}

/// `n_splits` folds of as equal a size as can be; each row is in one test.
///
/// Without a seed a test is a run of neighbouring rows; with one, rows are shuffled before.
///
/// # Errors
/// [`MlError::InvalidOption`] for fewer than 2 folds, or more than there are rows.
///
/// # Source
/// `sklearn.model_selection.KFold`; with a seed, other rows than scikit-learn would choose by it
pub fn k_fold(n_rows: usize, n_splits: usize, seed: Option<u64>) -> Result<Vec<Fold>, MlError> {
    check_splits(n_splits, n_rows)?;
    let mut order: Vec<usize> = (0..n_rows).collect();
    if let Some(seed) = seed {
        Rng::new(seed, STREAM).shuffle(&mut order);
    }
    let mut fold_of = vec![0; n_rows];
    for (fold, range) in ranges(n_rows, n_splits).enumerate() {
        for row_idx in &order[range] {
            fold_of[*row_idx] = fold;
        }
    }
    Ok(folds_of(&fold_of, n_splits))
}

/// `n_splits` folds in which each class has its share, up to one row; each row is in one test.
///
/// # Shapes
/// labels `[n_rows]`
///
/// # Errors
/// As [`k_fold`]; [`MlError::TooFewOfClass`] for a class with fewer rows than there are folds.
///
/// # Source
/// `sklearn.model_selection.StratifiedKFold`; with a seed, other rows than scikit-learn would choose
/// by it. That one only warns of a small class, unless all are.
pub fn stratified_k_fold<L: Ord + ToString>(
    labels: &[L],
    n_splits: usize,
    seed: Option<u64>,
) -> Result<Vec<Fold>, MlError> {
    let n_rows = labels.len();
    check_splits(n_splits, n_rows)?;
    let (sorted, sizes) = numbered(labels);
    check_classes(labels, &sorted, &sizes, n_splits)?;
    let classes = by_first_row(&sorted, sizes.len());

    // Dealing the rows out class by class gives each fold its share of each.
    let mut dealt = classes.clone();
    dealt.sort_unstable();
    let mut quotas = vec![vec![0; n_splits]; sizes.len()];
    for (place, class) in dealt.into_iter().enumerate() {
        quotas[class][place % n_splits] += 1;
    }
    let mut rng = seed.map(|seed| Rng::new(seed, STREAM));
    let mut folds_of_class: Vec<std::vec::IntoIter<usize>> = quotas
        .into_iter()
        .map(|quota| {
            let mut folds = Vec::new();
            for (fold, n) in quota.into_iter().enumerate() {
                folds.extend(std::iter::repeat_n(fold, n));
            }
            if let Some(rng) = &mut rng {
                rng.shuffle(&mut folds);
            }
            folds.into_iter()
        })
        .collect();
    let fold_of: Vec<usize> = classes
        .iter()
        .map(|class| {
            folds_of_class[*class]
                .next()
                .expect("each row has a place in the quota of its class")
        })
        .collect();
    Ok(folds_of(&fold_of, n_splits))
}

/// `n_splits` folds in which each group is whole, of as equal a size as that allows; each row is in
/// one test.
///
/// # Shapes
/// groups `[n_rows]`
///
/// # Errors
/// [`MlError::InvalidOption`] for fewer than 2 folds; [`MlError::TooFewGroups`] for fewer groups than
/// folds.
///
/// # Source
/// `sklearn.model_selection.GroupKFold`: groups go, the largest first, to the fold that has the
/// fewest rows so far. Of equal groups the last goes first.
pub fn group_k_fold<G: Ord>(groups: &[G], n_splits: usize) -> Result<Vec<Fold>, MlError> {
    check_splits(n_splits, usize::MAX)?;
    let (of_row, sizes) = numbered(groups);
    if sizes.len() < n_splits {
        return Err(MlError::TooFewGroups {
            n_groups: sizes.len(),
            needed: n_splits,
        });
    }
    let mut by_size: Vec<usize> = (0..sizes.len()).collect();
    by_size.sort_by_key(|group| std::cmp::Reverse((sizes[*group], *group)));
    let mut loads = vec![0; n_splits];
    let mut fold_of_group = vec![0; sizes.len()];
    for group in by_size {
        let lightest = (0..n_splits).min_by_key(|fold| loads[*fold]);
        let lightest = lightest.expect("there are at least two folds");
        loads[lightest] += sizes[group];
        fold_of_group[group] = lightest;
    }
    let fold_of: Vec<usize> = of_row.iter().map(|group| fold_of_group[*group]).collect();
    Ok(folds_of(&fold_of, n_splits))
}

/// What rolling folds look like; see [`rolling_folds`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RollingOptions {
    /// Number of folds. Default: 5.
    pub n_splits: usize,
    /// Rows of each test. Default: `n_rows / (n_splits + 1)`.
    pub n_test: Option<usize>,
    /// The most rows to train on, the last ones. Default: all there are before the test.
    pub max_train: Option<usize>,
    /// Rows left out between training and test. Default: 0.
    pub gap: usize,
}

impl Default for RollingOptions {
    fn default() -> Self {
        Self {
            n_splits: 5,
            n_test: None,
            max_train: None,
            gap: 0,
        }
    }
}

/// Folds of rows that are in the order of time: each trains on what was before its test.
///
/// # Errors
/// [`MlError::InvalidOption`] for fewer than 2 folds, and if the first fold has no rows to train on.
///
/// # Source
/// `sklearn.model_selection.TimeSeriesSplit`
pub fn rolling_folds(n_rows: usize, options: &RollingOptions) -> Result<Vec<Fold>, MlError> {
    let RollingOptions {
        n_splits,
        n_test,
        max_train,
        gap,
    } = *options;
    check_splits(n_splits, n_rows)?;
    let n_test = n_test.unwrap_or(n_rows / n_splits.saturating_add(1));
    let tests = n_test.saturating_mul(n_splits);
    if n_test == 0 || max_train == Some(0) || tests.saturating_add(gap) >= n_rows {
        return Err(MlError::InvalidOption {
            name: "n_splits",
            value: format!(
                "{n_splits} with {n_test} rows in each test, a gap of {gap} and {n_rows} rows"
            ),
            expected: "folds that leave rows to train on before the first test",
        });
    }
    Ok((0..n_splits)
        .map(|fold| {
            let start = n_rows - tests + fold * n_test;
            let end = start - gap;
            let first = end.saturating_sub(max_train.unwrap_or(end));
            Fold {
                train: (first..end).collect(),
                test: (start..start + n_test).collect(),
            }
        })
        .collect())
}

/// A fold for each row, which is its test.
///
/// # Errors
/// [`MlError::InvalidOption`] for fewer than 2 rows.
///
/// # Source
/// `sklearn.model_selection.LeaveOneOut`
pub fn leave_one_out(n_rows: usize) -> Result<Vec<Fold>, MlError> {
    k_fold(n_rows, n_rows, None)
}

fn check_splits(n_splits: usize, n_rows: usize) -> Result<(), MlError> {
    if n_splits < 2 || n_splits > n_rows {
        return Err(MlError::InvalidOption {
            name: "n_splits",
            value: match n_rows {
                usize::MAX => n_splits.to_string(),
                n_rows => format!("{n_splits} for {n_rows} rows"),
            },
            expected: "at least 2, and at most one for each row",
        });
    }
    Ok(())
}

/// Runs of neighbouring rows; the first ones have one more where it does not come out even.
fn ranges(n_rows: usize, n_splits: usize) -> impl Iterator<Item = Range<usize>> {
    let (size, rest) = (n_rows / n_splits, n_rows % n_splits);
    (0..n_splits).map(move |fold| {
        let start = fold * size + fold.min(rest);
        start..start + size + usize::from(fold < rest)
    })
}

/// Numbers classes anew, in the order in which they first occur.
fn by_first_row(classes: &[usize], n_classes: usize) -> Vec<usize> {
    let mut numbers = vec![None; n_classes];
    let mut next = 0;
    classes
        .iter()
        .map(|class| {
            *numbers[*class].get_or_insert_with(|| {
                next += 1;
                next - 1
            })
        })
        .collect()
}

fn folds_of(fold_of: &[usize], n_splits: usize) -> Vec<Fold> {
    (0..n_splits)
        .map(|fold| {
            let (test, train) = (0..fold_of.len()).partition(|row_idx| fold_of[*row_idx] == fold);
            Fold { train, test }
        })
        .collect()
}

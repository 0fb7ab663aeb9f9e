//! Splits of rows into those to train on and those to test with.

use crate::dataset::{ClassificationDataset, Dataset};
use crate::error::MlError;
use crate::table::Table;
use orch_core::Rng;

/// The stream of random numbers of splits, so that a forest with the same seed does not draw its
/// rows by the very numbers that chose them.
const STREAM: u64 = 0x7370_6c69;

/// The rows of a split, as indices in random order.
///
/// The same `n_rows`, `test_fraction` and `seed` give the same rows on every platform and in every
/// release: the order is a Fisher-Yates shuffle by xoshiro256++, of which the first `n_test` rows
/// are for testing. They are not the rows that scikit-learn would choose by that seed.
///
/// # Shapes
/// returns: train `[n_rows - n_test]` and test `[n_test]`, `n_test` being
/// `ceil(n_rows * test_fraction)`, as in scikit-learn
///
/// # Units
/// `test_fraction` is a fraction of rows, between 0 and 1, neither included.
///
/// # Errors
/// [`MlError::InvalidOption`] for a fraction out of range or NaN; [`MlError::TooFewRows`] if either
/// side would be empty.
pub fn train_test_rows(
    n_rows: usize,
    test_fraction: f64,
    seed: u64,
) -> Result<(Vec<usize>, Vec<usize>), MlError> {
    // Written so that NaN fails too.
    if !(test_fraction > 0.0 && test_fraction < 1.0) {
        return Err(MlError::InvalidOption {
            name: "test_fraction",
            value: test_fraction.to_string(),
            expected: "a value between 0 and 1, neither included",
        });
    }
    let n_test = ((n_rows as f64 * test_fraction).ceil() as usize).min(n_rows);
    let n_train = n_rows - n_test;
    if n_train == 0 || n_test == 0 {
        return Err(MlError::TooFewRows {
            n_rows,
            test_fraction,
            n_train,
            n_test,
        });
    }
    let mut test: Vec<usize> = (0..n_rows).collect();
    Rng::new(seed, STREAM).shuffle(&mut test);
    let train = test.split_off(n_test);
    Ok((train, test))
}

/// Splits a dataset into train and test rows at random, by [`train_test_rows`].
///
/// # Shapes
/// returns: train `[n_rows - n_test, ..]` and test `[n_test, ..]`, `n_test` being
/// `ceil(n_rows * test_fraction)`
///
/// # Errors
/// As [`train_test_rows`].
pub fn train_test_split(
    dataset: &Dataset,
    test_fraction: f64,
    seed: u64,
) -> Result<(Dataset, Dataset), MlError> {
    let (train, test) = train_test_rows(dataset.n_rows(), test_fraction, seed)?;
    Ok((dataset.take_rows(&train)?, dataset.take_rows(&test)?))
}

/// Splits a dataset of classes as [`train_test_split`], into the same rows; not stratified.
///
/// # Errors
/// As [`train_test_rows`].
pub fn train_test_split_classes(
    dataset: &ClassificationDataset,
    test_fraction: f64,
    seed: u64,
) -> Result<(ClassificationDataset, ClassificationDataset), MlError> {
    let (train, test) = train_test_rows(dataset.n_rows(), test_fraction, seed)?;
    Ok((dataset.take_rows(&train)?, dataset.take_rows(&test)?))
}

/// Splits a table as [`train_test_split`], into the same rows.
///
/// # Errors
/// As [`train_test_rows`].
pub fn train_test_split_table(
    table: &Table,
    test_fraction: f64,
    seed: u64,
) -> Result<(Table, Table), MlError> {
    let (train, test) = train_test_rows(table.n_rows(), test_fraction, seed)?;
    Ok((table.take_rows(&train)?, table.take_rows(&test)?))
}

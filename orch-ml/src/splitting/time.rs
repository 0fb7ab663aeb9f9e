//! The past to train on, what came after it to test with.

use super::{check_sides, n_test_of};
use crate::error::MlError;

/// The rows of a split at a moment, as indices in the order of time: train, then test. Everything to
/// train on is from before anything to test with.
///
/// Rows of one moment stay together, on the side of the test, which may so get more than its share.
///
/// # Shapes
/// times `[n_rows]`; returns train and test, which has at least `ceil(n_rows * test_fraction)` rows
///
/// # Errors
/// As [`train_test_rows`](crate::train_test_rows): also if all times are equal.
pub fn time_ordered_rows<T: Ord>(
    times: &[T],
    test_fraction: f64,
) -> Result<(Vec<usize>, Vec<usize>), MlError> {
    let n_rows = times.len();
    let n_test = n_test_of(n_rows, test_fraction)?;
    check_sides(n_rows - n_test, n_test, test_fraction)?;
    let mut train: Vec<usize> = (0..n_rows).collect();
    train.sort_by_key(|row_idx| &times[*row_idx]);
    let first = &times[train[n_rows - n_test]];
    let n_train = train.partition_point(|row_idx| times[*row_idx] < *first);
    check_sides(n_train, n_rows - n_train, test_fraction)?;
    let test = train.split_off(n_train);
    Ok((train, test))
}

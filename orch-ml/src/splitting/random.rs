//! Rows at random.

use orch_core::Rng;

use super::{STREAM, check_sides, n_test_of};
use crate::error::MlError;

/// The rows of a split, as indices in random order: train, then test.
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
    let n_test = n_test_of(n_rows, test_fraction)?;
    check_sides(n_rows - n_test, n_test, test_fraction)?;
    let mut test: Vec<usize> = (0..n_rows).collect();
    Rng::new(seed, STREAM).shuffle(&mut test);
    let train = test.split_off(n_test);
    Ok((train, test))
}

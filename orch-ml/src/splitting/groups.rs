//! Rows at random, each group whole.

use orch_core::Rng;

use super::{STREAM, n_test_of, numbered};
use crate::error::MlError;

/// The rows of a split in which each group is on one side as a whole, as indices in the order of the
/// rows: train, then test.
///
/// # Shapes
/// groups `[n_rows]`; of all groups `ceil(n_groups * test_fraction)` are for testing
///
/// # Errors
/// [`MlError::InvalidOption`] for a fraction out of range or NaN; [`MlError::TooFewGroups`] if either
/// side would be empty.
///
/// # Source
/// `sklearn.model_selection.GroupShuffleSplit`: the fraction is one of groups, not of rows
pub fn grouped_rows<G: Ord>(
    groups: &[G],
    test_fraction: f64,
    seed: u64,
) -> Result<(Vec<usize>, Vec<usize>), MlError> {
    let (of_row, sizes) = numbered(groups);
    let n_groups = sizes.len();
    let n_test = n_test_of(n_groups, test_fraction)?;
    if n_test == 0 || n_test == n_groups {
        return Err(MlError::TooFewGroups {
            n_groups,
            needed: n_test + 1,
        });
    }
    let mut order: Vec<usize> = (0..n_groups).collect();
    Rng::new(seed, STREAM).shuffle(&mut order);
    let mut is_test = vec![false; n_groups];
    for group in &order[..n_test] {
        is_test[*group] = true;
    }
    let (test, train) = (0..groups.len()).partition(|row_idx| is_test[of_row[*row_idx]]);
    Ok((train, test))
}

//! Splits of rows: into those to train on and those to test with, and into folds.

mod folds;
mod groups;
mod parts;
mod plan;
mod random;
mod rows;
mod storing;
mod stratified;
mod time;

pub use self::folds::{
    Fold, RollingOptions, group_k_fold, k_fold, leave_one_out, rolling_folds, stratified_k_fold,
};
pub use self::groups::grouped_rows;
pub use self::parts::{FitTo, MeasureWith, Origin, Test, Train, Valid, check_unseen};
pub use self::plan::{CrossValidation, Split, SplitBy, train_test_split, train_valid_split};
pub use self::random::train_test_rows;
pub(crate) use self::rows::digest_of;
pub use self::rows::{Rows, SplitKey};
pub use self::stratified::stratified_rows;
pub use self::time::time_ordered_rows;

use crate::error::MlError;

/// The stream of random numbers of splits, so that a forest with the same seed does not draw its
/// rows by the very numbers that chose them.
const STREAM: u64 = 0x7370_6c69;

/// How many of `n` things are for testing: rounded up, as in scikit-learn.
fn n_test_of(n: usize, test_fraction: f64) -> Result<usize, MlError> {
    // Written so that NaN fails too.
    if !(test_fraction > 0.0 && test_fraction < 1.0) {
        return Err(MlError::InvalidOption {
            name: "test_fraction",
            value: test_fraction.to_string(),
            expected: "a value between 0 and 1, neither included",
        });
    }
    Ok(((n as f64 * test_fraction).ceil() as usize).min(n))
}

/// Refuses a split that leaves a side without rows.
fn check_sides(n_train: usize, n_test: usize, test_fraction: f64) -> Result<(), MlError> {
    if n_train == 0 || n_test == 0 {
        return Err(MlError::TooFewRows {
            n_rows: n_train + n_test,
            test_fraction,
            n_train,
            n_test,
        });
    }
    Ok(())
}

/// The number of each distinct value, and how many rows have it.
fn numbered<G: Ord>(values: &[G]) -> (Vec<usize>, Vec<usize>) {
    let mut distinct: Vec<&G> = values.iter().collect();
    distinct.sort_unstable();
    distinct.dedup();
    let mut sizes = vec![0; distinct.len()];
    let numbers = values
        .iter()
        .map(|value| {
            let number = distinct
                .binary_search(&value)
                .expect("each value is among the distinct ones");
            sizes[number] += 1;
            number
        })
        .collect();
    (numbers, sizes)
}

//! Rows at random, each class by its share.

use orch_core::Rng;

use super::{STREAM, check_sides, n_test_of, numbered};
use crate::error::MlError;

/// The rows of a split in which each class has its share of both sides, up to one row, as indices
/// in random order: train, then test.
///
/// # Shapes
/// labels `[n_rows]`; returns train `[n_rows - n_test]` and test `[n_test]`, `n_test` being
/// `ceil(n_rows * test_fraction)`
///
/// # Errors
/// As [`train_test_rows`](crate::train_test_rows); [`MlError::TooFewOfClass`] for a class with one
/// row, which cannot be on both sides.
///
/// # Source
/// The rows left over after each class got the whole part of its share go to the classes with the
/// largest remainders, the first of those where they are equal.
pub fn stratified_rows<L: Ord + ToString>(
    labels: &[L],
    test_fraction: f64,
    seed: u64,
) -> Result<(Vec<usize>, Vec<usize>), MlError> {
    let n_rows = labels.len();
    let n_test = n_test_of(n_rows, test_fraction)?;
    check_sides(n_rows - n_test, n_test, test_fraction)?;
    let (classes, sizes) = numbered(labels);
    check_classes(labels, &classes, &sizes, 2)?;

    let mut rng = Rng::new(seed, STREAM);
    let mut order: Vec<usize> = (0..n_rows).collect();
    rng.shuffle(&mut order);
    let mut left = shares(&sizes, n_test);
    let (mut train, mut test) = (
        Vec::with_capacity(n_rows - n_test),
        Vec::with_capacity(n_test),
    );
    for row_idx in order {
        let left = &mut left[classes[row_idx]];
        if *left > 0 {
            *left -= 1;
            test.push(row_idx);
        } else {
            train.push(row_idx);
        }
    }
    Ok((train, test))
}

/// How many of `n` each class gets.
fn shares(sizes: &[usize], n: usize) -> Vec<usize> {
    let total: usize = sizes.iter().sum();
    // Whole numbers, so that no rounding decides who gets the last row.
    let exact = |size: &usize| *size as u128 * n as u128;
    let mut shares: Vec<usize> = sizes
        .iter()
        .map(|size| (exact(size) / total as u128) as usize)
        .collect();
    let mut by_remainder: Vec<usize> = (0..sizes.len()).collect();
    by_remainder.sort_by_key(|class| std::cmp::Reverse(exact(&sizes[*class]) % total as u128));
    let rest = n - shares.iter().sum::<usize>();
    for class in by_remainder.into_iter().take(rest) {
        shares[class] += 1;
    }
    shares
}

/// Refuses a class with fewer rows than are needed.
pub(super) fn check_classes<L: ToString>(
    labels: &[L],
    classes: &[usize],
    sizes: &[usize],
    needed: usize,
) -> Result<(), MlError> {
    let Some(class) = sizes.iter().position(|size| *size < needed) else {
        return Ok(());
    };
    let row_idx = classes
        .iter()
        .position(|of_row| *of_row == class)
        .expect("each class has a row");
    Err(MlError::TooFewOfClass {
        class: labels[row_idx].to_string(),
        n_rows: sizes[class],
        needed,
    })
}

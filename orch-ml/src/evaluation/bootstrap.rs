//! How sure a metric is, by drawing the rows again.

use orch_core::Rng;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::error::{MlError, TableName};
use crate::metric::quantile;

/// The streams of random numbers of resamples, apart from those of splits and forests: this number
/// in the upper half, that of the resample in the lower.
const STREAM: u64 = 0x626f_6f74;

/// How a bootstrap draws.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct BootstrapOptions {
    /// Number of times that rows are drawn, at least 1; 2,000 by default.
    pub n_resamples: usize,
    /// The part of the resamples inside the interval, between 0 and 1; 0.95 by default.
    pub confidence: f64,
    /// Where the random numbers start; 0 by default.
    pub seed: u64,
}

impl Default for BootstrapOptions {
    fn default() -> Self {
        Self {
            n_resamples: 2000,
            confidence: 0.95,
            seed: 0,
        }
    }
}

impl BootstrapOptions {
    fn check(&self, n_rows: usize) -> Result<(), MlError> {
        if n_rows == 0 {
            let table = TableName::default();
            return Err(MlError::NoRows { table });
        }
        if self.n_resamples == 0 {
            return Err(MlError::InvalidOption {
                name: "n_resamples",
                value: "0".to_owned(),
                expected: "at least 1",
            });
        }
        if !(self.confidence > 0.0 && self.confidence < 1.0) {
            return Err(MlError::InvalidOption {
                name: "confidence",
                value: self.confidence.to_string(),
                expected: "a value between 0 and 1, neither included",
            });
        }
        Ok(())
    }

    /// What `of` makes of each resample, in their order, whichever thread does it.
    fn resample<T: Send>(
        &self,
        n_rows: usize,
        of: impl Fn(&[usize]) -> Result<T, MlError> + Sync,
    ) -> Result<Vec<T>, MlError> {
        let drawn: Vec<Result<T, MlError>> = (0..self.n_resamples as u64)
            .into_par_iter()
            .map_init(
                || vec![0; n_rows],
                |rows, resample| {
                    let mut rng = Rng::new(self.seed, STREAM << 32 | resample);
                    rows.fill_with(|| rng.below(n_rows as u64) as usize);
                    of(rows)
                },
            )
            .collect();
        // Gathered one after the other, so that the first error is the same each time.
        drawn.into_iter().collect()
    }
}

/// A metric with the interval in which it would lie for other rows of the same kind.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct BootstrapInterval {
    /// The metric of the rows as they are.
    pub estimate: f64,
    /// Lower end of the interval.
    pub low: f64,
    /// Upper end of the interval.
    pub high: f64,
    /// Standard deviation of the metric over the resamples; 0 for one resample.
    pub standard_error: f64,
    /// The part of the resamples inside the interval.
    pub confidence: f64,
    /// Number of resamples.
    pub n_resamples: usize,
    /// Resamples for which the metric is not defined (NaN); they are left out. The interval is
    /// doubtful if they are many.
    pub n_undefined: usize,
}

/// Estimates how sure a metric is: rows are drawn with replacement, as many as there are, again and
/// again, and the interval holds the middle of what the metric comes to.
///
/// The same seed gives the same interval, whatever the number of threads. Of rows that belong
/// together, such as several of one person, draw the persons instead.
///
/// # Shapes
/// `metric` gets `[n_rows]` indices of rows, in which some are missing and others repeated
///
/// # Errors
/// [`MlError::NoRows`]; [`MlError::InvalidOption`] for options out of range, and if the metric is
/// not defined for the rows as they are or for any resample; the error of `metric` otherwise.
///
/// # Source
/// The percentile method of Efron and Tibshirani (1993); ends by `numpy.percentile`
///
/// # Examples
/// ```
/// use orch_ml::{BootstrapOptions, accuracy, bootstrap_interval};
///
/// let (targets, guesses) = ([0, 1, 1, 0, 1, 0, 1, 1], [0, 1, 1, 1, 1, 0, 0, 1]);
/// let interval = bootstrap_interval(8, &BootstrapOptions::default(), |rows| {
///     let of = |codes: &[u32]| -> Vec<u32> { rows.iter().map(|row_idx| codes[*row_idx]).collect() };
///     accuracy(&of(&targets), &of(&guesses))
/// })?;
/// assert_eq!(interval.estimate, 0.75);
/// assert!(interval.low < 0.6 && interval.high > 0.9);
/// # Ok::<(), orch_ml::MlError>(())
/// ```
pub fn bootstrap_interval(
    n_rows: usize,
    options: &BootstrapOptions,
    metric: impl Fn(&[usize]) -> Result<f64, MlError> + Sync,
) -> Result<BootstrapInterval, MlError> {
    options.check(n_rows)?;
    let estimate = metric(&all_rows(n_rows))?;
    let found = defined(estimate, options.resample(n_rows, metric)?)?;
    let (low, high) = ends(&found, options.confidence);
    Ok(BootstrapInterval {
        estimate,
        low,
        high,
        standard_error: deviation(&found),
        confidence: options.confidence,
        n_resamples: options.n_resamples,
        n_undefined: options.n_resamples - found.len(),
    })
}

/// How much one model's metric is above another's on the same rows.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct BootstrapDifference {
    /// The first model's metric less the second's.
    pub difference: f64,
    /// Lower end of its interval.
    pub low: f64,
    /// Upper end of its interval.
    pub high: f64,
    /// How often chance alone would make a difference at least as clear, in either direction: twice
    /// the part of the resamples, plus one, on the other side of 0.
    pub p_value: f64,
    /// The part of the resamples inside the interval.
    pub confidence: f64,
    /// Number of resamples.
    pub n_resamples: usize,
    /// Resamples for which a metric is not defined (NaN); they are left out.
    pub n_undefined: usize,
}

/// Compares two models on the same rows: both metrics are taken of each resample, so that rows
/// which are hard for both do not blur the difference.
///
/// # Errors
/// As [`bootstrap_interval`].
///
/// # Source
/// The percentile interval of the difference; the p-value inverts it (Davison and Hinkley 1997)
pub fn paired_bootstrap(
    n_rows: usize,
    options: &BootstrapOptions,
    first: impl Fn(&[usize]) -> Result<f64, MlError> + Sync,
    second: impl Fn(&[usize]) -> Result<f64, MlError> + Sync,
) -> Result<BootstrapDifference, MlError> {
    options.check(n_rows)?;
    let of = |rows: &[usize]| Ok(first(rows)? - second(rows)?);
    let difference = of(&all_rows(n_rows))?;
    let found = defined(difference, options.resample(n_rows, of)?)?;
    let (low, high) = ends(&found, options.confidence);
    let not_above = found.iter().filter(|found| **found <= 0.0).count();
    let not_below = found.iter().filter(|found| **found >= 0.0).count();
    let rarer = (not_above.min(not_below) + 1) as f64;
    Ok(BootstrapDifference {
        difference,
        low,
        high,
        p_value: (2.0 * rarer / (found.len() + 1) as f64).min(1.0),
        confidence: options.confidence,
        n_resamples: options.n_resamples,
        n_undefined: options.n_resamples - found.len(),
    })
}

fn all_rows(n_rows: usize) -> Vec<usize> {
    (0..n_rows).collect()
}

/// The values that are numbers, sorted.
fn defined(estimate: f64, mut found: Vec<f64>) -> Result<Vec<f64>, MlError> {
    found.retain(|value| !value.is_nan());
    if estimate.is_nan() || found.is_empty() {
        return Err(MlError::InvalidOption {
            name: "metric",
            value: "NaN".to_owned(),
            expected: "a metric that is defined for these rows",
        });
    }
    found.sort_by(f64::total_cmp);
    Ok(found)
}

fn ends(sorted: &[f64], confidence: f64) -> (f64, f64) {
    let outside = (1.0 - confidence) / 2.0;
    (quantile(sorted, outside), quantile(sorted, 1.0 - outside))
}

fn deviation(values: &[f64]) -> f64 {
    if values.len() < 2 {
        return 0.0;
    }
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    let squared = values.iter().map(|value| (value - mean) * (value - mean));
    (squared.sum::<f64>() / (values.len() - 1) as f64).sqrt()
}

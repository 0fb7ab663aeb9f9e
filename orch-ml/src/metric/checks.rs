//! What every metric asks of its inputs.

use crate::error::MlError;

/// Refuses predictions that do not fit the targets, and no rows.
pub(crate) fn check_pair(targets: usize, predictions: usize) -> Result<(), MlError> {
    check_length("the predictions", targets, predictions)?;
    if targets == 0 {
        return Err(MlError::NoRows {
            table: Default::default(),
        });
    }
    Ok(())
}

pub(crate) fn check_length(
    what: &'static str,
    expected: usize,
    found: usize,
) -> Result<(), MlError> {
    if found == expected {
        return Ok(());
    }
    Err(MlError::LengthMismatch {
        what,
        expected,
        found,
    })
}

/// Refuses NaN and infinity, which would make every mean NaN.
pub(crate) fn check_finite<'a>(
    what: &str,
    values: impl IntoIterator<Item = &'a f64>,
) -> Result<(), MlError> {
    let mut values = values.into_iter().enumerate();
    match values.find(|(_, value)| !value.is_finite()) {
        None => Ok(()),
        Some((row_idx, value)) => Err(MlError::NotFinite {
            column: what.to_owned(),
            row_idx,
            value: *value,
        }),
    }
}

/// What sums of probabilities may be beside 0 and 1 by rounding.
const ROUNDING: f64 = 1e-9;

/// Refuses what cannot be a probability; NaN too.
pub(super) fn check_probability(row_idx: usize, value: f64) -> Result<(), MlError> {
    if (-ROUNDING..=1.0 + ROUNDING).contains(&value) {
        return Ok(());
    }
    Err(MlError::NotAProbability { row_idx, value })
}

/// Refuses codes that have no class.
pub(crate) fn check_codes(codes: &[u32], limit: usize) -> Result<(), MlError> {
    match codes.iter().position(|code| *code as usize >= limit) {
        None => Ok(()),
        Some(row_idx) => Err(MlError::CodeOutOfRange {
            what: "class code",
            row_idx,
            code: codes[row_idx],
            limit,
        }),
    }
}

/// How much each row counts, checked; without weights 1.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RowWeights<'a> {
    weights: Option<&'a [f64]>,
    n_rows: usize,
}

impl<'a> RowWeights<'a> {
    pub(crate) fn new(weights: Option<&'a [f64]>, n_rows: usize) -> Result<Self, MlError> {
        if let Some(weights) = weights {
            check_length("the list of weights", n_rows, weights.len())?;
            check_finite("weights", weights)?;
            let refused = |value, expected| MlError::InvalidOption {
                name: "weights",
                value,
                expected,
            };
            if let Some(row_idx) = weights.iter().position(|weight| *weight < 0.0) {
                let value = format!("{} at row {row_idx}", weights[row_idx]);
                return Err(refused(value, "numbers of at least 0"));
            }
            if n_rows > 0 && weights.iter().all(|weight| *weight == 0.0) {
                let value = "0 in every row".to_owned();
                return Err(refused(value, "a number above 0 in at least one row"));
            }
        }
        Ok(Self { weights, n_rows })
    }

    /// The weight of a row.
    pub(crate) fn of(&self, row_idx: usize) -> f64 {
        self.weights.map_or(1.0, |weights| weights[row_idx])
    }

    /// The sum of the weights.
    fn total(&self) -> f64 {
        match self.weights {
            None => self.n_rows as f64,
            Some(weights) => weights.iter().sum(),
        }
    }

    /// The mean of one value per row.
    pub(crate) fn mean(&self, of: impl Fn(usize) -> f64) -> f64 {
        let total: f64 = match self.weights {
            None => (0..self.n_rows).map(of).sum(),
            Some(weights) => weights
                .iter()
                .enumerate()
                .map(|(row_idx, weight)| weight * of(row_idx))
                .sum(),
        };
        total / self.total()
    }
}

/// A share, 0 if there is nothing to be a share of: scikit-learn's `zero_division=0`.
pub(super) fn ratio(part: f64, whole: f64) -> f64 {
    if whole == 0.0 { 0.0 } else { part / whole }
}

/// The value below which a fraction of the sorted values lies, between two neighbours on a straight
/// line: `numpy.percentile`, to the last bit, so that a value on a bin's edge falls where it does
/// there.
pub(crate) fn quantile(sorted: &[f64], fraction: f64) -> f64 {
    let at = (sorted.len() - 1) as f64 * fraction;
    let below = (at.floor() as usize).min(sorted.len() - 1);
    let above = (below + 1).min(sorted.len() - 1);
    let (low, high, share) = (sorted[below], sorted[above], at - at.floor());
    if share < 0.5 {
        low + (high - low) * share
    } else {
        high - (high - low) * (1.0 - share)
    }
}

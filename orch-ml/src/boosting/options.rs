//! How to boost.

use serde::{Deserialize, Serialize};

use crate::error::MlError;
use crate::options::{check_count, check_not_negative, check_option, check_positive};
use crate::weights::ClassWeights;

/// How to boost trees. The defaults are those of `HistGradientBoostingClassifier` and
/// `HistGradientBoostingRegressor` of scikit-learn where both know an option.
///
/// # Examples
/// ```
/// use orch_ml::BoostingOptions;
///
/// let options = BoostingOptions { n_rounds: 300, learning_rate: 0.05, ..BoostingOptions::default() };
/// assert_eq!(options.max_leaves, Some(31));
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct BoostingOptions {
    /// Trees that are added one after the other, for each class if there are three or more. No round
    /// is left out because the rounds before brought little. Default: 100.
    pub n_rounds: usize,
    /// What each tree's leaves are multiplied by, above 0. Default: 0.1.
    pub learning_rate: f64,
    /// Leaves of a tree at most, at least 2. Trees grow level by level, so the last level may be cut
    /// short. Default: 31.
    pub max_leaves: Option<usize>,
    /// Splits from the root to a leaf at most. Default: no limit.
    pub max_depth: Option<usize>,
    /// What the second derivatives of the loss of a leaf's rows, times their weights, must add up to, at
    /// least 0.001. A row has 1 if numbers are predicted, so that it is the least number of rows of a leaf, and
    /// `p * (1 - p)` of its probability `p`, thus up to 0.25, if classes are. Default: 20 for
    /// numbers, 1 for classes.
    pub min_leaf_weight: Option<f64>,
    /// Strength of the L2 penalty on the leaves. Default: 0.
    pub l2: f64,
    /// Bins that a feature is put into at most, 2 to 255; missing values have one more. Default: 255.
    pub max_bins: usize,
    /// Share of the rows that each tree sees, drawn without replacement, above 0 and up to 1.
    /// Default: 1.
    pub row_fraction: f64,
    /// Share of the features that each tree sees, above 0 and up to 1; at least one. Default: 1.
    pub feature_fraction: f64,
    /// Seed of what trees draw; without effect where they draw nothing. Default: 0.
    pub seed: u64,
    /// How much the rows of each class count; for classes only. Default: the same.
    pub class_weights: ClassWeights,
}

impl Default for BoostingOptions {
    fn default() -> Self {
        Self {
            n_rounds: 100,
            learning_rate: 0.1,
            max_leaves: Some(31),
            max_depth: None,
            min_leaf_weight: None,
            l2: 0.0,
            max_bins: 255,
            row_fraction: 1.0,
            feature_fraction: 1.0,
            seed: 0,
            class_weights: ClassWeights::Equal,
        }
    }
}

#[cfg_attr(
    not(feature = "boosting"),
    expect(dead_code, reason = "only fitting needs checks")
)]
impl BoostingOptions {
    /// Refuses what is out of range whatever the data.
    pub(super) fn check(&self) -> Result<(), MlError> {
        check_count("n_rounds", self.n_rounds)?;
        check_positive("learning_rate", self.learning_rate)?;
        let max_leaves = self.max_leaves.unwrap_or(2);
        check_option(max_leaves >= 2, "max_leaves", max_leaves, "at least 2")?;
        check_count("max_depth", self.max_depth.unwrap_or(1))?;
        let min_weight = self.min_leaf_weight.unwrap_or(1.0);
        let is_valid = min_weight >= 0.001 && min_weight.is_finite();
        let expected = "a finite number of at least 0.001";
        check_option(is_valid, "min_leaf_weight", min_weight, expected)?;
        check_not_negative("l2", self.l2)?;
        let is_valid = (2..=255).contains(&self.max_bins);
        check_option(is_valid, "max_bins", self.max_bins, "2 to 255")?;
        for (name, fraction) in [
            ("row_fraction", self.row_fraction),
            ("feature_fraction", self.feature_fraction),
        ] {
            let is_valid = fraction > 0.0 && fraction <= 1.0;
            check_option(is_valid, name, fraction, "a fraction above 0 and up to 1")?;
        }
        self.class_weights.check()
    }
}

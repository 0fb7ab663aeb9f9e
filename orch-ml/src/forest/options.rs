//! How to grow a forest.

use serde::{Deserialize, Serialize};

use super::growing::Limits;
use super::tree::MAX_FEATURES;
use crate::dataset::Records;
use crate::error::MlError;
use crate::options::{check_count, check_option};
use crate::weights::ClassWeights;

/// How many features a split chooses from.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum MaxFeatures {
    /// The root of their number, rounded down.
    Sqrt,
    /// The base-2 logarithm of their number, rounded down.
    Log2,
    /// All.
    All,
    /// A fraction of them, above 0 and up to 1, rounded down.
    Fraction(f64),
    /// As many, from 1 to all.
    Count(usize),
}

/// How to grow a forest. The defaults are those of scikit-learn, apart from the seed: there is
/// always one, and the result never depends on the number of threads.
///
/// # Examples
/// ```
/// use orch_ml::ForestOptions;
///
/// let options = ForestOptions { n_trees: 300, max_depth: Some(12), ..ForestOptions::default() };
/// assert_eq!(options.min_samples_leaf, 1);
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ForestOptions {
    /// Number of trees. Default: 100.
    pub n_trees: usize,
    /// Splits from the root to a leaf at most. Default: no limit.
    pub max_depth: Option<usize>,
    /// Rows that a node needs to be split, at least 2. Default: 2.
    pub min_samples_split: usize,
    /// Rows that each side of a split must keep, at least 1. Default: 1.
    pub min_samples_leaf: usize,
    /// Features that each split chooses from. Default: the root of their number for classes, all
    /// for numbers.
    pub max_features: Option<MaxFeatures>,
    /// Whether each tree sees as many rows as there are, drawn with replacement, instead of each
    /// row once. Default: true.
    pub bootstrap: bool,
    /// Whether to score each row by the trees that did not see it; costs one prediction of all
    /// rows. Needs `bootstrap`. Default: false.
    pub out_of_bag_score: bool,
    /// Seed of the rows and features that trees draw. Default: 0.
    pub seed: u64,
    /// How much the rows of each class count; for classes only. Default: the same.
    #[serde(default)]
    pub class_weights: ClassWeights,
}

impl Default for ForestOptions {
    fn default() -> Self {
        Self {
            n_trees: 100,
            max_depth: None,
            min_samples_split: 2,
            min_samples_leaf: 1,
            max_features: None,
            bootstrap: true,
            out_of_bag_score: false,
            seed: 0,
            class_weights: ClassWeights::Equal,
        }
    }
}

impl ForestOptions {
    /// Refuses what is out of range whatever the data.
    pub(super) fn check(&self) -> Result<(), MlError> {
        check_count("n_trees", self.n_trees)?;
        check_count("max_depth", self.max_depth.unwrap_or(1))?;
        let min_split = self.min_samples_split;
        check_option(min_split >= 2, "min_samples_split", min_split, "at least 2")?;
        check_count("min_samples_leaf", self.min_samples_leaf)?;
        if self.out_of_bag_score && !self.bootstrap {
            return Err(MlError::OutOfBagWithoutBootstrap);
        }
        self.class_weights.check()
    }

    /// The options in numbers, for so many features.
    pub(super) fn limits(
        &self,
        records: &Records,
        default: MaxFeatures,
    ) -> Result<Limits, MlError> {
        self.check()?;
        let n_features = records.n_features();
        if n_features >= MAX_FEATURES || u32::try_from(records.n_rows()).is_err() {
            return Err(MlError::InvalidOption {
                name: "dataset",
                value: format!("{} rows x {n_features} features", records.n_rows()),
                expected: "fewer than 2^32 rows and 2^24 features for a forest",
            });
        }
        let invalid = |value: String, expected| {
            Err(MlError::InvalidOption {
                name: "max_features",
                value,
                expected,
            })
        };
        let max_features = match self.max_features.unwrap_or(default) {
            MaxFeatures::Sqrt => (n_features as f64).sqrt() as usize,
            MaxFeatures::Log2 => (n_features as f64).log2() as usize,
            MaxFeatures::All => n_features,
            MaxFeatures::Fraction(fraction) if fraction > 0.0 && fraction <= 1.0 => {
                (n_features as f64 * fraction) as usize
            }
            MaxFeatures::Fraction(fraction) => {
                return invalid(fraction.to_string(), "a fraction above 0 and up to 1");
            }
            MaxFeatures::Count(count) if (1..=n_features).contains(&count) => count,
            MaxFeatures::Count(count) => {
                return invalid(
                    count.to_string(),
                    "a count from 1 to the number of features",
                );
            }
        };
        Ok(Limits {
            max_depth: self.max_depth.unwrap_or(usize::MAX),
            min_samples_split: self.min_samples_split,
            min_samples_leaf: self.min_samples_leaf,
            max_features: max_features.max(1),
            bootstrap: self.bootstrap,
        })
    }
}

//! How data is split, as a value that a flow can have as a parameter.

use std::fmt;

use orch_core::Digest;
use serde::{Deserialize, Serialize};

use super::parts::{Origin, Side};
use super::{
    Fold, RollingOptions, Rows, Test, Train, Valid, group_k_fold, grouped_rows, k_fold,
    leave_one_out, rolling_folds, stratified_k_fold, stratified_rows, time_ordered_rows,
    train_test_rows,
};
use crate::error::MlError;

/// How data is split in two.
///
/// ```
/// use orch_ml::{CsvOptions, Split, parse_csv, train_test_split};
///
/// let table = parse_csv(b"city,size\na,1\na,2\nb,3\nb,4\nc,5\n", &CsvOptions::default())?;
/// let (train, test) = train_test_split(&table, &Split::grouped_by("city", 0.3).seed(7))?;
/// assert_eq!((train.n_rows() + test.n_rows(), test.column("city")?.n_missing()), (5, 0));
/// # Ok::<(), orch_ml::MlError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Split {
    by: SplitBy,
    test_fraction: f64,
    seed: u64,
}

/// What keeps rows together or apart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum SplitBy {
    /// Nothing: rows are chosen at random.
    Random,
    /// Each class of the target has its share of both sides.
    Class,
    /// Each value of a column has its share of both sides.
    Shares(String),
    /// All rows that have one value in a column are on one side.
    Groups(String),
    /// Rows with the highest values of a column are held out.
    Time(String),
}

impl Split {
    fn new(by: SplitBy, test_fraction: f64) -> Self {
        Self {
            by,
            test_fraction,
            seed: 0,
        }
    }

    /// Rows at random. See [`train_test_rows`].
    pub fn random(test_fraction: f64) -> Self {
        Self::new(SplitBy::Random, test_fraction)
    }

    /// Each class of the target by its share, for a
    /// [`ClassificationDataset`](crate::ClassificationDataset). See [`stratified_rows`].
    pub fn stratified(test_fraction: f64) -> Self {
        Self::new(SplitBy::Class, test_fraction)
    }

    /// Each value of a column by its share, for a [`Table`](crate::Table). See [`stratified_rows`].
    pub fn stratified_by(column: impl Into<String>, test_fraction: f64) -> Self {
        Self::new(SplitBy::Shares(column.into()), test_fraction)
    }

    /// Rows with one value in a column on one side, for a [`Table`](crate::Table). See
    /// [`grouped_rows`].
    pub fn grouped_by(column: impl Into<String>, test_fraction: f64) -> Self {
        Self::new(SplitBy::Groups(column.into()), test_fraction)
    }

    /// The last rows by a column of timestamps, of numbers, or of texts that sort by time as ISO 8601
    /// has them, for a [`Table`](crate::Table). See [`time_ordered_rows`].
    pub fn time_ordered_by(column: impl Into<String>, test_fraction: f64) -> Self {
        Self::new(SplitBy::Time(column.into()), test_fraction)
    }

    /// Sets the seed. Default: 0.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    fn rows<D: Rows>(&self, data: &D) -> Result<(Vec<usize>, Vec<usize>), MlError> {
        let Self {
            by,
            test_fraction,
            seed,
        } = self;
        match by {
            SplitBy::Random => train_test_rows(data.n_rows(), *test_fraction, *seed),
            SplitBy::Class | SplitBy::Shares(_) => {
                stratified_rows(&data.values_of(by)?, *test_fraction, *seed)
            }
            SplitBy::Groups(_) => grouped_rows(&data.values_of(by)?, *test_fraction, *seed),
            SplitBy::Time(_) => time_ordered_rows(&data.values_of(by)?, *test_fraction),
        }
    }

    fn digest(&self) -> Digest {
        digest_of("split", self)
    }
}

impl fmt::Display for SplitBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SplitBy::Random => f.write_str("random"),
            SplitBy::Class => f.write_str("stratified by the target"),
            SplitBy::Shares(column) => write!(f, "stratified by `{column}`"),
            SplitBy::Groups(column) => write!(f, "grouped by `{column}`"),
            SplitBy::Time(column) => write!(f, "in the order of `{column}`"),
        }
    }
}

/// Splits data into rows to train on and rows to test with. The data is read once, for its digest.
///
/// # Shapes
/// returns: train `[n_rows - n_test, ..]` and test `[n_test, ..]`
///
/// # Errors
/// Those of the functions that choose the rows; [`MlError::UnknownColumn`], [`MlError::MissingValue`]
/// and [`MlError::ContinuousLabel`] of the column to split by; [`MlError::SplitNotPossible`] for a
/// split by a column of a dataset, which has none.
///
/// # Examples
/// ```
/// use orch_ml::{CsvOptions, Split, parse_csv, train_test_split};
///
/// let table = parse_csv(b"x\n1\n2\n3\n4\n5\n", &CsvOptions::default())?;
/// let (train, test) = train_test_split(&table, &Split::random(0.4).seed(42))?;
/// assert_eq!((train.n_rows(), test.n_rows()), (3, 2));
/// # Ok::<(), orch_ml::MlError>(())
/// ```
pub fn train_test_split<D: Rows>(data: &D, split: &Split) -> Result<(Train<D>, Test<D>), MlError> {
    let (train, test) = split.rows(data)?;
    let origin = Origin::of_all(data.digest());
    let cut = split.digest();
    Ok((
        Train::new(data.take_rows(&train)?, origin.then(cut, Side::Train)),
        Test::new(data.take_rows(&test)?, origin.then(cut, Side::HeldOut)),
    ))
}

/// Splits what is to train on once more, into rows to train on and rows to compare models by.
///
/// # Errors
/// As [`train_test_split`].
pub fn train_valid_split<D: Rows>(
    train: &Train<D>,
    split: &Split,
) -> Result<(Train<D>, Valid<D>), MlError> {
    let (rows, held_out) = split.rows(&**train)?;
    parts(train, split.digest(), &rows, &held_out)
}

/// How data is split into folds for cross-validation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum CrossValidation {
    /// [`k_fold`].
    KFold {
        /// Number of folds.
        n_splits: usize,
        /// Shuffles rows before.
        seed: Option<u64>,
    },
    /// [`stratified_k_fold`], by the classes of the target.
    Stratified {
        /// Number of folds.
        n_splits: usize,
        /// Shuffles rows before.
        seed: Option<u64>,
    },
    /// [`group_k_fold`], by a column of a table.
    Grouped {
        /// The column.
        column: String,
        /// Number of folds.
        n_splits: usize,
    },
    /// [`rolling_folds`], for rows in the order of time.
    Rolling(RollingOptions),
    /// [`leave_one_out`].
    LeaveOneOut,
}

impl CrossValidation {
    /// The rows of the folds.
    ///
    /// # Errors
    /// As the function of this name, and [`train_test_split`].
    pub fn folds<D: Rows>(&self, data: &D) -> Result<Vec<Fold>, MlError> {
        match self {
            Self::KFold { n_splits, seed } => k_fold(data.n_rows(), *n_splits, *seed),
            Self::Stratified { n_splits, seed } => {
                stratified_k_fold(&data.values_of(&SplitBy::Class)?, *n_splits, *seed)
            }
            Self::Grouped { column, n_splits } => group_k_fold(
                &data.values_of(&SplitBy::Groups(column.clone()))?,
                *n_splits,
            ),
            Self::Rolling(options) => rolling_folds(data.n_rows(), options),
            Self::LeaveOneOut => leave_one_out(data.n_rows()),
        }
    }

    /// The number of folds, if it does not depend on the data.
    pub fn n_splits(&self) -> Option<usize> {
        match self {
            Self::KFold { n_splits, .. }
            | Self::Stratified { n_splits, .. }
            | Self::Grouped { n_splits, .. } => Some(*n_splits),
            Self::Rolling(options) => Some(options.n_splits),
            Self::LeaveOneOut => None,
        }
    }

    /// One fold of what is to train on: rows to train on, and rows to compare models by.
    ///
    /// # Errors
    /// As [`folds`](Self::folds).
    pub fn fold<D: Rows>(
        &self,
        train: &Train<D>,
        index: usize,
        fold: &Fold,
    ) -> Result<(Train<D>, Valid<D>), MlError> {
        parts(
            train,
            digest_of("fold", &(self, index)),
            &fold.train,
            &fold.test,
        )
    }
}

fn parts<D: Rows>(
    of: &Train<D>,
    cut: Digest,
    train: &[usize],
    held_out: &[usize],
) -> Result<(Train<D>, Valid<D>), MlError> {
    let origin = of.origin();
    Ok((
        Train::new(of.take_rows(train)?, origin.then(cut, Side::Train)),
        Valid::new(of.take_rows(held_out)?, origin.then(cut, Side::HeldOut)),
    ))
}

/// Names a way to split.
fn digest_of(what: &str, of: &impl Serialize) -> Digest {
    let mut hasher = blake3::Hasher::new_derive_key("orch-ml ways to split, version 1");
    hasher.update(what.as_bytes());
    let bytes = postcard::to_allocvec(of).expect("options have no map and no unknown length");
    hasher.update(&bytes);
    Digest::from_bytes(*hasher.finalize().as_bytes())
}

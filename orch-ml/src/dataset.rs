//! What models learn from: records, and targets beside them.

mod classes;
mod records;
mod storing;

use ndarray::{Array1, Array2};
use serde::{Deserialize, Serialize};

pub use self::classes::{ClassLabel, ClassificationDataset};
pub use self::records::Records;
use self::records::check_rows;
pub(crate) use self::records::{Arranged, check_not_empty};
use crate::error::MlError;

/// Records with one number to predict for each.
///
/// # Shapes
/// records `[n_rows, n_features]`, targets `[n_rows]`
///
/// # Examples
/// ```
/// use orch_ml::{Dataset, ndarray::array};
///
/// let dataset = Dataset::new(
///     array![[1.0, 0.0], [2.0, 1.0]],
///     array![10.0, 20.0],
///     ["size", "garden"],
///     "price",
/// )?;
/// assert_eq!(dataset.n_rows(), 2);
/// # Ok::<(), orch_ml::MlError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "RawDataset")]
pub struct Dataset {
    records: Records,
    targets: Array1<f64>,
    target_name: String,
}

#[derive(Deserialize)]
struct RawDataset {
    records: Records,
    targets: Array1<f64>,
    target_name: String,
}

impl TryFrom<RawDataset> for Dataset {
    type Error = MlError;

    fn try_from(raw: RawDataset) -> Result<Self, MlError> {
        Dataset::from_records(raw.records, raw.targets, raw.target_name)
    }
}

impl Dataset {
    /// Puts records and targets together.
    ///
    /// # Errors
    /// [`MlError::LengthMismatch`] and [`MlError::DuplicateColumn`]. NaN and infinity are refused
    /// by the models, not here.
    pub fn new<N: Into<String>>(
        records: Array2<f64>,
        targets: Array1<f64>,
        feature_names: impl IntoIterator<Item = N>,
        target_name: impl Into<String>,
    ) -> Result<Self, MlError> {
        Self::from_records(Records::new(records, feature_names)?, targets, target_name)
    }

    /// As [`new`](Self::new), from records that have their names.
    ///
    /// # Errors
    /// [`MlError::LengthMismatch`] unless there is one target per row.
    pub fn from_records(
        records: Records,
        targets: Array1<f64>,
        target_name: impl Into<String>,
    ) -> Result<Self, MlError> {
        let (expected, found) = (records.n_rows(), targets.len());
        if found != expected {
            return Err(MlError::LengthMismatch {
                what: "the targets",
                expected,
                found,
            });
        }
        Ok(Self {
            records,
            targets,
            target_name: target_name.into(),
        })
    }

    /// The feature values with their names.
    pub fn records(&self) -> &Records {
        &self.records
    }

    /// The targets, `[n_rows]`.
    pub fn targets(&self) -> &Array1<f64> {
        &self.targets
    }

    /// The names of the features, in the order of the records' columns.
    pub fn feature_names(&self) -> &[String] {
        self.records.feature_names()
    }

    /// The name of the target column.
    pub fn target_name(&self) -> &str {
        &self.target_name
    }

    /// Number of rows.
    pub fn n_rows(&self) -> usize {
        self.records.n_rows()
    }

    /// Number of features.
    pub fn n_features(&self) -> usize {
        self.records.n_features()
    }

    /// The rows of the given indices, in the given order; an index may be repeated.
    ///
    /// # Errors
    /// [`MlError::InvalidOption`] for an index that is not a row.
    pub fn take_rows(&self, rows: &[usize]) -> Result<Self, MlError> {
        check_rows(rows, self.n_rows())?;
        Ok(Self {
            records: self.records.take_rows(rows),
            targets: rows.iter().map(|row_idx| self.targets[*row_idx]).collect(),
            target_name: self.target_name.clone(),
        })
    }

    /// Refuses what no model can be fitted to.
    pub(crate) fn check_for_fit(&self) -> Result<(), MlError> {
        check_not_empty(&self.records)?;
        self.records.check_finite()?;
        self.check_targets()
    }

    /// As [`check_for_fit`](Self::check_for_fit), for models that take NaN as a missing value.
    #[cfg(feature = "boosting")]
    pub(crate) fn check_for_fit_with_gaps(&self) -> Result<(), MlError> {
        check_not_empty(&self.records)?;
        self.records.check_not_infinite()?;
        self.check_targets()
    }

    fn check_targets(&self) -> Result<(), MlError> {
        match self.targets.iter().position(|value| !value.is_finite()) {
            None => Ok(()),
            Some(row_idx) => Err(MlError::NotFinite {
                column: self.target_name.clone(),
                row_idx,
                value: self.targets[row_idx],
            }),
        }
    }
}

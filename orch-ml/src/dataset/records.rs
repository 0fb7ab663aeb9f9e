//! Feature values, without targets.

use ndarray::{Array2, ArrayView2, Axis};
use serde::{Deserialize, Serialize};

use crate::error::{MlError, TableName};

/// Feature values with the names of the features.
///
/// # Shapes
/// values `[n_rows, n_features]`, feature names `[n_features]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "RawRecords")]
pub struct Records {
    values: Array2<f64>,
    feature_names: Vec<String>,
}

#[derive(Deserialize)]
struct RawRecords {
    values: Array2<f64>,
    feature_names: Vec<String>,
}

impl TryFrom<RawRecords> for Records {
    type Error = MlError;

    fn try_from(raw: RawRecords) -> Result<Self, MlError> {
        Records::new(raw.values, raw.feature_names)
    }
}

impl Records {
    /// Names the columns of a matrix. Values are kept in row-major order; others are copied.
    ///
    /// # Errors
    /// [`MlError::LengthMismatch`] unless there is one name per column, and
    /// [`MlError::DuplicateColumn`].
    pub fn new<N: Into<String>>(
        values: Array2<f64>,
        feature_names: impl IntoIterator<Item = N>,
    ) -> Result<Self, MlError> {
        let feature_names: Vec<String> = feature_names.into_iter().map(Into::into).collect();
        let (expected, found) = (values.ncols(), feature_names.len());
        if found != expected {
            return Err(MlError::LengthMismatch {
                what: "the list of feature names",
                expected,
                found,
            });
        }
        let mut sorted: Vec<&String> = feature_names.iter().collect();
        sorted.sort_unstable();
        if let Some(pair) = sorted.windows(2).find(|pair| pair[0] == pair[1]) {
            let column = pair[0].clone();
            return Err(MlError::DuplicateColumn {
                column,
                table: TableName::default(),
            });
        }
        let values = if values.is_standard_layout() {
            values
        } else {
            values.as_standard_layout().to_owned()
        };
        Ok(Self {
            values,
            feature_names,
        })
    }

    /// The values, `[n_rows, n_features]`, in row-major order.
    pub fn values(&self) -> &Array2<f64> {
        &self.values
    }

    /// The names of the features, in the order of the columns.
    pub fn feature_names(&self) -> &[String] {
        &self.feature_names
    }

    /// Number of rows.
    pub fn n_rows(&self) -> usize {
        self.values.nrows()
    }

    /// Number of features.
    pub fn n_features(&self) -> usize {
        self.values.ncols()
    }

    /// The values as one slice, row after row.
    pub(crate) fn cells(&self) -> &[f64] {
        self.values
            .as_slice()
            .expect("records are in row-major order")
    }

    /// The rows of the given indices, in their order.
    pub(crate) fn take_rows(&self, rows: &[usize]) -> Self {
        let width = self.n_features();
        let mut cells = Vec::with_capacity(rows.len() * width);
        for row_idx in rows {
            cells.extend_from_slice(&self.cells()[row_idx * width..(row_idx + 1) * width]);
        }
        let values = Array2::from_shape_vec((rows.len(), width), cells)
            .expect("each row has as many cells as there are features");
        Self {
            values,
            feature_names: self.feature_names.clone(),
        }
    }

    /// The records with other values of one feature, one per row.
    pub(crate) fn with_column(&self, column: usize, values: &[f64]) -> Self {
        let mut records = self.clone();
        for (cell, value) in records.values.column_mut(column).iter_mut().zip(values) {
            *cell = *value;
        }
        records
    }

    /// Refuses NaN and infinity, which the mathematics behind the models does not survive.
    pub(crate) fn check_finite(&self) -> Result<(), MlError> {
        check_cells(self.cells(), &self.feature_names, f64::is_finite)
    }

    /// Refuses infinity, for models that take NaN as a missing value.
    #[cfg(feature = "boosting")]
    pub(crate) fn check_not_infinite(&self) -> Result<(), MlError> {
        check_cells(self.cells(), &self.feature_names, |value| {
            !value.is_infinite()
        })
    }

    /// The values of the given features, in that order, without a copy if it is the order they
    /// are in; other features are left out.
    pub(crate) fn arranged(&self, features: &[String]) -> Result<Arranged<'_>, MlError> {
        if self.feature_names == features {
            return Ok(Arranged::Borrowed(self.values.view()));
        }
        let mut positions = Vec::with_capacity(features.len());
        for feature in features {
            match self.feature_names.iter().position(|name| name == feature) {
                Some(position) => positions.push(position),
                None => {
                    let (feature, features) = (feature.clone(), self.feature_names.clone());
                    return Err(MlError::FeatureMissing { feature, features });
                }
            }
        }
        Ok(Arranged::Owned(
            self.values
                .select(Axis(1), &positions)
                .as_standard_layout()
                .to_owned(),
        ))
    }
}

/// Values in the order that a model wants.
pub(crate) enum Arranged<'a> {
    Borrowed(ArrayView2<'a, f64>),
    Owned(Array2<f64>),
}

impl Arranged<'_> {
    pub(crate) fn cells(&self) -> &[f64] {
        match self {
            Arranged::Borrowed(values) => {
                values.to_slice().expect("records are in row-major order")
            }
            Arranged::Owned(values) => values.as_slice().expect("the copy is in row-major order"),
        }
    }

    pub(crate) fn check_finite(&self, features: &[String]) -> Result<(), MlError> {
        check_cells(self.cells(), features, f64::is_finite)
    }

    pub(crate) fn check_not_infinite(&self, features: &[String]) -> Result<(), MlError> {
        check_cells(self.cells(), features, |value| !value.is_infinite())
    }
}

/// Refuses the first value, row after row, that is not accepted.
fn check_cells(
    cells: &[f64],
    features: &[String],
    is_accepted: impl Fn(f64) -> bool,
) -> Result<(), MlError> {
    match cells.iter().position(|value| !is_accepted(*value)) {
        None => Ok(()),
        Some(at) => Err(MlError::NotFinite {
            column: features[at % features.len()].clone(),
            row_idx: at / features.len(),
            value: cells[at],
        }),
    }
}

pub(crate) fn check_not_empty(records: &Records) -> Result<(), MlError> {
    if records.n_features() == 0 {
        return Err(MlError::NoFeatures);
    }
    if records.n_rows() == 0 {
        return Err(MlError::NoRows {
            table: TableName::default(),
        });
    }
    Ok(())
}

pub(super) fn check_rows(rows: &[usize], n_rows: usize) -> Result<(), MlError> {
    match rows.iter().find(|row_idx| **row_idx >= n_rows) {
        None => Ok(()),
        Some(row_idx) => Err(MlError::InvalidOption {
            name: "rows",
            value: row_idx.to_string(),
            expected: "indices below the number of rows",
        }),
    }
}

//! Values cut off at bounds.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::MlError;
use crate::preprocessing::statistics::{quantile, sorted};
use crate::preprocessing::{map_numbers, no_values};
use crate::table::Table;

/// Where to cut off.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum ClipBounds {
    /// At these values; `None` leaves that side open.
    Values {
        /// The smallest value that stays.
        lower: Option<f64>,
        /// The largest value that stays.
        upper: Option<f64>,
    },
    /// At these quantiles of the rows fitted to, as numpy has them by default, in `0..=1`.
    Quantiles {
        /// Share of the values below the smallest that stays.
        lower: f64,
        /// Share of the values below the largest that stays.
        upper: f64,
    },
}

impl ClipBounds {
    fn check(self) -> Result<(), MlError> {
        let is_in_order = match self {
            Self::Values { lower, upper } => {
                let (lower, upper) = (
                    lower.unwrap_or(f64::NEG_INFINITY),
                    upper.unwrap_or(f64::INFINITY),
                );
                lower <= upper && lower < f64::INFINITY && upper > f64::NEG_INFINITY
            }
            Self::Quantiles { lower, upper } => 0.0 <= lower && lower <= upper && upper <= 1.0,
        };
        if is_in_order {
            return Ok(());
        }
        Err(MlError::InvalidOption {
            name: "bounds",
            value: format!("{self:?}"),
            expected: "a lower bound up to the upper one, quantiles from 0 to 1",
        })
    }
}

/// Bounds of columns, fitted by [`Clipper::fit`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Clipper {
    columns: Vec<ClippedColumn>,
}

/// The bounds of one column.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClippedColumn {
    /// Its name.
    pub name: String,
    /// The smallest value that stays; `None` if there is no such bound.
    pub lower: Option<f64>,
    /// The largest value that stays; `None` if there is no such bound.
    pub upper: Option<f64>,
}

impl Clipper {
    /// Finds the bounds of the given columns; missing values are left aside.
    ///
    /// # Errors
    /// [`MlError::InvalidOption`] for bounds out of order or range; [`MlError::UnknownColumn`],
    /// [`MlError::DuplicateColumn`], [`MlError::NoFeatures`], [`MlError::NoRows`];
    /// [`MlError::NotNumeric`] and [`MlError::NotFinite`] with row and column;
    /// [`MlError::NoValues`] if a quantile of no values is asked for.
    ///
    /// # Source
    /// pandas 3.1, `clip` at the values of `quantile`.
    pub fn fit<S: AsRef<str>>(
        table: &Table,
        columns: &[S],
        bounds: ClipBounds,
    ) -> Result<Self, MlError> {
        bounds.check()?;
        table.check_for_fit(columns)?;
        let fit = |name: &S| {
            let name = name.as_ref();
            let numbers = table.numbers(name)?;
            let (lower, upper) = match bounds {
                ClipBounds::Values { lower, upper } => {
                    let finite = |bound: &f64| bound.is_finite();
                    (lower.filter(finite), upper.filter(finite))
                }
                ClipBounds::Quantiles { lower, upper } => {
                    let values = sorted(&numbers);
                    if values.is_empty() {
                        return Err(no_values(table, name, "quantile"));
                    }
                    (
                        Some(quantile(&values, lower)),
                        Some(quantile(&values, upper)),
                    )
                }
            };
            let name = name.to_owned();
            Ok(ClippedColumn { name, lower, upper })
        };
        let columns = columns.iter().map(fit).collect::<Result<_, _>>()?;
        Ok(Self { columns })
    }

    /// Moves values outside of the bounds onto them. The columns become floats; what is missing
    /// stays missing.
    ///
    /// # Errors
    /// [`MlError::UnknownColumn`]; [`MlError::NotNumeric`] and [`MlError::NotFinite`] with row and
    /// column.
    pub fn apply(&self, table: &Table) -> Result<Table, MlError> {
        map_numbers(table, &self.columns, |column| {
            let (lower, upper) = (column.lower, column.upper);
            let clip = move |value: f64| {
                // Comparisons let NaN through.
                let value = lower.filter(|lower| value < *lower).unwrap_or(value);
                upper.filter(|upper| value > *upper).unwrap_or(value)
            };
            (column.name.as_str(), clip)
        })
    }

    /// The columns with their bounds.
    pub fn columns(&self) -> &[ClippedColumn] {
        &self.columns
    }

    /// The names of the columns.
    pub fn column_names(&self) -> Vec<&str> {
        self.columns
            .iter()
            .map(|column| column.name.as_str())
            .collect()
    }

    /// The names of the columns that result: the same.
    pub fn feature_names_out(&self) -> Vec<String> {
        self.columns
            .iter()
            .map(|column| column.name.clone())
            .collect()
    }
}

impl fmt::Display for Clipper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("clip")?;
        let bound = |bound: Option<f64>| bound.map_or("open".to_owned(), |bound| bound.to_string());
        for column in &self.columns {
            let (lower, upper) = (bound(column.lower), bound(column.upper));
            write!(f, "\n  {}: {lower} to {upper}", column.name)?;
        }
        Ok(())
    }
}

/// Moves values outside of the bounds onto them: [`Clipper::fit`] and [`Clipper::apply`] on the
/// same rows.
///
/// # Errors
/// Those of [`Clipper::fit`].
///
/// # Examples
/// ```
/// use orch_ml::{ClipBounds, Table, clip};
///
/// let table = Table::new([("age", vec![-1.0, 30.0, 400.0].into())])?;
/// let bounds = ClipBounds::Values { lower: Some(0.0), upper: Some(120.0) };
/// let clipped = clip(&table, &["age".to_owned()], bounds)?;
/// assert_eq!(clipped.to_vector("age")?.to_vec(), [0.0, 30.0, 120.0]);
/// # Ok::<(), orch_ml::MlError>(())
/// ```
pub fn clip(table: &Table, columns: &[String], bounds: ClipBounds) -> Result<Table, MlError> {
    Clipper::fit(table, columns, bounds)?.apply(table)
}

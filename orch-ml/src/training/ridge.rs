//! Linear regression with a penalty on squared coefficients.

use ndarray::Array1;
use serde::{Deserialize, Serialize};

use super::least_squares::{self, Solution};
use super::linear_fit::LinearFit;
use crate::dataset::{Dataset, Records};
use crate::error::MlError;
use crate::evaluation::Regressor;
use crate::options::check_not_negative;
use crate::splitting::{FitTo, Origin};

/// How to fit a ridge regression; defaults as `Ridge` of scikit-learn.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct RidgeOptions {
    /// What the sum of squared coefficients is multiplied with, at least 0. Default: 1.
    pub alpha: f64,
}

impl Default for RidgeOptions {
    fn default() -> Self {
        Self { alpha: 1.0 }
    }
}

/// A fitted ridge regression: `intercept + sum of coefficient * feature`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RidgeModel {
    fit: LinearFit,
    alpha: f64,
}

impl RidgeModel {
    /// The names of the features, in the order of the coefficients.
    pub fn feature_names(&self) -> &[String] {
        &self.fit.feature_names
    }

    /// The name of the target.
    pub fn target_name(&self) -> &str {
        &self.fit.target_name
    }

    /// The change of the prediction per unit of each feature.
    pub fn coefficients(&self) -> &[f64] {
        &self.fit.coefficients
    }

    /// The prediction where all features are 0.
    pub fn intercept(&self) -> f64 {
        self.fit.intercept
    }

    /// What the sum of squared coefficients was multiplied with.
    pub fn alpha(&self) -> f64 {
        self.alpha
    }

    /// Number of rows that the model was fitted to.
    pub fn n_rows(&self) -> usize {
        self.fit.n_rows
    }

    /// Where the rows are from that the model was fitted to, if it was the train side of a split.
    pub fn trained_on(&self) -> Option<&Origin> {
        self.fit.trained_on.as_ref()
    }

    /// Predicts one number per row, as [`Regressor::predict`]; features are matched by name.
    ///
    /// # Shapes
    /// records `[n_rows, ..]`, returns `[n_rows]`
    ///
    /// # Errors
    /// [`MlError::FeatureMissing`] and [`MlError::NotFinite`].
    pub fn predict(&self, records: &Records) -> Result<Array1<f64>, MlError> {
        self.fit.predict(records)
    }
}

impl Regressor for RidgeModel {
    fn predict(&self, records: &Records) -> Result<Array1<f64>, MlError> {
        self.fit.predict(records)
    }

    fn trained_on(&self) -> Option<&Origin> {
        self.fit.trained_on.as_ref()
    }
}

/// Fits a linear regression that minimises the sum of squared residuals plus `alpha` times the sum
/// of squared coefficients. The intercept is not penalised.
///
/// Scale the features first: a penalty weighs those in small units less. With `alpha` 0 this is
/// [`fit_linear`](crate::fit_linear).
///
/// # Shapes
/// records `[n_rows, n_features]`, at least one of each
///
/// # Errors
/// [`MlError::InvalidOption`]; [`MlError::NoRows`], [`MlError::NoFeatures`]; [`MlError::NotFinite`]
/// with row and column; [`MlError::FitOverflow`].
///
/// # Source
/// Hoerl and Kennard, 1970. Solved exactly, on the triangle of `fit_linear` with a row
/// `sqrt(alpha)` per feature added: equal to `Ridge(solver="cholesky")` of scikit-learn 1.9, but
/// without squaring the condition of the features.
///
/// # Examples
/// ```
/// use orch_ml::{Dataset, RidgeOptions, fit_ridge, ndarray::array};
///
/// let dataset = Dataset::new(array![[-1.0], [1.0]], array![1.0, 5.0], ["size"], "price")?;
/// let model = fit_ridge(&dataset, &RidgeOptions { alpha: 2.0 })?;
/// // Half of the slope of 2, as `alpha` is equal to the sum of squared sizes.
/// assert!((model.coefficients()[0] - 1.0).abs() < 1e-12);
/// # Ok::<(), orch_ml::MlError>(())
/// ```
pub fn fit_ridge(
    train: &impl FitTo<Dataset>,
    options: &RidgeOptions,
) -> Result<RidgeModel, MlError> {
    check_not_negative("alpha", options.alpha)?;
    let dataset = train.data();
    dataset.check_for_fit()?;
    let Solution {
        coefficients,
        intercept,
        ..
    } = least_squares::solve(
        dataset.records().cells(),
        dataset.targets(),
        dataset.n_features(),
        options.alpha,
    )?;
    Ok(RidgeModel {
        fit: LinearFit::new(dataset, coefficients, intercept, train.origin().cloned())?,
        alpha: options.alpha,
    })
}

//! Models that are fitted by sums over rows: linear ones and naive Bayes.

mod discrete_bayes;
mod elastic_net;
mod least_squares;
mod linear_fit;
mod linear_svm;
mod logistic;
mod naive_bayes;
mod ridge;

use ndarray::Array1;
use serde::{Deserialize, Serialize};

pub use self::discrete_bayes::{
    DiscreteBayesModel, DiscreteBayesOptions, FeatureDistribution, fit_discrete_bayes,
};
pub use self::elastic_net::{
    ElasticNetModel, ElasticNetOptions, LassoOptions, fit_elastic_net, fit_lasso,
};
use self::least_squares::Solution;
use self::linear_fit::{check_coefficients, linear_scores};
pub use self::linear_svm::{LinearSvm, LinearSvmOptions, SvmLoss, fit_linear_svm};
pub use self::logistic::{LogisticModel, LogisticOptions, fit_logistic};
pub use self::naive_bayes::{NaiveBayesModel, NaiveBayesOptions, fit_naive_bayes};
pub use self::ridge::{RidgeModel, RidgeOptions, fit_ridge};
use crate::dataset::{Dataset, Records};
use crate::error::MlError;
use crate::evaluation::Regressor;
use crate::splitting::{FitTo, Origin};

/// A fitted linear regression: `intercept + sum of coefficient * feature`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "RawLinearModel")]
pub struct LinearModel {
    feature_names: Vec<String>,
    target_name: String,
    coefficients: Vec<f64>,
    intercept: f64,
    rank: usize,
    n_rows: usize,
    trained_on: Option<Origin>,
}

#[derive(Deserialize)]
struct RawLinearModel {
    feature_names: Vec<String>,
    target_name: String,
    coefficients: Vec<f64>,
    intercept: f64,
    rank: usize,
    n_rows: usize,
    trained_on: Option<Origin>,
}

impl TryFrom<RawLinearModel> for LinearModel {
    type Error = MlError;

    fn try_from(raw: RawLinearModel) -> Result<Self, MlError> {
        check_coefficients(&raw.feature_names, &raw.coefficients, 1)?;
        let RawLinearModel {
            feature_names,
            target_name,
            coefficients,
            intercept,
            rank,
            n_rows,
            trained_on,
        } = raw;
        Ok(Self {
            feature_names,
            target_name,
            coefficients,
            intercept,
            rank,
            n_rows,
            trained_on,
        })
    }
}

impl LinearModel {
    /// The names of the features, in the order of the coefficients.
    pub fn feature_names(&self) -> &[String] {
        &self.feature_names
    }

    /// The name of the target.
    pub fn target_name(&self) -> &str {
        &self.target_name
    }

    /// The change of the prediction per unit of each feature.
    pub fn coefficients(&self) -> &[f64] {
        &self.coefficients
    }

    /// The prediction where all features are 0.
    pub fn intercept(&self) -> f64 {
        self.intercept
    }

    /// The number of independent directions among the centred features. If it is less than their
    /// number, features are constant or combinations of others, and the coefficients are the
    /// smallest of the many that fit equally well.
    pub fn rank(&self) -> usize {
        self.rank
    }

    /// Number of rows that the model was fitted to.
    pub fn n_rows(&self) -> usize {
        self.n_rows
    }

    /// Where the rows are from that the model was fitted to, if it was the train side of a split.
    pub fn trained_on(&self) -> Option<&Origin> {
        self.trained_on.as_ref()
    }

    /// Predicts one number per row, as [`Regressor::predict`].
    ///
    /// Features are matched by name; their order does not matter, and others are left out.
    ///
    /// # Shapes
    /// records `[n_rows, ..]`, returns `[n_rows]`
    ///
    /// # Errors
    /// [`MlError::FeatureMissing`] and [`MlError::NotFinite`].
    pub fn predict(&self, records: &Records) -> Result<Array1<f64>, MlError> {
        let scores = linear_scores(
            records,
            &self.feature_names,
            &self.coefficients,
            &[self.intercept],
        )?;
        Ok(Array1::from_vec(scores))
    }
}

impl Regressor for LinearModel {
    fn predict(&self, records: &Records) -> Result<Array1<f64>, MlError> {
        LinearModel::predict(self, records)
    }

    fn trained_on(&self) -> Option<&Origin> {
        self.trained_on.as_ref()
    }
}

/// Fits a linear regression with intercept by ordinary least squares.
///
/// Features that are constant, or combinations of others, do not stop the fit: of all coefficients
/// that fit best it then gives those with the smallest sum of squares, as scikit-learn does, warns
/// through `tracing`, and leaves the count in [`LinearModel::rank`]. A constant feature gets 0. One
/// row is enough: all coefficients are then 0 and the intercept is its target.
///
/// # Shapes
/// records `[n_rows, n_features]`, at least one of each
///
/// # Errors
/// [`MlError::NoRows`], [`MlError::NoFeatures`]; [`MlError::NotFinite`] with row and column of a
/// feature or target that is NaN or infinite; [`MlError::FitOverflow`] if values near the largest
/// float overflow on the way.
///
/// # Source
/// Rows are centred and reduced block by block to a triangular system (Demmel and others, TSQR,
/// 2012) that linfa-linear 0.8.1 solves; by singular values if the rank is short. Directions count
/// up to `f64::EPSILON * max(n_rows, n_features, 64)` times the largest singular value, the rule of
/// numpy's `lstsq`. scikit-learn 1.9 cuts at 1e-6 times the largest: it drops more.
pub fn fit_linear(train: &impl FitTo<Dataset>) -> Result<LinearModel, MlError> {
    let dataset = train.data();
    dataset.check_for_fit()?;
    let Solution {
        coefficients,
        intercept,
        rank,
    } = least_squares::solve(
        dataset.records().cells(),
        dataset.targets(),
        dataset.n_features(),
        0.0,
    )?;
    if rank < dataset.n_features() {
        tracing::warn!(
            rank,
            n_features = dataset.n_features(),
            n_rows = dataset.n_rows(),
            "features are constant or depend on each other: the coefficients are not unique"
        );
    }
    Ok(LinearModel {
        feature_names: dataset.feature_names().to_vec(),
        target_name: dataset.target_name().to_owned(),
        coefficients,
        intercept,
        rank,
        n_rows: dataset.n_rows(),
        trained_on: train.origin().cloned(),
    })
}

//! Linear regression with penalties that leave features out.

use ndarray::Array1;
use serde::{Deserialize, Serialize};

use super::least_squares::{self, Reduced, Triangle, dot};
use super::linear_fit::LinearFit;
use crate::dataset::{Dataset, Records};
use crate::error::MlError;
use crate::evaluation::Regressor;
use crate::options::{check_count, check_not_negative, check_option};
use crate::splitting::{FitTo, Origin};

/// How to fit a lasso; defaults as `Lasso` of scikit-learn.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct LassoOptions {
    /// What the sum of absolute coefficients is multiplied with, at least 0. Default: 1.
    pub alpha: f64,
    /// Rounds through all coefficients at most. Default: 1000.
    pub max_iter: usize,
    /// As [`ElasticNetOptions::tol`]. Default: 1e-4.
    pub tol: f64,
}

impl Default for LassoOptions {
    fn default() -> Self {
        let ElasticNetOptions {
            alpha,
            max_iter,
            tol,
            ..
        } = ElasticNetOptions::default();
        Self {
            alpha,
            max_iter,
            tol,
        }
    }
}

/// How to fit an elastic net; defaults as `ElasticNet` of scikit-learn.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ElasticNetOptions {
    /// What the penalty is multiplied with, at least 0. Default: 1.
    pub alpha: f64,
    /// The share of absolute coefficients in the penalty, from 0 to 1; the rest is for squared
    /// ones. Default: 0.5.
    pub l1_ratio: f64,
    /// Rounds through all coefficients at most. Default: 1000.
    pub max_iter: usize,
    /// The fit ends when no coefficient changed by more than this share of the largest one, and
    /// the duality gap, which bounds how far the objective is above its minimum, is at most this
    /// share of the centred targets' sum of squares. At least 0. Default: 1e-4.
    pub tol: f64,
}

impl Default for ElasticNetOptions {
    fn default() -> Self {
        Self {
            alpha: 1.0,
            l1_ratio: 0.5,
            max_iter: 1000,
            tol: 1e-4,
        }
    }
}

/// A fitted elastic net or lasso: `intercept + sum of coefficient * feature`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ElasticNetModel {
    fit: LinearFit,
    alpha: f64,
    l1_ratio: f64,
    n_iter: usize,
    dual_gap: f64,
    is_converged: bool,
}

impl ElasticNetModel {
    /// The names of the features, in the order of the coefficients.
    pub fn feature_names(&self) -> &[String] {
        &self.fit.feature_names
    }

    /// The name of the target.
    pub fn target_name(&self) -> &str {
        &self.fit.target_name
    }

    /// The change of the prediction per unit of each feature; 0 for those left out.
    pub fn coefficients(&self) -> &[f64] {
        &self.fit.coefficients
    }

    /// The prediction where all features are 0.
    pub fn intercept(&self) -> f64 {
        self.fit.intercept
    }

    /// What the penalty was multiplied with.
    pub fn alpha(&self) -> f64 {
        self.alpha
    }

    /// The share of absolute coefficients in the penalty: 1 for a lasso.
    pub fn l1_ratio(&self) -> f64 {
        self.l1_ratio
    }

    /// Rounds through all coefficients that the fit took; 0 if it was solved in one go.
    pub fn n_iter(&self) -> usize {
        self.n_iter
    }

    /// How far the objective is above its minimum at most.
    pub fn dual_gap(&self) -> f64 {
        self.dual_gap
    }

    /// Whether the fit ended within its tolerance, rather than after `max_iter` rounds.
    pub fn is_converged(&self) -> bool {
        self.is_converged
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

impl Regressor for ElasticNetModel {
    fn predict(&self, records: &Records) -> Result<Array1<f64>, MlError> {
        self.fit.predict(records)
    }

    fn trained_on(&self) -> Option<&Origin> {
        self.fit.trained_on.as_ref()
    }
}

/// Fits a linear regression that minimises
/// `sum of squared residuals / (2 n_rows) + alpha * sum of absolute coefficients`: an elastic net
/// with an `l1_ratio` of 1.
///
/// # Errors
/// As [`fit_elastic_net`].
///
/// # Source
/// Tibshirani, 1996; as `Lasso` of scikit-learn 1.9.
pub fn fit_lasso(
    train: &impl FitTo<Dataset>,
    options: &LassoOptions,
) -> Result<ElasticNetModel, MlError> {
    let LassoOptions {
        alpha,
        max_iter,
        tol,
    } = *options;
    let options = ElasticNetOptions {
        alpha,
        l1_ratio: 1.0,
        max_iter,
        tol,
    };
    fit_elastic_net(train, &options)
}

/// Fits a linear regression that minimises `sum of squared residuals / (2 n_rows) + alpha *
/// (l1_ratio * sum of absolute coefficients + (1 - l1_ratio) / 2 * sum of squared coefficients)`.
/// The intercept is not penalised.
///
/// Scale the features first: a penalty weighs those in small units less. A fit that does not come
/// to its end within `max_iter` rounds warns through `tracing` and says so in
/// [`ElasticNetModel::is_converged`].
///
/// # Shapes
/// records `[n_rows, n_features]`, at least one of each
///
/// # Errors
/// [`MlError::InvalidOption`]; [`MlError::NoRows`], [`MlError::NoFeatures`]; [`MlError::NotFinite`]
/// with row and column; [`MlError::FitOverflow`].
///
/// # Source
/// Zou and Hastie, 2005, by coordinate descent (Friedman and others, 2007) with the rules of
/// `ElasticNet` of scikit-learn 1.9. Rows are reduced to a triangle first, as for
/// [`fit_linear`](crate::fit_linear): the data is read once, and a round costs as much as a round on
/// the matrix of products of features would, without squaring their condition. linfa-elasticnet
/// 0.8.1 goes through all rows in every round, so that it is not used.
pub fn fit_elastic_net(
    train: &impl FitTo<Dataset>,
    options: &ElasticNetOptions,
) -> Result<ElasticNetModel, MlError> {
    let ElasticNetOptions {
        alpha,
        l1_ratio,
        max_iter,
        tol,
    } = *options;
    check_not_negative("alpha", alpha)?;
    let is_share = (0.0..=1.0).contains(&l1_ratio);
    check_option(is_share, "l1_ratio", l1_ratio, "a value from 0 to 1")?;
    check_count("max_iter", max_iter)?;
    check_not_negative("tol", tol)?;
    let dataset = train.data();
    dataset.check_for_fit()?;

    let (cells, targets) = (dataset.records().cells(), dataset.targets());
    let (n_features, n_rows) = (dataset.n_features(), dataset.n_rows() as f64);
    let trained_on = train.origin().cloned();
    let penalty = Penalty {
        l1: alpha * l1_ratio * n_rows,
        l2: alpha * (1.0 - l1_ratio) * n_rows,
    };
    if penalty.l1 == 0.0 {
        // A duality gap says nothing without absolute coefficients, and a system needs no rounds.
        let solution = least_squares::solve(cells, targets, n_features, penalty.l2)?;
        let (coefficients, intercept) = (solution.coefficients, solution.intercept);
        return Ok(ElasticNetModel {
            fit: LinearFit::new(dataset, coefficients, intercept, trained_on)?,
            alpha,
            l1_ratio,
            n_iter: 0,
            dual_gap: 0.0,
            is_converged: true,
        });
    }

    let Reduced { means, triangle } = least_squares::reduce(cells, targets, n_features)?;
    let mut descent = Descent::new(&triangle, n_features, penalty);
    let is_converged = descent.run(max_iter, tol);
    let (n_iter, dual_gap) = (descent.n_iter, descent.gap() / n_rows);
    if !is_converged {
        tracing::warn!(
            n_iter,
            dual_gap,
            "coordinate descent has not converged: raise `max_iter` or `alpha`, or scale the features"
        );
    }
    Ok(ElasticNetModel {
        fit: LinearFit::through_means(dataset, descent.coefficients, &means, trained_on)?,
        alpha,
        l1_ratio,
        n_iter,
        dual_gap,
        is_converged,
    })
}

/// The penalties of half the sum of squared residuals.
#[derive(Clone, Copy)]
struct Penalty {
    l1: f64,
    l2: f64,
}

/// Coordinate descent on a triangle, whose residuals have the squares and products of all rows'.
struct Descent<'a> {
    triangle: &'a Triangle,
    penalty: Penalty,
    squares: Vec<f64>,
    coefficients: Vec<f64>,
    residuals: Vec<f64>,
    n_iter: usize,
}

impl<'a> Descent<'a> {
    fn new(triangle: &'a Triangle, n_features: usize, penalty: Penalty) -> Self {
        let square = |feature| dot(triangle.column(feature), triangle.column(feature));
        Self {
            triangle,
            penalty,
            squares: (0..n_features).map(square).collect(),
            coefficients: vec![0.0; n_features],
            residuals: triangle.column(n_features).to_vec(),
            n_iter: 0,
        }
    }

    /// Whether the tolerance was reached within so many rounds.
    fn run(&mut self, max_iter: usize, tol: f64) -> bool {
        let target = self.triangle.column(self.coefficients.len());
        let gap_limit = tol * dot(target, target);
        for _ in 0..max_iter {
            let (change, largest) = self.round();
            self.n_iter += 1;
            if change <= tol * largest {
                self.refresh_residuals();
                if self.gap() <= gap_limit {
                    return true;
                }
            }
        }
        false
    }

    /// One round through all coefficients; returns the greatest change, and the greatest size.
    fn round(&mut self) -> (f64, f64) {
        let (mut greatest_change, mut largest) = (0.0f64, 0.0f64);
        for feature in 0..self.coefficients.len() {
            if self.squares[feature] == 0.0 {
                continue;
            }
            let column = self.triangle.column(feature);
            let before = self.coefficients[feature];
            let pull = dot(column, &self.residuals[..=feature]) + self.squares[feature] * before;
            let size = (pull.abs() - self.penalty.l1).max(0.0);
            let after = size.copysign(pull) / (self.squares[feature] + self.penalty.l2);
            if after != before {
                self.coefficients[feature] = after;
                add_scaled(&mut self.residuals, before - after, column);
            }
            greatest_change = greatest_change.max((after - before).abs());
            largest = largest.max(after.abs());
        }
        (greatest_change, largest)
    }

    /// Takes the residuals from the coefficients anew, without what rounding left in them.
    fn refresh_residuals(&mut self) {
        let n_features = self.coefficients.len();
        self.residuals = self.triangle.column(n_features).to_vec();
        for feature in 0..n_features {
            let slope = self.coefficients[feature];
            add_scaled(&mut self.residuals, -slope, self.triangle.column(feature));
        }
    }

    /// The duality gap: how far the objective is above its minimum at most.
    fn gap(&self) -> f64 {
        let Penalty { l1, l2 } = self.penalty;
        let target = self.triangle.column(self.coefficients.len());
        let slack = |(feature, slope): (usize, &f64)| {
            let column = self.triangle.column(feature);
            (dot(column, &self.residuals[..=feature]) - l2 * slope).abs()
        };
        let steepest = self
            .coefficients
            .iter()
            .enumerate()
            .map(slack)
            .fold(0.0, f64::max);
        // The dual point is the residuals, shrunk until they are feasible.
        let shrink = if steepest > l1 { l1 / steepest } else { 1.0 };
        let residual_squares = dot(&self.residuals, &self.residuals);
        let slope_squares = dot(&self.coefficients, &self.coefficients);
        let sizes: f64 = self.coefficients.iter().map(|slope| slope.abs()).sum();
        let gap = 0.5 * (1.0 + shrink * shrink) * (residual_squares + l2 * slope_squares)
            + l1 * sizes
            - shrink * dot(&self.residuals, target);
        // Rounding can leave it a little below zero.
        gap.max(0.0)
    }
}

fn add_scaled(sums: &mut [f64], factor: f64, column: &[f64]) {
    for (sum, value) in sums.iter_mut().zip(column) {
        *sum += factor * value;
    }
}

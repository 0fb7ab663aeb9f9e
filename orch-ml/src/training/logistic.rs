//! Logistic regression.

mod newton;

use ndarray::{Array2, ArrayView2};
use serde::{Deserialize, Serialize};

use self::newton::Problem;
use super::linear_fit::{check_lines, linear_scores, n_lines};
use crate::dataset::{ClassLabel, ClassificationDataset, Records};
use crate::error::MlError;
use crate::evaluation::{ClassPredictions, Classifier};
use crate::options::{check_count, check_not_negative, check_positive};
use crate::prediction::{sigmoid, soft_max};
use crate::splitting::Origin;
use crate::weights::{ClassWeights, FitWeighted};

/// How to fit a logistic regression; defaults as `LogisticRegression` of scikit-learn.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct LogisticOptions {
    /// How much the rows count against the penalty on squared coefficients, above 0; the smaller,
    /// the smaller the coefficients. Default: 1.
    pub c: f64,
    /// Newton steps at most. Default: 100.
    pub max_iter: usize,
    /// The fit ends when no part of the gradient of the mean loss, with standardized features, is
    /// above this, nor what another step would gain. At least 0. Default: 1e-4.
    pub tol: f64,
    /// How much the rows of each class count. Default: the same.
    pub class_weights: ClassWeights,
}

impl Default for LogisticOptions {
    fn default() -> Self {
        Self {
            c: 1.0,
            max_iter: 100,
            tol: 1e-4,
            class_weights: ClassWeights::Equal,
        }
    }
}

/// A fitted logistic regression.
///
/// For two classes it has one line, `intercept + sum of coefficient * feature`, which is the
/// logarithm of the odds of the second class. For more it has one for each class, and the
/// probabilities are their softmax.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "RawLogisticModel")]
pub struct LogisticModel {
    feature_names: Vec<String>,
    target_name: String,
    classes: Vec<ClassLabel>,
    /// Line after line.
    coefficients: Vec<f64>,
    intercepts: Vec<f64>,
    n_iter: usize,
    is_converged: bool,
    n_rows: usize,
    trained_on: Option<Origin>,
}

#[derive(Deserialize)]
struct RawLogisticModel {
    feature_names: Vec<String>,
    target_name: String,
    classes: Vec<ClassLabel>,
    coefficients: Vec<f64>,
    intercepts: Vec<f64>,
    n_iter: usize,
    is_converged: bool,
    n_rows: usize,
    trained_on: Option<Origin>,
}

impl TryFrom<RawLogisticModel> for LogisticModel {
    type Error = MlError;

    fn try_from(raw: RawLogisticModel) -> Result<Self, MlError> {
        let RawLogisticModel {
            feature_names,
            target_name,
            classes,
            coefficients,
            intercepts,
            n_iter,
            is_converged,
            n_rows,
            trained_on,
        } = raw;
        check_lines(&classes, &feature_names, &coefficients, &intercepts)?;
        Ok(Self {
            feature_names,
            target_name,
            classes,
            coefficients,
            intercepts,
            n_iter,
            is_converged,
            n_rows,
            trained_on,
        })
    }
}

impl LogisticModel {
    /// The names of the features, in the order of the coefficients.
    pub fn feature_names(&self) -> &[String] {
        &self.feature_names
    }

    /// The name of the label column.
    pub fn target_name(&self) -> &str {
        &self.target_name
    }

    /// The classes that had rows, sorted.
    pub fn classes(&self) -> &[ClassLabel] {
        &self.classes
    }

    /// The change of each line per unit of each feature.
    ///
    /// # Shapes
    /// `[1, n_features]` for two classes, `[n_classes, n_features]` for more
    pub fn coefficients(&self) -> ArrayView2<'_, f64> {
        let shape = (self.intercepts.len(), self.feature_names.len());
        ArrayView2::from_shape(shape, &self.coefficients)
            .expect("there is a coefficient per line and feature")
    }

    /// The lines where all features are 0.
    pub fn intercepts(&self) -> &[f64] {
        &self.intercepts
    }

    /// Newton steps that the fit took.
    pub fn n_iter(&self) -> usize {
        self.n_iter
    }

    /// Whether the fit ended within its tolerance, rather than after `max_iter` steps.
    pub fn is_converged(&self) -> bool {
        self.is_converged
    }

    /// Number of rows that the model was fitted to.
    pub fn n_rows(&self) -> usize {
        self.n_rows
    }

    /// Where the rows are from that the model was fitted to, if it was the train side of a split.
    pub fn trained_on(&self) -> Option<&Origin> {
        self.trained_on.as_ref()
    }

    /// Predicts the probability of each class; features are matched by name.
    ///
    /// # Shapes
    /// records `[n_rows, ..]`, returns `[n_rows, n_classes]`
    ///
    /// # Errors
    /// [`MlError::FeatureMissing`] and [`MlError::NotFinite`].
    pub fn predict_probabilities(&self, records: &Records) -> Result<Array2<f64>, MlError> {
        let mut scores = linear_scores(
            records,
            &self.feature_names,
            &self.coefficients,
            &self.intercepts,
        )?;
        if self.classes.len() == 2 {
            let of_both = |score: &f64| [sigmoid(-score), sigmoid(*score)];
            scores = scores.iter().flat_map(of_both).collect();
        } else {
            scores
                .chunks_exact_mut(self.classes.len())
                .for_each(soft_max);
        }
        Ok(
            Array2::from_shape_vec((records.n_rows(), self.classes.len()), scores)
                .expect("one probability was made per row and class"),
        )
    }

    /// Predicts the most probable class of each row, with the probabilities.
    ///
    /// # Errors
    /// As [`predict_probabilities`](Self::predict_probabilities).
    pub fn predict(&self, records: &Records) -> Result<ClassPredictions, MlError> {
        Classifier::predict(self, records)
    }
}

impl Classifier for LogisticModel {
    fn classes(&self) -> &[ClassLabel] {
        &self.classes
    }

    fn predict_probabilities(&self, records: &Records) -> Result<Array2<f64>, MlError> {
        LogisticModel::predict_probabilities(self, records)
    }

    fn trained_on(&self) -> Option<&Origin> {
        self.trained_on.as_ref()
    }
}

/// Fits a logistic regression: multinomial if there are more than two classes.
///
/// It minimises `c * sum of the rows' log losses + sum of squared coefficients / 2`, in which each row
/// counts by its weight; intercepts are not penalised. The penalty keeps coefficients finite where classes can be told apart without an
/// error. Scale the features first: the penalty weighs those in small units less. Classes without
/// rows are left out. A fit that does not come to its end within `max_iter` steps warns through
/// `tracing` and says so in [`LogisticModel::is_converged`].
///
/// # Shapes
/// records `[n_rows, n_features]`, at least one of each
///
/// # Errors
/// [`MlError::InvalidOption`]; [`MlError::NoRows`], [`MlError::NoFeatures`]; [`MlError::OneClass`];
/// [`MlError::NotFinite`] with row and column; [`MlError::FitOverflow`].
///
/// # Source
/// The objective of `LogisticRegression` of scikit-learn 1.9, whose minimum is the same by any
/// solver. Newton's method on standardized features, each step by conjugate gradients (Lin, Weng
/// and Keerthi, 2008): about ten steps whatever the size, where the L-BFGS of linfa-logistic 0.8.1
/// takes hundreds of passes, with a tolerance on the gradient summed over rows.
///
/// # Examples
/// ```
/// use orch_ml::{ClassificationDataset, LogisticOptions, Records, fit_logistic, ndarray::array};
///
/// let records = Records::new(array![[1.0], [2.0], [3.0], [4.0]], ["size"])?;
/// let dataset = ClassificationDataset::new(records, ["flat", "flat", "house", "house"], "kind")?;
/// let model = fit_logistic(&dataset, &LogisticOptions::default())?;
/// let predictions = model.predict(dataset.records())?;
/// assert_eq!(predictions.codes(), [0, 0, 1, 1]);
/// # Ok::<(), orch_ml::MlError>(())
/// ```
pub fn fit_logistic(
    train: &impl FitWeighted<ClassificationDataset>,
    options: &LogisticOptions,
) -> Result<LogisticModel, MlError> {
    check_positive("c", options.c)?;
    check_count("max_iter", options.max_iter)?;
    check_not_negative("tol", options.tol)?;
    options.class_weights.check()?;
    let dataset = train.data();
    dataset.check_for_fit()?;
    let (classes, targets) = dataset.several_classes()?;
    let weights = options.class_weights.of_rows(dataset, train.weights())?;

    let problem = Problem::new(
        dataset.records(),
        &targets,
        weights,
        n_lines(classes.len()),
        options.c,
    )?;
    let solution = problem.solve(options.max_iter, options.tol);
    if !solution.is_converged {
        tracing::warn!(
            n_iter = solution.n_iter,
            "the logistic regression has not converged: raise `max_iter` or `tol`, or lower `c`"
        );
    }
    let (coefficients, intercepts) = problem.lines(&solution.parameters);
    if coefficients
        .iter()
        .chain(&intercepts)
        .any(|value| !value.is_finite())
    {
        return Err(MlError::FitOverflow);
    }
    Ok(LogisticModel {
        feature_names: dataset.feature_names().to_vec(),
        target_name: dataset.target_name().to_owned(),
        classes,
        coefficients,
        intercepts,
        n_iter: solution.n_iter,
        is_converged: solution.is_converged,
        n_rows: dataset.n_rows(),
        trained_on: train.origin().cloned(),
    })
}

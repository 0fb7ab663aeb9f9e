//! Linear support vector machines.

mod dual;

use ndarray::{Array2, ArrayView2};
use orch_core::Rng;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use self::dual::{Line, Sides};
use super::linear_fit::{check_lines, linear_scores, n_lines};
use crate::dataset::{ClassLabel, ClassificationDataset, Records};
use crate::error::MlError;
use crate::evaluation::{ClassPredictions, Classifier, first_greatest};
use crate::options::{check_count, check_not_negative, check_positive};
use crate::splitting::Origin;
use crate::weights::{ClassWeights, FitWeighted};

/// The stream of random numbers of the order of rows.
const STREAM: u64 = 0x7376_6d00;

/// What a row costs that is on the wrong side of its margin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub enum SvmLoss {
    /// How far it is from the margin.
    Hinge,
    /// The square of that.
    #[default]
    SquaredHinge,
}

/// How to fit a linear support vector machine; defaults as `LinearSVC` of scikit-learn.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct LinearSvmOptions {
    /// How much the rows count against the penalty on squared coefficients, above 0; the smaller,
    /// the smaller the coefficients. Default: 1.
    pub c: f64,
    /// What a row costs. Default: squared hinge.
    pub loss: SvmLoss,
    /// Rounds through all rows at most. Default: 1000.
    pub max_iter: usize,
    /// The fit ends when the slopes of the dual objective, within the bounds of the rows' weights,
    /// are this close to each other. At least 0. Default: 1e-4.
    pub tol: f64,
    /// Seed of the order in which rows are gone through; does not matter for a small `tol`.
    /// Default: 0.
    pub seed: u64,
    /// How much the rows of each class count. Default: the same.
    pub class_weights: ClassWeights,
}

impl Default for LinearSvmOptions {
    fn default() -> Self {
        Self {
            c: 1.0,
            loss: SvmLoss::SquaredHinge,
            max_iter: 1000,
            tol: 1e-4,
            seed: 0,
            class_weights: ClassWeights::Equal,
        }
    }
}

/// A fitted linear support vector machine.
///
/// For two classes it has one line, `intercept + sum of coefficient * feature`, which is above 0 for
/// the second. For more it has one for each class against the others, and the greatest one wins.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "RawLinearSvm")]
pub struct LinearSvm {
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
struct RawLinearSvm {
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

impl TryFrom<RawLinearSvm> for LinearSvm {
    type Error = MlError;

    fn try_from(raw: RawLinearSvm) -> Result<Self, MlError> {
        let RawLinearSvm {
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

impl LinearSvm {
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

    /// Rounds through the rows that the line which took most of them took.
    pub fn n_iter(&self) -> usize {
        self.n_iter
    }

    /// Whether every line ended within its tolerance, rather than after `max_iter` rounds.
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

    /// The value of each line for each row; features are matched by name.
    ///
    /// # Shapes
    /// records `[n_rows, ..]`, returns `[n_rows, 1]` for two classes, `[n_rows, n_classes]` for more
    ///
    /// # Errors
    /// [`MlError::FeatureMissing`] and [`MlError::NotFinite`].
    pub fn decision_function(&self, records: &Records) -> Result<Array2<f64>, MlError> {
        let (names, coefficients) = (&self.feature_names, &self.coefficients);
        let scores = linear_scores(records, names, coefficients, &self.intercepts)?;
        Ok(
            Array2::from_shape_vec((records.n_rows(), self.intercepts.len()), scores)
                .expect("one score was made per row and line"),
        )
    }

    /// Predicts the class of each row. There are no probabilities: the predicted class has 1, the
    /// others 0, so that the log loss of such predictions says little.
    ///
    /// # Errors
    /// As [`decision_function`](Self::decision_function).
    pub fn predict(&self, records: &Records) -> Result<ClassPredictions, MlError> {
        Classifier::predict(self, records)
    }
}

impl Classifier for LinearSvm {
    fn classes(&self) -> &[ClassLabel] {
        &self.classes
    }

    fn predict_probabilities(&self, records: &Records) -> Result<Array2<f64>, MlError> {
        let scores = self.decision_function(records)?;
        let mut chosen = Array2::zeros((records.n_rows(), self.classes.len()));
        for (row_idx, scores) in scores.rows().into_iter().enumerate() {
            let class = match scores.len() {
                1 => usize::from(scores[0] > 0.0),
                _ => first_greatest(scores),
            };
            chosen[[row_idx, class]] = 1.0;
        }
        Ok(chosen)
    }

    fn trained_on(&self) -> Option<&Origin> {
        self.trained_on.as_ref()
    }
}

/// Fits a linear support vector machine, one class against the others if there are more than two.
///
/// It minimises `sum of squared coefficients / 2 + c * sum of the rows' losses`, in which each row
/// counts by its weight and the intercept as a coefficient, as it does in scikit-learn. Scale the features first: the
/// penalty weighs those in small units less, and rounds get many. Classes without rows are left out.
/// A fit that does not come to its end within `max_iter` rounds warns through `tracing` and says so
/// in [`LinearSvm::is_converged`].
///
/// # Shapes
/// records `[n_rows, n_features]`, at least one of each
///
/// # Errors
/// [`MlError::InvalidOption`]; [`MlError::NoRows`], [`MlError::NoFeatures`]; [`MlError::OneClass`];
/// [`MlError::NotFinite`] with row and column; [`MlError::FitOverflow`].
///
/// # Source
/// Dual coordinate descent with shrinking (Hsieh and others, 2008), as `LinearSVC(dual=True)` of
/// scikit-learn 1.9 by liblinear. With three classes or more a class has its weight in every line; there
/// it has it only in its own.
///
/// # Examples
/// ```
/// use orch_ml::{ClassificationDataset, LinearSvmOptions, Records, fit_linear_svm, ndarray::array};
///
/// let records = Records::new(array![[-2.0], [-1.0], [1.0], [2.0]], ["balance"])?;
/// let dataset = ClassificationDataset::new(records, ["debt", "debt", "credit", "credit"], "kind")?;
/// let model = fit_linear_svm(&dataset, &LinearSvmOptions::default())?;
/// assert_eq!(model.predict(dataset.records())?.codes(), [1, 1, 0, 0]);
/// # Ok::<(), orch_ml::MlError>(())
/// ```
pub fn fit_linear_svm(
    train: &impl FitWeighted<ClassificationDataset>,
    options: &LinearSvmOptions,
) -> Result<LinearSvm, MlError> {
    check_positive("c", options.c)?;
    check_count("max_iter", options.max_iter)?;
    check_not_negative("tol", options.tol)?;
    options.class_weights.check()?;
    let dataset = train.data();
    dataset.check_for_fit()?;
    let (classes, targets) = dataset.several_classes()?;
    let weights = options.class_weights.of_rows(dataset, train.weights())?;

    let solve = |line: usize| -> Line {
        // One line is above 0 for the second of two classes.
        let class = if classes.len() == 2 { 1 } else { line };
        let sign = |target: &u32| if *target as usize == class { 1.0 } else { -1.0 };
        let sides = Sides {
            cells: dataset.records().cells(),
            width: dataset.n_features(),
            signs: targets.iter().map(sign).collect(),
            counts: weights.as_deref(),
        };
        sides.solve(options, Rng::new(options.seed, STREAM + line as u64))
    };
    let lines: Vec<Line> = (0..n_lines(classes.len()))
        .into_par_iter()
        .map(solve)
        .collect();
    let model = LinearSvm {
        feature_names: dataset.feature_names().to_vec(),
        target_name: dataset.target_name().to_owned(),
        classes,
        coefficients: lines
            .iter()
            .flat_map(|line| line.coefficients.clone())
            .collect(),
        intercepts: lines.iter().map(|line| line.intercept).collect(),
        n_iter: lines.iter().map(|line| line.n_iter).max().unwrap_or(0),
        is_converged: lines.iter().all(|line| line.is_converged),
        n_rows: dataset.n_rows(),
        trained_on: train.origin().cloned(),
    };
    let mut numbers = model.coefficients.iter().chain(&model.intercepts);
    if numbers.any(|value| !value.is_finite()) {
        return Err(MlError::FitOverflow);
    }
    if !model.is_converged {
        tracing::warn!(
            model.n_iter,
            "the support vector machine has not converged: scale the features, raise `max_iter` or \
             `tol`, or lower `c`"
        );
    }
    Ok(model)
}

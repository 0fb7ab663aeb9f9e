//! How scores grow with the rows to train on.

use orch_core::Rng;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::{ClassificationScoring, RegressionScoring};
use crate::dataset::{ClassificationDataset, Dataset};
use crate::error::MlError;
use crate::evaluation::{Classifier, Regressor, evaluate_classification, evaluate_regression};
use crate::options::{check_count, check_option};
use crate::splitting::{CrossValidation, Fold, Rows, Train, Valid};

/// The streams of random numbers that choose rows, apart from those of splits and searches: this
/// number in the upper half, that of the fold in the lower.
const STREAM: u64 = 0x6c65_6172;

/// Which parts of the rows are trained on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LearningSizes {
    /// Shares of the rows of a fold that are there to train on, above 0 and at most 1; by default 0.1,
    /// 0.325, 0.55, 0.775 and 1.
    pub fractions: Vec<f64>,
    /// Shuffles the rows of each fold before its first rows are taken; by default there is a seed, 0.
    /// Without one, rows that are sorted by class give parts that lack classes.
    pub seed: Option<u64>,
}

impl Default for LearningSizes {
    fn default() -> Self {
        Self {
            fractions: vec![0.1, 0.325, 0.55, 0.775, 1.0],
            seed: Some(0),
        }
    }
}

/// Scores by the number of rows to train on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LearningCurve<S> {
    /// A step for each number of rows, from few to many.
    pub steps: Vec<LearningStep>,
    /// What the scores are.
    pub scoring: S,
}

/// Scores with one number of rows to train on.
///
/// # Shapes
/// train_scores `[n_folds]`, valid_scores `[n_folds]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LearningStep {
    /// Rows that were trained on.
    pub n_rows: usize,
    /// The score on these rows, for each fold.
    pub train_scores: Vec<f64>,
    /// The score on the rows that the fold holds out.
    pub valid_scores: Vec<f64>,
}

impl<S> LearningCurve<S> {
    /// For each number of rows the mean score on the rows trained on, and its standard deviation over
    /// the folds (with `n`).
    pub fn train(&self) -> Vec<(usize, f64, f64)> {
        self.side(|step| &step.train_scores)
    }

    /// The same of the rows held out.
    pub fn valid(&self) -> Vec<(usize, f64, f64)> {
        self.side(|step| &step.valid_scores)
    }

    fn side(&self, of: fn(&LearningStep) -> &[f64]) -> Vec<(usize, f64, f64)> {
        let steps = self.steps.iter();
        steps
            .map(|step| {
                let scores = of(step);
                let n = scores.len() as f64;
                let mean = scores.iter().sum::<f64>() / n;
                let squares = scores.iter().map(|score| (score - mean).powi(2));
                (step.n_rows, mean, (squares.sum::<f64>() / n).sqrt())
            })
            .collect()
    }
}

/// Fits a regressor to more and more rows of each fold of a cross-validation, and scores it on these
/// rows and on the rows held out.
///
/// A share of the rows is that of the fold that trains on fewest, rounded down; shares that come to the
/// same number of rows are one step. Each step of a fold has the rows of the step before. The same seed
/// gives the same rows, whatever the number of threads.
///
/// # Shapes
/// returns: a step for each number of rows, `[n_folds]` scores in each
///
/// # Errors
/// [`MlError::InvalidOption`] for no shares, and for one that is not above 0 and at most 1, or that is
/// less than a row; those of the split, the fit and the evaluation.
///
/// # Source
/// `sklearn.model_selection.learning_curve`; with a seed, other rows than scikit-learn would choose by
/// it
///
/// # Examples
/// ```
/// use orch_ml::ndarray::{Array1, Array2};
/// use orch_ml::{
///     CrossValidation, Dataset, LearningSizes, RegressionScoring, Train, fit_linear,
///     regression_learning_curve,
/// };
///
/// let records = Array2::from_shape_fn((20, 1), |(row_idx, _)| row_idx as f64);
/// let targets: Array1<f64> = records.column(0).mapv(|x| 3.0 * x + 1.0);
/// let train = Train::all(Dataset::new(records, targets, ["x"], "y")?);
/// let folds = CrossValidation::KFold { n_splits: 5, seed: Some(1) };
/// let sizes = LearningSizes { fractions: vec![0.25, 1.0], seed: Some(1) };
/// let scoring = RegressionScoring::Mae;
/// let curve = regression_learning_curve(&train, &sizes, &folds, scoring, |train| fit_linear(train))?;
/// let n_rows: Vec<usize> = curve.steps.iter().map(|step| step.n_rows).collect();
/// assert_eq!(n_rows, [4, 16]);
/// assert!(curve.valid().iter().all(|(_, mae, _)| *mae < 1e-9));
/// # Ok::<(), orch_ml::MlError>(())
/// ```
pub fn regression_learning_curve<M: Regressor>(
    train: &Train<Dataset>,
    sizes: &LearningSizes,
    validation: &CrossValidation,
    scoring: RegressionScoring,
    fit: impl Fn(&Train<Dataset>) -> Result<M, MlError> + Sync,
) -> Result<LearningCurve<RegressionScoring>, MlError> {
    let steps = over_steps(train, sizes, validation, |part, held_out| {
        let model = fit(part)?;
        // Of the rows trained on the score is wanted for once, hence without their mark.
        let of_train = evaluate_regression(&model, &**part)?;
        let of_valid = evaluate_regression(&model, held_out)?;
        Ok([of_train, of_valid].map(|metrics| scoring.of(&metrics)))
    })?;
    Ok(LearningCurve { steps, scoring })
}

/// As [`regression_learning_curve`], for classes.
///
/// # Errors
/// As [`regression_learning_curve`]; most fits refuse a part whose rows are all of one class.
pub fn classification_learning_curve<M: Classifier>(
    train: &Train<ClassificationDataset>,
    sizes: &LearningSizes,
    validation: &CrossValidation,
    scoring: ClassificationScoring,
    fit: impl Fn(&Train<ClassificationDataset>) -> Result<M, MlError> + Sync,
) -> Result<LearningCurve<ClassificationScoring>, MlError> {
    let steps = over_steps(train, sizes, validation, |part, held_out| {
        let model = fit(part)?;
        let of_train = evaluate_classification(&model, &**part)?;
        let of_valid = evaluate_classification(&model, held_out)?;
        Ok([of_train, of_valid].map(|metrics| scoring.of(&metrics)))
    })?;
    Ok(LearningCurve { steps, scoring })
}

fn over_steps<D: Rows + Sync>(
    train: &Train<D>,
    sizes: &LearningSizes,
    validation: &CrossValidation,
    score: impl Fn(&Train<D>, &Valid<D>) -> Result<[f64; 2], MlError> + Sync,
) -> Result<Vec<LearningStep>, MlError> {
    let mut folds = validation.folds(&**train)?;
    if let Some(seed) = sizes.seed {
        for (index, fold) in folds.iter_mut().enumerate() {
            Rng::new(seed, STREAM << 32 | index as u64).shuffle(&mut fold.train);
        }
    }
    let fewest = folds.iter().map(|fold| fold.train.len()).min().unwrap_or(0);
    let n_rows = numbers_of_rows(&sizes.fractions, fewest)?;
    let n_folds = folds.len();
    let scores: Vec<Result<[f64; 2], MlError>> = (0..n_rows.len() * n_folds)
        .into_par_iter()
        .map(|i| {
            let (index, fold) = (i % n_folds, &folds[i % n_folds]);
            let part = Fold {
                train: fold.train[..n_rows[i / n_folds]].to_vec(),
                test: fold.test.clone(),
            };
            let (part, held_out) = validation.fold(train, index, &part)?;
            score(&part, &held_out)
        })
        .collect();
    // Gathered one after the other, so that the first error is the same each time.
    let scores = scores
        .into_iter()
        .collect::<Result<Vec<[f64; 2]>, MlError>>()?;
    let steps = n_rows.iter().zip(scores.chunks(n_folds));
    Ok(steps
        .map(|(n_rows, scores)| LearningStep {
            n_rows: *n_rows,
            train_scores: scores.iter().map(|[of_train, _]| *of_train).collect(),
            valid_scores: scores.iter().map(|[_, of_valid]| *of_valid).collect(),
        })
        .collect())
}

/// The numbers of rows that shares come to, from few to many.
fn numbers_of_rows(fractions: &[f64], n_rows: usize) -> Result<Vec<usize>, MlError> {
    check_count("number of fractions", fractions.len())?;
    let mut numbers = Vec::with_capacity(fractions.len());
    for fraction in fractions {
        // Written so that NaN fails too.
        let is_share = *fraction > 0.0 && *fraction <= 1.0;
        check_option(
            is_share,
            "fractions",
            fraction,
            "shares above 0 and at most 1",
        )?;
        let number = (fraction * n_rows as f64) as usize;
        check_option(
            number > 0,
            "fractions",
            fraction,
            "shares of at least one row",
        )?;
        numbers.push(number);
    }
    numbers.sort_unstable();
    numbers.dedup();
    Ok(numbers)
}

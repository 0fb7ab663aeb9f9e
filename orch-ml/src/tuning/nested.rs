//! Searches within cross-validation, to see how good a search and what it finds are.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::scoring::{classification_score, regression_score};
use super::trial::{columns_of, distinct_names};
use super::{
    ClassificationScoring, RegressionScoring, Scoring, SearchReport, Trial,
    cross_validate_classifier, cross_validate_regressor,
};
use crate::dataset::{ClassificationDataset, Dataset};
use crate::error::MlError;
use crate::evaluation::{Classifier, Regressor};
use crate::splitting::{CrossValidation, Rows, Train, Valid};
use crate::table::Table;

/// What a search found without the rows of an outer fold, and how good that is on these.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OuterFold<O> {
    /// The options that the search chose, with their scores on the inner folds.
    pub chosen: Trial<O>,
    /// The score, on the rows that the search did not have, of a model with these options that was
    /// fitted to all rows that it had.
    pub score: f64,
    /// Number of rows that the search had.
    pub n_train: usize,
    /// Number of rows that it did not have.
    pub n_held_out: usize,
}

/// How good what a search finds is, on rows that it did not have.
///
/// The scores of a [`SearchReport`] flatter: the best of many is best by luck, too. These do not,
/// as no row has a part in both choosing and judging.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NestedReport<O, S> {
    folds: Vec<OuterFold<O>>,
    scoring: S,
}

impl<O, S: Scoring> NestedReport<O, S> {
    /// Puts the outer folds together.
    ///
    /// # Errors
    /// [`MlError::NoTrials`] for none.
    pub fn new(folds: Vec<OuterFold<O>>, scoring: S) -> Result<Self, MlError> {
        if folds.is_empty() {
            return Err(MlError::NoTrials);
        }
        Ok(Self { folds, scoring })
    }

    /// The outer folds, in their order.
    pub fn folds(&self) -> &[OuterFold<O>] {
        &self.folds
    }

    /// What models are compared by.
    pub fn scoring(&self) -> S {
        self.scoring
    }

    /// The score of each outer fold.
    pub fn scores(&self) -> Vec<f64> {
        self.folds.iter().map(|fold| fold.score).collect()
    }

    /// The mean of the outer scores.
    pub fn mean(&self) -> f64 {
        self.scores().iter().sum::<f64>() / self.folds.len() as f64
    }

    /// The standard deviation of the outer scores, with `n`, as [`Trial::std`].
    pub fn std(&self) -> f64 {
        let mean = self.mean();
        let squares = self.folds.iter().map(|fold| (fold.score - mean).powi(2));
        (squares.sum::<f64>() / self.folds.len() as f64).sqrt()
    }
}

impl<O: Serialize, S: Scoring> NestedReport<O, S> {
    /// A row for each outer fold: its position, the options chosen that are not the same in all, their
    /// mean score on the inner folds, the score on the rows held out, and the numbers of rows.
    pub fn to_table(&self) -> Table {
        let numbers: Vec<i64> = (0..self.folds.len() as i64).collect();
        let mut columns = vec![("fold".to_owned(), numbers.into())];
        columns.extend(columns_of(
            self.folds.iter().map(|fold| &fold.chosen.options),
        ));
        let inner: Vec<f64> = self.folds.iter().map(|fold| fold.chosen.mean()).collect();
        columns.push((format!("inner_{}_mean", self.scoring), inner.into()));
        columns.push((self.scoring.to_string(), self.scores().into()));
        let count = |of: &dyn Fn(&OuterFold<O>) -> usize| -> Vec<i64> {
            self.folds.iter().map(|fold| of(fold) as i64).collect()
        };
        columns.push(("n_train".to_owned(), count(&|fold| fold.n_train).into()));
        columns.push((
            "n_held_out".to_owned(),
            count(&|fold| fold.n_held_out).into(),
        ));
        Table::new(distinct_names(columns))
            .expect("the names are distinct and the columns equally long")
    }
}

impl<O: Serialize, S: Scoring> fmt::Display for NestedReport<O, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.to_table())?;
        let (mean, std) = (self.mean(), self.std());
        write!(f, "{}: {mean:.6}, give or take {std:.6}", self.scoring)
    }
}

/// Tries candidates, each by cross-validation.
///
/// # Errors
/// [`MlError::NoTrials`]; those of [`cross_validate_classifier`].
///
/// # Examples
/// ```
/// use orch_ml::{
///     ClassificationDataset, ClassificationScoring, CrossValidation, Records, Space, Train, TreeOptions,
///     fit_tree_classifier, ndarray::Array2, search_classifier,
/// };
///
/// let sizes = Records::new(Array2::from_shape_fn((30, 1), |(row, _)| row as f64), ["size"])?;
/// let labels = (0..30).map(|row| if (10..20).contains(&row) { "flat" } else { "house" });
/// let train = Train::all(ClassificationDataset::new(sizes, labels, "kind")?);
/// let candidates = Space::new().values("max_depth", [1, 2]).grid(&TreeOptions::default())?;
/// let folds = CrossValidation::Stratified { n_splits: 5, seed: Some(0) };
/// let scoring = ClassificationScoring::Accuracy;
/// let report = search_classifier(&train, candidates, &folds, scoring, fit_tree_classifier)?;
/// assert_eq!(report.best().options.max_depth, Some(2));
/// # Ok::<(), orch_ml::MlError>(())
/// ```
pub fn search_classifier<O: Sync, M: Classifier>(
    train: &Train<ClassificationDataset>,
    candidates: Vec<O>,
    validation: &CrossValidation,
    scoring: ClassificationScoring,
    fit: impl Fn(&Train<ClassificationDataset>, &O) -> Result<M, MlError> + Sync,
) -> Result<SearchReport<O, ClassificationScoring>, MlError> {
    let tried = candidates.into_iter().map(|options| {
        let fit = |train: &Train<_>| fit(train, &options);
        let scores = cross_validate_classifier(train, validation, scoring, fit)?;
        Ok(Trial { options, scores })
    });
    SearchReport::new(tried.collect::<Result<_, MlError>>()?, scoring)
}

/// As [`search_classifier`], for numbers.
///
/// # Errors
/// [`MlError::NoTrials`]; those of [`cross_validate_regressor`].
pub fn search_regressor<O: Sync, M: Regressor>(
    train: &Train<Dataset>,
    candidates: Vec<O>,
    validation: &CrossValidation,
    scoring: RegressionScoring,
    fit: impl Fn(&Train<Dataset>, &O) -> Result<M, MlError> + Sync,
) -> Result<SearchReport<O, RegressionScoring>, MlError> {
    let tried = candidates.into_iter().map(|options| {
        let fit = |train: &Train<_>| fit(train, &options);
        let scores = cross_validate_regressor(train, validation, scoring, fit)?;
        Ok(Trial { options, scores })
    });
    SearchReport::new(tried.collect::<Result<_, MlError>>()?, scoring)
}

/// Nested cross-validation: runs a search without each outer fold, fits what it finds best to the rows
/// that it had, and scores that on the fold. The search gets no row of the fold.
///
/// `search` may be any, such as [`search_classifier`] or rounds of
/// [`Halving`](crate::Halving).
///
/// # Errors
/// Those of the outer folds, the searches, the fits and the evaluation.
///
/// # Source
/// Stone, Cross-validatory Choice and Assessment of Statistical Predictions, 1974;
/// `cross_val_score(GridSearchCV(..))` of scikit-learn.
pub fn nested_cross_validate_classifier<O: Clone, M: Classifier>(
    train: &Train<ClassificationDataset>,
    outer: &CrossValidation,
    scoring: ClassificationScoring,
    search: impl Fn(
        &Train<ClassificationDataset>,
    ) -> Result<SearchReport<O, ClassificationScoring>, MlError>,
    fit: impl Fn(&Train<ClassificationDataset>, &O) -> Result<M, MlError>,
) -> Result<NestedReport<O, ClassificationScoring>, MlError> {
    let folds = over_outer_folds(train, outer, |train, valid| {
        judge_classifier(train, valid, &search(train)?, &fit)
    });
    NestedReport::new(folds?, scoring)
}

/// As [`nested_cross_validate_classifier`], for numbers.
///
/// # Errors
/// As [`nested_cross_validate_classifier`].
pub fn nested_cross_validate_regressor<O: Clone, M: Regressor>(
    train: &Train<Dataset>,
    outer: &CrossValidation,
    scoring: RegressionScoring,
    search: impl Fn(&Train<Dataset>) -> Result<SearchReport<O, RegressionScoring>, MlError>,
    fit: impl Fn(&Train<Dataset>, &O) -> Result<M, MlError>,
) -> Result<NestedReport<O, RegressionScoring>, MlError> {
    let folds = over_outer_folds(train, outer, |train, valid| {
        judge_regressor(train, valid, &search(train)?, &fit)
    });
    NestedReport::new(folds?, scoring)
}

fn over_outer_folds<D: Rows, O>(
    train: &Train<D>,
    outer: &CrossValidation,
    judge: impl Fn(&Train<D>, &Valid<D>) -> Result<OuterFold<O>, MlError>,
) -> Result<Vec<OuterFold<O>>, MlError> {
    let folds = outer.folds(&**train)?;
    let judged = folds.iter().enumerate().map(|(index, fold)| {
        let (train, valid) = outer.fold(train, index, fold)?;
        judge(&train, &valid)
    });
    judged.collect()
}

/// Scores what a search chose on rows that it did not have.
fn judge<D: Rows, O: Clone, S: Scoring>(
    train: &Train<D>,
    valid: &Valid<D>,
    search: &SearchReport<O, S>,
    score: impl Fn(&Train<D>, &Valid<D>, &O) -> Result<f64, MlError>,
) -> Result<OuterFold<O>, MlError> {
    let chosen = search.best().clone();
    Ok(OuterFold {
        score: score(train, valid, &chosen.options)?,
        chosen,
        n_train: train.n_rows(),
        n_held_out: valid.n_rows(),
    })
}

/// One outer fold of [`nested_cross_validate_classifier`], once the search is done.
///
/// # Errors
/// Those of the fit and the evaluation.
pub fn judge_classifier<O: Clone, M: Classifier>(
    train: &Train<ClassificationDataset>,
    valid: &Valid<ClassificationDataset>,
    search: &SearchReport<O, ClassificationScoring>,
    fit: impl Fn(&Train<ClassificationDataset>, &O) -> Result<M, MlError>,
) -> Result<OuterFold<O>, MlError> {
    judge(train, valid, search, |train, valid, options| {
        classification_score(&fit(train, options)?, valid, search.scoring())
    })
}

/// One outer fold of [`nested_cross_validate_regressor`], once the search is done.
///
/// # Errors
/// Those of the fit and the evaluation.
pub fn judge_regressor<O: Clone, M: Regressor>(
    train: &Train<Dataset>,
    valid: &Valid<Dataset>,
    search: &SearchReport<O, RegressionScoring>,
    fit: impl Fn(&Train<Dataset>, &O) -> Result<M, MlError>,
) -> Result<OuterFold<O>, MlError> {
    judge(train, valid, search, |train, valid, options| {
        regression_score(&fit(train, options)?, valid, search.scoring())
    })
}

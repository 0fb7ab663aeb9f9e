//! Nested searches for the options of forests: a task run for each trial of each outer fold.

use orch_core::{TaskRun, task};

use super::search::{search_forest_classifier, search_forest_regressor};
use super::{ForestClassifierSearch, ForestRegressorSearch};
use crate::{
    ClassificationDataset, ClassificationScoring, CrossValidation, Dataset, ForestOptions, MlError,
    NestedReport, OuterFold, RegressionScoring, Train, Valid,
};

/// How good what searches for the options of a classifying forest find is.
pub type NestedForestClassifierSearch = NestedReport<ForestOptions, ClassificationScoring>;

/// How good what searches for the options of a regressing forest find is.
pub type NestedForestRegressorSearch = NestedReport<ForestOptions, RegressionScoring>;

/// One fold of rows to train on: [`CrossValidation::fold`].
#[task(cache)]
pub fn take_fold_of_classes(
    train: &Train<ClassificationDataset>,
    validation: CrossValidation,
    index: usize,
) -> Result<(Train<ClassificationDataset>, Valid<ClassificationDataset>), MlError> {
    validation.fold(train, index, &fold(validation.folds(&**train)?, index)?)
}

/// One fold of rows to train on: [`CrossValidation::fold`].
#[task(cache)]
pub fn take_fold(
    train: &Train<Dataset>,
    validation: CrossValidation,
    index: usize,
) -> Result<(Train<Dataset>, Valid<Dataset>), MlError> {
    validation.fold(train, index, &fold(validation.folds(&**train)?, index)?)
}

fn fold(mut folds: Vec<crate::Fold>, index: usize) -> Result<crate::Fold, MlError> {
    if index >= folds.len() {
        return Err(MlError::InvalidOption {
            name: "index",
            value: index.to_string(),
            expected: "below the number of folds",
        });
    }
    Ok(folds.swap_remove(index))
}

/// Scores what a search found on the fold that it did not have:
/// [`judge_classifier`](crate::judge_classifier).
#[task(cache)]
pub fn judge_forest_classifier(
    train: &Train<ClassificationDataset>,
    valid: &Valid<ClassificationDataset>,
    search: &ForestClassifierSearch,
) -> Result<OuterFold<ForestOptions>, MlError> {
    crate::judge_classifier(train, valid, search, crate::fit_forest_classifier)
}

/// Scores what a search found on the fold that it did not have:
/// [`judge_regressor`](crate::judge_regressor).
#[task(cache)]
pub fn judge_forest_regressor(
    train: &Train<Dataset>,
    valid: &Valid<Dataset>,
    search: &ForestRegressorSearch,
) -> Result<OuterFold<ForestOptions>, MlError> {
    crate::judge_regressor(train, valid, search, crate::fit_forest_regressor)
}

/// Puts the outer folds together: [`NestedReport::new`].
#[task(cache)]
pub fn gather_forest_classifiers(
    folds: Vec<OuterFold<ForestOptions>>,
    scoring: ClassificationScoring,
) -> Result<NestedForestClassifierSearch, MlError> {
    NestedReport::new(folds, scoring)
}

/// Puts the outer folds together: [`NestedReport::new`].
#[task(cache)]
pub fn gather_forest_regressors(
    folds: Vec<OuterFold<ForestOptions>>,
    scoring: RegressionScoring,
) -> Result<NestedForestRegressorSearch, MlError> {
    NestedReport::new(folds, scoring)
}

macro_rules! nested_search {
    (
        $(#[$doc:meta])*
        $name:ident($data:ty, $scoring:ty) -> $report:ty,
        $take_fold:ident, $search:ident, $judge:ident, $gather:ident
    ) => {
        $(#[$doc])*
        pub fn $name(
            train: &TaskRun<Train<$data>>,
            candidates: Vec<ForestOptions>,
            outer: CrossValidation,
            inner: CrossValidation,
            scoring: $scoring,
        ) -> Result<TaskRun<$report>, MlError> {
            let Some(n_folds) = outer.n_splits() else {
                return Err(MlError::InvalidOption {
                    name: "outer",
                    value: format!("{outer:?}"),
                    expected: "folds whose number does not depend on the rows",
                });
            };
            let judged = (0..n_folds).map(|index| {
                let (train, valid) = $take_fold(train, outer.clone(), index).unzip();
                let search = $search(&train, candidates.clone(), inner.clone(), scoring);
                $judge(&train, &valid, &search)
            });
            Ok($gather(judged.collect::<Vec<_>>(), scoring))
        }
    };
}

nested_search! {
    /// Nested cross-validation of a search for the options of a classifying forest: see
    /// [`nested_cross_validate_classifier`](crate::nested_cross_validate_classifier). Each trial is a
    /// task run of its own: in parallel, found in the cache, handed back if the flow run is resumed.
    ///
    /// # Errors
    /// [`MlError::InvalidOption`] for outer folds whose number is not known before the rows are.
    nested_search_forest_classifier(ClassificationDataset, ClassificationScoring)
        -> NestedForestClassifierSearch,
    take_fold_of_classes, search_forest_classifier, judge_forest_classifier, gather_forest_classifiers
}

nested_search! {
    /// As [`nested_search_forest_classifier`], for numbers.
    ///
    /// # Errors
    /// As [`nested_search_forest_classifier`].
    nested_search_forest_regressor(Dataset, RegressionScoring) -> NestedForestRegressorSearch,
    take_fold, search_forest_regressor, judge_forest_regressor, gather_forest_regressors
}

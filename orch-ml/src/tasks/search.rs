//! Searches for the options of forests, a task run for each trial.

use orch_core::{TaskRun, map, task};

use crate::tracking::{log_search, log_trial, note};

use crate::{
    ClassificationDataset, ClassificationScoring, CrossValidation, Dataset, ForestClassifier,
    ForestOptions, ForestRegressor, MlError, RegressionScoring, SearchReport, Train, Trial,
};

/// What a search for the options of a classifying forest comes to.
pub type ForestClassifierSearch = SearchReport<ForestOptions, ClassificationScoring>;

/// What a search for the options of a regressing forest comes to.
pub type ForestRegressorSearch = SearchReport<ForestOptions, RegressionScoring>;

/// Scores one candidate: [`cross_validate_classifier`](crate::cross_validate_classifier).
#[task(cache)]
pub fn try_forest_classifier(
    train: &Train<ClassificationDataset>,
    options: ForestOptions,
    validation: CrossValidation,
    scoring: ClassificationScoring,
) -> Result<Trial<ForestOptions>, MlError> {
    let fit = |train: &Train<_>| crate::fit_forest_classifier(train, &options);
    let scores = crate::cross_validate_classifier(train, &validation, scoring, fit)?;
    let trial = Trial { options, scores };
    note(|log| log_trial(log, &trial, scoring));
    Ok(trial)
}

/// Scores one candidate: [`cross_validate_regressor`](crate::cross_validate_regressor).
#[task(cache)]
pub fn try_forest_regressor(
    train: &Train<Dataset>,
    options: ForestOptions,
    validation: CrossValidation,
    scoring: RegressionScoring,
) -> Result<Trial<ForestOptions>, MlError> {
    let fit = |train: &Train<_>| crate::fit_forest_regressor(train, &options);
    let scores = crate::cross_validate_regressor(train, &validation, scoring, fit)?;
    let trial = Trial { options, scores };
    note(|log| log_trial(log, &trial, scoring));
    Ok(trial)
}

/// Puts the trials of a search in order: [`SearchReport::new`].
#[task(cache)]
pub fn rank_forest_classifiers(
    trials: Vec<Trial<ForestOptions>>,
    scoring: ClassificationScoring,
) -> Result<ForestClassifierSearch, MlError> {
    let search = SearchReport::new(trials, scoring)?;
    note(|log| log_search(log, &search));
    Ok(search)
}

/// Puts the trials of a search in order: [`SearchReport::new`].
#[task(cache)]
pub fn rank_forest_regressors(
    trials: Vec<Trial<ForestOptions>>,
    scoring: RegressionScoring,
) -> Result<ForestRegressorSearch, MlError> {
    let search = SearchReport::new(trials, scoring)?;
    note(|log| log_search(log, &search));
    Ok(search)
}

/// Fits a forest with the best options of a search to all rows that the trials had.
#[task(cache)]
pub fn train_best_forest_classifier(
    train: &Train<ClassificationDataset>,
    search: &ForestClassifierSearch,
) -> Result<ForestClassifier, MlError> {
    crate::fit_forest_classifier(train, &search.best().options)
}

/// Fits a forest with the best options of a search to all rows that the trials had.
#[task(cache)]
pub fn train_best_forest_regressor(
    train: &Train<Dataset>,
    search: &ForestRegressorSearch,
) -> Result<ForestRegressor, MlError> {
    crate::fit_forest_regressor(train, &search.best().options)
}

/// Tries candidates, each in a task run of its own: in parallel, found in the cache if it was tried
/// before, and handed back if the flow run is resumed.
pub fn search_forest_classifier(
    train: &TaskRun<Train<ClassificationDataset>>,
    candidates: Vec<ForestOptions>,
    validation: CrossValidation,
    scoring: ClassificationScoring,
) -> TaskRun<ForestClassifierSearch> {
    let train = train.clone();
    let trials = map(candidates, move |options| {
        try_forest_classifier(&train, options, validation.clone(), scoring)
    });
    rank_forest_classifiers(trials.name("trials").collect(), scoring)
}

/// As [`search_forest_classifier`], for numbers.
pub fn search_forest_regressor(
    train: &TaskRun<Train<Dataset>>,
    candidates: Vec<ForestOptions>,
    validation: CrossValidation,
    scoring: RegressionScoring,
) -> TaskRun<ForestRegressorSearch> {
    let train = train.clone();
    let trials = map(candidates, move |options| {
        try_forest_regressor(&train, options, validation.clone(), scoring)
    });
    rank_forest_regressors(trials.name("trials").collect(), scoring)
}

//! Tasks for boosted trees.

use orch_core::task;

use crate::{
    BoostedClassifier, BoostedRegressor, BoostingOptions, ClassificationDataset, Dataset, MlError,
    Train,
};

/// Fits boosted trees that predict numbers: [`fit_boosted_regressor`](crate::fit_boosted_regressor).
#[task(cache)]
pub fn train_boosted_regressor(
    train: &Train<Dataset>,
    options: BoostingOptions,
) -> Result<BoostedRegressor, MlError> {
    crate::fit_boosted_regressor(train, &options)
}

/// Fits boosted trees that predict classes:
/// [`fit_boosted_classifier`](crate::fit_boosted_classifier).
#[task(cache)]
pub fn train_boosted_classifier(
    train: &Train<ClassificationDataset>,
    options: BoostingOptions,
) -> Result<BoostedClassifier, MlError> {
    crate::fit_boosted_classifier(train, &options)
}

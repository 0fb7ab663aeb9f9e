//! Fits boosted trees: losses, and what the rounds start from.

use super::ensemble::Ensemble;
use super::rounds::{Grower, Slopes};
use super::{BoostedClassifier, BoostedRegressor, BoostingOptions, width_for};
use crate::dataset::{ClassificationDataset, Dataset};
use crate::error::MlError;
use crate::prediction::{sigmoid, soft_max};
use crate::weights::FitWeighted;

/// The least second derivative of a row, so that no leaf divides by 0.
const LEAST_SLOPE: f64 = 1e-16;

/// Fits boosted trees that predict classes: of two by the log-loss of the second, of more by the
/// log-loss of all, with a tree for each class in each round.
///
/// A feature may be NaN, which is a missing value: each split learns to which side such rows go,
/// and sends them right where it saw none. The same dataset, options and seed give the same model
/// on any number of threads.
///
/// # Shapes
/// records `[n_rows, n_features]`, at least one of each
///
/// # Errors
/// [`MlError::InvalidOption`], before the data is looked at; [`MlError::NoRows`],
/// [`MlError::NoFeatures`]; [`MlError::NotFinite`] with row and column of a feature that is
/// infinite; [`MlError::OneClass`].
///
/// # Source
/// Friedman, Greedy Function Approximation: A Gradient Boosting Machine, 2001; trees of forust-ml
/// 0.8, which finds splits by second-order gains as XGBoost (Chen and Guestrin, 2016) among bins of
/// about equally many rows. Thresholds are moved halfway to the next value of the feature.
///
/// # Examples
/// ```
/// use orch_ml::{BoostingOptions, ClassificationDataset, Records, fit_boosted_classifier, ndarray::array};
///
/// let records = Records::new(array![[30.0], [40.0], [120.0], [f64::NAN]], ["size"])?;
/// let dataset = ClassificationDataset::new(records, ["flat", "flat", "house", "house"], "kind")?;
/// let options = BoostingOptions { min_leaf_weight: Some(0.1), ..BoostingOptions::default() };
/// let model = fit_boosted_classifier(&dataset, &options)?;
/// let houses = model.predict_probabilities(dataset.records())?.column(1).to_vec();
/// assert!(houses[0] < 0.01 && houses[2] > 0.99 && houses[3] > 0.99);
/// # Ok::<(), orch_ml::MlError>(())
/// ```
pub fn fit_boosted_classifier(
    train: &impl FitWeighted<ClassificationDataset>,
    options: &BoostingOptions,
) -> Result<BoostedClassifier, MlError> {
    options.check()?;
    let dataset = train.data();
    dataset.check_for_fit_with_gaps()?;
    let (classes, targets) = dataset.several_classes()?;
    let width = width_for(classes.len());
    let n_rows = dataset.n_rows();
    let weights = options.class_weights.of_rows(dataset, train.weights())?;
    let weights = weights.unwrap_or_else(|| vec![1.0; n_rows]);

    let total: f64 = weights.iter().sum();
    let mut shares = vec![0.0; classes.len()];
    for (code, weight) in targets.iter().zip(&weights) {
        shares[*code as usize] += weight / total;
    }
    let baselines = match &*shares {
        [first, second] => vec![(second / first).ln()],
        shares => shares.iter().map(|share| share.ln()).collect(),
    };
    let is_of = |score: usize, code: u32| code as usize == if width == 1 { 1 } else { score };

    let min_leaf_weight = options.min_leaf_weight.unwrap_or(1.0);
    let mut grower = Grower::new(dataset.records(), options, min_leaf_weight)?;
    // The scores of all rows, one after the other.
    let mut scores: Vec<Vec<f64>> = baselines.iter().map(|at| vec![*at; n_rows]).collect();
    let mut trees = Vec::with_capacity(options.n_rounds * width);
    let mut row = vec![0.0; width];
    for _ in 0..options.n_rounds {
        let mut slopes: Vec<Slopes> = (0..width).map(|_| Slopes::none(n_rows)).collect();
        for (row_idx, (code, weight)) in targets.iter().zip(&weights).enumerate() {
            for (probability, scores) in row.iter_mut().zip(&scores) {
                *probability = scores[row_idx];
            }
            match &mut *row {
                [score] => *score = sigmoid(*score),
                scores => soft_max(scores),
            }
            for (score, (probability, slopes)) in row.iter().zip(&mut slopes).enumerate() {
                let target = if is_of(score, *code) { 1.0 } else { 0.0 };
                let second = (probability * (1.0 - probability)).max(LEAST_SLOPE);
                slopes.first[row_idx] = (weight * (probability - target)) as f32;
                slopes.second[row_idx] = (weight * second) as f32;
            }
        }
        for (slopes, scores) in slopes.iter().zip(&mut scores) {
            trees.push(grower.grow(slopes, 1.0, scores)?);
        }
    }
    let ensemble = Ensemble {
        feature_names: dataset.feature_names().to_vec(),
        target_name: dataset.target_name().to_owned(),
        baselines,
        trees,
        importances: grower.importances(),
    };
    Ok(BoostedClassifier {
        ensemble,
        classes,
        trained_on: train.origin().cloned(),
    })
}

/// Fits boosted trees that predict numbers, by the squared error.
///
/// As [`fit_boosted_classifier`]. Trees are grown in single precision, to targets less their mean and
/// divided by their deviation; predictions are sums in double precision.
///
/// # Errors
/// As [`fit_boosted_classifier`]; [`MlError::NotFinite`] also for a target, NaN included;
/// [`MlError::FitOverflow`] if squares of the targets overflow.
///
/// # Source
/// As [`fit_boosted_classifier`].
pub fn fit_boosted_regressor(
    train: &impl FitWeighted<Dataset>,
    options: &BoostingOptions,
) -> Result<BoostedRegressor, MlError> {
    options.check()?;
    options.class_weights.check_equal()?;
    let dataset = train.data();
    dataset.check_for_fit_with_gaps()?;
    let (n_rows, targets) = (dataset.n_rows(), dataset.targets());
    let weights = train
        .weights()
        .map_or_else(|| vec![1.0; n_rows], <[f64]>::to_vec);
    let total: f64 = weights.iter().sum();
    let sum = |of: &dyn Fn(f64) -> f64| -> f64 {
        let rows = targets.iter().zip(&weights);
        rows.map(|(target, weight)| weight * of(*target)).sum()
    };
    let mean = sum(&|target| target) / total;
    let deviation = (sum(&|target| (target - mean).powi(2)) / total).sqrt();
    if !mean.is_finite() || !deviation.is_finite() {
        return Err(MlError::FitOverflow);
    }
    let unit = if deviation > 0.0 { deviation } else { 1.0 };

    let min_leaf_weight = options.min_leaf_weight.unwrap_or(20.0);
    let mut grower = Grower::new(dataset.records(), options, min_leaf_weight)?;
    let mut predictions = vec![mean; n_rows];
    let mut trees = Vec::with_capacity(options.n_rounds);
    let mut slopes = Slopes::none(n_rows);
    slopes.second = weights.iter().map(|weight| *weight as f32).collect();
    for _ in 0..options.n_rounds {
        let rows = predictions.iter().zip(targets).zip(&weights);
        for (first, ((prediction, target), weight)) in slopes.first.iter_mut().zip(rows) {
            *first = (weight * (prediction - target) / unit) as f32;
        }
        trees.push(grower.grow(&slopes, unit, &mut predictions)?);
    }
    let ensemble = Ensemble {
        feature_names: dataset.feature_names().to_vec(),
        target_name: dataset.target_name().to_owned(),
        baselines: vec![mean],
        trees,
        importances: grower.importances(),
    };
    Ok(BoostedRegressor {
        ensemble,
        trained_on: train.origin().cloned(),
    })
}

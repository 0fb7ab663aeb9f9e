//! Which classes are taken for which.

mod display;

use ndarray::Array2;
use serde::{Deserialize, Serialize};

use super::checks::{RowWeights, check_codes, check_length, check_pair, ratio};
use crate::dataset::ClassLabel;
use crate::error::MlError;

/// How the numbers of several classes become one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Average {
    /// The plain mean over the classes that occur: rare classes count as much as frequent ones.
    #[default]
    Macro,
    /// One number from the counts of all classes together. Of precision, recall and F-beta that is
    /// the accuracy.
    Micro,
    /// The mean over the classes that occur, each counting by its rows.
    Weighted,
}

/// What a disagreement costs in [`ConfusionMatrix::cohen_kappa`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum KappaWeights {
    /// Every disagreement costs the same.
    #[default]
    Unweighted,
    /// The number of classes in between, plus one: for classes in an order.
    Linear,
    /// The square of that.
    Quadratic,
}

/// How often each class was predicted for the rows of each class.
///
/// Means over classes are over those that occur, in a target or in a prediction, as in scikit-learn.
/// Shares of nothing are 0: the precision of a class that is never predicted, the recall of one
/// that no row has. `Display` prints a small table.
///
/// # Shapes
/// counts `[n_classes, n_classes]`, true classes in rows, predicted ones in columns
///
/// # Examples
/// ```
/// use orch_ml::{Average, ConfusionMatrix};
///
/// let classes = ["ham".into(), "spam".into()];
/// let matrix = ConfusionMatrix::new(&[0, 0, 0, 1, 1, 1, 1], &[0, 1, 1, 1, 1, 1, 0], &classes, None)?;
/// assert_eq!(matrix.precision_of(1), 0.6);
/// assert_eq!(matrix.recall_of(1), 0.75);
/// assert_eq!(matrix.precision(Average::Macro), (0.5 + 0.6) / 2.0);
/// # Ok::<(), orch_ml::MlError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "RawConfusionMatrix")]
pub struct ConfusionMatrix {
    classes: Vec<ClassLabel>,
    counts: Array2<f64>,
    /// Weights can make a count 0 of a class that is there.
    occurs: Vec<bool>,
}

#[derive(Deserialize)]
struct RawConfusionMatrix {
    classes: Vec<ClassLabel>,
    counts: Array2<f64>,
    occurs: Vec<bool>,
}

impl TryFrom<RawConfusionMatrix> for ConfusionMatrix {
    type Error = MlError;

    fn try_from(raw: RawConfusionMatrix) -> Result<Self, MlError> {
        let n_classes = raw.classes.len();
        check_length(
            "the rows of the confusion matrix",
            n_classes,
            raw.counts.nrows(),
        )?;
        check_length(
            "the columns of the confusion matrix",
            n_classes,
            raw.counts.ncols(),
        )?;
        check_length(
            "the list of classes that occur",
            n_classes,
            raw.occurs.len(),
        )?;
        Ok(Self {
            classes: raw.classes,
            counts: raw.counts,
            occurs: raw.occurs,
        })
    }
}

impl ConfusionMatrix {
    /// Counts rows, or adds up their weights.
    ///
    /// # Shapes
    /// targets `[n_rows]`, predictions `[n_rows]`, both positions in classes `[n_classes]`
    ///
    /// # Errors
    /// [`MlError::LengthMismatch`] and [`MlError::NoRows`]; [`MlError::CodeOutOfRange`] for a code
    /// without a class; [`MlError::NotFinite`], and [`MlError::InvalidOption`] for a weight below 0
    /// or only zeros.
    ///
    /// # Source
    /// `sklearn.metrics.confusion_matrix` with `labels`
    pub fn new(
        targets: &[u32],
        predictions: &[u32],
        classes: &[ClassLabel],
        weights: Option<&[f64]>,
    ) -> Result<Self, MlError> {
        check_pair(targets.len(), predictions.len())?;
        check_codes(targets, classes.len())?;
        check_codes(predictions, classes.len())?;
        let weights = RowWeights::new(weights, targets.len())?;
        let mut counts = Array2::zeros((classes.len(), classes.len()));
        let mut occurs = vec![false; classes.len()];
        for (row_idx, (target, guess)) in targets.iter().zip(predictions).enumerate() {
            let (target, guess) = (*target as usize, *guess as usize);
            counts[[target, guess]] += weights.of(row_idx);
            occurs[target] = true;
            occurs[guess] = true;
        }
        Ok(Self {
            classes: classes.to_vec(),
            counts,
            occurs,
        })
    }

    /// The classes, in the order of rows and columns.
    pub fn classes(&self) -> &[ClassLabel] {
        &self.classes
    }

    /// The number of rows, or their weight, by true class (first index) and predicted class.
    pub fn counts(&self) -> &Array2<f64> {
        &self.counts
    }

    /// The positions of the classes that a target or a prediction has.
    pub fn classes_that_occur(&self) -> impl Iterator<Item = usize> {
        (0..self.classes.len()).filter(|class| self.occurs[*class])
    }

    /// The number of rows of a class, or their weight.
    ///
    /// # Panics
    /// If there is no class at that position, as all functions that take one.
    pub fn n_true(&self, class: usize) -> f64 {
        self.counts.row(class).sum()
    }

    /// The number of rows that were predicted to be of a class, or their weight.
    pub fn n_predicted(&self, class: usize) -> f64 {
        self.counts.column(class).sum()
    }

    fn n_right(&self, class: usize) -> f64 {
        self.counts[[class, class]]
    }

    /// The share of the rows predicted to be of a class that are; 0 if none was predicted.
    pub fn precision_of(&self, class: usize) -> f64 {
        ratio(self.n_right(class), self.n_predicted(class))
    }

    /// The share of the rows of a class that were predicted to be; 0 if there is none.
    pub fn recall_of(&self, class: usize) -> f64 {
        ratio(self.n_right(class), self.n_true(class))
    }

    /// The harmonic mean of precision and recall; 0 if both are.
    pub fn f1_of(&self, class: usize) -> f64 {
        self.f_of(class, 1.0)
    }

    /// The weighted harmonic mean of precision and recall, recall counting `beta` times as much.
    ///
    /// # Errors
    /// [`MlError::InvalidOption`] for a `beta` below 0 or not finite.
    pub fn f_beta_of(&self, class: usize, beta: f64) -> Result<f64, MlError> {
        check_beta(beta)?;
        Ok(self.f_of(class, beta))
    }

    fn f_of(&self, class: usize, beta: f64) -> f64 {
        let square = beta * beta;
        let whole = square * self.n_true(class) + self.n_predicted(class);
        match beta {
            // The common formula would be 0 / 0 for a class that is never predicted.
            0.0 => self.precision_of(class),
            _ => ratio((1.0 + square) * self.n_right(class), whole),
        }
    }

    /// The precision of all classes.
    ///
    /// # Source
    /// `sklearn.metrics.precision_score` with `average` and its default `zero_division`, which is 0
    pub fn precision(&self, average: Average) -> f64 {
        self.averaged(average, |class| self.precision_of(class))
    }

    /// The recall of all classes.
    ///
    /// # Source
    /// `sklearn.metrics.recall_score`, as [`precision`](Self::precision)
    pub fn recall(&self, average: Average) -> f64 {
        self.averaged(average, |class| self.recall_of(class))
    }

    /// The F1 of all classes.
    ///
    /// # Source
    /// `sklearn.metrics.f1_score`, as [`precision`](Self::precision)
    pub fn f1(&self, average: Average) -> f64 {
        self.averaged(average, |class| self.f_of(class, 1.0))
    }

    /// The F-beta of all classes.
    ///
    /// # Errors
    /// As [`f_beta_of`](Self::f_beta_of).
    ///
    /// # Source
    /// `sklearn.metrics.fbeta_score`, as [`precision`](Self::precision)
    pub fn f_beta(&self, beta: f64, average: Average) -> Result<f64, MlError> {
        check_beta(beta)?;
        Ok(self.averaged(average, |class| self.f_of(class, beta)))
    }

    fn averaged(&self, average: Average, of: impl Fn(usize) -> f64) -> f64 {
        let (mut total, mut whole) = (0.0, 0.0);
        for class in self.classes_that_occur() {
            let weight = match average {
                Average::Macro => 1.0,
                Average::Weighted => self.n_true(class),
                // Each wrong row is missed by one class and wrongly claimed by another, so that
                // both shares, and with them every mean of the two, are the share of right rows.
                Average::Micro => return self.accuracy(),
            };
            total += weight * of(class);
            whole += weight;
        }
        total / whole
    }

    /// The share of rows whose class is right.
    ///
    /// # Source
    /// `sklearn.metrics.accuracy_score`
    pub fn accuracy(&self) -> f64 {
        self.counts.diag().sum() / self.counts.sum()
    }

    /// The mean recall of the classes that have rows.
    ///
    /// # Source
    /// `sklearn.metrics.balanced_accuracy_score`
    pub fn balanced_accuracy(&self) -> f64 {
        let with_rows = (0..self.classes.len()).filter(|class| self.n_true(*class) > 0.0);
        let (total, n_classes) = with_rows.fold((0.0, 0.0), |(total, n_classes), class| {
            (total + self.recall_of(class), n_classes + 1.0)
        });
        total / n_classes
    }

    /// The correlation of predicted and true class: 1 is best, 0 is as good as chance, -1 is always
    /// wrong with two classes. 0 if all targets or all predictions are one class.
    ///
    /// # Source
    /// `sklearn.metrics.matthews_corrcoef`, which is Gorodkin's (2004) for more than two classes
    pub fn matthews_correlation(&self) -> f64 {
        let all = self.counts.sum();
        let (mut covariance, mut of_guesses, mut of_targets) =
            (self.counts.diag().sum() * all, all * all, all * all);
        // One class that has everything is recognised as such, whatever rounding makes of it.
        let (mut one_guess, mut one_target) = (0, 0);
        for class in 0..self.classes.len() {
            let (n_true, n_predicted) = (self.n_true(class), self.n_predicted(class));
            covariance -= n_true * n_predicted;
            of_guesses -= n_predicted * n_predicted;
            of_targets -= n_true * n_true;
            one_guess += usize::from(n_predicted > 0.0);
            one_target += usize::from(n_true > 0.0);
        }
        if one_guess < 2 || one_target < 2 {
            return 0.0;
        }
        // The root of each, since the product of counts to the fourth power may overflow.
        ratio(covariance, of_guesses.sqrt() * of_targets.sqrt())
    }

    /// Agreement beyond chance: 1 is full, 0 is what chance gives. NaN if targets and predictions
    /// are all of one and the same class, where chance alone agrees fully.
    ///
    /// With weights, the distance of two classes is that of their positions, also over classes that
    /// do not occur.
    ///
    /// # Source
    /// `sklearn.metrics.cohen_kappa_score` with `labels`
    pub fn cohen_kappa(&self, weights: KappaWeights) -> f64 {
        let all = self.counts.sum();
        let n_classes = self.classes.len();
        let n_true: Vec<f64> = (0..n_classes).map(|class| self.n_true(class)).collect();
        let n_predicted: Vec<f64> = (0..n_classes)
            .map(|class| self.n_predicted(class))
            .collect();
        let (mut found, mut by_chance) = (0.0, 0.0);
        for ((target, guess), count) in self.counts.indexed_iter() {
            let distance = target.abs_diff(guess) as f64;
            let cost = match weights {
                KappaWeights::Unweighted => distance.min(1.0),
                KappaWeights::Linear => distance,
                KappaWeights::Quadratic => distance * distance,
            };
            found += cost * count;
            by_chance += cost * n_true[target] * n_predicted[guess] / all;
        }
        1.0 - found / by_chance
    }
}

fn check_beta(beta: f64) -> Result<(), MlError> {
    if beta >= 0.0 && beta.is_finite() {
        return Ok(());
    }
    Err(MlError::InvalidOption {
        name: "beta",
        value: beta.to_string(),
        expected: "a number of at least 0",
    })
}

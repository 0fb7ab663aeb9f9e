//! Models against rows they have not seen.

use ndarray::{Array1, Array2};
use serde::{Deserialize, Serialize};

use crate::dataset::{ClassLabel, ClassificationDataset, Dataset, Records};
use crate::error::MlError;
use crate::metric;
use crate::splitting::{MeasureWith, Origin, check_unseen};

/// A model that predicts a number for each row.
pub trait Regressor {
    /// Predicts one number per row.
    ///
    /// # Shapes
    /// records `[n_rows, ..]`, returns `[n_rows]`
    ///
    /// # Errors
    /// [`MlError::FeatureMissing`] if the records lack a feature of the model, whose order does
    /// not matter, and [`MlError::NotFinite`].
    fn predict(&self, records: &Records) -> Result<Array1<f64>, MlError>;

    /// Where the rows are from that the model was fitted to, if it knows.
    fn trained_on(&self) -> Option<&Origin> {
        None
    }
}

/// A model that predicts a class for each row.
pub trait Classifier {
    /// The classes that the model knows, in the order of the columns of
    /// [`predict_probabilities`](Self::predict_probabilities).
    fn classes(&self) -> &[ClassLabel];

    /// Where the rows are from that the model was fitted to, if it knows.
    fn trained_on(&self) -> Option<&Origin> {
        None
    }

    /// Predicts the probability of each class.
    ///
    /// # Shapes
    /// records `[n_rows, ..]`, returns `[n_rows, n_classes]`
    ///
    /// # Errors
    /// As [`Regressor::predict`].
    fn predict_probabilities(&self, records: &Records) -> Result<Array2<f64>, MlError>;

    /// Predicts the most probable class of each row, the first of them if several are.
    ///
    /// # Errors
    /// As [`Regressor::predict`].
    fn predict(&self, records: &Records) -> Result<ClassPredictions, MlError> {
        Ok(ClassPredictions::from_probabilities(
            self.predict_probabilities(records)?,
            self.classes().to_vec(),
        ))
    }
}

/// Predicted classes with their probabilities.
///
/// # Shapes
/// codes `[n_rows]`, probabilities `[n_rows, n_classes]`, classes `[n_classes]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClassPredictions {
    codes: Vec<u32>,
    probabilities: Array2<f64>,
    classes: Vec<ClassLabel>,
}

impl ClassPredictions {
    fn from_probabilities(probabilities: Array2<f64>, classes: Vec<ClassLabel>) -> Self {
        let codes = probabilities
            .rows()
            .into_iter()
            .map(|row| first_greatest(row) as u32)
            .collect();
        Self {
            codes,
            probabilities,
            classes,
        }
    }

    /// For each row the position of the predicted class in [`classes`](Self::classes).
    pub fn codes(&self) -> &[u32] {
        &self.codes
    }

    /// The probabilities of the classes, row by row.
    pub fn probabilities(&self) -> &Array2<f64> {
        &self.probabilities
    }

    /// The classes that the model knows.
    pub fn classes(&self) -> &[ClassLabel] {
        &self.classes
    }

    /// The predicted label of each row.
    pub fn labels(&self) -> impl Iterator<Item = &ClassLabel> {
        self.codes.iter().map(|code| &self.classes[*code as usize])
    }
}

/// The position of the greatest number, the first if several are.
pub(crate) fn first_greatest<'a>(values: impl IntoIterator<Item = &'a f64>) -> usize {
    let mut best = (0, f64::NEG_INFINITY);
    for (at, value) in values.into_iter().enumerate() {
        if *value > best.1 {
            best = (at, *value);
        }
    }
    best.0
}

/// How good predicted numbers are; see [`r2_score`](crate::r2_score) for one row or equal targets.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct RegressionMetrics {
    /// Share of the variance explained, at most 1; NaN for one row.
    pub r2: f64,
    /// Mean absolute error, in the unit of the target.
    pub mae: f64,
    /// Root of the mean squared error, in the unit of the target.
    pub rmse: f64,
    /// Number of rows evaluated.
    pub n_rows: usize,
}

/// Evaluates a model on rows that it was not fitted to.
///
/// # Errors
/// Those of [`Regressor::predict`]; [`MlError::NoRows`]; [`MlError::TestSeenInTraining`] if the rows
/// may be among those that the model was fitted to.
pub fn evaluate_regression<M: Regressor + ?Sized>(
    model: &M,
    test: &impl MeasureWith<Dataset>,
) -> Result<RegressionMetrics, MlError> {
    check_unseen(model.trained_on(), test.origin())?;
    let test = test.data();
    let predictions = model.predict(test.records())?;
    let (targets, predictions) = (test.targets().view(), predictions.view());
    Ok(RegressionMetrics {
        r2: metric::r2_score(targets, predictions)?,
        mae: metric::mean_absolute_error(targets, predictions)?,
        rmse: metric::root_mean_squared_error(targets, predictions)?,
        n_rows: test.n_rows(),
    })
}

/// How good the predictions of one class are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClassMetrics {
    /// The class.
    pub label: ClassLabel,
    /// Share of the rows predicted to be of this class that are; 0 if none was predicted.
    pub precision: f64,
    /// Share of the rows of this class that were predicted to be; 0 if there is none.
    pub recall: f64,
    /// Harmonic mean of precision and recall; 0 if both are.
    pub f1: f64,
    /// Number of rows of this class.
    pub n_rows: usize,
}

/// How good predicted classes are.
///
/// Averages are plain means over the classes that occur, in the test rows or among the
/// predictions, as `average="macro"` of scikit-learn.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClassificationMetrics {
    /// Share of rows whose class is right.
    pub accuracy: f64,
    /// Mean precision of the classes.
    pub macro_precision: f64,
    /// Mean recall of the classes.
    pub macro_recall: f64,
    /// Mean F1 of the classes.
    pub macro_f1: f64,
    /// Mean of `-ln(p)` of the right class, see [`log_loss`](crate::log_loss); a class that the
    /// model does not know counts as probability 0.
    pub log_loss: f64,
    /// The classes that occur, sorted.
    pub classes: Vec<ClassMetrics>,
    /// Number of rows evaluated.
    pub n_rows: usize,
}

/// Evaluates a classifier on rows that it was not fitted to.
///
/// Classes are matched by label. A class that the model does not know is never right.
///
/// # Errors
/// As [`evaluate_regression`], with those of [`Classifier::predict_probabilities`].
pub fn evaluate_classification<M: Classifier + ?Sized>(
    model: &M,
    test: &impl MeasureWith<ClassificationDataset>,
) -> Result<ClassificationMetrics, MlError> {
    check_unseen(model.trained_on(), test.origin())?;
    let test = test.data();
    let predictions = model.predict(test.records())?;
    // The model's classes keep their codes; those only the test rows have come behind them.
    let mut labels = predictions.classes.clone();
    let codes_of_classes: Vec<u32> = test
        .classes()
        .iter()
        .map(
            |label| match labels.iter().position(|known| known == label) {
                Some(code) => code as u32,
                None => {
                    labels.push(label.clone());
                    labels.len() as u32 - 1
                }
            },
        )
        .collect();
    let targets: Vec<u32> = test
        .targets()
        .iter()
        .map(|code| codes_of_classes[*code as usize])
        .collect();
    let accuracy = metric::accuracy(&targets, &predictions.codes)?;

    let probabilities = Array2::from_shape_fn((test.n_rows(), labels.len()), |place| {
        predictions.probabilities.get(place).copied().unwrap_or(0.0)
    });
    let log_loss = metric::log_loss(&targets, &probabilities)?;

    let mut classes = class_metrics(&targets, &predictions.codes, labels);
    classes.sort_by(|a, b| a.label.cmp(&b.label));
    let mean =
        |of: fn(&ClassMetrics) -> f64| classes.iter().map(of).sum::<f64>() / classes.len() as f64;
    Ok(ClassificationMetrics {
        accuracy,
        macro_precision: mean(|class| class.precision),
        macro_recall: mean(|class| class.recall),
        macro_f1: mean(|class| class.f1),
        log_loss,
        n_rows: test.n_rows(),
        classes,
    })
}

fn class_metrics(targets: &[u32], guesses: &[u32], labels: Vec<ClassLabel>) -> Vec<ClassMetrics> {
    let mut n_rows = vec![0usize; labels.len()];
    let mut n_guessed = vec![0usize; labels.len()];
    let mut n_right = vec![0usize; labels.len()];
    for (target, guess) in targets.iter().zip(guesses) {
        n_rows[*target as usize] += 1;
        n_guessed[*guess as usize] += 1;
        n_right[*target as usize] += usize::from(target == guess);
    }
    let share = |part: usize, whole: usize| {
        if whole == 0 {
            0.0
        } else {
            part as f64 / whole as f64
        }
    };
    labels
        .into_iter()
        .enumerate()
        .filter(|(code, _)| n_rows[*code] + n_guessed[*code] > 0)
        .map(|(code, label)| ClassMetrics {
            label,
            precision: share(n_right[code], n_guessed[code]),
            recall: share(n_right[code], n_rows[code]),
            f1: share(2 * n_right[code], n_rows[code] + n_guessed[code]),
            n_rows: n_rows[code],
        })
        .collect()
}

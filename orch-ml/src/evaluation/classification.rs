//! Evaluation of predicted classes.

use serde::{Deserialize, Serialize};

use super::{ClassOutcomes, Classifier};
use crate::dataset::{ClassLabel, ClassificationDataset};
use crate::error::MlError;
use crate::metric::{self, Average, ConfusionMatrix, KappaWeights};
use crate::splitting::{MeasureWith, check_unseen};

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
/// Averages are over the classes that occur, in the test rows or among the predictions:
/// plain means are `average="macro"` of scikit-learn, weighted ones count each class by its rows
/// and are `average="weighted"`; `average="micro"` is the accuracy. `Display` prints a report like
/// `sklearn.metrics.classification_report`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClassificationMetrics {
    /// Share of rows whose class is right.
    pub accuracy: f64,
    /// Mean recall of the classes that have rows.
    pub balanced_accuracy: f64,
    /// Mean precision of the classes.
    pub macro_precision: f64,
    /// Mean recall of the classes.
    pub macro_recall: f64,
    /// Mean F1 of the classes.
    pub macro_f1: f64,
    /// Precision of the classes, each counting by its rows.
    pub weighted_precision: f64,
    /// Recall of the classes, each counting by its rows: the accuracy.
    pub weighted_recall: f64,
    /// F1 of the classes, each counting by its rows.
    pub weighted_f1: f64,
    /// [`ConfusionMatrix::matthews_correlation`].
    pub matthews_correlation: f64,
    /// [`ConfusionMatrix::cohen_kappa`], unweighted; none where it is not defined.
    pub cohen_kappa: Option<f64>,
    /// Mean of `-ln(p)` of the right class, see [`log_loss`](crate::log_loss); a class that the
    /// model does not know counts as probability 0.
    pub log_loss: f64,
    /// [`brier_score`](crate::brier_score) of the probabilities.
    pub brier_score: f64,
    /// Of two classes [`roc_auc`](crate::roc_auc) of the second, of more the plain mean of
    /// [`roc_auc_one_vs_rest`](crate::roc_auc_one_vs_rest); none if a class has no rows.
    pub roc_auc: Option<f64>,
    /// Of two classes [`average_precision`](crate::average_precision) of the second, of more the
    /// plain mean of
    /// [`average_precision_one_vs_rest`](crate::average_precision_one_vs_rest); none if a class has
    /// no rows.
    pub average_precision: Option<f64>,
    /// The classes that occur, sorted.
    pub classes: Vec<ClassMetrics>,
    /// How often each class was predicted for the rows of each class; also of classes that do not
    /// occur.
    pub confusion_matrix: ConfusionMatrix,
    /// Number of rows evaluated.
    pub n_rows: usize,
}

impl ClassificationMetrics {
    pub(super) fn new(outcomes: &ClassOutcomes, weights: Option<&[f64]>) -> Result<Self, MlError> {
        let matrix = outcomes.confusion_matrix(weights)?;
        let (targets, probabilities) = (outcomes.targets(), outcomes.probabilities());
        let log_loss = match weights {
            None => metric::log_loss(targets, probabilities)?,
            Some(weights) => metric::weighted_log_loss(targets, probabilities, weights)?,
        };
        let (roc_auc, average_precision) = ranking(outcomes, &matrix, weights)?;
        let mut n_rows_of = vec![0; outcomes.classes().len()];
        for code in targets {
            n_rows_of[*code as usize] += 1;
        }
        let classes = matrix.classes_that_occur().map(|class| ClassMetrics {
            label: outcomes.classes()[class].clone(),
            precision: matrix.precision_of(class),
            recall: matrix.recall_of(class),
            f1: matrix.f1_of(class),
            n_rows: n_rows_of[class],
        });
        let kappa = matrix.cohen_kappa(KappaWeights::Unweighted);
        Ok(Self {
            accuracy: matrix.accuracy(),
            balanced_accuracy: matrix.balanced_accuracy(),
            macro_precision: matrix.precision(Average::Macro),
            macro_recall: matrix.recall(Average::Macro),
            macro_f1: matrix.f1(Average::Macro),
            weighted_precision: matrix.precision(Average::Weighted),
            weighted_recall: matrix.recall(Average::Weighted),
            weighted_f1: matrix.f1(Average::Weighted),
            matthews_correlation: matrix.matthews_correlation(),
            cohen_kappa: (!kappa.is_nan()).then_some(kappa),
            log_loss,
            brier_score: metric::brier_score(targets, probabilities, weights)?,
            roc_auc,
            average_precision,
            classes: classes.collect(),
            confusion_matrix: matrix,
            n_rows: outcomes.n_rows(),
        })
    }
}

/// ROC AUC and average precision, where every class has rows to find and rows to leave out.
fn ranking(
    outcomes: &ClassOutcomes,
    matrix: &ConfusionMatrix,
    weights: Option<&[f64]>,
) -> Result<(Option<f64>, Option<f64>), MlError> {
    let n_classes = outcomes.classes().len();
    if n_classes < 2 || (0..n_classes).any(|class| matrix.n_true(class) == 0.0) {
        return Ok((None, None));
    }
    let (roc_auc, average_precision) = if n_classes == 2 {
        let (is_second, scores) = outcomes.of_class(1)?;
        (
            metric::roc_auc(&is_second, &scores, weights)?,
            metric::average_precision(&is_second, &scores, weights)?,
        )
    } else {
        let (targets, scores) = (outcomes.targets(), outcomes.probabilities());
        (
            metric::roc_auc_one_vs_rest(targets, scores, Average::Macro, weights)?,
            metric::average_precision_one_vs_rest(targets, scores, Average::Macro, weights)?,
        )
    };
    Ok((Some(roc_auc), Some(average_precision)))
}

/// Evaluates a classifier on rows that it was not fitted to.
///
/// Classes are matched by label. A class that the model does not know is never right.
///
/// # Errors
/// Those of [`Classifier::predict_probabilities`]; [`MlError::NoRows`];
/// [`MlError::NotAProbability`] if the model gives something else; [`MlError::TestSeenInTraining`] as
/// [`evaluate_regression`](crate::evaluate_regression).
pub fn evaluate_classification<M: Classifier + ?Sized>(
    model: &M,
    test: &impl MeasureWith<ClassificationDataset>,
) -> Result<ClassificationMetrics, MlError> {
    check_unseen(model.trained_on(), test.origin())?;
    let test = test.data();
    ClassOutcomes::new(&model.predict(test.records())?, test)?.metrics(None)
}

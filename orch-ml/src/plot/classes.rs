//! Plots of each class against all others.

use super::{Plot, plot_calibration, plot_precision_recall, plot_roc};
use crate::error::MlError;
use crate::evaluation::ClassOutcomes;
use crate::metric::{CalibrationStrategy, calibration_curve, precision_recall_curve, roc_curve};

/// The ROC curve of each class against all others; of two classes that of the second. Classes that no
/// row is of, or every row, are left out.
///
/// # Errors
/// As [`plot_roc`]: if all rows are of one class.
pub fn plot_class_roc(outcomes: &ClassOutcomes) -> Result<Plot, MlError> {
    let curves = of_classes(outcomes, |is_of_class, scores| {
        roc_curve(is_of_class, scores, None)
    })?;
    plot_roc(&named(&curves))
}

/// The precision-recall curve of each class against all others; of two classes that of the second.
/// Classes that no row is of, or every row, are left out.
///
/// # Errors
/// As [`plot_precision_recall`]: if all rows are of one class.
pub fn plot_class_precision_recall(outcomes: &ClassOutcomes) -> Result<Plot, MlError> {
    let curves = of_classes(outcomes, |is_of_class, scores| {
        precision_recall_curve(is_of_class, scores, None)
    })?;
    plot_precision_recall(&named(&curves))
}

/// The calibration curve of each class; of two classes that of the second. Classes that no row is of,
/// or every row, are left out.
///
/// # Errors
/// As [`plot_calibration`]: if all rows are of one class; [`MlError::InvalidOption`] for no bins.
pub fn plot_class_calibration(
    outcomes: &ClassOutcomes,
    n_bins: usize,
    strategy: CalibrationStrategy,
) -> Result<Plot, MlError> {
    let curves = of_classes(outcomes, |is_of_class, probabilities| {
        calibration_curve(is_of_class, probabilities, n_bins, strategy)
    })?;
    let named: Vec<_> = curves
        .iter()
        .map(|(name, bins)| (name.as_str(), bins.as_slice()))
        .collect();
    plot_calibration(&named)
}

/// What something makes of each class that some rows are of and others not.
fn of_classes<T>(
    outcomes: &ClassOutcomes,
    make: impl Fn(&[bool], &[f64]) -> Result<T, MlError>,
) -> Result<Vec<(String, T)>, MlError> {
    let n_classes = outcomes.classes().len();
    // What the first of two classes gives is the mirror of the second.
    let first = usize::from(n_classes == 2);
    let mut made = Vec::new();
    for class in first..n_classes {
        let (is_of_class, scores) = outcomes.of_class(class)?;
        let n_of_class = is_of_class
            .iter()
            .filter(|is_of_class| **is_of_class)
            .count();
        if n_of_class > 0 && n_of_class < outcomes.n_rows() {
            made.push((
                outcomes.classes()[class].to_string(),
                make(&is_of_class, &scores)?,
            ));
        }
    }
    Ok(made)
}

fn named<T>(curves: &[(String, T)]) -> Vec<(&str, &T)> {
    let curves = curves.iter();
    curves.map(|(name, curve)| (name.as_str(), curve)).collect()
}

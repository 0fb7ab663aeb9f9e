//! Linear models: a sum of coefficient * feature per row, and per class if there are several.

use super::graph::{Attribute, Operator};
use super::scaling::Scaling;
use super::{FEATURES, LABELS, NotExportable, PREDICTIONS, class_labels, narrowed};
use crate::dataset::ClassLabel;

/// The name of scaled features between two operators.
const SCALED: &str = "scaled";

/// How scores become what is given out.
#[derive(Debug, Clone, Copy)]
pub(super) enum Link {
    /// Not at all.
    Scores,
    /// To probabilities: of two classes by the logistic function, of more by the softmax.
    Probabilities,
}

/// The operator that scales the features, if any is scaled, and the name of what it gives.
fn scaler(scaling: &Scaling) -> Result<(Option<Operator>, &'static str), NotExportable> {
    if scaling.is_none() {
        return Ok((None, FEATURES));
    }
    let (offsets, factors): (Vec<f64>, Vec<f64>) = scaling.offsets_and_factors().unzip();
    let attributes = vec![
        ("offset", Attribute::Floats(narrowed("scale", &offsets)?)),
        ("scale", Attribute::Floats(narrowed("scale", &factors)?)),
    ];
    let scaler = Operator {
        name: "Scaler",
        input: FEATURES,
        outputs: vec![SCALED],
        attributes,
    };
    Ok((Some(scaler), SCALED))
}

pub(super) fn regressor(
    scaling: &Scaling,
    coefficients: &[f64],
    intercept: f64,
) -> Result<Vec<Operator>, NotExportable> {
    let (scaler, input) = scaler(scaling)?;
    let coefficients = narrowed("coefficient", coefficients)?;
    let intercepts = narrowed("intercept", &[intercept])?;
    let line = Operator {
        name: "LinearRegressor",
        input,
        outputs: vec![PREDICTIONS],
        attributes: vec![
            ("coefficients", Attribute::Floats(coefficients)),
            ("intercepts", Attribute::Floats(intercepts)),
            ("targets", Attribute::Int(1)),
        ],
    };
    Ok(scaler.into_iter().chain([line]).collect())
}

/// A classifier of one line for two classes, or one line per class.
pub(super) fn classifier(
    scaling: &Scaling,
    classes: &[ClassLabel],
    coefficients: &[f64],
    intercepts: &[f64],
    (link, output): (Link, &'static str),
) -> Result<Vec<Operator>, NotExportable> {
    let (scaler, input) = scaler(scaling)?;
    let mut coefficients = narrowed("coefficient", coefficients)?;
    let mut intercepts = narrowed("intercept", intercepts)?;
    if classes.len() == 2 {
        // The line is that of the second class; the first has its opposite.
        coefficients = with_opposites(&coefficients);
        intercepts = with_opposites(&intercepts);
    }
    let post_transform = match (link, classes.len()) {
        (Link::Scores, _) => "NONE",
        (Link::Probabilities, 2) => "LOGISTIC",
        (Link::Probabilities, _) => "SOFTMAX",
    };
    let lines = Operator {
        name: "LinearClassifier",
        input,
        outputs: vec![LABELS, output],
        attributes: vec![
            class_labels(classes, "classlabels_ints"),
            ("coefficients", Attribute::Floats(coefficients)),
            ("intercepts", Attribute::Floats(intercepts)),
            ("post_transform", Attribute::Text(post_transform)),
        ],
    };
    Ok(scaler.into_iter().chain([lines]).collect())
}

fn with_opposites(values: &[f32]) -> Vec<f32> {
    let opposites = values.iter().map(|value| -value);
    opposites.chain(values.iter().copied()).collect()
}

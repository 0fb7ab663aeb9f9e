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

/// What comes before a line.
struct Front {
    /// The operator that scales the features, if any is scaled.
    scaler: Option<Operator>,
    /// The name of what the line gets.
    input: &'static str,
    /// By how much each scaled feature is too small, since what is taken off before was rounded.
    shortfalls: Vec<f64>,
}

impl Front {
    fn of(scaling: &Scaling) -> Result<Self, NotExportable> {
        let (offsets, factors): (Vec<f64>, Vec<f64>) = scaling.offsets_and_factors().unzip();
        if scaling.is_none() {
            return Ok(Self {
                scaler: None,
                input: FEATURES,
                shortfalls: vec![0.0; offsets.len()],
            });
        }
        // A feature that is multiplied by 0 would be lost.
        if let Some(factor) = factors.iter().find(|factor| (**factor as f32) == 0.0) {
            let problem = format!("its scale {factor:e} is too small for `f32`");
            return Err(NotExportable(problem));
        }
        let narrow = narrowed("offset", &offsets)?;
        let pairs = narrow.iter().zip(&offsets).zip(&factors);
        let shortfalls =
            pairs.map(|((narrow, offset), factor)| (f64::from(*narrow) - offset) * factor);
        let shortfalls = shortfalls.collect();
        let attributes = vec![
            ("offset", Attribute::Floats(narrow)),
            ("scale", Attribute::Floats(narrowed("scale", &factors)?)),
        ];
        let scaler = Operator {
            name: "Scaler",
            input: FEATURES,
            outputs: vec![SCALED],
            attributes,
        };
        Ok(Self {
            scaler: Some(scaler),
            input: SCALED,
            shortfalls,
        })
    }

    /// The intercepts that make up for the shortfalls.
    fn intercepts(
        &self,
        coefficients: &[f64],
        intercepts: &[f64],
    ) -> Result<Vec<f32>, NotExportable> {
        let lines = coefficients.chunks_exact(self.shortfalls.len());
        let mended = lines.zip(intercepts).map(|(slopes, intercept)| {
            let terms = slopes.iter().zip(&self.shortfalls);
            intercept + terms.map(|(slope, less)| slope * less).sum::<f64>()
        });
        narrowed("intercept", &mended.collect::<Vec<f64>>())
    }

    fn then(self, line: Operator) -> Vec<Operator> {
        self.scaler.into_iter().chain([line]).collect()
    }
}

pub(super) fn regressor(
    scaling: &Scaling,
    coefficients: &[f64],
    intercept: f64,
) -> Result<Vec<Operator>, NotExportable> {
    let front = Front::of(scaling)?;
    let narrow = narrowed("coefficient", coefficients)?;
    let intercepts = front.intercepts(coefficients, &[intercept])?;
    let line = Operator {
        name: "LinearRegressor",
        input: front.input,
        outputs: vec![PREDICTIONS],
        attributes: vec![
            ("coefficients", Attribute::Floats(narrow)),
            ("intercepts", Attribute::Floats(intercepts)),
            ("targets", Attribute::Int(1)),
        ],
    };
    Ok(front.then(line))
}

/// A classifier of one line for two classes, or one line per class.
pub(super) fn classifier(
    scaling: &Scaling,
    classes: &[ClassLabel],
    coefficients: &[f64],
    intercepts: &[f64],
    (link, output): (Link, &'static str),
) -> Result<Vec<Operator>, NotExportable> {
    let front = Front::of(scaling)?;
    let mut intercepts = front.intercepts(coefficients, intercepts)?;
    let mut coefficients = narrowed("coefficient", coefficients)?;
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
        input: front.input,
        outputs: vec![LABELS, output],
        attributes: vec![
            class_labels(classes, "classlabels_ints"),
            ("coefficients", Attribute::Floats(coefficients)),
            ("intercepts", Attribute::Floats(intercepts)),
            ("post_transform", Attribute::Text(post_transform)),
        ],
    };
    Ok(front.then(lines))
}

fn with_opposites(values: &[f32]) -> Vec<f32> {
    let opposites = values.iter().map(|value| -value);
    opposites.chain(values.iter().copied()).collect()
}

//! Models as ONNX files, for programs that know nothing of this crate.

mod graph;
mod lines;
mod protobuf;
mod scaling;
mod trees;

use std::io::Write;
use std::path::Path;

use self::graph::{Attribute, ElementType, Graph, Operator, Output};
use self::lines::Link;
use self::scaling::Scaling;
use crate::dataset::ClassLabel;
use crate::error::MlError;
use crate::model::{Algorithm, Model};
use crate::persistence::replace_file;

/// The names of the input and the outputs.
const FEATURES: &str = "features";
const PREDICTIONS: &str = "predictions";
const LABELS: &str = "labels";
const PROBABILITIES: &str = "probabilities";
const SCORES: &str = "scores";

/// Why a model has no form in ONNX.
#[derive(Debug)]
struct NotExportable(String);

/// Writes a model as an ONNX file, which replaces the file there is.
///
/// See [`to_onnx`] for what is in it.
///
/// # Errors
/// [`MlError::NotExportable`] and [`MlError::WriteFile`]; the old file is then unchanged.
pub fn export_onnx(model: &Model, path: &Path) -> Result<(), MlError> {
    let bytes = to_onnx(model)?;
    replace_file(path, |file| file.write_all(&bytes))
}

/// A model as the bytes of an ONNX file (IR version 10, operators of `ai.onnx.ml` 3).
///
/// Linear models (also ridge, elastic net, lasso), logistic models, linear support vector machines,
/// decision trees and random forests can be written, with preprocessing that only scales numbers:
/// standard, min-max, robust.
///
/// Such a file computes in `f32`, also its inputs: its numbers agree with those of the model in six to
/// seven digits. Decisions of trees are the same for features that are an `f32`.
///
/// # Shapes
/// - input `features`: `f32`, `[n_rows, n_features]`, in the order of the property `feature_names` (a
///   JSON list), as they are before scaling; names are not checked
/// - output `predictions` of what predicts numbers: `f32`, `[n_rows, 1]`
/// - outputs of what predicts classes: `labels`, `[n_rows]`, whole numbers, or texts if any class is
///   something else, and `probabilities`, `f32`, `[n_rows, n_classes]`; a support vector machine has
///   `scores` instead
///
/// # Errors
/// [`MlError::NotExportable`] for another kind of model, another step of preprocessing, which is
/// named, and numbers that are too large for `f32`.
///
/// # Source
/// The operators `Scaler`, `LinearRegressor`, `LinearClassifier`, `TreeEnsembleClassifier` and
/// `TreeEnsembleRegressor` of ONNX 1.23; the tests compare with onnxruntime 1.32.
///
/// # Examples
/// ```
/// use orch_ml::{Dataset, Model, fit_linear, ndarray::array, to_onnx};
///
/// let dataset = Dataset::new(array![[1.0], [2.0]], array![3.0, 5.0], ["size"], "price")?;
/// let bytes = to_onnx(&Model::new(fit_linear(&dataset)?))?;
/// assert_eq!(bytes[..2], [8, 10]); // the first field, and the version of the format
/// # Ok::<(), orch_ml::MlError>(())
/// ```
pub fn to_onnx(model: &Model) -> Result<Vec<u8>, MlError> {
    let refused = |NotExportable(problem)| MlError::NotExportable {
        kind: model.kind(),
        problem,
    };
    let (operators, outputs) = operators(model).map_err(refused)?;
    let features = model.feature_names();
    let names = serde_json::to_string(features).expect("a list of texts has a form in JSON");
    let graph = Graph {
        input: (FEATURES, features.len()),
        operators,
        outputs,
        description: model.to_string(),
        properties: vec![("feature_names", names)],
    };
    Ok(graph.into_bytes())
}

fn operators(model: &Model) -> Result<(Vec<Operator>, Vec<Output>), NotExportable> {
    let scaling = Scaling::of(model.preprocessor(), model.feature_names())?;
    let line = |coefficients, intercept| {
        let operators = lines::regressor(&scaling, coefficients, intercept)?;
        Ok((operators, numbers()))
    };
    match model.algorithm() {
        Algorithm::Linear(model) => line(model.coefficients(), model.intercept()),
        Algorithm::Ridge(model) => line(model.coefficients(), model.intercept()),
        Algorithm::ElasticNet(model) => line(model.coefficients(), model.intercept()),
        Algorithm::Logistic(model) => {
            let coefficients: Vec<f64> = model.coefficients().iter().copied().collect();
            let (classes, intercepts) = (model.classes(), model.intercepts());
            let link = (Link::Probabilities, PROBABILITIES);
            let operators = lines::classifier(&scaling, classes, &coefficients, intercepts, link)?;
            Ok((operators, labels(classes, PROBABILITIES)))
        }
        Algorithm::LinearSvm(model) => {
            let coefficients: Vec<f64> = model.coefficients().iter().copied().collect();
            let (classes, intercepts) = (model.classes(), model.intercepts());
            let link = (Link::Scores, SCORES);
            let operators = lines::classifier(&scaling, classes, &coefficients, intercepts, link)?;
            Ok((operators, labels(classes, SCORES)))
        }
        Algorithm::TreeRegressor(model) => {
            Ok((trees::regressor(&scaling, model.forest())?, numbers()))
        }
        Algorithm::ForestRegressor(model) => {
            Ok((trees::regressor(&scaling, model.forest())?, numbers()))
        }
        Algorithm::TreeClassifier(model) => {
            let operators = trees::classifier(&scaling, model.classes(), model.forest())?;
            Ok((operators, labels(model.classes(), PROBABILITIES)))
        }
        Algorithm::ForestClassifier(model) => {
            let operators = trees::classifier(&scaling, model.classes(), model.forest())?;
            Ok((operators, labels(model.classes(), PROBABILITIES)))
        }
        Algorithm::NaiveBayes(_)
        | Algorithm::DiscreteBayes(_)
        | Algorithm::LinfaTree(_)
        | Algorithm::BoostedClassifier(_)
        | Algorithm::BoostedRegressor(_)
        | Algorithm::KMeans(_) => Err(NotExportable(
            "it is no linear model, tree or forest of this crate".to_owned(),
        )),
    }
}

fn numbers() -> Vec<Output> {
    vec![(PREDICTIONS, ElementType::Float, Some(1))]
}

fn labels(classes: &[ClassLabel], second: &'static str) -> Vec<Output> {
    let element = match whole_numbers(classes) {
        Some(_) => ElementType::Integer,
        None => ElementType::Text,
    };
    let width = Some(classes.len());
    vec![(LABELS, element, None), (second, ElementType::Float, width)]
}

/// The attribute that names the classes; that of whole numbers has a name of the operator's own.
fn class_labels(classes: &[ClassLabel], of_numbers: &'static str) -> (&'static str, Attribute) {
    match whole_numbers(classes) {
        Some(numbers) => (of_numbers, Attribute::Ints(numbers)),
        None => {
            let texts = classes.iter().map(ClassLabel::to_string).collect();
            ("classlabels_strings", Attribute::Texts(texts))
        }
    }
}

/// The classes, if each is a whole number.
fn whole_numbers(classes: &[ClassLabel]) -> Option<Vec<i64>> {
    let number = |class: &ClassLabel| match class {
        ClassLabel::Integer(number) => Some(*number),
        _ => None,
    };
    classes.iter().map(number).collect()
}

/// The numbers as `f32`, if they have a place there.
fn narrowed(what: &str, values: &[f64]) -> Result<Vec<f32>, NotExportable> {
    let narrow = |value: &f64| {
        let narrow = *value as f32;
        let problem = || NotExportable(format!("its {what} {value:e} is too large for `f32`"));
        narrow.is_finite().then_some(narrow).ok_or_else(problem)
    };
    values.iter().map(narrow).collect()
}

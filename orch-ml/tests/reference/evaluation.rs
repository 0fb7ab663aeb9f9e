//! Reads `evaluation.json` and compares with it.

use orch_ml::ClassLabel;
use orch_ml::ndarray::{Array1, Array2};
use serde_json::Value;

/// The part of the reference values that has this name.
pub(crate) fn reference(part: &str) -> Value {
    let file: Value = serde_json::from_str(include_str!("evaluation.json")).unwrap();
    file[part].clone()
}

pub(crate) fn cases(part: &str) -> Vec<Value> {
    reference(part).as_array().unwrap().clone()
}

/// A number; null stands for NaN and "inf" for infinity.
pub(crate) fn number(value: &Value) -> f64 {
    match value {
        Value::Null => f64::NAN,
        Value::String(text) if text == "inf" => f64::INFINITY,
        value => value.as_f64().unwrap(),
    }
}

pub(crate) fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(number).collect()
}

pub(crate) fn vector(value: &Value) -> Array1<f64> {
    numbers(value).into()
}

pub(crate) fn matrix(value: &Value) -> Array2<f64> {
    let rows: Vec<Vec<f64>> = value.as_array().unwrap().iter().map(numbers).collect();
    Array2::from_shape_vec((rows.len(), rows[0].len()), rows.concat()).unwrap()
}

/// Weights, or none where there are none.
pub(crate) fn weights(case: &Value) -> Option<Vec<f64>> {
    (!case["weights"].is_null()).then(|| numbers(&case["weights"]))
}

pub(crate) fn codes(value: &Value) -> Vec<u32> {
    let codes = value.as_array().unwrap().iter();
    codes.map(|code| code.as_u64().unwrap() as u32).collect()
}

pub(crate) fn flags(value: &Value) -> Vec<bool> {
    let flags = value.as_array().unwrap().iter();
    flags.map(|flag| flag.as_bool().unwrap()).collect()
}

pub(crate) fn index(value: &Value) -> usize {
    value.as_u64().unwrap() as usize
}

/// As many classes as asked for, in their order.
pub(crate) fn labels(n_classes: usize) -> Vec<ClassLabel> {
    (0..n_classes as i64).map(ClassLabel::from).collect()
}

/// Within 1e-9, of the number itself if it is above 1; NaN is NaN.
#[track_caller]
pub(crate) fn check(found: f64, expected: &Value, what: &str) {
    let expected = number(expected);
    if found.is_nan() && expected.is_nan() || found == expected {
        return;
    }
    let tolerance = 1e-9 * expected.abs().max(1.0);
    assert!(
        (found - expected).abs() <= tolerance,
        "{what}: {found} is not {expected}"
    );
}

#[track_caller]
pub(crate) fn check_all(found: &[f64], expected: &Value, what: &str) {
    let expected = expected.as_array().unwrap();
    assert_eq!(found.len(), expected.len(), "{what}: {found:?}");
    for (found, expected) in found.iter().zip(expected) {
        check(*found, expected, what);
    }
}

#[track_caller]
pub(crate) fn check_matrix(found: &Array2<f64>, expected: &Value, what: &str) {
    assert_eq!(found.nrows(), expected.as_array().unwrap().len(), "{what}");
    for (row, expected) in found.rows().into_iter().zip(expected.as_array().unwrap()) {
        check_all(&row.to_vec(), expected, what);
    }
}

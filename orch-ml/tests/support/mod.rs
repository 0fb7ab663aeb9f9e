//! What several tests of models share: reference values and data sets.

#![allow(dead_code, reason = "each test uses its part")]

use std::path::{Path, PathBuf};

use orch_ml::{
    ClassificationDataset, CsvOptions, Dataset, MlError, Model, Records, Table, drop_missing,
    load_model, read_csv, save_model, to_classification_dataset, to_dataset,
};
use serde_json::Value;

pub(crate) fn here(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(file)
}

/// The values that a script in tests/reference wrote.
pub(crate) fn reference(name: &str) -> Value {
    let text = std::fs::read(here(&format!("tests/reference/{name}.json"))).unwrap();
    serde_json::from_slice(&text).unwrap()
}

pub(crate) fn table(file: &str) -> Table {
    read_csv(&here(file), &CsvOptions::default()).unwrap()
}

pub(crate) fn diabetes() -> Dataset {
    let table = table("../examples/data/diabetes.csv");
    to_dataset(&table, &table.column_names()[..10], "target").unwrap()
}

/// Proline by the other measurements of wines.
pub(crate) fn proline() -> Dataset {
    let table = table("tests/data/wine.csv");
    to_dataset(&table, &table.column_names()[..12], "proline").unwrap()
}

fn labelled(file: &str, n_features: usize) -> ClassificationDataset {
    let table = table(file);
    let names = table.column_names();
    to_classification_dataset(&table, &names[..n_features], &names[n_features]).unwrap()
}

pub(crate) fn iris() -> ClassificationDataset {
    labelled("../examples/data/iris.csv", 4)
}

pub(crate) fn wine() -> ClassificationDataset {
    labelled("tests/data/wine.csv", 13)
}

pub(crate) fn breast_cancer() -> ClassificationDataset {
    labelled("tests/data/breast_cancer.csv", 30)
}

/// The 333 penguins without missing values, by their four measurements.
pub(crate) fn penguins() -> ClassificationDataset {
    let table = drop_missing(&table("../examples/data/penguins.csv")).unwrap();
    to_classification_dataset(&table, &table.column_names()[2..6], "species").unwrap()
}

/// Each feature with mean 0 and standard deviation 1, as `StandardScaler` of scikit-learn.
pub(crate) fn standardized(records: &Records) -> Records {
    let mut values = records.values().clone();
    for mut column in values.columns_mut() {
        let mean = column.mean().unwrap();
        let deviation = column.std(0.0);
        column.mapv_inplace(|value| (value - mean) / deviation);
    }
    Records::new(values, records.feature_names().to_vec()).unwrap()
}

/// The same rows with other records.
pub(crate) fn with_records(
    dataset: &ClassificationDataset,
    records: Records,
) -> ClassificationDataset {
    let labels = dataset.labels().cloned().collect::<Vec<_>>();
    ClassificationDataset::new(records, labels, dataset.target_name()).unwrap()
}

pub(crate) fn numbers(value: &Value) -> Vec<f64> {
    let number = |value: &Value| value.as_f64().unwrap();
    value.as_array().unwrap().iter().map(number).collect()
}

/// The numbers of nested lists, row after row.
pub(crate) fn flat(value: &Value) -> Vec<f64> {
    match value {
        Value::Array(values) => values.iter().flat_map(flat).collect(),
        number => vec![number.as_f64().unwrap()],
    }
}

/// Compares relative to the largest number expected, as errors of solvers do not know small ones.
pub(crate) fn check_all_close(found: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len());
    let largest = expected.iter().fold(0.0f64, |a, b| a.max(b.abs()));
    for (at, (found, expected)) in found.iter().zip(expected).enumerate() {
        assert!(
            (found - expected).abs() <= tolerance * largest,
            "{found} is not {expected} at {at}"
        );
    }
}

pub(crate) fn check_close(found: f64, expected: f64, tolerance: f64) {
    check_all_close(&[found], &[expected], tolerance);
}

/// Saves a model to a file and reads it again.
pub(crate) fn reread(model: impl Into<Model>) -> Model {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("a.model");
    save_model(&model.into(), &file).unwrap();
    load_model(&file).unwrap()
}

/// What an error says, with all that caused it.
pub(crate) fn whole(error: &MlError) -> String {
    let mut text = error.to_string();
    let mut next = std::error::Error::source(error);
    while let Some(cause) = next {
        text.push_str(&format!(": {cause}"));
        next = cause.source();
    }
    text
}

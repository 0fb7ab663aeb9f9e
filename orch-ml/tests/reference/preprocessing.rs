//! The values of `preprocessing.json` and how tables are compared with them.

use std::path::Path;

use orch_ml::{CsvOptions, Table, Value, read_csv};
use serde_json::Value as Json;

/// The part of `preprocessing.json` of that name.
pub(crate) fn reference(name: &str) -> Json {
    let text = include_str!("preprocessing.json");
    let mut all: Json = serde_json::from_str(text).unwrap();
    all[name].take()
}

/// A table of `examples/data`.
pub(crate) fn data(name: &str) -> Table {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../examples/data/{name}.csv"));
    read_csv(&file, &CsvOptions::default()).unwrap()
}

/// The names of the reference's list.
pub(crate) fn names(list: &Json) -> Vec<String> {
    let names = list.as_array().unwrap().iter();
    names
        .map(|name| name.as_str().unwrap().to_owned())
        .collect()
}

/// The numbers of the reference's list.
pub(crate) fn numbers(list: &Json) -> Vec<f64> {
    let numbers = list.as_array().unwrap().iter();
    numbers.map(|number| number.as_f64().unwrap()).collect()
}

/// The numbers of a column, `None` where there is no value.
pub(crate) fn column(table: &Table, name: &str) -> Vec<Option<f64>> {
    let column = table.column(name).unwrap();
    let number = |row_idx| match column.value(row_idx) {
        Value::Missing => None,
        Value::Float(value) => Some(value),
        Value::Integer(value) => Some(value as f64),
        Value::Boolean(value) => Some(f64::from(u8::from(value))),
        other => panic!("{name} is {other:?} at row {row_idx}"),
    };
    (0..column.len()).map(number).collect()
}

/// Compares up to the 9th digit, and up to 1e-9 near zero.
pub(crate) fn check_close(found: f64, expected: f64, what: &str) {
    assert!(
        (found - expected).abs() <= 1e-9 * expected.abs().max(1.0),
        "{what}: {found} is not {expected}"
    );
}

pub(crate) fn check_all_close(found: &[f64], expected: &[f64], what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (found, expected) in found.iter().zip(expected) {
        check_close(*found, *expected, what);
    }
}

/// Compares the columns that the reference has with those of the table: every seventh row, and two
/// sums in which each row counts.
pub(crate) fn check_matrix(table: &Table, expected: &Json) {
    for (position, name) in names(&expected["columns"]).iter().enumerate() {
        let found = column(table, name);
        let rows = expected["rows"].as_array().unwrap();
        assert_eq!(rows.len(), found.len().div_ceil(7), "{name}");
        for (cells, found) in rows.iter().zip(found.iter().step_by(7)) {
            match (cells[position].as_f64(), *found) {
                (Some(expected), Some(found)) => check_close(found, expected, name),
                (expected, found) => assert_eq!(found, expected, "{name}"),
            }
        }
        let present = || {
            let rows = found.iter().enumerate();
            rows.filter_map(|(row_idx, cell)| Some((row_idx as f64 + 1.0, (*cell)?)))
        };
        let sum: f64 = present().map(|(_, cell)| cell).sum();
        check_close(sum, expected["sums"][position].as_f64().unwrap(), name);
        let weighted: f64 = present().map(|(number, cell)| number * cell).sum();
        check_close(
            weighted,
            expected["weighted"][position].as_f64().unwrap(),
            name,
        );
    }
}

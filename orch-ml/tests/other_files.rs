//! Files that are no CSV: JSON lines and arrays of numpy.

use std::collections::BTreeMap;

use orch_ml::{
    Column, MlError, Table, Value, parse_json_lines, read_json_lines, read_npy, write_npy,
};
use proptest::prelude::*;
use serde::Deserialize;
use serde_json::Value as Json;

/// What `reference/arrays.py` printed.
#[derive(Deserialize)]
struct Reference {
    arrays: Vec<Array>,
    refused: Vec<Refused>,
    lines: String,
    frame: BTreeMap<String, Vec<Json>>,
}

#[derive(Deserialize)]
struct Array {
    name: String,
    file: String,
    values: Vec<Vec<f64>>,
}

#[derive(Deserialize)]
struct Refused {
    problem: String,
    file: String,
}

fn reference() -> Reference {
    serde_json::from_str(include_str!("reference/arrays.json")).unwrap()
}

fn bytes(hex: &str) -> Vec<u8> {
    let byte = |at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
    (0..hex.len()).step_by(2).map(byte).collect()
}

/// Reads bytes as a `.npy` file.
fn npy(bytes: &[u8]) -> Result<ndarray::Array2<f64>, MlError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("array.npy");
    std::fs::write(&path, bytes).unwrap();
    read_npy(&path)
}

fn problem(bytes: &[u8]) -> String {
    match npy(bytes).unwrap_err() {
        MlError::InvalidNpy { problem, .. } => problem,
        error => panic!("{error}"),
    }
}

#[test]
fn arrays_are_read_as_numpy_wrote_them() {
    for array in reference().arrays {
        let read = npy(&bytes(&array.file)).unwrap();
        let rows: Vec<Vec<f64>> = read.rows().into_iter().map(|row| row.to_vec()).collect();
        assert_eq!(rows, array.values, "{}", array.name);
    }
}

#[test]
fn arrays_of_other_types_and_dimensions_are_refused() {
    for refused in reference().refused {
        assert_eq!(problem(&bytes(&refused.file)), refused.problem);
    }
}

#[test]
fn a_file_that_is_no_array_or_is_cut_off_says_so() {
    let file = bytes(&reference().arrays[0].file);
    for len in 0..file.len() {
        npy(&file[..len]).unwrap_err();
    }
    assert_eq!(
        problem(b"x,y\n1,2\n"),
        "it does not begin as numpy writes arrays"
    );
    let short = problem(&file[..file.len() - 1]);
    assert_eq!(
        short,
        "it has 47 bytes of data where 2 x 3 values of 8 bytes belong"
    );
    let mut of_the_future = file;
    of_the_future[6] = 9;
    assert_eq!(
        problem(&of_the_future),
        "version 9 of the format is not known"
    );
    let missing = read_npy("/nowhere/array.npy".as_ref());
    assert!(matches!(missing, Err(MlError::ReadFile { .. })));
}

proptest! {
    #[test]
    fn what_is_written_is_read(
        n_columns in 0..5usize,
        values in prop::collection::vec(any::<f64>(), 0..40),
    ) {
        let n_rows = values.len().checked_div(n_columns).unwrap_or(3);
        let values = values[..n_rows * n_columns].to_vec();
        let shape = (n_rows, n_columns);
        let array = ndarray::Array2::from_shape_vec(shape, values).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("array.npy");
        write_npy(&path, array.view()).unwrap();
        prop_assert_eq!(std::fs::metadata(&path).unwrap().len() % 64, array.len() as u64 * 8 % 64);
        let read = read_npy(&path).unwrap();
        prop_assert_eq!(read.dim(), array.dim());
        let same = |(a, b): (&f64, &f64)| a.to_bits() == b.to_bits();
        prop_assert!(read.iter().zip(&array).all(same));
    }

    #[test]
    fn damaged_arrays_are_errors_and_never_a_panic(at in 0..176usize, byte: u8) {
        let mut file = bytes(&reference().arrays[0].file);
        file[at] = byte;
        let _ = npy(&file);
    }
}

#[test]
fn json_lines_are_read_as_by_pandas() {
    let reference = reference();
    let table = parse_json_lines(reference.lines.as_bytes()).unwrap();
    assert_eq!(table.column_names(), ["a", "b", "c", "d"]);
    for (name, expected) in reference.frame {
        let column = table.column(&name).unwrap();
        assert_eq!(column.len(), expected.len());
        for (row_idx, expected) in expected.iter().enumerate() {
            let is_equal = match column.value(row_idx) {
                Value::Missing => expected.is_null(),
                Value::Float(value) => expected.as_f64() == Some(value),
                Value::Text(value) => expected.as_str() == Some(value),
                // pandas makes floats of booleans with gaps.
                Value::Boolean(value) => expected.as_f64() == Some(f64::from(u8::from(value))),
                value => panic!("{name} {row_idx}: {value:?}"),
            };
            assert!(
                is_equal,
                "{name} {row_idx}: {:?}, {expected}",
                column.value(row_idx)
            );
        }
    }
}

#[test]
fn whole_numbers_with_gaps_stay_whole_and_keys_may_come_late() {
    let table = parse_json_lines(b"{\"a\": 1}\r\n{}\r\n{\"b\": \"x\", \"a\": -3}").unwrap();
    let expected = Table::new([
        ("a", Column::from(vec![Some(1i64), None, Some(-3)])),
        ("b", vec![None, None, Some("x")].into()),
    ]);
    assert_eq!(table, expected.unwrap());
}

#[test]
fn lines_that_are_no_objects_say_which_and_why() {
    let message = |text: &str| parse_json_lines(text.as_bytes()).unwrap_err().to_string();
    assert_eq!(
        message("{\"a\": 1}\n\n{\"a\": }\n"),
        "the table line 3 is no JSON object: expected value at character 7"
    );
    assert!(message("[1, 2]\n").contains("line 1 is no JSON object: invalid type: sequence"));
    assert!(message("{\"a\": 1, \"a\": 2}").contains("the key `a` occurs twice"));
    assert!(message("{\"a\": 1} {\"a\": 2}").contains("trailing characters"));
    assert_eq!(
        message("{\"a\": 1}\n{\"a\": [1]}"),
        "the table line 2, `a`: a list is no value of a column"
    );
    assert_eq!(
        message("{\"a\": {\"b\": 1}}"),
        "the table line 1, `a`: an object is no value of a column"
    );
    assert_eq!(
        message("{\"a\": null}\n{\"a\": true}\n{\"a\": \"x\"}"),
        "the table line 3, `a`: text in a column of type boolean"
    );
    assert!(message("\n \n").contains("is empty"));
    let missing = read_json_lines("/nowhere/log.jsonl".as_ref());
    assert!(matches!(missing, Err(MlError::ReadFile { .. })));
    let folder = tempfile::tempdir().unwrap();
    assert!(matches!(
        read_json_lines(folder.path()),
        Err(MlError::NotAFile { .. })
    ));
}

proptest! {
    #[test]
    fn any_bytes_are_a_table_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = parse_json_lines(&bytes);
    }
}

//! Parquet and Arrow files against what pyarrow reads and writes.

#[path = "onnx/runtime.rs"]
mod runtime;
mod support;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use orch_core::testing::TestEngine;
use orch_core::{ClassifyRetry as _, Retry, State, TaskError, flow};
use orch_ml::{
    Column, MlError, ParquetOptions, Table, Timestamp, Value, read_arrow, read_parquet,
    table_from_record_batches, table_to_record_batch, tasks, write_arrow, write_parquet,
};
use support::{here, whole};

type Columns = BTreeMap<String, Vec<Option<String>>>;

/// Cells as Python prints them.
fn cells(table: &Table) -> Columns {
    let cell = |value: Value<'_>| match value {
        Value::Missing => None,
        Value::Float(value) => Some(if value.abs() > 1e16 && value.is_finite() {
            format!("{value:e}").replace('e', "e+")
        } else {
            format!("{value:?}")
        }),
        value => Some(value.to_string()),
    };
    let column = |column: &Column| {
        (0..column.len())
            .map(|row| cell(column.value(row)))
            .collect()
    };
    let columns = table.columns();
    columns
        .map(|(name, values)| (name.to_owned(), column(values)))
        .collect()
}

fn expected() -> Columns {
    serde_json::from_value(support::reference("columnar")).unwrap()
}

#[test]
fn every_type_reads_as_pyarrow_reads_it() {
    let options = ParquetOptions::default();
    for table in [
        read_parquet(&here("tests/data/types.parquet"), &options).unwrap(),
        read_arrow(&here("tests/data/types.arrow")).unwrap(),
        read_arrow(&here("tests/data/types.arrows")).unwrap(),
    ] {
        assert_eq!(table.n_rows(), 6);
        let (found, expected) = (cells(&table), expected());
        for (name, column) in &expected {
            assert_eq!(&found[name], column, "column `{name}`");
        }
        assert_eq!(found.len(), expected.len());
        let types = ["long", "double", "text", "word", "zoned", "flag", "nothing"];
        let types = types.map(|name| table.column(name).unwrap().type_name());
        let expected = [
            "integer",
            "float",
            "text",
            "text",
            "timestamp",
            "boolean",
            "float",
        ];
        assert_eq!(types, expected);
    }
}

#[test]
fn columns_are_chosen_and_put_in_order() {
    let file = here("tests/data/types.parquet");
    let read = |columns: &[&str]| {
        let columns = columns.iter().map(|name| (*name).to_owned()).collect();
        let columns = Some(columns);
        read_parquet(&file, &ParquetOptions { columns })
    };
    let table = read(&["word", "flag"]).unwrap();
    assert_eq!(table.column_names(), ["word", "flag"]);
    assert_eq!(cells(&table)["word"], expected()["word"]);
    let error = read(&["word", "flags"]).unwrap_err().to_string();
    assert!(
        error.contains("`flags`") && error.contains("unsigned64"),
        "{error}"
    );
    assert!(matches!(
        read(&["word", "word"]),
        Err(MlError::DuplicateColumn { .. })
    ));
}

fn table() -> Table {
    let moments = ["1969-12-31 23:59:59.999999", "2024-02-29"].map(Timestamp::parse);
    Table::new([
        (
            "float",
            Column::from(vec![0.1, f64::NAN, f64::NEG_INFINITY]),
        ),
        ("integer", vec![Some(i64::MIN), None, Some(7)].into()),
        ("flag", vec![Some(true), None, Some(false)].into()),
        ("text", vec![Some("Røros"), None, Some("")].into()),
        ("at", vec![moments[0], None, moments[1]].into()),
    ])
    .unwrap()
}

#[test]
fn a_table_reads_back_as_it_was_written() {
    let folder = tempfile::tempdir().unwrap();
    let (parquet, arrow) = (
        folder.path().join("t.parquet"),
        folder.path().join("t.arrow"),
    );
    let empty = table().take_rows(&[]).unwrap();
    for table in [table(), empty] {
        write_parquet(&parquet, &table).unwrap();
        assert_eq!(
            read_parquet(&parquet, &ParquetOptions::default()).unwrap(),
            table
        );
        write_arrow(&arrow, &table).unwrap();
        assert_eq!(read_arrow(&arrow).unwrap(), table);
        let batch = table_to_record_batch(&table).unwrap();
        let again =
            table_from_record_batches(&batch.schema(), std::slice::from_ref(&batch)).unwrap();
        assert_eq!(again, table);
    }
    let left: Vec<_> = std::fs::read_dir(folder.path())
        .unwrap()
        .flatten()
        .collect();
    assert_eq!(left.len(), 2, "nothing temporary is left");
    let none = Table::new(Vec::<(&str, Column)>::new()).unwrap();
    assert!(matches!(
        write_parquet(&parquet, &none),
        Err(MlError::NoFeatures)
    ));
    let nowhere = folder.path().join("nowhere/t.parquet");
    assert!(matches!(
        write_parquet(&nowhere, &table()),
        Err(MlError::WriteFile { .. })
    ));
}

#[test]
fn pyarrow_reads_what_is_written() {
    let python = match runtime::python() {
        Ok(python) => python,
        Err(reason) => {
            eprintln!("skipped: no pyarrow to compare with: {reason}");
            return;
        }
    };
    let folder = tempfile::tempdir().unwrap();
    write_parquet(&folder.path().join("t.parquet"), &table()).unwrap();
    write_arrow(&folder.path().join("t.arrow"), &table()).unwrap();
    let script = "
import pyarrow.feather, pyarrow.parquet
parquet, arrow = pyarrow.parquet.read_table('t.parquet'), pyarrow.feather.read_table('t.arrow')
assert parquet.equals(arrow)
print([str(field.type) for field in arrow.schema])
for name in arrow.column_names:
    print([None if value is None else str(value) for value in arrow[name].to_pylist()])
";
    let output = Command::new(python)
        .args(["-c", script])
        .current_dir(folder.path())
        .output();
    let output = output.unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let expected = "['double', 'int64', 'bool', 'string', 'timestamp[us, tz=UTC]']
['0.1', None, '-inf']
['-9223372036854775808', None, '7']
['True', None, 'False']
['Røros', None, '']
['1969-12-31 23:59:59.999999+00:00', None, '2024-02-29 00:00:00+00:00']
";
    assert_eq!(text, expected);
}

#[test]
fn what_no_table_has_is_named_with_its_column_and_row() {
    let bytes = std::fs::read(here("tests/data/bad.arrow")).unwrap();
    let reader = arrow_ipc::reader::FileReader::try_new(std::io::Cursor::new(bytes), None);
    let batch = reader.unwrap().next().unwrap().unwrap();
    let of = |name: &str| {
        let position = batch.schema().index_of(name).unwrap();
        let batch = batch.project(&[position]).unwrap();
        table_from_record_batches(&batch.schema(), &[batch.clone(), batch]).unwrap_err()
    };
    let error = of("large").to_string();
    assert!(
        error.contains("row 1 of") && error.contains("`9223372036854775808`"),
        "{error}"
    );
    assert!(
        of("far").to_string().contains("too far away"),
        "{}",
        of("far")
    );
    assert!(
        of("lists").to_string().contains("`lists`"),
        "{}",
        of("lists")
    );
    let error = read_arrow(&here("tests/data/bad.arrow")).unwrap_err();
    assert!(error.to_string().contains("bad.arrow"), "{error}");
    assert!(matches!(error.classify(1), Retry::Never));
}

fn fails_as_damaged(path: &Path, is_parquet: bool) {
    let error = match is_parquet {
        true => read_parquet(path, &ParquetOptions::default()).unwrap_err(),
        false => read_arrow(path).unwrap_err(),
    };
    assert!(
        matches!(error, MlError::DamagedFile { .. }),
        "{}",
        whole(&error)
    );
    assert!(
        error.to_string().contains(&path.display().to_string()),
        "{error}"
    );
}

#[test]
fn what_is_no_such_file_or_cut_off_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    for name in ["types.parquet", "types.arrow", "types.arrows"] {
        let whole = std::fs::read(here("tests/data").join(name)).unwrap();
        // A stream may end after any of its batches.
        let cuts = if name.ends_with("arrows") {
            vec![0, 4, 100]
        } else {
            vec![0, 4, 100, whole.len() / 2, whole.len() - 1]
        };
        for len in cuts {
            std::fs::write(&path, &whole[..len]).unwrap();
            fails_as_damaged(&path, name.ends_with("parquet"));
        }
    }
    std::fs::write(&path, "a,b\n1,2\n").unwrap();
    fails_as_damaged(&path, true);
    fails_as_damaged(&path, false);
    let missing = folder.path().join("missing");
    assert!(matches!(
        read_arrow(&missing),
        Err(MlError::ReadFile { .. })
    ));
    assert!(matches!(
        read_arrow(folder.path()),
        Err(MlError::NotAFile { .. })
    ));
}

#[test]
fn flipped_bits_are_errors_or_other_values_and_never_a_panic() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    for name in ["types.parquet", "types.arrow", "types.arrows"] {
        let whole = std::fs::read(here("tests/data").join(name)).unwrap();
        for at in (0..whole.len()).step_by(7) {
            let mut bytes = whole.clone();
            bytes[at] ^= 1 << (at % 8);
            std::fs::write(&path, &bytes).unwrap();
            let _ = match name.ends_with("parquet") {
                true => read_parquet(&path, &ParquetOptions::default()),
                false => read_arrow(&path),
            };
        }
    }
}

#[flow]
async fn rows(
    parquet: orch_core::DataFile,
    arrow: orch_core::DataFile,
) -> Result<usize, TaskError> {
    let first = tasks::load_parquet(parquet, ParquetOptions::default());
    let second = tasks::load_arrow(arrow);
    Ok(first.await?.n_rows() + second.await?.n_rows())
}

#[orch_core::test]
async fn the_tasks_are_keyed_by_what_is_in_the_files() {
    let engine = TestEngine::new().build();
    let (parquet, arrow) = (
        here("tests/data/types.parquet"),
        here("tests/data/types.arrow"),
    );
    for state in [State::Completed, State::Cached] {
        let call = rows(parquet.as_path(), arrow.as_path());
        let (result, report) = call.start(&engine).unwrap().finish().await;
        assert_eq!(result.unwrap(), 12);
        assert!(report.task_runs.iter().all(|run| run.state == state));
    }
}

//! Queries of SQLite databases, against what pandas reads, and tables written to them.

#![cfg(feature = "sqlite")]

mod support;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use orch_core::testing::TestEngine;
use orch_core::{ClassifyRetry, DataFile, Retry, State, TaskError, flow};
use orch_ml::{
    Column, MlError, SqlValue, Table, Timestamp, Value, read_sqlite, tasks, write_sqlite,
};
use rusqlite::Connection;
use support::whole;

type Columns = BTreeMap<String, Vec<Option<String>>>;

fn sales() -> PathBuf {
    support::here("tests/data/sales.sqlite")
}

fn expected(name: &str) -> Columns {
    serde_json::from_value(support::reference("sqlite")[name].clone()).unwrap()
}

/// Cells as Python prints them.
fn cells(table: &Table) -> Columns {
    let cell = |value: Value<'_>| match value {
        Value::Missing => None,
        Value::Float(value) => Some(format!("{value:?}")),
        // The column has gaps, so that pandas has numbers.
        Value::Boolean(value) => Some(format!("{:?}", f64::from(u8::from(value)))),
        Value::Timestamp(value) => Some(format!("{value}+00:00")),
        value => Some(value.to_string()),
    };
    let column = |column: &Column| {
        (0..column.len())
            .map(|row| cell(column.value(row)))
            .collect()
    };
    table
        .columns()
        .map(|(name, values)| (name.to_owned(), column(values)))
        .collect()
}

fn types(table: &Table) -> Vec<&str> {
    table
        .columns()
        .map(|(_, column)| column.type_name())
        .collect()
}

fn fails(query: &str, params: &[SqlValue]) -> MlError {
    read_sqlite(&sales(), query, params).unwrap_err()
}

#[test]
fn a_query_gives_what_pandas_reads() {
    let query =
        "SELECT id, town, price, CAST(rooms AS TEXT) AS rooms, garden, sold FROM sales ORDER BY id";
    let table = read_sqlite(&sales(), query, &[]).unwrap();
    assert_eq!(
        types(&table),
        ["integer", "text", "float", "text", "boolean", "timestamp"]
    );
    assert_eq!(cells(&table), expected("all"));

    let query = "SELECT id, price FROM sales WHERE town = ? AND price > ?";
    let some = read_sqlite(&sales(), query, &["Oslo".into(), (-1i64).into()]).unwrap();
    assert_eq!(cells(&some), expected("some"));

    let query =
        "SELECT town, COUNT(*) AS n, AVG(price) AS mean FROM sales GROUP BY town ORDER BY town";
    let grouped = read_sqlite(&sales(), query, &[]).unwrap();
    assert_eq!(types(&grouped), ["text", "integer", "float"]);
    assert_eq!(cells(&grouped), expected("grouped"));
}

#[test]
fn integers_with_gaps_stay_integers_and_empty_results_have_types() {
    let table = read_sqlite(&sales(), "SELECT rooms FROM sales ORDER BY id", &[]).unwrap();
    let rooms = vec![Some(3i64), None, Some(2), Some(i64::MAX)];
    assert_eq!(table, Table::new([("rooms", rooms.into())]).unwrap());

    let nothing = "SELECT id, town, price, garden, sold, 1 + 1 AS n FROM sales WHERE id > 9";
    let table = read_sqlite(&sales(), nothing, &[]).unwrap();
    assert_eq!(
        types(&table),
        ["integer", "text", "float", "boolean", "timestamp", "float"]
    );
    let empty = read_sqlite(&sales(), "SELECT note FROM sales", &[]).unwrap();
    assert_eq!(
        (types(&empty), empty.column("note").unwrap().n_missing()),
        (vec!["text"], 4)
    );
}

#[test]
fn parameters_are_values_and_never_sql() {
    let moment = Timestamp::parse("2024-02-29T18:30:00Z").unwrap();
    for (query, param, n_rows) in [
        (
            "SELECT id FROM sales WHERE garden = ?1",
            SqlValue::from(true),
            2,
        ),
        ("SELECT id FROM sales WHERE price < ?1", 80.75.into(), 2),
        ("SELECT id FROM sales WHERE sold = ?1", moment.into(), 1),
        ("SELECT id FROM sales WHERE town IS ?1", SqlValue::Null, 1),
        (
            "SELECT id FROM sales WHERE town = ?1",
            "' OR 1 = 1 --".into(),
            0,
        ),
    ] {
        assert_eq!(
            read_sqlite(&sales(), query, &[param]).unwrap().n_rows(),
            n_rows,
            "{query}"
        );
    }
}

#[test]
fn errors_name_the_query_the_row_the_column_and_the_value() {
    let error = fails("SELECT id, photo FROM sales ORDER BY id", &[]).to_string();
    assert!(error.starts_with("row 2 of the query `SELECT id, photo FROM sales ORDER BY id` of `"));
    assert!(error.ends_with("column `photo`: `2 bytes` is a blob, which is no value of a column"));
    for (query, said) in [
        (
            "SELECT CASE id WHEN 3 THEN 'x' ELSE id END AS n FROM sales ORDER BY id",
            "column `n`: `x` is text in a column of numbers",
        ),
        (
            "SELECT CASE id WHEN 3 THEN 1.5 ELSE 'x' END AS n FROM sales ORDER BY id",
            "column `n`: `1.5` is a number in a column of text",
        ),
    ] {
        let error = fails(query, &[]).to_string();
        assert!(
            error.starts_with("row 2 of") && error.ends_with(said),
            "{error}"
        );
    }
    for (query, params, said) in [
        ("SELECT size FROM sales", vec![], "no such column: size"),
        (
            "SELECT 1 WHERE ?1 > 0",
            vec![],
            "Wrong number of parameters",
        ),
        ("SELECT 1", vec![1i64.into()], "Wrong number of parameters"),
        ("DELETE FROM sales", vec![], "readonly database"),
        ("CREATE TABLE x (y)", vec![], "readonly database"),
    ] {
        let error = fails(query, &params);
        assert!(matches!(error, MlError::QueryFailed { .. }), "{error}");
        let text = whole(&error);
        assert!(text.contains(query) && text.contains(said), "{text}");
        assert!(matches!(error.classify(1), Retry::Never));
    }
    let error = fails("SELECT id, town AS id FROM sales", &[]);
    assert!(matches!(error, MlError::DuplicateColumn { .. }), "{error}");
}

#[test]
fn values_that_are_not_of_the_declared_type_are_errors() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.db");
    let database = Connection::open(&file).unwrap();
    let sql = "CREATE TABLE t (b BOOLEAN, d DATE, s DATETIME); INSERT INTO t VALUES \
               (1, '2024-01-01', 1704067200), (2, 'soon', 1704067201)";
    database.execute_batch(sql).unwrap();
    for (column, said) in [
        ("b", "row 1 of the query `SELECT b FROM t` of "),
        ("d", "row 1 of the query `SELECT d FROM t` of "),
    ] {
        let error = read_sqlite(&file, &format!("SELECT {column} FROM t"), &[]).unwrap_err();
        assert!(error.to_string().starts_with(said), "{error}");
    }
    // Whether these are seconds is not for us to guess.
    let seconds = read_sqlite(&file, "SELECT s FROM t", &[]).unwrap();
    assert_eq!(types(&seconds), ["integer"]);
}

#[test]
fn what_is_no_database_is_an_error() {
    let nowhere = read_sqlite(Path::new("nowhere.db"), "SELECT 1", &[]).unwrap_err();
    assert!(matches!(nowhere, MlError::ReadFile { .. }), "{nowhere}");
    assert!(!Path::new("nowhere.db").exists());
    let folder = read_sqlite(&support::here("tests"), "SELECT 1", &[]).unwrap_err();
    assert!(matches!(folder, MlError::NotAFile { .. }), "{folder}");
    let text = read_sqlite(&support::here("Cargo.toml"), "SELECT 1 FROM x", &[]).unwrap_err();
    assert!(
        whole(&text).contains("file is not a database"),
        "{}",
        whole(&text)
    );
}

#[test]
fn a_table_that_is_written_reads_back() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("new.db");
    let moments = [Timestamp::parse("2024-02-29T18:30:00.5Z"), None, None];
    let table = Table::new([
        ("size \"m\"", vec![Some(1.5), None, Some(-3.0)].into()),
        ("rooms", vec![Some(i64::MIN), None, Some(2)].into()),
        ("garden", vec![Some(true), None, Some(false)].into()),
        ("town", vec![Some("Røros"), None, Some("")].into()),
        ("sold", Column::from(moments.to_vec())),
        ("nothing", vec![None::<bool>; 3].into()),
    ])
    .unwrap();
    write_sqlite(&file, "a \"table\"", &table).unwrap();
    let query = "SELECT * FROM \"a \"\"table\"\"\"";
    assert_eq!(read_sqlite(&file, query, &[]).unwrap(), table);

    let error = write_sqlite(&file, "a \"table\"", &table).unwrap_err();
    assert!(
        whole(&error).contains("already exists"),
        "{}",
        whole(&error)
    );
    assert_eq!(read_sqlite(&file, query, &[]).unwrap(), table);
    let nothing = write_sqlite(&file, "none", &Table::default()).unwrap_err();
    assert!(matches!(nothing, MlError::NoFeatures), "{nothing}");
}

#[test]
fn a_locked_database_is_tried_again() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.db");
    let table = Table::new([("n", vec![1i64].into())]).unwrap();
    write_sqlite(&file, "t", &table).unwrap();
    let other = Connection::open(&file).unwrap();
    other.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let error = read_sqlite(&file, "SELECT n FROM t", &[]).unwrap_err();
    assert!(matches!(error.classify(1), Retry::Default), "{error}");
}

#[flow]
async fn towns(file: DataFile, dearer_than: f64) -> Result<usize, TaskError> {
    let query = "SELECT town FROM sales WHERE price > ?1";
    let table = tasks::query_sqlite(file, query, vec![SqlValue::from(dearer_than)]);
    Ok(table.await?.n_rows())
}

#[orch_core::test]
async fn a_query_is_keyed_by_file_and_parameters() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("sales.db");
    std::fs::copy(sales(), &file).unwrap();
    let engine = TestEngine::new().build();
    let cached = async |dearer_than: f64| {
        let run = towns(&file, dearer_than).start(&engine).unwrap();
        let (result, report) = run.finish().await;
        let is_cached = report.task_runs[0].state == State::Cached;
        (result.unwrap(), is_cached)
    };
    assert_eq!(cached(90.0).await, (1, false));
    assert_eq!(cached(90.0).await, (1, true));
    assert_eq!(cached(10.0).await, (2, false));
    let database = Connection::open(&file).unwrap();
    database
        .execute_batch("UPDATE sales SET price = 200")
        .unwrap();
    assert_eq!(cached(90.0).await, (4, false));
}

#[test]
fn changes_that_are_not_in_the_file_are_refused_by_the_task() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("sales.db");
    std::fs::copy(sales(), &file).unwrap();
    let database = Connection::open(&file).unwrap();
    let sql = "PRAGMA journal_mode = WAL; UPDATE sales SET price = 200;";
    database.execute_batch(sql).unwrap();
    let query = "SELECT town FROM sales WHERE price > 150";
    assert_eq!(read_sqlite(&file, query, &[]).unwrap().n_rows(), 4);
    let asked = || tasks::query_sqlite::call(DataFile::new(&file), query, &[]);
    let error = asked().unwrap_err();
    assert!(matches!(error, MlError::PendingChanges { .. }), "{error}");
    database
        .execute_batch("PRAGMA wal_checkpoint(TRUNCATE)")
        .unwrap();
    assert_eq!(asked().unwrap().n_rows(), 4);
}

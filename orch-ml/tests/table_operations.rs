//! Tables sorted, joined, grouped and described, against pandas.

use std::collections::BTreeMap;

use orch_ml::{
    Aggregate, Column, CsvOptions, Join, MlError, Order, Table, Value, parse_csv, read_csv,
};
use proptest::prelude::*;
use serde::Deserialize;
use serde_json::Value as Json;

type Columns = BTreeMap<String, Vec<Json>>;

/// What `reference/tables.py` printed.
#[derive(Deserialize)]
struct Reference {
    describe: Columns,
    describe_texts: Columns,
    sorted: Vec<usize>,
    grouped: Columns,
    inner: Columns,
    left: Columns,
}

fn reference() -> Reference {
    serde_json::from_str(include_str!("reference/tables.json")).unwrap()
}

fn penguins() -> Table {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/data/penguins.csv");
    read_csv(file.as_ref(), &CsvOptions::default()).unwrap()
}

fn table(csv: &str) -> Table {
    parse_csv(csv.as_bytes(), &CsvOptions::default()).unwrap()
}

fn assert_cell(cell: Value<'_>, expected: &Json, at: &str) {
    let is_equal = match cell {
        Value::Missing => expected.is_null(),
        Value::Float(value) => expected
            .as_f64()
            .is_some_and(|expected| (value - expected).abs() <= 1e-9 * expected.abs().max(1.0)),
        Value::Integer(value) => expected.as_f64() == Some(value as f64),
        Value::Text(value) => expected.as_str() == Some(value),
        Value::Boolean(value) => expected.as_bool() == Some(value),
        _ => unreachable!("there are no other values"),
    };
    assert!(is_equal, "{at}: {cell:?}, expected {expected}");
}

fn assert_columns(table: &Table, expected: &Columns) {
    assert_eq!(table.n_columns(), expected.len());
    for (name, column) in table.columns() {
        let expected = &expected[name];
        assert_eq!(column.len(), expected.len(), "{name}");
        for (row_idx, expected) in expected.iter().enumerate() {
            assert_cell(
                column.value(row_idx),
                expected,
                &format!("{name} {row_idx}"),
            );
        }
    }
}

#[test]
fn a_table_is_described_as_by_pandas() {
    assert_columns(&penguins().describe(), &reference().describe);
    assert_columns(&penguins().describe_texts(), &reference().describe_texts);
}

#[test]
fn what_is_not_defined_is_missing_in_a_description() {
    let table = table("one,none\n5,\n");
    let described = table.describe();
    let one = described.column("one").unwrap();
    assert_eq!(one.value(2), Value::Missing, "the deviation of one value");
    assert_eq!(one.value(5), Value::Float(5.0));
    assert_eq!(described.n_rows(), 8);
}

#[test]
fn rows_are_sorted_as_by_pandas_with_gaps_last() {
    let table = penguins();
    let order = [
        ("island", Order::Ascending),
        ("body_mass_g", Order::Descending),
    ];
    let sorted = table.sort_by(&order).unwrap();
    assert_eq!(sorted, table.take_rows(&reference().sorted).unwrap());
    assert!(matches!(
        table.sort_by(&[("mass", Order::Ascending)]),
        Err(MlError::UnknownColumn { .. })
    ));
}

#[test]
fn groups_have_the_aggregates_of_pandas() {
    use Aggregate::*;
    let mass = |aggregate| ("body_mass_g", aggregate);
    let aggregates = [Count, NUnique, First, Min, Max, Sum, Mean, Median, Std].map(mass);
    let grouped = penguins()
        .group_by(&["species", "sex"], &aggregates)
        .unwrap();
    assert_columns(&grouped, &reference().grouped);
}

#[test]
fn groups_of_other_types_are_in_the_order_of_their_keys() {
    let table = table("k,b,x\n10,true,a\n9,false,b\n10,false,\n9,false,a\n");
    let grouped = table
        .group_by(
            &["k"],
            &[
                ("x", Aggregate::Count),
                ("x", Aggregate::Max),
                ("b", Aggregate::Mean),
                ("b", Aggregate::Sum),
            ],
        )
        .unwrap();
    let expected = Table::new([
        ("k", Column::from(vec![9i64, 10])),
        ("x_count", vec![2i64, 1].into()),
        ("x_max", vec!["b", "a"].into()),
        ("b_mean", vec![0.0, 0.5].into()),
        ("b_sum", vec![0i64, 1].into()),
    ]);
    assert_eq!(grouped, expected.unwrap());
}

#[test]
fn groups_of_no_rows_are_no_groups() {
    let none = table("k,x\n1,2\n").filter(&[false]).unwrap();
    let grouped = none.group_by(&["k"], &[("x", Aggregate::Sum)]).unwrap();
    assert_eq!((grouped.n_rows(), grouped.n_columns()), (0, 2));
}

#[test]
fn aggregates_that_cannot_be_say_why() {
    let table = table("k,x\na,text\na,9223372036854775807\n");
    assert!(matches!(
        table.group_by(&["k"], &[("x", Aggregate::Mean)]),
        Err(MlError::NotNumeric { row_idx: 0, .. })
    ));
    let large = parse_csv(b"k,x\na,9223372036854775807\na,1\n", &CsvOptions::default());
    let error = large.unwrap().group_by(&["k"], &[("x", Aggregate::Sum)]);
    assert_eq!(
        error.unwrap_err().to_string(),
        "the sum of the integers in column `x` is too large"
    );
    let twice = [("x", Aggregate::Count), ("x", Aggregate::Count)];
    assert!(matches!(
        table.group_by(&["k"], &twice),
        Err(MlError::DuplicateColumn { .. })
    ));
}

fn islands() -> Table {
    table("island,area_km2,visits\nDream,1.2,3\nBiscoe,12,4\nDream,,5\nAdelie,3,6\n")
}

#[test]
fn joins_give_the_rows_of_pandas() {
    let some: Vec<usize> = (0..344).step_by(40).collect();
    let columns = ["species", "island", "body_mass_g"];
    let some = penguins()
        .select(&columns)
        .unwrap()
        .take_rows(&some)
        .unwrap();
    let reference = reference();
    let joined = some.join(&islands(), "island", Join::Inner).unwrap();
    assert_columns(&joined, &reference.inner);
    let joined = some.join(&islands(), "island", Join::Left).unwrap();
    assert_columns(&joined, &reference.left);
}

#[test]
fn a_missing_key_has_no_match() {
    let left = table("k,a\nx,1\n,2\n");
    let right = table("k,b\n,3\nx,4\n");
    assert_eq!(left.join(&right, "k", Join::Inner).unwrap().n_rows(), 1);
    let joined = left.join(&right, "k", Join::Left).unwrap();
    assert_eq!(joined.column("b").unwrap().value(1), Value::Missing);
}

#[test]
fn joins_that_cannot_be_say_why() {
    let left = table("k,a,f\n1,1,0.5\n");
    let message = |right: &str, key| {
        let error = left.join(&table(right), key, Join::Inner).unwrap_err();
        error.to_string()
    };
    assert_eq!(
        message("k,b\nx,1\n", "k"),
        "column `k` is of type text there, and of type integer here"
    );
    assert_eq!(
        message("f,b\n0.5,1\n", "f"),
        "column `f` holds floats, which are no key: two of them are rarely equal"
    );
    assert!(message("k,a\n1,1\n", "k").contains("column `a` occurs twice"));
    assert!(message("z\n1\n", "k").contains("column `k` is not in the table"));
}

#[test]
fn tables_are_put_below_each_other_by_the_names_of_their_columns() {
    let (first, second) = (table("a,b\n1,x\n,y\n"), table("b,a\nz,2.5\nx,\n"));
    let all = Table::concat(&[&first, &second]).unwrap();
    let expected = Table::new([
        ("a", Column::from(vec![Some(1.0), None, Some(2.5), None])),
        ("b", vec!["x", "y", "z", "x"].into()),
    ]);
    assert_eq!(all, expected.unwrap());
    let whole = Table::concat(&[&first, &first]).unwrap();
    assert_eq!(whole.column("a").unwrap().type_name(), "integer");

    let message = |second: &str| {
        let error = Table::concat(&[&first, &table(second)]).unwrap_err();
        error.to_string()
    };
    assert_eq!(
        message("a,b\n1,true\n"),
        "column `b` is of type boolean there, and of type text here"
    );
    assert!(message("a\n1\n").contains("column `b` is not in the table"));
    assert!(message("a,b,c\n1,x,2\n").contains("column `c` is not in the table"));
    assert!(matches!(Table::concat(&[]), Err(MlError::NoTables)));
}

proptest! {
    #[test]
    fn groups_hold_each_row_once(keys in prop::collection::vec(0..5i64, 1..60)) {
        let values: Vec<i64> = (0..keys.len() as i64).collect();
        let table = Table::new([("k", Column::from(keys.clone())), ("v", values.into())]).unwrap();
        let aggregates = [("v", Aggregate::Count), ("v", Aggregate::Sum), ("v", Aggregate::First)];
        let grouped = table.group_by(&["k"], &aggregates).unwrap();
        let total = |name| grouped.to_vector(name).unwrap().sum() as usize;
        prop_assert_eq!(total("v_count"), keys.len());
        prop_assert_eq!(total("v_sum"), keys.len() * (keys.len() - 1) / 2);
        // The first of a group is where its key occurs first.
        let firsts = grouped.to_vector("v_first").unwrap();
        for (key, first) in grouped.to_vector("k").unwrap().iter().zip(firsts) {
            let at = keys.iter().position(|other| *other as f64 == *key).unwrap();
            prop_assert_eq!(at as f64, first);
        }
    }

    #[test]
    fn sorting_keeps_the_order_of_equal_rows(keys in prop::collection::vec(0..4i64, 1..60)) {
        let values: Vec<i64> = (0..keys.len() as i64).collect();
        let table = Table::new([("k", Column::from(keys)), ("v", values.into())]).unwrap();
        for order in [Order::Ascending, Order::Descending] {
            let sorted = table.sort_by(&[("k", order)]).unwrap();
            let (keys, values) = (sorted.to_vector("k").unwrap(), sorted.to_vector("v").unwrap());
            for row_idx in 1..keys.len() {
                let (before, key) = (keys[row_idx - 1], keys[row_idx]);
                match order {
                    Order::Ascending => prop_assert!(before <= key),
                    Order::Descending => prop_assert!(before >= key),
                }
                prop_assert!(before != key || values[row_idx - 1] < values[row_idx]);
            }
        }
    }
}

//! Tables, what is taken out of them, and splits.

use std::path::Path;

use orch_ml::{
    ClassLabel, Column, CsvOptions, MlError, Split, Table, Value, drop_missing, drop_missing_in,
    missing_counts, parse_csv, read_csv, to_classification_dataset, to_dataset, train_test_rows,
    train_test_split,
};

fn people() -> Table {
    Table::new([
        (
            "age",
            Column::from(vec![Some(59i64), None, Some(72), Some(24)]),
        ),
        ("size", vec![1.5, 1.75, f64::NAN, 1.25].into()),
        ("smokes", vec![true, false, false, true].into()),
        (
            "name",
            vec![Some("Ada"), Some("Ben"), None, Some("Ada")].into(),
        ),
    ])
    .unwrap()
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn penguins() -> Table {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/data/penguins.csv");
    read_csv(&file, &CsvOptions::default()).unwrap()
}

fn check_dataset_error(table: &Table, features: &[&str], target: &str, expected: &str) {
    let error = to_dataset(table, &names(features), target).unwrap_err();
    assert_eq!(error.to_string(), expected);
    assert!(!error.help().is_empty());
}

#[test]
fn columns_are_selected_dropped_and_renamed_without_a_copy() {
    let table = people();
    assert_eq!(
        table.select(&["name", "age"]).unwrap().column_names(),
        ["name", "age"]
    );
    assert_eq!(
        table.drop(&["size", "name"]).unwrap().column_names(),
        ["age", "smokes"]
    );
    let renamed = table.rename("size", "height").unwrap();
    let (Column::Float(before), Column::Float(after)) = (
        table.column("size").unwrap(),
        renamed.column("height").unwrap(),
    ) else {
        panic!("not floats")
    };
    assert!(std::sync::Arc::ptr_eq(before, after));
    assert_eq!(table.rename("age", "age").unwrap(), table);
    assert!(matches!(
        table.rename("age", "name"),
        Err(MlError::DuplicateColumn { .. })
    ));
    assert!(matches!(
        table.select(&["age", "age"]),
        Err(MlError::DuplicateColumn { .. })
    ));
}

#[test]
fn an_unknown_column_is_answered_with_the_nearest_and_the_others() {
    assert_eq!(
        people().column("Smoke").unwrap_err().to_string(),
        "column `Smoke` is not in the table (did you mean `smokes`? its columns: `age`, `size`, \
         `smokes`, `name`)"
    );
    assert_eq!(
        people().drop(&["income"]).unwrap_err().to_string(),
        "column `income` is not in the table (its columns: `age`, `size`, `smokes`, `name`)"
    );
}

#[test]
fn rows_are_taken_by_mask_by_index_and_from_the_front() {
    let table = people();
    let ages = |table: &Table| {
        let column = table.column("age").unwrap();
        (0..table.n_rows())
            .map(|row| column.value(row).to_string())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        ages(&table.filter(&[true, true, false, true]).unwrap()),
        ["59", "", "24"]
    );
    assert_eq!(
        ages(&table.take_rows(&[3, 0, 3]).unwrap()),
        ["24", "59", "24"]
    );
    assert_eq!(ages(&table.head(2)), ["59", ""]);
    assert_eq!(table.head(9), table);
    assert!(matches!(
        table.filter(&[true]),
        Err(MlError::LengthMismatch { .. })
    ));
    assert!(matches!(
        table.take_rows(&[4]),
        Err(MlError::InvalidOption { .. })
    ));
}

#[test]
fn rows_with_null_or_nan_are_dropped() {
    let table = people();
    let kept = drop_missing(&table).unwrap();
    assert_eq!(kept, table.take_rows(&[0, 3]).unwrap());
    assert_eq!(
        drop_missing_in(&table, &names(&["age"])).unwrap().n_rows(),
        3
    );
    let counts: Vec<usize> = missing_counts(&table)
        .into_iter()
        .map(|(_, count)| count)
        .collect();
    assert_eq!(counts, [1, 1, 0, 1]);
}

#[test]
fn a_table_of_incomplete_rows_names_the_column_that_misses_most() {
    let table = parse_csv(b"a,b\n1,\n,NA\n3,\n", &CsvOptions::default()).unwrap();
    assert_eq!(
        drop_missing(&table).unwrap_err().to_string(),
        "all 3 rows of the table have a missing value (column `b` alone misses 3)"
    );
    assert_eq!(table.drop_missing().n_rows(), 0);
}

#[test]
fn uneven_and_repeated_columns_make_no_table() {
    let uneven = Table::new([("a", Column::from(vec![1.0])), ("b", vec![1.0, 2.0].into())]);
    assert_eq!(
        uneven.unwrap_err().to_string(),
        "column `b` has 2 rows, the columns before it have 1"
    );
    let twice = Table::new([("a", Column::from(vec![1.0])), ("a", vec![2.0].into())]);
    assert_eq!(
        twice.unwrap_err().to_string(),
        "column `a` occurs twice in the table"
    );
}

#[test]
fn numbers_become_a_matrix_in_the_order_asked_for() {
    let table = people().take_rows(&[0, 3]).unwrap();
    let matrix = table.to_matrix(&["smokes", "age", "size"]).unwrap();
    assert_eq!(
        matrix,
        orch_ml::ndarray::array![[1.0, 59.0, 1.5], [1.0, 24.0, 1.25]]
    );
    assert!(matrix.is_standard_layout());
}

#[test]
fn a_dataset_is_refused_with_column_row_and_value() {
    let table = people();
    check_dataset_error(
        &table,
        &["smokes", "name"],
        "smokes2",
        "column `smokes2` is not in the table (did you mean `smokes`? its columns: `age`, `size`, \
         `smokes`, `name`)",
    );
    check_dataset_error(
        &table,
        &["name"],
        "smokes",
        "column `name` of the table holds text where numbers are needed: row 0 is `Ada`",
    );
    check_dataset_error(
        &table,
        &["age"],
        "smokes",
        "column `age` of the table has a missing value at row 1",
    );
    check_dataset_error(
        &table,
        &["smokes"],
        "size",
        "column `size` of the table has a missing value at row 2",
    );
    check_dataset_error(
        &table,
        &["age"],
        "age",
        "column `age` is both the target and a feature",
    );
    check_dataset_error(
        &table,
        &[],
        "age",
        "no feature columns are given, expected at least 1",
    );
    check_dataset_error(&table.head(0), &["age"], "size", "the table has no rows");
    let typo = parse_csv(b"x,y\n1,2\n2,3\n4O,5\n", &CsvOptions::default()).unwrap();
    check_dataset_error(
        &typo,
        &["x"],
        "y",
        "column `x` of the table holds text where numbers are needed: row 2 is `4O`",
    );
    let infinite = parse_csv(b"x,y\n1,2\n-inf,3\n", &CsvOptions::default()).unwrap();
    check_dataset_error(
        &infinite,
        &["x"],
        "y",
        "column `x` is -inf at row 1, expected a finite number",
    );
}

#[test]
fn labels_are_text_booleans_or_whole_numbers() {
    let text = b"x,a,b,c,d\n1,z,2.0,true,0.5\n2,y,-1.0,false,1\n3,z,2,true,2\n";
    let table = parse_csv(text, &CsvOptions::default()).unwrap();
    let classes = |target| {
        let dataset = to_classification_dataset(&table, &names(&["x"]), target)?;
        Ok::<_, MlError>((dataset.targets().to_vec(), dataset.classes().to_vec()))
    };
    assert_eq!(
        classes("a").unwrap(),
        (vec![1, 0, 1], vec!["y".into(), "z".into()])
    );
    assert_eq!(
        classes("b").unwrap(),
        (vec![1, 0, 1], vec![(-1).into(), ClassLabel::Integer(2)])
    );
    assert_eq!(
        classes("c").unwrap(),
        (vec![1, 0, 1], vec![false.into(), true.into()])
    );
    assert_eq!(
        classes("d").unwrap_err().to_string(),
        "label column `d` is 0.5 at row 0, expected a whole number or text"
    );
}

#[test]
fn a_split_has_the_sizes_of_scikit_learn_and_loses_no_row() {
    // sklearn 1.9.1 train_test_split: n_test = ceil(n * test_size)
    for (n_rows, fraction, expected) in [(10, 0.25, 3), (2, 0.1, 1), (442, 0.2, 89), (7, 0.5, 4)] {
        let (mut train, test) = train_test_rows(n_rows, fraction, 1).unwrap();
        assert_eq!(test.len(), expected);
        train.extend(&test);
        train.sort_unstable();
        assert_eq!(train, (0..n_rows).collect::<Vec<_>>());
    }
}

#[test]
fn a_seed_means_the_same_rows_for_ever() {
    // Pinned: a change would silently move rows between the training and the test of users.
    let (train, test) = train_test_rows(10, 0.3, 42).unwrap();
    assert_eq!(train, [3, 7, 5, 4, 6, 8, 0]);
    assert_eq!(test, [2, 1, 9]);
    assert_ne!(train_test_rows(10, 0.3, 43).unwrap().1, test);
}

#[test]
fn a_table_and_its_datasets_are_split_into_the_same_rows() {
    let table = penguins().drop_missing();
    let features = names(&["bill_length_mm", "year"]);
    let numbers = to_dataset(&table, &features, "body_mass_g").unwrap();
    let classes = to_classification_dataset(&table, &features, "species").unwrap();
    let split = Split::random(0.2).seed(7);
    let (train, test) = train_test_split(&table, &split).unwrap();
    let expected = (
        to_dataset(&train, &features, "body_mass_g").unwrap(),
        to_dataset(&test, &features, "body_mass_g").unwrap(),
    );
    let (train, test) = train_test_split(&numbers, &split).unwrap();
    assert_eq!((train.into_inner(), test.into_inner()), expected);
    let (train_classes, test_classes) = train_test_split(&classes, &split).unwrap();
    assert_eq!(train_classes.records(), expected.0.records());
    assert_eq!(test_classes.records(), expected.1.records());
    assert_eq!(test_classes.classes().len(), 3);
}

#[test]
fn fractions_out_of_range_and_splits_with_an_empty_side_are_refused() {
    for fraction in [0.0, 1.0, 1.2, -0.1, f64::NAN, f64::INFINITY] {
        let error = train_test_rows(10, fraction, 0).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!(
                "`test_fraction` is {fraction}, expected a value between 0 and 1, neither included"
            )
        );
    }
    assert_eq!(
        train_test_rows(1, 0.5, 0).unwrap_err().to_string(),
        "1 row with `test_fraction` 0.5 leave 0 for training and 1 for testing"
    );
    assert!(matches!(
        train_test_rows(0, 0.5, 0),
        Err(MlError::TooFewRows { .. })
    ));
    assert!(matches!(
        train_test_rows(3, 0.9, 0),
        Err(MlError::TooFewRows { n_train: 0, .. })
    ));
}

#[test]
fn a_table_survives_serialization_and_damage_to_it_is_an_error() {
    let table = penguins();
    let bytes = serde_json::to_string(&people()).unwrap();
    // JSON has no NaN: the missing size makes this an error rather than a wrong number.
    assert!(serde_json::from_str::<Table>(&bytes).is_err());
    let columns = table.drop(&["bill_length_mm", "bill_depth_mm"]).unwrap();
    let text = serde_json::to_string(&columns).unwrap();
    assert_eq!(serde_json::from_str::<Table>(&text).unwrap(), columns);
    let shorter = text.replacen("\"n_rows\":344", "\"n_rows\":345", 1);
    assert!(serde_json::from_str::<Table>(&shorter).is_err());
    let wrong_code = text.replacen("\"codes\":[0", "\"codes\":[77", 1);
    assert!(serde_json::from_str::<Table>(&wrong_code).is_err());
}

#[test]
fn a_wide_and_long_table_is_shown_by_its_edges() {
    let columns = (0..30).map(|column| {
        (
            format!("column_{column}"),
            Column::from((0..40i64).collect::<Vec<_>>()),
        )
    });
    let table = Table::new(columns).unwrap();
    let shown = table.to_string();
    assert!(
        shown.lines().all(|line| line.chars().count() <= 80),
        "{shown}"
    );
    assert!(
        shown.contains("column_0 ") && shown.contains("column_29"),
        "{shown}"
    );
    assert!(shown.ends_with("[40 rows x 30 columns]"), "{shown}");
    assert_eq!(shown.lines().count(), 14);
}

#[test]
fn a_small_table_is_shown_whole() {
    assert_eq!(
        people().to_string(),
        "    age   size   smokes  name\n\
         integer  float  boolean  text\n     59    1.5     true   Ada\n      -   1.75    false   Ben\n     \
         72      -    false     -\n     24   1.25     true   Ada\n[4 rows x 4 columns]"
    );
    assert_eq!(people().column("age").unwrap().value(1), Value::Missing);
}

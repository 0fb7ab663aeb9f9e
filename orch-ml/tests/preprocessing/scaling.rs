//! Scalers against scikit-learn.

use orch_ml::{Column, MinMaxScaler, MlError, RobustScaler, StandardColumn, StandardScaler, Table};
use proptest::prelude::*;

use crate::reference::{check_all_close, check_matrix, column, data, numbers, reference};
use crate::{SIZES, body};

fn check_standard(name: &str, table: &Table, columns: &[String]) {
    let expected = reference(name);
    let scaler = StandardScaler::fit(table, columns).unwrap();
    let of =
        |of: fn(&StandardColumn) -> f64| -> Vec<f64> { scaler.columns().iter().map(of).collect() };
    check_all_close(&of(|column| column.mean), &numbers(&expected["mean"]), name);
    check_all_close(
        &of(|column| column.variance),
        &numbers(&expected["variance"]),
        name,
    );
    check_all_close(
        &of(|column| column.scale),
        &numbers(&expected["scale"]),
        name,
    );
    check_matrix(&scaler.apply(table).unwrap(), &expected["matrix"]);
}

#[test]
fn standard_scaling_is_that_of_scikit_learn() {
    let sizes = SIZES.map(str::to_owned);
    check_standard("standard_penguins", &data("penguins"), &sizes);
    check_standard("standard_diabetes", &data("diabetes"), &body());
}

#[test]
fn columns_count_as_constant_where_they_do_in_scikit_learn() {
    let expected = reference("standard_constant");
    let rows: Vec<Vec<f64>> = expected["cells"]
        .as_array()
        .unwrap()
        .iter()
        .map(numbers)
        .collect();
    let columns = (0..4).map(|at| {
        let cells: Vec<f64> = rows.iter().map(|row| row[at]).collect();
        (format!("c{at}"), Column::from(cells))
    });
    let table = Table::new(columns).unwrap();
    let scaler = StandardScaler::fit(&table, table.column_names()).unwrap();
    let scales: Vec<f64> = scaler.columns().iter().map(|column| column.scale).collect();
    check_all_close(&scales, &numbers(&expected["scale"]), "scale");

    let constant = table.select(&["c3"]).unwrap();
    let scaled = MinMaxScaler::fit(&constant, &["c3"], (2.0, 3.0))
        .unwrap()
        .apply(&constant);
    assert_eq!(column(&scaled.unwrap(), "c3")[0], Some(2.0));
    let scaled = RobustScaler::fit(&constant, &["c3"], (0.25, 0.75))
        .unwrap()
        .apply(&constant);
    assert_eq!(column(&scaled.unwrap(), "c3")[0], Some(0.0));
}

#[test]
fn scaling_into_a_range_is_that_of_scikit_learn() {
    let (table, expected) = (data("penguins"), reference("min_max"));
    let scaler = MinMaxScaler::fit(&table, &SIZES, (-1.0, 2.0)).unwrap();
    let min: Vec<f64> = scaler.columns().iter().map(|column| column.min).collect();
    let max: Vec<f64> = scaler.columns().iter().map(|column| column.max).collect();
    assert_eq!(min, numbers(&expected["min"]));
    assert_eq!(max, numbers(&expected["max"]));
    check_matrix(&scaler.apply(&table).unwrap(), &expected["matrix"]);
}

#[test]
fn robust_scaling_is_that_of_scikit_learn() {
    let table = data("penguins");
    for (name, range) in [
        ("robust_quartiles", (0.25, 0.75)),
        ("robust_deciles", (0.1, 0.9)),
    ] {
        let expected = reference(name);
        let scaler = RobustScaler::fit(&table, &SIZES, range).unwrap();
        let median: Vec<f64> = scaler
            .columns()
            .iter()
            .map(|column| column.median)
            .collect();
        let scale: Vec<f64> = scaler.columns().iter().map(|column| column.scale).collect();
        check_all_close(&median, &numbers(&expected["median"]), name);
        check_all_close(&scale, &numbers(&expected["scale"]), name);
        check_matrix(&scaler.apply(&table).unwrap(), &expected["matrix"]);
    }
}

#[test]
fn scalers_refuse_what_they_cannot_scale() {
    let table = Table::new([
        ("x", vec![1.0, f64::INFINITY].into()),
        ("empty", vec![f64::NAN, f64::NAN].into()),
        ("word", vec![Some("1"), Some("two")].into()),
        ("huge", Column::from(vec![-1e308, 1e308])),
    ])
    .unwrap();
    let error = |name: &str| {
        StandardScaler::fit(&table, &[name])
            .unwrap_err()
            .to_string()
    };
    assert_eq!(
        error("x"),
        "column `x` is inf at row 1, expected a finite number"
    );
    assert_eq!(
        error("empty"),
        "column `empty` of the table has no value to take the mean of"
    );
    assert_eq!(
        error("word"),
        "column `word` of the table holds text where numbers are needed: row 1 is `two`"
    );
    assert_eq!(
        error("huge"),
        "the variance of column `huge` is not a finite number: its values are too large"
    );
    assert!(error("y").starts_with("column `y` is not in the table"));
    let none: [&str; 0] = [];
    assert!(matches!(
        StandardScaler::fit(&table, &none),
        Err(MlError::NoFeatures)
    ));
    assert!(matches!(
        StandardScaler::fit(&table.head(0), &["x"]),
        Err(MlError::NoRows { .. })
    ));
    for range in [(1.0, 1.0), (0.0, f64::NAN), (0.0, f64::INFINITY)] {
        let error = MinMaxScaler::fit(&table, &["huge"], range).unwrap_err();
        assert!(matches!(
            error,
            MlError::InvalidOption { name: "range", .. }
        ));
    }
    let error = RobustScaler::fit(&table, &["huge"], (0.25, 75.0)).unwrap_err();
    assert!(matches!(
        error,
        MlError::InvalidOption {
            name: "quantile_range",
            ..
        }
    ));
}

proptest! {
    #[test]
    fn scaled_columns_are_brought_back(
        cells in prop::collection::vec(prop::option::of(-1e6f64..1e6), 2..30),
    ) {
        prop_assume!(cells.iter().any(Option::is_some));
        let table = Table::new([("x", Column::from(cells.clone()))]).unwrap();
        let standard = StandardScaler::fit(&table, &["x"]).unwrap();
        let min_max = MinMaxScaler::fit(&table, &["x"], (-3.0, 4.0)).unwrap();
        let robust = RobustScaler::fit(&table, &["x"], (0.25, 0.75)).unwrap();
        let back = [
            standard.inverse(&standard.apply(&table).unwrap()).unwrap(),
            min_max.inverse(&min_max.apply(&table).unwrap()).unwrap(),
            robust.inverse(&robust.apply(&table).unwrap()).unwrap(),
        ];
        for back in back {
            for (found, expected) in column(&back, "x").into_iter().zip(&cells) {
                match (found, expected) {
                    // Rounding is of the size of the largest value, not of each.
                    (Some(found), Some(expected)) => prop_assert!((found - expected).abs() < 1e-6),
                    (found, expected) => prop_assert_eq!(found, *expected),
                }
            }
        }
        let scaled: Vec<f64> =
            column(&min_max.apply(&table).unwrap(), "x").into_iter().flatten().collect();
        prop_assert!(scaled.iter().all(|value| (-3.0 - 1e-9..=4.0 + 1e-9).contains(value)));
    }
}

//! Cleaning of tables against scikit-learn and pandas.

#[path = "reference/preprocessing.rs"]
mod reference;

use orch_ml::{
    ClipBounds, Clipper, Column, FillValue, ImputeOptions, ImputeStrategy, Imputer, Keep, MlError,
    Table, Value, clip, drop_duplicates, drop_duplicates_in, impute, missing_counts,
};
use proptest::prelude::*;
use reference::{check_all_close, check_matrix, column, data, numbers, reference};

const SIZES: [&str; 4] = [
    "bill_length_mm",
    "bill_depth_mm",
    "flipper_length_mm",
    "body_mass_g",
];

fn owned(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn with_indicator(strategy: ImputeStrategy) -> ImputeOptions {
    ImputeOptions {
        strategy,
        add_indicator: true,
    }
}

fn numeric_fill(imputer: &Imputer) -> Vec<f64> {
    let fills = imputer.columns().iter();
    fills
        .map(|column| match column.fill {
            FillValue::Float(value) => value,
            FillValue::Integer(value) => value as f64,
            ref other => panic!("{other:?}"),
        })
        .collect()
}

#[test]
fn imputed_penguins_are_those_of_scikit_learn() {
    let penguins = data("penguins");
    for (name, strategy) in [
        ("impute_mean", ImputeStrategy::Mean),
        ("impute_median", ImputeStrategy::Median),
        ("impute_most_frequent", ImputeStrategy::MostFrequent),
    ] {
        let expected = reference(name);
        let imputer = Imputer::fit(&penguins, &SIZES, with_indicator(strategy)).unwrap();
        check_all_close(&numeric_fill(&imputer), &numbers(&expected["fill"]), name);
        let imputed = imputer.apply(&penguins).unwrap();
        check_matrix(&imputed, &expected["matrix"]);
        assert_eq!(
            imputed.column_names()[8..],
            imputer.feature_names_out()[4..]
        );
        assert_eq!(imputed.n_columns(), 12);
    }
    let constant = ImputeStrategy::Constant((-1.5).into());
    let imputed = impute(&penguins, &owned(&SIZES), constant).unwrap();
    check_matrix(&imputed, &reference("impute_constant"));
}

#[test]
fn the_most_frequent_text_is_that_of_scikit_learn() {
    let penguins = data("penguins");
    let expected = reference("impute_sex");
    let imputer = Imputer::fit(&penguins, &["sex"], ImputeStrategy::MostFrequent).unwrap();
    let fill = &imputer.columns()[0];
    assert_eq!(fill.fill, expected["fill"].as_str().unwrap().into());
    assert_eq!(fill.n_missing, 11);
    let imputed = imputer.apply(&penguins).unwrap();
    let sex = imputed.column("sex").unwrap();
    let n_male = (0..344)
        .filter(|row| sex.value(*row) == Value::Text("male"))
        .count();
    assert_eq!(n_male as u64, expected["n_male"].as_u64().unwrap());
}

#[test]
fn of_equally_frequent_values_the_smallest_is_imputed() {
    let expected = reference("impute_ties");
    let numbers = vec![3.0, 1.0, 3.0, 1.0, 2.0, f64::NAN];
    let texts = vec![Some("b"), Some("a"), Some("b"), Some("a"), Some("B"), None];
    let integers = vec![Some(3i64), Some(1), Some(3), Some(1), Some(2), None];
    let flags = vec![Some(true), Some(false), None, None, None, None];
    let table = Table::new([
        ("numbers", numbers.into()),
        ("texts", texts.into()),
        ("integers", integers.into()),
        ("flags", Column::from(flags)),
    ])
    .unwrap();
    let imputer = Imputer::fit(&table, table.column_names(), ImputeStrategy::MostFrequent).unwrap();
    let fills: Vec<FillValue> = imputer.columns().iter().map(|c| c.fill.clone()).collect();
    let number = expected["numbers"].as_f64().unwrap();
    assert_eq!(fills[0], number.into());
    assert_eq!(fills[1], expected["texts"].as_str().unwrap().into());
    assert_eq!(fills[2], FillValue::Integer(number as i64));
    assert_eq!(fills[3], false.into());
}

#[test]
fn imputing_keeps_the_type_of_a_column_where_the_value_allows() {
    let table = Table::new([
        ("age", vec![Some(30i64), None].into()),
        ("town", vec![Some("Oslo"), None].into()),
        ("garden", vec![Some(true), None].into()),
        ("empty", vec![f64::NAN, f64::NAN].into()),
    ])
    .unwrap();
    let constant = |name: &str, value: FillValue| {
        impute(&table, &owned(&[name]), ImputeStrategy::Constant(value))
            .map(|table| table.column(name).unwrap().clone())
    };
    assert_eq!(constant("age", 7.0.into()).unwrap(), vec![30i64, 7].into());
    assert_eq!(constant("age", 7.5.into()).unwrap(), vec![30.0, 7.5].into());
    assert_eq!(
        constant("town", "-".into()).unwrap(),
        vec!["Oslo", "-"].into()
    );
    assert_eq!(
        constant("garden", false.into()).unwrap(),
        vec![true, false].into()
    );
    assert_eq!(
        constant("empty", "-".into()).unwrap(),
        vec!["-", "-"].into()
    );
    let error = constant("town", 1.0.into()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "column `town` of the table is text, expected numbers, as the value to impute"
    );
    assert!(matches!(
        constant("age", f64::NAN.into()),
        Err(MlError::InvalidOption { .. })
    ));
    let mean = impute(&table, &owned(&["empty"]), ImputeStrategy::Mean).unwrap_err();
    assert_eq!(
        mean.to_string(),
        "column `empty` of the table has no value to take the mean of"
    );
    let text = impute(&table, &owned(&["town"]), ImputeStrategy::Median).unwrap_err();
    assert!(matches!(text, MlError::NotNumeric { .. }));
    let endless = vec![f64::INFINITY, f64::INFINITY, f64::NAN];
    let endless = Table::new([("x", Column::from(endless))]).unwrap();
    for strategy in [ImputeStrategy::MostFrequent, ImputeStrategy::Mean] {
        let error = impute(&endless, &owned(&["x"]), strategy).unwrap_err();
        assert!(matches!(error, MlError::NotFinite { row_idx: 0, .. }));
    }
}

#[test]
fn only_columns_with_gaps_in_the_rows_fitted_to_get_an_indicator() {
    let train = Table::new([
        ("a", vec![1.0, f64::NAN].into()),
        ("b", vec![1.0, 2.0].into()),
    ]);
    let other = Table::new([
        ("a", vec![1.0, 2.0].into()),
        ("b", vec![1.0, f64::NAN].into()),
    ]);
    let options = with_indicator(ImputeStrategy::Mean);
    let imputer = Imputer::fit(&train.unwrap(), &["a", "b"], options).unwrap();
    let imputed = imputer.apply(&other.unwrap()).unwrap();
    assert_eq!(imputed.column_names(), ["a", "b", "a_missing"]);
    assert_eq!(column(&imputed, "a_missing"), [Some(0.0), Some(0.0)]);
    assert_eq!(column(&imputed, "b"), [Some(1.0), Some(1.5)]);
}

#[test]
fn values_are_clipped_at_the_quantiles_of_pandas() {
    let expected = reference("clip");
    let bounds = ClipBounds::Quantiles {
        lower: 0.05,
        upper: 0.95,
    };
    let clipper = Clipper::fit(&data("penguins"), &SIZES, bounds).unwrap();
    let of = |bound: fn(&orch_ml::ClippedColumn) -> Option<f64>| -> Vec<f64> {
        clipper
            .columns()
            .iter()
            .map(|column| bound(column).unwrap())
            .collect()
    };
    check_all_close(
        &of(|column| column.lower),
        &numbers(&expected["lower"]),
        "lower",
    );
    check_all_close(
        &of(|column| column.upper),
        &numbers(&expected["upper"]),
        "upper",
    );
    check_matrix(
        &clipper.apply(&data("penguins")).unwrap(),
        &expected["matrix"],
    );
}

#[test]
fn bounds_out_of_order_are_refused() {
    let table = Table::new([("x", vec![1.0, 2.0].into())]).unwrap();
    for bounds in [
        ClipBounds::Values {
            lower: Some(2.0),
            upper: Some(1.0),
        },
        ClipBounds::Values {
            lower: Some(f64::NAN),
            upper: None,
        },
        ClipBounds::Quantiles {
            lower: -0.1,
            upper: 1.0,
        },
        ClipBounds::Quantiles {
            lower: 0.5,
            upper: f64::NAN,
        },
    ] {
        let error = clip(&table, &owned(&["x"]), bounds).unwrap_err();
        assert!(matches!(
            error,
            MlError::InvalidOption { name: "bounds", .. }
        ));
    }
    let open = ClipBounds::Values {
        lower: None,
        upper: Some(1.5),
    };
    let clipped = clip(&table, &owned(&["x"]), open).unwrap();
    assert_eq!(column(&clipped, "x"), [Some(1.0), Some(1.5)]);
}

#[test]
fn the_rows_that_stay_without_duplicates_are_those_of_pandas() {
    let penguins = data("penguins");
    let expected = reference("duplicates");
    let x = vec![1.0, -0.0, 1.0, f64::NAN, 0.0, f64::NAN, 1.0];
    let y = vec![
        Some("a"),
        Some("b"),
        Some("a"),
        None,
        Some("b"),
        None,
        Some("b"),
    ];
    let repeated = Table::new([("x", x.into()), ("y", Column::from(y))]).unwrap();
    for (suffix, keep) in [("first", Keep::First), ("last", Keep::Last)] {
        let check = |name: &str, found: Table, all: &Table| {
            let rows: Vec<usize> = numbers(&expected[format!("{name}_{suffix}")])
                .into_iter()
                .map(|row_idx| row_idx as usize)
                .collect();
            assert_eq!(found, all.take_rows(&rows).unwrap(), "{name} {suffix}");
        };
        let of = |columns: &[&str]| drop_duplicates_in(&penguins, &owned(columns), keep).unwrap();
        check("penguins", of(&["species", "island", "sex"]), &penguins);
        check("year_and_sex", of(&["sex", "year"]), &penguins);
        check("mass", of(&["body_mass_g", "bill_depth_mm"]), &penguins);
        check("repeated", drop_duplicates(&repeated, keep), &repeated);
    }
    assert!(matches!(
        drop_duplicates_in(&penguins, &[], Keep::First),
        Err(MlError::NoFeatures)
    ));
    assert!(matches!(
        drop_duplicates_in(&penguins, &owned(&["weight"]), Keep::First),
        Err(MlError::UnknownColumn { .. })
    ));
}

#[test]
fn messages_about_imputed_tables_name_the_rows_of_the_file() {
    let penguins = data("penguins");
    let rows: Vec<usize> = (100..344).collect();
    let some = penguins.take_rows(&rows).unwrap();
    let imputed = impute(&some, &owned(&SIZES), ImputeStrategy::Mean).unwrap();
    // Row 178 is the first from 100 on whose sex is missing, by pandas.
    let error = orch_ml::to_classification_dataset(&imputed, &owned(&SIZES), "sex").unwrap_err();
    let MlError::MissingValue { row_idx, table, .. } = error else {
        panic!("{error}");
    };
    assert_eq!(row_idx, 178);
    assert!(table.path().unwrap().ends_with("penguins.csv"));
}

proptest! {
    #[test]
    fn an_imputed_table_has_no_gaps_and_keeps_what_was_there(
        floats in prop::collection::vec(prop::option::of(-1e6f64..1e6), 1..40),
        seed in 0usize..40,
    ) {
        prop_assume!(floats.iter().any(Option::is_some));
        let shifted = |by: usize| floats.iter().cycle().skip(by).take(floats.len());
        let integers: Vec<Option<i64>> =
            shifted(seed).map(|value| value.map(|value| value as i64)).collect();
        let texts: Vec<Option<String>> =
            shifted(2 * seed).map(|value| value.map(|value| format!("{value:.0}"))).collect();
        let texts: Vec<Option<&str>> = texts.iter().map(Option::as_deref).collect();
        let table = Table::new([
            ("floats", Column::from(floats.clone())),
            ("integers", integers.into()),
            ("texts", texts.into()),
        ]).unwrap();
        let names = table.column_names().to_vec();
        let imputed = impute(&table, &names, ImputeStrategy::MostFrequent).unwrap();
        for strategy in [ImputeStrategy::Mean, ImputeStrategy::Median] {
            let imputed = impute(&imputed, &names[..2], strategy).unwrap();
            prop_assert!(missing_counts(&imputed).iter().all(|(_, n_missing)| *n_missing == 0));
        }
        prop_assert!(missing_counts(&imputed).iter().all(|(_, n_missing)| *n_missing == 0));
        for (name, before) in table.columns() {
            let after = imputed.column(name).unwrap();
            prop_assert_eq!(after.type_name(), before.type_name());
            for row_idx in 0..table.n_rows() {
                let value = before.value(row_idx);
                prop_assert!(value == Value::Missing || after.value(row_idx) == value);
            }
        }
    }

    #[test]
    fn without_duplicates_every_row_occurs_once_and_none_is_lost(
        cells in prop::collection::vec((0i64..3, prop::option::of(0i64..3)), 0..40),
    ) {
        let (a, b): (Vec<i64>, Vec<Option<i64>>) = cells.iter().copied().unzip();
        let table = Table::new([("a", Column::from(a)), ("b", b.into())]).unwrap();
        let rows = |table: &Table| -> Vec<_> {
            column(table, "a").into_iter().zip(column(table, "b"))
                .map(|cells| format!("{cells:?}")).collect()
        };
        for keep in [Keep::First, Keep::Last] {
            let mut found = rows(&drop_duplicates(&table, keep));
            let mut expected = rows(&table);
            expected.sort();
            expected.dedup();
            found.sort();
            prop_assert_eq!(found, expected);
        }
    }
}

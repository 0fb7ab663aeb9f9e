//! Steps in a row against `ColumnTransformer` and `Pipeline` of scikit-learn.

use orch_ml::{
    BinStrategy, ClipBounds, Column, ColumnKind, Components, DatePart, DropCategory,
    FittedPreprocessor, FittedStep, HandleUnknown, ImputeOptions, ImputeStrategy, MlError,
    OneHotOptions, OrdinalOptions, PcaOptions, PolynomialOptions, Preprocessor, Scaling, Table,
    fit_linear, missing_counts, to_dataset,
};

use crate::SIZES;
use crate::reference::{check_matrix, column, data, names, reference};

fn preprocessor() -> Preprocessor {
    let drop = DropCategory::IfBinary;
    Preprocessor::new()
        .impute(SIZES, ImputeStrategy::Median)
        .impute(["island", "sex"], ImputeStrategy::MostFrequent)
        .scale(SIZES, Scaling::Standard)
        .one_hot(
            ["island", "sex"],
            OneHotOptions {
                drop,
                ..OneHotOptions::default()
            },
        )
        .scale(["year"], Scaling::MinMax(0.0, 1.0))
}

/// Every fifth row is for testing.
fn train_and_test() -> (Table, Table) {
    let penguins = data("penguins");
    let rows = |is_test: bool| -> Vec<usize> {
        (0..344)
            .filter(|row_idx| (row_idx % 5 == 0) == is_test)
            .collect()
    };
    let (train, test) = (rows(false), rows(true));
    (
        penguins.take_rows(&train).unwrap(),
        penguins.take_rows(&test).unwrap(),
    )
}

#[test]
fn steps_in_a_row_make_what_those_of_scikit_learn_make() {
    let (train, test) = train_and_test();
    let expected = reference("together");
    let (fitted, ready) = preprocessor().fit_apply(&train).unwrap();
    check_matrix(&ready, &expected["train"]);
    check_matrix(&fitted.apply(&test).unwrap(), &expected["test"]);
    assert_eq!(fitted.apply(&train).unwrap(), ready);

    let mut found = fitted.feature_names_out().to_vec();
    let mut expected = names(&expected["train"]["columns"]);
    found.sort();
    expected.sort();
    assert_eq!(found, expected);
}

#[test]
fn features_are_in_the_order_of_the_table_and_the_target_stays_beside_them() {
    let (train, test) = train_and_test();
    let fitted = preprocessor().fit(&train).unwrap();
    let features = [
        "island_Biscoe",
        "island_Dream",
        "island_Torgersen",
        "bill_length_mm",
        "bill_depth_mm",
        "flipper_length_mm",
        "body_mass_g",
        "sex_male",
        "year",
    ];
    assert_eq!(fitted.feature_names_out(), features);
    let ready = fitted.apply(&test).unwrap();
    assert_eq!(ready.column_names()[0], "species");
    assert_eq!(&ready.column_names()[1..], features);
    assert!(
        missing_counts(&ready)
            .iter()
            .all(|(_, n_missing)| *n_missing == 0)
    );
    let dataset = to_dataset(&ready, &fitted.feature_names_out()[..6], "body_mass_g").unwrap();
    assert_eq!(fit_linear(&dataset).unwrap().rank(), 5);
}

#[test]
fn columns_are_matched_by_name_and_others_may_be_absent() {
    let (train, test) = train_and_test();
    let fitted = preprocessor().fit(&train).unwrap();
    let mut reversed = test.column_names().to_vec();
    reversed.reverse();
    let other = test.select(&reversed).unwrap().drop(&["species"]).unwrap();
    let (expected, found) = (fitted.apply(&test).unwrap(), fitted.apply(&other).unwrap());
    let features = fitted.feature_names_out();
    assert_eq!(
        found.select(features).unwrap(),
        expected.select(features).unwrap()
    );
}

#[test]
fn a_table_with_another_schema_is_refused() {
    let (train, test) = train_and_test();
    let fitted = preprocessor().fit(&train).unwrap();
    let kinds: Vec<(&str, ColumnKind)> = fitted
        .schema()
        .iter()
        .map(|column| (column.name.as_str(), column.kind))
        .collect();
    assert_eq!(kinds.len(), 7);
    assert_eq!(kinds[0], ("island", ColumnKind::Text));
    assert_eq!(kinds[4], ("body_mass_g", ColumnKind::Number));

    let file = test.name();
    let error = fitted
        .apply(&test.drop(&["sex"]).unwrap())
        .unwrap_err()
        .to_string();
    assert!(
        error.starts_with(&format!("column `sex` is not in {file}")),
        "{error}"
    );
    let texts = test
        .drop(&["year"])
        .unwrap()
        .rename("species", "year")
        .unwrap();
    assert_eq!(
        fitted.apply(&texts).unwrap_err().to_string(),
        format!("column `year` of {file} is text, the preprocessor was fitted to numbers")
    );
    let numbers = test.select(&SIZES).unwrap();
    let numbers = Table::new(
        numbers
            .columns()
            .chain([
                ("year", test.column("year").unwrap()),
                ("island", test.column("island").unwrap()),
                ("sex", test.column("year").unwrap()),
            ])
            .map(|(name, column)| (name, column.clone())),
    )
    .unwrap();
    let error = fitted.apply(&numbers).unwrap_err();
    assert!(matches!(
        error,
        MlError::ColumnTypeChanged {
            found: "integer",
            expected: "text",
            ..
        }
    ));
}

#[test]
fn whole_numbers_and_columns_without_values_fit_any_numbers() {
    let train = Table::new([("x", Column::from(vec![1.5, 2.5]))]).unwrap();
    let fitted = Preprocessor::new()
        .impute(["x"], ImputeStrategy::Mean)
        .scale(["x"], Scaling::Robust(0.25, 0.75))
        .fit(&train)
        .unwrap();
    let apply = |column: Column| fitted.apply(&Table::new([("x", column)]).unwrap()).unwrap();
    assert_eq!(
        column(&apply(vec![2i64, 3].into()), "x"),
        [Some(0.0), Some(2.0)]
    );
    assert_eq!(column(&apply(vec![None::<&str>].into()), "x"), [Some(0.0)]);
    assert_eq!(column(&apply(Vec::<f64>::new().into()), "x"), []);
}

/// Steps of every kind.
fn all_steps() -> (Table, Preprocessor) {
    let days = vec![
        Some("2024-01-31"),
        Some("2024-02-29"),
        None,
        Some("2023-12-25"),
    ];
    let table = Table::new([
        ("id", vec![1i64, 2, 3, 4].into()),
        ("a", vec![Some(1.0), None, Some(3.0), Some(5.0)].into()),
        ("b", vec![2.0, 8.0, 4.0, 6.0].into()),
        ("c", vec![9.0, 1.0, 5.0, 4.0].into()),
        ("d", vec![1i64, 10, 100, 1000].into()),
        ("town", vec!["Oslo", "Rome", "Oslo", "Bonn"].into()),
        ("size", vec!["S", "M", "L", "M"].into()),
        ("sold", days.into()),
        ("garden", vec![true, false, true, true].into()),
        ("price", Column::from(vec![3.0, 4.0, 5.0, 6.0])),
    ])
    .unwrap();
    let sizes = vec!["S".into(), "M".into(), "L".into()];
    let preprocessor = Preprocessor::new()
        .drop(["id"])
        .impute(
            ["a"],
            ImputeOptions {
                strategy: ImputeStrategy::Mean,
                add_indicator: true,
            },
        )
        .clip(
            ["b"],
            ClipBounds::Values {
                lower: Some(3.0),
                upper: None,
            },
        )
        .scale(["a"], Scaling::Standard)
        .scale(["b"], Scaling::MinMax(0.0, 1.0))
        .scale(["c"], Scaling::Robust(0.25, 0.75))
        .one_hot(
            ["town"],
            OneHotOptions {
                unknown: HandleUnknown::AllZeros,
                ..OneHotOptions::default()
            },
        )
        .ordinal(
            ["size"],
            OrdinalOptions {
                categories: Some(vec![sizes]),
                ..Default::default()
            },
        )
        .bin(["d"], 2, BinStrategy::Quantile)
        .date_parts(["sold"], [DatePart::Month])
        .polynomial(
            ["a", "b"],
            PolynomialOptions {
                degree: 2,
                interaction_only: true,
            },
        )
        .pca(
            ["c", "d"],
            PcaOptions {
                components: Components::Count(1),
                ..PcaOptions::default()
            },
        )
        .pass(["garden"]);
    (table, preprocessor)
}

#[test]
fn a_fitted_preprocessor_shows_what_it_learned() {
    let (table, preprocessor) = all_steps();
    let fitted = preprocessor.fit(&table).unwrap();
    let text = fitted.to_string();
    let digest = fitted.table_digest().short();
    let expected = format!(
        "\
fitted to 4 rows of table {digest}
1. drop
  id
2. impute
  a: 3 for 1 missing, with a_missing
3. clip
  b: 3 to open
4. scale to mean 0 and standard deviation 1
  a: less 3, divided by 1.4142135623730951
5. scale to 0 to 1
  b: from 3 to 8
6. scale to median 0 and quantiles 1 apart
  c: less 4.5, divided by 2.75
7. one-hot encode
  town: to town_Bonn, town_Oslo, town_Rome
8. encode by number
  size: S 0, M 1, L 2
9. put into bins
  d: 1, 55, 1000
10. take month of dates
  sold
11. multiply up to degree 2, each column once
  a, b
12. principal components: 1, with "
    );
    assert!(text.starts_with(&expected), "{text}");
    let end = "
13. pass
  garden
= a, b, a b, pca0, town_Bonn, town_Oslo, town_Rome, size, sold_month, garden, a_missing";
    assert!(text.ends_with(end), "{text}");
    let FittedStep::Impute(imputer) = &fitted.steps()[1] else {
        panic!("the second step imputes");
    };
    assert_eq!(imputer.columns()[0].n_missing, 1);
}

#[test]
fn preprocessors_are_stored_before_and_after_they_are_fitted() {
    let (table, preprocessor) = all_steps();
    let json = serde_json::to_string(&preprocessor).unwrap();
    assert_eq!(
        serde_json::from_str::<Preprocessor>(&json).unwrap(),
        preprocessor
    );
    let (fitted, ready) = preprocessor.fit_apply(&table).unwrap();
    let json = serde_json::to_string(&fitted).unwrap();
    let read: FittedPreprocessor = serde_json::from_str(&json).unwrap();
    assert_eq!(read, fitted);
    assert_eq!(read.apply(&table).unwrap(), ready);
}

#[test]
fn what_is_dropped_need_not_be_there_and_made_columns_need_not_either() {
    let (table, preprocessor) = all_steps();
    let fitted = preprocessor.fit(&table).unwrap();
    let names: Vec<&str> = fitted
        .schema()
        .iter()
        .map(|column| column.name.as_str())
        .collect();
    assert_eq!(
        names,
        ["a", "b", "c", "d", "town", "size", "sold", "garden"]
    );
    let other = table.drop(&["id", "price"]).unwrap();
    let features = fitted.feature_names_out();
    assert_eq!(
        fitted.apply(&other).unwrap().select(features).unwrap(),
        fitted.apply(&table).unwrap().select(features).unwrap()
    );
    let error = Preprocessor::new().drop(["ID"]).fit(&table).unwrap_err();
    assert!(matches!(error, MlError::UnknownColumn { .. }));
}

#[test]
fn the_digest_is_that_of_the_stored_form_of_the_table() {
    // blake3 1.0.11 for Python, of 2, 1 and 1 as 8 bytes each, `x`, a 0, and the two floats.
    let expected = "8edc494de9b836f90f2c16964277e0ffe76e829b7d72e2baebba4bfd7f152070";
    let table = Table::new([("x", Column::from(vec![1.5, 2.0]))]).unwrap();
    let fit = |table: &Table| Preprocessor::new().pass(["x"]).fit(table).unwrap();
    assert_eq!(fit(&table).table_digest().to_string(), expected);
    assert_eq!(fit(&table).n_rows(), 2);
    let other = Table::new([("x", Column::from(vec![1.5, 2.5]))]).unwrap();
    assert_ne!(fit(&other).table_digest(), fit(&table).table_digest());
}

#[test]
fn names_that_collide_are_refused() {
    let table = Table::new([
        ("town", vec!["Oslo", "Rome"].into()),
        ("town_Oslo", Column::from(vec![1.0, 2.0])),
    ])
    .unwrap();
    let one_hot = Preprocessor::new().one_hot(["town"], OneHotOptions::default());
    assert_eq!(
        one_hot.fit(&table).unwrap_err().to_string(),
        "column `town_Oslo` occurs twice in the table"
    );
    let none: [&str; 0] = [];
    assert!(matches!(
        Preprocessor::new().pass(none).fit(&table),
        Err(MlError::NoFeatures)
    ));
    assert!(matches!(
        one_hot.fit(&table.head(0)),
        Err(MlError::NoRows { .. })
    ));
}

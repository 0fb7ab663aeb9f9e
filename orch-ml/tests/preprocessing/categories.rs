//! Encoders of categories against scikit-learn.

use orch_ml::ndarray::Axis;
use orch_ml::{
    Column, DropCategory, HandleMissing, HandleUnknown, MlError, OneHotEncoder, OneHotOptions,
    OrdinalEncoder, OrdinalOptions, Table,
};
use proptest::prelude::*;

use crate::WORDS;
use crate::reference::{check_matrix, column, data, names, reference};

#[test]
fn one_hot_columns_are_those_of_scikit_learn() {
    let penguins = data("penguins");
    for (name, drop) in [
        ("one_hot_none", DropCategory::None),
        ("one_hot_first", DropCategory::First),
        ("one_hot_if_binary", DropCategory::IfBinary),
    ] {
        let missing = HandleMissing::Category;
        let options = OneHotOptions {
            drop,
            missing,
            ..OneHotOptions::default()
        };
        check_one_hot(name, &penguins, &penguins, &WORDS, &options);
    }
    let options = OneHotOptions {
        unknown: HandleUnknown::AllZeros,
        missing: HandleMissing::Category,
        ..OneHotOptions::default()
    };
    check_one_hot(
        "one_hot_unknown",
        &penguins.head(152),
        &penguins,
        &WORDS,
        &options,
    );
    let known = penguins.drop_missing();
    let options = OneHotOptions {
        drop: DropCategory::IfBinary,
        ..OneHotOptions::default()
    };
    check_one_hot("one_hot_year", &known, &known, &["sex", "year"], &options);
    let iris = data("iris");
    check_one_hot(
        "one_hot_iris",
        &iris,
        &iris,
        &["species"],
        &OneHotOptions::default(),
    );
}

fn check_one_hot(
    name: &str,
    train: &Table,
    table: &Table,
    columns: &[&str],
    options: &OneHotOptions,
) {
    let expected = reference(name);
    let encoder = OneHotEncoder::fit(train, columns, options).unwrap();
    assert_eq!(
        encoder.feature_names_out(),
        names(&expected["columns"]),
        "{name}"
    );
    check_matrix(&encoder.apply(table).unwrap(), &expected);
}

#[test]
fn one_hot_columns_stand_where_their_column_stood() {
    let iris = data("iris").select(&["species", "petal_width"]).unwrap();
    let encoder = OneHotEncoder::fit(&iris, &["species"], &OneHotOptions::default()).unwrap();
    let encoded = encoder.apply(&iris).unwrap();
    assert_eq!(
        encoded.column_names(),
        [
            "species_setosa",
            "species_versicolor",
            "species_virginica",
            "petal_width"
        ]
    );
}

#[test]
fn unknown_and_missing_categories_are_errors_unless_another_handling_is_chosen() {
    let penguins = data("penguins");
    let no_gaps = penguins.head(3);
    let encoder = |missing| {
        let options = OneHotOptions {
            missing,
            ..OneHotOptions::default()
        };
        OneHotEncoder::fit(&no_gaps, &["island", "sex"], &options).unwrap()
    };
    // Rows 3 and 20 of the file are the first without sex and from another island.
    let error = encoder(HandleMissing::Error).apply(&penguins).unwrap_err();
    let file = penguins.name();
    assert_eq!(
        error.to_string(),
        format!(
            "column `island` of {file} is `Biscoe` at row 20, which is not a category fitted to \
             (they are: `Torgersen`)"
        )
    );
    let from_torgersen = penguins.head(20);
    for missing in [HandleMissing::Error, HandleMissing::Category] {
        let error = encoder(missing).apply(&from_torgersen).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("column `sex` of {file} has a missing value at row 3")
        );
    }
    let encoded = encoder(HandleMissing::AllZeros)
        .apply(&from_torgersen)
        .unwrap();
    assert_eq!(column(&encoded, "sex_male")[3], Some(0.0));
    assert_eq!(column(&encoded, "sex_female")[3], Some(0.0));
}

#[test]
fn categories_may_be_given() {
    let table = Table::new([("size", vec!["large", "small"].into())]).unwrap();
    let lists = |sizes: &[&str]| Some(vec![sizes.iter().map(|size| (*size).into()).collect()]);
    let one_hot = |sizes: &[&str]| {
        let options = OneHotOptions {
            categories: lists(sizes),
            ..OneHotOptions::default()
        };
        OneHotEncoder::fit(&table, &["size"], &options)
    };
    let encoder = one_hot(&["small", "medium", "large"]).unwrap();
    assert_eq!(
        encoder.feature_names_out(),
        ["size_small", "size_medium", "size_large"]
    );
    let error = one_hot(&["small", "lrage"]).unwrap_err().to_string();
    assert_eq!(
        error,
        "column `size` of the table is `large` at row 0, which is not a category fitted to \
         (they are: `small`, `lrage`)"
    );
    assert!(matches!(
        one_hot(&["small", "large", "small"]),
        Err(MlError::InvalidOption {
            name: "categories",
            ..
        })
    ));
    let options = OrdinalOptions {
        categories: lists(&["small", "large"]),
        ..Default::default()
    };
    let codes = OrdinalEncoder::fit(&table, &["size"], &options)
        .unwrap()
        .apply(&table)
        .unwrap();
    assert_eq!(codes.column("size").unwrap(), &vec![1i64, 0].into());
    let error = OrdinalEncoder::fit(&data("iris"), &["petal_width", "species"], &options);
    assert!(matches!(
        error,
        Err(MlError::LengthMismatch {
            expected: 2,
            found: 1,
            ..
        })
    ));
}

#[test]
fn whole_floats_are_categories_and_others_are_not() {
    let table = Table::new([("year", vec![2007.0, f64::NAN, 2008.0].into())]).unwrap();
    let missing = HandleMissing::AllZeros;
    let options = OneHotOptions {
        missing,
        ..OneHotOptions::default()
    };
    let encoder = OneHotEncoder::fit(&table, &["year"], &options).unwrap();
    assert_eq!(encoder.feature_names_out(), ["year_2007", "year_2008"]);
    let other = Table::new([("year", Column::from(vec![2007.0, 2007.5]))]).unwrap();
    let error = encoder.apply(&other).unwrap_err();
    assert_eq!(
        error.to_string(),
        "column `year` is 2007.5 at row 1, expected categories: whole numbers or text"
    );
}

#[test]
fn ordinal_codes_are_those_of_scikit_learn() {
    let penguins = data("penguins");
    let encoder = OrdinalEncoder::fit(&penguins, &WORDS, &OrdinalOptions::default()).unwrap();
    check_matrix(&encoder.apply(&penguins).unwrap(), &reference("ordinal"));
    let options = OrdinalOptions {
        unknown_code: Some(-1),
        missing_code: Some(-2),
        ..OrdinalOptions::default()
    };
    let encoder = OrdinalEncoder::fit(&penguins.head(152), &WORDS, &options).unwrap();
    check_matrix(
        &encoder.apply(&penguins).unwrap(),
        &reference("ordinal_codes"),
    );

    let options = OrdinalOptions {
        unknown_code: Some(1),
        ..OrdinalOptions::default()
    };
    let error = OrdinalEncoder::fit(&penguins, &WORDS, &options).unwrap_err();
    assert!(matches!(
        error,
        MlError::InvalidOption {
            name: "unknown_code",
            ..
        }
    ));
    let error = OrdinalEncoder::fit(&penguins.head(152), &WORDS, &OrdinalOptions::default())
        .unwrap()
        .apply(&penguins)
        .unwrap_err();
    let MlError::UnknownCategory { row_idx, value, .. } = error else {
        panic!("{error}");
    };
    assert_eq!((row_idx, value.as_str()), (152, "Gentoo"));
}

proptest! {
    #[test]
    fn each_row_has_one_of_the_one_hot_columns(
        words in prop::collection::vec(prop::option::of("[a-d]{0,2}"), 1..30),
    ) {
        let texts: Vec<Option<&str>> = words.iter().map(Option::as_deref).collect();
        let table = Table::new([("word", Column::from(texts))]).unwrap();
        let encode = |missing| {
            let options = OneHotOptions { missing, ..OneHotOptions::default() };
            let encoder = OneHotEncoder::fit(&table, &["word"], &options).unwrap();
            let matrix = encoder.apply(&table).unwrap();
            matrix.to_matrix(&encoder.feature_names_out()).unwrap()
        };
        let sums = encode(HandleMissing::Category).sum_axis(Axis(1));
        prop_assert!(sums.iter().all(|sum| *sum == 1.0));
        let sums = encode(HandleMissing::AllZeros).sum_axis(Axis(1));
        for (sum, word) in sums.iter().zip(&words) {
            prop_assert_eq!(*sum, if word.is_some() { 1.0 } else { 0.0 });
        }
    }
}

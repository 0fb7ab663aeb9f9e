//! Products of columns and principal components against scikit-learn.

use orch_ml::{
    Column, Components, MlError, Pca, PcaOptions, PolynomialFeatures, PolynomialOptions,
    StandardScaler, Table,
};
use proptest::prelude::*;

use crate::reference::{check_all_close, check_matrix, column, data, names, numbers, reference};
use crate::{PETALS, body};

#[test]
fn products_and_their_names_are_those_of_scikit_learn() {
    let iris = data("iris");
    for (name, degree, interaction_only) in [
        ("polynomial_cubes", 3, false),
        ("polynomial_products", 2, true),
        ("polynomial_all_products", 4, true),
    ] {
        let expected = reference(name);
        let options = PolynomialOptions {
            degree,
            interaction_only,
        };
        let features = PolynomialFeatures::fit(&iris, &PETALS, options).unwrap();
        assert_eq!(features.feature_names_out(), names(&expected["columns"]));
        let table = features.apply(&iris).unwrap();
        assert_eq!(table.column_names().last().unwrap(), "species");
        check_matrix(&table, &expected);
    }
}

#[test]
fn degrees_that_make_no_or_too_many_products_are_refused() {
    let iris = data("iris");
    let fit = |degree, interaction_only| {
        let options = PolynomialOptions {
            degree,
            interaction_only,
        };
        PolynomialFeatures::fit(&iris, &PETALS, options)
    };
    for (degree, interaction_only) in [(0, false), (0, true), (40, false), (usize::MAX, false)] {
        let error = fit(degree, interaction_only).unwrap_err();
        assert!(matches!(
            error,
            MlError::InvalidOption { name: "degree", .. }
        ));
    }
    // Of four columns there are no products of five.
    assert_eq!(fit(usize::MAX, true).unwrap().feature_names_out().len(), 15);

    let table = Table::new([("x", Column::from(vec![1.0, 1e200]))]).unwrap();
    let features = PolynomialFeatures::fit(&table, &["x"], PolynomialOptions::default()).unwrap();
    let error = features.apply(&table).unwrap_err();
    assert_eq!(
        error.to_string(),
        "column `x^2` is inf at row 1, expected a finite number"
    );
}

fn check_pca(name: &str, table: &Table, columns: &[String], components: Components, whiten: bool) {
    let expected = reference(&format!("pca_{name}"));
    let options = PcaOptions {
        components,
        whiten,
        ..PcaOptions::default()
    };
    let pca = Pca::fit(table, columns, &options).unwrap();
    check_all_close(pca.mean(), &numbers(&expected["mean"]), name);
    check_all_close(
        pca.explained_variance(),
        &numbers(&expected["variance"]),
        name,
    );
    check_all_close(
        pca.explained_variance_ratio(),
        &numbers(&expected["ratio"]),
        name,
    );
    let rows = expected["components"].as_array().unwrap();
    assert_eq!(pca.n_components(), rows.len());
    for (found, expected) in pca.components().rows().into_iter().zip(rows) {
        check_all_close(found.as_slice().unwrap(), &numbers(expected), name);
    }
    assert_eq!(
        pca.feature_names_out(),
        names(&expected["matrix"]["columns"])
    );
    check_matrix(&pca.apply(table).unwrap(), &expected["matrix"]);
}

#[test]
fn principal_components_are_those_of_scikit_learn() {
    let (iris, diabetes) = (data("iris"), data("diabetes"));
    let petals = PETALS.map(str::to_owned);
    check_pca("iris", &iris, &petals, Components::Count(2), false);
    check_pca("iris_all", &iris, &petals, Components::All, false);
    check_pca("iris_white", &iris, &petals, Components::Count(3), true);
    check_pca(
        "diabetes",
        &diabetes,
        &body(),
        Components::Variance(0.9),
        false,
    );
    check_pca(
        "few_rows",
        &diabetes.head(6),
        &body(),
        Components::Count(5),
        false,
    );
}

/// Products of the columns of diabetes, scaled.
fn products() -> (Table, Vec<String>) {
    let diabetes = data("diabetes");
    let options = PolynomialOptions::default();
    let features = PolynomialFeatures::fit(&diabetes, &body(), options).unwrap();
    let table = features.apply(&diabetes).unwrap();
    let names = features.feature_names_out();
    let scaler = StandardScaler::fit(&table, &names).unwrap();
    (scaler.apply(&table).unwrap(), names)
}

#[test]
fn components_of_many_dependent_columns_are_those_of_scikit_learn() {
    let expected = reference("pca_products");
    let (table, names) = products();
    let pca = Pca::fit(&table, &names, &PcaOptions::default()).unwrap();
    // Sex has two values, so that its square says nothing new: the smallest variance is 0.
    check_all_close(
        pca.explained_variance(),
        &numbers(&expected["variance"]),
        "variance",
    );
    let rows = expected["components"].as_array().unwrap();
    for (found, expected) in pca.components().rows().into_iter().zip(rows) {
        check_all_close(found.as_slice().unwrap(), &numbers(expected), "component");
    }
    let products = pca.components().dot(&pca.components().t());
    for ((row, column), product) in products.indexed_iter() {
        let expected = if row == column { 1.0 } else { 0.0 };
        assert!(
            (product - expected).abs() < 1e-12,
            "{row} {column}: {product}"
        );
    }
}

#[test]
fn components_do_not_depend_on_the_number_of_threads() {
    let (table, names) = products();
    // More rows than are summed up in one go.
    let rows: Vec<usize> = (0..10_000).map(|row_idx| row_idx * 7 % 442).collect();
    let table = table.take_rows(&rows).unwrap();
    let fit = |n_threads| {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(n_threads)
            .build()
            .unwrap();
        pool.install(|| Pca::fit(&table, &names[..12], &PcaOptions::default()).unwrap())
    };
    assert_eq!(fit(1), fit(3));
}

#[test]
fn numbers_of_components_that_there_cannot_be_are_refused() {
    let iris = data("iris");
    for components in [
        Components::Count(0),
        Components::Count(5),
        Components::Variance(0.0),
        Components::Variance(1.0),
        Components::Variance(f64::NAN),
    ] {
        let options = PcaOptions {
            components,
            ..PcaOptions::default()
        };
        let error = Pca::fit(&iris, &PETALS, &options).unwrap_err();
        assert!(matches!(
            error,
            MlError::InvalidOption {
                name: "components",
                ..
            }
        ));
    }
    let error = Pca::fit(&iris.head(1), &PETALS, &PcaOptions::default()).unwrap_err();
    let file = iris.name();
    assert_eq!(
        error.to_string(),
        format!("{file} has 1 row, a principal component analysis needs at least 2")
    );
    let constant = Table::new([("x", Column::from(vec![1.0, 1.0]))]).unwrap();
    let pca = Pca::fit(&constant, &["x"], &PcaOptions::default()).unwrap();
    assert_eq!(
        (pca.explained_variance(), pca.explained_variance_ratio()),
        (&[0.0][..], &[0.0][..])
    );
}

proptest! {
    #[test]
    fn all_components_together_keep_what_the_columns_were(
        cells in prop::collection::vec(-100f64..100.0, 12..60),
    ) {
        let n_rows = cells.len() / 3;
        let columns = ["a", "b", "c"].into_iter().enumerate().map(|(at, name)| {
            (name, Column::from(cells[at * n_rows..(at + 1) * n_rows].to_vec()))
        });
        let table = Table::new(columns).unwrap();
        let pca = Pca::fit(&table, &["a", "b", "c"], &PcaOptions::default()).unwrap();
        let projected = pca.apply(&table).unwrap().to_matrix(&pca.feature_names_out()).unwrap();
        let back = projected.dot(pca.components());
        for (at, name) in ["a", "b", "c"].into_iter().enumerate() {
            for (row_idx, value) in column(&table, name).into_iter().enumerate() {
                let found = back[[row_idx, at]] + pca.mean()[at];
                prop_assert!((found - value.unwrap()).abs() < 1e-9);
            }
        }
    }
}

//! Ridge, lasso and elastic net against scikit-learn (`tests/reference/linear_models.py`).

mod support;

use orch_ml::ndarray::{Array1, Array2, array};
use orch_ml::{
    Dataset, ElasticNetModel, ElasticNetOptions, LassoOptions, MlError, RidgeModel, RidgeOptions,
    Split, evaluate_regression, fit_elastic_net, fit_lasso, fit_linear, fit_ridge,
    train_test_split,
};
use serde_json::Value;
use support::{check_all_close, check_close, diabetes, numbers, proline, reference, reread};

fn data_sets() -> Vec<(&'static str, Dataset)> {
    let diabetes = diabetes();
    let wide = diabetes.take_rows(&[0, 1, 2, 3, 4, 5]).unwrap();
    vec![("diabetes", diabetes), ("wine", proline()), ("wide", wide)]
}

fn cases<'a>(reference: &'a Value, name: &str, model: &str) -> impl Iterator<Item = &'a Value> {
    reference[name][model].as_array().unwrap().iter()
}

fn number(case: &Value, name: &str) -> f64 {
    case[name].as_f64().unwrap()
}

fn check(coefficients: &[f64], intercept: f64, predictions: &[f64], case: &Value, tolerance: f64) {
    check_all_close(coefficients, &numbers(&case["coefficients"]), tolerance);
    check_close(intercept, number(case, "intercept"), tolerance);
    check_all_close(
        &predictions[..3],
        &numbers(&case["first_predictions"]),
        tolerance,
    );
}

#[test]
fn ridge_gives_the_coefficients_of_scikit_learn() {
    let reference = reference("linear_models");
    for (name, dataset) in data_sets() {
        for case in cases(&reference, name, "ridge") {
            let alpha = number(case, "alpha");
            let model = fit_ridge(&dataset, &RidgeOptions { alpha }).unwrap();
            let predictions = model.predict(dataset.records()).unwrap().to_vec();
            check(
                model.coefficients(),
                model.intercept(),
                &predictions,
                case,
                1e-9,
            );
        }
    }
}

/// Both are ends of an iteration: scikit-learn's was run with a `tol` of 1e-14.
const ITERATED: f64 = 1e-8;

#[test]
fn lasso_gives_the_coefficients_of_scikit_learn() {
    let reference = reference("linear_models");
    for (name, dataset) in data_sets() {
        for case in cases(&reference, name, "lasso") {
            let options = LassoOptions {
                alpha: number(case, "alpha"),
                max_iter: 1_000_000,
                tol: 1e-14,
            };
            let model = fit_lasso(&dataset, &options).unwrap();
            assert!(model.is_converged());
            let predictions = model.predict(dataset.records()).unwrap().to_vec();
            check(
                model.coefficients(),
                model.intercept(),
                &predictions,
                case,
                ITERATED,
            );
            let is_zero = |slope: &f64| *slope == 0.0;
            assert_eq!(
                model.coefficients().iter().map(is_zero).collect::<Vec<_>>(),
                numbers(&case["coefficients"])
                    .iter()
                    .map(is_zero)
                    .collect::<Vec<_>>()
            );
        }
    }
}

#[test]
fn elastic_net_gives_the_coefficients_of_scikit_learn() {
    let reference = reference("linear_models");
    for (name, dataset) in data_sets() {
        for case in cases(&reference, name, "elastic_net") {
            let options = ElasticNetOptions {
                alpha: number(case, "alpha"),
                l1_ratio: number(case, "l1_ratio"),
                max_iter: 1_000_000,
                tol: 1e-14,
            };
            let model = fit_elastic_net(&dataset, &options).unwrap();
            assert!(model.is_converged());
            let predictions = model.predict(dataset.records()).unwrap().to_vec();
            check(
                model.coefficients(),
                model.intercept(),
                &predictions,
                case,
                ITERATED,
            );
        }
    }
}

#[test]
fn without_a_penalty_all_are_least_squares() {
    let dataset = diabetes();
    let line = fit_linear(&dataset).unwrap();
    let ridge = fit_ridge(&dataset, &RidgeOptions { alpha: 0.0 }).unwrap();
    assert_eq!(ridge.coefficients(), line.coefficients());
    let options = LassoOptions {
        alpha: 0.0,
        ..LassoOptions::default()
    };
    let lasso = fit_lasso(&dataset, &options).unwrap();
    assert_eq!(lasso.coefficients(), line.coefficients());
    assert!(lasso.is_converged());
}

#[test]
fn an_elastic_net_of_squares_only_is_a_ridge() {
    // The objectives differ by a factor of 2 n_rows.
    let dataset = diabetes();
    let options = ElasticNetOptions {
        alpha: 0.01,
        l1_ratio: 0.0,
        ..ElasticNetOptions::default()
    };
    let net = fit_elastic_net(&dataset, &options).unwrap();
    let ridge = fit_ridge(&dataset, &RidgeOptions { alpha: 4.42 }).unwrap();
    check_all_close(net.coefficients(), ridge.coefficients(), 1e-12);
}

#[test]
fn equal_columns_share_the_weight_of_a_ridge() {
    // By hand: x twice, y = 2x; w of each is 2 * 2 / (2 * 2 + alpha) for a sum of squares of 2.
    let dataset = Dataset::new(
        array![[-1.0, -1.0], [1.0, 1.0]],
        array![-2.0, 2.0],
        ["a", "same"],
        "y",
    )
    .unwrap();
    for alpha in [1.0, 1e-6] {
        let model = fit_ridge(&dataset, &RidgeOptions { alpha }).unwrap();
        let expected = 4.0 / (4.0 + alpha);
        check_all_close(model.coefficients(), &[expected, expected], 1e-9);
    }
}

#[test]
fn constant_features_get_no_weight() {
    let records = Array2::from_shape_fn((8, 2), |(row, column)| match column {
        0 => row as f64,
        _ => 0.1,
    });
    let targets = Array1::from_shape_fn(8, |row| 3.0 * row as f64);
    let dataset = Dataset::new(records, targets, ["a", "constant"], "y").unwrap();
    let ridge = fit_ridge(&dataset, &RidgeOptions::default()).unwrap();
    let lasso = fit_lasso(&dataset, &LassoOptions::default()).unwrap();
    assert_eq!(ridge.coefficients()[1], 0.0);
    assert_eq!(lasso.coefficients()[1], 0.0);
    // By hand: the sum of squares of 0 to 7 around their mean is 42; lasso takes 8 * 1 off 126.
    check_close(ridge.coefficients()[0], 126.0 / 43.0, 1e-12);
    check_close(lasso.coefficients()[0], 118.0 / 42.0, 1e-12);
}

#[test]
fn a_fit_that_is_cut_short_says_so() {
    let options = LassoOptions {
        alpha: 0.01,
        max_iter: 1,
        tol: 1e-10,
    };
    let model = fit_lasso(&diabetes(), &options).unwrap();
    assert!(!model.is_converged());
    assert_eq!(model.n_iter(), 1);
    assert!(model.dual_gap() > 0.0);
}

#[test]
fn options_out_of_range_are_refused_before_the_data_is_looked_at() {
    let empty = Dataset::new(Array2::zeros((0, 1)), Array1::zeros(0), ["a"], "y").unwrap();
    let message = |error: MlError| error.to_string();
    assert_eq!(
        message(fit_ridge(&empty, &RidgeOptions { alpha: -1.0 }).unwrap_err()),
        "`alpha` is -1, expected a finite number of at least 0"
    );
    let with = |change: fn(&mut ElasticNetOptions)| {
        let mut options = ElasticNetOptions::default();
        change(&mut options);
        message(fit_elastic_net(&empty, &options).unwrap_err())
    };
    assert_eq!(
        with(|options| options.l1_ratio = 1.5),
        "`l1_ratio` is 1.5, expected a value from 0 to 1"
    );
    assert_eq!(
        with(|options| options.alpha = f64::NAN),
        "`alpha` is NaN, expected a finite number of at least 0"
    );
    assert_eq!(
        with(|options| options.max_iter = 0),
        "`max_iter` is 0, expected at least 1"
    );
    assert_eq!(
        with(|options| options.tol = -1.0),
        "`tol` is -1, expected a finite number of at least 0"
    );
    assert_eq!(with(|_| ()), "the table has no rows");
}

#[test]
fn options_left_out_of_json_have_their_defaults() {
    let options: ElasticNetOptions = serde_json::from_str(r#"{"alpha": 2.0}"#).unwrap();
    let expected = ElasticNetOptions {
        alpha: 2.0,
        ..ElasticNetOptions::default()
    };
    assert_eq!(options, expected);
}

#[test]
fn models_know_their_rows_and_survive_a_file() {
    let (train, test) = train_test_split(&diabetes(), &Split::random(0.2).seed(1)).unwrap();
    let ridge = fit_ridge(&train, &RidgeOptions { alpha: 0.1 }).unwrap();
    let lasso = fit_lasso(
        &train,
        &LassoOptions {
            alpha: 0.1,
            ..LassoOptions::default()
        },
    )
    .unwrap();
    assert_eq!(ridge.trained_on(), Some(train.origin()));
    assert!(evaluate_regression(&ridge, &test).unwrap().r2 > 0.3);
    assert!(evaluate_regression(&lasso, &test).unwrap().r2 > 0.3);
    assert_eq!(RidgeModel::try_from(reread(ridge.clone())).unwrap(), ridge);
    assert_eq!(
        ElasticNetModel::try_from(reread(lasso.clone())).unwrap(),
        lasso
    );

    let mut json = serde_json::to_value(&ridge).unwrap();
    json["fit"]["coefficients"].as_array_mut().unwrap().pop();
    assert_eq!(
        serde_json::from_value::<RidgeModel>(json)
            .unwrap_err()
            .to_string(),
        "the list of coefficients has length 9, expected 10"
    );
}

#[test]
fn the_result_does_not_depend_on_the_number_of_threads() {
    let records = Array2::from_shape_fn((70_000, 3), |(row, column)| {
        ((row * 7919 + column * 104_729) % 10_007) as f64 / 1e4
    });
    let targets = Array1::from_shape_fn(70_000, |row| ((row * 31) % 997) as f64);
    let dataset = Dataset::new(records, targets, ["a", "b", "c"], "y").unwrap();
    let fit = || {
        let model = fit_lasso(
            &dataset,
            &LassoOptions {
                alpha: 0.01,
                ..LassoOptions::default()
            },
        );
        (
            model.unwrap(),
            fit_ridge(&dataset, &RidgeOptions::default()).unwrap(),
        )
    };
    let pool = rayon_pool(1);
    assert_eq!(pool.install(fit), fit());
}

fn rayon_pool(n_threads: usize) -> rayon::ThreadPool {
    rayon::ThreadPoolBuilder::new()
        .num_threads(n_threads)
        .build()
        .unwrap()
}

//! Intervals of metrics and tests between two models, against scipy and formulas:
//! `reference/evaluation.py` says how each number was made.

#[path = "reference/evaluation.rs"]
#[allow(dead_code, reason = "shared with other tests, which need other parts")]
mod reference;

use orch_ml::ndarray::Axis;
use orch_ml::{
    BootstrapOptions, McNemarMethod, MlError, bootstrap_interval, mcnemar_test,
    mean_absolute_error, paired_bootstrap, paired_t_test, r2_score, roc_auc, wilcoxon_test,
};
use proptest::prelude::*;
use reference::{check, check_all, flags, index, number, numbers, reference, vector};
use serde_json::Value;

/// Within 1e-9 of the number itself, however small it is.
#[track_caller]
fn check_relative(found: f64, expected: &Value) {
    let expected = number(expected);
    assert!(
        (found - expected).abs() <= 1e-9 * expected,
        "{found:e} is not {expected:e}"
    );
}

#[test]
fn mcnemars_test_is_that_of_its_formulas() {
    for case in reference("comparison")["mcnemar"].as_array().unwrap() {
        let (only_first, only_second) = (index(&case["only_first"]), index(&case["only_second"]));
        let both = [true, true, false].into_iter();
        let first: Vec<bool> = both
            .clone()
            .chain(std::iter::repeat_n(true, only_first))
            .chain(std::iter::repeat_n(false, only_second))
            .collect();
        let second: Vec<bool> = both
            .chain(std::iter::repeat_n(false, only_first))
            .chain(std::iter::repeat_n(true, only_second))
            .collect();
        let exact = mcnemar_test(&first, &second, McNemarMethod::Exact).unwrap();
        assert_eq!(
            (exact.n_only_first, exact.n_only_second),
            (only_first, only_second)
        );
        check_relative(exact.p_value, &case["exact"]);
        let corrected = mcnemar_test(&first, &second, McNemarMethod::ContinuityCorrected).unwrap();
        check(corrected.statistic, &case["statistic"], "statistic");
        check_relative(corrected.p_value, &case["corrected"]);
    }
    for method in [McNemarMethod::Exact, McNemarMethod::ContinuityCorrected] {
        let same = mcnemar_test(&[true, false], &[true, false], method).unwrap();
        assert_eq!((same.statistic, same.p_value), (0.0, 1.0));
    }
}

#[test]
fn tests_of_paired_values_are_those_of_scipy() {
    for case in reference("comparison")["pairs"].as_array().unwrap() {
        let (first, second) = (numbers(&case["first"]), numbers(&case["second"]));
        let t = paired_t_test(&first, &second).unwrap();
        check(t.statistic, &case["t"], "t");
        check_relative(t.p_value, &case["t_p"]);
        let ranks = wilcoxon_test(&first, &second).unwrap();
        check(ranks.statistic, &case["rank_statistic"], "rank sum");
        check_relative(ranks.p_value, &case["rank_p"]);
        let turned = wilcoxon_test(&second, &first).unwrap();
        assert_eq!(
            (turned.p_value, turned.is_exact),
            (ranks.p_value, ranks.is_exact)
        );
    }
}

#[test]
fn values_that_do_not_vary_have_the_p_value_that_they_deserve() {
    let same = [1.0, 2.0, 3.0];
    let t = paired_t_test(&same, &same).unwrap();
    assert_eq!((t.statistic, t.p_value), (0.0, 1.0));
    let ranks = wilcoxon_test(&same, &same).unwrap();
    assert_eq!((ranks.n_differ, ranks.p_value), (0, 1.0));
    let above = paired_t_test(&[2.0, 3.0, 4.0], &same).unwrap();
    assert_eq!((above.statistic, above.p_value), (f64::INFINITY, 0.0));
    assert_eq!(
        paired_t_test(&[1.0], &[2.0]).unwrap_err().to_string(),
        "`n_rows` is 1, expected at least 2 rows to compare"
    );
    assert_eq!(wilcoxon_test(&[1.0], &[2.0]).unwrap().p_value, 1.0);
    assert!(matches!(
        paired_t_test(&[1.0, f64::NAN], &[1.0, 2.0]),
        Err(MlError::NotFinite { row_idx: 1, .. })
    ));
    assert!(matches!(
        wilcoxon_test(&[], &[]),
        Err(MlError::NoRows { .. })
    ));
}

/// A bootstrap of the reference file: 90 %, 400 resamples of 20 rows.
fn options(case: &Value) -> BootstrapOptions {
    BootstrapOptions {
        n_resamples: index(&case["n_resamples"]),
        confidence: number(&case["confidence"]),
        seed: index(&case["seed"]) as u64,
    }
}

#[test]
fn a_bootstrap_interval_is_that_of_numpy_on_the_same_resamples() {
    let case = reference("bootstrap");
    let (targets, first) = (vector(&case["targets"]), vector(&case["first"]));
    let found = bootstrap_interval(20, &options(&case), |rows| {
        let (t, p) = (targets.select(Axis(0), rows), first.select(Axis(0), rows));
        r2_score(t.view(), p.view())
    })
    .unwrap();
    let numbers = [found.estimate, found.low, found.high, found.standard_error];
    check_all(&numbers, &case["r2"], "r2");
    assert_eq!((found.n_resamples, found.n_undefined), (400, 0));
}

#[test]
fn a_difference_of_models_is_that_of_numpy_on_the_same_resamples() {
    let case = reference("bootstrap");
    let targets = vector(&case["targets"]);
    let error_of = |predictions: &str| {
        let predictions = vector(&case[predictions]);
        let targets = targets.clone();
        move |rows: &[usize]| {
            let (t, p) = (
                targets.select(Axis(0), rows),
                predictions.select(Axis(0), rows),
            );
            mean_absolute_error(t.view(), p.view())
        }
    };
    let compare = |first, second| {
        paired_bootstrap(20, &options(&case), error_of(first), error_of(second)).unwrap()
    };
    let found = compare("first", "second");
    let numbers = [found.difference, found.low, found.high, found.p_value];
    check_all(&numbers, &case["difference"], "difference");
    let turned = compare("second", "first");
    assert_eq!(
        (turned.difference, turned.p_value),
        (-found.difference, found.p_value)
    );
    let same = compare("first", "first");
    assert_eq!((same.low, same.high, same.p_value), (0.0, 0.0, 1.0));
}

#[test]
fn resamples_without_a_metric_are_left_out_and_counted() {
    let case = reference("bootstrap");
    let (truth, scores) = (flags(&case["is_positive"]), numbers(&case["scores"]));
    let options = BootstrapOptions {
        n_resamples: 50,
        confidence: 0.95,
        seed: 3,
    };
    let found = bootstrap_interval(6, &options, |rows| {
        let truth: Vec<bool> = rows.iter().map(|row_idx| truth[*row_idx]).collect();
        let scores: Vec<f64> = rows.iter().map(|row_idx| scores[*row_idx]).collect();
        roc_auc(&truth, &scores, None)
    })
    .unwrap();
    let numbers = [found.low, found.high, found.n_undefined as f64];
    check_all(&numbers, &case["auc"], "auc");
}

#[test]
fn a_bootstrap_is_the_same_with_any_number_of_threads() {
    let mean = |rows: &[usize]| Ok(rows.iter().sum::<usize>() as f64 / rows.len() as f64);
    let interval = |n_threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(n_threads);
        let options = BootstrapOptions::default();
        let bootstrap = || bootstrap_interval(50, &options, mean).unwrap();
        pool.build().unwrap().install(bootstrap)
    };
    assert_eq!(interval(1), interval(4));
    let other = BootstrapOptions {
        seed: 1,
        ..BootstrapOptions::default()
    };
    assert_ne!(interval(1), bootstrap_interval(50, &other, mean).unwrap());
}

#[test]
fn a_bootstrap_that_cannot_be_is_refused() {
    let options = BootstrapOptions::default();
    let message = |n_rows, options: &BootstrapOptions, value: f64| {
        let result = bootstrap_interval(n_rows, options, |_| Ok(value));
        result.unwrap_err().to_string()
    };
    assert_eq!(message(0, &options, 1.0), "the table has no rows");
    for confidence in [0.0, 1.0, 95.0, f64::NAN] {
        let options = BootstrapOptions {
            confidence,
            ..options
        };
        assert!(message(5, &options, 1.0).starts_with("`confidence` is"));
    }
    let none = BootstrapOptions {
        n_resamples: 0,
        ..options
    };
    assert_eq!(
        message(5, &none, 1.0),
        "`n_resamples` is 0, expected at least 1"
    );
    assert_eq!(
        message(5, &options, f64::NAN),
        "`metric` is NaN, expected a metric that is defined for these rows"
    );
    // The error of the first resample that has one, whichever thread is the fastest.
    let failing = |rows: &[usize]| match rows == [0, 1, 2] {
        true => Ok(1.0),
        false => Err(MlError::NotAProbability {
            row_idx: rows[0],
            value: 2.0,
        }),
    };
    let first = bootstrap_interval(3, &options, failing).unwrap_err();
    for _ in 0..20 {
        let again = bootstrap_interval(3, &options, failing).unwrap_err();
        assert_eq!(again.to_string(), first.to_string());
    }
}

proptest! {
    /// A metric that is the same for all rows has no spread, and the interval of a mean is inside
    /// of what it is the mean of.
    #[test]
    fn an_interval_lies_between_the_extremes(values in prop::collection::vec(-9.0..9.0f64, 1..20)) {
        let options = BootstrapOptions { n_resamples: 60, ..BootstrapOptions::default() };
        let mean = |rows: &[usize]| {
            Ok(rows.iter().map(|row_idx| values[*row_idx]).sum::<f64>() / rows.len() as f64)
        };
        let found = bootstrap_interval(values.len(), &options, mean).unwrap();
        let (low, high) = values
            .iter()
            .fold((f64::MAX, f64::MIN), |(low, high), value| (low.min(*value), high.max(*value)));
        prop_assert!(low <= found.low + 1e-12 && found.high <= high + 1e-12);
        prop_assert!(found.low <= found.high);
        let constant = bootstrap_interval(values.len(), &options, |_| Ok(2.0)).unwrap();
        prop_assert_eq!((constant.low, constant.high, constant.standard_error), (2.0, 2.0, 0.0));
    }
}

//! Splits and folds: against scikit-learn, and what holds for any data.

use std::collections::BTreeSet;

use orch_core::StoredForm as _;
use orch_ml::{
    CrossValidation, CsvOptions, Fold, MlError, RollingOptions, Rows, Split, Table, Test, Train,
    Valid, check_unseen, evaluate_regression, fit_linear, group_k_fold, grouped_rows, k_fold,
    leave_one_out, parse_csv, rolling_folds, stratified_k_fold, stratified_rows, time_ordered_rows,
    to_classification_dataset, to_dataset, train_test_split, train_valid_split,
};
use proptest::prelude::*;
use serde::Deserialize;

/// What `reference/splits.py` printed.
#[derive(Deserialize)]
struct Reference {
    k_fold: Vec<KFold>,
    stratified: Vec<Stratified>,
    groups: Vec<Groups>,
    rolling: Vec<Rolling>,
}

#[derive(Deserialize)]
struct KFold {
    n_rows: usize,
    n_splits: usize,
    tests: Vec<Vec<usize>>,
}

#[derive(Deserialize)]
struct Stratified {
    labels: Vec<String>,
    n_splits: usize,
    tests: Vec<Vec<usize>>,
}

#[derive(Deserialize)]
struct Groups {
    groups: Vec<u32>,
    n_splits: usize,
    tests: Vec<Vec<usize>>,
}

#[derive(Deserialize)]
struct Rolling {
    n_rows: usize,
    n_splits: usize,
    test_size: Option<usize>,
    max_train_size: Option<usize>,
    #[serde(default)]
    gap: usize,
    folds: Vec<Fold>,
}

fn reference() -> Reference {
    serde_json::from_str(include_str!("reference/splits.json")).unwrap()
}

fn tests(folds: Vec<Fold>) -> Vec<Vec<usize>> {
    folds.into_iter().map(|fold| fold.test).collect()
}

#[test]
fn folds_without_a_seed_are_those_of_scikit_learn() {
    let reference = reference();
    for case in reference.k_fold {
        let folds = k_fold(case.n_rows, case.n_splits, None).unwrap();
        assert_eq!(tests(folds), case.tests);
    }
    for case in reference.stratified {
        let folds = stratified_k_fold(&case.labels, case.n_splits, None).unwrap();
        assert_eq!(tests(folds), case.tests, "{}", case.n_splits);
    }
    for case in reference.groups {
        let folds = group_k_fold(&case.groups, case.n_splits).unwrap();
        assert_eq!(tests(folds), case.tests, "{}", case.n_splits);
    }
    for case in reference.rolling {
        let options = RollingOptions {
            n_splits: case.n_splits,
            n_test: case.test_size,
            max_train: case.max_train_size,
            gap: case.gap,
        };
        assert_eq!(rolling_folds(case.n_rows, &options).unwrap(), case.folds);
    }
}

fn assert_each_row_once(train: &[usize], test: &[usize], n_rows: usize) {
    let mut rows: Vec<usize> = train.iter().chain(test).copied().collect();
    rows.sort_unstable();
    assert!(rows.into_iter().eq(0..n_rows));
}

/// Labels of which each of up to four classes occurs twice or more.
fn labels() -> impl Strategy<Value = Vec<u8>> {
    let extra = prop::collection::vec(0..4u8, 0..60);
    (1..=4u8, extra).prop_map(|(n_classes, extra)| {
        let twice = (0..n_classes).chain(0..n_classes);
        twice
            .chain(extra.into_iter().map(|label| label % n_classes))
            .collect()
    })
}

fn count(labels: &[u8], rows: &[usize], class: u8) -> usize {
    rows.iter().filter(|row| labels[**row] == class).count()
}

proptest! {
    #[test]
    fn a_stratified_split_gives_each_class_its_share(
        labels in labels(),
        fraction in 0.05..0.95f64,
        seed: u64,
    ) {
        let Ok((train, test)) = stratified_rows(&labels, fraction, seed) else {
            return Ok(());
        };
        assert_each_row_once(&train, &test, labels.len());
        let share = test.len() as f64 / labels.len() as f64;
        for class in 0..4 {
            let size = labels.iter().filter(|label| **label == class).count();
            let difference = count(&labels, &test, class) as f64 - share * size as f64;
            prop_assert!(difference.abs() < 1.0, "{difference}");
        }
    }

    #[test]
    fn stratified_folds_give_each_class_its_share(labels in labels(), seed: Option<u64>) {
        let folds = stratified_k_fold(&labels, 2, seed).unwrap();
        for class in 0..4 {
            let counts = folds.iter().map(|fold| count(&labels, &fold.test, class));
            let (least, most) = (counts.clone().min().unwrap(), counts.max().unwrap());
            prop_assert!(most - least <= 1);
        }
        for fold in folds {
            assert_each_row_once(&fold.train, &fold.test, labels.len());
        }
    }

    #[test]
    fn folds_cover_each_row_once(n_rows in 2..200usize, n_splits in 2..10usize, seed: Option<u64>) {
        prop_assume!(n_splits <= n_rows);
        let folds = k_fold(n_rows, n_splits, seed).unwrap();
        let sizes = folds.iter().map(|fold| fold.test.len());
        prop_assert!(sizes.clone().max().unwrap() - sizes.min().unwrap() <= 1);
        let mut tested: Vec<usize> = folds.iter().flat_map(|fold| fold.test.clone()).collect();
        tested.sort_unstable();
        prop_assert!(tested.into_iter().eq(0..n_rows));
        for fold in folds {
            assert_each_row_once(&fold.train, &fold.test, n_rows);
        }
    }

    #[test]
    fn groups_stay_whole(
        groups in prop::collection::vec(0..12u8, 4..80),
        fraction in 0.05..0.95f64,
        seed: u64,
    ) {
        let whole = |train: &[usize], test: &[usize]| {
            let of = |rows: &[usize]| -> BTreeSet<u8> { rows.iter().map(|row| groups[*row]).collect() };
            of(train).is_disjoint(&of(test))
        };
        if let Ok((train, test)) = grouped_rows(&groups, fraction, seed) {
            assert_each_row_once(&train, &test, groups.len());
            prop_assert!(whole(&train, &test));
        }
        if let Ok(folds) = group_k_fold(&groups, 3) {
            for Fold { train, test } in folds {
                assert_each_row_once(&train, &test, groups.len());
                prop_assert!(whole(&train, &test));
            }
        }
    }

    #[test]
    fn nothing_is_trained_on_what_came_later(
        times in prop::collection::vec(0..40i64, 2..80),
        fraction in 0.05..0.95f64,
    ) {
        let Ok((train, test)) = time_ordered_rows(&times, fraction) else {
            return Ok(());
        };
        assert_each_row_once(&train, &test, times.len());
        prop_assert!(test.len() >= (times.len() as f64 * fraction).ceil() as usize);
        let last = train.iter().map(|row| times[*row]).max().unwrap();
        prop_assert!(test.iter().all(|row| times[*row] > last));
    }
}

#[test]
fn a_seed_decides_which_rows() {
    let labels = [0u8, 1].repeat(20);
    let rows = |seed| stratified_rows(&labels, 0.25, seed).unwrap().1;
    assert_eq!(rows(1), rows(1));
    assert_ne!(rows(1), rows(2));
    assert_ne!(
        k_fold(30, 3, Some(1)).unwrap(),
        k_fold(30, 3, Some(2)).unwrap()
    );
}

#[test]
fn a_split_that_cannot_be_says_why() {
    let message = |error: MlError| error.to_string();
    assert_eq!(
        message(stratified_rows(&["a", "b", "a", "a"], 0.5, 0).unwrap_err()),
        "class `b` has 1 row, a stratified split needs at least 2 of each class"
    );
    assert_eq!(
        message(stratified_k_fold(&["a", "b", "a", "b"], 3, None).unwrap_err()),
        "class `a` has 2 rows, a stratified split needs at least 3 of each class"
    );
    assert_eq!(
        message(grouped_rows(&[1, 1, 1], 0.5, 0).unwrap_err()),
        "there is 1 group, the split needs at least 2"
    );
    assert_eq!(
        message(group_k_fold(&[1, 1, 2], 3).unwrap_err()),
        "there are 2 groups, the split needs at least 3"
    );
    assert!(matches!(
        time_ordered_rows(&[5, 5, 5], 0.3),
        Err(MlError::TooFewRows { .. })
    ));
    assert!(matches!(
        leave_one_out(1),
        Err(MlError::InvalidOption { .. })
    ));
    for n_splits in [0, 1, 6] {
        assert!(matches!(
            k_fold(5, n_splits, None),
            Err(MlError::InvalidOption { .. })
        ));
    }
    for (n_rows, gap) in [(3, 0), (12, 2), (12, usize::MAX)] {
        let options = RollingOptions {
            gap,
            ..RollingOptions::default()
        };
        assert!(matches!(
            rolling_folds(n_rows, &options),
            Err(MlError::InvalidOption { .. })
        ));
    }
}

fn visits() -> Table {
    let text = b"patient,day,arm,score\n\
        a,2024-01-03,x,1\na,2024-02-01,x,2\nb,2024-01-01,y,3\nb,2024-03-01,y,4\n\
        c,2024-01-02,x,5\nc,2024-01-20,y,6\nd,2024-02-11,x,7\nd,2024-02-10,y,8\n";
    parse_csv(text, &CsvOptions::default()).unwrap()
}

fn texts(table: &Table, column: &str) -> Vec<String> {
    let column = table.column(column).unwrap();
    (0..table.n_rows())
        .map(|row_idx| format!("{:?}", column.value(row_idx)))
        .collect()
}

#[test]
fn a_table_is_split_by_its_columns() {
    let table = visits();
    let (train, test) = train_test_split(&table, &Split::grouped_by("patient", 0.5)).unwrap();
    let of = |table: &Table| -> BTreeSet<String> { texts(table, "patient").into_iter().collect() };
    assert!(of(&train).is_disjoint(&of(&test)));
    assert_eq!((train.n_rows(), test.n_rows()), (4, 4));

    let (_, test) = train_test_split(&table, &Split::time_ordered_by("day", 0.25)).unwrap();
    assert_eq!(texts(&test, "score"), ["Integer(7)", "Integer(4)"]);

    let (_, test) = train_test_split(&table, &Split::stratified_by("arm", 0.5).seed(3)).unwrap();
    let mut arms = texts(&test, "arm");
    arms.sort();
    assert_eq!(
        arms,
        ["Text(\"x\")", "Text(\"x\")", "Text(\"y\")", "Text(\"y\")"]
    );
}

#[test]
fn floats_are_in_the_order_of_their_values() {
    let text = b"at\n2.5\n-1.5\n1e9\n-0.25\n0\n";
    let table = parse_csv(text, &CsvOptions::default()).unwrap();
    let (train, _) = train_test_split(&table, &Split::time_ordered_by("at", 0.2)).unwrap();
    let values = ["Float(-1.5)", "Float(-0.25)", "Float(0.0)", "Float(2.5)"];
    assert_eq!(texts(&train, "at"), values);
}

#[test]
fn a_dataset_has_no_columns_to_be_split_by() {
    let dataset = to_dataset(&visits(), &["score".to_owned()], "score");
    assert!(dataset.is_err());
    let text = b"x,y\n1,2\n2,3\n3,4\n";
    let table = parse_csv(text, &CsvOptions::default()).unwrap();
    let dataset = to_dataset(&table, &["x".to_owned()], "y").unwrap();
    let error = train_test_split(&dataset, &Split::grouped_by("x", 0.5)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "this data cannot be split grouped by `x`"
    );
    assert_eq!(
        error.help(),
        "split the table, before its columns are selected"
    );
    let error = train_test_split(&table, &Split::stratified(0.5)).unwrap_err();
    assert_eq!(error.help(), "name the column with `Split::stratified_by`");
    let error = train_test_split(&table, &Split::grouped_by("z", 0.5)).unwrap_err();
    assert!(matches!(error, MlError::UnknownColumn { .. }));
}

#[test]
fn classes_of_a_dataset_keep_their_shares() {
    let features = ["score".to_owned()];
    let dataset = to_classification_dataset(&visits(), &features, "arm").unwrap();
    let (_, test) = train_test_split(&dataset, &Split::stratified(0.5)).unwrap();
    let mut arms: Vec<String> = test.labels().map(ToString::to_string).collect();
    arms.sort();
    assert_eq!(arms, ["x", "x", "y", "y"]);
}

fn line() -> Table {
    let rows: String = (0..40).map(|x| format!("{x},{}\n", 3 * x + 1)).collect();
    parse_csv(format!("x,y\n{rows}").as_bytes(), &CsvOptions::default()).unwrap()
}

#[test]
fn a_model_is_not_measured_with_rows_that_it_may_have_seen() {
    let table = line();
    let features = ["x".to_owned()];
    let (train, test) = train_test_split(&table, &Split::random(0.25).seed(1)).unwrap();
    let select = |table: &Table| to_dataset(table, &features, "y");
    let (train, test) = (
        train.try_map(select).unwrap(),
        test.try_map(select).unwrap(),
    );
    let model = fit_linear(&train).unwrap();
    evaluate_regression(&model, &test).unwrap();

    // Another split of the same table has other rows on its sides.
    let (_, other) = train_test_split(&table, &Split::random(0.25).seed(2)).unwrap();
    let other = other.try_map(select).unwrap();
    let error = evaluate_regression(&model, &other).unwrap_err();
    assert!(matches!(error, MlError::TestSeenInTraining));
    // So has the whole table.
    let all = Test::all(table.clone()).try_map(select).unwrap();
    assert!(evaluate_regression(&model, &all).is_err());
    // What is from somewhere else is new.
    let text = b"x,y\n100,301\n200,601\n";
    let new = Test::all(parse_csv(text, &CsvOptions::default()).unwrap());
    let new = new.try_map(select).unwrap();
    assert!(evaluate_regression(&model, &new).unwrap().mae < 1e-9);
    // And who passes data without its mark is not asked.
    evaluate_regression(&model, &*train).unwrap();
}

#[test]
fn a_split_of_a_split_knows_both() {
    let (train, test) = train_test_split(&line(), &Split::random(0.25)).unwrap();
    let (inner, valid) = train_valid_split(&train, &Split::random(0.25)).unwrap();
    let seen = |trained_on: &Train<Table>, test: &orch_ml::Origin| {
        check_unseen(Some(trained_on.origin()), Some(test)).is_err()
    };
    assert!(!seen(&train, test.origin()));
    assert!(!seen(&inner, test.origin()));
    assert!(!seen(&inner, valid.origin()));
    assert!(seen(&train, valid.origin()));
}

#[test]
fn folds_of_a_cross_validation_see_each_other_and_never_the_test() {
    let (train, test) = train_test_split(&line(), &Split::random(0.25)).unwrap();
    let validation = CrossValidation::KFold {
        n_splits: 3,
        seed: Some(5),
    };
    let folds = validation.folds(&*train).unwrap();
    let parts: Vec<_> = folds
        .iter()
        .enumerate()
        .map(|(index, fold)| validation.fold(&train, index, fold).unwrap())
        .collect();
    for (at, (part, _)) in parts.iter().enumerate() {
        assert!(!part.origin().overlaps(test.origin()));
        for (of, (_, valid)) in parts.iter().enumerate() {
            assert_eq!(part.origin().overlaps(valid.origin()), at != of);
        }
    }
    assert_eq!(
        parts.iter().map(|(_, valid)| valid.n_rows()).sum::<usize>(),
        30
    );
}

#[test]
fn equal_data_has_an_equal_digest() {
    assert_eq!(line().digest(), line().digest());
    assert_ne!(line().digest(), line().head(39).digest());
}

#[test]
fn a_part_of_a_split_is_stored_with_where_it_is_from() {
    let (train, test) = train_test_split(&line(), &Split::random(0.25)).unwrap();
    let (_, valid) = train_valid_split(&train, &Split::random(0.25)).unwrap();
    let mut bytes = Vec::new();
    valid.write(&mut bytes).unwrap();
    let read = Valid::<Table>::read(&bytes).unwrap();
    assert_eq!(read, valid);
    assert_eq!(read.origin(), valid.origin());
    let mut bytes = Vec::new();
    test.write(&mut bytes).unwrap();
    assert_eq!(Test::<Table>::read(&bytes).unwrap(), test);
    for len in 0..bytes.len() {
        assert!(Test::<Table>::read(&bytes[..len]).is_err());
    }
}

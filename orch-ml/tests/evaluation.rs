//! Evaluation of models, as a whole and by slice, against scikit-learn and pandas:
//! `reference/evaluation.py` says how each number was made.

#[path = "reference/evaluation.rs"]
#[allow(dead_code, reason = "shared with other tests, which need other parts")]
mod reference;

use std::path::Path;

use orch_ml::ndarray::{Array1, Array2, Axis, array};
use orch_ml::{
    ClassLabel, ClassOutcomes, ClassificationDataset, ClassificationMetrics, Classifier,
    CsvOptions, Dataset, MlError, Records, RegressionMetrics, Regressor, Table, Value,
    classification_by_slice, evaluate_classification, evaluate_regression, metrics_by_slice,
    read_csv, regression_by_slice, to_classification_dataset, to_dataset,
};
use reference::{cases, check, check_all, check_matrix, codes, index, labels, matrix, reference};

/// Says what it was told, whatever the records are.
struct Oracle(Array2<f64>, Vec<ClassLabel>);

impl Classifier for Oracle {
    fn classes(&self) -> &[ClassLabel] {
        &self.1
    }

    fn predict_probabilities(&self, _records: &Records) -> Result<Array2<f64>, MlError> {
        Ok(self.0.clone())
    }
}

/// A rule of thumb for the species of a penguin.
struct Rule(Vec<ClassLabel>);

impl Classifier for Rule {
    fn classes(&self) -> &[ClassLabel] {
        &self.0
    }

    fn predict_probabilities(&self, records: &Records) -> Result<Array2<f64>, MlError> {
        let mut probabilities = Array2::from_elem((records.n_rows(), 3), 0.1);
        for (row_idx, row) in records.values().rows().into_iter().enumerate() {
            let class = match (row[0] < 43.0, row[1] < 205.0) {
                (true, _) => 0,
                (false, true) => 1,
                (false, false) => 2,
            };
            probabilities[[row_idx, class]] = 0.8;
        }
        Ok(probabilities)
    }
}

/// And for its mass.
struct MassRule;

impl Regressor for MassRule {
    fn predict(&self, records: &Records) -> Result<Array1<f64>, MlError> {
        Ok(records
            .values()
            .column(1)
            .mapv(|length| 50.0 * length - 5800.0))
    }
}

fn features() -> [String; 2] {
    ["bill_length_mm".to_owned(), "flipper_length_mm".to_owned()]
}

fn penguins() -> Table {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/data/penguins.csv");
    let table = read_csv(&file, &CsvOptions::default()).unwrap();
    table
        .drop_missing_in(&["bill_length_mm", "flipper_length_mm", "body_mass_g"])
        .unwrap()
}

fn species(table: &Table) -> ClassificationDataset {
    to_classification_dataset(table, &features(), "species").unwrap()
}

fn rule() -> Rule {
    Rule(vec!["Adelie".into(), "Chinstrap".into(), "Gentoo".into()])
}

fn masses(table: &Table) -> Dataset {
    to_dataset(table, &features(), "body_mass_g").unwrap()
}

#[test]
fn a_report_of_classes_has_the_numbers_of_scikit_learn() {
    let metrics = evaluate_classification(&rule(), &species(&penguins())).unwrap();
    let expected = &reference("slices")["all"];
    check(metrics.accuracy, &expected["accuracy"], "accuracy");
    check(
        metrics.balanced_accuracy,
        &expected["balanced_accuracy"],
        "balanced",
    );
    check(
        metrics.macro_precision,
        &expected["macro_precision"],
        "precision",
    );
    check(metrics.macro_recall, &expected["macro_recall"], "recall");
    check(metrics.macro_f1, &expected["macro_f1"], "f1");
    let weighted = [
        metrics.weighted_precision,
        metrics.weighted_recall,
        metrics.weighted_f1,
    ];
    check_all(&weighted, &expected["weighted"], "weighted");
    check(metrics.log_loss, &expected["log_loss"], "log loss");
    check(metrics.brier_score, &expected["brier_score"], "brier");
    check(metrics.roc_auc.unwrap(), &expected["roc_auc"], "auc");
    check(
        metrics.average_precision.unwrap(),
        &expected["average_precision"],
        "ap",
    );
    check(
        metrics.matthews_correlation,
        &expected["matthews_correlation"],
        "mcc",
    );
    check(
        metrics.cohen_kappa.unwrap(),
        &expected["cohen_kappa"],
        "kappa",
    );
    check_matrix(
        metrics.confusion_matrix.counts(),
        &expected["counts"],
        "counts",
    );
    assert_eq!(metrics.n_rows, index(&expected["n_rows"]));
    let stored = serde_json::to_string(&metrics).unwrap();
    assert_eq!(
        serde_json::from_str::<ClassificationMetrics>(&stored).unwrap(),
        metrics
    );
}

#[test]
fn a_report_of_numbers_has_the_numbers_of_scikit_learn() {
    let dataset = masses(&penguins());
    let metrics = evaluate_regression(&MassRule, &dataset).unwrap();
    let expected = &reference("slices")["all"];
    check(metrics.r2, &expected["r2"], "r2");
    check(metrics.mae, &expected["mae"], "mae");
    check(
        metrics.median_absolute_error,
        &expected["median_absolute_error"],
        "median",
    );
    check(metrics.rmse, &expected["rmse"], "rmse");
    check(metrics.mape, &expected["mape"], "mape");
    // 342 rows, 2 features.
    let adjusted = 1.0 - (1.0 - metrics.r2) * 341.0 / 339.0;
    assert!((metrics.adjusted_r2.unwrap() - adjusted).abs() < 1e-12);
    let few = dataset.take_rows(&[0, 1, 200]).unwrap();
    assert_eq!(
        evaluate_regression(&MassRule, &few).unwrap().adjusted_r2,
        None
    );
}

#[test]
fn a_report_of_two_classes_is_about_the_second() {
    let case = &cases("probabilities")[2];
    let (targets, probabilities) = (codes(&case["targets"]), matrix(&case["probabilities"]));
    let scores = probabilities.column(1).to_vec();
    let truth: Vec<bool> = targets.iter().map(|code| *code == 1).collect();
    let records = Records::new(Array2::zeros((targets.len(), 1)), ["x"]).unwrap();
    let labels_of = targets.iter().map(|code| i64::from(*code));
    let test = ClassificationDataset::new(records, labels_of, "y").unwrap();
    let metrics = evaluate_classification(&Oracle(probabilities, labels(2)), &test).unwrap();
    // One against the rest is the same from both sides with two classes.
    check(
        metrics.roc_auc.unwrap(),
        &case["expected"]["auc_macro"],
        "auc",
    );
    let expected = orch_ml::average_precision(&truth, &scores, None).unwrap();
    assert_eq!(metrics.average_precision, Some(expected));
    check(metrics.log_loss, &case["expected"]["log_loss"], "log loss");
    check(
        metrics.brier_score,
        &case["expected"]["brier_score"],
        "brier",
    );
}

#[test]
fn classes_are_matched_by_label_and_unknown_ones_have_probability_0() {
    let records = Records::new(Array2::zeros((3, 1)), ["x"]).unwrap();
    let test = ClassificationDataset::new(records, ["new", "b", "a"], "y").unwrap();
    // The model has its classes in another order.
    let probabilities = array![[0.9, 0.1], [0.7, 0.3], [0.2, 0.8]];
    let model = Oracle(probabilities, vec!["b".into(), "a".into()]);
    let outcomes = ClassOutcomes::new(&model.predict(test.records()).unwrap(), &test).unwrap();
    assert_eq!(outcomes.classes(), ["a".into(), "b".into(), "new".into()]);
    assert_eq!(outcomes.targets(), [2, 1, 0]);
    assert_eq!(outcomes.predictions(), [1, 1, 0]);
    assert_eq!(outcomes.probabilities().row(0).to_vec(), [0.1, 0.9, 0.0]);
    assert_eq!(outcomes.is_right(), [false, true, true]);
    let of_b = (vec![false, true, false], vec![0.9, 0.7, 0.2]);
    assert_eq!(outcomes.of_class(1).unwrap(), of_b);
    assert!(outcomes.of_class(3).is_err());
    assert!(outcomes.take_rows(&[3]).is_err());
    let weighted = outcomes.metrics(Some(&[0.0, 1.0, 1.0])).unwrap();
    assert_eq!((weighted.accuracy, weighted.n_rows), (1.0, 3));
    let wrong = Oracle(Array2::zeros((3, 2)), labels(3));
    assert!(matches!(
        evaluate_classification(&wrong, &test),
        Err(MlError::LengthMismatch { .. })
    ));
    let wrong = Oracle(Array2::from_elem((3, 2), f64::NAN), labels(2));
    assert!(matches!(
        evaluate_classification(&wrong, &test),
        Err(MlError::NotAProbability { row_idx: 0, .. })
    ));
}

#[test]
fn what_one_class_leaves_undefined_is_none() {
    let records = Records::new(Array2::zeros((1, 1)), ["x"]).unwrap();
    let test = ClassificationDataset::new(records, [1i64], "y").unwrap();
    let only = Oracle(array![[1.0]], vec![1.into()]);
    let metrics = evaluate_classification(&only, &test).unwrap();
    assert_eq!((metrics.roc_auc, metrics.average_precision), (None, None));
    assert_eq!((metrics.cohen_kappa, metrics.accuracy), (None, 1.0));
    // Class 0 has no row here.
    let two = Oracle(array![[0.6, 0.4]], labels(2));
    let metrics = evaluate_classification(&two, &test).unwrap();
    assert_eq!((metrics.roc_auc, metrics.average_precision), (None, None));
    assert_eq!((metrics.cohen_kappa, metrics.accuracy), (Some(0.0), 0.0));
}

#[test]
fn a_report_of_classes_prints_aligned() {
    // Class spam has TP 3, FP 2, FN 1, class ham the rest of 10.
    let truth = [
        "spam", "spam", "spam", "spam", "ham", "ham", "ham", "ham", "ham", "ham",
    ];
    let records = Records::new(Array2::zeros((10, 1)), ["x"]).unwrap();
    let test = ClassificationDataset::new(records, truth, "y").unwrap();
    let spam = [0.75, 0.75, 0.75, 0.25, 0.75, 0.75, 0.25, 0.25, 0.25, 0.25];
    let probabilities = Array2::from_shape_fn((10, 2), |(row_idx, class)| match class {
        0 => 1.0 - spam[row_idx],
        _ => spam[row_idx],
    });
    let model = Oracle(probabilities, vec!["ham".into(), "spam".into()]);
    let report = evaluate_classification(&model, &test).unwrap().to_string();
    // By hand; the log loss is -(7 ln 0.75 + 3 ln 0.25) / 10, the AUC (3 * 4 + (3 * 2 + 4) / 2) / 24.
    let expected = "                 precision    recall        f1      rows
ham                 0.8000    0.6667    0.7273         6
spam                0.6000    0.7500    0.6667         4

macro average       0.7000    0.7083    0.6970        10
weighted average    0.7200    0.7000    0.7030        10

accuracy                    0.7000
balanced accuracy           0.7083
Matthews correlation        0.4082
Cohen's kappa               0.4000
ROC AUC                     0.7083
average precision           0.5500
log loss                    0.6173
Brier score                 0.2125

true \\ predicted  ham  spam
ham                 4     2
spam                1     3";
    assert_eq!(report, expected);
}

#[test]
fn a_report_of_numbers_prints_aligned() {
    let (targets, predictions) = (array![1.0, 2.0, 3.0, 4e6], array![2.0, 2.0, 3.0, 4e6]);
    let metrics =
        RegressionMetrics::from_predictions(targets.view(), predictions.view(), None).unwrap();
    let expected = "r2                          1.0000
adjusted r2                      -
explained variance          1.0000
mean absolute error         0.2500
median absolute error       0.0000
mean squared error          0.2500
root mean squared error     0.5000
mean absolute % error      25.0000
rows                             4";
    assert_eq!(metrics.to_string(), expected);
    let far = array![1.0, 2.0, 3.0, 3e6];
    let metrics = RegressionMetrics::from_predictions(targets.view(), far.view(), None).unwrap();
    let report = metrics.to_string();
    assert!(
        report.contains("mean absolute error        2.500e5"),
        "{report}"
    );
}

/// Each slice of the table is the expected one, with the numbers of these names.
#[track_caller]
fn check_slices(found: &Table, column: &str, names: &[&str]) {
    let expected = reference("slices")["slices"][column]
        .as_array()
        .unwrap()
        .clone();
    assert_eq!(found.column_names()[..2], ["slice", "n_rows"]);
    assert_eq!(found.column_names()[2..], *names);
    assert_eq!(found.n_rows(), expected.len());
    for (row_idx, expected) in expected.iter().enumerate() {
        match (
            found.column("slice").unwrap().value(row_idx),
            expected["slice"].as_str(),
        ) {
            (Value::Text(found), Some(expected)) => assert_eq!(found, expected),
            (found, expected) => assert_eq!((found, expected), (Value::Missing, None)),
        }
        for name in ["n_rows"].iter().chain(names) {
            let number = match found.column(name).unwrap().value(row_idx) {
                Value::Float(number) => number,
                Value::Integer(number) => number as f64,
                _ => f64::NAN,
            };
            check(number, &expected[name], name);
        }
    }
}

#[test]
fn metrics_by_slice_are_those_of_each_group_of_pandas() {
    let table = penguins();
    let (test, masses) = (species(&table), masses(&table));
    let outcomes = ClassOutcomes::new(&rule().predict(test.records()).unwrap(), &test).unwrap();
    let guessed = MassRule.predict(masses.records()).unwrap();
    // Texts, texts of which some are missing, and numbers.
    for column in ["island", "sex", "year"] {
        let found = classification_by_slice(&table, column, &outcomes).unwrap();
        let names = [
            "accuracy",
            "balanced_accuracy",
            "macro_precision",
            "macro_recall",
            "macro_f1",
            "log_loss",
            "brier_score",
            "roc_auc",
        ];
        check_slices(&found, column, &names);
        let targets = masses.targets().view();
        let found = regression_by_slice(&table, column, targets, guessed.view()).unwrap();
        check_slices(
            &found,
            column,
            &["r2", "mae", "median_absolute_error", "rmse", "mape"],
        );
    }
}

#[test]
fn slices_that_cannot_be_are_refused() {
    let table = penguins();
    let masses = masses(&table);
    let short = masses.targets().select(Axis(0), &[0, 1]);
    assert_eq!(
        regression_by_slice(&table, "island", short.view(), masses.targets().view())
            .unwrap_err()
            .to_string(),
        "the list of targets has length 2, expected 342"
    );
    let one = |rows: &[usize]| Ok(vec![(format!("of {}", rows.len()), 1.0)]);
    assert!(matches!(
        metrics_by_slice(&table, "planet", one),
        Err(MlError::UnknownColumn { .. })
    ));
    assert!(
        metrics_by_slice(&table, "island", one)
            .unwrap_err()
            .to_string()
            .ends_with("expected the same names for every slice")
    );
    assert!(matches!(
        metrics_by_slice(&table.head(0), "island", one),
        Err(MlError::NoRows { .. })
    ));
    let n_rows = |_: &[usize]| Ok(vec![("n_rows".to_owned(), 1.0)]);
    assert!(matches!(
        metrics_by_slice(&table, "island", n_rows),
        Err(MlError::DuplicateColumn { .. })
    ));
}

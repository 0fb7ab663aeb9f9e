//! Linear models and metrics against scikit-learn, and models as files.

use std::path::{Path, PathBuf};

use orch_ml::ndarray::{Array1, Array2, Axis, array};
use orch_ml::{
    ClassificationDataset, Classifier, CsvOptions, Dataset, ForestOptions, LinearModel, MlError,
    Model, Records, accuracy, evaluate_classification, evaluate_regression, fit_forest_classifier,
    fit_forest_regressor, fit_linear, load_model, log_loss, mean_squared_error, r2_score, read_csv,
    save_model, to_dataset,
};
use proptest::prelude::*;

fn diabetes() -> Dataset {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/data/diabetes.csv");
    let table = read_csv(&file, &CsvOptions::default()).unwrap();
    to_dataset(&table, &table.column_names()[..10], "target").unwrap()
}

/// The columns of diabetes that `make` turns each row into, with the targets.
fn diabetes_as(names: &[&str], make: impl Fn(&[f64]) -> Vec<f64>) -> Dataset {
    let diabetes = diabetes();
    let cells: Vec<f64> = diabetes
        .records()
        .values()
        .rows()
        .into_iter()
        .flat_map(|row| make(row.as_slice().unwrap()))
        .collect();
    let records = Array2::from_shape_vec((442, names.len()), cells).unwrap();
    Dataset::new(
        records,
        diabetes.targets().clone(),
        names.to_vec(),
        "target",
    )
    .unwrap()
}

fn rows(of: impl Fn(&usize) -> bool) -> Vec<usize> {
    (0..442).filter(of).collect()
}

fn check_close(found: f64, expected: f64) {
    let tolerance = 1e-9 * expected.abs().max(1e-3);
    assert!(
        (found - expected).abs() <= tolerance,
        "{found} is not {expected}"
    );
}

fn check_all_close(found: &[f64], expected: &[f64]) {
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        check_close(*found, *expected);
    }
}

#[test]
fn all_of_diabetes_gives_the_coefficients_of_scikit_learn() {
    // sklearn 1.9.1: LinearRegression().fit(X, y) on load_diabetes()
    let dataset = diabetes();
    let model = fit_linear(&dataset).unwrap();
    check_all_close(
        model.coefficients(),
        &[
            -10.009866299810652,
            -239.81564367242223,
            519.8459200544597,
            324.38464550232317,
            -792.17563855223,
            476.7390210052578,
            101.04326793803425,
            177.06323767134612,
            751.2736995571032,
            67.62669218370438,
        ],
    );
    check_close(model.intercept(), 152.13348416289597);
    assert_eq!((model.rank(), model.n_rows()), (10, 442));
    check_close(
        evaluate_regression(&model, &dataset).unwrap().r2,
        0.5177484222203499,
    );
}

#[test]
fn every_fifth_row_of_diabetes_as_test_gives_the_metrics_of_scikit_learn() {
    // sklearn 1.9.1 on the same rows: test = np.arange(442) % 5 == 0
    let dataset = diabetes();
    let train = dataset.take_rows(&rows(|row| row % 5 != 0)).unwrap();
    let test = dataset.take_rows(&rows(|row| row % 5 == 0)).unwrap();
    let model = fit_linear(&train).unwrap();
    check_all_close(
        model.coefficients(),
        &[
            -51.472544311345096,
            -204.4931197676932,
            514.2834723566615,
            319.9681040945537,
            -832.8383475074309,
            540.3694123162937,
            60.07463585031485,
            75.74221447590749,
            808.3362756979981,
            82.54249824471835,
        ],
    );
    check_close(model.intercept(), 152.07454233614692);
    let metrics = evaluate_regression(&model, &test).unwrap();
    check_close(metrics.r2, 0.5190389298798229);
    check_close(metrics.mae, 43.20000351395368);
    check_close(metrics.rmse, 52.6871423983889);
    assert_eq!(metrics.n_rows, 89);
}

#[test]
fn one_feature_gives_the_published_example_of_scikit_learn() {
    // scikit-learn's "Linear Regression Example": bmi, last 20 rows as test, published as
    // coefficient 938.24, mean squared error 2548.07, R² 0.47; digits from sklearn 1.9.1.
    let dataset = diabetes_as(&["bmi"], |row| vec![row[2]]);
    let model = fit_linear(&dataset.take_rows(&rows(|row| *row < 422)).unwrap()).unwrap();
    let test = dataset.take_rows(&rows(|row| *row >= 422)).unwrap();
    assert!((model.coefficients()[0] - 938.23786125).abs() < 5e-9);
    check_close(model.intercept(), 152.91886182616113);
    let predictions = model.predict(test.records()).unwrap();
    let error = mean_squared_error(test.targets().view(), predictions.view()).unwrap();
    check_close(error, 2548.07239872597);
    check_close(
        r2_score(test.targets().view(), predictions.view()).unwrap(),
        0.47257544798227147,
    );
}

#[test]
fn dependent_and_constant_features_get_the_smallest_coefficients_as_in_scikit_learn() {
    // sklearn 1.9.1: columns bmi, bp, 2 * bmi and 0.1; its constant gets -8.8e-28.
    let dataset = diabetes_as(&["bmi", "bp", "double", "constant"], |row| {
        vec![row[2], row[3], 2.0 * row[2], 0.1]
    });
    let model = fit_linear(&dataset).unwrap();
    assert_eq!(model.rank(), 2);
    check_all_close(
        model.coefficients(),
        &[
            158.07972216728842,
            402.20603443997135,
            316.1594443345769,
            0.0,
        ],
    );
    check_close(model.intercept(), 152.13348416289614);
}

#[test]
fn one_row_and_equal_rows_are_fitted_by_their_target() {
    // sklearn 1.9.1: LinearRegression().fit([[1, 2]], [3]) has coefficients 0 and intercept 3.
    for n_rows in [1, 3] {
        let records = Array2::from_shape_fn((n_rows, 2), |(_, column)| column as f64 + 1.0);
        let dataset =
            Dataset::new(records, Array1::from_elem(n_rows, 3.0), ["a", "b"], "y").unwrap();
        let model = fit_linear(&dataset).unwrap();
        assert_eq!(
            (model.coefficients(), model.intercept(), model.rank()),
            (&[0.0; 2][..], 3.0, 0)
        );
    }
}

#[test]
fn fewer_rows_than_features_are_fitted_exactly() {
    let records = array![[1.0, 0.0, 2.0], [0.0, 1.0, -1.0], [3.0, 1.0, 0.0]];
    let dataset = Dataset::new(records, array![1.0, 2.0, 5.0], ["a", "b", "c"], "y").unwrap();
    let model = fit_linear(&dataset).unwrap();
    assert_eq!(model.rank(), 2);
    assert!(evaluate_regression(&model, &dataset).unwrap().mae < 1e-12);
}

#[test]
fn data_that_cannot_be_fitted_is_refused_with_row_and_column() {
    let dataset = |value, target| {
        Dataset::new(
            array![[1.0, 2.0], [3.0, value]],
            array![1.0, target],
            ["a", "b"],
            "y",
        )
        .unwrap()
    };
    let message = |dataset: &Dataset| fit_linear(dataset).unwrap_err().to_string();
    assert_eq!(
        message(&dataset(f64::NAN, 1.0)),
        "column `b` is NaN at row 1, expected a finite number"
    );
    assert_eq!(
        message(&dataset(f64::NEG_INFINITY, 1.0)),
        "column `b` is -inf at row 1, expected a finite number"
    );
    assert_eq!(
        message(&dataset(1.0, f64::NAN)),
        "column `y` is NaN at row 1, expected a finite number"
    );
    let empty = Dataset::new(Array2::zeros((0, 2)), Array1::zeros(0), ["a", "b"], "y").unwrap();
    assert_eq!(message(&empty), "the table has no rows");
    let narrow = Dataset::new(Array2::zeros((2, 0)), Array1::zeros(2), [""; 0], "y").unwrap();
    assert_eq!(
        message(&narrow),
        "no feature columns are given, expected at least 1"
    );
    assert!(matches!(
        fit_linear(&dataset(1e300, 1.0)),
        Ok(_) | Err(MlError::FitOverflow)
    ));
}

#[test]
fn features_are_matched_by_name_when_predicting() {
    let dataset = Dataset::new(
        array![[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]],
        array![1.0, 3.0, 6.0],
        ["a", "b"],
        "y",
    );
    let model = fit_linear(&dataset.unwrap()).unwrap();
    let predict = |records: Array2<f64>, names: &[&str]| {
        model.predict(&Records::new(records, names.to_vec()).unwrap())
    };
    let expected = array![1.0 + 2.0 * 10.0 + 5.0];
    let swapped = predict(array![[1.0, 7.0, 10.0]], &["b", "unused", "a"]).unwrap();
    assert!((&swapped - &expected)[0].abs() < 1e-12);
    assert_eq!(
        predict(array![[1.0, 2.0]], &["a", "c"])
            .unwrap_err()
            .to_string(),
        "the model needs feature `b`, which the records lack (their features: `a`, `c`)"
    );
    assert!(matches!(
        predict(array![[1.0, f64::NAN]], &["a", "b"]),
        Err(MlError::NotFinite { row_idx: 0, .. })
    ));
    assert_eq!(
        predict(Array2::zeros((0, 2)), &["a", "b"]).unwrap().len(),
        0
    );
}

#[test]
fn r2_of_one_row_and_of_equal_targets_is_that_of_scikit_learn() {
    // sklearn 1.9.1 r2_score: nan, 1.0, 0.0
    let r2 = |targets: Array1<f64>, guesses: Array1<f64>| r2_score(targets.view(), guesses.view());
    assert!(r2(array![1.0], array![1.0]).unwrap().is_nan());
    assert_eq!(
        r2(array![0.1, 0.1, 0.1], array![0.1, 0.1, 0.1]).unwrap(),
        1.0
    );
    assert_eq!(
        r2(array![0.1, 0.1, 0.1], array![0.1, 0.1, 0.2]).unwrap(),
        0.0
    );
    assert!(matches!(
        r2(array![], array![]),
        Err(MlError::NoRows { .. })
    ));
    assert!(matches!(
        r2(array![1.0], array![]),
        Err(MlError::LengthMismatch { .. })
    ));
}

/// Predicts what it was told, for the classes 0, 1 and 2.
struct Oracle(Array2<f64>, Vec<orch_ml::ClassLabel>);

impl Classifier for Oracle {
    fn classes(&self) -> &[orch_ml::ClassLabel] {
        &self.1
    }

    fn predict_probabilities(&self, _records: &Records) -> Result<Array2<f64>, MlError> {
        Ok(self.0.clone())
    }
}

#[test]
fn metrics_of_classes_are_those_of_scikit_learn() {
    // By hand: class 1 has TP 2, FP 1, FN 2 here, so that precision 2/3 and recall 1/2 differ.
    let truth = [0i64, 0, 0, 1, 1, 1, 1, 2, 2, 0];
    let guesses = [0usize, 0, 1, 1, 0, 2, 1, 2, 0, 0];
    let probabilities =
        Array2::from_shape_fn(
            (10, 3),
            |(row, class)| {
                if guesses[row] == class { 0.8 } else { 0.1 }
            },
        );
    let records = Records::new(Array2::zeros((10, 1)), ["x"]).unwrap();
    let test = ClassificationDataset::new(records, truth, "y").unwrap();
    let model = Oracle(probabilities, vec![0.into(), 1.into(), 2.into()]);
    let metrics = evaluate_classification(&model, &test).unwrap();
    let of = |class: usize| &metrics.classes[class];
    assert_eq!(metrics.accuracy, 0.6);
    check_all_close(
        &[of(0).precision, of(0).recall, of(0).f1],
        &[0.6, 0.75, 2.0 / 3.0],
    );
    check_all_close(
        &[of(1).precision, of(1).recall, of(1).f1],
        &[2.0 / 3.0, 0.5, 4.0 / 7.0],
    );
    check_all_close(&[of(2).precision, of(2).recall, of(2).f1], &[0.5, 0.5, 0.5]);
    check_close(metrics.macro_precision, (0.6 + 2.0 / 3.0 + 0.5) / 3.0);
    check_close(metrics.macro_recall, 1.75 / 3.0);
    check_close(metrics.macro_f1, (2.0 / 3.0 + 4.0 / 7.0 + 0.5) / 3.0);
    check_close(
        metrics.log_loss,
        -(6.0 * 0.8f64.ln() + 4.0 * 0.1f64.ln()) / 10.0,
    );
    assert_eq!(
        metrics
            .classes
            .iter()
            .map(|class| class.n_rows)
            .collect::<Vec<_>>(),
        [4, 4, 2]
    );
}

#[test]
fn a_class_that_the_model_does_not_know_is_never_right() {
    let records = Records::new(Array2::zeros((2, 1)), ["x"]).unwrap();
    let test = ClassificationDataset::new(records, ["new", "b"], "y").unwrap();
    let model = Oracle(array![[1.0, 0.0], [0.0, 1.0]], vec!["a".into(), "b".into()]);
    let metrics = evaluate_classification(&model, &test).unwrap();
    assert_eq!(metrics.accuracy, 0.5);
    let labels: Vec<String> = metrics
        .classes
        .iter()
        .map(|class| class.label.to_string())
        .collect();
    assert_eq!(labels, ["a", "b", "new"]);
    assert_eq!(metrics.classes[2].recall, 0.0);
    check_close(metrics.macro_f1, 1.0 / 3.0);
}

#[test]
fn log_loss_and_accuracy_are_those_of_scikit_learn() {
    // sklearn 1.9.1: log_loss([0, 1, 2, 1], p) with a wrong prediction of probability 0
    let probabilities = array![
        [0.7, 0.2, 0.1],
        [0.1, 0.8, 0.1],
        [0.0, 0.3, 0.7],
        [1.0, 0.0, 0.0]
    ];
    check_close(
        log_loss(&[0, 1, 2, 1], &probabilities).unwrap(),
        9.245036707077206,
    );
    assert!(matches!(
        log_loss(&[0, 1, 2, 3], &probabilities),
        Err(MlError::CodeOutOfRange { .. })
    ));
    assert_eq!(accuracy(&[0, 1, 2, 1], &[0, 1, 2, 0]).unwrap(), 0.75);
}

proptest! {
    /// The residuals of least squares are orthogonal to every feature and add up to zero.
    #[test]
    fn residuals_are_orthogonal_to_the_features(
        cells in prop::collection::vec(-100.0..100.0f64, 30 * 4)
    ) {
        let all = Array2::from_shape_vec((30, 4), cells).unwrap();
        let records = all.select(Axis(1), &[0, 1, 2]);
        let dataset = Dataset::new(records, all.column(3).to_owned(), ["a", "b", "c"], "y").unwrap();
        let model = fit_linear(&dataset).unwrap();
        let residuals = dataset.targets() - &model.predict(dataset.records()).unwrap();
        prop_assert!(residuals.sum().abs() < 1e-8);
        for feature in dataset.records().values().columns() {
            prop_assert!(feature.dot(&residuals).abs() < 1e-6);
        }
    }

    /// Of a, b and a + b the smallest coefficients have nothing in the direction (1, 1, -1), along
    /// which the prediction does not change.
    #[test]
    fn a_sum_of_features_gets_the_smallest_coefficients(
        cells in prop::collection::vec(-100.0..100.0f64, 30 * 6)
    ) {
        let all = Array2::from_shape_vec((30, 6), cells).unwrap();
        let records = Array2::from_shape_fn((30, 6), |(row, column)| match column {
            5 => all[[row, 0]] + all[[row, 1]],
            _ => all[[row, column]],
        });
        let names = ["a", "b", "c", "d", "e", "sum"];
        let dataset = Dataset::new(records, all.column(5).to_owned(), names, "y").unwrap();
        let model = fit_linear(&dataset).unwrap();
        prop_assert_eq!(model.rank(), 5);
        let slopes = model.coefficients();
        prop_assert!((slopes[0] + slopes[1] - slopes[5]).abs() < 1e-10);
        let residuals = dataset.targets() - &model.predict(dataset.records()).unwrap();
        for feature in dataset.records().values().columns() {
            prop_assert!(feature.dot(&residuals).abs() < 1e-6);
        }
    }
}

fn small_models() -> Vec<Model> {
    let diabetes = diabetes();
    let options = ForestOptions {
        n_trees: 3,
        ..ForestOptions::default()
    };
    let labels = diabetes
        .targets()
        .iter()
        .map(|target| if *target > 150.0 { "high" } else { "low" });
    let classes = ClassificationDataset::new(diabetes.records().clone(), labels, "level").unwrap();
    vec![
        fit_linear(&diabetes).unwrap().into(),
        fit_forest_regressor(&diabetes, &options).unwrap().into(),
        fit_forest_classifier(&classes, &options).unwrap().into(),
    ]
}

fn saved(dir: &tempfile::TempDir, model: &Model) -> PathBuf {
    let file = dir.path().join("best.model");
    save_model(model, &file).unwrap();
    file
}

#[test]
fn a_model_is_read_as_it_was_saved_and_leaves_no_other_file() {
    let dir = tempfile::tempdir().unwrap();
    for model in small_models() {
        let file = saved(&dir, &model);
        assert_eq!(load_model(&file).unwrap(), model);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    }
    let model = load_model(&dir.path().join("best.model")).unwrap();
    let error = LinearModel::try_from(model).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the model is a forest classifier, expected a linear model"
    );
}

#[test]
fn a_model_file_that_is_cut_short_or_damaged_anywhere_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    for model in small_models() {
        let file = saved(&dir, &model);
        let bytes = std::fs::read(&file).unwrap();
        let step = (bytes.len() / 200).max(1);
        for at in (0..60).chain((60..bytes.len()).step_by(step)) {
            std::fs::write(&file, &bytes[..at]).unwrap();
            assert!(load_model(&file).is_err(), "cut at {at}");
            let mut damaged = bytes.clone();
            damaged[at] ^= 0x40;
            std::fs::write(&file, damaged).unwrap();
            assert!(load_model(&file).is_err(), "damaged at {at}");
        }
    }
}

#[test]
fn each_kind_of_unreadable_model_file_has_its_own_message() {
    let dir = tempfile::tempdir().unwrap();
    let file = saved(&dir, &small_models()[0]);
    let bytes = std::fs::read(&file).unwrap();
    let message = |bytes: &[u8]| {
        std::fs::write(&file, bytes).unwrap();
        let message = load_model(&file).unwrap_err().to_string();
        message.replace(&*file.display().to_string(), "best.model")
    };
    assert_eq!(message(b""), "`best.model` is not a model file");
    assert_eq!(
        message(b"age,size\n1,2\n"),
        "`best.model` is not a model file"
    );
    let mut newer = bytes.clone();
    newer[8] = 3;
    assert_eq!(
        message(&newer),
        "model file `best.model` has format 3, this build reads up to 2"
    );
    let (len, shorter) = (bytes.len(), &bytes[..bytes.len() - 5]);
    assert_eq!(
        message(shorter),
        format!(
            "model file `best.model` has {} bytes, expected {len}",
            len - 5
        )
    );
    let mut damaged = bytes.clone();
    damaged[len - 1] ^= 1;
    assert_eq!(
        message(&damaged),
        "model file `best.model` is damaged: its checksum does not match"
    );
    assert!(matches!(
        load_model(dir.path()),
        Err(MlError::NotAFile { .. })
    ));
    assert!(matches!(
        load_model(&dir.path().join("none")),
        Err(MlError::ReadFile { .. })
    ));
    let nowhere = dir.path().join("no/such/folder/best.model");
    assert!(matches!(
        save_model(&small_models()[0], &nowhere),
        Err(MlError::WriteFile { .. })
    ));
}

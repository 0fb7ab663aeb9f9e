//! Permutation importance and partial dependence against scikit-learn and by hand:
//! `reference/evaluation.py` says how each number was made.

#[path = "reference/evaluation.rs"]
#[allow(dead_code, reason = "shared with other tests, which need other parts")]
mod reference;

use std::path::Path;

use orch_ml::ndarray::{Array1, Array2, array};
use orch_ml::{
    ClassLabel, ClassificationDataset, Classifier, CsvOptions, Dataset, GridOptions, MlError,
    PermutationOptions, Records, Regressor, class_partial_dependence, classification_importance,
    fit_linear, partial_dependence, permutation_importance, r2_score, read_csv,
    regression_importance, to_dataset,
};
use reference::weights;
use reference::{check, check_all, check_matrix, index, labels, matrix, number, reference, vector};

const NAMES: [&str; 4] = ["a", "b", "c", "d"];

/// 3 a + a b - 2 c; d is not used.
struct Formula;

impl Regressor for Formula {
    fn predict(&self, records: &Records) -> Result<Array1<f64>, MlError> {
        let rows = records.values().rows().into_iter();
        Ok(rows
            .map(|row| 3.0 * row[0] + row[0] * row[1] - 2.0 * row[2])
            .collect())
    }
}

/// Of three classes: softmax of a, b and 0.3.
struct ClassFormula(Vec<ClassLabel>);

impl Classifier for ClassFormula {
    fn classes(&self) -> &[ClassLabel] {
        &self.0
    }

    fn predict_probabilities(&self, records: &Records) -> Result<Array2<f64>, MlError> {
        let mut powers = Array2::from_shape_fn((records.n_rows(), 3), |(row_idx, class)| {
            if class < 2 {
                records.values()[[row_idx, class]].exp()
            } else {
                0.3f64.exp()
            }
        });
        for mut row in powers.rows_mut() {
            row /= row.sum();
        }
        Ok(powers)
    }
}

fn dataset() -> Dataset {
    let case = reference("inspection");
    Dataset::new(
        matrix(&case["records"]),
        vector(&case["targets"]),
        NAMES,
        "y",
    )
    .unwrap()
}

fn options() -> PermutationOptions {
    let case = reference("inspection");
    PermutationOptions {
        n_repeats: index(&case["n_repeats"]),
        seed: index(&case["seed"]) as u64,
    }
}

#[test]
fn importance_is_what_scikit_learns_score_loses_by_the_same_shuffles() {
    let case = reference("inspection");
    let found = regression_importance(&Formula, &dataset(), &options(), r2_score).unwrap();
    check(found.score, &case["score"], "score");
    for (feature, of) in found.features.iter().enumerate() {
        assert_eq!(of.feature, NAMES[feature]);
        check_all(&of.losses, &case["losses"][feature], "losses");
        check(of.mean, &case["mean"][feature], "mean");
        check(of.sd, &case["sd"][feature], "sd");
    }
    // What the model does not use loses nothing at all.
    assert_eq!((found.features[3].mean, found.features[3].sd), (0.0, 0.0));
}

#[test]
fn importance_is_the_same_with_any_number_of_threads() {
    let importance = |n_threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(n_threads);
        let shuffle = || regression_importance(&Formula, &dataset(), &options(), r2_score);
        pool.build().unwrap().install(shuffle).unwrap()
    };
    assert_eq!(importance(1), importance(4));
}

#[test]
fn importance_of_classes_is_a_loss_of_their_accuracy() {
    // Class 0 if a is above b: d and c do not matter, and a is the only one that varies.
    let rows = array![
        [2.0, 1.0, 0.0, 5.0],
        [0.0, 1.0, 3.0, 6.0],
        [4.0, 1.0, 1.0, 7.0]
    ];
    let records = Records::new(rows, NAMES).unwrap();
    let test = ClassificationDataset::new(records, [0i64, 1, 0], "y").unwrap();
    let model = ClassFormula(labels(3));
    let found =
        classification_importance(&model, &test, &PermutationOptions::default(), |outcomes| {
            Ok(outcomes.confusion_matrix(None)?.accuracy())
        })
        .unwrap();
    assert_eq!(found.score, 1.0);
    let means: Vec<f64> = found.features.iter().map(|of| of.mean).collect();
    assert_eq!(means[1..], [0.0; 3]);
    // A shuffle of three rows leaves all in place or puts the wrong one in two of three.
    for loss in &found.features[0].losses {
        assert!(*loss == 0.0 || (loss - 2.0 / 3.0).abs() < 1e-15, "{loss}");
    }
    assert!(means[0] > 0.0);
}

#[test]
fn importance_prints_the_most_important_feature_first() {
    let records = Records::new(Array2::zeros((1, 2)), ["width", "length_of_everything"]).unwrap();
    let options = PermutationOptions {
        n_repeats: 1,
        seed: 0,
    };
    let mut found = permutation_importance(&records, &options, |_| Ok(0.875)).unwrap();
    found.features[1].mean = 0.25;
    found.features[1].sd = 0.03125;
    let expected = "                          loss        sd
length_of_everything    0.2500    0.0312
width                   0.0000    0.0000
all as they are         0.8750";
    assert_eq!(found.to_string(), expected);
}

#[test]
fn importance_without_anything_to_shuffle_is_refused() {
    let message = |shape, n_repeats| {
        let names = &NAMES[..2 * usize::from(shape != (2, 0))];
        let records = Records::new(Array2::zeros(shape), names.to_vec()).unwrap();
        let options = PermutationOptions { n_repeats, seed: 0 };
        let result = permutation_importance(&records, &options, |_| Ok(1.0));
        result.unwrap_err().to_string()
    };
    assert_eq!(message((0, 2), 1), "the table has no rows");
    assert_eq!(
        message((2, 0), 1),
        "no feature columns are given, expected at least 1"
    );
    assert_eq!(message((2, 2), 0), "`n_repeats` is 0, expected at least 1");
}

#[test]
fn partial_dependence_is_that_of_scikit_learn() {
    let case = reference("inspection");
    let records = dataset().records().clone();
    let row_weights = weights(&case);
    for case in case["dependence"].as_array().unwrap() {
        let options = GridOptions {
            n_points: index(&case["n_points"]),
            low: number(&case["low"]),
            high: number(&case["high"]),
        };
        let feature = NAMES[index(&case["feature"])];
        let is_weighted = case["is_weighted"].as_bool().unwrap();
        let weights = row_weights.as_deref().filter(|_| is_weighted);
        let found = partial_dependence(&Formula, &records, feature, &options, weights).unwrap();
        assert_eq!(found.feature, feature);
        check_all(&found.values, &case["values"], "values");
        check_all(&found.predictions, &case["predictions"], "predictions");
        let model = ClassFormula(labels(3));
        let found = class_partial_dependence(&model, &records, feature, &options, weights).unwrap();
        check_all(&found.values, &case["values"], "values");
        check_matrix(
            &found.probabilities,
            &case["probabilities"],
            "probabilities",
        );
        assert_eq!(found.classes, labels(3));
    }
}

#[test]
fn a_linear_model_depends_on_a_feature_along_a_line_of_its_coefficient() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/data/diabetes.csv");
    let table = read_csv(&file, &CsvOptions::default()).unwrap();
    let dataset = to_dataset(&table, &table.column_names()[..10], "target").unwrap();
    let model = fit_linear(&dataset).unwrap();
    let options = GridOptions {
        n_points: 10,
        ..GridOptions::default()
    };
    let found = partial_dependence(&model, dataset.records(), "bmi", &options, None).unwrap();
    let expected = &reference("inspection")["diabetes"];
    check_all(&found.values, &expected["values"], "values");
    check_all(&found.predictions, &expected["predictions"], "predictions");
    for point in 1..10 {
        let rise = found.predictions[point] - found.predictions[0];
        let run = found.values[point] - found.values[0];
        assert!((rise - model.coefficients()[2] * run).abs() < 1e-9);
    }
}

#[test]
fn a_grid_that_cannot_be_is_refused() {
    let dataset = dataset();
    let message = |feature: &str, n_points, low, high| {
        let options = GridOptions {
            n_points,
            low,
            high,
        };
        let result = partial_dependence(&Formula, dataset.records(), feature, &options, None);
        result.unwrap_err().to_string()
    };
    assert_eq!(
        message("e", 5, 0.05, 0.95),
        "column `e` is not in the table (its columns: `a`, `b`, `c`, `d`)"
    );
    assert_eq!(
        message("a", 1, 0.05, 0.95),
        "`n_points` is 1, expected at least 2"
    );
    for (low, high) in [(0.5, 0.5), (-0.1, 0.5), (0.5, 1.1), (f64::NAN, 0.5)] {
        assert!(message("a", 5, low, high).starts_with("`low and high` is"));
    }
    assert_eq!(
        message("b", 2, 0.5, 0.51),
        "`low and high` is 0.5 to 0.51, which are both 0, expected quantiles at which the feature \
         differs"
    );
    let wrong = [1.0; 3];
    let options = GridOptions::default();
    let result = partial_dependence(&Formula, dataset.records(), "a", &options, Some(&wrong));
    assert!(matches!(result, Err(MlError::LengthMismatch { .. })));
}

//! Models as ONNX files, computed by onnxruntime, and models that have no such form.

#[path = "onnx/runtime.rs"]
mod runtime;
mod support;

use orch_ml::ndarray::{Array2, array};
use orch_ml::{
    ClassLabel, ClassificationDataset, Dataset, ElasticNetOptions, FittedPreprocessor,
    ForestOptions, LinearSvmOptions, LogisticOptions, MlError, Model, NaiveBayesOptions,
    OneHotOptions, Preprocessor, Records, RidgeOptions, Scaling, Table, TreeOptions, export_onnx,
    fit_elastic_net, fit_forest_classifier, fit_forest_regressor, fit_linear, fit_linear_svm,
    fit_logistic, fit_naive_bayes, fit_ridge, fit_tree_classifier, fit_tree_regressor, to_onnx,
};
use serde_json::{Value, json};

use self::runtime::run_onnx;
use self::support::{breast_cancer, check_all_close, diabetes, flat, iris, with_records};

fn as_table(records: &Records) -> Table {
    let names = records.feature_names().iter();
    let columns = records.values().columns().into_iter();
    Table::new(names.zip(columns.map(|column| column.to_vec().into()))).unwrap()
}

/// The records as floats of 4 bytes, as the inputs of a file are.
fn narrowed(records: &Records) -> Records {
    let values = records.values().mapv(|value| f64::from(value as f32));
    Records::new(values, records.feature_names().to_vec()).unwrap()
}

/// Rows in which one feature is where a tree may split, or next to it: halfway between two values
/// that occur.
fn near_splits(records: &Records, stride: usize) -> Records {
    let narrow = narrowed(records);
    let mut rows = Vec::new();
    for feature in 0..records.n_features() {
        let mut values = records.values().column(feature).to_vec();
        values.sort_by(f64::total_cmp);
        values.dedup();
        for pair in values.windows(2).step_by(stride) {
            let middle = (pair[0] / 2.0 + pair[1] / 2.0) as f32;
            for value in [middle.next_down(), middle, middle.next_up()] {
                let base = narrow.values().row(rows.len() * 7 % narrow.n_rows());
                let mut row = base.to_vec();
                row[feature] = f64::from(value);
                rows.push(row);
            }
        }
    }
    let shape = (rows.len(), records.n_features());
    let values = Array2::from_shape_vec(shape, rows.concat()).unwrap();
    Records::new(values, records.feature_names().to_vec()).unwrap()
}

/// Scaled records and what scaled them.
fn scaled(records: &Records, steps: &[Scaling]) -> (FittedPreprocessor, Records) {
    let names = records.feature_names();
    let steps = steps.iter();
    let steps = steps.fold(Preprocessor::new(), |all, step| all.scale(names, *step));
    let (fitted, ready) = steps.fit_apply(&as_table(records)).unwrap();
    let ready = orch_ml::to_records(&ready, names).unwrap();
    (fitted, ready)
}

/// Models with the rows that both sides get, each by its name.
#[derive(Default)]
struct Cases {
    models: Vec<(String, Model, Records)>,
}

impl Cases {
    fn add(&mut self, name: &str, model: impl Into<Model>, rows: &Records) {
        self.models
            .push((name.to_owned(), model.into(), rows.clone()));
    }

    /// Writes the files and lets onnxruntime compute them.
    fn run(&self) -> Option<Value> {
        let dir = tempfile::tempdir().unwrap();
        let mut cases = serde_json::Map::new();
        for (name, model, rows) in &self.models {
            let path = dir.path().join(format!("{name}.onnx"));
            export_onnx(model, &path).unwrap();
            let rows: Vec<Vec<f64>> = rows
                .values()
                .rows()
                .into_iter()
                .map(|row| row.to_vec())
                .collect();
            cases.insert(name.clone(), json!({ "path": path, "rows": rows }));
        }
        run_onnx(&Value::Object(cases))
    }
}

/// Each number of a file is that of the model but for the rounding of some `f32`.
const TOLERANCE: f64 = 2e-6;

fn check_about(model: &Model, said: &Value, operators: &[&str]) {
    assert_eq!(said["ir_version"], 10);
    assert_eq!(said["operators"], json!(operators));
    assert_eq!(said["producer"], "orch-ml");
    assert_eq!(said["description"], model.to_string());
    let names = json!(model.feature_names()).to_string();
    assert_eq!(said["properties"]["feature_names"], names);
}

/// Probabilities are close, and labels are the same but where two classes are as good as equal.
fn check_classes(name: &str, model: &Model, rows: &Records, said: &Value) {
    let predictions = model.predict(&as_table(rows)).unwrap();
    let predictions = predictions.classes().unwrap();
    let expected = predictions.probabilities();
    let found = flat(&said["outputs"]["probabilities"]);
    let expected_cells: Vec<f64> = expected.iter().copied().collect();
    check_all_close(&found, &expected_cells, TOLERANCE);
    let shape = json!(["n_rows", predictions.classes().len()]);
    assert_eq!(said["shapes"]["probabilities"], shape);

    let labels = said["outputs"]["labels"].as_array().unwrap();
    let mut n_undecided = 0;
    for ((label, found), shares) in predictions.labels().zip(labels).zip(expected.rows()) {
        let mut shares = shares.to_vec();
        shares.sort_by(f64::total_cmp);
        let [.., second, first] = shares[..] else {
            panic!("{name} has one class");
        };
        if first - second < 2.0 * TOLERANCE {
            n_undecided += 1;
            continue;
        }
        let label = match label {
            ClassLabel::Integer(number) => json!(number),
            other => json!(other.to_string()),
        };
        assert_eq!(found, &label, "{name}");
    }
    assert!(n_undecided * 50 <= labels.len(), "{name}: {n_undecided}");
}

#[test]
fn onnxruntime_predicts_the_same_numbers() {
    let dataset = diabetes();
    let rows = narrowed(dataset.records());
    let mut cases = Cases::default();
    cases.add("linear", fit_linear(&dataset).unwrap(), &rows);
    let trees = ForestOptions {
        n_trees: 30,
        ..ForestOptions::default()
    };
    cases.add(
        "forest",
        fit_forest_regressor(&dataset, &trees).unwrap(),
        &rows,
    );
    let on = |scaling: &[Scaling]| {
        let (fitted, records) = scaled(dataset.records(), scaling);
        let targets = dataset.targets().clone();
        (
            fitted,
            Dataset::from_records(records, targets, "target").unwrap(),
        )
    };
    let (fitted, ready) = on(&[Scaling::Standard]);
    let ridge = Model::new(fit_ridge(&ready, &RidgeOptions { alpha: 0.5 }).unwrap());
    cases.add(
        "ridge",
        ridge.with_preprocessor(fitted.clone()).unwrap(),
        &rows,
    );
    let forest = Model::new(fit_forest_regressor(&ready, &trees).unwrap());
    cases.add(
        "scaled_forest",
        forest.with_preprocessor(fitted).unwrap(),
        &rows,
    );
    let (fitted, ready) = on(&[Scaling::Robust(0.25, 0.75), Scaling::MinMax(-1.0, 2.0)]);
    let net = Model::new(fit_elastic_net(&ready, &ElasticNetOptions::default()).unwrap());
    cases.add("elastic_net", net.with_preprocessor(fitted).unwrap(), &rows);

    // Far from 0: what is taken off such features has no exact place in an `f32`.
    let far = dataset
        .records()
        .values()
        .mapv(|value| 100_003.7 + value * 40.0);
    let far = narrowed(&Records::new(far, dataset.feature_names().to_vec()).unwrap());
    let (fitted, ready) = scaled(&far, &[Scaling::Standard]);
    let ready = Dataset::from_records(ready, dataset.targets().clone(), "target").unwrap();
    let line = Model::new(fit_linear(&ready).unwrap());
    cases.add("far", line.with_preprocessor(fitted).unwrap(), &far);

    let Some(said) = cases.run() else { return };
    for (name, model, rows) in &cases.models {
        let said = &said[name];
        let operators: &[&str] = match name.as_str() {
            "linear" => &["LinearRegressor"],
            "ridge" | "elastic_net" | "far" => &["Scaler", "LinearRegressor"],
            _ => &["TreeEnsembleRegressor"],
        };
        check_about(model, said, operators);
        let expected = model.predict(&as_table(rows)).unwrap();
        let expected = expected.numbers().unwrap().to_vec();
        check_all_close(&flat(&said["outputs"]["predictions"]), &expected, TOLERANCE);
        assert_eq!(said["shapes"]["predictions"], json!(["n_rows", 1]));
    }
}

#[test]
fn onnxruntime_predicts_the_same_classes_and_probabilities() {
    let mut cases = Cases::default();
    let forest = ForestOptions {
        n_trees: 30,
        ..ForestOptions::default()
    };
    for (of, dataset) in [("iris", iris()), ("breast_cancer", breast_cancer())] {
        let rows = narrowed(dataset.records());
        let trees = fit_forest_classifier(&dataset, &forest).unwrap();
        cases.add(&format!("forest_{of}"), trees, &rows);
        for (by, scaling) in [
            ("standard", Scaling::Standard),
            ("min_max", Scaling::MinMax(0.0, 1.0)),
        ] {
            let (fitted, records) = scaled(dataset.records(), &[scaling]);
            let ready = with_records(&dataset, records);
            let logistic = fit_logistic(&ready, &LogisticOptions::default()).unwrap();
            let logistic = Model::new(logistic)
                .with_preprocessor(fitted.clone())
                .unwrap();
            cases.add(&format!("logistic_{by}_{of}"), logistic, &rows);
            let trees = fit_forest_classifier(&ready, &forest).unwrap();
            let trees = Model::new(trees).with_preprocessor(fitted).unwrap();
            cases.add(&format!("forest_{by}_{of}"), trees, &rows);
        }
    }
    // Labels that are numbers, and labels that are flags.
    let flowers = iris();
    let codes = flowers
        .targets()
        .iter()
        .map(|code| i64::from(*code) * 10 - 10);
    let codes: Vec<ClassLabel> = codes.map(ClassLabel::from).collect();
    let records = flowers.records().clone();
    let numbers = ClassificationDataset::new(records.clone(), codes, "code").unwrap();
    let flags = flowers
        .targets()
        .iter()
        .map(|code| ClassLabel::from(*code == 1));
    let flags: Vec<ClassLabel> = flags.collect();
    let flags = ClassificationDataset::new(records, flags, "is_versicolor").unwrap();
    let rows = narrowed(flowers.records());
    for (of, dataset) in [("numbers", numbers), ("flags", flags)] {
        let logistic = fit_logistic(&dataset, &LogisticOptions::default()).unwrap();
        cases.add(&format!("logistic_{of}"), logistic, &rows);
        let tree = fit_tree_classifier(&dataset, &TreeOptions::default()).unwrap();
        cases.add(&format!("tree_{of}"), tree, &rows);
    }

    let Some(said) = cases.run() else { return };
    for (name, model, rows) in &cases.models {
        let operators: &[&str] = match name.as_str() {
            "logistic_numbers" | "logistic_flags" => &["LinearClassifier"],
            _ if name.starts_with("logistic") => &["Scaler", "LinearClassifier"],
            _ => &["TreeEnsembleClassifier"],
        };
        check_about(model, &said[name], operators);
        check_classes(name, model, rows, &said[name]);
    }
}

#[test]
fn onnxruntime_takes_the_same_sides_of_a_support_vector_machine() {
    let mut cases = Cases::default();
    let mut machines = Vec::new();
    for (of, dataset) in [("iris", iris()), ("breast_cancer", breast_cancer())] {
        let (fitted, records) = scaled(dataset.records(), &[Scaling::Standard]);
        let ready = with_records(&dataset, records);
        let machine = fit_linear_svm(&ready, &LinearSvmOptions::default()).unwrap();
        let model = Model::new(machine.clone())
            .with_preprocessor(fitted)
            .unwrap();
        cases.add(of, model, &narrowed(dataset.records()));
        machines.push(machine);
    }
    let Some(said) = cases.run() else { return };
    for ((name, model, rows), machine) in cases.models.iter().zip(machines) {
        let said = &said[name];
        check_about(model, said, &["Scaler", "LinearClassifier"]);
        let table = as_table(rows);
        let expected = machine
            .decision_function(&model.to_records(&table).unwrap())
            .unwrap();
        let expected: Vec<f64> = match machine.classes().len() {
            2 => expected.iter().flat_map(|score| [-score, *score]).collect(),
            _ => expected.iter().copied().collect(),
        };
        check_all_close(&flat(&said["outputs"]["scores"]), &expected, TOLERANCE);
        let labels = model.predict(&table).unwrap();
        let labels = labels.classes().unwrap().labels().map(ToString::to_string);
        let labels: Vec<String> = labels.collect();
        assert_eq!(said["outputs"]["labels"], json!(labels), "{name}");
    }
}

#[test]
fn decisions_of_trees_are_the_same_next_to_their_thresholds() {
    let mut cases = Cases::default();
    let whole = TreeOptions::default();
    for (of, dataset, stride) in [("iris", iris(), 1), ("breast_cancer", breast_cancer(), 12)] {
        let rows = near_splits(dataset.records(), stride);
        let tree = fit_tree_classifier(&dataset, &whole).unwrap();
        cases.add(&format!("tree_{of}"), tree, &rows);
        let (fitted, records) = scaled(dataset.records(), &[Scaling::Standard]);
        let tree = fit_tree_classifier(&with_records(&dataset, records), &whole).unwrap();
        let tree = Model::new(tree).with_preprocessor(fitted).unwrap();
        cases.add(&format!("scaled_tree_{of}"), tree, &rows);
    }
    let dataset = diabetes();
    let rows = near_splits(dataset.records(), 3);
    cases.add(
        "tree_diabetes",
        fit_tree_regressor(&dataset, &whole).unwrap(),
        &rows,
    );
    let (fitted, records) = scaled(dataset.records(), &[Scaling::MinMax(-3.0, 5.0)]);
    let ready = Dataset::from_records(records, dataset.targets().clone(), "target").unwrap();
    let tree = Model::new(fit_tree_regressor(&ready, &whole).unwrap());
    cases.add(
        "scaled_tree_diabetes",
        tree.with_preprocessor(fitted).unwrap(),
        &rows,
    );

    let Some(said) = cases.run() else { return };
    for (name, model, rows) in &cases.models {
        let outputs = &said[name]["outputs"];
        let predictions = model.predict(&as_table(rows)).unwrap();
        let (found, expected) = match predictions.numbers() {
            Ok(numbers) => (flat(&outputs["predictions"]), numbers.to_vec()),
            Err(_) => {
                let shares = predictions.classes().unwrap().probabilities();
                (
                    flat(&outputs["probabilities"]),
                    shares.iter().copied().collect(),
                )
            }
        };
        // Of one tree a leaf's value is only rounded: another leaf would have another one.
        let expected: Vec<f64> = expected
            .iter()
            .map(|value| f64::from(*value as f32))
            .collect();
        let wrong = found
            .iter()
            .zip(&expected)
            .filter(|(found, expected)| found != expected);
        assert_eq!((wrong.count(), found.len()), (0, expected.len()), "{name}");
    }
}

fn problem(model: &Model) -> String {
    let error = to_onnx(model).unwrap_err();
    assert!(matches!(error, MlError::NotExportable { .. }));
    error.to_string()
}

#[test]
fn a_model_without_a_form_in_onnx_is_refused_with_the_reason() {
    let bayes = fit_naive_bayes(&iris(), &NaiveBayesOptions::default()).unwrap();
    assert_eq!(
        problem(&bayes.into()),
        "the naive Bayes model cannot be written as ONNX: it is no linear model, tree or forest of \
         this crate"
    );

    let table = Table::new([
        ("size", vec![1.0, 2.0, 3.0].into()),
        ("town", vec!["Oslo", "Rome", "Oslo"].into()),
        ("price", vec![2.0, 4.0, 5.0].into()),
    ])
    .unwrap();
    let steps = Preprocessor::new()
        .scale(["size"], Scaling::Standard)
        .one_hot(["town"], OneHotOptions::default());
    let (fitted, ready) = steps.fit_apply(&table).unwrap();
    let train = orch_ml::to_dataset(&ready, fitted.feature_names_out(), "price").unwrap();
    let model = Model::new(fit_linear(&train).unwrap())
        .with_preprocessor(fitted)
        .unwrap();
    assert_eq!(
        problem(&model),
        "the linear model cannot be written as ONNX: step 2 of its preprocessing, `one-hot encode`, \
         is no scaling of numbers"
    );

    let large = Dataset::new(array![[0.0], [1.0]], array![0.0, 1e60], ["x"], "y").unwrap();
    let message = problem(&fit_linear(&large).unwrap().into());
    assert!(
        message.contains("ONNX: its coefficient ") && message.ends_with(" is too large for `f32`"),
        "{message}"
    );

    let wide = Records::new(array![[0.0], [4e50]], ["x"]).unwrap();
    let (fitted, ready) = scaled(&wide, &[Scaling::Standard]);
    let train = Dataset::from_records(ready, array![1.0, 2.0], "y").unwrap();
    let model = Model::new(fit_linear(&train).unwrap())
        .with_preprocessor(fitted)
        .unwrap();
    let message = problem(&model);
    assert!(
        message.contains("ONNX: its scale ") && message.ends_with(" is too small for `f32`"),
        "{message}"
    );
}

#[test]
fn a_refused_export_leaves_the_old_file() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("model.onnx");
    export_onnx(&fit_linear(&diabetes()).unwrap().into(), &file).unwrap();
    let old = std::fs::read(&file).unwrap();
    let bayes = fit_naive_bayes(&iris(), &NaiveBayesOptions::default()).unwrap();
    assert!(export_onnx(&bayes.into(), &file).is_err());
    assert!(std::fs::read(&file).unwrap() == old);
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
}

//! Models in one piece with what belongs to them: against a pipeline of scikit-learn, with tables that
//! do not fit, as files of each format, and in flows.

#[path = "packed_models/files.rs"]
mod files;
#[path = "packed_models/flows.rs"]
mod flows;
mod support;

use std::time::{Duration, UNIX_EPOCH};

use orch_ml::ndarray::array;
use orch_ml::{
    ForestOptions, ImputeStrategy, KMeansOptions, LinearSvmOptions, LogisticModel, LogisticOptions,
    MlError, Model, OneHotOptions, Preprocessor, Records, RidgeOptions, Rows, Scaling, Split,
    Table, Train, TreeOptions, evaluate_classification, fit_forest_regressor, fit_kmeans,
    fit_linear, fit_linear_svm, fit_logistic, fit_ridge, fit_tree_classifier,
    to_classification_dataset, train_test_split,
};

use self::support::{check_all_close, diabetes, flat, iris, reference, table};

const SIZES: [&str; 4] = [
    "bill_length_mm",
    "bill_depth_mm",
    "flipper_length_mm",
    "body_mass_g",
];

fn raw_penguins() -> Table {
    table("../examples/data/penguins.csv")
}

fn options() -> LogisticOptions {
    LogisticOptions {
        tol: 1e-10,
        ..LogisticOptions::default()
    }
}

/// The pipeline of tests/reference/packed_models.py.
fn penguin_model() -> Model {
    let table = raw_penguins();
    let preprocessor = Preprocessor::new()
        .impute(SIZES, ImputeStrategy::Median)
        .impute(["sex"], ImputeStrategy::MostFrequent)
        .scale(SIZES, Scaling::Standard)
        .one_hot(["sex", "island"], OneHotOptions::default());
    let (preprocessor, ready) = preprocessor.fit_apply(&table).unwrap();
    let features = preprocessor.feature_names_out();
    let train = to_classification_dataset(&ready, features, "species").unwrap();
    let fitted = fit_logistic(&train, &options()).unwrap();
    let metrics = evaluate_classification(&fitted, &train).unwrap();
    Model::new(fitted)
        .with_preprocessor(preprocessor)
        .unwrap()
        .with_hyperparameters(&options())
        .unwrap()
        .with_training_data(&table)
        .with_metric("accuracy", metrics.accuracy)
        .with_metric("log_loss", metrics.log_loss)
        .with_code("5f0c1d2")
        .with_created_at(UNIX_EPOCH + Duration::from_millis(1_709_231_405_250))
}

/// The table with its columns in the opposite order.
fn reversed(table: &Table) -> Table {
    let names: Vec<&String> = table.column_names().iter().rev().collect();
    table.select(&names).unwrap()
}

/// How far ends of two iterations lie apart, both run with a `tol` of 1e-10.
const ITERATED: f64 = 1e-6;

fn check_penguins(model: &Model, table: &Table) {
    let expected = reference("packed_models");
    let classes = model.classes().unwrap().iter().map(ToString::to_string);
    let classes: Vec<String> = classes.collect();
    assert_eq!(serde_json::json!(classes), expected["classes"]);

    let probabilities = model.predict_probabilities(table).unwrap();
    let every_17th = (0..344)
        .step_by(17)
        .flat_map(|row| probabilities.row(row).to_vec());
    let every_17th: Vec<f64> = every_17th.collect();
    check_all_close(&every_17th, &flat(&expected["probabilities"]), ITERATED);

    let predictions = model.predict(table).unwrap();
    assert_eq!(predictions.n_rows(), 344);
    let predictions = predictions.classes().unwrap();
    let count = |class| predictions.labels().filter(|label| *label == class).count();
    let counts: Vec<usize> = predictions.classes().iter().map(count).collect();
    assert_eq!(serde_json::json!(counts), expected["n_predicted"]);
}

#[test]
fn a_model_with_its_preprocessing_is_the_pipeline_of_scikit_learn_on_raw_rows() {
    check_penguins(&penguin_model(), &raw_penguins());
}

#[test]
fn columns_are_found_by_name_and_others_are_ignored() {
    let (model, table) = (penguin_model(), raw_penguins());
    check_penguins(&model, &reversed(&table));

    // A column that is in nobody's way, and one of the name of a column that a step makes.
    let n_rows = table.n_rows();
    let more = [
        ("note", vec!["seen"; n_rows].into()),
        ("island_Dream", vec![f64::NAN; n_rows].into()),
    ];
    let columns = table.columns().map(|(name, column)| (name, column.clone()));
    let with_more = Table::new(more.into_iter().chain(columns)).unwrap();
    check_penguins(&model, &with_more);

    let needed: Vec<String> = model.inputs().into_iter().map(|input| input.name).collect();
    assert_eq!(needed, [&["island"][..], &SIZES, &["sex"]].concat());
    check_penguins(&model, &table.select(&needed).unwrap());
}

#[test]
fn everything_that_is_wrong_with_a_table_is_said_at_once() {
    let table = raw_penguins();
    let wrong = table
        .rename("bill_depth_mm", "bill_dept_mm")
        .unwrap()
        .drop(&["sex", "island", "body_mass_g"])
        .unwrap();
    let n_rows = table.n_rows();
    let wrong = wrong.columns().map(|(name, column)| (name, column.clone()));
    let numbers = [("island", vec![3i64; n_rows].into())];
    let texts = [("body_mass_g", vec!["3 kg"; n_rows].into())];
    let wrong = Table::new(wrong.chain(numbers).chain(texts)).unwrap();

    let error = penguin_model().predict(&wrong).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the table does not fit the model: column `island` is integer, expected text; \
         column `bill_depth_mm` is missing, did you mean `bill_dept_mm`?; \
         column `body_mass_g` is text, expected numbers; column `sex` is missing \
         (its columns: `species`, `bill_length_mm`, `bill_dept_mm`, `flipper_length_mm`, `year`, \
         `island`, `body_mass_g`)"
    );
    let MlError::InputMismatch { problems, .. } = error else {
        panic!("{error:?}");
    };
    assert_eq!(problems.len(), 4);
}

#[test]
fn without_preprocessing_the_features_are_numbers_or_flags_without_gaps() {
    let train = iris();
    let model = Model::new(fit_tree_classifier(&train, &TreeOptions::default()).unwrap());
    let flowers = table("../examples/data/iris.csv");
    let right = model.predict(&reversed(&flowers)).unwrap();
    assert_eq!(right.classes().unwrap().codes(), train.targets());

    let named = |name: &'static str, column: orch_ml::Column| {
        let columns = flowers.columns().map(|(other, old)| {
            let new = if other == name {
                column.clone()
            } else {
                old.clone()
            };
            (other.to_owned(), new)
        });
        Table::new(columns).unwrap()
    };
    let name = train.feature_names()[2].clone();
    let name: &'static str = name.leak();
    assert_eq!(
        model
            .predict(&named(name, vec![true; 150].into()))
            .unwrap()
            .n_rows(),
        150
    );
    let error = model
        .predict(&named(name, vec!["long"; 150].into()))
        .unwrap_err();
    assert!(matches!(error, MlError::InputMismatch { .. }), "{error}");
    let mut lengths = vec![1.0; 150];
    lengths[7] = f64::NAN;
    let error = model.predict(&named(name, lengths.into())).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("column `{name}` of the table has a missing value at row 7")
    );
}

#[test]
fn no_rows_have_no_predictions() {
    let nobody = raw_penguins().head(0);
    let predictions = penguin_model().predict(&nobody).unwrap();
    assert_eq!(predictions.n_rows(), 0);
    let probabilities = penguin_model().predict_probabilities(&nobody).unwrap();
    assert_eq!(probabilities.dim(), (0, 3));
}

#[test]
fn a_preprocessor_that_makes_other_features_is_refused() {
    let table = table("../examples/data/iris.csv");
    let names = table.column_names()[..3].to_vec();
    let preprocessor = Preprocessor::new()
        .scale(&names, Scaling::Standard)
        .fit(&table)
        .unwrap();
    let fitted = fit_tree_classifier(&iris(), &TreeOptions::default()).unwrap();
    let error = Model::new(fitted)
        .with_preprocessor(preprocessor)
        .unwrap_err();
    let (last, made) = (&table.column_names()[3], names.join("`, `"));
    assert_eq!(
        error.to_string(),
        format!(
            "the preprocessor does not make `{last}`, which the model learned from; it makes `{made}`"
        )
    );
}

#[test]
fn each_kind_of_model_predicts_what_it_can_and_says_what_it_cannot() {
    let sugar = diabetes();
    let table = table("../examples/data/diabetes.csv");
    let model = Model::new(fit_linear(&sugar).unwrap());
    let predictions = model.predict(&table).unwrap();
    let fitted = fit_linear(&sugar).unwrap();
    let expected = fitted.predict(sugar.records()).unwrap();
    assert_eq!(predictions.numbers().unwrap(), &expected);
    assert_eq!(predictions.to_column(), expected.to_vec().into());
    let error = predictions.classes().unwrap_err();
    assert_eq!(error.to_string(), "the model predicts numbers, not classes");
    let error = model.predict_probabilities(&table).unwrap_err();
    assert_eq!(
        error.to_string(),
        "a linear model has no probabilities of classes"
    );

    let fitted = fit_linear_svm(&iris(), &LinearSvmOptions::default()).unwrap();
    let flowers = support::table("../examples/data/iris.csv");
    let svm = Model::new(fitted);
    assert_eq!(svm.predict(&flowers).unwrap().n_rows(), 150);
    let error = svm.predict_probabilities(&flowers).unwrap_err();
    assert_eq!(
        error.to_string(),
        "a linear support vector machine has no probabilities of classes"
    );

    let records = Records::new(array![[0.0], [0.1], [9.0], [9.1], [9.2]], ["x"]).unwrap();
    let options = KMeansOptions {
        n_clusters: 2,
        ..KMeansOptions::default()
    };
    let clusters = Model::new(fit_kmeans(&records, &options).unwrap()).with_training_data(&records);
    let points = Table::new([("x", vec![9.3, 0.2].into())]).unwrap();
    let found = clusters.predict(&points).unwrap();
    let [far, near] = found.clusters().unwrap() else {
        panic!("{found:?}");
    };
    assert_ne!(far, near);
    assert_eq!(
        found.to_column(),
        vec![i64::from(*far), i64::from(*near)].into()
    );
    assert_eq!((clusters.target_name(), clusters.classes()), (None, None));
    assert_eq!(clusters.training_data().unwrap().n_rows, 5);
    assert!(clusters.predict_probabilities(&points).is_err());
    assert!(found.numbers().is_err());
}

#[test]
fn predicted_labels_are_a_column_of_their_type() {
    let records = Records::new(array![[0.0], [1.0]], ["x"]).unwrap();
    let points = Table::new([("x", vec![1.0, 0.0].into())]).unwrap();
    let column = |labels: [orch_ml::ClassLabel; 2]| {
        let train = orch_ml::ClassificationDataset::new(records.clone(), labels, "y").unwrap();
        let model = Model::new(fit_tree_classifier(&train, &TreeOptions::default()).unwrap());
        model.predict(&points).unwrap().to_column()
    };
    assert_eq!(column([7.into(), 9.into()]), vec![9i64, 7].into());
    assert_eq!(
        column([false.into(), true.into()]),
        vec![true, false].into()
    );
    assert_eq!(column(["a".into(), "b".into()]), vec!["b", "a"].into());
    assert_eq!(column([7.into(), "b".into()]), vec!["b", "7"].into());
}

#[test]
fn the_digest_is_that_of_the_rows_fitted_to_marked_or_not() {
    let (train, test) = train_test_split(&iris(), &Split::stratified(0.2).seed(1)).unwrap();
    let fitted = fit_tree_classifier(&train, &TreeOptions::default()).unwrap();
    let model = Model::new(fitted.clone()).with_training_data(&train);
    let data = model.training_data().unwrap();
    assert_eq!((data.digest, data.n_rows), (train.digest(), 120));
    let again = Model::new(fitted.clone()).with_training_data(&*train);
    assert_eq!(again, model);
    assert_eq!(model.trained_on(), Some(train.origin()));
    assert_eq!(model.trained_on().unwrap().source(), iris().digest());
    let other = Model::new(fitted).with_training_data(&Train::all(test.into_inner()));
    assert_ne!(other.training_data(), model.training_data());
}

#[test]
fn options_come_back_as_they_were_given() {
    let options = ForestOptions {
        n_trees: 2,
        seed: u64::MAX,
        ..ForestOptions::default()
    };
    let fitted = fit_forest_regressor(&diabetes(), &options).unwrap();
    let model = Model::new(fitted).with_hyperparameters(&options).unwrap();
    assert_eq!(model.to_options::<ForestOptions>().unwrap(), options);
    let names: Vec<&str> = model.hyperparameters().map(|(name, _)| name).collect();
    assert!(names.is_sorted() && names.contains(&"n_trees"), "{names:?}");
    let error = model.to_options::<RidgeOptions>().unwrap_err();
    assert!(matches!(error, MlError::UnknownOption { .. }), "{error}");

    let fitted = fit_ridge(&diabetes(), &RidgeOptions { alpha: 0.1 }).unwrap();
    let none = Model::new(fitted.clone())
        .with_hyperparameters(&())
        .unwrap();
    assert_eq!(none.hyperparameters().count(), 0);
    let error = Model::new(fitted).with_hyperparameters(&0.1).unwrap_err();
    assert_eq!(
        error.to_string(),
        "`hyperparameters` is 0.1, expected options with names"
    );
}

#[test]
fn a_metric_or_library_of_the_same_name_is_replaced() {
    let model = Model::new(fit_linear(&diabetes()).unwrap())
        .with_metrics([("r2", 0.1), ("mae", 44.0)])
        .with_metric("r2", 0.5)
        .with_library("linfa", "0.8.1")
        .with_library("mine", "2");
    assert_eq!(
        model.metrics().collect::<Vec<_>>(),
        [("r2", 0.5), ("mae", 44.0)]
    );
    assert_eq!(
        (model.metric("mae"), model.metric("f1")),
        (Some(44.0), None)
    );
    let libraries: Vec<_> = model.libraries().skip(1).collect();
    assert_eq!(
        libraries,
        [("linfa", "0.8.1"), ("ndarray", "0.16"), ("mine", "2")]
    );
}

#[test]
fn the_libraries_of_a_model_are_those_of_the_manifest() {
    let manifest = include_str!("../Cargo.toml");
    let model = Model::new(fit_linear(&diabetes()).unwrap());
    for (name, series) in model.libraries() {
        if name == "orch-ml" {
            assert_eq!(series, env!("CARGO_PKG_VERSION"));
            continue;
        }
        let is_line = |line: &&str| line.starts_with(&format!("{name} = "));
        let line = manifest.lines().find(is_line).unwrap();
        assert!(
            line.contains(&format!("\"{series}")),
            "{name} {series}: {line}"
        );
    }
}

#[test]
fn a_model_describes_itself() {
    let model = penguin_model();
    let digest = raw_penguins().digest().short();
    let expected = format!(
        "\
logistic model of `species`
  size          27 coefficients
  classes       Adelie, Chinstrap, Gentoo
  options       c 1.0, class_weights Equal, max_iter 100, tol 1e-10
  takes         island (text), bill_length_mm (numbers),
                bill_depth_mm (numbers), flipper_length_mm (numbers),
                body_mass_g (numbers), sex (text)
  prepared by   4 steps
  features      island_Biscoe, island_Dream, island_Torgersen, bill_length_mm,
                bill_depth_mm, flipper_length_mm, body_mass_g, sex_female,
                sex_male
  fitted to     344 rows, digest {digest}
  metrics       accuracy 0.9942, log_loss 0.0287
  code          5f0c1d2
  made with     orch-ml {version}, linfa 0.8, ndarray 0.16
  created at    2024-02-29 18:30:05 UTC",
        version = env!("CARGO_PKG_VERSION")
    );
    assert_eq!(model.to_string(), expected);

    let options = TreeOptions {
        max_depth: Some(2),
        ..TreeOptions::default()
    };
    let (train, _) = train_test_split(&iris(), &Split::stratified(0.2).seed(1)).unwrap();
    let tree = Model::new(fit_tree_classifier(&train, &options).unwrap())
        .with_hyperparameters(&options)
        .unwrap();
    let source = iris().digest().short();
    let expected = format!(
        "\
tree classifier of `species`
  size          3 leaves, depth 2
  classes       setosa, versicolor, virginica
  options       class_weights Equal, max_depth 2, max_features none,
                min_samples_leaf 1, min_samples_split 2, seed 0
  takes         sepal_length, sepal_width, petal_length, petal_width
  fitted to     part of {source}
  made with     orch-ml {version}, linfa 0.8, ndarray 0.16",
        version = env!("CARGO_PKG_VERSION")
    );
    assert_eq!(tree.to_string(), expected);

    let fitted = LogisticModel::try_from(model).unwrap();
    assert_eq!(Model::new(fitted).to_string().lines().count(), 7);
}

#[test]
fn equal_work_makes_equal_models() {
    assert_eq!(penguin_model(), penguin_model());
    let json = serde_json::to_string(&penguin_model()).unwrap();
    assert_eq!(
        serde_json::from_str::<Model>(&json).unwrap(),
        penguin_model()
    );
}

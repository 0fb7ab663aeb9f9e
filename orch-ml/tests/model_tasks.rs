//! The tasks of models in flows, against the plain functions.

use orch_core::prelude::*;
use orch_core::testing::TestEngine;
use orch_ml::tasks::{
    cluster_dbscan, cluster_kmeans, drop_incomplete, evaluate_classifier, evaluate_regressor,
    load_csv, predict_classes, predict_cluster, predict_numbers, select_features, select_records,
    separate_label, split, split_classes, train_elastic_net, train_lasso, train_linear_svm,
    train_logistic, train_naive_bayes, train_ridge, train_tree_classifier, train_tree_regressor,
};
use orch_ml::{
    ClassificationMetrics, CsvOptions, DbscanOptions, ElasticNetModel, ElasticNetOptions,
    KMeansOptions, LassoOptions, LinearSvm, LinearSvmOptions, LogisticModel, LogisticOptions,
    NaiveBayesModel, NaiveBayesOptions, RegressionMetrics, RidgeModel, RidgeOptions, Split,
    TreeClassifier, TreeOptions, TreeRegressor,
};

const PENGUINS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/data/penguins.csv");
const IRIS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/data/iris.csv");

fn features() -> Vec<String> {
    ["bill_length_mm", "bill_depth_mm", "flipper_length_mm"]
        .map(str::to_owned)
        .to_vec()
}

fn k_means() -> KMeansOptions {
    KMeansOptions {
        n_clusters: 3,
        ..KMeansOptions::default()
    }
}

#[flow]
async fn numbers(file: DataFile) -> Result<Vec<RegressionMetrics>, TaskError> {
    let table = load_csv(file, CsvOptions::default());
    let complete = drop_incomplete(&table);
    let dataset = select_features(&complete, features(), "body_mass_g");
    let (train, test) = split(&dataset, Split::random(0.2).seed(42)).unzip();
    let ridge = train_ridge(&train, RidgeOptions::default());
    let lasso = train_lasso(&train, LassoOptions::default());
    let net = train_elastic_net(&train, ElasticNetOptions::default());
    let tree = train_tree_regressor(&train, TreeOptions::default());
    let of_ridge = evaluate_regressor::<RidgeModel>(&ridge, &test);
    let of_lasso = evaluate_regressor::<ElasticNetModel>(&lasso, &test);
    let of_net = evaluate_regressor::<ElasticNetModel>(&net, &test);
    let of_tree = evaluate_regressor::<TreeRegressor>(&tree, &test);
    let records = select_records(&complete, features());
    let guesses = predict_numbers::<RidgeModel>(&ridge, &records).await?;
    assert_eq!(guesses.len(), 333);
    Ok(vec![
        *of_ridge.await?,
        *of_lasso.await?,
        *of_net.await?,
        *of_tree.await?,
    ])
}

#[orch_core::test]
async fn numbers_are_predicted_as_by_the_plain_functions() {
    let run = TestEngine::new().run(numbers(PENGUINS)).await;
    run.assert_completed();
    run.assert_edge("split", "train_ridge");
    run.assert_edge("train_ridge", "evaluate_regressor");
    run.assert_edge("train_ridge", "predict_numbers");

    let table = orch_ml::read_csv(PENGUINS.as_ref(), &CsvOptions::default()).unwrap();
    let complete = orch_ml::drop_missing(&table).unwrap();
    let dataset = orch_ml::to_dataset(&complete, &features(), "body_mass_g").unwrap();
    let (train, test) = orch_ml::train_test_split(&dataset, &Split::random(0.2).seed(42)).unwrap();
    let ridge = orch_ml::fit_ridge(&train, &RidgeOptions::default()).unwrap();
    let lasso = orch_ml::fit_lasso(&train, &LassoOptions::default()).unwrap();
    let net = orch_ml::fit_elastic_net(&train, &ElasticNetOptions::default()).unwrap();
    let tree = orch_ml::fit_tree_regressor(&train, &TreeOptions::default()).unwrap();
    let expected = vec![
        orch_ml::evaluate_regression(&ridge, &test).unwrap(),
        orch_ml::evaluate_regression(&lasso, &test).unwrap(),
        orch_ml::evaluate_regression(&net, &test).unwrap(),
        orch_ml::evaluate_regression(&tree, &test).unwrap(),
    ];
    assert_eq!(run.result.unwrap(), expected);
}

#[flow]
async fn classes(file: DataFile) -> Result<Vec<ClassificationMetrics>, TaskError> {
    let table = load_csv(file, CsvOptions::default());
    let dataset = separate_label(&table, "species");
    let (train, test) = split_classes(&dataset, Split::stratified(0.2).seed(42)).unzip();
    let logistic = train_logistic(&train, LogisticOptions::default());
    let bayes = train_naive_bayes(&train, NaiveBayesOptions::default());
    let tree = train_tree_classifier(&train, TreeOptions::default());
    let svm = train_linear_svm(&train, LinearSvmOptions::default());
    let of_svm = evaluate_classifier::<LinearSvm>(&svm, &test);
    let of_logistic = evaluate_classifier::<LogisticModel>(&logistic, &test);
    let of_bayes = evaluate_classifier::<NaiveBayesModel>(&bayes, &test);
    let of_tree = evaluate_classifier::<TreeClassifier>(&tree, &test);

    let two = vec!["petal_length".to_owned(), "petal_width".to_owned()];
    let all = ["sepal_length", "sepal_width"]
        .map(str::to_owned)
        .into_iter()
        .chain(two.clone());
    let guesses = predict_classes::<NaiveBayesModel>(
        &bayes,
        &select_records(&table, all.collect::<Vec<_>>()),
    );
    assert_eq!(guesses.await?.codes().len(), 150);

    let petals = select_records(&table, two);
    let clusters = cluster_kmeans(&petals, k_means());
    let predicted = predict_cluster(&clusters, &petals);
    assert_eq!(clusters.await?.labels(), *predicted.await?);
    let dense = cluster_dbscan(&petals, DbscanOptions::default()).await?;
    assert_eq!(dense.n_clusters(), 2);
    Ok(vec![
        (*of_logistic.await?).clone(),
        (*of_bayes.await?).clone(),
        (*of_tree.await?).clone(),
        (*of_svm.await?).clone(),
    ])
}

#[orch_core::test]
async fn classes_are_predicted_as_by_the_plain_functions() {
    let run = TestEngine::new().run(classes(IRIS)).await;
    run.assert_completed();
    run.assert_edge("train_logistic", "evaluate_classifier");
    run.assert_edge("select_records", "cluster_kmeans");

    let table = orch_ml::read_csv(IRIS.as_ref(), &CsvOptions::default()).unwrap();
    let names = &table.column_names()[..4];
    let dataset = orch_ml::to_classification_dataset(&table, names, "species").unwrap();
    let plan = Split::stratified(0.2).seed(42);
    let (train, test) = orch_ml::train_test_split(&dataset, &plan).unwrap();
    let logistic = orch_ml::fit_logistic(&train, &LogisticOptions::default()).unwrap();
    let bayes = orch_ml::fit_naive_bayes(&train, &NaiveBayesOptions::default()).unwrap();
    let svm = orch_ml::fit_linear_svm(&train, &LinearSvmOptions::default()).unwrap();
    let tree = orch_ml::fit_tree_classifier(&train, &TreeOptions::default()).unwrap();
    let expected = vec![
        orch_ml::evaluate_classification(&logistic, &test).unwrap(),
        orch_ml::evaluate_classification(&bayes, &test).unwrap(),
        orch_ml::evaluate_classification(&tree, &test).unwrap(),
        orch_ml::evaluate_classification(&svm, &test).unwrap(),
    ];
    assert_eq!(run.result.unwrap(), expected);
}

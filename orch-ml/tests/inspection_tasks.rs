//! The tasks that look into models and groups of rows, against the plain functions.

use orch_core::prelude::*;
use orch_core::testing::TestEngine;
use orch_ml::tasks::{
    dependence_forest_classifier, dependence_forest_regressor, dependence_linear, drop_incomplete,
    evaluate_class_slices, evaluate_slices, importance_forest_classifier,
    importance_forest_regressor, importance_linear, load_csv, predict_forest_classifier,
    predict_linear, prepare, prepare_classes, select_features, select_labelled, split,
    split_classes, split_table, train_forest_classifier, train_forest_regressor, train_linear,
};
use orch_ml::{
    ClassPartialDependence, CsvOptions, ForestOptions, GridOptions, PartialDependence,
    PermutationImportance, PermutationOptions, Preprocessor, Split, Table, accuracy,
    classification_importance, fit_forest_classifier, fit_forest_regressor, fit_linear,
    partial_dependence, r2_score, regression_importance, to_classification_dataset, to_dataset,
    train_test_split,
};

const PENGUINS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/data/penguins.csv");
const FEATURE: &str = "flipper_length_mm";

fn features() -> Vec<String> {
    ["bill_length_mm", "bill_depth_mm", FEATURE]
        .map(str::to_owned)
        .to_vec()
}

fn forest() -> ForestOptions {
    ForestOptions {
        n_trees: 10,
        seed: 7,
        ..ForestOptions::default()
    }
}

fn third() -> Split {
    Split::random(1.0 / 3.0).seed(3)
}

fn grid() -> GridOptions {
    GridOptions {
        n_points: 5,
        ..GridOptions::default()
    }
}

#[flow]
async fn looked_into(
    file: DataFile,
) -> Result<
    (
        Vec<PermutationImportance>,
        Vec<PartialDependence>,
        ClassPartialDependence,
    ),
    TaskError,
> {
    let complete = drop_incomplete(load_csv(file, CsvOptions::default()));
    let shuffles = PermutationOptions::default();
    let masses = select_features(&complete, features(), "body_mass_g");
    let records = masses.clone().await?.records().clone();
    let (train, masses) = split(&masses, third()).unzip();
    let line = train_linear(&train);
    let trees = train_forest_regressor(&train, forest());
    let species = select_labelled(&complete, features(), "species");
    let (train, species) = split_classes(&species, third()).unzip();
    let of_species = train_forest_classifier(&train, forest());
    let importances = vec![
        importance_linear(&line, &masses, shuffles)
            .await?
            .into_inner(),
        importance_forest_regressor(&trees, &masses, shuffles)
            .await?
            .into_inner(),
        importance_forest_classifier(&of_species, &species, shuffles)
            .await?
            .into_inner(),
    ];
    let dependences = vec![
        dependence_linear(&line, records.clone(), FEATURE, grid())
            .await?
            .into_inner(),
        dependence_forest_regressor(&trees, records.clone(), FEATURE, grid())
            .await?
            .into_inner(),
    ];
    let of_classes = dependence_forest_classifier(&of_species, records, FEATURE, grid());
    Ok((importances, dependences, of_classes.await?.into_inner()))
}

#[orch_core::test]
async fn tasks_look_into_models_as_the_plain_functions_do() {
    let run = TestEngine::new().run(looked_into(PENGUINS)).await;
    run.assert_completed();
    run.assert_edge("train_linear", "importance_linear");
    let (importances, dependences, of_classes) = run.result.unwrap();

    let table = orch_ml::read_csv(PENGUINS.as_ref(), &CsvOptions::default()).unwrap();
    let complete = orch_ml::drop_missing(&table).unwrap();
    let masses = to_dataset(&complete, &features(), "body_mass_g").unwrap();
    let species = to_classification_dataset(&complete, &features(), "species").unwrap();
    let records = masses.records().clone();
    let (train, masses) = train_test_split(&masses, &third()).unwrap();
    let line = fit_linear(&train).unwrap();
    let trees = fit_forest_regressor(&train, &forest()).unwrap();
    let (train, species) = train_test_split(&species, &third()).unwrap();
    let of_species = fit_forest_classifier(&train, &forest()).unwrap();
    let shuffles = PermutationOptions::default();
    let expected = [
        regression_importance(&line, &masses, &shuffles, r2_score).unwrap(),
        regression_importance(&trees, &masses, &shuffles, r2_score).unwrap(),
        classification_importance(&of_species, &species, &shuffles, |outcomes| {
            accuracy(outcomes.targets(), outcomes.predictions())
        })
        .unwrap(),
    ];
    assert_eq!(importances, expected);
    let expected = [
        partial_dependence(&line, &records, FEATURE, &grid(), None).unwrap(),
        partial_dependence(&trees, &records, FEATURE, &grid(), None).unwrap(),
    ];
    assert_eq!(dependences, expected);
    let expected =
        orch_ml::class_partial_dependence(&of_species, &records, FEATURE, &grid(), None).unwrap();
    assert_eq!(of_classes, expected);
    for row in of_classes.probabilities.rows() {
        assert!((row.sum() - 1.0).abs() < 1e-12);
    }
}

#[flow]
async fn by_group(file: DataFile) -> Result<(Table, Table), TaskError> {
    let complete = drop_incomplete(load_csv(file, CsvOptions::default()));
    let thirds = Split::stratified_by("island", 1.0 / 3.0);
    let (train, test) = split_table(&complete, thirds).unzip();
    let as_they_are = || Preprocessor::new().pass(features());
    let (_, masses, tested) = prepare(&train, &test, as_they_are(), "body_mass_g").unzip();
    let records = tested.clone().await?.records().clone();
    let guessed = predict_linear(train_linear(&masses), records.clone());
    let by_island = evaluate_slices(&test, "island", &tested, &guessed);
    let (_, species, tested) = prepare_classes(&train, &test, as_they_are(), "species").unzip();
    let trees = train_forest_classifier(&species, forest());
    let guessed = predict_forest_classifier(&trees, records);
    let by_sex = evaluate_class_slices(&test, "sex", &tested, &guessed);
    Ok((by_island.await?.into_inner(), by_sex.await?.into_inner()))
}

#[orch_core::test]
async fn tasks_evaluate_groups_of_rows() {
    let run = TestEngine::new().run(by_group(PENGUINS)).await;
    run.assert_completed();
    run.assert_edge("predict_linear", "evaluate_slices");
    run.assert_edge("predict_forest_classifier", "evaluate_class_slices");
    let (by_island, by_sex) = run.result.unwrap();
    // A third of the 163, 123 and 47 complete rows that pandas counts.
    assert_eq!(
        by_island.to_vector("n_rows").unwrap().to_vec(),
        [54.0, 41.0, 16.0]
    );
    assert_eq!(by_sex.to_vector("n_rows").unwrap().sum(), 111.0);
    assert!(
        by_sex
            .to_vector("accuracy")
            .unwrap()
            .iter()
            .all(|share| *share > 0.9)
    );
}

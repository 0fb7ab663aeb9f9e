//! Searches for options: what is tried, how it is compared, what runs.

use std::path::Path;

use orch_core::State;
use orch_core::prelude::*;
use orch_core::store::{FolderStore, RunStore as _, TaskRunRow};
use orch_core::testing::TestEngine;
use orch_ml::tasks::{
    ForestClassifierSearch, load_csv, search_forest_classifier, separate_label, split_classes,
    train_best_forest_classifier,
};
use orch_ml::{
    ClassificationScoring, CrossValidation, CsvOptions, ForestOptions, Halving, MlError, Patience,
    RegressionScoring, RollingOptions, Scoring, SearchReport, Space, Split, Train, Trial, Value,
    cross_validate_regressor, fit_linear, read_csv, to_dataset,
};
use proptest::prelude::*;
use serde::{Deserialize, Serialize};

/// What `reference/tuning.py` printed.
#[derive(Deserialize)]
struct Reference {
    grid: Vec<Tried>,
    r2: Vec<f64>,
    mae: Vec<f64>,
    rmse: Vec<f64>,
}

#[derive(Debug, PartialEq, Deserialize)]
struct Tried {
    max_depth: Option<usize>,
    n_trees: usize,
}

fn reference() -> Reference {
    serde_json::from_str(include_str!("reference/tuning.json")).unwrap()
}

fn data(name: &str) -> String {
    format!("{}/../examples/data/{name}.csv", env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn a_grid_has_the_combinations_of_scikit_learn_in_their_order() {
    let space = Space::new()
        .values("max_depth", [Some(3), None])
        .values("n_trees", [10, 20, 30]);
    let candidates = space.grid(&ForestOptions::default()).unwrap();
    let tried: Vec<Tried> = candidates
        .iter()
        .map(|options| Tried {
            max_depth: options.max_depth,
            n_trees: options.n_trees,
        })
        .collect();
    assert_eq!(tried, reference().grid);
    assert!(
        candidates
            .iter()
            .all(|options| options.min_samples_leaf == 1)
    );
}

#[test]
fn nothing_to_try_is_one_candidate() {
    let base = ForestOptions {
        n_trees: 7,
        ..ForestOptions::default()
    };
    assert_eq!(Space::new().grid(&base).unwrap(), [base]);
}

#[test]
fn a_space_that_does_not_fit_the_options_says_where() {
    let message = |space: Space| {
        space
            .grid(&ForestOptions::default())
            .unwrap_err()
            .to_string()
    };
    assert_eq!(
        message(Space::new().values("n_tree", [1])),
        "option `n_tree` does not exist (did you mean `n_trees`? there are: `bootstrap`, \
         `class_weights`, `max_depth`, `max_features`, `min_samples_leaf`, `min_samples_split`, `n_trees`, \
         `out_of_bag_score`, `seed`)"
    );
    assert!(
        message(Space::new().values("n_trees", ["many"]))
            .starts_with("option `n_trees` cannot be \"many\": invalid type")
    );
    assert!(message(Space::new().values("n_trees", [f64::NAN])).contains("cannot be null"));
    assert!(message(Space::new().values::<u8>("n_trees", [])).contains("no value of `n_trees`"));
    assert!(message(Space::new().integers("n_trees", 1, 9)).contains("a range of `n_trees`"));
    for space in [
        Space::new().integers("n_trees", 9, 1),
        Space::new().log_uniform("n_trees", 0.0, 1.0),
        Space::new().uniform("n_trees", 0.0, f64::INFINITY),
    ] {
        let error = space.random(&ForestOptions::default(), 3, 0).unwrap_err();
        assert!(
            matches!(error, MlError::InvalidOption { name: "space", .. }),
            "{error}"
        );
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Options {
    rate: f64,
    depth: u64,
    kind: String,
}

fn base() -> Options {
    Options {
        rate: 0.1,
        depth: 3,
        kind: "a".to_owned(),
    }
}

#[test]
fn random_candidates_of_a_grid_differ_until_all_were_there() {
    let space = Space::new()
        .values("depth", [1, 2, 3])
        .values("kind", ["x", "y"]);
    let grid = space.grid(&base()).unwrap();
    let mut drawn = space.random(&base(), 6, 11).unwrap();
    assert_ne!(drawn, grid);
    let in_order = |options: &Options| (options.depth, options.kind.clone());
    drawn.sort_by_key(in_order);
    assert_eq!(drawn, grid);
    assert_eq!(space.random(&base(), 9, 11).unwrap().len(), 9);
}

proptest! {
    #[test]
    fn random_candidates_are_in_range_and_the_same_for_a_seed(
        low in 1e-6..1.0f64,
        width in 0.0..1e3f64,
        seed: u64,
    ) {
        let high = low + width;
        for space in [Space::new().uniform("rate", low, high), Space::new().log_uniform("rate", low, high)] {
            let space = space.integers("depth", 2, 5);
            let candidates = space.random(&base(), 20, seed).unwrap();
            for options in &candidates {
                // A logarithm and back is off by some last bits.
                let slack = 1e-12 * high;
                prop_assert!(options.rate >= low - slack && options.rate <= high + slack);
                prop_assert!((2..=5).contains(&options.depth));
            }
            prop_assert_eq!(&candidates, &space.random(&base(), 20, seed).unwrap());
        }
    }

    #[test]
    fn rounds_of_halving_get_shorter_and_richer(
        n in 1..500usize,
        factor in 2..6usize,
        min_resource in 1..50usize,
        more in 0..5_000usize,
    ) {
        let max_resource = min_resource + more;
        let rounds = Halving { factor, min_resource, max_resource }.rounds(n).unwrap();
        prop_assert_eq!(rounds[0].n_candidates, n);
        prop_assert_eq!(rounds.last().unwrap().resource, max_resource);
        for pair in rounds.windows(2) {
            prop_assert_eq!(pair[1].n_candidates, pair[0].n_candidates.div_ceil(factor));
            prop_assert!(pair[1].resource > pair[0].resource);
        }
        prop_assert!(rounds.iter().all(|round| round.resource >= min_resource));
    }
}

fn assert_close(found: &[f64], expected: &[f64], sign: f64) {
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        assert!(
            (found - sign * expected).abs() < 1e-9,
            "{found}, expected {expected}"
        );
    }
}

#[test]
fn cross_validation_has_the_scores_of_scikit_learn() {
    let table = read_csv(Path::new(&data("diabetes")), &CsvOptions::default()).unwrap();
    let features = ["bmi", "bp", "s5"].map(str::to_owned);
    let train = Train::all(to_dataset(&table, &features, "target").unwrap());
    let scores = |validation: CrossValidation, scoring| {
        cross_validate_regressor(&train, &validation, scoring, fit_linear).unwrap()
    };
    let k_fold = |n_splits| CrossValidation::KFold {
        n_splits,
        seed: None,
    };
    let reference = reference();
    assert_close(
        &scores(k_fold(5), RegressionScoring::R2),
        &reference.r2,
        1.0,
    );
    // scikit-learn turns what is better when it is less around.
    assert_close(
        &scores(k_fold(4), RegressionScoring::Mae),
        &reference.mae,
        -1.0,
    );
    let rolling = CrossValidation::Rolling(RollingOptions {
        n_splits: 3,
        ..Default::default()
    });
    assert_close(
        &scores(rolling, RegressionScoring::Rmse),
        &reference.rmse,
        -1.0,
    );
}

fn trial(n_trees: usize, scores: &[f64]) -> Trial<ForestOptions> {
    let options = ForestOptions {
        n_trees,
        ..ForestOptions::default()
    };
    Trial {
        options,
        scores: scores.to_vec(),
    }
}

#[test]
fn a_report_has_the_best_trial_first_and_those_without_a_score_last() {
    let trials = || {
        vec![
            trial(1, &[0.5, 0.7]),
            trial(2, &[f64::NAN]),
            trial(3, &[0.9, 0.7]),
            trial(4, &[0.8, 0.8]),
        ]
    };
    let order = |report: &SearchReport<ForestOptions, ClassificationScoring>| {
        let trees = report.trials().iter().map(|trial| trial.options.n_trees);
        trees.collect::<Vec<_>>()
    };
    let by_accuracy = SearchReport::new(trials(), ClassificationScoring::Accuracy).unwrap();
    assert_eq!(order(&by_accuracy), [3, 4, 1, 2]);
    assert_eq!(by_accuracy.best().mean(), 0.8);
    assert!((by_accuracy.best().std() - 0.1).abs() < 1e-12);
    let survivors = by_accuracy.survivors(2);
    assert_eq!(
        survivors.iter().map(|of| of.n_trees).collect::<Vec<_>>(),
        [3, 4]
    );
    let by_loss = SearchReport::new(trials(), ClassificationScoring::LogLoss).unwrap();
    assert_eq!(order(&by_loss), [1, 3, 4, 2]);
    let none = SearchReport::<ForestOptions, _>::new(vec![], ClassificationScoring::Accuracy);
    assert!(matches!(none, Err(MlError::NoTrials)));
}

#[test]
fn the_table_of_a_report_shows_what_differs() {
    let trials = vec![trial(10, &[0.5]), trial(20, &[0.75])];
    let report = SearchReport::new(trials, ClassificationScoring::Accuracy).unwrap();
    let table = report.to_table();
    assert_eq!(
        table.column_names(),
        ["rank", "n_trees", "accuracy_mean", "accuracy_std"]
    );
    assert_eq!(
        table.column("n_trees").unwrap().value(0),
        Value::Integer(20)
    );
    assert_eq!(
        table.column("accuracy_mean").unwrap().value(1),
        Value::Float(0.5)
    );
    assert!(report.to_string().contains("accuracy_mean"));
}

#[test]
fn patience_ends_with_trials_that_bring_nothing() {
    let patience = Patience {
        trials: 2,
        min_improvement: 0.0,
    };
    let loss = ClassificationScoring::LogLoss;
    assert!(!loss.greater_is_better());
    assert!(!patience.is_over(&[], loss));
    assert!(!patience.is_over(&[0.5, 0.6, 0.4], loss));
    assert!(patience.is_over(&[0.5, 0.6, 0.5], loss));
    assert!(patience.is_over(&[f64::NAN, f64::NAN], loss));
}

#[flow]
async fn tuned(
    file: DataFile,
    trees: Vec<usize>,
) -> anyhow::Result<(ForestClassifierSearch, usize)> {
    let table = load_csv(file, CsvOptions::default());
    let dataset = separate_label(&table, "species");
    let (train, _) = split_classes(&dataset, Split::stratified(0.2)).unzip();
    let space = Space::new()
        .values("n_trees", trees)
        .values("max_depth", [Some(1), Some(4)]);
    let candidates = space.grid(&ForestOptions::default())?;
    let validation = CrossValidation::Stratified {
        n_splits: 3,
        seed: Some(1),
    };
    let scoring = ClassificationScoring::Accuracy;
    let search = search_forest_classifier(&train, candidates, validation, scoring);
    let model = train_best_forest_classifier(&train, &search).await?;
    Ok((search.await?.into_inner(), model.n_trees()))
}

#[tokio::test]
async fn each_trial_is_a_task_run_and_is_not_run_twice() {
    let folder = tempfile::tempdir().unwrap();
    let engine = Engine::open(folder.path()).unwrap();
    let iris = data("iris");
    let (search, n_trees) = tuned(iris.as_str(), vec![5, 10]).on(&engine).await.unwrap();
    assert_eq!(search.trials().len(), 4);
    assert!(search.best().mean() > 0.9, "{search}");
    assert_eq!(search.best().options.n_trees, n_trees);

    // A wider search finds those before in the cache.
    let run = tuned(iris.as_str(), vec![5, 10, 15])
        .start(&engine)
        .unwrap();
    let id = run.id();
    assert_eq!(run.await.unwrap().0.trials().len(), 6);
    drop(engine);
    let store = FolderStore::open(folder.path()).unwrap();
    let rows = store.task_runs(id).await.unwrap();
    let is_trial = |row: &&TaskRunRow| row.task.name == "try_forest_classifier";
    let mut states: Vec<State> = rows.iter().filter(is_trial).map(|row| row.state).collect();
    states.sort_by_key(|state| *state != State::Cached);
    assert_eq!(states[..4], [State::Cached; 4]);
    assert_eq!(states[4..], [State::Completed; 2]);
}

#[orch_core::test]
async fn a_search_is_part_of_the_graph() {
    let iris = data("iris");
    let run = TestEngine::new().run(tuned(iris.as_str(), vec![5])).await;
    run.assert_completed();
    run.assert_edge("split_classes", "train_best_forest_classifier");
    run.assert_edge("trials", "rank_forest_classifiers");
}

//! Evaluations and searches on the record of a run.

use orch_core::prelude::*;
use orch_core::report::LoggedReport;
use orch_core::{RunReport, TrackError};
use orch_ml::tasks::{
    evaluate_forest_classifier, evaluate_regressor, rank_forest_classifiers, split, split_classes,
    train_forest_classifier, train_ridge, try_forest_classifier,
};
use orch_ml::{
    ClassificationDataset, ClassificationMetrics, ClassificationScoring, CrossValidation,
    CsvOptions, Dataset, ForestOptions, NamedMetrics, RidgeModel, RidgeOptions, Split, log_metrics,
    parse_csv, to_classification_dataset, to_dataset,
};
use serde_json::json;

/// Ten rows on a line, in two classes.
const ROWS: &str = "x,z,y,kind\n1,0,2,a b\n2,1,4,a b\n3,0,6,a b\n4,1,8,a b\n5,0,10,a b\n\
    6,1,12,c\n7,0,14,c\n8,1,16,c\n9,0,18,c\n10,1,20,c\n";

fn names() -> [String; 2] {
    ["x".to_owned(), "z".to_owned()]
}

fn numbers() -> Dataset {
    let table = parse_csv(ROWS.as_bytes(), &CsvOptions::default()).unwrap();
    to_dataset(&table, &names(), "y").unwrap()
}

fn classes() -> ClassificationDataset {
    let table = parse_csv(ROWS.as_bytes(), &CsvOptions::default()).unwrap();
    to_classification_dataset(&table, &names(), "kind").unwrap()
}

fn logged<'a>(report: &'a RunReport, task: &str) -> &'a LoggedReport {
    let mut logged = report.logged.iter();
    let found = logged.find(|logged| logged.task == task);
    found.unwrap_or_else(|| panic!("`{task}` logged nothing"))
}

#[flow]
async fn ridge() -> Result<f64, TaskError> {
    let (train, test) = split(numbers(), Split::random(0.3).seed(1)).unzip();
    let model = train_ridge(&train, RidgeOptions { alpha: 0.5 });
    Ok(evaluate_regressor::<RidgeModel>(&model, &test).await?.mae)
}

#[tokio::test]
async fn training_logs_its_options_and_evaluation_its_metrics() {
    let (mae, report) = ridge().start(&Engine::new()).unwrap().finish().await;
    let options = logged(&report, "train_ridge");
    assert_eq!(options.params["alpha"], json!(0.5));
    let metrics = &logged(&report, "evaluate_regressor").metrics;
    let names: Vec<&str> = metrics.keys().map(String::as_str).collect();
    assert_eq!(
        names,
        [
            "explained_variance",
            "mae",
            "mape",
            "median_absolute_error",
            "mse",
            "n_rows",
            "r2",
            "rmse"
        ],
        "three rows are too few for an adjusted R2 of two features"
    );
    assert_eq!(metrics["mae"].last.to_bits(), mae.unwrap().to_bits());
    assert_eq!((metrics["n_rows"].last, metrics["mae"].n_points), (3.0, 1));
}

fn forest(n_trees: usize) -> ForestOptions {
    ForestOptions {
        n_trees,
        seed: 3,
        ..ForestOptions::default()
    }
}

#[flow]
async fn search() -> Result<ClassificationMetrics, TaskError> {
    let (train, test) = split_classes(classes(), Split::stratified(0.4).seed(1)).unzip();
    let folds = CrossValidation::Stratified {
        n_splits: 3,
        seed: Some(5),
    };
    let trials = [forest(5), forest(9)].map(|options| {
        let scoring = ClassificationScoring::Accuracy;
        try_forest_classifier(&train, options, folds.clone(), scoring)
    });
    let trials = trials.to_vec();
    rank_forest_classifiers(trials, ClassificationScoring::Accuracy).await?;
    let model = train_forest_classifier(&train, forest(5));
    Ok(evaluate_forest_classifier(&model, &test)
        .await?
        .into_inner())
}

#[tokio::test]
async fn trials_log_their_options_and_their_score_fold_by_fold() {
    let engine = Engine::new();
    // The second time all of it is cached.
    for _ in 0..2 {
        let (result, report) = search().start(&engine).unwrap().finish().await;
        let measured = result.unwrap();
        let trials: Vec<&LoggedReport> = report
            .logged
            .iter()
            .filter(|logged| logged.task == "try_forest_classifier")
            .collect();
        assert_eq!(trials.len(), 2);
        assert_eq!(
            trials
                .iter()
                .map(|trial| trial.params["n_trees"].clone())
                .collect::<Vec<_>>(),
            [json!(5), json!(9)]
        );
        for trial in trials {
            let folds = &trial.metrics["accuracy"];
            let steps: Vec<i64> = folds.points.iter().map(|point| point.step).collect();
            assert_eq!(steps, [0, 1, 2]);
            let sum: f64 = folds.points.iter().map(|point| point.value).sum();
            let mean = trial.metrics["accuracy_mean"].last;
            assert!((mean - sum / 3.0).abs() < 1e-12, "{mean} {sum}");
            assert!(trial.metrics.contains_key("accuracy_std"));
        }
        let ranked = logged(&report, "rank_forest_classifiers");
        assert_eq!(ranked.metrics["n_trials"].last, 2.0);
        assert!(ranked.metrics.contains_key("best_accuracy"));
        let metrics = &logged(&report, "evaluate_forest_classifier").metrics;
        assert_eq!(
            metrics["accuracy"].last.to_bits(),
            measured.accuracy.to_bits()
        );
        // A label is part of a name as far as names have its characters.
        let recall = &metrics["recall/a_b"];
        assert_eq!(recall.last.to_bits(), measured.classes[0].recall.to_bits());
    }
}

#[tokio::test]
async fn reports_are_logged_from_tasks_and_flows_and_have_no_record_elsewhere() {
    #[task]
    async fn own(ctx: &TaskContext, metrics: ClassificationMetrics) -> Result<(), TrackError> {
        ctx.log_metrics(7, metrics.named_metrics())
    }

    #[flow]
    async fn owning(ctx: &FlowContext, metrics: ClassificationMetrics) -> anyhow::Result<()> {
        log_metrics(ctx, &metrics)?;
        own(metrics).await?;
        Ok(())
    }

    let metrics = search().await.unwrap();
    log_metrics(&TaskContext::detached(), &metrics).unwrap();
    let (_, report) = owning(metrics)
        .start(&Engine::new())
        .unwrap()
        .finish()
        .await;
    let [flow, task] = &report.logged[..] else {
        panic!("{:?}", report.logged);
    };
    assert_eq!(flow.metrics.len(), task.metrics.len());
    assert_eq!(flow.metrics["log_loss"].points[0].step, 0);
    assert_eq!(task.metrics["log_loss"].points[0].step, 7);
}

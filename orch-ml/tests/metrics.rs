//! Metrics against scikit-learn: `reference/evaluation.py` says how each number was made.

#[path = "reference/evaluation.rs"]
#[allow(
    dead_code,
    reason = "shared with another test, which needs other parts"
)]
mod reference;

use orch_ml::{
    Average, CalibrationStrategy, ConfusionMatrix, KappaWeights, RegressionMetrics, accuracy,
    adjusted_r2, adjusted_rand_index, average_precision, average_precision_one_vs_rest,
    brier_score, calibration_curve, expected_calibration_error, inertia, log_loss,
    mean_pinball_loss, precision_recall_curve, roc_auc, roc_auc_one_vs_rest, roc_curve,
    root_mean_squared_error, silhouette_samples, silhouette_score, weighted_accuracy,
    weighted_log_loss, weighted_root_mean_squared_error,
};
use reference::{
    cases, check, check_all, check_matrix, codes, flags, index, labels, matrix, number, numbers,
    vector, weights,
};
use serde_json::Value;

#[test]
fn metrics_of_numbers_are_those_of_scikit_learn() {
    for case in cases("regression") {
        let (targets, predictions) = (vector(&case["targets"]), vector(&case["predictions"]));
        let (t, p) = (targets.view(), predictions.view());
        let weights = weights(&case);
        let w = weights.as_deref();
        let expected = &case["expected"];
        let metrics = RegressionMetrics::from_predictions(t, p, w).unwrap();
        check(metrics.r2, &expected["r2"], "r2");
        check(metrics.mae, &expected["mae"], "mae");
        check(metrics.mse, &expected["mse"], "mse");
        check(metrics.rmse, &expected["rmse"], "rmse");
        check(metrics.mape, &expected["mape"], "mape");
        check(
            metrics.median_absolute_error,
            &expected["median_absolute_error"],
            "median",
        );
        check(
            metrics.explained_variance,
            &expected["explained_variance"],
            "explained",
        );
        let n_features = index(&case["n_features"]);
        let adjusted = adjusted_r2(t, p, n_features, w).unwrap();
        check(adjusted, &expected["adjusted_r2"], "adjusted");
        for alpha in ["0.1", "0.5", "0.9"] {
            let loss = mean_pinball_loss(t, p, alpha.parse().unwrap(), w).unwrap();
            check(loss, &expected[format!("pinball_{alpha}")], alpha);
        }
        match w {
            None => check(
                root_mean_squared_error(t, p).unwrap(),
                &expected["rmse"],
                "rmse",
            ),
            Some(w) => check(
                weighted_root_mean_squared_error(t, p, w).unwrap(),
                &expected["rmse"],
                "weighted rmse",
            ),
        }
    }
}

#[test]
fn metrics_of_classes_are_those_of_scikit_learn() {
    for case in cases("classes") {
        let (targets, predictions) = (codes(&case["targets"]), codes(&case["predictions"]));
        let classes = labels(index(&case["n_classes"]));
        let weights = weights(&case);
        let matrix =
            ConfusionMatrix::new(&targets, &predictions, &classes, weights.as_deref()).unwrap();
        let expected = &case["expected"];
        check_matrix(matrix.counts(), &expected["counts"], "counts");
        check(matrix.accuracy(), &expected["accuracy"], "accuracy");
        let direct = match &weights {
            None => accuracy(&targets, &predictions),
            Some(weights) => weighted_accuracy(&targets, &predictions, weights),
        };
        check(direct.unwrap(), &expected["accuracy"], "accuracy");
        check(
            matrix.balanced_accuracy(),
            &expected["balanced_accuracy"],
            "balanced",
        );
        check(
            matrix.matthews_correlation(),
            &expected["matthews"],
            "matthews",
        );
        for (weights, name) in [
            (KappaWeights::Unweighted, "kappa_unweighted"),
            (KappaWeights::Linear, "kappa_linear"),
            (KappaWeights::Quadratic, "kappa_quadratic"),
        ] {
            check(matrix.cohen_kappa(weights), &expected[name], name);
        }

        let occur: Vec<usize> = matrix.classes_that_occur().collect();
        assert_eq!(
            occur,
            expected["occur"]
                .as_array()
                .unwrap()
                .iter()
                .map(index)
                .collect::<Vec<_>>()
        );
        let each =
            |of: &dyn Fn(usize) -> f64| occur.iter().map(|class| of(*class)).collect::<Vec<_>>();
        check_all(
            &each(&|class| matrix.precision_of(class)),
            &expected["precision_each"],
            "each",
        );
        check_all(
            &each(&|class| matrix.recall_of(class)),
            &expected["recall_each"],
            "each",
        );
        check_all(
            &each(&|class| matrix.f1_of(class)),
            &expected["f_1.0_each"],
            "each",
        );
        for (average, name) in [
            (Average::Macro, "macro"),
            (Average::Micro, "micro"),
            (Average::Weighted, "weighted"),
        ] {
            let of = |metric: &str| &expected[format!("{metric}_{name}")];
            check(matrix.precision(average), of("precision"), name);
            check(matrix.recall(average), of("recall"), name);
            check(matrix.f1(average), of("f_1.0"), name);
            for beta in ["0.0", "0.5", "1.0", "2.0"] {
                let number = beta.parse().unwrap();
                let found = matrix.f_beta(number, average).unwrap();
                check(found, of(&format!("f_{beta}")), name);
                let found = each(&|class| matrix.f_beta_of(class, number).unwrap());
                check_all(&found, &expected[format!("f_{beta}_each")], beta);
            }
        }
    }
}

#[test]
fn precision_recall_and_their_means_of_a_class_differ_as_by_hand() {
    // TP 3, FP 2, FN 1, TN 4.
    let targets = [1, 1, 1, 1, 0, 0, 0, 0, 0, 0];
    let guesses = [1, 1, 1, 0, 1, 1, 0, 0, 0, 0];
    let matrix = ConfusionMatrix::new(&targets, &guesses, &labels(2), None).unwrap();
    assert_eq!((matrix.precision_of(1), matrix.recall_of(1)), (0.6, 0.75));
    assert_eq!(
        (matrix.precision_of(0), matrix.recall_of(0)),
        (0.8, 4.0 / 6.0)
    );
    assert_eq!(matrix.f1_of(1), 6.0 / 9.0);
    assert_eq!(matrix.f_beta_of(1, 2.0).unwrap(), 15.0 / 21.0);
    assert_eq!(matrix.accuracy(), 0.7);
    let mcc = (3.0 * 4.0 - 2.0 * 1.0) / (5.0 * 4.0 * 6.0 * 5.0f64).sqrt();
    assert!((matrix.matthews_correlation() - mcc).abs() < 1e-15);
    let by_chance = (5.0 * 4.0 + 5.0 * 6.0) / 100.0;
    let kappa = (0.7 - by_chance) / (1.0 - by_chance);
    assert!((matrix.cohen_kappa(KappaWeights::Unweighted) - kappa).abs() < 1e-15);
}

#[test]
fn a_confusion_matrix_prints_as_a_small_table() {
    let classes = [
        "ham".into(),
        "spam, spam, spam and eggs".into(),
        "egg".into(),
    ];
    let matrix = ConfusionMatrix::new(&[0, 0, 1, 2, 1], &[0, 1, 1, 2, 0], &classes, None).unwrap();
    let expected = "\
true \\ predicted           ham  spam, spam, spam and eggs  egg
ham                          1                          1    0
spam, spam, spam and eggs    1                          1    0
egg                          0                          0    1";
    assert_eq!(matrix.to_string(), expected);
    let weights = [1.0, 0.5, 12.25, 1.0, 1.0];
    let weighted = ConfusionMatrix::new(
        &[0, 0, 1, 1, 0],
        &[0, 1, 1, 1, 0],
        &labels(2),
        Some(&weights),
    )
    .unwrap();
    let expected = "\
true \\ predicted     0      1
0                 2.00   0.50
1                 0.00  13.25";
    assert_eq!(weighted.to_string(), expected);
}

#[test]
fn metrics_of_probabilities_are_those_of_scikit_learn() {
    for case in cases("probabilities") {
        let (targets, probabilities) = (codes(&case["targets"]), matrix(&case["probabilities"]));
        let weights = weights(&case);
        let w = weights.as_deref();
        let expected = &case["expected"];
        let loss = match w {
            None => log_loss(&targets, &probabilities),
            Some(w) => weighted_log_loss(&targets, &probabilities, w),
        };
        check(loss.unwrap(), &expected["log_loss"], "log loss");
        let brier = brier_score(&targets, &probabilities, w).unwrap();
        check(brier, &expected["brier_score"], "brier");
        for (average, name) in [(Average::Macro, "macro"), (Average::Weighted, "weighted")] {
            let auc = roc_auc_one_vs_rest(&targets, &probabilities, average, w).unwrap();
            check(auc, &expected[format!("auc_{name}")], name);
            let found = average_precision_one_vs_rest(&targets, &probabilities, average, w);
            check(found.unwrap(), &expected[format!("ap_{name}")], name);
        }
    }
}

#[test]
fn curves_of_scores_are_those_of_scikit_learn() {
    for case in cases("ranking") {
        let (truth, scores) = (flags(&case["is_positive"]), numbers(&case["scores"]));
        let weights = weights(&case);
        let w = weights.as_deref();
        let expected = &case["expected"];
        let roc = roc_curve(&truth, &scores, w).unwrap();
        check_all(&roc.false_positive_rates, &expected["fpr"], "fpr");
        check_all(&roc.true_positive_rates, &expected["tpr"], "tpr");
        check_all(&roc.thresholds, &expected["roc_thresholds"], "thresholds");
        check(
            roc_auc(&truth, &scores, w).unwrap(),
            &expected["roc_auc"],
            "auc",
        );
        let curve = precision_recall_curve(&truth, &scores, w).unwrap();
        check_all(&curve.precisions, &expected["precision"], "precision");
        check_all(&curve.recalls, &expected["recall"], "recall");
        check_all(&curve.thresholds, &expected["thresholds"], "thresholds");
        check(curve.area(), &expected["area"], "area");
        let found = average_precision(&truth, &scores, w).unwrap();
        check(found, &expected["average_precision"], "average precision");
    }
}

#[test]
fn calibration_is_that_of_scikit_learn_also_on_the_edges_of_bins() {
    for case in cases("calibration") {
        let truth = flags(&case["is_positive"]);
        let probabilities = numbers(&case["probabilities"]);
        let n_bins = index(&case["n_bins"]);
        let strategy = match case["strategy"].as_str() {
            Some("uniform") => CalibrationStrategy::Uniform,
            _ => CalibrationStrategy::Quantile,
        };
        let expected = &case["expected"];
        let bins = calibration_curve(&truth, &probabilities, n_bins, strategy).unwrap();
        let of = |of: fn(&orch_ml::CalibrationBin) -> f64| bins.iter().map(of).collect::<Vec<_>>();
        check_all(&of(|bin| bin.positive_share), &expected["share"], "share");
        check_all(&of(|bin| bin.mean_probability), &expected["mean"], "mean");
        check_all(&of(|bin| bin.n_rows as f64), &expected["n_rows"], "rows");
        let error = expected_calibration_error(&truth, &probabilities, n_bins, strategy).unwrap();
        check(error, &expected["error"], "error");
    }
}

#[test]
fn metrics_of_clusters_are_those_of_scikit_learn() {
    let cases = reference::reference("clusters");
    let all = |name: &str| cases[name].as_array().unwrap().clone();
    for fit in all("fits") {
        let (values, centers) = (matrix(&fit["values"]), matrix(&fit["centers"]));
        let weights = weights(&fit);
        let clusters = codes(&fit["clusters"]);
        let found = inertia(values.view(), &clusters, centers.view(), weights.as_deref());
        check(found.unwrap(), &fit["inertia"], "inertia");
    }
    for case in all("silhouettes") {
        let (values, clusters) = (matrix(&case["values"]), codes(&case["clusters"]));
        let samples = silhouette_samples(values.view(), &clusters).unwrap();
        check_all(&samples, &case["samples"], "samples");
        let score = silhouette_score(values.view(), &clusters).unwrap();
        check(score, &case["score"], "score");
    }
    for case in all("rand") {
        let (targets, clusters) = (codes(&case["targets"]), codes(&case["clusters"]));
        check(
            adjusted_rand_index(&targets, &clusters).unwrap(),
            &case["index"],
            "rand",
        );
        check(
            adjusted_rand_index(&clusters, &targets).unwrap(),
            &case["index"],
            "rand",
        );
    }
}

#[test]
fn a_confusion_matrix_that_was_stored_wrongly_is_refused() {
    let matrix = ConfusionMatrix::new(&[0, 1], &[0, 1], &labels(2), None).unwrap();
    let mut stored = serde_json::to_value(&matrix).unwrap();
    assert_eq!(
        serde_json::from_value::<ConfusionMatrix>(stored.clone()).unwrap(),
        matrix
    );
    stored["classes"] = Value::Array(Vec::new());
    assert!(serde_json::from_value::<ConfusionMatrix>(stored).is_err());
    assert!(number(&Value::Null).is_nan());
}

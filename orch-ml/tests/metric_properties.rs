//! What holds for metrics whatever the rows are.

use orch_ml::ndarray::Array1;
use orch_ml::{
    Average, CalibrationStrategy, ClassLabel, ConfusionMatrix, KappaWeights, RegressionMetrics,
    accuracy, adjusted_rand_index, average_precision, expected_calibration_error,
    median_absolute_error, roc_auc, weighted_mean_absolute_error,
};
use proptest::prelude::*;

fn classes() -> Vec<ClassLabel> {
    (0..4).map(ClassLabel::from).collect()
}

fn close(a: f64, b: f64) -> bool {
    a.is_nan() && b.is_nan() || (a - b).abs() <= 1e-9 * a.abs().max(1.0)
}

/// Scores with ties, both classes being there.
fn scored() -> impl Strategy<Value = Vec<(bool, f64)>> {
    prop::collection::vec(
        (
            any::<bool>(),
            (-8..8i32).prop_map(|score| f64::from(score) / 4.0),
        ),
        0..40,
    )
    .prop_map(|mut rows| {
        rows.extend([(true, 0.3), (false, 0.1)]);
        rows
    })
}

fn pairs() -> impl Strategy<Value = Vec<(u32, u32)>> {
    prop::collection::vec((0..4u32, 0..4u32), 1..50)
}

proptest! {
    #[test]
    fn a_rising_function_of_the_scores_changes_no_ranking(rows in scored()) {
        let (truth, scores): (Vec<bool>, Vec<f64>) = rows.into_iter().unzip();
        let risen: Vec<f64> = scores.iter().map(|score| 5.0 * score.exp() - 3.0).collect();
        prop_assert_eq!(roc_auc(&truth, &scores, None).unwrap(), roc_auc(&truth, &risen, None).unwrap());
        prop_assert_eq!(
            average_precision(&truth, &scores, None).unwrap(),
            average_precision(&truth, &risen, None).unwrap()
        );
    }

    /// The area is the share of pairs in the right order, by the definition of Mann and Whitney.
    #[test]
    fn the_area_below_the_curve_counts_pairs(rows in scored()) {
        let (truth, scores): (Vec<bool>, Vec<f64>) = rows.iter().copied().unzip();
        let (mut right, mut all) = (0.0, 0.0);
        for (_, high) in rows.iter().filter(|row| row.0) {
            for (_, low) in rows.iter().filter(|row| !row.0) {
                all += 1.0;
                right += if high > low { 1.0 } else if high == low { 0.5 } else { 0.0 };
            }
        }
        prop_assert!(close(roc_auc(&truth, &scores, None).unwrap(), right / all));
        let turned: Vec<f64> = scores.iter().map(|score| -score).collect();
        let (area, turned) = (right / all, roc_auc(&truth, &turned, None).unwrap());
        prop_assert!(close(area, 1.0 - turned));
    }

    #[test]
    fn micro_averages_and_weighted_recall_are_the_accuracy(rows in pairs()) {
        let (targets, guesses): (Vec<u32>, Vec<u32>) = rows.into_iter().unzip();
        let matrix = ConfusionMatrix::new(&targets, &guesses, &classes(), None).unwrap();
        let share = accuracy(&targets, &guesses).unwrap();
        prop_assert!(close(matrix.f1(Average::Micro), share));
        prop_assert!(close(matrix.precision(Average::Micro), share));
        prop_assert!(close(matrix.recall(Average::Weighted), share));
    }

    /// Kappa and Matthews' correlation do not say which side is the truth.
    #[test]
    fn agreement_is_the_same_both_ways(rows in pairs()) {
        let (targets, guesses): (Vec<u32>, Vec<u32>) = rows.into_iter().unzip();
        let there = ConfusionMatrix::new(&targets, &guesses, &classes(), None).unwrap();
        let back = ConfusionMatrix::new(&guesses, &targets, &classes(), None).unwrap();
        for weights in [KappaWeights::Unweighted, KappaWeights::Linear, KappaWeights::Quadratic] {
            prop_assert!(close(there.cohen_kappa(weights), back.cohen_kappa(weights)));
        }
        prop_assert!(close(there.matthews_correlation(), back.matthews_correlation()));
        prop_assert!(close(
            adjusted_rand_index(&targets, &guesses).unwrap(),
            adjusted_rand_index(&guesses, &targets).unwrap()
        ));
    }

    /// Each metric is of the set of rows: their order says nothing.
    #[test]
    fn the_order_of_the_rows_changes_nothing(
        rows in prop::collection::vec((0..4u32, 0..4u32, -9..9i32, 0..9i32, any::<bool>()), 2..40),
        by in any::<prop::sample::Index>(),
    ) {
        let mut moved = rows.clone();
        moved.rotate_left(by.index(rows.len()));
        moved.reverse();
        let of = |rows: &[(u32, u32, i32, i32, bool)]| {
            let targets: Vec<u32> = rows.iter().map(|row| row.0).collect();
            let guesses: Vec<u32> = rows.iter().map(|row| row.1).collect();
            let numbers: Array1<f64> = rows.iter().map(|row| f64::from(row.2) / 3.0).collect();
            let predicted: Array1<f64> = rows.iter().map(|row| f64::from(row.3) / 7.0).collect();
            let truth: Vec<bool> = rows.iter().map(|row| row.4).collect();
            let scores: Vec<f64> = rows.iter().map(|row| f64::from(row.3) / 9.0).collect();
            let weights: Vec<f64> = rows.iter().map(|row| f64::from(row.3) + 0.5).collect();
            let matrix =
                ConfusionMatrix::new(&targets, &guesses, &classes(), Some(&weights)).unwrap();
            let metrics = RegressionMetrics::from_predictions(
                numbers.view(), predicted.view(), Some(&weights),
            ).unwrap();
            vec![
                matrix.f1(Average::Macro),
                matrix.balanced_accuracy(),
                matrix.matthews_correlation(),
                matrix.cohen_kappa(KappaWeights::Quadratic),
                metrics.r2,
                metrics.median_absolute_error,
                metrics.explained_variance,
                roc_auc(&truth, &scores, Some(&weights)).unwrap(),
                average_precision(&truth, &scores, Some(&weights)).unwrap(),
                expected_calibration_error(&truth, &scores, 4, CalibrationStrategy::Quantile).unwrap(),
            ]
        };
        for (before, after) in of(&rows).into_iter().zip(of(&moved)) {
            prop_assert!(close(before, after), "{} {}", before, after);
        }
    }

    /// A weight of 3 is the row three times, and a weight of 0 is no row.
    #[test]
    fn whole_weights_repeat_rows(
        rows in prop::collection::vec((any::<bool>(), 0..9i32, 0..9i32, 0..4usize), 1..30),
    ) {
        let mut rows = rows;
        rows.push((true, 4, 2, 1));
        let repeated: Vec<_> =
            rows.iter().flat_map(|row| std::iter::repeat_n(*row, row.3)).collect();
        let of = |rows: &[(bool, i32, i32, usize)], is_weighted: bool| {
            let truth: Vec<bool> = rows.iter().map(|row| row.0).collect();
            let targets: Array1<f64> = rows.iter().map(|row| f64::from(row.1)).collect();
            let predicted: Array1<f64> = rows.iter().map(|row| f64::from(row.2)).collect();
            let weights: Vec<f64> = rows
                .iter()
                .map(|row| if is_weighted { row.3 as f64 } else { 1.0 })
                .collect();
            let codes: Vec<u32> = rows.iter().map(|row| u32::from(row.0)).collect();
            let guesses: Vec<u32> = rows.iter().map(|row| row.1 as u32 % 2).collect();
            let matrix = ConfusionMatrix::new(&codes, &guesses, &classes(), Some(&weights)).unwrap();
            let (t, p) = (targets.view(), predicted.view());
            [
                weighted_mean_absolute_error(t, p, &weights).unwrap(),
                median_absolute_error(t, p, Some(&weights)).unwrap(),
                roc_auc(&truth, &predicted.to_vec(), Some(&weights)).unwrap(),
                average_precision(&truth, &predicted.to_vec(), Some(&weights)).unwrap(),
                matrix.matthews_correlation(),
                matrix.f1(Average::Weighted),
            ]
        };
        for (weighted, repeated) in of(&rows, true).into_iter().zip(of(&repeated, false)) {
            prop_assert!(close(weighted, repeated), "{} {}", weighted, repeated);
        }
    }
}

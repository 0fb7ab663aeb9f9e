//! What metrics refuse, and how they say so.

use orch_ml::ndarray::{Array2, array};
use orch_ml::{
    Average, CalibrationStrategy, ClassLabel, ConfusionMatrix, MlError, brier_score,
    calibration_curve, inertia, log_loss, mean_absolute_error, mean_pinball_loss, r2_score,
    roc_auc, roc_auc_one_vs_rest, roc_curve, silhouette_samples, silhouette_score,
    weighted_mean_squared_error,
};

fn labels(n_classes: i64) -> Vec<ClassLabel> {
    (0..n_classes).map(ClassLabel::from).collect()
}

fn message<T: std::fmt::Debug>(result: Result<T, MlError>) -> String {
    let error = result.unwrap_err();
    assert!(!error.help().is_empty());
    error.to_string()
}

#[test]
fn inputs_that_have_no_metric_are_refused_with_what_and_where() {
    let (t, nan) = (array![1.0, 2.0], array![1.0, f64::NAN]);
    assert_eq!(
        message(mean_absolute_error(t.view(), nan.view())),
        "column `predictions` is NaN at row 1, expected a finite number"
    );
    assert_eq!(
        message(r2_score(nan.view(), t.view())),
        "column `targets` is NaN at row 1, expected a finite number"
    );
    let weighted =
        |weights: &[f64]| message(weighted_mean_squared_error(t.view(), t.view(), weights));
    assert_eq!(
        weighted(&[1.0]),
        "the list of weights has length 1, expected 2"
    );
    assert_eq!(
        weighted(&[1.0, -2.0]),
        "`weights` is -2 at row 1, expected numbers of at least 0"
    );
    assert_eq!(
        weighted(&[0.0, 0.0]),
        "`weights` is 0 in every row, expected a number above 0 in at least one row"
    );
    assert_eq!(
        weighted(&[0.0, f64::INFINITY]),
        "column `weights` is inf at row 1, expected a finite number"
    );
    for alpha in [-0.1, 1.1, f64::NAN] {
        assert!(mean_pinball_loss(t.view(), t.view(), alpha, None).is_err());
    }
    assert_eq!(
        message(log_loss(&[0, 1], &array![[0.5, 0.5], [1.2, -0.2]])),
        "the probability at row 1 is 1.2, expected a number between 0 and 1"
    );
    assert!(brier_score(&[0], &array![[f64::NAN, 1.0]], None).is_err());
    // What rounding does to a sum is let pass.
    let rounded = array![[1.0 + f64::EPSILON, -f64::EPSILON]];
    assert!(brier_score(&[0], &rounded, None).unwrap() < 1e-30);
    assert!(log_loss(&[0], &rounded).unwrap() < 1e-15);
    assert_eq!(
        message(calibration_curve(
            &[true],
            &[f64::NAN],
            5,
            CalibrationStrategy::Uniform
        )),
        "the probability at row 0 is NaN, expected a number between 0 and 1"
    );
    assert_eq!(
        message(calibration_curve(
            &[true],
            &[0.5],
            0,
            CalibrationStrategy::Uniform
        )),
        "`n_bins` is 0, expected at least 1"
    );
    assert_eq!(
        message(roc_auc(&[true, false], &[0.1, f64::NAN], None)),
        "column `scores` is NaN at row 1, expected a finite number"
    );
    assert!(matches!(
        roc_curve(&[], &[], None),
        Err(MlError::NoRows { .. })
    ));
    assert_eq!(
        message(roc_auc_one_vs_rest(
            &[0, 1],
            &Array2::zeros((2, 2)),
            Average::Micro,
            None
        )),
        "`average` is Micro, expected `Macro` or `Weighted`"
    );
    assert_eq!(
        message(ConfusionMatrix::new(&[0, 2], &[0, 1], &labels(2), None)),
        "class code 2 at row 1 is out of range, expected less than 2"
    );
    let matrix = ConfusionMatrix::new(&[0, 1], &[0, 1], &labels(2), None).unwrap();
    assert_eq!(
        message(matrix.f_beta(-1.0, Average::Macro)),
        "`beta` is -1, expected a number of at least 0"
    );
    let values = array![[0.0, 1.0], [1.0, f64::NAN], [2.0, 2.0]];
    assert_eq!(
        message(silhouette_samples(values.view(), &[0, 1, 0])),
        "column `1` is NaN at row 1, expected a finite number"
    );
    let values = Array2::zeros((3, 2));
    for clusters in [[4, 4, 4], [0, 1, 2]] {
        assert!(message(silhouette_score(values.view(), &clusters)).ends_with("fewer than rows"));
    }
    assert_eq!(
        message(inertia(
            values.view(),
            &[0, 1, 0],
            Array2::zeros((2, 3)).view(),
            None
        )),
        "each center has length 3, expected 2"
    );
}

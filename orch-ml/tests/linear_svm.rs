//! Linear support vector machines against scikit-learn (`tests/reference/linear_svm.py`).

mod support;

use orch_ml::ndarray::array;
use orch_ml::{
    ClassificationDataset, LinearSvm, LinearSvmOptions, MlError, Records, Split, SvmLoss,
    evaluate_classification, fit_linear_svm, train_test_split,
};
use support::{
    breast_cancer, check_all_close, check_close, flat, iris, numbers, penguins, reference, reread,
    standardized, wine, with_records,
};

/// Both are ends of an iteration that comes closer to the solution by ever smaller steps:
/// scikit-learn's was run with a `tol` of 1e-10.
const ITERATED: f64 = 1e-6;

#[test]
fn lines_are_those_of_scikit_learn() {
    let reference = reference("linear_svm");
    for (name, dataset) in [
        ("iris", iris()),
        ("wine", wine()),
        ("penguins", penguins()),
        ("breast_cancer", breast_cancer()),
    ] {
        let dataset = with_records(&dataset, standardized(dataset.records()));
        let some: Vec<usize> = (0..dataset.n_rows()).step_by(17).collect();
        let some = dataset.take_rows(&some).unwrap();
        for case in reference[name].as_array().unwrap() {
            let mut options: LinearSvmOptions =
                serde_json::from_value(case["options"].clone()).unwrap();
            options.tol = 1e-10;
            options.max_iter = 10_000_000;
            let model = fit_linear_svm(&dataset, &options).unwrap();
            assert!(model.is_converged());
            let coefficients = model.coefficients();
            let expected = flat(&case["coefficients"]);
            check_all_close(coefficients.as_slice().unwrap(), &expected, ITERATED);
            check_all_close(model.intercepts(), &numbers(&case["intercepts"]), ITERATED);
            let decisions = model.decision_function(some.records()).unwrap();
            let expected = flat(&case["decisions"]);
            check_all_close(decisions.as_slice().unwrap(), &expected, ITERATED);
            let accuracy = evaluate_classification(&model, &dataset).unwrap().accuracy;
            check_close(accuracy, case["accuracy"].as_f64().unwrap(), 1e-12);
        }
    }
}

#[test]
fn two_rows_are_told_apart_by_the_line_between_them() {
    // By hand: of w and b with margins of 1 at -1 and 2, the least w² + b² is at w = 2/3, b = -1/3,
    // where the weights of the rows are 4/9 and 1/9: less than c.
    let records = Records::new(array![[-1.0], [2.0]], ["x"]).unwrap();
    let dataset = ClassificationDataset::new(records, ["a", "b"], "y").unwrap();
    let options = LinearSvmOptions {
        loss: SvmLoss::Hinge,
        tol: 1e-12,
        max_iter: 100_000,
        ..LinearSvmOptions::default()
    };
    let model = fit_linear_svm(&dataset, &options).unwrap();
    check_close(model.coefficients()[[0, 0]], 2.0 / 3.0, 1e-9);
    check_close(model.intercepts()[0], -1.0 / 3.0, 1e-9);
}

#[test]
fn what_cannot_be_fitted_is_refused() {
    let records = Records::new(array![[-1.0], [f64::NAN]], ["x"]).unwrap();
    let dataset = ClassificationDataset::new(records, ["a", "a"], "y").unwrap();
    let message = |change: fn(&mut LinearSvmOptions)| {
        let mut options = LinearSvmOptions::default();
        change(&mut options);
        fit_linear_svm(&dataset, &options).unwrap_err().to_string()
    };
    assert_eq!(
        message(|options| options.c = -1.0),
        "`c` is -1, expected a finite number above 0"
    );
    assert_eq!(
        message(|options| options.max_iter = 0),
        "`max_iter` is 0, expected at least 1"
    );
    assert_eq!(
        message(|options| options.tol = f64::NAN),
        "`tol` is NaN, expected a finite number of at least 0"
    );
    assert_eq!(
        message(|_| ()),
        "column `x` is NaN at row 1, expected a finite number"
    );
    let one = dataset.take_rows(&[0]).unwrap();
    assert!(matches!(
        fit_linear_svm(&one, &LinearSvmOptions::default()),
        Err(MlError::OneClass { n_rows: 1, .. })
    ));
}

#[test]
fn a_fit_that_is_cut_short_says_so() {
    let options = LinearSvmOptions {
        max_iter: 1,
        ..LinearSvmOptions::default()
    };
    let model = fit_linear_svm(&iris(), &options).unwrap();
    assert_eq!((model.is_converged(), model.n_iter()), (false, 1));
}

#[test]
fn the_model_knows_its_rows_and_survives_a_file() {
    let wine = wine();
    let wine = with_records(&wine, standardized(wine.records()));
    let (train, test) = train_test_split(&wine, &Split::stratified(0.3).seed(2)).unwrap();
    let model = fit_linear_svm(&train, &LinearSvmOptions::default()).unwrap();
    assert_eq!(model.trained_on(), Some(train.origin()));
    assert!(evaluate_classification(&model, &test).unwrap().accuracy > 0.9);
    assert_eq!(LinearSvm::try_from(reread(model.clone())).unwrap(), model);
    let one = rayon::ThreadPoolBuilder::new()
        .num_threads(1)
        .build()
        .unwrap();
    let again = one.install(|| fit_linear_svm(&train, &LinearSvmOptions::default()).unwrap());
    assert_eq!(again, model);

    let mut json = serde_json::to_value(&model).unwrap();
    json["coefficients"].as_array_mut().unwrap().pop();
    assert_eq!(
        serde_json::from_value::<LinearSvm>(json)
            .unwrap_err()
            .to_string(),
        "the list of coefficients has length 38, expected 39"
    );
}

//! Models as files, of this format and the one before.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, UNIX_EPOCH};

use orch_ml::{Algorithm, LinearModel, MlError, Model, load_model, save_model};

use super::{check_penguins, penguin_model, raw_penguins};
use crate::support::{check_all_close, here, reference, table};

fn fixture(name: &str) -> PathBuf {
    here(&format!("tests/fixtures/{name}.model"))
}

#[test]
fn a_file_of_format_2_predicts_as_the_pipeline_of_scikit_learn() {
    let model = load_model(&fixture("penguins_format_2")).unwrap();
    check_penguins(&model, &raw_penguins());
    assert_eq!(
        model
            .metric("accuracy")
            .map(|share| (share * 344.0).round()),
        reference("packed_models")["n_right"].as_f64()
    );
    assert_eq!(model.training_data().unwrap().n_rows, 344);
    assert_eq!(model.code(), Some("5f0c1d2"));
    assert_eq!(model.libraries().next(), Some(("orch-ml", "0.1.0")));
    assert_eq!(
        model.created_at(),
        Some(UNIX_EPOCH + Duration::from_secs(1_709_231_405))
    );
    assert_eq!(model.preprocessor().unwrap().steps().len(), 4);
}

#[test]
fn a_file_of_format_2_is_written_again_byte_for_byte() {
    let (dir, old) = (tempfile::tempdir().unwrap(), fixture("penguins_format_2"));
    let new = dir.path().join("new.model");
    save_model(&load_model(&old).unwrap(), &new).unwrap();
    assert!(std::fs::read(old).unwrap() == std::fs::read(new).unwrap());
}

#[test]
fn a_file_of_format_1_is_a_model_of_which_nothing_else_is_known() {
    // The coefficients are those of scikit-learn 1.9.1, LinearRegression on load_diabetes().
    let model = load_model(&fixture("linear_format_1")).unwrap();
    assert_eq!(model.libraries().count() + model.metrics().count(), 0);
    assert_eq!((model.training_data(), model.code()), (None, None));
    assert_eq!(model.created_at(), None);
    let Algorithm::Linear(line) = model.algorithm() else {
        panic!("{model}");
    };
    let expected = [-10.009866299810652, -239.81564367242223, 519.8459200544597];
    check_all_close(&line.coefficients()[..3], &expected, 1e-9);
    check_all_close(&[line.intercept()], &[152.13348416289597], 1e-9);

    // scikit-learn 1.9.1: DecisionTreeClassifier(max_depth=2) on load_iris() has 144 of 150 right.
    let tree = load_model(&fixture("tree_format_1")).unwrap();
    let flowers = table("../examples/data/iris.csv");
    let predictions = tree.predict(&flowers).unwrap().to_column();
    let species = flowers.column("species").unwrap();
    let is_right = |row: &usize| predictions.value(*row) == species.value(*row);
    assert_eq!((0..150).filter(is_right).count(), 144);
}

#[test]
fn a_model_is_read_with_all_that_was_saved_and_its_file_does_not_depend_on_the_clock() {
    let dir = tempfile::tempdir().unwrap();
    let (file, again) = (dir.path().join("a.model"), dir.path().join("b.model"));
    save_model(&penguin_model(), &file).unwrap();
    save_model(&penguin_model(), &again).unwrap();
    assert_eq!(load_model(&file).unwrap(), penguin_model());
    assert!(std::fs::read(&file).unwrap() == std::fs::read(again).unwrap());
    // What was fitted can be taken out, or is refused by name.
    let error = LinearModel::try_from(load_model(&file).unwrap()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the model is a logistic model, expected a linear model"
    );
}

/// Replaces bytes of a saved model and makes the checksum right again.
fn forge(from: &Path, to: &Path, old: &[u8], new: &[u8], nth: usize) {
    let mut bytes = std::fs::read(from).unwrap();
    let starts = (0..bytes.len()).filter(|at| bytes[*at..].starts_with(old));
    let at = starts.collect::<Vec<_>>()[nth];
    bytes[at..at + old.len()].copy_from_slice(new);
    let digest = blake3::hash(&bytes[52..]);
    bytes[20..52].copy_from_slice(digest.as_bytes());
    std::fs::write(to, bytes).unwrap();
}

#[test]
fn a_file_whose_preprocessing_does_not_fit_its_features_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("forged.model");
    // The first of these names is that of a feature of the algorithm, the others are of steps.
    let (old, new) = (b"sex_female", b"sex_femail");
    forge(&fixture("penguins_format_2"), &file, old, new, 0);
    let MlError::ModelFileUndecodable { source, .. } = load_model(&file).unwrap_err() else {
        panic!("the file was read");
    };
    let message = source.to_string();
    assert!(
        message.starts_with("the preprocessor does not make `sex_femail`, which the model"),
        "{message}"
    );
}

/// Keeps the names of the fields that warnings have.
#[derive(Default, Clone)]
struct Warnings(Arc<Mutex<Vec<String>>>);

impl tracing::Subscriber for Warnings {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        *metadata.level() == tracing::Level::WARN
    }

    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::Id {
        tracing::Id::from_u64(1)
    }

    fn record(&self, _: &tracing::Id, _: &tracing::span::Record<'_>) {}

    fn record_follows_from(&self, _: &tracing::Id, _: &tracing::Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        struct Fields(String);
        impl tracing::field::Visit for Fields {
            fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn std::fmt::Debug) {
                self.0 += &format!("{field}={value:?};");
            }
        }
        let mut fields = Fields(String::new());
        event.record(&mut fields);
        self.0.lock().unwrap().push(fields.0);
    }

    fn enter(&self, _: &tracing::Id) {}

    fn exit(&self, _: &tracing::Id) {}
}

#[test]
fn a_model_of_another_release_is_read_with_a_warning() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("old.model");
    let this = env!("CARGO_PKG_VERSION");
    save_model(&penguin_model(), &file).unwrap();
    let other = this.replace(|digit: char| digit.is_ascii_digit(), "9");
    let (old, new) = (format!("orch-ml{}{this}", this.len() as u8 as char), other);
    let new = format!("orch-ml{}{new}", new.len() as u8 as char);
    let forged = dir.path().join("forged.model");
    forge(&file, &forged, old.as_bytes(), new.as_bytes(), 0);

    let warnings = Warnings::default();
    tracing::subscriber::with_default(warnings.clone(), || {
        let kept: Model = load_model(&file).unwrap();
        assert_eq!(warnings.0.lock().unwrap().len(), 0);
        assert_eq!(load_model(&forged).unwrap().algorithm(), kept.algorithm());
    });
    let warnings = warnings.0.lock().unwrap();
    assert_eq!(warnings.len(), 1);
    assert!(
        warnings[0].contains("another release of orch-ml"),
        "{warnings:?}"
    );
}

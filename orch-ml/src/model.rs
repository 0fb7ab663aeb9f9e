//! A fitted model with all that is needed to use it later, and to know what it is.

mod algorithm;
mod describing;
mod inputs;
mod predicting;
mod predictions;
mod training_data;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub use self::algorithm::Algorithm;
pub use self::inputs::InputProblem;
pub use self::predictions::Predictions;
pub use self::training_data::{TrainingData, TrainingRows};
use crate::dataset::ClassLabel;
use crate::error::MlError;
use crate::preprocessing::{FittedPreprocessor, SchemaColumn};
use crate::splitting::Origin;

/// What computes the predictions. Of libraries, the series whose releases this crate takes.
const LIBRARIES: [(&str, &str); 3] = [
    ("orch-ml", env!("CARGO_PKG_VERSION")),
    ("linfa", "0.8"),
    ("ndarray", "0.16"),
];

/// A fitted model in one piece with its preprocessing, and with what is to be known of it: its options,
/// the rows it was fitted to, its metrics, the code and the libraries that made it.
///
/// It takes raw tables, whose columns it finds by name; [`save_model`](crate::save_model) writes it to
/// a file, and `Display` describes it. Only what was fitted is required; the rest is there if it was
/// given. Nothing of it is taken from the clock, so that equal work makes equal models: see
/// [`with_created_at`](Self::with_created_at).
///
/// # Examples
/// ```
/// use orch_ml::{
///     CsvOptions, LogisticOptions, Model, Preprocessor, Scaling, fit_logistic, parse_csv,
///     to_classification_dataset,
/// };
///
/// let csv = b"size,rooms,kind\n50,2,flat\n60,2,flat\n90,4,house\n120,5,house\n";
/// let table = parse_csv(csv, &CsvOptions::default())?;
/// let preprocessor = Preprocessor::new().scale(["size", "rooms"], Scaling::Standard).fit(&table)?;
/// let ready = preprocessor.apply(&table)?;
/// let train = to_classification_dataset(&ready, preprocessor.feature_names_out(), "kind")?;
/// let options = LogisticOptions::default();
///
/// let model = Model::new(fit_logistic(&train, &options)?)
///     .with_preprocessor(preprocessor)?
///     .with_hyperparameters(&options)?
///     .with_training_data(&train)
///     .with_metric("accuracy", 1.0);
///
/// let news = parse_csv(b"street,rooms,size\nElm,5,130\n", &CsvOptions::default())?;
/// let predictions = model.predict(&news)?;
/// assert_eq!(predictions.classes()?.labels().next(), Some(&"house".into()));
/// # Ok::<(), orch_ml::MlError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "RawModel")]
pub struct Model {
    algorithm: Algorithm,
    /// Names and JSON values, sorted by name.
    hyperparameters: Vec<(String, String)>,
    preprocessor: Option<FittedPreprocessor>,
    training_data: Option<TrainingData>,
    metrics: Vec<(String, f64)>,
    code: Option<String>,
    libraries: Vec<(String, String)>,
    /// Seconds from the beginning of 1970 on.
    created_at: Option<u64>,
}

/// A model that was read and not yet checked.
#[derive(Deserialize)]
pub(crate) struct RawModel {
    algorithm: Algorithm,
    hyperparameters: Vec<(String, String)>,
    preprocessor: Option<FittedPreprocessor>,
    training_data: Option<TrainingData>,
    metrics: Vec<(String, f64)>,
    code: Option<String>,
    libraries: Vec<(String, String)>,
    created_at: Option<u64>,
}

impl TryFrom<RawModel> for Model {
    type Error = MlError;

    fn try_from(raw: RawModel) -> Result<Self, MlError> {
        let RawModel {
            algorithm,
            hyperparameters,
            preprocessor,
            training_data,
            metrics,
            code,
            libraries,
            created_at,
        } = raw;
        if let Some(preprocessor) = &preprocessor {
            inputs::check_preprocessor(preprocessor, algorithm.feature_names())?;
        }
        Ok(Self {
            algorithm,
            hyperparameters,
            preprocessor,
            training_data,
            metrics,
            code,
            libraries,
            created_at,
        })
    }
}

impl Model {
    /// A fitted model, with nothing else yet but the libraries of this build.
    pub fn new(fitted: impl Into<Algorithm>) -> Self {
        let owned = |(name, version): (&str, &str)| (name.to_owned(), version.to_owned());
        Self {
            libraries: LIBRARIES.into_iter().map(owned).collect(),
            ..Self::of_unknown_libraries(fitted.into())
        }
    }

    /// As it is read from a file of format 1, which has nothing else.
    pub(crate) fn of_unknown_libraries(algorithm: Algorithm) -> Self {
        Self {
            algorithm,
            hyperparameters: Vec::new(),
            preprocessor: None,
            training_data: None,
            metrics: Vec::new(),
            code: None,
            libraries: Vec::new(),
            created_at: None,
        }
    }

    /// With the preprocessing that made the features that it was fitted to: [`predict`](Self::predict)
    /// then takes tables as they were before.
    ///
    /// # Errors
    /// [`MlError::PreprocessorMismatch`] if the model learned from a feature that the preprocessor does
    /// not make.
    pub fn with_preprocessor(mut self, preprocessor: FittedPreprocessor) -> Result<Self, MlError> {
        inputs::check_preprocessor(&preprocessor, self.feature_names())?;
        self.preprocessor = Some(preprocessor);
        Ok(self)
    }

    /// With the options that it was fitted with, such as [`ForestOptions`](crate::ForestOptions);
    /// `()` stands for none.
    ///
    /// # Errors
    /// [`MlError::InvalidOption`] unless they have names: fields, or the keys of a map.
    pub fn with_hyperparameters(mut self, options: &impl Serialize) -> Result<Self, MlError> {
        let invalid = |value| MlError::InvalidOption {
            name: "hyperparameters",
            value,
            expected: "options with names",
        };
        let options = serde_json::to_value(options).map_err(|error| invalid(error.to_string()))?;
        self.hyperparameters = match options {
            Value::Null => Vec::new(),
            Value::Object(options) => options
                .into_iter()
                .map(|(name, value)| (name, value.to_string()))
                .collect(),
            other => return Err(invalid(other.to_string())),
        };
        // The map has an order of its own, which depends on a feature of another crate.
        self.hyperparameters.sort();
        Ok(self)
    }

    /// With the digest and the number of the rows that it was fitted to. With a preprocessor, either
    /// the rows before it or after it will do.
    pub fn with_training_data(mut self, train: &impl TrainingRows) -> Self {
        self.training_data = Some(train.training_data());
        self
    }

    /// With a number that says how good it is. It takes the place of one of the same name.
    pub fn with_metric(mut self, name: impl Into<String>, value: f64) -> Self {
        let name = name.into();
        match self.metrics.iter_mut().find(|metric| metric.0 == name) {
            Some(metric) => metric.1 = value,
            None => self.metrics.push((name, value)),
        }
        self
    }

    /// With several numbers, such as [`RegressionMetrics::named`](crate::RegressionMetrics::named) or
    /// [`ClassificationMetrics::named`](crate::ClassificationMetrics::named).
    pub fn with_metrics<N: Into<String>>(
        self,
        metrics: impl IntoIterator<Item = (N, f64)>,
    ) -> Self {
        let metrics = metrics.into_iter();
        metrics.fold(self, |model, (name, value)| model.with_metric(name, value))
    }

    /// With what tells the code that fitted it from other code: a commit, or the
    /// [fingerprint of a task](orch_core::RegisteredTask::fingerprint).
    pub fn with_code(mut self, fingerprint: impl ToString) -> Self {
        self.code = Some(fingerprint.to_string());
        self
    }

    /// With the version of another library that has a part in it.
    pub fn with_library(mut self, name: impl Into<String>, version: impl Into<String>) -> Self {
        let (name, version) = (name.into(), version.into());
        match self.libraries.iter_mut().find(|library| library.0 == name) {
            Some(library) => library.1 = version,
            None => self.libraries.push((name, version)),
        }
        self
    }

    /// With the moment that it was made, to the second; moments before 1970 count as its beginning.
    ///
    /// In a flow, take it from [`FlowContext::now`](orch_core::FlowContext::now), and know that a model
    /// with another moment is another model: what depends on it runs again.
    pub fn with_created_at(mut self, moment: SystemTime) -> Self {
        let since = moment.duration_since(UNIX_EPOCH).unwrap_or_default();
        self.created_at = Some(since.as_secs());
        self
    }

    /// What was fitted.
    pub fn algorithm(&self) -> &Algorithm {
        &self.algorithm
    }

    /// Returns what was fitted.
    pub fn into_algorithm(self) -> Algorithm {
        self.algorithm
    }

    /// The kind of model, in words.
    pub fn kind(&self) -> &'static str {
        self.algorithm.kind()
    }

    /// The names of the features that it was fitted to, in order: those that the preprocessor makes, if
    /// there is one.
    pub fn feature_names(&self) -> &[String] {
        self.algorithm.feature_names()
    }

    /// The columns that a table to predict for must have.
    pub fn inputs(&self) -> Vec<SchemaColumn> {
        inputs::needed(self.preprocessor.as_ref(), self.feature_names())
    }

    /// The name of what is predicted; none of clusters.
    pub fn target_name(&self) -> Option<&str> {
        self.algorithm.target_name()
    }

    /// The classes that are told apart, sorted, if classes are predicted.
    pub fn classes(&self) -> Option<&[ClassLabel]> {
        self.algorithm.classes()
    }

    /// The preprocessing that belongs to it.
    pub fn preprocessor(&self) -> Option<&FittedPreprocessor> {
        self.preprocessor.as_ref()
    }

    /// The options that it was fitted with: names and values as JSON, sorted by name.
    pub fn hyperparameters(&self) -> impl Iterator<Item = (&str, &str)> {
        let options = self.hyperparameters.iter();
        options.map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The options that it was fitted with, to fit another one.
    ///
    /// # Errors
    /// [`MlError::UnknownOption`] and [`MlError::InvalidOption`] if they are not options of that type.
    pub fn to_options<O: Serialize + DeserializeOwned>(&self) -> Result<O, MlError> {
        let invalid = |error: serde_json::Error| MlError::InvalidOption {
            name: "hyperparameters",
            value: error.to_string(),
            expected: "the options that the model was fitted with",
        };
        let parsed: Result<Map<String, Value>, _> = self
            .hyperparameters()
            .map(|(name, value)| Ok((name.to_owned(), serde_json::from_str(value)?)))
            .collect();
        let options = parsed.map(Value::Object).and_then(serde_json::from_value);
        let options: O = options.map_err(invalid)?;
        // Options of another type may have defaults for all that is missing.
        let known = serde_json::to_value(&options).map_err(invalid)?;
        let unknown = self
            .hyperparameters()
            .find(|(name, _)| known.get(name).is_none());
        match (unknown, known) {
            (Some((option, _)), Value::Object(known)) => Err(MlError::UnknownOption {
                option: option.to_owned(),
                options: known.keys().cloned().collect(),
            }),
            _ => Ok(options),
        }
    }

    /// Digest and number of the rows that it was fitted to.
    pub fn training_data(&self) -> Option<&TrainingData> {
        self.training_data.as_ref()
    }

    /// Where the rows are from that it was fitted to, if they were the train side of a split.
    pub fn trained_on(&self) -> Option<&Origin> {
        self.algorithm.trained_on()
    }

    /// Names and values of its metrics.
    pub fn metrics(&self) -> impl Iterator<Item = (&str, f64)> {
        let metrics = self.metrics.iter();
        metrics.map(|(name, value)| (name.as_str(), *value))
    }

    /// The metric of that name.
    pub fn metric(&self, name: &str) -> Option<f64> {
        let mut metrics = self.metrics();
        metrics.find_map(|metric| (metric.0 == name).then_some(metric.1))
    }

    /// What tells the code that fitted it from other code.
    pub fn code(&self) -> Option<&str> {
        self.code.as_deref()
    }

    /// Names and versions of the libraries that it was made with; none are known of models that were
    /// read from a file of format 1.
    pub fn libraries(&self) -> impl Iterator<Item = (&str, &str)> {
        let libraries = self.libraries.iter();
        libraries.map(|(name, version)| (name.as_str(), version.as_str()))
    }

    /// The moment that it was made, to the second, if it was given.
    pub fn created_at(&self) -> Option<SystemTime> {
        let since = self.created_at.map(Duration::from_secs)?;
        UNIX_EPOCH.checked_add(since)
    }
}

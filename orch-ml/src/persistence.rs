//! Models as files.
//!
//! A model file is `ORCHMODL`, the format's number (4 bytes, little-endian), the length of the
//! payload (8 bytes, little-endian), the BLAKE3 digest of the payload (32 bytes), and the payload:
//! the [`Model`] in postcard's encoding.

use std::io::Write;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Serialize};

use crate::clustering::KMeansModel;
use crate::error::MlError;
use crate::forest::{ForestClassifier, ForestRegressor, TreeClassifier, TreeRegressor};
use crate::linfa_tree::LinfaTree;
use crate::training::{
    ElasticNetModel, LinearModel, LinearSvm, LogisticModel, NaiveBayesModel, RidgeModel,
};

const MAGIC: &[u8; 8] = b"ORCHMODL";
const FORMAT: u32 = 1;
const HEADER: usize = MAGIC.len() + 4 + 8 + blake3::OUT_LEN;

/// Any model of this crate, for files and registries that hold more than one kind.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
// The order is part of the file format: new kinds go to the end.
pub enum Model {
    /// A linear regression.
    Linear(LinearModel),
    /// A random forest that predicts classes.
    ForestClassifier(ForestClassifier),
    /// A random forest that predicts numbers.
    ForestRegressor(ForestRegressor),
    /// A ridge regression.
    Ridge(RidgeModel),
    /// An elastic net or lasso.
    ElasticNet(ElasticNetModel),
    /// A logistic regression.
    Logistic(LogisticModel),
    /// A Gaussian naive Bayes model.
    NaiveBayes(NaiveBayesModel),
    /// A decision tree that predicts classes.
    TreeClassifier(TreeClassifier),
    /// A decision tree that predicts numbers.
    TreeRegressor(TreeRegressor),
    /// A decision tree of linfa-trees.
    LinfaTree(LinfaTree),
    /// Clusters found by k-means.
    KMeans(KMeansModel),
    /// A linear support vector machine.
    LinearSvm(LinearSvm),
}

impl Model {
    /// The kind of model, in words.
    pub fn kind(&self) -> &'static str {
        match self {
            Model::Linear(_) => "linear model",
            Model::ForestClassifier(_) => "forest classifier",
            Model::ForestRegressor(_) => "forest regressor",
            Model::Ridge(_) => "ridge model",
            Model::ElasticNet(_) => "elastic net",
            Model::Logistic(_) => "logistic model",
            Model::NaiveBayes(_) => "naive Bayes model",
            Model::TreeClassifier(_) => "tree classifier",
            Model::TreeRegressor(_) => "tree regressor",
            Model::LinfaTree(_) => "linfa tree",
            Model::KMeans(_) => "k-means model",
            Model::LinearSvm(_) => "linear support vector machine",
        }
    }

    /// The names of the features that the model was trained on, in order.
    pub fn feature_names(&self) -> &[String] {
        match self {
            Model::Linear(model) => model.feature_names(),
            Model::ForestClassifier(model) => model.feature_names(),
            Model::ForestRegressor(model) => model.feature_names(),
            Model::Ridge(model) => model.feature_names(),
            Model::ElasticNet(model) => model.feature_names(),
            Model::Logistic(model) => model.feature_names(),
            Model::NaiveBayes(model) => model.feature_names(),
            Model::TreeClassifier(model) => model.feature_names(),
            Model::TreeRegressor(model) => model.feature_names(),
            Model::LinfaTree(model) => model.feature_names(),
            Model::KMeans(model) => model.feature_names(),
            Model::LinearSvm(model) => model.feature_names(),
        }
    }
}

macro_rules! model_conversions {
    ($($variant:ident, $type:ty, $kind:literal;)*) => {$(
        impl From<$type> for Model {
            fn from(model: $type) -> Self {
                Model::$variant(model)
            }
        }

        impl TryFrom<Model> for $type {
            type Error = MlError;

            fn try_from(model: Model) -> Result<Self, MlError> {
                match model {
                    Model::$variant(model) => Ok(model),
                    other => Err(MlError::WrongModelKind { expected: $kind, found: other.kind() }),
                }
            }
        }
    )*};
}

model_conversions! {
    Linear, LinearModel, "linear model";
    ForestClassifier, ForestClassifier, "forest classifier";
    ForestRegressor, ForestRegressor, "forest regressor";
    Ridge, RidgeModel, "ridge model";
    ElasticNet, ElasticNetModel, "elastic net";
    Logistic, LogisticModel, "logistic model";
    NaiveBayes, NaiveBayesModel, "naive Bayes model";
    TreeClassifier, TreeClassifier, "tree classifier";
    TreeRegressor, TreeRegressor, "tree regressor";
    LinfaTree, LinfaTree, "linfa tree";
    KMeans, KMeansModel, "k-means model";
    LinearSvm, LinearSvm, "linear support vector machine";
}

/// Writes a model to a file, which it replaces if it exists.
///
/// The bytes go to a temporary file in the same folder first, which is flushed to the disk and
/// then renamed: a reader sees the old model or the new one, also after a crash. The folder itself
/// is not flushed: after a loss of power the old model may still be there.
///
/// # Errors
/// [`MlError::WriteFile`] and [`MlError::EncodeModel`]; the old file is then unchanged.
///
/// # Examples
/// ```
/// use orch_ml::{Dataset, LinearModel, Model, fit_linear, load_model, ndarray::array, save_model};
///
/// let dataset = Dataset::new(array![[1.0], [2.0]], array![3.0, 5.0], ["size"], "price")?;
/// let file = std::env::temp_dir().join("orch-ml-save-model-example.model");
/// save_model(&fit_linear(&dataset)?.into(), &file)?;
///
/// let model: LinearModel = load_model(&file)?.try_into()?;
/// assert!((model.coefficients()[0] - 2.0).abs() < 1e-12);
/// # std::fs::remove_file(&file).unwrap();
/// # Ok::<(), orch_ml::MlError>(())
/// ```
pub fn save_model(model: &Model, path: &Path) -> Result<(), MlError> {
    let payload = postcard::to_stdvec(model).map_err(|source| MlError::EncodeModel {
        source: Box::new(source),
    })?;
    let failed = |source| MlError::WriteFile {
        path: path.to_path_buf(),
        source,
    };

    // Two threads that save to one path must not share the temporary file.
    static SAVES: AtomicU64 = AtomicU64::new(0);
    let Some(file_name) = path.file_name() else {
        return Err(failed(std::io::ErrorKind::InvalidFilename.into()));
    };
    let mut temporary_name = std::ffi::OsString::from(".");
    temporary_name.push(file_name);
    let save = SAVES.fetch_add(1, Ordering::Relaxed);
    temporary_name.push(format!(".{}-{save}.tmp", std::process::id()));
    let temporary = path.with_file_name(temporary_name);

    let written = write_file(&temporary, &payload).and_then(|()| std::fs::rename(&temporary, path));
    if written.is_err() {
        // What went wrong is worth more than what goes wrong while tidying up.
        let _ = std::fs::remove_file(&temporary);
    }
    written.map_err(failed)
}

fn write_file(path: &Path, payload: &[u8]) -> std::io::Result<()> {
    let mut file = std::fs::File::create_new(path)?;
    file.write_all(MAGIC)?;
    file.write_all(&FORMAT.to_le_bytes())?;
    file.write_all(&(payload.len() as u64).to_le_bytes())?;
    file.write_all(blake3::hash(payload).as_bytes())?;
    file.write_all(payload)?;
    file.sync_all()
}

/// Reads a model that [`save_model`] wrote.
///
/// The checksum tells damage, not malice: a file from a stranger should be signed.
///
/// # Errors
/// [`MlError::ReadFile`], [`MlError::NotAFile`], [`MlError::NotAModelFile`],
/// [`MlError::ModelFileTooNew`], [`MlError::ModelFileLength`], [`MlError::ModelFileDamaged`] and
/// [`MlError::ModelFileUndecodable`].
pub fn load_model(path: &Path) -> Result<Model, MlError> {
    if path.is_dir() {
        return Err(MlError::NotAFile {
            path: path.to_path_buf(),
        });
    }
    let bytes = std::fs::read(path).map_err(|source| MlError::read_file(path, source))?;
    let path = path.to_path_buf();
    if !bytes.starts_with(MAGIC) {
        return Err(MlError::NotAModelFile { path });
    }
    // The format first: a later one may go on differently from here.
    let Some(format) = read_array(&bytes, MAGIC.len()) else {
        let (expected, found) = (HEADER as u64, bytes.len() as u64);
        return Err(MlError::ModelFileLength {
            path,
            expected,
            found,
        });
    };
    let found = u32::from_le_bytes(format);
    if found > FORMAT {
        return Err(MlError::ModelFileTooNew {
            path,
            found,
            supported: FORMAT,
        });
    }
    let (Some(len), Some(digest)) = (
        read_array(&bytes, MAGIC.len() + 4).map(u64::from_le_bytes),
        read_array::<{ blake3::OUT_LEN }>(&bytes, HEADER - blake3::OUT_LEN),
    ) else {
        let (expected, found) = (HEADER as u64, bytes.len() as u64);
        return Err(MlError::ModelFileLength {
            path,
            expected,
            found,
        });
    };
    let payload = &bytes[HEADER..];
    if payload.len() as u64 != len {
        let (expected, found) = (len.saturating_add(HEADER as u64), bytes.len() as u64);
        return Err(MlError::ModelFileLength {
            path,
            expected,
            found,
        });
    }
    if blake3::hash(payload) != digest || found == 0 {
        return Err(MlError::ModelFileDamaged { path });
    }
    match postcard::take_from_bytes(payload) {
        Ok((model, [])) => Ok(model),
        Ok(_) => Err(MlError::ModelFileDamaged { path }),
        Err(source) => Err(MlError::ModelFileUndecodable {
            path,
            source: Box::new(source),
        }),
    }
}

fn read_array<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at + N)?.try_into().ok()
}

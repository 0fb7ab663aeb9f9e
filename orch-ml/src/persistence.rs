//! Models as files.
//!
//! A model file is `ORCHMODL`, the format's number (4 bytes, little-endian), the length of the
//! payload (8 bytes, little-endian), the BLAKE3 digest of the payload (32 bytes), and the payload in
//! postcard's encoding: the [`Model`]; in format 1, which is still read, its [`Algorithm`](crate::Algorithm) alone.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use serde::de::DeserializeOwned;

use crate::error::MlError;
use crate::model::{Model, RawModel};

const MAGIC: &[u8; 8] = b"ORCHMODL";
const FORMAT: u32 = 2;
/// The format of files that hold an algorithm alone.
const FORMAT_OF_ALGORITHMS: u32 = 1;
const HEADER: usize = MAGIC.len() + 4 + 8 + blake3::OUT_LEN;

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
    replace_file(path, |file| {
        file.write_all(MAGIC)?;
        file.write_all(&FORMAT.to_le_bytes())?;
        file.write_all(&(payload.len() as u64).to_le_bytes())?;
        file.write_all(blake3::hash(&payload).as_bytes())?;
        file.write_all(&payload)
    })
}

/// Writes a file beside the one of that path, and puts it in its place when it is on the disk.
pub(crate) fn replace_file(
    path: &Path,
    write: impl FnOnce(&mut File) -> std::io::Result<()>,
) -> Result<(), MlError> {
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

    let written = File::create_new(&temporary).and_then(|mut file| {
        write(&mut file)?;
        file.sync_all()
    });
    let replaced = written.and_then(|()| std::fs::rename(&temporary, path));
    if replaced.is_err() {
        // What went wrong is worth more than what goes wrong while tidying up.
        let _ = std::fs::remove_file(&temporary);
    }
    replaced.map_err(failed)
}

/// Reads a model that [`save_model`] wrote.
///
/// Checksum and format are checked, and that the preprocessing makes the features that the model learned
/// from. A model that another release of this crate made is loaded with a warning through `tracing`.
/// The checksum tells damage, not malice: a file from a stranger should be signed. Files of format 1
/// hold what was fitted and nothing else.
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
    if found == FORMAT_OF_ALGORITHMS {
        return Ok(Model::of_unknown_libraries(decode(payload, path)?));
    }
    let model = Model::try_from(decode::<RawModel>(payload, path.clone())?);
    let model = model.map_err(|source| undecodable(path.clone(), source))?;
    warn_of_other_release(&model, &path);
    Ok(model)
}

fn decode<T: DeserializeOwned>(payload: &[u8], path: PathBuf) -> Result<T, MlError> {
    match postcard::take_from_bytes(payload) {
        Ok((value, [])) => Ok(value),
        Ok(_) => Err(MlError::ModelFileDamaged { path }),
        Err(source) => Err(undecodable(path, source)),
    }
}

fn undecodable(path: PathBuf, source: impl std::error::Error + Send + Sync + 'static) -> MlError {
    MlError::ModelFileUndecodable {
        path,
        source: Box::new(source),
    }
}

/// Says that another release made the model: its predictions may differ in the last digits.
fn warn_of_other_release(model: &Model, path: &Path) {
    let this = env!("CARGO_PKG_VERSION");
    let made_with = model.libraries().find(|(name, _)| *name == "orch-ml");
    if let Some((_, version)) = made_with.filter(|(_, version)| *version != this) {
        let path = path.display();
        tracing::warn!(%path, version, this, "the model was made with another release of orch-ml");
    }
}

fn read_array<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at + N)?.try_into().ok()
}

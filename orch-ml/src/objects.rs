//! Files in object stores: S3, Google Cloud Storage, Azure and others.

use std::fmt;
use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;

use futures_util::StreamExt as _;
use object_store::{ObjectStore, ObjectStoreExt as _, WriteMultipart};

use crate::downloading::{Arriving, DownloadOptions, Downloaded, Taking};
use crate::error::MlError;

/// Bytes read from a file in one go.
const PIECE: usize = 1 << 20;

/// Parts of a file that are on their way to the store at once.
const PARTS: usize = 4;

/// An object store, as a resource of the engine.
///
/// Which kinds of stores there are is for the program to say, by the features of `object_store`: that crate is
/// re-exported, and `object_store = { version = "0.14", features = ["aws"] }` beside it adds S3.
///
/// # Examples
/// ```
/// use orch_ml::ObjectStorage;
/// use orch_ml::object_store::memory::InMemory;
///
/// let engine = orch_core::Engine::builder()
///     .resource(ObjectStorage::new(InMemory::new()))
///     .build();
/// # drop(engine);
/// ```
#[derive(Clone)]
pub struct ObjectStorage(Arc<dyn ObjectStore>);

impl ObjectStorage {
    /// Takes a store.
    pub fn new(store: impl ObjectStore) -> Self {
        Self(Arc::new(store))
    }

    /// The store.
    pub fn store(&self) -> &Arc<dyn ObjectStore> {
        &self.0
    }

    fn address(&self, location: &str) -> String {
        format!("{}/{location}", self.0)
    }

    fn failed(&self, location: &str, error: object_store::Error) -> MlError {
        MlError::ObjectFailed {
            location: self.address(location),
            may_pass: may_pass(&error),
            source: Box::new(error),
        }
    }
}

impl fmt::Debug for ObjectStorage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ObjectStorage({})", self.0)
    }
}

/// Downloads an object to a path. A file that is there is replaced once all bytes have come and are what they
/// have to be; until then they are in a temporary file beside it.
///
/// # Errors
/// [`MlError::ObjectFailed`], also if the next piece does not come within `timeout`;
/// [`MlError::DownloadTooLarge`], [`MlError::ChecksumMismatch`], [`MlError::WriteFile`], and
/// [`MlError::InvalidOption`] for a checksum that is none. A task tries again after what may pass, as a
/// connection that fails or a store that asks for fewer requests, and not after an object that is not there or
/// must not be read.
pub async fn download_object(
    storage: &ObjectStorage,
    location: &str,
    path: &Path,
    options: &DownloadOptions,
) -> Result<Downloaded, MlError> {
    let failed = |error| storage.failed(location, error);
    let mut taking = Taking::new(storage.address(location), options)?;
    let place = object_store::path::Path::parse(location).map_err(|error| failed(error.into()))?;
    let timeout = options.timeout;
    let late = || MlError::ObjectFailed {
        location: storage.address(location),
        may_pass: true,
        source: format!("nothing came for {timeout:?}").into(),
    };
    let answer = tokio::time::timeout(timeout, storage.0.get(&place)).await;
    let answer = answer.map_err(|_| late())?.map_err(failed)?;
    taking.check_size(answer.meta.size)?;
    let mut file = Arriving::at(path)?;
    let mut pieces = answer.into_stream();
    loop {
        let piece = tokio::time::timeout(timeout, pieces.next()).await;
        let Some(piece) = piece.map_err(|_| late())? else {
            break;
        };
        let piece = piece.map_err(failed)?;
        taking.take(&piece)?;
        file.write(&piece)?;
    }
    let downloaded = taking.finish()?;
    file.finish()?;
    Ok(downloaded)
}

/// Uploads a file to an object, in parts: it is there whole, or not at all.
///
/// # Errors
/// [`MlError::ReadFile`], [`MlError::NotAFile`]; [`MlError::ObjectFailed`] as [`download_object`].
pub async fn upload_object(
    storage: &ObjectStorage,
    path: &Path,
    location: &str,
) -> Result<(), MlError> {
    let failed = |error| storage.failed(location, error);
    let unread = |source| MlError::read_file(path, source);
    let place = object_store::path::Path::parse(location).map_err(|error| failed(error.into()))?;
    if std::fs::metadata(path).map_err(unread)?.is_dir() {
        let path = path.to_path_buf();
        return Err(MlError::NotAFile { path });
    }
    let mut file = std::fs::File::open(path).map_err(unread)?;
    let upload = storage.0.put_multipart(&place).await.map_err(failed)?;
    let mut writer = WriteMultipart::new(upload);
    let mut piece = vec![0; PIECE];
    loop {
        let n_read = match file.read(&mut piece) {
            Ok(0) => break,
            Ok(n_read) => n_read,
            Err(source) => {
                // What went wrong with the file says more than what goes wrong while tidying up.
                let _ = writer.abort().await;
                return Err(unread(source));
            }
        };
        writer.wait_for_capacity(PARTS).await.map_err(failed)?;
        writer.write(&piece[..n_read]);
    }
    writer.finish().await.map(drop).map_err(failed)
}

/// Whether the same may work a moment later.
fn may_pass(error: &object_store::Error) -> bool {
    use object_store::Error::{Generic, JoinError};
    matches!(error, Generic { .. } | JoinError { .. })
}

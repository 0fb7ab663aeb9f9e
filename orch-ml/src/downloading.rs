//! What all downloads share: how much may come, what it has to be, and the file that it becomes.

mod checksum;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tempfile::NamedTempFile;

pub use self::checksum::Checksum;
use self::checksum::Hashing;
use crate::error::MlError;

/// How a file is downloaded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DownloadOptions {
    /// What the bytes have to be. Default: anything.
    pub checksum: Option<Checksum>,
    /// The most bytes to take. Default: 1 GiB.
    pub max_bytes: u64,
    /// How long to wait for the connection, for the answer, and for each next piece of it. Default: a
    /// minute. There is no limit for the whole: set the `timeout` of the task for that.
    pub timeout: Duration,
    /// A file of certificates in PEM by which servers are trusted over HTTPS, in place of Mozilla's, as
    /// behind the proxy of a company. Default: none. Object stores have settings of their own.
    pub root_certificates: Option<PathBuf>,
}

impl Default for DownloadOptions {
    fn default() -> Self {
        Self {
            checksum: None,
            max_bytes: 1 << 30,
            timeout: Duration::from_secs(60),
            root_certificates: None,
        }
    }
}

impl DownloadOptions {
    /// The default options for bytes that have to be these.
    pub fn of(checksum: Checksum) -> Self {
        Self {
            checksum: Some(checksum),
            ..Self::default()
        }
    }
}

/// What was downloaded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Downloaded {
    /// Number of bytes.
    pub n_bytes: u64,
    /// Their BLAKE3 hash, as 64 hexadecimal digits.
    pub blake3: String,
}

/// Bytes that are on their way.
pub(crate) struct Taking {
    /// Where they come from, without what may be secret.
    from: String,
    max_bytes: u64,
    n_bytes: u64,
    hashing: Hashing,
}

impl Taking {
    pub(crate) fn new(from: String, options: &DownloadOptions) -> Result<Self, MlError> {
        Ok(Self {
            from,
            max_bytes: options.max_bytes,
            n_bytes: 0,
            hashing: Hashing::new(options.checksum.as_ref())?,
        })
    }

    /// Refuses what is going to be too large.
    pub(crate) fn check_size(&self, n_bytes: u64) -> Result<(), MlError> {
        if n_bytes > self.max_bytes {
            return Err(MlError::DownloadTooLarge {
                url: self.from.clone(),
                max_bytes: self.max_bytes,
            });
        }
        Ok(())
    }

    pub(crate) fn take(&mut self, piece: &[u8]) -> Result<(), MlError> {
        self.n_bytes += piece.len() as u64;
        self.check_size(self.n_bytes)?;
        self.hashing.update(piece);
        Ok(())
    }

    /// What came, if it is what it has to be.
    pub(crate) fn finish(self) -> Result<Downloaded, MlError> {
        let blake3 = self.hashing.finish(&self.from)?;
        Ok(Downloaded {
            n_bytes: self.n_bytes,
            blake3,
        })
    }
}

/// A file beside the one that it replaces once it is whole.
pub(crate) struct Arriving {
    path: PathBuf,
    file: NamedTempFile,
}

impl Arriving {
    pub(crate) fn at(path: &Path) -> Result<Self, MlError> {
        let folder = match path.parent() {
            Some(folder) if folder != Path::new("") => folder,
            _ => Path::new("."),
        };
        let path = path.to_path_buf();
        match temporary_file(folder) {
            Ok(file) => Ok(Self { path, file }),
            Err(source) => Err(MlError::WriteFile { path, source }),
        }
    }

    pub(crate) fn write(&mut self, piece: &[u8]) -> Result<(), MlError> {
        let written = self.file.write_all(piece);
        written.map_err(|source| self.failed(source))
    }

    /// Puts it in its place.
    pub(crate) fn finish(self) -> Result<(), MlError> {
        let synced = self.file.as_file().sync_all();
        synced.map_err(|source| self.failed(source))?;
        let Self { path, file } = self;
        match file.persist(&path) {
            Ok(_) => Ok(()),
            Err(error) => Err(MlError::WriteFile {
                path,
                source: error.error,
            }),
        }
    }

    fn failed(&self, source: std::io::Error) -> MlError {
        MlError::WriteFile {
            path: self.path.clone(),
            source,
        }
    }
}

/// A file that may be read by those who may read files made otherwise, other than temporary files.
fn temporary_file(folder: &Path) -> std::io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    builder.tempfile_in(folder)
}

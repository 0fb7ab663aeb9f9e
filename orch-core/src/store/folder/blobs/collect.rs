//! Listing the files of values, and removing those that nothing points to.

use std::fs::{DirEntry, File, OpenOptions, TryLockError};
use std::io;
use std::path::Path;
use std::time::{Duration, SystemTime};

use super::super::super::{BlobUsage, MaintainBlobs, StoreError};
use super::{FolderBlobs, Shared, failed};
use crate::value::Digest;

impl Shared {
    /// Locks out those who write values; `None` while somebody does.
    fn lock_out_writers(&self) -> Result<Option<File>, StoreError> {
        let path = self.folder.join("gc.lock");
        // An open file of its own: one's own holds count like those of others.
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .map_err(failed(&path, "opened"))?;
        match file.try_lock() {
            Ok(()) => Ok(Some(file)),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(failed(&path, "locked")(error)),
        }
    }
}

impl MaintainBlobs for FolderBlobs {
    fn parts(&self) -> usize {
        256
    }

    fn list(&self, part: usize) -> Result<Vec<BlobUsage>, StoreError> {
        let folder = self.shared.folder.join("blobs").join(format!("{part:02x}"));
        let now = SystemTime::now();
        let mut values = Vec::new();
        for file in files(&folder)? {
            // Whatever else lies there is none of ours.
            let name = file.file_name();
            let Some(digest) = name.to_str().and_then(|name| name.parse().ok()) else {
                continue;
            };
            if let Some((bytes, age)) = usage(&file.path(), now)? {
                values.push(BlobUsage { digest, bytes, age });
            }
        }
        Ok(values)
    }

    fn remove_unreferenced(
        &self,
        values: &[BlobUsage],
        min_age: Duration,
        is_referenced: &mut dyn FnMut(&Digest) -> Result<bool, StoreError>,
    ) -> Result<Option<Vec<BlobUsage>>, StoreError> {
        let Some(_locked) = self.shared.lock_out_writers()? else {
            return Ok(None);
        };
        let now = SystemTime::now();
        let mut removed = Vec::new();
        for value in values {
            let path = self.shared.path(&value.digest);
            // The same value may have been written again since it was listed.
            let is_old = usage(&path, now)?.is_some_and(|(_, age)| age >= min_age);
            if is_old && !is_referenced(&value.digest)? {
                self.shared
                    .disk
                    .operation()
                    .and_then(|()| std::fs::remove_file(&path))
                    .map_err(failed(&path, "removed"))?;
                removed.push(value.clone());
            }
        }
        Ok(Some(removed))
    }

    fn remove_unfinished(&self, min_age: Duration, dry_run: bool) -> Result<usize, StoreError> {
        let Some(_locked) = self.shared.lock_out_writers()? else {
            return Ok(0);
        };
        let now = SystemTime::now();
        let mut unfinished = 0;
        for file in files(&self.shared.folder.join("tmp"))? {
            let path = file.path();
            if usage(&path, now)?.is_some_and(|(_, age)| age >= min_age) {
                unfinished += 1;
                if !dry_run {
                    drop(std::fs::remove_file(path));
                }
            }
        }
        Ok(unfinished)
    }
}

/// What is in a folder; nothing if there is no such folder.
fn files(folder: &Path) -> Result<Vec<DirEntry>, StoreError> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries.collect(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    };
    entries.map_err(failed(folder, "listed"))
}

/// The bytes and the age of a file; `None` if it is gone.
fn usage(path: &Path, now: SystemTime) -> Result<Option<(u64, Duration)>, StoreError> {
    let found = std::fs::metadata(path).and_then(|file| Ok((file.len(), file.modified()?)));
    match found {
        // One from the future, by a clock that was set back, is as good as new.
        Ok((bytes, modified)) => {
            let age = now.duration_since(modified).unwrap_or_default();
            Ok(Some((bytes, age)))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed(path, "looked at")(error)),
    }
}

//! Large values as files, named by their digests.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::super::{BlobStore, BlobWriter, Durability, MaintainBlobs, StoreError};
use super::disk::Disk;
use crate::value::Digest;

mod collect;

/// Large values in a folder.
pub struct FolderBlobs {
    shared: Arc<Shared>,
}

struct Shared {
    folder: PathBuf,
    disk: Disk,
    /// Tells the temporary files of this process apart.
    next: AtomicU64,
    /// How many holds there are, and the shared lock on `gc.lock` while there is one.
    holds: Mutex<(usize, Option<File>)>,
}

impl FolderBlobs {
    /// Keeps values in the folder of a store.
    ///
    /// # Errors
    /// [`StoreError::Io`] if the folder cannot be used.
    pub fn open(store: impl AsRef<Path>) -> Result<Self, StoreError> {
        Self::open_with(store.as_ref(), Disk::default())
    }

    /// The same with a disk that fails as a test asks for.
    ///
    /// # Errors
    /// Those of [`open`](Self::open).
    #[cfg(any(test, feature = "testing"))]
    pub fn open_with_faults(
        store: impl AsRef<Path>,
        faults: Arc<super::DiskFaults>,
    ) -> Result<Self, StoreError> {
        Self::open_with(store.as_ref(), Disk::failing(faults))
    }

    pub(super) fn open_with(store: &Path, disk: Disk) -> Result<Self, StoreError> {
        for folder in ["blobs", "tmp"] {
            let folder = store.join(folder);
            std::fs::create_dir_all(&folder).map_err(|source| StoreError::Io {
                path: folder,
                action: "created",
                source,
            })?;
        }
        remove_unfinished(store);
        Ok(Self {
            shared: Arc::new(Shared {
                folder: store.to_owned(),
                disk,
                next: AtomicU64::new(0),
                holds: Mutex::default(),
            }),
        })
    }
}

/// Removes what killed processes left of values that they were writing, unless somebody writes at
/// the moment: who does holds the lock from before there is a file.
fn remove_unfinished(store: &Path) {
    let lock = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(store.join("gc.lock"));
    let Some(_locked) = lock.ok().filter(|lock| lock.try_lock().is_ok()) else {
        return;
    };
    let files = std::fs::read_dir(store.join("tmp")).into_iter().flatten();
    for file in files.flatten() {
        drop(std::fs::remove_file(file.path()));
    }
}

impl std::fmt::Debug for FolderBlobs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FolderBlobs")
            .field("folder", &self.shared.folder)
            .finish_non_exhaustive()
    }
}

impl Shared {
    fn path(&self, digest: &Digest) -> PathBuf {
        let name = digest.to_string();
        self.folder.join("blobs").join(&name[..2]).join(&name)
    }
}

fn failed(path: &Path, action: &'static str) -> impl FnOnce(io::Error) -> StoreError {
    let path = path.to_owned();
    move |source| StoreError::Io {
        path,
        action,
        source,
    }
}

impl BlobStore for FolderBlobs {
    fn writer(&self) -> Result<Box<dyn BlobWriter>, StoreError> {
        let n = self.shared.next.fetch_add(1, Ordering::Relaxed);
        let name = format!("{}-{n}", std::process::id());
        let path = self.shared.folder.join("tmp").join(name);
        self.shared
            .disk
            .operation()
            .and_then(|()| {
                // One of an earlier process of the same number is worth nothing.
                OpenOptions::new()
                    .write(true)
                    .create(true)
                    .truncate(true)
                    .open(&path)
            })
            .map(|file| {
                Box::new(Writer {
                    shared: Arc::clone(&self.shared),
                    file,
                    path: Some(path.clone()),
                }) as Box<dyn BlobWriter>
            })
            .map_err(failed(&path, "created"))
    }

    fn read(&self, digest: &Digest) -> Result<Option<Vec<u8>>, StoreError> {
        let path = self.shared.path(digest);
        let read = self.shared.disk.operation();
        match read.and_then(|()| std::fs::read(&path)) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(failed(&path, "read")(error)),
        }
    }

    fn open(&self, digest: &Digest) -> Result<Option<Box<dyn Read + Send>>, StoreError> {
        let path = self.shared.path(digest);
        match File::open(&path) {
            Ok(file) => Ok(Some(Box::new(file))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(failed(&path, "read")(error)),
        }
    }

    fn contains(&self, digest: &Digest) -> Result<bool, StoreError> {
        let path = self.shared.path(digest);
        let looked = self.shared.disk.operation();
        looked
            .and_then(|()| path.try_exists())
            .map_err(failed(&path, "read"))
    }

    fn remove(&self, digest: &Digest) -> Result<(), StoreError> {
        let path = self.shared.path(digest);
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(failed(&path, "removed")(error))
            }
            _ => Ok(()),
        }
    }

    fn hold(&self) -> Result<(), StoreError> {
        let mut holds = self
            .shared
            .holds
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if holds.0 == 0 {
            let path = self.shared.folder.join("gc.lock");
            let options = || {
                OpenOptions::new()
                    .create(true)
                    .truncate(false)
                    .write(true)
                    .open(&path)
            };
            let opened = self.shared.disk.operation().and_then(|()| options());
            let file = opened.map_err(failed(&path, "opened"))?;
            // A collection that is under way takes milliseconds.
            file.lock_shared().map_err(failed(&path, "locked"))?;
            holds.1 = Some(file);
        }
        holds.0 += 1;
        Ok(())
    }

    fn release(&self) {
        let mut holds = self
            .shared
            .holds
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        holds.0 = holds.0.saturating_sub(1);
        if holds.0 == 0 {
            holds.1 = None;
        }
    }

    fn maintenance(&self) -> Option<&dyn MaintainBlobs> {
        Some(self)
    }
}

/// A value on its way into the folder.
struct Writer {
    shared: Arc<Shared>,
    file: File,
    /// Where it is until it is whole; `None` once it has its name.
    path: Option<PathBuf>,
}

impl Write for Writer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.shared.disk.operation()?;
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl BlobWriter for Writer {
    fn finish(
        mut self: Box<Self>,
        digest: Digest,
        durability: Durability,
    ) -> Result<(), StoreError> {
        let temporary = self.path.clone().expect("finished once");
        let path = self.shared.path(&digest);
        let folder = path.parent().expect("a value is in a folder").to_owned();
        let disk = &self.shared.disk;
        if durability == Durability::Strict {
            disk.operation()
                .and_then(|()| self.file.sync_all())
                .map_err(failed(&temporary, "synced"))?;
        }
        let created = disk.operation().and_then(|()| std::fs::create_dir(&folder));
        let is_new = match created {
            Ok(()) => true,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => false,
            Err(error) => return Err(failed(&folder, "created")(error)),
        };
        // The same value again replaces the file by an equal one, whose time is now.
        disk.operation()
            .and_then(|()| std::fs::rename(&temporary, &path))
            .map_err(failed(&path, "renamed"))?;
        self.path = None;
        if durability == Durability::Strict {
            let parent = folder.parent().filter(|_| is_new);
            for folder in parent.into_iter().chain([folder.as_path()]) {
                disk.operation()
                    .and_then(|()| File::open(folder))
                    .and_then(|folder| folder.sync_all())
                    .map_err(failed(folder, "synced"))?;
            }
        }
        Ok(())
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        if let Some(path) = self.path.take() {
            drop(std::fs::remove_file(path));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::super::disk::DiskFaults;
    use super::*;

    fn put(blobs: &FolderBlobs, digest: Digest) -> bool {
        let Ok(mut writer) = blobs.writer() else {
            return false;
        };
        writer.write_all(&[7; 1_000]).is_ok() && writer.finish(digest, Durability::Strict).is_ok()
    }

    #[test]
    fn a_disk_that_is_full_at_any_operation_leaves_no_part_of_a_value() {
        let path = std::env::temp_dir().join(format!("orch-full-disk-{}", std::process::id()));
        let digest = crate::value::digest_of_text("a value");
        let mut failures = 0;
        for n in 1.. {
            let _ = std::fs::remove_dir_all(&path);
            let faults = DiskFaults::at(n, true);
            let blobs = FolderBlobs::open_with(&path, Disk::failing(faults.clone())).unwrap();
            let is_put = put(&blobs, digest);
            if faults.operations() < n {
                assert!(is_put, "nothing failed");
                break;
            }
            failures += 1;
            assert!(!is_put, "operation {n} failed without an error");
            drop(blobs);
            let blobs = FolderBlobs::open(&path).unwrap();
            if let Some(bytes) = blobs.read(&digest).unwrap() {
                assert_eq!(bytes, [7; 1_000], "operation {n} left a part of the value");
            }
            assert!(put(&blobs, digest), "with space again");
            assert_eq!(blobs.read(&digest).unwrap().unwrap(), [7; 1_000]);
        }
        std::fs::remove_dir_all(&path).unwrap();
        assert!(failures >= 4, "only {failures} operations were tried");
    }
}

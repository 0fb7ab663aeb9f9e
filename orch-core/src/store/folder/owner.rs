//! Who owns what: an engine holds an exclusive lock on a file of its own for its life. An owner
//! whose lock can be taken is gone, however its process ended; no process id, no clock is asked.

use std::fs::{File, OpenOptions, TryLockError};
use std::hash::{BuildHasher as _, RandomState};
use std::path::{Path, PathBuf};

use super::super::{OwnerId, StoreError};

/// An engine's lock.
pub(super) struct Owner {
    id: OwnerId,
    folder: PathBuf,
    /// Locked as long as it is open. Child processes do not inherit it.
    _file: File,
}

impl Owner {
    pub(super) fn new(store: &Path) -> Result<Self, StoreError> {
        let folder = store.join("owners");
        let random = || u128::from(RandomState::new().hash_one(std::process::id()));
        loop {
            let id = OwnerId(random() | (random() << 64));
            let path = file_of(&folder, id);
            let failed = |action| {
                let path = path.clone();
                move |source| StoreError::Io {
                    path,
                    action,
                    source,
                }
            };
            let file = OpenOptions::new()
                .write(true)
                .create_new(true)
                .open(&path)
                .map_err(failed("created"))?;
            match file.try_lock() {
                // Somebody who removes the files of those that are gone may have taken the new one
                // for one of them. Under the lock nobody can any more.
                Ok(()) if path.try_exists().map_err(failed("read"))? => {
                    let owner = Self {
                        id,
                        folder,
                        _file: file,
                    };
                    owner.remove_dead();
                    return Ok(owner);
                }
                Ok(()) | Err(TryLockError::WouldBlock) => {}
                Err(TryLockError::Error(source)) => return Err(failed("locked")(source)),
            }
        }
    }

    /// Removes the files of owners that are gone. Those who own runs would be found out when
    /// somebody asks for the run; the others nobody asks for.
    fn remove_dead(&self) {
        let files = std::fs::read_dir(&self.folder).into_iter().flatten();
        for file in files.flatten() {
            let name = file.file_name();
            let id = name
                .to_str()
                .and_then(|name| u128::from_str_radix(name, 16).ok());
            if let Some(id) = id {
                self.is_alive(OwnerId(id));
            }
        }
    }

    pub(super) fn id(&self) -> OwnerId {
        self.id
    }

    /// Whether an owner is there. The file of one that is gone is removed.
    pub(super) fn is_alive(&self, other: OwnerId) -> bool {
        if other == self.id {
            return true;
        }
        let path = file_of(&self.folder, other);
        let file = match OpenOptions::new().write(true).open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return false,
            // Who cannot be looked at is left alone.
            Err(_) => return true,
        };
        match file.try_lock() {
            Ok(()) => {
                // Under the lock: nobody takes a file for a living one that is about to go.
                drop(std::fs::remove_file(&path));
                false
            }
            Err(_) => true,
        }
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        drop(std::fs::remove_file(file_of(&self.folder, self.id)));
    }
}

fn file_of(folder: &Path, owner: OwnerId) -> PathBuf {
    folder.join(owner.to_string())
}

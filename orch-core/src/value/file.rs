//! Files inside of values: identified by what they hold.

use std::collections::HashMap;
use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use super::Digest;

/// What of a `DataFile` counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Files {
    /// Its path: nothing is read.
    ByPath,
    /// What it holds: the path may change.
    ByContent,
    /// Both: a result that names a file stands for the file as it was.
    Whole,
    /// Nothing that takes long, files included: a value that needs more has no digest for now.
    AtOnce,
}

/// A file that was part of a value, as it was when its digest was taken.
#[derive(Debug, Clone)]
#[expect(
    unreachable_pub,
    reason = "named by public traits that users cannot reach"
)]
pub struct SeenFile {
    path: PathBuf,
    seen: Option<(Stamp, [u8; 32])>,
}

/// What tells cheaply that a file was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    len: u64,
    modified: Option<SystemTime>,
    inode: u64,
}

/// Two changes of a file closer together than its filesystem's clock ticks look like one.
const UNCERTAIN: Duration = Duration::from_secs(2);

/// How many files are remembered.
const REMEMBERED: usize = 1_024;

/// Contents of files by path: a file is read once for all that ask.
static CONTENTS: LazyLock<Mutex<Contents>> = LazyLock::new(Mutex::default);

type Contents = HashMap<PathBuf, (Stamp, [u8; 32])>;

impl Stamp {
    fn of(metadata: &Metadata) -> Self {
        #[cfg(unix)]
        let inode = std::os::unix::fs::MetadataExt::ino(metadata);
        #[cfg(not(unix))]
        let inode = 0;
        Self {
            len: metadata.len(),
            modified: metadata.modified().ok(),
            inode,
        }
    }

    /// Whether the last change is long enough ago that a further one would show.
    fn is_certain(&self) -> bool {
        self.modified
            .and_then(|modified| SystemTime::now().duration_since(modified).ok())
            .is_some_and(|age| age >= UNCERTAIN)
    }
}

impl SeenFile {
    /// Looks at a file, as far as that is asked for.
    pub(super) fn look(path: &str, files: Files) -> io::Result<Self> {
        let path = PathBuf::from(path);
        let seen = match files {
            Files::ByPath | Files::AtOnce => None,
            Files::ByContent | Files::Whole => Some(content_of(&path)?),
        };
        Ok(Self { path, seen })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The hash of what it held.
    pub(super) fn content(&self) -> Option<&[u8; 32]> {
        self.seen.as_ref().map(|(_, content)| content)
    }

    /// Whether the file is still what it was.
    pub(crate) fn is_unchanged(&self) -> bool {
        let Some((stamp, content)) = &self.seen else {
            return true;
        };
        match std::fs::metadata(&self.path) {
            Ok(metadata) if Stamp::of(&metadata) != *stamp => false,
            Ok(_) if stamp.is_certain() => true,
            // A change so soon after the one before need not show: look at the content.
            Ok(_) => hash(&self.path).is_ok_and(|(_, now)| now == *content),
            Err(_) => false,
        }
    }
}

/// Whether a file holds what it held.
pub(super) fn holds(path: &Path, content: &[u8; 32]) -> bool {
    content_of(path).is_ok_and(|(_, now)| now == *content)
}

fn content_of(path: &Path) -> io::Result<(Stamp, [u8; 32])> {
    let stamp = Stamp::of(&std::fs::metadata(path)?);
    if stamp.is_certain() {
        let contents = CONTENTS.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = contents.get(path)
            && known.0 == stamp
        {
            return Ok(*known);
        }
    }
    let hashed = hash(path)?;
    let mut contents = CONTENTS.lock().unwrap_or_else(PoisonError::into_inner);
    if contents.len() >= REMEMBERED {
        contents.clear();
    }
    contents.insert(path.to_owned(), hashed);
    Ok(hashed)
}

/// Hashes what a file holds.
pub(crate) fn digest_of_file(path: &Path) -> io::Result<Digest> {
    hash(path).map(|(_, content)| Digest::from_bytes(content))
}

/// Hashes a file. If it changes meanwhile, the stamp is that of before, which it no longer has.
fn hash(path: &Path) -> io::Result<(Stamp, [u8; 32])> {
    let mut file = File::open(path)?;
    let stamp = Stamp::of(&file.metadata()?);
    let mut hasher = blake3::Hasher::new();
    let mut buffer = vec![0; 256 * 1024];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => {
                hasher.update(&buffer[..read]);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok((stamp, *hasher.finalize().as_bytes()))
}

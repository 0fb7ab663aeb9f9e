//! The operations that a disk can fail at, counted, so that tests can make each of them fail.

use std::path::Path;

use super::super::StoreError;

/// Counts the operations of a store, and fails those that a test asked it to.
#[derive(Clone, Default)]
pub(super) struct Disk {
    #[cfg(any(test, feature = "testing"))]
    faults: Option<std::sync::Arc<DiskFaults>>,
}

/// Makes the operations of a store fail, for tests: from the `n`-th on, or only that one.
#[cfg(any(test, feature = "testing"))]
#[derive(Debug)]
pub struct DiskFaults {
    seen: std::sync::atomic::AtomicU64,
    first: u64,
    /// Whether later ones fail as well: a disk that stays full, a folder that is gone.
    for_good: bool,
}

#[cfg(any(test, feature = "testing"))]
impl DiskFaults {
    /// Fails the operation number `n`, from 1, and with `for_good` all after it.
    pub fn at(n: u64, for_good: bool) -> std::sync::Arc<Self> {
        std::sync::Arc::new(Self {
            seen: std::sync::atomic::AtomicU64::new(0),
            first: n,
            for_good,
        })
    }

    /// Returns how many operations there were.
    pub fn operations(&self) -> u64 {
        self.seen.load(std::sync::atomic::Ordering::SeqCst)
    }
}

impl Disk {
    #[cfg(any(test, feature = "testing"))]
    pub(super) fn failing(faults: std::sync::Arc<DiskFaults>) -> Self {
        Self {
            faults: Some(faults),
        }
    }

    /// Comes before each operation.
    pub(super) fn operation(&self) -> std::io::Result<()> {
        #[cfg(any(test, feature = "testing"))]
        if let Some(faults) = &self.faults {
            let n = 1 + faults
                .seen
                .fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            if n == faults.first || (faults.for_good && n > faults.first) {
                return Err(std::io::Error::from(std::io::ErrorKind::StorageFull));
            }
        }
        Ok(())
    }
}

/// Filesystems that several hosts may write to: SQLite's shared memory and our locks need one host.
const NETWORK: [&str; 9] = [
    "nfs",
    "nfs4",
    "cifs",
    "smb3",
    "smbfs",
    "ceph",
    "fuse.sshfs",
    "9p",
    "glusterfs",
];

/// Refuses a folder on a filesystem that is shared between hosts, where that can be told.
pub(super) fn refuse_network(path: &Path) -> Result<(), StoreError> {
    let Ok(mounts) = std::fs::read_to_string("/proc/self/mountinfo") else {
        return Ok(());
    };
    match filesystem_of(&mounts, path) {
        Some(kind) if NETWORK.contains(&kind) => Err(StoreError::NetworkFilesystem {
            path: path.to_owned(),
            kind: kind.to_owned(),
        }),
        _ => Ok(()),
    }
}

/// The type of the filesystem that a path is on: that of the longest mount point above it.
fn filesystem_of<'a>(mounts: &'a str, path: &Path) -> Option<&'a str> {
    mounts
        .lines()
        .filter_map(|line| {
            let (before, after) = line.split_once(" - ")?;
            let mount = before.split(' ').nth(4)?;
            // Spaces and a few others are written as octal numbers.
            let mount = mount.replace("\\040", " ");
            let kind = after.split(' ').next()?;
            path.starts_with(&mount).then_some((mount.len(), kind))
        })
        // Of two on the same place the later one lies on top.
        .max_by_key(|(len, _)| *len)
        .map(|(_, kind)| kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNTS: &str = "\
22 1 254:1 / / rw,relatime shared:1 - ext4 /dev/vda1 rw
40 22 0:40 / /srv rw,relatime - nfs4 server:/export rw
41 40 254:2 / /srv/local\\040disk rw - xfs /dev/vdb rw
";

    #[test]
    fn the_filesystem_is_that_of_the_nearest_mount_point() {
        let of = |path: &str| filesystem_of(MOUNTS, Path::new(path));
        assert_eq!(of("/home/me/.orch"), Some("ext4"));
        assert_eq!(of("/srv/data/.orch"), Some("nfs4"));
        assert_eq!(of("/srv/local disk/.orch"), Some("xfs"));
        assert_eq!(of("/srvx"), Some("ext4"));
    }
}

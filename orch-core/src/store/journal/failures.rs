//! What becomes of those who wait, and of what is queued, when a store fails.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc;

use futures_util::FutureExt as _;

use super::super::{DiskFaults, FolderStore, OwnerId, Timestamp};
use super::*;

/// A store in a folder that is gone with the test.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let n = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("orch-journal-{}-{n}", std::process::id()));
        drop(std::fs::remove_dir_all(&path));
        Self(path)
    }

    fn journal(&self, then: OnStoreFailure, faults: &Arc<DiskFaults>) -> Journal {
        let store = FolderStore::open_with_faults(&self.0, Arc::clone(faults)).unwrap();
        Journal::new(Arc::new(store), Durability::Relaxed, then)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}

fn fence() -> Fence {
    Fence {
        run: FlowRunId::new(),
        owner: OwnerId(1),
        epoch: 1,
    }
}

/// Waits for the disk on behalf of a run.
async fn sync(journal: &Journal, fence: Fence, position: Position) -> Result<(), StoreError> {
    journal.sync(fence, position).await
}

fn change() -> Change {
    Change::CacheUsed {
        key: Digest::from_bytes([1; 32]),
        at: Timestamp(1),
    }
}

/// Keeps the writer busy until the sender is dropped.
fn busy(journal: &Journal) -> mpsc::Sender<()> {
    let (let_go, gate) = mpsc::channel::<()>();
    let (started, is_busy) = mpsc::channel();
    journal.later(move |_| {
        started.send(()).unwrap();
        let _ = gate.recv();
    });
    is_busy.recv().unwrap();
    let_go
}

fn full_disk() -> StoreError {
    StoreError::Io {
        path: "blobs".into(),
        action: "written",
        source: std::io::ErrorKind::StorageFull.into(),
    }
}

#[test]
fn who_waits_is_told_of_a_failure_that_was_seen_elsewhere() {
    for then in [OnStoreFailure::Fail, OnStoreFailure::GoOn] {
        let folder = Folder::new();
        let journal = folder.journal(then, &DiskFaults::at(0, false));
        let writer = busy(&journal);
        let position = journal.push(None, change(), None);
        let mut waiting = std::pin::pin!(sync(&journal, fence(), position));
        assert!(waiting.as_mut().now_or_never().is_none());
        let told = journal.degrade(&full_disk());
        assert_eq!(told.is_err(), then == OnStoreFailure::Fail);
        let answer = waiting.now_or_never().expect("nobody is left to wait for");
        match then {
            OnStoreFailure::GoOn => assert!(answer.is_ok()),
            OnStoreFailure::Fail => {
                assert!(
                    matches!(answer, Err(StoreError::Degraded { .. })),
                    "{answer:?}"
                );
            }
        }
        drop(writer);
    }
}

#[test]
fn a_hold_on_what_is_not_written_is_given_up_where_nothing_is_locked() {
    struct Looks(Arc<Journal>, mpsc::Sender<Position>);

    impl Drop for Looks {
        fn drop(&mut self) {
            // Waits for ever if the queue is locked.
            self.1.send(self.0.last()).unwrap();
        }
    }

    let folder = Folder::new();
    let journal = Arc::new(folder.journal(OnStoreFailure::GoOn, &DiskFaults::at(0, false)));
    let writer = busy(&journal);
    let (sender, given_up) = mpsc::channel();
    let hold = || Box::new(Looks(Arc::clone(&journal), sender.clone()));
    let position = journal.push(None, change(), Some(hold()));
    assert!(given_up.try_recv().is_err(), "it is not written yet");
    journal.degrade(&full_disk()).unwrap();
    assert_eq!(given_up.try_recv(), Ok(position));
    // And one on what nobody will write at once.
    let position = journal.push(None, change(), Some(hold()));
    assert_eq!(given_up.try_recv(), Ok(position));
    drop(writer);
}

#[test]
fn a_store_that_has_failed_is_not_asked_over_and_over() {
    let folder = Folder::new();
    // All that opening takes goes well.
    let opening = DiskFaults::at(0, false);
    drop(FolderStore::open_with_faults(&folder.0, Arc::clone(&opening)).unwrap());
    let faults = DiskFaults::at(opening.operations() + 1, true);
    let journal = folder.journal(OnStoreFailure::GoOn, &faults);
    let position = journal.push(None, change(), None);
    block_on(sync(&journal, fence(), position)).unwrap();
    let failed = faults.operations();
    for _ in 0..100 {
        // Each wakes the writer, which looks for something to write.
        journal.call(|_| async {});
        block_on(sync(&journal, fence(), journal.push(None, change(), None))).unwrap();
    }
    assert_eq!(faults.operations(), failed);
}

#[test]
fn whoever_needs_a_writer_that_panicked_is_told_that_it_is_gone() {
    let folder = Folder::new();
    let journal = folder.journal(OnStoreFailure::Fail, &DiskFaults::at(0, false));
    let writer = busy(&journal);
    journal.later(|_| panic!("a mistake in a store"));
    let (sender, done) = oneshot::channel();
    journal.later(move |_| {
        let _ = sender.send(());
    });
    drop(writer);
    assert!(block_on(done).is_err(), "the job was dropped");
    let claim = block_on(journal.claim_key(Digest::from_bytes([1; 32])));
    assert!(
        matches!(claim, Err(StoreError::Degraded { .. })),
        "{claim:?}"
    );
    let position = journal.push(None, change(), None);
    let synced = block_on(sync(&journal, fence(), position));
    assert!(
        matches!(&synced, Err(StoreError::Degraded { reason }) if reason.contains("panicked")),
        "{synced:?}"
    );
    // What is read needs no writer.
    assert_eq!(journal.call(|_| async { 7 }), 7);
}

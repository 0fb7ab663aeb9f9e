//! Disks that fail, folders that cannot be used: flow runs go on or fail as they were told to, and
//! nothing half-written is taken for a whole value.

#![cfg(feature = "sqlite")]

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Mutex, mpsc};
use std::time::Duration;

use orch_core::prelude::*;
use orch_core::store::{
    DiskFaults, Durability, FolderBlobs, FolderStore, OnStoreFailure, StoreError,
};

/// Longer than anything here takes on a busy machine.
const NEVER: Duration = Duration::from_secs(120);

/// A folder that is gone with the test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let n = NEXT.fetch_add(1, Ordering::Relaxed);
        let path =
            std::env::temp_dir().join(format!("orch-faults-{name}-{}-{n}", std::process::id()));
        drop(std::fs::remove_dir_all(&path));
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}

/// How many numbers make a result that is a file of its own.
const LARGE: usize = 10_000;

#[task(cache)]
async fn numbers(n: usize) -> Vec<u64> {
    (0..n as u64).collect()
}

#[task(cache)]
fn double(numbers: &[u64]) -> Vec<u64> {
    numbers.iter().map(|number| 2 * number).collect()
}

#[task]
async fn sum(numbers: &[u64]) -> u64 {
    numbers.iter().sum()
}

#[flow]
async fn total(n: usize) -> anyhow::Result<u64> {
    Ok(*sum(double(numbers(n))).await?)
}

/// Twice the sum of the numbers below `n`.
const fn expected(n: u64) -> u64 {
    n * (n - 1)
}

/// Runs something on a thread of its own, which must come to an end.
fn ends<T: Send + 'static>(what: &str, work: impl FnOnce() -> T + Send + 'static) -> T {
    let (sender, done) = mpsc::channel();
    let thread = std::thread::spawn(move || sender.send(work()));
    match done.recv_timeout(NEVER) {
        Ok(result) => result,
        Err(mpsc::RecvTimeoutError::Timeout) => panic!("{what} hangs"),
        Err(mpsc::RecvTimeoutError::Disconnected) => {
            let panic = thread.join().unwrap_err();
            let text = panic.downcast_ref::<String>().map(String::as_str);
            panic!("{what} panicked: {}", text.unwrap_or("no text"));
        }
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
}

fn open(
    path: &Path,
    faults: &Arc<DiskFaults>,
    durability: Durability,
    then: OnStoreFailure,
) -> Result<Engine, StoreError> {
    let runs = FolderStore::open_with_faults(path, Arc::clone(faults))?;
    let blobs = FolderBlobs::open_with_faults(runs.path(), Arc::clone(faults))?;
    let builder = Engine::builder()
        .durability(durability)
        .on_store_failure(then);
    Ok(builder.build_on(Arc::new(runs), Arc::new(blobs)))
}

/// An error with its causes.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text += &format!(": {error}");
        cause = error.source();
    }
    text
}

/// What became of a flow run on a disk that fails.
#[derive(Debug, PartialEq)]
enum Ended {
    NotOpened,
    Failed,
    Completed,
}

fn run_on_failing_disk(
    path: &Path,
    faults: &Arc<DiskFaults>,
    durability: Durability,
    then: OnStoreFailure,
) -> Ended {
    let engine = match open(path, faults, durability, then) {
        Ok(engine) => engine,
        Err(error) => {
            assert!(chain(&error).contains("no storage space"), "{error:?}");
            return Ended::NotOpened;
        }
    };
    runtime().block_on(async {
        match total(LARGE).key("monday").on(&engine).await {
            Ok(sum) => {
                assert_eq!(sum, expected(LARGE as u64));
                Ended::Completed
            }
            Err(error) => {
                let text = chain(&error);
                assert!(text.contains("store"), "it says what failed: {text}");
                Ended::Failed
            }
        }
    })
}

/// Opens the folder with a disk that works: nothing in it is half of a value, and what is asked for
/// comes to the right result.
fn check_folder(path: &Path, what: &str) {
    let engine = Engine::open(path).unwrap_or_else(|error| panic!("{what}: {}", chain(&error)));
    let report = engine.check_store().unwrap();
    assert!(report.is_sound(), "{what}: {report}");
    let sums = runtime().block_on(async {
        let again = total(LARGE).key("monday").on(&engine).await;
        [again.unwrap(), total(LARGE).on(&engine).await.unwrap()]
    });
    assert_eq!(sums, [expected(LARGE as u64); 2], "{what}");
    let report = engine.check_store().unwrap();
    assert!(report.is_sound(), "{what}, afterwards: {report}");
}

/// Lets each operation of a flow run fail in turn.
fn fail_each_operation(durability: Durability, then: OnStoreFailure) {
    let operations = {
        let folder = Folder::new("none");
        let faults = DiskFaults::at(0, false);
        let ended = run_on_failing_disk(&folder.0, &faults, durability, then);
        assert_eq!(ended, Ended::Completed);
        faults.operations()
    };
    assert!(operations > 20, "{operations}");
    let mut completed = 0;
    for n in 1..=operations {
        for for_good in [false, true] {
            let what = format!(
                "operation {n} of {operations}, {durability:?}, {then:?}, for good: {for_good}"
            );
            let folder = Folder::new("some");
            let path = folder.0.clone();
            let ended = ends(&what, move || {
                let faults = DiskFaults::at(n, for_good);
                run_on_failing_disk(&path, &faults, durability, then)
            });
            if ended == Ended::Completed {
                completed += 1;
            }
            let path = folder.0.clone();
            let label = what.clone();
            ends(&what, move || check_folder(&path, &label));
        }
    }
    let goes_on = then == OnStoreFailure::GoOn && durability == Durability::Relaxed;
    assert!(
        !goes_on || completed > operations,
        "{completed} of {} completed",
        2 * operations
    );
}

#[test]
fn a_relaxed_run_fails_with_its_store_where_it_was_told_to() {
    fail_each_operation(Durability::Relaxed, OnStoreFailure::Fail);
}

#[test]
fn a_relaxed_run_goes_on_in_memory_where_it_was_told_to() {
    fail_each_operation(Durability::Relaxed, OnStoreFailure::GoOn);
}

#[test]
fn a_strict_run_fails_with_its_store() {
    fail_each_operation(Durability::Strict, OnStoreFailure::Fail);
}

#[test]
fn a_strict_run_fails_with_its_store_even_if_it_was_told_to_go_on() {
    fail_each_operation(Durability::Strict, OnStoreFailure::GoOn);
}

#[test]
fn a_file_where_the_folder_should_be_is_named() {
    let folder = Folder::new("file");
    std::fs::write(&folder.0, "a file").unwrap();
    let error = Engine::open(&folder.0).unwrap_err();
    let StoreError::Io { path, .. } = &error else {
        panic!("{error:?}");
    };
    assert_eq!(path, &folder.0);
    assert!(
        error.help().unwrap().contains("another folder"),
        "{error:?}"
    );
    std::fs::remove_file(&folder.0).unwrap();
}

#[cfg(unix)]
#[test]
fn a_folder_that_cannot_be_written_is_named() {
    use std::os::unix::fs::PermissionsExt as _;

    let folder = Folder::new("read-only");
    drop(Engine::open(&folder.0).unwrap());
    let set = |path: &Path, mode| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    let owners = folder.0.join("owners");
    set(&owners, 0o555);
    let opened = Engine::open(&folder.0);
    // The superuser may write all the same.
    let may_write = std::fs::write(owners.join("probe"), "").is_ok();
    set(&owners, 0o755);
    match opened {
        Ok(_) => assert!(may_write),
        Err(error) => {
            assert!(!may_write);
            assert!(error.to_string().contains("owners"), "{error}");
            assert!(error.help().unwrap().contains("may write"), "{error:?}");
        }
    }
}

#[test]
fn a_store_of_a_later_release_is_refused_and_left_as_it_is() {
    let folder = Folder::new("later");
    drop(Engine::open(&folder.0).unwrap());
    let database = folder.0.join("orch.db");
    let connection = rusqlite::Connection::open(&database).unwrap();
    connection
        .pragma_update(None, "user_version", 1_000)
        .unwrap();
    drop(connection);
    let before = std::fs::read(&database).unwrap();
    let error = Engine::open(&folder.0).unwrap_err();
    assert!(
        matches!(error, StoreError::FormatTooNew { found: 1_000, supported, .. } if supported < 1_000),
        "{error:?}"
    );
    assert!(error.help().unwrap().contains("upgrade"));
    assert_eq!(std::fs::read(&database).unwrap(), before);
}

#[test]
fn engines_that_open_a_new_folder_at_the_same_time_all_get_it() {
    for _ in 0..20 {
        let folder = Folder::new("new");
        let barrier = Barrier::new(4);
        let engines: Vec<Engine> = std::thread::scope(|scope| {
            let opening: Vec<_> = (0..4)
                .map(|_| {
                    scope.spawn(|| {
                        barrier.wait();
                        Engine::open(&folder.0).unwrap()
                    })
                })
                .collect();
            let engines = opening.into_iter().map(|thread| thread.join().unwrap());
            engines.collect()
        });
        let runtime = runtime();
        for engine in &engines {
            let sum = runtime.block_on(async { total(10_usize).on(engine).await });
            assert_eq!(sum.unwrap(), expected(10));
        }
        assert!(engines[0].check_store().unwrap().is_sound());
    }
}

mod a_folder_that_is_deleted {
    use super::*;

    static FOLDER: Mutex<Option<PathBuf>> = Mutex::new(None);
    static RUNS: AtomicUsize = AtomicUsize::new(0);

    #[task(cache)]
    fn delete(n: usize) -> Vec<u64> {
        RUNS.fetch_add(1, Ordering::SeqCst);
        if let Some(folder) = FOLDER.lock().unwrap().take() {
            std::fs::remove_dir_all(folder).unwrap();
        }
        (0..n as u64).collect()
    }

    #[flow]
    async fn deleting(n: usize) -> anyhow::Result<u64> {
        Ok(*sum(double(delete(n))).await?)
    }

    #[test]
    fn under_a_flow_run_ends_it_or_not_as_it_was_told_to() {
        for (then, is_ok) in [(OnStoreFailure::GoOn, true), (OnStoreFailure::Fail, false)] {
            let folder = Folder::new("deleted");
            *FOLDER.lock().unwrap() = Some(folder.0.clone());
            let path = folder.0.clone();
            let result = ends("a flow run without its folder", move || {
                let builder = Engine::builder().on_store_failure(then);
                let engine = builder.open(path).unwrap();
                runtime().block_on(async { deleting(LARGE).on(&engine).await })
            });
            match result {
                Ok(sum) => assert!(is_ok && sum == expected(LARGE as u64)),
                Err(error) => {
                    assert!(
                        !is_ok && chain(&error).contains("store"),
                        "{}",
                        chain(&error)
                    );
                }
            }
            // The next engine makes it anew.
            assert!(!folder.0.join("orch.db").exists());
            let before = RUNS.load(Ordering::SeqCst);
            let engine = Engine::open(&folder.0).unwrap();
            let sum = runtime().block_on(async { deleting(LARGE).on(&engine).await });
            assert_eq!(sum.unwrap(), expected(LARGE as u64));
            assert_eq!(RUNS.load(Ordering::SeqCst), before + 1);
        }
    }
}

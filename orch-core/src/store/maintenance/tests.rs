//! What is removed and what stays, in memory and in a folder.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::json;

use super::*;
use crate::report::NodeKind;
use crate::store::journal::block_on;
use crate::store::{
    AttemptRow, BlobStore, CacheRow, Change, ClaimRun, Durability, Fence, FlowRunRow, FolderBlobs,
    FolderStore, KeyRow, MemoryBlobs, MemoryStore, Place, ResultOrigin, RunClaim, RunStore,
    StepRow, TaskRow, TaskRunRow,
};
use crate::value::Codec;

mod retention;

/// Rows and blobs that several engines share.
trait Kind {
    fn new() -> Self;
    fn engine(&self) -> (Box<dyn RunStore>, Box<dyn BlobStore>);
}

struct InMemory(MemoryStore, MemoryBlobs);

impl Kind for InMemory {
    fn new() -> Self {
        Self(MemoryStore::new(), MemoryBlobs::new())
    }

    fn engine(&self) -> (Box<dyn RunStore>, Box<dyn BlobStore>) {
        (Box::new(self.0.clone()), Box::new(self.1.clone()))
    }
}

/// A folder that is gone with the test.
struct InFolder(PathBuf);

impl InFolder {
    fn path(&self) -> &Path {
        &self.0
    }

    /// Lets every value look as if it had been written then.
    fn write_back_times(&self, age: Duration) {
        for part in std::fs::read_dir(self.0.join("blobs")).unwrap() {
            for file in std::fs::read_dir(part.unwrap().path()).unwrap() {
                set_age(&file.unwrap().path(), age);
            }
        }
    }

    fn bytes_on_disk(&self) -> u64 {
        let len = |name: &str| std::fs::metadata(self.0.join(name)).map_or(0, |file| file.len());
        len("orch.db")
    }
}

fn set_age(path: &Path, age: Duration) {
    let file = std::fs::File::options().append(true).open(path).unwrap();
    file.set_modified(std::time::SystemTime::now() - age)
        .unwrap();
}

impl Kind for InFolder {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let n = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("orch-upkeep-{}-{n}", std::process::id()));
        drop(std::fs::remove_dir_all(&path));
        Self(path)
    }

    fn engine(&self) -> (Box<dyn RunStore>, Box<dyn BlobStore>) {
        let runs = FolderStore::open(&self.0).unwrap();
        let blobs = FolderBlobs::open(&self.0).unwrap();
        (Box::new(runs), Box::new(blobs))
    }
}

impl Drop for InFolder {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}

/// Runs each function on each kind of store, as a test of its own.
macro_rules! on_each_store {
    ($($test:ident;)+) => {
        mod in_memory {
            $(#[test] fn $test() { super::$test::<super::InMemory>(); })+
        }
        mod in_a_folder {
            $(#[test] fn $test() { super::$test::<super::InFolder>(); })+
        }
    };
}

on_each_store! {
    a_deleted_run_takes_all_of_its_rows_with_it;
    what_is_pinned_or_under_way_stays;
    a_key_is_free_once_its_run_is_deleted;
    a_value_goes_with_the_last_row_that_points_to_it;
    a_value_that_somebody_is_about_to_point_to_stays;
    cached_results_go_by_the_time_of_their_last_use;
    a_dry_run_says_what_a_collection_would_do_and_does_nothing;
    a_check_names_what_is_gone;
}

fn inline(n: u8) -> StoredValue {
    let encoded = Codec::<u8>::serde().encode(&n).unwrap();
    StoredValue {
        stored: encoded.stored,
        place: Place::Inline(encoded.bytes.into()),
    }
}

/// Writes a value to the blobs, one that no other number gives.
fn blob(blobs: &dyn BlobStore, n: u8) -> StoredValue {
    let encoded = Codec::<Vec<u8>>::serde().encode(&vec![n; 100]).unwrap();
    let mut writer = blobs.writer().unwrap();
    std::io::Write::write_all(&mut writer, &encoded.bytes).unwrap();
    writer
        .finish(encoded.stored.digest, Durability::Relaxed)
        .unwrap();
    StoredValue {
        stored: encoded.stored,
        place: Place::Blob,
    }
}

fn start(runs: &dyn RunStore, key: Option<&str>) -> Fence {
    let id = FlowRunId::new();
    let row = FlowRunRow {
        id,
        flow: "nightly".to_owned(),
        name: format!("nightly-{}", id.short()),
        key: key.map(str::to_owned),
        parameters: Some(Vec::new()),
        state: State::Running,
        error: None,
        result: None,
        seed: 1,
        started_at: Timestamp(1),
        ended_at: None,
        caller: None,
        origin: None,
        tags: Vec::new(),
        manifest: json!({}),
        fingerprint: Digest::from_bytes([1; 32]),
        resumptions: 0,
        is_rolling_back: false,
        is_pinned: false,
        owner: None,
    };
    let claim = ClaimRun {
        row,
        resume: None,
        revive_cancelled: false,
    };
    match block_on(runs.claim_run(claim)).unwrap() {
        RunClaim::Started(fence) => fence,
        other => panic!("not new: {other:?}"),
    }
}

fn commit(runs: &dyn RunStore, fence: Fence, changes: &[Change]) {
    block_on(runs.commit(changes, &[fence], Durability::Relaxed)).unwrap();
}

fn end(runs: &dyn RunStore, fence: Fence) {
    let mut row = block_on(runs.flow_run(fence.run)).unwrap().unwrap();
    row.state = State::Completed;
    row.ended_at = Some(Timestamp(2));
    commit(runs, fence, &[Change::FlowRun(Box::new(row))]);
}

fn task_run(fence: Fence, n: u32, result: StoredValue) -> Change {
    let mut call = CallId([7; 16]);
    call.0[..4].copy_from_slice(&n.to_le_bytes());
    let row = TaskRunRow {
        call,
        scope: CallId::ROOT,
        index: n,
        task: Arc::new(TaskRow {
            id: "crate/train".to_owned(),
            name: "train".to_owned(),
            fingerprint: Digest::from_bytes([2; 32]),
            version: None,
            source: "src/lib.rs:7".to_owned(),
        }),
        kind: NodeKind::Task,
        name: None,
        state: State::Completed,
        attempts: 1,
        crashes: 0,
        ready_at: Some(Timestamp(5)),
        started_at: Some(Timestamp(6)),
        ended_at: Some(Timestamp(7)),
        error: None,
        result: Some(result),
        origin: ResultOrigin::Executed,
        key: None,
        upstream: Vec::new(),
        is_complete: true,
        inputs: [3; 16],
        execution: 1,
        is_orphaned: false,
    };
    Change::TaskRun {
        run: fence.run,
        row: Box::new(row),
        is_item: false,
    }
}

fn cached(key: u8, used_at: i64, value: StoredValue) -> Change {
    Change::Cache(Box::new(CacheRow {
        key: KeyRow {
            digest: Digest::from_bytes([key; 32]),
            parts: Vec::new(),
        },
        task_id: "crate/train".to_owned(),
        task: "train".to_owned(),
        value,
        made_by: (FlowRunId::new(), CallId([7; 16])),
        made_at: Timestamp(1),
        took: 1,
        used_at: Timestamp(used_at),
        is_pinned: false,
    }))
}

fn sweep(runs: &dyn RunStore) -> usize {
    let runs = runs.maintenance().unwrap();
    let mut steps = 1;
    while runs.sweep().unwrap() {
        steps += 1;
    }
    steps
}

/// Collects with everything that can go counted as old enough.
fn collect_all(runs: &dyn RunStore, blobs: &dyn BlobStore, dry_run: bool) -> GcReport {
    let plan = Plan {
        retention: &Retention::forever().max_runs(0),
        budget: &CacheBudget::unlimited().max_bytes(0),
        min_age: Duration::ZERO,
        now: Timestamp(10),
    };
    collect(runs, blobs, plan, dry_run).unwrap()
}

fn a_deleted_run_takes_all_of_its_rows_with_it<K: Kind>() {
    let kind = K::new();
    let (runs, _) = kind.engine();
    let (doomed, kept) = (start(&*runs, None), start(&*runs, None));
    for fence in [doomed, kept] {
        let mut changes: Vec<Change> = (0..2_500)
            .map(|n| task_run(fence, n, inline(n as u8)))
            .collect();
        let run = fence.run;
        changes.push(Change::Attempt {
            run,
            row: Box::new(AttemptRow {
                call: CallId([7; 16]),
                attempt: 1,
                started_at: Timestamp(1),
                ended_at: Timestamp(2),
                error: None,
            }),
        });
        changes.push(Change::Step {
            run,
            row: Box::new(StepRow {
                call: CallId([7; 16]),
                name: "price".to_owned(),
                value: inline(1),
                made_at: Timestamp(1),
            }),
        });
        commit(&*runs, fence, &changes);
        end(&*runs, fence);
    }
    let upkeep = runs.maintenance().unwrap();
    assert_eq!(upkeep.delete_runs(&[doomed.run]).unwrap(), 1);
    // It is gone as a whole, whatever of its rows is still to be swept.
    assert!(block_on(runs.flow_run(doomed.run)).unwrap().is_none());
    assert!(block_on(runs.task_runs(doomed.run)).unwrap().is_empty());
    assert_eq!(values(&*runs), 2_501);
    sweep(&*runs);
    assert_eq!(values(&*runs), 2_501);
    assert_eq!(block_on(runs.task_runs(kept.run)).unwrap().len(), 2_500);
    assert_eq!(block_on(runs.attempts(kept.run)).unwrap().len(), 1);
    assert_eq!(block_on(runs.steps(kept.run)).unwrap().len(), 1);
    // A new run is given none of what the deleted one left.
    let next = start(&*runs, None);
    assert!(block_on(runs.task_runs(next.run)).unwrap().is_empty());
    assert!(block_on(runs.attempts(next.run)).unwrap().is_empty());
}

fn values(runs: &dyn RunStore) -> usize {
    let mut n = 0;
    let upkeep = runs.maintenance().unwrap();
    upkeep.each_value(false, &mut |_, _| n += 1).unwrap();
    n
}

#[test]
fn many_rows_are_deleted_in_short_transactions_and_their_space_is_given_back() {
    let folder = InFolder::new();
    let (runs, _) = folder.engine();
    let fence = start(&*runs, None);
    for chunk in 0..10 {
        let rows = (0..500).map(|n| task_run(fence, 500 * chunk + n, inline(1)));
        commit(&*runs, fence, &rows.collect::<Vec<_>>());
    }
    end(&*runs, fence);
    let upkeep = runs.maintenance().unwrap();
    upkeep.compact().unwrap();
    let full = folder.bytes_on_disk();
    assert_eq!(upkeep.delete_runs(&[fence.run]).unwrap(), 1);
    // 5,000 rows in steps of 1,000, then at least one for the space and the last one.
    assert!(sweep(&*runs) >= 7);
    let empty = folder.bytes_on_disk();
    assert!(empty < full / 4, "{empty} of {full} bytes are left");
}

fn what_is_pinned_or_under_way_stays<K: Kind>() {
    let kind = K::new();
    let (runs, blobs) = kind.engine();
    let (pinned, ended, running) = (
        start(&*runs, None),
        start(&*runs, None),
        start(&*runs, None),
    );
    end(&*runs, pinned);
    end(&*runs, ended);
    block_on(runs.pin(pinned.run, true)).unwrap();
    let (other, _) = kind.engine();
    let abandoned = start(&*other, None);
    let report = collect_all(&*runs, &*blobs, false);
    assert_eq!(report.flow_runs, 1, "only the one that ended");
    assert!(block_on(runs.flow_run(ended.run)).unwrap().is_none());
    for stays in [pinned, running, abandoned] {
        assert!(block_on(runs.flow_run(stays.run)).unwrap().is_some());
    }
    let upkeep = runs.maintenance().unwrap();
    assert_eq!(
        upkeep
            .delete_runs(&[pinned.run, running.run, abandoned.run])
            .unwrap(),
        0,
        "whoever asks for it"
    );
    // With its engine gone it is one that crashed.
    drop(other);
    assert_eq!(collect_all(&*runs, &*blobs, false).flow_runs, 1);
    assert!(block_on(runs.flow_run(abandoned.run)).unwrap().is_none());
}

fn a_key_is_free_once_its_run_is_deleted<K: Kind>() {
    let kind = K::new();
    let (runs, blobs) = kind.engine();
    let first = start(&*runs, Some("monday"));
    end(&*runs, first);
    collect_all(&*runs, &*blobs, false);
    let second = start(&*runs, Some("monday"));
    assert_ne!(first.run, second.run);
}

fn a_value_goes_with_the_last_row_that_points_to_it<K: Kind>() {
    let kind = K::new();
    let (runs, blobs) = kind.engine();
    let fence = start(&*runs, None);
    let [shared, own] = [1, 2].map(|n| blob(&*blobs, n));
    let rows = [
        task_run(fence, 1, shared.clone()),
        task_run(fence, 2, own.clone()),
        cached(1, 1, shared.clone()),
    ];
    commit(&*runs, fence, &rows);
    end(&*runs, fence);
    let is_there = |value: &StoredValue| blobs.contains(&value.stored.digest).unwrap();
    let keep_cache = Plan {
        retention: &Retention::forever().max_runs(0),
        budget: &CacheBudget::unlimited(),
        min_age: Duration::ZERO,
        now: Timestamp(10),
    };
    let report = collect(&*runs, &*blobs, keep_cache, false).unwrap();
    assert_eq!((report.blobs, report.blob_bytes), (1, own.stored.len));
    assert!(is_there(&shared) && !is_there(&own));
    let report = collect_all(&*runs, &*blobs, false);
    assert_eq!((report.cache_entries, report.blobs), (1, 1));
    assert!(!is_there(&shared));
}

fn a_value_that_somebody_is_about_to_point_to_stays<K: Kind>() {
    let kind = K::new();
    let (runs, blobs) = kind.engine();
    let (_, other) = kind.engine();
    other.hold().unwrap();
    let value = blob(&*other, 1);
    let upkeep = blobs.maintenance().unwrap();
    let listed: Vec<BlobUsage> = (0..upkeep.parts())
        .flat_map(|part| upkeep.list(part).unwrap())
        .collect();
    assert_eq!(listed.len(), 1);
    let removed = upkeep
        .remove_unreferenced(&listed, Duration::ZERO, &mut |_| Ok(false))
        .unwrap();
    assert_eq!(removed, None, "somebody holds values");
    // The row is committed, and only then the hold is given up.
    let fence = start(&*runs, None);
    commit(&*runs, fence, &[task_run(fence, 1, value.clone())]);
    other.release();
    let rows = runs.maintenance().unwrap();
    let removed = upkeep
        .remove_unreferenced(&listed, Duration::ZERO, &mut |digest| {
            rows.is_referenced(digest)
        })
        .unwrap();
    assert_eq!(removed, Some(Vec::new()), "a row points to it by now");
    assert!(blobs.contains(&value.stored.digest).unwrap());
}

#[test]
fn a_young_value_is_left_alone_also_if_it_was_written_again() {
    let folder = InFolder::new();
    let (_, blobs) = folder.engine();
    let hour = Duration::from_secs(3_600);
    let value = blob(&*blobs, 1);
    let upkeep = blobs.maintenance().unwrap();
    let list = || -> Vec<BlobUsage> {
        (0..upkeep.parts())
            .flat_map(|part| upkeep.list(part).unwrap())
            .collect()
    };
    let remove = |listed: &[BlobUsage]| {
        let removed = upkeep.remove_unreferenced(listed, hour, &mut |_| Ok(false));
        removed.unwrap().unwrap().len()
    };
    assert_eq!(remove(&list()), 0);
    folder.write_back_times(2 * hour);
    let old = list();
    assert!(old[0].age >= 2 * hour);
    blob(&*blobs, 1);
    assert_eq!(remove(&old), 0, "the same value was written since");
    folder.write_back_times(2 * hour);
    assert_eq!(remove(&old), 1);
    assert!(!blobs.contains(&value.stored.digest).unwrap());
}

#[test]
fn what_a_killed_process_was_writing_is_removed_when_it_is_old() {
    let folder = InFolder::new();
    let (runs, blobs) = folder.engine();
    let left = folder.path().join("tmp").join("1-0");
    std::fs::write(&left, "half").unwrap();
    let owner = folder.path().join("owners").join(format!("{:032x}", 77));
    std::fs::write(&owner, "").unwrap();
    let plan = Plan {
        retention: &Retention::forever(),
        budget: &CacheBudget::unlimited(),
        min_age: MIN_AGE,
        now: Timestamp(10),
    };
    assert_eq!(
        collect(&*runs, &*blobs, plan, false).unwrap().unfinished,
        0,
        "somebody may be writing it"
    );
    set_age(&left, 2 * MIN_AGE);
    assert_eq!(collect(&*runs, &*blobs, plan, true).unwrap().unfinished, 1);
    assert!(left.exists());
    assert_eq!(collect(&*runs, &*blobs, plan, false).unwrap().unfinished, 1);
    assert!(!left.exists());
    assert!(!owner.exists(), "nobody has locked it");
    let owners = std::fs::read_dir(folder.path().join("owners")).unwrap();
    assert_eq!(owners.count(), 1, "the engine's own stays");
}

fn cached_results_go_by_the_time_of_their_last_use<K: Kind>() {
    let kind = K::new();
    let (runs, blobs) = kind.engine();
    let rows: Vec<Change> = (1..=4)
        .map(|n| cached(n, i64::from(n), inline(n)))
        .collect();
    block_on(runs.commit(&rows, &[], Durability::Relaxed)).unwrap();
    let key = |n: u8| Digest::from_bytes([n; 32]);
    assert!(block_on(runs.pin_key(key(2), true)).unwrap());
    let upkeep = runs.maintenance().unwrap();
    let looked_at = upkeep.cache_usage().unwrap();
    // Entry 1 is used between the look and the deletion.
    let used = [Change::CacheUsed {
        key: key(1),
        at: Timestamp(9),
    }];
    block_on(runs.commit(&used, &[], Durability::Relaxed)).unwrap();
    assert_eq!(upkeep.delete_cached(&looked_at).unwrap(), 2);
    let mut left: Vec<Digest> = upkeep
        .cache_usage()
        .unwrap()
        .iter()
        .map(|entry| entry.key)
        .collect();
    left.sort();
    assert_eq!(left, [key(1), key(2)]);
    // The one that was used last stays where there is room for one, beside the pinned one.
    let one = upkeep.cache_usage().unwrap()[0].bytes;
    let plan = Plan {
        retention: &Retention::forever(),
        budget: &CacheBudget::unlimited().max_bytes(2 * one),
        min_age: Duration::ZERO,
        now: Timestamp(10),
    };
    assert_eq!(
        collect(&*runs, &*blobs, plan, false).unwrap().cache_entries,
        0
    );
    assert_eq!(collect_all(&*runs, &*blobs, false).cache_entries, 1);
    assert!(block_on(runs.cached(key(2))).unwrap().is_some());
}

fn a_dry_run_says_what_a_collection_would_do_and_does_nothing<K: Kind>() {
    let kind = K::new();
    let (runs, blobs) = kind.engine();
    let fence = start(&*runs, None);
    let rows = [
        task_run(fence, 1, blob(&*blobs, 1)),
        cached(1, 1, blob(&*blobs, 2)),
        cached(2, 1, inline(1)),
    ];
    commit(&*runs, fence, &rows);
    end(&*runs, fence);
    blob(&*blobs, 3);
    let dry = collect_all(&*runs, &*blobs, true);
    assert!(dry.is_dry_run);
    assert_eq!((dry.flow_runs, dry.cache_entries, dry.blobs), (1, 2, 3));
    assert_eq!(collect_all(&*runs, &*blobs, true), dry, "nothing was done");
    let done = collect_all(&*runs, &*blobs, false);
    let is_dry_run = true;
    assert_eq!(GcReport { is_dry_run, ..done }, dry);
    let nothing_left = GcReport {
        is_dry_run,
        ..GcReport::default()
    };
    assert_eq!(collect_all(&*runs, &*blobs, true), nothing_left);
}

fn a_check_names_what_is_gone<K: Kind>() {
    let kind = K::new();
    let (runs, blobs) = kind.engine();
    let fence = start(&*runs, None);
    let [here, gone, orphan] = [1, 2, 3].map(|n| blob(&*blobs, n));
    let mut damaged = inline(4);
    damaged.place = Place::Inline(Arc::from(&[0, 0][..]));
    let rows = [
        task_run(fence, 1, here),
        task_run(fence, 2, gone.clone()),
        task_run(fence, 3, inline(1)),
        cached(1, 1, damaged.clone()),
    ];
    commit(&*runs, fence, &rows);
    blobs.remove(&gone.stored.digest).unwrap();
    let report = check(&*runs, &*blobs).unwrap();
    let lost: Vec<(Digest, &str)> = report
        .lost
        .iter()
        .map(|lost| (lost.digest, lost.problem.as_str()))
        .collect();
    assert_eq!(
        lost,
        [
            (damaged.stored.digest, "is not what it was"),
            (gone.stored.digest, "is gone"),
        ]
    );
    assert!(matches!(report.lost[1].of, ValueOf::TaskRun(run, _) if run == fence.run));
    assert_eq!(report.orphans, [orphan.stored.digest]);
    assert_eq!((report.values, report.by_length), (4, 0));
    assert!(!report.is_sound() && report.problems.is_empty());
}

#[test]
fn a_check_names_a_damaged_file() {
    let folder = InFolder::new();
    let (runs, blobs) = folder.engine();
    let fence = start(&*runs, None);
    let value = blob(&*blobs, 1);
    commit(&*runs, fence, &[task_run(fence, 1, value.clone())]);
    assert!(check(&*runs, &*blobs).unwrap().is_sound());
    let name = value.stored.digest.to_string();
    let path = folder.path().join("blobs").join(&name[..2]).join(&name);
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[50] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    let report = check(&*runs, &*blobs).unwrap();
    assert_eq!(report.lost.len(), 1);
    assert_eq!(report.lost[0].digest, value.stored.digest);
    assert!(report.orphans.is_empty(), "a row points to it");
}

//! What every store has to do, run against each of them.

mod claims;
mod items;
mod rows;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::json;

use super::journal::block_on;
use super::*;
use crate::error::RecordedError;
use crate::report::{EdgeKind, NodeKind};
use crate::state::State;
use crate::value::{Digest, Stored};

/// Several engines on the same rows.
trait Kind {
    fn new(name: &str) -> Self;
    /// One more engine.
    fn engine(&self) -> Box<dyn RunStore>;
}

struct InMemory(MemoryStore);

impl Kind for InMemory {
    fn new(_name: &str) -> Self {
        Self(MemoryStore::new())
    }

    fn engine(&self) -> Box<dyn RunStore> {
        Box::new(self.0.clone())
    }
}

/// A folder that is gone with the test.
struct InFolder(PathBuf);

impl Kind for InFolder {
    fn new(name: &str) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let n = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("orch-{name}-{}-{n}", std::process::id()));
        drop(std::fs::remove_dir_all(&path));
        Self(path)
    }

    fn engine(&self) -> Box<dyn RunStore> {
        Box::new(FolderStore::open(&self.0).unwrap())
    }
}

impl Drop for InFolder {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}

/// Runs each function of the suite on each kind of store, as a test of its own.
macro_rules! on_each_store {
    ($($test:ident;)+) => {
        mod in_memory {
            $(#[test] fn $test() { super::$test::<crate::store::tests::InMemory>(); })+
        }
        mod in_a_folder {
            $(#[test] fn $test() { super::$test::<crate::store::tests::InFolder>(); })+
        }
    };
}
use on_each_store;

fn digest(n: u8) -> Digest {
    Digest::from_bytes([n; 32])
}

fn value(n: u8) -> StoredValue {
    StoredValue {
        stored: Stored {
            digest: digest(n),
            format: 1,
            shape: [n; 16],
            len: 3,
            parts: Vec::new(),
        },
        place: Place::Inline(Arc::from(&[n, 2, 3][..])),
    }
}

fn flow_run(flow: &str, key: Option<&str>) -> FlowRunRow {
    let id = FlowRunId::new();
    FlowRunRow {
        id,
        flow: flow.to_owned(),
        name: format!("{flow}-{}", id.short()),
        key: key.map(str::to_owned),
        parameters: Some(vec![ParameterRow {
            name: "x".to_owned(),
            value: value(9),
            shown: json!(7),
        }]),
        state: State::Running,
        error: None,
        result: None,
        seed: u64::MAX - 1,
        started_at: Timestamp(1_000),
        ended_at: None,
        caller: None,
        origin: None,
        tags: vec!["nightly".to_owned()],
        manifest: json!({ "rustc": "1.95" }),
        fingerprint: digest(1),
        resumptions: 0,
        is_rolling_back: false,
        is_pinned: false,
        owner: None,
    }
}

pub(super) fn task_run(call: u8) -> TaskRunRow {
    TaskRunRow {
        call: CallId([call; 16]),
        scope: CallId::ROOT,
        index: u32::from(call),
        task: Arc::new(TaskRow {
            id: "crate/train".to_owned(),
            name: "train".to_owned(),
            fingerprint: digest(2),
            version: None,
            source: "src/lib.rs:7".to_owned(),
        }),
        kind: NodeKind::Task,
        name: None,
        state: State::Running,
        attempts: 1,
        crashes: 0,
        ready_at: Some(Timestamp(5)),
        started_at: Some(Timestamp(6)),
        ended_at: None,
        error: None,
        result: None,
        origin: ResultOrigin::Executed,
        key: None,
        upstream: Vec::new(),
        is_complete: true,
        inputs: [3; 16],
        execution: u64::MAX,
        is_orphaned: false,
    }
}

pub(super) fn cache_entry(key: u8, task: &str) -> CacheRow {
    CacheRow {
        key: KeyRow {
            digest: digest(key),
            parts: vec![KeyPartRow {
                name: "alpha".to_owned(),
                digest: digest(4),
                unordered: Some(digest(5)),
                shown: Some("0.1".to_owned()),
            }],
        },
        task_id: task.to_owned(),
        task: "train".to_owned(),
        value: value(key),
        made_by: (FlowRunId::new(), CallId([7; 16])),
        made_at: Timestamp(i64::from(key)),
        took: 12,
        used_at: Timestamp(i64::from(key)),
        is_pinned: false,
    }
}

fn error() -> RecordedError {
    RecordedError::for_tests("failed", "no \"network\"", &["down"])
}

fn start(store: &dyn RunStore, row: FlowRunRow) -> Fence {
    match claim(store, row) {
        RunClaim::Started(fence) => fence,
        other => panic!("not new: {other:?}"),
    }
}

fn claim(store: &dyn RunStore, row: FlowRunRow) -> RunClaim {
    let claim = ClaimRun {
        row,
        resume: None,
        revive_cancelled: false,
    };
    block_on(store.claim_run(claim)).unwrap()
}

fn commit(store: &dyn RunStore, fence: Fence, changes: &[Change]) -> Result<(), StoreError> {
    block_on(store.commit(changes, &[fence], Durability::Strict))
}

fn end(store: &dyn RunStore, fence: Fence, state: State) {
    let mut row = block_on(store.flow_run(fence.run)).unwrap().unwrap();
    row.state = state;
    row.ended_at = Some(Timestamp(9_000));
    row.result = (state == State::Completed).then(|| value(8));
    row.error = (state == State::Failed).then(error);
    commit(store, fence, &[Change::FlowRun(Box::new(row))]).unwrap();
}

//! The format of stores: what was written by the release that brought it in reads back, and what
//! the page on the store says about its tables is so.

#![cfg(feature = "sqlite")]

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use orch_core::State;
use orch_core::prelude::*;
use orch_core::store::{FlowRunFilter, FolderStore, Place, RunStore as _};

/// Set to have `the_store_of_a_format_is_made_by_the_release_that_brings_it_in` write the fixture
/// anew, which is right only for a format that was not released.
const RENEW: &str = "ORCH_RENEW_STORE_FIXTURE";

static EXECUTED: AtomicUsize = AtomicUsize::new(0);

#[task(cache, id = "store-format/numbers", version = "1")]
async fn numbers(n: u64) -> Vec<u64> {
    EXECUTED.fetch_add(1, Ordering::SeqCst);
    (0..n).collect()
}

#[task(id = "store-format/sum", version = "1")]
async fn sum(numbers: &[u64]) -> u64 {
    EXECUTED.fetch_add(1, Ordering::SeqCst);
    numbers.iter().sum()
}

#[task(retries = 1, backoff = "1ms")]
async fn measure(ctx: &TaskContext) -> anyhow::Result<()> {
    for step in 0..3 {
        ctx.log_metric("loss", step, 1.0 / f64::from(step + 1))?;
    }
    anyhow::ensure!(ctx.attempt() > 1, "not yet");
    Ok(())
}

#[flow]
async fn measured() -> Result<(), TaskError> {
    measure().await?;
    Ok(())
}

#[flow]
async fn total(n: u64) -> anyhow::Result<u64> {
    Ok(*sum(numbers(n)).await?)
}

#[task(inline, id = "store-format/square", version = "1")]
fn square(n: u64) -> u64 {
    EXECUTED.fetch_add(1, Ordering::SeqCst);
    n * n
}

/// Its items are packed, which format 2 brought.
#[flow]
async fn squares(n: u64) -> anyhow::Result<u64> {
    let sum = map(0..n, square).fold(0, |sum, square| sum + square);
    Ok(*sum.await?)
}

/// The sum of the first 300 squares from 0 on: n (n + 1) (2 n + 1) / 6 with n = 299.
const SQUARES: u64 = 8_955_050;

/// The sum of the numbers below 5,000, whose 40 kB are a file of their own.
const SUM: u64 = 12_497_500;

fn fixture(format: u32) -> PathBuf {
    let name = format!("tests/fixtures/store-{format}");
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn of_flow(flow: &str) -> FlowRunFilter {
    FlowRunFilter {
        flow: Some(flow.to_owned()),
        ..FlowRunFilter::default()
    }
}

/// A folder that is gone with the test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("orch-{name}-{}", std::process::id()));
        drop(std::fs::remove_dir_all(&path));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// Runs the flows on a folder once.
async fn make(path: &Path) {
    let engine = Engine::open(path).unwrap();
    assert_eq!(
        total(5_000_u64).key("first").on(&engine).await.unwrap(),
        SUM
    );
    let sum = squares(300_u64).key("first").on(&engine).await.unwrap();
    assert_eq!(sum, SQUARES);
    engine.compact_store().unwrap();
}

/// One test at a time executes.
static ALONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

#[tokio::test]
async fn the_store_of_a_format_is_made_by_the_release_that_brings_it_in() {
    let _alone = ALONE.lock().await;
    let folder = Folder::new("format-made");
    make(&folder.0).await;
    for made in ["orch.db", "blobs"] {
        assert!(folder.0.join(made).exists());
    }
    if std::env::var_os(RENEW).is_some() {
        let database = rusqlite::Connection::open(folder.0.join("orch.db")).unwrap();
        let forget_where = "UPDATE flow_runs
            SET manifest = json_set(manifest, '$.binary', 'store_format');
            VACUUM; PRAGMA wal_checkpoint(TRUNCATE);";
        database.execute_batch(forget_where).unwrap();
        drop(database);
        let fixture = fixture(2);
        drop(std::fs::remove_dir_all(&fixture));
        std::fs::create_dir_all(&fixture).unwrap();
        std::fs::copy(folder.0.join("orch.db"), fixture.join("orch.db")).unwrap();
        copy(&folder.0.join("blobs"), &fixture.join("blobs"));
    }
}

#[tokio::test]
async fn a_store_of_format_1_reads_back() {
    let _alone = ALONE.lock().await;
    let folder = Folder::new("format-1");
    copy(&fixture(1), &folder.0);
    {
        let store = FolderStore::open(&folder.0).unwrap();
        let runs = store.flow_runs(FlowRunFilter::default()).await.unwrap();
        assert_eq!(runs.len(), 1);
        let run = &runs[0];
        assert_eq!((run.flow.as_str(), run.state), ("total", State::Completed));
        assert_eq!(run.key.as_deref(), Some("first"));
        let parameters = run.parameters.as_deref().unwrap();
        assert_eq!(parameters[0].name, "n");
        assert_eq!(parameters[0].shown, 5_000);
        let task_runs = store.task_runs(run.id).await.unwrap();
        let tasks: Vec<(&str, State)> = task_runs
            .iter()
            .map(|run| (run.task.id.as_str(), run.state))
            .collect();
        assert_eq!(
            tasks,
            [
                ("store-format/numbers", State::Completed),
                ("store-format/sum", State::Completed)
            ]
        );
        let entries = store.cache_entries().await.unwrap();
        assert_eq!(entries.len(), 1);
        assert_eq!(entries[0].task_id, "store-format/numbers");
        assert_eq!(entries[0].made_by, (run.id, task_runs[0].call));
    }
    let engine = Engine::open(&folder.0).unwrap();
    let report = engine.check_store().unwrap();
    assert!(report.is_sound(), "{report}");
    // It has no table of notices: there is one now.
    assert_eq!(engine.undelivered().unwrap(), []);
    // Nor have they tables of what was logged.
    let run = engine.find_run("first").unwrap().id;
    assert!(engine.logged_rows(run).unwrap().is_empty());
    // The result of the run, the two task runs, the cache entry.
    assert_eq!(report.values, 4);
    let before = EXECUTED.load(Ordering::SeqCst);
    assert_eq!(
        total(5_000_u64).key("first").on(&engine).await.unwrap(),
        SUM
    );
    assert_eq!(EXECUTED.load(Ordering::SeqCst), before, "it is on record");
    // The cache key is what it was as well.
    let (_, report) = total(5_000_u64).start(&engine).unwrap().finish().await;
    let states: Vec<State> = report.task_runs.iter().map(|run| run.state).collect();
    assert_eq!(states, [State::Cached, State::Completed]);
}

#[tokio::test]
async fn a_store_of_format_2_reads_back_with_the_items_of_its_map() {
    let _alone = ALONE.lock().await;
    let folder = Folder::new("format-2");
    copy(&fixture(2), &folder.0);
    {
        let database = rusqlite::Connection::open(folder.0.join("orch.db")).unwrap();
        let sql = "SELECT sum(items) FROM packed_task_runs";
        let packed: u32 = database.query_row(sql, [], |row| row.get(0)).unwrap();
        assert!(packed > 200, "{packed} of 300 items are packed");
    }
    let store = FolderStore::open(&folder.0).unwrap();
    let runs = store.flow_runs(of_flow("squares")).await.unwrap();
    let task_runs = store.task_runs(runs[0].id).await.unwrap();
    let items = task_runs.iter().filter(|row| row.task.name == "square");
    let mut results: Vec<u64> = items
        .map(|row| {
            assert_eq!(row.state, State::Completed);
            let Place::Inline(bytes) = &row.result.as_ref().unwrap().place else {
                panic!("a square is small");
            };
            u64::from_le_bytes(*bytes.last_chunk().unwrap())
        })
        .collect();
    results.sort_unstable();
    let squares_of = |n: u64| (0..n).map(|n| n * n).collect::<Vec<u64>>();
    assert_eq!(results, squares_of(300));
    drop(store);

    let engine = Engine::open(&folder.0).unwrap();
    assert!(engine.check_store().unwrap().is_sound());
    let before = EXECUTED.load(Ordering::SeqCst);
    let rerun = engine.rerun(runs[0].id, &[]).unwrap();
    let (sum, _) = rerun.finish().await;
    assert_eq!(sum.unwrap(), Some(serde_json::json!(SQUARES)));
    assert_eq!(EXECUTED.load(Ordering::SeqCst), before, "all is on record");
}

/// Put together from `docs/encoding.md` with Python's `blake3` 1.0.11. The second task is called with
/// the handle of the first one.
#[tokio::test]
async fn calls_inputs_and_results_are_identified_as_in_format_1() {
    let _alone = ALONE.lock().await;
    let (kept, made) = (
        Folder::new("format-calls"),
        Folder::new("format-calls-made"),
    );
    copy(&fixture(1), &kept.0);
    make(&made.0).await;
    for folder in [&kept.0, &made.0] {
        let store = FolderStore::open(folder).unwrap();
        let runs = store.flow_runs(of_flow("total")).await.unwrap();
        let found: Vec<String> = store
            .task_runs(runs[0].id)
            .await
            .unwrap()
            .iter()
            .map(|run| {
                let inputs = u128::from_be_bytes(run.inputs);
                let result = run.result.as_ref().unwrap().stored.digest;
                format!("{} {inputs:032x} {result}", run.call)
            })
            .collect();
        assert_eq!(
            found,
            [
                "35f9dbcf21d1e9f076f59131b0b0f9b6 e009ce7be3f588700c580c604013b089 \
                 6d31cb8ba6369d412a7888caaa98b3d8fba3e70dd40461a783be063d975d16aa",
                "91444e9ee21a0987bf5ad0a1fa1de34d 708ba946de78df089c0f2de26d0d2e49 \
                 418fd9dcd2b7af91f8c23c2ff61cdc80ca5fc20384dd81b51ef1ad0f5a37b7cb",
            ]
        );
    }
}

#[tokio::test]
async fn the_page_on_the_store_names_every_table_and_column() {
    let page = include_str!("../docs/store.md");
    let folder = Folder::new("format-page");
    make(&folder.0).await;
    let database = rusqlite::Connection::open(folder.0.join("orch.db")).unwrap();
    let sql = "SELECT m.name, c.name FROM sqlite_schema m, pragma_table_xinfo(m.name) c
        WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%'";
    let mut statement = database.prepare(sql).unwrap();
    let columns: Vec<(String, String)> = statement
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    assert!(columns.len() > 80, "{columns:?}");
    for (table, column) in columns {
        for name in [&table, &column] {
            assert!(page.contains(&format!("`{name}`")), "`{name}` of `{table}`");
        }
    }
}

#[tokio::test]
async fn the_queries_on_the_page_are_answered() {
    let page = include_str!("../docs/store.md");
    let folder = Folder::new("format-queries");
    make(&folder.0).await;
    measured()
        .on(&Engine::open(&folder.0).unwrap())
        .await
        .unwrap();
    let database = rusqlite::Connection::open(folder.0.join("orch.db")).unwrap();
    let id: String = database
        .query_row(
            "SELECT id FROM flow_runs WHERE flow = 'measured'",
            [],
            |row| row.get(0),
        )
        .unwrap();
    let queries: Vec<String> = page
        .split("orch.db \"")
        .skip(1)
        .map(|after| after.split('"').next().unwrap())
        .map(|query| query.replace("0000000000000000000000000f", &id))
        .collect();
    let rows: Vec<usize> = queries
        .iter()
        .map(|query| {
            let mut statement = database.prepare(query).unwrap();
            let mut rows = statement.query([]).unwrap();
            let mut n = 0;
            while rows.next().unwrap().is_some() {
                n += 1;
            }
            n
        })
        .collect();
    assert_eq!(rows, [3, 1, 1], "three flow runs, a task run, a metric");
    // The second one reads the rows of its flow run and no others.
    let plan: String = database
        .query_row(&format!("EXPLAIN QUERY PLAN {}", queries[1]), [], |row| {
            row.get(3)
        })
        .unwrap();
    assert!(
        plan.contains("flow_runs") || plan.contains("f USING"),
        "{plan}"
    );
    let mut statement = database
        .prepare(&format!("EXPLAIN QUERY PLAN {}", queries[1]))
        .unwrap();
    let plan: Vec<String> = statement
        .query_map([], |row| row.get(3))
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    assert!(
        plan.iter().any(|step| step.contains("SEARCH r ")),
        "{plan:?}"
    );
}

//! What a folder costs: the journal beside the same rows in plain SQLite, large results beside plain
//! files, opening a folder that has seen much.
//!
//! `cargo bench --bench store`

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use clap::Parser as _;
use orch_benches::{Args, Results, Row, memory, peak_memory, runtime, timed};
use orch_core::TrackError;
use orch_core::prelude::*;
use orch_core::store::{Durability, FlowRunFilter};
use rusqlite::Connection;
use tokio::runtime::Runtime;

/// Bytes of a result like many a small one: a few numbers with names.
const RESULT: usize = 100;

#[task]
async fn small(n: u64) -> Vec<u8> {
    vec![n as u8; RESULT]
}

#[task]
async fn next(before: &[u8]) -> Vec<u8> {
    let mut after = before.to_vec();
    after[0] = after[0].wrapping_add(1);
    after
}

#[task(cache)]
fn array(len: usize) -> Vec<f64> {
    (0..len).map(|i| i as f64).collect()
}

#[task(inline)]
fn last(values: &[f64]) -> f64 {
    values[values.len() - 1]
}

#[flow]
async fn fan_out(n: u64) -> Result<usize, TaskError> {
    let all: Vec<TaskRun<Vec<u8>>> = (0..n).map(small).collect();
    let mut bytes = 0;
    for run in all {
        bytes += run.await?.len();
    }
    Ok(bytes)
}

#[flow]
async fn chain(n: u64) -> Result<u8, TaskError> {
    let mut last = small(0);
    for _ in 1..n {
        last = next(last);
    }
    Ok(last.await?[0])
}

#[flow]
async fn large(len: usize) -> Result<f64, TaskError> {
    Ok(*last(array(len)).await?)
}

/// As many points as training that logs each batch.
#[task]
fn log_points(ctx: &TaskContext, n: u64) -> Result<(), TrackError> {
    (0..n).try_for_each(|step| ctx.log_metric("loss", step, 1.0 / (step + 1) as f64))
}

#[flow]
async fn logging(n: u64) -> Result<(), TaskError> {
    log_points(n).await?;
    Ok(())
}

#[flow]
async fn one() -> Result<usize, TaskError> {
    Ok(small(1).await?.len())
}

#[task]
async fn gate(sum: usize) -> Result<usize, String> {
    Err(format!("never with {sum}"))
}

/// Fails once its map is through, so that it can be gone on with.
#[flow]
async fn map_all(n: u64) -> Result<usize, TaskError> {
    let sum = map(0..n, small).fold(0, |sum, bytes| sum + bytes.len());
    Ok(*gate(sum).await?)
}

/// A folder that is gone with the case.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("orch-bench-{name}-{}", std::process::id()));
        drop(std::fs::remove_dir_all(&path));
        Self(path)
    }

    fn fresh(&self) -> &Path {
        drop(std::fs::remove_dir_all(&self.0));
        &self.0
    }

    fn bytes(&self) -> u64 {
        fn of(path: &Path) -> u64 {
            let Ok(entries) = std::fs::read_dir(path) else {
                return std::fs::metadata(path).map_or(0, |metadata| metadata.len());
            };
            entries.flatten().map(|entry| of(&entry.path())).sum()
        }
        of(&self.0)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}

fn main() -> anyhow::Result<()> {
    if let Ok(child) = std::env::var(CHILD) {
        return run_child(&child);
    }
    let args = Args::parse();
    if let Some(folder) = &args.memory {
        return resume_in_this_process(folder);
    }
    let mut results = Results::new("store", args);
    let runtime = runtime();
    journal(&mut results, &runtime);
    maps(&mut results, &runtime)?;
    metrics(&mut results, &runtime);
    large_values(&mut results, &runtime);
    history(&mut results, &runtime)?;
    processes(&mut results)?;
    results.finish()
}

/// Small task runs, recorded, beside their rows alone.
fn journal(results: &mut Results, runtime: &Runtime) {
    let (ours, floor) = (Folder::new("journal"), Folder::new("rows"));
    let n = results.size(20_000, 200);
    results.compare(
        "journal, relaxed, fan-out",
        n,
        "<= 1.5, <= 15 us",
        || {
            let engine = Engine::open(ours.fresh()).expect("a new folder");
            timed(runtime, async move {
                let bytes = fan_out(n).on(&engine).await.expect("the flow completes");
                assert_eq!(bytes, n as usize * RESULT);
            })
        },
        || {
            let database = database(floor.fresh(), "NORMAL");
            let start = Instant::now();
            // As many a group as the writer finds when it comes back from the one before.
            for group in (0..n).collect::<Vec<u64>>().chunks(1_000) {
                insert(&database, group.iter().copied());
            }
            sync(&database);
            start.elapsed()
        },
    );
    let n = results.size(500, 20);
    results.compare(
        "journal, strict, chain",
        n,
        "<= 1.2",
        || {
            let engine = Engine::builder()
                .durability(Durability::Strict)
                .open(ours.fresh())
                .expect("a new folder");
            timed(runtime, async move {
                let last = chain(n).on(&engine).await.expect("the flow completes");
                assert_eq!(u64::from(last), (n - 1) % 256);
            })
        },
        || {
            let database = database(floor.fresh(), "FULL");
            let start = Instant::now();
            (0..n).for_each(|n| insert(&database, std::iter::once(n)));
            start.elapsed()
        },
    );
    let n = results.size(20_000, 200);
    results.compare(
        "journal, strict, fan-out",
        n,
        "shares commits",
        || {
            let engine = Engine::builder()
                .durability(Durability::Strict)
                .open(ours.fresh())
                .expect("a new folder");
            timed(runtime, async move {
                let bytes = fan_out(n).on(&engine).await.expect("the flow completes");
                assert_eq!(bytes, n as usize * RESULT);
            })
        },
        || {
            let database = database(floor.fresh(), "FULL");
            let start = Instant::now();
            for group in (0..n).collect::<Vec<u64>>().chunks(1_000) {
                insert(&database, group.iter().copied());
            }
            start.elapsed()
        },
    );
}

/// Runs the flow to its failing end.
fn run_map(engine: Engine, n: u64, runtime: &Runtime) -> Duration {
    timed(runtime, async move {
        let (result, report) = map_all(n)
            .start(&engine)
            .expect("it may run")
            .finish()
            .await;
        result.expect_err("the gate is shut");
        let map = report.task_runs.iter().find_map(|run| run.items.as_ref());
        assert_eq!(map.map(|items| items.completed), Some(n));
    })
}

/// The items of a recorded map, beside their rows alone; and a flow run that goes on after such a map.
fn maps(results: &mut Results, runtime: &Runtime) -> anyhow::Result<()> {
    let (ours, floor) = (Folder::new("map"), Folder::new("map-rows"));
    let n = results.size(100_000, 1_000);
    results.compare(
        "journal, relaxed, map",
        n,
        "<= 1.5, <= 15 us",
        || {
            let engine = Engine::open(ours.fresh()).expect("a new folder");
            run_map(engine, n, runtime)
        },
        || {
            let database = database(floor.fresh(), "NORMAL");
            let start = Instant::now();
            for group in (0..n).collect::<Vec<u64>>().chunks(1_000) {
                insert(&database, group.iter().copied());
            }
            sync(&database);
            start.elapsed()
        },
    );
    const RESUMED: &str = "go on after a map";
    const GROWTH: &str = "growth of the folder, map";
    if !results.wants(RESUMED) && !results.wants(GROWTH) {
        return Ok(());
    }
    let n = results.size(300_000, 3_000);
    let empty = {
        drop(Engine::open(ours.fresh()).context("making a folder")?);
        ours.bytes()
    };
    run_map(
        Engine::open(ours.fresh()).context("making a folder")?,
        n,
        runtime,
    );
    results.push(Row {
        case: GROWTH.to_owned(),
        n,
        ours: None,
        floor: None,
        ratio: None,
        unit: "",
        bytes_per_task_run: Some((ours.bytes() - empty) as f64 / n as f64),
        budget: "results of 100 B",
    });
    let peak = results.memory_of(&ours.0.display().to_string())?;
    let engine = Engine::open(&ours.0).context("opening the folder")?;
    let took = timed(runtime, async move { resume(&engine).await });
    results.push(Row {
        case: RESUMED.to_owned(),
        n,
        ours: Some(took.as_nanos() as f64 / n as f64),
        floor: None,
        ratio: None,
        unit: "ns/item",
        bytes_per_task_run: Some(peak / n as f64),
        budget: "-",
    });
    Ok(())
}

/// Goes on with the flow run of a folder: no item runs again.
async fn resume(engine: &Engine) {
    let runs = engine.recorded_runs(FlowRunFilter::default());
    let run = runs
        .expect("the folder is there")
        .pop()
        .expect("it has a run");
    let resumed = engine.resume(run.id).expect("it can be gone on with");
    let (result, report) = resumed.finish().await;
    result.expect_err("the gate is still shut");
    let map = report.task_runs.iter().find_map(|run| run.items.as_ref());
    let map = map.expect("the flow has a map");
    assert_eq!((map.found, map.failed), (map.completed, 0));
}

/// Does so and prints what that took of memory.
fn resume_in_this_process(folder: &str) -> anyhow::Result<()> {
    let runtime = runtime();
    let engine = Engine::open(folder)?;
    let before = memory()?;
    runtime.block_on(resume(&engine));
    println!("{}", peak_memory()?.saturating_sub(before));
    Ok(())
}

/// Points of a metric, recorded, beside their rows alone; and what logging one costs its caller.
fn metrics(results: &mut Results, runtime: &Runtime) {
    let (ours, floor) = (Folder::new("metrics"), Folder::new("points"));
    let n = results.size(200_000, 200);
    results.compare(
        "metrics, relaxed, to the end",
        n,
        "<= 1.5",
        || {
            let engine = Engine::open(ours.fresh()).expect("a new folder");
            timed(runtime, async move {
                logging(n).on(&engine).await.expect("the flow completes");
            })
        },
        || {
            let database = points(floor.fresh());
            let start = Instant::now();
            for group in (0..n).collect::<Vec<u64>>().chunks(1_000) {
                insert_points(&database, group);
            }
            sync_points(&database);
            start.elapsed()
        },
    );
    results.compare(
        "metrics, in memory",
        n,
        "<= 1 us",
        || {
            timed(runtime, async move {
                logging(n)
                    .on(&Engine::new())
                    .await
                    .expect("the flow completes");
            })
        },
        || {
            let start = Instant::now();
            let mut points: Vec<(u64, f64, Instant)> = Vec::new();
            for step in 0..n {
                points.push((step, 1.0 / (step + 1) as f64, Instant::now()));
            }
            assert_eq!(points.len(), n as usize);
            start.elapsed()
        },
    );
}

/// A table like that of our metrics.
fn points(folder: &Path) -> Connection {
    std::fs::create_dir_all(folder).expect("a new folder");
    let database = Connection::open(folder.join("floor.db")).expect("a new database");
    database
        .execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;
            CREATE TABLE metrics (
                id INTEGER PRIMARY KEY, call BLOB, execution INTEGER, attempt INTEGER, name TEXT,
                step INTEGER, value REAL, logged_at INTEGER
            );",
        )
        .expect("a new table");
    database
}

fn insert_points(database: &Connection, steps: &[u64]) {
    database
        .execute_batch("BEGIN IMMEDIATE")
        .expect("nobody else writes");
    let sql = "INSERT INTO metrics VALUES (?1, ?2, 1, 1, 'loss', ?1, ?3, ?4)";
    let mut insert = database.prepare_cached(sql).expect("the table is there");
    for step in steps {
        let row = rusqlite::params![
            *step as i64,
            &[7_u8; 16][..],
            1.0 / (step + 1) as f64,
            1_764_000_000_000_000_000_i64 + *step as i64,
        ];
        insert.execute(row).expect("a row");
    }
    drop(insert);
    database.execute_batch("COMMIT").expect("there is room");
}

fn sync_points(database: &Connection) {
    database
        .execute_batch("PRAGMA synchronous = FULL; UPDATE metrics SET step = step WHERE id = 0")
        .expect("there is room");
}

/// A table as wide as ours, with what a task run leaves: names, times, digests, the result.
fn database(folder: &Path, synchronous: &str) -> Connection {
    std::fs::create_dir_all(folder).expect("a new folder");
    let database = Connection::open(folder.join("floor.db")).expect("a new database");
    database
        .execute_batch(&format!(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = {synchronous};
            CREATE TABLE task_runs (
                run INTEGER, call BLOB, seq INTEGER, scope BLOB, position INTEGER, task INTEGER,
                kind TEXT, name TEXT, state TEXT, attempts INTEGER, crashes INTEGER,
                ready_at INTEGER, started_at INTEGER, ended_at INTEGER, error TEXT, from_run TEXT,
                from_call BLOB, key BLOB, key_parts TEXT, upstream BLOB, inputs BLOB,
                execution INTEGER, is_complete INTEGER, is_orphaned INTEGER, digest BLOB,
                format INTEGER, shape BLOB, len INTEGER, parts BLOB, value BLOB,
                PRIMARY KEY (run, call)
            );"
        ))
        .expect("a new table");
    database
}

fn insert(database: &Connection, rows: impl Iterator<Item = u64>) {
    let row = |n: u64| -> rusqlite::Result<()> {
        let hash = blake3::hash(&n.to_le_bytes());
        let digest = hash.as_bytes();
        database
            .prepare_cached(
                "INSERT OR REPLACE INTO task_runs VALUES (1, ?1, ?2, x'00000000000000000000000000000000',
                ?2, 1, 'task', NULL, 'completed', 1, 0, ?3, ?3, ?3, NULL, NULL, NULL, NULL, NULL,
                x'', x'00000000000000000000000000000000', ?2, 1, 0, ?4, 2,
                x'00000000000000000000000000000000', 100, x'', ?5)",
            )?
            .execute(rusqlite::params![
                &digest[..16],
                n as i64,
                1_764_000_000_000_000_000_i64 + n as i64,
                &digest[..],
                &[n as u8; RESULT][..],
            ])?;
        Ok(())
    };
    database
        .execute_batch("BEGIN IMMEDIATE")
        .expect("nobody else writes");
    rows.for_each(|n| row(n).expect("a row"));
    database.execute_batch("COMMIT").expect("there is room");
}

fn sync(database: &Connection) {
    database
        .execute_batch(
            "PRAGMA synchronous = FULL; UPDATE task_runs SET seq = seq WHERE position = 0",
        )
        .expect("there is room");
}

/// An array of 100 MB: written by a cached task, read by the next engine, beside a plain file.
fn large_values(results: &mut Results, runtime: &Runtime) {
    let (ours, floor) = (Folder::new("large"), Folder::new("file"));
    let len = results.size(12_500_000, 10_000) as usize;
    let bytes = len as u64 * 8;
    let expected = (len - 1) as f64;
    results.compare(
        "array, put and get",
        bytes,
        "<= 1.25",
        || {
            ours.fresh();
            let mut total = Duration::ZERO;
            for _ in 0..2 {
                let engine = Engine::open(&ours.0).expect("the folder is there");
                total += timed(runtime, async move {
                    let last = large(len).on(&engine).await.expect("the flow completes");
                    assert!((last - expected).abs() < f64::EPSILON);
                });
            }
            total
        },
        || {
            std::fs::create_dir_all(floor.fresh()).expect("a new folder");
            let path = floor.0.join("array");
            let start = Instant::now();
            let values: Vec<f64> = (0..len).map(|i| i as f64).collect();
            std::fs::write(&path, bytemuck::cast_slice::<f64, u8>(&values)).expect("there is room");
            drop(values);
            let read = std::fs::read(&path).expect("just written");
            let values: Vec<f64> = bytemuck::pod_collect_to_vec(&read);
            assert!((values[len - 1] - expected).abs() < f64::EPSILON);
            start.elapsed()
        },
    );
}

/// Opening a folder that has seen a million task runs, and what each of them left.
fn history(results: &mut Results, runtime: &Runtime) -> anyhow::Result<()> {
    const CASE: &str = "open, with history";
    if !results.wants(CASE) {
        return Ok(());
    }
    let folder = Folder::new("history");
    let n = results.size(100_000, 100);
    let runs = results.size(10, 2);
    {
        let engine = Engine::open(folder.fresh())?;
        for _ in 0..runs {
            let engine = engine.clone();
            timed(runtime, async move {
                fan_out(n).on(&engine).await.expect("the flow completes");
            });
        }
    }
    let mut times: Vec<f64> = (0..results.size(11, 1))
        .map(|_| {
            let start = Instant::now();
            let engine = Engine::open(&folder.0).expect("the folder is there");
            let took = start.elapsed().as_secs_f64() * 1e3;
            drop(engine);
            took
        })
        .collect();
    times.sort_by(f64::total_cmp);
    results.push(Row {
        case: CASE.to_owned(),
        n: n * runs,
        ours: Some(times[times.len() / 2]),
        floor: None,
        ratio: None,
        unit: "ms",
        bytes_per_task_run: Some(folder.bytes() as f64 / (n * runs) as f64),
        budget: "<= 50 ms",
    });
    Ok(())
}

/// Says to this program, started again, which small program to be.
const CHILD: &str = "ORCH_BENCH_CHILD";

fn run_child(child: &str) -> anyhow::Result<()> {
    let runtime = runtime();
    match child {
        "empty" => runtime.block_on(async {}),
        "memory" => drop(runtime.block_on(async { one().await })?),
        folder => {
            let engine = Engine::open(folder)?;
            runtime.block_on(async { one().on(&engine).await })?;
        }
    }
    Ok(())
}

/// A flow of one task, from the start of its process to the end, beside one that does nothing.
fn processes(results: &mut Results) -> anyhow::Result<()> {
    let program = std::env::current_exe().context("finding this program")?;
    let run = |child: &str| {
        let start = Instant::now();
        let status = Command::new(&program).env(CHILD, child).status();
        assert!(
            status.is_ok_and(|status| status.success()),
            "`{child}` failed"
        );
        start.elapsed()
    };
    results.compare(
        "process, one task, in memory",
        1,
        "<= +2 ms",
        || run("memory"),
        || run("empty"),
    );
    let folder = Folder::new("process");
    let path = folder.fresh().display().to_string();
    results.compare(
        "process, one task, folder",
        1,
        "<= +20 ms",
        || run(&path),
        || run("empty"),
    );
    Ok(())
}

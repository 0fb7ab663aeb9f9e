//! What the cache costs: keys beside BLAKE3, hits from memory and from a folder beside SQLite.
//!
//! `cargo bench --bench cache`

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use clap::Parser as _;
use orch_benches::{Args, Results, runtime, timed};
use orch_core::prelude::*;
use rusqlite::{Connection, OptionalExtension as _};
use tokio::runtime::Runtime;

#[task(cache, inline)]
fn score(row: u64, factor: f64, name: String) -> f64 {
    row as f64 * factor + name.len() as f64
}

#[task(cache, inline)]
fn first(values: &[f64]) -> f64 {
    values[0]
}

#[flow]
async fn score_all(n: u64) -> Result<f64, TaskError> {
    let mut sum = 0.0;
    for row in 0..n {
        sum += *score(row, 0.5, "linear").await?;
    }
    Ok(sum)
}

#[flow]
async fn look_at(values: Vec<f64>) -> Result<f64, TaskError> {
    Ok(*first(values).await?)
}

fn expected(n: u64) -> f64 {
    (0..n).map(|row| row as f64 * 0.5 + 6.0).sum()
}

struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("orch-bench-{name}-{}", std::process::id()));
        drop(std::fs::remove_dir_all(&path));
        std::fs::create_dir_all(&path).expect("a new folder");
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let mut results = Results::new("cache", args);
    let runtime = runtime();
    keys(&mut results, &runtime);
    memory(&mut results, &runtime);
    disk(&mut results, &runtime)?;
    results.finish()
}

/// A large plain argument: its key beside the hash of its bytes.
fn keys(results: &mut Results, runtime: &Runtime) {
    let len = results.size(12_500_000, 1_000) as usize;
    let values: Arc<Vec<f64>> = Arc::new((0..len).map(|i| i as f64).collect());
    let engine = Engine::new();
    let (ours, floor) = (Arc::clone(&values), values);
    results.compare(
        "key of a plain array",
        len as u64 * 8,
        "<= 1.11",
        || {
            let (engine, values) = (engine.clone(), Vec::clone(&ours));
            timed(runtime, async move {
                let first = look_at(values)
                    .on(&engine)
                    .await
                    .expect("the flow completes");
                assert!(first.abs() < f64::EPSILON);
            })
        },
        || {
            // Ours ends with the array gone as well: giving 100 MB back takes milliseconds.
            let values = Vec::clone(&floor);
            let start = Instant::now();
            let hash = blake3::hash(bytemuck::cast_slice(&values));
            assert_ne!(hash.as_bytes()[..8], [0; 8]);
            drop(values);
            start.elapsed()
        },
    );
}

/// Hits in memory, beside the hash of arguments of that size.
fn memory(results: &mut Results, runtime: &Runtime) {
    let n = results.size(10_000, 100);
    let engine = Engine::new();
    {
        let engine = engine.clone();
        timed(runtime, async move {
            score_all(n).on(&engine).await.expect("the flow completes");
        });
    }
    results.compare(
        "hit, from memory",
        n,
        "<= 1 us",
        || {
            let engine = engine.clone();
            timed(runtime, async move {
                let sum = score_all(n).on(&engine).await.expect("the flow completes");
                assert!((sum - expected(n)).abs() < 1e-6);
            })
        },
        || {
            let start = Instant::now();
            for row in 0..n {
                let mut arguments = [0; 32];
                arguments[..8].copy_from_slice(&row.to_le_bytes());
                arguments[8..16].copy_from_slice(&0.5_f64.to_le_bytes());
                arguments[16..22].copy_from_slice(b"linear");
                std::hint::black_box(blake3::hash(&arguments));
            }
            start.elapsed()
        },
    );
}

/// A rerun on a folder by a new engine, its opening included, beside as many point reads.
fn disk(results: &mut Results, runtime: &Runtime) -> anyhow::Result<()> {
    const CASE: &str = "hit, from disk, cold";
    if !results.wants(CASE) {
        return Ok(());
    }
    let n = results.size(10_000, 100);
    let folder = Folder::new("cache");
    {
        let engine = Engine::open(&folder.0)?;
        timed(runtime, async move {
            score_all(n).on(&engine).await.expect("the flow completes");
        });
    }
    let floor = Folder::new("points");
    fill(&floor.0, n)?;
    results.compare(
        CASE,
        n,
        "<= 2, <= 10 us",
        || {
            let path = folder.0.clone();
            timed(runtime, async move {
                let engine = Engine::open(path).expect("the folder is there");
                let sum = score_all(n).on(&engine).await.expect("the flow completes");
                assert!((sum - expected(n)).abs() < 1e-6);
            })
        },
        || {
            let start = Instant::now();
            let database = Connection::open(floor.0.join("floor.db")).expect("just made");
            for row in 0..n {
                let value: Option<Vec<u8>> = database
                    .prepare_cached("SELECT value FROM cache WHERE key = ?1")
                    .and_then(|mut statement| {
                        statement.query_row([key(row)], |row| row.get(0)).optional()
                    })
                    .expect("the database is whole");
                assert!(value.is_some_and(|value| value.len() == 40));
            }
            start.elapsed()
        },
    );
    Ok(())
}

fn key(row: u64) -> Vec<u8> {
    blake3::hash(&row.to_le_bytes()).as_bytes().to_vec()
}

fn fill(folder: &Path, n: u64) -> anyhow::Result<()> {
    let database = Connection::open(folder.join("floor.db"))?;
    database.execute_batch(
        "PRAGMA journal_mode = WAL; CREATE TABLE cache (key BLOB PRIMARY KEY, value BLOB); BEGIN",
    )?;
    for row in 0..n {
        database
            .prepare_cached("INSERT INTO cache VALUES (?1, ?2)")?
            .execute(rusqlite::params![key(row), vec![row as u8; 40]])?;
    }
    database.execute_batch("COMMIT")?;
    Ok(())
}

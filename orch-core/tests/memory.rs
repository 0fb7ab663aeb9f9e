//! How many large results are in memory at a time.

mod support;

use std::sync::atomic::{AtomicUsize, Ordering};

use orch_core::State;
use orch_core::prelude::*;
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;

use support::Folder;

/// How many tables there are, and how many there were at most.
static ALIVE: AtomicUsize = AtomicUsize::new(0);
static MOST: AtomicUsize = AtomicUsize::new(0);
/// The tests count in turn.
static TURN: Mutex<()> = Mutex::const_new(());

struct Alive(());

impl Default for Alive {
    fn default() -> Self {
        let alive = ALIVE.fetch_add(1, Ordering::SeqCst) + 1;
        MOST.fetch_max(alive, Ordering::SeqCst);
        Self(())
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        ALIVE.fetch_sub(1, Ordering::SeqCst);
    }
}

const CELLS: usize = 16 * 1024;

/// Takes 128 KiB.
#[derive(Serialize, Deserialize)]
struct Table {
    cells: Vec<f64>,
    #[serde(skip)]
    alive: Alive,
}

#[task(limit = "one")]
async fn load(number: u32) -> Table {
    Table {
        cells: vec![f64::from(number); CELLS],
        alive: Alive::default(),
    }
}

#[task(limit = "one")]
async fn sum(table: &Table) -> f64 {
    let Table {
        cells,
        alive: Alive(()),
    } = table;
    cells.iter().sum()
}

#[task]
async fn all(sums: Vec<f64>) -> f64 {
    sums.iter().sum()
}

/// Loads all before it uses the first.
#[flow]
async fn all_then_each() -> anyhow::Result<f64> {
    let tables: Vec<_> = (1..=20).map(load).collect();
    let last = tables.last().unwrap();
    let sums: Vec<_> = tables
        .iter()
        .map(|table| sum::with().after(last).submit(table))
        .collect();
    drop(tables);
    Ok(all(sums).await?.into_inner())
}

/// 1 + ... + 20, in each cell.
const EXPECTED: f64 = (210 * CELLS) as f64;

#[tokio::test]
async fn results_beyond_the_budget_are_read_from_the_store_when_they_are_needed() {
    let _turn = TURN.lock().await;
    for (budget, most) in [(None, 20), (Some(600 * 1024), 4), (Some(0), 0)] {
        let folder = Folder::new("memory-budget");
        MOST.store(0, Ordering::SeqCst);
        let mut builder = Engine::builder().limit("one", 1);
        if let Some(budget) = budget {
            builder = builder.memory_budget(budget);
        }
        let engine = builder.open(folder.path().join("store")).unwrap();
        let run = all_then_each().start(&engine).unwrap();
        let (result, report) = run.finish().await;
        assert_eq!(result.unwrap(), EXPECTED);
        let states = report.task_runs.iter().map(|run| run.state);
        assert!(states.eq([State::Completed; 41]));
        // Those within the budget, the one that is made and the one that is used, or one more while
        // the form of the type is looked at.
        let seen = MOST.load(Ordering::SeqCst);
        assert!(seen <= most + 2, "{budget:?}: {seen}");
        assert!(seen >= most, "{budget:?}: {seen}");
        assert_eq!(ALIVE.load(Ordering::SeqCst), 0);
    }
}

#[tokio::test]
async fn without_a_store_the_budget_has_no_effect() {
    let _turn = TURN.lock().await;
    let engine = Engine::builder().limit("one", 1).memory_budget(0).build();
    assert_eq!(all_then_each().on(&engine).await.unwrap(), EXPECTED);
}

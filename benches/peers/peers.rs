//! The same graphs on other Rust graph runtimes, beside ours, in one process, in turn. The floor
//! is the peer's time: a ratio below one says that ours took less.
//!
//! Both sides build the graph, run it, take its result and drop it within the measured time. All
//! bodies are async functions that are ready at once. What a peer cannot do is said in its module
//! and in the last column.
//!
//! `cargo bench -p orch-peers --bench peers`

mod ours;
mod with_async_dag;
mod with_dagrs;
mod with_dagx;

use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Parser as _;
use orch_benches::{Args, Layers, Results, runtime, timed};
use orch_core::prelude::*;
use tokio::runtime::Runtime;

const DAGX: &str = "runs layer by layer";
const DAGX_FAN_IN: &str = "8 inputs at most: summed after the run";
const DAGRS: &str = "";
const DAGRS_FAN_IN: &str = "inputs received one by one";
const DAGRS_LAYERED: &str = "an output used twice is received once";
const ASYNC_DAG: &str = "one thread";
const ASYNC_DAG_FAN_IN: &str = "one thread; 12 inputs at most: summed after the run";

fn main() -> anyhow::Result<()> {
    let runtime = runtime();
    let engine = Engine::new();
    let mut results = Results::new("peers", Args::parse());

    let n = results.size(10_000, 100);
    let ours = || run_ours(&runtime, &engine, move || ours::chain(n), n);
    results.compare("chain / dagx", n, DAGX, ours, || {
        timed(
            &runtime,
            async move { assert_eq!(with_dagx::chain(n).await, n) },
        )
    });
    results.compare("chain / dagrs", n, DAGRS, ours, || {
        timed(&runtime, async move {
            assert_eq!(with_dagrs::chain(n).await, n)
        })
    });
    results.compare("chain / async_dag", n, ASYNC_DAG, ours, || {
        timed_here(&runtime, async {
            assert_eq!(with_async_dag::chain(n).await, n)
        })
    });

    let n = results.size(100_000, 1_000);
    let total = n * (n + 1) / 2;
    let ours = || run_ours(&runtime, &engine, move || ours::fan_out(n), total);
    results.compare("fan-out and sum / dagx", n, DAGX_FAN_IN, ours, || {
        timed(&runtime, async move {
            assert_eq!(with_dagx::fan_out(n).await, total)
        })
    });
    results.compare("fan-out and sum / dagrs", n, DAGRS_FAN_IN, ours, || {
        timed(&runtime, async move {
            assert_eq!(with_dagrs::fan_out(n).await, total)
        })
    });
    results.compare(
        "fan-out and sum / async_dag",
        n,
        ASYNC_DAG_FAN_IN,
        ours,
        || {
            timed_here(&runtime, async {
                assert_eq!(with_async_dag::fan_out(n).await, total)
            })
        },
    );

    let (layers, width) = (
        results.size(100, 5) as usize,
        results.size(100, 10) as usize,
    );
    let graph = Arc::new(Layers::new(layers, width));
    let (n, total) = (graph.nodes(), graph.total());
    let ours = || {
        let graph = Arc::clone(&graph);
        run_ours(&runtime, &engine, || ours::layered(graph), total)
    };
    results.compare("layered / dagx", n, DAGX, ours, || {
        let graph = Arc::clone(&graph);
        timed(&runtime, async move {
            assert_eq!(with_dagx::layered(&graph).await, total)
        })
    });
    results.compare("layered / dagrs", n, DAGRS_LAYERED, ours, || {
        let graph = Arc::clone(&graph);
        timed(&runtime, async move {
            assert_eq!(with_dagrs::layered(&graph).await, total)
        })
    });
    results.compare("layered / async_dag", n, ASYNC_DAG, ours, || {
        timed_here(&runtime, async {
            assert_eq!(with_async_dag::layered(&graph).await, total)
        })
    });
    results.finish()
}

/// Times a flow of ours, from its call on.
fn run_ours(
    runtime: &Runtime,
    engine: &Engine,
    flow: impl FnOnce() -> FlowCall<u64> + Send + 'static,
    expected: u64,
) -> Duration {
    let engine = engine.clone();
    timed(runtime, async move {
        assert_eq!(flow().on(&engine).await.expect("completes"), expected);
    })
}

/// Like `timed`, for a future that cannot be sent to another thread.
fn timed_here(runtime: &Runtime, future: impl Future<Output = ()>) -> Duration {
    runtime.block_on(async {
        let start = Instant::now();
        future.await;
        start.elapsed()
    })
}

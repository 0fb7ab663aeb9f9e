//! What orchestration costs: our task runs beside the same work by hand on `tokio::spawn`, in one
//! process, in turn.
//!
//! `cargo bench --bench overhead`

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use clap::Parser as _;
use futures_util::StreamExt as _;
use orch_benches::{Args, Layers, Results, Row, memory, peak_memory, runtime, timed};
use orch_core::prelude::*;
use tokio::runtime::Runtime;

#[task]
async fn step(x: u64) -> u64 {
    x + 1
}

#[task(inline)]
fn step_inline(x: u64) -> u64 {
    x + 1
}

#[task]
async fn step_pending(x: u64) -> u64 {
    tokio::task::yield_now().await;
    x + 1
}

#[task(inline)]
fn sum(values: &[Tracked<u64>]) -> u64 {
    values.iter().map(|value| **value).sum()
}

#[task(inline)]
fn sum_of_three(a: &u64, b: &u64, c: &u64) -> u64 {
    a.wrapping_add(*b).wrapping_add(*c).wrapping_add(1)
}

/// Sleeps on a compute thread: timers of the runtime are only good to a millisecond.
#[task]
fn sleep(millis: u64, _before: u64) -> u64 {
    std::thread::sleep(Duration::from_millis(millis));
    millis
}

#[flow]
async fn chain(n: u64) -> Result<u64, TaskError> {
    let mut last = step(0);
    for _ in 1..n {
        last = step(last);
    }
    Ok(*last.await?)
}

#[flow]
async fn chain_inline(n: u64) -> Result<u64, TaskError> {
    let mut last = step_inline(0);
    for _ in 1..n {
        last = step_inline(last);
    }
    Ok(*last.await?)
}

#[flow]
async fn chain_pending(n: u64) -> Result<u64, TaskError> {
    let mut last = step_pending(0);
    for _ in 1..n {
        last = step_pending(last);
    }
    Ok(*last.await?)
}

#[flow]
async fn fan_out(n: u64) -> Result<u64, TaskError> {
    let all: Vec<TaskRun<u64>> = (0..n).map(step).collect();
    Ok(*sum(all).await?)
}

#[flow]
async fn fan_out_inline(n: u64) -> Result<u64, TaskError> {
    let all: Vec<TaskRun<u64>> = (0..n).map(step_inline).collect();
    Ok(*sum(all).await?)
}

#[flow]
async fn fan_out_pending(n: u64) -> Result<u64, TaskError> {
    let all: Vec<TaskRun<u64>> = (0..n).map(step_pending).collect();
    Ok(*sum(all).await?)
}

#[flow]
async fn layered(graph: Arc<Layers>) -> Result<u64, TaskError> {
    let mut before: Vec<TaskRun<u64>> = (0..graph.width as u64).map(step_inline).collect();
    for layer in &graph.inputs {
        before = layer
            .iter()
            .map(|[a, b, c]| sum_of_three(&before[*a], &before[*b], &before[*c]))
            .collect();
    }
    let mut total: u64 = 0;
    for last in before {
        total = total.wrapping_add(*last.await?);
    }
    Ok(total)
}

#[flow]
async fn map_of(n: u64) -> Result<u64, TaskError> {
    Ok(*map(0..n, step)
        .fold(0u64, |sum, x| sum.wrapping_add(x))
        .await?)
}

#[flow]
async fn uneven() -> Result<u64, TaskError> {
    let (mut a, mut b) = (sleep(20, 0), sleep(1, 0));
    for i in 1..10 {
        a = sleep(if i % 2 == 0 { 20 } else { 1 }, a);
        b = sleep(if i % 2 == 0 { 1 } else { 20 }, b);
    }
    Ok(*a.await? + *b.await?)
}

#[flow]
async fn keep(n: u64) -> Result<Vec<TaskRun<u64>>, TaskError> {
    let all: Vec<TaskRun<u64>> = (0..n).map(step).collect();
    for run in &all {
        run.clone().await?;
    }
    Ok(all)
}

/// The layered graph by hand: a counter and a list of downstream nodes each; who brings a counter
/// to zero spawns.
struct HandNode {
    missing: AtomicU32,
    value: std::sync::OnceLock<u64>,
    inputs: [usize; 3],
    downstream: Mutex<Vec<usize>>,
}

fn run_by_hand(nodes: &Arc<Vec<HandNode>>, at: usize, done: &Arc<tokio::sync::Semaphore>) {
    let (nodes, done) = (Arc::clone(nodes), Arc::clone(done));
    tokio::spawn(async move {
        let node = &nodes[at];
        let value = |input: usize| *nodes[input].value.get().expect("an input is there");
        let result = if node.inputs == [usize::MAX; 3] {
            at as u64 + 1
        } else {
            node.inputs
                .iter()
                .fold(1, |sum, input| value(*input).wrapping_add(sum))
        };
        node.value.set(result).expect("a node runs once");
        let downstream = std::mem::take(&mut *node.downstream.lock().expect("no panics"));
        for next in downstream {
            if nodes[next].missing.fetch_sub(1, Ordering::AcqRel) == 1 {
                run_by_hand(&nodes, next, &done);
            }
        }
        done.add_permits(1);
    });
}

async fn layered_by_hand(graph: Arc<Layers>) -> u64 {
    let mut nodes: Vec<HandNode> = Vec::new();
    let new = |inputs: [usize; 3], missing: u32| HandNode {
        missing: AtomicU32::new(missing),
        value: std::sync::OnceLock::new(),
        inputs,
        downstream: Mutex::default(),
    };
    for _ in 0..graph.width {
        nodes.push(new([usize::MAX; 3], 0));
    }
    for (depth, layer) in graph.inputs.iter().enumerate() {
        for inputs in layer {
            let inputs = inputs.map(|input| depth * graph.width + input);
            let at = nodes.len();
            for input in inputs {
                nodes[input]
                    .downstream
                    .get_mut()
                    .expect("no panics")
                    .push(at);
            }
            nodes.push(new(inputs, 3));
        }
    }
    let nodes = Arc::new(nodes);
    let done = Arc::new(tokio::sync::Semaphore::new(0));
    for first in 0..graph.width {
        run_by_hand(&nodes, first, &done);
    }
    let all = nodes.len() as u32;
    drop(done.acquire_many(all).await.expect("never closed"));
    nodes[nodes.len() - graph.width..]
        .iter()
        .fold(0, |sum, node| {
            sum.wrapping_add(*node.value.get().expect("all ran"))
        })
}

/// A flow over `n` task runs that adds something up.
type FlowOfN = fn(u64) -> FlowCall<u64>;

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    if let Some(case) = &args.memory {
        return measure_memory(case, args.smoke);
    }
    let runtime = runtime();
    let mut results = Results::new("overhead", args);

    let n = results.size(10_000, 100);
    let engine = Engine::new();
    let ours = |flow: FlowOfN, n: u64, expected: u64| {
        let (runtime, engine) = (&runtime, &engine);
        move || {
            let engine = engine.clone();
            timed(runtime, async move {
                assert_eq!(flow(n).on(&engine).await.expect("completes"), expected);
            })
        }
    };
    let spawn_chain = || {
        timed(&runtime, async move {
            let mut x = 0;
            for _ in 0..n {
                x = tokio::spawn(async move { x + 1 }).await.expect("completes");
            }
            assert_eq!(x, n);
        })
    };
    results.compare("chain, async", n, "<= 0.8", ours(chain, n, n), spawn_chain);
    results.compare(
        "chain, inline",
        n,
        "<= 0.6",
        ours(chain_inline, n, n),
        spawn_chain,
    );
    results.compare(
        "chain, pending bodies",
        n,
        "",
        ours(chain_pending, n, n),
        || {
            timed(&runtime, async move {
                let mut x = 0;
                for _ in 0..n {
                    x = tokio::spawn(async move {
                        tokio::task::yield_now().await;
                        x + 1
                    })
                    .await
                    .expect("completes");
                }
                assert_eq!(x, n);
            })
        },
    );

    let n = results.size(100_000, 1_000);
    let total = n * (n + 1) / 2;
    let spawn_fan_out = || {
        timed(&runtime, async move {
            let all: Vec<_> = (0..n).map(|x| tokio::spawn(async move { x + 1 })).collect();
            let mut sum = 0;
            for one in all {
                sum += one.await.expect("completes");
            }
            assert_eq!(sum, total);
        })
    };
    results.compare(
        "fan-out and sum, async",
        n,
        "<= 1.0",
        ours(fan_out, n, total),
        spawn_fan_out,
    );
    results.compare(
        "fan-out and sum, inline",
        n,
        "",
        ours(fan_out_inline, n, total),
        spawn_fan_out,
    );
    results.compare(
        "fan-out and sum, pending bodies",
        n,
        "",
        ours(fan_out_pending, n, total),
        || {
            timed(&runtime, async move {
                let all: Vec<_> = (0..n)
                    .map(|x| {
                        tokio::spawn(async move {
                            tokio::task::yield_now().await;
                            x + 1
                        })
                    })
                    .collect();
                let mut sum = 0;
                for one in all {
                    sum += one.await.expect("completes");
                }
                assert_eq!(sum, total);
            })
        },
    );

    let (layers, width) = (
        results.size(100, 5) as usize,
        results.size(100, 10) as usize,
    );
    let graph = Arc::new(Layers::new(layers, width));
    let expected = graph.total();
    results.compare(
        "layered, 3 inputs each",
        graph.nodes(),
        "<= 1.4",
        || {
            let (graph, engine) = (Arc::clone(&graph), engine.clone());
            timed(&runtime, async move {
                assert_eq!(
                    layered(graph).on(&engine).await.expect("completes"),
                    expected
                );
            })
        },
        || {
            let graph = Arc::clone(&graph);
            timed(&runtime, async move {
                assert_eq!(layered_by_hand(graph).await, expected);
            })
        },
    );

    let n = results.size(1_000_000, 1_000);
    let total = n * (n + 1) / 2;
    results.compare(
        "map and fold",
        n,
        "<= 2 us each",
        ours(map_of, n, total),
        || {
            timed(&runtime, async move {
                let mut items = futures_util::stream::iter(0..n)
                    .map(|x| tokio::spawn(async move { x + 1 }))
                    .buffered(256);
                let mut sum = 0;
                while let Some(x) = items.next().await {
                    sum += x.expect("completes");
                }
                assert_eq!(sum, total);
            })
        },
    );

    if results.wants("uneven chains") {
        uneven_chains(&mut results, &runtime, &engine);
    }
    growth(&mut results, &runtime, &engine);

    for (case, budget) in [
        ("kept handles", "<= 300 B"),
        ("map, memory", "constant"),
        ("fan-out, memory", ""),
    ] {
        if results.wants(case) {
            let n = results.size(1_000_000, 10_000);
            let bytes = results.memory_of(case)?;
            let per_run = Some(bytes / n as f64);
            results.push(Row {
                case: case.to_owned(),
                n,
                ours: None,
                floor: None,
                ratio: None,
                unit: "bytes",
                bytes_per_task_run: per_run,
                budget,
            });
        }
    }
    results.finish()
}

/// Two chains of ten steps that take 20 ms and 1 ms in turn: without barriers between the layers
/// they take 105 ms.
fn uneven_chains(results: &mut Results, runtime: &Runtime, engine: &Engine) {
    let rounds = results.size(9, 1);
    let mut times: Vec<f64> = (0..rounds)
        .map(|_| {
            let engine = engine.clone();
            let time = timed(runtime, async move {
                assert_eq!(uneven().on(&engine).await.expect("completes"), 21);
            });
            time.as_secs_f64() * 1e3
        })
        .collect();
    times.sort_by(f64::total_cmp);
    let ours = times[times.len() / 2];
    results.push(Row {
        case: "uneven chains".to_owned(),
        n: 20,
        ours: Some(ours),
        floor: Some(105.0),
        ratio: Some(ours / 105.0),
        unit: "ms",
        bytes_per_task_run: None,
        budget: "<= 1.1",
    });
}

/// Ten times the task runs against the time of one.
fn growth(results: &mut Results, runtime: &Runtime, engine: &Engine) {
    let small = results.size(10_000, 100);
    let cases: [(&str, FlowOfN); 2] = [("growth, fan-in", fan_out), ("growth, chain", chain)];
    for (case, flow) in cases {
        if !results.wants(case) {
            continue;
        }
        let run = |n: u64| {
            let engine = engine.clone();
            timed(runtime, async move {
                flow(n).on(&engine).await.expect("completes");
            })
            .as_secs_f64()
        };
        let rounds = results.size(9, 1);
        let mut ratios: Vec<f64> = (0..rounds).map(|_| run(small * 10) / run(small)).collect();
        ratios.sort_by(f64::total_cmp);
        results.push(Row {
            case: case.to_owned(),
            n: small * 10,
            ours: Some(ratios[ratios.len() / 2]),
            floor: Some(10.0),
            ratio: Some(ratios[ratios.len() / 2] / 10.0),
            unit: "x time",
            bytes_per_task_run: None,
            budget: "<= 1.1",
        });
    }
}

/// Runs one case in this process and prints its peak memory above the start.
fn measure_memory(case: &str, smoke: bool) -> anyhow::Result<()> {
    let n = if smoke { 10_000 } else { 1_000_000 };
    let runtime = runtime();
    // Threads and thread-local caches come with the first run.
    runtime.block_on(async { fan_out(1_000).await })?;
    let which = case_of(case)?;
    let before = memory()?;
    let start = Instant::now();
    runtime.block_on(async {
        tokio::spawn(async move {
            match which {
                Case::Kept => {
                    let kept = keep(n).await?;
                    anyhow::ensure!(kept.len() as u64 == n);
                }
                Case::Map => {
                    anyhow::ensure!(map_of(n).await? == n * (n + 1) / 2);
                }
                Case::FanOut => {
                    anyhow::ensure!(fan_out(n).await? == n * (n + 1) / 2);
                }
            }
            anyhow::Ok(())
        })
        .await?
    })?;
    eprintln!("{case}: {:?}", start.elapsed());
    println!("{}", peak_memory()?.saturating_sub(before));
    Ok(())
}

enum Case {
    Kept,
    Map,
    FanOut,
}

fn case_of(case: &str) -> anyhow::Result<Case> {
    match case {
        "kept handles" => Ok(Case::Kept),
        "map, memory" => Ok(Case::Map),
        "fan-out, memory" => Ok(Case::FanOut),
        _ => anyhow::bail!("there is no case `{case}`"),
    }
}

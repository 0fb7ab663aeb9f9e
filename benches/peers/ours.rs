//! The shapes on `orch_core`. All bodies are async functions, as the peers' are.

use std::sync::Arc;

use orch_benches::Layers;
use orch_core::prelude::*;

#[task]
async fn step(x: u64) -> u64 {
    x + 1
}

#[task]
async fn sum(values: &[Tracked<u64>]) -> u64 {
    values.iter().map(|value| **value).sum()
}

#[task]
async fn sum_of_three(a: &u64, b: &u64, c: &u64) -> u64 {
    a.wrapping_add(*b).wrapping_add(*c).wrapping_add(1)
}

#[flow]
pub(crate) async fn chain(n: u64) -> Result<u64, TaskError> {
    let mut last = step(0);
    for _ in 1..n {
        last = step(last);
    }
    Ok(*last.await?)
}

#[flow]
pub(crate) async fn fan_out(n: u64) -> Result<u64, TaskError> {
    let all: Vec<TaskRun<u64>> = (0..n).map(step).collect();
    Ok(*sum(all).await?)
}

#[flow]
pub(crate) async fn layered(graph: Arc<Layers>) -> Result<u64, TaskError> {
    let mut before: Vec<TaskRun<u64>> = (0..graph.width as u64).map(step).collect();
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

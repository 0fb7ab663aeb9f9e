//! The shapes on `async_dag`: a graph built first, whose nodes are then all polled within the one
//! future that runs it: nothing is spawned, and no two bodies run at the same time. Neither the
//! graph nor that future can be sent to another thread.
//!
//! A node has twelve inputs at most, so none can take all of a fan-out: the sum is taken from the
//! outputs, which the graph keeps, after the run.

use async_dag::{Graph, NodeIndex};
use orch_benches::Layers;

async fn step(x: u64) -> u64 {
    x + 1
}

async fn sum_of_three(a: u64, b: u64, c: u64) -> u64 {
    a.wrapping_add(b).wrapping_add(c).wrapping_add(1)
}

pub(crate) async fn chain(n: u64) -> u64 {
    let mut graph = Graph::new();
    let mut last = graph.add_task(|| step(0));
    for _ in 1..n {
        last = graph
            .add_child_task(last, step, 0)
            .expect("one number in, one out");
    }
    run_and_sum(graph, &[last]).await
}

pub(crate) async fn fan_out(n: u64) -> u64 {
    let mut graph = Graph::new();
    let all: Vec<NodeIndex> = (0..n).map(|x| graph.add_task(move || step(x))).collect();
    run_and_sum(graph, &all).await
}

pub(crate) async fn layered(layers: &Layers) -> u64 {
    let mut graph = Graph::new();
    let mut before: Vec<NodeIndex> = (0..layers.width as u64)
        .map(|x| graph.add_task(move || step(x)))
        .collect();
    for layer in &layers.inputs {
        before = layer
            .iter()
            .map(|[a, b, c]| {
                let next = graph.add_child_task(before[*a], sum_of_three, 0);
                let next = next.expect("a number is taken");
                graph
                    .update_dependency(before[*b], next, 1)
                    .expect("a number is taken");
                graph
                    .update_dependency(before[*c], next, 2)
                    .expect("a number is taken");
                next
            })
            .collect();
    }
    run_and_sum(graph, &before).await
}

async fn run_and_sum(mut graph: Graph<'_>, of: &[NodeIndex]) -> u64 {
    graph.run().await;
    let outputs = of
        .iter()
        .map(|node| graph.get_value::<u64>(*node).expect("the node ran"));
    outputs.fold(0, u64::wrapping_add)
}

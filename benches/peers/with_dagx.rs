//! The shapes on `dagx`: a typed graph, built first and then run layer by layer. A layer of one
//! node runs in place, the nodes of a wider one are spawned, and no node of the next layer starts
//! before all of them are done.
//!
//! A node has eight inputs at most, so none can take all of a fan-out: the sum is taken from the
//! outputs, which the graph keeps, after the run.

use ::dagx::{DagRunner, Task, TaskHandle};
use orch_benches::Layers;

struct Start(u64);

#[dagx::task]
impl Start {
    async fn run(&self) -> u64 {
        self.0 + 1
    }
}

struct Step;

#[dagx::task]
impl Step {
    async fn run(x: &u64) -> u64 {
        x + 1
    }
}

struct SumOfThree;

#[dagx::task]
impl SumOfThree {
    async fn run(a: &u64, b: &u64, c: &u64) -> u64 {
        a.wrapping_add(*b).wrapping_add(*c).wrapping_add(1)
    }
}

pub(crate) async fn chain(n: u64) -> u64 {
    let dag = DagRunner::new();
    let mut last: TaskHandle<u64> = dag.add_task(Start(0)).into();
    for _ in 1..n {
        last = dag.add_task(Step).depends_on(last);
    }
    run_and_sum(&dag, &[last]).await
}

pub(crate) async fn fan_out(n: u64) -> u64 {
    let dag = DagRunner::new();
    let all: Vec<TaskHandle<u64>> = (0..n).map(|x| dag.add_task(Start(x)).into()).collect();
    run_and_sum(&dag, &all).await
}

pub(crate) async fn layered(graph: &Layers) -> u64 {
    let dag = DagRunner::new();
    let mut before: Vec<TaskHandle<u64>> = (0..graph.width as u64)
        .map(|x| dag.add_task(Start(x)).into())
        .collect();
    for layer in &graph.inputs {
        before = layer
            .iter()
            .map(|[a, b, c]| {
                dag.add_task(SumOfThree)
                    .depends_on((&before[*a], &before[*b], &before[*c]))
            })
            .collect();
    }
    run_and_sum(&dag, &before).await
}

async fn run_and_sum(dag: &DagRunner, of: &[TaskHandle<u64>]) -> u64 {
    let spawn = |node| {
        tokio::spawn(node);
    };
    dag.run(spawn).await.expect("completes");
    let outputs = of.iter().map(|node| dag.get(node).expect("the node ran"));
    outputs.fold(0, u64::wrapping_add)
}

//! The shapes on `dagrs`: a graph built first, whose nodes are then all spawned at once and wait
//! for each other on channels, one channel for each edge.
//!
//! There is one edge at most between two nodes, so a node that uses an output twice receives it
//! once. The run waits for all nodes with one `join_all`, whose time grows faster than the number
//! of nodes.

use std::collections::HashMap;
use std::sync::Arc;

use dagrs::async_trait::async_trait;
use dagrs::{
    Action, Content, DefaultNode, EnvVar, Graph, InChannels, Node as _, NodeId, NodeTable,
    OutChannels, Output,
};
use orch_benches::Layers;

/// One more than a number that is known when the graph is built.
struct Start(u64);

#[async_trait]
impl Action for Start {
    async fn run(&self, _: &mut InChannels, to: &mut OutChannels, _: Arc<EnvVar>) -> Output {
        give(to, self.0 + 1).await
    }
}

/// One more than the output of a node.
struct Step(NodeId);

#[async_trait]
impl Action for Step {
    async fn run(&self, from: &mut InChannels, to: &mut OutChannels, _: Arc<EnvVar>) -> Output {
        give(to, take(from, self.0).await + 1).await
    }
}

/// One more than the outputs of three nodes, two of which may be the same.
struct SumOfThree([NodeId; 3]);

#[async_trait]
impl Action for SumOfThree {
    async fn run(&self, from: &mut InChannels, to: &mut OutChannels, _: Arc<EnvVar>) -> Output {
        let [a, b, c] = self.0;
        let x = take(from, a).await;
        let y = if b == a { x } else { take(from, b).await };
        let z = match c {
            _ if c == a => x,
            _ if c == b => y,
            _ => take(from, c).await,
        };
        give(to, x.wrapping_add(y).wrapping_add(z).wrapping_add(1)).await
    }
}

/// The sum of all inputs. One after the other: `InChannels::map` polls all that are left each time
/// the runtime makes it give way, which takes quadratic time, minutes for a hundred thousand.
struct Sum;

#[async_trait]
impl Action for Sum {
    async fn run(&self, from: &mut InChannels, to: &mut OutChannels, _: Arc<EnvVar>) -> Output {
        let mut sum = 0;
        for node in from.get_sender_ids() {
            sum += take(from, node).await;
        }
        give(to, sum).await
    }
}

async fn take(from: &mut InChannels, node: NodeId) -> u64 {
    number(from.recv_from(&node).await.expect("the sender runs"))
}

fn number(content: Content) -> u64 {
    *content.get().expect("all nodes send numbers")
}

async fn give(to: &mut OutChannels, value: u64) -> Output {
    let content = Content::new(value);
    for sent in to.broadcast(content.clone()).await {
        sent.expect("the receiver runs");
    }
    Output::Out(Some(content))
}

/// A graph in the making.
#[derive(Default)]
struct Builder {
    graph: Graph,
    names: NodeTable,
    nodes: usize,
}

impl Builder {
    fn add(&mut self, action: impl Action + 'static) -> NodeId {
        // Nodes are known by name too, so each needs one of its own.
        let name = self.nodes.to_string();
        self.nodes += 1;
        let node = DefaultNode::with_action(name, action, &mut self.names);
        let id = node.id();
        self.graph.add_node(node).expect("a new id");
        id
    }

    fn connect(&mut self, from: NodeId, to: NodeId) {
        self.graph
            .add_edge(from, [to])
            .expect("both nodes were added");
    }

    async fn run_and_sum(mut self, of: &[NodeId]) -> u64 {
        self.graph.set_env(EnvVar::new(self.names));
        self.graph.async_start().await.expect("completes");
        let outputs: HashMap<NodeId, Option<Arc<u64>>> = self.graph.get_results();
        let outputs = of
            .iter()
            .map(|id| **outputs[id].as_ref().expect("the node ran"));
        outputs.fold(0, u64::wrapping_add)
    }
}

pub(crate) async fn chain(n: u64) -> u64 {
    let mut graph = Builder::default();
    let mut last = graph.add(Start(0));
    for _ in 1..n {
        let next = graph.add(Step(last));
        graph.connect(last, next);
        last = next;
    }
    graph.run_and_sum(&[last]).await
}

pub(crate) async fn fan_out(n: u64) -> u64 {
    let mut graph = Builder::default();
    let sum = graph.add(Sum);
    for x in 0..n {
        let start = graph.add(Start(x));
        graph.connect(start, sum);
    }
    graph.run_and_sum(&[sum]).await
}

pub(crate) async fn layered(layers: &Layers) -> u64 {
    let mut graph = Builder::default();
    let mut before: Vec<NodeId> = (0..layers.width as u64)
        .map(|x| graph.add(Start(x)))
        .collect();
    for layer in &layers.inputs {
        before = layer
            .iter()
            .map(|inputs| {
                let inputs = inputs.map(|input| before[input]);
                let next = graph.add(SumOfThree(inputs));
                for input in inputs {
                    // A second edge between two nodes is ignored.
                    graph.connect(input, next);
                }
                next
            })
            .collect();
    }
    graph.run_and_sum(&before).await
}

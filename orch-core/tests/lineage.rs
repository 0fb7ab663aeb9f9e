//! Where values came from, and what was made of them.

use std::collections::BTreeSet;
use std::sync::Arc;

use orch_core::FlowRunId;
use orch_core::history::{
    Lineage, LineageEdgeKind, LineageError, LineageFile, LineageGraph, LineageNode,
};
use orch_core::prelude::*;
use orch_core::store::{MemoryBlobs, MemoryStore};

mod support;

use support::Folder;

/// An engine in memory and one on a folder, each with nothing in it.
fn engines(name: &str) -> Vec<(Option<Folder>, Engine)> {
    let memory =
        Engine::builder().build_on(Arc::new(MemoryStore::new()), Arc::new(MemoryBlobs::new()));
    let folder = Folder::new(&format!("lineage-{name}"));
    let on_disk = folder.open();
    vec![(None, memory), (Some(folder), on_disk)]
}

async fn run<T: Send + Sync + 'static>(engine: &Engine, call: orch_core::FlowCall<T>) -> FlowRunId {
    let run = call.start(engine).unwrap();
    let id = run.id();
    run.finish().await.0.unwrap();
    id
}

/// The edges by the names of the nodes, with the kind where it is not the usual one.
fn edges(graph: &LineageGraph) -> Vec<String> {
    let name = |at: usize| graph.nodes[at].name.as_str();
    let edges = graph.edges.iter();
    edges
        .map(|edge| match edge.kind {
            LineageEdgeKind::Data => format!("{} -> {}", name(edge.from), name(edge.to)),
            kind => format!("{} -{kind:?}-> {}", name(edge.from), name(edge.to)),
        })
        .collect()
}

fn names(graph: &LineageGraph) -> Vec<&str> {
    graph.nodes.iter().map(|node| node.name.as_str()).collect()
}

fn node<'a>(graph: &'a LineageGraph, name: &str) -> &'a LineageNode {
    let node = graph.nodes.iter().find(|node| node.name == name);
    node.unwrap_or_else(|| panic!("no `{name}` among {:?}", names(graph)))
}

/// The arguments as `name = shown`, with the parameter that is the same.
fn arguments(node: &LineageNode) -> Vec<String> {
    let arguments = node.arguments.iter();
    arguments
        .map(|argument| {
            let shown = argument.shown.as_deref().unwrap_or("?");
            match &argument.same_as {
                Some(parameter) => format!("{} = {shown} = {parameter}", argument.name),
                None => format!("{} = {shown}", argument.name),
            }
        })
        .collect()
}

mod a_diamond {
    use super::*;

    #[task(cache)]
    async fn load(n: u64) -> Vec<u64> {
        (0..n).collect()
    }

    #[task(cache, version = "2")]
    async fn sum(numbers: &[u64]) -> u64 {
        numbers.iter().sum()
    }

    #[task(cache)]
    async fn longest(numbers: &[u64], limit: u64) -> u64 {
        limit.min(numbers.len() as u64)
    }

    #[task(cache)]
    async fn ratio(sum: u64, longest: u64) -> u64 {
        sum / longest
    }

    #[task]
    async fn publish(ratio: u64) -> u64 {
        ratio
    }

    #[flow]
    async fn diamond(rows: u64) -> Result<u64, TaskError> {
        let numbers = load(rows);
        let ratio = ratio(sum(&numbers), longest(&numbers, 3));
        Ok(*publish(&ratio).await?)
    }

    #[tokio::test]
    async fn is_followed_up_and_down_each_task_run_once() {
        for (_folder, engine) in engines("diamond") {
            let id = run(&engine, diamond(5)).await;
            let lineage = engine.lineage(id, "ratio").unwrap();
            assert_eq!(names(&lineage.up), ["ratio", "sum", "longest", "load"]);
            let up = [
                "sum -> ratio",
                "longest -> ratio",
                "load -> sum",
                "load -> longest",
            ];
            assert_eq!(edges(&lineage.up), up);
            assert_eq!(edges(&lineage.down), ["ratio -> publish"]);

            let [value] = &lineage.values[..] else {
                panic!("{:?}", lineage.values);
            };
            let made_by = &lineage.up.nodes[value.made_by];
            assert_eq!(made_by, &lineage.down.nodes[value.made_by]);
            assert_eq!((made_by.flow_run, value.flow_run), (id, id));
            let recorded = engine.recorded_run(id).unwrap().unwrap();
            let mut rows = recorded.task_runs.iter();
            let row = rows.find(|row| row.task.name == "ratio").unwrap();
            let stored = &row.result.as_ref().unwrap().stored;
            assert_eq!(
                (value.digest, value.len),
                (Some(stored.digest), Some(stored.len))
            );
            assert_eq!(made_by.fingerprint, row.task.fingerprint);
            assert_eq!((made_by.call, made_by.ended_at), (row.call, row.ended_at));
            assert_eq!(arguments(node(&lineage.up, "load")), ["n = 5 = rows"]);
            let longest = ["numbers = the result of `load`", "limit = 3"];
            assert_eq!(arguments(node(&lineage.up, "longest")), longest);
            assert_eq!(node(&lineage.up, "sum").version.as_deref(), Some("2"));

            let of_load = engine.lineage(id, "load").unwrap();
            let down = ["load", "sum", "longest", "ratio", "publish"];
            assert_eq!(names(&of_load.down), down);
            assert_eq!(edges(&of_load.up), [""; 0]);
        }
    }
}

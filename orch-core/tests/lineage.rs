//! Where values came from, and what was made of them.

use std::sync::Arc;

use expect_test::expect;
use orch_core::history::{
    Lineage, LineageEdgeKind, LineageError, LineageFile, LineageGraph, LineageNode,
};
use orch_core::prelude::*;
use orch_core::store::{MemoryBlobs, MemoryStore, Retention};
use orch_core::{FlowRunId, State};

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

async fn run<T: Send + Sync + 'static>(engine: &Engine, call: FlowCall<T>) -> FlowRunId {
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

/// The text of a lineage without what differs each time: times, and the hashes of code.
fn normal(lineage: &Lineage) -> String {
    let mut text = lineage.to_string();
    for node in lineage.up.nodes.iter().chain(&lineage.down.nodes) {
        text = text.replace(&node.fingerprint.short(), &format!("<{}>", node.task));
        text = text.replace(&node.source, "<source>");
        if let Some(at) = node.ended_at {
            text = text.replace(&at.to_string(), "<time>");
        }
    }
    text
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

mod a_cached_result {
    use super::*;

    #[task(cache)]
    async fn load(n: u64) -> Vec<u64> {
        (0..n).collect()
    }

    #[task(cache)]
    async fn sum(numbers: &[u64]) -> u64 {
        numbers.iter().sum()
    }

    #[task]
    async fn publish(sum: u64, _to: String) -> String {
        sum.to_string()
    }

    #[flow]
    async fn first(n: u64) -> Result<u64, TaskError> {
        Ok(*sum(load(n)).await?)
    }

    #[flow]
    async fn second(n: u64) -> Result<(), TaskError> {
        publish(sum(load(n)), "shop").await?;
        Ok(())
    }

    #[tokio::test]
    async fn is_of_the_flow_run_that_executed_it() {
        for (_folder, engine) in engines("cached") {
            let first_id = run(&engine, first(4)).await;
            let second_id = run(&engine, second(4)).await;
            let lineage = engine.lineage(second_id, "sum").unwrap();
            let [value] = &lineage.values[..] else {
                panic!("{:?}", lineage.values);
            };
            assert_eq!(value.flow_run, second_id);
            let made_by = &lineage.up.nodes[value.made_by];
            assert_eq!(made_by.flow_run, first_id);
            assert_eq!(
                (made_by.is_recorded, made_by.state),
                (true, State::Completed)
            );
            assert_eq!(edges(&lineage.up), ["load -> sum"]);
            assert_eq!(node(&lineage.up, "load").flow_run, first_id);
            assert_eq!(arguments(node(&lineage.up, "load")), ["n = 4 = n"]);

            // The same value, by whatever name it is asked for.
            assert_eq!(engine.lineage(first_id, "sum").unwrap().up, lineage.up);
            let digest = value.digest.unwrap();
            let by_digest = engine.lineage_of(digest).unwrap();
            assert_eq!(
                (&by_digest.up, &by_digest.down),
                (&lineage.up, &lineage.down)
            );
            assert_eq!(by_digest.values[0].flow_run, first_id);
            assert_eq!(engine.find_value(&digest.to_string()[..9]).unwrap(), digest);
        }
    }

    #[tokio::test]
    async fn is_followed_down_into_the_flow_runs_that_took_it() {
        for (_folder, engine) in engines("taken") {
            let first_id = run(&engine, first(4)).await;
            run(&engine, first(5)).await;
            let second_id = run(&engine, second(4)).await;
            let down = engine.lineage(first_id, "load").unwrap().down;
            let place = |node: &LineageNode| (node.name.clone(), node.flow_run);
            let named = |name: &str, id| (name.to_owned(), id);
            let nodes: Vec<_> = down.nodes.iter().map(place).collect();
            let expected = [
                named("load", first_id),
                named("sum", first_id),
                named("load", second_id),
                named("sum", second_id),
                named("publish", second_id),
            ];
            assert_eq!(nodes, expected);
            let expected = [
                "load -> sum",
                "load -Taken-> load",
                "sum -Taken-> sum",
                "load -> sum",
                "sum -> publish",
            ];
            assert_eq!(edges(&down), expected);
            assert!(!down.is_cut);
        }
    }

    #[tokio::test]
    async fn outlives_the_flow_run_that_executed_it() {
        let store = Arc::new(MemoryStore::new());
        let engine = Engine::builder()
            .retention(Retention::forever().max_runs(1))
            .build_on(store, Arc::new(MemoryBlobs::new()));
        let first_id = run(&engine, second(4)).await;
        let call = engine.lineage(first_id, "sum").unwrap().values[0].call;
        let second_id = run(&engine, second(4)).await;
        engine.collect_garbage(false).unwrap();
        assert_eq!(engine.recorded_run(first_id).unwrap(), None);

        let lineage = engine.lineage(second_id, "sum").unwrap();
        let made_by = &lineage.up.nodes[lineage.values[0].made_by];
        assert_eq!((made_by.flow_run, made_by.call), (first_id, call));
        assert!(!made_by.is_recorded && made_by.ended_at.is_some());
        // The cache knows what the key was made of.
        assert_eq!(arguments(made_by), ["numbers = the result of `load`"]);
        assert_eq!(edges(&lineage.up), ["load -> sum"]);
        assert_eq!(edges(&lineage.down), ["sum -Taken-> sum", "sum -> publish"]);
        let text = lineage.to_string();
        let gone = format!("of flow run {first_id}, which is not kept any more");
        assert!(text.contains(&gone), "{text}");
    }

    #[tokio::test]
    async fn is_traced_through_flow_runs_made_of_one_another() {
        for (_folder, engine) in engines("reruns") {
            let first_id = run(&engine, second(4)).await;
            let mut ids = vec![first_id];
            for _ in 0..2 {
                let rerun = engine.rerun(*ids.last().unwrap(), &["publish"]).unwrap();
                ids.push(rerun.id());
                rerun.await.unwrap();
            }
            let lineage = engine.lineage(ids[2], "sum").unwrap();
            assert_eq!(lineage.up.nodes[0].flow_run, first_id);
            let down = lineage.down.nodes.iter();
            let down: Vec<_> = down
                .map(|node| (node.name.as_str(), node.flow_run))
                .collect();
            let expected = [
                ("sum", ids[0]),
                ("publish", ids[0]),
                ("sum", ids[1]),
                ("publish", ids[1]),
                ("sum", ids[2]),
                ("publish", ids[2]),
            ];
            assert_eq!(down, expected);
        }
    }

    #[tokio::test]
    async fn is_written_as_two_trees() {
        let engine =
            Engine::builder().build_on(Arc::new(MemoryStore::new()), Arc::new(MemoryBlobs::new()));
        let (first, second) = (first(4).name("first"), second(4).name("second"));
        run(&engine, first).await;
        let id = run(&engine, second).await;
        let lineage = engine.lineage(id, "sum").unwrap();
        expect![[r#"
            `sum` 3724389c3396ed7d6ddddce7c5802bbf8d6aa6ccd3f2b9048bbe52f8e301eeb3, 9 bytes
              of flow run `first`, <time>
              by the code <sum> of <source>
              found in flow run `second`
            made from
              `load` 570b5b6f309d, code <load>
                n = 4 (parameter `n` of the flow)
            used by
              `sum` 3724389c3396 (taken over), code <sum>, flow run `second`
                `publish` 1419ff567d05, code <publish>
            parameters of flow run `first`
              n = 4
        "#]]
        .assert_eq(&normal(&lineage));
    }
}

mod a_file {
    use super::*;

    #[task(cache)]
    async fn read(source: DataFile) -> anyhow::Result<String> {
        Ok(std::fs::read_to_string(&source)?)
    }

    #[task]
    async fn write(text: &str, to: String) -> anyhow::Result<DataFile> {
        std::fs::write(&to, text)?;
        Ok(DataFile::from(to))
    }

    #[flow]
    async fn copy(from: DataFile, to: String) -> anyhow::Result<()> {
        write(read(from), to).await?;
        Ok(())
    }

    #[tokio::test]
    async fn is_an_input_with_what_it_held() {
        for (_folder, engine) in engines("file") {
            let place = Folder::new("lineage-files");
            let path = |name: &str| place.path().join(name).display().to_string();
            let (from, to) = (path("from.txt"), path("to.txt"));
            std::fs::write(&from, "some text").unwrap();
            let id = run(&engine, copy(&from, &to)).await;
            std::fs::write(&from, "another text").unwrap();

            let lineage = engine.lineage(id, "write").unwrap();
            let read = node(&lineage.up, "read");
            assert_eq!(read.arguments[0].same_as.as_deref(), Some("from"));
            // BLAKE3 of `some text`, by the Python package blake3.
            let content = "a0a1c159952a5c5fef1fe3ac3dca48da36ee61ede3e8b5c79fea5458d4db1c7d";
            let [run] = &lineage.flow_runs[..] else {
                panic!("{:?}", lineage.flow_runs);
            };
            let parameter = &run.parameters[0];
            assert_eq!(
                (parameter.name.as_str(), &parameter.shown),
                ("from", &from.clone().into())
            );
            let of = |files: &[LineageFile]| -> Vec<(String, String)> {
                let files = files.iter();
                files
                    .map(|file| (file.path.clone(), file.content.to_string()))
                    .collect()
            };
            assert_eq!(of(&parameter.files), [(from, content.to_owned())]);
            let written = node(&lineage.up, "write");
            assert_eq!(of(&written.files), [(to, content.to_owned())]);
        }
    }
}

mod what_is_not_there {
    use super::*;

    #[task]
    async fn three() -> u64 {
        3
    }

    #[flow]
    async fn number() -> Result<u64, TaskError> {
        Ok(*three().await?)
    }

    #[tokio::test]
    async fn is_named() {
        for (_folder, engine) in engines("unknown") {
            let id = run(&engine, number()).await;
            let error = engine.lineage(id, "four").unwrap_err();
            assert!(matches!(error, LineageError::UnknownTask { .. }));
            assert!(
                error
                    .to_string()
                    .contains("has no task run `four` (it has: `three`)")
            );
            let nobody = "0".repeat(26).parse().unwrap();
            let error = engine.lineage(nobody, "three").unwrap_err();
            assert!(matches!(error, LineageError::UnknownRun { run } if run == nobody));

            let digest = "ab".repeat(32).parse().unwrap();
            let error = engine.lineage_of(digest).unwrap_err();
            let message = error.to_string();
            assert!(message.starts_with("no recorded task run has a result with the digest `abab"));
            assert!(error.help().unwrap().contains("lineage RUN TASK"));
            for text in ["", "abab", "no digest", &"0".repeat(65)] {
                let error = engine.find_value(text).unwrap_err();
                assert!(matches!(error, LineageError::UnknownValue { .. }), "{text}");
            }
        }
        // Without a store there is nothing.
        let error = Engine::new().lineage_of("ab".repeat(32).parse().unwrap());
        assert!(matches!(error, Err(LineageError::UnknownValue { .. })));
    }
}

mod a_chain {
    use super::*;

    const LEN: u64 = 10_000;

    #[task]
    async fn first() -> u64 {
        1
    }

    #[task]
    async fn next(n: u64) -> u64 {
        n + 1
    }

    #[task]
    async fn last(n: u64) -> String {
        n.to_string()
    }

    #[flow]
    async fn count() -> Result<String, TaskError> {
        let mut n = first();
        for _ in 1..LEN {
            n = next(&n);
        }
        Ok(last(&n).await?.to_string())
    }

    #[tokio::test]
    async fn of_any_length_is_followed_and_written() {
        for (_folder, engine) in engines("chain") {
            let id = run(&engine, count()).await;
            let last = engine.lineage(id, "last").unwrap();
            assert_eq!(last.up.nodes.len() as u64, LEN + 1);
            assert_eq!(last.up.edges.len() as u64, LEN);
            assert_eq!(last.down.nodes.len(), 1);
            let text = last.to_string();
            assert!(text.len() < 10_000, "{}", text.len());
            assert!(
                text.contains("                                                ..."),
                "{text}"
            );
            let first = engine.lineage(id, "first").unwrap();
            assert_eq!(first.down.nodes.len() as u64, LEN + 1);
            assert!(first.to_string().len() < 10_000);
            let json = serde_json::to_value(&first).unwrap();
            assert_eq!(json["down"]["edges"][0]["kind"], "data");
        }
    }
}

mod what_holds_others {
    use super::*;

    #[task]
    async fn load(n: u64) -> Vec<u64> {
        (0..n).collect()
    }

    #[task(cache)]
    async fn double(x: u64) -> u64 {
        2 * x
    }

    #[task]
    async fn sum(numbers: &[u64]) -> u64 {
        numbers.iter().sum()
    }

    #[task]
    async fn refuse(n: u64) -> Result<u64, String> {
        Err(format!("{n} is too much"))
    }

    #[task]
    async fn instead() -> u64 {
        7
    }

    #[task]
    async fn log(_n: u64) {}

    #[task]
    async fn report(n: u64) -> u64 {
        n
    }

    #[flow]
    async fn inner(n: u64) -> Result<u64, TaskError> {
        let loaded = load(n);
        Ok(*sum(&loaded).await?)
    }

    #[flow]
    async fn mapped(n: u64) -> Result<u64, TaskError> {
        let doubled = map(load(n), double).collect();
        Ok(*report(sum(&doubled)).await?)
    }

    #[flow]
    async fn called(n: u64) -> Result<u64, TaskError> {
        let length = sum(load(n));
        Ok(*report(inner(&length).submit()).await?)
    }

    #[flow]
    async fn caught() -> Result<u64, TaskError> {
        let refused = refuse(8).or_else(|_| {
            let seven = instead();
            drop(log(&seven));
            seven
        });
        Ok(*report(&refused).await?)
    }

    #[tokio::test]
    async fn is_made_of_what_ran_within() {
        for (_folder, engine) in engines("containers") {
            let id = run(&engine, mapped(2)).await;
            let lineage = engine.lineage(id, "report").unwrap();
            let up = [
                "sum -> report",
                "map -> sum",
                "load -> map",
                "double -Within-> map",
                "double -Within-> map",
                "load -Given-> double",
                "load -Given-> double",
            ];
            assert_eq!(edges(&lineage.up), up);
            let down = engine.lineage(id, "load").unwrap().down;
            assert_eq!(
                names(&down),
                ["load", "map", "double", "double", "sum", "report"]
            );

            let id = run(&engine, called(5)).await;
            let lineage = engine.lineage(id, "report").unwrap();
            let up = [
                "inner -> report",
                "sum -> inner",
                "sum -Within-> inner",
                "load -> sum",
                "load -> sum",
                "sum -Given-> sum",
                "sum -Given-> load",
            ];
            assert_eq!(edges(&lineage.up), up);
            let inner = &lineage.up.nodes[3];
            assert_ne!((inner.name.as_str(), inner.flow_run), ("sum", id));
            assert_eq!(lineage.flow_runs.len(), 2);
            // The sum of 0 to 4, as the subflow has it.
            assert_eq!(lineage.flow_runs[1].parameters[0].shown, 10);

            let id = run(&engine, caught()).await;
            let lineage = engine.lineage(id, "report").unwrap();
            let up = [
                "or_else -> report",
                "refuse -Catch-> or_else",
                "log -Within-> or_else",
                "instead -> log",
                "refuse -Given-> log",
                "refuse -Given-> instead",
            ];
            assert_eq!(edges(&lineage.up), up);
            assert_eq!(node(&lineage.up, "refuse").state, State::Failed);
        }
    }
}

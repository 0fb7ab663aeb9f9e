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

mod open_lineage {
    use std::collections::HashMap;

    use serde_json::Value;

    use super::*;

    #[task(cache)]
    async fn read(source: DataFile) -> anyhow::Result<String> {
        Ok(std::fs::read_to_string(&source)?)
    }

    #[task(cache, version = "2")]
    async fn words(text: &str, min: usize) -> Vec<String> {
        let words = text.split_whitespace().filter(|word| word.len() >= min);
        words.map(str::to_owned).collect()
    }

    #[task]
    async fn length(word: String) -> usize {
        word.len()
    }

    #[task]
    async fn publish(lengths: &[usize], to: DataFile) -> anyhow::Result<DataFile> {
        std::fs::write(&to, format!("{lengths:?}"))?;
        Ok(to)
    }

    #[task]
    async fn announce(_file: &DataFile) -> Result<(), String> {
        Err("nobody listens".to_owned())
    }

    #[task]
    async fn celebrate(_announced: &()) {}

    #[flow]
    async fn measure(source: DataFile, to: String) -> anyhow::Result<usize> {
        let words = words(read(source), 2);
        let lengths = map(words, length).collect();
        publish(&lengths, to).await?;
        Ok(lengths.await?.len())
    }

    #[flow]
    async fn tell(source: DataFile, to: String) -> anyhow::Result<()> {
        let words = words(read(source), 2);
        let lengths = map(words, length).collect();
        let announced = announce(publish(&lengths, to));
        drop(celebrate(&announced));
        announced.await?;
        Ok(())
    }

    #[flow]
    async fn outer(source: DataFile, to: String) -> anyhow::Result<String> {
        let measured = measure(source, to).submit();
        Ok(words("three", measured).await?.join(" "))
    }

    /// Takes out of facets what each of them has to have, and looks at it.
    fn strip(value: &mut Value) {
        match value {
            Value::Object(fields) => {
                if let Some(schema) = fields.remove("_schemaURL") {
                    let schema = schema.as_str().unwrap();
                    assert!(
                        schema.starts_with("https://openlineage.io/spec/"),
                        "{schema}"
                    );
                    assert!(schema.contains(".json#/$defs/"), "{schema}");
                    let producer = fields.remove("_producer").unwrap();
                    assert!(
                        producer
                            .as_str()
                            .unwrap()
                            .starts_with("pkg:cargo/orch-core@")
                    );
                }
                fields.values_mut().for_each(strip);
            }
            Value::Array(elements) => elements.iter_mut().for_each(strip),
            _ => {}
        }
    }

    /// Writes the events as lines of JSON, with what differs each time replaced.
    fn normal(events: &[Value], folder: &Folder) -> String {
        let mut runs: HashMap<String, usize> = HashMap::new();
        let mut name = |at: &mut Value| {
            let next = runs.len() + 1;
            let n = *runs.entry(at.as_str().unwrap().to_owned()).or_insert(next);
            *at = Value::from(format!("<run {n}>"));
        };
        let mut text = String::new();
        for event in events {
            let mut event = event.clone();
            strip(&mut event);
            for (field, expected) in [
                (
                    "producer",
                    concat!("pkg:cargo/orch-core@", env!("CARGO_PKG_VERSION")),
                ),
                (
                    "schemaURL",
                    "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent",
                ),
            ] {
                assert_eq!(
                    event.as_object_mut().unwrap().remove(field).unwrap(),
                    expected
                );
            }
            event["eventTime"] = Value::from("<time>");
            name(&mut event["run"]["runId"]);
            let facets = &mut event["run"]["facets"];
            facets
                .as_object_mut()
                .unwrap()
                .remove("processing_engine")
                .unwrap();
            if let Some(parent) = facets.get_mut("parent") {
                name(&mut parent["run"]["runId"]);
                name(&mut parent["root"]["run"]["runId"]);
            }
            if let Some(task_run) = facets.get_mut("orch_taskRun") {
                task_run["call"] = Value::from("<call>");
                if let Some(from) = task_run["resultFrom"].as_object_mut() {
                    name(&mut from["runId"]);
                    from["call"] = Value::from("<call>");
                    from["flowRun"] = Value::from("<flow run>");
                }
            }
            if let Some(flow_run) = facets.get_mut("orch_flowRun") {
                flow_run["id"] = Value::from("<flow run>");
            }
            if let Some(parameters) = facets.get_mut("executionParameters") {
                for parameter in parameters["parameters"].as_array_mut().unwrap() {
                    if parameter["value"].as_str().unwrap().contains("ntent ") {
                        parameter["value"] = Value::from("<file>");
                    }
                }
            }
            for side in ["inputs", "outputs"] {
                for dataset in event[side].as_array_mut().unwrap() {
                    // The result is the file's path, and what it held.
                    if dataset["name"].as_str().unwrap().ends_with(".publish") {
                        let version = &mut dataset["facets"]["version"]["datasetVersion"];
                        *version = Value::from("<file>");
                        if let Some(facets) = dataset.get_mut("outputFacets") {
                            facets["outputStatistics"]["size"] = Value::from("<size>");
                        }
                    }
                }
            }
            let code = &mut event["job"]["facets"]["orch_code"];
            assert_eq!(code["fingerprint"].as_str().unwrap().len(), 64);
            code["fingerprint"] = Value::from("<code>");
            if code.get("source").is_some() {
                code["source"] = Value::from("<source>");
            }
            text.push_str(&event.to_string());
            text.push('\n');
        }
        text.replace(&folder.path().display().to_string(), "<folder>")
    }

    #[tokio::test]
    async fn of_a_completed_flow_run_has_its_jobs_and_what_they_read_and_wrote() {
        let (folder, engine) = engines("ol-completed").remove(1);
        let folder = folder.unwrap();
        let path = |name: &str| folder.path().join(name).display().to_string();
        std::fs::write(path("from.txt"), "a cat saw it").unwrap();
        let call = measure(path("from.txt"), path("to.txt"))
            .name("first")
            .seed(7);
        let id = run(&engine, call).await;
        let events = engine.open_lineage(id).unwrap();
        expect![[r#"
            {"eventTime":"<time>","eventType":"START","inputs":[{"facets":{"dataSource":{"name":"file","uri":"file:///"},"version":{"datasetVersion":"e011a934cc3e93d55ae721b28f446a4828a0df0b3cb8ca26380753d716185057"}},"name":"<folder>/from.txt","namespace":"file"}],"job":{"facets":{"jobType":{"integration":"ORCH","jobType":"FLOW","processingType":"BATCH"},"orch_code":{"fingerprint":"<code>"}},"name":"measure","namespace":"orch"},"outputs":[],"run":{"facets":{"executionParameters":{"parameters":[{"key":"source","value":"\"<folder>/from.txt\""},{"key":"to","value":"\"<folder>/to.txt\""}]},"orch_flowRun":{"id":"<flow run>","key":null,"name":"first","seed":7,"tags":[]}},"runId":"<run 1>"}}
            {"eventTime":"<time>","eventType":"START","inputs":[{"facets":{"dataSource":{"name":"file","uri":"file:///"},"version":{"datasetVersion":"e011a934cc3e93d55ae721b28f446a4828a0df0b3cb8ca26380753d716185057"}},"name":"<folder>/from.txt","namespace":"file"}],"job":{"facets":{"jobType":{"integration":"ORCH","jobType":"TASK","processingType":"BATCH"},"orch_code":{"fingerprint":"<code>","source":"<source>","task":"orch-core/lineage::open_lineage::read","version":null}},"name":"measure.read","namespace":"orch"},"outputs":[],"run":{"facets":{"executionParameters":{"parameters":[{"key":"source","value":"<file>"}]},"orch_taskRun":{"call":"<call>","name":"read","resultFrom":null},"parent":{"job":{"name":"measure","namespace":"orch"},"root":{"job":{"name":"measure","namespace":"orch"},"run":{"runId":"<run 1>"}},"run":{"runId":"<run 1>"}}},"runId":"<run 2>"}}
            {"eventTime":"<time>","eventType":"COMPLETE","inputs":[{"facets":{"dataSource":{"name":"file","uri":"file:///"},"version":{"datasetVersion":"e011a934cc3e93d55ae721b28f446a4828a0df0b3cb8ca26380753d716185057"}},"name":"<folder>/from.txt","namespace":"file"}],"job":{"facets":{"jobType":{"integration":"ORCH","jobType":"TASK","processingType":"BATCH"},"orch_code":{"fingerprint":"<code>","source":"<source>","task":"orch-core/lineage::open_lineage::read","version":null}},"name":"measure.read","namespace":"orch"},"outputs":[{"facets":{"version":{"datasetVersion":"94f9563e8a74dc978ef314d27525f1a31e22042af868dab199865da5d4c0eb5f"}},"name":"measure.read","namespace":"orch","outputFacets":{"outputStatistics":{"size":12}}}],"run":{"facets":{"executionParameters":{"parameters":[{"key":"source","value":"<file>"}]},"orch_taskRun":{"attempts":1,"call":"<call>","name":"read","resultFrom":null,"state":"completed"},"parent":{"job":{"name":"measure","namespace":"orch"},"root":{"job":{"name":"measure","namespace":"orch"},"run":{"runId":"<run 1>"}},"run":{"runId":"<run 1>"}}},"runId":"<run 2>"}}
            {"eventTime":"<time>","eventType":"START","inputs":[{"facets":{"version":{"datasetVersion":"94f9563e8a74dc978ef314d27525f1a31e22042af868dab199865da5d4c0eb5f"}},"name":"measure.read","namespace":"orch"}],"job":{"facets":{"jobType":{"integration":"ORCH","jobType":"TASK","processingType":"BATCH"},"orch_code":{"fingerprint":"<code>","source":"<source>","task":"orch-core/lineage::open_lineage::words","version":"2"}},"name":"measure.words","namespace":"orch"},"outputs":[],"run":{"facets":{"executionParameters":{"parameters":[{"key":"min","value":"2"}]},"orch_taskRun":{"call":"<call>","name":"words","resultFrom":null},"parent":{"job":{"name":"measure","namespace":"orch"},"root":{"job":{"name":"measure","namespace":"orch"},"run":{"runId":"<run 1>"}},"run":{"runId":"<run 1>"}}},"runId":"<run 3>"}}
            {"eventTime":"<time>","eventType":"COMPLETE","inputs":[{"facets":{"version":{"datasetVersion":"94f9563e8a74dc978ef314d27525f1a31e22042af868dab199865da5d4c0eb5f"}},"name":"measure.read","namespace":"orch"}],"job":{"facets":{"jobType":{"integration":"ORCH","jobType":"TASK","processingType":"BATCH"},"orch_code":{"fingerprint":"<code>","source":"<source>","task":"orch-core/lineage::open_lineage::words","version":"2"}},"name":"measure.words","namespace":"orch"},"outputs":[{"facets":{"version":{"datasetVersion":"0e13336ed4708d4d459ed72edf5c34a6edff2b8cf94ab2417ae692ea11291bdf"}},"name":"measure.words","namespace":"orch","outputFacets":{"outputStatistics":{"size":16}}}],"run":{"facets":{"executionParameters":{"parameters":[{"key":"min","value":"2"}]},"orch_taskRun":{"attempts":1,"call":"<call>","name":"words","resultFrom":null,"state":"completed"},"parent":{"job":{"name":"measure","namespace":"orch"},"root":{"job":{"name":"measure","namespace":"orch"},"run":{"runId":"<run 1>"}},"run":{"runId":"<run 1>"}}},"runId":"<run 3>"}}
            {"eventTime":"<time>","eventType":"START","inputs":[{"facets":{"version":{"datasetVersion":"0e13336ed4708d4d459ed72edf5c34a6edff2b8cf94ab2417ae692ea11291bdf"}},"name":"measure.words","namespace":"orch"}],"job":{"facets":{"jobType":{"integration":"ORCH","jobType":"TASK","processingType":"BATCH"},"orch_code":{"fingerprint":"<code>","source":"<source>","task":"orch-core/lineage::open_lineage::length","version":null}},"name":"measure.length","namespace":"orch"},"outputs":[],"run":{"facets":{"orch_taskRun":{"call":"<call>","name":"map","resultFrom":null},"parent":{"job":{"name":"measure","namespace":"orch"},"root":{"job":{"name":"measure","namespace":"orch"},"run":{"runId":"<run 1>"}},"run":{"runId":"<run 1>"}}},"runId":"<run 4>"}}
            {"eventTime":"<time>","eventType":"COMPLETE","inputs":[{"facets":{"version":{"datasetVersion":"0e13336ed4708d4d459ed72edf5c34a6edff2b8cf94ab2417ae692ea11291bdf"}},"name":"measure.words","namespace":"orch"}],"job":{"facets":{"jobType":{"integration":"ORCH","jobType":"TASK","processingType":"BATCH"},"orch_code":{"fingerprint":"<code>","source":"<source>","task":"orch-core/lineage::open_lineage::length","version":null}},"name":"measure.length","namespace":"orch"},"outputs":[{"facets":{},"name":"measure.length","namespace":"orch"}],"run":{"facets":{"orch_taskRun":{"attempts":1,"call":"<call>","name":"map","resultFrom":null,"state":"completed"},"parent":{"job":{"name":"measure","namespace":"orch"},"root":{"job":{"name":"measure","namespace":"orch"},"run":{"runId":"<run 1>"}},"run":{"runId":"<run 1>"}}},"runId":"<run 4>"}}
            {"eventTime":"<time>","eventType":"START","inputs":[{"facets":{},"name":"measure.length","namespace":"orch"}],"job":{"facets":{"jobType":{"integration":"ORCH","jobType":"TASK","processingType":"BATCH"},"orch_code":{"fingerprint":"<code>","source":"<source>","task":"orch-core/lineage::open_lineage::publish","version":null}},"name":"measure.publish","namespace":"orch"},"outputs":[],"run":{"facets":{"orch_taskRun":{"call":"<call>","name":"publish","resultFrom":null},"parent":{"job":{"name":"measure","namespace":"orch"},"root":{"job":{"name":"measure","namespace":"orch"},"run":{"runId":"<run 1>"}},"run":{"runId":"<run 1>"}}},"runId":"<run 5>"}}
            {"eventTime":"<time>","eventType":"COMPLETE","inputs":[{"facets":{},"name":"measure.length","namespace":"orch"}],"job":{"facets":{"jobType":{"integration":"ORCH","jobType":"TASK","processingType":"BATCH"},"orch_code":{"fingerprint":"<code>","source":"<source>","task":"orch-core/lineage::open_lineage::publish","version":null}},"name":"measure.publish","namespace":"orch"},"outputs":[{"facets":{"version":{"datasetVersion":"<file>"}},"name":"measure.publish","namespace":"orch","outputFacets":{"outputStatistics":{"size":"<size>"}}},{"facets":{"dataSource":{"name":"file","uri":"file:///"},"version":{"datasetVersion":"d20172f39e8c2fe563c3423a51869b16faa7668c8f9ec50ba7f49e9962c7f02c"}},"name":"<folder>/to.txt","namespace":"file"}],"run":{"facets":{"orch_taskRun":{"attempts":1,"call":"<call>","name":"publish","resultFrom":null,"state":"completed"},"parent":{"job":{"name":"measure","namespace":"orch"},"root":{"job":{"name":"measure","namespace":"orch"},"run":{"runId":"<run 1>"}},"run":{"runId":"<run 1>"}}},"runId":"<run 5>"}}
            {"eventTime":"<time>","eventType":"COMPLETE","inputs":[{"facets":{"dataSource":{"name":"file","uri":"file:///"},"version":{"datasetVersion":"e011a934cc3e93d55ae721b28f446a4828a0df0b3cb8ca26380753d716185057"}},"name":"<folder>/from.txt","namespace":"file"}],"job":{"facets":{"jobType":{"integration":"ORCH","jobType":"FLOW","processingType":"BATCH"},"orch_code":{"fingerprint":"<code>"}},"name":"measure","namespace":"orch"},"outputs":[{"facets":{"version":{"datasetVersion":"a0be93dea5c981400dd0bbcfba5dbbd2ebeab62b901a57ef97506f891d4859ef"}},"name":"measure","namespace":"orch","outputFacets":{"outputStatistics":{"size":9}}}],"run":{"facets":{"executionParameters":{"parameters":[{"key":"source","value":"\"<folder>/from.txt\""},{"key":"to","value":"\"<folder>/to.txt\""}]},"orch_flowRun":{"id":"<flow run>","key":null,"name":"first","resumptions":0,"seed":7,"state":"completed","tags":[]}},"runId":"<run 1>"}}
        "#]].assert_eq(&normal(&events, &folder));
        assert_eq!(
            engine.open_lineage(id).unwrap(),
            events,
            "it says the same each time"
        );
    }

    #[tokio::test]
    async fn of_a_failed_flow_run_has_the_error() {
        let (folder, engine) = engines("ol-failed").remove(1);
        let folder = folder.unwrap();
        let path = |name: &str| folder.path().join(name).display().to_string();
        std::fs::write(path("from.txt"), "a cat saw it").unwrap();
        run(&engine, measure(path("from.txt"), path("to.txt"))).await;
        let call = tell(path("from.txt"), path("to.txt"))
            .name("second")
            .seed(7);
        let run = call.start(&engine).unwrap();
        let id = run.id();
        run.finish().await.0.unwrap_err();
        expect![[r#"
            {"eventTime":"<time>","eventType":"START","inputs":[{"facets":{"dataSource":{"name":"file","uri":"file:///"},"version":{"datasetVersion":"e011a934cc3e93d55ae721b28f446a4828a0df0b3cb8ca26380753d716185057"}},"name":"<folder>/from.txt","namespace":"file"}],"job":{"facets":{"jobType":{"integration":"ORCH","jobType":"FLOW","processingType":"BATCH"},"orch_code":{"fingerprint":"<code>"}},"name":"tell","namespace":"orch"},"outputs":[],"run":{"facets":{"executionParameters":{"parameters":[{"key":"source","value":"\"<folder>/from.txt\""},{"key":"to","value":"\"<folder>/to.txt\""}]},"orch_flowRun":{"id":"<flow run>","key":null,"name":"second","seed":7,"tags":[]}},"runId":"<run 1>"}}
            {"eventTime":"<time>","eventType":"START","inputs":[{"facets":{"dataSource":{"name":"file","uri":"file:///"},"version":{"datasetVersion":"e011a934cc3e93d55ae721b28f446a4828a0df0b3cb8ca26380753d716185057"}},"name":"<folder>/from.txt","namespace":"file"}],"job":{"facets":{"jobType":{"integration":"ORCH","jobType":"TASK","processingType":"BATCH"},"orch_code":{"fingerprint":"<code>","source":"<source>","task":"orch-core/lineage::open_lineage::read","version":null}},"name":"tell.read","namespace":"orch"},"outputs":[],"run":{"facets":{"executionParameters":{"parameters":[{"key":"source","value":"<file>"}]},"orch_taskRun":{"call":"<call>","name":"read","resultFrom":null},"parent":{"job":{"name":"tell","namespace":"orch"},"root":{"job":{"name":"tell","namespace":"orch"},"run":{"runId":"<run 1>"}},"run":{"runId":"<run 1>"}}},"runId":"<run 2>"}}
            {"eventTime":"<time>","eventType":"COMPLETE","inputs":[{"facets":{"dataSource":{"name":"file","uri":"file:///"},"version":{"datasetVersion":"e011a934cc3e93d55ae721b28f446a4828a0df0b3cb8ca26380753d716185057"}},"name":"<folder>/from.txt","namespace":"file"}],"job":{"facets":{"jobType":{"integration":"ORCH","jobType":"TASK","processingType":"BATCH"},"orch_code":{"fingerprint":"<code>","source":"<source>","task":"orch-core/lineage::open_lineage::read","version":null}},"name":"tell.read","namespace":"orch"},"outputs":[{"facets":{"version":{"datasetVersion":"94f9563e8a74dc978ef314d27525f1a31e22042af868dab199865da5d4c0eb5f"}},"name":"tell.read","namespace":"orch"}],"run":{"facets":{"executionParameters":{"parameters":[{"key":"source","value":"<file>"}]},"orch_taskRun":{"attempts":0,"call":"<call>","name":"read","resultFrom":{"call":"<call>","flowRun":"<flow run>","runId":"<run 3>"},"state":"cached"},"parent":{"job":{"name":"tell","namespace":"orch"},"root":{"job":{"name":"tell","namespace":"orch"},"run":{"runId":"<run 1>"}},"run":{"runId":"<run 1>"}}},"runId":"<run 2>"}}
            {"eventTime":"<time>","eventType":"START","inputs":[{"facets":{"version":{"datasetVersion":"94f9563e8a74dc978ef314d27525f1a31e22042af868dab199865da5d4c0eb5f"}},"name":"tell.read","namespace":"orch"}],"job":{"facets":{"jobType":{"integration":"ORCH","jobType":"TASK","processingType":"BATCH"},"orch_code":{"fingerprint":"<code>","source":"<source>","task":"orch-core/lineage::open_lineage::words","version":"2"}},"name":"tell.words","namespace":"orch"},"outputs":[],"run":{"facets":{"executionParameters":{"parameters":[{"key":"min","value":"2"}]},"orch_taskRun":{"call":"<call>","name":"words","resultFrom":null},"parent":{"job":{"name":"tell","namespace":"orch"},"root":{"job":{"name":"tell","namespace":"orch"},"run":{"runId":"<run 1>"}},"run":{"runId":"<run 1>"}}},"runId":"<run 4>"}}
            {"eventTime":"<time>","eventType":"COMPLETE","inputs":[{"facets":{"version":{"datasetVersion":"94f9563e8a74dc978ef314d27525f1a31e22042af868dab199865da5d4c0eb5f"}},"name":"tell.read","namespace":"orch"}],"job":{"facets":{"jobType":{"integration":"ORCH","jobType":"TASK","processingType":"BATCH"},"orch_code":{"fingerprint":"<code>","source":"<source>","task":"orch-core/lineage::open_lineage::words","version":"2"}},"name":"tell.words","namespace":"orch"},"outputs":[{"facets":{"version":{"datasetVersion":"0e13336ed4708d4d459ed72edf5c34a6edff2b8cf94ab2417ae692ea11291bdf"}},"name":"tell.words","namespace":"orch"}],"run":{"facets":{"executionParameters":{"parameters":[{"key":"min","value":"2"}]},"orch_taskRun":{"attempts":0,"call":"<call>","name":"words","resultFrom":{"call":"<call>","flowRun":"<flow run>","runId":"<run 5>"},"state":"cached"},"parent":{"job":{"name":"tell","namespace":"orch"},"root":{"job":{"name":"tell","namespace":"orch"},"run":{"runId":"<run 1>"}},"run":{"runId":"<run 1>"}}},"runId":"<run 4>"}}
            {"eventTime":"<time>","eventType":"START","inputs":[{"facets":{"version":{"datasetVersion":"0e13336ed4708d4d459ed72edf5c34a6edff2b8cf94ab2417ae692ea11291bdf"}},"name":"tell.words","namespace":"orch"}],"job":{"facets":{"jobType":{"integration":"ORCH","jobType":"TASK","processingType":"BATCH"},"orch_code":{"fingerprint":"<code>","source":"<source>","task":"orch-core/lineage::open_lineage::length","version":null}},"name":"tell.length","namespace":"orch"},"outputs":[],"run":{"facets":{"orch_taskRun":{"call":"<call>","name":"map","resultFrom":null},"parent":{"job":{"name":"tell","namespace":"orch"},"root":{"job":{"name":"tell","namespace":"orch"},"run":{"runId":"<run 1>"}},"run":{"runId":"<run 1>"}}},"runId":"<run 6>"}}
            {"eventTime":"<time>","eventType":"COMPLETE","inputs":[{"facets":{"version":{"datasetVersion":"0e13336ed4708d4d459ed72edf5c34a6edff2b8cf94ab2417ae692ea11291bdf"}},"name":"tell.words","namespace":"orch"}],"job":{"facets":{"jobType":{"integration":"ORCH","jobType":"TASK","processingType":"BATCH"},"orch_code":{"fingerprint":"<code>","source":"<source>","task":"orch-core/lineage::open_lineage::length","version":null}},"name":"tell.length","namespace":"orch"},"outputs":[{"facets":{},"name":"tell.length","namespace":"orch"}],"run":{"facets":{"orch_taskRun":{"attempts":1,"call":"<call>","name":"map","resultFrom":null,"state":"completed"},"parent":{"job":{"name":"tell","namespace":"orch"},"root":{"job":{"name":"tell","namespace":"orch"},"run":{"runId":"<run 1>"}},"run":{"runId":"<run 1>"}}},"runId":"<run 6>"}}
            {"eventTime":"<time>","eventType":"START","inputs":[{"facets":{},"name":"tell.length","namespace":"orch"}],"job":{"facets":{"jobType":{"integration":"ORCH","jobType":"TASK","processingType":"BATCH"},"orch_code":{"fingerprint":"<code>","source":"<source>","task":"orch-core/lineage::open_lineage::publish","version":null}},"name":"tell.publish","namespace":"orch"},"outputs":[],"run":{"facets":{"orch_taskRun":{"call":"<call>","name":"publish","resultFrom":null},"parent":{"job":{"name":"tell","namespace":"orch"},"root":{"job":{"name":"tell","namespace":"orch"},"run":{"runId":"<run 1>"}},"run":{"runId":"<run 1>"}}},"runId":"<run 7>"}}
            {"eventTime":"<time>","eventType":"COMPLETE","inputs":[{"facets":{},"name":"tell.length","namespace":"orch"}],"job":{"facets":{"jobType":{"integration":"ORCH","jobType":"TASK","processingType":"BATCH"},"orch_code":{"fingerprint":"<code>","source":"<source>","task":"orch-core/lineage::open_lineage::publish","version":null}},"name":"tell.publish","namespace":"orch"},"outputs":[{"facets":{"version":{"datasetVersion":"<file>"}},"name":"tell.publish","namespace":"orch","outputFacets":{"outputStatistics":{"size":"<size>"}}},{"facets":{"dataSource":{"name":"file","uri":"file:///"},"version":{"datasetVersion":"d20172f39e8c2fe563c3423a51869b16faa7668c8f9ec50ba7f49e9962c7f02c"}},"name":"<folder>/to.txt","namespace":"file"}],"run":{"facets":{"orch_taskRun":{"attempts":1,"call":"<call>","name":"publish","resultFrom":null,"state":"completed"},"parent":{"job":{"name":"tell","namespace":"orch"},"root":{"job":{"name":"tell","namespace":"orch"},"run":{"runId":"<run 1>"}},"run":{"runId":"<run 1>"}}},"runId":"<run 7>"}}
            {"eventTime":"<time>","eventType":"START","inputs":[{"facets":{"version":{"datasetVersion":"<file>"}},"name":"tell.publish","namespace":"orch"}],"job":{"facets":{"jobType":{"integration":"ORCH","jobType":"TASK","processingType":"BATCH"},"orch_code":{"fingerprint":"<code>","source":"<source>","task":"orch-core/lineage::open_lineage::announce","version":null}},"name":"tell.announce","namespace":"orch"},"outputs":[],"run":{"facets":{"orch_taskRun":{"call":"<call>","name":"announce","resultFrom":null},"parent":{"job":{"name":"tell","namespace":"orch"},"root":{"job":{"name":"tell","namespace":"orch"},"run":{"runId":"<run 1>"}},"run":{"runId":"<run 1>"}}},"runId":"<run 8>"}}
            {"eventTime":"<time>","eventType":"FAIL","inputs":[{"facets":{"version":{"datasetVersion":"<file>"}},"name":"tell.publish","namespace":"orch"}],"job":{"facets":{"jobType":{"integration":"ORCH","jobType":"TASK","processingType":"BATCH"},"orch_code":{"fingerprint":"<code>","source":"<source>","task":"orch-core/lineage::open_lineage::announce","version":null}},"name":"tell.announce","namespace":"orch"},"outputs":[],"run":{"facets":{"errorMessage":{"message":"task run `announce` of flow run `second` failed","programmingLanguage":"Rust","stackTrace":"caused by: nobody listens"},"orch_taskRun":{"attempts":1,"call":"<call>","name":"announce","resultFrom":null,"state":"failed"},"parent":{"job":{"name":"tell","namespace":"orch"},"root":{"job":{"name":"tell","namespace":"orch"},"run":{"runId":"<run 1>"}},"run":{"runId":"<run 1>"}}},"runId":"<run 8>"}}
            {"eventTime":"<time>","eventType":"FAIL","inputs":[{"facets":{"dataSource":{"name":"file","uri":"file:///"},"version":{"datasetVersion":"e011a934cc3e93d55ae721b28f446a4828a0df0b3cb8ca26380753d716185057"}},"name":"<folder>/from.txt","namespace":"file"}],"job":{"facets":{"jobType":{"integration":"ORCH","jobType":"FLOW","processingType":"BATCH"},"orch_code":{"fingerprint":"<code>"}},"name":"tell","namespace":"orch"},"outputs":[],"run":{"facets":{"errorMessage":{"message":"flow run `second` failed","programmingLanguage":"Rust","stackTrace":"caused by: task run `announce` of flow run `second` failed\ncaused by: nobody listens"},"executionParameters":{"parameters":[{"key":"source","value":"\"<folder>/from.txt\""},{"key":"to","value":"\"<folder>/to.txt\""}]},"orch_flowRun":{"id":"<flow run>","key":null,"name":"second","resumptions":0,"seed":7,"state":"failed","tags":[]}},"runId":"<run 1>"}}
        "#]].assert_eq(&normal(&engine.open_lineage(id).unwrap(), &folder));
    }

    #[tokio::test]
    async fn holds_the_subflows() {
        let (folder, engine) = engines("ol-subflow").remove(1);
        let folder = folder.unwrap();
        let path = |name: &str| folder.path().join(name).display().to_string();
        std::fs::write(path("from.txt"), "a cat saw it").unwrap();
        let id = run(&engine, outer(path("from.txt"), path("to.txt"))).await;
        let events = engine.open_lineage(id).unwrap();
        let last = events.last().unwrap();
        let root = &last["run"]["runId"];
        let job = |event: &Value| event["job"]["name"].as_str().unwrap().to_owned();
        let jobs: Vec<String> = events
            .iter()
            .map(|event| {
                if let Some(parent) = event["run"]["facets"].get("parent") {
                    assert_eq!(&parent["root"]["run"]["runId"], root);
                    assert_eq!(parent["root"]["job"]["name"], "outer");
                }
                format!("{} {}", event["eventType"].as_str().unwrap(), job(event))
            })
            .collect();
        let expected = [
            "START outer",
            "START measure",
            "START measure.read",
            "COMPLETE measure.read",
            "START measure.words",
            "COMPLETE measure.words",
            "START measure.length",
            "COMPLETE measure.length",
            "START measure.publish",
            "COMPLETE measure.publish",
            "COMPLETE measure",
            "START outer.words",
            "COMPLETE outer.words",
            "COMPLETE outer",
        ];
        assert_eq!(jobs, expected);
        let inputs = &events[events.len() - 2]["inputs"];
        assert_eq!(
            (&inputs[0]["name"], inputs.as_array().unwrap().len()),
            (&"measure".into(), 1)
        );
    }

    #[tokio::test]
    async fn needs_a_flow_run() {
        let (_folder, engine) = engines("ol-unknown").remove(0);
        let nobody = "0".repeat(26).parse().unwrap();
        let error = engine.open_lineage(nobody).unwrap_err();
        assert!(matches!(error, LineageError::UnknownRun { .. }));
    }
}

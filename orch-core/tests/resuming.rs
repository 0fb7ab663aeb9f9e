//! What a resumed flow run hands back, and what it runs again.

mod support;

use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use orch_core::prelude::*;
use orch_core::store::{Change, Durability, FolderStore, RunStore, TaskRunRow};
use orch_core::{CacheIdentity, FlowErrorKind, Passes, RunReport, State, group, retry_scope};
use serde_json::json;

use support::{Folder, note_in, role, say};

fn exists(folder: &str, name: &str) -> bool {
    Path::new(folder).join(name).exists()
}

fn permit(folder: &Folder, name: &str) {
    std::fs::write(folder.path().join(name), "").unwrap();
}

async fn permission(folder: &str) {
    while !exists(folder, "go") {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

fn path_of(folder: &Folder) -> String {
    folder.path().to_str().unwrap().to_owned()
}

/// A number that no other call gives.
fn unique() -> u64 {
    use std::hash::{BuildHasher, RandomState};
    RandomState::new().hash_one(0)
}

/// Fails as long as the folder does not permit it to go on.
#[task]
async fn gate(folder: String) -> Result<(), String> {
    if exists(&folder, "go") {
        Ok(())
    } else {
        Err("closed".into())
    }
}

/// Plays the flow of this name, with the folder as its argument.
#[test]
fn program() {
    let Some((role, folder)) = role() else {
        return;
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_time()
        .build()
        .unwrap();
    runtime.block_on(async {
        let engine = Engine::open(folder.join("store")).unwrap();
        match start(&role, &engine, &folder).finish().await.0 {
            Ok(result) => say(&format!("result {}", result.unwrap())),
            Err(error) => say(&format!("failed: {:#}", anyhow::Error::from(error))),
        }
    });
}

fn start(flow: &str, engine: &Engine, folder: &Path) -> orch_core::NamedRun {
    let flow = orch_core::flows().find(|known| known.definition().name == flow);
    let arguments = json!({ "folder": folder.to_str().unwrap() });
    let serde_json::Value::Object(arguments) = arguments else {
        unreachable!()
    };
    let call = flow.unwrap().call(arguments).unwrap();
    call.key("k").start(engine).unwrap()
}

/// Plays it in this process, to its end.
async fn play(flow: &str, folder: &Folder) -> (Result<serde_json::Value, String>, RunReport) {
    let engine = folder.open();
    let (result, report) = start(flow, &engine, folder.path()).finish().await;
    let result = result
        .map(Option::unwrap)
        .map_err(|error| format!("{:#}", anyhow::Error::from(error)));
    (result, report)
}

/// Waits until the task runs of a flow are recorded in a way.
async fn until_recorded(folder: &Folder, flow: &str, is_so: impl Fn(&[TaskRunRow]) -> bool) {
    loop {
        let rows = folder.rows().await;
        if let Some((_, rows)) = rows.iter().find(|(run, _)| run.flow == flow)
            && is_so(rows)
        {
            return;
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

fn states(report: &RunReport, task: &str) -> Vec<State> {
    let runs = report.task_runs.iter().filter(|run| run.task == task);
    runs.map(|run| run.state).collect()
}

mod two_equal_calls {
    use super::*;

    #[task]
    async fn train(folder: String) -> u64 {
        note_in(folder.as_ref(), "trained");
        unique()
    }

    #[task]
    async fn publish(folder: String, name: &str, model: &u64) -> String {
        permission(&folder).await;
        format!("{name} {model}")
    }

    #[flow]
    async fn equal_calls(folder: String) -> anyhow::Result<String> {
        let (first, second) = (train(folder.clone()), train(folder.clone()));
        let (first, second) = (first.await?, second.await?);
        say(&format!("models {first} {second}"));
        let published = publish(folder.clone(), "second", &second);
        Ok(format!(
            "{} {}",
            *publish(folder, "first", &first).await?,
            *published.await?
        ))
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn each_get_their_own_result_back_after_a_kill() {
        let folder = Folder::new("equal-calls");
        let mut program = folder.program("equal_calls");
        let models = program.hear().unwrap();
        until_recorded(&folder, "equal_calls", |rows| {
            let rows = rows.iter().filter(|row| row.task.name == "train");
            rows.filter(|row| row.state.is_success()).count() == 2
        })
        .await;
        program.kill();
        permit(&folder, "go");

        let mut program = folder.program("equal_calls");
        assert_eq!(program.hear(), Some(models.clone()));
        let [_, first, second] = models.split(' ').collect::<Vec<_>>()[..] else {
            panic!("{models}");
        };
        assert_ne!(first, second);
        let result = format!("result \"first {first} second {second}\"");
        assert_eq!(program.hear(), Some(result));
        program.end();
        assert_eq!(folder.notes(), ["trained"; 2]);
    }
}

mod a_cached_task_that_is_no_function_of_its_arguments {
    use super::*;

    #[task(cache)]
    async fn train(rows: u64) -> u64 {
        rows ^ unique()
    }

    #[task(cache)]
    async fn score(model: &u64) -> u64 {
        model.wrapping_add(1)
    }

    #[flow]
    async fn evaluate() -> anyhow::Result<(u64, u64)> {
        let model = train(7u64);
        let score = score(&model);
        Ok((*model.await?, *score.await?))
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn is_evicted_and_run_again_and_nobody_gets_what_was_made_of_the_older_result() {
        let folder = Folder::new("evicted");
        let first = evaluate().on(&folder.open()).await.unwrap();
        assert_eq!(evaluate().on(&folder.open()).await.unwrap(), first);
        let store = FolderStore::open(folder.store()).unwrap();
        let entries = store.cache_entries().await.unwrap();
        let model = entries.iter().find(|entry| entry.task == "train").unwrap();
        let dropped = [Change::CacheDropped {
            key: model.key.digest,
        }];
        store
            .commit(&dropped, &[], Durability::Relaxed)
            .await
            .unwrap();

        let second = evaluate().on(&folder.open()).await.unwrap();
        assert_ne!(second.0, first.0);
        assert_eq!(second.1, second.0.wrapping_add(1));
    }
}

mod a_body_that_decides_by_what_is_outside {
    use super::*;

    #[task]
    async fn left(folder: String) -> u32 {
        note_in(folder.as_ref(), "left");
        1
    }

    #[task]
    async fn right(folder: String) -> u32 {
        note_in(folder.as_ref(), "right");
        2
    }

    #[flow]
    async fn decide(folder: String) -> anyhow::Result<u32> {
        let way = if exists(&folder, "go") {
            right(folder.clone())
        } else {
            left(folder.clone())
        };
        let way = *way.await?;
        gate(folder).await?;
        Ok(way)
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn takes_another_way_when_it_is_resumed_and_what_it_left_is_an_orphan() {
        let folder = Folder::new("decide");
        assert!(play("decide", &folder).await.0.is_err());
        // It may still come that way: nothing is an orphan yet.
        let orphans = async || {
            let rows = folder.rows().await;
            let orphans = rows[0].1.iter().filter(|row| row.is_orphaned);
            orphans.map(|row| row.task.name.clone()).collect::<Vec<_>>()
        };
        assert_eq!(orphans().await, [""; 0]);
        permit(&folder, "go");
        assert_eq!(play("decide", &folder).await.0, Ok(json!(2)));
        assert_eq!(folder.notes(), ["left", "right"]);
        assert_eq!(orphans().await, ["left"]);
    }
}

mod a_file_that_changes_while_it_is_read {
    use super::*;

    #[task(cache)]
    async fn read(data: DataFile, log: String) -> std::io::Result<String> {
        note_in(log.as_ref(), "read");
        let text = std::fs::read_to_string(&data)?;
        if text == "old" {
            std::fs::write(&data, "new")?;
        }
        Ok(text)
    }

    #[flow]
    async fn reading(folder: String) -> anyhow::Result<String> {
        let text = read(PathBuf::from(&folder).join("data"), folder.clone())
            .await?
            .into_inner();
        gate(folder).await?;
        Ok(text)
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn is_used_as_it_was_read_and_neither_cached_nor_handed_back() {
        let folder = Folder::new("changing-file");
        let data = folder.path().join("data");
        std::fs::write(&data, "old").unwrap();
        let (result, report) = play("reading", &folder).await;
        assert!(result.unwrap_err().contains("closed"));
        assert_eq!(states(&report, "read"), [State::Completed]);

        // The content that the key was made of is there again; its result is not.
        std::fs::write(&data, "old").unwrap();
        permit(&folder, "go");
        assert_eq!(play("reading", &folder).await.0, Ok(json!("old")));
        assert_eq!(folder.notes(), ["read"; 2]);
    }
}

mod what_uses_a_result_that_is_not_stored {
    use super::*;

    #[task]
    async fn number(folder: String, n: u64) -> u64 {
        note_in(folder.as_ref(), "number");
        n
    }

    #[task(keep = "memory")]
    async fn fleeting(folder: String) -> Vec<u64> {
        let first = u64::from(exists(&folder, "other"));
        (first..10).collect()
    }

    #[task]
    async fn double(folder: String, n: &u64) -> u64 {
        note_in(folder.as_ref(), "double");
        2 * n
    }

    #[task]
    async fn longest(folder: String, names: &[String]) -> usize {
        note_in(folder.as_ref(), "longest");
        names.iter().map(String::len).max().unwrap()
    }

    #[task]
    async fn count(folder: String, numbers: &[u64]) -> usize {
        note_in(folder.as_ref(), "count");
        numbers.len()
    }

    #[flow]
    async fn unstored(folder: String) -> anyhow::Result<u64> {
        let path = folder.clone();
        let sum = map(1..=4u64, move |n| number(path.clone(), n)).fold(0, |sum, n| sum + n);
        let path = folder.clone();
        let pair = group("pair", move || async move {
            let n = *number(path.clone(), 5).await?;
            Ok((n, vec!["five".to_owned()]))
        });
        let (five, names) = pair.unzip();
        let doubled = *double(folder.clone(), sum).await? + *double(folder.clone(), five).await?;
        let longest = *longest(folder.clone(), names).await?;
        let counted = *count(folder.clone(), fleeting(folder.clone())).await?;
        gate(folder).await?;
        Ok(doubled + (longest + counted) as u64)
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn is_handed_back_if_that_comes_to_the_same() {
        let folder = Folder::new("unstored");
        assert!(play("unstored", &folder).await.0.is_err());
        let first = folder.notes();
        permit(&folder, "go");
        let (result, report) = play("unstored", &folder).await;
        // 2 * (1 + 2 + 3 + 4) + 2 * 5 + 4 letters + 10 numbers
        assert_eq!(result, Ok(json!(44)));
        for task in ["double", "longest", "count"] {
            assert!(
                states(&report, task)
                    .iter()
                    .all(|state| *state == State::Reused)
            );
        }
        assert_eq!(folder.notes(), first);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn and_runs_again_if_not() {
        let folder = Folder::new("unstored-other");
        assert!(play("unstored", &folder).await.0.is_err());
        permit(&folder, "go");
        permit(&folder, "other");
        let (result, report) = play("unstored", &folder).await;
        assert_eq!(result, Ok(json!(43)));
        assert_eq!(states(&report, "count"), [State::Completed]);
        assert_eq!(states(&report, "double"), [State::Reused; 2]);
    }
}

mod a_large_result_that_is_lost {
    use super::*;

    #[task]
    async fn large(folder: String) -> Vec<u64> {
        note_in(folder.as_ref(), "large");
        let first = u64::from(exists(&folder, "other"));
        (first..10_000).collect()
    }

    /// The same with twice the numbers.
    #[task]
    async fn larger(folder: String) -> Vec<u64> {
        let first = u64::from(exists(&folder, "other"));
        (first..20_000).collect()
    }

    #[task]
    async fn sum(numbers: &[u64]) -> u64 {
        numbers.iter().sum()
    }

    #[task]
    async fn last(numbers: &[u64]) -> u64 {
        *numbers.last().unwrap()
    }

    #[flow]
    async fn lossy(folder: String) -> anyhow::Result<u64> {
        let numbers = large(folder.clone());
        let sum = *sum(&numbers).await?;
        if exists(&folder, "lose") {
            // By now the results are handed back; the numbers are not in memory.
            let blobs = walk(&PathBuf::from(&folder).join("store/blobs"));
            assert!(!blobs.is_empty());
            blobs
                .iter()
                .for_each(|blob| std::fs::remove_file(blob).unwrap());
        }
        gate(folder).await?;
        Ok(sum + *last(&numbers).await?)
    }

    #[flow]
    async fn lossy_twice(folder: String) -> anyhow::Result<u64> {
        let numbers = large(folder.clone());
        let later = larger(folder.clone());
        let sums = *sum(&numbers).await? + *sum(&later).await?;
        // By now the results are handed back; one of them is lost in each execution.
        let mut blobs = walk(&PathBuf::from(&folder).join("store/blobs"));
        blobs.sort_by_key(|blob| blob.metadata().unwrap().len());
        for (name, blob) in [("lose", &blobs[0]), ("lose later", &blobs[blobs.len() - 1])] {
            if std::fs::remove_file(Path::new(&folder).join(name)).is_ok() {
                std::fs::remove_file(blob)?;
                break;
            }
        }
        gate(folder).await?;
        Ok(sums + *last(&numbers).await? + *last(&later).await?)
    }

    fn walk(folder: &Path) -> Vec<PathBuf> {
        let mut files = Vec::new();
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                files.extend(walk(&path));
            } else {
                files.push(path);
            }
        }
        files
    }

    const SUM: u64 = 9_999 * 10_000 / 2;
    const LARGER_SUM: u64 = 19_999 * 20_000 / 2;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn before_its_dependents_started_is_made_again() {
        let folder = Folder::new("lost-before");
        assert!(play("lossy", &folder).await.0.is_err());
        for blob in folder.files("blobs") {
            std::fs::remove_file(blob).unwrap();
        }
        permit(&folder, "go");
        assert_eq!(play("lossy", &folder).await.0, Ok(json!(SUM + 9_999)));
        assert_eq!(folder.notes(), ["large"; 2]);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn after_its_dependents_started_is_made_again_and_is_the_same() {
        let folder = Folder::new("lost-after");
        assert!(play("lossy", &folder).await.0.is_err());
        permit(&folder, "lose");
        permit(&folder, "go");
        let (result, report) = play("lossy", &folder).await;
        assert_eq!(result, Ok(json!(SUM + 9_999)));
        assert_eq!(states(&report, "sum"), [State::Reused]);
        assert_eq!(folder.notes(), ["large"; 2]);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn and_is_another_one_now_makes_the_flow_run_go_on_by_itself() {
        let folder = Folder::new("lost-other");
        assert!(play("lossy", &folder).await.0.is_err());
        for name in ["lose", "go", "other"] {
            permit(&folder, name);
        }
        let (result, report) = play("lossy", &folder).await;
        // All of it is made of the new one.
        assert_eq!(result, Ok(json!(SUM + 9_999)));
        assert_eq!(states(&report, "sum"), [State::Completed]);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn and_another_one_after_it_ends_the_flow_run() {
        let folder = Folder::new("lost-twice");
        assert!(play("lossy_twice", &folder).await.0.is_err());
        for name in ["lose", "lose later", "go", "other"] {
            permit(&folder, name);
        }
        let (result, report) = play("lossy_twice", &folder).await;
        let error = result.unwrap_err();
        let what = "`larger` was lost after it had been used";
        assert!(error.contains(what), "{error}");
        assert_eq!(states(&report, "large"), [State::Completed]);
        // Started once more, all of it is made of the new ones.
        let (result, report) = play("lossy_twice", &folder).await;
        assert_eq!(result, Ok(json!(SUM + 9_999 + LARGER_SUM + 19_999)));
        assert_eq!(states(&report, "sum"), [State::Reused, State::Completed]);
    }
}

mod a_resource_that_differs_between_engines {
    use super::*;

    struct Warehouse {
        url: &'static str,
    }

    impl CacheIdentity for Warehouse {
        fn cache_identity(&self) -> String {
            self.url.to_owned()
        }
    }

    #[task(cache)]
    async fn address(warehouse: Resource<Warehouse>, table: &str) -> String {
        format!("{}/{table}", warehouse.url)
    }

    #[flow]
    async fn locate() -> anyhow::Result<String> {
        Ok(address("orders").await?.into_inner())
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn keeps_their_cached_results_apart() {
        let folder = Folder::new("resources");
        let open = |url| {
            let builder = Engine::builder().resource(Warehouse { url });
            builder.open(folder.store()).unwrap()
        };
        for (url, state) in [
            ("staging", State::Completed),
            ("production", State::Completed),
            ("staging", State::Cached),
        ] {
            let run = locate().start(&open(url)).unwrap();
            let (result, report) = run.finish().await;
            assert_eq!(result.unwrap(), format!("{url}/orders"));
            assert_eq!(states(&report, "address"), [state]);
        }
    }
}

mod what_a_body_remembers {
    use super::*;

    #[task]
    async fn charge(ctx: &TaskContext, folder: String) -> anyhow::Result<String> {
        note_in(folder.as_ref(), "runs");
        let receipt = ctx
            .step(("charge", 7), async || {
                note_in(folder.as_ref(), "charged");
                anyhow::Ok(unique())
            })
            .await?;
        let receipt = format!("receipt {receipt} {}", ctx.idempotency_key());
        say(&receipt);
        permission(&folder).await;
        Ok(receipt)
    }

    #[flow]
    async fn shop(ctx: &FlowContext, folder: String) -> anyhow::Result<String> {
        let nanos = |now: std::time::SystemTime| now.duration_since(UNIX_EPOCH).unwrap().as_nanos();
        let (first, second) = (ctx.now(), ctx.now());
        let (a, b) = (ctx.rng().next_u64(), ctx.rng().next_u64());
        assert_ne!(a, b);
        let lot = ctx.step("lot", async || anyhow::Ok(unique())).await?;
        say(&format!(
            "chose {} {} {a} {b} {lot}",
            nanos(first),
            nanos(second)
        ));
        Ok(charge(folder).await?.into_inner())
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn is_the_same_after_a_kill() {
        let folder = Folder::new("remembers");
        let mut program = folder.program("shop");
        let (choices, receipt) = (program.hear().unwrap(), program.hear().unwrap());
        let store = FolderStore::open(folder.store()).unwrap();
        let run = folder.rows().await[0].0.id;
        // Two moments, a lot, a receipt.
        while store.steps(run).await.unwrap().len() < 4 {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        program.kill();
        permit(&folder, "go");
        let mut program = folder.program("shop");
        assert_eq!(program.hear(), Some(choices));
        assert_eq!(program.hear(), Some(receipt.clone()));
        assert_eq!(program.hear(), Some(format!("result \"{receipt}\"")));
        program.end();
        assert_eq!(folder.notes(), ["runs", "charged", "runs"]);
    }
}

mod a_task_run_whose_process_is_gone_three_times {
    use super::*;

    #[task]
    async fn heavy(folder: String) -> u32 {
        say("heavy runs");
        permission(&folder).await;
        7
    }

    #[flow]
    async fn lift(folder: String) -> anyhow::Result<u32> {
        // The group and the map wait with it, and are not to blame.
        let path = folder.clone();
        let grouped = group("lifting", move || async move {
            let all = map(0..1, move |_| heavy(path.clone())).collect().await?;
            Ok(all[0])
        });
        Ok(*grouped.await?)
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn takes_the_blame_until_the_flow_run_is_started_anew() {
        let folder = Folder::new("three-crashes");
        for crashes in 0..3 {
            let mut program = folder.program("lift");
            program.hear_that("heavy runs");
            until_recorded(&folder, "lift", |rows| {
                let heavy = rows.iter().find(|row| row.task.name == "heavy");
                heavy.is_some_and(|row| row.state == State::Running && row.crashes == crashes)
            })
            .await;
            program.kill();
        }
        permit(&folder, "go");
        let (result, _) = play("lift", &folder).await;
        let error = result.unwrap_err();
        assert!(
            error.contains("its process was gone 3 times while it ran"),
            "{error}"
        );
        let rows = folder.rows().await;
        let heavy = rows[0]
            .1
            .iter()
            .find(|row| row.task.name == "heavy")
            .unwrap();
        assert_eq!((heavy.state, heavy.crashes), (State::Crashed, 3));
        assert_eq!(heavy.error.as_ref().unwrap().kind, "lost_process");

        assert_eq!(play("lift", &folder).await.0, Ok(json!(7)));
    }
}

mod a_handle_of_another_flow_run {
    use super::*;

    #[task]
    async fn measure(folder: String) -> u64 {
        note_in(folder.as_ref(), "measured");
        7
    }

    #[task]
    async fn double(folder: String, x: u64) -> u64 {
        note_in(folder.as_ref(), "doubled");
        2 * x
    }

    #[flow]
    async fn outer(folder: String, x: u64) -> anyhow::Result<u64> {
        let doubled = *double(folder.clone(), x).await?;
        gate(folder).await?;
        Ok(doubled)
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn is_an_argument_like_any_other_once_it_has_its_result() {
        let folder = Folder::new("other-handle");
        let engine = folder.open();
        let path = path_of(&folder);
        let measured = measure(path.clone()).await.unwrap();
        assert!(outer(&path, &measured).key("k").on(&engine).await.is_err());
        permit(&folder, "go");
        let run = outer(&path, 7u64).key("k").start(&engine).unwrap();
        assert_eq!(run.await.unwrap(), 14);
        assert_eq!(folder.notes(), ["measured", "doubled"]);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn whose_result_is_not_there_yet_cannot_be_stored() {
        let folder = Folder::new("unfinished-handle");
        let engine = folder.open();
        let path = path_of(&folder);
        #[task]
        async fn slow(folder: String) -> u64 {
            permission(&folder).await;
            7
        }
        let run = outer(&path, slow(&path)).key("k").start(&engine);
        let error = run.unwrap_err();
        assert!(
            matches!(error.kind(), FlowErrorKind::NotStorable { .. }),
            "{error}"
        );
        permit(&folder, "go");
        // Without a key nobody asks for it.
        assert_eq!(outer(&path, slow(&path)).on(&engine).await.unwrap(), 14);
    }
}

mod a_scope_that_runs_what_failed {
    use super::*;

    #[task]
    async fn download(folder: String, part: u32) -> u32 {
        note_in(folder.as_ref(), &format!("downloaded {part}"));
        part
    }

    #[task]
    async fn verify(folder: String, a: &u32, b: &u32) -> Result<u32, String> {
        note_in(folder.as_ref(), "verified");
        if exists(&folder, "go") {
            Ok(a + b)
        } else {
            Err("damaged".into())
        }
    }

    #[flow]
    async fn fetch(folder: String) -> anyhow::Result<u32> {
        let sum = retry_scope("fetch", Passes::failed_only(1), move |_| {
            let folder = folder.clone();
            async move {
                let parts = (download(&folder, 1u32), download(&folder, 2u32));
                Ok(*verify(&folder, parts.0, parts.1).await?)
            }
        });
        Ok(*sum.await?)
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn hands_back_over_its_passes_and_when_it_is_resumed() {
        let folder = Folder::new("passes");
        assert!(
            play("fetch", &folder)
                .await
                .0
                .unwrap_err()
                .contains("damaged")
        );
        let mut notes = folder.notes();
        notes[..2].sort();
        assert_eq!(
            notes,
            ["downloaded 1", "downloaded 2", "verified", "verified"]
        );
        permit(&folder, "go");
        assert_eq!(play("fetch", &folder).await.0, Ok(json!(3)));
        assert_eq!(folder.notes().len(), 5, "verified once more");
    }
}

mod a_map_of_many_items {
    use super::*;

    #[task(inline)]
    fn square(folder: &str, x: u64) -> u64 {
        note_in(folder.as_ref(), "squared");
        x * x
    }

    #[flow]
    async fn squares(folder: String) -> anyhow::Result<u64> {
        let path = folder.clone();
        let sum = map(0..2_000u64, move |x| square(path.clone(), x)).fold(0, |sum, x| sum + x);
        let sum = *sum.await?;
        gate(folder).await?;
        Ok(sum)
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn hands_all_of_them_back() {
        let folder = Folder::new("many-items");
        assert!(play("squares", &folder).await.0.is_err());
        assert_eq!(folder.notes().len(), 2_000);
        permit(&folder, "go");
        let sum: u64 = (0..2_000u64).map(|x| x * x).sum();
        assert_eq!(play("squares", &folder).await.0, Ok(json!(sum)));
        assert_eq!(folder.notes().len(), 2_000);
    }
}

mod a_subflow {
    use super::*;

    #[task]
    async fn prepare(folder: String, part: u64) -> u64 {
        note_in(folder.as_ref(), &format!("prepared {part}"));
        part
    }

    #[flow]
    async fn part(folder: String, n: u64) -> anyhow::Result<u64> {
        let prepared = *prepare(folder.clone(), n).await?;
        if n == 2 {
            gate(folder).await?;
        }
        Ok(10 * prepared)
    }

    #[flow]
    async fn whole(folder: String) -> anyhow::Result<Vec<u64>> {
        // The second time the first call is another one.
        let first = if exists(&folder, "go") { 3 } else { 1 };
        let mut parts = vec![part(folder.clone(), first).await?];
        parts.push(part(folder, 2u64).await?);
        Ok(parts)
    }

    #[flow]
    async fn with_handle(folder: String) -> anyhow::Result<u64> {
        let prepared = prepare(folder.clone(), 2u64);
        Ok(part(folder, prepared).await?)
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn goes_on_with_its_own_run_and_never_with_that_of_other_arguments() {
        let folder = Folder::new("subflow");
        assert!(play("whole", &folder).await.0.is_err());
        let part_of = async |n: u64| {
            let rows = folder.rows().await;
            let mut rows = rows
                .iter()
                .map(|(run, _)| run)
                .filter(|run| run.flow == "part");
            let has = |value: &serde_json::Value| *value == json!(n);
            let run = rows.find(|run| {
                let parameters = run.parameters.as_ref().unwrap();
                parameters
                    .iter()
                    .any(|parameter| parameter.name == "n" && has(&parameter.shown))
            });
            run.unwrap().clone()
        };
        let second = part_of(2).await;
        assert_eq!(second.state, State::Failed);
        let whole = folder.rows().await;
        let (whole, _) = whole.iter().find(|(run, _)| run.flow == "whole").unwrap();
        assert_eq!(second.caller.unwrap().0, whole.id);

        permit(&folder, "go");
        let (result, _) = play("whole", &folder).await;
        assert_eq!(result, Ok(json!([30, 20])));
        assert_eq!(folder.notes(), ["prepared 1", "prepared 2", "prepared 3"]);
        let again = part_of(2).await;
        assert_eq!((again.id, again.state), (second.id, State::Completed));
        assert_ne!(part_of(3).await.id, part_of(1).await.id);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn with_a_task_run_for_an_argument_goes_on_with_its_own_run() {
        let folder = Folder::new("subflow-handle");
        assert!(play("with_handle", &folder).await.0.is_err());
        permit(&folder, "go");
        assert_eq!(play("with_handle", &folder).await.0, Ok(json!(20)));
        assert_eq!(
            folder.notes(),
            ["prepared 2"; 2],
            "in the flow and in the subflow"
        );
        let runs = folder.rows().await;
        assert_eq!(runs.len(), 2);
    }
}

mod a_result_that_cannot_be_stored {
    use super::*;

    /// A connection, say.
    pub(super) struct Open(u64);

    #[task]
    async fn open(folder: String) -> Open {
        note_in(folder.as_ref(), "opened");
        Open(7)
    }

    #[task]
    async fn query(folder: String, on: &Open) -> u64 {
        note_in(folder.as_ref(), "queried");
        on.0
    }

    #[task]
    async fn plan(folder: String) -> u64 {
        note_in(folder.as_ref(), "planned");
        1
    }

    #[task]
    async fn report(folder: String, answer: &u64, plan: &u64) -> u64 {
        note_in(folder.as_ref(), "reported");
        answer + plan
    }

    #[flow]
    async fn ask(folder: String) -> anyhow::Result<u64> {
        let answer = query(folder.clone(), open(folder.clone()));
        let answer = *report(folder.clone(), answer, plan(folder.clone())).await?;
        gate(folder).await?;
        Ok(answer)
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn is_made_again_and_so_is_what_was_made_of_it() {
        let folder = Folder::new("not-storable");
        assert!(play("ask", &folder).await.0.is_err());
        assert_eq!(folder.notes().len(), 4);
        permit(&folder, "go");
        let (result, report) = play("ask", &folder).await;
        assert_eq!(result, Ok(json!(8)));
        assert_eq!(states(&report, "open"), [State::Completed]);
        assert_eq!(states(&report, "query"), [State::Completed]);
        assert_eq!(states(&report, "plan"), [State::Reused]);
        // The answer is the same as before: what hangs on its value does not run.
        assert_eq!(states(&report, "report"), [State::Reused]);
        assert_eq!(folder.notes()[4..], ["opened", "queried"]);
    }
}

mod a_flow_run_that_is_stopped_early {
    use super::*;

    /// Made again by each execution of the flow run.
    pub(super) struct Connection;

    #[task]
    async fn connect(folder: String) -> Connection {
        if exists(&folder, "blocked") {
            permission(&folder).await;
        }
        Connection
    }

    #[task]
    async fn count(folder: String, n: u32, before: &u32) -> u32 {
        note_in(folder.as_ref(), &format!("counted {n}"));
        before + n
    }

    #[flow]
    async fn steps(folder: String) -> anyhow::Result<u32> {
        let connection = connect(folder.clone());
        let first = count::with().after(&connection);
        let mut sum = first.submit(folder.clone(), 0u32, 0u32);
        for n in 1..=3u32 {
            sum = count(folder.clone(), n, sum);
        }
        if !exists(&folder, "blocked") {
            (&mut sum).await?;
        }
        gate(folder).await?;
        Ok(*sum.await?)
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn keeps_the_results_that_it_did_not_get_to() {
        let folder = Folder::new("stopped-early");
        assert!(play("steps", &folder).await.0.is_err());
        let counted = async || {
            let rows = folder.rows().await.remove(0).1;
            let rows = rows.into_iter().filter(|row| row.task.name == "count");
            rows.map(|row| (row.call, row.state, row.result))
                .collect::<Vec<_>>()
        };
        let before = counted().await;
        assert_eq!(before.len(), 4);
        permit(&folder, "blocked");
        assert!(play("steps", &folder).await.0.is_err());
        assert_eq!(counted().await, before);

        permit(&folder, "go");
        assert_eq!(play("steps", &folder).await.0, Ok(json!(6)));
        assert_eq!(folder.notes().len(), 4, "nothing was counted again");
    }
}

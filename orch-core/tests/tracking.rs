//! What code logs on the record of its flow run: whose it is, what stays, and where it is seen.

mod support;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use orch_core::prelude::*;
use orch_core::report::LoggedReport;
use orch_core::store::{FlowRunFilter, MemoryBlobs, MemoryStore, Retention};
use orch_core::{
    Digest, EventKind, FlowRunId, Received, RunLog, RunReport, Secret, State, TrackError,
};
use serde_json::json;

use support::Folder;

fn in_memory_store() -> Engine {
    Engine::builder().build_on(Arc::new(MemoryStore::new()), Arc::new(MemoryBlobs::new()))
}

/// What was logged, line by line.
fn lines(report: &RunReport) -> Vec<String> {
    let mut lines = Vec::new();
    for logged in &report.logged {
        let LoggedReport {
            name,
            params,
            metrics,
            tags,
            artifacts,
            ..
        } = logged;
        let mut line = |text: String| lines.push(format!("{name}: {text}"));
        for (name, value) in params {
            line(format!("{name} = {value}"));
        }
        for (name, metric) in metrics {
            let points: Vec<String> = metric
                .points
                .iter()
                .map(|point| format!("{}@{}", point.value, point.step))
                .collect();
            line(format!("{name} {}", points.join(" ")));
        }
        for (name, value) in tags {
            line(format!("#{name} {value}"));
        }
        for (name, artifact) in artifacts {
            line(format!(
                "{name} ({}, {})",
                artifact.media_type, artifact.bytes
            ));
        }
    }
    lines
}

fn recorded(engine: &Engine, id: &str) -> RunReport {
    let id: FlowRunId = id.parse().unwrap();
    engine.recorded_run(id).unwrap().unwrap().report()
}

/// Reports of a flow run by who made it, and by who reads its record.
async fn both<T: Send + Sync + 'static>(engine: &Engine, call: FlowCall<T>) -> [RunReport; 2] {
    let (_, live) = call.start(engine).unwrap().finish().await;
    let read = recorded(engine, &live.flow_run);
    [live, read]
}

mod a_task_run {
    use super::*;

    #[task(retries = 1, backoff = "1ms")]
    async fn train(ctx: &TaskContext) -> Result<f64, String> {
        let attempt = i64::from(ctx.attempt());
        ctx.log_param("attempt", attempt)
            .map_err(|e| e.to_string())?;
        ctx.log_metric("loss", 0, 1.0 / attempt as f64)
            .map_err(|e| e.to_string())?;
        if attempt == 1 {
            ctx.set_tag("broken", "yes").map_err(|e| e.to_string())?;
            return Err("not yet".to_owned());
        }
        ctx.log_metric("loss", 1, 0.25).map_err(|e| e.to_string())?;
        Ok(0.25)
    }

    #[task(retries = 1, backoff = "1ms")]
    async fn quiet(ctx: &TaskContext) -> anyhow::Result<()> {
        if ctx.attempt() == 1 {
            ctx.log_metric("loss", 0, 9.0)?;
            anyhow::bail!("not yet");
        }
        Ok(())
    }

    #[flow]
    async fn learn(ctx: &FlowContext) -> anyhow::Result<()> {
        ctx.log_param("model", "linear")?;
        quiet().await?;
        train().await?;
        Ok(())
    }

    #[tokio::test]
    async fn shows_what_its_last_attempt_logged() {
        let folder = Folder::new("tracking-attempts");
        for engine in [in_memory_store(), folder.open()] {
            for report in both(&engine, learn().name("learning")).await {
                assert_eq!(
                    lines(&report),
                    [
                        "learning: model = \"linear\"",
                        "train: attempt = 2",
                        "train: loss 0.5@0 0.25@1"
                    ]
                );
                assert_eq!(report.logged[0].task_run, None);
                let index = report.logged[1].task_run.unwrap();
                assert_eq!(report.task_runs[index as usize].name, "train");
                let back = RunReport::from_json(&report.to_json()).unwrap();
                assert_eq!(back.logged, report.logged);
            }
        }
        let (_, report) = learn().start(&Engine::new()).unwrap().finish().await;
        assert_eq!(lines(&report).len(), 3);
    }

    #[tokio::test]
    async fn keeps_what_earlier_attempts_logged_in_the_store() {
        let engine = in_memory_store();
        let run = learn().start(&engine).unwrap();
        let id = run.id();
        run.finish().await.0.unwrap();
        let recorded = engine.recorded_run(id).unwrap().unwrap();
        assert_eq!(recorded.logged.len(), 2);
        let rows = engine.logged_rows(id).unwrap();
        let losses: Vec<(u32, f64)> = rows
            .metrics
            .iter()
            .map(|row| (row.by.attempt, row.value))
            .collect();
        assert_eq!(losses, [(1, 9.0), (1, 1.0), (2, 0.5), (2, 0.25)]);
        assert_eq!(rows.tags.len(), 1);
    }
}

mod a_result_from_elsewhere {
    use super::*;

    static EXECUTED: AtomicUsize = AtomicUsize::new(0);
    /// One test at a time executes.
    static ALONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

    #[task(cache)]
    async fn fit(ctx: &TaskContext, depth: u32) -> anyhow::Result<u32> {
        EXECUTED.fetch_add(1, Ordering::SeqCst);
        ctx.log_param("depth", depth)?;
        ctx.log_metrics(0, [("error", 1.0 / f64::from(depth))])?;
        ctx.log_artifact("tree.txt", format!("depth {depth}").into_bytes())?;
        Ok(depth)
    }

    #[task(cache, inline)]
    fn score(ctx: &TaskContext, depth: &u32) -> anyhow::Result<u32> {
        ctx.set_tag("scored", depth.to_string())?;
        Ok(depth + 1)
    }

    /// More than a row holds.
    #[task(cache)]
    async fn large(ctx: &TaskContext) -> anyhow::Result<Vec<u8>> {
        ctx.log_param("size", 20_000)?;
        Ok(vec![1; 20_000])
    }

    #[flow]
    async fn search() -> Result<usize, TaskError> {
        let depths = map(vec![2_u32, 4], fit).name("depths").collect();
        score(fit(8)).await?;
        Ok(large().await?.len() + depths.await?.len())
    }

    const EXPECTED: [&str; 10] = [
        "fit: depth = 2",
        "fit: error 0.5@0",
        "fit: tree.txt (text/plain, 7)",
        "fit: depth = 4",
        "fit: error 0.25@0",
        "fit: tree.txt (text/plain, 7)",
        "fit: depth = 8",
        "fit: error 0.125@0",
        "fit: tree.txt (text/plain, 7)",
        "score: #scored 8",
    ];

    fn expected() -> Vec<String> {
        let mut lines: Vec<String> = EXPECTED.map(str::to_owned).to_vec();
        lines.push("large: size = 20000".to_owned());
        lines.sort();
        lines
    }

    fn sorted(report: &RunReport) -> Vec<String> {
        let mut lines = lines(report);
        lines.sort();
        lines
    }

    #[tokio::test]
    async fn shows_what_its_execution_logged() {
        let _alone = ALONE.lock().await;
        EXECUTED.store(0, Ordering::SeqCst);
        let folder = Folder::new("tracking-cached");
        let first = folder.open();
        // Also with another seed: logging is no use of it.
        for (engine, seed) in [(&first, 1), (&first, 2), (&folder.open(), 3)] {
            for report in both(engine, search().seed(seed)).await {
                assert_eq!(sorted(&report), expected());
            }
            assert_eq!(EXECUTED.load(Ordering::SeqCst), 3, "seed {seed}");
        }
        let memory = Engine::new();
        for _ in 0..2 {
            let (result, report) = search().start(&memory).unwrap().finish().await;
            assert!(result.is_ok());
            assert_eq!(sorted(&report), expected());
        }
        assert_eq!(EXECUTED.load(Ordering::SeqCst), 6);
    }

    #[tokio::test]
    async fn shows_it_through_runs_that_were_made_of_others() {
        let _alone = ALONE.lock().await;
        let folder = Folder::new("tracking-rerun");
        let engine = folder.open();
        let [first, _] = both(&engine, search()).await;
        let mut of: FlowRunId = first.flow_run.parse().unwrap();
        for _ in 0..2 {
            let rerun = engine.rerun(of, &["large"]).unwrap();
            of = rerun.id();
            let (result, live) = rerun.finish().await;
            assert!(result.is_ok());
            assert_eq!(sorted(&live), expected());
            assert_eq!(sorted(&recorded(&engine, &of.to_string())), expected());
        }
    }
}

mod a_flow_run_that_is_resumed {
    use super::*;

    static FAILS: AtomicUsize = AtomicUsize::new(0);

    #[task]
    async fn load(ctx: &TaskContext) -> anyhow::Result<u32> {
        ctx.log_metric("rows", 0, 7.0)?;
        Ok(7)
    }

    #[task]
    async fn fit(ctx: &TaskContext, rows: &u32) -> anyhow::Result<u32> {
        ctx.log_param("rows", rows)?;
        let execution = FAILS.fetch_add(1, Ordering::SeqCst);
        ctx.log_metric("execution", 0, execution as f64)?;
        anyhow::ensure!(execution > 0, "out of memory");
        Ok(*rows)
    }

    #[flow]
    async fn learn(ctx: &FlowContext) -> anyhow::Result<u32> {
        // Another value than in the execution before, and no error.
        ctx.log_param("execution", FAILS.load(Ordering::SeqCst))?;
        Ok(*fit(load()).await?)
    }

    #[tokio::test]
    async fn shows_what_its_last_execution_logged_and_what_was_handed_back() {
        let folder = Folder::new("tracking-resumed");
        let engine = folder.open();
        let [failed, read] = both(&engine, learn().key("once").name("learning")).await;
        for report in [failed, read] {
            assert_eq!(report.state, State::Failed);
            assert_eq!(
                lines(&report),
                [
                    "learning: execution = 0",
                    "load: rows 7@0",
                    "fit: rows = 7",
                    "fit: execution 0@0"
                ]
            );
        }
        for report in both(&engine, learn().key("once")).await {
            assert_eq!(report.state, State::Completed);
            assert_eq!(
                lines(&report),
                [
                    "learning: execution = 1",
                    "load: rows 7@0",
                    "fit: rows = 7",
                    "fit: execution 1@0"
                ]
            );
        }
    }
}

mod a_param {
    use super::*;

    #[task]
    async fn change(ctx: &TaskContext) -> anyhow::Result<()> {
        ctx.log_params(&BTreeMap::from([("rate", 0.1), ("decay", 0.5)]))?;
        ctx.log_param("rate", 0.1)?;
        ctx.log_param("rate", 0.2)?;
        Ok(())
    }

    #[flow]
    async fn changing() -> Result<String, TaskError> {
        let error = change().await.unwrap_err();
        Ok(format!("{:#}", anyhow::Error::from(error)))
    }

    #[tokio::test]
    async fn cannot_be_changed() {
        for engine in [Engine::new(), in_memory_store()] {
            let (error, report) = changing().start(&engine).unwrap().finish().await;
            let error = error.unwrap();
            assert!(
                error.contains(
                    "param `rate` of `change` was logged as 0.1 and cannot be changed to 0.2"
                ),
                "{error}"
            );
            assert_eq!(
                lines(&report),
                ["change: decay = 0.5", "change: rate = 0.1"]
            );
        }
    }

    /// Logs one of each.
    #[flow]
    pub(super) async fn of_everything(ctx: &FlowContext) -> anyhow::Result<()> {
        ctx.log_param("rate", 0.1)?;
        ctx.log_metrics(1, [("loss", 0.1), ("rows", 7.0)])?;
        ctx.set_tag("team", "blue")?;
        Ok(())
    }

    #[task]
    async fn refused(ctx: &TaskContext) -> Vec<String> {
        let errors = [
            ctx.log_param("", 1),
            ctx.log_param("a/../b", 1),
            ctx.log_metric("loss\n", 0, 1.0),
            ctx.set_tag("tag", "x".repeat(6_001)),
            ctx.log_params(&[1, 2]),
            ctx.log_param("pairs", BTreeMap::from([((1, 2), 3)])),
            ctx.log_artifact("missing.csv", Path::new("/no/such/file.csv"))
                .map(drop),
        ];
        let errors = errors.into_iter().map(|error| error.unwrap_err());
        errors.map(|error| error.to_string()).collect()
    }

    #[flow]
    async fn refusing() -> Result<Vec<String>, TaskError> {
        Ok(refused().await?.into_inner())
    }

    #[tokio::test]
    async fn and_all_else_is_refused_by_a_message_that_names_it() {
        let (errors, report) = refusing().start(&Engine::new()).unwrap().finish().await;
        assert_eq!(
            errors.unwrap(),
            [
                "param `` has no letters",
                "param `a/../b` is no relative path",
                "metric `loss\n` has characters that names of files do not have everywhere",
                "tag `tag` has 6001 bytes, at most 6000 are kept",
                "params are fields of a struct or entries of a map, not a list",
                "param `pairs` cannot be written as JSON",
                "artifact `missing.csv`: file `/no/such/file.csv` cannot be read",
            ]
        );
        assert_eq!(report.logged, []);
        assert!(TrackError::NotFields { found: "a list" }.help().is_some());
    }
}

mod metrics {
    use super::*;

    #[task]
    async fn odd(ctx: &TaskContext) -> anyhow::Result<()> {
        for (step, value) in [(3_usize, 0.5), (1, f64::NAN), (2, f64::INFINITY)] {
            ctx.log_metric("loss", step, value)?;
        }
        ctx.log_metric("loss", -1, f64::NEG_INFINITY)?;
        Ok(())
    }

    #[flow]
    async fn oddly() -> Result<(), TaskError> {
        odd().await?;
        Ok(())
    }

    #[tokio::test]
    async fn that_are_no_numbers_are_accepted_and_shown() {
        let folder = Folder::new("tracking-nan");
        for report in both(&folder.open(), oddly()).await {
            assert_eq!(lines(&report), ["odd: loss 0.5@3 NaN@1 inf@2 -inf@-1"]);
            let loss = &report.logged[0].metrics["loss"];
            assert_eq!(
                (loss.last, loss.min, loss.max),
                (0.5, f64::NEG_INFINITY, f64::INFINITY)
            );
            let json = report.to_json();
            assert!(
                json.contains("\"NaN\"") && json.contains("\"-Infinity\""),
                "{json}"
            );
            let back = RunReport::from_json(&json).unwrap();
            assert_eq!(lines(&back), lines(&report));
            let tables = report.logged_tables();
            assert!(
                tables.contains("loss    odd   0.5  -inf  inf       4"),
                "{tables}"
            );
        }
    }

    #[task]
    fn long(ctx: &TaskContext, points: i64) -> Result<(), TrackError> {
        (0..points).try_for_each(|step| ctx.log_metric("loss", step, step as f64))
    }

    #[task]
    fn many(ctx: &TaskContext, names: u32) -> Result<(), TrackError> {
        (0..names).try_for_each(|name| ctx.log_metric(&format!("m{name}"), 0, 1.0))
    }

    #[flow]
    async fn at_length(points: i64, names: u32) -> Result<(), TaskError> {
        long(points).await?;
        many(names).await?;
        Ok(())
    }

    #[tokio::test]
    async fn beyond_what_fits_the_memory_are_thinned_and_counted() {
        let folder = Folder::new("tracking-many");
        let engine = folder.open();
        let [live, read] = both(&engine, at_length(250_000, 20_100)).await;
        // The flow run has 20,000 names in memory, the store all of them.
        assert_eq!(live.logged_dropped, 101);
        assert_eq!(live.logged[1].metrics.len(), 19_999);
        assert_eq!(
            (read.logged_dropped, read.logged[1].metrics.len()),
            (0, 20_100)
        );
        for report in [live, read] {
            let loss = &report.logged[0].metrics["loss"];
            assert_eq!(loss.n_points, 250_000);
            assert_eq!((loss.last, loss.min, loss.max), (249_999.0, 0.0, 249_999.0));
            let kept = loss.points.len();
            assert!((50_000..=100_001).contains(&kept), "{kept}");
            assert_eq!(loss.points[1].step, 4);
            assert_eq!(loss.points.last().unwrap().step, 249_999);
        }
    }

    #[task]
    async fn steady(ctx: &TaskContext) -> Result<(), TrackError> {
        for step in 0..1_000 {
            ctx.log_metric("loss", step, 1.0)?;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
        ctx.log_metric("loss", 1_000, 2.0)
    }

    #[flow]
    async fn steadily(ctx: &FlowContext) -> anyhow::Result<()> {
        steady().await?;
        ctx.log_metric("total", 0, 3.0)?;
        Ok(())
    }

    #[tokio::test(start_paused = true)]
    async fn are_told_of_ten_times_a_second_at_most() {
        let engine = Engine::new();
        let mut events = engine.subscribe();
        steadily().on(&engine).await.unwrap();
        let mut told = Vec::new();
        while let Some(Received::Event(event)) = events.try_next() {
            if let EventKind::MetricLogged {
                task_run,
                metric,
                step,
                value,
            } = event.kind
            {
                let of = task_run.map(|run| run.name.to_string());
                told.push((of, metric.to_string(), step, value));
            }
        }
        let of = |name: &str| Some(name.to_owned());
        assert_eq!(
            told,
            [
                (of("steady"), "loss".to_owned(), 0, 1.0),
                (of("steady"), "loss".to_owned(), 1_000, 2.0),
                (None, "total".to_owned(), 0, 3.0),
            ]
        );
    }
}

mod artifacts {
    use super::*;

    #[task]
    fn leave(ctx: &TaskContext, folder: std::path::PathBuf) -> anyhow::Result<[String; 2]> {
        let path = folder.join("table.bin");
        std::fs::write(&path, vec![7_u8; 300_000])?;
        let file = ctx.log_artifact("tables/table.csv", &path)?;
        ctx.log_artifact("note.md", b"to be replaced")?;
        let note = ctx.log_artifact("note.md", b"# Done")?;
        Ok([file.to_string(), note.to_string()])
    }

    #[flow]
    async fn leaving(folder: std::path::PathBuf) -> Result<[String; 2], TaskError> {
        Ok(leave(folder).await?.into_inner())
    }

    fn read(engine: &Engine, digest: &str) -> Option<Vec<u8>> {
        let digest: Digest = digest.parse().unwrap();
        engine.read_artifact(&digest).unwrap()
    }

    #[tokio::test]
    async fn are_kept_by_their_contents_and_read_back() {
        let folder = Folder::new("tracking-artifacts");
        for engine in [folder.open(), in_memory_store(), Engine::new()] {
            let call = leaving(folder.path().to_owned());
            let (digests, report) = call.start(&engine).unwrap().finish().await;
            let [file, note] = digests.unwrap();
            assert_eq!(
                lines(&report),
                [
                    "leave: note.md (text/markdown, 6)",
                    "leave: tables/table.csv (text/csv, 300000)"
                ]
            );
            let artifacts = &report.logged[0].artifacts;
            assert_eq!(artifacts["tables/table.csv"].digest, file);
            assert_eq!(artifacts["note.md"].digest, note);
            assert_eq!(read(&engine, &note).unwrap(), b"# Done");
            assert_eq!(read(&engine, &file).unwrap(), vec![7; 300_000]);
            assert_eq!(read(&engine, &"0".repeat(64)), None);
        }
        // BLAKE3 of the bytes 1 and 2, then those of the artifact: `docs/encoding.md`. By Python's
        // `blake3.blake3(b"\x01\x02# Done").hexdigest()`, version 1.0.11.
        let (digests, _) = leaving(folder.path().to_owned())
            .start(&Engine::new())
            .unwrap()
            .finish()
            .await;
        assert_eq!(digests.unwrap()[1], NOTE);
    }

    const NOTE: &str = "170dcae92ddc5f5b8459d1193b4c496b77ccea8e22cade6801b95aaebf714775";

    #[tokio::test]
    async fn that_are_damaged_are_not_there_and_are_found_by_a_check() {
        let folder = Folder::new("tracking-damage");
        let engine = folder.open();
        let [_, note] = leaving(folder.path().to_owned()).on(&engine).await.unwrap();
        let report = engine.check_store().unwrap();
        assert!(report.is_sound(), "{report}");
        let path = folder.store().join("blobs").join(&note[..2]).join(&note);
        std::fs::write(path, b"# Gone").unwrap();
        assert_eq!(read(&engine, &note), None);
        let report = engine.check_store().unwrap();
        assert_eq!(report.lost.len(), 1, "{report}");
        assert!(
            report.to_string().contains("artifact `note.md` of call "),
            "{report}"
        );
    }

    #[tokio::test]
    async fn go_with_their_flow_run_and_all_else_that_was_logged() {
        let folder = Folder::new("tracking-retention");
        let engine = Engine::builder()
            .retention(Retention::forever().max_runs(1))
            .open(folder.store())
            .unwrap();
        for _ in 0..3 {
            leaving(folder.path().to_owned()).on(&engine).await.unwrap();
            a_param::of_everything().on(&engine).await.unwrap();
        }
        let collected = engine.collect_garbage(false).unwrap();
        assert_eq!(collected.flow_runs, 4);
        assert_eq!(
            engine
                .recorded_runs(FlowRunFilter::default())
                .unwrap()
                .len(),
            2
        );
        drop(engine);
        let database = rusqlite::Connection::open(folder.store().join("orch.db")).unwrap();
        let count = |table: &str| -> u32 {
            let sql = format!("SELECT count(*) FROM {table}");
            database.query_row(&sql, [], |row| row.get(0)).unwrap()
        };
        let counts = ["params", "metrics", "tags", "artifacts"].map(count);
        assert_eq!(counts, [1, 2, 1, 2]);
    }
}

/// A secret is nowhere in the folder.
#[tokio::test]
async fn secrets_are_taken_out_of_params_and_tags() {
    const PASSWORD: &str = "correct horse battery";

    #[task]
    async fn leak(ctx: &TaskContext) -> Result<(), TrackError> {
        ctx.log_param(
            "address",
            json!({ "url": format!("db://user:{PASSWORD}@host") }),
        )?;
        ctx.set_tag("password", PASSWORD)?;
        RunLog::current().set_tag(PASSWORD, "x")
    }

    #[flow]
    async fn leaking() -> Result<(), TaskError> {
        leak().await?;
        Ok(())
    }

    let _secret: Secret = Secret::new(PASSWORD.to_owned());
    let folder = Folder::new("tracking-secret");
    let engine = folder.open();
    for report in both(&engine, leaking()).await {
        let json = report.to_json();
        assert!(!json.contains(PASSWORD), "{json}");
        assert_eq!(
            lines(&report),
            [
                "leak: address = {\"url\":\"db://user:[secret]@host\"}",
                "leak: #[secret] x",
                "leak: #password [secret]"
            ]
        );
    }
    drop(engine);
    for file in ["orch.db", "orch.db-wal"] {
        let bytes = std::fs::read(folder.store().join(file)).unwrap_or_default();
        let found = bytes
            .windows(PASSWORD.len())
            .any(|part| part == PASSWORD.as_bytes());
        assert!(!found, "{file}");
    }
}

/// Code that outlives its flow run logs nowhere, and takes nothing from others.
#[tokio::test]
async fn what_is_logged_after_the_end_is_nobodys() {
    #[derive(Clone, Default)]
    struct Out(Arc<Mutex<Option<TaskContext>>>);

    #[task]
    async fn hand_out(ctx: &TaskContext, to: Resource<Out>) {
        *to.0.lock().unwrap() = Some(ctx.clone());
    }

    #[flow]
    async fn handing_out() -> Result<(), TaskError> {
        hand_out().await?;
        Ok(())
    }

    let folder = Folder::new("tracking-late");
    let out = Out::default();
    let builder = Engine::builder().resource(out.clone());
    let engine = builder.open(folder.store()).unwrap();
    let (_, first) = handing_out().start(&engine).unwrap().finish().await;
    let ctx = out.0.lock().unwrap().take().unwrap();
    ctx.log_metric("late", 0, 1.0).unwrap();
    ctx.log_artifact("late.txt", b"late").unwrap();
    let (result, second) = handing_out().start(&engine).unwrap().finish().await;
    assert!(result.is_ok());
    for report in [first, second] {
        let recorded = recorded(&engine, &report.flow_run);
        assert_eq!(
            (recorded.state, recorded.logged),
            (State::Completed, Vec::new())
        );
    }
}

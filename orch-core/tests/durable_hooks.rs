//! Durable hooks: a notice is committed with the change that it is of, and delivered at least once,
//! whoever is there by then.

#![cfg(feature = "sqlite")]

mod support;

use std::future::pending;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use orch_core::prelude::*;
use orch_core::store::{
    Durability, MemoryBlobs, MemoryStore, NoticeFilter, OnStoreFailure, Retention, RunStore as _,
    TaskRunRow,
};
use orch_core::{DurableHook, DurableHookError, HookOn, Notice, State};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::Instant;

use support::{Folder, role, say};

/// Longer than anything here takes on a busy machine.
const NEVER: Duration = Duration::from_secs(120);

#[task]
async fn fit(rate: f64) -> f64 {
    2.0 * rate
}

#[task]
async fn load(path: String) -> Result<f64, std::io::Error> {
    Err(std::io::Error::other(format!("{path} is not there")))
}

#[flow]
async fn train_model(rate: f64) -> anyhow::Result<f64> {
    Ok(*fit(rate).await?)
}

#[flow]
async fn train_on_file(path: String) -> anyhow::Result<f64> {
    Ok(*fit(load(path)).await?)
}

#[flow]
async fn evaluate() -> anyhow::Result<()> {
    Ok(())
}

/// A hook that hands on what it is told.
fn told(name: &str) -> (DurableHook, UnboundedReceiver<Notice>) {
    let (sender, receiver) = unbounded_channel();
    let hook = DurableHook::new(name, move |notice| {
        let sent = sender.send(notice);
        async move { Ok(sent?) }
    });
    (hook, receiver)
}

/// A hook that never comes to an end, and tells when it is called.
fn stuck(name: &str) -> (DurableHook, UnboundedReceiver<Notice>) {
    let (sender, receiver) = unbounded_channel();
    let hook = DurableHook::new(name, move |notice| {
        drop(sender.send(notice));
        pending()
    });
    (hook, receiver)
}

fn in_memory(hook: DurableHook) -> Engine {
    Engine::builder().durable_hook(hook).unwrap().build()
}

/// An engine on rows that others have as well: each clone is an owner of its own.
fn on_store(store: &MemoryStore, hook: DurableHook) -> Engine {
    let builder = Engine::builder().durable_hook(hook).unwrap();
    builder.build_on(Arc::new(store.clone()), Arc::new(MemoryBlobs::new()))
}

fn in_folder(folder: &Folder, hook: DurableHook) -> Engine {
    let builder = Engine::builder().durable_hook(hook).unwrap();
    builder.open(folder.store()).unwrap()
}

async fn next(notices: &mut UnboundedReceiver<Notice>) -> Notice {
    let next = tokio::time::timeout(NEVER, notices.recv()).await;
    next.expect("there is a notice").expect("the hook is there")
}

/// All that was told so far, once nothing is left.
async fn all(engine: &Engine, notices: &mut UnboundedReceiver<Notice>) -> Vec<Notice> {
    engine.drain(NEVER).await;
    assert_eq!(engine.undelivered().unwrap(), []);
    std::iter::from_fn(|| notices.try_recv().ok()).collect()
}

/// What notices are of: a task or a flow, what happened, the state.
fn changes(notices: &[Notice]) -> Vec<(&str, HookOn, State)> {
    fn change(notice: &Notice) -> (&str, HookOn, State) {
        let Notice { flow, task_run, .. } = notice;
        let name = task_run.as_ref().map_or(flow, |task_run| &task_run.task);
        (name, notice.on, notice.state)
    }
    notices.iter().map(change).collect()
}

#[tokio::test]
async fn a_flow_run_that_ends_is_told_once_with_its_task_runs_where_they_are_asked_for() {
    let folder = Folder::new("told-once");
    let (hook, mut notices) = told("watch");
    let engine = in_folder(&folder, hook.tasks("fi*"));
    let run = train_model(0.5).name("nightly").start(&engine).unwrap();
    let id = run.id();
    run.await.unwrap();

    let told = all(&engine, &mut notices).await;
    assert_eq!(
        changes(&told),
        [
            ("fit", HookOn::Success, State::Completed),
            ("train_model", HookOn::Success, State::Completed),
        ]
    );
    let recorded = engine.recorded_run(id).unwrap().unwrap();
    for notice in &told {
        assert_eq!((notice.hook.as_str(), notice.delivery), ("watch", 1));
        assert_eq!((notice.flow_run_id, notice.attempt), (id, 1));
        assert_eq!(notice.flow_run, "nightly");
        assert_eq!(notice.error, None);
    }
    assert_ne!(told[0].id, told[1].id);
    assert_eq!(Some(told[1].changed_at), recorded.row.ended_at);
    let fit = told[0].task_run.as_ref().unwrap();
    let row = &recorded.task_runs[0];
    assert_eq!(fit.call, Some(row.call.to_string()));
    assert_eq!((fit.name.as_str(), fit.index), ("fit", row.index));

    // It goes through JSON as it is.
    let text = serde_json::to_string(&told[0]).unwrap();
    assert_eq!(serde_json::from_str::<Notice>(&text).unwrap(), told[0]);
}

#[tokio::test]
async fn an_engine_without_a_store_tells_the_same() {
    let (hook, mut notices) = told("watch");
    let engine = in_memory(hook.tasks("*"));
    let run = train_on_file("a.csv").start(&engine).unwrap();
    let id = run.id();
    run.await.unwrap_err();

    let told = all(&engine, &mut notices).await;
    assert_eq!(
        changes(&told),
        [
            ("load", HookOn::Failure, State::Failed),
            ("fit", HookOn::Skip, State::Skipped),
            ("train_on_file", HookOn::Failure, State::Failed),
        ]
    );
    let error = told[0].error.as_deref().unwrap();
    assert!(error.contains("a.csv is not there"), "{error}");
    assert!(told.iter().all(|notice| notice.flow_run_id == id));
    let task_run = told[0].task_run.as_ref().unwrap();
    assert_eq!((task_run.index, task_run.call.as_ref()), (0, None));
}

#[tokio::test]
async fn a_failure_is_told_with_its_error_and_its_causes() {
    let folder = Folder::new("told-failure");
    let (hook, mut notices) = told("page the team");
    let hook = hook.on([HookOn::Failure, HookOn::Crash]).tasks("*");
    let engine = in_folder(&folder, hook);
    train_on_file("a.csv").on(&engine).await.unwrap_err();
    train_model(1.0).on(&engine).await.unwrap();

    let told = all(&engine, &mut notices).await;
    assert_eq!(
        changes(&told),
        [
            ("load", HookOn::Failure, State::Failed),
            ("train_on_file", HookOn::Failure, State::Failed),
        ],
        "neither what was skipped nor what completed"
    );
    for notice in told {
        let error = notice.error.unwrap();
        assert!(error.contains("a.csv is not there"), "{error}");
    }
}

#[orch_core::test]
async fn only_runs_of_flows_and_tasks_with_such_names_are_told() {
    let (hook, mut notices) = told("watch");
    let engine = in_memory(hook.flows("train_*").flows("none").tasks("load"));
    train_model(0.5).on(&engine).await.unwrap();
    evaluate().on(&engine).await.unwrap();
    train_on_file("a.csv").on(&engine).await.unwrap_err();
    let told = all(&engine, &mut notices).await;
    assert_eq!(
        changes(&told),
        [
            ("train_model", HookOn::Success, State::Completed),
            ("load", HookOn::Failure, State::Failed),
            ("train_on_file", HookOn::Failure, State::Failed),
        ]
    );
}

#[task(retries = 2, backoff = "1s", id = "durable-hooks/flaky")]
async fn flaky() -> Result<u32, String> {
    Err("no luck".to_owned())
}

#[task]
async fn crash() -> u32 {
    panic!("out of bounds")
}

#[task(cache, id = "durable-hooks/cached")]
async fn cached() -> u32 {
    7
}

#[flow(failure = "continue_on_failure")]
async fn all_endings() -> anyhow::Result<()> {
    drop(flaky().await);
    drop(crash().await);
    cached().await?;
    cached().await?;
    let waiting = never();
    waiting.cancel();
    drop(waiting.await);
    Ok(())
}

#[task]
async fn never() -> u32 {
    pending().await
}

#[orch_core::test]
async fn every_way_to_end_and_every_retry_is_told() {
    let expected = [
        ("flaky", HookOn::Retry, State::AwaitingRetry, 1),
        ("flaky", HookOn::Retry, State::AwaitingRetry, 2),
        ("flaky", HookOn::Failure, State::Failed, 3),
        ("crash", HookOn::Crash, State::Crashed, 1),
        ("cached", HookOn::Success, State::Completed, 1),
        ("cached", HookOn::Success, State::Cached, 0),
        ("never", HookOn::Cancel, State::Cancelled, 0),
        ("all_endings", HookOn::Success, State::Completed, 1),
    ];
    let store = MemoryStore::new();
    for is_recorded in [true, false] {
        let (hook, mut notices) = told("watch");
        let hook = hook.on([HookOn::End, HookOn::Retry]).tasks("*");
        let engine = match is_recorded {
            true => on_store(&store, hook),
            false => in_memory(hook),
        };
        all_endings().on(&engine).await.unwrap();
        let told = all(&engine, &mut notices).await;
        let attempts = told.iter().map(|notice| notice.attempt);
        let told: Vec<_> = changes(&told)
            .into_iter()
            .zip(attempts)
            .map(|((name, on, state), attempt)| (name, on, state, attempt))
            .collect();
        assert_eq!(told, expected, "recorded: {is_recorded}");
    }
}

#[orch_core::test]
async fn a_delivery_that_fails_is_tried_again_after_ever_longer_waits() {
    let deliveries: Arc<Mutex<Vec<(Duration, Notice)>>> = Arc::default();
    let seen = Arc::clone(&deliveries);
    let start = Instant::now();
    let (done, mut is_done) = unbounded_channel();
    let hook = DurableHook::new("mail", move |notice: Notice| {
        let delivery = notice.delivery;
        seen.lock().unwrap().push((start.elapsed(), notice));
        let done = done.clone();
        async move {
            match delivery {
                1 => Err("the server is down".into()),
                2 => panic!("the server is on fire"),
                3 => Err("the server is wet".into()),
                _ => Ok(done.send(())?),
            }
        }
    });
    let engine = in_memory(hook);
    assert_eq!(train_model(0.5).on(&engine).await.unwrap(), 1.0);
    train_model(0.5).on(&engine).await.unwrap();
    tokio::time::sleep(Duration::from_secs(4)).await;

    let left = engine.undelivered().unwrap();
    assert_eq!(left.len(), 2, "the second one waits for its turn");
    assert_eq!(left[0].failures, 3);
    assert_eq!(left[0].last_error.as_deref(), Some("the server is wet"));
    assert_eq!((left[1].failures, &left[1].last_error), (0, &None));

    is_done.recv().await.unwrap();
    engine.drain(NEVER).await;
    let deliveries = deliveries.lock().unwrap();
    let first = &deliveries[0].1;
    let of_first = deliveries.iter().filter(|(_, it)| it.id == first.id);
    let (at, numbers): (Vec<u64>, Vec<u32>) = of_first
        .map(|(at, notice)| (at.as_secs(), notice.delivery))
        .unzip();
    // 1 s, 2 s and 4 s after the one before.
    assert_eq!((at, numbers), (vec![0, 1, 3, 7], vec![1, 2, 3, 4]));
    assert_ne!(deliveries[4].1.id, first.id);
    assert_eq!(first.state, State::Completed);
}

#[orch_core::test]
async fn a_hook_that_fails_or_panics_changes_no_state() {
    for is_panic in [false, true] {
        let store = MemoryStore::new();
        let hook = DurableHook::new("mail", move |_| async move {
            assert!(!is_panic, "a bug of the hook's");
            Err("the server is down".into())
        });
        let engine = on_store(&store, hook.tasks("*"));
        let (result, report) = train_model(0.5).start(&engine).unwrap().finish().await;
        assert_eq!(result.unwrap(), 1.0);
        tokio::time::sleep(Duration::from_secs(60)).await;
        assert_eq!(report.state, State::Completed);
        let id = report.flow_run.parse().unwrap();
        let recorded = engine.recorded_run(id).unwrap().unwrap();
        assert_eq!(recorded.row.state, State::Completed);
        assert_eq!(recorded.task_runs[0].state, State::Completed);
        let left = engine.undelivered().unwrap();
        let error = left[0].last_error.as_deref().unwrap();
        assert_eq!(error.contains("panicked"), is_panic, "{error}");
    }
}

#[tokio::test]
async fn what_an_engine_leaves_is_delivered_by_the_next_one_without_any_flow_run() {
    let folder = Folder::new("left-behind");
    let left = {
        let (hook, mut notices) = stuck("mail");
        let engine = in_folder(&folder, hook);
        train_model(0.5).on(&engine).await.unwrap();
        next(&mut notices).await
    };
    let (hook, mut notices) = told("mail");
    let engine = in_folder(&folder, hook);
    // It was called, and nobody knows whether that was to any avail.
    assert_eq!(next(&mut notices).await, left);
    assert_eq!(all(&engine, &mut notices).await, []);
}

#[orch_core::test]
async fn a_restart_goes_on_counting_and_waiting_where_the_last_engine_stopped() {
    let store = MemoryStore::new();
    let (sender, mut failed) = unbounded_channel();
    let hook = DurableHook::new("mail", move |notice| {
        drop(sender.send(notice));
        async { Err("the server is down".into()) }
    });
    let start = Instant::now();
    let engine = on_store(&store, hook);
    train_model(0.5).on(&engine).await.unwrap();
    for _ in 0..3 {
        next(&mut failed).await;
    }
    tokio::task::yield_now().await;
    drop(engine);
    assert_eq!(start.elapsed().as_secs(), 3);

    let (hook, mut notices) = told("mail");
    let engine = on_store(&store, hook);
    let left = engine.undelivered().unwrap();
    assert_eq!(left[0].failures, 3);
    let notice = next(&mut notices).await;
    assert_eq!((notice.delivery, &notice.id), (4, &left[0].notice.id));
    assert!(start.elapsed().as_secs() >= 7, "it has waited");
}

#[orch_core::test]
async fn a_drain_waits_for_a_hook_no_longer_than_it_is_given() {
    let store = MemoryStore::new();
    let (hook, mut notices) = stuck("mail");
    let engine = on_store(&store, hook);
    train_model(0.5).on(&engine).await.unwrap();
    next(&mut notices).await;
    let start = Instant::now();
    engine.drain(Duration::from_secs(3)).await;
    assert_eq!(start.elapsed().as_secs(), 3);
    assert_eq!(engine.undelivered().unwrap().len(), 1);
}

#[orch_core::test]
async fn what_a_shutdown_interrupts_has_crashed_and_completes_when_it_is_gone_on_with() {
    static GO_ON: AtomicBool = AtomicBool::new(false);

    #[task]
    async fn wait() -> u32 {
        match GO_ON.load(Ordering::SeqCst) {
            true => 1,
            false => pending().await,
        }
    }

    #[flow(grace = "1s")]
    async fn long() -> anyhow::Result<u32> {
        Ok(*wait().await?)
    }

    let store = MemoryStore::new();
    let (hook, mut notices) = told("watch");
    let engine = on_store(&store, hook);
    let run = long().key("k").start(&engine).unwrap();
    tokio::task::yield_now().await;
    engine.drain(Duration::from_secs(1)).await;
    run.await.unwrap_err();
    assert_eq!(next(&mut notices).await.state, State::Crashed);
    drop(engine);

    GO_ON.store(true, Ordering::SeqCst);
    let (hook, mut notices) = told("watch");
    let engine = on_store(&store, hook);
    long().key("k").on(&engine).await.unwrap();
    assert_eq!(next(&mut notices).await.state, State::Completed);
}

#[tokio::test]
async fn notices_for_a_hook_that_nobody_has_stay_and_are_listed() {
    let folder = Folder::new("unknown-hook");
    {
        let (hook, mut notices) = stuck("retired");
        let engine = in_folder(&folder, hook);
        train_model(0.5).on(&engine).await.unwrap();
        next(&mut notices).await;
    }
    let (hook, mut notices) = told("mail");
    let engine = in_folder(&folder, hook);
    train_model(0.5).on(&engine).await.unwrap();
    engine.drain(NEVER).await;
    assert_eq!(notices.try_recv().unwrap().hook, "mail");
    let hooks = |engine: &Engine| -> Vec<String> {
        let rows = engine.undelivered().unwrap();
        rows.into_iter().map(|row| row.notice.hook).collect()
    };
    assert_eq!(hooks(&engine), ["retired"]);
    drop(engine);
    assert_eq!(hooks(&folder.open()), ["retired"], "no hooks at all");
}

#[orch_core::test]
async fn notices_outlive_the_record_of_their_flow_run() {
    let store = MemoryStore::new();
    let (hook, _notices) = stuck("mail");
    let engine = Engine::builder()
        .retention(Retention::forever().max_runs(1))
        .durable_hook(hook)
        .unwrap()
        .build_on(Arc::new(store), Arc::new(MemoryBlobs::new()));
    for _ in 0..3 {
        train_model(0.5).on(&engine).await.unwrap();
    }
    assert_eq!(engine.collect_garbage(false).unwrap().flow_runs, 2);
    assert_eq!(engine.undelivered().unwrap().len(), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_engines_on_a_folder_one_at_a_time_delivers_and_each_notice_once() {
    let folder = Folder::new("two-engines");
    let (sender, mut notices) = unbounded_channel();
    let under_way = Arc::new(AtomicU32::new(0));
    let hook = || {
        let (sender, under_way) = (sender.clone(), Arc::clone(&under_way));
        DurableHook::new("mail", move |notice: Notice| {
            let (sender, under_way) = (sender.clone(), Arc::clone(&under_way));
            async move {
                let others = under_way.fetch_add(1, Ordering::SeqCst);
                tokio::task::yield_now().await;
                sender.send((notice, others))?;
                under_way.fetch_sub(1, Ordering::SeqCst);
                Ok(())
            }
        })
        .tasks("*")
    };
    let engines = [0, 1].map(|_| in_folder(&folder, hook()));
    let runs = engines
        .iter()
        .flat_map(|engine| (0..10).map(|n| train_model(f64::from(n)).start(engine).unwrap()));
    let mut ids = Vec::new();
    for run in runs.collect::<Vec<_>>() {
        ids.push(run.id());
        run.await.unwrap();
    }
    // A task run and its flow run, of each of 20.
    let mut told = Vec::new();
    for _ in 0..40 {
        let next = tokio::time::timeout(NEVER, notices.recv()).await.unwrap();
        let (notice, others) = next.unwrap();
        assert_eq!(others, 0, "in turn");
        told.push(notice);
    }
    // A notice is told before its row goes, and either engine may have told it.
    for engine in &engines {
        engine.drain(NEVER).await;
    }
    for engine in &engines {
        assert_eq!(engine.undelivered().unwrap(), []);
    }
    assert!(notices.try_recv().is_err());
    for id in ids {
        let of_run: Vec<Notice> = told
            .iter()
            .filter(|notice| notice.flow_run_id == id)
            .cloned()
            .collect();
        assert_eq!(
            changes(&of_run),
            [
                ("fit", HookOn::Success, State::Completed),
                ("train_model", HookOn::Success, State::Completed),
            ]
        );
    }
}

#[test]
fn program() {
    let Some((role, folder)) = role() else {
        return;
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    runtime.block_on(async {
        let hook = DurableHook::new("mail", |notice: Notice| {
            say(&notice.id);
            pending()
        });
        let builder = Engine::builder().durable_hook(hook).unwrap();
        let engine = builder.open(folder.join("store")).unwrap();
        match &*role {
            "deliver" => drop(train_model(0.5).on(&engine).await.unwrap()),
            "crash" => drop(risky().key("k").on(&engine).await),
            _ => panic!("no such role: {role}"),
        }
        pending::<()>().await;
    });
}

#[task]
async fn deadly() -> u32 {
    pending().await
}

#[flow]
async fn risky() -> anyhow::Result<u32> {
    Ok(*deadly().await?)
}

#[tokio::test]
async fn a_task_run_that_has_taken_its_process_along_too_often_is_told_once_it_is_blamed() {
    let folder = Folder::new("blamed");
    for crashes in 0..3 {
        let mut program = folder.program("crash");
        let is_under_way = |rows: Vec<(_, Vec<TaskRunRow>)>| {
            let mut task_runs = rows.into_iter().flat_map(|(_, task_runs)| task_runs);
            task_runs.any(|row| row.started_at.is_some() && row.crashes == crashes)
        };
        while !folder.store().join("orch.db").exists() || !is_under_way(folder.rows().await) {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        program.kill();
    }
    let (hook, mut notices) = told("watch");
    let engine = in_folder(
        &folder,
        hook.on([HookOn::Crash, HookOn::Failure]).tasks("*"),
    );
    risky().key("k").on(&engine).await.unwrap_err();
    let told = all(&engine, &mut notices).await;
    assert_eq!(changes(&told)[0], ("deadly", HookOn::Crash, State::Crashed));
    assert_eq!(told.len(), 2, "the task run and the flow run");
}

#[tokio::test]
async fn a_notice_that_a_killed_process_was_about_to_deliver_is_delivered_here() {
    let folder = Folder::new("killed-courier");
    let mut program = folder.program("deliver");
    let id = program.hear().unwrap();

    let (hook, mut notices) = told("mail");
    let engine = in_folder(&folder, hook);
    engine.drain(NEVER).await;
    assert!(notices.try_recv().is_err(), "somebody else is at it");
    assert_eq!(engine.undelivered().unwrap()[0].notice.id, id);
    program.kill();
    let notice = next(&mut notices).await;
    assert_eq!((notice.id, notice.delivery), (id, 1));
}

/// Lets each operation of the disk fail in turn: whatever was committed, there is a notice for each
/// end that is recorded, and for no other.
#[test]
fn a_change_and_its_notice_are_recorded_together_or_not_at_all() {
    use orch_core::store::{DiskFaults, FlowRunFilter, FolderBlobs, FolderStore};

    let run = |folder: &Folder, faults: &Arc<DiskFaults>, durability| -> Option<()> {
        let runs = FolderStore::open_with_faults(folder.store(), Arc::clone(faults)).ok()?;
        let blobs = FolderBlobs::open_with_faults(runs.path(), Arc::clone(faults)).ok()?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .unwrap();
        runtime.block_on(async {
            let (hook, _notices) = stuck("mail");
            let engine = Engine::builder()
                .durability(durability)
                .on_store_failure(OnStoreFailure::Fail)
                .durable_hook(hook.tasks("*"))
                .unwrap()
                .build_on(Arc::new(runs), Arc::new(blobs));
            drop(train_on_file("a.csv").on(&engine).await);
        });
        Some(())
    };
    let count = |folder: &Folder| -> (usize, usize) {
        let store = FolderStore::open(folder.store()).unwrap();
        futures_util::future::FutureExt::now_or_never(async {
            let mut ended = 0;
            for run in store.flow_runs(FlowRunFilter::default()).await.unwrap() {
                let task_runs = store.task_runs(run.id).await.unwrap();
                let states = task_runs.iter().map(|row| row.state);
                let states = states.chain([run.state]);
                ended += states.filter(|state| state.is_final()).count();
            }
            let notices = store.undelivered(NoticeFilter::default()).await.unwrap();
            (ended, notices.len())
        })
        .expect("a folder never waits")
    };
    for durability in [Durability::Relaxed, Durability::Strict] {
        let operations = {
            let folder = Folder::new("no-fault");
            let faults = DiskFaults::at(0, false);
            run(&folder, &faults, durability).unwrap();
            assert_eq!(count(&folder), (3, 3));
            faults.operations()
        };
        assert!(operations > 10, "{operations}");
        let mut n_incomplete = 0;
        for n in 1..=operations {
            for for_good in [false, true] {
                let folder = Folder::new("faults");
                run(&folder, &DiskFaults::at(n, for_good), durability);
                let (ended, notices) = count(&folder);
                let what = format!("operation {n}, {durability:?}, for good: {for_good}");
                assert_eq!(ended, notices, "{what}");
                n_incomplete += u32::from(ended < 3);
            }
        }
        assert!(n_incomplete > 0, "some of them hit a commit");
    }
}

#[test]
fn a_hook_that_no_engine_can_have_is_refused_with_the_reason() {
    let hook = |name| told(name).0;
    let add = |hook| {
        let builder = Engine::builder().durable_hook(told("mail").0).unwrap();
        builder.durable_hook(hook).map(drop).unwrap_err()
    };
    let taken = add(hook("mail"));
    assert!(matches!(&taken, DurableHookError::NameTaken { hook } if hook == "mail"));
    for (hook, expected) in [
        (hook("mail"), "two durable hooks are named `mail`"),
        (
            hook("a").on([HookOn::Failure, HookOn::Start]),
            "durable hook `a` cannot be told of `Start`, expected `Retry`, `Success`, `Failure`, \
             `Crash`, `Cancel`, `Skip` or `End`",
        ),
        (
            hook("a").on([]),
            "durable hook `a` would never be called: it is to be told of no change",
        ),
        (
            hook("a").on([HookOn::Retry]),
            "durable hook `a` would never be called: only task runs are retried, and `tasks` names \
             none",
        ),
    ] {
        assert_eq!(add(hook).to_string(), expected);
    }
}

#[test]
fn an_engine_that_is_made_outside_of_a_runtime_delivers_from_its_first_flow_run_on() {
    let folder = Folder::new("no-runtime");
    let (hook, mut notices) = told("mail");
    let engine = in_folder(&folder, hook);
    // And again on the next runtime: the first one takes its couriers with it.
    for _ in 0..2 {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .unwrap();
        runtime.block_on(async {
            train_model(0.5).on(&engine).await.unwrap();
            next(&mut notices).await;
        });
    }
}

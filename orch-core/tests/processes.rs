//! Two processes on one folder: who runs what, and what becomes of it when one is stopped, killed
//! or wrongly taken for gone.

mod support;

use std::path::PathBuf;
use std::time::Duration;

use orch_core::prelude::*;
use orch_core::store::{FlowRunFilter, OwnerId};
use orch_core::{CancelReason, FlowErrorKind, FlowRunId, State};

use support::{Folder, note_in, role, say};

/// Who this is: the test, or the program that plays a role.
fn name() -> String {
    role().map_or("test".to_owned(), |(role, _)| role)
}

/// Waits for the permission to go on, for all or for this process.
async fn permission(folder: &str) {
    let folder = PathBuf::from(folder);
    while !folder.join("go").exists() && !folder.join(name()).exists() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn permit(folder: &Folder, name: &str) {
    std::fs::write(folder.path().join(name), "").unwrap();
}

/// Notes what is done, and by whom.
fn done(folder: &str, what: &str) {
    note_in(folder.as_ref(), &format!("{what} by {}", name()));
}

fn path_of(folder: &Folder) -> String {
    folder.path().to_str().unwrap().to_owned()
}

#[task]
async fn first(folder: String) -> u32 {
    done(&folder, "first");
    1
}

#[task]
async fn second(folder: String, one: &u32) -> u32 {
    say("second runs");
    permission(&folder).await;
    done(&folder, "second");
    one + 1
}

#[task]
async fn third(folder: String, two: &u32) -> u32 {
    done(&folder, "third");
    two + 1
}

#[flow]
async fn count(folder: String) -> anyhow::Result<u32> {
    let one = first(folder.clone());
    let two = second(folder.clone(), one);
    Ok(*third(folder, two).await?)
}

#[task(cache)]
async fn shared(folder: String) -> u32 {
    done(&folder, "shared");
    say("shared runs");
    permission(&folder).await;
    7
}

#[flow]
async fn use_shared(folder: String) -> anyhow::Result<u32> {
    Ok(*shared(folder).await?)
}

#[test]
fn program() {
    let Some((role, folder)) = role() else {
        return;
    };
    let path = folder.to_str().unwrap().to_owned();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_time()
        .build()
        .unwrap();
    runtime.block_on(async {
        let engine = Engine::open(folder.join("store")).unwrap();
        let result = match role.split_once(' ') {
            Some(("count", key)) => count(path).key(key).start(&engine).unwrap().await,
            Some(("share", _)) => use_shared(path).on(&engine).await,
            _ => panic!("no such role: {role}"),
        };
        match result {
            Ok(result) => say(&format!("result {result}")),
            Err(error) => match error.kind() {
                FlowErrorKind::Cancelled { reason } => say(&format!("cancelled: {reason}")),
                _ => say(&format!("failed: {:#}", anyhow::Error::from(error))),
            },
        }
    });
}

/// Waits for the first completion: what is on its way to the disk when a process is killed would run
/// again.
async fn until_one_is_recorded(folder: &Folder) {
    loop {
        let rows = folder.rows().await;
        let mut task_runs = rows.iter().flat_map(|(_, task_runs)| task_runs);
        if task_runs.any(|row| row.state.is_success()) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// Starts a flow run that another process runs.
fn refused(engine: &Engine, folder: &Folder) -> (FlowRunId, OwnerId) {
    let error = count(path_of(folder)).key("k").start(engine).unwrap_err();
    match error.kind() {
        FlowErrorKind::AlreadyRunning { run, owner } => (*run, *owner),
        _ => panic!("{error}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flow_run_of_another_process_is_refused_until_that_process_is_gone() {
    let folder = Folder::new("elsewhere");
    let mut program = folder.program("count k");
    program.hear_that("second runs");
    let owners = folder.files("owners");
    let engine = folder.open();

    let (run, owner) = refused(&engine, &folder);
    assert_eq!(owners.len(), 1);
    assert!(owners[0].ends_with(owner.to_string()), "{owners:?}");

    until_one_is_recorded(&folder).await;
    // A process that does nothing is there all the same: no clock says otherwise.
    program.signal("STOP");
    assert_eq!(refused(&engine, &folder), (run, owner));
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(refused(&engine, &folder), (run, owner));

    let in_state = |state| {
        let states = vec![state];
        let filter = FlowRunFilter {
            states,
            ..FlowRunFilter::default()
        };
        engine.recorded_runs(filter).unwrap().len()
    };
    assert_eq!((in_state(State::Running), in_state(State::Crashed)), (1, 0));
    program.kill();
    assert_eq!((in_state(State::Running), in_state(State::Crashed)), (0, 1));
    assert_eq!(engine.find_run("k").unwrap().state, State::Crashed);
    let taken = count(path_of(&folder)).key("k").start(&engine).unwrap();
    assert_eq!(taken.id(), run);
    permit(&folder, "go");
    let (result, report) = taken.finish().await;
    assert_eq!(result.unwrap(), 3);
    let states: Vec<State> = report.task_runs.iter().map(|run| run.state).collect();
    assert_eq!(states, [State::Reused, State::Completed, State::Completed]);
    assert_eq!(
        folder.notes(),
        ["first by count k", "second by test", "third by test"]
    );

    // Completed: for everybody, and nothing runs.
    let mut program = folder.program("count k");
    assert_eq!(program.hear().as_deref(), Some("result 3"));
    program.end();
    assert_eq!(folder.notes().len(), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_that_waits_gets_the_result_of_the_other_process() {
    let folder = Folder::new("awaited");
    let mut program = folder.program("count k");
    program.hear_that("second runs");
    let engine = folder.open();
    let waiting = count(path_of(&folder)).key("k").wait().on(&engine);
    let mut waiting = std::pin::pin!(waiting.into_future());
    let is_early = tokio::time::timeout(Duration::from_millis(100), &mut waiting);
    assert!(is_early.await.is_err());
    permit(&folder, "go");
    assert_eq!(waiting.await.unwrap(), 3);
    program.hear_that("result 3");
    let by_program = ["first", "second", "third"].map(|task| format!("{task} by count k"));
    assert_eq!(folder.notes(), by_program);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_that_waits_goes_on_with_what_a_killed_process_left() {
    let folder = Folder::new("inherited");
    let mut program = folder.program("count k");
    program.hear_that("second runs");
    let engine = folder.open();
    let call = count(path_of(&folder)).key("k").wait().on(&engine);
    let waiting = tokio::spawn(call.into_future());
    permit(&folder, "test");
    until_one_is_recorded(&folder).await;
    program.kill();
    assert_eq!(waiting.await.unwrap().unwrap(), 3);
    assert_eq!(
        folder.notes(),
        ["first by count k", "second by test", "third by test"]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_subflow_with_a_key_waits_for_another_process_too() {
    #[flow]
    async fn outer(folder: String) -> anyhow::Result<u32> {
        Ok(count(folder).key("k").wait().await? + 1)
    }

    let folder = Folder::new("awaited-inside");
    let mut program = folder.program("count k");
    program.hear_that("second runs");
    let engine = folder.open();
    let run = outer(path_of(&folder)).start(&engine).unwrap();
    permit(&folder, "go");
    assert_eq!(run.await.unwrap(), 4);
    program.hear_that("result 3");
    assert_eq!(folder.notes().len(), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flow_run_that_this_engine_runs_already_is_joined() {
    let folder = Folder::new("joined");
    let engine = folder.open();
    let one = count(path_of(&folder)).key("k").start(&engine).unwrap();
    let other = count(path_of(&folder)).key("k").start(&engine).unwrap();
    assert_eq!(one.id(), other.id());
    permit(&folder, "go");
    assert_eq!(one.await.unwrap(), 3);
    assert_eq!(other.await.unwrap(), 3);
    assert_eq!(folder.notes().len(), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancelled_flow_run_is_gone_on_with_only_when_that_is_asked_for() {
    let folder = Folder::new("cancelled");
    let engine = folder.open();
    let run = count(path_of(&folder)).key("k").start(&engine).unwrap();
    let id = run.id();
    while folder.notes().is_empty() {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    run.cancel();
    let error = run.await.unwrap_err();
    assert!(matches!(error.kind(), FlowErrorKind::Cancelled { .. }));

    permit(&folder, "go");
    let error = count(path_of(&folder)).key("k").start(&engine).unwrap_err();
    let FlowErrorKind::WasCancelled { run } = error.kind() else {
        panic!("{error}");
    };
    assert_eq!(*run, id);
    let resumed = engine.resume(id).unwrap();
    assert_eq!(resumed.id(), id);
    assert_eq!(resumed.await.unwrap(), Some(serde_json::json!(3)));
    assert_eq!(
        folder.notes(),
        ["first by test", "second by test", "third by test"]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_whose_flow_run_was_taken_over_stops_it_and_changes_nothing() {
    let folder = Folder::new("fenced");
    let mut stale = folder.program("count k");
    stale.hear_that("second runs");
    // Somebody tidies up: now nobody can tell that the process is there.
    let owners = folder.files("owners");
    std::fs::remove_file(&owners[0]).unwrap();

    let mut second = folder.program("count k");
    second.hear_that("second runs");
    permit(&folder, "go");
    second.hear_that("result 3");
    second.end();
    let reason = CancelReason::OwnershipLost;
    stale.hear_that(&format!("cancelled: {reason}"));
    stale.end();

    let rows = folder.rows().await;
    let [(run, task_runs)] = &rows[..] else {
        panic!("{rows:?}");
    };
    assert_eq!((run.state, run.resumptions), (State::Completed, 1));
    assert!(run.error.is_none());
    assert!(task_runs.iter().all(|row| row.state.is_success()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flow_run_that_was_lost_and_is_taken_back_is_recorded_again() {
    let folder = Folder::new("taken-back");
    let engine = folder.open();
    let mine = count(path_of(&folder)).key("k").start(&engine).unwrap();
    while folder.notes().is_empty() {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    for owner in folder.files("owners") {
        std::fs::remove_file(owner).unwrap();
    }
    let mut program = folder.program("count k");
    program.hear_that("second runs");
    permit(&folder, "test");
    let id = mine.id();
    let error = mine.await.unwrap_err();
    let FlowErrorKind::Cancelled { reason } = error.kind() else {
        panic!("{error}");
    };
    assert_eq!(*reason, CancelReason::OwnershipLost);

    assert_eq!(refused(&engine, &folder).0, id);
    program.kill();
    let back = count(path_of(&folder)).key("k").start(&engine).unwrap();
    assert_eq!(back.id(), id);
    assert_eq!(back.await.unwrap(), 3);
    let rows = folder.rows().await;
    let (run, task_runs) = &rows[0];
    assert_eq!((run.state, run.resumptions), (State::Completed, 2));
    assert!(task_runs.iter().all(|row| row.state.is_success()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_processes_that_want_the_same_cached_result_execute_once() {
    let folder = Folder::new("single-flight");
    let mut leader = folder.program("share a");
    leader.hear_that("shared runs");
    let engine = folder.open();
    let waiting = use_shared(path_of(&folder)).start(&engine).unwrap();
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(folder.notes(), ["shared by share a"], "the other one waits");
    permit(&folder, "go");
    leader.hear_that("result 7");
    leader.end();
    let (result, report) = waiting.finish().await;
    assert_eq!(result.unwrap(), 7);
    assert_eq!(report.task_runs[0].state, State::Cached);
    assert_eq!(folder.notes(), ["shared by share a"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_execution_of_a_killed_process_is_taken_up_by_one_that_waits_for_it() {
    let folder = Folder::new("leader-killed");
    let mut leader = folder.program("share a");
    leader.hear_that("shared runs");
    let mut waiting = folder.program("share b");
    let engine = folder.open();
    let other = use_shared(path_of(&folder)).start(&engine).unwrap();
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(folder.notes(), ["shared by share a"]);
    leader.kill();
    permit(&folder, "go");
    waiting.hear_that("result 7");
    waiting.end();
    assert_eq!(other.await.unwrap(), 7);
    assert_eq!(folder.notes().len(), 2, "one of the two that waited");
}

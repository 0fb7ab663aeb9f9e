//! Undoing what a flow run did, although its process is killed meanwhile.

mod support;

use std::path::{Path, PathBuf};
use std::time::Duration;

use orch_core::prelude::*;
use orch_core::{FlowErrorKind, State};

use support::{Folder, note_in, role, say};

fn exists(folder: &str, name: &str) -> bool {
    Path::new(folder).join(name).exists()
}

#[task]
async fn release(folder: String, name: String, seats: &u32, booking: &u64) {
    say(&format!("releases {name}"));
    while name == "bus" && !exists(&folder, "go") {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    note_in(
        folder.as_ref(),
        &format!("released {name}: {seats} seats of booking {booking}"),
    );
}

#[task(rollback = release)]
async fn book(folder: String, name: String, seats: &u32) -> u64 {
    note_in(folder.as_ref(), &format!("booked {name}"));
    u64::from(*seats) + name.len() as u64
}

#[task]
async fn pay(folder: String, total: u64) -> Result<u64, String> {
    note_in(folder.as_ref(), "paid");
    if exists(&folder, "money") {
        Ok(total)
    } else {
        Err(format!("no money for {total}"))
    }
}

#[task]
async fn tidy_up(folder: String) {
    note_in(folder.as_ref(), "tidied up");
}

#[flow]
async fn excursion(folder: String) -> anyhow::Result<u64> {
    Ok(*book(folder, "boat".to_owned(), 2u32).await?)
}

/// Equal bookings are undone one by one.
#[flow]
async fn travel(folder: String) -> anyhow::Result<u64> {
    let book = |name: &str| book(folder.clone(), name.to_owned(), 2u32);
    orch_core::finally("tidy up", {
        let folder = folder.clone();
        move || async move {
            tidy_up(folder).await?;
            Ok(())
        }
    });
    let mut total = excursion(folder.clone()).await?;
    for name in ["train", "bus", "hotel", "hotel"] {
        total += *book(name).await?;
    }
    let mut all = map(0..2u32, {
        let folder = folder.clone();
        move |seats| crate::book(folder.clone(), "lift".to_owned(), seats)
    });
    all = all.name("lifts");
    total += all.await?.iter().sum::<u64>();
    Ok(*pay(folder, total).await?)
}

#[test]
fn program() {
    let Some((_, folder)) = role() else {
        return;
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_time()
        .build()
        .unwrap();
    runtime.block_on(async {
        let engine = Engine::open(folder.join("store")).unwrap();
        let path = folder.to_str().unwrap().to_owned();
        let run = travel(path).key("k").start(&engine).unwrap();
        match run.await {
            Ok(total) => say(&format!("result {total}")),
            Err(error) => say(&format!("failed: {:#}", anyhow::Error::from(error))),
        }
    });
}

fn path_of(folder: &Folder) -> PathBuf {
    folder.path().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn goes_on_where_a_killed_process_stopped_and_executes_nothing_else() {
    let folder = Folder::new("undoing");
    let mut program = folder.program("travel");
    program.hear_that("releases bus");
    program.kill();
    let notes = folder.notes();
    let booked = &notes[..7];
    assert!(booked[..5].iter().eq(&[
        "booked boat",
        "booked train",
        "booked bus",
        "booked hotel",
        "booked hotel",
    ]));
    assert_eq!(notes[7], "paid");
    // Those of the map ended last, in either order.
    let mut lifts = notes[8..10].to_vec();
    lifts.sort();
    assert_eq!(
        lifts,
        [
            "released lift: 0 seats of booking 4",
            "released lift: 1 seats of booking 5",
        ]
    );
    assert_eq!(notes[10..], ["released hotel: 2 seats of booking 7"; 2]);
    let rows = folder.rows().await;
    let (run, _) = rows.iter().find(|(run, _)| run.flow == "travel").unwrap();
    assert_eq!((run.state, run.is_rolling_back), (State::Running, true));

    std::fs::write(path_of(&folder).join("go"), "").unwrap();
    // It would find money now, but it has failed already.
    std::fs::write(path_of(&folder).join("money"), "").unwrap();
    let engine = folder.open();
    let again = travel(path_of(&folder).to_str().unwrap().to_owned());
    let (result, _) = again.key("k").start(&engine).unwrap().finish().await;
    let error = result.unwrap_err();
    let FlowErrorKind::Undone { error } = error.kind() else {
        panic!("{error:?}");
    };
    assert!(
        error.causes.iter().any(|cause| cause.contains("no money")),
        "{error:?}"
    );
    assert_eq!(
        folder.notes()[12..],
        [
            "released bus: 2 seats of booking 5",
            "released train: 2 seats of booking 7",
            "tidied up",
        ]
    );
    let rows = folder.rows().await;
    let (run, task_runs) = rows.iter().find(|(run, _)| run.flow == "travel").unwrap();
    assert_eq!((run.state, run.is_rolling_back), (State::Failed, false));
    assert_eq!(run.error.as_ref(), Some(error));
    let state_of = |name: &str| {
        let rows = task_runs.iter().filter(|row| row.task.name == name);
        rows.map(|row| row.state).collect::<Vec<_>>()
    };
    assert_eq!(state_of("book"), [State::RolledBack; 6]);
    assert_eq!(state_of("pay"), [State::Failed]);
    assert_eq!(state_of("release"), [State::Completed; 6]);
    let n_notes = folder.notes().len();

    // Started once more, it does all of it once more; a subflow that completed is not undone.
    let again = travel(path_of(&folder).to_str().unwrap().to_owned());
    let result = again.key("k").start(&engine).unwrap().await;
    assert_eq!(result.unwrap(), 6 + 7 + 5 + 7 + 7 + 4 + 5);
    let notes = folder.notes();
    let notes = &notes[n_notes..];
    assert_eq!(notes.len(), 8, "{notes:?}");
    assert_eq!(
        notes[..4],
        ["booked train", "booked bus", "booked hotel", "booked hotel"]
    );
    assert_eq!(notes[6..], ["paid", "tidied up"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn is_done_again_for_what_a_resumed_flow_run_did_again() {
    let folder = Folder::new("undone-twice");
    std::fs::write(folder.path().join("go"), "").unwrap();
    let engine = folder.open();
    let path = folder.path().to_str().unwrap().to_owned();
    for _ in 0..2 {
        let run = travel(path.clone()).key("k").start(&engine).unwrap();
        assert!(run.await.is_err());
    }
    let notes = folder.notes();
    let count = |what: &str| notes.iter().filter(|note| note.starts_with(what)).count();
    assert_eq!(count("booked"), 7 + 6);
    assert_eq!(count("released"), 12);
    assert_eq!(count("tidied up"), 2);
}

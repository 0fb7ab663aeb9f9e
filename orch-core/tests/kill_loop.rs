//! A flow run whose process is killed again and again until it completes.
//!
//! The process is this test's own binary. It says when a task run executes; after a number of
//! these, and up to a further millisecond, both of a seed, it is killed with `SIGKILL`, and the
//! next process goes on with the flow run. Each execution is noted in a file that no kill can undo.
//!
//! `ORCH_KILLS=200` kills that often in place of 15 times, and `ORCH_KILL_SEED=7` at other moments. A
//! seed stands for one flow run; a flow run that completes after some 15 kills is followed by one of
//! the next seed, and a failure names its seed.
//!
//! ```text
//! ORCH_KILLS=200 cargo test -p orch-core --test kill_loop
//! ```

mod support;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::time::{Duration, Instant};

use orch_core::prelude::*;
use orch_core::store::{FlowRunRow, Place, TaskRunRow};
use orch_core::{Digest, Rng, State};

use support::{Folder, Program, note_execution, role, say};

/// Larger than what is kept in a row.
const LARGE: u64 = 4_096;

#[task]
async fn draw(ctx: &TaskContext, n: u64) -> u64 {
    note_execution(ctx);
    tokio::task::yield_now().await;
    n.wrapping_mul(0x9E37_79B9_7F4A_7C15)
}

#[task]
fn spread(ctx: &TaskContext, from: u64, length: u64) -> Vec<u64> {
    note_execution(ctx);
    (0..length)
        .map(|i| from.rotate_left(i as u32) ^ i)
        .collect()
}

#[task]
async fn halve(ctx: &TaskContext, numbers: &[u64]) -> (Vec<u64>, Vec<u64>) {
    note_execution(ctx);
    let (first, second) = numbers.split_at(numbers.len() / 2);
    (first.to_vec(), second.to_vec())
}

#[task(inline)]
fn weigh(ctx: &TaskContext, numbers: &[u64]) -> u64 {
    note_execution(ctx);
    numbers.iter().fold(0, |sum, n| sum.wrapping_add(*n))
}

#[task(cache)]
async fn table(ctx: &TaskContext, n: u64) -> Vec<u64> {
    note_execution(ctx);
    (0..LARGE).map(|i| i.wrapping_mul(n)).collect()
}

#[task(cache, inline)]
fn checksum(ctx: &TaskContext, numbers: &[u64], salt: u64) -> u64 {
    note_execution(ctx);
    numbers.iter().fold(salt, |sum, n| sum.rotate_left(7) ^ n)
}

/// 5 task runs.
fn chain(n: u64) -> [TaskRun<u64>; 2] {
    let length = if n.is_multiple_of(5) { LARGE } else { 64 };
    let (first, second) = halve(spread(draw(n), length)).unzip();
    [weigh(&first), weigh(&second)]
}

/// 40 task runs.
#[flow]
async fn region(n: u64) -> anyhow::Result<u64> {
    let weights: Vec<TaskRun<u64>> = (0..8).flat_map(|i| chain(1_000 * (n + 1) + i)).collect();
    let mut sum = 0u64;
    for weight in weights {
        sum = sum.wrapping_add(*weight.await?);
    }
    Ok(sum)
}

/// 1,000 task runs beside three subflows and a map.
#[flow]
async fn everything() -> anyhow::Result<u64> {
    let regions: Vec<_> = (0..3u64).map(|n| region(n).submit()).collect();
    let weights: Vec<TaskRun<u64>> = (0..100).flat_map(chain).collect();
    let squares = map(0..140u64, |n| weigh(spread(n, 32))).fold(0u64, u64::wrapping_add);
    let checksums: Vec<TaskRun<u64>> = (0..50).map(|n| checksum(table(n % 10), n % 20)).collect();
    let mut sum = *squares.await?;
    for part in weights.into_iter().chain(checksums).chain(regions) {
        sum = sum.rotate_left(1) ^ *part.await?;
    }
    Ok(sum)
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
        let run = everything().key("all").start(&engine).unwrap();
        match run.await {
            Ok(sum) => say(&format!("result {sum}")),
            Err(error) => say(&format!("failed {:#}", anyhow::Error::from(error))),
        }
    });
}

fn from_env(name: &str, default: u64) -> u64 {
    match std::env::var(name) {
        Ok(text) => text.parse().unwrap(),
        Err(_) => default,
    }
}

/// The results of all task runs by flow and call. Subflows of one flow make the same calls.
fn results(rows: &[(FlowRunRow, Vec<TaskRunRow>)]) -> BTreeMap<(String, String), Vec<Digest>> {
    let mut results: BTreeMap<(String, String), Vec<Digest>> = BTreeMap::new();
    for (run, task_runs) in rows {
        for row in task_runs {
            if let Some(value) = &row.result {
                let name = (run.flow.clone(), format!("{} {}", row.task.name, row.call));
                results.entry(name).or_default().push(value.stored.digest);
            }
        }
    }
    results.values_mut().for_each(|digests| digests.sort());
    results
}

/// The task runs whose result is in the store, by what they call themselves.
fn completed(rows: &[(FlowRunRow, Vec<TaskRunRow>)]) -> HashSet<String> {
    let mut completed = HashSet::new();
    for (run, task_runs) in rows {
        for row in task_runs {
            if row.state.is_success() {
                completed.insert(format!("{}-{}", run.id, row.call));
            }
        }
    }
    completed
}

/// How often one flow run is killed.
const KILLS: usize = 15;

#[tokio::test]
async fn a_flow_run_whose_process_is_killed_again_and_again_runs_nothing_twice_that_was_recorded() {
    let kills = from_env("ORCH_KILLS", KILLS as u64) as usize;
    let first_seed = from_env("ORCH_KILL_SEED", 1);

    let folder = Folder::new("undisturbed");
    let mut program = folder.program("run");
    let result = loop {
        match program.hear().expect("an undisturbed run has a result") {
            said if said == "executed" => {}
            said => break said,
        }
    };
    assert!(result.starts_with("result "), "{result}");
    program.end();
    let rows = folder.rows().await;
    let n_rows: usize = rows.iter().map(|(_, rows)| rows.len()).sum();
    assert_eq!(
        n_rows,
        1_000 + 3 + 1,
        "three subflows and a map beside the tasks"
    );
    let undisturbed = Undisturbed {
        result,
        results: results(&rows),
    };

    let mut killed = 0;
    for seed in first_seed.. {
        killed += kill_until_it_completes(seed, &undisturbed).await;
        if killed >= kills {
            break;
        }
    }
}

/// What an undisturbed run comes to.
struct Undisturbed {
    result: String,
    results: BTreeMap<(String, String), Vec<Digest>>,
}

/// What is known of a task run by what it calls itself.
#[derive(Default)]
struct Executions {
    /// The processes that executed it.
    processes: BTreeSet<usize>,
    /// How many of them were gone before it was recorded.
    lost: usize,
}

/// Takes a flow run to its end over many kills, and returns how many there were.
async fn kill_until_it_completes(seed: u64, undisturbed: &Undisturbed) -> usize {
    let mut rng = Rng::new(seed, 0);
    let folder = Folder::new("killed");
    let mut recorded: HashSet<String> = HashSet::new();
    let mut executions: HashMap<String, Executions> = HashMap::new();
    let mut n_notes = 0;
    let (mut killed, mut blamed) = (0, 0);
    let mut result = None;
    for process in 0.. {
        let until = (killed < KILLS).then(|| 1 + rng.next_u64() % 160);
        let pause = Duration::from_micros(rng.next_u64() % 1_000);
        let mut program = folder.program("run");
        match run_until(&mut program, until, pause) {
            None => {
                program.kill();
                killed += 1;
            }
            // Under way at three kills: it takes the blame, and the flow run ends. Started again
            // it is gone on with.
            Some(said) if said.contains("its process was gone") => {
                program.end();
                blamed += 1;
            }
            Some(said) => {
                program.end();
                result = Some(said);
            }
        }

        let notes = folder.notes();
        for note in &notes[n_notes..] {
            let (_, call) = note.split_once(' ').unwrap();
            assert!(
                !recorded.contains(call),
                "process {process} (seed {seed}) executed {call} again, which was recorded"
            );
            let executions = executions.entry(call.to_owned()).or_default();
            let is_first = executions.processes.insert(process);
            assert!(
                is_first,
                "process {process} (seed {seed}) executed {call} twice"
            );
        }
        n_notes = notes.len();
        recorded.extend(completed(&folder.rows().await));
        for (call, executions) in &mut executions {
            if executions.processes.contains(&process) && !recorded.contains(call) {
                executions.lost += 1;
            }
        }
        if result.is_some() {
            break;
        }
    }
    for (call, executions) in &executions {
        let extra = executions.processes.len() - 1;
        assert!(
            extra <= executions.lost,
            "{call} (seed {seed}): {extra} extra executions"
        );
    }
    let extra = n_notes - executions.len();
    println!("seed {seed}: {killed} kills, {blamed} failed runs, {extra} extra executions");

    assert_eq!(result.as_ref(), Some(&undisturbed.result), "seed {seed}");
    let rows = folder.rows().await;
    assert_eq!(results(&rows), undisturbed.results, "seed {seed}");
    let everything = rows.iter().find(|(run, _)| run.flow == "everything");
    let (everything, _) = everything.unwrap();
    assert_eq!(everything.state, State::Completed);
    assert!(everything.resumptions as usize <= killed + blamed);
    nothing_dangles(&folder, &rows);
    killed
}

/// Lets the program run until it has executed so many task runs, and a little longer. Returns what
/// it came to if it ended before.
fn run_until(program: &mut Program, until: Option<u64>, pause: Duration) -> Option<String> {
    let mut heard = 0;
    while Some(heard) != until {
        let said = program
            .hear()
            .expect("it says what it came to before it ends");
        if said != "executed" {
            return Some(said);
        }
        heard += 1;
    }
    let start = Instant::now();
    while start.elapsed() < pause {
        // Shorter than what a sleep can be.
        std::hint::spin_loop();
    }
    None
}

fn nothing_dangles(folder: &Folder, rows: &[(FlowRunRow, Vec<TaskRunRow>)]) {
    for of in ["tmp", "owners"] {
        let files = folder.files(of);
        assert!(
            files.is_empty(),
            "all processes are gone, and {files:?} are there"
        );
    }
    let blobs: HashSet<String> = folder
        .files("blobs")
        .iter()
        .map(|file| file.file_name().unwrap().to_str().unwrap().to_owned())
        .collect();
    let mut n_blobs = 0;
    for row in rows.iter().flat_map(|(_, rows)| rows) {
        if let Some(value) = &row.result
            && value.place == Place::Blob
        {
            n_blobs += 1;
            assert!(blobs.contains(&value.stored.digest.to_string()), "{row:?}");
        }
    }
    assert!(n_blobs > 50, "the flow has large results");
}

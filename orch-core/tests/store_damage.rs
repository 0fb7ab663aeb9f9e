//! A store whose files are damaged: what is read is right, or it counts as not there, or the error
//! says so.

#![cfg(feature = "sqlite")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::Duration;

use orch_core::Digest;
use orch_core::prelude::*;
use orch_core::store::{BlobStore as _, FlowRunFilter, FolderBlobs, FolderStore, RunStore as _};

/// Longer than anything here takes on a busy machine.
const NEVER: Duration = Duration::from_secs(120);

const CASES: u64 = 240;

#[task(cache)]
async fn numbers(n: usize) -> Vec<u64> {
    (0..n as u64).collect()
}

#[task(cache)]
fn halves(numbers: &[u64]) -> (Vec<u64>, String) {
    let half = numbers.len() / 2;
    (numbers[..half].to_vec(), format!("{half} of them"))
}

#[task(cache)]
async fn describe(numbers: &[u64], what: &str) -> String {
    format!("{} in {what}", numbers.iter().sum::<u64>())
}

#[task(inline)]
fn double(x: u64) -> u64 {
    2 * x
}

/// Calls a map, too, whose items are packed.
#[flow]
async fn measure(n: usize) -> anyhow::Result<String> {
    let doubled = map(0..ITEMS, double).fold(0, |sum, x| sum + x).await?;
    anyhow::ensure!(*doubled == ITEMS * (ITEMS - 1), "{doubled:?} is wrong");
    let (first, what) = halves(numbers(n)).unzip();
    Ok(describe(first, what).await?.into_inner())
}

const ITEMS: u64 = 200;

/// The sum of the numbers below 5,000.
const LARGE: &str = "12497500 in 5000 of them";
const SMALL: &str = "10 in 5 of them";

/// Fixed sequences: Vigna's SplitMix64.
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % n as u64) as usize
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
}

/// The files of a store by their paths in it, as they are while an engine is there: with a log.
fn files_of_a_store(path: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let engine = Engine::open(path).unwrap();
    runtime().block_on(async {
        let large = measure(10_000_usize).key("large").on(&engine).await;
        assert_eq!(large.unwrap(), LARGE);
    });
    engine.compact_store().unwrap();
    runtime().block_on(async {
        assert_eq!(
            measure(10_usize).key("small").on(&engine).await.unwrap(),
            SMALL
        );
    });
    let mut files = BTreeMap::new();
    let mut folders = vec![path.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let file = entry.unwrap().path();
            let name = file.strip_prefix(path).unwrap().to_owned();
            if file.is_dir() {
                folders.push(file);
            } else if !name.starts_with("owners") && !name.ends_with("orch.db-shm") {
                files.insert(name, std::fs::read(file).unwrap());
            }
        }
    }
    files
}

fn damage(bytes: &mut Vec<u8>, random: &mut Random) -> String {
    match random.below(4) {
        0 => {
            let len = random.below(bytes.len());
            bytes.truncate(len);
            format!("cut at {len}")
        }
        1 => {
            let at = random.below(bytes.len());
            let to = bytes.len().min(at + 4_096);
            bytes[at..to].fill(0);
            format!("zeros from {at} to {to}")
        }
        _ => {
            let flips = 1 + random.below(8);
            let bits: Vec<usize> = (0..flips).map(|_| random.below(8 * bytes.len())).collect();
            for bit in &bits {
                bytes[bit / 8] ^= 1 << (bit % 8);
            }
            format!("bits {bits:?}")
        }
    }
}

/// An error with its causes.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text += &format!(": {error}");
        cause = error.source();
    }
    text
}

/// Whatever a store can be asked for. Returns what is lost by the check, if that could be made.
fn use_store(path: &Path) -> Option<Vec<Digest>> {
    if let Ok(store) = FolderStore::open(path) {
        let blobs = FolderBlobs::open(path).unwrap();
        runtime().block_on(async {
            let runs = store.flow_runs(FlowRunFilter::default()).await;
            for run in runs.unwrap_or_default() {
                drop(store.task_runs(run.id).await);
                drop(store.attempts(run.id).await);
                drop(store.steps(run.id).await);
            }
            for entry in store.cache_entries().await.unwrap_or_default() {
                drop(store.cached(entry.key.digest).await);
                drop(blobs.read(&entry.value.stored.digest));
            }
        });
    }
    let Ok(engine) = Engine::open(path) else {
        return None;
    };
    let report = engine.check_store().ok();
    runtime().block_on(async {
        for (n, key, expected) in [
            (10_000, Some("large"), LARGE),
            (10, Some("small"), SMALL),
            (10_000, None, LARGE),
            (10, None, SMALL),
        ] {
            let call = measure(n as usize);
            let call = match key {
                Some(key) => call.key(key),
                None => call,
            };
            match call.on(&engine).await {
                Ok(text) => assert_eq!(text, expected),
                Err(error) => {
                    let chain = chain(&error);
                    assert!(
                        !chain.contains("panicked") && !chain.contains("wrong"),
                        "{chain}"
                    );
                }
            }
        }
    });
    drop(engine.collect_garbage(false));
    let report = report?;
    if !report.problems.is_empty() {
        return None;
    }
    Some(report.lost.iter().map(|lost| lost.digest).collect())
}

/// Changes a byte in the middle of each pack; returns how many items are in them.
fn damage_packs(path: &Path) -> u64 {
    let database = rusqlite::Connection::open(path.join("orch.db")).unwrap();
    let mut statement = database
        .prepare("SELECT id, pack FROM packed_task_runs")
        .unwrap();
    let packs: Vec<(i64, Vec<u8>)> = statement
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    for (id, mut pack) in packs.clone() {
        let middle = pack.len() / 2;
        pack[middle] ^= 1;
        let sql = "UPDATE packed_task_runs SET pack = ?2 WHERE id = ?1";
        database.execute(sql, (id, pack)).unwrap();
    }
    let sql = "SELECT sum(items) FROM packed_task_runs";
    let items: i64 = database.query_row(sql, [], |row| row.get(0)).unwrap();
    items.unsigned_abs()
}

#[test]
fn items_of_a_damaged_pack_run_again_and_the_check_names_it() {
    let path = std::env::temp_dir().join(format!("orch-packs-{}", std::process::id()));
    drop(std::fs::remove_dir_all(&path));
    drop(files_of_a_store(&path));
    let damaged = damage_packs(&path);
    assert!(damaged > ITEMS, "{damaged} items of two flow runs");
    let engine = Engine::open(&path).unwrap();
    let report = engine.check_store().unwrap();
    assert!(!report.is_sound());
    let problems = &report.problems;
    assert!(
        problems
            .iter()
            .all(|problem| problem.starts_with("a pack of task runs is damaged")),
        "{problems:?}"
    );
    let runs = engine.recorded_runs(FlowRunFilter::default()).unwrap();
    let mut found = 0;
    runtime().block_on(async {
        for run in runs {
            let (text, report) = engine.rerun(run.id, &[]).unwrap().finish().await;
            assert!(text.is_ok(), "{text:?}");
            let items = report.task_runs.iter().find_map(|run| run.items.as_ref());
            let items = items.unwrap();
            assert_eq!(items.completed, ITEMS);
            found += items.found;
        }
    });
    // What was seen running has a row of its own.
    assert_eq!(found, 2 * ITEMS - damaged);
    drop(engine);
    drop(std::fs::remove_dir_all(&path));
}

#[test]
fn a_damaged_store_gives_no_wrong_value_and_its_check_names_what_is_lost() {
    let path = std::env::temp_dir().join(format!("orch-damage-{}", std::process::id()));
    drop(std::fs::remove_dir_all(&path));
    let files = files_of_a_store(&path);
    let names: Vec<&PathBuf> = files
        .iter()
        .filter(|(_, bytes)| !bytes.is_empty())
        .map(|(name, _)| name)
        .collect();
    let is_blob = |name: &Path| name.starts_with("blobs");
    assert!(names.iter().any(|name| name.ends_with("orch.db-wal")));
    assert!(names.iter().any(|name| is_blob(name)), "{names:?}");
    let mut named = 0;
    for seed in 0..CASES {
        let mut random = Random(seed);
        // The database and its log as often as all blobs.
        let of_kind: Vec<&&PathBuf> = match random.below(2) {
            0 => names.iter().filter(|name| is_blob(name)).collect(),
            _ => names.iter().filter(|name| !is_blob(name)).collect(),
        };
        let name = of_kind[random.below(of_kind.len())];
        let mut bytes = files[*name].clone();
        let what = damage(&mut bytes, &mut random);
        let is_changed = bytes != files[*name];
        let what = format!("seed {seed}, `{}`, {what}", name.display());

        drop(std::fs::remove_dir_all(&path));
        for (other, bytes) in &files {
            let file = path.join(other);
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(file, bytes).unwrap();
        }
        std::fs::write(path.join(name), bytes).unwrap();

        let (sender, done) = mpsc::channel();
        let theirs = path.clone();
        let thread = std::thread::spawn(move || sender.send(use_store(&theirs)));
        let lost = match done.recv_timeout(NEVER) {
            Ok(lost) => lost,
            Err(mpsc::RecvTimeoutError::Timeout) => panic!("{what}: hangs"),
            Err(mpsc::RecvTimeoutError::Disconnected) => {
                drop(thread.join());
                panic!("{what}: panicked");
            }
        };
        if is_blob(name) && is_changed {
            let digest: Digest = name.file_name().unwrap().to_str().unwrap().parse().unwrap();
            assert_eq!(lost, Some(vec![digest]), "{what}");
            named += 1;
        }
    }
    drop(std::fs::remove_dir_all(&path));
    assert!(named > CASES as usize / 4, "{named}");
}

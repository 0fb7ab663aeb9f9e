//! Flow runs in a folder: what is handed back, what the cache has, what runs again.

mod support;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use orch_core::prelude::*;
use orch_core::{FlowErrorKind, State};

use support::Folder;

fn states(report: &orch_core::RunReport) -> Vec<(&str, State)> {
    let runs = report.task_runs.iter();
    runs.map(|run| (run.task.as_str(), run.state)).collect()
}

mod a_failed_run {
    use super::*;

    static LOADED: AtomicUsize = AtomicUsize::new(0);
    static IS_BROKEN: Mutex<bool> = Mutex::new(true);

    #[task]
    async fn load(name: String) -> Vec<u64> {
        LOADED.fetch_add(1, Ordering::SeqCst);
        (0..name.len() as u64).collect()
    }

    #[task]
    fn split(numbers: &[u64]) -> (Vec<u64>, Vec<u64>) {
        numbers.iter().partition(|number| **number % 2 == 0)
    }

    #[task(inline)]
    fn sum(numbers: &[u64]) -> u64 {
        numbers.iter().sum()
    }

    #[task]
    async fn publish(even: u64, odd: u64) -> Result<String, String> {
        if *IS_BROKEN.lock().unwrap() {
            return Err("the network is down".into());
        }
        Ok(format!("{even}/{odd}"))
    }

    #[flow]
    async fn report(name: String) -> anyhow::Result<String> {
        let (even, odd) = split(load(name)).unzip();
        Ok(publish(sum(&even), sum(&odd)).await?.into_inner())
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn that_is_started_again_with_its_key_runs_only_what_did_not_complete() {
        let folder = Folder::new("failed-run");
        let first = folder.open();
        let run = report("abcdef").key("monday").start(&first).unwrap();
        let id = run.id();
        let (result, _) = run.finish().await;
        assert!(result.is_err());
        drop(first);

        *IS_BROKEN.lock().unwrap() = false;
        let second = folder.open();
        let run = report("abcdef").key("monday").start(&second).unwrap();
        assert_eq!(run.id(), id);
        let (result, record) = run.finish().await;
        assert_eq!(result.unwrap(), "6/9");
        assert_eq!(LOADED.load(Ordering::SeqCst), 1);
        assert_eq!(
            states(&record),
            [
                ("load", State::Reused),
                ("split", State::Reused),
                ("sum", State::Reused),
                ("sum", State::Reused),
                ("publish", State::Completed),
            ]
        );

        // Completed: no body runs, and the recorded result is given.
        let third = folder.open();
        let run = report("abcdef").key("monday").start(&third).unwrap();
        assert_eq!(run.id(), id);
        let (result, record) = run.finish().await;
        assert_eq!(result.unwrap(), "6/9");
        assert_eq!(
            states(&record),
            [
                ("load", State::Completed),
                ("split", State::Completed),
                ("sum", State::Completed),
                ("sum", State::Completed),
                ("publish", State::Completed),
            ],
            "the record of the run that completed"
        );
        assert_eq!(record.edges.len(), 5);

        let reused = report("ghi").key("monday").start(&third).unwrap_err();
        let FlowErrorKind::KeyReused { key, parameters } = reused.kind() else {
            panic!("{reused}");
        };
        assert_eq!(
            (key.as_str(), &parameters[..]),
            ("monday", &["name".to_owned()][..])
        );
    }
}

mod a_cached_flow {
    use super::*;

    static CALLS: Mutex<Vec<&str>> = Mutex::new(Vec::new());

    #[task(cache)]
    fn read(file: DataFile) -> std::io::Result<Vec<f64>> {
        CALLS.lock().unwrap().push("read");
        let text = std::fs::read_to_string(&file)?;
        Ok(text
            .split_whitespace()
            .map(|word| word.parse().unwrap())
            .collect())
    }

    #[task(cache)]
    async fn scale(values: &[f64], factor: f64) -> Vec<f64> {
        CALLS.lock().unwrap().push("scale");
        values.iter().map(|value| value * factor).collect()
    }

    #[task(cache)]
    async fn count(values: &[f64]) -> usize {
        CALLS.lock().unwrap().push("count");
        values.len()
    }

    #[flow]
    async fn measure(file: DataFile, factor: f64) -> anyhow::Result<usize> {
        Ok(*count(scale(read(file), factor)).await?)
    }

    fn calls() -> Vec<&'static str> {
        std::mem::take(&mut CALLS.lock().unwrap())
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn runs_what_a_change_concerns_and_nothing_else() {
        let folder = Folder::new("cached-flow");
        let data = folder.path().join("data.txt");
        std::fs::write(&data, "1 2 3").unwrap();

        assert_eq!(measure(&data, 2.0).on(&folder.open()).await.unwrap(), 3);
        assert_eq!(calls(), ["read", "scale", "count"]);
        // In another process it would be the same.
        assert_eq!(measure(&data, 2.0).on(&folder.open()).await.unwrap(), 3);
        assert_eq!(calls(), [""; 0]);
        // A changed argument.
        assert_eq!(measure(&data, 3.0).on(&folder.open()).await.unwrap(), 3);
        assert_eq!(calls(), ["scale", "count"]);
        // Another file of the same content.
        let copy = folder.path().join("copy.txt");
        std::fs::copy(&data, &copy).unwrap();
        assert_eq!(measure(&copy, 3.0).on(&folder.open()).await.unwrap(), 3);
        assert_eq!(calls(), [""; 0]);
        // The same file with another content that comes to the same: early cutoff.
        std::fs::write(&data, "1.0  2 3").unwrap();
        assert_eq!(measure(&data, 2.0).on(&folder.open()).await.unwrap(), 3);
        assert_eq!(calls(), ["read"]);
        // And with one that does not.
        std::fs::write(&data, "1 2 3 4").unwrap();
        assert_eq!(measure(&data, 2.0).on(&folder.open()).await.unwrap(), 4);
        assert_eq!(calls(), ["read", "scale", "count"]);
        // A refresh executes although there are results.
        let engine = Engine::builder()
            .refresh("sc*")
            .open(folder.store())
            .unwrap();
        assert_eq!(measure(&data, 2.0).on(&engine).await.unwrap(), 4);
        assert_eq!(
            calls(),
            ["scale"],
            "its result is the same, so nothing below it runs"
        );
    }
}

mod a_run_that_a_shutdown_interrupts {
    use super::*;
    use std::sync::atomic::AtomicBool;
    use std::time::Duration;

    use orch_core::CancelReason;
    use tokio::sync::Notify;

    static BOOKED: AtomicUsize = AtomicUsize::new(0);
    static RELEASED: AtomicUsize = AtomicUsize::new(0);
    static PRICED: AtomicUsize = AtomicUsize::new(0);
    static IS_WAITING: Notify = Notify::const_new();
    static MAY_GO_ON: AtomicBool = AtomicBool::new(false);

    #[task(inline)]
    fn release(_seats: &u32, _booking: &u64) {
        RELEASED.fetch_add(1, Ordering::SeqCst);
    }

    #[task(rollback = release)]
    async fn book(seats: &u32) -> u64 {
        BOOKED.fetch_add(1, Ordering::SeqCst);
        u64::from(*seats) * 100
    }

    #[task]
    async fn price(booking: u64) -> u64 {
        PRICED.fetch_add(1, Ordering::SeqCst);
        booking + 7
    }

    #[task]
    async fn wait_for_the_bank(price: u64) -> u64 {
        if !MAY_GO_ON.load(Ordering::SeqCst) {
            IS_WAITING.notify_one();
            std::future::pending::<()>().await;
        }
        price
    }

    #[flow]
    async fn pay(booking: u64) -> anyhow::Result<u64> {
        Ok(*wait_for_the_bank(price(booking)).await?)
    }

    #[flow]
    async fn travel(seats: u32) -> anyhow::Result<u64> {
        let booking = book(seats).await?;
        Ok(pay(booking).await?)
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn goes_on_where_it_was_and_nothing_of_it_is_undone() {
        let folder = Folder::new("interrupted");
        let engine = Engine::builder()
            .grace(Duration::ZERO)
            .open(folder.store())
            .unwrap();
        let run = travel(2u32).key("k").start(&engine).unwrap();
        IS_WAITING.notified().await;
        let drained = engine.shutdown().await;
        assert_eq!(drained.cancelled.len(), 2, "{drained:?}");
        let id = run.id();
        let error = run.await.unwrap_err();
        assert!(
            matches!(
                error.kind(),
                FlowErrorKind::Cancelled {
                    reason: CancelReason::Shutdown
                }
            ),
            "{error:?}"
        );
        drop(engine);

        let rows = folder.rows().await;
        assert_eq!(rows.len(), 2);
        for (run, _) in &rows {
            assert_eq!(run.state, State::Crashed, "{}", run.flow);
        }
        MAY_GO_ON.store(true, Ordering::SeqCst);
        let engine = folder.open();
        let again = travel(2u32).key("k").start(&engine).unwrap();
        assert_eq!(again.id(), id);
        let (result, report) = again.finish().await;
        assert_eq!(result.unwrap(), 207);
        assert_eq!(
            states(&report),
            [("book", State::Reused), ("pay", State::Completed)]
        );
        let executed = [&BOOKED, &PRICED, &RELEASED].map(|count| count.load(Ordering::SeqCst));
        assert_eq!(executed, [1, 1, 0]);
    }

    #[tokio::test]
    async fn is_resumed_with_those_whose_process_is_gone() {
        #[task]
        async fn wait(_n: u32) {
            IS_BUSY.notify_one();
            if !MAY_END.load(Ordering::SeqCst) {
                std::future::pending::<()>().await;
            }
        }

        #[flow]
        async fn patient(n: u32) -> anyhow::Result<u32> {
            wait(n).await?;
            Ok(n)
        }

        static IS_BUSY: Notify = Notify::const_new();
        static MAY_END: AtomicBool = AtomicBool::new(false);

        let folder = Folder::new("interrupted-unkeyed");
        let engine = Engine::builder()
            .grace(Duration::ZERO)
            .open(folder.store())
            .unwrap();
        let run = patient(3u32).start(&engine).unwrap();
        IS_BUSY.notified().await;
        engine.shutdown().await;
        let id = run.id();
        drop((run, engine));

        MAY_END.store(true, Ordering::SeqCst);
        let engine = folder.open();
        let mut resumed = engine.resume_crashed().unwrap();
        assert_eq!(resumed.len(), 1);
        let run = resumed.remove(0);
        assert_eq!(run.id(), id);
        assert_eq!(run.await.unwrap(), Some(serde_json::json!(3)));
    }
}

mod a_task_run_that_takes_what_a_map_made {
    use super::*;
    use std::sync::atomic::AtomicBool;

    static TOTALLED: AtomicUsize = AtomicUsize::new(0);
    static IS_OPEN: AtomicBool = AtomicBool::new(false);

    #[task]
    async fn double(n: u64) -> u64 {
        2 * n
    }

    #[task]
    async fn total(numbers: &[u64]) -> u64 {
        TOTALLED.fetch_add(1, Ordering::SeqCst);
        numbers.iter().sum()
    }

    #[task]
    async fn publish(total: u64) -> Result<u64, String> {
        match IS_OPEN.load(Ordering::SeqCst) {
            true => Ok(total),
            false => Err("closed".to_owned()),
        }
    }

    #[flow]
    async fn add_up(n: u64) -> anyhow::Result<u64> {
        let doubled = map(0..n, double).collect();
        Ok(*publish(total(doubled)).await?)
    }

    #[tokio::test]
    async fn is_handed_back_like_any_other() {
        let folder = Folder::new("after-a-map");
        let engine = folder.open();
        add_up(300u64).key("k").on(&engine).await.unwrap_err();
        drop(engine);
        IS_OPEN.store(true, Ordering::SeqCst);
        let engine = folder.open();
        let run = add_up(300u64).key("k").start(&engine).unwrap();
        let (result, report) = run.finish().await;
        assert_eq!(result.unwrap(), 300 * 299);
        assert_eq!(
            states(&report),
            [
                ("map", State::Completed),
                ("total", State::Reused),
                ("publish", State::Completed)
            ]
        );
        assert_eq!(TOTALLED.load(Ordering::SeqCst), 1);
    }
}

mod a_replay {
    use super::*;
    use std::collections::HashMap;
    use std::time::UNIX_EPOCH;

    use orch_core::store::{MemoryBlobs, MemoryStore};

    static CHARGED: AtomicUsize = AtomicUsize::new(0);
    static DRAWN: AtomicUsize = AtomicUsize::new(0);

    #[task]
    async fn draw(ctx: &TaskContext, day: u64) -> Vec<u64> {
        DRAWN.fetch_add(1, Ordering::SeqCst);
        assert_eq!(ctx.restore::<u64>(), None, "it starts anew");
        ctx.checkpoint(&day).unwrap();
        let mut rng = ctx.rng();
        (0..4).map(|_| rng.next_u64() ^ day).collect()
    }

    #[task]
    async fn charge(ctx: &TaskContext, total: u64) -> Result<u64, String> {
        let receipt = ctx.step("charge", || async {
            let receipt = CHARGED.fetch_add(1, Ordering::SeqCst) as u64;
            Ok::<_, String>(total ^ receipt)
        });
        receipt.await
    }

    #[flow]
    async fn bill(items: u64, ctx: &FlowContext) -> anyhow::Result<u64> {
        let day = ctx.now().duration_since(UNIX_EPOCH)?.as_nanos() as u64;
        let drawn = draw(day ^ items).await?;
        Ok(*charge(drawn.iter().fold(0, |sum, x| sum ^ x)).await?)
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn comes_to_the_same_on_another_engine_and_repeats_no_step() {
        let folder = Folder::new("replay");
        let engine = folder.open();
        let run = bill(3u64).start(&engine).unwrap();
        let id = run.id();
        let result = run.await.unwrap();

        let store = Arc::new(MemoryStore::new());
        let builder = Engine::builder().workers(1).compute_threads(1);
        let elsewhere = builder.build_on(store, Arc::new(MemoryBlobs::new()));
        let replay = engine.replay(id, &elsewhere).unwrap();
        let replayed = replay.id();
        assert_eq!(replay.await.unwrap(), Some(serde_json::json!(result)));
        let executed = [&DRAWN, &CHARGED].map(|count| count.load(Ordering::SeqCst));
        assert_eq!(executed, [2, 1]);

        let digests = |engine: &Engine, run| -> HashMap<String, Option<String>> {
            let recorded = engine.recorded_run(run).unwrap().unwrap();
            let rows = recorded.task_runs.iter();
            let digest = |row: &orch_core::store::TaskRunRow| {
                let result = row.result.as_ref()?;
                Some(result.stored.digest.to_string())
            };
            rows.map(|row| (row.call.to_string(), digest(row)))
                .collect()
        };
        assert_eq!(digests(&engine, id), digests(&elsewhere, replayed));
        assert_eq!(digests(&engine, id).len(), 2);
    }
}

mod a_result_that_stays_in_memory {
    use super::*;
    use std::sync::atomic::AtomicBool;

    static LOADED: AtomicUsize = AtomicUsize::new(0);
    static COUNTED: AtomicUsize = AtomicUsize::new(0);
    static IS_OPEN: AtomicBool = AtomicBool::new(false);

    #[task(keep = "memory")]
    async fn load(rows: u64) -> Vec<u64> {
        LOADED.fetch_add(1, Ordering::SeqCst);
        vec![0xfeed_f00d_dead_beef; rows as usize]
    }

    #[task(keep = "run")]
    async fn count(rows: &[u64]) -> usize {
        COUNTED.fetch_add(1, Ordering::SeqCst);
        rows.len()
    }

    #[task]
    async fn publish(n: usize) -> Result<usize, String> {
        match IS_OPEN.load(Ordering::SeqCst) {
            true => Ok(n),
            false => Err("closed".to_owned()),
        }
    }

    #[flow]
    async fn measure(rows: u64) -> anyhow::Result<usize> {
        Ok(*publish(count(load(rows))).await?)
    }

    #[tokio::test]
    async fn is_not_stored_and_is_made_again_when_the_flow_run_is_resumed() {
        let folder = Folder::new("kept-in-memory");
        let engine = folder.open();
        measure(5_000u64).key("k").on(&engine).await.unwrap_err();
        drop(engine);
        assert!(folder.files("blobs").is_empty());
        let needle = 0xfeed_f00d_dead_beef_u64.to_le_bytes();
        for file in folder.files("") {
            let bytes = std::fs::read(&file).unwrap();
            assert!(!bytes.windows(8).any(|window| window == needle), "{file:?}");
        }
        let rows = folder.rows().await;
        let stored: Vec<bool> = rows[0].1.iter().map(|row| row.result.is_some()).collect();
        assert_eq!(stored, [false, true, false]);

        IS_OPEN.store(true, Ordering::SeqCst);
        let engine = folder.open();
        let result = measure(5_000u64).key("k").on(&engine).await;
        assert_eq!(result.unwrap(), 5_000);
        let executed = [&LOADED, &COUNTED].map(|count| count.load(Ordering::SeqCst));
        // The rows came to the same, so what was counted then still holds.
        assert_eq!(executed, [2, 1]);
    }
}

mod an_inline_task_that_is_cached {
    use super::*;

    use orch_core::store::ResultOrigin;

    static SQUARED: AtomicUsize = AtomicUsize::new(0);

    #[task(cache, inline)]
    fn square(x: u64) -> u64 {
        SQUARED.fetch_add(1, Ordering::SeqCst);
        x * x
    }

    #[task(inline)]
    fn add(a: u64, b: u64) -> u64 {
        a + b
    }

    #[flow]
    async fn pythagoras(a: u64, b: u64) -> anyhow::Result<u64> {
        let squares = (square(a).await?, square(b));
        Ok(*add(&squares.0, &squares.1).await?)
    }

    #[tokio::test]
    async fn is_recorded_as_cached_with_the_call_that_executed_it() {
        let folder = Folder::new("inline");
        let first = {
            let engine = folder.open();
            let run = pythagoras(3u64, 4u64).start(&engine).unwrap();
            let id = run.id();
            assert_eq!(run.await.unwrap(), 25);
            id
        };
        let engine = folder.open();
        let run = pythagoras(3u64, 4u64).start(&engine).unwrap();
        let second = run.id();
        let (result, report) = run.finish().await;
        assert_eq!(result.unwrap(), 25);
        assert_eq!(
            states(&report),
            [
                ("square", State::Cached),
                ("square", State::Cached),
                ("add", State::Completed)
            ]
        );
        assert_eq!(SQUARED.load(Ordering::SeqCst), 2);
        drop(engine);

        let rows = folder.rows().await;
        let of = |id| rows.iter().find(|(run, _)| run.id == id).unwrap();
        let ((_, executed), (_, cached)) = (of(first), of(second));
        for (executed, cached) in executed.iter().zip(cached).take(2) {
            let origin = ResultOrigin::Cached {
                run: first,
                call: executed.call,
            };
            assert_eq!((cached.state, cached.origin), (State::Cached, origin));
            let key = |row: &orch_core::store::TaskRunRow| row.key.as_ref().unwrap().digest;
            assert_eq!(key(cached), key(executed));
            assert_eq!(cached.result, executed.result);
        }
        assert_eq!(rows.len(), 2);
    }
}

mod equal_calls_in_branches {
    use super::*;
    use std::sync::atomic::AtomicBool;

    static DRAWN: AtomicUsize = AtomicUsize::new(0);
    static TURN: AtomicUsize = AtomicUsize::new(0);
    static ORDER: Mutex<[&str; 2]> = Mutex::new(["left", "right"]);
    static IS_OPEN: AtomicBool = AtomicBool::new(false);

    /// No two calls return the same.
    #[task]
    async fn draw() -> usize {
        DRAWN.fetch_add(1, Ordering::SeqCst)
    }

    #[task]
    async fn publish(left: usize, right: usize) -> Result<(usize, usize), String> {
        match IS_OPEN.load(Ordering::SeqCst) {
            true => Ok((left, right)),
            false => Err(format!("{left} {right}")),
        }
    }

    /// Draws when it is its turn.
    async fn draw_in_turn(name: &str) -> Result<usize, TaskError> {
        loop {
            let turn = TURN.load(Ordering::SeqCst);
            if ORDER.lock().unwrap().get(turn) == Some(&name) {
                break;
            }
            tokio::task::yield_now().await;
        }
        let drawn = draw();
        TURN.fetch_add(1, Ordering::SeqCst);
        Ok(*drawn.await?)
    }

    #[flow]
    async fn both(ctx: &FlowContext) -> anyhow::Result<(usize, usize)> {
        let (left, right) = tokio::try_join!(
            ctx.branch("left", draw_in_turn("left")),
            ctx.branch("right", draw_in_turn("right")),
        )?;
        Ok(*publish(left, right).await?)
    }

    #[tokio::test]
    async fn come_back_to_their_branch_in_whatever_order_they_are_made() {
        let folder = Folder::new("branches");
        let engine = folder.open();
        let failed = both().key("k").on(&engine).await.unwrap_err();
        let failed = format!("{:#}", anyhow::Error::from(failed));
        assert!(failed.ends_with("0 1"), "{failed}");
        drop(engine);

        TURN.store(0, Ordering::SeqCst);
        *ORDER.lock().unwrap() = ["right", "left"];
        IS_OPEN.store(true, Ordering::SeqCst);
        let engine = folder.open();
        assert_eq!(both().key("k").on(&engine).await.unwrap(), (0, 1));
        assert_eq!(DRAWN.load(Ordering::SeqCst), 2);
    }
}

mod a_flow_run_that_is_refused {
    use super::*;
    use orch_core::FlowErrorKind;
    use std::time::Duration;
    use tokio::sync::Semaphore;

    static GATE: Semaphore = Semaphore::const_new(0);

    #[task]
    async fn pass() -> u64 {
        GATE.acquire().await.unwrap().forget();
        1
    }

    #[flow(max_running = (1, "skip"))]
    async fn one_at_most() -> anyhow::Result<u64> {
        Ok(*pass().await?)
    }

    /// Fails the test where it would hang.
    async fn soon<F: IntoFuture>(future: F) -> F::Output {
        let soon = tokio::time::timeout(Duration::from_secs(60), future).await;
        soon.expect("it is not waited for what never comes")
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn is_recorded_as_that_and_can_be_started_again_with_its_key() {
        let folder = Folder::new("refused");
        let engine = folder.open();
        let first = one_at_most().key("first").start(&engine).unwrap();
        let refused = one_at_most().key("second").start(&engine).unwrap_err();
        let full = matches!(refused.kind(), FlowErrorKind::TooManyRunning { .. });
        assert!(full, "{refused}");
        // Refused again, and not taken for one that runs.
        let engine_of_task = engine.clone();
        let again = tokio::spawn(async move {
            let again = one_at_most().key("second").start(&engine_of_task);
            matches!(
                again.unwrap_err().kind(),
                FlowErrorKind::TooManyRunning { .. }
            )
        });
        assert!(soon(again).await.unwrap());

        GATE.add_permits(2);
        assert_eq!(soon(first).await.unwrap(), 1);
        let rows = folder.rows().await;
        let mut states: Vec<_> = rows
            .iter()
            .map(|(run, _)| (run.key.clone().unwrap(), run.state))
            .collect();
        states.sort_by(|a, b| a.0.cmp(&b.0));
        let expected = [("first", State::Completed), ("second", State::Skipped)];
        assert_eq!(states, expected.map(|(key, state)| (key.to_owned(), state)));
        assert_eq!(
            soon(one_at_most().key("second").on(&engine)).await.unwrap(),
            1
        );
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn by_an_engine_that_closes_goes_on_with_the_next_one() {
        let folder = Folder::new("refused-closed");
        let engine = folder.open();
        engine.drain(Duration::ZERO).await;
        let refused = one_at_most().key("k").start(&engine).unwrap_err();
        assert!(matches!(refused.kind(), FlowErrorKind::Closed), "{refused}");
        drop(engine);
        let engine = folder.open();
        GATE.add_permits(1);
        assert_eq!(soon(one_at_most().key("k").on(&engine)).await.unwrap(), 1);
    }
}

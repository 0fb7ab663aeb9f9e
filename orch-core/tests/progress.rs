//! The plain lines of the progress display.
#![cfg(feature = "progress")]

use std::io;
use std::sync::{Arc, Barrier, Mutex};

use expect_test::{Expect, expect};
use orch_core::prelude::*;
use orch_core::testing::TestEngine;
use orch_core::{FailureMode, Progress};

/// A writer whose text can be looked at.
#[derive(Clone, Default)]
struct Captured(Arc<Mutex<Vec<u8>>>);

impl io::Write for Captured {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Captured {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

/// Shows the engine's flow runs in a writer.
fn show(engine: &Engine) -> (Progress, Captured) {
    let captured = Captured::default();
    (
        Progress::builder(engine).to(captured.clone()).show(),
        captured,
    )
}

/// Compares what was shown, with `_` for durations.
fn check(captured: &Captured, expected: Expect) {
    let is_duration = |field: &str| {
        let unit = [" ns", " µs", " ms", " s"]
            .iter()
            .find_map(|unit| field.strip_suffix(unit));
        unit.is_some_and(|number| number.parse::<f64>().is_ok())
    };
    let normalised = captured.text().lines().fold(String::new(), |text, line| {
        let fields = line
            .split("  ")
            .map(|field| if is_duration(field) { "_" } else { field });
        text + &fields.collect::<Vec<_>>().join("  ") + "\n"
    });
    expected.assert_eq(&normalised);
}

#[task]
async fn load(rows: u64) -> u64 {
    rows
}

#[task(retries = 2, backoff = "2s")]
async fn fit(rows: u64) -> Result<u64, String> {
    Ok(rows * 2)
}

#[task]
async fn refuse(rows: u64) -> Result<u64, io::Error> {
    Err(io::Error::other(format!("{rows} rows\nare not enough")))
}

#[task]
async fn evaluate(fitted: u64) -> u64 {
    fitted + 1
}

#[flow]
async fn train(rows: u64) -> anyhow::Result<u64> {
    Ok(*evaluate(fit(load(rows))).await?)
}

#[flow]
async fn doomed() -> anyhow::Result<u64> {
    Ok(*evaluate(refuse(load(3u64))).await?)
}

#[orch_core::test]
async fn each_start_retry_and_end_is_a_line() {
    let engine = TestEngine::new().fail("fit", 2).build();
    let (progress, captured) = show(&engine);
    assert_eq!(train(4).name("train-1").on(&engine).await.unwrap(), 9);
    progress.finish();
    check(
        &captured,
        expect![[r#"
        ● running  flow train-1
        ● running  load
        ✓ completed  load  _
        ● running  fit
        ↻ awaiting retry  fit  attempt 1: the test made this attempt fail  next in 2.00 s
        ● running  fit  attempt 2
        ↻ awaiting retry  fit  attempt 2: the test made this attempt fail  next in 2.00 s
        ● running  fit  attempt 3
        ✓ completed  fit  _  3 attempts
        ● running  evaluate
        ✓ completed  evaluate  _
        ✓ completed  flow train-1  _  3 completed
    "#]],
    );
}

#[orch_core::test]
async fn waits_between_attempts_are_told() {
    let engine = TestEngine::new().fail("fit", 1).build();
    let (progress, captured) = show(&engine);
    train(4).on(&engine).await.unwrap();
    progress.finish();
    let text = captured.text();
    assert!(text.contains("  next in 2.00 s\n"), "{text}");
    assert!(
        text.contains("✓ completed  fit  2.00 s  2 attempts\n"),
        "{text}"
    );
}

#[orch_core::test]
async fn a_failure_says_why_and_what_was_skipped() {
    let engine = TestEngine::new()
        .failure_mode(FailureMode::ContinueOnFailure)
        .build();
    let (progress, captured) = show(&engine);
    doomed().name("doomed-1").on(&engine).await.unwrap_err();
    progress.finish();
    check(
        &captured,
        expect![[r#"
            ● running  flow doomed-1
            ● running  load
            ✓ completed  load  _
            ● running  refuse
            ✗ failed  refuse  _  3 rows\nare not enough
            ⊘ skipped  evaluate  because `refuse` did not complete
            ✗ failed  flow doomed-1  _  1 completed, 1 failed, 1 skipped  `refuse`: 3 rows\nare not enough
        "#]],
    );
}

#[task(inline)]
fn parse(x: u64) -> Result<u64, String> {
    if x == 13 {
        Err("unlucky".to_owned())
    } else {
        Ok(x)
    }
}

#[flow]
async fn parse_all(items: u64, allowed: u64) -> anyhow::Result<usize> {
    let parsed = map(0..items, parse)
        .name("numbers")
        .tolerate(Tolerance::count(allowed));
    Ok(parsed.collect().await?.len())
}

#[orch_core::test]
async fn a_map_is_one_line_with_counts_and_its_failed_items() {
    let engine = TestEngine::new().build();
    let (progress, captured) = show(&engine);
    assert_eq!(
        parse_all(2_000, 1)
            .name("parse-1")
            .on(&engine)
            .await
            .unwrap(),
        1_999
    );
    parse_all(20, 0)
        .name("parse-2")
        .on(&engine)
        .await
        .unwrap_err();
    progress.finish();
    check(
        &captured,
        expect![[r#"
            ● running  flow parse-1
            ● running  numbers
            ✗ failed  parse  _  unlucky
            ✓ completed  numbers  _  1,999 items completed, 1 failed
            ✓ completed  flow parse-1  _  1 completed
            ● running  flow parse-2
            ● running  numbers
            ✗ failed  parse  _  unlucky
            ✗ failed  numbers  _  1 of 20 items failed, 0 are tolerated: unlucky
            ✗ failed  flow parse-2  _  1 failed  `parse`: unlucky
        "#]],
    );
}

#[flow]
async fn outer() -> anyhow::Result<u64> {
    let prepared = train(1).name("prepare");
    Ok(*evaluate(prepared).await?)
}

#[orch_core::test]
async fn task_runs_of_a_subflow_have_its_name_before_theirs() {
    let engine = TestEngine::new().build();
    let (progress, captured) = show(&engine);
    outer().name("outer-1").on(&engine).await.unwrap();
    progress.finish();
    check(
        &captured,
        expect![[r#"
        ● running  flow outer-1
        ● running  prepare
        ● running  prepare/load
        ✓ completed  prepare/load  _
        ● running  prepare/fit
        ✓ completed  prepare/fit  _
        ● running  prepare/evaluate
        ✓ completed  prepare/evaluate  _
        ✓ completed  prepare  _
        ● running  evaluate
        ✓ completed  evaluate  _
        ✓ completed  flow outer-1  _  5 completed
    "#]],
    );
}

#[orch_core::test]
async fn names_begin_with_the_flow_run_while_there_are_several() {
    let engine = TestEngine::new().build();
    let (progress, captured) = show(&engine);
    let first = train(1).name("first").start(&engine).unwrap();
    let second = train(2).name("second").start(&engine).unwrap();
    first.wait().await;
    second.wait().await;
    train(3).name("third").on(&engine).await.unwrap();
    progress.finish();
    check(
        &captured,
        expect![[r#"
        ● running  flow first
        ● running  flow second
        ● running  first/load
        ✓ completed  first/load  _
        ● running  first/fit
        ✓ completed  first/fit  _
        ● running  first/evaluate
        ✓ completed  first/evaluate  _
        ● running  second/load
        ✓ completed  second/load  _
        ● running  second/fit
        ✓ completed  second/fit  _
        ● running  second/evaluate
        ✓ completed  second/evaluate  _
        ✓ completed  flow first  _  3 completed
        ✓ completed  flow second  _  3 completed
        ● running  flow third
        ● running  load
        ✓ completed  load  _
        ● running  fit
        ✓ completed  fit  _
        ● running  evaluate
        ✓ completed  evaluate  _
        ✓ completed  flow third  _  3 completed
    "#]],
    );
}

#[orch_core::test]
async fn a_hostile_name_stays_on_its_line() {
    let engine = TestEngine::new().build();
    let (progress, captured) = show(&engine);
    train(1).name("a\u{1b}[31m\nb").on(&engine).await.unwrap();
    progress.finish();
    let text = captured.text();
    assert!(
        text.starts_with("● running  flow a\\u{1b}[31m\\nb\n"),
        "{text}"
    );
}

/// A writer that does not get on until it is let.
struct Slow {
    captured: Captured,
    barrier: Arc<Barrier>,
    is_first: bool,
}

impl io::Write for Slow {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if std::mem::take(&mut self.is_first) {
            // Once to say that it is here, once to go on.
            self.barrier.wait();
            self.barrier.wait();
        }
        self.captured.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[orch_core::test]
async fn a_display_that_is_too_slow_says_what_it_missed_and_holds_up_nothing() {
    let engine = Engine::builder().event_capacity(8).build();
    let captured = Captured::default();
    let barrier = Arc::new(Barrier::new(2));
    let writer = Slow {
        captured: captured.clone(),
        barrier: Arc::clone(&barrier),
        is_first: true,
    };
    let progress = Progress::builder(&engine).to(writer).show();
    let first = train(1).start(&engine).unwrap();
    first.wait().await;
    barrier.wait();
    // The writer stands still now, and flow runs do not.
    for n in 0..20 {
        train(n).on(&engine).await.unwrap();
    }
    barrier.wait();
    progress.finish();
    let text = captured.text();
    assert!(
        text.lines()
            .any(|line| line.starts_with("! ") && line.ends_with(" events missed")),
        "{text}"
    );
    assert!(
        text.lines()
            .last()
            .unwrap()
            .starts_with("✓ completed  flow train-"),
        "{text}"
    );
}

#[test]
fn it_works_on_both_sides_of_a_runtime_and_with_many_flow_runs() {
    let engine = Engine::builder().event_capacity(1 << 16).build();
    // Outside of any runtime.
    let (progress, captured) = show(&engine);
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = runtime.worker_threads(2).enable_time().build().unwrap();
    runtime.block_on(async {
        let runs: Vec<_> = (0..100).map(|n| train(n).start(&engine).unwrap()).collect();
        for run in runs {
            run.await.unwrap();
        }
        // Within one, where it may be dropped too.
        let (inner, inner_captured) = show(&engine);
        train(1).name("inner").on(&engine).await.unwrap();
        drop(inner);
        assert!(inner_captured.text().contains("✓ completed  flow inner  "));
    });
    progress.finish();
    let text = captured.text();
    let ended = text
        .lines()
        .filter(|line| line.starts_with("✓ completed  flow "))
        .count();
    assert_eq!(ended, 101, "{text}");
    // Start and end of three task runs and of the flow run itself.
    assert_eq!(text.lines().count(), 101 * 8);
    assert!(text.lines().all(|line| line.contains("  ")), "{text}");
}

#[test]
fn it_does_not_keep_its_engine_and_outlives_it() {
    struct Told(Arc<Mutex<bool>>);
    impl Drop for Told {
        fn drop(&mut self) {
            *self.0.lock().unwrap() = true;
        }
    }
    let is_gone = Arc::new(Mutex::new(false));
    let engine = Engine::builder()
        .resource(Told(Arc::clone(&is_gone)))
        .build();
    let (progress, captured) = show(&engine);
    drop(engine);
    assert!(*is_gone.lock().unwrap());
    progress.println("still here");
    assert_eq!(progress.suspend(|| 7), 7);
    progress.finish();
    assert_eq!(captured.text(), "still here\n");
}

//! Maps: how many items are taken and when, in which order results come, what failures do.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::stream;
use orch_core::prelude::*;
use orch_core::testing::{TestEngine, TestRun};
use orch_core::{
    EventKind, FailureMode, MapSource, Received, State, TaskErrorKind, map_product, map_stream,
    map_zip,
};

fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Bad(u64);

impl std::fmt::Display for Bad {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "item {} is bad", self.0)
    }
}

impl std::error::Error for Bad {}

/// What the items saw.
#[derive(Debug, Default)]
struct Seen {
    /// Items taken from the iterator.
    taken: AtomicUsize,
    now: AtomicUsize,
    /// The most items under way at once.
    most: AtomicUsize,
    started: AtomicUsize,
    ended: Mutex<Vec<u64>>,
}

impl Seen {
    fn counted<I>(self: &Arc<Self>, items: I) -> impl Iterator<Item = u64> + Send + use<I>
    where
        I: Iterator<Item = u64> + Send,
    {
        let seen = Arc::clone(self);
        items.inspect(move |_| {
            seen.taken.fetch_add(1, Ordering::SeqCst);
        })
    }

    fn taken(&self) -> usize {
        self.taken.load(Ordering::SeqCst)
    }
}

/// Takes as many seconds as asked.
#[task]
async fn slow(seen: Arc<Seen>, item: u64, time: u64) -> u64 {
    seen.started.fetch_add(1, Ordering::SeqCst);
    let now = seen.now.fetch_add(1, Ordering::SeqCst) + 1;
    seen.most.fetch_max(now, Ordering::SeqCst);
    tokio::time::sleep(seconds(time)).await;
    seen.now.fetch_sub(1, Ordering::SeqCst);
    seen.ended.lock().unwrap().push(item);
    item * 10
}

/// Fails for the items from `bad` on, up to `until`.
#[task]
async fn fails_within(item: u64, bad: u64, until: u64) -> Result<u64, Bad> {
    tokio::time::sleep(seconds(1)).await;
    if (bad..until).contains(&item) {
        Err(Bad(item))
    } else {
        Ok(item)
    }
}

#[task(inline)]
fn square(item: u64) -> u64 {
    item * item
}

#[task(inline)]
fn sum(items: &[u64]) -> u64 {
    items.iter().sum()
}

#[flow]
async fn windowed(seen: Arc<Seen>) -> Result<Vec<u64>, TaskError> {
    let (items, inside) = (seen.counted(0..100u64), Arc::clone(&seen));
    let run = map(items, move |item| slow(Arc::clone(&inside), item, 1))
        .window(4)
        .collect();
    tokio::time::sleep(Duration::from_millis(500)).await;
    // Those under way and no more: nobody has asked for the next one yet.
    assert_eq!(seen.taken(), 4);
    tokio::time::sleep(seconds(1)).await;
    assert_eq!(seen.taken(), 8);
    Ok(run.await?.into_inner())
}

#[orch_core::test]
async fn items_are_taken_only_as_fast_as_they_are_worked_off() {
    let seen = Arc::default();
    let run = TestEngine::new().run(windowed(Arc::clone(&seen))).await;
    assert_eq!(run.result.as_ref().unwrap().len(), 100);
    assert_eq!(seen.most.load(Ordering::SeqCst), 4);
    assert_eq!(run.report.duration, seconds(25));
    // One node, whose items are counted and not listed.
    let [map] = &run.report.task_runs[..] else {
        panic!("{:?}", run.report.task_runs)
    };
    let items = map.items.as_ref().unwrap();
    assert_eq!(
        (items.completed, items.failed, items.cancelled),
        (100, 0, 0)
    );
}

#[flow]
async fn never_awaited(seen: Arc<Seen>) -> Result<(), TaskError> {
    let inside = Arc::clone(&seen);
    let map = map(seen.counted(0..10u64), move |item| {
        slow(Arc::clone(&inside), item, 1)
    });
    tokio::time::sleep(seconds(5)).await;
    assert_eq!(seen.taken(), 0, "a map does nothing until it is submitted");
    drop(map.name("ten").collect());
    Ok(())
}

#[orch_core::test]
async fn a_map_is_lazy_until_it_is_submitted_and_then_runs_unawaited() {
    let seen = Arc::default();
    let run = TestEngine::new()
        .run(never_awaited(Arc::clone(&seen)))
        .await;
    run.assert_completed();
    run.assert_state("ten", State::Completed);
    assert_eq!(
        (seen.taken(), seen.started.load(Ordering::SeqCst)),
        (10, 10)
    );
}

#[flow]
async fn backwards(seen: Arc<Seen>) -> Result<Vec<u64>, TaskError> {
    let inside = Arc::clone(&seen);
    Ok(map(0..8u64, move |item| {
        slow(Arc::clone(&inside), item, 8 - item)
    })
    .await?
    .into_inner())
}

#[orch_core::test]
async fn results_keep_the_order_of_the_items_whatever_the_order_they_end_in() {
    let seen: Arc<Seen> = Arc::default();
    let run = TestEngine::new().run(backwards(Arc::clone(&seen))).await;
    assert_eq!(run.result.unwrap(), [0, 10, 20, 30, 40, 50, 60, 70]);
    assert_eq!(*seen.ended.lock().unwrap(), [7, 6, 5, 4, 3, 2, 1, 0]);
}

#[flow]
async fn one_slow_item(seen: Arc<Seen>) -> Result<u64, TaskError> {
    let inside = Arc::clone(&seen);
    let items = seen.counted(0..1000u64);
    let run = map(items, move |item| {
        slow(
            Arc::clone(&inside),
            item,
            if item == 0 { 10_000 } else { 1 },
        )
    });
    let run = run.window(4).fold(0, |sum, _| sum + 1);
    tokio::time::sleep(seconds(5_000)).await;
    // What has ended behind the slow one is kept, so there is an end to it.
    assert!(seen.taken() < 40, "{}", seen.taken());
    Ok(*run.await?)
}

#[orch_core::test]
async fn a_slow_item_does_not_let_the_others_pile_up_behind_it() {
    let run = TestEngine::new().run(one_slow_item(Arc::default())).await;
    assert_eq!(run.result.unwrap(), 1000);
}

#[flow]
async fn two_levels() -> Result<Vec<Vec<u64>>, TaskError> {
    Ok(map(1..4u64, |outer| {
        map(0..outer, move |inner| square(outer * 10 + inner)).collect()
    })
    .await?
    .into_inner())
}

#[orch_core::test]
async fn maps_nest() {
    let run = TestEngine::new().run(two_levels()).await;
    assert_eq!(
        run.result.as_ref().unwrap(),
        &[vec![100], vec![400, 441], vec![900, 961, 1024]]
    );
    // The inner ones belong to the items, which are counted.
    assert_eq!(run.report.task_runs.len(), 1);
    assert_eq!(run.report.task_runs[0].items.as_ref().unwrap().completed, 3);
}

#[task]
async fn list(n: u64) -> Result<Vec<u64>, Bad> {
    tokio::time::sleep(seconds(1)).await;
    if n == 13 {
        Err(Bad(13))
    } else {
        Ok((0..n).collect())
    }
}

#[flow]
async fn over_handles(n: u64) -> Result<[u64; 4], TaskError> {
    let items = list(n);
    let by_reference = map(&items, square).fold(0, |sum, x| sum + x);
    let chained = sum(map(items.clone(), square).collect());
    let tracked = items.clone().await?;
    let by_tracked = map(&tracked, square).fold(0, |sum, x| sum + x);
    let by_value = map(items, square).fold(0, |sum, x| sum + x);
    Ok([
        *by_reference.await?,
        *chained.await?,
        *by_tracked.await?,
        *by_value.await?,
    ])
}

#[orch_core::test]
async fn a_map_goes_over_the_result_of_a_task_run() {
    let run = TestEngine::new().run(over_handles(5)).await;
    assert_eq!(run.result.as_ref().unwrap(), &[30; 4]);
    run.assert_edge("list", "map");
    run.assert_edge("map", "sum");
    run.assert_order("list", "map");
}

#[orch_core::test]
async fn a_map_over_a_failed_task_run_is_skipped() {
    let run = TestEngine::new().run(over_handles(13)).await;
    run.assert_failed_with::<Bad>();
    run.assert_state("map", State::Skipped);
    run.assert_state("sum", State::Skipped);
}

#[flow]
async fn zipped(first: u64, second: u64) -> Result<Vec<u64>, TaskError> {
    let pairs = map_zip(0..first, list(second), |a, b| square(a + b));
    Ok(pairs.await?.into_inner())
}

#[orch_core::test]
async fn a_zip_pairs_what_stands_at_the_same_place() {
    let run = TestEngine::new().run(zipped(4, 4)).await;
    assert_eq!(run.result.as_ref().unwrap(), &[0, 4, 16, 36]);
    run.assert_edge("list", "map");
}

#[orch_core::test]
async fn an_uneven_zip_fails_and_says_which_one_is_longer() {
    for (first, second, text) in [
        (3, 2, "the first goes on after 2 items"),
        (2, 3, "the second goes on after 2 items"),
        (0, 1, "the second goes on after 0 items"),
    ] {
        let run = TestEngine::new().run(zipped(first, second)).await;
        run.assert_state("map", State::Failed);
        let error = run.result.unwrap_err();
        let error = error.downcast_ref::<TaskError>().unwrap();
        assert!(matches!(error.kind(), TaskErrorKind::Invalid { .. }));
        assert!(error.to_string().contains(text), "{error}");
    }
}

#[flow]
async fn product() -> Result<Vec<u64>, TaskError> {
    let pairs = map_product(["1", "2"].map(String::from), vec![3u64, 4, 5], |a, b| {
        square(a.parse::<u64>().unwrap() * 10 + b)
    });
    Ok(pairs.await?.into_inner())
}

#[orch_core::test]
async fn a_product_goes_through_all_of_the_second_for_each_of_the_first() {
    let run = TestEngine::new().run(product()).await;
    assert_eq!(
        run.result.unwrap(),
        [13, 14, 15, 23, 24, 25].map(|x: u64| x * x)
    );
}

#[flow]
async fn streamed(seen: Arc<Seen>) -> Result<Vec<u64>, TaskError> {
    // An item each second.
    let items = stream::unfold(0u64, |n| async move {
        tokio::time::sleep(seconds(1)).await;
        (n < 5).then_some((n, n + 1))
    });
    let inside = Arc::clone(&seen);
    let run = map_stream(items, move |item| slow(Arc::clone(&inside), item, 3)).collect();
    Ok(run.await?.into_inner())
}

#[orch_core::test]
async fn a_stream_is_worked_off_as_it_comes() {
    let seen: Arc<Seen> = Arc::default();
    let run = TestEngine::new().run(streamed(Arc::clone(&seen))).await;
    assert_eq!(run.result.unwrap(), [0, 10, 20, 30, 40]);
    // Three seconds each, one second apart.
    assert_eq!(seen.most.load(Ordering::SeqCst), 3);
    assert_eq!(run.report.duration, seconds(8));
}

#[flow]
async fn empty() -> Result<u64, TaskError> {
    let nothing = map(std::iter::empty::<u64>(), square).collect();
    let none = map(list(0), square)
        .tolerate(Tolerance::share(0.0))
        .collect();
    let zip = map_zip(Vec::<u64>::new(), Vec::<u64>::new(), |a, b| square(a * b)).collect();
    let streamed = map_stream(stream::empty::<u64>(), square).collect();
    let total = [sum(nothing), sum(none), sum(zip), sum(streamed)];
    let mut all = 0;
    for one in total {
        all += *one.await?;
    }
    Ok(all)
}

#[orch_core::test]
async fn an_empty_input_has_an_empty_result_and_what_depends_on_it_runs() {
    let run = TestEngine::new().run(empty()).await;
    assert_eq!(run.result.as_ref().ok(), Some(&0));
    run.assert_ran("map", 4);
    run.assert_ran("sum", 4);
}

#[flow]
async fn tolerates(
    tolerance: Tolerance,
    n: u64,
    bad: u64,
    until: u64,
) -> Result<Vec<u64>, TaskError> {
    let run = map(0..n, move |item| fails_within(item, bad, until));
    Ok(run.window(1).tolerate(tolerance).await?.into_inner())
}

/// Runs ten items, of which the first ones fail; returns what the map came to.
async fn check_tolerance(tolerance: Tolerance, failing: u64) -> TestRun<Vec<u64>> {
    let run = TestEngine::new()
        .run(tolerates(tolerance, 10, 0, failing))
        .await;
    if let Ok(results) = &run.result {
        assert_eq!(*results, (failing..10).collect::<Vec<_>>());
        let items = run.report.task_runs[0].items.as_ref().unwrap();
        assert_eq!((items.completed, items.failed), (10 - failing, failing));
    }
    run
}

/// `failed` and `ended` of the failed map.
fn counts(run: &TestRun<Vec<u64>>) -> (u64, u64) {
    let error = run
        .result
        .as_ref()
        .unwrap_err()
        .downcast_ref::<TaskError>()
        .unwrap();
    let TaskErrorKind::MapFailed { failed, ended, .. } = error.kind() else {
        panic!("{error}")
    };
    (*failed, *ended)
}

#[orch_core::test]
async fn without_tolerance_the_first_failed_item_fails_the_map() {
    check_tolerance(Tolerance::default(), 0)
        .await
        .assert_completed();
    let run = check_tolerance(Tolerance::default(), 1).await;
    assert_eq!(counts(&run), (1, 1));
    assert_eq!(run.report.duration, seconds(1));
}

#[orch_core::test]
async fn a_count_of_failed_items_is_tolerated_and_one_more_is_not() {
    check_tolerance(Tolerance::count(3), 3)
        .await
        .assert_completed();
    let run = check_tolerance(Tolerance::count(3), 4).await;
    // It stops as soon as it is certain.
    assert_eq!(counts(&run), (4, 4));
    assert_eq!(run.report.duration, seconds(4));
    let text = run.result.unwrap_err();
    let text = text.downcast_ref::<TaskError>().unwrap().to_string();
    assert!(
        text.contains("4 of 4 items failed, 3 are tolerated"),
        "{text}"
    );
}

#[orch_core::test]
async fn a_share_of_failed_items_is_tolerated_and_more_is_not() {
    check_tolerance(Tolerance::share(0.3), 3)
        .await
        .assert_completed();
    check_tolerance(Tolerance::share(1.0), 10)
        .await
        .assert_completed();
    let run = check_tolerance(Tolerance::share(0.3), 9).await;
    // Ten items are known from the start: the fourth failure decides.
    assert_eq!(counts(&run), (4, 4));
    let run = check_tolerance(Tolerance::share(0.0), 1).await;
    assert_eq!(counts(&run), (1, 1));
}

#[orch_core::test]
async fn both_thresholds_hold_together() {
    let both = Tolerance::share(0.5).and_count(2);
    check_tolerance(both, 2).await.assert_completed();
    assert_eq!(counts(&check_tolerance(both, 3).await), (3, 3));
    let both = Tolerance::share(0.2).and_count(9);
    assert_eq!(counts(&check_tolerance(both, 3).await), (3, 3));
}

#[flow]
async fn share_of_unknown(n: u64) -> Result<Vec<u64>, TaskError> {
    // The number of items is not known before the last one.
    let items = (0..n).filter(|_| true);
    let run = map(items, |item| fails_within(item, 0, 4)).window(1);
    Ok(run.tolerate(Tolerance::share(0.25)).await?.into_inner())
}

#[orch_core::test]
async fn a_share_of_an_unknown_number_is_looked_at_in_the_end() {
    let run = TestEngine::new().run(share_of_unknown(16)).await;
    assert_eq!(run.result.as_ref().unwrap().len(), 12);
    let run = TestEngine::new().run(share_of_unknown(15)).await;
    assert_eq!(counts(&run), (4, 15));
}

#[orch_core::test]
async fn the_error_of_a_map_leads_to_the_item_that_failed_first() {
    let run = TestEngine::new()
        .run(tolerates(Tolerance::default(), 10, 5, 6))
        .await;
    run.assert_failed_with::<Bad>();
    let error = run.result.unwrap_err();
    assert_eq!(error.downcast_ref::<Bad>(), Some(&Bad(5)));
    let text = format!("{:#}", anyhow::Error::new(error));
    for part in [
        "task run `map`",
        "1 of 6 items failed",
        "task run `fails_within`",
        "item 5 is bad",
    ] {
        assert!(text.contains(part), "{text}");
    }
}

#[flow]
async fn tolerated_and_unobserved() -> Result<u64, TaskError> {
    let results = map(0..10u64, |item| fails_within(item, 2, 4)).tolerate(Tolerance::count(2));
    Ok(*results.fold(0, |n, _| n + 1).await?)
}

#[orch_core::test]
async fn a_tolerated_failure_is_looked_at_and_leaves_the_flow_alone() {
    for mode in [
        FailureMode::FailFast,
        FailureMode::StopOnFailure,
        FailureMode::ContinueOnFailure,
    ] {
        let engine = TestEngine::new().failure_mode(mode);
        let run = engine.run(tolerated_and_unobserved()).await;
        assert_eq!(run.result.as_ref().ok(), Some(&8), "{mode:?}");
    }
}

#[flow]
async fn folded() -> Result<(u64, String), TaskError> {
    let text = map(1..5u64, |item| fails_within(item, 99, 99))
        .fold(String::new(), |text, item| format!("{text}{item}"));
    let count = map(0..7u64, square).fold(0, |n, _| n + 1);
    Ok((*count.await?, text.await?.into_inner()))
}

#[orch_core::test]
async fn a_fold_gets_the_results_one_by_one_and_in_order() {
    assert_eq!(folded().await.unwrap(), (7, "1234".to_owned()));
}

#[flow]
async fn outcomes() -> Result<Vec<String>, TaskError> {
    let outcomes = map(0..4u64, |item| fails_within(item, 1, 3)).tolerate(Tolerance::count(4));
    let outcomes = outcomes.outcomes().await?;
    let word = |outcome: &Result<u64, TaskError>| match outcome {
        Ok(value) => value.to_string(),
        Err(error) => error.downcast_ref::<Bad>().unwrap().to_string(),
    };
    Ok(outcomes.iter().map(word).collect())
}

#[orch_core::test]
async fn outcomes_tell_item_by_item_what_came_of_it() {
    assert_eq!(
        outcomes().await.unwrap(),
        ["0", "item 1 is bad", "item 2 is bad", "3"]
    );
}

#[flow]
async fn cancelled_map(seen: Arc<Seen>) -> Result<(), TaskError> {
    let inside = Arc::clone(&seen);
    let run = map(seen.counted(0..100u64), move |item| {
        slow(Arc::clone(&inside), item, 10)
    });
    let run = run.window(5).collect();
    tokio::time::sleep(seconds(15)).await;
    run.cancel();
    assert!(run.await.unwrap_err().is_cancelled());
    Ok(())
}

#[orch_core::test]
async fn cancelling_a_map_stops_its_items_and_takes_no_more() {
    let seen: Arc<Seen> = Arc::default();
    let run = TestEngine::new()
        .run(cancelled_map(Arc::clone(&seen)))
        .await;
    run.assert_completed();
    run.assert_state("map", State::Cancelled);
    assert_eq!(seen.taken(), 10);
    assert_eq!(*seen.ended.lock().unwrap(), [0, 1, 2, 3, 4]);
    assert_eq!(run.report.duration, seconds(15));
    let items = run.report.task_runs[0].items.as_ref().unwrap();
    assert_eq!((items.completed, items.failed, items.cancelled), (5, 0, 5));
}

#[flow]
async fn map_beside_a_failure(seen: Arc<Seen>) -> Result<(), TaskError> {
    let inside = Arc::clone(&seen);
    let run = map(seen.counted(0..100u64), move |item| {
        slow(Arc::clone(&inside), item, 10)
    });
    let run = run.window(5).collect();
    fails_within(1, 1, 2).await?;
    drop(run.await);
    Ok(())
}

#[orch_core::test]
async fn a_map_that_is_stopped_because_of_another_failure_is_no_failure_itself() {
    for (mode, ended) in [(FailureMode::FailFast, 0), (FailureMode::StopOnFailure, 5)] {
        let seen: Arc<Seen> = Arc::default();
        let engine = TestEngine::new().failure_mode(mode);
        let run = engine.run(map_beside_a_failure(Arc::clone(&seen))).await;
        run.assert_failed_with::<Bad>();
        run.assert_state("map", State::Cancelled);
        assert_eq!(seen.taken(), 5, "{mode:?}");
        assert_eq!(seen.ended.lock().unwrap().len(), ended, "{mode:?}");
    }
}

#[orch_core::test]
async fn cancelling_the_flow_run_cancels_its_maps() {
    let seen: Arc<Seen> = Arc::default();
    let engine = TestEngine::new().build();
    let run = backwards(Arc::clone(&seen)).start(&engine).unwrap();
    tokio::time::sleep(Duration::from_millis(3500)).await;
    run.cancel();
    let (result, report) = run.finish().await;
    assert!(result.is_err());
    assert_eq!(report.task_runs[0].state, State::Cancelled);
    assert_eq!(*seen.ended.lock().unwrap(), [7, 6, 5]);
}

#[flow]
async fn failing_map(seen: Arc<Seen>) -> Result<(), TaskError> {
    let inside = Arc::clone(&seen);
    let run = map(0..100u64, move |item| match item {
        3 => fails_within(item, 3, 4),
        _ => slow(Arc::clone(&inside), item, 10),
    });
    run.window(5).await?;
    Ok(())
}

#[orch_core::test]
async fn a_failed_item_stops_the_others() {
    let seen: Arc<Seen> = Arc::default();
    let run = TestEngine::new().run(failing_map(Arc::clone(&seen))).await;
    run.assert_failed_with::<Bad>();
    run.assert_state("map", State::Failed);
    assert_eq!(seen.started.load(Ordering::SeqCst), 4);
    assert_eq!(seen.ended.lock().unwrap().len(), 0);
    assert_eq!(run.report.duration, seconds(1));
    let items = run.report.task_runs[0].items.as_ref().unwrap();
    assert_eq!((items.completed, items.failed, items.cancelled), (0, 1, 4));
}

#[flow]
async fn panicking_closure() -> Result<(), TaskError> {
    map(0..10u64, |item| {
        assert_ne!(item, 4, "the closure has no cheese");
        fails_within(item, 99, 99)
    })
    .await?;
    Ok(())
}

#[orch_core::test]
async fn a_panic_of_the_closure_is_a_crash_of_the_map() {
    let run = TestEngine::new().run(panicking_closure()).await;
    run.assert_state("map", State::Crashed);
    assert_eq!(run.report.duration, Duration::ZERO);
}

#[task]
async fn first_half(item: u64) -> u64 {
    tokio::time::sleep(seconds(1)).await;
    item
}

#[flow]
async fn several_calls_per_item() -> Result<u64, TaskError> {
    let run = map(0..10u64, |item| {
        let first = first_half(item);
        fails_within(first, 99, 99)
    });
    Ok(*run.window(10).fold(0, |sum, item| sum + item).await?)
}

#[orch_core::test]
async fn an_item_may_take_several_calls() {
    let run = TestEngine::new().run(several_calls_per_item()).await;
    assert_eq!(run.result.as_ref().ok(), Some(&45));
    assert_eq!(run.report.duration, seconds(2));
}

#[task]
async fn flaky(context: &TaskContext, item: u64) -> Result<u64, Bad> {
    // The odd ones need a second attempt.
    if item % 2 == u64::from(context.attempt()) {
        Err(Bad(item))
    } else {
        Ok(item)
    }
}

#[flow]
async fn named_items_with_retries() -> Result<Vec<u64>, TaskError> {
    let run = map(0..4u64, |item| {
        let call = flaky::with().name(format!("item number {item}"));
        call.retries(1).submit(item)
    });
    let results = run.await?;
    // Without retries, the error of the map leads to the item by its own name.
    let broken = map(1..2u64, |item| {
        flaky::with().name("the odd one").submit(item)
    });
    let error = broken.await.unwrap_err();
    let names = std::iter::successors(Some(&error as &dyn std::error::Error), |error| {
        error.source()
    });
    let names: Vec<String> = names.map(ToString::to_string).collect();
    assert!(names[1].contains("`the odd one`"), "{names:?}");
    Ok(results.into_inner())
}

#[orch_core::test]
async fn an_item_has_a_name_and_retries_of_its_own() {
    let run = TestEngine::new().run(named_items_with_retries()).await;
    assert_eq!(run.result.unwrap(), [0, 1, 2, 3]);
}

#[flow]
async fn many(n: u64) -> Result<u64, TaskError> {
    let waits = map(0..n, yields).fold(0, |sum, item| sum + item);
    let inline = map(0..n, square).fold(0u64, |sum, item| sum.wrapping_add(item));
    inline.await?;
    Ok(*waits.await?)
}

#[task]
async fn yields(item: u64) -> u64 {
    tokio::task::yield_now().await;
    item
}

#[orch_core::test]
async fn a_hundred_thousand_items_work() {
    let run = TestEngine::new().run(many(100_000)).await;
    assert_eq!(run.result.as_ref().ok(), Some(&(99_999 * 50_000)));
    assert_eq!(run.report.task_runs.len(), 2);
    let items = run.report.task_runs[0].items.as_ref().unwrap();
    assert_eq!(items.completed, 100_000);
}

#[test]
fn a_map_on_several_workers_keeps_its_window_and_its_order() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_time()
        .build()
        .unwrap();
    let run = runtime.block_on(async { TestEngine::new().run(many(20_000)).await });
    assert_eq!(run.result.as_ref().ok(), Some(&(19_999 * 10_000)));
}

#[orch_core::test]
async fn events_tell_of_a_maps_progress_and_of_its_failed_items() {
    let engine = TestEngine::new().build();
    let mut events = engine.subscribe();
    drop(tolerates(Tolerance::count(2), 6, 2, 4).on(&engine).await);
    let (mut progress, mut failed) = (Vec::new(), 0);
    while let Some(Received::Event(event)) = events.try_next() {
        match event.kind {
            EventKind::MapProgressed {
                completed, failed, ..
            } => progress.push((completed, failed)),
            EventKind::TaskRunEnded {
                state: State::Failed,
                ..
            } => failed += 1,
            _ => {}
        }
    }
    assert_eq!(progress, [(1, 0), (2, 0), (2, 1), (2, 2), (3, 2), (4, 2)]);
    assert_eq!(failed, 2);
}

#[flow]
async fn outside_iterators() -> Result<u64, TaskError> {
    fn total<S: MapSource<Item = u64>>(source: S) -> TaskRun<u64> {
        map(source, square).fold(0, |sum, item| sum + item)
    }
    let by_vec = total(vec![1, 2]);
    let by_set = total(std::collections::BTreeSet::from([3, 4]));
    Ok(*by_vec.await? + *by_set.await?)
}

#[orch_core::test]
async fn anything_that_can_be_iterated_is_a_source() {
    assert_eq!(outside_iterators().await.unwrap(), 30);
}

#[orch_core::test]
async fn a_map_outside_of_any_flow_is_a_run_of_its_own() {
    let squares = map(0..3u64, square).await.unwrap();
    assert_eq!(*squares, [0, 1, 4]);
}

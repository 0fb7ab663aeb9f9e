//! Limits: who holds them, who goes next, and that every way out gives them back.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use orch_core::prelude::*;
use orch_core::testing::{TestEngine, TestRun};
use orch_core::{
    EventKind, FailureMode, FlowErrorKind, Limit, Received, State, TaskErrorKind, group,
};
use tokio::sync::oneshot;

fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// Counts what goes on at once.
#[derive(Debug, Default)]
struct Gauge {
    now: AtomicU32,
    most: AtomicU32,
    order: Mutex<Vec<u32>>,
}

impl Gauge {
    fn enter(self: &Arc<Self>, id: u32, weight: u32) -> Inside {
        self.order.lock().unwrap().push(id);
        let now = self.now.fetch_add(weight, Ordering::SeqCst) + weight;
        self.most.fetch_max(now, Ordering::SeqCst);
        Inside {
            gauge: Arc::clone(self),
            weight,
        }
    }

    fn most(&self) -> u32 {
        self.most.load(Ordering::SeqCst)
    }

    fn order(&self) -> Vec<u32> {
        self.order.lock().unwrap().clone()
    }
}

struct Inside {
    gauge: Arc<Gauge>,
    weight: u32,
}

impl Drop for Inside {
    fn drop(&mut self) {
        self.gauge.now.fetch_sub(self.weight, Ordering::SeqCst);
    }
}

/// Takes one second.
#[task(limit = "gpu")]
async fn train(gauge: Arc<Gauge>, id: u32) -> u32 {
    let _inside = gauge.enter(id, 1);
    tokio::time::sleep(seconds(1)).await;
    id
}

/// When each run of a task started, in seconds.
fn starts<T>(run: &TestRun<T>, task: &str) -> Vec<u64> {
    run.task_runs(task)
        .iter()
        .map(|run| run.started.unwrap().as_secs())
        .collect()
}

async fn all(runs: Vec<TaskRun<u32>>) -> Result<u32, TaskError> {
    let mut sum = 0;
    for run in runs {
        sum += *run.await?;
    }
    Ok(sum)
}

#[flow]
async fn trains(gauge: Arc<Gauge>, n: u32) -> Result<u32, TaskError> {
    all((0..n).map(|id| train(Arc::clone(&gauge), id)).collect()).await
}

#[orch_core::test]
async fn no_more_run_at_once_than_there_are_slots_first_come_first_served() {
    let gauge = Arc::default();
    let run = TestEngine::new()
        .limit("gpu", 2)
        .run(trains(Arc::clone(&gauge), 7))
        .await;
    run.assert_completed();
    assert_eq!(gauge.most(), 2);
    assert_eq!(gauge.order(), (0..7).collect::<Vec<_>>());
    assert_eq!(starts(&run, "train"), [0, 0, 1, 1, 2, 2, 3]);
}

#[orch_core::test]
async fn a_name_that_the_engine_does_not_know_does_not_limit() {
    let gauge = Arc::default();
    let run = TestEngine::new().run(trains(Arc::clone(&gauge), 7)).await;
    run.assert_completed();
    assert_eq!(gauge.most(), 7);
}

#[orch_core::test]
async fn a_limit_is_shared_by_the_flow_runs_of_an_engine() {
    let gauge: Arc<Gauge> = Arc::default();
    let engine = TestEngine::new().limit("gpu", 1).build();
    let runs = [0, 1].map(|_| trains(Arc::clone(&gauge), 3).start(&engine).unwrap());
    for run in runs {
        run.await.unwrap();
    }
    assert_eq!(gauge.most(), 1);
}

#[task]
async fn weighs(gauge: Arc<Gauge>, id: u32, weight: u32) -> u32 {
    let _inside = gauge.enter(id, weight);
    tokio::time::sleep(seconds(1)).await;
    id
}

#[flow]
async fn weighted(gauge: Arc<Gauge>, weights: Vec<u32>) -> Result<u32, TaskError> {
    let runs = weights.iter().enumerate().map(|(id, weight)| {
        weighs::with()
            .limit("memory", *weight)
            .submit(Arc::clone(&gauge), id as u32, *weight)
    });
    all(runs.collect()).await
}

#[orch_core::test]
async fn weights_add_up_and_nobody_overtakes_a_heavy_one() {
    let gauge = Arc::default();
    let run = weighted(Arc::clone(&gauge), vec![3, 1, 4, 1, 1, 2]);
    let run = TestEngine::new().limit("memory", 4).run(run).await;
    run.assert_completed();
    assert_eq!(gauge.most(), 4);
    assert_eq!(gauge.order(), [0, 1, 2, 3, 4, 5]);
    assert_eq!(starts(&run, "weighs"), [0, 0, 1, 2, 2, 2]);
}

#[orch_core::test]
async fn more_weight_than_there_are_slots_is_an_error_and_not_a_wait() {
    let run = TestEngine::new()
        .limit("memory", 4)
        .run(weighted(Arc::default(), vec![5]))
        .await;
    let error = run
        .result
        .as_ref()
        .unwrap_err()
        .downcast_ref::<TaskError>()
        .unwrap();
    assert!(matches!(error.kind(), TaskErrorKind::Invalid { .. }));
    let text = error.to_string();
    assert!(
        text.contains("takes 5 slots of the limit `memory`, which has 4"),
        "{text}"
    );
    run.assert_ran("weighs", 0);
    assert_eq!(run.report.duration, Duration::ZERO);
}

#[orch_core::test]
async fn a_limit_that_is_lowered_refuses_those_that_no_longer_fit() {
    let engine = TestEngine::new().limit("memory", 4).build();
    let run = weighted(Arc::default(), vec![4, 3, 1])
        .start(&engine)
        .unwrap();
    tokio::time::sleep(Duration::from_millis(500)).await;
    engine.set_limit("memory", 2);
    let (result, report) = tokio::time::timeout(seconds(60), run.finish())
        .await
        .expect("it ends");
    let error = result.unwrap_err();
    let text = format!("{:#}", anyhow::Error::new(error));
    assert!(
        text.contains("takes 3 slots of the limit `memory`, which has 2"),
        "{text}"
    );
    assert_eq!(report.task_runs[1].state, State::Failed);
    assert_eq!(engine.limits()[0].taken, 0);
}

#[task(limit = ["gpu", ("memory", 3)])]
async fn takes_both(gauge: Arc<Gauge>, id: u32) -> u32 {
    let _inside = gauge.enter(id, 1);
    tokio::time::sleep(seconds(1)).await;
    id
}

#[flow]
async fn several_limits(gauge: Arc<Gauge>) -> Result<u32, TaskError> {
    let mut runs = Vec::new();
    for id in 0..3 {
        runs.push(takes_both(Arc::clone(&gauge), id));
        runs.push(
            weighs::with()
                .limit("memory", 2)
                .submit(Arc::clone(&gauge), 10 + id, 1u32),
        );
        runs.push(train(Arc::clone(&gauge), 20 + id));
    }
    all(runs).await
}

#[orch_core::test]
async fn several_limits_are_taken_at_once_and_never_block_each_other() {
    let gauge = Arc::default();
    let engine = TestEngine::new().limit("gpu", 1).limit("memory", 4);
    let run =
        tokio::time::timeout(seconds(60), engine.run(several_limits(Arc::clone(&gauge)))).await;
    let run = run.expect("no deadlock");
    run.assert_completed();
    // Whoever came first is first in both lines; two seconds for each round of three.
    assert_eq!(starts(&run, "takes_both"), [0, 2, 4]);
    assert_eq!(starts(&run, "train"), [1, 3, 5]);
    assert_eq!(starts(&run, "weighs"), [1, 3, 5]);
}

#[task(limit = "gpu", priority = 5)]
async fn urgent(gauge: Arc<Gauge>, id: u32) -> u32 {
    let _inside = gauge.enter(id, 1);
    tokio::time::sleep(seconds(1)).await;
    id
}

#[flow]
async fn with_priorities(gauge: Arc<Gauge>) -> Result<u32, TaskError> {
    let mut runs = vec![train(Arc::clone(&gauge), 0)];
    // The first one runs, and the others come while it does.
    tokio::time::sleep(Duration::from_millis(100)).await;
    for (id, priority) in [(1, -1), (2, 0), (3, 9), (4, 0), (5, 9)] {
        runs.push(
            train::with()
                .priority(priority)
                .submit(Arc::clone(&gauge), id),
        );
    }
    tokio::time::sleep(Duration::from_millis(100)).await;
    runs.push(urgent(Arc::clone(&gauge), 6));
    all(runs).await
}

#[orch_core::test]
async fn higher_priorities_go_first_and_equal_ones_in_the_order_they_came() {
    let gauge = Arc::default();
    let run = TestEngine::new()
        .limit("gpu", 1)
        .run(with_priorities(Arc::clone(&gauge)))
        .await;
    run.assert_completed();
    assert_eq!(gauge.order(), [0, 3, 5, 6, 2, 4, 1]);
}

#[task]
async fn plain(gauge: Arc<Gauge>, id: u32) -> u32 {
    drop(gauge.enter(id, 1));
    id
}

#[flow]
async fn ready_at_once(gauge: Arc<Gauge>) -> Result<u32, TaskError> {
    let submit = |id: u32, priority: i32| {
        plain::with()
            .priority(priority)
            .submit(Arc::clone(&gauge), id)
    };
    all(vec![
        submit(0, -3),
        submit(1, 0),
        submit(2, 7),
        submit(3, 0),
        submit(4, 7),
    ])
    .await
}

#[orch_core::test]
async fn without_limits_priorities_order_what_is_ready() {
    let gauge = Arc::default();
    TestEngine::new()
        .run(ready_at_once(Arc::clone(&gauge)))
        .await
        .assert_completed();
    assert_eq!(gauge.order(), [2, 4, 1, 3, 0]);
}

#[orch_core::test]
async fn zero_slots_pause_until_the_limit_is_raised() {
    let gauge: Arc<Gauge> = Arc::default();
    let engine = TestEngine::new().limit("gpu", 0).build();
    let run = trains(Arc::clone(&gauge), 3).start(&engine).unwrap();
    tokio::time::sleep(seconds(100)).await;
    assert!(gauge.order().is_empty());
    let status = &engine.limits()[0];
    assert_eq!(
        (&*status.name, status.slots, status.taken, status.waiting),
        ("gpu", Some(0), 0, 3)
    );
    engine.set_limit("gpu", 2);
    // Paused again while two run: they finish, the third waits.
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(engine.limits()[0].taken, 2);
    engine.set_limit("gpu", 0);
    tokio::time::sleep(seconds(100)).await;
    assert_eq!(gauge.order(), [0, 1]);
    engine.set_limit("gpu", 1);
    assert_eq!(run.await.unwrap(), 3);
    let status = &engine.limits()[0];
    assert_eq!((status.taken, status.waiting), (0, 0));
}

#[orch_core::test]
async fn a_limit_that_is_set_late_counts_those_that_run_already() {
    let gauge: Arc<Gauge> = Arc::default();
    let engine = TestEngine::new().build();
    let first = trains(Arc::clone(&gauge), 1).start(&engine).unwrap();
    tokio::time::sleep(Duration::from_millis(200)).await;
    engine.set_limit("gpu", 1);
    let second = trains(Arc::clone(&gauge), 3).start(&engine).unwrap();
    first.await.unwrap();
    second.await.unwrap();
    assert_eq!(gauge.most(), 1);
    assert_eq!(engine.limits()[0].taken, 0);
}

#[task(limit = "gpu", timeout = "2s")]
async fn ends(how: u32) -> Result<u32, String> {
    tokio::time::sleep(seconds(1)).await;
    match how {
        0 => Err("an error".into()),
        1 => panic!("a panic"),
        2 => std::future::pending().await,
        _ => Ok(how),
    }
}

#[task(limit = "gpu")]
fn ends_blocking(how: u32) -> Result<u32, String> {
    assert_ne!(how, 1, "a panic");
    if how == 0 {
        Err("an error".into())
    } else {
        Ok(how)
    }
}

#[flow]
async fn ends_in_every_way() -> Result<u32, TaskError> {
    assert!(matches!(
        ends(0).await.unwrap_err().kind(),
        TaskErrorKind::Failed(_)
    ));
    assert!(ends(1).await.unwrap_err().is_crashed());
    assert!(ends(2).await.unwrap_err().is_timed_out());
    assert!(ends_blocking(0).await.is_err());
    assert!(ends_blocking(1).await.unwrap_err().is_crashed());
    let running = ends(3);
    let waiting = ends(4);
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(
        (running.state(), waiting.state()),
        (State::Running, State::AwaitingLimit)
    );
    waiting.cancel();
    assert!(waiting.await.unwrap_err().is_cancelled());
    running.cancel();
    assert!(running.await.unwrap_err().is_cancelled());
    Ok(*ends(5).await?)
}

#[orch_core::test]
async fn every_way_out_gives_the_slot_back() {
    let engine = TestEngine::new().limit("gpu", 1).build();
    let run = ends_in_every_way().start(&engine).unwrap();
    let (result, report) = tokio::time::timeout(seconds(60), run.finish())
        .await
        .expect("it ends");
    assert_eq!(result.unwrap(), 5);
    assert_eq!(engine.limits()[0].taken, 0);
    let cancelled = report
        .task_runs
        .iter()
        .filter(|run| run.state == State::Cancelled);
    assert_eq!(
        cancelled.map(|run| run.attempts).collect::<Vec<_>>(),
        [1, 0]
    );
}

#[orch_core::test]
async fn a_cancelled_flow_run_gives_its_slots_and_places_back() {
    let engine = TestEngine::new().limit("gpu", 1).build();
    let run = trains(Arc::default(), 5).start(&engine).unwrap();
    tokio::time::sleep(Duration::from_millis(1500)).await;
    run.cancel();
    run.wait().await;
    assert_eq!(run.state(), State::Cancelled);
    let status = &engine.limits()[0];
    assert_eq!((status.taken, status.waiting), (0, 0));
}

#[task(retries = 2, backoff = "10s", limit = "gpu")]
async fn fails_twice(context: &TaskContext, gauge: Arc<Gauge>, id: u32) -> Result<u32, String> {
    let _inside = gauge.enter(id, 1);
    if context.attempt() < 3 {
        Err("again".into())
    } else {
        Ok(id)
    }
}

#[flow]
async fn retries_beside_another(gauge: Arc<Gauge>) -> Result<u32, TaskError> {
    let first = fails_twice(Arc::clone(&gauge), 1);
    all(vec![first, train(Arc::clone(&gauge), 2)]).await
}

#[orch_core::test]
async fn the_wait_between_attempts_holds_no_slot() {
    let gauge = Arc::default();
    let run = TestEngine::new()
        .limit("gpu", 1)
        .run(retries_beside_another(Arc::clone(&gauge)))
        .await;
    run.assert_completed();
    assert_eq!(gauge.order(), [1, 2, 1, 1]);
    assert_eq!(run.report.duration, seconds(20));
}

// Lending.

/// Calls itself, so many times deep.
#[task(limit = "gpu")]
async fn nests(gauge: Arc<Gauge>, depth: u32) -> Result<u32, TaskError> {
    drop(gauge.enter(depth, 1));
    if depth == 0 {
        return Ok(0);
    }
    let below = nests(Arc::clone(&gauge), depth - 1).await?;
    let _inside = gauge.enter(100 + depth, 1);
    tokio::time::sleep(seconds(1)).await;
    Ok(*below + 1)
}

#[flow]
async fn nested(gauge: Arc<Gauge>, depth: u32, times: u32) -> Result<u32, TaskError> {
    all((0..times)
        .map(|_| nests(Arc::clone(&gauge), depth))
        .collect())
    .await
}

#[orch_core::test]
async fn a_task_run_that_awaits_others_lends_its_slot() {
    for times in [1, 3] {
        let gauge = Arc::default();
        let engine = TestEngine::new().limit("gpu", 1);
        let run = engine.run(nested(Arc::clone(&gauge), 5, times));
        let run = tokio::time::timeout(seconds(600), run)
            .await
            .expect("it does not hang");
        assert_eq!(run.result.as_ref().ok(), Some(&(5 * times)));
        assert_eq!(
            gauge.most(),
            1,
            "the slot is taken back before the body goes on"
        );
    }
}

#[task(limit = "gpu")]
async fn awaits_much(gauge: Arc<Gauge>) -> anyhow::Result<u32> {
    let mapped = map(0..4u32, {
        let gauge = Arc::clone(&gauge);
        move |id| train(Arc::clone(&gauge), id)
    });
    let (mapped, one) = tokio::join!(mapped.into_future(), train(Arc::clone(&gauge), 9));
    let inner = Arc::clone(&gauge);
    let grouped = group(
        "grouped",
        move || async move { Ok(*train(inner, 10).await?) },
    );
    let subflow = trains(Arc::clone(&gauge), 2).await?;
    Ok(mapped?.iter().sum::<u32>() + *one? + *grouped.await? + subflow)
}

#[flow]
async fn lends_to_all_kinds(gauge: Arc<Gauge>) -> Result<u32, TaskError> {
    Ok(*awaits_much(gauge).await?)
}

#[orch_core::test]
async fn maps_groups_joins_and_subflows_are_lent_to_as_well() {
    let gauge = Arc::default();
    let run = TestEngine::new()
        .limit("gpu", 1)
        .run(lends_to_all_kinds(Arc::clone(&gauge)));
    let run = tokio::time::timeout(seconds(600), run)
        .await
        .expect("it does not hang");
    assert_eq!(run.result.as_ref().ok(), Some(&26));
    assert_eq!(gauge.most(), 1);
}

#[task]
async fn holds_two(gauge: Arc<Gauge>) -> Result<u32, TaskError> {
    Ok(*train::with().limit("memory", 1).submit(gauge, 7u32).await?)
}

#[flow]
async fn lends_two(gauge: Arc<Gauge>) -> Result<u32, TaskError> {
    Ok(*holds_two::with().limit("memory", 2).submit(gauge).await?)
}

#[orch_core::test]
async fn lent_slots_come_back_although_the_limit_was_lowered() {
    let engine = TestEngine::new().limit("memory", 2).build();
    let run = lends_two(Arc::default()).start(&engine).unwrap();
    tokio::time::sleep(Duration::from_millis(500)).await;
    engine.set_limit("memory", 1);
    let result = tokio::time::timeout(seconds(60), run)
        .await
        .expect("it does not hang");
    assert_eq!(result.unwrap(), 7);
    assert_eq!(engine.limits()[0].taken, 0);
}

// Waits for each other.

type Later = Arc<Mutex<Option<oneshot::Receiver<TaskRun<u32>>>>>;

#[task]
async fn awaits_later(later: Later) -> Result<u32, TaskError> {
    let handle = later.lock().unwrap().take().unwrap();
    let handle = handle.await.unwrap();
    Ok(*handle.await?)
}

#[task]
async fn uses(input: &u32) -> u32 {
    *input
}

#[flow]
async fn in_a_circle(is_by_order: bool) -> Result<u32, TaskError> {
    let (sender, receiver) = oneshot::channel();
    let first = awaits_later(Arc::new(Mutex::new(Some(receiver))));
    let middle = uses::with().name("middle").submit(&first);
    let last = if is_by_order {
        uses::with().name("last").after(&middle).submit(1u32)
    } else {
        uses::with().name("last").submit(&middle)
    };
    sender.send(last.clone()).unwrap();
    Ok(*last.await?)
}

#[orch_core::test]
async fn a_wait_cycle_is_an_error_that_names_it() {
    for is_by_order in [false, true] {
        let engine = TestEngine::new().failure_mode(FailureMode::ContinueOnFailure);
        let run = tokio::time::timeout(seconds(60), engine.run(in_a_circle(is_by_order)));
        let run = run.await.expect("it does not hang");
        run.assert_state("awaits_later", State::Failed);
        run.assert_state("uses", State::Skipped);
        let error = run.result.as_ref().unwrap_err();
        let text = format!("{:#}", anyhow::Error::new(error.clone()));
        let cycle = "`awaits_later` waits for `last` waits for `middle` waits for `awaits_later`";
        assert!(text.contains(cycle), "{text}");
    }
}

#[flow]
async fn awaits_later_in_a_subflow(later: Later) -> Result<u32, TaskError> {
    let handle = later.lock().unwrap().take().unwrap();
    let handle = handle.await.unwrap();
    Ok(*handle.await?)
}

#[task]
async fn calls_a_subflow(later: Later) -> anyhow::Result<u32> {
    Ok(awaits_later_in_a_subflow(later).await?)
}

#[flow]
async fn in_a_circle_over_a_subflow() -> Result<u32, TaskError> {
    let (sender, receiver) = oneshot::channel();
    let first = calls_a_subflow(Arc::new(Mutex::new(Some(receiver))));
    let last = uses::with().name("last").submit(&first);
    sender.send(last.clone()).unwrap();
    Ok(*last.await?)
}

#[orch_core::test]
async fn a_wait_cycle_over_a_subflow_is_found_too() {
    let run = tokio::time::timeout(
        seconds(60),
        TestEngine::new().run(in_a_circle_over_a_subflow()),
    );
    let run = run.await.expect("it does not hang");
    let text = format!("{:#}", anyhow::Error::new(run.result.unwrap_err()));
    let cycle = "`awaits_later_in_a_subflow` waits for `last` waits for `calls_a_subflow` waits \
                 for `awaits_later_in_a_subflow`";
    assert!(text.contains(cycle), "{text}");
}

/// Layers in which each task run uses two of the one before, all of them awaited side by side.
#[task]
async fn awaits_a_net(layers: u32, width: u32) -> Result<u32, TaskError> {
    let gate = waits_for(3);
    let mut all = vec![vec![gate; width as usize]];
    for layer in 0..layers as usize {
        let above = &all[layer];
        let next = (0..above.len()).map(|n| uses_both(&above[n], &above[(n + 1) % above.len()]));
        let next = next.collect();
        all.push(next);
    }
    let handles = all.into_iter().flatten();
    let results = futures_util::future::try_join_all(handles).await?;
    Ok(results.len() as u32)
}

#[task]
async fn waits_for(time: u64) -> u32 {
    tokio::time::sleep(seconds(time)).await;
    0
}

#[task]
async fn uses_both(a: &u32, b: &u32) -> u32 {
    a.max(b) + 1
}

#[flow]
async fn nets(layers: u32, width: u32) -> Result<u32, TaskError> {
    Ok(*awaits_a_net(layers, width).await?)
}

#[orch_core::test]
async fn the_search_for_cycles_looks_at_each_task_run_once() {
    // Each looked at anew from each of 20,000 would be hundreds of millions of looks.
    let start = std::time::Instant::now();
    let run = TestEngine::new().run(nets(100, 200));
    assert_eq!(run.await.result.unwrap(), 101 * 200);
    assert!(start.elapsed() < seconds(20), "{:?}", start.elapsed());
}

#[flow(max_running = 1)]
async fn counts_down_alone(from: u32) -> anyhow::Result<u32> {
    match from {
        0 => Ok(0),
        _ => Ok(counts_down(from - 1).await? + 1),
    }
}

/// An `async fn` that calls itself needs a type with a name in between.
fn counts_down(from: u32) -> FlowCall<u32> {
    counts_down_alone(from)
}

#[flow(max_running = 2)]
async fn calls_itself_once(is_inner: bool) -> anyhow::Result<u32> {
    if is_inner {
        return Ok(1);
    }
    tokio::time::sleep(seconds(1)).await;
    Ok(calls_once(true).await? + 1)
}

fn calls_once(is_inner: bool) -> FlowCall<u32> {
    calls_itself_once(is_inner)
}

#[orch_core::test]
async fn a_place_that_can_never_become_free_is_an_error_and_not_a_wait() {
    let engine = TestEngine::new().build();
    let run = counts_down_alone(1).on(&engine).into_future();
    let error = tokio::time::timeout(seconds(60), run).await;
    let error = error.expect("it does not hang").unwrap_err();
    let error = anyhow::Error::new(error);
    let is_deadlock =
        |error: &FlowError| matches!(error.kind(), FlowErrorKind::Deadlock { max_running: 1 | 2 });
    let found = error
        .chain()
        .filter_map(|error| error.downcast_ref::<FlowError>());
    assert!(found.into_iter().any(is_deadlock), "{error:#}");

    // With two places one call may wait, but not those of both at once.
    assert_eq!(calls_itself_once(false).on(&engine).await.unwrap(), 2);
    let both = [false, false].map(|inner| calls_itself_once(inner).start(&engine).unwrap());
    let [first, second] = both.map(|run| tokio::time::timeout(seconds(60), run));
    let (first, second) = tokio::join!(first, second);
    let results = [first, second].map(|result| result.expect("it does not hang"));
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1);
    let failed = results.into_iter().find_map(Result::err).unwrap();
    let inner = failed
        .downcast_ref::<FlowError>()
        .expect("the inner call's");
    assert!(is_deadlock(inner), "{inner}");
}

#[task]
async fn awaits_itself(later: Later) -> Result<u32, TaskError> {
    let handle = later.lock().unwrap().take().unwrap();
    let handle = handle.await.unwrap();
    Ok(*handle.await?)
}

#[flow]
async fn knot() -> Result<u32, TaskError> {
    let (sender, receiver) = oneshot::channel();
    let run = awaits_itself(Arc::new(Mutex::new(Some(receiver))));
    sender.send(run.clone()).unwrap();
    Ok(*run.await?)
}

#[orch_core::test]
async fn a_task_run_that_awaits_itself_is_told_so() {
    let run = tokio::time::timeout(seconds(60), TestEngine::new().run(knot())).await;
    let run = run.expect("it does not hang");
    let text = format!("{:#}", anyhow::Error::new(run.result.unwrap_err()));
    assert!(
        text.contains("waits for itself: `awaits_itself` waits for `awaits_itself`"),
        "{text}"
    );
}

// Rates.

#[task(limit = "api")]
async fn request(id: u32) -> u32 {
    id
}

#[flow]
async fn requests(n: u32, pause: u64) -> Result<u32, TaskError> {
    let first = all((0..n).map(request).collect()).await?;
    tokio::time::sleep(seconds(pause)).await;
    Ok(first + all((0..n).map(request).collect()).await?)
}

async fn request_times(limit: Limit, n: u32, pause: u64) -> Vec<u64> {
    let run = TestEngine::new()
        .limit("api", limit)
        .run(requests(n, pause))
        .await;
    run.assert_completed();
    run.task_runs("request")
        .iter()
        .map(|run| run.started.unwrap().as_millis() as u64)
        .collect()
}

#[orch_core::test]
async fn a_rate_spreads_starts_evenly() {
    let limit = Limit::per(2, seconds(1));
    assert_eq!(
        request_times(limit, 3, 10).await,
        [0, 500, 1000, 11000, 11500, 12000]
    );
}

#[orch_core::test]
async fn a_burst_goes_at_once_after_a_pause() {
    let limit = Limit::per(2, seconds(1)).burst(3);
    assert_eq!(
        request_times(limit, 5, 10).await,
        [0, 0, 0, 500, 1000, 11000, 11000, 11000, 11500, 12000]
    );
    // After a short pause only a part of the burst is there again.
    assert_eq!(
        request_times(limit, 4, 1).await,
        [0, 0, 0, 500, 1500, 1500, 2000, 2500]
    );
}

#[orch_core::test]
async fn a_long_interval_holds_on_a_clock_that_has_just_begun() {
    let limit = Limit::per(1, seconds(1_000_000_000)).burst(4);
    let run = TestEngine::new()
        .limit("api", limit)
        .run(requests(3, 0))
        .await;
    let last = run.task_runs("request").last().unwrap().started.unwrap();
    assert_eq!(last, seconds(2_000_000_000));
}

#[flow]
async fn heavy_requests() -> Result<u32, TaskError> {
    all((0..3)
        .map(|id| request::with().limit("api", 4).submit(id))
        .collect())
    .await
}

#[orch_core::test]
async fn a_weight_counts_as_that_many_starts() {
    let engine = TestEngine::new().limit("api", Limit::per(2, seconds(1)));
    let run = engine.run(heavy_requests()).await;
    assert_eq!(starts(&run, "request"), [0, 2, 4]);
}

#[orch_core::test]
async fn a_rate_and_slots_hold_together() {
    let gauge = Arc::default();
    let limit = Limit::per(10, seconds(1)).and_slots(2);
    let run = TestEngine::new()
        .limit("gpu", limit)
        .run(trains(Arc::clone(&gauge), 4))
        .await;
    assert_eq!(gauge.most(), 2);
    let starts: Vec<u128> = run
        .task_runs("train")
        .iter()
        .map(|run| run.started.unwrap().as_millis())
        .collect();
    assert_eq!(starts, [0, 100, 1000, 1100]);
}

// Names.

#[task(limit = "db/{tenant}")]
async fn query(tenant: &str, gauge: Arc<Gauge>) -> u32 {
    let _inside = gauge.enter(tenant.len() as u32, 1);
    tokio::time::sleep(seconds(1)).await;
    1
}

#[task]
async fn tenant() -> String {
    "b".to_owned()
}

#[flow]
async fn queries(a: Arc<Gauge>, b: Arc<Gauge>, c: Arc<Gauge>) -> Result<u32, TaskError> {
    let mut runs = Vec::new();
    for _ in 0..3 {
        runs.push(query("a", Arc::clone(&a)));
        runs.push(query(tenant(), Arc::clone(&b)));
        runs.push(query("c", Arc::clone(&c)));
    }
    all(runs).await
}

#[orch_core::test]
async fn a_template_names_the_limit_by_an_input() {
    let gauges: [Arc<Gauge>; 3] = Default::default();
    let [a, b, c] = gauges.clone();
    let engine = TestEngine::new().limit("db/a", 1).limit("db/b", 2).build();
    assert_eq!(queries(a, b, c).on(&engine).await.unwrap(), 9);
    assert_eq!(gauges.map(|gauge| gauge.most()), [1, 2, 3]);
    // Only the limits that the engine knows are listed.
    let names: Vec<String> = engine
        .limits()
        .into_iter()
        .map(|limit| limit.name)
        .collect();
    assert_eq!(names, ["db/a", "db/b"]);
}

#[orch_core::test]
async fn who_waits_for_a_limit_is_told_of_in_an_event() {
    let engine = TestEngine::new().limit("gpu", 1).build();
    let mut events = engine.subscribe();
    trains(Arc::default(), 2).on(&engine).await.unwrap();
    let mut awaited = Vec::new();
    while let Some(Received::Event(event)) = events.try_next() {
        if let EventKind::LimitAwaited { task_run, limits } = event.kind {
            awaited.push((task_run.index, limits));
        }
    }
    assert_eq!(awaited, [(1, vec!["gpu".to_owned()])]);
}

#[test]
#[should_panic(expected = "in a period that is longer than nothing")]
fn a_rate_limit_over_no_time_is_refused() {
    let _ = Limit::per(1, Duration::ZERO);
}

#[test]
#[should_panic(expected = "at least one start")]
fn a_rate_limit_of_no_starts_is_refused() {
    let _ = Limit::per(0, Duration::from_secs(1));
}

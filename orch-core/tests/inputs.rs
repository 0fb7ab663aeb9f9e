//! What can be passed to a task, where the call belongs, and what a body knows of itself.
#![allow(
    clippy::needless_borrows_for_generic_args,
    reason = "what a reference does is tested"
)]

use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use orch_core::prelude::*;
use orch_core::report::EdgeKind;
use orch_core::testing::{TestEngine, TestRun};
use orch_core::{FailureMode, FlowErrorKind, State, TaskErrorKind};

#[derive(Debug, Clone, PartialEq, Eq)]
struct Broken;

impl std::fmt::Display for Broken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("broken")
    }
}

impl std::error::Error for Broken {}

/// The names of what the run of this name uses, with what its edges carry, in their order.
fn edges_to<T>(run: &TestRun<T>, name: &str) -> Vec<(String, EdgeKind)> {
    let runs = run.task_runs(name);
    let [to] = &runs[..] else {
        panic!("{} runs of `{name}`", runs.len())
    };
    let edges = run.report.edges.iter().filter(|edge| edge.to == to.index);
    edges
        .map(|edge| {
            (
                run.report.task_runs[edge.from as usize].name.clone(),
                edge.kind,
            )
        })
        .collect()
}

#[track_caller]
fn check_edges<T>(run: &TestRun<T>, name: &str, expected: &[&str], kind: EdgeKind) {
    let expected: Vec<_> = expected
        .iter()
        .map(|from| ((*from).to_owned(), kind))
        .collect();
    assert_eq!(edges_to(run, name), expected, "edges to `{name}`");
}

#[task(name = "number {n}")]
async fn number(n: u64) -> u64 {
    n
}

#[task]
async fn fails(n: u64) -> Result<u64, Broken> {
    if n == 0 { Ok(0) } else { Err(Broken) }
}

#[task]
async fn owned(n: u64) -> u64 {
    n
}

#[task]
async fn borrowed(n: &u64) -> u64 {
    *n
}

#[task]
async fn tracked(n: Tracked<u64>) -> u64 {
    *n
}

#[task]
async fn tracked_borrowed(n: &Tracked<u64>) -> u64 {
    **n
}

#[task]
async fn outcome(n: Outcome<u64>) -> Result<u64, String> {
    match n.into_result() {
        Ok(n) => Ok(*n),
        Err(error) => Ok(100 + u64::from(error.downcast_ref::<Broken>().is_some())),
    }
}

#[flow]
async fn one_input() -> Result<Vec<u64>, TaskError> {
    let (run, value) = (number(1), 2u64);
    let result = number(3).await?;
    let runs = [
        owned::with().name("owned value").submit(value),
        owned::with().name("owned &value").submit(&value),
        owned::with().name("owned &run").submit(&run),
        owned::with().name("owned &result").submit(&result),
        owned::with().name("owned result").submit(result.clone()),
        owned::with().name("owned run").submit(run.clone()),
        borrowed::with().name("borrowed value").submit(value),
        borrowed::with().name("borrowed &value").submit(&value),
        borrowed::with().name("borrowed &run").submit(&run),
        borrowed::with().name("borrowed run").submit(run.clone()),
        borrowed::with().name("borrowed &result").submit(&result),
        borrowed::with()
            .name("borrowed result")
            .submit(result.clone()),
        tracked::with().name("tracked run").submit(run.clone()),
        tracked::with().name("tracked &run").submit(&run),
        tracked::with().name("tracked &result").submit(&result),
        tracked::with()
            .name("tracked result")
            .submit(result.clone()),
        tracked_borrowed::with()
            .name("&tracked run")
            .submit(run.clone()),
        tracked_borrowed::with().name("&tracked &run").submit(&run),
        tracked_borrowed::with()
            .name("&tracked &result")
            .submit(&result),
        tracked_borrowed::with()
            .name("&tracked result")
            .submit(result.clone()),
        tracked::with()
            .name("tracked value")
            .submit(Tracked::from(2)),
        outcome::with().name("outcome run").submit(run.clone()),
        outcome::with().name("outcome &run").submit(&run),
        outcome::with()
            .name("outcome result")
            .submit(result.clone()),
        outcome::with().name("outcome &result").submit(&result),
        owned::with().name("owned literal").submit(9),
    ];
    let mut results = Vec::new();
    for run in runs {
        results.push(*run.await?);
    }
    Ok(results)
}

#[orch_core::test]
async fn every_kind_of_single_input_gives_its_value_and_its_edge() {
    let run = TestEngine::new().run(one_input()).await;
    let expected = [
        2, 2, 1, 3, 3, 1, 2, 2, 1, 1, 3, 3, 1, 1, 3, 3, 1, 1, 3, 3, 2, 1, 1, 3, 3, 9,
    ];
    assert_eq!(run.result.as_ref().unwrap(), &expected);
    for name in [
        "owned value",
        "owned &value",
        "borrowed value",
        "borrowed &value",
        "tracked value",
        "owned literal",
    ] {
        check_edges(&run, name, &[], EdgeKind::Data);
    }
    for name in [
        "owned run",
        "owned &run",
        "borrowed run",
        "borrowed &run",
        "tracked run",
        "tracked &run",
        "&tracked run",
        "&tracked &run",
    ] {
        check_edges(&run, name, &["number 1"], EdgeKind::Data);
    }
    for name in [
        "owned result",
        "owned &result",
        "borrowed result",
        "borrowed &result",
        "tracked result",
        "tracked &result",
        "&tracked result",
        "&tracked &result",
    ] {
        check_edges(&run, name, &["number 3"], EdgeKind::Data);
    }
    for name in ["outcome run", "outcome &run"] {
        check_edges(&run, name, &["number 1"], EdgeKind::Catch);
    }
    for name in ["outcome result", "outcome &result"] {
        check_edges(&run, name, &["number 3"], EdgeKind::Catch);
    }
}

#[task]
async fn sum(all: Vec<u64>) -> u64 {
    all.iter().sum()
}

#[task]
async fn sum_slice(all: &[u64]) -> u64 {
    all.iter().sum()
}

#[task]
async fn sum_tracked(all: Vec<Tracked<u64>>) -> u64 {
    all.iter().map(|one| **one).sum()
}

#[task]
async fn sum_tracked_slice(all: &[Tracked<u64>]) -> u64 {
    all.iter().map(|one| **one).sum()
}

#[task]
#[expect(clippy::ptr_arg, reason = "what can be passed for it is tested")]
async fn sum_tracked_vec(all: &Vec<Tracked<u64>>) -> u64 {
    all.iter().map(|one| **one).sum()
}

#[task]
async fn sum_tracked_array(both: [Tracked<u64>; 2]) -> u64 {
    both.iter().map(|one| **one).sum()
}

#[task]
async fn sum_tracked_array_borrowed(both: &[Tracked<u64>; 2]) -> u64 {
    both.iter().map(|one| **one).sum()
}

#[task]
async fn count_errors(all: Vec<Outcome<u64>>) -> u64 {
    all.iter().filter(|one| one.is_err()).count() as u64
}

#[task]
async fn pair(both: (u64, String)) -> String {
    format!("{} {}", both.0, both.1)
}

#[task]
async fn triple(all: &(u64, u64, u64)) -> u64 {
    all.0 * 100 + all.1 * 10 + all.2
}

#[task]
async fn quadruple(all: &(u64, u64, u64, u64)) -> u64 {
    all.0 * 1000 + all.1 * 100 + all.2 * 10 + all.3
}

#[task]
async fn word(text: String) -> String {
    text
}

#[flow]
async fn many_inputs() -> Result<Vec<u64>, TaskError> {
    let (one, two) = (number(1), number(2));
    let both = vec![one.clone(), two.clone()];
    let results = vec![one.clone().await?, two.clone().await?];
    let array = || [one.clone(), two.clone()];
    let result_array = || [results[0].clone(), results[1].clone()];
    let runs = vec![
        sum::with().name("values").submit(vec![4u64, 5]),
        sum::with().name("vec").submit(both.clone()),
        sum::with().name("&vec").submit(&both),
        sum::with().name("slice").submit(&both[..]),
        sum::with().name("array").submit(array()),
        sum::with().name("array of &").submit([&one, &two]),
        sum::with().name("results").submit(results.clone()),
        sum::with().name("result array").submit(result_array()),
        sum::with().name("&results").submit(&results),
        sum::with().name("result slice").submit(&results[..]),
        sum::with()
            .name("array of &results")
            .submit([&results[0], &results[1]]),
        sum_slice::with().name("vec as slice").submit(both.clone()),
        sum_slice::with()
            .name("results as slice")
            .submit(results.clone()),
        sum_tracked::with().name("tracked vec").submit(both.clone()),
        sum_tracked::with().name("tracked array").submit(array()),
        sum_tracked::with()
            .name("tracked array of &")
            .submit([&one, &two]),
        sum_tracked_slice::with()
            .name("tracked slice")
            .submit(&both),
        sum_tracked_slice::with()
            .name("tracked result array")
            .submit(result_array()),
        sum_tracked::with()
            .name("tracked results")
            .submit(results.clone()),
        sum_tracked::with()
            .name("tracked &results")
            .submit(&results),
        sum_tracked_slice::with()
            .name("tracked results as slice")
            .submit(results.clone()),
        sum_tracked_slice::with()
            .name("tracked slice of results")
            .submit(&results[..]),
        sum_tracked_slice::with()
            .name("tracked array of &results")
            .submit([&results[0], &results[1]]),
        sum_tracked_vec::with()
            .name("tracked &vec of &results")
            .submit(&results),
        sum_tracked_array::with()
            .name("array from handles")
            .submit(array()),
        sum_tracked_array::with()
            .name("array from &handles")
            .submit([&one, &two]),
        sum_tracked_array::with()
            .name("array from results")
            .submit(result_array()),
        sum_tracked_array_borrowed::with()
            .name("&array from &results")
            .submit([&results[0], &results[1]]),
        count_errors::with().name("outcomes").submit(&both),
        triple::with()
            .name("triple")
            .submit((one.clone(), two.clone(), number(3))),
        quadruple::with()
            .name("quadruple")
            .submit((one.clone(), two.clone(), one.clone(), two)),
        sum::with().name("empty").submit(Vec::<TaskRun<u64>>::new()),
    ];
    let words = pair::with().name("pair").submit((one, word("x"))).await?;
    assert_eq!(&**words, "1 x");
    let mut results = Vec::new();
    for run in runs {
        results.push(*run.await?);
    }
    Ok(results)
}

#[orch_core::test]
async fn collections_and_tuples_of_handles_give_all_values_and_all_edges() {
    let run = TestEngine::new().run(many_inputs()).await;
    let expected = [
        9, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 0, 123,
        1212, 0,
    ];
    assert_eq!(run.result.as_ref().unwrap(), &expected);
    check_edges(&run, "values", &[], EdgeKind::Data);
    check_edges(&run, "empty", &[], EdgeKind::Data);
    check_edges(&run, "outcomes", &["number 1", "number 2"], EdgeKind::Catch);
    for name in [
        "vec",
        "&vec",
        "slice",
        "array",
        "array of &",
        "results",
        "result array",
        "&results",
        "result slice",
        "array of &results",
        "vec as slice",
        "results as slice",
        "tracked vec",
        "tracked array",
        "tracked array of &",
        "tracked slice",
        "tracked result array",
        "tracked results",
        "tracked &results",
        "tracked results as slice",
        "tracked slice of results",
        "tracked array of &results",
        "tracked &vec of &results",
        "array from handles",
        "array from &handles",
        "array from results",
        "&array from &results",
    ] {
        check_edges(&run, name, &["number 1", "number 2"], EdgeKind::Data);
    }
    check_edges(
        &run,
        "triple",
        &["number 1", "number 2", "number 3"],
        EdgeKind::Data,
    );
    let twice = ["number 1", "number 2", "number 1", "number 2"];
    check_edges(&run, "quadruple", &twice, EdgeKind::Data);
    check_edges(&run, "pair", &["number 1", "word"], EdgeKind::Data);
}

#[task]
async fn text(text: String) -> String {
    text
}

#[task]
async fn text_slice(text: &str) -> String {
    text.to_owned()
}

#[task]
async fn path(path: PathBuf) -> String {
    path.display().to_string()
}

#[task]
async fn path_slice(path: &Path) -> String {
    path.display().to_string()
}

#[flow]
async fn handy_conversions() -> Result<Vec<String>, TaskError> {
    let (string, buffer) = ("a".to_owned(), PathBuf::from("a"));
    let runs = [
        text("a"),
        text(&string),
        text(string.clone()),
        text(text("a")),
        text_slice("a"),
        text_slice(&string),
        text_slice(text("a")),
        path("a"),
        path(&string),
        path(string.clone()),
        path(Path::new("a")),
        path(&buffer),
        path(buffer.clone()),
        path_slice("a"),
        path_slice(&buffer),
    ];
    let mut results = Vec::new();
    for run in runs {
        results.push(run.await?.into_inner());
    }
    Ok(results)
}

#[orch_core::test]
async fn texts_and_paths_are_converted_on_the_way() {
    let results = handy_conversions().await.unwrap();
    assert_eq!(results, vec!["a"; 15]);
}

#[flow]
async fn sees_errors() -> Result<Vec<u64>, TaskError> {
    let failed = fails(1);
    let skipped = owned(&failed);
    let one = outcome(&failed);
    let other = outcome(&skipped);
    let counted = count_errors(vec![failed, skipped, number(1)]);
    Ok(vec![*one.await?, *other.await?, *counted.await?])
}

#[orch_core::test]
async fn an_outcome_sees_errors_and_skips() {
    let run = TestEngine::new().run(sees_errors()).await;
    // A skipped run leads to the error above it.
    assert_eq!(run.result.as_ref().unwrap(), &[101, 101, 2]);
    run.assert_ran("outcome", 2);
    run.assert_state("owned", State::Skipped);
}

// Values that move.

/// Must not be cloned.
#[derive(Debug)]
struct Single(u64);

impl Clone for Single {
    fn clone(&self) -> Self {
        panic!("it was cloned")
    }
}

#[task]
async fn single(n: u64) -> Single {
    Single(n)
}

#[task]
fn single_blocking(n: u64) -> Single {
    Single(n)
}

#[task(inline)]
fn single_inline(n: u64) -> Single {
    Single(n)
}

#[task(retries = 1)]
async fn eat_tracked(context: &TaskContext, value: Tracked<Single>) -> Result<Single, Broken> {
    // The last attempt that there can be holds the result alone.
    let value = value.try_into_inner();
    match context.attempt() {
        1 => Err(Broken),
        _ => value.map_err(|_| Broken),
    }
}

#[task]
async fn eat_all_tracked(all: Vec<Tracked<Single>>) -> Result<u64, Broken> {
    let values = all.into_iter().map(Tracked::try_into_inner);
    values
        .map(|value| value.map(|value| value.0).map_err(|_| Broken))
        .sum()
}

#[flow]
async fn moves_tracked() -> Result<u64, TaskError> {
    let eaten = eat_tracked(single(1).await?).await?.into_inner();
    let all = eat_all_tracked(vec![single(2).await?, single_blocking(3).await?]);
    let array = eat_all_tracked([single(4), single_inline(5)]);
    Ok(eaten.0 + *all.await? + *array.await?)
}

#[orch_core::test]
async fn a_result_passed_on_is_moved_out_when_it_is_the_last() {
    let run = TestEngine::new().run(moves_tracked()).await;
    assert_eq!(run.result.as_ref().ok(), Some(&15));
    run.assert_attempts("eat_tracked", 2);
}

#[flow]
async fn passes_results_on() -> Result<(u64, u64, u64), TaskError> {
    let result = number(1).await?;
    let (one, all) = (
        tracked(&result),
        sum_tracked_slice(&[result.clone(), result][..]),
    );
    let inner = takes_tracked(number(2).await?).await;
    let inner = inner.expect("the inner flow run completes");
    Ok((*one.await?, *all.await?, inner))
}

#[flow]
async fn takes_tracked(n: Tracked<u64>) -> Result<u64, TaskError> {
    Ok(*tracked_borrowed(&n).await? + *tracked(inner(1, n)).await?)
}

#[orch_core::test]
async fn stubs_and_flows_get_results_with_their_origin() {
    let run = TestEngine::new()
        .stub(tracked::stub(|n: Tracked<u64>| *n + 10))
        .stub(sum_tracked_slice::stub_async(|all: &[Tracked<u64>]| {
            Box::pin(async move { all.len() as u64 })
        }))
        .run(passes_results_on())
        .await;
    // 2, and the 1 * 2 of the inner flow run and the stub's 10.
    assert_eq!(run.result.as_ref().ok(), Some(&(11, 2, 14)));
    check_edges(&run, "sum_tracked_slice", &["number 1"; 2], EdgeKind::Data);
    check_edges(&run, "takes_tracked", &["number 2"], EdgeKind::Data);
}

#[task]
async fn eat(value: Single) -> Single {
    Single(value.0 + 1)
}

#[task]
fn eat_blocking(value: Single) -> Single {
    Single(value.0 + 1)
}

#[task(inline)]
fn eat_inline(value: Single) -> Single {
    Single(value.0 + 1)
}

#[flow]
async fn moves() -> Result<u64, TaskError> {
    let mut total = 0;
    for make in [single, single_blocking, single_inline] {
        let first = eat_inline(eat_blocking(eat(make(1))));
        let second = eat(eat_inline(eat_blocking(make(1))));
        // The result that is awaited can be moved out as well.
        total += first.await?.into_inner().0 + second.await?.try_into_inner().unwrap().0;
        let whole = map(0..3u64, make).fold(0, |sum, one| sum + one.0);
        total += *whole.await?;
    }
    Ok(total)
}

#[orch_core::test]
async fn a_value_is_moved_out_when_its_handle_is_the_last() {
    let run = TestEngine::new().run(moves()).await;
    assert_eq!(run.result.as_ref().ok(), Some(&33));
}

#[test]
fn a_value_is_moved_out_on_several_workers_too() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_time()
        .build()
        .unwrap();
    for _ in 0..200 {
        let run = runtime.block_on(async { TestEngine::new().run(moves()).await });
        assert_eq!(
            run.result.as_ref().ok(),
            Some(&33),
            "{:?}",
            run.report.task_table()
        );
    }
}

#[derive(Debug)]
struct Counted(Arc<AtomicUsize>);

impl Clone for Counted {
    fn clone(&self) -> Self {
        self.0.fetch_add(1, Ordering::SeqCst);
        Self(Arc::clone(&self.0))
    }
}

#[task]
async fn counted(count: Arc<AtomicUsize>) -> Counted {
    Counted(count)
}

#[task]
async fn consume(value: Counted) -> usize {
    Arc::strong_count(&value.0)
}

#[task]
async fn look(value: &Counted) -> usize {
    Arc::strong_count(&value.0)
}

#[flow]
async fn kept_and_passed(count: Arc<AtomicUsize>) -> Result<usize, TaskError> {
    let kept = counted(Arc::clone(&count));
    for _ in 0..3 {
        look(&kept).await?;
    }
    assert_eq!(
        count.load(Ordering::SeqCst),
        0,
        "what is borrowed is not copied"
    );
    consume(&kept).await?;
    assert_eq!(
        count.load(Ordering::SeqCst),
        1,
        "another handle may still want it"
    );
    consume(kept).await?;
    Ok(count.load(Ordering::SeqCst))
}

#[orch_core::test]
async fn a_value_is_cloned_only_while_something_else_holds_it() {
    let count: Arc<AtomicUsize> = Arc::default();
    assert_eq!(kept_and_passed(Arc::clone(&count)).await.unwrap(), 1);
    assert_eq!(Arc::strong_count(&count), 1);
}

// Parts.

#[derive(Debug)]
struct Part(u64);

#[task]
async fn parts() -> (Part, Part, Vec<u64>) {
    (Part(1), Part(2), vec![3, 4])
}

#[task]
async fn part_value(part: &Part) -> u64 {
    part.0
}

#[flow]
async fn in_parts() -> Result<Vec<u64>, TaskError> {
    let (first, second, list) = parts().unzip();
    let item = list.part(|list| &list[1]);
    let total = sum_slice(&list);
    let by_value = owned(&item);
    let runs = [
        part_value(first),
        part_value(&second),
        borrowed(item),
        by_value,
        total,
    ];
    let mut results = vec![second.await?.0];
    for run in runs {
        results.push(*run.await?);
    }
    Ok(results)
}

#[orch_core::test]
async fn parts_are_views_of_one_task_run_and_need_no_clone() {
    let run = TestEngine::new().run(in_parts()).await;
    assert_eq!(run.result.as_ref().unwrap(), &[2, 1, 2, 4, 4, 7]);
    run.assert_ran("parts", 1);
    for name in ["part_value", "borrowed", "owned", "sum_slice"] {
        run.assert_edge("parts", name);
    }
}

#[flow]
async fn parts_of_a_failure() -> Result<(u64, u64), TaskError> {
    let whole = fails(1);
    let pairs = pair_of(whole);
    let (a, b) = pairs.unzip();
    assert!(a.clone().await.unwrap_err().is_skipped());
    assert!(borrowed(a).await.unwrap_err().is_skipped());
    assert!(outcome(b).await.is_ok());
    Ok((0, 0))
}

#[task]
async fn pair_of(n: u64) -> (u64, u64) {
    (n, n)
}

#[orch_core::test]
async fn parts_of_what_failed_fail_like_it() {
    TestEngine::new()
        .run(parts_of_a_failure())
        .await
        .assert_completed();
}

// Order, fallbacks, subflows.

#[flow]
async fn in_order(fail: u64) -> Result<u64, TaskError> {
    let first = fails(fail);
    let then = number::with()
        .name("then")
        .after(&first)
        .after(&number(1))
        .submit(2u64);
    drop(first);
    Ok(*then.await?)
}

#[orch_core::test]
async fn after_makes_an_edge_without_a_value() {
    let run = TestEngine::new().run(in_order(0)).await;
    assert_eq!(run.result.as_ref().ok(), Some(&2));
    check_edges(&run, "then", &["fails", "number 1"], EdgeKind::Order);
    run.assert_order("fails", "then");
    let run = TestEngine::new().run(in_order(1)).await;
    run.assert_failed_with::<Broken>();
    run.assert_state("then", State::Skipped);
}

#[flow]
async fn observes_what_came_before() -> Result<u64, TaskError> {
    let then = owned::with().after(&fails(1)).submit(2u64);
    let last = owned(&then);
    assert!(last.await.unwrap_err().is_skipped());
    Ok(*number(7).await?)
}

#[orch_core::test]
async fn a_failure_is_observed_through_what_was_only_ordered_after_it() {
    for mode in [
        FailureMode::FailFast,
        FailureMode::StopOnFailure,
        FailureMode::ContinueOnFailure,
    ] {
        let run = TestEngine::new()
            .failure_mode(mode)
            .run(observes_what_came_before())
            .await;
        assert_eq!(
            run.result.as_ref().ok(),
            Some(&7),
            "{mode:?}: {:?}",
            run.result
        );
    }
}

#[flow]
async fn falls_back(how: u64) -> Result<u64, TaskError> {
    let source = match how {
        0 => number(1),
        1 => fails(1),
        2 => owned(fails(1)),
        _ => owned(panics()),
    };
    let chosen = source.or_else(|error| {
        assert!(error.root().kind_is_own());
        number(5)
    });
    Ok(*borrowed(&chosen).await? + *chosen.await?)
}

trait KindIsOwn {
    fn kind_is_own(&self) -> bool;
}

impl KindIsOwn for TaskError {
    fn kind_is_own(&self) -> bool {
        matches!(
            self.kind(),
            TaskErrorKind::Failed(_) | TaskErrorKind::Panicked { .. }
        )
    }
}

#[task]
async fn panics() -> u64 {
    panic!("out of cheese")
}

#[orch_core::test]
async fn or_else_takes_the_result_or_the_fallbacks() {
    for (how, expected) in [(0, 2), (1, 10), (2, 10), (3, 10)] {
        let run = TestEngine::new().run(falls_back(how)).await;
        assert_eq!(
            run.result.as_ref().ok(),
            Some(&expected),
            "{how}: {:?}",
            run.result
        );
        run.assert_edge("or_else", "borrowed");
        let edges = edges_to(&run, "or_else");
        assert_eq!(edges.len(), 1);
        assert_eq!(edges[0].1, EdgeKind::Catch);
        run.assert_ran("number", 1);
    }
}

#[flow]
async fn fallback_fails() -> Result<u64, TaskError> {
    Ok(*panics().or_else(|_| fails(1)).await?)
}

#[orch_core::test]
async fn a_fallback_that_fails_too_is_the_failure() {
    let run = TestEngine::new().run(fallback_fails()).await;
    run.assert_failed_with::<Broken>();
    run.assert_state("panics", State::Crashed);
    assert_eq!(run.report.state, State::Failed);
}

#[flow]
async fn inner(n: u64, times: &u64) -> Result<u64, TaskError> {
    let n = number(n).await?;
    if *n == 13 {
        fails(1).await?;
    }
    Ok(*n * times)
}

#[flow]
async fn outer(n: u64) -> anyhow::Result<Vec<u64>> {
    let by_reference = borrowed(inner(n, 2));
    let by_value = owned(inner(number(n), number(3)));
    let submitted = inner(n, &4).submit();
    let results = sum(vec![submitted.clone(), number(100)]);
    Ok(vec![
        *by_reference.await?,
        *by_value.await?,
        *submitted.await?,
        *results.await?,
    ])
}

#[orch_core::test]
async fn a_flow_call_is_an_input_and_takes_inputs() {
    let run = TestEngine::new().run(outer(5)).await;
    assert_eq!(run.result.as_ref().unwrap(), &[10, 15, 20, 120]);
    for name in ["borrowed", "owned", "sum"] {
        run.assert_edge("inner", name);
    }
    run.assert_edge("number", "inner");
    let run = TestEngine::new().run(outer(13)).await;
    run.assert_failed_with::<Broken>();
    run.assert_state("borrowed", State::Skipped);
}

// Shapes of tasks.

#[task]
async fn largest<T: Clone + Ord>(all: &[T]) -> Option<T> {
    all.iter().max().cloned()
}

#[task]
async fn repeat<const N: usize>(n: u64) -> [u64; N] {
    [n; N]
}

#[task]
async fn texts() -> Vec<String> {
    vec!["b".to_owned(), "c".to_owned(), "a".to_owned()]
}

#[flow]
async fn generic() -> anyhow::Result<(Option<u8>, Option<String>, [u64; 2])> {
    let plain = largest(vec![1u8, 3, 2]);
    let text = largest::<String>(texts());
    let repeated = repeat::<2>(number(4));
    Ok((
        plain.await?.into_inner(),
        text.await?.into_inner(),
        repeated.await?.into_inner(),
    ))
}

#[orch_core::test]
async fn generic_tasks_run_for_each_type() {
    let run = TestEngine::new().run(generic()).await;
    assert_eq!(
        run.result.as_ref().unwrap(),
        &(Some(3), Some("c".to_owned()), [4, 4])
    );
    run.assert_ran("largest", 2);
    run.assert_edge("texts", "largest");
}

#[flow]
async fn with_nested_functions() -> Result<u64, TaskError> {
    #[task(inline)]
    fn twice(n: u64) -> u64 {
        n * 2
    }

    #[task]
    async fn number(n: u64) -> u64 {
        n + 1
    }

    Ok(*number(twice(3)).await?)
}

#[orch_core::test]
async fn tasks_inside_functions_hide_those_outside() {
    let run = TestEngine::new().run(with_nested_functions()).await;
    assert_eq!(run.result.as_ref().ok(), Some(&7));
    run.assert_edge("twice", "number");
}

#[task(name = "fib {n}")]
async fn fib(n: u64) -> Result<u64, TaskError> {
    if n < 2 {
        return Ok(n);
    }
    let (a, b) = (fib(n - 1), fib(n - 2));
    Ok(*a.await? + *b.await?)
}

#[flow]
async fn fibonacci(n: u64) -> Result<u64, TaskError> {
    Ok(*fib(n).await?)
}

#[orch_core::test]
async fn a_task_may_call_itself() {
    let run = TestEngine::new().run(fibonacci(10)).await;
    assert_eq!(run.result.as_ref().ok(), Some(&55));
    run.assert_ran("fib", 177);
    let parents: Vec<Option<u32>> = run
        .task_runs("fib 9")
        .iter()
        .map(|run| run.parent)
        .collect();
    assert_eq!(parents, [Some(0)]);
}

// What the engine gives.

struct Price(u64);

#[task]
async fn price(price: Resource<Price>, quantity: u64) -> u64 {
    price.0 * quantity
}

#[task]
fn price_blocking(price: Resource<Price>, quantity: u64) -> u64 {
    price.0 * quantity
}

#[task(inline)]
fn price_inline(quantity: u64, price: Resource<Price>) -> u64 {
    price.0 * quantity
}

#[flow]
async fn prices(price_of_flow: Resource<Price>) -> Result<u64, TaskError> {
    let sum = *price(1).await? + *price_blocking(1).await? + *price_inline(1).await?;
    Ok(sum + price_of_flow.0)
}

#[flow]
async fn prices_of_tasks(how: u64) -> Result<u64, TaskError> {
    Ok(match how {
        0 => *price(1).await?,
        1 => *price_blocking(1).await?,
        _ => *price_inline(1).await?,
    })
}

#[orch_core::test]
async fn tasks_and_flows_get_the_engines_resources() {
    let run = TestEngine::new()
        .resource(Price(1))
        .resource(Price(7))
        .run(prices())
        .await;
    assert_eq!(
        run.result.as_ref().ok(),
        Some(&28),
        "the last one given counts"
    );
}

#[orch_core::test]
async fn a_missing_resource_is_named_and_not_tried_again() {
    for how in 0..3 {
        let run = TestEngine::new()
            .resource(1u64)
            .run(prices_of_tasks(how))
            .await;
        let error = run
            .result
            .as_ref()
            .unwrap_err()
            .downcast_ref::<TaskError>()
            .unwrap();
        assert!(
            matches!(error.kind(), TaskErrorKind::MissingResource { .. }),
            "{error}"
        );
        assert!(
            error
                .to_string()
                .contains("no resource of type `inputs::Price`"),
            "{error}"
        );
        assert!(error.help().unwrap().contains("Engine::builder().resource"));
    }
    let run = TestEngine::new().run(prices()).await;
    let text = format!("{:#}", anyhow::Error::new(run.result.unwrap_err()));
    assert!(
        text.contains("no resource of type `inputs::Price`"),
        "{text}"
    );
}

#[task(retries = 1)]
async fn seed(context: &TaskContext) -> Result<u64, String> {
    // The same for each attempt.
    let seed = context.seed();
    if context.attempt() == 1 {
        SEEDS.lock().unwrap().push(seed);
        return Err("once more".into());
    }
    assert!(SEEDS.lock().unwrap().contains(&seed));
    Ok(seed)
}

static SEEDS: Mutex<Vec<u64>> = Mutex::new(Vec::new());

#[task(inline)]
fn other_seed(context: &TaskContext, n: u64) -> u64 {
    context.seed().wrapping_add(n)
}

#[task]
async fn seed_of_child() -> Result<u64, TaskError> {
    Ok(*other_seed(0).await?)
}

#[flow]
async fn seeds(is_reversed: bool) -> Result<Vec<u64>, TaskError> {
    let (a, b, c);
    if is_reversed {
        c = seed_of_child();
        number(1).await?;
        b = other_seed(0);
        a = seed();
    } else {
        a = seed();
        b = other_seed(0);
        c = seed_of_child();
    }
    let again = seed();
    Ok(vec![*a.await?, *b.await?, *c.await?, *again.await?])
}

#[orch_core::test]
async fn a_seed_depends_on_the_flow_runs_seed_and_on_where_the_call_stands() {
    let seeds_of = async |seed: u64, is_reversed: bool| {
        TestEngine::new()
            .seed(seed)
            .run(seeds(is_reversed))
            .await
            .result
            .unwrap()
    };
    let first = seeds_of(1, false).await;
    assert_eq!(first, seeds_of(1, false).await);
    assert_eq!(
        first,
        seeds_of(1, true).await,
        "the order of other calls does not matter"
    );
    let other = seeds_of(2, false).await;
    let mut all: Vec<u64> = first.into_iter().chain(other).collect();
    all.sort_unstable();
    all.dedup();
    assert_eq!(all.len(), 8, "each call has a seed of its own");
}

#[task(name = "knows {n}")]
async fn knows(context: &TaskContext, n: u64) -> (String, Option<u32>, u32, bool) {
    assert!(context.flow_run().is_some());
    (
        context.name().to_owned(),
        context.index(),
        context.attempt() + n as u32,
        context.is_cancelled(),
    )
}

#[flow]
async fn knowing(context: &FlowContext) -> Result<(String, Option<u32>, u32, bool), TaskError> {
    assert_eq!(context.name(), "the known one");
    number(1).await?;
    Ok(knows(7).await?.into_inner())
}

#[orch_core::test]
async fn a_body_knows_its_name_its_place_and_its_attempt() {
    let known = knowing().name("the known one").await.unwrap();
    assert_eq!(known, ("knows 7".to_owned(), Some(1), 8, false));
    let detached = TaskContext::detached();
    assert_eq!(
        (
            detached.attempt(),
            detached.index(),
            detached.is_cancelled()
        ),
        (1, None, false)
    );
}

// Where a call belongs.

#[flow]
async fn spawns() -> anyhow::Result<u64> {
    let kept = orch_core::spawn(async { number::with().name("kept").submit(1u64).await }).await??;
    let lost = tokio::spawn(async { number::with().name("lost").submit(2u64).await }).await??;
    let handle = number(4);
    let by_handle =
        tokio::spawn(async move { borrowed::with().name("by handle").submit(&handle).await });
    Ok(*kept + *lost + *by_handle.await??)
}

#[orch_core::test]
async fn spawn_keeps_the_flow_and_tokio_spawn_does_not() {
    let run = TestEngine::new().run(spawns()).await;
    assert_eq!(run.result.as_ref().ok(), Some(&7));
    run.assert_ran("kept", 1);
    run.assert_ran("lost", 0);
    // A handle leads back to its flow run.
    run.assert_ran("by handle", 1);
    run.assert_edge("number 4", "by handle");
}

#[task]
async fn spawns_inside() -> anyhow::Result<u64> {
    Ok(*orch_core::spawn(async { number(1).await }).await??)
}

#[flow]
async fn combines() -> anyhow::Result<u64> {
    let (a, b) = tokio::join!(async { number(1).await }, async { number(2).await });
    let mut all: FuturesUnordered<_> = (3..6u64).map(|n| async move { number(n).await }).collect();
    let mut sum = *a? + *b?;
    while let Some(one) = all.next().await {
        sum += *one?;
    }
    tokio::select! {
        () = std::future::pending() => {}
        one = async { number(6).await } => sum += *one?,
    }
    Ok(sum + *spawns_inside().await?)
}

#[orch_core::test]
async fn joins_selects_and_sets_of_futures_keep_the_flow() {
    let run = TestEngine::new().run(combines()).await;
    assert_eq!(run.result.as_ref().ok(), Some(&22));
    run.assert_ran("number", 7);
    let parent = run.task_runs("spawns_inside")[0].index;
    assert_eq!(
        run.task_runs("number 1").last().unwrap().parent,
        Some(parent)
    );
}

#[flow]
async fn takes_a_foreign_handle(handle: Arc<TaskRun<u64>>) -> Result<u64, TaskError> {
    Ok(*borrowed(&*handle).await?)
}

#[task]
async fn slow(n: u64) -> Result<u64, Broken> {
    tokio::time::sleep(Duration::from_secs(5)).await;
    if n == 13 { Err(Broken) } else { Ok(n) }
}

#[orch_core::test]
async fn a_handle_of_another_flow_run_is_an_outside_input() {
    let run = TestEngine::new()
        .run(takes_a_foreign_handle(Arc::new(slow(3))))
        .await;
    assert_eq!(run.result.as_ref().ok(), Some(&3));
    run.assert_ran("borrowed", 1);
    assert_eq!(run.report.task_runs.len(), 1);
    let run = TestEngine::new()
        .run(takes_a_foreign_handle(Arc::new(slow(13))))
        .await;
    run.assert_failed_with::<Broken>();
    run.assert_state("borrowed", State::Skipped);
}

#[orch_core::test]
async fn a_flow_run_that_waits_for_another_can_be_cancelled() {
    let engine = TestEngine::new().build();
    let foreign = slow(3);
    let run = takes_a_foreign_handle(Arc::new(foreign.clone()))
        .start(&engine)
        .unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    run.cancel();
    let (result, report) = run.finish().await;
    assert!(matches!(
        result.unwrap_err().kind(),
        FlowErrorKind::Cancelled { .. }
    ));
    assert_eq!(report.task_runs[0].state, State::Cancelled);
    assert!(
        report.duration < Duration::from_secs(2),
        "{:?}",
        report.duration
    );
    assert_eq!(*foreign.await.unwrap(), 3);
}

#[orch_core::test]
async fn a_call_outside_of_any_flow_is_a_run_of_its_own() {
    let first = number(1);
    let second = borrowed(&first);
    assert_eq!(*second.await.unwrap() + *first.await.unwrap(), 2);
    assert!(
        fails(1)
            .await
            .unwrap_err()
            .downcast_ref::<Broken>()
            .is_some()
    );
    assert!(owned(fails(1)).await.unwrap_err().is_skipped());
}

#[test]
fn without_a_runtime_a_handle_and_what_depends_on_it_fail() {
    let first = number(1);
    let second = borrowed(&first);
    for (handle, is_skipped) in [(first, false), (second, true)] {
        assert!(handle.is_finished());
        let mut future = pin!(handle);
        let mut context = Context::from_waker(Waker::noop());
        let Poll::Ready(Err(error)) = future.as_mut().poll(&mut context) else {
            panic!("it is not ready")
        };
        assert_eq!(error.is_skipped(), is_skipped);
        assert!(
            matches!(error.root().kind(), TaskErrorKind::NoRuntime),
            "{error}"
        );
        assert!(error.root().help().unwrap().contains("tokio::main"));
    }
}

#[task]
async fn words() -> (Vec<&'static str>, u32) {
    (vec!["never", "copied"], 2)
}

#[task(cache)]
fn longest(words: Vec<&'static str>, of: &'static str) -> usize {
    let words = words.iter().chain([&of]);
    words.map(|word| word.len()).max().unwrap_or(0)
}

#[flow]
async fn borrows(more: Vec<&'static str>) -> Result<Vec<&'static str>, TaskError> {
    let (words, count) = words().unzip();
    assert_eq!(*count.await?, 2);
    let longest = longest(&words, "of the program");
    assert_eq!(*longest.await?, 14);
    let mut all = words.await?.into_inner();
    all.extend(more);
    Ok(all)
}

/// They cannot be read back from a store, so there they are left out.
#[orch_core::test]
async fn values_that_borrow_from_the_program_are_passed_on() {
    let run = TestEngine::new().run(borrows(vec!["words"])).await;
    run.assert_completed();
    assert_eq!(run.result.unwrap(), ["never", "copied", "words"]);
}

//! Random graphs against a model that is written down here: what each task run must come to, and
//! what the flow run must.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, Once};
use std::time::Duration;

use orch_core::prelude::*;
use orch_core::{EventKind, FailureMode, FlowErrorKind, Received, RunReport, State};
use proptest::prelude::*;

const LIMITS: [(&str, u32); 3] = [("one", 1), ("two", 2), ("five", 5)];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Async,
    Blocking,
    Inline,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ends {
    Ok,
    Err,
    Panic,
}

/// What the flow body does with a handle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Use {
    Drops,
    Keeps,
    AwaitsAtOnce,
    AwaitsLast,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Edge {
    Data,
    Order,
    Catch,
}

#[derive(Debug, Clone)]
struct Step {
    kind: Kind,
    delay: u64,
    ends: Ends,
    uses: Use,
    upstream: Vec<(usize, Edge)>,
    limits: Vec<(usize, u32)>,
    priority: i32,
    allow_failure: bool,
}

#[derive(Debug, Clone, Copy)]
enum Cancel {
    Nothing,
    FlowRun { after: u64 },
    TaskRun { index: usize, after: u64 },
}

#[derive(Debug, Clone)]
struct Plan {
    steps: Vec<Step>,
    mode: FailureMode,
    /// Whether the body returns the first error that it is told.
    propagates: bool,
    cancel: Cancel,
}

fn step(n: usize) -> impl Strategy<Value = Step> {
    let kind = prop_oneof![
        3 => Just(Kind::Async),
        1 => Just(Kind::Blocking),
        1 => Just(Kind::Inline),
    ];
    let ends = prop_oneof![8 => Just(Ends::Ok), 1 => Just(Ends::Err), 1 => Just(Ends::Panic)];
    let uses = prop_oneof![
        4 => Just(Use::Drops),
        2 => Just(Use::Keeps),
        1 => Just(Use::AwaitsAtOnce),
        3 => Just(Use::AwaitsLast),
    ];
    let edge = prop_oneof![6 => Just(Edge::Data), 1 => Just(Edge::Order), 1 => Just(Edge::Catch)];
    let upstream = if n == 0 {
        Just(Vec::new()).boxed()
    } else {
        prop::collection::vec((0..n, edge), 0..4).boxed()
    };
    let limits = prop_oneof![
        2 => Just(Vec::new()),
        1 => prop::collection::vec(
            (0..LIMITS.len()).prop_flat_map(|limit| (Just(limit), 1..=LIMITS[limit].1)), 1..3),
    ]
    .prop_map(|limits: Vec<(usize, u32)>| {
        // Two uses of one limit add up: keep them within the slots.
        limits
            .into_iter()
            .collect::<BTreeMap<_, _>>()
            .into_iter()
            .collect()
    });
    (
        kind,
        0u64..5,
        ends,
        uses,
        upstream,
        limits,
        -1i32..3,
        prop::bool::weighted(0.1),
    )
        .prop_map(
            |(kind, delay, ends, uses, upstream, limits, priority, allow_failure)| Step {
                kind,
                delay,
                ends,
                uses,
                upstream,
                limits,
                priority,
                allow_failure,
            },
        )
}

fn plan(max_steps: usize) -> impl Strategy<Value = Plan> {
    let mode = prop_oneof![
        Just(FailureMode::FailFast),
        Just(FailureMode::StopOnFailure),
        Just(FailureMode::ContinueOnFailure),
    ];
    (1..max_steps).prop_flat_map(move |n| {
        let steps: Vec<_> = (0..n).map(|n| step(n).boxed()).collect();
        let cancel = prop_oneof![
            4 => Just(Cancel::Nothing),
            1 => (0u64..10).prop_map(|after| Cancel::FlowRun { after }),
            1 => (0..n, 0u64..10)
                .prop_map(|(index, after)| Cancel::TaskRun { index, after }),
        ];
        (steps, mode.clone(), any::<bool>(), cancel).prop_map(
            |(steps, mode, propagates, cancel)| Plan {
                steps,
                mode,
                propagates,
                cancel,
            },
        )
    })
}

/// What really happened, as the bodies saw it.
#[derive(Default)]
struct Seen {
    started: BTreeSet<usize>,
    ended: BTreeSet<usize>,
    taken: [u32; LIMITS.len()],
    /// Whose error the flow body was told.
    told: Vec<usize>,
    has_returned_error: bool,
    wrong: Vec<String>,
}

struct World {
    plan: Plan,
    seen: Mutex<Seen>,
}

impl World {
    fn note(&self, note: impl FnOnce(&mut Seen)) {
        // A planned panic never happens under the lock.
        note(&mut self.seen.lock().unwrap());
    }

    fn start(self: &Arc<Self>, index: usize) -> Body {
        self.note(|seen| {
            if !seen.started.insert(index) {
                seen.wrong.push(format!("{index} started twice"));
            }
            for (upstream, edge) in &self.plan.steps[index].upstream {
                // Behind a catch edge anything may have become of it, also that it never started.
                if *edge != Edge::Catch && !seen.ended.contains(upstream) {
                    seen.wrong
                        .push(format!("{index} started before {upstream} had ended"));
                }
            }
            for (limit, weight) in &self.plan.steps[index].limits {
                seen.taken[*limit] += weight;
                if seen.taken[*limit] > LIMITS[*limit].1 {
                    seen.wrong
                        .push(format!("{} is passed by {index}", LIMITS[*limit].0));
                }
            }
        });
        Body {
            world: Arc::clone(self),
            index,
        }
    }

    fn end(&self, index: usize) -> Result<usize, String> {
        match self.plan.steps[index].ends {
            Ends::Ok => Ok(index),
            Ends::Err => Err(format!("{index} fails")),
            Ends::Panic => panic!("planned panic of {index}"),
        }
    }
}

/// A body while it runs, or until it is dropped.
struct Body {
    world: Arc<World>,
    index: usize,
}

impl Drop for Body {
    fn drop(&mut self) {
        self.world.note(|seen| {
            seen.ended.insert(self.index);
            for (limit, weight) in &self.world.plan.steps[self.index].limits {
                seen.taken[*limit] -= weight;
            }
        });
    }
}

fn check_inputs(world: &World, index: usize, inputs: &[Tracked<usize>], caught: &[Outcome<usize>]) {
    let upstream = |wanted: fn(Edge) -> bool| {
        world.plan.steps[index]
            .upstream
            .iter()
            .filter(move |(_, edge)| wanted(*edge))
    };
    let expected: Vec<usize> = upstream(|edge| edge == Edge::Data)
        .map(|(n, _)| *n)
        .collect();
    let given: Vec<usize> = inputs.iter().map(|input| **input).collect();
    if expected != given || caught.len() != upstream(|edge| edge == Edge::Catch).count() {
        world.note(|seen| {
            seen.wrong
                .push(format!("{index} got {given:?}, not {expected:?}"))
        });
    }
}

#[task]
async fn step_async(
    world: Arc<World>,
    index: usize,
    inputs: &[Tracked<usize>],
    caught: Vec<Outcome<usize>>,
) -> Result<usize, String> {
    let body = world.start(index);
    check_inputs(&world, index, inputs, &caught);
    match world.plan.steps[index].delay {
        0 => tokio::task::yield_now().await,
        delay => tokio::time::sleep(Duration::from_secs(delay)).await,
    }
    body.world.end(index)
}

#[task]
fn step_blocking(
    world: Arc<World>,
    index: usize,
    inputs: &[Tracked<usize>],
    caught: Vec<Outcome<usize>>,
) -> Result<usize, String> {
    let body = world.start(index);
    check_inputs(&world, index, inputs, &caught);
    body.world.end(index)
}

#[task(inline)]
fn step_inline(
    world: Arc<World>,
    index: usize,
    inputs: &[Tracked<usize>],
    caught: Vec<Outcome<usize>>,
) -> Result<usize, String> {
    let body = world.start(index);
    check_inputs(&world, index, inputs, &caught);
    body.world.end(index)
}

fn submit(world: &Arc<World>, index: usize, handles: &[Option<TaskRun<usize>>]) -> TaskRun<usize> {
    let step = &world.plan.steps[index];
    let of = |wanted: Edge| -> Vec<TaskRun<usize>> {
        step.upstream
            .iter()
            .filter(|(_, edge)| *edge == wanted)
            .map(|(n, _)| handles[*n].clone().expect("kept until its last use"))
            .collect()
    };
    macro_rules! submit {
        ($task:ident) => {{
            let mut call = $task::with();
            for (limit, weight) in &step.limits {
                call = call.limit(LIMITS[*limit].0, *weight);
            }
            if step.priority > 0 {
                call = call.priority(step.priority);
            }
            if step.allow_failure {
                call = call.allow_failure();
            }
            for upstream in of(Edge::Order) {
                call = call.after(&upstream);
            }
            call.submit(Arc::clone(world), index, of(Edge::Data), of(Edge::Catch))
        }};
    }
    match step.kind {
        Kind::Async => submit!(step_async),
        Kind::Blocking => submit!(step_blocking),
        Kind::Inline => submit!(step_inline),
    }
}

#[flow]
async fn graph(world: Arc<World>) -> Result<(), TaskError> {
    let n = world.plan.steps.len();
    let last_use: HashMap<usize, usize> = (0..n)
        .flat_map(|n| {
            world.plan.steps[n]
                .upstream
                .iter()
                .map(move |(upstream, _)| (*upstream, n))
        })
        .collect();
    let mut handles: Vec<Option<TaskRun<usize>>> = Vec::new();
    let told = |index: usize, error: TaskError| {
        world.note(|seen| {
            seen.told.push(index);
            seen.has_returned_error = world.plan.propagates;
        });
        if world.plan.propagates {
            Err(error)
        } else {
            Ok(())
        }
    };
    for index in 0..n {
        let handle = submit(&world, index, &handles);
        if let Cancel::TaskRun {
            index: target,
            after,
        } = world.plan.cancel
            && target == index
        {
            let handle = handle.clone();
            drop(orch_core::spawn(async move {
                tokio::time::sleep(Duration::from_secs(after)).await;
                handle.cancel();
            }));
        }
        handles.push(Some(handle));
        if world.plan.steps[index].uses == Use::AwaitsAtOnce
            && let Err(error) = handles[index].clone().expect("just pushed").await
        {
            told(index, error)?;
        }
        for (earlier, handle) in handles.iter_mut().enumerate() {
            let is_used_later = last_use.get(&earlier).is_some_and(|last| *last > index);
            if world.plan.steps[earlier].uses == Use::Drops && !is_used_later {
                *handle = None;
            }
        }
    }
    for (index, handle) in handles.iter_mut().enumerate() {
        if world.plan.steps[index].uses == Use::AwaitsLast
            && let Err(error) = handle.take().expect("not dropped").await
        {
            told(index, error)?;
        }
    }
    Ok(())
}

/// What every run must come to, whatever its failure mode and whoever cancelled what.
fn check(
    plan: &Plan,
    seen: &Seen,
    report: &RunReport,
    result: &Result<(), FlowError>,
    is_clock_exact: bool,
) {
    assert!(seen.wrong.is_empty(), "{:?}", seen.wrong);
    let states: Vec<State> = report.task_runs.iter().map(|run| run.state).collect();
    assert!(states.len() <= plan.steps.len());
    let is_flow_cancelled = matches!(plan.cancel, Cancel::FlowRun { .. });
    let may_stop = plan.mode != FailureMode::ContinueOnFailure
        && (seen.has_returned_error || states.iter().any(|state| state.is_failure()));

    for (index, state) in states.iter().copied().enumerate() {
        let run = &report.task_runs[index];
        let step = &plan.steps[index];
        assert_eq!(run.index as usize, index);
        assert!(state.is_final(), "{index} is {state}");
        assert_eq!(run.attempts > 0, run.started.is_some(), "{index}");
        let needed = || {
            step.upstream
                .iter()
                .filter(|(_, edge)| *edge != Edge::Catch)
        };
        let has_failed_upstream = needed().any(|(upstream, _)| !states[*upstream].is_success());
        for (upstream, _) in &step.upstream {
            if let Some(started) = run.started
                && is_clock_exact
            {
                assert!(report.task_runs[*upstream].ended.unwrap() <= started);
            }
        }
        let has_cause = is_flow_cancelled
            || may_stop
            || matches!(plan.cancel, Cancel::TaskRun { index: target, .. } if target == index);
        match state {
            State::Cancelled => {
                assert!(has_cause, "nobody cancelled {index}");
                if plan.mode == FailureMode::StopOnFailure && matches!(plan.cancel, Cancel::Nothing)
                {
                    assert!(
                        !seen.started.contains(&index),
                        "{index} could have finished"
                    );
                }
            }
            State::Skipped => assert!(has_failed_upstream, "{index} was skipped for nothing"),
            _ => {
                assert!(!has_failed_upstream, "{index} ran downstream of a failure");
                assert!(
                    seen.started.contains(&index),
                    "{index} is {state} and never ran"
                );
                let expected = match step.ends {
                    Ends::Ok => State::Completed,
                    Ends::Err => State::Failed,
                    Ends::Panic => State::Crashed,
                };
                assert_eq!(state, expected, "{index}");
            }
        }
        if state == State::Skipped {
            assert!(!seen.started.contains(&index) && run.attempts == 0);
        }
    }

    check_final_state(plan, seen, &states, report, result);
}

/// The body's result and the failures that nobody looked at decide.
fn check_final_state(
    plan: &Plan,
    seen: &Seen,
    states: &[State],
    report: &RunReport,
    result: &Result<(), FlowError>,
) {
    if report.state == State::Cancelled {
        assert!(
            matches!(plan.cancel, Cancel::FlowRun { .. }),
            "nobody cancelled the flow run"
        );
        return;
    }
    let caught = seen.started.iter().flat_map(|index| {
        plan.steps[*index]
            .upstream
            .iter()
            .filter(|(_, edge)| *edge == Edge::Catch)
    });
    let mut looked_at: Vec<usize> = seen.told.clone();
    looked_at.extend(caught.map(|(upstream, _)| *upstream));
    let mut observed = BTreeSet::new();
    while let Some(index) = looked_at.pop() {
        if observed.insert(index) && states[index] == State::Skipped {
            // Every failure among its ancestors, also what it would have caught.
            looked_at.extend(
                plan.steps[index]
                    .upstream
                    .iter()
                    .map(|(upstream, _)| *upstream),
            );
        }
    }
    let unobserved: Vec<usize> = (0..states.len())
        .filter(|index| states[*index].is_failure())
        .filter(|index| !observed.contains(index) && !plan.steps[*index].allow_failure)
        .collect();
    let expected = if seen.has_returned_error || !unobserved.is_empty() {
        State::Failed
    } else {
        State::Completed
    };
    assert_eq!(
        report.state, expected,
        "unobserved: {unobserved:?}, told: {:?}",
        seen.told
    );
    if let Err(error) = result
        && let FlowErrorKind::Unobserved { failures } = error.kind()
    {
        assert_eq!(
            failures.len(),
            unobserved.len(),
            "{failures:?}, expected {unobserved:?}, {states:?}, told {:?}",
            seen.told
        );
    }
}

/// Without cancellation, and where no failure stops others, each state is known beforehand.
fn check_exact_states(plan: &Plan, report: &RunReport) {
    let is_undisturbed = matches!(plan.cancel, Cancel::Nothing)
        && (plan.mode == FailureMode::ContinueOnFailure
            || plan.steps.iter().all(|step| step.ends == Ends::Ok));
    if !is_undisturbed {
        return;
    }
    let mut expected: Vec<State> = Vec::new();
    for step in &plan.steps[..report.task_runs.len()] {
        let is_skipped = step
            .upstream
            .iter()
            .any(|(upstream, edge)| *edge != Edge::Catch && !expected[*upstream].is_success());
        expected.push(match step.ends {
            _ if is_skipped => State::Skipped,
            Ends::Ok => State::Completed,
            Ends::Err => State::Failed,
            Ends::Panic => State::Crashed,
        });
    }
    let states: Vec<State> = report.task_runs.iter().map(|run| run.state).collect();
    assert_eq!(states, expected);
}

/// Each task run is submitted once, then starts at most once, then ends once, and nothing follows.
fn check_events(events: &[EventKind], report: &RunReport) {
    #[derive(PartialEq, Debug, Clone, Copy)]
    enum At {
        Submitted,
        WaitsForLimit,
        Started,
        Cancelling,
        Ended(State),
    }
    let mut at: HashMap<u32, At> = HashMap::new();
    for event in events {
        let (index, before, after) = match event {
            EventKind::TaskRunSubmitted { task_run, .. } => {
                (task_run.index, &[][..], At::Submitted)
            }
            EventKind::LimitAwaited { task_run, .. } => {
                (task_run.index, &[At::Submitted][..], At::WaitsForLimit)
            }
            EventKind::TaskRunStarted { task_run, attempt } => {
                assert_eq!(*attempt, 1);
                (
                    task_run.index,
                    &[At::Submitted, At::WaitsForLimit][..],
                    At::Started,
                )
            }
            EventKind::TaskRunCancelling { task_run } => {
                (task_run.index, &[At::Started][..], At::Cancelling)
            }
            EventKind::TaskRunEnded {
                task_run,
                state,
                error,
                ..
            } => {
                assert_eq!(error.is_some(), !state.is_success());
                let before: &[At] = match state {
                    State::Completed | State::Failed | State::Crashed => {
                        &[At::Started, At::Cancelling]
                    }
                    State::Skipped => &[At::Submitted],
                    _ => &[
                        At::Submitted,
                        At::WaitsForLimit,
                        At::Started,
                        At::Cancelling,
                    ],
                };
                (task_run.index, before, At::Ended(*state))
            }
            _ => continue,
        };
        let was = at.insert(index, after);
        match was {
            None => assert_eq!(after, At::Submitted, "{index}"),
            Some(was) => assert!(before.contains(&was), "{index}: {after:?} after {was:?}"),
        }
    }
    assert_eq!(at.len(), report.task_runs.len());
    for run in &report.task_runs {
        assert_eq!(at[&run.index], At::Ended(run.state));
    }
    let ends = events
        .iter()
        .filter(|event| matches!(event, EventKind::FlowRunEnded { .. }));
    assert_eq!(ends.count(), 1);
}

/// Two workers may note the times of two things that follow each other in the wrong order.
async fn run(plan: &Plan, is_clock_exact: bool) {
    silence_planned_panics();
    let mut builder = Engine::builder()
        .failure_mode(plan.mode)
        .event_capacity(10_000)
        .grace(Duration::from_secs(2));
    for (name, slots) in LIMITS {
        builder = builder.limit(name, slots);
    }
    let engine = builder.build();
    let mut subscription = engine.subscribe();
    let world = Arc::new(World {
        plan: plan.clone(),
        seen: Mutex::default(),
    });
    let run = graph(Arc::clone(&world)).start(&engine).unwrap();
    if let Cancel::FlowRun { after } = plan.cancel {
        tokio::time::sleep(Duration::from_secs(after)).await;
        let is_late = run.is_finished();
        run.cancel();
        run.wait().await;
        // A failure that had stopped it before says more than that it was cancelled as well. Two
        // workers may also end it between the look and the call.
        let has_failed =
            plan.mode != FailureMode::ContinueOnFailure && run.state() == State::Failed;
        assert!(
            is_late || has_failed || run.state() == State::Cancelled || !is_clock_exact,
            "it is {}",
            run.state()
        );
    }
    let (result, report) = tokio::time::timeout(Duration::from_secs(3600), run.finish())
        .await
        .expect("a flow run always ends");
    let mut events = Vec::new();
    while let Some(received) = subscription.try_next() {
        match received {
            Received::Event(event) => events.push(event.kind),
            Received::Missed(missed) => panic!("{missed} events were missed"),
        }
    }
    let seen = world.seen.lock().unwrap();
    check(plan, &seen, &report, &result, is_clock_exact);
    check_exact_states(plan, &report);
    check_events(&events, &report);
    assert!(
        engine
            .limits()
            .iter()
            .all(|limit| limit.taken == 0 && limit.waiting == 0)
    );
    assert_eq!(seen.taken, [0; LIMITS.len()]);
}

/// Hundreds of planned panics would bury a real one.
fn silence_planned_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let default = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            let is_planned = info
                .payload()
                .downcast_ref::<String>()
                .is_some_and(|text| text.starts_with("planned"));
            if !is_planned {
                default(info);
            }
        }));
    });
}

fn config(cases: u32) -> ProptestConfig {
    // More of them with `PROPTEST_CASES`.
    let cases = std::env::var("PROPTEST_CASES")
        .ok()
        .and_then(|n| n.parse().ok())
        .unwrap_or(cases);
    ProptestConfig {
        cases,
        failure_persistence: None,
        max_shrink_iters: 2_000,
        ..Default::default()
    }
}

proptest! {
    #![proptest_config(config(300))]

    #[test]
    fn any_graph_comes_to_what_the_rules_say_under_a_paused_clock(plan in plan(40)) {
        orch_core::testing::block_on(run(&plan, true));
    }
}

proptest! {
    #![proptest_config(config(100))]

    #[test]
    fn any_graph_comes_to_what_the_rules_say_on_two_workers(plan in plan(40)) {
        let mut plan = plan;
        for step in &mut plan.steps {
            step.delay = 0;
        }
        match &mut plan.cancel {
            Cancel::FlowRun { after } | Cancel::TaskRun { after, .. } => *after = 0,
            Cancel::Nothing => {}
        }
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_time()
            .build()
            .unwrap();
        runtime.block_on(run(&plan, false));
    }
}

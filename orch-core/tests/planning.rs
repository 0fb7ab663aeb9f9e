//! What a resumption, a rerun or a fork would execute, told before it does.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use orch_core::history::{Cause, Fate, NotHandedBack, RunPlan};
use orch_core::prelude::*;
use orch_core::store::{FlowRunFilter, MemoryBlobs, MemoryStore};
use orch_core::{RunReport, State};
use serde_json::{Map, Value, json};

fn engine() -> Engine {
    Engine::builder().build_on(Arc::new(MemoryStore::new()), Arc::new(MemoryBlobs::new()))
}

fn changed(name: &str, value: Value) -> Map<String, Value> {
    Map::from_iter([(name.to_owned(), value)])
}

/// What becomes of each task run, in a word.
fn fates(plan: &RunPlan) -> Vec<(&str, &str)> {
    let runs = plan.task_runs.iter();
    runs.map(|run| {
        let fate = match &run.fate {
            Fate::HandedBack => "handed back",
            Fate::Cached => "cached",
            Fate::Runs(_) => "runs",
            Fate::Waits(_) => "waits",
            _ => "?",
        };
        (run.name.as_str(), fate)
    })
    .collect()
}

fn cause<'a>(plan: &'a RunPlan, name: &str) -> &'a Cause {
    let run = plan.task_runs.iter().find(|run| run.name == name).unwrap();
    match &run.fate {
        Fate::Runs(cause) => cause,
        fate => panic!("`{name}`: {fate:?}"),
    }
}

fn states(report: &RunReport) -> Vec<(&str, State)> {
    let runs = report.task_runs.iter();
    runs.map(|run| (run.name.as_str(), run.state)).collect()
}

fn n_recorded(engine: &Engine) -> usize {
    engine
        .recorded_runs(FlowRunFilter::default())
        .unwrap()
        .len()
}

mod a_fork {
    use super::*;

    /// One test at a time counts.
    static ALONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
    static EXECUTED: AtomicUsize = AtomicUsize::new(0);
    static HOOKS: AtomicUsize = AtomicUsize::new(0);

    fn hook(_: &orch_core::HookEvent<'_>) {
        HOOKS.fetch_add(1, Ordering::SeqCst);
    }

    #[task(on_start = hook, on_success = hook, on_cancel = hook)]
    async fn load(rows: u64) -> Vec<u64> {
        EXECUTED.fetch_add(1, Ordering::SeqCst);
        (0..rows).collect()
    }

    #[task(on_start = hook, on_success = hook, on_cancel = hook)]
    async fn train(data: &[u64], alpha: u64) -> u64 {
        EXECUTED.fetch_add(1, Ordering::SeqCst);
        data.iter().sum::<u64>() * alpha
    }

    #[task(cache)]
    async fn evaluate(model: u64, data: &[u64]) -> u64 {
        EXECUTED.fetch_add(1, Ordering::SeqCst);
        model + data.len() as u64
    }

    #[task]
    async fn publish(score: u64) -> u64 {
        EXECUTED.fetch_add(1, Ordering::SeqCst);
        score
    }

    #[flow(name = "forked")]
    async fn learn(rows: u64, alpha: u64) -> anyhow::Result<u64> {
        let data = load(rows);
        let model = train(&data, alpha);
        let score = evaluate(&model, &data).await?;
        Ok(*publish(score).await?)
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn is_planned_without_executing_recording_or_telling_anything() {
        let _alone = ALONE.lock().await;
        let engine = engine();
        let run = learn(4u64, 10u64).start(&engine).unwrap();
        let id = run.id();
        assert_eq!(run.await.unwrap(), 64);
        let (executed, hooks) = (
            EXECUTED.load(Ordering::SeqCst),
            HOOKS.load(Ordering::SeqCst),
        );
        let mut events = engine.subscribe();

        let plan = engine
            .plan_fork(id, changed("alpha", json!(20)))
            .await
            .unwrap();
        assert_eq!(
            fates(&plan),
            [
                ("load", "handed back"),
                ("train", "runs"),
                ("evaluate", "waits")
            ]
        );
        assert_eq!(
            *cause(&plan, "train"),
            Cause::NotHandedBack {
                from: id,
                because: NotHandedBack::NoSuchCall
            }
        );
        let Fate::Waits(upstream) = &plan.task_runs[2].fate else {
            panic!("{:?}", plan.task_runs[2]);
        };
        assert_eq!(*upstream, ["train"]);
        assert_eq!(
            plan.not_reached,
            BTreeMap::from([("publish".to_owned(), 1)])
        );
        assert!(!plan.reaches_end);
        assert_eq!(
            plan.to_string(),
            format!(
                "↷ `load` is handed back\n\
                 ● `train` runs: flow run {id} made no such call: an argument is another one\n\
                 ○ `evaluate` waits for `train`\n\
                 ○ `publish` may come later: it had 1 run\n\
                 1 handed back, 1 to run, 1 waiting for that; \
                 what the flow calls after that is not known before\n"
            )
        );

        assert_eq!(EXECUTED.load(Ordering::SeqCst), executed);
        assert_eq!(HOOKS.load(Ordering::SeqCst), hooks);
        assert_eq!(n_recorded(&engine), 1);
        assert!(engine.flow_runs().is_empty());
        assert!(events.try_next().is_none());

        // And so it comes.
        let fork = engine.fork(id, changed("alpha", json!(20))).unwrap();
        let (result, report) = fork.finish().await;
        assert_eq!(result.unwrap(), Some(json!(124)));
        assert_eq!(
            states(&report),
            [
                ("load", State::Reused),
                ("train", State::Completed),
                ("evaluate", State::Completed),
                ("publish", State::Completed)
            ]
        );
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn that_changes_nothing_executes_nothing() {
        let _alone = ALONE.lock().await;
        let engine = engine();
        let run = learn(3u64, 7u64).start(&engine).unwrap();
        let id = run.id();
        run.await.unwrap();
        let plan = engine.plan_fork(id, Map::new()).await.unwrap();
        assert_eq!(plan.executed(), 0);
        assert!(plan.reaches_end && plan.not_reached.is_empty());
        assert_eq!(plan.to_string().lines().last(), Some("4 handed back"));
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn says_what_the_cache_has() {
        let _alone = ALONE.lock().await;
        let engine = engine();
        let earlier = learn(5u64, 3u64).start(&engine).unwrap();
        earlier.await.unwrap();
        let run = learn(5u64, 4u64).start(&engine).unwrap();
        let id = run.id();
        run.await.unwrap();
        // The model is made again; what it is evaluated to, the cache would know.
        let plan = engine.plan_rerun(id, &["publish"]).await.unwrap();
        assert_eq!(
            fates(&plan),
            [
                ("load", "handed back"),
                ("train", "handed back"),
                ("evaluate", "handed back"),
                ("publish", "runs")
            ]
        );
        assert_eq!(
            *cause(&plan, "publish"),
            Cause::NotHandedBack {
                from: id,
                because: NotHandedBack::Named
            }
        );
        let unknown = engine.plan_fork(id, changed("alpa", json!(1))).await;
        let error = unknown.unwrap_err().to_string();
        assert!(error.contains("`alpa`"), "{error}");
    }

    #[tokio::test]
    async fn of_an_unknown_run_is_refused() {
        let _alone = ALONE.lock().await;
        let other = engine();
        let run = learn(1u64, 1u64).start(&other).unwrap();
        let error = engine().plan_resume(run.id()).await.unwrap_err();
        let expected = format!("there is no record of {}", run.id());
        assert!(error.to_string().contains(&expected), "{error}");
    }
}

mod a_resumption {
    use super::*;

    static IS_OPEN: AtomicBool = AtomicBool::new(false);
    static STEPS: AtomicUsize = AtomicUsize::new(0);

    #[task]
    async fn count(n: u64) -> u64 {
        n
    }

    #[task]
    async fn gate(n: u64) -> Result<u64, String> {
        match n == 3 && !IS_OPEN.load(Ordering::SeqCst) {
            true => Err("closed".to_owned()),
            false => Ok(n),
        }
    }

    #[task]
    async fn total(numbers: &[u64]) -> u64 {
        numbers.iter().sum()
    }

    #[flow(name = "resumed")]
    async fn add(n: u64, ctx: &FlowContext) -> anyhow::Result<u64> {
        let start = *count(n).await?;
        let gated = map(0..start, gate).collect();
        let sum = *total(&gated).await?;
        let step = ctx.step("report", || async {
            STEPS.fetch_add(1, Ordering::SeqCst);
            Ok::<_, String>(sum)
        });
        Ok(step.await.unwrap())
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn is_planned_item_by_item_and_no_step_is_done() {
        let engine = engine();
        let run = add(6u64).key("k").start(&engine).unwrap();
        let id = run.id();
        run.await.unwrap_err();

        let plan = engine.plan_resume(id).await.unwrap();
        assert_eq!(
            fates(&plan),
            [
                ("count", "handed back"),
                ("map", "runs"),
                ("total", "waits")
            ]
        );
        assert_eq!(
            *cause(&plan, "map"),
            Cause::NotHandedBack {
                from: id,
                because: NotHandedBack::NotCompleted(State::Failed)
            }
        );
        assert!(!plan.reaches_end);
        let items = plan.task_runs[1].items.unwrap();
        // Whether the last two had been started when the third failed is left to chance.
        assert_eq!(items.found + items.executed, 6, "{plan}");
        assert!(items.executed >= 1 && items.is_all, "{plan}");
        assert_eq!(plan.executed() as u64, items.executed);

        IS_OPEN.store(true, Ordering::SeqCst);
        let resumed = engine.resume(id).unwrap();
        assert_eq!(resumed.await.unwrap(), Some(json!(15)));
        assert_eq!(STEPS.load(Ordering::SeqCst), 1);
        let plan = engine.plan_resume(id).await.unwrap();
        assert_eq!(plan.executed(), 0, "{plan}");
        assert!(plan.reaches_end);
        assert_eq!(STEPS.load(Ordering::SeqCst), 1);
    }
}

mod a_map {
    use super::*;

    #[task(cache)]
    async fn halve(n: u64) -> u64 {
        n / 2
    }

    #[flow(name = "halved")]
    async fn halve_all(from: u64, to: u64) -> anyhow::Result<u64> {
        let sum = map(from..to, halve).fold(0, |sum, half| sum + half);
        Ok(*sum.await?)
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn is_planned_with_the_number_of_items_that_have_a_result_already() {
        let engine = engine();
        let run = halve_all(0u64, 1_000u64).start(&engine).unwrap();
        let id = run.id();
        run.await.unwrap();

        let plan = engine
            .plan_fork(id, changed("to", json!(1_003)))
            .await
            .unwrap();
        let items = plan.task_runs[0].items.unwrap();
        assert_eq!(
            (items.found, items.executed, items.is_all),
            (1_000, 3, true)
        );
        let text = plan.to_string();
        assert!(
            text.contains("(3 task runs to execute, 1,000 items found)"),
            "{text}"
        );

        // It is not gone through to its end if nearly all of it is to be executed.
        let plan = engine
            .plan_fork(id, changed("to", json!(100_000)))
            .await
            .unwrap();
        let items = plan.task_runs[0].items.unwrap();
        assert_eq!(items.found, 1_000);
        assert!(items.executed >= 4_000 && !items.is_all, "{items:?}");
        let text = plan.to_string();
        assert!(text.contains("more items to look at"), "{text}");
    }
}

mod a_subflow {
    use super::*;

    #[task(cache)]
    async fn weigh(n: u64) -> u64 {
        10 * n
    }

    #[task(cache)]
    async fn grade(weight: u64, limit: u64) -> u64 {
        weight.min(limit)
    }

    #[flow(name = "graded")]
    async fn grade_one(n: u64, limit: u64) -> anyhow::Result<u64> {
        Ok(*grade(weigh(n), limit).await?)
    }

    #[task(cache)]
    async fn pack(grade: u64, size: u64) -> u64 {
        grade * size
    }

    #[flow(name = "packed")]
    async fn pack_one(n: u64, limit: u64, size: u64) -> anyhow::Result<u64> {
        let grade = grade_one(n, limit).submit().await?;
        Ok(*pack(&grade, size).await?)
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn is_looked_into_and_gone_on_from_if_nothing_in_it_is_executed() {
        let engine = engine();
        let run = pack_one(3u64, 20u64, 7u64).start(&engine).unwrap();
        let id = run.id();
        assert_eq!(run.await.unwrap(), 140);
        let before = n_recorded(&engine);

        let plan = engine
            .plan_fork(id, changed("limit", json!(25)))
            .await
            .unwrap();
        assert_eq!(fates(&plan), [("graded", "runs")]);
        let inner = plan.task_runs[0].subflow.as_ref().unwrap();
        assert_eq!(fates(inner), [("weigh", "cached"), ("grade", "runs")]);
        assert_eq!((plan.executed(), plan.reaches_end), (1, false));
        let text = plan.to_string();
        assert!(
            text.contains("\n  ") && text.contains("1 cached, 1 to run"),
            "{text}"
        );

        let plan = engine
            .plan_fork(id, changed("size", json!(8)))
            .await
            .unwrap();
        assert_eq!(fates(&plan), [("graded", "handed back"), ("pack", "runs")]);
        assert_eq!(plan.executed(), 1, "{plan}");
        assert_eq!(n_recorded(&engine), before, "nothing is recorded");
    }

    static IS_OPEN: AtomicBool = AtomicBool::new(false);

    #[task]
    async fn check(weight: u64) -> Result<u64, String> {
        match IS_OPEN.load(Ordering::SeqCst) {
            true => Ok(weight),
            false => Err("closed".to_owned()),
        }
    }

    #[task]
    async fn weigh_again(n: u64) -> u64 {
        10 * n
    }

    #[flow(name = "checked")]
    async fn check_one(n: u64) -> anyhow::Result<u64> {
        Ok(*check(weigh_again(n)).await?)
    }

    #[flow(name = "shipped")]
    async fn ship(n: u64) -> anyhow::Result<u64> {
        Ok(*check_one(n).submit().await?)
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn that_failed_is_planned_as_it_would_be_gone_on_with() {
        let engine = engine();
        let run = ship(3u64).key("k").start(&engine).unwrap();
        let id = run.id();
        run.await.unwrap_err();

        let plan = engine.plan_resume(id).await.unwrap();
        let inner = plan.task_runs[0].subflow.as_ref().unwrap();
        assert_eq!(
            fates(inner),
            [("weigh_again", "handed back"), ("check", "runs")]
        );
        assert_eq!(
            *cause(inner, "check"),
            Cause::NotHandedBack {
                from: inner.of.unwrap(),
                because: NotHandedBack::NotCompleted(State::Failed)
            }
        );
        IS_OPEN.store(true, Ordering::SeqCst);
        let resumed = engine.resume(id).unwrap();
        assert_eq!(resumed.await.unwrap(), Some(json!(30)));
    }
}

//! What a store knows of flow runs that are over.

use orch_core::history::FindRunError;
use orch_core::prelude::*;
use orch_core::report::{EdgeKind, NodeKind, TaskRunReport};
use orch_core::store::{Durability, FlowRunFilter, MemoryBlobs, MemoryStore};
use orch_core::{RunReport, State};
use serde_json::json;
use std::sync::Arc;

fn engine() -> Engine {
    Engine::builder()
        .durability(Durability::Relaxed)
        .build_on(Arc::new(MemoryStore::new()), Arc::new(MemoryBlobs::new()))
}

fn recorded(engine: &Engine, run: orch_core::FlowRunId) -> RunReport {
    let recorded = engine.recorded_run(run).unwrap().expect("it is recorded");
    recorded.report()
}

/// What a record keeps of a task run, times aside.
fn facts(run: &TaskRunReport) -> (u32, &str, &str, NodeKind, Option<u32>, State, u32) {
    let TaskRunReport {
        index,
        kind,
        parent,
        state,
        attempts,
        ..
    } = run;
    (
        *index, &run.name, &run.task, *kind, *parent, *state, *attempts,
    )
}

mod a_report {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    static TRIES: AtomicUsize = AtomicUsize::new(0);

    #[task]
    async fn numbers(n: u64) -> Vec<u64> {
        (0..n).collect()
    }

    #[task]
    async fn double(x: u64) -> u64 {
        2 * x
    }

    #[task(retries = 1, backoff = "1ms")]
    async fn sum(numbers: &[u64]) -> Result<u64, String> {
        match TRIES.fetch_add(1, Ordering::SeqCst) {
            0 => Err("not yet".to_owned()),
            _ => Ok(numbers.iter().sum()),
        }
    }

    #[task]
    async fn refuse(sum: u64) -> Result<(), String> {
        Err(format!("{sum} is too much"))
    }

    #[task]
    async fn never(_nothing: &()) {}

    #[flow]
    async fn measured(n: u64) -> Result<u64, TaskError> {
        let doubled = map(numbers(n), double).collect();
        let sum = sum(&doubled);
        let refused = refuse(&sum);
        let skipped = never(&refused);
        assert!(skipped.await.is_err());
        assert!(refused.await.is_err());
        Ok(*sum.await?)
    }

    #[tokio::test]
    async fn of_rows_is_that_of_the_run_itself() {
        let engine = engine();
        let run = measured(4).name("first").start(&engine).unwrap();
        let id = run.id();
        let (result, live) = run.finish().await;
        assert_eq!(result.unwrap(), 12);

        let recorded = recorded(&engine, id);
        let facts_of = |report: &RunReport| -> Vec<String> {
            let runs = report.task_runs.iter();
            runs.map(|run| format!("{:?}", facts(run))).collect()
        };
        assert_eq!(facts_of(&recorded), facts_of(&live));
        assert_eq!(recorded.state, live.state);
        assert_eq!(
            (&recorded.flow_run, &recorded.name),
            (&live.flow_run, &live.name)
        );
        assert_eq!(recorded.seed, live.seed);
        for report in [&recorded, &live] {
            let parameters = report.parameters.iter();
            let parameters: Vec<_> = parameters.map(|of| (of.name.as_str(), &of.value)).collect();
            assert_eq!(parameters, [("n", &json!(4))]);
            assert!(report.manifest["rustc"].is_string());
        }
        let page = recorded.to_html(&[]);
        assert!(page.contains("<dt>n</dt><dd>4</dd>") && page.contains("<dt>rustc</dt>"));
        let sorted = |report: &RunReport| {
            let mut edges: Vec<(u32, u32, EdgeKind)> = report
                .edges
                .iter()
                .map(|edge| (edge.from, edge.to, edge.kind))
                .collect();
            edges.sort_by_key(|(from, to, _)| (*from, *to));
            edges
        };
        assert_eq!(sorted(&recorded), sorted(&live));
        for (recorded, live) in recorded.task_runs.iter().zip(&live.task_runs) {
            assert_eq!(recorded.items, live.items);
            assert_eq!(recorded.error, live.error, "{}", live.name);
            assert_eq!(recorded.call, live.call);
            assert_eq!(recorded.fingerprint, live.fingerprint);
            assert_eq!(recorded.started.is_some(), live.started.is_some());
            let tries = |run: &TaskRunReport| -> Vec<String> {
                let tries = run.failed_attempts.iter();
                tries.map(|failed| failed.error.message.clone()).collect()
            };
            assert_eq!(tries(recorded), tries(live));
        }
        // And so it renders.
        assert!(recorded.task_table().contains("refuse"));
        assert!(recorded.graph_svg().contains("</svg>"));
        assert_eq!(RunReport::from_json(&recorded.to_json()).unwrap(), recorded);
    }
}

mod a_run_made_of_another {
    use super::*;

    #[task]
    async fn load(name: String) -> usize {
        name.len()
    }

    #[task]
    async fn scale(length: usize, factor: u64) -> u64 {
        length as u64 * factor
    }

    #[flow]
    async fn scaled(name: String, factor: u64) -> Result<u64, TaskError> {
        Ok(*scale(load(name), factor).await?)
    }

    fn states(report: &RunReport) -> Vec<(&str, State)> {
        let runs = report.task_runs.iter();
        runs.map(|run| (run.task.as_str(), run.state)).collect()
    }

    #[tokio::test]
    async fn records_what_was_handed_back_to_it() {
        let engine = engine();
        let first = scaled("abc", 2).start(&engine).unwrap();
        let first_id = first.id();
        assert_eq!(first.await.unwrap(), 6);

        let changed = json!({ "factor": 5 }).as_object().unwrap().clone();
        let fork = engine.fork(first_id, changed).unwrap();
        let fork_id = fork.id();
        let (result, live) = fork.finish().await;
        assert_eq!(result.unwrap(), Some(json!(15)));
        let expected = [("load", State::Reused), ("scale", State::Completed)];
        assert_eq!(states(&live), expected);
        let record = recorded(&engine, fork_id);
        assert_eq!(states(&record), expected);
        let source = record.task_runs[0].result_from.as_ref().unwrap();
        assert_eq!(source.flow_run, first_id.to_string());

        // What was handed back can be handed on.
        let rerun = engine.rerun(fork_id, &["scale"]).unwrap();
        let rerun_id = rerun.id();
        let (result, _) = rerun.finish().await;
        assert_eq!(result.unwrap(), Some(json!(15)));
        assert_eq!(states(&recorded(&engine, rerun_id)), expected);
    }

    #[tokio::test]
    async fn is_found_by_id_name_key_or_beginning() {
        let engine = engine();
        let mut ids = Vec::new();
        for (name, key) in [("nightly-1", "monday"), ("nightly-2", "tuesday")] {
            let run = scaled("abc", 2).name(name).key(key).start(&engine).unwrap();
            ids.push(run.id());
            run.await.unwrap();
        }
        for (text, expected) in [
            (ids[0].to_string().as_str(), 0),
            ("nightly-1", 0),
            ("monday", 0),
            ("tuesday", 1),
            ("nightly-2", 1),
        ] {
            assert_eq!(engine.find_run(text).unwrap().id, ids[expected], "{text}");
        }
        let ambiguous = engine.find_run("night").unwrap_err();
        let FindRunError::Ambiguous { candidates, .. } = &ambiguous else {
            panic!("{ambiguous}");
        };
        assert_eq!(candidates.len(), 2);
        assert!(ambiguous.to_string().contains("`nightly-1`"), "{ambiguous}");
        for nothing in ["weekly", ""] {
            let unknown = engine.find_run(nothing).unwrap_err();
            assert!(matches!(unknown, FindRunError::Unknown { .. }), "{unknown}");
        }
        let of_flow = |flow: &str| {
            let filter = FlowRunFilter {
                flow: Some(flow.to_owned()),
                ..FlowRunFilter::default()
            };
            engine.recorded_runs(filter).unwrap().len()
        };
        assert_eq!((of_flow("scaled"), of_flow("other")), (2, 0));
    }
}

mod a_resumed_rerun {
    use super::*;
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

    static LOADED: AtomicUsize = AtomicUsize::new(0);
    static PARSED: AtomicUsize = AtomicUsize::new(0);
    static IS_BROKEN: AtomicBool = AtomicBool::new(false);

    #[task]
    async fn load(name: String) -> String {
        LOADED.fetch_add(1, Ordering::SeqCst);
        name
    }

    /// Comes to another result each time.
    #[task]
    async fn parse(text: String) -> (usize, usize) {
        (text.len(), PARSED.fetch_add(1, Ordering::SeqCst))
    }

    #[task]
    async fn publish(parsed: &(usize, usize)) -> Result<usize, String> {
        match IS_BROKEN.load(Ordering::SeqCst) {
            true => Err("the network is down".to_owned()),
            false => Ok(parsed.0),
        }
    }

    #[flow]
    async fn published(name: String) -> Result<usize, TaskError> {
        Ok(*publish(parse(load(name))).await?)
    }

    #[tokio::test]
    async fn runs_neither_what_was_handed_back_nor_what_it_was_to_run_again() {
        let engine = engine();
        let first = published("abc").start(&engine).unwrap();
        let first_id = first.id();
        first.await.unwrap();

        IS_BROKEN.store(true, Ordering::SeqCst);
        let rerun = engine.rerun(first_id, &["parse"]).unwrap();
        let id = rerun.id();
        rerun.await.unwrap_err();
        IS_BROKEN.store(false, Ordering::SeqCst);
        let (result, report) = engine.resume(id).unwrap().finish().await;
        assert_eq!(result.unwrap(), Some(json!(3)));
        assert_eq!(LOADED.load(Ordering::SeqCst), 1);
        assert_eq!(
            PARSED.load(Ordering::SeqCst),
            2,
            "once first, once in the rerun"
        );
        let states: Vec<State> = report.task_runs.iter().map(|run| run.state).collect();
        assert_eq!(states, [State::Reused, State::Reused, State::Completed]);
    }
}

mod two_runs {
    use super::*;

    #[task]
    async fn load(name: String) -> usize {
        name.len()
    }

    #[task]
    async fn parity(length: usize) -> bool {
        length.is_multiple_of(2)
    }

    #[task]
    async fn extra() -> u8 {
        1
    }

    #[flow]
    async fn measured(name: String, with_extra: bool) -> Result<bool, TaskError> {
        if with_extra {
            extra().await?;
        }
        Ok(*parity(load(name)).await?)
    }

    #[tokio::test]
    async fn differ_in_what_their_calls_were_given_and_returned() {
        let engine = engine();
        let mut runs = Vec::new();
        for (name, with_extra) in [("ab", false), ("abcd", true)] {
            let run = measured(name, with_extra).start(&engine).unwrap();
            let id = run.id();
            run.await.unwrap();
            runs.push(engine.recorded_run(id).unwrap().unwrap());
        }
        let diff = runs[0].diff(&runs[1]);
        let parameters: Vec<_> = diff
            .parameters
            .iter()
            .map(|value| (value.name.as_str(), &value.before, &value.after))
            .collect();
        assert_eq!(
            parameters,
            [
                ("name", &Some(json!("ab")), &Some(json!("abcd"))),
                ("with_extra", &Some(json!(false)), &Some(json!(true))),
            ]
        );
        assert!(diff.code.is_empty() && diff.manifest.is_empty(), "{diff:?}");
        let results: Vec<_> = diff
            .task_runs
            .iter()
            .map(|run| {
                (
                    run.name.as_str(),
                    run.has_same_result(),
                    run.before.is_some(),
                )
            })
            .collect();
        assert_eq!(
            results,
            [
                ("load", Some(false), true), // 2 and 4
                ("parity", Some(true), true),
                ("extra", None, false),
            ]
        );
        let text = diff.to_string();
        for line in [
            "parameter `name`: \"ab\" -> \"abcd\"\n",
            "+ `extra` completed",
            "1 task run with nothing to tell apart\n",
        ] {
            assert!(text.contains(line), "{text}");
        }
        assert!(!runs[0].diff(&runs[0]).to_string().contains('~'));
    }
}

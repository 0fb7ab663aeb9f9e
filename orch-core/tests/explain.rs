//! Why task runs ran: what is named is the true cause.

use std::sync::Arc;

use orch_core::FlowRunId;
use orch_core::history::{Cause, ExplainError, Explanation, KeyChangeKind, NotHandedBack, Why};
use orch_core::prelude::*;
use orch_core::store::{MemoryBlobs, MemoryStore};
use proptest::prelude::*;
use serde_json::json;

fn engine() -> Engine {
    Engine::builder().build_on(Arc::new(MemoryStore::new()), Arc::new(MemoryBlobs::new()))
}

fn explain(engine: &Engine, run: FlowRunId, task: &str) -> Explanation {
    let mut explanations = engine.explain(run, task).unwrap();
    assert_eq!(explanations.len(), 1, "{explanations:?}");
    explanations.remove(0)
}

/// The parts that an executed task run's key differs in.
fn changes(explanation: &Explanation) -> Vec<(String, KeyChangeKind)> {
    let Why::Executed(Cause::Changed { changes, .. }) = &explanation.why else {
        panic!("{explanation:?}");
    };
    let changes = changes.iter();
    changes
        .map(|change| (change.part.clone(), change.kind))
        .collect()
}

/// One task as it is at several times: the id is the same.
mod versions {
    use super::*;

    mod first {
        #[orch_core::task(cache, id = "train")]
        pub(super) async fn train(rate: f64, names: Vec<String>, code: u64) -> u64 {
            rate.to_bits() ^ names.len() as u64 ^ code
        }
    }

    mod rewritten {
        #[orch_core::task(cache, id = "train")]
        pub(super) async fn train(rate: f64, names: Vec<String>, code: u64) -> u64 {
            rate.to_bits() ^ names.len() as u64 ^ code ^ 1
        }
    }

    mod versioned {
        #[orch_core::task(cache, id = "train", version = "2")]
        pub(super) async fn train(rate: f64, names: Vec<String>, code: u64) -> u64 {
            rate.to_bits() ^ names.len() as u64 ^ code
        }
    }

    #[flow]
    pub(super) async fn training(
        which: u8,
        rate: f64,
        names: Vec<String>,
        code: u64,
    ) -> Result<u64, TaskError> {
        let run = match which {
            0 => first::train(rate, names, code),
            1 => rewritten::train(rate, names, code),
            _ => versioned::train(rate, names, code),
        };
        Ok(*run.await?)
    }
}

#[derive(Debug, Clone)]
struct Arguments {
    which: u8,
    rate: f64,
    names: Vec<String>,
    code: u64,
}

fn arguments() -> impl Strategy<Value = Arguments> {
    let names = prop::sample::select(vec![
        vec!["a", "b"],
        vec!["b", "a"],
        vec!["a", "b", "b"],
        vec!["b"],
    ]);
    (0u8..3, 0u8..3, names, 0u64..3).prop_map(|(which, rate, names, code)| Arguments {
        which,
        rate: f64::from(rate),
        names: names.into_iter().map(str::to_owned).collect(),
        code,
    })
}

/// What a person would say that differs.
fn differences(before: &Arguments, now: &Arguments) -> Vec<(String, KeyChangeKind)> {
    let mut differences = Vec::new();
    let mut add = |part: &str, kind| differences.push((part.to_owned(), kind));
    // `first` and `versioned` have the same body.
    if (before.which == 1) != (now.which == 1) {
        add("code", KeyChangeKind::Code);
    }
    if (before.which == 2) != (now.which == 2) {
        add("version", KeyChangeKind::Version);
    }
    if before.rate != now.rate {
        add("rate", KeyChangeKind::Value);
    }
    if before.names != now.names {
        let sorted = |arguments: &Arguments| {
            let mut names = arguments.names.clone();
            names.sort();
            names
        };
        let is_order = sorted(before) == sorted(now);
        add(
            "names",
            if is_order {
                KeyChangeKind::Order
            } else {
                KeyChangeKind::Value
            },
        );
    }
    if before.code != now.code {
        add("code", KeyChangeKind::Value);
    }
    differences
}

async fn train(engine: &Engine, arguments: &Arguments) -> FlowRunId {
    let Arguments {
        which,
        rate,
        names,
        code,
    } = arguments.clone();
    let run = versions::training(which, rate, names, code)
        .start(engine)
        .unwrap();
    let id = run.id();
    run.await.unwrap();
    id
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn what_is_named_is_what_changed(before in arguments(), now in arguments()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let engine = engine();
            let first = train(&engine, &before).await;
            let explanation = explain(&engine, first, "train");
            assert_eq!(explanation.why, Why::Executed(Cause::NoEarlier));
            let second = train(&engine, &now).await;
            let explanation = explain(&engine, second, "train");
            let expected = differences(&before, &now);
            if expected.is_empty() {
                let Why::Cached(from) = &explanation.why else { panic!("{explanation:?}") };
                assert_eq!(from.flow_run, first);
            } else {
                let mut found = changes(&explanation);
                found.sort_by_key(|(part, kind)| (part.clone(), format!("{kind:?}")));
                let mut expected = expected;
                expected.sort_by_key(|(part, kind)| (part.clone(), format!("{kind:?}")));
                assert_eq!(found, expected);
            }
        });
    }
}

#[tokio::test]
async fn the_nearest_of_several_earlier_runs_is_compared_with() {
    let engine = engine();
    let arguments = |rate, names: &[&str], code| Arguments {
        which: 0,
        rate,
        names: names.iter().map(|name| (*name).to_owned()).collect(),
        code,
    };
    let near = train(&engine, &arguments(0.1, &["a"], 7)).await;
    train(&engine, &arguments(0.3, &["b"], 8)).await;
    let run = train(&engine, &arguments(0.2, &["a"], 7)).await;
    let explanation = explain(&engine, run, "train");
    let Why::Executed(Cause::Changed { since, changes }) = &explanation.why else {
        panic!("{explanation:?}");
    };
    assert_eq!(since.flow_run, near);
    let change = &changes[0];
    assert_eq!(change.part, "rate");
    assert_eq!(
        (change.before.as_deref(), change.now.as_deref()),
        (Some("0.1"), Some("0.2"))
    );
    let text = explanation.to_string();
    assert!(
        text.contains("`train` was executed: since flow run `training-"),
        "{text}"
    );
    assert!(text.contains("\n  `rate` changed: 0.1 -> 0.2"), "{text}");
}

mod a_chain {
    use super::*;

    #[task(cache)]
    async fn load(name: String) -> Vec<u64> {
        name.bytes().map(u64::from).collect()
    }

    #[task(cache)]
    async fn total(numbers: &[u64]) -> u64 {
        numbers.iter().sum()
    }

    #[task]
    async fn check(total: u64, limit: u64) -> Result<u64, String> {
        if total > limit {
            return Err(format!("{total} is more than {limit}"));
        }
        Ok(total)
    }

    #[task]
    async fn publish(total: u64) -> u64 {
        total
    }

    #[flow]
    async fn checked(name: String, limit: u64) -> Result<u64, TaskError> {
        let total = total(load(name));
        Ok(*publish(check(&total, limit)).await?)
    }

    #[tokio::test]
    async fn is_explained_from_the_failure_to_what_was_skipped_for_it() {
        let engine = engine();
        let run = checked("ab", 5).start(&engine).unwrap();
        let id = run.id();
        run.await.unwrap_err();
        let failed = explain(&engine, id, "check");
        let Why::Failed {
            cause,
            error,
            attempts,
        } = &failed.why
        else {
            panic!("{failed:?}");
        };
        assert_eq!((cause, *attempts), (&Cause::NotCached, 1));
        assert!(
            failed.to_string().contains("195 is more than 5"),
            "{failed}"
        );
        assert_eq!(error.as_ref().unwrap().kind, "failed");
        let skipped = explain(&engine, id, "publish");
        let Why::Skipped { upstream } = &skipped.why else {
            panic!("{skipped:?}");
        };
        assert_eq!(upstream, &[("check".to_owned(), orch_core::State::Failed)]);

        let unknown = engine.explain(id, "nothing").unwrap_err();
        assert!(matches!(unknown, ExplainError::UnknownTask { .. }));
        assert!(
            unknown
                .to_string()
                .contains("`check`, `load`, `publish`, `total`"),
            "{unknown}"
        );
    }

    #[tokio::test]
    async fn names_the_upstream_whose_result_is_another() {
        let engine = engine();
        for name in ["ab", "cd"] {
            let run = checked(name, 500).start(&engine).unwrap();
            let id = run.id();
            run.await.unwrap();
            if name == "cd" {
                let text = explain(&engine, id, "total").to_string();
                assert!(
                    text.contains("`numbers` changed: the result of `load` is another"),
                    "{text}"
                );
            }
        }
    }

    #[tokio::test]
    async fn of_a_fork_says_what_was_not_handed_back() {
        let engine = engine();
        let run = checked("ab", 500).start(&engine).unwrap();
        let first = run.id();
        run.await.unwrap();
        let because = |run: FlowRunId, task: &str| match explain(&engine, run, task).why {
            Why::Executed(Cause::NotHandedBack { from, because }) => {
                assert_eq!(from, first);
                because
            }
            why => panic!("{why:?}"),
        };
        let changed = json!({ "limit": 600 }).as_object().unwrap().clone();
        let fork = engine.fork(first, changed).unwrap();
        let fork_id = fork.id();
        fork.await.unwrap();
        assert_eq!(because(fork_id, "check"), NotHandedBack::NoSuchCall);
        let Why::Reused(from) = explain(&engine, fork_id, "total").why else {
            panic!("its inputs are the same");
        };
        assert_eq!(from.flow_run, first);

        let rerun = engine.rerun(first, &["load"]).unwrap();
        let rerun_id = rerun.id();
        rerun.await.unwrap();
        assert_eq!(because(rerun_id, "load"), NotHandedBack::Named);
        // The result is the same: nothing below it runs.
        assert!(matches!(
            explain(&engine, rerun_id, "total").why,
            Why::Reused(_)
        ));
    }
}

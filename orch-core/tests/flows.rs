//! Plain flows: what runs, what it gives, what the report says.

use orch_core::prelude::*;
use orch_core::testing::TestEngine;

#[task]
async fn double(x: u64) -> u64 {
    x * 2
}

#[task]
fn add(a: &u64, b: u64) -> Result<u64, String> {
    if b == 13 {
        Err("unlucky".into())
    } else {
        Ok(a + b)
    }
}

#[task(inline)]
fn pair(x: u64) -> (u64, String) {
    (x, format!("{x}"))
}

#[flow]
async fn arithmetic(x: u64) -> anyhow::Result<u64> {
    let a = double(x);
    let b = add(&a, 5);
    let (n, s) = pair(&b).unzip();
    let total = add(n, double(1));
    let s = s.await?;
    assert_eq!(*s, format!("{}", x * 2 + 5));
    Ok(total.await?.into_inner())
}

#[orch_core::test]
async fn a_flow_adds_up() {
    let run = TestEngine::new().run(arithmetic(3)).await;
    run.assert_completed();
    assert_eq!(run.result.as_ref().unwrap(), &13);
    run.assert_ran("double", 2);
    run.assert_edge("double", "add");
    run.assert_edge("pair", "add");
}

#[orch_core::test]
async fn awaiting_a_flow_needs_no_engine() {
    assert_eq!(arithmetic(1).await.unwrap(), 9);
}

#[flow]
async fn unlucky() -> anyhow::Result<u64> {
    Ok(*add(1, double(13)).await? + *add(double(1), 13).await?)
}

#[orch_core::test]
async fn a_failed_task_fails_the_flow_with_its_whole_chain() {
    let error = anyhow::Error::new(unlucky().await.unwrap_err());
    let chain: Vec<String> = error.chain().map(ToString::to_string).collect();
    assert!(chain[0].starts_with("flow run `unlucky-"), "{chain:?}");
    assert!(
        chain[1].starts_with("task run `add` of flow run `unlucky-"),
        "{chain:?}"
    );
    assert_eq!(chain[2], "unlucky");
}

mod a_body_that_computes {
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::time::{Duration, Instant};

    use orch_core::prelude::*;

    static HAS_STARTED: AtomicBool = AtomicBool::new(false);

    #[task]
    async fn start() {
        HAS_STARTED.store(true, Ordering::SeqCst);
    }

    #[flow]
    async fn compute() -> Result<bool, TaskError> {
        let run = start();
        let begun = Instant::now();
        // No await: the body keeps its worker to itself.
        while !HAS_STARTED.load(Ordering::SeqCst) && begun.elapsed() < Duration::from_secs(20) {
            std::hint::spin_loop();
        }
        let has_started = HAS_STARTED.load(Ordering::SeqCst);
        run.await?;
        Ok(has_started)
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn does_not_keep_its_task_runs_from_an_idle_worker() {
        assert!(
            compute().await.unwrap(),
            "the task run started while the body computed"
        );
    }
}

mod a_timeout {
    use std::time::Duration;

    use orch_core::prelude::*;
    use orch_core::testing::TestEngine;
    use orch_core::{FlowErrorKind, State};

    #[task(allow_failure)]
    async fn linger() {
        std::future::pending::<()>().await;
    }

    #[flow(timeout = "3s")]
    async fn leave_it_running() -> anyhow::Result<()> {
        drop(linger());
        Ok(())
    }

    #[orch_core::test]
    async fn holds_for_the_task_runs_that_outlive_the_body() {
        let run = TestEngine::new()
            .grace(Duration::from_secs(1))
            .run(leave_it_running())
            .await;
        let error = run.result.unwrap_err();
        assert!(
            matches!(error.kind(), FlowErrorKind::TimedOut { .. }),
            "{error}"
        );
        assert_eq!(run.report.task_runs[0].state, State::Cancelled);
    }
}

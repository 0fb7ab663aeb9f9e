use orch_core::prelude::*;
use orch_core::testing::TestEngine;

#[task]
async fn double(x: u64) -> u64 {
    x * 2
}

#[task]
fn add(a: &u64, b: u64) -> Result<u64, String> {
    if b == 13 { Err("unlucky".into()) } else { Ok(a + b) }
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
    println!("{}", run.report.task_table());
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
async fn a_failure_is_the_flows() {
    let error = unlucky().await.unwrap_err();
    println!("{error}\n{error:?}");
}

//! Recorded flow runs side by side.

use std::sync::Arc;

use orch_core::FlowRunId;
use orch_core::history::{CompareError, Direction, RunComparison};
use orch_core::prelude::*;
use orch_core::store::{MemoryBlobs, MemoryStore};

#[task]
async fn fit(ctx: &TaskContext, depth: u32) -> anyhow::Result<f64> {
    ctx.log_param("depth", depth)?;
    ctx.log_param("criterion", "gini")?;
    ctx.log_metrics(0, [("loss", 1.0 / f64::from(depth)), ("rows", 100.0)])?;
    ctx.log_metric("loss", 1, 0.5 / f64::from(depth))?;
    Ok(f64::from(depth))
}

#[task]
async fn test(ctx: &TaskContext, depth: &f64) -> anyhow::Result<()> {
    let accuracy = if *depth > 8.0 {
        f64::NAN
    } else {
        0.5 + depth / 100.0
    };
    ctx.log_metrics(0, [("loss", depth / 2.0), ("accuracy", accuracy)])?;
    Ok(())
}

#[task]
async fn fold(ctx: &TaskContext, n: u32) -> anyhow::Result<u32> {
    ctx.log_param("fold", n)?;
    ctx.log_metric("fold_loss", 0, f64::from(n))?;
    Ok(n)
}

#[flow]
async fn learn(ctx: &FlowContext, depth: u32, seed: u64) -> anyhow::Result<()> {
    ctx.log_param("note", format!("{seed}, \"quoted\""))?;
    ctx.set_tag("team", "blue")?;
    map(vec![1_u32, 2], fold).collect().await?;
    test(fit(depth)).await?;
    Ok(())
}

async fn runs(engine: &Engine, depths: &[u32]) -> Vec<FlowRunId> {
    let mut ids = Vec::new();
    for depth in depths {
        let call = learn(*depth, 7_u64).name(format!("depth {depth}"));
        let run = call.start(engine).unwrap();
        ids.push(run.id());
        run.finish().await.0.unwrap();
    }
    ids
}

fn engine() -> Engine {
    Engine::builder().build_on(Arc::new(MemoryStore::new()), Arc::new(MemoryBlobs::new()))
}

/// The text without durations.
fn text(comparison: &RunComparison) -> String {
    let mut comparison = comparison.clone();
    comparison
        .runs
        .iter_mut()
        .for_each(|run| run.seconds = Some(2.0));
    comparison.to_string()
}

#[tokio::test]
async fn differing_params_come_first_and_the_best_metrics_are_marked() {
    let engine = engine();
    let ids = runs(&engine, &[2, 4, 16]).await;
    let comparison = engine.compare_runs(&ids).unwrap();
    assert_eq!(
        text(&comparison),
        "\
flow run  state        depth  accuracy      fold_loss   fit/loss  test/loss  rows    took
depth 2   ✓ completed      2    0.52    (2 task runs)     0.25          1 *   100  2.00 s
depth 4   ✓ completed      4    0.54 *  (2 task runs)    0.125          2     100  2.00 s
depth 16  ✓ completed     16     NaN    (2 task runs)  0.03125 *        8     100  2.00 s
* best: greatest accuracy; least fit/loss, test/loss
the same in all: criterion=gini, note=7, \"quoted\", seed=7
"
    );
    let rows = comparison
        .metrics
        .iter()
        .find(|it| it.name == "rows")
        .unwrap();
    assert_eq!((rows.better, rows.best.len()), (None, 0));
    let told = comparison.clone().greater_is_better("test/loss");
    let loss = told
        .metrics
        .iter()
        .find(|it| it.name == "test/loss")
        .unwrap();
    assert_eq!(
        (loss.better, &loss.best),
        (Some(Direction::Greater), &vec![2])
    );
    assert_eq!(comparison.runs[0].tags["team"], "blue");
    let kept = comparison.keeping_metrics(&["loss", "rows"]);
    let kept: Vec<&str> = kept.metrics.iter().map(|it| it.name.as_str()).collect();
    assert_eq!(
        kept,
        ["fit/loss", "test/loss", "rows"],
        "and not `fold_loss`"
    );
}

#[tokio::test]
async fn a_comparison_is_also_json_and_csv() {
    let engine = engine();
    let ids = runs(&engine, &[2, 16]).await;
    let comparison = engine.compare_runs(&ids).unwrap();
    let json = comparison.to_json();
    let back: RunComparison = serde_json::from_str(&json).unwrap();
    assert_eq!(back.to_json(), json);
    assert!(json.contains("\"NaN\""), "{json}");

    let csv = comparison.to_csv();
    let lines: Vec<&str> = csv.split("\r\n").collect();
    assert_eq!(
        lines[0],
        "id,name,flow,state,started_at_unix_ms,seconds,param depth,param criterion,param fold,\
         param note,param seed,metric accuracy,metric fold_loss,metric fit/loss,metric test/loss,\
         metric rows"
    );
    assert!(
        lines[1].ends_with(",2,gini,,\"7, \"\"quoted\"\"\",7,0.52,,0.25,1,100"),
        "{csv}"
    );
    assert!(lines[2].ends_with(",7,NaN,,0.03125,8,100"), "{csv}");
    assert_eq!((lines.len(), lines[3]), (4, ""));
}

#[tokio::test]
async fn the_difference_of_two_has_params_and_metrics_side_by_side() {
    let engine = engine();
    let ids = runs(&engine, &[2, 4]).await;
    let recorded = |id| engine.recorded_run(id).unwrap().unwrap();
    let diff = recorded(ids[0]).diff(&recorded(ids[1]));
    // The argument has the name of the param.
    assert_eq!((diff.parameters.len(), diff.params.len()), (1, 0));
    let text = diff.to_string();
    let start = text.find("metric ").unwrap();
    let end = text.find("~ ").unwrap_or(text.len());
    assert_eq!(
        &text[start..end],
        "\
metric             before  after  change
accuracy   better    0.52   0.54   +0.02
fold_loss               -      -
fit/loss   better    0.25  0.125  -0.125
test/loss  worse        1      2      +1
rows                  100    100       0
"
    );
}

#[tokio::test]
async fn what_is_not_there_is_not_compared() {
    let engine = engine();
    let id = runs(&engine, &[2]).await[0];
    let one = engine.compare_runs(&[id]).unwrap();
    assert!(one.metrics.iter().all(|metric| metric.best.is_empty()));
    assert!(one.params.iter().all(|param| !param.differs));
    let unknown: FlowRunId = "0000000000000000000000000f".parse().unwrap();
    let error = engine.compare_runs(&[id, unknown]).unwrap_err();
    assert!(matches!(error, CompareError::Unknown { run } if run == unknown));
    assert_eq!(
        error.to_string(),
        "there is no flow run 0000000000000000000000000f"
    );
}

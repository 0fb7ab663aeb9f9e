use std::time::Instant;

use expect_test::{Expect, expect};
use proptest::prelude::*;

use super::*;
use crate::report::testing::{any_report, ml_run, ms, report};
use crate::report::{EdgeReport, NodeKind};
use crate::state::State;

/// Checks steps (`name start: parts`, in milliseconds), the sums, and the slack of each task run.
fn check_path(report: &RunReport, expected: Expect) {
    let path = report.critical_path();
    let name = |index: u32| report.task_runs[index as usize].name.as_str();
    let mut text = String::new();
    for step in &path.steps {
        let name = step.index.map_or("(flow code)", name);
        text.push_str(&format!("{} {name}:", step.start.as_millis()));
        let parts = [
            ("overhead", step.overhead),
            ("queue", step.queue),
            ("run", step.run),
            ("retry wait", step.retry_wait),
        ];
        for (part, time) in parts.iter().filter(|(_, time)| !time.is_zero()) {
            text.push_str(&format!(" {part} {}", time.as_millis()));
        }
        text.push('\n');
    }
    text.push_str(&format!("{}\nslack:", path.split()));
    for (run, slack) in report.task_runs.iter().zip(&path.slack) {
        text.push_str(&format!(" {} {}", run.name, slack.as_millis()));
    }
    expected.assert_eq(&text);
    check_sums(&path);
}

fn check_sums(path: &CriticalPath) {
    let parts = path.queue + path.run + path.retry_wait + path.overhead + path.flow_code;
    assert_eq!(parts, path.total);
    let mut end = Duration::ZERO;
    for step in &path.steps {
        assert_eq!(
            step.start, end,
            "each step begins where the one before it ended"
        );
        end += step.total();
    }
    assert_eq!(end, path.total);
}

/// `a` feeds `b` (30 ms) and `c` (70 ms); `d` uses both.
fn diamond() -> RunReport {
    let mut report = report(110);
    let a = report.add("a", [0, 0, 1, 10]);
    let b = report.add("b", [0, 10, 11, 40]);
    let c = report.add("c", [0, 10, 12, 80]);
    let d = report.add("d", [0, 81, 82, 110]);
    // Not in the order of anything.
    report.edge(c, d);
    report.edge(a, c);
    report.edge(b, d);
    report.edge(a, b);
    report
}

#[test]
fn the_slower_side_of_a_diamond_is_critical() {
    // `b` ended at 40 and `d`'s last input came at 80, so `b` had 40 ms to spare.
    check_path(
        &diamond(),
        expect![[r#"
            0 a: queue 1 run 9
            10 c: queue 2 run 68
            80 d: overhead 1 queue 1 run 28
            run 105 ms, queue 4.00 ms, overhead 1.00 ms
            slack: a 0 b 40 c 0 d 0"#]],
    );
}

#[test]
fn the_longer_of_two_chains_is_critical() {
    let mut report = report(100);
    let a1 = report.add("a1", [0, 0, 0, 20]);
    let b1 = report.add("b1", [0, 0, 0, 60]);
    let a2 = report.add("a2", [0, 20, 20, 70]);
    let b2 = report.add("b2", [0, 60, 60, 95]);
    report.edge(a1, a2);
    report.edge(b1, b2);
    // The flow went on for 5 ms after `b2`; the other chain ended 25 ms before it.
    check_path(
        &report,
        expect![[r#"
            0 b1: run 60
            60 b2: run 35
            95 (flow code): run 5
            run 95.0 ms, flow code 5.00 ms
            slack: a1 25 b1 0 a2 25 b2 0"#]],
    );
}

#[test]
fn code_of_the_flow_between_task_runs_is_a_step() {
    let mut report = report(100);
    report.add("first", [5, 5, 5, 30]);
    report.add("beside", [5, 5, 5, 25]);
    report.add("second", [42, 42, 44, 90]);
    // No edge: the flow awaited `first`, worked for 12 ms, then called `second`.
    check_path(
        &report,
        expect![[r#"
            0 (flow code): run 5
            5 first: run 25
            30 (flow code): run 12
            42 second: queue 2 run 46
            90 (flow code): run 10
            run 71.0 ms, queue 2.00 ms, flow code 27.0 ms
            slack: first 0 beside 65 second 0"#]],
    );
}

#[test]
fn a_task_run_with_others_inside_is_a_step_for_each_stretch_of_its_own_code() {
    let mut report = report(100);
    let outer = report.add("outer", [0, 0, 10, 100]);
    let first = report.add("first", [15, 15, 15, 40]);
    let short = report.add("short", [15, 15, 15, 20]);
    let second = report.add("second", [45, 45, 45, 80]);
    report.nest(outer, &[first, short, second]);
    // Of all that is known, only the end of `outer` waited for `short`, and that came 20 ms after
    // the last end inside it: `short` could have ended at 80.
    check_path(
        &report,
        expect![[r#"
            0 outer: queue 10 run 5
            15 first: run 25
            40 outer: run 5
            45 second: run 35
            80 outer: run 20
            run 90.0 ms, queue 10.0 ms
            slack: outer 0 first 0 short 60 second 0"#]],
    );
}

#[test]
fn waits_between_attempts_are_told_from_execution() {
    let mut report = report(100);
    let flaky = report.add("flaky", [0, 0, 10, 100]);
    report.fail_attempt(flaky, 10, 20, 50);
    report.fail_attempt(flaky, 50, 55, 75);
    check_path(
        &report,
        expect![[r#"
            0 flaky: queue 10 run 40 retry wait 50
            run 40.0 ms, queue 10.0 ms, retry wait 50.0 ms
            slack: flaky 0"#]],
    );
    // Twice as fast: 20 ms less execution; the waits stay.
    assert_eq!(report.what_if(flaky, 2.0), Some(ms(80)));
}

#[test]
fn what_has_not_ended_lasts_until_the_report() {
    let mut report = report(50);
    report.state = State::Running;
    let load = report.add("load", [0, 0, 0, 20]);
    let train = report.add("train", [0, 20, 21, 50]);
    let evaluate = report.add("evaluate", [0, 50, 50, 50]);
    report.edge(load, train);
    report.edge(train, evaluate);
    report.run_mut(train).state = State::Running;
    report.run_mut(train).ended = None;
    report.never_started(evaluate, State::Pending);
    report.run_mut(evaluate).ended = None;
    check_path(
        &report,
        expect![[r#"
            0 load: run 20
            20 train: queue 1 run 29
            50 evaluate:
            run 49.0 ms, queue 1.00 ms
            slack: load 0 train 0 evaluate 0"#]],
    );
}

#[test]
fn of_what_has_not_ended_the_submission_is_enough() {
    let mut report = report(50);
    report.state = State::Running;
    let load = report.add("load", [0, 0, 0, 20]);
    let train = report.add("train", [0, 0, 0, 0]);
    let queued = report.add("queued", [0, 0, 0, 0]);
    for (run, state) in [(train, State::Running), (queued, State::AwaitingLimit)] {
        report.edge(load, run);
        report.never_started(run, state);
        report.run_mut(run).ended = None;
    }
    check_path(
        &report,
        expect![[r#"
        0 load: run 20
        20 queued: queue 30
        run 20.0 ms, queue 30.0 ms
        slack: load 0 train 0 queued 0"#]],
    );
    report.task_runs.pop();
    check_path(
        &report,
        expect![[r#"
        0 load: run 20
        20 train: run 30
        run 50.0 ms
        slack: load 0 train 0"#]],
    );
}

#[test]
fn a_realistic_run_splits_up() {
    check_path(
        &ml_run(),
        expect![[r#"
        0 (flow code): run 2
        2 load: queue 1 run 437 retry wait 200
        640 preprocess: queue 1 run 269
        910 cross_validate: queue 1 run 1
        912 fit[fold=4]: queue 1123 run 628
        2663 cross_validate: run 37
        2700 (flow code): run 20
        2720 train_final: queue 2 run 578
        3300 evaluate: run 100
        3400 publish <b>"now"</b> & ]:
        3400 (flow code): run 1
        3401 remove_scratch_files: run 14
        3415 (flow code): run 5
        run 2.06 s, queue 1.13 s, retry wait 200 ms, flow code 28.0 ms
        slack: load 0 read_config 637 preprocess 0 cross_validate 0 fit[fold=0] 1208 score[fold=0] 1208 fit[fold=1] 1171 score[fold=1] 1171 fit[fold=2] 574 score[fold=2] 574 fit[fold=3] 537 score[fold=3] 537 fit[fold=4] 0 score[fold=4] 692 select_features_by_mutual_information_and_recursive_elimination[dataset=customers_2026] 370 embed_rows 1020 train_final 0 evaluate 0 publish <b>"now"</b> & ] 0 remove_scratch_files 0"#]],
    );
}

#[test]
fn a_flow_run_without_task_runs_is_flow_code() {
    check_path(
        &report(7),
        expect![[r#"
            0 (flow code): run 7
            flow code 7.00 ms
            slack:"#]],
    );
}

#[test]
fn a_faster_task_run_helps_until_another_path_takes_over() {
    let report = diamond();
    // `c` at half its 68 ms ends at 46, after `b` (40): 34 ms are saved.
    assert_eq!(report.what_if(2, 2.0), Some(ms(110 - 34)));
    // Without `c`, `b` decides: 40 ms are saved, its slack.
    assert_eq!(report.what_if(2, f64::INFINITY), Some(ms(110 - 40)));
    // `b` is not on the path. Three times slower, 87 ms instead of 29, it ends at 98, not 80.
    assert_eq!(report.what_if(1, 10.0), Some(ms(110)));
    assert_eq!(report.what_if(1, 1.0 / 3.0), Some(ms(110 + 18)));
}

#[test]
fn a_prediction_needs_a_task_run_and_a_factor() {
    let report = diamond();
    assert_eq!(report.what_if(4, 2.0), None);
    for factor in [0.0, -1.0, f64::NAN, f64::NEG_INFINITY] {
        assert_eq!(report.what_if(0, factor), None, "{factor}");
    }
    // As good as never.
    assert!(report.what_if(0, f64::MIN_POSITIVE).unwrap() > Duration::from_secs(1 << 33));
}

#[test]
fn reports_that_no_engine_makes_are_survived() {
    let mut report = report(10);
    for name in ["a", "b", "c"] {
        report.add(name, [0, 0, 0, 0]);
    }
    // A cycle, an edge to itself, edges to nowhere, parents in a circle, ends before starts.
    for (from, to) in [(0, 1), (1, 2), (2, 0), (1, 1), (0, 9), (9, 0)] {
        report.edge(from, to);
    }
    report.run_mut(0).parent = Some(2);
    report.run_mut(2).parent = Some(0);
    report.run_mut(1).parent = Some(1);
    report.run_mut(1).started = Some(ms(400));
    report.run_mut(2).submitted = ms(900);
    check_sums(&report.critical_path());
    assert_eq!(report.what_if(1, 1.0), Some(ms(10)));
    // Indices that are no positions.
    for run in &mut report.task_runs {
        run.index = 7 * (run.index % 2);
    }
    check_sums(&report.critical_path());
}

/// A chain of task runs that are queued for 10 ns and run for 90 ns each.
fn chain(n: u32) -> RunReport {
    let mut report = report(0);
    let first = report.add("step", [0, 0, 0, 0]);
    let model = report.task_runs[first as usize].clone();
    report.task_runs = (0..n)
        .map(|index| {
            let at = |nanos: u64| Duration::from_nanos(u64::from(index) * 100 + nanos);
            let mut run = model.clone();
            run.index = index;
            (run.submitted, run.ready) = (at(0), Some(at(0)));
            (run.started, run.ended) = (Some(at(10)), Some(at(100)));
            run
        })
        .collect();
    report.edges = (1..n)
        .map(|to| EdgeReport {
            from: to - 1,
            to,
            kind: crate::report::EdgeKind::Data,
        })
        .collect();
    report.duration = Duration::from_nanos(u64::from(n) * 100);
    report
}

#[test]
fn a_million_task_runs_in_a_chain_take_seconds_and_no_stack() {
    const N: u32 = 1_000_000;
    let mut report = chain(N);
    let begin = Instant::now();
    let path = report.critical_path();
    assert_eq!(path.steps.len(), N as usize);
    assert_eq!(path.queue, Duration::from_nanos(u64::from(N) * 10));
    check_sums(&path);
    // Halving one execution of 90 ns saves 45 ns.
    assert_eq!(
        report.what_if(N / 2, 2.0),
        Some(report.duration - Duration::from_nanos(45))
    );
    // Nested just as deep.
    for run in &mut report.task_runs {
        run.parent = run.index.checked_sub(1);
        run.kind = NodeKind::Subflow;
    }
    check_sums(&report.critical_path());
    assert!(
        begin.elapsed() < Duration::from_secs(60),
        "took {:?}",
        begin.elapsed()
    );
}

#[test]
fn renderings_of_long_and_deep_runs_stay_small() {
    let mut report = chain(100_000);
    for nested in [false, true] {
        if nested {
            for run in &mut report.task_runs {
                run.parent = run.index.checked_sub(1);
                run.kind = NodeKind::Subflow;
            }
        }
        assert!(report.graph_svg().len() < 200_000);
        assert!(report.timeline_svg().len() < 200_000);
        assert!(report.to_mermaid().len() < 50_000);
        assert!(report.task_table().len() < 1_000);
        assert!(report.summary().len() < 2_000);
    }
    // DOT holds more, and nests as deep as the task runs do.
    let mut report = chain(4_000);
    for run in &mut report.task_runs {
        run.parent = run.index.checked_sub(1);
    }
    assert_eq!(report.to_dot().matches("subgraph").count(), 3_999);
}

proptest! {
    #[test]
    fn parts_add_up_and_slack_is_right(report in any_report()) {
        let path = report.critical_path();
        check_sums(&path);
        prop_assert_eq!(path.slack.len(), report.task_runs.len());
        let has_others_inside = |index: u32| {
            report.task_runs.iter().any(|run| run.parent == Some(index))
        };
        for index in path.steps.iter().filter_map(|step| step.index) {
            if !has_others_inside(index) {
                prop_assert_eq!(path.slack[index as usize], Duration::ZERO);
            }
        }
        for run in &report.task_runs {
            let slack = path.slack[run.index as usize];
            prop_assert!(run.ended.unwrap() + slack <= report.duration);
        }
    }

    #[test]
    fn predictions_agree_with_the_recording_and_with_slack(
        report in any_report(),
        chosen in any::<prop::sample::Index>(),
        factor in 0.1_f64..10.0,
    ) {
        prop_assume!(!report.task_runs.is_empty());
        let index = chosen.index(report.task_runs.len()) as u32;
        prop_assert_eq!(report.what_if(index, 1.0), Some(report.duration));
        let predicted = report.what_if(index, factor).unwrap();
        if factor >= 1.0 {
            prop_assert!(predicted <= report.duration);
        } else {
            prop_assert!(predicted >= report.duration);
        }
        // A task run that runs longer than its slack allows delays the flow by the rest.
        let run = &report.task_runs[index as usize];
        let is_leaf = report.task_runs.iter().all(|run| run.parent != Some(index));
        if factor < 1.0 && is_leaf {
            let later = Duration::from_nanos(
                (run.run_time().as_nanos() as f64 / factor).round() as u64
            ) - run.run_time();
            let slack = report.critical_path().slack[index as usize];
            prop_assert_eq!(predicted, report.duration + later.saturating_sub(slack));
        }
    }
}

use expect_test::expect;

use super::*;
use crate::report::TaskCounts;
use crate::report::testing::{error, ml_run, ms, report};

#[test]
fn a_table_has_a_row_for_each_task_run() {
    expect![[r#"
        state        task run                                      attempts    queue      run    total
        ✓ completed  load                                                 2  1.00 ms   637 ms   638 ms
        ⚡ cached    read_config                                          0        -        -  1.00 ms
        ✓ completed  preprocess                                           1  1.00 ms   269 ms   907 ms
        ✓ completed  cross_validate                                       1  1.00 ms   1.79 s   2.70 s
        ✓ completed    fit[fold=0]                                        1  3.00 ms   480 ms   483 ms
        ✓ completed    score[fold=0]                                      1  1.00 ms  59.0 ms   543 ms
        ✓ completed    fit[fold=1]                                        1  3.00 ms   517 ms   520 ms
        ✓ completed    score[fold=1]                                      1  1.00 ms  59.0 ms   580 ms
        ✓ completed    fit[fold=2]                                        1   563 ms   554 ms   1.12 s
        ✓ completed    score[fold=2]                                      1  1.00 ms  59.0 ms   1.18 s
        ✗ failed       fit[fold=3]                                        3   563 ms   591 ms   1.15 s
        ⊘ skipped      score[fold=3]                                      0        -        -   1.21 s
        ✓ completed    fit[fold=4]                                        1   1.12 s   628 ms   1.75 s
        ✓ completed    score[fold=4]                                      1  1.00 ms  59.0 ms   1.81 s
        ✓ completed  select_features_by_mutual_inf…ustomers_2026]         1   490 ms   950 ms   2.35 s
        ✓ completed  embed_rows (10,000 items)                            1  1.00 ms   789 ms   1.70 s
        ✓ completed  train_final                                          1  2.00 ms   578 ms   580 ms
        ⏱ timed out  evaluate                                             1     0 ns   100 ms   679 ms
        ⊘ skipped    publish <b>"now"</b> & ]                             0        -        -   679 ms
        ✓ completed  remove_scratch_files                                 1     0 ns  14.0 ms  14.0 ms
    "#]].assert_eq(&ml_run().task_table());
}

#[test]
fn a_summary_begins_with_what_failed() {
    expect![[r#"
        ✗ flow `train-daily`, flow run `brisk-otter`: failed after 3.42 s
          ✗ failed `fit[fold=3]` after 3 attempts: singular matrix in fold 3
            caused by: column `age` is constant
          ⏱ timed out `evaluate`: an attempt took longer than 100 ms
          20 task runs: 1 failed, 1 timed out, 15 completed, 1 cached, 2 skipped
          critical path: (flow code) 2.00 ms -> load 638 ms -> preprocess 270 ms -> cross_validate 2.00 ms -> fit[fold=4] 1.75 s -> cross_validate 37.0 ms -> (flow code) 20.0 ms -> train_final 580 ms -> evaluate 100 ms -> (flow code) 1.00 ms -> remove_scratch_files 14.0 ms -> (flow code) 5.00 ms
          time on it: run 2.06 s, queue 1.13 s, retry wait 200 ms, flow code 28.0 ms
    "#]].assert_eq(&ml_run().summary());
}

#[test]
fn an_error_of_the_flow_itself_is_shown_once() {
    let mut report = report(5);
    report.state = State::Failed;
    report.error = Some(error("r2 is 0.1,\nbelow 0.8"));
    expect![[r#"
        ✗ flow `train-daily`, flow run `brisk-otter`: failed after 5.00 ms
          error: r2 is 0.1,\nbelow 0.8
          0 task runs
          critical path: (flow code) 5.00 ms
          time on it: flow code 5.00 ms
    "#]]
    .assert_eq(&report.summary());
}

#[test]
fn long_paths_and_many_failures_are_cut_with_their_number() {
    let mut report = report(20);
    for i in 0..20 {
        let run = report.add(&format!("step[{i}]"), [i, i, i, i + 1]);
        report.run_mut(run).state = State::Failed;
    }
    report.unrecorded.push(TaskCounts {
        task: "step".to_owned(),
        completed: 1_000,
        found: 0,
        failed: 0,
        cancelled: 5,
    });
    expect![[r#"
        ✓ flow `train-daily`, flow run `brisk-otter`: completed after 20.0 ms
          ✗ failed `step[0]`
          ✗ failed `step[1]`
          ✗ failed `step[2]`
          ✗ failed `step[3]`
          ✗ failed `step[4]`
          ✗ failed `step[5]`
          ✗ failed `step[6]`
          ✗ failed `step[7]`
          ✗ failed `step[8]`
          ✗ failed `step[9]`
          and 10 more failed task runs
          20 task runs: 20 failed
          1,005 more task runs beyond the recording limit
          critical path: step[0] 1.00 ms -> step[1] 1.00 ms -> step[2] 1.00 ms -> step[3] 1.00 ms -> step[4] 1.00 ms -> step[5] 1.00 ms -> ... 8 steps 8.00 ms -> step[14] 1.00 ms -> step[15] 1.00 ms -> step[16] 1.00 ms -> step[17] 1.00 ms -> step[18] 1.00 ms -> step[19] 1.00 ms
          time on it: run 20.0 ms
    "#]].assert_eq(&report.summary());
}

#[test]
fn large_tables_are_summed_up_by_task() {
    let mut report = report(1_000);
    for i in 0..60 {
        let run = report.add(&format!("fit[{i}]"), [0, 0, 0, i]);
        if i == 7 {
            report.run_mut(run).state = State::TimedOut;
        }
    }
    report.add("evaluate", [60, 60, 60, 70]);
    expect![[r#"
        state        task                           task runs      run  longest
        ⏱ timed out  fit       60 (1 timed out, 59 completed)   1.77 s  59.0 ms
        ✓ completed  evaluate                               1  10.0 ms  10.0 ms
        61 task runs of 2 tasks
    "#]]
    .assert_eq(&report.task_table());
    for i in 0..50 {
        report.add(&format!("task_{i}"), [0, 0, 0, 1]);
    }
    let table = report.task_table();
    assert_eq!(table.lines().count(), 1 + MAX_ROWS + 1);
    assert!(
        table.ends_with("111 task runs of 52 tasks, 12 tasks not shown\n"),
        "{table}"
    );
}

#[test]
fn names_cannot_break_the_table() {
    let mut report = report(5);
    report.add("evil\n\u{1b}[2J", [0, 0, 0, 5]);
    report.add("日本語のタスク", [0, 0, 0, 5]);
    report.add(&"long ".repeat(40), [0, 0, 0, 5]);
    report.duration = ms(5);
    let table = report.task_table();
    assert!(table.contains(r"evil\n\u{1b}[2J"));
    let widths: Vec<usize> = table.lines().map(human::width).collect();
    assert!(widths.iter().all(|width| *width == widths[0]), "{table}");
}

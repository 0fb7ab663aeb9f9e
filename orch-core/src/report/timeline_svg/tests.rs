use super::*;
use crate::report::testing::{ml_run, ms, report};

#[test]
fn attempts_waits_and_queues_are_parts_of_a_lane() {
    let mut report = report(100);
    let flaky = report.add("flaky", [0, 10, 20, 100]);
    report.fail_attempt(flaky, 20, 40, 60);
    let svg = report.timeline_svg();
    let lane = svg.split("<g class=\"lane").nth(1).unwrap();
    // 800 units for 100 ms, from 270 on.
    for part in [
        r#"<path class="inputs" d="M270 92H350"/>"#,
        r#"<rect class="queued" x="350" y="85" width="80""#,
        r#"<rect class="attempt" x="430" y="85" width="160""#,
        "<title>attempt 1 failed after 20.0 ms: connection reset by peer</title>",
        r#"<path class="retry" d="M590 92H750"/>"#,
        r#"<rect class="box" x="750" y="85" width="320""#,
        ">80.0 ms ×2<",
    ] {
        assert!(lane.contains(part), "{part}\nis not in\n{lane}");
    }
}

#[test]
fn beyond_two_hundred_lanes_the_longest_and_the_failures_stay() {
    let mut report = report(1_000);
    for i in 0..300 {
        let run = report.add(&format!("run[{i}]"), [0, 0, 0, 100 + i]);
        if i == 3 {
            report.run_mut(run).state = State::Failed;
        }
    }
    let svg = report.timeline_svg();
    assert_eq!(svg.matches("class=\"lane").count(), 200);
    assert!(svg.contains("100 more task runs not shown"));
    assert!(svg.contains(">run[3]<") && !svg.contains(">run[4]<"));
    assert!(!svg.contains(">run[100]<") && svg.contains(">run[101]<"));
}

#[test]
fn children_come_below_their_parent() {
    let svg = ml_run().timeline_svg();
    let at = |name: &str| svg.find(&format!(">{name}<")).unwrap();
    assert!(at("cross_validate") < at("fit[fold=0]"));
    assert!(at("score[fold=4]") < at("embed_rows"));
}

#[test]
fn an_unfinished_flow_run_has_a_line_for_now() {
    let mut report = report(100);
    report.state = State::Running;
    let run = report.add("train", [0, 0, 0, 0]);
    report.run_mut(run).state = State::Running;
    report.run_mut(run).ended = None;
    let svg = report.timeline_svg();
    assert!(svg.contains(">now<"));
    assert!(svg.contains(r#"<rect class="box" x="270" y="85" width="800""#));
}

#[test]
fn the_axis_has_few_marks_in_sensible_units() {
    let mut all = Vec::new();
    for end in [
        1,
        7,
        950,
        20_000,
        3_000_000,
        640_000_000,
        45_000_000_000,
        600_000_000_000,
        7_200_000_000_000,
        100_000_000_000_000,
        900_000_000_000_000,
        40_000_000_000_000_000,
    ] {
        let scale = Scale::new(end, &Layout::FILE);
        let step = scale.step();
        let n_marks = end / step + 1;
        assert!((2..=8).contains(&n_marks), "{n_marks} marks up to {end} ns");
        all.push(human::tick(step, step));
    }
    assert_eq!(
        all,
        [
            "1 ns", "1 ns", "200 ns", "5 µs", "500 µs", "100 ms", "10 s", "2m", "30m", "6h", "2d",
            "100d",
        ]
    );
    assert!(Scale::new(u64::MAX, &Layout::FILE).step() > 0);
}

#[test]
fn a_flow_run_that_took_no_time_is_drawn() {
    let mut report = report(0);
    report.add("at once", [0, 0, 0, 0]);
    roxmltree::Document::parse(&report.timeline_svg()).unwrap();
    report.duration = ms(0);
    report.task_runs.clear();
    roxmltree::Document::parse(&report.timeline_svg()).unwrap();
}

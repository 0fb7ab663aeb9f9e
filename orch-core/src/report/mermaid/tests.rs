use expect_test::expect;

use crate::report::testing::report;
use crate::report::{EdgeKind, NodeKind, TaskCounts};
use crate::state::State;

#[test]
fn groups_are_subgraphs_and_states_have_words_and_colours() {
    let mut report = report(100);
    let load = report.add("load \"all\"] <script>#1;", [0, 0, 0, 10]);
    let group = report.add("folds", [0, 10, 10, 90]);
    report.run_mut(group).kind = NodeKind::Group;
    let fit = report.add("fit[0]", [10, 10, 10, 90]);
    report.nest(group, &[fit]);
    report.run_mut(fit).state = State::Failed;
    let map = report.add("embed", [0, 90, 90, 95]);
    report.run_mut(map).kind = NodeKind::Map;
    report.run_mut(map).items = Some(TaskCounts {
        task: "embed".into(),
        completed: 9,
        found: 0,
        failed: 1,
        cancelled: 0,
    });
    report.edge(load, fit);
    report.edge_of(fit, map, EdgeKind::Catch);
    report.edge_of(load, map, EdgeKind::Order);
    expect![[r#"
        flowchart LR
          n0("✓ load #34;all#34;#93; #60;script#62;#35;1#59;<br/>completed · 10.0 ms")
          subgraph n1["✓ folds · completed · 80.0 ms"]
            n2("✗ fit#91;0#93;<br/>failed · 80.0 ms")
          end
          n3[["✓ embed<br/>completed · 5.00 ms<br/>1 failed, 9 completed"]]
          n0 ==> n2
          n0 -.->|order| n3
          n2 ==>|catch| n3
          classDef s-completed fill:#e6f6ea,stroke:#1a7f37,color:#1f2328
          class n0,n1,n3 s-completed
          classDef s-failed fill:#fdebec,stroke:#cf222e,color:#1f2328
          class n2 s-failed
          classDef critical stroke-width:3px
          class n0,n2,n3 critical
    "#]]
    .assert_eq(&report.to_mermaid());
}

#[test]
fn long_names_are_cut_in_labels_and_whole_in_tooltips() {
    let mut report = report(10);
    let name = format!("{}end", "a".repeat(200));
    report.add(&name, [0, 0, 0, 10]);
    let chart = report.to_mermaid();
    assert!(chart.contains(&format!("click n0 href \"#\" \"{name}\"")));
    assert!(!chart.contains(&format!("(\"✓ {name}")));
}

#[test]
fn charts_stay_within_what_mermaid_draws() {
    let mut report = report(100);
    for i in 0..150_u32 {
        report.add(&format!("task_{i}{}", "_long".repeat(40)), [0, 0, 0, 10]);
        for from in 0..i {
            report.edge(from, i);
        }
    }
    let chart = report.to_mermaid();
    assert!(chart.matches("-->").count() + chart.matches("==>").count() <= 400);
    assert!(chart.contains("10,775 edges between distant nodes left out"));
    assert!(chart.len() < 64_000, "{} characters", chart.len());
}

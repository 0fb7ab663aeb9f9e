use expect_test::expect;

use crate::report::testing::report;
use crate::report::{EdgeKind, NodeKind, TaskCounts};
use crate::state::State;

#[test]
fn groups_are_clusters_and_states_have_words_and_colours() {
    let mut report = report(100);
    let load = report.add("load \"all\"\\N &lt;", [0, 0, 0, 10]);
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
    report.edge_of(group, map, EdgeKind::Catch);
    report.edge_of(load, map, EdgeKind::Order);
    expect![[r##"
        digraph flow_run {
          rankdir=LR;
          label="train-daily / brisk-otter\n✓ completed · 100 ms";
          labelloc=t;
          fontname="monospace";
          node [shape=box, style="rounded,filled", fontname="monospace"];
          n0 [label="load \"all\"\\N &amp;lt;\n✓ completed · 10.0 ms", tooltip="load \"all\"\\N &amp;lt;\ntask load \"all\"\\N &amp;lt; at src/flow.rs:7\n✓ completed\nqueue 0 ns, run 10.0 ms", color="#1a7f37", fillcolor="#e6f6ea", penwidth=3];
          subgraph cluster_1 {
            label="folds"; tooltip="folds"; style="rounded"; color="#1a7f37";
            n1 [label="folds\n✓ completed · 80.0 ms", tooltip="folds\ntask folds at src/flow.rs:7\n✓ completed\nqueue 0 ns, run 80.0 ms", color="#1a7f37", fillcolor="#e6f6ea"];
            n2 [label="fit[0]\n✗ failed · 80.0 ms", tooltip="fit[0]\ntask fit at src/flow.rs:7\n✗ failed\nqueue 0 ns, run 80.0 ms", color="#cf222e", fillcolor="#fdebec", penwidth=3];
          }
          n3 [label="embed\n✓ completed · 5.00 ms\n1 failed, 9 completed", tooltip="embed\ntask embed at src/flow.rs:7\n✓ completed\nqueue 0 ns, run 5.00 ms\n1 failed, 9 completed", color="#1a7f37", fillcolor="#e6f6ea", peripheries=2, penwidth=3];
          n0 -> n2 [style=solid, tooltip="data", penwidth=3];
          n0 -> n3 [style=dotted, tooltip="order"];
          n1 -> n3 [style=dashed, color="#bc4c00", tooltip="catch"];
        }
    "##]].assert_eq(&report.to_dot());
}

#[test]
fn long_names_are_cut_in_labels_and_whole_in_tooltips() {
    let mut report = report(10);
    let name = format!("{}end", "a".repeat(200));
    report.add(&name, [0, 0, 0, 10]);
    let dot = report.to_dot();
    assert!(dot.contains(&format!("tooltip=\"{name}\\n")));
    assert!(!dot.contains(&format!("label=\"{name}")));
    assert!(dot.contains("aaa…aaaaaaaaaaend\\n"));
}

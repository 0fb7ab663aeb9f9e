use proptest::prelude::*;

use super::*;
use crate::report::testing::{any_report, ml_run, report};
use crate::report::view::MAX_NODES;

/// Parses the picture and returns all its visible text and its tooltips.
fn check_svg(svg: &str) -> (Vec<String>, Vec<String>) {
    let document = roxmltree::Document::parse(svg).expect("the picture is well-formed");
    assert_eq!(document.root_element().tag_name().name(), "svg");
    for tag in ["script", "foreignObject", "image", "a", "use"] {
        assert!(
            !document.descendants().any(|node| node.has_tag_name(tag)),
            "has <{tag}>"
        );
    }
    for node in document.descendants() {
        for attribute in node.attributes() {
            assert!(!attribute.name().starts_with("on") && attribute.name() != "href");
            assert!(!attribute.value().contains("NaN") && !attribute.value().contains("inf"));
        }
    }
    let texts = |tag: &str| {
        let nodes = document
            .descendants()
            .filter(|node| node.tag_name().name() == tag);
        nodes
            .map(|node| {
                // A tooltip inside a text is not part of what is seen.
                let is_own = |part: &roxmltree::Node| {
                    tag == "title" || !part.ancestors().any(|outer| outer.has_tag_name("title"))
                };
                let parts = node
                    .descendants()
                    .filter(|part| part.is_text() && is_own(part));
                parts.filter_map(|part| part.text()).collect()
            })
            .collect()
    };
    (texts("text"), texts("title"))
}

#[test]
fn names_are_escaped_and_cut_and_whole_in_tooltips() {
    let long = "x".repeat(200);
    let hostile = "</title><script>alert('1')</script>\n\u{0}\u{202e}\"]&";
    let mut report = report(10);
    report.flow = hostile.to_owned();
    report.add(&long, [0, 0, 0, 5]);
    report.add(hostile, [0, 0, 0, 5]);
    let (texts, titles) = check_svg(&report.graph_svg());
    assert!(texts.iter().all(|text| text.chars().count() < 100));
    assert!(titles.iter().any(|title| title.starts_with(&long)));
    let visible = "</title><script>alert('1')</script>\\n\\u{0}\\u{202e}\"]&";
    assert!(titles.iter().any(|title| title.starts_with(visible)));
}

#[test]
fn each_state_has_mark_word_and_colour() {
    let mut report = report(100);
    for state in State::ALL {
        let run = report.add(&format!("run {state}"), [0, 0, 0, 5]);
        report.run_mut(run).state = state;
    }
    let svg = report.graph_svg();
    let (texts, _) = check_svg(&svg);
    for state in State::ALL {
        assert!(
            texts.iter().any(|text| text.starts_with(state.word())),
            "{state}"
        );
        assert!(
            svg.contains(&format!("class=\"node {}", theme::class(state))),
            "{state}"
        );
        let mark = theme::mark(state, 12.0, 20.0);
        assert!(svg.contains(&mark), "{state}");
    }
    assert!(svg.contains("prefers-color-scheme:dark"));
}

#[test]
fn groups_are_frames_up_to_thirty_task_runs_and_one_node_beyond() {
    for (n, n_nodes, n_frames) in [(30, 30, 1), (31, 1, 0)] {
        let mut report = report(100);
        let group = report.add("group", [0, 0, 0, 100]);
        for i in 0..n {
            let run = report.add(&format!("item[{i}]"), [0, 0, 0, 100]);
            report.nest(group, &[run]);
        }
        report.run_mut(1).state = State::Failed;
        let svg = report.graph_svg();
        assert_eq!(svg.matches("class=\"node").count(), n_nodes, "{n}");
        assert_eq!(svg.matches("class=\"frame").count(), n_frames, "{n}");
        assert_eq!(svg.contains(">30 of 31<"), n == 31);
        assert_eq!(svg.contains("drawn as one node"), n == 31);
    }
}

#[test]
fn large_graphs_are_summed_up_and_say_so() {
    let mut report = report(100);
    let load = report.add("load", [0, 0, 0, 5]);
    for i in 0..600 {
        let fit = report.add(&format!("fit[{i}]"), [0, 5, 5, 50]);
        report.edge(load, fit);
    }
    let svg = report.graph_svg();
    assert!(svg.contains(">fit × 600<"));
    assert!(svg.contains("601 task runs, summed up by task and depth"));
    assert_eq!(svg.matches("class=\"node").count(), 2);
    assert!(svg.contains("(data, 600 edges)"));
}

#[test]
fn more_tasks_than_nodes_share_the_last_node() {
    let mut report = report(100);
    for i in 0..2 * MAX_NODES {
        report.add(&format!("task_{i}"), [0, 0, 0, 5]);
    }
    let svg = report.graph_svg();
    assert_eq!(svg.matches("class=\"node").count(), MAX_NODES);
    assert!(svg.contains(">other tasks × 501<"));
}

#[test]
fn the_critical_path_is_marked() {
    let svg = ml_run().graph_svg();
    assert!(svg.contains("load → preprocess (data)"));
    let critical = svg
        .lines()
        .filter(|line| line.starts_with("<path class=\"edge"));
    let critical: Vec<&str> = critical
        .filter(|line| line.contains("critical\" marker"))
        .filter_map(|line| line.split("<title>").nth(1)?.split(" (").next())
        .collect();
    assert_eq!(
        critical,
        [
            "load → preprocess",
            "preprocess → cross_validate",
            "cross_validate → train_final",
            "train_final → evaluate",
            "evaluate → publish &lt;b&gt;&quot;now&quot;&lt;/b&gt; &amp; ]",
        ]
    );
}

#[test]
fn deep_nesting_does_not_overflow_the_stack() {
    let mut report = report(100);
    for i in 0..400_u32 {
        let run = report.add("inner", [0, 0, 0, 100]);
        report.run_mut(run).parent = i.checked_sub(1);
    }
    assert_eq!(report.graph_svg().matches("class=\"frame").count(), 399);
    assert_eq!(report.to_dot().matches("subgraph").count(), 399);
}

proptest! {
    #[test]
    fn pictures_are_well_formed_and_nothing_overlaps(report in any_report()) {
        let svg = report.graph_svg();
        check_svg(&svg);
        prop_assert_eq!(&svg, &report.graph_svg());
        check_svg(&report.timeline_svg());

        let limits = Limits { children: MAX_CHILDREN, nodes: MAX_NODES };
        let picture = Picture::new(View::new(&report, limits));
        let nodes = &picture.view.nodes;
        for (i, node) in nodes.iter().enumerate() {
            let ((x, y), size) = (picture.corners[i], picture.sizes[i]);
            if let Some(frame) = node.parent {
                let ((left, top), outer) = (picture.corners[frame], picture.sizes[frame]);
                prop_assert!(left < x && x + size.width < left + outer.width);
                prop_assert!(top < y && y + size.height < top + outer.height);
            }
            for (j, other) in nodes.iter().enumerate().skip(i + 1) {
                if other.parent == node.parent {
                    let ((ox, oy), outer) = (picture.corners[j], picture.sizes[j]);
                    let is_apart = x + size.width < ox
                        || ox + outer.width < x
                        || y + size.height < oy
                        || oy + outer.height < y;
                    prop_assert!(is_apart, "{} and {} overlap", node.name, other.name);
                }
            }
        }
        for (edge, route) in &picture.edges {
            prop_assert!(picture.corners[edge.from].0 < picture.corners[edge.to].0);
            prop_assert!(route.is_sorted_by(|a, b| a.0 <= b.0));
        }
    }

    #[test]
    fn any_name_is_safe_everywhere(name in any::<String>()) {
        let mut report = report(10);
        report.flow.clone_from(&name);
        report.name.clone_from(&name);
        let a = report.add("a", [0, 0, 0, 5]);
        let run = report.run_mut(a);
        run.name.clone_from(&name);
        run.task.clone_from(&name);
        run.source.clone_from(&name);
        check_svg(&report.graph_svg());
        check_svg(&report.timeline_svg());
        // One line for each statement: no name breaks out of its own.
        prop_assert_eq!(report.to_dot().lines().count(), 8);
        prop_assert!(report.to_mermaid().lines().count() <= 7);
        prop_assert_eq!(report.task_table().lines().count(), 2);
    }
}

#[test]
fn a_part_of_a_bar_has_the_colour_of_its_own_state_also_in_a_failed_node() {
    let mut report = report(100);
    let group = report.add("group", [0, 0, 0, 100]);
    for i in 0..31 {
        let run = report.add(&format!("item[{i}]"), [0, 0, 0, 100]);
        report.nest(group, &[run]);
    }
    report.run_mut(1).state = State::Failed;
    report.run_mut(group).state = State::Failed;
    let svg = report.graph_svg();
    let bar = r#"<g class="s-completed"><rect class="solid""#;
    assert!(svg.contains(bar) && svg.contains("class=\"node s-failed"));
    // A rule for all that is inside of a failed node would make the whole bar red.
    assert!(svg.contains(".s-completed>.solid{") && !svg.contains(" .solid{"));
}

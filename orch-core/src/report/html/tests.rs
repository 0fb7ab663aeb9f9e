use roxmltree::{Document, Node, ParsingOptions};

use super::*;
use crate::report::testing::{error, ml_run, ms, report};
use crate::report::{
    ArtifactReport, ErrorReport, LoggedReport, MetricPoint, MetricReport, NodeKind,
    ParameterReport, ResultSource, TaskCounts,
};
use crate::state::State;

/// Reads the page, and checks that it is well-formed, runs nothing and needs nothing from anywhere.
#[track_caller]
fn check_page(html: &str) -> Document<'_> {
    let options = ParsingOptions {
        allow_dtd: true,
        ..ParsingOptions::default()
    };
    let document = Document::parse_with_options(html, options).expect("the page is well-formed");
    let mut ids = std::collections::HashSet::new();
    for node in document.descendants() {
        let name = node.tag_name().name();
        for tag in [
            "script",
            "link",
            "img",
            "iframe",
            "object",
            "embed",
            "form",
            "foreignObject",
        ] {
            assert_ne!(name, tag);
        }
        for attribute in node.attributes() {
            let (name, value) = (attribute.name(), attribute.value());
            assert!(!name.starts_with("on") && name != "src", "has {name}");
            assert!(name != "href" || value.starts_with('#'), "links to {value}");
            assert!(name != "id" || ids.insert(value), "{value} occurs twice");
        }
    }
    let links = document
        .descendants()
        .filter_map(|node| node.attribute("href"));
    for link in links {
        assert!(ids.contains(&link[1..]), "{link} leads nowhere");
    }
    // Names of XML are the only addresses, and styles refer to the page itself.
    let addresses = html.matches("://").count();
    assert_eq!(
        addresses,
        html.matches("xmlns=\"http://www.w3.org/2000/svg\"").count()
    );
    assert_eq!(
        html.matches("url(").count(),
        html.matches("url(#orch-").count()
    );
    assert!(!html.contains("@import") && !html.contains("NaN"));
    document
}

fn text_of(node: Node<'_, '_>) -> String {
    let parts = node.descendants().filter(|part| part.is_text());
    parts.filter_map(|part| part.text()).collect()
}

/// The texts of the cells of the table called `name`, row by row.
fn rows(document: &Document<'_>, name: &str) -> Vec<Vec<String>> {
    let mut nodes = document.descendants();
    let region = nodes
        .find(|node| node.attribute("aria-label") == Some(name) && node.tag_name().name() == "div");
    let region = region.expect("the table is there");
    let body = region.descendants().find(|node| node.has_tag_name("tbody"));
    let rows = body.expect("it has a body").children();
    rows.filter(|node| node.has_tag_name("tr"))
        .map(|row| {
            let cells = row.children().filter(|node| node.has_tag_name("td"));
            cells.map(text_of).collect()
        })
        .collect()
}

fn headings(document: &Document<'_>) -> Vec<String> {
    let nodes = document.descendants();
    nodes
        .filter(|node| node.has_tag_name("h2"))
        .map(text_of)
        .collect()
}

#[test]
fn the_page_says_how_it_ended_and_shows_graph_timeline_and_task_runs() {
    let html = ml_run().to_html(&[]);
    let document = check_page(&html);
    assert_eq!(
        headings(&document),
        ["Graph", "Timeline", "Task runs", "Critical path"]
    );
    let pictures = document
        .descendants()
        .filter(|node| node.tag_name().name() == "svg");
    let pictures: Vec<&str> = pictures
        .filter_map(|node| node.attribute("class"))
        .collect();
    assert_eq!(
        pictures,
        ["orch orch-graph", "orch orch-timeline", "orch orch-narrow"]
    );
    let header = document
        .descendants()
        .find(|node| node.has_tag_name("header"));
    let header = text_of(header.unwrap());
    for part in [
        "train-daily / brisk-otter",
        "✗\u{fe0e} failed",
        "an attempt took longer than 100 ms",
        "2026-09-21 14:13:20 UTC",
        // Items of maps are counted one by one.
        "9,7",
        "✓\u{fe0e}",
    ] {
        assert!(header.contains(part), "{part} is not in\n{header}");
    }
}

#[test]
fn a_task_run_has_its_attempts_times_and_errors_in_its_row() {
    let mut report = report(100);
    let flaky = report.add("flaky", [0, 10, 20, 100]);
    report.fail_attempt(flaky, 20, 40, 60);
    let cached = report.add("cached", [0, 0, 0, 0]);
    report.run_mut(cached).state = State::Cached;
    report.run_mut(cached).attempts = 0;
    report.run_mut(cached).started = None;
    report.run_mut(cached).result_from = Some(ResultSource {
        flow_run: "0191-earlier".to_owned(),
        call: "c0ffee".to_owned(),
    });
    let failed = report.add("failed", [0, 0, 0, 50]);
    report.run_mut(failed).state = State::Failed;
    report.run_mut(failed).error = Some(ErrorReport {
        message: "first\nsecond".to_owned(),
        causes: vec!["no such file".to_owned()],
        backtrace: None,
    });
    let html = report.to_html(&[]);
    let rows = rows(&check_page(&html), "task runs");
    assert_eq!(
        rows[0][..6],
        [
            "flaky",
            "✓\u{fe0e} completed",
            "2",
            "10.0 ms",
            "80.0 ms",
            "100 ms"
        ]
    );
    assert_eq!(
        rows[0][6],
        "attempt 1 failed after 20.0 ms: connection reset by peer"
    );
    assert_eq!(rows[1][..5], ["cached", "⚡\u{fe0e} cached", "", "", ""]);
    assert_eq!(rows[1][6], "result from flow run 0191-earlier, call c0ffee");
    assert_eq!(rows[2][1], "✗\u{fe0e} failed");
    assert_eq!(rows[2][6], "first\nsecondcaused by: no such file");
}

#[test]
fn a_skipped_task_run_says_why_without_the_causes() {
    let mut report = report(100);
    let skipped = report.add("score", [0, 0, 0, 0]);
    report.never_started(skipped, State::Skipped);
    report.run_mut(skipped).error = Some(ErrorReport {
        message: "skipped, because `load` did not complete".to_owned(),
        causes: vec!["no such file".to_owned()],
        backtrace: None,
    });
    let html = report.to_html(&[]);
    let rows = rows(&check_page(&html), "task runs");
    assert_eq!(rows[0][6], "skipped, because `load` did not complete");
}

#[test]
fn a_map_is_one_row_that_counts_its_items() {
    let mut report = report(100);
    let map = report.add("embed_rows", [0, 0, 0, 100]);
    report.run_mut(map).kind = NodeKind::Map;
    report.run_mut(map).items = Some(TaskCounts {
        task: "embed_row".to_owned(),
        completed: 9_700,
        found: 600,
        failed: 240,
        cancelled: 60,
    });
    let html = report.to_html(&[]);
    assert_eq!(
        rows(&check_page(&html), "task runs")[0][6],
        "10,000 items, 240 failed, 60 cancelled, 600 cached or reused of embed_row"
    );
}

#[test]
fn the_critical_path_has_its_steps_in_order() {
    let mut report = report(100);
    let load = report.add("load", [0, 0, 0, 40]);
    let train = report.add("train", [0, 40, 50, 100]);
    report.edge(load, train);
    let html = report.to_html(&[]);
    let rows = rows(&check_page(&html), "Critical path");
    assert_eq!(rows[0], ["load", "0 ns", "", "40.0 ms", "", ""]);
    assert_eq!(rows[1], ["train", "40.0 ms", "10.0 ms", "50.0 ms", "", ""]);
}

#[test]
fn parameters_manifest_and_logs_are_there_where_they_are_known() {
    let mut report = report(100);
    report.parameters.push(ParameterReport {
        name: "seed".to_owned(),
        value: serde_json::json!(7),
    });
    report.manifest.insert("rustc".to_owned(), "1.89.0".into());
    report
        .manifest
        .insert("git_commit".to_owned(), serde_json::Value::Null);
    for (level, message) in [("INFO", "begun"), ("WARN", "slow")] {
        report.logs.push(LogReport {
            at: ms(5),
            level: level.to_owned(),
            target: "t".to_owned(),
            message: message.to_owned(),
            attempt: None,
        });
    }
    let html = report.to_html(&[]);
    let document = check_page(&html);
    assert_eq!(
        headings(&document)[2..],
        [
            "Task runs",
            "Critical path",
            "Parameters",
            "Manifest",
            "Logs"
        ]
    );
    assert!(html.contains("<dt>seed</dt><dd>7</dd>"));
    assert!(html.contains("<dt>rustc</dt><dd>1.89.0</dd>"));
    assert!(!html.contains("git_commit"));
    assert_eq!(
        rows(&document, "Logs")[1],
        ["5.00 ms", "WARN", "brisk-otter", "slow"]
    );
}

const HOSTILE: &str = "</title><script>alert('1')</script>\u{0}\u{202e}&\"<!-- ]]>";

#[test]
fn nothing_that_a_user_wrote_is_markup() {
    let mut report = report(100);
    for text in [&mut report.flow, &mut report.name, &mut report.flow_run] {
        *text = HOSTILE.to_owned();
    }
    report.tags.push(HOSTILE.to_owned());
    report.error = Some(ErrorReport {
        message: HOSTILE.to_owned(),
        causes: vec![HOSTILE.to_owned()],
        backtrace: None,
    });
    report.state = State::Failed;
    let run = report.add(HOSTILE, [0, 10, 20, 100]);
    report.fail_attempt(run, 20, 40, 60);
    let run = report.run_mut(run);
    run.failed_attempts[0].error = error(HOSTILE);
    run.task = HOSTILE.to_owned();
    run.source = HOSTILE.to_owned();
    run.state = State::Failed;
    run.error = Some(error(HOSTILE));
    run.result_from = Some(ResultSource {
        flow_run: HOSTILE.to_owned(),
        call: HOSTILE.to_owned(),
    });
    run.logs.push(LogReport {
        at: ms(5),
        level: HOSTILE.to_owned(),
        target: HOSTILE.to_owned(),
        message: HOSTILE.to_owned(),
        attempt: None,
    });
    report.parameters.push(ParameterReport {
        name: HOSTILE.to_owned(),
        value: serde_json::json!([HOSTILE]),
    });
    report.manifest.insert(HOSTILE.to_owned(), HOSTILE.into());
    for i in 0..50 {
        report.add(&format!("{HOSTILE}{i}"), [0, 0, 0, 1]);
    }
    let section = Section::new(HOSTILE)
        .text(HOSTILE)
        .facts([(HOSTILE, HOSTILE)])
        .table([HOSTILE], [[HOSTILE]])
        .figure(HOSTILE);
    let html = report.to_html(&[section]);
    let document = check_page(&html);
    assert!(!html.contains("<script") && !html.contains("<!--"));
    assert_eq!(rows(&document, "task runs").len(), 51);
    // What was written can be read.
    assert!(text_of(document.root_element()).contains("<script>alert('1')</script>"));
}

#[test]
fn the_policy_of_the_page_forbids_scripts_and_anything_from_outside() {
    let html = report(1).to_html(&[]);
    let document = check_page(&html);
    let policy = document
        .descendants()
        .find(|node| node.attribute("http-equiv") == Some("Content-Security-Policy"));
    assert_eq!(
        policy.unwrap().attribute("content").unwrap(),
        "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
    );
    assert!(html.contains("<p class=\"dim\">There are none.</p>"));
}

#[test]
fn sections_come_first_with_their_tables_and_pictures() {
    let svg = report(1).graph_svg();
    let section = Section::new("Evaluation")
        .text("On rows held out.")
        .facts([("R2", "0.81")])
        .table(
            ["island", "MAE"],
            [vec!["Biscoe", "281.5"], vec!["Dream"], vec!["a", "-", "b"]],
        )
        .figure(
            svg.replace("orch-head", "h")
                .replace("orch-critical-head", "c")
                .replace("orch-clip", "p"),
        );
    let html = report(1).to_html(&[section]);
    let document = check_page(&html);
    assert_eq!(headings(&document)[0], "Evaluation");
    assert_eq!(
        rows(&document, "Evaluation"),
        [["Biscoe", "281.5"], ["Dream", ""], ["a", "-"]]
    );
    assert!(html.contains("<th scope=\"col\">island</th>\n<th scope=\"col\" class=\"n\">MAE</th>"));
    assert!(html.contains("<td class=\"n\">281.5</td>"));
    assert!(html.contains("<figure><svg"));
}

#[test]
fn long_tables_of_sections_are_cut_and_say_so() {
    let section = Section::new("Trials").table(["n"], (0..1_234).map(|n| [n.to_string()]));
    let html = report(1).to_html(&[section]);
    let document = check_page(&html);
    assert_eq!(rows(&document, "Trials").len(), 200);
    assert!(html.contains(">And 1,034 more rows.<"));
}

#[test]
fn the_page_of_ten_thousand_task_runs_is_small_and_has_the_failures() {
    let mut report = report(1_000_000);
    let load = report.add("load", [0, 0, 0, 100]);
    for i in 0..10_000_u64 {
        let name = format!("train_gradient_boosting_on_customers[fold={i}]");
        let start = 100 + i;
        let run = report.add(&name, [100, 100, start, start + 50]);
        report.edge(load, run);
        if i % 100 == 99 {
            report.run_mut(run).state = State::Failed;
            report.run_mut(run).error = Some(error("singular matrix"));
        }
    }
    let html = report.to_html(&[]);
    let document = check_page(&html);
    let listed = rows(&document, "task runs");
    assert_eq!(listed.len(), 200);
    assert!(listed[..100].iter().all(|row| row[1].ends_with("failed")));
    assert!(
        listed[100..]
            .iter()
            .all(|row| row[1].ends_with("completed"))
    );
    assert!(html.contains("The first 200, failures before others, and 9,801 more task runs."));
    let tasks = rows(&document, "tasks");
    assert_eq!(tasks.len(), 2);
    assert_eq!(
        tasks[1][1],
        "✗\u{fe0e} 100 failed, ✓\u{fe0e} 9,900 completed"
    );
    assert!(html.len() < 400_000, "{} bytes", html.len());
}

#[test]
fn long_values_are_shown_on_demand_and_endless_ones_in_part() {
    let mut report = report(1);
    for n_digits in [160, 161, 5_000] {
        report.parameters.push(ParameterReport {
            name: format!("of {n_digits}"),
            value: "7".repeat(n_digits).into(),
        });
    }
    let html = report.to_html(&[]);
    let document = check_page(&html);
    let values = document
        .descendants()
        .filter(|node| node.has_tag_name("dd"));
    let values: Vec<String> = values.map(text_of).collect();
    let of = |n: usize| "7".repeat(n);
    let long = [
        of(160),
        format!("{}…{}", of(80), of(161)),
        format!("{}…{} … and 1,000 more characters", of(80), of(4_000)),
    ];
    assert_eq!(values[values.len() - 3..], long);
}

#[test]
fn numbers_and_durations_are_aligned_to_the_right() {
    let of = |cells: [&str; 2]| {
        let section = Section::new("s").table(["c"], cells.map(|cell| [cell]));
        let html = report(1).to_html(&[section]);
        html.contains("<td class=\"n\">")
    };
    for numbers in [
        ["1", "-2.5"],
        ["1e-7", "-"],
        ["12.4 µs", "2m 14s"],
        ["1,234", "97 %"],
        ["3h 05m", ""],
    ] {
        assert!(of(numbers), "{numbers:?}");
    }
    for texts in [
        ["1", "one"],
        ["7 dwarfs", "1"],
        ["-x", "1"],
        ["12 monkeys ran away", "1"],
    ] {
        assert!(!of(texts), "{texts:?}");
    }
}

#[test]
fn each_state_has_its_mark_and_its_word() {
    let mut report = report(100);
    for state in State::ALL {
        let run = report.add(state.word(), [0, 0, 0, 50]);
        report.run_mut(run).state = state;
    }
    let html = report.to_html(&[]);
    let rows = rows(&check_page(&html), "task runs");
    for (row, state) in rows.iter().zip(State::ALL) {
        let text = match state {
            // Drawn, since many fonts lack them.
            State::Paused | State::TimedOut => format!(" {state}"),
            state => format!("{}\u{fe0e} {state}", state.mark()),
        };
        assert_eq!(row[1], text);
    }
    assert_eq!(
        html.matches("aria-hidden=\"true\"><path").count(),
        4,
        "in rows and above"
    );
}

#[test]
fn equal_reports_give_equal_pages() {
    assert_eq!(ml_run().to_html(&[]), ml_run().to_html(&[]));
}

#[test]
fn what_was_logged_is_listed_and_curves_are_drawn() {
    const OF: &str = "fit <1> & more";
    let mut report = report(100);
    let point = |step, value| MetricPoint::new(step, 0, value);
    let points = vec![
        point(0, 2.0),
        point(1, f64::NAN),
        point(2, 1.0),
        point(4, 0.5),
    ];
    let loss = MetricReport {
        last: 0.5,
        min: 0.5,
        max: 2.0,
        n_points: 4,
        points,
    };
    let accuracy = MetricReport {
        last: 0.9,
        min: 0.9,
        max: 0.9,
        n_points: 1,
        points: vec![point(0, 0.9)],
    };
    let metrics = [("loss", loss), ("accuracy", accuracy)];
    report.logged.push(LoggedReport {
        name: OF.to_owned(),
        metrics: metrics.map(|(name, of)| (name.to_owned(), of)).into(),
        params: [("depth".to_owned(), serde_json::json!(4))].into(),
        tags: [("team".to_owned(), "blue".to_owned())].into(),
        artifacts: [(
            "roc.svg".to_owned(),
            ArtifactReport::new(
                1_234,
                "image/svg+xml".to_owned(),
                "0123456789abcdef".to_owned(),
            ),
        )]
        .into(),
        ..LoggedReport::default()
    });
    let html = report.to_html(&[]);
    let document = check_page(&html);
    let expected = ["accuracy", OF, "0.9", "", "", "1"];
    assert_eq!(rows(&document, "Metrics")[0], expected);
    assert_eq!(
        rows(&document, "Metrics")[1],
        ["loss", OF, "0.5", "0.5", "2", "4"]
    );
    assert_eq!(rows(&document, "Params"), [["depth", OF, "4"]]);
    assert_eq!(rows(&document, "Tags"), [["team", OF, "blue"]]);
    let expected = ["roc.svg", OF, "image/svg+xml", "1,234", "0123456789ab"];
    assert_eq!(rows(&document, "Artifacts"), [expected]);
    // By hand: steps 0, 2 and 4 over 312 pixels from 4, values 2, 1 and 0.5 over 82 up from 86.
    let lines = document
        .descendants()
        .filter(|node| node.has_tag_name("polyline"));
    let lines: Vec<&str> = lines.filter_map(|line| line.attribute("points")).collect();
    assert_eq!(lines, ["4.0,4.0 160.0,58.7 316.0,86.0"]);
}

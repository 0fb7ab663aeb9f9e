//! The examples as programs: what they print, what they write, and what they say of bad input.
//!
//! Cargo builds examples before it runs all tests of their package (with `--test programs` alone it
//! does not: `cargo build -p orch-examples --examples` does), and puts them beside the tests, where
//! they are looked for. It has no variable with their paths, as it has for programs of a package.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn program(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("a running program has a path");
    // target/<profile>/deps/programs-<hash>
    let profile = test
        .ancestors()
        .nth(2)
        .expect("tests are two directories down");
    let path = profile
        .join("examples")
        .join(format!("{name}{}", std::env::consts::EXE_SUFFIX));
    assert!(
        path.exists(),
        "{} is not built: run `cargo build -p orch-examples --examples`",
        path.display()
    );
    path
}

fn run(name: &str, arguments: &[&str]) -> Output {
    Command::new(program(name))
        .args(arguments)
        .env_remove("RUST_BACKTRACE")
        .env_remove("RUST_LIB_BACKTRACE")
        .output()
        .expect("the example can be started")
}

#[track_caller]
fn check_succeeds(name: &str, arguments: &[&str]) -> (String, String) {
    let output = run(name, arguments);
    let (out, err) = texts(&output);
    assert_eq!(output.status.code(), Some(0), "{out}\n{err}");
    (out, err)
}

fn texts(output: &Output) -> (String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("messages are UTF-8");
    (text(&output.stdout), text(&output.stderr))
}

#[track_caller]
fn check_contains(text: &str, expected: &[&str]) {
    for expected in expected {
        assert!(text.contains(expected), "`{expected}` is not in:\n{text}");
    }
}

/// What follows `label` on its line.
fn number(text: &str, label: &str) -> f64 {
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(label))
        .expect("the label is there");
    line.trim().parse().expect("a number follows the label")
}

struct Csv {
    dir: tempfile::TempDir,
    path: PathBuf,
}

fn csv(text: &str) -> Csv {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("table.csv");
    fs::write(&path, text).unwrap();
    Csv { dir, path }
}

/// Runs `ml_workflow` on a table with columns `a`, `b` and `y`.
fn run_on(path: &Path, rest: &[&str]) -> Output {
    let mut arguments = vec!["--data", path.to_str().unwrap()];
    for default in [["--features", "a,b"], ["--target", "y"]] {
        if !rest.contains(&default[0]) {
            arguments.extend(default);
        }
    }
    arguments.extend(rest);
    run("ml_workflow", &arguments)
}

/// The error names the task run, the file and the place, says what to do, and is all there is.
#[track_caller]
fn check_fails(path: &Path, rest: &[&str], task_run: &str, expected: &[&str]) {
    let output = run_on(path, rest);
    let (_, err) = texts(&output);
    assert_eq!(output.status.code(), Some(1), "{err}");
    check_contains(
        &err,
        &[
            &format!("error: cannot learn from `{}`\n", path.display()),
            &format!("caused by: task run `{task_run}` of flow run `ml-workflow-"),
            "\nhelp: ",
        ],
    );
    check_contains(&err, expected);
    for unwanted in ["panicked", "RUST_BACKTRACE", "stack backtrace", "   0: "] {
        assert!(!err.contains(unwanted), "{err}");
    }
    assert_eq!(err.matches("help: ").count(), 1, "{err}");
}

const TABLE: &str = "a,b,y\n1,5,2\n2,4,4\n3,7,6\n4,1,8\n5,9,10\n";

#[test]
fn ml_workflow_needs_no_arguments() {
    let (out, _) = check_succeeds("ml_workflow", &[]);
    check_contains(
        &out,
        &[
            "held-out rows: 67",
            "state",
            "load",
            "preprocess",
            "train_linear",
            "evaluate_linear",
            "critical path: ",
        ],
    );
    // scikit-learn 1.9.1 on the same rows; see the tests of the flow.
    for (label, expected) in [
        ("R2", 0.8068802835222778),
        ("MAE", 293.3402521305361),
        ("RMSE", 358.93259616044463),
    ] {
        let found = number(&out, &format!("{label} "));
        assert!(
            ((found - expected) / expected).abs() < 1e-9,
            "{label} {found}"
        );
    }
}

#[test]
fn ml_workflow_runs_on_the_users_own_file() {
    let table = csv(TABLE);
    let output = run_on(&table.path, &["--test-fraction", "0.4", "--seed", "3"]);
    let (out, err) = texts(&output);
    assert_eq!(output.status.code(), Some(0), "{err}");
    check_contains(&out, &["held-out rows: 2"]);
    assert!(number(&out, "RMSE ") < 1e-9); // y is 2 a
}

#[test]
fn ml_workflow_writes_a_report_on_request() {
    let dir = tempfile::tempdir().unwrap();
    let report = dir.path().join("new").join("report");
    let (out, _) = check_succeeds("ml_workflow", &["--report", report.to_str().unwrap()]);
    let read = |name: &str| {
        let path = report.join(name);
        check_contains(&out, &[&path.display().to_string()]);
        fs::read_to_string(path).unwrap()
    };
    let page = read("report.html");
    check_page(
        &page,
        &[
            "Rows held out",
            "R2",
            "0.8069",
            "Residuals",
            "Graph",
            "Timeline",
        ],
    );
    check_contains(&read("graph.svg"), &["<svg", "preprocess", "</svg>"]);
    check_contains(
        &read("timeline.svg"),
        &["<svg", "evaluate_linear", "</svg>"],
    );
    check_contains(&read("graph.dot"), &["digraph", "train_linear"]);
    check_contains(&read("graph.mmd"), &["flowchart", "load"]);
    let run: serde_json::Value = serde_json::from_str(&read("run.json")).unwrap();
    assert!(run.to_string().contains("ml-workflow"));
}

/// A page has all that is expected, and nothing that runs or is loaded from somewhere.
#[track_caller]
fn check_page(page: &str, expected: &[&str]) {
    assert!(page.starts_with("<!DOCTYPE html>") && page.ends_with("</html>\n"));
    let names_of_xml = page.matches("xmlns=\"http://www.w3.org/2000/svg\"").count();
    assert_eq!(page.matches("://").count(), names_of_xml);
    assert!(!page.contains("<script") && !page.contains("src="));
    check_contains(page, expected);
}

/// The page that an example writes.
#[track_caller]
fn page_of(name: &str, arguments: &[&str]) -> String {
    let dir = tempfile::tempdir().unwrap();
    let report = ["--report", dir.path().to_str().unwrap()];
    check_succeeds(name, &[arguments, &report].concat());
    fs::read_to_string(dir.path().join("report.html")).unwrap()
}

#[test]
fn the_page_of_penguins_shows_both_models_and_looks_into_one() {
    let page = page_of("penguins", &[]);
    let expected = [
        "Test rows: logistic regression",
        "Test rows: random forest",
        "Random forest by island",
        "Torgersen",
        "Permutation importance",
        "Calibration",
    ];
    check_page(&page, &expected);
    assert_eq!(
        page.matches("Confusion matrix").count(),
        4,
        "title and label of two"
    );
}

#[test]
fn the_page_of_tune_forest_shows_the_trials_and_the_best_forest() {
    let page = page_of("tune_forest", &["--trials", "3", "--folds", "2"]);
    let expected = [
        "Scores of the trials",
        "Scores by max_depth",
        "ROC curve",
        "AUC 0.",
    ];
    check_page(&page, &expected);
}

#[test]
fn a_failed_run_has_a_report_too() {
    let table = csv("a,b,y\n1,2\n");
    let report = table.dir.path().join("report");
    check_fails(
        &table.path,
        &["--report", report.to_str().unwrap()],
        "load",
        &["line 2"],
    );
    check_contains(
        &fs::read_to_string(report.join("graph.svg")).unwrap(),
        &["</svg>"],
    );
    let page = fs::read_to_string(report.join("report.html")).unwrap();
    check_page(
        &page,
        &["failed", "line 2 has 2 cells, expected 3", "skipped"],
    );
}

#[test]
fn a_missing_file_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("nowhere.csv");
    let expected = format!("cannot read `{}`", path.display());
    check_fails(
        &path,
        &[],
        "load",
        &[&expected, "help: check that the file exists"],
    );
}

#[test]
fn a_directory_is_no_file() {
    let dir = tempfile::tempdir().unwrap();
    let expected = format!("`{}` is a directory, expected a file", dir.path().display());
    check_fails(dir.path(), &[], "load", &[&expected]);
}

#[test]
fn an_empty_file_is_named() {
    let table = csv("");
    let expected = format!("`{}` is empty", table.path.display());
    check_fails(&table.path, &[], "load", &[&expected]);
}

#[test]
fn a_header_alone_has_no_rows() {
    let table = csv("a,b,y\n");
    let expected = format!("`{}` has no rows", table.path.display());
    check_fails(&table.path, &[], "preprocess", &[&expected]);
}

#[test]
fn a_ragged_row_is_named_by_its_line() {
    let table = csv("a,b,y\n1,2,3\n\n4,5\n6,7,8\n");
    let expected = format!("`{}` line 4 has 2 cells, expected 3", table.path.display());
    check_fails(&table.path, &[], "load", &[&expected]);
}

#[test]
fn an_open_quote_is_named_by_its_line() {
    let table = csv("a,b,y\n1,2,3\n4,\"5,6\n7,8,9\n");
    let expected = format!("`{}` line 3 opens a quote", table.path.display());
    check_fails(&table.path, &[], "load", &[&expected]);
}

#[test]
fn bytes_that_are_not_utf_8_are_named_by_line_and_column() {
    let table = csv("");
    fs::write(&table.path, b"a,b,y\n1,2,3\n4,caf\xe9,5\n").unwrap();
    check_fails(
        &table.path,
        &[],
        "load",
        &["line 3, column `b`", "is not UTF-8"],
    );
}

#[test]
fn an_unknown_column_lists_those_there_are() {
    let table = csv(TABLE);
    for rest in [["--features", "a,c"], ["--target", "c"]] {
        check_fails(
            &table.path,
            &rest,
            "preprocess",
            &["column `c`", "its columns: `a`, `b`, `y`"],
        );
    }
}

#[test]
fn a_slip_of_the_keyboard_gets_a_suggestion() {
    let table = csv("size,price\n1,2\n2,4\n");
    let rest = ["--features", "sice", "--target", "price"];
    check_fails(&table.path, &rest, "preprocess", &["did you mean `size`?"]);
}

#[test]
fn text_where_numbers_are_needed_is_named_by_its_row_in_the_file() {
    // Row 0 is dropped, being incomplete; the rows keep their numbers.
    let features = csv("a,b,y\n1,,2\n2,4,4\n3,wide,6\n4,1,8\n");
    let expected = format!(
        "column `b` of `{}` holds text where numbers are needed: row 2 is `wide`",
        features.path.display()
    );
    check_fails(&features.path, &[], "preprocess", &[&expected]);

    let target = csv("a,b,y\n1,5,2\n2,4,high\n3,7,6\n");
    check_fails(
        &target.path,
        &[],
        "preprocess",
        &["column `y`", "row 1 is `high`"],
    );
}

#[test]
fn a_number_that_is_not_finite_is_named_by_its_row_in_the_file() {
    let table = csv("a,b,y\n1,,2\n2,4,4\n3,inf,6\n4,1,8\n");
    check_fails(
        &table.path,
        &[],
        "preprocess",
        &["column `b` is inf at row 2"],
    );
}

#[test]
fn a_table_without_a_complete_row_names_the_worst_column() {
    let table = csv("a,b,y\n1,,2\n2,,4\n,5,6\n");
    let expected = format!(
        "all 3 rows of `{}` have a missing value",
        table.path.display()
    );
    check_fails(
        &table.path,
        &[],
        "preprocess",
        &[&expected, "column `b` alone misses 2"],
    );
}

#[test]
fn one_row_cannot_be_split() {
    let table = csv("a,b,y\n1,5,2\n");
    check_fails(
        &table.path,
        &[],
        "preprocess",
        &["1 row with `test_fraction` 0.2 leave"],
    );
}

#[test]
fn a_share_outside_of_0_to_1_is_refused() {
    let table = csv(TABLE);
    for share in ["0", "1", "1.5", "-0.1", "NaN", "inf"] {
        let rest = ["--test-fraction", share];
        let expected = ["`test_fraction` is ", "expected a value between 0 and 1"];
        check_fails(&table.path, &rest, "preprocess", &expected);
    }
}

#[test]
fn a_target_that_is_a_feature_is_refused() {
    let table = csv(TABLE);
    let rest = ["--features", "a,y"];
    check_fails(
        &table.path,
        &rest,
        "preprocess",
        &["column `y` is both the target and a feature"],
    );
}

#[test]
fn a_constant_feature_works_and_warns() {
    let table = csv("a,b,y\n1,5,2\n2,5,4\n3,5,6\n4,5,8\n5,5,10\n");
    let output = run_on(&table.path, &[]);
    let (out, err) = texts(&output);
    assert_eq!(output.status.code(), Some(0), "{err}");
    check_contains(
        &err,
        &[
            "warning: task run `train_linear`: ",
            "features are constant",
        ],
    );
    check_contains(&out, &["held-out rows: 1"]);
}

#[test]
fn a_place_that_cannot_be_written_to_is_named() {
    let table = csv(TABLE);
    let path = table.path.display().to_string();
    for (option, error, help) in [
        (
            "--store",
            "store file",
            "help: a file is where the folder should be",
        ),
        ("--report", "report file", "help: choose a directory"),
    ] {
        let output = run_on(&table.path, &[option, &path]);
        let (_, err) = texts(&output);
        assert_eq!(output.status.code(), Some(1), "{err}");
        check_contains(&err, &[&format!("error: {error} `{path}`"), help]);
    }
}

#[test]
fn daily_forest_explains_bad_input_as_well() {
    for (text, target, task_run, expected) in [
        ("", "y", "load_csv", "is empty"),
        ("a,y\n", "y", "separate_label", "has no rows"),
        ("a,y\n1\n", "y", "load_csv", "line 2 has 1 cell"),
        (
            "a,y\n1,u\n2,v\n",
            "z",
            "separate_label",
            "column `z` is not in",
        ),
        ("a,y\n,u\n,v\n", "y", "drop_incomplete", "all 2 rows of"),
        (
            "a,y\nx,u\n2,v\n",
            "y",
            "separate_label",
            "holds text where numbers are needed",
        ),
        (
            "a,y\n1,u\n",
            "y",
            "split_classes",
            "1 row with `test_fraction` 0.2 leave",
        ),
    ] {
        let table = csv(text);
        let path = table.path.to_str().unwrap();
        let output = run("daily_forest", &["--data", path, "--target", target]);
        let (_, err) = texts(&output);
        assert_eq!(output.status.code(), Some(1), "{err}");
        let caused_by = format!("caused by: task run `{task_run}` of flow run `daily-forest-");
        check_contains(&err, &[&caused_by, expected, "\nhelp: "]);
        assert!(!err.contains("panicked"), "{err}");
    }
}

#[test]
fn wrong_arguments_are_explained() {
    for arguments in [
        &["--data", "x.csv"][..],
        &["--seed", "many"],
        &["--colour", "red"],
    ] {
        let output = run("ml_workflow", arguments);
        let (_, err) = texts(&output);
        assert_eq!(output.status.code(), Some(2), "{err}");
        check_contains(&err, &["error: ", "--help"]);
    }
}

#[test]
fn daily_forest_saves_a_model_that_predicts() {
    let dir = tempfile::tempdir().unwrap();
    let model = dir.path().join("iris.model");
    let arguments = ["--model", model.to_str().unwrap(), "--trees", "30"];
    let (out, _) = check_succeeds("daily_forest", &arguments);
    check_contains(
        &out,
        &[
            "forest classifier of `species`",
            "fitted to     120 rows, digest ",
            "predicted by the saved model: ",
            "load_model",
            "critical path: ",
        ],
    );
    let kept = orch_ml::load_model(&model).unwrap();
    assert!(kept.metric("accuracy").unwrap() > 0.9);
    assert_eq!(kept.kind(), "forest classifier");
    assert_eq!(kept.feature_names().len(), 4);
}

#[test]
fn a_model_that_cannot_be_saved_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let model = dir.path().join("no-such-directory").join("iris.model");
    let output = run("daily_forest", &["--model", model.to_str().unwrap()]);
    let (_, err) = texts(&output);
    assert_eq!(output.status.code(), Some(1), "{err}");
    let expected = format!("cannot write `{}`", model.display());
    check_contains(
        &err,
        &[
            "task run `save_model`",
            &expected,
            "help: check that the folder",
        ],
    );
}

/// The state of each task run in a printed table, by name.
fn states(out: &str) -> Vec<(&str, &str)> {
    let rows = out.lines().skip_while(|line| !line.starts_with("state"));
    let rows = rows.skip(1).take_while(|line| !line.is_empty());
    rows.map(|row| {
        let mut words = row.split_whitespace().skip(1);
        let state = words.next().expect("a state follows its mark");
        (words.next().expect("a name follows the state"), state)
    })
    .collect()
}

#[track_caller]
fn check_states(out: &str, is_executed: impl Fn(&str) -> bool) {
    let states = states(out);
    assert!(states.len() > 3, "{out}");
    for (name, state) in states {
        let expected = if is_executed(name) {
            "completed"
        } else {
            "cached"
        };
        assert_eq!(state, expected, "{name} in:\n{out}");
    }
}

#[test]
fn ml_workflow_computes_what_has_changed_since_the_last_run() {
    let dir = tempfile::tempdir().unwrap();
    let store = dir.path().join("store");
    let run = |rest: &[&str]| {
        let arguments = [&["--store", store.to_str().unwrap()], rest].concat();
        check_succeeds("ml_workflow", &arguments).0
    };
    let first = run(&[]);
    check_states(&first, |_| true);
    let second = run(&[]);
    check_states(&second, |_| false);
    for label in ["R2", "MAE", "RMSE"] {
        assert_eq!(number(&second, label), number(&first, label));
    }
    // Other rows are tested on; the file is the same.
    check_states(&run(&["--seed", "7"]), |name| name != "load");
}

#[test]
fn penguins_compares_two_models_on_prepared_rows() {
    let (out, err) = check_succeeds("penguins", &[]);
    check_contains(
        &out,
        &[
            "! `sex` is there: 11 of 344 rows are not",
            "fitted to 258 rows",
            "island: to island_Biscoe, island_Dream, island_Torgersen",
            "logistic regression, 86 rows that it has not seen:",
            "random forest, 86 rows that it has not seen:",
        ],
    );
    assert_eq!(out.matches("precision").count(), 6, "{out}");
    assert!(!err.contains("error"), "{err}");
}

#[test]
fn tune_forest_tries_each_candidate_once() {
    let directory = tempfile::tempdir().unwrap();
    let store = directory.path().join("store");
    let tune = |trials| {
        let arguments = [
            "--trials",
            trials,
            "--folds",
            "2",
            "--store",
            store.to_str().unwrap(),
        ];
        check_succeeds("tune_forest", &arguments).0
    };
    let out = tune("4");
    check_contains(
        &out,
        &["best of 4 trials: ForestOptions", "trials (4 items)"],
    );
    check_contains(
        &out,
        &["on 114 rows that no trial has seen", "tuned", "default"],
    );
    let tuned = out
        .lines()
        .find(|line| line.starts_with("  tuned"))
        .unwrap();
    let accuracy: f64 = tuned.split_whitespace().nth(2).unwrap().parse().unwrap();
    assert!(accuracy > 0.85, "{out}");
    let out = tune("6");
    check_contains(&out, &["best of 6 trials", "trials (6 items, 2 executed)"]);
}

#[test]
fn daily_forest_keeps_its_results_and_looks_after_the_model_file() {
    let dir = tempfile::tempdir().unwrap();
    let (store, model) = (dir.path().join("store"), dir.path().join("iris.model"));
    let paths = [&store, &model].map(|path| path.to_str().unwrap());
    let run = |trees: &str| {
        let arguments = ["--store", paths[0], "--model", paths[1], "--trees", trees];
        check_succeeds("daily_forest", &arguments).0
    };
    let first = run("20");
    check_states(&first, |_| true);
    let second = run("20");
    check_states(&second, |_| false);
    let metrics = |out: &str| out.find("  metrics").map(|at| out[at..at + 300].to_owned());
    assert!(metrics(&first).is_some() && metrics(&second) == metrics(&first));

    // Another forest: what comes before the training is the same.
    let of_forest = [
        "train_forest_classifier",
        "evaluate_forest_classifier",
        "pack_classifier",
        "save_model",
        "load_model",
        "predict_table",
    ];
    check_states(&run("21"), |name| of_forest.contains(&name));
    // A model file that is gone is written again, and holds what it held.
    fs::remove_file(&model).unwrap();
    check_states(&run("21"), |name| name == "save_model");
    assert!(model.exists());
}

#[test]
fn compare_runs_puts_runs_with_several_options_side_by_side() {
    let dir = tempfile::tempdir().unwrap();
    let (store, csv) = (dir.path().join("store"), dir.path().join("runs.csv"));
    let arguments = [
        "--store",
        store.to_str().unwrap(),
        "--csv",
        csv.to_str().unwrap(),
    ];
    let (out, _) = check_succeeds("compare_runs", &arguments);
    let table: Vec<&str> = out
        .lines()
        .take_while(|line| !line.starts_with('*'))
        .collect();
    check_contains(
        table[0],
        &[
            "flow run",
            "max_depth",
            "min_samples_leaf",
            "accuracy",
            "log_loss",
            "took",
        ],
    );
    assert_eq!(table.len(), 7, "{out}");
    for row in ["depth 2, leaf 1", "depth 4, leaf 8", "depth any, leaf 1"] {
        assert!(table.iter().any(|line| line.starts_with(row)), "{out}");
    }
    check_contains(
        &out,
        &[
            "* best: greatest accuracy",
            "least log_loss",
            "the same in all: ",
            "n_trees=100",
            "seed=42",
        ],
    );
    let curve = out
        .lines()
        .skip_while(|line| !line.starts_with("least log loss: "));
    let trees: Vec<&str> = curve
        .skip(1)
        .take(4)
        .map(|line| line.split_whitespace().next().unwrap())
        .collect();
    assert_eq!(trees, ["12", "25", "50", "100"]);

    let csv_text = fs::read_to_string(&csv).unwrap();
    assert_eq!(csv_text.lines().count(), 7, "{csv_text}");
    check_contains(&csv_text, &["metric recall/benign", "param bootstrap"]);
    // The second time every result is cached, and what was logged is the same. The name of a flow run
    // has a comma.
    let columns = |text: &str| -> Vec<String> {
        let lines = text.lines().skip(1);
        lines
            .map(|line| line.splitn(8, ',').last().unwrap().to_owned())
            .collect()
    };
    check_succeeds("compare_runs", &arguments);
    assert_eq!(
        columns(&fs::read_to_string(&csv).unwrap()),
        columns(&csv_text)
    );
}

//! `orch_core::cli` as the whole of a program: what it prints, and what it says of bad input.
//!
//! Cargo builds examples before it runs the tests of their package, and puts them beside the tests
//! (with `--test command_line` alone it does not: `cargo build -p orch-examples --examples` does).

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::Value;

/// A folder with a text and a store, in which the program runs.
struct Place(tempfile::TempDir);

/// What a command printed, and the code it exited with.
#[derive(Debug)]
struct Done {
    code: Option<i32>,
    out: String,
    err: String,
}

impl Place {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::write(
            dir.path().join("book.txt"),
            "The cat saw the dog.\nThe dog ran.\n",
        )
        .unwrap();
        Self(dir)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn writes(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    fn run(&self, line: &str) -> Done {
        self.run_all(&line.split_whitespace().collect::<Vec<_>>())
    }

    fn run_all(&self, arguments: &[&str]) -> Done {
        let test = std::env::current_exe().expect("a running program has a path");
        let profile = test
            .ancestors()
            .nth(2)
            .expect("tests are two directories down");
        let program = profile
            .join("examples")
            .join(format!("command_line{}", std::env::consts::EXE_SUFFIX));
        assert!(
            program.exists(),
            "{} is not built: run `cargo build -p orch-examples --examples`",
            program.display()
        );
        let output = Command::new(program)
            .args(arguments)
            .current_dir(self.0.path())
            .env_remove("RUST_BACKTRACE")
            .env("SEALING_SALT", "correct horse")
            .stdin(Stdio::null())
            .output()
            .expect("the example can be started");
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("messages are UTF-8");
        Done {
            code: output.status.code(),
            out: text(output.stdout),
            err: text(output.stderr),
        }
    }

    #[track_caller]
    fn succeeds(&self, line: &str, expected: &[&str]) -> String {
        let done = self.run(line);
        assert_eq!(done.code, Some(0), "{done:#?}");
        check_contains(&done.out, expected);
        assert!(!done.out.contains('\u{1b}'), "no colours: {}", done.out);
        done.out
    }

    #[track_caller]
    fn fails(&self, line: &str, code: i32, expected: &[&str]) -> Done {
        let done = self.run(line);
        assert_eq!(done.code, Some(code), "{done:#?}");
        check_contains(&done.err, expected);
        assert!(!done.err.contains("panicked"), "{done:#?}");
        done
    }

    #[track_caller]
    fn json(&self, line: &str) -> Value {
        let done = self.run(&format!("{line} --json"));
        assert_eq!(done.code, Some(0), "{done:#?}");
        serde_json::from_str(&done.out).expect("it is JSON")
    }

    /// Runs `count-words` so that it completes.
    fn counts(&self, rest: &str) {
        fs::create_dir_all(self.path("out")).unwrap();
        let line = format!("run count-words -q --param file=book.txt --param to=out {rest}");
        self.succeeds(&line, &["result: "]);
    }
}

#[track_caller]
fn check_contains(text: &str, expected: &[&str]) {
    for expected in expected {
        assert!(text.contains(expected), "`{expected}` is not in:\n{text}");
    }
}

/// The states of the task runs that a command printed as JSON, by task.
fn states(report: &Value) -> Vec<(String, String)> {
    let runs = report["task_runs"].as_array().expect("it has task runs");
    let text = |value: &Value| value.as_str().expect("it is a text").to_owned();
    runs.iter()
        .map(|run| (text(&run["task"]), text(&run["state"])))
        .collect()
}

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    let pairs = pairs.iter();
    pairs
        .map(|(a, b)| ((*a).to_owned(), (*b).to_owned()))
        .collect()
}

#[test]
fn flows_lists_parameters_with_types_and_what_a_flow_is_for() {
    let place = Place::new();
    place.succeeds(
        "flows",
        &[
            "count-words\n    Counts the words of a text file",
            "--param file=<DataFile>\n",
            "--param min_length=<Option<u32>>  (may be left out)\n",
            "--param stamped=<bool>\n",
        ],
    );
    let flows = place.json("flows");
    assert_eq!(flows[0]["name"], "count-words");
    assert_eq!(flows[0]["parameters"][0]["type"], "DataFile");
    assert_eq!(
        flows[1]["schema"]["required"],
        serde_json::json!(["n", "stamped"])
    );
    assert!(!place.path(".orch").exists(), "nothing was run");
}

#[test]
fn wrong_usage_exits_with_2_and_names_what_is_wrong() {
    let place = Place::new();
    let run = "run count-words --param file=book.txt --param to=out";
    for (line, expected) in [
        (
            "run count-word",
            &["no flow `count-word`", "`count-words`, `sample`, `seal`"][..],
        ),
        (
            "run sample --param n=1 --param stamped=false --param m=2",
            &["no parameter `m`", "`n`, `stamped`"],
        ),
        (
            "run sample --param n=1.5 --param stamped=true",
            &["parameter `n` of type `u32`", "1.5"],
        ),
        (
            "run sample --param n=one --param stamped=true",
            &["parameter `n` of type `u32`", "\"one\""],
        ),
        (
            "run sample --param n=-1 --param stamped=true",
            &["parameter `n` of type `u32`", "-1"],
        ),
        (
            "run sample --param stamped=true",
            &["parameter `n` of type `u32` is missing"],
        ),
        (
            "run sample --param n=1 --param n=2 --param stamped=true",
            &["parameter `n` is given twice"],
        ),
        ("run sample --param n", &["expected NAME=VALUE"]),
        ("runs --state done", &["expected one of:", "completed"]),
        ("walk", &["unrecognized subcommand 'walk'"]),
    ] {
        place.fails(line, 2, expected);
    }
    place.fails(
        &format!("{run} --param min_length=few"),
        2,
        &["`min_length`", "Option<u32>"],
    );
    assert!(
        !place.path(".orch").exists(),
        "no store was made for a run that never was"
    );
    let json = place.run("run nothing --json");
    assert_eq!(json.code, Some(2));
    let error: Value = serde_json::from_str(&json.out).unwrap();
    check_contains(
        error["error"]["message"].as_str().unwrap(),
        &["no flow `nothing`"],
    );
}

#[test]
fn a_value_is_json_where_the_type_takes_that_and_text_elsewhere() {
    let place = Place::new();
    // A path may look like a number, and so may a text.
    fs::create_dir(place.path("7")).unwrap();
    fs::write(place.path("1"), "one two two").unwrap();
    let done = place.json("run count-words -q --param file=1 --param to=7 --param min_length=3");
    assert_eq!(done["result"], serde_json::json!({ "one": 1, "two": 2 }));
    assert!(place.path("7/counts.txt").exists());
}

#[test]
fn what_is_not_there_exits_with_1() {
    let place = Place::new();
    for line in [
        "runs",
        "show x",
        "explain x y",
        "lineage x y",
        "resume x",
        "diff x y",
        "cache ls",
    ] {
        place.fails(
            line,
            1,
            &["there is no store in `.orch`", "help: `--store DIR`"],
        );
    }
    assert!(!place.path(".orch").exists());
    place.counts("--name one");
    place.counts("--name once");
    place.fails(
        "show two",
        1,
        &["there is no flow run `two`", "help: `runs` lists"],
    );
    place.fails(
        "show on",
        1,
        &["`on` could be any of 2", "`one` (", "`once` ("],
    );
    place.succeeds("show one", &["count-words"]);
    let unknown = "flow run `one` has no task run `nothing`";
    place.fails(
        "explain one nothing",
        1,
        &[unknown, "`count`, `publish`, `read`"],
    );
    place.fails(
        "rerun one --from nothing",
        2,
        &["no runs of task `nothing`", "`read`"],
    );
    place.fails("cache rm 0123", 1, &["no cached result has a key"]);
}

#[test]
fn a_failed_run_is_gone_on_with() {
    let place = Place::new();
    let run = "run count-words --param file=book.txt --param to=out --key monday --store kept";
    let failed = place.run(run);
    assert_eq!(failed.code, Some(1), "{failed:#?}");
    check_contains(
        &failed.out,
        &["✗ failed `publish`", "No such file", "goes on with it"],
    );
    check_contains(&failed.err, &["● running  publish", "✗ failed  publish"]);
    place.succeeds(
        "show monday --store kept",
        &["key      monday", "✗ failed     publish"],
    );
    let why = "`publish` is failed after 1 attempt";
    place.succeeds(
        "explain monday publish --store kept",
        &[why, "its task is not cached"],
    );

    fs::create_dir(place.path("out")).unwrap();
    let resumed = place.json("resume monday --store kept");
    let expected = [
        ("read", "reused"),
        ("count", "reused"),
        ("publish", "completed"),
    ];
    assert_eq!(states(&resumed), pairs(&expected));
    assert_eq!(resumed["state"], "completed");
    assert_eq!(resumed["result"]["dog"], 2);
    let again = place.json(run);
    assert_eq!(again["had_ended_before"], true);
    assert_eq!(
        (&again["id"], &again["result"]),
        (&resumed["id"], &resumed["result"])
    );
    fs::write(place.path("other.txt"), "other words").unwrap();
    place.fails(
        "run count-words --param file=other.txt --param to=out --key monday --store kept",
        1,
        &["monday", "file"],
    );
}

#[test]
fn explain_names_the_changed_argument() {
    let place = Place::new();
    place.counts("--name first --param min_length=3");
    place.counts("--name second --param min_length=4");
    place.succeeds(
        "explain second count",
        &["since flow run `first`", "`min_length` changed: 3 -> 4"],
    );
    place.succeeds(
        "explain second read",
        &["the cache had its result, of flow run `first`"],
    );
    place.succeeds("show second", &["`read` is cached from flow run `first`"]);
    let why = &place.json("explain second count")[0]["why"];
    assert_eq!(why["cause"]["changes"][0]["part"], "min_length");
    assert_eq!(why["cause"]["changes"][0]["kind"], "value");

    fs::write(place.path("book.txt"), "Another book.").unwrap();
    place.counts("--name third --param min_length=4");
    place.succeeds(
        "explain third read",
        &["`file` changed: book.txt (content "],
    );
    place.succeeds(
        "explain third count",
        &["`text` changed: the result of `read` is another"],
    );
}

#[test]
fn lineage_is_told_of_a_task_run_of_a_value_and_of_a_flow_run() {
    let place = Place::new();
    place.counts("--name first --param min_length=3");
    place.counts("--name second --param min_length=4");
    let text = place.succeeds(
        "lineage second publish",
        &[
            "of flow run `second`",
            "made from\n  `count` ",
            "\n    `read` ",
            "flow run `first`\n      file = book.txt (content ",
            "\n    min_length = 4\n",
            "used by\n  nothing that is recorded",
            "parameters of flow run `first`\n  file = book.txt (content ",
        ],
    );
    let counted = text.split("used by").next().unwrap();
    assert!(!counted.contains("min_length = 3"), "{text}");

    let json = place.json("lineage second read");
    let digest = json["values"][0]["digest"].as_str().unwrap();
    let nodes = json["down"]["nodes"].as_array().unwrap().iter();
    let used_by: Vec<&str> = nodes.map(|node| node["task"].as_str().unwrap()).collect();
    assert_eq!(
        used_by,
        ["read", "count", "read", "publish", "count", "publish"]
    );
    let by_value = place.json(&format!("lineage --value {}", &digest[..10]));
    assert_eq!(by_value["down"], json["down"]);

    let lines = place.succeeds("lineage second --open-lineage", &[]);
    let events: Vec<Value> = lines
        .lines()
        .map(|line| serde_json::from_str(line).expect("each line is JSON"))
        .collect();
    assert_eq!(events.len(), 2 * 4, "a flow run with three task runs");
    assert_eq!(events[0]["job"]["name"], "count-words");
    assert_eq!(events[0]["inputs"][0]["name"], "book.txt");

    let known = "(it has: `count`, `publish`, `read`)";
    place.fails(
        "lineage second nothing",
        1,
        &[known, "help: write the name"],
    );
    let nothing = "no recorded task run has a result with the digest `0123`";
    place.fails(
        "lineage --value 0123",
        1,
        &[nothing, "help: results of task runs"],
    );
    place.fails("lineage second", 2, &["required", "<TASK>"]);
    place.fails(
        "lineage second read --value 01",
        2,
        &["cannot be used with"],
    );
}

#[test]
fn rerun_fork_and_diff_tell_two_runs_apart() {
    let place = Place::new();
    place.counts("--name first --param min_length=3");
    let rerun = place.json("rerun first --from count");
    let expected = [
        ("read", "reused"),
        ("count", "completed"),
        ("publish", "reused"),
    ];
    assert_eq!(states(&rerun), pairs(&expected));

    let asked = place.fails(
        "fork first --param min_length=4",
        2,
        &["nobody is there to be asked"],
    );
    check_contains(
        &asked.err,
        &[
            "parameter `min_length`: 3 -> 4",
            "↷ `read` is handed back",
            "● `count` runs: ",
            "○ `publish` waits for `count`",
        ],
    );
    let plan = place.json("fork first --param min_length=4 --dry-run");
    let fates = |plan: &Value| -> Vec<String> {
        let runs = plan["task_runs"].as_array().unwrap().iter();
        runs.map(|run| format!("{} {}", run["name"], run["fate"]).replace('"', ""))
            .collect()
    };
    assert_eq!(
        fates(&plan),
        ["read handed_back", "count runs", "publish waits"]
    );
    let plan = place.json("rerun first --from publish --dry-run");
    assert_eq!(
        fates(&plan),
        ["read handed_back", "count handed_back", "publish runs"]
    );
    assert_eq!(plan["task_runs"][2]["cause"]["because"], "named");
    place.succeeds("resume first --dry-run", &["3 handed back"]);
    let fork = place.json("fork first --param min_length=4 --yes");
    let expected = [
        ("read", "reused"),
        ("count", "completed"),
        ("publish", "completed"),
    ];
    assert_eq!(states(&fork), pairs(&expected));
    let fork = fork["name"].as_str().unwrap();
    let diff = place.succeeds(
        &format!("diff first {fork}"),
        &[
            "parameter `min_length`: 3 -> 4\n",
            "~ `count`",
            "another result",
        ],
    );
    check_contains(&diff, &["with nothing to tell apart"]);
    let diff = place.json(&format!("diff first {fork}"));
    assert_eq!(diff["parameters"][0]["name"], "min_length");
    assert_eq!(diff["code"], serde_json::json!([]));
}

#[test]
fn settings_come_from_variables_and_a_file_and_config_says_from_where() {
    let place = Place::new();
    place.writes("orch.toml", "grace = \"7s\"\n[retention]\nmax_runs = 9\n");
    let settings = place.json("config");
    let setting = |key: &str| -> Value {
        let settings = settings.as_array().unwrap().iter();
        let mut named = settings.filter(|setting| setting["key"] == key);
        named.next().unwrap().clone()
    };
    assert_eq!(setting("grace")["value"], "7s");
    assert_eq!(setting("grace")["source"], "orch.toml");
    assert_eq!(setting("grace")["variable"], "ORCH_GRACE");
    assert_eq!(setting("retention.max_runs")["value"], "9");
    assert_eq!(setting("durability")["source"], "default");
    place.succeeds(
        "config",
        &["retention.max_runs   9 ", "ORCH_RETENTION_MAX_RUNS"],
    );
    place.fails(
        "run count-words --key k --param file=lost.txt --param to=.",
        1,
        &[
            "cannot start: the file `lost.txt` of parameter `file` cannot be read: No such file",
            "help: a flow run with a key is known by what its files hold",
        ],
    );
    place.writes("orch.toml", "graze = \"7s\"\n");
    place.fails(
        "run sample --param n=1 --param stamped=false",
        2,
        &["there is no setting `graze`, which orch.toml has"],
    );
}

#[test]
fn a_replay_is_verified_or_names_the_first_that_differs() {
    let place = Place::new();
    for (name, stamped) in [("pure", false), ("clocked", true)] {
        let line = format!("run sample -q --param n=3 --param stamped={stamped} --name {name}");
        place.succeeds(&line, &["result: "]);
    }
    place.succeeds(
        "replay pure --verify -q",
        &["verified: 1 task run of flow run `pure`"],
    );
    let differs = place.run("replay clocked --verify -q");
    assert_eq!(differs.code, Some(1), "{differs:#?}");
    check_contains(
        &differs.out,
        &[
            "differs: `stamp`: its result was ",
            "1 task run came to the same",
        ],
    );
    let json = place.run("replay clocked --verify -q --json");
    assert_eq!(json.code, Some(1));
    let json: Value = serde_json::from_str(&json.out).unwrap();
    assert_eq!(json["first_difference"]["task_run"], "stamp");
    assert_eq!(
        place.json("runs").as_array().unwrap().len(),
        2,
        "a replay is not kept"
    );
}

#[test]
fn runs_are_filtered_and_pinned() {
    let place = Place::new();
    place.counts("--name words");
    place.succeeds(
        "run sample -q --param n=1 --param stamped=false --name numbers",
        &[],
    );
    let names = |line: &str| -> Vec<String> {
        let runs = place.json(line);
        let runs = runs.as_array().unwrap().iter();
        runs.map(|run| run["name"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(names("runs"), ["numbers", "words"]);
    assert_eq!(names("runs --flow sample"), ["numbers"]);
    assert_eq!(names("runs --state failed"), [""; 0]);
    assert_eq!(names("runs --limit 1"), ["numbers"]);
    place.succeeds("runs pin words", &["pinned flow run `words`"]);
    assert_eq!(place.json("show words")["flow_run"]["is_pinned"], true);
    place.succeeds("runs unpin words", &["unpinned flow run `words`"]);
    assert_eq!(place.json("show words")["flow_run"]["is_pinned"], false);
}

#[test]
fn the_cache_is_listed_pinned_and_forgotten() {
    let place = Place::new();
    place.counts("--name first");
    place.succeeds("cache ls", &["read", "count", "2 results"]);
    place.succeeds("cache ls --task read", &["1 result,"]);
    let listed = place.json("cache ls --task count");
    let key = listed[0]["key"].as_str().unwrap();
    place.succeeds(&format!("cache pin {}", &key[..8]), &["pinned"]);
    assert_eq!(place.json("cache ls --task count")[0]["is_pinned"], true);
    place.fails(
        &format!("cache rm {key}"),
        1,
        &["is pinned", "help: `cache unpin`"],
    );
    assert_eq!(
        place.json("cache rm --task count")["forgotten"],
        serde_json::json!([])
    );
    place.succeeds(&format!("cache unpin {key}"), &["unpinned"]);
    assert_eq!(place.json(&format!("cache rm {key}"))["forgotten"][0], key);
    place.succeeds("cache ls", &["1 result,"]);
    let again = place.json("run count-words -q --param file=book.txt --param to=out");
    let expected = [
        ("read", "cached"),
        ("count", "completed"),
        ("publish", "completed"),
    ];
    assert_eq!(states(&again), pairs(&expected));
    place.succeeds("cache rm --task read", &["forgot 1 result"]);
    let refreshed = "run count-words -q --param file=book.txt --param to=out --refresh co*";
    assert_eq!(
        states(&place.json(refreshed)),
        pairs(&[
            ("read", "completed"),
            ("count", "completed"),
            ("publish", "completed"),
        ])
    );
}

#[test]
fn a_secret_is_given_by_its_place_and_shown_nowhere() {
    let place = Place::new();
    let sealed =
        place.json("run seal --param text=abc --param salt=env:SEALING_SALT --name sealed");
    fs::write(place.path("salt"), "correct horse\n").unwrap();
    let of_file = place.json("run seal --param text=abc --param salt=file:salt");
    assert_eq!(sealed["result"], of_file["result"]);
    for line in [
        "show sealed",
        "show sealed --json",
        "runs --json",
        "explain sealed checksum",
    ] {
        let shown = place.succeeds(line, &[]);
        assert!(!shown.contains("correct horse"), "{shown}");
    }
    place.succeeds("show sealed", &["salt=\"env:SEALING_SALT\""]);
    place.succeeds("replay sealed --verify -q", &["verified: "]);

    let missing = "run seal --param text=abc --param salt=env:NO_SUCH_SALT";
    place.fails(
        missing,
        2,
        &["parameter `salt` of type `Secret`", "NO_SUCH_SALT"],
    );
    let plain = place.fails(
        "run seal --param text=abc --param salt=hunter22",
        2,
        &["`salt`"],
    );
    assert!(!plain.err.contains("hunter22"), "{}", plain.err);
}

#[test]
fn what_was_logged_is_shown_and_compared() {
    let place = Place::new();
    place.counts("--name short --param min_length=1");
    place.counts("--name long --param min_length=4");
    place.counts("--name again --param min_length=4");
    let shown = place.succeeds(
        "show short",
        &[
            "metric    of     last  min  max  points",
            "distinct  count     5    5    5       1",
            "words     count     8    8    8       1",
        ],
    );
    check_contains(
        &place.run("show again").out,
        &["words     count     0", "is cached from"],
    );
    assert!(!shown.contains("artifact"), "{shown}");
    let report = place.json("show again");
    let logged = &report["report"]["logged"][0];
    assert_eq!(
        (&logged["name"], &logged["metrics"]["words"]["last"]),
        (&"count".into(), &0.0.into())
    );

    place.succeeds(
        "diff short long",
        &[
            "parameter `min_length`: 1 -> 4",
            "metric      before  after  change",
            "distinct         5      0      -5",
            "words            8      0      -8",
        ],
    );
    let diff = place.json("diff short long");
    assert_eq!(diff["metrics"][1]["name"], "words");
    assert_eq!(
        (&diff["metrics"][1]["before"], &diff["metrics"][1]["better"]),
        (&8.0.into(), &Value::Null)
    );

    let table = place.succeeds(
        "compare short long again",
        &[
            "flow run  state        min_length  distinct  words",
            "the same in all: file=",
        ],
    );
    assert_eq!(table.lines().count(), 5, "{table}");
    let comparison = place.json("compare short long");
    assert_eq!(comparison["params"][0]["values"], serde_json::json!([1, 4]));
    let csv = place.succeeds(
        "compare short long --csv",
        &["param min_length", "metric words"],
    );
    assert_eq!(csv.lines().count(), 3, "{csv}");
    place.fails(
        "compare short nobody",
        1,
        &["there is no flow run `nobody`"],
    );
    place.fails("compare", 2, &["required"]);
}

#[test]
fn show_writes_a_report() {
    let place = Place::new();
    place.counts("--name first");
    place.succeeds("show first --report pictures", &["graph.svg"]);
    check_contains(
        &fs::read_to_string(place.path("pictures/graph.svg")).unwrap(),
        &["</svg>", "publish"],
    );
    let shown = place.json("show first");
    assert_eq!(shown["report"]["format"], 1);
    assert_eq!(states(&shown["report"]).len(), 3);
}

#[test]
fn the_store_is_collected_checked_and_compacted() {
    let place = Place::new();
    // Long enough to have a file of its own.
    fs::write(place.path("book.txt"), "cat dog\n".repeat(20_000)).unwrap();
    place.counts("--name first");
    place.succeeds(
        "cache gc --dry-run",
        &["would remove 0 flow runs, 0 cached results, 0 files of 0 bytes"],
    );
    let removed = place.json("cache gc");
    assert_eq!(removed["is_dry_run"], false);
    assert_eq!(removed["flow_runs"], 0);
    place.succeeds("store compact", &["compacted"]);
    place.succeeds("store check", &[" values, 0 lost"]);
    assert_eq!(place.json("store check")["is_sound"], true);

    let folders = fs::read_dir(place.path(".orch/blobs")).unwrap();
    let files: Vec<PathBuf> = folders
        .flat_map(|folder| fs::read_dir(folder.unwrap().path()).unwrap())
        .map(|file| file.unwrap().path())
        .collect();
    assert!(!files.is_empty(), "the text lies in a file");
    for file in &files {
        fs::write(file, "not this").unwrap();
    }
    let done = place.run("store check");
    assert_eq!(done.code, Some(1), "{done:#?}");
    assert!(!done.out.contains(" 0 lost"), "{}", done.out);
    let done = place.run("store check --json");
    assert_eq!(done.code, Some(1), "{done:#?}");
    let json: Value = serde_json::from_str(&done.out).unwrap();
    assert_eq!(json["is_sound"], false);
    assert!(!json["lost"][0]["problem"].as_str().unwrap().is_empty());
}

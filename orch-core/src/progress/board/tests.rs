use expect_test::{Expect, expect};

use super::*;
use crate::report::NodeKind;

fn task_run(index: u32, name: &str) -> TaskRunRef {
    TaskRunRef {
        index,
        name: name.into(),
        task: "task",
    }
}

/// A board that is told what happens, and when, in milliseconds from the start.
struct Told {
    board: Board,
    start: Instant,
    flow_run: FlowRunId,
}

impl Told {
    fn new() -> Self {
        let board = Board::new(false);
        let mut told = Self {
            board,
            start: Instant::now(),
            flow_run: FlowRunId::new(),
        };
        told.start_flow("train");
        told
    }

    fn start_flow(&mut self, name: &str) {
        let name = name.to_owned();
        self.at(
            0,
            EventKind::FlowRunStarted {
                flow: "flow",
                name,
                caller: None,
            },
        );
    }

    fn at(&mut self, millis: u64, kind: EventKind) {
        let at = Duration::from_millis(millis);
        let event = Event {
            flow_run: self.flow_run,
            at,
            kind,
        };
        self.board.receive(Received::Event(event), self.start + at);
    }

    fn submit(&mut self, index: u32, name: &str) {
        let task_run = task_run(index, name);
        self.at(
            0,
            EventKind::TaskRunSubmitted {
                task_run,
                kind: NodeKind::Task,
            },
        );
    }

    fn start(&mut self, millis: u64, index: u32, name: &str) {
        let task_run = task_run(index, name);
        self.at(
            millis,
            EventKind::TaskRunStarted {
                task_run,
                attempt: 1,
            },
        );
    }

    fn check_view(&self, millis: u64, expected: Expect) {
        let now = self.start + Duration::from_millis(millis);
        let rows: Vec<String> = self
            .board
            .view(now)
            .iter()
            .map(|row| row.columns(false))
            .collect();
        expected.assert_eq(&rows.join("\n"));
    }
}

#[test]
fn each_active_task_run_has_a_line_and_those_that_wait_for_inputs_are_counted() {
    let mut told = Told::new();
    for (index, name) in (0..).zip(["load", "fit", "score", "evaluate", "items"]) {
        told.submit(index, name);
    }
    told.start(10, 0, "load");
    told.start(20, 1, "fit");
    told.start(30, 4, "items");
    told.at(
        40,
        EventKind::AttemptFailed {
            task_run: task_run(1, "fit"),
            attempt: 1,
            error: "no convergence".to_owned(),
            retry_in: Duration::from_secs(2),
        },
    );
    told.at(
        50,
        EventKind::LimitAwaited {
            task_run: task_run(2, "score"),
            limits: vec!["gpu".to_owned(), "ram".to_owned()],
        },
    );
    told.at(
        60,
        EventKind::MapProgressed {
            task_run: task_run(4, "items"),
            completed: 1_200,
            failed: 3,
        },
    );
    told.check_view(1_050, expect![[r#"
        ● running         1.05 s  flow train  2 running, 1 awaiting limit, 1 awaiting retry, 1 pending
        ● running         1.04 s  load
        ↻ awaiting retry  1.03 s  fit  attempt 1 failed, next in 2.00 s
        ● running         1.02 s  items  1,200 items completed, 3 failed
        ◔ awaiting limit  1.00 s  score  gpu, ram"#]]);

    told.at(
        2_000,
        EventKind::TaskRunEnded {
            task_run: task_run(0, "load"),
            state: State::Completed,
            run_time: Some(Duration::from_millis(1_990)),
            error: None,
        },
    );
    told.at(
        2_040,
        EventKind::TaskRunStarted {
            task_run: task_run(1, "fit"),
            attempt: 2,
        },
    );
    told.at(
        2_050,
        EventKind::TaskRunCancelling {
            task_run: task_run(4, "items"),
        },
    );
    told.check_view(2_100, expect![[r#"
        ● running         2.10 s  flow train  1 completed, 1 cancelling, 1 running, 1 awaiting limit, 1 pending
        ● running         2.08 s  fit  attempt 2
        ■ cancelling      2.07 s  items  1,200 items completed, 3 failed
        ◔ awaiting limit  2.05 s  score  gpu, ram"#]]);
}

#[test]
fn there_are_never_more_than_twenty_lines() {
    let mut told = Told::new();
    for index in 0..1_000 {
        told.submit(index, "fit");
        told.start(0, index, "fit");
    }
    let rows = told.board.view(told.start);
    assert_eq!(rows.len(), MAX_ROWS);
    let last = rows[MAX_ROWS - 1].columns(false);
    // One line counts the states, one the task runs without a line.
    assert_eq!(last, "… and 982 more task runs");

    for n in 0..10 {
        told.flow_run = FlowRunId::new();
        told.start_flow(&format!("other-{n}"));
    }
    let rows = told.board.view(told.start);
    assert_eq!(rows.len(), MAX_ROWS);
    assert_eq!(rows[MAX_FLOW_ROWS].columns(false), "… and 6 more flow runs");
}

#[test]
fn exactly_as_many_task_runs_as_there_is_room_for_all_have_lines() {
    let mut told = Told::new();
    for index in 0..19 {
        told.start(0, index, "fit");
    }
    let rows = told.board.view(told.start);
    assert_eq!(rows.len(), MAX_ROWS);
    assert!(rows[MAX_ROWS - 1].columns(false).ends_with("fit"));
}

#[test]
fn a_long_name_keeps_its_ends_and_what_is_said_after_it() {
    let mut told = Told::new();
    told.start(0, 0, &format!("{}[fold=3]", "fit".repeat(60)));
    let rows = told.board.view(told.start);
    let row = rows[1].columns(false);
    assert!(
        row.ends_with("[fold=3]") && human::width(&row) < 100,
        "{row}"
    );
}

#[test]
fn flow_runs_whose_end_was_missed_are_forgotten() {
    let mut told = Told::new();
    told.start(0, 0, "load");
    let lost = told.flow_run;
    told.flow_run = FlowRunId::new();
    told.start_flow("other");
    told.start(0, 0, "read");
    told.board.receive(Received::Missed(12), told.start);
    assert!(told.board.has_missed_some());
    let lines = told.board.take_lines();
    assert_eq!(
        lines.last().map(Line::plain).as_deref(),
        Some("! 12 events missed")
    );

    told.board.keep_only(&[(told.flow_run, "other".to_owned())]);
    assert!(!told.board.flows.contains_key(&lost));
    told.check_view(
        1_000,
        expect![[r#"
        ● running         1.00 s  flow other  1 running
        ● running         1.00 s  read"#]],
    );
    told.board.keep_only(&[]);
    assert!(!told.board.is_busy() && !told.board.has_missed_some());
    assert_eq!(told.board.n_outermost, 0);
}

#[test]
fn tasks_outside_of_a_flow_leave_nothing_behind() {
    let mut told = Told::new();
    told.flow_run = FlowRunId::new();
    told.submit(0, "load");
    told.start(0, 0, "load");
    told.at(
        5,
        EventKind::TaskRunEnded {
            task_run: task_run(0, "load"),
            state: State::Completed,
            run_time: Some(Duration::from_millis(5)),
            error: None,
        },
    );
    assert_eq!(told.board.flows.len(), 1);
    assert!(told.board.active.is_empty());
}

#[test]
fn hostile_names_stay_on_their_line() {
    let mut told = Told::new();
    told.start(0, 0, "a\u{1b}[2Jb\nc");
    told.check_view(
        0,
        expect![[r#"
        ● running           0 ns  flow train  1 running
        ● running           0 ns  a\u{1b}[2Jb\nc"#]],
    );
}

#[test]
fn a_name_is_shown_as_it_was_last_told() {
    let mut told = Told::new();
    told.submit(0, "load");
    told.start(0, 0, "load iris.csv");
    told.check_view(
        0,
        expect![[r#"
        ● running           0 ns  flow train  1 running
        ● running           0 ns  load iris.csv"#]],
    );
}

#[test]
fn only_the_first_failed_items_have_lines() {
    let mut told = Told::new();
    for index in 0..1_000 {
        told.at(
            0,
            EventKind::TaskRunEnded {
                task_run: task_run(index, "parse"),
                state: State::Failed,
                run_time: Some(Duration::ZERO),
                error: None,
            },
        );
    }
    let lines = told.board.take_lines();
    assert_eq!(lines.len(), MAX_ITEM_LINES as usize + 1);
    let last = lines[lines.len() - 1].plain();
    assert_eq!(
        last,
        "! further failed items of flow train are only counted"
    );
}

//! Rows come back as they were written.

use super::*;
use crate::definition::HookOn;
use crate::hook::Notice;

on_each_store! {
    a_flow_run_reads_back_as_it_was_recorded;
    task_runs_read_back_in_the_order_of_their_submission;
    task_runs_are_found_by_their_result_and_by_where_they_took_it_from;
    attempts_and_steps_belong_to_their_calls;
    what_was_logged_reads_back_by_attempt;
    cache_entries_are_found_by_key_and_by_task;
    a_pin_stays_when_a_result_is_made_anew;
    who_looks_again_gets_what_has_changed_since;
    flow_runs_are_listed_by_what_is_asked_for;
    notices_stay_in_their_order_until_they_are_delivered;
    notices_of_a_run_that_was_taken_over_are_refused_with_its_rows;
}

fn a_flow_run_reads_back_as_it_was_recorded<K: Kind>() {
    let (kind, mut row) = (K::new("flow-run"), flow_run("train", Some("monday")));
    let store = kind.engine();
    row.caller = Some((FlowRunId::new(), CallId([4; 16])));
    row.origin = Some(RunOrigin::Rerun {
        of: FlowRunId::new(),
        from: vec!["fit".to_owned()],
    });
    let fence = start(&*store, row.clone());
    row.owner = Some((fence.owner, fence.epoch));
    assert_eq!(block_on(store.flow_run(row.id)).unwrap().unwrap(), row);

    row.state = State::Failed;
    row.error = Some(error());
    row.ended_at = Some(Timestamp(77));
    row.is_rolling_back = true;
    row.result = Some(StoredValue {
        place: Place::Blob,
        stored: Stored {
            parts: vec![digest(1), digest(2)],
            len: u64::from(u32::MAX) * 10,
            ..value(3).stored
        },
    });
    commit(&*store, fence, &[Change::FlowRun(Box::new(row.clone()))]).unwrap();
    // A run that has ended belongs to nobody.
    row.owner = None;
    assert_eq!(block_on(store.flow_run(row.id)).unwrap().unwrap(), row);
    assert_eq!(block_on(store.flow_run(FlowRunId::new())).unwrap(), None);
}

fn task_runs_read_back_in_the_order_of_their_submission<K: Kind>() {
    let kind = K::new("task-runs");
    let store = kind.engine();
    let fence = start(&*store, flow_run("train", None));
    let mut full = task_run(1);
    full.name = Some("train 0.1".to_owned());
    full.kind = NodeKind::Map;
    full.state = State::Completed;
    full.ended_at = Some(Timestamp(i64::MAX));
    full.error = Some(error());
    full.result = Some(value(6));
    full.origin = ResultOrigin::Cached {
        run: FlowRunId::new(),
        call: CallId([8; 16]),
    };
    full.key = Some(cache_entry(3, "x").key);
    full.upstream = vec![
        (CallId([2; 16]), EdgeKind::Data),
        (CallId([3; 16]), EdgeKind::Order),
        (CallId([4; 16]), EdgeKind::Catch),
    ];
    full.task = Arc::new(TaskRow {
        version: Some("2".to_owned()),
        ..(*full.task).clone()
    });
    full.is_complete = false;
    full.crashes = 2;
    let bare = TaskRunRow {
        index: 0,
        ready_at: None,
        started_at: None,
        attempts: 0,
        state: State::Skipped,
        ..task_run(2)
    };
    let changes = [&full, &bare].map(|row| Change::TaskRun {
        run: fence.run,
        row: Box::new(row.clone()),
        is_item: false,
    });
    commit(&*store, fence, &changes).unwrap();
    let rows = block_on(store.task_runs(fence.run)).unwrap();
    assert_eq!(rows, [bare.clone(), full.clone()]);

    let orphaned = Change::Orphaned {
        run: fence.run,
        calls: vec![full.call],
    };
    commit(&*store, fence, &[orphaned]).unwrap();
    full.is_orphaned = true;
    assert_eq!(block_on(store.task_runs(fence.run)).unwrap(), [bare, full]);
}

fn task_runs_are_found_by_their_result_and_by_where_they_took_it_from<K: Kind>() {
    let kind = K::new("found-task-runs");
    let store = kind.engine();
    let (first, second) = (flow_run("train", None), flow_run("train", None));
    let (first, second) = (start(&*store, first), start(&*store, second));
    let made = |call, n| TaskRunRow {
        state: State::Completed,
        result: Some(value(n)),
        ..task_run(call)
    };
    let mut taken = made(1, 3);
    taken.origin = ResultOrigin::Cached {
        run: first.run,
        call: CallId([1; 16]),
    };
    for (fence, rows) in [
        (first, [made(1, 3), made(2, 4)]),
        (second, [taken, task_run(2)]),
    ] {
        let change = |row| Change::TaskRun {
            run: fence.run,
            row: Box::new(row),
            is_item: false,
        };
        commit(&*store, fence, &rows.map(change)).unwrap();
    }
    let found = |filter| -> Vec<(FlowRunId, u8, Option<Digest>, ResultOrigin)> {
        let found = block_on(store.find_task_runs(filter)).unwrap();
        let mut found: Vec<_> = found
            .into_iter()
            .map(|found| (found.run, found.call.0[0], found.result, found.origin))
            .collect();
        found.sort_by_key(|(run, call, ..)| (*run != first.run, *call));
        found
    };
    let with = |results| TaskRunFilter {
        results: Some(results),
        ..TaskRunFilter::default()
    };
    let from = ResultOrigin::Cached {
        run: first.run,
        call: CallId([1; 16]),
    };
    let taken = (second.run, 1, Some(digest(3)), from);
    let made = |call, n| (first.run, call, Some(digest(n)), ResultOrigin::Executed);
    assert_eq!(found(with(digest(3)..=digest(3))), [made(1, 3), taken]);
    assert_eq!(found(with(digest(4)..=digest(9))), [made(2, 4)]);
    assert_eq!(found(with(digest(5)..=digest(9))), []);
    let of = |runs: &[FlowRunId]| TaskRunFilter {
        from: runs.to_vec(),
        ..TaskRunFilter::default()
    };
    assert_eq!(found(of(&[first.run])), [taken]);
    assert_eq!(found(of(&[second.run, first.run])), [taken]);
    assert_eq!(found(of(&[second.run])), []);
    assert_eq!(found(TaskRunFilter::default()).len(), 4);
}

fn attempts_and_steps_belong_to_their_calls<K: Kind>() {
    let kind = K::new("attempts");
    let store = kind.engine();
    let fence = start(&*store, flow_run("train", None));
    let attempt = |call: u8, attempt: u32| AttemptRow {
        call: CallId([call; 16]),
        attempt,
        started_at: Timestamp(1),
        ended_at: Timestamp(2),
        error: (attempt == 1).then(error),
    };
    let step = |call: u8, name: &str, n: u8| StepRow {
        call: CallId([call; 16]),
        name: name.to_owned(),
        value: value(n),
        made_at: Timestamp(3),
    };
    let run = fence.run;
    let mut changes: Vec<Change> = [attempt(2, 1), attempt(1, 2), attempt(1, 1)]
        .map(|row| Change::Attempt {
            run,
            row: Box::new(row),
        })
        .into();
    changes.extend(
        [
            step(1, "checkpoint", 1),
            step(1, "checkpoint", 2),
            step(1, "step 7", 3),
        ]
        .map(|row| Change::Step {
            run,
            row: Box::new(row),
        }),
    );
    commit(&*store, fence, &changes).unwrap();
    assert_eq!(
        block_on(store.attempts(run)).unwrap(),
        [attempt(1, 1), attempt(1, 2), attempt(2, 1)]
    );
    // One of the same name replaces the one before.
    assert_eq!(
        block_on(store.steps(run)).unwrap(),
        [step(1, "checkpoint", 2), step(1, "step 7", 3)]
    );
}

fn what_was_logged_reads_back_by_attempt<K: Kind>() {
    let kind = K::new("logged");
    let store = kind.engine();
    let (first, second) = (flow_run("train", None), flow_run("train", None));
    let (first, second) = (start(&*store, first), start(&*store, second));
    let by = |call, execution, attempt| LoggedBy {
        call: CallId([call; 16]),
        execution,
        attempt,
    };
    let value = |by, name: &str, value| LoggedValueRow {
        by,
        name: name.to_owned(),
        value,
        at: Timestamp(5),
    };
    let point = |by, name: &str, step, value| MetricRow {
        by,
        name: name.into(),
        step,
        value,
        at: Timestamp(step),
    };
    let artifact = ArtifactRow {
        by: by(1, 3, 2),
        name: "plots/roc.svg".to_owned(),
        media_type: "image/svg+xml".to_owned(),
        value: StoredValue {
            place: Place::Blob,
            stored: super::value(7).stored,
        },
        at: Timestamp(8),
    };
    let log = |fence: Fence, logged: Vec<Logged>| {
        let changes = logged.into_iter().map(|logged| Change::Logged {
            run: fence.run,
            logged,
        });
        commit(&*store, fence, &changes.collect::<Vec<_>>()).unwrap();
    };
    let param = |row| Logged::Param(Box::new(row));
    log(
        first,
        vec![
            param(value(by(1, 3, 2), "depth", json!(4))),
            param(value(by(1, 3, 1), "depth", json!(8))),
            Logged::Tag(Box::new(value(by(0, 1, 1), "team", json!("blue")))),
            Logged::Metrics(vec![
                point(by(1, 3, 2), "loss", i64::MIN, f64::INFINITY),
                point(by(1, 3, 2), "rate", 2, 1.0),
                point(by(1, 3, 2), "loss", 1, -0.0),
            ]),
            Logged::Artifact(Box::new(artifact.clone())),
        ],
    );
    log(
        second,
        vec![Logged::Metrics(vec![point(by(1, 1, 1), "loss", 0, 7.5)])],
    );
    log(
        first,
        vec![
            Logged::Tag(Box::new(value(by(0, 1, 1), "team", json!("red")))),
            Logged::Metrics(vec![point(by(2, 4, 1), "loss", 0, f64::NAN)]),
        ],
    );

    let read = block_on(store.logged(first.run)).unwrap();
    assert_eq!(
        read.params,
        [
            value(by(1, 3, 1), "depth", json!(8)),
            value(by(1, 3, 2), "depth", json!(4))
        ]
    );
    assert_eq!(read.tags, [value(by(0, 1, 1), "team", json!("red"))]);
    assert_eq!(read.artifacts, [artifact]);
    let (last, others) = read.metrics.split_last().unwrap();
    assert_eq!(
        others,
        [
            point(by(1, 3, 2), "loss", i64::MIN, f64::INFINITY),
            point(by(1, 3, 2), "rate", 2, 1.0),
            point(by(1, 3, 2), "loss", 1, -0.0),
        ]
    );
    assert!(last.value.is_nan() && last.by == by(2, 4, 1));
    let others = block_on(store.logged(second.run)).unwrap();
    assert_eq!(others.metrics, [point(by(1, 1, 1), "loss", 0, 7.5)]);
    assert!(block_on(store.logged(FlowRunId::new())).unwrap().is_empty());

    // Whoever has lost the flow run logs nothing any more.
    let stale = Fence {
        epoch: first.epoch + 1,
        ..first
    };
    let late = Change::Logged {
        run: first.run,
        logged: Logged::Metrics(vec![point(by(1, 3, 2), "loss", 9, 9.0)]),
    };
    assert!(commit(&*store, stale, &[late]).is_err());
    assert_eq!(block_on(store.logged(first.run)).unwrap().metrics.len(), 4);
}

fn cache_entries_are_found_by_key_and_by_task<K: Kind>() {
    let kind = K::new("cache");
    let store = kind.engine();
    let fence = start(&*store, flow_run("train", None));
    let entries = [
        cache_entry(1, "a"),
        cache_entry(3, "a"),
        cache_entry(2, "b"),
    ];
    let changes = entries.clone().map(|row| Change::Cache(Box::new(row)));
    commit(&*store, fence, &changes).unwrap();

    let found = block_on(store.cached(digest(3))).unwrap().unwrap();
    assert_eq!(found.value, entries[1].value);
    assert_eq!(found.made_by, entries[1].made_by);
    assert!(found.key.parts.is_empty(), "who has the key has its parts");
    assert_eq!(block_on(store.cached(digest(9))).unwrap(), None);
    let newest_first = block_on(store.cached_by_task("a", 5)).unwrap();
    assert_eq!(newest_first, [entries[1].clone(), entries[0].clone()]);
    assert_eq!(block_on(store.cached_by_task("a", 1)).unwrap().len(), 1);

    let used = Change::CacheUsed {
        key: digest(1),
        at: Timestamp(50),
    };
    let dropped = Change::CacheDropped { key: digest(3) };
    commit(&*store, fence, &[used, dropped]).unwrap();
    let last_used: Vec<Digest> = block_on(store.cache_entries())
        .unwrap()
        .iter()
        .map(|row| row.key.digest)
        .collect();
    assert_eq!(last_used, [digest(1), digest(2)]);
}

fn a_pin_stays_when_a_result_is_made_anew<K: Kind>() {
    let kind = K::new("pins");
    let store = kind.engine();
    let fence = start(&*store, flow_run("train", None));
    let put = || Change::Cache(Box::new(cache_entry(1, "a")));
    commit(&*store, fence, &[put()]).unwrap();
    assert!(block_on(store.pin_key(digest(1), true)).unwrap());
    assert!(
        !block_on(store.pin_key(digest(2), true)).unwrap(),
        "there is none"
    );
    commit(
        &*store,
        fence,
        &[put(), Change::CacheDropped { key: digest(1) }],
    )
    .unwrap();
    let kept = block_on(store.cached(digest(1))).unwrap();
    assert!(
        kept.is_some_and(|row| row.is_pinned),
        "neither replaced nor dropped"
    );

    block_on(store.pin(fence.run, true)).unwrap();
    end(&*store, fence, State::Completed);
    let row = block_on(store.flow_run(fence.run)).unwrap().unwrap();
    assert!(row.is_pinned);
}

fn who_looks_again_gets_what_has_changed_since<K: Kind>() {
    let kind = K::new("changes");
    let store = kind.engine();
    let fence = start(&*store, flow_run("train", None));
    let put = |call: u8, state: State| {
        let row = Box::new(TaskRunRow {
            state,
            ..task_run(call)
        });
        commit(
            &*store,
            fence,
            &[Change::TaskRun {
                run: fence.run,
                row,
                is_item: false,
            }],
        )
        .unwrap();
    };
    put(1, State::Running);
    put(2, State::Running);
    let (rows, seen) = block_on(store.changes_since(fence.run, 0)).unwrap();
    assert_eq!(rows.len(), 2);
    assert_eq!(
        block_on(store.changes_since(fence.run, seen)).unwrap(),
        (Vec::new(), seen)
    );
    put(1, State::Completed);
    let (rows, later) = block_on(store.changes_since(fence.run, seen)).unwrap();
    let changed: Vec<(CallId, State)> = rows.iter().map(|row| (row.call, row.state)).collect();
    assert_eq!(changed, [(CallId([1; 16]), State::Completed)]);
    assert!(later > seen);
}

fn flow_runs_are_listed_by_what_is_asked_for<K: Kind>() {
    let kind = K::new("filters");
    let store = kind.engine();
    let run = |flow: &str, key: Option<&str>, at: i64| FlowRunRow {
        started_at: Timestamp(at),
        ..flow_run(flow, key)
    };
    let rows = [
        run("a", Some("k"), 1),
        run("a", None, 2),
        run("b", Some("k"), 3),
    ];
    let fences = rows.clone().map(|row| start(&*store, row));
    end(&*store, fences[1], State::Failed);
    let listed = |filter: FlowRunFilter| -> Vec<usize> {
        let found = block_on(store.flow_runs(filter)).unwrap();
        let place = |row: &FlowRunRow| rows.iter().position(|other| other.id == row.id).unwrap();
        found.iter().map(place).collect()
    };
    let all = FlowRunFilter::default;
    assert_eq!(listed(all()), [2, 1, 0], "the newest first");
    assert_eq!(
        listed(FlowRunFilter {
            flow: Some("a".into()),
            ..all()
        }),
        [1, 0]
    );
    assert_eq!(
        listed(FlowRunFilter {
            key: Some("k".into()),
            ..all()
        }),
        [2, 0]
    );
    assert_eq!(
        listed(FlowRunFilter {
            states: vec![State::Failed],
            ..all()
        }),
        [1]
    );
    assert_eq!(listed(FlowRunFilter { limit: 2, ..all() }), [2, 1]);
    let prefix = rows[0].id.to_string();
    assert_eq!(
        listed(FlowRunFilter {
            prefix: Some(prefix),
            ..all()
        }),
        [0]
    );
    let prefix = rows[2].name.clone();
    assert_eq!(
        listed(FlowRunFilter {
            prefix: Some(prefix),
            ..all()
        }),
        [2]
    );
}

fn notice(run: FlowRunId, hook: &str) -> NoticeRow {
    let notice = Notice::of_flow_run(HookOn::Failure, run, "train", "train-1").to(hook);
    NoticeRow {
        notice,
        failures: 0,
        last_error: None,
        due_at: Timestamp(5),
    }
}

fn undelivered(store: &dyn RunStore, hook: Option<&str>, limit: usize) -> Vec<NoticeRow> {
    let hook = hook.map(str::to_owned);
    block_on(store.undelivered(NoticeFilter { hook, limit })).unwrap()
}

fn notices_stay_in_their_order_until_they_are_delivered<K: Kind>() {
    let kind = K::new("notices");
    let store = kind.engine();
    let fence = start(&*store, flow_run("train", None));
    let mut rows = ["mail", "page", "mail"].map(|hook| notice(fence.run, hook));
    let put = |row: &NoticeRow| Change::Notice(Box::new(row.clone()));
    commit(&*store, fence, &[put(&rows[0]), put(&rows[1])]).unwrap();
    commit(&*store, fence, &[put(&rows[2])]).unwrap();
    rows[0].failures = 3;
    rows[0].last_error = Some("the server is down".to_owned());
    rows[0].due_at = Timestamp(i64::MAX);
    // What became of a delivery is written by whoever delivers, and the flow run may be gone.
    block_on(store.commit(&[put(&rows[0])], &[], Durability::Relaxed)).unwrap();

    assert_eq!(undelivered(&*store, None, 0), rows);
    assert_eq!(undelivered(&*store, None, 2), rows[..2]);
    assert_eq!(undelivered(&*store, Some("mail"), 1), rows[..1]);
    assert_eq!(undelivered(&*store, Some("mail"), 0)[1], rows[2]);
    assert_eq!(undelivered(&*store, Some("none"), 0), []);

    let id = rows[0].notice.id.clone();
    let delivered = [Change::NoticeDelivered { id }];
    for _ in 0..2 {
        block_on(store.commit(&delivered, &[], Durability::Relaxed)).unwrap();
        assert_eq!(undelivered(&*store, None, 0), rows[1..]);
    }
}

fn notices_of_a_run_that_was_taken_over_are_refused_with_its_rows<K: Kind>() {
    let kind = K::new("refused-notices");
    let store = kind.engine();
    let fence = start(&*store, flow_run("train", None));
    let old = Fence {
        epoch: fence.epoch + 1,
        ..fence
    };
    let change = Change::Notice(Box::new(notice(fence.run, "mail")));
    commit(&*store, old, &[change]).unwrap_err();
    assert_eq!(undelivered(&*store, None, 0), []);
}

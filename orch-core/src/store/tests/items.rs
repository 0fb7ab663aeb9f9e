//! Items of maps, of which many are kept in one piece.

use super::*;

on_each_store! {
    items_of_maps_read_back_like_any_task_run;
    an_item_that_is_written_again_replaces_what_was_there;
    items_are_found_by_their_result_and_by_where_they_took_it_from;
    items_that_come_one_by_one_read_back_like_any_task_run;
}

/// An item of a map that completed.
fn item(n: u32) -> TaskRunRow {
    let mut call = [5; 16];
    call[..4].copy_from_slice(&n.to_be_bytes());
    TaskRunRow {
        call: CallId(call),
        scope: CallId([200; 16]),
        index: n,
        state: State::Completed,
        ended_at: Some(Timestamp(i64::from(n) * 1_000)),
        result: Some(value((n % 250) as u8)),
        execution: u64::from(n),
        ..task_run(1)
    }
}

fn put(run: FlowRunId, row: &TaskRunRow) -> Change {
    Change::TaskRun {
        run,
        row: Box::new(row.clone()),
        is_item: true,
    }
}

fn items_of_maps_read_back_like_any_task_run<K: Kind>() {
    let kind = K::new("items");
    let store = kind.engine();
    let fence = start(&*store, flow_run("score", None));
    let mut rows: Vec<TaskRunRow> = (0..2_500).map(item).collect();
    rows[1_200].state = State::Failed;
    rows[1_200].error = Some(error());
    rows[7].result.as_mut().unwrap().place = Place::Blob;
    let write = |rows: &[TaskRunRow]| {
        let changes: Vec<Change> = rows.iter().map(|row| put(fence.run, row)).collect();
        commit(&*store, fence, &changes).unwrap();
    };
    write(&rows[..1_500]);
    let (seen, last) = block_on(store.changes_since(fence.run, 0)).unwrap();
    assert_eq!(seen, rows[..1_500]);
    // A few at a time.
    rows[1_500..1_520].chunks(2).for_each(write);
    write(&rows[1_520..]);
    let (news, _) = block_on(store.changes_since(fence.run, last)).unwrap();
    assert_eq!(news, rows[1_500..]);
    assert_eq!(block_on(store.task_runs(fence.run)).unwrap(), rows);
    let recorded = block_on(store.recorded_task_runs(fence.run)).unwrap();
    assert_eq!(recorded.into_rows(), rows);
}

fn an_item_that_is_written_again_replaces_what_was_there<K: Kind>() {
    let kind = K::new("items-again");
    let store = kind.engine();
    let fence = start(&*store, flow_run("score", None));
    let mut rows: Vec<TaskRunRow> = (0..100).map(item).collect();
    rows[3].state = State::Running;
    let write = |rows: &[TaskRunRow]| {
        let changes: Vec<Change> = rows.iter().map(|row| put(fence.run, row)).collect();
        commit(&*store, fence, &changes).unwrap();
    };
    write(&rows);
    // One that had a row of its own completes, one that was packed is undone, others ran again.
    rows[3].state = State::Completed;
    rows[4].state = State::RolledBack;
    for row in &mut rows[20..40] {
        row.execution += 1_000;
    }
    let mut again = rows[3..5].to_vec();
    again.extend_from_slice(&rows[20..40]);
    write(&again);
    assert_eq!(block_on(store.task_runs(fence.run)).unwrap(), rows);

    let calls = vec![rows[3].call, rows[5].call, rows[30].call];
    let orphaned = Change::Orphaned {
        run: fence.run,
        calls,
    };
    commit(&*store, fence, &[orphaned]).unwrap();
    for n in [3, 5, 30] {
        rows[n].is_orphaned = true;
    }
    assert_eq!(block_on(store.task_runs(fence.run)).unwrap(), rows);
}

fn items_are_found_by_their_result_and_by_where_they_took_it_from<K: Kind>() {
    let kind = K::new("items-found");
    let store = kind.engine();
    let (first, mut second) = (flow_run("score", None), flow_run("score", None));
    second.started_at = Timestamp(first.started_at.0 + 1);
    let (first, second) = (start(&*store, first), start(&*store, second));
    let made: Vec<TaskRunRow> = (0..50).map(item).collect();
    let taken: Vec<TaskRunRow> = (0..50)
        .map(|n| TaskRunRow {
            state: State::Cached,
            origin: ResultOrigin::Cached {
                run: first.run,
                call: item(n).call,
            },
            ..item(n)
        })
        .collect();
    for (fence, rows) in [(first, &made), (second, &taken)] {
        let changes: Vec<Change> = rows.iter().map(|row| put(fence.run, row)).collect();
        commit(&*store, fence, &changes).unwrap();
    }
    // It came to something else when it ran again.
    let again = TaskRunRow {
        result: Some(value(99)),
        ..item(7)
    };
    commit(&*store, first, &[put(first.run, &again)]).unwrap();
    let found = |filter: TaskRunFilter| -> Vec<(FlowRunId, CallId)> {
        let found = block_on(store.find_task_runs(filter)).unwrap();
        found.iter().map(|found| (found.run, found.call)).collect()
    };
    let with = |results| TaskRunFilter {
        results: Some(results),
        ..TaskRunFilter::default()
    };
    let both = |n| vec![(first.run, item(n).call), (second.run, item(n).call)];
    assert_eq!(found(with(digest(8)..=digest(8))), both(8));
    assert_eq!(found(with(digest(7)..=digest(7))), both(7)[1..]);
    assert_eq!(found(with(digest(99)..=digest(99))), both(7)[..1]);
    let of_first = TaskRunFilter {
        from: vec![first.run],
        ..TaskRunFilter::default()
    };
    assert_eq!(found(of_first).len(), 50);
}

/// Writes an item as its flow run does: first that it runs, and then what it came to.
fn write_slowly(store: &dyn RunStore, fence: Fence, row: &TaskRunRow) {
    let running = TaskRunRow {
        state: State::Running,
        ended_at: None,
        result: None,
        ..row.clone()
    };
    commit(store, fence, &[put(fence.run, &running)]).unwrap();
    commit(store, fence, &[put(fence.run, row)]).unwrap();
}

fn items_that_come_one_by_one_read_back_like_any_task_run<K: Kind>() {
    let kind = K::new("slow-items");
    let store = kind.engine();
    let fence = start(&*store, flow_run("score", None));
    let mut rows: Vec<TaskRunRow> = (0..1_500).map(item).collect();
    for row in &rows[..500] {
        write_slowly(&*store, fence, row);
    }
    // Undone, not reached again, and run again, before and after they are kept with others.
    let change = |rows: &mut [TaskRunRow], at: usize| {
        rows[at].state = State::RolledBack;
        rows[at + 2].execution += 10_000;
        rows[at + 1].is_orphaned = true;
        let orphaned = Change::Orphaned {
            run: fence.run,
            calls: vec![rows[at + 1].call],
        };
        let changes = [
            put(fence.run, &rows[at]),
            put(fence.run, &rows[at + 2]),
            orphaned,
        ];
        commit(&*store, fence, &changes).unwrap();
    };
    change(&mut rows, 10);
    for row in &rows[500..1_400] {
        write_slowly(&*store, fence, row);
    }
    change(&mut rows, 20);
    let (_, last) = block_on(store.changes_since(fence.run, 0)).unwrap();
    for row in &rows[1_400..] {
        write_slowly(&*store, fence, row);
    }
    assert_eq!(block_on(store.task_runs(fence.run)).unwrap(), rows);
    let (news, _) = block_on(store.changes_since(fence.run, last)).unwrap();
    assert!(news.ends_with(&rows[1_400..]));
    let recorded = block_on(store.recorded_task_runs(fence.run)).unwrap();
    assert_eq!(recorded.into_rows(), rows);
}

#[test]
fn items_that_come_one_by_one_end_in_packs() {
    let folder = InFolder::new("packed-items");
    let store = folder.engine();
    let row = flow_run("score", None);
    let fence = start(&*store, row.clone());
    // One shape of result, as a map has.
    let of_one_shape = |n| TaskRunRow {
        result: Some(value(1)),
        ..item(n)
    };
    let rows: Vec<TaskRunRow> = (0..2_100).map(of_one_shape).collect();
    let counts = || -> (u32, u32, u32) {
        let database = rusqlite::Connection::open(folder.0.join("orch.db")).unwrap();
        let sql = "SELECT (SELECT count(*) FROM task_runs), count(*), total(items)
            FROM packed_task_runs";
        let count = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get::<_, f64>(2)?));
        let (rows, packs, items) = database.query_row(sql, [], count).unwrap();
        (rows, packs, items as u32)
    };
    for row in &rows {
        write_slowly(&*store, fence, row);
    }
    assert_eq!(counts(), (2_100 - 2_048, 2, 2_048));
    let ended = FlowRunRow {
        state: State::Completed,
        ..row
    };
    commit(&*store, fence, &[Change::FlowRun(Box::new(ended))]).unwrap();
    assert_eq!(counts(), (0, 3, 2_100));
    assert_eq!(block_on(store.task_runs(fence.run)).unwrap(), rows);
}

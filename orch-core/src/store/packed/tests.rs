//! What is packed reads back as it was; damage is noticed.

use proptest::prelude::*;

use super::*;
use crate::store::tests::{cache_entry, task_run};
use crate::value::digest_of_stored;

fn stored(format: u8, bytes: &[u8], parts: Vec<Digest>, is_of_bytes: bool) -> StoredValue {
    let digest = match is_of_bytes {
        true => digest_of_stored(format, bytes),
        false => Digest::from_bytes([9; 32]),
    };
    StoredValue {
        stored: Stored {
            digest,
            format,
            shape: [format; 16],
            len: bytes.len() as u64,
            parts,
        },
        place: Place::Inline(bytes.into()),
    }
}

fn result() -> impl Strategy<Value = Option<StoredValue>> {
    let bytes = prop::collection::vec(any::<u8>(), 0..20);
    let parts = prop::collection::vec(any::<u8>().prop_map(|n| Digest::from_bytes([n; 32])), 0..3);
    prop::option::of(
        (1..3_u8, bytes, parts, any::<bool>()).prop_map(|(format, bytes, parts, is_of_bytes)| {
            stored(format, &bytes, parts, is_of_bytes)
        }),
    )
}

fn key() -> impl Strategy<Value = Option<KeyRow>> {
    let part = (
        "[ab]",
        any::<u8>(),
        any::<bool>(),
        prop::option::of("[xy]{0,2}"),
    );
    let part = part.prop_map(|(name, digest, is_unordered, shown)| KeyPartRow {
        name,
        digest: Digest::from_bytes([digest; 32]),
        unordered: is_unordered.then(|| Digest::from_bytes([7; 32])),
        shown,
    });
    prop::option::of((any::<u8>(), prop::collection::vec(part, 0..4)).prop_map(
        |(digest, parts)| KeyRow {
            digest: Digest::from_bytes([digest; 32]),
            parts,
        },
    ))
}

fn upstream() -> impl Strategy<Value = Vec<(CallId, EdgeKind)>> {
    let kind = prop::sample::select(vec![EdgeKind::Data, EdgeKind::Order, EdgeKind::Catch]);
    prop::collection::vec((any::<u8>().prop_map(|n| CallId([n; 16])), kind), 0..3)
}

prop_compose! {
    fn row()(
        (call, scope, index) in (any::<[u8; 16]>(), 0..3_u8, any::<u32>()),
        task in 0..2_usize,
        name in prop::option::of("[a-z ]{0,5}"),
        state in prop::sample::select(vec![State::Completed, State::Cached, State::Reused]),
        attempts in 0..3_u32,
        times in any::<[Option<i64>; 3]>(),
        result in result(),
        from in prop::option::of((0..2_usize, any::<[u8; 16]>())),
        key in key(),
        upstream in upstream(),
        (inputs, is_complete, execution) in (0..2_u8, any::<bool>(), any::<u64>()),
    ) -> (TaskRunRow, usize, usize) {
        let at = |at: Option<i64>| at.map(Timestamp);
        let row = TaskRunRow {
            call: CallId(call),
            scope: CallId([scope; 16]),
            index,
            name,
            state,
            attempts,
            ready_at: at(times[0]),
            started_at: at(times[1]),
            ended_at: at(times[2]),
            result,
            origin: match from {
                None => ResultOrigin::Executed,
                Some((_, call)) => ResultOrigin::Cached { run: FlowRunId::NONE, call: CallId(call) },
            },
            key,
            upstream,
            inputs: [inputs; 16],
            is_complete,
            execution,
            ..task_run(1)
        };
        (row, task, from.map_or(0, |(run, _)| run))
    }
}

fn read(bytes: Vec<u8>, tasks: &[Arc<TaskRow>]) -> Option<PackedTaskRuns> {
    let task = |n: i64| Ok::<_, ()>(Arc::clone(&tasks[n as usize]));
    PackedTaskRuns::read(bytes, task).unwrap()
}

proptest! {
    #[test]
    fn task_runs_read_back_from_their_packs_as_they_were(
        rows in prop::collection::vec(row(), 1..60),
    ) {
        let tasks = ["train", "score"].map(|name| {
            Arc::new(TaskRow { name: name.to_owned(), ..(*task_run(1).task).clone() })
        });
        let runs = [FlowRunId::new(), FlowRunId::new()];
        let mut expected = Vec::new();
        let mut packs = Vec::new();
        let mut packer = TaskRunPacker::default();
        for (mut row, task, from) in rows {
            row.task = Arc::clone(&tasks[task]);
            if let ResultOrigin::Cached { run, .. } = &mut row.origin {
                *run = runs[from];
            }
            prop_assert!(TaskRunPacker::takes(&row));
            if !packer.add(&row, task as i64) {
                packs.push(std::mem::take(&mut packer).finish());
                prop_assert!(packer.add(&row, task as i64));
            }
            expected.push(row);
        }
        packs.push(packer.finish());

        let packs: Vec<PackedTaskRuns> =
            packs.into_iter().map(|bytes| read(bytes, &tasks).unwrap()).collect();
        let found: Vec<TaskRunRow> = packs.iter().flat_map(PackedTaskRuns::rows).collect();
        prop_assert_eq!(&found, &expected);
        let mut one_by_one = Vec::new();
        for pack in &packs {
            for (call, at) in pack.calls() {
                let row = pack.row_at(at).unwrap();
                prop_assert_eq!(row.call, call);
                one_by_one.push(row);
            }
        }
        prop_assert_eq!(one_by_one, expected.clone());
        let last = packs.iter().map(PackedTaskRuns::last_execution).max();
        prop_assert_eq!(last, expected.iter().map(|row| row.execution).max());
    }

    #[test]
    fn a_pack_with_any_byte_changed_or_cut_off_is_known_as_damaged(
        rows in prop::collection::vec(row(), 1..10),
        place in any::<prop::sample::Index>(),
        flip in 1..=255_u8,
    ) {
        let mut packer = TaskRunPacker::default();
        for (row, ..) in &rows {
            packer.add(row, 0);
        }
        let whole = packer.finish();
        let tasks = [Arc::clone(&task_run(1).task)];
        let mut changed = whole.clone();
        changed[place.index(whole.len())] ^= flip;
        prop_assert!(read(changed, &tasks).is_none());
        prop_assert!(read(whole[..place.index(whole.len())].to_vec(), &tasks).is_none());
        prop_assert!(read(whole, &tasks).is_some());
    }
}

fn completed(n: u64) -> TaskRunRow {
    let mut call = [0; 16];
    call[..8].copy_from_slice(&n.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes());
    call[8..].copy_from_slice(&n.wrapping_mul(0xd1b5_4a32_d192_ed03).to_le_bytes());
    TaskRunRow {
        call: CallId(call),
        scope: CallId([1; 16]),
        index: n as u32,
        state: State::Completed,
        ready_at: Some(Timestamp(1_000_000 * n as i64)),
        started_at: Some(Timestamp(1_000_000 * n as i64 + 2_000)),
        ended_at: Some(Timestamp(1_000_000 * n as i64 + 30_000)),
        result: Some(stored(1, &n.to_le_bytes(), Vec::new(), true)),
        execution: n,
        ..task_run(1)
    }
}

#[test]
fn an_item_takes_less_than_four_times_the_sixteen_bytes_of_its_call() {
    let mut packer = TaskRunPacker::default();
    for n in 0..u64::from(MAX_ITEMS) {
        assert!(packer.add(&completed(n), 0));
    }
    assert!(!packer.add(&completed(9), 0), "a pack ends somewhere");
    let bytes = packer.finish().len();
    assert!(bytes < 64 * MAX_ITEMS as usize, "{bytes} bytes");
}

#[test]
fn large_results_fill_a_pack_before_it_has_many_items() {
    let large = TaskRunRow {
        result: Some(stored(1, &[7; 16_000], Vec::new(), true)),
        ..completed(1)
    };
    let mut packer = TaskRunPacker::default();
    let mut n = 0;
    while packer.add(&large, 0) {
        n += 1;
    }
    // 1 MiB, and the one that passed it.
    assert_eq!(n, (1 << 20) / 16_000 + 1);
}

#[test]
fn what_failed_crashed_or_lies_in_a_file_is_not_packed() {
    assert!(TaskRunPacker::takes(&completed(1)));
    let is_packed = |change: fn(&mut TaskRunRow)| {
        let mut row = completed(1);
        change(&mut row);
        TaskRunPacker::takes(&row)
    };
    assert!(!is_packed(|row| row.state = State::Failed));
    assert!(!is_packed(|row| row.state = State::Running));
    assert!(!is_packed(|row| row.state = State::RolledBack));
    assert!(!is_packed(|row| row.crashes = 1));
    assert!(!is_packed(|row| row.kind = NodeKind::Group));
    assert!(!is_packed(|row| row.is_orphaned = true));
    assert!(!is_packed(|row| {
        let value = row.result.as_mut().unwrap();
        value.place = Place::Blob;
    }));
    assert!(is_packed(|row| row.result = None));
    assert!(is_packed(|row| row.key = Some(cache_entry(3, "x").key)));
}

#[test]
fn of_a_call_that_is_recorded_several_times_the_last_record_counts() {
    let pack = |rows: &[TaskRunRow]| {
        let mut packer = TaskRunPacker::default();
        for row in rows {
            assert!(packer.add(row, 0));
        }
        read(packer.finish(), &[Arc::clone(&task_run(1).task)]).unwrap()
    };
    let again = |n, execution| TaskRunRow {
        execution,
        ..completed(n)
    };
    let recorded = RecordedTaskRuns {
        packed: vec![
            pack(&[completed(1), completed(2), completed(3)]),
            pack(&[again(2, 70)]),
        ],
        rows: vec![again(3, 80), completed(4)],
    };
    assert_eq!(
        recorded.into_rows(),
        [completed(1), again(2, 70), again(3, 80), completed(4)]
    );
}

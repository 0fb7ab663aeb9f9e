//! The queue before a store, in front of one that can be held and that fails when it is told to.

use std::sync::mpsc;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;

use super::super::{
    AttemptRow, CacheRow, ClaimRun, FlowRunFilter, FlowRunRow, NoticeFilter, NoticeRow, OwnerId,
    RunClaim, StepRow, TaskRunRow,
};
use super::*;

/// What the store was asked to commit: its size, and whether to the disk.
type Commits = Arc<Mutex<Vec<(Vec<Change>, Durability)>>>;

/// A store that keeps what it is given.
struct Fake {
    commits: Commits,
    /// Each commit waits for one of these, if there is a sender.
    gate: Mutex<Option<mpsc::Receiver<()>>>,
    answer: Answer,
}

type Answer = Box<dyn Fn(&[Fence]) -> Result<(), StoreError> + Send + Sync>;

impl Fake {
    fn new() -> (Self, Commits) {
        let commits = Commits::default();
        let fake = Self {
            commits: Arc::clone(&commits),
            gate: Mutex::default(),
            answer: Box::new(|_| Ok(())),
        };
        (fake, commits)
    }

    /// Holds each commit until the sender lets it go.
    fn held(self) -> (Self, mpsc::Sender<()>) {
        let (open, gate) = mpsc::channel();
        *self.gate.lock().unwrap() = Some(gate);
        (self, open)
    }

    fn answering(
        mut self,
        answer: impl Fn(&[Fence]) -> Result<(), StoreError> + Send + Sync + 'static,
    ) -> Self {
        self.answer = Box::new(answer);
        self
    }

    fn journal(self, durability: Durability, then: OnStoreFailure) -> Journal {
        Journal::new(Arc::new(self), durability, then)
    }
}

fn nothing<'a, T: Default + Send + 'a>() -> BoxFuture<'a, Result<T, StoreError>> {
    std::future::ready(Ok(T::default())).boxed()
}

impl RunStore for Fake {
    fn commit<'a>(
        &'a self,
        batch: &'a [Change],
        fences: &'a [Fence],
        durability: Durability,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        if let Some(gate) = &*self.gate.lock().unwrap() {
            // A sender that is gone holds nobody.
            let _ = gate.recv();
        }
        let answer = (self.answer)(fences);
        if answer.is_ok() {
            self.commits
                .lock()
                .unwrap()
                .push((batch.to_vec(), durability));
        }
        std::future::ready(answer).boxed()
    }

    fn claim_run<'a>(&'a self, claim: ClaimRun) -> BoxFuture<'a, Result<RunClaim, StoreError>> {
        std::future::ready(Ok(RunClaim::Unknown(claim.row.id))).boxed()
    }

    fn claim_key<'a>(&'a self, _key: Digest) -> BoxFuture<'a, Result<KeyClaim, StoreError>> {
        std::future::ready(Ok(KeyClaim::Claimed(7))).boxed()
    }

    fn release_key<'a>(
        &'a self,
        _key: Digest,
        _epoch: Epoch,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        nothing()
    }

    fn cached<'a>(&'a self, _key: Digest) -> BoxFuture<'a, Result<Option<CacheRow>, StoreError>> {
        nothing()
    }

    fn undelivered<'a>(
        &'a self,
        _filter: NoticeFilter,
    ) -> BoxFuture<'a, Result<Vec<NoticeRow>, StoreError>> {
        nothing()
    }

    fn cached_by_task<'a>(
        &'a self,
        _task_id: &'a str,
        _limit: usize,
    ) -> BoxFuture<'a, Result<Vec<CacheRow>, StoreError>> {
        nothing()
    }

    fn cache_entries<'a>(&'a self) -> BoxFuture<'a, Result<Vec<CacheRow>, StoreError>> {
        nothing()
    }

    fn flow_run<'a>(
        &'a self,
        _id: FlowRunId,
    ) -> BoxFuture<'a, Result<Option<FlowRunRow>, StoreError>> {
        nothing()
    }

    fn flow_runs<'a>(
        &'a self,
        _filter: FlowRunFilter,
    ) -> BoxFuture<'a, Result<Vec<FlowRunRow>, StoreError>> {
        nothing()
    }

    fn task_runs<'a>(
        &'a self,
        _run: FlowRunId,
    ) -> BoxFuture<'a, Result<Vec<TaskRunRow>, StoreError>> {
        nothing()
    }

    fn changes_since<'a>(
        &'a self,
        _run: FlowRunId,
        _seq: u64,
    ) -> BoxFuture<'a, Result<(Vec<TaskRunRow>, u64), StoreError>> {
        nothing()
    }

    fn attempts<'a>(
        &'a self,
        _run: FlowRunId,
    ) -> BoxFuture<'a, Result<Vec<AttemptRow>, StoreError>> {
        nothing()
    }

    fn steps<'a>(&'a self, _run: FlowRunId) -> BoxFuture<'a, Result<Vec<StepRow>, StoreError>> {
        nothing()
    }

    fn pin<'a>(
        &'a self,
        _run: FlowRunId,
        _is_pinned: bool,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        nothing()
    }

    fn pin_key<'a>(
        &'a self,
        _key: Digest,
        _is_pinned: bool,
    ) -> BoxFuture<'a, Result<bool, StoreError>> {
        nothing()
    }
}

fn fence() -> Fence {
    Fence {
        run: FlowRunId::new(),
        owner: OwnerId(1),
        epoch: 1,
    }
}

/// A change that is told from others by a number.
fn change(n: u8) -> Change {
    Change::CacheDropped {
        key: Digest::from_bytes([n; 32]),
    }
}

fn numbers(commits: &Commits) -> Vec<u8> {
    let commits = commits.lock().unwrap();
    let changes = commits.iter().flat_map(|(changes, _)| changes);
    changes
        .filter_map(|change| match change {
            Change::CacheDropped { key } => Some(key.as_bytes()[0]),
            _ => None,
        })
        .collect()
}

fn full_disk() -> StoreError {
    StoreError::Io {
        path: "orch.db".into(),
        action: "written",
        source: std::io::Error::from(std::io::ErrorKind::StorageFull),
    }
}

#[test]
fn changes_are_committed_in_their_order_and_nobody_waits_longer_than_needed() {
    let (fake, commits) = Fake::new();
    let journal = fake.journal(Durability::Relaxed, OnStoreFailure::Fail);
    let fence = fence();
    let positions: Vec<Position> = (0..50)
        .map(|n| journal.push(Some(fence), change(n), None))
        .collect();
    assert!(positions.is_sorted());
    block_on(journal.flushed(fence, positions[49])).unwrap();
    assert_eq!(numbers(&commits), (0..50).collect::<Vec<u8>>());
    // What is committed already is answered at once.
    assert!(
        journal
            .flushed(fence, positions[0])
            .now_or_never()
            .is_some()
    );
}

#[test]
fn what_gathers_during_a_commit_makes_one_group() {
    let (fake, commits) = Fake::new();
    let (fake, open) = fake.held();
    let journal = fake.journal(Durability::Relaxed, OnStoreFailure::Fail);
    let fence = fence();
    let first = journal.push(Some(fence), change(0), None);
    let mut wait = Box::pin(journal.sync(fence, first));
    // Asking for it wakes the writer, which stands before the gate from then on.
    assert!(wait.as_mut().now_or_never().is_none());
    let last = (1..40)
        .map(|n| journal.push(Some(fence), change(n), None))
        .last();
    drop(open);
    block_on(wait).unwrap();
    block_on(journal.sync(fence, last.unwrap())).unwrap();
    assert_eq!(numbers(&commits), (0..40).collect::<Vec<u8>>());
    let groups = commits
        .lock()
        .unwrap()
        .iter()
        .filter(|(group, _)| !group.is_empty())
        .count();
    assert!(groups <= 2, "{groups} groups");
}

#[test]
fn a_relaxed_commit_goes_to_the_disk_when_that_is_asked_for_and_a_strict_one_always() {
    for (durability, expected) in [
        (Durability::Relaxed, Durability::Relaxed),
        (Durability::Strict, Durability::Strict),
    ] {
        let (fake, commits) = Fake::new();
        let (fake, open) = fake.held();
        let journal = fake.journal(durability, OnStoreFailure::Fail);
        let fence = fence();
        let first = journal.push(Some(fence), change(1), None);
        open.send(()).unwrap();
        block_on(journal.flushed(fence, first)).unwrap();
        assert_eq!(commits.lock().unwrap()[0].1, expected);
        drop(open);
        let second = journal.push(Some(fence), change(2), None);
        block_on(journal.sync(fence, second)).unwrap();
        let last = commits
            .lock()
            .unwrap()
            .last()
            .map(|(_, durability)| *durability);
        assert_eq!(last, Some(Durability::Strict));
    }
}

#[test]
fn a_lost_run_loses_its_own_changes_and_no_others() {
    let (fake, commits) = Fake::new();
    let (ours, lost) = (fence(), fence());
    let journal = fake
        .answering(move |fences| match fences.contains(&lost) {
            true => Err(StoreError::OwnershipLost {
                run: lost.run,
                epoch: lost.epoch,
            }),
            false => Ok(()),
        })
        .journal(Durability::Relaxed, OnStoreFailure::Fail);
    journal.push(Some(ours), change(1), None);
    let theirs = journal.push(Some(lost), change(2), None);
    let last = journal.push(Some(ours), change(3), None);
    block_on(journal.flushed(ours, last)).unwrap();
    assert_eq!(numbers(&commits), [1, 3]);
    assert!(journal.has_lost(lost) && !journal.has_lost(ours));
    let error = block_on(journal.flushed(lost, theirs)).unwrap_err();
    assert!(
        matches!(error, StoreError::OwnershipLost { run, .. } if run == lost.run),
        "{error}"
    );
    // And it stays lost.
    journal.push(Some(lost), change(4), None);
    let last = journal.push(Some(ours), change(5), None);
    block_on(journal.flushed(ours, last)).unwrap();
    assert_eq!(numbers(&commits), [1, 3, 5]);
}

#[test]
fn after_an_error_those_who_wait_are_told_or_let_go_on_as_was_asked_for() {
    for (durability, then, fails) in [
        (Durability::Relaxed, OnStoreFailure::Fail, true),
        (Durability::Relaxed, OnStoreFailure::GoOn, false),
        // Strict has nothing to go on with.
        (Durability::Strict, OnStoreFailure::GoOn, true),
    ] {
        let (fake, commits) = Fake::new();
        let journal = fake
            .answering(|_| Err(full_disk()))
            .journal(durability, then);
        let fence = fence();
        let position = journal.push(Some(fence), change(1), None);
        let told = block_on(journal.flushed(fence, position));
        assert_eq!(told.is_err(), fails, "{durability:?} {then:?}: {told:?}");
        if let Err(error) = told {
            assert!(error.to_string().contains("cannot be written"), "{error}");
        }
        // Nothing is taken any more, and nobody waits for room.
        let later = journal.push(Some(fence), change(2), None);
        assert_eq!(block_on(journal.sync(fence, later)).is_err(), fails);
        assert!(journal.until_room().now_or_never().is_some());
        assert_eq!(numbers(&commits), [0; 0]);
    }
}

#[test]
fn task_runs_wait_with_their_start_while_the_queue_is_full() {
    let (fake, _commits) = Fake::new();
    let (fake, open) = fake.held();
    let journal = fake.journal(Durability::Relaxed, OnStoreFailure::Fail);
    let fence = fence();
    let large = || {
        let mut row = super::super::tests::cache_entry(1, "a");
        row.value.place = super::super::Place::Inline(vec![0; 16 * 1024 * 1024].into());
        Change::Cache(Box::new(row))
    };
    // The writer takes the first ones along and stands before the gate.
    let mut room = Box::pin(journal.until_room());
    assert!(room.as_mut().now_or_never().is_some());
    for _ in 0..10 {
        journal.push(Some(fence), large(), None);
    }
    let mut room = Box::pin(journal.until_room());
    let is_full = room.as_mut().now_or_never().is_none();
    drop(open);
    // Whether the writer was quick or slow: room comes by itself.
    block_on(journal.until_room());
    let last = journal.last();
    block_on(journal.sync(fence, last)).unwrap();
    assert!(is_full || journal.until_room().now_or_never().is_some());
}

#[test]
fn a_journal_that_is_dropped_writes_what_it_has() {
    let (fake, commits) = Fake::new();
    let journal = fake.journal(Durability::Relaxed, OnStoreFailure::Fail);
    let fence = fence();
    for n in 0..20 {
        journal.push(Some(fence), change(n), None);
    }
    drop(journal);
    assert_eq!(numbers(&commits), (0..20).collect::<Vec<u8>>());
    let last = commits
        .lock()
        .unwrap()
        .last()
        .map(|(_, durability)| *durability);
    assert_eq!(last, Some(Durability::Strict));
}

#[test]
fn of_several_rows_of_one_task_run_in_a_group_the_last_is_written() {
    let (fake, commits) = Fake::new();
    let (fake, open) = fake.held();
    let journal = fake.journal(Durability::Relaxed, OnStoreFailure::Fail);
    let fence = fence();
    let put = |call: u8, attempts: u32| {
        let mut row = super::super::tests::task_run(call);
        row.attempts = attempts;
        let change = Change::TaskRun {
            run: fence.run,
            row: Box::new(row),
            is_item: false,
        };
        journal.push(Some(fence), change, None)
    };
    let mut last = Position::default();
    for attempts in 1..=3 {
        last = put(1, attempts).max(put(2, attempts));
    }
    drop(open);
    block_on(journal.sync(fence, last)).unwrap();
    let commits = commits.lock().unwrap();
    let rows: Vec<(u8, u32)> = commits
        .iter()
        .flat_map(|(changes, _)| changes)
        .filter_map(|change| match change {
            Change::TaskRun { row, .. } => Some((row.call.0[0], row.attempts)),
            _ => None,
        })
        .collect();
    // Groups may be split by when the writer came by; the last of each call comes last.
    for call in [1, 2] {
        let of_call: Vec<u32> = rows
            .iter()
            .filter(|row| row.0 == call)
            .map(|row| row.1)
            .collect();
        assert!(
            of_call.is_sorted() && of_call.last() == Some(&3),
            "{of_call:?}"
        );
    }
}

#[test]
fn a_hold_is_given_up_when_its_change_is_committed() {
    struct Held(mpsc::Sender<usize>, Commits);

    impl Drop for Held {
        fn drop(&mut self) {
            let commits = self.1.lock().unwrap().len();
            let _ = self.0.send(commits);
        }
    }

    let (fake, commits) = Fake::new();
    let journal = fake.journal(Durability::Relaxed, OnStoreFailure::Fail);
    let (sender, released) = mpsc::channel();
    let hold = Box::new(Held(sender, Arc::clone(&commits)));
    journal.push(Some(fence()), change(1), Some(hold));
    assert_eq!(released.recv(), Ok(1), "after the commit");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_from_a_worker_of_a_runtime_comes_after_what_was_pushed_before() {
    let (fake, commits) = Fake::new();
    let journal = Arc::new(fake.journal(Durability::Relaxed, OnStoreFailure::Fail));
    let theirs = Arc::clone(&journal);
    let seen = tokio::spawn(async move {
        theirs.push(Some(fence()), change(1), None);
        theirs.call(move |_store| async move { numbers(&commits) })
    });
    assert_eq!(seen.await.unwrap(), [1]);
    assert!(matches!(
        journal.claim_key(Digest::from_bytes([1; 32])).await,
        Ok(KeyClaim::Claimed(7))
    ));
}

#[test]
fn nothing_is_lost_when_many_threads_push() {
    let (fake, commits) = Fake::new();
    let journal = fake.journal(Durability::Relaxed, OnStoreFailure::Fail);
    std::thread::scope(|scope| {
        for thread in 0..4_u8 {
            let journal = &journal;
            scope.spawn(move || {
                let fence = fence();
                for n in 0..50 {
                    journal.push(Some(fence), change(thread * 50 + n), None);
                }
                block_on(journal.sync(fence, journal.last())).unwrap();
            });
        }
    });
    let mut all = numbers(&commits);
    for thread in 0..4_u8 {
        let of_thread: Vec<u8> = all.iter().copied().filter(|n| n / 50 == thread).collect();
        assert!(of_thread.is_sorted(), "each in its own order");
    }
    all.sort_unstable();
    assert_eq!(all, (0..200).collect::<Vec<u8>>());
}

#[test]
fn a_change_and_its_notices_are_in_one_group_and_the_notices_are_not_folded() {
    let (fake, commits) = Fake::new();
    let (fake, open) = fake.held();
    let journal = fake.journal(Durability::Relaxed, OnStoreFailure::Fail);
    let told: Arc<Mutex<Vec<String>>> = Arc::default();
    let hears = Arc::clone(&told);
    journal.on_notice(move |hook| hears.lock().unwrap().push(hook.to_owned()));
    let fence = fence();
    let put = |n_notices: usize| {
        let change = Change::TaskRun {
            run: fence.run,
            row: Box::new(super::super::tests::task_run(1)),
            is_item: false,
        };
        let notice = || {
            let on = crate::definition::HookOn::Success;
            let notice = crate::hook::Notice::of_flow_run(on, fence.run, "train", "train-1");
            Change::Notice(Box::new(NoticeRow {
                notice: notice.to("mail"),
                failures: 0,
                last_error: None,
                due_at: super::super::Timestamp(0),
            }))
        };
        let notices = std::iter::repeat_with(notice).take(n_notices).collect();
        journal.push_with(Some(fence), change, notices, None)
    };
    let last = [put(2), put(1), put(3)][2];
    assert!(told.lock().unwrap().is_empty(), "nothing is committed yet");
    drop(open);
    block_on(journal.sync(fence, last)).unwrap();
    let commits = commits.lock().unwrap();
    let mut n_notices = 0;
    for (group, _) in commits.iter() {
        let is_notice = |change: &&Change| matches!(change, Change::Notice(_));
        let n = group.iter().filter(is_notice).count();
        let is_task_run = |change: &Change| matches!(change, Change::TaskRun { .. });
        assert!(n == 0 || group.iter().any(is_task_run));
        n_notices += n;
    }
    assert_eq!(n_notices, 6);
    // Once for each group, before anybody who waits for it goes on.
    let told = told.lock().unwrap();
    assert!((1..=3).contains(&told.len()), "{told:?}");
}

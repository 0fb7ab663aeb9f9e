//! Which flow runs and cache entries are kept.

use super::super::*;

const DAY: i64 = 24 * 60 * 60 * 1_000_000_000;
const NOW: Timestamp = Timestamp(1_000 * DAY);

/// A run that ended some days ago.
fn run(flow: &str, days_ago: i64, state: State) -> RunUsage {
    let at = Timestamp(NOW.0 - days_ago * DAY);
    RunUsage {
        id: FlowRunId::new(),
        flow: flow.to_owned(),
        state,
        started_at: at,
        ended_at: state.is_final().then_some(at),
        is_pinned: false,
        owner: None,
        caller: None,
        bytes: 10,
    }
}

/// The places of the runs that are not kept, the oldest run first.
fn expired(retention: &Retention, runs: &[RunUsage]) -> Vec<usize> {
    let place = |id: FlowRunId| runs.iter().position(|run| run.id == id).unwrap();
    let expired = retention.expired(runs.to_vec(), NOW);
    expired.into_iter().map(place).collect()
}

#[test]
fn of_each_flow_the_newest_runs_are_kept() {
    let runs = [
        run("a", 3, State::Completed),
        run("a", 1, State::Completed),
        run("a", 2, State::Completed),
        run("b", 9, State::Completed),
    ];
    let two = Retention::forever().max_runs(2);
    assert_eq!(expired(&two, &runs), [0]);
    assert_eq!(expired(&Retention::forever(), &runs), [0; 0]);
}

#[test]
fn what_did_not_complete_is_kept_twice_as_long() {
    let runs = [
        run("a", 181, State::Failed),
        run("a", 179, State::Failed),
        run("a", 179, State::Crashed),
        run("a", 179, State::TimedOut),
        run("a", 92, State::Cancelled),
        run("a", 91, State::Completed),
        run("a", 89, State::Completed),
    ];
    assert_eq!(expired(&Retention::default(), &runs), [0, 4, 5]);
    let runs = [
        run("a", 5, State::Failed),
        run("a", 4, State::Failed),
        run("a", 3, State::Completed),
        run("a", 2, State::Completed),
        run("a", 1, State::Completed),
    ];
    let two = Retention::forever().max_runs(2);
    // Three newer ones are too many for one that completed, four for one that failed.
    assert_eq!(expired(&two, &runs), [0, 2]);
}

#[test]
fn pinned_runs_and_those_under_way_are_never_removed() {
    let mut pinned = run("a", 500, State::Completed);
    pinned.is_pinned = true;
    let mut running = run("a", 500, State::Running);
    running.owner = Some(OwnerId(1));
    // One whose engine is gone has crashed.
    let abandoned = run("a", 179, State::Running);
    let long_abandoned = run("a", 181, State::Running);
    let runs = [pinned, running, abandoned, long_abandoned];
    assert_eq!(expired(&Retention::default(), &runs), [3]);
    let nothing = Retention::forever().max_runs(0).max_bytes(0);
    assert_eq!(expired(&nothing, &runs), [3, 2]);
}

#[test]
fn subflows_are_kept_as_long_as_the_run_that_called_them() {
    let caller = run("a", 100, State::Completed);
    let mut called = run("b", 100, State::Completed);
    called.caller = Some(caller.id);
    let mut called_by_that = run("c", 100, State::Completed);
    called_by_that.caller = Some(called.id);
    let young = run("a", 1, State::Completed);
    let mut of_young = run("b", 100, State::Completed);
    of_young.caller = Some(young.id);
    // Nobody would remove one whose caller is gone for another reason.
    let mut lonely = run("b", 100, State::Completed);
    lonely.caller = Some(FlowRunId::new());
    let runs = [caller, called, called_by_that, young, of_young, lonely];
    let mut all = expired(&Retention::default(), &runs);
    all.sort_unstable();
    assert_eq!(all, [0, 1, 2, 5]);
    // The bytes of all that go together count together: of 50 bytes 30 go.
    let few = Retention::forever().max_bytes(30);
    let mut oldest = expired(&few, &runs[..5]);
    oldest.sort_unstable();
    assert_eq!(oldest, [0, 1, 2]);
}

#[test]
fn results_of_the_oldest_runs_go_until_the_bytes_are_few_enough() {
    let runs = [
        run("a", 8, State::Completed),
        run("b", 10, State::Failed),
        run("a", 6, State::Completed),
        run("b", 1, State::Completed),
    ];
    let of = |bytes| Retention::forever().max_bytes(bytes);
    assert_eq!(expired(&of(40), &runs), [0; 0]);
    assert_eq!(expired(&of(39), &runs), [0]);
    // The failed one counts as half as old: older than five days, younger than six.
    assert_eq!(expired(&of(20), &runs), [0, 2]);
    assert_eq!(expired(&of(10), &runs), [1, 0, 2]);
}

fn entry(key: u8, used_days_ago: i64, bytes: u64) -> CacheUsage {
    CacheUsage {
        key: Digest::from_bytes([key; 32]),
        made_at: Timestamp(0),
        used_at: Timestamp(NOW.0 - used_days_ago * DAY),
        is_pinned: false,
        bytes,
    }
}

fn evicted(budget: &CacheBudget, entries: &[CacheUsage]) -> Vec<u8> {
    let evicted = budget.evicted(entries.to_vec(), NOW);
    let first = |entry: &CacheUsage| entry.key.as_bytes()[0];
    evicted.iter().map(first).collect()
}

#[test]
fn what_was_not_used_for_longest_leaves_the_cache_first() {
    let mut entries = [
        entry(1, 1, 10),
        entry(2, 4, 10),
        entry(3, 3, 100),
        entry(4, 9, 10),
    ];
    let of = |bytes| CacheBudget::unlimited().max_bytes(bytes);
    assert_eq!(evicted(&of(130), &entries), [0; 0]);
    assert_eq!(evicted(&of(129), &entries), [4]);
    assert_eq!(evicted(&of(119), &entries), [4, 2]);
    assert_eq!(evicted(&of(109), &entries), [4, 2, 3]);
    // Those that are pinned stay and count.
    entries[3].is_pinned = true;
    assert_eq!(evicted(&of(129), &entries), [2]);
    let young = CacheBudget::unlimited().max_age(Duration::from_secs(2 * 24 * 60 * 60));
    assert_eq!(evicted(&young, &entries), [2, 3]);
}

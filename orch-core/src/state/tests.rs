use std::collections::BTreeSet;

use super::*;

const CHANGES: [StateChange; 16] = [
    StateChange::Queue,
    StateChange::AwaitLimit,
    StateChange::Start,
    StateChange::Retry,
    StateChange::Pause,
    StateChange::Resume,
    StateChange::Complete,
    StateChange::HitCache,
    StateChange::Reuse,
    StateChange::Fail,
    StateChange::TimeOut,
    StateChange::Crash,
    StateChange::BeginCancel,
    StateChange::Cancel,
    StateChange::Skip,
    StateChange::RollBack,
];

/// The legal changes, written down by hand from the rules of states; all others are illegal.
fn legal(from: State) -> Vec<(StateChange, State)> {
    use State as S;
    use StateChange as C;
    // How a run that waits or runs can end without a result, or be asked to end.
    let ends = [
        (C::Fail, S::Failed),
        (C::TimeOut, S::TimedOut),
        (C::Crash, S::Crashed),
        (C::BeginCancel, S::Cancelling),
        (C::Cancel, S::Cancelled),
    ];
    let mut changes = match from {
        S::Scheduled => vec![
            (C::Queue, S::Pending),
            (C::Crash, S::Crashed),
            (C::Cancel, S::Cancelled),
            (C::Skip, S::Skipped),
        ],
        S::Pending => vec![
            (C::AwaitLimit, S::AwaitingLimit),
            (C::Start, S::Running),
            (C::Retry, S::AwaitingRetry),
            (C::HitCache, S::Cached),
            (C::Reuse, S::Reused),
            (C::Skip, S::Skipped),
        ],
        S::AwaitingRetry => vec![(C::AwaitLimit, S::AwaitingLimit), (C::Start, S::Running)],
        S::AwaitingLimit => vec![
            (C::Start, S::Running),
            (C::Retry, S::AwaitingRetry),
            (C::HitCache, S::Cached),
            (C::Reuse, S::Reused),
        ],
        S::Running => vec![
            (C::Retry, S::AwaitingRetry),
            (C::Pause, S::Paused),
            (C::Complete, S::Completed),
        ],
        S::Paused => vec![(C::Resume, S::Running)],
        S::Cancelling => vec![(C::Complete, S::Completed)],
        S::Completed | S::Cached | S::Reused => vec![(C::RollBack, S::RolledBack)],
        S::Failed | S::TimedOut | S::Crashed | S::Cancelled | S::Skipped | S::RolledBack => vec![],
    };
    let is_under_way = matches!(
        from,
        S::Pending | S::AwaitingRetry | S::AwaitingLimit | S::Running | S::Paused | S::Cancelling
    );
    if is_under_way {
        changes.extend(ends);
    }
    changes
}

fn pairs() -> impl Iterator<Item = (State, StateChange)> {
    State::ALL
        .into_iter()
        .flat_map(|state| CHANGES.map(|change| (state, change)))
}

#[test]
fn each_change_is_legal_exactly_where_the_table_says() {
    for (from, change) in pairs() {
        let expected = legal(from).into_iter().find(|(legal, _)| *legal == change);
        let expected = expected
            .map(|(_, to)| to)
            .ok_or(IllegalStateChange { from, change });
        assert_eq!(from.after(change), expected, "{from} by {change:?}");
    }
}

#[test]
fn final_states_are_only_left_by_an_undoing_of_a_success() {
    for (from, change) in pairs().filter(|(from, _)| from.is_final()) {
        let allowed = change == StateChange::RollBack && from.is_success();
        let expected = if allowed {
            Some(State::RolledBack)
        } else {
            None
        };
        assert_eq!(from.after(change).ok(), expected, "{from} by {change:?}");
    }
}

#[test]
fn each_state_that_is_not_final_can_end() {
    for from in State::ALL.into_iter().filter(|state| !state.is_final()) {
        for change in [StateChange::Crash, StateChange::Cancel] {
            assert!(
                from.after(change).is_ok_and(State::is_final),
                "{from} by {change:?}"
            );
        }
    }
}

#[test]
fn each_state_is_reachable_from_the_first_ones() {
    let mut reached = vec![State::Scheduled, State::Pending];
    let mut next = 0;
    while let Some(from) = reached.get(next).copied() {
        next += 1;
        for to in CHANGES.iter().filter_map(|change| from.after(*change).ok()) {
            if !reached.contains(&to) {
                reached.push(to);
            }
        }
    }
    for state in State::ALL {
        assert!(reached.contains(&state), "{state} cannot be reached");
    }
}

#[test]
fn each_change_is_legal_somewhere() {
    for change in CHANGES {
        assert!(
            State::ALL.iter().any(|state| state.after(change).is_ok()),
            "{change:?}"
        );
    }
}

#[test]
fn coarse_states_agree_with_the_questions_asked_of_states() {
    for state in State::ALL {
        let kind = state.kind();
        let is_final = matches!(
            kind,
            StateKind::Completed | StateKind::Failed | StateKind::Crashed | StateKind::Cancelled
        );
        assert_eq!(state.is_final(), is_final, "{state}");
        assert_eq!(
            state.is_failure(),
            matches!(state, State::Failed | State::TimedOut | State::Crashed),
            "{state}"
        );
        let is_success = kind == StateKind::Completed && state != State::RolledBack;
        assert_eq!(state.is_success(), is_success, "{state}");
        assert!(!(state.is_success() && state.is_failure()), "{state}");
        assert!(
            state.is_final() || !(state.is_success() || state.is_failure()),
            "{state}"
        );
        assert_eq!(
            state.is_live(),
            !is_final && state != State::Scheduled,
            "{state}"
        );
    }
}

#[test]
fn a_finer_state_has_the_kind_of_its_coarse_one() {
    let coarse = [
        (State::Scheduled, StateKind::Scheduled),
        (State::Pending, StateKind::Pending),
        (State::Running, StateKind::Running),
        (State::Paused, StateKind::Paused),
        (State::Completed, StateKind::Completed),
        (State::Failed, StateKind::Failed),
        (State::Crashed, StateKind::Crashed),
        (State::Cancelling, StateKind::Cancelling),
        (State::Cancelled, StateKind::Cancelled),
    ];
    let finer = [
        (State::AwaitingRetry, StateKind::Scheduled),
        (State::AwaitingLimit, StateKind::Pending),
        (State::Cached, StateKind::Completed),
        (State::Reused, StateKind::Completed),
        (State::RolledBack, StateKind::Completed),
        (State::TimedOut, StateKind::Failed),
        (State::Skipped, StateKind::Cancelled),
    ];
    for (state, kind) in coarse.into_iter().chain(finer) {
        assert_eq!(state.kind(), kind, "{state}");
    }
    assert_eq!(coarse.len() + finer.len(), State::ALL.len());
}

#[test]
fn words_and_stored_names_are_distinct() {
    let words: BTreeSet<&str> = State::ALL.iter().map(|state| state.word()).collect();
    assert_eq!(words.len(), State::ALL.len());
    let mut stored = BTreeSet::new();
    for state in State::ALL {
        let name = serde_json::to_string(&state).unwrap();
        assert_eq!(name, format!("\"{}\"", state.word().replace(' ', "_")));
        assert_eq!(serde_json::from_str::<State>(&name).unwrap(), state);
        stored.insert(name);
    }
    assert_eq!(stored.len(), State::ALL.len());
}

#[test]
fn marks_are_distinct_but_for_two_stages_of_the_same() {
    for (i, a) in State::ALL.into_iter().enumerate() {
        for b in State::ALL.into_iter().skip(i + 1) {
            let same = matches!(
                (a, b),
                (State::Scheduled, State::Pending) | (State::Cancelling, State::Cancelled)
            );
            assert_eq!(a.mark() == b.mark(), same, "{a} and {b}");
        }
    }
}

#[test]
fn the_number_of_a_state_leads_back_to_it() {
    for (i, state) in State::ALL.into_iter().enumerate() {
        assert_eq!(state as usize, i);
        assert_eq!(State::from_u8(state as u8), state);
    }
}

#[test]
fn an_illegal_change_names_state_and_change() {
    let error = State::Skipped.after(StateChange::Start).unwrap_err();
    assert_eq!(
        error.to_string(),
        "a run that is skipped cannot change by Start"
    );
}

#[test]
fn a_state_is_padded_like_text() {
    assert_eq!(format!("[{:>10}]", State::Failed), "[    failed]");
}

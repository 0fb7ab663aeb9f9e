//! How many task runs are in each state.

use super::{TaskCounts, TaskRunReport, human};
use crate::state::State;

/// How many task runs are in each state.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Counts([u64; State::ALL.len()]);

impl Counts {
    pub(super) fn add(&mut self, state: State, number: u64) {
        self.0[state as usize] += number;
    }

    pub(super) fn add_all(&mut self, counts: &TaskCounts) {
        self.add(State::Completed, counts.completed);
        self.add(State::Failed, counts.failed);
        self.add(State::Cancelled, counts.cancelled);
    }

    pub(super) fn add_counts(&mut self, counts: &Counts) {
        for (own, number) in self.0.iter_mut().zip(counts.0) {
            *own += number;
        }
    }

    pub(super) fn total(&self) -> u64 {
        self.0.iter().sum()
    }

    /// The states that occur, failures first, with their numbers.
    pub(super) fn present(&self) -> impl Iterator<Item = (State, u64)> {
        let of = |is_failure| {
            let states = State::ALL.into_iter().zip(self.0);
            states.filter(move |(state, n)| *n > 0 && state.is_failure() == is_failure)
        };
        of(true).chain(of(false))
    }

    /// The state that stands for all: a failure if there is one, then what still goes on, else
    /// the most frequent one.
    pub(super) fn leading(&self) -> State {
        let urgency = |state: State| match state {
            state if state.is_failure() => 2,
            state if !state.is_final() => 1,
            _ => 0,
        };
        self.present()
            .max_by_key(|(state, n)| (urgency(*state), *n, std::cmp::Reverse(*state as u8)))
            .map_or(State::Pending, |(state, _)| state)
    }

    /// `1 failed, 4 completed`.
    pub(super) fn words(&self) -> String {
        let parts: Vec<String> = self
            .present()
            .map(|(state, n)| format!("{} {state}", human::count(n)))
            .collect();
        parts.join(", ")
    }
}

/// The counted items of a map, as counts.
pub(super) fn item_counts(run: &TaskRunReport) -> Option<Counts> {
    let items = run.items.as_ref()?;
    let mut counts = Counts::default();
    counts.add_all(items);
    Some(counts)
}

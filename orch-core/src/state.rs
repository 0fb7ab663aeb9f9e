//! Where a flow run or a task run stands, and the one function that moves it.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Where a flow run or a task run stands.
///
/// [`State::kind`] gives the coarse state; the others are finer names under one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum State {
    /// Known, and to start at a later time.
    Scheduled,
    /// Submitted; waits for its inputs or for a free worker.
    Pending,
    /// Failed an attempt and waits for the next one.
    AwaitingRetry,
    /// Has its inputs and waits for a concurrency limit.
    AwaitingLimit,
    /// An attempt is being executed.
    Running,
    /// Waits for a person or an outside event; holds no limit.
    Paused,
    /// Returned a result.
    Completed,
    /// Completed without executing: the result came from the cache.
    Cached,
    /// Completed without executing: a resumed run handed its recorded result back.
    Reused,
    /// Returned an error, and no attempts are left.
    Failed,
    /// Failed because one of its clocks ran out.
    TimedOut,
    /// Never returned: it panicked, was aborted with its runtime, or lost its process.
    Crashed,
    /// Was asked to stop and has not yet.
    Cancelling,
    /// Stopped because somebody asked for it.
    Cancelled,
    /// Never started, because something upstream did not complete.
    Skipped,
    /// Completed, and was undone afterwards.
    RolledBack,
}

/// The coarse state that a [`State`] belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StateKind {
    /// To start at a later time.
    Scheduled,
    /// Waits to start.
    Pending,
    /// Being executed.
    Running,
    /// Waits for the outside.
    Paused,
    /// Ended with a result.
    Completed,
    /// Ended with an error.
    Failed,
    /// Ended without returning.
    Crashed,
    /// Asked to stop.
    Cancelling,
    /// Ended because it was asked to stop, or because its upstream did not complete.
    Cancelled,
}

/// What happened to a run; [`State::after`] says what state it leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StateChange {
    /// Its time has come.
    Queue,
    /// Its inputs are there and a concurrency limit is full.
    AwaitLimit,
    /// An attempt starts.
    Start,
    /// An attempt failed and another one will follow.
    Retry,
    /// The run waits for the outside.
    Pause,
    /// What a paused run waited for has come.
    Resume,
    /// It returned a result.
    Complete,
    /// The cache had its result.
    HitCache,
    /// A resumed run handed back its recorded result.
    Reuse,
    /// It returned an error and no attempts are left.
    Fail,
    /// One of its clocks ran out and no attempts are left.
    TimeOut,
    /// It panicked, or the thread, runtime or process that executed it is gone.
    Crash,
    /// Somebody asked it to stop.
    BeginCancel,
    /// It stopped because it was asked to.
    Cancel,
    /// Something upstream did not complete.
    Skip,
    /// Its effects were undone.
    RollBack,
}

/// A change of state that no run can make.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a run that is {from} cannot change by {change:?}")]
pub struct IllegalStateChange {
    /// The state the run is in.
    pub from: State,
    /// What was asked of it.
    pub change: StateChange,
}

impl State {
    /// Every state, in the order of a run's life.
    pub const ALL: [State; 16] = [
        State::Scheduled,
        State::Pending,
        State::AwaitingRetry,
        State::AwaitingLimit,
        State::Running,
        State::Paused,
        State::Completed,
        State::Cached,
        State::Reused,
        State::Failed,
        State::TimedOut,
        State::Crashed,
        State::Cancelling,
        State::Cancelled,
        State::Skipped,
        State::RolledBack,
    ];

    /// Returns the state after `change`. Every change of a run's state goes through here, also on
    /// recovery, where stored changes are replayed.
    ///
    /// # Errors
    /// [`IllegalStateChange`] when a run in this state cannot change like that; the run stays as
    /// it is.
    pub const fn after(self, change: StateChange) -> Result<State, IllegalStateChange> {
        use State as S;
        use StateChange as C;
        Ok(match (self, change) {
            (S::Scheduled, C::Queue) => S::Pending,
            (S::Pending | S::AwaitingRetry, C::AwaitLimit) => S::AwaitingLimit,
            (S::Pending | S::AwaitingRetry | S::AwaitingLimit, C::Start) => S::Running,
            // An attempt can also fail before its body runs: by the queue's clock, or because a
            // resource is missing.
            (S::Running | S::Pending | S::AwaitingLimit, C::Retry) => S::AwaitingRetry,
            (S::Running, C::Pause) => S::Paused,
            (S::Paused, C::Resume) => S::Running,
            (S::Running, C::Complete) => S::Completed,
            (S::Pending | S::AwaitingLimit, C::HitCache) => S::Cached,
            (S::Pending | S::AwaitingLimit, C::Reuse) => S::Reused,
            (from, C::Fail) if from.is_live() => S::Failed,
            (from, C::TimeOut) if from.is_live() => S::TimedOut,
            (from, C::Crash) if !from.is_final() => S::Crashed,
            (from, C::BeginCancel) if from.is_live() => S::Cancelling,
            (from, C::Cancel) if !from.is_final() => S::Cancelled,
            (S::Scheduled | S::Pending, C::Skip) => S::Skipped,
            // A run that was asked to stop may still finish within the grace time.
            (S::Cancelling, C::Complete) => S::Completed,
            (S::Completed | S::Cached | S::Reused, C::RollBack) => S::RolledBack,
            (from, change) => return Err(IllegalStateChange { from, change }),
        })
    }

    /// Returns the coarse state.
    pub const fn kind(self) -> StateKind {
        match self {
            State::Scheduled | State::AwaitingRetry => StateKind::Scheduled,
            State::Pending | State::AwaitingLimit => StateKind::Pending,
            State::Running => StateKind::Running,
            State::Paused => StateKind::Paused,
            State::Completed | State::Cached | State::Reused | State::RolledBack => {
                StateKind::Completed
            }
            State::Failed | State::TimedOut => StateKind::Failed,
            State::Crashed => StateKind::Crashed,
            State::Cancelling => StateKind::Cancelling,
            State::Cancelled | State::Skipped => StateKind::Cancelled,
        }
    }

    /// Whether the run has ended. Only an undoing can still follow.
    pub const fn is_final(self) -> bool {
        matches!(
            self.kind(),
            StateKind::Completed | StateKind::Failed | StateKind::Crashed | StateKind::Cancelled
        )
    }

    /// Whether the run ended with a result.
    pub const fn is_success(self) -> bool {
        matches!(self, State::Completed | State::Cached | State::Reused)
    }

    /// Whether the result was there, so that nothing was executed.
    pub const fn is_found(self) -> bool {
        matches!(self, State::Cached | State::Reused)
    }

    /// Whether the run ended by itself without a result: failed, timed out or crashed.
    pub const fn is_failure(self) -> bool {
        matches!(self.kind(), StateKind::Failed | StateKind::Crashed)
    }

    /// Waits or runs, and has not been asked to stop.
    const fn is_live(self) -> bool {
        !self.is_final() && !matches!(self, State::Scheduled)
    }

    /// The state of a word.
    pub(crate) fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.word() == word)
    }

    /// The word for this state in messages, tables and pages.
    pub const fn word(self) -> &'static str {
        match self {
            State::Scheduled => "scheduled",
            State::Pending => "pending",
            State::AwaitingRetry => "awaiting retry",
            State::AwaitingLimit => "awaiting limit",
            State::Running => "running",
            State::Paused => "paused",
            State::Completed => "completed",
            State::Cached => "cached",
            State::Reused => "reused",
            State::Failed => "failed",
            State::TimedOut => "timed out",
            State::Crashed => "crashed",
            State::Cancelling => "cancelling",
            State::Cancelled => "cancelled",
            State::Skipped => "skipped",
            State::RolledBack => "rolled back",
        }
    }

    /// The mark for this state, always shown together with its word.
    pub const fn mark(self) -> char {
        match self {
            State::Scheduled | State::Pending => '○',
            State::AwaitingRetry => '↻',
            State::AwaitingLimit => '◔',
            State::Running => '●',
            State::Paused => '⏸',
            State::Completed => '✓',
            State::Cached => '⚡',
            State::Reused => '↷',
            State::Failed => '✗',
            State::TimedOut => '⏱',
            State::Crashed => '☠',
            State::Cancelling | State::Cancelled => '■',
            State::Skipped => '⊘',
            State::RolledBack => '⤺',
        }
    }

    pub(crate) const fn from_u8(value: u8) -> State {
        State::ALL[value as usize]
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

#[cfg(test)]
mod tests;

//! Circuit breakers: what has failed too often in a row is left alone for a while.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::definition::LimitUse;

/// When task runs that take a limit are no longer started, because too many of them failed.
///
/// After so many failed attempts in a row the breaker is open: an attempt of a task that takes the
/// limit ends at once with [`TaskErrorKind::BreakerOpen`](crate::TaskErrorKind::BreakerOpen), without
/// executing anything; with `retries` left, it is tried again once the rest is over. Then a single attempt
/// is let through: its success closes the breaker, its failure opens it again. Errors, panics and
/// timeouts count; cancellations do not.
///
/// ```
/// use std::time::Duration;
/// use orch_core::{Breaker, prelude::*};
///
/// #[task(limit = "payments", retries = 3)]
/// async fn pay(order: u64) -> Result<(), std::io::Error> { Ok(()) }
///
/// let engine = Engine::builder()
///     .limit("payments", 10)
///     .breaker("payments", Breaker::new(5, Duration::from_secs(30)))
///     .build();
/// assert_eq!(engine.breakers()[0].failures, 0);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Breaker {
    failures: u32,
    rest: Duration,
}

impl Breaker {
    /// Opens after so many failed attempts in a row, for so long.
    ///
    /// # Panics
    /// If `failures` is zero.
    pub fn new(failures: u32, rest: Duration) -> Self {
        assert!(failures > 0, "a breaker opens after at least one failure");
        Self { failures, rest }
    }
}

/// How a breaker stands.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct BreakerStatus {
    /// The name of the limit.
    pub name: String,
    /// Failed attempts in a row.
    pub failures: u32,
    /// How long it stays open, if it is; zero once an attempt may be let through.
    pub open_for: Option<Duration>,
}

/// A breaker does not let an attempt through.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Open {
    pub(crate) name: String,
    /// When it is worth to try again.
    pub(crate) left: Duration,
}

/// All breakers of an engine.
#[derive(Debug, Default, Clone)]
pub(crate) struct Breakers(BTreeMap<String, Arc<One>>);

#[derive(Debug)]
struct One {
    name: String,
    breaker: Breaker,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    failures: u32,
    open_until: Option<Instant>,
    /// Whether the attempt that decides is under way.
    is_probed: bool,
}

impl Breakers {
    pub(crate) fn set(&mut self, name: String, breaker: Breaker) {
        let one = One {
            name: name.clone(),
            breaker,
            state: Mutex::default(),
        };
        self.0.insert(name, Arc::new(one));
    }

    pub(crate) fn status(&self) -> Vec<BreakerStatus> {
        let status = |(name, one): (&String, &Arc<One>)| {
            let state = one.lock();
            BreakerStatus {
                name: name.clone(),
                failures: state.failures,
                open_for: state
                    .open_until
                    .map(|until| until.saturating_duration_since(Instant::now())),
            }
        };
        self.0.iter().map(status).collect()
    }

    /// Lets an attempt through that takes these limits, if all breakers do.
    pub(crate) fn enter(&self, uses: &[LimitUse]) -> Result<Passage, Open> {
        let mut passage = Passage(Vec::new());
        if self.0.is_empty() {
            return Ok(passage);
        }
        for one in uses.iter().filter_map(|one| self.0.get(&*one.name)) {
            // Should another one be open, dropping the passage gives this one's probe back.
            let is_probe = one.enter()?;
            passage.0.push((Arc::clone(one), is_probe));
        }
        Ok(passage)
    }
}

impl One {
    fn lock(&self) -> MutexGuard<'_, State> {
        // No code of the user's runs under this lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns whether the attempt decides how it goes on.
    fn enter(&self) -> Result<bool, Open> {
        let mut state = self.lock();
        let Some(until) = state.open_until else {
            return Ok(false);
        };
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() && !state.is_probed {
            state.is_probed = true;
            return Ok(true);
        }
        let name = self.name.clone();
        let left = if left.is_zero() {
            self.breaker.rest
        } else {
            left
        };
        Err(Open { name, left })
    }

    fn leave(&self, is_probe: bool, outcome: Option<bool>) {
        let mut state = self.lock();
        if is_probe {
            state.is_probed = false;
        } else if state.open_until.is_some() {
            // It began before the breaker opened.
            return;
        }
        match outcome {
            None => {}
            Some(true) => {
                if is_probe {
                    tracing::info!(target: "orch", limit = self.name, "the breaker is closed again");
                }
                *state = State::default();
            }
            Some(false) => {
                state.failures = state.failures.saturating_add(1);
                if is_probe || state.failures >= self.breaker.failures {
                    state.open_until = Some(Instant::now() + self.breaker.rest);
                    tracing::warn!(
                        target: "orch",
                        limit = self.name,
                        failures = state.failures,
                        "the breaker is open for {:?}",
                        self.breaker.rest
                    );
                }
            }
        }
    }
}

/// An attempt that was let through; dropped, it says nothing of how it went.
#[derive(Debug)]
pub(crate) struct Passage(Vec<(Arc<One>, bool)>);

impl Passage {
    /// Says how the attempt went.
    pub(crate) fn end(mut self, has_succeeded: bool) {
        for (one, is_probe) in self.0.drain(..) {
            one.leave(is_probe, Some(has_succeeded));
        }
    }
}

impl Drop for Passage {
    fn drop(&mut self) {
        for (one, is_probe) in self.0.drain(..) {
            one.leave(is_probe, None);
        }
    }
}

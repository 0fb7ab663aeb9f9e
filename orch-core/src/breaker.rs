//! Circuit breakers: after failures in a row nothing starts for a while, then one attempt is let
//! through to see.
//!
//! What an attempt comes to counts only for the stand of the breaker that it started in: each change
//! of it begins a new period, so that what began before says nothing of what is now.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use crate::id::FlowRunId;
use crate::node::Header;

/// When tasks stop to call what fails anyway, and for how long: a circuit breaker.
///
/// Tasks that call the same thing share one by its name, `#[task(breaker = "payments")]`, over all
/// flow runs of the engine. It is *closed* at first. After so many failed attempts in a row it is
/// *open*: no attempt starts, and each ends at once with [`TaskErrorKind::BreakerOpen`], without its
/// body having run. When its time is over it is *half-open*: one attempt, the probe, is let through.
/// If that succeeds the breaker is closed, if it fails it is open for as long again.
///
/// A task run that has retries left waits until the breaker is half-open, whatever its `backoff`
/// says; where an attempt was refused that counts as one of its `retries`. While a probe is under
/// way, a task run with `retries` waits for what that comes to, and one without fails. What the
/// probe itself calls goes with it and does not count, but for what subflows of it call.
///
/// Attempts that return an error, panic or time out count as failed, also those that are not worth
/// another try. Those that are cancelled, or that waited in vain to start, do not count.
///
/// ```
/// use std::time::Duration;
/// use orch_core::prelude::*;
/// use orch_core::{Breaker, BreakerState};
///
/// #[task(breaker = "payments")]
/// async fn pay(cents: u64) -> Result<u64, String> {
///     Err(format!("the bank does not answer for {cents}"))
/// }
///
/// #[task]
/// async fn owe(cents: u64) -> u64 {
///     cents
/// }
///
/// #[flow]
/// async fn shop() -> Result<u64, TaskError> {
///     let refused = pay(100).await.unwrap_err();
///     assert_eq!(refused.attempts(), 1);
///     // The breaker is open now: this one is not even executed.
///     let refused = pay(200).await.unwrap_err();
///     assert_eq!(refused.attempts(), 0);
///     Ok(*pay(300).or_else(|_error| owe(300)).await?)
/// }
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
/// let engine = Engine::builder()
///     .breaker("payments", Breaker::new(1, Duration::from_secs(30)))
///     .build();
/// assert_eq!(shop().on(&engine).await.unwrap(), 300);
/// assert!(matches!(engine.breakers()[0].state, BreakerState::Open { .. }));
/// # });
/// ```
///
/// [`TaskErrorKind::BreakerOpen`]: crate::TaskErrorKind::BreakerOpen
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Breaker {
    failures: u32,
    open_for: Duration,
}

impl Breaker {
    /// Opens after this many failed attempts in a row, and stays open for `open_for`.
    ///
    /// # Panics
    /// If `failures` is zero.
    pub const fn new(failures: u32, open_for: Duration) -> Self {
        assert!(failures > 0, "a breaker opens after at least one failure");
        Self { failures, open_for }
    }
}

/// How a breaker stands.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct BreakerStatus {
    /// The breaker's name.
    pub name: String,
    /// Whether it lets attempts through.
    pub state: BreakerState,
    /// How many attempts have failed in a row.
    pub failures: u32,
}

/// Whether a breaker lets attempts through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum BreakerState {
    /// It does.
    Closed,
    /// It does not.
    Open {
        /// For how much longer.
        left: Duration,
    },
    /// It lets one through, which may be under way.
    HalfOpen,
}

/// All breakers of an engine.
#[derive(Clone, Default)]
pub(crate) struct Breakers(BTreeMap<String, Arc<Circuit>>);

impl Breakers {
    pub(crate) fn set(&mut self, name: String, breaker: Breaker) {
        let circuit = Circuit {
            name: name.clone(),
            breaker,
            stand: Mutex::default(),
            decided: Notify::new(),
        };
        self.0.insert(name, Arc::new(circuit));
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Arc<Circuit>> {
        self.0.get(name)
    }

    pub(crate) fn names(&self) -> Vec<String> {
        self.0.keys().cloned().collect()
    }

    pub(crate) fn status(&self) -> Vec<BreakerStatus> {
        self.0.values().map(|circuit| circuit.status()).collect()
    }
}

/// A breaker of an engine.
pub(crate) struct Circuit {
    pub(crate) name: String,
    breaker: Breaker,
    stand: Mutex<Stand>,
    /// Told when no probe is under way any more.
    decided: Notify,
}

#[derive(Default)]
struct Stand {
    position: Position,
    /// Failures in a row.
    failures: u32,
    /// Counts the changes of the position.
    period: u64,
}

#[derive(Default)]
enum Position {
    #[default]
    Closed,
    /// Half-open once the moment has come.
    Open {
        until: Instant,
    },
    Probing(Probe),
}

/// The task run whose attempt is let through.
#[derive(Clone, Copy)]
struct Probe {
    flow_run: FlowRunId,
    index: u32,
}

impl Probe {
    /// Whether this task run was called by the probe, or by what that called.
    fn called(&self, header: &Header) -> bool {
        let scope = header.scope.as_ref();
        self.flow_run == header.flow.id && scope.is_some_and(|scope| scope.is_within(self.index))
    }
}

impl Position {
    /// How an attempt is let through, if it is.
    fn way(&self, header: &Header) -> Result<Way, Refusal> {
        match self {
            Self::Closed => Ok(Way::Closed),
            Self::Open { until } => match left(*until) {
                Duration::ZERO => Ok(Way::Probe),
                left => Err(Refusal::Open { left }),
            },
            Self::Probing(probe) if probe.called(header) => Ok(Way::WithProbe),
            Self::Probing(_) => Err(Refusal::Probing),
        }
    }
}

/// How an attempt is let through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// By a closed breaker.
    Closed,
    /// As the probe.
    Probe,
    /// As a part of the probe, which would wait for itself otherwise.
    WithProbe,
}

/// Why an attempt cannot start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The breaker is open for this much longer.
    Open { left: Duration },
    /// A probe is under way.
    Probing,
}

/// What an attempt has done to a breaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Switched {
    Opened { failures: u32, open_for: Duration },
    Closed,
}

impl Stand {
    fn move_to(&mut self, position: Position) {
        self.position = position;
        self.period += 1;
    }
}

impl Circuit {
    /// Says whether an attempt may start as things stand.
    pub(crate) fn look(&self, header: &Header) -> Result<(), Refusal> {
        self.lock().position.way(header).map(drop)
    }

    /// Lets an attempt start: as the probe, if the breaker is half-open.
    pub(crate) fn enter(self: &Arc<Self>, header: &Header) -> Result<Pass, Refusal> {
        let mut stand = self.lock();
        let way = stand.position.way(header)?;
        if way == Way::Probe {
            stand.move_to(Position::Probing(Probe {
                flow_run: header.flow.id,
                index: header.index,
            }));
        }
        Ok(Pass {
            circuit: Arc::clone(self),
            period: stand.period,
            way,
        })
    }

    /// Waits until no probe is under way.
    pub(crate) async fn until_decided(&self) {
        loop {
            let decided = self.decided.notified();
            if !matches!(self.lock().position, Position::Probing(_)) {
                return;
            }
            decided.await;
        }
    }

    /// Returns for how much longer the breaker is open.
    pub(crate) fn left(&self) -> Duration {
        match self.lock().position {
            Position::Open { until } => left(until),
            _ => Duration::ZERO,
        }
    }

    fn status(&self) -> BreakerStatus {
        let stand = self.lock();
        let state = match stand.position {
            Position::Closed => BreakerState::Closed,
            Position::Open { until } => match left(until) {
                Duration::ZERO => BreakerState::HalfOpen,
                left => BreakerState::Open { left },
            },
            Position::Probing(_) => BreakerState::HalfOpen,
        };
        BreakerStatus {
            name: self.name.clone(),
            state,
            failures: stand.failures,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Stand> {
        // No code of the user's runs under this lock, and no step leaves it half changed.
        self.stand.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn left(until: Instant) -> Duration {
    until.saturating_duration_since(Instant::now())
}

/// An attempt that was let through. One that is dropped without having succeeded or failed says
/// nothing: if it was the probe, the next one is.
pub(crate) struct Pass {
    circuit: Arc<Circuit>,
    /// The period it started in.
    period: u64,
    way: Way,
}

impl Pass {
    /// Returns the breaker.
    pub(crate) fn circuit(&self) -> &Arc<Circuit> {
        &self.circuit
    }

    /// The attempt succeeded. Returns what that does to the breaker.
    pub(crate) fn succeed(&self) -> Option<Switched> {
        let mut stand = self.stand()?;
        stand.failures = 0;
        if self.way != Way::Probe {
            return None;
        }
        stand.move_to(Position::Closed);
        drop(stand);
        self.circuit.decided.notify_waiters();
        Some(Switched::Closed)
    }

    /// The attempt failed. Returns what that does to the breaker.
    pub(crate) fn fail(&self) -> Option<Switched> {
        let Breaker { failures, open_for } = self.circuit.breaker;
        let mut stand = self.stand()?;
        stand.failures = stand.failures.saturating_add(1);
        if self.way != Way::Probe && stand.failures < failures {
            return None;
        }
        let failures = stand.failures;
        let until = Instant::now() + open_for;
        stand.move_to(Position::Open { until });
        drop(stand);
        self.circuit.decided.notify_waiters();
        Some(Switched::Opened { failures, open_for })
    }

    /// How the breaker stands, if what this attempt came to still says something of it.
    fn stand(&self) -> Option<MutexGuard<'_, Stand>> {
        let stand = self.circuit.lock();
        let counts = self.way != Way::WithProbe && stand.period == self.period;
        counts.then_some(stand)
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        if self.way != Way::Probe {
            return;
        }
        let Some(mut stand) = self.stand() else {
            return;
        };
        let until = Instant::now();
        stand.move_to(Position::Open { until });
        drop(stand);
        self.circuit.decided.notify_waiters();
    }
}

impl fmt::Debug for Pass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pass")
            .field("breaker", &self.circuit.name)
            .field("way", &self.way)
            .finish_non_exhaustive()
    }
}

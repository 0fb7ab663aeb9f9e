//! When a failed attempt is followed by another one, and how long after.

use std::time::Duration;

/// Whether and when to try again, as an error says for itself through [`ClassifyRetry`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Retry {
    /// Trying again is useless: the input is wrong, the file is not there.
    Never,
    /// As the task's `retries` and `backoff` say.
    Default,
    /// Not before this much time has passed, as a server's `Retry-After` says. Still counts
    /// towards `retries`.
    After(Duration),
}

/// An error that knows whether trying again can help.
///
/// Implement it for a task's error type and the task follows it without further options; an error
/// type without it is always tried again, as far as `retries` goes.
///
/// ```
/// use std::time::Duration;
/// use orch_core::{ClassifyRetry, Retry};
///
/// #[derive(Debug)]
/// enum FetchError { NotFound, Busy { retry_after: Duration }, Reset }
///
/// impl ClassifyRetry for FetchError {
///     fn classify(&self, _attempt: u32) -> Retry {
///         match self {
///             FetchError::NotFound => Retry::Never,
///             FetchError::Busy { retry_after } => Retry::After(*retry_after),
///             FetchError::Reset => Retry::Default,
///         }
///     }
/// }
/// ```
pub trait ClassifyRetry {
    /// Says whether another attempt makes sense after attempt number `attempt` (from 1) failed
    /// with this error.
    fn classify(&self, attempt: u32) -> Retry;

    /// Names the class that this error belongs to, and how often a task run tries again after
    /// errors of it. Default: none, only the task's `retries` count.
    fn budget(&self) -> Option<RetryBudget> {
        None
    }
}

/// How often a task run tries again after errors of one class, as an error says for itself through
/// [`ClassifyRetry::budget`].
///
/// Each class is counted for itself, whatever errors come between; the budget is the one that the
/// error at hand names. The task's `retries` stays the most over all classes, so it has to allow
/// for their sum where each is to be used up. Each task run counts anew, also in a resumed flow
/// run.
///
/// ```
/// use orch_core::prelude::*;
/// use orch_core::{ClassifyRetry, Retry, RetryBudget};
///
/// #[derive(Debug, thiserror::Error)]
/// enum CallError {
///     #[error("too many requests")]
///     Throttled,
///     #[error("the server does not answer")]
///     Unreachable,
/// }
///
/// impl ClassifyRetry for CallError {
///     fn classify(&self, _attempt: u32) -> Retry {
///         Retry::Default
///     }
///
///     fn budget(&self) -> Option<RetryBudget> {
///         match self {
///             // As often as the task's `retries` allow.
///             CallError::Throttled => None,
///             CallError::Unreachable => Some(RetryBudget { class: "unreachable", retries: 1 }),
///         }
///     }
/// }
///
/// #[task(retries = 5)]
/// async fn call() -> Result<(), CallError> {
///     Err(CallError::Unreachable)
/// }
///
/// #[flow]
/// async fn calls() -> Result<(), TaskError> {
///     call().await?;
///     Ok(())
/// }
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
/// let error = calls().await.unwrap_err();
/// assert_eq!(error.downcast_ref::<TaskError>().unwrap().attempts(), 2);
/// # });
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RetryBudget {
    /// The name of the class. Budgets of one name are one.
    pub class: &'static str,
    /// How many further attempts errors of the class are worth within a task run. `0` is
    /// [`Retry::Never`].
    pub retries: u32,
}

/// What an error says of itself.
#[doc(hidden)]
#[derive(Debug, Clone, Copy)]
pub struct Classified {
    pub(crate) retry: Retry,
    pub(crate) budget: Option<RetryBudget>,
}

impl Classified {
    /// Asks the error, after attempt number `attempt` failed with it.
    pub(crate) fn of<E: ClassifyRetry>(error: &E, attempt: u32) -> Self {
        Self {
            retry: error.classify(attempt),
            budget: error.budget(),
        }
    }
}

/// The retries that a task run has spent on each class of errors.
#[derive(Debug, Default)]
pub(crate) struct Spent(Vec<(&'static str, u32)>);

impl Spent {
    /// Whether the budget has a retry left.
    pub(crate) fn leaves_one_of(&self, budget: &RetryBudget) -> bool {
        let of_class = self.0.iter().find(|(class, _)| *class == budget.class);
        of_class.map_or(0, |(_, spent)| *spent) < budget.retries
    }

    /// Notes that a retry is spent on an error with this budget.
    pub(crate) fn spend(&mut self, budget: &RetryBudget) {
        match self.0.iter_mut().find(|(class, _)| *class == budget.class) {
            Some((_, spent)) => *spent += 1,
            None => self.0.push((budget.class, 1)),
        }
    }
}

/// How long to wait before each further attempt.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Backoff {
    delays: Delays,
    /// Largest share of a delay that may be added to it, in `0..=1`.
    jitter: f64,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Delays {
    Fixed(u64),
    List(&'static [u64]),
    Exponential { base: u64, cap: u64, factor: f64 },
}

impl Backoff {
    /// No wait at all: the default.
    pub const NONE: Backoff = Backoff::fixed(0);

    /// The same wait before each attempt, in nanoseconds.
    pub const fn fixed(nanos: u64) -> Self {
        Self {
            delays: Delays::Fixed(nanos),
            jitter: 0.0,
        }
    }

    /// The waits one by one, in nanoseconds; the last one is used from then on.
    pub const fn list(nanos: &'static [u64]) -> Self {
        Self {
            delays: Delays::List(nanos),
            jitter: 0.0,
        }
    }

    /// `base` at first, `factor` times longer each time, never longer than `cap`; nanoseconds.
    pub const fn exponential(base: u64, cap: u64, factor: f64) -> Self {
        Self {
            delays: Delays::Exponential { base, cap, factor },
            jitter: 0.0,
        }
    }

    /// Adds up to this share of each delay at random, seeded by the flow run, so that many task
    /// runs do not try again at the same moment.
    pub const fn jitter(mut self, share: f64) -> Self {
        self.jitter = share;
        self
    }

    /// Returns the wait after failed attempt number `attempt` (from 1). `random` is uniform in
    /// `0..1`.
    pub fn delay(&self, attempt: u32, random: f64) -> Duration {
        let nth = attempt.max(1) - 1;
        let nanos = match self.delays {
            Delays::Fixed(nanos) => nanos,
            Delays::List(list) => match list.get(nth as usize).or(list.last()) {
                Some(nanos) => *nanos,
                None => 0,
            },
            Delays::Exponential { base, cap, factor } => {
                let nth = i32::try_from(nth).unwrap_or(i32::MAX);
                let grown = base as f64 * factor.powi(nth);
                // The comparison also catches an infinite product.
                if grown < cap as f64 {
                    grown as u64
                } else {
                    cap
                }
            }
        };
        let extra = nanos as f64 * self.jitter * random;
        Duration::from_nanos(nanos.saturating_add(extra as u64))
    }
}

impl Default for Backoff {
    fn default() -> Self {
        Self::NONE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn an_exponential_delay_doubles_up_to_its_cap() {
        let backoff = Backoff::exponential(SECOND, 5 * SECOND, 2.0);
        let seconds: Vec<u64> = (1..=5).map(|n| backoff.delay(n, 0.0).as_secs()).collect();
        assert_eq!(seconds, [1, 2, 4, 5, 5]);
    }

    #[test]
    fn a_huge_attempt_number_stays_at_the_cap() {
        let backoff = Backoff::exponential(SECOND, 30 * SECOND, 10.0);
        assert_eq!(backoff.delay(u32::MAX, 0.0), Duration::from_secs(30));
    }

    #[test]
    fn a_list_repeats_its_last_delay() {
        let backoff = Backoff::list(&[SECOND, 5 * SECOND]);
        let seconds: Vec<u64> = (1..=3).map(|n| backoff.delay(n, 0.0).as_secs()).collect();
        assert_eq!(seconds, [1, 5, 5]);
    }

    #[test]
    fn jitter_only_adds_and_never_more_than_its_share() {
        let backoff = Backoff::fixed(10 * SECOND).jitter(0.2);
        assert_eq!(backoff.delay(1, 0.0), Duration::from_secs(10));
        assert_eq!(backoff.delay(1, 0.5), Duration::from_secs(11));
        assert!(backoff.delay(1, 0.999_999) < Duration::from_secs(12));
    }
}

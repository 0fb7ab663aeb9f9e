//! What most task runs never need: names, options of one call, errors, failed attempts.

use std::borrow::Cow;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::awaits::Awaits;
use crate::definition::LimitUse;
use crate::error::TaskError;
use crate::identity::Identity;
use crate::node::Ancestors;
use crate::policy::retry::Backoff;
use crate::report::AttemptReport;
use crate::scope::Scope;

/// What most task runs never need, in an allocation of its own.
#[derive(Default)]
pub(crate) struct Detail {
    pub(crate) name: OnceLock<String>,
    pub(crate) options: Overrides,
    pub(crate) error: OnceLock<TaskError>,
    failed_attempts: Mutex<Vec<AttemptReport>>,
    ancestors: Mutex<Ancestors>,
    /// What this task run submits itself belongs here.
    pub(crate) children: OnceLock<Arc<Scope>>,
    token: Mutex<Option<CancellationToken>>,
    /// When the body last said that it is alive, in nanoseconds since the flow run's start.
    pub(crate) last_heartbeat: AtomicU64,
    /// What the body awaits at the moment, for the detection of wait cycles.
    awaits: Mutex<Awaits>,
    /// Whether the body pended on another task run since it was last polled.
    pub(crate) awaits_task_run: AtomicBool,
    pub(crate) seed: OnceLock<u64>,
    /// What the task run is to the cache and the store.
    pub(crate) identity: OnceLock<Identity>,
    /// The limits that the current attempt took.
    limits: Mutex<Option<Arc<[LimitUse]>>>,
    /// When the last attempt started, from the second on.
    pub(crate) last_started: AtomicU64,
}

/// Options given at one call, in place of the task's own.
#[derive(Default, Clone)]
pub(crate) struct Overrides {
    pub(crate) tags: Vec<Cow<'static, str>>,
    pub(crate) retries: Option<u32>,
    pub(crate) backoff: Option<Backoff>,
    pub(crate) timeout: Option<Duration>,
    pub(crate) queue_timeout: Option<Duration>,
    pub(crate) deadline: Option<Duration>,
    pub(crate) limits: Option<Vec<LimitUse>>,
    pub(crate) priority: Option<i32>,
}

impl Overrides {
    /// Whether a task run with these options needs the policy loop.
    pub(crate) fn need_policy(&self) -> bool {
        self.retries.is_some()
            || self.timeout.is_some()
            || self.queue_timeout.is_some()
            || self.deadline.is_some()
            || self.limits.is_some()
    }
}

impl Detail {
    pub(crate) fn named(name: String) -> Box<Self> {
        Box::new(Self {
            name: OnceLock::from(name),
            ..Self::default()
        })
    }

    pub(crate) fn ancestors(&self) -> MutexGuard<'_, Ancestors> {
        lock(&self.ancestors)
    }

    pub(crate) fn failed_attempts(&self) -> MutexGuard<'_, Vec<AttemptReport>> {
        lock(&self.failed_attempts)
    }

    pub(crate) fn awaits(&self) -> MutexGuard<'_, Awaits> {
        lock(&self.awaits)
    }

    /// Notes which limits the attempt that is about to start took.
    pub(crate) fn set_limits(&self, uses: Arc<[LimitUse]>) {
        *lock(&self.limits) = Some(uses);
    }

    /// Returns the limits that the current attempt took.
    pub(crate) fn limits(&self) -> Option<Arc<[LimitUse]>> {
        lock(&self.limits).clone()
    }

    /// Returns the token of the current attempt.
    pub(crate) fn token(&self) -> CancellationToken {
        lock(&self.token).get_or_insert_default().clone()
    }

    /// Asks the current attempt to stop, if it can be asked.
    pub(crate) fn cancel_token(&self) {
        if let Some(token) = &*lock(&self.token) {
            token.cancel();
        }
    }

    /// The next attempt gets a token of its own.
    pub(crate) fn renew_token(&self) {
        *lock(&self.token) = None;
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Each of these is a plain list or value that no panic leaves half changed.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

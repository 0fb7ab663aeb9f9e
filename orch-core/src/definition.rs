//! What the macros know of a task or a flow at compile time.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::hook::Hook;
use crate::limit::RetryLimits;
use crate::policy::failure_mode::FailureMode;
use crate::policy::retry::Backoff;
use crate::policy::timeout::OnTimeout;
use crate::state::State;

/// A task, as `#[task]` saw it. One static value per task.
#[derive(Debug)]
pub struct Definition {
    /// The function's name.
    pub name: &'static str,
    /// The module it is in.
    pub module: &'static str,
    /// The file it is in.
    pub file: &'static str,
    /// The line it is on.
    pub line: u32,
    /// The package it is in.
    pub package: &'static str,
    /// Where its body runs.
    pub kind: Kind,
    /// Its parameters, in order.
    pub parameters: &'static [Parameter],
    /// Its return type, as written.
    pub returns: &'static str,
    /// The first paragraph of its documentation.
    pub doc: &'static str,
    /// BLAKE3 over the canonical walk of its tokens.
    pub fingerprint: &'static [u8; 32],
    /// The `version` option.
    pub version: Option<&'static str>,
    /// The `id` option.
    pub id: Option<&'static str>,
    /// Whether its result can be stored.
    pub storable: bool,
    /// The `tags` option.
    pub tags: &'static [&'static str],
    /// Further attempts after the first.
    pub retries: u32,
    /// The waits between attempts.
    pub backoff: Backoff,
    /// The clock of each attempt.
    pub timeout: Option<Duration>,
    /// The clock of each wait to start.
    pub queue_timeout: Option<Duration>,
    /// The clock of the whole task run.
    pub deadline: Option<Duration>,
    /// The clock between heartbeats.
    pub heartbeat: Option<Duration>,
    /// What becomes of an attempt whose clock ran out.
    pub on_timeout: OnTimeout,
    /// The limits it takes while it runs.
    pub limits: &'static [LimitUse],
    /// Sets what the next attempt takes of them.
    pub limit_on_retry: Option<LimitOnRetry>,
    /// The circuit breaker of its attempts.
    pub breaker: Option<&'static str>,
    /// Whether a failure of it leaves the flow run alone.
    pub allow_failure: bool,
    /// Which of several ready task runs starts first; higher ones do.
    pub priority: i32,
    /// Functions to call when its runs change state.
    pub hooks: &'static [(HookOn, Hook)],
    /// The `cache` option.
    pub cache: CacheOption,
    /// How long past its age a cached result may be used while a new one is made.
    pub stale_ok: Option<Duration>,
    /// Whether its seed is part of the cache key: it may use random numbers.
    pub is_seeded: bool,
    /// Whether its results are not stored: it runs again when its flow run is resumed.
    pub stays_in_memory: bool,
    /// Whether it acts on the outside: it starts only when its inputs are on disk.
    pub effect: bool,
    /// The `name` option, as written.
    pub name_template: Option<&'static str>,
}

/// Where the body of a task runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// An `async fn`: on the runtime.
    Async,
    /// A plain `fn`: on the compute pool.
    Blocking,
    /// A plain `fn` marked `inline`: on the runtime.
    Inline,
}

/// A parameter of a task or a flow.
#[derive(Debug, Clone, Copy)]
pub struct Parameter {
    /// Its name.
    pub name: &'static str,
    /// Its type, as written.
    pub ty: &'static str,
    /// How the body gets it.
    pub passing: ParameterPassing,
    /// Its part in the cache key.
    pub key: KeyPart,
}

impl Parameter {
    /// Whether a call passes something for it.
    pub fn is_input(&self) -> bool {
        matches!(
            self.passing,
            ParameterPassing::ByRef | ParameterPassing::ByValue
        )
    }
}

/// How a body gets a parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ParameterPassing {
    /// As an argument, borrowed.
    ByRef,
    /// As an argument, moved or cloned.
    ByValue,
    /// The context of the task or flow run.
    Context,
    /// A value of the engine.
    Resource,
}

/// A parameter's part in the cache key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum KeyPart {
    /// The digest of its value.
    #[default]
    Value,
    /// None: `#[key(skip)]`.
    Skip,
    /// The path itself, not what it names: `#[key(path)]`.
    Path,
    /// What a function makes of it: `#[key(with = f)]`.
    With,
}

/// How far results are reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum CacheOption {
    /// Not at all.
    #[default]
    None,
    /// Within one flow run.
    Run,
    /// Across flow runs.
    Global,
    /// Across flow runs, up to this age.
    GlobalFor(Duration),
}

/// A function that is called between two attempts.
pub type LimitOnRetry = fn(&mut RetryLimits<'_>);

/// A concurrency limit that a task run takes, and how much of it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct LimitUse {
    /// The limit's name.
    pub name: std::borrow::Cow<'static, str>,
    /// How many of its slots.
    pub weight: u32,
}

impl LimitUse {
    /// `weight` slots of the limit `name`.
    pub const fn new(name: &'static str, weight: u32) -> Self {
        Self {
            name: std::borrow::Cow::Borrowed(name),
            weight,
        }
    }

    /// The same with a name made at run time.
    pub fn named(name: String, weight: u32) -> Self {
        Self {
            name: std::borrow::Cow::Owned(name),
            weight,
        }
    }
}

/// The change of state that a hook is called on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HookOn {
    /// Each attempt starts.
    Start,
    /// An attempt failed and another one follows.
    Retry,
    /// It completed.
    Success,
    /// It failed for good or timed out.
    Failure,
    /// It crashed.
    Crash,
    /// It was cancelled.
    Cancel,
    /// It was skipped.
    Skip,
    /// It ended, in whatever state.
    End,
}

impl HookOn {
    /// What happened to a run that has come to this state; `None` if it has not ended, or was undone
    /// after it had.
    pub(crate) const fn of_end(state: State) -> Option<Self> {
        Some(match state {
            State::Completed | State::Cached | State::Reused => Self::Success,
            State::Failed | State::TimedOut => Self::Failure,
            State::Crashed => Self::Crash,
            State::Cancelled => Self::Cancel,
            State::Skipped => Self::Skip,
            _ => return None,
        })
    }
}

impl Definition {
    /// A definition with every option at its default.
    pub const fn new(
        name: &'static str,
        module: &'static str,
        file: &'static str,
        line: u32,
        package: &'static str,
    ) -> Self {
        Self {
            name,
            module,
            file,
            line,
            package,
            kind: Kind::Async,
            parameters: &[],
            returns: "()",
            doc: "",
            fingerprint: &[0; 32],
            version: None,
            id: None,
            storable: false,
            tags: &[],
            retries: 0,
            backoff: Backoff::NONE,
            timeout: None,
            queue_timeout: None,
            deadline: None,
            heartbeat: None,
            on_timeout: OnTimeout::Abort,
            limits: &[],
            limit_on_retry: None,
            breaker: None,
            allow_failure: false,
            priority: 0,
            hooks: &[],
            cache: CacheOption::None,
            stale_ok: None,
            is_seeded: false,
            stays_in_memory: false,
            effect: false,
            name_template: None,
        }
    }

    /// Whether the body can learn that it should stop.
    pub(crate) fn takes_context(&self) -> bool {
        self.parameters
            .iter()
            .any(|parameter| parameter.passing == ParameterPassing::Context)
    }

    /// Whether inputs are part of a run's name, or of the names of its limits.
    pub(crate) fn names_its_inputs(&self) -> bool {
        let has_inputs = |template: &str| template.contains('{');
        let mut limits = self.limits.iter().map(|limit| &*limit.name);
        self.name_template.is_some_and(has_inputs) || limits.any(has_inputs)
    }

    /// Whether a run needs nothing but its inputs: no retries, clocks, limits, breakers, names
    /// or hooks.
    pub(crate) const fn is_plain(&self) -> bool {
        self.retries == 0
            && self.timeout.is_none()
            && self.queue_timeout.is_none()
            && self.deadline.is_none()
            && self.heartbeat.is_none()
            && self.limits.is_empty()
            && self.breaker.is_none()
            && self.hooks.is_empty()
            && self.name_template.is_none()
    }
}

/// A flow, as `#[flow]` saw it. One static value per flow.
#[derive(Debug)]
pub struct FlowDefinition {
    /// Its name: the `name` option, or the function's.
    pub name: &'static str,
    /// The module it is in.
    pub module: &'static str,
    /// The file it is in.
    pub file: &'static str,
    /// The line it is on.
    pub line: u32,
    /// The package it is in.
    pub package: &'static str,
    /// Its parameters, in order.
    pub parameters: &'static [Parameter],
    /// Its return type, as written.
    pub returns: &'static str,
    /// The first paragraph of its documentation.
    pub doc: &'static str,
    /// BLAKE3 over the canonical walk of its tokens.
    pub fingerprint: &'static [u8; 32],
    /// The `version` option.
    pub version: Option<&'static str>,
    /// The `tags` option.
    pub tags: &'static [&'static str],
    /// The `failure` option; the engine's mode without it.
    pub failure_mode: Option<FailureMode>,
    /// How long the flow run may take.
    pub timeout: Option<Duration>,
    /// How long cancelled task runs may take to stop; the engine's without it.
    pub grace: Option<Duration>,
    /// How often the whole flow run is tried again.
    pub retries: u32,
    /// How many runs of it may be under way at once, and what to do with one more.
    pub max_running: Option<(u32, WhenFull)>,
    /// Functions to call when its runs change state.
    pub hooks: &'static [(HookOn, Hook)],
}

/// What becomes of a flow run that starts when `max_running` are under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum WhenFull {
    /// Waits for one of them to end, in order.
    #[default]
    Queue,
    /// Ends as skipped.
    Skip,
    /// Cancels the oldest one and starts when it has ended.
    CancelOld,
    /// Ends as cancelled.
    CancelNew,
}

impl FlowDefinition {
    /// A definition with every option at its default.
    pub const fn new(
        name: &'static str,
        module: &'static str,
        file: &'static str,
        line: u32,
        package: &'static str,
    ) -> Self {
        Self {
            name,
            module,
            file,
            line,
            package,
            parameters: &[],
            returns: "()",
            doc: "",
            fingerprint: &[0; 32],
            version: None,
            tags: &[],
            failure_mode: None,
            timeout: None,
            grace: None,
            retries: 0,
            max_running: None,
            hooks: &[],
        }
    }
}

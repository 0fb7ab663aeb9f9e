//! Hooks whose notices are recorded and delivered at least once.

use std::fmt;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;

use super::Notice;
use crate::definition::HookOn;
use crate::error::{BoxError, panic_message};
use crate::pattern;
use crate::report::ErrorReport;
use crate::secret::scrub;

/// A function that is told of changes of state for certain: at least once, also when the process is
/// gone in between.
///
/// On an engine with a store a [`Notice`] is part of the very commit that records the change: there
/// is never one without the other. Once that is committed, the notice is delivered by a background
/// task, and its row goes when the function has returned `Ok`. Each hook gets its notices one after
/// the other, in the order in which they were committed. A notice whose delivery failed, or
/// panicked, is tried again after 1 s, 2 s, 4 s and so on up to 5 min, with a warning each time; it is
/// never given up, and later ones wait behind it. Whatever a hook does, the state of the run stays.
///
/// What a process leaves undelivered is delivered by the next engine on the folder that has a hook
/// of that name, from when it is made, or by one that is there with the next notice that it makes;
/// [`Engine::undelivered`](crate::Engine::undelivered) lists it. Of several processes on a folder one at
/// a time delivers the notices of a hook. A function that never returns keeps all of them from that:
/// give what it waits for a timeout. Retention leaves notices alone.
///
/// Without a store, notices are delivered in the same way, and are gone with the engine. With one, what
/// is not recorded is not told: a flow run that the engine refuses, and what goes on in memory after
/// the store has failed ([`OnStoreFailure::GoOn`](crate::store::OnStoreFailure::GoOn)).
///
/// # What can be told
/// Every final state of flow runs and task runs ([`HookOn::Success`], `Failure`, `Crash`, `Cancel`,
/// `Skip`, or `End` for all of them) and [`HookOn::Retry`] of task runs. It is the state that is
/// recorded: a flow run that a shutdown interrupts has crashed. [`HookOn::Start`] is refused. What is
/// not told, since nobody records it at that moment: that a process was killed (what its flow runs come
/// to is told once they are gone on with), and that a completed task run was undone.
///
/// ```
/// use orch_core::{DurableHook, HookOn, Notice, prelude::*};
///
/// #[flow]
/// async fn train_model() -> anyhow::Result<()> {
///     anyhow::bail!("the disk is full")
/// }
///
/// async fn page(text: String) -> Result<(), std::io::Error> {
///     Ok(())
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), orch_core::DurableHookError> {
/// let hook = DurableHook::new("page the team", |notice: Notice| async move {
///     let error = notice.error.unwrap_or_default();
///     page(format!("{}: {error}", notice.flow_run)).await?;
///     Ok(())
/// })
/// .on([HookOn::Failure, HookOn::Crash])
/// .flows("train_*");
/// let engine = Engine::builder().durable_hook(hook)?.build();
/// train_model().on(&engine).await.unwrap_err();
/// // What is due is delivered; what is not stays in the store, if there is one.
/// engine.drain(std::time::Duration::from_secs(5)).await;
/// assert_eq!(engine.undelivered().unwrap(), []);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
#[must_use = "a hook is told of nothing until an engine has it"]
pub struct DurableHook {
    name: String,
    on: Vec<HookOn>,
    flows: Vec<String>,
    tasks: Vec<String>,
    call: Arc<Call>,
}

type Call = dyn Fn(Notice) -> BoxFuture<'static, Result<(), BoxError>> + Send + Sync;

impl DurableHook {
    /// Makes a hook that is told when a flow run ends. What it is called is how its notices find it
    /// after a restart: keep the name when the function changes.
    pub fn new<F, Fut>(name: impl Into<String>, tell: F) -> Self
    where
        F: Fn(Notice) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), BoxError>> + Send + 'static,
    {
        Self {
            name: name.into(),
            on: vec![HookOn::End],
            flows: Vec::new(),
            tasks: Vec::new(),
            call: Arc::new(move |notice| tell(notice).boxed()),
        }
    }

    /// What it is told of. Default: [`HookOn::End`].
    pub fn on(mut self, changes: impl IntoIterator<Item = HookOn>) -> Self {
        self.on = changes.into_iter().collect();
        self
    }

    /// It is told of runs of flows with such a name only, and of task runs in them. `*` stands for any
    /// letters; with several calls, any of the patterns will do. Default: all flows.
    pub fn flows(mut self, pattern: impl Into<String>) -> Self {
        self.flows.push(pattern.into());
        self
    }

    /// It is also told of runs of tasks with such a name. `*` stands for any letters; with several
    /// calls, any of the patterns will do. Default: of no task runs.
    pub fn tasks(mut self, pattern: impl Into<String>) -> Self {
        self.tasks.push(pattern.into());
        self
    }

    /// Returns its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Says why no engine can have it, if that is so.
    pub(crate) fn check(&self) -> Result<(), DurableHookError> {
        let hook = || self.name.clone();
        if let Some(on) = self.on.iter().find(|on| **on == HookOn::Start) {
            return Err(DurableHookError::NotRecorded {
                hook: hook(),
                on: *on,
            });
        }
        let why = if self.on.is_empty() {
            "it is to be told of no change"
        } else if self.tasks.is_empty() && self.on.iter().all(|on| *on == HookOn::Retry) {
            "only task runs are retried, and `tasks` names none"
        } else {
            return Ok(());
        };
        Err(DurableHookError::NeverCalled { hook: hook(), why })
    }

    /// Whether it is told of a change of a flow run, or of a run of a task.
    pub(crate) fn is_told(&self, on: HookOn, flow: &str, task: Option<&str>) -> bool {
        let any = |patterns: &[String], name: &str| {
            let mut patterns = patterns.iter();
            patterns.any(|pattern| pattern::matches(pattern, name))
        };
        let is_end = on != HookOn::Retry;
        let mut asked = self.on.iter();
        asked.any(|asked| *asked == on || is_end && *asked == HookOn::End)
            && (self.flows.is_empty() || any(&self.flows, flow))
            && task.is_none_or(|task| any(&self.tasks, task))
    }

    /// Calls the function; says how it failed.
    pub(crate) async fn tell(&self, notice: Notice) -> Result<(), String> {
        let telling = AssertUnwindSafe(async move { (self.call)(notice).await });
        match telling.catch_unwind().await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(ErrorReport::of(&*error).text()),
            Err(panic) => {
                let message = panic_message(&*panic);
                Err(scrub(format!("it panicked with `{message}`")))
            }
        }
    }
}

impl fmt::Debug for DurableHook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DurableHook")
            .field("name", &self.name)
            .field("on", &self.on)
            .field("flows", &self.flows)
            .field("tasks", &self.tasks)
            .finish_non_exhaustive()
    }
}

/// A durable hook that an engine cannot have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DurableHookError {
    /// Another hook has its name, and notices find their hook by that.
    #[error("two durable hooks are named `{hook}`")]
    NameTaken {
        /// The name.
        hook: String,
    },
    /// It asks for a change that is not committed when it happens.
    #[error(
        "durable hook `{hook}` cannot be told of `{on:?}`, expected `Retry`, `Success`, `Failure`, \
         `Crash`, `Cancel`, `Skip` or `End`"
    )]
    NotRecorded {
        /// The hook's name.
        hook: String,
        /// The change.
        on: HookOn,
    },
    /// Nothing that can happen is what it asks for.
    #[error("durable hook `{hook}` would never be called: {why}")]
    NeverCalled {
        /// The hook's name.
        hook: String,
        /// What is missing.
        why: &'static str,
    },
}

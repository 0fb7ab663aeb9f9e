//! Turns annotated functions into cached, retryable, tracked task graphs.
//!
//! ```
//! use orch_core::prelude::*;
//!
//! #[task(retries = 2, backoff = "100ms..2s")]
//! async fn fetch(city: String) -> Result<f64, std::io::Error> {
//!     Ok(city.len() as f64)
//! }
//!
//! #[task]
//! fn mean(a: &f64, b: &f64) -> f64 {
//!     (a + b) / 2.0
//! }
//!
//! #[flow]
//! async fn compare() -> anyhow::Result<f64> {
//!     let oslo = fetch("Oslo");
//!     let rome = fetch("Rome");               // both run at the same time
//!     Ok(mean(&oslo, &rome).await?.into_inner())
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> anyhow::Result<()> {
//! assert_eq!(compare().await?, 4.0);
//! # Ok(())
//! # }
//! ```
//!
//! A *task* is a function whose calls are tracked: calling it submits a run of it and returns a
//! [`TaskRun`], a handle on the result. Passing a handle to another task makes an edge. A *flow* is
//! ordinary async Rust that calls tasks. An [`Engine`] executes flow runs; without one, a flow
//! runs on a fresh engine in memory.
//!
//! # Features
//! - `cli`: the module `cli`, the command line of a program that has flows.
//! - `config`: settings from environment variables and `orch.toml`: `EngineBuilder::configure`.
//! - `logs` (default): [`LogLayer`], which attaches what any crate logs to the task run that
//!   logged it.
//! - `progress` (default): `Progress`, a display of what runs.
//! - `sqlite` (default): stores in a folder, `Engine::open`.
//! - `testing`: `TestEngine`, stubs, virtual time. For dev-dependencies.

mod attempt;
mod awaits;
mod body;
mod breaker;
mod cache;
mod call;
#[cfg(feature = "cli")]
pub mod cli;
mod code;
mod completion;
mod compute;
mod context;
mod data_file;
mod definition;
mod detail;
mod driver;
mod durable;
mod engine;
mod error;
mod event;
mod expansion;
mod faults;
mod flow;
mod flow_call;
mod group;
mod handle;
pub mod history;
mod hook;
mod id;
mod identity;
mod inbox;
mod input;
mod key;
mod limit;
mod logs;
mod manifest;
mod map;
mod memory;
mod node;
mod outbox;
mod padded;
mod panics;
mod parameters;
mod pattern;
mod policy;
#[cfg(feature = "progress")]
mod progress;
mod ready;
mod recorder;
mod register;
pub mod report;
mod resource;
mod rng;
mod scope;
mod secret;
mod state;
mod steps;
mod stop;
pub mod store;
mod sync;
mod task_run;
#[cfg(feature = "testing")]
pub mod testing;
mod tracking;
mod value;

pub use crate::breaker::{Breaker, BreakerState, BreakerStatus};
pub use crate::call::{PlainResult, Storable};
pub use crate::context::{CancelToken, FlowContext, TaskContext, finally, spawn};
pub use crate::data_file::DataFile;
pub use crate::definition::{Definition, FlowDefinition, HookOn, Kind, WhenFull};
pub use crate::engine::{DrainReport, Engine, EngineBuilder};
#[cfg(feature = "config")]
pub use crate::engine::{Setting, SettingError, SettingSource, SettingSources};
pub use crate::error::{
    BoxError, CancelReason, FlowError, FlowErrorKind, RecordedError, TaskError, TaskErrorKind,
};
pub use crate::event::{Event, EventKind, Events, Received, TaskRunRef};
pub use crate::faults::{InjectedFault, Stub};
pub use crate::flow_call::{FlowCall, FlowFuture, FlowRun};
pub use crate::group::{Passes, group, loop_until, retry_scope};
pub use crate::hook::{DurableHook, DurableHookError, Hook, HookEvent, Notice, NoticeTaskRun};
pub use crate::id::{FlowRunId, InvalidFlowRunId};
pub use crate::input::{ByRef, ByValue, Input, Passing, TrackedInput};
pub use crate::key::{CacheIdentity, CacheKey};
pub use crate::limit::{Limit, LimitStatus, RetryLimits};
#[cfg(feature = "logs")]
pub use crate::logs::LogLayer;
pub use crate::map::{Map, MapSource, Tolerance, map, map_product, map_stream, map_zip};
pub use crate::panics::keep_panic_backtraces;
pub use crate::parameters::ArgumentError;
pub use crate::policy::failure_mode::FailureMode;
pub use crate::policy::retry::{Backoff, ClassifyRetry, Retry, RetryBudget};
pub use crate::policy::timeout::{Clock, OnTimeout};
#[cfg(feature = "progress")]
pub use crate::progress::{Progress, ProgressBuilder};
pub use crate::register::{NamedCall, NamedRun, RegisteredFlow, RegisteredTask, flows, tasks};
pub use crate::report::RunReport;
pub use crate::resource::Resource;
pub use crate::rng::Rng;
pub use crate::secret::{
    Secret, SecretError, SecretProvider, SecretSource, SecretValue, Sensitive, provide_secrets,
};
pub use crate::state::{IllegalStateChange, State, StateChange, StateKind};
pub use crate::steps::StepError;
pub use crate::task_run::{Outcome, TaskRun, Tracked};
pub use crate::tracking::{
    ArtifactContent, LogEvent, LogEventKind, LogSink, LoggingTaskRun, RunLog, Step, Track,
    TrackError,
};
pub use crate::value::{DecodeError, Digest, EncodeError, Stored, StoredForm};
pub use futures_util::future::BoxFuture;

#[doc = include_str!("../docs/code.md")]
pub use orch_macros::code;
#[doc = include_str!("../docs/flow.md")]
pub use orch_macros::flow;
#[doc = include_str!("../docs/task.md")]
pub use orch_macros::task;
#[doc = include_str!("../docs/test.md")]
#[cfg(feature = "testing")]
pub use orch_macros::test;

/// What nearly every flow uses.
pub mod prelude {
    pub use crate::{
        DataFile, Engine, FlowCall, FlowContext, FlowError, FlowRun, Input, Outcome, Resource,
        TaskContext, TaskError, TaskRun, Tolerance, Track, Tracked, flow, map, task,
    };
}

/// What the macros expand to. Not for direct use: it changes with the macros.
#[doc(hidden)]
pub mod __private {
    pub use crate::__digest as digest;
    pub use crate::__flow as flow;
    pub use crate::__is_result as is_result;
    pub use crate::__task as task;
    pub use crate::BoxError;
    pub use crate::FailureMode;
    pub use crate::body::{AsyncTask, SyncTask, Task, Undoing};
    pub use crate::call::{
        Bound, CallOptions, Cloned, ErrorProbe, NoClassify, NoOwnForm, NotResult, NotStorable,
        OwnFormProbe, ResultProbe, StorableProbe, TaskResult, set_retries, settle as settle_result,
        settle_flow as settle_flow_result,
    };
    pub use crate::code::{Code, CodeParts, add_code};
    pub use crate::definition::{
        CacheOption, Definition, FlowDefinition, HookOn, KeyPart, Kind, LimitOnRetry, LimitUse,
        Parameter, ParameterPassing, WhenFull,
    };
    pub use crate::error::Failure;
    pub use crate::expansion::{
        AnyError, Cacheable, IsResult, NotPlain, PlainProbe, Recordable, Split, never, settle,
        settle_flow, words,
    };
    pub use crate::faults::{stub, stub_async};
    pub use crate::flow_call::{FlowFunction as Flow, flow_call, flow_call_retryable};
    pub use crate::input::{Owned, Shared};
    pub use crate::key::{
        DigestProbe, Keys, NoDigest, NoOwnDigest, OwnDigestProbe, digest_argument,
    };
    pub use crate::parameters::{
        ArgumentError, ArgumentSource, NoForm, ParameterForm, ParameterProbe, ParameterSchema,
        Parameters,
    };
    pub use crate::policy::retry::Backoff;
    pub use crate::policy::timeout::OnTimeout;
    pub use crate::register::{RegisteredFlow, RegisteredTask};
    pub use crate::resource::{flow_resource, resource, resource_identity};
    #[cfg(feature = "testing")]
    pub use crate::testing::run_test;
    pub use crate::value::{Codec, TupleDecoder, TupleEncoder, TupleOutput};
    pub use inventory;
    pub use serde_json::Value as Json;

    /// Returns the context of the running task.
    pub fn task_context() -> crate::TaskContext {
        crate::TaskContext::current()
    }

    /// Returns the context of the current flow run.
    pub fn flow_context() -> crate::FlowContext {
        crate::FlowContext::current()
    }
}

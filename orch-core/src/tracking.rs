//! What code logs on the record of its flow run: params, metrics over steps, tags, artifacts.
//!
//! There is no other system beside the record: rows go through the journal of the flow run, behind the
//! same fence, and are removed with it.

mod artifact;
mod curve;
mod error;
mod live;
mod logging;
mod name;
mod sink;
mod target;

pub use self::artifact::ArtifactContent;
pub(crate) use self::artifact::MemoryArtifacts;
pub(crate) use self::curve::Curve;
pub use self::error::TrackError;
pub(crate) use self::live::{FoundLog, LiveLog, Logs, MAX_POINTS, OwnLog};
pub use self::sink::{LogEvent, LogEventKind, LogSink, LoggingTaskRun};

use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;

use self::logging::{artifact, metric, param, tag};
use crate::context::with_current;
use crate::engine::Engine;
use crate::flow::Flow;
use crate::id::FlowRunId;
use crate::node::NodeRef;
use crate::secret::scrub;
use crate::store::{LoggedRows, StoreError};
use crate::value::{Digest, copy_bytes};

/// The step that a point of a metric is of: an epoch, a batch, a number of rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Step(pub i64);

macro_rules! steps {
    ($($number:ty),+) => {
        $(
            impl From<$number> for Step {
                fn from(step: $number) -> Self {
                    Self(i64::try_from(step).unwrap_or(i64::MAX))
                }
            }
        )+
    };
}

steps!(i32, i64, u32, u64, usize);

/// Logs params, metrics, tags and artifacts on the record of a run. `&TaskContext`, `&FlowContext` and
/// [`RunLog`] can.
///
/// ```
/// use orch_core::prelude::*;
///
/// #[task]
/// async fn train(ctx: &TaskContext, rate: f64) -> anyhow::Result<f64> {
///     ctx.log_param("rate", rate)?;
///     let mut loss = 1.0;
///     for epoch in 0..3 {
///         loss *= 1.0 - rate;
///         ctx.log_metric("loss", epoch, loss)?;
///     }
///     ctx.set_tag("data", "made up")?;
///     ctx.log_artifact("weights.json", b"[1, 2]")?;
///     Ok(loss)
/// }
///
/// #[flow]
/// async fn learn() -> anyhow::Result<f64> {
///     Ok(*train(0.5).await?)
/// }
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
/// let (loss, report) = learn().start(&Engine::new()).unwrap().finish().await;
/// assert_eq!(loss.unwrap(), 0.125);
/// let logged = &report.logged[0];
/// assert_eq!((logged.name.as_str(), &logged.params["rate"]), ("train", &0.5.into()));
/// let loss = &logged.metrics["loss"];
/// assert_eq!((loss.last, loss.max, loss.n_points), (0.125, 0.5, 3));
/// # });
/// ```
///
/// # What belongs to what
/// What is logged belongs to the task run, or to the flow body, and to the attempt that logs it:
///
/// - A task run shows what its **last attempt** logged; what a failed attempt did before does not mix
///   with it. The store keeps all of it. A flow run that is resumed shows what its body logged
///   in the last execution that logged anything.
/// - A task run whose result was **cached or handed back** shows what the execution logged that the
///   result is of, as long as that flow run is kept.
/// - A **param cannot be changed** within an attempt. Logging the same value again is fine.
///   Another attempt, task run or item of a map has params of its own.
/// - A tag and an artifact are replaced by one of the same name.
/// - A **metric** keeps each point that was logged, also two of one step. Its last value is that of the
///   greatest step, and of several the newest. NaN and infinities are values like others.
///
/// Logging makes no difference to the result: a cached task may log, and is not keyed by its seed for
/// it, as long as it calls these methods and does not hand its context on. Helpers that know no context
/// use [`RunLog::current`].
///
/// # Names
/// Letters, digits, spaces and `_ - . : /`, at most 250 bytes; a relative path, as files of an export
/// are called so.
///
/// # What it costs
/// A fraction of a microsecond for the caller of `log_metric`; rows are written in groups by the
/// journal's thread, in the order in which they were logged and before the end of their task run. Only
/// where 64 MiB wait to be written does logging wait for the disk.
///
/// # What is kept
/// A store has everything until the flow run is removed. Reports of flow runs that are under way, and
/// of engines without a store, have what fits the memory: 20,000 params, metrics, tags and artifacts
/// of a flow run, and 100,000 points of metrics. Of more points every second one of the longest curves
/// is left out; of more entries the number is in [`RunReport::logged_dropped`]. Without a store the
/// newest 64 MiB of artifacts of an engine can be read.
///
/// Living secrets are taken out of params and tags, as they are out of logs; the bytes of artifacts
/// are left as they are.
///
/// [`RunReport::logged_dropped`]: crate::RunReport::logged_dropped
pub trait Track: target::Targeted {
    /// Logs what the run was made with: any value that has a form in JSON, shown as it is there. A
    /// float that is no number is `null`.
    ///
    /// # Errors
    /// [`TrackError::ParamChanged`] if it was logged with another value; [`TrackError::InvalidName`],
    /// [`TrackError::TooLong`], [`TrackError::NotJson`].
    fn log_param(&self, name: &str, value: impl Serialize) -> Result<(), TrackError> {
        let value = serde_json::to_value(value).map_err(|source| TrackError::NotJson {
            name: name.to_owned(),
            source,
        })?;
        self.with_target(&mut |target| param(target, name, &value))
    }

    /// Logs each field of a struct, or each entry of a map, as a param.
    ///
    /// # Errors
    /// Those of [`log_param`](Self::log_param); [`TrackError::NotFields`] for another value.
    fn log_params(&self, values: &impl Serialize) -> Result<(), TrackError> {
        let fields = match serde_json::to_value(values) {
            Ok(Value::Object(fields)) => fields,
            Ok(other) => {
                let found = kind_of(&other);
                return Err(TrackError::NotFields { found });
            }
            Err(source) => {
                let name = "params".to_owned();
                return Err(TrackError::NotJson { name, source });
            }
        };
        self.with_target(&mut |target| {
            fields
                .iter()
                .try_for_each(|(name, value)| param(target, name, value))
        })
    }

    /// Logs a value of a metric at a step.
    ///
    /// # Errors
    /// [`TrackError::InvalidName`].
    fn log_metric(&self, name: &str, step: impl Into<Step>, value: f64) -> Result<(), TrackError> {
        let Step(step) = step.into();
        self.with_target(&mut |target| metric(target, name, step, value))
    }

    /// Logs values of several metrics at a step.
    ///
    /// # Errors
    /// [`TrackError::InvalidName`]; those before are logged.
    fn log_metrics<N: AsRef<str>>(
        &self,
        step: impl Into<Step>,
        values: impl IntoIterator<Item = (N, f64)>,
    ) -> Result<(), TrackError> {
        let Step(step) = step.into();
        let mut values = values.into_iter();
        self.with_target(&mut |target| {
            values.try_for_each(|(name, value)| metric(target, name.as_ref(), step, value))
        })
    }

    /// Sets what the run is to be found by, in place of what was set before.
    ///
    /// # Errors
    /// [`TrackError::InvalidName`], [`TrackError::TooLong`].
    fn set_tag(&self, name: &str, value: impl Into<String>) -> Result<(), TrackError> {
        let value = scrub(value.into());
        self.with_target(&mut |target| tag(target, name, &value))
    }

    /// Keeps bytes, or those that a file holds now, with the run, in place of what had this name
    /// before, and returns what identifies them. [`Engine::read_artifact`] reads them.
    ///
    /// It writes them before it returns: tasks that keep large ones are better plain functions, which
    /// run on the compute pool.
    ///
    /// # Errors
    /// [`TrackError::InvalidName`], [`TrackError::File`] if the file cannot be read,
    /// [`TrackError::NotStored`].
    fn log_artifact<'a>(
        &self,
        name: &str,
        content: impl Into<ArtifactContent<'a>>,
    ) -> Result<Digest, TrackError> {
        let content = content.into();
        let mut digest = None;
        self.with_target(&mut |target| {
            digest = Some(artifact(target, name, &content)?);
            Ok(())
        })?;
        Ok(digest.expect("there is one, or an error"))
    }
}

impl<T: target::Targeted> Track for T {}

/// The log of what runs at the moment: for helpers that know no context.
///
/// ```
/// use orch_core::prelude::*;
/// use orch_core::{RunLog, TrackError};
///
/// /// Is called from tasks, from flow bodies and from tests, where it logs nowhere.
/// fn note_size(rows: &[f64]) -> Result<(), TrackError> {
///     RunLog::current().log_metric("rows", 0, rows.len() as f64)
/// }
/// # note_size(&[1.0]).unwrap();
/// ```
#[derive(Clone)]
pub struct RunLog {
    flow: Option<Arc<Flow>>,
    node: Option<NodeRef>,
    attempt: u32,
}

impl RunLog {
    /// Returns the log of the task run whose body is running, else that of the flow body; outside of
    /// both, one that keeps nothing.
    pub fn current() -> Self {
        with_current(|place| match place {
            None => Self {
                flow: None,
                node: None,
                attempt: 1,
            },
            Some(place) => Self {
                flow: Some(Arc::clone(&place.flow)),
                attempt: place
                    .node
                    .as_ref()
                    .map_or(1, |node| node.header().attempts()),
                node: place.node.clone(),
            },
        })
    }
}

impl std::fmt::Debug for RunLog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let name = match (&self.node, &self.flow) {
            (Some(node), _) => node.header().name(),
            (None, Some(flow)) => flow.name(),
            (None, None) => "",
        };
        f.debug_struct("RunLog")
            .field("name", &name)
            .finish_non_exhaustive()
    }
}

fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "a truth value",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

impl Engine {
    /// Returns all that is recorded of what was logged in a flow run, of all attempts; nothing on an
    /// engine without a store. [`recorded_run`](Self::recorded_run) has that of the last ones.
    ///
    /// # Errors
    /// [`StoreError`] if the store cannot be read.
    pub fn logged_rows(&self, run: FlowRunId) -> Result<LoggedRows, StoreError> {
        match &self.0.store {
            Some(store) => store.logged(run),
            None => Ok(LoggedRows::default()),
        }
    }

    /// Reads an artifact. `None` if it is not there, or not what it was.
    ///
    /// # Errors
    /// [`StoreError`] if the store cannot be read.
    pub fn read_artifact(&self, digest: &Digest) -> Result<Option<Vec<u8>>, StoreError> {
        let bytes = match self.0.blobs() {
            Some(blobs) => blobs.read(digest)?,
            None => self.0.artifacts.get(digest),
        };
        Ok(bytes.filter(|bytes| {
            let found = copy_bytes(&mut &**bytes, &mut std::io::sink());
            found.is_ok_and(|found| found.digest == *digest)
        }))
    }
}

//! What a body remembers over attempts and resumptions: steps, checkpoints, choices.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::context::{FlowContext, TaskContext};
use crate::flow::Flow;
use crate::recorder::{self, NotStored};
use crate::rng::Rng;
use crate::secret::scrub;
use crate::store::{CallId, Change, Place, StepRow, StoreError, StoredValue, Timestamp};
use crate::value::{Codec, EncodeError};

/// Values by the call and the name they were kept under.
#[derive(Default)]
pub(crate) struct Steps(Mutex<HashMap<(Owner, String), StoredValue>>);

/// What a value belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Owner {
    /// A task run of a recorded flow run, or its body.
    Call(CallId),
    /// A task run of a flow run that is not recorded: over its attempts.
    Index(u32),
}

impl Steps {
    /// What earlier executions of a flow run remembered.
    pub(crate) fn of(rows: Vec<StepRow>) -> Self {
        let steps = rows
            .into_iter()
            .map(|row| ((Owner::Call(row.call), row.name), row.value));
        Self(Mutex::new(steps.collect()))
    }

    fn get(&self, owner: Owner, name: &str) -> Option<StoredValue> {
        let steps = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        steps.get(&(owner, name.to_owned())).cloned()
    }

    fn insert(&self, owner: Owner, name: String, value: StoredValue) {
        let mut steps = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        steps.insert((owner, name), value);
    }
}

/// Why a step or a checkpoint was not kept.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StepError {
    /// The value cannot be encoded.
    #[error("the value of `{name}` cannot be stored")]
    Encode {
        /// The step's name.
        name: String,
        /// Why not.
        #[source]
        source: EncodeError,
    },
    /// The store failed.
    #[error("`{name}` cannot be stored")]
    Store {
        /// The step's name.
        name: String,
        /// Why not.
        #[source]
        source: StoreError,
    },
}

/// Where a body's values are kept.
struct Memory<'a> {
    flow: &'a Arc<Flow>,
    owner: Owner,
}

impl Memory<'_> {
    fn read<T: Serialize + DeserializeOwned + 'static>(&self, name: &str) -> Option<T> {
        let value = self.flow.steps.get(self.owner, name)?;
        let codec = Codec::serde();
        match (&value.place, self.flow.engine.blobs()) {
            (Place::Inline(bytes), _) => codec.decode(&value.stored, bytes).ok(),
            (Place::Blob, Some(blobs)) => recorder::get(&**blobs, codec, &value),
            (Place::Blob, None) => None,
        }
    }

    fn write<T: Serialize + DeserializeOwned + 'static>(
        &self,
        name: String,
        value: &T,
    ) -> Result<(), StepError> {
        let codec = Codec::serde();
        let failed = |error| match error {
            NotStored::Encode(source) => StepError::Encode {
                name: name.clone(),
                source,
            },
            NotStored::Store(source) => StepError::Store {
                name: name.clone(),
                source,
            },
        };
        let (stored, hold) = match self.flow.recorder() {
            Some(recorder) => {
                let kept = recorder.store.put(codec, value).map_err(failed)?;
                (kept.value, kept.hold)
            }
            None => {
                let encoded = codec.encode(value).map_err(|error| failed(error.into()))?;
                let stored = StoredValue {
                    stored: encoded.stored,
                    place: Place::Inline(encoded.bytes.into()),
                };
                (stored, None)
            }
        };
        if let (Some(recorder), Owner::Call(call)) = (self.flow.recorder(), self.owner) {
            let row = StepRow {
                call,
                name: name.clone(),
                value: stored.clone(),
                made_at: self.flow.timestamp(),
            };
            let change = Change::Step {
                run: self.flow.id,
                row: Box::new(row),
            };
            recorder.push_holding(change, hold);
        }
        self.flow.steps.insert(self.owner, name, stored);
        Ok(())
    }
}

/// The name under which a body keeps its checkpoint.
const CHECKPOINT: &str = "checkpoint";

impl StepRow {
    /// Whether it is where a body stood, rather than what something came to.
    pub(crate) fn is_checkpoint(&self) -> bool {
        self.name == CHECKPOINT
    }
}

/// A step's name: what identifies it, as JSON.
fn name_of(kind: &str, key: &impl Serialize) -> String {
    let key = serde_json::to_string(key).unwrap_or_else(|error| error.to_string());
    scrub(format!("{kind} {key}"))
}

async fn step<T, E, F, Fut>(place: Option<Memory<'_>>, name: String, make: F) -> Result<T, E>
where
    T: Serialize + DeserializeOwned + 'static,
    F: FnOnce() -> Fut,
    Fut: Future<Output = Result<T, E>>,
{
    let Some(place) = place else {
        return make().await;
    };
    if let Some(value) = place.read(&name) {
        return Ok(value);
    }
    if place.flow.rehearsal().is_some() {
        // What it would do is not done, and what comes after it is not known.
        std::future::pending::<()>().await;
    }
    let value = make().await?;
    if let Err(error) = place.write(name, &value) {
        tracing::warn!(target: "orch", "a step is not remembered: {error}");
    }
    Ok(value)
}

impl TaskContext {
    fn place(&self) -> Option<Memory<'_>> {
        let header = self.node()?.header();
        Some(Memory {
            flow: &header.flow,
            owner: match header.call() {
                Some(call) => Owner::Call(call),
                None => Owner::Index(header.index),
            },
        })
    }

    /// Does something once per task run: a later attempt, or the task run of a resumed flow run,
    /// gets the value that was returned then. Only a success is remembered.
    ///
    /// `key` tells the steps of a task run apart: `ctx.step(("charge", order), ..)`.
    ///
    /// ```
    /// use orch_core::prelude::*;
    ///
    /// #[task(retries = 2)]
    /// async fn order(ctx: &TaskContext, item: u32) -> Result<u32, String> {
    ///     let receipt = ctx.step(("charge", item), || async { Ok::<_, String>(item + 100) }).await?;
    ///     if ctx.attempt() == 1 {
    ///         return Err("the connection was lost after the charge".into());
    ///     }
    ///     Ok(receipt)
    /// }
    /// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
    /// assert_eq!(*order(7u32).await.unwrap(), 107);
    /// # });
    /// ```
    ///
    /// # Errors
    /// That of `make`. A value that cannot be stored is not remembered, with a warning.
    pub async fn step<T, E, F, Fut>(&self, key: impl Serialize, make: F) -> Result<T, E>
    where
        T: Serialize + DeserializeOwned + 'static,
        F: FnOnce() -> Fut,
        Fut: Future<Output = Result<T, E>>,
    {
        step(self.place(), name_of("step", &key), make).await
    }

    /// Keeps the state of a long computation, in place of the one kept before. A later attempt, or
    /// the task run of a resumed flow run, finds it with [`restore`](Self::restore). It is dropped
    /// with the record of the flow run.
    ///
    /// # Errors
    /// [`StepError`] if the state cannot be encoded or written.
    pub fn checkpoint<S: Serialize + DeserializeOwned + 'static>(
        &self,
        state: &S,
    ) -> Result<(), StepError> {
        match self.place() {
            Some(place) => place.write(CHECKPOINT.to_owned(), state),
            None => Ok(()),
        }
    }

    /// Returns the state that was kept last, if there is one of this type.
    pub fn restore<S: Serialize + DeserializeOwned + 'static>(&self) -> Option<S> {
        self.place()?.read(CHECKPOINT)
    }

    /// Returns random numbers from the [`seed`](Self::seed) of this task run.
    pub fn rng(&self) -> Rng {
        Rng::new(self.seed(), 0)
    }

    /// Returns a text for outside systems that tell a repeated request by it: the same in all
    /// attempts and after a resumption, another one for every other task run.
    pub fn idempotency_key(&self) -> String {
        let Some(header) = self.node().map(|node| node.header()) else {
            return String::new();
        };
        match header.call() {
            Some(call) => format!("{}-{call}", header.flow.id),
            None => format!("{}-{}", header.flow.id, header.index),
        }
    }
}

impl FlowContext {
    fn place(&self) -> Option<Memory<'_>> {
        Some(Memory {
            flow: self.flow()?,
            owner: Owner::Call(CallId::ROOT),
        })
    }

    /// Does something once per flow run: when it is resumed, it gets the value that was returned
    /// then. See [`TaskContext::step`].
    ///
    /// # Errors
    /// That of `make`.
    pub async fn step<T, E, F, Fut>(&self, key: impl Serialize, make: F) -> Result<T, E>
    where
        T: Serialize + DeserializeOwned + 'static,
        F: FnOnce() -> Fut,
        Fut: Future<Output = Result<T, E>>,
    {
        step(self.place(), name_of("step", &key), make).await
    }

    /// Returns the present moment, by the clock that tests control. When the flow run is resumed,
    /// the calls of it return what they returned before, one by one.
    pub fn now(&self) -> SystemTime {
        let Some(place) = self.place() else {
            return SystemTime::now();
        };
        let name = name_of("now", &place.flow.next_choice());
        let at: i64 = place.read(&name).unwrap_or_else(|| {
            let Timestamp(now) = place.flow.timestamp();
            if let Err(error) = place.write(name, &now) {
                tracing::warn!(target: "orch", "a moment is not remembered: {error}");
            }
            now
        });
        UNIX_EPOCH + Duration::from_nanos(at.max(0).unsigned_abs())
    }

    /// Returns random numbers from the [`seed`](Self::seed) of this flow run; the seed stays the
    /// same when it is resumed. Each call returns other numbers.
    pub fn rng(&self) -> Rng {
        let stream = self.flow().map_or(0, |flow| flow.next_choice());
        Rng::new(self.seed(), stream)
    }
}

//! The store of an engine: values written and read, rows asked for through the journal.

use std::any::TypeId;
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex};

use crate::body::Body;
use crate::definition::Definition;
use crate::engine::Upkeep;
use crate::id::FlowRunId;
use crate::outbox::Hooks;
use crate::state::State;
use crate::store::{
    AttemptRow, BlobStore, CacheRow, ClaimRun, Durability, Epoch, FlowRunFilter, FlowRunRow,
    FoundTaskRun, Hold, Journal, KeyClaim, LoggedRows, OnStoreFailure, Place, RecordedTaskRuns,
    RunClaim, RunOrigin, RunStore, StepRow, StoreError, StoredValue, TaskRow, TaskRunFilter,
    TaskRunRow,
};
use crate::value::{Codec, Digest, EncodeError, Stored, copy_bytes};

use super::{Past, lock};

/// Results up to this size are part of their row; larger ones are blobs.
pub(crate) const INLINE_BYTES: usize = 16 * 1024;

/// The store of an engine.
pub(crate) struct EngineStore {
    pub(crate) runs: Arc<dyn RunStore>,
    pub(crate) blobs: Arc<dyn BlobStore>,
    pub(crate) journal: Journal,
    pub(crate) durability: Durability,
    pub(crate) upkeep: Upkeep,
    /// Who is told of changes of state by notices that are committed with them.
    pub(crate) hooks: Option<Arc<Hooks>>,
    tasks: Mutex<HashMap<TaskKey, Arc<TaskRow>>>,
}

/// Finds a task: by its type, or what is not a user's task by its definition.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum TaskKey {
    Task(TypeId),
    Own(usize),
}

/// A value that was just stored.
pub(crate) struct Kept {
    pub(crate) value: StoredValue,
    /// To be dropped once a row that points to the value is committed.
    pub(crate) hold: Option<Hold>,
}

impl fmt::Debug for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kept")
            .field("value", &self.value)
            .finish_non_exhaustive()
    }
}

/// A claim of a key in the store, given up when it is dropped.
pub(crate) struct Claim {
    store: Arc<EngineStore>,
    key: Digest,
    epoch: Epoch,
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.store.journal.release_key(self.key, self.epoch);
    }
}

/// Keeps blobs from being collected.
struct BlobHold(Arc<dyn BlobStore>);

impl Drop for BlobHold {
    fn drop(&mut self) {
        self.0.release();
    }
}

/// Why a result was not stored.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotStored {
    #[error(transparent)]
    Encode(#[from] EncodeError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl EngineStore {
    pub(crate) fn new(
        runs: Arc<dyn RunStore>,
        blobs: Arc<dyn BlobStore>,
        durability: Durability,
        then: OnStoreFailure,
    ) -> Self {
        let journal = Journal::new(Arc::clone(&runs), durability, then);
        Self {
            runs,
            blobs,
            journal,
            durability,
            upkeep: Upkeep::default(),
            hooks: None,
            tasks: Mutex::default(),
        }
    }

    /// Says what is kept.
    pub(crate) fn keeping(mut self, upkeep: Upkeep) -> Self {
        self.upkeep = upkeep;
        self
    }

    /// Says who is told of changes of state.
    pub(crate) fn telling(mut self, hooks: Option<Arc<Hooks>>) -> Self {
        if let Some(hooks) = &hooks {
            let hooks = Arc::clone(hooks);
            self.journal.on_notice(move |hook| hooks.wake(hook));
        }
        self.hooks = hooks;
        self
    }

    /// Claims a key among the processes of a folder. `None` while another one has it.
    pub(crate) async fn claim(self: &Arc<Self>, key: Digest) -> Result<Option<Claim>, StoreError> {
        Ok(match self.journal.claim_key(key).await? {
            KeyClaim::Claimed(epoch) => Some(Claim {
                store: Arc::clone(self),
                key,
                epoch,
            }),
            KeyClaim::HeldBy(_) => None,
        })
    }

    /// Begins a flow run, or finds the one there is. Waits for what was handed to the journal
    /// before.
    pub(crate) fn claim_run(&self, claim: ClaimRun) -> Result<RunClaim, StoreError> {
        self.journal
            .call(move |runs| async move { runs.claim_run(claim).await })
    }

    /// Returns a recorded flow run.
    pub(crate) fn flow_run(&self, run: FlowRunId) -> Result<Option<FlowRunRow>, StoreError> {
        self.journal
            .query(move |runs| async move { runs.flow_run(run).await })
    }

    /// Returns recorded flow runs.
    pub(crate) fn flow_runs(&self, filter: FlowRunFilter) -> Result<Vec<FlowRunRow>, StoreError> {
        self.journal
            .query(move |runs| async move { runs.flow_runs(filter).await })
    }

    /// Lets the row of a flow run say that it has crashed, if its owner is gone.
    pub(crate) fn note_crash(&self, row: &mut FlowRunRow) {
        if !row.state.is_final()
            && let Some((owner, _)) = row.owner
            && self.runs.is_gone(owner)
        {
            row.state = State::Crashed;
        }
    }

    /// Returns the recorded task runs of a flow run.
    pub(crate) fn task_runs(&self, run: FlowRunId) -> Result<Vec<TaskRunRow>, StoreError> {
        self.journal
            .query(move |runs| async move { runs.task_runs(run).await })
    }

    /// The same for a flow run that goes on with it.
    pub(crate) fn recorded_task_runs(
        &self,
        run: FlowRunId,
    ) -> Result<RecordedTaskRuns, StoreError> {
        self.journal
            .query(move |runs| async move { runs.recorded_task_runs(run).await })
    }

    /// Looks for task runs in all flow runs.
    pub(crate) fn find_task_runs(
        &self,
        filter: TaskRunFilter,
    ) -> Result<Vec<FoundTaskRun>, StoreError> {
        self.journal
            .query(move |runs| async move { runs.find_task_runs(filter).await })
    }

    /// Returns what steps and choices of a flow run came to, with their values.
    pub(crate) fn steps(&self, run: FlowRunId) -> Result<Vec<StepRow>, StoreError> {
        let steps = self
            .journal
            .query(move |runs| async move { runs.steps(run).await })?;
        let mut whole = Vec::with_capacity(steps.len());
        for mut step in steps.into_iter().filter(|step| !step.is_checkpoint()) {
            if step.value.place == Place::Blob {
                // One that is lost is made anew.
                let Some(bytes) = self.blobs.read(&step.value.stored.digest)? else {
                    continue;
                };
                step.value.place = Place::Inline(bytes.into());
            }
            whole.push(step);
        }
        Ok(whole)
    }

    /// Returns all that is recorded of a flow run that is gone on with.
    pub(crate) fn past(&self, row: &FlowRunRow) -> Result<Past, StoreError> {
        let run = row.id;
        let called_by = FlowRunFilter {
            caller: Some(run),
            ..FlowRunFilter::default()
        };
        let origin = row.origin.as_ref().map(|origin| match origin {
            RunOrigin::Rerun { of, .. } | RunOrigin::Fork { of } => *of,
        });
        self.journal.query(move |runs| async move {
            Ok(Past {
                task_runs: runs.recorded_task_runs(run).await?,
                steps: runs.steps(run).await?,
                subflows: runs.flow_runs(called_by).await?,
                of_origin: match origin {
                    Some(origin) => runs.recorded_task_runs(origin).await?,
                    None => RecordedTaskRuns::default(),
                },
            })
        })
    }

    /// Returns all that was logged in a flow run.
    pub(crate) fn logged(&self, run: FlowRunId) -> Result<LoggedRows, StoreError> {
        self.journal
            .query(move |runs| async move { runs.logged(run).await })
    }

    /// Returns the attempts of a flow run's task runs that failed.
    pub(crate) fn attempts(&self, run: FlowRunId) -> Result<Vec<AttemptRow>, StoreError> {
        self.journal
            .query(move |runs| async move { runs.attempts(run).await })
    }

    /// Returns the latest cache entries of a task.
    pub(crate) fn cached_by_task(
        &self,
        task_id: &str,
        limit: usize,
    ) -> Result<Vec<CacheRow>, StoreError> {
        let task_id = task_id.to_owned();
        self.journal
            .query(move |runs| async move { runs.cached_by_task(&task_id, limit).await })
    }

    /// Returns what is recorded of a task.
    pub(crate) fn task_row<B: Body>(&self, definition: &'static Definition) -> Arc<TaskRow> {
        let key = match B::task() {
            Some(task) => TaskKey::Task(task),
            None => TaskKey::Own(std::ptr::from_ref(definition) as usize),
        };
        let mut tasks = lock(&self.tasks);
        let row = tasks.entry(key).or_insert_with(|| {
            Arc::new(TaskRow {
                id: B::task_id(definition),
                name: definition.name.to_owned(),
                fingerprint: B::code(definition),
                version: definition.version.map(str::to_owned),
                source: format!("{}:{}", definition.file, definition.line),
            })
        });
        Arc::clone(row)
    }

    /// Writes a value, large ones to the blobs.
    pub(crate) fn put<T>(&self, codec: Codec<T>, value: &T) -> Result<Kept, NotStored> {
        if codec.size_hint(value) > INLINE_BYTES {
            return self.put_blob(|writer| codec.encode_into(value, writer));
        }
        let encoded = codec.encode(value)?;
        if encoded.bytes.len() > INLINE_BYTES {
            return self.put_blob(|writer| {
                std::io::Write::write_all(writer, &encoded.bytes)?;
                Ok(encoded.stored)
            });
        }
        Ok(Kept {
            value: StoredValue {
                stored: encoded.stored,
                place: Place::Inline(encoded.bytes.into()),
            },
            hold: None,
        })
    }

    /// Keeps blobs from being collected until a row that points to one is committed. `None`, with a
    /// warning, if that cannot be had.
    pub(super) fn hold_blobs(&self) -> Option<Hold> {
        match self.blobs.hold() {
            Ok(()) => Some(Box::new(BlobHold(Arc::clone(&self.blobs)))),
            Err(error) => {
                tracing::warn!(target: "orch", "{error}; a stored result may be collected");
                None
            }
        }
    }

    /// Writes bytes to the blobs, however few.
    pub(crate) fn put_bytes(&self, from: &mut dyn std::io::Read) -> Result<Kept, NotStored> {
        self.put_blob(|writer| Ok(copy_bytes(from, writer)?))
    }

    fn put_blob(
        &self,
        write: impl FnOnce(&mut dyn std::io::Write) -> Result<Stored, EncodeError>,
    ) -> Result<Kept, NotStored> {
        // From before the file is there until a row that points to it is committed.
        self.blobs.hold()?;
        let hold = BlobHold(Arc::clone(&self.blobs));
        let mut writer = self.blobs.writer()?;
        let stored = write(&mut writer)?;
        writer.finish(stored.digest, self.durability)?;
        Ok(Kept {
            value: StoredValue {
                stored,
                place: Place::Blob,
            },
            hold: Some(Box::new(hold)),
        })
    }

    /// Reads a value; `None` if it is not there or not what it was.
    pub(crate) fn get<T>(&self, codec: Codec<T>, value: &StoredValue) -> Option<T> {
        get(&*self.blobs, codec, value)
    }
}

/// Reads a value; `None`, with a warning, if it is not there or not what it was.
pub(crate) fn get<T>(blobs: &dyn BlobStore, codec: Codec<T>, value: &StoredValue) -> Option<T> {
    let digest = value.stored.digest;
    let decoded = match &value.place {
        Place::Inline(bytes) => codec.decode(&value.stored, bytes),
        Place::Blob => match blobs.open(&digest) {
            Ok(Some(mut bytes)) => codec.decode_from(&value.stored, &mut bytes),
            Ok(None) => {
                tracing::warn!(target: "orch", %digest, "a stored result is gone; it counts as a miss");
                return None;
            }
            Err(error) => {
                tracing::warn!(target: "orch", %digest, "{error}; the result counts as a miss");
                return None;
            }
        },
    };
    match decoded {
        Ok(value) => Some(value),
        Err(error) => {
            tracing::warn!(target: "orch", %digest, "{error}; the stored result counts as a miss");
            None
        }
    }
}

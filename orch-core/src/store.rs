//! What outlives the process: history of runs, recorded results, the cache.
//!
//! Two traits, [`RunStore`] for rows and [`BlobStore`] for large values, each with two
//! implementations: in memory and in a folder. Rows are the truth; whoever reads them sees a
//! consistent prefix of what was committed. A row never points to a blob that was not there when
//! the row was written.

#[cfg(feature = "sqlite")]
mod folder;
mod journal;
mod logged;
mod maintenance;
mod memory;
mod packed;
mod rows;

#[cfg(all(feature = "sqlite", any(test, feature = "testing")))]
pub use self::folder::DiskFaults;
#[cfg(feature = "sqlite")]
pub use self::folder::{FolderBlobs, FolderStore};
pub(crate) use self::journal::{Hold, Journal, Position, block_on};
pub use self::logged::{ArtifactRow, Logged, LoggedBy, LoggedRows, LoggedValueRow, MetricRow};
pub use self::maintenance::{
    BlobUsage, CacheBudget, CacheUsage, CheckReport, GcReport, Lost, MaintainBlobs, MaintainRuns,
    Retention, RunUsage, ValueOf,
};
pub(crate) use self::maintenance::{Collection, MIN_AGE, Plan, Step, check, collect};
pub use self::memory::{MemoryBlobs, MemoryStore};
pub use self::packed::{PackedTaskRuns, RecordedTaskRuns, TaskRunPacker};
pub use self::rows::{
    AttemptRow, CacheRow, CallId, ClaimRun, Epoch, Fence, FlowRunFilter, FlowRunRow, FoundTaskRun,
    InvalidCallId, KeyClaim, KeyPartRow, KeyRow, NoticeFilter, NoticeRow, OwnerId, ParameterRow,
    Place, ResultOrigin, RunClaim, RunOrigin, StepRow, StoredValue, TaskRow, TaskRunFilter,
    TaskRunRow, Timestamp,
};

use std::io::Read;
use std::path::PathBuf;
#[cfg(feature = "sqlite")]
use std::sync::Arc;

use futures_util::future::BoxFuture;

use crate::id::FlowRunId;
use crate::value::Digest;

/// How soon a commit survives.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, Default, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Durability {
    /// At once against a killed process, within 50 ms against a power cut.
    #[default]
    Relaxed,
    /// On disk before anything that depends on it goes on.
    Strict,
}

/// What becomes of flow runs when the store fails: a full disk, a folder that is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum OnStoreFailure {
    /// They fail, with an error that says so.
    #[default]
    Fail,
    /// They go on in memory, with a warning. What they do from then on is not recorded. With
    /// [`Durability::Strict`] they fail all the same.
    GoOn,
}

/// One change of the rows. A batch of them is committed whole or not at all.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Change {
    /// None: a place that was taken out of its batch.
    Nothing,
    /// A flow run as it stands now; the row with its id is replaced. Owner and epoch stay as the
    /// claim set them; a final state gives the ownership up.
    FlowRun(Box<FlowRunRow>),
    /// A task run as it stands now; the row with its call id is replaced.
    TaskRun {
        /// The flow run it belongs to.
        run: FlowRunId,
        /// The row.
        row: Box<TaskRunRow>,
        /// Whether it belongs to an item of a map: there are many of the kind, which a store may
        /// pack.
        is_item: bool,
    },
    /// An attempt that failed, or that was not the first.
    Attempt {
        /// The flow run it belongs to.
        run: FlowRunId,
        /// The row.
        row: Box<AttemptRow>,
    },
    /// Task runs of earlier executions that were not called again.
    Orphaned {
        /// The flow run they belong to.
        run: FlowRunId,
        /// Their calls.
        calls: Vec<CallId>,
    },
    /// A step or a checkpoint of a task run, or of the flow body; replaces one of the same name.
    Step {
        /// The flow run it belongs to.
        run: FlowRunId,
        /// The row.
        row: Box<StepRow>,
    },
    /// What code logged: params, tags, points of metrics, artifacts.
    Logged {
        /// The flow run it was logged in.
        run: FlowRunId,
        /// The rows.
        logged: Logged,
    },
    /// A result for a cache key; replaces what was there.
    Cache(Box<CacheRow>),
    /// A cache entry that was used, for the order of eviction.
    CacheUsed {
        /// Its key.
        key: Digest,
        /// When.
        at: Timestamp,
    },
    /// A notice for a durable hook, as its delivery stands now. It takes its place behind those that
    /// are there; one with its id is replaced and keeps its place.
    Notice(Box<NoticeRow>),
    /// A notice that was delivered: its row goes.
    NoticeDelivered {
        /// Its id.
        id: String,
    },
    /// A cache entry that is worth nothing any more. One that is pinned stays.
    CacheDropped {
        /// Its key.
        key: Digest,
    },
}

/// Rows of flow runs, task runs and the cache.
///
/// Every write of a run's rows carries a [`Fence`]: it succeeds only while the run has this owner
/// and this epoch, else it fails with [`StoreError::OwnershipLost`] and changes nothing.
pub trait RunStore: Send + Sync + 'static {
    /// Whether commits are done when they are asked for: then nothing is queued. Only for stores
    /// that never wait.
    fn is_immediate(&self) -> bool {
        false
    }

    /// Commits a batch in order and whole. `fences` holds one entry for each run that the batch
    /// writes to. With [`Durability::Strict`] it is on disk when the future is ready.
    fn commit<'a>(
        &'a self,
        batch: &'a [Change],
        fences: &'a [Fence],
        durability: Durability,
    ) -> BoxFuture<'a, Result<(), StoreError>>;

    /// Starts a flow run, or finds the one that has its key: one transaction that either inserts
    /// the row or reads the one there is, and takes over from an owner that is gone.
    fn claim_run<'a>(&'a self, claim: ClaimRun) -> BoxFuture<'a, Result<RunClaim, StoreError>>;

    /// Claims the right to execute for a cache key. A claim of an owner that is gone is taken over.
    fn claim_key<'a>(&'a self, key: Digest) -> BoxFuture<'a, Result<KeyClaim, StoreError>>;

    /// Gives such a claim up.
    fn release_key<'a>(
        &'a self,
        key: Digest,
        epoch: Epoch,
    ) -> BoxFuture<'a, Result<(), StoreError>>;

    /// Returns the cache entry for a key, without the parts of the key.
    fn cached<'a>(&'a self, key: Digest) -> BoxFuture<'a, Result<Option<CacheRow>, StoreError>>;

    /// Returns the latest cache entries of a task, newest first.
    fn cached_by_task<'a>(
        &'a self,
        task_id: &'a str,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<CacheRow>, StoreError>>;

    /// Returns cache entries, the least recently used last.
    fn cache_entries<'a>(&'a self) -> BoxFuture<'a, Result<Vec<CacheRow>, StoreError>>;

    /// Returns a flow run.
    fn flow_run<'a>(
        &'a self,
        id: FlowRunId,
    ) -> BoxFuture<'a, Result<Option<FlowRunRow>, StoreError>>;

    /// Returns flow runs, the newest first.
    fn flow_runs<'a>(
        &'a self,
        filter: FlowRunFilter,
    ) -> BoxFuture<'a, Result<Vec<FlowRunRow>, StoreError>>;

    /// Returns the task runs of a flow run in the order of their last submission.
    fn task_runs<'a>(
        &'a self,
        run: FlowRunId,
    ) -> BoxFuture<'a, Result<Vec<TaskRunRow>, StoreError>>;

    /// Returns the task runs of a flow run for one that goes on with it. Many of a kind may come
    /// packed: there is one by one that is asked for.
    fn recorded_task_runs<'a>(
        &'a self,
        run: FlowRunId,
    ) -> BoxFuture<'a, Result<RecordedTaskRuns, StoreError>> {
        Box::pin(async move { Ok(self.task_runs(run).await?.into()) })
    }

    /// Returns those task runs of a flow run that changed after `seq`, and the sequence number of
    /// the last change.
    fn changes_since<'a>(
        &'a self,
        run: FlowRunId,
        seq: u64,
    ) -> BoxFuture<'a, Result<(Vec<TaskRunRow>, u64), StoreError>>;

    /// Looks for task runs in all flow runs, the oldest flow run first. It may read every row.
    ///
    /// A store that does not say how reads its flow runs one by one.
    fn find_task_runs<'a>(
        &'a self,
        filter: TaskRunFilter,
    ) -> BoxFuture<'a, Result<Vec<FoundTaskRun>, StoreError>> {
        Box::pin(async move {
            let mut found = Vec::new();
            for run in self.flow_runs(FlowRunFilter::default()).await?.iter().rev() {
                let rows = self.task_runs(run.id).await?;
                let rows = rows.iter().filter(|row| filter.matches(row));
                found.extend(rows.map(|row| FoundTaskRun::of(run.id, row)));
            }
            Ok(found)
        })
    }

    /// Returns the recorded attempts of a flow run, by task run and number.
    fn attempts<'a>(&'a self, run: FlowRunId)
    -> BoxFuture<'a, Result<Vec<AttemptRow>, StoreError>>;

    /// Returns the steps and checkpoints of a flow run.
    fn steps<'a>(&'a self, run: FlowRunId) -> BoxFuture<'a, Result<Vec<StepRow>, StoreError>>;

    /// Returns all that was logged in a flow run, of all attempts.
    ///
    /// A store that does not say how keeps none of it.
    fn logged<'a>(&'a self, run: FlowRunId) -> BoxFuture<'a, Result<LoggedRows, StoreError>> {
        let _ = run;
        Box::pin(std::future::ready(Ok(LoggedRows::default())))
    }

    /// Returns notices that were not delivered, the oldest first. They stay until they are, whatever
    /// becomes of their flow run.
    fn undelivered<'a>(
        &'a self,
        filter: NoticeFilter,
    ) -> BoxFuture<'a, Result<Vec<NoticeRow>, StoreError>>;

    /// Keeps a flow run and all its values until it is unpinned.
    fn pin<'a>(&'a self, run: FlowRunId, is_pinned: bool) -> BoxFuture<'a, Result<(), StoreError>>;

    /// Keeps a cache entry until it is unpinned. Returns whether there is one.
    fn pin_key<'a>(
        &'a self,
        key: Digest,
        is_pinned: bool,
    ) -> BoxFuture<'a, Result<bool, StoreError>>;

    /// Whether an owner is gone, so that what it was at has crashed. Without an answer it counts as
    /// there.
    fn is_gone(&self, owner: OwnerId) -> bool {
        let _ = owner;
        false
    }

    /// Returns what removes rows and looks through them; `None` for a store that sees to that by
    /// itself.
    fn maintenance(&self) -> Option<&dyn MaintainRuns> {
        None
    }
}

/// Values that are too large for a row, by their digest.
pub trait BlobStore: Send + Sync + 'static {
    /// Starts to write a value. It is there under its digest once [`BlobWriter::finish`] is ready,
    /// and not before; dropped earlier, it leaves nothing behind.
    fn writer(&self) -> Result<Box<dyn BlobWriter>, StoreError>;

    /// Reads a value whole. `None` if it is not there.
    fn read(&self, digest: &Digest) -> Result<Option<Vec<u8>>, StoreError>;

    /// Opens a value to be read in order. `None` if it is not there.
    ///
    /// # Errors
    /// That of opening it.
    fn open(&self, digest: &Digest) -> Result<Option<Box<dyn Read + Send>>, StoreError> {
        let bytes = self.read(digest)?;
        Ok(bytes.map(|bytes| Box::new(std::io::Cursor::new(bytes)) as Box<dyn Read + Send>))
    }

    /// Whether a value is there.
    fn contains(&self, digest: &Digest) -> Result<bool, StoreError>;

    /// Removes a value. One that is not there is no error.
    fn remove(&self, digest: &Digest) -> Result<(), StoreError>;

    /// Keeps every value that is there, or is being written, from being collected, until
    /// [`release`](Self::release): a row that points to it is still to be committed.
    ///
    /// # Errors
    /// That of locking.
    fn hold(&self) -> Result<(), StoreError> {
        Ok(())
    }

    /// Ends one [`hold`](Self::hold).
    fn release(&self) {}

    /// Returns what lists values and removes them; `None` for a store that sees to that by itself.
    fn maintenance(&self) -> Option<&dyn MaintainBlobs> {
        None
    }
}

/// A value that is being written.
pub trait BlobWriter: std::io::Write + Send {
    /// Makes the value visible under its digest. With [`Durability::Strict`] it is on disk
    /// afterwards, its directory entry included.
    fn finish(self: Box<Self>, digest: Digest, durability: Durability) -> Result<(), StoreError>;
}

/// Errors from opening, reading or writing a store.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The store was written by a later release than this one.
    #[error("store `{}` has format {found}, this build reads up to {supported}", path.display())]
    FormatTooNew {
        /// The store's folder.
        path: PathBuf,
        /// Its format.
        found: u32,
        /// The newest format that this build reads.
        supported: u32,
    },
    /// Another engine took the run over.
    #[error("flow run {run} is owned by another engine since epoch {epoch}")]
    OwnershipLost {
        /// The flow run.
        run: FlowRunId,
        /// The epoch in which this engine owned it.
        epoch: u64,
    },
    /// A file of the store cannot be read or written.
    #[error("store file `{}` cannot be {action}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What was tried: `created`, `read`, `written`, `synced`, ...
        action: &'static str,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// The database refused.
    #[error("the database of store `{}` failed while {action}", path.display())]
    Database {
        /// The store's folder.
        path: PathBuf,
        /// What was tried.
        action: &'static str,
        /// Why it failed.
        #[source]
        source: crate::BoxError,
    },
    /// A row does not say what a row of its kind says.
    #[error("a row of {table} in store `{}` is damaged: {problem}", path.display())]
    Damaged {
        /// The store's folder.
        path: PathBuf,
        /// The table.
        table: &'static str,
        /// What is wrong.
        problem: String,
    },
    /// The folder is on a filesystem that is shared between hosts.
    #[error("store `{}` is on a network filesystem ({kind})", path.display())]
    NetworkFilesystem {
        /// The store's folder.
        path: PathBuf,
        /// The filesystem's name.
        kind: String,
    },
    /// The store has stopped to take changes.
    #[error("the store takes no more changes: {reason}")]
    Degraded {
        /// The error that stopped it.
        reason: String,
    },
}

/// Whether there is a store in a folder.
#[cfg(feature = "cli")]
pub(crate) fn is_store(path: &std::path::Path) -> bool {
    path.join(folder::DATABASE).is_file()
}

impl StoreError {
    /// What can be done about it, where that can be told.
    pub fn help(&self) -> Option<&'static str> {
        Some(match self {
            Self::FormatTooNew { .. } => {
                "upgrade orch-core to the release that wrote the store, or open another folder"
            }
            Self::NetworkFilesystem { .. } => {
                "open a folder on a disk of this host: locks and shared memory need one host"
            }
            Self::Io { source, .. } => match source.kind() {
                std::io::ErrorKind::StorageFull => {
                    "make room, or let the store keep less: `Engine::collect_garbage`, \
                     `EngineBuilder::retention`, `EngineBuilder::cache_budget`"
                }
                std::io::ErrorKind::PermissionDenied | std::io::ErrorKind::ReadOnlyFilesystem => {
                    "open a folder that this user may write to"
                }
                std::io::ErrorKind::AlreadyExists | std::io::ErrorKind::NotADirectory => {
                    "a file is where the folder should be: open another folder"
                }
                _ => return None,
            },
            Self::Damaged { .. } => {
                "`Engine::check_store` lists what is damaged; restore the folder from a copy, or \
                 open a new one"
            }
            Self::Degraded { .. } => "see to the reason, then open the engine again",
            Self::OwnershipLost { .. } | Self::Database { .. } => return None,
        })
    }
}

/// A store of runs and one of their large values.
#[cfg(feature = "sqlite")]
type Stores = (Arc<dyn RunStore>, Arc<dyn BlobStore>);

/// Opens the store in a folder.
#[cfg(feature = "sqlite")]
pub(crate) fn open_folder(path: &std::path::Path) -> Result<Stores, StoreError> {
    let store = FolderStore::open(path)?;
    let blobs = FolderBlobs::open(store.path())?;
    Ok((Arc::new(store), Arc::new(blobs)))
}

#[cfg(test)]
mod tests;

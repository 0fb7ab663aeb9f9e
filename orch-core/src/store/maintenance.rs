//! What keeps a store small and tells whether it is whole: retention, the budget of the cache,
//! collection of values that nothing points to, a check of every value.

mod check;
mod collect;
mod retention;

#[cfg(all(test, feature = "sqlite"))]
mod tests;

pub(crate) use self::check::check;
pub use self::check::{CheckReport, Lost};
pub use self::collect::GcReport;
pub(crate) use self::collect::{Collection, MIN_AGE, Plan, Step, collect};
pub use self::retention::{CacheBudget, Retention};

use std::fmt;
use std::time::Duration;

use super::{CallId, OwnerId, StoreError, StoredValue, Timestamp};
use crate::id::FlowRunId;
use crate::state::State;
use crate::value::Digest;

/// How many rows are deleted within one transaction: writers wait no longer than for that.
pub(crate) const ROWS_AT_ONCE: usize = 1_000;

/// The part of a [`RunStore`](super::RunStore) that removes rows. It may block; each call takes a
/// bounded time, apart from those that say otherwise.
pub trait MaintainRuns: Send + Sync {
    /// Returns what there is of flow runs, in no order. `bytes` are those of the values, and only
    /// counted if that is asked for.
    ///
    /// # Errors
    /// That of reading.
    fn run_usage(&self, with_bytes: bool) -> Result<Vec<RunUsage>, StoreError>;

    /// Returns what there is in the cache, in no order.
    ///
    /// # Errors
    /// That of reading.
    fn cache_usage(&self) -> Result<Vec<CacheUsage>, StoreError>;

    /// Deletes flow runs, each whole or not at all, and returns how many. Those that are pinned,
    /// and those that an engine that is there owns, stay. Their rows may be left to
    /// [`sweep`](Self::sweep).
    ///
    /// # Errors
    /// That of writing.
    fn delete_runs(&self, runs: &[FlowRunId]) -> Result<usize, StoreError>;

    /// Deletes cache entries and returns how many. Those that are pinned, and those that were used
    /// since they were looked at, stay.
    ///
    /// # Errors
    /// That of writing.
    fn delete_cached(&self, entries: &[CacheUsage]) -> Result<usize, StoreError>;

    /// Does a step of what deleting leaves to be done: rows of deleted runs, what owners that are
    /// gone left behind, space that goes back to the filesystem. Returns whether there is more.
    ///
    /// # Errors
    /// That of writing.
    fn sweep(&self) -> Result<bool, StoreError>;

    /// Whether a row points to a blob.
    ///
    /// # Errors
    /// That of reading.
    fn is_referenced(&self, digest: &Digest) -> Result<bool, StoreError>;

    /// Shows every value that a row holds, or only those that are blobs. A value that cannot be
    /// read is an error of its own. Reads everything there is.
    ///
    /// # Errors
    /// That of reading.
    fn each_value(
        &self,
        only_blobs: bool,
        visit: &mut dyn FnMut(ValueOf, Result<StoredValue, StoreError>),
    ) -> Result<(), StoreError>;

    /// Returns what is wrong with the rows themselves, in words. Reads everything there is.
    ///
    /// # Errors
    /// That of reading.
    fn problems(&self) -> Result<Vec<String>, StoreError>;

    /// Makes what is kept as small as it can be. Writers wait as long as it takes, and it takes as
    /// much free space as there are rows.
    ///
    /// # Errors
    /// That of writing.
    fn compact(&self) -> Result<(), StoreError>;
}

/// The part of a [`BlobStore`](super::BlobStore) that lists values and removes what nothing points
/// to. It may block.
pub trait MaintainBlobs: Send + Sync {
    /// Into how many parts the values are divided; each is listed at once.
    fn parts(&self) -> usize;

    /// Lists the values of a part.
    ///
    /// # Errors
    /// That of reading.
    fn list(&self, part: usize) -> Result<Vec<BlobUsage>, StoreError>;

    /// Removes those of some values that nothing refers to and that are older than `min_age`, while
    /// nobody holds any. `None` if somebody does: then nothing was done.
    ///
    /// # Errors
    /// That of `is_referenced`, or of removing.
    fn remove_unreferenced(
        &self,
        values: &[BlobUsage],
        min_age: Duration,
        is_referenced: &mut dyn FnMut(&Digest) -> Result<bool, StoreError>,
    ) -> Result<Option<Vec<BlobUsage>>, StoreError>;

    /// Removes what those who are gone left of values that they were writing, while nobody writes,
    /// and returns how many there were.
    ///
    /// # Errors
    /// That of listing.
    fn remove_unfinished(&self, min_age: Duration, dry_run: bool) -> Result<usize, StoreError>;
}

/// What retention looks at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunUsage {
    /// The flow run.
    pub id: FlowRunId,
    /// Its flow.
    pub flow: String,
    /// Where it stands.
    pub state: State,
    /// When it was first started.
    pub started_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// Whether retention leaves it alone.
    pub is_pinned: bool,
    /// Who owns it, if that engine is there.
    pub owner: Option<OwnerId>,
    /// The flow run that called it.
    pub caller: Option<FlowRunId>,
    /// The bytes of its values; 0 if they were not counted.
    pub bytes: u64,
}

/// What the budget of the cache looks at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CacheUsage {
    /// The key of the entry.
    pub key: Digest,
    /// When its result was made.
    pub made_at: Timestamp,
    /// When it was last used.
    pub used_at: Timestamp,
    /// Whether it is kept whatever the budget says.
    pub is_pinned: bool,
    /// The bytes of its result.
    pub bytes: u64,
}

/// A value in a blob store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlobUsage {
    /// Its digest.
    pub digest: Digest,
    /// Its bytes.
    pub bytes: u64,
    /// For how long it has been there.
    pub age: Duration,
}

/// The row that a value belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ValueOf {
    /// The result of a flow run.
    FlowRun(FlowRunId),
    /// The result of a task run.
    TaskRun(FlowRunId, CallId),
    /// A step or a checkpoint.
    Step(FlowRunId, CallId, String),
    /// An artifact that was logged under this name.
    Artifact(FlowRunId, CallId, String),
    /// A cached result.
    Cached(Digest),
}

impl fmt::Display for ValueOf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FlowRun(run) => write!(f, "the result of flow run {run}"),
            Self::TaskRun(run, call) => write!(f, "the result of call {call} of flow run {run}"),
            Self::Step(run, call, name) => {
                write!(f, "step `{name}` of call {call} of flow run {run}")
            }
            Self::Artifact(run, call, name) if *call == CallId::ROOT => {
                write!(f, "artifact `{name}` of flow run {run}")
            }
            Self::Artifact(run, call, name) => {
                write!(f, "artifact `{name}` of call {call} of flow run {run}")
            }
            Self::Cached(key) => write!(f, "the cached result for key {key}"),
        }
    }
}

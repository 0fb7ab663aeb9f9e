//! A store in a folder: history, index and small values in SQLite, large values as files beside it.
//!
//! The layout is described field by field in `docs/store.md`.

mod blobs;
mod claims;
mod disk;
mod logged;
mod maintenance;
mod outbox;
mod owner;
mod packs;
mod read;
mod schema;
mod values;
mod write;

pub use self::blobs::FolderBlobs;
#[cfg(any(test, feature = "testing"))]
pub use self::disk::DiskFaults;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use rusqlite::{Connection, OpenFlags};

use self::disk::Disk;
use self::owner::Owner;
use super::{
    AttemptRow, CacheRow, Change, ClaimRun, Durability, Epoch, Fence, FlowRunFilter, FlowRunRow,
    FoundTaskRun, KeyClaim, LoggedRows, MaintainRuns, NoticeFilter, NoticeRow, OwnerId,
    RecordedTaskRuns, RunClaim, RunStore, StepRow, StoreError, TaskRunFilter, TaskRunRow,
};
use crate::id::FlowRunId;
use crate::value::Digest;

/// The database's file.
pub(super) const DATABASE: &str = "orch.db";

/// How long to wait for another process's write.
const BUSY: Duration = Duration::from_secs(30);

/// Statements are prepared once.
const STATEMENTS: usize = 64;

/// How the writing connection is set up. Its log is written to the database every 16 MiB rather than
/// 4, which syncs both; pages that it adds to are kept in memory; and after something large the log
/// does not stay large.
const WRITER: &str = "
    PRAGMA wal_autocheckpoint = 4096;
    PRAGMA cache_size = -16384;
    PRAGMA journal_size_limit = 67108864;";

/// Rows in a folder. One is opened by each engine; several may share a folder on one host.
pub struct FolderStore {
    path: PathBuf,
    owner: Arc<Owner>,
    writer: Mutex<Writer>,
    readers: Mutex<Vec<Connection>>,
    disk: Disk,
}

/// The connection that writes, and what it knows of the database.
struct Writer {
    connection: Connection,
    tasks: write::TaskIds,
    task_runs: write::TaskRunRows,
    durability: Option<Durability>,
    disk: Disk,
}

impl FolderStore {
    /// Opens a folder; makes it if it is missing.
    ///
    /// # Errors
    /// [`StoreError::FormatTooNew`], [`StoreError::NetworkFilesystem`], or that of the first file
    /// that cannot be used.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        Self::open_with(path.as_ref(), Disk::default())
    }

    /// The same with a disk that fails as a test asks for. The blobs beside it share the disk by
    /// [`FolderBlobs::open_with_faults`].
    ///
    /// # Errors
    /// Those of [`open`](Self::open).
    #[cfg(any(test, feature = "testing"))]
    pub fn open_with_faults(
        path: impl AsRef<Path>,
        faults: Arc<DiskFaults>,
    ) -> Result<Self, StoreError> {
        Self::open_with(path.as_ref(), Disk::failing(faults))
    }

    fn open_with(path: &Path, disk: Disk) -> Result<Self, StoreError> {
        for folder in [
            path.to_owned(),
            path.join("blobs"),
            path.join("owners"),
            path.join("tmp"),
        ] {
            let created = disk
                .operation()
                .and_then(|()| std::fs::create_dir_all(&folder));
            created.map_err(|source| StoreError::Io {
                path: folder,
                action: "created",
                source,
            })?;
        }
        let path = path.canonicalize().map_err(|source| StoreError::Io {
            path: path.to_owned(),
            action: "opened",
            source,
        })?;
        disk::refuse_network(&path)?;
        let opened = |source| StoreError::Io {
            path: path.join(DATABASE),
            action: "opened",
            source,
        };
        disk.operation().map_err(opened)?;
        let owner = Arc::new(Owner::new(&path)?);
        disk.operation().map_err(opened)?;
        let connection = connect(&path, OpenFlags::SQLITE_OPEN_CREATE)?;
        schema::prepare(&path, &connection)?;
        connection
            .execute_batch(WRITER)
            .map_err(|error| ReadError::from(error).of_store(&path, "being set up"))?;
        Ok(Self {
            writer: Mutex::new(Writer {
                connection,
                tasks: write::TaskIds::default(),
                task_runs: write::TaskRunRows::default(),
                durability: None,
                disk: disk.clone(),
            }),
            disk,
            readers: Mutex::default(),
            owner,
            path,
        })
    }

    /// Returns where the folder is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn writer(&self) -> MutexGuard<'_, Writer> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads through a connection of its own: it waits for no writer.
    fn read<T>(
        &self,
        action: &'static str,
        read: impl FnOnce(&Connection) -> Result<T, ReadError>,
    ) -> Result<T, StoreError> {
        self.disk.operation().map_err(|source| StoreError::Io {
            path: self.path.join(DATABASE),
            action: "read",
            source,
        })?;
        let free = {
            let mut readers = self.readers.lock().unwrap_or_else(PoisonError::into_inner);
            readers.pop()
        };
        let connection = match free {
            Some(connection) => connection,
            None => connect(&self.path, OpenFlags::empty())?,
        };
        let result = read(&connection);
        let mut readers = self.readers.lock().unwrap_or_else(PoisonError::into_inner);
        readers.push(connection);
        drop(readers);
        result.map_err(|error| error.of_store(&self.path, action))
    }
}

impl std::fmt::Debug for FolderStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FolderStore")
            .field("path", &self.path)
            .field("owner", &self.owner.id())
            .finish_non_exhaustive()
    }
}

fn connect(path: &Path, create: OpenFlags) -> Result<Connection, StoreError> {
    let failed = |source: rusqlite::Error| StoreError::Database {
        path: path.to_owned(),
        action: "being opened",
        source: source.into(),
    };
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX | create;
    let connection = Connection::open_with_flags(path.join(DATABASE), flags).map_err(failed)?;
    connection.busy_timeout(BUSY).map_err(failed)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    Ok(connection)
}

/// What can go wrong while rows are read.
#[derive(Debug)]
enum ReadError {
    Database(rusqlite::Error),
    Damaged {
        table: &'static str,
        problem: String,
    },
}

impl From<rusqlite::Error> for ReadError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Database(error)
    }
}

impl ReadError {
    fn of_store(self, path: &Path, action: &'static str) -> StoreError {
        let path = path.to_owned();
        match self {
            Self::Database(source) => StoreError::Database {
                path,
                action,
                source: source.into(),
            },
            Self::Damaged { table, problem } => StoreError::Damaged {
                path,
                table,
                problem,
            },
        }
    }
}

fn now<'a, T: Send + 'a>(result: Result<T, StoreError>) -> BoxFuture<'a, Result<T, StoreError>> {
    std::future::ready(result).boxed()
}

impl RunStore for FolderStore {
    fn commit<'a>(
        &'a self,
        batch: &'a [Change],
        fences: &'a [Fence],
        durability: Durability,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        let mut writer = self.writer();
        now(writer.commit(&self.path, batch, fences, durability))
    }

    fn claim_run<'a>(&'a self, claim: ClaimRun) -> BoxFuture<'a, Result<RunClaim, StoreError>> {
        let mut writer = self.writer();
        now(claims::claim_run(
            &mut writer,
            &self.path,
            &self.owner,
            claim,
        ))
    }

    fn claim_key<'a>(&'a self, key: Digest) -> BoxFuture<'a, Result<KeyClaim, StoreError>> {
        let mut writer = self.writer();
        now(claims::claim_key(
            &mut writer,
            &self.path,
            &self.owner,
            &key,
        ))
    }

    fn release_key<'a>(
        &'a self,
        key: Digest,
        epoch: Epoch,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        let mut writer = self.writer();
        now(claims::release_key(
            &mut writer,
            &self.path,
            &self.owner,
            &key,
            epoch,
        ))
    }

    fn cached<'a>(&'a self, key: Digest) -> BoxFuture<'a, Result<Option<CacheRow>, StoreError>> {
        now(self.read("a look into the cache", |connection| {
            read::cached(connection, &key)
        }))
    }

    fn cached_by_task<'a>(
        &'a self,
        task_id: &'a str,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<CacheRow>, StoreError>> {
        now(self.read("a look into the cache", |connection| {
            read::cached_by_task(connection, task_id, limit)
        }))
    }

    fn cache_entries<'a>(&'a self) -> BoxFuture<'a, Result<Vec<CacheRow>, StoreError>> {
        now(self.read("listing the cache", read::cache_entries))
    }

    fn flow_run<'a>(
        &'a self,
        id: FlowRunId,
    ) -> BoxFuture<'a, Result<Option<FlowRunRow>, StoreError>> {
        now(self.read("reading a flow run", |connection| {
            read::flow_run(connection, id)
        }))
    }

    fn flow_runs<'a>(
        &'a self,
        filter: FlowRunFilter,
    ) -> BoxFuture<'a, Result<Vec<FlowRunRow>, StoreError>> {
        now(self.read("listing flow runs", |connection| {
            read::flow_runs(connection, &filter)
        }))
    }

    fn task_runs<'a>(
        &'a self,
        run: FlowRunId,
    ) -> BoxFuture<'a, Result<Vec<TaskRunRow>, StoreError>> {
        now(self.read("reading task runs", |connection| {
            Ok(read::changes_since(connection, run, 0)?.0.into_rows())
        }))
    }

    fn recorded_task_runs<'a>(
        &'a self,
        run: FlowRunId,
    ) -> BoxFuture<'a, Result<RecordedTaskRuns, StoreError>> {
        now(self.read("reading task runs", |connection| {
            Ok(read::changes_since(connection, run, 0)?.0)
        }))
    }

    fn changes_since<'a>(
        &'a self,
        run: FlowRunId,
        seq: u64,
    ) -> BoxFuture<'a, Result<(Vec<TaskRunRow>, u64), StoreError>> {
        now(self.read("reading task runs", |connection| {
            let (changed, last) = read::changes_since(connection, run, seq)?;
            Ok((changed.into_rows(), last))
        }))
    }

    fn find_task_runs<'a>(
        &'a self,
        filter: TaskRunFilter,
    ) -> BoxFuture<'a, Result<Vec<FoundTaskRun>, StoreError>> {
        now(self.read("looking for task runs", |connection| {
            read::find_task_runs(connection, &filter)
        }))
    }

    fn attempts<'a>(
        &'a self,
        run: FlowRunId,
    ) -> BoxFuture<'a, Result<Vec<AttemptRow>, StoreError>> {
        now(self.read("reading attempts", |connection| {
            read::attempts(connection, run)
        }))
    }

    fn steps<'a>(&'a self, run: FlowRunId) -> BoxFuture<'a, Result<Vec<StepRow>, StoreError>> {
        now(self.read("reading steps", |connection| read::steps(connection, run)))
    }

    fn logged<'a>(&'a self, run: FlowRunId) -> BoxFuture<'a, Result<LoggedRows, StoreError>> {
        now(self.read("reading what was logged", |connection| {
            logged::logged(connection, run)
        }))
    }

    fn undelivered<'a>(
        &'a self,
        filter: NoticeFilter,
    ) -> BoxFuture<'a, Result<Vec<NoticeRow>, StoreError>> {
        now(self.read("reading notices", |connection| {
            outbox::undelivered(connection, &filter)
        }))
    }

    fn pin<'a>(&'a self, run: FlowRunId, is_pinned: bool) -> BoxFuture<'a, Result<(), StoreError>> {
        let writer = self.writer();
        now(write::pin_run(&writer.connection, run, is_pinned)
            .map_err(|error| error.of_store(&self.path, "pinning a flow run")))
    }

    fn pin_key<'a>(
        &'a self,
        key: Digest,
        is_pinned: bool,
    ) -> BoxFuture<'a, Result<bool, StoreError>> {
        let writer = self.writer();
        now(write::pin_key(&writer.connection, &key, is_pinned)
            .map_err(|error| error.of_store(&self.path, "pinning a cache entry")))
    }

    fn is_gone(&self, owner: OwnerId) -> bool {
        !self.owner.is_alive(owner)
    }

    fn maintenance(&self) -> Option<&dyn MaintainRuns> {
        Some(self)
    }
}

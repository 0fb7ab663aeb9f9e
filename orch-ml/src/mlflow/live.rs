//! Flow runs live to a tracking server of MLflow: what they log goes into a bounded queue, from which one
//! thread sends it on. No flow run waits for it, or fails because of it.

mod client;
mod uploader;

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use orch_core::{FlowRunId, LogEvent, LogEventKind, LogSink, State};

use self::client::Client;
use self::uploader::Uploader;
use super::naming;

/// How an upload is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MlflowOptions {
    /// How many params, points, tags and artifacts may wait to be sent; further ones are dropped.
    /// Default: 100,000.
    pub max_waiting: usize,
    /// How many bytes of artifacts may wait to be sent. Default: 64 MiB.
    pub max_waiting_bytes: usize,
    /// How long a request may take. Default: 10 seconds.
    pub timeout: Duration,
}

impl Default for MlflowOptions {
    fn default() -> Self {
        Self {
            max_waiting: 100_000,
            max_waiting_bytes: 64 * 1024 * 1024,
            timeout: Duration::from_secs(10),
        }
    }
}

/// Why nothing is sent to a server.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MlflowError {
    /// The address is none that can be sent to.
    #[error("`{address}` is no address of a tracking server: expected `http://host:port`")]
    InvalidAddress {
        /// The address.
        address: String,
    },
    /// The thread cannot be started.
    #[error("the thread that sends to the tracking server cannot be started")]
    Thread {
        /// Why not.
        #[from]
        source: std::io::Error,
    },
}

/// What became of what was logged.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct MlflowUploadReport {
    /// Runs that the server has.
    pub runs: u64,
    /// Params, points, tags and artifacts that it has.
    pub sent: u64,
    /// Those that found no room in the queue.
    pub dropped: u64,
    /// Those that it did not take, or that could not be sent.
    pub failed: u64,
    /// Those that still wait.
    pub waiting: u64,
    /// The last thing that went wrong.
    pub last_error: Option<String>,
}

/// Sends what flow runs log to a tracking server of MLflow, as they log it.
///
/// A flow run that is resumed is a further run there. Points that an attempt logged before it failed
/// stay; a param that a later attempt changes keeps its first value, since MLflow changes none, and
/// counts as failed. What cached results logged before is not sent again.
///
/// Requests are plain HTTP: a server behind TLS is reached through a proxy on this host.
///
/// ```no_run
/// # async fn example() -> anyhow::Result<()> {
/// use std::time::Duration;
///
/// use orch_core::Engine;
/// use orch_ml::{MlflowOptions, MlflowUpload};
///
/// let upload = MlflowUpload::start("http://127.0.0.1:5000", MlflowOptions::default())?;
/// let engine = Engine::builder().log_sink(upload.sink()).build();
/// // .. run flows on it ..
/// let report = upload.finish(Duration::from_secs(30));
/// println!("{} sent, {} dropped, {} failed", report.sent, report.dropped, report.failed);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct MlflowUpload {
    queue: Arc<Queue>,
}

impl MlflowUpload {
    /// Starts to send to a server, which need not be there yet.
    ///
    /// # Errors
    /// [`MlflowError`].
    pub fn start(address: &str, options: MlflowOptions) -> Result<Self, MlflowError> {
        let host = address.strip_prefix("http://").unwrap_or_default();
        if host.is_empty() || host.contains(char::is_whitespace) {
            let address = address.to_owned();
            return Err(MlflowError::InvalidAddress { address });
        }
        let client = Client::new(address.trim_end_matches('/'), options.timeout);
        let queue = Arc::new(Queue {
            options,
            state: Mutex::default(),
            changed: Condvar::new(),
        });
        let theirs = Arc::clone(&queue);
        let thread = std::thread::Builder::new().name("orch-mlflow".to_owned());
        // It ends when it has sent what there is after `finish`, or after the upload is dropped.
        drop(thread.spawn(move || Uploader::new(client).run(&theirs))?);
        Ok(Self { queue })
    }

    /// Returns what an engine is to tell: `Engine::builder().log_sink(upload.sink())`.
    pub fn sink(&self) -> Arc<dyn LogSink> {
        Arc::clone(&self.queue) as Arc<dyn LogSink>
    }

    /// Returns what became of what was logged so far.
    pub fn report(&self) -> MlflowUploadReport {
        self.queue.lock().counts()
    }

    /// Waits until everything is sent, for so long at most, and returns what became of it.
    pub fn finish(self, patience: Duration) -> MlflowUploadReport {
        let until = Instant::now() + patience;
        let mut state = self.queue.lock();
        state.is_closed = true;
        self.queue.changed.notify_all();
        while !state.is_done {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            let waited = self.queue.changed.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        state.counts()
    }
}

impl Drop for MlflowUpload {
    fn drop(&mut self) {
        self.queue.lock().is_closed = true;
        self.queue.changed.notify_all();
    }
}

/// What waits to be sent.
#[derive(Debug)]
struct Queue {
    options: MlflowOptions,
    state: Mutex<Waiting>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Waiting {
    entries: VecDeque<Entry>,
    bytes: usize,
    /// How many of the entries count as something that was logged.
    n_logged: usize,
    report: MlflowUploadReport,
    is_closed: bool,
    is_done: bool,
}

/// Something that was logged.
#[derive(Debug)]
struct Entry {
    flow_run: FlowRunId,
    /// The task run; `None` for the flow body.
    task_run: Option<(u32, String, bool)>,
    at_ms: i64,
    what: What,
}

#[derive(Debug)]
enum What {
    Started {
        flow: String,
        name: String,
        tags: Vec<String>,
        params: Vec<(String, String)>,
    },
    Param(String, String),
    Metric(String, i64, f64),
    Tag(String, String),
    Artifact(String, Content),
    Ended(State),
}

#[derive(Debug)]
enum Content {
    Bytes(Vec<u8>),
    File(PathBuf),
}

impl What {
    fn is_logged(&self) -> bool {
        !matches!(self, Self::Started { .. } | Self::Ended(_))
    }

    fn bytes(&self) -> usize {
        match self {
            Self::Artifact(_, Content::Bytes(bytes)) => bytes.len(),
            _ => 0,
        }
    }

    fn of(kind: &LogEventKind<'_>) -> Option<Self> {
        let owned = |text: &str| text.to_owned();
        Some(match kind {
            LogEventKind::Started {
                flow,
                name,
                tags,
                parameters,
            } => Self::Started {
                flow: owned(flow),
                name: owned(name),
                tags: tags.to_vec(),
                params: parameters
                    .iter()
                    .map(|(name, value)| (name.clone(), naming::shown(value)))
                    .collect(),
            },
            LogEventKind::Param { name, value } => Self::Param(owned(name), naming::shown(value)),
            LogEventKind::Metric { name, step, value } => Self::Metric(owned(name), *step, *value),
            LogEventKind::Tag { name, value } => Self::Tag(owned(name), owned(value)),
            LogEventKind::Artifact { name, bytes, file } => {
                let content = match (bytes, file) {
                    (Some(bytes), _) => Content::Bytes(bytes.to_vec()),
                    (None, Some(file)) => Content::File(file.to_path_buf()),
                    (None, None) => return None,
                };
                Self::Artifact(owned(name), content)
            }
            LogEventKind::Ended { state } => Self::Ended(*state),
            _ => return None,
        })
    }
}

impl LogSink for Queue {
    fn take(&self, event: &LogEvent<'_>) {
        let bytes = match &event.kind {
            LogEventKind::Artifact {
                bytes: Some(bytes), ..
            } => bytes.len(),
            _ => 0,
        };
        let is_marker = matches!(
            event.kind,
            LogEventKind::Started { .. } | LogEventKind::Ended { .. }
        );
        let mut state = self.lock();
        // Starts and ends are few, and nothing makes sense without them.
        let has_room = state.n_logged < self.options.max_waiting
            && state.bytes + bytes <= self.options.max_waiting_bytes;
        if state.is_closed || !(has_room || is_marker) {
            state.report.dropped += u64::from(!is_marker);
            return;
        }
        let Some(what) = What::of(&event.kind) else {
            return;
        };
        let was_empty = state.entries.is_empty();
        state.bytes += bytes;
        state.n_logged += usize::from(!is_marker);
        state.entries.push_back(Entry {
            flow_run: event.flow_run,
            task_run: event
                .task_run
                .map(|task_run| (task_run.index, task_run.name.to_owned(), task_run.is_item)),
            at_ms: event.at.0.div_euclid(1_000_000),
            what,
        });
        drop(state);
        if was_empty {
            self.changed.notify_all();
        }
    }
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        // Plain data, and no code of the user's runs under it.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for something to send and takes some of it; `None` once there is nothing left and
    /// nothing will come.
    fn next(&self, at_most: usize) -> Option<Vec<Entry>> {
        let mut state = self.lock();
        while state.entries.is_empty() {
            if state.is_closed {
                return None;
            }
            let waited = self.changed.wait(state);
            state = waited.unwrap_or_else(PoisonError::into_inner);
        }
        let n = state.entries.len().min(at_most);
        let entries: Vec<Entry> = state.entries.drain(..n).collect();
        for entry in &entries {
            state.bytes -= entry.what.bytes();
            state.n_logged -= usize::from(entry.what.is_logged());
        }
        Some(entries)
    }

    /// Notes what became of some of it.
    fn note(&self, change: impl FnOnce(&mut MlflowUploadReport)) {
        change(&mut self.lock().report);
    }

    fn end(&self) {
        self.lock().is_done = true;
        self.changed.notify_all();
    }
}

impl Waiting {
    fn counts(&self) -> MlflowUploadReport {
        MlflowUploadReport {
            waiting: self.n_logged as u64,
            ..self.report.clone()
        }
    }
}

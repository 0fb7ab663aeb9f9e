//! What the rows of a store hold.

use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use crate::error::RecordedError;
use crate::hook::Notice;
use crate::id::FlowRunId;
use crate::report::{EdgeKind, NodeKind};
use crate::state::State;
use crate::value::{Digest, Stored};

/// A moment: nanoseconds since 1970-01-01 UTC.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Default,
)]
#[serde(transparent)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// Returns the present moment by the system's clock.
    pub fn now() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        Self(since.map_or(0, |since| since.as_nanos() as i64))
    }
}

/// As RFC 3339 has it, in UTC and to the millisecond: `2026-02-28T09:30:00.125Z`.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = self.0.div_euclid(1_000_000);
        let (seconds, millis) = (millis.div_euclid(1_000), millis.rem_euclid(1_000));
        let (days, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
        let (year, month, day) = date_of(days);
        let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
        write!(
            f,
            "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z"
        )
    }
}

/// The date of a number of days since 1970-01-01.
///
/// Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", `civil_from_days`: years begin in
/// March there, so that the leap day is the last of its year.
fn date_of(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 {
        shifted + 3
    } else {
        shifted - 9
    };
    (year + era * 400 + i64::from(month <= 2), month, day)
}

/// Names a call within its flow run, the same whenever the flow is run again.
///
/// A hash of what the call was submitted under, its task, its arguments and its ordinal among
/// equal calls.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Default)]
#[serde(transparent)]
pub struct CallId(pub [u8; 16]);

impl CallId {
    /// What the flow body itself is, as the scope of its calls.
    pub const ROOT: Self = Self([0; 16]);
    /// The cleanups of a flow run, as the scope of their calls.
    pub const CLEANUP: Self = Self([0xff; 16]);
}

impl fmt::Display for CallId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl FromStr for CallId {
    type Err = InvalidCallId;

    fn from_str(text: &str) -> Result<Self, InvalidCallId> {
        let invalid = || InvalidCallId(text.to_owned());
        if text.len() != 32 || !text.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return Err(invalid());
        }
        let bits = u128::from_str_radix(text, 16).map_err(|_| invalid())?;
        Ok(Self(bits.to_be_bytes()))
    }
}

/// A text that is no call id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no call id: expected 32 hexadecimal digits")]
pub struct InvalidCallId(String);

impl fmt::Debug for CallId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CallId({self})")
    }
}

/// An engine that holds an exclusive lock for its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct OwnerId(pub u128);

impl fmt::Display for OwnerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// Counts the owners of a run or of a claim; a higher one has taken over from a lower one.
pub type Epoch = u64;

/// What a write needs to be allowed: the run is still owned by this engine, in this epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fence {
    /// The flow run.
    pub run: FlowRunId,
    /// Its owner.
    pub owner: OwnerId,
    /// The epoch of the ownership.
    pub epoch: Epoch,
}

/// A stored value: what identifies it, and where its bytes are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredValue {
    /// Its digest, format, shape and length.
    pub stored: Stored,
    /// Where its bytes are.
    pub place: Place,
}

/// Where the bytes of a stored value are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// In the row itself.
    Inline(Arc<[u8]>),
    /// In the blob store, under the digest.
    Blob,
}

/// A flow run.
#[derive(Debug, Clone, PartialEq)]
pub struct FlowRunRow {
    /// Its id.
    pub id: FlowRunId,
    /// The flow's name.
    pub flow: String,
    /// Its own name.
    pub name: String,
    /// The key it was started with, unique within the flow.
    pub key: Option<String>,
    /// The arguments of the call; `None` if one of them cannot be stored.
    pub parameters: Option<Vec<ParameterRow>>,
    /// Where it stands.
    pub state: State,
    /// Why it did not complete.
    pub error: Option<RecordedError>,
    /// What it returned, if that can be stored.
    pub result: Option<StoredValue>,
    /// The seed of everything random in it.
    pub seed: u64,
    /// When it was first started.
    pub started_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// The task run that called it, for a subflow.
    pub caller: Option<(FlowRunId, CallId)>,
    /// The flow run it was made from.
    pub origin: Option<RunOrigin>,
    /// Its tags.
    pub tags: Vec<String>,
    /// What it ran with: versions, features, threads; free of secrets. A JSON object.
    pub manifest: serde_json::Value,
    /// The hash of the flow function's tokens.
    pub fingerprint: Digest,
    /// How often it was taken on after the first time.
    pub resumptions: u32,
    /// Whether it has failed and undoes what completed. `error` says why.
    pub is_rolling_back: bool,
    /// Whether retention leaves it alone.
    pub is_pinned: bool,
    /// Who owns it and in which epoch; `None` once it was given up.
    pub owner: Option<(OwnerId, Epoch)>,
}

/// Where a flow run came from, if not from a call of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunOrigin {
    /// The same once more, from these task runs on.
    Rerun {
        /// The flow run.
        of: FlowRunId,
        /// The names of the tasks that ran anew.
        from: Vec<String>,
    },
    /// The same with other parameters or code.
    Fork {
        /// The flow run.
        of: FlowRunId,
    },
}

/// An argument of a flow.
#[derive(Debug, Clone, PartialEq)]
pub struct ParameterRow {
    /// The parameter's name.
    pub name: String,
    /// The stored argument.
    pub value: StoredValue,
    /// The argument for people, where it can be shown.
    pub shown: serde_json::Value,
}

/// A task, as a run used it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TaskRow {
    /// Its id: the `id` option, or package and path of its function.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The hash of its function's tokens.
    pub fingerprint: Digest,
    /// The `version` option.
    pub version: Option<String>,
    /// File and line.
    pub source: String,
}

/// How a task run came to its result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResultOrigin {
    /// Its body returned it.
    Executed,
    /// The cache had it from this call.
    Cached {
        /// The flow run that executed it.
        run: FlowRunId,
        /// The call that did.
        call: CallId,
    },
}

/// A task run.
#[derive(Debug, Clone, PartialEq)]
pub struct TaskRunRow {
    /// Names the call.
    pub call: CallId,
    /// What it was submitted under: another call, or [`CallId::ROOT`].
    pub scope: CallId,
    /// Its position in the order of submission, the last time the flow ran.
    pub index: u32,
    /// Its task.
    pub task: Arc<TaskRow>,
    /// What kind of node it is.
    pub kind: NodeKind,
    /// Its name, if that is not the task's.
    pub name: Option<String>,
    /// Where it stands.
    pub state: State,
    /// Attempts started.
    pub attempts: u32,
    /// How often its process was gone while it ran.
    pub crashes: u32,
    /// When its inputs were there.
    pub ready_at: Option<Timestamp>,
    /// When its first attempt started.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// Why it did not complete.
    pub error: Option<RecordedError>,
    /// What it returned, if that can be stored.
    pub result: Option<StoredValue>,
    /// How it came to that.
    pub origin: ResultOrigin,
    /// Its cache key and what that is made of.
    pub key: Option<KeyRow>,
    /// The calls it depends on.
    pub upstream: Vec<(CallId, EdgeKind)>,
    /// Whether its arguments are all in its call id, so that a resumed run may hand its result
    /// back.
    pub is_complete: bool,
    /// A hash of what its inputs were when it started: the digest or the execution of each
    /// upstream result, the contents of files. A result is handed back only for the same inputs.
    pub inputs: [u8; 16],
    /// A number that says which execution this result is of: a dependent that saw another one is
    /// not handed back.
    pub execution: u64,
    /// Whether an earlier execution of the flow made it and the last one did not call it.
    pub is_orphaned: bool,
}

/// An attempt that failed, or that was not the first.
#[derive(Debug, Clone, PartialEq)]
pub struct AttemptRow {
    /// The task run.
    pub call: CallId,
    /// The attempt, from 1.
    pub attempt: u32,
    /// When it started.
    pub started_at: Timestamp,
    /// When it ended.
    pub ended_at: Timestamp,
    /// How it failed; `None` if it did not.
    pub error: Option<RecordedError>,
}

/// A cache key and what it is made of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyRow {
    /// The key.
    pub digest: Digest,
    /// Its parts, in order; the first ones are the task's id, fingerprint and version.
    pub parts: Vec<KeyPartRow>,
}

/// A part of a cache key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyPartRow {
    /// `task`, `code`, `version`, `scope`, `seed`, or the name of a parameter.
    pub name: String,
    /// What the part contributes.
    pub digest: Digest,
    /// A digest that does not depend on the order of a sequence's elements, where there is one.
    pub unordered: Option<Digest>,
    /// The value for people, where it is short.
    pub shown: Option<String>,
}

/// A cached result.
#[derive(Debug, Clone, PartialEq)]
pub struct CacheRow {
    /// The key and its parts.
    pub key: KeyRow,
    /// The task's id.
    pub task_id: String,
    /// The task's name.
    pub task: String,
    /// The result.
    pub value: StoredValue,
    /// The call that executed it.
    pub made_by: (FlowRunId, CallId),
    /// When.
    pub made_at: Timestamp,
    /// How long the execution took, in nanoseconds.
    pub took: u64,
    /// When it was last used.
    pub used_at: Timestamp,
    /// Whether it is kept whatever the budget says.
    pub is_pinned: bool,
}

/// A remembered step of a task or a flow body, or a checkpoint.
#[derive(Debug, Clone, PartialEq)]
pub struct StepRow {
    /// The task run, or [`CallId::ROOT`] for the flow body.
    pub call: CallId,
    /// What it is called there: unique within the call.
    pub name: String,
    /// The value.
    pub value: StoredValue,
    /// When it was made.
    pub made_at: Timestamp,
}

/// A notice for a durable hook, and how its delivery stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoticeRow {
    /// What the hook is told.
    pub notice: Notice,
    /// How often that has failed.
    pub failures: u32,
    /// How it failed the last time.
    pub last_error: Option<String>,
    /// When it is to be tried next.
    pub due_at: Timestamp,
}

/// Which undelivered notices to list.
#[derive(Debug, Clone, Default)]
pub struct NoticeFilter {
    /// Only those for the hook of this name.
    pub hook: Option<String>,
    /// At most this many; 0 for all.
    pub limit: usize,
}

impl NoticeFilter {
    pub(super) fn limit(&self) -> usize {
        match self.limit {
            0 => usize::MAX,
            limit => limit,
        }
    }
}

/// A request to start a flow run.
#[derive(Debug, Clone)]
pub struct ClaimRun {
    /// The row to insert if there is no run to go on with.
    pub row: FlowRunRow,
    /// Go on with this run, whatever its key, rather than insert one.
    pub resume: Option<FlowRunId>,
    /// Whether a cancelled run may be gone on with; with `resume` it always may.
    pub revive_cancelled: bool,
}

/// What became of a request to start a flow run.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum RunClaim {
    /// It is new and this engine's.
    Started(Fence),
    /// It was there, failed, crashed, or its owner was gone: it is this engine's now.
    TakenOver {
        /// The right to write to it.
        fence: Fence,
        /// The run as it was found.
        row: Box<FlowRunRow>,
    },
    /// It completed.
    Completed(Box<FlowRunRow>),
    /// It was cancelled.
    Cancelled(Box<FlowRunRow>),
    /// This engine runs it at the moment.
    RunningHere(FlowRunId),
    /// Another engine runs it at the moment.
    RunningElsewhere {
        /// The run.
        run: FlowRunId,
        /// Its owner.
        owner: OwnerId,
    },
    /// The key was used with other parameters.
    KeyReused {
        /// The run that has the key.
        row: Box<FlowRunRow>,
        /// The names of the parameters that differ.
        parameters: Vec<String>,
    },
    /// There is no run of this id.
    Unknown(FlowRunId),
}

/// What became of a claim on a cache key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyClaim {
    /// This engine executes.
    Claimed(Epoch),
    /// Another engine executes at the moment.
    HeldBy(OwnerId),
}

/// Which flow runs to list.
#[derive(Debug, Clone, Default)]
pub struct FlowRunFilter {
    /// Only runs of this flow.
    pub flow: Option<String>,
    /// Only the run with this key.
    pub key: Option<String>,
    /// Only runs in one of these states; empty for all.
    pub states: Vec<State>,
    /// Only the subflows of this run.
    pub caller: Option<FlowRunId>,
    /// Only runs whose id or name begins like this.
    pub prefix: Option<String>,
    /// At most this many; 0 for all.
    pub limit: usize,
}

/// Which task runs to look for, among those of all flow runs.
#[derive(Debug, Clone, Default)]
pub struct TaskRunFilter {
    /// Only those with a result of such a digest.
    pub results: Option<RangeInclusive<Digest>>,
    /// Only those that took their result from a task run of one of these flow runs; empty for all.
    pub from: Vec<FlowRunId>,
}

impl TaskRunFilter {
    pub(super) fn matches(&self, row: &TaskRunRow) -> bool {
        let digest = row.result.as_ref().map(|value| value.stored.digest);
        let has_result = match &self.results {
            Some(results) => digest.is_some_and(|digest| results.contains(&digest)),
            None => true,
        };
        let is_from = match row.origin {
            ResultOrigin::Cached { run, .. } => self.from.contains(&run),
            ResultOrigin::Executed => false,
        };
        has_result && (self.from.is_empty() || is_from)
    }
}

/// A task run that was looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FoundTaskRun {
    /// Its flow run.
    pub run: FlowRunId,
    /// Its call.
    pub call: CallId,
    /// The digest of its result, if that is stored.
    pub result: Option<Digest>,
    /// How it came to that.
    pub origin: ResultOrigin,
}

impl FoundTaskRun {
    pub(super) fn of(run: FlowRunId, row: &TaskRunRow) -> Self {
        Self {
            run,
            call: row.call,
            result: row.result.as_ref().map(|value| value.stored.digest),
            origin: row.origin,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Timestamp;

    #[test]
    fn moments_are_written_as_rfc_3339_has_it() {
        // `date -u -d @<seconds> +%FT%TZ` of GNU coreutils.
        for (seconds, expected) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_399, "2000-02-28T23:59:59.000Z"),
            (951_868_800, "2000-03-01T00:00:00.000Z"),
            (1_709_210_096, "2024-02-29T12:34:56.000Z"),
            (4_107_542_400, "2100-03-01T00:00:00.000Z"),
            (-1, "1969-12-31T23:59:59.000Z"),
        ] {
            assert_eq!(Timestamp(seconds * 1_000_000_000).to_string(), expected);
        }
        let last = Timestamp(1_709_210_096_999_999_999);
        assert_eq!(last.to_string(), "2024-02-29T12:34:56.999Z");
    }
}

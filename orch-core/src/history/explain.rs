//! Why a task run ran, or did not.

use std::fmt;

use super::RecordedRun;
use crate::definition::CacheOption;
use crate::engine::Engine;
use crate::error::RecordedError;
use crate::id::FlowRunId;
use crate::recorder::EngineStore;
use crate::register;
use crate::report::human;
use crate::state::State;
use crate::store::{
    CallId, FlowRunFilter, KeyPartRow, KeyRow, ResultOrigin, RunOrigin, StoreError, TaskRunRow,
    Timestamp,
};
use crate::value::digest_of_text;

/// How many cache entries and how many flow runs are looked at for the nearest earlier key.
pub(super) const LOOKED_AT: usize = 100;

/// How many task runs are read at least before earlier flow runs are left alone: an answer within a
/// second is worth more than one that goes back further.
const ROWS_READ: usize = 100_000;

/// Why a task run ran, or did not. [`Display`](fmt::Display) writes it in a few lines.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Explanation {
    /// The flow run.
    pub flow_run: FlowRunId,
    /// The call.
    pub call: CallId,
    /// The name of the task run.
    pub name: String,
    /// The name of its task.
    pub task: String,
    /// Where it stands.
    pub state: State,
    /// Why.
    pub why: Why,
}

/// Why a task run stands where it stands.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Why {
    /// It has not ended.
    UnderWay,
    /// Its body ran, because of this.
    Executed(Cause),
    /// The cache had its result.
    Cached(Execution),
    /// Its result was handed back from the flow run that this one was made from.
    Reused(Execution),
    /// Its body ran, because of this, and failed.
    Failed {
        /// Why it ran.
        cause: Cause,
        /// How it failed.
        error: Option<RecordedError>,
        /// The attempts that it had.
        attempts: u32,
    },
    /// It was stopped.
    Cancelled {
        /// By what.
        error: Option<RecordedError>,
    },
    /// It never started, because something upstream did not complete.
    Skipped {
        /// The upstream task runs that did not complete, with their states.
        upstream: Vec<(String, State)>,
    },
}

/// An execution that left a result.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Execution {
    /// The flow run.
    pub flow_run: FlowRunId,
    /// Its name, if it is still recorded.
    pub name: Option<String>,
    /// The call.
    pub call: CallId,
    /// When it ended, if that is known.
    pub at: Option<Timestamp>,
}

/// Why a body ran, where its result could have come from somewhere else.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Cause {
    /// The flow run was made from another one, which had nothing to hand back.
    NotHandedBack {
        /// The other flow run.
        from: FlowRunId,
        /// Why it had nothing.
        because: NotHandedBack,
    },
    /// Its task is not cached.
    NotCached,
    /// Its task is cached, but an argument has no digest, so that there is no key.
    NoKey,
    /// No earlier run of its task left a key.
    NoEarlier,
    /// Its key differs from that of the nearest earlier run of its task.
    Changed {
        /// The earlier run.
        since: Execution,
        /// What differs.
        changes: Vec<KeyChange>,
    },
    /// An earlier run had the same key: the task was to be refreshed, or the result was too old, not
    /// storable or lost.
    SameKey {
        /// The earlier run.
        since: Execution,
    },
}

/// Why a result of the flow run that another one was made from was not handed back.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum NotHandedBack {
    /// The task was named as one to run again.
    Named,
    /// That flow run made no call with these arguments.
    NoSuchCall,
    /// The call did not complete there.
    NotCompleted(State),
    /// The function's code is another one.
    Code,
    /// The `version` option is another one.
    Version,
    /// Upstream results are others; these task runs were not handed back themselves.
    Inputs(Vec<String>),
    /// Its result could not be stored, or was not to be.
    NotStored,
    /// An argument cannot be told from others.
    NotComplete,
}

/// A part of a cache key that differs.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct KeyChange {
    /// The name of the part: `code`, `version`, `scope`, or that of a parameter.
    pub part: String,
    /// What kind of change it is.
    pub kind: KeyChangeKind,
    /// What it was, where it can be shown.
    pub before: Option<String>,
    /// What it is, where it can be shown.
    pub now: Option<String>,
}

/// How a part of a cache key differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyChangeKind {
    /// The function's code, or that of a function it names with `uses`.
    Code,
    /// The `version` option.
    Version,
    /// A parameter has another value.
    Value,
    /// A parameter has the same elements in another order.
    Order,
    /// A parameter that was not there before.
    Added,
    /// A parameter that is not there any more.
    Removed,
}

/// Why there is no explanation.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExplainError {
    /// There is no record of the flow run.
    #[error("there is no flow run {run}")]
    UnknownRun {
        /// Its id.
        run: FlowRunId,
    },
    /// The flow run has no such task run.
    #[error("flow run `{run}` has no task run `{task}` (it has: {})", known.join(", "))]
    UnknownTask {
        /// The flow run's name.
        run: String,
        /// What was looked for.
        task: String,
        /// The tasks it has runs of.
        known: Vec<String>,
    },
    /// The store cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Engine {
    /// Explains each run of a task within a recorded flow run. `task` is the name of a task or of a
    /// task run, or the beginning of a call id.
    ///
    /// # Errors
    /// [`ExplainError`] if there is no such flow run or task run.
    pub fn explain(&self, run: FlowRunId, task: &str) -> Result<Vec<Explanation>, ExplainError> {
        let (Some(store), Some(recorded)) = (&self.0.store, self.recorded_run(run)?) else {
            return Err(ExplainError::UnknownRun { run });
        };
        let rows = recorded.find(task)?;
        let explainer = Explainer {
            store,
            run: &recorded,
            origin: match &recorded.row.origin {
                Some(RunOrigin::Rerun { of, .. } | RunOrigin::Fork { of }) => {
                    Some((*of, store.task_runs(*of)?))
                }
                None => None,
            },
        };
        let explanations = rows.into_iter().map(|row| explainer.explain(row));
        Ok(explanations.collect::<Result<_, StoreError>>()?)
    }
}

pub(super) struct Explainer<'a> {
    pub(super) store: &'a EngineStore,
    pub(super) run: &'a RecordedRun,
    /// The flow run that this one was made from, and its task runs.
    pub(super) origin: Option<(FlowRunId, Vec<TaskRunRow>)>,
}

impl Explainer<'_> {
    fn explain(&self, row: &TaskRunRow) -> Result<Explanation, StoreError> {
        let why = match row.state {
            State::Cached => Why::Cached(self.source(row)?),
            State::Reused => Why::Reused(self.source(row)?),
            State::Completed | State::RolledBack => Why::Executed(self.cause(row)?),
            State::Skipped => Why::Skipped {
                upstream: self.run.missing_upstream(row),
            },
            State::Cancelled => Why::Cancelled {
                error: row.error.clone(),
            },
            state if state.is_failure() => Why::Failed {
                cause: self.cause(row)?,
                error: row.error.clone(),
                attempts: row.attempts,
            },
            _ => Why::UnderWay,
        };
        Ok(Explanation {
            flow_run: self.run.row.id,
            call: row.call,
            name: row.shown_name().to_owned(),
            task: row.task.name.clone(),
            state: row.state,
            why,
        })
    }

    /// Where a result came from that no body returned.
    fn source(&self, row: &TaskRunRow) -> Result<Execution, StoreError> {
        let (run, call) = match row.origin {
            ResultOrigin::Cached { run, call } => (run, call),
            ResultOrigin::Executed => (self.run.row.id, row.call),
        };
        self.execution(run, call, None)
    }

    fn execution(
        &self,
        run: FlowRunId,
        call: CallId,
        at: Option<Timestamp>,
    ) -> Result<Execution, StoreError> {
        let name = self.store.flow_run(run)?.map(|row| row.name);
        let at = match at {
            Some(at) => Some(at),
            None => {
                let rows = self.store.task_runs(run)?;
                let row = rows.iter().find(|row| row.call == call);
                row.and_then(|row| row.ended_at)
            }
        };
        Ok(Execution {
            flow_run: run,
            name,
            call,
            at,
        })
    }

    /// Why a task run has to be executed.
    pub(super) fn cause(&self, row: &TaskRunRow) -> Result<Cause, StoreError> {
        if let Some(RunOrigin::Rerun { of, from }) = &self.run.row.origin
            && from.contains(&row.task.name)
        {
            return Ok(Cause::NotHandedBack {
                from: *of,
                because: NotHandedBack::Named,
            });
        }
        let Some(key) = &row.key else {
            if is_cached(&row.task.id) {
                return Ok(Cause::NoKey);
            }
            if let Some((from, rows)) = &self.origin {
                let because = self.not_handed_back(row, rows);
                return Ok(Cause::NotHandedBack {
                    from: *from,
                    because,
                });
            }
            return Ok(Cause::NotCached);
        };
        let Some((since, nearest)) = self.nearest(row, key)? else {
            return Ok(Cause::NoEarlier);
        };
        let changes = changes(&nearest, key);
        Ok(if changes.is_empty() {
            Cause::SameKey { since }
        } else {
            Cause::Changed { since, changes }
        })
    }

    /// Returns the key that differs least from a task run's own among those of earlier flow runs;
    /// the latest of several.
    fn nearest(
        &self,
        row: &TaskRunRow,
        key: &KeyRow,
    ) -> Result<Option<(Execution, KeyRow)>, StoreError> {
        let run = &self.run.row;
        let before = row.started_at.unwrap_or(run.started_at);
        let mut candidates: Vec<(FlowRunId, CallId, Timestamp, KeyRow)> = Vec::new();
        for entry in self.store.cached_by_task(&row.task.id, LOOKED_AT)? {
            let (by, call) = entry.made_by;
            if by != run.id && entry.made_at < before {
                candidates.push((by, call, entry.made_at, entry.key));
            }
        }
        // The cache forgets, and keeps one execution per key.
        let of_flow = FlowRunFilter {
            flow: Some(run.flow.clone()),
            limit: LOOKED_AT,
            ..FlowRunFilter::default()
        };
        let mut rows_read = 0;
        for earlier in self.store.flow_runs(of_flow)? {
            if rows_read >= ROWS_READ {
                break;
            }
            if earlier.id == run.id || earlier.started_at >= run.started_at {
                continue;
            }
            let theirs = self.store.task_runs(earlier.id)?;
            rows_read += theirs.len();
            for theirs in theirs {
                let is_of_task = theirs.task.id == row.task.id;
                if let (true, Some(ended), Some(key)) = (is_of_task, theirs.ended_at, theirs.key) {
                    candidates.push((earlier.id, theirs.call, ended, key));
                }
            }
        }
        let nearest = candidates.into_iter().min_by_key(|(_, call, at, theirs)| {
            let distance = changes(theirs, key).len();
            (distance, *call != row.call, std::cmp::Reverse(*at))
        });
        let Some((by, call, at, theirs)) = nearest else {
            return Ok(None);
        };
        Ok(Some((self.execution(by, call, Some(at))?, theirs)))
    }

    fn not_handed_back(&self, row: &TaskRunRow, theirs: &[TaskRunRow]) -> NotHandedBack {
        if !row.is_complete {
            return NotHandedBack::NotComplete;
        }
        let Some(their) = theirs.iter().find(|their| their.call == row.call) else {
            return NotHandedBack::NoSuchCall;
        };
        if !their.state.is_success() {
            return NotHandedBack::NotCompleted(their.state);
        }
        if their.task.fingerprint != row.task.fingerprint {
            return NotHandedBack::Code;
        }
        if their.task.version != row.task.version {
            return NotHandedBack::Version;
        }
        if their.result.is_none() {
            return NotHandedBack::NotStored;
        }
        let upstream = row.upstream.iter().filter_map(|(call, _)| {
            let upstream = self.run.task_runs.iter().find(|row| row.call == *call)?;
            (upstream.state != State::Reused).then(|| upstream.shown_name().to_owned())
        });
        NotHandedBack::Inputs(upstream.collect())
    }
}

/// A flow run has no task run that a person could mean by a name.
pub(super) struct UnknownTask {
    pub(super) run: String,
    pub(super) task: String,
    pub(super) known: Vec<String>,
}

impl From<UnknownTask> for ExplainError {
    fn from(unknown: UnknownTask) -> Self {
        let UnknownTask { run, task, known } = unknown;
        Self::UnknownTask { run, task, known }
    }
}

impl RecordedRun {
    /// The task runs that a person means by a name: one at least.
    pub(super) fn find(&self, name: &str) -> Result<Vec<&TaskRunRow>, UnknownTask> {
        let rows = self.named(name);
        if !rows.is_empty() {
            return Ok(rows);
        }
        let task_names = self.task_runs.iter().map(|row| &row.task.name);
        let mut known: Vec<String> = task_names.map(|name| format!("`{name}`")).collect();
        known.sort();
        known.dedup();
        Err(UnknownTask {
            run: self.row.name.clone(),
            task: name.to_owned(),
            known,
        })
    }

    /// The task runs that a person means by a name.
    fn named(&self, name: &str) -> Vec<&TaskRunRow> {
        let by = |is_meant: &dyn Fn(&TaskRunRow) -> bool| -> Vec<&TaskRunRow> {
            self.task_runs.iter().filter(|row| is_meant(row)).collect()
        };
        let named = by(&|row| row.task.name == name || row.name.as_deref() == Some(name));
        if !named.is_empty() || name.is_empty() {
            return named;
        }
        by(&|row| row.call.to_string().starts_with(name))
    }

    fn missing_upstream(&self, row: &TaskRunRow) -> Vec<(String, State)> {
        let upstream = row.upstream.iter().filter_map(|(call, _)| {
            let upstream = self.task_runs.iter().find(|row| row.call == *call)?;
            let state = upstream.state;
            (!state.is_success()).then(|| (upstream.shown_name().to_owned(), state))
        });
        upstream.collect()
    }
}

/// Whether this program's task of that id is cached.
fn is_cached(id: &str) -> bool {
    register::tasks()
        .find(|task| task.id() == id)
        .is_some_and(|task| task.definition().cache != CacheOption::None)
}

/// The part is the task's own, and not a parameter of the same name.
fn is_own(at: usize, part: &KeyPartRow) -> bool {
    match at {
        0 | 1 => true,
        // A text as it is; a parameter that is a text is shown in quotes.
        2 => {
            part.name == "version"
                && part
                    .shown
                    .as_ref()
                    .is_some_and(|shown| digest_of_text(shown) == part.digest)
        }
        _ => false,
    }
}

/// What differs between an earlier key and a later one.
fn changes(before: &KeyRow, now: &KeyRow) -> Vec<KeyChange> {
    let parts = |key: &KeyRow| -> Vec<(bool, KeyPartRow)> {
        let parts = key.parts.iter().enumerate();
        parts
            .map(|(at, part)| (is_own(at, part), part.clone()))
            .collect()
    };
    let (before, now) = (parts(before), parts(now));
    let find = |among: &[(bool, KeyPartRow)], (own, part): &(bool, KeyPartRow)| {
        let found = among
            .iter()
            .find(|(theirs, other)| theirs == own && other.name == part.name);
        found.map(|(_, part)| part.clone())
    };
    let mut changes = Vec::new();
    for wanted in &now {
        let (own, part) = wanted;
        let change = |kind, before| KeyChange {
            part: part.name.clone(),
            kind,
            before,
            now: part.shown.clone(),
        };
        match find(&before, wanted) {
            Some(earlier) if earlier.digest == part.digest => {}
            Some(earlier) => {
                let kind = match part.name.as_str() {
                    "code" if *own => KeyChangeKind::Code,
                    "version" if *own => KeyChangeKind::Version,
                    _ if part.unordered.is_some() && part.unordered == earlier.unordered => {
                        KeyChangeKind::Order
                    }
                    _ => KeyChangeKind::Value,
                };
                changes.push(change(kind, earlier.shown));
            }
            None if *own => changes.push(change(KeyChangeKind::Version, None)),
            None => changes.push(change(KeyChangeKind::Added, None)),
        }
    }
    for gone in &before {
        if find(&now, gone).is_none() {
            let (own, part) = gone;
            changes.push(KeyChange {
                part: part.name.clone(),
                kind: match own {
                    true => KeyChangeKind::Version,
                    false => KeyChangeKind::Removed,
                },
                before: part.shown.clone(),
                now: None,
            });
        }
    }
    changes
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = human::clean(&self.name);
        write!(f, "{} `{name}` ", self.state.mark())?;
        match &self.why {
            Why::UnderWay => write!(f, "is {}", self.state),
            Why::Executed(cause) => write!(f, "was executed: {cause}"),
            Why::Cached(from) => write!(f, "was not executed: the cache had its result, of {from}"),
            Why::Reused(from) => {
                write!(f, "was not executed: its result was handed back by {from}")
            }
            Why::Failed {
                cause,
                error,
                attempts,
            } => {
                let attempts = human::counted(u64::from(*attempts), "attempt");
                write!(f, "is {} after {attempts}", self.state)?;
                if let Some(error) = error {
                    write!(f, ": {}", human::clean(&error.message))?;
                    for cause in &error.causes {
                        write!(f, "\n  caused by: {}", human::clean(cause))?;
                    }
                }
                write!(f, "\n  it was executed: {cause}")
            }
            Why::Cancelled { error } => {
                f.write_str("was stopped")?;
                match error {
                    Some(error) => write!(f, ": {}", human::clean(&error.message)),
                    None => Ok(()),
                }
            }
            Why::Skipped { upstream } => {
                f.write_str("never started, because something upstream did not complete")?;
                for (name, state) in upstream {
                    write!(
                        f,
                        "\n  {} `{}` is {state}",
                        state.mark(),
                        human::clean(name)
                    )?;
                }
                Ok(())
            }
        }
    }
}

impl fmt::Display for Execution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Some(name) => write!(f, "flow run `{}`", human::clean(name))?,
            None => write!(f, "flow run {}", self.flow_run)?,
        }
        match self.at {
            Some(at) => write!(f, " at {at}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotHandedBack { from, because } => write!(f, "flow run {from} {because}"),
            Self::NotCached => f.write_str("its task is not cached"),
            Self::NoKey => {
                f.write_str("its task is cached, but an argument has no digest, so it has no key")
            }
            Self::NoEarlier => f.write_str("no earlier run of its task left a result"),
            Self::SameKey { since } => write!(
                f,
                "{since} had the same key, but its result was refreshed, too old, or lost"
            ),
            Self::Changed { since, changes } => {
                write!(f, "since {since}")?;
                for change in changes {
                    write!(f, "\n  {change}")?;
                }
                Ok(())
            }
        }
    }
}

impl fmt::Display for NotHandedBack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Named => f.write_str("had its result, and it was named to run again"),
            Self::NoSuchCall => f.write_str("made no such call: an argument is another one"),
            Self::NotCompleted(state) => write!(f, "has no result of it: it is {state} there"),
            Self::Code => f.write_str("ran it with other code"),
            Self::Version => f.write_str("ran it with another version"),
            Self::Inputs(upstream) if upstream.is_empty() => {
                f.write_str("ran it with other inputs")
            }
            Self::Inputs(upstream) => {
                let names: Vec<String> = upstream
                    .iter()
                    .map(|name| format!("`{}`", human::clean(name)))
                    .collect();
                write!(f, "ran it with another result of {}", names.join(", "))
            }
            Self::NotStored => f.write_str("has no stored result of it"),
            Self::NotComplete => {
                f.write_str("cannot tell it from others: an argument has no digest")
            }
        }
    }
}

impl fmt::Display for KeyChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let values = |f: &mut fmt::Formatter<'_>| match (&self.before, &self.now) {
            (Some(before), Some(now)) if before != now => write!(f, ": {before} -> {now}"),
            (None, Some(now)) => write!(f, ": now {now}"),
            (Some(before), None) => write!(f, ": before {before}"),
            (Some(_), Some(now)) => write!(f, ": {now} is another"),
            (None, None) => Ok(()),
        };
        let part = &self.part;
        match self.kind {
            KeyChangeKind::Code => f.write_str("code changed"),
            KeyChangeKind::Version => {
                f.write_str("version changed")?;
                values(f)
            }
            KeyChangeKind::Value => {
                write!(f, "`{part}` changed")?;
                values(f)
            }
            KeyChangeKind::Order => write!(
                f,
                "`{part}` has the same elements in another order: sort them, or use a `BTreeSet`"
            ),
            KeyChangeKind::Added => {
                write!(f, "`{part}` is new")?;
                values(f)
            }
            KeyChangeKind::Removed => write!(f, "`{part}` is gone"),
        }
    }
}

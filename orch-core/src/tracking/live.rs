//! What was logged in a flow run, in memory: for its report, and to tell whether a param changes.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::Value;

use super::curve::Curve;
use super::target::Target;
use super::{TrackError, name};
use crate::id::FlowRunId;
use crate::node::Header;
use crate::report::{ArtifactReport, LoggedReport, MetricPoint};
use crate::scope::NO_NODE;
use crate::store::{CallId, ResultOrigin};

/// How many points of metrics of one flow run are kept in memory: 2.4 MB. Beyond that every second
/// point of the longest curve is left out.
pub(crate) const MAX_POINTS: usize = 100_000;

/// How many params, metrics, tags and artifacts of one flow run are kept in memory: a search of a
/// thousand trials has some thousands.
const MAX_ENTRIES: usize = 20_000;

/// How often an event tells of a metric, at most: every so many nanoseconds of the flow run.
const EVENT_INTERVAL: u64 = 100_000_000;

/// What was logged in a flow run.
#[derive(Default)]
pub(crate) struct LiveLog {
    /// Whether there may be anything: most flow runs log nothing.
    is_used: AtomicBool,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    /// By the index of the task run; `None` for the flow body.
    logs: BTreeMap<Option<u32>, OwnLog>,
    points: usize,
    entries: usize,
    dropped: u64,
}

/// What a task run logged, or a flow body, in its last attempt.
#[derive(Debug, Clone, Default)]
pub(crate) struct OwnLog {
    /// What the report calls it by; its index is that of the map for an item.
    heading: LoggedReport,
    attempt: u32,
    metrics: BTreeMap<Arc<str>, (Curve, NextEvent)>,
    /// Where the store has it, for an item of a map.
    found: Option<(FlowRunId, CallId)>,
}

/// What is known of what an execution logged whose result was found.
#[derive(Debug, Clone)]
pub(crate) enum FoundLog {
    /// All of it; `None` if it logged nothing.
    Known(Option<Arc<OwnLog>>),
    /// The store has it.
    InStore,
}

/// What was logged, as a report has it.
pub(crate) struct Logs {
    pub(crate) log: LoggedReport,
    /// The call that logged it, where only the store has it.
    pub(crate) found: Option<(FlowRunId, CallId)>,
}

/// When the next event may tell of a metric.
type NextEvent = u64;

/// What became of a point.
pub(super) struct Noted {
    pub(super) name: Arc<str>,
    /// Whether an event is due.
    pub(super) is_told: bool,
}

impl OwnLog {
    fn of(target: &Target<'_>) -> Self {
        let task = match target.header {
            None => target.flow.definition.name,
            Some(header) => header.definition.name,
        };
        Self {
            heading: LoggedReport {
                task_run: target.header.map(listed_index),
                name: target.name().to_owned(),
                task: task.to_owned(),
                is_item: target.header.is_some_and(Header::is_item),
                ..LoggedReport::default()
            },
            attempt: target.attempt,
            metrics: BTreeMap::new(),
            found: None,
        }
    }

    fn entries(&self) -> usize {
        let LoggedReport {
            params,
            tags,
            artifacts,
            ..
        } = &self.heading;
        let found = usize::from(self.found.is_some());
        params.len() + tags.len() + artifacts.len() + self.metrics.len() + found
    }

    fn points(&self) -> usize {
        self.metrics.values().map(|(curve, _)| curve.len()).sum()
    }

    fn report(&self) -> LoggedReport {
        let mut report = self.heading.clone();
        let metrics = self.metrics.iter();
        report.metrics = metrics
            .map(|(name, (curve, _))| (name.to_string(), curve.report()))
            .collect();
        report
    }
}

/// The index by which a report lists a task run: an item's is that of its map.
fn listed_index(header: &Header) -> u32 {
    let map = header.scope.as_ref().map(|scope| scope.node_index);
    match map {
        Some(map) if header.is_item() && map != NO_NODE => map,
        _ => header.index,
    }
}

impl LiveLog {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.is_used.store(true, Ordering::Release);
        // Plain tables, and no code of the user's runs under the lock.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What there is already, if there is anything.
    fn used(&self) -> Option<MutexGuard<'_, Inner>> {
        let is_used = self.is_used.load(Ordering::Acquire);
        is_used.then(|| self.inner.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Notes a param. Returns whether it is new.
    pub(super) fn param(
        &self,
        target: &Target<'_>,
        name: &str,
        value: &Value,
    ) -> Result<bool, TrackError> {
        let mut inner = self.lock();
        let has_room = inner.has_room();
        let Some(log) = inner.log(target) else {
            return Ok(true);
        };
        match log.heading.params.get(name) {
            Some(before) if before == value => return Ok(false),
            Some(before) => {
                return Err(TrackError::ParamChanged {
                    name: name.to_owned(),
                    run: target.name().to_owned(),
                    before: before.to_string(),
                    after: value.to_string(),
                });
            }
            None if has_room => {
                log.heading.params.insert(name.to_owned(), value.clone());
                inner.entries += 1;
            }
            None => inner.dropped += 1,
        }
        Ok(true)
    }

    /// Notes a point of a metric; checks the name of one that is new.
    pub(super) fn metric(
        &self,
        target: &Target<'_>,
        name: &str,
        point: MetricPoint,
        now: u64,
    ) -> Result<Noted, TrackError> {
        let mut inner = self.lock();
        let has_room = inner.has_room();
        let known = match inner.log(target) {
            None => None,
            Some(log) => match log.metrics.get_mut(name) {
                // The key is wanted with the value.
                Some((curve, next)) => {
                    let takes_room = curve.push(point);
                    let is_told = now >= *next;
                    if is_told {
                        *next = now + EVENT_INTERVAL;
                    }
                    let (name, _) = log.metrics.get_key_value(name).expect("just found");
                    let name = Arc::clone(name);
                    Some((Noted { name, is_told }, takes_room))
                }
                None => {
                    name::check("metric", name)?;
                    let name: Arc<str> = name.into();
                    if has_room {
                        let curve = (Curve::new(point), now + EVENT_INTERVAL);
                        log.metrics.insert(Arc::clone(&name), curve);
                        inner.entries += 1;
                    } else {
                        inner.dropped += 1;
                    }
                    let is_told = true;
                    Some((Noted { name, is_told }, has_room))
                }
            },
        };
        let Some((noted, takes_room)) = known else {
            // Of an attempt that another one has followed.
            name::check("metric", name)?;
            return Ok(Noted {
                name: name.into(),
                is_told: false,
            });
        };
        if takes_room {
            inner.points += 1;
            inner.make_room();
        }
        Ok(noted)
    }

    /// Notes a tag.
    pub(super) fn tag(&self, target: &Target<'_>, name: &str, value: &str) {
        self.entry(target, |heading| &mut heading.tags, name, value.to_owned());
    }

    /// Notes an artifact.
    pub(super) fn artifact(&self, target: &Target<'_>, name: &str, artifact: ArtifactReport) {
        self.entry(target, |heading| &mut heading.artifacts, name, artifact);
    }

    fn entry<V>(
        &self,
        target: &Target<'_>,
        of: fn(&mut LoggedReport) -> &mut BTreeMap<String, V>,
        name: &str,
        value: V,
    ) {
        let mut inner = self.lock();
        let has_room = inner.has_room();
        let Some(log) = inner.log(target) else {
            return;
        };
        match of(&mut log.heading).entry(name.to_owned()) {
            Entry::Occupied(mut known) => {
                known.insert(value);
            }
            Entry::Vacant(entry) if has_room => {
                entry.insert(value);
                inner.entries += 1;
            }
            Entry::Vacant(_) => inner.dropped += 1,
        }
    }

    /// Forgets what a task run logged in the attempts before.
    pub(crate) fn begin_attempt(&self, header: &Header) {
        if let Some(mut inner) = self.used() {
            inner.remove(Some(header.index));
        }
    }

    /// What a task run logged, for those who take its result.
    pub(crate) fn of_task_run(&self, header: &Header) -> Option<Arc<OwnLog>> {
        let inner = self.used()?;
        let log = inner.logs.get(&Some(header.index))?;
        Some(Arc::new(log.clone()))
    }

    /// Notes that a task run took the result of an execution. Where only the store knows what that
    /// logged, the report looks for it; there it finds all but the items of maps.
    pub(crate) fn found(&self, header: &Header, found: &FoundLog, origin: ResultOrigin) {
        let new = || OwnLog::of(&Target::of_task_run(header, 0));
        let adopted = match (found, origin) {
            (FoundLog::Known(Some(log)), _) => {
                let mut adopted = new();
                let OwnLog {
                    heading, metrics, ..
                } = OwnLog::clone(log);
                adopted.heading.params = heading.params;
                adopted.heading.tags = heading.tags;
                adopted.heading.artifacts = heading.artifacts;
                adopted.metrics = metrics;
                adopted
            }
            (FoundLog::InStore, ResultOrigin::Cached { run, call }) if header.is_item() => {
                let mut adopted = new();
                adopted.found = Some((run, call));
                adopted
            }
            _ => return,
        };
        let mut inner = self.lock();
        inner.remove(Some(header.index));
        let (entries, points) = (adopted.entries(), adopted.points());
        if inner.entries + entries > MAX_ENTRIES {
            inner.dropped += entries as u64;
            return;
        }
        inner.entries += entries;
        inner.points += points;
        inner.logs.insert(Some(header.index), adopted);
        inner.make_room();
    }

    /// What was logged, each with where the store has it if that is elsewhere, and how much of it did
    /// not fit.
    pub(crate) fn report(&self) -> (Vec<Logs>, u64) {
        match self.used() {
            None => (Vec::new(), 0),
            Some(inner) => {
                let logs = inner.logs.values().filter(|log| log.entries() > 0);
                let logs = logs.map(|own| Logs {
                    log: own.report(),
                    found: own.found,
                });
                (logs.collect(), inner.dropped)
            }
        }
    }
}

impl Inner {
    fn has_room(&self) -> bool {
        self.entries < MAX_ENTRIES
    }

    /// What the target logged; `None` if a later attempt of it did.
    fn log(&mut self, target: &Target<'_>) -> Option<&mut OwnLog> {
        let key = target.header.map(|header| header.index);
        if self
            .logs
            .get(&key)
            .is_some_and(|log| log.attempt < target.attempt)
        {
            self.remove(key);
        }
        let log = self.logs.entry(key).or_insert_with(|| OwnLog::of(target));
        (log.attempt == target.attempt).then_some(log)
    }

    fn remove(&mut self, key: Option<u32>) {
        if let Some(log) = self.logs.remove(&key) {
            self.entries -= log.entries();
            self.points -= log.points();
        }
    }

    fn make_room(&mut self) {
        while self.points > MAX_POINTS {
            let curves = self
                .logs
                .values_mut()
                .flat_map(|log| log.metrics.values_mut());
            let Some((longest, _)) = curves.max_by_key(|(curve, _)| curve.len()) else {
                return;
            };
            match longest.thin() {
                // So many metrics that each has one point: their number is bounded as well.
                0 => return,
                freed => self.points -= freed,
            }
        }
    }
}

//! What a flow run remembers of its task runs for the report: a few dozen bytes each, up to a
//! limit, and counts beyond it.

use std::collections::{BTreeMap, HashMap};
use std::hash::BuildHasherDefault;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::definition::Definition;
use crate::identity::Source;
use crate::input::Arguments;
use crate::node::{AnyNode, Header};
use crate::padded::Padded;
use crate::report::{
    AttemptReport, EdgeKind, EdgeReport, ErrorReport, NodeKind, ResultSource, TaskCounts,
    TaskRunReport,
};
use crate::scope::{ItemCounts, NO_NODE};
use crate::state::State;
use crate::store::CallId;

use super::{Flow, IndexHasher, NodeSpec};

/// The submissions and the ends, apart, so that who submits and who ends do not wait for each
/// other.
pub(super) struct Records {
    limit: u32,
    submitted: Padded<Mutex<Submitted>>,
    ended: Padded<Mutex<Ended>>,
}

/// What recording a submission found out.
pub(super) struct Submission {
    /// The node's index.
    pub(super) index: u32,
    /// How many upstream nodes it has.
    pub(super) n_upstream: u32,
    /// The length of the longest chain of task runs above it.
    pub(super) depth: u32,
    /// Whether all of them have completed: then there is nothing to wait for, or to be skipped for.
    pub(super) are_completed: bool,
}

#[derive(Default)]
struct Submitted {
    count: u32,
    rows: Chunks<SubmittedRow>,
    /// The upstream of each row in turn: index and kind.
    edges: Chunks<u32>,
}

struct SubmittedRow {
    definition: &'static Definition,
    at: u64,
    index: u32,
    parent: u32,
    /// Where this row's edges end; they begin where those of the row before do.
    edges_end: u32,
    kind: NodeKind,
}

#[derive(Default)]
struct Ended {
    count: u32,
    rows: Chunks<EndedRow>,
    /// What only some have: names, errors, failed attempts, tags.
    /// Boxed, so that the table moves little when it grows.
    details: HashMap<u32, Box<EndedDetail>, BuildHasherDefault<IndexHasher>>,
    items: HashMap<u32, Arc<ItemCounts>>,
    unrecorded: BTreeMap<&'static str, [u64; 4]>,
}

struct EndedRow {
    ready: u64,
    started: u64,
    ended: u64,
    index: u32,
    attempts: u16,
    state: State,
    is_observed: bool,
}

#[derive(Default)]
struct EndedDetail {
    name: Option<String>,
    error: Option<ErrorReport>,
    failed_attempts: Vec<AttemptReport>,
    last_started: Option<Duration>,
    tags: Vec<String>,
    call: Option<CallId>,
    source: Option<Source>,
}

impl EndedDetail {
    fn is_empty(&self) -> bool {
        self.name.is_none()
            && self.error.is_none()
            && self.failed_attempts.is_empty()
            && self.last_started.is_none()
            && self.tags.is_empty()
            && self.call.is_none()
            && self.source.is_none()
    }
}

const EDGE_KIND_SHIFT: u32 = 30;
const MAX_EDGE_INDEX: u32 = (1 << EDGE_KIND_SHIFT) - 1;

impl Records {
    pub(super) fn new(limit: u32) -> Self {
        Self {
            limit,
            submitted: Padded::default(),
            ended: Padded::default(),
        }
    }

    /// Records a submission.
    pub(super) fn submit(
        &self,
        flow: &Arc<Flow>,
        spec: &NodeSpec,
        inputs: &impl Arguments,
        after: &[Arc<dyn AnyNode>],
        now: u64,
    ) -> Submission {
        let is_item = spec
            .scope
            .as_ref()
            .is_some_and(|scope| scope.items.is_some());
        let mut n_upstream = 0;
        let mut depth = 0;
        let mut are_completed = true;
        let mut look = |upstream: &Header| {
            n_upstream += 1;
            depth = depth.max(upstream.depth + 1);
            are_completed &= upstream.state().is_success() && upstream.has_been_let_go();
        };
        let mut submitted = lock(&self.submitted);
        let index = submitted.count;
        submitted.count += 1;
        if is_item || submitted.rows.len() >= self.limit as usize {
            drop(submitted);
            inputs.visit(&mut |upstream| look(upstream.header));
            after.iter().for_each(|upstream| look(upstream.header()));
            return Submission {
                index,
                n_upstream,
                depth,
                are_completed,
            };
        }
        let mut edge = |upstream: &Header, kind: EdgeKind| {
            // An edge from another flow run has no row to point to.
            if Arc::ptr_eq(&upstream.flow, flow) && upstream.index <= MAX_EDGE_INDEX {
                submitted
                    .edges
                    .push(upstream.index | (encode(kind) << EDGE_KIND_SHIFT));
            }
        };
        inputs.visit(&mut |upstream| {
            look(upstream.header);
            edge(upstream.header, upstream.edge);
        });
        for upstream in after {
            look(upstream.header());
            edge(upstream.header(), EdgeKind::Order);
        }
        let row = SubmittedRow {
            definition: spec.definition,
            at: now,
            index,
            parent: spec
                .scope
                .as_ref()
                .map_or(NO_NODE, |scope| scope.node_index),
            edges_end: submitted.edges.len() as u32,
            kind: spec.kind,
        };
        submitted.rows.push(row);
        Submission {
            index,
            n_upstream,
            depth,
            are_completed,
        }
    }

    /// Records that a completed task run was undone.
    pub(super) fn roll_back(&self, index: u32) {
        let mut ended = lock(&self.ended);
        if let Some(row) = ended.rows.iter_mut().find(|row| row.index == index) {
            row.state = State::RolledBack;
        }
    }

    /// Records an end; returns how many there are now.
    pub(super) fn end(&self, header: &Header, state: State, now: u64) -> u32 {
        let mut ended = lock(&self.ended);
        ended.count += 1;
        let count = ended.count;
        // The map itself counts its items.
        if header.is_item() {
            return count;
        }
        if header.index >= self.limit && ended.rows.len() >= self.limit as usize {
            let counts = ended.unrecorded.entry(header.definition.name).or_default();
            counts[which(state)] += 1;
            counts[FOUND] += u64::from(state.is_found());
            return count;
        }
        ended.rows.push(EndedRow {
            ready: header.ready_at(),
            started: header.started_at().unwrap_or(u64::MAX),
            ended: now,
            index: header.index,
            attempts: header.attempts().min(u32::from(u16::MAX)) as u16,
            state,
            is_observed: header.is_observed(),
        });
        if let Some(detail) = header.detail() {
            let identity = header.identity();
            let detail = EndedDetail {
                name: detail.name.get().cloned(),
                error: detail.error.get().map(|error| error.to_report()),
                failed_attempts: detail.failed_attempts().clone(),
                last_started: header.last_started(),
                tags: detail
                    .options
                    .tags
                    .iter()
                    .map(|tag| tag.clone().into_owned())
                    .collect(),
                call: identity.and_then(|identity| identity.call),
                source: identity.and_then(|identity| identity.source.get().copied()),
            };
            if !detail.is_empty() {
                ended.details.insert(header.index, Box::new(detail));
            }
        }
        count
    }

    /// Says where the counts of a map's items are kept.
    pub(super) fn add_items(&self, index: u32, items: Arc<ItemCounts>) {
        lock(&self.ended).items.insert(index, items);
    }

    pub(super) fn submitted(&self) -> u32 {
        lock(&self.submitted).count
    }

    pub(super) fn ended(&self) -> u32 {
        lock(&self.ended).count
    }

    /// Puts the records together. `live` knows the state of task runs that have not ended, and
    /// `observed` tells of failures that were looked at since they were recorded.
    pub(super) fn report(
        &self,
        live: &dyn Fn(u32) -> Option<State>,
        observed: &dyn Fn(u32) -> bool,
    ) -> (Vec<TaskRunReport>, Vec<EdgeReport>, Vec<TaskCounts>) {
        let submitted = lock(&self.submitted);
        let ended = lock(&self.ended);
        let ends: HashMap<u32, &EndedRow> = ended.rows.iter().map(|row| (row.index, row)).collect();
        let mut edges = Vec::new();
        let mut edges_start = 0;
        let mut edge_words = submitted.edges.iter();
        let mut task_runs = Vec::with_capacity(submitted.rows.len());
        for row in submitted.rows.iter() {
            for edge in edge_words
                .by_ref()
                .take((row.edges_end - edges_start) as usize)
            {
                edges.push(EdgeReport {
                    from: edge & MAX_EDGE_INDEX,
                    to: row.index,
                    kind: decode(edge >> EDGE_KIND_SHIFT),
                });
            }
            edges_start = row.edges_end;

            let end = ends.get(&row.index);
            let detail = ended.details.get(&row.index);
            let definition = row.definition;
            let name = detail.and_then(|detail| detail.name.clone());
            let state = match end {
                Some(end) => end.state,
                None => live(row.index).unwrap_or(State::Pending),
            };
            let mut tags: Vec<String> = definition
                .tags
                .iter()
                .map(|tag| (*tag).to_owned())
                .collect();
            tags.extend(
                detail
                    .into_iter()
                    .flat_map(|detail| detail.tags.iter().cloned()),
            );
            task_runs.push(TaskRunReport {
                index: row.index,
                name: name.unwrap_or_else(|| definition.name.to_owned()),
                task: definition.name.to_owned(),
                kind: row.kind,
                parent: (row.parent != NO_NODE).then_some(row.parent),
                state,
                attempts: end.map_or(0, |end| u32::from(end.attempts)),
                failed_attempts: detail
                    .map(|detail| detail.failed_attempts.clone())
                    .unwrap_or_default(),
                submitted: Duration::from_nanos(row.at),
                ready: end
                    .filter(|end| end.ready > 0 || end.started != u64::MAX)
                    .map(|end| Duration::from_nanos(end.ready)),
                started: end
                    .filter(|end| end.started != u64::MAX)
                    .map(|end| Duration::from_nanos(end.started)),
                last_started: detail.and_then(|detail| detail.last_started),
                ended: end.map(|end| Duration::from_nanos(end.ended)),
                error: detail.and_then(|detail| detail.error.clone()),
                failure_observed: end.is_some_and(|end| end.is_observed) || observed(row.index),
                tags,
                fingerprint: hex(definition.fingerprint),
                source: if definition.file.is_empty() {
                    String::new()
                } else {
                    format!("{}:{}", definition.file, definition.line)
                },
                items: ended
                    .items
                    .get(&row.index)
                    .map(|items| items.report(definition.name)),
                result_from: detail.and_then(|detail| match detail.source? {
                    Source::Cache(origin) | Source::Record(origin) => ResultSource::of(origin),
                }),
                is_orphaned: false,
                call: detail
                    .and_then(|detail| detail.call)
                    .map(|call| call.to_string()),
                logs: Vec::new(),
            });
        }
        let unrecorded = ended
            .unrecorded
            .iter()
            .map(|(task, [completed, failed, cancelled, found])| TaskCounts {
                task: (*task).to_owned(),
                completed: *completed,
                found: *found,
                failed: *failed,
                cancelled: *cancelled,
            })
            .collect();
        (task_runs, edges, unrecorded)
    }
}

/// A list that grows without moving what it holds: a large `Vec` costs a copy and fresh pages from
/// the system each time it doubles.
struct Chunks<T> {
    chunks: Vec<Vec<T>>,
    len: usize,
}

/// Entries per chunk: some ten kilobytes, which the allocator keeps and hands out again.
const CHUNK: usize = 512;

impl<T> Default for Chunks<T> {
    fn default() -> Self {
        Self {
            chunks: Vec::new(),
            len: 0,
        }
    }
}

impl<T> Chunks<T> {
    fn len(&self) -> usize {
        self.len
    }

    fn push(&mut self, value: T) {
        self.len += 1;
        match self.chunks.last_mut() {
            Some(chunk) if chunk.len() < chunk.capacity() => chunk.push(value),
            last => {
                // Few flow runs are large: the first chunk is small, the second twice that.
                let size = last.map_or(16, |chunk| (chunk.capacity() * 2).min(CHUNK));
                let mut chunk = Vec::with_capacity(size);
                chunk.push(value);
                self.chunks.push(chunk);
            }
        }
    }

    fn iter(&self) -> impl Iterator<Item = &T> {
        self.chunks.iter().flatten()
    }

    fn iter_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.chunks.iter_mut().flatten()
    }
}

/// The count of those that were found; [`which`] numbers the others.
const FOUND: usize = 3;

fn which(state: State) -> usize {
    if state.is_success() {
        0
    } else if state.is_failure() {
        1
    } else {
        2
    }
}

fn encode(kind: EdgeKind) -> u32 {
    match kind {
        EdgeKind::Data => 0,
        EdgeKind::Order => 1,
        EdgeKind::Catch => 2,
    }
}

fn decode(kind: u32) -> EdgeKind {
    match kind {
        1 => EdgeKind::Order,
        2 => EdgeKind::Catch,
        _ => EdgeKind::Data,
    }
}

fn hex(bytes: &[u8; 32]) -> String {
    blake3::Hash::from_bytes(*bytes).to_hex().to_string()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // No code of the user's runs under these locks, but `visit`, which only walks handles.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

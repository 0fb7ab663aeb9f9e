//! Completed task runs that differ in little, many in one piece: the items of maps.
//!
//! A pack is a header, the items one after the other, and a checksum. The header holds templates:
//! what many items share. An item names its template and holds what is its own. All of it is in
//! postcard's encoding.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::id::FlowRunId;
use crate::report::{EdgeKind, NodeKind};
use crate::state::State;
use crate::value::{Digest, Stored, digest_of_stored};

use super::{
    CallId, KeyPartRow, KeyRow, Place, ResultOrigin, StoredValue, TaskRow, TaskRunRow, Timestamp,
};

/// The version of the encoding.
const VERSION: u8 = 1;

/// How many items a pack holds at most.
const MAX_ITEMS: u32 = 1_024;

/// From how many bytes on a pack takes no more items.
const FULL: usize = 1 << 20;

/// How many kinds of items a pack holds at most: they are looked through for every item.
const MAX_TEMPLATES: usize = 16;

const CHECKSUM: usize = 16;

/// Task runs of one flow run, packed. A copy shares the bytes.
#[derive(Clone)]
pub struct PackedTaskRuns(Arc<Pack>);

struct Pack {
    base: Base,
    templates: Vec<(Template, Arc<TaskRow>)>,
    len: u32,
    last_execution: u64,
    bytes: Vec<u8>,
    /// Where the first item is.
    first: usize,
}

/// The recorded task runs of a flow run.
#[derive(Clone, Default)]
pub struct RecordedTaskRuns {
    /// Those that are packed. Of a call that is in several the last one counts.
    pub packed: Vec<PackedTaskRuns>,
    /// The others; where one of them has the call of a packed one, this one counts.
    pub rows: Vec<TaskRunRow>,
}

/// What the numbers of items are relative to.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Base {
    index: u32,
    time: i64,
    execution: u64,
}

#[derive(Serialize, Deserialize)]
struct Header {
    version: u8,
    len: u32,
    base: Base,
    last_execution: u64,
    templates: Vec<Template>,
}

/// What items share.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Template {
    scope: CallId,
    /// The number of the task, which the store knows.
    task: i64,
    state: String,
    attempts: u32,
    from: Option<FlowRunId>,
    key_parts: Option<Vec<KeyPartRow>>,
    upstream: Vec<(CallId, EdgeKind)>,
    inputs: [u8; 16],
    is_complete: bool,
    /// The format and the shape of the results.
    result: Option<(u8, [u8; 16])>,
}

/// What an item has of its own. Times and numbers are relative to the [`Base`].
#[derive(Serialize, Deserialize)]
struct Item<'a> {
    call: CallId,
    template: u32,
    index: i64,
    name: Option<&'a str>,
    ready_at: Option<i64>,
    started_at: Option<i64>,
    ended_at: Option<i64>,
    execution: i64,
    from_call: Option<CallId>,
    key: Option<ItemKey>,
    upstream: Option<Vec<(CallId, EdgeKind)>>,
    inputs: Option<[u8; 16]>,
    /// Where it is not that of the value's bytes.
    digest: Option<Digest>,
    parts: Vec<Digest>,
    value: &'a [u8],
}

/// A cache key, as far as it differs from the template's.
#[derive(Serialize, Deserialize)]
struct ItemKey {
    digest: Digest,
    parts: Vec<(u32, KeyPartRow)>,
}

/// Packs task runs, for a store that is asked to keep many of a kind.
#[derive(Debug, Default)]
pub struct TaskRunPacker {
    base: Option<Base>,
    templates: Vec<Template>,
    items: Vec<u8>,
    len: u32,
    last_execution: u64,
    result_bytes: u64,
}

impl TaskRunPacker {
    /// Whether a task run can be packed at all: it has a result and no history, and the result is in
    /// its row.
    pub fn takes(row: &TaskRunRow) -> bool {
        let is_inline = |value: &StoredValue| match &value.place {
            Place::Inline(bytes) => bytes.len() as u64 == value.stored.len,
            Place::Blob => false,
        };
        row.kind == NodeKind::Task
            && row.state.is_success()
            && row.error.is_none()
            && row.crashes == 0
            && !row.is_orphaned
            && row.result.as_ref().is_none_or(is_inline)
    }

    /// Takes a task run whose task has this number in the store. Returns whether it fitted: a pack
    /// that is full takes no more.
    ///
    /// # Panics
    /// If the task run is none that it [`takes`](Self::takes).
    pub fn add(&mut self, row: &TaskRunRow, task: i64) -> bool {
        assert!(Self::takes(row), "{:?} cannot be packed", row.call);
        if self.len >= MAX_ITEMS || self.items.len() >= FULL {
            return false;
        }
        let Some(template) = self.template(row, task) else {
            return false;
        };
        let base = *self.base.get_or_insert_with(|| Base {
            index: row.index,
            time: row.ended_at.map_or(0, |at| at.0),
            execution: row.execution,
        });
        let shared = &self.templates[template];
        let relative = |at: Option<Timestamp>| at.map(|at| at.0.wrapping_sub(base.time));
        let (digest, parts, value): (_, _, &[u8]) = match &row.result {
            Some(StoredValue {
                stored,
                place: Place::Inline(bytes),
            }) => {
                let is_of_bytes = digest_of_stored(stored.format, bytes) == stored.digest;
                let digest = (!is_of_bytes).then_some(stored.digest);
                (digest, stored.parts.clone(), bytes)
            }
            _ => (None, Vec::new(), &[]),
        };
        let item = Item {
            call: row.call,
            template: template as u32,
            index: i64::from(row.index) - i64::from(base.index),
            name: row.name.as_deref(),
            ready_at: relative(row.ready_at),
            started_at: relative(row.started_at),
            ended_at: relative(row.ended_at),
            execution: row.execution.wrapping_sub(base.execution) as i64,
            from_call: match row.origin {
                ResultOrigin::Executed => None,
                ResultOrigin::Cached { call, .. } => Some(call),
            },
            key: row.key.as_ref().map(|key| ItemKey {
                digest: key.digest,
                parts: differing(shared.key_parts.as_deref().unwrap_or_default(), &key.parts),
            }),
            upstream: (row.upstream != shared.upstream).then(|| row.upstream.clone()),
            inputs: (row.inputs != shared.inputs).then_some(row.inputs),
            digest,
            parts,
            value,
        };
        let items = std::mem::take(&mut self.items);
        self.items = postcard::to_extend(&item, items).expect("bytes in memory take all of it");
        self.len += 1;
        self.last_execution = self.last_execution.max(row.execution);
        self.result_bytes += value.len() as u64;
        true
    }

    /// Returns the place of the template that fits; `None` if there is none, and no room for one.
    fn template(&mut self, row: &TaskRunRow, task: i64) -> Option<usize> {
        let from = match row.origin {
            ResultOrigin::Executed => None,
            ResultOrigin::Cached { run, .. } => Some(run),
        };
        let n_parts = |parts: &Option<Vec<KeyPartRow>>| parts.as_ref().map(Vec::len);
        let key_parts = row.key.as_ref().map(|key| key.parts.len());
        let result = row.result.as_ref();
        let result = result.map(|value| (value.stored.format, value.stored.shape));
        let fits = |template: &Template| {
            template.scope == row.scope
                && template.task == task
                && template.state == row.state.word()
                && template.attempts == row.attempts
                && template.from == from
                && n_parts(&template.key_parts) == key_parts
                && template.is_complete == row.is_complete
                && template.result == result
        };
        if let Some(found) = self.templates.iter().position(fits) {
            return Some(found);
        }
        if self.templates.len() >= MAX_TEMPLATES {
            return None;
        }
        self.templates.push(Template {
            scope: row.scope,
            task,
            state: row.state.word().to_owned(),
            attempts: row.attempts,
            from,
            key_parts: row.key.as_ref().map(|key| key.parts.clone()),
            upstream: row.upstream.clone(),
            inputs: row.inputs,
            is_complete: row.is_complete,
            result,
        });
        Some(self.templates.len() - 1)
    }

    /// How many task runs it has taken.
    pub fn len(&self) -> u32 {
        self.len
    }

    /// Whether it has taken none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// How many bytes their results are.
    pub fn result_bytes(&self) -> u64 {
        self.result_bytes
    }

    /// Returns the pack's bytes.
    pub fn finish(self) -> Vec<u8> {
        let header = Header {
            version: VERSION,
            len: self.len,
            base: self.base.unwrap_or(Base {
                index: 0,
                time: 0,
                execution: 0,
            }),
            last_execution: self.last_execution,
            templates: self.templates,
        };
        let mut bytes = postcard::to_stdvec(&header).expect("memory takes all of it");
        bytes.extend_from_slice(&self.items);
        let checksum = checksum(&bytes);
        bytes.extend_from_slice(&checksum);
        bytes
    }
}

/// The parts of a key that are not those of the template, with their places.
fn differing(shared: &[KeyPartRow], parts: &[KeyPartRow]) -> Vec<(u32, KeyPartRow)> {
    let pairs = (0..).zip(shared.iter().zip(parts));
    pairs
        .filter(|(_, (shared, part))| shared != part)
        .map(|(place, (_, part))| (place, part.clone()))
        .collect()
}

fn checksum(bytes: &[u8]) -> [u8; CHECKSUM] {
    let hash = blake3::hash(bytes);
    let mut checksum = [0; CHECKSUM];
    checksum.copy_from_slice(&hash.as_bytes()[..CHECKSUM]);
    checksum
}

impl PackedTaskRuns {
    /// Reads a pack; `None` if it is damaged. `task` knows the tasks by their numbers.
    ///
    /// # Errors
    /// Those of `task`.
    pub fn read<E>(
        mut bytes: Vec<u8>,
        mut task: impl FnMut(i64) -> Result<Arc<TaskRow>, E>,
    ) -> Result<Option<Self>, E> {
        if !Self::is_whole(&bytes) {
            return Ok(None);
        }
        bytes.truncate(bytes.len() - CHECKSUM);
        let header = postcard::take_from_bytes::<Header>(&bytes);
        let Some((header, items)) = header.ok().filter(|(header, _)| header.version == VERSION)
        else {
            return Ok(None);
        };
        let first = bytes.len() - items.len();
        let mut templates = Vec::with_capacity(header.templates.len());
        for template in header.templates {
            let task = task(template.task)?;
            templates.push((template, task));
        }
        Ok(Some(Self(Arc::new(Pack {
            base: header.base,
            templates,
            len: header.len,
            last_execution: header.last_execution,
            first,
            bytes,
        }))))
    }

    /// Whether the bytes of a pack are what they were.
    pub fn is_whole(bytes: &[u8]) -> bool {
        let end = bytes.len().checked_sub(CHECKSUM);
        end.is_some_and(|end| checksum(&bytes[..end]) == bytes[end..])
    }

    /// How many task runs there are.
    #[expect(clippy::len_without_is_empty, reason = "there is no empty pack")]
    pub fn len(&self) -> usize {
        self.0.len as usize
    }

    /// The highest number of an execution.
    pub(crate) fn last_execution(&self) -> u64 {
        self.0.last_execution
    }

    /// Returns the calls in it, each with its place.
    pub(crate) fn calls(&self) -> impl Iterator<Item = (CallId, u32)> {
        self.items().map(|(place, item)| (item.call, place))
    }

    /// Returns the task runs in it.
    pub fn rows(&self) -> impl Iterator<Item = TaskRunRow> {
        self.items().filter_map(|(_, item)| self.0.row(item))
    }

    /// Returns the task run at a place.
    pub(crate) fn row_at(&self, place: u32) -> Option<TaskRunRow> {
        let bytes = self.0.bytes.get(place as usize..)?;
        let (item, _) = postcard::take_from_bytes(bytes).ok()?;
        self.0.row(item)
    }

    fn items(&self) -> impl Iterator<Item = (u32, Item<'_>)> {
        let bytes = &self.0.bytes;
        let mut place = self.0.first;
        std::iter::from_fn(move || {
            let (item, rest) = postcard::take_from_bytes(&bytes[place..]).ok()?;
            let at = std::mem::replace(&mut place, bytes.len() - rest.len());
            Some((at as u32, item))
        })
        .take(self.len())
    }
}

impl Pack {
    fn row(&self, item: Item<'_>) -> Option<TaskRunRow> {
        let (template, task) = self.templates.get(item.template as usize)?;
        let at = |relative: Option<i64>| {
            relative.map(|relative| Timestamp(self.base.time.wrapping_add(relative)))
        };
        let key = item.key.map(|key| {
            let mut parts = template.key_parts.clone().unwrap_or_default();
            for (place, part) in key.parts {
                if let Some(shared) = parts.get_mut(place as usize) {
                    *shared = part;
                }
            }
            KeyRow {
                digest: key.digest,
                parts,
            }
        });
        let result = template.result.map(|(format, shape)| StoredValue {
            stored: Stored {
                digest: item
                    .digest
                    .unwrap_or_else(|| digest_of_stored(format, item.value)),
                format,
                shape,
                len: item.value.len() as u64,
                parts: item.parts,
            },
            place: Place::Inline(item.value.into()),
        });
        Some(TaskRunRow {
            call: item.call,
            scope: template.scope,
            index: u32::try_from(i64::from(self.base.index).checked_add(item.index)?).ok()?,
            task: Arc::clone(task),
            kind: NodeKind::Task,
            name: item.name.map(str::to_owned),
            state: State::from_word(&template.state)?,
            attempts: template.attempts,
            crashes: 0,
            ready_at: at(item.ready_at),
            started_at: at(item.started_at),
            ended_at: at(item.ended_at),
            error: None,
            result,
            origin: match template.from.zip(item.from_call) {
                Some((run, call)) => ResultOrigin::Cached { run, call },
                None => ResultOrigin::Executed,
            },
            key,
            upstream: item.upstream.unwrap_or_else(|| template.upstream.clone()),
            is_complete: template.is_complete,
            inputs: item.inputs.unwrap_or(template.inputs),
            execution: self.base.execution.wrapping_add_signed(item.execution),
            is_orphaned: false,
        })
    }
}

impl RecordedTaskRuns {
    /// Visits all; of several with one call the last counts.
    pub(crate) fn each(self, mut visit: impl FnMut(TaskRunRow)) {
        self.packed
            .iter()
            .flat_map(PackedTaskRuns::rows)
            .chain(self.rows)
            .for_each(&mut visit);
    }

    /// Returns all that count, in the order of their last submission.
    pub fn into_rows(self) -> Vec<TaskRunRow> {
        let Self { packed, mut rows } = self;
        if packed.is_empty() {
            return rows;
        }
        let mut seen: std::collections::HashSet<CallId> = rows.iter().map(|row| row.call).collect();
        for pack in packed.iter().rev() {
            rows.extend(pack.rows().filter(|row| seen.insert(row.call)));
        }
        rows.sort_by_key(|row| row.index);
        rows
    }
}

impl From<Vec<TaskRunRow>> for RecordedTaskRuns {
    fn from(rows: Vec<TaskRunRow>) -> Self {
        Self {
            rows,
            packed: Vec::new(),
        }
    }
}

impl std::fmt::Debug for PackedTaskRuns {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PackedTaskRuns({} task runs)", self.len())
    }
}

#[cfg(test)]
mod tests;

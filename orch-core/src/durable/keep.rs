//! Keeping what a body returned: in the store, in the cache, in the record.

use std::any::Any;
use std::sync::Arc;

use crate::body::Body;
use crate::cache::Hit;
use crate::compute;
use crate::definition::{CacheOption, Kind};
use crate::error::{Failure, TaskErrorKind};
use crate::flow::{Flow, stop_of};
use crate::node::{Header, Node};
use crate::recorder::{self, EngineStore, Kept, NotStored, Recorder};
use crate::state::State;
use crate::stop::Stop;
use crate::store::{CacheRow, CallId, Change, Durability, Hold, KeyRow, Place, StoredValue};
use crate::value::Codec;

/// Hands a change to the journal: as one of the flow run, where that is recorded.
pub(super) fn push(flow: &Flow, store: &EngineStore, change: Change, hold: Option<Hold>) {
    match flow.recorder() {
        Some(recorder) => recorder.push_holding(change, hold),
        None => store.journal.push(None, change, hold),
    };
}

pub(super) enum Value<T> {
    Own(T),
    Shared(Arc<T>),
}

/// Puts a result into its stored form, if there is use for that.
pub(super) async fn store_result<B: Body>(
    node: &Arc<Node<B>>,
    result: B::Output,
    is_cached: bool,
) -> Result<(Value<B::Output>, Option<Kept>), Failure> {
    let header = &node.header;
    let Some(codec) = B::codec().filter(|_| is_cached || is_recorded(header)) else {
        return Ok((Value::Own(result), None));
    };
    let ahead = header.identity_mut().take_stored_ahead();
    let (result, stored) = if let Some(stored) = ahead {
        (result, stored)
    } else {
        let encode = encoder(header, codec);
        let is_small = codec.size_hint(&result) <= recorder::INLINE_BYTES;
        if header.definition.kind == Kind::Blocking || !is_small {
            let flow = &header.flow;
            let job = move || {
                let stored = encode(&result);
                (result, stored)
            };
            compute::call_under_way(&flow.engine, flow.runtime(), job)
                .await
                .map_err(|compute::Gone| Failure::last(TaskErrorKind::RuntimeShutDown))?
        } else {
            let stored = encode(&result);
            (result, stored)
        }
    };
    let stored = match stored {
        Ok(stored) => Some(stored),
        Err(NotStored::Encode(error)) => {
            tracing::warn!(
                target: "orch",
                task_run = header.name(),
                "its result cannot be stored: {error}"
            );
            None
        }
        Err(NotStored::Store(error)) => {
            if let Some(store) = &header.flow.engine.store {
                store
                    .journal
                    .degrade(&error)
                    .map_err(|message| Failure::last(TaskErrorKind::Store { message }))?;
            }
            None
        }
    };
    let value = if is_cached {
        Value::Shared(Arc::new(result))
    } else {
        Value::Own(result)
    };
    Ok((value, stored))
}

/// Puts the result of a blocking body into its stored form on the thread that made it: for most, the
/// way to another thread and back takes longer. A clock of the attempt is for the body alone.
pub(crate) fn store_ahead<B: Body>(node: &Node<B>, result: &B::Output) {
    let header = &node.header;
    let Some(identity) = header.identity() else {
        return;
    };
    // A rehearsal keeps nothing.
    let is_wanted = identity.key.get().is_some() || is_recorded(header);
    let is_stopped = stop_of(header) != Stop::None;
    if !is_wanted || is_stopped || header.is_timed() || header.flow.rehearsal().is_some() {
        return;
    }
    if let Some(codec) = B::codec() {
        identity.set_stored_ahead(encoder(header, codec)(result));
    }
}

/// Whether the result of a task run is kept for a resumed flow run.
fn is_recorded(header: &Header) -> bool {
    header.flow.recorder().is_some() && !header.definition.stays_in_memory
}

/// Returns what puts a result into its stored form.
fn encoder<T>(header: &Header, codec: Codec<T>) -> impl Fn(&T) -> Result<Kept, NotStored> + use<T> {
    // A rehearsal writes nothing.
    let is_rehearsed = header.flow.rehearsal().is_some();
    let store = header.flow.engine.store.clone().filter(|_| !is_rehearsed);
    move |value| match &store {
        Some(store) => store.put(codec, value),
        None => Ok(Kept {
            value: in_memory(codec, value)?,
            hold: None,
        }),
    }
}

/// What identifies a result that stays in memory.
pub(super) fn in_memory<T>(
    codec: Codec<T>,
    value: &T,
) -> Result<StoredValue, crate::value::EncodeError> {
    Ok(StoredValue {
        stored: codec.identify(value)?,
        place: Place::Blob,
    })
}

/// Whether the result stays in memory, or is read from the store when it is needed.
pub(super) fn keeps_in_memory(header: &Header) -> bool {
    let engine = &header.flow.engine;
    let identity = header.identity_mut();
    // A map takes the results of its items as they end.
    let (Some(stored), Some(_), false) = (identity.stored.get(), &engine.store, header.is_item())
    else {
        return true;
    };
    if !matches!(stored.place, Place::Blob) || header.flow.rehearsal().is_some() {
        return true;
    }
    match engine.memory.claim(stored.stored.len) {
        Some(share) => {
            let _ = identity.share.set(share);
            true
        }
        None => false,
    }
}

pub(super) fn keep_cached<B: Body>(
    node: &Node<B>,
    value: &Value<B::Output>,
    key: &KeyRow,
    stored: &StoredValue,
    hold: Option<Hold>,
    took: u64,
) {
    let header = &node.header;
    let now = header.flow.timestamp();
    let made_by = (header.flow.id, header.call().unwrap_or(CallId::ROOT));
    if let Value::Shared(value) = value {
        let value = Arc::clone(value) as Arc<dyn Any + Send + Sync>;
        let logged = header.flow.live_log.of_task_run(header);
        let hit = Hit::of(value, stored.clone(), made_by, now, logged);
        header.flow.engine.cache.put(key.digest, hit);
    }
    if let Some(store) = &header.flow.engine.store
        && header.definition.cache != CacheOption::Run
    {
        let row = Change::Cache(Box::new(CacheRow {
            key: key.clone(),
            task_id: B::task_id(header.definition),
            task: header.definition.name.to_owned(),
            value: stored.clone(),
            made_by,
            made_at: now,
            took,
            used_at: now,
            is_pinned: false,
        }));
        push(&header.flow, store, row, hold);
    }
}

/// Records that a task run has come to its result; waits for it to be on disk where that was asked
/// for.
pub(super) async fn record_end<B: Body>(
    node: &Arc<Node<B>>,
    recorder: &Recorder,
    state: State,
    hold: Option<Hold>,
) -> Result<(), Failure> {
    let header = &node.header;
    let identity = header.identity_mut();
    let position = recorder.push_task_run(header, identity, state, Some(header.flow.now()), hold);
    let Some(position) = position else {
        return Ok(());
    };
    identity.set_recorded(true);
    if recorder.store.durability == Durability::Strict {
        let committed = recorder
            .store
            .journal
            .flushed(recorder.fence(), position)
            .await;
        committed.map_err(|error| recorder::failure(&error))?;
    }
    Ok(())
}

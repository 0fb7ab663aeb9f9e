//! Cached results: found at once, in memory, or in the store, and given to a node.

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;

use crate::body::Body;
use crate::cache::Hit;
use crate::compute;
use crate::definition::CacheOption;
use crate::error::Failure;
use crate::flow::Flow;
use crate::identity::Source;
use crate::node::{Header, Node};
use crate::recorder::{self, EngineStore};
use crate::state::State;
use crate::store::{CacheRow, Change, KeyRow, Place, ResultOrigin, StoredValue, Timestamp};
use crate::tracking::FoundLog;
use crate::value::{Digest, Files};

use super::inputs::{inputs_of, key_of};
use super::is_cached;
use super::keep::{push, record_end};
use super::load::load;

/// How old the mark of a cache entry's last use may be before it is renewed.
const USED: Duration = Duration::from_secs(60 * 60);

/// How a cached result stands to the age that it may have.
pub(super) enum Age {
    /// Within it.
    Fresh,
    /// Past it, and within what the task puts up with while a new one is made.
    Stale,
}

/// Gives a cached node its result, if that is at hand and the key takes no time: then nothing has to
/// be waited for.
pub(crate) fn hit_at_once<B: Body>(node: &Arc<Node<B>>) -> bool {
    let header = &node.header;
    let engine = &header.flow.engine;
    let recorder = header.flow.recorder();
    let can_be = is_cached(header.definition)
        && !B::HAS_ROLLBACK
        && !engine.faults.concern_body::<B>()
        && !engine.is_refreshed(header)
        && recorder.is_none_or(|recorder| recorder.records_at_once(header));
    if !can_be {
        return false;
    }
    let Some(args) = node.take_inputs() else {
        return false;
    };
    let found = key_of::<B>(node, &args, Files::AtOnce)
        .ok()
        .and_then(|(key, _)| Some((find_at_once(node, key.digest)?, key.digest)));
    let Some(((value, hit), key)) = found else {
        node.put_inputs_back(args);
        return false;
    };
    let identity = header.identity_mut();
    header.flow.live_log.found(header, &hit.logged, hit.origin);
    let _ = identity.stored.set(hit.stored);
    let _ = identity.source.set(Source::Cache(hit.origin));
    node.keep_shared(value);
    if let Some(recorder) = recorder {
        let inputs = inputs_of(&args, Some((key, false)));
        let _ = identity.inputs.set(inputs);
        let parts = Vec::new();
        let _ = identity.key.set(KeyRow { digest: key, parts });
        identity.set_execution(recorder.next_execution());
        let now = Some(header.flow.now());
        recorder.push_task_run(header, identity, State::Cached, now, None);
        identity.set_recorded(true);
    }
    true
}

/// Looks for a small result where nothing has to be waited for.
fn find_at_once<B: Body>(node: &Node<B>, key: Digest) -> Option<(Arc<B::Output>, Hit)> {
    let header = &node.header;
    let engine = &header.flow.engine;
    let is_fresh = |made_at| matches!(age_of(header, made_at), Some(Age::Fresh));
    if let Some(hit) = engine.cache.get(&key).filter(|hit| is_fresh(hit.made_at)) {
        let value = in_hit::<B>(&hit)?;
        return Some((value, hit));
    }
    let store = engine.store.as_ref()?;
    let row = store.runs.cached(key).now_or_never()?.ok()??;
    let (Place::Inline(bytes), true) = (&row.value.place, is_fresh(row.made_at)) else {
        return None;
    };
    let value = B::codec()?.decode(&row.value.stored, bytes).ok()?;
    let hit = hit_of(&header.flow, store, row);
    Some((Arc::new(value), hit))
}

/// A cached result that a store has, noted as used.
fn hit_of(flow: &Flow, store: &EngineStore, row: CacheRow) -> Hit {
    let now = flow.timestamp();
    // Eviction looks at the day, not at the second.
    if now.0.saturating_sub(row.used_at.0) as u128 > USED.as_nanos() {
        let used = Change::CacheUsed {
            key: row.key.digest,
            at: now,
        };
        push(flow, store, used, None);
    }
    Hit {
        value: None,
        stored: row.value,
        origin: ResultOrigin::Cached {
            run: row.made_by.0,
            call: row.made_by.1,
        },
        made_at: row.made_at,
        logged: FoundLog::InStore,
    }
}

/// Gives a node the result that was found. Gives the arguments back if it was not there after all.
pub(super) async fn take_hit<B: Body>(
    node: &Arc<Node<B>>,
    args: B::Args,
    hit: Hit,
) -> Result<Option<B::Args>, Failure> {
    if let Some(value) = in_hit::<B>(&hit) {
        drop(args);
        take_value(node, hit, value).await?;
        return Ok(None);
    }
    let rest = settle(node, args, hit.stored, Source::Cache(hit.origin)).await;
    if rest.is_none() {
        let header = &node.header;
        header.flow.live_log.found(header, &hit.logged, hit.origin);
        record_found(node).await?;
    }
    Ok(rest)
}

/// Returns the result that was found, if it is in memory.
fn in_hit<B: Body>(hit: &Hit) -> Option<Arc<B::Output>> {
    Arc::clone(hit.value.as_ref()?).downcast().ok()
}

/// Brings the result that was found into memory.
pub(super) async fn load_hit<B: Body>(node: &Node<B>, hit: &Hit) -> Option<Arc<B::Output>> {
    if let Some(value) = in_hit::<B>(hit) {
        return Some(value);
    }
    let flow = &node.header.flow;
    let (codec, blobs) = (B::codec()?, Arc::clone(flow.engine.blobs()?));
    let stored = hit.stored.clone();
    let job = move || recorder::get(&*blobs, codec, &stored);
    let found = compute::call_under_way(&flow.engine, flow.runtime(), job).await;
    found.ok().flatten().map(Arc::new)
}

/// Ends a node with the result that was found.
pub(super) async fn take_value<B: Body>(
    node: &Arc<Node<B>>,
    hit: Hit,
    value: Arc<B::Output>,
) -> Result<(), Failure> {
    let header = &node.header;
    header.flow.live_log.found(header, &hit.logged, hit.origin);
    let identity = header.identity_mut();
    let _ = identity.stored.set(hit.stored);
    let _ = identity.source.set(Source::Cache(hit.origin));
    node.keep_shared(value);
    record_found(node).await
}

/// Gives a node a stored result: at once if it is small, else when somebody needs it. Gives the
/// arguments back if the result is not there.
pub(super) async fn settle<B: Body>(
    node: &Arc<Node<B>>,
    args: B::Args,
    value: StoredValue,
    source: Source,
) -> Option<B::Args> {
    let header = &node.header;
    let (Some(codec), Some(blobs)) = (B::codec(), header.flow.engine.blobs()) else {
        return Some(args);
    };
    match &value.place {
        Place::Inline(_) => match recorder::get(&**blobs, codec, &value) {
            Some(result) => node.keep(result),
            None => return Some(args),
        },
        Place::Blob => {
            if !matches!(blobs.contains(&value.stored.digest), Ok(true)) {
                tracing::warn!(
                    target: "orch",
                    task_run = header.name(),
                    "its stored result is gone; it runs again"
                );
                return Some(args);
            }
            // Should the bytes turn out to be damaged, the body has what it needs to run again.
            node.put_inputs_back(args);
            let identity = header.identity_mut();
            let _ = identity.stored.set(value);
            let _ = identity.source.set(source);
            identity.set_unloaded(true);
            // The map that an item belongs to takes its result when it has ended.
            if header.is_item() && load(Arc::clone(node)).await.is_ok() {
                identity.set_unloaded(false);
            }
            return None;
        }
    }
    let _ = header.identity_mut().stored.set(value);
    let _ = header.identity_mut().source.set(source);
    None
}

/// Records a task run that ends with what the cache had.
async fn record_found<B: Body>(node: &Arc<Node<B>>) -> Result<(), Failure> {
    match node.header.flow.recorder() {
        Some(recorder) => record_end(node, recorder, State::Cached, None).await,
        None => Ok(()),
    }
}

/// Looks a key up, in memory and then in the store.
pub(super) async fn look_up<B: Body>(node: &Arc<Node<B>>, key: &KeyRow) -> Option<(Hit, Age)> {
    let header = &node.header;
    let flow = &header.flow;
    let engine = &flow.engine;
    if engine.is_refreshed(header) {
        return None;
    }
    let in_memory = engine.cache.get(&key.digest).and_then(|hit| {
        let age = age_of(header, hit.made_at)?;
        Some((hit, age))
    });
    let Some(store) = &engine.store else {
        return in_memory;
    };
    if let Some((hit, Age::Fresh)) = in_memory {
        return Some((hit, Age::Fresh));
    }
    // Another process may have made a newer one.
    let row = match store.runs.cached(key.digest).await {
        Ok(row) => row,
        Err(error) => {
            tracing::warn!(target: "orch", "{error}; the cache counts as empty");
            None
        }
    };
    let Some((row, age)) = row.and_then(|row| {
        let age = age_of(header, row.made_at)?;
        Some((row, age))
    }) else {
        return in_memory;
    };
    Some((hit_of(flow, store, row), age))
}

/// How old a result of a task run is; `None` if it is too old.
fn age_of(header: &Header, made_at: Timestamp) -> Option<Age> {
    let definition = header.definition;
    let CacheOption::GlobalFor(limit) = definition.cache else {
        return Some(Age::Fresh);
    };
    let Timestamp(now) = header.flow.timestamp();
    let age = u128::try_from(now.saturating_sub(made_at.0)).unwrap_or(0);
    let stale = limit.saturating_add(definition.stale_ok.unwrap_or_default());
    if age <= limit.as_nanos() {
        Some(Age::Fresh)
    } else {
        (age <= stale.as_nanos()).then_some(Age::Stale)
    }
}

//! Bringing results that are only in the store into memory.

use std::sync::Arc;

use crate::body::Body;
use crate::compute;
use crate::error::{Failure, TaskErrorKind};
use crate::flow::Busy;
use crate::input::Arguments;
use crate::node::{AnyNode as _, Node, NodeRef};
use crate::recorder;
use crate::store::Change;

use super::keep::push;

/// Brings those results into memory of which no digest tells what is used.
pub(super) fn load_parts<A: Arguments>(
    args: &A,
) -> impl Future<Output = Result<(), Failure>> + Send + use<A> {
    let mut missing: Vec<NodeRef> = Vec::new();
    args.visit(&mut |upstream| {
        if upstream.header.is_unloaded() && !upstream.has_digest {
            missing.push((upstream.node)());
        }
    });
    async move {
        for node in missing {
            node.load().await?;
        }
        Ok(())
    }
}

/// Brings the results of the upstream task runs into memory.
pub(crate) fn load_inputs<A: Arguments>(
    args: &A,
) -> impl Future<Output = Result<(), Failure>> + Send + use<A> {
    let mut missing: Vec<NodeRef> = Vec::new();
    args.visit(&mut |upstream| {
        if upstream.header.is_unloaded() {
            missing.push((upstream.node)());
        }
    });
    async move {
        for node in missing {
            node.load().await?;
        }
        Ok(())
    }
}

/// Brings the result of a node into memory: from the store, or, should it be lost, by running the
/// task again.
pub(crate) async fn load<B: Body>(node: Arc<Node<B>>) -> Result<(), Failure> {
    let header = &node.header;
    let Some(stored) = header.identity().and_then(|identity| identity.stored.get()) else {
        return Ok(());
    };
    let _busy = header.flow.rehearsal().map(Busy::of);
    let _loading = header.identity_mut().loading.lock().await;
    if node.has_result() {
        return Ok(());
    }
    let flow = &header.flow;
    let (Some(codec), Some(blobs)) = (B::codec(), flow.engine.blobs()) else {
        return Ok(());
    };
    let (blobs, value) = (Arc::clone(blobs), stored.clone());
    let job = move || recorder::get(&*blobs, codec, &value);
    let found = compute::call_under_way(&flow.engine, flow.runtime(), job)
        .await
        .map_err(|compute::Gone| Failure::last(TaskErrorKind::RuntimeShutDown))?;
    if let Some(result) = found {
        node.keep(result);
        let share = flow.engine.memory.take(stored.stored.len);
        let _ = header.identity_mut().share.set(share);
        // They were kept for the other case.
        node.clear_inputs();
        return Ok(());
    }
    let lost = || {
        if let Some(recorder) = flow.recorder() {
            recorder.lose_result();
        }
        Failure::last(TaskErrorKind::CacheLost {
            task_run: header.name().to_owned(),
        })
    };
    let Some(args) = node.take_inputs() else {
        return Err(lost());
    };
    if let Some(key) = header.identity().and_then(|identity| identity.key.get()) {
        flow.engine.cache.remove(&key.digest);
        if let Some(store) = &flow.engine.store {
            push(flow, store, Change::CacheDropped { key: key.digest }, None);
        }
    }
    let loading = load_inputs(&args);
    Box::pin(loading).await?;
    tracing::warn!(
        target: "orch",
        task_run = header.name(),
        "its stored result was lost; it runs again"
    );
    let result = B::attempt(&node, args).await?;
    let again = match &flow.engine.store {
        Some(store) => store
            .put(codec, &result)
            .ok()
            .map(|kept| kept.value.stored.digest),
        None => codec.identify(&result).ok().map(|stored| stored.digest),
    };
    if again.is_none_or(|again| again != stored.stored.digest) {
        return Err(lost());
    }
    node.keep(result);
    Ok(())
}

//! The right to execute for a key: here and among processes, and to make a stale result anew.

use std::sync::{Arc, OnceLock, PoisonError};

use crate::body::Body;
use crate::cache::Flight;
use crate::definition::FlowDefinition;
use crate::flow::NodeSpec;
use crate::identity::Identity;
use crate::node::Node;
use crate::recorder::Claim;
use crate::store::KeyRow;
use crate::task_run::TaskRun;

/// Makes a new result for a key whose result has outlived its age, unless somebody does already.
/// It runs beside the flow run that found it: that one does not wait, and does not fail with it.
pub(super) async fn refresh<B: Body>(node: &Arc<Node<B>>, args: B::Args, key: &KeyRow) {
    let header = &node.header;
    let engine = &header.flow.engine;
    let Some(flight) = engine.cache.try_lead(key.digest) else {
        return;
    };
    let Some(claim) = claim_elsewhere(node, key).await else {
        return;
    };
    let leading = Leading::of(claim, flight);
    let flow = engine.start_bare(&REFRESH);
    let mut spec = NodeSpec::new(header.definition, header.kind);
    let identity = Identity::of_refresh(key.digest, leading);
    spec.detail.get_or_insert_default().identity = OnceLock::from(identity);
    let Some(runtime) = flow.runtime().cloned() else {
        return;
    };
    let run = TaskRun::first(flow.submit::<B>(spec, args, node.again));
    drop(runtime.spawn(async move {
        if let Err(error) = run.await {
            tracing::warn!(
                target: "orch",
                "a cached result was not refreshed: {error}; the old one stays as long as it may"
            );
        }
    }));
}

/// Takes the right to execute that a refreshing node was submitted with.
pub(super) fn refreshing(identity: &Identity, key: &KeyRow) -> Option<Leading> {
    let mut refreshing = identity
        .refreshing
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    let (of, leading) = refreshing.take()?;
    // A file among the arguments may have changed since.
    (of == key.digest).then_some(leading)
}

/// The flow that refreshing task runs belong to.
static REFRESH: FlowDefinition = FlowDefinition::new("refresh", "", "", 0, "");

/// The right to execute for a key, here and among the processes of a folder.
#[derive(Default)]
pub(crate) struct Leading {
    _claim: Option<Claim>,
    /// Last: who waits here goes on when the others can as well.
    _flight: Option<Flight>,
}

impl Leading {
    pub(super) fn of(claim: Option<Claim>, flight: Flight) -> Self {
        Self {
            _claim: claim,
            _flight: Some(flight),
        }
    }
}

impl std::fmt::Debug for Leading {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Leading").finish_non_exhaustive()
    }
}

/// Claims a key among the processes of a folder. `None` while another one has it.
pub(super) async fn claim_elsewhere<B: Body>(
    node: &Node<B>,
    key: &KeyRow,
) -> Option<Option<Claim>> {
    let Some(store) = &node.header.flow.engine.store else {
        return Some(None);
    };
    match store.claim(key.digest).await {
        Ok(claim) => claim.map(Some),
        Err(error) => {
            // Twice executed is better than not at all.
            tracing::warn!(target: "orch", "{error}; the execution is not claimed");
            Some(None)
        }
    }
}

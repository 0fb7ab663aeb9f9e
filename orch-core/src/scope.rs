//! What a task run was submitted under.

use std::any::Any;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::body::Body;
use crate::definition::Definition;
use crate::identity::Calls;
use crate::node::Node;
use crate::report::TaskCounts;
use crate::state::State;
use crate::stop::Stop;
use crate::store::CallId;

/// What a task run was submitted under, if not by the flow body itself: another task run, a map,
/// a group, a cleanup.
pub(crate) struct Scope {
    parent: Option<Arc<Scope>>,
    /// The node it belongs to.
    pub(crate) node_index: u32,
    stop: AtomicU8,
    /// Cleanups run on when the flow run was stopped.
    is_exempt: bool,
    /// Whether a recorded result may be handed back for a call made here. Cleanups run each time.
    pub(crate) hands_back: bool,
    /// Inside of a map: its items are counted, not listed.
    pub(crate) items: Option<Arc<ItemCounts>>,
    pub(crate) seeds: Seeds,
    /// Names the calls made here, where the flow run is recorded.
    pub(crate) calls: Calls,
    /// Results of earlier passes over the calls made here.
    pub(crate) completed: Option<Arc<Completed>>,
}

/// Task runs by their calls, for passes that run only what did not complete.
#[derive(Default)]
pub(crate) struct Completed(Mutex<HashMap<CallId, Arc<dyn Any + Send + Sync>>>);

impl Completed {
    /// Returns the task run of a call, if there was one and it completed.
    pub(crate) fn get<B: Body>(&self, call: CallId) -> Option<Arc<Node<B>>> {
        let node = Arc::clone(self.lock().get(&call)?);
        let node = node.downcast::<Node<B>>().ok()?;
        node.header.state().is_success().then_some(node)
    }

    pub(crate) fn insert<B: Body>(&self, call: CallId, node: &Arc<Node<B>>) {
        let node = Arc::clone(node) as Arc<dyn Any + Send + Sync>;
        let before = self.lock().insert(call, node);
        drop(before);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<CallId, Arc<dyn Any + Send + Sync>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// In place of a node's index: the scope belongs to none.
pub(crate) const NO_NODE: u32 = u32::MAX;

/// The items of a map by how they ended.
#[derive(Default)]
pub(crate) struct ItemCounts {
    pub(crate) completed: AtomicU64,
    found: AtomicU64,
    pub(crate) failed: AtomicU64,
    pub(crate) cancelled: AtomicU64,
}

impl ItemCounts {
    /// Counts an ended item.
    pub(crate) fn count(&self, state: State) {
        let counter = if state.is_success() {
            &self.completed
        } else {
            &self.failed
        };
        counter.fetch_add(1, Ordering::Relaxed);
        if state.is_found() {
            self.found.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Counts items that were stopped.
    pub(crate) fn cancel(&self, items: u64) {
        self.cancelled.fetch_add(items, Ordering::Relaxed);
    }

    pub(crate) fn report(&self, task: &str) -> TaskCounts {
        TaskCounts {
            task: task.to_owned(),
            completed: self.completed.load(Ordering::Relaxed),
            found: self.found.load(Ordering::Relaxed),
            failed: self.failed.load(Ordering::Relaxed),
            cancelled: self.cancelled.load(Ordering::Relaxed),
        }
    }
}

impl Scope {
    pub(crate) fn new(
        parent: Option<Arc<Scope>>,
        node_index: u32,
        call: Option<CallId>,
        seed: u64,
    ) -> Self {
        let is_exempt = parent.as_ref().is_some_and(|parent| parent.is_exempt);
        let hands_back = parent.as_ref().is_none_or(|parent| parent.hands_back);
        let items = parent.as_ref().and_then(|parent| parent.items.clone());
        Self {
            parent,
            node_index,
            stop: AtomicU8::new(Stop::None as u8),
            is_exempt,
            hands_back,
            items,
            seeds: Seeds::new(seed),
            calls: Calls::of(call.unwrap_or_default()),
            completed: None,
        }
    }

    /// The scope of a branch of the flow body, or of a group in it.
    pub(crate) fn of_branch(
        parent: Option<&Arc<Self>>,
        seed: u64,
        calls: &Calls,
        name: &str,
    ) -> Self {
        let (index, seeds) = match parent {
            Some(parent) => (parent.node_index, &parent.seeds),
            None => (NO_NODE, &Seeds::new(seed)),
        };
        Self {
            completed: parent.and_then(|parent| parent.completed.clone()),
            ..Self::new(
                parent.cloned(),
                index,
                Some(calls.branch(name)),
                seeds.of_branch(name),
            )
        }
    }

    /// The scope of a map's items.
    pub(crate) fn of_items(mut self, items: Arc<ItemCounts>) -> Self {
        self.items = Some(items);
        self
    }

    /// A scope whose calls may take results of earlier passes.
    pub(crate) fn with_completed(mut self, completed: Arc<Completed>) -> Self {
        self.completed = Some(completed);
        self
    }

    /// The scope of a cleanup: it runs although its flow run was stopped.
    pub(crate) fn of_cleanups(seed: u64) -> Self {
        Self {
            parent: None,
            node_index: NO_NODE,
            stop: AtomicU8::new(Stop::None as u8),
            is_exempt: true,
            hands_back: false,
            items: None,
            seeds: Seeds::new(seed),
            calls: Calls::of(CallId::CLEANUP),
            completed: None,
        }
    }

    /// The scope of what undoes one execution of a call: done once, whatever is undone after other
    /// executions of it.
    pub(crate) fn of_undoing(seed: u64, call: CallId, execution: u64) -> Self {
        Self {
            hands_back: true,
            calls: Calls::of(call.undoing(execution)),
            ..Self::of_cleanups(seed)
        }
    }

    pub(crate) fn is_exempt(&self) -> bool {
        self.is_exempt
    }

    pub(crate) fn stop(&self, stop: Stop) {
        self.stop.fetch_max(stop as u8, Ordering::AcqRel);
    }

    /// Whether it belongs to this node, or to what that called.
    pub(crate) fn is_within(&self, node_index: u32) -> bool {
        let mut scope = self;
        loop {
            if scope.node_index == node_index {
                return true;
            }
            match &scope.parent {
                Some(parent) => scope = parent,
                None => return false,
            }
        }
    }

    /// How far this scope, or one around it, or the flow run, was stopped.
    pub(crate) fn stopped(&self, flow: Stop) -> Stop {
        let mut stop = Stop::None;
        let mut scope = self;
        loop {
            stop = stop.max(Stop::from_u8(scope.stop.load(Ordering::Acquire)));
            match &scope.parent {
                Some(parent) => scope = parent,
                None => break,
            }
        }
        if self.is_exempt { stop } else { stop.max(flow) }
    }
}

/// Gives each task run that asks a seed of its own, from where it stands and not from when it was
/// submitted.
pub(crate) struct Seeds {
    seed: u64,
    ordinals: Mutex<HashMap<usize, u64>>,
}

impl Seeds {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            seed,
            ordinals: Mutex::default(),
        }
    }

    /// Returns the seed of a branch.
    fn of_branch(&self, name: &str) -> u64 {
        let mut hasher = blake3::Hasher::new_derive_key("orch seed of a branch, version 1");
        hasher.update(&self.seed.to_le_bytes());
        hasher.update(name.as_bytes());
        first_u64(hasher.finalize())
    }

    /// Returns the seed for the next run of this task here.
    pub(crate) fn next(&self, definition: &'static Definition) -> u64 {
        let ordinal = {
            let mut ordinals = self.ordinals.lock().unwrap_or_else(PoisonError::into_inner);
            let ordinal = ordinals
                .entry(std::ptr::from_ref(definition) as usize)
                .or_default();
            *ordinal += 1;
            *ordinal
        };
        let mut hasher = blake3::Hasher::new();
        hasher.update(&self.seed.to_le_bytes());
        hasher.update(&ordinal.to_le_bytes());
        hasher.update(definition.module.as_bytes());
        hasher.update(b"::");
        hasher.update(definition.name.as_bytes());
        first_u64(hasher.finalize())
    }
}

/// Numbers from 0 up to 1 for retry jitter: the same for the same seed and attempt.
pub(crate) fn uniform(seed: u64, salt: u64) -> f64 {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&seed.to_le_bytes());
    hasher.update(&salt.to_le_bytes());
    // 53 bits: as many as an `f64` keeps.
    (first_u64(hasher.finalize()) >> 11) as f64 / (1u64 << 53) as f64
}

fn first_u64(hash: blake3::Hash) -> u64 {
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&hash.as_bytes()[..8]);
    u64::from_le_bytes(bytes)
}

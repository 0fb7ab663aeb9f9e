//! What a task run is to the cache and to the store: its call, its key, its stored result.
//!
//! Only task runs of a flow run that is recorded, or of a cached task, have one.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use crate::durable::Leading;
use crate::key::{CallHasher, KnownCall, branch_base, numbered};
use crate::memory::Share;
use crate::node::Header;
use crate::recorder::{Kept, NotStored};
use crate::report::EdgeKind;
use crate::state::StateChange;
use crate::store::{CallId, KeyRow, ResultOrigin, StoredValue, TaskRow, TaskRunRow, Timestamp};
use crate::value::Digest;

/// What a task run is to the cache and to the store.
#[derive(Debug, Default)]
pub(crate) struct Identity {
    /// Names the call within its flow run; there is one only where the flow run is recorded.
    pub(crate) call: Option<CallId>,
    /// Whether `call` holds all arguments, so that a recorded result may be handed back.
    pub(crate) is_complete: bool,
    /// The digest of the result, once somebody needed it.
    digest: OnceLock<Digest>,
    /// The result as it is stored.
    pub(crate) stored: OnceLock<StoredValue>,
    /// The cache key, for a cached task.
    pub(crate) key: OnceLock<KeyRow>,
    /// Where the result came from, if not from the body.
    pub(crate) source: OnceLock<Source>,
    /// What the inputs were when the task run started.
    pub(crate) inputs: OnceLock<[u8; 16]>,
    /// Set where an earlier execution of the flow run made this call with the same inputs: whether
    /// its code is what it was then.
    pub(crate) is_same_code: OnceLock<bool>,
    /// Tells one execution from another.
    execution: AtomicU64,
    /// What is recorded of the task.
    pub(crate) task: OnceLock<Arc<TaskRow>>,
    /// The calls it depends on.
    pub(crate) upstream: Vec<(CallId, EdgeKind)>,
    /// Whether a file is among its plain arguments.
    pub(crate) has_files: bool,
    /// How often its process was gone while it ran.
    pub(crate) crashes: AtomicU32,
    /// One thread at a time brings the result into memory.
    pub(crate) loading: tokio::sync::Mutex<()>,
    /// Whether the result is only in the store.
    is_unloaded: AtomicBool,
    /// What the result takes in memory, for one that is large and stored.
    pub(crate) share: OnceLock<Share>,
    /// Whether the result is recorded; then nothing that happens to this node changes the record.
    is_recorded: AtomicBool,
    /// When a result that was handed back was made.
    completed_at: OnceLock<Timestamp>,
    /// Set for a node that only makes a cached result anew: for which key.
    pub(crate) refreshing: Mutex<Option<(Digest, Leading)>>,
    /// The record that was handed back, for a task run that may have to be undone.
    pub(crate) record: OnceLock<Box<TaskRunRow>>,
    /// The result in its stored form, where that was made together with it.
    stored_ahead: Mutex<Option<Result<Kept, NotStored>>>,
    /// Whether a file changed while it was read: the result is of no certain input.
    is_tainted: AtomicBool,
}

/// Where a result came from that no body returned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    /// The cache.
    Cache(ResultOrigin),
    /// A recorded run of the same call.
    Record(ResultOrigin),
}

impl Identity {
    fn of_call(call: CallId, known: KnownCall) -> Self {
        Self {
            call: Some(call),
            is_complete: known.is_complete,
            has_files: known.has_files,
            ..Self::default()
        }
    }

    /// What a node is that only makes a cached result anew.
    pub(crate) fn of_refresh(key: Digest, leading: Leading) -> Self {
        Self {
            refreshing: Mutex::new(Some((key, leading))),
            ..Self::default()
        }
    }

    /// Returns the digest of the result, if anybody knows it.
    pub(crate) fn digest(&self) -> Option<Digest> {
        self.digest
            .get()
            .copied()
            .or_else(|| self.stored.get().map(|value| value.stored.digest))
    }

    /// Notes the digest of the result.
    pub(crate) fn set_digest(&self, digest: Digest) {
        let _ = self.digest.set(digest);
    }

    pub(crate) fn set_stored_ahead(&self, stored: Result<Kept, NotStored>) {
        *self
            .stored_ahead
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Some(stored);
    }

    pub(crate) fn take_stored_ahead(&self) -> Option<Result<Kept, NotStored>> {
        self.stored_ahead
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
    }

    pub(crate) fn set_unloaded(&self, is_unloaded: bool) {
        self.is_unloaded.store(is_unloaded, Ordering::Release);
    }

    pub(crate) fn completed_at(&self) -> Option<Timestamp> {
        self.completed_at.get().copied()
    }

    pub(crate) fn set_completed_at(&self, at: Option<Timestamp>) {
        if let Some(at) = at {
            let _ = self.completed_at.set(at);
        }
    }

    pub(crate) fn is_recorded(&self) -> bool {
        self.is_recorded.load(Ordering::Acquire)
    }

    pub(crate) fn set_recorded(&self, is_recorded: bool) {
        self.is_recorded.store(is_recorded, Ordering::Release);
    }

    pub(crate) fn is_tainted(&self) -> bool {
        self.is_tainted.load(Ordering::Acquire)
    }

    pub(crate) fn set_tainted(&self) {
        self.is_tainted.store(true, Ordering::Release);
    }

    /// The change of state of a run that has its result.
    pub(crate) fn completion(&self) -> StateChange {
        match self.source.get() {
            None => StateChange::Complete,
            Some(Source::Cache(_)) => StateChange::HitCache,
            Some(Source::Record(_)) => StateChange::Reuse,
        }
    }

    pub(crate) fn execution(&self) -> u64 {
        self.execution.load(Ordering::Relaxed)
    }

    pub(crate) fn set_execution(&self, execution: u64) {
        self.execution.store(execution, Ordering::Relaxed);
    }
}

impl Header {
    /// Returns what the task run is to the cache and the store, if it is anything to them.
    pub(crate) fn identity(&self) -> Option<&Identity> {
        self.detail().and_then(|detail| detail.identity.get())
    }

    /// The same, made if it was not there.
    pub(crate) fn identity_mut(&self) -> &Identity {
        self.detail_mut().identity.get_or_init(Identity::default)
    }

    /// Whether the result is only in the store.
    pub(crate) fn is_unloaded(&self) -> bool {
        self.identity()
            .is_some_and(|identity| identity.is_unloaded.load(Ordering::Acquire))
    }

    /// Names the call, where the flow run is recorded.
    pub(crate) fn call(&self) -> Option<CallId> {
        self.identity().and_then(|identity| identity.call)
    }
}

/// Which part of a task run's result a handle is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// All of it.
    Whole,
    /// An element of a tuple.
    Element(u8),
    /// What a function finds in it.
    Other,
}

/// Where an argument comes from, as its handle shows it.
pub(crate) struct Origin<'a> {
    /// The task run; `None` for a plain value in a handle's clothes.
    pub(crate) header: Option<&'a Header>,
    pub(crate) part: Part,
    /// The digest of what the handle is on, if it is known.
    pub(crate) digest: Option<Digest>,
}

impl<'a> Origin<'a> {
    /// What is known of a whole result.
    pub(crate) fn whole(header: &'a Header) -> Self {
        Self {
            header: Some(header),
            part: Part::Whole,
            digest: header.identity().and_then(Identity::digest),
        }
    }

    /// What is known of a part of it.
    pub(crate) fn part(self, part: Part) -> Self {
        let part = match (self.part, part) {
            (Part::Whole, part) => part,
            (own, Part::Whole) => own,
            // A part of a part has no name.
            _ => Part::Other,
        };
        let digest = match part {
            Part::Whole => self.digest,
            Part::Element(index) => self
                .header
                .and_then(Header::identity)
                .and_then(|identity| identity.stored.get())
                .and_then(|value| value.stored.parts.get(usize::from(index)).copied()),
            Part::Other => None,
        };
        Self {
            part,
            digest,
            ..self
        }
    }
}

/// Names the calls made in one place: the flow body, a task run, a map, a group.
#[derive(Debug, Default)]
pub(crate) struct Calls {
    /// The place.
    scope: CallId,
    /// How many equal calls there were, by their name without its ordinal.
    ordinals: Mutex<HashMap<[u8; 16], u32>>,
}

impl Calls {
    pub(crate) fn of(scope: CallId) -> Self {
        Self {
            scope,
            ordinals: Mutex::default(),
        }
    }

    pub(crate) fn scope(&self) -> CallId {
        self.scope
    }

    /// Counts the call among its equals and returns what it is to the store.
    pub(crate) fn identify(&self, call: CallHasher) -> Identity {
        let known = call.finish();
        Identity::of_call(self.number(known.base), known)
    }

    /// Names a branch of this place.
    pub(crate) fn branch(&self, name: &str) -> CallId {
        self.number(branch_base(self.scope, name))
    }

    fn number(&self, base: [u8; 16]) -> CallId {
        let ordinal = {
            let mut ordinals = self.ordinals.lock().unwrap_or_else(PoisonError::into_inner);
            let next = ordinals.entry(base).or_default();
            let ordinal = *next;
            *next += 1;
            ordinal
        };
        numbered(base, ordinal)
    }
}

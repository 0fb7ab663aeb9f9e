//! The durable hooks of an engine, and what is not delivered to them yet.

use std::sync::Arc;

use crate::hook::{DurableHook, DurableHookError};
use crate::outbox::{Hooks, Outbox};
use crate::recorder::EngineStore;
use crate::store::{
    Durability, MemoryBlobs, MemoryStore, NoticeFilter, NoticeRow, OnStoreFailure, StoreError,
};

use super::{Clock, Engine, EngineBuilder};

impl EngineBuilder {
    /// Adds a function that is told of changes of state at least once, also after a restart.
    ///
    /// Notices are delivered from when the engine is made within a Tokio runtime; one that is made
    /// outside of it begins with its first flow run. [`Engine::drain`] delivers what is due before a
    /// program ends.
    ///
    /// # Errors
    /// [`DurableHookError`] if there is one of this name, or if it would never be called.
    pub fn durable_hook(mut self, hook: DurableHook) -> Result<Self, DurableHookError> {
        hook.check()?;
        if self.durable_hooks.iter().any(|it| it.name() == hook.name()) {
            let hook = hook.name().to_owned();
            return Err(DurableHookError::NameTaken { hook });
        }
        self.durable_hooks.push(hook);
        Ok(self)
    }
}

impl Engine {
    /// Returns the notices that were not delivered yet, the oldest first: those for hooks of this
    /// engine, and on an engine with a store also those that another process left, and those for
    /// hooks that nobody has any more. Those stay until an engine has a
    /// [`DurableHook`] of that name.
    ///
    /// # Errors
    /// [`StoreError`] if the store cannot be read.
    pub fn undelivered(&self) -> Result<Vec<NoticeRow>, StoreError> {
        let of_outbox = self.0.outbox.as_ref().map(Outbox::store);
        match self.0.store.as_ref().or(of_outbox) {
            Some(store) => store
                .journal
                .query(|runs| async move { runs.undelivered(NoticeFilter::default()).await }),
            None => Ok(Vec::new()),
        }
    }
}

/// The outbox of an engine that has durable hooks.
pub(super) fn outbox(
    hooks: Option<Arc<Hooks>>,
    store: Option<&Arc<EngineStore>>,
    clock: Clock,
) -> Option<Outbox> {
    let hooks = hooks?;
    let store = match store {
        Some(store) => Arc::clone(store),
        None => {
            let in_memory = EngineStore::new(
                Arc::new(MemoryStore::new()),
                Arc::new(MemoryBlobs::new()),
                Durability::Relaxed,
                OnStoreFailure::Fail,
            );
            Arc::new(in_memory.telling(Some(Arc::clone(&hooks))))
        }
    };
    Some(Outbox::new(hooks, store, clock))
}

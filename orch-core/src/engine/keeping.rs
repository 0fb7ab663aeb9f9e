//! What a store keeps, and for how long.

use crate::id::FlowRunId;
use crate::store::{CacheRow, Change, StoreError};
use crate::value::Digest;

use super::Engine;

impl Engine {
    /// Returns the cached results of the store, the last used first; none on an engine without one.
    ///
    /// # Errors
    /// [`StoreError`] if the store cannot be read.
    pub fn cached_results(&self) -> Result<Vec<CacheRow>, StoreError> {
        match &self.0.store {
            Some(store) => store
                .journal
                .call(|runs| async move { runs.cache_entries().await }),
            None => Ok(Vec::new()),
        }
    }

    /// Keeps a cached result whatever the budget says, or no longer. Returns whether there is one.
    ///
    /// # Errors
    /// [`StoreError`] if the store cannot be written.
    pub fn pin_cached(&self, key: Digest, is_pinned: bool) -> Result<bool, StoreError> {
        match &self.0.store {
            Some(store) => store
                .journal
                .call(move |runs| async move { runs.pin_key(key, is_pinned).await }),
            None => Ok(false),
        }
    }

    /// Forgets a cached result, unless it is pinned. One that is not there is no error. Other
    /// engines may still have it in memory.
    ///
    /// # Errors
    /// [`StoreError`] if the store cannot be written.
    pub fn forget_cached(&self, key: Digest) -> Result<(), StoreError> {
        self.0.cache.remove(&key);
        match &self.0.store {
            Some(store) => {
                let durability = store.durability;
                store.journal.call(move |runs| async move {
                    let change = [Change::CacheDropped { key }];
                    runs.commit(&change, &[], durability).await
                })
            }
            None => Ok(()),
        }
    }

    /// Keeps a flow run and all its values until it is unpinned.
    ///
    /// # Errors
    /// [`StoreError`] if the store cannot be written.
    pub fn pin_run(&self, run: FlowRunId, is_pinned: bool) -> Result<(), StoreError> {
        match &self.0.store {
            Some(store) => store
                .journal
                .call(move |runs| async move { runs.pin(run, is_pinned).await }),
            None => Ok(()),
        }
    }
}

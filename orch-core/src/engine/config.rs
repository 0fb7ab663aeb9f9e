//! The settings of an engine.

#[cfg(feature = "config")]
use std::collections::BTreeMap;
use std::time::Duration;

use crate::policy::failure_mode::FailureMode;
use crate::store::{CacheBudget, Durability, OnStoreFailure, Retention};

#[cfg(feature = "config")]
use super::SettingSource;

/// The settings of an engine.
#[derive(Debug, Clone)]
pub(crate) struct Config {
    pub(crate) failure_mode: FailureMode,
    pub(crate) grace: Duration,
    pub(crate) seed: Option<u64>,
    pub(crate) workers: Option<usize>,
    pub(crate) record_limit: u32,
    pub(crate) log_limit: usize,
    pub(super) event_capacity: usize,
    pub(super) compute_threads: Option<usize>,
    pub(super) memory_budget: Option<u64>,
    pub(super) memory_cache: usize,
    pub(super) cache_per_build: bool,
    pub(super) refresh: Vec<String>,
    pub(super) durability: Durability,
    pub(super) on_store_failure: OnStoreFailure,
    pub(super) retention: Retention,
    pub(super) cache_budget: CacheBudget,
    /// Who says what a setting is, where somebody does.
    #[cfg(feature = "config")]
    pub(super) sources: BTreeMap<String, SettingSource>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            failure_mode: FailureMode::FailFast,
            grace: Duration::from_secs(5),
            seed: None,
            workers: None,
            record_limit: 100_000,
            log_limit: 10_000,
            event_capacity: 4_096,
            compute_threads: None,
            memory_budget: None,
            memory_cache: 256 * 1024 * 1024,
            cache_per_build: false,
            refresh: Vec::new(),
            durability: Durability::Relaxed,
            on_store_failure: OnStoreFailure::Fail,
            retention: Retention::default(),
            cache_budget: CacheBudget::default(),
            #[cfg(feature = "config")]
            sources: BTreeMap::new(),
        }
    }
}

#[cfg(not(feature = "config"))]
impl Config {
    /// Nobody asks.
    pub(super) fn set_by_program(&mut self, _key: impl Into<String>) {}
}

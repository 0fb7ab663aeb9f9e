//! What a further attempt takes of its task's limits.

use std::error::Error;
use std::fmt;

use crate::definition::LimitUse;
use crate::error::TaskErrorKind;

/// The limits of a task run between two attempts, for the function that the option
/// `limit_on_retry` names: it sets what the next attempt takes.
///
/// ```
/// use orch_core::prelude::*;
/// use orch_core::RetryLimits;
/// # use orch_core::testing::TestEngine;
///
/// #[derive(Debug, thiserror::Error)]
/// #[error("out of memory")]
/// struct OutOfMemory;
///
/// /// Twice the memory after an attempt that had too little of it.
/// fn more_ram(retry: &mut RetryLimits<'_>) {
///     if retry.failed_with::<OutOfMemory>().is_some() {
///         retry.multiply("ram", 2);
///     }
/// }
///
/// #[task(retries = 2, limit = ("ram", 8), limit_on_retry = more_ram)]
/// async fn sort(context: &TaskContext) -> Result<u32, OutOfMemory> {
///     context.limit("ram").filter(|gigabytes| *gigabytes >= 20).ok_or(OutOfMemory)
/// }
///
/// #[flow]
/// async fn sorts() -> Result<u32, TaskError> {
///     Ok(*sort().await?)
/// }
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
/// // The third attempt would take 32, and there are 24.
/// let engine = Engine::builder().limit("ram", 24).build();
/// assert_eq!(sorts().on(&engine).await.unwrap(), 24);
/// # });
/// ```
pub struct RetryLimits<'a> {
    attempt: u32,
    failed: &'a TaskErrorKind,
    uses: &'a mut Vec<LimitUse>,
}

impl<'a> RetryLimits<'a> {
    /// `uses` has each limit once.
    pub(crate) fn new(
        attempt: u32,
        failed: &'a TaskErrorKind,
        uses: &'a mut Vec<LimitUse>,
    ) -> Self {
        Self {
            attempt,
            failed,
            uses,
        }
    }
}

impl RetryLimits<'_> {
    /// Returns the number of the attempt that is to start, from 2.
    pub fn attempt(&self) -> u32 {
        self.attempt
    }

    /// Returns how the attempt before it failed.
    pub fn failed(&self) -> &TaskErrorKind {
        self.failed
    }

    /// Looks for an error of type `E`: what the attempt before it returned, or a cause of it.
    pub fn failed_with<E: Error + 'static>(&self) -> Option<&E> {
        let TaskErrorKind::Failed(error) = self.failed else {
            return None;
        };
        let mut next: Option<&(dyn Error + 'static)> = Some(&**error);
        while let Some(error) = next {
            if let Some(found) = error.downcast_ref::<E>() {
                return Some(found);
            }
            next = error.source();
        }
        None
    }

    /// Returns how many slots of a limit the attempt before it took; `None` if the task run does
    /// not take this limit. A name with an input in it is the one that was made of it.
    pub fn slots(&self, limit: &str) -> Option<u32> {
        let one = self.uses.iter().find(|one| one.name == limit)?;
        Some(one.weight)
    }

    /// Sets how many slots of a limit the next attempt takes: at least one, and no more than the
    /// limit has by then. Without effect, but for a warning in the logs, if the task run does not
    /// take this limit.
    pub fn set(&mut self, limit: &str, slots: u32) {
        match self.uses.iter_mut().find(|one| one.name == limit) {
            Some(one) => one.weight = slots.max(1),
            None => tracing::warn!(
                target: "orch",
                limit,
                "`limit_on_retry` sets a limit that the task run does not take"
            ),
        }
    }

    /// Lets the next attempt take `factor` times as many slots of a limit, as [`set`](Self::set)
    /// would.
    pub fn multiply(&mut self, limit: &str, factor: u32) {
        let slots = self.slots(limit).unwrap_or(1);
        self.set(limit, slots.saturating_mul(factor));
    }
}

impl fmt::Debug for RetryLimits<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RetryLimits")
            .field("attempt", &self.attempt)
            .field("failed", &self.failed)
            .field("uses", &self.uses)
            .finish()
    }
}

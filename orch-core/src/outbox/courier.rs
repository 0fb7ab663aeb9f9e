//! Who delivers the notices of one hook: in order, one at a time, and among the processes of a folder
//! one at a time.

use std::sync::{Arc, Weak};
use std::time::Duration;

use super::Registered;
use crate::engine::Clock;
use crate::recorder::EngineStore;
use crate::store::{Change, Durability, NoticeFilter, NoticeRow, StoreError, Timestamp, block_on};

/// The wait after the first failure; each further one doubles it.
const FIRST_WAIT: Duration = Duration::from_secs(1);

/// No wait is longer: what comes back after a day is not to be found out a day later.
const LONGEST_WAIT: Duration = Duration::from_secs(5 * 60);

/// How soon to look again whether another process has delivered its notices, at first and at most.
/// No process can tell another one.
const FOREIGN_DELIVERY: [Duration; 2] = [Duration::from_millis(20), Duration::from_secs(1)];

/// Delivers the notices of one hook.
pub(super) struct Courier {
    hook: Arc<Registered>,
    /// Nobody who waits for news keeps a store open.
    store: Weak<EngineStore>,
    clock: Clock,
}

/// What a courier waits for that has delivered what it can.
enum Until {
    /// The next commit with a notice.
    News,
    /// The time of the notice that is the next in turn.
    Due(Timestamp),
    /// Another engine to be done with what it delivers.
    Free,
}

/// Why a courier cannot go on.
enum Stopped {
    /// The engine is gone.
    Gone,
    /// Its store failed.
    Failed(StoreError),
}

impl From<StoreError> for Stopped {
    fn from(error: StoreError) -> Self {
        Self::Failed(error)
    }
}

impl Courier {
    pub(super) fn new(hook: Arc<Registered>, store: Weak<EngineStore>, clock: Clock) -> Self {
        Self { hook, store, clock }
    }

    pub(super) fn hook(&self) -> &Arc<Registered> {
        &self.hook
    }

    /// Delivers notices as they come, until the engine is gone.
    pub(super) async fn work(self) {
        let mut failures = 0;
        let mut looks = 0;
        loop {
            let round = self.round().await;
            match round {
                Ok(Until::News) => self.hook.news.notified().await,
                Ok(Until::Due(at)) => tokio::time::sleep(self.until(at)).await,
                Ok(Until::Free) => {
                    let [first, longest] = FOREIGN_DELIVERY;
                    tokio::time::sleep(doubled(first, looks, longest)).await;
                }
                Err(Stopped::Gone) => return,
                Err(Stopped::Failed(ref error)) => {
                    self.warn_of(error);
                    tokio::time::sleep(doubled(FIRST_WAIT, failures, LONGEST_WAIT)).await;
                }
            }
            failures = if round.is_err() { failures + 1 } else { 0 };
            looks = if matches!(round, Ok(Until::Free)) {
                looks + 1
            } else {
                0
            };
        }
    }

    /// Delivers what is due, once.
    pub(super) async fn deliver_due(self) {
        if let Err(Stopped::Failed(error)) = self.round().await {
            self.warn_of(&error);
        }
    }

    /// Delivers what is due, as long as that succeeds.
    ///
    /// # Cancellation
    /// Dropped while the hook is called, it leaves the notice to the next round.
    async fn round(&self) -> Result<Until, Stopped> {
        let mut delivered = self.hook.turn.lock().await;
        match self.next(None).await? {
            None => return Ok(Until::News),
            Some(row) if !self.is_due(&row) => return Ok(Until::Due(row.due_at)),
            Some(_) => {}
        }
        let claiming = self.store()?;
        let Some(_claim) = claiming.claim(self.hook.claim).await? else {
            return Ok(Until::Free);
        };
        drop(claiming);
        // Another engine may have delivered some of them before the claim.
        let mut next = self.next(None).await?;
        while let Some(row) = next {
            if !self.is_due(&row) {
                return Ok(Until::Due(row.due_at));
            }
            let id = row.notice.id.clone();
            // One whose row could not be removed is not delivered once more for that.
            let change = if delivered.as_ref() == Some(&id) {
                Change::NoticeDelivered { id }
            } else {
                let change = self.deliver(row).await;
                if let Change::NoticeDelivered { id } = &change {
                    *delivered = Some(id.clone());
                }
                change
            };
            next = self.next(Some(change)).await?;
            *delivered = None;
        }
        Ok(Until::News)
    }

    /// Calls the hook; says what becomes of the row.
    async fn deliver(&self, row: NoticeRow) -> Change {
        let failures = row.failures.saturating_add(1);
        let mut notice = row.notice.clone();
        notice.delivery = failures;
        let Err(error) = self.hook.hook.tell(notice).await else {
            return Change::NoticeDelivered { id: row.notice.id };
        };
        let wait = doubled(FIRST_WAIT, row.failures, LONGEST_WAIT);
        tracing::warn!(
            target: "orch",
            hook = row.notice.hook,
            notice = row.notice.id,
            flow_run = row.notice.flow_run,
            "a notice was not delivered: {error}; it is tried again in {wait:?}"
        );
        let Timestamp(now) = self.clock.timestamp();
        Change::Notice(Box::new(NoticeRow {
            failures,
            last_error: Some(error),
            due_at: Timestamp(now.saturating_add_unsigned(wait.as_nanos() as u64)),
            ..row
        }))
    }

    /// Writes what became of a notice, and returns the one that is the next in turn.
    async fn next(&self, change: Option<Change>) -> Result<Option<NoticeRow>, Stopped> {
        let first = NoticeFilter {
            hook: Some(self.hook.hook.name().to_owned()),
            limit: 1,
        };
        let store = self.store()?;
        let next = store.journal.ask(move |runs| {
            if let Some(change) = change {
                // A power cut may have it delivered once more.
                block_on(runs.commit(&[change], &[], Durability::Relaxed))?;
            }
            block_on(runs.undelivered(first))
        });
        Ok(next.await?.pop())
    }

    fn store(&self) -> Result<Arc<EngineStore>, Stopped> {
        self.store.upgrade().ok_or(Stopped::Gone)
    }

    /// Whether it is time to deliver a notice. A new one does not wait, and if no wait is as long as
    /// the one that is left, the clock was set back.
    fn is_due(&self, row: &NoticeRow) -> bool {
        let left = self.until(row.due_at);
        row.failures == 0 || left.is_zero() || left > LONGEST_WAIT
    }

    fn until(&self, at: Timestamp) -> Duration {
        let left = at.0.saturating_sub(self.clock.timestamp().0);
        Duration::from_nanos(u64::try_from(left).unwrap_or(0))
    }

    fn warn_of(&self, error: &StoreError) {
        let hook = self.hook.hook.name();
        tracing::warn!(target: "orch", hook, "{error}; its notices are delivered later");
    }
}

/// A wait after some that were each half as long.
fn doubled(first: Duration, times: u32, longest: Duration) -> Duration {
    let factor = 2_u32.checked_pow(times).unwrap_or(u32::MAX);
    first.saturating_mul(factor).min(longest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_five_minutes() {
        let wait = |failures| doubled(FIRST_WAIT, failures, LONGEST_WAIT).as_secs();
        assert_eq!([0, 1, 2, 8, 9, 40].map(wait), [1, 2, 4, 256, 300, 300]);
    }
}

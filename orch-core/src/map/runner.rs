//! A map while it runs: a window of items under way, their results handed on in order.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};

use crate::body::ended_meanwhile;
use crate::context;
use crate::driver::stop_children;
use crate::error::{Failure, TaskError, TaskErrorKind};
use crate::event::{EventKind, TaskRunRef};
use crate::flow::{REHEARSED_ITEMS, stop_of};
use crate::inbox::Inbox;
use crate::key::GatheredDigest;
use crate::node::{Header, Waiter};
use crate::scope::{ItemCounts, Scope};
use crate::stop::Stop;
use crate::task_run::TaskRun;

use super::{NextItem, Tolerance};

/// A map while it runs.
pub(super) struct Runner<U> {
    next: NextItem<U>,
    len: Option<u64>,
    window: usize,
    tolerance: Tolerance,
    counts: Arc<ItemCounts>,
    /// What the items belong to.
    scope: Option<Arc<Scope>>,
    inbox: Arc<Inbox>,
    /// Items under way: their position and handle, by slot.
    under_way: Vec<Option<(u64, TaskRun<U>)>>,
    free: Vec<usize>,
    running: usize,
    taken: u64,
    /// Ended items that wait for an earlier one.
    early: BTreeMap<u64, TaskRun<U>>,
    delivered: u64,
    is_exhausted: bool,
    first_error: Option<TaskError>,
    has_cancelled: bool,
    /// The digest of the items' results, for a map whose result they are.
    digest: Option<GatheredDigest>,
}

impl<U: Send + Sync + 'static> Runner<U> {
    pub(super) fn new(
        next: NextItem<U>,
        len: Option<u64>,
        window: usize,
        tolerance: Tolerance,
        counts: Arc<ItemCounts>,
        digest: Option<GatheredDigest>,
    ) -> Self {
        Self {
            next,
            len,
            window,
            tolerance,
            counts,
            scope: None,
            inbox: Arc::default(),
            under_way: Vec::new(),
            free: Vec::new(),
            running: 0,
            taken: 0,
            early: BTreeMap::new(),
            delivered: 0,
            is_exhausted: false,
            first_error: None,
            has_cancelled: false,
            digest,
        }
    }

    /// Goes through all items; `add` puts together what they come to.
    pub(super) async fn run<A>(
        mut self,
        mut folded: A,
        mut add: impl FnMut(&mut A, Result<TaskRun<U>, TaskError>),
    ) -> Result<A, Failure> {
        let place = context::current().expect("a map runs as a node");
        let node = place.node.expect("a map runs as a node");
        let header = node.header();
        let seed = context::seed_of(header);
        let scope = Scope::new(header.scope.clone(), header.index, header.call(), seed);
        let scope = Arc::new(scope.of_items(Arc::clone(&self.counts)));
        // Stopping the map finds its items through this.
        let _ = node.header().detail_mut().children.set(Arc::clone(&scope));
        self.scope = Some(scope);
        if header.flow.rehearsal().is_some() {
            self.window = self.window.max(REHEARSED_ITEMS);
        }
        let mut keys = Vec::new();
        loop {
            let ended = poll_fn(|cx| self.poll_items(header, &mut keys, cx)).await;
            match ended {
                Ok(true) => {}
                Ok(false) => break,
                Err(failure) => return Err(self.give_up(node.header(), failure)),
            }
            self.deliver(&mut folded, &mut add);
            if self.has_failed(self.len) {
                let failure = self.failure(header);
                return Err(self.give_up(node.header(), failure));
            }
            self.report_progress(node.header());
            tokio::task::consume_budget().await;
        }
        self.deliver(&mut folded, &mut add);
        if self.has_failed(Some(self.taken)) {
            return Err(self.failure(header));
        }
        if let Some(digest) = self.digest.take().and_then(GatheredDigest::finish) {
            header.identity_mut().set_digest(digest);
        }
        Ok(folded)
    }

    /// Starts items and collects ended ones. `false` when there are no more of either.
    fn poll_items(
        &mut self,
        header: &Header,
        keys: &mut Vec<u64>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<bool, Failure>> {
        let stop = stop_of(header);
        if stop >= Stop::Running {
            return Poll::Ready(Err(ended_meanwhile()));
        }
        let mut has_ended = false;
        // Ended items that wait for an earlier one count too, else one slow item would let the
        // others pile up behind it.
        while stop == Stop::None
            && !self.is_exhausted
            && self.running < self.window
            && self.early.len() < 4 * self.window
        {
            let scope = self.scope.as_ref().expect("set before the first poll");
            let next = &mut self.next;
            match context::within_scope(scope, || next(cx)) {
                Poll::Ready(Some(Ok(run))) => has_ended |= self.begin(run),
                Poll::Ready(Some(Err(failure))) => return Poll::Ready(Err(failure)),
                Poll::Ready(None) => {
                    self.is_exhausted = true;
                    if let Some(rehearsal) = header.flow.rehearsal() {
                        rehearsal.has_all_items(header);
                    }
                }
                Poll::Pending => break,
            }
        }
        if self.running > 0 {
            self.inbox.receive(keys, cx.waker());
            for key in keys.drain(..) {
                has_ended = true;
                let slot = key as usize;
                if let Some((position, run)) = self.under_way[slot].take() {
                    self.free.push(slot);
                    self.running -= 1;
                    self.end(position, run);
                }
            }
        }
        if has_ended {
            Poll::Ready(Ok(true))
        } else if self.is_exhausted && self.running == 0 {
            Poll::Ready(Ok(false))
        } else if stop != Stop::None && self.running == 0 {
            // The other items never start.
            Poll::Ready(Err(ended_meanwhile()))
        } else {
            Poll::Pending
        }
    }

    /// Takes an item under way. Returns whether it has ended already.
    fn begin(&mut self, run: TaskRun<U>) -> bool {
        let position = self.taken;
        self.taken += 1;
        let slot = self.free.pop().unwrap_or_else(|| {
            self.under_way.push(None);
            self.under_way.len() - 1
        });
        let waiter = Waiter::Inbox {
            inbox: Arc::clone(&self.inbox),
            key: slot as u64,
        };
        let is_waiting = run
            .handle()
            .header()
            .is_some_and(|header| header.completion.subscribe(waiter).is_ok());
        if is_waiting {
            self.under_way[slot] = Some((position, run));
            self.running += 1;
            false
        } else {
            self.free.push(slot);
            self.end(position, run);
            true
        }
    }

    fn end(&mut self, position: u64, run: TaskRun<U>) {
        let error = run.handle().header().and_then(Header::error).cloned();
        self.counts.count(run.state());
        if let Some(error) = error {
            // Counted within the tolerance: somebody looked at it.
            if let Some(header) = run.handle().header() {
                header.observe();
            }
            self.has_cancelled |= error.is_cancelled();
            self.first_error.get_or_insert(error);
        }
        self.early.insert(position, run);
    }

    /// Hands on what comes next in the order of the items.
    fn deliver<A>(
        &mut self,
        folded: &mut A,
        add: &mut impl FnMut(&mut A, Result<TaskRun<U>, TaskError>),
    ) {
        while let Some(run) = self.early.remove(&self.delivered) {
            self.delivered += 1;
            let error = run.handle().header().and_then(Header::error).cloned();
            if let (Some(digest), None) = (&mut self.digest, &error) {
                digest.add(&run.handle().origin());
            }
            add(folded, error.map_or(Ok(run), Err));
        }
    }

    fn failed(&self) -> u64 {
        self.counts
            .failed
            .load(std::sync::atomic::Ordering::Relaxed)
    }

    fn has_failed(&self, total: Option<u64>) -> bool {
        let failed = self.failed();
        failed > 0 && self.tolerance.is_passed(failed, total)
    }

    fn failure(&self, header: &Header) -> Failure {
        // Items that were stopped along with the map say nothing about it.
        if self.has_cancelled && stop_of(header) != Stop::None {
            return ended_meanwhile();
        }
        let failed = self.failed();
        let completed = self
            .counts
            .completed
            .load(std::sync::atomic::Ordering::Relaxed);
        let first = self
            .first_error
            .clone()
            .expect("a failed map has a failed item");
        Failure::last(TaskErrorKind::MapFailed {
            failed,
            ended: failed + completed,
            tolerance: self.tolerance.to_string(),
            first,
        })
    }

    /// Stops what is under way.
    fn give_up(&mut self, header: &Header, failure: Failure) -> Failure {
        stop_children(header, Stop::Running);
        header.flow.wake_stopped();
        failure
    }

    fn report_progress(&self, header: &Header) {
        if header.flow.engine.events.is_live() && !header.is_item() {
            header.flow.emit(EventKind::MapProgressed {
                task_run: TaskRunRef::of(header),
                completed: self
                    .counts
                    .completed
                    .load(std::sync::atomic::Ordering::Relaxed),
                failed: self.failed(),
            });
        }
    }
}

impl<U> Drop for Runner<U> {
    /// Whatever is still under way when the map ends was stopped with it.
    fn drop(&mut self) {
        self.counts.cancel(self.running as u64);
    }
}

//! From submitted to polled: the ready queue, its drivers, and what is parked meanwhile.

use std::sync::atomic::Ordering;
use std::sync::{Arc, MutexGuard};
use std::task::Waker;

use super::{Flow, Parked, lock};
use crate::attempt;
use crate::body::Body;
use crate::driver::{self, Driver};
use crate::durable;
use crate::node::{AnyNode, Node};
use crate::ready::ReadyQueue;

impl Flow {
    /// Runs an inline node on the spot if nothing speaks against it, and queues any other.
    pub(super) fn start_or_push<B: Body>(self: &Arc<Self>, node: &Arc<Node<B>>, now: u64) {
        node.header.set_ready(now);
        let any = Arc::clone(node) as Arc<dyn AnyNode>;
        if B::IS_INLINE && !self.has_priorities() && durable::hit_at_once(node) {
            driver::end_completed(any, self);
            return;
        }
        if B::IS_INLINE
            && !self.has_priorities()
            && !attempt::needs_policy(node)
            && !durable::concerns(node)
        {
            if let Err(node) = driver::run_inline(any, self, now) {
                self.push(node);
            }
        } else {
            self.push(any);
        }
    }

    /// Queues a node whose inputs are there.
    pub(crate) fn push(self: &Arc<Self>, node: Arc<dyn AnyNode>) {
        self.push_quietly(node);
        self.ensure_driver();
    }

    /// The same for a driver that takes it from the queue itself.
    pub(crate) fn push_quietly(&self, node: Arc<dyn AnyNode>) {
        let rank = node.header().rank();
        if rank.priority != 0 {
            self.has_priorities.store(true, Ordering::Relaxed);
        }
        self.lock_queue().push(node, rank);
    }

    /// Whether any task run of this flow run came with a priority.
    pub(crate) fn has_priorities(&self) -> bool {
        self.has_priorities.load(Ordering::Relaxed)
    }

    pub(crate) fn pop(&self) -> Option<Arc<dyn AnyNode>> {
        self.lock_queue().pop()
    }

    pub(super) fn lock_queue(&self) -> MutexGuard<'_, ReadyQueue<Arc<dyn AnyNode>>> {
        lock(&self.queue)
    }

    /// Takes one of the places for drivers, if one is free.
    pub(crate) fn take_place(&self) -> bool {
        let mut drivers = self.drivers.load(Ordering::SeqCst);
        while drivers < self.max_drivers {
            match self.drivers.compare_exchange_weak(
                drivers,
                drivers + 1,
                Ordering::SeqCst,
                Ordering::SeqCst,
            ) {
                Ok(_) => return true,
                Err(now) => drivers = now,
            }
        }
        false
    }

    /// Gives a place back. Whoever does looks at the queue afterwards, so that nothing stays in
    /// it: a node pushed before is seen by that look, one pushed after sees the free place.
    pub(crate) fn leave_place(&self) {
        self.drivers.fetch_sub(1, Ordering::SeqCst);
    }

    pub(crate) fn has_ready(&self) -> bool {
        !self.lock_queue().is_empty()
    }

    /// Starts a driver if there is a place for one.
    pub(crate) fn ensure_driver(self: &Arc<Self>) {
        if self.take_place() {
            let driver = Driver::new(Arc::clone(self));
            match &self.runtime {
                Some(runtime) => {
                    // On a runtime that was shut down this drops the driver, which ends what is
                    // queued.
                    drop(runtime.spawn(driver));
                    // Tokio keeps the last task that a worker spawned for this worker alone: the
                    // driver would wait for a body that computes and does not await. With another
                    // task after it, it can be taken by a worker that has nothing to do.
                    if self.max_drivers > 1 {
                        drop(runtime.spawn(std::future::ready(())));
                    }
                }
                None => drop(driver),
            }
        }
    }

    /// Notes a node whose body nobody polls at the moment, so that stopping finds it.
    pub(crate) fn park(&self, node: Arc<dyn AnyNode>, waker: Option<Waker>) {
        let index = node.header().index;
        lock(&self.parked).insert(index, Parked { node, waker });
    }

    pub(crate) fn unpark(&self, index: u32) {
        let parked = lock(&self.parked).remove(&index);
        drop(parked);
    }
}

//! Failures that nobody looks at, and stopping.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::{Flow, lock, stop_of};
use crate::compute;
use crate::driver;
use crate::error::{CancelReason, TaskError};
use crate::node::{AnyNode, Header};
use crate::policy::failure_mode::FailureMode;
use crate::state::State;
use crate::stop::Stop;

impl Flow {
    pub(crate) fn add_failure(&self, node: Arc<dyn AnyNode>) {
        lock(&self.failures).push(node);
    }

    /// A task run failed and nothing is left in the program that could look at it.
    pub(crate) fn failure_out_of_reach(&self, header: &Header) {
        if header.is_cleanup() {
            return;
        }
        self.react_to_failure();
    }

    /// Stops as the failure mode says.
    pub(super) fn react_to_failure(&self) {
        match self.failure_mode {
            FailureMode::FailFast => self.stop(Stop::Running, CancelReason::Failure),
            FailureMode::StopOnFailure => self.stop(Stop::Starting, CancelReason::Failure),
            FailureMode::ContinueOnFailure => {}
        }
    }

    /// Returns the errors of failed task runs that nothing looked at.
    pub(super) fn unobserved(&self) -> Vec<TaskError> {
        lock(&self.failures)
            .iter()
            .filter(|node| !node.header().is_observed())
            .filter_map(|node| node.header().error().cloned())
            .collect()
    }

    /// Tells the flow run to stop, at least this far.
    pub(crate) fn stop(&self, stop: Stop, reason: CancelReason) {
        // Whoever asks for it decides what a flow run ends as that has stopped for a failure only.
        if reason != CancelReason::Failure {
            let _ = self.stop_reason.set(reason);
        }
        self.stop_further(stop);
    }

    /// The same for the reason that it was told before.
    pub(super) fn stop_further(&self, stop: Stop) {
        if self.stop.fetch_max(stop as u8, Ordering::AcqRel) >= stop as u8 {
            return;
        }
        self.wake_stopped();
        self.stopped.notify_waiters();
        // The supervisor may not be waiting yet: this makes its next wait return at once.
        self.stopped.notify_one();
    }

    /// Reaches the nodes that nobody polls: asks bodies to stop, wakes their drivers, and ends
    /// those that only wait.
    pub(crate) fn wake_stopped(&self) {
        let mut waiting = Vec::new();
        let mut wakers = Vec::new();
        {
            let parked = lock(&self.parked);
            for entry in parked.values() {
                let header = entry.node.header();
                let stop = stop_of(header);
                if stop == Stop::None {
                    continue;
                }
                if stop >= Stop::Running
                    && let Some(detail) = header.detail()
                {
                    detail.cancel_token();
                }
                match &entry.waker {
                    Some(waker) => wakers.push(waker.clone()),
                    None if header.state() == State::Pending || stop == Stop::Abort => {
                        waiting.push((Arc::clone(&entry.node), stop));
                    }
                    None => {}
                }
            }
        }
        for (node, stop) in waiting {
            // Without inputs it is executed on another thread, or is about to be.
            if !node.clear_inputs() {
                if stop != Stop::Abort {
                    continue;
                }
                if !node.header().state().is_final() && node.header().leave_job() {
                    compute::leave_behind(&self.engine, self.runtime());
                }
            }
            driver::end_stopped(node);
        }
        for waker in wakers {
            waker.wake();
        }
    }

    /// Returns why a node of this flow run was stopped.
    pub(crate) fn reason_for(&self, header: &Header) -> CancelReason {
        if header.is_asked_to_cancel() {
            CancelReason::TaskRun
        } else {
            self.stop_reason().unwrap_or(CancelReason::Parent)
        }
    }
}

//! A flow run that was started.

use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use crate::completion::Ticket;
use crate::error::{CancelReason, FlowError, FlowErrorKind};
use crate::event::Events;
use crate::flow::Flow;
use crate::id::FlowRunId;
use crate::report::RunReport;
use crate::state::State;
use crate::stop::Stop;
use crate::value::Codec;

pub(super) type ResultCell<T> = Arc<Mutex<Option<Result<T, FlowError>>>>;

/// A flow run that was started: a future of its result that does not have to be awaited.
///
/// # Cancellation
/// Dropping it leaves the flow run going; [`cancel`](Self::cancel) stops it.
pub struct FlowRun<T> {
    pub(super) flow: Arc<Flow>,
    /// Whether the engine did not take it on. One that it did may have ended before `start` returns.
    pub(super) is_refused: bool,
    pub(super) result: ResultCell<T>,
    pub(super) ticket: Option<Ticket>,
    /// Set for one that joined a run under way: how to read its result from the store.
    pub(super) attached: Option<Option<Codec<T>>>,
}

impl<T> FlowRun<T> {
    /// Returns the id.
    pub fn id(&self) -> FlowRunId {
        self.flow.id
    }

    /// Returns the name.
    pub fn name(&self) -> &str {
        self.flow.name()
    }

    /// Returns where the flow run stands now.
    pub fn state(&self) -> State {
        self.flow.latest().state()
    }

    /// Whether the flow run has ended.
    pub fn is_finished(&self) -> bool {
        self.state().is_final()
    }

    /// Returns why it did not complete, once it has ended.
    pub fn error(&self) -> Option<FlowError> {
        self.flow.latest().error().cloned()
    }

    /// Asks the flow run and its whole tree to stop. What has not started never will; what runs
    /// gets the grace time; then cleanups run. Does not wait for it.
    ///
    /// It ends as cancelled, also when a failure had stopped it before. Once its body has returned
    /// and all its task runs have ended, what it ends as is decided.
    pub fn cancel(&self) {
        self.flow.latest().cancel();
    }

    pub(crate) fn inner(&self) -> Arc<Flow> {
        Arc::clone(&self.flow)
    }

    /// Subscribes to the events of this flow run, from now on.
    pub fn events(&self) -> Events {
        self.flow.engine.events.subscribe(Some(self.flow.id))
    }

    /// Puts together what is known of the flow run: final once it has ended, a snapshot before.
    pub fn report(&self) -> RunReport {
        self.flow.latest().report()
    }

    /// Waits until the flow run has ended, without taking its result.
    pub async fn wait(&self) {
        let mut flow = &self.flow;
        loop {
            let mut ticket = None;
            std::future::poll_fn(|cx| poll_ended(flow, &mut ticket, cx)).await;
            match flow.latest() {
                latest if Arc::ptr_eq(latest, flow) => return,
                latest => flow = latest,
            }
        }
    }

    /// Waits until the flow run has ended; returns its result and its report.
    pub async fn finish(self) -> (Result<T, FlowError>, RunReport)
    where
        T: Send + 'static,
    {
        let flow = Arc::clone(&self.flow);
        let result = self.await;
        (result, flow.latest().report())
    }

    pub(super) fn refusal(&self) -> Option<FlowError> {
        self.flow.error().filter(|_| self.is_refused).cloned()
    }
}

impl<T> fmt::Debug for FlowRun<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FlowRun")
            .field("name", &self.name())
            .field("id", &self.id())
            .field("state", &self.state())
            .finish()
    }
}

fn poll_ended(flow: &Flow, ticket: &mut Option<Ticket>, cx: &Context<'_>) -> Poll<()> {
    let is_waiting = match *ticket {
        Some(ticket) => flow
            .ended
            .update(ticket, |waker| waker.clone_from(cx.waker())),
        None => match flow.ended.subscribe(cx.waker().clone()) {
            Ok(taken) => {
                *ticket = Some(taken);
                true
            }
            Err(_) => false,
        },
    };
    if is_waiting {
        Poll::Pending
    } else {
        Poll::Ready(())
    }
}

impl<T> Future for FlowRun<T> {
    type Output = Result<T, FlowError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        loop {
            std::task::ready!(poll_ended(&this.flow, &mut this.ticket, cx));
            let latest = Arc::clone(this.flow.latest());
            if Arc::ptr_eq(&latest, &this.flow) {
                break;
            }
            (this.flow, this.ticket) = (latest, None);
        }
        if let Some(codec) = this.attached {
            return Poll::Ready(this.flow.recorded_result(codec));
        }
        let mut result = this.result.lock().unwrap_or_else(PoisonError::into_inner);
        Poll::Ready(
            result
                .take()
                .expect("a flow run is not awaited again after it gave its result"),
        )
    }
}

impl Flow {
    /// Asks the flow run and its whole tree to stop.
    pub(crate) fn cancel(&self) {
        self.cancel_for(CancelReason::FlowRun);
    }

    pub(super) fn cancel_for(&self, reason: CancelReason) {
        if !self.state().is_final() {
            self.stop(Stop::Running, reason);
        }
    }

    /// Reads what the flow run came to for one who joined it: the first one has it already.
    fn recorded_result<T>(&self, codec: Option<Codec<T>>) -> Result<T, FlowError> {
        if let Some(error) = self.error() {
            return Err(error.clone());
        }
        let row = self.recorder().map(|recorder| recorder.row());
        row.ok_or(FlowErrorKind::NoStore)
            .and_then(|row| self.engine.recorded_result(codec, &row))
            .map_err(|kind| FlowError::new(self.name().to_owned(), kind))
    }
}

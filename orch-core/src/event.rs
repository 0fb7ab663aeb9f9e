//! What happens, as it happens: for progress displays, pages, alerts and tests.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::broadcast;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};

use crate::definition::LimitUse;
use crate::error::{FlowError, TaskError};
use crate::id::FlowRunId;
use crate::node::Header;
use crate::report::NodeKind;
use crate::state::State;

/// Something that happened to a flow run.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Event {
    /// The flow run.
    pub flow_run: FlowRunId,
    /// When, counted from the start of the flow run.
    pub at: Duration,
    /// What.
    pub kind: EventKind,
}

/// What happened.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum EventKind {
    /// A flow run started.
    FlowRunStarted {
        /// The flow's name.
        flow: &'static str,
        /// The flow run's name.
        name: String,
        /// The task run that called it, for a subflow.
        caller: Option<(FlowRunId, u32)>,
    },
    /// A flow run ended.
    FlowRunEnded {
        /// The flow's name.
        flow: &'static str,
        /// The flow run's name.
        name: String,
        /// The state it ended in.
        state: State,
        /// Why it did not complete.
        error: Option<FlowError>,
    },
    /// A task was called.
    TaskRunSubmitted {
        /// Which task run.
        task_run: TaskRunRef,
        /// What kind of node it is.
        kind: NodeKind,
    },
    /// A task run has its inputs and waits for concurrency limits.
    LimitAwaited {
        /// Which task run.
        task_run: TaskRunRef,
        /// The names of the limits it takes.
        limits: Vec<String>,
    },
    /// An attempt failed that opened a circuit breaker, for all flow runs of the engine. Only the
    /// flow run of the attempt has the event.
    BreakerOpened {
        /// The breaker's name.
        breaker: String,
        /// How many attempts have failed in a row.
        failures: u32,
        /// How long no attempt starts.
        open_for: Duration,
    },
    /// An attempt succeeded that closed a circuit breaker, for all flow runs of the engine. Only
    /// the flow run of the attempt has the event.
    BreakerClosed {
        /// The breaker's name.
        breaker: String,
    },
    /// An attempt started.
    TaskRunStarted {
        /// Which task run.
        task_run: TaskRunRef,
        /// The attempt, from 1.
        attempt: u32,
    },
    /// An attempt failed and another one follows.
    AttemptFailed {
        /// Which task run.
        task_run: TaskRunRef,
        /// The attempt, from 1.
        attempt: u32,
        /// How it failed.
        error: String,
        /// The wait before the next one.
        retry_in: Duration,
    },
    /// A task run was asked to stop.
    TaskRunCancelling {
        /// Which task run.
        task_run: TaskRunRef,
    },
    /// A value of a metric was logged, by a task run that is no item of a map, or by the flow body:
    /// the first one, and then the newest at most ten times a second for each metric. All of them
    /// are on the record.
    MetricLogged {
        /// Which task run; `None` for the flow body.
        task_run: Option<TaskRunRef>,
        /// The metric.
        metric: Arc<str>,
        /// The step.
        step: i64,
        /// The value.
        value: f64,
    },
    /// Items of a map ended since the last such event.
    MapProgressed {
        /// The map.
        task_run: TaskRunRef,
        /// Items that completed so far.
        completed: u64,
        /// Items that failed so far.
        failed: u64,
    },
    /// A completed task run was undone, because its flow run fails.
    TaskRunRolledBack {
        /// Which task run.
        task_run: TaskRunRef,
    },
    /// A task run ended.
    TaskRunEnded {
        /// Which task run.
        task_run: TaskRunRef,
        /// The state it ended in.
        state: State,
        /// How long it ran, waits between attempts included; `None` if it never started.
        run_time: Option<Duration>,
        /// Why it did not complete.
        error: Option<TaskError>,
    },
}

/// A task run, as events name it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TaskRunRef {
    /// Its position in the order of submission.
    pub index: u32,
    /// Its name.
    pub name: Arc<str>,
    /// The name of its task.
    pub task: &'static str,
}

impl TaskRunRef {
    pub(crate) fn of(header: &Header) -> Self {
        Self {
            index: header.index,
            name: header.name().into(),
            task: header.definition.name,
        }
    }
}

impl EventKind {
    pub(crate) fn submitted(header: &Header) -> Self {
        Self::TaskRunSubmitted {
            task_run: TaskRunRef::of(header),
            kind: header.kind,
        }
    }

    pub(crate) fn started(header: &Header, attempt: u32) -> Self {
        Self::TaskRunStarted {
            task_run: TaskRunRef::of(header),
            attempt,
        }
    }

    pub(crate) fn rolled_back(header: &Header) -> Self {
        Self::TaskRunRolledBack {
            task_run: TaskRunRef::of(header),
        }
    }

    pub(crate) fn cancelling(header: &Header) -> Self {
        Self::TaskRunCancelling {
            task_run: TaskRunRef::of(header),
        }
    }

    pub(crate) fn attempt_failed(
        header: &Header,
        attempt: u32,
        error: String,
        retry_in: Duration,
    ) -> Self {
        Self::AttemptFailed {
            task_run: TaskRunRef::of(header),
            attempt,
            error,
            retry_in,
        }
    }

    pub(crate) fn metric_logged(
        header: Option<&Header>,
        metric: Arc<str>,
        step: i64,
        value: f64,
    ) -> Self {
        Self::MetricLogged {
            task_run: header.map(TaskRunRef::of),
            metric,
            step,
            value,
        }
    }

    pub(crate) fn awaits_limit(header: &Header, uses: &[LimitUse]) -> Self {
        Self::LimitAwaited {
            task_run: TaskRunRef::of(header),
            limits: uses
                .iter()
                .map(|one| one.name.clone().into_owned())
                .collect(),
        }
    }

    pub(crate) fn ended(header: &Header, state: State, now: u64) -> Self {
        Self::TaskRunEnded {
            task_run: TaskRunRef::of(header),
            state,
            run_time: header
                .started_at()
                .map(|started| Duration::from_nanos(now.saturating_sub(started))),
            error: header.error().cloned(),
        }
    }
}

/// Where events come from.
pub(crate) struct EventSource {
    sender: broadcast::Sender<Event>,
    subscribers: Arc<AtomicUsize>,
}

impl EventSource {
    pub(crate) fn new(capacity: usize) -> Self {
        Self {
            sender: broadcast::Sender::new(capacity.max(1)),
            subscribers: Arc::default(),
        }
    }

    /// Whether anybody listens: events are not even made otherwise.
    pub(crate) fn is_live(&self) -> bool {
        self.subscribers.load(Ordering::Relaxed) != 0
    }

    pub(crate) fn emit(&self, flow_run: FlowRunId, at: Duration, kind: EventKind) {
        if self.is_live() {
            // Nobody listens any more: that is fine.
            let _ = self.sender.send(Event { flow_run, at, kind });
        }
    }

    pub(crate) fn subscribe(&self, only: Option<FlowRunId>) -> Events {
        self.subscribers.fetch_add(1, Ordering::Relaxed);
        Events {
            receiver: self.sender.subscribe(),
            subscribers: Arc::clone(&self.subscribers),
            only,
        }
    }
}

/// The events of an engine or of one flow run, from the moment of subscribing on.
///
/// The engine never waits for a subscriber. One that falls behind by more than the engine's
/// `event_capacity` loses the oldest events and is told how many.
pub struct Events {
    receiver: broadcast::Receiver<Event>,
    subscribers: Arc<AtomicUsize>,
    only: Option<FlowRunId>,
}

/// What a subscriber receives.
#[derive(Debug, Clone)]
pub enum Received {
    /// The next event.
    Event(Event),
    /// This many events (of all flow runs of the engine) were lost, because the subscriber was
    /// too slow.
    Missed(u64),
}

impl Events {
    /// Waits for the next event. `None` once the engine is gone.
    pub async fn next(&mut self) -> Option<Received> {
        loop {
            match self.receiver.recv().await {
                Ok(event) if self.is_wanted(&event) => return Some(Received::Event(event)),
                Ok(_) => {}
                Err(RecvError::Lagged(missed)) => return Some(Received::Missed(missed)),
                Err(RecvError::Closed) => return None,
            }
        }
    }

    /// Returns the next event if there is one already.
    pub fn try_next(&mut self) -> Option<Received> {
        loop {
            match self.receiver.try_recv() {
                Ok(event) if self.is_wanted(&event) => return Some(Received::Event(event)),
                Ok(_) => {}
                Err(TryRecvError::Lagged(missed)) => return Some(Received::Missed(missed)),
                Err(TryRecvError::Empty | TryRecvError::Closed) => return None,
            }
        }
    }

    fn is_wanted(&self, event: &Event) -> bool {
        self.only.is_none_or(|only| only == event.flow_run)
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        self.subscribers.fetch_sub(1, Ordering::Relaxed);
    }
}

impl std::fmt::Debug for Events {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Events")
            .field("only", &self.only)
            .finish_non_exhaustive()
    }
}

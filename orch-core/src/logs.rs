//! Spans for flow runs and task runs, and the logs of any crate attached to them.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::flow::Flow;
use crate::node::Header;
use crate::report::LogReport;

/// The latest log records of a flow run, bounded.
pub(crate) struct LogBuffer {
    limit: usize,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    records: VecDeque<(Option<u32>, LogReport)>,
    dropped: u64,
}

impl LogBuffer {
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            limit,
            inner: Mutex::default(),
        }
    }

    /// Keeps a record of the flow body, or of a task run; the oldest goes when there is no room.
    #[cfg_attr(
        not(feature = "logs"),
        expect(dead_code, reason = "nothing captures logs then")
    )]
    pub(crate) fn push(&self, task_run: Option<u32>, record: LogReport) {
        let mut inner = self.lock();
        if inner.records.len() >= self.limit {
            inner.dropped += 1;
            if inner.records.pop_front().is_none() {
                return;
            }
        }
        inner.records.push_back((task_run, record));
    }

    pub(crate) fn snapshot(&self) -> (Vec<(Option<u32>, LogReport)>, u64) {
        let inner = self.lock();
        (inner.records.iter().cloned().collect(), inner.dropped)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns the span of a task run, inside that of its flow run: disabled, and nearly free, unless a
/// subscriber wants it.
pub(crate) fn task_span(flow: &Flow, header: &Header) -> tracing::Span {
    tracing::info_span!(
        target: "orch",
        // Looked at only if a subscriber wants the span.
        parent: &flow.span(),
        "task_run",
        flow_run = flow.name(),
        task = header.definition.name,
        index = header.index,
    )
}

/// Makes the span of a flow run that starts, inside of what is current where it is started, and notes
/// it so that the layer finds it.
pub(crate) fn flow_span(flow: &Arc<Flow>) -> tracing::Span {
    let span = tracing::info_span!(
        target: "orch",
        "flow_run",
        flow = flow.definition.name,
        flow_run = %flow.name(),
        id = %flow.id,
    );
    #[cfg(feature = "logs")]
    if !span.is_disabled() {
        layer::register(flow);
    }
    span
}

/// The flow run of a span has ended.
pub(crate) fn forget_flow(flow: &Flow) {
    #[cfg(feature = "logs")]
    layer::forget(flow.id);
    #[cfg(not(feature = "logs"))]
    let _ = flow;
}

#[cfg(feature = "logs")]
pub use self::layer::LogLayer;

#[cfg(feature = "logs")]
mod layer {
    use std::collections::HashMap;
    use std::fmt::{self, Write as _};
    use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError, Weak};
    use std::time::Duration;

    use tracing::field::{Field, Visit};
    use tracing::span::{Attributes, Id};
    use tracing::{Event, Subscriber};
    use tracing_subscriber::layer::{Context, Layer};
    use tracing_subscriber::registry::LookupSpan;

    use crate::context;
    use crate::flow::Flow;
    use crate::id::FlowRunId;
    use crate::node::Header;
    use crate::report::LogReport;

    /// A `tracing` layer that attaches what is logged, by any crate, to the task run that logged
    /// it. The records are in the report of the flow run, at most `log_limit` of the engine's
    /// settings, the latest ones.
    ///
    /// ```
    /// use tracing_subscriber::prelude::*;
    ///
    /// tracing_subscriber::registry().with(orch_core::LogLayer::new()).init();
    /// ```
    ///
    /// A record belongs to the task run whose body is being polled on this thread, else to the
    /// innermost span of a task run or flow run around it, so instrumented futures that were
    /// spawned elsewhere count too. Filter it like any layer.
    #[derive(Debug, Default)]
    pub struct LogLayer(());

    impl LogLayer {
        /// Makes the layer.
        pub fn new() -> Self {
            Self(())
        }
    }

    /// The flow runs under way that have a span, for records outside of any body.
    static FLOWS: LazyLock<Mutex<HashMap<FlowRunId, Weak<Flow>>>> = LazyLock::new(Mutex::default);

    fn flows() -> MutexGuard<'static, HashMap<FlowRunId, Weak<Flow>>> {
        FLOWS.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn register(flow: &Arc<Flow>) {
        flows().insert(flow.id, Arc::downgrade(flow));
    }

    pub(super) fn forget(flow: FlowRunId) {
        flows().remove(&flow);
    }

    /// The task run that a span belongs to, by its index.
    struct OfTaskRun(u32);

    /// The flow run that a span belongs to. The ids of spans are not enough: each subscriber counts
    /// its own.
    struct OfFlowRun(FlowRunId);

    #[derive(Default)]
    struct Fields {
        index: Option<u32>,
        id: Option<FlowRunId>,
    }

    impl Visit for Fields {
        fn record_u64(&mut self, field: &Field, value: u64) {
            if field.name() == "index" {
                self.index = u32::try_from(value).ok();
            }
        }

        fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
            if field.name() == "id" {
                self.id = format!("{value:?}").parse().ok();
            }
        }
    }

    #[derive(Default)]
    struct Text {
        message: String,
        fields: String,
    }

    impl Visit for Text {
        fn record_str(&mut self, field: &Field, value: &str) {
            self.record_debug(field, &format_args!("{value}"));
        }

        fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
            // Writing to a `String` cannot fail.
            let _ = if field.name() == "message" {
                write!(self.message, "{value:?}")
            } else {
                write!(self.fields, " {}={value:?}", field.name())
            };
        }
    }

    impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for LogLayer {
        fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, cx: Context<'_, S>) {
            let metadata = attributes.metadata();
            if metadata.target() != "orch" || !matches!(metadata.name(), "task_run" | "flow_run") {
                return;
            }
            let Some(span) = cx.span(id) else {
                return;
            };
            let mut fields = Fields::default();
            attributes.record(&mut fields);
            if let Some(index) = fields.index {
                span.extensions_mut().insert(OfTaskRun(index));
            }
            if let Some(flow_run) = fields.id {
                span.extensions_mut().insert(OfFlowRun(flow_run));
            }
        }

        fn on_event(&self, event: &Event<'_>, cx: Context<'_, S>) {
            let place = context::with_current(|place| {
                place.map(|place| {
                    let header = place.node.as_ref().map(|node| node.header());
                    let index = header.map(|header| header.index);
                    let attempt = header.map(Header::attempts).filter(|attempt| *attempt > 0);
                    (Arc::clone(&place.flow), index, attempt)
                })
            });
            let place = place.or_else(|| {
                let mut index = None;
                for span in cx.event_scope(event)? {
                    let extensions = span.extensions();
                    if index.is_none() {
                        index = extensions.get().map(|OfTaskRun(index)| *index);
                    }
                    if let Some(OfFlowRun(flow_run)) = extensions.get() {
                        return Some((flows().get(flow_run)?.upgrade()?, index, None));
                    }
                }
                None
            });
            let Some((flow, task_run, attempt)) = place else {
                return;
            };
            let mut text = Text::default();
            event.record(&mut text);
            let metadata = event.metadata();
            flow.logs.push(
                task_run,
                LogReport {
                    at: Duration::from_nanos(flow.now()),
                    level: metadata.level().to_string(),
                    target: metadata.target().to_owned(),
                    message: crate::secret::scrub(text.message + &text.fields),
                    attempt,
                },
            );
        }
    }
}

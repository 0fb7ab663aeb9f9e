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

/// Returns the span of a task run: disabled, and nearly free, unless a subscriber wants it.
pub(crate) fn task_span(flow: &Flow, header: &Header) -> tracing::Span {
    tracing::info_span!(
        target: "orch",
        "task_run",
        flow_run = flow.name(),
        task = header.definition.name,
        index = header.index,
    )
}

/// Notes a flow run that starts, so that the layer finds it.
pub(crate) fn enter_flow(flow: &Arc<Flow>, span: &tracing::Span) {
    #[cfg(feature = "logs")]
    layer::register(flow, span);
    #[cfg(not(feature = "logs"))]
    let _ = (flow, span);
}

#[cfg(feature = "logs")]
pub use self::layer::LogLayer;

#[cfg(feature = "logs")]
mod layer {
    use std::collections::HashMap;
    use std::fmt::{self, Write as _};
    use std::sync::{Arc, LazyLock, Mutex, PoisonError, Weak};
    use std::time::Duration;

    use tracing::field::{Field, Visit};
    use tracing::span::{Attributes, Id};
    use tracing::{Event, Subscriber};
    use tracing_subscriber::layer::{Context, Layer};
    use tracing_subscriber::registry::LookupSpan;

    use crate::context;
    use crate::flow::Flow;
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

    /// Flow runs by the id of their span, for records outside of any body.
    static FLOWS: LazyLock<Mutex<HashMap<u64, Weak<Flow>>>> = LazyLock::new(Mutex::default);

    pub(super) fn register(flow: &Arc<Flow>, span: &tracing::Span) {
        if let Some(id) = span.id() {
            let mut flows = FLOWS.lock().unwrap_or_else(PoisonError::into_inner);
            flows.retain(|_, flow| flow.strong_count() > 0);
            flows.insert(id.into_u64(), Arc::downgrade(flow));
        }
    }

    fn flow_of_span(id: &Id) -> Option<Arc<Flow>> {
        let flows = FLOWS.lock().unwrap_or_else(PoisonError::into_inner);
        flows.get(&id.into_u64())?.upgrade()
    }

    /// The index of the task run that a span belongs to.
    struct TaskRunIndex(u32);

    #[derive(Default)]
    struct FindIndex(Option<u32>);

    impl Visit for FindIndex {
        fn record_u64(&mut self, field: &Field, value: u64) {
            if field.name() == "index" {
                self.0 = u32::try_from(value).ok();
            }
        }

        fn record_debug(&mut self, _field: &Field, _value: &dyn fmt::Debug) {}
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
            if metadata.target() != "orch" || metadata.name() != "task_run" {
                return;
            }
            let mut found = FindIndex::default();
            attributes.record(&mut found);
            if let (Some(index), Some(span)) = (found.0, cx.span(id)) {
                span.extensions_mut().insert(TaskRunIndex(index));
            }
        }

        fn on_event(&self, event: &Event<'_>, cx: Context<'_, S>) {
            let place = context::with_current(|place| {
                place.map(|place| {
                    let index = place.node.as_ref().map(|node| node.header().index);
                    (Arc::clone(&place.flow), index)
                })
            });
            let place = place.or_else(|| {
                let mut index = None;
                for span in cx.event_scope(event)? {
                    if index.is_none() {
                        index = span.extensions().get::<TaskRunIndex>().map(|index| index.0);
                    }
                    if let Some(flow) = flow_of_span(&span.id()) {
                        return Some((flow, index));
                    }
                }
                None
            });
            let Some((flow, task_run)) = place else {
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
                },
            );
        }
    }
}

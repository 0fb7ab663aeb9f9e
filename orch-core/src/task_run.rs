//! The handle of a task run, and the result that remembers where it came from.

use std::fmt;
use std::ops::Deref;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio_util::sync::ReusableBoxFuture;

use crate::completion::Ticket;
use crate::context;
use crate::error::{Failure, TaskError};
use crate::handle::{Constant, Handle, Projection, take_last};
use crate::identity::Part;
use crate::node::Output;
use crate::state::State;

/// A task run that was submitted: a handle on its result to come.
///
/// The task run goes its way whether or not the handle is awaited. Awaiting it gives a
/// [`Tracked<T>`]; passing it to another task makes an edge. Cloning is cheap.
///
/// A failure is *observed* when its error is returned by any clone of the handle. A failed task
/// run that nobody observed fails its flow run.
///
/// # Cancellation
/// Dropping a handle does not cancel the task run; [`cancel`](Self::cancel) does.
#[must_use = "a failure of a task run that nobody awaits fails its flow run; drop the handle \
              explicitly to leave it running"]
pub struct TaskRun<T> {
    /// `None` only while it is taken apart.
    handle: Option<Handle<T>>,
    /// The place among the waiters, while this future pends.
    ticket: Option<Ticket>,
    /// Whether the body that awaits this was entered among the awaiting ones.
    is_awaited: bool,
    /// Brings a stored result into memory.
    loading: Option<ReusableBoxFuture<'static, Result<(), Failure>>>,
}

impl<T> TaskRun<T> {
    /// Makes the first handle of a node that was just submitted.
    pub(crate) fn first(output: Arc<dyn Output<T>>) -> Self {
        Self::from_handle(Handle::adopt(output))
    }

    pub(crate) fn from_handle(handle: Handle<T>) -> Self {
        Self {
            handle: Some(handle),
            ticket: None,
            is_awaited: false,
            loading: None,
        }
    }

    pub(crate) fn handle(&self) -> &Handle<T> {
        self.handle.as_ref().expect(WHOLE)
    }

    pub(crate) fn into_handle(mut self) -> Handle<T> {
        self.leave();
        self.handle.take().expect(WHOLE)
    }

    /// Leaves the line of those who wait.
    fn leave(&mut self) {
        let Some(header) = self.handle.as_ref().and_then(Handle::header) else {
            return;
        };
        if let Some(ticket) = self.ticket.take() {
            header.withdraw(ticket);
        }
        if self.is_awaited {
            self.is_awaited = false;
            context::end_await(header);
        }
    }

    /// Returns the name of the task run.
    pub fn name(&self) -> &str {
        self.handle()
            .header()
            .map_or("value", |header| header.name())
    }

    /// Returns where the task run stands now.
    pub fn state(&self) -> State {
        self.handle()
            .header()
            .map_or(State::Completed, |header| header.state())
    }

    /// Whether the task run has ended.
    pub fn is_finished(&self) -> bool {
        self.state().is_final()
    }

    /// Asks the task run, and what it submitted itself, to stop. Does not wait for it.
    ///
    /// An async body without a context is dropped at its next await; a body with one has the grace
    /// time to stop by itself. A task run that has ended stays as it is.
    pub fn cancel(&self) {
        if let Some(node) = self.handle().node() {
            crate::driver::cancel_node(&node);
        }
    }

    /// Maps a part of the result: the new handle is a view of the same task run and copies
    /// nothing.
    ///
    /// ```
    /// # use orch_core::prelude::*;
    /// # #[task(inline)] fn load() -> Vec<u64> { vec![1, 2, 3] }
    /// # #[flow] async fn first() -> anyhow::Result<u64> {
    /// let whole = load();
    /// let first = whole.part(|rows| &rows[0]);
    /// # Ok(*first.await?) }
    /// ```
    pub fn part<P: 'static>(&self, part: fn(&T) -> &P) -> TaskRun<P>
    where
        T: 'static,
    {
        self.project(part, Part::Other)
    }

    /// The same for a part that is known to be the whole, or an element of it.
    pub(crate) fn project<P: 'static>(&self, part: fn(&T) -> &P, which: Part) -> TaskRun<P>
    where
        T: 'static,
    {
        TaskRun::from_handle(Handle::new(Arc::new(Projection::new(
            Arc::clone(self.handle().output()),
            part,
            which,
        ))))
    }
}

impl<T> Clone for TaskRun<T> {
    fn clone(&self) -> Self {
        Self::from_handle(self.handle().clone())
    }
}

impl<T> fmt::Debug for TaskRun<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskRun")
            .field("name", &self.name())
            .field("state", &self.state())
            .finish()
    }
}

impl<T> Future for TaskRun<T> {
    type Output = Result<Tracked<T>, TaskError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        let handle = this.handle.as_ref().expect(WHOLE);
        let Some(header) = handle.header() else {
            return Poll::Ready(Ok(Tracked {
                output: Arc::clone(handle.output()),
            }));
        };
        if header.poll_end(&mut this.ticket, cx) {
            let node = || handle.node();
            return match context::note_await(header, &node, &mut this.is_awaited) {
                Ok(()) => Poll::Pending,
                Err(deadlock) => Poll::Ready(Err(deadlock)),
            };
        }
        this.ticket = None;
        if this.is_awaited {
            this.is_awaited = false;
            context::end_await(header);
        }
        if this.loading.is_some() || header.is_unloaded() {
            let loading = this.loading.get_or_insert_with(|| {
                let node = handle.node().expect("what has a header has a node");
                ReusableBoxFuture::new(node.load())
            });
            let loaded = std::task::ready!(loading.poll(cx));
            this.loading = None;
            if let Err(failure) = loaded {
                return Poll::Ready(Err(header.make_error(failure.kind)));
            }
        }
        Poll::Ready(if header.state().is_success() {
            Ok(Tracked {
                output: Arc::clone(handle.output()),
            })
        } else {
            header.observe();
            Err(header
                .error()
                .cloned()
                .expect("a node keeps its error before it ends"))
        })
    }
}

impl<T> Drop for TaskRun<T> {
    fn drop(&mut self) {
        self.leave();
    }
}

/// What a `TaskRun` without its handle would break.
const WHOLE: &str = "a handle is whole until it is taken apart";

/// A result that remembers which task run made it.
///
/// It derefs to `T`; passing it to another task makes an edge, as the handle would. The value
/// lives as long as any handle or `Tracked` of it.
pub struct Tracked<T> {
    output: Arc<dyn Output<T>>,
}

impl<T> Tracked<T> {
    pub(crate) fn from_output(output: Arc<dyn Output<T>>) -> Self {
        Self { output }
    }

    pub(crate) fn output(&self) -> &Arc<dyn Output<T>> {
        &self.output
    }

    /// Returns the value itself: moved when nothing else holds it, cloned otherwise. Passing that
    /// on makes no edge.
    pub fn into_inner(self) -> T
    where
        T: Clone,
    {
        self.try_into_inner()
            .unwrap_or_else(|tracked| (*tracked).clone())
    }

    /// Moves the value out, or gives the `Tracked` back when something else holds it too.
    ///
    /// # Errors
    /// The `Tracked` itself, when a handle, another `Tracked` or a task run still uses the value,
    /// or when it is a part of a larger result.
    pub fn try_into_inner(mut self) -> Result<T, Self> {
        match take_last(&mut self.output) {
            Some(value) => Ok(value),
            None => Err(self),
        }
    }

    /// Moves the value out after the only handle was awaited. The thread that ended the task run
    /// may not have let go of it yet.
    pub(crate) async fn into_last(mut self) -> T {
        loop {
            match self.try_into_inner() {
                Ok(value) => return value,
                Err(tracked) => self = tracked,
            }
            tokio::task::yield_now().await;
        }
    }
}

impl<T: Send + Sync + 'static> From<T> for Tracked<T> {
    /// Wraps a plain value, for calling a task's own function in a test.
    fn from(value: T) -> Self {
        Self {
            output: Arc::new(Constant(Some(value))),
        }
    }
}

impl<T> Deref for Tracked<T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.output
            .value()
            .expect("a `Tracked` is only made of a completed task run")
    }
}

impl<T> AsRef<T> for Tracked<T> {
    fn as_ref(&self) -> &T {
        self
    }
}

impl<T> Clone for Tracked<T> {
    fn clone(&self) -> Self {
        Self {
            output: Arc::clone(&self.output),
        }
    }
}

impl<T: fmt::Debug> fmt::Debug for Tracked<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T: fmt::Display> fmt::Display for Tracked<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T: PartialEq> PartialEq<T> for Tracked<T> {
    fn eq(&self, other: &T) -> bool {
        **self == *other
    }
}

macro_rules! unzip {
    ($($name:ident $index:tt),+) => {
        impl<$($name: 'static),+> TaskRun<($($name,)+)> {
            /// Splits the handle on a tuple into one handle per element. All of them are views of
            /// the same task run; the whole tuple lives while any of them does.
            pub fn unzip(self) -> ($(TaskRun<$name>,)+) {
                ($(self.project(|whole| &whole.$index, Part::Element($index)),)+)
            }
        }
    };
}

unzip!(A 0, B 1);
unzip!(A 0, B 1, C 2);
unzip!(A 0, B 1, C 2, D 3);
unzip!(A 0, B 1, C 2, D 3, E 4);
unzip!(A 0, B 1, C 2, D 3, E 4, F 5);
unzip!(A 0, B 1, C 2, D 3, E 4, F 5, G 6);
unzip!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7);

/// How a task run came out, as a parameter of another task.
///
/// A task with an `Outcome<T>` parameter runs whatever became of the upstream task run, and sees
/// its error. Once it starts, a failure of the upstream is observed.
///
/// ```
/// use orch_core::prelude::*;
///
/// #[task(inline)]
/// fn describe(model: Outcome<f64>) -> String {
///     match &*model {
///         Ok(score) => format!("scored {score}"),
///         Err(error) => format!("no model: {error}"),
///     }
/// }
/// ```
#[derive(Debug, Clone)]
pub struct Outcome<T>(Result<Tracked<T>, TaskError>);

impl<T> Outcome<T> {
    pub(crate) fn new(outcome: Result<Tracked<T>, TaskError>) -> Self {
        Self(outcome)
    }

    /// Returns the outcome as a `Result`.
    ///
    /// # Errors
    /// The error of the upstream task run.
    pub fn into_result(self) -> Result<Tracked<T>, TaskError> {
        self.0
    }
}

impl<T> Deref for Outcome<T> {
    type Target = Result<Tracked<T>, TaskError>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl<T> From<Result<Tracked<T>, TaskError>> for Outcome<T> {
    fn from(outcome: Result<Tracked<T>, TaskError>) -> Self {
        Self(outcome)
    }
}

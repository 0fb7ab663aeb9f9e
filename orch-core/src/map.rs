//! Maps: a task run per item of an iterator or stream, a window at a time.

mod runner;
mod source;
mod tolerance;

pub use self::source::MapSource;
pub use self::tolerance::Tolerance;

use std::fmt;
use std::future::IntoFuture;
use std::sync::Arc;
use std::task::Poll;

use futures_util::{FutureExt as _, Stream, StreamExt as _};

use self::runner::Runner;
use self::source::{Items, PollItem, UpstreamHandle};
use crate::body::{Made, MadeBody};
use crate::call::place_of;
use crate::definition::Definition;
use crate::detail::Detail;
use crate::error::{Failure, TaskError, TaskErrorKind};
use crate::flow::NodeSpec;
use crate::identity::Part;
use crate::key::GatheredDigest;
use crate::report::NodeKind;
use crate::scope::ItemCounts;
use crate::task_run::{TaskRun, Tracked};

/// How many items are under way at once by default: enough to keep every worker busy with small
/// tasks, few enough that their inputs fit in memory.
const DEFAULT_WINDOW: usize = 256;

static MAP: Definition = Definition::new("map", "", "", 0, "");

/// Calls a task for each item, a window at a time: items are taken from `items` only as fast as
/// they are worked off, so a million of them need no more memory than a few hundred.
///
/// `items` is anything that can be iterated, or a [`TaskRun`] of a `Vec`, whose items are known
/// only when it has completed. The closure calls one or more tasks and returns the handle of the
/// last; it may call `map` again. Results keep the order of the items.
///
/// The map is one node of the graph: it counts its items and lists none of them. It fails with the
/// first item that fails, unless [`Map::tolerate`] allows for some.
///
/// ```
/// use orch_core::prelude::*;
///
/// #[task(inline)]
/// fn square(x: u64) -> u64 { x * x }
///
/// #[flow]
/// async fn sum_of_squares(n: u64) -> Result<u64, TaskError> {
///     let sum = map(0..n, |x| square(x)).fold(0, |sum, x| sum + x);
///     Ok(*sum.await?)
/// }
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// assert_eq!(sum_of_squares(5u64).await.unwrap(), 30);
/// # });
/// ```
pub fn map<S, F, U>(items: S, mut each: F) -> Map<U>
where
    S: MapSource,
    S::Item: 'static,
    F: FnMut(S::Item) -> TaskRun<U> + Send + 'static,
    U: Send + Sync + 'static,
{
    let Items {
        mut next,
        len,
        upstream,
    } = items.into_items();
    Map::new(
        Box::new(move |cx| next(cx).map(|item| item.map(|item| Ok(each(item))))),
        len,
        upstream,
    )
}

/// Calls a task for each pair of items at the same place in two sequences.
///
/// # Errors
/// The map fails when one sequence ends before the other.
pub fn map_zip<A, B, F, U>(first: A, second: B, mut each: F) -> Map<U>
where
    A: MapSource,
    B: MapSource,
    F: FnMut(A::Item, B::Item) -> TaskRun<U> + Send + 'static,
    A::Item: Send + 'static,
    B::Item: 'static,
    U: Send + Sync + 'static,
{
    let Items {
        next: mut next_a,
        len,
        mut upstream,
    } = first.into_items();
    let Items {
        next: mut next_b,
        len: other_len,
        upstream: other,
    } = second.into_items();
    upstream.extend(other);
    let mut waiting = None;
    let mut pairs: u64 = 0;
    let uneven = |pairs: u64, longer: &str| {
        let message = format!(
            "`map_zip` needs two sequences of one length: the {longer} goes on after {pairs} items"
        );
        Some(Err(Failure::last(TaskErrorKind::Invalid { message })))
    };
    let next: NextItem<U> = Box::new(move |cx| {
        if waiting.is_none() {
            waiting = Some(std::task::ready!(next_a(cx)));
        }
        let second = std::task::ready!(next_b(cx));
        Poll::Ready(match (waiting.take().flatten(), second) {
            (Some(first), Some(second)) => {
                pairs += 1;
                Some(Ok(each(first, second)))
            }
            (None, None) => None,
            (Some(_), None) => uneven(pairs, "first"),
            (None, Some(_)) => uneven(pairs, "second"),
        })
    });
    Map::new(next, len.or(other_len), upstream)
}

/// Calls a task for each combination of an item of the one sequence with an item of the other:
/// all of the second for the first item of the first, and so on.
pub fn map_product<A, B, F, U>(first: A, second: B, mut each: F) -> Map<U>
where
    A: IntoIterator,
    A::IntoIter: Send + 'static,
    A::Item: Clone + Send + 'static,
    B: IntoIterator + Clone + Send + 'static,
    B::IntoIter: Send + 'static,
    B::Item: 'static,
    F: FnMut(A::Item, B::Item) -> TaskRun<U> + Send + 'static,
    U: Send + Sync + 'static,
{
    let pairs = first
        .into_iter()
        .flat_map(move |a| second.clone().into_iter().map(move |b| (a.clone(), b)));
    map(pairs, move |(a, b)| each(a, b))
}

/// Calls a task for each item of a stream, a window at a time. See [`map`].
pub fn map_stream<S, F, U>(items: S, mut each: F) -> Map<U>
where
    S: Stream + Send + 'static,
    F: FnMut(S::Item) -> TaskRun<U> + Send + 'static,
    U: Send + Sync + 'static,
{
    let mut items = Box::pin(items);
    Map::new(
        Box::new(move |cx| {
            items
                .poll_next_unpin(cx)
                .map(|item| item.map(|item| Ok(each(item))))
        }),
        None,
        Vec::new(),
    )
}

type NextItem<U> = PollItem<Result<TaskRun<U>, Failure>>;

/// A map that has not been submitted yet.
///
/// [`collect`](Self::collect), [`outcomes`](Self::outcomes) and [`fold`](Self::fold) submit it;
/// awaiting it is `collect` and await.
#[must_use = "a map does nothing until it is collected, folded or awaited"]
pub struct Map<U> {
    next: NextItem<U>,
    len: Option<u64>,
    upstream: Vec<UpstreamHandle>,
    window: usize,
    tolerance: Tolerance,
    name: Option<String>,
}

impl<U: Send + Sync + 'static> Map<U> {
    fn new(next: NextItem<U>, len: Option<u64>, upstream: Vec<UpstreamHandle>) -> Self {
        Self {
            next,
            len,
            upstream,
            window: DEFAULT_WINDOW,
            tolerance: Tolerance::default(),
            name: None,
        }
    }

    /// How many items may be under way at once. Default: 256. At least 1.
    pub fn window(mut self, items: usize) -> Self {
        self.window = items.max(1);
        self
    }

    /// Puts up with some failed items.
    pub fn tolerate(mut self, tolerance: Tolerance) -> Self {
        self.tolerance = tolerance;
        self
    }

    /// Names the map in the graph. Default: `map`.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Submits the map; its result is those of the items in their order, without those of
    /// tolerated failures.
    pub fn collect(self) -> TaskRun<Vec<U>>
    where
        U: Clone,
    {
        let push = |mut all: Vec<U>, result| {
            all.push(result);
            all
        };
        self.fold_as(Vec::new(), push, Some(GatheredDigest::default()))
    }

    /// Submits the map; its result is, item by item, what came of it. Use it with
    /// [`tolerate`](Self::tolerate).
    pub fn outcomes(self) -> TaskRun<Vec<Result<U, TaskError>>>
    where
        U: Clone,
    {
        let push = |all: &mut Vec<_>, outcome: Result<TaskRun<U>, TaskError>| {
            all.push(outcome.map(|run| take(run)));
        };
        self.submit(Vec::new(), push, None)
    }

    /// Submits the map; its result is what `add` makes of the items' results, one by one and in
    /// their order, starting from `initial`. Only results that came before an earlier item's are
    /// kept waiting, so memory stays constant.
    pub fn fold<A, F>(self, initial: A, add: F) -> TaskRun<A>
    where
        A: Send + Sync + 'static,
        U: Clone,
        F: FnMut(A, U) -> A + Send + 'static,
    {
        // What a function makes of the items has a digest of its own, which nobody knows.
        self.fold_as(initial, add, None)
    }

    fn fold_as<A, F>(self, initial: A, mut add: F, digest: Option<GatheredDigest>) -> TaskRun<A>
    where
        A: Send + Sync + 'static,
        U: Clone,
        F: FnMut(A, U) -> A + Send + 'static,
    {
        let add = move |folded: &mut Option<A>, outcome: Result<TaskRun<U>, TaskError>| {
            if let Ok(run) = outcome {
                let before = folded.take().expect("a fold always has a value");
                *folded = Some(add(before, take(run)));
            }
        };
        let folded = self.submit(Some(initial), add, digest);
        folded.project(
            |folded| folded.as_ref().expect("a fold always has a value"),
            Part::Whole,
        )
    }

    fn submit<A>(
        self,
        initial: A,
        add: impl FnMut(&mut A, Result<TaskRun<U>, TaskError>) + Send + 'static,
        digest: Option<GatheredDigest>,
    ) -> TaskRun<A>
    where
        A: Send + Sync + 'static,
    {
        let Self {
            next,
            len,
            upstream,
            window,
            tolerance,
            name,
        } = self;
        let counts = Arc::new(ItemCounts::default());
        let mut spec = NodeSpec::new(&MAP, NodeKind::Map);
        spec.detail = name.map(Detail::named);
        let runner_counts = Arc::clone(&counts);
        let inputs: Made<A> = Made {
            visit: Box::new(move |visit| {
                for handle in &upstream {
                    handle(visit);
                }
            }),
            make: Box::new(move || {
                let runner = Runner::new(next, len, window, tolerance, runner_counts, digest);
                runner.run(initial, add).boxed()
            }),
        };
        let (flow, scope) = place_of(&inputs);
        spec.scope = scope;
        let node = flow.submit::<MadeBody<A>>(spec, inputs, None);
        node.header.flow.add_items(node.header.index, counts);
        TaskRun::first(node)
    }
}

/// Takes the result out of an item's handle.
fn take<U: Clone>(run: TaskRun<U>) -> U {
    let mut handle = run.into_handle();
    handle.take().unwrap_or_else(|| handle.input().clone())
}

impl<U: Clone + Send + Sync + 'static> IntoFuture for Map<U> {
    type Output = Result<Tracked<Vec<U>>, TaskError>;
    type IntoFuture = TaskRun<Vec<U>>;

    fn into_future(self) -> TaskRun<Vec<U>> {
        self.collect()
    }
}

impl<U> fmt::Debug for Map<U> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Map")
            .field("window", &self.window)
            .field("tolerance", &self.tolerance)
            .finish_non_exhaustive()
    }
}

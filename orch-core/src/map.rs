//! Maps: a task run per item of an iterator or stream, a window at a time.

use std::collections::BTreeMap;
use std::fmt;
use std::future::{IntoFuture, poll_fn};
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_util::{FutureExt as _, Stream, StreamExt as _};

use crate::body::{Made, MadeBody, ended_meanwhile};
use crate::call::place_of;
use crate::context;
use crate::definition::Definition;
use crate::detail::Detail;
use crate::driver::stop_children;
use crate::error::{Failure, TaskError, TaskErrorKind};
use crate::event::{EventKind, TaskRunRef};
use crate::flow::{NodeSpec, stop_of};
use crate::handle::Handle;
use crate::identity::Part;
use crate::inbox::Inbox;
use crate::key::GatheredDigest;
use crate::node::{Header, Upstream, Waiter};
use crate::report::{EdgeKind, NodeKind};
use crate::scope::{ItemCounts, Scope};
use crate::stop::Stop;
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

/// What [`map`] can go over: anything that can be iterated, and handles on a `Vec`.
pub trait MapSource {
    /// One item.
    type Item;

    #[doc(hidden)]
    fn into_items(self) -> Items<Self::Item>;
}

/// Polls for the next item.
type PollItem<I> = Box<dyn FnMut(&mut Context<'_>) -> Poll<Option<I>> + Send>;

/// Where a map's items come from.
#[doc(hidden)]
pub struct Items<I> {
    next: PollItem<I>,
    len: Option<u64>,
    upstream: Vec<UpstreamHandle>,
}

/// Visits the node behind a handle of any type.
type UpstreamHandle = Box<dyn Fn(&mut dyn FnMut(Upstream<'_>)) + Send>;

impl<I> MapSource for I
where
    I: IntoIterator,
    I::IntoIter: Send + 'static,
{
    type Item = I::Item;

    fn into_items(self) -> Items<I::Item> {
        let mut items = self.into_iter();
        let len = match items.size_hint() {
            (low, Some(high)) if low == high => Some(low as u64),
            _ => None,
        };
        Items {
            next: Box::new(move |_| Poll::Ready(items.next())),
            len,
            upstream: Vec::new(),
        }
    }
}

impl<T: Clone + Send + Sync + 'static> MapSource for TaskRun<Vec<T>> {
    type Item = T;

    fn into_items(self) -> Items<T> {
        items_of(self.into_handle())
    }
}

impl<T: Clone + Send + Sync + 'static> MapSource for &TaskRun<Vec<T>> {
    type Item = T;

    fn into_items(self) -> Items<T> {
        items_of(self.handle().clone())
    }
}

impl<T: Clone + Send + Sync + 'static> MapSource for &Tracked<Vec<T>> {
    type Item = T;

    fn into_items(self) -> Items<T> {
        items_of(Handle::new(Arc::clone(self.output())))
    }
}

fn items_of<T: Clone + Send + Sync + 'static>(handle: Handle<Vec<T>>) -> Items<T> {
    let upstream = handle.clone();
    let mut at = 0;
    Items {
        next: Box::new(move |_| {
            let item = handle.input().get(at).cloned();
            at += 1;
            Poll::Ready(item)
        }),
        len: None,
        upstream: vec![Box::new(move |visit| upstream.visit(EdgeKind::Data, visit))],
    }
}

type NextItem<U> = PollItem<Result<TaskRun<U>, Failure>>;

/// How many failed items a map puts up with. Both thresholds may be set; the map fails when either
/// is passed. None is tolerated by default.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Tolerance {
    count: Option<u64>,
    share: Option<f64>,
}

impl Tolerance {
    /// At most this many failed items.
    pub const fn count(failed: u64) -> Self {
        Self {
            count: Some(failed),
            share: None,
        }
    }

    /// At most this share of all items, in `0..=1`. Checked at the end; and before, as soon as it
    /// is certain to be passed.
    ///
    /// # Panics
    /// If `share` is not within `0..=1`.
    pub fn share(share: f64) -> Self {
        assert!(
            (0.0..=1.0).contains(&share),
            "a share of items is a number from 0 to 1"
        );
        Self {
            count: None,
            share: Some(share),
        }
    }

    /// Both.
    pub const fn and_count(mut self, failed: u64) -> Self {
        self.count = Some(failed);
        self
    }

    /// Whether `failed` is too many, with `total` items if that is known.
    fn is_passed(&self, failed: u64, total: Option<u64>) -> bool {
        let by_count = match (self.count, self.share) {
            (Some(count), _) => failed > count,
            (None, None) => failed > 0,
            (None, Some(_)) => false,
        };
        let by_share = match (self.share, total) {
            (Some(share), Some(total)) => failed as f64 > share * total as f64,
            _ => false,
        };
        by_count || by_share
    }
}

impl fmt::Display for Tolerance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.count, self.share) {
            (None, None) => f.write_str("none is tolerated"),
            (Some(count), None) => write!(f, "{count} are tolerated"),
            (None, Some(share)) => write!(f, "{}% are tolerated", share * 100.0),
            (Some(count), Some(share)) => {
                write!(f, "{count} and at most {}% are tolerated", share * 100.0)
            }
        }
    }
}

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
                let runner = Runner {
                    next,
                    len,
                    window,
                    tolerance,
                    counts: runner_counts,
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
                };
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

/// A map while it runs.
struct Runner<U> {
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
    async fn run<A>(
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
                Poll::Ready(None) => self.is_exhausted = true,
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

impl<I> fmt::Debug for Items<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Items")
            .field("len", &self.len)
            .finish_non_exhaustive()
    }
}

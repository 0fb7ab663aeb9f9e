//! What a map goes over.

use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};

use crate::handle::Handle;
use crate::node::Upstream;
use crate::report::EdgeKind;
use crate::task_run::{TaskRun, Tracked};

/// What [`map`](super::map) can go over: anything that can be iterated, and handles on a `Vec`.
pub trait MapSource {
    /// One item.
    type Item;

    #[doc(hidden)]
    fn into_items(self) -> Items<Self::Item>;
}

/// Polls for the next item.
pub(super) type PollItem<I> = Box<dyn FnMut(&mut Context<'_>) -> Poll<Option<I>> + Send>;

/// Where a map's items come from.
#[doc(hidden)]
pub struct Items<I> {
    pub(super) next: PollItem<I>,
    pub(super) len: Option<u64>,
    pub(super) upstream: Vec<UpstreamHandle>,
}

/// Visits the node behind a handle of any type.
pub(super) type UpstreamHandle = Box<dyn Fn(&mut dyn FnMut(Upstream<'_>)) + Send>;

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

impl<I> fmt::Debug for Items<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Items")
            .field("len", &self.len)
            .finish_non_exhaustive()
    }
}

//! Collections of handles, as one argument.

use std::sync::Arc;

use super::{
    AsOutcome, ByRef, ByValue, Gather, Input, Owned, Passing, Shared, Source, TrackedInput, owned,
    shared,
};
use crate::handle::Handle;
use crate::identity::Origin;
use crate::node::Upstream;
use crate::report::EdgeKind;
use crate::task_run::{Outcome, TaskRun, Tracked};

/// Several upstream results of one type, and what to make of each.
struct All<T, U> {
    handles: Vec<Handle<T>>,
    edge: EdgeKind,
    each: fn(&Handle<T>) -> U,
}

impl<T: Send + Sync + 'static, U: 'static> Gather<Vec<U>> for All<T, U> {
    fn visit(&self, visit: &mut dyn FnMut(Upstream<'_>)) {
        for handle in &self.handles {
            handle.visit(self.edge, visit);
        }
    }

    fn visit_origins(&self, visit: &mut dyn FnMut(&Origin<'_>)) {
        for handle in &self.handles {
            visit(&handle.origin());
        }
    }

    fn gather(&self) -> Vec<U> {
        self.handles.iter().map(self.each).collect()
    }

    fn again(&self) -> Box<dyn Gather<Vec<U>>> {
        Box::new(Self {
            handles: self.handles.clone(),
            edge: self.edge,
            each: self.each,
        })
    }
}

fn all<S: Source, U>(
    sources: impl IntoIterator<Item = S>,
    edge: EdgeKind,
    each: fn(&Handle<S::Result>) -> U,
) -> All<S::Result, U> {
    All {
        handles: sources.into_iter().map(Source::into_handle).collect(),
        edge,
        each,
    }
}

fn tracked_of<T>(handle: &Handle<T>) -> Tracked<T> {
    Tracked::from_output(Arc::clone(handle.output()))
}

fn outcome_of<T: Send + Sync + 'static>(handle: &Handle<T>) -> Outcome<T> {
    AsOutcome(handle.clone()).gather()
}

fn clone_of<T: Clone>(handle: &Handle<T>) -> T {
    handle.input().clone()
}

macro_rules! collection {
    ($([$($generics:tt)*] $collection:ty;)+) => {$(
        impl<$($generics)* T: Clone + Send + Sync + 'static> Input<Vec<T>, ByRef> for $collection {
            fn into_argument(self) -> Shared<Vec<T>> {
                shared(all(self, EdgeKind::Data, clone_of::<T>))
            }
        }

        impl<$($generics)* T: Clone + Send + Sync + 'static> Input<Vec<T>, ByValue> for $collection {
            fn into_argument(self) -> Owned<Vec<T>> {
                owned(all(self, EdgeKind::Data, clone_of::<T>))
            }
        }

        impl<$($generics)* T: Send + Sync + 'static> Input<Vec<Outcome<T>>, ByRef> for $collection {
            fn into_argument(self) -> Shared<Vec<Outcome<T>>> {
                shared(all(self, EdgeKind::Catch, outcome_of::<T>))
            }
        }

        impl<$($generics)* T: Send + Sync + 'static> Input<Vec<Outcome<T>>, ByValue> for $collection {
            fn into_argument(self) -> Owned<Vec<Outcome<T>>> {
                owned(all(self, EdgeKind::Catch, outcome_of::<T>))
            }
        }
    )+};
}

collection! {
    [] Vec<TaskRun<T>>;
    [] &Vec<TaskRun<T>>;
    [] &[TaskRun<T>];
    [const N: usize,] [TaskRun<T>; N];
    [const N: usize,] [&TaskRun<T>; N];
    [] Vec<Tracked<T>>;
    [] &Vec<Tracked<T>>;
    [] &[Tracked<T>];
    [const N: usize,] [Tracked<T>; N];
    [const N: usize,] [&Tracked<T>; N];
}

macro_rules! tracked_collection {
    ($([$($generics:tt)*] $collection:ty;)+) => {$(
        impl<$($generics)* T: Send + Sync + 'static> Input<Vec<Tracked<T>>, ByRef> for $collection {
            fn into_argument(self) -> Shared<Vec<Tracked<T>>> {
                shared(all(self, EdgeKind::Data, tracked_of::<T>))
            }
        }

        impl<$($generics)* T: Send + Sync + 'static> Input<Vec<Tracked<T>>, ByValue> for $collection {
            fn into_argument(self) -> Owned<Vec<Tracked<T>>> {
                owned(all(self, EdgeKind::Data, tracked_of::<T>))
            }
        }
    )+};
}

tracked_collection! {
    [] Vec<TaskRun<T>>;
    [] &Vec<TaskRun<T>>;
    [] &[TaskRun<T>];
    [const N: usize,] [TaskRun<T>; N];
    [const N: usize,] [&TaskRun<T>; N];
    [const N: usize,] [Tracked<T>; N];
}

macro_rules! tracked_input_collection {
    ($([$($generics:tt)*] $collection:ty;)+) => {$(
        #[diagnostic::do_not_recommend]
        impl<$($generics)* T: Send + Sync + 'static, How: Passing>
            TrackedInput<Vec<Tracked<T>>, How> for $collection
        {
            fn into_argument(self) -> How::Argument<Vec<Tracked<T>>> {
                How::gathered(all(self, EdgeKind::Data, tracked_of::<T>))
            }
        }
    )+};
}

tracked_input_collection! {
    [] Vec<TaskRun<T>>;
    [] &Vec<TaskRun<T>>;
    [] &[TaskRun<T>];
    [const N: usize,] [TaskRun<T>; N];
    [const N: usize,] [&TaskRun<T>; N];
    [] Vec<Tracked<T>>;
    [] &Vec<Tracked<T>>;
    [] &[Tracked<T>];
    [const N: usize,] [Tracked<T>; N];
    [const N: usize,] [&Tracked<T>; N];
}

/// As many upstream results as an array has elements.
struct Exactly<T, const N: usize>([Handle<T>; N]);

impl<T: Send + Sync + 'static, const N: usize> Gather<[Tracked<T>; N]> for Exactly<T, N> {
    fn visit(&self, visit: &mut dyn FnMut(Upstream<'_>)) {
        for handle in &self.0 {
            handle.visit(EdgeKind::Data, visit);
        }
    }

    fn visit_origins(&self, visit: &mut dyn FnMut(&Origin<'_>)) {
        for handle in &self.0 {
            visit(&handle.origin());
        }
    }

    fn gather(&self) -> [Tracked<T>; N] {
        self.0.each_ref().map(tracked_of)
    }

    fn again(&self) -> Box<dyn Gather<[Tracked<T>; N]>> {
        Box::new(Self(self.0.clone()))
    }
}

macro_rules! tracked_input_array {
    ($($source:ty),+) => {$(
        #[diagnostic::do_not_recommend]
        impl<T: Send + Sync + 'static, How: Passing, const N: usize>
            TrackedInput<[Tracked<T>; N], How> for [$source; N]
        {
            fn into_argument(self) -> How::Argument<[Tracked<T>; N]> {
                How::gathered(Exactly(self.map(Source::into_handle)))
            }
        }
    )+};
}

tracked_input_array!(TaskRun<T>, &TaskRun<T>, Tracked<T>, &Tracked<T>);

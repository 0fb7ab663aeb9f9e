//! What can be passed to a task: plain values, handles, results, and collections of them.

mod collection;
mod tuple;

use std::path::PathBuf;
use std::sync::Arc;

use crate::handle::Handle;
use crate::identity::Origin;
use crate::key::KeyedInner;
use crate::node::{Header, Upstream};
use crate::report::EdgeKind;
use crate::task_run::{Outcome, TaskRun, Tracked};

/// A value that can be passed for a parameter of type `T` of a task or a flow.
///
/// `How` is [`ByRef`] for a parameter `&T`, which borrows, and [`ByValue`] for a parameter `T`,
/// which moves or clones. A handle passed for a parameter `T` is cloned unless it is the last one,
/// so it needs `T: Clone` there.
///
/// | passed | for a parameter of type |
/// |---|---|
/// | `T`, `&T` with `T: Clone` | `T` |
/// | `TaskRun<T>`, `&TaskRun<T>`, `Tracked<T>`, `&Tracked<T>` | `T`, `Outcome<T>` |
/// | `Vec`, slice or array of these | `Vec<T>`, `Vec<Outcome<T>>` |
/// | tuple of two to four `TaskRun`s | a tuple |
/// | a [`FlowCall<T>`](crate::FlowCall) | `T` |
/// | `&str` | `String`, `PathBuf` |
/// | `String`, `&String`, `&Path`, `&PathBuf` | `PathBuf` |
///
/// For a parameter that is written `Tracked<T>`, `Vec<Tracked<T>>` or `[Tracked<T>; N]`, or as a
/// borrow of one, a [`TrackedInput`] is passed instead. Only what is written tells: where the type
/// of a parameter is generic, or another name for one of these, or has a `Tracked<T>` deeper inside
/// as in `Option<Tracked<T>>`, a `Tracked<T>` that is passed is a plain value and makes no edge.
///
/// What type inference cannot do: `.into()`, `.parse()?`, `Default::default()`, `Vec::new()` and
/// `.collect()` without a type, and `1` for an `f64`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be passed for a parameter of type `{T}`",
    label = "expected `{T}`, or a handle on a task run that returns one",
    note = "a handle passed for a parameter that is not a reference is cloned when it is not the \
            last one, so it needs `{T}: Clone`; take the parameter as `&{T}` to borrow it"
)]
pub trait Input<T, How: Passing = ByRef> {
    /// Turns it into what the task run holds until it starts.
    #[doc(hidden)]
    fn into_argument(self) -> How::Argument<T>;
}

/// A result that can be passed for a parameter written `Tracked<T>`, `Vec<Tracked<T>>` or
/// `[Tracked<T>; N]`, or for a borrow of one. It makes an edge, and copies nothing.
///
/// | passed | for a parameter of type |
/// |---|---|
/// | `TaskRun<T>`, `&TaskRun<T>`, `Tracked<T>`, `&Tracked<T>` | `Tracked<T>` |
/// | a [`FlowCall<T>`](crate::FlowCall) | `Tracked<T>` |
/// | `Vec`, slice or array of handles or results | `Vec<Tracked<T>>` |
/// | array of `N` handles or results | `[Tracked<T>; N]` |
///
/// A plain value has no origin to keep, so it is not accepted; `Tracked::from(value)` wraps one,
/// and makes no edge.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be passed for a parameter of type `{T}`",
    label = "expected `{T}`, or a handle for each result in it",
    note = "a plain value was not made by a task run: wrap it with `Tracked::from`, or take the \
            parameter as `T` or `&T` instead of `Tracked<T>`, which accepts both"
)]
pub trait TrackedInput<T, How: Passing = ByRef> {
    /// Turns it into what the task run holds until it starts.
    #[doc(hidden)]
    fn into_argument(self) -> How::Argument<T>;
}

/// How a parameter gets its value: [`ByRef`] or [`ByValue`].
pub trait Passing: sealed::Sealed {
    /// What the task run holds until it starts.
    #[doc(hidden)]
    type Argument<T>;

    /// Makes an argument of upstream results.
    #[doc(hidden)]
    fn gathered<T>(gather: impl Gather<T> + 'static) -> Self::Argument<T>;
}

/// For parameters `&T`.
#[derive(Debug)]
pub enum ByRef {}

/// For parameters `T`.
#[derive(Debug)]
pub enum ByValue {}

impl Passing for ByRef {
    type Argument<T> = Shared<T>;

    fn gathered<T>(gather: impl Gather<T> + 'static) -> Shared<T> {
        shared(gather)
    }
}

impl Passing for ByValue {
    type Argument<T> = Owned<T>;

    fn gathered<T>(gather: impl Gather<T> + 'static) -> Owned<T> {
        owned(gather)
    }
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for super::ByRef {}
    impl Sealed for super::ByValue {}
}

/// An argument that the body borrows.
pub struct Shared<T>(SharedInner<T>);

enum SharedInner<T> {
    Value(Arc<T>),
    Run(Handle<T>),
    Gather {
        gather: Box<dyn Gather<T>>,
        gathered: std::sync::OnceLock<T>,
    },
}

/// An argument that the body owns.
pub struct Owned<T>(OwnedInner<T>);

enum OwnedInner<T> {
    Value(T),
    Run {
        handle: Handle<T>,
        clone: fn(&T) -> T,
    },
    Gather {
        gather: Box<dyn Gather<T>>,
        gathered: std::sync::OnceLock<T>,
    },
}

impl<T> Shared<T> {
    /// What the argument is, for keys.
    pub(crate) fn keyed(&self) -> KeyedInner<'_, T> {
        match &self.0 {
            SharedInner::Value(value) => KeyedInner::Value(value),
            SharedInner::Run(handle) => KeyedInner::Run(handle),
            SharedInner::Gather { gather, .. } => KeyedInner::Gather(&**gather),
        }
    }

    /// Returns the value, once the task run may start.
    pub fn get(&self) -> &T {
        self.peek()
    }

    /// The same, for name templates.
    pub fn peek(&self) -> &T {
        match &self.0 {
            SharedInner::Value(value) => value,
            SharedInner::Run(handle) => handle.input(),
            SharedInner::Gather { gather, gathered } => gathered.get_or_init(|| gather.gather()),
        }
    }
}

impl<T> Owned<T> {
    /// What the argument is, for keys.
    pub(crate) fn keyed(&self) -> KeyedInner<'_, T> {
        match &self.0 {
            OwnedInner::Value(value) => KeyedInner::Value(value),
            OwnedInner::Run { handle, .. } => KeyedInner::Run(handle),
            OwnedInner::Gather { gather, .. } => KeyedInner::Gather(&**gather),
        }
    }

    /// Returns the value, once the task run may start: moved when this is the last that holds it.
    pub fn take(self) -> T {
        match self.0 {
            OwnedInner::Value(value) => value,
            OwnedInner::Run { mut handle, clone } => {
                handle.take().unwrap_or_else(|| clone(handle.input()))
            }
            OwnedInner::Gather { gather, gathered } => {
                gathered.into_inner().unwrap_or_else(|| gather.gather())
            }
        }
    }

    /// Borrows the value, for name templates.
    pub fn peek(&self) -> &T {
        match &self.0 {
            OwnedInner::Value(value) => value,
            OwnedInner::Run { handle, .. } => handle.input(),
            OwnedInner::Gather { gather, gathered } => gathered.get_or_init(|| gather.gather()),
        }
    }
}

impl<T> Clone for Shared<T> {
    fn clone(&self) -> Self {
        Self(match &self.0 {
            SharedInner::Value(value) => SharedInner::Value(Arc::clone(value)),
            SharedInner::Run(handle) => SharedInner::Run(handle.clone()),
            SharedInner::Gather { gather, .. } => SharedInner::Gather {
                gather: gather.again(),
                gathered: Default::default(),
            },
        })
    }
}

/// Only a value that can be cloned is there for a second attempt.
impl<T: Clone> Clone for Owned<T> {
    fn clone(&self) -> Self {
        Self(match &self.0 {
            OwnedInner::Value(value) => OwnedInner::Value(value.clone()),
            OwnedInner::Run { handle, clone } => OwnedInner::Run {
                handle: handle.clone(),
                clone: *clone,
            },
            OwnedInner::Gather { gather, .. } => OwnedInner::Gather {
                gather: gather.again(),
                gathered: Default::default(),
            },
        })
    }
}

/// Makes one value of several upstream results.
#[expect(
    private_interfaces,
    reason = "public to be named by a public trait, and no user can reach it"
)]
pub trait Gather<T>: Send + Sync {
    fn visit(&self, visit: &mut dyn FnMut(Upstream<'_>));
    /// Visits where each of the results comes from, in order.
    fn visit_origins(&self, visit: &mut dyn FnMut(&Origin<'_>));
    fn gather(&self) -> T;
    fn again(&self) -> Box<dyn Gather<T>>;
}

/// All arguments of one call, as a tuple of [`Shared`] and [`Owned`].
pub trait Arguments: Send + 'static {
    /// Visits the upstream nodes.
    #[doc(hidden)]
    fn visit(&self, visit: &mut dyn FnMut(Upstream<'_>));
}

/// One argument.
pub trait Argument: Send + 'static {
    /// Visits its upstream nodes.
    #[doc(hidden)]
    fn visit(&self, visit: &mut dyn FnMut(Upstream<'_>));
}

impl<T: Send + Sync + 'static> Argument for Shared<T> {
    fn visit(&self, visit: &mut dyn FnMut(Upstream<'_>)) {
        match &self.0 {
            SharedInner::Value(_) => {}
            SharedInner::Run(handle) => handle.visit(EdgeKind::Data, visit),
            SharedInner::Gather { gather, .. } => gather.visit(visit),
        }
    }
}

impl<T: Send + 'static> Argument for Owned<T> {
    fn visit(&self, visit: &mut dyn FnMut(Upstream<'_>)) {
        match &self.0 {
            OwnedInner::Value(_) => {}
            OwnedInner::Run { handle, .. } => handle.visit(EdgeKind::Data, visit),
            OwnedInner::Gather { gather, .. } => gather.visit(visit),
        }
    }
}

macro_rules! arguments {
    ($($name:ident)*) => {
        impl<$($name: Argument),*> Arguments for ($($name,)*) {
            #[allow(non_snake_case, unused_variables, reason = "one shape for every length")]
            fn visit(&self, visit: &mut dyn FnMut(Upstream<'_>)) {
                let ($($name,)*) = self;
                $($name.visit(visit);)*
            }
        }
    };
}

arguments!();
arguments!(A);
arguments!(A B);
arguments!(A B C);
arguments!(A B C D);
arguments!(A B C D E);
arguments!(A B C D E F);
arguments!(A B C D E F G);
arguments!(A B C D E F G H);
arguments!(A B C D E F G H I);
arguments!(A B C D E F G H I J);
arguments!(A B C D E F G H I J K);
arguments!(A B C D E F G H I J K L);

// Plain values.

impl<T> Input<T, ByRef> for T {
    fn into_argument(self) -> Shared<T> {
        Shared(SharedInner::Value(Arc::new(self)))
    }
}

impl<T> Input<T, ByValue> for T {
    fn into_argument(self) -> Owned<T> {
        Owned(OwnedInner::Value(self))
    }
}

impl<T: Clone> Input<T, ByRef> for &T {
    fn into_argument(self) -> Shared<T> {
        Shared(SharedInner::Value(Arc::new(self.clone())))
    }
}

impl<T: Clone> Input<T, ByValue> for &T {
    fn into_argument(self) -> Owned<T> {
        Owned(OwnedInner::Value(self.clone()))
    }
}

/// Inputs that are turned into the parameter's type on the way.
macro_rules! converted {
    ($($from:ty => $to:ty),+ $(,)?) => {$(
        impl Input<$to, ByRef> for $from {
            fn into_argument(self) -> Shared<$to> {
                Shared(SharedInner::Value(Arc::new(<$to>::from(self))))
            }
        }

        impl Input<$to, ByValue> for $from {
            fn into_argument(self) -> Owned<$to> {
                Owned(OwnedInner::Value(<$to>::from(self)))
            }
        }
    )+};
}

converted!(
    &str => String,
    &str => PathBuf,
    String => PathBuf,
    &String => PathBuf,
    &std::path::Path => PathBuf,
    &str => crate::DataFile,
    String => crate::DataFile,
    &String => crate::DataFile,
    PathBuf => crate::DataFile,
    &PathBuf => crate::DataFile,
    &std::path::Path => crate::DataFile,
);

// Arguments of one call, for another one.

impl<T> Input<T, ByRef> for Shared<T> {
    fn into_argument(self) -> Shared<T> {
        self
    }
}

impl<T> Input<T, ByValue> for Owned<T> {
    fn into_argument(self) -> Owned<T> {
        self
    }
}

// Handles, for a parameter of their own result type.

/// Something that gives access to one upstream result.
trait Source {
    type Result;

    fn into_handle(self) -> Handle<Self::Result>;
}

macro_rules! source {
    ($($source:ty, |$this:ident| $handle:expr;)+) => {$(
        impl<T> Source for $source {
            type Result = T;

            fn into_handle(self) -> Handle<T> {
                let $this = self;
                $handle
            }
        }

        impl<T> Input<T, ByRef> for $source {
            fn into_argument(self) -> Shared<T> {
                Shared(SharedInner::Run(self.into_handle()))
            }
        }

        impl<T: Clone> Input<T, ByValue> for $source {
            fn into_argument(self) -> Owned<T> {
                Owned(OwnedInner::Run { handle: self.into_handle(), clone: T::clone })
            }
        }

        impl<T: Send + Sync + 'static> Input<Outcome<T>, ByRef> for $source {
            fn into_argument(self) -> Shared<Outcome<T>> {
                shared(AsOutcome(self.into_handle()))
            }
        }

        impl<T: Send + Sync + 'static> Input<Outcome<T>, ByValue> for $source {
            fn into_argument(self) -> Owned<Outcome<T>> {
                owned(AsOutcome(self.into_handle()))
            }
        }
    )+};
}

source! {
    TaskRun<T>, |this| this.into_handle();
    &TaskRun<T>, |this| this.handle().clone();
    Tracked<T>, |this| Handle::new(Arc::clone(this.output()));
    &Tracked<T>, |this| Handle::new(Arc::clone(this.output()));
}

macro_rules! tracked {
    ($($source:ty),+) => {$(
        impl<T: Send + Sync + 'static> Input<Tracked<T>, ByRef> for $source {
            fn into_argument(self) -> Shared<Tracked<T>> {
                shared(AsTracked(self.into_handle()))
            }
        }

        impl<T: Send + Sync + 'static> Input<Tracked<T>, ByValue> for $source {
            fn into_argument(self) -> Owned<Tracked<T>> {
                owned(AsTracked(self.into_handle()))
            }
        }
    )+};
}

tracked!(TaskRun<T>, &TaskRun<T>);

fn shared<T>(gather: impl Gather<T> + 'static) -> Shared<T> {
    Shared(SharedInner::Gather {
        gather: Box::new(gather),
        gathered: Default::default(),
    })
}

fn owned<T>(gather: impl Gather<T> + 'static) -> Owned<T> {
    Owned(OwnedInner::Gather {
        gather: Box::new(gather),
        gathered: Default::default(),
    })
}

macro_rules! tracked_input {
    ($($source:ty),+) => {$(
        #[diagnostic::do_not_recommend]
        impl<T: Send + Sync + 'static, How: Passing> TrackedInput<Tracked<T>, How> for $source {
            fn into_argument(self) -> How::Argument<Tracked<T>> {
                How::gathered(AsTracked(self.into_handle()))
            }
        }
    )+};
}

tracked_input!(TaskRun<T>, &TaskRun<T>, Tracked<T>, &Tracked<T>);

/// One upstream, whatever became of it.
struct AsOutcome<T>(Handle<T>);

impl<T: Send + Sync + 'static> Gather<Outcome<T>> for AsOutcome<T> {
    fn visit(&self, visit: &mut dyn FnMut(Upstream<'_>)) {
        self.0.visit(EdgeKind::Catch, visit);
    }

    fn visit_origins(&self, visit: &mut dyn FnMut(&Origin<'_>)) {
        visit(&self.0.origin());
    }

    fn gather(&self) -> Outcome<T> {
        let outcome = match self.0.header().map(Header::observed_error) {
            Some(Some(error)) => Err(error),
            _ => Ok(Tracked::from_output(Arc::clone(self.0.output()))),
        };
        Outcome::new(outcome)
    }

    fn again(&self) -> Box<dyn Gather<Outcome<T>>> {
        Box::new(Self(self.0.clone()))
    }
}

impl Header {
    /// Returns the error of an ended node and notes that somebody looked at it.
    fn observed_error(&self) -> Option<crate::TaskError> {
        let error = self.error().cloned();
        if error.is_some() {
            self.observe();
        }
        error
    }
}

/// One upstream, with its origin.
struct AsTracked<T>(Handle<T>);

impl<T: Send + Sync + 'static> Gather<Tracked<T>> for AsTracked<T> {
    fn visit(&self, visit: &mut dyn FnMut(Upstream<'_>)) {
        self.0.visit(EdgeKind::Data, visit);
    }

    fn visit_origins(&self, visit: &mut dyn FnMut(&Origin<'_>)) {
        visit(&self.0.origin());
    }

    fn gather(&self) -> Tracked<T> {
        Tracked::from_output(Arc::clone(self.0.output()))
    }

    fn again(&self) -> Box<dyn Gather<Tracked<T>>> {
        Box::new(Self(self.0.clone()))
    }
}

// Collections of handles.

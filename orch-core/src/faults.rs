//! What tests put in the place of tasks: stubs, and attempts that fail.

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;

use crate::body::{Body, Task};
use crate::definition::Definition;
use crate::error::{Failure, TaskErrorKind};
use crate::node::Header;

/// A replacement for a task, made by `my_task::stub(..)`, to give to a test engine.
#[derive(Clone)]
pub struct Stub {
    task: TypeId,
    pub(crate) name: &'static str,
    calls: Arc<AtomicUsize>,
    run: Arc<dyn Any + Send + Sync>,
}

type Run<A, O> = Box<dyn Fn(A) -> BoxFuture<'static, Result<O, Failure>> + Send + Sync>;

impl Stub {
    fn new<T: Task>(
        run: impl Fn(T::Args) -> BoxFuture<'static, Result<T::Output, Failure>> + Send + Sync + 'static,
    ) -> Self {
        let calls = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&calls);
        let run: Run<T::Args, T::Output> = Box::new(move |args| {
            counter.fetch_add(1, Ordering::SeqCst);
            run(args)
        });
        let name = T::definition().name;
        Self {
            task: TypeId::of::<T>(),
            name,
            calls,
            run: Arc::new(run),
        }
    }

    /// Returns how often it was called, by all clones.
    pub fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }
}

impl fmt::Debug for Stub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stub")
            .field("task", &self.name)
            .field("calls", &self.calls())
            .finish()
    }
}

/// Makes a stub of a plain function.
#[doc(hidden)]
pub fn stub<T: Task>(
    run: impl Fn(T::Args) -> Result<T::Output, Failure> + Send + Sync + 'static,
) -> Stub {
    Stub::new::<T>(move |args| std::future::ready(run(args)).boxed())
}

/// Makes a stub of a function that returns a future.
#[doc(hidden)]
pub fn stub_async<T: Task>(
    run: impl Fn(T::Args) -> BoxFuture<'static, Result<T::Output, Failure>> + Send + Sync + 'static,
) -> Stub {
    Stub::new::<T>(run)
}

/// The stubs and failures of an engine; none, outside of tests.
#[derive(Default)]
pub(crate) struct Faults {
    stubs: HashMap<TypeId, Stub>,
    /// Attempts still to fail, by the name of a task or task run.
    failing: Mutex<HashMap<String, u32>>,
    is_failing: bool,
}

/// The error of an attempt that a test made fail.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the test made this attempt fail")]
pub struct InjectedFault;

impl Faults {
    #[cfg_attr(not(feature = "testing"), expect(dead_code, reason = "for tests"))]
    pub(crate) fn add_stub(&mut self, stub: Stub) {
        self.stubs.insert(stub.task, stub);
    }

    #[cfg_attr(not(feature = "testing"), expect(dead_code, reason = "for tests"))]
    pub(crate) fn fail(&mut self, name: String, attempts: u32) {
        self.is_failing = true;
        self.failing
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(name, attempts);
    }

    /// Whether a task's runs have to look here.
    pub(crate) fn concern(&self, task: Option<TypeId>, _definition: &Definition) -> bool {
        self.is_failing
            || (!self.stubs.is_empty() && task.is_some_and(|task| self.stubs.contains_key(&task)))
    }

    /// Whether something stands in the place of a body.
    pub(crate) fn concern_body<B: Body>(&self) -> bool {
        !self.stubs.is_empty() && B::task().is_some_and(|task| self.stubs.contains_key(&task))
    }

    /// Returns the failure of the next attempt, if it is to fail.
    pub(crate) fn next(&self, header: &Header) -> Option<Failure> {
        if !self.is_failing {
            return None;
        }
        let mut failing = self.failing.lock().unwrap_or_else(PoisonError::into_inner);
        let name = [header.name(), header.definition.name]
            .into_iter()
            .find(|name| failing.contains_key(*name))?;
        let left = failing.get_mut(name)?;
        *left = left.checked_sub(1)?;
        Some(Failure::new(TaskErrorKind::Failed(Box::new(InjectedFault))))
    }

    /// Returns what stands in the place of a body.
    #[expect(clippy::type_complexity, reason = "a closure that is called at once")]
    pub(crate) fn stub<B: Body>(
        &self,
    ) -> Option<impl FnOnce(B::Args) -> BoxFuture<'static, Result<B::Output, Failure>>> {
        let stub = self.stubs.get(&B::task()?)?;
        let run = stub.run.downcast_ref::<Run<B::Args, B::Output>>()?;
        Some(run)
    }
}

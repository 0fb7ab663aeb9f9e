//! Values of the engine that tasks share: a database pool, a client, a configuration.

use std::any::{Any, TypeId, type_name};
use std::collections::HashMap;
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use crate::context;
use crate::error::{BoxError, Failure, TaskErrorKind};
use crate::key::CacheIdentity;

/// A value of the engine, found by its type; a parameter of a task or a flow.
///
/// ```
/// use orch_core::prelude::*;
///
/// struct Prices { base: f64 }
///
/// #[task(inline)]
/// fn price(prices: Resource<Prices>, quantity: f64) -> f64 {
///     prices.base * quantity
/// }
///
/// let engine = Engine::builder().resource(Prices { base: 1.5 }).build();
/// # drop(engine);
/// ```
pub struct Resource<T>(Arc<T>);

impl<T> Resource<T> {
    /// Wraps a value, for calling a task's own function in a test.
    pub fn new(value: T) -> Self {
        Self(Arc::new(value))
    }
}

impl<T> Deref for Resource<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> Clone for Resource<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T: fmt::Debug> fmt::Debug for Resource<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Resource").field(&self.0).finish()
    }
}

/// The values of an engine by their type.
#[derive(Default, Clone)]
pub(crate) struct Resources(HashMap<TypeId, Arc<dyn Any + Send + Sync>>);

impl Resources {
    pub(crate) fn insert<T: Send + Sync + 'static>(&mut self, value: Arc<T>) {
        self.0.insert(TypeId::of::<T>(), value);
    }

    fn get<T: Send + Sync + 'static>(&self) -> Option<Arc<T>> {
        Arc::clone(self.0.get(&TypeId::of::<T>())?).downcast().ok()
    }
}

/// Returns the resource for the running flow.
#[doc(hidden)]
pub fn flow_resource<T: Send + Sync + 'static>() -> Result<Resource<T>, BoxError> {
    resource().map_err(|_| {
        BoxError::from(format!(
            "the engine has no resource of type `{}`",
            type_name::<T>()
        ))
    })
}

/// Returns the resource for the running task.
#[doc(hidden)]
pub fn resource<T: Send + Sync + 'static>() -> Result<Resource<T>, Failure> {
    context::with_current(|place| place?.flow.engine.resources.get())
        .map(Resource)
        .ok_or_else(|| {
            Failure::last(TaskErrorKind::MissingResource {
                type_name: type_name::<T>(),
            })
        })
}

/// Returns what the resource stands for, for the key of the running task.
#[doc(hidden)]
pub fn resource_identity<T: CacheIdentity + Send + Sync + 'static>() -> Option<String> {
    let resource: Resource<T> = resource().ok()?;
    Some(resource.cache_identity())
}

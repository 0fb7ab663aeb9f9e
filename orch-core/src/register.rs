//! The tasks and flows of a program, by name.

use std::any::type_name;

use crate::body::Task;
use crate::definition::{Definition, FlowDefinition};
use crate::flow_call::FlowFunction;

/// A task of the program.
#[derive(Debug, Clone, Copy)]
pub struct RegisteredTask {
    definition: fn() -> &'static Definition,
    type_name: fn() -> &'static str,
}

/// A flow of the program.
#[derive(Debug, Clone, Copy)]
pub struct RegisteredFlow {
    definition: fn() -> &'static FlowDefinition,
}

inventory::collect!(RegisteredTask);
inventory::collect!(RegisteredFlow);

impl RegisteredTask {
    /// Names a task.
    #[doc(hidden)]
    pub const fn new<T: Task>() -> Self {
        Self {
            definition: T::definition,
            type_name: type_name::<T>,
        }
    }

    /// Returns what is known of it.
    pub fn definition(&self) -> &'static Definition {
        (self.definition)()
    }

    /// Returns its id: the `id` option, or the package and the path of the function, which tells
    /// functions of one name apart.
    pub fn id(&self) -> String {
        let definition = self.definition();
        match definition.id {
            Some(id) => id.to_owned(),
            None => format!("{}/{}", definition.package, (self.type_name)()),
        }
    }
}

impl RegisteredFlow {
    /// Names a flow.
    #[doc(hidden)]
    pub const fn new<F: FlowFunction>() -> Self {
        Self {
            definition: F::definition,
        }
    }

    /// Returns what is known of it.
    pub fn definition(&self) -> &'static FlowDefinition {
        (self.definition)()
    }
}

/// Returns the tasks of the program that are not generic. A crate that is only listed in the
/// manifest registers nothing: `use x as _;` does.
pub fn tasks() -> impl Iterator<Item = &'static RegisteredTask> {
    inventory::iter::<RegisteredTask>.into_iter()
}

/// Returns the flows of the program that are not generic.
pub fn flows() -> impl Iterator<Item = &'static RegisteredFlow> {
    inventory::iter::<RegisteredFlow>.into_iter()
}

//! What a task or a flow takes and returns.

mod body;
mod borrow;
mod function;
mod generics;
mod parameter;
mod reader;
mod returns;
mod text;
mod types;

pub(crate) use self::borrow::has_reference;
pub(crate) use self::function::Function;
pub(crate) use self::parameter::{Parameter, Passing};
pub(crate) use self::text::written;
pub(crate) use self::types::{last_segment, peeled};

use proc_macro2::Ident;
use syn::{FnArg, GenericParam, Generics, Safety};

use self::body::is_handed_on;
use self::generics::generics;
use self::reader::Reader;
use self::returns::Returns;
use crate::attr::Attribute;
use crate::errors::{Errors, error};

/// The most inputs that the runtime's `Arguments` is implemented for.
const MAX_INPUTS: usize = 12;

/// A signature that a task or a flow can have.
pub(crate) struct Signature {
    /// The user's function without what only the macro understands; the body of `call`.
    pub(crate) function: Function,
    /// The lifetimes of `function`, which are a mistake.
    pub(crate) lifetimes: Vec<GenericParam>,
    /// The type and const parameters, with the bounds that a task needs.
    pub(crate) generics: Generics,
    pub(crate) parameters: Vec<Parameter>,
    pub(crate) returns: Returns,
    /// Whether the function can be called with what the parameters say. If not, there was an
    /// error, and the generated bodies are never run.
    pub(crate) is_sound: bool,
}

impl Signature {
    pub(crate) fn name(&self) -> &Ident {
        &self.function.sig.ident
    }

    pub(crate) fn is_async(&self) -> bool {
        self.function.sig.asyncness.is_some()
    }

    pub(crate) fn is_generic(&self) -> bool {
        !self.generics.params.is_empty()
    }

    pub(crate) fn takes_context(&self) -> bool {
        self.parameters
            .iter()
            .any(|parameter| matches!(parameter.passing, Passing::Context))
    }

    /// Whether the body may ask its context for something that differs from run to run, the seed
    /// above all: it does, or it hands the context on.
    pub(crate) fn may_use_seed(&self) -> bool {
        let context = self
            .parameters
            .iter()
            .find(|parameter| matches!(parameter.passing, Passing::Context));
        context
            .is_some_and(|context| is_handed_on(self.function.body.clone().into(), &context.name))
    }

    /// Reads a function; `None` if calls of the generated one could not be type-checked.
    pub(crate) fn read(
        attribute: Attribute,
        mut function: Function,
        errors: &mut Errors,
    ) -> Option<Self> {
        let kind = if attribute == Attribute::Flow {
            "flow"
        } else {
            "task"
        };
        if let Some(receiver) = function.sig.receiver() {
            errors.push(error(
                receiver,
                format_args!("a {kind} is a free function, it cannot take `self`"),
                "move the body to a function and pass what it needs, as an argument or a \
                 `Resource<T>`",
            ));
            return None;
        }
        if let Some(variadic) = &function.sig.variadic {
            errors.push(error(
                variadic,
                format_args!("a {kind} has a fixed number of parameters"),
                "take a `Vec`",
            ));
            return None;
        }
        check_qualifiers(kind, &mut function.sig, errors);
        let mut reader = Reader {
            attribute,
            kind,
            lifetimes: function
                .sig
                .generics
                .lifetimes()
                .map(|p| p.lifetime.clone())
                .collect(),
            is_sound: true,
            errors,
        };
        let lifetimes = reader.lifetimes(&function.sig.generics);
        let mut parameters = Vec::new();
        for (i, argument) in function.sig.inputs.iter_mut().enumerate() {
            if let FnArg::Typed(argument) = argument {
                parameters.push(reader.parameter(i, argument));
            }
        }
        let returns = reader.returns(&function.sig.output);
        let is_sound = reader.is_sound;
        let generics = generics(&function.sig.generics);
        let inputs = parameters
            .iter()
            .filter(|parameter| parameter.input().is_some());
        if let Some(parameter) = inputs.clone().nth(MAX_INPUTS) {
            errors.push(error(
                &parameter.name,
                format_args!("a {kind} has at most {MAX_INPUTS} inputs, this is one more"),
                "put some of them into a struct",
            ));
            return None;
        }
        let returns = returns?;
        Some(Self {
            function,
            lifetimes,
            generics,
            parameters,
            returns,
            is_sound,
        })
    }
}

/// Reports them and takes them off, so that `call` adds no second error.
fn check_qualifiers(kind: &str, sig: &mut syn::Signature, errors: &mut Errors) {
    if let Some(constness) = sig.constness.take() {
        errors.push(error(
            constness,
            format_args!("a {kind} runs on an engine, it cannot be `const`"),
            format_args!("call a `const fn` from the {kind}"),
        ));
    }
    if let Safety::Unsafe(token) = &sig.safety {
        errors.push(error(
            token,
            format_args!("a {kind} is called by the engine, it cannot be `unsafe`"),
            "put an `unsafe` block into the body, and check there what it relies on",
        ));
        sig.safety = Safety::Default;
    }
    if let Some(abi) = sig.abi.take() {
        errors.push(error(
            abi,
            format_args!("a {kind} cannot be `extern`"),
            format_args!("call the `extern` function from the {kind}"),
        ));
    }
}

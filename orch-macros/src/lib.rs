#![doc = include_str!("../README.md")]

mod attr;
mod check;
mod code;
mod duration;
mod errors;
mod expand;
mod expand_flow;
mod fallback;
mod fingerprint;
mod signature;
mod template;
mod validate;

#[cfg(test)]
mod tests;

use proc_macro2::TokenStream;

use crate::attr::{Attribute, CheckArgs, FlowArgs, TaskArgs};
use crate::check::Check;
use crate::errors::Errors;
use crate::signature::Function;

/// Turns a function into a task. Documented at `orch_core::task`.
#[proc_macro_attribute]
pub fn task(
    args: proc_macro::TokenStream,
    item: proc_macro::TokenStream,
) -> proc_macro::TokenStream {
    task_impl(args.into(), item.into()).into()
}

/// Turns an `async fn` into a flow. Documented at `orch_core::flow`.
#[proc_macro_attribute]
pub fn flow(
    args: proc_macro::TokenStream,
    item: proc_macro::TokenStream,
) -> proc_macro::TokenStream {
    flow_impl(args.into(), item.into()).into()
}

/// Runs an `async fn` as a test. Documented at `orch_core::test`.
#[proc_macro_attribute]
pub fn test(
    args: proc_macro::TokenStream,
    item: proc_macro::TokenStream,
) -> proc_macro::TokenStream {
    test_impl(args.into(), item.into()).into()
}

/// Gives code an identity that cached tasks can name. Documented at `orch_core::code`.
#[proc_macro_attribute]
pub fn code(
    args: proc_macro::TokenStream,
    item: proc_macro::TokenStream,
) -> proc_macro::TokenStream {
    code_impl(args.into(), item.into()).into()
}

/// Turns a function into a task that checks a value. Documented at `orch_ml::check`.
#[proc_macro_attribute]
pub fn check(
    args: proc_macro::TokenStream,
    item: proc_macro::TokenStream,
) -> proc_macro::TokenStream {
    check_impl(args.into(), item.into()).into()
}

fn check_impl(args: TokenStream, item: TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    let args = CheckArgs::parse(args, &mut errors);
    let function = errors.take(Function::read(Attribute::Check, item.clone()));
    let check = function
        .clone()
        .and_then(|function| Check::validated(args, function, &mut errors));
    match check {
        Some(check) if errors.is_empty() => check.expand(),
        _ => fallback::keep_function(function, item, errors),
    }
}

fn code_impl(args: TokenStream, item: TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    let (uses, krate) = attr::parse_code(args, &mut errors);
    let expanded = code::expand(&uses, krate, &item, &mut errors);
    fallback::keep_expansion(expanded, errors)
}

/// `proc_macro2` in and out, so that unit tests can call it.
fn task_impl(args: TokenStream, item: TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    let args = TaskArgs::parse(args, &mut errors);
    let function = errors.take(Function::read(Attribute::Task, item.clone()));
    let task = function.clone().and_then(|function| {
        validate::task(args, function, fingerprint::of(item.clone()), &mut errors)
    });
    match task {
        Some(task) if errors.is_empty() => expand::task(&task),
        Some(task) => fallback::keep_expansion(expand::task(&task), errors),
        None => fallback::keep_function(function, item, errors),
    }
}

fn flow_impl(args: TokenStream, item: TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    let args = FlowArgs::parse(args, &mut errors);
    let function = errors.take(Function::read(Attribute::Flow, item.clone()));
    let flow = function.clone().and_then(|function| {
        validate::flow(args, function, fingerprint::of(item.clone()), &mut errors)
    });
    match flow {
        Some(flow) if errors.is_empty() => expand_flow::flow(&flow),
        Some(flow) => fallback::keep_expansion(expand_flow::flow(&flow), errors),
        None => fallback::keep_function(function, item, errors),
    }
}

fn test_impl(args: TokenStream, item: TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    let krate = attr::parse_test(args, &mut errors);
    let function = errors.take(Function::read(Attribute::Test, item.clone()));
    let test = function
        .clone()
        .and_then(|function| validate::test(krate, function, &mut errors));
    match test {
        Some(test) if errors.is_empty() => expand_flow::test(&test),
        Some(test) => fallback::keep_expansion(expand_flow::test(&test), errors),
        None => fallback::keep_function(function, item, errors),
    }
}

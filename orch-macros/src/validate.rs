//! Checks the options against each other and against the signature.
//!
//! What is wrong is reported and left out, so that the rest can be expanded all the same.

use quote::{ToTokens, quote};
use syn::ext::IdentExt as _;
use syn::{LitStr, Path};

use crate::attr::{Attribute, FlowArgs, Keep, Keyed, OnTimeout, TaskArgs};
use crate::errors::{Errors, error};
use crate::signature::{Function, Parameter, Passing, Signature, last_segment, peeled};
use crate::template::{self, Names, Template};

/// A task that can be expanded.
pub(crate) struct Task {
    pub(crate) common: Common,
    pub(crate) args: TaskArgs,
    pub(crate) kind: Kind,
    pub(crate) name: Option<(LitStr, Template)>,
    /// One for each of `args.limits`.
    pub(crate) limit_names: Vec<Template>,
}

/// A flow that can be expanded.
pub(crate) struct Flow {
    pub(crate) common: Common,
    pub(crate) args: FlowArgs,
}

/// What tasks and flows share.
pub(crate) struct Common {
    pub(crate) attribute: Attribute,
    pub(crate) signature: Signature,
    pub(crate) fingerprint: [u8; 32],
    /// The first paragraph of the documentation.
    pub(crate) doc: String,
    pub(crate) krate: Path,
}

/// Where a task's body runs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Kind {
    Async,
    Blocking,
    Inline,
}

/// Checks a task; `None` if its signature cannot be a task's.
pub(crate) fn task(
    mut args: TaskArgs,
    function: Function,
    fingerprint: [u8; 32],
    errors: &mut Errors,
) -> Option<Task> {
    let doc = first_paragraph(&function.attributes);
    let signature = Signature::read(Attribute::Task, function, errors)?;
    if let (Some(key), true) = (&args.inline, signature.is_async()) {
        errors.push(error(
            key,
            "`inline` is for plain functions, this one is `async`",
            "remove `inline`: an `async fn` runs on the runtime already",
        ));
        args.inline = None;
    }
    let kind = match (signature.is_async(), &args.inline) {
        (true, _) => Kind::Async,
        (false, None) => Kind::Blocking,
        (false, Some(_)) => Kind::Inline,
    };
    check_clocks(&mut args, kind, &signature, errors);
    if let (Some(retry_if), false) = (&args.retry_if, signature.returns.is_result) {
        errors.push(error(
            &retry_if.key,
            "`retry_if` looks at an error, but the function does not return a `Result`",
            "return a `Result`, or remove `retry_if`",
        ));
        args.retry_if = None;
    }
    check_limit_on_retry(&mut args, errors);
    if let (Some(stale_ok), None) = (&args.stale_ok, &args.cache) {
        errors.push(error(
            &stale_ok.key,
            "`stale_ok` is about cached results, and this task is not cached",
            "add `cache = \"..\"` with an age, or remove `stale_ok`",
        ));
        args.stale_ok = None;
    }
    if let Some(keep) = args.keep.take_if(|keep| keep.value == Keep::Memory) {
        let others = [
            ("cache", args.cache.is_some()),
            ("effect", args.effect.is_some()),
            ("rollback", args.rollback.is_some()),
        ];
        match others.iter().find(|(_, is_set)| *is_set) {
            Some((other, _)) => errors.push(error(
                &keep.key,
                format_args!(
                    "`{other}` needs a result that is stored, and `keep = \"memory\"` stores none"
                ),
                format_args!("remove `keep` or `{other}`"),
            )),
            None => args.keep = Some(keep),
        }
    }
    if signature.returns.has_reference() {
        let cache = args.cache.as_ref().map(|_| "cache");
        if let Some(option) = cache.or(args.effect.as_ref().map(|_| "effect")) {
            errors.push(error(
                &signature.returns.ty,
                format_args!("`{option}` needs a result that can be stored, and this one borrows"),
                "return an owned value, such as `String` for `&'static str`",
            ));
        }
    }
    if args.cache.is_some() {
        for parameter in &signature.parameters {
            check_no_path(parameter, errors);
        }
    }
    let inputs = names(&signature, |parameter| parameter.input().is_some());
    let others = names(&signature, |parameter| parameter.input().is_none());
    let names = Names {
        inputs: inputs.iter().map(String::as_str).collect(),
        others: others.iter().map(String::as_str).collect(),
    };
    let name = args.name.take().and_then(|name| {
        errors
            .take(template::parse("name", &name, &names))
            .map(|template| (name, template))
    });
    let mut limit_names = Vec::new();
    args.limits.retain(|limit| {
        let template = errors.take(template::parse("limit", &limit.name, &names));
        let is_right = template.is_some();
        limit_names.extend(template);
        is_right
    });
    let krate = krate(args.krate.take());
    let common = Common {
        attribute: Attribute::Task,
        signature,
        fingerprint,
        doc,
        krate,
    };
    Some(Task {
        common,
        args,
        kind,
        name,
        limit_names,
    })
}

/// Checks a flow; `None` if its signature cannot be a flow's.
pub(crate) fn flow(
    mut args: FlowArgs,
    function: Function,
    fingerprint: [u8; 32],
    errors: &mut Errors,
) -> Option<Flow> {
    let doc = first_paragraph(&function.attributes);
    let mut signature = Signature::read(Attribute::Flow, function, errors)?;
    if !signature.is_async() {
        errors.push(error(
            signature.function.sig.fn_token,
            "a flow awaits its task runs, so it is `async`",
            "write `async fn`",
        ));
        // As the `async fn` that it should be, its body and its calls add no second error.
        signature.function.sig.asyncness = Some(Default::default());
    }
    for key in signature
        .parameters
        .iter()
        .filter_map(|parameter| parameter.key.as_ref())
    {
        errors.push(error(
            &key.key,
            "`#[key(..)]` is for parameters of tasks",
            "remove it: only the results of tasks are cached",
        ));
    }
    let krate = krate(args.krate.take());
    let common = Common {
        attribute: Attribute::Flow,
        signature,
        fingerprint,
        doc,
        krate,
    };
    Some(Flow { common, args })
}

fn krate(written: Option<Path>) -> Path {
    written.unwrap_or_else(|| syn::parse_quote!(::orch_core))
}

fn names(signature: &Signature, wanted: impl Fn(&Parameter) -> bool) -> Vec<String> {
    let wanted = signature
        .parameters
        .iter()
        .filter(|parameter| wanted(parameter));
    wanted
        .map(|parameter| parameter.name.unraw().to_string())
        .collect()
}

/// A clock needs a way to stop the task.
fn check_clocks(args: &mut TaskArgs, kind: Kind, signature: &Signature, errors: &mut Errors) {
    if let Some(Keyed { key, value }) = &args.on_timeout {
        let problem = match (kind, value) {
            (Kind::Async, OnTimeout::Abandon) => Some((
                "an `async` task is dropped at once when its time is up, never abandoned",
                "remove `on_timeout`",
            )),
            (Kind::Blocking | Kind::Inline, OnTimeout::Abort) => Some((
                "`on_timeout = \"abort\"` is for `async` tasks: a thread cannot be killed",
                "take `&TaskContext` and look at its cancel token, or write \
                 `on_timeout = \"abandon\"`",
            )),
            _ => None,
        };
        if let Some((message, help)) = problem {
            errors.push(error(key, message, help));
            let clocks = [&mut args.timeout, &mut args.deadline, &mut args.heartbeat];
            if kind != Kind::Async {
                // One mistake, one error.
                clocks.into_iter().for_each(|clock| *clock = None);
            }
            args.on_timeout = None;
        }
    }
    let abandons = args
        .on_timeout
        .as_ref()
        .is_some_and(|on| on.value == OnTimeout::Abandon);
    for clock in [&mut args.timeout, &mut args.deadline, &mut args.heartbeat] {
        let Some(Keyed { key, .. }) = clock else {
            continue;
        };
        match kind {
            Kind::Async => continue,
            Kind::Inline => errors.push(error(
                &*key,
                format_args!("`{key}` cannot stop an `inline` task, which runs on the runtime"),
                "remove `inline`, so that the task gets a thread of its own",
            )),
            Kind::Blocking if signature.takes_context() || abandons => continue,
            Kind::Blocking => errors.push(error(
                &*key,
                format_args!("`{key}` cannot stop this task: a thread cannot be killed"),
                "take `&TaskContext` and stop when its cancel token says so, or write \
                 `on_timeout = \"abandon\"` to leave the thread behind, or make the function \
                 `async`",
            )),
        }
        *clock = None;
    }
}

/// What an attempt takes after another one is about limits and about further attempts.
fn check_limit_on_retry(args: &mut TaskArgs, errors: &mut Errors) {
    let Some(Keyed { key, .. }) = &args.limit_on_retry else {
        return;
    };
    let has_retries = args
        .retries
        .as_ref()
        .is_some_and(|retries| retries.value > 0);
    let problem = if args.limits.is_empty() {
        (
            "`limit_on_retry` sets what an attempt takes of its limits, and this task has none",
            "add `limit = (\"ram\", 8)`, or remove `limit_on_retry`",
        )
    } else if !has_retries {
        (
            "`limit_on_retry` is about attempts after the first, and this task has no `retries`",
            "add `retries = 2`, or remove `limit_on_retry`",
        )
    } else {
        return;
    };
    errors.push(error(key, problem.0, problem.1));
    args.limit_on_retry = None;
}

/// A path says nothing of the file that it names.
fn check_no_path(parameter: &Parameter, errors: &mut Errors) {
    let ty = match (&parameter.passing, peeled(&parameter.ty)) {
        (Passing::ByRef(_), syn::Type::Reference(reference)) => &*reference.elem,
        (Passing::ByValue(_), ty) => ty,
        _ => return,
    };
    let is_path = last_segment(ty)
        .is_some_and(|segment| segment.ident == "Path" || segment.ident == "PathBuf");
    if is_path && parameter.key.is_none() {
        errors.push(error(
            &parameter.ty,
            format_args!(
                "`{}` is a path, which stays the same when its file changes",
                parameter.name.unraw()
            ),
            "take a `DataFile`, which is keyed by its content, or write `#[key(path)]` before the \
             parameter to use the path itself",
        ));
    }
}

/// The lines of the documentation up to the first empty one.
fn first_paragraph(attributes: &[syn::Attribute]) -> String {
    let mut paragraph: Vec<String> = Vec::new();
    for attribute in attributes {
        let syn::Meta::NameValue(meta) = &attribute.meta else {
            continue;
        };
        let syn::Expr::Lit(syn::ExprLit {
            lit: syn::Lit::Str(text),
            ..
        }) = &meta.value
        else {
            continue;
        };
        if !meta.path.is_ident("doc") {
            continue;
        }
        for line in text
            .value()
            .lines()
            .chain(text.value().is_empty().then_some(""))
        {
            match line.trim() {
                "" if paragraph.is_empty() => {}
                "" => return paragraph.join(" "),
                line => paragraph.push(line.to_owned()),
            }
        }
    }
    paragraph.join(" ")
}

/// A test function that can be expanded.
pub(crate) struct Test {
    pub(crate) function: Function,
    pub(crate) krate: Path,
}

/// Checks a test function; `None` if it cannot be run.
pub(crate) fn test(
    krate_option: Option<Path>,
    function: Function,
    errors: &mut Errors,
) -> Option<Test> {
    let sig = &function.sig;
    let mut refuse = |tokens: &dyn ToTokens, message: &str, help: &str| {
        errors.push(error(quote!(#tokens), message, help));
    };
    let parameter = sig.inputs.first();
    if let Some(parameter) = parameter {
        refuse(
            parameter,
            "a test has no parameters",
            "make what it needs in its body",
        );
    }
    let has_generics = sig.generics.params.first();
    if let Some(generic) = has_generics {
        refuse(
            generic,
            "a test cannot be generic",
            "write one test for each type",
        );
    }
    if sig.asyncness.is_none() {
        refuse(
            &sig.fn_token,
            "a test that runs flows is `async`",
            "write `async fn`",
        );
    }
    let is_right = parameter.is_none() && has_generics.is_none() && sig.asyncness.is_some();
    let krate = krate(krate_option);
    is_right.then_some(Test { function, krate })
}

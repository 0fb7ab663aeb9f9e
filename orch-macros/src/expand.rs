//! Turns a valid task into tokens. Cannot fail.
//!
//! Generated names end in `_`, paths are absolute, and what can be a function of `orch-core` is
//! one, in its hidden `__private` module.

mod field;
mod key;
mod name;
mod parts;
mod returns;
mod span;

pub(crate) use self::field::{duration_field, retries, tags, version};
pub(crate) use self::parts::Parts;
pub(crate) use self::span::at;

use proc_macro2::{Ident, Literal, Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::Type;
use syn::ext::IdentExt as _;
use syn::spanned::Spanned as _;

use self::field::task_fields;
use self::key::key;
use self::name::{label, limits};
use self::span::located;
use crate::attr::Keyed;
use crate::signature::{Passing, peeled};
use crate::validate::{Kind, Task};

/// The expansion of `#[task]`: the function that submits it, the user's own, and the tokens of
/// what the runtime makes of them.
pub(crate) fn task(task: &Task) -> TokenStream {
    let parts = Parts::new(&task.common);
    let Parts {
        krate,
        private,
        vis,
        name,
        cfgs,
        output,
        inputs,
        parameters,
        impl_generics,
        where_clause,
        ..
    } = &parts;
    let attributes = parts.public_attributes();
    let turbofish = parts.turbofish();
    let call = parts.call(storable_check(task, &parts));
    let result_check = parts.result_check();
    let rest = if parts.signature.is_sound {
        parts.rest("task", &kind(task), &task_tokens(task, &parts))
    } else {
        parts.broken_rest("task")
    };
    quote! {
        #attributes
        #vis fn #name #impl_generics (#(#parameters),*) -> #krate::TaskRun<#output> #where_clause {
            #name #turbofish::with().submit(#(#inputs),*)
        }
        #call
        #result_check
        #cfgs
        #private::#rest
    }
}

fn kind(task: &Task) -> Ident {
    let kind = match task.kind {
        Kind::Async => "Async",
        Kind::Blocking => "Blocking",
        Kind::Inline => "Inline",
    };
    Ident::new(kind, Span::call_site())
}

/// What `orch-core` has to know of a task beside its name and generics.
fn task_tokens(task: &Task, parts: &Parts<'_>) -> TokenStream {
    let (mut borrow, mut lifetime) = (quote!([]), quote!('static));
    let mut arguments = Vec::new();
    for parameter in &parts.signature.parameters {
        let (name, ty) = (&parameter.name, &parameter.ty);
        let input = parameter.input_trait();
        match &parameter.passing {
            Passing::ByRef(value) => {
                (borrow, lifetime) = (quote!(['a_]), quote!('a_));
                let passed = with_lifetime(ty);
                arguments.push(quote!(#name: #input ByRef #value as #passed));
            }
            Passing::ByValue(value) => {
                arguments.push(quote!(#name: #input ByValue #value as #ty));
            }
            Passing::Context | Passing::Resource(_) | Passing::Unknown => {}
        }
    }
    let returns = parts.returns("settle");
    let private = &parts.private;
    let options = match (&task.args.retries, &task.args.rollback) {
        // An argument that cannot be copied for each attempt, or to undo the run, is the fault of
        // this option.
        (Some(Keyed { key, value: 1.. }), _) | (_, Some(Keyed { key, .. })) => {
            at(key.span(), quote!(#private::CallOptions::retryable()))
        }
        _ => quote!(#private::CallOptions::new()),
    };
    let run = parts.run(&quote!(#private::Failure));
    let retry_if = task.args.retry_if.as_ref().map(|retry_if| {
        let (path, error) = (&retry_if.value, parts.error());
        // A `let` of its own, so that the wrong function is underlined and both types shown.
        quote_spanned! {located(path.span())=>
            { let retry_if_: fn(&#error) -> bool = #path; retry_if_ }
        }
    });
    let args = parts.args();
    let must_be_storable = task.args.cache.is_some() || task.args.effect.is_some();
    let storable = if parts.signature.returns.has_reference() {
        quote!(No)
    } else {
        match (parts.signature.is_generic(), must_be_storable) {
            (false, _) => quote!(Probe),
            (true, true) => quote!(Yes),
            (true, false) => quote!(No),
        }
    };
    let elements = elements(task, parts);
    let keys = parts
        .signature
        .parameters
        .iter()
        .filter_map(|parameter| key(parameter, task.args.cache.is_some(), private));
    let keys: Vec<TokenStream> = keys.collect();
    let fields = task_fields(task, parts);
    let definition = parts.definition(&parts.name.unraw().to_string(), fields);
    let (label, limits) = (label(task), limits(task, parts));
    let uses = uses(&task.args.uses, private);
    let rollback = rollback(task, parts);
    quote! {
        (#(#arguments),*) for #borrow #lifetime -> #returns;
        #run;
        args #args;
        options #options;
        retry_if [#retry_if];
        storable #storable;
        elements [#(#elements),*];
        keys keys_ [#(#keys)*];
        #definition
        { #label #limits #rollback }
        uses parts_ [#uses]
    }
}

/// `&T` as `&'a_ T`.
fn with_lifetime(ty: &Type) -> TokenStream {
    match ty {
        Type::Reference(reference) => {
            let inner = &reference.elem;
            quote!(&'a_ #inner)
        }
        Type::Group(group) => with_lifetime(&group.elem),
        Type::Paren(paren) => with_lifetime(&paren.elem),
        other => other.to_token_stream(),
    }
}

/// The elements of a tuple that a task returns, which are stored one by one: place and type.
fn elements(task: &Task, parts: &Parts<'_>) -> Vec<TokenStream> {
    let returns = &task.common.signature.returns;
    if parts.signature.is_generic() || returns.has_reference() {
        return Vec::new();
    }
    let Some(Type::Tuple(tuple)) = returns.value().map(peeled) else {
        return Vec::new();
    };
    // As many as `unzip` takes apart.
    if !(2..=8).contains(&tuple.elems.len()) {
        return Vec::new();
    }
    let element = |(i, ty)| {
        let place = Literal::usize_unsuffixed(i);
        quote!(#place: #ty)
    };
    tuple.elems.iter().enumerate().map(element).collect()
}

/// Underlines a result type that cannot be stored though the task is cached.
fn storable_check(task: &Task, parts: &Parts<'_>) -> TokenStream {
    let Parts {
        private,
        output,
        returned,
        ..
    } = parts;
    if parts.signature.returns.has_reference() {
        return TokenStream::new();
    }
    let check = match (&task.args.cache, &task.args.effect) {
        (Some(_), _) => quote_spanned!(returned.span()=> assert_cacheable),
        (None, Some(_)) => quote_spanned!(returned.span()=> assert_recordable),
        (None, None) => return TokenStream::new(),
    };
    quote_spanned! {returned.span()=>
        const STORABLE_: fn() = {
            use #private::NoOwnForm as _;
            <#private::OwnFormProbe<#output>>::#check
        };
    }
}

/// Adds the code that a task or a piece of code uses to its own.
pub(crate) fn uses(paths: &[syn::Path], private: &TokenStream) -> TokenStream {
    let each = paths.iter().map(|path| {
        // Code without the attribute is underlined.
        let check = quote_spanned!(path.span()=> #private::add_code::<#path>);
        quote!(#check(parts_);)
    });
    quote!(#(#each)*)
}

/// The call that undoes a run: of another task, with the inputs and the output.
fn rollback(task: &Task, parts: &Parts<'_>) -> Option<TokenStream> {
    let Keyed { value: undo, .. } = task.args.rollback.as_ref()?;
    let Parts {
        krate,
        private,
        inputs,
        ..
    } = parts;
    // What does not fit the undoing task is underlined there.
    let call = quote_spanned!(located(undo.span())=> #undo(#(#inputs,)* output_));
    Some(quote! {
        const HAS_ROLLBACK: bool = true;

        fn rollback(
            (#(#inputs,)*): Self::Args,
            output_: #krate::TaskRun<Self::Output>,
        ) -> ::core::option::Option<#private::Undoing> {
            ::core::option::Option::Some(#private::Undoing::new(#call))
        }
    })
}

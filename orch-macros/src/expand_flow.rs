//! Turns a valid flow or test into tokens. Cannot fail.

use proc_macro2::{Ident, Literal, Span, TokenStream};
use quote::{ToTokens as _, quote};
use syn::ext::IdentExt as _;

use crate::attr::{FailureMode, Keyed, WhenFull};
use crate::expand::{Parts, at, duration_field, retries, tags, version};
use crate::signature::{Passing, has_reference, written};
use crate::validate::{Flow, Test};

/// The expansion of `#[flow]`.
pub(crate) fn flow(flow: &Flow) -> TokenStream {
    let parts = Parts::new(&flow.common);
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
        ty_generics,
        where_clause,
        signature,
        ..
    } = &parts;
    let attributes = parts.public_attributes();
    let call = parts.call(TokenStream::new());
    let result_check = parts.result_check();
    let (make, span) = match &flow.args.retries {
        // An argument that cannot be copied for each attempt is the fault of this option.
        Some(Keyed { key, value: 1.. }) => (quote!(flow_call_retryable), key.span()),
        _ => (quote!(flow_call), Span::call_site()),
    };
    let (make, end) = (at(span, quote!(#private::#make::<)), at(span, quote!(>)));
    let arguments = at(span, quote!((#(#inputs.into_argument(),)*)));
    let (make, rest) = if signature.is_sound {
        let kind = Ident::new("Async", Span::call_site());
        (
            quote!(#make #name #ty_generics #end(#arguments)),
            parts.rest("flow", &kind, &flow_tokens(flow, &parts)),
        )
    } else {
        (
            quote!(let _ = (#(#inputs,)*); #private::never()),
            parts.broken_rest("flow"),
        )
    };
    quote! {
        #attributes
        #vis fn #name #impl_generics (#(#parameters),*) -> #krate::FlowCall<#output> #where_clause {
            #make
        }
        #call
        #result_check
        #cfgs
        #private::#rest
    }
}

/// What `orch-core` has to know of a flow beside its name and generics.
fn flow_tokens(flow: &Flow, parts: &Parts<'_>) -> TokenStream {
    let private = &parts.private;
    let (inputs, args) = (&parts.inputs, parts.args());
    let returns = parts.returns("settle_flow");
    let run = parts.run(&quote!(#private::BoxError));
    let definition = flow_definition(flow, parts);
    let forms = parts.signature.parameters.iter().filter_map(|parameter| {
        let (name, shown) = (&parameter.name, parameter.name.unraw().to_string());
        let written = written(&parameter.ty);
        match &parameter.passing {
            Passing::ByRef(ty) => {
                let form = form(has_reference(ty));
                Some(quote!(#name: ByRef #form #ty = #shown #written))
            }
            Passing::ByValue(ty) => {
                let form = form(has_reference(ty));
                Some(quote!(#name: ByValue #form #ty = #shown #written))
            }
            Passing::Context | Passing::Resource(_) | Passing::Unknown => None,
        }
    });
    let storable = form(parts.signature.returns.has_reference());
    quote! {
        (#(#inputs),*) -> #returns;
        #run;
        storable #storable;
        args #args;
        parameters [#(#forms),*];
        #definition
    }
}

/// Whether to look if values of a type can be stored.
fn form(has_reference: bool) -> TokenStream {
    if has_reference {
        quote!(No)
    } else {
        quote!(Probe)
    }
}

fn flow_definition(flow: &Flow, parts: &Parts<'_>) -> TokenStream {
    let private = &parts.private;
    let args = &flow.args;
    let mut fields = Vec::new();
    fields.extend(version(args.version.as_ref()));
    fields.extend(tags(&args.tags));
    if let Some(mode) = args.failure {
        let mode = match mode {
            FailureMode::FailFast => quote!(FailFast),
            FailureMode::StopOnFailure => quote!(StopOnFailure),
            FailureMode::ContinueOnFailure => quote!(ContinueOnFailure),
        };
        fields
            .push(quote!(failure_mode: ::core::option::Option::Some(#private::FailureMode::#mode)));
    }
    fields.extend(duration_field("timeout", args.timeout));
    fields.extend(duration_field("grace", args.grace));
    fields.extend(retries(args.retries.as_ref()));
    if let Some((number, when_full)) = args.max_running {
        let number = Literal::u32_unsuffixed(number);
        let when_full = match when_full {
            WhenFull::Queue => quote!(Queue),
            WhenFull::Skip => quote!(Skip),
            WhenFull::CancelOld => quote!(CancelOld),
            WhenFull::CancelNew => quote!(CancelNew),
        };
        fields.push(quote! {
            max_running: ::core::option::Option::Some((#number, #private::WhenFull::#when_full))
        });
    }
    fields.extend(parts.hooks(&args.hooks));
    let shown_name = match &args.name {
        Some(name) => name.value(),
        None => parts.name.unraw().to_string(),
    };
    parts.definition(&shown_name, fields)
}

/// The expansion of `#[test]`.
///
/// The user's function stays whole inside, so that its errors read as those of any `async fn`.
pub(crate) fn test(test: &Test) -> TokenStream {
    let Test { function, krate } = test;
    let attributes = &function.attributes;
    let (vis, sig, body) = (&function.vis, &function.sig, &function.body);
    let (name, output) = (&sig.ident, sig.output.to_token_stream());
    quote! {
        #[::core::prelude::v1::test]
        #(#attributes)*
        #vis fn #name() #output {
            #sig #body
            #krate::__private::run_test(#name())
        }
    }
}

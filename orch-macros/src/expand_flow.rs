//! Turns a valid flow or test into tokens. Cannot fail.

use proc_macro2::{Literal, TokenStream};
use quote::{ToTokens as _, quote};
use syn::ext::IdentExt as _;

use crate::attr::{FailureMode, WhenFull};
use crate::expand::{
    Parts, args_name, duration_field, retries, run_future, tags, unreachable, version,
};
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
        args,
        output,
        inputs,
        parameters,
        ..
    } = &parts;
    let Parts {
        impl_generics,
        ty_generics,
        where_clause,
        signature,
        ..
    } = &parts;
    let attributes = parts.public_attributes();
    let call = parts.call();
    let (marker_field, _) = parts.marker();
    let flow_call = match flow.args.retries {
        Some(1..) => quote!(flow_call_retryable),
        _ => quote!(flow_call),
    };
    let start = if signature.is_sound {
        quote!(#private::#flow_call::<#name #ty_generics>((#(#inputs.into_argument(),)*)))
    } else {
        unreachable(inputs)
    };
    let definition = flow_definition(flow, &parts);
    let run_args = args_name(&parts);
    let body = run_body(&parts);
    let result = quote!(::core::result::Result<Self::Output, #private::BoxError>);
    let future = run_future(&parts, result);
    let result_check = parts.result_check();
    let register = parts.register(quote!(register_flow));
    quote! {
        #attributes
        #vis fn #name #impl_generics (#(#parameters),*) -> #krate::FlowCall<#output> #where_clause {
            #start
        }

        #cfgs
        #[doc(hidden)]
        #[allow(dead_code, missing_debug_implementations, non_camel_case_types)]
        #vis struct #name #impl_generics #where_clause { #marker_field }

        #cfgs
        #[allow(dead_code, missing_docs, clippy::missing_errors_doc, clippy::missing_panics_doc)]
        impl #impl_generics #name #ty_generics #where_clause {
            #call
        }

        #cfgs
        impl #impl_generics #private::Flow for #name #ty_generics #where_clause {
            type Args = #args;
            type Output = #output;
            #definition

            fn run(#run_args: Self::Args) -> #future {
                async move { #body }
            }
        }

        #result_check
        #register
    }
}

fn run_body(parts: &Parts<'_>) -> TokenStream {
    let Parts {
        private, signature, ..
    } = parts;
    if !signature.is_sound {
        return unreachable(&[]);
    }
    let (context, arguments) = parts.call_arguments(true);
    let value = quote!(Self::call(#(#arguments),*).await);
    if signature.returns.is_result {
        quote!(#context #private::settle_flow(#value))
    } else {
        quote!(#context ::core::result::Result::Ok(#value))
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
    fields.extend(retries(args.retries));
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
    parts.definition(
        quote!(FlowDefinition),
        &shown_name,
        TokenStream::new(),
        fields,
    )
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

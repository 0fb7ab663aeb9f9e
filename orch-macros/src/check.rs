//! Turns a function that looks at data into a task that says what it found.

use proc_macro2::{Ident, TokenStream};
use quote::{ToTokens as _, quote};
use syn::spanned::Spanned as _;
use syn::{FnArg, ReturnType, Type};

use crate::attr::{CheckArgs, Severity};
use crate::errors::{Errors, error};
use crate::signature::Function;

/// A function that can be a check, and what it returns.
pub(crate) struct Check {
    args: CheckArgs,
    function: Function,
    found: Box<Type>,
}

impl Check {
    /// Puts options and function together, or reports what is wrong with the function.
    pub(crate) fn validated(
        args: CheckArgs,
        function: Function,
        errors: &mut Errors,
    ) -> Option<Self> {
        let sig = &function.sig;
        if let Some(receiver) = sig.receiver() {
            errors.push(error(
                receiver,
                "a check is a free function, it cannot take `self`",
                "pass what is to be checked as an argument",
            ));
        }
        if !sig
            .inputs
            .iter()
            .any(|argument| matches!(argument, FnArg::Typed(_)))
        {
            errors.push(error(
                &sig.ident,
                "a check looks at something, and this one takes nothing",
                "take what is to be checked by reference, as in `table: &Table`",
            ));
        }
        let found = match &sig.output {
            ReturnType::Type(_, found) => Some(found.clone()),
            ReturnType::Default => {
                errors.push(error(
                    &sig.ident,
                    "a check returns what it found, and this one returns nothing",
                    "return `CheckResult`, `bool`, or a `Result` of one of them",
                ));
                None
            }
        };
        let found = found.filter(|_| errors.is_empty())?;
        Some(Self {
            args,
            function,
            found,
        })
    }

    /// The task: the user's body, and what its result means.
    pub(crate) fn expand(self) -> TokenStream {
        let Self {
            args,
            function,
            found,
        } = self;
        let krate = args.krate.unwrap_or_else(|| syn::parse_quote!(::orch_ml));
        let private = quote!(#krate::__private);
        let severity = match args.severity.map(|severity| severity.value) {
            Some(Severity::Warn) => quote!(#krate::Severity::Warn),
            Some(Severity::Error) | None => quote!(#krate::Severity::Error),
        };
        let is_blocking = args.blocking.is_some();
        let shown = match &args.name {
            Some(name) => name.to_token_stream(),
            None => function.sig.ident.to_string().to_token_stream(),
        };
        let name = args.name.iter();
        let cache = args.is_cached.then(|| quote!(cache,));

        let Function {
            attributes,
            vis,
            mut sig,
            body,
        } = function;
        let run = match sig.asyncness {
            Some(_) => quote!(async move #body.await),
            None => quote!(#private::run(move || -> #found #body)),
        };
        // An error about what the function returns is one about its type.
        let value = Ident::new("found_", found.span());
        sig.output = syn::parse_quote! {
            -> ::core::result::Result<#krate::CheckVerdict, #krate::MlError>
        };
        quote! {
            #(#attributes)*
            #[#private::task(#(name = #name,)* #cache crate = #private::orch_core)]
            #vis #sig {
                let #value: #found = #run;
                #private::judge(#shown, #severity, #is_blocking, #value)
            }
        }
    }
}

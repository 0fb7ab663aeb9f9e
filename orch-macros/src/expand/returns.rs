//! The return type: whether it is a `Result`, and what is in it.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::Type;
use syn::spanned::Spanned as _;

use super::parts::Parts;
use super::span::at;
use crate::signature::{Signature, written};

impl Parts<'_> {
    /// The type of the error in the return type.
    pub(super) fn error(&self) -> TokenStream {
        let Self {
            private,
            returned,
            signature,
            ..
        } = self;
        match &signature.returns.parts.1 {
            Some(error) => error.to_token_stream(),
            None => {
                let is_result = is_result(signature, private);
                quote_spanned!(returned.span()=> <#is_result as #private::Split<#returned>>::Error)
            }
        }
    }

    /// The return type, the value in it, and how to turn it into a result.
    pub(crate) fn returns(&self, settle: &str) -> TokenStream {
        let Self {
            private,
            returned,
            output,
            signature,
            ..
        } = self;
        if !signature.returns.is_result {
            return quote!(#returned as #output, []);
        }
        let (is_result, error) = (is_result(signature, private), self.error());
        // An error that is none is underlined.
        let span = signature
            .returns
            .parts
            .1
            .as_ref()
            .unwrap_or(returned)
            .span();
        let settle = Ident::new(settle, Span::call_site());
        let (settle, end) = (
            at(span, quote!(#private::#settle::<)),
            at(span, quote!(, _>)),
        );
        quote!(#returned as #output, [#is_result, #error, #settle #error #end])
    }

    /// Refuses a `Result` under another name, and a value that is called `Result`.
    pub(crate) fn result_check(&self) -> TokenStream {
        let Self {
            private,
            cfgs,
            returned,
            signature,
            ..
        } = self;
        let returns = &signature.returns;
        let is_clear = returns.parts.0.is_some()
            || !returns.is_written
            || signature.is_generic()
            || matches!(returned, Type::Tuple(tuple) if tuple.elems.is_empty());
        if is_clear {
            return TokenStream::new();
        }
        let is_result = quote! {
            { use #private::NotResult as _; <#private::ResultProbe<#returned>>::IS_RESULT }
        };
        let check = if returns.is_result {
            let name = written(returned).replace('{', "{{").replace('}', "}}");
            let message = format!(
                "`{name}` is called a result and is none\n\
                 help: if it is a plain value, write `impl orch_core::PlainResult for {name} {{{{}}}}`"
            );
            quote! {
                assert!(
                    #is_result
                        || { use #private::NotPlain as _; <#private::PlainProbe<#returned>>::IS_PLAIN },
                    #message,
                );
            }
        } else {
            quote! {
                assert!(
                    !#is_result,
                    "this is a `Result` under another name: its errors would count as results\n\
                     help: write `Result<..>`, or use a name that ends in `Result`",
                );
            }
        };
        let check = at(returned.span(), quote!(::core::#check));
        quote! {
            #cfgs
            const _: () = #check
        }
    }
}

/// What tells whether the return type is a `Result`, as a type: its name says so, or it is asked.
pub(super) fn is_result(signature: &Signature, private: &TokenStream) -> TokenStream {
    let returned = &signature.returns.ty;
    if signature.returns.parts.0.is_some() || signature.is_generic() {
        quote!(#private::IsResult<true>)
    } else {
        quote!(#private::is_result!(#returned))
    }
}

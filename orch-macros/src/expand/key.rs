//! The parts of a cache key.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::Type;
use syn::ext::IdentExt as _;
use syn::spanned::Spanned as _;

use super::span::located;
use crate::attr::KeyPart;
use crate::signature::{Parameter, Passing};

/// Hands one argument over to whoever puts a key together.
pub(super) fn key(
    parameter: &Parameter,
    is_cached: bool,
    private: &TokenStream,
) -> Option<TokenStream> {
    let name = &parameter.name;
    let shown = name.unraw().to_string();
    let part = parameter.key.as_ref().map(|key| &key.value);
    let probe =
        |ty: &Type| quote!({ use #private::NoDigest as _; <#private::DigestProbe<#ty>>::DIGEST });
    match (&parameter.passing, part) {
        (Passing::ByRef(ty) | Passing::ByValue(ty), Some(KeyPart::Skip)) => {
            let digest = probe(ty);
            Some(quote!(keys_.skip::<#ty>(#shown, #name, #digest);))
        }
        (Passing::ByRef(ty) | Passing::ByValue(ty), Some(KeyPart::With(function))) => {
            // A `let` of its own, so that the wrong function is underlined.
            let span = located(function.span());
            let part =
                quote_spanned!(span=> { let part_: fn(&#ty) -> _ = #function; part_(value_) });
            Some(quote! {
                keys_.with::<#ty>(#shown, #name, |value_, files_| {
                    #private::digest_argument(&#part, files_)
                });
            })
        }
        (Passing::ByRef(ty) | Passing::ByValue(ty), _) => {
            let digest = if is_cached {
                // A type whose values have no digest is underlined.
                quote_spanned! {ty.span()=>
                    { use #private::NoOwnDigest as _; <#private::OwnDigestProbe<#ty>>::keyed() }
                }
            } else {
                probe(ty)
            };
            Some(quote!(keys_.value::<#ty>(#shown, #name, #digest);))
        }
        (Passing::Resource(ty), None) if is_cached => {
            let identity = quote_spanned!(ty.span()=> #private::resource_identity::<#ty>());
            Some(quote!(keys_.resource(#shown, || #identity);))
        }
        _ => None,
    }
}

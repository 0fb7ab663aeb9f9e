//! Gives functions and types that tasks use an identity of their own.

use proc_macro2::{Ident, Literal, TokenStream};
use quote::quote;
use syn::{Generics, Item, Path};

use crate::errors::{Errors, error};
use crate::expand::uses as uses_tokens;
use crate::fingerprint;

/// The expansion of `#[code]`: the item as it was, and its fingerprint.
pub(crate) fn expand(
    uses: &[Path],
    krate: Option<Path>,
    item: &TokenStream,
    errors: &mut Errors,
) -> TokenStream {
    const HELP: &str = "put it on a function, or on a struct or an enum";
    let krate = krate.unwrap_or_else(|| syn::parse_quote!(::orch_core));
    let private = quote!(#krate::__private);
    let parsed = syn::parse2::<Item>(item.clone());
    let (name, generics, marker) = match &parsed {
        Ok(Item::Fn(function)) => {
            let (vis, name) = (&function.vis, &function.sig.ident);
            // In the namespace of types, which a `use` of the function brings along.
            let marker = quote! {
                #[doc(hidden)]
                #[allow(dead_code, missing_debug_implementations, non_camel_case_types)]
                #vis struct #name {}
            };
            (name, Generics::default(), marker)
        }
        Ok(Item::Struct(item)) => (&item.ident, item.generics.clone(), TokenStream::new()),
        Ok(Item::Enum(item)) => (&item.ident, item.generics.clone(), TokenStream::new()),
        Ok(other) => {
            let message = "`#[code]` is for functions and types";
            errors.push(error(other, message, HELP));
            return item.clone();
        }
        // The compiler says what is wrong with it.
        Err(_) => return item.clone(),
    };
    let code = implementation(name, &generics, uses, &private, item);
    quote!(#item #marker #code)
}

fn implementation(
    name: &Ident,
    generics: &Generics,
    uses: &[Path],
    private: &TokenStream,
    item: &TokenStream,
) -> TokenStream {
    let fingerprint = Literal::byte_string(&fingerprint::of(item.clone()));
    let shown = name.to_string();
    let uses = uses_tokens(uses, private);
    let (impl_generics, ty_generics, where_clause) = generics.split_for_impl();
    quote! {
        impl #impl_generics #private::Code for #name #ty_generics #where_clause {
            fn add_to(parts: &mut #private::CodeParts) {
                let name = ::core::concat!(::core::module_path!(), "::", #shown);
                parts.add(name, #fingerprint, |parts_| { let _ = &parts_; #uses });
            }
        }
    }
}

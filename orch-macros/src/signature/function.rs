//! A function as the user wrote it.

use proc_macro2::{TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::Visibility;
use syn::parse::{Parse, ParseStream};

use crate::attr::Attribute;

/// A function as the user wrote it. Its body stays tokens: the compiler reports what is wrong in
/// there, and does it better.
#[derive(Clone)]
pub(crate) struct Function {
    pub(crate) attributes: Vec<syn::Attribute>,
    pub(crate) vis: Visibility,
    pub(crate) sig: syn::Signature,
    pub(crate) body: TokenTree,
}

impl Parse for Function {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let attributes = input.call(syn::Attribute::parse_outer)?;
        let vis = input.parse()?;
        let sig = input.parse()?;
        if !input.peek(syn::token::Brace) {
            return Err(input.error("expected a function with a body"));
        }
        Ok(Self {
            attributes,
            vis,
            sig,
            body: input.parse()?,
        })
    }
}

impl Function {
    /// Reads a function, or says that the item is none.
    pub(crate) fn read(attribute: Attribute, item: TokenStream) -> syn::Result<Self> {
        let error = match syn::parse2(item.clone()) {
            Ok(function) => return Ok(function),
            Err(error) => error,
        };
        let is_other = matches!(syn::parse2(item), Ok(other) if !matches!(other, syn::Item::Fn(_)));
        if !is_other {
            return Err(error);
        }
        let message = format!(
            "`{}` makes something of a function, and this is none\n\
             help: put it before a `fn`",
            attribute.written()
        );
        Err(syn::Error::new(error.span(), message))
    }
}

impl ToTokens for Function {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        let Self {
            attributes,
            vis,
            sig,
            body,
        } = self;
        tokens.extend(quote!(#(#attributes)* #vis #sig #body));
    }
}

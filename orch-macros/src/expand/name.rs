//! Names with the inputs filled in: what a task run is called, and its limits.

use proc_macro2::{Literal, TokenStream};
use quote::{quote, quote_spanned};
use syn::LitStr;

use super::parts::Parts;
use super::span::located;
use crate::template::Template;
use crate::validate::Task;

pub(super) fn label(task: &Task) -> TokenStream {
    let Some((literal, template)) = &task.name else {
        return TokenStream::new();
    };
    let (args, label) = format(literal, template);
    quote! {
        fn label(#args: &Self::Args) -> ::core::option::Option<::std::string::String> {
            ::core::option::Option::Some(#label)
        }
    }
}

/// The limits with their parameters filled in, where there are any.
pub(super) fn limits(task: &Task, parts: &Parts<'_>) -> TokenStream {
    let private = &parts.private;
    if task
        .limit_names
        .iter()
        .all(|template| template.inputs.is_empty())
    {
        return TokenStream::new();
    }
    let uses = task
        .args
        .limits
        .iter()
        .zip(&task.limit_names)
        .map(|(limit, template)| {
            let weight = Literal::u32_unsuffixed(limit.weight);
            let (_, name) = format(&limit.name, template);
            quote!(#private::LimitUse::named(#name, #weight))
        });
    quote! {
        fn limits(args_: &Self::Args) -> ::std::vec::Vec<#private::LimitUse> {
            ::std::vec![#(#uses),*]
        }
    }
}

/// The name of the arguments, and the template filled in from them.
fn format(literal: &LitStr, template: &Template) -> (TokenStream, TokenStream) {
    let span = located(literal.span());
    let format = LitStr::new(&template.format, span);
    if template.inputs.is_empty() {
        return (quote!(_), quote!(::std::format!(#format)));
    }
    let inputs = template.inputs.iter().map(|i| {
        let i = Literal::usize_unsuffixed(*i);
        quote_spanned!(span=> args_.#i.peek())
    });
    (
        quote!(args_),
        quote_spanned!(span=> ::std::format!(#format, #(#inputs),*)),
    )
}

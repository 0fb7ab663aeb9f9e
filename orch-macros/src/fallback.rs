//! What an invalid task leaves behind: enough that its calls add no second error.

use proc_macro2::TokenStream;
use quote::{ToTokens as _, quote};
use syn::FnArg;

use crate::attr;
use crate::errors::Errors;
use crate::signature::Function;

/// The expansion without the options that were wrong, and the errors.
pub(crate) fn keep_expansion(expansion: TokenStream, errors: Errors) -> TokenStream {
    let errors = errors.into_compile_errors();
    quote!(#expansion #errors)
}

/// The user's function, without what only the macro understands, and the errors.
pub(crate) fn keep_function(
    function: Option<Function>,
    item: TokenStream,
    errors: Errors,
) -> TokenStream {
    let errors = errors.into_compile_errors();
    let item = match function {
        // Not Rust, but in foreign functions: the compiler would add its own errors.
        Some(function) if function.sig.variadic.is_some() => TokenStream::new(),
        Some(mut function) => {
            for argument in &mut function.sig.inputs {
                if let FnArg::Typed(argument) = argument {
                    attr::take_key(&mut argument.attrs, &mut Errors::default());
                }
            }
            function.into_token_stream()
        }
        None => item,
    };
    quote!(#item #errors)
}

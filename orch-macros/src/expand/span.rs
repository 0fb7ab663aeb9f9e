//! Generated code that stands at a place of the user's.

use proc_macro2::{Span, TokenStream};

/// Generated code that stands at a place of the user's.
pub(crate) fn at(span: Span, tokens: TokenStream) -> TokenStream {
    let located = located(span);
    let moved = tokens.into_iter().map(|mut token| {
        token.set_span(located);
        token
    });
    moved.collect()
}

/// The span of generated code that stands at a place of the user's, which errors underline.
pub(super) fn located(span: Span) -> Span {
    Span::call_site().located_at(span)
}

//! What a body does with its context.

use proc_macro2::{Ident, TokenStream, TokenTree};

/// What a body may do with its context without coming to another result by it.
const HARMLESS: [&str; 17] = [
    "attempt",
    "name",
    "flow_run",
    "index",
    "is_cancelled",
    "cancelled",
    "cancel_token",
    "heartbeat",
    "checkpoint",
    "restore",
    "step",
    "log_param",
    "log_params",
    "log_metric",
    "log_metrics",
    "set_tag",
    "log_artifact",
];

/// Whether a name is used for anything but calls of harmless methods.
pub(super) fn is_handed_on(tokens: TokenStream, name: &Ident) -> bool {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    tokens.iter().enumerate().any(|(i, token)| match token {
        TokenTree::Group(group) => is_handed_on(group.stream(), name),
        TokenTree::Ident(ident) if ident == name => {
            let method = match (tokens.get(i + 1), tokens.get(i + 2)) {
                (Some(TokenTree::Punct(dot)), Some(TokenTree::Ident(method)))
                    if dot.as_char() == '.' =>
                {
                    method.to_string()
                }
                _ => return true,
            };
            !HARMLESS.contains(&method.as_str())
        }
        _ => false,
    })
}

//! What the macros write, and what they say about mistakes.

mod check;
mod expansion;
mod fallback;
mod option;
mod signature;

use expect_test::Expect;
use proc_macro2::TokenStream;

type Macro = fn(TokenStream, TokenStream) -> TokenStream;

fn expand(macro_impl: Macro, args: &str, item: &str) -> String {
    let expansion = macro_impl(args.parse().unwrap(), item.parse().unwrap());
    prettyplease::unparse(&syn::parse2(expansion).expect("the expansion is Rust"))
}

fn check(macro_impl: Macro, args: &str, item: &str, expected: Expect) {
    expected.assert_eq(&expand(macro_impl, args, item));
}

/// The expansion without white space, which is odd among the tokens of a macro call.
fn squeezed(macro_impl: Macro, args: &str, item: &str) -> String {
    squeeze(&expand(macro_impl, args, item))
}

fn squeeze(text: &str) -> String {
    text.split_whitespace().collect()
}

/// The messages of the `compile_error!`s.
fn messages(macro_impl: Macro, args: &str, item: &str) -> Vec<String> {
    let expansion = macro_impl(args.parse().unwrap(), item.parse().unwrap());
    let file: syn::File = syn::parse2(expansion).expect("the expansion is Rust");
    let messages = file.items.iter().filter_map(|item| match item {
        syn::Item::Macro(item) if item.mac.path.segments.last()?.ident == "compile_error" => item
            .mac
            .parse_body::<syn::LitStr>()
            .ok()
            .map(|message| message.value()),
        _ => None,
    });
    messages.collect()
}

/// One error, whose lines start as expected.
fn check_error(macro_impl: Macro, args: &str, item: &str, expected: &str) {
    let messages = messages(macro_impl, args, item);
    assert_eq!(messages.len(), 1, "#[..({args})] {item}: {messages:?}");
    let message = &messages[0];
    assert!(
        message.contains(expected),
        "#[..({args})] {item}: {message}"
    );
    assert!(message.contains("\nhelp: "), "no help: {message}");
    assert!(
        !message.contains("\n\n") && !message.ends_with('.'),
        "{message}"
    );
}

#[track_caller]
fn check_contains(expansion: &str, expected: &str) {
    let expected = squeeze(expected);
    assert!(
        expansion.contains(&expected),
        "no {expected} in {expansion}"
    );
}

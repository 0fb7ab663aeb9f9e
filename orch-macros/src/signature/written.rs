//! Types as people write them.

use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens;

/// A type as a person writes it: `&Dataset`, `Result<Vec<u8>, MlError>`.
pub(crate) fn written(ty: &impl ToTokens) -> String {
    let mut text = String::new();
    write_tokens(ty.to_token_stream(), &mut text);
    text
}

pub(super) fn write_tokens(tokens: TokenStream, text: &mut String) {
    for token in tokens {
        match token {
            TokenTree::Group(group) => {
                use proc_macro2::Delimiter;
                let (open, close) = match group.delimiter() {
                    Delimiter::Parenthesis => ("(", ")"),
                    Delimiter::Bracket => ("[", "]"),
                    Delimiter::Brace => ("{", "}"),
                    Delimiter::None => ("", ""),
                };
                if group.delimiter() != Delimiter::None && follows_word(text) {
                    text.push(' ');
                }
                *text += open;
                write_tokens(group.stream(), text);
                if text.ends_with(", ") && !text.ends_with("(, ") {
                    text.pop();
                }
                *text = text.trim_end().to_owned() + close;
            }
            TokenTree::Punct(punct) => match punct.as_char() {
                c @ (',' | ';') => {
                    text.push(c);
                    text.push(' ');
                }
                '+' => *text += " + ",
                '=' => *text += " = ",
                '>' if text.ends_with("- ") || text.ends_with('-') => {
                    *text = text.trim_end_matches(['-', ' ']).to_owned() + " -> ";
                }
                ':' if text.ends_with("::") => text.push(':'),
                ':' if text.ends_with(": ") => {
                    text.pop();
                    text.push(':');
                }
                ':' => {
                    // The second colon of `::` takes the space back.
                    text.push_str(": ");
                }
                '<' if text.ends_with(": ") => {
                    text.pop();
                    text.push('<');
                }
                '>' => {
                    *text = text.trim_end_matches([' ', ',']).to_owned() + ">";
                }
                c => {
                    if follows_word(text) {
                        text.push(' ');
                    }
                    text.push(c);
                }
            },
            word => {
                if text.ends_with(|c: char| c.is_alphanumeric() || matches!(c, '_' | '"' | '>')) {
                    text.push(' ');
                }
                *text += &word.to_string();
            }
        }
    }
}

/// Whether the text ends in a word that is not the start of a path or a call.
pub(super) fn follows_word(text: &str) -> bool {
    let start = text
        .rfind(|c: char| !(c.is_alphanumeric() || c == '_'))
        .map_or(0, |at| {
            at + text[at..].chars().next().map_or(1, char::len_utf8)
        });
    let word = &text[start..];
    let is_lifetime = !word.is_empty() && text[..start].ends_with('\'');
    let is_keyword = matches!(word, "mut" | "const" | "dyn" | "impl" | "as" | "in");
    is_lifetime || is_keyword
}

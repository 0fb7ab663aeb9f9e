//! Types as text, for people.

use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens;

/// A type as a person writes it: `&Dataset`, `Result<Vec<u8>, MlError>`.
pub(crate) fn written(ty: &impl ToTokens) -> String {
    let mut text = String::new();
    write_tokens(ty.to_token_stream(), &mut text);
    text
}

fn write_tokens(tokens: TokenStream, text: &mut String) {
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
fn follows_word(text: &str) -> bool {
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

#[cfg(test)]
mod tests {
    use syn::Type;

    use super::*;

    fn check_written(source: &str, expected: &str) {
        let ty: Type = syn::parse_str(source).unwrap();
        assert_eq!(written(&ty), expected);
    }

    #[test]
    fn types_are_written_without_odd_spaces() {
        for ty in [
            "&Dataset",
            "f64",
            "()",
            "(A,)",
            "(A, B)",
            "&'static str",
            "&'static [u8]",
            "&[u8]",
            "[u8; 4]",
            "Result<Vec<u8>, MlError>",
            "std::collections::BTreeMap<String, Vec<f64>>",
            "::std::vec::Vec<T>",
            "<T as Model>::Params",
            "Box<dyn Fn(&str) -> bool + Send + 'static>",
            "Box<dyn for<'a> Fn(&'a str) -> &'a str>",
            "Box<dyn Iterator<Item = u8>>",
            "fn(u8, &u8) -> u8",
            "*const u8",
            "Matrix<3, -1>",
            "impl Into<String>",
        ] {
            check_written(ty, ty);
        }
        check_written("Result < u8 , String , >", "Result<u8, String>");
    }
}

//! The identity of a function's source text.
//!
//! A walk over its tokens that leaves out what cannot change what it does: comments (never
//! tokens), doc and lint attributes, layout, trailing commas. Where in doubt two texts differ: the
//! task then runs once more than needed, which is safer than to reuse a result of other code.
//!
//! # Format (version 1)
//! The byte `1`, then for each token: `i`, `l` for an identifier or a literal, followed by the
//! length of its text as a little-endian `u64` and the text; `p` or `j` and the character for a
//! punctuation mark that stands alone or continues an operator; `(`, `[`, `{` or `n` (invisible)
//! for a group, its tokens, then `e`. The fingerprint is the BLAKE3 hash of these bytes.

use proc_macro2::{Delimiter, Spacing, TokenStream, TokenTree};

const FORMAT: u8 = 1;

/// Attributes that do not change what a function does.
const IGNORED_ATTRIBUTES: [&str; 6] = ["doc", "allow", "warn", "expect", "deny", "forbid"];

/// Words after which parentheses hold a tuple, a pattern or a type, not arguments.
const KEYWORDS: [&str; 31] = [
    "as", "async", "await", "break", "const", "continue", "dyn", "else", "enum", "for", "if",
    "impl", "in", "let", "loop", "match", "move", "mut", "pub", "raw", "ref", "return", "static",
    "struct", "try", "type", "unsafe", "use", "where", "while", "yield",
];

/// Returns the fingerprint of a function.
pub(crate) fn of(tokens: TokenStream) -> [u8; 32] {
    let mut bytes = vec![FORMAT];
    walk(tokens, None, &mut bytes);
    *blake3::hash(&bytes).as_bytes()
}

/// Writes the tokens of one group: its delimiter, and whether it may be a tuple.
fn walk(tokens: TokenStream, group: Option<(Delimiter, bool)>, bytes: &mut Vec<u8>) {
    let tokens = without_attributes(tokens);
    let commas = tokens.iter().filter(|token| is_punct(token, ',')).count();
    let one_tuple = group == Some((Delimiter::Parenthesis, true)) && commas == 1;
    for (i, token) in tokens.iter().enumerate() {
        let next = tokens.get(i + 1);
        match token {
            TokenTree::Ident(ident) => text(b'i', &ident.to_string(), bytes),
            TokenTree::Literal(literal) => text(b'l', &literal.to_string(), bytes),
            TokenTree::Punct(punct) => {
                if punct.as_char() == ',' {
                    let ends_group = next.is_none() && group.is_some() && !one_tuple;
                    let ends_generics = next.is_some_and(|next| is_punct(next, '>'));
                    if ends_group || ends_generics {
                        continue;
                    }
                }
                let continues = punct.spacing() == Spacing::Joint
                    && matches!(next, Some(TokenTree::Punct(next))
                        if is_operator(punct.as_char(), next.as_char()));
                bytes.push(if continues { b'j' } else { b'p' });
                let mut buffer = [0; 4];
                bytes.extend_from_slice(punct.as_char().encode_utf8(&mut buffer).as_bytes());
            }
            TokenTree::Group(inner) => {
                bytes.push(match inner.delimiter() {
                    Delimiter::Parenthesis => b'(',
                    Delimiter::Bracket => b'[',
                    Delimiter::Brace => b'{',
                    Delimiter::None => b'n',
                });
                // After a name they are arguments or fields, where a comma changes nothing.
                let named = match i.checked_sub(1).map(|i| &tokens[i]) {
                    Some(TokenTree::Ident(ident)) => {
                        !KEYWORDS.contains(&ident.to_string().as_str())
                    }
                    _ => false,
                };
                walk(inner.stream(), Some((inner.delimiter(), !named)), bytes);
                bytes.push(b'e');
            }
        }
    }
}

fn text(tag: u8, text: &str, bytes: &mut Vec<u8>) {
    bytes.push(tag);
    bytes.extend_from_slice(&(text.len() as u64).to_le_bytes());
    bytes.extend_from_slice(text.as_bytes());
}

fn is_punct(token: &TokenTree, c: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == c)
}

/// Whether two characters without a space between them belong to one operator.
fn is_operator(first: char, second: char) -> bool {
    match second {
        '=' => "=!<>+-*/%^&|.".contains(first),
        '>' => "-=>".contains(first),
        ':' | '&' | '|' | '<' | '.' => first == second,
        _ => false,
    }
}

/// The tokens without the attributes that change nothing.
fn without_attributes(tokens: TokenStream) -> Vec<TokenTree> {
    let mut tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let mut i = 0;
    while i < tokens.len() {
        match ignored_attribute(&tokens[i..]) {
            0 => i += 1,
            length => drop(tokens.drain(i..i + length)),
        }
    }
    tokens
}

/// The number of tokens of the ignored attribute at the start, or 0.
fn ignored_attribute(tokens: &[TokenTree]) -> usize {
    let (group, length) = match tokens {
        [hash, TokenTree::Group(group), ..] if is_punct(hash, '#') => (group, 2),
        [hash, bang, TokenTree::Group(group), ..] if is_punct(hash, '#') && is_punct(bang, '!') => {
            (group, 3)
        }
        _ => return 0,
    };
    let mut inner = group.stream().into_iter();
    let ignored = group.delimiter() == Delimiter::Bracket
        && matches!(inner.next(), Some(TokenTree::Ident(name))
            if IGNORED_ATTRIBUTES.contains(&name.to_string().as_str()))
        // `#[allow::other]` is somebody else's attribute.
        && !matches!(inner.next(), Some(token) if is_punct(&token, ':'));
    if ignored { length } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fingerprint(source: &str) -> [u8; 32] {
        of(source.parse().unwrap())
    }

    fn check_same(a: &str, b: &str) {
        assert_eq!(fingerprint(a), fingerprint(b), "{a}\n{b}");
    }

    fn check_differ(a: &str, b: &str) {
        assert_ne!(fingerprint(a), fingerprint(b), "{a}\n{b}");
    }

    #[test]
    fn comments_docs_and_lint_attributes_change_nothing() {
        let plain = "fn f(a: u32) -> u32 { let b = a; b }";
        check_same(
            plain,
            "/// Doubles.\nfn f(a: u32) -> u32 { let b = a; /* why */ b } // end",
        );
        check_same(
            plain,
            "#[doc = \"x\"] #[allow(unused)] fn f(a: u32) -> u32 { let b = a; b }",
        );
        check_same(
            plain,
            "fn f(a: u32) -> u32 { #![warn(dead_code)] let b = a; b }",
        );
        check_same(
            plain,
            "fn f(#[expect(x, reason = \"y\")] a: u32) -> u32 { #[deny(x)] let b = a; b }",
        );
    }

    #[test]
    fn other_attributes_count() {
        check_differ("fn f() {}", "#[cfg(unix)] fn f() {}");
        check_differ("fn f() {}", "#[doc::other] fn f() {}");
    }

    #[test]
    fn layout_changes_nothing() {
        check_same(
            "fn f(a:u32)->u32{a+1}",
            "fn f( a : u32 ) -> u32 {\n    a + 1\n}",
        );
        check_same("f(1,-2)", "f(1, -2)");
        check_same("x=-1", "x = -1");
        check_same("x=&y", "x = & y");
        check_same("if x<-1 {}", "if x < -1 {}");
    }

    #[test]
    fn spaces_inside_operators_count() {
        check_differ("a && b", "a & &b");
        check_differ("a <= b", "a < = b");
        check_differ("a <<= b", "a << = b");
        check_differ("a..=b", "a.. = b");
        check_differ("a::b", "a: :b");
    }

    #[test]
    fn trailing_commas_change_nothing_but_in_a_tuple_of_one() {
        check_same("fn f(a: u32, b: u32,) {}", "fn f(a: u32, b: u32) {}");
        check_same("fn f(a: u32,) {}", "fn f(a: u32) {}");
        check_same("g(a,)", "g(a)");
        check_same("[a,]", "[a]");
        check_same("S { a, b, }", "S { a, b }");
        check_same("(a, b,)", "(a, b)");
        check_same("Foo::<A, B,>::new()", "Foo::<A, B>::new()");
        check_differ("(a,)", "(a)");
        check_differ("return (a,)", "return (a)");
        check_differ("for (a,) in b {}", "for (a) in b {}");
        check_differ("x -> (A,)", "x -> (A)");
    }

    #[test]
    fn an_edit_of_the_body_or_the_signature_counts() {
        let before = "fn f(a: u32) -> u32 { a + 1 }";
        check_differ(before, "fn f(a: u32) -> u32 { a + 2 }");
        check_differ(before, "fn f(a: u64) -> u32 { a + 1 }");
        check_differ("f(\"a b\")", "f(\"ab\")");
    }

    #[test]
    fn neighbours_do_not_run_together() {
        check_differ("a b", "ab");
        check_differ("(a) b", "(a b)");
        check_differ("f(a)", "f[a]");
    }

    /// Stored cache keys depend on it: a new value needs a new format version.
    #[test]
    fn the_format_is_pinned() {
        let hex: String =
            fingerprint("fn f(a: &str, b: (u8,)) -> bool { a != \"x\" && [b.0,] == [1] }")
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect();
        expect_test::expect!["738bd3ae8c4cae2d36528108849ea903ee8637f10ecb9a4a7ae65071b3b2dfc8"]
            .assert_eq(&hex);
    }
}

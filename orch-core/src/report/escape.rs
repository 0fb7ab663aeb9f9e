//! User text made safe for each format.
//!
//! All of these clean the text first (see [`human::clean`]), so it stays on one line.

use super::human;

/// For text and attributes of XML.
pub(super) fn xml(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in human::clean(text).chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            c => escaped.push(c),
        }
    }
    escaped
}

/// For a quoted string of DOT, where a backslash starts an escape and `&` an entity.
pub(super) fn dot(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in human::clean(text).chars() {
        match c {
            '"' => escaped.push_str("\\\""),
            '\\' => escaped.push_str("\\\\"),
            '&' => escaped.push_str("&amp;"),
            c => escaped.push(c),
        }
    }
    escaped
}

/// For a quoted string of Mermaid, which reads HTML, Markdown and entities of its own within it.
pub(super) fn mermaid(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in human::clean(text).chars() {
        match c {
            ' ' | '-' | '_' | '.' | ',' | '/' | '=' | '(' | ')' => escaped.push(c),
            c if c.is_ascii() && !c.is_ascii_alphanumeric() => {
                escaped.push_str(&format!("#{};", c as u32));
            }
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOSTILE: &str = "a\"b]<script>&'#`\\\n\u{7}%%{x}é";

    #[test]
    fn xml_text_has_no_markup() {
        assert_eq!(
            xml(HOSTILE),
            r"a&quot;b]&lt;script&gt;&amp;&#39;#`\\n\u{7}%%{x}é"
        );
    }

    #[test]
    fn dot_strings_cannot_end_early() {
        assert_eq!(dot("a\"b\\N&amp;\n"), "a\\\"b\\\\N&amp;amp;\\\\n");
    }

    #[test]
    fn mermaid_strings_hold_no_syntax() {
        assert_eq!(
            mermaid("a\"b]<i>#1;`é"),
            "a#34;b#93;#60;i#62;#35;1#59;#96;é"
        );
    }
}

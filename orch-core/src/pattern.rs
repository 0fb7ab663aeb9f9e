//! Patterns over names, in which `*` stands for any letters.

/// Whether a name matches a pattern.
pub(crate) fn matches(pattern: &str, name: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = name.strip_prefix(first) else {
        return false;
    };
    let Some(last) = parts.next_back() else {
        return rest.is_empty();
    };
    for part in parts {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn a_star_stands_for_any_letters_and_nothing_else_is_special() {
        for (pattern, name, expected) in [
            ("train", "train", true),
            ("train", "train_model", false),
            ("train*", "train_model", true),
            ("*model", "train_model", true),
            ("t*n*l", "train_model", true),
            ("t*x*l", "train_model", false),
            ("*", "", true),
            ("", "", true),
            ("a*a", "a", false),
            ("a?c", "abc", false),
        ] {
            assert_eq!(matches(pattern, name), expected, "{pattern} on {name}");
        }
    }
}

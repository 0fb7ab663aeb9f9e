//! Names in messages: all there are, and the one that was meant.

use std::fmt;

/// Lists names in backticks; a wide table is cut off, with the number left out.
pub(super) struct Names<'a>(pub(super) &'a [String]);

impl fmt::Display for Names<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 20;
        if self.0.is_empty() {
            return f.write_str("none");
        }
        for (i, name) in self.0.iter().take(SHOWN).enumerate() {
            write!(f, "{}`{name}`", if i == 0 { "" } else { ", " })?;
        }
        match self.0.len().checked_sub(SHOWN) {
            Some(rest) if rest > 0 => write!(f, " and {rest} more"),
            _ => Ok(()),
        }
    }
}

/// "did you mean `age`? ", if a name is close enough to be a slip of the keyboard.
pub(super) struct Nearest<'a>(pub(super) &'a str, pub(super) &'a [String]);

impl fmt::Display for Nearest<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let wanted = self.0.to_lowercase();
        let close = wanted.chars().count() / 3;
        let nearest = self
            .1
            .iter()
            .map(|name| (edit_distance(&wanted, &name.trim().to_lowercase()), name))
            .min_by_key(|(distance, _)| *distance);
        match nearest {
            Some((distance, name)) if distance <= close => write!(f, "did you mean `{name}`? "),
            _ => Ok(()),
        }
    }
}

/// Number of characters to insert, delete or replace (Levenshtein).
fn edit_distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut costs: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = costs[0];
        costs[0] = i + 1;
        for (j, to) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(from != *to);
            diagonal = costs[j + 1];
            costs[j + 1] = replaced.min(diagonal + 1).min(costs[j] + 1);
        }
    }
    costs[b.len()]
}

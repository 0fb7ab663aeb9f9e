//! The code that a task consists of: its own function, and what that says it uses.

use std::sync::OnceLock;

use crate::value::{Digest, digest_of_file};

/// Code with an identity: a function or a type with `#[orch_core::code]`, or a task.
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no fingerprint",
    label = "a change of this would not be seen",
    note = "put `#[orch_core::code]` on it"
)]
pub trait Code {
    /// Adds its fingerprint, and those of what it uses itself.
    fn add_to(parts: &mut CodeParts);
}

/// Fingerprints of code by the path of each piece.
#[derive(Debug, Default)]
pub struct CodeParts(Vec<(&'static str, [u8; 32])>);

impl CodeParts {
    /// Adds a piece and what it uses, unless it is there already.
    pub fn add(&mut self, name: &'static str, fingerprint: &[u8; 32], uses: fn(&mut Self)) {
        if self.0.iter().any(|(known, _)| *known == name) {
            return;
        }
        self.0.push((name, *fingerprint));
        uses(self);
    }

    /// One fingerprint for all of it: that of the first piece if it is the only one.
    pub(crate) fn fingerprint(&self) -> Digest {
        match &self.0[..] {
            [(_, own)] => Digest::from_bytes(*own),
            parts => {
                let mut hasher =
                    blake3::Hasher::new_derive_key("orch code and what it uses, version 1");
                for (_, fingerprint) in parts {
                    hasher.update(fingerprint);
                }
                Digest::from_bytes(*hasher.finalize().as_bytes())
            }
        }
    }
}

/// Adds a piece of code; one without an identity does not compile.
pub fn add_code<C: Code>(parts: &mut CodeParts) {
    C::add_to(parts);
}

/// The fingerprint of a piece of code and of all that it uses.
pub(crate) fn fingerprint_of<C: Code>() -> Digest {
    let mut parts = CodeParts::default();
    C::add_to(&mut parts);
    parts.fingerprint()
}

/// The digest of this program's file, whole: of all code there is. It is read once per process.
pub(crate) fn digest_of_program() -> Result<Digest, String> {
    static DIGEST: OnceLock<Result<Digest, String>> = OnceLock::new();
    let digest = DIGEST.get_or_init(|| {
        let digest = std::env::current_exe().and_then(|program| digest_of_file(&program));
        digest.map_err(|error| format!("the program's own file cannot be read: {error}"))
    });
    digest.clone()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_that_uses_other_code_is_the_hash_of_each_piece_once() {
        let mut parts = CodeParts::default();
        parts.add("task", &[0x0a; 32], |parts| {
            parts.add("helper", &[0x0b; 32], |parts| {
                parts.add("table", &[0x0c; 32], |_| {});
                // Two pieces may use each other.
                parts.add("task", &[0x0a; 32], |_| unreachable!("it is there already"));
            });
            parts.add("table", &[0x0c; 32], |_| {
                unreachable!("it is there already")
            });
        });
        // By Python's `blake3` 1.0.11 from `docs/encoding.md`.
        let expected = "b20c4e2028980d2b0656b74fc72e500abee46efe44d5292ad92119c6a5a68a17";
        assert_eq!(parts.fingerprint().to_string(), expected);
        let mut alone = CodeParts::default();
        alone.add("task", &[0x0a; 32], |_| {});
        assert_eq!(alone.fingerprint(), Digest::from_bytes([0x0a; 32]));
    }
}

//! Whether stored bytes are what they were, without their type.

use super::codec::Stored;
use super::{digest, raw, tuple};

/// What a look at stored bytes can tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Intact {
    /// They are what they were.
    Yes,
    /// They are as many as they were. More is not known without the type: the name of its form is
    /// part of the digest.
    AsLong,
    /// They are not what they were.
    No,
}

/// Compares bytes with what identifies them.
pub(crate) fn verify(stored: &Stored, bytes: &[u8]) -> Intact {
    if bytes.len() as u64 != stored.len {
        return Intact::No;
    }
    match stored.format {
        raw::OWN => Intact::AsLong,
        raw::TUPLE => verify_tuple(stored, bytes),
        format => {
            let mut hasher = digest::hasher(format);
            hasher.update(bytes);
            match digest::finish(&hasher) == stored.digest {
                true => Intact::Yes,
                false => Intact::No,
            }
        }
    }
}

/// A tuple's digest is that of its elements' digests; each element is verified by its own.
fn verify_tuple(stored: &Stored, bytes: &[u8]) -> Intact {
    let mut hasher = digest::hasher(raw::TUPLE);
    for part in &stored.parts {
        hasher.update(part.as_bytes());
    }
    let Some(elements) = tuple::elements(stored, bytes) else {
        return Intact::No;
    };
    if digest::finish(&hasher) != stored.digest {
        return Intact::No;
    }
    let mut intact = Intact::Yes;
    for (element, bytes) in elements {
        match verify(&element, bytes) {
            Intact::Yes => {}
            Intact::AsLong => intact = Intact::AsLong,
            Intact::No => return Intact::No,
        }
    }
    intact
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::Codec;

    struct Opaque(Vec<u8>);

    impl crate::StoredForm for Opaque {
        const FORM: &'static str = "opaque 1";

        fn write(&self, out: &mut dyn std::io::Write) -> std::io::Result<()> {
            out.write_all(&self.0)
        }

        fn read(bytes: &[u8]) -> Result<Self, crate::BoxError> {
            Ok(Self(bytes.to_vec()))
        }
    }

    /// Flips each bit in turn, and cuts at each length.
    fn check_every_damage<T>(codec: Codec<T>, value: &T, intact: Intact, damaged: Intact) {
        let encoded = codec.encode(value).unwrap();
        assert_eq!(verify(&encoded.stored, &encoded.bytes), intact);
        for bit in 0..8 * encoded.bytes.len() {
            let mut bytes = encoded.bytes.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(verify(&encoded.stored, &bytes), damaged, "bit {bit}");
        }
        for len in 0..encoded.bytes.len() {
            assert_eq!(verify(&encoded.stored, &encoded.bytes[..len]), Intact::No);
        }
    }

    #[test]
    fn every_damaged_bit_of_a_value_shows_without_its_type() {
        let some = Some(("text".to_owned(), 7_u8));
        check_every_damage(Codec::serde(), &some, Intact::Yes, Intact::No);
        check_every_damage(Codec::serde(), &vec![1.5_f64, 2.5], Intact::Yes, Intact::No);
        check_every_damage(Codec::serde(), &"text".to_owned(), Intact::Yes, Intact::No);
    }

    #[test]
    fn a_form_of_a_types_own_is_compared_by_its_length() {
        let value = Opaque(vec![1, 2, 3]);
        check_every_damage(Codec::own(), &value, Intact::AsLong, Intact::AsLong);
    }
}

//! Tuples, stored element by element: each has a digest of its own, so that whoever uses one of
//! them does not depend on the others.

use std::io::Write;

use super::codec::{Codec, Stored};
use super::digest;
use super::error::{DecodeError, EncodeError};
use super::raw;

/// A tuple that a task returns, and how its elements are stored.
pub trait TupleOutput {
    /// The tuple.
    type Tuple: 'static;

    /// Encodes each element in turn.
    ///
    /// # Errors
    /// That of the first element that cannot be encoded.
    fn encode(value: &Self::Tuple, to: &mut TupleEncoder) -> Result<(), EncodeError>;

    /// Decodes each element in turn.
    ///
    /// # Errors
    /// That of the first element that cannot be decoded.
    fn decode(from: &mut TupleDecoder<'_>) -> Result<Self::Tuple, DecodeError>;
}

/// Takes the elements of a tuple.
#[derive(Default)]
pub struct TupleEncoder {
    keeps_bytes: bool,
    parts: Vec<(Stored, Vec<u8>)>,
}

impl TupleEncoder {
    /// Encodes an element.
    ///
    /// # Errors
    /// That of the codec.
    pub fn element<T>(&mut self, codec: Option<Codec<T>>, value: &T) -> Result<(), EncodeError> {
        let codec = codec.ok_or_else(|| EncodeError::Serialize {
            message: "an element of the tuple cannot be stored".to_owned(),
        })?;
        let part = if self.keeps_bytes {
            let encoded = codec.encode(value)?;
            (encoded.stored, encoded.bytes)
        } else {
            (codec.identify(value)?, Vec::new())
        };
        self.parts.push(part);
        Ok(())
    }
}

/// Gives the elements of a tuple back.
pub struct TupleDecoder<'a> {
    bytes: &'a [u8],
    at: usize,
    digests: std::slice::Iter<'a, super::Digest>,
}

/// What stands before each element: its format, its shape, its length.
const HEADER: usize = 1 + 16 + 8;

impl TupleDecoder<'_> {
    /// Decodes the next element.
    ///
    /// # Errors
    /// That of the codec, or [`DecodeError::Malformed`].
    pub fn element<T>(&mut self, codec: Option<Codec<T>>) -> Result<T, DecodeError> {
        let malformed = DecodeError::Malformed { at: self.at };
        let codec = codec.ok_or(DecodeError::Shape)?;
        let Some(&digest) = self.digests.next() else {
            return Err(DecodeError::Shape);
        };
        let (stored, body, _) = element(&self.bytes[self.at..], digest).ok_or(malformed)?;
        self.at += HEADER + body.len();
        codec.decode(&stored, body)
    }
}

pub(super) fn encode<E: TupleOutput>(
    value: &E::Tuple,
    out: Option<&mut dyn Write>,
) -> Result<Stored, EncodeError> {
    let mut encoder = TupleEncoder {
        keeps_bytes: out.is_some(),
        parts: Vec::new(),
    };
    E::encode(value, &mut encoder)?;
    let mut hasher = digest::hasher(raw::TUPLE);
    let mut stored = Stored {
        digest: super::Digest::from_bytes([0; 32]),
        format: raw::TUPLE,
        shape: [0; 16],
        len: 0,
        parts: Vec::with_capacity(encoder.parts.len()),
    };
    for (part, _) in &encoder.parts {
        hasher.update(part.digest.as_bytes());
        stored.parts.push(part.digest);
        stored.len += HEADER as u64 + part.len;
    }
    stored.digest = digest::finish(&hasher);
    if let Some(out) = out {
        for (part, bytes) in &encoder.parts {
            out.write_all(&[part.format])?;
            out.write_all(&part.shape)?;
            out.write_all(&part.len.to_le_bytes())?;
            out.write_all(bytes)?;
        }
    }
    Ok(stored)
}

pub(super) fn decode<E: TupleOutput>(
    stored: &Stored,
    bytes: &[u8],
) -> Result<E::Tuple, DecodeError> {
    let mut hasher = digest::hasher(raw::TUPLE);
    for part in &stored.parts {
        hasher.update(part.as_bytes());
    }
    // Each element is verified by its own digest, so this vouches for all bytes but the headers, and
    // a damaged header makes its element unreadable.
    if bytes.len() as u64 != stored.len || digest::finish(&hasher) != stored.digest {
        return Err(DecodeError::Digest {
            expected: stored.digest,
        });
    }
    let mut decoder = TupleDecoder {
        bytes,
        at: 0,
        digests: stored.parts.iter(),
    };
    let tuple = E::decode(&mut decoder)?;
    if decoder.at != bytes.len() || decoder.digests.next().is_some() {
        return Err(DecodeError::Shape);
    }
    Ok(tuple)
}

/// Takes the elements of a stored tuple apart without their types. `None` if they are not that.
pub(super) fn elements<'a>(stored: &Stored, bytes: &'a [u8]) -> Option<Vec<(Stored, &'a [u8])>> {
    let mut rest = bytes;
    let mut elements = Vec::with_capacity(stored.parts.len());
    for digest in &stored.parts {
        let (element, body, after) = element(rest, *digest)?;
        elements.push((element, body));
        rest = after;
    }
    rest.is_empty().then_some(elements)
}

/// Takes the first element off, and returns what follows it.
fn element(bytes: &[u8], digest: super::Digest) -> Option<(Stored, &[u8], &[u8])> {
    let (header, rest) = bytes.split_first_chunk::<HEADER>()?;
    let (format, header) = header.split_first()?;
    let (shape, len) = header.split_first_chunk::<16>()?;
    let len = u64::from_le_bytes(len.try_into().ok()?);
    let (body, after) = rest.split_at_checked(usize::try_from(len).ok()?)?;
    let stored = Stored {
        digest,
        format: *format,
        shape: *shape,
        len,
        // A tuple inside of a tuple is not taken apart.
        parts: Vec::new(),
    };
    Some((stored, body, after))
}

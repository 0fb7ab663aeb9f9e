//! Raw forms of a few types at the top level: bytes, text, lists of numbers. They are hashed and
//! written as they lie in memory.

use std::any::{Any, TypeId};
use std::io::Read;

use super::codec::Stored;
use super::digest;
use super::error::DecodeError;

/// The canonical encoding.
pub(super) const CANONICAL: u8 = 1;
/// Bytes.
pub(super) const BYTES: u8 = 2;
/// UTF-8 text.
pub(super) const TEXT: u8 = 3;
/// Little-endian numbers: a byte for their kind, then all of them.
pub(super) const NUMBERS: u8 = 4;
/// A form of the type's own.
pub(super) const OWN: u8 = 5;
/// A tuple, each element in its own form.
pub(super) const TUPLE: u8 = 6;

/// The raw form of a value: what comes first, and then what lies in memory.
pub(super) struct Raw<'a> {
    pub(super) format: u8,
    pub(super) head: Option<u8>,
    pub(super) body: &'a [u8],
}

impl Raw<'_> {
    pub(super) fn len(&self) -> usize {
        self.body.len() + usize::from(self.head.is_some())
    }
}

macro_rules! numbers {
    ($($number:ty = $kind:expr),+ $(,)?) => {
        /// Returns the raw form of a value whose type has one.
        pub(super) fn of<T: 'static>(value: &T) -> Option<Raw<'_>> {
            let any: &dyn Any = value;
            if let Some(bytes) = any.downcast_ref::<Vec<u8>>() {
                return Some(Raw { format: BYTES, head: None, body: bytes });
            }
            if let Some(text) = any.downcast_ref::<String>() {
                return Some(Raw { format: TEXT, head: None, body: text.as_bytes() });
            }
            // Elsewhere the bytes in memory are the wrong way round, and the canonical encoding
            // would give another digest than on other machines: such lists are not raw there.
            $(
                if let Some(numbers) = any.downcast_ref::<Vec<$number>>() {
                    let body = bytemuck::cast_slice(numbers);
                    return Some(Raw { format: NUMBERS, head: Some($kind), body });
                }
            )+
            None
        }

        /// The format of a type's raw form, if it has one.
        pub(super) fn format_of<T: 'static>() -> Option<u8> {
            let id = TypeId::of::<T>();
            if id == TypeId::of::<Vec<u8>>() {
                return Some(BYTES);
            }
            if id == TypeId::of::<String>() {
                return Some(TEXT);
            }
            let is_numbers = $(id == TypeId::of::<Vec<$number>>())||+;
            is_numbers.then_some(NUMBERS)
        }

        /// Reads a list of numbers straight into its place, hashing it on the way.
        pub(super) fn read_from<T: 'static>(
            stored: &Stored,
            from: &mut dyn Read,
        ) -> Option<Result<T, DecodeError>> {
            let id = TypeId::of::<T>();
            $(
                if id == TypeId::of::<Vec<$number>>() {
                    return Some(read_numbers::<$number>(stored, $kind, from).and_then(as_type));
                }
            )+
            None
        }

        /// Reads a value whose type has a raw form.
        pub(super) fn read<T: 'static>(bytes: &[u8]) -> Option<Result<T, DecodeError>> {
            let id = TypeId::of::<T>();
            if id == TypeId::of::<Vec<u8>>() {
                return Some(as_type(bytes.to_vec()));
            }
            if id == TypeId::of::<String>() {
                let text = std::str::from_utf8(bytes);
                return Some(match text {
                    Ok(text) => as_type(text.to_owned()),
                    Err(error) => Err(DecodeError::Malformed { at: error.valid_up_to() }),
                });
            }
            $(
                if id == TypeId::of::<Vec<$number>>() {
                    return Some(match bytes.split_first() {
                        Some((kind, body)) if *kind == $kind => {
                            if body.len() % size_of::<$number>() == 0 {
                                as_type(bytemuck::pod_collect_to_vec::<u8, $number>(body))
                            } else {
                                Err(DecodeError::Malformed { at: bytes.len() })
                            }
                        }
                        _ => Err(DecodeError::Shape),
                    });
                }
            )+
            None
        }
    };
}

#[cfg(target_endian = "big")]
compile_error!("lists of numbers are stored as they lie in the memory of little-endian machines");

numbers! {
    f64 = 0x21,
    f32 = 0x20,
    u16 = 0x11,
    u32 = 0x12,
    u64 = 0x13,
    i8 = 0x18,
    i16 = 0x19,
    i32 = 0x1a,
    i64 = 0x1b,
}

/// How much is read and hashed at a time.
const CHUNK: usize = 128 * 1024;

fn read_numbers<N: bytemuck::Pod>(
    stored: &Stored,
    kind: u8,
    from: &mut dyn Read,
) -> Result<Vec<N>, DecodeError> {
    if stored.format != NUMBERS {
        return Err(DecodeError::Format {
            found: stored.format,
            expected: NUMBERS,
        });
    }
    let damaged = || DecodeError::Digest {
        expected: stored.digest,
    };
    let mut head = [0];
    from.read_exact(&mut head).map_err(|_| damaged())?;
    let found = head[0];
    let len = stored.len.checked_sub(1).ok_or_else(damaged)?;
    let len = usize::try_from(len).map_err(|_| damaged())?;
    if len % size_of::<N>() != 0 {
        return Err(damaged());
    }
    let mut hasher = digest::hasher(NUMBERS);
    hasher.update(&head);
    let mut numbers: Vec<N> = Vec::new();
    // A length that is a lie must not be believed: the room grows with what has come.
    while numbers.len() < len / size_of::<N>() {
        let read = numbers.len();
        let left = len / size_of::<N>() - read;
        let room = left.min(read.max(4 * 1024 * 1024));
        numbers.resize(read + room, N::zeroed());
        for chunk in bytemuck::cast_slice_mut::<N, u8>(&mut numbers[read..]).chunks_mut(CHUNK) {
            from.read_exact(chunk).map_err(|_| damaged())?;
            hasher.update(chunk);
        }
    }
    if from.read(&mut head).map_err(DecodeError::Read)? != 0
        || digest::finish(&hasher) != stored.digest
    {
        return Err(damaged());
    }
    // The kind last: bytes that are not what they were say nothing.
    if found == kind {
        Ok(numbers)
    } else {
        Err(DecodeError::Shape)
    }
}

/// Gives a value of a type that is known to be `T` its name.
fn as_type<V: 'static, T: 'static>(value: V) -> Result<T, DecodeError> {
    let mut value = Some(value);
    let any: &mut dyn Any = &mut value;
    any.downcast_mut::<Option<T>>()
        .and_then(Option::take)
        .ok_or(DecodeError::Shape)
}

//! How values of a type are turned into bytes and back.

use std::io::{Read, Write};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::describe::Encoding;
use super::digest::{self, Digest};
use super::error::{DecodeError, EncodeError};
use super::file::{Files, SeenFile};
use super::raw::{self, Raw};
use super::tuple::{self, TupleOutput};
use super::{decode, describe, encode};
use crate::BoxError;

/// What identifies stored bytes, and says how to read them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stored {
    /// The value's digest.
    pub digest: Digest,
    /// The format's tag.
    pub format: u8,
    /// The hash of the structure that the value's type asked for.
    pub shape: [u8; 16],
    /// How many bytes.
    pub len: u64,
    /// The digests of a tuple's elements, for one that is encoded element by element.
    pub parts: Vec<Digest>,
}

/// A value in its stored form.
#[derive(Debug, Clone)]
pub(crate) struct Encoded {
    pub(crate) stored: Stored,
    pub(crate) bytes: Vec<u8>,
}

/// A type with a stored form of its own: tables, model files.
///
/// It is used for a task's result in place of the type's `Serialize`.
///
/// ```
/// use orch_core::{BoxError, StoredForm};
///
/// struct Pixels(Vec<u8>);
///
/// impl StoredForm for Pixels {
///     const FORM: &'static str = "my-crate pixels 1";
///
///     fn write(&self, out: &mut dyn std::io::Write) -> std::io::Result<()> {
///         out.write_all(&self.0)
///     }
///
///     fn read(bytes: &[u8]) -> Result<Self, BoxError> {
///         Ok(Self(bytes.to_vec()))
///     }
/// }
/// ```
pub trait StoredForm: Sized {
    /// Names the form and its version. It is part of the digest: a change makes what was stored a
    /// miss.
    const FORM: &'static str;

    /// Writes the value. Equal values write equal bytes, whatever the machine.
    ///
    /// # Errors
    /// That of the writer.
    fn write(&self, out: &mut dyn Write) -> std::io::Result<()>;

    /// Reads what [`write`](Self::write) wrote. The bytes have been verified.
    ///
    /// # Errors
    /// Anything that makes the bytes unreadable; it counts as a miss.
    fn read(bytes: &[u8]) -> Result<Self, BoxError>;
}

/// How values of one type are turned into bytes and back.
pub struct Codec<T> {
    encode: fn(&T, &mut dyn Write) -> Result<Stored, EncodeError>,
    identify: fn(&T) -> Result<Stored, EncodeError>,
    decode: fn(&Stored, &[u8]) -> Result<T, DecodeError>,
    /// Reads a raw form straight to where it will lie, if the type has one.
    read: fn(&Stored, &mut dyn Read) -> Option<Result<T, DecodeError>>,
    /// How long the stored form is, if that is known beforehand.
    len: fn(&T) -> Option<usize>,
}

impl<T> Clone for Codec<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Codec<T> {}

impl<T: 'static> Codec<T> {
    /// Through the type's `Serialize` and `Deserialize`, or in a raw form where there is one.
    pub const fn serde() -> Self
    where
        T: Serialize + DeserializeOwned,
    {
        Self {
            encode: |value, out| match raw::of(value) {
                Some(raw) => write_raw(&raw, Some(out)),
                None => {
                    let (stored, bytes) = encode_canonical(value)?;
                    out.write_all(&bytes)?;
                    Ok(stored)
                }
            },
            identify: |value| match raw::of(value) {
                Some(raw) => write_raw(&raw, None),
                None => Ok(encode_canonical(value)?.0),
            },
            decode: |stored, bytes| {
                let expected = raw::format_of::<T>().unwrap_or(raw::CANONICAL);
                check(stored, expected, bytes)?;
                if let Some(value) = raw::read(bytes) {
                    return value;
                }
                let (value, shape) = read_back(bytes)?;
                if shape != stored.shape {
                    return Err(DecodeError::Shape);
                }
                Ok(value)
            },
            read: raw::read_from,
            len: |value| raw::of(value).map(|raw| raw.len()),
        }
    }

    /// Through the type's own form.
    pub const fn own() -> Self
    where
        T: StoredForm,
    {
        Self {
            encode: |value, out| write_own(value, Some(out)),
            identify: |value| write_own(value, None),
            decode: |stored, bytes| {
                if stored.format != raw::OWN {
                    return Err(wrong_format(stored, raw::OWN));
                }
                let mut hasher = own_hasher::<T>();
                hasher.update(bytes);
                verify(stored, bytes, &hasher)?;
                T::read(bytes).map_err(DecodeError::Form)
            },
            read: |_, _| None,
            len: |_| None,
        }
    }

    /// Element by element.
    pub const fn tuple<E: TupleOutput<Tuple = T>>() -> Self {
        Self {
            encode: |value, out| tuple::encode::<E>(value, Some(out)),
            identify: |value| tuple::encode::<E>(value, None),
            decode: |stored, bytes| {
                if stored.format != raw::TUPLE {
                    return Err(wrong_format(stored, raw::TUPLE));
                }
                tuple::decode::<E>(stored, bytes)
            },
            read: |_, _| None,
            len: |_| None,
        }
    }
}

impl<T> Codec<T> {
    /// Through functions, for types that are not stored as what they are.
    pub(crate) const fn of(
        encode: fn(&T, &mut dyn Write) -> Result<Stored, EncodeError>,
        identify: fn(&T) -> Result<Stored, EncodeError>,
        decode: fn(&Stored, &[u8]) -> Result<T, DecodeError>,
    ) -> Self {
        Self {
            encode,
            identify,
            decode,
            read: |_, _| None,
            len: |_| None,
        }
    }

    /// Returns the stored form as a whole.
    pub(crate) fn encode(&self, value: &T) -> Result<Encoded, EncodeError> {
        let mut bytes = Vec::with_capacity((self.len)(value).unwrap_or(0));
        let stored = (self.encode)(value, &mut bytes)?;
        Ok(Encoded { stored, bytes })
    }

    /// Writes the stored form. A raw one is written from where it lies; others are put together in
    /// memory first.
    pub(crate) fn encode_into(
        &self,
        value: &T,
        out: &mut dyn Write,
    ) -> Result<Stored, EncodeError> {
        (self.encode)(value, out)
    }

    /// Returns what identifies the value, and keeps nothing.
    pub(crate) fn identify(&self, value: &T) -> Result<Stored, EncodeError> {
        (self.identify)(value)
    }

    /// Reads a value back, after a look whether the bytes are what they were.
    pub(crate) fn decode(&self, stored: &Stored, bytes: &[u8]) -> Result<T, DecodeError> {
        (self.decode)(stored, bytes)
    }

    /// The same from a reader. A raw form is never held twice.
    pub(crate) fn decode_from(
        &self,
        stored: &Stored,
        from: &mut dyn Read,
    ) -> Result<T, DecodeError> {
        if let Some(value) = (self.read)(stored, from) {
            return value;
        }
        let mut bytes = Vec::with_capacity(usize::try_from(stored.len).unwrap_or(0).min(MAX_ROOM));
        from.read_to_end(&mut bytes).map_err(DecodeError::Read)?;
        self.decode(stored, &bytes)
    }

    /// How long the stored form is, as far as that is known beforehand; else 0.
    pub(crate) fn size_hint(&self, value: &T) -> usize {
        (self.len)(value).unwrap_or(0)
    }
}

/// The most room that is made on a row's word alone.
const MAX_ROOM: usize = 64 * 1024 * 1024;

/// Returns the digest of a plain argument, the files in it and, where their contents count and it is
/// short, its encoding.
pub(crate) fn digest_with_files<T: Serialize + 'static>(
    value: &T,
    files: Files,
) -> Result<(Digest, Vec<SeenFile>, Option<Encoding>), EncodeError> {
    let is_shown = |len| files == Files::ByContent && len <= describe::MAX_LEN;
    if let Some(raw) = raw::of(value) {
        if files == Files::AtOnce && raw.len() > AT_ONCE {
            return Err(EncodeError::TakesLong);
        }
        let digest = write_raw(&raw, None)?.digest;
        let encoding = is_shown(raw.len()).then(|| Encoding {
            format: raw.format,
            bytes: raw.head.iter().chain(raw.body).copied().collect(),
        });
        return Ok((digest, Vec::new(), encoding));
    }
    // One pass over one buffer: most arguments are small.
    let prefix = digest::prefix(raw::CANONICAL);
    let (mut bytes, seen) = encode::encode_after(&prefix, value, files)?;
    let digest = Digest::from_bytes(*blake3::hash(&bytes).as_bytes());
    let encoding = is_shown(bytes.len()).then(|| Encoding {
        format: raw::CANONICAL,
        bytes: bytes.split_off(prefix.len()),
    });
    Ok((digest, seen, encoding))
}

/// The most bytes that are hashed while somebody waits for other things: about 0.1 ms.
const AT_ONCE: usize = 256 * 1024;

fn encode_canonical<T: Serialize + DeserializeOwned>(
    value: &T,
) -> Result<(Stored, Vec<u8>), EncodeError> {
    let (bytes, _) = encode::encode(value, Files::Whole)?;
    // Read back at once: for the shape, and so that nothing is kept that cannot be read.
    let (_, shape) =
        read_back::<T>(&bytes).map_err(|source| EncodeError::NotReadable { source })?;
    let stored = Stored {
        digest: digest_of_stored(raw::CANONICAL, &bytes),
        format: raw::CANONICAL,
        shape,
        len: bytes.len() as u64,
        parts: Vec::new(),
    };
    Ok((stored, bytes))
}

/// Decodes a value and returns its shape. Where the type takes whatever comes, the shape does not say
/// what it made of that: there the value has to be what was written, to the byte.
fn read_back<T: Serialize + DeserializeOwned>(bytes: &[u8]) -> Result<(T, [u8; 16]), DecodeError> {
    let (value, asked) = decode::decode::<T>(bytes)?;
    if asked.anything {
        let again = encode::encode(&value, Files::Whole);
        if again.map_or(true, |(again, _)| again != bytes) {
            return Err(DecodeError::NotAsWritten);
        }
    }
    Ok((value, asked.shape))
}

/// How much is hashed and written at a time: what was just hashed is still in the cache.
const CHUNK: usize = 128 * 1024;

/// Copies bytes on and returns what identifies them, as those of a `Vec<u8>`.
pub(crate) fn copy_bytes(from: &mut dyn Read, to: &mut dyn Write) -> std::io::Result<Stored> {
    let mut hasher = digest::hasher(raw::BYTES);
    let mut len = 0;
    let mut chunk = vec![0; CHUNK];
    loop {
        let read = match from.read(&mut chunk) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        hasher.update(&chunk[..read]);
        to.write_all(&chunk[..read])?;
        len += read as u64;
    }
    Ok(Stored {
        digest: digest::finish(&hasher),
        format: raw::BYTES,
        shape: [0; 16],
        len,
        parts: Vec::new(),
    })
}

fn write_raw(raw: &Raw<'_>, mut out: Option<&mut dyn Write>) -> Result<Stored, EncodeError> {
    let mut hasher = digest::hasher(raw.format);
    if let Some(head) = raw.head {
        hasher.update(&[head]);
        if let Some(out) = &mut out {
            out.write_all(&[head])?;
        }
    }
    match out {
        None => {
            hasher.update(raw.body);
        }
        Some(out) => {
            for chunk in raw.body.chunks(CHUNK) {
                hasher.update(chunk);
                out.write_all(chunk)?;
            }
        }
    }
    Ok(Stored {
        digest: digest::finish(&hasher),
        format: raw.format,
        shape: [0; 16],
        len: raw.len() as u64,
        parts: Vec::new(),
    })
}

/// Hashes and counts what passes through to a writer, if there is one.
struct Hashing<'a> {
    hasher: blake3::Hasher,
    len: u64,
    out: Option<&'a mut dyn Write>,
}

impl Write for Hashing<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let written = match &mut self.out {
            Some(out) => out.write(bytes)?,
            None => bytes.len(),
        };
        self.hasher.update(&bytes[..written]);
        self.len += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.out.as_mut().map_or(Ok(()), |out| out.flush())
    }
}

fn own_hasher<T: StoredForm>() -> blake3::Hasher {
    let mut hasher = digest::hasher(raw::OWN);
    hasher.update(&(T::FORM.len() as u64).to_le_bytes());
    hasher.update(T::FORM.as_bytes());
    hasher
}

fn write_own<T: StoredForm>(value: &T, out: Option<&mut dyn Write>) -> Result<Stored, EncodeError> {
    let mut hashing = Hashing {
        hasher: own_hasher::<T>(),
        len: 0,
        out,
    };
    value.write(&mut hashing)?;
    Ok(Stored {
        digest: digest::finish(&hashing.hasher),
        format: raw::OWN,
        shape: [0; 16],
        len: hashing.len,
        parts: Vec::new(),
    })
}

/// The digest of a value in its stored form.
pub(crate) fn digest_of_stored(format: u8, bytes: &[u8]) -> Digest {
    let mut hasher = digest::hasher(format);
    hasher.update(bytes);
    digest::finish(&hasher)
}

fn wrong_format(stored: &Stored, expected: u8) -> DecodeError {
    DecodeError::Format {
        found: stored.format,
        expected,
    }
}

fn verify(stored: &Stored, bytes: &[u8], hasher: &blake3::Hasher) -> Result<(), DecodeError> {
    if bytes.len() as u64 != stored.len || digest::finish(hasher) != stored.digest {
        return Err(DecodeError::Digest {
            expected: stored.digest,
        });
    }
    Ok(())
}

fn check(stored: &Stored, expected: u8, bytes: &[u8]) -> Result<(), DecodeError> {
    if stored.format != expected {
        return Err(wrong_format(stored, expected));
    }
    let mut hasher = digest::hasher(expected);
    hasher.update(bytes);
    verify(stored, bytes, &hasher)
}

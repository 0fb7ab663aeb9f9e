//! What a value is to the cache and the store: its canonical encoding, its digest, its stored form.
//!
//! There is one encoding; the digest is taken of it, and it is what is stored. It is described byte
//! by byte in `docs/encoding.md`. A few types (bytes, text, lists of numbers) have raw forms, at the
//! top level, and a type can bring a form of its own with [`StoredForm`].

mod codec;
mod decode;
mod describe;
mod digest;
mod encode;
mod error;
mod file;
mod raw;
mod schema;
mod shape;
mod tuple;
mod verify;

pub use self::codec::{Codec, Stored, StoredForm};
pub use self::digest::Digest;
pub use self::error::{DecodeError, EncodeError};
pub use self::tuple::{TupleDecoder, TupleEncoder, TupleOutput};

pub(crate) use self::codec::{copy_bytes, digest_of_stored, digest_with_files};
pub(crate) use self::describe::{Encoding, digest_of_content, files_in};
pub(crate) use self::digest::digest_of_text;
pub(crate) use self::encode::DATA_FILE;
#[expect(
    unreachable_pub,
    reason = "named by public traits that users cannot reach"
)]
pub use self::file::Files;
pub(crate) use self::file::{SeenFile, digest_of_file};
pub(crate) use self::schema::schema_of;
pub(crate) use self::verify::{Intact, verify};

/// The version of the encoding: it is part of every digest.
const VERSION: u8 = 1;

/// How deep a value may be nested: deeper ones would overflow the stack.
const MAX_DEPTH: u32 = 128;

/// The tags of items.
mod tag {
    pub(super) const NONE: u8 = 0x00;
    pub(super) const SOME: u8 = 0x01;
    pub(super) const UNIT: u8 = 0x02;
    pub(super) const FALSE: u8 = 0x03;
    pub(super) const TRUE: u8 = 0x04;
    pub(super) const U8: u8 = 0x10;
    pub(super) const U16: u8 = 0x11;
    pub(super) const U32: u8 = 0x12;
    pub(super) const U64: u8 = 0x13;
    pub(super) const U128: u8 = 0x14;
    pub(super) const I8: u8 = 0x18;
    pub(super) const I16: u8 = 0x19;
    pub(super) const I32: u8 = 0x1a;
    pub(super) const I64: u8 = 0x1b;
    pub(super) const I128: u8 = 0x1c;
    pub(super) const F32: u8 = 0x20;
    pub(super) const F64: u8 = 0x21;
    pub(super) const CHAR: u8 = 0x22;
    pub(super) const STR: u8 = 0x30;
    pub(super) const BYTES: u8 = 0x31;
    pub(super) const SEQ: u8 = 0x40;
    pub(super) const PACKED: u8 = 0x41;
    pub(super) const TUPLE: u8 = 0x50;
    pub(super) const NEWTYPE: u8 = 0x51;
    pub(super) const FILE: u8 = 0x52;
    pub(super) const FILE_PATH: u8 = 0x53;
    pub(super) const FILE_CONTENT: u8 = 0x54;
    pub(super) const MAP: u8 = 0x60;
    pub(super) const STRUCT: u8 = 0x70;
    pub(super) const UNIT_VARIANT: u8 = 0x71;
    pub(super) const NEWTYPE_VARIANT: u8 = 0x72;
    pub(super) const TUPLE_VARIANT: u8 = 0x73;
    pub(super) const STRUCT_VARIANT: u8 = 0x74;

    /// How many bytes a number of this tag takes, if it is one that is packed in sequences.
    pub(super) const fn packed_width(tag: u8) -> Option<usize> {
        Some(match tag {
            U8 | I8 => 1,
            U16 | I16 => 2,
            U32 | I32 | F32 => 4,
            U64 | I64 | F64 => 8,
            U128 | I128 => 16,
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests;

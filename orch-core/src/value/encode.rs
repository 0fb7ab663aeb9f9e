//! The canonical encoding, written.

use serde::Serialize;
use serde::ser::{
    SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
    SerializeTupleStruct, SerializeTupleVariant, Serializer,
};

use super::error::EncodeError;
use super::file::{Files, SeenFile};
use super::{MAX_DEPTH, tag};

/// The name under which a `DataFile` serializes, so that it can be told from a text.
pub(crate) const DATA_FILE: &str = "$orch::DataFile";

type Result<T = ()> = std::result::Result<T, EncodeError>;

/// Encodes a value.
pub(super) fn encode<T: Serialize + ?Sized>(
    value: &T,
    files: Files,
) -> Result<(Vec<u8>, Vec<SeenFile>)> {
    encode_after(&[], value, files)
}

/// The same, after bytes that come before it.
pub(super) fn encode_after<T: Serialize + ?Sized>(
    prefix: &[u8],
    value: &T,
    files: Files,
) -> Result<(Vec<u8>, Vec<SeenFile>)> {
    let mut encoder = Encoder::new(files, 0);
    encoder.out.reserve(64);
    encoder.out.extend_from_slice(prefix);
    value.serialize(&mut encoder)?;
    Ok((encoder.out, encoder.seen))
}

/// Writes one encoding context: its bytes, and the names that occurred in it.
struct Encoder {
    out: Vec<u8>,
    names: Names,
    depth: u32,
    files: Files,
    seen: Vec<SeenFile>,
}

/// The names of fields and variants in the order in which they came up.
#[derive(Default)]
struct Names(Vec<&'static str>);

impl Names {
    /// Returns the place of a name; `None` the first time.
    fn find_or_add(&mut self, name: &'static str) -> Option<usize> {
        // Mostly the very same text: then the pointers agree.
        let found = self
            .0
            .iter()
            .position(|known| std::ptr::eq(*known, name))
            .or_else(|| self.0.iter().position(|known| *known == name));
        if found.is_none() {
            self.0.push(name);
        }
        found
    }
}

pub(super) fn push_varint(out: &mut Vec<u8>, mut number: u64) {
    loop {
        let byte = (number & 0x7f) as u8;
        number >>= 7;
        if number == 0 {
            out.push(byte);
            return;
        }
        out.push(byte | 0x80);
    }
}

impl Encoder {
    fn new(files: Files, depth: u32) -> Self {
        Self {
            out: Vec::new(),
            names: Names::default(),
            depth,
            files,
            seen: Vec::new(),
        }
    }

    fn number<const N: usize>(&mut self, tag: u8, bytes: [u8; N]) -> Result {
        self.out.push(tag);
        self.out.extend_from_slice(&bytes);
        Ok(())
    }

    fn bytes(&mut self, tag: u8, bytes: &[u8]) {
        self.out.push(tag);
        push_varint(&mut self.out, bytes.len() as u64);
        self.out.extend_from_slice(bytes);
    }

    fn name(&mut self, name: &'static str) {
        match self.names.find_or_add(name) {
            Some(place) => push_varint(&mut self.out, place as u64 + 1),
            None => {
                self.out.push(0);
                push_varint(&mut self.out, name.len() as u64);
                self.out.extend_from_slice(name.as_bytes());
            }
        }
    }

    fn enter(&mut self) -> Result {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(EncodeError::TooDeep { limit: MAX_DEPTH });
        }
        Ok(())
    }

    fn nested<T: Serialize + ?Sized>(&mut self, value: &T) -> Result {
        self.enter()?;
        value.serialize(&mut *self)?;
        self.depth -= 1;
        Ok(())
    }

    /// Encodes something with names of its own.
    fn isolated<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<Vec<u8>> {
        self.enter()?;
        let mut inner = Encoder::new(self.files, self.depth);
        value.serialize(&mut inner)?;
        self.seen.append(&mut inner.seen);
        self.depth -= 1;
        Ok(inner.out)
    }

    /// A file: its path, its content, or both, as the purpose needs.
    fn file(&mut self, path: &str) -> Result {
        if self.files == Files::AtOnce {
            return Err(EncodeError::TakesLong);
        }
        let seen = SeenFile::look(path, self.files).map_err(|source| EncodeError::File {
            path: path.into(),
            source,
        })?;
        match (self.files, seen.content()) {
            (Files::ByContent, Some(content)) => self.bytes(tag::FILE_CONTENT, content),
            (Files::Whole, Some(content)) => {
                let content = *content;
                self.out.push(tag::FILE);
                self.out.extend_from_slice(&content);
                self.bytes(tag::STR, path.as_bytes());
            }
            _ => self.bytes(tag::FILE_PATH, path.as_bytes()),
        }
        self.seen.push(seen);
        Ok(())
    }
}

/// Integers: a tag, and the number as it is.
macro_rules! integers {
    ($($serialize:ident($int:ty) = $tag:ident;)+) => {$(
        fn $serialize(self, value: $int) -> Result {
            self.number(tag::$tag, value.to_le_bytes())
        }
    )+};
}

impl<'a> Serializer for &'a mut Encoder {
    type Ok = ();
    type Error = EncodeError;
    type SerializeSeq = Sequence<'a>;
    type SerializeTuple = Fields<'a>;
    type SerializeTupleStruct = Fields<'a>;
    type SerializeTupleVariant = Fields<'a>;
    type SerializeMap = Entries<'a>;
    type SerializeStruct = NamedFields<'a>;
    type SerializeStructVariant = NamedFields<'a>;

    fn is_human_readable(&self) -> bool {
        false
    }

    fn serialize_bool(self, value: bool) -> Result {
        self.out.push(if value { tag::TRUE } else { tag::FALSE });
        Ok(())
    }

    integers! {
        serialize_i8(i8) = I8;
        serialize_i16(i16) = I16;
        serialize_i32(i32) = I32;
        serialize_i64(i64) = I64;
        serialize_i128(i128) = I128;
        serialize_u8(u8) = U8;
        serialize_u16(u16) = U16;
        serialize_u32(u32) = U32;
        serialize_u64(u64) = U64;
        serialize_u128(u128) = U128;
    }

    fn serialize_f32(self, value: f32) -> Result {
        // One NaN for all: which one comes out differs between machines.
        let bits = if value.is_nan() {
            0x7fc0_0000
        } else {
            value.to_bits()
        };
        self.number(tag::F32, bits.to_le_bytes())
    }

    fn serialize_f64(self, value: f64) -> Result {
        let bits = if value.is_nan() {
            0x7ff8_0000_0000_0000
        } else {
            value.to_bits()
        };
        self.number(tag::F64, bits.to_le_bytes())
    }

    fn serialize_char(self, value: char) -> Result {
        self.number(tag::CHAR, u32::from(value).to_le_bytes())
    }

    fn serialize_str(self, value: &str) -> Result {
        self.bytes(tag::STR, value.as_bytes());
        Ok(())
    }

    fn serialize_bytes(self, value: &[u8]) -> Result {
        self.bytes(tag::BYTES, value);
        Ok(())
    }

    fn serialize_none(self) -> Result {
        self.out.push(tag::NONE);
        Ok(())
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result {
        self.out.push(tag::SOME);
        self.nested(value)
    }

    fn serialize_unit(self) -> Result {
        self.out.push(tag::UNIT);
        Ok(())
    }

    fn serialize_unit_struct(self, _name: &'static str) -> Result {
        self.serialize_unit()
    }

    fn serialize_unit_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
    ) -> Result {
        self.out.push(tag::UNIT_VARIANT);
        self.name(variant);
        Ok(())
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        value: &T,
    ) -> Result {
        if name == DATA_FILE {
            let path = value.serialize(PathText)?;
            return self.file(&path);
        }
        self.out.push(tag::NEWTYPE);
        self.nested(value)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        value: &T,
    ) -> Result {
        self.out.push(tag::NEWTYPE_VARIANT);
        self.name(variant);
        self.nested(value)
    }

    fn serialize_seq(self, len: Option<usize>) -> Result<Sequence<'a>> {
        self.enter()?;
        Ok(Sequence::new(self, len))
    }

    fn serialize_tuple(self, len: usize) -> Result<Fields<'a>> {
        self.out.push(tag::TUPLE);
        push_varint(&mut self.out, len as u64);
        self.enter()?;
        Ok(Fields(self))
    }

    fn serialize_tuple_struct(self, _name: &'static str, len: usize) -> Result<Fields<'a>> {
        self.serialize_tuple(len)
    }

    fn serialize_tuple_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<Fields<'a>> {
        self.out.push(tag::TUPLE_VARIANT);
        self.name(variant);
        push_varint(&mut self.out, len as u64);
        self.enter()?;
        Ok(Fields(self))
    }

    fn serialize_map(self, _len: Option<usize>) -> Result<Entries<'a>> {
        self.enter()?;
        Ok(Entries {
            encoder: self,
            key: None,
            entries: Vec::new(),
        })
    }

    fn serialize_struct(self, _name: &'static str, _len: usize) -> Result<NamedFields<'a>> {
        self.out.push(tag::STRUCT);
        NamedFields::new(self)
    }

    fn serialize_struct_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        _len: usize,
    ) -> Result<NamedFields<'a>> {
        self.out.push(tag::STRUCT_VARIANT);
        self.name(variant);
        NamedFields::new(self)
    }
}

/// A sequence: of numbers of one kind, which are packed, or of anything.
struct Sequence<'a> {
    encoder: &'a mut Encoder,
    /// Where its header begins.
    start: usize,
    /// Where its elements begin.
    elements: usize,
    promised: u64,
    count: u64,
    /// The tag of all elements so far, as long as it is one.
    packed: Option<u8>,
}

impl<'a> Sequence<'a> {
    fn new(encoder: &'a mut Encoder, len: Option<usize>) -> Self {
        let start = encoder.out.len();
        let promised = len.unwrap_or(0) as u64;
        // Most sequences keep their promise: their header stays as it is.
        encoder.out.push(tag::SEQ);
        push_varint(&mut encoder.out, promised);
        Self {
            elements: encoder.out.len(),
            encoder,
            start,
            promised,
            count: 0,
            packed: None,
        }
    }

    /// Writes each element with its tag again: they are not all of one kind after all.
    fn unpack(&mut self, tag: u8, width: usize) {
        let packed = self.encoder.out.split_off(self.elements);
        for element in packed.chunks_exact(width) {
            self.encoder.out.push(tag);
            self.encoder.out.extend_from_slice(element);
        }
    }
}

impl SerializeSeq for Sequence<'_> {
    type Ok = ();
    type Error = EncodeError;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result {
        let at = self.encoder.out.len();
        value.serialize(&mut *self.encoder)?;
        self.count += 1;
        let out = &mut self.encoder.out;
        let width = tag::packed_width(out[at]).filter(|width| out.len() == at + 1 + width);
        match (self.packed, width) {
            (Some(tag), Some(width)) if tag == out[at] => {
                out.copy_within(at + 1.., at);
                out.truncate(at + width);
            }
            (None, Some(width)) if self.count == 1 => {
                self.packed = Some(out[at]);
                out.copy_within(at + 1.., at);
                out.truncate(at + width);
            }
            (Some(tag), _) => {
                self.packed = None;
                let last = out.split_off(at);
                let width = tag::packed_width(tag).expect("only numbers are packed");
                self.unpack(tag, width);
                self.encoder.out.extend_from_slice(&last);
            }
            (None, _) => {}
        }
        Ok(())
    }

    fn end(self) -> Result {
        let out = &mut self.encoder.out;
        let mut header = Vec::with_capacity(12);
        match self.packed {
            Some(tag) => header.extend_from_slice(&[tag::PACKED, tag]),
            None if self.count == self.promised => {
                self.encoder.depth -= 1;
                return Ok(());
            }
            None => header.push(tag::SEQ),
        }
        push_varint(&mut header, self.count);
        out.splice(self.start..self.elements, header);
        self.encoder.depth -= 1;
        Ok(())
    }
}

/// The elements of a tuple.
struct Fields<'a>(&'a mut Encoder);

macro_rules! fields {
    ($($of:ident, $add:ident;)+) => {$(
        impl $of for Fields<'_> {
            type Ok = ();
            type Error = EncodeError;

            fn $add<T: Serialize + ?Sized>(&mut self, value: &T) -> Result {
                value.serialize(&mut *self.0)
            }

            fn end(self) -> Result {
                self.0.depth -= 1;
                Ok(())
            }
        }
    )+};
}

fields! {
    SerializeTuple, serialize_element;
    SerializeTupleStruct, serialize_field;
    SerializeTupleVariant, serialize_field;
}

/// The fields of a struct. Some may be left out, so they are counted.
struct NamedFields<'a> {
    encoder: &'a mut Encoder,
    /// Where their number goes.
    at: usize,
    count: u64,
}

impl<'a> NamedFields<'a> {
    fn new(encoder: &'a mut Encoder) -> Result<Self> {
        encoder.enter()?;
        let at = encoder.out.len();
        // One byte does for nearly every struct.
        encoder.out.push(0);
        Ok(Self {
            encoder,
            at,
            count: 0,
        })
    }

    fn field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result {
        self.encoder.name(name);
        self.count += 1;
        value.serialize(&mut *self.encoder)
    }

    fn finish(self) -> Result {
        let mut count = Vec::with_capacity(2);
        push_varint(&mut count, self.count);
        match count[..] {
            [one] => self.encoder.out[self.at] = one,
            _ => drop(self.encoder.out.splice(self.at..=self.at, count)),
        }
        self.encoder.depth -= 1;
        Ok(())
    }
}

impl SerializeStruct for NamedFields<'_> {
    type Ok = ();
    type Error = EncodeError;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result {
        self.field(name, value)
    }

    fn end(self) -> Result {
        self.finish()
    }
}

impl SerializeStructVariant for NamedFields<'_> {
    type Ok = ();
    type Error = EncodeError;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result {
        self.field(name, value)
    }

    fn end(self) -> Result {
        self.finish()
    }
}

/// The entries of a map, each encoded by itself and sorted, so that the order in which the map
/// gives them does not show.
struct Entries<'a> {
    encoder: &'a mut Encoder,
    key: Option<Vec<u8>>,
    entries: Vec<(Vec<u8>, Vec<u8>)>,
}

impl SerializeMap for Entries<'_> {
    type Ok = ();
    type Error = EncodeError;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result {
        self.key = Some(self.encoder.isolated(key)?);
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result {
        let value = self.encoder.isolated(value)?;
        let key = self
            .key
            .take()
            .expect("serde gives a key before each value");
        self.entries.push((key, value));
        Ok(())
    }

    fn end(mut self) -> Result {
        self.entries.sort();
        let out = &mut self.encoder.out;
        out.push(tag::MAP);
        push_varint(out, self.entries.len() as u64);
        for (key, value) in &self.entries {
            for part in [key, value] {
                push_varint(out, part.len() as u64);
                out.extend_from_slice(part);
            }
        }
        self.encoder.depth -= 1;
        Ok(())
    }
}

/// Reads the text inside a `DataFile`.
struct PathText;

macro_rules! no_text {
    ($($method:ident($($arg:ident: $ty:ty),*) -> $ok:ty;)+) => {$(
        fn $method(self, $($arg: $ty),*) -> Result<$ok> {
            $(let _ = $arg;)*
            Err(not_a_path())
        }
    )+};
}

fn not_a_path() -> EncodeError {
    serde::ser::Error::custom("a `DataFile` is a path that is text")
}

impl Serializer for PathText {
    type Ok = String;
    type Error = EncodeError;
    type SerializeSeq = serde::ser::Impossible<String, EncodeError>;
    type SerializeTuple = serde::ser::Impossible<String, EncodeError>;
    type SerializeTupleStruct = serde::ser::Impossible<String, EncodeError>;
    type SerializeTupleVariant = serde::ser::Impossible<String, EncodeError>;
    type SerializeMap = serde::ser::Impossible<String, EncodeError>;
    type SerializeStruct = serde::ser::Impossible<String, EncodeError>;
    type SerializeStructVariant = serde::ser::Impossible<String, EncodeError>;

    fn serialize_str(self, value: &str) -> Result<String> {
        Ok(value.to_owned())
    }

    no_text! {
        serialize_bool(value: bool) -> String;
        serialize_i8(value: i8) -> String;
        serialize_i16(value: i16) -> String;
        serialize_i32(value: i32) -> String;
        serialize_i64(value: i64) -> String;
        serialize_u8(value: u8) -> String;
        serialize_u16(value: u16) -> String;
        serialize_u32(value: u32) -> String;
        serialize_u64(value: u64) -> String;
        serialize_f32(value: f32) -> String;
        serialize_f64(value: f64) -> String;
        serialize_char(value: char) -> String;
        serialize_bytes(value: &[u8]) -> String;
        serialize_none() -> String;
        serialize_unit() -> String;
        serialize_unit_struct(name: &'static str) -> String;
        serialize_unit_variant(name: &'static str, index: u32, variant: &'static str) -> String;
        serialize_seq(len: Option<usize>) -> Self::SerializeSeq;
        serialize_tuple(len: usize) -> Self::SerializeTuple;
        serialize_tuple_struct(name: &'static str, len: usize) -> Self::SerializeTupleStruct;
        serialize_tuple_variant(
            name: &'static str,
            index: u32,
            variant: &'static str,
            len: usize
        ) -> Self::SerializeTupleVariant;
        serialize_map(len: Option<usize>) -> Self::SerializeMap;
        serialize_struct(name: &'static str, len: usize) -> Self::SerializeStruct;
        serialize_struct_variant(
            name: &'static str,
            index: u32,
            variant: &'static str,
            len: usize
        ) -> Self::SerializeStructVariant;
    }

    fn serialize_some<T: Serialize + ?Sized>(self, _value: &T) -> Result<String> {
        Err(not_a_path())
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _name: &'static str,
        value: &T,
    ) -> Result<String> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _name: &'static str,
        _index: u32,
        _variant: &'static str,
        _value: &T,
    ) -> Result<String> {
        Err(not_a_path())
    }
}

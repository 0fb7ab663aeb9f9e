//! The canonical encoding, read, and the shape that is asked for on the way.

use std::path::PathBuf;

use serde::de::value::BorrowedStrDeserializer;
use serde::de::{Deserializer, Visitor};

use super::encode::DATA_FILE;
use super::error::DecodeError;
use super::file;
use super::shape::{Ask, Shape, Shapes};
use super::{MAX_DEPTH, tag};

type Result<T> = std::result::Result<T, DecodeError>;

/// What a type asked for while a value of it was decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) shape: [u8; 16],
    /// Whether the type takes whatever comes, somewhere in it: what it wanted there, the shape does
    /// not tell.
    pub(super) anything: bool,
}

/// Decodes a value and returns what its type asked for.
pub(super) fn decode<'de, T: serde::Deserialize<'de>>(bytes: &'de [u8]) -> Result<(T, Asked)> {
    let mut decoder = Decoder::new(bytes, 0, 0);
    let value = T::deserialize(&mut decoder)?;
    decoder.expect_end()?;
    let asked = Asked {
        shape: decoder.shape.to_bytes(),
        anything: decoder.anything,
    };
    Ok((value, asked))
}

/// Reads one encoding context.
struct Decoder<'de> {
    input: &'de [u8],
    at: usize,
    /// Where the input begins in the whole encoding, for errors.
    offset: usize,
    names: Vec<&'de str>,
    depth: u32,
    /// The shape of what was read last.
    shape: Shape,
    /// Whether somebody took whatever came.
    anything: bool,
}

impl<'de> Decoder<'de> {
    fn new(input: &'de [u8], offset: usize, depth: u32) -> Self {
        Self {
            input,
            at: 0,
            offset,
            names: Vec::new(),
            depth,
            shape: Shape::start(),
            anything: false,
        }
    }

    fn malformed(&self) -> DecodeError {
        DecodeError::Malformed {
            at: self.offset + self.at,
        }
    }

    fn expect_end(&self) -> Result<()> {
        if self.at == self.input.len() {
            Ok(())
        } else {
            Err(self.malformed())
        }
    }

    fn byte(&mut self) -> Result<u8> {
        let byte = *self.input.get(self.at).ok_or_else(|| self.malformed())?;
        self.at += 1;
        Ok(byte)
    }

    fn peek(&self) -> Result<u8> {
        self.input
            .get(self.at)
            .copied()
            .ok_or_else(|| self.malformed())
    }

    fn take(&mut self, len: usize) -> Result<&'de [u8]> {
        let rest = &self.input[self.at..];
        let taken = rest.get(..len).ok_or_else(|| self.malformed())?;
        self.at += len;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let bytes = self.take(N)?;
        Ok(bytes.try_into().expect("as many as were asked for"))
    }

    fn varint(&mut self) -> Result<u64> {
        let mut number = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            // The last byte holds one bit, and no number has two ways to be written.
            if bits << shift >> shift != bits || (byte == 0 && shift > 0) {
                return Err(self.malformed());
            }
            number |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(self.malformed())
    }

    /// A number of things, each of which takes at least `least` bytes: more cannot follow.
    fn count(&mut self, least: usize) -> Result<usize> {
        let count = self.varint()?;
        let room = (self.input.len() - self.at) / least.max(1);
        match usize::try_from(count) {
            Ok(count) if count <= room => Ok(count),
            _ => Err(self.malformed()),
        }
    }

    fn bytes(&mut self) -> Result<&'de [u8]> {
        let len = self.count(1)?;
        self.take(len)
    }

    fn text(&mut self) -> Result<&'de str> {
        let bytes = self.bytes()?;
        std::str::from_utf8(bytes).map_err(|_| self.malformed())
    }

    fn name(&mut self) -> Result<&'de str> {
        match self.varint()? {
            0 => {
                let name = self.text()?;
                self.names.push(name);
                Ok(name)
            }
            place => usize::try_from(place - 1)
                .ok()
                .and_then(|place| self.names.get(place).copied())
                .ok_or_else(|| self.malformed()),
        }
    }

    fn enter(&mut self) -> Result<()> {
        self.depth += 1;
        // The innermost item counts here as well.
        if self.depth > MAX_DEPTH + 1 {
            return Err(self.malformed());
        }
        Ok(())
    }

    /// Reads one item for somebody who asked for `ask`.
    fn item<V: Visitor<'de>>(&mut self, ask: Shape, visitor: V) -> Result<V::Value> {
        self.enter()?;
        let anything = self.anything;
        let value = self.tagged(ask, visitor);
        if ask == Shape::start().ask(Ask::Ignored) {
            // Whatever comes there, nobody makes anything of it.
            self.anything = anything;
        }
        self.depth -= 1;
        value
    }

    fn tagged<V: Visitor<'de>>(&mut self, ask: Shape, visitor: V) -> Result<V::Value> {
        let tag = self.byte()?;
        self.shape = ask;
        self.anything |= ask == Shape::start().ask(Ask::Any);
        match tag {
            tag::NONE => visitor.visit_none(),
            tag::SOME => {
                let value = visitor.visit_some(&mut *self);
                self.shape = ask.ask(Ask::Some).then(self.shape);
                value
            }
            tag::UNIT => visitor.visit_unit(),
            tag::FALSE => visitor.visit_bool(false),
            tag::TRUE => visitor.visit_bool(true),
            tag::STR => visitor.visit_borrowed_str(self.text()?),
            tag::BYTES => visitor.visit_borrowed_bytes(self.bytes()?),
            tag::CHAR => {
                let code = u32::from_le_bytes(self.array()?);
                let char = char::from_u32(code).ok_or_else(|| self.malformed())?;
                visitor.visit_char(char)
            }
            tag::SEQ | tag::TUPLE => {
                let left = self.count(1)?;
                self.elements(ask, left, None, visitor)
            }
            tag::PACKED => {
                let kind = self.byte()?;
                let width = tag::packed_width(kind).ok_or_else(|| self.malformed())?;
                let left = self.count(width)?;
                self.elements(ask, left, Some(kind), visitor)
            }
            tag::NEWTYPE => {
                let value = visitor.visit_newtype_struct(&mut *self);
                self.shape = ask.ask(Ask::Newtype).then(self.shape);
                value
            }
            tag::FILE => self.file(visitor),
            tag::MAP => self.map(ask, visitor),
            tag::STRUCT => {
                let left = self.count(1)?;
                self.fields(ask, left, visitor)
            }
            tag::UNIT_VARIANT | tag::NEWTYPE_VARIANT | tag::TUPLE_VARIANT | tag::STRUCT_VARIANT => {
                let for_anybody = [Ask::Any, Ask::Ignored].map(|any| Shape::start().ask(any));
                if for_anybody.contains(&ask) {
                    self.variant_for_anybody(ask, tag, visitor)
                } else {
                    self.variant(ask, tag, visitor)
                }
            }
            number => self.number(number, visitor),
        }
    }

    fn number<V: Visitor<'de>>(&mut self, kind: u8, visitor: V) -> Result<V::Value> {
        match kind {
            tag::U8 => visitor.visit_u8(u8::from_le_bytes(self.array()?)),
            tag::U16 => visitor.visit_u16(u16::from_le_bytes(self.array()?)),
            tag::U32 => visitor.visit_u32(u32::from_le_bytes(self.array()?)),
            tag::U64 => visitor.visit_u64(u64::from_le_bytes(self.array()?)),
            tag::U128 => visitor.visit_u128(u128::from_le_bytes(self.array()?)),
            tag::I8 => visitor.visit_i8(i8::from_le_bytes(self.array()?)),
            tag::I16 => visitor.visit_i16(i16::from_le_bytes(self.array()?)),
            tag::I32 => visitor.visit_i32(i32::from_le_bytes(self.array()?)),
            tag::I64 => visitor.visit_i64(i64::from_le_bytes(self.array()?)),
            tag::I128 => visitor.visit_i128(i128::from_le_bytes(self.array()?)),
            tag::F32 => visitor.visit_f32(f32::from_le_bytes(self.array()?)),
            tag::F64 => visitor.visit_f64(f64::from_le_bytes(self.array()?)),
            _ => {
                self.at -= 1;
                Err(self.malformed())
            }
        }
    }

    fn elements<V: Visitor<'de>>(
        &mut self,
        ask: Shape,
        left: usize,
        packed: Option<u8>,
        visitor: V,
    ) -> Result<V::Value> {
        let mut elements = Elements {
            decoder: self,
            left,
            packed,
            shapes: Shapes::default(),
        };
        let value = visitor.visit_seq(&mut elements)?;
        let (left, shapes) = (elements.left, elements.shapes);
        if left != 0 {
            return Err(self.malformed());
        }
        self.shape = shapes.into_shape(ask.ask(Ask::Seq));
        Ok(value)
    }

    fn map<V: Visitor<'de>>(&mut self, ask: Shape, visitor: V) -> Result<V::Value> {
        let left = self.count(2)?;
        let mut entries = Entries {
            decoder: self,
            left,
            keys: Shapes::default(),
            values: Shapes::default(),
        };
        let value = visitor.visit_map(&mut entries)?;
        let Entries {
            left, keys, values, ..
        } = entries;
        if left != 0 {
            return Err(self.malformed());
        }
        let start = ask.ask(Ask::Map);
        self.shape = values.into_shape(keys.into_shape(start).ask(Ask::Map));
        Ok(value)
    }

    fn fields<V: Visitor<'de>>(&mut self, ask: Shape, left: usize, visitor: V) -> Result<V::Value> {
        let mut fields = Fields {
            decoder: self,
            left,
            shape: ask.ask(Ask::Struct),
        };
        let value = visitor.visit_map(&mut fields)?;
        let (left, shape) = (fields.left, fields.shape);
        if left != 0 {
            return Err(self.malformed());
        }
        self.shape = shape;
        Ok(value)
    }

    fn variant<V: Visitor<'de>>(&mut self, ask: Shape, kind: u8, visitor: V) -> Result<V::Value> {
        let name = self.name()?;
        self.shape = Shape::start();
        let value = visitor.visit_enum(Variant {
            decoder: &mut *self,
            name,
            kind,
        })?;
        self.shape = ask.ask(Ask::Variant).text(name).then(self.shape);
        Ok(value)
    }

    /// A variant for somebody who keeps what comes, to look later what it is: a text, or a map of
    /// one entry, as in JSON.
    fn variant_for_anybody<V: Visitor<'de>>(
        &mut self,
        ask: Shape,
        kind: u8,
        visitor: V,
    ) -> Result<V::Value> {
        let name = self.name()?;
        self.shape = Shape::start();
        let value = if kind == tag::UNIT_VARIANT {
            visitor.visit_borrowed_str(name)
        } else {
            visitor.visit_map(VariantEntry {
                decoder: &mut *self,
                name: Some(name),
                kind,
            })
        }?;
        self.shape = ask.ask(Ask::Variant).text(name).then(self.shape);
        Ok(value)
    }

    /// A file: it has to hold what it held.
    fn file<V: Visitor<'de>>(&mut self, visitor: V) -> Result<V::Value> {
        let content: [u8; 32] = self.array()?;
        if self.byte()? != tag::STR {
            self.at -= 1;
            return Err(self.malformed());
        }
        let path = self.text()?;
        let path_buf = PathBuf::from(path);
        if !file::holds(&path_buf, &content) {
            return Err(DecodeError::File { path: path_buf });
        }
        visitor.visit_newtype_struct(BorrowedStrDeserializer::new(path))
    }
}

/// What a type may ask for by a method without further arguments.
macro_rules! each_ask {
    ($then:ident) => {
        $then! {
            deserialize_any = Any;
            deserialize_bool = Bool;
            deserialize_i8 = I8;
            deserialize_i16 = I16;
            deserialize_i32 = I32;
            deserialize_i64 = I64;
            deserialize_i128 = I128;
            deserialize_u8 = U8;
            deserialize_u16 = U16;
            deserialize_u32 = U32;
            deserialize_u64 = U64;
            deserialize_u128 = U128;
            deserialize_f32 = F32;
            deserialize_f64 = F64;
            deserialize_char = Char;
            deserialize_str = Str;
            deserialize_string = Str;
            deserialize_bytes = Bytes;
            deserialize_byte_buf = Bytes;
            deserialize_option = Option;
            deserialize_unit = Unit;
            deserialize_seq = Seq;
            deserialize_map = Map;
            deserialize_identifier = Str;
            deserialize_ignored_any = Ignored;
        }
    };
}

// Below the macro, which it uses as well.
mod access;

use self::access::{Elements, Entries, Fields, Variant, VariantEntry};

macro_rules! asks {
    ($($method:ident = $ask:ident;)+) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
            self.item(Shape::start().ask(Ask::$ask), visitor)
        }
    )+};
}

impl<'de> Deserializer<'de> for &mut Decoder<'de> {
    type Error = DecodeError;

    fn is_human_readable(&self) -> bool {
        false
    }

    each_ask!(asks);

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value> {
        self.item(Shape::start().ask(Ask::Unit), visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value> {
        if name == DATA_FILE {
            if self.peek()? != tag::FILE {
                return Err(self.malformed());
            }
            return self.item(Shape::start().ask(Ask::File), visitor);
        }
        self.item(Shape::start().ask(Ask::Newtype), visitor)
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value> {
        let ask = Shape::start().ask(Ask::Tuple).mix(len as u128);
        self.item(ask, visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        len: usize,
        visitor: V,
    ) -> Result<V::Value> {
        self.deserialize_tuple(len, visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value> {
        self.item(Shape::start().ask(Ask::Struct).texts(fields), visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value> {
        let ask = Shape::start().ask(Ask::Enum).texts(variants);
        self.item(ask, visitor)
    }
}

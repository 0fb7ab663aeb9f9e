//! The parts of what is decoded, as serde asks for them.

use serde::de::value::BorrowedStrDeserializer;
use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, MapAccess, SeqAccess, VariantAccess, Visitor,
};

use super::super::error::DecodeError;
use super::super::shape::{Ask, Shape, Shapes};
use super::super::tag;
use super::{Decoder, Result};

/// The elements of a sequence or a tuple.
pub(super) struct Elements<'a, 'de> {
    pub(super) decoder: &'a mut Decoder<'de>,
    pub(super) left: usize,
    pub(super) packed: Option<u8>,
    pub(super) shapes: Shapes,
}

impl<'de> SeqAccess<'de> for &mut Elements<'_, 'de> {
    type Error = DecodeError;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>> {
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        let value = match self.packed {
            None => seed.deserialize(&mut *self.decoder)?,
            Some(kind) => seed.deserialize(Packed {
                decoder: &mut *self.decoder,
                kind,
            })?,
        };
        self.shapes.add(self.decoder.shape);
        Ok(Some(value))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.left)
    }
}

/// A number in a packed sequence: its tag stands before all of them.
pub(super) struct Packed<'a, 'de> {
    pub(super) decoder: &'a mut Decoder<'de>,
    pub(super) kind: u8,
}

macro_rules! packed_asks {
    ($($method:ident = $ask:ident;)+) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
            self.decoder.shape = Shape::start().ask(Ask::$ask);
            self.decoder.anything |= matches!(Ask::$ask, Ask::Any);
            self.decoder.number(self.kind, visitor)
        }
    )+};
}

impl<'de> Deserializer<'de> for Packed<'_, 'de> {
    type Error = DecodeError;

    fn is_human_readable(&self) -> bool {
        false
    }

    each_ask!(packed_asks);

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value> {
        self.deserialize_unit(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value> {
        self.deserialize_any(visitor)
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _len: usize, visitor: V) -> Result<V::Value> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _len: usize,
        visitor: V,
    ) -> Result<V::Value> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value> {
        self.deserialize_map(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value> {
        self.deserialize_any(visitor)
    }
}

/// The entries of a map, each in a context of its own.
pub(super) struct Entries<'a, 'de> {
    pub(super) decoder: &'a mut Decoder<'de>,
    pub(super) left: usize,
    pub(super) keys: Shapes,
    pub(super) values: Shapes,
}

impl<'de> Entries<'_, 'de> {
    fn part<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<(T::Value, Shape)> {
        let bytes = self.decoder.bytes()?;
        let offset = self.decoder.offset + self.decoder.at - bytes.len();
        let mut part = Decoder::new(bytes, offset, self.decoder.depth);
        let value = seed.deserialize(&mut part)?;
        part.expect_end()?;
        self.decoder.anything |= part.anything;
        Ok((value, part.shape))
    }
}

impl<'de> MapAccess<'de> for &mut Entries<'_, 'de> {
    type Error = DecodeError;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>> {
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        let (key, shape) = self.part(seed)?;
        self.keys.add(shape);
        Ok(Some(key))
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value> {
        let (value, shape) = self.part(seed)?;
        self.values.add(shape);
        Ok(value)
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.left)
    }
}

/// The fields of a struct by their names.
pub(super) struct Fields<'a, 'de> {
    pub(super) decoder: &'a mut Decoder<'de>,
    pub(super) left: usize,
    pub(super) shape: Shape,
}

impl<'de> MapAccess<'de> for &mut Fields<'_, 'de> {
    type Error = DecodeError;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>> {
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        let name = self.decoder.name()?;
        self.shape = self.shape.text(name);
        seed.deserialize(BorrowedStrDeserializer::new(name))
            .map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value> {
        let value = seed.deserialize(&mut *self.decoder)?;
        self.shape = self.shape.then(self.decoder.shape);
        Ok(value)
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.left)
    }
}

/// A variant of an enum.
pub(super) struct Variant<'a, 'de> {
    pub(super) decoder: &'a mut Decoder<'de>,
    pub(super) name: &'de str,
    pub(super) kind: u8,
}

impl<'de> EnumAccess<'de> for Variant<'_, 'de> {
    type Error = DecodeError;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self)> {
        let name = seed.deserialize(BorrowedStrDeserializer::new(self.name))?;
        Ok((name, self))
    }
}

impl Variant<'_, '_> {
    fn expect(&self, kind: u8) -> Result<()> {
        if self.kind == kind {
            Ok(())
        } else {
            Err(DecodeError::Shape)
        }
    }
}

impl<'de> VariantAccess<'de> for Variant<'_, 'de> {
    type Error = DecodeError;

    fn unit_variant(self) -> Result<()> {
        self.expect(tag::UNIT_VARIANT)
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value> {
        self.expect(tag::NEWTYPE_VARIANT)?;
        seed.deserialize(self.decoder)
    }

    fn tuple_variant<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value> {
        self.expect(tag::TUPLE_VARIANT)?;
        let ask = Shape::start().ask(Ask::Tuple).mix(len as u128);
        let left = self.decoder.count(1)?;
        self.decoder.elements(ask, left, None, visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value> {
        self.expect(tag::STRUCT_VARIANT)?;
        let ask = Shape::start().ask(Ask::Struct).texts(fields);
        let left = self.decoder.count(1)?;
        self.decoder.fields(ask, left, visitor)
    }
}

/// A variant as a map of one entry.
pub(super) struct VariantEntry<'a, 'de> {
    pub(super) decoder: &'a mut Decoder<'de>,
    pub(super) name: Option<&'de str>,
    pub(super) kind: u8,
}

impl<'de> MapAccess<'de> for VariantEntry<'_, 'de> {
    type Error = DecodeError;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>> {
        let name = self.name.take();
        name.map(|name| seed.deserialize(BorrowedStrDeserializer::new(name)))
            .transpose()
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value> {
        seed.deserialize(VariantBody {
            decoder: &mut *self.decoder,
            kind: self.kind,
        })
    }
}

/// What a variant holds.
pub(super) struct VariantBody<'a, 'de> {
    pub(super) decoder: &'a mut Decoder<'de>,
    pub(super) kind: u8,
}

impl<'de> Deserializer<'de> for VariantBody<'_, 'de> {
    type Error = DecodeError;

    fn is_human_readable(&self) -> bool {
        false
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        let ask = Shape::start().ask(Ask::Any);
        match self.kind {
            tag::NEWTYPE_VARIANT => self.decoder.item(ask, visitor),
            tag::TUPLE_VARIANT => {
                let left = self.decoder.count(1)?;
                self.decoder.elements(ask, left, None, visitor)
            }
            _ => {
                let left = self.decoder.count(1)?;
                self.decoder.fields(ask, left, visitor)
            }
        }
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option
        unit unit_struct newtype_struct seq tuple tuple_struct map struct enum identifier
        ignored_any
    }
}

//! Values of any shape, their encoding by a second implementation, and what looks much like them.

use proptest::prelude::*;
use serde::Serialize;
use serde::ser::{
    SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
    SerializeTupleVariant, Serializer,
};

/// The names that structs and variants have here.
const NAMES: [&str; 4] = ["a", "bee", "row", "names"];

/// A value of any shape.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Model {
    Unit,
    Bool(bool),
    U8(u8),
    U128(u128),
    I16(i16),
    I64(i64),
    F32(u32),
    F64(u64),
    Char(char),
    Text(String),
    Bytes(Vec<u8>),
    Option(Option<Box<Model>>),
    Sequence(Vec<Model>),
    Tuple(Vec<Model>),
    Map(Vec<(Model, Model)>),
    Newtype(Box<Model>),
    Struct(Vec<(usize, Model)>),
    Variant(usize, Option<Box<Model>>),
    TupleVariant(usize, Vec<Model>),
    StructVariant(usize, Vec<(usize, Model)>),
}

impl Serialize for Model {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Model::Unit => serializer.serialize_unit(),
            Model::Bool(value) => serializer.serialize_bool(*value),
            Model::U8(value) => serializer.serialize_u8(*value),
            Model::U128(value) => serializer.serialize_u128(*value),
            Model::I16(value) => serializer.serialize_i16(*value),
            Model::I64(value) => serializer.serialize_i64(*value),
            Model::F32(bits) => serializer.serialize_f32(f32::from_bits(*bits)),
            Model::F64(bits) => serializer.serialize_f64(f64::from_bits(*bits)),
            Model::Char(value) => serializer.serialize_char(*value),
            Model::Text(value) => serializer.serialize_str(value),
            Model::Bytes(value) => serializer.serialize_bytes(value),
            Model::Option(None) => serializer.serialize_none(),
            Model::Option(Some(inner)) => serializer.serialize_some(inner),
            Model::Sequence(elements) => {
                let mut sequence = serializer.serialize_seq(Some(elements.len()))?;
                for element in elements {
                    sequence.serialize_element(element)?;
                }
                sequence.end()
            }
            Model::Tuple(elements) => {
                let mut tuple = serializer.serialize_tuple(elements.len())?;
                for element in elements {
                    tuple.serialize_element(element)?;
                }
                tuple.end()
            }
            Model::Map(entries) => {
                let mut map = serializer.serialize_map(None)?;
                for (key, value) in entries {
                    map.serialize_entry(key, value)?;
                }
                map.end()
            }
            Model::Newtype(inner) => serializer.serialize_newtype_struct("Model", inner),
            Model::Struct(fields) => {
                let mut all = serializer.serialize_struct("Model", fields.len())?;
                for (name, value) in fields {
                    all.serialize_field(NAMES[*name], value)?;
                }
                all.end()
            }
            Model::Variant(name, None) => {
                serializer.serialize_unit_variant("Model", 0, NAMES[*name])
            }
            Model::Variant(name, Some(inner)) => {
                serializer.serialize_newtype_variant("Model", 0, NAMES[*name], inner)
            }
            Model::TupleVariant(name, elements) => {
                let (name, len) = (NAMES[*name], elements.len());
                let mut variant = serializer.serialize_tuple_variant("Model", 0, name, len)?;
                for element in elements {
                    variant.serialize_field(element)?;
                }
                variant.end()
            }
            Model::StructVariant(name, fields) => {
                let (name, len) = (NAMES[*name], fields.len());
                let mut variant = serializer.serialize_struct_variant("Model", 0, name, len)?;
                for (name, value) in fields {
                    variant.serialize_field(NAMES[*name], value)?;
                }
                variant.end()
            }
        }
    }
}

/// The encoding once more, from its description, with whole vectors and no care for speed.
pub(super) fn reference(value: &Model) -> Vec<u8> {
    let mut names = Vec::new();
    item(value, &mut names)
}

fn varint(number: usize) -> Vec<u8> {
    match number {
        0..=127 => vec![number as u8],
        _ => [vec![(number % 128) as u8 | 128], varint(number / 128)].concat(),
    }
}

fn name(of: usize, names: &mut Vec<usize>) -> Vec<u8> {
    if let Some(place) = names.iter().position(|known| *known == of) {
        return varint(place + 1);
    }
    names.push(of);
    let text = NAMES[of].as_bytes();
    [vec![0], varint(text.len()), text.to_vec()].concat()
}

fn fields(of: &[(usize, Model)], names: &mut Vec<usize>) -> Vec<u8> {
    let mut bytes = varint(of.len());
    for (field, value) in of {
        bytes.extend(name(*field, names));
        bytes.extend(item(value, names));
    }
    bytes
}

fn item(value: &Model, names: &mut Vec<usize>) -> Vec<u8> {
    let mut items = |elements: &[Model]| -> Vec<Vec<u8>> {
        elements
            .iter()
            .map(|element| item(element, names))
            .collect()
    };
    match value {
        Model::Unit => vec![0x02],
        Model::Bool(false) => vec![0x03],
        Model::Bool(true) => vec![0x04],
        Model::U8(value) => vec![0x10, *value],
        Model::U128(value) => [vec![0x14], value.to_le_bytes().to_vec()].concat(),
        Model::I16(value) => [vec![0x19], value.to_le_bytes().to_vec()].concat(),
        Model::I64(value) => [vec![0x1b], value.to_le_bytes().to_vec()].concat(),
        Model::F32(bits) => {
            let bits = match f32::from_bits(*bits).is_nan() {
                true => 0x7fc0_0000,
                false => *bits,
            };
            [vec![0x20], bits.to_le_bytes().to_vec()].concat()
        }
        Model::F64(bits) => {
            let bits = match f64::from_bits(*bits).is_nan() {
                true => 0x7ff8_0000_0000_0000,
                false => *bits,
            };
            [vec![0x21], bits.to_le_bytes().to_vec()].concat()
        }
        Model::Char(value) => [vec![0x22], u32::from(*value).to_le_bytes().to_vec()].concat(),
        Model::Text(text) => [vec![0x30], varint(text.len()), text.as_bytes().to_vec()].concat(),
        Model::Bytes(bytes) => [vec![0x31], varint(bytes.len()), bytes.clone()].concat(),
        Model::Option(None) => vec![0x00],
        Model::Option(Some(inner)) => [vec![0x01], item(inner, names)].concat(),
        Model::Sequence(elements) => {
            let items = items(elements);
            let tag = items.first().map(|first| first[0]);
            let is_packed = matches!(tag, Some(0x10 | 0x14 | 0x19 | 0x1b | 0x20 | 0x21))
                && items.iter().all(|item| Some(item[0]) == tag);
            let count = varint(items.len());
            match (tag, is_packed) {
                (Some(tag), true) => {
                    let numbers: Vec<u8> =
                        items.iter().flat_map(|item| item[1..].to_vec()).collect();
                    [vec![0x41, tag], count, numbers].concat()
                }
                _ => [vec![0x40], count, items.concat()].concat(),
            }
        }
        Model::Tuple(elements) => {
            [vec![0x50], varint(elements.len()), items(elements).concat()].concat()
        }
        Model::Newtype(inner) => [vec![0x51], item(inner, names)].concat(),
        Model::Map(entries) => {
            let mut entries: Vec<(Vec<u8>, Vec<u8>)> = entries
                .iter()
                .map(|(key, value)| (reference(key), reference(value)))
                .collect();
            entries.sort();
            let mut bytes = [vec![0x60], varint(entries.len())].concat();
            for (key, value) in entries {
                bytes.extend([varint(key.len()), key, varint(value.len()), value].concat());
            }
            bytes
        }
        Model::Struct(all) => [vec![0x70], fields(all, names)].concat(),
        Model::Variant(variant, None) => [vec![0x71], name(*variant, names)].concat(),
        Model::Variant(variant, Some(inner)) => {
            let variant = name(*variant, names);
            [vec![0x72], variant, item(inner, names)].concat()
        }
        Model::TupleVariant(variant, elements) => {
            let mut bytes = [vec![0x73], name(*variant, names), varint(elements.len())].concat();
            for element in elements {
                bytes.extend(item(element, names));
            }
            bytes
        }
        Model::StructVariant(variant, all) => {
            let variant = name(*variant, names);
            [vec![0x74], variant, fields(all, names)].concat()
        }
    }
}

pub(super) fn model() -> impl Strategy<Value = Model> {
    let leaf = prop_oneof![
        Just(Model::Unit),
        any::<bool>().prop_map(Model::Bool),
        any::<u8>().prop_map(Model::U8),
        any::<u128>().prop_map(Model::U128),
        any::<i16>().prop_map(Model::I16),
        any::<i64>().prop_map(Model::I64),
        any::<u32>().prop_map(Model::F32),
        any::<u64>().prop_map(Model::F64),
        Just(Model::F32(f32::NAN.to_bits() | 1)),
        Just(Model::F64(f64::NAN.to_bits() | 1)),
        any::<char>().prop_map(Model::Char),
        ".{0,4}".prop_map(Model::Text),
        prop::collection::vec(any::<u8>(), 0..4).prop_map(Model::Bytes),
        Just(Model::Option(None)),
        (0..NAMES.len()).prop_map(|name| Model::Variant(name, None)),
    ];
    leaf.prop_recursive(5, 64, 6, |inner| {
        let boxed = inner.clone().prop_map(Box::new);
        let several = prop::collection::vec(inner.clone(), 0..6);
        let entries = prop::collection::vec((inner.clone(), inner.clone()), 0..5);
        let numbers = prop::collection::vec(any::<u8>().prop_map(Model::U8), 0..200);
        let wide = prop::collection::vec(any::<u128>().prop_map(Model::U128), 0..9);
        let fields = prop::collection::vec((0..NAMES.len(), inner), 0..5);
        let name = 0..NAMES.len();
        prop_oneof![
            boxed.clone().prop_map(|inner| Model::Option(Some(inner))),
            boxed.clone().prop_map(Model::Newtype),
            several.clone().prop_map(Model::Sequence),
            numbers.prop_map(Model::Sequence),
            wide.prop_map(Model::Sequence),
            several.clone().prop_map(Model::Tuple),
            entries.prop_map(Model::Map),
            fields.clone().prop_map(Model::Struct),
            (name.clone(), boxed).prop_map(|(name, inner)| Model::Variant(name, Some(inner))),
            (name.clone(), several).prop_map(|(name, all)| Model::TupleVariant(name, all)),
            (name, fields).prop_map(|(name, all)| Model::StructVariant(name, all)),
        ]
    })
}

/// One value for all that are to have one encoding.
pub(super) fn canonical(value: &Model) -> Model {
    let all = |values: &[Model]| values.iter().map(canonical).collect();
    let named = |fields: &[(usize, Model)]| {
        let fields = fields.iter();
        fields
            .map(|(name, value)| (*name, canonical(value)))
            .collect()
    };
    match value {
        Model::F32(bits) if f32::from_bits(*bits).is_nan() => Model::F32(0x7fc0_0000),
        Model::F64(bits) if f64::from_bits(*bits).is_nan() => Model::F64(0x7ff8_0000_0000_0000),
        Model::Option(Some(inner)) => Model::Option(Some(Box::new(canonical(inner)))),
        Model::Newtype(inner) => Model::Newtype(Box::new(canonical(inner))),
        Model::Sequence(elements) => Model::Sequence(all(elements)),
        Model::Tuple(elements) => Model::Tuple(all(elements)),
        Model::Struct(fields) => Model::Struct(named(fields)),
        Model::TupleVariant(name, elements) => Model::TupleVariant(*name, all(elements)),
        Model::StructVariant(name, fields) => Model::StructVariant(*name, named(fields)),
        Model::Variant(name, Some(inner)) => {
            Model::Variant(*name, Some(Box::new(canonical(inner))))
        }
        Model::Map(entries) => {
            let mut entries: Vec<(Model, Model)> = entries
                .iter()
                .map(|(key, value)| (canonical(key), canonical(value)))
                .collect();
            entries.sort_by_key(|entry| format!("{entry:?}"));
            Model::Map(entries)
        }
        other => other.clone(),
    }
}

/// The values right inside of a value.
fn inner(value: &mut Model) -> Vec<&mut Model> {
    match value {
        Model::Option(Some(inner)) | Model::Newtype(inner) | Model::Variant(_, Some(inner)) => {
            vec![&mut **inner]
        }
        Model::Sequence(all) | Model::Tuple(all) | Model::TupleVariant(_, all) => {
            all.iter_mut().collect()
        }
        Model::Map(entries) => entries
            .iter_mut()
            .flat_map(|(key, value)| [key, value])
            .collect(),
        Model::Struct(fields) | Model::StructVariant(_, fields) => {
            fields.iter_mut().map(|(_, value)| value).collect()
        }
        _ => Vec::new(),
    }
}

pub(super) fn count(value: &mut Model) -> usize {
    1 + inner(value).into_iter().map(count).sum::<usize>()
}

/// Changes the value at a place, counted from the outside in, a little.
pub(super) fn change(value: &mut Model, at: usize, how: u8) {
    let Some(mut at) = at.checked_sub(1) else {
        *value = changed(value.clone(), how);
        return;
    };
    for part in inner(value) {
        let within = count(part);
        if at < within {
            return change(part, at, how);
        }
        at -= within;
    }
}

/// What looks much like a value and is mostly another one.
fn changed(value: Model, how: u8) -> Model {
    match (how, value) {
        (0, value) => Model::Option(Some(Box::new(value))),
        (1, value) => Model::Newtype(Box::new(value)),
        (2, value) => Model::Sequence(vec![value]),
        (3, value) => Model::Tuple(vec![value]),
        (4, value) => Model::Map(vec![(value.clone(), value)]),
        (5, mut value) => match inner(&mut value).pop() {
            Some(last) => last.clone(),
            None => Model::Option(None),
        },
        (6, Model::Sequence(all)) => Model::Tuple(all),
        (6, Model::Tuple(all)) => Model::Sequence(all),
        (6, Model::Struct(fields)) => {
            let entries = fields.into_iter();
            let entries = entries.map(|(name, value)| (Model::Text(NAMES[name].to_owned()), value));
            Model::Map(entries.collect())
        }
        (6, Model::StructVariant(_, fields)) => Model::Struct(fields),
        (6, Model::TupleVariant(name, mut all)) if all.len() == 1 => {
            Model::Variant(name, all.pop().map(Box::new))
        }
        (6, Model::Variant(name, None)) => Model::Text(NAMES[name].to_owned()),
        (6, Model::Text(text)) => Model::Bytes(text.into_bytes()),
        (6, Model::U8(number)) => Model::I16(number.into()),
        (6, Model::I16(number)) => Model::I64(number.into()),
        (6, Model::I64(number)) => Model::F64(number as u64),
        (6, Model::F64(bits)) => Model::F64(bits ^ 1),
        (7, Model::Sequence(mut all) | Model::Tuple(mut all) | Model::TupleVariant(_, mut all)) => {
            all.pop();
            Model::Sequence(all)
        }
        (7, Model::Struct(mut fields)) => {
            fields.reverse();
            Model::Struct(fields)
        }
        (7, Model::Map(mut entries)) => {
            entries.reverse();
            Model::Map(entries)
        }
        (_, value) => value,
    }
}

//! The JSON Schema of a type, learnt from its `Deserialize`: it is handed made-up values, and what
//! it asks for is written down.

use std::collections::BTreeMap;

use serde::de::value::StrDeserializer;
use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, MapAccess, SeqAccess,
    VariantAccess, Visitor,
};
use serde_json::{Map, Value, json};

/// Describes a type as far as its `Deserialize` tells: the names and kinds of fields, the variants of
/// enums, what may be absent. A type that refuses made-up values, because it parses a text for
/// instance, is described by what it asked for.
pub(crate) fn schema_of<T: DeserializeOwned>() -> Value {
    let mut schema = Value::Object(Map::new());
    let mut known: BTreeMap<&'static str, Enum> = BTreeMap::new();
    // One pass shows one variant of each enum: as many passes as it takes to see all of them.
    for _ in 0..MAX_PASSES {
        let mut pass = Value::Object(Map::new());
        let tracer = Tracer {
            schema: &mut pass,
            enums: &mut known,
            depth: 0,
        };
        // An error ends the pass where it is; what was seen until then stands.
        let _ = T::deserialize(tracer);
        schema = merge(schema, pass);
        if known
            .values()
            .all(|known| known.next >= known.variants.len())
        {
            break;
        }
    }
    schema
}

/// Enough for enums of many variants, few enough for nested ones.
const MAX_PASSES: usize = 256;

/// Deeper than this a type is described as anything: it holds itself.
const MAX_DEPTH: u32 = 12;

/// An enum that came up, and which of its variants to take next.
struct Enum {
    variants: &'static [&'static str],
    next: usize,
}

/// Puts together what two passes have seen of the same place.
fn merge(before: Value, now: Value) -> Value {
    match (before, now) {
        (Value::Object(mut before), Value::Object(now)) => {
            for (name, value) in now {
                let merged = match (name.as_str(), before.remove(&name)) {
                    (_, None) => value,
                    ("oneOf", Some(Value::Array(mut all))) => {
                        if let Value::Array(more) = value {
                            more.into_iter().for_each(|one| add_variant(&mut all, one));
                        }
                        Value::Array(all)
                    }
                    (_, Some(known)) => merge(known, value),
                };
                before.insert(name, merged);
            }
            Value::Object(before)
        }
        (Value::Array(before), Value::Array(now)) if before.len() == now.len() => before
            .into_iter()
            .zip(now)
            .map(|(a, b)| merge(a, b))
            .collect(),
        (before, Value::Null) => before,
        (_, now) => now,
    }
}

fn add_variant(all: &mut Vec<Value>, one: Value) {
    let name = |variant: &Value| variant.get("const").or(variant.get("required")).cloned();
    match all.iter_mut().find(|known| name(known) == name(&one)) {
        Some(known) => *known = merge(known.take(), one),
        None => all.push(one),
    }
}

/// Why a pass ended early.
#[derive(Debug)]
struct Stopped;

impl std::fmt::Display for Stopped {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the type refuses made-up values")
    }
}

impl std::error::Error for Stopped {}

impl serde::de::Error for Stopped {
    fn custom<T: std::fmt::Display>(_message: T) -> Self {
        Self
    }
}

type Result<T> = std::result::Result<T, Stopped>;

struct Tracer<'a> {
    schema: &'a mut Value,
    enums: &'a mut BTreeMap<&'static str, Enum>,
    depth: u32,
}

impl Tracer<'_> {
    fn set(&mut self, schema: Value) {
        *self.schema = schema;
    }

    fn inner<'b>(&'b mut self, schema: &'b mut Value) -> Tracer<'b> {
        Tracer {
            schema,
            enums: self.enums,
            depth: self.depth + 1,
        }
    }

    fn is_too_deep(&self) -> bool {
        self.depth > MAX_DEPTH
    }
}

macro_rules! integers {
    ($($method:ident, $visit:ident, $ty:ty;)+) => {$(
        fn $method<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value> {
            self.set(json!({
                "type": "integer",
                "minimum": serde_json::Number::from(<$ty>::MIN),
                "maximum": serde_json::Number::from(<$ty>::MAX),
            }));
            visitor.$visit(1)
        }
    )+};
}

macro_rules! simple {
    ($($method:ident => $schema:expr, |$visitor:ident| $visit:expr;)+) => {$(
        fn $method<V: Visitor<'de>>(mut self, $visitor: V) -> Result<V::Value> {
            self.set($schema);
            $visit
        }
    )+};
}

impl<'de> Deserializer<'de> for Tracer<'_> {
    type Error = Stopped;

    integers! {
        deserialize_i8, visit_i8, i8;
        deserialize_i16, visit_i16, i16;
        deserialize_i32, visit_i32, i32;
        deserialize_i64, visit_i64, i64;
        deserialize_u8, visit_u8, u8;
        deserialize_u16, visit_u16, u16;
        deserialize_u32, visit_u32, u32;
        deserialize_u64, visit_u64, u64;
    }

    simple! {
        deserialize_any => json!({}), |visitor| visitor.visit_unit();
        deserialize_bool => json!({ "type": "boolean" }), |visitor| visitor.visit_bool(true);
        deserialize_i128 => json!({ "type": "integer" }), |visitor| visitor.visit_i128(1);
        deserialize_u128 => json!({ "type": "integer", "minimum": 0 }), |visitor| visitor.visit_u128(1);
        deserialize_f32 => json!({ "type": "number" }), |visitor| visitor.visit_f32(1.0);
        deserialize_f64 => json!({ "type": "number" }), |visitor| visitor.visit_f64(1.0);
        deserialize_char => json!({ "type": "string", "minLength": 1, "maxLength": 1 }),
            |visitor| visitor.visit_char('a');
        deserialize_str => json!({ "type": "string" }), |visitor| visitor.visit_str("a");
        deserialize_string => json!({ "type": "string" }), |visitor| visitor.visit_str("a");
        deserialize_bytes => json!({ "type": "string" }), |visitor| visitor.visit_bytes(b"a");
        deserialize_byte_buf => json!({ "type": "string" }), |visitor| visitor.visit_bytes(b"a");
        deserialize_unit => json!({ "type": "null" }), |visitor| visitor.visit_unit();
        deserialize_identifier => json!({ "type": "string" }), |visitor| visitor.visit_str("a");
        deserialize_ignored_any => json!({}), |visitor| visitor.visit_unit();
    }

    fn deserialize_option<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value> {
        if self.is_too_deep() {
            return visitor.visit_none();
        }
        let mut schema = json!({});
        let value = visitor.visit_some(self.inner(&mut schema));
        self.set(json!({ "anyOf": [schema, { "type": "null" }] }));
        value
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value> {
        self.deserialize_unit(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        mut self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value> {
        let mut schema = json!({});
        let value = visitor.visit_newtype_struct(self.inner(&mut schema));
        self.set(schema);
        value
    }

    fn deserialize_seq<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value> {
        let mut items = vec![json!({})];
        let left = usize::from(!self.is_too_deep());
        let value = visitor.visit_seq(Items {
            tracer: &mut self,
            items: &mut items,
            left,
        });
        let item = items.remove(0);
        self.set(json!({ "type": "array", "items": item }));
        value
    }

    fn deserialize_tuple<V: Visitor<'de>>(mut self, len: usize, visitor: V) -> Result<V::Value> {
        let mut items = vec![json!({}); len];
        let value = visitor.visit_seq(Items {
            tracer: &mut self,
            items: &mut items,
            left: len,
        });
        self.set(tuple(&items));
        value
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        len: usize,
        visitor: V,
    ) -> Result<V::Value> {
        self.deserialize_tuple(len, visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value> {
        let mut schema = json!({});
        let is_too_deep = self.is_too_deep();
        let value = visitor.visit_map(Entry {
            tracer: &mut self,
            schema: &mut schema,
            is_over: is_too_deep,
        });
        self.set(json!({ "type": "object", "additionalProperties": schema }));
        value
    }

    fn deserialize_struct<V: Visitor<'de>>(
        mut self,
        _name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value> {
        let mut seen = Map::new();
        let value = visitor.visit_map(Fields {
            tracer: &mut self,
            seen: &mut seen,
            fields: fields.iter(),
            current: "",
        });
        self.set(object(seen));
        value
    }

    fn deserialize_enum<V: Visitor<'de>>(
        mut self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value> {
        let place = self.enums.entry(name).or_insert(Enum { variants, next: 0 });
        let variant = variants.get(place.next).or(variants.first());
        // A value of an enum that holds itself has to end somewhere.
        if self.depth <= MAX_DEPTH {
            place.next += 1;
        }
        let variant = *variant.ok_or(Stopped)?;
        let mut schema = json!({ "const": variant });
        let value = visitor.visit_enum(OneVariant {
            tracer: &mut self,
            variant,
            schema: &mut schema,
        });
        let known = std::mem::take(self.schema);
        *self.schema = merge(known, json!({ "oneOf": [schema] }));
        value
    }
}

fn tuple(items: &[Value]) -> Value {
    json!({
        "type": "array",
        "prefixItems": items,
        "minItems": items.len(),
        "maxItems": items.len(),
    })
}

fn object(properties: Map<String, Value>) -> Value {
    let required: Vec<&String> = properties
        .iter()
        .filter(|(_, schema)| schema.get("anyOf").is_none())
        .map(|(name, _)| name)
        .collect();
    json!({ "type": "object", "required": required, "properties": properties })
}

struct Items<'a, 'b> {
    tracer: &'a mut Tracer<'b>,
    items: &'a mut [Value],
    left: usize,
}

impl<'de> SeqAccess<'de> for Items<'_, '_> {
    type Error = Stopped;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>> {
        let Some(left) = self.left.checked_sub(1) else {
            return Ok(None);
        };
        let at = self.items.len() - self.left;
        self.left = left;
        let item = &mut self.items[at];
        seed.deserialize(self.tracer.inner(item)).map(Some)
    }
}

struct Entry<'a, 'b> {
    tracer: &'a mut Tracer<'b>,
    schema: &'a mut Value,
    is_over: bool,
}

impl<'de> MapAccess<'de> for Entry<'_, '_> {
    type Error = Stopped;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>> {
        if std::mem::replace(&mut self.is_over, true) {
            return Ok(None);
        }
        // In JSON every key is a text, whatever it stands for.
        let mut ignored = json!({});
        seed.deserialize(self.tracer.inner(&mut ignored)).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value> {
        seed.deserialize(self.tracer.inner(self.schema))
    }
}

struct Fields<'a, 'b> {
    tracer: &'a mut Tracer<'b>,
    seen: &'a mut Map<String, Value>,
    fields: std::slice::Iter<'static, &'static str>,
    current: &'static str,
}

impl<'de> MapAccess<'de> for Fields<'_, '_> {
    type Error = Stopped;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>> {
        let Some(name) = self.fields.next() else {
            return Ok(None);
        };
        self.current = name;
        let name: StrDeserializer<'_, Stopped> =
            serde::de::IntoDeserializer::into_deserializer(*name);
        seed.deserialize(name).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value> {
        let mut schema = json!({});
        let value = seed.deserialize(self.tracer.inner(&mut schema));
        self.seen.insert(self.current.to_owned(), schema);
        value
    }
}

struct OneVariant<'a, 'b> {
    tracer: &'a mut Tracer<'b>,
    variant: &'static str,
    schema: &'a mut Value,
}

impl OneVariant<'_, '_> {
    /// As JSON shows it: an object with the variant's name.
    fn holds(&mut self, inner: Value) {
        let (name, mut properties) = (self.variant, Map::new());
        properties.insert(name.to_owned(), inner);
        *self.schema = json!({
            "type": "object",
            "required": [name],
            "properties": properties,
        });
    }
}

impl<'de> EnumAccess<'de> for OneVariant<'_, '_> {
    type Error = Stopped;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self)> {
        let name: StrDeserializer<'_, Stopped> =
            serde::de::IntoDeserializer::into_deserializer(self.variant);
        Ok((seed.deserialize(name)?, self))
    }
}

impl<'de> VariantAccess<'de> for OneVariant<'_, '_> {
    type Error = Stopped;

    fn unit_variant(self) -> Result<()> {
        Ok(())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(mut self, seed: T) -> Result<T::Value> {
        let mut inner = json!({});
        let value = seed.deserialize(self.tracer.inner(&mut inner));
        self.holds(inner);
        value
    }

    fn tuple_variant<V: Visitor<'de>>(mut self, len: usize, visitor: V) -> Result<V::Value> {
        let mut items = vec![json!({}); len];
        let value = visitor.visit_seq(Items {
            tracer: self.tracer,
            items: &mut items,
            left: len,
        });
        self.holds(tuple(&items));
        value
    }

    fn struct_variant<V: Visitor<'de>>(
        mut self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value> {
        let mut seen = Map::new();
        let value = visitor.visit_map(Fields {
            tracer: self.tracer,
            seen: &mut seen,
            fields: fields.iter(),
            current: "",
        });
        self.holds(object(seen));
        value
    }
}

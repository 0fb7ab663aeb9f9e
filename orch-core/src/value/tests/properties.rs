//! Model values, against a second implementation; values that read back; any bytes.

use std::collections::{BTreeMap, HashMap};

use proptest::prelude::*;
use serde::{Deserialize, Serialize};

use super::model::{Model, canonical, change, count, model, reference};
use super::{decoded, encoded};

fn json() -> impl Strategy<Value = serde_json::Value> {
    use serde_json::Value;

    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-1e12_f64..1e12).prop_map(Value::from),
        ".{0,6}".prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 64, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::btree_map(".{0,3}", inner, 0..5)
                .prop_map(|entries| Value::Object(entries.into_iter().collect())),
        ]
    })
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Record {
    id: u64,
    name: Option<String>,
    values: Vec<f64>,
    tags: BTreeMap<String, Tag>,
    rows: Vec<Row>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Row(u8, i16);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum Tag {
    None,
    Weight(f32),
    Range { from: i32, to: i32 },
    Both(bool, char),
}

fn record() -> impl Strategy<Value = Record> {
    let tag = prop_oneof![
        Just(Tag::None),
        (-1e6_f32..1e6).prop_map(Tag::Weight),
        any::<(i32, i32)>().prop_map(|(from, to)| Tag::Range { from, to }),
        any::<(bool, char)>().prop_map(|(flag, char)| Tag::Both(flag, char)),
    ];
    let row = any::<(u8, i16)>().prop_map(|(a, b)| Row(a, b));
    (
        any::<u64>(),
        prop::option::of(".{0,6}"),
        prop::collection::vec(-1e9_f64..1e9, 0..5),
        prop::collection::btree_map(".{0,3}", tag, 0..4),
        prop::collection::vec(row, 0..4),
    )
        .prop_map(|(id, name, values, tags, rows)| Record {
            id,
            name,
            values,
            tags,
            rows,
        })
}

/// Reads bytes as types of several shapes; what comes of it does not matter.
fn read_as_anything(bytes: &[u8]) {
    drop(decoded::<serde_json::Value>(bytes));
    drop(decoded::<Record>(bytes));
    drop(decoded::<Vec<f64>>(bytes));
    drop(decoded::<Vec<String>>(bytes));
    drop(decoded::<HashMap<String, Vec<u8>>>(bytes));
    drop(decoded::<(u8, Option<Tag>)>(bytes));
    drop(decoded::<serde::de::IgnoredAny>(bytes));
}

proptest! {
    #[test]
    fn a_second_implementation_writes_the_same_bytes(value in model()) {
        prop_assert_eq!(encoded(&value), reference(&value));
    }

    #[test]
    fn values_have_the_same_bytes_exactly_if_they_are_equal(one in model(), other in model()) {
        let are_equal = canonical(&one) == canonical(&other);
        prop_assert_eq!(encoded(&one) == encoded(&other), are_equal);
    }

    #[test]
    fn a_value_that_is_changed_in_one_place_has_other_bytes(
        value in model(),
        at in any::<prop::sample::Index>(),
        how in 0..8_u8,
    ) {
        let mut other = value.clone();
        let at = at.index(count(&mut other));
        change(&mut other, at, how);
        let are_equal = canonical(&value) == canonical(&other);
        prop_assert_eq!(encoded(&value) == encoded(&other), are_equal, "{:?}", other);
    }

    #[test]
    fn the_order_in_which_a_map_gives_its_entries_does_not_show(
        entries in prop::collection::vec((model(), model()), 0..6),
    ) {
        let mut backwards = entries.clone();
        backwards.reverse();
        prop_assert_eq!(encoded(&Model::Map(entries)), encoded(&Model::Map(backwards)));
    }

    #[test]
    fn what_is_written_reads_back(record in record()) {
        let bytes = encoded(&record);
        prop_assert_eq!(decoded::<Record>(&bytes).unwrap(), record.clone());
        let as_map = HashMap::from([("k".to_owned(), vec![record; 2])]);
        let bytes = encoded(&as_map);
        let read: HashMap<String, Vec<Record>> = decoded(&bytes).unwrap();
        prop_assert_eq!(read, as_map);
    }

    #[test]
    fn what_json_can_say_reads_back(value in json()) {
        let bytes = encoded(&value);
        let read: serde_json::Value = decoded(&bytes).unwrap();
        prop_assert_eq!(encoded(&read), bytes);
        prop_assert_eq!(read, value);
    }

    #[test]
    fn a_whole_value_has_no_beginning_that_is_one_too(record in record()) {
        let bytes = encoded(&record);
        for len in 0..bytes.len() {
            prop_assert!(decoded::<Record>(&bytes[..len]).is_err());
        }
        prop_assert!(decoded::<Record>(&[bytes, vec![0]].concat()).is_err());
    }

    #[test]
    fn damaged_bytes_never_panic(record in record(), at in any::<prop::sample::Index>(), bit in 0..8_u32) {
        let mut bytes = encoded(&record);
        let at = at.index(bytes.len());
        bytes[at] ^= 1_u8 << bit;
        read_as_anything(&bytes);
        read_as_anything(&bytes[at..]);
    }

    #[test]
    fn damaged_bytes_of_any_value_never_panic(
        value in model(),
        at in any::<prop::sample::Index>(),
        bit in 0..8_u32,
    ) {
        let mut bytes = encoded(&value);
        let at = at.index(bytes.len());
        read_as_anything(&bytes);
        read_as_anything(&bytes[..at]);
        bytes[at] ^= 1_u8 << bit;
        read_as_anything(&bytes);
    }

    #[test]
    fn any_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        read_as_anything(&bytes);
    }
}

#[test]
fn a_length_that_is_a_lie_is_not_believed() {
    // Two to the power of 62 elements of each kind, and nothing of them.
    for start in [
        &[0x40][..],
        &[0x41, 0x21],
        &[0x50],
        &[0x60],
        &[0x30],
        &[0x31],
        &[0x70],
    ] {
        let mut bytes = start.to_vec();
        bytes.extend([0x80; 8]);
        bytes.push(0x40);
        read_as_anything(&bytes);
        assert!(decoded::<serde_json::Value>(&bytes).is_err());
    }
}

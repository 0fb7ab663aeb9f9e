//! A type whose layout has changed reads nothing that was stored before, rather than a wrong value.

use std::collections::HashMap;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::value::Codec;

/// What one type has stored is a miss for another.
#[track_caller]
fn check_miss<A, B>(value: &A)
where
    A: Serialize + DeserializeOwned + 'static,
    B: Serialize + DeserializeOwned + 'static,
{
    let encoded = Codec::<A>::serde().encode(value).unwrap();
    let same = Codec::<A>::serde().decode(&encoded.stored, &encoded.bytes);
    assert!(same.is_ok());
    let read = Codec::<B>::serde().decode(&encoded.stored, &encoded.bytes);
    assert!(read.is_err(), "another layout was read");
}

macro_rules! layouts {
    ($($name:ident { $($field:tt)* })+) => {$(
        #[derive(Debug, Default, Serialize, Deserialize)]
        struct $name { $($field)* }
    )+};
}

layouts! {
    Split { train: u32, test: u32 }
    Swapped { test: u32, train: u32 }
    Wider { train: u64, test: u64 }
    Signed { train: i32, test: i32 }
    Renamed { fit: u32, test: u32 }
    More { train: u32, test: u32, #[serde(default)] valid: u32 }
    Fewer { train: u32 }
    Skipping { train: u32, #[serde(default, skip_serializing_if = "is_zero")] test: u32 }
    SkippingOther { #[serde(default, skip_serializing_if = "is_zero")] train: u32, test: u32 }
}

fn is_zero(number: &u32) -> bool {
    *number == 0
}

const SPLIT: Split = Split { train: 8, test: 2 };

#[test]
fn swapped_fields_are_a_miss() {
    check_miss::<Split, Swapped>(&SPLIT);
    check_miss::<Vec<Split>, Vec<Swapped>>(&vec![SPLIT, SPLIT]);
    check_miss::<Option<Split>, Option<Swapped>>(&Some(SPLIT));
    check_miss::<HashMap<String, Split>, HashMap<String, Swapped>>(&HashMap::from([(
        "a".to_owned(),
        SPLIT,
    )]));
}

#[test]
fn numbers_of_another_width_or_sign_are_a_miss() {
    check_miss::<Split, Wider>(&SPLIT);
    check_miss::<Split, Signed>(&SPLIT);
    check_miss::<i32, u32>(&7);
    check_miss::<Vec<(u8, i32)>, Vec<(u8, u32)>>(&vec![(1, 7)]);
    check_miss::<Vec<i32>, Vec<u32>>(&vec![7]);
    check_miss::<f32, f64>(&1.5);
    check_miss::<Option<u8>, Option<u16>>(&Some(1));
}

#[test]
fn renamed_added_and_removed_fields_are_a_miss() {
    check_miss::<Split, Renamed>(&SPLIT);
    check_miss::<Split, More>(&SPLIT);
    check_miss::<Split, Fewer>(&SPLIT);
}

#[test]
fn a_field_that_another_type_skips_is_a_miss_only_where_the_types_differ() {
    let skipping = Skipping { train: 8, test: 0 };
    check_miss::<Skipping, SkippingOther>(&skipping);
    check_miss::<Skipping, Split>(&skipping);
    let other = SkippingOther { train: 0, test: 2 };
    check_miss::<SkippingOther, Skipping>(&other);
}

#[derive(Serialize, Deserialize)]
enum Model {
    Linear(u32),
    Forest(u32),
}

#[derive(Serialize, Deserialize)]
enum RenamedModel {
    Ridge(u32),
    Forest(u32),
}

#[derive(Serialize, Deserialize)]
enum OtherOrder {
    Forest(u32),
    Linear(u32),
}

#[derive(Serialize, Deserialize)]
enum OtherBody {
    Linear { depth: u32 },
    Forest(u32),
}

#[test]
fn changed_variants_are_a_miss() {
    for model in [Model::Linear(1), Model::Forest(1)] {
        check_miss::<Model, RenamedModel>(&model);
        check_miss::<Model, OtherOrder>(&model);
    }
    check_miss::<Model, OtherBody>(&Model::Linear(1));
}

#[test]
fn another_kind_of_container_is_a_miss() {
    check_miss::<(u8, u8), Vec<u8>>(&(1, 2));
    check_miss::<Vec<u64>, (u64, u64)>(&vec![1, 2]);
    check_miss::<String, Vec<u8>>(&"ab".to_owned());
    check_miss::<Vec<u8>, String>(&b"ab".to_vec());
    check_miss::<u32, Option<u32>>(&7);
    check_miss::<Option<u32>, u32>(&Some(7));
}

macro_rules! tagged {
    ($($name:ident { $($variant:tt)* })+) => {$(
        #[derive(Debug, Serialize, Deserialize)]
        #[serde(tag = "kind")]
        enum $name { $($variant)* }
    )+};
}

tagged! {
    Event { Start { at: u32 }, End { at: u32 } }
    LaterEvent { Start { at: u32, #[serde(default)] by: u32 }, End { at: u32 } }
    ShorterEvent { Start {}, End { at: u32 } }
    WiderEvent { Start { at: i64 }, End { at: i64 } }
}

#[derive(Debug, Serialize, Deserialize)]
struct Flat {
    id: u8,
    #[serde(flatten)]
    rest: Split,
}

#[derive(Debug, Serialize, Deserialize)]
struct FlatMore {
    id: u8,
    #[serde(flatten)]
    rest: More,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
enum Number {
    Small(u8),
    Large(u64),
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
enum OtherNumber {
    Large(u64),
    Small(u8),
}

#[test]
fn types_that_take_whatever_comes_are_compared_with_what_was_written() {
    for event in [Event::Start { at: 1 }, Event::End { at: 2 }] {
        check_miss::<Event, WiderEvent>(&event);
    }
    check_miss::<Event, LaterEvent>(&Event::Start { at: 1 });
    check_miss::<Event, ShorterEvent>(&Event::Start { at: 1 });
    let flat = Flat { id: 1, rest: SPLIT };
    check_miss::<Flat, FlatMore>(&flat);
    // Whatever was small comes back as large.
    check_miss::<Number, OtherNumber>(&Number::Small(7));
    check_miss::<Vec<Number>, Vec<OtherNumber>>(&vec![Number::Small(7), Number::Small(8)]);
    let in_map = HashMap::from([("a".to_owned(), Number::Small(7))]);
    check_miss::<HashMap<String, Number>, HashMap<String, OtherNumber>>(&in_map);
}

#[test]
fn a_type_that_does_not_read_what_it_writes_is_not_stored() {
    let encoded = Codec::serde().encode(&OtherNumber::Small(7));
    let error = anyhow::Error::from(encoded.unwrap_err());
    let text = format!("{error:#}");
    assert!(
        text.ends_with("it is not read as what was written"),
        "{text}"
    );
}

#[test]
fn an_enum_that_is_written_and_not_read_can_be_stored() {
    #[derive(Debug, PartialEq, Default, Serialize, Deserialize)]
    enum Mode {
        #[default]
        Fast,
        Slow {
            by: u8,
        },
        Both(u8, u8),
        One(u8),
    }

    #[derive(Debug, Serialize, Deserialize)]
    struct Job {
        #[serde(skip_deserializing)]
        mode: Mode,
        rows: u32,
    }

    let modes = [
        Mode::Fast,
        Mode::Slow { by: 2 },
        Mode::Both(1, 2),
        Mode::One(3),
    ];
    for mode in modes {
        let job = Job { mode, rows: 9 };
        let encoded = Codec::serde().encode(&job).unwrap();
        let read: Job = Codec::serde()
            .decode(&encoded.stored, &encoded.bytes)
            .unwrap();
        assert_eq!((read.mode, read.rows), (Mode::Fast, 9));
    }
}

//! Bytes written by hand from `docs/encoding.md`, and digests of them by Python's `blake3` 1.0.11.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Debug;
use std::sync::LazyLock;

use serde::{Deserialize, Serialize, Serializer};

use super::{decoded, encoded, hex};
use crate::DataFile;
use crate::value::{Codec, Digest, Files, StoredForm, TupleDecoder, TupleEncoder, TupleOutput};
use crate::value::{DecodeError, EncodeError};

/// A value is written as these bytes, and they are read as the value.
#[track_caller]
fn check<T>(value: T, bytes: &str)
where
    T: Serialize + for<'de> Deserialize<'de> + PartialEq + Debug,
{
    let bytes = hex(bytes);
    assert_eq!(encoded(&value), bytes, "{value:?}");
    assert_eq!(decoded::<T>(&bytes).unwrap(), value);
}

#[test]
fn integers_have_a_tag_and_as_many_bytes_as_they_are_wide() {
    check(7_u8, "10 07");
    check(0x0102_u16, "11 0201");
    check(1_u32, "12 01000000");
    check(u64::MAX, "13 ffffffffffffffff");
    check(1_u128 << 120, "14 00000000000000000000000000000001");
    check(-1_i8, "18 ff");
    check(-2_i16, "19 feff");
    check(i32::MIN, "1a 00000080");
    check(-1_i64, "1b ffffffffffffffff");
    check(-2_i128, "1c feffffffffffffffffffffffffffffff");
    check(5_usize, "13 0500000000000000");
    check(-5_isize, "1b fbffffffffffffff");
}

#[test]
fn floats_are_their_bits_and_all_nans_are_one() {
    check(1.5_f64, "21 000000000000f83f");
    check(-0.0_f64, "21 0000000000000080");
    check(f64::NEG_INFINITY, "21 000000000000f0ff");
    check(1.5_f32, "20 0000c03f");
    check(-0.0_f32, "20 00000080");
    let nan = hex("21 000000000000f87f");
    for bits in [0x7ff8_0000_0000_0000_u64, 0xfff8_0000_0000_0001, u64::MAX] {
        assert_eq!(encoded(&f64::from_bits(bits)), nan);
    }
    assert!(decoded::<f64>(&nan).unwrap().is_nan());
    assert_eq!(encoded(&f32::from_bits(0xffc0_0001)), hex("20 0000c07f"));
    // Comparing them would not tell: the sign of zero stays.
    assert!(
        decoded::<f64>(&encoded(&-0.0_f64))
            .unwrap()
            .is_sign_negative()
    );
}

#[test]
fn small_things_are_a_tag_and_little_else() {
    check((), "02");
    check(false, "03");
    check(true, "04");
    check('\u{1F980}', "22 80f90100");
    check("añb".to_owned(), "30 04 61c3b162");
    check(String::new(), "30 00");
    check(None::<u8>, "00");
    check(Some(3_u8), "01 10 03");
    check(Some(None::<u8>), "01 00");
}

#[test]
fn a_length_of_more_than_127_takes_two_bytes() {
    let text = "x".repeat(300);
    let mut bytes = hex("30 ac02");
    bytes.extend(text.as_bytes());
    assert_eq!(encoded(&text), bytes);
    assert_eq!(decoded::<String>(&bytes).unwrap(), text);
}

#[test]
fn bytes_that_a_type_serializes_as_such_have_a_tag_of_their_own() {
    struct Key([u8; 2]);

    impl Serialize for Key {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.serialize_bytes(&self.0)
        }
    }

    assert_eq!(encoded(&Key([0xab, 0xcd])), hex("31 02 abcd"));
    let digest = Digest::from_bytes([0xab; 32]);
    check(digest, &format!("31 20 {}", "ab".repeat(32)));
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Unit;

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Meters(u8);

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Pair(u8, bool);

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Sample {
    rows: u32,
    name: String,
    score: Option<f64>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Nested {
    a: Inner,
    b: Inner,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Inner {
    a: u8,
}

const SAMPLE: &str = "70 03 \
     00 04 726f7773 12 03000000 \
     00 04 6e616d65 30 02 6162 \
     00 05 73636f7265 01 21 000000000000f83f";

fn sample() -> Sample {
    Sample {
        rows: 3,
        name: "ab".to_owned(),
        score: Some(1.5),
    }
}

#[test]
fn structs_are_their_fields_by_name_without_a_name_of_their_own() {
    check(Unit, "02");
    check(Meters(9), "51 10 09");
    check(Pair(1, true), "50 02 10 01 04");
    check((1_u8, true), "50 02 10 01 04");
    check([1_u8, 2], "50 02 10 01 10 02");
    check(sample(), SAMPLE);
    #[derive(Serialize)]
    struct Renamed {
        rows: u32,
        name: &'static str,
        score: Option<f64>,
    }
    let renamed = Renamed {
        rows: 3,
        name: "ab",
        score: Some(1.5),
    };
    assert_eq!(encoded(&renamed), hex(SAMPLE));
}

#[test]
fn a_name_that_comes_up_again_is_its_place_among_the_names() {
    let nested = Nested {
        a: Inner { a: 1 },
        b: Inner { a: 2 },
    };
    check(
        nested,
        "70 02  00 01 61 70 01 01 10 01  00 01 62 70 01 01 10 02",
    );
}

#[test]
fn a_field_that_is_left_out_is_not_counted() {
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Sparse {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        a: Option<u8>,
        b: u8,
    }

    check(Sparse { a: None, b: 1 }, "70 01 00 01 62 10 01");
    check(
        Sparse { a: Some(2), b: 1 },
        "70 02 00 01 61 01 10 02 00 01 62 10 01",
    );
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
enum Shape {
    Empty,
    Dot(u8),
    Line(u8, u8),
    Box { w: u8 },
}

#[test]
fn variants_are_known_by_their_names() {
    check(Shape::Empty, "71 00 05 456d707479");
    check(Shape::Dot(1), "72 00 03 446f74 10 01");
    check(Shape::Line(1, 2), "73 00 04 4c696e65 02 10 01 10 02");
    check(Shape::Box { w: 3 }, "74 00 03 426f78 01 00 01 77 10 03");
    check(
        vec![Shape::Empty, Shape::Empty],
        "40 02 71 00 05 456d707479 71 01",
    );
    check(Ok::<u8, bool>(1), "72 00 02 4f6b 10 01");
}

#[test]
fn numbers_of_one_kind_are_packed() {
    check(vec![1_u16, 2, 3], "41 11 03 0100 0200 0300");
    check(vec![7_u8], "41 10 01 07");
    check(Vec::<u16>::new(), "40 00");
    check(vec![true, false], "40 02 04 03");
    check(vec![Some(1_u8)], "40 01 01 10 01");
    check(vec![vec![1_u8], vec![]], "40 02 41 10 01 01 40 00");
    check(vec![1_u128], "41 14 01 01000000000000000000000000000000");
}

/// A sequence of numbers of whatever kind, of which the type may not know the number beforehand.
struct Mixed(Vec<serde_json::Value>, Option<usize>);

impl Serialize for Mixed {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeSeq as _;

        let mut sequence = serializer.serialize_seq(self.1)?;
        for element in &self.0 {
            sequence.serialize_element(element)?;
        }
        sequence.end()
    }
}

#[test]
fn a_sequence_that_stops_being_of_one_kind_has_a_tag_for_each_element() {
    let numbers = serde_json::json!([1, 2, -1]).as_array().unwrap().clone();
    let bytes = hex("40 03 13 0100000000000000 13 0200000000000000 1b ffffffffffffffff");
    for promised in [Some(3), None, Some(1)] {
        assert_eq!(encoded(&Mixed(numbers.clone(), promised)), bytes);
    }
    let read: Vec<serde_json::Value> = decoded(&bytes).unwrap();
    assert_eq!(read, numbers);
    let packed = hex("41 13 02 0100000000000000 0200000000000000");
    for promised in [Some(2), None, Some(300)] {
        assert_eq!(encoded(&Mixed(numbers[..2].to_vec(), promised)), packed);
    }
}

#[test]
fn the_entries_of_a_map_are_sorted_and_have_names_of_their_own() {
    let expected = "60 02  04 30026161 02 1001  03 300162 02 1002";
    let map = HashMap::from([("b".to_owned(), 2_u8), ("aa".to_owned(), 1)]);
    // By their bytes: the length comes before the letters.
    let expected_sorted = "60 02  03 300162 02 1002  04 30026161 02 1001";
    assert_ne!(hex(expected), hex(expected_sorted));
    check(map, expected_sorted);
    let ordered = BTreeMap::from([("aa".to_owned(), 1_u8), ("b".to_owned(), 2)]);
    assert_eq!(encoded(&ordered), hex(expected_sorted));
    let map = BTreeMap::from([(1_u8, Inner { a: 5 }), (2, Inner { a: 6 })]);
    check(
        map,
        "60 02  02 1001 07 7001 000161 1005  02 1002 07 7001 000161 1006",
    );
}

#[test]
fn a_map_in_a_struct_leaves_the_names_of_the_struct_alone() {
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Table {
        a: BTreeMap<u8, Inner>,
        b: Inner,
    }

    let table = Table {
        a: BTreeMap::from([(1, Inner { a: 5 })]),
        b: Inner { a: 6 },
    };
    check(
        table,
        "70 02  00 01 61 60 01 02 1001 07 7001 000161 1005  00 01 62 70 01 01 10 06",
    );
}

#[test]
fn fields_and_variants_share_their_names() {
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    enum Choice {
        #[serde(rename = "a")]
        A { b: u8 },
    }
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Choices {
        a: Choice,
        b: Choice,
    }

    let choices = Choices {
        a: Choice::A { b: 1 },
        b: Choice::A { b: 2 },
    };
    // The name of a variant comes before those in it: `b` is the second one to come up.
    check(
        choices,
        "70 02  00 01 61 74 01 01 00 01 62 10 01  02 74 01 01 02 10 02",
    );
}

#[test]
fn what_is_empty_still_has_a_number() {
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Nothing {}

    check(Nothing {}, "70 00");
    check(HashMap::<String, u8>::new(), "60 00");
    check([0_u8; 0], "50 00");
    check(vec![(), ()], "40 02 02 02");
}

/// A struct of so many fields that places of names and their number take two bytes.
struct Wide(u8);

/// Their names: `f0` to `f149`.
static WIDE: LazyLock<Vec<&str>> = LazyLock::new(|| {
    let names = (0..150).map(|place| &*format!("f{place}").leak());
    names.collect()
});

impl Serialize for Wide {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeStruct as _;

        let mut fields = serializer.serialize_struct("Wide", WIDE.len())?;
        for name in WIDE.iter() {
            fields.serialize_field(name, &self.0)?;
        }
        fields.end()
    }
}

#[test]
fn a_struct_may_have_more_fields_than_one_byte_counts() {
    // 150 is `9601`.
    let mut bytes = hex("40 02 70 9601");
    for name in WIDE.iter() {
        bytes.extend([0, name.len() as u8]);
        bytes.extend(name.as_bytes());
        bytes.extend(hex("10 07"));
    }
    bytes.extend(hex("70 9601"));
    for place in 1..=150_u8 {
        match place {
            1..128 => bytes.push(place),
            _ => bytes.extend([place, 1]),
        }
        bytes.extend(hex("10 08"));
    }
    assert_eq!(encoded(&vec![Wide(7), Wide(8)]), bytes);
    let read: Vec<HashMap<String, u8>> = decoded(&bytes).unwrap();
    let all = |value: u8| HashMap::from_iter(WIDE.iter().map(|&name| (name.to_owned(), value)));
    assert_eq!(read, [all(7), all(8)]);
}

#[test]
fn a_file_is_its_content_its_path_or_both() {
    let folder = std::env::temp_dir().join(format!("orch-golden-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("f");
    std::fs::write(&path, "abc").unwrap();
    let text = path.to_str().unwrap();
    let named = [&[text.len() as u8], text.as_bytes()].concat();
    assert!(text.len() < 128, "the length is one byte here");
    let content = "6437b3ac38465133ffb63b75273a8db548c558465d79db03fd359c6cd5bd9d85";

    let file = DataFile::new(&path);
    let bytes = |files| crate::value::encode::encode(&file, files).unwrap().0;
    assert_eq!(bytes(Files::ByPath), [hex("53"), named.clone()].concat());
    assert_eq!(bytes(Files::ByContent), hex(&format!("54 20 {content}")));
    let whole = [hex("52"), hex(content), hex("30"), named].concat();
    assert_eq!(bytes(Files::Whole), whole);
    assert_eq!(decoded::<DataFile>(&whole).unwrap(), file);
    // Only a result is read back.
    for files in [Files::ByPath, Files::ByContent] {
        assert!(decoded::<DataFile>(&bytes(files)).is_err());
    }
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn values_may_be_nested_128_levels_deep() {
    fn nested(levels: usize) -> String {
        format!("{}7{}", "[".repeat(levels), "]".repeat(levels))
    }
    let value: serde_json::Value = serde_json::from_str(&nested(127)).unwrap();
    assert_eq!(
        decoded::<serde_json::Value>(&encoded(&value)).unwrap(),
        value
    );
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Chain(Option<Box<Chain>>);
    let chain =
        |links: usize| (0..links).fold(Chain(None), |inner, _| Chain(Some(Box::new(inner))));
    // Each link is a newtype and a `Some`; the last one is a newtype alone.
    let deepest = chain(63);
    assert_eq!(decoded::<Chain>(&encoded(&deepest)).unwrap(), deepest);
    let too_deep = crate::value::encode::encode(&chain(64), Files::Whole);
    assert!(matches!(too_deep, Err(EncodeError::TooDeep { limit: 128 })));
    let mut bytes = hex(&"5101".repeat(100));
    bytes.extend(hex("51 00"));
    assert!(matches!(
        decoded::<Chain>(&bytes),
        Err(DecodeError::Malformed { .. })
    ));
}

#[test]
fn no_number_has_two_ways_to_be_written() {
    for text in [
        "30 8000",
        "30 818000 61",
        "30 ffffffffffffffffff02",
        "30 80",
    ] {
        let read = decoded::<String>(&hex(text));
        assert!(matches!(read, Err(DecodeError::Malformed { .. })), "{text}");
    }
}

fn digest<T: 'static>(codec: Codec<T>, value: &T) -> String {
    codec.identify(value).unwrap().digest.to_string()
}

#[test]
fn a_digest_is_the_hash_of_version_format_and_payload() {
    // 01 01, then the bytes of the tests above.
    let serde = "c41c4a07ca43e9b783674c210ce52311f92c7bcd83b3df76b12f2ac8eb739f00";
    assert_eq!(digest(Codec::serde(), &7_u32), serde);
    let serde = "24a1897c99947494e2d0efe03ea10bb807bbfba9a8a0302e85c8b7536c837f2b";
    assert_eq!(digest(Codec::serde(), &sample()), serde);
    // 01 02 616263
    let bytes = "b105f7eb5ceb557033eca9b9833fed6492aa15a346228f8fa7c1f45317cda161";
    assert_eq!(digest(Codec::serde(), &b"abc".to_vec()), bytes);
    // 01 03 616263
    let text = "314b0f564f15b78141e461fb4e95f27b7ef721e4dd38da327f6da8e304104058";
    assert_eq!(digest(Codec::serde(), &"abc".to_owned()), text);
    // 01 04 21, then 1.5 and -0.0
    let floats = "108052c8d0292a9ee321a734efea3df33dc93bb4c6a2f729dff71e68208f19d1";
    assert_eq!(digest(Codec::serde(), &vec![1.5_f64, -0.0]), floats);
    // 01 04 11 0100 0200
    let shorts = "49fd766acae7422613c9a169f364606dd9ca2d43b9901c2fa9b128d7f5682124";
    assert_eq!(digest(Codec::serde(), &vec![1_u16, 2]), shorts);
}

#[test]
fn a_few_types_have_a_raw_form_and_no_others() {
    #[track_caller]
    fn check_raw<T>(value: T, format: u8, payload: &str)
    where
        T: Serialize + serde::de::DeserializeOwned + PartialEq + Debug + 'static,
    {
        let codec = Codec::serde();
        let encoded = codec.encode(&value).unwrap();
        assert_eq!(
            (encoded.stored.format, encoded.bytes),
            (format, hex(payload))
        );
    }

    check_raw(vec![1_u8, 2], 2, "0102");
    check_raw("ab".to_owned(), 3, "6162");
    check_raw(vec![1_u16], 4, "11 0100");
    check_raw(vec![1_u32], 4, "12 01000000");
    check_raw(vec![1_u64], 4, "13 0100000000000000");
    check_raw(vec![-1_i8], 4, "18 ff");
    check_raw(vec![-2_i16], 4, "19 feff");
    check_raw(vec![-1_i32], 4, "1a ffffffff");
    check_raw(vec![-1_i64], 4, "1b ffffffffffffffff");
    check_raw(vec![1.5_f32], 4, "20 0000c03f");
    check_raw(Vec::<f64>::new(), 4, "21");
    check_raw(vec![1_usize], 1, "41 13 01 0100000000000000");
    check_raw(vec![1_i128], 1, "41 1c 01 01000000000000000000000000000000");
    check_raw([1_u8, 2], 1, "50 02 1001 1002");
    check_raw(Box::new(vec![1_u8]), 1, "41 10 01 01");
    // Raw, a NaN is whatever it was.
    let encoded = Codec::serde().encode(&vec![f32::from_bits(0xffc0_0001)]);
    assert_eq!(encoded.unwrap().bytes, hex("20 0100c0ff"));
}

#[test]
fn the_name_of_an_own_form_is_hashed_and_not_stored() {
    struct Pixels(Vec<u8>);

    impl StoredForm for Pixels {
        const FORM: &'static str = "pixels 1";

        fn write(&self, out: &mut dyn std::io::Write) -> std::io::Result<()> {
            out.write_all(&self.0)
        }

        fn read(bytes: &[u8]) -> Result<Self, crate::BoxError> {
            Ok(Self(bytes.to_vec()))
        }
    }

    let pixels = Pixels(vec![1, 2, 3]);
    // 01 05, 0800000000000000, "pixels 1", 010203
    let expected = "cba3c41d315c44330d00590d17fbdd71754a1b4dd96224036e93fc0e51bb1a0b";
    assert_eq!(digest(Codec::own(), &pixels), expected);
    assert_eq!(Codec::own().encode(&pixels).unwrap().bytes, [1, 2, 3]);
}

#[test]
fn a_tuple_is_stored_element_by_element_and_identified_by_their_digests() {
    struct Both;

    impl TupleOutput for Both {
        type Tuple = (String, u32);

        fn encode(value: &Self::Tuple, to: &mut TupleEncoder) -> Result<(), EncodeError> {
            to.element(Some(Codec::serde()), &value.0)?;
            to.element(Some(Codec::serde()), &value.1)
        }

        fn decode(from: &mut TupleDecoder<'_>) -> Result<Self::Tuple, DecodeError> {
            Ok((
                from.element(Some(Codec::serde()))?,
                from.element(Some(Codec::serde()))?,
            ))
        }
    }

    let codec = Codec::tuple::<Both>();
    let both = ("abc".to_owned(), 7);
    // 01 06, then the digests of the text `abc` and of 7_u32
    let expected = "ce2958137d824836f393a0283475220833a3b873ce7abdaf3d1a21d7a904094a";
    assert_eq!(digest(codec, &both), expected);
    let encoded = codec.encode(&both).unwrap();
    let (text, number) = encoded.bytes.split_at(1 + 16 + 8 + 3);
    assert_eq!(
        text,
        hex(&format!("03 {} 0300000000000000 616263", "00".repeat(16)))
    );
    assert_eq!(number[0], 1);
    assert_eq!(number[17..], hex("0500000000000000 12 07000000"));
    assert_eq!(codec.decode(&encoded.stored, &encoded.bytes).unwrap(), both);
}

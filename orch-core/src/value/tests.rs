//! The encoding against `docs/encoding.md`: bytes written by hand, digests computed elsewhere, a
//! second implementation, damaged input, changed types.

mod golden;
mod layout;
mod model;
mod properties;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::file::Files;
use super::{DecodeError, decode, encode};

/// Bytes from their hexadecimal digits; spaces part them for the reader.
fn hex(digits: &str) -> Vec<u8> {
    let digits: Vec<u32> = digits
        .chars()
        .filter(|digit| !digit.is_whitespace())
        .map(|digit| digit.to_digit(16).expect("hexadecimal digits"))
        .collect();
    digits
        .chunks(2)
        .map(|pair| (pair[0] << 4 | pair[1]) as u8)
        .collect()
}

fn encoded<T: Serialize + ?Sized>(value: &T) -> Vec<u8> {
    let (bytes, files) = encode::encode(value, Files::Whole).unwrap();
    assert!(files.is_empty());
    bytes
}

fn decoded<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, DecodeError> {
    decode::decode(bytes).map(|(value, _)| value)
}

//! The structure that a type asks for while one of its values is decoded.
//!
//! Two types of another layout may read the same bytes in silence: with two fields of one type
//! swapped, or a number of another width. The shape tells them apart. It is recorded when a value is
//! written, by reading it back, and compared whenever it is read.

/// A hash over what was asked for. Not for adversaries: whoever can write to the store can write
/// what they like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Shape(u128);

/// What a type asked for at one place, or what was found there.
#[derive(Debug, Clone, Copy)]
#[repr(u8)]
pub(super) enum Ask {
    Any = 1,
    Bool,
    I8,
    I16,
    I32,
    I64,
    I128,
    U8,
    U16,
    U32,
    U64,
    U128,
    F32,
    F64,
    Char,
    Str,
    Bytes,
    Option,
    Some,
    Unit,
    Newtype,
    Seq,
    Tuple,
    Map,
    Struct,
    Enum,
    Variant,
    Ignored,
    File,
}

const MULTIPLIER: u128 = 0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835;

impl Shape {
    pub(super) const fn start() -> Self {
        Self(0x6f72_6368_5f73_6861_7065_5f76_3031_0000)
    }

    pub(super) const fn mix(self, value: u128) -> Self {
        let mixed = (self.0 ^ value).wrapping_mul(MULTIPLIER);
        Self(mixed ^ (mixed >> 67))
    }

    pub(super) const fn ask(self, ask: Ask) -> Self {
        self.mix(ask as u128)
    }

    pub(super) const fn then(self, inner: Self) -> Self {
        self.mix(inner.0)
    }

    pub(super) fn text(self, text: &str) -> Self {
        let mut shape = self.mix(text.len() as u128);
        for chunk in text.as_bytes().chunks(16) {
            let mut word = [0; 16];
            word[..chunk.len()].copy_from_slice(chunk);
            shape = shape.mix(u128::from_le_bytes(word));
        }
        shape
    }

    pub(super) fn texts(self, texts: &[&str]) -> Self {
        texts
            .iter()
            .fold(self.mix(texts.len() as u128), |shape, text| {
                shape.text(text)
            })
    }

    pub(super) const fn to_bytes(self) -> [u8; 16] {
        self.0.to_le_bytes()
    }
}

/// The shapes of the elements of a sequence or the entries of a map: each kind counts once, so that
/// neither their number nor their order matters.
#[derive(Debug, Default)]
pub(super) struct Shapes {
    last: Option<Shape>,
    all: Vec<Shape>,
}

impl Shapes {
    pub(super) fn add(&mut self, shape: Shape) {
        if self.last == Some(shape) {
            return;
        }
        self.last = Some(shape);
        if let Err(place) = self.all.binary_search(&shape) {
            self.all.insert(place, shape);
        }
    }

    pub(super) fn into_shape(self, start: Shape) -> Shape {
        self.all.into_iter().fold(start, Shape::then)
    }
}

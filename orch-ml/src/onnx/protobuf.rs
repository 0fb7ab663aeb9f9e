//! As much of the protocol buffers' wire format as an ONNX file needs.
//!
//! # Source
//! <https://protobuf.dev/programming-guides/encoding/>: a field is its number and wire type, then a
//! varint, or a length and as many bytes.

const VARINT: u64 = 0;
const LENGTH: u64 = 2;

/// A message, field after field.
#[derive(Debug, Clone, Default)]
pub(super) struct Message(Vec<u8>);

impl Message {
    pub(super) fn new() -> Self {
        Self::default()
    }

    pub(super) fn int(mut self, field: u64, value: i64) -> Self {
        self.tag(field, VARINT);
        // Two's complement; ten bytes for what is below 0.
        self.varint(value as u64);
        self
    }

    pub(super) fn text(self, field: u64, text: &str) -> Self {
        self.bytes(field, text.as_bytes())
    }

    pub(super) fn message(self, field: u64, message: &Message) -> Self {
        self.bytes(field, &message.0)
    }

    pub(super) fn messages<'a>(
        self,
        field: u64,
        messages: impl IntoIterator<Item = &'a Message>,
    ) -> Self {
        let messages = messages.into_iter();
        messages.fold(self, |all, message| all.message(field, message))
    }

    /// A list of numbers, packed.
    pub(super) fn floats(self, field: u64, values: &[f32]) -> Self {
        let bytes: Vec<u8> = values
            .iter()
            .flat_map(|value| value.to_le_bytes())
            .collect();
        self.bytes(field, &bytes)
    }

    /// A list of whole numbers, packed.
    pub(super) fn ints(self, field: u64, values: &[i64]) -> Self {
        let mut packed = Message::new();
        values.iter().for_each(|value| packed.varint(*value as u64));
        self.message(field, &packed)
    }

    fn bytes(mut self, field: u64, bytes: &[u8]) -> Self {
        self.tag(field, LENGTH);
        self.varint(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
        self
    }

    fn tag(&mut self, field: u64, wire_type: u64) {
        self.varint(field << 3 | wire_type);
    }

    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The examples of the page named above.
    #[test]
    fn fields_are_written_as_the_encoding_guide_shows() {
        let bytes = |message: Message| message.into_bytes();
        let number = || Message::new().int(1, 150);
        assert_eq!(bytes(number()), [0x08, 0x96, 0x01]);
        let text = Message::new().text(2, "testing");
        assert_eq!(bytes(text), b"\x12\x07testing");
        let inner = Message::new().message(3, &number());
        assert_eq!(bytes(inner), [0x1a, 0x03, 0x08, 0x96, 0x01]);
        let packed = Message::new().ints(6, &[3, 270, 86942]);
        assert_eq!(bytes(packed), [0x32, 6, 0x03, 0x8e, 0x02, 0x9e, 0xa7, 0x05]);
        let below_0 = Message::new().int(1, -2);
        let ten = [0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01];
        assert_eq!(bytes(below_0), [&[0x08][..], &ten].concat());
        let floats = Message::new().floats(4, &[1.0]);
        assert_eq!(bytes(floats), [0x22, 4, 0, 0, 0x80, 0x3f]);
    }
}

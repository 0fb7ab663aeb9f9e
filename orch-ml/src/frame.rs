//! What tables and datasets are stored as: numbers, texts and raw columns, one after the other.
//!
//! All numbers are little-endian. A text is its length in bytes and its UTF-8. A list has no length
//! of its own: what comes before it says how many there are.

use std::io::{self, Write};

/// Bytes that are no frame of the expected kind.
#[derive(Debug, thiserror::Error)]
#[error("byte {at} of a stored value is not what a {what} has there")]
pub(crate) struct UnreadableFrame {
    /// What was to be read.
    what: &'static str,
    /// Where.
    at: usize,
}

/// How many bytes are put together before they are written.
const CHUNK: usize = 64 * 1024;

/// Writes a frame.
pub(crate) struct FrameWriter<'a>(pub(crate) &'a mut dyn Write);

impl FrameWriter<'_> {
    pub(crate) fn byte(&mut self, byte: u8) -> io::Result<()> {
        self.0.write_all(&[byte])
    }

    pub(crate) fn count(&mut self, count: usize) -> io::Result<()> {
        self.0.write_all(&(count as u64).to_le_bytes())
    }

    pub(crate) fn text(&mut self, text: &str) -> io::Result<()> {
        self.count(text.len())?;
        self.0.write_all(text.as_bytes())
    }

    pub(crate) fn texts<T: AsRef<str>>(&mut self, texts: &[T]) -> io::Result<()> {
        texts.iter().try_for_each(|text| self.text(text.as_ref()))
    }

    /// Floats by their bits, and one NaN for all: which one comes out differs between machines.
    pub(crate) fn floats<'f>(&mut self, values: impl Iterator<Item = &'f f64>) -> io::Result<()> {
        self.list(values.map(|value| {
            let value = if value.is_nan() { f64::NAN } else { *value };
            value.to_bits().to_le_bytes()
        }))
    }

    pub(crate) fn codes(&mut self, codes: impl Iterator<Item = u32>) -> io::Result<()> {
        self.list(codes.map(u32::to_le_bytes))
    }

    pub(crate) fn list<const N: usize>(
        &mut self,
        values: impl Iterator<Item = [u8; N]>,
    ) -> io::Result<()> {
        let mut chunk = Vec::with_capacity(CHUNK);
        for value in values {
            chunk.extend_from_slice(&value);
            if chunk.len() + N > CHUNK {
                self.0.write_all(&chunk)?;
                chunk.clear();
            }
        }
        self.0.write_all(&chunk)
    }
}

/// Reads a frame.
pub(crate) struct FrameReader<'a> {
    what: &'static str,
    bytes: &'a [u8],
    at: usize,
}

type Read<T> = Result<T, UnreadableFrame>;

impl<'a> FrameReader<'a> {
    pub(crate) fn new(what: &'static str, bytes: &'a [u8]) -> Self {
        Self { what, bytes, at: 0 }
    }

    /// The error that says that the bytes read last are wrong.
    pub(crate) fn unreadable(&self) -> UnreadableFrame {
        UnreadableFrame {
            what: self.what,
            at: self.at,
        }
    }

    fn take(&mut self, len: Option<usize>) -> Read<&'a [u8]> {
        let rest = &self.bytes[self.at..];
        let taken = len.and_then(|len| rest.get(..len));
        let taken = taken.ok_or_else(|| self.unreadable())?;
        self.at += taken.len();
        Ok(taken)
    }

    pub(crate) fn byte(&mut self) -> Read<u8> {
        Ok(self.take(Some(1))?[0])
    }

    pub(crate) fn count(&mut self) -> Read<usize> {
        let [count] = self.list(1, u64::from_le_bytes)?[..] else {
            return Err(self.unreadable());
        };
        usize::try_from(count).map_err(|_| self.unreadable())
    }

    pub(crate) fn text(&mut self) -> Read<String> {
        let len = self.count()?;
        let bytes = self.take(Some(len))?;
        let text = std::str::from_utf8(bytes).map_err(|_| self.unreadable())?;
        Ok(text.to_owned())
    }

    pub(crate) fn texts(&mut self, count: usize) -> Read<Vec<String>> {
        // No room is set aside for what may not follow.
        (0..count).map(|_| self.text()).collect()
    }

    pub(crate) fn floats(&mut self, count: usize) -> Read<Vec<f64>> {
        self.list(count, f64::from_le_bytes)
    }

    pub(crate) fn codes(&mut self, count: usize) -> Read<Vec<u32>> {
        self.list(count, u32::from_le_bytes)
    }

    pub(crate) fn list<T, const N: usize>(
        &mut self,
        count: usize,
        read: fn([u8; N]) -> T,
    ) -> Read<Vec<T>> {
        let bytes = self.take(count.checked_mul(N))?;
        let (values, _) = bytes.as_chunks::<N>();
        Ok(values.iter().map(|value| read(*value)).collect())
    }

    /// What was not read.
    pub(crate) fn rest(self) -> &'a [u8] {
        &self.bytes[self.at..]
    }

    /// Makes sure that nothing follows.
    pub(crate) fn finish(self) -> Read<()> {
        if self.at == self.bytes.len() {
            Ok(())
        } else {
            Err(self.unreadable())
        }
    }
}

//! Encoded values for people: short texts, and whether two sequences differ only in their order.
//!
//! It reads bytes that this process has just written, and answers `None` for those it cannot read:
//! nothing depends on it but messages.

use std::fmt::Write as _;

use super::codec::Stored;
use super::digest::{self, Digest};
use super::file::SeenFile;
use super::{MAX_DEPTH, raw, tag, tuple};

/// An argument in its encoding, kept until somebody wants to see it.
#[derive(Debug, Clone)]
pub(crate) struct Encoding {
    /// The format's tag.
    pub(super) format: u8,
    pub(super) bytes: Vec<u8>,
}

/// Longer encodings are described by nothing: writing them out would cost more than it tells.
pub(super) const MAX_LEN: usize = 16 * 1024;

/// What a value looks like.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Described {
    /// The value, as it could be written in a program; of any length.
    pub(crate) text: Option<String>,
    /// For a sequence: a digest that does not depend on the order of its elements.
    pub(crate) unordered: Option<Digest>,
}

/// A file that a stored value names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StoredFile {
    /// Where it was.
    pub(crate) path: String,
    /// The hash of what it held.
    pub(crate) content: Digest,
}

/// Returns the files that a stored value names, as they were when it was stored; those that can be
/// found in bytes that are here.
pub(crate) fn files_in(stored: &Stored, bytes: &[u8]) -> Vec<StoredFile> {
    let mut files = Vec::new();
    let mut look = |format: u8, bytes: &[u8]| {
        if format == raw::CANONICAL {
            let mut reader = Reader::of(bytes, &[]);
            // What was found before the first thing that cannot be read was found.
            let _ = reader.item();
            files.append(&mut reader.stored_files);
        }
    };
    match tuple::elements(stored, bytes) {
        Some(elements) if stored.format == raw::TUPLE => {
            elements
                .iter()
                .for_each(|(part, bytes)| look(part.format, bytes));
        }
        _ => look(stored.format, bytes),
    }
    files
}

/// Returns the digest of an argument that is a file, for which what it holds counts.
pub(crate) fn digest_of_content(content: &Digest) -> Digest {
    let mut hasher = digest::hasher(raw::CANONICAL);
    let len = content.as_bytes().len() as u8;
    hasher.update(&[tag::FILE_CONTENT, len]);
    hasher.update(content.as_bytes());
    digest::finish(&hasher)
}

impl Encoding {
    /// Describes the value. `files` are those in it, in the order in which they occur.
    pub(crate) fn describe(&self, files: &[SeenFile]) -> Described {
        let mut reader = Reader::of(&self.bytes, files);
        let described = match self.format {
            raw::TEXT => std::str::from_utf8(&self.bytes).ok().map(|text| Described {
                text: Some(format!("{text:?}")),
                unordered: None,
            }),
            raw::BYTES => Some(Described {
                text: Some(format!("{} bytes", self.bytes.len())),
                unordered: None,
            }),
            raw::NUMBERS => reader.packed(None).map(Described::sequence),
            raw::CANONICAL => reader.top(),
            _ => None,
        };
        described.unwrap_or_default()
    }
}

impl Described {
    fn sequence(mut elements: Vec<String>) -> Self {
        let text = format!("[{}]", elements.join(", "));
        elements.sort_unstable();
        let mut hasher = digest::hasher(raw::CANONICAL);
        for element in &elements {
            hasher.update(&(element.len() as u64).to_le_bytes());
            hasher.update(element.as_bytes());
        }
        Self {
            text: Some(text),
            unordered: Some(digest::finish(&hasher)),
        }
    }
}

/// Reads one encoding context.
struct Reader<'a> {
    input: &'a [u8],
    names: Vec<&'a str>,
    files: std::slice::Iter<'a, SeenFile>,
    /// The files that were stored with what they held.
    stored_files: Vec<StoredFile>,
    depth: u32,
}

impl<'a> Reader<'a> {
    fn of(input: &'a [u8], files: &'a [SeenFile]) -> Self {
        Self {
            input,
            names: Vec::new(),
            files: files.iter(),
            stored_files: Vec::new(),
            depth: 0,
        }
    }

    fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.input.split_at_checked(len)?;
        self.input = rest;
        Some(taken)
    }

    fn byte(&mut self) -> Option<u8> {
        self.take(1).map(|bytes| bytes[0])
    }

    fn varint(&mut self) -> Option<usize> {
        let mut number = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return usize::try_from(number).ok();
            }
        }
        None
    }

    /// A number of things that take a byte each at least.
    fn count(&mut self) -> Option<usize> {
        self.varint().filter(|count| *count <= self.input.len())
    }

    fn bytes(&mut self) -> Option<&'a [u8]> {
        let len = self.count()?;
        self.take(len)
    }

    fn text(&mut self) -> Option<&'a str> {
        std::str::from_utf8(self.bytes()?).ok()
    }

    fn name(&mut self) -> Option<&'a str> {
        match self.varint()? {
            0 => {
                let name = self.text()?;
                self.names.push(name);
                Some(name)
            }
            place => self.names.get(place - 1).copied(),
        }
    }

    /// A whole value: one that is a sequence is looked at element by element.
    fn top(&mut self) -> Option<Described> {
        match *self.input.first()? {
            tag::SEQ => {
                self.byte()?;
                let count = self.count()?;
                self.items(count).map(Described::sequence)
            }
            tag::PACKED => {
                self.byte()?;
                let kind = self.byte()?;
                self.packed(Some(kind)).map(Described::sequence)
            }
            _ => Some(Described {
                text: Some(self.item()?),
                unordered: None,
            }),
        }
    }

    /// Numbers without tags: so many as follow, after their kind, or as many as there are.
    fn packed(&mut self, kind: Option<u8>) -> Option<Vec<String>> {
        let (kind, count) = match kind {
            Some(kind) => (kind, Some(self.varint()?)),
            None => (self.byte()?, None),
        };
        let width = tag::packed_width(kind)?;
        let len = count.map_or(Some(self.input.len()), |count| count.checked_mul(width))?;
        let numbers = self.take(len)?.chunks_exact(width);
        numbers.map(|number| show_number(kind, number)).collect()
    }

    fn items(&mut self, count: usize) -> Option<Vec<String>> {
        (0..count).map(|_| self.item()).collect()
    }

    fn fields(&mut self) -> Option<String> {
        let count = self.count()?;
        let mut text = String::new();
        for i in 0..count {
            let separator = if i == 0 { "" } else { ", " };
            let (name, value) = (self.name()?, self.item()?);
            write!(text, "{separator}{name}: {value}").ok()?;
        }
        Some(text)
    }

    /// Something with names of its own.
    fn isolated(&mut self) -> Option<String> {
        let bytes = self.bytes()?;
        let mut inner = Reader {
            input: bytes,
            names: Vec::new(),
            files: self.files.clone(),
            stored_files: Vec::new(),
            depth: self.depth,
        };
        let text = inner.item();
        self.files = inner.files;
        self.stored_files.append(&mut inner.stored_files);
        text
    }

    fn item(&mut self) -> Option<String> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return None;
        }
        let text = self.tagged();
        self.depth -= 1;
        text
    }

    fn tagged(&mut self) -> Option<String> {
        Some(match self.byte()? {
            tag::NONE => "None".to_owned(),
            tag::SOME => format!("Some({})", self.item()?),
            tag::UNIT => "()".to_owned(),
            tag::FALSE => "false".to_owned(),
            tag::TRUE => "true".to_owned(),
            tag::STR => format!("{:?}", self.text()?),
            tag::BYTES => format!("{} bytes", self.bytes()?.len()),
            tag::CHAR => {
                let code = u32::from_le_bytes(self.take(4)?.try_into().ok()?);
                format!("{:?}", char::from_u32(code)?)
            }
            tag::SEQ => {
                let count = self.count()?;
                format!("[{}]", self.items(count)?.join(", "))
            }
            tag::PACKED => {
                let kind = self.byte()?;
                format!("[{}]", self.packed(Some(kind))?.join(", "))
            }
            tag::TUPLE => {
                let count = self.count()?;
                format!("({})", self.items(count)?.join(", "))
            }
            tag::NEWTYPE => self.item()?,
            tag::FILE => {
                let content = Digest::from_bytes(self.take(32)?.try_into().ok()?);
                if self.byte()? != tag::STR {
                    return None;
                }
                let path = self.text()?.to_owned();
                let text = format!("{path} (content {})", content.short());
                self.stored_files.push(StoredFile { path, content });
                text
            }
            tag::FILE_CONTENT => {
                let content = Digest::from_bytes(self.bytes()?.try_into().ok()?);
                let path = self.files.next().map(SeenFile::path);
                let path = path.map_or_else(String::new, |path| format!("{} ", path.display()));
                format!("{path}(content {})", content.short())
            }
            tag::FILE_PATH => {
                self.files.next();
                self.text()?.to_owned()
            }
            tag::MAP => {
                let count = self.count()?;
                let mut entries = Vec::with_capacity(count);
                for _ in 0..count {
                    entries.push(format!("{}: {}", self.isolated()?, self.isolated()?));
                }
                format!("{{{}}}", entries.join(", "))
            }
            tag::STRUCT => format!("{{ {} }}", self.fields()?),
            tag::UNIT_VARIANT => self.name()?.to_owned(),
            tag::NEWTYPE_VARIANT => {
                let name = self.name()?;
                format!("{name}({})", self.item()?)
            }
            tag::TUPLE_VARIANT => {
                let name = self.name()?;
                let count = self.count()?;
                format!("{name}({})", self.items(count)?.join(", "))
            }
            tag::STRUCT_VARIANT => {
                let name = self.name()?;
                format!("{name} {{ {} }}", self.fields()?)
            }
            number => {
                let width = tag::packed_width(number)?;
                show_number(number, self.take(width)?)?
            }
        })
    }
}

fn show_number(kind: u8, bytes: &[u8]) -> Option<String> {
    macro_rules! show {
        ($number:ty) => {
            format!("{:?}", <$number>::from_le_bytes(bytes.try_into().ok()?))
        };
    }
    Some(match kind {
        tag::U8 => show!(u8),
        tag::U16 => show!(u16),
        tag::U32 => show!(u32),
        tag::U64 => show!(u64),
        tag::U128 => show!(u128),
        tag::I8 => show!(i8),
        tag::I16 => show!(i16),
        tag::I32 => show!(i32),
        tag::I64 => show!(i64),
        tag::I128 => show!(i128),
        tag::F32 => show!(f32),
        tag::F64 => show!(f64),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::Serialize;

    use super::super::{Codec, Files, digest_with_files};
    use super::*;
    use crate::data_file::DataFile;

    fn described<T: Serialize + 'static>(value: &T) -> Described {
        let (_, files, encoding) = digest_with_files(value, Files::ByContent).unwrap();
        encoding.unwrap().describe(&files)
    }

    #[derive(Serialize)]
    struct Options {
        rate: f64,
        name: Option<&'static str>,
        method: Method,
    }

    #[derive(Serialize)]
    enum Method {
        Plain,
        Momentum { beta: f32 },
        Pair(u8, i64),
        Only(bool),
    }

    #[test]
    fn a_value_looks_as_it_is_written_in_a_program() {
        let options = |method| Options {
            rate: 0.1,
            name: Some("a\"b"),
            method,
        };
        for (expected, found) in [
            ("7", described(&7u64)),
            ("-0.0", described(&-0.0f64)),
            ("true", described(&true)),
            ("'x'", described(&'x')),
            ("\"a b\"", described(&"a b".to_owned())),
            ("None", described(&None::<u8>)),
            ("(1, \"x\")", described(&(1u8, "x"))),
            ("3 bytes", described(&vec![1u8, 2, 3])),
            ("[1, 2]", described(&vec![1u16, 2])),
            ("[0.5]", described(&vec![0.5f64])),
            ("[Some(1), None]", described(&vec![Some(1u8), None])),
            (
                "{ rate: 0.1, name: Some(\"a\\\"b\"), method: Plain }",
                described(&options(Method::Plain)),
            ),
            (
                "{ rate: 0.1, name: Some(\"a\\\"b\"), method: Momentum { beta: 0.5 } }",
                described(&options(Method::Momentum { beta: 0.5 })),
            ),
            ("Pair(1, -2)", described(&Method::Pair(1, -2))),
            ("Only(false)", described(&Method::Only(false))),
            (
                "{\"a\": [1], \"b\": []}",
                described(&BTreeMap::from([("a", vec![1u8]), ("b", vec![])])),
            ),
        ] {
            assert_eq!(found.text.as_deref(), Some(expected));
        }
    }

    #[test]
    fn only_the_order_of_elements_is_left_out() {
        #[derive(Serialize)]
        struct Named {
            name: &'static str,
            n: u8,
        }
        let named = |name, n| Named { name, n };
        let unordered = |described: Described| described.unordered.unwrap();
        assert_eq!(
            unordered(described(&vec![named("a", 1), named("b", 2)])),
            unordered(described(&vec![named("b", 2), named("a", 1)]))
        );
        assert_ne!(
            unordered(described(&vec![named("a", 1), named("b", 2)])),
            unordered(described(&vec![named("a", 2), named("b", 1)]))
        );
        assert_eq!(
            unordered(described(&vec![2u64, 1])),
            unordered(described(&vec![1u64, 2]))
        );
        assert_ne!(
            unordered(described(&vec![1u64, 1, 2])),
            unordered(described(&vec![1u64, 2, 2]))
        );
        assert_eq!(described(&(1u8, 2u8)).unordered, None);
    }

    #[test]
    fn files_are_found_in_what_was_stored() {
        let folder = std::env::temp_dir().join(format!("orch-files-in-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let file = |name: &str| {
            let path = folder.join(name);
            std::fs::write(&path, name).unwrap();
            DataFile::new(path)
        };
        let (one, two) = (file("one"), file("two"));
        let found = |file: &DataFile, name: &str| StoredFile {
            path: file.path().display().to_string(),
            content: Digest::from_bytes(*blake3::hash(name.as_bytes()).as_bytes()),
        };
        fn files_of<T>(value: &T) -> Vec<StoredFile>
        where
            T: Serialize + serde::de::DeserializeOwned + 'static,
        {
            let encoded = Codec::serde().encode(value).unwrap();
            files_in(&encoded.stored, &encoded.bytes)
        }
        assert_eq!(files_of(&one), [found(&one, "one")]);
        let by_name = BTreeMap::from([("a".to_owned(), Some(two.clone())), ("b".to_owned(), None)]);
        let both = (7u64, vec![one.clone()], by_name);
        assert_eq!(files_of(&both), [found(&one, "one"), found(&two, "two")]);
        assert_eq!(files_of(&"text".to_owned()), []);
        let (as_argument, ..) = digest_with_files(&one, Files::ByContent).unwrap();
        assert_eq!(digest_of_content(&found(&one, "one").content), as_argument);
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn bytes_that_are_no_encoding_are_described_by_nothing() {
        for bytes in [&[][..], &[0xff], &[tag::SEQ, 9], &[tag::STR, 200, 1, 65]] {
            let encoding = Encoding {
                format: raw::CANONICAL,
                bytes: bytes.to_vec(),
            };
            assert_eq!(encoding.describe(&[]), Described::default());
        }
    }
}

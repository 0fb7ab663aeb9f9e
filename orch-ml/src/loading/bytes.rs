//! The bytes of a file, read on several threads, and where its lines are.

use std::borrow::Cow;
use std::fs::{File, Metadata};
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use rayon::prelude::*;

use crate::error::MlError;

/// Bytes read and looked through in one go: few enough to be still in the cache for the second.
const PIECE: usize = 1 << 20;

/// The bytes of a file, with the line ends counted per [`PIECE`].
pub(super) struct Scanned<'a> {
    bytes: Cow<'a, [u8]>,
    /// Line feeds before each piece.
    newlines_before: Vec<usize>,
    /// Whether there is any `"`.
    pub(super) has_quotes: bool,
    /// Whether there is a carriage return that no line feed follows.
    pub(super) has_lone_returns: bool,
}

#[derive(Clone, Copy, Default)]
struct Piece {
    newlines: usize,
    has_quotes: bool,
    has_returns: bool,
}

impl Piece {
    fn of(bytes: &[u8]) -> Self {
        Self {
            newlines: count_newlines(bytes),
            has_quotes: memchr::memchr(b'"', bytes).is_some(),
            has_returns: memchr::memchr(b'\r', bytes).is_some(),
        }
    }
}

pub(super) fn count_newlines(bytes: &[u8]) -> usize {
    memchr::memchr_iter(b'\n', bytes).count()
}

impl<'a> Scanned<'a> {
    fn new(bytes: Cow<'a, [u8]>, pieces: &[Piece]) -> Self {
        let mut newlines_before = Vec::with_capacity(pieces.len() + 1);
        let mut newlines = 0;
        for piece in pieces {
            newlines_before.push(newlines);
            newlines += piece.newlines;
        }
        newlines_before.push(newlines);
        let has_lone_returns = pieces.iter().any(|piece| piece.has_returns)
            && memchr::memchr_iter(b'\r', &bytes).any(|at| bytes.get(at + 1) != Some(&b'\n'));
        let has_quotes = pieces.iter().any(|piece| piece.has_quotes);
        Self {
            bytes,
            newlines_before,
            has_quotes,
            has_lone_returns,
        }
    }

    /// All bytes, with the byte-order mark.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Where the text begins: behind the byte-order mark, if there is one.
    pub(super) fn start(&self) -> usize {
        if self.bytes.starts_with(b"\xef\xbb\xbf") {
            3
        } else {
            0
        }
    }

    /// Number of line feeds before an offset.
    pub(super) fn newlines_before(&self, offset: usize) -> usize {
        let piece = offset / PIECE;
        self.newlines_before[piece] + count_newlines(&self.bytes[piece * PIECE..offset])
    }

    /// Number of the line that begins at an offset, from 1.
    pub(super) fn line_at(&self, offset: usize) -> usize {
        let mut line = self.newlines_before(offset) + 1;
        if self.has_lone_returns {
            let ends_line = |at: &usize| self.bytes.get(at + 1) != Some(&b'\n');
            line += memchr::memchr_iter(b'\r', &self.bytes[..offset])
                .filter(ends_line)
                .count();
        }
        line
    }
}

pub(super) fn scan(bytes: &[u8]) -> Scanned<'_> {
    let pieces: Vec<Piece> = bytes.par_chunks(PIECE).map(Piece::of).collect();
    Scanned::new(Cow::Borrowed(bytes), &pieces)
}

pub(super) fn read_file(path: &Path) -> Result<Scanned<'static>, MlError> {
    let failed = |source| MlError::read_file(path, source);
    let metadata = metadata_of(path)?;
    let len = usize::try_from(metadata.len()).unwrap_or(usize::MAX);
    // A pipe has no length to divide, and a short file is not worth it.
    if !metadata.is_file() || len < 2 * PIECE {
        let bytes = std::fs::read(path).map_err(failed)?;
        let pieces: Vec<Piece> = bytes.chunks(PIECE).map(Piece::of).collect();
        return Ok(Scanned::new(Cow::Owned(bytes), &pieces));
    }

    let mut bytes = vec![0; len];
    let stripe = len
        .div_ceil(rayon::current_num_threads())
        .next_multiple_of(PIECE);
    let pieces: Vec<Result<Vec<Piece>, std::io::Error>> = bytes
        .par_chunks_mut(stripe)
        .enumerate()
        .map(|(position, stripe_bytes)| read_stripe(path, position * stripe, stripe_bytes))
        .collect();
    let pieces: Vec<Vec<Piece>> = pieces
        .into_iter()
        .collect::<Result<_, _>>()
        .map_err(failed)?;
    Ok(Scanned::new(Cow::Owned(bytes), &pieces.concat()))
}

/// Reads a file of another format.
pub(crate) fn read_bytes(path: &Path) -> Result<Vec<u8>, MlError> {
    metadata_of(path)?;
    std::fs::read(path).map_err(|source| MlError::read_file(path, source))
}

fn metadata_of(path: &Path) -> Result<Metadata, MlError> {
    let metadata = std::fs::metadata(path).map_err(|source| MlError::read_file(path, source))?;
    if metadata.is_dir() {
        return Err(MlError::NotAFile {
            path: path.to_path_buf(),
        });
    }
    Ok(metadata)
}

fn read_stripe(path: &Path, start: usize, bytes: &mut [u8]) -> Result<Vec<Piece>, std::io::Error> {
    // Each thread has its own handle, since the position belongs to the handle.
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(start as u64))?;
    bytes
        .chunks_mut(PIECE)
        .map(|piece| {
            file.read_exact(piece)?;
            Ok(Piece::of(piece))
        })
        .collect()
}

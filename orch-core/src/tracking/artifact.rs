//! The bytes of artifacts, and what kind they are.

use std::borrow::Cow;
use std::collections::{HashMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use crate::value::Digest;

/// What an artifact holds: bytes, or those of a file.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum ArtifactContent<'a> {
    /// Bytes.
    Bytes(Cow<'a, [u8]>),
    /// What this file holds at the moment.
    File(Cow<'a, Path>),
}

impl From<Vec<u8>> for ArtifactContent<'_> {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Bytes(Cow::Owned(bytes))
    }
}

impl<'a> From<&'a [u8]> for ArtifactContent<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Self::Bytes(Cow::Borrowed(bytes))
    }
}

impl<'a> From<&'a Vec<u8>> for ArtifactContent<'a> {
    fn from(bytes: &'a Vec<u8>) -> Self {
        Self::Bytes(Cow::Borrowed(bytes))
    }
}

impl<'a, const N: usize> From<&'a [u8; N]> for ArtifactContent<'a> {
    fn from(bytes: &'a [u8; N]) -> Self {
        Self::Bytes(Cow::Borrowed(bytes))
    }
}

impl<'a> From<&'a Path> for ArtifactContent<'a> {
    fn from(path: &'a Path) -> Self {
        Self::File(Cow::Borrowed(path))
    }
}

impl From<PathBuf> for ArtifactContent<'_> {
    fn from(path: PathBuf) -> Self {
        Self::File(Cow::Owned(path))
    }
}

impl<'a> From<&'a PathBuf> for ArtifactContent<'a> {
    fn from(path: &'a PathBuf) -> Self {
        Self::File(Cow::Borrowed(path))
    }
}

/// The media type of an artifact by the end of its name, as registered with IANA where it is; else
/// that of bytes of any kind.
pub(super) fn media_type(name: &str) -> &'static str {
    let (_, end) = name.rsplit_once('.').unwrap_or(("", ""));
    match end.to_ascii_lowercase().as_str() {
        "csv" => "text/csv",
        "gz" => "application/gzip",
        "htm" | "html" => "text/html",
        "jpeg" | "jpg" => "image/jpeg",
        "json" => "application/json",
        "jsonl" | "ndjson" => "application/jsonl",
        "log" | "txt" => "text/plain",
        "md" => "text/markdown",
        "parquet" => "application/vnd.apache.parquet",
        "pdf" => "application/pdf",
        "png" => "image/png",
        "svg" => "image/svg+xml",
        "toml" => "application/toml",
        "tsv" => "text/tab-separated-values",
        "xml" => "application/xml",
        "yaml" | "yml" => "application/yaml",
        "zip" => "application/zip",
        _ => "application/octet-stream",
    }
}

/// How many bytes of artifacts an engine without a store keeps.
pub(super) const MAX_BYTES: usize = 64 * 1024 * 1024;

/// The artifacts of an engine without a store: the newest, up to a number of bytes.
#[derive(Default)]
pub(crate) struct MemoryArtifacts(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    by_digest: HashMap<Digest, Arc<[u8]>>,
    oldest_first: VecDeque<Digest>,
    bytes: usize,
}

impl MemoryArtifacts {
    pub(super) fn put(&self, digest: Digest, bytes: &[u8]) {
        if bytes.len() > MAX_BYTES {
            return;
        }
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.by_digest.insert(digest, bytes.into()).is_some() {
            return;
        }
        kept.oldest_first.push_back(digest);
        kept.bytes += bytes.len();
        while kept.bytes > MAX_BYTES {
            let Some(oldest) = kept.oldest_first.pop_front() else {
                break;
            };
            let bytes = kept.by_digest.remove(&oldest);
            kept.bytes -= bytes.map_or(0, |bytes| bytes.len());
        }
    }

    pub(super) fn get(&self, digest: &Digest) -> Option<Vec<u8>> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.by_digest.get(digest).map(|bytes| bytes.to_vec())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kind_of_an_artifact_is_told_by_its_name() {
        assert_eq!(media_type("plots/ROC.SVG"), "image/svg+xml");
        assert_eq!(media_type("model.onnx"), "application/octet-stream");
        assert_eq!(media_type("README"), "application/octet-stream");
    }

    #[test]
    fn the_oldest_artifacts_give_room_to_new_ones() {
        let artifacts = MemoryArtifacts::default();
        let digest = |n: u8| Digest::from_bytes([n; 32]);
        let half = vec![0; MAX_BYTES / 2];
        for n in 0..3 {
            artifacts.put(digest(n), &half);
            artifacts.put(digest(n), &half);
        }
        let is_there = |n| artifacts.get(&digest(n)).is_some();
        assert_eq!([0, 1, 2].map(is_there), [false, true, true]);
        artifacts.put(digest(3), &vec![0; MAX_BYTES + 1]);
        assert!(!is_there(3) && is_there(2));
    }
}

//! How a row holds what SQLite has no type for.

use rusqlite::Row;
use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSql, ToSqlOutput, ValueRef};

use super::super::{CallId, OwnerId, Place, StoredValue, Timestamp};
use super::ReadError;
use crate::id::FlowRunId;
use crate::state::State;
use crate::value::{Digest, Stored};

/// The columns of a stored value, in the order in which they are read.
pub(super) const VALUE: &str = "digest, format, shape, len, parts, value";

impl ToSql for Digest {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(ValueRef::Blob(self.as_bytes())))
    }
}

impl FromSql for Digest {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        bytes(value).map(Digest::from_bytes)
    }
}

impl ToSql for CallId {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(ValueRef::Blob(&self.0)))
    }
}

impl FromSql for CallId {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        bytes(value).map(CallId)
    }
}

impl ToSql for Timestamp {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        self.0.to_sql()
    }
}

impl FromSql for Timestamp {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        i64::column_result(value).map(Timestamp)
    }
}

impl ToSql for FlowRunId {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::from(self.to_string()))
    }
}

impl FromSql for FlowRunId {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        value
            .as_str()?
            .parse()
            .map_err(|error| FromSqlError::Other(Box::new(error)))
    }
}

impl ToSql for OwnerId {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::from(self.to_string()))
    }
}

impl FromSql for OwnerId {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        u128::from_str_radix(value.as_str()?, 16)
            .map(OwnerId)
            .map_err(|error| FromSqlError::Other(Box::new(error)))
    }
}

impl ToSql for State {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::from(self.word()))
    }
}

impl FromSql for State {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let word = value.as_str()?;
        State::from_word(word)
            .ok_or_else(|| FromSqlError::Other(format!("`{word}` is no state").into()))
    }
}

/// Reads as many bytes as there have to be.
pub(super) fn bytes<const N: usize>(value: ValueRef<'_>) -> FromSqlResult<[u8; N]> {
    let blob = value.as_blob()?;
    blob.try_into().map_err(|_| FromSqlError::InvalidBlobSize {
        expected_size: N,
        blob_size: blob.len(),
    })
}

/// A shape, as a column.
pub(super) struct Bytes<const N: usize>(pub(super) [u8; N]);

impl<const N: usize> FromSql for Bytes<N> {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        bytes(value).map(Bytes)
    }
}

/// The digests of a tuple's elements, one after the other.
pub(super) fn parts_of(stored: &Stored) -> Vec<u8> {
    let parts = stored.parts.iter();
    parts.flat_map(|part| *part.as_bytes()).collect()
}

/// The bytes that are part of the row, if they are.
pub(super) fn inline_of(value: &StoredValue) -> Option<&[u8]> {
    match &value.place {
        Place::Inline(bytes) => Some(bytes),
        Place::Blob => None,
    }
}

/// Reads the columns of [`VALUE`], from `at` on. `None` if there is no value.
pub(super) fn read_value(row: &Row<'_>, at: usize) -> Result<Option<StoredValue>, ReadError> {
    let Some(digest) = row.get::<_, Option<Digest>>(at)? else {
        return Ok(None);
    };
    let Bytes(shape) = row.get(at + 2)?;
    let parts = row
        .get_ref(at + 4)?
        .as_blob()
        .map_err(|_| damaged("parts"))?;
    let mut digests = Vec::with_capacity(parts.len() / 32);
    for part in parts.chunks(32) {
        let part = part.try_into().map_err(|_| damaged("parts"))?;
        digests.push(Digest::from_bytes(part));
    }
    let inline: Option<Vec<u8>> = row.get(at + 5)?;
    Ok(Some(StoredValue {
        stored: Stored {
            digest,
            format: row.get(at + 1)?,
            shape,
            len: row.get::<_, i64>(at + 3)? as u64,
            parts: digests,
        },
        place: inline.map_or(Place::Blob, |bytes| Place::Inline(bytes.into())),
    }))
}

fn damaged(column: &str) -> ReadError {
    ReadError::Damaged {
        table: "values",
        problem: format!("column `{column}` is no list of digests"),
    }
}

/// Reads a column of JSON.
pub(super) fn json<T: serde::de::DeserializeOwned>(
    table: &'static str,
    text: &str,
) -> Result<T, ReadError> {
    serde_json::from_str(text).map_err(|error| ReadError::Damaged {
        table,
        problem: error.to_string(),
    })
}

/// Writes a column of JSON.
pub(super) fn to_json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).expect("rows are made of texts, numbers and lists of them")
}

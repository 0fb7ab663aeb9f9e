//! Files of Arrow's IPC format.

use std::io::Cursor;
use std::path::Path;

use arrow_ipc::reader::{FileReader, StreamReader};
use arrow_ipc::writer::FileWriter;

use super::{damaged, guarded, table_of_file, table_to_record_batch};
use crate::error::MlError;
use crate::loading::read_bytes;
use crate::persistence::replace_file;
use crate::table::Table;

const FORMAT: &str = "Arrow";

/// The first bytes of a file; a stream has none.
const MAGIC: &[u8] = b"ARROW1";

/// Reads a file of Arrow's IPC format, also called Feather: a file or a stream, not compressed. Types are
/// those of [`table_from_record_batches`](crate::table_from_record_batches).
///
/// # Errors
/// [`MlError::ReadFile`], [`MlError::NotAFile`]; [`MlError::DamagedFile`] for what is no such file, is cut off
/// or compressed; those of [`table_from_record_batches`](crate::table_from_record_batches).
pub fn read_arrow(path: &Path) -> Result<Table, MlError> {
    let bytes = read_bytes(path)?;
    let failed = |error| damaged(path, FORMAT, error);
    guarded(path, FORMAT, || {
        if bytes.starts_with(MAGIC) {
            let reader = FileReader::try_new(Cursor::new(bytes), None).map_err(failed)?;
            table_of_file(path, FORMAT, &reader.schema(), reader)
        } else {
            let reader = StreamReader::try_new(Cursor::new(bytes), None).map_err(failed)?;
            table_of_file(path, FORMAT, &reader.schema(), reader)
        }
    })
}

/// Writes a table to a file of Arrow's IPC format, which pandas reads with `read_feather`.
///
/// # Errors
/// [`MlError::WriteFile`]; [`MlError::NoFeatures`] for a table without columns.
pub fn write_arrow(path: &Path, table: &Table) -> Result<(), MlError> {
    let batch = table_to_record_batch(table)?;
    replace_file(path, |file| {
        let write = || {
            let mut writer = FileWriter::try_new_buffered(file, &batch.schema())?;
            writer.write(&batch)?;
            writer.finish()
        };
        write().map_err(std::io::Error::other)
    })
}

//! Parquet files.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::arrow::{ArrowWriter, ProjectionMask};
use parquet::basic::Compression;
use parquet::file::properties::WriterProperties;
use serde::{Deserialize, Serialize};

use super::{damaged, guarded, table_of_file, table_to_record_batch};
use crate::error::{MlError, TableName};
use crate::loading::read_bytes;
use crate::persistence::replace_file;
use crate::table::Table;

const FORMAT: &str = "Parquet";

/// How to read a Parquet file.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ParquetOptions {
    /// The columns to read, in the order they shall have; of others nothing is decoded. Default: all.
    pub columns: Option<Vec<String>>,
}

/// Reads a Parquet file, not compressed or by Snappy or Zstandard. Types are those of
/// [`table_from_record_batches`](crate::table_from_record_batches).
///
/// # Errors
/// [`MlError::ReadFile`], [`MlError::NotAFile`]; [`MlError::DamagedFile`] for what is no Parquet file, is cut
/// off or compressed in another way; [`MlError::UnknownColumn`]; those of
/// [`table_from_record_batches`](crate::table_from_record_batches).
///
/// # Examples
/// ```no_run
/// use orch_ml::{ParquetOptions, read_parquet};
///
/// let options = ParquetOptions {
///     columns: Some(vec!["town".to_owned(), "price".to_owned()]),
/// };
/// let table = read_parquet("sales.parquet".as_ref(), &options)?;
/// # Ok::<(), orch_ml::MlError>(())
/// ```
pub fn read_parquet(path: &Path, options: &ParquetOptions) -> Result<Table, MlError> {
    let bytes = Bytes::from(read_bytes(path)?);
    guarded(path, FORMAT, || read(bytes, path, options))
}

fn read(bytes: Bytes, path: &Path, options: &ParquetOptions) -> Result<Table, MlError> {
    let failed = |error| damaged(path, FORMAT, error);
    let mut builder = ParquetRecordBatchReaderBuilder::try_new(bytes).map_err(failed)?;
    if let Some(wanted) = &options.columns {
        let fields = builder.schema().fields();
        let mut positions = Vec::with_capacity(wanted.len());
        for column in wanted {
            let position = fields.iter().position(|field| field.name() == column);
            positions.push(position.ok_or_else(|| MlError::UnknownColumn {
                column: column.clone(),
                table: TableName(Some(path.to_path_buf())),
                columns: fields.iter().map(|field| field.name().clone()).collect(),
            })?);
        }
        let mask = ProjectionMask::roots(builder.parquet_schema(), positions);
        builder = builder.with_projection(mask);
    }
    let reader = builder.build().map_err(failed)?;
    let schema = arrow_array::RecordBatchReader::schema(&reader);
    let table = table_of_file(path, FORMAT, &schema, reader)?;
    match &options.columns {
        Some(wanted) => table.select(wanted),
        None => Ok(table),
    }
}

/// Writes a table to a Parquet file, compressed by Zstandard.
///
/// # Errors
/// [`MlError::WriteFile`]; [`MlError::NoFeatures`] for a table without columns.
pub fn write_parquet(path: &Path, table: &Table) -> Result<(), MlError> {
    let batch = table_to_record_batch(table)?;
    replace_file(path, |file| {
        let write = || {
            let properties = WriterProperties::builder();
            let properties = properties.set_compression(Compression::ZSTD(Default::default()));
            let schema = Arc::clone(batch.schema_ref());
            let mut writer = ArrowWriter::try_new(file, schema, Some(properties.build()))?;
            writer.write(&batch)?;
            writer.close().map(drop)
        };
        write().map_err(std::io::Error::other)
    })
}

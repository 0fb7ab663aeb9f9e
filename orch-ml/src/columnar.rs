//! Tables in the formats of Apache Arrow and Parquet, and as record batches in memory.

mod arrays;
mod columns;
mod ipc;
#[cfg(feature = "parquet")]
mod parquet;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::{ArrowError, Schema, SchemaRef};

pub use self::ipc::{read_arrow, write_arrow};
#[cfg(feature = "parquet")]
pub use self::parquet::{ParquetOptions, read_parquet, write_parquet};
use crate::error::{MlError, TableName};
use crate::table::Table;

/// Makes a table of record batches of one schema.
///
/// Integers of any size become integers, floats and decimals floats, strings of any encoding text, dates and
/// timestamps timestamps, of which digits below a microsecond are cut off and those without a zone are taken
/// as UTC. Nulls are missing values, and so is the NaN of a float.
///
/// # Errors
/// [`MlError::ColumnType`] for a column of another type, [`MlError::ColumnValue`], with row and column, for
/// integers above 2^63 and moments that are too far away, [`MlError::DuplicateColumn`].
///
/// # Examples
/// ```
/// use std::sync::Arc;
///
/// use orch_ml::arrow_array::{Float64Array, RecordBatch};
/// use orch_ml::table_from_record_batches;
///
/// let sizes = Arc::new(Float64Array::from(vec![Some(50.0), None]));
/// let batch = RecordBatch::try_from_iter([("size", sizes as _)])?;
/// let table = table_from_record_batches(&batch.schema(), &[batch])?;
/// assert_eq!(table.column("size")?.n_missing(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn table_from_record_batches(
    schema: &SchemaRef,
    batches: &[RecordBatch],
) -> Result<Table, MlError> {
    let mut made = Vec::with_capacity(schema.fields().len());
    for (position, field) in schema.fields().iter().enumerate() {
        let arrays: Vec<_> = batches
            .iter()
            .map(|batch| &**batch.column(position))
            .collect();
        made.push((field.name().clone(), columns::column_of(field, &arrays)?));
    }
    Table::new(made)
}

/// Makes a record batch of a table: floats, 64-bit integers, booleans, strings, and timestamps of
/// microseconds in UTC. Missing values are nulls.
///
/// # Errors
/// [`MlError::NoFeatures`] for a table without columns.
pub fn table_to_record_batch(table: &Table) -> Result<RecordBatch, MlError> {
    if table.n_columns() == 0 {
        return Err(MlError::NoFeatures);
    }
    let mut fields = Vec::with_capacity(table.n_columns());
    let mut made = Vec::with_capacity(table.n_columns());
    for (name, column) in table.columns() {
        let (field, array) = arrays::array_of(name, column);
        fields.push(field);
        made.push(array);
    }
    let batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), made);
    Ok(batch.expect("the columns of a table are of one length"))
}

/// A file that is not what it should be.
fn damaged(
    path: &Path,
    format: &'static str,
    source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> MlError {
    MlError::DamagedFile {
        path: path.to_path_buf(),
        format,
        source: source.into(),
    }
}

/// Reads a file with readers that panic over some damages.
fn guarded<R>(
    path: &Path,
    format: &'static str,
    read: impl FnOnce() -> Result<R, MlError>,
) -> Result<R, MlError> {
    catch_unwind(AssertUnwindSafe(read)).unwrap_or_else(|panic| {
        let words = panic.downcast_ref::<String>().map(String::as_str);
        let words = words.or_else(|| panic.downcast_ref::<&str>().copied());
        Err(damaged(path, format, words.unwrap_or("it is damaged")))
    })
}

/// The same error, of a table that is of this file.
fn of_file(mut error: MlError, path: &Path) -> MlError {
    if let MlError::ColumnType { table, .. }
    | MlError::ColumnValue { table, .. }
    | MlError::DuplicateColumn { table, .. } = &mut error
    {
        *table = TableName(Some(path.to_path_buf()));
    }
    error
}

/// Puts batches together to the table of a file.
fn table_of_file(
    path: &Path,
    format: &'static str,
    schema: &SchemaRef,
    batches: impl Iterator<Item = Result<RecordBatch, ArrowError>>,
) -> Result<Table, MlError> {
    let batches: Result<Vec<RecordBatch>, ArrowError> = batches.collect();
    let batches = batches.map_err(|error| damaged(path, format, error))?;
    let table = table_from_record_batches(schema, &batches);
    let table = table.map_err(|error| of_file(error, path))?;
    Ok(table.read_from(Some(path)))
}

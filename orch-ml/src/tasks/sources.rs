//! Tables from elsewhere, as tasks.

#[cfg(any(feature = "object-store", feature = "postgres"))]
use orch_core::Resource;
use orch_core::{DataFile, task};

#[cfg(any(feature = "http", feature = "object-store"))]
use crate::DownloadOptions;
#[cfg(any(feature = "postgres", feature = "sqlite"))]
use crate::SqlValue;
#[cfg(feature = "http")]
use crate::{Checksum, CsvOptions};
use crate::{JsonLinesOptions, MlError, Table};

/// Reads a file of one JSON object a line, with options:
/// [`read_json_lines_with`](crate::read_json_lines_with).
#[task(cache)]
pub fn load_json_lines_with(file: DataFile, options: JsonLinesOptions) -> Result<Table, MlError> {
    crate::read_json_lines_with(file.path(), &options)
}

/// Makes columns of text columns of timestamps: [`Table::parse_timestamps`].
#[task(cache)]
pub fn parse_timestamps(table: &Table, columns: &[String]) -> Result<Table, MlError> {
    table.parse_timestamps(columns)
}

/// Downloads a CSV file and parses it: [`read_csv_url`](crate::read_csv_url).
///
/// The result is keyed by the address, the checksum and the options: without a checksum it could not
/// be kept, since nobody knows whether the file is what it was. For one that changes, call
/// [`download`](crate::download) in a task of your own and [`load_csv`](super::load_csv) after it.
#[cfg(feature = "http")]
#[task(cache)]
pub fn load_csv_url(url: &str, checksum: Checksum, options: CsvOptions) -> Result<Table, MlError> {
    crate::read_csv_url(url, &DownloadOptions::of(checksum), &options)
}

/// Runs a query on a SQLite database: [`read_sqlite`](crate::read_sqlite).
///
/// The result is keyed by what is in the database's file, the query and its parameters. A query
/// should therefore not use what changes by itself, such as `random()` or `date('now')`; and changes
/// that are only in the log beside the file (`-wal`) are refused, since the file does not have them.
///
/// # Errors
/// As [`read_sqlite`](crate::read_sqlite); [`MlError::PendingChanges`] for a log that is not empty.
#[cfg(feature = "sqlite")]
#[task(cache)]
pub fn query_sqlite(file: DataFile, query: &str, params: &[SqlValue]) -> Result<Table, MlError> {
    if let Some(log) = crate::sqlite::pending_log(file.path()) {
        return Err(MlError::PendingChanges {
            path: file.path().to_path_buf(),
            log,
        });
    }
    crate::read_sqlite(file.path(), query, params)
}

/// Runs a query on the PostgreSQL database of the engine, a resource:
/// [`read_postgres`](crate::read_postgres).
///
/// It is not cached, since nobody knows whether the database is what it was. What comes after it stays
/// cached as long as the result is the same.
#[cfg(feature = "postgres")]
#[task]
pub fn query_postgres(
    database: Resource<crate::PostgresDatabase>,
    query: &str,
    params: &[SqlValue],
) -> Result<Table, MlError> {
    crate::read_postgres(&database, query, params)
}

/// Reads a Parquet file: [`read_parquet`](crate::read_parquet).
#[cfg(feature = "parquet")]
#[task(cache)]
pub fn load_parquet(file: DataFile, options: crate::ParquetOptions) -> Result<Table, MlError> {
    crate::read_parquet(file.path(), &options)
}

/// Reads a file of Arrow's IPC format: [`read_arrow`](crate::read_arrow).
#[cfg(feature = "arrow")]
#[task(cache)]
pub fn load_arrow(file: DataFile) -> Result<Table, MlError> {
    crate::read_arrow(file.path())
}

/// Downloads an object of the engine's [`ObjectStorage`](crate::ObjectStorage), a resource, to a path:
/// [`download_object`](crate::download_object). Returns the file, by whose content what comes after is keyed.
///
/// It is not cached, since nobody knows whether the object is what it was.
#[cfg(feature = "object-store")]
#[task]
pub async fn fetch_object(
    storage: Resource<crate::ObjectStorage>,
    location: String,
    path: std::path::PathBuf,
    options: DownloadOptions,
) -> Result<DataFile, MlError> {
    crate::download_object(&storage, &location, &path, &options).await?;
    Ok(DataFile::new(path))
}

/// Uploads a file to an object of the engine's [`ObjectStorage`](crate::ObjectStorage), a resource:
/// [`upload_object`](crate::upload_object).
#[cfg(feature = "object-store")]
#[task]
pub async fn put_object(
    storage: Resource<crate::ObjectStorage>,
    file: DataFile,
    location: String,
) -> Result<(), MlError> {
    crate::upload_object(&storage, file.path(), &location).await
}

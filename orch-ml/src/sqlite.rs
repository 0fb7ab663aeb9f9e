//! Queries of SQLite databases to tables, and tables to such databases.

mod columns;

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::types::{ToSql, ToSqlOutput, ValueRef};
use rusqlite::{Connection, ErrorCode, OpenFlags, params_from_iter};

use self::columns::{Cell, Draft};
use crate::error::MlError;
use crate::sql::{SqlValue, create_table, quoted};
use crate::table::{Column, Table, Value};

/// How long a lock of another program is waited for; a task's retries may wait longer.
const LOCK_WAIT: Duration = Duration::from_secs(1);

/// Runs a query on a SQLite database, which is opened for reading only, and makes a table of the rows.
///
/// `params` take the places of `?1`, `?2` and so on, or of each `?`. A column is of type integer if
/// all its values are, else float if all are numbers, or text; `NULL` is a missing value. What the
/// table says of a column counts where its values leave it open: integers of one declared as `REAL`,
/// `FLOAT` or `DOUBLE` are floats, 0 and 1 of one declared as `BOOLEAN` are booleans, and texts of one
/// declared as `DATE`, `DATETIME` or `TIMESTAMP` are timestamps, as
/// [`Timestamp::parse`](crate::Timestamp::parse) reads them; such columns of integers stay integers. A
/// column without any value is of the declared type, or float. Columns that are computed have no
/// declared type.
///
/// # Errors
/// [`MlError::ReadFile`] and [`MlError::NotAFile`]; [`MlError::QueryFailed`] with what SQLite says,
/// also for a file that is no database, a statement that would write, and too few or too many
/// parameters; [`MlError::QueryValue`], with row, column and value, for blobs, texts that are not
/// UTF-8, numbers and texts in one column, and values that are not of the declared type;
/// [`MlError::DuplicateColumn`] for a query whose columns have one name: use `AS`.
///
/// # Source
/// pandas 3.1, `read_sql_query(.., parse_dates=..)`; integers with missing values stay integers here
///
/// # Examples
/// ```no_run
/// use orch_ml::read_sqlite;
///
/// let query = "SELECT town, price FROM sales WHERE price > ?1";
/// let table = read_sqlite("sales.db".as_ref(), query, &[100i64.into()])?;
/// # Ok::<(), orch_ml::MlError>(())
/// ```
pub fn read_sqlite(path: &Path, query: &str, params: &[SqlValue]) -> Result<Table, MlError> {
    let metadata = std::fs::metadata(path).map_err(|source| MlError::read_file(path, source))?;
    if metadata.is_dir() {
        let path = path.to_path_buf();
        return Err(MlError::NotAFile { path });
    }
    let failed = |error| query_failed(path, query, error);
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(failed)?;
    connection.busy_timeout(LOCK_WAIT).map_err(failed)?;
    let mut statement = connection.prepare(query).map_err(failed)?;
    let mut drafts: Vec<Draft> = statement
        .columns()
        .map(|column| Draft::new(column.name(), column.decl_type()))
        .collect();
    let mut rows = statement.query(params_from_iter(params)).map_err(failed)?;
    let mut row_idx = 0;
    while let Some(row) = rows.next().map_err(failed)? {
        for (position, draft) in drafts.iter_mut().enumerate() {
            let cell = match row.get_ref(position).map_err(failed)? {
                ValueRef::Null => Ok(Cell::Null),
                ValueRef::Integer(value) => Ok(Cell::Integer(value)),
                ValueRef::Real(value) => Ok(Cell::Float(value)),
                ValueRef::Text(bytes) => match std::str::from_utf8(bytes) {
                    Ok(text) => Ok(Cell::Text(text)),
                    Err(_) => Err((String::from_utf8_lossy(bytes).into_owned(), "not UTF-8")),
                },
                ValueRef::Blob(bytes) => {
                    let value = format!("{} bytes", bytes.len());
                    Err((value, "a blob, which is no value of a column"))
                }
            };
            let wrong = match cell {
                Ok(cell) => draft.add(cell),
                Err(wrong) => Err(wrong),
            };
            wrong.map_err(|(value, problem)| MlError::QueryValue {
                database: shown(path).into(),
                query: query.into(),
                row_idx,
                column: draft.name.clone(),
                value,
                problem,
            })?;
        }
        row_idx += 1;
    }
    let mut columns = Vec::with_capacity(drafts.len());
    for draft in drafts {
        let name = draft.name.clone();
        let column = draft.finish().map_err(|(row_idx, value, problem)| {
            let database = shown(path);
            MlError::QueryValue {
                database: database.into(),
                query: query.into(),
                row_idx,
                column: name.clone(),
                value,
                problem,
            }
        });
        columns.push((name, column?));
    }
    Ok(Table::new(columns)?.read_from(Some(path)))
}

/// The changes of a database that are not in its file yet, if there are any: those that a program
/// committed to the log beside it and that no checkpoint took over.
pub(crate) fn pending_log(path: &Path) -> Option<PathBuf> {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    let log = PathBuf::from(log);
    let len = std::fs::metadata(&log).map_or(0, |metadata| metadata.len());
    (len > 0).then_some(log)
}

/// Writes a table as a new table of a SQLite database, which is made if there is none, in one
/// transaction. Floats are `REAL`, integers `INTEGER`, booleans `BOOLEAN` (0 and 1), texts `TEXT` and
/// timestamps `TIMESTAMP` (texts), so that [`read_sqlite`] gives the table back; missing values are
/// `NULL`.
///
/// # Errors
/// [`MlError::QueryFailed`], also if the database has a table of that name: nothing is replaced;
/// [`MlError::NoFeatures`] for a table without columns.
///
/// # Source
/// pandas 3.1, `DataFrame.to_sql(.., if_exists="fail", index=False)`
pub fn write_sqlite(path: &Path, name: &str, table: &Table) -> Result<(), MlError> {
    if table.n_columns() == 0 {
        return Err(MlError::NoFeatures);
    }
    let create = create_table(name, table, declared);
    let places = vec!["?"; table.n_columns()].join(", ");
    let insert = format!("INSERT INTO {} VALUES ({places})", quoted(name));
    let failed = |error| query_failed(path, &create, error);
    let mut connection = Connection::open(path).map_err(failed)?;
    connection.busy_timeout(LOCK_WAIT).map_err(failed)?;
    let transaction = connection.transaction().map_err(failed)?;
    transaction.execute(&create, ()).map_err(failed)?;
    {
        let mut statement = transaction.prepare(&insert).map_err(failed)?;
        for row_idx in 0..table.n_rows() {
            let cells = table
                .columns()
                .map(|(_, column)| cell(column.value(row_idx)));
            let inserted = statement.execute(params_from_iter(cells));
            inserted.map_err(|error| query_failed(path, &insert, error))?;
        }
    }
    transaction.commit().map_err(failed)
}

fn cell(value: Value<'_>) -> SqlValue {
    match value {
        Value::Missing => SqlValue::Null,
        Value::Float(value) => SqlValue::Float(value),
        Value::Integer(value) => SqlValue::Integer(value),
        Value::Boolean(value) => SqlValue::Boolean(value),
        Value::Text(value) => value.into(),
        Value::Timestamp(value) => SqlValue::Timestamp(value),
    }
}

fn declared(column: &Column) -> &'static str {
    match column {
        Column::Float(_) => "REAL",
        Column::Integer(..) => "INTEGER",
        Column::Boolean(..) => "BOOLEAN",
        Column::Text(_) => "TEXT",
        Column::Timestamp(..) => "TIMESTAMP",
    }
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

fn query_failed(path: &Path, query: &str, error: rusqlite::Error) -> MlError {
    // Another program holds the database for a moment.
    let is_busy = matches!(
        error.sqlite_error_code(),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked)
    );
    MlError::QueryFailed {
        database: shown(path),
        query: query.to_owned(),
        may_pass: is_busy,
        source: Box::new(error),
    }
}

impl ToSql for SqlValue {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(match self {
            SqlValue::Null => ToSqlOutput::Borrowed(ValueRef::Null),
            SqlValue::Integer(value) => (*value).into(),
            SqlValue::Float(value) => (*value).into(),
            SqlValue::Boolean(value) => (*value).into(),
            SqlValue::Text(value) => ToSqlOutput::Borrowed(ValueRef::Text(value.as_bytes())),
            SqlValue::Timestamp(value) => value.to_string().into(),
        })
    }
}

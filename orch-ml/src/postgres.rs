//! Queries of PostgreSQL databases to tables, and tables to such databases.

mod columns;
mod values;

use std::fmt;
use std::io::{ErrorKind, Write as _};

use orch_core::Secret;
use postgres::config::Host;
use postgres::fallible_iterator::FallibleIterator as _;
use postgres::types::ToSql;
use postgres::{Client, Config, NoTls};

use self::columns::Draft;
use crate::error::MlError;
use crate::sql::{SqlValue, create_table, quoted};
use crate::table::{Column, Table};

/// Where a PostgreSQL database is, and as whom to ask it. It is asked without TLS.
///
/// Give it to the engine as a resource, for [`tasks::query_postgres`](crate::tasks::query_postgres).
///
/// # Examples
/// ```
/// use orch_core::Secret;
/// use orch_ml::PostgresDatabase;
///
/// let password = Secret::new("tr0ub4dor".to_owned());
/// let database = PostgresDatabase::parse("postgresql://ada@db.example:5433/sales")?;
/// let database = database.password(&password);
/// assert_eq!(format!("{database:?}"), "PostgresDatabase(db.example:5433/sales)");
/// # Ok::<(), orch_ml::MlError>(())
/// ```
#[derive(Clone)]
pub struct PostgresDatabase {
    config: Config,
    shown: String,
}

impl PostgresDatabase {
    /// Reads an address, as `postgresql://user@host:5432/database` or
    /// `host=/run/postgresql user=ada dbname=sales`.
    ///
    /// # Errors
    /// [`MlError::InvalidOption`], which does not repeat the address: a password may be in it.
    pub fn parse(address: &str) -> Result<Self, MlError> {
        let config: Config = address.parse().map_err(|_| MlError::InvalidOption {
            name: "address",
            value: "what was given (not shown: it may have a password)".to_owned(),
            expected: "an address such as `postgresql://user@host:5432/database`",
        })?;
        let shown = shown(&config);
        Ok(Self { config, shown })
    }

    /// Sets the password.
    pub fn password(mut self, password: &Secret<String>) -> Self {
        self.config.password(password.expose());
        self
    }

    fn connect(&self, query: &str) -> Result<Client, MlError> {
        let connected = self.config.connect(NoTls);
        connected.map_err(|error| self.failed(query, error))
    }

    fn failed(&self, query: &str, error: postgres::Error) -> MlError {
        MlError::QueryFailed {
            database: self.shown.clone(),
            query: query.to_owned(),
            may_pass: may_pass(&error),
            source: Box::new(error),
        }
    }
}

impl fmt::Debug for PostgresDatabase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PostgresDatabase({})", self.shown)
    }
}

/// Runs a query on a PostgreSQL database, in a transaction that cannot write, and makes a table of the
/// rows.
///
/// `params` take the places of `$1`, `$2` and so on. Columns are of the types that the database says:
/// booleans; `smallint`, `integer` and `bigint` as integers; `real`, `double precision` and `numeric` as
/// floats; `text`, `varchar`, `char` and `name` as text; `date`, `timestamp` (taken as UTC) and
/// `timestamptz` as timestamps. `NULL` is a missing value, and so is the `NaN` of a float.
///
/// # Errors
/// [`MlError::QueryFailed`] with what the database says, or why it cannot be reached: it is tried again
/// for what may pass, such as a refused connection or a deadlock. [`MlError::QueryColumn`] for a column of
/// another type; [`MlError::QueryValue`] for an infinite moment; [`MlError::DuplicateColumn`] for a query
/// whose columns have one name: use `AS`.
///
/// # Source
/// pandas 3.1, `read_sql_query`; integers with missing values stay integers here, `numeric` is a float
///
/// # Examples
/// ```no_run
/// use orch_ml::{PostgresDatabase, read_postgres};
///
/// let database = PostgresDatabase::parse("postgresql://ada@db.example/sales")?;
/// let query = "SELECT town, price FROM sales WHERE price > $1";
/// let table = read_postgres(&database, query, &[100i64.into()])?;
/// # Ok::<(), orch_ml::MlError>(())
/// ```
pub fn read_postgres(
    database: &PostgresDatabase,
    query: &str,
    params: &[SqlValue],
) -> Result<Table, MlError> {
    let failed = |error| database.failed(query, error);
    let mut client = database.connect(query)?;
    let transaction = client.build_transaction().read_only(true).start();
    let mut transaction = transaction.map_err(failed)?;
    let statement = transaction.prepare(query).map_err(failed)?;
    let mut drafts: Vec<Draft> = Vec::with_capacity(statement.columns().len());
    for column in statement.columns() {
        let draft = Draft::new(column.name(), column.type_());
        drafts.push(draft.ok_or_else(|| MlError::QueryColumn {
            database: database.shown.as_str().into(),
            query: query.into(),
            column: column.name().to_owned(),
            sql_type: column.type_().name().to_owned(),
        })?);
    }
    let params = params.iter().map(|param| param as &(dyn ToSql + Sync));
    let mut rows = transaction.query_raw(&statement, params).map_err(failed)?;
    let mut row_idx = 0;
    while let Some(row) = rows.next().map_err(failed)? {
        for (position, draft) in drafts.iter_mut().enumerate() {
            let wrong = draft.add(&row, position).map_err(failed)?;
            if let Some((value, problem)) = wrong {
                return Err(MlError::QueryValue {
                    database: database.shown.as_str().into(),
                    query: query.into(),
                    row_idx,
                    column: draft.name.clone(),
                    value,
                    problem,
                });
            }
        }
        row_idx += 1;
    }
    Table::new(drafts.into_iter().map(Draft::finish))
}

/// Writes a table as a new table of a PostgreSQL database, in one transaction. Floats are
/// `double precision`, integers `bigint`, booleans `boolean`, texts `text` and timestamps `timestamptz`,
/// so that [`read_postgres`] gives the table back; missing values are `NULL`.
///
/// # Errors
/// [`MlError::QueryFailed`], also if the database has a table of that name: nothing is replaced;
/// [`MlError::NoFeatures`] for a table without columns.
///
/// # Source
/// pandas 3.1, `DataFrame.to_sql(.., if_exists="fail", index=False)`
pub fn write_postgres(
    database: &PostgresDatabase,
    name: &str,
    table: &Table,
) -> Result<(), MlError> {
    if table.n_columns() == 0 {
        return Err(MlError::NoFeatures);
    }
    let create = create_table(name, table, declared);
    let copy = format!("COPY {} FROM STDIN", quoted(name));
    let failed = |error| database.failed(&create, error);
    let mut client = database.connect(&create)?;
    let mut transaction = client.transaction().map_err(failed)?;
    transaction.batch_execute(&create).map_err(failed)?;
    let mut writer = transaction.copy_in(copy.as_str()).map_err(failed)?;
    let mut line = String::new();
    for row_idx in 0..table.n_rows() {
        line.clear();
        for (position, (_, column)) in table.columns().enumerate() {
            if position > 0 {
                line.push('\t');
            }
            values::write_cell(column.value(row_idx), &mut line);
        }
        line.push('\n');
        // The database's own words come with the end of the copy.
        if writer.write_all(line.as_bytes()).is_err() {
            break;
        }
    }
    let copied = writer.finish();
    copied.map_err(|error| database.failed(&copy, error))?;
    transaction.commit().map_err(failed)
}

fn declared(column: &Column) -> &'static str {
    match column {
        Column::Float(_) => "double precision",
        Column::Integer(..) => "bigint",
        Column::Boolean(..) => "boolean",
        Column::Text(_) => "text",
        Column::Timestamp(..) => "timestamptz",
    }
}

/// The first host, its port and the database: nothing secret.
fn shown(config: &Config) -> String {
    let host = match config.get_hosts().first() {
        Some(Host::Tcp(host)) => host.clone(),
        #[cfg(unix)]
        Some(Host::Unix(path)) => path.display().to_string(),
        None => "localhost".to_owned(),
    };
    let port = config.get_ports().first().copied().unwrap_or(5432);
    let name = config.get_dbname().or(config.get_user());
    format!("{host}:{port}/{}", name.unwrap_or_default())
}

/// Whether the same may work a moment later.
fn may_pass(error: &postgres::Error) -> bool {
    if let Some(state) = error.code() {
        // Connections, resources, shutdowns and starts, serialization and deadlocks, locks.
        return ["08", "53", "57P", "40", "55P03"]
            .iter()
            .any(|class| state.code().starts_with(class));
    }
    let mut next = std::error::Error::source(error);
    while let Some(cause) = next {
        if let Some(io) = cause.downcast_ref::<std::io::Error>() {
            return matches!(
                io.kind(),
                ErrorKind::ConnectionRefused
                    | ErrorKind::ConnectionReset
                    | ErrorKind::ConnectionAborted
                    | ErrorKind::BrokenPipe
                    | ErrorKind::TimedOut
                    | ErrorKind::UnexpectedEof
            );
        }
        next = cause.source();
    }
    error.is_closed()
}

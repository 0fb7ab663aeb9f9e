//! Queries of PostgreSQL databases, and tables written to them: with a server that the tests start, where
//! there is one. Expected values are what is written in the queries.

mod support;

use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use orch_core::testing::TestEngine;
use orch_core::{ClassifyRetry as _, Retry, Secret, State, TaskError, flow};
use orch_ml::{
    Column, MlError, PostgresDatabase, SqlValue, Table, Timestamp, Value, read_postgres, tasks,
    write_postgres,
};
use support::whole;
use tempfile::TempDir;

const PASSWORD: &str = "tr0ub4dor-and-3";

/// Who the server runs as where the tests run as root, which it refuses.
const NOBODY: u32 = 65_534;

/// A server on a socket in a folder of its own, gone with the test.
struct Server {
    folder: TempDir,
    process: Child,
}

fn program(name: &str) -> Option<PathBuf> {
    let paths = std::env::var_os("PATH").unwrap_or_default();
    let installed = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten();
    let installed = installed
        .flatten()
        .map(|version| version.path().join("bin"));
    std::env::split_paths(&paths)
        .chain(installed)
        .map(|folder| folder.join(name))
        .find(|path| path.is_file())
}

fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt as _;
    std::fs::metadata("/proc/self").is_ok_and(|metadata| metadata.uid() == 0)
}

fn command(program: &Path, folder: &Path) -> Command {
    let mut command = Command::new(program);
    command.current_dir(folder);
    if is_root() {
        command.uid(NOBODY).gid(NOBODY);
    }
    command
}

impl Server {
    /// Starts one; `None`, with the reason printed, where there is none.
    fn start() -> Option<Self> {
        let (Some(initdb), Some(postgres)) = (program("initdb"), program("postgres")) else {
            println!("not tested: there is no PostgreSQL on this machine");
            return None;
        };
        let folder = TempDir::new().unwrap();
        let password = folder.path().join("password");
        std::fs::write(&password, PASSWORD).unwrap();
        if is_root() {
            for path in [folder.path(), &password] {
                chown(path, Some(NOBODY), Some(NOBODY)).unwrap();
            }
        }
        let data = folder.path().join("data");
        let made = command(&initdb, folder.path())
            .args([
                "--username=ada",
                "--auth=scram-sha-256",
                "--no-sync",
                "--pgdata",
            ])
            .arg(&data)
            .arg("--pwfile")
            .arg(&password)
            .env("LC_ALL", "C.UTF-8")
            .output()
            .unwrap();
        let complaint = String::from_utf8_lossy(&made.stderr);
        assert!(made.status.success(), "initdb: {complaint}");
        let mut process = command(&postgres, folder.path())
            .args(["-c", "listen_addresses=", "-c", "fsync=off", "-k"])
            .arg(folder.path())
            .arg("-D")
            .arg(&data)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let log = BufReader::new(process.stderr.take().unwrap());
        let mut log = log.lines();
        let is_ready = log.any(|line| line.is_ok_and(|line| line.contains("ready to accept")));
        assert!(is_ready, "the server did not start");
        // It must not wait for somebody to read.
        std::thread::spawn(move || log.for_each(drop));
        Some(Self { folder, process })
    }

    fn address(&self) -> String {
        format!(
            "host={} user=ada dbname=postgres",
            self.folder.path().display()
        )
    }

    fn database(&self) -> PostgresDatabase {
        let password = Secret::new(PASSWORD.to_owned());
        let database = PostgresDatabase::parse(&self.address()).unwrap();
        database.password(&password)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // An immediate shutdown, which takes its children along.
        let id = self.process.id().to_string();
        drop(Command::new("kill").args(["-QUIT", &id]).status());
        drop(self.process.wait());
    }
}

fn row(table: &Table, row_idx: usize) -> Vec<Value<'_>> {
    let columns = table.columns();
    columns.map(|(_, column)| column.value(row_idx)).collect()
}

fn types(table: &Table) -> Vec<&str> {
    let columns = table.columns();
    columns.map(|(_, column)| column.type_name()).collect()
}

fn moment(text: &str) -> Value<'static> {
    Value::Timestamp(Timestamp::parse(text).unwrap())
}

#[test]
fn columns_are_of_the_types_that_the_database_says() {
    let Some(server) = Server::start() else {
        return;
    };
    let query = "
        SELECT true AS flag, 7::int2 AS short, -8::int4 AS mid, 9007199254740993::int8 AS long,
            0.5::float4 AS single, 0.1::float8 AS double, -12345.6789::numeric AS exact,
            'a'::text AS text, 'b'::varchar AS varying, 'c'::char(2) AS padded,
            date '2024-02-29' AS day, timestamp '1999-12-31 23:59:59.5' AS local,
            timestamptz '2024-02-29 20:00:00+01:30' AS zoned
        UNION ALL
        SELECT NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL";
    let table = read_postgres(&server.database(), query, &[]).unwrap();
    let (float, integer) = ("float", "integer");
    let mut expected = vec!["boolean", integer, integer, integer, float, float, float];
    expected.extend([
        "text",
        "text",
        "text",
        "timestamp",
        "timestamp",
        "timestamp",
    ]);
    assert_eq!(types(&table), expected);
    let expected = [
        Value::Boolean(true),
        Value::Integer(7),
        Value::Integer(-8),
        Value::Integer(9_007_199_254_740_993),
        Value::Float(0.5),
        Value::Float(0.1),
        Value::Float(-12345.6789),
        Value::Text("a"),
        Value::Text("b"),
        Value::Text("c "),
        moment("2024-02-29"),
        moment("1999-12-31 23:59:59.5"),
        moment("2024-02-29 18:30:00"),
    ];
    assert_eq!(row(&table, 0), expected);
    assert_eq!(row(&table, 1), vec![Value::Missing; 13]);

    let none = format!("SELECT * FROM ({query}) AS all_types WHERE short = 99");
    let table = read_postgres(&server.database(), &none, &[]).unwrap();
    assert_eq!((table.n_rows(), table.n_columns()), (0, 13));
    assert_eq!(types(&table)[10], "timestamp");
}

/// The texts are what PostgreSQL has as well as Rust, so that the floats are the nearest to both.
#[test]
fn numerics_are_the_nearest_floats() {
    let Some(server) = Server::start() else {
        return;
    };
    let texts = [
        "0",
        "1",
        "-1",
        "10000",
        "0.0001",
        "0.00001234",
        "123456789012345678901234567890",
        "-99999999.99999999",
        "0.1",
        "12340000",
        "3.141592653589793238462643383279",
    ];
    for text in texts {
        let query = format!("SELECT {text}::numeric AS x");
        let table = read_postgres(&server.database(), &query, &[]).unwrap();
        assert_eq!(
            row(&table, 0),
            [Value::Float(text.parse().unwrap())],
            "{text}"
        );
    }
    let query = "SELECT 'NaN'::numeric AS x, 'NaN'::float8 AS y";
    let table = read_postgres(&server.database(), query, &[]).unwrap();
    assert_eq!(row(&table, 0), [Value::Missing, Value::Missing]);
}

#[test]
fn a_table_reads_back_as_it_was_written() {
    let Some(server) = Server::start() else {
        return;
    };
    let moments = ["1969-12-31 23:59:59.999999", "2024-02-29"].map(Timestamp::parse);
    let table = Table::new([
        (
            "a \"b\"",
            Column::from(vec![0.1, f64::NAN, f64::NEG_INFINITY]),
        ),
        ("whole", vec![Some(i64::MIN), None, Some(7)].into()),
        ("flag", vec![Some(true), None, Some(false)].into()),
        ("text", vec![Some("a\tb\\N\nc\r"), None, Some("")].into()),
        ("at", vec![moments[0], None, moments[1]].into()),
    ])
    .unwrap();
    write_postgres(&server.database(), "Sales of \"May\"", &table).unwrap();
    let query = "SELECT * FROM \"Sales of \"\"May\"\"\"";
    assert_eq!(
        read_postgres(&server.database(), query, &[]).unwrap(),
        table
    );

    let error = write_postgres(&server.database(), "Sales of \"May\"", &table).unwrap_err();
    assert!(
        whole(&error).contains("already exists"),
        "{}",
        whole(&error)
    );
    let nul = Table::new([("text", Column::from(vec![Some("nul: \0")]))]).unwrap();
    let error = write_postgres(&server.database(), "nul", &nul).unwrap_err();
    assert!(whole(&error).contains("0x00"), "{}", whole(&error));
    let error = read_postgres(&server.database(), "SELECT * FROM nul", &[]).unwrap_err();
    assert!(whole(&error).contains("does not exist"), "nothing was left");
}

#[test]
fn parameters_take_their_places() {
    let Some(server) = Server::start() else {
        return;
    };
    let query = "SELECT n, n::text AS t FROM generate_series(1, 9) AS n
        WHERE n > $1 AND n < $2 AND n::text <> $3 AND n::float8 <> $4 AND $5
            AND timestamptz '2024-02-29' + n * interval '1 day' < $6 AND $7::int4 IS NULL";
    let params: [SqlValue; 7] = [
        2i64.into(),
        9i64.into(),
        "5".into(),
        6.0.into(),
        true.into(),
        Timestamp::parse("2024-03-07").unwrap().into(),
        SqlValue::Null,
    ];
    let table = read_postgres(&server.database(), query, &params).unwrap();
    let found: Vec<Value<'_>> = (0..table.n_rows()).map(|at| row(&table, at)[0]).collect();
    assert_eq!(found, [3, 4].map(Value::Integer));

    let wrong = |query: &str, param: SqlValue| {
        let error = read_postgres(&server.database(), query, &[param]).unwrap_err();
        assert!(matches!(error.classify(1), Retry::Never));
        whole(&error)
    };
    let error = wrong("SELECT $1::int2 AS n", 40_000i64.into());
    assert!(error.contains("out of range"), "{error}");
    let error = wrong("SELECT $1::numeric AS n", 1i64.into());
    assert!(error.contains("as in `$1::float8`"), "{error}");
}

#[test]
fn what_no_table_has_is_named_with_its_column() {
    let Some(server) = Server::start() else {
        return;
    };
    let fails = |query: &str| read_postgres(&server.database(), query, &[]).unwrap_err();
    let error = fails("SELECT 1 AS n, point(1, 2) AS place");
    let expected = "column `place` of the query `SELECT 1 AS n, point(1, 2) AS place` of `";
    assert!(error.to_string().starts_with(expected), "{error}");
    assert!(
        error
            .to_string()
            .ends_with("is of type `point`, which no table has"),
        "{error}"
    );
    let error = fails("SELECT 1 AS n, timestamp 'infinity' AS at");
    assert!(error.to_string().contains("row 0"), "{error}");
    assert!(
        error
            .to_string()
            .ends_with("`infinity` is no moment of a calendar"),
        "{error}"
    );
    assert!(matches!(
        fails("SELECT 1 AS n, 2 AS n"),
        MlError::DuplicateColumn { .. }
    ));
    for (query, words) in [
        ("SELEC 1", "syntax error"),
        ("SELECT * FROM nowhere", "does not exist"),
        ("CREATE TABLE made (n int)", "read-only transaction"),
    ] {
        let error = fails(query);
        assert!(whole(&error).contains(words), "{}", whole(&error));
        assert!(matches!(error.classify(1), Retry::Never), "{query}");
    }
}

#[test]
fn passwords_are_checked_and_never_shown() {
    let Some(server) = Server::start() else {
        return;
    };
    let wrong = Secret::new("guessed-it".to_owned());
    let database = PostgresDatabase::parse(&server.address())
        .unwrap()
        .password(&wrong);
    let error = read_postgres(&database, "SELECT 1 AS n", &[]).unwrap_err();
    assert!(
        whole(&error).contains("password authentication failed"),
        "{}",
        whole(&error)
    );
    assert!(matches!(error.classify(1), Retry::Never));
    let shown = format!(
        "{:?} {database:?} {error:?} {}",
        server.database(),
        whole(&error)
    );
    for secret in [PASSWORD, "guessed-it"] {
        assert!(!shown.contains(secret), "{shown}");
    }
}

#[test]
fn an_address_that_is_none_is_refused_without_being_repeated() {
    let address = "postgresql://ada:tr0ub4dor@db.example:port/sales";
    let error = PostgresDatabase::parse(address).unwrap_err();
    assert!(
        !format!("{error} {error:?}").contains("tr0ub4dor"),
        "{error}"
    );
    let database = PostgresDatabase::parse("postgresql://ada:tr0ub4dor@db.example/sales").unwrap();
    assert_eq!(
        format!("{database:?}"),
        "PostgresDatabase(db.example:5432/sales)"
    );
}

#[test]
fn a_server_that_is_not_there_is_asked_again() {
    // Nobody listens on a port that was just given back.
    let port = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap().port()
    };
    let address = format!("postgresql://ada@127.0.0.1:{port}/sales");
    let database = PostgresDatabase::parse(&address).unwrap();
    let error = read_postgres(&database, "SELECT 1 AS n", &[]).unwrap_err();
    assert!(
        matches!(error.classify(1), Retry::Default),
        "{}",
        whole(&error)
    );
    assert!(
        error
            .to_string()
            .contains(&format!("127.0.0.1:{port}/sales")),
        "{error}"
    );
}

#[flow]
async fn count(at_least: i64) -> Result<usize, TaskError> {
    let query = "SELECT n FROM generate_series(1, 9) AS n WHERE n >= $1";
    let table = tasks::query_postgres(query, vec![SqlValue::from(at_least)]).await?;
    Ok(table.n_rows())
}

#[orch_core::test]
async fn a_flow_asks_the_database_of_its_engine() {
    let run = TestEngine::new().run(count(1)).await;
    run.assert_state("query_postgres", State::Failed);
    let Some(server) = Server::start() else {
        return;
    };
    let engine = TestEngine::new().resource(server.database());
    let run = engine.run(count(4)).await;
    run.assert_completed();
    assert_eq!(run.result.unwrap(), 6);
}

//! Files of one JSON object a line.

use std::collections::HashMap;
use std::fmt;
use std::path::Path;

use serde::Serialize;
use serde::de::{Deserialize, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::error::{MlError, TableName};
use crate::loading::{TimestampColumns, read_bytes};
use crate::table::{Column, Table, Timestamp};

/// Reads a file of one JSON object a line, as logs and exports are often written.
///
/// The columns are the keys of all objects, in the order in which they first occur; where an object
/// has no such key, or `null`, the value is missing. A column is of type integer if all its values
/// are whole numbers without a decimal point, else float if all are numbers, boolean, or text; one
/// without any value is float. Whole numbers beyond 64 bits make a column float. Empty lines are
/// skipped. The file is held in memory while it is read, in addition to the table.
///
/// # Errors
/// [`MlError::ReadFile`], [`MlError::NotAFile`], [`MlError::EmptyFile`]; with file and line
/// [`MlError::InvalidJson`], also for a key that occurs twice in an object, [`MlError::NestedJson`] for
/// a list or an object as a value, and [`MlError::MixedTypes`] for values of different types in one
/// column.
///
/// # Source
/// pandas 3.1, `read_json(.., lines=True)`; integers with missing values stay integers here, texts
/// are never taken for dates unless [`read_json_lines_with`] is told to, and mixed types are an error
pub fn read_json_lines(path: &Path) -> Result<Table, MlError> {
    read_json_lines_with(path, &JsonLinesOptions::default())
}

/// How a file of JSON lines is read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, serde::Deserialize)]
#[serde(default)]
pub struct JsonLinesOptions {
    /// The columns of text to read as timestamps. Default: none.
    pub timestamps: TimestampColumns,
}

/// Reads a file of one JSON object a line, as [`read_json_lines`], with options.
///
/// # Errors
/// As [`read_json_lines`]; [`MlError::InvalidTimestamp`] with file and line, and
/// [`MlError::UnknownColumn`], for a column named as one of timestamps.
pub fn read_json_lines_with(path: &Path, options: &JsonLinesOptions) -> Result<Table, MlError> {
    parse(&read_bytes(path)?, Some(path), options)
}

/// Parses JSON lines that are in memory, as [`read_json_lines`].
///
/// # Errors
/// As [`read_json_lines`], without those of opening a file.
///
/// # Examples
/// ```
/// use orch_ml::parse_json_lines;
///
/// let table = parse_json_lines(br#"
/// {"city": "Oslo", "size": 3}
/// {"city": "Bergen", "size": 2.5, "port": true}
/// "#)?;
/// assert_eq!(table.column_names(), ["city", "size", "port"]);
/// assert_eq!(table.drop_missing().n_rows(), 1);
/// # Ok::<(), orch_ml::MlError>(())
/// ```
pub fn parse_json_lines(bytes: &[u8]) -> Result<Table, MlError> {
    parse_json_lines_with(bytes, &JsonLinesOptions::default())
}

/// Parses JSON lines that are in memory, as [`read_json_lines_with`].
///
/// # Errors
/// As [`read_json_lines_with`], without those of opening a file.
pub fn parse_json_lines_with(bytes: &[u8], options: &JsonLinesOptions) -> Result<Table, MlError> {
    parse(bytes, None, options)
}

fn parse(bytes: &[u8], path: Option<&Path>, options: &JsonLinesOptions) -> Result<Table, MlError> {
    let table = TableName(path.map(Path::to_path_buf));
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let mut columns = Columns::default();
    if let TimestampColumns::Named(names) = &options.timestamps {
        columns.timestamps.clone_from(names);
    }
    for (number, text) in bytes.split(|byte| *byte == b'\n').enumerate() {
        if text.trim_ascii().is_empty() {
            continue;
        }
        let line = number + 1;
        let Row(cells) = serde_json::from_slice(text).map_err(|problem| MlError::InvalidJson {
            table: table.clone(),
            line,
            problem: said(&problem),
        })?;
        columns.add(cells, line, &table)?;
    }
    if columns.n_rows == 0 {
        return Err(MlError::EmptyFile { table });
    }
    columns.finish(path, options.timestamps == TimestampColumns::Inferred)
}

/// What the parser says, without its line, which is always the first.
fn said(problem: &serde_json::Error) -> String {
    let text = problem.to_string();
    let column = problem.column();
    match text.strip_suffix(&format!(" at line 1 column {column}")) {
        Some(text) => format!("{text} at character {column}"),
        None => text,
    }
}

/// A value of a cell.
#[derive(Debug, Clone, PartialEq)]
enum Cell {
    Missing,
    Integer(i64),
    Float(f64),
    Boolean(bool),
    Text(String),
    /// What it is.
    Nested(&'static str),
}

/// An object, its keys in their order.
struct Row(Vec<(String, Cell)>);

impl<'de> Deserialize<'de> for Row {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;

        impl<'de> Visitor<'de> for Object {
            type Value = Row;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Row, A::Error> {
                let mut cells: Vec<(String, Cell)> = Vec::new();
                while let Some((key, cell)) = map.next_entry::<String, Cell>()? {
                    if cells.iter().any(|(other, _)| *other == key) {
                        return Err(A::Error::custom(format!("the key `{key}` occurs twice")));
                    }
                    cells.push((key, cell));
                }
                Ok(Row(cells))
            }
        }

        deserializer.deserialize_map(Object)
    }
}

impl<'de> Deserialize<'de> for Cell {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;

        impl<'de> Visitor<'de> for Any {
            type Value = Cell;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value")
            }

            fn visit_unit<E>(self) -> Result<Cell, E> {
                Ok(Cell::Missing)
            }

            fn visit_bool<E>(self, value: bool) -> Result<Cell, E> {
                Ok(Cell::Boolean(value))
            }

            fn visit_i64<E>(self, value: i64) -> Result<Cell, E> {
                Ok(Cell::Integer(value))
            }

            fn visit_u64<E>(self, value: u64) -> Result<Cell, E> {
                Ok(i64::try_from(value).map_or(Cell::Float(value as f64), Cell::Integer))
            }

            fn visit_f64<E>(self, value: f64) -> Result<Cell, E> {
                Ok(Cell::Float(value))
            }

            fn visit_str<E>(self, value: &str) -> Result<Cell, E> {
                Ok(Cell::Text(value.to_owned()))
            }

            fn visit_string<E>(self, value: String) -> Result<Cell, E> {
                Ok(Cell::Text(value))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Cell, A::Error> {
                while list.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Cell::Nested("a list"))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Cell, A::Error> {
                while object.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(Cell::Nested("an object"))
            }
        }

        deserializer.deserialize_any(Any)
    }
}

/// The columns so far; each ends with the last row that has a value.
#[derive(Default)]
struct Columns {
    n_rows: usize,
    names: Vec<String>,
    values: Vec<Values>,
    places: HashMap<String, usize>,
    /// The columns that are to be timestamps.
    timestamps: Vec<String>,
}

enum Values {
    /// Nothing but missing values.
    Unknown,
    Integer(Vec<Option<i64>>),
    Float(Vec<f64>),
    Boolean(Vec<Option<bool>>),
    Text(Vec<Option<String>>),
    Timestamp(Vec<Option<Timestamp>>),
}

impl Columns {
    fn add(
        &mut self,
        cells: Vec<(String, Cell)>,
        line: usize,
        table: &TableName,
    ) -> Result<(), MlError> {
        for (name, cell) in cells {
            let place = *self.places.entry(name.clone()).or_insert_with(|| {
                self.names.push(name.clone());
                self.values.push(if self.timestamps.contains(&name) {
                    Values::Timestamp(Vec::new())
                } else {
                    Values::Unknown
                });
                self.names.len() - 1
            });
            let values = &mut self.values[place];
            match values.add(cell, self.n_rows) {
                Ok(()) => {}
                Err(Cell::Nested(what)) => {
                    return Err(MlError::NestedJson {
                        table: table.clone(),
                        line,
                        column: name,
                        what,
                    });
                }
                Err(Cell::Text(value)) if matches!(values, Values::Timestamp(_)) => {
                    return Err(MlError::InvalidTimestamp {
                        table: table.clone(),
                        line,
                        column: name,
                        value,
                    });
                }
                Err(cell) => {
                    return Err(MlError::MixedTypes {
                        table: table.clone(),
                        line,
                        column: name,
                        expected: values.type_name(),
                        found: cell.type_name(),
                    });
                }
            }
        }
        self.n_rows += 1;
        Ok(())
    }

    fn finish(self, path: Option<&Path>, infers_timestamps: bool) -> Result<Table, MlError> {
        let n_rows = self.n_rows;
        let columns = self.values.into_iter().map(|values| {
            let values = if infers_timestamps {
                values.inferred()
            } else {
                values
            };
            values.finish(n_rows)
        });
        let table = Table::new(self.names.into_iter().zip(columns))?.read_from(path);
        for name in &self.timestamps {
            table.column(name)?;
        }
        Ok(table)
    }
}

impl Cell {
    fn type_name(&self) -> &'static str {
        match self {
            Cell::Missing => "missing",
            Cell::Integer(_) => "integer",
            Cell::Float(_) => "float",
            Cell::Boolean(_) => "boolean",
            Cell::Text(_) => "text",
            Cell::Nested(what) => what,
        }
    }
}

impl Values {
    fn type_name(&self) -> &'static str {
        match self {
            Values::Unknown => "missing",
            Values::Integer(_) => "integer",
            Values::Float(_) => "float",
            Values::Boolean(_) => "boolean",
            Values::Text(_) => "text",
            Values::Timestamp(_) => "timestamp",
        }
    }

    /// Timestamps, if all values are texts that name one.
    fn inferred(self) -> Self {
        let Values::Text(texts) = &self else {
            return self;
        };
        let parsed = |text: &Option<String>| match text {
            None => Some(None),
            Some(text) => Timestamp::parse(text).map(Some),
        };
        match texts.iter().map(parsed).collect::<Option<Vec<_>>>() {
            Some(timestamps) => Values::Timestamp(timestamps),
            None => self,
        }
    }

    /// Puts a value at a row; gives it back if it does not fit.
    fn add(&mut self, cell: Cell, row_idx: usize) -> Result<(), Cell> {
        match (&mut *self, &cell) {
            (_, Cell::Missing) => return Ok(()),
            (_, Cell::Nested(_)) => return Err(cell),
            (Values::Unknown, Cell::Integer(_)) => *self = Values::Integer(Vec::new()),
            (Values::Unknown, Cell::Float(_)) => *self = Values::Float(Vec::new()),
            (Values::Unknown, Cell::Boolean(_)) => *self = Values::Boolean(Vec::new()),
            (Values::Unknown, Cell::Text(_)) => *self = Values::Text(Vec::new()),
            (Values::Integer(values), Cell::Float(_)) => {
                let floats = values
                    .iter()
                    .map(|value| value.map_or(f64::NAN, |value| value as f64));
                *self = Values::Float(floats.collect());
            }
            _ => {}
        }
        match (self, cell) {
            (Values::Integer(values), Cell::Integer(value)) => {
                put(values, row_idx, Some(value), None)
            }
            (Values::Float(values), Cell::Float(value)) => put(values, row_idx, value, f64::NAN),
            (Values::Float(values), Cell::Integer(value)) => {
                put(values, row_idx, value as f64, f64::NAN);
            }
            (Values::Boolean(values), Cell::Boolean(value)) => {
                put(values, row_idx, Some(value), None)
            }
            (Values::Text(values), Cell::Text(value)) => put(values, row_idx, Some(value), None),
            (Values::Timestamp(values), Cell::Text(value)) => match Timestamp::parse(&value) {
                Some(timestamp) => put(values, row_idx, Some(timestamp), None),
                None => return Err(Cell::Text(value)),
            },
            (_, cell) => return Err(cell),
        }
        Ok(())
    }

    fn finish(self, n_rows: usize) -> Column {
        match self {
            Values::Unknown => vec![f64::NAN; n_rows].into(),
            Values::Integer(mut values) => {
                values.resize(n_rows, None);
                values.into()
            }
            Values::Float(mut values) => {
                values.resize(n_rows, f64::NAN);
                values.into()
            }
            Values::Boolean(mut values) => {
                values.resize(n_rows, None);
                values.into()
            }
            Values::Text(mut values) => {
                values.resize(n_rows, None);
                values.into()
            }
            Values::Timestamp(mut values) => {
                values.resize(n_rows, None);
                values.into()
            }
        }
    }
}

fn put<T: Clone>(values: &mut Vec<T>, row_idx: usize, value: T, absent: T) {
    values.resize(row_idx, absent);
    values.push(value);
}

//! CSV files to tables.

mod bytes;
mod cells;
mod columns;
mod parsing;
mod segments;

use std::collections::HashSet;
use std::path::Path;

use serde::{Deserialize, Serialize};

use self::bytes::Scanned;
pub(crate) use self::bytes::read_bytes;
use self::cells::{CellRules, MissingWords};
use self::segments::{FirstRecord, Segment};
use crate::error::{MlError, TableName};
use crate::table::Table;

/// The words that pandas reads as a missing value unless told otherwise; the empty cell is always
/// one.
const MISSING_WORDS: [&str; 18] = [
    "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>",
    "N/A", "NA", "NULL", "NaN", "None", "n/a", "nan", "null",
];

/// How a CSV file is written.
///
/// # Examples
/// ```
/// use orch_ml::{CsvOptions, parse_csv};
///
/// let options = CsvOptions { delimiter: b';', ..CsvOptions::default() };
/// let table = parse_csv(b"x;y\n1;2.5\n", &options)?;
/// assert_eq!(table.column_names(), ["x", "y"]);
/// # Ok::<(), orch_ml::MlError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CsvOptions {
    /// The byte between cells. Default: a comma. Not a quote, a letter, a digit or a line end.
    pub delimiter: u8,
    /// Whether the first line names the columns. Default: true. Without, they are called
    /// `column_1`, `column_2` and so on.
    pub has_header: bool,
    /// The columns to read, in the order they shall have. Default: all.
    pub columns: Option<Vec<String>>,
    /// The cells that mean "no value", besides the empty one. Default: the words of pandas
    /// (`NA`, `N/A`, `null`, `nan`, `None` and others).
    pub missing_words: Vec<String>,
    /// The columns to read as timestamps. Default: none.
    #[serde(default)]
    pub timestamps: TimestampColumns,
}

/// Which columns of a file are read as timestamps; [`Timestamp::parse`](crate::Timestamp::parse) says
/// which cells are understood.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum TimestampColumns {
    /// None: dates stay text, as in pandas unless told otherwise.
    #[default]
    Never,
    /// Those that have a value and all whose values are dates or times.
    Inferred,
    /// Those of these names; another value there is an error.
    Named(Vec<String>),
}

impl Default for CsvOptions {
    fn default() -> Self {
        Self {
            delimiter: b',',
            has_header: true,
            columns: None,
            missing_words: MISSING_WORDS
                .iter()
                .map(|word| (*word).to_owned())
                .collect(),
            timestamps: TimestampColumns::Never,
        }
    }
}

/// Reads a CSV file, on all threads of the current rayon pool.
///
/// Cells may be quoted by `"`, a quote inside them is doubled, and they may span lines. Lines end
/// in `\n` or `\r\n`. A byte-order mark is skipped, as are lines that are empty or hold only
/// spaces. A column is of type integer if all its values are, else float if all are numbers,
/// boolean if all are `true`, `True`, `TRUE`, `false`, `False` or `FALSE`, else text; one without
/// any value is float. Dates and times are text unless [`timestamps`](CsvOptions::timestamps) asks for
/// them. Two differences from pandas: integers with missing values stay integers,
/// and whole numbers beyond 64 bits make a column float.
///
/// A file with a header and nothing else is a table of 0 rows. The file is held in memory while it
/// is read, in addition to the table.
///
/// # Errors
/// [`MlError::ReadFile`], [`MlError::NotAFile`], [`MlError::EmptyFile`], and with file and line
/// [`MlError::RaggedRow`] (too few cells are an error too, other than in pandas),
/// [`MlError::UnclosedQuote`], [`MlError::InvalidUtf8`] and [`MlError::InvalidTimestamp`]; [`MlError::DuplicateColumn`];
/// [`MlError::UnknownColumn`] and [`MlError::InvalidOption`] for the options.
///
/// # Source
/// Types and missing words follow pandas 3.1 `read_csv`; quoting follows the `csv-core` crate.
pub fn read_csv(path: &Path, options: &CsvOptions) -> Result<Table, MlError> {
    let scanned = bytes::read_file(path)?;
    parse(&scanned, Some(path), options)
}

/// Parses CSV text that is in memory, as [`read_csv`].
///
/// # Errors
/// As [`read_csv`], without those of opening a file.
pub fn parse_csv(bytes: &[u8], options: &CsvOptions) -> Result<Table, MlError> {
    parse(&bytes::scan(bytes), None, options)
}

/// Parses the CSV text of a file that is in memory.
#[cfg(feature = "http")]
pub(crate) fn parse_csv_of(
    bytes: &[u8],
    name: &Path,
    options: &CsvOptions,
) -> Result<Table, MlError> {
    parse(&bytes::scan(bytes), Some(name), options)
}

/// What is known of a file before its rows are parsed.
struct Layout<'a> {
    name: TableName,
    delimiter: u8,
    rules: CellRules,
    /// Positions of the columns that are to be timestamps.
    timestamps: Vec<usize>,
    names: Vec<String>,
    segments: Vec<Segment<'a>>,
}

fn parse(
    scanned: &Scanned<'_>,
    path: Option<&Path>,
    options: &CsvOptions,
) -> Result<Table, MlError> {
    let name = TableName(path.map(Path::to_path_buf));
    let delimiter = checked_delimiter(options.delimiter)?;
    let first = segments::first_record(scanned, delimiter).ok_or_else(|| MlError::EmptyFile {
        table: name.clone(),
    })?;
    let (names, body_start) = if options.has_header {
        (header_names(&first, &name)?, first.end)
    } else {
        let numbers = 1..=first.cells.len();
        (
            numbers.map(|number| format!("column_{number}")).collect(),
            scanned.start(),
        )
    };
    let segments =
        segments::cut(scanned, body_start, delimiter).map_err(|line| MlError::UnclosedQuote {
            table: name.clone(),
            line,
        })?;
    let rules = CellRules {
        missing: MissingWords::new(&options.missing_words),
        infers_timestamps: options.timestamps == TimestampColumns::Inferred,
    };
    let mut layout = Layout {
        name,
        delimiter,
        rules,
        timestamps: Vec::new(),
        names,
        segments,
    };

    let wanted = match &options.columns {
        None => (0..layout.names.len()).collect(),
        Some(columns) => positions_of(columns, &layout)?,
    };
    if let TimestampColumns::Named(columns) = &options.timestamps {
        layout.timestamps = positions_of(columns, &layout)?;
        layout
            .timestamps
            .retain(|position| wanted.contains(position));
    }
    let mut columns = columns::read_columns(&layout, &wanted)?;
    let named = wanted.iter().map(|position| {
        let column = columns[*position]
            .take()
            .expect("each column was wanted once");
        (layout.names[*position].clone(), column)
    });
    Ok(Table::new(named)?.read_from(path))
}

fn checked_delimiter(delimiter: u8) -> Result<u8, MlError> {
    let unusable = matches!(delimiter, b'"' | b'\n' | b'\r' | b'.' | b'+' | b'-')
        || delimiter.is_ascii_alphanumeric()
        || !delimiter.is_ascii();
    if unusable {
        return Err(MlError::InvalidOption {
            name: "delimiter",
            value: char::from(delimiter).escape_default().to_string(),
            expected: "an ASCII character that is no quote, line end, letter, digit, sign or dot",
        });
    }
    Ok(delimiter)
}

fn header_names(header: &FirstRecord, table: &TableName) -> Result<Vec<String>, MlError> {
    let mut names = Vec::with_capacity(header.cells.len());
    let mut seen = HashSet::new();
    for (position, cell) in header.cells.iter().enumerate() {
        let name = match std::str::from_utf8(cell) {
            // What pandas calls the column of row numbers that its own `to_csv` writes.
            Ok("") => format!("Unnamed: {position}"),
            Ok(name) => name.to_owned(),
            Err(_) => {
                return Err(MlError::InvalidUtf8 {
                    table: table.clone(),
                    line: header.line,
                    column: (position + 1).to_string(),
                    value: String::from_utf8_lossy(cell).into_owned(),
                });
            }
        };
        if !seen.insert(name.clone()) {
            return Err(MlError::DuplicateColumn {
                column: name,
                table: table.clone(),
            });
        }
        names.push(name);
    }
    Ok(names)
}

/// Where the columns of these names are, none of them twice.
fn positions_of(columns: &[String], layout: &Layout<'_>) -> Result<Vec<usize>, MlError> {
    let mut positions = Vec::with_capacity(columns.len());
    for name in columns {
        let position = layout
            .names
            .iter()
            .position(|other| other == name)
            .ok_or_else(|| MlError::UnknownColumn {
                column: name.clone(),
                table: layout.name.clone(),
                columns: layout.names.clone(),
            })?;
        if positions.contains(&position) {
            let table = layout.name.clone();
            return Err(MlError::DuplicateColumn {
                column: name.clone(),
                table,
            });
        }
        positions.push(position);
    }
    Ok(positions)
}

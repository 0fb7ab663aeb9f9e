//! The columns of a query while its rows come.

use crate::table::{Column, Timestamp};

/// A value of a row.
pub(super) enum Cell<'a> {
    Null,
    Integer(i64),
    Float(f64),
    Text(&'a str),
}

/// A value that does not fit, and why.
type Wrong = (String, &'static str);

/// What the table of a column says of it.
#[derive(Clone, Copy, PartialEq)]
enum Declared {
    Nothing,
    Integer,
    Float,
    Boolean,
    Text,
    Timestamp,
}

impl Declared {
    /// By parts of the type's name, as SQLite tells affinities apart.
    fn of(declared: Option<&str>) -> Self {
        let name = declared.unwrap_or_default().to_ascii_uppercase();
        let has = |part| name.contains(part);
        // `INT` is also in `POINT`; so has SQLite it.
        if has("INT") {
            Self::Integer
        } else if has("BOOL") {
            Self::Boolean
        } else if has("DATE") || has("TIMESTAMP") {
            Self::Timestamp
        } else if has("CHAR") || has("CLOB") || has("TEXT") {
            Self::Text
        } else if has("REAL") || has("FLOA") || has("DOUB") {
            Self::Float
        } else {
            Self::Nothing
        }
    }
}

/// A column so far; each list has a place for every row.
pub(super) struct Draft {
    pub(super) name: String,
    declared: Declared,
    values: Values,
}

enum Values {
    /// So many missing ones.
    Missing(usize),
    Integer(Vec<Option<i64>>),
    Float(Vec<f64>),
    Text(Vec<Option<String>>),
}

impl Draft {
    pub(super) fn new(name: &str, declared: Option<&str>) -> Self {
        Self {
            name: name.to_owned(),
            declared: Declared::of(declared),
            values: Values::Missing(0),
        }
    }

    /// Puts the value of the next row to the others.
    pub(super) fn add(&mut self, cell: Cell<'_>) -> Result<(), Wrong> {
        if let Values::Missing(n_rows) = self.values {
            self.values = match cell {
                Cell::Null => Values::Missing(n_rows),
                Cell::Integer(_) if self.declared != Declared::Float => {
                    Values::Integer(vec![None; n_rows])
                }
                Cell::Integer(_) | Cell::Float(_) => Values::Float(vec![f64::NAN; n_rows]),
                Cell::Text(_) => Values::Text(vec![None; n_rows]),
            };
        }
        if let (Values::Integer(values), Cell::Float(_)) = (&self.values, &cell) {
            let floats = values
                .iter()
                .map(|value| value.map_or(f64::NAN, |value| value as f64));
            self.values = Values::Float(floats.collect());
        }
        match (&mut self.values, cell) {
            (Values::Missing(n_rows), _) => *n_rows += 1,
            (Values::Integer(values), Cell::Null) => values.push(None),
            (Values::Integer(values), Cell::Integer(value)) => values.push(Some(value)),
            (Values::Float(values), Cell::Null) => values.push(f64::NAN),
            (Values::Float(values), Cell::Integer(value)) => values.push(value as f64),
            (Values::Float(values), Cell::Float(value)) => values.push(value),
            (Values::Text(values), Cell::Null) => values.push(None),
            (Values::Text(values), Cell::Text(value)) => values.push(Some(value.to_owned())),
            (_, Cell::Text(value)) => {
                return Err((value.to_owned(), "text in a column of numbers"));
            }
            (_, Cell::Integer(value)) => {
                return Err((value.to_string(), "a number in a column of text"));
            }
            (_, Cell::Float(value)) => {
                return Err((value.to_string(), "a number in a column of text"));
            }
        }
        Ok(())
    }

    /// The column, or the first row whose value is not of the declared type.
    pub(super) fn finish(self) -> Result<Column, (usize, String, &'static str)> {
        Ok(match (self.values, self.declared) {
            (Values::Missing(n_rows), declared) => match declared {
                Declared::Integer => vec![None::<i64>; n_rows].into(),
                Declared::Boolean => vec![None::<bool>; n_rows].into(),
                Declared::Text => vec![None::<&str>; n_rows].into(),
                Declared::Timestamp => vec![None::<Timestamp>; n_rows].into(),
                Declared::Float | Declared::Nothing => vec![f64::NAN; n_rows].into(),
            },
            (Values::Integer(values), Declared::Boolean) => {
                let boolean = |(row_idx, value): (usize, &Option<i64>)| match value {
                    None => Ok(None),
                    Some(0) => Ok(Some(false)),
                    Some(1) => Ok(Some(true)),
                    Some(other) => Err((
                        row_idx,
                        other.to_string(),
                        "neither 0 nor 1, in a column of booleans",
                    )),
                };
                let booleans = values.iter().enumerate().map(boolean);
                booleans.collect::<Result<Vec<_>, _>>()?.into()
            }
            (Values::Text(values), Declared::Timestamp) => {
                let moment = |(row_idx, value): (usize, &Option<String>)| match value {
                    None => Ok(None),
                    Some(text) => match Timestamp::parse(text) {
                        Some(timestamp) => Ok(Some(timestamp)),
                        None => {
                            let problem = "no date or time such as `2024-02-29 18:30:00`";
                            Err((row_idx, text.clone(), problem))
                        }
                    },
                };
                let moments = values.iter().enumerate().map(moment);
                moments.collect::<Result<Vec<_>, _>>()?.into()
            }
            (Values::Integer(values), _) => values.into(),
            (Values::Float(values), _) => values.into(),
            (Values::Text(values), _) => values.into(),
        })
    }
}

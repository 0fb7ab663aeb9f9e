//! The columns of a query while its rows come.

use postgres::Row;
use postgres::types::Type;

use super::values::{Moment, Numeric};
use crate::table::{Column, Timestamp};

/// A column so far.
pub(super) struct Draft {
    pub(super) name: String,
    values: Values,
}

enum Values {
    Boolean(Vec<Option<bool>>),
    Short(Vec<Option<i64>>),
    Integer(Vec<Option<i64>>),
    Long(Vec<Option<i64>>),
    Real(Vec<f64>),
    Double(Vec<f64>),
    Numeric(Vec<f64>),
    Text(Vec<Option<String>>),
    Timestamp(Vec<Option<Timestamp>>),
}

impl Draft {
    /// Starts a column; `None` for a type that no table has.
    pub(super) fn new(name: &str, sql_type: &Type) -> Option<Self> {
        let values = match *sql_type {
            Type::BOOL => Values::Boolean(Vec::new()),
            Type::INT2 => Values::Short(Vec::new()),
            Type::INT4 => Values::Integer(Vec::new()),
            Type::INT8 => Values::Long(Vec::new()),
            Type::FLOAT4 => Values::Real(Vec::new()),
            Type::FLOAT8 => Values::Double(Vec::new()),
            Type::NUMERIC => Values::Numeric(Vec::new()),
            Type::TEXT | Type::VARCHAR | Type::BPCHAR | Type::NAME | Type::UNKNOWN => {
                Values::Text(Vec::new())
            }
            Type::DATE | Type::TIMESTAMP | Type::TIMESTAMPTZ => Values::Timestamp(Vec::new()),
            _ => return None,
        };
        Some(Self {
            name: name.to_owned(),
            values,
        })
    }

    /// Puts the value of the next row to the others; returns it if it is none of a table, and why.
    pub(super) fn add(
        &mut self,
        row: &Row,
        at: usize,
    ) -> Result<Option<(String, &'static str)>, postgres::Error> {
        match &mut self.values {
            Values::Boolean(values) => values.push(row.try_get(at)?),
            Values::Short(values) => {
                values.push(row.try_get::<_, Option<i16>>(at)?.map(i64::from));
            }
            Values::Integer(values) => {
                values.push(row.try_get::<_, Option<i32>>(at)?.map(i64::from));
            }
            Values::Long(values) => values.push(row.try_get(at)?),
            Values::Real(values) => {
                let value: Option<f32> = row.try_get(at)?;
                values.push(value.map_or(f64::NAN, f64::from));
            }
            Values::Double(values) => {
                values.push(row.try_get::<_, Option<f64>>(at)?.unwrap_or(f64::NAN));
            }
            Values::Numeric(values) => {
                let value: Option<Numeric> = row.try_get(at)?;
                values.push(value.map_or(f64::NAN, |Numeric(value)| value));
            }
            Values::Text(values) => values.push(row.try_get(at)?),
            Values::Timestamp(values) => match row.try_get(at)? {
                None => values.push(None),
                Some(Moment::At(moment)) => values.push(Some(moment)),
                Some(Moment::Never(word)) => {
                    return Ok(Some((word.to_owned(), "no moment of a calendar")));
                }
            },
        }
        Ok(None)
    }

    pub(super) fn finish(self) -> (String, Column) {
        let column = match self.values {
            Values::Boolean(values) => values.into(),
            Values::Short(values) | Values::Integer(values) | Values::Long(values) => values.into(),
            Values::Real(values) | Values::Double(values) | Values::Numeric(values) => {
                values.into()
            }
            Values::Text(values) => values.into(),
            Values::Timestamp(values) => values.into(),
        };
        (self.name, column)
    }
}

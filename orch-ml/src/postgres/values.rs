//! Values as PostgreSQL sends and takes them.

use std::error::Error;
use std::fmt::Write as _;

use bytes::BytesMut;
use postgres::types::{FromSql, IsNull, ToSql, Type, to_sql_checked};

use crate::calendar::{MICROSECONDS, SECONDS_PER_DAY};
use crate::sql::SqlValue;
use crate::table::{Timestamp, Value};

type BoxError = Box<dyn Error + Sync + Send>;

/// Days from the beginning of 1970, from which we count, to that of 2000, from which they do.
const EPOCH_DAYS: i64 = 10_957;

/// A date or a timestamp.
pub(super) enum Moment {
    At(Timestamp),
    /// `infinity`, `-infinity`.
    Never(&'static str),
}

impl<'a> FromSql<'a> for Moment {
    fn from_sql(ty: &Type, raw: &'a [u8]) -> Result<Self, BoxError> {
        let (count, unit, least, most) = if *ty == Type::DATE {
            let days = i32::from_sql(&Type::INT4, raw)?;
            let day = SECONDS_PER_DAY * MICROSECONDS;
            (
                i64::from(days),
                day,
                i64::from(i32::MIN),
                i64::from(i32::MAX),
            )
        } else {
            (i64::from_sql(&Type::INT8, raw)?, 1, i64::MIN, i64::MAX)
        };
        if count == least || count == most {
            let word = if count == most {
                "infinity"
            } else {
                "-infinity"
            };
            return Ok(Self::Never(word));
        }
        let epoch = EPOCH_DAYS * SECONDS_PER_DAY * MICROSECONDS;
        let microseconds = count
            .checked_mul(unit)
            .and_then(|since| since.checked_add(epoch))
            .ok_or("a date that is too far away")?;
        Ok(Self::At(Timestamp::from_microseconds(microseconds)))
    }

    fn accepts(ty: &Type) -> bool {
        matches!(*ty, Type::DATE | Type::TIMESTAMP | Type::TIMESTAMPTZ)
    }
}

/// A `numeric`, as the nearest float.
pub(super) struct Numeric(pub(super) f64);

impl<'a> FromSql<'a> for Numeric {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, BoxError> {
        let word = |at: usize| -> Result<u16, BoxError> {
            let bytes = raw
                .get(2 * at..2 * at + 2)
                .ok_or("a numeric that is cut off")?;
            Ok(u16::from_be_bytes([bytes[0], bytes[1]]))
        };
        let n_groups = word(0)?;
        let weight = i32::from(word(1)?.cast_signed());
        let sign = match word(2)? {
            0x0000 => "",
            0x4000 => "-",
            0xC000 => return Ok(Self(f64::NAN)),
            0xD000 => return Ok(Self(f64::INFINITY)),
            0xF000 => return Ok(Self(f64::NEG_INFINITY)),
            _ => return Err("a numeric of no known sign".into()),
        };
        // Groups of four decimal digits, the first of them times 10,000 to the weight.
        let mut text = format!("{sign}0");
        for group in 0..n_groups {
            write!(text, "{:04}", word(4 + usize::from(group))?)?;
        }
        write!(text, "e{}", 4 * (weight + 1 - i32::from(n_groups)))?;
        Ok(Self(text.parse()?))
    }

    fn accepts(ty: &Type) -> bool {
        *ty == Type::NUMERIC
    }
}

impl ToSql for SqlValue {
    fn to_sql(&self, ty: &Type, out: &mut BytesMut) -> Result<IsNull, BoxError> {
        match (self, ty) {
            (Self::Null, _) => Ok(IsNull::Yes),
            (Self::Integer(value), &Type::INT2) => i16::try_from(*value)?.to_sql(ty, out),
            (Self::Integer(value), &Type::INT4) => i32::try_from(*value)?.to_sql(ty, out),
            (Self::Integer(value), &Type::INT8) => value.to_sql(ty, out),
            (Self::Integer(value), &Type::FLOAT4) => (*value as f32).to_sql(ty, out),
            (Self::Integer(value), &Type::FLOAT8) => (*value as f64).to_sql(ty, out),
            (Self::Float(value), &Type::FLOAT4) => (*value as f32).to_sql(ty, out),
            (Self::Float(value), &Type::FLOAT8) => value.to_sql(ty, out),
            (Self::Boolean(value), &Type::BOOL) => value.to_sql(ty, out),
            (Self::Text(value), ty) if <&str as ToSql>::accepts(ty) => value.to_sql(ty, out),
            (Self::Timestamp(value), &Type::TIMESTAMP | &Type::TIMESTAMPTZ) => {
                let epoch = EPOCH_DAYS * SECONDS_PER_DAY * MICROSECONDS;
                let since = value.as_microseconds().checked_sub(epoch);
                since
                    .ok_or("a moment that is too far away")?
                    .to_sql(&Type::INT8, out)
            }
            (value, ty) => {
                let problem = format!(
                    "`{value}` cannot be passed for a parameter of type `{ty}`: write the type that it \
                     has into the query, as in `$1::float8`"
                );
                Err(problem.into())
            }
        }
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

/// Writes a cell in the text format of `COPY`.
pub(super) fn write_cell(value: Value<'_>, line: &mut String) {
    // Writing to a `String` cannot fail.
    let _ = match value {
        Value::Missing => line.write_str("\\N"),
        Value::Float(f64::INFINITY) => line.write_str("Infinity"),
        Value::Float(f64::NEG_INFINITY) => line.write_str("-Infinity"),
        Value::Float(value) => write!(line, "{value:?}"),
        Value::Integer(value) => write!(line, "{value}"),
        Value::Boolean(value) => line.write_str(if value { "t" } else { "f" }),
        Value::Timestamp(value) => write!(line, "{value}+00"),
        Value::Text(text) => {
            for character in text.chars() {
                match character {
                    '\\' => line.push_str("\\\\"),
                    '\n' => line.push_str("\\n"),
                    '\r' => line.push_str("\\r"),
                    '\t' => line.push_str("\\t"),
                    other => line.push(other),
                }
            }
            Ok(())
        }
    };
}

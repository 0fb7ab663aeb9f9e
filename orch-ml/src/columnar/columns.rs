//! Columns of a table from arrays.

use arrow_array::cast::AsArray as _;
use arrow_array::types::{
    ArrowPrimitiveType, ArrowTimestampType, Date32Type, Date64Type, Decimal128Type, Float16Type,
    Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, TimestampMicrosecondType,
    TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType, UInt8Type, UInt16Type,
    UInt32Type, UInt64Type,
};
use arrow_array::{AnyDictionaryArray, Array};
use arrow_schema::{DataType, Field, TimeUnit};

use crate::calendar::{MICROSECONDS, SECONDS_PER_DAY};
use crate::error::{MlError, TableName};
use crate::table::{Column, Timestamp};

/// Why a value is none of a table.
const TOO_LARGE: &str = "more than an integer holds, 2^63 - 1";
const TOO_FAR: &str = "too far away for a timestamp of microseconds";

/// Makes a column of the arrays of all batches.
pub(super) fn column_of(field: &Field, arrays: &[&dyn Array]) -> Result<Column, MlError> {
    let kind = match field.data_type() {
        DataType::Dictionary(_, values) => values,
        other => other,
    };
    let float = |values: Vec<f64>| Ok(Column::from(values));
    let wrong = |(row_idx, value, problem): (usize, String, &'static str)| MlError::ColumnValue {
        table: TableName(None),
        row_idx,
        column: field.name().clone(),
        value,
        problem,
    };
    if let DataType::Dictionary(..) = field.data_type() {
        return match kind {
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => Ok(dictionaries(arrays)),
            _ => Err(unknown(field)),
        };
    }
    match kind {
        DataType::Null => float(vec![f64::NAN; arrays.iter().map(|array| array.len()).sum()]),
        DataType::Boolean => {
            let values = arrays.iter().flat_map(|array| array.as_boolean().iter());
            Ok(values.collect::<Vec<Option<bool>>>().into())
        }
        DataType::Int8 => Ok(integers::<Int8Type>(arrays)),
        DataType::Int16 => Ok(integers::<Int16Type>(arrays)),
        DataType::Int32 => Ok(integers::<Int32Type>(arrays)),
        DataType::Int64 => Ok(integers::<Int64Type>(arrays)),
        DataType::UInt8 => Ok(integers::<UInt8Type>(arrays)),
        DataType::UInt16 => Ok(integers::<UInt16Type>(arrays)),
        DataType::UInt32 => Ok(integers::<UInt32Type>(arrays)),
        DataType::UInt64 => {
            let integer = |value: u64| i64::try_from(value).map_err(|_| TOO_LARGE);
            let values = checked::<UInt64Type, _>(arrays, |value| value.to_string(), integer);
            Ok(values.map_err(wrong)?.into())
        }
        DataType::Float16 => float(floats::<Float16Type>(arrays, |value| value.to_f64())),
        DataType::Float32 => float(floats::<Float32Type>(arrays, f64::from)),
        DataType::Float64 => float(floats::<Float64Type>(arrays, |value| value)),
        DataType::Decimal128(_, scale) => {
            // The nearest float to the decimal number.
            let number = |value: i128| {
                let text = format!("{value}e{}", -i32::from(*scale));
                text.parse().expect("a number and an exponent")
            };
            float(floats::<Decimal128Type>(arrays, number))
        }
        DataType::Utf8 => Ok(texts(
            arrays.iter().flat_map(|array| array.as_string::<i32>()),
        )),
        DataType::LargeUtf8 => Ok(texts(
            arrays.iter().flat_map(|array| array.as_string::<i64>()),
        )),
        DataType::Utf8View => Ok(texts(
            arrays.iter().flat_map(|array| array.as_string_view()),
        )),
        DataType::Date32 => {
            let day = SECONDS_PER_DAY * MICROSECONDS;
            let moment = |value: i32| Ok(Timestamp::from_microseconds(i64::from(value) * day));
            let values = checked::<Date32Type, _>(arrays, |value| value.to_string(), moment);
            Ok(values.map_err(wrong)?.into())
        }
        DataType::Date64 => {
            let values = moments::<Date64Type>(arrays, |value| value.checked_mul(1_000));
            Ok(values.map_err(wrong)?.into())
        }
        DataType::Timestamp(unit, _) => {
            let values = match unit {
                TimeUnit::Second => timestamps::<TimestampSecondType>(arrays),
                TimeUnit::Millisecond => timestamps::<TimestampMillisecondType>(arrays),
                TimeUnit::Microsecond => timestamps::<TimestampMicrosecondType>(arrays),
                TimeUnit::Nanosecond => timestamps::<TimestampNanosecondType>(arrays),
            };
            Ok(values.map_err(wrong)?.into())
        }
        _ => Err(unknown(field)),
    }
}

fn unknown(field: &Field) -> MlError {
    MlError::ColumnType {
        table: TableName(None),
        column: field.name().clone(),
        found: field.data_type().to_string(),
    }
}

fn integers<T: ArrowPrimitiveType>(arrays: &[&dyn Array]) -> Column
where
    T::Native: Into<i64>,
{
    let values = arrays.iter().flat_map(|array| array.as_primitive::<T>());
    let values = values.map(|value| value.map(Into::into));
    values.collect::<Vec<Option<i64>>>().into()
}

fn floats<T: ArrowPrimitiveType>(
    arrays: &[&dyn Array],
    number: impl Fn(T::Native) -> f64,
) -> Vec<f64> {
    let values = arrays.iter().flat_map(|array| array.as_primitive::<T>());
    values
        .map(|value| value.map_or(f64::NAN, &number))
        .collect()
}

/// Values that may not fit: the row of the first one that does not, and why.
fn checked<T: ArrowPrimitiveType, R>(
    arrays: &[&dyn Array],
    shown: impl Fn(T::Native) -> String,
    make: impl Fn(T::Native) -> Result<R, &'static str>,
) -> Result<Vec<Option<R>>, (usize, String, &'static str)> {
    let values = arrays.iter().flat_map(|array| array.as_primitive::<T>());
    let made = values.enumerate().map(|(row_idx, value)| match value {
        None => Ok(None),
        Some(value) => {
            let made = make(value).map(Some);
            made.map_err(|problem| (row_idx, shown(value), problem))
        }
    });
    made.collect()
}

fn moments<T: ArrowPrimitiveType<Native = i64>>(
    arrays: &[&dyn Array],
    microseconds: impl Fn(i64) -> Option<i64>,
) -> Result<Vec<Option<Timestamp>>, (usize, String, &'static str)> {
    checked::<T, _>(
        arrays,
        |value| value.to_string(),
        |value| {
            let microseconds = microseconds(value).ok_or(TOO_FAR)?;
            Ok(Timestamp::from_microseconds(microseconds))
        },
    )
}

fn timestamps<T: ArrowTimestampType>(
    arrays: &[&dyn Array],
) -> Result<Vec<Option<Timestamp>>, (usize, String, &'static str)> {
    moments::<T>(arrays, |value| match T::UNIT {
        TimeUnit::Second => value.checked_mul(MICROSECONDS),
        TimeUnit::Millisecond => value.checked_mul(1_000),
        TimeUnit::Microsecond => Some(value),
        TimeUnit::Nanosecond => Some(value.div_euclid(1_000)),
    })
}

fn texts<'a>(values: impl Iterator<Item = Option<&'a str>>) -> Column {
    values.collect::<Vec<Option<&str>>>().into()
}

fn dictionaries(arrays: &[&dyn Array]) -> Column {
    let mut values: Vec<Option<&str>> = Vec::new();
    for array in arrays {
        let dictionary: &dyn AnyDictionaryArray = array.as_any_dictionary();
        let words: Vec<Option<&str>> = match dictionary.values().data_type() {
            DataType::Utf8 => dictionary.values().as_string::<i32>().iter().collect(),
            DataType::LargeUtf8 => dictionary.values().as_string::<i64>().iter().collect(),
            _ => dictionary.values().as_string_view().iter().collect(),
        };
        let keys = dictionary.normalized_keys();
        let word = |(row, key): (usize, &usize)| {
            let is_there = !dictionary.keys().is_null(row);
            words.get(*key).copied().flatten().filter(|_| is_there)
        };
        values.extend(keys.iter().enumerate().map(word));
    }
    values.into()
}

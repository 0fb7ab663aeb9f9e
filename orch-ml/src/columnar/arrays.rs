//! Arrays from columns of a table.

use std::sync::Arc;

use arrow_array::{
    Array, ArrayRef, BooleanArray, Float64Array, Int64Array, StringArray, TimestampMicrosecondArray,
};
use arrow_schema::Field;

use crate::table::{Column, Value};

/// Makes the array of a column.
pub(super) fn array_of(name: &str, column: &Column) -> (Field, ArrayRef) {
    let cells = || (0..column.len()).map(|row_idx| column.value(row_idx));
    let array: ArrayRef = match column {
        Column::Float(values) => {
            let values = values
                .iter()
                .map(|value| (!value.is_nan()).then_some(*value));
            Arc::new(values.collect::<Float64Array>())
        }
        Column::Integer(..) => {
            let values = cells().map(|cell| match cell {
                Value::Integer(value) => Some(value),
                _ => None,
            });
            Arc::new(values.collect::<Int64Array>())
        }
        Column::Boolean(..) => {
            let values = cells().map(|cell| match cell {
                Value::Boolean(value) => Some(value),
                _ => None,
            });
            Arc::new(values.collect::<BooleanArray>())
        }
        Column::Text(_) => {
            let values = cells().map(|cell| match cell {
                Value::Text(value) => Some(value),
                _ => None,
            });
            Arc::new(values.collect::<StringArray>())
        }
        Column::Timestamp(..) => {
            let values = cells().map(|cell| match cell {
                Value::Timestamp(value) => Some(value.as_microseconds()),
                _ => None,
            });
            let array = values.collect::<TimestampMicrosecondArray>();
            Arc::new(array.with_timezone("UTC"))
        }
    };
    (Field::new(name, array.data_type().clone(), true), array)
}

//! Columns of timestamps: made of texts, and their means.

use super::{Column, Table, Timestamp, Value};
use crate::error::MlError;

impl Table {
    /// The table with columns of text made columns of timestamps; those that are timestamps already
    /// stay as they are, and what is missing stays missing. [`Timestamp::parse`] says which texts
    /// are understood.
    ///
    /// # Errors
    /// [`MlError::UnknownColumn`]; [`MlError::InvalidDate`] with row, column and value;
    /// [`MlError::WrongColumnType`] for a column of numbers or booleans that has a value.
    ///
    /// # Source
    /// pandas 3.1, `to_datetime(.., format="ISO8601", utc=True)`
    ///
    /// # Examples
    /// ```
    /// use orch_ml::Table;
    ///
    /// let table = Table::new([("sold", vec!["2024-02-29T18:30Z", "2024-03-01"].into())])?;
    /// let table = table.parse_timestamps(&["sold"])?;
    /// assert_eq!(table.column("sold")?.value(0).to_string(), "2024-02-29 18:30:00");
    /// # Ok::<(), orch_ml::MlError>(())
    /// ```
    pub fn parse_timestamps<S: AsRef<str>>(&self, columns: &[S]) -> Result<Self, MlError> {
        let parsed = columns.iter().map(|name| {
            let name = name.as_ref();
            Ok((name, vec![(name.to_owned(), self.timestamps(name)?)]))
        });
        self.replace_each(parsed.collect::<Result<Vec<_>, MlError>>()?)
    }

    fn timestamps(&self, name: &str) -> Result<Column, MlError> {
        let column = self.column(name)?;
        let moment = |row_idx: usize| match column.value(row_idx) {
            Value::Missing => Ok(None),
            Value::Text(text) => match Timestamp::parse(text) {
                Some(timestamp) => Ok(Some(timestamp)),
                None => Err(MlError::InvalidDate {
                    column: name.to_owned(),
                    table: self.name(),
                    row_idx: self.row_in_messages(row_idx),
                    value: text.to_owned(),
                }),
            },
            _ => Err(MlError::WrongColumnType {
                column: name.to_owned(),
                table: self.name(),
                found: column.type_name(),
                expected: "text, to be read as timestamps",
            }),
        };
        match column {
            Column::Timestamp(..) => Ok(column.clone()),
            _ => {
                let moments = (0..column.len()).map(moment);
                Ok(moments.collect::<Result<Vec<_>, MlError>>()?.into())
            }
        }
    }
}

/// The mean of moments, what is less than a microsecond cut off; `None` for none.
pub(super) fn mean(moments: &[i64]) -> Option<i64> {
    let sum: i128 = moments.iter().map(|moment| i128::from(*moment)).sum();
    let mean = sum.checked_div(moments.len() as i128)?;
    Some(mean.try_into().expect("a mean is not beyond what it is of"))
}

/// A quantile of sorted moments, between the two nearest where it falls between them, what is less
/// than a microsecond cut off; `None` for none.
pub(super) fn quantile(sorted: &[i64], share: f64) -> Option<i64> {
    let last = sorted.len().checked_sub(1)?;
    let place = share * last as f64;
    let below = place.floor() as usize;
    let (low, high) = (sorted[below], sorted[(below + 1).min(last)]);
    let span = (i128::from(high) - i128::from(low)) as f64;
    let beyond = (span * (place - below as f64)) as i64;
    Some(low.saturating_add(beyond))
}

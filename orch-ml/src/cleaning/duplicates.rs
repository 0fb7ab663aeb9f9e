//! Rows that occur more than once.

use std::collections::HashMap;
use std::hash::Hash;

use serde::{Deserialize, Serialize};

use crate::error::MlError;
use crate::table::{Column, Table, Validity};

/// Which of equal rows stays.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Keep {
    /// The first.
    #[default]
    First,
    /// The last.
    Last,
}

/// Keeps one of the rows that are equal in every column.
///
/// Two missing values are equal, and so are 0.0 and -0.0. The rows that stay keep their order.
///
/// # Source
/// pandas 3.1, `DataFrame.drop_duplicates(keep=..)`.
///
/// # Examples
/// ```
/// use orch_ml::{Keep, Table, drop_duplicates};
///
/// let table = Table::new([("town", vec![Some("Oslo"), None, Some("Oslo"), None].into())])?;
/// assert_eq!(drop_duplicates(&table, Keep::First).n_rows(), 2);
/// # Ok::<(), orch_ml::MlError>(())
/// ```
pub fn drop_duplicates(table: &Table, keep: Keep) -> Table {
    let columns: Vec<&Column> = table.columns().map(|(_, column)| column).collect();
    one_of_each(table, &columns, keep)
}

/// Keeps one of the rows that are equal in each of the given columns, as [`drop_duplicates`].
///
/// # Errors
/// [`MlError::UnknownColumn`], [`MlError::DuplicateColumn`]; [`MlError::NoFeatures`] if no column
/// is given.
pub fn drop_duplicates_in(table: &Table, columns: &[String], keep: Keep) -> Result<Table, MlError> {
    if columns.is_empty() {
        return Err(MlError::NoFeatures);
    }
    table.select(columns)?;
    let columns: Vec<&Column> = columns
        .iter()
        .map(|name| table.column(name))
        .collect::<Result<_, _>>()?;
    Ok(one_of_each(table, &columns, keep))
}

fn one_of_each(table: &Table, columns: &[&Column], keep: Keep) -> Table {
    // Without columns there is nothing in which rows could be equal.
    let Some((first, others)) = columns.split_first() else {
        return table.clone();
    };
    let groups = others.iter().fold(codes(first), |groups, column| {
        numbered(groups.into_iter().zip(codes(column)))
    });
    let mut kept = vec![false; groups.len()];
    let mut seen = vec![false; groups.len()];
    let mut look_at = |row_idx: usize| {
        let seen = &mut seen[groups[row_idx] as usize];
        kept[row_idx] = !*seen;
        *seen = true;
    };
    match keep {
        Keep::First => (0..groups.len()).for_each(&mut look_at),
        Keep::Last => (0..groups.len()).rev().for_each(&mut look_at),
    }
    table
        .filter(&kept)
        .expect("there is one flag for each row of the table")
}

/// A number for each row of a column, the same for equal values, below the number of rows.
fn codes(column: &Column) -> Vec<u32> {
    fn with_gaps<T: Copy + Eq + Hash>(values: &[T], validity: &Validity) -> Vec<u32> {
        let value = |(row_idx, value): (usize, &T)| validity.is_valid(row_idx).then_some(*value);
        numbered(values.iter().enumerate().map(value))
    }
    match column {
        Column::Float(values) => numbered(values.iter().map(|value| match *value {
            value if value.is_nan() => f64::NAN.to_bits(),
            // Adding 0 makes 0 of -0.
            value => (value + 0.0).to_bits(),
        })),
        Column::Integer(values, validity) => with_gaps(values, validity),
        Column::Boolean(values, validity) => with_gaps(values, validity),
        Column::Text(text) => numbered(text.in_order_of_appearance().0.into_iter()),
    }
}

/// Numbers things in order of first appearance.
fn numbered<T: Eq + Hash>(things: impl Iterator<Item = T>) -> Vec<u32> {
    let mut known = HashMap::new();
    things
        .map(|thing| {
            let next = known.len() as u32;
            *known.entry(thing).or_insert(next)
        })
        .collect()
}

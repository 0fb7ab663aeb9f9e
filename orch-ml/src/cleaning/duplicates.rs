//! Rows that occur more than once.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use crate::error::MlError;
use crate::table::{Column, Table};

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
    if columns.is_empty() {
        return table.clone();
    }
    // The rows that are equal to another one in the columns so far, and the group of each. Most
    // rows are alone after a column or two, and are not looked at again.
    let mut rows: Vec<usize> = (0..table.n_rows()).collect();
    let mut groups = vec![0u32; rows.len()];
    for column in columns {
        (rows, groups) = refined(&rows, &groups, &codes(column));
    }
    let mut kept = vec![true; table.n_rows()];
    let mut seen = vec![false; groups.len()];
    let mut look_at = |(row_idx, group): (&usize, &u32)| {
        let seen = &mut seen[*group as usize];
        kept[*row_idx] = !*seen;
        *seen = true;
    };
    let pairs = rows.iter().zip(&groups);
    match keep {
        Keep::First => pairs.for_each(&mut look_at),
        Keep::Last => pairs.rev().for_each(&mut look_at),
    }
    table
        .filter(&kept)
        .expect("there is one flag for each row of the table")
}

/// The rows that share their group and their code with another row, and their new groups, which
/// are below the number of these rows.
fn refined(rows: &[usize], groups: &[u32], codes: &Codes<'_>) -> (Vec<usize>, Vec<u32>) {
    let mut numbers: HashMap<(u32, Option<u64>), usize> = HashMap::new();
    let mut sizes: Vec<u32> = Vec::new();
    let found: Vec<usize> = rows
        .iter()
        .zip(groups)
        .map(|(row_idx, group)| {
            let number = *numbers
                .entry((*group, codes(*row_idx)))
                .or_insert(sizes.len());
            match sizes.get_mut(number) {
                Some(size) => *size += 1,
                None => sizes.push(1),
            }
            number
        })
        .collect();
    let mut next = 0;
    let new_groups: Vec<Option<u32>> = sizes
        .iter()
        .map(|size| {
            (*size > 1).then(|| {
                next += 1;
                next - 1
            })
        })
        .collect();
    rows.iter()
        .zip(found)
        .filter_map(|(row_idx, number)| Some((*row_idx, new_groups[number]?)))
        .unzip()
}

/// For each row of a column a number that only equal values have, `None` where there is no value.
type Codes<'a> = dyn Fn(usize) -> Option<u64> + 'a;

fn codes(column: &Column) -> Box<Codes<'_>> {
    match column {
        Column::Float(values) => Box::new(|row_idx| {
            let value = values[row_idx];
            // Adding 0 makes 0 of -0.
            (!value.is_nan()).then(|| (value + 0.0).to_bits())
        }),
        Column::Integer(values, validity) | Column::Timestamp(values, validity) => {
            Box::new(|row_idx| {
                let is_valid = validity.is_valid(row_idx);
                is_valid.then(|| values[row_idx].cast_unsigned())
            })
        }
        Column::Boolean(values, validity) => Box::new(|row_idx| {
            let is_valid = validity.is_valid(row_idx);
            is_valid.then(|| u64::from(values[row_idx]))
        }),
        Column::Text(text) => {
            let (codes, texts) = text.in_order_of_appearance();
            let n_texts = texts.len() as u64;
            // The code of a missing text is past the end.
            Box::new(move |row_idx| Some(u64::from(codes[row_idx])).filter(|code| *code < n_texts))
        }
    }
}

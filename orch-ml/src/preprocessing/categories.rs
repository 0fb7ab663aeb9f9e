//! The categories of a column.

use std::collections::HashMap;

use crate::dataset::ClassLabel;
use crate::error::MlError;
use crate::table::{Column, Table, Value};

/// The category of each row, `None` where there is no value, as positions in the list beside it,
/// which is in order of first appearance.
///
/// Whole floats count as integers and timestamps are the texts that they print as, as in labels.
pub(super) fn categories_of_rows(
    table: &Table,
    name: &str,
) -> Result<(Vec<Option<usize>>, Vec<ClassLabel>), MlError> {
    let column = table.column(name)?;
    if let Column::Text(text) = column {
        let (codes, texts) = text.in_order_of_appearance();
        let texts: Vec<ClassLabel> = texts.into_iter().map(ClassLabel::from).collect();
        let position = |code: u32| Some(code as usize).filter(|code| *code < texts.len());
        return Ok((codes.into_iter().map(position).collect(), texts));
    }
    let mut known = HashMap::new();
    let mut categories = Vec::new();
    let mut positions = Vec::with_capacity(column.len());
    for row_idx in 0..column.len() {
        let category = match column.value(row_idx) {
            Value::Missing => {
                positions.push(None);
                continue;
            }
            Value::Integer(category) => ClassLabel::Integer(category),
            Value::Boolean(category) => ClassLabel::Boolean(category),
            // Floats from 2^53 on have no neighbours that differ by one.
            Value::Float(category) if category.trunc() == category && category.abs() < 9e15 => {
                ClassLabel::Integer(category as i64)
            }
            Value::Float(value) => {
                return Err(MlError::ContinuousCategory {
                    column: name.to_owned(),
                    row_idx: table.row_in_messages(row_idx),
                    value,
                });
            }
            Value::Text(category) => ClassLabel::from(category),
            Value::Timestamp(category) => ClassLabel::from(category.to_string().as_str()),
        };
        let position = *known.entry(category).or_insert_with_key(|category| {
            categories.push(category.clone());
            categories.len() - 1
        });
        positions.push(Some(position));
    }
    Ok((positions, categories))
}

/// The categories given for a column, which must not repeat, or else those that its rows have,
/// sorted.
pub(super) fn fitted_categories(
    found: Vec<ClassLabel>,
    given: Option<&[ClassLabel]>,
) -> Result<Vec<ClassLabel>, MlError> {
    let mut sorted = given.map_or(found, <[_]>::to_vec);
    sorted.sort();
    if let Some(pair) = sorted.windows(2).find(|pair| pair[0] == pair[1]) {
        return Err(MlError::InvalidOption {
            name: "categories",
            value: pair[0].to_string(),
            expected: "each category once",
        });
    }
    Ok(given.map_or(sorted, <[_]>::to_vec))
}

/// The list given for each column, if there are lists.
pub(super) fn check_given(
    given: Option<&[Vec<ClassLabel>]>,
    n_columns: usize,
) -> Result<(), MlError> {
    match given {
        Some(lists) if lists.len() != n_columns => Err(MlError::LengthMismatch {
            what: "the list of the columns' categories",
            expected: n_columns,
            found: lists.len(),
        }),
        _ => Ok(()),
    }
}

/// For each category found its position among those fitted to.
pub(super) fn matched(found: &[ClassLabel], fitted: &[ClassLabel]) -> Vec<Option<usize>> {
    let fitted: HashMap<&ClassLabel, usize> = fitted
        .iter()
        .enumerate()
        .map(|(position, category)| (category, position))
        .collect();
    found
        .iter()
        .map(|category| fitted.get(category).copied())
        .collect()
}

/// The error about a row whose category was not fitted to.
pub(super) fn unknown_category(
    table: &Table,
    column: &str,
    row_idx: usize,
    value: &ClassLabel,
    categories: &[ClassLabel],
) -> MlError {
    MlError::UnknownCategory {
        column: column.to_owned(),
        table: table.name(),
        row_idx: table.row_in_messages(row_idx),
        value: value.to_string(),
        categories: categories.iter().map(ToString::to_string).collect(),
    }
}

/// The error about a row without a category.
pub(super) fn missing_category(table: &Table, column: &str, row_idx: usize) -> MlError {
    MlError::MissingValue {
        column: column.to_owned(),
        table: table.name(),
        row_idx: table.row_in_messages(row_idx),
    }
}

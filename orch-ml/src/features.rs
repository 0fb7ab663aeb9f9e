//! From tables to what models learn from.

use crate::dataset::{ClassLabel, ClassificationDataset, Dataset, Records};
use crate::error::MlError;
use crate::table::{Column, Table, Value};

/// Takes feature columns and a numeric target column out of a table.
///
/// Integers become floats and booleans 0 and 1.
///
/// # Shapes
/// records `[n_rows, features.len()]`, targets `[n_rows]`
///
/// # Errors
/// [`MlError::UnknownColumn`] with the columns there are; [`MlError::NotNumeric`] with the first
/// row that is text; [`MlError::MissingValue`] and [`MlError::NotFinite`] with row and column;
/// [`MlError::TargetIsFeature`], [`MlError::DuplicateColumn`], [`MlError::NoFeatures`] and
/// [`MlError::NoRows`].
///
/// # Examples
/// ```
/// use orch_ml::{CsvOptions, parse_csv, to_dataset};
///
/// let table = parse_csv(b"size,garden,price\n50,true,210\n80,false,300\n", &CsvOptions::default())?;
/// let dataset = to_dataset(&table, &["size".to_owned(), "garden".to_owned()], "price")?;
/// assert_eq!(dataset.records().values()[[0, 1]], 1.0);
/// # Ok::<(), orch_ml::MlError>(())
/// ```
pub fn to_dataset(table: &Table, features: &[String], target: &str) -> Result<Dataset, MlError> {
    check_target(table, features, target)?;
    let targets = table.to_vector(target)?;
    Dataset::from_records(to_records(table, features)?, targets, target)
}

/// Takes feature columns and a label column out of a table.
///
/// Labels are text, booleans or whole numbers, these also from a float column.
///
/// # Shapes
/// records `[n_rows, features.len()]`, targets `[n_rows]`
///
/// # Errors
/// As [`to_dataset`]; [`MlError::ContinuousLabel`] with the first label that is no whole number.
pub fn to_classification_dataset(
    table: &Table,
    features: &[String],
    target: &str,
) -> Result<ClassificationDataset, MlError> {
    check_target(table, features, target)?;
    let column = table.column(target)?;
    let labels: Vec<ClassLabel> = (0..table.n_rows())
        .map(|row_idx| label_of(table, target, column, row_idx))
        .collect::<Result<_, _>>()?;
    ClassificationDataset::new(to_records(table, features)?, labels, target)
}

/// Reads a class: a text, a boolean, a whole number, or a timestamp as the text that it prints as.
pub(crate) fn label_of(
    table: &Table,
    name: &str,
    column: &Column,
    row_idx: usize,
) -> Result<ClassLabel, MlError> {
    match column.value(row_idx) {
        Value::Missing => Err(MlError::MissingValue {
            column: name.to_owned(),
            table: table.name(),
            row_idx: table.row_in_messages(row_idx),
        }),
        Value::Text(label) => Ok(label.into()),
        Value::Integer(label) => Ok(label.into()),
        Value::Boolean(label) => Ok(label.into()),
        Value::Timestamp(label) => Ok(label.to_string().as_str().into()),
        // Floats from 2^53 on have no neighbours that differ by one.
        Value::Float(label) if label.trunc() == label && label.abs() < 9e15 => {
            Ok((label as i64).into())
        }
        Value::Float(value) => Err(MlError::ContinuousLabel {
            column: name.to_owned(),
            row_idx: table.row_in_messages(row_idx),
            value,
        }),
    }
}

/// Takes feature columns out of a table, to predict for.
///
/// # Shapes
/// `[n_rows, features.len()]`
///
/// # Errors
/// As [`to_dataset`]; no rows are no error here.
pub fn to_records(table: &Table, features: &[String]) -> Result<Records, MlError> {
    if features.is_empty() {
        return Err(MlError::NoFeatures);
    }
    // Selecting refuses a feature that is named twice.
    Records::new(table.select(features)?.to_matrix(features)?, features)
}

fn check_target(table: &Table, features: &[String], target: &str) -> Result<(), MlError> {
    if features.iter().any(|feature| feature == target) {
        return Err(MlError::TargetIsFeature {
            column: target.to_owned(),
        });
    }
    if features.is_empty() {
        return Err(MlError::NoFeatures);
    }
    // Unknown columns come before empty tables: a wrong name is the more useful thing to hear.
    table.select(features)?;
    table.column(target)?;
    if table.n_rows() == 0 {
        return Err(MlError::NoRows {
            table: table.name(),
        });
    }
    Ok(())
}

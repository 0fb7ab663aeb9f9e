//! The columns that a model takes, and tables that do not have them.

use crate::error::MlError;
use crate::preprocessing::{ColumnKind, FittedPreprocessor, SchemaColumn};
use crate::table::{Column, Table};

/// What keeps a column of a table from going into a model.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum InputProblem {
    /// The table lacks the column.
    Missing {
        /// Its name.
        column: String,
    },
    /// The column is of another type than the one that was fitted to.
    WrongType {
        /// Its name.
        column: String,
        /// Its type.
        found: &'static str,
        /// What it should hold.
        expected: ColumnKind,
    },
}

/// The columns that a table must have: those that the preprocessor was fitted to, or the features as
/// numbers.
pub(super) fn needed(
    preprocessor: Option<&FittedPreprocessor>,
    features: &[String],
) -> Vec<SchemaColumn> {
    if let Some(preprocessor) = preprocessor {
        return preprocessor.schema().to_vec();
    }
    let as_number = |name: &String| SchemaColumn {
        name: name.clone(),
        kind: ColumnKind::Number,
    };
    features.iter().map(as_number).collect()
}

/// Takes the needed columns out of a table, or says of each what is wrong.
pub(super) fn select(
    table: &Table,
    needed: &[SchemaColumn],
    booleans_are_numbers: bool,
) -> Result<Table, MlError> {
    let problem = |needed: &SchemaColumn| {
        let column = needed.name.clone();
        let Ok(found) = table.column(&column) else {
            return Some(InputProblem::Missing { column });
        };
        let is_number = booleans_are_numbers && matches!(found, Column::Boolean(..));
        if needed.fits(found) || is_number {
            return None;
        }
        Some(InputProblem::WrongType {
            column,
            found: found.type_name(),
            expected: needed.kind,
        })
    };
    let problems: Vec<InputProblem> = needed.iter().filter_map(problem).collect();
    if !problems.is_empty() {
        return Err(MlError::InputMismatch {
            table: table.name(),
            problems,
            columns: table.column_names().to_vec(),
        });
    }
    // What is not needed goes, or it could be in the way of columns that steps make.
    let names: Vec<&str> = needed.iter().map(|column| column.name.as_str()).collect();
    table.select(&names)
}

/// Makes sure that the preprocessor makes each feature that the model learned from.
pub(super) fn check_preprocessor(
    preprocessor: &FittedPreprocessor,
    features: &[String],
) -> Result<(), MlError> {
    let made = preprocessor.feature_names_out();
    let missing = features.iter().filter(|feature| !made.contains(feature));
    let missing: Vec<String> = missing.cloned().collect();
    if missing.is_empty() {
        return Ok(());
    }
    Err(MlError::PreprocessorMismatch {
        missing,
        made: made.to_vec(),
    })
}

//! Rows and values that are missing, repeated or far out.

mod clipping;
mod duplicates;
mod filling;
mod imputing;

pub use self::clipping::{ClipBounds, ClippedColumn, Clipper, clip};
pub use self::duplicates::{Keep, drop_duplicates, drop_duplicates_in};
pub use self::filling::FillValue;
pub use self::imputing::{ImputeOptions, ImputeStrategy, ImputedColumn, Imputer, impute};
use crate::error::MlError;
use crate::table::Table;

/// Keeps the rows that have a value in every column, as `dropna` of pandas: NaN is missing too.
///
/// # Errors
/// [`MlError::AllRowsIncomplete`] if there were rows and none is left, with the column that misses
/// most; a table without rows stays one.
///
/// # Source
/// pandas 3.1, `DataFrame.dropna()`: 333 of the 344 penguins are left.
pub fn drop_missing(table: &Table) -> Result<Table, MlError> {
    let kept = table.drop_missing();
    check_rows_left(table, &kept, table.column_names())?;
    Ok(kept)
}

/// Keeps the rows that have a value in each of the given columns.
///
/// # Errors
/// [`MlError::UnknownColumn`]; [`MlError::AllRowsIncomplete`] as [`drop_missing`].
pub fn drop_missing_in(table: &Table, columns: &[String]) -> Result<Table, MlError> {
    let kept = table.drop_missing_in(columns)?;
    check_rows_left(table, &kept, columns)?;
    Ok(kept)
}

/// The number of missing values of each column, in the order of the columns.
pub fn missing_counts(table: &Table) -> Vec<(String, usize)> {
    table
        .columns()
        .map(|(name, column)| (name.to_owned(), column.n_missing()))
        .collect()
}

fn check_rows_left(table: &Table, kept: &Table, columns: &[String]) -> Result<(), MlError> {
    if table.n_rows() == 0 || kept.n_rows() > 0 {
        return Ok(());
    }
    let mut worst = (String::new(), 0);
    for name in columns {
        let n_missing = table.column(name)?.n_missing();
        if n_missing > worst.1 {
            worst = (name.clone(), n_missing);
        }
    }
    let (column, n_missing) = worst;
    Err(MlError::AllRowsIncomplete {
        table: table.name(),
        n_rows: table.n_rows(),
        column,
        n_missing,
    })
}

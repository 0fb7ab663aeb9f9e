//! Columns made ready for models: scaled, encoded, put into bins, combined.
//!
//! Each step is fitted to the rows to train on and then applied to any rows; a
//! [`Preprocessor`](crate::Preprocessor) puts steps in a row.

mod binning;
mod categories;
mod dates;
mod eigen;
mod fitted;
mod one_hot;
mod ordinal;
mod pca;
mod polynomial;
mod preprocessor;
mod scaling;
pub(crate) mod statistics;

pub use self::binning::{BinStrategy, BinnedColumn, KBinsDiscretizer};
pub(crate) use self::dates::seconds_of_column;
pub use self::dates::{DatePart, DateParts};
pub use self::fitted::{
    ColumnKind, DroppedColumns, FittedPreprocessor, FittedStep, PassedColumns, SchemaColumn,
};
pub use self::one_hot::{
    DropCategory, HandleMissing, HandleUnknown, OneHotColumn, OneHotEncoder, OneHotOptions,
};
pub use self::ordinal::{OrdinalColumn, OrdinalEncoder, OrdinalOptions};
pub use self::pca::{Components, Pca, PcaOptions};
pub use self::polynomial::{PolynomialFeatures, PolynomialOptions};
pub use self::preprocessor::{Preprocessor, Scaling};
pub use self::scaling::{
    MinMaxColumn, MinMaxScaler, RobustColumn, RobustScaler, StandardColumn, StandardScaler,
};
use rayon::prelude::*;

use crate::error::MlError;
use crate::table::{Column, Table};

/// The table with each of the columns turned into floats by the function that `prepare` gives with
/// its name; NaN stands for what is missing.
pub(crate) fn map_numbers<'a, C: Sync, F: Fn(f64) -> f64>(
    table: &Table,
    columns: &'a [C],
    prepare: impl Fn(&'a C) -> (&'a str, F) + Sync,
) -> Result<Table, MlError> {
    replace_in_parallel(table, columns, |column| {
        let (name, change) = prepare(column);
        let numbers = table.numbers(name)?;
        let changed: Vec<f64> = numbers.iter().map(|number| change(*number)).collect();
        Ok((name, vec![(name.to_owned(), changed.into())]))
    })
}

/// The table with each of the columns replaced by those that `make` makes of it.
pub(crate) fn replace_in_parallel<'a, C: Sync>(
    table: &Table,
    columns: &'a [C],
    make: impl Fn(&'a C) -> Result<(&'a str, Vec<(String, Column)>), MlError> + Sync,
) -> Result<Table, MlError> {
    let made: Vec<_> = columns.par_iter().map(&make).collect();
    table.replace_each(made.into_iter().collect::<Result<Vec<_>, _>>()?)
}

/// What `fit` finds out about each of the columns, the first error in their order.
pub(crate) fn fit_in_parallel<S: AsRef<str> + Sync, C: Send>(
    columns: &[S],
    fit: impl Fn(&str) -> Result<C, MlError> + Sync,
) -> Result<Vec<C>, MlError> {
    let fitted: Vec<_> = columns.par_iter().map(|name| fit(name.as_ref())).collect();
    fitted.into_iter().collect()
}

/// The error that says that no row has a value to take a statistic of.
pub(crate) fn no_values(table: &Table, column: &str, statistic: &'static str) -> MlError {
    MlError::NoValues {
        column: column.to_owned(),
        table: table.name(),
        statistic,
    }
}

/// Refuses statistics that are not finite.
pub(crate) fn check_statistic(
    column: &str,
    statistic: &'static str,
    values: &[f64],
) -> Result<(), MlError> {
    if values.iter().all(|value| value.is_finite()) {
        return Ok(());
    }
    Err(MlError::StatisticOverflow {
        column: column.to_owned(),
        statistic,
    })
}

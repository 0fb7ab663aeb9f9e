//! A column for each category.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::categories::{
    categories_of_rows, check_given, fitted_categories, matched, missing_category, unknown_category,
};
use super::replace_in_parallel;
use crate::dataset::ClassLabel;
use crate::error::MlError;
use crate::table::{Column, Table};

/// Which category of a column gets no column of its own.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum DropCategory {
    /// None.
    #[default]
    None,
    /// The first, so that the others are not dependent on each other.
    First,
    /// The first of those with two categories.
    IfBinary,
}

/// What becomes of a category that the encoder was not fitted to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum HandleUnknown {
    /// An error with row, column and value.
    #[default]
    Error,
    /// False in all columns, as for a category that was dropped.
    AllZeros,
}

/// What becomes of a missing value.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum HandleMissing {
    /// An error with row and column.
    #[default]
    Error,
    /// False in all columns.
    AllZeros,
    /// A category of its own, the last, if the rows fitted to have it; otherwise an unknown one.
    /// Its column is called `<column>_nan`.
    Category,
}

/// How to encode. By default categories are those of the rows fitted to, each gets a column, and
/// unknown and missing ones are errors.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OneHotOptions {
    /// The categories of each column, in the order of their columns. Default: those of the rows
    /// fitted to, sorted.
    pub categories: Option<Vec<Vec<ClassLabel>>>,
    /// Which category gets no column.
    pub drop: DropCategory,
    /// What becomes of categories that were not fitted to.
    pub unknown: HandleUnknown,
    /// What becomes of missing values.
    pub missing: HandleMissing,
}

/// Turns categories into boolean columns, fitted by [`OneHotEncoder::fit`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OneHotEncoder {
    unknown: HandleUnknown,
    missing: HandleMissing,
    columns: Vec<OneHotColumn>,
}

/// What was learned of one column.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OneHotColumn {
    /// Its name.
    pub name: String,
    /// Its categories.
    pub categories: Vec<ClassLabel>,
    /// Whether a missing value is a category too, the last.
    pub has_missing_category: bool,
    /// The position of the category without a column.
    pub dropped: Option<usize>,
}

impl OneHotColumn {
    /// The positions of the categories that have a column, with their names.
    fn outputs(&self) -> impl Iterator<Item = (usize, String)> {
        let texts = self.categories.iter().map(ToString::to_string);
        let missing = self.has_missing_category.then(|| "nan".to_owned());
        texts
            .chain(missing)
            .enumerate()
            .filter(|(position, _)| Some(*position) != self.dropped)
            .map(|(position, category)| (position, format!("{}_{category}", self.name)))
    }
}

impl OneHotEncoder {
    /// Finds the categories of the given columns: text, booleans or whole numbers.
    ///
    /// # Errors
    /// [`MlError::UnknownColumn`], [`MlError::DuplicateColumn`], [`MlError::NoFeatures`],
    /// [`MlError::NoRows`]; [`MlError::ContinuousCategory`] and, unless another handling is chosen,
    /// [`MlError::MissingValue`] and [`MlError::UnknownCategory`] with row and column;
    /// [`MlError::LengthMismatch`] unless there is a list of categories for each column, and
    /// [`MlError::InvalidOption`] for a category that is listed twice.
    ///
    /// # Source
    /// scikit-learn 1.9, `OneHotEncoder`. There a missing value is a category by default, and
    /// booleans are called `True` and `False`.
    ///
    /// # Examples
    /// ```
    /// use orch_ml::{OneHotEncoder, OneHotOptions, Table};
    ///
    /// let table = Table::new([("town", vec!["Rome", "Oslo", "Rome"].into())])?;
    /// let encoder = OneHotEncoder::fit(&table, &["town"], &OneHotOptions::default())?;
    /// assert_eq!(encoder.feature_names_out(), ["town_Oslo", "town_Rome"]);
    /// assert_eq!(encoder.apply(&table)?.to_vector("town_Rome")?.to_vec(), [1.0, 0.0, 1.0]);
    /// # Ok::<(), orch_ml::MlError>(())
    /// ```
    pub fn fit<S: AsRef<str>>(
        table: &Table,
        columns: &[S],
        options: &OneHotOptions,
    ) -> Result<Self, MlError> {
        table.check_for_fit(columns)?;
        let given = options.categories.as_deref();
        check_given(given, columns.len())?;
        let mut fitted = Vec::with_capacity(columns.len());
        for (position, name) in columns.iter().enumerate() {
            let name = name.as_ref();
            let (rows, found) = categories_of_rows(table, name)?;
            let given = given.map(|lists| lists[position].as_slice());
            let categories = fitted_categories(found, given)?;
            let has_missing_category =
                options.missing == HandleMissing::Category && rows.contains(&None);
            let n_categories = categories.len() + usize::from(has_missing_category);
            let dropped = match options.drop {
                DropCategory::None => None,
                DropCategory::First => Some(0),
                DropCategory::IfBinary => (n_categories == 2).then_some(0),
            };
            fitted.push(OneHotColumn {
                name: name.to_owned(),
                categories,
                has_missing_category,
                dropped,
            });
        }
        let encoder = Self {
            unknown: options.unknown,
            missing: options.missing,
            columns: fitted,
        };
        // What is an error in other rows is one in these.
        for column in &encoder.columns {
            encoder.positions(column, table)?;
        }
        Ok(encoder)
    }

    /// Replaces each column by a boolean column for each of its categories.
    ///
    /// # Errors
    /// [`MlError::UnknownColumn`]; [`MlError::ContinuousCategory`], [`MlError::MissingValue`] and
    /// [`MlError::UnknownCategory`] with row and column; [`MlError::DuplicateColumn`] if a column of
    /// the name of a category's is there already.
    pub fn apply(&self, table: &Table) -> Result<Table, MlError> {
        replace_in_parallel(table, &self.columns, |column| {
            let positions = self.positions(column, table)?;
            let outputs = column.outputs().map(|(category, name)| {
                let is_category = |position: &Option<usize>| *position == Some(category);
                let flags: Vec<bool> = positions.iter().map(is_category).collect();
                (name, Column::from(flags))
            });
            Ok((column.name.as_str(), outputs.collect()))
        })
    }

    /// The position of each row's category, `None` where all columns are to be false.
    fn positions(
        &self,
        column: &OneHotColumn,
        table: &Table,
    ) -> Result<Vec<Option<usize>>, MlError> {
        let (rows, found) = categories_of_rows(table, &column.name)?;
        let matched = matched(&found, &column.categories);
        let missing_position = column
            .has_missing_category
            .then_some(column.categories.len());
        let position = |(row_idx, row): (usize, Option<usize>)| match row {
            Some(found_at) => match (matched[found_at], self.unknown) {
                (None, HandleUnknown::Error) => {
                    let (value, categories) = (&found[found_at], &column.categories);
                    Err(unknown_category(
                        table,
                        &column.name,
                        row_idx,
                        value,
                        categories,
                    ))
                }
                (position, _) => Ok(position),
            },
            None => match (self.missing, missing_position, self.unknown) {
                (HandleMissing::Error, ..)
                | (HandleMissing::Category, None, HandleUnknown::Error) => {
                    Err(missing_category(table, &column.name, row_idx))
                }
                (_, position, _) => Ok(position),
            },
        };
        rows.into_iter().enumerate().map(position).collect()
    }

    /// The columns with what was learned of them.
    pub fn columns(&self) -> &[OneHotColumn] {
        &self.columns
    }

    /// The names of the columns.
    pub fn column_names(&self) -> Vec<&str> {
        self.columns
            .iter()
            .map(|column| column.name.as_str())
            .collect()
    }

    /// The names of the columns that result: `<column>_<category>`.
    pub fn feature_names_out(&self) -> Vec<String> {
        let outputs = self.columns.iter().flat_map(OneHotColumn::outputs);
        outputs.map(|(_, name)| name).collect()
    }
}

impl fmt::Display for OneHotEncoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("one-hot encode")?;
        for column in &self.columns {
            let names: Vec<String> = column.outputs().map(|(_, name)| name).collect();
            write!(f, "\n  {}: to {}", column.name, names.join(", "))?;
        }
        Ok(())
    }
}

//! A number for each category.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::categories::{
    categories_of_rows, check_given, fitted_categories, matched, unknown_category,
};
use super::replace_in_parallel;
use crate::dataset::ClassLabel;
use crate::error::MlError;
use crate::table::{Column, Table};

/// How to encode. By default categories are those of the rows fitted to, unknown ones are errors,
/// and missing values stay missing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrdinalOptions {
    /// The categories of each column, from code 0 on. Default: those of the rows fitted to, sorted.
    pub categories: Option<Vec<Vec<ClassLabel>>>,
    /// The code of categories that were not fitted to. Default: they are errors.
    pub unknown_code: Option<i64>,
    /// The code of missing values. Default: they stay missing.
    pub missing_code: Option<i64>,
}

/// Turns categories into integers from 0 on, fitted by [`OrdinalEncoder::fit`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrdinalEncoder {
    unknown_code: Option<i64>,
    missing_code: Option<i64>,
    columns: Vec<OrdinalColumn>,
}

/// What was learned of one column.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrdinalColumn {
    /// Its name.
    pub name: String,
    /// Its categories; the position of each is its code.
    pub categories: Vec<ClassLabel>,
}

impl OrdinalEncoder {
    /// Finds the categories of the given columns: text, booleans or whole numbers.
    ///
    /// # Errors
    /// [`MlError::UnknownColumn`], [`MlError::DuplicateColumn`], [`MlError::NoFeatures`],
    /// [`MlError::NoRows`]; [`MlError::ContinuousCategory`] and, unless they have a code,
    /// [`MlError::UnknownCategory`] with row and column; [`MlError::LengthMismatch`] unless there is
    /// a list of categories for each column; [`MlError::InvalidOption`] for a category that is
    /// listed twice, and a code that a category has.
    ///
    /// # Source
    /// scikit-learn 1.9, `OrdinalEncoder`.
    ///
    /// # Examples
    /// ```
    /// use orch_ml::{OrdinalEncoder, OrdinalOptions, Table};
    ///
    /// let table = Table::new([("size", vec!["large", "small", "large"].into())])?;
    /// let sizes = vec!["small".into(), "medium".into(), "large".into()];
    /// let options = OrdinalOptions { categories: Some(vec![sizes]), ..OrdinalOptions::default() };
    /// let encoder = OrdinalEncoder::fit(&table, &["size"], &options)?;
    /// assert_eq!(encoder.apply(&table)?.to_vector("size")?.to_vec(), [2.0, 0.0, 2.0]);
    /// # Ok::<(), orch_ml::MlError>(())
    /// ```
    pub fn fit<S: AsRef<str>>(
        table: &Table,
        columns: &[S],
        options: &OrdinalOptions,
    ) -> Result<Self, MlError> {
        table.check_for_fit(columns)?;
        let given = options.categories.as_deref();
        check_given(given, columns.len())?;
        let mut fitted = Vec::with_capacity(columns.len());
        for (position, name) in columns.iter().enumerate() {
            let name = name.as_ref();
            let (_, found) = categories_of_rows(table, name)?;
            let given = given.map(|lists| lists[position].as_slice());
            let categories = fitted_categories(found, given)?;
            let name = name.to_owned();
            check_code("unknown_code", options.unknown_code, &categories)?;
            check_code("missing_code", options.missing_code, &categories)?;
            fitted.push(OrdinalColumn { name, categories });
        }
        let encoder = Self {
            unknown_code: options.unknown_code,
            missing_code: options.missing_code,
            columns: fitted,
        };
        // What is an error in other rows is one in these.
        for column in &encoder.columns {
            encoder.codes(column, table)?;
        }
        Ok(encoder)
    }

    /// Replaces categories by their codes. The columns become integers.
    ///
    /// # Errors
    /// [`MlError::UnknownColumn`]; [`MlError::ContinuousCategory`] and [`MlError::UnknownCategory`]
    /// with row and column.
    pub fn apply(&self, table: &Table) -> Result<Table, MlError> {
        replace_in_parallel(table, &self.columns, |column| {
            let codes: Column = self.codes(column, table)?.into();
            Ok((column.name.as_str(), vec![(column.name.clone(), codes)]))
        })
    }

    fn codes(&self, column: &OrdinalColumn, table: &Table) -> Result<Vec<Option<i64>>, MlError> {
        let (rows, found) = categories_of_rows(table, &column.name)?;
        let matched = matched(&found, &column.categories);
        let code = |(row_idx, row): (usize, Option<usize>)| {
            let Some(found_at) = row else {
                return Ok(self.missing_code);
            };
            let code = matched[found_at].map(|code| code as i64);
            code.or(self.unknown_code).map(Some).ok_or_else(|| {
                let (value, categories) = (&found[found_at], &column.categories);
                unknown_category(table, &column.name, row_idx, value, categories)
            })
        };
        rows.into_iter().enumerate().map(code).collect()
    }

    /// The columns with what was learned of them.
    pub fn columns(&self) -> &[OrdinalColumn] {
        &self.columns
    }

    /// The names of the columns.
    pub fn column_names(&self) -> Vec<&str> {
        self.columns
            .iter()
            .map(|column| column.name.as_str())
            .collect()
    }

    /// The names of the columns that result: the same.
    pub fn feature_names_out(&self) -> Vec<String> {
        self.columns
            .iter()
            .map(|column| column.name.clone())
            .collect()
    }
}

fn check_code(
    name: &'static str,
    code: Option<i64>,
    categories: &[ClassLabel],
) -> Result<(), MlError> {
    match code {
        Some(code) if (0..categories.len() as i64).contains(&code) => Err(MlError::InvalidOption {
            name,
            value: code.to_string(),
            expected: "a code that no category has, such as -1",
        }),
        _ => Ok(()),
    }
}

impl fmt::Display for OrdinalEncoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("encode by number")?;
        for OrdinalColumn { name, categories } in &self.columns {
            let codes = categories.iter().enumerate();
            let codes: Vec<String> = codes
                .map(|(code, category)| format!("{category} {code}"))
                .collect();
            write!(f, "\n  {name}: {}", codes.join(", "))?;
        }
        Ok(())
    }
}

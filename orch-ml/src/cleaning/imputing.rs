//! Values in the place of missing ones.

use std::collections::HashMap;
use std::fmt;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::filling::FillValue;
use crate::error::MlError;
use crate::preprocessing::no_values;
use crate::preprocessing::statistics::{mean, median, present, sorted};
use crate::table::{Column, Table, Timestamp};

/// What takes the place of missing values.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum ImputeStrategy {
    /// The mean of the column. The column becomes floats.
    Mean,
    /// The median of the column. The column becomes floats.
    Median,
    /// The value that most rows have; the smallest, or first in the order of Unicode, if several.
    MostFrequent,
    /// This value.
    Constant(FillValue),
}

/// What to impute, and whether to remember where.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ImputeOptions {
    /// What takes the place of missing values.
    pub strategy: ImputeStrategy,
    /// Whether each column that misses values in the rows fitted to gets a boolean column
    /// `<name>_missing`, at the end of the table. Default: false.
    pub add_indicator: bool,
}

impl From<ImputeStrategy> for ImputeOptions {
    fn from(strategy: ImputeStrategy) -> Self {
        Self {
            strategy,
            add_indicator: false,
        }
    }
}

/// Values for missing ones, fitted by [`Imputer::fit`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Imputer {
    columns: Vec<ImputedColumn>,
}

/// What was learned of one column.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ImputedColumn {
    /// Its name.
    pub name: String,
    /// What takes the place of its missing values.
    pub fill: FillValue,
    /// How many were missing in the rows fitted to.
    pub n_missing: usize,
    /// Whether it gets a column `<name>_missing`.
    pub has_indicator: bool,
}

impl Imputer {
    /// Finds out what takes the place of missing values in the given columns.
    ///
    /// # Errors
    /// [`MlError::UnknownColumn`], [`MlError::DuplicateColumn`], [`MlError::NoFeatures`],
    /// [`MlError::NoRows`]; [`MlError::NoValues`] if every value is missing and none is given;
    /// [`MlError::NotFinite`]; for means and medians [`MlError::NotNumeric`] and
    /// [`MlError::StatisticOverflow`]; for constants [`MlError::WrongColumnType`] if the column
    /// cannot hold it, and [`MlError::InvalidOption`] if it is itself missing or infinite.
    ///
    /// # Source
    /// scikit-learn 1.9, `SimpleImputer`, whose default for columns without any value is to drop
    /// them, and pandas 3.1.
    pub fn fit<S: AsRef<str> + Sync>(
        table: &Table,
        columns: &[S],
        options: impl Into<ImputeOptions>,
    ) -> Result<Self, MlError> {
        let options = options.into();
        table.check_for_fit(columns)?;
        let fit = |name: &S| {
            let name = name.as_ref();
            let n_missing = table.column(name)?.n_missing();
            Ok(ImputedColumn {
                name: name.to_owned(),
                fill: fill_of(table, name, &options.strategy)?,
                n_missing,
                has_indicator: options.add_indicator && n_missing > 0,
            })
        };
        let columns: Vec<Result<ImputedColumn, MlError>> = columns.par_iter().map(fit).collect();
        let columns = columns.into_iter().collect::<Result<_, _>>()?;
        Ok(Self { columns })
    }

    /// Puts values in the place of missing ones.
    ///
    /// # Errors
    /// [`MlError::UnknownColumn`]; [`MlError::WrongColumnType`] if a column cannot hold its value;
    /// [`MlError::DuplicateColumn`] if there is a column `<name>_missing` already.
    pub fn apply(&self, table: &Table) -> Result<Table, MlError> {
        let mut filled = HashMap::new();
        let mut indicators = Vec::new();
        for learned in &self.columns {
            let name = learned.name.as_str();
            let column = table.column(name)?;
            filled.insert(name, learned.fill.put_into(table, name)?);
            if learned.has_indicator {
                let mut flags = vec![true; column.len()];
                column.mark_missing(0, &mut flags);
                flags.iter_mut().for_each(|flag| *flag = !*flag);
                indicators.push((indicator_name(name), flags.into()));
            }
        }
        let columns = table.columns().map(|(name, column)| {
            let column = filled.remove(name).unwrap_or_else(|| column.clone());
            (name.to_owned(), column)
        });
        let columns = columns.collect::<Vec<_>>();
        table.with_columns(columns.into_iter().chain(indicators).collect())
    }

    /// The columns with what was learned of them.
    pub fn columns(&self) -> &[ImputedColumn] {
        &self.columns
    }

    /// The names of the columns.
    pub fn column_names(&self) -> Vec<&str> {
        self.columns
            .iter()
            .map(|column| column.name.as_str())
            .collect()
    }

    /// The names of the columns that result: the same, then the indicators.
    pub fn feature_names_out(&self) -> Vec<String> {
        let names = self.columns.iter().map(|column| column.name.clone());
        let with_indicator = self.columns.iter().filter(|column| column.has_indicator);
        let indicators = with_indicator.map(|column| indicator_name(&column.name));
        names.chain(indicators).collect()
    }
}

impl fmt::Display for Imputer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("impute")?;
        for ImputedColumn {
            name,
            fill,
            n_missing,
            has_indicator,
        } in &self.columns
        {
            write!(f, "\n  {name}: {fill} for {n_missing} missing")?;
            if *has_indicator {
                write!(f, ", with {}", indicator_name(name))?;
            }
        }
        Ok(())
    }
}

fn indicator_name(column: &str) -> String {
    format!("{column}_missing")
}

fn fill_of(table: &Table, name: &str, strategy: &ImputeStrategy) -> Result<FillValue, MlError> {
    let statistic = match strategy {
        ImputeStrategy::Mean => "mean",
        ImputeStrategy::Median => "median",
        ImputeStrategy::MostFrequent => {
            let column = table.column(name)?;
            if matches!(column, Column::Float(_)) {
                // Infinity is not for imputing, however frequent it is.
                table.numbers(name)?;
            }
            return most_frequent(column)
                .ok_or_else(|| no_values(table, name, "most frequent value"));
        }
        ImputeStrategy::Constant(value) => return value.fit_to(table, name),
    };
    let numbers = table.numbers(name)?;
    let values = match strategy {
        ImputeStrategy::Mean => present(&numbers),
        _ => sorted(&numbers),
    };
    if values.is_empty() {
        return Err(no_values(table, name, statistic));
    }
    let fill = match strategy {
        ImputeStrategy::Mean => mean(&values),
        _ => median(&values),
    };
    if fill.is_finite() {
        Ok(FillValue::Float(fill))
    } else {
        Err(MlError::StatisticOverflow {
            column: name.to_owned(),
            statistic,
        })
    }
}

/// The value that occurs most often, the smallest of them if several do.
fn most_frequent(column: &Column) -> Option<FillValue> {
    /// The first of the longest runs of equal values.
    fn longest_run<T: PartialEq>(sorted: &[T]) -> Option<&T> {
        let mut longest: &[T] = &[];
        for run in sorted.chunk_by(PartialEq::eq) {
            if run.len() > longest.len() {
                longest = run;
            }
        }
        longest.first()
    }
    let valid_rows = |flags: Option<&[bool]>| {
        let is_valid = move |row_idx: &usize| flags.is_none_or(|flags| flags[*row_idx]);
        (0..column.len()).filter(is_valid).collect::<Vec<usize>>()
    };
    match column {
        Column::Float(values) => longest_run(&sorted(values)).copied().map(FillValue::Float),
        Column::Integer(values, validity) => {
            let rows = valid_rows(validity.flags()).into_iter();
            let mut values: Vec<i64> = rows.map(|row_idx| values[row_idx]).collect();
            values.sort_unstable();
            longest_run(&values).copied().map(FillValue::Integer)
        }
        Column::Timestamp(values, validity) => {
            let rows = valid_rows(validity.flags()).into_iter();
            let mut values: Vec<i64> = rows.map(|row_idx| values[row_idx]).collect();
            values.sort_unstable();
            let moment = longest_run(&values).copied();
            moment.map(|moment| FillValue::Timestamp(Timestamp::from_microseconds(moment)))
        }
        Column::Boolean(values, validity) => {
            let rows = valid_rows(validity.flags()).into_iter();
            let mut values: Vec<bool> = rows.map(|row_idx| values[row_idx]).collect();
            values.sort_unstable();
            longest_run(&values).copied().map(FillValue::Boolean)
        }
        Column::Text(text) => {
            let (codes, texts) = text.in_order_of_appearance();
            let mut counts = vec![0usize; texts.len()];
            for code in codes {
                // The code of a missing text is past the end.
                if let Some(count) = counts.get_mut(code as usize) {
                    *count += 1;
                }
            }
            let most = counts.iter().max()?;
            let candidates = texts
                .iter()
                .zip(&counts)
                .filter(|(_, count)| *count == most);
            let smallest = candidates.map(|(text, _)| *text).min()?;
            Some(FillValue::Text(smallest.to_owned()))
        }
    }
}

/// Puts values in the place of missing ones: [`Imputer::fit`] and [`Imputer::apply`] on the same
/// rows.
///
/// What is learned here should come from the rows to train on alone: fit an [`Imputer`] or a
/// [`Preprocessor`](crate::Preprocessor) to those, and apply it to the others.
///
/// # Errors
/// Those of [`Imputer::fit`] and [`Imputer::apply`].
///
/// # Examples
/// ```
/// use orch_ml::{ImputeStrategy, Table, impute};
///
/// let table = Table::new([("age", vec![Some(30i64), None, Some(40)].into())])?;
/// let filled = impute(&table, &["age".to_owned()], ImputeStrategy::Mean)?;
/// assert_eq!(filled.to_vector("age")?.to_vec(), [30.0, 35.0, 40.0]);
/// # Ok::<(), orch_ml::MlError>(())
/// ```
pub fn impute(
    table: &Table,
    columns: &[String],
    options: impl Into<ImputeOptions>,
) -> Result<Table, MlError> {
    Imputer::fit(table, columns, options)?.apply(table)
}

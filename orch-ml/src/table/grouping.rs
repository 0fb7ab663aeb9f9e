//! Rows that have the same values in some columns, as one.

use serde::{Deserialize, Serialize};

use super::describe::{mean, moments, quantile, std};
use super::sort::compare;
use super::{Column, Order, Table, Timestamp, Value, timestamps};
use crate::error::MlError;

/// What becomes of the values of a column in a group. Missing values do not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Aggregate {
    /// How many there are.
    Count,
    /// How many different ones there are.
    NUnique,
    /// The first.
    First,
    /// The least.
    Min,
    /// The greatest.
    Max,
    /// Their sum, 0 for none; of integers an integer.
    Sum,
    /// Their mean.
    Mean,
    /// The middle one, or the mean of the two in the middle.
    Median,
    /// Their standard deviation with `n - 1`; missing for fewer than two.
    Std,
}

impl Aggregate {
    fn name(self) -> &'static str {
        match self {
            Self::Count => "count",
            Self::NUnique => "nunique",
            Self::First => "first",
            Self::Min => "min",
            Self::Max => "max",
            Self::Sum => "sum",
            Self::Mean => "mean",
            Self::Median => "median",
            Self::Std => "std",
        }
    }
}

impl Table {
    /// One row for each combination of values that some columns have, in the order of these: the
    /// values, and aggregates of other columns, called `<column>_<aggregate>`, such as `mass_mean`.
    ///
    /// Rows in which one of the columns is missing are left out, as in pandas.
    ///
    /// # Errors
    /// [`MlError::UnknownColumn`]; [`MlError::NotNumeric`] for a sum, mean, median or deviation of
    /// texts; [`MlError::WrongColumnType`] for a sum or deviation of timestamps; [`MlError::SumOverflow`]; [`MlError::DuplicateColumn`] for an aggregate that is asked for
    /// twice.
    ///
    /// # Examples
    /// ```
    /// use orch_ml::{Aggregate, CsvOptions, parse_csv};
    ///
    /// let table = parse_csv(b"city,size\nb,1\na,2\nb,4\n", &CsvOptions::default())?;
    /// let sizes = table.group_by(&["city"], &[("size", Aggregate::Sum)])?;
    /// assert_eq!(sizes.to_vector("size_sum")?.to_vec(), [2.0, 5.0]);
    /// # Ok::<(), orch_ml::MlError>(())
    /// ```
    ///
    /// # Source
    /// pandas 3.1, `DataFrame.groupby(..).agg(..)`
    pub fn group_by<S: AsRef<str>, T: AsRef<str>>(
        &self,
        keys: &[S],
        aggregates: &[(T, Aggregate)],
    ) -> Result<Self, MlError> {
        let complete = self.drop_missing_in(keys)?;
        let order: Vec<(&str, Order)> = keys
            .iter()
            .map(|key| (key.as_ref(), Order::Ascending))
            .collect();
        let sorted = complete.sort_by(&order)?;
        let starts = sorted.starts_of_groups(keys)?;
        let ends = starts.iter().skip(1).copied().chain([sorted.n_rows()]);
        let groups: Vec<std::ops::Range<usize>> = starts
            .iter()
            .zip(ends)
            .map(|(start, end)| *start..end)
            .collect();

        let first_rows = sorted.take_rows(&starts)?;
        let mut columns: Vec<(String, Column)> = Vec::new();
        for key in keys {
            let column = first_rows.column(key.as_ref())?.clone();
            columns.push((key.as_ref().to_owned(), column));
        }
        for (name, aggregate) in aggregates {
            let name = name.as_ref();
            let column = sorted.column(name)?;
            let made = sorted.aggregate(name, column, *aggregate, &groups)?;
            columns.push((format!("{name}_{}", aggregate.name()), made));
        }
        Table::new(columns)
    }

    /// The first row of each group of a table that is sorted by its keys.
    fn starts_of_groups<S: AsRef<str>>(&self, keys: &[S]) -> Result<Vec<usize>, MlError> {
        let columns: Vec<&Column> = keys
            .iter()
            .map(|key| self.column(key.as_ref()))
            .collect::<Result<_, _>>()?;
        let differs = |row_idx: usize| {
            let mut values = columns
                .iter()
                .map(|column| (column.value(row_idx - 1), column.value(row_idx)));
            values.any(|(before, value)| before != value)
        };
        let is_start = |row_idx: &usize| *row_idx == 0 || differs(*row_idx);
        Ok((0..self.n_rows).filter(is_start).collect())
    }

    fn aggregate(
        &self,
        name: &str,
        column: &Column,
        aggregate: Aggregate,
        groups: &[std::ops::Range<usize>],
    ) -> Result<Column, MlError> {
        let cells = |group: &std::ops::Range<usize>| {
            group
                .clone()
                .filter(|row_idx| !matches!(column.value(*row_idx), Value::Missing))
                .collect::<Vec<usize>>()
        };
        let count = |count: usize| count as i64;
        let by_value = |a: &usize, b: &usize| compare(column.value(*a), column.value(*b));
        let chosen = |choose: &dyn Fn(Vec<usize>) -> Option<usize>| {
            let rows: Vec<Option<usize>> =
                groups.iter().map(|group| choose(cells(group))).collect();
            column.take_rows_where(&rows)
        };
        Ok(match aggregate {
            Aggregate::Count => {
                let counts = groups.iter().map(|group| count(cells(group).len()));
                counts.collect::<Vec<i64>>().into()
            }
            Aggregate::NUnique => {
                let counts = groups.iter().map(|group| {
                    let mut cells = cells(group);
                    cells.sort_by(by_value);
                    cells.dedup_by(|a, b| by_value(a, b).is_eq());
                    count(cells.len())
                });
                counts.collect::<Vec<i64>>().into()
            }
            Aggregate::First => chosen(&|cells| cells.first().copied()),
            Aggregate::Min => chosen(&|cells| cells.into_iter().min_by(by_value)),
            Aggregate::Max => chosen(&|cells| cells.into_iter().rev().max_by(by_value)),
            Aggregate::Mean | Aggregate::Median if matches!(column, Column::Timestamp(..)) => {
                let made = groups.iter().map(|group| {
                    let mut moments = moments(column, group.clone());
                    let moment = if aggregate == Aggregate::Mean {
                        timestamps::mean(&moments)
                    } else {
                        moments.sort_unstable();
                        timestamps::quantile(&moments, 0.5)
                    };
                    moment.map(Timestamp::from_microseconds)
                });
                made.collect::<Vec<Option<Timestamp>>>().into()
            }
            Aggregate::Sum if matches!(column, Column::Integer(..) | Column::Boolean(..)) => {
                let sums = groups.iter().map(|group| {
                    let whole = |row_idx: usize| match column.value(row_idx) {
                        Value::Integer(value) => value,
                        value => i64::from(value == Value::Boolean(true)),
                    };
                    let mut values = cells(group).into_iter().map(whole);
                    let sum = values.try_fold(0i64, i64::checked_add);
                    sum.ok_or_else(|| MlError::SumOverflow {
                        column: name.to_owned(),
                    })
                });
                sums.collect::<Result<Vec<i64>, MlError>>()?.into()
            }
            Aggregate::Sum | Aggregate::Mean | Aggregate::Median | Aggregate::Std => {
                let numbers = self.to_numbers(name)?;
                let made = groups.iter().map(|group| {
                    let mut values: Vec<f64> = numbers[group.clone()]
                        .iter()
                        .copied()
                        .filter(|value| !value.is_nan())
                        .collect();
                    match aggregate {
                        Aggregate::Sum => values.iter().sum(),
                        Aggregate::Mean => mean(&values),
                        Aggregate::Std => std(&values),
                        _ => {
                            values.sort_by(f64::total_cmp);
                            quantile(&values, 0.5)
                        }
                    }
                });
                made.collect::<Vec<f64>>().into()
            }
        })
    }
}

//! What is in a table, in a few numbers.

use super::{Column, Table, Timestamp, Value, timestamps};

const STATISTICS: [&str; 8] = ["count", "mean", "std", "min", "25%", "50%", "75%", "max"];
const OF_TEXTS: [&str; 4] = ["count", "unique", "top", "freq"];

impl Table {
    /// The number of values, the mean, the standard deviation (with `n - 1`), the least, the
    /// quartiles and the greatest of each column of numbers, below a column `statistic` that names
    /// them. Missing values do not count; what is not defined is missing. Columns of timestamps are
    /// there as well, as texts, since the number of values is none: without a deviation.
    ///
    /// # Source
    /// pandas 3.1, `DataFrame.describe()`; quartiles are interpolated between the two nearest values
    pub fn describe(&self) -> Self {
        let columns = self.columns().filter_map(|(name, column)| {
            if let Column::Timestamp(..) = column {
                return Some((name, Column::from(statistics_of_moments(column))));
            }
            let values = numbers(column)?;
            Some((name, Column::from(statistics(values))))
        });
        let statistic = Column::from(STATISTICS.to_vec());
        Self::of_distinct(std::iter::once(("statistic", statistic)).chain(columns))
    }

    /// The number of values and of different ones, the most frequent, and how often that occurs, of
    /// each column of texts or booleans, below a column `statistic`. Of values that are equally
    /// frequent the one that occurs first counts.
    ///
    /// # Source
    /// pandas 3.1, `DataFrame.describe(include=["str", "bool"])`
    pub fn describe_texts(&self) -> Self {
        let columns = self.columns().filter_map(|(name, column)| {
            let is_text = matches!(column, Column::Text(_) | Column::Boolean(..));
            is_text.then(|| (name, Column::from(frequencies(column))))
        });
        let statistic = Column::from(OF_TEXTS.to_vec());
        Self::of_distinct(std::iter::once(("statistic", statistic)).chain(columns))
    }

    /// A table whose first column may be called as one of the others: those have their names.
    fn of_distinct<'a>(columns: impl Iterator<Item = (&'a str, Column)>) -> Self {
        let mut columns: Vec<(String, Column)> = columns
            .map(|(name, column)| (name.to_owned(), column))
            .collect();
        while columns[1..].iter().any(|(name, _)| *name == columns[0].0) {
            columns[0].0.push('_');
        }
        Table::new(columns).expect("the names are distinct and the columns equally long")
    }
}

/// The values of a column of numbers that are there.
pub(super) fn numbers(column: &Column) -> Option<Vec<f64>> {
    match column {
        Column::Float(values) => Some(values.iter().copied().filter(|v| !v.is_nan()).collect()),
        Column::Integer(values, _) => {
            let cells = (0..values.len()).filter_map(|row_idx| match column.value(row_idx) {
                Value::Integer(value) => Some(value as f64),
                _ => None,
            });
            Some(cells.collect())
        }
        Column::Boolean(..) | Column::Text(_) | Column::Timestamp(..) => None,
    }
}

fn statistics(mut values: Vec<f64>) -> Vec<f64> {
    let count = values.len() as f64;
    let (mean, std) = (mean(&values), std(&values));
    values.sort_by(f64::total_cmp);
    let quartile = |share| quantile(&values, share);
    vec![
        count,
        mean,
        std,
        quartile(0.0),
        quartile(0.25),
        quartile(0.5),
        quartile(0.75),
        quartile(1.0),
    ]
}

/// The moments of a column of timestamps that are there.
pub(super) fn moments(column: &Column, rows: std::ops::Range<usize>) -> Vec<i64> {
    let cells = rows.filter_map(|row_idx| match column.value(row_idx) {
        Value::Timestamp(value) => Some(value.as_microseconds()),
        _ => None,
    });
    cells.collect()
}

fn statistics_of_moments(column: &Column) -> Vec<Option<String>> {
    let mut moments = moments(column, 0..column.len());
    let text = |moment: i64| Timestamp::from_microseconds(moment).to_string();
    let mean = timestamps::mean(&moments);
    moments.sort_unstable();
    let quartile = |share| timestamps::quantile(&moments, share).map(text);
    vec![
        Some(moments.len().to_string()),
        mean.map(text),
        None,
        quartile(0.0),
        quartile(0.25),
        quartile(0.5),
        quartile(0.75),
        quartile(1.0),
    ]
}

/// The mean, NaN for no values.
pub(super) fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// The standard deviation with `n - 1`, NaN for fewer than two values.
pub(super) fn std(values: &[f64]) -> f64 {
    if values.len() < 2 {
        return f64::NAN;
    }
    let mean = mean(values);
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    (squares / (values.len() - 1) as f64).sqrt()
}

/// A quantile of sorted values, between the two nearest where it falls between them; NaN for none.
pub(super) fn quantile(sorted: &[f64], share: f64) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else {
        return f64::NAN;
    };
    let place = share * last as f64;
    let below = place.floor() as usize;
    let (low, high) = (sorted[below], sorted[(below + 1).min(last)]);
    low + (high - low) * (place - below as f64)
}

fn frequencies(column: &Column) -> Vec<Option<String>> {
    let mut counts: Vec<(String, usize)> = Vec::new();
    let mut places = std::collections::HashMap::new();
    for row_idx in 0..column.len() {
        let value = column.value(row_idx);
        if matches!(value, Value::Missing) {
            continue;
        }
        let text = value.to_string();
        let place = *places.entry(text.clone()).or_insert_with(|| {
            counts.push((text, 0));
            counts.len() - 1
        });
        counts[place].1 += 1;
    }
    let most = counts.iter().map(|(_, count)| *count).max();
    let top = counts.iter().find(|(_, count)| Some(*count) == most);
    vec![
        Some(
            counts
                .iter()
                .map(|(_, count)| count)
                .sum::<usize>()
                .to_string(),
        ),
        Some(counts.len().to_string()),
        top.map(|(text, _)| text.clone()),
        top.map(|(_, count)| count.to_string()),
    ]
}

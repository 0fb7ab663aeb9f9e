//! Metrics of groups of rows: a model that is good on the whole may be bad for some.

use std::cmp::Ordering;

use ndarray::ArrayView1;

use super::{ClassOutcomes, RegressionMetrics};
use crate::error::MlError;
use crate::metric::check_length;
use crate::table::{Column, Table, Value};

/// Computes metrics for the rows of each value of a column.
///
/// Slices are sorted; rows without a value make one of their own, the last. Put a column of
/// measurements into ranges first, or each of its numbers is a slice. A metric that is not defined
/// for a slice (NaN) is missing in the table.
///
/// # Shapes
/// `metrics` gets the indices of the rows of a slice and returns names and numbers; the table is
/// `[n_slices]` rows of `slice`, `n_rows` and those names
///
/// # Errors
/// [`MlError::UnknownColumn`]; [`MlError::NoRows`]; the error of `metrics`; if it returns other
/// names for another slice, [`MlError::InvalidOption`]; [`MlError::DuplicateColumn`] for a name that
/// is used twice.
///
/// # Examples
/// ```
/// use orch_ml::{Table, accuracy, metrics_by_slice};
///
/// let table = Table::new([("island", vec!["Dream", "Biscoe", "Dream"].into())])?;
/// let (targets, guesses) = ([0, 1, 1], [0, 1, 0]);
/// let by_island = metrics_by_slice(&table, "island", |rows| {
///     let of = |codes: &[u32]| -> Vec<u32> { rows.iter().map(|row_idx| codes[*row_idx]).collect() };
///     Ok(vec![("accuracy".to_owned(), accuracy(&of(&targets), &of(&guesses))?)])
/// })?;
/// assert_eq!(by_island.to_vector("accuracy")?.to_vec(), [1.0, 0.5]);
/// # Ok::<(), orch_ml::MlError>(())
/// ```
pub fn metrics_by_slice(
    table: &Table,
    column: &str,
    metrics: impl Fn(&[usize]) -> Result<Vec<(String, f64)>, MlError>,
) -> Result<Table, MlError> {
    let column = table.column(column)?;
    if table.n_rows() == 0 {
        let table = table.name();
        return Err(MlError::NoRows { table });
    }
    let mut rows: Vec<usize> = (0..table.n_rows()).collect();
    rows.sort_by(|a, b| in_order(column.value(*a), column.value(*b)));

    let mut slices: Vec<Option<String>> = Vec::new();
    let mut n_rows: Vec<i64> = Vec::new();
    let mut names: Vec<String> = Vec::new();
    let mut numbers: Vec<Vec<f64>> = Vec::new();
    for rows in rows.chunk_by(|a, b| in_order(column.value(*a), column.value(*b)).is_eq()) {
        let (found, of_slice): (Vec<String>, Vec<f64>) = metrics(rows)?.into_iter().unzip();
        if slices.is_empty() {
            numbers = vec![Vec::new(); found.len()];
            names = found;
        } else if found != names {
            return Err(MlError::InvalidOption {
                name: "metrics",
                value: found.join(", "),
                expected: "the same names for every slice",
            });
        }
        for (column, number) in numbers.iter_mut().zip(of_slice) {
            column.push(number);
        }
        slices.push(match column.value(rows[0]) {
            Value::Missing => None,
            value => Some(value.to_string()),
        });
        n_rows.push(rows.len() as i64);
    }
    let slices: Vec<Option<&str>> = slices.iter().map(Option::as_deref).collect();
    let first = [
        ("slice".to_owned(), Column::from(slices)),
        ("n_rows".to_owned(), n_rows.into()),
    ];
    let numbers = numbers.into_iter().map(Column::from);
    Table::new(first.into_iter().chain(names.into_iter().zip(numbers)))
}

/// Values of one column in order, missing ones last.
fn in_order(a: Value<'_>, b: Value<'_>) -> Ordering {
    match (a, b) {
        (Value::Float(a), Value::Float(b)) => a.partial_cmp(&b).unwrap_or(Ordering::Equal),
        (Value::Integer(a), Value::Integer(b)) => a.cmp(&b),
        (Value::Boolean(a), Value::Boolean(b)) => a.cmp(&b),
        (Value::Text(a), Value::Text(b)) => a.cmp(b),
        (Value::Timestamp(a), Value::Timestamp(b)) => a.cmp(&b),
        (a, b) => (a == Value::Missing).cmp(&(b == Value::Missing)),
    }
}

/// [`metrics_by_slice`] of predicted numbers: `r2`, `mae`, `median_absolute_error`, `rmse` and
/// `mape`.
///
/// # Shapes
/// table `[n_rows]` rows, the same as targets `[n_rows]` and predictions `[n_rows]`
///
/// # Errors
/// As [`metrics_by_slice`] and [`RegressionMetrics::from_predictions`].
pub fn regression_by_slice(
    table: &Table,
    column: &str,
    targets: ArrayView1<'_, f64>,
    predictions: ArrayView1<'_, f64>,
) -> Result<Table, MlError> {
    check_length("the list of targets", table.n_rows(), targets.len())?;
    check_length("the list of predictions", table.n_rows(), predictions.len())?;
    metrics_by_slice(table, column, |rows| {
        let of = |values: ArrayView1<'_, f64>| values.select(ndarray::Axis(0), rows);
        let (targets, predictions) = (of(targets), of(predictions));
        let (targets, predictions) = (targets.view(), predictions.view());
        let metrics = RegressionMetrics::from_predictions(targets, predictions, None)?;
        Ok(named([
            ("r2", Some(metrics.r2)),
            ("mae", Some(metrics.mae)),
            ("median_absolute_error", Some(metrics.median_absolute_error)),
            ("rmse", Some(metrics.rmse)),
            ("mape", Some(metrics.mape)),
        ]))
    })
}

/// [`metrics_by_slice`] of predicted classes: `accuracy`, `balanced_accuracy`, `macro_precision`,
/// `macro_recall`, `macro_f1`, `log_loss`, `brier_score` and `roc_auc`.
///
/// # Shapes
/// table `[n_rows]` rows, the same as the outcomes
///
/// # Errors
/// As [`metrics_by_slice`] and [`ClassOutcomes::metrics`].
pub fn classification_by_slice(
    table: &Table,
    column: &str,
    outcomes: &ClassOutcomes,
) -> Result<Table, MlError> {
    check_length("the list of outcomes", table.n_rows(), outcomes.n_rows())?;
    metrics_by_slice(table, column, |rows| {
        let metrics = outcomes.take_rows(rows)?.metrics(None)?;
        Ok(named([
            ("accuracy", Some(metrics.accuracy)),
            ("balanced_accuracy", Some(metrics.balanced_accuracy)),
            ("macro_precision", Some(metrics.macro_precision)),
            ("macro_recall", Some(metrics.macro_recall)),
            ("macro_f1", Some(metrics.macro_f1)),
            ("log_loss", Some(metrics.log_loss)),
            ("brier_score", Some(metrics.brier_score)),
            ("roc_auc", metrics.roc_auc),
        ]))
    })
}

fn named<const N: usize>(metrics: [(&str, Option<f64>); N]) -> Vec<(String, f64)> {
    let number = |value: Option<f64>| value.unwrap_or(f64::NAN);
    metrics
        .into_iter()
        .map(|(name, value)| (name.to_owned(), number(value)))
        .collect()
}

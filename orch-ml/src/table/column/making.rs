//! Columns of lists of values.

use std::sync::Arc;

use super::{Column, Timestamp, Validity};

impl From<Vec<f64>> for Column {
    fn from(values: Vec<f64>) -> Self {
        Column::Float(Arc::new(values))
    }
}

impl From<Vec<i64>> for Column {
    fn from(values: Vec<i64>) -> Self {
        Column::Integer(Arc::new(values), Validity::default())
    }
}

impl From<Vec<bool>> for Column {
    fn from(values: Vec<bool>) -> Self {
        Column::Boolean(Arc::new(values), Validity::default())
    }
}

impl From<Vec<Option<f64>>> for Column {
    fn from(values: Vec<Option<f64>>) -> Self {
        values
            .into_iter()
            .map(|value| value.unwrap_or(f64::NAN))
            .collect::<Vec<_>>()
            .into()
    }
}

impl From<Vec<Option<i64>>> for Column {
    fn from(values: Vec<Option<i64>>) -> Self {
        let validity = Validity::new(values.iter().map(Option::is_some).collect());
        Column::Integer(
            Arc::new(values.into_iter().map(Option::unwrap_or_default).collect()),
            validity,
        )
    }
}

impl From<Vec<Option<bool>>> for Column {
    fn from(values: Vec<Option<bool>>) -> Self {
        let validity = Validity::new(values.iter().map(Option::is_some).collect());
        Column::Boolean(
            Arc::new(values.into_iter().map(Option::unwrap_or_default).collect()),
            validity,
        )
    }
}

impl From<Vec<&str>> for Column {
    fn from(values: Vec<&str>) -> Self {
        Column::Text(Arc::new(values.into_iter().map(Some).collect()))
    }
}

impl From<Vec<String>> for Column {
    fn from(values: Vec<String>) -> Self {
        Column::Text(Arc::new(
            values.iter().map(|value| Some(value.as_str())).collect(),
        ))
    }
}

impl From<Vec<Option<String>>> for Column {
    fn from(values: Vec<Option<String>>) -> Self {
        Column::Text(Arc::new(values.iter().map(Option::as_deref).collect()))
    }
}

impl From<Vec<Option<&str>>> for Column {
    fn from(values: Vec<Option<&str>>) -> Self {
        Column::Text(Arc::new(values.into_iter().collect()))
    }
}

impl From<Vec<Timestamp>> for Column {
    fn from(values: Vec<Timestamp>) -> Self {
        let values = values.iter().map(|value| value.as_microseconds()).collect();
        Column::Timestamp(Arc::new(values), Validity::default())
    }
}

impl From<Vec<Option<Timestamp>>> for Column {
    fn from(values: Vec<Option<Timestamp>>) -> Self {
        let validity = Validity::new(values.iter().map(Option::is_some).collect());
        let values = values
            .iter()
            .map(|value| value.map_or(0, Timestamp::as_microseconds))
            .collect();
        Column::Timestamp(Arc::new(values), validity)
    }
}

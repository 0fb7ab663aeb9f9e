//! What trials came to.

use std::cmp::Ordering;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Scoring;
use crate::error::MlError;
use crate::metric::check_length;
use crate::options::check_option;
use crate::table::{Column, Table};

/// Options that were tried, and their scores.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Trial<O> {
    /// The options.
    pub options: O,
    /// A score for each fold.
    pub scores: Vec<f64>,
}

impl<O> Trial<O> {
    /// The mean of the scores, NaN for none.
    pub fn mean(&self) -> f64 {
        self.scores.iter().sum::<f64>() / self.scores.len() as f64
    }

    /// The standard deviation of the scores over the folds, with `n`, as in scikit-learn's
    /// `std_test_score`.
    pub fn std(&self) -> f64 {
        let mean = self.mean();
        let squares = self.scores.iter().map(|score| (score - mean).powi(2));
        (squares.sum::<f64>() / self.scores.len() as f64).sqrt()
    }
}

/// All trials of a search, the best first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "RawSearchReport<O, S>")]
pub struct SearchReport<O, S> {
    trials: Vec<Trial<O>>,
    /// For each trial how many were tried before it.
    tried: Vec<usize>,
    scoring: S,
}

#[derive(Deserialize)]
struct RawSearchReport<O, S> {
    trials: Vec<Trial<O>>,
    tried: Vec<usize>,
    scoring: S,
}

impl<O, S> TryFrom<RawSearchReport<O, S>> for SearchReport<O, S> {
    type Error = MlError;

    fn try_from(raw: RawSearchReport<O, S>) -> Result<Self, MlError> {
        let n_trials = raw.trials.len();
        check_length("the order of the trials", n_trials, raw.tried.len())?;
        let mut tried = raw.tried.clone();
        tried.sort_unstable();
        check_option(
            tried.into_iter().eq(0..n_trials),
            "tried",
            format!("{:?}", raw.tried),
            "each number below that of the trials once",
        )?;
        Ok(Self {
            trials: raw.trials,
            tried: raw.tried,
            scoring: raw.scoring,
        })
    }
}

impl<O, S: Scoring> SearchReport<O, S> {
    /// Puts trials in order: by their mean scores, and where these are equal as they were tried.
    ///
    /// # Errors
    /// [`MlError::NoTrials`].
    pub fn new(trials: Vec<Trial<O>>, scoring: S) -> Result<Self, MlError> {
        if trials.is_empty() {
            return Err(MlError::NoTrials);
        }
        let mut numbered: Vec<(usize, Trial<O>)> = trials.into_iter().enumerate().collect();
        numbered.sort_by(|(_, a), (_, b)| {
            let (a, b) = (a.mean(), b.mean());
            match (scoring.is_better(a, b), scoring.is_better(b, a)) {
                (true, false) => Ordering::Less,
                (false, true) => Ordering::Greater,
                _ => Ordering::Equal,
            }
        });
        let (tried, trials) = numbered.into_iter().unzip();
        Ok(Self {
            trials,
            tried,
            scoring,
        })
    }

    /// The best trial; of several the one that was tried first.
    pub fn best(&self) -> &Trial<O> {
        &self.trials[0]
    }

    /// All trials, the best first.
    pub fn trials(&self) -> &[Trial<O>] {
        &self.trials
    }

    /// All trials in the order in which they were tried.
    pub fn in_order_tried(&self) -> impl Iterator<Item = &Trial<O>> {
        let mut places = vec![0; self.trials.len()];
        for (place, number) in self.tried.iter().enumerate() {
            places[*number] = place;
        }
        places.into_iter().map(|place| &self.trials[place])
    }

    /// What the trials are compared by.
    pub fn scoring(&self) -> S {
        self.scoring
    }
}

impl<O: Serialize, S: Scoring> SearchReport<O, S> {
    /// A row for each trial, the best first: its rank, the options that are not the same in all, the
    /// mean of its scores and their deviation.
    pub fn to_table(&self) -> Table {
        let ranks: Vec<i64> = (1..=self.trials.len() as i64).collect();
        let mut columns = vec![("rank".to_owned(), Column::from(ranks))];
        columns.extend(columns_of(self.trials.iter().map(|trial| &trial.options)));
        let mean: Vec<f64> = self.trials.iter().map(Trial::mean).collect();
        let std: Vec<f64> = self.trials.iter().map(Trial::std).collect();
        columns.push((format!("{}_mean", self.scoring), mean.into()));
        columns.push((format!("{}_std", self.scoring), std.into()));
        Table::new(distinct_names(columns))
            .expect("the names are distinct and the columns equally long")
    }
}

impl<O: Serialize, S: Scoring> fmt::Display for SearchReport<O, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_table().fmt(f)
    }
}

/// A column for each option that is not the same everywhere.
pub(super) fn columns_of<'a, O: Serialize + 'a>(
    options: impl Iterator<Item = &'a O>,
) -> Vec<(String, Column)> {
    let options: Vec<Value> = options
        .map(|options| serde_json::to_value(options).unwrap_or(Value::Null))
        .collect();
    let first = options.first().and_then(Value::as_object);
    let names = first.into_iter().flat_map(|of| of.keys());
    let differ = |name: &&String| options.iter().any(|of| of[*name] != options[0][*name]);
    names
        .filter(differ)
        .map(|name| (name.clone(), column_of(options.iter().map(|of| &of[name]))))
        .collect()
}

/// Tells columns of one name apart: an option may be called as a column of ours.
pub(super) fn distinct_names(mut columns: Vec<(String, Column)>) -> Vec<(String, Column)> {
    let mut at = 0;
    while at < columns.len() {
        if columns[..at].iter().any(|(name, _)| *name == columns[at].0) {
            columns[at].0.push('_');
        } else {
            at += 1;
        }
    }
    columns
}

/// The values of an option, as numbers if all are.
fn column_of<'a>(values: impl Iterator<Item = &'a Value> + Clone) -> Column {
    let absent = |value: &Value| value.is_null();
    if values.clone().all(|value| value.is_i64() || absent(value)) {
        let numbers: Vec<Option<i64>> = values.map(Value::as_i64).collect();
        return numbers.into();
    }
    if values
        .clone()
        .all(|value| value.is_number() || absent(value))
    {
        let numbers: Vec<Option<f64>> = values.map(Value::as_f64).collect();
        return numbers.into();
    }
    let texts: Vec<Option<String>> = values
        .map(|value| match value {
            Value::Null => None,
            Value::String(text) => Some(text.clone()),
            value => Some(value.to_string()),
        })
        .collect();
    texts.into()
}

/// Ends a search once it gets no better.
///
/// ```
/// use orch_ml::{ClassificationScoring, Patience};
///
/// let patience = Patience { trials: 2, min_improvement: 0.001 };
/// let is_over = |scores: &[f64]| patience.is_over(scores, ClassificationScoring::Accuracy);
/// assert!(!is_over(&[0.80, 0.85, 0.84]));
/// assert!(is_over(&[0.80, 0.85, 0.84, 0.8505]));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Patience {
    /// Trials in a row that may bring nothing.
    pub trials: usize,
    /// What counts as better: by more than this.
    pub min_improvement: f64,
}

impl Patience {
    /// Whether the last trials, in the order in which they were tried, brought nothing.
    pub fn is_over(&self, scores: &[f64], scoring: impl Scoring) -> bool {
        let mut best = f64::NAN;
        let mut since = 0;
        for score in scores {
            let margin = match scoring.greater_is_better() {
                true => self.min_improvement,
                false => -self.min_improvement,
            };
            if scoring.is_better(*score, best + margin) {
                best = *score;
                since = 0;
            } else {
                since += 1;
            }
        }
        since >= self.trials && !scores.is_empty()
    }
}

//! Recorded flow runs side by side: what they were made with, how they went, how long they took.

mod direction;
mod render;

pub use self::direction::Direction;

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::RecordedRun;
use crate::engine::Engine;
use crate::id::FlowRunId;
use crate::report::{LoggedReport, MetricReport};
use crate::state::State;
use crate::store::StoreError;

/// Why flow runs were not compared.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CompareError {
    /// There is no flow run of this id.
    #[error("there is no flow run {run}")]
    Unknown {
        /// The id.
        run: FlowRunId,
    },
    /// The store cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Recorded flow runs side by side, in the order in which they were asked for.
/// [`Display`](std::fmt::Display) writes a table with a line for each flow run.
///
/// A param is an argument of the flow, or was logged by the flow body or a task run; a metric was
/// logged. A name stands alone where it has one value in each flow run, and with the name of its task
/// run before it where several log it. What several task runs of one name logged, such as items of a
/// map, is counted and not compared.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RunComparison {
    /// The flow runs.
    pub runs: Vec<ComparedRun>,
    /// Params: those that differ first, each group by name.
    pub params: Vec<ComparedParam>,
    /// Metrics by name.
    pub metrics: Vec<ComparedMetric>,
}

/// A flow run of a [`RunComparison`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ComparedRun {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its flow.
    pub flow: String,
    /// Where it stands.
    pub state: State,
    /// When it was first started, in milliseconds since the Unix epoch.
    pub started_at_unix_ms: i64,
    /// How long it took, in seconds; `None` if it has not ended.
    pub seconds: Option<f64>,
    /// Tags that it logged.
    pub tags: BTreeMap<String, String>,
}

/// A param in each of the flow runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ComparedParam {
    /// Its name.
    pub name: String,
    /// Whether it is not the same in all.
    pub differs: bool,
    /// Its value in each; `None` where it was not logged, and where several task runs did.
    pub values: Vec<Option<Value>>,
}

/// A metric in each of the flow runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ComparedMetric {
    /// Its name.
    pub name: String,
    /// Which values are better, where that is known.
    pub better: Option<Direction>,
    /// The flow runs with the best last value, by their places; none if it is not known what is
    /// better, or if all are the same.
    pub best: Vec<usize>,
    /// The metric in each; `None` where it was not logged.
    pub values: Vec<Option<ComparedValue>>,
}

/// A metric in one flow run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ComparedValue {
    /// The value of the greatest step; NaN if several task runs logged it.
    #[serde(with = "crate::report::logged::number")]
    pub last: f64,
    /// The least value.
    #[serde(with = "crate::report::logged::number")]
    pub min: f64,
    /// The greatest value.
    #[serde(with = "crate::report::logged::number")]
    pub max: f64,
    /// How many points were logged.
    pub n_points: u64,
    /// How many task runs of one name logged it; what they logged is not one value if that is more
    /// than one.
    pub n_task_runs: u64,
}

/// What has a name, and whose it is: `None` for the flow run itself.
type Named = (String, Option<String>);

/// What was logged under each name in a flow run.
struct Entries {
    params: BTreeMap<Named, (Value, u64)>,
    metrics: BTreeMap<Named, ComparedValue>,
}

impl Engine {
    /// Puts recorded flow runs side by side.
    ///
    /// # Errors
    /// [`CompareError`] if one of them is not there, or if the store cannot be read.
    pub fn compare_runs(&self, runs: &[FlowRunId]) -> Result<RunComparison, CompareError> {
        let mut recorded = Vec::with_capacity(runs.len());
        for run in runs {
            let unknown = CompareError::Unknown { run: *run };
            recorded.push(self.recorded_run(*run)?.ok_or(unknown)?);
        }
        Ok(RunComparison::of(&recorded.iter().collect::<Vec<_>>()))
    }
}

impl RunComparison {
    /// Puts recorded flow runs side by side.
    pub fn of(runs: &[&RecordedRun]) -> Self {
        let entries: Vec<Entries> = runs.iter().map(|run| Entries::of(run)).collect();
        let params = columns(entries.iter().map(|of| &of.params));
        let metrics = columns(entries.iter().map(|of| &of.metrics));
        let mut params: Vec<ComparedParam> = params
            .into_iter()
            .map(|(name, values)| {
                let values: Vec<Option<Value>> = values
                    .into_iter()
                    .map(|value| value.and_then(|(value, n)| (*n == 1).then(|| value.clone())))
                    .collect();
                ComparedParam {
                    name,
                    differs: values.iter().any(|value| *value != values[0]),
                    values,
                }
            })
            .collect();
        params.sort_by_key(|param| !param.differs);
        let metrics = metrics.into_iter().map(|(name, values)| {
            let better = Direction::of(&name);
            let values = values.into_iter().map(|value| value.cloned()).collect();
            ComparedMetric::new(name, better, values)
        });
        Self {
            runs: runs.iter().map(|run| ComparedRun::of(run)).collect(),
            params,
            metrics: metrics.collect(),
        }
    }

    /// Says that greater values of a metric are better, for one whose name does not tell.
    pub fn greater_is_better(mut self, metric: &str) -> Self {
        self.set_better(metric, Direction::Greater);
        self
    }

    /// Says that lower values of a metric are better, for one whose name does not tell.
    pub fn lower_is_better(mut self, metric: &str) -> Self {
        self.set_better(metric, Direction::Lower);
        self
    }

    /// Returns it with these metrics only, by the ends of their names: `loss` is also `fit/loss`. For
    /// tables that are to be read.
    pub fn keeping_metrics<N: AsRef<str>>(&self, names: &[N]) -> Self {
        let is_kept = |metric: &&ComparedMetric| {
            names.iter().any(|name| {
                let before = metric.name.strip_suffix(name.as_ref());
                before.is_some_and(|before| before.is_empty() || before.ends_with('/'))
            })
        };
        Self {
            runs: self.runs.clone(),
            params: self.params.clone(),
            metrics: self.metrics.iter().filter(is_kept).cloned().collect(),
        }
    }

    fn set_better(&mut self, name: &str, better: Direction) {
        for metric in self.metrics.iter_mut().filter(|metric| metric.name == name) {
            let values = std::mem::take(&mut metric.values);
            *metric = ComparedMetric::new(name.to_owned(), Some(better), values);
        }
    }
}

impl ComparedRun {
    fn of(run: &RecordedRun) -> Self {
        let row = &run.row;
        let took = row.ended_at.map(|ended| {
            let nanos = ended.0.saturating_sub(row.started_at.0);
            Duration::from_nanos(u64::try_from(nanos).unwrap_or(0))
        });
        let tags = run.logged.iter().flat_map(|(_, log)| log.tags.clone());
        Self {
            id: row.id.to_string(),
            name: row.name.clone(),
            flow: row.flow.clone(),
            state: row.state,
            started_at_unix_ms: row.started_at.0.div_euclid(1_000_000),
            seconds: took.map(|took| took.as_secs_f64()),
            tags: tags.collect(),
        }
    }
}

impl ComparedMetric {
    fn new(name: String, better: Option<Direction>, values: Vec<Option<ComparedValue>>) -> Self {
        let number = |value: &Option<ComparedValue>| {
            let value = value.as_ref().filter(|value| value.n_task_runs == 1)?;
            Some(value.last).filter(|value| !value.is_nan())
        };
        let numbers: Vec<(usize, f64)> = values
            .iter()
            .enumerate()
            .filter_map(|(at, value)| Some((at, number(value)?)))
            .collect();
        let best = better.and_then(|better| {
            let numbers = numbers.iter().map(|(_, value)| *value);
            match better {
                Direction::Greater => numbers.reduce(f64::max),
                Direction::Lower => numbers.reduce(f64::min),
            }
        });
        let is_best =
            |value: f64| best.and_then(|best| value.partial_cmp(&best)) == Some(Ordering::Equal);
        let mut best: Vec<usize> = numbers
            .iter()
            .filter(|(_, value)| is_best(*value))
            .map(|(at, _)| *at)
            .collect();
        if best.len() == numbers.len() {
            best.clear();
        }
        Self {
            name,
            better,
            best,
            values,
        }
    }
}

impl Entries {
    fn of(run: &RecordedRun) -> Self {
        let mut params: BTreeMap<Named, (Value, u64)> = BTreeMap::new();
        for argument in run.row.parameters.iter().flatten() {
            let name = (argument.name.clone(), None);
            params.insert(name, (argument.shown.clone(), 1));
        }
        let mut metrics: BTreeMap<Named, ComparedValue> = BTreeMap::new();
        let names: BTreeMap<_, &str> = run
            .task_runs
            .iter()
            .map(|row| (row.call, row.shown_name()))
            .collect();
        for (call, log) in &run.logged {
            let of = names.get(call).map(|name| (*name).to_owned());
            let LoggedReport {
                params: logged,
                metrics: measured,
                ..
            } = log;
            for (name, value) in logged {
                let entry = params.entry((name.clone(), of.clone()));
                match &of {
                    // A param that the body logs says more than the argument of the same name.
                    None => *entry.or_default() = (value.clone(), 1),
                    Some(_) => {
                        let (known, n) = entry.or_insert_with(|| (value.clone(), 0));
                        // Items of a map that agree are of one mind.
                        if *n == 0 || known != value {
                            *n += 1;
                        }
                    }
                }
            }
            for (name, metric) in measured {
                metrics
                    .entry((name.clone(), of.clone()))
                    .and_modify(|known| known.add(metric))
                    .or_insert_with(|| ComparedValue::of(metric));
            }
        }
        Self { params, metrics }
    }
}

impl ComparedValue {
    fn of(metric: &MetricReport) -> Self {
        Self {
            last: metric.last,
            min: metric.min,
            max: metric.max,
            n_points: metric.n_points,
            n_task_runs: 1,
        }
    }

    /// Adds what another task run of the same name logged.
    fn add(&mut self, metric: &MetricReport) {
        self.last = f64::NAN;
        self.min = self.min.min(metric.min);
        self.max = self.max.max(metric.max);
        self.n_points += metric.n_points;
        self.n_task_runs += 1;
    }
}

/// A column for each thing that has a name in any of the flow runs, with its value in each. Things of
/// one name that have the same values, such as an argument and the param that a task logs of it, share
/// a column.
fn columns<'a, V: PartialEq>(
    runs: impl Iterator<Item = &'a BTreeMap<Named, V>> + Clone,
) -> Vec<(String, Vec<Option<&'a V>>)> {
    let all: BTreeSet<&Named> = runs.clone().flat_map(BTreeMap::keys).collect();
    let all: Vec<&Named> = all.into_iter().collect();
    let mut columns = Vec::new();
    for namesakes in all.chunk_by(|(name, _), (other, _)| name == other) {
        let of_each: Vec<Vec<Option<&V>>> = namesakes
            .iter()
            .map(|named| runs.clone().map(|run| run.get(*named)).collect())
            .collect();
        match in_one(&of_each) {
            Some(values) => columns.push((namesakes[0].0.clone(), values)),
            None => {
                for ((name, of), values) in namesakes.iter().copied().zip(of_each) {
                    let of = of.as_ref().map(|of| format!("{of}/{name}"));
                    columns.push((of.unwrap_or_else(|| name.clone()), values));
                }
            }
        }
    }
    columns
}

/// The values of columns that do not contradict each other, in one.
fn in_one<'a, V: PartialEq>(columns: &[Vec<Option<&'a V>>]) -> Option<Vec<Option<&'a V>>> {
    let (first, others) = columns.split_first()?;
    let mut values = first.clone();
    for column in others {
        for (value, other) in values.iter_mut().zip(column) {
            match (*value, *other) {
                (Some(value), Some(other)) if value != other => return None,
                (None, Some(_)) => *value = *other,
                _ => {}
            }
        }
    }
    Some(values)
}

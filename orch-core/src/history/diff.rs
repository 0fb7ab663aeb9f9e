//! How two recorded flow runs differ.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;
use std::time::Duration;

use serde_json::Value;

use super::{ComparedMetric, ComparedValue, Direction, RecordedRun, RunComparison};
use crate::id::FlowRunId;
use crate::report::logged::number_text;
use crate::report::{NodeKind, human, table::Table};
use crate::state::State;
use crate::store::{CallId, TaskRow, TaskRunRow};
use crate::value::Digest;

/// How two recorded flow runs differ. [`Display`](fmt::Display) writes what differs, and counts what
/// does not.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct RunDiff {
    /// The one flow run and its name.
    pub before: (FlowRunId, String),
    /// The other flow run and its name.
    pub after: (FlowRunId, String),
    /// Parameters that differ.
    pub parameters: Vec<ValueDiff>,
    /// Params that were logged and differ, but for those called as a parameter.
    pub params: Vec<ValueDiff>,
    /// Metrics that were logged in either.
    pub metrics: Vec<MetricDiff>,
    /// Functions whose code or version differs: the flow's or a task's.
    pub code: Vec<CodeDiff>,
    /// Every task run of either, in the order of the one before; what only the other has comes last.
    pub task_runs: Vec<TaskRunDiff>,
    /// Entries of the manifests that differ.
    pub manifest: Vec<ValueDiff>,
}

/// A value that differs.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct ValueDiff {
    /// Its name.
    pub name: String,
    /// What it is in the one; `None` where it is not there.
    pub before: Option<Value>,
    /// What it is in the other.
    pub after: Option<Value>,
}

/// A metric in both flow runs, or in one of them.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct MetricDiff {
    /// Its name, as [`RunComparison`] has it.
    pub name: String,
    /// What it was last in the one; `None` where it was not logged, or by several task runs.
    pub before: Option<f64>,
    /// What it was last in the other.
    pub after: Option<f64>,
    /// Which values are better, where that is known.
    pub better: Option<Direction>,
}

/// A function that differs.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CodeDiff {
    /// The name of the flow or the task.
    pub name: String,
    /// Whether its tokens differ, or those of a function that it names.
    pub code: bool,
    /// The `version` options, where they differ.
    pub version: Option<(Option<String>, Option<String>)>,
}

/// A task run in both flow runs, or in one of them.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct TaskRunDiff {
    /// Its name.
    pub name: String,
    /// How it went in the one flow run.
    pub before: Option<TaskRunSide>,
    /// How it went in the other.
    pub after: Option<TaskRunSide>,
}

/// A task run in one of two flow runs.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TaskRunSide {
    /// The call.
    pub call: CallId,
    /// Where it stands.
    pub state: State,
    /// How long it ran, if its body did.
    pub duration: Option<Duration>,
    /// The digest of its result, if that is recorded.
    pub digest: Option<Digest>,
}

impl CodeDiff {
    #[cfg(feature = "cli")]
    pub(crate) fn of_code(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            code: true,
            version: None,
        }
    }

    #[cfg(feature = "cli")]
    pub(crate) fn of_version(name: &str, before: Option<String>, after: Option<String>) -> Self {
        Self {
            name: name.to_owned(),
            code: false,
            version: Some((before, after)),
        }
    }
}

impl TaskRunDiff {
    /// Whether both have a recorded result and it is the same; `None` if one has none.
    pub fn has_same_result(&self) -> Option<bool> {
        let digest = |side: &Option<TaskRunSide>| side.as_ref().and_then(|side| side.digest);
        Some(digest(&self.before)? == digest(&self.after)?)
    }

    /// Whether anything but times differs.
    pub fn is_different(&self) -> bool {
        match (&self.before, &self.after) {
            (Some(before), Some(after)) => {
                before.state.is_success() != after.state.is_success()
                    || (before.state != after.state && !before.state.is_success())
                    || self.has_same_result() == Some(false)
            }
            _ => true,
        }
    }
}

impl RecordedRun {
    /// Compares with another flow run. Task runs belong together by their calls; those that make no
    /// pair by their names, in the order of their submission.
    pub fn diff(&self, other: &Self) -> RunDiff {
        let id = |run: &Self| (run.row.id, run.row.name.clone());
        let logged = RunComparison::of(&[self, other]);
        let is_parameter = |name: &str| {
            let all = [self, other]
                .into_iter()
                .flat_map(|run| run.row.parameters.iter());
            all.flatten().any(|parameter| parameter.name == name)
        };
        RunDiff {
            before: id(self),
            after: id(other),
            parameters: values(&self.parameters(), &other.parameters()),
            params: logged
                .params
                .iter()
                .filter(|param| param.differs && !is_parameter(&param.name))
                .map(|param| ValueDiff {
                    name: param.name.clone(),
                    before: param.values[0].clone(),
                    after: param.values[1].clone(),
                })
                .collect(),
            metrics: logged.metrics.iter().map(MetricDiff::of).collect(),
            code: self.code_diff(other),
            task_runs: pairs(&self.task_runs, &other.task_runs)
                .into_iter()
                .map(|(before, after)| TaskRunDiff {
                    name: before
                        .or(after)
                        .map(|row| row.shown_name().to_owned())
                        .unwrap_or_default(),
                    before: before.map(side),
                    after: after.map(side),
                })
                .collect(),
            manifest: values(&entries(&self.row.manifest), &entries(&other.row.manifest)),
        }
    }

    /// The parameters by what identifies them and how they are shown.
    fn parameters(&self) -> BTreeMap<String, (Option<Digest>, Value)> {
        let parameters = self.row.parameters.iter().flatten();
        parameters
            .map(|parameter| {
                let digest = Some(parameter.value.stored.digest);
                (parameter.name.clone(), (digest, parameter.shown.clone()))
            })
            .collect()
    }

    fn code_diff(&self, other: &Self) -> Vec<CodeDiff> {
        let mut differing = Vec::new();
        if self.row.flow != other.row.flow || self.row.fingerprint != other.row.fingerprint {
            differing.push(CodeDiff {
                name: self.row.flow.clone(),
                code: true,
                version: None,
            });
        }
        let tasks = |run: &Self| -> BTreeMap<String, TaskRow> {
            let rows = run.task_runs.iter();
            rows.map(|row| (row.task.id.clone(), (*row.task).clone()))
                .collect()
        };
        let others = tasks(other);
        for (id, before) in tasks(self) {
            let Some(after) = others.get(&id) else {
                continue;
            };
            let code = before.fingerprint != after.fingerprint;
            let version = (before.version != after.version)
                .then(|| (before.version.clone(), after.version.clone()));
            if code || version.is_some() {
                differing.push(CodeDiff {
                    name: before.name,
                    code,
                    version,
                });
            }
        }
        differing
    }
}

impl MetricDiff {
    fn of(metric: &ComparedMetric) -> Self {
        let last = |value: &Option<ComparedValue>| {
            let value = value.as_ref().filter(|value| value.n_task_runs == 1);
            value.map(|value| value.last)
        };
        Self {
            name: metric.name.clone(),
            before: last(&metric.values[0]),
            after: last(&metric.values[1]),
            better: metric.better,
        }
    }
}

type Values = BTreeMap<String, (Option<Digest>, Value)>;

fn entries(manifest: &Value) -> Values {
    let entries = manifest.as_object().into_iter().flatten();
    entries
        .map(|(name, value)| (name.clone(), (None, value.clone())))
        .collect()
}

fn values(before: &Values, after: &Values) -> Vec<ValueDiff> {
    let names = before.keys().chain(after.keys());
    let mut names: Vec<&String> = names.collect();
    names.sort();
    names.dedup();
    let differing = names.into_iter().filter_map(|name| {
        let (before, after) = (before.get(name), after.get(name));
        let shown = |value: Option<&(_, Value)>| value.map(|(_, shown)| shown.clone());
        (before != after).then(|| ValueDiff {
            name: name.clone(),
            before: shown(before),
            after: shown(after),
        })
    });
    differing.collect()
}

/// The task runs that belong together.
fn pairs<'a>(
    before: &'a [TaskRunRow],
    after: &'a [TaskRunRow],
) -> Vec<(Option<&'a TaskRunRow>, Option<&'a TaskRunRow>)> {
    let by_call: HashMap<CallId, &TaskRunRow> = after.iter().map(|row| (row.call, row)).collect();
    let calls: HashSet<CallId> = before.iter().map(|row| row.call).collect();
    // What has no counterpart of its own call, by kind and name, the first last.
    let mut by_name: HashMap<(NodeKind, &str), Vec<&TaskRunRow>> = HashMap::new();
    for row in after.iter().rev() {
        if !calls.contains(&row.call) {
            let name = (row.kind, row.shown_name());
            by_name.entry(name).or_default().push(row);
        }
    }
    let mut pairs: Vec<(Option<&TaskRunRow>, Option<&TaskRunRow>)> = Vec::new();
    for row in before {
        let of_name = || by_name.get_mut(&(row.kind, row.shown_name()))?.pop();
        let other = by_call.get(&row.call).copied().or_else(of_name);
        pairs.push((Some(row), other));
    }
    let mut rest: Vec<&TaskRunRow> = by_name.into_values().flatten().collect();
    rest.sort_by_key(|row| row.index);
    pairs.extend(rest.into_iter().map(|row| (None, Some(row))));
    pairs
}

fn side(row: &TaskRunRow) -> TaskRunSide {
    let ran = row.started_at.zip(row.ended_at);
    TaskRunSide {
        call: row.call,
        state: row.state,
        duration: ran.map(|(started, ended)| {
            Duration::from_nanos(u64::try_from(ended.0.saturating_sub(started.0)).unwrap_or(0))
        }),
        digest: row.result.as_ref().map(|value| value.stored.digest),
    }
}

impl fmt::Display for RunDiff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = |(_, name): &(FlowRunId, String)| human::clean(name);
        writeln!(f, "- {}\n+ {}", name(&self.before), name(&self.after))?;
        write_values(f, "parameter", &self.parameters)?;
        write_values(f, "param", &self.params)?;
        write_metrics(f, &self.metrics)?;
        for function in &self.code {
            if function.code {
                writeln!(f, "code of `{}` differs", human::clean(&function.name))?;
            }
            if let Some((before, after)) = &function.version {
                let shown =
                    |version: &Option<String>| version.clone().unwrap_or_else(|| "none".to_owned());
                let name = human::clean(&function.name);
                let (before, after) = (shown(before), shown(after));
                writeln!(f, "version of `{name}`: {before} -> {after}")?;
            }
        }
        let same = self.task_runs.iter().filter(|run| !run.is_different());
        let same = same.count() as u64;
        // The items of a map would bury the rest: from each name, the first ones.
        let mut told: HashMap<(char, &str), u64> = HashMap::new();
        for run in self.task_runs.iter().filter(|run| run.is_different()) {
            let (mark, what) = match (&run.before, &run.after) {
                (Some(before), None) => ('-', shown(before)),
                (None, Some(after)) => ('+', shown(after)),
                (Some(before), Some(after)) => {
                    let result = match run.has_same_result() {
                        Some(true) => "same result",
                        Some(false) => "another result",
                        None => "no result to compare",
                    };
                    let (before, after) = (shown(before), shown(after));
                    ('~', format!("{before} -> {after}, {result}"))
                }
                (None, None) => continue,
            };
            let times = told.entry((mark, run.name.as_str())).or_default();
            *times += 1;
            if *times <= SHOWN_OF_NAME {
                writeln!(f, "{mark} `{}` {what}", human::clean(&run.name))?;
            }
        }
        let mut more: Vec<((char, &str), u64)> = told.into_iter().collect();
        more.retain(|(_, times)| *times > SHOWN_OF_NAME);
        more.sort_unstable();
        for ((mark, name), times) in more {
            let more = human::count(times - SHOWN_OF_NAME);
            writeln!(f, "{mark} `{}`, {more} more", human::clean(name))?;
        }
        writeln!(
            f,
            "{} with nothing to tell apart",
            human::counted(same, "task run")
        )?;
        write_values(f, "manifest", &self.manifest)
    }
}

/// How many task runs of one name are told one by one.
const SHOWN_OF_NAME: u64 = 10;

fn shown(side: &TaskRunSide) -> String {
    match side.duration {
        Some(duration) => format!("{} in {}", side.state, human::duration(duration)),
        None => side.state.to_string(),
    }
}

/// Side by side, with what changed and whether it is for the better.
fn write_metrics(f: &mut fmt::Formatter<'_>, metrics: &[MetricDiff]) -> fmt::Result {
    if metrics.is_empty() {
        return Ok(());
    }
    let mut table = Table::new(&["metric", "", "before", "after", "change"], 2);
    for metric in metrics {
        let shown = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), number_text);
        let change = metric
            .before
            .zip(metric.after)
            .map(|(before, after)| after - before);
        let word = match (change, metric.better) {
            (Some(change), Some(better)) if change != 0.0 => {
                match (change > 0.0) == (better == Direction::Greater) {
                    _ if change.is_nan() => "",
                    true => "better",
                    false => "worse",
                }
            }
            _ => "",
        };
        let change = change.map_or_else(String::new, |change| match change > 0.0 {
            true => format!("+{}", number_text(change)),
            false => number_text(change),
        });
        table.row([
            human::short(&metric.name, 44),
            word.to_owned(),
            shown(metric.before),
            shown(metric.after),
            change,
        ]);
    }
    f.write_str(&table.text())
}

fn write_values(f: &mut fmt::Formatter<'_>, kind: &str, values: &[ValueDiff]) -> fmt::Result {
    for value in values {
        let shown = |value: &Option<Value>| match value {
            Some(value) => human::short(&value.to_string(), 60),
            None => "none".to_owned(),
        };
        let name = human::clean(&value.name);
        let (before, after) = (shown(&value.before), shown(&value.after));
        writeln!(f, "{kind} `{name}`: {before} -> {after}")?;
    }
    Ok(())
}

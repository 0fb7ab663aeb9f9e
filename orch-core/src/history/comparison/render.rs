//! Comparisons of flow runs as text, JSON and CSV.

use std::fmt;
use std::time::Duration;

use serde_json::Value;

use super::{ComparedMetric, ComparedParam, ComparedValue, Direction, RunComparison};
use crate::report::logged::{number_text, shown};
use crate::report::{human, table::Table};

/// The widest a cell of a table may be.
const MAX_CELL: usize = 32;

impl RunComparison {
    /// Writes it as indented JSON. Numbers that JSON has no form for are `"NaN"`, `"Infinity"` and
    /// `"-Infinity"`.
    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).expect("it holds texts, numbers and lists of them")
    }

    /// Writes it as CSV by RFC 4180: a line for each flow run; id, name, flow, state, start, duration in
    /// seconds, then the params, then the last values of the metrics. A number has all its digits, and
    /// what is not there is empty.
    pub fn to_csv(&self) -> String {
        let mut csv = String::new();
        let mut line = |cells: Vec<String>| {
            let cells: Vec<String> = cells.iter().map(|cell| quoted(cell)).collect();
            csv.push_str(&cells.join(","));
            csv.push_str("\r\n");
        };
        let fixed = [
            "id",
            "name",
            "flow",
            "state",
            "started_at_unix_ms",
            "seconds",
        ];
        let params = self
            .params
            .iter()
            .map(|param| format!("param {}", param.name));
        let metrics = self
            .metrics
            .iter()
            .map(|metric| format!("metric {}", metric.name));
        let heading = fixed.iter().map(|name| (*name).to_owned());
        line(heading.chain(params).chain(metrics).collect());
        for (at, run) in self.runs.iter().enumerate() {
            let mut cells = vec![
                run.id.clone(),
                run.name.clone(),
                run.flow.clone(),
                run.state.to_string(),
                run.started_at_unix_ms.to_string(),
                run.seconds
                    .map_or_else(String::new, |seconds| seconds.to_string()),
            ];
            let param = |param: &ComparedParam| param.values[at].as_ref().map(shown);
            cells.extend(self.params.iter().map(|of| param(of).unwrap_or_default()));
            let metric = |metric: &ComparedMetric| {
                let value = metric.values[at].as_ref();
                let value = value.filter(|value| value.n_task_runs == 1)?;
                Some(value.last.to_string())
            };
            cells.extend(self.metrics.iter().map(|of| metric(of).unwrap_or_default()));
            line(cells);
        }
        csv
    }
}

/// A cell, in quotes if it needs them.
fn quoted(cell: &str) -> String {
    match cell.contains(['"', ',', '\r', '\n']) {
        true => format!("\"{}\"", cell.replace('"', "\"\"")),
        false => cell.to_owned(),
    }
}

impl fmt::Display for RunComparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let differing: Vec<&ComparedParam> =
            self.params.iter().filter(|param| param.differs).collect();
        let names = differing.iter().map(|param| param.name.as_str());
        let metrics = self.metrics.iter().map(|metric| metric.name.as_str());
        let heading: Vec<String> = ["flow run", "state"]
            .into_iter()
            .chain(names)
            .chain(metrics)
            .chain(["took"])
            .map(|name| human::short(name, MAX_CELL))
            .collect();
        let heading: Vec<&str> = heading.iter().map(String::as_str).collect();
        let mut table = Table::new(&heading, 2);
        for (at, run) in self.runs.iter().enumerate() {
            let mut cells = vec![
                human::short(&run.name, MAX_CELL),
                format!("{} {}", run.state.mark(), run.state),
            ];
            cells.extend(differing.iter().map(|param| param_cell(&param.values[at])));
            cells.extend(self.metrics.iter().map(|metric| metric_cell(metric, at)));
            cells.push(match run.seconds {
                Some(seconds) => human::duration(Duration::from_secs_f64(seconds.max(0.0))),
                None => "-".to_owned(),
            });
            table.cells(cells);
        }
        f.write_str(&table.text())?;
        if self.metrics.iter().any(|metric| !metric.best.is_empty()) {
            writeln!(f, "* best: {}", self.directions())?;
        }
        let same: Vec<String> = self
            .params
            .iter()
            .filter(|param| !param.differs)
            .filter_map(|param| {
                let value = param.values.first()?.as_ref()?;
                let (name, value) = (
                    human::clean(&param.name),
                    human::short(&shown(value), MAX_CELL),
                );
                Some(format!("{name}={value}"))
            })
            .collect();
        if !same.is_empty() {
            writeln!(f, "the same in all: {}", same.join(", "))?;
        }
        Ok(())
    }
}

impl RunComparison {
    /// `greatest r2; least mse, mae`, of the metrics of which one is the best.
    fn directions(&self) -> String {
        let of = |direction: Direction| {
            let metrics = self.metrics.iter();
            let metrics = metrics.filter(|it| !it.best.is_empty() && it.better == Some(direction));
            let names: Vec<String> = metrics.map(|metric| human::clean(&metric.name)).collect();
            names.join(", ")
        };
        let parts = [
            ("greatest", Direction::Greater),
            ("least", Direction::Lower),
        ];
        let parts = parts.map(|(word, direction)| (word, of(direction)));
        let parts: Vec<String> = parts
            .into_iter()
            .filter(|(_, names)| !names.is_empty())
            .map(|(word, names)| format!("{word} {names}"))
            .collect();
        parts.join("; ")
    }
}

fn param_cell(value: &Option<Value>) -> String {
    match value {
        Some(value) => human::short(&shown(value), MAX_CELL),
        None => "-".to_owned(),
    }
}

/// The value with the mark of the best, or as much room.
fn metric_cell(metric: &ComparedMetric, at: usize) -> String {
    let text = match &metric.values[at] {
        None => "-".to_owned(),
        Some(ComparedValue {
            n_task_runs, last, ..
        }) => match n_task_runs {
            1 => number_text(*last),
            n => format!("({})", human::counted(*n, "task run")),
        },
    };
    match (metric.best.contains(&at), metric.best.is_empty()) {
        (true, _) => format!("{text} *"),
        (false, false) => format!("{text}  "),
        (false, true) => text,
    }
}

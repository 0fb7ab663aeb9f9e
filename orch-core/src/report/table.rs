//! A flow run as text for a terminal.

use std::collections::HashMap;
use std::time::Duration;

use super::counts::Counts;
use super::graph::Graph;
use super::{CriticalPath, CriticalStep, ErrorReport, RunReport, TaskRunReport, human};
use crate::state::State;

/// Tables with more rows than this are summed up by task.
const MAX_ROWS: usize = 40;
const MAX_NAME: usize = 44;
const MAX_INDENT: u32 = 6;
/// The most failures that a summary shows.
const MAX_FAILURES: usize = 10;
/// The most steps of the critical path that a summary shows.
const MAX_STEPS: usize = 12;

impl RunReport {
    /// Writes the task runs as a plain text table: state, name, attempts, and how long each was
    /// queued, ran, and took in all since its submission. They come in the order of submission,
    /// those inside another one below it.
    ///
    /// More than 40 task runs are summed up by task, with the number of them stated.
    pub fn task_table(&self) -> String {
        if self.task_runs.len() > MAX_ROWS {
            return self.table_by_task();
        }
        let mut table = Table::new(
            &["state", "task run", "attempts", "queue", "run", "total"],
            2,
        );
        for (position, depth) in Graph::new(self).as_tree() {
            let run = &self.task_runs[position as usize];
            let time = |is_known: bool, time: Duration| {
                if is_known {
                    human::duration(time)
                } else {
                    "-".to_owned()
                }
            };
            let has_run = run.started.is_some() && run.ended.is_some();
            let indent = "  ".repeat(depth.min(MAX_INDENT) as usize);
            let mut name = format!(
                "{indent}{}",
                human::short(&run.name, MAX_NAME - indent.len())
            );
            if let Some(items) = &run.items {
                let total = human::counted(items.total(), "item");
                name = match items.found {
                    0 => format!("{name} ({total})"),
                    found => {
                        let executed = human::count(items.total() - items.cancelled - found);
                        format!("{name} ({total}, {executed} executed)")
                    }
                };
            }
            table.row([
                marked(run.state),
                name,
                human::count(run.attempts.into()),
                time(run.started.is_some(), run.queue_time()),
                time(has_run, run.run_time()),
                time(run.ended.is_some(), run.total_time()),
            ]);
        }
        let mut text = table.text();
        text.push_str(&self.unrecorded_line());
        text
    }

    fn table_by_task(&self) -> String {
        let mut sums = task_sums(self);
        let n_tasks = sums.len();
        let left_out = n_tasks.saturating_sub(MAX_ROWS);
        if left_out > 0 {
            // Failures first, then what ran longest; both matter more than the order.
            sums.sort_by_key(|sum| std::cmp::Reverse((sum.counts.leading().is_failure(), sum.run)));
            sums.truncate(MAX_ROWS);
        }
        let mut table = Table::new(&["state", "task", "task runs", "run", "longest"], 2);
        for sum in &sums {
            let states = match sum.counts.present().count() {
                1 => String::new(),
                _ => format!(" ({})", sum.counts.words()),
            };
            table.row([
                marked(sum.counts.leading()),
                human::short(sum.task, MAX_NAME),
                format!("{}{states}", human::count(sum.counts.total())),
                human::duration(sum.run),
                human::duration(sum.longest),
            ]);
        }
        let mut text = table.text();
        let n_runs = human::counted(self.task_runs.len() as u64, "task run");
        text.push_str(&format!(
            "{n_runs} of {}",
            human::counted(n_tasks as u64, "task")
        ));
        if left_out > 0 {
            text.push_str(&format!(
                ", {} not shown",
                human::counted(left_out as u64, "task")
            ));
        }
        text.push('\n');
        text.push_str(&self.unrecorded_line());
        text
    }

    fn unrecorded_line(&self) -> String {
        let number: u64 = self.unrecorded.iter().map(|counts| counts.total()).sum();
        match number {
            0 => String::new(),
            n => format!(
                "{} beyond the recording limit\n",
                human::counted(n, "more task run")
            ),
        }
    }

    /// Writes what a person wants to know first: how the flow run ended and after how long, what
    /// failed and why, how many task runs are in which state, and the critical path in one line.
    pub fn summary(&self) -> String {
        let mut text = format!(
            "{} flow `{}`, flow run `{}`: {} after {}\n",
            self.state.mark(),
            human::short(&self.flow, MAX_NAME),
            human::short(&self.name, MAX_NAME),
            self.state,
            human::duration(self.duration),
        );
        let failed: Vec<&TaskRunReport> = self
            .task_runs
            .iter()
            .filter(|run| run.state.is_failure())
            .collect();
        for run in failed.iter().take(MAX_FAILURES) {
            let attempts = match run.attempts {
                0 | 1 => String::new(),
                n => format!(" after {n} attempts"),
            };
            let name = human::short(&run.name, MAX_NAME);
            text.push_str(&format!("  {} `{name}`{attempts}", marked(run.state)));
            match &run.error {
                Some(error) => push_error(&mut text, error, "    "),
                None => text.push('\n'),
            }
        }
        if failed.len() > MAX_FAILURES {
            let more = (failed.len() - MAX_FAILURES) as u64;
            text.push_str(&format!(
                "  and {}\n",
                human::counted(more, "more failed task run")
            ));
        }
        // Most often the flow's error comes down to that of a task run and has been shown.
        let shown = |error: &ErrorReport| {
            let mut failed = failed
                .iter()
                .take(MAX_FAILURES)
                .filter_map(|run| run.error.as_ref());
            failed.any(|shown| shown.root() == error.root())
        };
        if let Some(error) = self.error.as_ref().filter(|error| !shown(error)) {
            text.push_str("  error");
            push_error(&mut text, error, "    ");
        }

        let mut counts = Counts::default();
        for run in &self.task_runs {
            counts.add(run.state, 1);
        }
        let n_runs = human::counted(counts.total(), "task run");
        match counts.total() {
            0 => text.push_str(&format!("  {n_runs}\n")),
            _ => text.push_str(&format!("  {n_runs}: {}\n", counts.words())),
        }
        if !self.unrecorded.is_empty() {
            text.push_str(&format!("  {}", self.unrecorded_line()));
        }
        let path = self.critical_path();
        if !path.steps.is_empty() {
            text.push_str(&format!("  critical path: {}\n", path.line(self)));
            text.push_str(&format!("  time on it: {}\n", path.split()));
        }
        text
    }
}

fn push_error(text: &mut String, error: &ErrorReport, indent: &str) {
    text.push_str(&format!(": {}\n", human::clean(&error.message)));
    for cause in &error.causes {
        text.push_str(&format!("{indent}caused by: {}\n", human::clean(cause)));
    }
}

fn marked(state: State) -> String {
    format!("{} {state}", state.mark())
}

impl CriticalPath {
    /// `load 1.20 ms -> preprocess 300 µs`, without steps that took no time and without the middle
    /// of a long path.
    fn line(&self, report: &RunReport) -> String {
        let names: HashMap<u32, &str> = report
            .task_runs
            .iter()
            .map(|run| (run.index, run.name.as_str()))
            .collect();
        let step = |step: &&CriticalStep| {
            let name = step.index.and_then(|index| names.get(&index));
            let name = name.map_or_else(|| "(flow code)".to_owned(), |name| human::short(name, 24));
            format!("{name} {}", human::duration(step.total()))
        };
        let steps: Vec<&CriticalStep> = self
            .steps
            .iter()
            .filter(|step| !step.total().is_zero())
            .collect();
        let n_steps = steps.len();
        // Nothing is won by putting one step's number in its place.
        if n_steps <= MAX_STEPS + 1 {
            let steps: Vec<String> = steps.iter().map(step).collect();
            return steps.join(" -> ");
        }
        let half = MAX_STEPS / 2;
        let (first, last) = (&steps[..half], &steps[n_steps - half..]);
        let middle = &steps[half..n_steps - half];
        let time: Duration = middle.iter().map(|step| step.total()).sum();
        let middle = format!(
            "... {} {}",
            human::counted(middle.len() as u64, "step"),
            human::duration(time)
        );
        let steps: Vec<String> = first
            .iter()
            .map(step)
            .chain([middle])
            .chain(last.iter().map(step))
            .collect();
        steps.join(" -> ")
    }

    /// `run 1.20 ms, queue 3.00 µs`: where the time went, without what took none.
    pub(super) fn split(&self) -> String {
        let parts = [
            ("run", self.run),
            ("queue", self.queue),
            ("retry wait", self.retry_wait),
            ("overhead", self.overhead),
            ("flow code", self.flow_code),
        ];
        let parts: Vec<String> = parts
            .into_iter()
            .filter(|(_, time)| !time.is_zero())
            .map(|(part, time)| format!("{part} {}", human::duration(time)))
            .collect();
        if parts.is_empty() {
            "none".to_owned()
        } else {
            parts.join(", ")
        }
    }
}

/// The task runs of one task, summed up.
#[derive(Default)]
pub(super) struct TaskSum<'a> {
    pub(super) task: &'a str,
    pub(super) counts: Counts,
    pub(super) run: Duration,
    pub(super) longest: Duration,
}

/// The task runs summed up by task, in the order in which tasks came up.
pub(super) fn task_sums(report: &RunReport) -> Vec<TaskSum<'_>> {
    let mut sums: Vec<TaskSum<'_>> = Vec::new();
    let mut sum_of: HashMap<&str, usize> = HashMap::new();
    for run in &report.task_runs {
        let at = *sum_of.entry(&run.task).or_insert_with(|| {
            sums.push(TaskSum {
                task: &run.task,
                ..TaskSum::default()
            });
            sums.len() - 1
        });
        sums[at].add(run);
    }
    sums
}

impl TaskSum<'_> {
    fn add(&mut self, run: &TaskRunReport) {
        self.counts.add(run.state, 1);
        self.run = self.run.saturating_add(run.run_time());
        self.longest = self.longest.max(run.run_time());
    }
}

/// Text in columns; the first few are aligned to the left, the others to the right.
pub(crate) struct Table {
    rows: Vec<Vec<String>>,
    n_left: usize,
}

impl Table {
    pub(crate) fn new(heading: &[&str], n_left: usize) -> Table {
        let heading = heading.iter().map(|&cell| cell.to_owned()).collect();
        Table {
            rows: vec![heading],
            n_left,
        }
    }

    pub(crate) fn row<const N: usize>(&mut self, cells: [String; N]) {
        self.cells(cells.to_vec());
    }

    /// A row of as many cells as the heading has.
    pub(crate) fn cells(&mut self, cells: Vec<String>) {
        self.rows.push(cells);
    }

    /// The first rows, and how many there are beyond; empty if there are none but the heading.
    pub(crate) fn text_of(mut self, max_rows: usize) -> (String, usize) {
        let rows = self.rows.len() - 1;
        if rows == 0 {
            return (String::new(), 0);
        }
        self.rows.truncate(1 + max_rows);
        (self.text(), rows.saturating_sub(max_rows))
    }

    pub(crate) fn text(&self) -> String {
        let n_columns = self.rows[0].len();
        let widest = |column: usize| {
            self.rows
                .iter()
                .map(|row| human::width(&row[column]))
                .max()
                .unwrap_or(0)
        };
        let widths: Vec<usize> = (0..n_columns).map(widest).collect();
        let mut text = String::new();
        for row in &self.rows {
            let cells = row
                .iter()
                .zip(&widths)
                .enumerate()
                .map(|(column, (cell, width))| {
                    if column < self.n_left {
                        human::pad(cell, *width)
                    } else {
                        human::pad_left(cell, *width)
                    }
                });
            let cells: Vec<String> = cells.collect();
            text.push_str(cells.join("  ").trim_end());
            text.push('\n');
        }
        text
    }
}

#[cfg(test)]
mod tests;

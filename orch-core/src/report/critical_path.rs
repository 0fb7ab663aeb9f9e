//! What decided when a flow run ended.

use std::time::Duration;

use super::timing::{Event, Happening, Timing, nanos};
use super::{RunReport, TaskRunReport};

/// The chain of task runs that decided when a flow run ended.
///
/// Its steps follow each other without a gap, so their parts add up to the duration of the flow
/// run: `queue + run + retry_wait + overhead + flow_code == total`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CriticalPath {
    /// The steps, first one first.
    pub steps: Vec<CriticalStep>,
    /// The duration of the flow run.
    pub total: Duration,
    /// The part spent waiting for a worker or a concurrency limit.
    pub queue: Duration,
    /// The part spent executing tasks.
    pub run: Duration,
    /// The part spent waiting between attempts.
    pub retry_wait: Duration,
    /// The part between the end of a task run's last input and its being ready.
    pub overhead: Duration,
    /// The part spent in the flow function itself, outside task runs.
    pub flow_code: Duration,
    /// For each of [`RunReport::task_runs`], in their order, how much later it could have ended
    /// without delaying the end of the flow run.
    pub slack: Vec<Duration>,
}

/// One step of a [`CriticalPath`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct CriticalStep {
    /// The task run, or `None` for the code of the flow function itself.
    pub index: Option<u32>,
    /// When the step begins.
    pub start: Duration,
    /// How long the task run waited for a worker or a concurrency limit.
    pub queue: Duration,
    /// How long it executed, or how long the flow function took.
    pub run: Duration,
    /// How long it waited between attempts.
    pub retry_wait: Duration,
    /// The time between the end of its last input and its being ready.
    pub overhead: Duration,
}

impl CriticalStep {
    /// Returns how long the step took.
    pub fn total(&self) -> Duration {
        self.queue + self.run + self.retry_wait + self.overhead
    }

    fn new(index: Option<u32>, start: u64) -> CriticalStep {
        CriticalStep {
            index,
            start: Duration::from_nanos(start),
            queue: Duration::ZERO,
            run: Duration::ZERO,
            retry_wait: Duration::ZERO,
            overhead: Duration::ZERO,
        }
    }
}

impl RunReport {
    /// Finds the chain of task runs that decided when the flow run ended, and the slack of each
    /// task run.
    ///
    /// From the task run that ended last it goes back to whatever it waited for last: an input, or
    /// the body (of the flow, or of the task run during which it was submitted) that submitted it.
    /// A body is taken to have awaited the latest of its task runs that had ended by then; what
    /// came after that is its own code. A task run with others inside it appears once for each
    /// stretch of its own code.
    ///
    /// In a flow run that has not ended, the path leads to the moment of the report.
    ///
    /// Takes time linear in task runs and edges, but for sorting the task runs by time, and a
    /// constant stack.
    ///
    /// Not promised: that a faster task run on the path makes the flow faster by as much, since
    /// another path takes over. [`RunReport::what_if`] predicts that.
    pub fn critical_path(&self) -> CriticalPath {
        critical_path(self, &Timing::new(self))
    }

    /// Predicts the duration of the flow run if the task run `index` had executed `factor` times
    /// faster, or slower for a factor below 1. [`f64::INFINITY`] removes its execution.
    ///
    /// Waiting, overhead and retry waits stay as recorded, and so does the order in which bodies
    /// submitted task runs. Of a task run with others inside it only its own code changes.
    ///
    /// Returns `None` when the report has no such task run, or when `factor` is not above 0.
    pub fn what_if(&self, index: u32, factor: f64) -> Option<Duration> {
        if factor.is_nan() || factor <= 0.0 {
            return None;
        }
        let timing = Timing::new(self);
        let position = timing.graph.position(index)?;
        let waits = retry_waits(&self.task_runs[position as usize]);
        let end = timing.retimed_end(|event, from, to| {
            let body = match event.happening() {
                Happening::Started => None,
                Happening::Ended => Some(event.position()),
                Happening::Submitted => timing.graph.parents[event.position() as usize],
            };
            if body == Some(position) {
                let wait = overlap(&waits, from, to);
                // A float becomes an integer by saturating, so nothing overflows here.
                let run = ((to - from - wait) as f64 / factor).round() as u64;
                wait.saturating_add(run)
            } else {
                to - from
            }
        });
        Some(Duration::from_nanos(end))
    }
}

pub(super) fn critical_path(report: &RunReport, timing: &Timing) -> CriticalPath {
    let mut steps = Steps {
        steps: Vec::new(),
        report,
    };
    let mut event = timing.last_end();
    let last_end = event.map_or(0, |event| timing.time(event));
    steps.body(None, last_end, timing.end, false);
    while let Some(to) = event {
        let from = timing.decided_by(to);
        let (start, end) = (from.map_or(0, |from| timing.time(from)), timing.time(to));
        let run = to.position();
        match to.happening() {
            Happening::Ended => {
                // A body that only passed on what a task run inside it gave is no step.
                let is_own = from == Some(Event::started(run));
                steps.body(Some(run), start, end, is_own);
            }
            Happening::Started => steps.wait(run, start, timing.times[run as usize].ready, end),
            Happening::Submitted => {
                let body = from.and(timing.graph.parents[run as usize]);
                steps.body(body, start, end, false);
            }
        }
        event = from;
    }
    let mut steps = steps.steps;
    steps.reverse();

    let sum = |of: fn(&CriticalStep) -> Duration, flow: bool| -> Duration {
        steps
            .iter()
            .filter(|step| step.index.is_none() == flow)
            .map(of)
            .sum()
    };
    CriticalPath {
        total: Duration::from_nanos(timing.end),
        queue: sum(|step| step.queue, false),
        run: sum(|step| step.run, false),
        retry_wait: sum(|step| step.retry_wait, false),
        overhead: sum(|step| step.overhead, false),
        flow_code: sum(|step| step.run, true),
        slack: timing.slack(),
        steps,
    }
}

/// Steps in the making, last one first.
struct Steps<'a> {
    steps: Vec<CriticalStep>,
    report: &'a RunReport,
}

impl Steps<'_> {
    /// A stretch of a body's own code; one that took no time is a step only if asked for.
    fn body(&mut self, run: Option<u32>, start: u64, end: u64, even_if_empty: bool) {
        if start == end && !even_if_empty {
            return;
        }
        let waits = run.map(|run| retry_waits(&self.report.task_runs[run as usize]));
        let wait = overlap(&waits.unwrap_or_default(), start, end);
        let step = self.step(run, start);
        step.run += Duration::from_nanos(end - start - wait);
        step.retry_wait += Duration::from_nanos(wait);
    }

    /// A stretch of waiting before the first attempt.
    fn wait(&mut self, run: u32, start: u64, ready: u64, end: u64) {
        if start == end {
            return;
        }
        let ready = ready.max(start);
        let step = self.step(Some(run), start);
        step.overhead += Duration::from_nanos(ready - start);
        step.queue += Duration::from_nanos(end - ready);
    }

    /// Continues the current step, or begins the one before it.
    fn step(&mut self, run: Option<u32>, start: u64) -> &mut CriticalStep {
        let index = run.map(|run| self.report.task_runs[run as usize].index);
        if self.steps.last().is_none_or(|step| step.index != index) {
            self.steps.push(CriticalStep::new(index, start));
        }
        let step = self
            .steps
            .last_mut()
            .expect("a step was pushed if there was none");
        step.start = Duration::from_nanos(start);
        step
    }
}

/// The waits between the attempts of a task run, in time order, in nanoseconds.
///
/// When the last attempt started is not known of every task run; then its wait is not told from
/// the attempt.
pub(super) fn retry_waits(run: &TaskRunReport) -> Vec<(u64, u64)> {
    let next_starts = run
        .failed_attempts
        .iter()
        .skip(1)
        .map(|next| Some(next.started));
    let next_starts = next_starts.chain([run.last_started]);
    let waits = run.failed_attempts.iter().zip(next_starts);
    waits
        .filter_map(|(failed, next)| Some((nanos(failed.ended), nanos(next?))))
        .filter(|(from, to)| from < to)
        .collect()
}

/// How much of `start..end` is covered by `waits`.
fn overlap(waits: &[(u64, u64)], start: u64, end: u64) -> u64 {
    let covered: u64 = waits
        .iter()
        .map(|(from, to)| (*to).min(end).saturating_sub((*from).max(start)))
        .sum();
    // Waits in a file may overlap each other.
    covered.min(end - start)
}

/// A report's critical path for drawing: which task runs are on it, by position, and which pairs
/// follow each other, flow code between them left aside.
pub(super) struct Marked {
    pub(super) runs: Vec<bool>,
    pub(super) pairs: Vec<(u32, u32)>,
}

impl Marked {
    pub(super) fn new(path: &CriticalPath, timing: &Timing) -> Marked {
        let mut runs = vec![false; timing.times.len()];
        let position = |step: &CriticalStep| timing.graph.position(step.index?);
        for run in path.steps.iter().filter_map(position) {
            runs[run as usize] = true;
        }
        let chain: Vec<u32> = path.steps.iter().filter_map(position).collect();
        Marked {
            runs,
            pairs: chain.windows(2).map(|pair| (pair[0], pair[1])).collect(),
        }
    }
}

#[cfg(test)]
mod tests;

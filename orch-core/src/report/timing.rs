//! The recorded run as events that can be timed again.
//!
//! Each task run has three events: it was submitted, its first attempt started, it ended. Each
//! event waited for others, and came some *lag* after the last of them:
//!
//! - It was submitted by its parent's body (or the flow's), after the body had started and after
//!   the body had seen the end of the latest earlier child. That the body awaited that child is
//!   not recorded; it is taken to have.
//! - It started after it was submitted and after its inputs ended. The lag is overhead and queue.
//! - It ended after it started, and after the task runs that it submitted and waited for ended.
//!   The lag is work.
//!
//! An edge that the recorded times contradict (the task run started before its input ended) was
//! not waited for and is left out, so each lag is at least zero and times only grow along edges.

use std::time::Duration;

use super::graph::{Graph, Lists, Order};
use super::{RunReport, TaskRunReport};
use crate::state::State;

/// The times of one task run in nanoseconds, completed and put in order: what has not happened yet
/// happens at the end of the report.
#[derive(Debug, Clone, Copy)]
pub(super) struct Times {
    pub(super) submitted: u64,
    pub(super) ready: u64,
    pub(super) started: u64,
    pub(super) ended: u64,
}

impl Times {
    pub(super) fn new(run: &TaskRunReport, report_end: u64) -> Times {
        let ended = run.ended.map_or(report_end, nanos).min(report_end);
        let started = run.started.map_or(ended, nanos).min(ended);
        let ready = run.ready.map_or(started, nanos).min(started);
        let submitted = nanos(run.submitted).min(ready);
        Times {
            submitted,
            ready,
            started,
            ended,
        }
    }
}

impl State {
    /// Whether a task run in this state, which has not ended, has started an attempt.
    pub(super) fn has_started(self) -> bool {
        matches!(
            self,
            State::AwaitingRetry | State::Running | State::Paused | State::Cancelling
        )
    }
}

/// What can happen to a task run here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Happening {
    Submitted,
    Started,
    Ended,
}

/// One event: a task run's position and what happened, in one number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Event(pub(super) u32);

impl Event {
    pub(super) fn submitted(position: u32) -> Event {
        Event(position * 3)
    }

    pub(super) fn started(position: u32) -> Event {
        Event(position * 3 + 1)
    }

    pub(super) fn ended(position: u32) -> Event {
        Event(position * 3 + 2)
    }

    pub(super) fn position(self) -> u32 {
        self.0 / 3
    }

    pub(super) fn happening(self) -> Happening {
        match self.0 % 3 {
            0 => Happening::Submitted,
            1 => Happening::Started,
            _ => Happening::Ended,
        }
    }
}

/// A recorded run, ready to be timed again.
pub(super) struct Timing {
    pub(super) graph: Graph,
    pub(super) times: Vec<Times>,
    /// The end of the report.
    pub(super) end: u64,
    /// What each event waited for.
    waited_for: Lists,
    order: Order,
}

impl Timing {
    pub(super) fn new(report: &RunReport) -> Timing {
        let graph = Graph::new(report);
        let end = nanos(report.duration);
        let times = all_times(report, &graph, end);
        let n_events = times.len() * 3;

        let awaited = awaited_before_submission(&graph, &times);
        let mut edges = edges(&graph, &times, &awaited);
        let mut order = order(&edges, n_events);
        if order.is_cyclic {
            // Only task runs that took no time can do this. What was recorded goes before what
            // was inferred.
            edges = self::edges(&graph, &times, &vec![None; times.len()]);
            order = self::order(&edges, n_events);
        }
        if order.is_cyclic {
            edges.retain(|(from, to)| order.is_forward(*from, *to));
        }
        let waited_for = Lists::new(n_events, edges.iter().map(|(from, to)| (*to, *from)));
        Timing {
            graph,
            times,
            end,
            waited_for,
            order,
        }
    }

    pub(super) fn time(&self, event: Event) -> u64 {
        let times = &self.times[event.position() as usize];
        match event.happening() {
            Happening::Submitted => times.submitted,
            Happening::Started => times.started,
            Happening::Ended => times.ended,
        }
    }

    /// The last of the events that `event` waited for: the one that decided its time.
    ///
    /// Of several at one instant it prefers ends to starts and submissions, and what comes late in
    /// the order, so that a chain through task runs that took no time stays whole.
    pub(super) fn decided_by(&self, event: Event) -> Option<Event> {
        let waited_for = self.waited_for.of(event.0 as usize).iter();
        waited_for
            .map(|from| Event(*from))
            .max_by_key(|from| self.weight(*from))
    }

    /// The end that decided the end of the flow run.
    pub(super) fn last_end(&self) -> Option<Event> {
        (0..self.times.len() as u32)
            .map(Event::ended)
            .max_by_key(|end| self.weight(*end))
    }

    fn weight(&self, event: Event) -> (u64, bool, u32) {
        let is_end = event.happening() == Happening::Ended;
        (self.time(event), is_end, self.order.ranks[event.0 as usize])
    }

    /// Returns by how much each task run could have ended later without delaying the end of the
    /// flow run.
    pub(super) fn slack(&self) -> Vec<Duration> {
        let last = self.last_end().map_or(0, |event| self.time(event));
        let mut latest = vec![last; self.times.len() * 3];
        for event in self.order.nodes.iter().rev().map(|event| Event(*event)) {
            let Some(decided_by) = self.decided_by(event) else {
                continue;
            };
            let lag = self.time(event) - self.time(decided_by);
            for from in self.waited_for.of(event.0 as usize) {
                let from_latest = latest[event.0 as usize] - lag;
                latest[*from as usize] = latest[*from as usize].min(from_latest);
            }
        }
        (0..self.times.len() as u32)
            .map(|position| {
                let end = Event::ended(position);
                Duration::from_nanos(latest[end.0 as usize] - self.time(end))
            })
            .collect()
    }

    /// Returns when the flow run would have ended if each event had come `lag(event, recorded)`
    /// after what it waited for.
    pub(super) fn retimed_end(&self, lag: impl Fn(Event, u64, u64) -> u64) -> u64 {
        let mut times = vec![0_u64; self.times.len() * 3];
        for event in self.order.nodes.iter().map(|event| Event(*event)) {
            let recorded_from = self.decided_by(event).map_or(0, |from| self.time(from));
            let waited_for = self.waited_for.of(event.0 as usize).iter();
            let from = waited_for
                .map(|from| times[*from as usize])
                .max()
                .unwrap_or(0);
            let lag = lag(event, recorded_from, self.time(event));
            times[event.0 as usize] = from.saturating_add(lag);
        }
        let recorded = self.last_end().map_or(0, |event| self.time(event));
        let ends = times.iter().skip(2).step_by(3);
        ends.max()
            .copied()
            .unwrap_or(0)
            .saturating_add(self.end - recorded)
    }
}

/// The times of all task runs. Of one that has not ended, an engine may know no more than when it
/// was submitted; then it was ready when the last of its inputs had ended, and started at once.
fn all_times(report: &RunReport, graph: &Graph, end: u64) -> Vec<Times> {
    let runs = &report.task_runs;
    let mut times: Vec<Times> = runs.iter().map(|run| Times::new(run, end)).collect();
    let mut arrived: Vec<u64> = times.iter().map(|times| times.submitted).collect();
    for (from, to, _) in &graph.edges {
        let arrived = &mut arrived[*to as usize];
        *arrived = (*arrived).max(times[*from as usize].ended);
    }
    for ((run, times), arrived) in runs.iter().zip(&mut times).zip(arrived) {
        if run.ended.is_some() {
            continue;
        }
        if run.started.is_none() && run.state.has_started() {
            times.started = arrived;
            times.ready = times.ready.min(arrived);
        }
        if run.ready.is_none() {
            times.ready = arrived.min(times.started);
        }
    }
    times
}

/// For each task run, the earlier child of the same body that ended last before it was submitted.
fn awaited_before_submission(graph: &Graph, times: &[Times]) -> Vec<Option<u32>> {
    let key = |position: u32, time: u64| (time, position);
    let mut by_submission = graph.submitted.clone();
    by_submission.sort_by_key(|p| key(*p, times[*p as usize].submitted));
    let mut by_end: Vec<u32> = (0..times.len() as u32).collect();
    by_end.sort_by_key(|p| key(*p, times[*p as usize].ended));

    // The child that ended last so far, by body; the last one is the flow's.
    let flow = times.len();
    let body = |position: u32| graph.parents[position as usize].map_or(flow, |p| p as usize);
    let mut last_ended = vec![None; times.len() + 1];
    let mut awaited = vec![None; times.len()];
    let mut ended = by_end.into_iter().peekable();
    for position in by_submission {
        let submitted = key(position, times[position as usize].submitted);
        while let Some(p) = ended.next_if(|p| key(*p, times[*p as usize].ended) < submitted) {
            last_ended[body(p)] = Some(p);
        }
        awaited[position as usize] = last_ended[body(position)];
    }
    awaited
}

/// What each event waited for, as pairs of events.
fn edges(graph: &Graph, times: &[Times], awaited: &[Option<u32>]) -> Vec<(u32, u32)> {
    let mut edges = Vec::with_capacity(times.len() * 3 + graph.edges.len());
    let mut edge = |from: Event, to: Event| edges.push((from.0, to.0));
    for (position, own) in times.iter().enumerate() {
        let run = position as u32;
        edge(Event::submitted(run), Event::started(run));
        edge(Event::started(run), Event::ended(run));
        if let Some(awaited) = awaited[position] {
            edge(Event::ended(awaited), Event::submitted(run));
        }
        if let Some(parent) = graph.parents[position] {
            let body = &times[parent as usize];
            if body.started <= own.submitted {
                edge(Event::started(parent), Event::submitted(run));
            } else if body.submitted <= own.submitted {
                edge(Event::submitted(parent), Event::submitted(run));
            }
            if own.ended <= body.ended {
                edge(Event::ended(run), Event::ended(parent));
            }
        }
    }
    for (from, to, _) in &graph.edges {
        if times[*from as usize].ended <= times[*to as usize].started {
            edge(Event::ended(*from), Event::started(*to));
        }
    }
    edges
}

fn order(edges: &[(u32, u32)], n_events: usize) -> Order {
    Order::new(&Lists::new(n_events, edges.iter().copied()), n_events)
}

/// Nanoseconds, up to five hundred years.
pub(super) fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

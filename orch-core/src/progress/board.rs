//! What is known of the flow runs under way, and the lines that follow from it.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::line::{self, Line};
use crate::event::{Event, EventKind, Received, TaskRunRef};
use crate::id::FlowRunId;
use crate::report::human;
use crate::report::logged::number_text;
use crate::state::State;

/// The most lines that change: they fit on a small terminal.
const MAX_ROWS: usize = 20;

/// The most flow runs among them that have a line.
const MAX_FLOW_ROWS: usize = 5;

/// The most lines that stay about items of maps, per flow run: a map may have a million of them.
const MAX_ITEM_LINES: u32 = 20;

/// The longest name of a flow run in a line of a terminal, in columns.
const MAX_FLOW_NAME: usize = 40;

/// What is known of the flow runs under way. Events go in, lines come out.
pub(super) struct Board {
    flows: HashMap<FlowRunId, FlowEntry>,
    /// Task runs that have a line of their own, in the order in which they got it.
    active: BTreeMap<u64, (FlowRunId, u32)>,
    /// Flow runs that no other one called.
    n_outermost: usize,
    next_number: u64,
    lines: Vec<Line>,
    /// Whether starts and waits are lines that stay, because nothing else shows them.
    says_starts: bool,
    has_missed_some: bool,
}

/// A flow run under way.
struct FlowEntry {
    /// `None` for tasks that were called outside of any flow, and when its start was missed.
    name: Option<String>,
    /// The flow run that nobody called and to which this one belongs: mostly itself.
    outermost: FlowRunId,
    /// What the names of its task runs begin with: the subflows on the way to it.
    path: String,
    /// The time of its start, by this display's clock.
    epoch: Instant,
    number: u64,
    /// Those that have not ended, by index.
    task_runs: HashMap<u32, TaskEntry>,
    /// How many task runs are in each state.
    counts: [u64; State::ALL.len()],
    /// Lines that stay about items of its maps.
    item_lines: u32,
}

/// A task run that has not ended.
struct TaskEntry {
    name: Arc<str>,
    state: State,
    attempt: u32,
    /// Since when it runs, or waits for a limit.
    since: Option<Duration>,
    /// Completed and failed items of a map.
    items: Option<(u64, u64)>,
    /// What it waits for.
    note: Option<String>,
    /// Its key among the active ones.
    number: Option<u64>,
}

impl Board {
    pub(super) fn new(says_starts: bool) -> Self {
        Self {
            flows: HashMap::new(),
            active: BTreeMap::new(),
            n_outermost: 0,
            next_number: 0,
            lines: Vec::new(),
            says_starts,
            has_missed_some: false,
        }
    }

    /// Takes note of what was received at `now`.
    pub(super) fn receive(&mut self, received: Received, now: Instant) {
        match received {
            Received::Event(event) => self.note(event, now),
            Received::Missed(n) => {
                self.has_missed_some = true;
                self.lines
                    .push(Line::Note(format!("{} missed", human::counted(n, "event"))));
            }
        }
    }

    /// Takes the lines that stay.
    pub(super) fn take_lines(&mut self) -> Vec<Line> {
        std::mem::take(&mut self.lines)
    }

    /// Whether times go by in [`view`](Self::view).
    pub(super) fn is_busy(&self) -> bool {
        !self.flows.is_empty()
    }

    /// Whether what is known may be out of date: see [`keep_only`](Self::keep_only).
    pub(super) fn has_missed_some(&self) -> bool {
        self.has_missed_some && !self.flows.is_empty()
    }

    /// Forgets the flow runs that are not under way any more.
    pub(super) fn keep_only(&mut self, under_way: &[(FlowRunId, String)]) {
        let ended: Vec<FlowRunId> = self
            .flows
            .keys()
            .filter(|id| under_way.binary_search_by_key(id, |(id, _)| id).is_err())
            .copied()
            .collect();
        for id in ended {
            self.remove_flow(id);
        }
        self.has_missed_some = !self.flows.is_empty();
    }

    fn note(&mut self, event: Event, now: Instant) {
        let Event { flow_run, at, kind } = event;
        if let Some(flow) = self.flows.get_mut(&flow_run) {
            // The event that was under way for the shortest time gives the best estimate.
            flow.epoch = flow.epoch.min(before(now, at));
        }
        match kind {
            EventKind::FlowRunStarted { name, caller, .. } => {
                self.start_flow(flow_run, name, caller, before(now, at));
            }
            EventKind::FlowRunEnded {
                name, state, error, ..
            } => {
                let flow = self.remove_flow(flow_run);
                if let Some(flow) = &flow
                    && flow.outermost != flow_run
                {
                    // It is a task run of the flow run that called it, and so are its own.
                    self.add_ended(flow);
                    return;
                }
                let mut details = Vec::new();
                if let Some(flow) = &flow {
                    details.extend(counts_text(&flow.counts));
                }
                details.extend(error.as_ref().map(line::reason_of_flow));
                let name = format!("flow {}", human::clean(&name));
                self.lines.push(Line::State {
                    state,
                    name,
                    time: flow.map(|_| at),
                    details,
                });
            }
            EventKind::TaskRunSubmitted { task_run, .. } => {
                self.task_run(flow_run, &task_run, before(now, at));
            }
            EventKind::LimitAwaited { task_run, limits } => {
                let note = human::clean(&limits.join(", "));
                if let Some(entry) = self.known(flow_run, &task_run) {
                    entry.since.get_or_insert(at);
                    entry.note = Some(note.clone());
                    self.set_state(flow_run, task_run.index, State::AwaitingLimit);
                    self.say_start(flow_run, &task_run, State::AwaitingLimit, vec![note]);
                }
            }
            EventKind::BreakerOpened {
                breaker, open_for, ..
            } => {
                let (breaker, time) = (human::clean(&breaker), human::duration(open_for));
                self.lines
                    .push(Line::Note(format!("breaker {breaker} is open for {time}")));
            }
            EventKind::BreakerClosed { breaker } => {
                let breaker = human::clean(&breaker);
                self.lines
                    .push(Line::Note(format!("breaker {breaker} is closed")));
            }
            EventKind::TaskRunStarted { task_run, attempt } => {
                let entry = self.task_run(flow_run, &task_run, before(now, at));
                entry.name = Arc::clone(&task_run.name);
                if entry.attempt == 0 {
                    // What it waited before does not count any more.
                    entry.since = Some(at);
                }
                entry.attempt = attempt;
                entry.note = None;
                self.set_state(flow_run, task_run.index, State::Running);
                self.say_start(flow_run, &task_run, State::Running, attempt_text(attempt));
            }
            EventKind::AttemptFailed {
                task_run,
                attempt,
                error,
                retry_in,
            } => {
                let next = if retry_in.is_zero() {
                    "next at once".to_owned()
                } else {
                    format!("next in {}", human::duration(retry_in))
                };
                let what = format!("attempt {attempt}: {}", line::cut(error));
                if let Some(entry) = self.known(flow_run, &task_run) {
                    entry.note = Some(format!("attempt {attempt} failed, {next}"));
                    self.set_state(flow_run, task_run.index, State::AwaitingRetry);
                } else if !self.has_room_for_item(flow_run) {
                    return;
                }
                self.say(
                    flow_run,
                    &task_run,
                    State::AwaitingRetry,
                    None,
                    vec![what, next],
                );
            }
            EventKind::TaskRunRolledBack { task_run } => {
                if let Some(flow) = self.flows.get_mut(&flow_run) {
                    flow.counts[State::RolledBack as usize] += 1;
                }
                self.say(flow_run, &task_run, State::RolledBack, None, Vec::new());
            }
            EventKind::TaskRunCancelling { task_run } => {
                self.set_state(flow_run, task_run.index, State::Cancelling);
            }
            EventKind::MetricLogged {
                task_run,
                metric,
                step,
                value,
            } => {
                let entry = task_run.and_then(|task_run| self.known(flow_run, &task_run));
                if let Some(entry) = entry {
                    let value = number_text(value);
                    entry.note = Some(format!("{metric} {value} at {step}"));
                }
            }
            EventKind::MapProgressed {
                task_run,
                completed,
                failed,
            } => {
                if let Some(entry) = self.known(flow_run, &task_run) {
                    entry.items = Some((completed, failed));
                }
            }
            EventKind::TaskRunEnded {
                task_run,
                state,
                run_time,
                error,
            } => {
                let mut details = Vec::new();
                if let Some(entry) = self.remove_task_run(flow_run, task_run.index) {
                    if entry.attempt > 1 {
                        details.push(human::counted(u64::from(entry.attempt), "attempt"));
                    }
                    // A failed map says its counts itself.
                    if error.is_none() {
                        details.extend(items_text(entry.items));
                    }
                    if let Some(flow) = self.flows.get_mut(&flow_run) {
                        flow.counts[state as usize] += 1;
                    }
                } else if !self.has_room_for_item(flow_run) {
                    return;
                }
                details.extend(error.as_ref().map(line::reason_of_task));
                self.say(flow_run, &task_run, state, run_time, details);
                let is_over = |flow: &FlowEntry| flow.name.is_none() && flow.task_runs.is_empty();
                if self.flows.get(&flow_run).is_some_and(is_over) {
                    // Nothing else tells when tasks outside of a flow are done.
                    self.remove_flow(flow_run);
                }
            }
        }
    }

    fn start_flow(
        &mut self,
        id: FlowRunId,
        name: String,
        caller: Option<(FlowRunId, u32)>,
        epoch: Instant,
    ) {
        let caller = caller.and_then(|(flow_run, index)| {
            let flow = self.flows.get(&flow_run)?;
            Some((flow, flow.task_runs.get(&index)?))
        });
        let (outermost, path) = match caller {
            Some((flow, task_run)) => (
                flow.outermost,
                format!("{}{}/", flow.path, human::clean(&task_run.name)),
            ),
            None => (id, String::new()),
        };
        if outermost == id {
            self.n_outermost += 1;
            if self.says_starts {
                let name = format!("flow {}", human::clean(&name));
                let (state, details) = (State::Running, Vec::new());
                self.lines.push(Line::State {
                    state,
                    name,
                    time: None,
                    details,
                });
            }
        }
        let number = self.number();
        let mut entry = FlowEntry::new(outermost, epoch, number);
        entry.name = Some(name);
        entry.path = path;
        self.flows.insert(id, entry);
    }

    fn remove_flow(&mut self, id: FlowRunId) -> Option<FlowEntry> {
        let flow = self.flows.remove(&id)?;
        for number in flow
            .task_runs
            .values()
            .filter_map(|task_run| task_run.number)
        {
            self.active.remove(&number);
        }
        if flow.name.is_some() && flow.outermost == id {
            self.n_outermost -= 1;
        }
        Some(flow)
    }

    /// Counts the task runs of a subflow that has ended for the flow run to which it belongs.
    fn add_ended(&mut self, subflow: &FlowEntry) {
        if let Some(outermost) = self.flows.get_mut(&subflow.outermost) {
            for state in State::ALL.into_iter().filter(|state| state.is_final()) {
                outermost.counts[state as usize] += subflow.counts[state as usize];
            }
        }
    }

    /// Returns what is known of a task run, which is new if nothing is.
    fn task_run(
        &mut self,
        flow: FlowRunId,
        task_run: &TaskRunRef,
        epoch: Instant,
    ) -> &mut TaskEntry {
        if !self.flows.contains_key(&flow) {
            let number = self.number();
            self.flows.insert(flow, FlowEntry::new(flow, epoch, number));
        }
        let flow = self
            .flows
            .get_mut(&flow)
            .expect("it was just made sure that it is there");
        flow.task_runs.entry(task_run.index).or_insert_with(|| {
            flow.counts[State::Pending as usize] += 1;
            TaskEntry {
                name: Arc::clone(&task_run.name),
                state: State::Pending,
                attempt: 0,
                since: None,
                items: None,
                note: None,
                number: None,
            }
        })
    }

    fn known(&mut self, flow: FlowRunId, task_run: &TaskRunRef) -> Option<&mut TaskEntry> {
        let entry = self
            .flows
            .get_mut(&flow)?
            .task_runs
            .get_mut(&task_run.index)?;
        // A name that shows inputs is known once they are.
        entry.name = Arc::clone(&task_run.name);
        Some(entry)
    }

    /// Whether there is still to be a line about an item of a map: a task run of which nothing was
    /// heard before it failed.
    fn has_room_for_item(&mut self, flow: FlowRunId) -> bool {
        let Some(flow) = self.flows.get_mut(&flow) else {
            return true;
        };
        flow.item_lines = flow.item_lines.saturating_add(1);
        if flow.item_lines == MAX_ITEM_LINES + 1 {
            let name = human::clean(flow.name.as_deref().unwrap_or_default());
            let text = format!("further failed items of flow {name} are only counted");
            self.lines.push(Line::Note(text));
        }
        flow.item_lines <= MAX_ITEM_LINES
    }

    fn remove_task_run(&mut self, flow: FlowRunId, index: u32) -> Option<TaskEntry> {
        let flow = self.flows.get_mut(&flow)?;
        let entry = flow.task_runs.remove(&index)?;
        flow.counts[entry.state as usize] -= 1;
        if let Some(number) = entry.number {
            self.active.remove(&number);
        }
        Some(entry)
    }

    /// Moves a task run, if it is known, to a state in which it has a line.
    fn set_state(&mut self, id: FlowRunId, index: u32, state: State) {
        let Some(flow) = self.flows.get_mut(&id) else {
            return;
        };
        let Some(entry) = flow.task_runs.get_mut(&index) else {
            return;
        };
        flow.counts[entry.state as usize] -= 1;
        flow.counts[state as usize] += 1;
        entry.state = state;
        if entry.number.is_none() {
            entry.number = Some(self.next_number);
            self.active.insert(self.next_number, (id, index));
            self.next_number += 1;
        }
    }

    fn number(&mut self) -> u64 {
        self.next_number += 1;
        self.next_number - 1
    }

    fn say_start(
        &mut self,
        flow: FlowRunId,
        task_run: &TaskRunRef,
        state: State,
        details: Vec<String>,
    ) {
        if self.says_starts {
            self.say(flow, task_run, state, None, details);
        }
    }

    fn say(
        &mut self,
        flow: FlowRunId,
        task_run: &TaskRunRef,
        state: State,
        time: Option<Duration>,
        details: Vec<String>,
    ) {
        let name = self.full_name(flow, &task_run.name);
        self.lines.push(Line::State {
            state,
            name,
            time,
            details,
        });
    }

    /// The name of a task run, with as much before it as tells it from others.
    fn full_name(&self, flow: FlowRunId, name: &str) -> String {
        let name = human::clean(name);
        let Some(flow) = self.flows.get(&flow) else {
            return name;
        };
        let outermost = self
            .flows
            .get(&flow.outermost)
            .filter(|_| self.n_outermost > 1);
        match outermost.and_then(|flow| flow.name.as_ref()) {
            Some(outermost) => format!("{}/{}{name}", human::clean(outermost), flow.path),
            None => format!("{}{name}", flow.path),
        }
    }

    /// The lines that change, as they are at `now`.
    pub(super) fn view(&self, now: Instant) -> Vec<Line> {
        let mut flows: Vec<(&FlowRunId, &FlowEntry)> = self
            .flows
            .iter()
            .filter(|(id, flow)| flow.name.is_some() && flow.outermost == **id)
            .collect();
        flows.sort_unstable_by_key(|(_, flow)| flow.number);
        let mut rows: Vec<Line> = flows
            .iter()
            .take(MAX_FLOW_ROWS)
            .map(|(id, flow)| self.flow_row(**id, flow, now))
            .collect();
        let n_more = flows.len() - rows.len();
        if n_more > 0 {
            rows.push(Line::Note(format!(
                "… and {}",
                human::counted(n_more as u64, "more flow run")
            )));
        }
        let room = MAX_ROWS - rows.len();
        // The line that counts the others needs a place, too.
        let n_shown = if self.active.len() > room {
            room - 1
        } else {
            self.active.len()
        };
        for (flow_run, index) in self.active.values().take(n_shown) {
            rows.extend(self.task_row(*flow_run, *index, now));
        }
        let n_more = self.active.len() - n_shown;
        if n_more > 0 {
            rows.push(Line::Note(format!(
                "… and {}",
                human::counted(n_more as u64, "more task run")
            )));
        }
        rows
    }

    fn flow_row(&self, id: FlowRunId, flow: &FlowEntry, now: Instant) -> Line {
        let mut counts = flow.counts;
        for other in self
            .flows
            .iter()
            .filter(|(other, _)| **other != id)
            .map(|(_, flow)| flow)
        {
            if other.outermost == id {
                for (count, other) in counts.iter_mut().zip(other.counts) {
                    *count += other;
                }
            }
        }
        let name = human::short(flow.name.as_deref().unwrap_or_default(), MAX_FLOW_NAME);
        Line::State {
            state: State::Running,
            name: format!("flow {name}"),
            time: Some(now.saturating_duration_since(flow.epoch)),
            details: counts_text(&counts).into_iter().collect(),
        }
    }

    fn task_row(&self, flow_run: FlowRunId, index: u32, now: Instant) -> Option<Line> {
        let flow = self.flows.get(&flow_run)?;
        let entry = flow.task_runs.get(&index)?;
        let mut details: Vec<String> = Vec::new();
        details.extend(items_text(entry.items));
        match &entry.note {
            Some(note) => details.push(note.clone()),
            None => details.extend(attempt_text(entry.attempt)),
        }
        let elapsed = now.saturating_duration_since(flow.epoch);
        Some(Line::State {
            state: entry.state,
            name: self.full_name(flow_run, &entry.name),
            time: entry.since.map(|since| elapsed.saturating_sub(since)),
            details,
        })
    }
}

impl FlowEntry {
    fn new(outermost: FlowRunId, epoch: Instant, number: u64) -> Self {
        Self {
            name: None,
            outermost,
            path: String::new(),
            epoch,
            number,
            task_runs: HashMap::new(),
            counts: [0; State::ALL.len()],
            item_lines: 0,
        }
    }
}

/// The instant `at` before `now`.
fn before(now: Instant, at: Duration) -> Instant {
    // A clock that a test moves on may be ahead of this one by any time.
    now.checked_sub(at).unwrap_or(now)
}

fn attempt_text(attempt: u32) -> Vec<String> {
    if attempt > 1 {
        vec![format!("attempt {attempt}")]
    } else {
        Vec::new()
    }
}

fn items_text(items: Option<(u64, u64)>) -> Option<String> {
    let (completed, failed) = items?;
    let mut text = format!("{} completed", human::counted(completed, "item"));
    if failed > 0 {
        text = format!("{text}, {} failed", human::count(failed));
    }
    Some(text)
}

/// How many task runs there are in each state: first those that have ended.
fn counts_text(counts: &[u64; State::ALL.len()]) -> Option<String> {
    let (ended, others): (Vec<State>, Vec<State>) =
        State::ALL.into_iter().partition(|state| state.is_final());
    let texts: Vec<String> = ended
        .into_iter()
        .chain(others.into_iter().rev())
        .filter(|state| counts[*state as usize] > 0)
        .map(|state| format!("{} {state}", human::count(counts[state as usize])))
        .collect();
    (!texts.is_empty()).then(|| texts.join(", "))
}

#[cfg(test)]
mod tests;

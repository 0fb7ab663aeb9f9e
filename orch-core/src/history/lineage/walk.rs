//! The way up and down from some task runs, in loops: chains may be of any length.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::runs::{CallIn, Found, Runs};
use super::{
    Lineage, LineageArgument, LineageEdge, LineageEdgeKind as Kind, LineageFlowRun, LineageGraph,
    LineageNode, LineageParameter, LineageValue,
};
use crate::history::explain::LOOKED_AT;
use crate::id::FlowRunId;
use crate::recorder::EngineStore;
use crate::store::{
    CacheRow, KeyPartRow, KeyRow, ResultOrigin, StoreError, TaskRunFilter, TaskRunRow,
};
use crate::value::{digest_of_content, digest_of_text};

pub(super) struct Walk<'a> {
    runs: Runs<'a>,
    /// Who took the results of the task runs of the flow runs that were asked about.
    takers: HashMap<CallIn, Vec<CallIn>>,
    asked: HashSet<FlowRunId>,
}

/// A graph while it grows.
#[derive(Default)]
struct Growing {
    graph: LineageGraph,
    place: HashMap<CallIn, usize>,
    /// The record of each node, where there is one.
    found: Vec<Option<Found>>,
    edges: HashSet<LineageEdge>,
}

impl Growing {
    /// Adds a node that is not there yet.
    fn add(&mut self, call: CallIn, node: LineageNode, found: Option<Found>) -> usize {
        let at = self.graph.nodes.len();
        self.place.insert(call, at);
        self.graph.nodes.push(node);
        self.found.push(found);
        at
    }

    fn join(&mut self, from: usize, to: usize, kind: Kind) {
        let edge = LineageEdge { from, to, kind };
        if from != to && self.edges.insert(edge) {
            self.graph.edges.push(edge);
        }
    }
}

impl<'a> Walk<'a> {
    pub(super) fn over(store: &'a EngineStore) -> Self {
        Self {
            runs: Runs::of(store),
            takers: HashMap::new(),
            asked: HashSet::new(),
        }
    }

    /// The lineage of the results of some task runs.
    pub(super) fn lineage(mut self, calls: &[CallIn]) -> Result<Lineage, StoreError> {
        let (mut up, mut down) = (Growing::default(), Growing::default());
        let mut values: Vec<LineageValue> = Vec::new();
        for call in calls {
            // One that was removed just now is nobody's any more.
            let Some(found) = self.runs.find(*call)? else {
                continue;
            };
            let result = found.row().result.as_ref().map(|value| &value.stored);
            let (digest, len) = (result.map(|it| it.digest), result.map(|it| it.len));
            let made_by = self.add_execution(&mut up, found)?;
            // So far there is one node for each value.
            if made_by < values.len() {
                continue;
            }
            let node = up.graph.nodes[made_by].clone();
            let record = up.found[made_by].clone().filter(|_| node.is_recorded);
            down.add((node.flow_run, node.call), node, record);
            values.push(LineageValue {
                digest,
                len,
                flow_run: call.0,
                call: call.1,
                made_by,
            });
        }
        self.go_up(&mut up)?;
        up.graph.is_cut = std::mem::take(&mut self.runs.is_cut);
        self.go_down(&mut down)?;
        down.graph.is_cut = self.runs.is_cut;
        let flow_runs = self.flow_runs(&up, &down)?;
        Ok(Lineage {
            values,
            up: up.graph,
            down: down.graph,
            flow_runs,
        })
    }
}

impl Walk<'_> {
    fn go_up(&mut self, up: &mut Growing) -> Result<(), StoreError> {
        // What is found goes to the end: the nearest first.
        let mut next = 0;
        while let Some(Some(found)) = up.found.get(next).cloned() {
            for (upstream, kind) in self.runs.before(&found)? {
                let from = self.add_execution(up, upstream)?;
                up.join(from, next, kind);
            }
            next += 1;
        }
        Ok(())
    }

    /// Adds the execution that a task run's result is of. Where that is not recorded any more, what
    /// went into it is known from whoever has its result: a cache key is the same for the same
    /// inputs.
    fn add_execution(&mut self, up: &mut Growing, of: Found) -> Result<usize, StoreError> {
        let (call, nearest, is_recorded) = self.runs.execution(of)?;
        if let Some(known) = up.place.get(&call) {
            return Ok(*known);
        }
        let mut node = node(&nearest);
        if !is_recorded {
            (node.flow_run, node.call) = call;
            node.is_recorded = false;
            let entry = self.cache_entry(nearest.row())?;
            node.ended_at = entry.as_ref().map(|entry| entry.made_at);
            node.arguments = entry.map_or_else(Vec::new, |entry| arguments(&entry.key, &[]));
        }
        Ok(up.add(call, node, Some(nearest)))
    }

    /// The cache entry that a result was taken from, if the cache still has it.
    fn cache_entry(&self, row: &TaskRunRow) -> Result<Option<CacheRow>, StoreError> {
        let Some(key) = &row.key else {
            return Ok(None);
        };
        let of_task = self.runs.store().cached_by_task(&row.task.id, LOOKED_AT)?;
        let mut of_task = of_task.into_iter();
        Ok(of_task.find(|entry| entry.key.digest == key.digest))
    }

    fn go_down(&mut self, down: &mut Growing) -> Result<(), StoreError> {
        let mut next = 0;
        // Level by level: one look at all task runs finds who took the results of a whole level.
        while next < down.graph.nodes.len() {
            let level = next..down.graph.nodes.len();
            self.ask_for_takers(&down.graph.nodes[level.clone()])?;
            for at in level {
                if let Some(found) = down.found[at].clone() {
                    for (user, kind) in self.runs.after(&found)? {
                        let to = add_row(down, user);
                        down.join(at, to, kind);
                    }
                }
                let node = &down.graph.nodes[at];
                let call = (node.flow_run, node.call);
                for taker in self.takers.get(&call).cloned().unwrap_or_default() {
                    if let Some(found) = self.runs.find(taker)? {
                        let to = add_row(down, found);
                        down.join(at, to, Kind::Taken);
                    }
                }
                next = at + 1;
            }
        }
        Ok(())
    }

    /// The flow runs of all nodes, the oldest first.
    fn flow_runs(
        &mut self,
        up: &Growing,
        down: &Growing,
    ) -> Result<Vec<LineageFlowRun>, StoreError> {
        let nodes = up.graph.nodes.iter().chain(&down.graph.nodes);
        let ids: BTreeSet<FlowRunId> = nodes.map(|node| node.flow_run).collect();
        let mut flow_runs = Vec::with_capacity(ids.len());
        for id in ids {
            if let Some(run) = self.runs.run(id)? {
                flow_runs.push(LineageFlowRun {
                    id,
                    name: run.row.name.clone(),
                    flow: run.row.flow.clone(),
                    fingerprint: run.row.fingerprint,
                    started_at: run.row.started_at,
                    parameters: run.parameters.clone(),
                });
            }
        }
        flow_runs.sort_by_key(|run| (run.started_at, run.id));
        Ok(flow_runs)
    }

    fn ask_for_takers(&mut self, of: &[LineageNode]) -> Result<(), StoreError> {
        let runs = of.iter().map(|node| node.flow_run);
        let new: Vec<FlowRunId> = runs.filter(|run| self.asked.insert(*run)).collect();
        if new.is_empty() {
            return Ok(());
        }
        let found = self.runs.store().find_task_runs(TaskRunFilter {
            from: new,
            ..TaskRunFilter::default()
        })?;
        for found in found {
            if let ResultOrigin::Cached { run, call } = found.origin {
                let takers = self.takers.entry((run, call)).or_default();
                takers.push((found.run, found.call));
            }
        }
        Ok(())
    }
}

/// Adds a task run as it is recorded.
fn add_row(down: &mut Growing, row: Found) -> usize {
    let call = row.call();
    match down.place.get(&call) {
        Some(known) => *known,
        None => down.add(call, node(&row), Some(row)),
    }
}

fn node(of: &Found) -> LineageNode {
    let row = of.row();
    let result = row.result.as_ref().map(|value| &value.stored);
    let key = row.key.as_ref();
    LineageNode {
        flow_run: of.run.row.id,
        call: row.call,
        name: row.shown_name().to_owned(),
        task: row.task.name.clone(),
        task_id: row.task.id.clone(),
        kind: row.kind,
        state: row.state,
        is_recorded: true,
        digest: result.map(|result| result.digest),
        len: result.map(|result| result.len),
        fingerprint: row.task.fingerprint,
        version: row.task.version.clone(),
        source: row.task.source.clone(),
        ended_at: row.ended_at,
        arguments: key.map_or_else(Vec::new, |key| arguments(key, &of.run.parameters)),
        files: of.run.files[of.at].clone(),
    }
}

/// The arguments that a cache key was made of.
pub(super) fn arguments(key: &KeyRow, parameters: &[LineageParameter]) -> Vec<LineageArgument> {
    let parts = key.parts.iter().enumerate();
    parts
        .filter(|(at, part)| !is_own(*at, part))
        .map(|(_, part)| LineageArgument {
            name: part.name.clone(),
            digest: part.digest,
            shown: part.shown.clone(),
            same_as: same_as(part, parameters),
        })
        .collect()
}

/// The part is the task's own, and no argument of it.
fn is_own(at: usize, part: &KeyPartRow) -> bool {
    // These are texts as they are; an argument that is a text is shown in quotes.
    let is_text = || {
        let shown = part.shown.as_ref();
        shown.is_some_and(|shown| digest_of_text(shown) == part.digest)
    };
    match part.name.as_str() {
        "version" if at == 2 => is_text(),
        "scope" | "seed" => is_text(),
        _ => at < 2,
    }
}

/// The parameter of the flow that has the same value, that of the same name before others.
fn same_as(part: &KeyPartRow, parameters: &[LineageParameter]) -> Option<String> {
    let is_same = |parameter: &&LineageParameter| {
        // For the key of a task it counts what a file holds, and for a flow also where it is.
        let is_same_file = match &parameter.files[..] {
            [file] => digest_of_content(&file.content) == part.digest,
            _ => false,
        };
        parameter.digest == part.digest || is_same_file
    };
    let same = || parameters.iter().filter(is_same);
    let named = same().find(|parameter| parameter.name == part.name);
    named
        .or_else(|| same().next())
        .map(|parameter| parameter.name.clone())
}

//! The part of a graph that is drawn: large groups are folded into one node, and a graph that is
//! still too large is summed up by task.

use std::collections::HashMap;

use super::counts::Counts;
use super::critical_path::{Marked, critical_path};
use super::graph::{Graph, Lists, Order};
use super::timing::Timing;
use super::{EdgeKind, NodeKind, RunReport, TaskCounts, TaskRunReport, human};
use crate::state::State;

/// Groups with more children than this are drawn as one node.
pub(super) const MAX_CHILDREN: usize = 30;
/// Graphs with more nodes than this are summed up by task.
pub(super) const MAX_NODES: usize = 500;

/// How much a kind of picture can hold.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    pub(super) children: usize,
    pub(super) nodes: usize,
}

/// What is drawn of a report's graph.
pub(super) struct View {
    /// In the order of submission, so each parent comes before its children.
    pub(super) nodes: Vec<ViewNode>,
    pub(super) edges: Vec<ViewEdge>,
    /// Nodes that follow each other on the critical path, with or without an edge, sorted.
    pub(super) critical: Vec<(usize, usize)>,
    /// What the picture leaves out, in sentences.
    pub(super) notes: Vec<String>,
}

/// A task run, or several drawn as one.
pub(super) struct ViewNode {
    /// The whole name, as the user gave it.
    pub(super) name: String,
    pub(super) kind: NodeKind,
    pub(super) state: State,
    /// The node that is drawn around this one.
    pub(super) parent: Option<usize>,
    /// Whether nodes are drawn inside this one.
    pub(super) is_frame: bool,
    /// The states of what this node stands for, if that is more than one task run.
    pub(super) counts: Option<Counts>,
    /// How long it took; empty if it has not run.
    pub(super) time: String,
    /// More about it, line by line, not yet escaped.
    pub(super) details: Vec<String>,
    pub(super) is_critical: bool,
}

/// An edge between two drawn nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ViewEdge {
    pub(super) from: usize,
    pub(super) to: usize,
    pub(super) kind: ViewEdgeKind,
    /// The number of recorded edges it stands for.
    pub(super) n_edges: u64,
    pub(super) is_critical: bool,
}

/// What a drawn edge means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum ViewEdgeKind {
    Data,
    Order,
    Catch,
    /// From a task run to one that was submitted during it; only where frames are not drawn.
    Nested,
}

impl ViewEdgeKind {
    fn new(kind: EdgeKind) -> ViewEdgeKind {
        match kind {
            EdgeKind::Data => ViewEdgeKind::Data,
            EdgeKind::Order => ViewEdgeKind::Order,
            EdgeKind::Catch => ViewEdgeKind::Catch,
        }
    }

    pub(super) fn word(self) -> &'static str {
        match self {
            ViewEdgeKind::Data => "data",
            ViewEdgeKind::Order => "order",
            ViewEdgeKind::Catch => "catch",
            ViewEdgeKind::Nested => "nested",
        }
    }
}

impl View {
    pub(super) fn new(report: &RunReport, limits: Limits) -> View {
        let timing = Timing::new(report);
        let path = critical_path(report, &timing);
        let marked = Marked::new(&path, &timing);
        let graph = &timing.graph;
        let folded = Folded::new(graph, limits.children);

        let n_shown = folded
            .shown_as
            .iter()
            .enumerate()
            .filter(|(p, s)| *p == **s as usize);
        let groups = if n_shown.count() <= limits.nodes {
            Groups::one_each(graph, &folded)
        } else {
            Groups::by_task(report, graph, &folded, limits.nodes)
        };
        let mut view = groups.view(report, graph, &folded);
        for (position, is_critical) in marked.runs.iter().enumerate() {
            let node = groups.node_of[folded.shown_as[position] as usize];
            view.nodes[node as usize].is_critical |= *is_critical;
        }
        if groups.is_exact {
            for (position, slack) in path.slack.iter().enumerate() {
                if folded.shown_as[position] as usize == position && !slack.is_zero() {
                    let node = groups.node_of[position] as usize;
                    let slack = human::duration(*slack);
                    view.nodes[node].details.push(format!("slack {slack}"));
                }
            }
        }
        let node = |p: u32| groups.node_of[folded.shown_as[p as usize] as usize] as usize;
        let pairs = marked
            .pairs
            .iter()
            .map(|(from, to)| (node(*from), node(*to)));
        view.critical = pairs.collect();
        view.critical.sort_unstable();
        view.critical.dedup();
        for edge in &mut view.edges {
            edge.is_critical = view.critical.binary_search(&(edge.from, edge.to)).is_ok();
        }
        let n_unrecorded: u64 = report.unrecorded.iter().map(TaskCounts::total).sum();
        if n_unrecorded > 0 {
            let more = human::counted(n_unrecorded, "more task run");
            view.notes
                .push(format!("{more} beyond the recording limit"));
        }
        view
    }
}

/// Which task runs are drawn inside another one's node.
struct Folded {
    /// The position that is drawn for each task run: its own, or that of a folded group.
    shown_as: Vec<u32>,
    max_children: usize,
}

impl Folded {
    fn new(graph: &Graph, max_children: usize) -> Folded {
        let mut n_children = vec![0_usize; graph.parents.len()];
        for parent in graph.parents.iter().flatten() {
            n_children[*parent as usize] += 1;
        }
        let mut shown_as: Vec<u32> = (0..graph.parents.len() as u32).collect();
        for run in &graph.submitted {
            if let Some(parent) = graph.parents[*run as usize] {
                let parent_shown_as = shown_as[parent as usize];
                let is_folded = n_children[parent as usize] > max_children;
                if is_folded || parent_shown_as != parent {
                    shown_as[*run as usize] = parent_shown_as;
                }
            }
        }
        Folded {
            shown_as,
            max_children,
        }
    }

    fn is_shown(&self, position: u32) -> bool {
        self.shown_as[position as usize] == position
    }
}

/// Which node of the view stands for each shown task run.
struct Groups {
    /// By position; what is not shown has the number of nodes here.
    node_of: Vec<u32>,
    n_nodes: usize,
    /// Whether each node is one shown task run.
    is_exact: bool,
    note: Option<String>,
}

impl Groups {
    fn one_each(graph: &Graph, folded: &Folded) -> Groups {
        let mut node_of = vec![u32::MAX; graph.parents.len()];
        let mut n_nodes = 0;
        for run in graph.submitted.iter().filter(|run| folded.is_shown(**run)) {
            node_of[*run as usize] = n_nodes;
            n_nodes += 1;
        }
        Groups {
            node_of,
            n_nodes: n_nodes as usize,
            is_exact: true,
            note: None,
        }
    }

    /// One node for each task and depth in the graph. Where that is still too many, depths are
    /// taken together, and at last the tasks beyond the limit.
    fn by_task(report: &RunReport, graph: &Graph, folded: &Folded, max_nodes: usize) -> Groups {
        let depths = depths(graph, folded);
        let n_depths = depths.iter().max().map_or(1, |depth| *depth as usize + 1);
        let mut attempt = 0;
        let (node_of, n_nodes, depths_each) = loop {
            let depths_each = match attempt {
                0 => 1,
                1 => n_depths.div_ceil(25),
                _ => n_depths,
            };
            let mut nodes: HashMap<(&str, usize), u32> = HashMap::new();
            let mut node_of = vec![u32::MAX; depths.len()];
            for run in graph.submitted.iter().filter(|run| folded.is_shown(**run)) {
                let task = report.task_runs[*run as usize].task.as_str();
                let depth = depths[*run as usize] as usize / depths_each;
                let mut next = nodes.len() as u32;
                if attempt == 3 {
                    next = next.min(max_nodes as u32 - 1);
                }
                node_of[*run as usize] = *nodes.entry((task, depth)).or_insert(next);
            }
            if nodes.len() <= max_nodes || attempt == 3 {
                break (node_of, nodes.len().min(max_nodes), depths_each);
            }
            attempt += 1;
        };
        let n_runs = human::counted(report.task_runs.len() as u64, "task run");
        let by = match depths_each {
            1 => "task and depth".to_owned(),
            n if n == n_depths => "task".to_owned(),
            n => format!("task and {n} depths"),
        };
        let note = Some(format!("{n_runs}, summed up by {by}"));
        Groups {
            node_of,
            n_nodes,
            is_exact: false,
            note,
        }
    }

    fn view(&self, report: &RunReport, graph: &Graph, folded: &Folded) -> View {
        let mut nodes: Vec<Option<ViewNode>> = (0..self.n_nodes).map(|_| None).collect();
        let mut members = vec![Members::default(); self.n_nodes];
        for position in &graph.submitted {
            let run = &report.task_runs[*position as usize];
            let shown_as = folded.shown_as[*position as usize];
            let node = self.node_of[shown_as as usize] as usize;
            let members = &mut members[node];
            if shown_as != *position {
                members.counts.add(run.state, 1);
                continue;
            }
            members.add(run);
            if !self.is_exact {
                members.counts.add(run.state, 1);
            }
            if members.n_runs == 1 {
                let parent = graph.parents[*position as usize].filter(|_| self.is_exact);
                let parent = parent.map(|parent| self.node_of[parent as usize] as usize);
                if let Some(frame) = parent.and_then(|parent| nodes[parent].as_mut()) {
                    frame.is_frame = true;
                }
                nodes[node] = Some(single(run, parent));
            }
        }
        let nodes = nodes.into_iter().zip(members).map(|(node, members)| {
            let mut node = node.expect("each node of a view stands for a task run");
            if members.n_runs > 1 {
                let task = if members.is_mixed {
                    "other tasks"
                } else {
                    members.task
                };
                node.name = format!("{task} × {}", human::count(members.n_runs));
                node.state = members.counts.leading();
                node.time = String::new();
                node.details.clear();
            }
            if members.counts.total() > 1 || node.kind == NodeKind::Map {
                node.details.push(members.counts.words());
                node.counts = Some(members.counts);
            }
            node
        });
        let mut notes: Vec<String> = self.note.iter().cloned().collect();
        if folded
            .shown_as
            .iter()
            .enumerate()
            .any(|(p, s)| p != *s as usize)
        {
            let most = folded.max_children;
            notes.push(format!(
                "groups of more than {most} task runs are drawn as one node"
            ));
        }
        View {
            nodes: nodes.collect(),
            edges: self.edges(graph, folded),
            critical: Vec::new(),
            notes,
        }
    }

    fn edges(&self, graph: &Graph, folded: &Folded) -> Vec<ViewEdge> {
        let node = |p: u32| self.node_of[folded.shown_as[p as usize] as usize];
        let mut pairs: Vec<(u32, u32, ViewEdgeKind)> = graph
            .edges
            .iter()
            .map(|(from, to, kind)| (node(*from), node(*to), ViewEdgeKind::new(*kind)))
            .collect();
        if !self.is_exact {
            let parents = graph.parents.iter().enumerate();
            pairs.extend(parents.filter_map(|(run, parent)| {
                Some((node((*parent)?), node(run as u32), ViewEdgeKind::Nested))
            }));
        }
        pairs.retain(|(from, to, _)| from != to);
        pairs.sort_unstable();
        let edge = |pairs: &[(u32, u32, ViewEdgeKind)]| ViewEdge {
            from: pairs[0].0 as usize,
            to: pairs[0].1 as usize,
            kind: pairs[0].2,
            n_edges: pairs.len() as u64,
            is_critical: false,
        };
        pairs.chunk_by(|a, b| a == b).map(edge).collect()
    }
}

/// The task runs that a node stands for.
#[derive(Clone, Default)]
struct Members<'a> {
    n_runs: u64,
    task: &'a str,
    /// Whether they are of more than one task.
    is_mixed: bool,
    counts: Counts,
}

impl<'a> Members<'a> {
    fn add(&mut self, run: &'a TaskRunReport) {
        self.is_mixed |= self.n_runs > 0 && self.task != run.task;
        self.n_runs += 1;
        self.task = &run.task;
        if let Some(items) = &run.items {
            self.counts.add_all(items);
        }
    }
}

/// The node of one task run.
fn single(run: &TaskRunReport, parent: Option<usize>) -> ViewNode {
    ViewNode {
        name: run.name.clone(),
        kind: run.kind,
        state: run.state,
        parent,
        is_frame: false,
        counts: None,
        time: run
            .started
            .and(run.ended)
            .map_or_else(String::new, |_| human::duration(run.run_time())),
        details: details(run),
        is_critical: false,
    }
}

/// What a tooltip says of a task run, line by line, after its name.
pub(super) fn details(run: &TaskRunReport) -> Vec<String> {
    let source = match run.source.as_str() {
        "" => String::new(),
        source => format!(" at {source}"),
    };
    let mut lines = vec![format!("task {}{source}", run.task)];
    let attempts = match run.attempts {
        0 | 1 => String::new(),
        n => format!(", {n} attempts"),
    };
    lines.push(format!("{} {}{attempts}", run.state.mark(), run.state));
    if run.started.is_some() && run.ended.is_some() {
        let (queue, time) = (
            human::duration(run.queue_time()),
            human::duration(run.run_time()),
        );
        lines.push(format!("queue {queue}, run {time}"));
    }
    if let Some(error) = &run.error {
        lines.push(format!("error: {}", error.message));
    }
    lines
}

/// How many edges lead to each shown task run, by the longest way; a child is deeper than its
/// parent.
fn depths(graph: &Graph, folded: &Folded) -> Vec<u32> {
    let n_runs = graph.parents.len();
    let shown = |p: u32| folded.shown_as[p as usize];
    let edges = graph
        .edges
        .iter()
        .map(|(from, to, _)| (shown(*from), shown(*to)));
    let parents = graph.parents.iter().enumerate();
    let parents = parents.filter_map(|(run, parent)| Some((shown((*parent)?), shown(run as u32))));
    let downstream = Lists::new(n_runs, edges.chain(parents).filter(|(from, to)| from != to));
    let order = Order::new(&downstream, n_runs);
    let mut depths = vec![0_u32; n_runs];
    for from in &order.nodes {
        for to in downstream.of(*from as usize) {
            if order.is_forward(*from, *to) {
                depths[*to as usize] = depths[*to as usize].max(depths[*from as usize] + 1);
            }
        }
    }
    depths
}

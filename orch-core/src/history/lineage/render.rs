//! Lineage as trees of text.

use std::collections::{HashMap, HashSet};
use std::fmt;

use super::{
    Lineage, LineageArgument, LineageEdgeKind as Kind, LineageFile, LineageGraph, LineageNode,
    LineageValue,
};
use crate::id::FlowRunId;
use crate::report::{NodeKind, human};

/// How deep trees go: what is further away would be out of sight on the right.
const MAX_DEPTH: usize = 24;
/// How much is listed below one line.
const MAX_LISTED: usize = 20;
/// How long values are.
const MAX_TEXT: usize = 60;

impl fmt::Display for Lineage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.flow_runs.iter();
        let page = Page {
            lineage: self,
            names: names.map(|run| (run.id, run.name.as_str())).collect(),
        };
        let (mut up, mut down) = (Tree::up(&self.up), Tree::down(&self.down));
        for (i, value) in self.values.iter().enumerate() {
            if i > 0 {
                writeln!(f)?;
            }
            page.value(f, value)?;
            f.write_str("made from\n")?;
            page.tree(f, &mut up, value.made_by)?;
            f.write_str("used by\n")?;
            page.tree(f, &mut down, value.made_by)?;
        }
        page.parameters(f)
    }
}

/// A graph that is written line by line.
struct Tree<'a> {
    graph: &'a LineageGraph,
    /// What is written below each node.
    below: Vec<Vec<(usize, Kind)>>,
    /// Whether what is below a node went into it. Then its arguments are told of, too.
    is_up: bool,
    is_shown: Vec<bool>,
}

impl<'a> Tree<'a> {
    fn up(graph: &'a LineageGraph) -> Self {
        let edges = graph.edges.iter();
        let edges = edges.map(|edge| (edge.to, edge.from, edge.kind));
        Self::of(graph, edges, true)
    }

    fn down(graph: &'a LineageGraph) -> Self {
        let edges = graph.edges.iter();
        let edges = edges.map(|edge| (edge.from, edge.to, edge.kind));
        Self::of(graph, edges, false)
    }

    fn of(
        graph: &'a LineageGraph,
        edges: impl Iterator<Item = (usize, usize, Kind)>,
        is_up: bool,
    ) -> Self {
        let mut below = vec![Vec::new(); graph.nodes.len()];
        for (above, node, kind) in edges {
            below[above].push((node, kind));
        }
        Self {
            graph,
            below,
            is_up,
            is_shown: vec![false; graph.nodes.len()],
        }
    }

    /// The arguments of a node that are no results of what is written below it.
    fn arguments(&self, at: usize) -> Vec<&'a LineageArgument> {
        if !self.is_up {
            return Vec::new();
        }
        let results = self.below[at].iter();
        let results: Vec<_> = results
            .map(|(node, _)| self.graph.nodes[*node].digest)
            .collect();
        let arguments = self.graph.nodes[at].arguments.iter();
        arguments
            .filter(|argument| !results.contains(&Some(argument.digest)))
            .collect()
    }
}

/// What is still to be written, and how deep.
enum Item<'a> {
    Argument(&'a LineageArgument),
    /// A node, how it is connected, and the flow run of the line above.
    Node(usize, Kind, FlowRunId),
    More(usize),
}

struct Page<'a> {
    lineage: &'a Lineage,
    names: HashMap<FlowRunId, &'a str>,
}

impl Page<'_> {
    fn flow_run(&self, id: FlowRunId) -> String {
        match self.names.get(&id) {
            Some(name) => format!("flow run `{}`", human::clean(name)),
            None => format!("flow run {id}, which is not kept any more"),
        }
    }

    fn value(&self, f: &mut fmt::Formatter<'_>, value: &LineageValue) -> fmt::Result {
        let node = &self.lineage.up.nodes[value.made_by];
        f.write_str(&named(node))?;
        if let Some(digest) = value.digest {
            write!(f, " {digest}")?;
        }
        match value.len {
            Some(len) => writeln!(f, ", {}", human::counted(len, "byte"))?,
            None => writeln!(f)?,
        }
        write!(f, "  of {}", self.flow_run(node.flow_run))?;
        if let Some(at) = node.ended_at {
            write!(f, ", {at}")?;
        }
        writeln!(f)?;
        if node.kind == NodeKind::Task {
            write!(
                f,
                "  by the code {} of {}",
                node.fingerprint.short(),
                node.source
            )?;
            if let Some(version) = &node.version {
                write!(f, ", version {}", human::short(version, MAX_TEXT))?;
            }
            writeln!(f)?;
        }
        if (value.flow_run, value.call) != (node.flow_run, node.call) {
            writeln!(f, "  found in {}", self.flow_run(value.flow_run))?;
        }
        for file in node.files.iter().take(MAX_LISTED) {
            writeln!(f, "  names the file {}", shown_file(file))?;
        }
        Ok(())
    }

    /// Writes what is below a node, in a loop: chains may be of any length.
    fn tree(&self, f: &mut fmt::Formatter<'_>, tree: &mut Tree<'_>, root: usize) -> fmt::Result {
        tree.is_shown[root] = true;
        let mut items = Vec::new();
        below(tree, root, 1, &mut items);
        if items.is_empty() {
            f.write_str("  nothing that is recorded\n")?;
        }
        while let Some((depth, item)) = items.pop() {
            let indent = 2 * depth;
            match item {
                Item::Argument(argument) => {
                    writeln!(f, "{:indent$}{}", "", shown_argument(argument))?;
                }
                Item::More(more) => {
                    writeln!(f, "{:indent$}and {} more", "", human::count(more as u64))?
                }
                Item::Node(at, Kind::Given, _) if tree.is_shown[at] => {}
                Item::Node(at, kind, above) => {
                    let node = &tree.graph.nodes[at];
                    write!(f, "{:indent$}", "")?;
                    head(f, node)?;
                    f.write_str(word(kind, tree.is_up))?;
                    if std::mem::replace(&mut tree.is_shown[at], true) {
                        writeln!(f, " (see above)")?;
                        continue;
                    }
                    if node.kind == NodeKind::Task {
                        write!(f, ", code {}", node.fingerprint.short())?;
                    }
                    if node.flow_run != above {
                        write!(f, ", {}", self.flow_run(node.flow_run))?;
                    }
                    writeln!(f)?;
                    match depth < MAX_DEPTH {
                        true => below(tree, at, depth + 1, &mut items),
                        false if tree.below[at].is_empty() => {}
                        false => writeln!(f, "{:indent$}  ...", "")?,
                    }
                }
            }
        }
        if tree.graph.is_cut {
            f.write_str("  and more than was looked at\n")?;
        }
        Ok(())
    }
}

impl Page<'_> {
    /// The parameters of the flow runs that something was made in.
    fn parameters(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nodes = self.lineage.up.nodes.iter();
        let above: HashSet<FlowRunId> = nodes.map(|node| node.flow_run).collect();
        for run in &self.lineage.flow_runs {
            if run.parameters.is_empty() || !above.contains(&run.id) {
                continue;
            }
            writeln!(f, "parameters of {}", self.flow_run(run.id))?;
            for parameter in &run.parameters {
                if let [file] = &parameter.files[..]
                    && parameter.shown == file.path
                {
                    writeln!(f, "  {} = {}", parameter.name, shown_file(file))?;
                    continue;
                }
                let shown = human::short(&parameter.shown.to_string(), MAX_TEXT);
                write!(f, "  {} = {shown}", parameter.name)?;
                for file in parameter.files.iter().take(MAX_LISTED) {
                    write!(f, ", the file {}", shown_file(file))?;
                }
                writeln!(f)?;
            }
        }
        Ok(())
    }
}

/// Puts what is below a node on the stack, the first on top.
fn below<'a>(tree: &Tree<'a>, at: usize, depth: usize, items: &mut Vec<(usize, Item<'a>)>) {
    let nodes = &tree.below[at];
    if nodes.len() > MAX_LISTED {
        items.push((depth, Item::More(nodes.len() - MAX_LISTED)));
    }
    let flow_run = tree.graph.nodes[at].flow_run;
    for (node, kind) in nodes.iter().take(MAX_LISTED).rev() {
        items.push((depth, Item::Node(*node, *kind, flow_run)));
    }
    for argument in tree.arguments(at).into_iter().rev() {
        items.push((depth, Item::Argument(argument)));
    }
}

fn named(node: &LineageNode) -> String {
    let name = human::short(&node.name, MAX_TEXT);
    match node.kind {
        NodeKind::Task => format!("`{name}`"),
        kind => format!("{} `{name}`", kind.word()),
    }
}

/// What is said of each node: what it is, and the result.
fn head(f: &mut fmt::Formatter<'_>, node: &LineageNode) -> fmt::Result {
    f.write_str(&named(node))?;
    if let Some(digest) = node.digest {
        write!(f, " {}", digest.short())?;
    }
    if !node.state.is_success() {
        write!(f, " ({})", node.state)?;
    }
    Ok(())
}

/// How a node is connected with the line above it.
fn word(kind: Kind, is_up: bool) -> &'static str {
    match (kind, is_up) {
        (Kind::Data, _) => "",
        (Kind::Catch, true) => " (its outcome)",
        (Kind::Catch, false) => " (uses the outcome)",
        (Kind::Within, true) => " (within it)",
        (Kind::Within, false) => " (around it)",
        (Kind::Given, true) => " (given to what it ran within)",
        (Kind::Given, false) => " (within what it was given to)",
        (Kind::Taken, _) => " (taken over)",
    }
}

fn shown_argument(argument: &LineageArgument) -> String {
    let value = match &argument.shown {
        Some(shown) => human::short(shown, MAX_TEXT),
        None => argument.digest.short(),
    };
    let name = &argument.name;
    match &argument.same_as {
        Some(parameter) => format!("{name} = {value} (parameter `{parameter}` of the flow)"),
        None => format!("{name} = {value}"),
    }
}

fn shown_file(file: &LineageFile) -> String {
    let path = human::short(&file.path, MAX_TEXT);
    format!("{path} (content {})", file.content.short())
}

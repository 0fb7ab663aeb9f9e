//! The graph as a Mermaid flowchart, which code hosts and wikis draw.

use std::fmt::Write;

use super::view::{Limits, MAX_CHILDREN, View, ViewEdge, ViewEdgeKind, ViewNode};
use super::{NodeKind, RunReport, escape, human, theme};
use crate::state::State;

/// Mermaid refuses texts of more than 50,000 characters and charts of more than 500 edges unless
/// it is configured otherwise.
const LIMITS: Limits = Limits {
    children: MAX_CHILDREN,
    nodes: 150,
};
const MAX_EDGES: usize = 400;
const LABEL_WIDTH: usize = 32;

impl RunReport {
    /// Writes the graph as a Mermaid flowchart: groups as subgraphs, states by mark, word and
    /// colour, maps with counts, the critical path with thick edges. A name that is cut in its
    /// label is a tooltip in full.
    ///
    /// Groups of more than 30 task runs become one node with counts, and a graph that still has
    /// more than 150 nodes is summed up by task and depth, to stay within what Mermaid draws; a
    /// node of its own says so.
    pub fn to_mermaid(&self) -> String {
        let mut view = View::new(self, LIMITS);
        let mut edges: Vec<&ViewEdge> = view
            .edges
            .iter()
            .filter(|edge| !is_inside(&view, edge))
            .collect();
        if edges.len() > MAX_EDGES {
            let left_out = human::counted((edges.len() - MAX_EDGES) as u64, "edge");
            edges.sort_by_key(|edge| (!edge.is_critical, edge.from.abs_diff(edge.to)));
            edges.truncate(MAX_EDGES);
            edges.sort_by_key(|edge| (edge.from, edge.to, edge.kind));
            view.notes
                .push(format!("{left_out} between distant nodes left out"));
        }

        let mut chart = String::from("flowchart LR\n");
        draw_nodes(&mut chart, &view);
        for edge in edges {
            let arrow = match (edge.kind, edge.is_critical) {
                (_, true) => "==>",
                (ViewEdgeKind::Data, _) => "-->",
                (ViewEdgeKind::Order | ViewEdgeKind::Catch, _) => "-.->",
                (ViewEdgeKind::Nested, _) => "-.-",
            };
            let label = match edge.kind {
                ViewEdgeKind::Order | ViewEdgeKind::Catch => format!("|{}|", edge.kind.word()),
                _ => String::new(),
            };
            // Writing to a string cannot fail, here and below.
            let _ = writeln!(chart, "  n{} {arrow}{label} n{}", edge.from, edge.to);
        }
        for (i, note) in view.notes.iter().enumerate() {
            let _ = writeln!(chart, "  note{i}[\"{}\"]", escape::mermaid(note));
        }
        draw_classes(&mut chart, &view);
        chart
    }
}

/// Whether one end of the edge is a frame around the other, which Mermaid cannot draw.
fn is_inside(view: &View, edge: &ViewEdge) -> bool {
    let is_around = |outer: usize, mut node: usize| {
        while let Some(parent) = view.nodes[node].parent {
            if parent == outer {
                return true;
            }
            node = parent;
        }
        false
    };
    is_around(edge.from, edge.to) || is_around(edge.to, edge.from)
}

enum Step {
    Draw(usize),
    Close,
}

fn draw_nodes(chart: &mut String, view: &View) {
    let mut inside: Vec<Vec<usize>> = vec![Vec::new(); view.nodes.len()];
    let mut next: Vec<Step> = Vec::new();
    for (i, node) in view.nodes.iter().enumerate() {
        match node.parent {
            Some(parent) => inside[parent].push(i),
            None => next.push(Step::Draw(i)),
        }
    }
    next.reverse();
    let mut depth = 1;
    while let Some(step) = next.pop() {
        let indent = "  ".repeat(depth);
        match step {
            Step::Draw(i) => {
                let node = &view.nodes[i];
                // The title of a subgraph has room for one line.
                let label = label(node, if node.is_frame { " · " } else { "<br/>" });
                if node.is_frame {
                    let _ = writeln!(chart, "{indent}subgraph n{i}[\"{label}\"]");
                    depth += 1;
                    next.push(Step::Close);
                    next.extend(inside[i].iter().rev().map(|child| Step::Draw(*child)));
                } else {
                    let (open, close) = match node.kind {
                        NodeKind::Map => ("[[", "]]"),
                        _ => ("(", ")"),
                    };
                    let _ = writeln!(chart, "{indent}n{i}{open}\"{label}\"{close}");
                }
            }
            Step::Close => {
                depth -= 1;
                let _ = writeln!(chart, "{}end", "  ".repeat(depth));
            }
        }
    }
    for (i, node) in view.nodes.iter().enumerate() {
        if human::width(&human::clean(&node.name)) > LABEL_WIDTH {
            let name = escape::mermaid(&node.name);
            let _ = writeln!(chart, "  click n{i} href \"#\" \"{name}\"");
        }
    }
}

fn label(node: &ViewNode, between_lines: &str) -> String {
    let name = escape::mermaid(&human::short(&node.name, LABEL_WIDTH));
    let mut label = format!("{} {name}{between_lines}{}", node.state.mark(), node.state);
    if !node.time.is_empty() {
        label = format!("{label} · {}", node.time);
    }
    if let Some(counts) = &node.counts {
        label = format!("{label}{between_lines}{}", counts.words());
    }
    label
}

/// Writes a class for each state that occurs, and what belongs to it.
fn draw_classes(chart: &mut String, view: &View) {
    for state in State::ALL {
        let nodes = view
            .nodes
            .iter()
            .enumerate()
            .filter(|(_, node)| node.state == state);
        let nodes: Vec<String> = nodes.map(|(i, _)| format!("n{i}")).collect();
        if nodes.is_empty() {
            continue;
        }
        let colours = theme::colours(state);
        let class = theme::class(state);
        let dashes = if colours.is_dashed {
            ",stroke-dasharray:4 3"
        } else {
            ""
        };
        let (fill, stroke) = (colours.fill, colours.stroke);
        let _ = writeln!(
            chart,
            "  classDef {class} fill:{fill},stroke:{stroke},color:#1f2328{dashes}\n  \
             class {} {class}",
            nodes.join(",")
        );
    }
    let critical = view
        .nodes
        .iter()
        .enumerate()
        .filter(|(_, node)| node.is_critical);
    let critical: Vec<String> = critical.map(|(i, _)| format!("n{i}")).collect();
    if !critical.is_empty() {
        let nodes = critical.join(",");
        let _ = writeln!(
            chart,
            "  classDef critical stroke-width:3px\n  class {nodes} critical"
        );
    }
}

#[cfg(test)]
mod tests;

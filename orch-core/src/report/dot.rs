//! The graph in the DOT language of Graphviz.

use std::fmt::Write;

use super::view::{Limits, View, ViewEdgeKind, ViewNode};
use super::{NodeKind, RunReport, escape, human, theme};

/// What Graphviz lays out within seconds.
const LIMITS: Limits = Limits {
    children: 1_000,
    nodes: 5_000,
};
const LABEL_WIDTH: usize = 40;

impl RunReport {
    /// Writes the graph in the DOT language: groups as clusters, states by mark, word and colour,
    /// maps with counts, the critical path heavier. Whole names and errors are tooltips.
    ///
    /// Groups of more than 1,000 task runs become one node with counts, and a graph that still has
    /// more than 5,000 nodes is summed up by task and depth; its label says so.
    pub fn to_dot(&self) -> String {
        let view = View::new(self, LIMITS);
        let mut dot = String::from("digraph flow_run {\n  rankdir=LR;\n");
        let heading = format!("{} / {}", self.flow, self.name);
        let heading = escape::dot(&human::short(&heading, 2 * LABEL_WIDTH));
        let facts = format!(
            "{} {} · {}",
            self.state.mark(),
            self.state,
            human::duration(self.duration)
        );
        let notes: String = view
            .notes
            .iter()
            .map(|note| format!("\\n{}", escape::dot(note)))
            .collect();
        // Writing to a string cannot fail, here and below.
        let _ = writeln!(
            dot,
            "  label=\"{heading}\\n{facts}{notes}\";\n  labelloc=t;"
        );
        dot.push_str("  fontname=\"monospace\";\n");
        dot.push_str("  node [shape=box, style=\"rounded,filled\", fontname=\"monospace\"];\n");
        draw_nodes(&mut dot, &view);
        for edge in &view.edges {
            let style = match edge.kind {
                ViewEdgeKind::Data => "style=solid",
                ViewEdgeKind::Order => "style=dotted",
                ViewEdgeKind::Catch => "style=dashed, color=\"#bc4c00\"",
                ViewEdgeKind::Nested => "style=dotted, arrowhead=none",
            };
            let label = match edge.n_edges {
                1 => String::new(),
                n => format!(", label=\"× {}\"", human::count(n)),
            };
            let critical = if edge.is_critical { ", penwidth=3" } else { "" };
            let (from, to, kind) = (edge.from, edge.to, edge.kind.word());
            let _ = writeln!(
                dot,
                "  n{from} -> n{to} [{style}, tooltip=\"{kind}\"{label}{critical}];"
            );
        }
        dot.push_str("}\n");
        dot
    }
}

/// Writes each node in the cluster of its frame. A frame is a cluster with its own node inside.
fn draw_nodes(dot: &mut String, view: &View) {
    let mut inside: Vec<Vec<usize>> = vec![Vec::new(); view.nodes.len()];
    let mut next: Vec<Step> = Vec::new();
    for (i, node) in view.nodes.iter().enumerate() {
        match node.parent {
            Some(parent) => inside[parent].push(i),
            None => next.push(Step::Draw(i)),
        }
    }
    // A stack of our own: frames can be nested deeper than calls can be.
    next.reverse();
    let mut depth = 1;
    while let Some(step) = next.pop() {
        match step {
            Step::Draw(i) => {
                let node = &view.nodes[i];
                if node.is_frame {
                    open_cluster(dot, i, node, depth);
                    depth += 1;
                    next.push(Step::Close);
                    next.extend(inside[i].iter().rev().map(|child| Step::Draw(*child)));
                }
                draw_node(dot, i, node, depth);
            }
            Step::Close => {
                depth -= 1;
                let _ = writeln!(dot, "{}}}", indent(depth));
            }
        }
    }
}

enum Step {
    Draw(usize),
    Close,
}

/// Deep nesting is not indented further, or the indentation would outgrow the text.
fn indent(depth: usize) -> String {
    "  ".repeat(depth.min(20))
}

fn open_cluster(dot: &mut String, i: usize, node: &ViewNode, depth: usize) {
    let (outer, inner) = (indent(depth), indent(depth + 1));
    let label = escape::dot(&human::short(&node.name, LABEL_WIDTH));
    let tooltip = escape::dot(&node.name);
    let stroke = theme::colours(node.state).stroke;
    let _ = writeln!(
        dot,
        "{outer}subgraph cluster_{i} {{\n\
         {inner}label=\"{label}\"; tooltip=\"{tooltip}\"; style=\"rounded\"; color=\"{stroke}\";"
    );
}

fn draw_node(dot: &mut String, i: usize, node: &ViewNode, depth: usize) {
    let mut label = vec![
        escape::dot(&human::short(&node.name, LABEL_WIDTH)),
        format!("{} {}", node.state.mark(), node.state),
    ];
    if !node.time.is_empty() {
        label[1] = format!("{} · {}", label[1], node.time);
    }
    label.extend(node.counts.as_ref().map(|counts| counts.words()));
    let tooltip = [&node.name].into_iter().chain(&node.details);
    let tooltip: Vec<String> = tooltip.map(|line| escape::dot(line)).collect();
    let colours = theme::colours(node.state);
    let style = if colours.is_dashed {
        ", style=\"rounded,filled,dashed\""
    } else {
        ""
    };
    let critical = if node.is_critical { ", penwidth=3" } else { "" };
    let map = if node.kind == NodeKind::Map {
        ", peripheries=2"
    } else {
        ""
    };
    let _ = writeln!(
        dot,
        "{}n{i} [label=\"{}\", tooltip=\"{}\", color=\"{}\", fillcolor=\"{}\"{style}{map}{critical}];",
        indent(depth),
        label.join("\\n"),
        tooltip.join("\\n"),
        colours.stroke,
        colours.fill,
    );
}

#[cfg(test)]
mod tests;

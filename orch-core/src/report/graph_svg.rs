//! The graph as a picture.

use std::fmt::Write;

use super::counts::Counts;
use super::layout::{Layout, Size, layered};
use super::svg::{self, Legend, MARGIN, NOTE_HEIGHT};
use super::theme::{self, CHAR_WIDTH, number};
use super::view::{Limits, MAX_CHILDREN, MAX_NODES, View, ViewEdge, ViewNode};
use super::{RunReport, escape, human};
use crate::state::State;

const BOX_WIDTH: f64 = 224.0;
const BOX_HEIGHT: f64 = 46.0;
/// What counts and their bar add to the height of a box.
const BAR_HEIGHT: f64 = 26.0;
/// A frame has its name and state in one line.
const FRAME_MIN_WIDTH: f64 = 330.0;
const FRAME_HEADER: f64 = 30.0;
const FRAME_PADDING: f64 = 14.0;
const TITLE_HEIGHT: f64 = 52.0;
const NOTE_GAP: f64 = 8.0;
/// Narrower pictures would cut the title and the legend.
const MIN_WIDTH: f64 = 680.0;
/// Edges beyond this number are counted instead of drawn.
const MAX_EDGES: usize = 3_000;

impl RunReport {
    /// Draws the graph as SVG: layers from left to right, groups as frames, the critical path
    /// heavier, each state by mark, word and colour.
    ///
    /// Groups of more than 30 task runs become one node with counts, and a graph that still has
    /// more than 500 nodes is summed up by task and depth; the picture says so. An edge into or
    /// out of a group is drawn to its frame.
    ///
    /// The text is a file of its own, needs no network and no script, follows the viewer's choice
    /// of light or dark, and is the same for equal reports.
    pub fn graph_svg(&self) -> String {
        self.graph(Limits {
            children: MAX_CHILDREN,
            nodes: MAX_NODES,
        })
    }

    pub(super) fn graph(&self, limits: Limits) -> String {
        Picture::new(View::new(self, limits)).draw(self)
    }
}

/// A view with a place for each node.
pub(super) struct Picture {
    pub(super) view: View,
    pub(super) sizes: Vec<Size>,
    pub(super) corners: Vec<(f64, f64)>,
    pub(super) edges: Vec<(ViewEdge, Vec<(f64, f64)>)>,
    size: Size,
}

impl Picture {
    pub(super) fn new(mut view: View) -> Picture {
        let n = view.nodes.len();
        let outside = n; // Number of the frame around everything.
        let frame_of = |node: &ViewNode| node.parent.unwrap_or(outside);
        let mut inside: Vec<Vec<usize>> = vec![Vec::new(); n + 1];
        for (i, node) in view.nodes.iter().enumerate() {
            inside[frame_of(node)].push(i);
        }
        let edges = lift_to_frames(&mut view);
        let mut edges_inside: Vec<Vec<ViewEdge>> = vec![Vec::new(); n + 1];
        for edge in edges {
            edges_inside[frame_of(&view.nodes[edge.from])].push(edge);
        }

        // From the inside out: children come after their parents, so backwards.
        let mut sizes = vec![
            Size {
                width: 0.0,
                height: 0.0
            };
            n + 1
        ];
        let mut layouts: Vec<Option<Layout>> = (0..=n).map(|_| None).collect();
        let mut number_inside = vec![0; n];
        let frames = (0..n).rev().filter(|i| view.nodes[*i].is_frame);
        let boxes = (0..n).filter(|i| !view.nodes[*i].is_frame);
        for i in boxes {
            let bar = if view.nodes[i].counts.is_some() {
                BAR_HEIGHT
            } else {
                0.0
            };
            sizes[i] = Size {
                width: BOX_WIDTH,
                height: BOX_HEIGHT + bar,
            };
        }
        for frame in frames.chain([outside]) {
            let contents = &inside[frame];
            for (number, node) in contents.iter().enumerate() {
                number_inside[*node] = number;
            }
            let boxes: Vec<Size> = contents.iter().map(|node| sizes[*node]).collect();
            let pairs: Vec<(usize, usize)> = edges_inside[frame]
                .iter()
                .map(|edge| (number_inside[edge.from], number_inside[edge.to]))
                .collect();
            let layout = layered(&boxes, &pairs);
            let min_width = if frame == outside {
                0.0
            } else {
                FRAME_MIN_WIDTH
            };
            sizes[frame] = Size {
                width: (layout.size.width + 2.0 * FRAME_PADDING).max(min_width),
                height: layout.size.height + FRAME_HEADER + FRAME_PADDING,
            };
            layouts[frame] = Some(layout);
        }

        // From the outside in.
        let mut corners = vec![(0.0, 0.0); n + 1];
        corners[outside] = (MARGIN - FRAME_PADDING, TITLE_HEIGHT - FRAME_HEADER);
        let mut routes = Vec::new();
        let mut n_backward = 0;
        for frame in [outside].into_iter().chain(0..n) {
            let Some(layout) = layouts[frame].take() else {
                continue;
            };
            let (left, top) = corners[frame];
            let (left, top) = (left + FRAME_PADDING, top + FRAME_HEADER);
            for (node, (x, y)) in inside[frame].iter().zip(layout.corners) {
                corners[*node] = (left + x, top + y);
            }
            for (edge, route) in edges_inside[frame].iter().zip(layout.routes) {
                match route {
                    Some(route) => {
                        let moved = route.into_iter().map(|(x, y)| (left + x, top + y));
                        routes.push((*edge, moved.collect()));
                    }
                    None => n_backward += edge.n_edges,
                }
            }
        }
        if n_backward > 0 {
            let edges = human::counted(n_backward, "edge");
            view.notes
                .push(format!("{edges} that would go back to the left not drawn"));
        }
        let whole = sizes.pop().expect("the outside has a size");
        corners.pop();
        let size = Size {
            width: (whole.width - 2.0 * FRAME_PADDING + 2.0 * MARGIN).max(MIN_WIDTH),
            height: whole.height - FRAME_HEADER - FRAME_PADDING + TITLE_HEIGHT,
        };
        Picture {
            view,
            sizes,
            corners,
            edges: routes,
            size,
        }
    }

    fn draw(&self, report: &RunReport) -> String {
        let mut states: Vec<State> = State::ALL.to_vec();
        states.retain(|state| self.view.nodes.iter().any(|node| node.shows(*state)));
        let legend = Legend::new(states, self.size.width);
        let notes = self.view.notes.len() as f64;
        let below = notes * NOTE_HEIGHT + NOTE_GAP + legend.height;
        let height = self.size.height + MARGIN + below;
        let mut svg = svg::open(report, "graph", "orch-graph", self.size.width, height);
        svg.push_str(&theme::style_sheet(STYLE, DARK_STYLE));
        svg.push_str(DEFINITIONS);
        svg::ground_and_heading(&mut svg, report, self.size.width);
        for (i, node) in self
            .view
            .nodes
            .iter()
            .enumerate()
            .filter(|(_, node)| node.is_frame)
        {
            self.draw_frame(&mut svg, i, node);
        }
        // The critical path lies above the other edges.
        for critical in [false, true] {
            for (edge, route) in self.edges.iter().filter(|(e, _)| e.is_critical == critical) {
                self.draw_edge(&mut svg, edge, route);
            }
        }
        for (i, node) in self
            .view
            .nodes
            .iter()
            .enumerate()
            .filter(|(_, node)| !node.is_frame)
        {
            self.draw_box(&mut svg, i, node);
        }
        let y = svg::notes(&mut svg, &self.view.notes, self.size.height + MARGIN);
        legend.draw(&mut svg, y + NOTE_GAP);
        svg.push_str("</svg>\n");
        svg
    }

    fn draw_frame(&self, svg: &mut String, i: usize, node: &ViewNode) {
        let ((x, y), size) = (self.corners[i], self.sizes[i]);
        let class = classes(node, "frame");
        let (w, h) = (number(size.width), number(size.height));
        let room = ((size.width - 36.0) / CHAR_WIDTH) as usize;
        let state = status(node);
        let name = human::short(
            &node.name,
            room.saturating_sub(human::width(&state) + 3).max(12),
        );
        let state = human::short(&state, room.saturating_sub(human::width(&name) + 3));
        let _ = writeln!(
            svg,
            r#"<g class="{class}" transform="translate({x} {y})">{title}<rect class="box" width="{w}" height="{h}" rx="8"/>{mark}<text x="28" y="20"><tspan class="name">{name}</tspan><tspan class="dim" dx="12">{state}</tspan></text></g>"#,
            x = number(x),
            y = number(y),
            title = title(node),
            mark = theme::mark(node.state, 12.0, 20.0),
            name = escape::xml(&name),
            state = escape::xml(&state),
        );
    }

    fn draw_box(&self, svg: &mut String, i: usize, node: &ViewNode) {
        let ((x, y), size) = (self.corners[i], self.sizes[i]);
        let class = classes(node, "node");
        let room = ((size.width - 42.0) / CHAR_WIDTH) as usize;
        let _ = write!(
            svg,
            r#"<g class="{class}" transform="translate({x} {y})">{title}<rect class="box" width="{w}" height="{h}" rx="6"/><g clip-path="url(#orch-clip)">{mark}<text class="name" x="30" y="20">{name}</text><text class="dim" x="30" y="36">{status}</text></g>"#,
            x = number(x),
            y = number(y),
            w = number(size.width),
            h = number(size.height),
            title = title(node),
            mark = theme::mark(node.state, 12.0, 20.0),
            name = escape::xml(&human::short(&node.name, room)),
            status = escape::xml(&human::short(&status(node), room)),
        );
        if let Some(counts) = &node.counts {
            let share = escape::xml(&human::short(&share(counts), room));
            let _ = write!(svg, r#"<text class="dim" x="30" y="52">{share}</text>"#);
            draw_bar(svg, counts, size.width - 24.0);
        }
        svg.push_str("</g>\n");
    }

    fn draw_edge(&self, svg: &mut String, edge: &ViewEdge, route: &[(f64, f64)]) {
        let mut path = String::new();
        let ((x, y), rest) = (route[0], &route[1..]);
        let _ = write!(path, "M{} {}", number(x), number(y));
        let mut from = (x, y);
        for (i, (x, y)) in rest.iter().copied().enumerate() {
            // The last point leaves room for the arrow's head.
            let x_end = if i + 1 == rest.len() { x - 7.0 } else { x };
            if i % 2 == 0 || y == from.1 {
                let _ = write!(path, "H{}", number(x_end));
            } else {
                let middle = number((from.0 + x_end) / 2.0);
                let (x_end, from_y, y) = (number(x_end), number(from.1), number(y));
                let _ = write!(path, "C{middle} {from_y} {middle} {y} {x_end} {y}");
            }
            from = (x, y);
        }
        let critical = if edge.is_critical { " critical" } else { "" };
        let head = if edge.is_critical {
            "orch-critical-head"
        } else {
            "orch-head"
        };
        let (nodes, kind) = (&self.view.nodes, edge.kind.word());
        let (from, to) = (
            escape::xml(&nodes[edge.from].name),
            escape::xml(&nodes[edge.to].name),
        );
        let many = match edge.n_edges {
            1 => String::new(),
            n => format!(", {}", human::counted(n, "edge")),
        };
        let _ = writeln!(
            svg,
            r#"<path class="edge e-{kind}{critical}" marker-end="url(#{head})" d="{path}"><title>{from} → {to} ({kind}{many})</title></path>"#,
        );
    }
}

/// Moves the ends of each edge out to the frames, so that both lie in one frame, and merges what
/// has become equal. Edges from a frame to its own inside are what the frame says already.
fn lift_to_frames(view: &mut View) -> Vec<ViewEdge> {
    let nodes = &view.nodes;
    let mut depths = vec![0_u32; nodes.len()];
    for (i, node) in nodes.iter().enumerate() {
        depths[i] = node.parent.map_or(0, |parent| depths[parent] + 1);
    }
    let parent = |node: usize| {
        nodes[node]
            .parent
            .expect("only the outermost has no parent")
    };
    let lift = |mut from: usize, mut to: usize| {
        while depths[from] > depths[to] {
            from = parent(from);
        }
        while depths[to] > depths[from] {
            to = parent(to);
        }
        while from != to && nodes[from].parent != nodes[to].parent {
            (from, to) = (parent(from), parent(to));
        }
        (from, to)
    };
    // The critical path leads over an edge between frames also where the edge's own ends are not
    // on it.
    let mut critical: Vec<_> = view
        .critical
        .iter()
        .map(|(from, to)| lift(*from, *to))
        .collect();
    critical.sort_unstable();
    let mut lifted = Vec::new();
    for edge in &view.edges {
        let (from, to) = lift(edge.from, edge.to);
        if from != to {
            let is_critical = critical.binary_search(&(from, to)).is_ok();
            lifted.push(ViewEdge {
                from,
                to,
                is_critical,
                ..*edge
            });
        }
    }
    lifted.sort_by_key(|edge| (edge.from, edge.to, edge.kind));
    let merge = |edges: &[ViewEdge]| ViewEdge {
        n_edges: edges.iter().map(|edge| edge.n_edges).sum(),
        is_critical: edges.iter().any(|edge| edge.is_critical),
        ..edges[0]
    };
    // Data says more than order, and comes first.
    let same_ends = |a: &ViewEdge, b: &ViewEdge| (a.from, a.to) == (b.from, b.to);
    let mut edges: Vec<ViewEdge> = lifted.chunk_by(same_ends).map(merge).collect();
    if edges.len() > MAX_EDGES {
        edges.sort_by_key(|edge| (!edge.is_critical, edge.from.abs_diff(edge.to)));
        let n_left_out = human::counted((edges.len() - MAX_EDGES) as u64, "edge");
        view.notes
            .push(format!("{n_left_out} between distant nodes left out"));
        edges.truncate(MAX_EDGES);
        edges.sort_by_key(|edge| (edge.from, edge.to));
    }
    edges
}

impl ViewNode {
    fn shows(&self, state: State) -> bool {
        let mut counted = self.counts.iter().flat_map(Counts::present);
        self.state == state || counted.any(|(counted, _)| counted == state)
    }
}

/// The second line of a node: its state and how long it took.
fn status(node: &ViewNode) -> String {
    let mut status = node.state.word().to_owned();
    if !node.time.is_empty() {
        status = format!("{status} · {}", node.time);
    }
    status
}

/// How much of what a node stands for has completed.
fn share(counts: &Counts) -> String {
    let completed: u64 = counts
        .present()
        .filter(|(state, _)| state.is_success())
        .map(|(_, n)| n)
        .sum();
    format!(
        "{} of {}",
        human::count(completed),
        human::count(counts.total())
    )
}

fn classes(node: &ViewNode, what: &str) -> String {
    let critical = if node.is_critical { " critical" } else { "" };
    format!("{what} {}{critical}", theme::class(node.state))
}

fn title(node: &ViewNode) -> String {
    let critical = node.is_critical.then(|| "on the critical path".to_owned());
    let lines = [&node.name]
        .into_iter()
        .chain(&node.details)
        .chain(&critical);
    let lines: Vec<String> = lines.map(|line| escape::xml(line)).collect();
    format!("<title>{}</title>", lines.join("\n"))
}

/// A bar with a part for each state, as long as its share.
fn draw_bar(svg: &mut String, counts: &Counts, width: f64) {
    let mut x = 12.0;
    let total = counts.total().max(1) as f64;
    for (state, n) in counts.present() {
        let part = width * n as f64 / total;
        let (at, long) = (number(x), number((part - 1.0).max(0.5)));
        let (class, words) = (theme::class(state), format!("{} {state}", human::count(n)));
        let _ = write!(
            svg,
            r#"<g class="{class}"><rect class="solid" x="{at}" y="59" width="{long}" height="6"><title>{words}</title></rect></g>"#,
        );
        x += part;
    }
}

const STYLE: &str = "\
.orch-graph .heading{font-size:14px;font-weight:600}
.orch-graph .mark,.orch-graph .name{font-weight:600}
.orch-graph .node .box{stroke-width:1.2}
.orch-graph .frame .box{fill-opacity:.25;stroke-width:1}
.orch-graph .critical>.box{stroke-width:2.8}
.orch-graph .edge{fill:none;stroke:#8c959f;stroke-width:1.2}
.orch-graph .e-order,.orch-graph .e-nested{stroke-dasharray:2 4}
.orch-graph .e-catch{stroke:#bc4c00;stroke-dasharray:7 4}
.orch-graph .edge.critical,.orch-graph .sample{fill:none;stroke:#1f2328;stroke-width:2.8}
.orch-graph .head{fill:#8c959f}.orch-graph .critical-head{fill:#1f2328}
";

const DARK_STYLE: &str = "\
.orch-graph .edge{stroke:#6e7681}.orch-graph .e-catch{stroke:#ffa657}
.orch-graph .edge.critical,.orch-graph .sample{stroke:#e6edf3}
.orch-graph .head{fill:#6e7681}.orch-graph .critical-head{fill:#e6edf3}
";

const DEFINITIONS: &str = r#"<defs>
<marker id="orch-head" viewBox="0 0 8 8" refX="1" refY="4" markerWidth="8" markerHeight="8" markerUnits="userSpaceOnUse" orient="auto"><path class="head" d="M0 0L8 4L0 8z"/></marker>
<marker id="orch-critical-head" viewBox="0 0 8 8" refX="1" refY="4" markerWidth="10" markerHeight="10" markerUnits="userSpaceOnUse" orient="auto"><path class="critical-head" d="M0 0L8 4L0 8z"/></marker>
<clipPath id="orch-clip"><rect width="220" height="72"/></clipPath>
</defs>
"#;

#[cfg(test)]
mod tests;

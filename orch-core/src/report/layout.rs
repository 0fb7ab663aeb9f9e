//! Places boxes in layers from left to right, so that edges go from left to right.
//!
//! The steps are those of Sugiyama, Tagawa and Toda (1981): layers by the longest way, bends where
//! an edge passes a layer, orders of few crossings by barycentres, then coordinates. Equal input
//! gives equal output on every platform: nothing here depends on hashing or on inexact functions.

use super::graph::{Lists, Order};

/// Space between layers; edges run here.
const LAYER_GAP: f64 = 56.0;
/// Space between boxes of a layer.
const BOX_GAP: f64 = 14.0;
/// Space between the bends of edges, and between a bend and a box.
const BEND_GAP: f64 = 7.0;
/// Sweeps over all layers that look for an order with fewer crossings.
const ORDER_SWEEPS: usize = 8;
/// Sweeps that move boxes towards their neighbours.
const PLACE_SWEEPS: usize = 10;
/// Bends beyond this number are left out: their edges go straight. Keeps the work bounded for
/// dense graphs, which nobody can read anyway.
const MAX_BENDS: usize = 20_000;
/// Space between unconnected boxes beside each other.
const COLUMN_GAP: f64 = 20.0;
/// Space between the connected boxes and the rows below them.
const ROWS_GAP: f64 = 24.0;

/// Width and height of a box.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Size {
    pub(super) width: f64,
    pub(super) height: f64,
}

/// Where everything is.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Layout {
    /// The upper left corner of each box.
    pub(super) corners: Vec<(f64, f64)>,
    /// The points of each edge: from the right side of a box to the left side of another. Each
    /// second stretch, beginning with the first, is level and passes a layer; the others cross the
    /// gap between two layers. `None` for an edge that goes backward.
    pub(super) routes: Vec<Option<Vec<(f64, f64)>>>,
    /// The size of the whole.
    pub(super) size: Size,
}

/// Places `boxes`, connected by `edges` (from, to). Those without an edge come below, in rows.
pub(super) fn layered(boxes: &[Size], edges: &[(usize, usize)]) -> Layout {
    let mut is_connected = vec![false; boxes.len()];
    for (from, to) in edges.iter().filter(|(from, to)| from != to) {
        (is_connected[*from], is_connected[*to]) = (true, true);
    }
    let (connected, others): (Vec<usize>, Vec<usize>) =
        (0..boxes.len()).partition(|item| is_connected[*item]);
    let mut number = vec![usize::MAX; boxes.len()];
    for (i, item) in connected.iter().enumerate() {
        number[*item] = i;
    }
    // An edge from a box to itself is none; it keeps its place in the list of routes.
    let of_connected = |(from, to): &(usize, usize)| {
        if from == to {
            (0, 0)
        } else {
            (number[*from], number[*to])
        }
    };
    let inner_edges: Vec<(usize, usize)> = edges.iter().map(of_connected).collect();
    let inner_boxes: Vec<Size> = connected.iter().map(|item| boxes[*item]).collect();

    let mut sketch = Sketch::new(&inner_boxes, &inner_edges);
    sketch.reduce_crossings();
    sketch.place();
    let inner = sketch.finish(&inner_edges);
    let mut layout = Layout {
        corners: vec![(0.0, 0.0); boxes.len()],
        routes: inner.routes,
        size: inner.size,
    };
    for (item, corner) in connected.iter().zip(inner.corners) {
        layout.corners[*item] = corner;
    }
    layout.add_rows(boxes, &others);
    layout
}

impl Layout {
    /// Places boxes in rows below all others.
    fn add_rows(&mut self, boxes: &[Size], others: &[usize]) {
        let area: f64 = others
            .iter()
            .map(|item| (boxes[*item].width + COLUMN_GAP) * (boxes[*item].height + BOX_GAP))
            .sum();
        // As wide as what is above, or one and a half times as wide as high.
        let width = self.size.width.max((area * 2.25).sqrt());
        let (mut x, mut row_height) = (0.0, 0.0_f64);
        let mut top = if self.size.height > 0.0 {
            self.size.height + ROWS_GAP
        } else {
            0.0
        };
        for item in others {
            let size = boxes[*item];
            if x > 0.0 && x + size.width > width {
                top += row_height + BOX_GAP;
                (x, row_height) = (0.0, 0.0);
            }
            self.corners[*item] = (x, top);
            x += size.width + COLUMN_GAP;
            row_height = row_height.max(size.height);
            self.size.width = self.size.width.max(x - COLUMN_GAP);
            self.size.height = top + row_height;
        }
    }
}

/// A box, or the bend of an edge that passes a layer.
struct Item {
    layer: usize,
    size: Size,
    is_bend: bool,
    /// The vertical middle.
    y: f64,
    /// The place in its layer.
    place: usize,
}

struct Sketch {
    n_boxes: usize,
    /// The boxes, then the bends.
    items: Vec<Item>,
    /// The items of each layer, from top to bottom.
    layers: Vec<Vec<u32>>,
    left: Lists,
    right: Lists,
    /// The bends of each edge, or `None` if it is not drawn.
    bends: Vec<Option<Vec<u32>>>,
}

impl Sketch {
    fn new(boxes: &[Size], edges: &[(usize, usize)]) -> Sketch {
        let n = boxes.len();
        let pairs = || edges.iter().map(|(from, to)| (*from as u32, *to as u32));
        let downstream = Lists::new(n, pairs().filter(|(from, to)| from != to));
        let order = Order::new(&downstream, n);
        let layer_of = layers(&downstream, &order, boxes.len());

        let mut items: Vec<Item> = boxes
            .iter()
            .zip(&layer_of)
            .map(|(size, layer)| Item {
                layer: *layer,
                size: *size,
                is_bend: false,
                y: 0.0,
                place: 0,
            })
            .collect();
        let mut layers = vec![Vec::new(); layer_of.iter().max().map_or(0, |last| last + 1)];
        for (item, layer) in layer_of.iter().enumerate() {
            layers[*layer].push(item as u32);
        }

        // All edges of one box share their bends, so they leave it as one line that splits up.
        let mut last_bends: Vec<Vec<u32>> = vec![Vec::new(); n];
        let mut links = Vec::new();
        let mut bends = Vec::with_capacity(edges.len());
        for (from, to) in edges {
            if from == to || !order.is_forward(*from as u32, *to as u32) {
                bends.push(None);
                continue;
            }
            let n_passed = layer_of[*to] - layer_of[*from] - 1;
            let own = &mut last_bends[*from];
            if items.len() - n + n_passed.saturating_sub(own.len()) > MAX_BENDS {
                bends.push(Some(Vec::new()));
                continue;
            }
            while own.len() < n_passed {
                let layer = layer_of[*from] + own.len() + 1;
                let bend = items.len() as u32;
                let size = Size {
                    width: 0.0,
                    height: 2.0,
                };
                items.push(Item {
                    layer,
                    size,
                    is_bend: true,
                    y: 0.0,
                    place: 0,
                });
                layers[layer].push(bend);
                links.push((own.last().copied().unwrap_or(*from as u32), bend));
                own.push(bend);
            }
            let passed = own[..n_passed].to_vec();
            links.push((passed.last().copied().unwrap_or(*from as u32), *to as u32));
            bends.push(Some(passed));
        }
        let left = Lists::new(items.len(), links.iter().map(|(from, to)| (*to, *from)));
        let right = Lists::new(items.len(), links.iter().copied());
        let mut sketch = Sketch {
            n_boxes: n,
            items,
            layers,
            left,
            right,
            bends,
        };
        sketch.number_places();
        sketch
    }

    fn number_places(&mut self) {
        for layer in &self.layers {
            for (place, item) in layer.iter().enumerate() {
                self.items[*item as usize].place = place;
            }
        }
    }

    /// Sorts each layer by the mean place of its neighbours, to and fro, and keeps the best.
    fn reduce_crossings(&mut self) {
        let mut best = self.layers.clone();
        let mut fewest = self.n_crossings();
        for sweep in 0..ORDER_SWEEPS {
            if fewest == 0 {
                break;
            }
            let rightward = sweep % 2 == 0;
            for step in 0..self.layers.len() {
                let layer = if rightward {
                    step
                } else {
                    self.layers.len() - 1 - step
                };
                let mut items = std::mem::take(&mut self.layers[layer]);
                let neighbours = if rightward { &self.left } else { &self.right };
                let mean = |item: &u32| {
                    let places = neighbours.of(*item as usize).iter();
                    let sum: usize = places.map(|n| self.items[*n as usize].place).sum();
                    match neighbours.of(*item as usize).len() {
                        0 => self.items[*item as usize].place as f64,
                        n => sum as f64 / n as f64,
                    }
                };
                items.sort_by(|a, b| mean(a).total_cmp(&mean(b)));
                for (place, item) in items.iter().enumerate() {
                    self.items[*item as usize].place = place;
                }
                self.layers[layer] = items;
            }
            let crossings = self.n_crossings();
            if crossings < fewest {
                fewest = crossings;
                best.clone_from(&self.layers);
            }
        }
        self.layers = best;
        self.number_places();
    }

    /// Counts crossings, by the number of inversions between neighbouring layers.
    fn n_crossings(&self) -> u64 {
        let mut crossings = 0;
        for (left, right) in self.layers.iter().zip(self.layers.iter().skip(1)) {
            // How many edges so far end at a place: a Fenwick tree.
            let mut tree = vec![0_u64; right.len() + 1];
            let mut n_edges = 0;
            for item in left {
                let ends = self.right.of(*item as usize).iter();
                let mut places: Vec<usize> =
                    ends.map(|end| self.items[*end as usize].place).collect();
                places.sort_unstable();
                for place in &places {
                    let mut at_or_above = 0;
                    let mut node = place + 1;
                    while node > 0 {
                        at_or_above += tree[node];
                        node &= node - 1;
                    }
                    crossings += n_edges - at_or_above;
                }
                for place in &places {
                    n_edges += 1;
                    let mut node = place + 1;
                    while node < tree.len() {
                        tree[node] += 1;
                        node += node & node.wrapping_neg();
                    }
                }
            }
        }
        crossings
    }

    /// Moves each item towards the mean of its neighbours, as far as its layer's order allows.
    fn place(&mut self) {
        let layers = std::mem::take(&mut self.layers);
        for layer in &layers {
            let mut bottom = 0.0;
            for (i, item) in layer.iter().enumerate() {
                if i > 0 {
                    bottom += self.gap(layer[i - 1], *item);
                }
                self.items[*item as usize].y = bottom;
            }
        }
        for sweep in 0..PLACE_SWEEPS {
            let rightward = sweep % 2 == 0;
            let is_last = sweep + 2 >= PLACE_SWEEPS;
            for step in 0..layers.len() {
                let layer = &layers[if rightward {
                    step
                } else {
                    layers.len() - 1 - step
                }];
                let wishes: Vec<f64> = layer
                    .iter()
                    .map(|item| {
                        let left = self.left.of(*item as usize);
                        let right = self.right.of(*item as usize);
                        let near = match (rightward, is_last) {
                            (_, true) => [left, right],
                            (true, _) => [left, &[]],
                            (false, _) => [right, &[]],
                        };
                        let near = near.into_iter().flatten();
                        let (sum, n) = near.fold((0.0, 0), |(sum, n), item| {
                            (sum + self.items[*item as usize].y, n + 1)
                        });
                        if n == 0 {
                            self.items[*item as usize].y
                        } else {
                            sum / f64::from(n)
                        }
                    })
                    .collect();
                let ys = self.nearest_allowed(layer, &wishes);
                for (item, y) in layer.iter().zip(ys) {
                    self.items[*item as usize].y = y;
                }
            }
        }
        self.layers = layers;
    }

    /// The smallest distance between the middles of two items, one below the other.
    fn gap(&self, above: u32, below: u32) -> f64 {
        let (above, below) = (&self.items[above as usize], &self.items[below as usize]);
        let gap = if above.is_bend || below.is_bend {
            BEND_GAP
        } else {
            BOX_GAP
        };
        (above.size.height + below.size.height) / 2.0 + gap
    }

    /// The places closest to `wishes` (least squares) that keep order and distances.
    ///
    /// Without the distances this is isotonic regression: neighbours in the wrong order are pooled
    /// and take the mean of their wishes.
    fn nearest_allowed(&self, layer: &[u32], wishes: &[f64]) -> Vec<f64> {
        let mut offsets = Vec::with_capacity(layer.len());
        let mut pools: Vec<(f64, usize)> = Vec::new();
        let mut offset = 0.0;
        for (i, wish) in wishes.iter().enumerate() {
            if i > 0 {
                offset += self.gap(layer[i - 1], layer[i]);
            }
            offsets.push(offset);
            let mut pool = (wish - offset, 1);
            while let Some((sum, n)) = pools.last().copied() {
                if sum / n as f64 <= pool.0 / pool.1 as f64 {
                    break;
                }
                pool = (sum + pool.0, n + pool.1);
                pools.pop();
            }
            pools.push(pool);
        }
        let places = pools
            .into_iter()
            .flat_map(|(sum, n)| std::iter::repeat_n(sum / n as f64, n));
        places
            .zip(offsets)
            .map(|(place, offset)| place + offset)
            .collect()
    }

    fn finish(self, edges: &[(usize, usize)]) -> Layout {
        let top = |item: &Item| item.y - item.size.height / 2.0;
        let highest = self.items.iter().map(top).fold(f64::INFINITY, f64::min);
        let mut lefts = Vec::with_capacity(self.layers.len());
        let mut rights = Vec::with_capacity(self.layers.len());
        let mut x = 0.0;
        for layer in &self.layers {
            let widths = layer
                .iter()
                .map(|item| self.items[*item as usize].size.width);
            let width = widths.fold(0.0, f64::max);
            lefts.push(x);
            rights.push(x + width);
            x += width + LAYER_GAP;
        }
        let y = |item: u32| self.items[item as usize].y - highest;
        let layer = |item: u32| self.items[item as usize].layer;
        let routes = edges.iter().zip(&self.bends).map(|((from, to), bends)| {
            let (from, to) = (*from as u32, *to as u32);
            let start = lefts[layer(from)] + self.items[from as usize].size.width;
            let mut points = vec![(start, y(from)), (rights[layer(from)], y(from))];
            for bend in bends.as_ref()? {
                points.push((lefts[layer(*bend)], y(*bend)));
                points.push((rights[layer(*bend)], y(*bend)));
            }
            points.push((lefts[layer(to)], y(to)));
            Some(points)
        });
        let routes = routes.collect();
        let boxes = &self.items[..self.n_boxes];
        let corners = boxes
            .iter()
            .map(|item| (lefts[item.layer], top(item) - highest))
            .collect();
        let bottom = |item: &Item| item.y + item.size.height / 2.0 - highest;
        Layout {
            corners,
            routes,
            size: Size {
                width: rights.last().copied().unwrap_or(0.0),
                height: self.items.iter().map(bottom).fold(0.0, f64::max),
            },
        }
    }
}

/// The layer of each box: one more than the last of its upstream boxes.
fn layers(downstream: &Lists, order: &Order, n_boxes: usize) -> Vec<usize> {
    let mut layers = vec![0; n_boxes];
    let mut has_upstream = vec![false; n_boxes];
    let forward = |from: u32| {
        let to = downstream.of(from as usize).iter().copied();
        to.filter(move |to| order.is_forward(from, *to))
    };
    for from in &order.nodes {
        for to in forward(*from) {
            layers[to as usize] = layers[to as usize].max(layers[*from as usize] + 1);
            has_upstream[to as usize] = true;
        }
    }
    for from in &order.nodes {
        if has_upstream[*from as usize] {
            continue;
        }
        // A box without upstream stands directly before the first that uses it.
        if let Some(first_use) = forward(*from).map(|to| layers[to as usize]).min() {
            layers[*from as usize] = first_use - 1;
        }
    }
    layers
}

#[cfg(test)]
mod tests;

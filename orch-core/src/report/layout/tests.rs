use proptest::prelude::*;

use super::*;

const BOX: Size = Size {
    width: 100.0,
    height: 40.0,
};

fn check_layout(boxes: &[Size], edges: &[(usize, usize)], layout: &Layout) {
    for (i, (x, y)) in layout.corners.iter().enumerate() {
        assert!(*x >= 0.0 && x + boxes[i].width <= layout.size.width + 1e-6);
        assert!(*y >= -1e-6 && y + boxes[i].height <= layout.size.height + 1e-6);
        for (j, (other_x, other_y)) in layout.corners.iter().enumerate().skip(i + 1) {
            let beside = x + boxes[i].width < *other_x || other_x + boxes[j].width < *x;
            let below = y + boxes[i].height < *other_y || other_y + boxes[j].height < *y;
            assert!(beside || below, "boxes {i} and {j} overlap");
        }
    }
    assert_eq!(layout.routes.len(), edges.len());
    for ((from, to), route) in edges.iter().zip(&layout.routes) {
        let Some(route) = route else { continue };
        let (start, end) = (route[0], route[route.len() - 1]);
        assert_eq!(start.0, layout.corners[*from].0 + boxes[*from].width);
        assert_eq!(end.0, layout.corners[*to].0);
        assert!(
            route.is_sorted_by(|a, b| a.0 <= b.0),
            "an edge goes back: {route:?}"
        );
        assert!(start.0 < end.0);
    }
}

#[test]
fn a_chain_is_a_straight_line() {
    let edges = [(0, 1), (1, 2), (2, 3)];
    let layout = layered(&[BOX; 4], &edges);
    check_layout(&[BOX; 4], &edges, &layout);
    let xs: Vec<f64> = layout.corners.iter().map(|(x, _)| *x).collect();
    assert_eq!(xs, [0.0, 156.0, 312.0, 468.0]);
    assert!(layout.corners.iter().all(|(_, y)| *y == 0.0));
}

#[test]
fn a_source_stands_next_to_its_first_use() {
    // 0 -> 1 -> 2, and 3 -> 2.
    let layout = layered(&[BOX; 4], &[(0, 1), (1, 2), (3, 2)]);
    assert_eq!(layout.corners[3].0, layout.corners[1].0);
}

#[test]
fn an_edge_over_a_layer_goes_around_its_boxes() {
    let edges = [(0, 1), (1, 2), (0, 2)];
    let layout = layered(&[BOX; 3], &edges);
    let route = layout.routes[2].as_ref().unwrap();
    let (x, y) = layout.corners[1];
    for (point_x, point_y) in route {
        let is_beside = *point_x < x || *point_x > x + BOX.width;
        assert!(
            is_beside || *point_y < y || *point_y > y + BOX.height || *point_x == x + BOX.width
        );
    }
    assert!(route[2].1 < y || route[2].1 > y + BOX.height);
}

#[test]
fn crossings_that_can_be_avoided_are() {
    // Two chains whose ends are listed crosswise.
    let edges = [(0, 3), (1, 2), (2, 4), (3, 5)];
    let mut sketch = Sketch::new(&[BOX; 6], &edges);
    assert!(sketch.n_crossings() > 0);
    sketch.reduce_crossings();
    assert_eq!(sketch.n_crossings(), 0);
}

#[test]
fn boxes_without_edges_come_in_rows_below() {
    let layout = layered(&[BOX; 9], &[(0, 1), (1, 2)]);
    let row = layout.corners[3].1;
    assert_eq!(row, BOX.height + ROWS_GAP);
    assert_eq!(layout.corners[4], (BOX.width + COLUMN_GAP, row));
    check_layout(&[BOX; 9], &[(0, 1), (1, 2)], &layout);
}

#[test]
fn a_cycle_loses_an_edge_and_nothing_else() {
    let edges = [(0, 1), (1, 2), (2, 1), (1, 1)];
    let layout = layered(&[BOX; 3], &edges);
    check_layout(&[BOX; 3], &edges, &layout);
    let n_drawn = layout.routes.iter().flatten().count();
    assert_eq!(n_drawn, 2);
}

#[test]
fn nothing_takes_no_place() {
    let layout = layered(&[], &[]);
    assert_eq!(
        layout.size,
        Size {
            width: 0.0,
            height: 0.0
        }
    );
}

proptest! {
    #[test]
    fn boxes_never_overlap_and_edges_go_right(
        sizes in prop::collection::vec((50_u16..300, 20_u16..200), 1..40),
        edges in prop::collection::vec(any::<(prop::sample::Index, prop::sample::Index)>(), 0..80),
    ) {
        let boxes: Vec<Size> = sizes
            .into_iter()
            .map(|(width, height)| Size { width: width.into(), height: height.into() })
            .collect();
        let edges: Vec<(usize, usize)> = edges
            .into_iter()
            .map(|(a, b)| (a.index(boxes.len()), b.index(boxes.len())))
            .filter(|(a, b)| a < b)
            .collect();
        let layout = layered(&boxes, &edges);
        check_layout(&boxes, &edges, &layout);
        prop_assert!(layout.routes.iter().all(Option::is_some));
        prop_assert_eq!(&layout, &layered(&boxes, &edges));
    }
}

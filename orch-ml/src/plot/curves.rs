//! Lines and points over two axes.

use serde::{Deserialize, Serialize};

use super::axis::{Axis, Scale};
use super::shapes::{Shape, shape};
use super::svg::{
    Anchor, CHAR_WIDTH, LEFT, LINE, MARGIN, N_COLOURS, PLOT_WIDTH, Svg, WIDTH, number, short, value,
};

/// The height of what is plotted, unless both axes are to have one scale.
const PLOT_HEIGHT: f64 = 220.0;
/// More dots than this are drawn as one path, without a text for each.
const MAX_SINGLE_DOTS: usize = 200;
/// How large a dot is.
const RADIUS: f64 = 3.6;
/// How large dots are that stand for few and for many rows.
const RADII: (f64, f64) = (2.6, 7.0);

/// Lines and points over two axes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Curves {
    /// The axis from left to right.
    pub x: Axis,
    /// The axis from bottom to top.
    pub y: Axis,
    /// Whether the plot is a square, for axes that measure the same.
    pub is_square: bool,
    /// What is drawn, the later above the earlier.
    pub series: Vec<Series>,
}

/// Points that belong together.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Series {
    /// What the legend calls it.
    pub name: String,
    /// How it is drawn.
    pub mark: Mark,
    /// The points, in the order in which a line goes through them.
    pub points: Vec<Point>,
}

/// How a [`Series`] is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Mark {
    /// Straight lines from point to point, intervals as a band around them.
    Line,
    /// A line that keeps its height up to the next point.
    Steps,
    /// A line, and a dot at each point.
    LineAndDots,
    /// A dot at each point, intervals as whiskers.
    Dots,
    /// A thin dotted line to compare with, such as what chance gives.
    Reference,
}

/// A point of a [`Series`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// From left to right.
    pub x: f64,
    /// From bottom to top.
    pub y: f64,
    /// An interval around `y`.
    pub interval: Option<(f64, f64)>,
    /// How many rows it stands for: dots of more rows are larger.
    pub n_rows: Option<usize>,
}

impl Point {
    /// A point without an interval.
    pub fn new(x: f64, y: f64) -> Self {
        Self {
            x,
            y,
            ..Self::default()
        }
    }
}

impl Series {
    /// Points without intervals.
    pub fn new(
        name: impl Into<String>,
        mark: Mark,
        points: impl IntoIterator<Item = (f64, f64)>,
    ) -> Self {
        let points = points.into_iter().map(|(x, y)| Point::new(x, y));
        Self {
            name: name.into(),
            mark,
            points: points.collect(),
        }
    }

    fn has_dots(&self) -> bool {
        matches!(self.mark, Mark::Dots | Mark::LineAndDots)
    }
}

/// Where the plotted things are.
struct Frame<'a> {
    curves: &'a Curves,
    top: f64,
    height: f64,
}

/// A point with its place.
struct Placed<'a> {
    point: &'a Point,
    x: f64,
    y: f64,
}

impl Curves {
    pub(super) fn draw(&self, svg: &mut Svg) {
        svg.y += LINE - 4.0;
        let label = short(
            &self.y.label,
            ((WIDTH - 2.0 * MARGIN) / CHAR_WIDTH) as usize,
        );
        svg.text("dim", (MARGIN, svg.y), Anchor::Start, &label);
        let frame = Frame {
            curves: self,
            top: svg.y + 10.0,
            height: if self.is_square {
                PLOT_WIDTH
            } else {
                PLOT_HEIGHT
            },
        };
        svg.y = frame.top + frame.height;
        frame.draw_axes(svg);
        let most_rows = self.series.iter().flat_map(|series| &series.points);
        let most_rows = most_rows.filter_map(|point| point.n_rows).max();
        let mut number = 0;
        for series in &self.series {
            svg.open_group(&classes(series, number));
            frame.draw_series(svg, series, shape(number), most_rows.unwrap_or(1));
            svg.close_group();
            number += usize::from(series.mark != Mark::Reference);
        }
        self.draw_legend(svg);
    }

    fn draw_legend(&self, svg: &mut Svg) {
        let mut number = 0;
        svg.y += 4.0;
        for series in &self.series {
            svg.y += LINE;
            let (left, middle) = (MARGIN, svg.y - 4.0);
            svg.open_group(&classes(series, number));
            let line = format!("M{left} {middle}h30");
            match series.mark {
                Mark::Reference => svg.path("reference", &line),
                Mark::Dots => {}
                _ => svg.path("line", &line),
            }
            if series.has_dots() {
                svg.path("dot", &shape(number)(left + 15.0, middle, RADIUS));
            }
            let room = ((WIDTH - left - 46.0) / CHAR_WIDTH) as usize;
            let name = short(&series.name, room);
            svg.text("name", (left + 38.0, svg.y), Anchor::Start, &name);
            svg.close_group();
            number += usize::from(series.mark != Mark::Reference);
        }
    }
}

impl Frame<'_> {
    fn x(&self, value: f64) -> Option<f64> {
        Some(LEFT + PLOT_WIDTH * self.curves.x.place(value)?)
    }

    fn y(&self, value: f64) -> Option<f64> {
        Some(self.top + self.height * (1.0 - self.curves.y.place(value)?))
    }

    fn draw_axes(&self, svg: &mut Svg) {
        let (right, bottom) = (LEFT + PLOT_WIDTH, self.top + self.height);
        for tick in self.curves.y.ticks() {
            let Some(y) = self.y(tick.value) else {
                continue;
            };
            svg.path("grid", &format!("M{LEFT} {}H{right}", number(y)));
            let text = short(&tick.text, 7);
            svg.text("dim tick", (LEFT - 6.0, y + 4.0), Anchor::End, &text);
        }
        let ticks = self.curves.x.ticks();
        let n_ticks = ticks.len().max(1) as f64;
        // Long names stand on two lines in turn, with twice the room.
        let n_lines = if self.curves.x.texts_fit(PLOT_WIDTH) {
            1
        } else {
            2
        };
        let room = PLOT_WIDTH / n_ticks * n_lines as f64;
        for (i, tick) in ticks.into_iter().enumerate() {
            let Some(x) = self.x(tick.value) else {
                continue;
            };
            let y = bottom + LINE * (1 + i % n_lines) as f64;
            svg.path(
                "grid",
                &format!("M{} {}V{}", number(x), number(self.top), number(bottom)),
            );
            let text = short(&tick.text, ((room - 4.0) / CHAR_WIDTH) as usize);
            let half = text.chars().count() as f64 * CHAR_WIDTH / 2.0;
            let place = match x + half > WIDTH - 2.0 {
                true => (WIDTH - 2.0, Anchor::End),
                false => (x, Anchor::Middle),
            };
            svg.text("dim tick", (place.0, y), place.1, &text);
        }
        svg.path(
            "frame",
            &format!("M{LEFT} {}V{}H{right}", number(self.top), number(bottom)),
        );
        svg.y = bottom + LINE * (n_lines + 1) as f64;
        let label = short(&self.curves.x.label, (PLOT_WIDTH / CHAR_WIDTH) as usize);
        svg.text(
            "dim",
            (LEFT + PLOT_WIDTH / 2.0, svg.y),
            Anchor::Middle,
            &label,
        );
    }

    fn draw_series(&self, svg: &mut Svg, series: &Series, shape: Shape, most_rows: usize) {
        let places = series.points.iter().filter_map(|point| {
            let (x, y) = (self.x(point.x)?, self.y(point.y)?);
            Some(Placed { point, x, y })
        });
        let places: Vec<Placed<'_>> = places.collect();
        if places.is_empty() {
            return;
        }
        match series.mark {
            Mark::Reference => svg.path("reference", &line(&places)),
            Mark::Steps => svg.path("line", &steps(&places)),
            Mark::Line | Mark::LineAndDots => {
                if let Some(band) = self.band(&places) {
                    svg.path("band", &band);
                }
                svg.path("line", &line(&places));
            }
            Mark::Dots => {
                let whiskers = places.iter().filter_map(|place| self.whisker(place));
                let whiskers: String = whiskers.collect();
                if !whiskers.is_empty() {
                    svg.path("whisker", &whiskers);
                }
            }
        }
        if !series.has_dots() {
            return;
        }
        if places.len() > MAX_SINGLE_DOTS {
            let dots = places.iter();
            let dots = dots.map(|place| format!("M{} {}h0", number(place.x), number(place.y)));
            svg.path("dots", &dots.collect::<String>());
            return;
        }
        for place in &places {
            let radius = place.point.n_rows.map_or(RADIUS, |n_rows| {
                let share = (n_rows as f64 / most_rows.max(1) as f64).sqrt();
                RADII.0 + (RADII.1 - RADII.0) * share
            });
            let about = self.about(series, place.point);
            svg.path_about("dot", &shape(place.x, place.y, radius), &about);
        }
    }

    /// The area of the intervals: along their upper ends, and back along the lower ones.
    fn band(&self, places: &[Placed<'_>]) -> Option<String> {
        let ends: Option<Vec<(f64, f64, f64)>> = places
            .iter()
            .map(|place| {
                let (low, high) = place.point.interval?;
                Some((place.x, self.y(low)?, self.y(high)?))
            })
            .collect();
        let ends = ends?;
        let upper = ends.iter().map(|(x, _, high)| (*x, *high));
        let lower = ends.iter().rev().map(|(x, low, _)| (*x, *low));
        let around: Vec<String> = upper
            .chain(lower)
            .map(|(x, y)| format!("{} {}", number(x), number(y)))
            .collect();
        Some(format!("M{}Z", around.join("L")))
    }

    fn whisker(&self, place: &Placed<'_>) -> Option<String> {
        let (low, high) = place.point.interval?;
        let (low, high) = (self.y(low)?, self.y(high)?);
        let x = number(place.x);
        Some(format!("M{x} {}V{}", number(low), number(high)))
    }

    /// What is said of a dot that is pointed at.
    fn about(&self, series: &Series, point: &Point) -> String {
        let Curves { x, y, .. } = self.curves;
        let mut about = format!("{}: ", series.name);
        let along = x.ticks().into_iter().find(|tick| tick.value == point.x);
        let named = along.filter(|_| matches!(x.scale, Scale::Names(_)));
        let place = named.map_or_else(|| value(point.x), |tick| tick.text);
        about.push_str(&format!(
            "{} {place}, {} {}",
            x.label,
            y.label,
            value(point.y)
        ));
        if let Some((low, high)) = point.interval {
            about.push_str(&format!(" ({} to {})", value(low), value(high)));
        }
        if let Some(n_rows) = point.n_rows {
            about.push_str(&format!(", {n_rows} rows"));
        }
        about
    }
}

fn line(places: &[Placed<'_>]) -> String {
    let points = places.iter();
    let points = points.map(|place| format!("{} {}", number(place.x), number(place.y)));
    format!("M{}", points.collect::<Vec<_>>().join("L"))
}

fn steps(places: &[Placed<'_>]) -> String {
    let mut path = format!("M{} {}", number(places[0].x), number(places[0].y));
    for pair in places.windows(2) {
        if pair[1].x != pair[0].x {
            path.push_str(&format!("H{}", number(pair[1].x)));
        }
        if pair[1].y != pair[0].y {
            path.push_str(&format!("V{}", number(pair[1].y)));
        }
    }
    path
}

/// The classes of a series: its colour and its dashes, so that no two have both in common before
/// there are twelve.
fn classes(series: &Series, number: usize) -> String {
    match series.mark {
        Mark::Reference => "series".to_owned(),
        _ => format!("series c{} d{}", number % N_COLOURS, number % 4),
    }
}

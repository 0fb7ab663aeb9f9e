//! A bar for each name.

use serde::{Deserialize, Serialize};

use super::axis::Axis;
use super::svg::{Anchor, CHAR_WIDTH, LINE, MARGIN, Svg, WIDTH, columns, number, short, value};

/// The width of the longest bar.
const BAR_WIDTH: f64 = WIDTH - 2.0 * MARGIN - 20.0;
const LEFT: f64 = MARGIN + 6.0;
const BAR_HEIGHT: f64 = 9.0;
/// From the top of a row to its bar, below the name.
const BAR_TOP: f64 = 20.0;
/// From one bar to the next: a line with its name, and the bar.
const ROW: f64 = 34.0;

/// A bar for each name, from 0 on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Bars {
    /// The axis along the bars.
    pub x: Axis,
    /// The bars, from top to bottom.
    pub bars: Vec<Bar>,
}

/// A bar of [`Bars`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Bar {
    /// What it is of.
    pub name: String,
    /// Where it ends.
    pub value: f64,
    /// An interval around the value.
    pub interval: Option<(f64, f64)>,
}

impl Bars {
    pub(super) fn draw(&self, svg: &mut Svg) {
        let top = svg.y;
        let bottom = top + ROW * self.bars.len() as f64 + 6.0;
        let x = |value: f64| Some(LEFT + BAR_WIDTH * self.x.place(value)?);
        // Lines beside the bars only: the names between them stay readable.
        let beside_bars = |x: f64| {
            let rows = 0..self.bars.len();
            let line = |row| {
                let y = top + ROW * row as f64 + BAR_TOP - 4.0;
                format!("M{} {}v{}", number(x), number(y), number(BAR_HEIGHT + 8.0))
            };
            rows.map(line).collect::<String>()
        };
        for tick in self.x.ticks() {
            let Some(x) = x(tick.value) else { continue };
            svg.path("grid", &beside_bars(x));
            let half = columns(&tick.text) as f64 * CHAR_WIDTH / 2.0;
            let place = if x - half < 2.0 {
                (2.0, Anchor::Start)
            } else if x + half > WIDTH - 2.0 {
                (WIDTH - 2.0, Anchor::End)
            } else {
                (x, Anchor::Middle)
            };
            svg.text("dim tick", (place.0, bottom + LINE), place.1, &tick.text);
        }
        let zero = x(0.0).unwrap_or(LEFT);
        for (i, bar) in self.bars.iter().enumerate() {
            let base = top + ROW * i as f64 + 15.0;
            let number_text = self.text_of(bar.value);
            let room =
                ((BAR_WIDTH / CHAR_WIDTH) as usize).saturating_sub(columns(&number_text) + 2);
            svg.text("name", (LEFT, base), Anchor::Start, &short(&bar.name, room));
            svg.text("dim", (LEFT + BAR_WIDTH, base), Anchor::End, &number_text);
            let Some(end) = x(bar.value) else { continue };
            let (from, to) = (zero.min(end), zero.max(end));
            let bar_top = top + ROW * i as f64 + BAR_TOP;
            let middle = bar_top + BAR_HEIGHT / 2.0;
            let path = format!(
                "M{} {}H{}v{BAR_HEIGHT}H{}z",
                number(from),
                number(bar_top),
                number(to),
                number(from)
            );
            let mut about = format!("{}: {number_text}", bar.name);
            let ends = bar
                .interval
                .and_then(|(low, high)| Some((x(low)?, x(high)?)));
            if let Some((low, high)) = bar.interval {
                about.push_str(&format!(
                    " ({} to {})",
                    self.text_of(low),
                    self.text_of(high)
                ));
            }
            svg.path_about("bar", &path, &about);
            if let Some((low, high)) = ends {
                let (low, high) = (number(low), number(high));
                let (y, cap) = (number(middle), number(middle - 3.0));
                let path = format!("M{low} {y}H{high}M{low} {cap}v6M{high} {cap}v6");
                svg.path("error-bar", &path);
            }
        }
        svg.path("frame", &beside_bars(zero));
        svg.y = bottom + 2.0 * LINE;
        let label = short(&self.x.label, (BAR_WIDTH / CHAR_WIDTH) as usize);
        svg.text("dim", (WIDTH / 2.0, svg.y), Anchor::Middle, &label);
    }
    /// A number, without what rounding left of 0.
    fn text_of(&self, number: f64) -> String {
        let range = self.x.high - self.x.low;
        value(if number.abs() < 1e-9 * range {
            0.0
        } else {
            number
        })
    }
}

//! Plots of what models and searches came to, as SVG.
//!
//! Each plot is plain data, made by a function of this module from a result that this crate has
//! already, and drawn by [`Plot::to_svg`]. It can be the result of a task. Plots of one's own are made
//! of the same parts.
//!
//! | Module | Gives |
//! |---|---|
//! | `ranking`, `calibration`, `residuals`, `classes`, `confusion`, `importances`, `learning`, `trials` | the plots |
//! | `axis`, `curves`, `shapes`, `cells`, `bars` | what they are made of, and how that is drawn |
//! | `svg` | text of SVG: numbers, escaped words, colours |

mod axis;
mod bars;
mod calibration;
mod cells;
mod classes;
mod confusion;
mod curves;
mod importances;
mod learning;
mod ranking;
mod residuals;
mod shapes;
mod svg;
mod trials;

use serde::{Deserialize, Serialize};

pub use self::axis::{Axis, Scale};
pub use self::bars::{Bar, Bars};
pub use self::calibration::plot_calibration;
pub use self::cells::Cells;
pub use self::classes::{plot_class_calibration, plot_class_precision_recall, plot_class_roc};
pub use self::confusion::plot_confusion_matrix;
pub use self::curves::{Curves, Mark, Point, Series};
pub use self::importances::{plot_importances, plot_permutation_importance};
pub use self::learning::plot_learning_curve;
pub use self::ranking::{plot_precision_recall, plot_roc};
pub use self::residuals::plot_residuals;
use self::svg::Svg;
pub(crate) use self::trials::option_text;
pub use self::trials::{plot_option, plot_trials};

/// A plot: what it shows as data, and the words around it.
///
/// # Examples
/// ```
/// use orch_ml::{plot_roc, roc_curve};
///
/// let curve = roc_curve(&[false, false, true, true], &[0.1, 0.4, 0.35, 0.8], None)?;
/// let plot = plot_roc(&[("forest", &curve)])?;
/// assert!(plot.to_svg().starts_with("<svg"));
/// # Ok::<(), orch_ml::MlError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plot {
    /// What it shows.
    pub title: String,
    /// What is shown.
    pub chart: Chart,
    /// Sentences below it, such as what it leaves out.
    pub notes: Vec<String>,
}

/// What a [`Plot`] shows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Chart {
    /// Lines and points over two axes.
    Curves(Curves),
    /// Numbers by row and column.
    Cells(Cells),
    /// A bar for each name.
    Bars(Bars),
}

impl Plot {
    /// Replaces the title, which says what kind of plot it is.
    pub fn titled(mut self, title: impl Into<String>) -> Self {
        self.title = title.into();
        self
    }

    /// Draws the plot as SVG.
    ///
    /// The text is a file of its own and can be put into a page as it is: it has no script and no
    /// reference to anything outside, and what was given as a name is escaped. It follows the
    /// viewer's choice of light or dark, can be read at the width of a phone, and never tells things
    /// apart by colour alone. Equal plots give the same text.
    ///
    /// Numbers that are not finite are left out.
    pub fn to_svg(&self) -> String {
        let mut svg = Svg::new(&self.title);
        match &self.chart {
            Chart::Curves(curves) => curves.draw(&mut svg),
            Chart::Cells(cells) => cells.draw(&mut svg),
            Chart::Bars(bars) => bars.draw(&mut svg),
        }
        svg.y += 3.0;
        for note in &self.notes {
            svg.note(note);
        }
        svg.finish()
    }
}

//! What programs add to the page of a flow run.

/// A section of the page that [`RunReport::to_html`](crate::RunReport::to_html) makes, filled from top
/// to bottom.
///
/// All text is escaped.
///
/// # Examples
/// ```
/// use orch_core::report::Section;
///
/// let section = Section::new("Evaluation")
///     .text("On 67 rows that the model has not seen.")
///     .facts([("R2", "0.807"), ("MAE", "293.3")])
///     .table(["island", "rows", "MAE"], [["Biscoe", "34", "281.0"], ["Dream", "25", "310.2"]]);
/// # let _ = section;
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section {
    pub(super) title: String,
    pub(super) parts: Vec<Part>,
}

/// A part of a [`Section`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Part {
    Text(String),
    Facts(Vec<(String, String)>),
    Table {
        head: Vec<String>,
        rows: Vec<Vec<String>>,
        /// Rows that are not shown.
        n_more: usize,
    },
    Figure(String),
}

/// The most rows of a table that a page shows.
const MAX_ROWS: usize = 200;

impl Section {
    /// A section with a heading and nothing below it.
    pub fn new(title: impl Into<String>) -> Self {
        Self {
            title: title.into(),
            parts: Vec::new(),
        }
    }

    /// Adds a paragraph.
    pub fn text(self, text: impl Into<String>) -> Self {
        self.with(Part::Text(text.into()))
    }

    /// Adds names with their values.
    pub fn facts<N: Into<String>, V: Into<String>>(
        self,
        facts: impl IntoIterator<Item = (N, V)>,
    ) -> Self {
        let facts = facts.into_iter();
        let facts = facts.map(|(name, value)| (name.into(), value.into()));
        self.with(Part::Facts(facts.collect()))
    }

    /// Adds a table. Cells that are numbers are aligned to the right. Of more than 200 rows the first
    /// ones are shown, and how many there are more; a row with too few cells is filled up with empty
    /// ones, and cells beyond the heading are left out.
    pub fn table<H: Into<String>, R: IntoIterator<Item = C>, C: Into<String>>(
        self,
        head: impl IntoIterator<Item = H>,
        rows: impl IntoIterator<Item = R>,
    ) -> Self {
        let head: Vec<String> = head.into_iter().map(Into::into).collect();
        let mut rows = rows.into_iter();
        let row = |cells: R| {
            let mut cells: Vec<String> = cells.into_iter().map(Into::into).collect();
            cells.resize(head.len(), String::new());
            cells
        };
        let shown: Vec<Vec<String>> = rows.by_ref().take(MAX_ROWS).map(row).collect();
        let n_more = rows.count();
        self.with(Part::Table {
            head,
            rows: shown,
            n_more,
        })
    }

    /// Adds a picture: text that is one `<svg>` element, as `graph_svg` makes it.
    ///
    /// It becomes part of the page as it is, so whatever made it has to escape names. Nothing in it can
    /// run or load, which the page forbids; a text that is no such element is shown as text.
    pub fn figure(self, svg: impl Into<String>) -> Self {
        self.with(Part::Figure(svg.into()))
    }

    fn with(mut self, part: Part) -> Self {
        self.parts.push(part);
        self
    }
}

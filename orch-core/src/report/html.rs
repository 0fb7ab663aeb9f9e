//! A flow run as a page for people.

mod logged;
mod page;
mod section;
mod task_runs;

use std::time::Duration;

use self::page::Page;
pub use self::section::Section;
use super::counts::{Counts, item_counts};
use super::timeline_svg::Layout;
use super::view::Limits;
use super::{CriticalPath, LogReport, RunReport, human};

/// Graphs with more nodes, and groups with more task runs, than this are summed up: a page stays small.
const GRAPH: Limits = Limits {
    children: 30,
    nodes: 120,
};
/// The most steps of the critical path.
const MAX_STEPS: usize = 40;
/// The most log records, warnings and errors first.
const MAX_LOGS: usize = 100;

impl RunReport {
    /// Makes one page of all this: how the flow run ended and why, `sections` of one's own, the graph,
    /// the timeline, the task runs, the critical path, what was logged (metrics with their curves, params,
    /// tags, artifacts), parameters, the manifest and logs.
    ///
    /// The text is a file of its own. It has no script, needs no network, and a policy in it forbids
    /// both; it can be read on a phone and printed, and follows the reader's choice of light or dark.
    /// All user text is escaped. Equal reports and sections give equal pages.
    ///
    /// The page of a large flow run stays small: the graph is summed up, maps count their items, and
    /// lists say how many entries they leave out, failures never before others.
    pub fn to_html(&self, sections: &[Section]) -> String {
        let mut page = Page::new();
        for section in sections {
            page.section(section);
        }
        page.heading("Graph");
        let graph = self.graph(GRAPH);
        page.raw(format_args!("<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"graph\">{graph}</div>"));
        page.heading("Timeline");
        // Which of the two is shown depends on the width of the screen.
        let (wide, narrow) = (self.timeline(&Layout::PAGE), self.timeline(&Layout::NARROW));
        page.raw(format_args!("<div class=\"scroll wide-only\" tabindex=\"0\" role=\"region\" aria-label=\"timeline\">{wide}</div>"));
        page.raw(format_args!("<div class=\"narrow\">{narrow}</div>"));
        task_runs::write(&mut page, self);
        self.critical_path_section(&mut page);
        logged::write(&mut page, self);
        self.facts_sections(&mut page);
        self.logs_section(&mut page);
        let title = format!("{} / {}: {}", self.flow, self.name, self.state);
        let header = self.header();
        page.finish(&title, &header)
    }

    fn header(&self) -> String {
        let mut header = Page::new();
        let heading = super::escape::xml(&format!("{} / {}", self.flow, self.name));
        header.raw(format_args!("<h1>{heading}</h1>"));
        let mut counts = Counts::default();
        for run in &self.task_runs {
            match item_counts(run) {
                Some(items) => counts.add_counts(&items),
                None => counts.add(run.state, 1),
            }
        }
        for unrecorded in &self.unrecorded {
            counts.add_all(unrecorded);
        }
        let state = page::state(self.state, self.state.word(), true);
        let duration = human::duration(self.duration);
        header.raw(format_args!("<p>{state} after {duration}</p>"));
        if let Some(error) = &self.error {
            header.raw(format_args!("{}", page::error(error)));
        }
        let chips = counts.present();
        let chips: String = chips
            .map(|(state, n)| page::state(state, &format!("{} {state}", human::count(n)), true))
            .collect();
        header.raw(format_args!(
            "<div class=\"chips\"><span class=\"dim\">task runs</span>{chips}</div>"
        ));
        let path = self.critical_path();
        let (started, seed) = (
            human::moment(self.started_at_unix_ms),
            self.seed.to_string(),
        );
        let (split, tags) = (path.split(), self.tags.join(", "));
        let mut facts = vec![
            ("started", started.as_str()),
            ("critical path", split.as_str()),
            ("seed", seed.as_str()),
            ("id", self.flow_run.as_str()),
        ];
        if !tags.is_empty() {
            facts.push(("tags", &tags));
        }
        header.facts(facts);
        header.body
    }

    fn critical_path_section(&self, page: &mut Page) {
        let path = self.critical_path();
        if path.steps.is_empty() {
            return;
        }
        page.heading("Critical path");
        page.paragraph(
            "",
            "The chain of task runs that decided when the flow run ended.",
        );
        let (head, rows, n_more) = steps(self, &path);
        page.cards(&head, (Some(0), None), &rows, n_more);
    }

    fn facts_sections(&self, page: &mut Page) {
        let shown = |value: &serde_json::Value| match value {
            serde_json::Value::String(text) => text.clone(),
            value => value.to_string(),
        };
        if !self.parameters.is_empty() {
            page.heading("Parameters");
            let facts = self
                .parameters
                .iter()
                .map(|of| (of.name.as_str(), shown(&of.value)));
            let facts: Vec<(&str, String)> = facts.collect();
            page.facts(facts.iter().map(|(name, value)| (*name, value.as_str())));
        }
        if !self.manifest.is_empty() {
            page.heading("Manifest");
            let facts = self.manifest.iter().filter(|(_, value)| !value.is_null());
            let facts: Vec<(&str, String)> = facts
                .map(|(name, value)| (name.as_str(), shown(value)))
                .collect();
            page.facts(facts.iter().map(|(name, value)| (*name, value.as_str())));
        }
    }

    fn logs_section(&self, page: &mut Page) {
        let of_runs = self.task_runs.iter();
        let of_runs = of_runs.flat_map(|run| run.logs.iter().map(|log| (run.name.as_str(), log)));
        let own = self.logs.iter().map(|log| (self.name.as_str(), log));
        let mut logs: Vec<(&str, &LogReport)> = own.chain(of_runs).collect();
        if logs.is_empty() {
            return;
        }
        let weight = |log: &LogReport| match log.level.as_str() {
            "ERROR" => 0,
            "WARN" => 1,
            _ => 2,
        };
        let n_more = logs.len().saturating_sub(MAX_LOGS);
        if n_more > 0 {
            logs.sort_by_key(|(_, log)| (weight(log), log.at));
            logs.truncate(MAX_LOGS);
        }
        logs.sort_by_key(|(_, log)| log.at);
        page.heading("Logs");
        let head = ["at", "level", "where", "message"].map(str::to_owned);
        let rows = logs.iter().map(|(name, log)| {
            let (at, level) = (human::duration(log.at), log.level.clone());
            let place = match log.attempt {
                Some(attempt) if attempt > 1 => format!("{name}, attempt {attempt}"),
                _ => (*name).to_owned(),
            };
            vec![at, level, place, log.message.clone()]
        });
        page.cards(&head, (None, Some(3)), &rows.collect::<Vec<_>>(), n_more);
        if self.logs_dropped > 0 {
            let dropped = human::counted(self.logs_dropped, "record");
            page.paragraph("dim", &format!("{dropped} did not fit the buffers."));
        }
    }
}

/// The longest steps of the critical path, in their order, and how many there are more.
fn steps(report: &RunReport, path: &CriticalPath) -> ([String; 6], Vec<Vec<String>>, usize) {
    let names: std::collections::HashMap<u32, &str> = report
        .task_runs
        .iter()
        .map(|run| (run.index, run.name.as_str()))
        .collect();
    let mut steps: Vec<_> = path
        .steps
        .iter()
        .filter(|step| !step.total().is_zero())
        .collect();
    let n_more = steps.len().saturating_sub(MAX_STEPS);
    if n_more > 0 {
        steps.sort_by_key(|step| (std::cmp::Reverse(step.total()), step.start));
        steps.truncate(MAX_STEPS);
        steps.sort_by_key(|step| step.start);
    }
    let head = ["task run", "from", "queue", "run", "retry wait", "overhead"];
    let time = |time: Duration| match time.is_zero() {
        true => String::new(),
        false => human::duration(time),
    };
    let rows = steps.iter().map(|step| {
        let name = step.index.and_then(|index| names.get(&index));
        let name = name.map_or_else(|| "(flow code)".to_owned(), |name| (*name).to_owned());
        let parts = [step.queue, step.run, step.retry_wait, step.overhead];
        let from = human::duration(step.start);
        [name, from].into_iter().chain(parts.map(time)).collect()
    });
    (head.map(str::to_owned), rows.collect(), n_more)
}

#[cfg(test)]
mod tests;

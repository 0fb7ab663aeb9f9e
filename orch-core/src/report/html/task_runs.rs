//! The task runs of a page.

use super::page::{self, Page};
use crate::report::graph::Graph;
use crate::report::table::task_sums;
use crate::report::{NodeKind, RunReport, TaskRunReport, escape, human};

/// The most task runs that are listed; failures come before others.
const MAX_ROWS: usize = 200;
/// The most tasks that are listed.
const MAX_TASKS: usize = 100;
/// Flow runs with more task runs than this are summed up by task, too.
const SUMMED_UP_FROM: usize = 40;
const MAX_INDENT: u32 = 6;

pub(super) fn write(page: &mut Page, report: &RunReport) {
    let n_runs = report.task_runs.len();
    if n_runs > SUMMED_UP_FROM {
        write_tasks(page, report);
    }
    page.heading("Task runs");
    if n_runs == 0 {
        page.paragraph("dim", "There are none.");
        return;
    }
    let mut listed = Graph::new(report).as_tree();
    let n_more = n_runs.saturating_sub(MAX_ROWS);
    if n_more > 0 {
        // Of what is left out something is said; failures are what people look for. The sort keeps
        // the order of submission otherwise.
        listed.sort_by_key(|(run, _)| !report.task_runs[*run as usize].state.is_failure());
        listed.truncate(MAX_ROWS);
        let more = human::counted(n_more as u64, "more task run");
        let note = format!("The first {MAX_ROWS}, failures before others, and {more}.");
        page.paragraph("dim", &note);
    }
    page.raw(format_args!(
        "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"task runs\">\
         <table class=\"cards\"><thead><tr><th scope=\"col\">task run</th><th scope=\"col\">state</th>\
         <th scope=\"col\" class=\"n\">attempts</th><th scope=\"col\" class=\"n\">queue</th>\
         <th scope=\"col\" class=\"n\">run</th><th scope=\"col\" class=\"n\">total</th>\
         <th scope=\"col\">more</th></tr></thead><tbody>"
    ));
    for (run, depth) in listed {
        let depth = if n_more > 0 { 0 } else { depth };
        write_row(page, &report.task_runs[run as usize], depth.min(MAX_INDENT));
    }
    page.raw(format_args!("</tbody></table></div>"));
    let n_unrecorded: u64 = report.unrecorded.iter().map(|counts| counts.total()).sum();
    if n_unrecorded > 0 {
        let more = human::counted(n_unrecorded, "more task run");
        page.paragraph("dim", &format!("{more} beyond the recording limit."));
    }
}

fn write_row(page: &mut Page, run: &TaskRunReport, depth: u32) {
    let name = escape::xml(&run.name);
    let state = page::state(run.state, run.state.word(), false);
    let time = |is_known: bool, time| match is_known {
        true => human::duration(time),
        false => String::new(),
    };
    let queue = time(run.started.is_some(), run.queue_time());
    let has_run = run.started.is_some() && run.ended.is_some();
    let (ran, total) = (
        time(has_run, run.run_time()),
        time(run.ended.is_some(), run.total_time()),
    );
    let attempts = match run.attempts {
        0 => String::new(),
        n => human::count(n.into()),
    };
    let more = more(run);
    page.raw(format_args!(
        "<tr><td class=\"name\" style=\"padding-left:{indent}em\">{name}</td><td>{state}</td>\
         <td class=\"n\" data-is=\"attempts\">{attempts}</td><td class=\"n\" data-is=\"queue\">{queue}</td>\
         <td class=\"n\" data-is=\"run\">{ran}</td><td class=\"n\" data-is=\"total\">{total}</td>\
         <td class=\"wide\">{more}</td></tr>",
        indent = f64::from(depth) * 1.2,
    ));
}

/// What is said of some task runs only.
fn more(run: &TaskRunReport) -> String {
    let mut more = String::new();
    if let Some(items) = &run.items {
        let mut words = human::counted(items.total(), "item");
        let parts = [
            (items.failed, "failed"),
            (items.cancelled, "cancelled"),
            (items.found, "cached or reused"),
        ];
        for (n, what) in parts.into_iter().filter(|(n, _)| *n > 0) {
            words.push_str(&format!(", {} {what}", human::count(n)));
        }
        if items.task != run.task {
            words.push_str(&format!(" of {}", items.task));
        }
        more.push_str(&format!("<p>{}</p>", escape::xml(&words)));
    } else if run.kind != NodeKind::Task {
        more.push_str(&format!("<p class=\"dim\">{}</p>", run.kind.word()));
    }
    if let Some(from) = &run.result_from {
        let (flow_run, call) = (escape::xml(&from.flow_run), escape::xml(&from.call));
        more.push_str(&format!(
            "<p>result from flow run <code>{flow_run}</code>, call <code>{call}</code></p>"
        ));
    }
    match &run.error {
        Some(error) if run.state.is_failure() => more.push_str(&page::error(error)),
        // The causes are those of another task run, which has them.
        Some(error) => {
            let message = page::lines(&error.message);
            more.push_str(&format!("<p class=\"dim\">{message}</p>"));
        }
        None => {}
    }
    if !run.failed_attempts.is_empty() {
        let attempts = run.failed_attempts.iter().map(|failed| {
            let time = human::duration(failed.ended.saturating_sub(failed.started));
            let message = page::lines(&failed.error.message);
            format!(
                "<li>attempt {} failed after {time}: {message}</li>",
                failed.attempt
            )
        });
        let attempts: String = attempts.collect();
        more.push_str(&format!("<ul>{attempts}</ul>"));
    }
    more
}

fn write_tasks(page: &mut Page, report: &RunReport) {
    page.heading("Tasks");
    let mut sums = task_sums(report);
    let n_more = sums.len().saturating_sub(MAX_TASKS);
    if n_more > 0 {
        sums.sort_by_key(|sum| std::cmp::Reverse((sum.counts.leading().is_failure(), sum.run)));
        sums.truncate(MAX_TASKS);
    }
    page.raw(format_args!(
        "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"tasks\">\
         <table class=\"cards\"><thead><tr><th scope=\"col\">task</th><th scope=\"col\">states</th>\
         <th scope=\"col\" class=\"n\">run</th><th scope=\"col\" class=\"n\">longest</th></tr></thead>\
         <tbody>"
    ));
    for sum in sums {
        let states = sum.counts.present();
        let states: Vec<String> = states
            .map(|(state, n)| page::state(state, &format!("{} {state}", human::count(n)), false))
            .collect();
        page.raw(format_args!(
            "<tr><td class=\"name\">{name}</td><td class=\"wide\">{states}</td>\
             <td class=\"n\" data-is=\"run\">{run}</td><td class=\"n\" data-is=\"longest\">{longest}</td></tr>",
            name = escape::xml(sum.task),
            states = states.join(", "),
            run = human::duration(sum.run),
            longest = human::duration(sum.longest),
        ));
    }
    page.raw(format_args!("</tbody></table></div>"));
    if n_more > 0 {
        let more = human::counted(n_more as u64, "more task");
        page.paragraph("dim", &format!("And {more}, failures before others."));
    }
}

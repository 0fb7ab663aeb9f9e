//! One line of the display, as plain text and for a terminal.

use std::error::Error;
use std::time::Duration;

use crate::error::{FlowError, FlowErrorKind, TaskError, TaskErrorKind, breaker_stands};
use crate::report::human;
use crate::state::State;

/// The longest error text in a line, in columns: a line is for finding, the report for reading.
const MAX_REASON: usize = 400;

/// The longest name in a line of a terminal, in columns: what is said after it stays visible.
const MAX_NAME: usize = 60;

/// The columns of the longest word for a state.
const WORD_COLUMNS: usize = 14;

/// The columns of a duration: `12.4 ms`.
const TIME_COLUMNS: usize = 7;

/// One line of the display.
#[derive(Debug, Clone)]
pub(super) enum Line {
    /// Where a flow run or a task run stands.
    State {
        state: State,
        name: String,
        time: Option<Duration>,
        /// What else there is to say.
        details: Vec<String>,
    },
    /// Something about the display itself.
    Note(String),
}

impl Line {
    /// Writes the line with fields two spaces apart.
    pub(super) fn plain(&self) -> String {
        match self {
            Line::Note(text) => format!("! {text}"),
            Line::State {
                state,
                name,
                time,
                details,
            } => {
                let mut text = format!("{} {state}  {name}", state.mark());
                let time = time.map(human::duration);
                for field in time.iter().chain(details) {
                    text.push_str("  ");
                    text.push_str(field);
                }
                text
            }
        }
    }

    /// Writes the line with its fields in columns.
    pub(super) fn columns(&self, has_colour: bool) -> String {
        match self {
            Line::Note(text) => text.clone(),
            Line::State {
                state,
                name,
                time,
                details,
            } => {
                // Some terminals show this mark in two columns; what follows stays in line.
                let mark = human::pad(&state.mark().to_string(), 2);
                let word = human::pad(state.word(), WORD_COLUMNS);
                let time = time.map(human::duration).unwrap_or_default();
                let time = human::pad_left(&time, TIME_COLUMNS);
                let name = human::short(name, MAX_NAME);
                let colour = colour(*state);
                let mut text = if has_colour {
                    format!("\u{1b}[{colour}m{mark}{word}\u{1b}[0m {time}  {name}")
                } else {
                    format!("{mark}{word} {time}  {name}")
                };
                for detail in details {
                    text.push_str("  ");
                    text.push_str(detail);
                }
                text
            }
        }
    }
}

/// The colour of a state, as a terminal names it.
const fn colour(state: State) -> &'static str {
    match state {
        State::Scheduled | State::Pending | State::Skipped => "90",
        State::Cancelling | State::Cancelled => "90",
        State::AwaitingLimit | State::RolledBack => "35",
        State::AwaitingRetry | State::Paused => "33",
        State::Running => "34",
        State::Completed => "32",
        State::Cached | State::Reused => "36",
        State::Failed | State::TimedOut => "31",
        State::Crashed => "91",
    }
}

/// Says why a task run did not complete, without its name.
pub(super) fn reason_of_task(error: &TaskError) -> String {
    cut(match error.kind() {
        TaskErrorKind::Failed(error) => with_causes(&**error),
        TaskErrorKind::TimedOut { clock, after } => {
            format!("its `{clock}` of {} ran out", human::duration(*after))
        }
        TaskErrorKind::Panicked { message, .. } => format!("it panicked with `{message}`"),
        TaskErrorKind::RuntimeShutDown => "its runtime was shut down".to_owned(),
        TaskErrorKind::Cancelled { reason } => reason.to_string(),
        TaskErrorKind::Skipped { upstream } => {
            format!("because `{}` did not complete", upstream.task_run())
        }
        TaskErrorKind::MapFailed {
            failed,
            ended,
            tolerance,
            first,
        } => {
            let (failed, first) = (human::count(*failed), reason_of_task(first));
            format!(
                "{failed} of {} items failed, {tolerance}: {first}",
                human::count(*ended)
            )
        }
        TaskErrorKind::BreakerOpen { breaker, left } => breaker_stands(breaker, *left),
        TaskErrorKind::Invalid { message } => message.clone(),
        _ => error.to_string(),
    })
}

/// Says why a flow run did not complete, without its name.
pub(super) fn reason_of_flow(error: &FlowError) -> String {
    cut(match error.kind() {
        FlowErrorKind::Failed(error) => with_causes(&**error),
        FlowErrorKind::Panicked { message, .. } => format!("its body panicked with `{message}`"),
        FlowErrorKind::RuntimeShutDown => "its runtime was shut down".to_owned(),
        FlowErrorKind::Cancelled { reason } => reason.to_string(),
        FlowErrorKind::TimedOut { after } => {
            format!("its `timeout` of {} ran out", human::duration(*after))
        }
        FlowErrorKind::Upstream(error) => {
            format!("because `{}` did not complete", error.task_run())
        }
        _ => error.to_string(),
    })
}

/// Writes an error and its causes. Those of runs are told shortly: they have lines of their own.
fn with_causes(error: &(dyn Error + 'static)) -> String {
    let mut texts: Vec<String> = Vec::new();
    let mut next = Some(error);
    while let Some(error) = next {
        let (text, is_last) = if let Some(error) = error.downcast_ref::<TaskError>() {
            let root = error.root();
            (
                format!("`{}`: {}", root.task_run(), reason_of_task(root)),
                true,
            )
        } else if let Some(error) = error.downcast_ref::<FlowError>() {
            (reason_of_flow(error), true)
        } else {
            (error.to_string(), false)
        };
        // Transparent wrappers say the same twice.
        if texts.last() != Some(&text) {
            texts.push(text);
        }
        next = error.source().filter(|_| !is_last);
    }
    texts.join(": ")
}

/// Makes an error text fit for one line.
pub(super) fn cut(text: String) -> String {
    human::short(&text, MAX_REASON)
}

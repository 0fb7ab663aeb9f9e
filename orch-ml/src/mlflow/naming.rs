//! What runs, and what they logged, are called in MLflow.

use std::collections::HashMap;
use std::hash::Hash;

use orch_core::State;

/// The longest name that MLflow takes, in bytes.
const MAX_NAME: usize = 250;

/// The longest part that the name of a task run has in another one.
const MAX_PART: usize = 60;

/// The id of the run of a flow run, or of an item of a map in it: 32 hexadecimal digits.
pub(super) fn run_id(flow_run: &str, item: Option<(&str, usize)>) -> String {
    let text = match item {
        None => flow_run.to_owned(),
        Some((name, n)) => format!("{flow_run}\n{name}\n{n}"),
    };
    let hash = blake3::hash(text.as_bytes());
    hash.to_hex()[..32].to_owned()
}

/// The id of the experiment of a flow: 18 decimal digits, as MLflow makes them.
pub(super) fn experiment_id(flow: &str) -> String {
    let hash = blake3::hash(flow.as_bytes());
    let bytes = hash.as_bytes().first_chunk::<8>();
    let number = bytes.map_or(0, |bytes| u64::from_le_bytes(*bytes));
    format!(
        "{:018}",
        number % 900_000_000_000_000_000 + 100_000_000_000_000_000
    )
}

/// A state, by the word and the number that MLflow has for it.
pub(super) fn status(state: State) -> (&'static str, u8) {
    match state {
        state if state.is_success() => ("FINISHED", 3),
        State::Cancelled => ("KILLED", 5),
        state if state.is_final() => ("FAILED", 4),
        _ => ("RUNNING", 1),
    }
}

/// A name of a task run as a part of another name.
fn part(name: &str) -> String {
    let fits = |c: char| c.is_alphanumeric() || "_-.".contains(c);
    let part: String = name
        .chars()
        .take(MAX_PART)
        .map(|c| if fits(c) { c } else { '_' })
        .collect();
    match part.as_str() {
        "" | "." | ".." => "_".to_owned(),
        _ => part,
    }
}

/// Gives task runs of one name different ones, in the order in which they are asked for.
#[derive(Debug, Default)]
pub(super) struct Parts<K> {
    known: HashMap<K, String>,
    counts: HashMap<String, usize>,
}

impl<K: Eq + Hash> Parts<K> {
    pub(super) fn new() -> Self {
        Self {
            known: HashMap::new(),
            counts: HashMap::new(),
        }
    }

    /// The part that stands for a task run.
    pub(super) fn of(&mut self, task_run: K, name: &str) -> &str {
        let counts = &mut self.counts;
        self.known.entry(task_run).or_insert_with(|| {
            let part = part(name);
            let n = counts.entry(part.clone()).or_default();
            *n += 1;
            match n {
                1 => part,
                n => format!("{part}-{n}"),
            }
        })
    }
}

/// The name of what a task run logged; of a name that is too long for both, that alone.
pub(super) fn within(part: &str, name: &str) -> String {
    match part.len() + 1 + name.len() <= MAX_NAME {
        true => format!("{part}/{name}"),
        false => name.to_owned(),
    }
}

/// A param as MLflow has it: a text.
pub(super) fn shown(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_look_like_those_of_mlflow() {
        let id = run_id("0000000000000000000000000f", None);
        assert_eq!(id.len(), 32);
        assert_ne!(id, run_id("0000000000000000000000000f", Some(("fit", 0))));
        let experiment = experiment_id("train");
        assert_eq!(experiment.len(), 18);
        assert!(!experiment.starts_with('0') && experiment.parse::<u64>().is_ok());
    }

    #[test]
    fn task_runs_of_one_name_are_told_apart() {
        let mut parts = Parts::new();
        assert_eq!(parts.of(3, "fit[fold=1]"), "fit_fold_1_");
        assert_eq!(parts.of(4, "fit[fold=1]"), "fit_fold_1_-2");
        assert_eq!(parts.of(3, "fit[fold=1]"), "fit_fold_1_");
        assert_eq!(parts.of(5, ".."), "_");
        assert_eq!(within("fit", "loss"), "fit/loss");
        let long = "l".repeat(248);
        assert_eq!(within("fit", &long), long);
    }
}

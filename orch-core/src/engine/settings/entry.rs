//! Each setting: how it is read from a text, and how it is shown.

use std::time::Duration;

use bytesize::ByteSize;

use crate::policy::failure_mode::FailureMode;
use crate::store::{Durability, OnStoreFailure};

use super::Config;

/// How one setting is set and shown.
pub(super) struct Entry {
    pub(super) key: &'static str,
    pub(super) set: fn(&mut Config, &str) -> Result<(), String>,
    pub(super) show: fn(&Config) -> String,
}

/// All settings but limits, of which there is one per name.
pub(super) const ENTRIES: &[Entry] = &[
    Entry {
        key: "cache.max_age",
        set: |config, text| {
            let budget = config.cache_budget.clone().max_age(duration(text)?);
            config.cache_budget = budget;
            Ok(())
        },
        show: |config| shown_age(config.cache_budget.limits().1),
    },
    Entry {
        key: "cache.max_bytes",
        set: |config, text| {
            let budget = config.cache_budget.clone().max_bytes(bytes(text)?);
            config.cache_budget = budget;
            Ok(())
        },
        show: |config| shown_bytes(config.cache_budget.limits().0),
    },
    Entry {
        key: "cache.per_build",
        set: |config, text| {
            config.cache_per_build = choice(text, &[("true", true), ("false", false)])?;
            Ok(())
        },
        show: |config| config.cache_per_build.to_string(),
    },
    Entry {
        key: "compute_threads",
        set: |config, text| {
            config.compute_threads = Some(positive(text)?);
            Ok(())
        },
        show: |config| shown_count(config.compute_threads, "one per core, shared"),
    },
    Entry {
        key: "durability",
        set: |config, text| {
            const CHOICES: [(&str, Durability); 2] = [
                ("relaxed", Durability::Relaxed),
                ("strict", Durability::Strict),
            ];
            config.durability = choice(text, &CHOICES)?;
            Ok(())
        },
        show: |config| snake(&config.durability),
    },
    Entry {
        key: "event_capacity",
        set: |config, text| {
            config.event_capacity = positive(text)?;
            Ok(())
        },
        show: |config| config.event_capacity.to_string(),
    },
    Entry {
        key: "failure_mode",
        set: |config, text| {
            const CHOICES: [(&str, FailureMode); 3] = [
                ("fail_fast", FailureMode::FailFast),
                ("stop_on_failure", FailureMode::StopOnFailure),
                ("continue_on_failure", FailureMode::ContinueOnFailure),
            ];
            config.failure_mode = choice(text, &CHOICES)?;
            Ok(())
        },
        show: |config| snake(&config.failure_mode),
    },
    Entry {
        key: "grace",
        set: |config, text| {
            config.grace = duration(text)?;
            Ok(())
        },
        show: |config| shown_duration(config.grace),
    },
    Entry {
        key: "log_limit",
        set: |config, text| {
            config.log_limit = number(text)?;
            Ok(())
        },
        show: |config| config.log_limit.to_string(),
    },
    Entry {
        key: "memory_budget",
        set: |config, text| {
            config.memory_budget = Some(bytes(text)?);
            Ok(())
        },
        show: |config| shown_bytes(config.memory_budget),
    },
    Entry {
        key: "memory_cache",
        set: |config, text| {
            let bytes = bytes(text)?;
            config.memory_cache = usize::try_from(bytes).unwrap_or(usize::MAX);
            Ok(())
        },
        show: |config| shown_bytes(Some(config.memory_cache as u64)),
    },
    Entry {
        key: "on_store_failure",
        set: |config, text| {
            const CHOICES: [(&str, OnStoreFailure); 2] = [
                ("fail", OnStoreFailure::Fail),
                ("go_on", OnStoreFailure::GoOn),
            ];
            config.on_store_failure = choice(text, &CHOICES)?;
            Ok(())
        },
        show: |config| match config.on_store_failure {
            OnStoreFailure::Fail => "fail".to_owned(),
            OnStoreFailure::GoOn => "go_on".to_owned(),
        },
    },
    Entry {
        key: "record_limit",
        set: |config, text| {
            config.record_limit = number(text)?;
            Ok(())
        },
        show: |config| config.record_limit.to_string(),
    },
    Entry {
        key: "refresh",
        set: |config, text| {
            let tasks = text.split(',').map(str::trim);
            config.refresh = tasks
                .filter(|task| !task.is_empty())
                .map(str::to_owned)
                .collect();
            Ok(())
        },
        show: |config| match config.refresh.is_empty() {
            true => "none".to_owned(),
            false => config.refresh.join(", "),
        },
    },
    Entry {
        key: "retention.max_age",
        set: |config, text| {
            config.retention = config.retention.clone().max_age(duration(text)?);
            Ok(())
        },
        show: |config| shown_age(config.retention.limits().1),
    },
    Entry {
        key: "retention.max_bytes",
        set: |config, text| {
            config.retention = config.retention.clone().max_bytes(bytes(text)?);
            Ok(())
        },
        show: |config| shown_bytes(config.retention.limits().2),
    },
    Entry {
        key: "retention.max_runs",
        set: |config, text| {
            config.retention = config.retention.clone().max_runs(number(text)?);
            Ok(())
        },
        show: |config| shown_count(config.retention.limits().0, "no limit"),
    },
    Entry {
        key: "seed",
        set: |config, text| {
            config.seed = Some(number(text)?);
            Ok(())
        },
        show: |config| match config.seed {
            Some(seed) => seed.to_string(),
            None => "a new one for each flow run".to_owned(),
        },
    },
    Entry {
        key: "workers",
        set: |config, text| {
            config.workers = Some(positive(text)?);
            Ok(())
        },
        show: |config| shown_count(config.workers, "as many as the runtime has"),
    },
];

/// As somebody would write it: in one unit where there is one.
fn shown_duration(duration: Duration) -> String {
    const UNITS: [(u64, &str); 4] = [(86_400, "d"), (3_600, "h"), (60, "m"), (1, "s")];
    let seconds = duration.as_secs();
    let is_whole = duration.subsec_nanos() == 0;
    let unit = UNITS
        .iter()
        .find(|(unit, _)| seconds >= *unit && seconds.is_multiple_of(*unit));
    match unit {
        Some((unit, name)) if is_whole => format!("{}{name}", seconds / unit),
        _ => humantime::format_duration(duration).to_string(),
    }
}

fn shown_age(age: Option<Duration>) -> String {
    age.map_or("no limit".to_owned(), shown_duration)
}

fn shown_bytes(bytes: Option<u64>) -> String {
    bytes.map_or("no limit".to_owned(), |bytes| ByteSize(bytes).to_string())
}

fn shown_count(count: Option<usize>, otherwise: &str) -> String {
    count.map_or(otherwise.to_owned(), |count| count.to_string())
}

/// The name of a choice in a file, as serde has it.
fn snake(value: &impl serde::Serialize) -> String {
    let json = serde_json::to_value(value).unwrap_or_default();
    json.as_str().unwrap_or_default().to_owned()
}

pub(super) fn duration(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text)
        .map_err(|error| format!("no duration ({error}): write `30s`, `5m`, `2h 30m`, `90d`"))
}

pub(super) fn bytes(text: &str) -> Result<u64, String> {
    text.parse::<ByteSize>()
        .map(|bytes| bytes.as_u64())
        .map_err(|_| "no number of bytes: write `1048576`, `512 MiB`, `10 GiB`".to_owned())
}

pub(super) fn number<N: std::str::FromStr>(text: &str) -> Result<N, String> {
    let digits = text.replace('_', "");
    digits
        .parse()
        .map_err(|_| "no whole number that fits".to_owned())
}

fn positive(text: &str) -> Result<usize, String> {
    match number(text)? {
        0 => Err("not at least 1".to_owned()),
        number => Ok(number),
    }
}

fn choice<T: Copy>(text: &str, choices: &[(&str, T)]) -> Result<T, String> {
    let found = choices.iter().find(|(name, _)| *name == text);
    found.map(|(_, value)| *value).ok_or_else(|| {
        let names: Vec<String> = choices
            .iter()
            .map(|(name, _)| format!("`{name}`"))
            .collect();
        format!("none of {}", names.join(", "))
    })
}

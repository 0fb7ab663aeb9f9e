//! Settings of an engine from outside of the program: environment variables and a file.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytesize::ByteSize;

use crate::limit::Limit;
use crate::policy::failure_mode::FailureMode;
use crate::store::{Durability, OnStoreFailure};

use super::{Config, EngineBuilder};

/// The file that is read if none is named.
const FILE: &str = "orch.toml";

/// Where settings are looked for.
///
/// A variable goes before the file, in the file a profile before what is outside of profiles, and
/// what the program itself sets before all of them.
///
/// ```toml
/// # orch.toml
/// grace = "10s"
/// memory_cache = "512 MiB"
///
/// [retention]
/// max_runs = 500
///
/// [limits]
/// gpu = 1
///
/// [profile.prod]
/// durability = "strict"
/// ```
///
/// The variable of a setting is `ORCH_` and its key in capitals, with `_` for each dot:
/// `ORCH_GRACE=10s`, `ORCH_RETENTION_MAX_RUNS=500`, `ORCH_LIMITS_GPU=1`.
#[derive(Debug, Clone, Default)]
pub struct SettingSources {
    file: Option<PathBuf>,
    is_named: bool,
    profile: Option<String>,
    variables: BTreeMap<String, String>,
}

impl SettingSources {
    /// Nowhere.
    pub fn none() -> Self {
        Self::default()
    }

    /// The environment of this process, and the file that its variable `ORCH_CONFIG` names, or
    /// `orch.toml` in the working directory if there is one. `ORCH_PROFILE` names the profile.
    pub fn of_process() -> Self {
        let variables = std::env::vars_os().filter_map(|(name, value)| {
            let name = name.into_string().ok()?;
            let value = value.into_string().ok()?;
            name.starts_with("ORCH_").then_some((name, value))
        });
        let variables: BTreeMap<String, String> = variables.collect();
        let named = variables.get("ORCH_CONFIG").map(PathBuf::from);
        Self {
            is_named: named.is_some(),
            file: named.or_else(|| Some(PathBuf::from(FILE))),
            profile: variables.get("ORCH_PROFILE").cloned(),
            variables,
        }
    }

    /// Reads this file.
    pub fn file(mut self, path: impl Into<PathBuf>) -> Self {
        self.file = Some(path.into());
        self.is_named = true;
        self
    }

    /// Lets what the file has for this profile go before the rest of it.
    pub fn profile(mut self, name: impl Into<String>) -> Self {
        self.profile = Some(name.into());
        self
    }

    /// Adds an environment variable.
    pub fn variable(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.variables.insert(name.into(), value.into());
        self
    }
}

/// A setting of an engine: what it is, and who says so.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Setting {
    /// Its name, as a file has it.
    pub key: String,
    /// The environment variable that sets it.
    pub variable: String,
    /// What it is.
    pub value: String,
    /// Who says so.
    pub source: SettingSource,
}

/// Who says what a setting is.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum SettingSource {
    /// Nobody: it is what it is without anybody.
    Default,
    /// A file.
    File {
        /// The file.
        path: PathBuf,
        /// The profile in it, unless it is outside of profiles.
        profile: Option<String>,
    },
    /// An environment variable.
    Variable(String),
    /// The program, by a method of its [`EngineBuilder`].
    Program,
}

impl fmt::Display for SettingSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { path, profile } => {
                write!(f, "{}", path.display())?;
                match profile {
                    Some(profile) => write!(f, ", profile `{profile}`"),
                    None => Ok(()),
                }
            }
            Self::Variable(name) => write!(f, "variable {name}"),
            Self::Program => f.write_str("the program"),
        }
    }
}

/// A setting that cannot be taken.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SettingError {
    /// The file cannot be read.
    #[error("the settings in `{}` cannot be read", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// The file is no TOML.
    #[error("the settings in `{}` are malformed", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Where and why.
        #[source]
        source: crate::BoxError,
    },
    /// The file has no such profile.
    #[error("`{}` has no profile `{profile}` (it has: {known})", path.display())]
    UnknownProfile {
        /// The file.
        path: PathBuf,
        /// The profile.
        profile: String,
        /// Those that it has.
        known: String,
    },
    /// There is no such setting.
    #[error("there is no setting `{key}`, which {at} has (there are: {known})")]
    Unknown {
        /// Its name.
        key: String,
        /// Where it was found.
        at: String,
        /// The settings there are.
        known: String,
    },
    /// The value is none of this setting.
    #[error("`{value}`, which {at} has for `{key}`, is {problem}")]
    Invalid {
        /// The setting.
        key: String,
        /// Where it was found.
        at: String,
        /// The value.
        value: String,
        /// What is wrong with it, and what would be right.
        problem: String,
    },
}

/// How one setting is set and shown.
struct Entry {
    key: &'static str,
    set: fn(&mut Config, &str) -> Result<(), String>,
    show: fn(&Config) -> String,
}

/// All settings but limits, of which there is one per name.
const ENTRIES: &[Entry] = &[
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

/// The prefix of the settings that are limits.
const LIMITS: &str = "limits.";

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

fn duration(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text)
        .map_err(|error| format!("no duration ({error}): write `30s`, `5m`, `2h 30m`, `90d`"))
}

fn bytes(text: &str) -> Result<u64, String> {
    text.parse::<ByteSize>()
        .map(|bytes| bytes.as_u64())
        .map_err(|_| "no number of bytes: write `1048576`, `512 MiB`, `10 GiB`".to_owned())
}

fn number<N: std::str::FromStr>(text: &str) -> Result<N, String> {
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

/// The environment variable of a setting.
fn variable_of(key: &str) -> String {
    format!("ORCH_{}", key.to_uppercase().replace(['.', '-'], "_"))
}

/// A value that was found for a setting.
struct Found {
    key: String,
    value: String,
    source: SettingSource,
}

impl SettingSources {
    /// Whether nobody said that there is a file.
    fn is_optional(&self) -> bool {
        !self.is_named && self.profile.is_none()
    }

    /// What is there, the weaker first.
    fn found(&self) -> Result<Vec<Found>, SettingError> {
        let mut found = self.in_file()?;
        for (name, value) in &self.variables {
            let key = match ENTRIES.iter().find(|entry| variable_of(entry.key) == *name) {
                Some(entry) => entry.key.to_owned(),
                // Others may begin like ours, and are none of our business.
                None => match name.strip_prefix("ORCH_LIMITS_") {
                    Some(limit) => format!("{LIMITS}{}", limit.to_lowercase()),
                    None => continue,
                },
            };
            found.push(Found {
                key,
                value: value.clone(),
                source: SettingSource::Variable(name.clone()),
            });
        }
        Ok(found)
    }

    fn in_file(&self) -> Result<Vec<Found>, SettingError> {
        let Some(path) = &self.file else {
            return Ok(Vec::new());
        };
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && self.is_optional() => {
                return Ok(Vec::new());
            }
            Err(source) => {
                let path = path.clone();
                return Err(SettingError::Read { path, source });
            }
        };
        let mut table: toml::Table = toml::from_str(&text).map_err(|error| {
            let path = path.clone();
            let source = Box::new(error);
            SettingError::Malformed { path, source }
        })?;
        let mut profiles = match table.remove("profile") {
            Some(toml::Value::Table(profiles)) => profiles,
            _ => toml::Table::new(),
        };
        let mut found = Vec::new();
        let mut add = |table, profile: Option<&String>| {
            let source = SettingSource::File {
                path: path.clone(),
                profile: profile.cloned(),
            };
            flatten(table, "", &source, &mut found);
        };
        add(table, None);
        if let Some(profile) = &self.profile {
            match profiles.remove(profile) {
                Some(toml::Value::Table(table)) => add(table, Some(profile)),
                _ => return Err(unknown_profile(path, profile, &profiles)),
            }
        }
        Ok(found)
    }
}

fn unknown_profile(path: &Path, profile: &str, profiles: &toml::Table) -> SettingError {
    let known: Vec<String> = profiles.keys().map(|name| format!("`{name}`")).collect();
    SettingError::UnknownProfile {
        path: path.to_owned(),
        profile: profile.to_owned(),
        known: match known.is_empty() {
            true => "none".to_owned(),
            false => known.join(", "),
        },
    }
}

/// Lists what a table holds, by keys with dots.
fn flatten(table: toml::Table, prefix: &str, source: &SettingSource, found: &mut Vec<Found>) {
    for (name, value) in table {
        let key = format!("{prefix}{name}");
        let value = match value {
            toml::Value::Table(inner) => {
                flatten(inner, &format!("{key}."), source, found);
                continue;
            }
            other => text_of(&other),
        };
        found.push(Found {
            key,
            value,
            source: source.clone(),
        });
    }
}

fn text_of(value: &toml::Value) -> String {
    match value {
        toml::Value::String(text) => text.clone(),
        toml::Value::Integer(number) => number.to_string(),
        toml::Value::Float(number) => number.to_string(),
        toml::Value::Boolean(is_so) => is_so.to_string(),
        toml::Value::Datetime(moment) => moment.to_string(),
        toml::Value::Array(values) => {
            let texts: Vec<String> = values.iter().map(text_of).collect();
            texts.join(",")
        }
        // Only inside of an array, where no setting has one.
        toml::Value::Table(_) => "{}".to_owned(),
    }
}

impl Config {
    /// Notes that the program says what a setting is.
    pub(super) fn set_by_program(&mut self, key: impl Into<String>) {
        self.sources.insert(key.into(), SettingSource::Program);
    }
}

impl EngineBuilder {
    /// Takes the settings from the environment and from `orch.toml` that the program does not make
    /// itself, before or after this call. See [`SettingSources::of_process`].
    ///
    /// # Errors
    /// [`SettingError`] names the setting, where it was found, and what it may be.
    pub fn configure(self) -> Result<Self, SettingError> {
        self.configure_from(&SettingSources::of_process())
    }

    /// The same from elsewhere.
    ///
    /// ```
    /// use orch_core::{Engine, SettingSource, SettingSources};
    ///
    /// let outside = SettingSources::none().variable("ORCH_GRACE", "1m").variable("ORCH_WORKERS", "3");
    /// let builder = Engine::builder().workers(2).configure_from(&outside)?;
    /// let settings = builder.settings();
    /// let setting = |key| settings.iter().find(|setting| setting.key == key).unwrap();
    /// assert_eq!(setting("grace").value, "1m");
    /// assert_eq!(setting("workers").value, "2");
    /// assert_eq!(setting("workers").source, SettingSource::Program);
    /// # Ok::<_, orch_core::SettingError>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`configure`](Self::configure).
    pub fn configure_from(mut self, sources: &SettingSources) -> Result<Self, SettingError> {
        for Found { key, value, source } in sources.found()? {
            let invalid = |problem| SettingError::Invalid {
                key: key.clone(),
                at: source.to_string(),
                value: value.clone(),
                problem,
            };
            let is_own = self.config.sources.get(key.as_str()) == Some(&SettingSource::Program);
            if let Some(limit) = key.strip_prefix(LIMITS) {
                let slots = number(&value).map_err(invalid)?;
                if !is_own {
                    self.limits.set(limit.to_owned(), Limit::slots(slots));
                }
            } else if let Some(entry) = ENTRIES.iter().find(|entry| entry.key == key) {
                // A wrong value is one, whether it counts or not.
                let mut config = self.config.clone();
                (entry.set)(&mut config, &value).map_err(invalid)?;
                if !is_own {
                    self.config = config;
                }
            } else {
                let known = ENTRIES.iter().map(|entry| format!("`{}`", entry.key));
                let known: Vec<String> = known.chain(["`limits.NAME`".to_owned()]).collect();
                return Err(SettingError::Unknown {
                    key,
                    at: source.to_string(),
                    known: known.join(", "),
                });
            }
            if !is_own {
                self.config.sources.insert(key, source);
            }
        }
        Ok(self)
    }

    /// Returns every setting, what it is, and who says so.
    pub fn settings(&self) -> Vec<Setting> {
        let source = |key: &str| {
            let source = self.config.sources.get(key).cloned();
            source.unwrap_or(SettingSource::Default)
        };
        let entries = ENTRIES.iter().map(|entry| Setting {
            key: entry.key.to_owned(),
            variable: variable_of(entry.key),
            value: (entry.show)(&self.config),
            source: source(entry.key),
        });
        let limits = self.limits.status().into_iter().map(|limit| {
            let key = format!("{LIMITS}{}", limit.name);
            Setting {
                variable: variable_of(&key),
                value: match limit.slots {
                    Some(slots) => slots.to_string(),
                    None => "a rate".to_owned(),
                },
                source: source(&key),
                key,
            }
        });
        let mut settings: Vec<Setting> = entries.chain(limits).collect();
        settings.sort_by(|one, other| one.key.cmp(&other.key));
        settings
    }
}

#[cfg(test)]
mod tests;

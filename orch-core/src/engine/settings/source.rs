//! Where settings are found: environment variables and a file.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::entry::ENTRIES;
use super::{SettingError, SettingSource};

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

/// The prefix of the settings that are limits.
pub(super) const LIMITS: &str = "limits.";

/// The environment variable of a setting.
pub(super) fn variable_of(key: &str) -> String {
    format!("ORCH_{}", key.to_uppercase().replace(['.', '-'], "_"))
}

/// A value that was found for a setting.
pub(super) struct Found {
    pub(super) key: String,
    pub(super) value: String,
    pub(super) source: SettingSource,
}

impl SettingSources {
    /// Whether nobody said that there is a file.
    fn is_optional(&self) -> bool {
        !self.is_named && self.profile.is_none()
    }

    /// What is there, the weaker first.
    pub(super) fn found(&self) -> Result<Vec<Found>, SettingError> {
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

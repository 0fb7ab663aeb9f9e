//! Settings of an engine from outside of the program: environment variables and a file.

mod entry;
mod source;

pub use self::source::SettingSources;

use std::fmt;
use std::path::PathBuf;

use crate::limit::Limit;

use super::{Config, EngineBuilder};

use self::entry::{ENTRIES, number};
use self::source::{Found, LIMITS, variable_of};

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

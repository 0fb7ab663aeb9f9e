//! Values that must not reach a log, a record or a cache.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock, Weak};

use secrecy::zeroize::Zeroize;
use secrecy::{ExposeSecret as _, SecretBox};
use serde::{Deserialize, Serialize};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

/// A secret: a password, a token, a key. Cheap to clone; wiped from memory with the last clone.
///
/// It has no `Debug`, no `Serialize` and no `Display`, so it cannot reach a log, a result or a
/// cache key by accident: that does not compile. [`expose`](Self::expose) is the one way to its
/// value, and easy to search for.
///
/// A secret that is a parameter of a flow is recorded by where it comes from, never by its value,
/// and is read again when the flow run is resumed; one made of a value ([`Secret::new`]) has no such
/// place, so its flow run cannot be resumed by its id.
///
/// While it lives, its value is also taken out of whatever is captured for a flow run: errors, log
/// records, names. That is done on a best-effort basis, for values of six bytes or more, in their
/// raw, JSON, percent-encoded and base64 forms; what a body itself makes of a secret, or returns, is
/// its own affair.
///
/// ```
/// use orch_core::Secret;
///
/// let token = Secret::new(String::from("correct horse"));
/// assert_eq!(token.expose().len(), 13);
/// ```
///
/// ```compile_fail
/// # use orch_core::Secret;
/// let token = Secret::new(String::from("correct horse"));
/// println!("{token:?}");
/// ```
pub struct Secret<T: SecretValue = String>(Arc<Inner<T>>);

struct Inner<T: SecretValue> {
    value: SecretBox<T>,
    source: SecretSource,
    /// What of it must not be seen.
    _forms: Arc<Forms>,
}

/// What can be secret: text and bytes.
pub trait SecretValue: AsRef<[u8]> + Zeroize + Send + Sync + 'static {
    /// Makes it of the text that a variable or a file holds.
    fn from_text(text: String) -> Self;
}

impl SecretValue for String {
    fn from_text(text: String) -> Self {
        text
    }
}

impl SecretValue for Vec<u8> {
    fn from_text(text: String) -> Self {
        text.into_bytes()
    }
}

/// Where a secret comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum SecretSource {
    /// An environment variable.
    Env(String),
    /// A file, whose last line end does not count.
    File(PathBuf),
    /// A [`SecretProvider`] that the program has named.
    Provider {
        /// Its name.
        provider: String,
        /// What the secret is called there.
        secret: String,
    },
    /// The program, which has told nobody where it has it from.
    Program,
}

/// A secret that cannot be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SecretError {
    /// The variable is not set, or is no text.
    #[error("the environment variable `{name}` is not set, or is no text")]
    Env {
        /// Its name.
        name: String,
    },
    /// The file cannot be read.
    #[error("the secret's file `{}` cannot be read", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// The secret was made of a value, and the process that had it is gone.
    #[error("the secret came from the program itself; only the program can give it again")]
    Program,
    /// The program has named no such provider.
    #[error("the secret is of `{provider}`, and the program has no provider of that name")]
    UnknownProvider {
        /// The name.
        provider: String,
    },
    /// The provider does not give it.
    #[error("`{provider}` does not give the secret `{secret}`")]
    Provider {
        /// The provider's name.
        provider: String,
        /// What the secret is called there.
        secret: String,
        /// Why not.
        #[source]
        source: crate::BoxError,
    },
    /// A text that names no place.
    #[error("a secret is given as `env:NAME`, `file:PATH` or by a provider, never by its value")]
    NotAPlace,
}

/// Gives secrets by name: a vault, a key ring.
///
/// ```
/// use orch_core::{BoxError, Secret, SecretProvider, SecretSource};
///
/// struct Vault;
///
/// impl SecretProvider for Vault {
///     fn secret(&self, name: &str) -> Result<String, BoxError> {
///         match name {
///             "database" => Ok("correct horse".into()),
///             _ => Err("there is no such entry".into()),
///         }
///     }
/// }
///
/// orch_core::provide_secrets("vault", Vault);
/// let source: SecretSource = "vault:database".parse()?;
/// let password: Secret = Secret::read(source)?;
/// assert_eq!(password.expose(), "correct horse");
/// # Ok::<_, orch_core::SecretError>(())
/// ```
pub trait SecretProvider: Send + Sync + 'static {
    /// Returns a secret. It may take its time: it is asked when a flow is called with the secret or
    /// resumed, not while it runs.
    ///
    /// # Errors
    /// Anything that keeps it from giving the secret. It should not hold the secret itself.
    fn secret(&self, name: &str) -> Result<String, crate::BoxError>;
}

/// The providers of this process by name. A flow call is decoded before it has an engine, so they
/// belong to none.
static PROVIDERS: RwLock<BTreeMap<String, Arc<dyn SecretProvider>>> = RwLock::new(BTreeMap::new());

/// Names a provider of secrets for this process, in place of one of the same name. `env` and `file`
/// are taken.
pub fn provide_secrets(name: impl Into<String>, provider: impl SecretProvider) {
    let mut providers = PROVIDERS.write().unwrap_or_else(PoisonError::into_inner);
    providers.insert(name.into(), Arc::new(provider));
}

fn provider(name: &str) -> Option<Arc<dyn SecretProvider>> {
    let providers = PROVIDERS.read().unwrap_or_else(PoisonError::into_inner);
    providers.get(name).cloned()
}

impl<T: SecretValue> Secret<T> {
    /// Makes a secret of a value.
    pub fn new(value: T) -> Self {
        Self::of(value, SecretSource::Program)
    }

    /// Reads a secret from an environment variable.
    ///
    /// # Errors
    /// [`SecretError::Env`] if it is not set, or is no text.
    pub fn from_env(name: impl Into<String>) -> Result<Self, SecretError> {
        Self::read(SecretSource::Env(name.into()))
    }

    /// Reads a secret from a file. A line end at its end does not count.
    ///
    /// # Errors
    /// [`SecretError::File`] if it cannot be read as text.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, SecretError> {
        Self::read(SecretSource::File(path.as_ref().to_owned()))
    }

    /// Reads a secret from where it comes from.
    ///
    /// # Errors
    /// [`SecretError`] says why that is not possible.
    pub fn read(source: SecretSource) -> Result<Self, SecretError> {
        let text = match &source {
            SecretSource::Env(name) => {
                std::env::var(name).map_err(|_| SecretError::Env { name: name.clone() })?
            }
            SecretSource::File(path) => {
                let text = std::fs::read_to_string(path).map_err(|source| SecretError::File {
                    path: path.clone(),
                    source,
                })?;
                let line = text.strip_suffix('\n').unwrap_or(&text);
                line.strip_suffix('\r').unwrap_or(line).to_owned()
            }
            SecretSource::Provider {
                provider: name,
                secret,
            } => {
                let unknown = || SecretError::UnknownProvider {
                    provider: name.clone(),
                };
                let given = provider(name).ok_or_else(unknown)?.secret(secret);
                given.map_err(|source| SecretError::Provider {
                    provider: name.clone(),
                    secret: secret.clone(),
                    source,
                })?
            }
            SecretSource::Program => return Err(SecretError::Program),
        };
        Ok(Self::of(T::from_text(text), source))
    }

    fn of(value: T, source: SecretSource) -> Self {
        let forms = Forms::live(value.as_ref());
        Self(Arc::new(Inner {
            value: SecretBox::new(Box::new(value)),
            source,
            _forms: forms,
        }))
    }

    /// Returns the value, for the one call that needs it.
    pub fn expose(&self) -> &T {
        self.0.value.expose_secret()
    }

    /// Returns where it comes from.
    pub fn source(&self) -> &SecretSource {
        &self.0.source
    }
}

impl<T: SecretValue> Clone for Secret<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl std::str::FromStr for SecretSource {
    type Err = SecretError;

    /// Reads `env:NAME`, `file:PATH`, or the name of a provider of this process, a colon, and what
    /// the secret is called there.
    fn from_str(text: &str) -> Result<Self, SecretError> {
        match text.split_once(':') {
            Some(("env", name)) if !name.is_empty() => Ok(Self::Env(name.to_owned())),
            Some(("file", path)) if !path.is_empty() => Ok(Self::File(PathBuf::from(path))),
            Some((name, secret)) if !secret.is_empty() && provider(name).is_some() => {
                Ok(Self::Provider {
                    provider: name.to_owned(),
                    secret: secret.to_owned(),
                })
            }
            _ => Err(SecretError::NotAPlace),
        }
    }
}

impl fmt::Display for SecretSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Env(name) => write!(f, "env:{name}"),
            Self::File(path) => write!(f, "file:{}", path.display()),
            Self::Provider { provider, secret } => write!(f, "{provider}:{secret}"),
            Self::Program => f.write_str("(given by the program)"),
        }
    }
}

/// A value that people must not see and that must not leave the process: it has no `Serialize`, so
/// a task run that returns it is not recorded and runs again when its flow run is resumed. `Debug`
/// shows that it is there, and nothing of it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Sensitive<T>(T);

impl<T> Sensitive<T> {
    /// Marks a value.
    pub const fn new(value: T) -> Self {
        Self(value)
    }

    /// Takes the mark off.
    pub fn into_inner(self) -> T {
        self.0
    }
}

impl<T> std::ops::Deref for Sensitive<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> From<T> for Sensitive<T> {
    fn from(value: T) -> Self {
        Self(value)
    }
}

impl<T> fmt::Debug for Sensitive<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sensitive(..)")
    }
}

/// What stands in the place of a secret.
const HIDDEN: &str = "[secret]";

/// Shorter values would be found in ordinary text.
const SHORTEST: usize = 6;

/// The texts by which a secret could be seen.
struct Forms(Vec<String>);

/// The secrets that live at the moment, in this process: whatever engine captures a text, it may
/// hold any of them.
static LIVE: Mutex<Vec<Weak<Forms>>> = Mutex::new(Vec::new());

/// How many there are at most, so that a process without secrets looks at none.
static COUNT: AtomicUsize = AtomicUsize::new(0);

impl Forms {
    fn live(value: &[u8]) -> Arc<Self> {
        let forms = Arc::new(Self(forms_of(value)));
        if !forms.0.is_empty() {
            let mut live = LIVE.lock().unwrap_or_else(PoisonError::into_inner);
            live.retain(|forms| forms.strong_count() > 0);
            live.push(Arc::downgrade(&forms));
            COUNT.store(live.len(), Ordering::Release);
        }
        forms
    }
}

impl Drop for Forms {
    fn drop(&mut self) {
        self.0.iter_mut().for_each(Zeroize::zeroize);
    }
}

fn forms_of(value: &[u8]) -> Vec<String> {
    if value.len() < SHORTEST {
        return Vec::new();
    }
    let mut forms = vec![
        STANDARD.encode(value),
        STANDARD_NO_PAD.encode(value),
        URL_SAFE.encode(value),
        URL_SAFE_NO_PAD.encode(value),
    ];
    if let Ok(text) = std::str::from_utf8(value) {
        forms.push(text.to_owned());
        // As it stands between the quotes of a JSON string, and of Rust's debug output.
        let json = serde_json::to_string(text).unwrap_or_default();
        forms.push(json.trim_matches('"').to_owned());
        let debug = format!("{text:?}");
        forms.push(debug[1..debug.len() - 1].to_owned());
        forms.push(utf8_percent_encode(text, NON_ALPHANUMERIC).to_string());
        // Browsers and clients leave these as they are.
        const UNRESERVED: percent_encoding::AsciiSet = NON_ALPHANUMERIC
            .remove(b'-')
            .remove(b'_')
            .remove(b'.')
            .remove(b'~');
        forms.push(utf8_percent_encode(text, &UNRESERVED).to_string());
    }
    // The longest first: a shorter form may be a part of it.
    forms.sort_by_key(|form| std::cmp::Reverse(form.len()));
    forms.dedup();
    forms
}

/// Takes the secrets that live at the moment out of a text.
pub(crate) fn scrub(text: String) -> String {
    if COUNT.load(Ordering::Acquire) == 0 {
        return text;
    }
    let live: Vec<Arc<Forms>> = {
        let live = LIVE.lock().unwrap_or_else(PoisonError::into_inner);
        live.iter().filter_map(Weak::upgrade).collect()
    };
    let mut text = text;
    for forms in live {
        for form in &forms.0 {
            if text.contains(form.as_str()) {
                text = text.replace(form.as_str(), HIDDEN);
            }
        }
    }
    text
}

/// The same for every text inside a JSON value.
pub(crate) fn scrub_json(value: serde_json::Value) -> serde_json::Value {
    use serde_json::Value;
    if COUNT.load(Ordering::Acquire) == 0 {
        return value;
    }
    match value {
        Value::String(text) => Value::String(scrub(text)),
        Value::Array(values) => values.into_iter().map(scrub_json).collect(),
        Value::Object(values) => {
            let scrubbed = values
                .into_iter()
                .map(|(name, value)| (scrub(name), scrub_json(value)));
            Value::Object(scrubbed.collect())
        }
        other => other,
    }
}

#[cfg(test)]
mod tests;
